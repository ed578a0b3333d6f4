"""Distinct flows while a digest is made: a table in memory that goes to disk in shares when it is full.

Flows are spread over shares by their keys; a share holds the same flows whatever came when. If a table was ever full,
the digest is made share by share, else from the one table; which of both depends on the distinct flows only.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from . import foldkernels as f
from . import logkernels as k
from .errors import InputError
from .pipeline_parquet import Numbers, ParquetWriter, Words
from .sources.flows import open_flows
from .sources.groups import GroupColumns, GroupReader
from .sources.intake import ReadCounts, Rejects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .sources.groups import RowGroup

SUMS = ("packets", "bytes", "records")
TOTALS = (*SUMS, "first", "last")

#: Flows, and bytes of distinct words, from which on a table is full.
FULL_ROWS = 3 << 18
FULL_BYTES = 1 << 28

#: Shares that the flows of a full table are spread over; one of them is in memory at a time.
SHARES = 64

#: Rows of a row group of a digest.
GROUP_ROWS = 1 << 18

#: tcp_flags of a digest by rank, the smallest rank of a flow's records counts: see digest.KEYS.
_FLAGS = np.array([2, 18, 0, k.MISSING], np.int64)

Columns = dict[str, Words | Numbers]


class FlowTable:
    """Distinct flows in memory, with their totals. `types`: name -> type of the columns that tell flows apart."""

    def __init__(self, types: Mapping[str, str], room: int, *, flags: bool, window: int | None) -> None:
        """`room`: flows there is room for. `flags`: whether there is tcp_flags; `window`: seconds of a time window."""
        self.types = dict(types)
        self._words = [name for name, kind in types.items() if kind not in ("int32", "int64", "protocol")]
        self._numbers = [name for name in types if name not in self._words]
        self._with_flags, self._window, self.room = flags, window, room
        n_words, width = len(self._words), len(self._words) + 2 * len(self._numbers)
        slots = 1 << (2 * room).bit_length()
        factors = np.frombuffer(os.urandom(8 * max(width, 1)), np.uint64) | np.uint64(1)
        self._flows = f.Flows(
            keys=np.empty((room, width), np.int32), totals=np.empty((room, 5), np.int64),
            flags=np.empty(room, np.uint8), slots=np.zeros(slots, np.uint64), factors=factors,
            hashes=np.empty((n_words, room), np.uint64), start=np.empty((n_words, room), np.int64),
            size=np.empty((n_words, room), np.int64), word_slots=np.zeros((n_words, slots), np.int32),
            words=np.zeros(n_words, np.int64), state=np.zeros(2, np.int64),
        )  # fmt: skip
        self._text = np.empty(1 << 16, np.uint8)

    @property
    def rows(self) -> int:
        """How many flows there are."""
        return int(self._flows.state[f.ROWS])

    @property
    def text_bytes(self) -> int:
        """How many bytes their distinct words have."""
        return int(self._flows.state[f.USED])

    def clear(self) -> None:
        """Forgets all flows."""
        self._flows.slots[:] = 0
        self._flows.word_slots[self._flows.words > 0] = 0
        self._flows.words[:] = 0
        self._flows.state[:] = 0

    def add(self, group: RowGroup) -> None:
        """Adds the records of a row group, or the flows of a digest."""
        arrays, words = group.group, group.columns.words
        rows = f.Rows(
            codes=arrays.codes, columns=np.array([words.index(name) for name in self._words], np.int64),
            hashes=arrays.hashes, start=arrays.start, size=arrays.size, text=group.arena,
            numbers=self._key_numbers(group), totals=_totals(group), flags=_opening(group),
        )  # fmt: skip
        self._need(int(arrays.state[k.USED]))
        known = np.full((len(self._words), max(int(arrays.words.max()), 1)), -1, np.int32)
        f.fold(rows, 0, group.rows, self._flows, self._text, known)

    def _need(self, more: int) -> None:
        if self.text_bytes + more > self._text.size:
            text = np.empty(max(2 * self._text.size, self.text_bytes + more), np.uint8)
            text[: self.text_bytes] = self._text[: self.text_bytes]
            self._text = text

    def _key_numbers(self, group: RowGroup) -> NDArray[np.int64]:
        found = np.empty((len(self._numbers), group.rows), np.int64)
        for row, name in enumerate(self._numbers):
            found[row] = windows(group, self._window) if name == "window_start" else group.numbers(name)
        return found

    def shares(self) -> NDArray[np.int64]:
        """Which of SHARES each flow belongs to."""
        found = np.empty(self.rows, np.int64)
        f.shares(self._flows, len(self._words), SHARES, found)
        return found

    def columns(self, rows: NDArray[np.int64], ranks: Sequence[_Ranks] | None = None) -> Columns:
        """Those rows as columns of a digest. With `ranks`, the words of a column are numbered in their order."""
        found: Columns = {}
        flows = self._flows
        keys = np.ascontiguousarray(flows.keys[rows].T)
        for column, name in enumerate(self._words):
            codes, count = keys[column], int(flows.words[column])
            if ranks is None:
                found[name] = Words(codes, lambda used, c=column: self._gather(c, used), count)
                continue
            order = ranks[column].order
            codes = ranks[column].of(codes)
            found[name] = Words(codes, lambda used, c=column, o=order: self._gather(c, o[used]), count)
        for number, name in enumerate(self._numbers):
            found[name] = Numbers(_joined(keys, len(self._words) + 2 * number))
        if self._with_flags:
            found["tcp_flags"] = Numbers(_FLAGS[self._flows.flags[rows]])
        totals = np.ascontiguousarray(flows.totals[rows].T)
        found.update({name: Numbers(totals[place]) for place, name in enumerate(TOTALS)})
        return found

    def _gather(self, column: int, used: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        start, size = self._flows.start[column], self._flows.size[column]
        offsets = np.empty(len(used) + 1, np.int64)
        data = np.empty(int(size[used].sum()), np.uint8)
        f.gather(start, size, self._text, np.asarray(used, np.int64), offsets, data)
        return offsets, data

    def ordered(self) -> tuple[NDArray[np.int64], list[_Ranks]]:
        """The rows in the order of their keys, column after column, nothing before something; ranks of all words."""
        import polars as pl

        keys = np.ascontiguousarray(self._flows.keys[: self.rows].T)
        ranks = [_Ranks(*self._gather(c, np.arange(int(n)))) for c, n in enumerate(self._flows.words)]
        parts: list[tuple[NDArray[np.uint64], int]] = []
        for name in self.types:
            if name in self._words:
                column = self._words.index(name)
                values = ranks[column].of(keys[column])
                parts.append(((values + 1).astype(np.uint64), len(ranks[column].order)))
            else:
                parts.append(_places(_joined(keys, len(self._words) + 2 * self._numbers.index(name))))
        packed = {str(place): pl.Series(values) for place, values in enumerate(_packed(parts))}
        if not packed:
            return np.arange(self.rows), ranks
        order = pl.DataFrame(packed).select(pl.arg_sort_by(list(packed))).to_series()
        return order.to_numpy().astype(np.int64), ranks


class _Ranks:
    """The words of a column in their order: `order` are their codes."""

    def __init__(self, offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> None:
        import polars as pl
        import pyarrow as pa

        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        words = pl.from_arrow(pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(offsets) - 1, buffers))
        assert isinstance(words, pl.Series)
        self.order = words.arg_sort().to_numpy()
        self._rank = np.full(len(self.order) + 1, -1, np.int32)
        self._rank[self.order] = np.arange(len(self.order), dtype=np.int32)

    def of(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Their places in the order, -1 for -1."""
        return self._rank[codes]


