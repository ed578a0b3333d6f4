"""docs/walk.md shows what the command prints: `python tests/test_walk_document.py` writes its output anew.

An output that ends with a line of dots is shown up to there.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import flowcore

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "walk.md"
BLOCK = re.compile(r"^```console\n\$ (flowcore [^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
SHOWN = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))


DOTS = "…\n"


def printed(line: str, shown: str) -> str:
    """What the command line prints, without spaces at the ends of lines; as many lines as are shown."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "flowcore", *shlex.split(line)[1:], "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True, env=environment)
    lines = [text.rstrip() + "\n" for text in done.stdout.strip().splitlines()]
    return "".join(lines[: shown.count("\n") - 1]) + DOTS if shown.endswith(DOTS) else "".join(lines)


@pytest.mark.parametrize(("line", "output"), SHOWN, ids=[line for line, _ in SHOWN])
def test_the_output_shown_is_the_output(line: str, output: str) -> None:
    assert printed(line, output) == output, "run: python tests/test_walk_document.py"


def test_the_walks_network_is_understood() -> None:
    network = flowcore.read_network(ROOT / "data" / "walk")
    assert not network.issues
    assert {vpc.owner_id for vpc in network.vpcs.values()} == {"123456789012", "210987654321"}
    assert {subnet.availability_zone for subnet in network.subnets.values()} == {"us-east-1a", "us-east-1b"}


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    renewed = BLOCK.sub(lambda found: f"```console\n$ {found[1]}\n{printed(found[1], found[2])}```", text)
    DOCUMENT.write_text(renewed, encoding="utf-8")
