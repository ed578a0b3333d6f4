"""What log records count at: the rules of the interface they were logged at, each record once (FL-36, FL-40..44)."""

from __future__ import annotations

from collections import defaultdict
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from agreement import drawn

import flowcore
from flowcore.analyses.usage import usage_report
from flowcore.digest import digest_logs
from flowcore.model import Network
from flowcore.pipeline import judge_records
from flowcore.synthetic_logs import flow_log_lines, log_records

SOURCE = ("src_sg_rule", "src_acl_rule", "route")
DESTINATION = ("dst_acl_rule", "dst_sg_rule")
REPLY_SOURCE = ("src_sg_rule", "reply_src_acl_rule")
REPLY_DESTINATION = ("dst_sg_rule", "reply_dst_acl_rule", "reply_route")
FLOW = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol")


def made(kind: str, seed: int, count: int) -> tuple[Network, pl.DataFrame]:
    """A network and the records that AWS would log for flows of it."""
    network, flows = drawn(kind, seed, count)
    flows = flows.filter(pl.col("protocol").cast(pl.String).str.contains(r"^\d+$")).drop(
        name for name in ("icmp_type", "icmp_code") if name in flows.columns
    )
    verdicts = flowcore.compile_network(network).evaluate(flows)
    return network, log_records(verdicts.filter(pl.col("srcaddr").is_not_null() & pl.col("dstaddr").is_not_null()), 5)


def brute_force(network: Network, records: pl.DataFrame) -> dict[tuple[str, bool], list[int]]:
    """(rule, is it about replies) -> records, packets, bytes, conversations; from verdicts with names, row by row."""
    judged = judge_records(flowcore.compile_network(network), records)
    logged = set(records["interface_id"])
    every = (own for interface in network.interfaces.values() for own in interface.addresses)
    public = {own.address: own.public_address for own in every if own.public_address}
    counts: dict[tuple[str, bool], list[int]] = defaultdict(lambda: [0, 0, 0])
    conversations: dict[tuple[str, bool], set[Any]] = defaultdict(set)
    for row in judged.iter_rows(named=True):
        if row["initiator"] in (None, "unknown"):
            continue
        reply = str(row["initiator"]).startswith("destination-")
        ends = row["src_interface"], row["dst_interface"]
        if row["initiator"] == "source-assumed" and row["direction"] and ends[0] != ends[1]:
            reply = row["interface_id"] == ends[row["direction"] == "egress"]  # judged as the answer it must be
        at_source = (row["direction"] == "egress") != reply
        if row["direction"] is None:  # told by which end the interface is
            at_source = ends[0] == row["interface_id"]
        if ends[0 if at_source else 1] != row["interface_id"]:
            continue
        sides = (REPLY_SOURCE, REPLY_DESTINATION) if reply else (SOURCE, DESTINATION)
        columns = list(sides[0 if at_source else 1])
        other = ends[1 if at_source else 0]
        if other is not None and other not in logged:
            columns += sides[1 if at_source else 0]
        flow = tuple(ip_address(row[name]) if name.endswith("addr") else row[name] for name in FLOW)
        if row["protocol"] not in (6, 17):
            flow = *flow[:2], None, None, row["protocol"]
        if reply:
            flow = flow[1], flow[0], flow[3], flow[2], flow[4]
        if (
            row["direction"] and ends[1] == row["interface_id"] and flow[0] in public.values()
        ):  # it came by the public address of the other end (IG-11)
            flow = flow[0], public.get(flow[1], flow[1]), *flow[2:]
        for column in columns:
            rule = row[column]
            if rule is None or rule.endswith("#*"):
                continue
            found = counts[rule, reply]
            for place, value in enumerate((1, row["packets"], row["bytes"])):
                found[place] += value
            conversations[rule, reply].add((column, flow, *ends))
    return {key: [*values, len(conversations[key])] for key, values in counts.items()}


