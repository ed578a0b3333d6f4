"""Answers of describe calls as records of the model, one function per kind of record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Network
from types import MappingProxyType

from ..model import (
    BlockPublicAccessExclusion,
    BlockPublicAccessOptions,
    ElasticAddress,
    Gateway,
    Instance,
    InterfaceAddress,
    IPNetwork,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    PrefixList,
    Route,
    RouteTable,
    RouteTarget,
    Subnet,
    Vpc,
)
from . import answers
from .values import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    BadValueError,
    ipv4_address,
    ipv4_network,
    ipv6_address,
    ipv6_network,
    network,
    port_range,
    protocol_number,
    region_of,
    type_and_code,
)

#: Interface types that never carry security groups (SG-63): an absent list means "not filtered by groups".
WITHOUT_GROUPS = frozenset(
    {
        "nat_gateway",
        "transit_gateway",
        "network_load_balancer",
        "gateway_load_balancer",
        "gateway_load_balancer_endpoint",
    }
)

_GATEWAY_KINDS = {
    "igw": RouteTarget.INTERNET_GATEWAY,
    "eigw": RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY,
    "vgw": RouteTarget.VIRTUAL_PRIVATE_GATEWAY,
    "nat": RouteTarget.NAT_GATEWAY,
    "tgw": RouteTarget.TRANSIT_GATEWAY,
    "pcx": RouteTarget.VPC_PEERING_CONNECTION,
    "cagw": RouteTarget.CARRIER_GATEWAY,
    "lgw": RouteTarget.LOCAL_GATEWAY,
}
_TARGET_FIELDS = (
    ("nat_gateway_id", RouteTarget.NAT_GATEWAY),
    ("transit_gateway_id", RouteTarget.TRANSIT_GATEWAY),
    ("vpc_peering_connection_id", RouteTarget.VPC_PEERING_CONNECTION),
    ("egress_only_internet_gateway_id", RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY),
    ("carrier_gateway_id", RouteTarget.CARRIER_GATEWAY),
    ("local_gateway_id", RouteTarget.LOCAL_GATEWAY),
    ("core_network_arn", RouteTarget.CORE_NETWORK),
    ("odb_network_arn", RouteTarget.ODB_NETWORK),
)
_PROPAGATED = frozenset({"EnableVgwRoutePropagation", "Advertisement"})
_STATIC = frozenset({None, "", "CreateRouteTable", "CreateRoute"})
_BLOCK_MODES = ("off", "block-bidirectional", "block-ingress")
_EXCLUSION_MODES = ("allow-bidirectional", "allow-egress")
_FAMILIES = {"ipv4": 4, "ipv6": 6}
_NO_TAGS: Mapping[str, str] = MappingProxyType({})
_BALANCER_TYPES = {"net": "network_load_balancer", "gwy": "gateway_load_balancer"}
_UPPER_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known about a record from where it stands: Region and account of its folder; and where issues go."""

    region: str | None
    account: str | None
    issue: Callable[[str, str, str, str], None]
    """severity, code, resource, message"""
    is_cut: bool = False
    """The answer has a token: more pages follow."""


def tags_of(tags: list[answers.Tag] | None) -> Mapping[str, str]:
    """Key -> value; a tag without a value has an empty one."""
    if not tags:
        return _NO_TAGS
    return MappingProxyType({tag.key: tag.value or "" for tag in tags if tag.key is not None})


@contextmanager
def below(*steps: str | int) -> Iterator[None]:
    """Puts `steps` before the path of a BadValueError raised inside: the record is part of a larger answer."""
    try:
        yield
    except BadValueError as bad:
        raise BadValueError(bad.found, bad.expected, *steps, *bad.steps, hint=bad.hint) from None


def _counts(state: answers.State | None) -> bool:
    """Whether an association counts: its state is associated, or not said (RT-02)."""
    return state is None or state.state in (None, "", "associated")


