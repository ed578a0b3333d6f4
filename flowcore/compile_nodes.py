"""Nodes: sets of addresses that nothing tells apart, with all that is known of them in one row.

An address held by an interface, or mapped to one, is a node by itself; all others are merged by what they are (kind,
VPC they lie in) and by the rules that hold them. Where two VPCs share addresses there is one view of the address space
for each VPC and one for addresses of unknown VPC; otherwise a single view serves all.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import numpy as np
import numpy.typing as npt

from . import addresses as a
from . import kernels as k
from .addresses import AddressAxis
from .model import UNMODELLED_SOURCE_TYPES, Network, NetworkInterface, is_working

Array = npt.NDArray[Any]

INVALID_NODE, OUTSIDE_NODE, NO_INTERFACE_NODE, FIRST_NODE = range(4)

SOURCE_BY_KIND = np.array([k.SRC_INTERNET, k.SRC_RFC1918, k.SRC_RFC6598, k.SRC_IPV6_PRIVATE, k.SRC_UNKNOWN], np.int64)
DESTINATION_BY_KIND = np.array(
    [k.DST_INTERNET, k.DST_RFC1918, k.DST_RFC6598, k.DST_IPV6_PRIVATE, k.DST_UNROUTABLE], np.int64
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One interval of addresses of one interface."""

    interface: int
    interval: int
    ipv4: bool
    public_interval: int
    """Interval of the mapped public address, -1 without."""


def endpoints_of(interfaces: list[NetworkInterface], axis: AddressAxis) -> list[Endpoint]:
    """Every interval held by an interface that is in a VPC, once an interface."""
    found = []
    for number, interface in enumerate(interfaces):
        if interface.vpc_id is None:
            continue
        seen = set()
        for own in interface.addresses:
            interval = axis.interval(own.address)
            if interval not in seen:
                seen.add(interval)
                public = axis.interval(own.public_address) if own.public_address is not None else -1
                found.append(Endpoint(number, interval, own.address.version == 4, public))
        for prefix in interface.prefixes:
            for interval in range(*axis.span(prefix)):
                if interval not in seen:
                    seen.add(interval)
                    found.append(Endpoint(number, interval, prefix.version == 4, -1))
    return found


def source_code(network: Network, interface: NetworkInterface) -> int:
    """Source code of an interface's own addresses."""
    if interface.interface_type in UNMODELLED_SOURCE_TYPES:
        return k.SRC_UNMODELLED
    classic = is_classic(network, interface)
    endpoint = interface.interface_type == "vpc_endpoint"
    if interface.detached:
        return k.SRC_LONG_DETACHED if classic or endpoint else k.SRC_DETACHED
    return k.SRC_ENDPOINT if endpoint else k.SRC_CLASSIC if classic else k.SRC_INTERFACE


def is_classic(network: Network, interface: NetworkInterface) -> bool:
    """Whether it is a Classic Load Balancer's node."""
    balancer = network.load_balancer_of.get(interface.interface_id)
    return interface.interface_type == "classic_load_balancer" or (balancer is not None and balancer.kind == "classic")


def closed_interfaces(network: Network) -> frozenset[str]:
    """Interfaces where nothing can arrive: detached (EN-03), or of a VPC endpoint that is not available (EP-04)."""
    shut = {
        interface_id
        for endpoint in network.vpc_endpoints.values()
        if not is_working(endpoint.state)
        for interface_id in endpoint.interface_ids
    }
    return frozenset(shut | {each.interface_id for each in network.interfaces.values() if each.detached})


def private_ipv6(network: Network, axis: AddressAxis) -> Array:
    """bool[axis]: IPv6 addresses that are not advertised on the internet: fc00::/7, and private CIDRs of VPCs."""
    private = axis.mask(block for vpc in network.vpcs.values() for block in vpc.private_ipv6_cidr_blocks)
    private |= axis.kinds() == a.IPV6_PRIVATE
    return private


