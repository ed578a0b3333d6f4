"""The bundled network, and what `flowcore demo` does with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Network
    from .pipeline import Summary
    from .walk import Path as FlowPath

#: The flow whose way is shown: its reply meets a network ACL that forgets the highest source ports.
EXAMPLE = {"source": "tag:Name=job-1", "destination": "tag:Name=db-1", "port": 5432, "source_port": 61234}


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
    compile_seconds: float
    first_seconds: float
    """First verdicts: compiling the kernels, or loading them from Numba's cache."""
    kernel_seconds: float
    """The evaluator alone, all flows in memory, all verdict columns."""
    threads: int


def run_demo(
    out: Path, flows: int, seed: int, *, threads: int | None = None, overwrite: bool = False, say: Callable[[str], None]
) -> Demo:
    """Judge `flows` seeded flows and the bundled flow log; verdicts go to `out/flows` and `out/flow-log`.

    `say` takes one line for each step as it starts. Raises InputError for numbers out of range or an `out` in use.
    """
    import os

    from .evaluate import compile_network
    from .pipeline import evaluate_logs
    from .sources.describe import read_network
    from .synthetic import traffic

    if not 1 <= flows <= 100_000_000:
        raise InputError("out of range", where="--flows", found=flows, expected="1 to 100000000")
    if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise InputError("exists and is not an empty folder", source=out, hint="name another folder, or --overwrite")
    folder = data_folder() / "demo"
    network = read_network(folder / "snapshot")
    say(f"network: {repr(network).removeprefix('<Network: ').removesuffix('>')}")
    started = perf_counter()
    evaluator = compile_network(network)
    compiled = perf_counter()
    say("compiling the kernels, or loading them; a few seconds the first time")
    made = traffic(network, flows, seed)
    warm = perf_counter()
    evaluator.evaluate(made.head(1000), threads=threads)
    first = perf_counter() - warm
    say(f"judging {flows:,} seeded flows in memory")
    warm = perf_counter()
    evaluator.evaluate_arrow(made.to_arrow(), threads=threads)
    kernel = perf_counter() - warm
    out.mkdir(parents=True, exist_ok=True)
    made.write_parquet(out / "flows.parquet")
    del made
    say("the same from file to file")
    summary = evaluate_logs(evaluator, [out / "flows.parquet"], out / "flows", threads=threads, overwrite=overwrite)
    say("judging the bundled flow log")
    log = evaluate_logs(evaluator, [folder / "flow-log.log.gz"], out / "flow-log", threads=threads, overwrite=overwrite)
    path, ends = _example(network)
    return Demo(
        network, summary, log, path, ends, flows, compiled - started, first, kernel, threads or os.cpu_count() or 1
    )


def _example(network: Network) -> tuple[FlowPath, str]:
    from .selectors import flow_between, select
    from .walk import explain

    [source], [destination] = select(network, str(EXAMPLE["source"])), select(network, str(EXAMPLE["destination"]))
    flow = flow_between(network, source, destination, "tcp", int(EXAMPLE["source_port"]), int(EXAMPLE["port"]))
    return explain(network, flow), f"{source.label} -> {destination.label}"
