"""Small cases counted by hand: what decides, what matches, what would be missed, and what holds without traffic."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import polars as pl
import pytest
from walk_networks import IGW, IN443, INPING, OUT4, acl, allow, by_id, entry, group, interfaces, network, route, table

import flowcore
from flowcore.analyses.usage import usage_report
from flowcore.errors import FlowError, InputError
from flowcore.model import Network, SecurityGroup

N = ip_network


def flows(*rows: tuple[str, str, int, int, int], **more: Any) -> pl.DataFrame:
    names = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol")
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        pl.Series(name, values) for name, values in more.items()
    )


WEB = ("8.8.8.8", "52.0.0.20", 40000, 443, 6)
LOCAL = ("10.0.0.10", "10.0.1.20", 40000, 443, 6)


def row(rules: pl.DataFrame, rule: str, direction: str | None = None) -> dict[str, Any]:
    found = [each for each in rules.iter_rows(named=True) if each["rule"] == rule]
    found = [each for each in found if direction is None or each["direction"] == direction]
    assert len(found) == 1, (rule, [each["direction"] for each in found])
    return found[0]


def counts(rules: pl.DataFrame, rule: str, direction: str | None = None) -> tuple[int, int, int]:
    found = row(rules, rule, direction)
    return found["flows"], found["matched_flows"], found["alone_flows"]


def with_rules(*rules: Any) -> Network:
    return network(security_groups=by_id("group_id", group(OUT4, *rules)))


def test_sg01_of_several_rules_that_let_in_one_is_named_and_none_is_alone() -> None:
    wide = allow("sgr-in-wide", False, 6, (400, 500))
    rules = flowcore.usage(with_rules(IN443, wide), flows(WEB, WEB, LOCAL))
    assert counts(rules, "sgr-in-wide") == (0, 3, 0)
    assert counts(rules, "sgr-in443") == (3, 3, 0)
    rules = flowcore.usage(with_rules(IN443, wide), flows(WEB, (*WEB[:3], 444, 6)))
    assert counts(rules, "sgr-in-wide") == (1, 2, 1)


def test_sg01_a_rule_that_another_covers_is_shadowed_and_equal_ones_are_kept_once() -> None:
    wide, same = allow("sgr-in-wide", False, 6, (400, 500)), replace(IN443, rule_id="sgr-in443-again")
    rules = flowcore.usage(with_rules(wide, IN443, same), flows(WEB))
    assert row(rules, "sgr-in-wide")["status"] == "used"
    assert row(rules, "sgr-in443")["status"] == "shadowed"
    assert "sgr-in-wide" in row(rules, "sgr-in443")["note"]
    rules = flowcore.usage(with_rules(IN443, same), flows(WEB))
    assert row(rules, "sgr-in443-again")["status"] == "shadowed"
    assert row(rules, "sgr-in443")["status"] == "redundant"


def test_sg01_rules_that_cover_one_together_make_it_redundant() -> None:
    low, high = allow("sgr-low", False, 6, (1, 443)), allow("sgr-middle", False, 6, (400, 500))
    rules = flowcore.usage(with_rules(low, high, allow("sgr-x", False, 6, (440, 480))), flows(WEB))
    assert row(rules, "sgr-x")["status"] == "shadowed"  # sgr-middle covers it alone
    rules = flowcore.usage(
        with_rules(low, replace(high, from_port=444), allow("sgr-x", False, 6, (440, 480))), flows(WEB)
    )
    assert row(rules, "sgr-x")["status"] == "redundant"
    assert counts(rules, "sgr-x") == (0, 1, 0)


def test_na02_the_first_entry_decides_and_a_later_one_is_only_matched() -> None:
    entries = [
        entry(90, False, False, 6, "8.8.8.0/24", from_port=22, to_port=22),
        entry(100, False), entry(110, False, True, 6, from_port=443, to_port=443), entry(120, False, False),
        entry(100, True), entry(32767, False, False), entry(32767, True, False),
    ]  # fmt: skip
    built = network(network_acls=by_id("network_acl_id", acl(*entries, is_default=True)))
    rules = flowcore.usage(built, flows(WEB, (*WEB[:3], 22, 6), (*WEB[:3], 80, 6)))
    assert counts(rules, "acl-1#90") == (1, 1, 1)
    assert counts(rules, "acl-1#100", "ingress") == (2, 3, 1)  # without it, 110 says the same of 443 only
    assert row(rules, "acl-1#110")["status"] == "shadowed"
    assert row(rules, "acl-1#120")["status"] == "shadowed"
    assert row(rules, "acl-1#32767", "ingress")["status"] == "never-hit"  # NA-03: it cannot be removed


def test_na02_an_entry_whose_followers_say_the_same_is_redundant() -> None:
    entries = [entry(100, False, True, 6, "8.0.0.0/8"), entry(110, False), entry(100, True)]
    rules = flowcore.usage(network(network_acls=by_id("network_acl_id", acl(*entries, is_default=True))), flows(WEB))
    assert counts(rules, "acl-1#100", "ingress") == (1, 1, 0)
    assert row(rules, "acl-1#100", "ingress")["status"] == "redundant"
    assert row(rules, "acl-1#110")["status"] == "never-hit"


def test_na06_the_reply_counts_apart_at_the_entries_it_meets() -> None:
    rules = flowcore.usage(network(), flows(LOCAL, packets=[7], bytes=[700]))
    egress, ingress = row(rules, "acl-1#100", "egress"), row(rules, "acl-1#100", "ingress")
    assert (egress["flows"], egress["reply_flows"], egress["bytes"], egress["reply_bytes"]) == (1, 1, 700, 0)
    assert (ingress["flows"], ingress["reply_flows"], ingress["packets"]) == (1, 1, 7)
    local = row(rules, "rtb-1 10.0.0.0/16")
    assert (local["flows"], local["reply_flows"], local["status"]) == (1, 1, "used")


def test_rt04_the_longest_route_decides_and_is_alone_where_the_next_leads_elsewhere() -> None:
    routes = (IGW, route("8.8.0.0/16", "internet-gateway", "igw-1"), route("9.0.0.0/8", "network-interface", "eni-a"))
    built = network(route_tables=by_id("route_table_id", table("rtb-1", *routes, main=True)))
    out = flows(("10.0.0.10", "8.8.8.8", 40000, 443, 6), ("10.0.0.10", "1.1.1.1", 40000, 443, 6))
    rules = flowcore.usage(built, out)
    assert counts(rules, "rtb-1 8.8.0.0/16") == (1, 1, 0)
    assert row(rules, "rtb-1 8.8.0.0/16")["status"] == "redundant"
    assert counts(rules, "rtb-1 0.0.0.0/0") == (1, 2, 1)
    assert row(rules, "rtb-1 9.0.0.0/8")["status"] == "never-hit"
    assert row(rules, "rtb-1 10.0.0.0/16")["note"] == "AWS's own: it cannot be removed"


def test_rt11_a_propagated_route_inside_the_vpc_is_shadowed() -> None:
    routes = (IGW, route("10.0.1.0/24", "virtual-private-gateway", "vgw-1", propagated=True))
    built = network(route_tables=by_id("route_table_id", table("rtb-1", *routes, main=True)))
    assert row(flowcore.usage(built, flows(LOCAL)), "rtb-1 10.0.1.0/24")["status"] == "shadowed"


def test_sg02_what_no_rule_lets_in_is_counted_at_no_rule() -> None:
    report = usage_report(network(), flows((*WEB[:3], 22, 6), (*WEB[:3], 23, 6), records=[5, 1]))
    assert report.refused.rows() == [
        ("security-group-rule", "sg-1", "ingress", "ENI_SG_RULES_MISMATCH", 2, 6, 0, 0)
    ]  # fmt: skip
    assert row(report.rules, "sgr-in443")["status"] == "never-hit"
    assert row(report.rules, "acl-1#100", "ingress")["records"] == 6


def test_fl64_a_rule_that_may_have_matched_is_unknown_and_not_idle() -> None:
    rules = flowcore.usage(with_rules(allow("sgr-echo", False, 1, (8, 0))), flows(("8.8.8.8", "52.0.0.20", 0, 0, 1)))
    found = row(rules, "sgr-echo")
    assert (found["status"], found["possible_records"], found["matched_flows"]) == ("unknown", 1, 0)


def test_what_applies_to_nothing_says_so() -> None:
    spare = group(replace(IN443, rule_id="sgr-spare"), group_id="sg-2")
    named = group(replace(INPING, rule_id="sgr-named"), group_id="sg-3")
    own = group(OUT4, allow("sgr-ref", False, 6, (1, 2), referenced_group_id="sg-3"))
    default = SecurityGroup("sg-4", "vpc-1", "default")
    built = network(
        security_groups=by_id("group_id", own, spare, named, default),
        route_tables=by_id("route_table_id", table("rtb-1", IGW, main=True), table("rtb-2", IGW)),
        network_acls=by_id(
            "network_acl_id", acl(entry(100, False), is_default=True), acl(entry(1, True), name="acl-2")
        ),
    )
    report = usage_report(built, flows(WEB))
    idle = report.rules.filter(pl.col("status") == "not-used-by-any-interface")["rule"].to_list()
    assert sorted(idle) == [
        "acl-2#1",
        "rtb-2 0.0.0.0/0",
        "rtb-2 10.0.0.0/16",
        "rtb-2 2600:1f00::/56",
        "sgr-named",
        "sgr-spare",
    ]
    assert report.groups.filter("unused")["group_id"].to_list() == ["sg-2"]
    assert row(report.rules, "sgr-ref")["note"] == "its remote holds no address here"


def test_a_rule_not_hit_lately_is_stale() -> None:
    day = 86_400
    seen = flows((*WEB[:3], 443, 6), ("8.8.8.8", "52.0.0.20", 0, 0, 1), start=[day, 101 * day], end=[day, 101 * day])
    rules = flowcore.usage(network(), seen, stale_days=90)
    assert row(rules, "sgr-in443")["status"] == "stale"
    assert row(rules, "sgr-in443")["last"] == day
    assert row(flowcore.usage(network(), seen, stale_days=100), "sgr-in443")["status"] == "used"
    assert row(flowcore.usage(network(), seen, stale_days=None), "sgr-in443")["status"] == "used"


def test_fl11_a_log_of_one_action_says_nothing_of_the_other() -> None:
    deny = [entry(90, False, False, 6, from_port=22, to_port=22), entry(100, False), entry(100, True)]
    built = network(network_acls=by_id("network_acl_id", acl(*deny, is_default=True)))
    log = pl.DataFrame(
        {"interface_id": "eni-b", "srcaddr": "8.8.8.8", "dstaddr": "10.0.1.20", "srcport": 40000, "dstport": 443,
         "protocol": 6, "packets": 3, "bytes": 300, "start": 10, "end": 20, "action": ["ACCEPT"]}
    )  # fmt: skip
    idle = [f"2 1 {each} - - - - - - - 1 2 - NODATA" for each in ("eni-a", "eni-a2")]
    assert len(idle) == 2
    found = row(flowcore.usage(built, log), "acl-1#90")
    assert found["status"] == "unknown"
    assert row(flowcore.usage(built, log), "sgr-in443")["bytes"] == 300


def test_sums_of_huge_numbers_do_not_wrap() -> None:
    most = (1 << 63) - 1
    found = row(flowcore.usage(network(), flows(WEB, WEB, bytes=[most, most], packets=[None, 4])), "sgr-in443")
    assert found["bytes"] == most
    assert found["packets"] == 4


@pytest.mark.parametrize(("wrong", "error"), [({"stale_days": -1}, InputError), ({"max_rules": 0}, InputError)])
def test_wrong_arguments_are_said(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        usage_report(network(), flows(WEB), **wrong)


def test_what_is_no_table_is_said() -> None:
    with pytest.raises(FlowError):
        flowcore.usage(network(), 5)
    assert interfaces()[0].vpc_id == "vpc-1"


def suggestion(report: Any, rule: str) -> dict[str, Any]:
    return next(each for each in report.suggestions.iter_rows(named=True) if each["rule"] == rule)


def test_a_suggestion_holds_what_was_seen_and_no_more() -> None:
    seen = flows(*[(f"8.8.8.{n}", "52.0.0.20", 40000, 443, 6) for n in range(4)], ("9.9.9.9", "52.0.0.20", 1, 443, 6))
    report = usage_report(network(), seen, suggest=True)
    found = suggestion(report, "sgr-in443")
    assert found["suggestion"] == ["tcp 443 from 8.8.8.0/30", "tcp 443 from 9.9.9.9/32"]
    assert (found["remotes"], found["ports"], found["records"], found["would_block_records"]) == (5, 1, 5, 0)


def test_a_suggestion_keeps_to_the_quota_and_says_what_it_leaves_out() -> None:
    day = 86_400
    remotes = [f"8.{n}.0.1" for n in range(0, 40, 4)]
    seen = flows(*[(each, "52.0.0.20", 40000, 443, 6) for each in remotes], end=[day * n for n in range(1, 11)])
    report = usage_report(network(), seen, suggest=True, max_rules=3, stale_days=None)
    found = suggestion(report, "sgr-in443")
    assert 1 <= len(found["suggestion"]) <= 3
    assert found["would_block_records"] == 0
    late = suggestion(usage_report(network(), seen, suggest=True, stale_days=4), "sgr-in443")
    assert late["would_block_records"] == 5
    assert late["would_block_remotes"] == 5
    assert "8.0.0.1" not in str(late["suggestion"])


def test_a_suggestion_for_a_reference_keeps_it() -> None:
    rules = with_rules(allow("sgr-ref", False, -1, referenced_group_id="sg-1"))
    report = usage_report(rules, flows(LOCAL, (*LOCAL[:3], 8080, 6)), suggest=True)
    assert suggestion(report, "sgr-ref")["suggestion"] == ["tcp 443 from sg-1", "tcp 8080 from sg-1"]


def test_ports_and_prefixes_are_merged_as_little_as_the_quota_allows() -> None:
    from flowcore.analyses.usage_needs import Seen, suggested

    seen = [Seen(N(f"10.{a}.{b}.7/32"), 6, 80, 1, 0) for a in range(8) for b in range(0, 200, 3)]
    seen += [Seen(N("fd00::1/128"), 6, port, 1, 0) for port in (80, 81, 82, 9000)]
    for most in (1, 2, 5, 60, 1000):
        rules = suggested(seen, most, keeps_remote=False)
        four = [rule for rule in rules if rule.prefix is not None and rule.prefix.version == 4]
        assert len(four) <= most
        assert all(any(rule.covers(each) for rule in rules) for each in seen)
    assert {rule.ports for rule in suggested(seen[-4:], 5, keeps_remote=False)} == {(80, 82), (9000, 9000)}
