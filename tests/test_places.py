"""Where flows come from and verdicts go to: nothing read is lost or overwritten unsaid, and two runs keep apart."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from replay_inputs import evaluator, records, text_of, write

from flowcore.cli import main
from flowcore.digest import digest_logs
from flowcore.errors import InputError
from flowcore.pipeline import evaluate_logs
from flowcore.pipeline_lock import alone
from flowcore.pipeline_parts import PartFolder
from flowcore.sources import places
from flowcore.sources.flows import open_flows
from flowcore.synthetic import network_documents, write_snapshot


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "logs/a.log", text_of(records()))


def test_a_digest_that_is_named_is_extended(tmp_path: Path, log: Path) -> None:
    other = write(tmp_path / "b.log", text_of(records(2)))
    month, whole = tmp_path / "logs/month.parquet", tmp_path / "whole.parquet"
    digest_logs([log, other], whole)
    digest_logs(log, month)
    digest_logs([month, other], month)
    assert month.read_bytes() == whole.read_bytes()
    digest_logs(month, month)
    assert month.read_bytes() == whole.read_bytes()
    with pytest.raises(InputError, match="both read and written"):
        digest_logs(tmp_path / "logs/m*.parquet", month)
    assert month.read_bytes() == whole.read_bytes()
    digest_logs(tmp_path / "logs", month)  # where it only lies beside the logs it is made anew
    assert pl.read_parquet(month)["records"].sum() == records().height


def test_a_dataset_is_not_judged_into_itself(tmp_path: Path, log: Path) -> None:
    out = tmp_path / "out"
    evaluate_logs(evaluator(), log, out)
    before = (out / "part-00000.parquet").read_bytes()
    (tmp_path / "link.parquet").symlink_to(out / "part-00000.parquet")
    for source in (out / "part-00000.parquet", f"{out}/*.parquet", out, tmp_path / "link.parquet"):
        with pytest.raises(InputError, match="both read and written"):
            evaluate_logs(evaluator(), source, out)
    with pytest.raises(InputError, match="both read and written"):
        evaluate_logs(evaluator(), f"{tmp_path}/[o]ut/*.parquet", out)
    assert (out / "part-00000.parquet").read_bytes() == before


def test_pipes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe: is a pipe or a device.*write it to a file first"):
        open_flows(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe"):
        open_flows("/dev/null")
    assert main(["digest", "-", "-o", str(tmp_path / "d.parquet")]) == 2
    assert "standard input is not read" in capsys.readouterr().err


def test_linked_folders_are_read_once(tmp_path: Path) -> None:
    real, given = tmp_path / "real", tmp_path / "in"
    write(real / "a.log", text_of(records()))
    given.mkdir()
    (given / "month").symlink_to(real)
    (given / "again").symlink_to(real)
    (given / "loop").symlink_to(given)
    (real / "back").symlink_to(given)
    names = [str(file.path.relative_to(tmp_path)) for file in open_flows(given).files()]  # type: ignore[union-attr]
    assert names == ["in/again/a.log"]
    (given / "b").mkdir()
    (given / "b/b.log").write_bytes((real / "a.log").read_bytes())
    (given / "a").symlink_to(given / "b")  # a folder itself comes before any link to it
    names = [str(file.path.relative_to(tmp_path)) for file in open_flows(given).files()]  # type: ignore[union-attr]
    assert names == ["in/again/a.log", "in/b/b.log"]


@pytest.mark.parametrize("out", [".", "./", "", "/", "..", "s3://bucket/out", "s3://bucket/out.parquet", "gs://b/o"])
def test_what_is_no_place_for_a_dataset(
    tmp_path: Path, log: Path, out: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError):
        evaluate_logs(evaluator(), log, out)
    assert main(["digest", str(log), "-o", out]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("source", ["s3:///key", "s3://b//x", "s3://arn:aws:s3:::b/x", "s3://"])
def test_odd_s3_addresses(source: str) -> None:
    with pytest.raises(InputError, match="s3://"):
        open_flows(source)


def test_s3_is_the_one_the_environment_names_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    first = places._s3()
    assert places._s3() is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:10")
    assert places._s3() is not first


def test_an_odd_s3_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "ftp://x")
    with pytest.raises(InputError, match="ftp"):
        open_flows("s3://b/x")


# -- several runs -----------------------------------------------------------------------------------------


def test_one_run_at_a_time(tmp_path: Path, log: Path) -> None:
    out, single = tmp_path / "out", tmp_path / "out.parquet"
    for place in (out, single):
        with alone(place), pytest.raises(InputError, match=r"out.*: another run is writing there"):
            evaluate_logs(evaluator(), log, place)
    with alone(single), pytest.raises(InputError, match="another run"):
        digest_logs(log, single)
    with alone(out, shared=True):
        with pytest.raises(InputError, match="another run"):
            evaluate_logs(evaluator(), log, out)
        evaluate_logs(evaluator(), log, out, shard=(1, 2))  # another share is no other run
        with alone(out, "run-1-of-2"), pytest.raises(InputError, match="another run"):
            evaluate_logs(evaluator(), log, out, shard=(1, 2))
    evaluate_logs(evaluator(), log, out)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_locks_of_runs_that_end_leave_none_behind_and_let_none_pass(tmp_path: Path) -> None:
    inside, most, out = 0, 0, tmp_path / "out"

    def work() -> None:
        nonlocal inside, most
        for _ in range(200):
            try:
                with alone(out):
                    inside += 1
                    most = max(most, inside)
                    inside -= 1
            except InputError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not list(tmp_path.iterdir())


def test_a_share_is_not_taken_for_the_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowcore.pipeline_parts.PART_BYTES", 1)
    write_snapshot(network_documents(seed=1, interfaces=40), tmp_path / "snapshot")
    for number in range(2):
        write(tmp_path / "logs" / f"{number}.log", text_of(records()[number::2]))
    given = ["evaluate", str(tmp_path / "snapshot"), str(tmp_path / "logs"), "-o", str(tmp_path / "out")]
    assert main(given) == 0
    assert "verdicts in" in capsys.readouterr().err
    assert main([*given, "--account", "123456789012", "--shard", "1/2"]) == 0
    said = capsys.readouterr().err
    assert "still to be done" in said
    assert "verdicts in" not in said


# -- what is said -----------------------------------------------------------------------------------------


def test_digest_says_what_it_did_not_fold(tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "d.parquet")
    assert main(["digest", str(log), "-o", out]) == 0
    assert capsys.readouterr().err == f"flowcore: {records().height:,} records of 1 files folded into {out}\n"
    lines = text_of(records())
    silent = f"2 - eni-1 {'- ' * 7}1 2 - NODATA"
    bad = write(tmp_path / "bad.log", [lines[0], *lines[1:4], *(f"{line} x" for line in lines[4:6]), silent])
    cut = write(tmp_path / "cut.log.gz", lines)
    cut.write_bytes(cut.read_bytes()[:-20])
    assert main(["digest", str(bad), str(cut), "-o", out]) == 0
    said = capsys.readouterr().err
    assert "2 lines rejected" in said
    assert "1 files unreadable or damaged" in said
    assert "1 intervals without traffic" in said
    assert f"see {out}.rejects.csv" in said
    assert main(["digest", str(log), "-o", out, "--since", "2090-01-01"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("flowcore: 0 records of 1 files folded")
    assert f"{records().height:,} records outside" in said
    assert "warning: no flows were read" in said


def test_nothing_read_is_said(tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_snapshot(network_documents(seed=1, interfaces=40), tmp_path / "snapshot")
    (tmp_path / "empty").mkdir()
    for source, warned in ((tmp_path / "empty", True), (log, False)):
        out = str(tmp_path / "out")
        assert main(["evaluate", str(tmp_path / "snapshot"), str(source), "-o", out]) == 0
        assert ("warning: no flows were read" in capsys.readouterr().err) == warned


def test_half_of_a_kept_run_is_no_other_run(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PartFolder, "note_done", die)
        with pytest.raises(KeyboardInterrupt):
            evaluate_logs(evaluator(), log, tmp_path / "out", threads=1)
    evaluate_logs(evaluator(), log, tmp_path / "out", resume=True)
    assert (tmp_path / "out").is_dir()
