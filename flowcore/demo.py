"""The bundled network, and what `flowcore demo` does with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from .evaluate import Evaluator
    from .model import Network
    from .pipeline import Summary
    from .walk import Path as FlowPath

#: The flow whose way is shown: its reply meets a network ACL that forgets the highest source ports.
EXAMPLE = ("tag:Name=job-1", "tag:Name=db-1", "tcp", 61234, 5432)

#: More would not fit in the memory of a small machine.
MOST_FLOWS = 50_000_000

#: What a run leaves in its folder; the next run may replace it.
_PARTS = {"flows.parquet"} | {
    name + ending for name in ("flows", "flow-log") for ending in ("", ".rejects.csv", ".manifest.json")
}


def data_folder() -> Path:
    """The bundled data: inside the package where it is installed from a wheel, beside it in a checkout.

    Raises InputError if it is in neither place.
    """
    package = Path(__file__).parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / "demo" / "snapshot").is_dir():
            return folder
    raise InputError(
        "the bundled data is missing", source=package, hint="install flowcore from its wheel or a checkout"
    )


@dataclass(frozen=True)
class Demo:
    """What one run of the demonstration found, and how long its parts took, in seconds."""

    network: Network
    traffic: Summary
    """Of the seeded flows, file to file."""
    log: Summary
    """Of the bundled flow log."""
    path: FlowPath
    ends: str
    flows: int
    threads: int
    compile_seconds: float
    """The network to tables."""
    first_seconds: float
    """First verdicts: compiling the kernels, or loading them from Numba's cache."""
    kernel_seconds: float
    """The kernels alone, all flows: columns of integers in, codes out."""
    table_seconds: float
    """The evaluator: a table with text addresses in, a table with all verdict columns out."""


def run_demo(
    out: Path, flows: int, seed: int, *, threads: int | None = None, overwrite: bool = False, say: Callable[[str], None]
) -> Demo:
    """Judge `flows` seeded flows and the bundled flow log; verdicts go to `out/flows` and `out/flow-log`.

    `say` takes one line for each step as it starts. Raises InputError for numbers out of range or an `out` in use.
    """
    from . import interpreted
    from .evaluate import compile_network
    from .pipeline import evaluate_logs
    from .sources.describe import read_network
    from .synthetic import traffic

    if not 1 <= flows <= MOST_FLOWS:
        raise InputError("out of range", where="--flows", found=flows, expected=f"1 to {MOST_FLOWS:,}")
    if out.exists() and not overwrite and (not out.is_dir() or {path.name for path in out.iterdir()} - _PARTS):
        raise InputError("is not the folder of an earlier demo", source=out, hint="name another, or --overwrite")
    out.mkdir(parents=True, exist_ok=True)
    folder = data_folder() / "demo"
    records = folder / "flow-log.log.gz"
    network = read_network(folder / "snapshot")
    say(f"network: {repr(network).removeprefix('<Network: ').removesuffix('>')}")
    started = perf_counter()
    evaluator = compile_network(network)
    compile_seconds = perf_counter() - started
    say("compiling the kernels, or loading them: some seconds the first time")
    made = traffic(network, flows, seed)
    started = perf_counter()
    evaluator.evaluate(made.head(1000), threads=threads)
    evaluate_logs(evaluator, [records], out / "flow-log", threads=threads, overwrite=overwrite)
    with TemporaryDirectory(prefix="flowcore-demo-") as other:  # so many rows that their file is read by compiled loops
        some = Path(other) / "flows.parquet"
        made.head(interpreted.MOST.get("read_pages", 0) + 1).write_parquet(some)
        evaluate_logs(evaluator, [some], Path(other) / "verdicts", threads=threads)
    first_seconds = perf_counter() - started
    say(f"judging {flows:,} seeded flows")
    kernel_seconds, table_seconds = _rates(evaluator, made, threads)
    made.write_parquet(out / "flows.parquet")
    del made
    summary = evaluate_logs(evaluator, [out / "flows.parquet"], out / "flows", threads=threads, overwrite=overwrite)
    say("judging the bundled flow log")
    log = evaluate_logs(evaluator, [records], out / "flow-log", threads=threads, overwrite=overwrite)
    path, ends = _example(network)
    used = threads or os.cpu_count() or 1
    return Demo(
        network, summary, log, path, ends, flows, used, compile_seconds, first_seconds, kernel_seconds, table_seconds
    )


def _rates(evaluator: Evaluator, flows: pl.DataFrame, threads: int | None) -> tuple[float, float]:
    """Seconds for all flows: (the kernels alone, best of three; table in and table out)."""
    from .columns import flows_of

    columns = flows_of(flows, evaluator.compiled.interface_ids)
    kernels = []
    for _ in range(3):
        started = perf_counter()
        evaluator.evaluate_columns(columns, threads=threads)
        kernels.append(perf_counter() - started)
    started = perf_counter()
    evaluator.evaluate_arrow(flows, threads=threads)
    return min(kernels), perf_counter() - started


def _example(network: Network) -> tuple[FlowPath, str]:
    from .selectors import flow_between, select
    from .walk import explain

    source_name, destination_name, protocol, source_port, port = EXAMPLE
    [source], [destination] = select(network, source_name), select(network, destination_name)
    flow = flow_between(network, source, destination, protocol, source_port, port)
    return explain(network, flow), f"{source.label} -> {destination.label}"
