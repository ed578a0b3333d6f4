"""Rules against one packet, in plain Python: security groups, network ACLs and routes (docs/semantics.md, section 4).

`NetworkIndex` looks things up once per network; `judge_groups`, `judge_acl` and `select_route` each judge one packet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from .model import RouteTarget, is_working
from .schema import ANY_PROTOCOL, ICMP, ICMPV6, TCP, UDP
from .walk_flow import EPHEMERAL, FIRST_EPHEMERAL, INTERNET, LAST_PORT, Packet, is_private, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from .model import (
        IPAddress,
        IPNetwork,
        Network,
        NetworkAclEntry,
        NetworkInterface,
        Route,
        SecurityGroupRule,
    )

PASS, DENY, UNKNOWN = "pass", "deny", "unknown"

#: What the short walk says where it meets something in between: the flow is judged by the long walk (section 6).
LONG = "long"

#: What group references can see of the sender (docs/semantics.md, section 6, *party*).
DIRECT, TRANSIT, NONE = "direct", "transit-gateway", "none"

_NO, _MAYBE, _YES = "no", "maybe", "yes"

_KEPT = 100_000
"""Look-ups by address that an index keeps at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one stage says of one packet: pass, deny or unknown; why; the rule that decided, by id and in words."""

    outcome: str
    reason: str | None = None
    rule: str | None = None
    text: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class RouteChoice:
    """The route a table selects for a destination. Without a route, `outcome` says why: deny or unknown."""

    route: Route | None
    outcome: Outcome


class NetworkIndex:
    """Answers to 'which records?' for one network, worked out once: owners of addresses, rules, entries, routes."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._group_rules: dict[tuple[tuple[str, ...], bool], tuple[list[SecurityGroupRule], bool]] = {}
        self._acl_entries: dict[tuple[str, bool], list[NetworkAclEntry]] = {}
        self._routes: dict[str, list[Route]] = {}
        self._outcomes: dict[Hashable, Outcome] = {}
        self._services: dict[str | None, frozenset[IPAddress]] = {}
        self._choices: dict[tuple[str, IPAddress], RouteChoice] = {}
        self._held: dict[tuple[str | None, IPAddress], list[NetworkInterface]] = {}
        self.conversations: dict[Hashable, Any] = {}
        """What load balancers' nodes ask of their targets: it is the same for every client."""

    def remembered(self, key: Hashable, make: Callable[..., Outcome], *arguments: Any) -> Outcome:
        """The outcome `make(*arguments)`, made once for each `key`: records keep their identity, so ids will do."""
        found = self._outcomes.get(key)
        if found is None:
            found = self._outcomes[key] = make(*arguments)
        return found

    @cached_property
    def _holders(self) -> dict[IPAddress, list[NetworkInterface]]:
        found: dict[IPAddress, list[NetworkInterface]] = {}
        for interface in self._in_vpcs:
            for address in {own.address for own in interface.addresses}:
                found.setdefault(address, []).append(interface)
        return found

    @cached_property
    def _in_vpcs(self) -> list[NetworkInterface]:
        return [interface for interface in self.network.interfaces.values() if interface.vpc_id]

    @cached_property
    def _prefixes(self) -> list[tuple[IPNetwork, NetworkInterface]]:
        return [(prefix, interface) for interface in self._in_vpcs for prefix in interface.prefixes]

    @cached_property
    def _public(self) -> dict[IPAddress, list[tuple[NetworkInterface, IPAddress]]]:
        found: dict[IPAddress, list[tuple[NetworkInterface, IPAddress]]] = {}
        for interface in self._in_vpcs:
            mapped = {own.address: own.public_address for own in interface.addresses if own.public_address}
            for private, public in mapped.items():
                found.setdefault(public, []).append((interface, private))
        return found

    @cached_property
    def vpcs_with_interfaces(self) -> frozenset[str]:
        """The VPCs of which at least one interface is described."""
        return frozenset(interface.vpc_id for interface in self._in_vpcs if interface.vpc_id)

    def owners(self, address: IPAddress) -> list[NetworkInterface]:
        """Interfaces in VPCs that hold `address` as their own, or in a delegated prefix (EN-02)."""
        found = list(self._holders.get(address, ()))
        for prefix, interface in self._prefixes:
            if address in prefix and all(interface is not other for other in found):
                found.append(interface)
        return found

    def holders(self, vpc_id: str | None, address: IPAddress) -> list[NetworkInterface]:
        """Interfaces of one VPC that hold `address` (EN-02)."""
        key = vpc_id, address
        found = self._held.get(key)
        if found is None:
            if len(self._held) >= _KEPT:
                self._held.clear()
            found = self._held[key] = [owner for owner in self.owners(address) if owner.vpc_id == vpc_id]
        return found

    def seen_holders(self, address: IPAddress, vpc_id: str | None) -> list[NetworkInterface]:
        """Who is at `address` to a packet that comes from, or goes to, VPC `vpc_id` (SG-20, ST-05).

        Its holders there; where there is none, or the VPC is not known, all.
        """
        return self.holders(vpc_id, address) or self.owners(address)

    def public_owners(self, address: IPAddress) -> list[tuple[NetworkInterface, IPAddress]]:
        """(interface, private address) pairs that the public IPv4 `address` is mapped to (IG-05)."""
        return self._public.get(address, [])

    def cidrs_of(self, vpc_id: str | None) -> tuple[IPNetwork, ...]:
        """The CIDRs of a VPC, IPv4 first."""
        vpc = self.network.vpcs.get(vpc_id or "")
        return vpc.blocks if vpc else ()

    def is_private_ipv6(self, address: IPAddress) -> bool:
        """Whether an IPv6 address is not advertised on the internet: fc00::/7, or in a VPC's private CIDR [inf]."""
        if address.version == 4:
            return False
        vpcs = self.network.vpcs.values()
        return is_private(address) or any(address in block for vpc in vpcs for block in vpc.private_ipv6_cidr_blocks)

    @cached_property
    def closed_endpoints(self) -> frozenset[str]:
        """Interfaces of described VPC endpoints that are not available (EP-04)."""
        endpoints = self.network.vpc_endpoints.values()
        return frozenset(each for one in endpoints if not is_working(one.state) for each in one.interface_ids)

    def judge_destination(self, interface: NetworkInterface) -> Outcome:
        """Whether an interface takes conversations at all, whatever type it is of."""
        if interface.detached:
            return Outcome(DENY, "BAD_STATE", note="detached (EN-03)")
        if interface.interface_id in self.closed_endpoints:
            return Outcome(DENY, "BAD_STATE", note="its VPC endpoint is not available (EP-04)")
        return Outcome(PASS)

    @cached_property
    def transit_peers(self) -> Mapping[str, frozenset[str]]:
        """VPC id -> other VPCs with an available attachment to a transit gateway it has one to as well (SG-22)."""
        attached: dict[str, set[str]] = {}
        for (gateway_id, vpc_id), attachment in self.network.attachments_of.items():
            if is_working(attachment.state):
                attached.setdefault(gateway_id, set()).add(vpc_id)
        found: dict[str, set[str]] = {}
        for vpcs in attached.values():
            for vpc_id in vpcs:
                found.setdefault(vpc_id, set()).update(vpcs - {vpc_id})
        return {vpc_id: frozenset(others) for vpc_id, others in found.items()}

    def choice(self, table_id: str, destination: IPAddress) -> RouteChoice:
        """The route a table selects for `destination`, looked for once."""
        key = table_id, destination
        found = self._choices.get(key)
        if found is None:
            if len(self._choices) >= _KEPT:
                self._choices.clear()
            found = self._choices[key] = _select(self, table_id, destination)
        return found

    def in_vpc(self, address: IPAddress, vpc_id: str | None) -> bool:
        """Whether `address` lies in a CIDR of the VPC."""
        return any(address in cidr for cidr in self.cidrs_of(vpc_id))

    def in_any_vpc(self, address: IPAddress) -> bool:
        """Whether `address` lies in a CIDR of any VPC of the network."""
        return any(self.in_vpc(address, vpc_id) for vpc_id in self.network.vpcs)

    def services_of(self, vpc_id: str | None) -> frozenset[IPAddress]:
        """The addresses of a VPC that nothing filters (SG-61): its resolver, and its router in each IPv4 subnet."""
        if vpc_id not in self._services:
            vpc = self.network.vpcs.get(vpc_id or "")
            bases = [(cidr, 2) for cidr in vpc.cidr_blocks[:1]] if vpc else []
            subnets = (subnet for subnet in self.network.subnets.values() if subnet.vpc_id == vpc_id)
            bases += [(subnet.cidr_block, 1) for subnet in subnets if subnet.cidr_block]
            found = (int(cidr.network_address) + offset for cidr, offset in bases)
            self._services[vpc_id] = frozenset(IPv4Address(number) for number in found if number < 2**32)
        return self._services[vpc_id]

    def group_rules(self, group_ids: tuple[str, ...], egress: bool) -> tuple[list[SecurityGroupRule], bool]:
        """The rules of one direction of several groups, sorted by id (SG-01), and whether all of them are described."""
        key = group_ids, egress
        if key not in self._group_rules:
            groups = [self.network.security_groups.get(group_id) for group_id in group_ids]
            rules = [rule for group in groups if group for rule in group.rules if rule.egress == egress]
            whole = all(group is not None and group.is_described(egress) for group in groups)
            self._group_rules[key] = sorted(rules, key=lambda rule: rule.rule_id), whole
        return self._group_rules[key]

    def acl_entries(self, acl_id: str, egress: bool) -> list[NetworkAclEntry]:
        """The entries of one direction of a network ACL, in ascending number (NA-02)."""
        key = acl_id, egress
        if key not in self._acl_entries:
            entries = [entry for entry in self.network.network_acls[acl_id].entries if entry.egress == egress]
            self._acl_entries[key] = sorted(entries, key=lambda entry: entry.rule_number)
        return self._acl_entries[key]

    def routes(self, table_id: str) -> list[Route]:
        """The routes of a table that compete: local ones completed, propagated ones inside the VPC left out (RT-11)."""
        if table_id not in self._routes:
            table = self.network.route_tables[table_id]
            cidrs = self.cidrs_of(table.vpc_id)
            self._routes[table_id] = [
                route for route in self.network.routes_of(table) if not (route.propagated and _inside(route, cidrs))
            ]
        return self._routes[table_id]


