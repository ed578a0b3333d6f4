"""Flow logs as row groups of columns: numbers, and codes of words, filled by compiled loops.

This is the fast way to read what `flowlogs` reads with all care. Text goes through `logkernels.read_text`, which
takes plain lines only; the others, and Parquet of unusual types, go through `flowlogs` and come back in their
place. So what is read, and what is rejected, is the same both ways; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import interpreted
from .. import logkernels as k
from ..schema import DIRECTIONS
from .arrays import LINE, careful_frame, plain_numbers, words_and_places
from .flowlogs import (
    AS_IT_IS,
    LOG_STATUSES,
    PARQUET_ROWS,
    TextLayout,
    as_header,
    header_candidate,
    parquet_batches,
    read_part,
)
from .parquetpages import Column, FilePages, Spare, UnusualError
from .rowgroups import run_of, run_of_all, runs_to_read
from .textlines import LineBlock, LineNumber, raw_blocks, readable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from .flowlogs import RunsToRead
    from .flows import FlowFile
    from .intake import ReadCounts, Rejects
    from .places import Wanted

#: Rows of a row group, and of what is added to one at a time.
GROUP_ROWS = 1 << 18
PIECE_ROWS = PARQUET_ROWS

#: Bytes of words from which on those that no row has are dropped, if they are more than half.
_WORD_BYTES = 16 << 20

#: Groups of a reader: one that is filled, and one to take what is left of it when words are dropped.
_LEAST_GROUPS = 2

#: Bytes of text looked at a time.
TEXT_BYTES = 1 << 20

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "action": ("ACCEPT", "REJECT"),
    "status": LOG_STATUSES,
    "direction": DIRECTIONS,
}
_MOST = {"int32": (1 << 31) - 1, "int64": (1 << 63) - 1, "protocol": (1 << 31) - 1}


@dataclass(frozen=True, slots=True)
class GroupColumns:
    """The columns of row groups: name -> type as in `flowlogs.LogField`, in order."""

    types: Mapping[str, str]

    @property
    def numbers(self) -> list[str]:
        return [name for name, kind in self.types.items() if kind in _MOST]

    @property
    def words(self) -> list[str]:
        return [name for name, kind in self.types.items() if kind not in _MOST]


class RowGroup:
    """Up to GROUP_ROWS records in columns. The arrays are the reader's: they hold until the next group is asked for.

    Words are added piece by piece: at most two for each line of a piece (as read, and as read again with care), those
    of lines that become no row among them. Between pieces `has_many_words` tells when these must go.
    """

    def __init__(self, columns: GroupColumns, group_rows: int) -> None:
        self.columns, self._group_rows = columns, group_rows
        most = group_rows + 2 * PIECE_ROWS + sum(map(len, _CHOICES.values()))
        slots = max(1 << (most + most // 4).bit_length(), k.FEWEST_SLOTS)
        self._numbers = {name: row for row, name in enumerate(columns.numbers)}
        self._words = {name: row for row, name in enumerate(columns.words)}
        n_numbers, n_words = max(len(self._numbers), 1), max(len(self._words), 1)
        self.group = k.Group(
            numbers=np.empty((n_numbers, group_rows), np.int64),
            codes=np.empty((n_words, group_rows), np.int32),
            line=np.empty(group_rows, np.int64),
            slots=np.empty((n_words, k.SLOT * slots), np.uint64),  # 84 MB: those in use are cleared
            n_slots=np.full(n_words, k.FEWEST_SLOTS),
            hashes=np.empty((n_words, most), np.uint64),
            start=np.empty((n_words, most), np.int64),
            size=np.empty((n_words, most), np.int64),
            words=np.zeros(n_words, np.int64),
            silent=np.zeros((2, most + 1), np.int64),
            state=np.zeros(8, np.int64),
        )
        self.arena = np.empty(1 << 20, np.uint8)
        self._dictionaries: dict[int, tuple[Any, NDArray[np.int32]]] = {}
        self.known_words = object()
        """Another one as soon as words lose their codes."""
        self.clear()

    def clear(self) -> None:
        """Empties it; the words that a column may only have get their codes."""
        k.clear_group(self.group)
        for name, row in self._words.items():
            if words := _CHOICES.get(self.columns.types[name]):
                places, known = np.arange(len(words), dtype=np.int32), np.full(len(words), -2, np.int32)
                self._intern(row, *_joined([word.encode() for word in words]), places, known)
        self._kept_bytes = self.rows = 0
        self._dictionaries.clear()
        self.known_words = object()

    def intern(self, row: int, words: Any, places: NDArray[np.int32]) -> NDArray[np.int32]:
        """Codes in the word column `row` of those words of an Arrow array (large strings) that `places` names, -1 none.

        Batches of one row group of Parquet come with the same words: each is looked up once.
        """
        before = self._dictionaries.get(row)
        if before is None or not before[0].equals(words):
            before = self._dictionaries[row] = words, np.full(len(words), -2, np.int32)
        offsets = np.frombuffer(words.buffers()[1], np.int64)[words.offset : words.offset + len(words) + 1]
        text = words.buffers()[2]
        data = np.zeros((text.size if text else 0) + k.PADDING, np.uint8)
        if text:
            data[: text.size] = np.frombuffer(text, np.uint8)
        every = self.columns.types[self.columns.words[row]] == AS_IT_IS
        return self._intern(row, offsets, data, places, before[1], every=every)

    def _intern(
        self,
        row: int,
        offsets: NDArray[np.int64],
        data: NDArray[np.uint8],
        places: NDArray[np.int32],
        known: NDArray[np.int32],
        *,
        every: bool = False,
    ) -> NDArray[np.int32]:
        codes = np.empty(len(places), np.int32)
        self.need(int(offsets[-1] - offsets[0]) + 2 * k.PADDING)
        arrays = [_readonly(array) for array in (offsets, data, places)]  # one kind of array: compiled once
        k.intern_used(*arrays, known, self.group, self.arena, row, every, codes)
        return codes

    def has_many_words(self) -> bool:
        """Whether another piece might bring more words than there is room for, or their bytes are many."""
        many_bytes = int(self.group.state[k.USED]) > max(_WORD_BYTES, 2 * self._kept_bytes)
        return many_bytes or int(self.group.words.max()) > self._group_rows

    def take(self, other: RowGroup) -> None:
        """Becomes the rows of `other`, and their words."""
        self.clear()
        self.need(int(other.group.state[k.USED]) + 2 * k.PADDING)
        k.carry_rows(other.group, other.arena, self.group, self.arena)
        self._kept_bytes = int(self.group.state[k.USED])

    def need(self, room: int) -> None:
        """Makes room for `room` bytes of new words."""
        used = int(self.group.state[k.USED])
        if used + room > self.arena.size:
            arena = np.empty(max(2 * self.arena.size, used + room), np.uint8)
            arena[:used] = self.arena[:used]
            self.arena = arena

    def numbers(self, name: str) -> NDArray[np.int64]:
        """The values of a column of numbers, logkernels.MISSING where missing."""
        row = self._numbers.get(name)
        if row is None:
            return np.full(self.rows, k.MISSING, np.int64)
        return self.group.numbers[row, : self.rows]

    def codes(self, name: str) -> NDArray[np.int32]:
        """The codes of a column of words, -1 where missing."""
        row = self._words.get(name)
        return np.full(self.rows, -1, np.int32) if row is None else self.group.codes[row, : self.rows]

    def count(self, name: str) -> int:
        """How many words the column knows; some may not be in use."""
        row = self._words.get(name)
        return 0 if row is None else int(self.group.words[row])

    def hashes(self, name: str) -> NDArray[np.uint64]:
        """A hash of each word, the same in every group."""
        row = self._words.get(name)
        return np.zeros(0, np.uint64) if row is None else self.group.hashes[row, : self.group.words[row]]

    def words(self, name: str, used: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """The words whose codes are in `used` (default all) as Arrow offsets and bytes."""
        row = self._words.get(name)
        if row is None:
            return np.zeros(1, np.int64), np.zeros(k.PADDING, np.uint8)
        used = np.arange(self.group.words[row]) if used is None else used
        offsets = np.empty(len(used) + 1, np.int64)
        data = np.zeros(int(self.group.size[row][used].sum()) + k.PADDING, np.uint8)
        k.gather_words(self.group, self.arena, row, used, offsets, data)
        return offsets, data

    def strings(self, name: str) -> list[str]:
        """The words of a column, by code. What is no UTF-8, as in a damaged file, has marks for it."""
        offsets, data = self.words(name)
        text = data.tobytes()
        return [
            text[a:b].decode(errors="replace") for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        ]


class GroupReader:
    """The records of flow logs, file after file, in row groups of GROUP_ROWS (the last one may be smaller).

    How they are cut does not depend on anything but the files and their order. With three groups one may be in use
    while the next one is filled.
    """

    def __init__(
        self,
        columns: GroupColumns,
        counts: ReadCounts,
        rejects: Rejects,
        *,
        wanted: Wanted | None = None,
        group_rows: int = GROUP_ROWS,
        text_bytes: int = TEXT_BYTES,
    ) -> None:
        self.columns, self.counts, self.rejects = columns, counts, rejects
        self._wanted = wanted
        self._group_rows, self._text_bytes = group_rows, text_bytes
        self._groups = [RowGroup(columns, group_rows) for _ in range(_LEAST_GROUPS)]
        self._bad = np.empty((4096, 3), np.int64)
        self._ends, self._odd = np.empty(k.ENDS, np.int32), np.empty(k.ENDS, np.uint8)
        self._small = b"", b""
        self._spare: Spare = {}

    def add_group(self) -> None:
        """One more group: a group that was given holds until the one after the next is asked for."""
        self._groups.append(RowGroup(self.columns, self._group_rows))

    def read(self, files: Sequence[FlowFile]) -> Iterator[RowGroup]:
        """The row groups. Each is good until the next one is asked for."""
        self._group.clear()
        for file in files:
            self.counts.files += file.is_beginning
            self.counts.unknown_fields.update(file.unknown if file.is_beginning else ())
            for before in self._pieces(file):
                self._leave_out(before, file)
                if self._next_row == self._group_rows:
                    yield self._finished()
                    self._group.clear()
                elif self._group.has_many_words():
                    self._drop_words()
        if (group := self._finished()).rows:
            yield group

    def _finished(self) -> RowGroup:
        """The group that was being filled; another one takes its place, if there is one to spare."""
        group = self._group
        group.rows = self._next_row
        self._count_silent(group)
        if len(self._groups) > _LEAST_GROUPS:
            self._groups.append(self._groups.pop(0))
        return group

    def _drop_words(self) -> None:
        """Leaves only the words that a row has: those of lines that became no row are gone."""
        self._count_silent(self._group)
        self._groups[1].take(self._group)
        self._groups[0], self._groups[1] = self._groups[1], self._groups[0]

    def _pieces(self, file: FlowFile) -> Iterator[int]:
        """Adds the file's records to the group that is being filled, at most `_room` between two yields.

        Gives the row each piece begins at.
        """
        if file.layout is None:
            yield from self._parquet(file)
        elif file.layout.separator == " ":
            yield from self._text(file, file.layout)
        else:
            for frame in file.read_lines(self.rejects, self._text_bytes):
                rest = frame
                while rest.height:
                    before, room = self._next_row, self._room
                    self._add_frame(rest[:room])
                    rest = rest[room:]
                    yield before

    @property
    def _group(self) -> RowGroup:
        return self._groups[0]

    @property
    def _next_row(self) -> int:
        return int(self._group.group.state[k.ROWS])

    @property
    def _room(self) -> int:
        """How many rows may be added at a time."""
        return min(PIECE_ROWS, self._group_rows - self._next_row)

    def _leave_out(self, before: int, file: FlowFile) -> None:
        """Drops the records from row `before` on that are not asked for. What `file` does not say drops nothing."""
        if not self._wanted:
            return
        group, stop = self._group, self._next_row
        keep = np.ones(stop - before, np.bool_)
        for name, words in self._wanted.words().items():
            if name in file.types and name in self.columns.types:
                row = self.columns.words.index(name)
                known = np.array([word in words for word in group.strings(name)] + [False])
                keep &= known[group.group.codes[row, before:stop]]
        for names, bound, later in ((("last", "end"), self._wanted.since, True),
                                    (("first", "start"), self._wanted.until, False)):  # fmt: skip
            column = next((name for name in names if name in file.types and name in self.columns.types), None)
            if bound is not None and column is not None:
                times = group.group.numbers[self.columns.numbers.index(column), before:stop]
                keep &= (times >= bound) if later else (times < bound) & (times != k.MISSING)
        left = int(keep.sum())
        for columns in (group.group.numbers, group.group.codes):
            columns[:, before : before + left] = columns[:, before:stop][:, keep]
        group.group.line[before : before + left] = group.group.line[before:stop][keep]
        group.group.state[k.ROWS] = before + left
        self.counts.outside += stop - before - left
        self.counts.records -= stop - before - left

    def _count_silent(self, group: RowGroup) -> None:
        if not group.group.state[k.SILENT]:
            return
        silent, names = group.group.silent, ["-", *group.strings("interface_id")]
        for row, counter in enumerate((self.counts.nodata, self.counts.skipdata)):
            for place in np.flatnonzero(silent[row]).tolist():
                counter[names[place]] += int(silent[row, place])
        silent[:] = 0
        group.group.state[k.SILENT] = 0

    # -- text

    def _text(self, file: FlowFile, layout: TextLayout) -> Iterator[int]:
        source, fields, at = str(file.path), self._fields(layout), LineNumber()
        for data in raw_blocks(file.path, self.rejects, at, self._text_bytes, padding=k.PADDING):
            position, line, passed, stop = 0, at.next, -1, len(data) - k.PADDING
            candidate = 0 if line == 1 else self._next_candidate(data, 0, fields)
            while position < stop:
                if position == candidate:
                    end = data.index(b"\n", position)
                    found = as_header(data[position:end], layout)
                    if found is not None:
                        layout, fields = found, self._fields(found)
                        position, line = end + 1, line + 1
                    else:
                        passed = position
                    candidate = self._next_candidate(data, end + 1, fields)
                    continue
                state, before = self._group.group.state, self._next_row
                state[k.POSITION], state[k.LINE], state[k.PASSED] = position, line, passed
                self._read_text(data, candidate, layout, fields, source)
                position, line = int(state[k.POSITION]), int(state[k.LINE])
                candidate = position if state[k.STOPPED] == k.AT_HEADER else candidate
                yield before
            at.next = line

    def _next_candidate(self, data: bytes, position: int, fields: k.Fields) -> int:
        """The next line that may be a header, or the end. Where fields are checked, none is a plain record."""
        end = len(data) - k.PADDING
        if fields.checked[0]:
            return end
        if self._small[0] is not data:
            self._small = data, data.lower()
        return min(header_candidate(self._small[1], position), end)

    def _read_text(self, data: bytes, stop: int, layout: TextLayout, fields: k.Fields, source: str) -> None:
        """Adds the records of one piece of a block, the lines that are not plain among them."""
        group, text = self._group, np.frombuffer(data, np.uint8)
        before, silent = int(group.group.state[k.ROWS]), int(group.group.state[k.SILENT])
        group.need(k.LONGEST_LINE + 2 * k.PADDING)
        n_bad = k.read_text(text, stop, fields, group.group, group.arena, self._room, self._bad, self._ends, self._odd)
        if group.group.state[k.STOPPED] == k.NO_ROOM:
            group.need(group.arena.size)
        rows = int(group.group.state[k.ROWS]) - before
        self.counts.records += rows
        self.counts.lines += rows + int(group.group.state[k.SILENT]) - silent
        if n_bad:
            frame = self._careful(data, self._bad[:n_bad], layout, source)
            if frame.height:
                self._add_frame(frame, before)

    def _careful(self, data: bytes, bad: NDArray[np.int64], layout: TextLayout, source: str) -> pl.DataFrame:
        """The records among the lines that are not plain, with their line numbers; the others are rejected."""
        lines = [data[start : end + 1] for start, end in bad[:, :2].tolist()]
        ends = np.cumsum([len(line) for line in lines]) - 1
        starts = np.concatenate([[0], ends[:-1] + 1])
        block = readable(LineBlock(b"".join(lines), starts, ends, bad[:, 2].copy()), source, self.rejects)
        return read_part(block, layout, source, self.rejects, line_column=LINE)

    def _fields(self, layout: TextLayout) -> k.Fields:
        types = self.columns.types
        kept = [name if name in types and name in layout.kept() else None for name in layout.columns]
        numbers, words = self.columns.numbers, self.columns.words
        kinds, places, most = [], [], []
        for name in kept:
            kind = types[name] if name else ""
            if name is None:
                kinds.append(k.SKIP)
            else:
                kinds.append(k.NUMBER if kind in _MOST else k.CHOICE if kind in _CHOICES else k.WORD)
            places.append(0 if name is None else (numbers if kind in _MOST else words).index(name))
            most.append(_MOST.get(kind, len(_CHOICES.get(kind, ()))))
        return k.Fields(
            kind=np.array(kinds, np.int64),
            checked=np.array([k.NUMBER in kinds or k.CHOICE in kinds]),
            place=np.array(places, np.int64),
            most=np.array(most, np.int64),
            absent=np.array([i for i, name in enumerate(numbers) if name not in kept], np.int64),
            absent_words=np.array([i for i, name in enumerate(words) if name not in kept], np.int64),
            special=np.array([self._place(name, kept) for name in ("log_status", "interface_id")], np.int64),
        )

    def _place(self, name: str, kept: Sequence[str | None]) -> int:
        return self.columns.words.index(name) if name in kept else -1

    # -- columns

    def _parquet(self, file: FlowFile) -> Iterator[int]:
        runs: RunsToRead = run_of_all
        if self._wanted:
            runs = partial(runs_to_read, wanted=self._wanted, counts=self.counts, row_groups=file.row_groups)
        elif file.row_groups:
            runs = partial(run_of, row_groups=file.row_groups)
        pages = None
        if sum(file.group_rows) > interpreted.MOST.get("read_pages", 0):
            pages = FilePages.of(file.path, list(file.types), self._page_columns(), self._spare)
        if pages is None:
            yield from self._batches(file, runs)
            return
        with pages:
            yield from self._pages(file, pages, runs(pages.file, pages.known))

    def _pages(self, file: FlowFile, pages: FilePages, runs: Iterator[tuple[int, list[int]]]) -> Iterator[int]:
        """Adds the rows as the pages have them. Where they are not read so, pyarrow goes on, to the end of the file.

        It begins where the run begins, and what was added is left out: so its batches are those it has alone.
        """
        for first, numbers in runs:
            before_these = 0
            for number in numbers:
                done = 0
                try:
                    rows = pages.open(number)
                    while done < rows:
                        before, some = self._next_row, min(self._room, rows - done)
                        pages.read(self._group, before, some)
                        self._commit(pages.names, some)
                        done += some
                        yield before
                except UnusualError:
                    self._drop_words()  # of rows that were not read to the end
                    rest = chain([(first, numbers)], runs)
                    yield from self._batches(file, lambda *_, rest=rest: rest, before_these + done)
                    return
                before_these += rows

    def _page_columns(self) -> dict[str, Column]:
        found = {}
        for row, name in enumerate(self.columns.numbers):
            most = _MOST[self.columns.types[name]]
            found[name] = Column(-1, name, row, False, low=max(~most, k.MISSING + 1), high=most)
        for row, name in enumerate(self.columns.words):
            kind = self.columns.types[name]
            found[name] = Column(-1, name, row, True, choices=len(_CHOICES.get(kind, ())), every=kind == AS_IT_IS)
        return found

    def _batches(self, file: FlowFile, runs: RunsToRead, passed: int = 0) -> Iterator[int]:
        """Adds the rows that pyarrow reads, but for the first `passed` of them."""
        types = list(file.types)
        for batch, first in parquet_batches(file.path, types, self.columns.words, self.rejects, runs, passed):
            rest, number = batch, first
            while rest.num_rows:
                before, part = self._next_row, rest.slice(0, self._room)
                if not self._add_batch(part):
                    numbers = number + np.arange(part.num_rows, dtype=np.int64)
                    self._add_frame(careful_frame(part, file, numbers, self.rejects))
                rest, number = rest.slice(part.num_rows), number + part.num_rows
                yield before

    def _add_batch(self, batch: Any) -> bool:
        """Adds an Arrow batch of the expected types; False, and nothing is added, if it is none."""
        columns: dict[str, NDArray[Any]] = {}
        found: NDArray[Any] | None
        types = self.columns.types
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            if name not in types:
                continue
            if types[name] in _MOST:
                found = plain_numbers(array, _MOST[types[name]])
            else:
                found = self._word_codes(array, name, len(_CHOICES.get(types[name], ())))
            if found is None:
                return False
            columns[name] = found
        self._append(columns, batch.num_rows)
        return True

    def _word_codes(self, array: Any, name: str, choices: int) -> NDArray[np.int32] | None:
        """Codes of an Arrow array of strings or of a dictionary of them, in this group; None if it is neither."""
        if (found := words_and_places(array)) is None:
            return None
        result = self._group.intern(self.columns.words.index(name), *found)
        return None if choices and result.size and result.max() >= choices else result

    def _add_frame(self, frame: pl.DataFrame, before: int | None = None) -> None:
        """Adds typed records. `before`: put them and the rows from there on in the order of their lines."""
        import polars as pl

        columns: dict[str, NDArray[Any]] = {}
        for name, kind in self.columns.types.items():
            if name not in frame.columns:
                continue
            series = frame[name].rechunk()
            if kind in _MOST:
                columns[name] = series.cast(pl.Int64).fill_null(k.MISSING).to_numpy()
            else:
                array = series.to_arrow(compat_level=pl.CompatLevel.oldest())
                found = self._word_codes(array, name, 0)
                assert found is not None
                columns[name] = found
        lines = frame[LINE].to_numpy() if LINE in frame.columns else None
        self._append(columns, frame.height, lines)
        if before is not None:
            self._put_in_order(before)

    def _append(self, columns: Mapping[str, NDArray[Any]], rows: int, lines: NDArray[np.int64] | None = None) -> None:
        group = self._group.group
        start = int(group.state[k.ROWS])
        stop = start + rows
        for row, name in enumerate(self.columns.numbers):
            if name in columns:
                group.numbers[row, start:stop] = columns[name]
        for row, name in enumerate(self.columns.words):
            if name in columns:
                group.codes[row, start:stop] = columns[name]
        self._commit(columns, rows, lines)

    def _commit(self, columns: Collection[str], rows: int, lines: NDArray[np.int64] | None = None) -> None:
        """Makes records of the next `rows` rows, in which `columns` are filled."""
        group = self._group.group
        start = int(group.state[k.ROWS])
        stop = start + rows
        for row, name in enumerate(self.columns.numbers):
            if name not in columns:
                group.numbers[row, start:stop] = k.MISSING
        for row, name in enumerate(self.columns.words):
            if name not in columns:
                group.codes[row, start:stop] = -1
        group.line[start:stop] = 0 if lines is None else lines
        group.state[k.ROWS] = stop
        silent = int(group.state[k.SILENT])
        if "log_status" in columns:
            words = self.columns.words
            interface = words.index("interface_id") if "interface_id" in columns else -1
            k.drop_silent(group, start, words.index("log_status"), interface)
        self.counts.lines += rows
        self.counts.records += rows - (int(group.state[k.SILENT]) - silent)

    def _put_in_order(self, before: int) -> None:
        group = self._group.group
        stop = int(group.state[k.ROWS])
        order = np.argsort(group.line[before:stop], kind="stable")
        group.line[before:stop] = group.line[before:stop][order]
        for columns in (group.numbers, group.codes):
            columns[:, before:stop] = columns[:, before:stop][:, order]


def _readonly(array: NDArray[Any]) -> NDArray[Any]:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _joined(words: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int64)
    return offsets, np.frombuffer(b"".join(words) + bytes(k.PADDING), np.uint8)