def _joined(keys: NDArray[np.int32], place: int) -> NDArray[np.int64]:
    """The numbers whose halves are two of the keys' columns."""
    low = keys[place].astype(np.int64) & 0xFFFFFFFF
    joined: NDArray[np.int64] = low | (keys[place + 1].astype(np.int64) << 32)
    return joined


def _places(values: NDArray[np.int64]) -> tuple[NDArray[np.uint64], int]:
    """Numbers from 0 on in the order of the values, MISSING first; the largest."""
    there = values != k.MISSING
    if not there.any():
        return np.zeros(len(values), np.uint64), 0
    low, high = int(values[there].min()), int(values[there].max())
    if high - low < 1 << 40:
        return np.where(there, values - (low - 1), 0).astype(np.uint64), high - low + 1
    distinct, found = np.unique(values, return_inverse=True)
    return found.astype(np.uint64), len(distinct)


def _packed(parts: Sequence[tuple[NDArray[np.uint64], int]]) -> list[NDArray[np.uint64]]:
    """The same order in as few columns as hold all bits."""
    found: list[NDArray[np.uint64]] = []
    left = 0
    for values, most in parts:
        bits = most.bit_length()
        if bits == 0:
            continue
        if bits > left:
            found.append(values.copy())
            left = 64 - bits
        else:
            found[-1] = (found[-1] << np.uint64(bits)) | values
            left -= bits
    return found


def _totals(group: RowGroup) -> NDArray[np.int64]:
    """Packets, bytes, records, first and last second of each row; a record is one record."""
    found = np.full((5, group.rows), k.MISSING, np.int64)
    has = group.columns.types
    for row, name in enumerate(TOTALS):
        if name in has:
            found[row] = group.numbers(name)
    found[f.RECORDS][found[f.RECORDS] == k.MISSING] = 1
    for row, name in ((f.FIRST, "start"), (f.LAST, "end")):
        if name in has:
            missing = found[row] == k.MISSING
            found[row][missing] = group.numbers(name)[missing]
    return found


