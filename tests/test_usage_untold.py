"""What `usage` cannot tell it calls unknown: no rule is idle that an accepted packet at its interface may need."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import polars as pl
import pytest
from test_usage_logs import made
from walk_networks import IGW, OUT4, acl, allow, by_id, entry, group, interfaces, network, route, table

import flowcore
from flowcore.analyses.usage import usage_report
from flowcore.model import Network, PrefixList

N = ip_network
OUT, IN = "egress", "ingress"


def record(
    interface: str, way: str, source: tuple[str, int], destination: tuple[str, int], flags: int | None = 2, **more: Any
) -> dict[str, Any]:
    return {
        "interface_id": interface, "flow_direction": way, "srcaddr": source[0], "srcport": source[1],
        "dstaddr": destination[0], "dstport": destination[1], "protocol": 6, "tcp_flags": flags, "packets": 1,
        "bytes": 100, "start": 1000, "end": 1010, "action": "ACCEPT", **more,
    }  # fmt: skip


def both_ways(interface: str, client: tuple[str, int], server: tuple[str, int], **more: Any) -> list[dict[str, Any]]:
    """A conversation as the server's interface logs it."""
    return [record(interface, IN, client, server, 2, **more), record(interface, OUT, server, client, 18, **more)]


def with_rules(*rules: Any, **changes: Any) -> Network:
    return network(security_groups=by_id("group_id", group(OUT4, *rules)), **changes)


def statuses(report: Any) -> dict[str, str]:
    rules = report.rules.filter(pl.col("kind") != "network-acl-entry")
    return dict(rules.select("rule", pl.col("status").cast(pl.String)).rows())


def entries(report: Any) -> dict[tuple[str, str], str]:
    rules = report.rules.filter(pl.col("kind") == "network-acl-entry")
    return {(rule, way): status for rule, way, status in rules.select("rule", "direction", "status").rows()}


def told(built: Network, *rows: dict[str, Any], **how: Any) -> Any:
    """The report of a log of these records, and of one of every other interface that says nothing."""
    idle = [record(each, OUT, ("10.0.0.99", 1), ("10.0.0.98", 9), protocol=99) for each in ("eni-a", "eni-a2")]
    return usage_report(built, pl.DataFrame([*rows, *idle], infer_schema_length=None), **how)


SERVER = ("10.0.1.20", 5432)
PEER = ("10.9.0.7", 50000)
DATABASE = allow("sgr-db", False, 6, (5432, 5432), cidr_block=N("10.0.0.0/8"))
SSH = allow("sgr-ssh", False, 6, (22, 22), cidr_block=N("10.0.0.0/8"))
ELSEWHERE = allow("sgr-elsewhere", False, 6, (5432, 5432), cidr_block=N("172.16.0.0/12"))


@pytest.mark.parametrize("client", [PEER, ("10.0.0.66", 50000)], ids=["undescribed-peer", "gone-since"])
def test_fl43_a_rule_that_an_accepted_record_may_need_is_unknown(client: tuple[str, int]) -> None:
    peering = route("10.9.0.0/16", "vpc-peering-connection", "pcx-1")
    tables = by_id("route_table_id", table("rtb-1", IGW, peering, main=True))
    built = with_rules(DATABASE, SSH, ELSEWHERE, route_tables=tables)
    report = told(built, *both_ways("eni-b", client, SERVER))
    found = statuses(report)
    assert found["sgr-db"] == "unknown"
    assert "2 records at eni-b" in report.rules.filter(pl.col("rule") == "sgr-db")["note"].item()
    assert (found["sgr-ssh"], found["sgr-elsewhere"]) == ("never-hit", "never-hit")  # neither can be what was needed
    assert entries(report)["acl-1#100", IN] == entries(report)["acl-1#100", OUT] == "unknown"
    if client == PEER:
        assert found["rtb-1 10.9.0.0/16"] == "unknown"
        assert found["rtb-1 0.0.0.0/0"] == "never-hit"  # RT-04: a longer route takes it


