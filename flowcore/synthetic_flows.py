"""Flows from the edges of a network's rules: where a wrong bound, a wrong order or a wrong prefix length shows.

Drawn with NumPy from tables of addresses, ports and interfaces. polars is imported when a frame is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

import numpy as np

from .schema import ICMP, ICMPV6, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl

    from .model import IPNetwork, Network

    Ints = np.ndarray[Any, np.dtype[np.int64]]

#: Service, reserved, private, unroutable and ordinary addresses of every kind named in docs/semantics.md section 2.
SPECIAL = (
    "169.254.169.253", "169.254.169.254", "169.254.169.123", "169.254.169.250", "169.254.169.251", "169.254.170.2",
    "169.254.168.0", "169.254.171.255", "169.254.167.255", "169.254.172.0", "169.254.1.1",
    "224.0.0.0", "223.255.255.255", "239.1.2.3", "240.0.0.1", "255.255.255.255", "0.0.0.0", "0.255.255.255", "1.0.0.0",
    "127.0.0.1", "126.255.255.255", "128.0.0.0", "9.255.255.255", "10.255.255.255", "11.0.0.0", "172.15.255.255",
    "172.31.255.255", "172.32.0.0", "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0",
    "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", "10.99.1.2", "100.99.1.2",
)  # fmt: skip
SPECIAL6 = (
    "fd00:ec2::253", "fd00:ec2::254", "fd00:ec2::123", "fd00:ec2::1", "fd00:ec1:ffff::1", "fd00:ec3::", "fe80:ec2::1",
    "fe80::1", "fec0::1", "febf::1", "ff02::1", "ff00::", "feff::1", "::", "::1", "::2", "fc00::1", "fdff::1",
    "fbff::1", "fe00::1", "64:ff9b::8.8.8.8",
)  # fmt: skip
INTERNET = ("8.8.8.8", "1.1.1.1", "203.0.113.5", "203.0.113.130", "198.51.100.7", "93.184.216.34", "52.95.8.4",
            "54.144.9.9")  # fmt: skip
INTERNET6 = ("2001:db8:1:2::7", "2001:db8:1::9", "2606:4700::1111", "2a00:1450:4001::64", "2600:1f18:9::5")
#: Nothing that parses: what reading must call INVALID_FLOW, not crash on.
BAD = ("", "-", "10.0.0", "10.0.0.256", "10.0.0.4/32", "abc", "1::2::3", "10.0.0.04 ", "fe80::1%eth0")
OTHER_PROTOCOLS = (0, 2, 4, 41, 47, 50, 51, 89, 132, 253, 255)


@dataclass(frozen=True)
class Places:
    """The interfaces' addresses of one address family, grouped by VPC, sorted by address within."""

    texts: list[str]
    numbers: list[int]
    interface: list[str]
    start: Ints
    """Of each VPC's part; one more at the end."""
    vpc: Ints
    subnet: Ints
    """Equal numbers for equal subnets."""
    public: list[int]
    """Entries that can be reached from the internet: a public address (IPv4), any (IPv6)."""
    public_texts: list[str]
    vpc_ids: list[str]


def places_of(network: Network, version: int, *, ordinary: bool = False) -> Places:
    """The addresses of one family; `ordinary`: of attached interfaces of instances only."""
    rows = []
    for interface in network.interfaces.values():
        if interface.vpc_id is None or (ordinary and (interface.detached or interface.interface_type != "interface")):
            continue
        where = interface.subnet_id or ""
        for own in interface.addresses:
            if own.address.version == version:
                public = str(own.public_address) if own.public_address else ""
                rows.append((interface.vpc_id, int(own.address), interface.interface_id, public, where))
        for prefix in interface.prefixes:
            if prefix.version == version:
                first, last = int(prefix[0]), int(prefix[-1])
                rows.extend((interface.vpc_id, number, interface.interface_id, "", where) for number in (first, last))
    rows.sort()
    vpc_ids = sorted({row[0] for row in rows})
    place = {vpc_id: i for i, vpc_id in enumerate(vpc_ids)}
    vpc = np.array([place[row[0]] for row in rows], np.int64)
    reachable = [i for i, row in enumerate(rows) if version == 6 or row[3]]
    texts = [str(IPv4Address(row[1]) if version == 4 else IPv6Address(row[1])) for row in rows]
    return Places(
        texts=texts,
        numbers=[row[1] for row in rows],
        interface=[row[2] for row in rows],
        start=np.searchsorted(vpc, np.arange(len(vpc_ids) + 1)).astype(np.int64),
        vpc=vpc,
        subnet=np.unique(np.array([row[4] for row in rows], str), return_inverse=True)[1].astype(np.int64),
        public=reachable,
        public_texts=[rows[i][3] or texts[i] for i in reachable],
        vpc_ids=vpc_ids,
    )