class AddressSpace:
    """The address axis with its meaning in each view, and the nodes made of it."""

    def __init__(self, network: Network, axis: AddressAxis, interfaces: list[NetworkInterface], vpcs: dict[str, int]):
        self.axis, self.network, self.vpcs = axis, network, vpcs
        self.interfaces = interfaces
        self.endpoints = endpoints_of(interfaces, axis)
        self.kinds = axis.kinds()
        self._paint_fixed()
        self._paint_vpcs()
        self._paint_public()
        shared = self._private_meanings.max(initial=0) > 1 or bool(
            np.any((self._private_meanings > 0) & (self.public > 0))
        )
        #: VPC number of each view; 0: addresses of unknown VPC (or, if it is the only view, of all).
        self.views = [0, *vpcs.values()] if shared else [0]
        self.view_of_vpc = np.array([number if shared else 0 for number in range(len(vpcs) + 1)], np.uint32)

    # -- what each interval means ------------------------------------------------------------------------

    def _paint_fixed(self) -> None:
        """Destinations with the same answer in every VPC, in the order of docs/semantics.md section 2."""
        fixed = np.full(self.axis.size, -1, np.int64)
        fixed[self.axis.mask([a.LINK_LOCAL_IPV6])] = k.DST_LINK_LOCAL
        fixed[self.axis.mask(a.UNFORWARDED_PREFIXES)] = k.DST_UNFORWARDED
        fixed[self.axis.mask(a.SERVICE_ADDRESSES)] = k.DST_SERVICE
        fixed[self.axis.mask(a.NEVER_PREFIXES)] = k.DST_NEVER
        self._fixed = fixed

    def _paint_vpcs(self) -> None:
        size = self.axis.size
        self._private_meanings = np.zeros(size, np.int64)
        self._inside: dict[int, Array] = {}
        self._service: dict[int, Array] = {}
        self._reserved: dict[int, Array] = {}
        held: dict[int, Array] = {number: np.zeros(size, np.bool_) for number in self.vpcs.values()}
        for endpoint in self.endpoints:
            held[self.vpcs[str(self.interfaces[endpoint.interface].vpc_id)]][endpoint.interval] = True
        for vpc_id, number in self.vpcs.items():
            vpc = self.network.vpcs.get(vpc_id)
            blocks = (*vpc.cidr_blocks, *vpc.ipv6_cidr_blocks) if vpc else ()
            self._inside[number] = self.axis.mask(blocks)
            self._service[number], self._reserved[number] = self._vpc_addresses(vpc_id)
            self._private_meanings += self._inside[number] | self._service[number] | held[number]

    def _vpc_addresses(self, vpc_id: str) -> tuple[Array, Array]:
        """Masks of the resolver and router addresses (SG-61), and of the other reserved ones (EN-04)."""
        service, reserved = np.zeros(self.axis.size, np.bool_), np.zeros(self.axis.size, np.bool_)
        for address in service_addresses(self.network, vpc_id):
            service[self.axis.interval(address)] = True
        for address in reserved_addresses(self.network, vpc_id):
            reserved[self.axis.interval(address)] = True
        return service, reserved & ~service

    def _paint_public(self) -> None:
        """How many (interface, private address) pairs each public address is mapped to, and the last of them."""
        self.public = np.zeros(self.axis.size, np.int64)
        self._public_endpoint = np.full(self.axis.size, -1, np.int64)
        for number, endpoint in enumerate(self.endpoints):
            if endpoint.public_interval >= 0:
                self.public[endpoint.public_interval] += 1
                self._public_endpoint[endpoint.public_interval] = number

    def _owners(self, view: int) -> tuple[Array, Array]:
        """(interfaces that hold each interval, number of the last one's endpoint), in one view."""
        owners, owner = np.zeros(self.axis.size, np.int64), np.full(self.axis.size, -1, np.int64)
        for number, endpoint in enumerate(self.endpoints):
            if view == 0 or self.vpcs[str(self.interfaces[endpoint.interface].vpc_id)] == view:
                owners[endpoint.interval] += 1
                owner[endpoint.interval] = number
        return owners, owner

    def codes(self, view: int) -> dict[str, Array]:
        """Per interval: source code; destination codes (same VPC, other, outside); VPC; endpoint, public one."""
        owners, owner = self._owners(view)
        all_owners = owners if view == 0 else self._owners(0)[0]
        own_vpcs = list(self.vpcs.values()) if view == 0 else [view]
        inside, vpc = np.zeros(self.axis.size, np.bool_), np.zeros(self.axis.size, np.int64)
        same = np.full(self.axis.size, -1, np.int64)
        for number in own_vpcs:
            inside |= self._inside[number]
            meaning = self._inside[number] | self._service[number]
            vpc[meaning] = number
            same[self._inside[number]] = k.DST_UNKNOWN
            same[self._inside[number] & self._reserved[number]] = k.DST_RESERVED
        held = np.flatnonzero(owner >= 0)
        endpoint_vpc = [self.vpcs[str(self.interfaces[self.endpoints[e].interface].vpc_id)] for e in owner[held]]
        vpc[held] = np.array(endpoint_vpc, np.int64)
        same[owners == 1] = k.DST_LOCAL
        same[owners > 1] = k.DST_AMBIGUOUS
        for number in own_vpcs:
            same[self._service[number] & (vpc == number)] = k.DST_SERVICE
        same = np.where(self._fixed >= 0, self._fixed, same)
        other = DESTINATION_BY_KIND[self.kinds]
        ipv6 = np.arange(self.axis.size) >= self.axis.ipv4_size
        other[ipv6 & (all_owners > 0) & (self.kinds == a.INTERNET)] = k.DST_IPV6_OTHER_VPC
        other[self.public == 1] = k.DST_PUBLIC
        other[self.public > 1] = k.DST_AMBIGUOUS
        other = np.where(self._fixed >= 0, self._fixed, other)
        same = np.where(same < 0, other, same)
        return {
            "source": self._source_codes(owners, owner, inside),
            "same": same,
            "other": other,
            "outside": self._outside_codes(owners, inside),
            "vpc": vpc,
            "endpoint": np.where(owners == 1, owner, -1),
            "public": np.where((owners != 1) & (self.public == 1), self._public_endpoint, -1),
            "local": self._local_meanings(owners, own_vpcs, vpc),
        }

    def _local_meanings(self, owners: Array, own_vpcs: list[int], vpc: Array) -> Array:
        """Per interval, in its VPC: 0 nobody's, 1 held by one interface, 2 by several, 3 reserved or a service."""
        local = np.zeros(self.axis.size, np.int64)
        for number in own_vpcs:
            local[(self._reserved[number] | self._service[number]) & (vpc == number)] = 3
        local[owners == 1] = 1
        local[owners > 1] = 2
        return local

    def internet_ends(self, of_endpoint: Array) -> Array:
        """int64[axis]: node of the interface an interval stands for on the internet; -1 none, -2 several."""
        ends = np.full(self.axis.size, -1, np.int64)
        owners, owner = self._owners(0)
        ipv6 = np.arange(self.axis.size) >= self.axis.ipv4_size
        ipv6 &= self.kinds == a.INTERNET  # an address of another kind is nobody's there, whoever holds it
        held = ipv6 & (owners == 1)
        ends[held] = of_endpoint[owner[held]]
        ends[ipv6 & (owners > 1)] = -2
        mapped = self.public == 1
        ends[mapped] = of_endpoint[self._public_endpoint[mapped]]
        ends[self.public > 1] = -2
        return ends

    def _source_codes(self, owners: Array, owner: Array, inside: Array) -> Array:
        by_interface = np.array([source_code(self.network, each) for each in self.interfaces] or [0], np.int64)
        number = np.array([endpoint.interface for endpoint in self.endpoints] or [0], np.int64)
        codes = SOURCE_BY_KIND[self.kinds]
        codes[inside] = k.SRC_UNKNOWN
        codes[self.public == 1] = k.SRC_REDIRECT
        codes[self.public > 1] = k.SRC_AMBIGUOUS
        codes = np.where(owners == 1, by_interface[number[owner]], codes)
        return np.where(owners > 1, k.SRC_AMBIGUOUS, codes)

    def _outside_codes(self, owners: Array, inside: Array) -> Array:
        codes = np.full(self.axis.size, k.DST_OUTSIDE, np.int64)
        codes[inside] = k.DST_IN_UNKNOWN
        codes[self.public == 1] = k.DST_IN_PUBLIC
        codes[self.public > 1] = k.DST_IN_AMBIGUOUS
        codes[owners == 1] = k.DST_IN_PRIVATE
        codes[owners > 1] = k.DST_IN_AMBIGUOUS
        return codes