def _inside(route: Route, cidrs: Iterable[IPNetwork]) -> bool:
    destination = route.destination
    if isinstance(destination, str):
        return False
    return any(
        destination.version == cidr.version
        and destination.prefixlen >= cidr.prefixlen
        and destination.network_address in cidr
        for cidr in cidrs
    )


# -- security groups -----------------------------------------------------------------------------------------


def judge_groups(
    index: NetworkIndex,
    interface: NetworkInterface,
    egress: bool,
    packet: Packet,
    party: str = DIRECT,
    balancer_groups: frozenset[str] = frozenset(),
    other_vpc: str | None = None,
) -> Outcome:
    """What the security groups of `interface` say of a packet that opens a conversation (SG-01…28, SG-63).

    `party`: what group references can see of the sender. `other_vpc`: the VPC of the other end, where it is known, for
    several VPCs may hold one address; default: the interface's own. References to `balancer_groups` match whoever sent
    it: the groups of the Network Load Balancer that hands on a client's packet (SG-25).
    """
    if interface.group_ids is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note="the description does not say which security groups it has")
    if not interface.group_ids:
        return Outcome(PASS, note="no security groups: not filtered by them (SG-63)")
    rules, all_described = index.group_rules(interface.group_ids, egress)
    remote = packet.destination if egress else packet.source
    maybe: tuple[str, SecurityGroupRule] | None = None
    for rule in rules:
        protocol = _protocol_match(rule, packet)
        if protocol == _NO:
            continue
        if rule.referenced_group_id in balancer_groups:
            match, reason = _YES, None
        else:
            match, reason = _remote_match(index, rule, remote, interface.vpc_id, party, other_vpc or interface.vpc_id)
        if match == _YES and protocol == _YES and rule.certain:
            return index.remembered((interface.group_ids, egress, rule.rule_id), _allowing, rule, len(rules))
        if match != _NO and maybe is None:
            maybe = reason or ("ICMP_TYPE_UNKNOWN" if rule.certain else "UNKNOWN_RESOURCE"), rule
    if maybe:
        return Outcome(UNKNOWN, maybe[0], None, group_rule_text(maybe[1]), f"{maybe[1].rule_id} may match")
    if not all_described:
        return Outcome(
            UNKNOWN,
            "UNKNOWN_RESOURCE",
            note="no rule matches, but not all of its groups, or of their rules, are described",
        )
    if not rules:
        return Outcome(DENY, "SG_HAS_NO_RULES", note="no rules in this direction (SG-02)")
    return Outcome(DENY, "ENI_SG_RULES_MISMATCH", note=f"none of {_count(len(rules), 'rule')} matches (SG-01)")


