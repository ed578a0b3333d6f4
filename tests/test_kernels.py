"""The kernels' own file: its codes against `schema`, its address reader against `ipaddress`, its two look-ups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from random import Random
from typing import Any

import numba
import numpy as np
import pytest
from agreement import edge_network
from hypothesis import example, given, settings
from hypothesis import strategies as st

import flowcore
from flowcore import kernels as k
from flowcore import kernels_long as kl
from flowcore import schema
from flowcore.columns import flows_of
from flowcore.compile import compile_tables
from flowcore.compile_policies import DIRECT, NOBODY, REFERENCES, TRANSIT
from flowcore.compile_routes import (
    ACTIVE,
    BLACKHOLE,
    EGRESS_DETACHED,
    EGRESS_UNDESCRIBED,
    INTERNET_DETACHED,
    INTERNET_UNDESCRIBED,
    KINDS,
    NO_ROUTE,
)
from flowcore.evaluate import empty_verdicts, new_memo
from flowcore.model import UNMODELLED_SOURCE_TYPES, Network
from flowcore.synthetic_flows import BAD, SPECIAL, SPECIAL6, edge_addresses, edge_flows
from flowcore.walk_ends import End, find_destination
from flowcore.walk_flow import INTERNET, RFC1918, RFC6598, UNIQUE_LOCAL, kind_of
from flowcore.walk_rules import NetworkIndex

# -- codes ---------------------------------------------------------------------------------------------

STAGE_CODES = {
    "source": k.S_SOURCE,
    "source-dest-check": k.S_CHECK,
    "source-security-group": k.S_SG_OUT,
    "source-network-acl": k.S_ACL_OUT,
    "route": k.S_ROUTE,
    "gateway": k.S_GATEWAY,
    "destination-network-acl": k.S_ACL_IN,
    "destination-security-group": k.S_SG_IN,
    "destination": k.S_DESTINATION,
    "reply-destination-network-acl": k.S_REPLY_ACL_OUT,
    "reply-route": k.S_REPLY_ROUTE,
    "reply-gateway": k.S_REPLY_GATEWAY,
    "reply-source-network-acl": k.S_REPLY_ACL_IN,
}


def test_verdict_codes_are_the_order_of_the_schema() -> None:
    assert schema.VERDICTS[k.ACCEPT] == "ACCEPT"
    assert schema.VERDICTS[k.REJECT] == "REJECT"
    assert schema.VERDICTS[k.UNKNOWN] == "UNKNOWN"
    assert len(schema.VERDICTS) == 3


def test_stage_codes_are_the_order_of_the_schema() -> None:
    assert tuple(STAGE_CODES) == schema.STAGES[: k.N_STAGES]
    assert list(STAGE_CODES.values()) == list(range(k.N_STAGES))
    compact = [schema.STAGE_BITS[stage] for stage in STAGE_CODES]
    assert compact == sorted(compact)
    for stage, code in STAGE_CODES.items():
        assert (k.REPLY_MASK if stage.startswith("reply-") else k.FORWARD_MASK) >> code & 1, stage
    assert k.FORWARD_MASK | k.REPLY_MASK == (1 << k.N_STAGES) - 1
    assert not k.FORWARD_MASK & k.REPLY_MASK


def test_rule_columns_are_in_the_order_of_the_schema() -> None:
    assert [schema.STAGES[code] for code in k.RULE_STAGES] == list(schema.RULE_STAGES.values())


def test_spread_stages_gives_the_bits_of_the_schema() -> None:
    for compact in range(1 << k.N_STAGES):
        expected = sum(1 << schema.STAGE_BITS[stage] for stage, code in STAGE_CODES.items() if compact >> code & 1)
        assert k.spread_stages(compact) == expected, compact


def test_every_code_fits_where_it_is_kept() -> None:
    assert k.DENY + len(schema.REASONS) <= k.UNSURE  # outcome of a deny: below those of an unknown
    assert k.UNSURE + len(schema.REASONS) <= k.LONG == 255
    assert len(schema.REASONS) <= k.TO_BE_WALKED < k.NULL8
    assert len(schema.PATHS) < k.WAY_BY_ROUTE < k.NULL8
    assert max(len(schema.REASONS), len(schema.STAGES)) < k.NULL8


def test_protocols_and_their_parts_of_the_port_axis() -> None:
    assert (k.ICMP, k.TCP, k.UDP, k.ICMPV6) == (schema.ICMP, schema.TCP, schema.UDP, schema.ICMPV6)
    bases = [k.TCP_BASE, k.UDP_BASE, k.ICMP_BASE, k.ICMPV6_BASE, k.OTHER_BASE, k.TCP_EPHEMERAL, k.UDP_EPHEMERAL]
    icmp = k.ICMP_TYPE_UNKNOWN_KEY + 1  # 256 types, each with 256 codes and "not known"; type not known
    assert np.diff([*bases, k.PORT_AXIS_SIZE]).tolist() == [65536, 65536, icmp, icmp, 256, 1, 1]
    assert k.ICMP_TYPE_UNKNOWN_KEY == 256 * 257


# -- codes of the long walk ------------------------------------------------------------------------------

LONG_STAGES = {
    "source": kl.AT_SOURCE,
    "source-dest-check": kl.AT_CHECK,
    "source-security-group": kl.AT_SG_OUT,
    "source-network-acl": kl.AT_ACL_OUT,
    "route": kl.AT_ROUTE,
    "gateway": kl.AT_GATEWAY,
    "load-balancer": kl.AT_BALANCER,
    "nat-gateway": kl.AT_NAT,
    "transit-gateway": kl.AT_TRANSIT,
    "peering": kl.AT_PEERING,
    "middle-interface": kl.AT_BOX,
    "middle-network-acl": kl.AT_MIDDLE_ACL,
    "middle-route": kl.AT_MIDDLE_ROUTE,
    "middle-security-group": kl.AT_MIDDLE_SG,
    "destination-network-acl": kl.AT_ACL_IN,
    "destination-security-group": kl.AT_SG_IN,
    "destination": kl.AT_END,
    "reply-destination-network-acl": kl.REPLY_ACL_OUT,
    "reply-route": kl.REPLY_ROUTE,
    "reply-gateway": kl.REPLY_GATEWAY,
    "reply-middle-interface": kl.REPLY_BOX,
    "reply-middle-network-acl": kl.REPLY_MIDDLE_ACL,
    "reply-middle-route": kl.REPLY_MIDDLE_ROUTE,
    "reply-source-network-acl": kl.REPLY_ACL_IN,
}


def test_stages_of_the_long_walk_are_the_bits_of_the_schema() -> None:
    assert {name: schema.STAGE_BITS[name] for name in LONG_STAGES} == LONG_STAGES
    for name in ("gateway", "transit-gateway", "peering", "middle-interface", "middle-network-acl", "middle-route"):
        assert schema.STAGE_BITS[f"reply-{name}"] == schema.STAGE_BITS[name] + kl.TO_REPLY
    assert [schema.STAGES[k_code] for k_code in range(k.N_STAGES)] == [
        name for name, bit in schema.STAGE_BITS.items() if bit in kl.COMPACT_STAGES
    ]


def test_every_stage_of_a_conversation_counts_as_a_middle_one_behind_a_load_balancer() -> None:
    """6.9: groups, ACLs and routes are those in the middle; what stands in between stays what it is."""
    bits = schema.STAGE_BITS
    names = {bit: name for name, bit in bits.items()}
    for name, bit in bits.items():
        kind = name.removeprefix("reply-").removeprefix("source-").removeprefix("destination-").removeprefix("middle-")
        reply = "reply-" if name.startswith("reply-") else ""
        middle = kind if kind in ("security-group", "network-acl", "route") else "interface"
        kept = kind in ("gateway", "load-balancer", "nat-gateway", "transit-gateway", "peering")
        assert names[kl.BEHIND[bit]] == (name if kept else f"{reply}middle-{middle}"), name
        assert kl.behind(1 << bit) == 1 << kl.BEHIND[bit]


def test_codes_of_route_targets_are_those_of_the_routes() -> None:
    kinds = [kl.TO_LOCAL, kl.TO_INTERNET, kl.TO_EGRESS_ONLY, kl.TO_NAT, kl.TO_INTERFACE, kl.TO_TRANSIT, kl.TO_PEERING]
    kinds += [kl.TO_PRIVATE, kl.TO_SERVICE, kl.TO_FIREWALL]
    assert [ACTIVE + number for number in range(10)] == kinds
    assert ACTIVE + KINDS.index("unknown") == kl.TO_UNKNOWN
    assert (BLACKHOLE, NO_ROUTE) == (kl.FIRST_BLACKHOLE, kl.NO_ROUTE)
    assert (INTERNET_UNDESCRIBED, INTERNET_DETACHED) == (kl.INTERNET_UNDESCRIBED, kl.INTERNET_DETACHED)
    assert (EGRESS_UNDESCRIBED, EGRESS_DETACHED) == (kl.EGRESS_UNDESCRIBED, kl.EGRESS_DETACHED)
    named = {"local": 0, "internet-gateway": 1, "egress-only-internet-gateway": 2, "nat-gateway": 3}
    named |= {"network-interface": 4, "transit-gateway": 5, "vpc-peering-connection": 6, "virtual-private-gateway": 7}
    named |= {"gateway-endpoint": 8, "gateway-load-balancer-endpoint": 9}
    assert {kind: KINDS.index(kind) for kind in named} == named


def test_paths_parties_and_rules_of_the_long_walk() -> None:
    ways = {"subnet": kl.WAY_SUBNET, "vpc": kl.WAY_VPC, "internet": kl.WAY_INTERNET, "load-balancer": kl.WAY_BALANCER}
    ways |= {"transit-gateway": kl.WAY_TRANSIT, "vpn": kl.WAY_PRIVATE}
    assert {name: schema.PATHS.index(name) for name in ways} == ways
    assert (DIRECT, TRANSIT, NOBODY, REFERENCES) == (kl.DIRECT, kl.TRANSIT, kl.NOBODY, kl.REFERENCES)
    rules = [kl.RULE_SG_OUT, kl.RULE_ACL_OUT, kl.RULE_ROUTE, kl.RULE_ACL_IN, kl.RULE_SG_IN, kl.RULE_REPLY_OUT]
    assert [*rules, kl.RULE_REPLY_ROUTE, kl.RULE_REPLY_IN] == list(range(len(schema.RULE_STAGES)))


def test_every_table_of_the_long_walk_has_its_place_in_the_header() -> None:
    for first, names in ((0, kl.NUMBERS), (kl.OF_ROOT, kl.WORDS)):
        places = [int(getattr(kl, f"OF_{name.upper()}", -1)) for name in names]
        shortened = {"destination_out_outcome": kl.OF_DESTINATION_OUT, "source_in_outcome": kl.OF_SOURCE_IN}
        places = [int(shortened.get(name, place)) for name, place in zip(names, places, strict=True)]
        assert places == list(range(first, first + len(names)))
    assert len(kl.NUMBERS) <= kl.OF_ROOT
    assert kl.H_CONVERSATIONS < kl.SAYING
    assert kl.SAYING + len(kl.SAYINGS) <= kl.HEADER
    assert all(reason in schema.REASONS for _, reason in kl.SAYINGS)


# -- reading addresses ---------------------------------------------------------------------------------


def read(texts: Sequence[str], first: int = 0) -> list[IPv4Address | IPv6Address | None]:
    """What read_addresses finds in an Arrow string column of `texts`, whose bytes start at `first` in the buffer."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    data = np.frombuffer(b"." * first + b"".join(encoded) + b"7", np.uint8)
    offsets = first + np.concatenate(([0], np.cumsum([len(text) for text in encoded]))).astype(np.int64)
    offsets.flags.writeable = False
    count = len(texts)
    ipv4, ipv6, family = np.full(count, 7, np.uint32), np.full((count, 2), 7, np.uint64), np.full(count, 7, np.uint8)
    k.read_addresses(offsets, data, ipv4, ipv6, family)
    assert set(family.tolist()) <= {0, 4, 6}
    found: list[IPv4Address | IPv6Address | None] = []
    for row in range(count):
        high, low = int(ipv6[row, 0]), int(ipv6[row, 1])
        known = {4: IPv4Address(int(ipv4[row])), 6: IPv6Address(high << 64 | low)}
        found.append(known.get(int(family[row])))
    return found


