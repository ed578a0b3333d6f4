"""VPC flow log records, typed, from text (plain or gzip) and from Parquet.

The fields of every version are defined once, in FIELDS. A field's column has `_` for its `-` (FL-54). Values
that mean "missing" become null (FL-08); lines that cannot be read go to the rejects, each with its reason.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import FlowError
from ..schema import ACTIONS, DIRECTIONS, FLOW_COLUMNS, PROTOCOL_NUMBERS
from .rowgroups import batches_of, run_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from .intake import ReadCounts, Rejects
    from .textlines import LineBlock, Place

    RunsToRead = Callable[[Any, Mapping[str, str]], Iterator[tuple[int, Any]]]

LOG_STATUSES = ("OK", "NODATA", "SKIPDATA")

#: Rows of Parquet decoded at a time. Not the caller's batch size, so that rejects come in the same order for any.
PARQUET_ROWS = 1 << 16

#: How missing values are written (FL-08).
MISSING = ("-", "", "None")

#: Type of a column of text that nobody asks for: it is kept as it is, whatever it says.
AS_IT_IS = "as it is"

#: The one number that row groups cannot hold: it stands for a missing one there.
_NO_NUMBER = -(1 << 63)

#: A whole number as pandas writes those of a column with gaps.
_WHOLE_FLOAT = r"^(-?[0-9]+)\.0+$"


@dataclass(frozen=True, slots=True)
class LogField:
    """One field of a flow log record: AWS's name, the version that brought it, and the type of its column.

    Types: string, int32, int64, action, status, direction (strings of a fixed set), account (12 digits),
    protocol (int32; in tables of flows also a name).
    """

    name: str
    version: int
    type: str = "string"

    @property
    def column(self) -> str:
        return self.name.replace("-", "_")


def _fields(version: int, names: str) -> tuple[LogField, ...]:
    return tuple(
        LogField(name, version, kind or "string") for name, _, kind in (n.partition(":") for n in names.split())
    )


#: Every field of VPC flow logs (statement 1.2), in AWS's order. Version 6 is of transit gateway flow logs only.
FIELDS: tuple[LogField, ...] = (
    *_fields(2, "version:int32 account-id:account interface-id srcaddr dstaddr srcport:int32 dstport:int32"),
    *_fields(2, "protocol:protocol packets:int64 bytes:int64 start:int64 end:int64 action:action log-status:status"),
    *_fields(3, "vpc-id subnet-id instance-id tcp-flags:int32 type pkt-srcaddr pkt-dstaddr"),
    *_fields(4, "region az-id sublocation-type sublocation-id"),
    *_fields(5, "pkt-src-aws-service pkt-dst-aws-service flow-direction:direction traffic-path:int32"),
    *_fields(7, "ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id"),
    *_fields(7, "ecs-container-id ecs-second-container-id ecs-service-name ecs-task-definition-arn"),
    *_fields(7, "ecs-task-arn ecs-task-id"),
    *_fields(8, "reject-reason"),
    *_fields(9, "resource-id"),
    *_fields(10, "encryption-status:int32"),
    *_fields(11, "instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type"),
    *_fields(11, "next-hop-interface-id next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type"),
)

#: Fields of transit gateway flow logs (version 6) that VPC flow logs do not have.
_TRANSIT = _fields(6, "resource-type tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id "
    "tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id "
    "tgw-dst-az-id tgw-pair-attachment-id packets-lost-no-route:int64 packets-lost-blackhole:int64 "
    "packets-lost-mtu-exceeded:int64 packets-lost-ttl-expired:int64")  # fmt: skip

#: Columns that only digests of flow logs have: records folded, first and last second seen; with time windows, the
#: first second of the window.
_DIGEST = _fields(0, "records:int64 first:int64 last:int64 window_start:int64")
DIGEST_COLUMNS = frozenset({"records", "first", "last"})

#: Column name -> its field.
LOG_COLUMNS: Mapping[str, LogField] = {field.column: field for field in (*FIELDS, *_TRANSIT, *_DIGEST)}

#: The default format (FL-06).
DEFAULT_COLUMNS: tuple[str, ...] = tuple(field.column for field in FIELDS if field.version == 2)

#: The default format of transit gateway flow logs (statement 1.7).
TRANSIT_COLUMNS: tuple[str, ...] = (
    "version", "resource_type", "account_id", *(field.column for field in _TRANSIT[1:14]), *DEFAULT_COLUMNS[3:12],
    "log_status", "type", *(field.column for field in _TRANSIT[14:]), "tcp_flags", "region", "flow_direction",
    "pkt_src_aws_service", "pkt_dst_aws_service",
)  # fmt: skip

#: Columns only log records have: a Parquet or CSV file with one of them is a flow log, not a table of flows.
RECORD_COLUMNS = frozenset(
    {"version", "interface_id", "action", "log_status", "flow_direction", "tcp_flags", "pkt_srcaddr", "pkt_dstaddr"}
)

#: A record without one of each is about nothing.
SOURCES, DESTINATIONS = frozenset({"srcaddr", "pkt_srcaddr"}), frozenset({"dstaddr", "pkt_dstaddr"})

_KNOWN = frozenset(LOG_COLUMNS) | {column.name for column in FLOW_COLUMNS}

#: The names that Athena's table of flow logs had in AWS's documentation before those of the fields.
_ATHENA: Mapping[str, str] = {
    "account": "account_id", "interfaceid": "interface_id", "sourceaddress": "srcaddr", "destinationaddress": "dstaddr",
    "sourceport": "srcport", "destinationport": "dstport", "numpackets": "packets", "numbytes": "bytes",
    "starttime": "start", "endtime": "end", "logstatus": "log_status",
}  # fmt: skip

_WORDS: Mapping[str, tuple[str, ...]] = {
    "action": ACTIONS, "status": LOG_STATUSES, "direction": DIRECTIONS,
}  # fmt: skip
_COMPLAINTS: Mapping[str, str] = {
    "int32": "not a number of at most 32 bits",
    "int64": "not a number of at most 64 bits",
    "protocol": "not a protocol number or name",
    **{kind: f"not one of {', '.join(words)}" for kind, words in _WORDS.items()},
}


def own_names(names: Sequence[str], *, is_log: bool = False) -> tuple[str, ...]:
    """Our names of columns, other names as they are.

    In logs, and where no address goes by our name, other writings are taken, too: capitals, `${…}` (FL-50), Athena's
    older names.
    """
    plain = [column if (column := name.replace("-", "_")) in _KNOWN else name for name in names]
    if not is_log and not (SOURCES | DESTINATIONS).isdisjoint(plain):
        return tuple(plain)
    words = [re.sub(r"^\$\{(.*)\}$", r"\1", name).replace("-", "_").lower() for name in names]
    if {"sourceaddress", "destinationaddress"} <= set(words):
        words = [_ATHENA.get(word, word) for word in words]
    return tuple(word if word in _KNOWN else name for word, name in zip(words, names, strict=True))


def split_header(line: str, separator: str) -> tuple[str, ...]:
    """The words of a header line as column names, `_` for `-`. Between spaces, more of them or tabs are no word."""
    words = line.split() if separator == " " else line.split(separator)
    names = own_names([word.strip().strip('"') for word in words], is_log=separator == " ")
    return tuple(name.replace("-", "_") for name in names)


def header_columns(line: str, separator: str = " ") -> tuple[str, ...] | None:
    """The columns a header line names, in its order, known or not; None if the line is no header.

    A line is a header if at least half of its words are field names. One damaged name in an otherwise default
    header does not cost the column: the others say which it is.
    """
    columns = split_header(line, separator)
    known = [column in LOG_COLUMNS for column in columns]
    if 2 * sum(known) < len(columns) or not any(known):
        return None
    if len(columns) == len(DEFAULT_COLUMNS) == sum(known) + 1 and all(
        column == default for column, default, sure in zip(columns, DEFAULT_COLUMNS, known, strict=True) if sure
    ):
        return DEFAULT_COLUMNS
    return columns


def parse_log_format(log_format: str) -> tuple[str, ...]:
    """The columns of a flow log's `LogFormat`: "${version} ${account-id} …", or the bare names (FL-50).

    Raises FlowError for a name no version has, and for one given twice.
    """
    names = [re.sub(r"^\$\{(.*)\}$", r"\1", word) for word in log_format.split()]
    columns = tuple(name.replace("-", "_") for name in names)
    for name, column in zip(names, columns, strict=True):
        if column not in LOG_COLUMNS:
            raise FlowError("unknown field in the log format", found=name, expected="a field of AWS's flow log records")
        if columns.count(column) > 1:
            raise FlowError("a field is in the log format twice", found=name)
    if not columns:
        raise FlowError("the log format names no field", found=log_format)
    return columns


def is_transit_gateway(columns: Sequence[str]) -> bool:
    """Whether these are the columns of transit gateway flow logs (version 6), which have no interface and no action."""
    return any(column.startswith("tgw_") or column == "packets_lost_no_route" for column in columns)


# -- text -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How a text file is to be read: `columns` in file order; the first line is a header if `header`."""

    columns: tuple[str, ...]
    header: bool
    separator: str = " "
    types: Mapping[str, str] | None = None
    """Column -> type for the columns to keep; None: those of flow log records."""

    def kept(self) -> dict[str, str]:
        """The columns that are kept, in file order, with their types."""
        types = {name: field.type for name, field in LOG_COLUMNS.items()} if self.types is None else self.types
        return {column: types[column] for column in self.columns if column in types}


