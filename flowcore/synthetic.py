"""Seeded synthetic networks and flows: the same arguments give the same network, flows and files, everywhere."""

from __future__ import annotations

from .synthetic_edges import edge_documents
from .synthetic_flows import edge_flows
from .synthetic_regions import network_documents, write_snapshot
from .synthetic_traffic import traffic

__all__ = ["edge_documents", "edge_flows", "network_documents", "traffic", "write_snapshot"]
