"""What a benchmark is, and how it is run: rounds of alternating passes, medians, goals beside the figures.

Figures of different runs differ by a third and more on a shared machine. So whatever is compared runs in turns in one
process, each ratio is taken within a round, and goals that matter are ratios or have room.
"""

from __future__ import annotations

import gc
import platform
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from importlib import import_module, metadata
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

SUBJECTS = ("evaluation", "mixed", "compilation", "peers", "explaining", "replay", "usage")
"""Modules of this package that define benchmarks."""
ROUNDS = 7

#: Units of which less is better; of all others more is better.
LESS_IS_BETTER = ("s", "MiB", "ns/flow", "µs/flow", "rules/flow")


class Scale(Enum):
    """How large: the size that the name says, a try-out of seconds, or what a test can afford."""

    FULL = "full"
    QUICK = "quick"
    TINY = "tiny"


class Sample(NamedTuple):
    """One pass: its figure, and the seconds of CPU (all threads of the process) and of the wall clock it took."""

    value: float
    cpu: float | None = None
    wall: float | None = None


Pass = Callable[[], Mapping[str, Sample]]
"""One pass of something measured: figure name -> sample."""


@dataclass(frozen=True)
class Figure:
    """A figure that a benchmark reports; `derive` makes it from the round's others instead of a pass.

    `must` and `edge`: the goals at full size, in `unit`.
    """

    name: str
    unit: str
    must: float | None = None
    edge: float | None = None
    derive: Callable[[Mapping[str, Sample]], float] | None = None

    def meets(self, value: float, goal: float) -> bool:
        """Whether `value` is as good as `goal`."""
        return value <= goal if self.unit in LESS_IS_BETTER else value >= goal


@dataclass(frozen=True)
class Plan:
    """What `prepare` hands over: passes to take in turns; `warm`: take each once beforehand, not counted.

    `check` raises WrongAnswerError if what the passes computed is not what it should be; it is called after the rounds.
    """

    passes: tuple[Pass, ...]
    warm: bool = True
    check: Callable[[], None] | None = None


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: name with the size in it, what it measures, its figures, and how to prepare it."""

    name: str
    about: str
    figures: tuple[Figure, ...]
    prepare: Callable[[Scale], Plan]


@dataclass(frozen=True)
class Result:
    """The samples of every figure, one a round."""

    benchmark: Benchmark
    scale: Scale
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One plain row a figure: name, unit, median, min, max, values, cpu, wall (medians, s), must, edge, met."""
        for figure in self.benchmark.figures:
            samples = self.samples[figure.name]
            values = [sample.value for sample in samples]
            median = statistics.median(values)
            goals = {"must": figure.must, "edge": figure.edge} if self.scale is Scale.FULL else {}
            met = [name for name, goal in goals.items() if goal is not None and figure.meets(median, goal)]
            yield {
                "figure": figure.name,
                "unit": figure.unit,
                "median": median,
                "min": min(values),
                "max": max(values),
                "values": values,
                "cpu": _median(sample.cpu for sample in samples),
                "wall": _median(sample.wall for sample in samples),
                "must": goals.get("must"),
                "edge": goals.get("edge"),
                "met": met,
            }


class WrongAnswerError(Exception):
    """Something fast that is wrong: a benchmark's passes do not agree."""


def benchmarks() -> dict[str, Benchmark]:
    """All benchmarks by name, in order."""
    found: dict[str, Benchmark] = {}
    for subject in SUBJECTS:
        for benchmark in import_module(f"{__package__}.{subject}").BENCHMARKS:
            if benchmark.name in found:
                raise ValueError(f"two benchmarks are named {benchmark.name}")
            found[benchmark.name] = benchmark
    return found


def chosen(patterns: list[str]) -> list[Benchmark]:
    """The benchmarks whose name holds or matches (`*`, `?`) a pattern; LookupError if a pattern chooses none."""
    everything = benchmarks()
    names = []
    for pattern in patterns:
        hits = [name for name in everything if pattern in name or fnmatchcase(name, pattern)]
        if not hits:
            raise LookupError(f"no benchmark is named like {pattern!r}; `python -m benchmarks` lists them")
        names += hits
    return [everything[name] for name in everything if name in names]


def run(benchmark: Benchmark, scale: Scale, rounds: int) -> Result:
    """The result of `rounds` rounds. Every second round takes the passes backwards, so that none always comes first."""
    plan = benchmark.prepare(scale)
    result = Result(benchmark, scale, {figure.name: [] for figure in benchmark.figures})
    if plan.warm:
        for take in plan.passes:
            take()
    for number in range(rounds):
        found: dict[str, Sample] = {}
        for take in plan.passes if number % 2 == 0 else reversed(plan.passes):
            gc.collect()
            found.update(take())
        for figure in benchmark.figures:
            sample = Sample(figure.derive(found)) if figure.derive else found[figure.name]
            result.samples[figure.name].append(sample)
    if plan.check:
        plan.check()
    return result


def clocked(call: Callable[[], object]) -> tuple[float, float]:
    """(CPU seconds of all threads of this process, seconds on the wall) of one call."""
    wall, cpu = perf_counter(), process_time()
    call()
    return max(process_time() - cpu, 1e-9), max(perf_counter() - wall, 1e-9)


def rate(name: str, call: Callable[[], object], flows: int) -> Pass:
    """A pass whose figure is flows a second of CPU: flow/s/core."""

    def take() -> dict[str, Sample]:
        cpu, wall = clocked(call)
        return {name: Sample(flows / cpu, cpu, wall)}

    return take


def cost(name: str, call: Callable[[], object], flows: int, unit: float = 1e9) -> Pass:
    """A pass whose figure is CPU time a flow, in parts of `unit` to the second: ns/flow, or µs/flow with 1e6."""

    def take() -> dict[str, Sample]:
        cpu, wall = clocked(call)
        return {name: Sample(cpu / flows * unit, cpu, wall)}

    return take


def ratio(name: str, above: str, below: str, must: float | None = None, edge: float | None = None) -> Figure:
    """The figure above / below, taken within each round."""
    return Figure(name, "x", must, edge, lambda found: found[above].value / found[below].value)


def speedup(name: str, one: str, many: str, must: float | None = None, edge: float | None = None) -> Figure:
    """How many times sooner, by the wall clock, `many` is done than `one` (the same flows)."""
    return Figure(name, "x", must, edge, lambda found: (found[one].wall or 0.0) / (found[many].wall or 1.0))


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, its count, versions."""
    import os

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name"))
        model = next(lines, f":{model}").partition(":")[2].strip()
    versions = {"python": platform.python_version()}
    for name in ("flowcore", "numba", "numpy", "polars", "pyarrow", "duckdb"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {"processor": model, "processors": os.cpu_count(), "system": platform.system(), "versions": versions}


def _median(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