def read_lines(
    blocks: Iterator[LineBlock], layout: TextLayout, source: str, rejects: Rejects
) -> Iterator[pl.DataFrame]:
    """The good records of each block of lines, typed. Lines with a wrong number of fields or a bad value are rejected.

    A header line in the middle (files laid end to end) is skipped, and its order of fields holds from there on.
    """
    for block in blocks:
        for part, current in _by_header(block, layout):
            layout = current
            yield read_part(part, layout, source, rejects)


def _by_header(block: LineBlock, layout: TextLayout) -> Iterator[tuple[LineBlock, TextLayout]]:
    """The block cut at its header lines, which are left out, each part with the layout that holds in it."""
    for start, stop, _, current in by_header(block.data, 0, layout):
        yield block.where((block.starts >= start) & (block.starts < stop)), current


def by_header(data: bytes, number: int, layout: TextLayout) -> Iterator[tuple[int, int, int, TextLayout]]:
    """Whole lines cut at their header lines, which are left out: (start, stop, number of the first line, layout).

    `number` is that of the first line of `data`.
    """
    begin, first = 0, number
    for start, end in _header_candidates(data.lower()):
        if start < begin:
            continue
        found = as_header(data[start:end], layout)
        if found is None:
            continue
        if start > begin:
            yield begin, start, first, layout
        first += data.count(b"\n", begin, end + 1)
        begin, layout = end + 1, found
    yield begin, len(data), first, layout  # empty too: the layout holds for the lines to come