def by_library(text: str) -> IPv4Address | IPv6Address | None:
    """What the ipaddress module reads; zone ids count as invalid."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def assert_same(texts: Iterable[str]) -> None:
    listed = list(texts)
    wrong = [
        (text, fast, by_library(text))
        for text, fast in zip(listed, read(listed), strict=True)
        if fast != by_library(text)
    ]
    assert not wrong, f"{len(wrong)} of {len(listed)}; (text, read, ipaddress): {wrong[:5]}"


GOOD = (
    "0.0.0.0", "255.255.255.255", "10.0.0.4", "1.2.3.4", "100.100.100.100",
    "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "1:2::7:8", "1:2:3::8",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "FFFF:Abcd:eF01::", "0:0:0:0:0:0:0:0", "0000::0000", "00a0::0b",
    "::1.2.3.4", "::ffff:1.2.3.4", "64:ff9b::8.8.8.8", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5::1.2.3.4", "::FFFF:0.0.0.0",
    "::5:1.2.3.4", "2600:1f18:1::a", "fe80::1",
)  # fmt: skip
WRONG = (
    "", " ", ".", "..", "...", ":", ":::", "::::", "1", "1.", "1.2", "1.2.3", "1.2.3.", ".1.2.3", "1.2.3.4.", "1..2.3",
    "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "00.0.0.0", "0.0.0.00", "256.1.1.1", "1.1.1.256", "1.1.1.999", "1.1.1.1000",
    "99999999999.1.1.1", "4294967296", "-1.2.3.4", "+1.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "1.2.3.4\0",
    "1.2.3.4/32", "0x1.2.3.4", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:", ":2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1::2::3",
    "::1::", "1:::2", ":::1", "1:::", "12345::", "::00001", "g::", "::g", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::",
    "::1.2.3.4:5", "::1.2.3", "::1.2.3.04", "::1.2.3.256", "::1.2.3.4.5", "1:2:3:4:5:6:7::1.2.3.4", "1:2:3:4:5:1.2.3.4",
    "::ffff:1.2.3.4:", "1.2.3.4:80", "[::1]", "::1%eth0", "fe80::1%", "%", "::%1", "::ffff:1.2.3.4/96", "::a.b.c.d",
    "1:2:3:4:5:6:7:8\n", "::12a.1.1.1", "1.2.3.4a", "a1.2.3.4", "::-1", "localhost", "-", "null",
    "\N{ARABIC-INDIC DIGIT ONE}.2.3.4", "1.2.3.\N{FULLWIDTH DIGIT FOUR}", "\N{FULLWIDTH COLON}:1", "é", "::é", "😀",
    "1" * 1000, ":" * 1000, "1:" * 500, "." * 999, "1.2.3.4" * 200, "::" + "0" * 5000,
)  # fmt: skip


def test_addresses_that_are_and_that_are_not() -> None:
    assert all(read([text]) == [ip_address(text)] for text in GOOD)
    assert read(WRONG) == [None] * len(WRONG)
    assert_same([*GOOD, *WRONG, *BAD, *SPECIAL, *SPECIAL6])


def test_texts_are_read_wherever_they_stand_in_the_buffer() -> None:
    assert read(GOOD, first=13) == [ip_address(text) for text in GOOD]
    assert read([]) == []
    # A neighbour's bytes are not read: the byte after "1.2.3.4" is a digit in each case.
    assert read(["1.2.3.4", "5.6.7.8", "", "9.9.9.9"]) == [
        *map(ip_address, ("1.2.3.4", "5.6.7.8")),
        None,
        ip_address("9.9.9.9"),
    ]
    assert read(["::1", "2::3", "1:", ":2"]) == [ip_address("::1"), ip_address("2::3"), None, None]


def _written(rng: Random, number: int) -> str:
    """An IPv6 address in one of its many forms."""
    groups = [f"{number >> shift & 0xFFFF:{rng.choice(('x', 'X', '04x', '02x'))}}" for shift in range(112, -1, -16)]
    if rng.random() < 0.2:
        groups[6:] = [str(IPv4Address(number & 0xFFFFFFFF))]
    start = rng.randrange(len(groups) + 1)
    end = rng.randint(start, len(groups))
    if rng.random() < 0.6:
        return ":".join(groups[:start]) + "::" + ":".join(groups[end:])
    return ":".join(groups)


def _mutated(rng: Random, text: str) -> str:
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(text) + 1)
        piece = rng.choice(
            ("", ":", "::", ".", "0", "00", "1", "25", "f", "F", "g", "%", " ", "1.2.3.4", "/", "\0", "é")
        )
        text = text[:at] + piece + text[at + rng.randint(0, 2) :]
    return text


@pytest.mark.parametrize("seed", range(4))
def test_mutated_addresses_are_read_as_ipaddress_reads_them(seed: int) -> None:
    rng = Random(f"addresses {seed}")
    texts = []
    for _ in range(12_000):
        four = rng.random() < 0.4
        number = rng.getrandbits(32 if four else rng.choice((8, 32, 64, 128)))
        texts.append(_mutated(rng, str(IPv4Address(number)) if four else _written(rng, number)))
    assert sum(by_library(text) is not None for text in texts) > 2_000
    assert sum(by_library(text) is None for text in texts) > 2_000
    assert_same(texts)


@given(st.lists(st.text(alphabet="0123456789abcfF:.% g", max_size=45), max_size=20))
@example(["1:2:3:4:5:6:7:8"])
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_as_ipaddress_reads_it(texts: list[str]) -> None:
    assert_same(texts)


@given(st.ip_addresses())
@settings(max_examples=300, deadline=None)
def test_every_address_is_read_back(address: IPv4Address | IPv6Address) -> None:
    assert read([str(address), address.exploded, str(address).upper()]) == [address] * 3


# -- looking up ----------------------------------------------------------------------------------------


def find(tables: k.Tables, view: int, address: IPv4Address | IPv6Address) -> Any:
    """The node row of an address in a view."""
    number = int(address)
    if address.version == 4:
        node = k.find_ipv4(tables, view, number)
    else:
        node = k.find_ipv6(tables, view, np.uint64(number >> 64), np.uint64(number & (1 << 64) - 1))
    return tables.node.reshape(-1, k.NODE_WIDTH)[node]


def boundaries(network: Network) -> Iterator[IPv4Address | IPv6Address]:
    """Both ends of every CIDR and address of the network, their neighbours, and every special address."""
    for version in (4, 6):
        yield from map(ip_address, edge_addresses(network, version))
    yield from map(ip_address, (*SPECIAL, *SPECIAL6))
    yield from map(ip_address, ("0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))


KIND_CODES = {
    INTERNET: k.SRC_INTERNET,
    RFC1918: k.SRC_RFC1918,
    RFC6598: k.SRC_RFC6598,
    UNIQUE_LOCAL: k.SRC_IPV6_PRIVATE,
}


def source_code(index: NetworkIndex, address: IPv4Address | IPv6Address) -> tuple[int, str | None]:
    """(code, interface id) that docs/semantics.md gives an address as source, by the twin's own index."""
    owners, pairs = index.owners(address), index.public_owners(address)
    if len(owners) > 1 or (not owners and len(pairs) > 1):
        return k.SRC_AMBIGUOUS, None
    if owners:
        owner = owners[0]
        if owner.interface_type in UNMODELLED_SOURCE_TYPES:
            return k.SRC_UNMODELLED, owner.interface_id
        return (k.SRC_DETACHED if owner.detached else k.SRC_INTERFACE), owner.interface_id
    if pairs:
        return k.SRC_REDIRECT, None
    if index.in_any_vpc(address):
        return k.SRC_UNKNOWN, None
    return KIND_CODES.get(kind_of(address), k.SRC_UNKNOWN), None


