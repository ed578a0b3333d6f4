"""What stands between two interfaces, as tables for `kernels_long` (docs/semantics.md, section 6).

Addresses that nothing in between tells apart are one *between class*: a transit gateway's table, a gateway's table, the
CIDRs of a VPC are one row each over these classes. Places are subnets; places, gateways and attachments are numbers.
Longer than other files: the tables are written in the order in which `kernels_long` names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_network
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from . import kernels_long as kl
from .addresses import AddressAxis
from .compile_balancers import BalancerPlan
from .compile_layout import Parts, VpcPlan, port_classes_of, profile_place
from .compile_nodes import AddressSpace, Nodes, classes_of, closed_interfaces, is_classic, private_ipv6
from .compile_policies import Atoms, deny, random_keys, unsure
from .compile_routes import ACTIVE, KINDS, outcome_tables, route_label, winners
from .compile_transit import TransitPlan, Zones
from .kernels_long import LongTables
from .model import (
    LONG_DESTINATION_TYPES,
    NatGatewayAddress,
    Network,
    NetworkInterface,
    RouteTable,
    RouteTarget,
    is_working,
)
from .schema import STAGE_BITS

Array = npt.NDArray[Any]

PLAIN_TARGETS = frozenset({RouteTarget.LOCAL, RouteTarget.INTERNET_GATEWAY, RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY})
NAT64 = ip_network("64:ff9b::/96")
DIRECT_CONNECT = ("virtualinterfaces", "directconnectgateways")


def is_long(network: Network) -> bool:
    """Whether any flow may meet something in between, or come by another way than an internet gateway."""
    if network.vpcs_with_other_ways_in or network.load_balancers or network.nat_instances:
        return True
    kinds = {interface.interface_type for interface in network.interfaces.values()}
    if kinds & (LONG_DESTINATION_TYPES | {"vpc_endpoint"}):
        return True
    for table in network.route_tables.values():
        blocks = network.vpcs[table.vpc_id].blocks if table.vpc_id in network.vpcs else ()
        for route in table.routes:
            if route.target_kind not in PLAIN_TARGETS:
                return True
            prefixes = _prefixes_of(network, route) if route.target_kind != RouteTarget.LOCAL else ()
            if any(_inside(prefix, blocks) for prefix in prefixes):
                return True
    if any(not _is_at_home(network, interface) for interface in network.interfaces.values()):
        return True  # no local route leads there
    in_vpcs = {
        interface.vpc_id
        for interface in network.interfaces.values()
        if any(own.address.version == 6 for own in interface.addresses)
        or any(prefix.version == 6 for prefix in interface.prefixes)
    }
    return len(in_vpcs - {None}) > 1


def _inside(prefix: Any, blocks: Iterable[Any]) -> bool:
    return any(block.version == prefix.version and prefix.subnet_of(block) for block in blocks)


def _is_at_home(network: Network, interface: NetworkInterface) -> bool:
    """Whether all its addresses lie in the CIDRs of its VPC."""
    if interface.vpc_id is None:
        return True
    vpc = network.vpcs.get(interface.vpc_id)
    blocks = vpc.blocks if vpc else ()
    held = all(_inside(prefix, blocks) for prefix in interface.prefixes)
    return held and all(any(own.address in block for block in blocks) for own in interface.addresses)


def _prefixes_of(network: Network, route: Any) -> tuple[Any, ...]:
    """What a route's destination covers, as far as described."""
    if not isinstance(route.destination, str):
        return (route.destination,)
    listed = network.prefix_lists.get(route.destination)
    return (listed.cidr_blocks if listed else None) or ()


def block_stops(network: Network, subnet_id: str | None, vpc_id: str | None) -> tuple[bool, bool, bool, bool]:
    """What VPC Block Public Access stops at a subnet (BP-01...06): (out by an internet gateway, out by one opened by a
    NAT gateway, out by an egress-only gateway, in). Where `block_unsure`, it may stop that."""
    mode, exclusion = network.block_mode_of(subnet_id, vpc_id), network.block_exclusion_of(subnet_id, vpc_id)
    if mode not in ("block-bidirectional", "block-ingress") or exclusion == "allow-bidirectional":
        return False, False, False, False
    if mode == "block-bidirectional":
        out = exclusion != "allow-egress"
        return out, out, out, True
    return True, False, False, True  # BP-03


