"""Other ways to read flow logs: the nine fields that tell who spoke to whom, both addresses as numbers, and no more.

Each returns (records, sum of source and destination addresses), so that what they read can be compared. They use all
processors, as flowcore does, but flowlogs-reader, which has no way to.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from flowcore.synthetic_logs import DEFAULT_FIELDS

Found = tuple[int, int]
Reading = Callable[[Sequence[Path]], Found]

NEEDED = ("interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "action")
_NUMBERS = ("srcport", "dstport", "protocol", "packets", "bytes")
_SLOW = 100_000
"""Records that flowlogs-reader reads."""


def polars(files: Sequence[Path]) -> Found:
    """Polars: `read_csv`, or `read_parquet`; an address is split at its dots."""
    import polars as pl

    if files[0].suffix == ".parquet":
        frame = pl.read_parquet(files, columns=list(NEEDED))
    else:
        types = {name: pl.Int64 if name.replace("-", "_") in _NUMBERS else pl.String for name in DEFAULT_FIELDS}
        columns = [name.replace("_", "-") for name in NEEDED]
        frame = pl.concat(
            pl.read_csv(file, separator=" ", quote_char=None, null_values="-", schema=types, columns=columns)
            for file in files
        )

    def number(name: str) -> pl.Expr:
        parts = pl.col(name).str.split_exact(".", 3)
        fields = [parts.struct.field(f"field_{place}").cast(pl.UInt32) for place in range(4)]
        return (((fields[0] * 256 + fields[1]) * 256 + fields[2]) * 256 + fields[3]).alias(name)

    frame = frame.with_columns(number("srcaddr"), number("dstaddr"))
    return frame.height, sum(int(frame[name].cast(pl.Int64).sum()) for name in ("srcaddr", "dstaddr"))


def duckdb(files: Sequence[Path]) -> Found:
    """DuckDB: `read_csv`, or `read_parquet`, into a table; an address is split at its dots."""
    import duckdb as db

    names = [str(file) for file in files]
    if files[0].suffix == ".parquet":
        source, fields = "read_parquet(?)", list(NEEDED)
    else:
        types = {name: "BIGINT" if name.replace("-", "_") in _NUMBERS else "VARCHAR" for name in DEFAULT_FIELDS}
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        source = f"read_csv(?, delim = ' ', header = true, quote = '', nullstr = '-', columns = {{{columns}}})"
        fields = [f'"{name.replace("_", "-")}" AS {name}' for name in NEEDED]

    def number(name: str) -> str:
        return " + ".join(f"split_part({name}, '.', {4 - place})::BIGINT * {256**place}" for place in range(4))

    parts = [f"{number(name)} AS {name}" for name in ("srcaddr", "dstaddr")]
    rest = ", ".join(name for name in NEEDED if name not in ("srcaddr", "dstaddr"))
    with db.connect() as connection:
        connection.execute(
            f"CREATE TABLE read AS SELECT {rest}, {', '.join(parts)} FROM (SELECT {', '.join(fields)} FROM {source})",
            [names],
        )
        found: Any = connection.execute("SELECT count(*), sum(srcaddr) + sum(dstaddr) FROM read").fetchone()
    return int(found[0]), int(found[1])


def flowlogs_reader(files: Sequence[Path]) -> Found:
    """flowlogs-reader: its records of the first lines, the addresses by `ipaddress`."""
    import warnings

    from flowlogs_reader import FlowRecord

    count = total = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it makes times in a way that Python no longer likes
        for event in _events(files):
            record = FlowRecord(event)
            total += int(ip_address(record.srcaddr)) + int(ip_address(record.dstaddr))
            count += 1
            if count == _SLOW:
                break
    return count, total


def _events(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """What its own reader makes of the files, without S3."""
    for file in files:
        if file.suffix == ".parquet":
            import pyarrow.parquet as pq

            for batch in pq.ParquetFile(file).iter_batches():
                yield from batch.to_pylist()
            continue
        with gzip.open(file, mode="rt") as stream:
            reader = csv.DictReader(stream, delimiter=" ")
            reader.fieldnames = [name.replace("-", "_") for name in reader.fieldnames or ()]
            yield from reader


WAYS: dict[str, Reading] = {"Polars": polars, "DuckDB": duckdb, "flowlogs-reader": flowlogs_reader}
