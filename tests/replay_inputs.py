"""Networks and flow logs for the tests of replay."""

from __future__ import annotations

import gzip
import random
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from flowcore import compile_network, network_from_documents
from flowcore.synthetic import edge_flows, log_records, network_documents, traffic

FIELDS = [
    "version",
    "account-id",
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
]


@cache
def evaluator(seed: int = 1) -> Any:
    return compile_network(network_from_documents(network_documents(seed=seed, interfaces=40)))


@cache
def records(seed: int = 1, count: int = 400) -> pl.DataFrame:
    """Records AWS would log for ordinary traffic and for flows at the edges of the rules."""
    judge = evaluator(seed)
    columns = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol"]
    flows = [traffic(judge.network, count, seed), edge_flows(judge.network, seed, count)]
    usable = pl.concat([frame.select(pl.col(columns).cast(pl.String)) for frame in flows]).drop_nulls()
    return log_records(judge.evaluate(usable.filter(pl.col("protocol").str.contains("^[0-9]+$"))), seed)


def with_flags(frame: pl.DataFrame, seed: int, count: int) -> pl.DataFrame:
    """The TCP records of conversations whose opening end is told by flags: SYN, and SYN with ACK in the reply."""
    judge = evaluator(seed)
    ends = ["srcaddr", "dstaddr", "srcport", "dstport"]
    flows = [traffic(judge.network, count, seed), edge_flows(judge.network, seed, count)]
    opened = {row for part in flows for row in part.select(pl.col(ends).cast(pl.String)).iter_rows()}
    flags = []
    for a, b, c, d in frame.select(pl.col(ends).cast(pl.String)).iter_rows():
        forward, back = (a, b, c, d) in opened, (b, a, d, c) in opened
        flags.append(None if forward == back else 2 if forward else 18)
    return frame.with_columns(tcp_flags=pl.Series(flags, dtype=pl.Int32)).filter(
        pl.col("tcp_flags").is_not_null(), pl.col("protocol") == 6
    )


def with_more_fields(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The records with fields of later versions, some missing, some at odds with the others."""
    rng = random.Random(seed)

    def column(name: str, values: list[Any]) -> pl.Series:
        return pl.Series(name, rng.choices(values, k=frame.height))

    more = frame.with_columns(
        column("tcp_flags", [2, 18, 0, 0, 3, 19, None]),
        column("flow_direction", [None, None, "ingress", "egress"]),
        column("reject_reason", [None] * 8 + ["BPA", "EC"]),
        column("interface_type", [None] * 8 + ["nat_gateway", "transit_gateway", "other"]),
        pl.when(column("", [True, False])).then("srcaddr").alias("pkt_srcaddr"),
        pl.when(column("", [True, False])).then("dstaddr").alias("pkt_dstaddr"),
    )
    odd = pl.concat([more, more.sample(300, seed=seed)]).with_columns(
        pl.when(column_of(rng, frame.height + 300))
        .then(pl.lit("eni-unknown"))
        .otherwise("interface_id")
        .alias("interface_id"),
        pl.when(column_of(rng, frame.height + 300)).then(None).otherwise("srcport").alias("srcport"),
        pl.when(column_of(rng, frame.height + 300)).then(70000).otherwise("dstport").alias("dstport"),
        pl.when(column_of(rng, frame.height + 300)).then(pl.lit("10.0.0.999")).otherwise("dstaddr").alias("dstaddr"),
        pl.when(column_of(rng, frame.height + 300)).then(1).otherwise("protocol").alias("protocol"),
        pl.when(column_of(rng, frame.height + 300)).then(None).otherwise("action").alias("action"),
    )
    return odd.sample(fraction=1.0, shuffle=True, seed=seed)


def column_of(rng: random.Random, height: int) -> pl.Series:
    return pl.Series("", [rng.random() < 0.03 for _ in range(height)])


def text_of(frame: pl.DataFrame) -> list[str]:
    """A header line and the lines of the records."""
    rows = frame.select(pl.all().cast(pl.String).fill_null("-")).rows()
    return [" ".join(name.replace("_", "-") for name in frame.columns), *(" ".join(row) for row in rows)]


def write(path: Path, lines: list[str], *, packed: bool = True) -> Path:
    data = ("\n".join(lines) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