def as_header(line: bytes, layout: TextLayout) -> TextLayout | None:
    """The layout of the lines after this one, or None if it is no header."""
    text = line.decode("utf-8", "replace")
    columns = header_columns(text, layout.separator) if layout.types is None else None
    if columns is None and split_header(text, layout.separator) != layout.columns:
        return None
    if columns is not None and len(set(columns)) == len(columns):
        return TextLayout(columns, True, layout.separator)
    return layout


def _header_candidates(data: bytes) -> Iterator[tuple[int, int]]:
    """The first line, and every line with "addr" in it: no header worth reading is without, few records are with.

    `data` in small letters.
    """
    position = data.find(b"\n")
    yield 0, position
    while (start := header_candidate(data, position)) < len(data):
        position = data.find(b"\n", start)
        yield start, position


def header_candidate(data: bytes, position: int) -> int:
    """Where the next line with "addr" in it begins, looking from `position` on; the end if there is none.

    `data` in small letters.
    """
    found = data.find(b"addr", position)
    return len(data) if found < 0 else data.rfind(b"\n", 0, found) + 1


def read_part(
    block: LineBlock, layout: TextLayout, source: str, rejects: Rejects, line_column: str | None = None
) -> pl.DataFrame:
    """The good records of lines that hold no header. `line_column`: the name of a column for their line numbers."""
    import polars as pl

    separator = layout.separator.encode()
    width = len(layout.columns)
    quoted = separator == b"," and b'"' in block.data
    if quoted:
        rows, block = _quoted_rows(block, width, source, rejects)
        frame = _frame_of_rows(rows, layout)
    else:
        block = block.trimmed(separator, width)
        found = block.separators(separator) + 1
        wrong = (found != width).nonzero()[0].tolist()
        if wrong:
            numbers = block.numbers[wrong].tolist()
            reason = f"wrong number of fields; expected {width}"
            rejects.lines(source, numbers, None, reason, [block.text(line) for line in wrong])
            block = block.where(found == width)
        frame = _split(block, layout)
    spaced = layout.separator == "," and b" " in block.data
    if spaced:
        names = [pl.col(name).str.strip_chars(" ") for name in frame.columns if name in _KNOWN]
        frame = frame.with_columns(names)
    extra = () if line_column is None else (line_column,)
    if line_column is not None:
        frame = frame.with_columns(pl.Series(line_column, block.numbers, dtype=pl.Int64))
    plain = not quoted and not spaced
    return typed(
        frame, layout.kept(), block.numbers, source=source, rejects=rejects, extra=extra, missing_are_null=plain
    )