def _allowing(rule: SecurityGroupRule, count: int) -> Outcome:
    note = f"of {rule.group_id}; first match of {_count(count, 'rule')}"
    return Outcome(PASS, None, rule.rule_id, group_rule_text(rule), note)


def _count(number: int, word: str) -> str:
    plural = word[:-1] + "ies" if word.endswith("y") else word + "s"
    return f"{number} {word if number == 1 else plural}"


def _protocol_match(rule: SecurityGroupRule, packet: Packet) -> str:
    """Whether protocol and port, or type and code, of a group rule match (SG-08…12)."""
    if rule.protocol == ANY_PROTOCOL:
        return _YES
    if rule.protocol != packet.protocol:
        return _NO
    if rule.protocol in (TCP, UDP):
        return _port_match(rule.from_port, rule.to_port, packet)
    if rule.protocol in (ICMP, ICMPV6):
        return _icmp_match(rule.from_port, rule.to_port, packet)
    return _YES  # SG-09


def _port_match(first: int | None, last: int | None, packet: Packet) -> str:
    """Whether the packet's destination port is in first..last, both inclusive (SG-10, NA-06, NA-16)."""
    if first is None or last is None or packet.destination_port is None:
        return _YES
    if packet.destination_port == EPHEMERAL:
        if first <= FIRST_EPHEMERAL and last >= LAST_PORT:
            return _YES
        return _MAYBE if first <= LAST_PORT and last >= FIRST_EPHEMERAL else _NO
    return _YES if first <= packet.destination_port <= last else _NO


