"""Machine code on disk: where it is kept, and that an edited kernel never meets the code of the old one.

Each test compiles `spread_stages`, `find_ipv4` or `behind` only: a second or so, where all of it takes a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import flowcore
from flowcore import kernels as k

PACKAGE = Path(flowcore.__file__).parent


def run(code: str, root: Path, **environment: str) -> Any:
    """What `code` prints as JSON, in a new process that imports flowcore from `root`."""
    kept = {name: value for name, value in os.environ.items() if name not in ("FLOWCORE_CACHE_DIR", "NUMBA_CACHE_DIR")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def copied(folder: Path) -> Path:
    """A copy of the package in `folder`; gives the copy's kernels.py."""
    shutil.copytree(PACKAGE, folder / "flowcore", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "flowcore" / "kernels.py"


def edit(file: Path, *changes: tuple[str, str]) -> None:
    """Change a file so that neither its size nor its times tell: all that older Numbas' cache looks at."""
    text, before = file.read_text(encoding="utf-8"), file.stat()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# -- importing -----------------------------------------------------------------------------------------


def test_importing_compiles_nothing_and_writes_nothing(tmp_path: Path) -> None:
    code = """
import json, sys
import flowcore
before = "numba" in sys.modules
import flowcore.kernels as k
kernels = {name: len(value.signatures) for name, value in vars(k).items() if hasattr(value, "py_func")}
print(json.dumps([before, kernels, str(k.CACHE_FOLDER), k.source_key()]))
"""
    loaded, kernels, folder, key = run(code, PACKAGE.parent, FLOWCORE_CACHE_DIR=str(tmp_path))
    assert not loaded
    assert {"evaluate_rows", "build_policies", "read_addresses", "find_ipv4", "find_ipv6"} <= kernels.keys()
    assert set(kernels.values()) == {0}
    assert folder == str(tmp_path / f"kernels-{key}")
    assert files(tmp_path) == []


CALL = """
import json
import flowcore.kernels as k
answer = k.spread_stages(0x1FFF)
print(json.dumps([answer, sum(k.spread_stages.stats.cache_hits.values()), str(k.CACHE_FOLDER)]))
"""


def test_the_second_process_loads_what_the_first_compiled(tmp_path: Path) -> None:
    first = run(CALL, PACKAGE.parent, FLOWCORE_CACHE_DIR=str(tmp_path))
    kept = files(tmp_path)
    second = run(CALL, PACKAGE.parent, FLOWCORE_CACHE_DIR=str(tmp_path))
    folder = str(tmp_path / f"kernels-{k.source_key()}")
    assert first == [k.spread_stages.py_func(0x1FFF), 0, folder]
    assert second == [first[0], 1, folder]
    assert len(kept) == 2
    assert all("spread_stages" in name for name in kept)
    assert files(tmp_path) == kept


# -- edited kernels ------------------------------------------------------------------------------------

SPREAD = """
import json
import flowcore.kernels as k
print(json.dumps([int(k.spread_stages(0x1FFF)), k.source_key()]))
"""
FIND = """
import json
import numpy as np
import flowcore.kernels as k
values = {name: np.full(1, 9, np.uint32) for name in k.Tables._fields}
values |= {name: np.full(1 << 16, value, np.uint32) for value, name in enumerate(("root", "middle", "leaf"), 1)}
print(json.dumps([int(k.find_ipv4(k.Tables(**values), 0, 7)), k.source_key()]))
"""
BEHIND = """
import json
import flowcore.kernels_long as kl
print(json.dumps([int(kl.behind(4)), kl.kernels.source_key()]))
"""
#: What is compiled; edits made before the first run; edits made after it; the answers.
EDITS: dict[str, tuple[str, list[tuple[str, str]], list[tuple[str, str]], int, int]] = {
    "a number in a kernel": (SPREAD, [], [("0x1000) << 16", "0x1000) << 15")], 0x100FC03F, 0x080FC03F),
    "a constant outside": (
        SPREAD,
        [("(compact & 0x3F)", "(compact & DENY)")],
        [("DENY, UNSURE = 1,", "DENY, UNSURE = 7,")],
        0x100FC001,
        0x100FC007,
    ),
    "the order of fields": (
        FIND,
        [],
        [("    root: np.ndarray", "    @: np.ndarray"), ("    leaf: np.ndarray", "    root: np.ndarray"),
         ("    @: np.ndarray", "    leaf: np.ndarray")],
        3,
        3,
    ),
    "the long walk, in a file of its own": (
        BEHIND,
        [],
        [("    10, 10, 13, 11, 12, 5,", "    10, 10, 14, 11, 12, 5,")],
        1 << 13,
        1 << 14,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_kernel_never_meets_old_machine_code(name: str, tmp_path: Path) -> None:
    code, before, after, old_answer, new_answer = EDITS[name]
    kernels, cache = copied(tmp_path), {"FLOWCORE_CACHE_DIR": str(tmp_path / "cache")}
    kernels = kernels.with_name("kernels_long.py") if code is BEHIND else kernels
    edit(kernels, *before)
    first, first_key = run(code, tmp_path, **cache)
    edit(kernels, *after)
    second, second_key = run(code, tmp_path, **cache)
    assert (first, second) == (old_answer, new_answer)
    assert first_key != second_key


def test_the_key_depends_on_the_text_and_on_the_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = k.source_key()
    assert k.source_key() == key
    monkeypatch.setattr(k.numba, "__version__", "0.0.1")
    other_numba = k.source_key()
    monkeypatch.undo()
    monkeypatch.setattr(k.np, "__version__", "0.0.1")
    other_numpy = k.source_key()
    monkeypatch.undo()
    monkeypatch.setattr(k.sys, "version_info", (3, 99, 0))
    other_python = k.source_key()
    monkeypatch.undo()
    for file in Path(k.__file__).parent.glob("kernels*.py"):
        shutil.copy(file, tmp_path / file.name)
    monkeypatch.setattr(k, "__file__", str(tmp_path / "kernels.py"))
    assert k.source_key() == key
    edited = []
    for name in ("kernels.py", "kernels_long.py"):
        text = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(text + b"\n")
        edited.append(k.source_key())
        (tmp_path / name).write_bytes(text)
    assert len({key, other_numba, other_numpy, other_python, *edited}) == 6


# -- where it is kept ----------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Every place a cache may be in, each a folder of its own, none chosen by the environment yet."""
    for name in ("FLOWCORE_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return {
        "own": tmp_path / "own",
        "numba": tmp_path / "numba",
        "xdg": tmp_path / "xdg" / "flowcore",
        "home": tmp_path / "home" / ".cache" / "flowcore",
        "temporary": tmp_path / "temporary" / f"flowcore-{user}",
    }


def chosen() -> Path | None:
    folder = k._cache_folder()
    assert folder is None or folder.name == f"kernels-{k.source_key()}"
    return folder.parent if folder else None


def test_places_in_order(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen() == places["home"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(places["xdg"].parent))
    assert chosen() == places["xdg"]
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places["numba"]))
    assert chosen() == places["numba"]
    monkeypatch.setenv("FLOWCORE_CACHE_DIR", str(places["own"]))
    assert chosen() == places["own"]
    monkeypatch.setenv("FLOWCORE_CACHE_DIR", "")
    assert chosen() == places["numba"]


def test_a_place_that_can_be_no_folder_is_passed_over(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/dev/null")
    assert chosen() == places["temporary"]
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    assert chosen() == places["temporary"]
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null")
    assert chosen() is None
    monkeypatch.setenv("FLOWCORE_CACHE_DIR", "/dev/null/own")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places["numba"]))
    assert chosen() == places["numba"]


def test_a_folder_of_somebody_else_is_not_used(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = k._cache_folder()
    assert folder is not None
    mine = folder.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert not k._usable(folder)
    assert chosen() is None  # the temporary one is made by the true user too


@pytest.mark.parametrize(
    ("mode", "usable"), [(0o700, True), (0o755, True), (0o770, False), (0o702, False), (0o777, False)]
)
def test_a_folder_others_may_write_to_is_not_used(mode: int, usable: bool, places: dict[str, Path]) -> None:
    folder = k._cache_folder()
    assert folder is not None
    folder.chmod(mode)
    assert k._usable(folder) is usable
    assert chosen() == places["home" if usable else "temporary"]


def test_the_folder_made_is_private(places: dict[str, Path]) -> None:
    before = os.umask(0)
    try:
        folder = k._cache_folder()
    finally:
        os.umask(before)
    assert folder is not None
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give a folder away")
def test_a_temporary_folder_that_somebody_else_laid_out_is_not_used(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who owns /tmp/flowcore-0 can put another folder in the place of the one in it after it was looked at."""
    monkeypatch.setenv("HOME", "/dev/null")
    places["temporary"].mkdir()
    os.chown(places["temporary"], 65534, 65534)
    assert chosen() is None


def test_it_evaluates_where_nothing_can_be_written(tmp_path: Path) -> None:
    """No home, no cache folder, no temporary folder, and a package folder nobody writes to."""
    copied(tmp_path)
    before = files(tmp_path)
    code = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/dev/null/tmp']\n" + CALL
    places = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache", "TMPDIR": "/dev/null/tmp"}
    (tmp_path / "flowcore").chmod(0o555)
    try:
        answer = run(code, tmp_path, **places)
    finally:
        (tmp_path / "flowcore").chmod(0o755)
    assert answer == [k.spread_stages.py_func(0x1FFF), 0, "None"]
    assert files(tmp_path) == before


def test_numbas_own_folder_stays_empty_where_ours_is_given(tmp_path: Path) -> None:
    own, numba = tmp_path / "own", tmp_path / "numba"
    numba.mkdir()
    run(CALL, PACKAGE.parent, FLOWCORE_CACHE_DIR=str(own), NUMBA_CACHE_DIR=str(numba))
    assert len(files(own)) == 2
    assert files(numba) == []