def _split(block: LineBlock, layout: TextLayout) -> pl.DataFrame:
    """The fields of lines that all have the right number of them, as strings, missing ones null."""
    import polars as pl

    kept = layout.kept()
    names = [name if name in kept else f"\0{i}" for i, name in enumerate(layout.columns)]
    if not len(block):
        return pl.DataFrame(schema=dict.fromkeys(kept, pl.String))
    if block.data.startswith(BOM_UTF8):  # which the CSV reader would take away, but only there
        return _plainly_split(block, layout)
    frame = pl.read_csv(
        block.data,
        has_header=False,
        separator=layout.separator,
        quote_char=None,
        schema=dict.fromkeys(names, pl.String),
        null_values=list(MISSING),
        columns=[i for i, name in enumerate(names) if name in kept],
    )
    if frame.height != len(block):  # a line of nothing but separators, which the CSV reader may skip
        return _plainly_split(block, layout)
    return frame.select(list(kept))


def _plainly_split(block: LineBlock, layout: TextLayout) -> pl.DataFrame:
    import polars as pl

    rows = [block.data[a:b].decode().split(layout.separator) for a, b in zip(block.starts, block.ends, strict=True)]
    return pl.DataFrame([_present(column) for column in _frame_of_rows(rows, layout)])


def _quoted_rows(block: LineBlock, width: int, source: str, rejects: Rejects) -> tuple[list[list[str]], LineBlock]:
    """The fields of CSV lines with quotes; a quoted field ends in the line it begins in."""
    import csv

    import numpy as np

    rows, keep = [], np.zeros(len(block), np.bool_)
    bad: dict[str, list[int]] = {}
    for line in range(len(block)):
        text = block.data[block.starts[line] : block.ends[line]].decode()
        try:
            row = next(csv.reader([text], strict=True))
        except (csv.Error, StopIteration):
            bad.setdefault("quotes do not match", []).append(line)
            continue
        if len(row) != width:
            bad.setdefault(f"wrong number of fields; expected {width}", []).append(line)
            continue
        rows.append(row)
        keep[line] = True
    for reason, lines in bad.items():
        rejects.lines(source, block.numbers[lines].tolist(), None, reason, [block.text(line) for line in lines])
    return rows, block.where(keep)


def _frame_of_rows(rows: list[list[str]], layout: TextLayout) -> pl.DataFrame:
    import polars as pl

    kept = layout.kept()
    return pl.DataFrame(
        {name: pl.Series([row[layout.columns.index(name)] for row in rows], dtype=pl.String) for name in kept}
    )


# -- types ------------------------------------------------------------------------------------------------


