"""Tables of flows through the batch job: as columns of codes or as frames, the rows and what is said of them agree."""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import polars as pl
import pytest
from replay_inputs import evaluator

from flowcore.errors import InputError
from flowcore.pipeline import Summary, evaluate_logs
from flowcore.pipeline_run import ColumnWorker, FrameWorker, Job
from flowcore.pipeline_tables import group_types
from flowcore.synthetic import edge_flows, traffic

LEAST = -(1 << 63)


def flows(seed: int, count: int = 900) -> pl.DataFrame:
    """Ordinary and odd flows, with traffic and with columns that nobody asks for."""
    network = evaluator().network
    odd = edge_flows(network, seed, count)
    plain = traffic(network, count, seed).cast({"srcport": pl.Int64, "dstport": pl.Int64, "protocol": pl.Int64})
    frame = pl.concat([odd, plain.cast({name: odd.schema[name] for name in plain.columns})], how="diagonal")
    rows = pl.int_range(frame.height)
    return frame.sample(fraction=1, shuffle=True, seed=seed).with_columns(
        packets=rows % 7, bytes=pl.when(rows % 5 > 0).then(rows * 1000),
        number=pl.when(rows % 3 > 0).then(rows - 500), note=pl.Series(["-", "", "None", None, "é", "x"])
        .gather(rows % 6), verdict=pl.lit("is replaced"),
        src_interface_id=pl.when(rows % 40 == 1).then(pl.lit("eni-nowhere")).otherwise("src_interface_id"),
    )  # fmt: skip


