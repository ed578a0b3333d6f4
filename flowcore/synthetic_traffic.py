"""Realistic traffic along a network's rules, for benchmarks and the demonstration log.

Each flow is drawn from tables (rules with somebody on both sides, interfaces with public addresses, internet
addresses) with NumPy, millions a second. polars is imported when the frame is made.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import FlowError
from .schema import ICMP, ICMPV6, TCP, UDP
from .synthetic_flows import Places, places_of

if TYPE_CHECKING:
    import polars as pl

    from .model import IPNetwork, Network

    Ints = np.ndarray[Any, np.dtype[np.int64]]

#: Ports that clients ask for, the common ones more often.
COMMON_PORTS = (443,) * 8 + (80,) * 4 + (22, 53, 123, 3306, 5432, 6379, 8080, 8443, 9200)
INTERNET_HOSTS = 20_000
_EVERYTHING = IPv4Network("0.0.0.0/0")
CONVERSATIONS = 1 << 17
"""Distinct (pair, port) choices that skewed traffic repeats."""
#: Upper ends of the shares of flows: along rules inside a VPC, any pair of a VPC, from the internet along rules,
#: scans from the internet, to the internet from public interfaces; the rest: to the internet from anywhere.
SHARES = (0.60, 0.70, 0.82, 0.87, 0.985)
#: The same of mixed traffic: two thirds inside VPCs, the rest in the ways of `MIXED_KINDS`.
MIXED_SHARES = (0.57, 2 / 3, 2 / 3, 2 / 3, 2 / 3)
#: Way between -> how often, of what is left of mixed traffic.
MIXED_KINDS = {"nat": 10, "to_public_balancer": 5, "to_balancer": 6, "peering": 5, "transit": 6, "endpoint": 1}


@dataclass(frozen=True)
class _Family:
    """What flows of one address family are drawn from. Addresses are indices: places, then public, then internet."""

    places: Places
    ends: Ints
    """Indices into `places`, one slice a group (its members); then every index once (slices of these: CIDRs)."""
    rules: Ints
    """(rules, 7): first and last + 1 in `ends` of the members, of the sources; protocol, first port, last port."""
    doors: Ints
    """(doors, 4): place that can be reached from the internet; protocol, first port, last port."""
    public_of: Ints
    """Place -> its public address (itself in IPv6), -1 without."""
    internet: int
    """Index of the first of `INTERNET_HOSTS`."""
    texts: list[str]
    numbers: list[int]


def traffic(
    network: Network,
    count: int,
    seed: int,
    *,
    skew: float = 0.0,
    ipv6_share: float = 0.1,
    as_integers: bool = False,
    mixed: bool = False,
) -> pl.DataFrame:
    """`count` flows as hosts of this network would open them, the same for the same arguments.

    Columns srcaddr, dstaddr (strings), srcport, dstport, protocol; ports are 0 for ICMP. About six of ten follow a rule
    inside a VPC, the rest come from or go to the internet or try what no rule may allow. `skew` > 0 repeats
    at most 131,072 conversations with Zipf frequencies of that exponent (new source ports each time). `as_integers`:
    UInt32 addresses (IPv4 only, `ipv6_share` is not used), UInt16 ports and UInt8 protocol. `mixed`: two thirds of the
    IPv4 flows stay inside VPCs, the rest goes by NAT gateways, load balancers, peering connections, transit gateways
    and gateway endpoints, as far as the network has them. Raises FlowError if the network has no interface with an
    address.
    """
    rng = np.random.default_rng((seed, 0x7AFF1C))
    four = _family(network, 4)
    six = None if as_integers or not ipv6_share else _family(network, 6)
    six = six if six is not None and six.places.texts else None
    if not four.places.texts:
        raise FlowError("the network has no attached interface with an IPv4 address", hint="describe NetworkInterfaces")
    drawn = min(count, CONVERSATIONS) if skew > 0 else count
    ways = _add_ways(four, network) if mixed else None
    src, dst, port, protocol = _conversations(rng, four, drawn, ways)
    if six is not None:
        rows = np.flatnonzero(rng.random(drawn) < ipv6_share)
        others = _conversations(rng, six, len(rows))
        offset = len(four.texts)
        for column, values, shift in zip((src, dst, port, protocol), others, (offset, offset, 0, 0), strict=True):
            column[rows] = values + shift
    if skew > 0:
        weight = np.cumsum(np.arange(1, drawn + 1, dtype=np.float64) ** -skew)
        choice = np.searchsorted(weight, rng.random(count) * weight[-1])
        src, dst, port, protocol = src[choice], dst[choice], port[choice], protocol[choice]
    source_port = rng.integers(32768, 61000, count)
    portless = (protocol != TCP) & (protocol != UDP)
    source_port[portless], port[portless] = 0, 0
    return _frame(four, six, (src, dst, source_port, port, protocol), as_integers)


def _frame(four: _Family, six: _Family | None, columns: tuple[Ints, ...], as_integers: bool) -> pl.DataFrame:
    import polars as pl

    src, dst, source_port, port, protocol = columns
    addresses = (
        pl.Series(four.numbers, dtype=pl.UInt32)
        if as_integers
        else pl.Series(four.texts + (six.texts if six else []), dtype=pl.String)
    )
    port_type, protocol_type = (np.uint16, np.uint8) if as_integers else (np.int32, np.int32)
    return pl.DataFrame(
        {
            "srcaddr": addresses.gather(src),
            "dstaddr": addresses.gather(dst),
            "srcport": source_port.astype(port_type),
            "dstport": port.astype(port_type),
            "protocol": protocol.astype(protocol_type),
        }
    )


def _family(network: Network, version: int) -> _Family:
    places = places_of(network, version, ordinary=True)
    ends, rules, open_rules = _usable_rules(network, places, version)
    size = len(places.texts)
    public_of = np.full(size, -1, np.int64)
    texts, numbers = list(places.texts), list(places.numbers)
    for place, text in zip(places.public, places.public_texts, strict=True):
        public_of[place] = place
        if version == 4:
            public_of[place] = len(texts)
            texts.append(text)
            numbers.append(int(IPv4Address(text)))
    doors = [
        (place, *rules[rule, 4:7])
        for rule in open_rules
        for place in ends[rules[rule, 0] : rules[rule, 1]]
        if public_of[place] >= 0
    ]
    internet = len(texts)
    host_texts, host_numbers = _internet_hosts(version)
    texts += host_texts
    numbers += host_numbers
    return _Family(
        places=places,
        ends=ends,
        rules=rules,
        doors=np.array(doors, np.int64).reshape(-1, 4),
        public_of=public_of,
        internet=internet,
        texts=texts,
        numbers=numbers if version == 4 else [],
    )


@cache
def _internet_hosts(version: int) -> tuple[list[str], list[int]]:
    """The same for every network, of internet kind: texts, and for IPv4 numbers (no first byte with private ranges)."""
    rng = np.random.default_rng(0x1A7E)
    low = [int(value) for value in rng.integers(0, 1 << 24, INTERNET_HOSTS)]
    if version == 6:
        return [f"2a00:{value >> 12:x}::{(value & 0xFFF) + 1:x}" for value in low], []
    private = {10, 54, 100, 127, 169, 172, 192}
    first = rng.choice([byte for byte in range(1, 224) if byte not in private], INTERNET_HOSTS)
    numbers = [(int(byte) << 24) + value for byte, value in zip(first, low, strict=True)]
    return [str(IPv4Address(number)) for number in numbers], numbers


def _usable_rules(network: Network, places: Places, version: int, limit: int = 50_000) -> tuple[Ints, Ints, list[int]]:
    """`_Family.ends`, `_Family.rules` (an even choice of `limit`), and which rules are open to the whole internet."""
    where: dict[str, list[int]] = {}
    for i, interface_id in enumerate(places.interface):
        where.setdefault(interface_id, []).append(i)
    ends: list[int] = []
    slices: dict[str, tuple[int, int]] = {}

    def members(group_id: str) -> tuple[int, int]:
        if group_id not in slices:
            start = len(ends)
            for interface in network.members.get(group_id, ()):
                ends.extend(where.get(interface.interface_id, ()))
            slices[group_id] = (start, len(ends))
        return slices[group_id]

    found: list[tuple[int, ...]] = []
    vpc_number = {vpc_id: i for i, vpc_id in enumerate(places.vpc_ids)}
    for group in network.security_groups.values():
        low, high = members(group.group_id)
        vpc = vpc_number.get(group.vpc_id or "")
        if low == high or vpc is None:
            continue
        part = int(places.start[vpc]), int(places.start[vpc + 1])
        for rule in group.rules:
            cidr, by_cidr = rule.cidr_block, 0
            if rule.egress or rule.protocol not in (TCP, UDP, -1):
                continue
            if rule.referenced_group_id:
                first, last = members(rule.referenced_group_id)
            elif cidr is not None and cidr.version == version:
                first, last = _within(places.numbers, part, cidr)
                by_cidr = 1 + (cidr.prefixlen == 0)
            else:
                continue
            if first < last:
                ports = (rule.from_port or 0, 65535 if rule.to_port is None else rule.to_port)
                ports = ports if rule.protocol in (TCP, UDP) else (0, 65535)
                found.append((low, high, first, last, rule.protocol, *ports, by_cidr))
    found = found[:: max(1, len(found) // limit)]
    table = np.array(found, np.int64).reshape(-1, 8)
    table[:, 2:4] += np.where(table[:, 7:8] > 0, len(ends), 0)
    all_places = np.arange(len(places.texts))
    return np.concatenate([np.array(ends, np.int64), all_places]), table[:, :7], [*np.flatnonzero(table[:, 7] == 2)]


def _within(numbers: list[int], part: tuple[int, int], cidr: IPNetwork) -> tuple[int, int]:
    """The slice of the sorted `numbers[part]` that lies in `cidr`."""
    first, last = int(cidr.network_address), int(cidr.broadcast_address)
    return bisect_left(numbers, first, *part), bisect_right(numbers, last, *part)


def _conversations(
    rng: np.random.Generator, family: _Family, count: int, ways: _Ways | None = None
) -> tuple[Ints, Ints, Ints, Ints]:
    """Source and destination (indices of addresses), destination port and protocol of `count` conversations."""
    places, size = family.places, len(family.places.texts)
    kind = np.searchsorted(np.array(SHARES if ways is None else MIXED_SHARES), rng.random(count), side="right")
    src, dst = np.empty(count, np.int64), np.empty(count, np.int64)
    port, protocol = np.empty(count, np.int64), np.empty(count, np.int64)
    reachable = np.flatnonzero(family.public_of >= 0)
    for number in range(len(SHARES) + 1):
        rows = np.flatnonzero(kind == number)
        n = len(rows)
        a = rng.integers(0, size, n)
        service = np.array(COMMON_PORTS)[rng.integers(0, len(COMMON_PORTS), n)]
        asked = np.where((service == 53) | (service == 123), UDP, TCP)
        hosts = family.internet + (rng.random(n) ** 2 * INTERNET_HOSTS).astype(np.int64)
        if number == 0 and len(family.rules):
            b, a, service, asked = _along(rng, family, n)
        elif number == 2 and len(family.doors):
            door = family.doors[rng.integers(0, len(family.doors), n)]
            a, b = hosts, _public(rng, family, door[:, 0])
            service, asked = _port_of(rng, door[:, 1], door[:, 2], door[:, 3])
        elif number in (2, 3) and len(reachable):
            a, b = hosts, _public(rng, family, reachable[rng.integers(0, len(reachable), n)])
            service = np.where(rng.random(n) < 0.5, rng.integers(1, 65536, n), service)
        elif number == 4 and len(reachable):
            a, b = reachable[rng.integers(0, len(reachable), n)], hosts
        elif number == 5 and ways is not None:
            a, b, service, asked = _by_ways(rng, family, ways, n)
        elif number == 5:
            b = hosts
        else:
            first, last = places.start[places.vpc[a]], places.start[places.vpc[a] + 1]
            b = first + (rng.random(n) * (last - first)).astype(np.int64)
            asked = np.where(rng.random(n) < 0.1, ICMP if family.numbers else ICMPV6, asked)
        src[rows], dst[rows], port[rows], protocol[rows] = a, b, service, asked
    return src, dst, port, protocol


def _along(rng: np.random.Generator, family: _Family, count: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Destination, source, port and protocol that some inbound rule allows."""
    rule = family.rules[rng.integers(0, len(family.rules), count)]
    low, high, first, last = rule[:, 0], rule[:, 1], rule[:, 2], rule[:, 3]
    b = family.ends[low + (rng.random(count) * (high - low)).astype(np.int64)]
    place = first + (rng.random(count) * (last - first)).astype(np.int64)
    a = family.ends[place]
    same = np.flatnonzero((a == b) & (last - first > 1))  # hosts seldom talk to themselves
    again = place[same] + 1
    a[same] = family.ends[np.where(again < last[same], again, first[same])]
    return b, a, *_port_of(rng, rule[:, 4], rule[:, 5], rule[:, 6])