def column_dtype(kind: str) -> pl.DataType:
    """The polars type of a column of type `kind`."""
    import polars as pl

    return {"int32": pl.Int32(), "protocol": pl.Int32(), "int64": pl.Int64()}.get(kind, pl.String())


def typed(
    frame: pl.DataFrame,
    types: Mapping[str, str],
    numbers: NDArray[np.int64],
    *,
    source: str,
    rejects: Rejects,
    extra: Sequence[str] = (),
    missing_are_null: bool = False,
) -> pl.DataFrame:
    """The columns of `types`, cast, and those of `extra`, as they are. `missing_are_null`: no other way is in there.

    Rows with a value that does not fit are rejected, by the first such column.
    `numbers` are the rows' line numbers. Columns may be strings, numbers, dictionaries, bytes or times (FL-55).
    """
    import numpy as np
    import polars as pl

    bad = np.zeros(frame.height, np.bool_)
    columns = []
    for name, kind in types.items():
        column = frame[name]
        present = column if missing_are_null or kind == AS_IT_IS else _present(column)
        value = _cast(present, kind)
        columns.append(value.alias(name))
        misfit = (present.is_not_null() & value.is_null()).to_numpy() & ~bad
        if misfit.any():
            lines = np.flatnonzero(misfit).tolist()
            found = [str(column[line]) for line in lines]
            rejects.lines(source, numbers[lines].tolist(), name, _COMPLAINTS.get(kind, "not text"), found)
            bad |= misfit
    result = pl.DataFrame([*columns, *(frame[name] for name in extra)])
    return result.filter(pl.Series(~bad)) if bad.any() else result


def _present(column: pl.Series) -> pl.Series:
    """The column as strings, numbers or times, with null for every way of writing "missing"."""
    import polars as pl

    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    elif column.dtype == pl.Binary:
        column = pl.Series(column.name, [_decoded(value) for value in column], dtype=pl.String)
    if column.dtype == pl.String:
        column = column.set(column.is_in(list(MISSING)), None)
    return column


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _cast(column: pl.Series, kind: str) -> pl.Series:
    """The column as `kind`; null where a value does not fit."""
    import polars as pl

    dtype = column_dtype(kind)
    if column.dtype == pl.Null:
        return column.cast(dtype)
    if dtype.is_integer():
        value = _integers(column, kind).cast(dtype, strict=False)
        return value.set(value == _NO_NUMBER, None) if kind == "int64" else value
    if column.dtype.is_nested():
        return pl.Series(column.name, [None] * len(column), dtype=pl.String)
    if kind == "account" and column.dtype.is_integer():
        return column.cast(pl.String).str.zfill(12)
    text = column.cast(pl.String, strict=False)
    return text.set(~text.is_in(list(_WORDS[kind])), None) if kind in _WORDS else text


def _integers(column: pl.Series, kind: str) -> pl.Series:
    import polars as pl

    if column.dtype == pl.String and column.cast(pl.Int64, strict=False).null_count() > column.null_count():
        column = column.str.replace(_WHOLE_FLOAT, "$1")
    if column.dtype == pl.String and kind == "protocol":
        frame = pl.DataFrame({"text": column})
        number = pl.col("text").cast(pl.Int64, strict=False)
        name = pl.col("text").str.to_lowercase().replace_strict(PROTOCOL_NUMBERS, default=None, return_dtype=pl.Int64)
        return frame.select(pl.coalesce(number, name)).to_series()
    if column.dtype.is_float() or column.dtype.is_decimal():
        whole = column.cast(pl.Float64)
        return whole.set((whole != whole.floor()) | ~whole.is_finite(), None).cast(pl.Int64, strict=False)
    if column.dtype == pl.Datetime:
        return column.dt.epoch("s")
    if column.dtype == pl.String or column.dtype.is_integer():
        return column.cast(pl.Int64, strict=False)
    return pl.Series(column.name, [None] * len(column), dtype=pl.Int64)


# -- records ----------------------------------------------------------------------------------------------


