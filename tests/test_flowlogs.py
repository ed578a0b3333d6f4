"""Readers of flow logs and of tables of flows: what they take, what they set aside, and that no good line is lost."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flowcore.errors import FlowError, InputError
from flowcore.sources.flowlogs import DEFAULT_COLUMNS, FIELDS, header_columns, parse_log_format
from flowcore.sources.flows import FlowReader, open_flows
from flowcore.sources.textlines import LONGEST_LINE

HEADER = " ".join(field.name for field in FIELDS if field.version == 2)
SAMPLE = Path(__file__).parents[1] / "data" / "flow-logs" / "sample-v2.parquet"


def line(number: int, **changes: object) -> str:
    """A default-format record; `number` makes it unlike every other."""
    values: dict[str, object] = dict(
        zip(
            DEFAULT_COLUMNS,
            (
                2,
                "123456789010",
                "eni-1",
                f"10.0.{number // 250}.{number % 250}",
                "10.1.0.9",
                40000 + number % 20000,
                443,
            ),
            strict=False,
        )
    )
    values |= {"protocol": 6, "packets": 1 + number, "bytes": 40, "start": 1, "end": 2, "action": "ACCEPT"}
    values |= {"log_status": "OK"} | changes
    return " ".join(str(values[name]) for name in DEFAULT_COLUMNS)


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_bytes(end.join([*lines, ""]).encode())
    return path


def read(source: Any, **options: Any) -> tuple[pl.DataFrame, FlowReader]:
    reader = open_flows(source, **options)
    frames = [batch.frame for batch in reader]
    return (pl.concat(frames) if frames else pl.DataFrame()), reader


def check_counts(reader: FlowReader) -> None:
    counts = reader.counts
    assert counts.lines == counts.records + counts.nodata.total() + counts.skipdata.total() + counts.rejected


# -- formats ----------------------------------------------------------------------------------------------


def test_every_field_of_versions_2_to_11_is_known() -> None:
    """1.2: 54 fields; version 6 is of transit gateways."""
    per_version = [sum(field.version == version for field in FIELDS) for version in range(2, 12)]
    assert per_version == [14, 7, 4, 4, 0, 10, 1, 1, 1, 12]
    assert len({field.name for field in FIELDS}) == len(FIELDS) == 54


def test_default_order_without_a_header(tmp_path: Path) -> None:
    """FL-06."""
    frame, reader = read(write(tmp_path / "a", line(1), line(2)))
    assert frame.columns == list(DEFAULT_COLUMNS)
    assert frame["packets"].to_list() == [2, 3]
    assert frame.schema["srcport"] == pl.Int32
    assert frame.schema["bytes"] == pl.Int64
    check_counts(reader)


def test_a_header_gives_any_subset_in_any_order(tmp_path: Path) -> None:
    """FL-06, FL-07, FL-50."""
    path = write(tmp_path / "a", "dstport pkt-srcaddr dstaddr tcp-flags", "443 10.0.0.1 10.0.0.2 2", "- - - -")
    frame, _ = read(path)
    assert frame.rows() == [(443, "10.0.0.1", "10.0.0.2", 2), (None, None, None, None)]


@pytest.mark.parametrize("text", ["${dstaddr} ${srcaddr} ${interface-id}", "dstaddr srcaddr interface-id"])
def test_log_format_gives_the_order_where_there_is_no_header(tmp_path: Path, text: str) -> None:
    frame, _ = read(write(tmp_path / "a", "10.0.0.2 10.0.0.1 eni-1"), log_format=text)
    assert frame.rows() == [("10.0.0.2", "10.0.0.1", "eni-1")]


def test_a_header_wins_over_log_format(tmp_path: Path) -> None:
    frame, _ = read(write(tmp_path / "a", "srcaddr dstaddr", "10.0.0.1 10.0.0.2"), log_format="dstaddr srcaddr")
    assert frame.rows() == [("10.0.0.1", "10.0.0.2")]


@pytest.mark.parametrize("text", ["version sourceaddr", "srcaddr srcaddr", ""])
def test_bad_log_format(text: str) -> None:
    with pytest.raises(FlowError):
        parse_log_format(text)


def test_a_damaged_word_in_a_default_header_costs_nothing() -> None:
    assert header_columns(HEADER.replace("srcaddr", "srcadd\x81")) == DEFAULT_COLUMNS
    assert header_columns(line(1)) is None


def test_logs_laid_end_to_end_keep_their_own_order(tmp_path: Path) -> None:
    """FL-05: an `srcaddr dstaddr` file followed by a `dstaddr srcaddr` one."""
    path = write(tmp_path / "a", "srcaddr dstaddr", "10.0.0.1 10.0.0.2", "dstaddr srcaddr", "10.0.0.2 10.0.0.1")
    for options in ({}, {"block_bytes": 5}):
        reader = open_flows(path, **options)
        rows = [row for batch in reader for row in batch.frame.select("srcaddr", "dstaddr").rows()]
        assert rows == [("10.0.0.1", "10.0.0.2")] * 2


def test_missing_values(tmp_path: Path) -> None:
    """FL-08: -, empty and None."""
    frame, reader = read(write(tmp_path / "a", "srcaddr dstaddr srcport", "- - -", "None None None", "  "))
    assert frame.rows() == [(None, None, None)] * 3
    assert reader.counts.rejected == 0


def test_nodata_and_skipdata_are_counted_by_interface(tmp_path: Path) -> None:
    """FL-20, FL-21, with AWS's own lines."""
    lines = [
        "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA",
        "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA",
    ]
    frame, reader = read(write(tmp_path / "a", HEADER, lines[0], line(1), lines[1], lines[1]))
    assert frame["packets"].to_list() == [2]
    assert reader.counts.nodata == {"eni-1235b8ca123456789": 1}
    assert reader.counts.skipdata == {"eni-11111111aaaaaaaaa": 2}
    assert reader.counts.rejected == 0
    check_counts(reader)