def _icmp_match(icmp_type: int | None, icmp_code: int | None, packet: Packet) -> str:
    """Whether type and code match; maybe, where the packet's are not known and the rule names them (SG-11, FL-64)."""
    if icmp_type in (None, -1):
        return _YES
    if packet.icmp_type is None:
        return _MAYBE
    if icmp_type != packet.icmp_type:
        return _NO
    if icmp_code in (None, -1):
        return _YES
    if packet.icmp_code is None:
        return _MAYBE
    return _YES if icmp_code == packet.icmp_code else _NO


def _remote_match(
    index: NetworkIndex,
    rule: SecurityGroupRule,
    remote: IPAddress,
    vpc_id: str | None,
    party: str,
    other_vpc: str | None,
) -> tuple[str, str | None]:
    """Whether the remote of a group rule matches `remote` (SG-05), and, where only maybe, for what reason."""
    if rule.cidr_block is not None:
        return (_YES if remote in rule.cidr_block else _NO), None
    if rule.prefix_list_id is not None:
        listed = index.network.prefix_lists.get(rule.prefix_list_id)
        if listed is None or listed.cidr_blocks is None:
            other_family = listed is not None and listed.address_family not in (None, remote.version)
            return (_NO, None) if other_family else (_MAYBE, "MISSING_PREFIX_LIST")
        return (_YES if any(remote in cidr for cidr in listed.cidr_blocks) else _NO), None
    if rule.referenced_group_id is not None and party != NONE:
        return _reference_match(index, rule, index.seen_holders(remote, other_vpc), remote, vpc_id, party)
    return _NO, None


def _reference_match(
    index: NetworkIndex,
    rule: SecurityGroupRule,
    holders: list[NetworkInterface],
    remote: IPAddress,
    vpc_id: str | None,
    party: str,
) -> tuple[str, str | None]:
    """Whether a group reference matches `remote`, where `holders` are, seen from VPC `vpc_id` (SG-20…26)."""
    if rule.peering_status not in (None, "active"):
        return _NO, None  # stale (SG-26)
    others = index.network.peers if party == DIRECT else index.transit_peers
    peers = others.get(vpc_id or "", frozenset())
    untold = False
    for holder in holders:
        if holder.group_ids is not None and rule.referenced_group_id not in holder.group_ids:
            continue
        named = holder.vpc_id == rule.referenced_vpc_id and rule.peering_status == "active"
        if holder.vpc_id in peers or (party == DIRECT and (holder.vpc_id == vpc_id or named)):
            if holder.group_ids is not None:
                return _YES, None
            untold = True
    if untold:
        return _MAYBE, "UNKNOWN_RESOURCE"
    elsewhere = rule.referenced_vpc_id
    undescribed = elsewhere and elsewhere != vpc_id and elsewhere not in index.vpcs_with_interfaces
    if undescribed and is_private(remote) and not index.in_vpc(remote, vpc_id):
        return _MAYBE, "UNKNOWN_PEERED_SGS"
    return _NO, None


