"""diff: every flow's category, cause and moment, against the slow twin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from agreement import edge_network
from diff_networks import (
    Edits,
    orderly_network,
    random_edits,
    with_entry,
    with_route,
    with_rule,
    without_rule,
)
from walk_networks import (
    A6,
    B6,
    B_PUBLIC,
    IN443,
    IN443V6,
    INPING,
    OUT4,
    OUT6,
    A,
    B,
    N,
    X,
    allow,
    by_id,
    entry,
    flow,
    group,
    network,
    route,
    table,
    with_acls,
    with_interfaces,
    with_routes,
    with_rules,
)

import flowcore
from flowcore.analyses.diff import CATEGORIES, Diff, Difference, RecordChanges, diff
from flowcore.analyses.diff_changes import Changes, network_of, parts_of
from flowcore.analyses.diff_verdicts import PATH_COLUMNS, explained, judge, plain, undone
from flowcore.errors import FlowError, InputError
from flowcore.evaluate import compile_network
from flowcore.model import Network, PrefixList
from flowcore.synthetic import edge_flows
from flowcore.walk import explain


def flows_of(*rows: dict[str, Any]) -> pl.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame({name: pl.Series([row.get(name) for row in rows]) for name in names})


def only(found: Difference) -> dict[str, Any]:
    """The only flow that differs."""
    (row,) = found.flows.to_dicts()
    return row


def of(before: Network, after: Network, *rows: dict[str, Any], **more: Any) -> Difference:
    return diff(before, after, flows_of(*rows), **more)


# -- what became of a flow -----------------------------------------------------------------------------


def test_a_removed_rule_breaks_and_an_added_one_opens() -> None:
    without = network(**with_rules(OUT4, OUT6, INPING))
    broken = only(of(network(), without, flow(A, B)))
    assert (broken["category"], broken["verdict_before"], broken["verdict_after"]) == ("broken", "ACCEPT", "REJECT")
    assert (broken["reason_before"], broken["reason_after"]) == (None, "ENI_SG_RULES_MISMATCH")
    assert broken["stage_after"] == "destination-security-group"
    opened = only(of(without, network(), flow(A, B)))
    assert (opened["category"], opened["reason_before"], opened["reason_after"]) == (
        "opened",
        "ENI_SG_RULES_MISMATCH",
        None,
    )


def test_an_end_that_goes_away_is_unknown() -> None:
    without = {key: value for key, value in network().interfaces.items() if key != "eni-b"}
    found = only(of(network(), network(interfaces=without), flow(A, B)))
    assert (found["category"], found["verdict_after"], found["reason_after"]) == (
        "unknown",
        "UNKNOWN",
        "UNKNOWN_DESTINATION",
    )
    assert found["changes"] == ["eni-b: removed"]


def test_another_route_target_is_another_path_though_the_route_keeps_its_name() -> None:
    more = {"internet_gateways": {**network().internet_gateways}}
    two = replace(network().internet_gateways["igw-1"], gateway_id="igw-2")
    before = network(internet_gateways={**more["internet_gateways"], "igw-2": two})
    after = replace(
        before, **with_routes(("0.0.0.0/0", "internet-gateway", "igw-2"), ("::/0", "internet-gateway", "igw-1"))
    )
    found = only(of(before, after, flow(A, X)))
    assert found["category"] == "changed-path"
    assert "route_target internet-gateway igw-1 -> internet-gateway igw-2" in found["decided"]


def test_another_rule_that_decides_alike_is_a_changed_rule() -> None:
    other = allow("sgr-a443", False, 6, (443, 443), cidr_block=N("10.0.0.0/8"))
    found = only(of(network(), network(**with_rules(OUT4, OUT6, other, IN443, INPING)), flow(A, B)))
    assert (found["category"], found["decided"]) == ("changed-rule", ["dst_sg_rule sgr-in443 -> sgr-a443"])


def test_one_more_stage_that_stops_a_flow_is_a_changed_rule() -> None:
    before = network(**with_rules(OUT4))
    after = replace(before, **with_acls(b=[entry(100, True)]))
    found = of(before, after, flow(A, B))
    assert found.counts["changed-rule"] == 1


def test_a_flow_that_nothing_touches_is_unchanged_and_not_listed() -> None:
    found = of(network(), network(**with_rules(OUT4, OUT6, IN443)), flow(A, B), flow(A, X))
    assert found.counts == {**dict.fromkeys(CATEGORIES, 0), "unchanged": 2}
    assert found.flows.is_empty()
    assert found.groups.is_empty()


@pytest.mark.parametrize("seed", range(12))
def test_diff_is_both_networks_judged_by_the_slow_twin_and_compared(seed: int) -> None:
    before = edge_network(seed)
    edits = random_edits(before, seed, 6)
    after, flows = edits.after, edge_flows(before, seed, 400)
    found = diff(before, after, flows.with_row_index("first"), changes=Edits(before, {}))
    expected = {}
    for number, each in enumerate(flows.iter_rows(named=True)):
        was, now = explain(before, each), explain(after, each)
        if was.columns() != now.columns() or _targets(before, was) != _targets(after, now):
            expected[number] = _category(was.verdict, now.verdict, _way(before, was) == _way(after, now))
    assert dict(found.flows.select("first", pl.col("category").cast(pl.String)).rows()) == expected
    counts = Counter(expected.values())
    assert found.counts == {
        **{category: counts[category] for category in CATEGORIES},
        "unchanged": flows.height - len(expected),
    }


def _targets(described: Network, path: Any) -> list[Any]:
    found = []
    for name in (path.route, path.reply_route):
        table, _, destination = (name or "").partition(" ")
        routes = described.routes_of(described.route_tables[table]) if table else ()
        match = sorted((each for each in routes if str(each.destination) == destination), key=lambda r: r.propagated)
        found.append((match[0].target_kind, match[0].target_id) if match else None)
    return found


def _way(described: Network, path: Any) -> list[Any]:
    names = [name for name in PATH_COLUMNS if not name.endswith("route_target")]
    return [*(getattr(path, name, None) for name in names), *_targets(described, path)]


def _category(was: str, now: str, same_way: bool) -> str:
    if was != now:
        return {("ACCEPT", "REJECT"): "broken", ("REJECT", "ACCEPT"): "opened"}.get((was, now), "unknown")
    return "changed-rule" if same_way else "changed-path"


# -- totals and input ----------------------------------------------------------------------------------


def test_totals_add_up_and_are_null_where_nothing_is_known() -> None:
    rows = [
        {**flow(A, B), "records": 3, "bytes": 100, "first": 20, "last": 30},
        {**flow(A, B, 444), "records": 1, "bytes": 7, "first": 5, "last": 9},
        {**flow(X, B_PUBLIC), "records": 2, "bytes": 50, "first": 10, "last": 90},
    ]
    found = of(network(), network(**with_rules(OUT4, OUT6, INPING)), *rows)
    (group_,) = found.groups.to_dicts()
    assert [group_[name] for name in ("flows", "records", "packets", "bytes", "first", "last")] == [
        2, 5, None, 150, 10, 90,
    ]  # fmt: skip
    summary = {row["category"]: row for row in found.summary.to_dicts()}
    assert [row["flows"] for row in summary.values()] == [2, 0, 0, 0, 0, 1]
    assert (summary["unchanged"]["bytes"], summary["unchanged"]["first"]) == (7, 5)
    assert summary["opened"]["bytes"] is None


def test_start_and_end_of_logs_are_first_and_last() -> None:
    found = of(network(), network(**with_rules(OUT4)), {**flow(A, B), "start": 5, "end": 9})
    assert (only(found)["first"], only(found)["last"]) == (5, 9)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_change_nothing(size: int) -> None:
    before = mixed_network(4)
    edits, flows = random_edits(before, 4, 7), edge_flows(before, 4, 120)
    whole = diff(before, edits.after, flows, changes=edits)
    run = Diff(before, edits.after, changes=edits)
    for part in flows.iter_slices(size):
        run.add(part)
    parts = run.result()
    assert parts.flows.equals(whole.flows)
    assert parts.groups.equals(whole.groups)
    assert parts.summary.equals(whole.summary)
    assert whole.flows.height > 10


def test_tables_of_verdicts_are_compared_without_networks() -> None:
    before, after = network(), network(**with_rules(OUT4))
    flows = flows_of(flow(A, B), flow(A, X))
    tables = [compile_network(each).evaluate(flows) for each in (before, after)]
    found = diff(*tables)
    assert found.counts["broken"] == 1
    assert (only(found)["changes"], only(found)["undo"], only(found)["when"]) == ([], None, None)


def test_what_does_not_fit_is_an_error() -> None:
    verdicts = compile_network(network()).evaluate(flows_of(flow(A, B)))
    with pytest.raises(InputError, match="cannot be compared"):
        diff(network(), verdicts)
    with pytest.raises(FlowError, match="different flows"):
        diff(verdicts, compile_network(network()).evaluate(flows_of(flow(A, X))))
    with pytest.raises(FlowError, match="no verdicts"):
        diff(verdicts.drop("verdict"), verdicts)
    with pytest.raises(FlowError, match="not verdicts"):
        diff(verdicts.with_columns(verdict=pl.lit("MAYBE")), verdicts)
    with pytest.raises(InputError, match="no flows"):
        diff(network(), network())
    with pytest.raises(InputError, match="exclude"):
        diff(verdicts, verdicts, verdicts)


def test_no_flows_at_all_give_an_empty_answer() -> None:
    found = diff(network(), network(**with_rules(OUT4)), flows_of(flow(A, B)).clear())
    assert found.counts == dict.fromkeys(CATEGORIES, 0)
    assert found.groups.is_empty()
    assert found.groups.columns == of(network(), network(**with_rules(OUT4)), flow(A, B)).groups.columns


def test_both_ways_of_judging_give_one_table() -> None:
    before = edge_network(9)
    flows = edge_flows(before, 9, 300)
    slow, fast = plain(explained(before, flows), before), judge(compile_network(before), flows)
    assert slow.equals(fast)


# -- which change did it -------------------------------------------------------------------------------


def test_one_change_of_several_is_named() -> None:
    edits = Edits(
        network(),
        {
            "aws_x.unrelated": with_rule("sg-1", allow("sgr-new", False, 17, (53, 53))),
            "aws_x.cause": without_rule("sg-1", "sgr-in443"),
            "aws_x.route": with_route("rtb-1", route("198.51.100.0/24", "internet-gateway", "igw-1")),
        },
    )
    found = of(network(), edits.after, flow(A, B), changes=edits)
    assert (only(found)["changes"], only(found)["undo"]) == (["aws_x.cause"], "all")


def test_two_changes_that_each_break_are_both_needed() -> None:
    edits = Edits(
        network(),
        {
            "rule": without_rule("sg-1", "sgr-in443"),
            "unrelated": without_rule("sg-1", "sgr-in443v6"),
            "entry": with_entry("acl-1", entry(50, False, permit=False, protocol=6, from_port=443, to_port=443)),
        },
    )
    found = only(of(network(), edits.after, flow(A, B), changes=edits))
    assert (found["changes"], found["undo"]) == (["rule", "entry"], "all")


def test_two_changes_that_break_only_together_are_named_as_alternatives() -> None:
    second = allow("sgr-other443", False, 6, (443, 443), cidr_block=N("10.0.0.0/8"))
    before = network(**with_rules(OUT4, OUT6, IN443, second))
    edits = Edits(before, {"one": without_rule("sg-1", "sgr-in443"), "two": without_rule("sg-1", "sgr-other443")})
    found = only(of(before, edits.after, flow(A, B), changes=edits))
    assert (found["category"], found["changes"], found["undo"]) == ("broken", ["one", "two"], "any")


def test_what_no_known_change_undoes_is_not_blamed_on_one() -> None:
    edits = Edits(network(**with_rules(OUT4, IN443V6)), {"unrelated": without_rule("sg-1", "sgr-in443v6")})
    found = only(of(network(), edits.after, flow(A, B), changes=edits))
    assert (found["category"], found["changes"], found["undo"]) == ("broken", [], None)


def test_two_snapshots_are_compared_record_by_record() -> None:
    acl_b = with_acls(b=[entry(100, True), entry(100, False)])
    before = replace(network(), **acl_b)
    after = replace(
        before,
        **with_acls(b=[entry(100, True), entry(90, False, permit=False), entry(100, False)]),
        **with_routes(("::/0", "internet-gateway", "igw-1")),
        **with_interfaces(a2={"group_ids": ()}),
    )
    changes = RecordChanges(before, after)
    assert isinstance(changes, Changes)
    assert changes.names == (
        "eni-a2: group_ids",
        "acl-b: entry ingress 90 added",
        "rtb-1: route 0.0.0.0/0 removed",
    )
    assert only(of(before, after, flow(A, B)))["changes"] == ["acl-b: entry ingress 90 added"]
    assert only(of(before, after, flow(A, X)))["changes"] == ["rtb-1: route 0.0.0.0/0 removed"]


def test_names_of_record_changes_say_what_changed() -> None:
    tables = {
        "rtb-1": table("rtb-1", ("0.0.0.0/0", "internet-gateway", "igw-1"), main=True),
        "rtb-2": table("rtb-2", ("0.0.0.0/0", "internet-gateway", "igw-1"), subnet_ids=("subnet-a",)),
    }
    before = network(route_tables=tables)
    later = {
        "rtb-1": replace(tables["rtb-1"], main=False, subnet_ids=("subnet-a",)),
        "rtb-2": replace(
            tables["rtb-2"], main=True, subnet_ids=(), routes=(route("0.0.0.0/0", "nat-gateway", "nat-1"),)
        ),
    }
    narrowed = replace(IN443, cidr_block=N("10.0.0.0/8"), to_port=444)
    after = network(route_tables=later, **with_rules(OUT4, OUT6, narrowed, INPING))
    assert RecordChanges(before, after).names == (
        "subnet-a: route table rtb-2 -> rtb-1",
        "vpc-1: main route table rtb-1 -> rtb-2",
        "rtb-2: route 0.0.0.0/0 target_kind, target_id",
        "sg-1: rule sgr-in443 to_port, cidr_block",
        "sg-1: rule sgr-in443v6 removed",
    )


@pytest.mark.parametrize("seed", range(40))
def test_record_changes_all_undone_are_the_network_before(seed: int) -> None:
    before, after = edge_network(seed), random_edits(edge_network(seed), seed, 8).after
    changes = RecordChanges(before, after)
    assert changes.names
    assert changes.network_without(changes.names) == before
    assert changes.network_without(()) == after
    assert network_of(parts_of(before), before, before) == before
    one, *others = changes.names
    assert RecordChanges(before, changes.network_without(others)).names == (one,)
    assert RecordChanges(changes.network_without([one]), after).names == (one,)
    assert RecordChanges(before, before).names == ()


def mixed_network(seed: int) -> Network:
    """A network whose rules overlap on purpose; every other one is in good order."""
    return edge_network(seed) if seed % 2 else orderly_network(seed)


@pytest.mark.parametrize("seed", range(16))
def test_undoing_what_is_named_undoes_it_and_nothing_less_does(seed: int) -> None:
    """The exactness of attribution, on random edits and on the records of the same two networks."""
    before = mixed_network(seed)
    edits = random_edits(before, seed, 7)
    after, flows = edits.after, edge_flows(before, seed, 250)
    for changes in (edits, RecordChanges(before, after)):
        found = diff(before, after, flows, changes=changes)
        for (names, undo, category), part in (
            found.flows.with_columns(key=pl.col("changes").list.join("\n"))
            .partition_by(["key", "undo", "category"], as_dict=True)
            .items()
        ):
            _assert_exact(before, part, changes, names.split("\n") if names else [], undo, category)


def _assert_exact(
    before: Network, part: pl.DataFrame, changes: Changes, names: list[str], undo: Any, kind: str
) -> None:
    judged = plain(explained(before, part), before)

    def is_undone(some: list[str]) -> list[bool]:
        without = changes.network_without(some)
        category = pl.Series("category", [kind] * part.height)
        return undone(category, judged, plain(explained(without, part), without)).to_list()

    assert names, f"all changes are known, so {kind} has a cause"
    singles = [is_undone([name]) for name in changes.names]
    if undo == "any":
        assert all(all(is_undone([name])) for name in names)
        assert len(names) > 1
    else:
        assert all(is_undone(names))
        if len(names) > 1:
            for left_out in names:
                assert not any(is_undone([name for name in names if name != left_out]))
            assert not any(any(each) for each in singles)
    if undo == "any" or len(names) == 1:  # every change that suffices by itself is named
        assert {name for name, each in zip(changes.names, singles, strict=True) if any(each)} == set(names)


def test_the_property_meets_every_kind_of_cause() -> None:
    seen: Counter[tuple[str, Any]] = Counter()
    for seed in range(16):
        before = mixed_network(seed)
        edits = random_edits(before, seed, 7)
        found = diff(before, edits.after, edge_flows(before, seed, 250), changes=edits)
        for row in found.flows.iter_rows(named=True):
            seen[row["category"], row["undo"] if len(row["changes"]) > 1 else "one"] += 1
    assert {category for category, _ in seen} == set(CATEGORIES) - {"unchanged"}
    assert {undo for _, undo in seen} == {"one", "any", "all"}, seen


class Open(Edits):
    """Edits that leave a prefix list open: it may turn out to be any of `entries`."""

    def __init__(self, before: Network, edits: dict[str, Any], entries: list[str]) -> None:
        super().__init__(before, edits)
        self.entries = entries

    def variants_without(self, names: Collection[str]) -> list[Network]:
        network_ = self.network_without(names)
        return [
            replace(network_, prefix_lists={"pl-1": PrefixList("pl-1", (N(each),), address_family=4)})
            for each in self.entries
        ]


@pytest.mark.parametrize(
    ("entries", "category"),
    [(["10.0.0.0/24", "10.0.0.0/16"], "changed-rule"), (["10.0.0.0/24", "192.0.2.0/24"], "unknown"),
     (["192.0.2.0/24", "198.51.100.0/24"], "broken"), ([], "unknown")],
)  # fmt: skip
def test_open_values_count_only_where_they_differ(entries: list[str], category: str) -> None:
    by_list = allow("sgr-list", False, 6, (443, 443), prefix_list_id="pl-1")
    edits = Open(
        network(),
        {
            "narrower": lambda each: with_rule("sg-1", by_list)(without_rule("sg-1", "sgr-in443")(each)),
            "unrelated": without_rule("sg-1", "sgr-in443v6"),
        },
        entries,
    )
    found = only(of(network(), edits.after, flow(A, B), changes=edits))
    assert (found["category"], found["changes"]) == (category, ["narrower"])


# -- when it breaks ------------------------------------------------------------------------------------

FROM_HOME = allow("sgr-home443", False, 6, (443, 443), cidr_block=N("10.0.0.0/8"))
IN53 = allow("sgr-in53", False, 17, (53, 53), cidr_block=N("10.0.0.0/8"))


def when(before: Network, after: Network, each: dict[str, Any]) -> tuple[str, int | None]:
    row = only(of(before, after, each))
    assert row["category"] == "broken"
    return row["when"], row["idle_seconds"]


def test_sg31_an_untracked_flow_breaks_at_once() -> None:
    assert when(network(), network(**with_rules(OUT4, OUT6)), flow(A, B)) == ("now", None)


def test_sg35_without_the_open_rule_back_it_is_tracked() -> None:
    narrow_out = allow("sgr-out10", True, cidr_block=N("10.0.0.0/8"))
    before = network(**with_rules(narrow_out, IN443))
    assert when(before, network(**with_rules(narrow_out)), flow(A, B)) == ("new-connections", 432_000)


def test_sg35_an_open_rule_for_some_ports_only_does_not_untrack() -> None:
    some = allow("sgr-out-some", True, 6, (0, 65534))
    before = network(**with_rules(some, IN443))
    assert when(before, network(**with_rules(some)), flow(A, B)) == ("new-connections", 432_000)
    every = replace(some, to_port=65535)
    before = network(**with_rules(every, IN443))
    assert when(before, network(**with_rules(every)), flow(A, B)) == ("now", None)


def test_sg35_families_are_tracked_apart() -> None:
    v6 = allow("sgr-in443v6", False, 6, (443, 443), cidr_block=N("::/0"))
    before = network(**with_rules(OUT4, OUT6, v6, FROM_HOME))
    after = network(**with_rules(OUT4, OUT6))
    assert when(before, after, flow(A6, B6)) == ("now", None)
    assert when(before, after, flow(A, B)) == ("new-connections", 432_000)


def test_sg36_a_tracked_flow_goes_on_until_it_is_idle() -> None:
    before = network(**with_rules(OUT4, OUT6, FROM_HOME, IN53, INPING))
    after = network(**with_rules(OUT4, OUT6))
    assert when(before, after, flow(A, B)) == ("new-connections", 432_000)
    assert when(before, after, flow(A, B, 53, 17)) == ("after-idle", 180)
    assert when(before, after, flow(A, B, None, 1, icmp_type=8, icmp_code=0)) == ("after-idle", None)


def test_sg33_other_protocols_are_tracked_for_ten_minutes() -> None:
    before = network(**with_rules(OUT4, allow("sgr-in", False)))
    assert when(before, network(**with_rules(OUT4)), flow(A, B, None, 50)) == ("after-idle", 600)


def test_sg36_a_network_acl_or_a_route_cuts_tracked_flows_too() -> None:
    before = network(**with_rules(OUT4, OUT6, FROM_HOME))
    assert when(before, replace(before, **with_acls(b=[entry(100, True)])), flow(A, B)) == ("now", None)
    assert when(before, replace(before, **with_acls(a=[entry(100, True)])), flow(A, B)) == ("now", None)
    assert when(network(), replace(network(), **with_routes()), flow(A, X)) == ("now", None)


def test_sg36_an_acl_beside_the_group_cuts_at_once() -> None:
    before = network(**with_rules(OUT4, OUT6, FROM_HOME))
    after = network(**with_rules(OUT4, OUT6), **with_acls(b=[entry(100, True)]))
    assert when(before, after, flow(A, B)) == ("now", None)


def test_sg30_the_group_that_stops_it_is_the_one_that_tracks() -> None:
    """The source's group tracks (no open rule in), the destination's does not; either may lose its rule."""
    src, dst = replace(OUT4, rule_id="sgr-src"), replace(OUT4, rule_id="sgr-dst")
    ends = with_interfaces(a={"group_ids": ("sg-src",)}, b={"group_ids": ("sg-dst",)})

    def made(source: tuple, destination: tuple) -> Network:
        groups = by_id("group_id", group(*source, group_id="sg-src"), group(*destination, group_id="sg-dst"))
        return network(security_groups=groups, **ends)

    before = made((src,), (dst, IN443))
    assert when(before, made((), (dst, IN443)), flow(A, B)) == ("new-connections", 432_000)
    assert when(before, made((src,), (dst,)), flow(A, B)) == ("now", None)


def test_opened_flows_have_no_moment() -> None:
    assert only(of(network(**with_rules(OUT4)), network(), flow(A, B)))["when"] is None


# -- examples ------------------------------------------------------------------------------------------


def test_an_example_names_the_flow_for_explain() -> None:
    found = of(network(), network(**with_rules(OUT4)), flow(A, B, src_interface_id="eni-a"), snapshot="my snap")
    (example,) = found.groups["examples"][0]
    assert example == (
        "flowcore explain 'my snap' --from eni-a --to 10.0.1.20 --protocol tcp --port 443 --source-port 50000"
    )


def test_examples_are_few_and_quoted() -> None:
    rows = [flow(A, B, port) for port in range(440, 448)]
    wide = allow("sgr-wide", False, 6, (0, 65535))
    found = of(network(**with_rules(OUT4, wide)), network(**with_rules(OUT4)), *rows, snapshot="$(reboot)")
    assert [len(each) for each in found.groups["examples"]] == [3]
    assert all("'$(reboot)'" in each for each in found.groups["examples"][0])


def test_diff_is_public() -> None:
    assert flowcore.diff is diff
