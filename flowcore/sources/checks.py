"""Checks every reference of a network once and lists what dangles, is missing or contradicts itself."""

from __future__ import annotations

from ..model import Network
from .collect import Collector


def check(network: Network, found: Collector) -> None:
    """Adds the issues of a network to the collector."""
