"""Route tables as words over classes of destinations: which route wins where (RT-04…18)."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from .addresses import INTERNET, AddressAxis
from .compile_policies import deny, unsure
from .model import TARGET_PATHS, Network, Route, RouteTable, RouteTarget
from .schema import PATHS

Array = npt.NDArray[Any]

KINDS = tuple(TARGET_PATHS)
NO_ROUTE, NO_TABLE, MISSING_LIST, AMBIGUOUS_LIST = range(4)
INTERNET_UNDESCRIBED, INTERNET_DETACHED, EGRESS_UNDESCRIBED, EGRESS_DETACHED = range(4, 8)
ACTIVE, BLACKHOLE = 8, 8 + len(KINDS)  # + number of the target kind

MIDDLEBOXES = frozenset({RouteTarget.NETWORK_INTERFACE, RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT})
#: Targets behind which the walk goes on, or ends outside, as kernels_long knows (docs/semantics.md, section 6).
LONG_TARGETS = MIDDLEBOXES | {
    RouteTarget.NAT_GATEWAY,
    RouteTarget.TRANSIT_GATEWAY,
    RouteTarget.VPC_PEERING_CONNECTION,
    RouteTarget.VIRTUAL_PRIVATE_GATEWAY,
    RouteTarget.GATEWAY_ENDPOINT,
}


def code_of(network: Network, route: Route, vpc_id: str) -> int:
    """Route code of a winning route: its target's kind and state."""
    number = KINDS.index(route.target_kind)
    if route.blackhole:
        return BLACKHOLE + number
    if route.target_kind == RouteTarget.INTERNET_GATEWAY:
        gateway = network.internet_gateways.get(route.target_id)
        if gateway is None:
            return INTERNET_UNDESCRIBED
        return ACTIVE + number if vpc_id in gateway.vpc_ids else INTERNET_DETACHED
    if route.target_kind == RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY:
        gateway = network.egress_only_internet_gateways.get(route.target_id)
        if gateway is None:
            return EGRESS_UNDESCRIBED
        return ACTIVE + number if vpc_id in gateway.vpc_ids else EGRESS_DETACHED
    return ACTIVE + number


def outcome_tables() -> dict[str, Array]:
    """The kernels' tables by route code: outcomes, gate, gate outcome, path."""
    outcome = np.full((4, 256), unsure("UNSUPPORTED_COMPONENT"), np.uint8)
    outcome[3] = deny("NO_ROUTE_TO_DESTINATION")  # RT-12, but for what may be a route to VPC Lattice
    outcome[3, ACTIVE + KINDS.index(RouteTarget.UNKNOWN)] = unsure("UNSUPPORTED_COMPONENT")
    outcome[:, NO_ROUTE] = deny("NO_ROUTE_TO_DESTINATION")
    outcome[:, NO_TABLE] = unsure("UNKNOWN_RESOURCE")
    outcome[:, MISSING_LIST] = unsure("MISSING_PREFIX_LIST")
    outcome[:3, AMBIGUOUS_LIST] = unsure("AMBIGUOUS_PREFIX_LIST_ROUTE")
    gate, gate_outcome = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
    path = np.full(256, k.NULL8, np.uint8)
    for number, kind in enumerate(KINDS):
        path[[ACTIVE + number, BLACKHOLE + number]] = PATHS.index(TARGET_PATHS[kind])
        outcome[:3, BLACKHOLE + number] = deny("BAD_STATE_ROUTE")
        outcome[0, ACTIVE + number] = k.LONG
        if kind in LONG_TARGETS:
            outcome[1, ACTIVE + number] = k.LONG
        if kind in MIDDLEBOXES:
            outcome[2, ACTIVE + number] = k.LONG
        elif kind != RouteTarget.UNKNOWN:
            outcome[2, ACTIVE + number] = deny("ASYMMETRIC_RETURN")  # IG-02
    outcome[0, ACTIVE + KINDS.index(RouteTarget.LOCAL)] = 0
    internet, egress = KINDS.index(RouteTarget.INTERNET_GATEWAY), KINDS.index(RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY)
    outward = [ACTIVE + internet, INTERNET_UNDESCRIBED, INTERNET_DETACHED]
    outward_only = [ACTIVE + egress, EGRESS_UNDESCRIBED, EGRESS_DETACHED]
    outcome[0, outward + outward_only] = k.LONG
    outcome[1, outward + outward_only] = 0
    outcome[2, ACTIVE + internet] = 0
    outcome[2, INTERNET_UNDESCRIBED] = unsure("UNKNOWN_RESOURCE")
    outcome[2, INTERNET_DETACHED] = deny("BAD_STATE_ATTACHMENT")
    outcome[2, outward_only] = deny("ASYMMETRIC_RETURN")
    gate[outward], gate[outward_only] = k.GATE_INTERNET, k.GATE_EGRESS_ONLY
    gate_outcome[[INTERNET_UNDESCRIBED, EGRESS_UNDESCRIBED]] = unsure("UNKNOWN_RESOURCE")
    gate_outcome[[INTERNET_DETACHED, EGRESS_DETACHED]] = deny("BAD_STATE_ATTACHMENT")
    path[outward + outward_only] = PATHS.index("internet")
    return {"route_outcome": outcome, "route_gate": gate, "route_gate_outcome": gate_outcome, "route_path": path}


