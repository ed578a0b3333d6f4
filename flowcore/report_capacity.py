"""Capacity as tables, Markdown, CSV or JSON. Everything that comes from files goes through `report`'s own escaping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from .report import Grid, share, to_csv, to_json, to_markdown, to_text

if TYPE_CHECKING:
    import polars as pl

    from .analyses.capacity import Capacity

#: Rows of one kind of resource that a table shows, those nearest to their limit and largest first.
ROWS = 20
#: Quotas used less than this are left out of tables.
WORTH_SHOWING = 0.5

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_SECONDS_BEFORE_YEAR_10000 = 253_402_300_800


def capacity_json(found: Capacity, *, by_window: bool = False) -> str:
    """All of it as one JSON document; the series only if asked for."""
    document: dict[str, Any] = {
        "window_seconds": found.window,
        "from": found.span[0] if found.span else None,
        "to": found.span[1] + found.window if found.span else None,
        "decided": found.decided,
        "undated": found.undated,
        "notes": list(found.notes),
        "resources": found.resources.to_dicts(),
        "categories": found.categories.to_dicts(),
    }
    if by_window:
        document["windows"] = found.windows.to_dicts()
    return to_json(document)


def capacity_csv(frame: pl.DataFrame) -> str:
    """One of the frames."""
    return to_csv(Grid(tuple(frame.columns), tuple(frame.rows())))


def capacity_text(found: Capacity, file: IO[str]) -> str:
    """Tables for a terminal or a file."""
    return to_text(_grids(found), file) + "".join(f"{line}\n" for line in _lines(found))


def capacity_markdown(found: Capacity) -> str:
    """Markdown for a page or a comment."""
    return "\n".join(map(to_markdown, _grids(found))) + "".join(f"\n- {line}" for line in _lines(found)) + "\n"


def _lines(found: Capacity) -> list[str]:
    lines = [f"{share(found.decided, 1)} of the records decided; windows of {found.window} s"]
    if found.span:
        lines[0] += f" from {_time(found.span[0])} to {_time(found.span[1] + found.window)}"
    return [*lines, *found.notes]


def _grids(found: Capacity) -> list[Grid]:
    return [*_resource_grids(found.resources), _category_grid(found.categories)]


def _resource_grids(resources: pl.DataFrame) -> list[Grid]:
    """A table for each kind of resource."""
    import polars as pl

    what_if = "peak_after" in resources.columns
    quota = pl.col("source") == "described"
    near = [pl.col("share_of_limit"), *([pl.col("share_of_limit_after")] if what_if else [])]
    most = pl.max_horizontal(*(each.fill_null(0) for each in near))
    changed = (pl.col("peak") != pl.col("peak_after")).fill_null(True) if what_if else pl.lit(False)
    shown = resources.filter(~quota | (most >= WORTH_SHOWING) | (quota & changed)).with_columns(most=most)
    grids = []
    for kind in shown["kind"].unique(maintain_order=True):
        part = shown.filter(pl.col("kind") == kind)
        peaks = pl.max_horizontal("peak", "peak_after") if what_if else pl.col("peak")
        order = part.group_by("resource").agg(pl.col("most").max().alias("rank"), peaks.max().alias("size"))
        order = order.sort("rank", "size", "resource", descending=[True, True, False], nulls_last=True)
        names = order["resource"].head(ROWS).to_list()
        rank = {name: number for number, name in enumerate(names)}
        rows = [row for row in part.iter_rows(named=True) if row["resource"] in rank]
        rows.sort(key=lambda row: (rank[row["resource"]], row["metric"]))
        title = f"{kind.replace('-', ' ')}"
        if order.height > len(names):
            title += f" (the first {len(names)} of {order.height})"
        grids.append(_resource_grid(title, rows, what_if))
    return grids


def _resource_grid(title: str, rows: list[dict[str, Any]], what_if: bool) -> Grid:
    columns = ["resource", "metric", "source", "peak", "when", "p95", "total", "of limit"]
    columns += ["peak after", "total after", "of limit after"] if what_if else []
    columns.append("detail")
    cells = []
    for row in rows:
        unit = row["unit"]
        cell: list[object] = [
            row["resource"], row["metric"], row["source"], amount(row["peak"], unit), _time(row["peak_at"]),
            amount(row["p95"], unit), amount(row["total"], unit), _of_limit(row, ""),
        ]  # fmt: skip
        if what_if:
            after = (amount(row["peak_after"], unit), amount(row["total_after"], unit), _of_limit(row, "_after"))
            cell += after
        cells.append((*cell, row["detail"]))
    words = ("resource", "metric", "source", "when", "detail")
    return Grid(tuple(columns), tuple(cells), title, frozenset(columns) - set(words), stack=words)


def _of_limit(row: dict[str, Any], suffix: str) -> str:
    used = row[f"share_of_limit{suffix}"]
    if used is None:
        return ""
    source = f" ({row['limit_source']})" if row["limit_source"] else ""
    return f"{share(used, 1)} of {amount(row[f'limit{suffix}'], '')}{source}"


def _category_grid(categories: pl.DataFrame) -> Grid:
    what_if = "bytes_after" in categories.columns
    columns = ["place", "category", "statement", "bytes", "charged", "price", "cost"]
    columns += ["bytes after", "charged after", "cost after", "cost change"] if what_if else []
    cells = []
    for row in categories.iter_rows(named=True):
        cell: list[object] = [
            row["place"], row["category"], row["statement"], amount(row["bytes"], "bytes"),
            _quantity(row["quantity"], row["unit"]), row["price"], _money(row["cost"]),
        ]  # fmt: skip
        if what_if:
            cell += [
                amount(row["bytes_after"], "bytes"), _quantity(row["quantity_after"], row["unit"]),
                _money(row["cost_after"]), _money(row["cost_change"]),
            ]  # fmt: skip
        cells.append(tuple(cell))
    right = frozenset(columns) - {"place", "category", "statement"}
    return Grid(tuple(columns), tuple(cells), "bytes by category, each place by itself", right)


def amount(value: float | None, unit: str) -> str:
    """1234567 bytes -> "1.23 MB"; counts as they are up to 9,999."""
    if value is None:
        return ""
    short = {"bytes": "B", "bit/s": "bit/s", "packets/s": "/s", "connections/s": "/s"}.get(unit, "")
    if short == "" and abs(value) < 10_000:
        return f"{value:,.4g}" if value != int(value) else f"{int(value):,}"
    power = 0
    while abs(value) >= 1000 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    text = f"{value:.3g}" if value < 999.5 else f"{value:.0f}"
    return f"{text} {_PREFIXES[power]}{short}".rstrip()


def _quantity(value: float | None, unit: str) -> str:
    return "" if not value else f"{value:,.6g} {unit}"


def _money(value: float | None) -> str:
    return "" if value is None else f"{value:,.4f}"


def _time(seconds: int | None) -> str:
    if seconds is None or not 0 <= seconds < _SECONDS_BEFORE_YEAR_10000:
        return "" if seconds is None else str(seconds)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


__all__ = ["amount", "capacity_csv", "capacity_json", "capacity_markdown", "capacity_text"]