# -- the edges of the rules --------------------------------------------------------------------------------


def rule_networks(network: Network) -> Iterator[IPNetwork]:
    """Every CIDR in the network: VPCs, subnets, rules, entries, routes, prefix lists, delegated prefixes."""
    for vpc in network.vpcs.values():
        yield from vpc.cidr_blocks
        yield from vpc.ipv6_cidr_blocks
    for subnet in network.subnets.values():
        yield from subnet.ipv6_cidr_blocks
        if subnet.cidr_block is not None:
            yield subnet.cidr_block
    for group in network.security_groups.values():
        for rule in group.rules:
            if rule.cidr_block is not None:
                yield rule.cidr_block
    for acl in network.network_acls.values():
        for entry in acl.entries:
            yield entry.cidr_block
    for table in network.route_tables.values():
        for route in table.routes:
            if not isinstance(route.destination, str):
                yield route.destination
    for prefix_list in network.prefix_lists.values():
        yield from prefix_list.cidr_blocks or ()
    for interface in network.interfaces.values():
        yield from interface.prefixes


def edge_addresses(network: Network, version: int) -> list[str]:
    """First and last address of every CIDR and their outer neighbours, and the interfaces' addresses' neighbours."""
    limit, kind = (2**32, IPv4Address) if version == 4 else (2**128, IPv6Address)
    found: set[int] = set()
    for cidr in set(rule_networks(network)):
        if cidr.version == version:
            first, last = int(cidr.network_address), int(cidr.broadcast_address)
            found.update((first - 1, first, last, last + 1))
    for subnet in network.subnets.values():
        for own_cidr in (subnet.cidr_block, *subnet.ipv6_cidr_blocks):
            if own_cidr is not None and own_cidr.version == version:
                found.update(int(own_cidr.network_address) + i for i in range(5))
                found.add(int(own_cidr.broadcast_address) - 1)
    for vpc in network.vpcs.values():
        for block in vpc.cidr_blocks if version == 4 else vpc.ipv6_cidr_blocks:
            found.add(int(block.network_address) + 2)
    for interface in network.interfaces.values():
        for own in interface.addresses:
            for address in (own.address, own.public_address):
                if address is not None and address.version == version:
                    found.update((int(address) - 1, int(address), int(address) + 1))
    return [str(kind(number)) for number in sorted(found) if 0 <= number < limit]


def _templates(network: Network) -> list[tuple[int, int, int, int]]:
    """(protocol, destination port, ICMP type, ICMP code) at the bounds of every rule and just outside; -1: any."""
    found: set[tuple[int, int, int, int]] = set()

    def add(protocol: int, first: int | None, last: int | None, icmp: bool) -> None:
        if icmp:
            types = {8} if first is None or first < 0 else {first - 1, first, first + 1}
            codes = {0, 3} if last is None or last < 0 else {last - 1, last, last + 1}
            found.update((protocol, -1, t, c) for t in types for c in codes if 0 <= t < 256 and 0 <= c < 256)
        elif protocol in (TCP, UDP) and first is not None and last is not None:
            found.update((protocol, p, -1, -1) for p in (first - 1, first, last, last + 1) if 0 <= p <= 65535)
        else:
            found.add((protocol, -1, -1, -1))

    for group in network.security_groups.values():
        for rule in group.rules:
            add(rule.protocol, rule.from_port, rule.to_port, rule.protocol in (ICMP, ICMPV6))
    for acl in network.network_acls.values():
        for entry in acl.entries:
            icmp = entry.protocol in (ICMP, ICMPV6)
            first, last = (entry.icmp_type, entry.icmp_code) if icmp else (entry.from_port, entry.to_port)
            add(entry.protocol, first, last, icmp)
    found.update(((ICMP, -1, 8, 0), (ICMPV6, -1, 128, 0), (TCP, 443, -1, -1), (UDP, 53, -1, -1)))
    return sorted(found)


