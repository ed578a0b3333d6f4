"""Flows aimed at what stands between: listeners and near misses, NAT, peers, on-premises, endpoints, ephemeral edges.

Drawn one by one with `random`; polars is imported when the frame is made. For the plain edges of rules and for values
that do not parse see `synthetic_flows.edge_flows`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import TYPE_CHECKING, TypeVar

from .schema import ICMP, ICMPV6, TCP, UDP
from .synthetic_flows import INTERNET, INTERNET6, edge_addresses

if TYPE_CHECKING:
    import polars as pl

    from .model import Network, NetworkInterface

_T = TypeVar("_T")

COLUMNS = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "src_interface_id", "icmp_type", "icmp_code")
#: Destination ports of ordinary services, more often than the bounds of rules.
SERVICES = (80, 80, 443, 443, 8080, 8443, 53, 22)
#: Both ends of the ephemeral ports and of their common parts (NA-16), and their outer neighbours.
EPHEMERAL_EDGES = (1023, 1024, 1025, 32767, 32768, 49151, 49152, 60999, 61000, 65534, 65535, 0)
OTHER_PROTOCOLS = (47, 50, 4, 132, 41)
ICMP_TYPES = {4: (8, 8, 8, 8, 0, 3, 13), 6: (128, 128, 128, 129, 1)}
#: How often a flow is of each kind; see `_Draw`.
KINDS = {"inside": 30, "balancer": 14, "to_balancer": 9, "out": 17, "in_": 11, "public": 4, "nat64": 3, "edge": 6,
         "foreign": 3, "again": 3}  # fmt: skip


@dataclass
class _Ends:
    """The addresses of one family that flows go between."""

    own: list[tuple[str, str]] = field(default_factory=list)
    """(interface id, address); interfaces of instances several times, for they have most flows."""
    senders: list[tuple[str, str]] = field(default_factory=list)
    """The same, with hardly any of the interfaces that open nothing."""
    public: list[str] = field(default_factory=list)
    nodes: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)
    """(address of a load balancer's node, its public one or "", the listeners' ports)."""
    outside: list[str] = field(default_factory=list)
    """Inside routes that lead out of their VPC."""
    internet: tuple[str, ...] = ()
    edges: list[str] = field(default_factory=list)


def between_flows(network: Network, seed: int, count: int) -> pl.DataFrame:
    """`count` flows from, to and past what stands between the network's interfaces, the same for the same arguments.

    Columns srcaddr, dstaddr, srcport, dstport, protocol, src_interface_id, icmp_type, icmp_code. Most flows of
    interfaces name the interface, for VPCs may share addresses.
    """
    import polars as pl

    draw = _Draw(network, Random(f"between flows {seed}"))
    rows = [draw.flow() for _ in range(count)]
    kinds = {name: pl.String if name in ("srcaddr", "dstaddr", "src_interface_id") else pl.Int64 for name in COLUMNS}
    return pl.DataFrame(rows, schema=kinds, orient="row")


class _Draw:
    """Draws single flows."""

    def __init__(self, network: Network, rng: Random) -> None:
        self.rng = rng
        self.ends = {4: _ends(network, 4), 6: _ends(network, 6)}
        self.has_six = any(interface for interface, _ in self.ends[6].own)
        self.services = SERVICES + _target_ports(network)
        self.bounds = (*EPHEMERAL_EDGES, *_port_bounds(network))
        self.kinds = [*KINDS]
        self.weights = [*KINDS.values()]
        self.appliances = [i.interface_id for i in network.interfaces.values() if not i.source_dest_check]
        self.last: tuple[str, str, str | None] = ("10.0.0.4", "10.0.0.5", None)

    def flow(self) -> tuple[str | int | None, ...]:
        """One flow, in the order of COLUMNS."""
        rng = self.rng
        version = 6 if self.has_six and rng.random() < 0.15 else 4
        kind = rng.choices(self.kinds, self.weights)[0]
        source, destination, interface, port = self._of_kind(kind, version)
        self.last = source, destination, interface
        if interface is not None and rng.random() < 0.1:
            interface = None
        return (source, destination, *self._ports(version if ":" in source else 4, port, interface))

    def _of_kind(self, kind: str, version: int) -> tuple[str, str, str | None, int | None]:
        """Source, destination, interface of the source, and the port if the kind of flow wants a certain one."""
        rng, ends, port = self.rng, self.ends[version], None
        nobody = ("", "10.0.0.9" if version == 4 else "2600:1f18:9::9")
        own, source = self._pick(ends.senders, nobody)
        interface = own or None
        destination = self._pick(ends.own, ("", ends.internet[0]))[1]
        if kind in ("balancer", "to_balancer") and ends.nodes:
            private, public, ports = rng.choice(ends.nodes)
            share = 0.8 if kind == "to_balancer" else 0.5
            destination = public if public and rng.random() < share else private
            port = rng.choice(ports) + rng.choice((0, 0, 0, 0, 0, 1, -1)) if ports else None
        if kind == "to_balancer":
            source, interface = self._outside(ends, 0.35), None
        elif kind == "out":
            destination = self._outside(ends)
        elif kind == "in_":
            source, interface = self._outside(ends, 0.35), None
            if rng.random() < 0.8:
                destination = self._pick(ends.public, destination)
        elif kind == "public":
            destination = self._pick(ends.public, destination)
            if rng.random() < 0.2:
                source, interface = self._pick(ends.public, source), None
        elif kind == "nat64" and version == 6:
            inner = rng.choice((*INTERNET, *self.ends[4].outside[:8], self._pick(self.ends[4].own, ("", "8.8.8.8"))[1]))
            destination = str(IPv6Address((0x64FF9B << 96) + int(IPv4Address(inner))))
        elif kind == "edge":
            destination = self._pick(ends.edges, destination)
            if rng.random() < 0.2:
                source, interface = self._pick(ends.edges, source), None
        elif kind == "foreign":  # what a middlebox would send on
            source = self._pick(ends.own, nobody)[1]
            interface = self._pick(self.appliances, own) or None
        elif kind == "again" and (":" in self.last[0]) == (version == 6):  # the reply as a flow of its own
            return self.last[1], self.last[0], None, None
        return source, destination, interface, port

    def _pick(self, values: list[_T], default: _T) -> _T:
        return self.rng.choice(values) if values else default

    def _outside(self, ends: _Ends, share: float = 0.55) -> str:
        """An address inside a route that leads out (a `share` of them), or of the internet."""
        by_route = ends.outside and self.rng.random() < share
        return self.rng.choice(ends.outside if by_route else ends.internet)

    def _ports(
        self, version: int, port: int | None, interface: str | None
    ) -> tuple[int | None, int | None, int, str | None, int | None, int | None]:
        """srcport, dstport, protocol, src_interface_id, icmp_type, icmp_code."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.86 or (port is not None and draw < 0.95):
            protocol = UDP if (port or 0) == 53 or rng.random() < 0.12 else TCP
            if port is None or rng.random() < 0.05:
                port = rng.choice(self.services if rng.random() < 0.75 else self.bounds)
            return (
                rng.randrange(32768, 61000) if rng.random() < 0.6 else rng.choice(self.bounds),
                max(port, 0),
                protocol,
                interface,
                None,
                None,
            )
        if draw < 0.96:
            known, own = rng.random(), version if rng.random() < 0.95 else 10 - version
            kind = rng.choice(ICMP_TYPES[own]) if known < 0.85 else None
            code = 0 if known < 0.8 else None
            return None, None, ICMP if own == 4 else ICMPV6, interface, kind, code
        return None, None, rng.choice(OTHER_PROTOCOLS), interface, None, None


