"""Digests: months of flow log records folded into distinct flows, small enough for a what-if in CI.

A digest has one row for each interface, 5-tuple, action and what else decides how a record is judged, with the packets,
bytes and records it stands for and the first and last second they were seen. It is read wherever flows are read, and a
digest of digests is the digest of all their records.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from . import logkernels as k
from .errors import InputError
from .pipeline_output import VerdictWriter, hidden, is_single, writing
from .pipeline_run import GROUP_ROWS, Progress
from .pipeline_summary import Summary
from .sources.flowlogs import DIGEST_COLUMNS, LOG_COLUMNS, column_dtype
from .sources.flows import WINDOW, FlowFile, FlowReader, Sources, open_flows
from .sources.groups import GroupColumns, GroupReader, RowGroup

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from .sources.places import Wanted

#: What tells two flows of a digest apart: all that decides how a record is judged, and whose it is; in a digest with
#: time windows also the window. Of `tcp_flags` only who opened is kept, as one value: 2 the source, 18 the
#: destination, 0 not seen.
KEYS: tuple[str, ...] = (
    "account_id", "region", "vpc_id", "subnet_id", "interface_id", "interface_type", "resource_id", "tgw_id",
    "tgw_attachment_id", "srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "srcport", "dstport", "protocol",
    "flow_direction", "action", "reject_reason", "window_start",
)  # fmt: skip
SUMS = ("packets", "bytes", "records")

#: Distinct flows are spread over so many files while they are collected; one of them is in memory at a time.
_FILES = 64
#: Rows held before they are spread.
_HELD_ROWS = 1 << 20

#: Seconds; about 68 years.
_LONGEST_WINDOW = (1 << 31) - 1


def digest_logs(
    sources: Sources,
    out: str | os.PathLike[str],
    *,
    log_format: str | None = None,
    window: int | None = None,
    wanted: Wanted | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Folds the flow logs and digests in `sources` into one digest, the Parquet file `out`; what was read comes back.

    The columns are those of KEYS that the sources have, `tcp_flags`, then `packets`, `bytes`, `records`, `first` and
    `last` (Unix seconds). `window`: seconds; then a flow has a row for each time window, and `window_start` is the
    first second of the window (Unix seconds, a multiple of `window`) in which its records start, null for records
    without a start. Digests with windows fold together if these are of one length; `window` need not be given then.
    Rows and bytes are the same for any order and split of the same records. Lines that cannot be read go to
    `OUT.rejects.csv`. Memory: one 64th of the distinct flows, and a million rows.
    Raises InputError for sources that are no flow logs, for digests with other windows, and for an `out` that is not a
    digest, unless `overwrite`.
    """
    place = Path(out)
    if not is_single(place):
        raise InputError("not a Parquet file", source=place, expected="a name that ends in .parquet")
    options: dict[str, Any] = {} if wanted is None else {"wanted": wanted}
    reader = open_flows(sources, log_format=log_format, exclude=[place], **options)
    tables = [file.path for file in reader.files() if file.kind != "log"]
    if tables:
        raise InputError("a table of flows cannot be folded", source=tables[0], expected="flow logs and digests")
    window = _common_window(reader.files(), window)
    columns = reader.columns()
    keys = [name for name in KEYS if name in columns or (name == "window_start" and window)]
    if "tcp_flags" in columns:
        keys.append("tcp_flags")
    kinds = {name: column_dtype(LOG_COLUMNS[name].type) for name in (*keys, *SUMS, "first", "last")}
    with _DigestWriter(place, kinds, overwrite=overwrite) as writer:
        writer.notes = {WINDOW: str(window)} if window else {}
        reader.rejects.send_to(writer.write_rejects)
        with writing(place):
            fold = _Fold(hidden(place, "folding"), keys)
        try:
            for frame in _folded(reader, keys, window, progress):
                with writing(place):
                    fold.add(frame)
            for frame in fold.result():
                writer.write(frame.select(list(kinds)))
        finally:
            fold.remove()
    return Summary.of_reading(reader.counts)


