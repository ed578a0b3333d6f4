"""Would this flow get through this AWS network, and would the reply come back? Millions of flows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import FlowcoreError, FlowError, IncompleteError, InputError, NetworkError
from .model import Network

if TYPE_CHECKING:
    from . import edits
    from .analyses.capacity import capacity
    from .analyses.diff import diff
    from .analyses.diff_exhaustive import diff_exhaustive
    from .analyses.usage import usage, usage_report
    from .evaluate import Evaluator, compile_network
    from .pipeline import evaluate_logs
    from .sources.describe import network_from_documents, read_network
    from .sources.terraform import apply_plan
    from .walk import explain

__version__ = "0.1.0"

__all__ = [
    "Evaluator",
    "FlowError",
    "FlowcoreError",
    "IncompleteError",
    "InputError",
    "Network",
    "NetworkError",
    "__version__",
    "apply_plan",
    "capacity",
    "compile_network",
    "diff",
    "diff_exhaustive",
    "edits",
    "evaluate_logs",
    "explain",
    "network_from_documents",
    "read_network",
    "usage",
    "usage_report",
]

_LAZY = {
    "Evaluator": "evaluate",
    "apply_plan": "sources.terraform",
    "capacity": "analyses.capacity",
    "compile_network": "evaluate",
    "diff": "analyses.diff",
    "diff_exhaustive": "analyses.diff_exhaustive",
    "edits": "edits",
    "evaluate_logs": "pipeline",
    "explain": "walk",
    "network_from_documents": "sources.describe",
    "read_network": "sources.describe",
    "usage": "analyses.usage",
    "usage_report": "analyses.usage",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f".{_LAZY[name]}", __name__)
    value = module if name == _LAZY[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
