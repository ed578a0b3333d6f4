"""`flowcore warmup`."""

from __future__ import annotations

from time import perf_counter

from .options import Quiet
from .terminal import DONE, say


def warmup(*, quiet: Quiet = False) -> int:
    """Compile the kernels now, so that the first evaluation does not wait for it.

    Numba keeps the machine code on disk; without a call of this command the first evaluation compiles it.
    """
    from .. import compile_network, network_from_documents
    from ..synthetic import network_documents, traffic

    started = perf_counter()
    network = network_from_documents(network_documents(seed=1, interfaces=100, subnets=24, mixed=True))
    compile_network(network).evaluate(traffic(network, 1000, 1, mixed=True))
    say(f"flowcore: kernels ready after {perf_counter() - started:.1f} s", quiet=quiet)
    return DONE