# -- network ACLs --------------------------------------------------------------------------------------------


def judge_acl(
    index: NetworkIndex, subnet_id: str | None, vpc_id: str | None, egress: bool, packet: Packet
) -> tuple[str, Outcome]:
    """(id, what it says) of the network ACL of a subnet for a packet leaving or entering it."""
    acl = index.network.acl_of(subnet_id, vpc_id)
    if acl is None:
        return "", Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note="the subnet's network ACL is not described")
    entries = index.acl_entries(acl.network_acl_id, egress)
    address = packet.destination if egress else packet.source
    undecided: list[NetworkAclEntry] = []
    last: NetworkAclEntry | None = None
    for entry in entries:
        match = _entry_match(entry, packet, address)
        if match == _MAYBE:
            undecided.append(entry)
        elif match == _YES:
            last = entry
            break
    allow = last is not None and last.allow
    if any(entry.allow != allow for entry in undecided):
        numbers = ", ".join(str(entry.rule_number) for entry in undecided)
        if packet.destination_port == EPHEMERAL:
            note = f"entries {numbers} hold only some of the ports {FIRST_EPHEMERAL}-{LAST_PORT} (NA-16)"
            return acl.network_acl_id, Outcome(UNKNOWN, "REMAP_EPHEMERAL_PORT", note=note)
        note = f"entries {numbers} may match first: the ICMP type or code is not known (FL-64)"
        return acl.network_acl_id, Outcome(UNKNOWN, "ICMP_TYPE_UNKNOWN", note=note)
    key = acl.network_acl_id, egress, id(last)
    return acl.network_acl_id, index.remembered(key, _by_entry, acl.network_acl_id, last, len(entries))


def _by_entry(acl_id: str, entry: NetworkAclEntry | None, count: int) -> Outcome:
    """The outcome where `entry` decides; None: the implied final deny."""
    if entry is None:
        note = f"no match of {_count(count, 'entry')}"
        return Outcome(DENY, "SUBNET_ACL_RESTRICTION", f"{acl_id}#*", "deny all (implied, NA-03)", note)
    rule, text = f"{acl_id}#{entry.rule_number}", acl_entry_text(entry)
    note = f"first match of {_count(count, 'entry')} (NA-02)"
    if entry.allow:
        return Outcome(PASS, None, rule, text, note)
    return Outcome(DENY, "SUBNET_ACL_RESTRICTION", rule, text, note)


def _entry_match(entry: NetworkAclEntry, packet: Packet, address: IPAddress) -> str:
    """Whether one entry matches: protocol, port or type and code, and address (NA-06…10)."""
    if entry.protocol not in (ANY_PROTOCOL, packet.protocol):
        return _NO
    match = _YES  # NA-07
    if entry.protocol in (TCP, UDP):
        match = _port_match(entry.from_port, entry.to_port, packet)
    elif entry.protocol == ICMP or (entry.protocol == ICMPV6 and entry.cidr_block.version == 6):  # NA-09
        match = _icmp_match(entry.icmp_type, entry.icmp_code, packet)
    return match if match != _NO and address in entry.cidr_block else _NO


# -- routes --------------------------------------------------------------------------------------------------

_STATIC, _LISTED, _PROPAGATED = 2, 1, 0


def select_route(index: NetworkIndex, table_id: str, destination: IPAddress) -> RouteChoice:
    """The route a table selects for `destination` (RT-04…13). A selected black hole is a deny (RT-13)."""
    return index.choice(table_id, destination)


