"""Parquet files as they lie there: pages of columns decoded straight into row groups, by compiled loops.

Flat columns of whole numbers and of text are read here, in the encodings and codecs that AWS, pyarrow, polars and
`pipeline_parquet` write; pyarrow reads the schema. All else, and whatever is not as it should be, is UnusualError: then
pyarrow goes on, and says what it makes of it. So what is read is the same both ways; tests compare them. But of a file
that is damaged, rows before the damage are kept to the last one here, where pyarrow drops up to a batch of them.

pyarrow takes twice the time: it inflates with zlib, where ISA-L takes a third, and makes columns that are copied again.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from .. import logkernels as k
from .. import logkernels_pages as p
from .flowlogs import own_names
from .textlines import new_inflater

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from .textlines import Place

#: The longest page that is read here, in bytes. Writers make pages of 1 MiB.
LONGEST_PAGE = 16 << 20

#: Headers of pages looked at a time, and bytes of pages that are enough to have at hand.
_HEADERS, _ENOUGH = 64, 1 << 20

# Codes of the format.
_TYPES = {"INT32": 1, "INT64": 2, "BYTE_ARRAY": 6}
_CODECS = {0: "", 1: "snappy", 2: "gzip", 6: "zstd"}

#: Bytes from the end of a file, in which most footers are.
_TAIL = 64 << 10
_NO_WORDS = np.zeros(0, np.int64)


class UnusualError(Exception):
    """Pages that are not read here."""


class Filled(Protocol):
    """What is asked of a row group, see `groups.RowGroup`."""

    group: k.Group
    arena: NDArray[np.uint8]
    known_words: object

    def need(self, room: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Column:
    """A column to read, and where to."""

    index: int
    """Its place in the file."""
    name: str
    row: int
    """Its row in the numbers or codes of a row group."""
    is_word: bool
    optional: bool = False
    physical: str = ""
    """How the file has its values."""
    low: int = 0
    high: int = 0
    choices: int = 0
    """How many words the column may have, 0 for any."""
    every: bool = False
    """Whether no word means "missing"."""

    @property
    def narrow(self) -> bool:
        """Whether the numbers are of 32 bits."""
        return self.physical == "INT32"


class FilePages:
    """A Parquet file whose columns are of kinds that are read here; `of` tells whether it is one."""

    def __init__(self, stream: Any, file: Any, known: Mapping[str, str], columns: list[Column], spare: Spare) -> None:
        self.file, self.known, self.names = file, known, [column.name for column in columns]
        self._stack, self._stream = ExitStack(), stream
        self._columns = [
            spare[column.name].of(column) if column.name in spare else _Pages(column) for column in columns
        ]
        spare.update({pages.column.name: pages for pages in self._columns})
        self._buffer = np.empty(0, np.uint8)
        self._size = stream.seek(0, 2)
        groups, width = file.num_row_groups, len(file.metadata.schema)
        self._rows, self._chunks = np.empty(groups, np.int64), np.empty((groups, width, p.CHUNK), np.int64)
        if not p.read_footer(self._footer(), np.empty((3, p.DEEPEST), np.int64), self._rows, self._chunks):
            raise UnusualError

    @classmethod
    def of(cls, path: Place, wanted: Collection[str], columns: Mapping[str, Column], spare: Spare) -> Self | None:
        """The pages of those of the `wanted` columns that are in `columns`; None if pyarrow must read them.

        `spare`: what pages are unpacked into; the next file uses it again.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        with ExitStack() as stack:
            try:
                stream = stack.enter_context(path.open("rb"))
                file = stack.enter_context(pq.ParquetFile(stream))
                schema = file.schema_arrow
                if len(set(schema.names)) < len(schema.names):
                    return None
                own = zip(schema.names, own_names(schema.names), strict=True)
                known = {name: column for name, column in own if column in wanted}
                found = _columns(file, known, columns)
                if found is None:
                    return None
                pages = cls(stream, file, known, found, spare)
                pages._stack = stack.pop_all()
                return pages
            except (pa.ArrowException, OSError, ValueError, UnusualError):
                return None  # which is said when pyarrow reads it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(self, number: int) -> int:
        """Goes to the row group `number`; how many rows it has. Raises UnusualError."""
        rows, chunks, total = int(self._rows[number]), [], 0
        for pages in self._columns:
            chunk = self._chunks[number, pages.column.index]
            start, size = int(chunk[p.FIRST_PAGE]), int(chunk[p.CHUNK_SIZE])
            if 0 < chunk[p.FIRST_WORDS] < start:
                start = int(chunk[p.FIRST_WORDS])
            total += size
            if chunk[0] >= 0 or chunk[p.TYPE] != _TYPES[pages.column.physical] or chunk[p.N_VALUES] != rows:
                raise UnusualError
            if rows < 0 or int(chunk[p.CODEC]) not in _CODECS or not 4 <= start <= start + size <= self._size >= total:
                raise UnusualError
            chunks.append((start, size, pages, _CODECS[int(chunk[p.CODEC])]))
        for pages, data, codec in self._read(sorted(chunks, key=lambda chunk: chunk[0])):
            pages.open(data, codec, rows)
        return rows

    def _footer(self) -> NDArray[np.uint8]:
        """The bytes of the footer. Raises UnusualError."""
        tail = np.empty(min(self._size, _TAIL), np.uint8)
        self._fill(memoryview(tail.data), self._size - tail.size)
        size = int.from_bytes(tail[-8:-4].tobytes(), "little")
        if tail[-4:].tobytes() != b"PAR1" or size > self._size - 8:
            raise UnusualError
        if size + 8 > tail.size:
            tail = np.empty(size + 8, np.uint8)
            self._fill(memoryview(tail.data), self._size - tail.size)
        return tail[-8 - size : -8]

    def _read(self, chunks: list[tuple[int, int, _Pages, str]]) -> list[tuple[_Pages, NDArray[np.uint8], str]]:
        """The bytes of the chunks; those that follow one another in one piece."""
        total = sum(size for _, size, _, _ in chunks)
        if total > self._buffer.size:
            self._buffer = np.empty(total, np.uint8)
        view, found, at, first = memoryview(self._buffer.data), [], 0, 0
        for place, (start, size, pages, codec) in enumerate(chunks):
            found.append((pages, self._buffer[at : at + size], codec))
            at += size
            if place + 1 == len(chunks) or chunks[place + 1][0] != start + size:
                self._fill(view[first:at], start + size - (at - first))
                first = at
        return found

    def _fill(self, view: memoryview, start: int) -> None:
        try:
            self._stream.seek(start)
            while view:
                if not (count := self._stream.readinto(view)):
                    raise UnusualError
                view = view[count:]
        except OSError:
            raise UnusualError from None

    def read(self, group: Filled, at: int, count: int) -> None:
        """Puts the next `count` rows into the columns of `group` from row `at` on. Raises UnusualError."""
        for pages in self._columns:
            pages.read(group, at, count)