def block_unsure(network: Network, subnet_id: str | None, vpc_id: str | None) -> bool:
    """Whether a subnet may be excluded from Block Public Access, for exclusions are not described (BP-05)."""
    return network.block_exclusion_of(subnet_id, vpc_id) == "not-described"


@dataclass(frozen=True)
class Layout:
    """What the rest of the compiler made, for the long tables to point into."""

    space: AddressSpace
    nodes: Nodes
    vpcs: list[VpcPlan]
    parts: Parts
    node_rows: Array
    party_class: Array
    labels: dict[str, int]
    group_port: Array
    acl_port: Array
    standing_for: Sequence[int] = ()
    """Further labels, after those of `labels`: the label each stands for, -1 none."""


class LongPlan:
    """Everything in between, collected before addresses are cut; `tables` makes the arrays."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.transit = TransitPlan(network)
        self.balancers = BalancerPlan(network)
        self.places: dict[tuple[str | None, str], int] = {}
        self._collect_places()
        self.vpc_ids = {vpc_id for _, vpc_id in self.places}
        for vpc_id in sorted(self.vpc_ids):
            self._place(None, vpc_id)
        kinds = {balancer.kind for balancer in network.load_balancers.values()}
        self.parties = 4 if "network" in kinds else 3
        self.extra_tables = self._find_extra_tables()

    # -- before the axis is cut --------------------------------------------------------------------------

    def _place(self, subnet_id: str | None, vpc_id: str | None) -> int:
        """Number of a subnet in a VPC; 0: no VPC."""
        return self.places.setdefault((subnet_id, vpc_id), len(self.places) + 1) if vpc_id else 0

    def _collect_places(self) -> None:
        network = self.network
        for interface in network.interfaces.values():
            self._place(interface.subnet_id, interface.vpc_id)
        for subnet in network.subnets.values():
            self._place(subnet.subnet_id, subnet.vpc_id)
        for nat in network.nat_gateways.values():
            self._place(nat.subnet_id, nat.vpc_id)
        for endpoint in network.vpc_endpoints.values():
            self._place(self.endpoint_subnet(endpoint), endpoint.vpc_id)
        for attachment in network.transit_gateway_attachments.values():
            if attachment.kind == "vpc" and attachment.resource_id:
                for subnet_id in (None, *(attachment.subnet_ids or ())):
                    self._place(subnet_id, attachment.resource_id)
        for peering in network.peering_connections.values():
            for vpc_id in (peering.requester_vpc_id, peering.accepter_vpc_id):
                self._place(None, vpc_id)
        for table in network.route_tables.values():
            self._place(None, table.vpc_id)

    def endpoint_subnet(self, endpoint: Any) -> str | None:
        """The subnet of a Gateway Load Balancer endpoint: of its one interface, else its first."""
        own = [self.network.interfaces[i] for i in endpoint.interface_ids if i in self.network.interfaces]
        if len(own) == 1 and own[0].subnet_id:
            return own[0].subnet_id
        return endpoint.subnet_ids[0] if endpoint.subnet_ids else None

    def _find_extra_tables(self) -> dict[str, int]:
        """Route tables asked about by gateways: those of internet and virtual private gateways, regional NAT's own."""
        network = self.network
        found = [network.gateway_route_table(gateway_id) for gateway_id in network.internet_gateway_of.values()]
        found += [network.gateway_route_table(gateway_id) for gateway_id in network.vpn_gateways]
        found += [network.route_tables.get(nat.route_table_id or "") for nat in network.nat_gateways.values()]
        return {table_id: n for n, table_id in enumerate(dict.fromkeys(t.route_table_id for t in found if t))}

    def prefixes(self) -> Iterable[Any]:
        """Networks that the axis of addresses must be cut at."""
        yield NAT64
        for peering in self.network.peering_connections.values():
            yield from (*peering.requester_cidr_blocks, *peering.accepter_cidr_blocks)
        for connection in self.network.vpn_connections.values():
            yield from connection.destinations
        yield from self.transit.prefixes()
        yield from self.balancers.prefixes()

    def addresses(self) -> Iterable[Any]:
        """Addresses that the axis must be cut at."""
        for nat in self.network.nat_gateways.values():
            for own in nat.addresses:
                yield from (each for each in (own.private_address, own.public_address) if each is not None)
        yield from self.balancers.preserved

    # -- the axis is cut ---------------------------------------------------------------------------------

    def begin(self, axis: AddressAxis, vpcs: dict[str, int]) -> None:
        """Take over the cut axis; from here on `signatures` tells apart what anything in between tells apart."""
        self.axis, self.vpcs = axis, vpcs
        atoms = Atoms(axis)
        atoms.number("IPv4", lambda: axis.family_span(4))
        atoms.number("internet", axis.internet_spans)
        for prefix in self.prefixes():
            atoms.prefix(prefix)
        for vpc in self.network.vpcs.values():
            for block in vpc.blocks:
                atoms.prefix(block)
        for nat in self.network.nat_gateways.values():
            for own in nat.addresses:
                if own.private_address is not None:
                    atoms.prefix(ip_network(own.private_address))
        for table_id in self.extra_tables:
            for route in self.network.routes_of(self.network.route_tables[table_id]):
                for prefix in _prefixes_of(self.network, route):
                    atoms.prefix(prefix)
        self.signatures = atoms.signatures(random_keys(2, max(len(atoms.spans), 1)))

    def neighbours(self, vpc_id: str) -> frozenset[str]:
        """VPCs whose group members are seen through a transit gateway from `vpc_id`."""
        return self.transit.neighbours.get(vpc_id, frozenset())

    # -- the tables --------------------------------------------------------------------------------------

    def tables(self, layout: Layout) -> tuple[dict[str, Array], dict[Any, int]]:
        """(tables of kernels_long.NUMBERS and WORDS by name, numbers of the header)."""
        self.layout = layout
        nodes = layout.nodes
        self.between, self.representative = classes_of(self.signatures, nodes.representative)
        self.zones = Zones(self.network, self.places)
        n_between = self.representative.size
        self.transit.begin(self.axis, self.representative, self.zones, self.places, self.vpcs)
        balanced, self.listeners = self.balancers.tables(layout.group_port, layout.acl_port, self._mask)
        numbers = {
            "place": self._place_rows(),
            "interface": self._interface_rows(),
            "vpc": self._vpc_rows(),
            "route_outcome": _walk_outcomes(),
            "route_next": self._route_next(),
            **self._nat_tables(),
            **self.transit.tables(),
            **self._peering_tables(),
            **self._private_gateway_tables(),
            "service": self._service_rows(),
            "firewall": self._firewall_rows(),
            **balanced,
            "node_target": self._node_targets(),
            "stage_code": _stage_codes(),
            **self._node_arrays(),
            "party_class": layout.party_class.reshape(-1),
            "node_between": self.between,
            "in_vpc": self._in_vpc(),
            "extra": self._extra_words(),
        }
        counts = {
            kl.H_BETWEEN: n_between,
            kl.H_ZONES: len(self.zones.pairs) + 1,
            kl.H_PARTIES: self.parties - 1,
            kl.H_VPCS: len(self.vpcs) + 1,
            kl.H_NODES: nodes.codes.size,
            kl.H_CONVERSATIONS: len(self.balancers.conversations),
        }
        return numbers, counts

    def _place_rows(self) -> Array:
        rows = np.zeros((len(self.places) + 1, kl.PLACE_WIDTH), np.int64)
        n_nodes = self.layout.nodes.codes.size
        subnets: dict[str, int] = {}
        for (subnet_id, vpc_id), number in self.places.items():
            vpc = self.layout.vpcs[self.vpcs[vpc_id] - 1]
            acl = self.network.acl_of(subnet_id, vpc_id)
            table = self.network.route_table_of(subnet_id, vpc_id)
            pages, columns = profile_place(
                vpc, self.layout.parts, acl.network_acl_id if acl else None, table.route_table_id if table else None
            )
            stops = block_stops(self.network, subnet_id, vpc_id)
            rows[number, kl.P_VPC] = self.vpcs[vpc_id]
            rows[number, kl.P_SUBNET] = subnets.setdefault(subnet_id, len(subnets) + 1) if subnet_id else 0
            rows[number, kl.P_ZONE] = self.zones.of_place(subnet_id)
            rows[number, kl.P_PAGES], rows[number, kl.P_COLUMNS] = pages, columns
            rows[number, kl.P_CLASSES] = self.vpcs[vpc_id] * n_nodes
            rows[number, kl.P_STOPS] = sum(1 << bit for bit, stop in enumerate(stops) if stop)
            rows[number, kl.P_STOPS] |= 16 * block_unsure(self.network, subnet_id, vpc_id)
        return rows.reshape(-1)

    def _interface_rows(self) -> Array:
        interfaces = list(self.network.interfaces.values())
        rows = np.zeros((len(interfaces) + 1, kl.INTERFACE_WIDTH), np.int64)
        closed = closed_interfaces(self.network)
        balancers = {balancer_id: n for n, balancer_id in enumerate(self.network.load_balancers)}
        for row, interface in zip(rows, interfaces, strict=False):
            balancer = self.network.load_balancer_of.get(interface.interface_id)
            row[kl.I_PLACE] = self._place(interface.subnet_id, interface.vpc_id)
            row[kl.I_TYPE] = _type_of(interface, balancer is not None)
            row[kl.I_FLAGS] = (
                kl.F_CHECKED * interface.source_dest_check
                | kl.F_DETACHED * interface.detached
                | kl.F_NO_GATEWAY * interface.deny_all_igw_traffic
                | kl.F_PUBLIC * any(own.public_address is not None for own in interface.addresses)
                | kl.F_CLASSIC * is_classic(self.network, interface)
                | kl.F_UNUSABLE * (interface.interface_id in closed)
                | kl.F_TRANSLATES * (interface.interface_id in self.network.nat_instances)
                | kl.F_ENDPOINT * (interface.interface_type == "vpc_endpoint")
                | kl.F_CARRIES
                * (balancer is not None and not set(balancer.group_ids).isdisjoint(interface.group_ids or ()))
            )
            row[kl.I_BALANCER] = -1 if balancer is None else balancers[balancer.load_balancer_id]
            row[kl.I_PRIMARY] = _primary(interface)
            if balancer is not None:
                row[kl.I_BALANCED], row[kl.I_MISMATCH] = self.balancers.outcome_of(balancer)
        for number, span in self.listeners.items():
            rows[number, kl.I_LISTENERS], rows[number, kl.I_N_LISTENERS] = span
        return rows.reshape(-1)

    def _vpc_rows(self) -> Array:
        network = self.network
        rows = np.zeros((len(self.vpcs) + 1, kl.VPC_WIDTH), np.int64)
        rows[:, kl.V_EDGE] = -1
        with_interfaces = {interface.vpc_id for interface in network.interfaces.values()}
        for vpc_id, number in self.vpcs.items():
            gateway = network.internet_gateway_of.get(vpc_id)
            rows[number, kl.V_EDGE] = self._extra_number(network.gateway_route_table(gateway) if gateway else None)
            if gateway is None:
                unknown = vpc_id in network.vpcs_with_undescribed_internet_gateway
                rows[number, kl.V_ENTER] = unsure("UNKNOWN_RESOURCE") if unknown else deny("NO_PATH")
            rows[number, kl.V_DESCRIBED] = vpc_id in with_interfaces
            rows[number, kl.V_OTHER_WAYS] = vpc_id in network.vpcs_with_other_ways_in
        return rows.reshape(-1)

    def merge_targets(self, numbers: Array, remote_class: Array, conversations: Array) -> None:
        """Fill `merged` in the packed `numbers`: of the targets that a node finds alike only the first is kept.

        Alike: the same conversation; where the client's address is kept, also seen and placed alike.
        """
        layout, network = self.layout, self.network
        views = {int(view): index for index, view in enumerate(layout.space.views)}
        interface_ids = list(network.interfaces)
        for number, (first, count) in self.listeners.items():
            vpc = self.vpcs[str(network.interfaces[interface_ids[number]].vpc_id)]
            of_interval = layout.nodes.of_interval[views[int(layout.space.view_of_vpc[vpc])]]
            classes = remote_class.reshape(-1, layout.nodes.codes.size, 2)[vpc]

            def traits(aim: Array, vpc: int = vpc, of_interval: Array = of_interval, classes: Array = classes) -> Any:
                address = BalancerPlan.address_of(aim)
                node = int(of_interval[layout.space.axis.interval(address)])
                row = layout.node_rows[node]
                if row[k.N_INTERFACE] == k.NULL32 or row[k.N_VPC] & k.VPC_MASK != vpc or aim[kl.M_BALANCER]:
                    return address
                start = int(numbers[kl.OF_INTERFACE]) + int(row[k.N_INTERFACE]) * int(kl.INTERFACE_WIDTH)
                interface = numbers[start : start + int(kl.INTERFACE_WIDTH)]
                if interface[kl.I_TYPE] == kl.T_NODE:
                    return address
                policies = tuple(row[k.N_CLASSES : k.N_EGRESS_COLUMNS + 1].tolist())
                closed = int(interface[kl.I_FLAGS]) & kl.F_UNUSABLE
                seen = *classes[node].tolist(), int(self.between[node])
                return policies, int(interface[kl.I_PLACE]), closed, seen

            self.balancers.merge(numbers, range(first, first + count), conversations, traits)

    def _extra_number(self, table: RouteTable | None) -> int:
        return self.extra_tables[table.route_table_id] if table is not None else -1

    def _node_arrays(self) -> dict[str, Array]:
        space, nodes = self.layout.space, self.layout.nodes
        starts = [space.axis.bounds(interval)[0] for interval in nodes.representative.tolist()]
        public, end = np.full(nodes.codes.size, -1, np.int64), np.full(nodes.codes.size, -1, np.int64)
        public[private_ipv6(self.network, space.axis)[nodes.representative]] = -2
        for node in np.flatnonzero(nodes.endpoint >= 0).tolist():
            interval = space.endpoints[nodes.endpoint[node]].public_interval
            if interval >= 0:
                public[node] = space.axis.bounds(interval)[0]
        view_index = {view: index for index, view in enumerate(space.views)}
        for nat in self.network.nat_gateways.values():
            if nat.vpc_id in self.vpcs:
                of_interval = nodes.of_interval[view_index[int(space.view_of_vpc[self.vpcs[nat.vpc_id]])]]
                for own in nat.addresses:
                    if own.private_address is not None and own.public_address is not None:
                        node = int(of_interval[space.axis.interval(own.private_address)])
                        public[node] = int(own.public_address)
        first = nodes.of_interval[0]
        ends = space.internet_ends(nodes.of_endpoint)
        end[first] = ends
        return {
            "node_low": np.array([start & (1 << 64) - 1 for start in starts], np.uint64),
            "node_high": np.array([start >> 64 for start in starts], np.uint64),
            "node_kind": space.kinds[nodes.representative].astype(np.uint8),
            "node_local": nodes.local.astype(np.uint8),
            "node_public": public,
            "node_end": end,
        }

    def _in_vpc(self) -> Array:
        rows = np.zeros((len(self.vpcs) + 1, self.representative.size), np.uint8)
        for vpc_id, number in self.vpcs.items():
            rows[number] = self._inside(self._blocks(vpc_id))
        return rows.reshape(-1)

    def _inside(self, blocks: tuple[Any, ...]) -> Array:
        """Per between class: 1 in `blocks`, 0 not; 2 where no block is known."""
        return self._mask(blocks).astype(np.uint8) if blocks else np.full(self.representative.size, 2, np.uint8)

    def _node_targets(self) -> Array:
        """uint8[nodes]: whether a target that sees its clients' addresses has one of its own there."""
        space, nodes = self.layout.space, self.layout.nodes
        found = np.zeros(nodes.codes.size, np.uint8)
        for address in self.balancers.preserved:
            for of_interval in nodes.of_interval:
                found[of_interval[space.axis.interval(address)]] = 1
        return found

    def _blocks(self, vpc_id: str | None) -> tuple[Any, ...]:
        vpc = self.network.vpcs.get(vpc_id or "")
        return vpc.blocks if vpc else ()

    def _mask(self, blocks: Iterable[Any]) -> Array:
        """Which between classes lie in `blocks`."""
        return self.axis.mask(blocks)[self.representative]

    def _extra_words(self) -> Array:
        rows = [
            winners(
                self.network, self.network.route_tables[table_id], self.axis, self.representative, self.layout.labels
            )
            for table_id in self.extra_tables
        ]
        return np.concatenate([*rows, np.zeros(1, np.uint32)])

    def _route_next(self) -> Array:
        """int32[labels + 1]: the target of the route that a label names, counted among its kind; -1: not described."""
        network = self.network
        index: dict[str, dict[str, int]] = {
            RouteTarget.NAT_GATEWAY: _numbers(network.nat_gateways),
            RouteTarget.NETWORK_INTERFACE: _numbers(network.interfaces),
            RouteTarget.VPC_PEERING_CONNECTION: _numbers(network.peering_connections),
            RouteTarget.VIRTUAL_PRIVATE_GATEWAY: _numbers(network.vpn_gateways),
            RouteTarget.GATEWAY_ENDPOINT: _numbers(network.vpc_endpoints),
            RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT: _numbers(network.vpc_endpoints),
        }
        found = np.full(len(self.layout.labels) + 1, -1, np.int32)
        rank: dict[int, int] = {}
        for table in network.route_tables.values():
            for route in network.routes_of(table):
                label = self.layout.labels[route_label(table, route)] + 1
                own = 0 if route.propagated else 1
                if rank.get(label, -1) >= own:  # of one destination a static route wins, then the first described
                    continue
                rank[label] = own
                if route.target_kind == RouteTarget.TRANSIT_GATEWAY:
                    found[label] = self.transit.entry(route.target_id, table.vpc_id)
                    continue
                found[label] = index.get(route.target_kind, {}).get(route.target_id, -1)
                if route.target_kind == RouteTarget.VIRTUAL_PRIVATE_GATEWAY:
                    found[label] = 2 * found[label] + route.propagated
        return np.concatenate([found, found[np.array(self.layout.standing_for, np.int64) + 1]])

    def _nat_tables(self) -> dict[str, Array]:
        """NAT gateways, then a row for each zone of the regional ones: the same, with the zone's address (NG-02)."""
        gateways = list(self.network.nat_gateways.values())
        rows = np.zeros((len(gateways), kl.NAT_WIDTH), np.int64)
        zones = np.zeros((len(gateways) + 1, len(self.zones.pairs) + 1), np.int64)
        further: list[Array] = []
        for row, zone_row, nat in zip(rows, zones, gateways, strict=False):
            regional = nat.regional or nat.subnet_id is None
            row[kl.G_VPC] = self.vpcs.get(nat.vpc_id or "", 0)
            row[kl.G_STATE] = 0 if is_working(nat.state) else deny("BAD_STATE")
            row[kl.G_REGIONAL] = regional
            row[kl.G_PLACE] = self._place(None if regional else nat.subnet_id, nat.vpc_id)
            self._set_nat_address(row, nat.addresses, regional)
            own = self.network.route_tables.get(nat.route_table_id or "")
            row[kl.G_TABLE] = self._extra_number(own)
            named = [each.availability_zone for each in nat.addresses if each.availability_zone]
            row[kl.G_ZONES] = regional and bool(named)
            for number, pair in enumerate(self.zones.pairs, 1):
                near = [each for each in nat.addresses if each.availability_zone and each.availability_zone in pair]
                if regional and near:
                    further.append(row.copy())
                    zone_row[number] = len(gateways) + len(further)
                    if any(each.public_address is not None for each in near):
                        self._set_nat_address(further[-1], near, regional)
        empty = np.zeros(kl.NAT_WIDTH, np.int64)
        return {"nat": np.concatenate([rows.reshape(-1), *further, empty]), "nat_zone": zones.reshape(-1)}

    def _set_nat_address(self, row: Array, addresses: Sequence[NatGatewayAddress], regional: bool) -> None:
        """Puts the first usable one of a NAT gateway's addresses into its row."""
        row[kl.G_PRIVATE], row[kl.G_PUBLIC], row[kl.G_INTERFACE] = self._nat_address(addresses, regional)
        if row[kl.G_PRIVATE] >= 0:
            row[kl.G_NODE] = self._node_of(row[kl.G_VPC], IPv4Address(int(row[kl.G_PRIVATE])))

    def _node_of(self, vpc: int, address: IPv4Address) -> int:
        """The node of an address that the axis is cut at, as a VPC sees it."""
        space, view = self.layout.space, int(self.layout.space.view_of_vpc[vpc])
        of_interval = self.layout.nodes.of_interval[list(space.views).index(view)]
        return int(of_interval[space.axis.interval(address)])

    def _nat_address(self, addresses: Sequence[NatGatewayAddress], regional: bool) -> tuple[int, int, int]:
        """(private, public address, interface) of the first usable address; -1: none."""
        interfaces = _numbers(self.network.interfaces)
        for own in addresses:
            usable = own.public_address if regional else own.private_address
            if usable is not None:
                public = int(own.public_address) if own.public_address is not None else -1
                return int(usable), public, interfaces.get(own.interface_id or "", -1)
        return -1, -1, -1

    def _peering_tables(self) -> dict[str, Array]:
        peerings = list(self.network.peering_connections.values())
        rows = np.zeros((len(peerings) + 1, kl.PEERING_WIDTH), np.int64)
        sides = np.zeros((2 * len(rows), self.representative.size), np.uint8)
        for number, peering in enumerate(peerings):
            rows[number, kl.X_NEAR] = peering.requester_region == peering.accepter_region
            rows[number, kl.X_STATE] = 0 if peering.status == "active" else deny("BAD_STATE")
            ends = (
                (peering.requester_vpc_id, peering.requester_cidr_blocks),
                (peering.accepter_vpc_id, peering.accepter_cidr_blocks),
            )
            for side, (vpc_id, blocks) in enumerate(ends):
                rows[number, kl.X_SIDE + side] = self.vpcs.get(vpc_id or "", 0)
                rows[number, kl.X_PLACE + side] = self._place(None, vpc_id)
                sides[2 * number + side] = self._inside((*blocks, *self._blocks(vpc_id)))
        return {"peering": rows.reshape(-1), "peering_side": sides.reshape(-1)}

    def _private_gateway_tables(self) -> dict[str, Array]:
        """Virtual private gateways (VG-01...04)."""
        network = self.network
        gateways = list(network.vpn_gateways.values())
        rows = np.zeros((len(gateways) + 1, kl.PRIVATE_WIDTH), np.int64)
        outcome = np.zeros((len(rows), self.representative.size), np.uint8)
        attached = np.zeros((len(rows), len(self.vpcs) + 1), np.uint8)
        for number, gateway in enumerate(gateways):
            rows[number, kl.W_TABLE] = self._extra_number(network.gateway_route_table(gateway.gateway_id))
            for vpc_id in gateway.vpc_ids:
                attached[number, self.vpcs.get(vpc_id, 0)] = 1
            outcome[number] = self._vpn_outcomes(gateway.gateway_id)
        return {
            "private_gateway": rows.reshape(-1),
            "private_outcome": outcome.reshape(-1),
            "private_attached": attached.reshape(-1),
        }

    def _vpn_outcomes(self, gateway_id: str) -> Array:
        """Per between class: what the VPN connections of a gateway say, where no propagated route leads there."""
        network = self.network
        found = np.zeros(self.representative.size, np.uint8)
        own = [each for each in network.vpn_connections.values() if each.vpn_gateway_id == gateway_id]
        told = {key for key in (*network.described_keys, *network.other) if key.lower() in DIRECT_CONNECT}
        if not own or any(network.other.get(key) for key in told):
            return found
        ipv6 = self.representative >= self.axis.ipv4_size
        available = [each for each in own if is_working(each.state)]
        if available and all(each.static_routes_only for each in available):
            reached = self._mask([block for each in available for block in each.destinations])
            found[~reached] = deny("NO_ROUTE_TO_DESTINATION")
        found[ipv6 if available else slice(None)] = deny("BAD_STATE_VPN")
        if not told:
            found[found != 0] = unsure("UNKNOWN_RESOURCE")
        return found

    def _service_rows(self) -> Array:
        """Endpoints as gateway endpoints; numbered like `firewall`."""
        rows = np.zeros((len(self.network.vpc_endpoints) + 1, kl.SERVICE_WIDTH), np.int64)
        for row, endpoint in zip(rows, self.network.vpc_endpoints.values(), strict=False):
            row[kl.E_VPC] = self.vpcs.get(endpoint.vpc_id or "", 0)
            row[kl.E_STATE] = 0 if is_working(endpoint.state) else deny("BAD_STATE")
        return rows.reshape(-1)

    def _firewall_rows(self) -> Array:
        """Endpoints as Gateway Load Balancer endpoints."""
        rows = np.zeros((len(self.network.vpc_endpoints) + 1, kl.FIREWALL_WIDTH), np.int64)
        for row, endpoint in zip(rows, self.network.vpc_endpoints.values(), strict=False):
            usable = is_working(endpoint.state)
            inspected = unsure("FIREWALL_RULES_RESTRICTION") if endpoint.network_firewall else 0
            row[kl.B_OUTCOME] = inspected if usable else deny("BAD_STATE")
            subnet_id = self.endpoint_subnet(endpoint)
            row[kl.B_PLACE] = self._place(subnet_id, endpoint.vpc_id) if subnet_id else 0
        return rows.reshape(-1)


