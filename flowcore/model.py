"""The network as frozen records in AWS's words, with its references resolved once.

An id (`vpc-…`, `eni-…`) is a key by itself; an address is a key only together with its VPC, because two VPCs
may share a CIDR. Optional fields are None where the description does not say. Nothing here judges a flow:
the readings shared by `explain` and `compile` are only which record belongs to which (RT-01, NA-01, IG-05).
A little longer than other files: one record after the other, and the network that holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any

from .display import Displayed
from .model_between import (
    EDGE_ATTACHMENTS,
    WORKING_STATES,
    AttachmentKind,
    BlockPublicAccessExclusion,
    BlockPublicAccessOptions,
    IPAddress,
    IPNetwork,
    Listener,
    ListenerRule,
    LoadBalancer,
    NatGateway,
    NatGatewayAddress,
    Target,
    TargetGroup,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
    VpcEndpoint,
    VpcPeeringConnection,
    VpnConnection,
    is_working,
)

#: Interface types a packet may start from only by rules that are not modelled: what AWS's machines send of themselves.
UNMODELLED_SOURCE_TYPES = frozenset({"transit_gateway", "gateway_load_balancer", "gateway_load_balancer_endpoint"})

#: Interface types that tell of further ways into their VPC. By Global Accelerator a client comes with its own address.
OTHER_WAYS_IN = UNMODELLED_SOURCE_TYPES | {"global_accelerator_managed"}

#: Interface types where a flow does not simply end: docs/semantics.md, 6.1 and 6.9.
LONG_DESTINATION_TYPES = frozenset(
    {
        "nat_gateway",
        "load_balancer",
        "classic_load_balancer",
        "network_load_balancer",
        "transit_gateway",
        "gateway_load_balancer",
        "gateway_load_balancer_endpoint",
    }
)


#: Stands for the VPC of a group at the other end of a peering connection that is not described. No interface is in it.
UNDESCRIBED_VPC = "vpc-undescribed"


class RouteTarget:
    """Kinds of route target (RT-16), as plain strings."""

    LOCAL = "local"
    INTERNET_GATEWAY = "internet-gateway"
    EGRESS_ONLY_INTERNET_GATEWAY = "egress-only-internet-gateway"
    NAT_GATEWAY = "nat-gateway"
    NETWORK_INTERFACE = "network-interface"
    TRANSIT_GATEWAY = "transit-gateway"
    VPC_PEERING_CONNECTION = "vpc-peering-connection"
    VIRTUAL_PRIVATE_GATEWAY = "virtual-private-gateway"
    GATEWAY_ENDPOINT = "gateway-endpoint"
    GATEWAY_LOAD_BALANCER_ENDPOINT = "gateway-load-balancer-endpoint"
    CARRIER_GATEWAY = "carrier-gateway"
    LOCAL_GATEWAY = "local-gateway"
    CORE_NETWORK = "core-network"
    ODB_NETWORK = "odb-network"
    UNKNOWN = "unknown"


#: Route target kind -> the `path` a flow takes through it.
TARGET_PATHS: Mapping[str, str] = MappingProxyType(
    {
        RouteTarget.LOCAL: "vpc",
        RouteTarget.INTERNET_GATEWAY: "internet",
        RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY: "internet",
        RouteTarget.NAT_GATEWAY: "nat",
        RouteTarget.NETWORK_INTERFACE: "appliance",
        RouteTarget.TRANSIT_GATEWAY: "transit-gateway",
        RouteTarget.VPC_PEERING_CONNECTION: "peering",
        RouteTarget.VIRTUAL_PRIVATE_GATEWAY: "vpn",
        RouteTarget.GATEWAY_ENDPOINT: "gateway-endpoint",
        RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT: "gateway-load-balancer",
        RouteTarget.CARRIER_GATEWAY: "carrier-gateway",
        RouteTarget.LOCAL_GATEWAY: "local-gateway",
        RouteTarget.CORE_NETWORK: "core-network",
        RouteTarget.ODB_NETWORK: "odb-network",
        RouteTarget.UNKNOWN: "unknown",
    }
)

#: Targets by which traffic can enter a VPC other than by an internet gateway.
WAYS_IN = frozenset(
    {
        RouteTarget.NETWORK_INTERFACE,
        RouteTarget.TRANSIT_GATEWAY,
        RouteTarget.VIRTUAL_PRIVATE_GATEWAY,
        RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT,
        RouteTarget.CARRIER_GATEWAY,
        RouteTarget.LOCAL_GATEWAY,
        RouteTarget.CORE_NETWORK,
        RouteTarget.ODB_NETWORK,
        RouteTarget.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Vpc:
    vpc_id: str
    cidr_blocks: tuple[IPv4Network, ...] = ()
    """IPv4 CIDRs in state associated; the primary one first."""
    ipv6_cidr_blocks: tuple[IPv6Network, ...] = ()
    private_ipv6_cidr_blocks: tuple[IPv6Network, ...] = ()
    """Those of `ipv6_cidr_blocks` whose Ipv6AddressAttribute is private: never advertised on the internet."""
    region: str | None = None
    owner_id: str | None = None
    is_default: bool = False
    internet_gateway_block_mode: str | None = None
    """BlockPublicAccessStates.InternetGatewayBlockMode (BP-01)."""
    described: bool = True
    """False: only named by other records; made up so that they have a VPC."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def blocks(self) -> tuple[IPNetwork, ...]:
        """All its CIDRs, IPv4 first."""
        return (*self.cidr_blocks, *self.ipv6_cidr_blocks)


