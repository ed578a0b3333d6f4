"""Bytes by the categories AWS charges by (statements CO-01…CO-14), and what they cost by a table of the user's.

A place is a point on the way where a byte is counted. At each place every byte is in exactly one category, so the
categories of a place add up to the bytes carried, and those of place `records` to the bytes that came in.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..model import Network
from .capacity_fold import BUCKETS
from .capacity_limits import is_gone
from .capacity_series import HOUR
from .capacity_ways import CROSS, FREE_TARGET, NOT_KNOWN, PEERING, REGION, SAME, TARGET, Leg, Way

if TYPE_CHECKING:
    import polars as pl

    from .capacity_fold import Folded
    from .capacity_limits import Limits

#: (place, category) -> statement. The order is that of the rows.
CATEGORIES: Mapping[tuple[str, str], str] = {
    **{("records", bucket): "FL-36" for bucket in BUCKETS},
    ("zones", SAME): "CO-01",
    ("zones", CROSS): "CO-02",
    ("zones", PEERING): "CO-03",
    ("zones", TARGET): "CO-12",
    ("zones", FREE_TARGET): "CO-12",
    ("zones", REGION): "CO-04",
    ("zones", NOT_KNOWN): "CO-02",
    ("zones", "no-zones"): "",
    ("edge", "inside"): "",
    ("edge", "between-regions"): "CO-04",
    ("edge", "internet-out"): "CO-05",
    ("edge", "internet-in"): "CO-05",
    ("edge", "service-by-internet-gateway"): "CO-06",
    ("edge", "gateway-endpoint"): "CO-10",
    ("edge", "vpn-out"): "CO-13",
    ("edge", "vpn-in"): "CO-13",
    ("edge", "hairpin"): "",
    ("edge", "service"): "SG-60",
    ("edge", "elsewhere"): "",
    ("nat-gateway", "nat-gateway"): "CO-07",
    ("nat-gateway", "no-nat-gateway"): "",
    ("transit-gateway", "transit-gateway"): "CO-08",
    ("transit-gateway", "no-transit-gateway"): "",
    ("endpoint", "interface-endpoint"): "CO-09",
    ("endpoint", "no-interface-endpoint"): "",
    ("load-balancer", "load-balancer"): "CO-11",
    ("load-balancer", "no-load-balancer"): "",
    ("hours", "nat-gateway-hours"): "CO-07",
    ("hours", "transit-gateway-attachment-hours"): "CO-08",
    ("hours", "interface-endpoint-hours"): "CO-09",
    ("hours", "load-balancer-hours"): "CO-11",
    ("hours", "lcu-hours"): "CO-11",
    ("hours", "vpn-connection-hours"): "CO-13",
    ("hours", "public-address-hours"): "CO-14",
}

#: A statement's id as a price's key: the category it is about.
_ALIASES = {
    "CO-01": SAME, "CO-02": CROSS, "CO-03": PEERING, "CO-04": "between-regions", "CO-05": "internet-out",
    "CO-06": "service-by-internet-gateway", "CO-07": "nat-gateway", "CO-08": "transit-gateway",
    "CO-09": "interface-endpoint", "CO-10": "gateway-endpoint", "CO-11": "lcu-hours", "CO-12": TARGET,
    "CO-13": "vpn-out", "CO-14": "public-address-hours",
}  # fmt: skip

#: Kinds of what is passed that put a leg in the category of a place.
_PLACES = {
    "nat-gateway": ("nat-gateway",),
    "transit-gateway": ("transit-gateway-attachment",),
    "endpoint": ("interface-endpoint", "gateway-load-balancer-endpoint"),
    "load-balancer": ("load-balancer",),
}

#: Crossings that are charged in and out (CO-02, CO-03, CO-12).
_CHARGED = (CROSS, PEERING, TARGET)
_RANKED = (REGION, TARGET, PEERING, CROSS, NOT_KNOWN, FREE_TARGET, SAME)


def read_prices(path: str | os.PathLike[str]) -> dict[str, float]:
    """Category -> price of a unit (a GB, or an hour), from JSON or CSV.

    JSON: an object, or a list of objects with `category` and `price`. CSV: these two columns. A category is a word of
    CATEGORIES, or the id of its statement. Raises InputError for anything else.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError("cannot be read", source=place, found=error.strerror or str(error)) from None
    except UnicodeError:
        raise InputError("not text", source=place, expected="JSON or CSV in UTF-8") from None
    if text.lstrip()[:1] in ("{", "["):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not JSON: {error}", source=place) from None
        items = list(document.items()) if isinstance(document, dict) else _listed(document, place)
    else:
        rows = csv.DictReader(text.splitlines())
        if not {"category", "price"} <= set(rows.fieldnames or ()):
            found = ", ".join(rows.fieldnames or ())
            raise InputError("not a table of prices", source=place, where="line 1", found=found,
                             expected="the columns category and price")  # fmt: skip
        items = [(row["category"], row["price"]) for row in rows]
    return checked_prices(dict(items), source=place)


