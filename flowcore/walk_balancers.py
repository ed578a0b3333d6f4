"""Load balancers on a long walk: the listener, the targets of a node, what each target says, and which one stands.

docs/semantics.md, 6.9. A node's own conversations (client address not preserved) are judged by `judge`, which the
caller gives: it walks them like any other flow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, NamedTuple

from .model import (
    IPAddress,
    Listener,
    ListenerRule,
    LoadBalancer,
    NetworkInterface,
    RouteTarget,
    Target,
    TargetGroup,
)
from .schema import TCP, UDP
from .walk_ends import ACCEPT, REJECT
from .walk_ends import UNKNOWN as UNDECIDED
from .walk_flow import EPHEMERAL, Packet, read_address
from .walk_hops import Check, Leg, Walker, Zone, balancer_at, route_of, without_party, zone_of
from .walk_rules import DENY, NONE, PASS, UNKNOWN, NetworkIndex, Outcome, judge_acl, judge_groups
from .walk_transit import judge_peering

MAX_DEPTH = 1
"""A load balancer may stand behind one other, not behind two."""

_LISTENERS = {
    TCP: frozenset({"TCP", "TLS", "TCP_UDP", "HTTP", "HTTPS", "SSL", "TCP_QUIC"}),
    UDP: frozenset({"UDP", "TCP_UDP", "QUIC", "TCP_QUIC"}),
}

#: Stages of a node's own conversation -> the stages they count as in the walk that led to the node.
_IN_THE_MIDDLE = {
    "source": "middle-interface",
    "source-dest-check": "middle-interface",
    "destination": "middle-interface",
    "source-security-group": "middle-security-group",
    "destination-security-group": "middle-security-group",
    "source-network-acl": "middle-network-acl",
    "destination-network-acl": "middle-network-acl",
    "route": "middle-route",
    "reply-source-network-acl": "reply-middle-network-acl",
    "reply-destination-network-acl": "reply-middle-network-acl",
    "reply-route": "reply-middle-route",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A node's own conversation with a target, as `judge` walked it."""

    checks: tuple[Check, ...]
    turned: bool
    """It came to its reply: nothing cut the way there."""
    finished: bool
    """It came to the end of its reply."""
    flagged: bool = False


Judge = Callable[[NetworkInterface, Packet, int], Conversation]
"""(node, its packet, how many load balancers stand before) -> its conversation."""


class Candidate(NamedTuple):
    """One target of a node. `missing`: why its address or port is not known."""

    group: TargetGroup
    target: Target | None = None
    """None: there may be further targets, which are not described."""
    address: IPAddress | None = None
    port: int | None = None
    zone: Zone | str | None = None
    missing: str = ""


@dataclass(slots=True)
class TargetWalk:
    """What one target says: its checks there and back, and whether they were cut."""

    candidate: Candidate
    preserved: bool = False
    checks: list[Check] = field(default_factory=list)
    cut: bool = False
    cut_back: bool = False
    flagged: bool = False

    def outcome(self) -> tuple[str, str | None, Check | None]:
        """(forward, reply, the check that decided) by section 5."""
        there, check = leg_verdict(check for check in self.checks if not check.reply)
        if there != ACCEPT:
            return there, None, check
        back, check = leg_verdict(check for check in self.checks if check.reply)
        return there, back, check