def _port_of(rng: np.random.Generator, protocol: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """A destination port in first..last (a common one, if the range is wide and holds it) and TCP for any protocol."""
    port = first + (rng.random(len(first)) * (last - first + 1)).astype(np.int64)
    common = np.array(COMMON_PORTS)[rng.integers(0, len(COMMON_PORTS), len(first))]
    port = np.where((last - first > 10_000) & (first <= common) & (common <= last), common, port)
    return port, np.where(protocol < 0, TCP, protocol)


def _public(rng: np.random.Generator, family: _Family, places: Ints) -> Ints:
    """Half of the places by their public address, half (as a log would say) by their own."""
    return np.where(rng.random(len(places)) < 0.5, family.public_of[places], places)


# -- mixed traffic -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ways:
    """Ends of flows that meet something in between. Addresses are indices as in `_Family`."""

    nat: Ints
    """Places whose route to the internet leads to a NAT gateway."""
    endpoint: Ints
    """Places with a route to a gateway endpoint."""
    services: Ints
    """Addresses in the prefix lists of those routes."""
    public_balancers: Ints
    """(nodes, 2): public address of a node, port of a listener."""
    balancers: Ints
    """(nodes, 3): private address of a node, port of a listener, VPC number."""
    pairs: dict[str, Ints]
    """peering, transit: (pairs, 2) numbers of VPCs, of which the first has a route to the second."""


def _add_ways(family: _Family, network: Network) -> _Ways:
    """The ways through the network; addresses that `family` lacks are added to it."""
    places = family.places
    known: dict[str, int] = {}

    def index(text: str) -> int:
        if text not in known:
            known[text] = len(family.texts)
            family.texts.append(text)
            family.numbers.append(int(IPv4Address(text)))
        return known[text]

    vpc_number = {vpc_id: i for i, vpc_id in enumerate(places.vpc_ids)}
    nat, endpoint, services, pairs = _routed(places, network, vpc_number)
    public, private = [], []
    for node, balancer in sorted(network.load_balancer_of.items()):
        for listener in balancer.listeners or ():
            for own in network.interfaces[node].addresses:
                if own.public_address is not None:
                    public.append((index(str(own.public_address)), listener.port))
                if own.address.version == 4 and balancer.vpc_id in vpc_number:
                    private.append((index(str(own.address)), listener.port, vpc_number[balancer.vpc_id]))
    return _Ways(
        nat=np.array(nat, np.int64),
        endpoint=np.array(endpoint, np.int64),
        services=np.array([index(text) for text in sorted(services)], np.int64),
        public_balancers=np.array(public, np.int64).reshape(-1, 2),
        balancers=np.array(private, np.int64).reshape(-1, 3),
        pairs={kind: np.array(sorted(found), np.int64).reshape(-1, 2) for kind, found in pairs.items()},
    )


def _routed(
    places: Places, network: Network, vpc_number: dict[str, int]
) -> tuple[list[int], list[int], set[str], dict[str, set[tuple[int, int]]]]:
    """`nat`, `endpoint`, `services` (as texts) and `pairs` of `_Ways`, by the routes of the places' subnets."""
    cidrs: dict[object, int] = {
        block: vpc_number[vpc.vpc_id]
        for vpc in network.vpcs.values()
        if vpc.vpc_id in vpc_number
        for block in vpc.cidr_blocks
    }
    pairs: dict[str, set[tuple[int, int]]] = {"peering": set(), "transit": set()}
    services: set[str] = set()
    kinds: dict[str, dict[object, str]] = {}
    nat, endpoint = [], []
    for i, interface_id in enumerate(places.interface):
        interface = network.interfaces[interface_id]
        table = network.route_table_of(interface.subnet_id, interface.vpc_id)
        if table is None:
            continue
        if table.route_table_id not in kinds:
            kinds[table.route_table_id] = {route.destination: route.target_kind for route in table.routes}
            for route in table.routes:
                way = {"vpc-peering-connection": "peering", "transit-gateway": "transit"}.get(route.target_kind)
                there = cidrs.get(route.destination)
                if way and there is not None:
                    pairs[way].add((int(places.vpc[i]), there))
                listed = network.prefix_lists.get(str(route.destination))
                if route.target_kind == "gateway-endpoint" and listed is not None:
                    services.update(str(block[77]) for block in listed.cidr_blocks or ())
        own = kinds[table.route_table_id]
        if own.get(_EVERYTHING) == "nat-gateway":
            nat.append(i)
        if "gateway-endpoint" in own.values():
            endpoint.append(i)
    return nat, endpoint, services, pairs


def _by_ways(rng: np.random.Generator, family: _Family, ways: _Ways, count: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Source, destination, port and protocol of flows that meet something in between; NAT where a way is missing."""
    places = family.places
    weights = np.array([*MIXED_KINDS.values()], float)
    kinds = rng.choice(len(weights), count, p=weights / weights.sum())
    nat = ways.nat if len(ways.nat) else np.arange(len(places.texts))
    a = nat[rng.integers(0, len(nat), count)]
    b = family.internet + (rng.random(count) ** 2 * INTERNET_HOSTS).astype(np.int64)
    port = np.where(rng.random(count) < 0.9, 443, 80)

    def of_vpc(numbers: Ints) -> Ints:
        first, last = places.start[numbers], places.start[numbers + 1]
        return first + (rng.random(len(numbers)) * (last - first)).astype(np.int64)

    for number, name in enumerate(MIXED_KINDS):
        rows = np.flatnonzero(kinds == number)
        n = len(rows)
        if name == "to_public_balancer" and len(ways.public_balancers):
            node = ways.public_balancers[rng.integers(0, len(ways.public_balancers), n)]
            a[rows], b[rows], port[rows] = b[rows], node[:, 0], node[:, 1]
        elif name == "to_balancer" and len(ways.balancers):
            node = ways.balancers[rng.integers(0, len(ways.balancers), n)]
            a[rows], b[rows], port[rows] = of_vpc(node[:, 2]), node[:, 0], node[:, 1]
        elif name in ways.pairs and len(ways.pairs[name]):
            pair = ways.pairs[name][rng.integers(0, len(ways.pairs[name]), n)]
            a[rows], b[rows], port[rows] = of_vpc(pair[:, 0]), of_vpc(pair[:, 1]), 443
        elif name == "endpoint" and len(ways.endpoint) and len(ways.services):
            a[rows] = ways.endpoint[rng.integers(0, len(ways.endpoint), n)]
            b[rows] = ways.services[rng.integers(0, len(ways.services), n)]
    return a, b, port, np.full(count, TCP, np.int64)
