"""What each gateway carried in each time window, as one long frame, and what that comes to.

A row of the series is one metric of one resource in one window: kind, resource, metric, unit, source, window, value and
detail. `summarised` makes one row a metric of it: peak and when, percentiles, mean, total, limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model import Network
from .capacity_limits import Limits, addresses_of
from .capacity_ways import REGION, SAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from .capacity_fold import Folded
    from .capacity_limits import Units
    from .capacity_ways import Way

HOUR = 3600

SERIES: dict[str, str] = {
    "kind": "String", "resource": "String", "metric": "String", "unit": "String", "source": "String",
    "window_start": "Int64", "value": "Float64", "detail": "String",
}  # fmt: skip

#: Metrics whose sum over windows means something.
_ADDITIVE = frozenset({"bytes", "packets", "bytes_in", "bytes_out", "lcu"})
_UNITS = {
    "bytes": "bytes", "bytes_in": "bytes", "bytes_out": "bytes", "bits_per_second": "bit/s",
    "packets_per_second": "packets/s", "connections": "connections", "connections_per_destination": "connections",
    "addresses_needed": "addresses", "new_connections_per_second": "connections/s",
    "active_connections": "connections", "tracked_connections": "connections", "lcu_new_connections": "LCU",
    "lcu_active_connections": "LCU", "lcu_bytes": "LCU", "lcu": "LCU",
}  # fmt: skip


def series(
    folded: Folded, ways: list[Way], network: Network, limits: Limits, window: int, *, measured: bool
) -> pl.DataFrame:
    """The columns of SERIES. `window_start` null: bytes of which it is not known when they went."""
    import polars as pl

    carried = _carried(folded, ways)
    parts = [_volumes(_chosen(carried, folded, measured), window), _zones(folded, ways, window)]
    counts = _counts(folded, measured)
    parts += _nat_connections(counts, folded, limits, window)
    parts += _balancers(counts, folded, carried, ways, network, limits, window)
    parts.append(_long(counts.filter(pl.col("kind") == "interface"), tracked_connections=pl.col("connections")))
    return pl.concat(part.select(_columns()) for part in parts if part.height) if any(
        part.height for part in parts
    ) else pl.DataFrame(schema={name: getattr(pl, kind) for name, kind in SERIES.items()})  # fmt: skip


def _columns() -> list[pl.Expr]:
    import polars as pl

    return [pl.col(name).cast(getattr(pl, kind)) for name, kind in SERIES.items()]


def _long(rows: pl.DataFrame, detail: Any = None, **metrics: pl.Expr) -> pl.DataFrame:
    """Rows with kind, resource, source and window as one row a metric."""
    import polars as pl

    shown = detail if detail is not None else pl.lit(None, pl.String)
    return pl.concat(
        rows.select(
            "kind", "resource", "source", metric=pl.lit(metric), unit=pl.lit(_UNITS[metric]), window_start="window",
            value=value.cast(pl.Float64), detail=shown,
        )
        for metric, value in metrics.items()
    )  # fmt: skip


# -- bytes and packets ---------------------------------------------------------------------------------------


def _carried(folded: Folded, ways: list[Way]) -> pl.DataFrame:
    """Predicted bytes and packets by kind, resource, entry, listener and window."""
    import polars as pl

    table = [
        (number, sender, each.kind, each.resource, each.entry, way.listener if each.kind == "load-balancer" else None)
        for number, way in enumerate(ways)
        for sender, leg in ((True, way.forward), (False, way.reply))
        for each in dict.fromkeys(_passed(leg.passed, way, sender))
    ]
    schema = {"way": pl.Int32, "sender": pl.Boolean, "kind": pl.String, "resource": pl.String, "entry": pl.Boolean,
              "listener": pl.Int64}  # fmt: skip
    through = pl.DataFrame(table, schema=schema, orient="row")
    rows = folded.flows.filter(pl.col("bucket") == "carried").join(through, on=["way", "sender"], how="inner")
    return rows.group_by("kind", "resource", "entry", "listener", "window").agg(
        pl.col("bytes").sum(), pl.col("packets").sum()
    )


def _passed(passed: Iterable[Any], way: Way, sender: bool) -> Iterable[Any]:
    """What a leg goes through; the reply of a load balancer's client goes through its node as well."""
    yield from passed
    if not sender:
        yield from (each for each in way.forward.passed if each.kind == "load-balancer")


