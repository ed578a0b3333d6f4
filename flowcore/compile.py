"""A network compiled into the kernels' tables: classes, policies, routes, nodes.

Once per network; what comes out is frozen arrays and the labels that verdict columns name. Nothing here judges a flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from . import kernels_long as kl
from .addresses import AddressAxis, special_prefixes
from .compile_balancers import BalancerPlan
from .compile_cases import case_tables, stages_that_apply
from .compile_layout import Parts, VpcPlan, port_tables, profile_place
from .compile_long import Layout, LongPlan, block_stops, block_unsure, is_long, pack
from .compile_nodes import (
    AddressSpace,
    Nodes,
    check_signatures,
    classes_of,
    closed_interfaces,
    duplicates,
    ipv6_intervals,
    make_nodes,
    pages,
    private_ipv6,
    reserved_addresses,
    service_addresses,
)
from .compile_policies import (
    REASON,
    Atoms,
    EntryArrays,
    GroupRules,
    PortAxis,
    SharedAddresses,
    acl_entries,
    bundle,
    deny,
    random_keys,
    union,
    unsure,
    word,
)
from .compile_routes import (
    ACTIVE,
    BLACKHOLE,
    KINDS,
    MIDDLEBOXES,
    NO_ROUTE,
    NO_TABLE,
    code_of,
    outcome_tables,
    route_label,
    winners,
)
from .errors import NetworkError
from .interpreted import for_work
from .model import LONG_DESTINATION_TYPES, Network, NetworkAcl, NetworkInterface, RouteTable, RouteTarget
from .schema import ICMP_REPLIES, ICMPV6_REPLIES, PATHS

Array = npt.NDArray[Any]

MAX_LABELS = k.LABEL_MASK
#: Odd, so that what one party sees never cancels what another does.
_PARTY_FACTORS = tuple(np.uint64(factor) for factor in (1, 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


@dataclass(frozen=True)
class CompiledNetwork:
    """Tables for the kernels, and the names that label numbers stand for."""

    tables: k.Tables
    long: kl.LongTables | None
    """What the long walk needs besides; None: nothing stands in between."""
    conversations: Array
    """What stands behind load balancers, judged beforehand: kernels_long.C_*."""
    interface_ids: tuple[str, ...]
    group_rules: tuple[str, ...]
    acl_rules: tuple[str, ...]
    routes: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all tables."""
        return sum(array.nbytes for array in (*self.tables, *(self.long or ())))


@dataclass
class _Labels:
    """Numbers of rule names. Group rules are numbered in the order of their ids, so the lowest id is named first."""

    group: dict[str, int]
    acl: dict[tuple[str, str], int]
    route: dict[str, int]

    @staticmethod
    def of(network: Network) -> _Labels:
        rules = sorted({rule.rule_id for group in network.security_groups.values() for rule in group.rules})
        acl: dict[tuple[str, str], int] = {}
        for network_acl in network.network_acls.values():
            for number in [*(str(entry.rule_number) for entry in network_acl.entries), "*"]:
                acl.setdefault((network_acl.network_acl_id, number), len(acl))
        routes: dict[str, int] = {}
        for table in network.route_tables.values():
            for route in network.routes_of(table):
                routes.setdefault(route_label(table, route), len(routes))
        if max(len(rules), len(acl), len(routes)) >= MAX_LABELS:
            raise NetworkError(f"more than {MAX_LABELS} rules of one kind", hint="compile a part of the network")
        return _Labels({rule: number for number, rule in enumerate(rules)}, acl, routes)


def compile_tables(network: Network) -> CompiledNetwork:
    """Compile `network`. Seconds for 10,000 interfaces and 100,000 rules; loads Numba."""
    return _Compiler(network).run()