def _listed(document: Any, place: Path) -> list[tuple[str, Any]]:
    for number, item in enumerate(document):
        if not isinstance(item, dict) or not {"category", "price"} <= set(item):
            raise InputError("not a price", source=place, where=f"$[{number}]", expected="category and price")
    return [(item["category"], item["price"]) for item in document]


def checked_prices(prices: Mapping[str, Any], *, source: object = "prices") -> dict[str, float]:
    """The prices with categories as their keys. Raises InputError for a category or a price that is none."""
    words = {category for _, category in CATEGORIES}
    found: dict[str, float] = {}
    for key, value in prices.items():
        category = _ALIASES.get(str(key).strip(), str(key).strip())
        if category not in words:
            known = sorted(words - set(BUCKETS))
            raise InputError("no such category", source=source, found=key, expected=", ".join(known))
        try:
            price = float(value)
        except (TypeError, ValueError):
            price = math.nan
        if not math.isfinite(price) or price < 0:
            raise InputError("not a price", source=source, where=str(key), found=value, expected="a number, 0 or more")
        if category in found:
            raise InputError("a category is there twice", source=source, found=key)
        found[category] = price
    return found


def categories(
    folded: Folded,
    ways: list[Way],
    network: Network,
    limits: Limits,
    resources: pl.DataFrame,
    window: int,
    prices: Mapping[str, float],
) -> pl.DataFrame:
    """One row for each place and category that occurs: bytes, records, quantity with its unit, price and cost.

    `quantity`: what is charged for, in GB, hours or LCU-hours: twice the bytes for each crossing of zones (CO-02),
    what a gateway's own records say where there are any. 0: not charged. `cost` is null without a price.
    """
    import polars as pl

    found: dict[tuple[str, str], list[float]] = {}
    for place, category, size, records, charged in (
        *_record_rows(folded),
        *_place_rows(folded, ways),
    ):
        sums = found.setdefault((place, category), [0, 0, 0])
        for number, value in enumerate((size, records, charged)):
            sums[number] += value
    for place, metric in (("nat-gateway", "bytes"), ("transit-gateway", "bytes_in"), ("endpoint", "bytes")):
        _charge_by_resource(found, resources, place, metric)
    rows: list[tuple[Any, ...]] = [
        (place, category, statement, int(found[place, category][0]), int(found[place, category][1]),
         found[place, category][2] / limits.gigabyte, "GB")
        for (place, category), statement in CATEGORIES.items()
        if (place, category) in found
    ]  # fmt: skip
    rows += [
        ("hours", category, CATEGORIES["hours", category], None, None, quantity,
         "LCU-hours" if category == "lcu-hours" else "hours")
        for category, quantity in _hours(network, resources, folded.times, window).items()
        if quantity
    ]  # fmt: skip
    schema = {"place": pl.String, "category": pl.String, "statement": pl.String, "bytes": pl.Int64,
              "records": pl.Int64, "quantity": pl.Float64, "unit": pl.String}  # fmt: skip
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    price = pl.Series("price", [prices.get(category) for category in frame["category"]], dtype=pl.Float64)
    return frame.with_columns(price).with_columns(cost=pl.col("quantity") * pl.col("price"))


