"""Digests: distinct flows with totals, the same however the records were cut, with and without time windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from replay_inputs import evaluator, records, text_of, with_more_fields, write

from flowcore.cli import main
from flowcore.digest import KEYS, digest_logs
from flowcore.errors import InputError
from flowcore.pipeline import Wanted, evaluate_logs

ENDS = ["interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action"]


def spread(seed: int = 1) -> pl.DataFrame:
    """Records that start anywhere in three hours, some flows in several windows."""
    frame = pl.concat([records(seed), records(seed).head(200)])
    offset = pl.Series(range(0, 37 * frame.height, 37), dtype=pl.Int64) % 10_800
    start = 1_700_000_000 + offset
    return frame.with_columns(start=start, end=start + 59)


def digest(sources: Any, out: Path, **options: Any) -> pl.DataFrame:
    digest_logs(sources, out, **options)
    return pl.read_parquet(out)


@pytest.mark.parametrize("full", [None, 50, 700])
def test_totals_of_distinct_flows(tmp_path: Path, full: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field that tells flows apart, missing ones too; from one table and from tables that went to disk."""
    monkeypatch.setattr("flowcore.pipeline_run.GROUP_ROWS", 100)
    monkeypatch.setattr("flowcore.digest.GROUP_ROWS", 100)
    if full:
        monkeypatch.setattr("flowcore.digest_flows.FULL_ROWS", full)
    frame = with_more_fields(records(), 0)
    frame = pl.concat([frame, frame.head(300)]).with_columns(start=pl.col("start") - 40)
    found = digest(write(tmp_path / "a.log.gz", text_of(frame)), tmp_path / "d.parquet")
    keys = [name for name in KEYS if name in frame.columns]
    rank = pl.col("tcp_flags").replace_strict({2: 0, 3: 0, 18: 1, 19: 1, 0: 2}, default=3).min()
    expected = frame.group_by(keys).agg(
        rank.replace_strict({0: 2, 1: 18, 2: 0, 3: None}).cast(pl.Int32).alias("tcp_flags"),
        pl.col("packets", "bytes").sum(), records=pl.len().cast(pl.Int64), first=pl.min("start"), last=pl.max("end"),
    )  # fmt: skip
    columns = [*keys, "tcp_flags", "packets", "bytes", "records", "first", "last"]
    expected = expected.select(columns).cast({name: found.schema[name] for name in columns})
    assert found.columns == columns
    assert found.sort(columns).equals(expected.sort(columns))
    assert found.height < frame.height
    names = [name for name in found.columns if name in keys]
    if full is None:  # one table: in the order of the keys, nothing before something
        assert found.select(names).equals(found.select(names).sort(names, nulls_last=False))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_sums_beyond_64_bits_stay_at_the_most(tmp_path: Path) -> None:
    most = (1 << 63) - 1
    rows = [
        records().head(1).with_columns(packets=pl.lit(most), bytes=pl.lit(value, pl.Int64)) for value in (most, 5, most)
    ]
    found = digest(write(tmp_path / "a.log", text_of(pl.concat(rows))), tmp_path / "d.parquet")
    assert found.select("packets", "bytes", "records").row(0) == (most, most, 3)


# -- time windows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [300, 3600, 7])
def test_a_record_belongs_to_the_window_it_starts_in(tmp_path: Path, window: int) -> None:
    frame = spread()
    found = digest(write(tmp_path / "a.log", text_of(frame)), tmp_path / "d.parquet", window=window)
    assert found.schema["window_start"] == pl.Int64
    expected = frame.group_by(*ENDS, window_start=pl.col("start") // window * window).agg(
        pl.col("packets", "bytes").sum(), records=pl.len().cast(pl.Int64), first=pl.min("start"), last=pl.max("end")
    )
    columns = [*ENDS, "window_start", "packets", "bytes", "records", "first", "last"]
    assert found.select(columns).sort(columns).rows() == expected.select(columns).sort(columns).rows()
    assert found["window_start"].n_unique() > 1


