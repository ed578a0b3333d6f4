"""What `capacity` is given, as one kind of frame: judged flow log records and flows, with when and how much.

Files of logs go the fast way of `evaluate`, as columns of codes; tables of flows, and frames, through frames. Files are
taken in the order of their names and logs in groups of GROUP_ROWS, so that nothing depends on how they were given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import logkernels as k
from ..columns import as_frame
from ..errors import FlowError
from ..evaluate import Evaluator
from ..pipeline_columns import ColumnJudge
from ..pipeline_parquet import Repeated, Words
from ..pipeline_records import RecordJudge, _canonical
from ..pipeline_run import GROUP_ROWS, Progress
from ..schema import PROTOCOL_NUMBERS, TCP
from ..sources.flowlogs import DIGEST_COLUMNS, RECORD_COLUMNS, is_transit_gateway, without_empty_intervals
from ..sources.flows import FlowFile, FlowReader, Sources, open_flows
from ..sources.groups import GroupColumns, GroupReader
from ..sources.intake import ReadCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from ..pipeline_parquet import Column
    from ..sources.places import Wanted

#: Columns of a judged frame that are text, and those that are numbers; what a source lacks is null.
_TEXT = (
    "interface_id", "resource_id", "srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "action", "tgw_attachment_id",
    "pkt_src_aws_service", "pkt_dst_aws_service", "direction", "initiator", "observed_at", "verdict", "forward",
    "reason", "path", "src_interface", "dst_interface", "route", "reply_route",
)  # fmt: skip
_NUMBERS = (
    "srcport", "dstport", "protocol", "tcp_flags", "packets", "bytes", "records", "start", "end", "first", "last",
    "first_seen", "last_seen",
)  # fmt: skip

#: A record of a log spans no more than its aggregation interval (FL-03), and its times may be a minute off.
LONGEST_RECORD = 720


class CapacityInput:
    """The flows, judged by each of the evaluators, batch by batch: `batches` gives a frame for each evaluator.

    Columns of a frame: `kind` (log, table), `sender` (the packet came from the end that opened), the conversation's
    srcaddr, dstaddr, srcport, dstport and protocol, `opens`, packets, bytes, records, first and last second (null: not
    known, or too far apart to say when), the window they begin in, and those of the judgement.
    """

    def __init__(
        self,
        given: Sources | Any,
        evaluators: Sequence[Evaluator],
        window: int,
        *,
        log_format: str | None = None,
        wanted: Wanted | None = None,
    ) -> None:
        self._evaluators, self._window = evaluators, window
        self._frame: pl.DataFrame | None = None
        self.counts = ReadCounts()
        self._reader: FlowReader | None = None
        if _is_sources(given):
            options: dict[str, Any] = {} if wanted is None else {"wanted": wanted}
            self._reader = open_flows(given, log_format=log_format, **options)
            self.counts = self._reader.counts
        else:
            self._frame = as_frame(given)

    def batches(self, progress: Callable[[Progress], None] | None = None) -> Iterator[list[pl.DataFrame]]:
        """The flows judged by each evaluator."""
        if self._reader is None:
            yield from self._of_frame()
            return
        started = perf_counter()
        files = sorted(self._reader.files(), key=lambda file: str(file.path))
        sizes = [file.identity.size for file in files]
        for frames in self._of_files(files):
            yield frames
            if progress is not None:
                done = sum(sizes[: max(self.counts.files - 1, 0)])
                counts = self.counts.lines, self.counts.records, self.counts.files
                progress(Progress(*counts, done, sum(sizes), perf_counter() - started))

    # -- frames and tables -------------------------------------------------------------------------------

    def _of_frame(self) -> Iterator[list[pl.DataFrame]]:

        frame = self._frame
        assert frame is not None
        columns = tuple(frame.columns)
        is_log = (
            bool(RECORD_COLUMNS.intersection(columns)) or {*columns} >= DIGEST_COLUMNS or is_transit_gateway(columns)
        )
        is_log = is_log and "src_interface_id" not in columns
        judges = [RecordJudge(evaluator) for evaluator in self._evaluators] if is_log else []
        for offset in range(0, frame.height, GROUP_ROWS):
            part = frame[offset : offset + GROUP_ROWS]
            if is_log:
                if "log_status" in part.columns:
                    part = without_empty_intervals(part, self.counts)
                yield [self._judged(judge.judge(part), "log") for judge in judges]
            else:
                self.counts.lines += part.height
                self.counts.records += part.height
                yield [self._judged(_with_texts(evaluator.evaluate(part)), "table") for evaluator in self._evaluators]

    def _of_files(self, files: list[FlowFile]) -> Iterator[list[pl.DataFrame]]:
        assert self._reader is not None
        for batch in self._reader.of([file for file in files if file.kind == "table"], self.counts):
            yield [self._judged(evaluator.evaluate(batch.frame), "table") for evaluator in self._evaluators]
        logs = [file for file in files if file.kind == "log"]
        if not logs:
            return
        types: dict[str, str] = {}
        for file in logs:
            types.update({name: kind for name, kind in file.types.items() if name in file.columns})
        known = {name: types[name] for name in self._reader.columns() if name in types}
        groups = GroupReader(
            GroupColumns(known), self.counts, self._reader.rejects, wanted=self._reader.wanted, group_rows=GROUP_ROWS
        )
        judges = [ColumnJudge(evaluator) for evaluator in self._evaluators]
        names = {*_TEXT, *_NUMBERS}
        for group in groups.read(logs):
            yield [self._judged(_as_frame(judge.judge(group)[0], names), "log") for judge in judges]

    # -- one frame ---------------------------------------------------------------------------------------

    def _judged(self, frame: pl.DataFrame, kind: str) -> pl.DataFrame:
        """The columns capacity works with; see the class."""
        import polars as pl

        frame = _known_columns(frame)
        swapped = pl.col("initiator").str.starts_with("destination-").fill_null(False)
        source, destination = (pl.coalesce(f"pkt_{name}", name) for name in ("srcaddr", "dstaddr"))
        first = pl.coalesce("first", "first_seen", "start")
        last = pl.max_horizontal(first, pl.coalesce("last", "last_seen", "end"))
        dated = last - first <= self._window + LONGEST_RECORD
        shown = frame.with_columns(
            kind=pl.lit(kind), sender=~swapped, logged_src="srcaddr", logged_dst="dstaddr",
            logged_srcport="srcport", logged_dstport="dstport",
            srcaddr=pl.when(swapped).then(destination).otherwise(source),
            dstaddr=pl.when(swapped).then(source).otherwise(destination),
            srcport=pl.when(swapped).then("dstport").otherwise("srcport"),
            dstport=pl.when(swapped).then("srcport").otherwise("dstport"),
            opens=pl.col("tcp_flags").is_null() | (pl.col("tcp_flags") & k.SYN != 0) | (pl.col("protocol") != TCP),
            packets=pl.col("packets").fill_null(0), records=pl.col("records").fill_null(1),
            sized=pl.col("bytes").is_not_null(), bytes=pl.col("bytes").fill_null(0),
            first=pl.when(dated).then(first), last=pl.when(dated).then(last),
            window=pl.when(dated).then(first // self._window * self._window),
        )  # fmt: skip
        return shown.with_columns(_canonical(shown["srcaddr"]), _canonical(shown["dstaddr"]))


def _is_sources(given: Any) -> bool:
    if isinstance(given, str | os.PathLike):
        return True
    return isinstance(given, list | tuple) and all(isinstance(each, str | os.PathLike) for each in given)


def _with_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Addresses given as numbers or bytes, and protocols given as names, as a log has them."""
    from ipaddress import ip_address

    import polars as pl

    changed = []
    for name in ("srcaddr", "dstaddr"):
        column = frame[name]
        if column.dtype == pl.Binary or column.dtype.is_integer():
            texts = {value: _text(ip_address, value) for value in column.unique().to_list()}
            changed.append(pl.Series(name, [texts[value] for value in column.to_list()], dtype=pl.String))
    return frame.with_columns(changed)