def _select(index: NetworkIndex, table_id: str, destination: IPAddress) -> RouteChoice:
    best: tuple[int, int] = (-1, -1)
    chosen: list[Route] = []
    hidden = False
    routes = index.routes(table_id)
    for route in routes:
        length = _prefix_length(index, route, destination)
        if length is None:
            hidden = hidden or _may_hold(index, route, destination)
        elif length >= 0:
            rank = length, _origin(route)
            if rank > best:
                best, chosen = rank, []
            if rank == best:
                chosen.append(route)
    if best[1] == _LISTED and len({(route.target_kind, route.target_id) for route in chosen}) > 1:
        note = "overlapping prefix lists lead to different targets (RT-07)"
        return RouteChoice(None, Outcome(UNKNOWN, "AMBIGUOUS_PREFIX_LIST_ROUTE", note=note))
    vpc_id = index.network.route_tables[table_id].vpc_id
    if hidden and best[0] != destination.max_prefixlen and not index.in_vpc(destination, vpc_id):
        note = "a route names a prefix list whose entries are not described"
        return RouteChoice(None, Outcome(UNKNOWN, "MISSING_PREFIX_LIST", note=note))
    if not chosen:
        note = f"none of {_count(len(routes), 'route')} matches (RT-18)"
        return RouteChoice(None, Outcome(DENY, "NO_ROUTE_TO_DESTINATION", note=note))
    key = table_id, id(chosen[0])
    return RouteChoice(chosen[0], index.remembered(key, _by_route, table_id, chosen[0], len(routes)))


def _by_route(table_id: str, route: Route, count: int) -> Outcome:
    """The outcome where `route` is selected, before its target is looked at."""
    rule = f"{table_id} {route.destination}"
    text = f"{route.destination} to {route.target_id}{' (black hole)' if route.blackhole else ''}"
    note = f"longest match of {_count(count, 'route')} (RT-04)"
    if route.blackhole:
        return Outcome(DENY, "BAD_STATE_ROUTE", rule, text, note + "; its target is not usable (RT-13)")
    return Outcome(PASS, None, rule, text, note)


def _prefix_length(index: NetworkIndex, route: Route, address: IPAddress) -> int | None:
    """Length of the prefix by which a route holds `address`; -1: it does not; None: prefix list not described."""
    if not isinstance(route.destination, str):
        return route.destination.prefixlen if address in route.destination else -1
    listed = index.network.prefix_lists.get(route.destination)
    if listed is None or listed.cidr_blocks is None:
        return None
    return max((cidr.prefixlen for cidr in listed.cidr_blocks if address in cidr), default=-1)  # RT-06


def _may_hold(index: NetworkIndex, route: Route, address: IPAddress) -> bool:
    """Whether a prefix list without described entries may hold an address.

    One of its family; that of a gateway endpoint, AWS's own, holds only the service's addresses, all of them on the
    internet (RT-19, EP-01).
    """
    if route.target_kind == RouteTarget.GATEWAY_ENDPOINT and kind_of(address) != INTERNET:
        return False
    listed = index.network.prefix_lists.get(str(route.destination))
    return listed is None or listed.address_family in (None, address.version)


def _origin(route: Route) -> int:
    """The rank of a route among those of equal length (RT-05, RT-08)."""
    if isinstance(route.destination, str):
        return _LISTED
    return _PROPAGATED if route.propagated else _STATIC


# -- rules in words ------------------------------------------------------------------------------------------

_NAMES = {ANY_PROTOCOL: "all", ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}


def group_rule_text(rule: SecurityGroupRule) -> str:
    """A security group rule in words: `allow tcp 443 from 10.0.0.0/8`."""
    remote = rule.cidr_block or rule.prefix_list_id or rule.referenced_group_id
    what = _traffic_text(rule.protocol, (rule.from_port, rule.to_port), (rule.from_port, rule.to_port))
    return f"allow {what} {'to' if rule.egress else 'from'} {remote}"


def acl_entry_text(entry: NetworkAclEntry) -> str:
    """A network ACL entry in words: `deny tcp 22 from 0.0.0.0/0`."""
    what = _traffic_text(entry.protocol, (entry.from_port, entry.to_port), (entry.icmp_type, entry.icmp_code))
    return f"{'allow' if entry.allow else 'deny'} {what} {'to' if entry.egress else 'from'} {entry.cidr_block}"


def _traffic_text(protocol: int, ports: tuple[int | None, int | None], icmp: tuple[int | None, int | None]) -> str:
    name = _NAMES.get(protocol, f"protocol {protocol}")
    if protocol in (TCP, UDP) and None not in ports:
        return f"{name} {ports[0]}" if ports[0] == ports[1] else f"{name} {ports[0]}-{ports[1]}"
    if protocol in (ICMP, ICMPV6) and icmp[0] not in (None, -1):
        return f"{name} type {icmp[0]}" + (f" code {icmp[1]}" if icmp[1] not in (None, -1) else "")
    return name
