"""Parquet files of flow log records, as several writers make them, and what is read of them by pages and by pyarrow."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from test_log_columns import by_groups

from flowcore import interpreted
from flowcore import logkernels as k
from flowcore.errors import InputError
from flowcore.pipeline_parquet import Numbers, ParquetWriter, Words
from flowcore.sources import flowlogs, groups
from flowcore.sources.groups import GroupReader
from flowcore.sources.parquetpages import FilePages

NUMBERS = {
    "version": pa.int32(), "srcport": pa.int32(), "dstport": pa.int32(), "protocol": pa.int32(), "packets": pa.int64(),
    "bytes": pa.int64(), "start": pa.int64(), "end": pa.int64(),
}  # fmt: skip
WORDS = ("account_id", "interface_id", "srcaddr", "dstaddr", "action", "log_status", "instance_tag")


def flow_records(seed: int, count: int, *, nulls: float = 0.1, silent: float = 0.05) -> pa.Table:
    """Records with few and many distinct values, long runs, missing values of every kind, and silent ones."""
    rng, some = np.random.default_rng(seed), random.Random(seed)

    def mixed(values: list[Any]) -> list[Any]:
        found: list[Any] = []
        while len(found) < count:
            found += [values[int(rng.integers(len(values)))]] * (
                int(rng.integers(1, 200)) if rng.random() < 0.02 else 1
            )
        return [None if rng.random() < nulls else value for value in found[:count]]

    start = np.cumsum(rng.integers(0, 3, count)) + 1767607200
    columns: dict[str, Any] = {
        "version": [5] * count,
        "srcport": mixed(list(range(1024, 1024 + 40 * (1 + seed % 5)))),
        "dstport": mixed([443, 22, 0, 65535]),
        "protocol": mixed([6]) if seed % 3 else mixed([6, 17, 1]),
        "packets": mixed([1, 17, (1 << 63) - 1, 1 - (1 << 63), -5]),
        "bytes": rng.integers(-(1 << 62), 1 << 62, count).tolist() if seed % 2 else mixed(list(range(0, 9000, 7))),
        "start": start.tolist(),
        "end": (start + 60).tolist(),
        "account_id": ["123456789012"] * count,
        "interface_id": mixed([f"eni-{number:017x}" for number in range(seed % 50 + 1)]),
        "srcaddr": mixed([f"10.{number >> 8}.{number & 255}.{some.randrange(256)}" for number in range(1, 300)]),
        "dstaddr": mixed(["10.0.0.2", "2001:db8::1", "-", "None", "", *(f"10.1.2.{number}" for number in range(99))]),
        "action": mixed(["ACCEPT", "REJECT"]) if seed % 4 else mixed(["ACCEPT", "REJECT", "-"]),
        "log_status": [some.choice(["NODATA", "SKIPDATA"]) if some.random() < silent else "OK" for _ in range(count)],
        "instance_tag": mixed([None, "-", "a" * 30, "é" * 9, "x" * 400, *(str(number) for number in range(2000))]),
    }
    table = pa.table({name: pa.array(values, NUMBERS.get(name, pa.string())) for name, values in columns.items()})
    return table.select(some.sample(table.column_names, table.num_columns))


def by_pyarrow(table: pa.Table, path: Path, **options: Any) -> None:
    pq.write_table(table, path, **({"row_group_size": 700, "data_page_size": 500, "write_batch_size": 64} | options))


def by_polars(table: pa.Table, path: Path, **options: Any) -> None:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(path, **({"row_group_size": 700, "data_page_size": 500} | options))


def by_duckdb(table: pa.Table, path: Path, **options: Any) -> None:
    import duckdb

    records = table  # noqa: F841 it is named in the query
    settings = "".join(f", {name} {value}" for name, value in options.items())
    duckdb.sql(f"COPY (SELECT * FROM records) TO '{path}' (FORMAT parquet{settings})")


def by_us(table: pa.Table, path: Path) -> None:
    kinds = {name: "int32" if name in NUMBERS and NUMBERS[name] == pa.int32() else "int64" for name in NUMBERS}
    writer = ParquetWriter(path.open("wb"), {name: kinds.get(name, "string") for name in table.column_names}, {})
    for part in table.to_batches(700):
        columns: dict[str, Any] = {}
        for name, array in zip(part.schema.names, part.columns, strict=True):
            if name in NUMBERS:
                columns[name] = Numbers(array.cast(pa.int64()).fill_null(k.MISSING).to_numpy(zero_copy_only=False))
            else:
                columns[name] = _words(array.dictionary_encode())
        writer.write(columns, part.num_rows)
    writer.close()


def _words(array: Any) -> Words:
    words = [word.encode() for word in array.dictionary.to_pylist()]

    def some(used: Any) -> Any:
        sizes = np.cumsum([0, *(len(words[place]) for place in used)])
        text = b"".join(words[place] for place in used) + bytes(k.PADDING)
        return sizes.astype(np.int64), np.frombuffer(text, np.uint8)

    return Words(array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32), some, len(words))


PLAIN = {"use_dictionary": False}
DELTAS = PLAIN | {"column_encoding": dict.fromkeys(NUMBERS, "DELTA_BINARY_PACKED")}
#: How a file is written; whether it is read by pages, None: it depends.
WRITERS: dict[str, tuple[Callable[..., None], dict[str, Any], bool | None]] = {
    "pyarrow": (by_pyarrow, {"compression": "gzip"}, True),
    "pyarrow, version 2": (by_pyarrow, {"compression": "gzip", "data_page_version": "2.0"}, True),
    "pyarrow, plain": (by_pyarrow, {"compression": "none", **PLAIN}, True),
    "pyarrow, plain, version 2": (by_pyarrow, {"compression": "snappy", "data_page_version": "2.0", **PLAIN}, True),
    "pyarrow, deltas": (by_pyarrow, {"compression": "zstd", **DELTAS}, True),
    "pyarrow, deltas, version 2": (by_pyarrow, {"compression": "none", "data_page_version": "2.0", **DELTAS}, True),
    "pyarrow, small dictionaries": (by_pyarrow, {"compression": "snappy", "dictionary_pagesize_limit": 300}, True),
    "pyarrow, large pages": (by_pyarrow, {"compression": "zstd", "data_page_size": 1 << 20, "row_group_size": 1 << 20}, True),  # noqa: E501
    "pyarrow, lz4": (by_pyarrow, {"compression": "lz4"}, False),
    "pyarrow, delta lengths": (by_pyarrow, PLAIN | {"column_encoding": dict.fromkeys(WORDS, "DELTA_LENGTH_BYTE_ARRAY")}, False),  # noqa: E501
    "pyarrow, split bytes": (by_pyarrow, PLAIN | {"column_encoding": {"end": "BYTE_STREAM_SPLIT"}}, False),
    "polars": (by_polars, {}, True),
    "polars, gzip": (by_polars, {"compression": "gzip", "row_group_size": 1 << 20, "data_page_size": 1 << 20}, True),
    "duckdb": (by_duckdb, {}, True),
    "duckdb, gzip": (by_duckdb, {"compression": "'gzip'", "row_group_size": 2048}, True),
    "duckdb, version 2": (by_duckdb, {"parquet_version": "'v2'"}, None),
    "flowcore": (by_us, {}, True),
}  # fmt: skip


class Spied(GroupReader):
    """Counts how often pyarrow read, pieces read by pages, and words no row has when pyarrow goes on."""

    by_pyarrow = by_pages = unused = 0

    def _batches(self, *values: Any) -> Iterator[int]:
        self.by_pyarrow += 1
        if self.by_pages:
            rows, group = self._next_row, self._group.group
            for row, name in enumerate(self.columns.words):
                words = int(group.words[row]) - len(set(group.codes[row, :rows].tolist()) - {-1})
                self.unused += 0 if name in ("action", "log_status") else words
        return super()._batches(*values)

    def _pages(self, file: Any, pages: FilePages, runs: Any) -> Iterator[int]:
        for before in super()._pages(file, pages, runs):
            self.by_pages += not self.by_pyarrow
            yield before


def small_pieces(monkeypatch: Any, rows: int) -> None:
    monkeypatch.setattr(groups, "PIECE_ROWS", rows)
    monkeypatch.setattr(flowlogs, "PARQUET_ROWS", rows)


def read(path: Path, monkeypatch: Any, *, pages: bool, **options: Any) -> tuple[Any, ...]:
    """Rows, rejects and counts, or the error; and the reader."""
    monkeypatch.setitem(interpreted.MOST, "read_pages", -1 if pages else 1 << 60)
    try:
        frame, reader, spied = by_groups(path, reader_type=Spied, **options)
    except InputError as error:
        return [], [], str(error), None
    return frame.rows(), reader.rejects.frame().rows(), reader.counts, spied


def damaged(rng: random.Random, data: bytes) -> bytes:
    """The file with bits or bytes of its pages changed, left out or swapped."""
    found = bytearray(data)
    stop = len(data) - 8 - int.from_bytes(data[-8:-4], "little")  # where the footer begins
    kind, one, other = (
        rng.choice(["bits", "bits", "byte", "zeros", "cut", "swap"]),
        *sorted(rng.sample(range(4, stop), 2)),
    )
    size = min(rng.randrange(1, 40), other - one, stop - other)
    if kind == "bits":
        for _ in range(rng.choice((1, 1, 3))):
            found[rng.randrange(4, stop)] ^= 1 << rng.randrange(8)
    elif kind == "byte":
        found[one] = rng.choice((0, 255, 127, 128, rng.randrange(256)))
    elif kind == "zeros":
        found[one : one + size] = bytes(size)
    elif kind == "cut":
        del found[one : one + size]
    else:
        found[one : one + size], found[other : other + size] = found[other : other + size], found[one : one + size]
    return bytes(found)
