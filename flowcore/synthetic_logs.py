"""Flow log records and files for judged flows, and the bundled demonstration log.

What AWS would log follows from which stages stopped a conversation (FL-41…43); who judges is passed in, because
judging is not this layer's business. polars is imported where it is used.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from .schema import STAGE_BITS
from .synthetic_demo import demo_documents
from .synthetic_records import OWNER, Documents, Record
from .synthetic_regions import write_snapshot

if TYPE_CHECKING:
    import polars as pl

#: The default format: the version 2 fields in this order (FL-06).
DEFAULT_FIELDS = ("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol",
                  "packets", "bytes", "start", "end", "action", "log-status")  # fmt: skip
START = 1_767_607_200
"""2026-01-05 10:00:00 UTC."""


def _bits(*stages: str) -> int:
    return sum(1 << STAGE_BITS[stage] for stage in stages)


#: Legs of a conversation: (interface column, reply?, bits that make it REJECT, bits that keep it from being logged).
_EGRESS = _bits("source", "source-dest-check")
_OUT = _bits("source-security-group", "source-network-acl")
_BETWEEN = ("load-balancer", "nat-gateway", "transit-gateway", "peering", "middle-interface", "middle-network-acl",
            "middle-route", "middle-security-group")  # fmt: skip
_WAY = _bits("route", "gateway", *_BETWEEN)
_IN = _bits("destination-network-acl", "destination-security-group")
_BACK = _bits("destination", "reply-destination-network-acl")
_BACK_WAY = _bits("reply-route", "reply-gateway", *(f"reply-{s}" for s in _BETWEEN if f"reply-{s}" in STAGE_BITS))
LEGS = (
    ("src_interface", False, _OUT, _EGRESS),
    ("dst_interface", False, _IN, _EGRESS | _OUT | _WAY),
    ("dst_interface", True, _bits("reply-destination-network-acl"), _EGRESS | _OUT | _WAY | _IN | _bits("destination")),
    ("src_interface", True, _bits("reply-source-network-acl"), _EGRESS | _OUT | _WAY | _IN | _BACK | _BACK_WAY),
)


def log_records(
    verdicts: pl.DataFrame,
    seed: int,
    *,
    start: int = START,
    seconds: int = 3600,
    private_of: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """The default-format records AWS would log for judged flows, sorted by `end`; up to four a flow (FL-36).

    `verdicts`: flow columns and `src_interface`, `dst_interface`, `blocked_by`. Every flow happens once, at a random
    second of `start` .. `start + seconds`. A record of an interface outside the network, or in between, is not logged,
    and the ends are those of the flow, translated or not. `private_of`:
    public address -> the private one that interfaces log for it. Columns: the fields with `_` for `-`.
    """
    import polars as pl

    rng = np.random.default_rng((seed, 0x106))
    count = verdicts.height
    begin = start + rng.integers(0, seconds, count)
    packets = 1 + rng.geometric(0.12, count)
    flows = verdicts.select(
        pl.col("srcaddr").cast(pl.String),
        pl.col("dstaddr").cast(pl.String).replace(dict(private_of or {})),
        pl.col("srcport").cast(pl.Int32).fill_null(0),
        pl.col("dstport").cast(pl.Int32).fill_null(0),
        pl.col("protocol").cast(pl.Int32),
        pl.col("src_interface").cast(pl.String),
        pl.col("dst_interface").cast(pl.String),
        pl.col("blocked_by").cast(pl.UInt32),
    ).with_columns(
        packets=pl.Series(packets),
        bytes=pl.Series(packets * 60 + rng.integers(0, 12, count) * 100),
        start=pl.Series(begin),
        end=pl.Series(begin + rng.integers(1, 60, count)),
    )
    legs = [_leg(flows, number) for number in range(len(LEGS))]
    ordered = pl.concat(legs).sort("end", "start", "interface_id", "leg", maintain_order=True)
    return ordered.select(name.replace("-", "_") for name in DEFAULT_FIELDS)


def _leg(flows: pl.DataFrame, number: int) -> pl.DataFrame:
    """The records of leg `number`: those flows that reach that interface."""
    import polars as pl

    interface, reply, rejects, unseen = LEGS[number]
    seen = flows.filter(pl.col(interface).is_not_null() & ((pl.col("blocked_by") & unseen) == 0))
    ends = ("dstaddr", "srcaddr", "dstport", "srcport") if reply else ("srcaddr", "dstaddr", "srcport", "dstport")
    return seen.select(
        pl.lit(2, pl.Int32).alias("version"),
        pl.lit(OWNER).alias("account_id"),
        pl.col(interface).alias("interface_id"),
        pl.col(ends[0]).alias("srcaddr"),
        pl.col(ends[1]).alias("dstaddr"),
        pl.col(ends[2]).alias("srcport"),
        pl.col(ends[3]).alias("dstport"),
        "protocol",
        "packets",
        "bytes",
        "start",
        "end",
        pl.when((pl.col("blocked_by") & rejects) == 0)
        .then(pl.lit("ACCEPT"))
        .otherwise(pl.lit("REJECT"))
        .alias("action"),
        pl.lit("OK").alias("log_status"),
        pl.lit(number, pl.Int8).alias("leg"),
    )


def flow_log_lines(records: pl.DataFrame, *, header: bool = True) -> bytes:
    """Default-format text of log records, one line each, `-` for null; the field names first, if `header` (FL-50)."""
    import polars as pl

    columns = [pl.col(name.replace("-", "_")).cast(pl.String).alias(name) for name in DEFAULT_FIELDS]
    out = io.BytesIO()
    records.select(columns).write_csv(
        out, include_header=header, separator=" ", null_value="-", quote_style="never", line_terminator="\n"
    )
    return out.getvalue()


# -- the demonstration -------------------------------------------------------------------------------------

Judge = Callable[[Documents, Any], Any]
"""From documents and a polars frame of flows to the frame with the verdict columns."""


def demo_flows(count: int = 20_000, seed: int = 2026) -> pl.DataFrame:
    """What the shop's hosts, customers and attackers open in an hour: the flow columns, one row a conversation."""
    import polars as pl

    rng, hosts = Random(f"demo {seed}"), _hosts_by_name(demo_documents())
    kinds, weights = zip(*_KINDS.items(), strict=True)
    rows = [_conversation(rng, hosts, kind) for kind in rng.choices(kinds, weights, k=count)]
    names = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "icmp_type", "icmp_code")
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)