@pytest.mark.parametrize("seed", [0, 5, 12, 21, 33, 48])
def test_every_boundary_finds_the_node_of_its_source(seed: int) -> None:
    network = edge_network(seed)
    compiled, index = compile_tables(network), NetworkIndex(network)
    codes = set()
    for address in boundaries(network):
        row = find(compiled.tables, 0, address)
        code, interface_id = source_code(index, address)
        assert row[k.N_CODES] & 255 == code, address
        if interface_id is not None and code != k.SRC_UNMODELLED:
            assert compiled.interface_ids[row[k.N_INTERFACE]] == interface_id, address
        codes.add(code)
    assert len(codes) >= 5


DESTINATION_CODES = {
    "NO_POSSIBLE_DESTINATION": {k.DST_NEVER},
    "UNFILTERED_SERVICE": {k.DST_SERVICE},
    "NO_ROUTE_TO_DESTINATION": {k.DST_UNFORWARDED},
    **{key: {k.DST_UNFORWARDED} for key in ("UNKNOWN_RESOURCE", "MISSING_PREFIX_LIST", "UNSUPPORTED_COMPONENT")},
    "ADDR_AMBIGUOUS": {k.DST_AMBIGUOUS},
    "NO_SOURCE_OR_DESTINATION": {k.DST_RESERVED},
    "UNKNOWN_DESTINATION": {k.DST_UNKNOWN, k.DST_LINK_LOCAL},
}


