"""The difference over every address and port: boxes against single flows judged by the slow twin."""

from __future__ import annotations

import shlex
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from agreement import edge_network
from diff_networks import orderly_network, random_edits, with_entry
from plan_documents import network as described_network
from walk_networks import (
    IN443V6,
    INPING,
    OPEN,
    OUT4,
    OUT6,
    A,
    B,
    N,
    allow,
    entry,
    network,
    with_acls,
    with_interfaces,
    with_rules,
)

from flowcore import edits
from flowcore.analyses.diff_classes import Addresses, port_classes
from flowcore.analyses.diff_exhaustive import _Axes, boxes, diff_exhaustive, merged
from flowcore.analyses.diff_packets import _differing as differing
from flowcore.analyses.diff_packets import touched_packets
from flowcore.errors import InputError
from flowcore.evaluate import compile_network
from flowcore.model import Network, NetworkAclEntry
from flowcore.selectors import flow_between, select
from flowcore.sources.describe import network_from_documents
from flowcore.synthetic import between_documents, edge_flows
from flowcore.walk import explain

OPEN_443 = allow("sgr-in443", False, 6, (443, 443))


def shown(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    names = ("category", "sources", "destinations", "protocols", "ports", "source_ports")
    return frame.select(names).rows()


# -- boxes in words ------------------------------------------------------------------------------------


def test_a_narrowed_rule_is_one_box_a_kind_of_source() -> None:
    open_in = allow("sgr-in", False, 6, (80, 90), cidr_block=N("10.0.1.0/24"))
    narrow = allow("sgr-in", False, 6, (85, 88), cidr_block=N("10.0.1.0/24"))
    found = diff_exhaustive(network(**with_rules(OUT4, open_in)), network(**with_rules(OUT4, narrow)))
    assert shown(found) == [
        (
            "broken",
            ["10.0.1.20 (eni-b)"],
            ["10.0.0.10 (eni-a)", "10.0.0.11 (eni-a2)", "10.0.1.20 (eni-b)"],
            "tcp",
            "80-84, 89-90",
            None,
        )
    ]
    assert found["changes"].to_list() == [["sg-1: rule sgr-in from_port, to_port"]]


def test_a_public_address_that_is_made_up_breaks_and_opens_nothing() -> None:
    """NG-12: AWS gives a new NAT gateway some address; what a host of the internet had there before says nothing."""
    before = described_network()
    after = edits.add_nat_gateway(before, gateway="nat-2", subnet="subnet-pub")
    found = diff_exhaustive(before, after)
    assert set(found["category"]) == {"unknown"}
    assert "198.19.255.254" in {each for row in found["destinations"] for each in row}
    assert diff_exhaustive(after, after).is_empty()
    assert "broken" in set(diff_exhaustive(after, edits.remove_gateway(after, "nat-1"))["category"])


def test_an_acl_that_refuses_replies_names_source_ports() -> None:
    """NA-16: the reply goes to the source port."""
    before = network(**with_acls(a=OPEN))
    after = network(**with_acls(a=[*OPEN, entry(50, False, permit=False, protocol=6, from_port=0, to_port=1023)]))
    found = diff_exhaustive(before, after)
    out = found.filter(pl.col("src_interface_id") == "eni-a", pl.col("destinations").list.contains("10.0.1.20 (eni-b)"))
    assert [row[3:] for row in shown(out)] == [("tcp", "443", "0-1023")]


def test_icmp_types_are_named() -> None:
    found = diff_exhaustive(
        network(**with_rules(OUT4, allow("sgr-ping", False, 1, (8, -1)))), network(**with_rules(OUT4))
    )
    inside = found.filter(pl.col("destinations").list.contains("10.0.0.11 (eni-a2)"))
    assert {row[3:] for row in shown(inside)} == {("icmp", "type 8", None)}


def test_equal_networks_have_no_difference() -> None:
    found = diff_exhaustive(network(), network())
    assert found.is_empty()
    assert {"category", "sources", "example", "changes", "undo"} <= set(found.columns)


def test_an_end_that_comes_is_unknown_before() -> None:
    without = {key: value for key, value in network().interfaces.items() if key != "eni-b"}
    found = diff_exhaustive(network(interfaces=without), network())
    assert found.filter(pl.col("category") == "unknown").height > 0
    known = found.filter(pl.col("category") != "unknown")
    own, public = "10.0.1.20 (eni-b)", "52.0.0.20"
    assert not any(own in (*row["sources"], *row["destinations"]) for row in known.to_dicts())
    assert all(
        public in (*row["sources"], *row["destinations"]) for row in known.to_dicts()
    )  # an address of the internet until then


def test_every_example_is_in_its_box_and_runs_in_explain() -> None:
    before, after = network(), network(**with_rules(OUT4, OUT6, INPING, IN443V6))
    found = diff_exhaustive(before, after)
    assert found.height
    for row in found.iter_rows(named=True):
        words = shlex.split(row["example"])
        given = dict(zip(words[3::2], words[4::2], strict=True))
        start, end = (select(before, given[option])[0] for option in ("--from", "--to"))
        flow = flow_between(before, start, end, given["--protocol"], int(given["--source-port"]), int(given["--port"]))
        assert (explain(before, flow).verdict, explain(after, flow).verdict) == ("ACCEPT", "REJECT")
        assert row["category"] == "broken"
        assert row["reason_after"] == "ENI_SG_RULES_MISMATCH"
        assert row["changes"] == ["sg-1: rule sgr-in443 removed"]


def test_more_combinations_than_allowed_are_refused_with_their_number() -> None:
    with pytest.raises(InputError, match=r"found '[\d,]+'; expected at most 100\. Hint: .*--limit"):
        diff_exhaustive(network(), network(interfaces={}), limit=100)


def test_progress_ends_at_the_total() -> None:
    seen: list[tuple[int, int]] = []
    after = network(**with_rules(OUT4, OUT6, INPING, IN443V6))
    diff_exhaustive(network(), after, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > 0


# -- against single flows ------------------------------------------------------------------------------


def category_of(was: str, now: str) -> str | None:
    if was == now:
        return None
    return {("ACCEPT", "REJECT"): "broken", ("REJECT", "ACCEPT"): "opened"}.get((was, now), "unknown")


def holds(words: list[str], address: Any, interface_id: str | None) -> bool:
    """Whether a list of sources or destinations holds this address; `interface_id`: for sources, whose it is."""
    for word in words:
        place, _, owner = word.partition(" ")
        if owner.strip("()") != (interface_id or "") and interface_id != "any":
            continue
        if "-" in place:
            first, last = map(ip_address, place.split("-"))
            inside = first.version == address.version and first <= address <= last
        else:
            inside = address in ip_network(place)
        if inside:
            return True
    return False


def number_in(text: str | None, number: int) -> bool:
    if text is None:
        return True
    bounds = [tuple(map(int, part.split("-"))) for part in text.split(", ")]
    return any(each[0] <= number <= each[-1] for each in bounds)


def packet_in(row: dict[str, Any], flow: dict[str, Any]) -> bool:
    protocol, names = int(flow["protocol"]), {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
    if row["protocols"] == "all":
        return True
    if protocol not in names:
        return row["protocols"] not in names.values() and number_in(row["protocols"], protocol)
    if row["protocols"] != names[protocol]:
        return False
    if protocol in (6, 17):
        return number_in(row["ports"], flow["dstport"]) and number_in(row["source_ports"], flow["srcport"])
    for part in row["ports"].split("; "):
        kinds, _, codes = part.removeprefix("type ").partition(" code ")
        if number_in(kinds, flow["icmp_type"]) and number_in(codes or None, flow["icmp_code"]):
            return True
    return False


def assert_boxes_hold_exactly(before: Network, after: Network, flows: list[dict[str, Any]], found: list[dict]) -> int:
    """Each flow is in one box of its category, or in none if its verdict stays; returns how many differ."""
    differing = 0
    for flow in flows:
        was, now = explain(before, flow), explain(after, flow)
        category = category_of(was.verdict, now.verdict)
        source, destination = ip_address(flow["srcaddr"]), ip_address(flow["dstaddr"])
        owner = flow["src_interface_id"]
        inside = [
            row["category"]
            for row in found
            if holds(row["sources"], source, owner)
            and holds(row["destinations"], destination, "any")
            and packet_in(row, flow)
        ]
        assert inside == ([] if category is None else [category]), (flow, was, now)
        differing += category is not None
    return differing


def flows_to_ask(before: Network, after: Network, seed: int, count: int) -> list[dict[str, Any]]:
    """Flows at the edges of both networks' rules, from the sources the boxes speak of."""
    rng, found = Random(f"ask {seed}"), []
    own = {
        (str(each.address), interface.interface_id)
        for described in (before, after)
        for interface in described.interfaces.values()
        if interface.vpc_id
        for each in interface.addresses
    }
    held = {address for address, _ in own}
    for described in (before, after):
        for flow in edge_flows(described, seed, count).iter_rows(named=True):
            try:
                source, destination = ip_address(flow["srcaddr"]), ip_address(flow["dstaddr"])
                protocol = int(flow["protocol"])
            except (ValueError, TypeError):
                continue
            if source.version != destination.version or not 0 <= protocol <= 255:
                continue
            owners = sorted(owner for address, owner in own if address == str(source))
            if owners:
                flow["src_interface_id"] = rng.choice(owners)
            elif outside(described, source) and str(source) not in held:
                flow["src_interface_id"] = None
            else:
                continue
            has_ports, is_icmp = protocol in (6, 17), protocol in (1, 58)
            ports = [flow["srcport"], flow["dstport"]]
            if has_ports and not all(isinstance(port, int) and 0 <= port <= 65535 for port in ports):
                continue
            flow["protocol"] = protocol
            flow["icmp_type"] = rng.choice((0, 3, 8, 13, 128, 129, 200)) if is_icmp else None
            flow["icmp_code"] = rng.choice((0, 1, 4)) if is_icmp else None
            found.append(flow)
    return found


def outside(described: Network, address: Any) -> bool:
    blocks = [block for vpc in described.vpcs.values() for block in vpc.blocks]
    mapped = {own.public_address for interface in described.interfaces.values() for own in interface.addresses}
    prefixes = [prefix for interface in described.interfaces.values() for prefix in interface.prefixes]
    routable = not (address.is_multicast or address.is_loopback or address.is_link_local or address.is_unspecified)
    routable = routable and (address.version == 6 or address in ip_network("1.0.0.0/8") or int(address) >= 2**24)
    routable = routable and (address.version == 6 or int(address) < 224 << 24)
    return routable and address not in mapped and not any(address in block for block in (*blocks, *prefixes))


@pytest.mark.parametrize("seed", range(6))
def test_boxes_hold_what_the_twin_finds_flow_by_flow(seed: int) -> None:
    before = edge_network(seed) if seed % 2 else orderly_network(seed)
    after = random_edits(before, seed, 6).after
    found = diff_exhaustive(before, after, limit=10**8).to_dicts()
    asked = flows_to_ask(before, after, seed, 400)
    assert len(asked) > 100
    assert_boxes_hold_exactly(before, after, asked, found)


def test_the_flows_asked_do_differ() -> None:
    counts = []
    for seed in range(6):
        before = edge_network(seed) if seed % 2 else orderly_network(seed)
        after = random_edits(before, seed, 6).after
        asked = flows_to_ask(before, after, seed, 400)
        counts.append(sum(explain(before, each).verdict != explain(after, each).verdict for each in asked))
    assert sum(count > 0 for count in counts) >= 4, counts
    assert sum(counts) > 50, counts


def test_interfaces_alike_are_one_class_and_a_named_one_is_not() -> None:
    many = [
        network().interfaces["eni-a2"].__class__(
            f"eni-x{number}", "vpc-1", "subnet-a", addresses=(address_of(f"10.0.0.{100 + number}"),),
            group_ids=("sg-1",), status="in-use",
        )
        for number in range(20)
    ]  # fmt: skip
    plain = network(**with_interfaces(*many))
    sources, _ = Addresses(plain, plain).classes(4)
    assert sorted(len(each.members) for each in sources if each.example[1]) == [1, 1, 21]
    ruled = network(
        **with_rules(OUT4, allow("sgr-one", False, 6, (22, 22), cidr_block=N("10.0.0.103/32"))),
        **with_interfaces(*many),
    )
    sources, _ = Addresses(plain, ruled).classes(4)
    assert sorted(len(each.members) for each in sources if each.example[1]) == [1, 1, 1, 20]


def address_of(text: str) -> Any:
    return network().interfaces["eni-a2"].addresses[0].__class__(ip_address(text), True)


def test_classes_cover_every_address_and_port_once() -> None:
    before = edge_network(3)
    after = random_edits(before, 3, 6).after
    for version, bits in ((4, 32), (6, 128)):
        _, destinations = Addresses(before, after).classes(version)
        intervals = sorted(interval for each in destinations for interval, _ in each.members)
        assert intervals[0][0] == 0
        assert intervals[-1][1] == 2**bits - 1
        assert all(one[1] + 1 == other[0] for one, other in pairwise(intervals))
    ports, source_ports = port_classes(before, after)
    for protocol in (6, 17):
        every = merged(interval for each in ports if each.protocol == protocol for interval in each.ports)
        assert every == [(0, 65535)]
    assert merged(interval for each in ports for interval in each.protocols) == [(0, 255)]
    assert merged(interval for each in source_ports for interval in each) == [(0, 65535)]


def test_boxes_hold_exactly_the_true_cells_and_never_overlap() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        shape = tuple(rng.integers(1, 6, 3))
        cells = rng.random(shape) < rng.choice([0.1, 0.5, 0.9])
        kinds = [int(kind) for kind in rng.integers(0, 2, shape[2])]
        covered = np.zeros(shape, int)
        for box in boxes(cells, kinds):
            covered[np.ix_(sorted(box.sources), sorted(box.destinations), sorted(box.packets))] += 1
            assert len({kinds[packet] for packet in box.packets}) == 1 or len(box.packets) == shape[2]
        assert (covered == cells).all()


def test_a_full_plane_is_one_box() -> None:
    assert len(boxes(np.ones((3, 4, 5), bool), [1, 1, 2, 2, 3])) == 1
    assert len(boxes(np.ones((3, 4, 5), bool)[:, :, :2], [1, 1])) == 1
    cross = np.zeros((3, 3, 1), bool)
    cross[1, :] = cross[:, 1] = True
    assert len(boxes(cross, [1])) == 2


def test_an_entry_for_one_address_cuts_it_out() -> None:
    after = with_entry("acl-1", entry(10, False, permit=False, cidr="203.0.113.7/32"))(network())
    found = diff_exhaustive(network(), after)
    assert {word for row in found["sources"] for word in row if "203.0.113" in word} == {"203.0.113.7"}
    assert A in {row["destinations"][0].split()[0] for row in found.to_dicts()} | {B}


def in_intervals(intervals: Any, number: int) -> bool:
    return any(first <= number <= last for first, last in intervals)


def example_of(axes: Any, flow: dict[str, Any]) -> dict[str, Any]:
    """The flow that stands for this one."""
    source, destination = int(ip_address(flow["srcaddr"])), int(ip_address(flow["dstaddr"]))
    owner = flow["src_interface_id"]
    start = next(
        each for each in axes.sources if any(a <= source <= b and own == owner for (a, b), own in each.members)
    )
    end = next(each for each in axes.destinations if any(a <= destination <= b for (a, b), _ in each.members))
    for place, (number, source_port) in enumerate(axes.packets):
        port = axes.ports[number]
        if not in_intervals(port.protocols, flow["protocol"]):
            continue
        if source_port is not None:
            if not in_intervals(port.ports, flow["dstport"]):
                continue
            if not in_intervals(axes.source_ports[source_port], flow["srcport"]):
                continue
        elif port.codes and not (
            in_intervals(port.ports, flow["icmp_type"]) and in_intervals(port.codes, flow["icmp_code"])
        ):
            continue
        numbers = axes.sources.index(start), axes.destinations.index(end), place
        (found,) = axes.flows(np.array([np.ravel_multi_index(numbers, axes.shape)])).to_dicts()
        return found
    raise AssertionError(flow)


@pytest.mark.parametrize("seed", range(6))
def test_a_flow_is_judged_as_the_example_of_its_classes(seed: int) -> None:
    """By the slow twin alone, in networks where much stands in between."""
    before = network_from_documents(between_documents(seed))
    after = random_edits(before, seed, 6).after
    axes = {version: _Axes.of(before, after, version) for version in (4, 6)}
    asked = flows_to_ask(before, after, seed, 300)
    assert len(asked) > 50
    for flow in asked:
        example = example_of(axes[ip_address(flow["srcaddr"]).version], flow)
        for described in (before, after):
            assert explain(described, flow).verdict == explain(described, example).verdict, (flow, example)


# -- only packets that a change of rules can touch -------------------------------------------------------


def rule_edits(before: Network, draw: Random) -> Network:
    """A rule gone, a rule's ports narrowed and an entry more: nothing but rules differs."""
    groups = [group for group in before.security_groups.values() if group.rules]
    group = draw.choice(groups)
    gone = draw.choice([rule for rule in group.rules if rule.protocol != -1] or list(group.rules))
    after = replace(group, rules=tuple(rule for rule in group.rules if rule is not gone))
    network_ = replace(before, security_groups={**before.security_groups, group.group_id: after})
    acl = draw.choice(list(before.network_acls.values()))
    first = draw.choice((80, 443, 1024, 8080, 32768, 50000))
    protocol = draw.choice((6, 6, 17, 1))
    ports = (first, first + draw.choice((0, 1000))) if protocol != 1 else (None, None)
    entry = NetworkAclEntry(1, draw.random() < 0.5, protocol, False, ip_network("0.0.0.0/0"), *ports)
    entries = tuple(sorted((*acl.entries, entry), key=lambda each: (each.egress, each.rule_number)))
    return replace(network_, network_acls={**before.network_acls, acl.network_acl_id: replace(acl, entries=entries)})


@pytest.mark.parametrize("seed", range(8))
def test_packets_outside_the_rules_that_differ_stay_as_they_are(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load balancers, NAT gateways and transit gateways included: what is left out could not have differed."""
    before = network_from_documents(between_documents(seed))
    after = rule_edits(before, Random(seed))
    touched = touched_packets(before, after)
    assert touched is not None or any(rule.protocol == -1 for rule in differing(before, after))
    monkeypatch.setattr("flowcore.analyses.diff_exhaustive.touched_packets", lambda *_: None)
    axes = _Axes.of(before, after, 4)
    numbers = np.random.default_rng(seed).integers(0, axes.combinations, 40_000)
    flows = axes.flows(numbers)
    was, now = (compile_network(each).evaluate(flows)["verdict"] for each in (before, after))
    differ = (was != now).arg_true().to_list()
    packets = np.unravel_index(numbers, axes.shape)[2]
    for row in differ if touched is not None else ():
        number, place = axes.packets[packets[row]]
        assert touched.holds(axes.ports[number], () if place is None else axes.source_ports[place]), flows[row]
    FOUND[seed] = len(differ)


FOUND: dict[int, int] = {}


def test_the_packets_asked_do_differ() -> None:
    if FOUND:  # this test alone has nothing to look at
        assert sum(each > 0 for each in FOUND.values()) > 2, FOUND


def test_only_what_a_rule_matches_is_asked() -> None:
    seen: list[int] = []
    diff_exhaustive(network(), network(**with_rules(OUT4, OUT6, INPING, IN443V6)), progress=lambda _, n: seen.append(n))
    whole = sum(_Axes.of(network(), network(interfaces={}), version).combinations for version in (4, 6))
    assert seen[-1] * 5 < whole
    assert touched_packets(network(), network(interfaces={})) is None