def without_empty_intervals(frame: pl.DataFrame, counts: ReadCounts) -> pl.DataFrame:
    """The records that are about traffic; NODATA and SKIPDATA ones are counted by interface (FL-20, FL-21)."""
    counts.lines += frame.height
    if "log_status" in frame.columns:
        status = frame["log_status"]
        for word, counter in (("NODATA", counts.nodata), ("SKIPDATA", counts.skipdata)):
            mine = (status == word).fill_null(False)
            if not mine.any():
                continue
            if "interface_id" in frame.columns:
                found = frame.filter(mine)["interface_id"].fill_null("-").value_counts(name="count")
                counter.update(dict(found.iter_rows()))
            else:
                counter["-"] += int(mine.sum())
        frame = frame.filter(~status.is_in(["NODATA", "SKIPDATA"]).fill_null(False))
    counts.records += frame.height
    return frame


def read_parquet(
    path: Place,
    types: Mapping[str, str],
    extra: Sequence[str],
    rejects: Rejects,
    row_groups: tuple[int, int] | None = None,
) -> Iterator[pl.DataFrame]:
    """Batches of the columns of `types`, typed, and of `extra`, as they are; bad rows go to the rejects.

    `row_groups`: only those from the first to before the second. A file damaged in the middle ends there, and says so
    in the rejects.
    """
    import numpy as np
    import polars as pl

    runs = partial(run_of, row_groups=row_groups) if row_groups else None
    for batch, first in parquet_batches(path, [*types, *extra], (), rejects, runs):
        try:
            frame = pl.from_arrow(batch)
        except pl.exceptions.PolarsError as error:
            rejects.file(str(path), f"damaged Parquet ({str(error).splitlines()[0][:100]})", first)
            return
        assert isinstance(frame, pl.DataFrame)
        numbers = first + np.arange(frame.height, dtype=np.int64)
        yield typed(frame, types, numbers, source=str(path), rejects=rejects, extra=extra)


def parquet_batches(
    path: Place,
    columns: Collection[str],
    words: Collection[str],
    rejects: Rejects,
    runs: RunsToRead | None = None,
    passed: int = 0,
) -> Iterator[tuple[Any, int]]:
    """Arrow batches of those `columns` that are there, named with `_`, each with the number of its first row.

    The columns of `words` come as dictionaries where they are strings. A damaged file ends where it is damaged, and
    says so in the rejects. `runs`: which row groups, see `rowgroups.runs_to_read`; None: all. The first `passed` rows
    are left out.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = 1
    try:
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:
            schema = file.schema_arrow
            own = zip(schema.names, own_names(schema.names), strict=True)
            names = {name: column if column in columns else None for name, column in own}
            wanted = [name for name, column in names.items() if column is not None]
            text = [name for name in wanted if names[name] in words and pa.types.is_string(schema.field(name).type)]
            with pq.ParquetFile(stream, read_dictionary=text) as again:
                known = {name: str(names[name]) for name in wanted}
                everything = [(1, list(range(again.num_row_groups)))]
                for begin, groups in everything if runs is None else runs(again, known):
                    first = begin
                    for batch in batches_of((again, file), PARQUET_ROWS, groups, wanted):
                        _check_codes(batch)
                        rest = batch.slice(min(passed, batch.num_rows))
                        first, passed = first + batch.num_rows - rest.num_rows, passed - batch.num_rows + rest.num_rows
                        yield rest.rename_columns([known[name] for name in batch.schema.names]), first
                        first += rest.num_rows
    except (pa.ArrowException, OSError) as error:
        rejects.file(str(path), f"damaged Parquet ({str(error).splitlines()[0][:100]})", first + passed)


def _check_codes(batch: Any) -> None:
    """Raises ArrowInvalid for codes that are beyond the dictionary, which a damaged file may have."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_dictionary(array.type):
            if pa.types.is_int32(array.indices.type) and not array.indices.null_count:  # a tenth of the time
                codes = array.indices.to_numpy().view(np.uint32)  # what is below 0 is beyond it, too
                if not codes.size or codes.max() < len(array.dictionary):
                    continue
            found = pc.min_max(array.indices).as_py()
            if found["max"] is not None and not 0 <= found["min"] <= found["max"] < len(array.dictionary):
                raise pa.ArrowInvalid(f"codes of {name} beyond its dictionary")