class TargetReport(NamedTuple):
    """One target for people: who it is, what becomes of the flow if it is chosen, and why."""

    target: str
    group: str
    address: str | None
    port: int | None
    zone: str | None
    client_address_preserved: bool
    forward: str
    reply: str | None
    reason: str | None
    stage: str | None
    component: str | None
    rule: str | None
    text: str
    chosen: bool
    health: str | None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON-ready data."""
        return self._asdict()


@dataclass(slots=True)
class Balance:
    """What became of a packet at a node. `cut`: the walk ends there; else `back` holds the reply as far as the node."""

    cut: bool
    back: list[Check] = field(default_factory=list)
    cut_back: bool = False
    targets: int | None = None
    reachable: int | None = None
    flagged: bool = False
    reports: tuple[TargetReport, ...] = ()


def leg_verdict(checks: Iterable[Check]) -> tuple[str, Check | None]:
    """(verdict of one direction, the check that decided it): the first deny, else the first unknown."""
    undecided = None
    for check in checks:
        if not check.evaluated:
            continue
        if check.outcome.outcome == DENY:
            return REJECT, check
        if check.outcome.outcome == UNKNOWN and undecided is None:
            undecided = check
    return (UNDECIDED, undecided) if undecided else (ACCEPT, None)


# -- the node ------------------------------------------------------------------------------------------------


def balance(walker: Walker, node: NetworkInterface, balancer: LoadBalancer, judge: Judge, depth: int = 0) -> Balance:
    """What a load balancer does with the packet at one of its nodes; its checks, and the chosen target's, are noted."""
    packet = walker.packet
    outcome, listener = _judge_listener(balancer, packet, depth)
    candidates: list[Candidate] = []
    if listener is not None and outcome.outcome == PASS:
        everyone = _offered_targets(walker.index, node, listener)
        if everyone or listener.target_group_ids:
            outcome, candidates = _judge_zones(walker.index, balancer, node, everyone)
    walker.check("load-balancer", balancer.load_balancer_id, outcome)
    if outcome.outcome != PASS:
        return Balance(cut=True)
    if not candidates:
        return Balance(cut=False)
    walks = [_walk_target(walker, node, balancer, each, judge, depth) for each in candidates]
    outcomes = [walk.outcome() for walk in walks]
    best = min(range(len(walks)), key=lambda number: _rank(*outcomes[number][:2]))
    chosen = walks[best]
    walker.checks += [check for check in chosen.checks if not check.reply]
    described = sum(walk.candidate.target is not None for walk in walks)
    return Balance(
        cut=chosen.cut,
        back=[check for check in chosen.checks if check.reply],
        cut_back=chosen.cut_back,
        targets=described or None,
        reachable=sum(_rank(there, back) == 0 for there, back, _ in outcomes) if described else None,
        flagged=chosen.flagged,
        reports=tuple(_report(walk, outcomes[i], i == best) for i, walk in enumerate(walks)),
    )


def _rank(forward: str, reply: str | None) -> int:
    if forward == ACCEPT:
        return {UNDECIDED: 1, REJECT: 3}.get(reply or ACCEPT, 0)
    return 2 if forward == UNDECIDED else 4


def _judge_listener(balancer: LoadBalancer, packet: Packet, depth: int) -> tuple[Outcome, ListenerRule | None]:
    """(what the load balancer and its listeners say of the packet, where the listener that takes it may send it)
    (LB-05, NL-01)."""
    name = balancer.name
    if balancer.state not in (None, "active", "active_impaired"):
        return Outcome(DENY, "BAD_STATE", note=f"{name} is {balancer.state}"), None
    if balancer.kind == "gateway":
        return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=f"{name} is a Gateway Load Balancer"), None
    if depth > MAX_DEPTH:
        note = f"{name} stands behind more than one load balancer"
        return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=note), None
    if balancer.listeners is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"the listeners of {name} are not described"), None
    protocols = _LISTENERS.get(packet.protocol, frozenset())
    for listener in balancer.listeners:
        if listener.port == packet.destination_port and listener.protocol in protocols:
            text = f"{name}: listener {listener.protocol} {listener.port}"
            offer = _offer(listener, packet.source)
            if offer.target_group_ids or offer.answers or not offer.complete:
                ends = "; it answers itself (AL-05)" if offer.answers and not offer.target_group_ids else ""
                return Outcome(PASS, note=text + ends), offer
            return Outcome(DENY, "ELBV2_LISTENER_HAS_NO_TG", note=f"{text} has no target group"), None
    reason = "ELB_LISTENERS_MISMATCH" if balancer.kind == "classic" else "ELBV2_LISTENERS_MISMATCH"
    return Outcome(DENY, reason, note=f"no listener of {name} takes this packet (LB-05)"), None


def _offer(listener: Listener, client: IPAddress) -> ListenerRule:
    """Where a listener may send a client: of all conditions of its rules only source-ip is about the packet (AL-04)."""
    if not listener.rules:
        return ListenerRule(listener.target_group_ids, listener.answers, listener.complete)
    taken: list[ListenerRule] = []
    for rule in listener.rules:
        if rule.client_cidr_blocks is not None and not any(client in block for block in rule.client_cidr_blocks):
            continue
        taken.append(rule)
        if rule.certain:
            break
    return ListenerRule(
        tuple(dict.fromkeys(group_id for rule in taken for group_id in rule.target_group_ids)),
        any(rule.answers for rule in taken),
        all(rule.complete for rule in taken),
    )


