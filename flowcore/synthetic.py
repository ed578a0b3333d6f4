"""Seeded synthetic networks and flows: the same arguments give the same network, flows and files, everywhere."""

from __future__ import annotations

from .synthetic_between import between_documents
from .synthetic_between_flows import between_flows
from .synthetic_demo import demo_documents
from .synthetic_edges import edge_documents
from .synthetic_flows import edge_flows
from .synthetic_logs import demo_flows, flow_log_lines, log_records, write_demo
from .synthetic_regions import network_documents, write_snapshot
from .synthetic_traffic import traffic

__all__ = [
    "between_documents",
    "between_flows",
    "demo_documents",
    "demo_flows",
    "edge_documents",
    "edge_flows",
    "flow_log_lines",
    "log_records",
    "network_documents",
    "traffic",
    "write_demo",
    "write_snapshot",
]