#: (from, to, port, protocol) -> share. Names are hosts', `web6` their IPv6 addresses; port 0: one that nobody serves.
_KINDS: dict[tuple[str, str, int, int], float] = {
    ("internet", "web", 443, 6): 38,
    ("internet", "web", 80, 6): 6,
    ("internet6", "web6", 443, 6): 8,
    ("internet", "web", 0, 6): 3,
    ("attacker", "web", 443, 6): 1.5,
    ("internet", "web", 0, 1): 0.3,
    ("web", "app", 8080, 6): 16,
    ("web6", "app6", 8443, 6): 2,
    ("app", "db", 5432, 6): 9,
    ("app", "cache", 6379, 6): 6,
    ("job", "db", 5432, 6): 1.5,
    ("app", "db", 3306, 6): 0.4,
    ("web", "db", 5432, 6): 0.3,
    ("app6", "internet6", 443, 6): 2,
    ("job", "internet", 443, 6): 1.2,
    ("web", "internet", 443, 6): 1.2,
    ("web", "internet", 123, 17): 0.5,
    ("office", "bastion", 22, 6): 0.5,
    ("office", "web", 22, 6): 0.3,
    ("internet", "bastion", 22, 6): 0.8,
    ("bastion", "build", 22, 6): 0.7,
    ("monitor", "build", 9100, 6): 2.4,
    ("build", "app", 8080, 6): 0.3,
    ("db", "db", 5432, 6): 0.6,
}


def _hosts_by_name(documents: Documents) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for interface in documents["NetworkInterfaces"]:
        kind = (interface["TagSet"][0]["Value"] if interface["TagSet"] else "nat").split("-")[0]
        found.setdefault(kind, []).append(interface["PrivateIpAddress"])
        for own in interface["Ipv6Addresses"]:
            found.setdefault(kind + "6", []).append(own["Ipv6Address"])
    return found


def _conversation(rng: Random, hosts: Mapping[str, list[str]], kind: tuple[str, str, int, int]) -> tuple[Any, ...]:
    source, destination, port, protocol = kind

    def end(name: str) -> str:
        number = min(int(rng.expovariate(1 / 400)), 4000)  # few customers come often, many once
        if name == "internet":
            return f"{(81, 88, 93, 151)[number % 4]}.{number % 251}.{number % 7 + 16}.{number % 253 + 1}"
        if name == "internet6":
            return f"2a02:{number % 13 + 0x100:x}:{number:x}::1"
        if name == "office":
            return f"203.0.113.{rng.choice((7, 12, 31, 60, 130, 158))}"
        if name == "attacker":
            return f"198.51.100.{number % 253 + 1}"
        return rng.choice(hosts[name])

    a, b = end(source), end(destination)
    while a == b:
        b = end(destination)
    if protocol == 1:
        return a, b, 0, 0, 1, 8, 0
    client = rng.randrange(49152, 65536) if source == "job" else rng.randrange(32768, 61000)
    return a, b, client, port or rng.choice((21, 23, 25, 445, 1433, 3389, 5900, 8080)), protocol, None, None


def write_demo(folder: str | Path, judge: Judge, *, conversations: int = 20_000) -> Path:
    """The written `folder`: `snapshot/us-east-1/*.json` and `flow-log.log.gz`, the same bytes each time.

    `judge(documents, flows)` returns the flows with their verdict columns (`flowcore.compile_network(
    flowcore.network_from_documents(documents)).evaluate(flows)`). The log also has NODATA and SKIPDATA lines, a few
    malformed lines, and some records that the network as described does not explain (FL-44).
    """
    place = Path(folder)
    documents = demo_documents()
    write_snapshot(documents, place / "snapshot")
    flows = demo_flows(conversations)
    lines = flow_log_lines(log_records(judge(documents, flows), 2026)).decode().splitlines()
    body = _with_accidents(lines[1:], documents["NetworkInterfaces"])
    text = "\n".join([lines[0], *body]) + "\n"
    with (place / "flow-log.log.gz").open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(text.encode())
    return place


def _with_accidents(lines: list[str], interfaces: list[Record]) -> list[str]:
    """The lines with what real logs have besides: silent intervals, lost records, late packets, damage."""
    rng = Random("accidents")
    body = [line.replace(" ACCEPT ", " REJECT ") if rng.random() < 0.0005 else line for line in lines]
    for i in range(60):
        status = "SKIPDATA" if i % 15 == 7 else "NODATA"
        interface_id = rng.choice(interfaces)["NetworkInterfaceId"]
        end = START + 60 * i + 59
        line = f"2 {OWNER} {interface_id} - - - - - - - {end - 59} {end} - {status}"
        body.insert(len(body) * i // 60, line)
    broken = body[100][:60], body[200] + " extra", body[300].replace("10.", "10.x")
    for damaged in ("2 123456789012 eni-0", "not a record", *broken):
        body.insert(rng.randrange(len(body)), damaged)
    return body