def _offered_targets(index: NetworkIndex, node: NetworkInterface, offer: ListenerRule) -> list[Candidate]:
    """The targets of all groups of an offer; what is not described of them may be a target too."""
    found: list[Candidate] = []
    for group_id in offer.target_group_ids:
        group = index.network.target_groups.get(group_id)
        if group is None or (group.targets is None and group.target_type != "lambda"):
            what = "the target group" if group is None else "the targets of the group"
            found.append(Candidate(group or TargetGroup(group_id), missing=f"{what} {group_id} are not described"))
            continue
        found += _candidates(index, node, group)
    if not offer.complete and not (offer.answers and not offer.target_group_ids):
        missing = "not all rules of the listener are described: it may send elsewhere too"
        found.append(Candidate(TargetGroup("?"), missing=missing))
    return found


# -- the targets of a node -----------------------------------------------------------------------------------


def _candidates(index: NetworkIndex, node: NetworkInterface, group: TargetGroup) -> list[Candidate]:
    """The targets of a group, each with address, port and zone where known (LB-08)."""
    if group.target_type == "lambda":
        targets = group.targets or (Target(group.name or group.target_group_id),)
        return [Candidate(group, targets[0])]
    found: list[Candidate] = []
    for target in group.targets or ():
        port = target.port if target.port is not None else group.port
        if group.target_type == "alb":
            found += _nodes_of(index, group, target, port)
            continue
        interface, address = _target_interface(index, node, group, target)
        zone: Zone | str | None = zone_of(index, interface.subnet_id) if interface else None
        if not isinstance(zone, Zone) or not zone.is_known():
            zone = target.availability_zone
        missing = "" if address is not None else f"the address of {target.target_id} is not described"
        if address is not None and port is None:
            missing = f"the port of {target.target_id} is not described"
        found.append(Candidate(group, target, address, port, zone, missing))
    return found


def _nodes_of(index: NetworkIndex, group: TargetGroup, target: Target, port: int | None) -> list[Candidate]:
    """Each node of the Application Load Balancer that is a target."""
    balancer = index.network.load_balancers.get(target.target_id)
    ids = balancer.interface_ids if balancer else ()
    nodes = [index.network.interfaces[each] for each in ids if each in index.network.interfaces]
    if not nodes:
        return [Candidate(group, target, None, port, None, f"{target.target_id} is not described")]
    missing = "" if port is not None else f"the port of {target.target_id} is not described"
    return [
        Candidate(group, target, primary_ipv4(node), port, zone_of(index, node.subnet_id), missing) for node in nodes
    ]


def _target_interface(
    index: NetworkIndex, node: NetworkInterface, group: TargetGroup, target: Target
) -> tuple[NetworkInterface | None, IPAddress | None]:
    if group.target_type == "ip":
        address = read_address(target.target_id)
        holders = index.holders(node.vpc_id, address) if address is not None else []
        return (holders[0] if len(holders) == 1 else None), address
    instance = index.network.instances.get(target.target_id)
    ids = instance.interface_ids[:1] if instance else ()
    interface = index.network.interfaces.get(ids[0]) if ids else None
    if interface is None:
        return None, None
    return interface, primary_ipv6(interface) if group.ip_address_type == "ipv6" else primary_ipv4(interface)


def primary_ipv4(interface: NetworkInterface) -> IPAddress | None:
    """The primary private IPv4 address of an interface; without one, its first IPv4 address."""
    return own_address(interface, 4)


def primary_ipv6(interface: NetworkInterface) -> IPAddress | None:
    """The primary IPv6 address of an interface; where none is marked as such, the only one."""
    own = [each for each in interface.addresses if each.address.version == 6]
    marked = [each for each in own if each.primary] or own
    return marked[0].address if len(marked) == 1 else None


def own_address(interface: NetworkInterface, version: int) -> IPAddress | None:
    """The primary address of a family, or the first."""
    own = [each for each in interface.addresses if each.address.version == version]
    return next((each.address for each in own if each.primary), own[0].address if own else None)


