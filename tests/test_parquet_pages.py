"""Pages of Parquet files that are decoded here: the same records, rejects and counts as when pyarrow reads the file."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from page_files import DELTAS, WRITERS, Spied, by_pyarrow, damaged, flow_records, read, small_pieces
from replay_inputs import evaluator, records
from test_kernel_cache import copied, edit, run
from test_log_columns import by_groups

import flowcore
from flowcore import interpreted
from flowcore import logkernels as k
from flowcore import logkernels_pages as p
from flowcore.digest import digest_logs
from flowcore.pipeline import evaluate_logs
from flowcore.sources import groups, parquetpages
from flowcore.sources.places import Wanted

#: What a flipped bit changes in these is seen: pages have a checksum, or every value is written out.
DAMAGED = [
    "pyarrow",
    "pyarrow, version 2",
    "pyarrow, plain",
    "pyarrow, deltas, version 2",
    "polars, gzip",
    "duckdb, gzip",
]


def same_both_ways(path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Any, Any]:
    """Reads a file by pages and by pyarrow; the readers."""
    found = read(path, monkeypatch, pages=True, **options)
    expected = read(path, monkeypatch, pages=False, **options)
    assert found[0] == expected[0]
    assert found[1:3] == expected[1:3]
    assert expected[3] is None or not expected[3].by_pages
    return found[3], len(found[0])


@pytest.mark.parametrize("nulls", [0, 0.02, 0.5, 1])
@pytest.mark.parametrize("name", WRITERS)
def test_files_of_all_writers_read_the_same_both_ways(
    tmp_path: Path, name: str, nulls: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FL-55: encodings, codecs, versions of pages; row groups, batches and groups of records that end anywhere."""
    writer, options, by_pages = WRITERS[name]
    small_pieces(monkeypatch, 256)
    for seed in range(2):
        writer(flow_records(seed, 2500, nulls=nulls), tmp_path / "log.parquet", **options)
        for rows in (1 << 18, 300):
            reader, count = same_both_ways(tmp_path / "log.parquet", monkeypatch, group_rows=rows)
            assert count > 2000
            if by_pages is not None and nulls < 1:
                assert (reader.by_pyarrow == 0) == by_pages
                assert reader.by_pages or not by_pages