_Row = tuple[str, str, int, int, int]


def _record_rows(folded: Folded) -> list[_Row]:
    import polars as pl

    rows = folded.flows.group_by("bucket").agg(pl.col("bytes").sum(), pl.col("records").sum())
    return [("records", bucket, size, records, 0) for bucket, size, records in rows.iter_rows()]


def _place_rows(folded: Folded, ways: list[Way]) -> list[_Row]:
    import polars as pl

    carried = folded.flows.filter(pl.col("bucket") == "carried")
    rows = carried.group_by("way", "sender").agg(pl.col("bytes").sum(), pl.col("records").sum())
    found: list[_Row] = []
    for number, sender, size, records in rows.iter_rows():
        way = ways[number]
        leg = way.forward if sender else way.reply
        found.append(_zone_row(leg, size, records))
        outward = leg.edge in ("internet-out", "vpn-out", "between-regions")
        found.append(("edge", leg.edge, size, records, size if outward else 0))
        kinds = {each.kind for each in leg.passed} | ({"load-balancer"} if way.listener is not None else set())
        for place, members in _PLACES.items():
            name = "interface-endpoint" if place == "endpoint" else place
            category = name if kinds.intersection(members) else f"no-{name}"
            found.append((place, category, size, records, 0))
    return found


def _zone_row(leg: Leg, size: int, records: int) -> _Row:
    kinds = [each.kind for each in leg.crossings]
    category = next((kind for kind in _RANKED if kind in kinds), "no-zones")
    charged = 2 * size * sum(kind in _CHARGED for kind in kinds)
    return "zones", category, size, records, charged


def _charge_by_resource(
    found: dict[tuple[str, str], list[float]], resources: pl.DataFrame, place: str, metric: str
) -> None:
    """What gateways are charged for: the bytes of each of them, measured where it was."""
    import polars as pl

    rows = resources.filter(pl.col("kind").is_in(_PLACES[place]) & (pl.col("metric") == metric))
    total = float(rows["total"].sum() or 0)
    category = "interface-endpoint" if place == "endpoint" else place
    if total:
        found.setdefault((place, category), [0, 0, 0])[2] = total


def _hours(network: Network, resources: pl.DataFrame, times: tuple[int, int] | None, window: int) -> dict[str, float]:
    """Hours of what is provisioned, from the first to the last second of records; a part of an hour is a whole one
    (NG-21). The units of load balancers are of an hour, or of a window that is longer."""
    import polars as pl

    hours = -(-max(times[1] - times[0], 1) // HOUR) if times else 0
    nat = 0
    for gateway in network.nat_gateways.values():
        if gateway.state in (None, "available"):
            zones = {own.availability_zone for own in gateway.addresses}
            nat += max(len(zones), 1) if gateway.regional else 1  # regional: per zone, [mem] in NG-21
    endpoints = [
        each for each in network.vpc_endpoints.values() if each.endpoint_type != "Gateway" and not is_gone(each.state)
    ]
    attachments = [each for each in network.transit_gateway_attachments.values() if not is_gone(each.state)]
    connections = [each for each in network.vpn_connections.values() if not is_gone(each.state)]
    balancers = [each for each in network.load_balancers.values() if not is_gone(each.state)]
    public = {own.public_address for i in network.interfaces.values() for own in i.addresses if own.public_address}
    public |= {own.public_address for own in network.elastic_addresses}
    units = resources.filter(pl.col("metric") == "lcu")["total"].sum()
    return {
        "nat-gateway-hours": nat * hours,
        "transit-gateway-attachment-hours": len(attachments) * hours,
        "interface-endpoint-hours": sum(max(len(each.subnet_ids), 1) for each in endpoints) * hours,
        "load-balancer-hours": len(balancers) * hours,
        "lcu-hours": float(units or 0) * max(window, HOUR) / HOUR,
        "vpn-connection-hours": len(connections) * hours,
        "public-address-hours": len(public) * hours,
    }


__all__ = ["CATEGORIES", "categories", "checked_prices", "read_prices"]