def service_addresses(network: Network, vpc_id: str) -> list[IPv4Address]:
    """The resolver (base + 2 of the primary CIDR) and the router of every subnet (base + 1): SG-60, SG-61."""
    found = []
    vpc = network.vpcs.get(vpc_id)
    if vpc and vpc.cidr_blocks:
        found.append(vpc.cidr_blocks[0].network_address + 2)
    own = (subnet.cidr_block for subnet in network.subnets.values() if subnet.vpc_id == vpc_id)
    return found + [block.network_address + 1 for block in own if block is not None]


def reserved_addresses(network: Network, vpc_id: str) -> list[Any]:
    """The first four and the last address of every subnet of a VPC (EN-04)."""
    found: list[Any] = []
    for subnet in network.subnets.values():
        if subnet.vpc_id != vpc_id:
            continue
        for block in (subnet.cidr_block, *subnet.ipv6_cidr_blocks):
            if block is not None:
                low, high = a.bounds_of(block)
                found += [
                    _address(value, block.version)
                    for value in {low, low + 1, low + 2, low + 3, high - 1}
                    if value < high
                ]
    return found


def _address(value: int, family: int) -> Any:
    from ipaddress import IPv6Address

    return IPv4Address(value) if family == 4 else IPv6Address(value)


@dataclass(frozen=True)
class Nodes:
    """Nodes of all views."""

    of_interval: list[Array]
    """Per view: int64[axis size], the node of each interval."""
    representative: Array
    """int64[nodes]: an interval of each node."""
    codes: Array
    """uint32[nodes]: column N_CODES."""
    vpc: Array
    """int64[nodes]"""
    endpoint: Array
    """int64[nodes]: endpoint that holds it, or -1."""
    peer: Array
    """int64[nodes]: the other node of a private-public pair, or -1."""
    of_endpoint: Array
    """int64[endpoints]: the node of each endpoint, in its VPC's view or made for it."""
    local: Array
    """int64[nodes]: AddressSpace._local_meanings."""