def test_numbers_and_words_of_every_width(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes of 0 to 13 bits, steps of 0 to 64: each way of unpacking bits."""
    rng, count = np.random.default_rng(1), 9000
    start = {"start": pa.array(range(count))}
    for bits in (*range(14), 20, 31, 40, 57, 58, 63, 64):
        codes = rng.integers(0, 1 << min(bits, 13), count)
        wide = rng.integers(0, 1 << bits, count, dtype=np.uint64).view(np.int64)
        ports = dict.fromkeys(("srcport", "dstport", "protocol"), pa.array(codes.astype(np.int32)))
        columns = {**ports, "bytes": pa.array(np.maximum(wide, 1 - 2**63))}
        words = {
            "dstaddr": pa.array([f"10.0.{code >> 8}.{code & 255}" for code in codes]),
            "srcaddr": pa.array(["a"] * count),
        }
        for name, options in {"words": {}, "steps": {"use_dictionary": False, "column_encoding": dict.fromkeys(
            ("srcport", "bytes", "start"), "DELTA_BINARY_PACKED")}}.items():  # fmt: skip
            by_pyarrow(
                pa.table(words | columns | start), tmp_path / name, row_group_size=count, data_page_size=9000, **options
            )
            reader, _ = same_both_ways(tmp_path / name, monkeypatch)
            assert not reader.by_pyarrow, (bits, name)


def test_new_words_come_in_the_order_of_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long runs of one word, new words in turns and one after the other, missing ones among them."""
    turns = ["b", "c", "b", "-", "c", "d"] * 300
    dst = ["a"] * 5000 + turns + [f"w{n // 3:06}-{'x' * (n % 40)}" for n in range(4000)] + ["-"] * 3000 + ["z"] * 3000
    rows = len(dst)
    numbers = {name: pa.array(np.arange(rows, dtype=np.int32)) for name in ("srcport", "dstport", "protocol")}
    table = pa.table({"srcaddr": dst[::-1], "dstaddr": dst, "start": pa.array(range(rows)), **numbers})
    by_pyarrow(table, tmp_path / "log", row_group_size=rows)
    for group_rows in (1 << 18, 700):
        reader, _ = same_both_ways(tmp_path / "log", monkeypatch, group_rows=group_rows)
        assert not reader.by_pyarrow
    met = list[list[str]]()

    class Noting(groups.GroupReader):
        def read(self, files: Any) -> Any:
            for group in super().read(files):
                met.append(group.strings("dstaddr"))
                yield group

    frame, _, _ = by_groups([tmp_path / "log"], reader_type=Noting)
    assert frame["dstaddr"].to_list() == [None if word == "-" else word for word in dst]
    assert met == [list(dict.fromkeys(word for word in dst if word != "-"))]


def test_required_columns_and_numbers_written_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = flow_records(1, 900, nulls=0, silent=0).drop_columns(["instance_tag"])
    required = pa.schema([field.with_nullable(False) for field in table.schema])
    for version in ("1.0", "2.0"):
        by_pyarrow(table.cast(required), tmp_path / "required.parquet", data_page_version=version)
        reader, count = same_both_ways(tmp_path / "required.parquet", monkeypatch)
        assert (count, reader.by_pyarrow) == (900, 0)
    text = table.set_column(table.column_names.index("srcport"), "srcport", table["srcport"].cast(pa.string()))
    by_pyarrow(text, tmp_path / "text.parquet")
    reader, count = same_both_ways(tmp_path / "text.parquet", monkeypatch)
    assert (count, reader.by_pages) == (900, 0)


@pytest.mark.parametrize("odd", [-(1 << 63), 1 << 31])
def test_numbers_out_of_range_are_looked_at_with_care(
    tmp_path: Path, odd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands for "missing" here, and ports of 64 bits that are none: pages before are kept, pyarrow goes on."""
    table = flow_records(2, 3000, nulls=0.1, silent=0)
    name = "bytes" if odd < 0 else "srcport"
    values = table[name].to_pylist()
    values[2000] = odd
    table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.int64()))
    small_pieces(monkeypatch, 256)
    for options in ({}, {"use_dictionary": False}):
        by_pyarrow(table, tmp_path / "log.parquet", **options)
        for rows in (1 << 18, 300):
            reader, _ = same_both_ways(tmp_path / "log.parquet", monkeypatch, group_rows=rows)
            assert reader.by_pages
            assert reader.by_pyarrow == 1
            assert reader.unused == 0, "words of rows that were not read to the end"


@pytest.fixture
def much(request: pytest.FixtureRequest) -> bool:
    """Whether to look at many more damaged files than a merge needs."""
    return bool(request.config.getoption("--nightly"))


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_read_the_same_both_ways(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, much: bool
) -> None:
    """Rows up to the batch with the damage, one reject that says where and what, counts: as pyarrow alone has them."""
    rng, whole = random.Random(name), tmp_path / "log.parquet"
    small_pieces(monkeypatch, 64)
    seen = [0, 0]
    for seed in range(8 if much else 2):
        writer, options, _ = WRITERS[name]
        writer(flow_records(seed, 500, nulls=0.1), whole, **options | {"row_group_size": 1 << 20})
        data = whole.read_bytes()
        for _ in range(25):
            whole.write_bytes(damaged(rng, data))
            reader, count = same_both_ways(whole, monkeypatch)
            if reader is not None:
                seen[0] += reader.by_pyarrow > 0
                seen[1] += reader.by_pyarrow > 0 and count > 0
    assert seen[0] > 10
    assert seen[1] > 2 or "gzip" in name  # which are one page


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_of_many_row_groups_loses_and_repeats_nothing(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, much: bool
) -> None:
    """Pages may give more rows before the damage than pyarrow, whose batches go over the ends of other things."""
    rng, whole = random.Random(name), tmp_path / "log.parquet"
    small_pieces(monkeypatch, 64)
    writer, options, _ = WRITERS[name]
    for seed in range(6 if much else 1):
        writer(
            flow_records(seed, 900, silent=0), whole, **options | ({} if "duckdb" in name else {"row_group_size": 150})
        )
        data = whole.read_bytes()
        for _ in range(20):
            whole.write_bytes(damaged(rng, data))
            found = read(whole, monkeypatch, pages=True, group_rows=50)
            rows, rejects, counts, _ = read(whole, monkeypatch, pages=False, group_rows=50)
            assert found[0][: len(rows)] == rows
            assert [row[3:] for row in found[1]] == [row[3:] for row in rejects]
            if counts.damaged_files:
                assert 0 <= len(found[0]) - len(rows) < 64 + 50
                assert found[1][-1][1] >= rejects[-1][1]
                assert found[2].lines == len(found[0]) + found[2].rejected
            else:
                assert found[:3] == (rows, rejects, counts)


def test_loops_that_check_bounds_read_the_same(tmp_path: Path) -> None:
    """Interpreted, an index beyond an array is an error: whole and damaged files, of all writers."""
    rng = random.Random(1)
    for number, (writer, options, _) in enumerate(WRITERS.values()):
        writer(flow_records(number, 90), tmp_path / "whole.parquet", **options)
        data = (tmp_path / "whole.parquet").read_bytes()
        for kind in range(5):
            (tmp_path / f"{number}-{kind}.parquet").write_bytes(damaged(rng, data) if kind else data)
    program = [sys.executable, str(Path(__file__).with_name("interpreted_pages.py")), str(tmp_path)]
    found = []
    for plain in ("1", "0"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": plain, "PYTHONPATH": str(Path(flowcore.__file__).parents[1])}
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        found.append({path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")})
    assert len(found[0]) == 5 * len(WRITERS) + 1
    assert found[0] == found[1]


FOOTERS = """
import json, sys
from pathlib import Path
import pytest
from page_files import read
path, data = Path(sys.argv[1]), Path(sys.argv[1]).read_bytes()
begin, wrong, odd = len(data) - 8 - int.from_bytes(data[-8:-4], "little"), [], 0
with pytest.MonkeyPatch.context() as monkeypatch:
    for place in range(begin, len(data), int(sys.argv[2])):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        found, expected = (read(path, monkeypatch, pages=pages) for pages in (True, False))
        odd += len(expected[1]) > 0
        if found[:3] != expected[:3]:
            wrong.append([place, found[1], expected[1]])
print(json.dumps([wrong, odd]))
"""


@pytest.mark.parametrize("name", ["pyarrow", "duckdb", "flowcore"])
def test_damaged_footers_read_the_same_both_ways(tmp_path: Path, name: str, much: bool) -> None:
    """In a process of its own: asked for a column, pyarrow's description of a damaged file may end the process."""
    writer, options, _ = WRITERS[name]
    writer(flow_records(3, 100), tmp_path / "log.parquet", **options)
    path = os.pathsep.join((str(Path(__file__).parent), str(Path(flowcore.__file__).parents[1])))
    call = [sys.executable, "-c", FOOTERS, str(tmp_path / "log.parquet"), "1" if much else "7"]
    done = subprocess.run(call, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    wrong, odd = json.loads(done.stdout.splitlines()[-1])
    assert not wrong
    assert odd > 3


def test_what_is_packed_too_small_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page says how long it is; no more than that is made of it, whatever is packed in there."""
    pages = parquetpages._Pages(parquetpages.Column(0, "start", 0, False, physical="INT64"))
    bomb = np.frombuffer(gzip.compress(bytes(50 << 20)), np.uint8)
    pages.open(bomb, "gzip", 1)
    tracemalloc.start()
    with pytest.raises(parquetpages.UnusualError):
        pages._unpacked(bomb, 1000)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    odd = np.frombuffer(gzip.compress(bytes(100)), np.uint8).copy()
    assert bytes(pages._unpacked(odd, 100)) == bytes(100)
    odd[3] = 0x80  # a flag that zlib refuses, and pyarrow with it
    with pytest.raises(parquetpages.UnusualError):
        pages._unpacked(odd, 100)
    by_pyarrow(flow_records(1, 900), tmp_path / "log.parquet", compression="gzip", data_page_size=1 << 20)
    monkeypatch.setattr(parquetpages, "LONGEST_PAGE", 300)
    reader, _ = same_both_ways(tmp_path / "log.parquet", monkeypatch)
    assert (reader.by_pages, reader.by_pyarrow) == (0, 1)


def test_a_footer_that_makes_more_of_a_file_than_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that all lie in one place would be read again and again."""
    by_pyarrow(flow_records(1, 900, silent=0), tmp_path / "log.parquet", compression="gzip", row_group_size=900)
    read_chunks = list[Any]()
    monkeypatch.setattr(parquetpages.FilePages, "_read", lambda *values: read_chunks.append(values) or [])
    made = parquetpages.p.read_footer

    def claims(data: Any, stack: Any, rows: Any, chunks: Any) -> bool:
        good = made(data, stack, rows, chunks)
        chunks[:, :, [p.FIRST_PAGE, p.FIRST_WORDS]] = 4
        chunks[:, :, p.CHUNK_SIZE] = (tmp_path / "log.parquet").stat().st_size - 4
        return bool(good)

    monkeypatch.setattr(parquetpages.p, "read_footer", claims)
    reader, count = same_both_ways(tmp_path / "log.parquet", monkeypatch)
    assert (reader.by_pages, reader.by_pyarrow, count) == (0, 1, 900)
    assert not read_chunks


@pytest.mark.parametrize("wanted", [Wanted(interfaces=frozenset({"eni-00000000000000007"})), Wanted(until=1767608200),
                                    Wanted(since=1767608600)])  # fmt: skip
def test_records_that_are_not_asked_for_are_left_out_alike(
    tmp_path: Path, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row groups that hold none of them are not read, and count as outside once."""
    small_pieces(monkeypatch, 128)
    for silent in (0, 0.05):
        by_pyarrow(flow_records(9, 3000, silent=silent), tmp_path / "log.parquet", row_group_size=250)
        for rows in (1 << 18, 100):
            reader, _ = same_both_ways(tmp_path / "log.parquet", monkeypatch, wanted=wanted, group_rows=rows)
            assert reader.by_pages
            assert reader.counts.outside > 500
            assert reader.by_pyarrow == 0


class Remote(type(Path())):  # type: ignore[misc]
    """A path whose bytes come through pyarrow, as those of an object in S3 do."""

    def open(self, *_: Any) -> Any:
        return pa.OSFile(str(self))


def test_objects_in_s3_are_read_by_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_pyarrow(flow_records(4, 900), tmp_path / "log.parquet")
    expected = read(tmp_path / "log.parquet", monkeypatch, pages=False)
    of = parquetpages.FilePages.of
    monkeypatch.setattr(parquetpages.FilePages, "of", lambda path, *rest: of(Remote(path), *rest))
    found = read(tmp_path / "log.parquet", monkeypatch, pages=True)
    assert found[:3] == expected[:3]
    assert found[3].by_pages


def evaluated(source: Path, out: Path, **options: Any) -> tuple[Any, dict[str, bytes]]:
    summary = evaluate_logs(evaluator(), source, out, **options)
    return summary, {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_verdicts_and_digests_are_the_same_bytes_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one part and in many, which are pieces of the file; and those of a run that is gone on with."""
    table = records().to_arrow(compat_level=pl.CompatLevel.oldest())
    by_pyarrow(table, tmp_path / "log.parquet", row_group_size=150)
    found = []
    for pages in (True, False):
        monkeypatch.setitem(interpreted.MOST, "read_pages", -1 if pages else 1 << 60)
        folder = tmp_path / str(pages)
        folder.mkdir()
        with monkeypatch.context() as patched:
            whole = evaluated(tmp_path / "log.parquet", folder / "whole")
            patched.setattr("flowcore.pipeline_parts.PART_BYTES", (tmp_path / "log.parquet").stat().st_size // 4)
            parts = evaluated(tmp_path / "log.parquet", folder / "parts", threads=2)
            again = evaluated(tmp_path / "log.parquet", folder / "parts", resume=True)
        digest_logs(tmp_path / "log.parquet", folder / "digest.parquet")
        digest_logs(folder / "digest.parquet", folder / "again.parquet")
        assert len(parts[1]) > 2
        found.append(
            [whole, parts, again[1], *((folder / f"{name}.parquet").read_bytes() for name in ("digest", "again"))]
        )
    assert found[0] == found[1]


def test_small_files_are_read_by_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else was read: which rows are kept of a damaged file must not depend on that."""
    for number in range(4):
        by_pyarrow(flow_records(number, 600 if number == 1 else 400), tmp_path / f"{number}.parquet")
    monkeypatch.setitem(interpreted.MOST, "read_pages", 500)
    _, _, reader = by_groups(tmp_path, reader_type=Spied)
    assert reader.by_pyarrow == 3


def test_words_of_a_dictionary_end_where_the_page_ends() -> None:
    page = np.array([2, 0, 0, 0, 97, 98, 1, 0, 0, 0, 99, *bytes(k.PADDING)], np.uint8)
    found = np.zeros((2, 2), np.int64)
    assert [size for size in range(12) if p.find_words(page, size, found[0], found[1])] == [11]
    assert found.tolist() == [[4, 10], [2, 1]]


@pytest.mark.parametrize(
    "fields", [{}, {"kind": 1}, {"size": -1}, {"size": 17}, {"packed": 11}, {"rows": 0}, {"rows": 6}, {"rows": -5}]
)
def test_headers_of_pages_that_are_odd(fields: dict[str, int]) -> None:
    """Each field that must be there, and what none may say: a page has up to the 5 rows, 10 bytes and 16 unpacked."""
    given = {"kind": 0, "size": 10, "packed": 10, "rows": 5, "encoding": 0, "levels": 3, "repeats": 3}
    order = list(given)
    for left_out in (None, *order) if not fields else (None,):
        data, last = b"", 0
        for number, name in enumerate(order, 1):
            if name == "rows":
                data, last = data + bytes([(5 - last) << 4 | 12]), 3
            if name != left_out:
                value = (given | fields)[name]
                data += bytes([(number - last) << 4 | 5, 2 * value if value >= 0 else -2 * value - 1])
                last = number
        data += bytes(2)
        file, table = np.frombuffer(bytearray(data + bytes(10)), np.uint8), np.zeros((3, p.HEADER), np.int64)
        found, *rest = p.find_pages(file, 0, 5, 16, table)
        good = not fields and left_out is None
        assert found == good, left_out
        if good:
            assert rest == [len(data) + 10, 0]
            assert table[0, : p.ROWS + 1].tolist() == [len(data), 0, 10, 10, 5]
        assert not any(p.find_pages(file[:size], 0, 5, 16, table)[0] for size in range(file.size)), "it ends early"


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, DELTAS])
@pytest.mark.parametrize("name", ["bytes", "srcport", "srcaddr"])
def test_a_page_that_ends_early_is_refused(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    """What lies behind a page is not of it: levels, codes, steps and values all end before."""
    table = flow_records(1, 300).select([name])
    by_pyarrow(table, tmp_path / "p", compression="none", row_group_size=300, data_page_size=1 << 20, **options)
    pages = parquetpages._Pages(
        parquetpages.Column(
            0, name, 0, name == "srcaddr", True, "INT32" if name == "srcport" else "INT64", -(1 << 62), 1 << 62
        )
    )
    chunk = pq.read_metadata(tmp_path / "p").row_group(0).column(0)
    start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    file = np.fromfile(tmp_path / "p", np.uint8)
    group = groups.RowGroup(groups.GroupColumns({name: "string" if name == "srcaddr" else "int64"}), 1 << 10)
    group.clear()

    def is_read(less: int) -> bool:
        pages.open(file[start : start + chunk.total_compressed_size], "", 300)
        pages._load(300)
        pages._table[pages._state[p.PAGE], p.SIZE] -= less
        try:
            pages.read(group, 0, 300)
        except parquetpages.UnusualError:
            return False
        return True

    assert is_read(0)
    size = int(pages._table[pages._state[p.PAGE] - 1, p.SIZE])
    assert [less for less in range(1, size + 1) if is_read(less)] == []


@pytest.mark.parametrize(("groups", "columns"), [(2, 3), (3, 3), (1, 3), (2, 4), (2, 2)])
def test_a_footer_of_more_groups_or_columns_than_were_told_writes_nowhere_else(groups: int, columns: int) -> None:
    chunk = bytes([0x3C, 0x56, 14, 0x00, 0x00])  # in field 3: field 5 is 7
    group = bytes([0x19, columns << 4 | 12]) + columns * chunk + bytes([0x26, 10, 0x00])  # field 3 is 5
    data = bytes([0x49, groups << 4 | 12]) + groups * group + b"\0"
    rows, chunks = np.full(9, 99), np.full((9, 3, p.CHUNK), 99)
    file, stack = np.frombuffer(bytearray(data), np.uint8), np.zeros((3, p.DEEPEST), np.int64)
    good = p.read_footer(file, stack, rows[:2], chunks[:2])
    assert good == ((groups, columns) == (2, 3))
    assert (rows[2:] == 99).all()
    assert (chunks[2:] == 99).all()
    if good:
        assert rows[:2].tolist() == [5, 5]
        assert set(chunks[:2, :, p.N_VALUES].ravel().tolist()) == {7}
    for size in range(len(data)):
        assert not p.read_footer(file[:size], stack, rows[:2], chunks[:2])


VARINTS = """
import json
import numpy as np
import flowcore.logkernels_pages as p
starts, sizes = np.zeros(2, np.int64), np.zeros(2, np.int64)
page = np.frombuffer(bytes([2, 0, 0, 0, 97, 98, 1, 0, 0, 0, 99]) + bytes(64), np.uint8)
good = bool(p.find_words(page, 11, starts, sizes))
print(json.dumps([good, starts.tolist(), str(p.CACHE_FOLDER), sum(p.find_words.stats.cache_hits.values())]))
"""


@pytest.mark.parametrize("name", ["logkernels_pages.py", "logkernels.py"])
def test_edited_loops_never_meet_old_machine_code(tmp_path: Path, name: str) -> None:
    """The folder of machine code is named by the texts of both files; without an edit it is used again."""
    loops, cache = copied(tmp_path).with_name(name), {"FLOWCORE_CACHE_DIR": str(tmp_path / "cache")}
    first, again = run(VARINTS, tmp_path, **cache), run(VARINTS, tmp_path, **cache)
    assert first[:2] == again[:2] == [True, [4, 10]]
    assert (first[2], again[3]) == (again[2], 1)
    pages, text = ("position += 4  # words", "position += 8  # words"), ("LONGEST_LINE = 64 <<", "LONGEST_LINE = 32 <<")
    edit(loops, pages if "pages" in name else text)
    edited = run(VARINTS, tmp_path, **cache)
    assert edited[2] != first[2]
    assert edited[3] == 0
    assert edited[0] == (name == "logkernels.py")


def test_loops_take_one_kind_of_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One specialisation each, whatever is read: more is compiled time and again."""
    for writer, options, _ in WRITERS.values():
        writer(flow_records(1, 300), tmp_path / "log.parquet", **options)
        read(tmp_path / "log.parquet", monkeypatch, pages=True)
    kinds = {name: loop.signatures for name, loop in vars(p).items() if hasattr(loop, "py_func") and name[0] != "_"}
    assert {"read_footer", "find_pages", "find_words", "read_numbers", "read_words"} <= kinds.keys()
    assert all(
        len(kinds[name]) == 1 for name in ("read_footer", "find_pages", "find_words", "read_numbers", "read_words")
    )
