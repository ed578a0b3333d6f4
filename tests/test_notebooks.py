"""The notebooks of the documentation run from their first cell to their last, and show what their text promises."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


#: Cell of one-flow-log.ipynb -> what it shows, as its text promises.
PROMISED = {
    "network": ["2 VPCs", "vpc-0fd99876982361702"],
    "issues": ["note"],
    "evaluate": ["53,323 flows and records judged", "SUBNET_ACL_RESTRICTION"],
    "verdicts": ["sgr-"],
    "explain": ["REJECT: gets through, but the reply does not", "There: tcp", "Back: tcp"],
    "usage": ["sgr-0f04ecb28065692e8", "used"],
    "idle": ["sgr-0763745bd40484372", "never-hit"],
    "capacity": ["nat-0732fa14383eb1619", "connections_per_destination", "55000"],
    "what-if": ["cross-zone", "carried"],
    "diff": ["broken", "no redirect from port 80", "no reports from the database", "new connections"],
    "diff-flows": ["no redirect from port 80"],
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    """No figure in it can be out of date, and a change of one cell is a change of one cell."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(notebook)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None and cell["metadata"] == {} for cell in code)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert path.read_text(encoding="utf-8") == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def run(path: Path, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Cell id -> what it shows, each a mapping of MIME types."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return {
        cell.id: [dict(output.get("data") or {output["output_type"]: output.get("text")}) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


def test_a_flow_log_goes_all_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test, because it is one run: verdicts, a path, a difference, charts; nothing warns, nothing is loaded."""
    for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "TMPDIR"):
        folder = tmp_path / variable.lower()
        folder.mkdir()
        monkeypatch.setenv(variable, str(folder))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parents[1]))
    before = sorted(os.listdir(FOLDER))
    shown = run(FOLDER / "one-flow-log.ipynb", tmp_path)
    for cell, outputs in shown.items():
        for output in outputs:
            assert not {"stream", "error"} & set(output), (cell, output)
            assert "<script" not in str(output), cell
            assert "http" not in output.get("text/html", ""), cell
    for cell, words in PROMISED.items():
        [output] = shown[cell]
        for each in words:
            assert each in output["text/html"], (cell, each)
    charts = [cell for cell in shown if cell.endswith("-chart")]
    assert len(charts) == 4
    for cell in charts:
        [output] = shown[cell]
        assert output["image/svg+xml"].count("<path") > 5, cell
    assert sorted(os.listdir(FOLDER)) == before


def test_every_notebook_is_run() -> None:
    assert [path.name for path in NOTEBOOKS] == ["one-flow-log.ipynb"]
