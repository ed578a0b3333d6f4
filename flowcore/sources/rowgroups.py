"""Which row groups of a Parquet file can hold records that are asked for, told by the statistics in its footer.

A row group that cannot is never read: its rows count as outside, as they would one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .intake import ReadCounts
    from .places import Wanted

#: Columns of the time of a record: of a digest, of a flow log.
_ENDS, _STARTS = ("last", "end"), ("first", "start")


def run_of(file: Any, _: Mapping[str, str], row_groups: tuple[int, int]) -> Iterator[tuple[int, Any]]:
    """The row groups of a piece of a file, as `runs_to_read` gives them."""
    first, stop = row_groups
    yield 1 + _rows_before(file.metadata, first), list(range(first, min(stop, file.num_row_groups)))


def run_of_all(file: Any, _: Mapping[str, str]) -> Iterator[tuple[int, Any]]:
    """All row groups of a file, as `runs_to_read` gives them."""
    yield 1, list(range(file.num_row_groups))


def _rows_before(metadata: Any, number: int) -> int:
    return sum(metadata.row_group(n).num_rows for n in range(min(number, metadata.num_row_groups)))


def batches_of(files: tuple[Any, Any], rows: int, row_groups: list[int], columns: list[str]) -> Iterator[Any]:
    """Batches of `rows` rows of the first file; of the second from where pyarrow cannot read the first.

    They are one file, opened twice: words in encodings without a dictionary are not read as dictionaries.
    """
    import pyarrow as pa

    given = 0
    try:
        for batch in files[0].iter_batches(rows, row_groups=row_groups, columns=columns):
            yield batch
            given += batch.num_rows
    except (pa.ArrowNotImplementedError, OSError) as error:
        if "implemented" not in str(error):
            raise
        for batch in files[1].iter_batches(rows, row_groups=row_groups, columns=columns):
            rest = batch.slice(min(given, batch.num_rows))
            given -= batch.num_rows - rest.num_rows
            if rest.num_rows:
                yield rest


def runs_to_read(
    file: Any,
    names: Mapping[str, str],
    wanted: Wanted,
    counts: ReadCounts,
    row_groups: tuple[int, int] | None = None,
) -> Iterator[tuple[int, Any]]:
    """Row groups to read, those that follow one another together: (number of the first row, numbers of row groups).

    `file`: a pyarrow ParquetFile; `names`: its column names -> ours. Rows of the others are counted as outside. Groups
    that may hold NODATA or SKIPDATA are read, for these are counted wherever they are. `row_groups`: only those from
    the first to before the second.
    """
    metadata = file.metadata
    places = {names[name]: place for place, name in enumerate(metadata.schema.names) if name in names}
    begin, stop = row_groups or (0, metadata.num_row_groups)
    row = first = 1 + _rows_before(metadata, begin)
    run = list[int]()
    for number in range(begin, min(stop, metadata.num_row_groups)):
        group = metadata.row_group(number)
        if wanted and not _may_hold(group, places, wanted):
            counts.lines += group.num_rows
            counts.outside += group.num_rows
            counts.row_groups_skipped += 1
            if run:
                yield first, run
            first, run = row + group.num_rows, []
        else:
            run.append(number)
        row += group.num_rows
    if run:
        yield first, run


def _may_hold(group: Any, places: Mapping[str, int], wanted: Wanted) -> bool:
    if "log_status" in places and _bounds(group, places["log_status"], str) != ("OK", "OK"):
        return True
    for name, words in wanted.words().items():
        if name in places and (bounds := _bounds(group, places[name], str)):
            low, high = bounds
            if not any(low <= word <= high for word in words):
                return False
    for columns, asked, is_end in ((_ENDS, wanted.since, True), (_STARTS, wanted.until, False)):
        place = next((places[column] for column in columns if column in places), None)
        if place is not None and asked is not None and (bounds := _bounds(group, place, int)):
            low, high = bounds
            if high < asked if is_end else low >= asked:
                return False
    return True


def _bounds(group: Any, place: int, kind: type) -> tuple[Any, Any] | None:
    """The least and the greatest value of a column of a row group, None if the footer does not say."""
    import pyarrow as pa

    try:
        statistics = group.column(place).statistics
        if statistics is None or not statistics.has_min_max:
            return None
        low, high = statistics.min, statistics.max
    except (pa.ArrowException, OSError, ValueError):  # of a type pyarrow makes nothing of, or not text
        return None
    return (low, high) if type(low) is kind and type(high) is kind else None