def _ends(network: Network, version: int) -> _Ends:
    found = _Ends(internet=INTERNET if version == 4 else INTERNET6, edges=edge_addresses(network, version))
    for interface in network.interfaces.values():
        if interface.vpc_id is None:
            continue
        ordinary = interface.interface_type == "interface"
        for own in interface.addresses:
            if own.address.version == version:
                end = interface.interface_id, str(own.address)
                found.own += [end] * (5 if ordinary else 1)
                found.senders += [end] * (30 if ordinary else 4 if interface.interface_type == "nat_gateway" else 1)
                found.public += [str(own.public_address)] if own.public_address else []
                _add_node(found, network, interface, str(own.address), str(own.public_address or ""))
    kind = IPv4Address if version == 4 else IPv6Address
    inside = [block for vpc in network.vpcs.values() for block in vpc.blocks]
    blocks = {
        route.destination
        for table in network.route_tables.values()
        for route in table.routes
        if not isinstance(route.destination, str) and route.destination not in inside
    }
    blocks |= {block for listed in network.prefix_lists.values() for block in listed.cidr_blocks or ()}
    for block in sorted((block for block in blocks if block.version == version and block.prefixlen), key=str):
        low, high = int(block.network_address), int(block.broadcast_address)
        found.outside += [str(kind(number)) for number in (low + 9 if high - low > 9 else low, high)]
    return found


def _add_node(found: _Ends, network: Network, interface: NetworkInterface, address: str, public: str) -> None:
    balancer = network.load_balancer_of.get(interface.interface_id)
    if balancer is not None:
        found.nodes.append((address, public, tuple(listener.port for listener in balancer.listeners or ())))


def _target_ports(network: Network) -> tuple[int, ...]:
    return tuple(
        sorted(
            {group.port for group in network.target_groups.values() if group.port}
            | {target.port for group in network.target_groups.values() for target in group.targets or () if target.port}
        )
    )


def _port_bounds(network: Network) -> tuple[int, ...]:
    """Both bounds of every rule's ports and their outer neighbours."""
    pairs = {
        (rule.from_port, rule.to_port)
        for group in network.security_groups.values()
        for rule in group.rules
        if rule.protocol in (TCP, UDP)
    }
    pairs |= {
        (entry.from_port, entry.to_port)
        for acl in network.network_acls.values()
        for entry in acl.entries
        if entry.protocol in (TCP, UDP)
    }
    found = {
        port
        for first, last in pairs
        if first is not None and last is not None
        for port in (first - 1, first, last, last + 1)
        if 0 <= port <= 65535
    }
    return tuple(sorted(found))