def _judge_zones(
    index: NetworkIndex, balancer: LoadBalancer, node: NetworkInterface, everyone: list[Candidate]
) -> tuple[Outcome, list[Candidate]]:
    """(what the load balancer says, the targets that this node sends to) (LB-03, LB-04)."""
    name = balancer.name
    if not everyone:
        return Outcome(DENY, "ELBV2_LISTENER_HAS_NO_TG", note=f"the target groups of {name} are empty"), []
    enabled = [zone_of(index, subnet_id) for subnet_id in balancer.subnet_ids]
    inside = [each for each in everyone if _is_in_one(each, enabled)]
    if not inside:
        note = f"no target is in an enabled zone of {name} (LB-03)"
        return Outcome(DENY, "ELB_INSTALLED_AZ_RESTRICTION", note=note), []
    here = [zone_of(index, node.subnet_id)]
    kept = []
    for each in inside:
        crosses = balancer.crosses_zones if each.group.cross_zone is None else each.group.cross_zone
        if crosses or _is_in_one(each, here):
            kept.append(each)
    if not kept:
        note = f"cross-zone is off, and no target is in the zone of {node.interface_id} (LB-04)"
        return Outcome(DENY, "ELB_NOT_CROSSZONE", note=note), []
    return Outcome(PASS, note=f"{name}: {len(kept)} of {len(everyone)} targets"), kept


def _is_in_one(candidate: Candidate, zones: list[Zone]) -> bool:
    """Whether a target is, or may be, in one of the zones."""
    zone = candidate.zone
    if zone is None or zone == "all" or not zones or any(not each.is_known() for each in zones):
        return True
    if isinstance(zone, Zone):
        return any(zone.is_zone(each) for each in zones)
    return any(each.is_called(zone) for each in zones)


# -- one target ----------------------------------------------------------------------------------------------


def _walk_target(
    walker: Walker, node: NetworkInterface, balancer: LoadBalancer, candidate: Candidate, judge: Judge, depth: int
) -> TargetWalk:
    """The way from the node to one target and back."""
    walk = TargetWalk(candidate)
    if candidate.group.target_type == "lambda":
        return walk  # no way through the VPC (AL-06)
    if candidate.missing or candidate.address is None or candidate.port is None:
        return _undecided(walk, walker, balancer, Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=candidate.missing))
    if candidate.group.target_type == "alb" and depth >= MAX_DEPTH:
        note = "a load balancer behind a load balancer behind a load balancer"
        return _undecided(walk, walker, balancer, Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=note))
    walk.preserved = _is_preserved(balancer, candidate, walker.packet)
    if walk.preserved:
        _Preserved(walker, node, balancer, walk, judge, depth).walk()
        return walk
    own = own_address(node, candidate.address.version)
    if own is None:
        note = f"{node.interface_id} has no address of the target's family"
        return _undecided(walk, walker, balancer, Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note))
    packet = Packet(own, candidate.address, walker.packet.protocol, EPHEMERAL, candidate.port)
    conversation = judge(node, packet, depth + 1)
    walk.checks = [replace(check, stage=_IN_THE_MIDDLE.get(check.stage, check.stage)) for check in conversation.checks]
    walk.cut, walk.cut_back, walk.flagged = not conversation.turned, not conversation.finished, conversation.flagged
    return walk


def _undecided(walk: TargetWalk, walker: Walker, balancer: LoadBalancer, outcome: Outcome) -> TargetWalk:
    walk.checks = [Check("load-balancer", balancer.load_balancer_id, walker.packet, outcome)]
    walk.cut = True
    return walk


def _is_preserved(balancer: LoadBalancer, candidate: Candidate, packet: Packet) -> bool:
    """Whether the target sees the client's address (NL-05, NL-06)."""
    group = candidate.group
    if balancer.kind != "network" or candidate.address is None or candidate.address.version != packet.source.version:
        return False
    if group.target_type == "alb":
        return True
    if group.preserve_client_ip is not None:
        return group.preserve_client_ip
    return group.target_type == "instance" or group.protocol not in ("TCP", "TLS")


