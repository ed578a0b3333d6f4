"""The README is run: its Python, its command lines and its tables are what the code does.

`python tests/test_readme.py` writes the column tables anew after a change of flowcore/schema.py.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flowcore import schema
from flowcore.cli import COMMANDS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TABLES = {"flows": schema.FLOW_COLUMNS, "verdicts": schema.VERDICT_COLUMNS, "logs": schema.LOG_VERDICT_COLUMNS}
TEXT = README.read_text(encoding="utf-8")
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str, text: str = TEXT) -> list[str]:
    """The fenced blocks of one language, in order; "" for those without a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def table(columns: tuple[schema.Column, ...]) -> str:
    """The columns as a Markdown table."""
    lines = ["| column | type | meaning | null |", "|---|---|---|---|"]
    for column in columns:
        kind = ", ".join(getattr(schema, column.type.split()[1])) if column.type.startswith("enum") else column.type
        kind = column.type if len(kind) > 60 else kind
        null = column.null + ("" if not column.required else " (column required)")
        lines.append(f"| `{column.name}` | {kind} | {column.doc} | {null} |")
    return "\n".join(lines)


def with_tables(text: str) -> str:
    """The README with the tables the schema makes, each between its two marks."""
    for name, columns in TABLES.items():
        pattern = rf"(<!-- columns: {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(pattern, lambda m, c=columns: f"{m[1]}{table(c)}\n{m[2]}", text, flags=re.DOTALL)
        assert count == 1, f"README has no marks for the table {name}"
    return text


def test_column_tables_are_those_of_the_schema() -> None:
    assert with_tables(TEXT) == TEXT, "run: python tests/test_readme.py"


def test_python_blocks_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks("python"))
    assert "fc.read_network(" in code
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_the_first_screen_has_the_two_command_lines() -> None:
    first = TEXT[:2500]
    demo, tests = [block.strip() for block in blocks("", first)][:2]
    for line in (demo, tests):
        assert "\n" not in line
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    assert demo.endswith(" && .venv/bin/flowcore demo")
    test_command = tests.split(" && ")[-1].removeprefix(".venv/bin/")
    assert f'"$bin/{test_command.split()[0]}" {test_command.split(" ", 1)[1]}' in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def command_lines() -> list[list[str]]:
    """Every `flowcore …` line of the example blocks in README and docs that is meant to be run as it is."""
    lines = []
    for document in DOCUMENTS:
        for block in blocks("console", document.read_text(encoding="utf-8")):
            lines += [shlex.split(line[2:]) for line in block.splitlines() if line.startswith("$ flowcore ")]
    return lines


def test_every_command_has_an_example() -> None:
    assert {line[1] for line in command_lines()} >= set(COMMANDS)


@pytest.mark.parametrize("line", command_lines(), ids=" ".join)
def test_example_command_lines_run(line: list[str], tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data", target_is_directory=True)
    command = [sys.executable, "-m", "flowcore", *line[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode in (0, 1), done.stderr


if __name__ == "__main__":
    README.write_text(with_tables(TEXT), encoding="utf-8")
