"""Flows in, verdicts out: the kernels alone, and the doors of polars and Arrow around them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from flowcore.columns import flows_of
from flowcore.evaluate import Evaluator, empty_verdicts
from flowcore.threads import together

from .harness import Benchmark, Figure, Plan, Sample, Scale, clocked, cost, rate, ratio, speedup
from .inputs import SKEW, evaluator, flow_count, flows, network
from .rulelists import five_tuple_rules, five_tuple_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowcore.kernels import Flows

RATE = "flow/s/core"
MACHINE = "two threads / one, plain arithmetic"
BATCH = 1 << 17
"""Flows judged at a time into the same columns, as a streaming job does: columns for millions are memory traffic.

These are 6.5 MB, and stay in the third cache; of twice as many a flow takes 5 to 10 % longer.
"""


def in_batches(judge: Evaluator, whole: Flows, threads: int) -> Callable[[], None]:
    """Judges `whole` batch by batch into one set of columns.

    With an evaluator of its own, so with a memory of its own for verdicts: traffic of another kind judged in between
    would wake it or put it to rest, and a job's traffic is of one kind.
    """
    judge = Evaluator(judge.network, judge.compiled)
    count = whole.protocol.size
    out = empty_verdicts(min(BATCH, count))
    parts = [
        type(whole)(*(column[start : start + BATCH] if column.shape[0] == count else column for column in whole))
        for start in range(0, count, BATCH)
    ]

    def run() -> None:
        for part in parts:
            judge.evaluate_columns(part, threads=threads, out=out)

    return run


@cache
def _arithmetic() -> Callable[[int], int]:
    """Sums in registers, several at once; not cached."""
    import numba

    @numba.njit(nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
    def work(count: int) -> int:
        one, two, three, four = 1, 2, 3, 4
        for i in range(count):
            one, two = one ^ (one << 1) + i, two ^ (two >> 3) + i
            three, four = three ^ (three << 2) + i, four ^ (four >> 1) + i
        return one ^ two ^ three ^ four

    typed: Callable[[int], int] = work
    return typed


def _both_processors(scale: Scale) -> dict[str, Sample]:
    """What a second thread is worth on this machine now, to work that shares nothing."""
    work, count = _arithmetic(), flow_count(scale, 100_000_000)
    work(1)
    _, one = clocked(lambda: work(count))
    _, two = clocked(lambda: together(lambda: work(count), 2))
    return {MACHINE: Sample(2 * one / two)}


def _one_thousand(scale: Scale) -> Plan:
    count = flow_count(scale, 4_000_000)
    judge = evaluator("1k", scale)
    ids = judge.compiled.interface_ids
    even = flows_of(flows("1k", scale, count), ids)
    skewed = flows_of(flows("1k", scale, count, skew=SKEW), ids)
    return Plan(
        (
            rate("even traffic", in_batches(judge, even, 1), count),
            rate("even traffic, two threads", in_batches(judge, even, 2), count),
            rate("even traffic, new columns", lambda: judge.evaluate_columns(even, threads=1), count),
            rate("skewed traffic", in_batches(judge, skewed, 1), count),
            rate("skewed traffic, two threads", in_batches(judge, skewed, 2), count),
            lambda: _both_processors(scale),
        )
    )


def _ten_thousand(scale: Scale) -> Plan:
    count = flow_count(scale, 4_000_000)
    judge = evaluator("10k", scale)
    even = flows_of(flows("10k", scale, count), judge.compiled.interface_ids)
    skewed = flows_of(flows("10k", scale, count, skew=SKEW), judge.compiled.interface_ids)
    return Plan(
        (
            rate("skewed traffic", in_batches(judge, skewed, 1), count),
            rate("skewed traffic, two threads", in_batches(judge, skewed, 2), count),
            rate("even traffic", in_batches(judge, even, 1), count),
        )
    )


def _against_scan(scale: Scale) -> Plan:
    """The whole path of the 1,000-interface network beside one scan of one list, on the same flows."""
    count = flow_count(scale, 2_000_000)
    judge = evaluator("1k", scale)
    even = flows_of(flows("1k", scale, count), judge.compiled.interface_ids)
    skewed = flows_of(flows("1k", scale, count, skew=SKEW), judge.compiled.interface_ids)
    rules = five_tuple_rules(network("1k", scale), 900)
    scan = five_tuple_scan()
    depth = min(count, 20_000)

    def tested() -> Mapping[str, Sample]:
        found = scan(*rules, *(column[:depth] for column in _five(even)))
        return {"rules tested by the scan": Sample(float((found + (found < 900)).mean()))}

    return Plan(
        (
            rate("whole path", in_batches(judge, even, 1), count),
            rate("scan of one list", lambda: scan(*rules, *_five(even)), count),
            rate("whole path, skewed", in_batches(judge, skewed, 1), count),
            rate(
                "scan of one list, skewed",
                lambda: scan(*rules, *_five(skewed)),
                count,
            ),
            tested,
        )
    )


def _five(flows: Flows) -> tuple[Any, ...]:
    """What a five-tuple list tests (it leaves the source port open)."""
    return flows.source, flows.destination, flows.protocol, flows.destination_port


def _doors(scale: Scale) -> Plan:
    count = flow_count(scale, 1_000_000)
    judge = evaluator("1k", scale)
    ids = judge.compiled.interface_ids
    numbers, texts = flows("1k", scale, count), flows("1k", scale, count, as_integers=False)
    columns = flows_of(numbers, ids)
    return Plan(
        (
            rate("frame, integers", lambda: judge.evaluate(numbers, threads=1), count),
            rate("frame, strings", lambda: judge.evaluate(texts, threads=1), count),
            rate("Arrow, integers", lambda: judge.evaluate_arrow(numbers, threads=1), count),
            rate("Arrow, strings", lambda: judge.evaluate_arrow(texts, threads=1), count),
            cost("reading integers", lambda: flows_of(numbers, ids), count),
            cost("reading strings", lambda: flows_of(texts, ids), count),
            cost("kernels", lambda: judge.evaluate_columns(columns, threads=1), count),
        )
    )


def _rest(name: str, whole: str) -> Figure:
    """What of `whole` is neither reading integers nor kernels: building the table that comes out."""

    def derive(found: Mapping[str, Sample]) -> float:
        return 1e9 / found[whole].value - found["reading integers"].value - found["kernels"].value

    return Figure(name, "ns/flow", derive=derive)


BENCHMARKS = (
    Benchmark(
        "evaluate_columns_1k_interfaces_4M_flows",
        "Columns of integers to verdict, reason, blocked_by and rule columns: 1,000 interfaces, one thread; and two.",
        (
            Figure("even traffic", RATE, 30e6, 50e6),
            Figure("even traffic, two threads", RATE),
            Figure("even traffic, new columns", RATE),
            Figure("skewed traffic", RATE, 55e6, 100e6),
            Figure("skewed traffic, two threads", RATE),
            speedup("two threads / one, even", "even traffic", "even traffic, two threads", 1.7, 1.95),
            speedup("two threads / one, skewed", "skewed traffic", "skewed traffic, two threads", 1.7, 1.95),
            Figure(MACHINE, "x"),
        ),
        _one_thousand,
    ),
    Benchmark(
        "evaluate_columns_10k_interfaces_4M_flows",
        "The same with 10,000 interfaces, 3,000 groups, 500 ACLs, 20 VPCs and 100,000 rules; slow to prepare.",
        (
            Figure("skewed traffic", RATE, 15e6, 40e6),
            Figure("skewed traffic, two threads", RATE),
            Figure("even traffic", RATE),
            speedup("two threads / one, skewed", "skewed traffic", "skewed traffic, two threads", 1.7, 1.95),
        ),
        _ten_thousand,
    ),
    Benchmark(
        "whole_path_1k_interfaces_over_scan_900_rules_2M_flows",
        "Every stage there and back in the 1,000-interface network, against one plain Numba scan of one 900-rule list.",
        (
            Figure("whole path", RATE),
            Figure("scan of one list", RATE),
            ratio("whole path / scan", "whole path", "scan of one list", 15, 25),
            Figure("whole path, skewed", RATE),
            Figure("scan of one list, skewed", RATE),
            ratio("whole path / scan, skewed", "whole path, skewed", "scan of one list, skewed"),
            Figure("rules tested by the scan", "rules/flow"),
        ),
        _against_scan,
    ),
    Benchmark(
        "evaluate_frame_1k_interfaces_1M_flows",
        "polars frame in and out, Arrow out, from integers and from address strings; and where the time goes.",
        (
            Figure("frame, integers", RATE),
            Figure("frame, strings", RATE),
            Figure("Arrow, integers", RATE),
            Figure("Arrow, strings", RATE),
            Figure("reading integers", "ns/flow"),
            Figure("reading strings", "ns/flow"),
            Figure("kernels", "ns/flow"),
            _rest("building the frame", "frame, integers"),
            _rest("building the Arrow table", "Arrow, integers"),
        ),
        _doors,
    ),
)