def test_windows_newlines_byte_order_mark_and_no_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n\r\n{line(1)}\r\n{line(2)}".encode())
    for block in (1, 3, 1000, 1 << 20):
        frame, reader = read(path, block_bytes=block)
        assert frame["packets"].to_list() == [2, 3]
        assert frame["log_status"].to_list() == ["OK", "OK"]
        assert reader.counts.rejected == 0


# -- what is rejected -------------------------------------------------------------------------------------


def test_each_bad_line_is_kept_aside_with_its_reason(tmp_path: Path) -> None:
    bad = [line(1) + " more", line(2, srcport="44x"), line(3, action="DROP"), line(4, bytes=1 << 70), "x"]
    path = write(tmp_path / "a", HEADER, line(9), *bad, line(10))
    frame, reader = read(path)
    assert frame["packets"].to_list() == [10, 11]
    rejects = reader.rejects.frame().sort("line")
    assert rejects["file"].unique().to_list() == [str(path)]
    assert rejects["line"].to_list() == [3, 4, 5, 6, 7]
    assert rejects["field"].to_list() == [None, "srcport", "action", "bytes", None]
    assert rejects["found"].to_list()[1:4] == ["44x", "DROP", str(1 << 70)]
    check_counts(reader)


def test_a_line_with_several_bad_fields_is_rejected_once(tmp_path: Path) -> None:
    _, reader = read(write(tmp_path / "a", HEADER, line(1, srcport="x", dstport="y", action="z"), line(2)))
    assert reader.rejects.frame().select("line", "field", "found").rows() == [(2, "srcport", "x")]
    check_counts(reader)


def test_bytes_that_are_no_text_cost_only_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a"
    good = [line(n).encode() for n in range(3)]
    path.write_bytes(b"\n".join([good[0], b"\xff" + line(7).encode(), good[1], line(8).encode() + b"\0", good[2], b""]))
    frame, reader = read(path)
    assert frame["packets"].to_list() == [1, 2, 3]
    assert sorted(reader.rejects.frame()["reason"]) == ["control character in line", "not UTF-8"]


@pytest.mark.parametrize("block", [4096, 1 << 20])
def test_a_line_without_end_is_bounded(tmp_path: Path, block: int) -> None:
    path = write(tmp_path / "a", line(1), "x" * (5 * LONGEST_LINE), line(2), "y" * (2 * LONGEST_LINE))
    frame, reader = read(path, block_bytes=block)
    assert frame["packets"].to_list() == [2, 3]
    assert reader.rejects.frame()["line"].to_list() == [2, 4]
    check_counts(reader)


