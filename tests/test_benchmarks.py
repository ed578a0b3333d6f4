"""Every benchmark runs at a tiny size, so that none rots; ways that are compared give the same answers. Not timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import __main__ as program
from benchmarks import harness, peers, peerways
from benchmarks.harness import Benchmark, Figure, Plan, Sample, Scale, WrongAnswerError

ALL = harness.benchmarks()


@pytest.mark.parametrize("name", ALL)
def test_benchmark_runs(name: str) -> None:
    result = harness.run(ALL[name], Scale.TINY, rounds=1)
    rows = list(result.rows())
    assert [row["figure"] for row in rows] == [figure.name for figure in ALL[name].figures]
    assert all(np.isfinite(row["median"]) for row in rows)


@pytest.mark.parametrize("name", peerways.WAYS)
def test_peer_gives_our_answers(name: str) -> None:
    made = peers.setting(500)
    found = np.asarray(peerways.WAYS[name](made.rules, made.asked)())
    assert len(np.unique(found)) > 100  # not all flows fall to a few entries
    assert peers.RULES in found
    peers.check_answer(made, peers.flowcore_answer(made), {name: found})


def test_wrong_answers_are_noticed() -> None:
    made = peers.setting(50)
    ours = peers.flowcore_answer(made)
    right = ours["entry"].to_numpy()
    peers.check_answer(made, ours, {"peer": right})
    wrong = right.copy()
    wrong[7] += 1
    with pytest.raises(WrongAnswerError, match="peer differs at flow 7"):
        peers.check_answer(made, ours, {"peer": wrong})
    for column in (pl.lit(0).alias("blocked_by"), pl.lit("ACCEPT").alias("verdict")):
        with pytest.raises(WrongAnswerError, match="actions"):
            peers.check_answer(made, ours.with_columns(column), {})


def test_both_forms_of_the_flows_are_the_same_flows() -> None:
    from benchmarks.inputs import evaluator, flows
    from flowcore.columns import flows_of

    ids = evaluator("1k", Scale.TINY).compiled.interface_ids
    numbers = flows_of(flows("1k", Scale.TINY, 500), ids)
    texts = flows_of(flows("1k", Scale.TINY, 500, as_integers=False), ids)
    for name, left, right in zip(numbers._fields, numbers, texts, strict=True):
        assert np.array_equal(left, right), name


def _fake(scale: Scale) -> Plan:
    passes = iter(range(100))
    return Plan((lambda: {"rate": Sample(2e6 + 1e5 * next(passes), 0.5, 1.0), "time": Sample(3.0)},), warm=False)


FAKE = Benchmark(
    "fake_3_flows",
    "Made up.",
    (Figure("rate", "flow/s/core", 2.05e6, 9e6), Figure("time", "s", 2, 1), harness.ratio("of", "rate", "time")),
    _fake,
)


def test_figures_and_goals() -> None:
    rate, time, of = harness.run(FAKE, Scale.FULL, rounds=3).rows()
    assert (rate["min"], rate["median"], rate["max"], rate["met"]) == (2.0e6, 2.1e6, 2.2e6, ["must"])
    assert (rate["cpu"], rate["wall"]) == (0.5, 1.0)
    assert (time["median"], time["met"]) == (3.0, [])  # of seconds, less is better
    assert of["median"] == 0.7e6
    assert next(harness.run(FAKE, Scale.QUICK, rounds=1).rows())["must"] is None  # goals belong to the full size


def test_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(harness, "benchmarks", lambda: {FAKE.name: FAKE})
    monkeypatch.setattr(program, "benchmarks", lambda: {FAKE.name: FAKE})
    assert program.main([]) == 0
    assert "fake_3_flows" in capsys.readouterr().out
    assert program.main(["fake*", "--repeat", "3"]) == 0
    text = capsys.readouterr().out
    assert "2.1 M flow/s/core" in text
    assert "goal 2.05 M / 9 M: must met" in text
    assert program.main(["all", "--json", "--quick"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["benchmarks"][0]["figures"][0]["unit"] == "flow/s/core"
    assert document["machine"]["versions"]["numba"]
    assert program.main(["fake", "--markdown", "--repeat", "1"]) == 0
    assert "| fake_3_flows | rate | 2 M | 2 M to 2 M | flow/s/core | 2.05 M / 9 M: not met |" in capsys.readouterr().out
    assert program.main(["nothing like it"]) == 2
    assert "nothing like it" in capsys.readouterr().err


def test_documented() -> None:
    text = (Path(__file__).parents[1] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in ALL if f"`{name}`" not in text] == []
