"""Digests: months of flow log records folded into distinct flows, small enough for a what-if in CI.

A digest has one row for each interface, 5-tuple, action and what else decides how a record is judged, with the packets,
bytes and records it stands for and the first and last second they were seen. It is read wherever flows are read, and a
digest of digests is the digest of all their records.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .digest_flows import TOTALS, Fold
from .errors import InputError
from .pipeline_lock import alone
from .pipeline_output import ColumnWriter, hidden, is_single, place_of, writing
from .pipeline_run import GROUP_ROWS, Progress, _read_ahead
from .pipeline_summary import Summary
from .sources.flowlogs import DIGEST_COLUMNS, LOG_COLUMNS, column_dtype
from .sources.flows import WINDOW, FlowFile, FlowReader, Sources, open_flows
from .sources.groups import GroupColumns, GroupReader

if TYPE_CHECKING:
    from .sources.places import Wanted

#: What tells two flows of a digest apart: all that decides how a record is judged, and whose it is; in a digest with
#: time windows also the window. Of `tcp_flags` only who opened is kept, as one value: 2 the source, 18 the
#: destination, 0 not seen.
KEYS: tuple[str, ...] = (
    "account_id", "region", "vpc_id", "subnet_id", "interface_id", "interface_type", "resource_id", "tgw_id",
    "tgw_attachment_id", "srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "srcport", "dstport", "protocol",
    "flow_direction", "action", "reject_reason", "window_start",
)  # fmt: skip

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
    `out` itself is folded in if it is named; where a folder or a glob holds it, it is left out and replaced.
    Rows and bytes are the same for any order and split of the same records. Lines that cannot be read go to
    `OUT.rejects.csv`. Memory: a million flows, or a 64th of the distinct ones if that is more.
    Raises InputError for sources that are no flow logs, for digests with other windows, and for an `out` that is not a
    digest, unless `overwrite`.
    """
    place = place_of(out)
    if not is_single(place):
        raise InputError("not a Parquet file", source=place, expected="a name that ends in .parquet")
    options: dict[str, Any] = {} if wanted is None else {"wanted": wanted}
    reader = open_flows(sources, log_format=log_format, exclude=[place], **options)
    tables = [file.path for file in reader.files() if file.kind != "log"]
    if tables:
        raise InputError("a table of flows cannot be folded", source=tables[0], expected="flow logs and digests")
    window = _common_window(reader.files(), window)
    columns = reader.columns()
    types = {name: LOG_COLUMNS[name].type for name in KEYS if name in columns or (name == "window_start" and window)}
    kinds = {name: column_dtype(kind) for name, kind in types.items()}
    if "tcp_flags" in columns:
        kinds["tcp_flags"] = column_dtype("int32")
    kinds |= dict.fromkeys(TOTALS, column_dtype("int64"))
    with alone(place), _DigestWriter(place, kinds, overwrite=overwrite) as writer:
        writer.notes = {WINDOW: str(window)} if window else {}
        reader.rejects.send_to(writer.write_rejects)
        with writing(place):
            fold = Fold(hidden(place, "folding"), types, GROUP_ROWS, flags="tcp_flags" in columns, window=window)
        try:
            _fold(reader, fold, types, place, progress)
            with writing(place):
                for found, rows in fold.result():
                    writer.write_columns(found, rows)
        finally:
            fold.remove()
    return Summary.of_reading(reader.counts)


class _DigestWriter(ColumnWriter):
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


def _fold(
    reader: FlowReader,
    fold: Fold,
    types: Mapping[str, str],
    place: Path,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Adds all records; the next row group is read while one is folded."""
    started, sizes = perf_counter(), [file.identity.size for file in reader.files()]
    known = {name: kind for file in reader.files() for name, kind in file.types.items() if name in file.columns}
    used = {*types, "tcp_flags", *TOTALS, "start", "end", "log_status"}
    columns = GroupColumns({name: known[name] for name in reader.columns() if name in known and name in used})
    groups = GroupReader(columns, reader.counts, reader.rejects, wanted=reader.wanted, group_rows=GROUP_ROWS)
    groups.add_group()
    for group in _read_ahead(groups.read(sorted(reader.files(), key=lambda file: str(file.path)))):
        with writing(place):
            fold.add(group)
        if progress is not None:
            counts = reader.counts
            done = sum(sizes[: max(counts.files - 1, 0)])
            numbers = counts.lines, counts.records, counts.files
            progress(Progress(*numbers, done, sum(sizes), perf_counter() - started))
