"""The GitHub Action: its script run as it stands, and its definition read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flowcore import synthetic

ROOT = Path(__file__).parents[1]
BASH = shutil.which("bash")


def definition(name: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="no YAML reader here")
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("action")
    documents = synthetic.network_documents(3, interfaces=30, groups=8, acls=4, subnets=8)
    synthetic.write_snapshot(documents, place / "before it $(touch ran)")
    for table in documents["RouteTables"]:
        table["Routes"] = [r for r in table["Routes"] if r.get("DestinationCidrBlock") != "0.0.0.0/0"]
    synthetic.write_snapshot(documents, place / "after")
    from flowcore import read_network

    flows = synthetic.traffic(read_network(place / "after"), 300, 3)
    flows[:150].write_parquet(place / "one.parquet")
    flows[150:].write_parquet(place / "the other.parquet")
    return place


def run(folder: Path, **environment: str) -> tuple[int, dict[str, str], Path]:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.write_text("")
    given = {
        "SNAPSHOT": "before it $(touch ran)", "AFTER": "after", "FLOWS": "one.parquet\nthe other.parquet\n",
        "FAIL_ON": "broken", "MAX_UNKNOWN": "", "OUT": str(out), "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **{name: str(file) for name, file in files.items()}, **environment,
    }  # fmt: skip
    done = subprocess.run(
        [str(BASH), str(ROOT / "examples" / "run-diff.sh")],
        cwd=folder, env={**os.environ, **given}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines()]
    return done.returncode, dict(lines), out


@pytest.mark.skipif(BASH is None, reason="no bash here")
def test_the_script_writes_outputs_comment_summary_and_report(folder: Path) -> None:
    code, outputs, out = run(folder)
    assert code == 0, "findings are the last step's to tell"
    assert outputs["code"] == "1"
    counts = json.loads((out / "diff.json").read_text())["counts"]
    assert sum(counts.values()) == 300
    assert int(outputs["broken"]) == counts["broken"] > 0
    assert Path(outputs["report"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    comment = (out / "comment.md").read_text(encoding="utf-8")
    assert comment.startswith("<!-- flowcore diff -->")
    assert (folder / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8") == comment
    assert pl.read_parquet(out / "flows.parquet").height > 0
    assert not (folder / "ran").exists(), "an input was read as shell"


@pytest.mark.skipif(BASH is None, reason="no bash here")
def test_the_script_passes_on_what_fails(folder: Path) -> None:
    assert run(folder, FAIL_ON="none")[1]["code"] == "0"
    code, outputs, _ = run(folder, AFTER="nothing")
    assert (code, outputs) == (2, {})


def test_the_definition_uses_what_it_declares_and_no_input_in_a_script() -> None:
    action = definition("action.yml")
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(action["inputs"])
    assert set(action["outputs"]) == {"broken", "opened", "unknown", "report"}
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step
        assert "uses" in step or step["shell"] == "bash"


def test_the_example_gives_the_action_its_inputs() -> None:
    workflow, action = definition("examples/flowcore-diff.yml"), definition("action.yml")
    (step,) = [each for each in workflow["jobs"]["diff"]["steps"] if each.get("id") == "flowcore"]
    assert set(step["with"]) <= set(action["inputs"])
    assert {name for name, value in action["inputs"].items() if value.get("required")} <= set(step["with"])