def test_sg20_a_reference_may_have_let_in_who_is_gone() -> None:
    built = with_rules(allow("sgr-ref", False, 6, (5432, 5432), referenced_group_id="sg-1"))
    gone, outside = ("10.0.0.66", 50000), ("8.8.8.8", 50000)
    assert statuses(told(built, *both_ways("eni-b", gone, SERVER)))["sgr-ref"] == "unknown"
    assert statuses(told(built, *both_ways("eni-b", outside, SERVER)))["sgr-ref"] == "never-hit"


def test_fl62_records_whose_opener_is_not_shown_may_need_the_rules_of_both_ways() -> None:
    high = allow("sgr-rpc", False, 6, (49152, 65535), cidr_block=N("10.0.0.0/8"))
    log = both_ways("eni-b", ("10.0.0.10", 50000), ("10.0.1.20", 50001))
    report = told(with_rules(high, SSH), *({**each, "tcp_flags": 0} for each in log))
    assert (statuses(report)["sgr-rpc"], statuses(report)["sgr-ssh"]) == ("unknown", "never-hit")
    assert report.coverage["undecided"] >= 2
    assert report.coverage["undecided_share"] >= 0.5


def test_a_record_with_a_broken_address_may_need_what_its_ports_allow() -> None:
    broken = record("eni-b", IN, ("10.x", 50000), SERVER)
    found = statuses(told(with_rules(DATABASE, SSH), broken))
    assert (found["sgr-db"], found["sgr-ssh"]) == ("unknown", "never-hit")
    without = {**broken, "protocol": None}
    assert statuses(told(with_rules(DATABASE, SSH), without))["sgr-ssh"] == "unknown"
    found = next(
        each
        for each in told(
            with_rules(DATABASE), broken, *both_ways("eni-b", ("10.0.0.10", 50000), SERVER), suggest=True
        ).suggestions.iter_rows(named=True)
        if each["rule"] == "sgr-db"
    )
    assert (found["suggestion"], found["untold_records"]) == (None, 1)


def test_na16_which_of_two_low_ports_is_the_server_is_a_guess() -> None:
    log = [{**each, "tcp_flags": None} for each in both_ways("eni-b", ("10.0.0.10", 1025), ("10.0.1.20", 9000))]
    app = allow("sgr-app", False, 6, (9000, 9000), cidr_block=N("10.0.0.0/8"))
    inside = allow("sgr-low", False, 6, (1025, 1025), cidr_block=N("10.0.0.0/8"))
    assert statuses(told(with_rules(app, inside), *log))["sgr-app"] == "unknown"


def test_fl43_an_accepted_record_that_the_rules_refuse_tells_that_another_decided() -> None:
    deny = [entry(90, False, False, 6, "10.0.0.0/8", from_port=5432, to_port=5432), entry(100, False), entry(100, True)]
    built = with_rules(DATABASE, network_acls=by_id("network_acl_id", acl(*deny, is_default=True)))
    report = told(built, record("eni-b", IN, ("10.0.0.10", 50000), SERVER))
    assert statuses(report)["sgr-db"] == "unknown"
    assert entries(report)["acl-1#100", IN] == "unknown"
    refused = told(built, record("eni-b", IN, ("10.0.0.10", 50000), SERVER, action="REJECT"),
                   record("eni-b", IN, ("10.0.0.10", 50000), ("10.0.1.20", 443)))  # fmt: skip
    assert statuses(refused)["sgr-db"] == "never-hit"


def test_an_undecided_flow_of_a_table_may_need_the_rules_of_both_ends() -> None:
    flows = pl.DataFrame({"srcaddr": [PEER[0]], "dstaddr": [SERVER[0]], "srcport": [50000], "dstport": [5432],
                          "protocol": [6]})  # fmt: skip
    report = usage_report(with_rules(DATABASE, SSH, ELSEWHERE), flows)
    found = statuses(report)
    assert (found["sgr-db"], found["sgr-ssh"], found["sgr-elsewhere"]) == ("unknown", "never-hit", "never-hit")
    assert entries(report)["acl-1#100", IN] == entries(report)["acl-1#100", OUT] == "unknown"


