"""Flows from files, folders and globs: what kind each file is, and its rows in batches of bounded size.

A file is a flow log (records: one direction at one interface) or a table of flows (the initiator's 5-tuple). Its
content decides, never its name: gzip and Parquet by their magic bytes, text by its first lines.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import FlowError, InputError
from ..schema import FLOW_COLUMNS, VERDICT_COLUMNS
from .flowlogs import (
    DESTINATIONS,
    DIGEST_COLUMNS,
    LOG_COLUMNS,
    RECORD_COLUMNS,
    SOURCES,
    TextLayout,
    column_dtype,
    is_transit_gateway,
    own_names,
    parse_log_format,
    read_lines,
    read_parquet,
    without_empty_intervals,
)
from .intake import ReadCounts, Rejects
from .places import Identity, Location, Wanted, locations, resolved
from .recognise import CLOUDWATCH_COLUMNS, check_magic, text_layout
from .textlines import BLOCK_BYTES, GZIP_MAGIC, head_lines, is_empty, line_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl

EVERYTHING = Wanted()

Kind = Literal["log", "table"]
Sources = str | os.PathLike[str] | list[str | os.PathLike[str]] | tuple[str | os.PathLike[str], ...]

#: Rows in a batch, at most.
BATCH_ROWS = 1 << 18

PARQUET_MAGIC = b"PAR1"

#: Metadata key of a digest with time windows: their seconds.
WINDOW = "flowcore.window"

#: Types of the columns of a table of flows that have a meaning; other columns are kept as they are.
TABLE_TYPES: Mapping[str, str] = {
    **{name: LOG_COLUMNS[name].type for name in ("packets", "bytes", "start", "end")},
    **{column.name: "string" for column in FLOW_COLUMNS if column.type in ("address", "string")},
    **{column.name: "int32" for column in FLOW_COLUMNS if column.type in ("port", "integer")},
    "protocol": "protocol",
}

_ADDRESSES = frozenset(column.name for column in FLOW_COLUMNS if column.type == "address")
_REQUIRED = tuple(column.name for column in FLOW_COLUMNS if column.required)
_VERDICT_NAMES = frozenset(column.name for column in VERDICT_COLUMNS)


@dataclass(frozen=True, slots=True)
class FlowBatch:
    """Rows of one file. `frame` has flow log columns (kind "log") or those of a table of flows (kind "table")."""

    frame: pl.DataFrame
    kind: Kind
    source: str


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A file and how it is to be read. `columns`: those it gives, in order, with their polars types."""

    path: Location
    kind: Kind
    columns: Mapping[str, pl.DataType]
    types: Mapping[str, str]
    """Those of the columns that are checked and cast."""
    layout: TextLayout | None = None
    """None: Parquet."""
    unknown: tuple[str, ...] = field(default=())
    """Columns of a flow log that no version has: they are left out."""
    packed: bool = True
    """Parquet or gzip, not plain text."""
    window: int | None = None
    """Seconds of the time windows of a digest, if it says so."""
    group_rows: tuple[int, ...] = ()
    """Rows of each row group of a Parquet file."""
    row_groups: tuple[int, int] | None = None
    """A piece of a Parquet file: its first row group, and the first that is not of it. None: the whole file."""

    @property
    def identity(self) -> Identity:
        """What tells whether the file is still the same."""
        return Identity.of(self.path)

    @property
    def size(self) -> int:
        """Bytes of the file, or of the piece: its share by rows."""
        whole = self.identity.size
        if self.row_groups is None:
            return whole
        return whole * sum(self.group_rows[slice(*self.row_groups)]) // max(sum(self.group_rows), 1)

    @property
    def is_beginning(self) -> bool:
        """Whether it is a whole file or its first piece: files are counted by these."""
        return self.row_groups is None or self.row_groups[0] == 0

    def pieces(self, most: int) -> Iterator[FlowFile]:
        """The file in pieces of up to `most` bytes, as far as row groups allow; itself if it has no more."""
        whole, rows = self.size, max(sum(self.group_rows), 1)
        if whole <= most or len(self.group_rows) < 2:
            yield self
            return
        first = held = 0
        for number, count in enumerate(self.group_rows):
            weight = whole * count // rows
            if number > first and held + weight > most:
                yield replace(self, row_groups=(first, number))
                first, held = number, 0
            held += weight
        yield replace(self, row_groups=(first, len(self.group_rows)))

    def read(self, rejects: Rejects, block_bytes: int) -> Iterator[pl.DataFrame]:
        """The good rows, in file order, in frames of any size."""
        if self.layout is None:
            extra = [name for name in self.columns if name not in self.types]
            return read_parquet(self.path, self.types, extra, rejects, self.row_groups)
        return self.read_lines(rejects, block_bytes)

    def read_lines(self, rejects: Rejects, block_bytes: int) -> Iterator[pl.DataFrame]:
        """The good rows of a file of text."""
        assert self.layout is not None
        return read_lines(line_blocks(self.path, rejects, block_bytes), self.layout, str(self.path), rejects)


