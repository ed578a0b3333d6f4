"""What a user installs: the wheel holds the code, the bundled data, the type marker and the command."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import flowcore

ROOT = Path(__file__).parents[1]

#: What the wheel takes from data/; the rest is for the tests.
BUNDLED = ("demo", "hybrid-cloud-aws")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    from hatchling.builders.wheel import WheelBuilder

    [path] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return zipfile.ZipFile(path)


def test_the_wheel_holds_code_data_and_type_marker(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {
        "flowcore/__init__.py",
        "flowcore/py.typed",
        "flowcore/cli/__init__.py",
        "flowcore/sources/describe.py",
    } <= names
    bundled = {
        f"flowcore/data/{path.relative_to(ROOT / 'data').as_posix()}"
        for folder in BUNDLED
        for path in (ROOT / "data" / folder).rglob("*")
        if path.is_file()
    }
    assert "flowcore/data/hybrid-cloud-aws/NOTICE" in bundled
    assert {name for name in names if name.startswith("flowcore/data/")} == bundled
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/")) or "__pycache__" in name]


def test_the_wheel_names_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    info = f"flowcore-{flowcore.__version__}.dist-info"
    assert "flowcore = flowcore.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in wheel.namelist()
    assert "Requires-Python: >=3.11" in wheel.read(f"{info}/METADATA").decode()


def test_the_installed_wheel_finds_its_data(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = "import flowcore.demo as d; f = d.data_folder(); print(f); assert (f / 'demo' / 'snapshot').is_dir()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert Path(done.stdout.strip()) == tmp_path / "flowcore" / "data"


def test_the_version_is_said_once(wheel: zipfile.ZipFile) -> None:
    assert Path(str(wheel.filename)).name.startswith(f"flowcore-{flowcore.__version__}-")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert "version" in project["dynamic"]


def test_the_changelog_knows_this_version() -> None:
    assert f"## {flowcore.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_dependency_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        assert metadata.version(requirement.split(">")[0])


def test_the_readme_installs_what_ci_installs_but_for_linters() -> None:
    """CI installs `.[dev]`; the README's command must not lack what the tests import."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 'pip install -e ".[test]" && .venv/bin/python -m pytest -n 2 -q\n' in readme
    names = {re.split(r"[><=]", requirement)[0] for requirement in project["optional-dependencies"]["dev"]}
    assert names == {"flowcore[test]", "ruff", "mypy"}
