"""`flowcore warmup`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from .options import Quiet
from .terminal import DONE, say

#: One record in the default format.
_LOG = "2 123456789012 eni-1 10.0.0.1 10.0.0.2 49152 443 6 1 40 1700000000 1700000060 ACCEPT OK\n"


def warmup(*, quiet: Quiet = False) -> int:
    """Compile the kernels now, so that the first evaluation does not wait for it.

    Numba keeps the machine code on disk; without a call of this command the first evaluation compiles it.
    """
    from .. import compile_network, evaluate_logs, network_from_documents, usage
    from ..digest import digest_logs
    from ..interpreted import never
    from ..synthetic import network_documents, traffic

    started = perf_counter()
    never()
    network = network_from_documents(network_documents(seed=1, interfaces=100, subnets=24, mixed=True))
    evaluator = compile_network(network)
    evaluator.evaluate(traffic(network, 1000, 1, mixed=True))
    with TemporaryDirectory(prefix="flowcore-warmup-") as folder:  # those that read, judge, fold and count flow logs
        log = Path(folder) / "flow-log.log"
        log.write_text(_LOG, encoding="ascii")
        evaluate_logs(evaluator, log, Path(folder) / "verdicts")
        digest_logs(log, Path(folder) / "digest.parquet")
        evaluate_logs(evaluator, Path(folder) / "digest.parquet", Path(folder) / "verdicts")
        usage(evaluator, log)
    say(f"flowcore: kernels ready after {perf_counter() - started:.1f} s", quiet=quiet)
    return DONE