def of_usage(rules: pl.DataFrame) -> dict[tuple[str, bool], list[int]]:
    """The same of the frame; entries of both lists of an ACL have one name in verdicts."""
    found: dict[tuple[str, bool], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rules.iter_rows(named=True):
        for reply in (False, True):
            values = [row[f"{'reply_' if reply else ''}{name}"] for name in ("records", "packets", "bytes", "flows")]
            if values[0]:
                key = row["rule"], reply
                found[key] = [a + b for a, b in zip(found[key], values, strict=True)]
    return dict(found)


def written(folder: Path, records: pl.DataFrame, name: str = "records.log") -> Path:
    place = folder / name
    place.write_bytes(flow_log_lines(records))
    return place


@pytest.mark.parametrize(("kind", "seed"), [("edge", 1), ("edge", 3), ("between", 2)])
def test_fl36_each_record_counts_at_the_rules_of_its_own_interface(kind: str, seed: int, tmp_path: Path) -> None:
    network, records = made(kind, seed, 600)
    found = of_usage(flowcore.usage(network, written(tmp_path, records)))
    assert found == brute_force(network, records)
    assert len(found) > 10


def test_fl36_an_interface_without_records_is_counted_from_the_other_end(tmp_path: Path) -> None:
    network, records = made("edge", 3, 900)
    silent = sorted(records["interface_id"].unique())[::2]
    records = records.filter(~pl.col("interface_id").is_in(silent))
    report = usage_report(network, written(tmp_path, records))
    assert of_usage(report.rules) == brute_force(network, records)
    assert set(silent) <= set(report.interfaces["interface_id"])
    assert "never-hit" not in set(_rules_of(network, report.rules, set(silent)))


def _rules_of(network: Network, rules: pl.DataFrame, interfaces: set[str]) -> list[str]:
    groups = {group for name in interfaces for group in network.interfaces[name].group_ids or ()}
    idle = rules.filter(pl.col("owner").is_in(sorted(groups)) & (pl.col("note") != "its remote holds no address here"))
    return idle["status"].cast(pl.String).to_list()


def test_counts_do_not_depend_on_files_threads_and_digests(tmp_path: Path) -> None:
    network, records = made("edge", 3, 900)
    records = records.filter(pl.col("interface_id") != records["interface_id"][0])
    whole = usage_report(network, written(tmp_path, records), threads=1)
    folder = tmp_path / "parts"
    folder.mkdir()
    shuffled = records.sample(fraction=1, shuffle=True, seed=3)
    for number, start in enumerate(range(0, records.height, 97)):
        written(folder, shuffled[start : start + 97], f"{9 - number % 10}-{number}.log")
    parts = usage_report(network, folder, threads=3, suggest=True)
    digest_logs(str(folder), tmp_path / "digest.parquet")
    digest = usage_report(network, tmp_path / "digest.parquet", threads=2)
    frame = usage_report(network, records)
    for other in (parts, digest, frame):
        for name, expected in whole.frames().items():
            assert expected.equals(other.frames()[name]), name
        kept = [name for name in whole.coverage if not name.startswith(("interfaces", "rejected"))]
        assert [whole.coverage[name] for name in kept] == [other.coverage[name] for name in kept]


def test_a_table_and_a_log_together_are_the_sum(tmp_path: Path) -> None:
    network, records = made("edge", 3, 300)
    flows = drawn("edge", 3, 200)[1]
    flows.write_parquet(tmp_path / "flows.parquet")
    log = written(tmp_path, records)
    both = usage_report(network, [tmp_path / "flows.parquet", log])
    one, other = usage_report(network, log), usage_report(network, flows)
    for name in ("flows", "reply_records", "matched_bytes", "alone_flows"):
        assert both.rules[name].to_list() == (one.rules[name] + other.rules[name]).to_list()
    assert both.coverage["table_flows"] == 200


def test_fl20_fl21_intervals_without_data_tell_idle_from_unknown(tmp_path: Path) -> None:
    network, records = made("edge", 3, 300)
    names = sorted(i.interface_id for i in network.interfaces.values() if i.vpc_id)
    log = written(tmp_path, records)
    lines = [f"2 123456789012 {name} - - - - - - - 1700000000 1700000060 - NODATA" for name in names]
    log.write_text(log.read_text() + "\n".join(lines) + "\n")
    report = usage_report(network, log)
    assert report.interfaces.height == 0
    log.write_text(log.read_text() + lines[0].replace("NODATA", "SKIPDATA") + "\n")
    report = usage_report(network, log)
    assert report.interfaces.rows() == [(names[0], "AWS lost records of it (SKIPDATA)")]
    assert report.coverage["skipdata_intervals"] == 1


def test_damaged_lines_are_counted(tmp_path: Path) -> None:
    network, records = made("edge", 3, 100)
    log = written(tmp_path, records)
    log.write_text(log.read_text() + "2 123456789012 eni-x 10.0.0.1\n")
    coverage = usage_report(network, log).coverage
    assert coverage["rejected_lines"] == 1
    assert coverage["log_records"] == records.height