def _chosen(carried: pl.DataFrame, folded: Folded, measured: bool) -> pl.DataFrame:
    """Bytes and packets of each resource: its own records where it has any, else what was predicted."""
    import polars as pl

    predicted = carried.group_by("kind", "resource", "entry", "window").agg(
        pl.col("bytes").sum(), pl.col("packets").sum()
    ).with_columns(source=pl.lit("predicted"))  # fmt: skip
    if not measured or not folded.gateways.height:
        return predicted
    own = folded.gateways.select("kind", "resource", "entry", "window", "bytes", "packets", source=pl.lit("measured"))
    own = own.filter((pl.col("kind") != "nat-gateway") | pl.col("entry"))  # NAT: what comes in, from either side
    rest = predicted.join(own.select("kind", "resource").unique(), on=["kind", "resource"], how="anti")
    return pl.concat([rest, own.select(rest.columns)])


def _volumes(rows: pl.DataFrame, window: int) -> pl.DataFrame:
    import polars as pl

    both = rows.group_by("kind", "resource", "source", "window").agg(pl.col("bytes").sum(), pl.col("packets").sum())
    found = [_long(both, bytes=pl.col("bytes"))]
    dated = both.filter(pl.col("window").is_not_null())
    found.append(
        _long(dated, bits_per_second=pl.col("bytes") * 8 / window, packets_per_second=pl.col("packets") / window)
    )
    attachments = rows.filter(pl.col("kind") == "transit-gateway-attachment")
    for metric, entry in (("bytes_in", True), ("bytes_out", False)):
        found.append(_long(attachments.filter(pl.col("entry") == entry), **{metric: pl.col("bytes")}))
    return pl.concat(found)


def _zones(folded: Folded, ways: list[Way], window: int) -> pl.DataFrame:
    """Bytes from zone to zone, and from Region to Region, one row a crossing."""
    import polars as pl

    table = [
        (
            number,
            sender,
            "regions" if each.kind == REGION else "zones",
            f"{each.from_zone or '?'} {each.to_zone or '?'}",
        )
        for number, way in enumerate(ways)
        for sender, leg in ((True, way.forward), (False, way.reply))
        for each in leg.crossings
        if each.kind != SAME
    ]
    schema = {"way": pl.Int32, "sender": pl.Boolean, "kind": pl.String, "resource": pl.String}
    crossings = pl.DataFrame(table, schema=schema, orient="row")
    rows = folded.flows.filter(pl.col("bucket") == "carried").join(crossings, on=["way", "sender"], how="inner")
    both = rows.group_by("kind", "resource", "window").agg(pl.col("bytes").sum(), source=pl.lit("predicted"))
    dated = both.filter(pl.col("window").is_not_null())
    return pl.concat([_long(both, bytes=pl.col("bytes")), _long(dated, bits_per_second=pl.col("bytes") * 8 / window)])


# -- connections ---------------------------------------------------------------------------------------------


def _counts(folded: Folded, measured: bool) -> pl.DataFrame:
    """Connections with the names of their resources; of a NAT gateway with records of its own, those."""
    import polars as pl

    names = pl.DataFrame(
        [(number, *each) for number, each in enumerate(folded.resources)],
        schema={"resource": pl.Int32, "kind": pl.String, "name": pl.String, "source": pl.String}, orient="row",
    )  # fmt: skip
    found = folded.connections.join(names, on="resource", how="inner").drop("resource").rename({"name": "resource"})
    if not measured:
        return found
    own = found.filter(pl.col("source") == "measured").select("kind", "resource").unique()
    doubled = found.filter(pl.col("source") == "predicted").join(own, on=["kind", "resource"], how="anti")
    return pl.concat([found.filter(pl.col("source") == "measured"), doubled.select(found.columns)])


