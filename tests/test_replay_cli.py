"""The batch job on the command line: shares, going on after a kill, digests, what the summary says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from replay_inputs import contents, evaluator, records, text_of, write

from flowcore.cli import main
from flowcore.pipeline import MISMATCHES, evaluate_logs
from flowcore.pipeline_parts import PartFolder
from flowcore.report import classes_grid, disagreement_grid, summary_dict
from flowcore.synthetic import network_documents, write_snapshot


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A snapshot and a folder of logs that make six parts."""
    monkeypatch.setattr("flowcore.pipeline_parts.PART_BYTES", 1)
    write_snapshot(network_documents(seed=1, interfaces=40), tmp_path / "snapshot")
    for number in range(6):
        write(tmp_path / "logs" / f"{number}.log.gz", [*text_of(records()[number::6]), f"rubbish {number}"])
    return [str(tmp_path / "snapshot"), str(tmp_path / "logs")]


def test_shares_and_going_on_give_the_dataset_of_one_run(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *inputs, "-o", str(tmp_path / "whole/out"), "--format", "json"]) == 0
    expected, found = contents(tmp_path / "whole"), json.loads(capsys.readouterr().out)
    assert sum(name.endswith(".parquet") for name in expected) == 6
    out = tmp_path / "shares/out"
    for share in ("2/3", "1/3", "3/3"):
        assert not out.exists()
        assert main(["evaluate", *inputs, "-o", str(out), "--shard", share]) == 0
        said = capsys.readouterr().err
        assert ("still to be done" in said) == (share != "3/3")
    assert contents(out.parent) == expected

    out = tmp_path / "resumed/out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartFolder, "note_done", _dying_at(4))
        with pytest.raises(KeyboardInterrupt):
            evaluate_logs(_evaluator(inputs[0]), inputs[1], out, threads=1)
    assert not out.exists()
    assert main(["evaluate", *inputs, "-o", str(out), "--resume", "--format", "json"]) == 0
    assert contents(out.parent) == expected
    again = json.loads(capsys.readouterr().out)
    for document in (found, again):
        document.pop("seconds")
        document.pop("rate")
    assert again == found
    assert found["rejected"] == 6


def _evaluator(snapshot: str) -> Any:
    from flowcore import compile_network, read_network

    return compile_network(read_network(snapshot))


def _dying_at(number: int) -> Any:
    original, calls = PartFolder.note_done, []

    def note_done(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == number:
            raise KeyboardInterrupt
        original(*arguments)

    return note_done


@pytest.mark.parametrize(
    "options",
    [
        ["--shard", "0/2"],
        ["--shard", "3/2"],
        ["--shard", "1"],
        ["--shard", "a/b"],
        ["--nat-instance", "eni-nowhere"],
        ["--since", "1767607200000"],
        ["--until", "²" * 9],
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    tmp_path: Path, inputs: list[str], options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *inputs, "-o", str(tmp_path / "out"), *options]) == 2
    message = capsys.readouterr().err
    assert options[1] in message
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()


def test_a_single_file_is_not_made_in_steps(tmp_path: Path, inputs: list[str]) -> None:
    for options in (["--resume"], ["--shard", "1/2"]):
        assert main(["evaluate", *inputs, "-o", str(tmp_path / "out.parquet"), *options]) == 2


def test_going_on_after_an_input_has_changed_is_refused(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["evaluate", *inputs, "-o", str(out), "--shard", "1/2"]) == 0
    log = tmp_path / "logs" / "5.log.gz"
    log.write_bytes(log.read_bytes() + b"\0")
    assert main(["evaluate", *inputs, "-o", str(out), "--resume"]) == 2
    assert "half done" in capsys.readouterr().err


def test_nat_instances_are_named_to_evaluate(tmp_path: Path, inputs: list[str]) -> None:
    """The same network, but for the interface that translates: another network to a run that goes on."""
    interface = records()["interface_id"][0]
    networks = []
    for number, options in enumerate(([], ["--nat-instance", interface])):
        assert main(["evaluate", *inputs, "-o", str(tmp_path / f"{number}"), *options]) == 0
        networks.append(json.loads((tmp_path / f"{number}.manifest.json").read_text())["plan"]["network"])
    assert networks[0] != networks[1]


# -- the report card --------------------------------------------------------------------------------------


def test_fl44_classes_of_disagreement(tmp_path: Path) -> None:
    """FL-44: AWS logged both actions, records were lost (FL-21), neither; each with interface and rule, most first."""
    evaluate_logs(evaluator(), write(tmp_path / "a.log", text_of(records())), tmp_path / "a.parquet")
    judged = pl.read_parquet(tmp_path / "a.parquet")
    rows = records().filter(judged["agrees"].fill_null(False), pl.col("protocol") == 6)
    both, lost, wrong = (rows.filter(pl.col("interface_id") == name)[:1] for name in _three(rows))
    other = pl.when(pl.col("action") == "ACCEPT").then(pl.lit("REJECT")).otherwise(pl.lit("ACCEPT")).alias("action")
    turned = [frame.with_columns(other) for frame in (both, lost, wrong, wrong)]
    skipped = f"2 1 {lost['interface_id'][0]} - - - - - - - 1 2 - SKIPDATA"
    log = write(tmp_path / "b.log", [*text_of(pl.concat([both, *turned])), skipped])
    summary = evaluate_logs(evaluator(), log, tmp_path / "b.parquet")
    expected = dict.fromkeys(MISMATCHES, 0) | {"changed-within": 1, "lost-records": 1, "unexplained": 2}
    assert summary.by_class == expected
    assert (summary.agreed, summary.disagreed) == (1, 4)
    first = max(summary.explained, key=summary.explained.__getitem__)
    assert (first.kind, first.interface) == ("unexplained", wrong["interface_id"][0])
    assert first.rule is not None
    card, behind = classes_grid(summary), disagreement_grid(summary)
    assert card is not None
    assert "5 of 5 records" in card.title
    assert [row[0] for row in card.rows] == ["agrees", "changed-within", "lost-records", "unexplained"]
    assert all(row[3] for row in card.rows[1:])
    assert behind is not None
    assert behind.rows[0][0] == "unexplained"
    assert summary_dict(summary)["disagreements_by_class"] == expected


def _three(rows: pl.DataFrame) -> list[str]:
    """Interfaces at which one record in one direction can be taken by itself."""
    return rows["interface_id"].unique(maintain_order=True).to_list()[:3]