def test_suggestions_cover_what_may_have_needed_the_rule() -> None:
    rows = [*both_ways("eni-b", ("10.0.0.10", 50000), SERVER), *both_ways("eni-b", ("10.0.0.66", 50000), SERVER)]
    report = told(with_rules(DATABASE), *rows, suggest=True)
    found = next(each for each in report.suggestions.iter_rows(named=True) if each["rule"] == "sgr-db")
    assert found["suggestion"] == ["tcp 5432 from 10.0.0.10/32", "tcp 5432 from 10.0.0.66/32"]
    assert (found["records"], found["untold_records"], found["would_block_records"]) == (1, 2, 0)


def test_a_rule_is_not_stale_if_records_since_may_have_needed_it() -> None:
    day = 86_400
    rows = [*both_ways("eni-b", ("10.0.0.10", 50000), SERVER),
            *both_ways("eni-b", ("10.0.0.66", 50000), SERVER, start=100 * day, end=100 * day)]  # fmt: skip
    assert statuses(told(with_rules(DATABASE), *rows))["sgr-db"] == "unknown"
    late = {**rows[2], "srcport": 40001, "dstport": 22}
    assert statuses(told(with_rules(DATABASE), *rows[:2], late))["sgr-db"] == "stale"


def test_fl11_what_is_refused_says_nothing_of_what_rules_let_in() -> None:
    refused = record("eni-b", IN, ("10.0.0.10", 50000), ("10.0.1.20", 23), action="REJECT")
    only = told(with_rules(SSH), refused, {**refused, "interface_id": "eni-a"})
    assert statuses(only)["sgr-ssh"] == "unknown"
    assert "FL-11" in only.rules.filter(pl.col("rule") == "sgr-ssh")["note"].item()
    accepted = record("eni-a", IN, ("10.0.1.20", 50000), ("10.0.0.10", 22))
    assert statuses(told(with_rules(ELSEWHERE), refused, accepted))["sgr-elsewhere"] == "unknown"  # none at eni-b
    accepted = record("eni-b", IN, ("10.0.0.10", 50000), ("10.0.1.20", 22))
    assert statuses(told(with_rules(SSH, ELSEWHERE), refused, accepted))["sgr-elsewhere"] == "never-hit"


def test_fl36_what_the_other_end_says_of_an_interface_with_records_is_not_dropped() -> None:
    rows = [record("eni-a", OUT, ("10.0.0.10", 50000), SERVER), record("eni-a", IN, SERVER, ("10.0.0.10", 50000), 18),
            *both_ways("eni-b", ("10.0.0.10", 50001), ("10.0.1.20", 22))]  # fmt: skip
    report = told(with_rules(DATABASE, SSH), *rows)
    assert (statuses(report)["sgr-db"], statuses(report)["sgr-ssh"]) == ("unknown", "used")
    assert "of other interfaces" in report.rules.filter(pl.col("rule") == "sgr-db")["note"].item()


WEB = pl.DataFrame({"srcaddr": ["10.0.0.10"], "dstaddr": ["8.8.8.8"], "srcport": [50000], "dstport": [443],
                    "protocol": [6]})  # fmt: skip


def test_rt06_behind_a_list_that_is_not_described_no_route_is_shadowed_or_redundant() -> None:
    routes = (IGW, route("pl-1", "vpc-endpoint", "vpce-1"))
    lists = by_id("prefix_list_id", PrefixList("pl-1", None, 4))
    built = network(prefix_lists=lists, route_tables=by_id("route_table_id", table("rtb-1", *routes, main=True)))
    found = statuses(usage_report(built, WEB))
    assert (found["rtb-1 0.0.0.0/0"], found["rtb-1 pl-1"]) == ("unknown", "unknown")
    found = statuses(usage_report(built, WEB.with_columns(dstaddr=pl.lit("10.0.1.20"))))
    assert (found["rtb-1 0.0.0.0/0"], found["rtb-1 pl-1"]) == ("never-hit", "unknown")