def _block_mode(states: answers.BlockStates | None) -> str | None:
    mode = states.internet_gateway_block_mode if states else None
    if mode and mode not in _BLOCK_MODES:
        step = ("BlockPublicAccessStates", "InternetGatewayBlockMode")
        raise BadValueError(mode, f"one of {', '.join(_BLOCK_MODES)}", *step)
    return mode or None


def vpc(answer: answers.VpcAnswer, scope: Scope) -> Vpc:
    """A VPC; CIDRs in state associated, the primary one first."""
    blocks = {}
    if answer.cidr_block:
        blocks[ipv4_network(answer.cidr_block, "CidrBlock")] = True
    for i, item in enumerate(answer.cidr_block_association_set or ()):
        if _counts(item.cidr_block_state):
            blocks[ipv4_network(item.cidr_block, "CidrBlockAssociationSet", i, "CidrBlock")] = True
    if not blocks:
        raise BadValueError(None, "a CIDR: every VPC has one", "CidrBlock")
    ipv6_items = answer.ipv6_cidr_block_association_set or []
    private = [item for item in ipv6_items if item.ipv6_address_attribute == "private"]
    return Vpc(
        vpc_id=answer.vpc_id,
        cidr_blocks=tuple(blocks),
        ipv6_cidr_blocks=_ipv6_blocks(ipv6_items),
        private_ipv6_cidr_blocks=_ipv6_blocks(private),
        region=scope.region,
        owner_id=answer.owner_id or scope.account,
        is_default=bool(answer.is_default),
        internet_gateway_block_mode=_block_mode(answer.block_public_access_states),
        tags=tags_of(answer.tags),
    )


def _ipv6_blocks(items: list[answers.Ipv6CidrAssociation] | None) -> tuple[IPv6Network, ...]:
    return tuple(
        dict.fromkeys(
            ipv6_network(item.ipv6_cidr_block, "Ipv6CidrBlockAssociationSet", i, "Ipv6CidrBlock")
            for i, item in enumerate(items or ())
            if _counts(item.ipv6_cidr_block_state)
        )
    )


def subnet(answer: answers.SubnetAnswer, scope: Scope) -> Subnet | None:
    """A subnet; `cidr_block` is None for an IPv6-only one. None: an IPv6-only one whose CIDR is not associated."""
    ipv6_blocks = _ipv6_blocks(answer.ipv6_cidr_block_association_set)
    if not answer.cidr_block and not ipv6_blocks:
        states = [item.ipv6_cidr_block_state for item in answer.ipv6_cidr_block_association_set or ()]
        if states:
            message = f"its only CIDR is {states[0].state if states[0] else ''}, not associated: the subnet is not used"
            scope.issue("warning", "state", answer.subnet_id, message)
            return None
        raise BadValueError(None, "an IPv4 CIDR, or an IPv6 CIDR in Ipv6CidrBlockAssociationSet", "CidrBlock")
    return Subnet(
        subnet_id=answer.subnet_id,
        vpc_id=answer.vpc_id,
        cidr_block=ipv4_network(answer.cidr_block, "CidrBlock") if answer.cidr_block else None,
        ipv6_cidr_blocks=ipv6_blocks,
        availability_zone=answer.availability_zone or None,
        availability_zone_id=answer.availability_zone_id or None,
        internet_gateway_block_mode=_block_mode(answer.block_public_access_states),
        region=scope.region or region_of(answer.subnet_arn) or region_of(answer.availability_zone),
        owner_id=answer.owner_id or None,
        tags=tags_of(answer.tags),
    )