@pytest.mark.parametrize("seed", [0, 5, 12, 21, 33, 48])
def test_every_boundary_finds_the_node_of_its_destination_in_the_view_of_each_vpc(seed: int) -> None:
    network = edge_network(seed)
    compiled, index = compile_tables(network), NetworkIndex(network)
    nodes = compiled.tables.node.reshape(-1, k.NODE_WIDTH)
    first = {interface.vpc_id: interface for interface in network.interfaces.values() if interface.vpc_id}
    vpcs = dict(enumerate(sorted({*first, *network.vpcs}), 1))
    found = set()
    for number, vpc_id in vpcs.items():
        if vpc_id not in first:
            continue
        source = End(first[vpc_id], ip_address("10.0.0.1"), None)
        for address in boundaries(network):
            row = find(compiled.tables, int(compiled.tables.view_of_vpc[number]), address)
            own = row[k.N_VPC] & k.VPC_MASK == number
            code = row[k.N_CODES] >> (8 if own else 16) & 255
            end, by_public, fixed = find_destination(index, source, address)
            found.add(code)
            if end is not None:
                assert code == (k.DST_PUBLIC if by_public else k.DST_LOCAL), address
                node = nodes[row[k.N_PEER]] if by_public else row
                assert compiled.interface_ids[node[k.N_INTERFACE]] == end.interface.interface_id, address
            elif fixed is None:
                assert k.DST_INTERNET <= code <= k.DST_IPV6_OTHER_VPC, address
            else:
                assert code in DESTINATION_CODES[str(fixed.reason)], address
    assert len(found) >= 8