def test_a_cut_gzip_file_keeps_the_lines_before_the_cut(tmp_path: Path) -> None:
    data = gzip.compress("".join(f"{line(n)}\n" for n in range(3000)).encode(), mtime=0)
    path = tmp_path / "no-name-of-gzip"
    path.write_bytes(data[: len(data) // 2])
    frame, reader = read(path)
    assert 500 < frame.height < 2999
    assert frame["packets"].to_list() == list(range(1, frame.height + 1))
    assert reader.counts.damaged_files == 1
    [(file, number, reason)] = reader.rejects.frame().select("file", "line", "reason").rows()
    assert (file, number, reason) == (str(path), frame.height + 1, "the gzip stream is cut off")


def test_gzip_members_laid_end_to_end_and_what_may_follow(tmp_path: Path) -> None:
    path, parts = tmp_path / "a", [gzip.compress(f"{line(n)}\n".encode()) for n in range(3)]
    path.write_bytes(b"".join(parts) + bytes(1000))
    assert read(path)[0].height == 3
    path.write_bytes(b"".join(parts) + b"PK other")
    frame, reader = read(path)
    assert frame.height == 3
    assert reader.rejects.frame()["reason"].to_list() == ["other bytes follow the gzip stream"]


@pytest.mark.parametrize("seed", range(60))
def test_fuzzed_logs_never_crash_and_never_lose_a_good_line(tmp_path: Path, seed: int) -> None:
    """Bytes flipped, lines cut, fields swapped, lines glued; the untouched lines all come out, in order."""
    rng = random.Random(seed)
    path, good, lines = tmp_path / "log", [], []
    for number in range(50):
        text = line(number).encode()
        kind = rng.choice(["good", "good", "flip", "cut", "swap", "noise", "blank"])
        if kind == "good":
            good.append(number + 1)
        else:
            text = line(number, packets=10**6 + number).encode()
        if kind == "flip":
            at = rng.randrange(len(text))
            text = text[:at] + bytes([rng.choice([b for b in range(256) if b != 10])]) + text[at + 1 :]
        elif kind == "cut":
            text = text[: rng.randrange(len(text))]
        elif kind == "swap":
            words = text.split(b" ")
            rng.shuffle(words)
            text = b" ".join(words)
        elif kind == "noise":
            text = rng.randbytes(rng.randrange(200)).replace(b"\n", b"")
        elif kind == "blank":
            text = b""
        lines.append(text)
    data = b"\n".join([HEADER.encode(), *lines]) + rng.choice([b"", b"\n"])
    path.write_bytes(gzip.compress(data) if seed % 2 else data)
    answers = set()
    for options in ({}, {"batch_rows": 1}, {"batch_rows": 7, "block_bytes": 900}):
        frame, reader = read(path, **options)
        check_counts(reader)
        assert [n for n in frame["packets"].to_list() if n is not None and n in set(good)] == good
        rejects = reader.rejects.frame().sort("line").rows()
        answers.add((str(frame.rows()), str(rejects), str(reader.counts)))
    assert len(answers) == 1


@pytest.mark.parametrize("seed", range(20))
def test_damaged_gzip_and_parquet_never_crash(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(f"{line(n)}\n" for n in range(200)).encode()
    frame = pl.DataFrame({"srcaddr": ["10.0.0.1"] * 500, "dstport": range(500), "action": ["ACCEPT"] * 500})
    frame.write_parquet(tmp_path / "whole.parquet", row_group_size=100)
    for name, data in (("a.gz", gzip.compress(text)), ("a.parquet", (tmp_path / "whole.parquet").read_bytes())):
        damaged = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(2, len(damaged))] = rng.randrange(256)
        (tmp_path / name).write_bytes(damaged[: rng.randrange(10, len(damaged) + 1)])
        try:
            _, reader = read(tmp_path / name)
            check_counts(reader)
        except InputError:
            pass


# -- Parquet and tables -----------------------------------------------------------------------------------


def test_a_real_parquet_log_with_odd_types() -> None:
    """FL-54, FL-55: account id as integer, numbers as strings."""
    frame, reader = read(SAMPLE)
    assert frame.select("account_id", "srcaddr", "srcport", "protocol").row(0)[0] == "123456789010"
    assert frame.schema["srcport"] == pl.Int32
    assert reader.counts.nodata == {"eni-202010ab": 2}


def test_parquet_of_every_type_of_number_and_string(tmp_path: Path) -> None:
    """FL-55: int32, int64, strings and whole floats for numbers; dictionaries; null, -, None and empty as missing."""
    table = pa.table(
        {
            "action": pa.array(["ACCEPT", "-", None, "ACCEPT"]).dictionary_encode(),
            "dstport": pa.array(["443", "None", "", "x"]),
            "srcport": pa.array([1.0, 2.0, None, 3.0]),
            "protocol": pa.array([6, 17, None, 6], pa.int64()),
            "packets": pa.array([6, 17, None, 6], pa.int32()),
            "account-id": pa.array([12345678901, 1, None, 1]),
            "srcaddr": pa.array([b"10.0.0.1", b"-", None, b""]),
            "dstaddr": pa.array([b"10.0.0.2", b"-", None, b""]),
            "colour": pa.array(["red"] * 4),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    frame, reader = read(tmp_path / "a.parquet")
    assert frame.columns == ["action", "dstport", "srcport", "protocol", "packets", "account_id", "srcaddr", "dstaddr"]
    assert frame.row(0) == ("ACCEPT", 443, 1, 6, 6, "012345678901", "10.0.0.1", "10.0.0.2")
    assert frame.row(1) == (None, None, 2, 17, 17, "000000000001", None, None)
    assert frame.row(2) == (None,) * 8
    assert reader.rejects.frame().select("line", "field", "found").rows() == [(4, "dstport", "x")]
    assert reader.counts.unknown_fields == {"colour": 1}


def test_tables_of_flows_keep_their_other_columns(tmp_path: Path) -> None:
    rows = "srcaddr,dstaddr,srcport,dstport,protocol,team\n10.0.0.1,10.0.0.2,1000,443,TCP,red\n"
    (tmp_path / "a.csv").write_text(rows + '"10.0.0.1","10.0.0.2",1001,443,17,"red, blue"\n10.0.0.1,2\n1,2,3,4,foo,5\n')
    reader = open_flows(tmp_path / "a.csv")
    [batch] = list(reader)
    assert batch.kind == "table"
    assert batch.frame["protocol"].to_list() == [6, 17]
    assert batch.frame["team"].to_list() == ["red", "red, blue"]
    assert reader.rejects.frame()["line"].to_list() == [4, 5]
    batch.frame.with_columns(deep=pl.Series([[1], [2]])).write_parquet(tmp_path / "a.parquet")
    frame, reader = read(tmp_path / "a.parquet")
    assert frame["deep"].to_list() == [[1], [2]]
    assert reader.columns()["deep"] == pl.List(pl.Int64)


@pytest.mark.parametrize("name", ["flows.csv", "log.csv", "log"])
def test_whole_floats_as_text_are_numbers(tmp_path: Path, name: str) -> None:
    """What pandas makes of whole numbers in a column with gaps: 40000.0 is a port, 40000.5 is none."""
    lines = ["srcaddr,dstaddr,srcport,dstport,protocol", "10.0.0.1,10.0.0.2,40000.0,443.00,6.0",
             "10.0.0.1,10.0.0.2,,,1.0", "10.0.0.1,10.0.0.2,40000.5,443.0,6.0",
             "10.0.0.1,10.0.0.2,99999999999.0,443.0,tcp"]  # fmt: skip
    if name != "flows.csv":
        lines = [f"{line},{'action' if not number else 'ACCEPT'}" for number, line in enumerate(lines)]
    if name == "log":
        lines = [line.replace(",,", ",-,").replace(",,", ",-,").replace(",", " ") for line in lines]
    frame, reader = read(write(tmp_path / name, *lines))
    assert frame.select("srcport", "dstport", "protocol").rows() == [(40000, 443, 6), (None, None, 1)]
    assert reader.rejects.frame()["found"].to_list() == ["40000.5", "99999999999.0"]


def test_csv_with_fields_of_records_is_a_log(tmp_path: Path) -> None:
    path = write(tmp_path / "athena.csv", '"srcaddr","dstaddr","action"', '"10.0.0.1","10.0.0.2","REJECT"')
    [batch] = list(open_flows(path))
    assert (batch.kind, batch.frame.rows()) == ("log", [("10.0.0.1", "10.0.0.2", "REJECT")])


# -- which files ------------------------------------------------------------------------------------------


def test_folders_and_globs_are_read_in_order_and_no_file_twice(tmp_path: Path) -> None:
    for number, name in enumerate(["b/z", "b/a", "a/x", "a/.hidden", "a/_SUCCESS"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, line(number))
    (tmp_path / "a/readme").write_text("not flows\n")
    (tmp_path / "a/empty").write_text("")
    frame, reader = read([tmp_path, f"{tmp_path}/*/z", tmp_path / "a/../b/a"])
    assert frame["packets"].to_list() == [3, 2, 1]
    assert reader.rejects.frame().select("file", "line").rows() == [(str(tmp_path / "a/readme"), None)]
    frame, _ = read(f"{tmp_path}/**/z")
    assert frame["packets"].to_list() == [1]


@pytest.mark.parametrize("source", ["gs://bucket/prefix", "no/such/file", "no/such/*.gz", []])
def test_sources_that_cannot_be_used(source: Any) -> None:
    with pytest.raises(InputError):
        open_flows(source)


@pytest.mark.parametrize("text", ["hello\n", "{}\n", "srcaddr,dstaddr\n1,2\n", "srcaddr srcaddr\n", "a" * 10**5])
def test_a_named_file_that_is_no_flows_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(FlowError, match=r"/a"):
        list(open_flows(tmp_path / "a"))