def route_table(answer: answers.RouteTableAnswer, scope: Scope) -> RouteTable:
    """A route table without its filtered routes (RT-14); only associations that count (RT-02)."""
    routes: dict[Route, bool] = {}
    for i, item in enumerate(answer.routes or ()):
        if item.state != "filtered":
            routes[_route(item, i, answer.route_table_id, scope)] = True
    main, subnet_ids, gateway_ids = False, [], []
    for association in answer.associations or ():
        if not _counts(association.association_state):
            continue
        main = main or bool(association.main)
        if association.subnet_id:
            subnet_ids.append(association.subnet_id)
        if association.gateway_id:
            gateway_ids.append(association.gateway_id)
    return RouteTable(
        route_table_id=answer.route_table_id,
        vpc_id=answer.vpc_id,
        routes=tuple(routes),
        main=main,
        subnet_ids=tuple(sorted(set(subnet_ids))),
        gateway_ids=tuple(sorted(set(gateway_ids))),
        tags=tags_of(answer.tags),
    )


def _route(item: answers.RouteAnswer, i: int, table_id: str, scope: Scope) -> Route:
    destination = _route_destination(item, i)
    kind, target_id = _route_target(item, isinstance(destination, str))
    name = f"route to {destination}"
    if kind == RouteTarget.UNKNOWN:
        message = f"{name}: target {target_id or '(none)'} is of no known kind; flows that take it are UNKNOWN"
        scope.issue("warning", "invalid-value", table_id, message)
    if item.state not in (None, "", "active", "blackhole") or item.origin not in _PROPAGATED | _STATIC:
        message = f"{name}: State {item.state!r} or Origin {item.origin!r} is not known; flows that take it are UNKNOWN"
        scope.issue("warning", "invalid-value", table_id, message)
        kind = RouteTarget.UNKNOWN
    return Route(destination, kind, target_id, item.state == "blackhole", item.origin in _PROPAGATED)


def _route_destination(item: answers.RouteAnswer, i: int) -> IPNetwork | str:
    given = (item.destination_cidr_block, item.destination_ipv6_cidr_block, item.destination_prefix_list_id)
    if sum(map(bool, given)) != 1:
        expected = "exactly one of DestinationCidrBlock, DestinationIpv6CidrBlock, DestinationPrefixListId"
        raise BadValueError([value for value in given if value], expected, "Routes", i)
    if item.destination_cidr_block:
        return ipv4_network(item.destination_cidr_block, "Routes", i, "DestinationCidrBlock")
    if item.destination_ipv6_cidr_block:
        return ipv6_network(item.destination_ipv6_cidr_block, "Routes", i, "DestinationIpv6CidrBlock")
    return str(item.destination_prefix_list_id)


def _route_target(item: answers.RouteAnswer, to_prefix_list: bool) -> tuple[str, str]:
    """Kind and id of the target (RT-16). Several targets, or none, are an unknown one."""
    found = [(kind, getattr(item, name)) for name, kind in _TARGET_FIELDS if getattr(item, name)]
    if item.network_interface_id or item.instance_id:
        found.append((RouteTarget.NETWORK_INTERFACE, item.network_interface_id or item.instance_id))
    if item.gateway_id:
        found.append((_gateway_kind(item.gateway_id, to_prefix_list), item.gateway_id))
    if len(found) != 1:
        return RouteTarget.UNKNOWN, ",".join(target for _, target in found)
    return found[0]


def _gateway_kind(gateway_id: str, to_prefix_list: bool) -> str:
    if gateway_id == "local":
        return RouteTarget.LOCAL
    if gateway_id.startswith("vpce-"):  # GWLB endpoint routes cannot have a prefix list as destination (RT-19)
        return RouteTarget.GATEWAY_ENDPOINT if to_prefix_list else RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT
    return _GATEWAY_KINDS.get(gateway_id.partition("-")[0], RouteTarget.UNKNOWN)


def network_acl(answer: answers.NetworkAclAnswer, scope: Scope) -> NetworkAcl:
    """A network ACL, its entries in evaluation order: ingress then egress, ascending rule number (NA-02)."""
    entries: dict[tuple[bool, int], NetworkAclEntry] = {}
    for i, item in enumerate(answer.entries or ()):
        entry = _acl_entry(item, i)
        first = entries.setdefault((entry.egress, entry.rule_number), entry)
        if first != entry:
            raise BadValueError(entry.rule_number, "a rule number used once per direction", "Entries", i, "RuleNumber")
    return NetworkAcl(
        network_acl_id=answer.network_acl_id,
        vpc_id=answer.vpc_id,
        entries=tuple(entries[key] for key in sorted(entries)),
        is_default=bool(answer.is_default),
        subnet_ids=tuple(sorted({item.subnet_id for item in answer.associations or () if item.subnet_id})),
        tags=tags_of(answer.tags),
    )


