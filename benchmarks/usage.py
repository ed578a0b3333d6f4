"""What counting costs beside judging: `usage` against `evaluate`, of a table in memory and of a flow log on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flowcore
from flowcore.analyses.usage_count import Counter
from flowcore.analyses.usage_rules import Findings
from flowcore.columns import flows_of
from flowcore.compile_usage import compile_usage
from flowcore.synthetic import flow_log_lines, log_records

from .harness import Benchmark, Figure, Plan, Scale, WrongAnswerError, rate, ratio
from .inputs import SEED, evaluator, flow_count, flows, network, scratch

if TYPE_CHECKING:
    from pathlib import Path

    from flowcore.evaluate import Evaluator

SIZE = "1k"
RATE = "flow/s"
BATCH = 1 << 18


def _log(scale: Scale, judge: Evaluator, count: int) -> tuple[Path, int]:
    """A flow log of `count` conversations, and how many records it has."""
    records = log_records(judge.evaluate(flows(SIZE, scale, count, as_integers=False)), SEED)
    place = scratch() / f"usage-{scale.value}.log"
    place.write_bytes(flow_log_lines(records))
    return place, records.height


def _usage(scale: Scale) -> Plan:
    count = flow_count(scale, 2_000_000)
    judge, plan = evaluator(SIZE, scale), compile_usage(network(SIZE, scale))
    frame = flows(SIZE, scale, count)
    log, records = _log(scale, judge, flow_count(scale, 500_000))
    out = scratch() / "usage-verdicts.parquet"
    counted: list[int] = []

    def evaluate_table() -> None:
        for start in range(0, frame.height, BATCH):
            judge.evaluate(frame[start : start + BATCH], threads=1)

    def judge_table() -> None:
        out = None
        for start in range(0, frame.height, BATCH):
            columns = flows_of(frame[start : start + BATCH], judge.compiled.interface_ids)
            out = judge.evaluate_columns(columns, threads=1, out=out)

    def count_table() -> None:
        counter = Counter(plan, threads=1)
        for start in range(0, frame.height, BATCH):
            counter.add_table(frame[start : start + BATCH])
        counted.append(int(counter.tables.sum()) - count)

    def evaluate_log() -> None:
        flowcore.evaluate_logs(judge, log, out, threads=1, overwrite=True)

    def count_log() -> None:
        from flowcore.sources.flows import open_flows

        counter = Counter(plan, threads=1)
        counter.add_files(open_flows(log))
        counted.append(int(counter.coverage.sum()) - records)

    def check() -> None:
        found = Counter(plan, threads=1)
        found.add_table(frame[:BATCH])
        stages = Findings(plan, found, None).stages[:5]
        if any(counted) or any(a.records + b.records != min(BATCH, frame.height) for _, a, b in stages):
            raise WrongAnswerError("records were lost")

    passes = (
        rate("evaluate, table", evaluate_table, count),
        rate("judging without names, table", judge_table, count),
        rate("usage, table", count_table, count),
        rate("evaluate, log", evaluate_log, records),
        rate("usage, log", count_log, records),
    )
    return Plan(passes, check=check)


BENCHMARKS = (
    Benchmark(
        "usage_1k_interfaces_2M_flows",
        "1,000 interfaces, one thread: counting hits of every rule against judging alone.",
        (
            Figure("evaluate, table", RATE),
            Figure("judging without names, table", RATE),
            Figure("usage, table", RATE),
            ratio("usage / evaluate, table", "usage, table", "evaluate, table", 0.87),
            ratio("usage / judging without names, table", "usage, table", "judging without names, table", 0.87),
            Figure("evaluate, log", RATE),
            Figure("usage, log", RATE),
            ratio("usage / evaluate, log", "usage, log", "evaluate, log", 0.87),
        ),
        _usage,
    ),
)
