"""Parquet written from codes and numbers as they are: no strings are made, and the same columns give the same bytes.

pyarrow and polars spend 20 to 140 ns a value on columns of names; packing codes takes about 3. The format is that of
parquet-format 2: a dictionary page and a page of run-length encoded codes for words, DELTA_BINARY_PACKED for numbers,
each compressed with zstd where that pays. Every column is optional, so that all row groups have one schema.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from . import logkernels as k

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC = b"PAR1"

# Types of the Thrift compact protocol.
_TRUE, _FALSE, _I16, _I32, _I64, _BINARY, _LIST, _STRUCT = 1, 2, 4, 5, 6, 8, 9, 12

# Physical types, encodings and codecs of Parquet.
_BOOLEAN, _INT32, _INT64, _BYTE_ARRAY = 0, 1, 2, 6
_PLAIN, _RLE, _DELTA, _RLE_DICTIONARY = 0, 3, 5, 8
_UNCOMPRESSED, _ZSTD = 0, 6

#: Numbers of a column that is written as a dictionary of numbers, at most.
_DIFFERENT = 1 << 10

#: Word of a column's type -> (physical type, converted type or None, struct of a statistics value).
_TYPES: Mapping[str, tuple[int, int | None, str]] = {
    "string": (_BYTE_ARRAY, 0, ""),
    "int32": (_INT32, None, "<i"),
    "int64": (_INT64, None, "<q"),
    "uint32": (_INT32, 13, "<I"),
    "uint16": (_INT32, 12, "<i"),
    "bool": (_BOOLEAN, None, "<?"),
}


#: Types of numbers that are packed as they are.
_AS_THEY_ARE = ("int32", "int64", "uint16")


@dataclass(frozen=True, slots=True)
class Words:
    """A column of words: `codes` into the words, of which `offsets` and `data` have those of `used`."""

    codes: NDArray[Any]
    words: Any
    """Callable: codes in use -> (Arrow offsets, bytes)."""
    count: int
    """Codes are below it, or missing."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers, int64, logkernels.MISSING where missing."""

    values: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Few:
    """A column of numbers that are few different ones, none missing: uint32, as masks are."""

    values: NDArray[np.uint32]


ByRow = Words | Numbers | Few


@dataclass(frozen=True, slots=True)
class Repeated:
    """A column of which many rows are alike: row i is the one of `column` that `which[i]` names."""

    column: ByRow
    which: NDArray[np.int32]

    def by_row(self) -> ByRow:
        """The same as a column of all rows."""
        column = self.column
        if isinstance(column, Words):
            return Words(column.codes.take(self.which), column.words, column.count)
        if isinstance(column, Few):
            return Few(column.values.take(self.which))
        return Numbers(column.values.take(self.which))


Column = ByRow | Repeated


@dataclass(frozen=True, slots=True)
class _Chunk:
    pages: Sequence[bytes | memoryview]
    """Good until the next one is made."""
    size: int
    dictionary: int
    """Bytes of the dictionary page, 0 without one."""
    codec: int
    unpacked: int
    rows: int
    encodings: tuple[int, ...]
    statistics: bytes


class ParquetWriter:
    """Writes row groups of `columns` (name -> "string", "int32", "int64", "uint32", "uint16", "bool") to a stream."""

    def __init__(self, stream: IO[bytes], columns: Mapping[str, str], metadata: Mapping[str, str]) -> None:
        self._stream, self._columns, self._metadata = stream, dict(columns), dict(metadata)
        self._groups: list[bytes] = []
        self._rows = 0
        self._packer = _Packer()
        self.is_open = True
        self._at = self._put(_MAGIC, 0)

    def _put(self, data: bytes | memoryview, at: int) -> int:
        self._stream.write(data)
        return at + len(data)

    def write(self, columns: Mapping[str, Column], rows: int) -> None:
        """Adds one row group of `rows` rows; columns that are not given are null."""
        start, parts, total = self._at, [], 0
        for name, kind in self._columns.items():
            chunk = self._packer.chunk(columns.get(name), kind, rows)
            parts.append(_column(name, kind, chunk, self._at))
            for page in chunk.pages:
                self._at = self._put(page, self._at)
            total += chunk.unpacked
        self._groups.append(
            _struct([(1, _LIST, (_STRUCT, parts)), (2, _I64, total), (3, _I64, rows), (5, _I64, start),
                     (6, _I64, self._at - start), (7, _I16, len(self._groups))])
        )  # fmt: skip
        self._rows += rows

    def close(self) -> None:
        """Writes the footer and closes the stream."""
        if not self.is_open:
            return
        self.is_open = False
        with self._stream:
            self._close()

    def _close(self) -> None:
        if not self._groups:
            self.write({}, 0)
        schema = [[(4, _BINARY, b"schema"), (5, _I32, len(self._columns))]]
        for name, kind in self._columns.items():
            physical, converted, _ = _TYPES[kind]
            element = [(1, _I32, physical), (3, _I32, 1), (4, _BINARY, name.encode())]
            schema.append(element if converted is None else [*element, (6, _I32, converted)])
        pairs = [[(1, _BINARY, key.encode()), (2, _BINARY, value.encode())] for key, value in self._metadata.items()]
        footer = _struct(
            [(1, _I32, 2), (2, _LIST, (_STRUCT, schema)), (3, _I64, self._rows), (4, _LIST, (_STRUCT, self._groups)),
             (5, _LIST, (_STRUCT, pairs)), (6, _BINARY, b"flowcore")]
        )  # fmt: skip
        self._put(footer + struct.pack("<I", len(footer)) + _MAGIC, self._at)