def _acl_entry(item: answers.NetworkAclEntryAnswer, i: int) -> NetworkAclEntry:
    if not 1 <= item.rule_number <= 32768:  # 32767 and 32768 are AWS's own final denies (NA-03)
        raise BadValueError(item.rule_number, "a rule number from 1 to 32768", "Entries", i, "RuleNumber")
    if item.rule_action.lower() not in ("allow", "deny"):
        raise BadValueError(item.rule_action, "allow or deny", "Entries", i, "RuleAction")
    if bool(item.cidr_block) == bool(item.ipv6_cidr_block):
        found = [value for value in (item.cidr_block, item.ipv6_cidr_block) if value]
        raise BadValueError(found, "exactly one of CidrBlock and Ipv6CidrBlock", "Entries", i)
    cidr: IPNetwork
    if item.cidr_block:
        cidr = ipv4_network(item.cidr_block, "Entries", i, "CidrBlock")
    else:
        cidr = ipv6_network(item.ipv6_cidr_block, "Entries", i, "Ipv6CidrBlock")
    protocol = protocol_number(item.protocol, "Entries", i, "Protocol")
    first = last = kind = code = None
    if protocol in (TCP, UDP) and item.port_range:
        ports = item.port_range
        first, last = port_range(ports.first, ports.last, "From", "To", "Entries", i, "PortRange")
    if protocol in (ICMP, ICMPV6) and item.icmp_type_code:
        types = item.icmp_type_code
        kind, code = type_and_code(types.type, types.code, "Type", "Code", "Entries", i, "IcmpTypeCode")
        code = code if kind is not None else None
    allow = item.rule_action.lower() == "allow"
    return NetworkAclEntry(item.rule_number, item.egress, protocol, allow, cidr, first, last, kind, code)


def prefix_list(answer: answers.PrefixListAnswer, scope: Scope) -> PrefixList:
    """A prefix list; `cidr_blocks` is None unless the answer has the entries inline (describe-prefix-lists)."""
    family = _FAMILIES.get((answer.address_family or "").lower())
    if answer.address_family and family is None:
        raise BadValueError(answer.address_family, "IPv4 or IPv6", "AddressFamily")
    blocks = None
    if answer.cidrs is not None:
        blocks = sorted_networks(network(text, "Cidrs", i) for i, text in enumerate(answer.cidrs))
    return PrefixList(
        answer.prefix_list_id, blocks, family, answer.prefix_list_name, answer.owner_id or None, answer.max_entries
    )


def prefix_list_entries(answer: answers.PrefixListEntriesAnswer) -> tuple[IPNetwork, ...]:
    """The entries of one page of get-managed-prefix-list-entries."""
    found = (network(entry.cidr, "Entries", i, "Cidr") for i, entry in enumerate(answer.entries or ()))
    return sorted_networks(found)


def sorted_networks(found: Iterable[IPNetwork]) -> tuple[IPNetwork, ...]:
    """Each once, in the order of their addresses."""
    return tuple(sorted(set(found), key=lambda net: (net.version, int(net.network_address), net.prefixlen)))