def make_nodes(space: AddressSpace, address_class: Array) -> Nodes:
    """Nodes of all views; `address_class` int64[axis size] tells apart what rules tell apart."""
    codes = [
        _pack(k.SRC_INVALID, 0, 0, k.DST_OUTSIDE),
        _pack(k.SRC_INVALID, 0, 0, k.DST_OUTSIDE),
        _pack(k.SRC_NO_INTERFACE, 0, 0, 0),
    ]
    parts: dict[str, list[Array]] = {
        "representative": [np.zeros(3, np.int64)],
        "codes": [np.array(codes, np.int64)],
        "vpc": [np.zeros(3, np.int64)],
        "endpoint": [np.full(3, -1, np.int64)],
        "public": [np.full(3, -1, np.int64)],
        "local": [np.zeros(3, np.int64)],
    }
    count, of_interval = FIRST_NODE, []
    for view in space.views:
        meaning = space.codes(view)
        packed = _pack(meaning["source"], meaning["same"], meaning["other"], meaning["outside"])
        keys = (packed, meaning["vpc"], meaning["endpoint"] + 1, meaning["public"] + 1, address_class)
        first, inverse = _unique(keys)
        of_interval.append(inverse + count)
        count += first.size
        parts["representative"].append(first)
        parts["codes"].append(packed[first])
        for name in ("vpc", "endpoint", "public", "local"):
            parts[name].append(meaning[name][first])
    view_index = {view: index for index, view in enumerate(space.views)}
    of_endpoint = np.full(len(space.endpoints), -1, np.int64)
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    extra: list[int] = []
    for number, endpoint in enumerate(space.endpoints):
        vpc = space.vpcs[str(space.interfaces[endpoint.interface].vpc_id)]
        node = int(of_interval[view_index[int(space.view_of_vpc[vpc])]][endpoint.interval])
        if (
            joined["endpoint"][node] != number
        ):  # two interfaces of the VPC hold it: only an interface id tells them apart
            node = count + len(extra)
            extra.append(number)
        of_endpoint[number] = node
    joined = _with_extra(space, joined, extra)
    return Nodes(
        of_interval, joined["representative"], joined["codes"].astype(np.uint32), joined["vpc"], joined["endpoint"],
        _peers(space, joined, of_interval, of_endpoint, view_index), of_endpoint, joined["local"],
    )  # fmt: skip


