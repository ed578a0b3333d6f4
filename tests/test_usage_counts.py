"""Counts of `usage` against the slow twin's, on flows drawn from the edges of the rules."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from agreement import between_network, drawn, edge_network
from usage_twin import Twin, counted

import flowcore
from flowcore.analyses.usage import usage_report
from flowcore.schema import RULE_STAGES
from flowcore.walk import Explainer


def weighed(flows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The flows with packets, bytes and times."""
    rng = np.random.default_rng(seed)
    count = flows.height
    return flows.with_columns(
        packets=pl.Series(rng.integers(1, 100, count)), bytes=pl.Series(rng.integers(40, 1 << 40, count)),
        start=pl.Series(1_700_000_000 + rng.integers(0, 86_400, count)),
    ).with_columns(end=pl.col("start") + 30)  # fmt: skip


def differences(one: dict, other: dict) -> list[str]:
    return [f"{key}: {one.get(key)} != {other.get(key)}" for key in {**one, **other} if one.get(key) != other.get(key)]


@pytest.mark.parametrize(("kind", "seed"), [*(("edge", n) for n in range(6)), *(("between", n) for n in (1, 5, 7))])
def test_counts_equal_the_brute_force_of_the_twin(kind: str, seed: int) -> None:
    network, flows = drawn(kind, seed, 400)
    flows = weighed(flows, seed)
    twin = Twin(network)
    for flow in flows.iter_rows(named=True):
        twin.add(flow)
    report = usage_report(network, flows)
    wrong = differences(twin.rows(), counted(report.rules))
    assert not wrong, "\n".join(wrong[:5])
    assert report.refused["flows"].sum() == twin.refused
    assert report.undecided["flows"].sum() == twin.undecided
    assert len(twin.rows()) > 5


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(8, 60))
@pytest.mark.parametrize("kind", ["edge", "between"])
def test_counts_equal_the_brute_force_of_the_twin_on_more_networks(kind: str, seed: int) -> None:
    test_counts_equal_the_brute_force_of_the_twin(kind, seed)


@pytest.mark.parametrize("seed", [1, 7, 12])
def test_what_the_long_walk_judges_counts_at_the_rules_its_verdict_names(seed: int) -> None:
    network, flows = drawn("between", seed, 600)
    explainer = Explainer(network)
    expected: dict[str, int] = {}
    for flow in flows.iter_rows(named=True):
        path = explainer.explain(flow)
        for stage in RULE_STAGES:
            name = getattr(path, stage)
            if name is not None and not name.endswith("#*"):
                way = "reply_flows" if stage.startswith("reply_") else "flows"
                expected[f"{name} {way}"] = expected.get(f"{name} {way}", 0) + 1
    found: dict[str, int] = {}
    for row in flowcore.usage(network, flows).iter_rows(named=True):
        for way in ("flows", "reply_flows"):
            if row[way]:
                found[f"{row['rule']} {way}"] = found.get(f"{row['rule']} {way}", 0) + row[way]
    assert differences(expected, found) == []
    assert sum(expected.values()) > 500


@pytest.mark.parametrize("batch_rows", [1, 7])
def test_counts_do_not_depend_on_batches_order_and_threads(batch_rows: int) -> None:
    network = edge_network(3)
    flows = weighed(drawn("edge", 3, 120)[1], 3)
    whole = usage_report(network, flows, threads=1)
    parts = usage_report(network, flows.sample(fraction=1, shuffle=True, seed=5), threads=2, batch_rows=batch_rows)
    for name, frame in whole.frames().items():
        assert frame.equals(parts.frames()[name]), name
    assert whole.coverage == parts.coverage


@pytest.mark.parametrize(("kind", "seed"), [("edge", 2), ("between", 4)])
def test_sums_are_conserved_at_every_stage(kind: str, seed: int) -> None:
    network, flows = drawn(kind, seed, 400)
    flows = weighed(flows, seed)
    report = usage_report(network, flows)
    forward = report.stages[:5]
    assert (forward["records"] + forward["records_without_rule"] == flows.height).all()
    for kinds, name in (((0, 4), "security-group-rule"), ((1, 3), "network-acl-entry"), ((2,), "route")):
        rules = report.rules.filter(pl.col("kind") == name)
        others = [frame.filter(pl.col("kind") == name) for frame in (report.refused, report.undecided)]
        for column in ("flows", "records", "packets", "bytes"):
            reply = report.stages[[5, 7] if name[0] == "n" else [6]][column].sum() if name[0] != "s" else 0
            whole = sum(report.stages[stage][column].item() for stage in kinds) + reply
            parts = rules[column].sum() + rules[f"reply_{column}"].sum() + sum(each[column].sum() for each in others)
            assert parts == whole, (name, column)


def test_verdicts_are_the_same_as_without_counting() -> None:
    from flowcore.columns import flows_of
    from flowcore.compile_usage import compile_usage
    from flowcore.evaluate import Evaluator

    network, flows = drawn("between", 5, 800)
    plain, counting = flowcore.compile_network(network), Evaluator(network, compile_usage(network).compiled)
    columns = flows_of(flows, plain.compiled.interface_ids)
    one, other = plain.evaluate_columns(columns), counting.evaluate_columns(columns)
    for name in one._fields:
        if name != "rules":
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_a_network_without_rules_and_a_table_without_rows() -> None:
    nothing = flowcore.usage(flowcore.Network(), pl.DataFrame({name: pl.Series([], dtype=pl.String) for name in
                             ("srcaddr", "dstaddr", "srcport", "dstport", "protocol")}))  # fmt: skip
    assert nothing.height == 0
    network = between_network(1)
    empty = flowcore.usage(network, drawn("between", 1, 8)[1].clear())
    assert empty["records"].sum() == 0
    assert set(empty["status"]) <= {"never-hit", "shadowed", "redundant", "not-used-by-any-interface", "unknown"}


def test_the_kernels_as_plain_python_count_the_same() -> None:
    import json
    import os
    import subprocess
    import sys
    from pathlib import Path

    code = (
        "import json, flowcore; from agreement import drawn; network, flows = drawn('edge', 3, 40);"
        "print(json.dumps(flowcore.usage(network, flows).select('rule', 'flows', 'alone_flows', 'status').rows()))"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    network, flows = drawn("edge", 3, 40)
    expected = flowcore.usage(network, flows).select("rule", "flows", "alone_flows", "status").rows()
    assert json.loads(run.stdout) == [list(each) for each in expected]