def interface_type(text: str | None, requester_managed: bool, description: str | None) -> str:
    """Lower case with underscores; an Application Load Balancer's is load_balancer ("ELB app/name/id"), a Classic one's
    classic_load_balancer ("ELB name"), whether the answer says load_balancer or interface (LB-01). So for what AWS
    itself made under type interface in older accounts: Network ("ELB net/…") and Gateway ("ELB gwy/…") nodes too."""
    found = _UPPER_CASE.sub("_", text or "interface").replace("-", "_").lower()
    described = description or ""
    if found == "load_balancer" or (found == "interface" and requester_managed):
        if described.startswith("ELB "):
            kind, slash, _ = described.removeprefix("ELB ").partition("/")
            return _BALANCER_TYPES.get(kind, "load_balancer") if slash else "classic_load_balancer"
        if found == "interface" and described.startswith("Interface for NAT Gateway nat-"):
            return "nat_gateway"
    return found


def interface(
    answer: answers.NetworkInterfaceAnswer, scope: Scope, holder: answers.InstanceAnswer | None = None
) -> NetworkInterface:
    """An interface; `holder` is the instance whose answer it was embedded in."""
    kind = interface_type(answer.interface_type, bool(answer.requester_managed), answer.description)
    group_ids: tuple[str, ...] | None = () if kind in WITHOUT_GROUPS else None
    if answer.groups is not None:
        group_ids = tuple(dict.fromkeys(group.group_id for group in answer.groups))
    instance_id = answer.attachment.instance_id if answer.attachment else None
    zone = answer.availability_zone
    if holder is not None:
        instance_id = instance_id or holder.instance_id
        zone = zone or (holder.placement.availability_zone if holder.placement else None)
    prefixes4 = (ipv4_network(p.ipv4_prefix, "Ipv4Prefixes", i) for i, p in enumerate(answer.ipv4_prefixes or ()))
    prefixes6 = (ipv6_network(p.ipv6_prefix, "Ipv6Prefixes", i) for i, p in enumerate(answer.ipv6_prefixes or ()))
    return NetworkInterface(
        interface_id=answer.network_interface_id,
        vpc_id=answer.vpc_id or None,
        subnet_id=answer.subnet_id or None,
        interface_type=kind,
        addresses=_addresses(answer),
        prefixes=(*prefixes4, *prefixes6),
        group_ids=group_ids,
        source_dest_check=answer.source_dest_check is not False,
        requester_managed=bool(answer.requester_managed),
        status=answer.status or None,
        availability_zone=zone or None,
        instance_id=instance_id or None,
        deny_all_igw_traffic=bool(answer.deny_all_igw_traffic),
        description=answer.description,
        region=scope.region or region_of(zone),
        owner_id=answer.owner_id or None,
        tags=tags_of(answer.tag_set),
    )


def _addresses(answer: answers.NetworkInterfaceAnswer) -> tuple[InterfaceAddress, ...]:
    """IPv4 addresses as described, then IPv6. The interface's own Association belongs to the primary address."""
    top = answer.association.public_ip if answer.association else None
    found: dict[object, InterfaceAddress] = {}
    items = answer.private_ip_addresses or []
    if not items and answer.private_ip_address:
        items = [answers.PrivateIpAddress(private_ip_address=answer.private_ip_address, primary=True)]
    for i, item in enumerate(items):
        own = ipv4_address(item.private_ip_address, "PrivateIpAddresses", i, "PrivateIpAddress")
        primary = bool(item.primary) or (item.primary is None and item.private_ip_address == answer.private_ip_address)
        text = item.association.public_ip if item.association else None
        public = ipv4_address(text, "PrivateIpAddresses", i, "Association", "PublicIp") if text else None
        if public is None and primary and top:
            public = ipv4_address(top, "Association", "PublicIp")
        found.setdefault(own, InterfaceAddress(own, primary, public))
    for i, ipv6 in enumerate(answer.ipv6_addresses or ()):
        own6 = ipv6_address(ipv6.ipv6_address, "Ipv6Addresses", i, "Ipv6Address")
        found.setdefault(own6, InterfaceAddress(own6, bool(ipv6.is_primary_ipv6)))
    return tuple(found.values())