class _Packer:
    """Encodes columns; keeps the space it works in."""

    def __init__(self) -> None:
        self._rows = 0
        self._seen = np.zeros(0, np.uint8)
        self._remap, self._used = np.zeros(0, np.int32), np.zeros(0, np.int64)
        self._deltas = np.empty(128, np.uint64)
        self._different, self._places = np.empty(_DIFFERENT, np.int64), np.empty(4 * _DIFFERENT, np.int64)

    def chunk(self, column: Column | None, kind: str, rows: int) -> _Chunk:
        """The pages of one column of a row group."""
        self._need(rows)
        which = column.which if isinstance(column, Repeated) else None
        column = column.column if isinstance(column, Repeated) else column
        if column is None:
            return (
                self._packed_numbers(self._values[:0], rows, kind)
                if kind != "string"
                else self._words(_nothing(rows), None)
            )
        if isinstance(column, Words):
            return self._words(column, which)
        if isinstance(column, Few):
            return self._few(column, kind, which)
        if which is not None and kind == "bool":
            return self._repeated_flags(column.values, which)
        return self._numbers(column if which is None else Numbers(column.values.take(which)), kind)

    def _need(self, rows: int) -> None:
        if rows > self._rows or not self._rows:
            self._rows = max(rows, 1)
            self._out = np.empty(10 * self._rows + 4096, np.uint8)
            self._page = self._out.data
            self._values = np.empty(self._rows + 1, np.int64)
            self._codes = np.empty(self._rows + 1, np.int32)
            self._levels = np.empty((self._rows >> 3) + 1, np.uint8)
            self._numbered, self._repeats = np.empty(self._rows, np.uint16), np.empty(self._rows + 8, np.uint16)

    def _words(self, column: Words, which: NDArray[np.int32] | None) -> _Chunk:
        codes, limit = column.codes, column.count
        rows = len(codes if which is None else which)
        if limit + 1 > self._seen.size:
            self._seen = np.zeros(2 * limit + 2, np.uint8)
            self._remap, self._used = np.zeros(2 * limit + 2, np.int32), np.empty(2 * limit + 2, np.int64)
        if rows and k.leading_run(codes) == len(codes):
            missing = rows if not 0 <= int(codes[0]) < limit else 0
            offsets, data = column.words(np.zeros(0, np.int64) if missing else codes[:1].astype(np.int64))
            end = self._put(b"\0" if missing else b"\0" + _varint(rows << 1), self._put_levels(rows, missing))
            statistics = _statistics("string", missing, [])
            return _pages(_plain(offsets, data), int(not missing), self._page[:end], rows, _RLE_DICTIONARY, statistics)
        if which is None:
            n_used, missing = k.used_codes(codes, limit, self._seen, self._remap, self._used)
            packed: NDArray[Any] = self._codes
            present = rows
            if missing:
                present = k.present_codes(codes, self._remap, limit, self._codes, self._levels)
            else:
                k.renumbered(codes, self._remap, self._codes)
        else:
            n_used, missing = k.number_used(codes, limit, self._seen, self._remap, self._used, self._numbered)
            if n_used > k.NO_CODE:
                return self._words(Words(codes.take(which), column.words, limit), None)
            packed, present = self._repeats, self._repeat(which, missing)
        offsets, data = column.words(self._used[:n_used])
        statistics = _statistics("string", rows - int(present), [])
        return self._coded(_plain(offsets, data), int(n_used), packed, rows, int(present), statistics)

    def _repeat(self, which: NDArray[np.int32], missing: bool) -> int:
        """The codes of rows from those of which they are repetitions; how many are there, if some are `missing`."""
        if missing:
            return int(k.repeat_present(self._numbered, which, self._repeats, self._levels))
        k.repeat_codes(self._numbered, which, self._repeats)
        return len(which)

    def _coded(
        self, dictionary: NDArray[np.uint8], count: int, codes: NDArray[Any], rows: int, present: int,
        statistics: bytes,
    ) -> _Chunk:  # fmt: skip
        """The pages of a column of `rows` rows, of which the first `present` of `codes` are not missing."""
        width = max(count - 1, 0).bit_length()
        end = self._put(bytes([width]), self._put_levels(rows, rows - present))
        if present:
            end = k.pack(codes, present, width, self._out, end)
        return _pages(dictionary, count, self._page[:end], rows, _RLE_DICTIONARY, statistics)

    def _numbers(self, column: Numbers, kind: str) -> _Chunk:
        values, rows = np.ascontiguousarray(column.values), len(column.values)
        if kind in _AS_THEY_ARE:
            end = self._put_levels(rows, 0)
            end, low, high = k.pack_deltas(values, rows, kind != "int64", self._deltas, self._out, end)
            if low != k.MISSING:
                statistics = _statistics(kind, 0, [low, high] if rows else [])
                return _pages(None, 0, self._page[:end], rows, _DELTA, statistics)
        present = int(k.present_numbers(values, self._values, self._levels))
        return self._packed_numbers(self._values[:present], rows, kind)

    def _few(self, column: Few, kind: str, which: NDArray[np.int32] | None) -> _Chunk:
        """A dictionary of the numbers and their codes: half the time their differences take, and fewer bytes."""
        values, rows = column.values, len(column.values if which is None else which)
        count = int(k.number_codes(values, self._different, self._places, self._codes))
        if count < 0 or not rows:
            every = values if which is None else values.take(which)
            return self._numbers(Numbers(every.astype(np.int64)), kind)
        codes: NDArray[Any] = self._codes
        if which is not None:
            self._numbered[: len(values)] = codes[: len(values)]
            self._repeat(which, False)
            codes = self._repeats
        different = self._different[:count]
        statistics = _statistics(kind, 0, [int(different.min()), int(different.max())])
        return self._coded(different.astype(np.uint32).view(np.uint8), count, codes, rows, rows, statistics)

    def _repeated_flags(self, values: NDArray[np.int64], which: NDArray[np.int32]) -> _Chunk:
        rows, missing, numbered = len(which), values == k.MISSING, self._numbered[: len(values)]
        numbered[:] = values
        numbered[missing] = k.NO_CODE
        present = self._repeat(which, bool(missing.any()))
        return self._packed_numbers(self._repeats[:present], rows, "bool")

    def _packed_numbers(self, values: NDArray[Any], rows: int, kind: str) -> _Chunk:
        """The pages of `rows` numbers, of which `values` are not missing."""
        present, missing = len(values), rows - len(values)
        end = self._put_levels(rows, missing)
        if kind == "bool":
            end = self._put(np.packbits(values.astype(np.bool_), bitorder="little").data, end)
            return _pages(None, 0, self._page[:end], rows, _PLAIN, _statistics(kind, missing, []))
        limits = [int(values.min()), int(values.max())] if present else []
        if kind == "uint32":
            values = values.astype(np.uint32).view(np.int32).astype(np.int64)
        end, _, _ = k.pack_deltas(values, present, kind != "int64", self._deltas, self._out, end)
        return _pages(None, 0, self._page[:end], rows, _DELTA, _statistics(kind, missing, limits))

    def _put_levels(self, rows: int, missing: int) -> int:
        """Begins the page with which rows have a value, of which `self._levels` tells: one run if all do, or none."""
        if missing in (0, rows):
            end = self._put(_varint(rows << 1) + (b"\0" if missing else b"\1") if rows else b"", 4)
        else:
            end = k.pack_levels(self._levels, rows, self._out, 4)
        self._put(struct.pack("<I", end - 4), 0)
        return end

    def _put(self, data: bytes | memoryview, at: int) -> int:
        """Data into the page; where it ends there."""
        self._page[at : at + len(data)] = data
        return at + len(data)


