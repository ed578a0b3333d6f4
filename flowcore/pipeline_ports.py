"""Ports that no verdict about flow log records tells apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import kernels
from . import logkernels as k
from .schema import TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .evaluate import Evaluator


def port_classes(evaluator: Evaluator, kept: Iterable[tuple[str, int, int]]) -> k.PortClasses:
    """The classes of the ports of TCP and UDP: those of the compiled tables, cut further at the ports of listeners,
    which are compared with as they are, and at those of `kept` (interface, protocol, port), of which records are
    doubted."""
    tables = evaluator.compiled.tables
    places = np.arange(2 * k.PORTS)
    pages = tables.port_page[places >> kernels.PORT_PAGE_BITS].astype(np.int64)
    cells = pages + 2 * (places & ((1 << kernels.PORT_PAGE_BITS) - 1))
    found = tables.port_class[cells].astype(np.int64) << 32 | tables.port_class[cells + 1]
    balancers = evaluator.network.load_balancers.values()
    listeners = {listener.port for balancer in balancers for listener in balancer.listeners or ()}
    alone = sorted({*listeners, *(port for _, _, port in kept)} & {*range(k.PORTS)})
    code = np.zeros(2 * k.PORTS + 1, np.uint16)
    start, most = np.full(k.NO_PROTOCOL + 2, 2 * k.PORTS, np.int64), np.zeros(k.NO_PROTOCOL + 2, np.int64)
    for protocol, base in ((TCP, kernels.TCP_BASE), (UDP, kernels.UDP_BASE)):
        own = found[base : base + k.PORTS]
        own[alone] = -1 - np.arange(len(alone))
        first = np.flatnonzero(np.diff(own, prepend=own[0] - 1))  # of ports side by side that are of one class
        codes = np.unique(own[first], return_inverse=True)[1]
        code[base : base + k.PORTS] = np.repeat(codes, np.diff(first, append=k.PORTS))
        start[protocol], most[protocol] = base, k.PORTS - 1
    return k.PortClasses(start, most, code)


__all__ = ["port_classes"]