class _DigestWriter(VerdictWriter):
    """A digest is written as a verdict dataset is, under a mark of its own."""

    mark = "digest"


def _common_window(files: Sequence[FlowFile], window: int | None) -> int | None:
    """The seconds of the time windows of a digest of `files`, None for no windows. Raises InputError if they differ."""
    if window is not None and not 1 <= window <= _LONGEST_WINDOW:
        expected = f"a number of seconds, 1 to {_LONGEST_WINDOW}"
        raise InputError("not the length of a time window", where="window", found=window, expected=expected)
    digests = [file for file in files if set(file.columns) >= DIGEST_COLUMNS]
    with_windows = [file for file in digests if "window_start" in file.columns]
    logs = [file for file in files if file not in digests]
    if window is None and with_windows:
        window = with_windows[0].window
        if window is None:
            hint = "give the window it was made with"
            raise InputError("does not say how long its time windows are", source=with_windows[0].path, hint=hint)
        if logs:
            hint = f"give the window, {window} seconds, to fold the logs so too"
            raise InputError("a digest with time windows beside flow logs", source=with_windows[0].path, hint=hint)
    for file in digests if window else []:
        found = f"windows of {file.window} seconds" if file.window else "no time windows"
        if file not in with_windows or file.window not in (None, window):
            hint = "fold the flow logs again, with the same window"
            raise InputError(
                "a digest with other time windows",
                source=file.path,
                found=found,
                expected=f"windows of {window} seconds",
                hint=hint,
            )
    if logs and window and not any("start" in file.columns for file in logs):
        raise InputError("no field says when a record starts", source=logs[0].path, expected="the field start")
    return window


def _folded(
    reader: FlowReader, keys: Sequence[str], window: int | None, progress: Callable[[Progress], None] | None
) -> Iterator[pl.DataFrame]:
    """Each row group of the logs, folded by itself."""
    started, sizes = perf_counter(), [file.identity.size for file in reader.files()]
    types = {name: kind for file in reader.files() for name, kind in file.types.items() if name in file.columns}
    used = {*keys, *SUMS, "first", "last", "start", "end", "log_status"}
    columns = GroupColumns({name: types[name] for name in reader.columns() if name in types and name in used})
    groups = GroupReader(columns, reader.counts, reader.rejects, wanted=reader.wanted, group_rows=GROUP_ROWS)
    for group in groups.read(sorted(reader.files(), key=lambda file: str(file.path))):
        yield _fold_group(group, keys, window)
        if progress is not None:
            counts = reader.counts
            done = sum(sizes[: max(counts.files - 1, 0)])
            numbers = counts.lines, counts.records, counts.files
            progress(Progress(*numbers, done, sum(sizes), perf_counter() - started))


def _fold_group(group: RowGroup, keys: Sequence[str], window: int | None) -> pl.DataFrame:
    """The distinct flows of a row group: grouped by the codes of words, which get their text afterwards."""
    import polars as pl

    words = [name for name in keys if name in group.columns.words]
    series = [pl.Series(name, group.codes(name)) for name in words]
    if window:
        series.append(_nullable("window_start", _windows(group, window)))
    numbers = [name for name in keys if name in group.columns.numbers and name not in ("tcp_flags", "window_start")]
    series += [_nullable(name, group.numbers(name)) for name in numbers]
    if "tcp_flags" in keys:
        series.append(pl.Series("tcp_flags", _opening(group)))
    has = group.columns.types
    for name, source in (("packets", "packets"), ("bytes", "bytes"), ("records", "records"),
                         ("first", "first"), ("last", "last"), ("start", "start"), ("end", "end")):  # fmt: skip
        if source in has:
            series.append(_nullable(name, group.numbers(source)))
    frame = pl.DataFrame(series)
    first, last = (
        pl.coalesce(pl.col(name) for name in names if name in frame.columns) if set(names) & set(frame.columns)
        else pl.lit(None, pl.Int64) for names in (("first", "start"), ("last", "end"))
    )  # fmt: skip
    frame = frame.with_columns(
        first.alias("first"), last.alias("last"),
        pl.col("records").fill_null(1) if "records" in has else pl.lit(1, pl.Int64).alias("records"),
        *(pl.lit(0, pl.Int64).alias(name) for name in ("packets", "bytes") if name not in has),
    )  # fmt: skip
    found = _summed(frame.lazy(), keys).collect()
    text = [
        pl.Series(name, [*group.strings(name), None], dtype=pl.String).gather(
            found[name].cast(pl.Int64).replace(-1, group.count(name)).cast(pl.UInt32)
        )
        for name in words
    ]
    return found.with_columns(text)