class _Pool:
    """Texts with an index each, so that a column is drawn as numbers and looked up once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.owners: list[str] = []
        """Interface ids, a column of their own."""

    def add(self, texts: Iterable[str]) -> tuple[int, int]:
        start = len(self.texts)
        self.texts.extend(texts)
        return start, len(self.texts)


def edge_flows(network: Network, seed: int, count: int) -> pl.DataFrame:
    """`count` flows from the edges of the network's rules, the same for the same arguments.

    Columns srcaddr, dstaddr, srcport, dstport, protocol, src_interface_id, icmp_type, icmp_code. Seven of ten flows
    join two interfaces, or an interface and the internet; two have an end at the edge of some CIDR or in a special
    range; one is unusable in some way (null or bad values, mixed families, unknown interface ids).
    """
    import polars as pl

    rng = np.random.default_rng((seed, 0xED6E))
    share6 = 0.3 if places_of(network, 6).texts else 0.03
    version = np.where(rng.random(count) < share6, 6, 4)
    pool = _Pool()
    src, dst = np.zeros(count, np.int64), np.zeros(count, np.int64)
    owner = np.full(count, _NULL, np.int64)
    for family in (4, 6):
        rows = np.flatnonzero(version == family)
        _edge_ends(rng, network, rows, (src, dst, owner), pool, family=family)
    srcport, dstport, protocol, icmp_type, icmp_code = _edge_ports(rng, network, version, count)
    interface_ids = [*pool.owners, *network.interfaces, "eni-0ffffffffffffffff", "", "-"]
    interface = np.where(rng.random(count) < 0.6, owner, _NULL)
    odd = rng.random(count) < 0.04
    interface[odd] = rng.integers(0, len(interface_ids), int(odd.sum()))
    garbage = np.flatnonzero(rng.random(count) < 0.10)
    bad = pool.add(BAD)
    names = ("srcport", "dstport", "protocol", "icmp_type", "icmp_code")
    columns = dict(zip(names, (srcport, dstport, protocol, icmp_type, icmp_code), strict=True))
    _spoil(rng, garbage, (src, dst), bad, columns)
    texts, ids = pl.Series(pool.texts, dtype=pl.String), pl.Series(interface_ids, dtype=pl.String)
    frame = pl.DataFrame(
        {
            "srcaddr": texts.gather(_nullable(src)),
            "dstaddr": texts.gather(_nullable(dst)),
            **{name: _nullable(values) for name, values in columns.items()},
            "src_interface_id": ids.gather(_nullable(interface)),
        }
    )
    return frame.select(
        "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "src_interface_id", "icmp_type", "icmp_code"
    )


#: Stands for null in the number columns while they are drawn; every other number, negative ones too, is a value.
_NULL = -(2**40)


def _nullable(values: Ints) -> Any:
    """The numbers as a polars series, null where `_NULL` stands."""
    import polars as pl

    series = pl.Series(values)
    return pl.select(pl.when(series != _NULL).then(series)).to_series()


def _draw(rng: np.random.Generator, part: tuple[int, int], size: int) -> Ints:
    return rng.integers(part[0], part[1], size) if part[1] > part[0] else np.full(size, _NULL)


def _edge_ends(
    rng: np.random.Generator, network: Network, rows: Ints, out: tuple[Ints, Ints, Ints], pool: _Pool, *, family: int
) -> None:
    """Fill source, destination and owner of the source for the flows (`rows`) of one address family."""
    src, dst, owner = out
    places, size = places_of(network, family), len(rows)
    own = pool.add(places.texts)
    public = pool.add(places.public_texts)
    edges = pool.add(edge_addresses(network, family))
    special = pool.add(SPECIAL if family == 4 else SPECIAL6)
    internet = pool.add(INTERNET if family == 4 else INTERNET6)
    anywhere = (edges[0], internet[1])
    kind = rng.random(size)
    src[rows], dst[rows] = _draw(rng, anywhere, size), _draw(rng, anywhere, size)
    if not places.texts:
        return
    a = rng.integers(0, len(places.texts), size)
    first, last = places.start[places.vpc[a]], places.start[places.vpc[a] + 1]
    b = first + (rng.random(size) * (last - first)).astype(np.int64)
    for _ in range(2):  # ends in one subnet meet the fewest stages: draw most of them again
        again = (places.subnet[a] == places.subnet[b]) & (rng.random(size) < 0.8)
        b = np.where(again, first + (rng.random(size) * (last - first)).astype(np.int64), b)
    offset = len(pool.owners)
    pool.owners.extend(places.interface)

    def put(low: float, high: float, source: Ints | None, destination: Ints) -> None:
        chosen = (kind >= low) & (kind < high)
        src[rows[chosen]] = own[0] + a[chosen] if source is None else source[chosen]
        dst[rows[chosen]] = destination[chosen]
        if source is None:
            owner[rows[chosen]] = offset + a[chosen]

    draw = partial(_draw, rng, size=size)
    outside = np.where(rng.random(size) < 0.7, draw(internet), draw(edges))
    client = np.where(rng.random(size) < 0.85, draw(internet), draw(edges))
    reachable = np.where(rng.random(size) < 0.6, draw(public), draw(own)) if public[1] > public[0] else draw(own)
    put(0.00, 0.36, None, own[0] + b)  # two interfaces of a VPC
    put(0.36, 0.40, None, draw(own))  # ... of any VPCs
    put(0.40, 0.56, None, outside)
    put(0.56, 0.70, client, reachable)
    put(0.70, 0.76, None, draw(public))  # hairpin
    put(0.76, 0.82, None, draw(special))
    put(0.82, 0.89, None, draw(edges))
    put(0.89, 0.92, draw(edges), own[0] + b)
    put(0.92, 0.95, draw(special), reachable)
    put(0.95, 0.98, draw(public), own[0] + b)  # from a public address


def _edge_ports(
    rng: np.random.Generator, network: Network, version: Ints, count: int
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """srcport, dstport, protocol, icmp_type, icmp_code at the bounds of the rules; the last two are often null."""
    templates = np.array(_templates(network), np.int64)
    protocol, dstport, icmp_type, icmp_code = templates[rng.integers(0, len(templates), count)].T.copy()
    ports = np.unique([*templates[templates[:, 1] >= 0, 1], 0, 1, 32767, 32768, 65534, 65535, 1023, 1024, 60999, 61000])
    any_port, other = ports[rng.integers(0, len(ports), count)], rng.random(count)
    dstport = np.where((dstport < 0) | (other < 0.1), any_port, dstport)
    srcport = ports[rng.integers(0, len(ports), count)]
    srcport = np.where(rng.random(count) < 0.5, rng.integers(32768, 65536, count), srcport)
    kinds = np.array([*np.unique(templates[templates[:, 0] >= 0, 0]), TCP, TCP, UDP, ICMP, ICMPV6, *OTHER_PROTOCOLS])
    protocol = np.where((other > 0.92) | (protocol < 0), kinds[rng.integers(0, len(kinds), count)], protocol)
    wrong_family = rng.random(count) < 0.9  # a few of ICMP over IPv6 and ICMPv6 over IPv4 stay
    protocol = np.where((protocol == ICMP) & (version == 6) & wrong_family, ICMPV6, protocol)
    protocol = np.where((protocol == ICMPV6) & (version == 4) & wrong_family, ICMP, protocol)
    is_icmp = (protocol == ICMP) | (protocol == ICMPV6)
    drawn = rng.random(count)
    types4, types6 = rng.choice((8, 8, 13, 17, 0, 3), count), rng.choice((128, 128, 129, 135), count)
    requests = np.where(protocol == ICMP, types4, types6)
    icmp_type = np.where(is_icmp & ((icmp_type < 0) | (drawn < 0.3)), requests, icmp_type)
    icmp_code = np.where(icmp_code < 0, 0, icmp_code)
    icmp_type = np.where(is_icmp & (drawn < 0.75), icmp_type, _NULL)
    icmp_code = np.where(is_icmp & (drawn < 0.70), icmp_code, _NULL)
    portless = (protocol != TCP) & (protocol != UDP)
    gone, zero = rng.random(count) < 0.4, rng.random(count) < 0.8
    srcport = np.where(portless & zero, np.where(gone, _NULL, 0), srcport)
    dstport = np.where(portless & zero, np.where(gone, _NULL, 0), dstport)
    return srcport, dstport, protocol, icmp_type, icmp_code


def _spoil(
    rng: np.random.Generator, rows: Ints, ends: tuple[Ints, Ints], bad: tuple[int, int], columns: dict[str, Ints]
) -> None:
    """Make the given rows unusable in one of several ways; mixed families by taking the end of another flow."""
    src, dst = ends
    kind = rng.integers(0, 10, len(rows))
    src[rows[kind == 0]] = _draw(rng, bad, int((kind == 0).sum()))
    dst[rows[kind == 1]] = _draw(rng, bad, int((kind == 1).sum()))
    src[rows[kind == 2]] = _NULL
    dst[rows[kind == 3]] = _NULL
    mixed = rows[(kind == 4) | (kind == 5)]
    dst[mixed] = rng.permutation(dst)[: len(mixed)]
    for number, name in ((6, "srcport"), (7, "dstport")):
        some = rows[kind == number]
        columns[name][some] = rng.choice((_NULL, -1, 65536, 100_000), len(some))
    some = rows[kind == 8]
    columns["protocol"][some] = rng.choice((_NULL, -1, 256, 1000), len(some))
    some = rows[kind == 9]
    columns["icmp_type"][some] = rng.choice((-1, 255, 256), len(some))
    columns["icmp_code"][some] = rng.choice((_NULL, -1, 256, 0), len(some))
