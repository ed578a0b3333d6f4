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

_PORTS = 1 << 16


def port_classes(evaluator: Evaluator, kept: Iterable[tuple[str, int, int]]) -> k.PortClasses:
    """The classes of the ports of TCP and UDP: those of the compiled tables, cut further at the ports of listeners,
    which are compared with as they are, and at those of `kept` (interface, protocol, port), of which records are
    doubted."""
    tables = evaluator.compiled.tables
    places = np.arange(2 * _PORTS)
    pages = tables.port_page[places >> kernels.PORT_PAGE_BITS].astype(np.int64)
    cells = pages + 2 * (places & ((1 << kernels.PORT_PAGE_BITS) - 1))
    found = tables.port_class[cells].astype(np.int64) << 32 | tables.port_class[cells + 1]
    balancers = evaluator.network.load_balancers.values()
    listeners = {listener.port for balancer in balancers for listener in balancer.listeners or ()}
    alone = sorted({*listeners, *(port for _, _, port in kept)} & {*range(_PORTS)})
    for base in (kernels.TCP_BASE, kernels.UDP_BASE):
        found[base + np.array(alone, np.int64)] = -1 - np.arange(len(alone))
    classes, numbers = np.unique(found, return_inverse=True)
    code = np.zeros((3, k.PORT_CLASSES), np.int32)
    code[:2, :_PORTS] = numbers.reshape(2, _PORTS)
    code[:2, k.NO_PORT :] = len(classes), len(classes) + 1  # no port; missing
    start = np.full(k.NO_PROTOCOL + 2, 2 * k.PORT_CLASSES, np.int64)
    start[TCP], start[UDP] = 0, k.PORT_CLASSES
    return k.PortClasses(start, code.reshape(-1))


__all__ = ["port_classes"]