def _summed(frame: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """The rows with equal keys as one. The smallest tcp_flags but 0 wins: 2 before 18 before 0 before unknown."""
    import polars as pl

    sums = [pl.col(name).cast(pl.Int128).sum().clip(-_MOST - 1, _MOST).cast(pl.Int64) for name in SUMS]
    apart = [name for name in keys if name != "tcp_flags"]
    if "tcp_flags" in keys:
        rank = pl.col("tcp_flags").replace(0, 99).min().replace(99, 0).cast(pl.Int32)
        return frame.group_by(apart).agg(rank, *sums, pl.col("first").min(), pl.col("last").max())
    return frame.group_by(apart).agg(*sums, pl.col("first").min(), pl.col("last").max())


_MOST = (1 << 63) - 1


def _opening(group: RowGroup) -> Any:
    """2, 18 or 0 by who opened (FL-61), null where no flags are logged or they are a transit gateway's."""
    import polars as pl

    flags = group.numbers("tcp_flags")
    missing = flags == k.MISSING
    if "tgw_id" in group.columns.types:
        missing = missing | (group.codes("tgw_id") >= 0)
    opened = np.where(flags & k.SYN, np.where(flags & k.ACK, 18, 2), 0).astype(np.int32)
    return pl.Series(opened).set(pl.Series(missing), None)


def _windows(group: RowGroup, window: int) -> NDArray[np.int64]:
    """The first second of the window each record starts in, or of the window a digest says; MISSING if unknown."""
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


def _nullable(name: str, values: Any) -> pl.Series:
    import polars as pl

    series = pl.Series(name, values)
    missing = values == k.MISSING
    return series.set(pl.Series(missing), None) if missing.any() else series


class _Fold:
    """Distinct flows on disk, spread over files by their ports, so that each file can be folded in memory."""

    def __init__(self, folder: Path, keys: Sequence[str]) -> None:
        self._folder, self._keys = folder, list(keys)
        self._held: list[pl.DataFrame] = []
        self._rows = self._spread = 0
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)

    def add(self, frame: pl.DataFrame) -> None:
        """Adds rows."""
        self._held.append(frame)
        self._rows += frame.height
        if self._rows >= _HELD_ROWS:
            self._write()

    def _write(self) -> None:
        import polars as pl

        if not self._held:
            return
        rows = _summed(pl.concat(self._held).lazy(), self._keys).with_columns(_file_of(self._keys)).collect()
        for (number,), part in rows.group_by("file"):
            part.drop("file").write_parquet(self._folder / f"{number}-{self._spread}.parquet", compression="lz4")
        self._held, self._rows, self._spread = [], 0, self._spread + 1

    def result(self) -> Iterator[pl.DataFrame]:
        """The distinct flows in their order: by file, then by key."""
        import polars as pl

        self._write()
        for number in range(_FILES):
            paths = sorted(self._folder.glob(f"{number}-*.parquet"))
            if paths:
                yield _summed(pl.scan_parquet(paths), self._keys).collect().sort(self._keys, nulls_last=False)

    def remove(self) -> None:
        """Removes the files."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _file_of(keys: Sequence[str]) -> pl.Expr:
    import polars as pl

    weights: Mapping[str, int] = {"srcport": 31, "dstport": 7, "protocol": 1}
    parts = [pl.col(name).cast(pl.Int64).fill_null(0).mod(65536) * w for name, w in weights.items() if name in keys]
    return (pl.sum_horizontal(parts) if parts else pl.lit(0, pl.Int64)).mod(_FILES).alias("file")
