"""Capacity: bytes over time, hours and units, what is there no more, and quotas as AWS counts them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from capacity_networks import ALB, NAT, OUTSIDE, START, C, R, T, frame, network, record, sizes, there_and_back, value
from walk_networks import IP, N, allow

import flowcore
from flowcore.analyses.capacity import measure_capacity
from flowcore.analyses.capacity_connections import over_time
from flowcore.analyses.capacity_limits import is_gone, read_limits
from flowcore.analyses.capacity_quotas import quotas
from flowcore.model import NetworkAclEntry, PrefixList

GB = 1 << 30


@pytest.fixture(scope="module")
def evaluator() -> flowcore.Evaluator:
    return flowcore.compile_network(network())


def measured(judge: Any, *rows: dict[str, Any], **options: Any) -> Any:
    return measure_capacity(judge, frame(*rows), **options)


@pytest.mark.parametrize(("window", "windows"), [(60, 60), (300, 12), (600, 6), (3600, 1)])
def test_fl03_a_steady_rate_is_steady_whatever_the_window(
    evaluator: flowcore.Evaluator, window: int, windows: int
) -> None:
    """Six records of ten minutes, 75,000 bytes each: 1,000 bit/s all the hour."""
    start = START - START % 3600
    rows = [
        record(
            "eni-c", "egress", f"{C}:40000", f"{OUTSIDE}:443", 75_000, start=start + 600 * n, end=start + 600 * (n + 1)
        )
        for n in range(6)
    ]
    found = measured(evaluator, *rows, window=window).resources
    for column in ("peak", "p50", "mean"):
        assert value(found, "nat-1", "bits_per_second", column) == pytest.approx(1000)
    assert value(found, "nat-1", "bytes", "windows") == windows
    assert value(found, "nat-1", "bytes", "total") == 450_000


def test_bytes_laid_over_time_add_up() -> None:
    """100 bytes and 3 packets from second 50 to 210: 10, 60, 60 and 30 of 160 seconds are in windows of a minute."""
    rows = pl.DataFrame(
        {"window": [0, 0, None], "first": [50, 7, None], "last": [210, 7, None], "bytes": [100, 5, 9],
         "packets": [3, 1, 1], "records": [1, 1, 1], "unsized": [0, 1, 0]}
    )  # fmt: skip
    found = over_time(rows, 60)
    assert found.filter(pl.col("window").is_null()).rows() == [(None, 9, 1, 1, 0)]
    assert sorted(found.drop_nulls().rows()) == [
        (0, 5, 1, 1, 1), (0, 6, 0, 1, 0), (60, 37, 1, 0, 0), (120, 38, 1, 0, 0), (180, 19, 1, 0, 0)
    ]  # fmt: skip
    huge = pl.DataFrame({"window": [0], "first": [0], "last": [1000], "bytes": [(1 << 62) + 1], "packets": [0],
                         "records": [1], "unsized": [0]})  # fmt: skip
    assert over_time(huge, 300)["bytes"].sum() == (1 << 62) + 1


def test_fl36_the_senders_last_record_covers_all_its_seconds(evaluator: flowcore.Evaluator) -> None:
    """The sender logs every ten minutes, the receiver every minute: its last records are not counted again."""
    start = START - START % 3600
    sender = record("eni-c", "egress", f"{C}:40000", f"{T}:443", 10_000, start=start, end=start + 600)
    receiver = [
        record("eni-t", "ingress", f"{C}:40000", f"{T}:443", 1000, start=start + 60 * n, end=start + 60 * (n + 1))
        for n in range(10)
    ]
    found = measured(evaluator, sender, *receiver, window=60)
    assert sizes(found.categories, "records") == {"carried": 10_000, "other-end": 10_000}


def test_fl10_a_sender_that_logs_refusals_only_does_not_stand_for_its_flows(evaluator: flowcore.Evaluator) -> None:
    refused = record("eni-c", "egress", f"{C}:40001", f"{T}:22", 60, 0, action="REJECT")
    late = record("eni-c", "egress", f"{C}:40002", f"{T}:22", 60, 900, action="REJECT")
    came = record("eni-t", "ingress", f"{C}:40000", f"{T}:443", 1000, 300)
    found = measured(evaluator, refused, late, came)
    assert sizes(found.categories, "records") == {"carried": 1000, "refused": 120}


@pytest.mark.parametrize(("window", "hours"), [(300, 24), (3600, 24), (7200, 24), (86400, 24)])
def test_co11_ng21_units_and_hours_are_those_of_the_records(
    evaluator: flowcore.Evaluator, window: int, hours: int
) -> None:
    """1 GB an hour to the load balancer, a whole day of UTC: 24 unit-hours, and 24 hours of each gateway."""
    start = START - START % 86400
    rows = [
        record("eni-alb", "ingress", f"{OUTSIDE}:40000", f"{ALB}:443", GB, start=start + 3600 * n,
               end=start + 3600 * n + 60)
        for n in range(24)
    ]  # fmt: skip
    found = sizes(measured(evaluator, *rows, window=window).categories, "hours", "quantity")
    assert found["lcu-hours"] == pytest.approx(24)
    assert found["load-balancer-hours"] == hours * len(network().load_balancers)
    assert found["nat-gateway-hours"] == hours


def test_fl36_a_nat_instance_is_in_the_middle() -> None:
    """What it hands on was counted at the client, as with a NAT gateway."""
    judge = flowcore.compile_network(replace(network(), nat_instances=frozenset(["eni-t"])))
    rows = [
        *there_and_back(("eni-c", None), f"{C}:40000", f"{OUTSIDE}:443", 1000, 5000),
        record("eni-t", "egress", f"{T}:2000", f"{OUTSIDE}:443", 1000),
    ]
    assert sizes(measured(judge, *rows).categories, "records") == {"carried": 6000, "middle": 1000}


def test_what_is_there_no_more_has_no_hours() -> None:
    whole = network()
    here = record("eni-c", "egress", f"{C}:40000", f"{OUTSIDE}:443", 1000)
    before = sizes(measured(whole, here).categories, "hours", "quantity")
    gone = {name: replace(each, state="deleted") for name, each in whole.transit_gateway_attachments.items()}
    after = sizes(measured(replace(whole, transit_gateway_attachments=gone), here).categories, "hours", "quantity")
    assert before["transit-gateway-attachment-hours"] == 2
    assert "transit-gateway-attachment-hours" not in after
    names = {
        (quota.kind, quota.metric) for quota in quotas(replace(whole, transit_gateway_attachments=gone), read_limits())
    }
    assert ("transit-gateway", "attachments") not in names
    states = ["deleting", "rejected", "pendingAcceptance", "failed", "available", "active", "modifying", None]
    assert [is_gone(state) for state in states] == [True] * 4 + [False] * 4


def test_na18_each_family_by_itself_with_its_default_deny() -> None:
    whole = network()
    four = [NetworkAclEntry(n + 1, False, 6, True, N("0.0.0.0/0"), n, n) for n in range(19)]
    six = [NetworkAclEntry(n + 100, False, 6, True, N("::/0"), n, n) for n in range(15)]
    last = [NetworkAclEntry(32767, False, -1, False, N("0.0.0.0/0"))]
    acls = {**whole.network_acls, "acl-Q": replace(whole.network_acls["acl-Q"], entries=(*four, *six, *last))}
    found = {q.metric: (q.value, q.limit) for q in quotas(replace(whole, network_acls=acls), read_limits())
             if q.resource == "acl-Q"}  # fmt: skip
    assert found == {"inbound_rules_ipv4": (20, 20), "inbound_rules_ipv6": (16, 20)}


def test_rt24_a_customers_prefix_list_counts_all_entries_it_may_have() -> None:
    whole = network()
    listed = PrefixList("pl-own", (N("10.0.0.0/8"), N("11.0.0.0/8")), 4, "own", "111111111111", 60)
    rule = allow("sgr-own", False, 6, (443, 443), prefix_list_id="pl-own")
    groups = {**whole.security_groups, "sg-c": replace(whole.security_groups["sg-c"], rules=(rule,))}
    changed = replace(whole, security_groups=groups, prefix_lists={**whole.prefix_lists, "pl-own": listed})
    found = {q.metric: q.value for q in quotas(changed, read_limits()) if q.resource == "sg-c"}
    assert found == {"inbound_rules_ipv4": 60}
    document = {"PrefixListId": "pl-1", "AddressFamily": "IPv4", "MaxEntries": 7, "PrefixListName": "own"}
    read = flowcore.network_from_documents([("lists.json", {"PrefixLists": [document]})])
    assert read.prefix_lists["pl-1"].max_entries == 7


def test_ng19_zones_of_two_accounts_are_two_zones() -> None:
    whole = network()
    vpcs = {name: replace(vpc, owner_id="111111111111") for name, vpc in whole.vpcs.items()}
    found = [q.resource for q in quotas(replace(whole, vpcs=vpcs), read_limits()) if q.kind == "zone"]
    assert found == ["111111111111 euw1-az1"]


def test_ng18_addresses_needed_follow_the_limit_in_use(evaluator: flowcore.Evaluator, tmp_path: Path) -> None:
    document = json.loads(Path(flowcore.analyses.__file__).with_name("capacity_limits.json").read_text())
    for each in document["limits"]:
        if each["metric"] == "connections_per_destination":
            each["limit"] = 2
    (tmp_path / "limits.json").write_text(json.dumps(document))
    rows = [record("eni-c", "egress", f"{C}:{40000 + n}", f"{OUTSIDE}:443") for n in range(5)]
    found = measured(evaluator, *rows, limits=read_limits(tmp_path / "limits.json")).resources
    assert value(found, "nat-1", "connections_per_destination") == 5
    assert value(found, "nat-1", "addresses_needed") == 3


def test_fl33_ports_of_two_addresses_are_two_connections(evaluator: flowcore.Evaluator) -> None:
    """Where srcaddr shows the primary address for both, pkt-srcaddr tells them apart (FL-30)."""
    rows = [
        record("eni-nat", "egress", f"{NAT}:2000", f"{OUTSIDE}:443", pkt_srcaddr=NAT),
        record("eni-nat", "egress", f"{NAT}:2000", f"{OUTSIDE}:443", pkt_srcaddr="10.0.0.99"),
    ]
    whole = network()
    gateway = whole.nat_gateways["nat-1"]
    second = replace(gateway.addresses[0], private_address=IP("10.0.0.99"))
    both = replace(whole, nat_gateways={"nat-1": replace(gateway, addresses=(*gateway.addresses, second))})
    found = measured(both, *rows).resources
    assert value(found, "nat-1", "connections") == 2


def test_tables_say_when_in_the_words_usage_takes(evaluator: flowcore.Evaluator) -> None:
    flows = pl.DataFrame({"srcaddr": [C], "dstaddr": [OUTSIDE], "srcport": [40000], "dstport": [443], "protocol": [6],
                          "bytes": [600], "first_seen": [START], "last_seen": [START + 60]})  # fmt: skip
    found = measure_capacity(evaluator, flows).resources
    assert value(found, "nat-1", "bytes") == 600
    assert value(found, "nat-1", "bytes", "peak_at") == START


def test_the_python_functions_say_what_they_want(tmp_path: Path) -> None:
    for function in (flowcore.compile_network, lambda given: measure_capacity(given, pl.DataFrame())):
        with pytest.raises(flowcore.InputError, match="not a network"):
            function("snapshot")  # type: ignore[operator]
    frame(record("eni-c", "egress", f"{C}:40000", f"{R}:443")).write_parquet(tmp_path / "log.parquet")
    whole = network()
    summary = flowcore.evaluate_logs(whole, tmp_path / "log.parquet", tmp_path / "out.parquet")
    assert summary.rows == 1