def _statistics(kind: str, missing: int, limits: Sequence[int]) -> bytes:
    """How many are missing and the smallest and largest of the others, if there are any."""
    statistics: list[tuple[int, int, Any]] = [(3, _I64, missing)]
    if limits and _TYPES[kind][2] and kind != "bool":
        least, most = (struct.pack(_TYPES[kind][2], int(found)) for found in limits)
        statistics += [(5, _BINARY, most), (6, _BINARY, least)]
    return _struct(statistics)


def _plain(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Words as Parquet's PLAIN strings."""
    out = np.empty(int(offsets[-1] - offsets[0]) + 4 * (len(offsets) - 1), np.uint8)
    k.plain_words(offsets, data, out)
    return out


def _nothing(rows: int) -> Words:
    return Words(np.full(rows, -1, np.int32), lambda used: (np.zeros(1, np.int64), np.zeros(0, np.uint8)), 0)


def _pages(
    dictionary: NDArray[np.uint8] | None, n_words: int, body: memoryview, rows: int, encoding: int, statistics: bytes
) -> _Chunk:
    plain = [body] if dictionary is None else [dictionary.data, body]
    stored: Sequence[bytes | memoryview] = plain
    codec = _UNCOMPRESSED
    if _pays(plain):
        packed = [_zstd().compress(page, asbytes=True) for page in plain]
        if _saved(plain, packed) > _LEAST_SAVED:
            stored, codec = packed, _ZSTD
    pages: list[bytes | memoryview] = []
    headers = first = 0
    for page, kept in zip(plain, stored, strict=True):
        is_words = dictionary is not None and not pages
        header: list[tuple[int, int, Any]] = [
            (1, _I32, 2 if is_words else 0),
            (2, _I32, len(page)),
            (3, _I32, len(kept)),
        ]
        if is_words:
            header.append((7, _STRUCT, [(1, _I32, int(n_words)), (2, _I32, _PLAIN)]))
        else:
            header.append((5, _STRUCT, _about_data(rows, encoding)))
        text = _struct(header)
        headers += len(text)
        pages += [text, kept]
        if is_words:
            first = len(text) + len(kept)
    encodings = (_RLE, encoding) if dictionary is None else (_PLAIN, _RLE, encoding)
    sizes = headers + sum(map(len, stored)), headers + sum(map(len, plain))
    return _Chunk(pages, sizes[0], first, codec, sizes[1], rows, encodings, statistics)


@lru_cache(1 << 6)
def _about_data(rows: int, encoding: int) -> bytes:
    """What the header of a page of data says of it: the same for most columns of a row group."""
    return _struct([(1, _I32, rows), (2, _I32, encoding), (3, _I32, _RLE), (4, _I32, _RLE)])


#: Bytes of a page that tell whether compressing it pays, and the share that it must save.
_SAMPLE = 2 << 10
_LEAST_SAVED = 0.5
#: Pages that are smaller are stored as they are.
_SMALL = 512


def _pays(pages: Sequence[memoryview]) -> bool:
    """Whether the pages get as small as they must if each gets as small as its middle does (levels come first)."""
    total = sum(map(len, pages))
    if total < _SMALL:
        return False
    saved = 0.0
    for page in pages:
        if 8 * len(page) >= total:  # the other is not worth a look, which takes 20 µs
            sample = page[len(page) // 2 :][:_SAMPLE]
            saved += len(page) * (1 - len(_zstd().compress(sample, asbytes=True)) / len(sample))
    return saved > _LEAST_SAVED * total


def _saved(plain: Sequence[memoryview], packed: Sequence[bytes]) -> float:
    return 1 - sum(map(len, packed)) / max(sum(map(len, plain)), 1)


def _column(name: str, kind: str, chunk: _Chunk, at: int) -> bytes:
    fields: list[tuple[int, int, Any]] = [
        (4, _I32, chunk.codec), (5, _I64, chunk.rows), (6, _I64, chunk.unpacked), (7, _I64, chunk.size),
        (9, _I64, at + chunk.dictionary),
    ]  # fmt: skip
    if chunk.dictionary:
        fields.append((11, _I64, at))
    fields.append((12, _STRUCT, chunk.statistics))
    return _beginning(name, kind, chunk.encodings) + _struct(fields, 3) + b"\0"


@lru_cache(1 << 10)
def _beginning(name: str, kind: str, encodings: tuple[int, ...]) -> bytes:
    """The part of a column's description that is the same in all row groups."""
    about = [(1, _I32, _TYPES[kind][0]), (2, _LIST, (_I32, encodings)), (3, _LIST, (_BINARY, [name.encode()]))]
    return _struct([(2, _I64, 0), (3, _STRUCT, about)])[:-2]  # without the ends of both


@cache
def _zstd() -> Any:
    import pyarrow as pa

    return pa.Codec("zstd", compression_level=1)


# -- Thrift's compact protocol -----------------------------------------------------------------------------


_BYTES = [bytes([value]) for value in range(128)]


def _varint(value: int) -> bytes:
    if value < 128:
        return _BYTES[value]
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRUCT:
        return value if isinstance(value, bytes) else _struct(value)
    if kind == _BINARY:
        return _varint(len(value)) + bytes(value)
    if kind == _LIST:
        of, items = value
        head = bytes([len(items) << 4 | of]) if len(items) < 15 else bytes([0xF0 | of]) + _varint(len(items))
        return head + b"".join(_value(of, item) for item in items)
    return _varint((value << 1) ^ (value >> 63))  # numbers are zigzag


def _struct(fields: Iterable[tuple[int, int, Any]], last: int = 0) -> bytes:
    """A struct of (field id, type, value), ids ascending; a value that is a struct may be given as its bytes. `last`:
    the id before these."""
    out = bytearray()
    for number, kind, value in fields:
        out.append((number - last) << 4 | kind)
        out += _value(kind, value)
        last = number
    out.append(0)
    return bytes(out)