@dataclass(frozen=True, slots=True)
class Subnet:
    subnet_id: str
    vpc_id: str
    cidr_block: IPv4Network | None = None
    ipv6_cidr_blocks: tuple[IPv6Network, ...] = ()
    availability_zone: str | None = None
    availability_zone_id: str | None = None
    internet_gateway_block_mode: str | None = None
    region: str | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `destination` is a network, or a prefix list id (`pl-…`)."""

    destination: IPNetwork | str
    target_kind: str
    target_id: str
    blackhole: bool = False
    propagated: bool = False
    """Origin EnableVgwRoutePropagation or Advertisement (RT-15)."""


@dataclass(frozen=True, slots=True)
class RouteTable:
    route_table_id: str
    vpc_id: str
    routes: tuple[Route, ...] = ()
    """As described, `State=filtered` left out (RT-14). Local routes may be missing: see `Network.routes_of`."""
    main: bool = False
    subnet_ids: tuple[str, ...] = ()
    """Explicitly associated subnets, state associated (RT-02)."""
    gateway_ids: tuple[str, ...] = ()
    """Gateways whose incoming traffic uses this table (RT-20)."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetworkAclEntry:
    rule_number: int
    egress: bool
    protocol: int
    """-1: all."""
    allow: bool
    cidr_block: IPNetwork
    from_port: int | None = None
    to_port: int | None = None
    icmp_type: int | None = None
    """-1 or None: all types (NA-08)."""
    icmp_code: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    network_acl_id: str
    vpc_id: str
    entries: tuple[NetworkAclEntry, ...] = ()
    """In evaluation order: ascending rule number (NA-02)."""
    is_default: bool = False
    subnet_ids: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """One rule with exactly one remote (SG-05): `cidr_block`, `prefix_list_id` or `referenced_group_id`."""

    rule_id: str
    """`sgr-…`; where the description has none, `sg-…:in:tcp:443-443:10.0.0.0/8` made from the rule itself."""
    group_id: str
    egress: bool
    protocol: int
    """-1: all protocols."""
    from_port: int | None = None
    """tcp, udp: first port; icmp: type or -1. None: all."""
    to_port: int | None = None
    """tcp, udp: last port, inclusive; icmp: code or -1. None: all."""
    cidr_block: IPNetwork | None = None
    prefix_list_id: str | None = None
    referenced_group_id: str | None = None
    referenced_vpc_id: str | None = None
    """VPC of the referenced group, where the description names it, or the other end of `peering_id`. UNDESCRIBED_VPC:
    at the other end of a peering connection that is not described."""
    peering_id: str | None = None
    """VpcPeeringConnectionId of the reference: AWS names it, and no VPC, for a group of another account."""
    peering_status: str | None = None
    """PeeringStatus of the reference; anything but active means stale (SG-26)."""
    description: str | None = None
    certain: bool = True
    """False: two answers disagree whether the group has it; what only it matches is UNKNOWN."""


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    group_id: str
    vpc_id: str | None = None
    group_name: str | None = None
    rules: tuple[SecurityGroupRule, ...] = ()
    """Sorted by rule_id: of several matching rules the first is named (SG-01 knows no order)."""
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    associated_vpc_ids: tuple[str, ...] = ()
    """Further VPCs whose interfaces may carry it (SG-27)."""
    ingress_described: bool = True
    """False: it may have further inbound rules that are not described."""
    egress_described: bool = True

    def is_described(self, egress: bool) -> bool:
        """Whether all its rules of a direction are described."""
        return self.egress_described if egress else self.ingress_described


