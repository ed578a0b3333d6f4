"""What happens before the first verdict: reading, compiling, starting; seconds and memory, each in its own process."""

from __future__ import annotations

import tempfile
from functools import partial
from typing import TYPE_CHECKING

from .harness import Benchmark, Figure, Plan, Sample, Scale
from .inputs import DEMO, child, process, scratch, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

#: More flows than plain Python judges (`interpreted.MOST`).
MANY = 2000


def _compile(size: str, scale: Scale) -> Plan:
    folder = str(snapshot(size, scale))

    def take() -> Mapping[str, Sample]:
        answer = child("compile", folder)
        return {
            "reading the snapshot": Sample(answer["read"][1], *answer["read"]),
            "compiling": Sample(answer["compile"][1], *answer["compile"]),
            "peak memory after reading": Sample(answer["read_peak"]),
            "peak memory": Sample(answer["peak"]),
            "tables": Sample(answer["tables"]),
        }

    child("compile", folder)  # fills the kernel cache
    return Plan((take,), warm=False)


def _start(scale: Scale) -> Plan:
    def take() -> Mapping[str, Sample]:
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            # A test cannot afford to compile the kernels again: it uses the cache there is.
            cache = {} if scale is Scale.TINY else {"FLOWCORE_CACHE_DIR": folder}
            run = partial(process, "-m", "benchmarks.child", "first-verdict", str(DEMO), environment=cache)
            return {
                f"{flows} flow{'s' if flows > 1 else ''}, {kernels}": run(str(flows))[1]
                for flows in (1, MANY)
                for kernels in ("no kernel cache", "kernels cached")
            }

    return Plan((take,), warm=False)


def _compile_benchmark(
    size: str, title: str, goals: tuple[float, float], memory: float | None = None, memory_edge: float | None = None
) -> Benchmark:
    return Benchmark(
        f"compile_{size}_interfaces",
        f"Snapshot folder of {title} to Network, to Evaluator: wall seconds, kernels cached; peak memory.",
        (
            Figure("reading the snapshot", "s"),
            Figure("compiling", "s", *goals),
            Figure("peak memory after reading", "MiB"),
            Figure("peak memory", "MiB", memory, memory_edge),
            Figure("tables", "MiB"),
        ),
        partial(_compile, size),
    )


BENCHMARKS = (
    _compile_benchmark("1k", "1,000 interfaces", (1.5, 0.3)),
    _compile_benchmark("10k", "10,000 interfaces and 100,000 rules", (15, 3), 1024, 500),
    Benchmark(
        "first_verdict_demo_network_1_and_2000_flows",
        "A fresh process reads the demo snapshot, compiles it and judges flows; few without machine code. Seconds.",
        (
            Figure("1 flow, no kernel cache", "s", 8, 4),
            Figure("1 flow, kernels cached", "s", 1.5, 0.8),
            Figure(f"{MANY} flows, no kernel cache", "s"),
            Figure(f"{MANY} flows, kernels cached", "s"),
        ),
        _start,
    ),
)