def _with_extra(space: AddressSpace, joined: dict[str, Array], extra: list[int]) -> dict[str, Array]:
    """Adds one node for each endpoint whose address its VPC's view cannot attribute."""
    if not extra:
        return joined
    held = [space.endpoints[number] for number in extra]
    owners = [space.interfaces[endpoint.interface] for endpoint in held]
    codes = [
        _pack(source_code(space.network, owner), k.DST_AMBIGUOUS, k.DST_AMBIGUOUS, k.DST_IN_AMBIGUOUS)
        for owner in owners
    ]
    added = {
        "representative": [endpoint.interval for endpoint in held],
        "codes": codes,
        "vpc": [space.vpcs[str(owner.vpc_id)] for owner in owners],
        "endpoint": extra,
        "public": [-1] * len(extra),
        "local": [2] * len(extra),
    }
    return {name: np.concatenate((joined[name], np.array(added[name], np.int64))) for name in joined}


def _peers(
    space: AddressSpace,
    joined: dict[str, Array],
    of_interval: list[Array],
    of_endpoint: Array,
    view_index: dict[int, int],
) -> Array:
    peer = np.full(joined["codes"].size, -1, np.int64)
    mapped = joined["public"] >= 0
    peer[mapped] = of_endpoint[joined["public"][mapped]]
    for node in np.flatnonzero(joined["endpoint"] >= 0):
        endpoint = space.endpoints[joined["endpoint"][node]]
        if endpoint.public_interval >= 0:
            vpc = space.vpcs[str(space.interfaces[endpoint.interface].vpc_id)]
            peer[node] = of_interval[view_index[int(space.view_of_vpc[vpc])]][endpoint.public_interval]
    return peer