def test_digests_with_equal_windows_fold_together(tmp_path: Path) -> None:
    frame, parts = spread(), []
    for number in range(3):
        parts.append(tmp_path / f"{number}.parquet")
        digest(write(tmp_path / f"{number}.log", text_of(frame[number::3])), parts[-1], window=300)
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    whole = digest(logs, tmp_path / "whole.parquet", window=300)
    for number, (sources, window) in enumerate([(parts, None), (parts[::-1], 300), ([*parts[:2], logs[2]], 300)]):
        merged = tmp_path / f"merged-{number}.parquet"
        assert digest(sources, merged, window=window).equals(whole)
        assert merged.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_digests_with_other_windows_do_not_fold_together(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", text_of(spread()))
    plain, five, hour = (tmp_path / name for name in ("plain.parquet", "five.parquet", "hour.parquet"))
    for place, window in ((plain, None), (five, 300), (hour, 3600)):
        digest(log, place, window=window)
    out = tmp_path / "out.parquet"
    for sources, window in (
        ([five, hour], None), ([hour, five], None), ([plain, five], None), ([five, plain], 300), (five, 3600),
        (plain, 300),
    ):  # fmt: skip
        with pytest.raises(InputError, match="other time windows"):
            digest_logs(sources, out, window=window)
    with pytest.raises(InputError, match=r"logs.*window|window.*logs"):
        digest_logs([five, log], out)
    lost = tmp_path / "lost.parquet"
    pl.read_parquet(five).write_parquet(lost)
    with pytest.raises(InputError, match="how long"):
        digest_logs(lost, out)
    with pytest.raises(InputError, match="not of 3600 seconds"):
        digest_logs(lost, out, window=3600)
    assert digest(lost, out, window=300).equals(pl.read_parquet(five))
    for wrong in (0, -1, 1 << 40):
        with pytest.raises(InputError, match="length of a time window"):
            digest_logs(log, out, window=wrong)


def test_what_has_no_start_has_no_window(tmp_path: Path) -> None:
    lines = text_of(records().head(20))
    cut = [" ".join("-" if place == 10 else word for place, word in enumerate(line.split())) for line in lines[1:]]
    found = digest(write(tmp_path / "a.log", [lines[0], *cut]), tmp_path / "a.parquet", window=60)
    assert found["window_start"].null_count() == found.height
    without = text_of(records().head(20).drop("start"))
    with pytest.raises(InputError, match="when a record starts"):
        digest_logs(write(tmp_path / "b.log", without), tmp_path / "b.parquet", window=60)


def test_windows_stay_where_a_digest_is_judged(tmp_path: Path) -> None:
    log = write(tmp_path / "a.log", text_of(spread()))
    folded = digest(log, tmp_path / "d.parquet", window=3600)
    whole = evaluate_logs(evaluator(), log, tmp_path / "whole.parquet")
    summary = evaluate_logs(evaluator(), tmp_path / "d.parquet", tmp_path / "out.parquet")
    verdicts = pl.read_parquet(tmp_path / "out.parquet")
    assert verdicts["window_start"].equals(folded["window_start"])
    assert (summary.outcomes, summary.agreement) == (whole.outcomes, whole.agreement)
    since = int(folded["window_start"].max() or 0)
    some = digest(tmp_path / "d.parquet", tmp_path / "some.parquet", wanted=Wanted(since=since))
    assert 0 < some.height < folded.height


def test_the_window_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = str(write(tmp_path / "a.log", text_of(spread())))
    starts = []
    for text in ("300", "300s", "5m"):
        out = tmp_path / f"{text}.parquet"
        assert main(["digest", log, "-o", str(out), "--window", text]) == 0
        starts.append(out.read_bytes())
    assert starts[0] == starts[1] == starts[2]
    assert main(["digest", log, "-o", str(tmp_path / "hour.parquet"), "--window", "1h"]) == 0
    for wrong in ("0", "5 m", "-5m", "x", "1.5h", ""):
        assert main(["digest", log, "-o", str(tmp_path / "no.parquet"), "--window", wrong]) == 2
    capsys.readouterr()
    both = [str(tmp_path / "300.parquet"), str(tmp_path / "hour.parquet")]
    assert main(["digest", *both, "-o", str(tmp_path / "no.parquet")]) == 2
    message = capsys.readouterr().err
    assert "other time windows" in message
    assert "windows of 3600 seconds" in message