def instance(answer: answers.InstanceAnswer, scope: Scope) -> Instance:
    """An instance, its interfaces in the order of their devices; a terminated one has no VPC."""
    interfaces = sorted(answer.network_interfaces or (), key=_device)
    return Instance(
        instance_id=answer.instance_id,
        state=answer.state.name if answer.state else None,
        vpc_id=answer.vpc_id or None,
        subnet_id=answer.subnet_id or None,
        interface_ids=tuple(dict.fromkeys(item.network_interface_id for item in interfaces)),
        tags=tags_of(answer.tags),
    )


def _device(item: answers.NetworkInterfaceAnswer) -> tuple[bool, int]:
    """Its place among the instance's interfaces; those of which it is not said come last, as described."""
    index = item.attachment.device_index if item.attachment else None
    return index is None, index or 0


def elastic_address(answer: answers.AddressAnswer, scope: Scope) -> ElasticAddress | None:
    """An Elastic IP; None for an address that is not a public IPv4 one (carrier and customer-owned addresses)."""
    if not answer.public_ip:
        return None
    private = answer.private_ip_address
    return ElasticAddress(
        public_address=ipv4_address(answer.public_ip, "PublicIp"),
        allocation_id=answer.allocation_id or None,
        interface_id=answer.network_interface_id or None,
        private_address=ipv4_address(private, "PrivateIpAddress") if private else None,
        region=scope.region,
    )


def _attached(items: list[answers.VpcAttachment] | None) -> tuple[str, ...]:
    found = {item.vpc_id for item in items or () if item.vpc_id and item.state in (None, "", "available", "attached")}
    return tuple(sorted(found))


def internet_gateway(answer: answers.InternetGatewayAnswer, scope: Scope) -> Gateway:
    """An internet gateway and the VPCs it is attached to."""
    vpc_ids, owner = _attached(answer.attachments), answer.owner_id or None
    return Gateway(answer.internet_gateway_id, vpc_ids, scope.region, owner, tags_of(answer.tags))


def egress_only_internet_gateway(answer: answers.EgressOnlyInternetGatewayAnswer, scope: Scope) -> Gateway:
    """An egress-only internet gateway and the VPCs it is attached to."""
    vpc_ids = _attached(answer.attachments)
    return Gateway(answer.egress_only_internet_gateway_id, vpc_ids, scope.region, None, tags_of(answer.tags))


def vpn_gateway(answer: answers.VpnGatewayAnswer, scope: Scope) -> Gateway:
    """A virtual private gateway and the VPCs it is attached to."""
    region = scope.region or region_of(answer.availability_zone)
    return Gateway(answer.vpn_gateway_id, _attached(answer.vpc_attachments), region, None, tags_of(answer.tags))


def block_options(answer: answers.BlockOptionsAnswer, scope: Scope) -> BlockPublicAccessOptions:
    """The Block Public Access mode of an account in a Region (BP-01)."""
    if answer.internet_gateway_block_mode not in _BLOCK_MODES:
        expected = f"one of {', '.join(_BLOCK_MODES)}"
        raise BadValueError(answer.internet_gateway_block_mode, expected, "InternetGatewayBlockMode")
    region, account = answer.aws_region or scope.region, answer.aws_account_id or scope.account
    return BlockPublicAccessOptions(answer.internet_gateway_block_mode, region, account)


def block_exclusion(answer: answers.BlockExclusionAnswer, scope: Scope) -> BlockPublicAccessExclusion:
    """A VPC or subnet excluded from Block Public Access (BP-05)."""
    mode = answer.internet_gateway_exclusion_mode
    if mode not in _EXCLUSION_MODES:
        raise BadValueError(mode, f"one of {', '.join(_EXCLUSION_MODES)}", "InternetGatewayExclusionMode")
    resource_id = answer.resource_arn.rsplit("/", 1)[-1]
    if not resource_id.startswith(("vpc-", "subnet-")):
        raise BadValueError(answer.resource_arn, "the ARN of a VPC or a subnet", "ResourceArn")
    return BlockPublicAccessExclusion(resource_id, mode, answer.state or None)