class _Compiler:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.interfaces = list(network.interfaces.values())
        self.long = LongPlan(network) if is_long(network) else None
        named = {interface.vpc_id for interface in self.interfaces if interface.vpc_id} | set(network.vpcs)
        more = self.long.vpc_ids - named if self.long else set()
        self.vpcs = {vpc_id: number for number, vpc_id in enumerate([*sorted(named), *sorted(more)], 1)}
        self.labels = _Labels.of(network)
        prefixes, addresses = list(_prefixes(network)), list(_addresses(network, self.vpcs))
        if self.long:
            prefixes += self.long.prefixes()
            addresses += self.long.addresses()
        self.axis = AddressAxis(prefixes, addresses)
        self.space = AddressSpace(network, self.axis, self.interfaces, self.vpcs)
        self.shared = SharedAddresses(self.axis.size, self._held())
        if self.long:
            self.long.begin(self.axis, self.vpcs)
        self.group_ports, self.acl_ports = PortAxis(), PortAxis()

    def run(self) -> CompiledNetwork:
        vpcs = [self._collect(vpc_id) for vpc_id in self.vpcs]
        parties = self.long.parties if self.long else 1
        signatures = [self._signatures(vpc) for vpc in vpcs]
        nodes = make_nodes(self.space, self._address_classes(signatures))
        group_port, group_spans, n_group_ports = self.group_ports.cut()
        acl_port, acl_spans, n_acl_ports = self.acl_ports.cut()
        n_nodes = nodes.codes.size
        parts = self._parts(n_group_ports, n_acl_ports, parties * n_nodes)
        remote_class = np.zeros((len(vpcs) + 1, n_nodes, 2), np.uint32)
        party_class = np.zeros((len(vpcs) + 1, n_nodes, parties - 1), np.uint32)
        place = self._group_places(nodes)
        sections = np.concatenate(
            [place + party * (self.axis.size + len(self.shared.place)) for party in range(parties)]
        )
        for number, (vpc, signature) in enumerate(zip(vpcs, signatures, strict=True), 1):
            group_sig, prefix_sig = signature
            classes, representative = classes_of(group_sig, sections)
            remote_class[number, :, 0] = classes[:n_nodes]
            party_class[number] = classes[n_nodes:].reshape(parties - 1, n_nodes).T
            parts.add_policies(vpc, bundle(vpc.policies, group_spans), representative)
            classes, representative = classes_of(prefix_sig, nodes.representative)
            remote_class[number, :, 1] = classes
            routes = self._route_words(vpc, representative)
            parts.add_profiles(vpc, bundle(vpc.lists, acl_spans), representative, routes)
        node = self._node_rows(nodes, vpcs, parts)
        root, middle, leaf = pages(self.space, nodes.of_interval, nodes.codes.size)
        ipv6_start, ipv6_high, ipv6_low, ipv6_node = ipv6_intervals(self.space, nodes.of_interval)
        arrays: dict[str, Array] = dict(
            root=root, middle=middle, leaf=leaf,
            ipv6_start=ipv6_start, ipv6_high=ipv6_high, ipv6_low=ipv6_low, ipv6_node=ipv6_node,
            node=node.reshape(-1), view_of_vpc=self._view_index(), duplicate=duplicates(self.space, nodes),
            remote_class=remote_class.reshape(-1), **port_tables(group_port, acl_port),
            n_nodes=np.array([n_nodes], np.int64),
            **parts.tables(), **outcome_tables(), **case_tables(self.long is not None), **_protocol_tables(),
            constants=_constants(),
        )  # fmt: skip
        acl_names = tuple(f"{acl_id}#{number}" for acl_id, number in self.labels.acl)
        long = None
        if self.long:
            layout = Layout(
                self.space,
                nodes,
                vpcs,
                parts,
                node,
                party_class,
                self.labels.route,
                group_port,
                acl_port,
                self.standing_for,
            )
            packed = pack(arrays, *self.long.tables(layout))
            long = kl.LongTables(*(_frozen(array) for array in packed))
        tables = k.Tables(**{name: _frozen(array) for name, array in arrays.items()})
        conversations = np.zeros(0, np.int64)
        if self.long and long:
            conversations = _judged(tables, long, self.long.balancers)
            self.long.merge_targets(packed.numbers, tables.remote_class, conversations)
        return CompiledNetwork(
            tables,
            long,
            conversations,
            tuple(i.interface_id for i in self.interfaces),
            tuple(self.labels.group),
            acl_names,
            tuple(self.labels.route),
        )

    # -- per VPC -----------------------------------------------------------------------------------------

    def _collect(self, vpc_id: str) -> VpcPlan:
        """Policies, ACL lists and profiles that the interfaces of a VPC use, with the atoms their rules name."""
        by_group = Atoms(self.axis, self.long.parties if self.long else 1, self.shared)
        neighbours = self.long.neighbours(vpc_id) if self.long else frozenset()
        rules = GroupRules(self.network, vpc_id, by_group, self.group_ports, self.labels.group, neighbours)
        vpc = VpcPlan(vpc_id, by_group, Atoms(self.axis), rules)
        for interface in self.interfaces:
            if interface.vpc_id != vpc_id:
                continue
            self._add_groups(vpc, interface.group_ids)
            self._add_profile(vpc, interface.subnet_id)
            balancer = self.network.load_balancer_of.get(interface.interface_id)
            if balancer is not None:
                self._add_groups(vpc, balancer.group_ids)
        for subnet_id, place_vpc in self.long.places if self.long else ():
            if place_vpc == vpc_id:
                self._add_profile(vpc, subnet_id)
        self._route_atoms(vpc)
        return vpc

    def _add_groups(self, vpc: VpcPlan, group_ids: tuple[str, ...] | None) -> None:
        groups = None if group_ids is None else tuple(sorted(set(group_ids)))
        if groups != () and groups not in vpc.pairs:
            vpc.pairs[groups] = len(vpc.policies)
            vpc.policies += [(*self._group_policy(vpc, groups, egress), False) for egress in (False, True)]

    def _add_profile(self, vpc: VpcPlan, subnet_id: str | None) -> None:
        acl_id, table_id = self._profile_of(subnet_id, vpc.vpc_id)
        if acl_id not in vpc.acls:
            vpc.acls[acl_id] = len(vpc.lists)
            acl = self.network.network_acls[acl_id] if acl_id else None
            vpc.lists += [(*self._acl_list(vpc, acl, egress), True) for egress in (False, True)]
        vpc.profiles.setdefault((acl_id, table_id), len(vpc.profiles))

    def _profile_of(self, subnet_id: str | None, vpc_id: str | None) -> tuple[str | None, str | None]:
        """Ids of the ACL and the route table of a subnet."""
        acl, table = self.network.acl_of(subnet_id, vpc_id), self.network.route_table_of(subnet_id, vpc_id)
        return acl.network_acl_id if acl else None, table.route_table_id if table else None

    def _group_policy(self, vpc: VpcPlan, groups: tuple[str, ...] | None, egress: bool) -> tuple[EntryArrays, int]:
        """The union of groups in one direction, and the word when nothing matches (SG-01, SG-02)."""
        if groups is None:
            return EntryArrays.of([]), word(unsure("UNKNOWN_RESOURCE"))
        known = [group_id for group_id in groups if group_id in self.network.security_groups]
        entries = union([vpc.rules.entries(group_id, egress) for group_id in known])
        described = (self.network.security_groups[group_id].is_described(egress) for group_id in known)
        if len(known) < len(groups) or not all(described):
            return entries, word(unsure("UNKNOWN_RESOURCE"))
        any_rule = any(rule.egress == egress for g in known for rule in self.network.security_groups[g].rules)
        return entries, word(deny("ENI_SG_RULES_MISMATCH" if any_rule else "SG_HAS_NO_RULES"))

    def _acl_list(self, vpc: VpcPlan, acl: NetworkAcl | None, egress: bool) -> tuple[EntryArrays, int]:
        if acl is None:
            return EntryArrays.of([]), word(unsure("UNKNOWN_RESOURCE"))
        entries = acl_entries(acl, egress, vpc.by_prefix, self.acl_ports, self.labels.acl)
        return entries, word(deny("SUBNET_ACL_RESTRICTION"), self.labels.acl[acl.network_acl_id, "*"])

    def _route_atoms(self, vpc: VpcPlan) -> None:
        """Makes the bounds of routes, prefix lists and the VPC's own CIDRs tell classes apart."""
        described = self.network.vpcs.get(vpc.vpc_id)
        for block in (*described.cidr_blocks, *described.ipv6_cidr_blocks) if described else ():
            vpc.by_prefix.prefix(block)
        vpc.by_prefix.number("IPv4", lambda: self.axis.family_span(4))  # a class never mixes families, or kinds
        vpc.by_prefix.number("internet", self.axis.internet_spans)
        for _, table_id in vpc.profiles:
            for route in self.network.routes_of(self.network.route_tables[table_id]) if table_id else ():
                if not isinstance(route.destination, str):
                    vpc.by_prefix.prefix(route.destination)
                    continue
                listed = self.network.prefix_lists.get(route.destination)
                for block in (listed.cidr_blocks if listed else None) or ():
                    vpc.by_prefix.prefix(block)

    def _signatures(self, vpc: VpcPlan) -> tuple[Array, Array]:
        keys = [random_keys(2, max(len(atoms.spans), 1)) for atoms in (vpc.by_group, vpc.by_prefix)]
        return vpc.by_group.signatures(keys[0]), vpc.by_prefix.signatures(keys[1])

    def _held(self) -> Iterable[tuple[int, str]]:
        """(interval, VPC id) of every address of an interface."""
        return ((each.interval, str(self.interfaces[each.interface].vpc_id)) for each in self.space.endpoints)

    def _group_places(self, nodes: Nodes) -> Array:
        """int64[nodes]: where group policies look for a node: on the axis, or behind it (SharedAddresses)."""
        place: Array = nodes.representative.copy()
        for node, held in zip(nodes.of_endpoint.tolist(), self._held(), strict=True):
            place[node] = self.shared.place.get(held, held[0])
        return place

    def _address_classes(self, signatures: list[tuple[Array, Array]]) -> Array:
        """int64[axis]: intervals that no rule of any VPC tells apart have one number."""
        total = np.zeros((2, self.axis.size), np.uint64)
        for group_sig, prefix_sig in signatures:
            size = self.axis.size + len(self.shared.place)
            for party, factor in enumerate(_PARTY_FACTORS[: group_sig.shape[1] // size]):
                total ^= group_sig[:, party * size : party * size + self.axis.size] * factor
            total ^= prefix_sig
        if self.long:
            total ^= self.long.signatures
        # A class never mixes families or kinds of address: the gateways ask for both.
        family = (np.arange(self.axis.size) >= self.axis.ipv4_size).astype(np.int64)
        _, number = np.unique(total[0], return_inverse=True)
        check_signatures(total, number)
        return number * 16 + self.space.kinds.astype(np.int64) * 2 + family

    def _route_words(self, vpc: VpcPlan, representative: Array) -> dict[str | None, Array]:
        """Per route table of the VPC: route word of each remote class."""
        words: dict[str | None, Array] = {}
        for _, table_id in vpc.profiles:
            if table_id in words:
                continue
            if table_id is None:
                words[None] = np.full(representative.size, NO_TABLE, np.uint32)
                continue
            table = self.network.route_tables[table_id]
            words[table_id] = self._winners(table, representative)
        return words

    # -- what `compile_usage` does in another way ----------------------------------------------------------

    standing_for: Sequence[int] = ()
    """Labels that route words may hold besides `labels.route`: the labels of the routes they stand for, -1 none."""

    def _parts(self, n_group_ports: int, n_acl_ports: int, most_classes: int) -> Parts:
        return Parts(n_group_ports, n_acl_ports, most_classes)

    def _winners(self, table: RouteTable, representative: Array) -> Array:
        return winners(self.network, table, self.axis, representative, self.labels.route)

    # -- nodes -------------------------------------------------------------------------------------------

    def _view_index(self) -> Array:
        index = {view: number for number, view in enumerate(self.space.views)}
        return np.array([index[int(view)] for view in self.space.view_of_vpc], np.uint32)

    def _node_rows(self, nodes: Nodes, vpcs: list[VpcPlan], parts: Parts) -> Array:
        """uint32[nodes + interfaces, NODE_WIDTH]; see kernels.N_*."""
        n_nodes = nodes.codes.size
        rows = np.zeros((n_nodes + len(self.interfaces), k.NODE_WIDTH), np.uint32)
        rows[:, k.N_INTERFACE] = rows[:, k.N_PEER] = k.NULL32
        owned = np.flatnonzero(nodes.endpoint >= 0)
        by_interface = self._interface_rows(vpcs, parts, n_nodes)
        rows[n_nodes:] = by_interface  # what kernels_long asks of an interface, whatever its addresses
        rows[n_nodes:, k.N_PEER] = k.NULL32
        rows[owned] = self._endpoint_rows(by_interface)[nodes.endpoint[owned]]
        rows[:n_nodes, k.N_CODES] = nodes.codes
        plain = nodes.endpoint < 0
        rows[:n_nodes, k.N_VPC][plain] = nodes.vpc[plain]
        rows[:n_nodes, k.N_PEER] = np.where(nodes.peer >= 0, nodes.peer, k.NULL32)
        for number, interface in enumerate(self.interfaces):  # packets that are not the interface's own
            code = k.SRC_FOREIGN_CHECKED if interface.source_dest_check else k.SRC_FOREIGN
            rows[n_nodes + number, k.N_CODES] = code
            rows[n_nodes + number, k.N_VPC] = self.vpcs[interface.vpc_id] if interface.vpc_id else 0
            rows[n_nodes + number, k.N_INTERFACE] = number
        return rows

    def _interface_rows(self, vpcs: list[VpcPlan], parts: Parts, n_nodes: int) -> Array:
        """uint32[interfaces, NODE_WIDTH]: what every address of an interface knows."""
        subnets: dict[str, int] = {}
        closed = closed_interfaces(self.network)
        rows = np.zeros((len(self.interfaces), k.NODE_WIDTH), np.uint32)
        for number, interface in enumerate(self.interfaces):
            if interface.vpc_id is None:
                continue
            vpc_number = self.vpcs[interface.vpc_id]
            vpc = vpcs[vpc_number - 1]
            groups = None if interface.group_ids is None else tuple(sorted(set(interface.group_ids)))
            policy = 0 if groups == () else parts.first_policy[vpc.vpc_id] + vpc.pairs[groups]
            acl_id, table_id = self._profile_of(interface.subnet_id, interface.vpc_id)
            ending = (
                1
                if interface.interface_id in closed
                else 2
                if interface.interface_type in LONG_DESTINATION_TYPES
                else 0
            )
            row = rows[number]
            row[k.N_VPC] = vpc_number | ending << 26
            row[k.N_SUBNET] = subnets.setdefault(interface.subnet_id, len(subnets) + 1) if interface.subnet_id else 0
            row[k.N_INTERFACE] = number
            row[k.N_CLASSES] = vpc_number * n_nodes
            ingress, egress = parts.policies[policy], parts.policies[policy + 1]
            row[k.N_INGRESS_PAGES : k.N_INGRESS_COLUMNS + 1] = ingress.pages, ingress.cells, ingress.columns
            row[k.N_EGRESS_PAGES : k.N_EGRESS_COLUMNS + 1] = egress.pages, egress.cells, egress.columns
            row[k.N_PROFILE_PAGES], columns = profile_place(vpc, parts, acl_id, table_id)
            row[k.N_INGRESS_ACL_COLUMNS] = row[k.N_EGRESS_ACL_COLUMNS] = columns
        return rows

    def _endpoint_rows(self, by_interface: Array) -> Array:
        """uint32[endpoints, NODE_WIDTH]: what an address of an interface knows; codes and peer are left to the node."""
        owners = np.array([endpoint.interface for endpoint in self.space.endpoints], np.int64)
        rows = by_interface[owners]
        edges, private = self._edges(), private_ipv6(self.network, self.axis)
        for number, endpoint in enumerate(self.space.endpoints):
            interface = self.interfaces[endpoint.interface]
            rows[number, k.N_VPC] |= edges[number] << 24
            mapped = endpoint.public_interval >= 0 if endpoint.ipv4 else not private[endpoint.interval]
            codes = self._gateway_codes(interface, endpoint.ipv4, mapped)
            redirected = edges[number] == _REDIRECTED and codes & 255 == 0  # RT-21: the long walk says
            rows[number, k.N_GATEWAY] = codes | (k.LONG if redirected else 0)
        return rows

    def _edges(self) -> list[int]:
        """Per endpoint: what its VPC's internet gateway's route table does with it (see kernels.N_VPC)."""
        words: dict[str, dict[int, int]] = {}
        walks = {ACTIVE + KINDS.index(kind) for kind in MIDDLEBOXES}
        for vpc_id, gateway_id in self.network.internet_gateway_of.items():
            table = self.network.gateway_route_table(gateway_id)
            if table is not None and vpc_id in self.vpcs:
                own = [e.interval for e in self.space.endpoints if self.interfaces[e.interface].vpc_id == vpc_id]
                positions = np.unique(np.array(own, np.int64))
                found = winners(self.network, table, self.axis, positions, self.labels.route)
                words[vpc_id] = dict(zip(positions.tolist(), (found & 255).tolist(), strict=True))
        result = []
        for endpoint in self.space.endpoints:
            vpc_id = str(self.interfaces[endpoint.interface].vpc_id)
            code = words[vpc_id][endpoint.interval] if vpc_id in words else NO_ROUTE
            local = code_of(self.network, _LOCAL, vpc_id)
            edge = 0 if code in (NO_ROUTE, local) else 1 if code >= BLACKHOLE else _REDIRECTED if code in walks else 2
            result.append(edge)
        return result

    def _gateway_codes(self, interface: NetworkInterface, ipv4: bool, mapped: bool) -> int:
        """Outcomes of the gateway steps that depend on the interface alone (N_GATEWAY).

        `mapped`: the internet knows the address: IPv4 mapped to a public one, IPv6 that is not private.
        """
        network, vpc_id = self.network, str(interface.vpc_id)
        out_stopped, nat_stopped, out_only_stopped, in_stopped = block_stops(network, interface.subnet_id, vpc_id)
        if interface.interface_type == "nat_gateway":
            out_stopped = nat_stopped
        unsure_of_it = block_unsure(network, interface.subnet_id, vpc_id)
        blocked = unsure("UNKNOWN_RESOURCE") if unsure_of_it else deny("VPC_BLOCK_PUBLIC_ACCESS_ENABLED")
        denied = deny("DENY_ALL_IGW_TRAFFIC") if not ipv4 and interface.deny_all_igw_traffic else 0
        unmapped = 0 if mapped else deny("IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS")
        out = blocked if out_stopped else unmapped or denied
        out_egress_only = blocked if out_only_stopped else 0 if ipv4 else unmapped
        entering = blocked if in_stopped else denied
        other_ways = vpc_id in network.vpcs_with_other_ways_in
        public, private = entering, entering
        if vpc_id not in network.internet_gateway_of:
            unknown = vpc_id in network.vpcs_with_undescribed_internet_gateway
            public = unsure("UNKNOWN_RESOURCE") if unknown else deny("NO_PATH")
            private = k.LONG if other_ways and not unknown else public
        if not mapped:
            private = k.LONG if other_ways else deny("IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS")
        return out | out_egress_only << 8 | private << 16 | public << 24


def _judged(tables: k.Tables, long: kl.LongTables, balancers: BalancerPlan) -> Array:
    """int64[2 * conversations * CONVERSATION_WIDTH]: those from load balancers to their targets.

    Part 0: those behind another load balancer, where no third may follow; part 1: all others.
    """
    count = len(balancers.conversations)
    found = np.zeros(2 * count * kl.CONVERSATION_WIDTH, np.int64)
    if count:
        flows = k.Flows(*(_frozen(array) for array in balancers.flows()))
        scratch = kl.walk_scratch()
        for level in range(2):
            walk_rows = for_work(kl.walk_rows, count)
            walk_rows(tables, long, flows, np.arange(count), k.empty_verdicts(0), found, level, scratch)
    return found


def _prefixes(network: Network) -> Iterable[Any]:
    yield from special_prefixes()
    for vpc in network.vpcs.values():
        yield from (*vpc.cidr_blocks, *vpc.ipv6_cidr_blocks)
    for subnet in network.subnets.values():
        yield from ((subnet.cidr_block,) if subnet.cidr_block else ())
        yield from subnet.ipv6_cidr_blocks
    for interface in network.interfaces.values():
        yield from interface.prefixes
    blocks = {rule.cidr_block for group in network.security_groups.values() for rule in group.rules}
    blocks |= {entry.cidr_block for acl in network.network_acls.values() for entry in acl.entries}
    blocks |= {block for listed in network.prefix_lists.values() for block in listed.cidr_blocks or ()}
    for table in network.route_tables.values():
        blocks |= {route.destination for route in network.routes_of(table) if not isinstance(route.destination, str)}
    yield from (block for block in blocks if block is not None)


def _addresses(network: Network, vpcs: Iterable[str]) -> Iterable[Any]:
    for interface in network.interfaces.values():
        for own in interface.addresses:
            yield own.address
            if own.public_address is not None:
                yield own.public_address
    for vpc_id in vpcs:
        yield from service_addresses(network, vpc_id)
        yield from reserved_addresses(network, vpc_id)


def _frozen(array: Array) -> Array:
    """Contiguous and read-only: the only kind of array the kernels know."""
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    return array


def _protocol_tables() -> dict[str, Array]:
    base = np.arange(256, dtype=np.int64) + k.OTHER_BASE
    base[k.TCP], base[k.UDP], base[k.ICMP], base[k.ICMPV6] = k.TCP_BASE, k.UDP_BASE, k.ICMP_BASE, k.ICMPV6_BASE
    reply = np.full((2, 257), -1, np.int64)
    for row, replies in enumerate((ICMP_REPLIES, ICMPV6_REPLIES)):
        for request, answer in replies.items():
            reply[row, request] = answer * k.ICMP_CODES
    reply[:, 256] = k.ICMP_TYPE_UNKNOWN_KEY
    return {"port_base": base, "icmp_reply": reply}


def _constants() -> Array:
    values = {
        k.C_UNFILTERED: REASON["UNFILTERED_SERVICE"],
        k.C_BAD_STATE: deny("BAD_STATE"),
        k.C_BLACKHOLE: deny("BAD_STATE_ROUTE"),
        k.C_UNSUPPORTED: unsure("UNSUPPORTED_COMPONENT"),
        k.C_INTERNET_ROUTE: ACTIVE + KINDS.index(RouteTarget.INTERNET_GATEWAY),
        k.C_INTERNET_PATH: PATHS.index("internet"),
        k.C_OUT_STAGES: stages_that_apply(k.CASE_OUT, False, k.GATE_INTERNET, False, False, True),
        k.C_IN_STAGES: stages_that_apply(k.CASE_IN, False, k.GATE_NONE, False, False, True),
    }
    return np.array([values[index] for index in range(8)], np.uint32)


def _local_route() -> Any:
    from ipaddress import ip_network

    from .model import Route

    return Route(ip_network("0.0.0.0/0"), RouteTarget.LOCAL, "local")


_LOCAL = _local_route()
_REDIRECTED = 3
"""Of N_VPC's edges: through a middlebox."""

__all__ = ["CompiledNetwork", "compile_tables"]