class _Preserved:
    """From a Network Load Balancer's node to a target that sees the client's address (NL-05…11)."""

    def __init__(
        self,
        walker: Walker,
        node: NetworkInterface,
        balancer: LoadBalancer,
        walk: TargetWalk,
        judge: Judge,
        depth: int,
    ) -> None:
        self.index, self.node, self.balancer, self.walk_, self.judge = walker.index, node, balancer, walk, judge
        self.client, self.depth = walker.packet, depth
        self.part = Walker(walker.index, walker.packet, walker.handlers)
        self.part.checks = walk.checks

    def walk(self) -> None:
        """Note the target's checks in its TargetWalk."""
        candidate, part = self.walk_.candidate, self.part
        address, port = candidate.address, candidate.port
        assert address is not None  # _walk_target saw to it
        if address == self.client.source:
            self._refuse(f"{address} would reach itself (NL-07)")
            return
        part.packet = self.client._replace(destination=address, destination_port=port)
        part.check(
            "middle-security-group",
            self.node.interface_id,
            judge_groups(self.index, self.node, True, part.packet),
        )
        found = self._find_target(address)
        if found is None:
            self.walk_.cut = True
            return
        target, across = found
        if across:
            part.check_acl("middle-network-acl", target.subnet_id, target.vpc_id, egress=False)
        part.check("middle-security-group", target.interface_id, self._judge_groups(target))
        if target.detached:
            part.check("middle-interface", target.interface_id, Outcome(DENY, "BAD_STATE", note="detached (EN-03)"))
        balancer = balancer_at(self.index, target)
        if balancer is not None and not self._go_on(target, balancer):
            return
        if across:
            self._come_back(target, address)

    def _judge_groups(self, target: NetworkInterface) -> Outcome:
        """The target's groups: references match only by the load balancer's own groups (SG-25)."""
        groups = frozenset(self.balancer.group_ids) & frozenset(self.node.group_ids or ())
        packet = self.part.packet
        outcome = judge_groups(self.index, target, False, packet, NONE, groups)
        return without_party(self.index, target, False, packet, outcome, Leg(met=["load-balancer"]), NONE)

    def _go_on(self, target: NetworkInterface, balancer: LoadBalancer) -> bool:
        """The target is a load balancer's node itself: on to its own targets. False: cut, there or back."""
        result = balance(self.part, target, balancer, self.judge, self.depth + 1)
        self.walk_.cut, self.walk_.cut_back, self.walk_.flagged = result.cut, result.cut_back, result.flagged
        self.walk_.checks += result.back
        return not result.cut and not result.cut_back

    def _find_target(self, address: IPAddress) -> tuple[NetworkInterface, bool] | None:
        """(the target's interface, whether it is in another subnet), with the checks on the way; None: cut."""
        part, node = self.part, self.node
        holders = self.index.holders(node.vpc_id, address)
        if len(holders) == 1 and node.subnet_id is not None and holders[0].subnet_id == node.subnet_id:
            return holders[0], False
        part.check_acl("middle-network-acl", node.subnet_id, node.vpc_id, egress=True)
        table_id, choice = route_of(part, part.place(node.subnet_id, node.vpc_id))
        part.check("middle-route", table_id, choice.outcome)
        vpc_id = node.vpc_id
        if choice.outcome.outcome == PASS and choice.route is not None:
            kind = choice.route.target_kind
            if kind == RouteTarget.VPC_PEERING_CONNECTION:
                vpc_id = self._over_peering(choice.route.target_id, address)
                if vpc_id is None:
                    return None
                holders = self.index.holders(vpc_id, address)
            elif kind != RouteTarget.LOCAL:
                self._refuse(f"it would go by {choice.route.target_id} (NL-07)")
                return None
        elif choice.outcome.outcome == UNKNOWN or len(holders) != 1:
            return None
        if len(holders) == 1:
            return holders[0], True
        reason = "ADDR_AMBIGUOUS" if holders else "UNKNOWN_DESTINATION"
        note = f"{'several interfaces' if holders else 'no described interface'} of {vpc_id} hold {address}"
        part.check("load-balancer", self.balancer.load_balancer_id, Outcome(UNKNOWN, reason, note=note))
        return None

    def _over_peering(self, peering_id: str, address: IPAddress) -> str | None:
        """The VPC at the other end of a peering connection in this Region; None: cut."""
        peering = self.index.network.peering_connections.get(peering_id)
        if peering is not None and peering.requester_region != peering.accepter_region:
            self._refuse(f"{peering_id} leads to another Region (NL-07)")
            return None
        outcome, vpc_id = judge_peering(self.index, peering, self.node.vpc_id, None, address)
        self.part.check("peering", peering_id, outcome)
        if outcome.outcome != PASS:
            return None
        return vpc_id

    def _refuse(self, note: str) -> None:
        outcome = Outcome(DENY, "ELBV2_SOURCE_ADDRESS_PRESERVATION", note=note)
        self.part.check("load-balancer", self.balancer.load_balancer_id, outcome)
        self.walk_.cut = True

    def _come_back(self, target: NetworkInterface, address: IPAddress) -> None:
        """The reply to the node: the lists of both subnets, but no route of the target's (NL-10, NL-11)."""
        client = self.client
        packet = Packet(address, client.source, client.protocol, self.walk_.candidate.port, client.source_port)
        for interface, egress in ((target, True), (self.node, False)):
            acl_id, outcome = judge_acl(self.index, interface.subnet_id, interface.vpc_id, egress, packet)
            self.walk_.checks.append(Check("reply-middle-network-acl", acl_id, packet, outcome, reply=True))