def _nat_connections(counts: pl.DataFrame, folded: Folded, limits: Limits, window: int) -> list[pl.DataFrame]:
    """NG-17…19: the destination with most connections, all connections, addresses that the former need."""
    import polars as pl

    rows = counts.filter(pl.col("kind") == "nat-gateway").join(folded.destinations, on="destination", how="left")
    if not rows.height:
        return []
    name = pl.concat_str(
        pl.col("dstaddr").fill_null("?"), pl.col("dstport").cast(pl.String).fill_null("-"),
        pl.col("protocol").replace_strict({6: "tcp", 17: "udp", 1: "icmp"}, default=pl.col("protocol").cast(pl.String),
                                          return_dtype=pl.String), separator=" ",
    )  # fmt: skip
    rows = rows.with_columns(name=name).sort("connections", "name", descending=[True, False])
    keys = ["kind", "resource", "source", "window"]
    each = rows.group_by(keys).agg(
        pl.col("connections").max().alias("most"), pl.col("name").first(), pl.col("connections").sum(),
        pl.col("opened").sum(),
    )  # fmt: skip
    known = limits.of("nat-gateway", "connections_per_destination")
    needed = (pl.col("most") / known.limit).ceil() if known else pl.lit(None, pl.Float64)
    return [
        _long(each, pl.col("name"), connections_per_destination=pl.col("most"), addresses_needed=needed),
        _long(each, connections=pl.col("connections"), new_connections_per_second=pl.col("opened") / window),
    ]


def _balancers(
    counts: pl.DataFrame,
    folded: Folded,
    carried: pl.DataFrame,
    ways: list[Way],
    network: Network,
    limits: Limits,
    window: int,
) -> list[pl.DataFrame]:
    """Connections of load balancers, and the capacity units they come to, hour by hour (section 7.5)."""
    import polars as pl

    rows = counts.filter(pl.col("kind") == "load-balancer").join(folded.destinations, on="destination", how="left")
    rows = rows.with_columns(listener=pl.col("dstport").fill_null(0) * 256 + pl.col("protocol"))
    keys = ["kind", "resource", "source", "window"]
    each = rows.group_by(keys).agg(pl.col("connections").sum(), pl.col("opened").sum())
    found = [
        _long(each, active_connections=pl.col("connections"), new_connections_per_second=pl.col("opened") / window)
    ]
    volumes = carried.filter(pl.col("kind") == "load-balancer")
    for balancer_id in sorted({*rows["resource"].to_list(), *volumes["resource"].to_list()}):
        balancer = network.load_balancers.get(balancer_id)
        units = limits.units(balancer)
        if units and balancer is not None:
            own = rows.filter(pl.col("resource") == balancer_id), volumes.filter(pl.col("resource") == balancer_id)
            families = {
                listener: _family(balancer, listener, units)
                for listener in {*own[0]["listener"].to_list(), *own[1]["listener"].to_list()}
            }
            found.append(_units(balancer_id, *own, families, units, limits.gigabyte, window))
    return found


def _family(balancer: Any, listener: int | None, units: dict[str, Units]) -> str:
    """The protocol whose units hold for a listener: of a Network Load Balancer TCP, UDP or TLS."""
    if "any" in units or listener is None:
        return next(iter(units))
    port, protocol = divmod(listener, 256)
    spoken = [each.protocol for each in balancer.listeners or () if each.port == port]
    if protocol == 17:
        return "UDP"
    return "TLS" if "TLS" in spoken else "TCP"


def _units(
    balancer_id: str, counts: pl.DataFrame, volumes: pl.DataFrame, families: dict[Any, str], units: dict[str, Units],
    gigabyte: int, window: int,
) -> pl.DataFrame:  # fmt: skip
    """LCUs or NLCUs of one load balancer: the hourly average of each dimension, and of the highest."""
    import polars as pl

    span = max(HOUR, window)

    def grouped(frame: pl.DataFrame) -> pl.DataFrame:
        family = pl.col("listener").replace_strict(families, default=next(iter(units)), return_dtype=pl.String)
        return frame.filter(pl.col("window").is_not_null()).with_columns(
            family=family, window=pl.col("window") // span * span
        )

    keys = ["family", "window"]
    connections = grouped(counts).group_by(keys).agg(pl.col("connections").sum(), pl.col("opened").sum())
    sizes = grouped(volumes).group_by(keys).agg(pl.col("bytes").sum())
    both = connections.join(sizes, on=keys, how="full", coalesce=True).fill_null(0)

    def per(name: str) -> pl.Expr:
        values = {family: getattr(unit, name) for family, unit in units.items()}
        return pl.col("family").replace_strict(values, default=None, return_dtype=pl.Float64)

    dimensions = both.select(
        "window",
        lcu_new_connections=pl.col("opened") / span / per("new_connections"),
        lcu_active_connections=pl.col("connections") * window / span / per("active_connections"),
        lcu_bytes=pl.col("bytes") / gigabyte * HOUR / span / per("gigabytes"),
    )
    named = [name for name in dimensions.columns if name != "window"]
    hours = dimensions.with_columns(lcu=pl.max_horizontal(named)).group_by("window").agg(pl.all().sum())
    rows = hours.with_columns(kind=pl.lit("load-balancer"), resource=pl.lit(balancer_id), source=pl.lit("predicted"))
    return _long(rows, **{name: pl.col(name) for name in (*named, "lcu")})