def _numbers(records: Iterable[str]) -> dict[str, int]:
    return {record_id: number for number, record_id in enumerate(records)}


def _type_of(interface: NetworkInterface, is_node: bool) -> int:
    if interface.interface_type == "nat_gateway":
        return int(kl.T_NAT)
    if interface.interface_type not in LONG_DESTINATION_TYPES:
        return int(kl.T_PLAIN)
    return int(kl.T_NODE if is_node else kl.T_UNSUPPORTED)


def _primary(interface: NetworkInterface) -> int:
    """The primary IPv4 address, or -1."""
    own = [each for each in interface.addresses if isinstance(each.address, IPv4Address)]
    own.sort(key=lambda each: not each.primary)
    return int(own[0].address) if own else -1


def _stage_codes() -> Array:
    codes = np.zeros(32, np.uint8)
    for code, bit in enumerate(STAGE_BITS.values()):
        codes[bit] = code
    return codes


def pack(tables: dict[str, Array], named: dict[str, Array], counts: dict[Any, int]) -> LongTables:
    """All of `named`, and what the long walk asks of `tables`, as two arrays.

    The words of `tables` stand in the new array from then on: each is replaced by its part of it.
    """
    header = np.zeros(kl.HEADER, np.int64)
    for place, count in counts.items():
        header[place] = count
    for number, (kind, reason) in enumerate(kl.SAYINGS):
        header[kl.SAYING + number] = (unsure if kind == "unknown" else deny)(reason)
    _port_numbers(header, tables)
    size = sum(tables[name].size for name in kl.SHARED) + sum(named[name].size for name in kl.WORDS[len(kl.SHARED) :])
    words, used = np.empty(size, np.uint32), 0
    for number, name in enumerate(kl.WORDS):
        own = tables[name] if name in kl.SHARED else named[name]
        header[kl.OF_ROOT + number] = used
        words[used : used + own.size] = own
        if name in kl.SHARED:
            tables[name] = words[used : used + own.size]
        used += own.size
    numbers, used = [header], header.size
    for number, name in enumerate(kl.NUMBERS):
        own = (named[name] if name in named else tables[name]).reshape(-1)
        header[number] = used
        numbers.append(own.view(np.int64) if own.dtype == np.uint64 else own.astype(np.int64))
        used += own.size
    return LongTables(np.concatenate(numbers), words, tables["policy_row"], tables["column"])


def _port_numbers(header: Array, tables: dict[str, Array]) -> None:
    """Port classes that the walk needs by itself."""
    base = int(tables["port_base"][k.ICMP])
    header[kl.H_ACL_PORTS], header[kl.H_PAGED] = tables["acl_classes"][0], tables["column_page"].size > 0
    header[kl.H_TCP_ANY] = port_classes_of(tables, k.TCP_EPHEMERAL)[1]
    header[kl.H_UDP_ANY] = port_classes_of(tables, k.UDP_EPHEMERAL)[1]
    keys = ((kl.H_ECHO, 8 * k.ICMP_CODES), (kl.H_ECHO_REPLY, 0), (kl.H_ECHO_UNKNOWN, k.ICMP_TYPE_UNKNOWN_KEY))
    for place, key in keys:
        header[place], header[place + 1] = port_classes_of(tables, base + key)


def _walk_outcomes() -> Array:
    """uint8[256]: outcome of the route stage by route code, before what the target says."""
    outcome: Array = outcome_tables()["route_outcome"][1].copy()
    outcome[outcome == k.LONG] = 0
    outcome[ACTIVE + KINDS.index(RouteTarget.LOCAL)] = 0
    return outcome