@dataclass(frozen=True, slots=True)
class PrefixList:
    prefix_list_id: str
    cidr_blocks: tuple[IPNetwork, ...] | None = None
    """None: the list is described, its entries are not."""
    address_family: int | None = None
    """4 or 6 where described."""
    name: str | None = None
    owner_id: str | None = None
    max_entries: int | None = None
    """How many entries a customer's list may have: what rules and routes with it count for in quotas (RT-24)."""


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    address: IPAddress
    primary: bool = False
    public_address: IPv4Address | None = None
    """Public or Elastic IP mapped 1:1 to this private IPv4 (IG-05)."""


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    interface_id: str
    vpc_id: str | None = None
    subnet_id: str | None = None
    interface_type: str = "interface"
    """Lower-case with underscores: interface, nat_gateway, load_balancer (Application), classic_load_balancer,
    network_load_balancer, …"""
    addresses: tuple[InterfaceAddress, ...] = ()
    prefixes: tuple[IPNetwork, ...] = ()
    """Delegated prefixes (EN-02)."""
    group_ids: tuple[str, ...] | None = None
    """(): not filtered by groups (SG-63). None: the description does not say."""
    source_dest_check: bool = True
    requester_managed: bool = False
    status: str | None = None
    availability_zone: str | None = None
    instance_id: str | None = None
    deny_all_igw_traffic: bool = False
    description: str | None = None
    region: str | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def detached(self) -> bool:
        """A customer's interface that is attached to nothing (EN-03)."""
        return not self.requester_managed and self.status not in (None, "in-use", "associated")

    def holds(self, address: IPAddress) -> bool:
        """Whether `address` is one of the interface's own (EN-02)."""
        return any(own.address == address for own in self.addresses) or any(
            address.version == prefix.version and address in prefix for prefix in self.prefixes
        )