# -- for people ----------------------------------------------------------------------------------------------


def _report(walk: TargetWalk, outcome: tuple[str, str | None, Check | None], chosen: bool) -> TargetReport:
    candidate, (forward, reply, check) = walk.candidate, outcome
    said = check.outcome if check else Outcome(PASS)
    return TargetReport(
        target=candidate.target.target_id if candidate.target else "?",
        group=candidate.group.name or candidate.group.target_group_id,
        address=str(candidate.address) if candidate.address is not None else None,
        port=candidate.port,
        zone=_zone_name(candidate),
        client_address_preserved=walk.preserved,
        forward=forward,
        reply=reply,
        reason=said.reason if check else None,
        stage=check.stage if check else None,
        component=(check.component or None) if check else None,
        rule=said.rule,
        text=said.text or said.note,
        chosen=chosen,
        health=candidate.target.health if candidate.target else None,
    )


def _zone_name(candidate: Candidate) -> str | None:
    zone = candidate.zone
    return (zone.name or zone.zone_id) if isinstance(zone, Zone) else zone


def blocked_health_checks(index: NetworkIndex, balancer: LoadBalancer, judge: Judge) -> Iterable[str]:
    """A sentence for each target group and zone of whose targets no health check gets through (LB-06, LB-07)."""
    asked: dict[tuple[str, str], list[tuple[str, Check | None]]] = {}
    for node, candidate, packet in _health_checks(index, balancer):
        there, check = UNDECIDED, None
        if packet is not None:
            conversation = judge(node, packet, 1)
            there, check = leg_verdict(each for each in conversation.checks if not each.reply)
            if there == ACCEPT:
                there, check = leg_verdict(each for each in conversation.checks if each.reply)
        group = candidate.group.name or candidate.group.target_group_id
        asked.setdefault((group, _zone_name(candidate) or "?"), []).append((there, check))
    for (group, zone), answers in asked.items():
        if all(verdict == REJECT for verdict, _ in answers):
            check = answers[0][1]
            why = f"{check.outcome.reason} at {check.stage} {check.component}" if check else ""
            yield (
                f"HEALTH_CHECK_BLOCKED: no health check of {balancer.name} reaches a target of {group} in zone {zone} "
                f"({why})"
            )


def _health_checks(
    index: NetworkIndex, balancer: LoadBalancer
) -> Iterable[tuple[NetworkInterface, Candidate, Packet | None]]:
    """What each node asks of each of its targets to see whether it is healthy: over TCP, from its own address.

    None where the target's address or port is not known.
    """
    groups: dict[str, TargetGroup] = {}
    listeners = balancer.listeners if balancer.kind != "gateway" else ()
    for listener in listeners or ():
        for group_id in listener.target_group_ids:
            group = index.network.target_groups.get(group_id)
            if group is not None and group.target_type != "lambda":
                groups[group_id] = group
    nodes = (index.network.interfaces.get(node_id) for node_id in balancer.interface_ids)
    for node, group in product(filter(None, nodes), groups.values()):
        _, kept = _judge_zones(index, balancer, node, _candidates(index, node, group))
        for each in kept:
            port = group.health_check_port or each.port
            own = own_address(node, each.address.version) if each.address is not None else None
            if each.address is None or own is None or port is None:
                yield node, each, None
            else:
                yield node, each, Packet(own, each.address, TCP, EPHEMERAL, port)