def test_addresses_between_two_boundaries_share_a_node() -> None:
    network = edge_network(7)
    tables = compile_tables(network).tables
    rng = Random(7)
    for version, size, kind in ((4, 32, IPv4Address), (6, 128, IPv6Address)):
        cuts = sorted({int(a) for a in boundaries(network) if a.version == version} | {1 << size})
        for low, high in pairwise(cuts):
            if high - low > 4:  # between the outer neighbours of two bounds nothing is told apart
                rows = {tuple(find(tables, 0, kind(rng.randrange(low + 1, high - 1)))) for _ in range(3)}
                assert len(rows) == 1, (kind(low), kind(high % (1 << size)))


# -- rows of a block -----------------------------------------------------------------------------------


@numba.njit
def open_four(values: Any, x: Any, places: Any, width: Any, first: Any, i: Any, to: Any) -> Any:
    k.open_four(values, x, places, width, first, i, to)


@pytest.mark.parametrize(("width", "first"), [(k.NODE_WIDTH, k.N_GATEWAY), (k.NODE_WIDTH, 12), (1, 0), (4, 1)])
def test_four_numbers_of_eight_lines_become_four_rows(width: int, first: int) -> None:
    rng, lines = np.random.default_rng(first), 50
    values = rng.integers(0, 1 << 32, lines * width + 4, np.uint32)
    places, to = k.BLOCK, (5 * k.BLOCK, 2 * k.BLOCK, 3 * k.BLOCK, 7 * k.BLOCK)
    for i in (0, 8, k.BLOCK - 8):
        x = rng.integers(0, lines, 8 * k.BLOCK, np.uint32)
        expected = x.copy()
        for flow in range(i, i + 8):
            line = int(x[places + flow]) * width + first
            for column in range(4):
                expected[to[column] + flow] = values[line + column]
        open_four(values, x, places, width, first, i, to)
        assert x.tolist() == expected.tolist()