class FlowReader:
    """The batches of several files, in order; iterate once. `counts` and `rejects` grow while it is read."""

    def __init__(
        self,
        paths: list[tuple[Location, bool]],
        *,
        log_format: str | None,
        batch_rows: int,
        block_bytes: int,
        wanted: Wanted = EVERYTHING,
    ) -> None:
        if batch_rows < 1:
            raise InputError("out of range", where="batch_rows", found=batch_rows, expected="1 or more")
        self.counts = ReadCounts()
        self.rejects = Rejects(self.counts)
        self._paths, self._batch_rows, self._block_bytes = paths, batch_rows, block_bytes
        self._log_columns = parse_log_format(log_format) if log_format is not None else None
        self.wanted = wanted
        self._files: list[FlowFile] | None = None

    def files(self) -> list[FlowFile]:
        """The files with rows to read. Files of a folder or glob that are no flows are rejected.

        Raises FlowError for a file named by itself that is no flows.
        """
        if self._files is None:
            self._files = [found for path, named in self._paths if (found := self._identify(path, named))]
        return self._files

    def of(self, files: Sequence[FlowFile], counts: ReadCounts) -> FlowReader:
        """A reader of some of the files, with counts and rejects of its own."""
        reader = FlowReader(
            [], log_format=None, batch_rows=self._batch_rows, block_bytes=self._block_bytes, wanted=self.wanted
        )
        reader.counts, reader.rejects, reader._files = counts, Rejects(counts), list(files)
        return reader

    def columns(self) -> dict[str, pl.DataType]:
        """Every column some file has, with its type: flow log fields in AWS's order, then the others as met.

        Raises FlowError if two files give one column different types.
        """
        found: dict[str, pl.DataType] = {}
        for file in self.files():
            for name, dtype in file.columns.items():
                if found.setdefault(name, dtype) != dtype:
                    raise FlowError(
                        "the column has another type than in the files before",
                        source=file.path,
                        where=name,
                        found=str(dtype),
                        expected=str(found[name]),
                    )
        order = [name for name in (*LOG_COLUMNS, *TABLE_TYPES) if name in found]
        return {name: found[name] for name in dict.fromkeys((*order, *found))}

    def __iter__(self) -> Iterator[FlowBatch]:
        for file in self.files():
            self.counts.files += file.is_beginning
            self.counts.unknown_fields.update(file.unknown if file.is_beginning else ())
            for frame in file.read(self.rejects, self._block_bytes):
                rows = self._counted(frame, file)
                for offset in range(0, rows.height, self._batch_rows):
                    yield FlowBatch(rows[offset : offset + self._batch_rows], file.kind, str(file.path))

    def _counted(self, frame: pl.DataFrame, file: FlowFile) -> pl.DataFrame:
        if file.kind == "log":
            return self._within(without_empty_intervals(frame, self.counts))
        self.counts.lines += frame.height
        self.counts.records += frame.height
        return frame

    def _within(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The records that are asked for; the others are counted as outside."""
        import polars as pl

        if not self.wanted:
            return frame
        tests = [pl.col(name).is_in(words) for name, words in self.wanted.words().items() if name in frame.columns]
        if self.wanted.since is not None and (end := "last" if "last" in frame.columns else "end") in frame.columns:
            tests.append(pl.col(end) >= self.wanted.since)
        if (
            self.wanted.until is not None
            and (start := "first" if "first" in frame.columns else "start") in frame.columns
        ):
            tests.append(pl.col(start) < self.wanted.until)
        kept = frame.filter(pl.all_horizontal(tests)) if tests else frame
        self.counts.outside += frame.height - kept.height
        self.counts.records -= frame.height - kept.height
        return kept

    def _identify(self, path: Location, named: bool) -> FlowFile | None:
        try:
            return _identified(path, self._log_columns)
        except FlowError as error:
            if named:
                raise
            self.rejects.file(str(path), error.message)
        except OSError as error:
            raise InputError("cannot be read", source=path, found=error.strerror or str(error)) from None
        return None


def open_flows(
    sources: Sources,
    *,
    log_format: str | None = None,
    batch_rows: int = BATCH_ROWS,
    exclude: Iterable[Path] = (),
    block_bytes: int = BLOCK_BYTES,
    wanted: Wanted = EVERYTHING,
) -> FlowReader:
    """A reader of the flows in `sources`: files, folders (with all below them), globs and `s3://`, or a list of these.

    Files come in the order given, those of a folder or glob sorted by path, none twice; names that begin with `.` or
    `_` are passed over in folders, and so is what is in `exclude`, but for files named by themselves. `log_format`: the
    order of fields of flow logs without a header ("${version} ${account-id} …"); default the 14 fields of version 2.
    Rejected lines are in `reader.rejects`. `wanted`: leave out log records outside it, and files that cannot hold any
    within. Raises InputError for what does not exist, and for a source with nothing but what is in `exclude`.
    """
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not given:
        raise InputError("no flows are given", expected="a file, a folder or a glob")
    without = {path.resolve() for path in exclude}
    paths: dict[object, tuple[Location, bool]] = {}
    for source in given:
        kept = left_out = 0
        for path, named in locations(source):
            ways = resolved(path)
            if not named and without.intersection(ways):
                left_out += 1
                continue
            kept += 1
            if named or wanted.may_be_in(str(path)):
                paths.setdefault(next(iter(ways)), (path, named))
        if left_out and not kept:
            raise InputError("is both read and written", source=source, hint="name another place for what is written")
    return FlowReader(
        list(paths.values()),
        log_format=log_format,
        batch_rows=batch_rows,
        block_bytes=block_bytes,
        wanted=wanted,
    )


# -- which kind a file is ---------------------------------------------------------------------------------


def _identified(path: Location, log_columns: tuple[str, ...] | None) -> FlowFile | None:
    """How to read the file; None if it is empty. Raises FlowError if it is no flows, OSError if it cannot be opened."""
    with path.open("rb") as stream:
        magic = stream.read(4)
    found = _identified_by(path, magic, log_columns)
    return replace(found, packed=False) if found and magic != PARQUET_MAGIC and magic[:2] != GZIP_MAGIC else found


def _identified_by(path: Location, magic: bytes, log_columns: tuple[str, ...] | None) -> FlowFile | None:
    if magic == PARQUET_MAGIC:
        return _identified_parquet(path)
    if not magic:
        return None
    check_magic(path, magic)
    if not (lines := head_lines(path)):
        if is_empty(path):
            return None
        raise FlowError("no line of text in the first 64 KiB", source=path, expected="a flow log or a table of flows")
    return _text_file(path, text_layout(path, lines, log_columns))


def _kind_of(path: Location, columns: tuple[str, ...]) -> Kind:
    """Whether these are the columns of a flow log or of a table. Raises FlowError for neither, and for doubles."""
    double = sorted({name for name in columns if columns.count(name) > 1})
    if double:
        raise FlowError("a column is there twice", source=path, found=double[0])
    is_digest = set(columns) >= DIGEST_COLUMNS
    if (
        RECORD_COLUMNS.intersection(columns) or is_digest or is_transit_gateway(columns)
    ) and "src_interface_id" not in columns:
        if SOURCES.isdisjoint(columns) or DESTINATIONS.isdisjoint(columns):
            expected = "srcaddr or pkt-srcaddr, and dstaddr or pkt-dstaddr"
            raise FlowError("a log without addresses", source=path, found=", ".join(columns)[:200], expected=expected)
        return "log"
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise FlowError(
            f"a table of flows without the column {missing[0]}",
            source=path,
            found=", ".join(columns)[:200],
            expected=", ".join(_REQUIRED),
        )
    return "table"


def _text_file(path: Location, layout: TextLayout) -> FlowFile:
    columns, separator = layout.columns, layout.separator
    # A text log whose header has no field of its own (srcaddr dstaddr …) is still a log: tables have commas.
    kind: Kind = "log" if separator == " " else _kind_of(path, columns)
    if kind == "log" and separator == " ":
        _kind_of(path, (*columns, "interface_id") if "interface_id" not in columns else columns)
    known: dict[str, str]
    if kind == "log":
        known = {name: LOG_COLUMNS[name].type for name in columns if name in LOG_COLUMNS}
        unknown = tuple(name for name in columns if name not in LOG_COLUMNS and name not in CLOUDWATCH_COLUMNS)
    else:
        known = {name: TABLE_TYPES.get(name, "string") for name in columns if name not in _VERDICT_NAMES}
        layout, unknown = replace(layout, types=known), ()
    dtypes: dict[str, pl.DataType] = {name: column_dtype(kind) for name, kind in known.items()}
    return FlowFile(path, kind, dtypes, known, layout, unknown)


def _window(metadata: Mapping[bytes, bytes] | None, columns: tuple[str, ...]) -> int | None:
    found = (metadata or {}).get(WINDOW.encode(), b"")
    return int(found) if "window_start" in columns and found.isdigit() and 0 < int(found) < 1 << 40 else None


def _identified_parquet(path: Location) -> FlowFile:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as stream:
            metadata = pq.read_metadata(stream)
        schema = metadata.schema.to_arrow_schema()
        group_rows = tuple(max(metadata.row_group(n).num_rows, 0) for n in range(metadata.num_row_groups))
        frame = pl.from_arrow(schema.empty_table())
    except (
        pa.ArrowException, OSError, UnicodeDecodeError, pl.exceptions.PolarsError, pl.exceptions.PanicException,
    ) as error:  # fmt: skip
        raise FlowError("damaged Parquet", source=path, found=str(error).splitlines()[0][:100]) from None
    assert isinstance(frame, pl.DataFrame)
    columns = own_names(frame.columns)
    kind = _kind_of(path, columns)
    if kind == "log":
        types = {name: LOG_COLUMNS[name].type for name in columns if name in LOG_COLUMNS}
        unknown = tuple(name for name in columns if name not in types)
        dtypes = {name: column_dtype(word) for name, word in types.items()}
        window = _window(schema.metadata, columns)
        return FlowFile(path, kind, dtypes, types, None, unknown, window=window, group_rows=group_rows)
    kept = dict(zip(columns, frame.dtypes, strict=True))
    types = {n: TABLE_TYPES[n] for n, t in kept.items() if n in TABLE_TYPES and not (n in _ADDRESSES and _is_raw(t))}
    dtypes = {n: column_dtype(types[n]) if n in types else t for n, t in kept.items() if n not in _VERDICT_NAMES}
    return FlowFile(path, kind, dtypes, types, group_rows=group_rows)


def _is_raw(dtype: pl.DataType) -> bool:
    """Whether addresses of this type are numbers or bytes: they stay what they are, and are read as such."""
    import polars as pl

    return dtype.is_integer() or dtype == pl.Binary
