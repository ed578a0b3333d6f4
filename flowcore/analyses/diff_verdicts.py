"""Two verdicts of one flow, compared: what became of it, and whether a third verdict undoes that.

A verdict table here has the columns of COMPARED, words as text, so that those of two networks can be laid side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model import Network
from ..schema import RULE_STAGES, VERDICT_COLUMNS
from ..walk import Explainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from ..evaluate import Evaluator

#: What may become of a flow, the gravest first.
CATEGORIES: tuple[str, ...] = ("broken", "opened", "unknown", "changed-path", "changed-rule", "unchanged")

#: Words a group of flows may carry about established connections (SG-36).
MOMENTS: tuple[str, ...] = ("now", "new-connections", "after-idle")

#: Route column -> column of what that route leads to: a route keeps its name when its target changes.
TARGET_COLUMNS: dict[str, str] = {"route": "route_target", "reply_route": "reply_route_target"}

#: The way a flow takes: if one of these differs, the path changed.
PATH_COLUMNS: tuple[str, ...] = (
    "path",
    "src_interface",
    "dst_interface",
    *TARGET_COLUMNS.values(),
    "targets",
    "reachable_targets",
)
#: What decided it: if only these differ, the rule changed.
RULE_COLUMNS: tuple[str, ...] = ("forward", "reply", "reason", "stage", "blocked_by", *RULE_STAGES)
COMPARED: tuple[str, ...] = ("verdict", *PATH_COLUMNS, *RULE_COLUMNS)

_NUMBERS = frozenset({"blocked_by", "targets", "reachable_targets"})

#: Up to this many flows for each interface are judged by `explain`, which needs no tables; more by compiled tables.
_SLOW_FLOWS_AN_INTERFACE, _FEWEST_SLOW_FLOWS = 2, 200


def judge(judged_by: Network | Evaluator, flows: pl.DataFrame, *, threads: int | None = None) -> pl.DataFrame:
    """The columns of COMPARED for each flow.

    A Network is compiled unless the flows are so few that `explain` is done sooner; both give the same answers.
    """
    from ..evaluate import Evaluator, compile_network

    if isinstance(judged_by, Evaluator):
        return plain(judged_by.evaluate(flows, threads=threads), judged_by.network)
    few = max(_FEWEST_SLOW_FLOWS, _SLOW_FLOWS_AN_INTERFACE * len(judged_by.interfaces))
    if flows.height <= few:
        return plain(explained(judged_by, flows), judged_by)
    return plain(compile_network(judged_by).evaluate(flows, threads=threads), judged_by)


def settled(
    verdicts: pl.DataFrame, variants: Sequence[Network | Evaluator], flows: pl.DataFrame, *, threads: int | None = None
) -> pl.DataFrame:
    """`verdicts` with those UNKNOWN ones decided that every variant of the network decides alike.

    `variants`: the networks that an open value of a plan may lead to, all of them; none: nothing is settled.
    """
    rows = (verdicts["verdict"] == "UNKNOWN").arg_true()
    if not variants or not rows.len():
        return verdicts
    answers = [judge(variant, flows[rows], threads=threads) for variant in variants]
    alike = answers[0]["verdict"] != "UNKNOWN"
    for answer in answers[1:]:
        alike &= answer["verdict"] == answers[0]["verdict"]
    better = answers[0].filter(alike)
    places = rows.filter(alike)
    return verdicts.with_columns(verdicts[name].scatter(places, better[name]) for name in verdicts.columns)


def explained(network: Network, flows: pl.DataFrame) -> pl.DataFrame:
    """The verdict columns of each flow by `explain`."""
    import polars as pl

    explainer = Explainer(network)
    names = [column.name for column in VERDICT_COLUMNS]
    paths = [explainer.explain(flow) for flow in flows.iter_rows(named=True)]
    return pl.DataFrame(
        {name: pl.Series(name, [getattr(path, name) for path in paths], dtype=_dtype(name)) for name in names}
    )


def plain(verdicts: pl.DataFrame, network: Network | None) -> pl.DataFrame:
    """A verdict table as COMPARED columns. Columns it lacks are null; without a network, route targets are too."""
    import polars as pl

    columns = [
        (pl.col(name) if name in verdicts.columns else pl.lit(None)).cast(_dtype(name)).alias(name)
        for name in COMPARED
        if name not in TARGET_COLUMNS.values()
    ]
    frame = verdicts.with_columns(columns)
    targets = _route_targets(network) if network is not None else {}
    return frame.select(
        pl.col(name)
        if name in frame.columns and name not in TARGET_COLUMNS.values()
        else _target(next(route for route, target in TARGET_COLUMNS.items() if target == name), targets)
        for name in COMPARED
    )


def _dtype(name: str) -> Any:
    import polars as pl

    return pl.UInt32 if name in _NUMBERS else pl.String


def _target(route: str, targets: dict[str, str]) -> pl.Expr:
    import polars as pl

    target = pl.col(route).replace_strict(targets, default=None, return_dtype=pl.String) if targets else pl.lit(None)
    return target.cast(pl.String).alias(TARGET_COLUMNS[route])


def _route_targets(network: Network) -> dict[str, str]:
    """Name of a route as in the rule columns -> kind and id of what it leads to."""
    found: dict[str, str] = {}
    for table in network.route_tables.values():
        routes = network.routes_of(table)
        for route in sorted(routes, key=lambda each: not each.propagated):  # static ones win (RT-05)
            found[f"{table.route_table_id} {route.destination}"] = f"{route.target_kind} {route.target_id}"
    return found


def categories(before: pl.DataFrame, after: pl.DataFrame) -> pl.Series:
    """What became of each flow, as an Enum of CATEGORIES; both tables as `judge` gives them, of the same flows."""
    import polars as pl

    both = pl.concat([before, after.rename(lambda name: f"after_{name}")], how="horizontal")
    was, now = pl.col("verdict"), pl.col("after_verdict")
    found = (
        pl.when((was == "ACCEPT") & (now == "REJECT"))
        .then(pl.lit("broken"))
        .when((was == "REJECT") & (now == "ACCEPT"))
        .then(pl.lit("opened"))
        .when(was != now)
        .then(pl.lit("unknown"))
        .when(~_same(PATH_COLUMNS))
        .then(pl.lit("changed-path"))
        .when(~_same(RULE_COLUMNS))
        .then(pl.lit("changed-rule"))
        .otherwise(pl.lit("unchanged"))
    )
    return both.select(category=found.cast(pl.Enum(CATEGORIES))).to_series()


def undone(category: pl.Series, before: pl.DataFrame, again: pl.DataFrame) -> pl.Series:
    """Whether `again` undoes what became of each flow.

    For broken, opened and unknown flows: the verdict is as before. For a changed path the way is too, and for a changed
    rule everything.
    """
    import polars as pl

    both = pl.concat([before, again.rename(lambda name: f"after_{name}")], how="horizontal")
    verdict, way = _same(("verdict",)), _same(("verdict", *PATH_COLUMNS))
    kind = pl.lit(category.cast(pl.String))
    same = (
        pl.when(kind == "changed-path").then(way).when(kind == "changed-rule").then(_same(COMPARED)).otherwise(verdict)
    )
    return both.select(undone=same).to_series()


def _same(names: tuple[str, ...]) -> pl.Expr:
    import polars as pl

    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"after_{name}")) for name in names)