def _opening(group: RowGroup) -> NDArray[np.uint8]:
    """Who opened (FL-61) as a place in _FLAGS; a transit gateway's flags mean something else."""
    if "tcp_flags" not in group.columns.types:
        return np.full(group.rows, 3, np.uint8)
    flags = group.numbers("tcp_flags")
    found = np.where(flags & k.SYN, np.where(flags & k.ACK, 1, 0), 2).astype(np.uint8)
    missing = flags == k.MISSING
    if "tgw_id" in group.columns.types:
        missing |= group.codes("tgw_id") >= 0
    found[missing] = 3
    return found


def windows(group: RowGroup, window: int | None) -> NDArray[np.int64]:
    """The first second of the window each record starts in, or of the window a digest says; MISSING if unknown."""
    assert window is not None
    start = group.numbers("start")
    found = start - start % window
    found[(start == k.MISSING) | (found > start)] = k.MISSING
    if "window_start" not in group.columns.types:
        return found
    said, first = group.numbers("window_start"), group.numbers("first")
    wrong = (said != k.MISSING) & (said != first - first % window)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"a digest whose windows are not of {window} seconds",
            where="window_start",
            found=f"{said[row]} for a flow first seen at {first[row]}",
            expected="the windows it was made with",
        )
    return np.where(said == k.MISSING, found, said)


class Fold:
    """All distinct flows: in one table, and on disk in `folder` once that is full."""

    def __init__(
        self, folder: Path, types: Mapping[str, str], group_rows: int, *, flags: bool, window: int | None
    ) -> None:
        self._folder, self._types, self._flags, self._window = folder, dict(types), flags, window
        self._table = FlowTable(types, FULL_ROWS + 1 + group_rows, flags=flags, window=window)
        self._spread = 0
        self._rows = np.zeros(SHARES, np.int64)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)

    def add(self, group: RowGroup) -> None:
        """Adds the records of a row group, or the flows of a digest."""
        self._table.add(group)
        if self._table.rows > FULL_ROWS or self._table.text_bytes > FULL_BYTES:
            self._spread_out()

    def _spread_out(self) -> None:
        """Writes the table to disk, each share as a digest of its own."""
        share = self._table.shares()
        order = np.argsort(share, kind="stable")
        ends = np.searchsorted(share[order], np.arange(SHARES + 1))
        for number, (first, stop) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)):
            if first == stop:
                continue
            self._rows[number] += stop - first
            place = self._folder / f"{number}-{self._spread}.parquet"
            with place.open("wb") as stream:
                writer = ParquetWriter(stream, self._kinds(), {})
                for begin in range(first, stop, GROUP_ROWS):
                    rows = order[begin : min(begin + GROUP_ROWS, stop)]
                    writer.write(self._table.columns(rows), len(rows))
                writer.close()
        self._spread += 1
        self._table.clear()

    def _kinds(self) -> dict[str, str]:
        kinds = {"int64": "int64", "int32": "int32", "protocol": "int32"}
        found = {name: kinds.get(kind, "string") for name, kind in self._types.items()}
        if self._flags:
            found["tcp_flags"] = "int32"
        return {**found, **dict.fromkeys(TOTALS, "int64")}

    def result(self) -> Iterator[tuple[Columns, int]]:
        """The distinct flows in row groups, in their order: by share, if there are shares, then by key."""
        if not self._spread:
            yield from _groups_of(self._table)
            return
        self._spread_out()
        del self._table
        room = int(self._rows.max()) + 1
        self._table = FlowTable(self._types, room, flags=self._flags, window=self._window)
        types = {**self._types, **({"tcp_flags": "int32"} if self._flags else {}), **dict.fromkeys(TOTALS, "int64")}
        counts = ReadCounts()
        reader = GroupReader(GroupColumns(types), counts, Rejects(counts))
        for number in range(SHARES):
            paths = sorted(self._folder.glob(f"{number}-*.parquet"))
            if not paths:
                continue
            self._table.clear()
            for group in reader.read(open_flows(list(paths)).files()):
                self._table.add(group)
            yield from _groups_of(self._table)

    def remove(self) -> None:
        """Removes the files."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _groups_of(table: FlowTable) -> Iterator[tuple[Columns, int]]:
    order, ranks = table.ordered()
    for first in range(0, table.rows, GROUP_ROWS):
        rows = order[first : first + GROUP_ROWS]
        yield table.columns(rows, ranks), len(rows)