def _text(parse: Callable[[Any], Any], value: Any) -> str | None:
    try:
        return None if value is None else str(parse(value))
    except ValueError:
        return None


def _known_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of _TEXT and _NUMBERS, typed; `-` and what is not there null."""
    import polars as pl

    def text(name: str) -> pl.Expr:
        if name not in frame.columns:
            return pl.lit(None, pl.String).alias(name)
        value = pl.col(name).cast(pl.String)
        return pl.when(~value.is_in(["-", ""])).then(value).alias(name)

    def number(name: str) -> pl.Expr:
        if name not in frame.columns:
            return pl.lit(None, pl.Int64).alias(name)
        dtype = frame.schema[name]
        if dtype == pl.Datetime:
            return pl.col(name).dt.epoch("s").alias(name)
        if dtype.is_numeric() or dtype == pl.Null:
            return pl.col(name).cast(pl.Int64, strict=False).alias(name)
        value = pl.col(name).cast(pl.String)
        found = value.cast(pl.Int64, strict=False)
        if name == "protocol":
            named = value.str.to_lowercase().replace_strict(PROTOCOL_NUMBERS, default=None, return_dtype=pl.Int64)
            found = pl.coalesce(found, named)
        return found.alias(name)

    try:
        rows = frame.with_row_index("__row")  # literals alone would be one row
        return rows.select("__row", *map(text, _TEXT), *map(number, _NUMBERS)).drop("__row")
    except pl.exceptions.PolarsError as error:
        raise FlowError(f"a column has an unusable type: {error}".splitlines()[0]) from None


def _as_frame(columns: Mapping[str, Column], names: set[str]) -> pl.DataFrame:
    """Columns of codes and numbers as a frame."""
    import polars as pl

    series = []
    for name, given in columns.items():
        if name not in names:
            continue
        column = given.by_row() if isinstance(given, Repeated) else given
        if isinstance(column, Words):
            codes = column.codes.astype(np.int64)
            valid = (codes >= 0) & (codes < column.count)
            used, places = np.unique(codes[valid], return_inverse=True)
            offsets, data = column.words(used)
            raw = data.tobytes()
            words = [raw[a:b].decode() for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
            index = np.full(codes.size, len(words), np.uint32)
            index[valid] = places
            series.append(pl.Series(name, [*words, None], dtype=pl.String).gather(pl.Series(index)))
        else:
            values = pl.Series(name, column.values)
            missing = column.values == k.MISSING
            series.append(values.set(pl.Series(missing), None) if missing.any() else values)
    return pl.DataFrame(series)


__all__ = ["LONGEST_RECORD", "CapacityInput"]
