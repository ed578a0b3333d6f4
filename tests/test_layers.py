"""Data flows one way, so imports do too. This list of layers is the architecture, and it runs.

Reads the source files; never imports them. docs/architecture.md says what each layer is for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "flowcore"

#: Lowest first. A module imports only from rows above its own. Modules that match one pattern are a family:
#: they may import each other, in one direction; two families of one row may not.
LAYERS: list[list[str]] = [
    ["display", "errors", "schema", "threads", "kernels*"],
    ["logkernels*", "foldkernels", "usagekernels", "interpreted"],
    ["addresses"],
    ["model_between"],
    ["model"],
    ["changes*"],
    ["columns", "sources.*", "synthetic*", "compile*", "walk*", "selectors"],
    ["edits*"],
    ["evaluate"],
    ["pipeline*"],
    ["digest*"],
    ["analyses.*"],
    ["report*"],
    ["demo"],
    ["cli.*"],
    ["cli"],
    ["__main__"],
]
FAMILIES = {pattern: rank for rank, row in enumerate(LAYERS) for pattern in row}

#: The slow twin shares nothing with the fast path (design: how it is proved).
FAST = {"addresses", "compile*", "kernels*", "evaluate", "numpy", "numba", "polars", "pyarrow"}

#: Not at the top of a module that the command line's start-up, or `import flowcore`, reads.
HEAVY = {"numba", "numpy", "polars", "pyarrow", "rich"}


def modules(root: Path) -> dict[str, Path]:
    """Module name without the package -> file. `sources/__init__.py` is "sources"; the package's own is left out."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts:
            found[".".join(parts)] = path
    return found


def imports(name: str, path: Path, known: set[str]) -> Iterator[tuple[str, bool]]:
    """Every import of a module as (name, own): own modules without the package's name, others by top-level name."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], False
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0], False
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) + 1 - node.level], *(node.module.split(".") if node.module else [])]
            for alias in node.names:  # "from . import x" names a module, "from .x import y" is in one
                yield next((m for m in (".".join([*base, alias.name]), ".".join(base)) if m in known), ""), True


def family(name: str) -> str:
    matching = [pattern for pattern in FAMILIES if fnmatchcase(name, pattern)]
    assert len(matching) == 1, f"flowcore/{name}: put it in exactly one row of LAYERS (matches {matching})"
    return matching[0]


def wrong_directions(root: Path) -> list[str]:
    """One line per import that does not go down."""
    known = modules(root)
    packages = {name for name in known if known[name].name == "__init__.py" and name != "cli"}
    used_by: dict[str, set[str]] = {}
    wrong = []
    for name, path in known.items():
        if name in packages:
            continue
        for used, own in imports(name, path, set(known)):
            if own and used and used not in packages and used != name:
                used_by.setdefault(name, set()).add(used)
                if family(used) != family(name) and FAMILIES[family(used)] >= FAMILIES[family(name)]:
                    wrong.append(f"{name} imports {used}")
            elif used == "flowcore":
                wrong.append(f"{name} imports flowcore by its absolute name")
    return wrong + [f"{name} is part of a circle" for name in known if in_circle(name, used_by)]


def in_circle(name: str, used_by: dict[str, set[str]]) -> bool:
    seen: set[str] = set()
    todo = set(used_by.get(name, ()))
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo |= used_by.get(module, set())
    return name in seen


def test_imports_go_to_lower_layers_only() -> None:
    wrong = wrong_directions(PACKAGE)
    assert not wrong, "\n".join(wrong)


def test_every_module_has_a_layer() -> None:
    for name, path in modules(PACKAGE).items():
        if path.name != "__init__.py":
            family(name)


def test_the_slow_twin_shares_nothing_with_the_fast_path() -> None:
    known = modules(PACKAGE)
    for name in [name for name in known if fnmatchcase(name, "walk*")]:
        for used, _ in imports(name, known[name], set(known)):
            assert not any(fnmatchcase(used, pattern) for pattern in FAST), f"{name} imports {used}"


@pytest.mark.parametrize("name", ["errors", "schema", "model", "report", "cli", "cli.terminal", "walk", "selectors"])
def test_start_up_modules_import_nothing_heavy_at_the_top(name: str) -> None:
    tree = ast.parse(modules(PACKAGE)[name].read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name.split(".")[0] for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {(node.module or "").split(".")[0] for node in top if isinstance(node, ast.ImportFrom) and not node.level}
    assert not names & HEAVY


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("from .evaluate import x", "model imports evaluate"),
        ("from . import cli", "model imports cli"),
        ("from flowcore import schema", "model imports flowcore by its absolute name"),
        ("def late():\n    from .walk import explain", "model imports walk"),
    ],
)
def test_a_wrong_import_is_seen(tmp_path: Path, source: str, complaint: str) -> None:
    for name in ("evaluate", "walk", "schema"):
        (tmp_path / f"{name}.py").write_text("")
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "__init__.py").write_text("")
    (tmp_path / "model.py").write_text(source)
    assert complaint in wrong_directions(tmp_path)


def test_a_circle_is_seen(tmp_path: Path) -> None:
    (tmp_path / "walk.py").write_text("from .walk_rules import x")
    (tmp_path / "walk_rules.py").write_text("from .walk import y")
    assert "walk is part of a circle" in wrong_directions(tmp_path)
