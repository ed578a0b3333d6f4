"""What benchmarks do in a process of its own: `python -m benchmarks.child WHAT ...`; the last line printed is JSON."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def peak() -> float:
    """Most memory this process ever held, MiB.

    Linux counts into ru_maxrss what the parent held when it forked; VmHWM begins anew with the program.
    """
    if sys.platform == "linux":
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 2**10
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10


def first_verdict(folder: str, flows: str) -> dict[str, Any]:
    """The verdict of so many equal flows over the snapshot in `folder`."""
    import polars as pl

    import flowcore

    evaluator = flowcore.compile_network(flowcore.read_network(folder))
    flow = {"srcaddr": "8.8.8.8", "dstaddr": "10.0.0.10", "srcport": 50000, "dstport": 443, "protocol": 6}
    return {"verdict": evaluator.evaluate(pl.DataFrame([flow] * int(flows)))["verdict"][-1]}


def compile_snapshot(folder: str) -> dict[str, Any]:
    """Reading and compiling `folder`: (CPU, wall) seconds, and memory in MiB. Kernels are loaded beforehand."""
    import flowcore
    from flowcore.interpreted import never
    from flowcore.synthetic import network_documents

    never()
    flowcore.compile_network(flowcore.network_from_documents(network_documents(1, interfaces=20)))
    start = process_time(), perf_counter()
    network = flowcore.read_network(folder)
    read, read_peak = (process_time(), perf_counter()), peak()
    evaluator = flowcore.compile_network(network)
    end = process_time(), perf_counter()
    return {
        "read": [b - a for a, b in zip(start, read, strict=True)],
        "compile": [b - a for a, b in zip(read, end, strict=True)],
        "read_peak": read_peak,
        "peak": peak(),
        "tables": evaluator.compiled.nbytes / 2**20,
    }


def peer(name: str, questions: str, answers: str) -> dict[str, Any]:
    """One pass of the peer `name` over `questions`, after a small one; its answers are written to `answers`."""
    import numpy as np

    from .peerways import WAYS
    from .rulelists import Acl, Asked

    with np.load(questions, allow_pickle=False) as held:
        rules = Acl(*(held[f"rule_{field}"] for field in Acl._fields))
        asked = Asked(*(held[f"flow_{field}"] for field in Asked._fields))
    WAYS[name](rules, Asked(*(column[:64] for column in asked)))()
    answer = WAYS[name](rules, asked)
    wall, cpu = perf_counter(), process_time()
    found = answer()
    cpu, wall = process_time() - cpu, perf_counter() - wall
    np.save(Path(answers), np.asarray(found, np.int64), allow_pickle=False)
    return {"cpu": cpu, "wall": wall}


def reading(name: str, *files: str) -> dict[str, Any]:
    """The second of two passes in which the peer `name` reads these logs."""
    from .harness import clocked
    from .replayways import WAYS

    paths = [Path(file) for file in files]
    WAYS[name](paths)
    found: list[tuple[int, int]] = []
    cpu, wall = clocked(lambda: found.append(WAYS[name](paths)))
    return {"cpu": cpu, "wall": wall, "records": found[0][0], "total": found[0][1]}


def replay(folder: str, logs: str, out: str) -> dict[str, Any]:
    """The whole batch job, and how much memory it took, MiB."""
    import flowcore

    evaluator = flowcore.compile_network(flowcore.read_network(folder))
    started = perf_counter()
    summary = flowcore.evaluate_logs(evaluator, logs, out)
    return {"rows": summary.rows, "wall": perf_counter() - started, "peak": peak()}


WHAT: dict[str, Callable[..., dict[str, Any]]] = {
    "first-verdict": first_verdict,
    "compile": compile_snapshot,
    "peer": peer,
    "reading": reading,
    "replay": replay,
}

if __name__ == "__main__":
    print(json.dumps(WHAT[sys.argv[1]](*sys.argv[2:])))
