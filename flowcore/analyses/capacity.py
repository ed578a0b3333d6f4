"""What a network carries, by gateway and time window, what fills up, and what AWS would charge by category.

From flow logs, digests and tables of flows: docs/capacity.md says what is exact, what is an estimate, and what cannot
be known. With a network AFTER the same flows are laid over it too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from ..display import Displayed
from ..errors import InputError
from ..evaluate import Evaluator, compile_network
from ..model import InterfaceAddress, Network, NetworkInterface
from .capacity_bytes import CATEGORIES, categories, checked_prices
from .capacity_fold import Fold, Folded
from .capacity_input import CapacityInput
from .capacity_limits import Limits, read_limits
from .capacity_quotas import quotas
from .capacity_series import series, summarised
from .diff_input import read_after

if TYPE_CHECKING:
    import polars as pl

    from ..pipeline_run import Progress
    from ..sources.flows import Sources
    from ..sources.intake import ReadCounts
    from ..sources.places import Wanted

By = Literal["resource", "window", "category"]

#: Seconds of a window unless another is asked for.
WINDOW = 300

_SAME = ("kind", "resource", "metric", "unit")
_COMPARED = ("peak", "peak_at", "p95", "total", "limit", "share_of_limit")


@dataclass(frozen=True)
class Capacity(Displayed):
    """What `measure_capacity` found, as polars frames.

    `resources`: one row for each metric of each resource: kind, resource, metric, unit, source (measured: from the
    gateway's own records; predicted: from the ends' records and the way they take; described: from the network alone),
    detail, windows, peak, peak_at (Unix seconds, start of the window), p50, p95, p99, mean, total, limit, limit_source
    (statement), share_of_limit. With AFTER, peak, peak_at, p95, total, limit and share_of_limit once more, `_after`.
    `windows`: one row for each metric, resource and window: the series behind it; with AFTER the column `network`.
    `categories`: bytes, and what they are charged as, by place and category; see `capacity_bytes`.
    `decided`: the share of the records that could be laid on a way or were seen to be stopped. `undated`: the share of
    bytes of which it is not known when they went.
    """

    resources: pl.DataFrame
    windows: pl.DataFrame
    categories: pl.DataFrame
    window: int
    span: tuple[int, int] | None
    decided: float
    undated: float
    counts: ReadCounts
    notes: tuple[str, ...] = field(default=())

    def over(self, share: float) -> pl.DataFrame:
        """The rows of `resources` that use more than this share of a limit, now or after."""
        import polars as pl

        columns = [name for name in ("share_of_limit", "share_of_limit_after") if name in self.resources.columns]
        return self.resources.filter(pl.any_horizontal((pl.col(name) > share).fill_null(False) for name in columns))

    def __repr__(self) -> str:
        found = self.resources.select("kind", "resource").n_unique()
        return f"<Capacity: {found} resources, {self.window} s windows, {self.decided:.0%} of the records decided>"


def capacity(
    network: Network | Evaluator,
    flows: Sources | Any,
    *,
    window: int = WINDOW,
    after: Any = None,
    prices: Mapping[str, float] | None = None,
    by: By = "resource",
    **options: Any,
) -> pl.DataFrame:
    """What each gateway, endpoint, interface and zone crossing carried: peak, percentiles, when, and of which limit.

    `flows`: a table of flows or of log records, or files, folders, globs and `s3://` addresses of them, as
    `evaluate_logs` takes; a digest made with a window tells when, one without only how much. `window`: seconds.
    `after`: a network, an Evaluator, what `read_plan` or `read_edits` give, or the path of a snapshot, a Terraform plan
    or a file of edits; the same flows are laid over it too, and both sides are predicted. `prices`: category -> price
    of its unit; flowcore ships none.
    `by`: "resource" gives one row a metric, "window" the series behind it, "category" the bytes as AWS charges them:
    the frames of `Capacity`, which `measure_capacity` gives all at once; `options` are its own.
    Raises InputError and FlowError for what cannot be used.
    """
    if by not in ("resource", "window", "category"):
        raise InputError("no such frame", where="by", found=by, expected="resource, window or category")
    found = measure_capacity(network, flows, window=window, after=after, prices=prices, **options)
    return {"resource": found.resources, "window": found.windows, "category": found.categories}[by]


def measure_capacity(
    network: Network | Evaluator,
    flows: Sources | Any,
    *,
    window: int = WINDOW,
    after: Any = None,
    prices: Mapping[str, float] | None = None,
    limits: Limits | None = None,
    moved: Mapping[str, str] | None = None,
    log_format: str | None = None,
    wanted: Wanted | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Capacity:
    """As `capacity`, with all frames, and how much could be decided.

    `limits`: default those of `capacity_limits.json`. `moved`: interface id before -> interface id in AFTER that takes
    its traffic over; an interface that keeps its id but has other addresses in AFTER is taken so by itself.
    Memory grows with distinct ways and windows, and distinct connections at a time; not with records.
    """
    if isinstance(window, bool) or not isinstance(window, int) or window < 1:
        raise InputError("out of range", where="window", found=window, expected="whole seconds, 1 or more")
    known = limits or read_limits()
    priced = checked_prices(prices or {})
    evaluator = network if isinstance(network, Evaluator) else compile_network(network)
    evaluators = [evaluator]
    if after is not None:
        if isinstance(after, str | os.PathLike):
            after = read_after(evaluator.network, after)
        evaluators.append(_after(evaluator.network, after, moved or {}))
    given = CapacityInput(flows, evaluators, window, log_format=log_format, wanted=wanted)
    folds = [Fold(each.network, window, measured=after is None) for each in evaluators]
    for frames in given.batches(progress):
        for fold, frame in zip(folds, frames, strict=True):
            fold.add(frame)
    folded = [fold.result() for fold in folds]
    sides = [
        _Side(fold, found, known, window, priced, after is None) for fold, found in zip(folds, folded, strict=True)
    ]
    return _together(sides, given.counts, window)


class _Side:
    """What was found for one network."""

    def __init__(
        self, fold: Fold, folded: Folded, limits: Limits, window: int, prices: Mapping[str, float], measured: bool
    ) -> None:
        import polars as pl

        network, ways = fold.network, fold.ways.ways
        self.folded = folded
        starts = folded.flows["window"].drop_nulls()
        self.span = (int(starts.min()), int(starts.max())) if len(starts) else None  # type: ignore[arg-type]
        self.windows = series(folded, ways, network, limits, window, measured=measured)
        found = summarised(self.windows, network, limits, window, self.span)
        described = pl.DataFrame(
            [(q.kind, q.resource, q.metric, q.unit, "described", float(q.value), q.limit, q.source)
             for q in quotas(network, limits)],
            schema={"kind": pl.String, "resource": pl.String, "metric": pl.String, "unit": pl.String,
                    "source": pl.String, "peak": pl.Float64, "limit": pl.Float64, "limit_source": pl.String},
            orient="row",
        ).with_columns(share_of_limit=pl.col("peak") / pl.col("limit"))  # fmt: skip
        self.resources = pl.concat([found, described], how="diagonal")
        self.categories = categories(folded, ways, network, limits, found, window, prices)


def _together(sides: list[_Side], counts: ReadCounts, window: int) -> Capacity:
    import polars as pl

    first = sides[0]
    resources, windows, found = first.resources, first.windows, first.categories
    if len(sides) > 1:
        other = sides[1]
        resources = _beside(resources, other.resources, list(_SAME), _COMPARED)
        resources = resources.with_columns(
            total_change=pl.col("total_after").fill_null(0) - pl.col("total").fill_null(0)
        )
        names = ["place", "category", "statement", "unit", "price"]
        found = _beside(found, other.categories, names, ("bytes", "records", "quantity", "cost"))
        order = {key: number for number, key in enumerate(CATEGORIES)}
        places = [order[place, category] for place, category in found.select("place", "category").iter_rows()]
        found = found.with_columns(order=pl.Series(places)).sort("order").drop("order")
        change = pl.col("cost_after").fill_null(0) - pl.col("cost").fill_null(0)
        found = found.with_columns(cost_change=pl.when(pl.col("price").is_not_null()).then(change))
        windows = pl.concat(
            [
                side.windows.with_columns(network=pl.lit(name))
                for side, name in zip(sides, ("before", "after"), strict=True)
            ]
        )
    flows = first.folded.flows
    shares = [_share(side.folded.flows) for side in sides]
    undated = int(flows.filter(pl.col("window").is_null() & (pl.col("bucket") == "carried"))["bytes"].sum())
    carried = int(flows.filter(pl.col("bucket") == "carried")["bytes"].sum())
    return Capacity(
        resources, windows.sort("kind", "resource", "metric", "window_start"), found, window, first.span, min(shares),
        undated / carried if carried else 0.0, counts, tuple(_notes(counts, flows, undated, carried, min(shares))),
    )  # fmt: skip


def _share(flows: pl.DataFrame) -> float:
    """The share of records that are not undecided."""
    import polars as pl

    total = int(flows["records"].sum())
    undecided = int(flows.filter(pl.col("bucket") == "undecided")["records"].sum())
    return 1.0 if not total else 1 - undecided / total


def _beside(before: pl.DataFrame, after: pl.DataFrame, keys: list[str], compared: tuple[str, ...]) -> pl.DataFrame:
    """The rows of both by their keys, some columns of the latter under their names with `_after`."""
    import polars as pl

    later = after.select(*keys, *(pl.col(name).alias(f"{name}_after") for name in compared))
    both = before.join(later, on=keys, how="full", nulls_equal=True, coalesce=True)
    if "source" in both.columns:
        sources = after.select(*keys, pl.col("source").alias("source_after"))
        both = both.join(sources, on=keys, how="left", nulls_equal=True)
        both = both.with_columns(source=pl.coalesce("source", "source_after")).drop("source_after")
    return both.sort(keys[:3])


def _notes(counts: ReadCounts, flows: pl.DataFrame, undated: int, carried: int, decided: float) -> list[str]:
    notes = []
    if decided < 1:
        notes.append(f"{1 - decided:.2%} of the records are undecided: they are on no way")
    if undated:
        notes.append(
            f"{undated / carried:.2%} of the bytes carried have no time of their own: totals have them, peaks not"
        )
    unsized = int(flows["unsized"].sum())
    if unsized:
        notes.append(f"{unsized} records say no bytes and count as 0")
    lost = sum(counts.skipdata.values())
    if lost:
        notes.append(f"{lost} SKIPDATA records: traffic is missing, so everything is a lower bound (FL-21)")
    if counts.rejected or counts.damaged_files:
        notes.append(f"{counts.rejected} lines and {counts.damaged_files} files could not be read")
    return notes


def _after(before: Network, after: Any, moved: Mapping[str, str]) -> Evaluator:
    """AFTER as an Evaluator, its moved interfaces under the ids and addresses that the records know."""
    network = after if isinstance(after, Network) else getattr(after, "network", None)
    if not isinstance(network, Network):
        raise InputError("not a network", where="after", found=type(after).__name__, expected="a Network")
    held = {(i.vpc_id, own.address) for i in network.interfaces.values() for own in i.addresses}
    interfaces = dict(network.interfaces)
    changed = False
    for old, new in moved.items():
        if old not in before.interfaces or new not in network.interfaces:
            missing = old if old not in before.interfaces else new
            raise InputError("no such interface", where="moved", found=missing, expected="OLD of NETWORK, NEW of AFTER")
    for old, interface in before.interfaces.items():
        new = moved.get(old, old)
        here = network.interfaces.get(new)
        lost = [own.address for own in interface.addresses if here and not here.holds(own.address)]
        if here is None or (new == old and not lost):
            continue
        if new == old and any((here.vpc_id, address) in held for address in lost):
            continue
        interfaces.pop(new, None)
        interfaces[old] = replace(here, interface_id=old, addresses=_taken_over(interface, here))
        changed = True
    if not changed:
        return after if isinstance(after, Evaluator) else compile_network(network)
    return compile_network(replace(network, interfaces=interfaces))


def _taken_over(interface: NetworkInterface, here: NetworkInterface) -> tuple[InterfaceAddress, ...]:
    """The addresses of `here`, those that `interface` does not have replaced by those it has lost, family by family."""
    lost = [own.address for own in interface.addresses if not here.holds(own.address)]
    found = []
    for own in here.addresses:
        match = None
        if not interface.holds(own.address):
            match = next((address for address in lost if address.version == own.address.version), None)
        if match is not None:
            lost.remove(match)
        found.append(replace(own, address=match or own.address))
    return (*found, *(InterfaceAddress(address) for address in lost))


__all__ = ["WINDOW", "By", "Capacity", "capacity", "measure_capacity"]