def both_ways(source: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[pl.DataFrame, Summary, str]:
    """What comes out of the fast way, after a look that it is the fast one and that frames give the same."""
    used: list[str] = []
    for kind in (ColumnWorker, FrameWorker):
        inner: Callable[..., Summary] = kind.write

        def write(self, *given, kind=kind, inner=inner, **more) -> Summary:  # type: ignore[no-untyped-def]
            used.append(kind.__name__)
            return inner(self, *given, **more)

        monkeypatch.setattr(kind, "write", write)
    fast = evaluate_logs(evaluator(), source, out / "fast.parquet")
    with monkeypatch.context() as patch:
        patch.setattr(Job, "group_types", None)
        slow = evaluate_logs(evaluator(), source, out / "slow.parquet")
    assert used == ["ColumnWorker", "FrameWorker"]
    left, right = pl.read_parquet(out / "fast.parquet"), pl.read_parquet(out / "slow.parquet")
    assert left.schema == right.schema
    different = [name for name in left.columns if not left[name].equals(right[name], null_equal=True)]
    assert not different, left.with_row_index().filter(left[different[0]].ne_missing(right[different[0]]))
    assert fast == slow
    texts = [path.read_text() if path.exists() else ""
             for path in (out / f"{name}.parquet.rejects.csv" for name in ("fast", "slow"))]  # fmt: skip
    assert texts[0] == texts[1]
    return left, fast, texts[0]


@pytest.mark.parametrize("seed", range(6))
def test_parquet_is_judged_the_same_both_ways(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowcore.pipeline_run.GROUP_ROWS", (1 << 18, 700)[seed % 2])
    frame = flows(seed)
    if seed % 3 == 1:
        frame = frame.with_columns(pl.col("srcaddr", "src_interface_id").cast(pl.Categorical))
    if seed % 3 == 2:
        ports = pl.col("srcport", "dstport").cast(pl.UInt16, strict=False)
        frame = frame.with_columns(
            ports, protocol=pl.col("protocol").replace_strict({6: "tcp", 17: "UDP"}, default="icmp")
        )
    frame.write_parquet(tmp_path / "flows.parquet", row_group_size=500)
    found, summary, rejects = both_ways(tmp_path / "flows.parquet", tmp_path, monkeypatch)
    assert summary.rows == frame.height
    assert not rejects
    assert set(found["verdict"]) == {"ACCEPT", "REJECT", "UNKNOWN"}
    assert {"INVALID_FLOW", "UNKNOWN_RESOURCE"} <= set(found["reason"])
    assert found["note"].equals(frame["note"], null_equal=True)
    assert found["number"].equals(frame["number"], null_equal=True)
    assert sum(tally.bytes for tally in summary.by_verdict.values()) == frame["bytes"].sum()


@pytest.mark.parametrize("seed", range(4))
def test_csv_is_judged_the_same_both_ways(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = flows(seed).drop("note" if seed % 2 else "number")
    lines = frame.write_csv(quote_style="always" if seed == 3 else "necessary").splitlines(keepends=True)
    lines[40:40] = ["10.0.0.1,10.0.0.2\n", "10.0.0.1,10.0.0.2,x,80,6" + "," * (frame.width - 5) + "\n"]
    (tmp_path / "flows.csv").write_text("".join(lines))
    found, summary, rejects = both_ways(tmp_path / "flows.csv", tmp_path, monkeypatch)
    assert summary.rows + summary.rejected == frame.height + 2
    assert summary.rejected >= 2
    assert "wrong number of fields" in rejects
    assert {"ACCEPT", "REJECT", "UNKNOWN"} == set(found["verdict"])


def test_files_with_other_columns_go_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    flows(1).write_parquet(folder / "a.parquet")
    flows(2).drop("note", "src_interface_id", "icmp_type").write_parquet(folder / "b.parquet")
    flows(3).select("srcaddr", "dstaddr", "srcport", "dstport", "protocol").write_csv(folder / "c.csv")
    found, summary, _ = both_ways(folder, tmp_path, monkeypatch)
    assert summary.files == 3
    assert summary.rows == found.height == 3 * 1800 - summary.rejected


def test_the_number_that_stands_for_none_is_rejected_not_lost(tmp_path: Path) -> None:
    frame = flows(1).head(5).with_columns(number=pl.Series([1, LEAST, None, LEAST + 1, 5]))
    frame.write_parquet(tmp_path / "flows.parquet")
    summary = evaluate_logs(evaluator(), tmp_path / "flows.parquet", tmp_path / "out.parquet")
    assert summary.rejected == 1
    assert pl.read_parquet(tmp_path / "out.parquet")["number"].to_list() == [1, None, LEAST + 1, 5]
    assert str(LEAST) in (tmp_path / "out.parquet.rejects.csv").read_text()


@pytest.mark.parametrize("kind", ["numbers", "bytes"])
def test_addresses_as_numbers_and_bytes(tmp_path: Path, kind: str) -> None:
    """They are read as such, and stay what they are."""
    plain = traffic(evaluator().network, 500, 1, ipv6_share=0.0)
    ends = {name: [int(ip_address(text)) for text in plain[name]] for name in ("srcaddr", "dstaddr")}
    if kind == "bytes":
        packed = {name: [struct.pack(">I", value) for value in values] for name, values in ends.items()}
        frame = plain.with_columns(**{name: pl.Series(values) for name, values in packed.items()})
    else:
        frame = plain.with_columns(**{name: pl.Series(values, dtype=pl.Int64) for name, values in ends.items()})
    frame.write_parquet(tmp_path / "flows.parquet")
    summary = evaluate_logs(evaluator(), tmp_path / "flows.parquet", tmp_path / "out.parquet")
    found, expected = pl.read_parquet(tmp_path / "out.parquet"), evaluator().evaluate(plain)
    assert summary.by_verdict["ACCEPT"].flows > 300
    assert found["verdict"].to_list() == expected["verdict"].to_list()
    assert found["srcaddr"].equals(frame["srcaddr"])


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Datetime("us"), pl.List(pl.Int64), pl.Boolean, pl.UInt8, pl.Date])
def test_columns_of_any_type_are_kept(tmp_path: Path, dtype: pl.DataType) -> None:
    frame = flows(1, 50).with_columns(more=pl.int_range(100))
    more = (
        frame["more"].reshape((100, 1)).cast(pl.List(pl.Int64))
        if dtype == pl.List(pl.Int64)
        else frame["more"].cast(dtype)
    )
    frame = frame.with_columns(more=more)
    frame.write_parquet(tmp_path / "flows.parquet")
    evaluate_logs(evaluator(), tmp_path / "flows.parquet", tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet")["more"].equals(frame["more"])


def test_which_columns_fit_row_groups() -> None:
    five = {"srcaddr": pl.String(), "dstaddr": pl.String(), "srcport": pl.Int32(), "dstport": pl.Int32()}
    assert group_types(five) == {"srcaddr": "string", "dstaddr": "string", "srcport": "int32", "dstport": "int32"}
    assert group_types({"note": pl.String(), "n": pl.Int64()}) == {"note": "as it is", "n": "int64"}
    assert group_types({"srcaddr": pl.UInt32()}) is None
    assert group_types({"log_status": pl.String()}) is None
    assert group_types({"when": pl.Datetime("us")}) is None


def test_the_bytes_do_not_depend_on_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowcore.pipeline_parts.PART_BYTES", 20_000)
    flows(1, 3000).write_parquet(tmp_path / "flows.parquet", row_group_size=500)
    seen = []
    for threads in (1, 2, 3):
        evaluate_logs(evaluator(), tmp_path / "flows.parquet", tmp_path / "out", threads=threads)
        seen.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()})
    assert len(seen[0]) > 2
    assert seen[0] == seen[1] == seen[2]


def test_two_types_of_one_column_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    flows(1, 20).write_parquet(folder / "a.parquet")
    flows(1, 20).with_columns(pl.col("number").cast(pl.String)).write_parquet(folder / "b.parquet")
    with pytest.raises(InputError, match="another type"):
        evaluate_logs(evaluator(), folder, tmp_path / "out")