# -- what it comes to ----------------------------------------------------------------------------------------


def summarised(
    found: pl.DataFrame, network: Network, limits: Limits, window: int, span: tuple[int, int] | None
) -> pl.DataFrame:
    """One row for each metric of each resource. `span`: first and last window of the run; those without a row are 0.

    Percentiles are nearest-rank over all windows of the span; `mean` too. `peak_at` is the first window of the peak.
    `total` only where a sum means something; it includes bytes of which it is not known when they went.
    """
    import polars as pl

    keys = ["kind", "resource", "metric", "unit", "source"]
    value, length = pl.col("value"), pl.len()
    step = pl.when(pl.col("metric").str.starts_with("lcu")).then(max(HOUR, window)).otherwise(window)
    count = (span[1] // step - span[0] // step + 1) if span else pl.lit(0, pl.Int64)
    rows = found.with_columns(count=count).sort("window_start", "value")
    dated = rows.filter(pl.col("window_start").is_not_null()).group_by(keys).agg(
        pl.col("detail").filter(value == value.max()).first(),
        pl.max_horizontal(pl.col("count").first(), length).cast(pl.Int64).alias("windows"),
        value.max().alias("peak"), pl.col("window_start").filter(value == value.max()).first().alias("peak_at"),
        value.sum().alias("mean"), value.sort().alias("sorted"),
    )  # fmt: skip
    lengths = pl.col("sorted").list.len().cast(pl.Int64)

    def percentile(share: int) -> pl.Expr:
        rank = (share * pl.col("windows") + 99) // 100 - (pl.col("windows") - lengths)
        known = pl.col("sorted").list.get((rank - 1).clip(0), null_on_oob=True)
        return pl.when(rank >= 1).then(known).otherwise(0.0).alias(f"p{share}")

    dated = dated.with_columns(*map(percentile, (50, 95, 99)), mean=pl.col("mean") / pl.col("windows")).drop("sorted")
    totals = rows.group_by(keys).agg(total=value.sum())
    frame = totals.join(dated, on=keys, how="left").with_columns(
        total=pl.when(pl.col("metric").is_in(sorted(_ADDITIVE))).then("total"), windows=pl.col("windows").fill_null(0)
    )
    named = [_limit(values, network, limits) for values in frame.select(keys).iter_rows()]
    bounds = pl.DataFrame(named, schema={"limit": pl.Float64, "limit_source": pl.String}, orient="row")
    columns = ("detail", "windows", "peak", "peak_at", "p50", "p95", "p99", "mean", "total", "limit", "limit_source")
    both = pl.concat([frame, bounds], how="horizontal").select(*keys, *columns)
    return both.with_columns(share_of_limit=pl.col("peak") / pl.col("limit")).sort(keys)


def _limit(values: tuple[Any, ...], network: Network, limits: Limits) -> tuple[float | None, str | None]:
    kind, resource, metric = values[:3]
    known = limits.of(kind, metric)
    if known is None:
        return None, None
    times: int | None = 1
    if known.per == "address":
        times = addresses_of(network, resource)
    elif known.per == "zone" and kind == "transit-gateway-attachment":
        attachment = network.transit_gateway_attachments.get(resource)
        zones = len(attachment.subnet_ids or ()) if attachment else 0
        times = zones or None
    return (known.limit * times, known.source) if times else (None, known.source)


__all__ = ["HOUR", "SERIES", "series", "summarised"]
