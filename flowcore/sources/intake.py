"""What was read and what was not: the counts and the rejected lines every reader of flows adds to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

#: The columns of the rejects frame, and of the rejects file.
REJECT_COLUMNS = ("file", "line", "field", "reason", "found")

#: Characters of a rejected value or line that are kept.
FOUND_LENGTH = 200

#: Rejected lines kept in memory when nobody takes them; more are only counted.
MOST_REJECTS_KEPT = 100_000


@dataclass(slots=True)
class ReadCounts:
    """What was read so far, headers and blank lines left out.

    `lines == records + outside + nodata + skipdata + rejected`.
    """

    files: int = 0
    lines: int = 0
    """Lines of text, or rows of Parquet."""
    records: int = 0
    """Rows handed on in batches."""
    outside: int = 0
    """Records that were not asked for (see `places.Wanted`)."""
    row_groups_skipped: int = 0
    """Row groups of Parquet that cannot hold what is asked for, by their statistics: their rows count as outside."""
    nodata: Counter[str] = field(default_factory=Counter)
    """Interface id (or "-") -> NODATA records (FL-20)."""
    skipdata: Counter[str] = field(default_factory=Counter)
    """Interface id (or "-") -> SKIPDATA records: the results are a lower bound (FL-21)."""
    rejected: int = 0
    """Lines that could not be read."""
    damaged_files: int = 0
    """Files that could not be read, or not to their end; also in the rejects, without a line of their own."""
    unknown_fields: Counter[str] = field(default_factory=Counter)
    """Field name no version of flow logs knows -> files whose header has it. Such columns are left out."""


class Rejects:
    """Lines and files that could not be read, in the order met; kept here until `send_to` says where else."""

    def __init__(self, counts: ReadCounts) -> None:
        self._counts, self._kept = counts, 0
        self._frames: list[pl.DataFrame] = []
        self._sink: Callable[[pl.DataFrame], None] | None = None

    def send_to(self, sink: Callable[[pl.DataFrame], None]) -> None:
        """Gives `sink` what is kept, and from now on each frame of REJECT_COLUMNS as it arises."""
        kept, self._frames, self._sink = self._frames, [], sink
        for frame in kept:
            sink(frame)

    def lines(self, source: str, numbers: Sequence[int], column: str | None, reason: str, found: Sequence[str]) -> None:
        """Rejects the lines `numbers` (1 is the first) of `source`; `found` has one text for each."""
        self._counts.rejected += len(numbers)
        self._counts.lines += len(numbers)
        self._add(source, numbers, column, reason, found)

    def file(self, source: str, reason: str, line: int | None = None, found: str = "") -> None:
        """Says that `source` could not be read, or from `line` on not."""
        self._counts.damaged_files += 1
        self._add(source, [line], None, reason, [found])

    def frame(self) -> pl.DataFrame:
        """What was rejected and not given to a sink, at most MOST_REJECTS_KEPT rows."""
        import polars as pl

        return pl.concat([_reject_frame([], [], None, "", []), *self._frames])

    def _add(
        self, source: str, numbers: Sequence[int | None], column: str | None, reason: str, found: Sequence[str]
    ) -> None:
        if len(numbers) == 0:
            return
        frame = _reject_frame([source] * len(numbers), numbers, column, reason, found)
        if self._sink is not None:
            self._sink(frame)
        elif self._kept < MOST_REJECTS_KEPT:
            self._frames.append(frame.head(MOST_REJECTS_KEPT - self._kept))
            self._kept += len(numbers)


def _reject_frame(
    sources: Sequence[str], numbers: Sequence[int | None], column: str | None, reason: str, found: Sequence[str]
) -> pl.DataFrame:
    import polars as pl

    count = len(sources)
    return pl.DataFrame(
        {
            "file": pl.Series(sources, dtype=pl.String),
            "line": pl.Series(list(numbers), dtype=pl.Int64),
            "field": pl.Series([column] * count, dtype=pl.String),
            "reason": pl.Series([reason] * count, dtype=pl.String),
            "found": pl.Series([text[:FOUND_LENGTH] for text in found], dtype=pl.String),
        }
    )