def test_a_row_may_be_read_and_written_at_once() -> None:
    """As the places of the profiles are."""
    values, x = np.arange(400, dtype=np.uint32) + np.uint32(7), np.arange(4 * k.BLOCK, dtype=np.uint32) % np.uint32(99)
    places = x[k.BLOCK :][:8].copy()
    open_four(values, x, k.BLOCK, 4, 0, 0, (0, k.BLOCK, 2 * k.BLOCK, 3 * k.BLOCK))
    for column in range(4):
        assert x[column * k.BLOCK :][:8].tolist() == (places * 4 + column + 7).tolist()


@pytest.mark.parametrize("count", [1, 7, 9, k.BLOCK - 3, k.BLOCK + 1])
def test_what_an_earlier_block_left_behind_decides_nothing(count: int) -> None:
    """Loops run on to the next eighth flow, over what flows before left in the block."""
    network, total = edge_network(7), 4 * k.BLOCK
    judge, fresh = flowcore.compile_network(network), flowcore.compile_network(network)
    flows = flows_of(edge_flows(network, 7, total), judge.compiled.interface_ids)
    earlier, few = (
        k.Flows(*(column[part] if column.shape[0] == total else column for column in flows))
        for part in (slice(2 * k.BLOCK), slice(total - count, None))
    )
    judge.evaluate_columns(earlier, threads=1)
    for mine, theirs in zip(
        judge.evaluate_columns(few, threads=1), fresh.evaluate_columns(few, threads=1), strict=True
    ):
        assert np.array_equal(mine, theirs)