def route_label(table: RouteTable, route: Route) -> str:
    """The name of a route in verdicts: `rtb-… 10.0.0.0/16` or `rtb-… pl-…`."""
    return f"{table.route_table_id} {route.destination}"


def _candidates(network: Network, routes: list[Route], own: tuple[Any, ...]) -> list[tuple[int, int, int, Any, Route]]:
    """(prefix length, rank, -order, prefix, route) of everything that can win, weakest first (RT-05, RT-06, RT-11)."""
    found = []
    for order, route in enumerate(routes):
        if isinstance(route.destination, str):
            listed = network.prefix_lists.get(route.destination)
            blocks: tuple[Any, ...] = (listed.cidr_blocks if listed else None) or ()
            found += [(block.prefixlen, 1, -order, block, route) for block in blocks]
        elif not route.propagated:
            found.append((route.destination.prefixlen, 2, -order, route.destination, route))
        elif not any(_inside(route.destination, prefix) for prefix in own):
            found.append((route.destination.prefixlen, 0, -order, route.destination, route))
    return sorted(found, key=lambda candidate: candidate[:3])


def _inside(prefix: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    return prefix.version == other.version and prefix.subnet_of(other)  # type: ignore[arg-type]


def winners(network: Network, table: RouteTable, axis: AddressAxis, positions: Array, labels: dict[str, int]) -> Array:
    """uint32[positions]: route word (label + 1) << 8 | route code of the winner at each interval of `positions`.

    `positions` ascend, and stand for no addresses of another family or kind. `labels`: number of each route label.
    """
    vpc = network.vpcs.get(table.vpc_id)
    own = (*vpc.cidr_blocks, *vpc.ipv6_cidr_blocks) if vpc else ()
    routes = list(network.routes_of(table))
    words = np.full(positions.size, NO_ROUTE, np.uint32)
    length, rank = np.full(positions.size, -1, np.int64), np.full(positions.size, -1, np.int64)
    target, ambiguous = np.full(positions.size, -1, np.int64), np.zeros(positions.size, np.bool_)
    targets: dict[tuple[str, str], int] = {}
    for size, origin, _, prefix, route in _candidates(network, routes, own):
        low, high = (int(p) for p in np.searchsorted(positions, axis.span(prefix)))
        if low == high:
            continue
        part = slice(low, high)
        goal = targets.setdefault((route.target_kind, route.target_id), len(targets))
        tie = (length[part] == size) & (rank[part] == origin)
        # RT-07: two lists, same length, different targets. Once mixed, it stays mixed.
        ambiguous[part] = tie & (origin == 1) & (ambiguous[part] | (target[part] != goal))
        length[part], rank[part], target[part] = size, origin, goal
        words[part] = (labels[route_label(table, route)] + 1) << 8 | code_of(network, route, table.vpc_id)
    words[ambiguous] = AMBIGUOUS_LIST
    full = np.where(positions < axis.ipv4_size, 32, 128)
    outside, kinds = ~axis.mask(own)[positions], axis.kinds()[positions]
    for route in routes:
        if isinstance(route.destination, str):
            listed = network.prefix_lists.get(route.destination)
            if listed is None or listed.cidr_blocks is None:
                family = listed.address_family if listed else None
                ((low, high),) = axis.family_span(family)
                possible = outside & ~ambiguous & (length != full) & (positions >= low) & (positions < high)
                if route.target_kind == RouteTarget.GATEWAY_ENDPOINT:  # RT-19: AWS's own list, of the service alone
                    possible &= kinds == INTERNET
                words[possible] = MISSING_LIST
    return words
