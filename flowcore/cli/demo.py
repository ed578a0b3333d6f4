"""`flowcore demo [OUT]`."""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter
from typing import Annotated

from cyclopts import Parameter

from ..report import path_text, rates_grid, summary_grids, to_text
from .options import Quiet, Seed, Threads
from .terminal import DONE, say, write


def demo(
    out: Annotated[Path, Parameter(help="Folder the verdicts go to.")] = Path("flowcore-demo"),
    /,
    *,
    flows: Annotated[int, Parameter(help="Seeded flows to make and judge.")] = 3_000_000,
    seed: Seed = 7,
    threads: Threads = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace OUT even if no earlier demo made it.")] = False,
    quiet: Quiet = False,
) -> int:
    """Judge a few million flows of the bundled network, and its flow log, and follow one flow hop by hop.

    Writes verdict Parquet to OUT/flows and OUT/flow-log; prints what was found and how fast.
    """
    from ..demo import run_demo

    started = perf_counter()
    done = run_demo(
        out, flows, seed, threads=threads, overwrite=overwrite, say=lambda line: say(f"flowcore: {line}", quiet=quiet)
    )
    rates = {
        "kernels alone, all stages there and back": (done.flows, done.kernel_seconds),
        "table in memory in, all verdict columns out": (done.flows, done.table_seconds),
        "Parquet file in, verdict Parquet out": (done.traffic.flows, done.traffic.seconds),
    }
    speed = rates_grid(rates, f"Speed with {done.threads} threads")
    write(f"{done.flows:,} seeded flows\n\n{to_text(summary_grids(done.traffic), sys.stdout)}\n")
    write(f"The bundled flow log\n\n{to_text(summary_grids(done.log), sys.stdout)}\n")
    write(f"One flow, hop by hop\n\n{path_text(done.path, done.ends, sys.stdout)}\n")
    write(to_text([speed], sys.stdout))
    say(
        f"flowcore: tables compiled in {done.compile_seconds:.1f} s, kernels ready in {done.first_seconds:.1f} s, "
        f"all in {perf_counter() - started:.1f} s; verdicts in {out}",
        quiet=quiet,
    )
    return DONE