# -- the memo ------------------------------------------------------------------------------------------


@numba.njit
def make_keys(memo: Any, count: Any) -> Any:
    k._memo_keys(memo.block, count, memo.key)


@numba.njit
def recall(memo: Any, start: Any, count: Any, out: Any) -> Any:
    return k._recall(memo.block, start, count, memo.line, memo.key, out)


def test_an_empty_memo_knows_nothing() -> None:
    """Not even the flow of which everything is 0."""
    memo, out = new_memo(), empty_verdicts(k.BLOCK)
    make_keys(memo, k.BLOCK)
    assert recall(memo, 0, k.BLOCK, out) == 0
    assert memo.block[k.X_HARD :][: k.BLOCK].tolist() == list(range(k.BLOCK))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, k.BLOCK - 1, k.BLOCK])
def test_what_the_memo_knows_is_written_as_it_was_remembered(count: int) -> None:
    """Lines are copied eight at a time, and the last few one by one."""
    rng, start = np.random.default_rng(count), 5
    memo, out = new_memo(), empty_verdicts(start + k.BLOCK)
    memo.line[:] = rng.integers(0, 1 << 64, memo.line.size, np.uint64)
    places = rng.choice(k.MEMO_SIZE, count, replace=False)
    lines = memo.line.reshape(-1, k.MEMO_LINE)[places]
    memo.block[k.X_LISTED :][:count] = places * k.MEMO_LINE
    memo.key[:count], memo.key[k.BLOCK :][:count] = lines[:, 0], lines[:, 1]
    unknown = np.flatnonzero(rng.random(count) < 0.2)
    memo.key[rng.integers(0, 2, unknown.size) * k.BLOCK + unknown] ^= np.uint64(1) << np.uint64(count % 64)
    assert recall(memo, start, count, out) == count - unknown.size
    assert memo.block[k.X_HARD :][: unknown.size].tolist() == unknown.tolist()
    known = np.setdiff1d(np.arange(count), unknown)
    numbers, octets = lines[known].view(np.uint32), lines[known].view(np.uint8)
    for octet, column in enumerate((out.verdict, out.forward, out.reply, out.reason, out.stage, out.path)):
        assert column[start + known].tolist() == octets[:, 16 + octet].tolist()
    masks = [k.spread_stages(int(mask) & 0x1FFF) for mask in numbers[:, 5] >> 16]
    assert out.blocked_by[start + known].tolist() == masks
    assert out.src_interface[start + known].tolist() == numbers[:, 6].tolist()
    assert out.dst_interface[start + known].tolist() == numbers[:, 7].tolist()
    assert out.rules[:, start + known].T.tolist() == numbers[:, 8:].tolist()