@dataclass(frozen=True, slots=True)
class Instance:
    instance_id: str
    state: str | None = None
    vpc_id: str | None = None
    subnet_id: str | None = None
    interface_ids: tuple[str, ...] = ()
    """By device index, as far as described: the first one is the primary interface."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gateway:
    """An internet gateway, egress-only internet gateway or virtual private gateway."""

    gateway_id: str
    vpc_ids: tuple[str, ...] = ()
    """VPCs it is attached to, state available or attached."""
    region: str | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ElasticAddress:
    public_address: IPv4Address
    allocation_id: str | None = None
    interface_id: str | None = None
    private_address: IPv4Address | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Issue:
    """Something of the description that was not understood, is dangling, missing or not modelled."""

    severity: str
    """error: part of the description was left out; warning: some flows will be UNKNOWN; note: for information."""
    code: str
    """dangling-reference, missing-file, unknown-key, not-modelled, incomplete, duplicate, invalid-value, state,
    conflict, assumed-default; of a plan also partial-plan, not-in-snapshot, ambiguous-reference, known-after-apply,
    drift. docs/snapshots.md and docs/terraform.md explain each."""
    resource: str
    message: str
    source: str = ""
    """File, and the JSON path in it."""


def _by_id() -> Any:
    return field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Network(Displayed):
    """A described network. Every mapping is keyed by id and read-only; compare two networks with `==`."""

    vpcs: Mapping[str, Vpc] = _by_id()
    subnets: Mapping[str, Subnet] = _by_id()
    route_tables: Mapping[str, RouteTable] = _by_id()
    network_acls: Mapping[str, NetworkAcl] = _by_id()
    security_groups: Mapping[str, SecurityGroup] = _by_id()
    prefix_lists: Mapping[str, PrefixList] = _by_id()
    interfaces: Mapping[str, NetworkInterface] = _by_id()
    instances: Mapping[str, Instance] = _by_id()
    internet_gateways: Mapping[str, Gateway] = _by_id()
    egress_only_internet_gateways: Mapping[str, Gateway] = _by_id()
    vpn_gateways: Mapping[str, Gateway] = _by_id()
    elastic_addresses: tuple[ElasticAddress, ...] = ()
    peering_connections: Mapping[str, VpcPeeringConnection] = _by_id()
    nat_gateways: Mapping[str, NatGateway] = _by_id()
    transit_gateways: Mapping[str, TransitGateway] = _by_id()
    transit_gateway_attachments: Mapping[str, TransitGatewayAttachment] = _by_id()
    transit_gateway_route_tables: Mapping[str, TransitGatewayRouteTable] = _by_id()
    vpn_connections: Mapping[str, VpnConnection] = _by_id()
    vpc_endpoints: Mapping[str, VpcEndpoint] = _by_id()
    load_balancers: Mapping[str, LoadBalancer] = _by_id()
    target_groups: Mapping[str, TargetGroup] = _by_id()
    nat_instances: frozenset[str] = frozenset()
    """Interfaces that the user says translate sources to their own address; AWS's description cannot know."""
    block_public_access: tuple[BlockPublicAccessOptions, ...] = ()
    block_public_access_exclusions: tuple[BlockPublicAccessExclusion, ...] = ()
    described_keys: frozenset[str] = frozenset()
    """Top-level keys the description held, e.g. "InternetGateways"."""
    partly_described: frozenset[tuple[str, str]] = frozenset()
    """(top-level key, id) where not all of a VPC's or transit gateway's records under that key are described: pages
    are missing, or records do not say what they belong to. What is not described is then not known, instead of absent:
    NetworkAcls, RouteTables, InternetGateways of a VPC; TransitGatewayAttachments, TransitGatewayRouteTables of a
    transit gateway."""
    other: Mapping[str, tuple[Any, ...]] = _by_id()
    """Described but not modelled yet: top-level key -> its records as read."""
    issues: tuple[Issue, ...] = ()

    def __repr__(self) -> str:
        rules = sum(len(group.rules) for group in self.security_groups.values())
        return (
            f"<Network: {len(self.vpcs)} VPCs, {len(self.subnets)} subnets, {len(self.interfaces)} interfaces, "
            f"{len(self.security_groups)} security groups with {rules} rules, {len(self.network_acls)} network ACLs, "
            f"{len(self.route_tables)} route tables, {len(self.issues)} issues>"
        )

    # -- which record belongs to which ------------------------------------------------------------------

    @cached_property
    def _subnet_acls(self) -> dict[str, str]:
        return {s: acl.network_acl_id for acl in self.network_acls.values() for s in acl.subnet_ids}

    @cached_property
    def _default_acls(self) -> dict[str, str]:
        found = {acl.vpc_id: acl.network_acl_id for acl in self.network_acls.values() if acl.is_default}
        return {vpc_id: acl for vpc_id, acl in found.items() if ("NetworkAcls", vpc_id) not in self.partly_described}

    @cached_property
    def _subnet_tables(self) -> dict[str, str]:
        return {s: table.route_table_id for table in self.route_tables.values() for s in table.subnet_ids}

    @cached_property
    def _main_tables(self) -> dict[str, str]:
        found = {table.vpc_id: table.route_table_id for table in self.route_tables.values() if table.main}
        return {vpc_id: main for vpc_id, main in found.items() if ("RouteTables", vpc_id) not in self.partly_described}

    @cached_property
    def _gateway_tables(self) -> dict[str, str]:
        return {g: table.route_table_id for table in self.route_tables.values() for g in table.gateway_ids}

    def acl_of(self, subnet_id: str | None, vpc_id: str | None) -> NetworkAcl | None:
        """The ACL of a subnet: its association, else the VPC's default (NA-01). None: not described, or the subnet has
        no association while the VPC's ACLs are described in part: another one may have it."""
        if subnet_id is None:
            return None
        acl_id = self._subnet_acls.get(subnet_id) or self._default_acls.get(vpc_id or "")
        return self.network_acls[acl_id] if acl_id else None

    def route_table_of(self, subnet_id: str | None, vpc_id: str | None) -> RouteTable | None:
        """The route table of a subnet: its association, else the VPC's main table (RT-01). None: not described, or the
        subnet has no association while the VPC's tables are described in part: another one may have it."""
        if subnet_id is None:
            return None
        table_id = self._subnet_tables.get(subnet_id) or self._main_tables.get(vpc_id or "")
        return self.route_tables[table_id] if table_id else None

    def gateway_route_table(self, gateway_id: str) -> RouteTable | None:
        """The table that traffic entering through a gateway uses (RT-20), if it has one."""
        table_id = self._gateway_tables.get(gateway_id)
        return self.route_tables[table_id] if table_id else None

    def routes_of(self, table: RouteTable) -> tuple[Route, ...]:
        """The table's routes, with the local route of each VPC CIDR the description left out (RT-09).

        A VPC CIDR that is the destination of a static route already has its (replaced) local route.
        """
        vpc = self.vpcs.get(table.vpc_id)
        if vpc is None:
            return table.routes
        present = {route.destination for route in table.routes if not route.propagated}
        missing = [cidr for cidr in vpc.blocks if cidr not in present]
        return (*table.routes, *(Route(cidr, RouteTarget.LOCAL, "local") for cidr in missing))

    @cached_property
    def members(self) -> Mapping[str, tuple[NetworkInterface, ...]]:
        """Security group id -> the interfaces that carry it, described group or not (SG-20)."""
        found: dict[str, list[NetworkInterface]] = {}
        for interface in self.interfaces.values():
            for group_id in interface.group_ids or ():
                found.setdefault(group_id, []).append(interface)
        return {group_id: tuple(interfaces) for group_id, interfaces in found.items()}

    @cached_property
    def untold_members(self) -> tuple[NetworkInterface, ...]:
        """The interfaces whose groups are not described: each may carry any group (SG-20)."""
        return tuple(interface for interface in self.interfaces.values() if interface.group_ids is None)

    @cached_property
    def peers(self) -> Mapping[str, frozenset[str]]:
        """VPC id -> VPCs it is peered with, active and in the same Region: group references may name them (SG-22)."""
        found: dict[str, set[str]] = {}
        for peering in self.peering_connections.values():
            ends = peering.requester_vpc_id, peering.accepter_vpc_id
            if peering.status != "active" or None in ends or peering.requester_region != peering.accepter_region:
                continue
            found.setdefault(str(ends[0]), set()).add(str(ends[1]))
            found.setdefault(str(ends[1]), set()).add(str(ends[0]))
        return {vpc_id: frozenset(others) for vpc_id, others in found.items()}

    @cached_property
    def vpcs_with_other_ways_in(self) -> frozenset[str]:
        """VPCs that traffic from outside can enter other than by an internet gateway: not by NAT gateways (NG-05) or
        peering (PX-03), but by Network Load Balancers that keep a client's address, even for a peer (NL-07), and by
        Global Accelerator, which keeps it as well."""
        found = {
            table.vpc_id
            for table in self.route_tables.values()
            for route in table.routes
            if route.target_kind in WAYS_IN
        }
        found.update(vpc_id for gateway in self.vpn_gateways.values() for vpc_id in gateway.vpc_ids)
        kinds = {(interface.interface_type, interface.vpc_id) for interface in self.interfaces.values()}
        keeping = {vpc_id for kind, vpc_id in kinds if vpc_id and kind == "network_load_balancer"}
        found.update(keeping, (vpc_id for kind, vpc_id in kinds if vpc_id and kind in OTHER_WAYS_IN))
        for peering in self.peering_connections.values():
            ends = peering.requester_vpc_id, peering.accepter_vpc_id
            if peering.status == "active" and keeping.intersection(ends):
                found.update(end for end in ends if end)
        return frozenset(found)

    @cached_property
    def attachments_of(self) -> Mapping[tuple[str, str], TransitGatewayAttachment]:
        """(transit gateway id, VPC id) -> the VPC's attachment to it; of several (deleted ones stay listed) a
        working one, then the last by id."""
        found = [each for each in self.transit_gateway_attachments.values() if each.kind == AttachmentKind.VPC]
        found.sort(key=lambda each: (is_working(each.state), each.attachment_id))
        return {(each.transit_gateway_id, str(each.resource_id)): each for each in found}

    @cached_property
    def _attachment_tables(self) -> dict[tuple[str, str], str]:
        return {
            (table.transit_gateway_id, attachment_id): table.route_table_id
            for table in self.transit_gateway_route_tables.values()
            for attachment_id in table.attachment_ids or ()
        }

    def transit_gateway_table_of(self, transit_gateway_id: str, attachment_id: str) -> TransitGatewayRouteTable | None:
        """The table that packets entering by an attachment use (TG-02). None: not associated, or not described."""
        table_id = self._attachment_tables.get((transit_gateway_id, attachment_id))
        return self.transit_gateway_route_tables[table_id] if table_id else None

    @cached_property
    def load_balancer_of(self) -> Mapping[str, LoadBalancer]:
        """Interface id of a node -> its load balancer."""
        return {node: balancer for balancer in self.load_balancers.values() for node in balancer.interface_ids}

    @cached_property
    def internet_gateway_of(self) -> Mapping[str, str]:
        """VPC id -> the id of the described internet gateway attached to it (IG-12: at most one)."""
        return {vpc_id: gateway.gateway_id for gateway in self.internet_gateways.values() for vpc_id in gateway.vpc_ids}

    @cached_property
    def vpcs_with_undescribed_internet_gateway(self) -> frozenset[str]:
        """VPCs without a described internet gateway that may have one all the same.

        Either no internet gateways were described at all, or not all that the VPC may have, or an active route names
        one that was not.
        """
        without = set(self.vpcs) - set(self.internet_gateway_of)
        if "InternetGateways" not in self.described_keys:
            return frozenset(without)
        named = {
            table.vpc_id
            for table in self.route_tables.values()
            for route in table.routes
            if route.target_kind == RouteTarget.INTERNET_GATEWAY
            and not route.blackhole
            and route.target_id not in self.internet_gateways
        }
        named |= {vpc_id for key, vpc_id in self.partly_described if key == "InternetGateways"}
        return frozenset(without & named)

    def block_mode_of(self, subnet_id: str | None, vpc_id: str | None) -> str:
        """The VPC Block Public Access mode that holds for a subnet, exclusions not yet counted (BP-01)."""
        subnet, vpc = self.subnets.get(subnet_id or ""), self.vpcs.get(vpc_id or "")
        for record in (subnet, vpc):
            if record is not None and record.internet_gateway_block_mode:
                return record.internet_gateway_block_mode
        region = (subnet or vpc).region if (subnet or vpc) else None  # type: ignore[union-attr]
        account = vpc.owner_id if vpc else None
        modes = [  # where the VPC does not say its Region or account, any may be meant: what blocks goes first
            options.mode
            for options in self.block_public_access
            if (options.region is None or region in (None, options.region))
            and (options.account is None or account in (None, options.account))
        ]
        return next((mode for mode in modes if mode != "off"), "off") if region is None else (modes or ["off"])[0]

    def block_exclusion_of(self, subnet_id: str | None, vpc_id: str | None) -> str | None:
        """The mode of the exclusion that covers a subnet, its own before its VPC's, or `not-described` (BP-05)."""
        active = {
            exclusion.resource_id: exclusion.mode
            for exclusion in self.block_public_access_exclusions
            if exclusion.state in (None, "create-complete", "update-complete")  # [inf] in BP-05
        }
        none = None if "VpcBlockPublicAccessExclusions" in self.described_keys else "not-described"
        return active.get(subnet_id or "") or active.get(vpc_id or "") or none

    def with_issues(self, issues: Iterable[Issue]) -> Network:
        """The same network with `issues` added."""
        return replace(self, issues=(*self.issues, *issues))


__all__ = [
    "EDGE_ATTACHMENTS",
    "LONG_DESTINATION_TYPES",
    "TARGET_PATHS",
    "UNDESCRIBED_VPC",
    "UNMODELLED_SOURCE_TYPES",
    "WAYS_IN",
    "WORKING_STATES",
    "AttachmentKind",
    "BlockPublicAccessExclusion",
    "BlockPublicAccessOptions",
    "ElasticAddress",
    "Gateway",
    "IPAddress",
    "IPNetwork",
    "Instance",
    "InterfaceAddress",
    "Issue",
    "Listener",
    "ListenerRule",
    "LoadBalancer",
    "NatGateway",
    "NatGatewayAddress",
    "Network",
    "NetworkAcl",
    "NetworkAclEntry",
    "NetworkInterface",
    "PrefixList",
    "Route",
    "RouteTable",
    "RouteTarget",
    "SecurityGroup",
    "SecurityGroupRule",
    "Subnet",
    "Target",
    "TargetGroup",
    "TransitGateway",
    "TransitGatewayAttachment",
    "TransitGatewayRoute",
    "TransitGatewayRouteTable",
    "Vpc",
    "VpcEndpoint",
    "VpcPeeringConnection",
    "VpnConnection",
    "is_working",
]