def classes_of(signature: Array, positions: Array) -> tuple[Array, Array]:
    """(class of each of `positions` on the axis, lowest position of each class, ascending).

    `signature`: uint64[2, axis]; positions of one signature are one class.
    """
    own = signature[:, positions]
    _, number = np.unique(own[0], return_inverse=True)
    check_signatures(own, number)
    lowest = np.full(int(number.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, number, positions)
    order = np.argsort(lowest)
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    return rank[number], lowest[order]


def check_signatures(signature: Array, number: Array) -> None:
    """The second half of the signatures must agree wherever the first does, or the keys collided (odds 2^-64)."""
    first = np.zeros(int(number.max()) + 1, np.int64)
    first[number] = np.arange(number.size)
    if not np.array_equal(signature[1][first[number]], signature[1]):
        raise ArithmeticError("two sets of rules have the same hash; compile again")


def _pack(source: Any, same: Any, other: Any, outside: Any) -> Any:
    return source | same << 8 | other << 16 | outside << 24


def _unique(keys: tuple[Array, ...]) -> tuple[Array, Array]:
    """(first row of each distinct combination, number of each row's combination), in order of appearance."""
    inverse = np.zeros(keys[0].size, np.int64)
    for key in keys:
        _, part = np.unique(key, return_inverse=True)
        _, inverse = np.unique(inverse * (int(part.max()) + 1) + part, return_inverse=True)
    _, first = np.unique(inverse, return_index=True)
    order = np.argsort(first)
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    return first[order], rank[inverse]


def pages(space: AddressSpace, of_interval: list[Array], n_nodes: int) -> tuple[Array, Array, Array]:
    """(root, middle, leaf) of all views: 16-8-8 pages over IPv4 with equal pages shared; see kernels.find_ipv4."""
    starts = np.array(space.axis.ipv4_starts, np.int64)
    node = np.stack([nodes[: space.axis.ipv4_size].astype(np.uint32) for nodes in of_interval])
    split = 1 << 31
    leaf_pages, middle_pages = [np.arange(n_nodes, dtype=np.uint32)], [np.arange(n_nodes, dtype=np.uint32)]
    known: dict[tuple[str, bytes], int] = {}
    sizes = {"leaf": n_nodes, "middle": n_nodes}

    def nodes_at(first: int, step: int, count: int) -> Array:
        """uint32[views, count]: the nodes of `count` addresses."""
        return node[:, np.searchsorted(starts, first + step * np.arange(count, dtype=np.int64), "right") - 1]

    def share(kind: str, into: list[Array], found: Array) -> Array:
        """uint32[views]: what stands for each view's page: its one node, or where the page is."""
        entry = found[:, 0].copy()
        one_node = (found == found[:, :1]).all(axis=1) & (entry < split)
        for view in np.flatnonzero(~one_node):
            page = found[view]
            key = kind, page.tobytes()
            if key not in known:
                known[key] = sizes[kind]
                sizes[kind] += 256
                into.append(page)
            entry[view] = known[key] | split
        return entry

    root = nodes_at(0, 1 << 16, 65536)
    for block in np.unique(starts[(starts & 0xFFFF) != 0] >> 16):
        base = int(block) << 16
        middle = nodes_at(base, 1 << 8, 256)
        low, high = np.searchsorted(starts, [base, base + 65536])
        cut = starts[low:high]
        for third in np.unique((cut[(cut & 0xFF) != 0] >> 8) & 255):
            middle[:, third] = share("leaf", leaf_pages, nodes_at(base + (int(third) << 8), 1, 256))
        root[:, block] = share("middle", middle_pages, middle)
    return root.ravel(), np.concatenate(middle_pages), np.concatenate(leaf_pages)


def ipv6_intervals(space: AddressSpace, of_interval: list[Array]) -> tuple[Array, Array, Array, Array]:
    """(start of each view, upper half, lower half, node) of IPv6 intervals; neighbours of one node joined."""
    starts, high, low, node = [0], [], [], []
    first = space.axis.ipv4_size
    halves = [(start >> 64, start & ((1 << 64) - 1)) for start in space.axis.ipv6_starts]
    upper, lower = (np.array(part, np.uint64) for part in zip(*halves, strict=True))
    for nodes in of_interval:
        ipv6 = nodes[first:]
        keep = np.concatenate(([True], ipv6[1:] != ipv6[:-1]))
        high.append(upper[keep])
        low.append(lower[keep])
        node.append(ipv6[keep].astype(np.uint32))
        starts.append(starts[-1] + int(keep.sum()))
    return np.array(starts, np.int64), np.concatenate(high), np.concatenate(low), np.concatenate(node)


def duplicates(space: AddressSpace, nodes: Nodes) -> Array:
    """uint64[n, 6]: interface, first and last address (upper, lower half each), node.

    Addresses (own, or public and so standing for an own one) that only an interface id tells apart.
    """
    lines = []
    for number, endpoint in enumerate(space.endpoints):
        node = int(nodes.of_endpoint[number])
        vpc = space.vpcs[str(space.interfaces[endpoint.interface].vpc_id)]
        view = nodes.of_interval[space.views.index(int(space.view_of_vpc[vpc]))]
        intervals = [endpoint.interval] if nodes.endpoint[view[endpoint.interval]] != number else []
        if endpoint.public_interval >= 0 and space.public[endpoint.public_interval] > 1:
            intervals.append(endpoint.public_interval)
        for interval in intervals:
            halves = [half for value in space.axis.bounds(interval) for half in (value >> 64, value & ((1 << 64) - 1))]
            lines.append((endpoint.interface, *halves, node))
    return np.array(lines, np.uint64).reshape(-1, 6)
