"""Connections counted exactly: distinct ones for each resource, time window and destination, in bounded memory.

What is too much for memory is spread over files, each of which holds all of its windows, and counted file by file.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

#: Distinct connections held before they are written to files, and the number of files.
_HELD_ROWS = 1 << 22
_FILES = 64

_KEYS = ("resource", "window", "destination", "connection")


class Connections:
    """Distinct connections. `add` takes columns resource, window, destination, connection (hashes) and opens."""

    def __init__(self, held_rows: int = _HELD_ROWS) -> None:
        self._most = held_rows
        self._held: list[pl.DataFrame] = []
        self._rows = self._spread = 0
        self._folder: TemporaryDirectory[str] | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Adds connections; those known already do not count again."""
        if not frame.height:
            return
        found = _distinct(frame)
        self._held.append(found)
        self._rows += found.height
        if self._rows >= self._most:
            import polars as pl

            self._held = [_distinct(pl.concat(self._held))]
            self._rows = self._held[0].height
            if self._rows >= self._most // 2:
                self._write()

    def _write(self) -> None:
        import polars as pl

        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="flowcore-capacity-")
        number = (pl.col("resource").cast(pl.Int64) * 7919 + pl.col("window") // 60).mod(_FILES).alias("file")
        for (file,), part in pl.concat(self._held).with_columns(number).group_by("file"):
            part.drop("file").write_parquet(Path(self._folder.name) / f"{file}-{self._spread}.parquet")
        self._held, self._rows, self._spread = [], 0, self._spread + 1

    def counts(self) -> pl.DataFrame:
        """Rows of resource, window and destination with `connections` and `opened`, sorted. Ends the collection."""
        import polars as pl

        parts = [_counted(part) for part in self._parts()]
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        empty = {"resource": pl.Int32, "window": pl.Int64, "destination": pl.UInt64, "connections": pl.Int64,
                 "opened": pl.Int64}  # fmt: skip
        if not parts:
            return pl.DataFrame(schema=empty)
        return pl.concat(parts).sort("resource", "window", "destination")

    def _parts(self) -> Iterator[pl.DataFrame]:
        import polars as pl

        if self._folder is None:
            if self._held:
                yield _distinct(pl.concat(self._held))
            self._held = []
            return
        if self._held:
            self._write()
        for number in range(_FILES):
            paths = sorted(Path(self._folder.name).glob(f"{number}-*.parquet"))
            if paths:
                yield _distinct(pl.read_parquet(paths))


def _distinct(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return frame.group_by(_KEYS).agg(pl.col("opens").any())


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return frame.group_by("resource", "window", "destination").agg(
        pl.len().cast(pl.Int64).alias("connections"), pl.col("opens").sum().cast(pl.Int64).alias("opened")
    )


def in_windows(frame: pl.DataFrame, window: int) -> pl.DataFrame:
    """A row for each window from that of `first` to that of `last`; it opens in the one it begins in only."""
    import polars as pl

    begins, ends = pl.col("first") // window * window, pl.col("last") // window * window
    single = frame.select((begins != ends).any()).item()
    spread = frame.with_columns(begins=begins, window=begins)
    if single:
        spread = frame.with_columns(begins=begins, window=pl.int_ranges(begins, ends + 1, window)).explode("window")
    return spread.with_columns(opens=pl.col("opens") & (pl.col("window") == pl.col("begins"))).drop("begins")


def over_time(rows: pl.DataFrame, window: int) -> pl.DataFrame:
    """Rows with bytes, packets, records and unsized, their bytes and packets laid evenly over the seconds from `first`
    to `last`: a row for each window these touch. All sums stay what they are; records count where they begin.
    """
    import polars as pl

    end = pl.max_horizontal("last", pl.col("first") + 1)
    begins, ends = pl.col("first") // window * window, (end - 1) // window * window
    crosses = (begins != ends).fill_null(False)
    if not rows.select(crosses.any()).item():
        return rows.drop("first", "last")
    within, beyond = rows.filter(~crosses), rows.filter(crosses)
    spread = beyond.with_columns(begins=begins, end=end, window=pl.int_ranges(begins, ends + 1, window)).explode(
        "window"
    )
    seconds = pl.col("end") - pl.col("first")
    since = pl.max_horizontal("window", "first") - pl.col("first")
    until = pl.min_horizontal(pl.col("window") + window, "end") - pl.col("first")
    parts = [  # bytes times seconds may need more than 64 bits
        (size * until // seconds - size * since // seconds).cast(pl.Int64).alias(name)
        for name in ("bytes", "packets")
        for size in (pl.col(name).cast(pl.Int128),)
    ]
    once = [
        pl.when(pl.col("window") == pl.col("begins")).then(name).otherwise(0).alias(name)
        for name in ("records", "unsized")
    ]
    return pl.concat([within, spread.with_columns(*parts, *once).select(within.columns)]).drop("first", "last")


def hashed(*names: str) -> Any:
    """A 64-bit hash of some columns."""
    import polars as pl

    return pl.struct(*names).hash(seed=17)


__all__ = ["Connections", "hashed", "in_windows", "over_time"]