def test_sg28_a_list_that_is_not_described_makes_no_rule_redundant() -> None:
    hidden = allow("sgr-1list", False, 6, (443, 443), prefix_list_id="pl-1")
    known = allow("sgr-2", False, 6, (443, 443), cidr_block=N("10.0.0.0/8"))
    flow = pl.DataFrame({"srcaddr": ["10.0.0.10"], "dstaddr": ["10.0.1.20"], "srcport": [50000], "dstport": [443],
                         "protocol": [6]})  # fmt: skip
    found = statuses(usage_report(with_rules(hidden, known), flow))
    assert (found["sgr-1list"], found["sgr-2"]) == ("unknown", "used")
    lists = by_id("prefix_list_id", PrefixList("pl-1", (N("10.0.0.0/8"),), 4))
    assert statuses(usage_report(with_rules(hidden, known, prefix_lists=lists), flow))["sgr-2"] == "shadowed"


def test_without_network_interfaces_nothing_is_called_unused() -> None:
    built = network(interfaces={}, described_keys=frozenset({"InternetGateways", "SecurityGroups"}))
    report = usage_report(built, WEB)
    assert set(report.rules["status"].cast(pl.String)) == {"unknown"}
    assert report.groups["unused"].to_list() == [None]


def test_shadowed_rests_on_todays_members_of_groups_and_says_so() -> None:
    wide = allow("sgr-wide", False, 6, (1, 65535), cidr_block=N("10.0.0.0/16"))
    reference = allow("sgr-ref", False, 6, (443, 443), referenced_group_id="sg-2")
    narrow = allow("sgr-narrow", False, 6, (443, 443), cidr_block=N("10.0.0.0/24"))
    members = [replace(each, group_ids=("sg-1", "sg-2")) if each.interface_id == "eni-a2" else each
               for each in interfaces()]  # fmt: skip
    groups = by_id("group_id", group(OUT4, wide, reference, narrow), group(group_id="sg-2"))
    built = network(security_groups=groups, interfaces=by_id("interface_id", *members))
    rules = usage_report(built, WEB).rules
    notes = dict(rules.filter(pl.col("status") == "shadowed").select("rule", "note").rows())
    assert notes["sgr-ref"] == "sgr-narrow covers all of it, with today's group members"
    assert notes["sgr-narrow"] == "sgr-wide covers all of it"


@pytest.mark.parametrize(("kind", "seed"), [("edge", 1), ("edge", 3), ("between", 2), ("between", 6)])
def test_fl43_no_idle_rule_covers_an_accepted_opening_at_its_interface(kind: str, seed: int) -> None:
    whole, records = made(kind, seed, 900)
    records = records.filter(pl.col("action") == "ACCEPT")
    names = sorted(whole.interfaces)
    kept = {name: each for place, (name, each) in enumerate(sorted(whole.interfaces.items())) if place % 3}
    report = usage_report(replace(whole, interfaces=kept), records)
    idle = set(report.rules.filter(pl.col("status") == "never-hit").select("rule", "direction").rows())
    assert len(kept) < len(names)
    asked = 0
    opens = (pl.col("protocol") == 6) & (pl.col("dstport") < 32768) & (pl.col("srcport") >= 32768)
    for each in records.filter(opens).iter_rows(named=True):
        interface = kept.get(each["interface_id"])
        if interface is None or interface.vpc_id is None:
            continue
        egress = ip_address(each["srcaddr"]) in {own.address for own in interface.addresses}
        remote = ip_address(each["dstaddr" if egress else "srcaddr"])
        for group_id in interface.group_ids or ():
            for rule in getattr(whole.security_groups.get(group_id), "rules", ()):
                if rule.egress != egress or rule.cidr_block is None or remote not in rule.cidr_block:
                    continue
                if rule.protocol == -1 or (
                    rule.protocol == 6 and (rule.from_port is None or rule.from_port <= each["dstport"] <= rule.to_port)
                ):
                    asked += 1
                    assert (rule.rule_id, OUT if egress else IN) not in idle, each
    assert asked > 20
    assert flowcore.usage(whole, records)["records"].sum() > 0
