"""What the benchmarks work on: networks, traffic, snapshot folders; and the processes that some of them start."""

from __future__ import annotations

import atexit
import json
import os
import resource
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import flowcore
from flowcore.synthetic import network_documents, traffic, write_snapshot

from .harness import Sample, Scale

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from flowcore.evaluate import Evaluator
    from flowcore.model import Network

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data" / "demo" / "snapshot"
SEED = 7
SKEW = 1.1

_TINY = {"interfaces": 40, "groups": 12, "acls": 4, "subnets": 8, "vpcs": 4}
_TENTH = {"interfaces": 100, "groups": 30, "acls": 8, "subnets": 16, "vpcs": 4}
SIZES: dict[str, dict[Scale, dict[str, Any]]] = {
    "1k": {
        Scale.FULL: {"interfaces": 1000, "groups": 300, "acls": 50, "subnets": 100, "vpcs": 4},
        Scale.QUICK: _TENTH,
        Scale.TINY: _TINY,
    },
    "10k": {
        Scale.FULL: {
            "interfaces": 10_000, "groups": 3000, "acls": 500, "subnets": 1000, "vpcs": 20, "rules": 100_000,
        },
        Scale.QUICK: {"interfaces": 300, "groups": 90, "acls": 20, "subnets": 40, "vpcs": 4},
        Scale.TINY: _TINY,
    },
}  # fmt: skip


def flow_count(scale: Scale, full: int) -> int:
    """`full`, or a small number of flows at the smaller scales."""
    return {Scale.FULL: full, Scale.QUICK: min(full, 100_000), Scale.TINY: min(full, 2000)}[scale]


def documents(size: str, scale: Scale) -> dict[str, list[dict[str, Any]]]:
    """describe-* JSON of the network called `size` (1k, 10k interfaces)."""
    return network_documents(SEED, **SIZES[size][scale])


@cache
def network(size: str, scale: Scale) -> Network:
    """The network called `size`."""
    return flowcore.network_from_documents(documents(size, scale))


@cache
def evaluator(size: str, scale: Scale) -> Evaluator:
    """That network, compiled."""
    return flowcore.compile_network(network(size, scale))


def flows(size: str, scale: Scale, count: int, *, skew: float = 0.0, as_integers: bool = True) -> pl.DataFrame:
    """IPv4 traffic of that network: the same flows as integers and as address strings."""
    return traffic(network(size, scale), count, SEED, skew=skew, ipv6_share=0.0, as_integers=as_integers)


@cache
def mixed_network(scale: Scale) -> Network:
    """The 1,000 interfaces with what stands between (docs/synth.md); a tiny one has room for each of it."""
    size = {**SIZES["1k"][scale], **({"interfaces": 100, "subnets": 24} if scale is Scale.TINY else {})}
    return flowcore.network_from_documents(network_documents(SEED, mixed=True, **size))


@cache
def mixed_evaluator(scale: Scale) -> Evaluator:
    """That network, compiled."""
    return flowcore.compile_network(mixed_network(scale))


@cache
def scratch() -> Path:
    """A folder of this run, removed when it ends."""
    folder = tempfile.TemporaryDirectory(prefix="flowcore-benchmarks-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@cache
def snapshot(size: str, scale: Scale) -> Path:
    """That network as a snapshot folder."""
    folder = scratch() / f"snapshot-{size}-{scale.value}"
    write_snapshot(documents(size, scale), folder)
    return folder


def process(*arguments: str, environment: Mapping[str, str] | None = None) -> tuple[str, Sample]:
    """What `python ARGUMENTS` in the repository's root prints, and its time: wall seconds as the value, CPU seconds.

    Bytecode is kept, whatever this process's environment says: that of an installed package is, too.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**kept, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    wall, after = perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, Sample(wall, cpu, wall)


def child(*arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The answer of `benchmarks.child` in a process of its own."""
    text, _ = process("-m", "benchmarks.child", *arguments, environment=environment)
    answer: dict[str, Any] = json.loads(text.splitlines()[-1])
    return answer