def _columns(file: Any, known: Mapping[str, str], columns: Mapping[str, Column]) -> list[Column] | None:
    """Where the columns lie that are to be read, None if one of them is of another kind."""
    import pyarrow as pa

    found, schema, leaves = [], file.schema_arrow, file.metadata.schema
    places = {leaves.column(place).path: place for place in range(len(leaves))}
    for name, own in known.items():
        if own not in columns:
            continue
        place, kind, column = places.get(name, -1), schema.field(name).type, columns[own]
        if place < 0:
            return None
        leaf = leaves.column(place)
        if leaf.name != name or leaf.max_repetition_level or leaf.max_definition_level > 1:
            return None
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        physical = "BYTE_ARRAY" if column.is_word else "INT32" if pa.types.is_int32(kind) else "INT64"
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        is_number = kind == schema.field(name).type and (pa.types.is_int32(kind) or pa.types.is_int64(kind))
        if leaf.physical_type != physical or not (is_text if column.is_word else is_number):
            return None
        found.append(replace(column, index=place, name=own, optional=leaf.max_definition_level == 1, physical=physical))
    return found


class _Pages:
    """The values of one column, row group after row group."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._state, self._table = np.zeros(p.STATE, np.int64), np.zeros((_HEADERS, p.HEADER), np.int64)
        self._loaded, self._words = np.zeros(k.PADDING, np.uint8), np.zeros(k.PADDING, np.uint8)
        self._places, self._some = np.empty(2 * p.BLOCK, np.int32), np.empty(p.BLOCK, np.int32)
        self._some_numbers = np.empty(p.BLOCK, np.int64)
        self.open(self._loaded, "", 0)

    def of(self, column: Column) -> Self:
        """The same for another column, with the room it has."""
        self.column = column
        self.open(self._loaded, "", 0)
        return self

    def open(self, data: NDArray[np.uint8], codec: str, rows: int) -> None:
        """Begins a chunk of `rows` rows."""
        self._data, self._codec, self._rows, self._at = data, codec, rows, 0
        self._next = self._found = self._ready = 0
        self._headers = list[list[int]]()
        self._state[:] = 0
        self._dictionary = self._starts = self._sizes = _NO_WORDS
        self._known, self._known_in = np.zeros(0, np.int32), object()
        self._has_dictionary = self._has_data = False

    def read(self, group: Filled, at: int, count: int) -> None:
        """See `FilePages.read`."""
        column, arrays = self.column, group.group
        while count:
            if not self._ready:
                self._load(count)
            some = min(count, self._ready)
            if column.is_word:
                group.need(self._loaded.size + self._words.size + k.PADDING)
                if self._known_in is not group.known_words:
                    self._known[:], self._known_in = -2, group.known_words
                good = p.read_words(
                    self._loaded, self._table, self._state, some, column.optional, self._words, self._starts,
                    self._sizes, self._known, self._has_dictionary, arrays, group.arena, column.row, column.every,
                    column.choices, arrays.codes[column.row], at, self._places, self._some,
                )  # fmt: skip
            else:
                good = p.read_numbers(
                    self._loaded, self._table, self._state, some, column.optional, column.narrow, self._dictionary,
                    self._has_dictionary, column.low, column.high, arrays.numbers[column.row], at, self._places,
                    self._some_numbers,
                )  # fmt: skip
            if not good:
                raise UnusualError
            self._ready -= some
            at, count = at + some, count - some

    def _load(self, count: int) -> None:
        """Unpacks the next pages, of `count` rows unless these are many bytes: they are read at once."""
        parts, at, begun = list[tuple[Any, ...]](), 0, -1
        while self._ready < count and at < _ENOUGH:
            if self._next == self._found:
                if begun >= 0:  # whose headers are still needed
                    break
                self._find()
            page, self._next = self._next, self._next + 1
            begin, kind, size, packed, rows = self._headers[page]
            body = self._data[begin : begin + packed]
            if kind == p.WORDS:
                self._open_dictionary(body, size, *self._table[page, p.N_WORDS : p.WORDS_ENCODING + 1].tolist())
                continue
            begun = page if begun < 0 else begun
            parts.append(self._parts(body, size, page) if kind == p.DATA_2 else (self._unpacked(body, size),))
            self._table[page, p.BODY] = at
            self._ready += rows
            self._has_data, at = True, at + size
        self._loaded = _into(self._loaded, at, [part for page_parts in parts for part in page_parts])
        self._state[:] = 0
        self._state[p.PAGE], self._state[p.PAGES] = begun, self._next

    def _find(self) -> None:
        """Reads the next headers."""
        self._next = 0
        self._found, self._at, self._rows = p.find_pages(self._data, self._at, self._rows, LONGEST_PAGE, self._table)
        if not self._found:
            raise UnusualError
        self._headers = self._table[: self._found, : p.ROWS + 1].tolist()

    def _parts(self, body: NDArray[np.uint8], size: int, page: int) -> tuple[Any, ...]:
        """Levels and values of a page of version 2; the levels are never packed."""
        values, _, rows, _, levels, repeats, is_packed = self._table[page, p.VALUES_2 : p.IS_PACKED_2 + 1].tolist()
        if repeats != 0 or values != rows or not 0 <= levels <= min(size, body.size):
            raise UnusualError
        if levels and not self.column.optional:
            raise UnusualError
        packed = body[levels:]
        if not is_packed and packed.size != size - levels:
            raise UnusualError
        return body[:levels], self._unpacked(packed, size - levels) if is_packed else packed

    def _open_dictionary(self, body: NDArray[np.uint8], size: int, count: int, encoding: int) -> None:
        least = 4 if self.column.is_word or self.column.narrow else 8
        if self._has_dictionary or self._has_data or encoding not in (p.PLAIN, p.PLAIN_DICTIONARY):
            raise UnusualError
        if not 0 <= count <= size // least:
            raise UnusualError
        self._has_dictionary, data = True, self._unpacked(body, size)
        if self.column.is_word:
            self._words = _into(self._words, size, [data])
            self._starts, self._sizes = np.empty(count, np.int64), np.empty(count, np.int64)
            self._known, self._known_in = np.empty(count, np.int32), object()
            if not p.find_words(self._words, size, self._starts, self._sizes):
                raise UnusualError
            return
        self._dictionary = np.frombuffer(data, "<i4" if least == 4 else "<i8", count).astype(np.int64)
        if count and least == 8:
            low, high = int(self._dictionary.min()), int(self._dictionary.max())
            if low < self.column.low or high > self.column.high:
                raise UnusualError

    def _unpacked(self, data: NDArray[np.uint8], size: int) -> Any:
        """What is packed in `data`, `size` bytes. Raises UnusualError if it is anything else."""
        if not self._codec:
            found: Any = data
        elif self._codec == "gzip":
            if data[3:4].tobytes() > b"\x1f":  # flags nobody knows: zlib refuses them, ISA-L does not
                raise UnusualError
            inflater, errors = new_inflater()
            try:
                found = inflater.decompress(data, size + 1)
            except errors:
                raise UnusualError from None
            if not inflater.eof:
                raise UnusualError
        else:
            found = _decompressed(self._codec, data, size)
        if len(found) != size:
            raise UnusualError
        return found


def _decompressed(name: str, data: NDArray[np.uint8], size: int) -> Any:
    import pyarrow as pa

    if name == "snappy" and _leading_number(data[:5].tobytes()) != size:  # which pyarrow does not look at
        raise UnusualError
    try:
        return np.frombuffer(_codec(name).decompress(data, size), np.uint8)
    except (pa.ArrowException, OSError):
        raise UnusualError from None


@cache
def _codec(name: str) -> Any:
    import pyarrow as pa

    return pa.Codec(name)


def _leading_number(data: bytes) -> int:
    value = 0
    for place, byte in enumerate(data):
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value
    return -1


def _into(page: NDArray[np.uint8], size: int, parts: Sequence[Any]) -> NDArray[np.uint8]:
    """The parts, one after the other, in `page` or in a longer one; PADDING bytes behind them."""
    if page.size < size + k.PADDING or page.size > 2 * size + (4 << 20):
        page = np.zeros(size + size // 4 + k.PADDING, np.uint8)
    at = 0
    for part in parts:
        page[at : at + len(part)] = np.frombuffer(part, np.uint8)
        at += len(part)
    return page


#: By column.
Spare = dict[str, _Pages]
