"""What `flowcore` promises is a list, and this is its test. Whatever is not in it may change tomorrow."""

from __future__ import annotations

import subprocess
import sys

import flowcore

PUBLIC = [
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


def test_public_names() -> None:
    assert flowcore.__all__ == PUBLIC
    assert dir(flowcore) == PUBLIC


def test_every_public_name_resolves_and_says_what_it_is() -> None:
    for name in PUBLIC:
        value = getattr(flowcore, name)
        assert name == "__version__" or value.__doc__, name


def test_explain_stays_a_function() -> None:
    import flowcore.walk

    assert callable(flowcore.explain)
    assert flowcore.explain is flowcore.walk.explain


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(flowcore, "nothing_of_that_name")


def test_import_loads_no_heavy_library() -> None:
    heavy = {"numba", "numpy", "polars", "pyarrow", "rich", "cyclopts"}
    code = f"import sys, flowcore; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
