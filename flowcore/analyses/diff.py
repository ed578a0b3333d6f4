"""Which flows would a change break, and which would it open? Two networks, the same flows, and what differs.

The verdicts are compared in `diff_verdicts`, `diff_attribution` finds the change behind each difference by undoing
changes, `diff_tracking` says when a broken flow breaks, `diff_exhaustive` does without flows.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..columns import as_frame
from ..display import Displayed
from ..errors import FlowError, InputError
from ..evaluate import Evaluator, compile_network
from ..model import Network
from ..schema import FLOW_COLUMNS, PROTOCOL_NUMBERS, RULE_STAGES, VERDICTS
from .diff_attribution import UNATTRIBUTED, Cause, attribute
from .diff_changes import Changes, RecordChanges, variants_without
from .diff_plan import with_changes
from .diff_tracking import Moment, Tracking
from .diff_verdicts import CATEGORIES, MOMENTS, TARGET_COLUMNS, categories, judge, plain, settled

if TYPE_CHECKING:
    import polars as pl

__all__ = ["CATEGORIES", "Changes", "Diff", "Difference", "RecordChanges", "diff"]

#: Rows judged at a time: bounds what is held of the flows that stay as they are.
BATCH_ROWS = 1 << 18

#: Examples of each group of flows.
EXAMPLES = 3

FLOW_NAMES = tuple(column.name for column in FLOW_COLUMNS)

#: Totals of a flow: column -> names it may come under, and what it is where there is none.
TOTALS: dict[str, tuple[tuple[str, ...], int | None]] = {
    "records": (("records",), 1),
    "packets": (("packets",), None),
    "bytes": (("bytes",), None),
    "first": (("first", "first_seen", "start"), None),
    "last": (("last", "last_seen", "end"), None),
}

#: Columns of a verdict whose values before and after are shown.
_BOTH = ("verdict", "reason", "stage", "path")


@dataclass(frozen=True)
class Difference(Displayed):
    """What `diff` found, as polars frames; `broken`, `opened` and so on are rows of `flows`.

    `summary`: one row a category of CATEGORIES, all of them: flows, records, packets, bytes, first, last.
    `groups`: the flows that are not unchanged, by category and cause, the gravest category first and most flows first:
    category, changes (names; empty: no change of those known undoes it), details (what each does, where that is known),
    undo (any: undoing one of them suffices; all: it takes them all), the totals, `now`, `new_connections` and
    `after_idle` (flows of each moment, broken ones only), reasons (after, or before for opened flows) and examples
    (command lines of `flowcore explain`).
    `flows`: one row a flow that is not unchanged: the flow columns, the totals, category, verdict, reason, stage and
    path before and after, decided (what decided it, where that differs), when, idle_seconds, changes and undo.
    `undecided`: flows that are UNKNOWN before, and after; whatever they became.
    Totals are null where the flows do not say; first and last are as in the flows (seconds since 1970 in flow logs).
    """

    summary: pl.DataFrame
    groups: pl.DataFrame
    flows: pl.DataFrame
    undecided: tuple[int, int] = (0, 0)

    def of(self, category: str) -> pl.DataFrame:
        """The rows of `flows` of one category."""
        return self.flows.filter(self.flows["category"] == category)

    @property
    def broken(self) -> pl.DataFrame:
        """Flows that got through and would not any more."""
        return self.of("broken")

    @property
    def opened(self) -> pl.DataFrame:
        """Flows that were stopped and would get through."""
        return self.of("opened")

    @property
    def unknown(self) -> pl.DataFrame:
        """Flows that can be decided only before or only after."""
        return self.of("unknown")

    @property
    def counts(self) -> dict[str, int]:
        """Category -> number of flows."""
        return dict(self.summary.select("category", "flows").rows())

    def __repr__(self) -> str:
        return f"<Difference: {', '.join(f'{count} {category}' for category, count in self.counts.items())}>"


def diff(
    before: Network | Evaluator | Any,
    after: Network | Evaluator | Any,
    flows: Any = None,
    *,
    changes: Changes | None = None,
    snapshot: str = "BEFORE",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Difference:
    """What becomes of the flows when the network `before` turns into `after`.

    `flows`: a table with the columns `Evaluator.evaluate` takes, and optionally records, packets, bytes, first and last
    (or start and end); each row is one flow. `before` and `after`: networks or Evaluators, `after` also what
    `read_plan` or `read_edits` gives; or two tables of verdicts of the same flows in the same order, then without
    `flows`, and nothing is said of causes and connections.
    `changes`: the changes that led from one to the other; default: found by comparing the records of the two. Finding
    causes judges the flows that differ once for each change. `snapshot` is the word for the earlier network in the
    examples.
    Raises FlowError for tables that do not fit, InputError for networks mixed with tables.
    """
    run = Diff(before, after, changes=changes, snapshot=snapshot, threads=threads)
    if run.judges:
        if flows is None:
            raise InputError("no flows are given", expected="a table of flows")
        frame = as_frame(flows)
        for start in range(0, frame.height, BATCH_ROWS):
            run.add(frame[start : start + BATCH_ROWS])
    else:
        if flows is not None:
            raise InputError("flows and tables of verdicts exclude each other", hint="give networks, or no flows")
        run.add_verdicts(as_frame(before), as_frame(after))
    return run.result(progress)


@dataclass
class _Kept:
    """What is kept of one batch: the flows that are not unchanged, with their verdicts."""

    flows: pl.DataFrame
    before: pl.DataFrame
    after: pl.DataFrame
    category: pl.Series


class Diff:
    """`diff` in batches: `add` flows, then ask for the `result`. The order and size of batches change no total."""

    def __init__(
        self,
        before: Network | Evaluator | Any,
        after: Network | Evaluator | Any,
        *,
        changes: Changes | None = None,
        snapshot: str = "BEFORE",
        threads: int | None = None,
    ) -> None:
        after, known = with_changes(after)
        changes = known if changes is None else changes
        networks = [side.network if isinstance(side, Evaluator) else side for side in (before, after)]
        self.judges = all(isinstance(network, Network) for network in networks)
        if not self.judges and any(isinstance(network, Network) for network in networks):
            raise InputError("a network and a table of verdicts cannot be compared", expected="two of one kind")
        self._sides, self._networks = (before, after), networks
        self._changes, self._snapshot, self._threads = changes, snapshot, threads
        self._kept: list[_Kept] = []
        self._totals: list[pl.DataFrame] = []
        self._undecided = (0, 0)

    @cached_property
    def evaluators(self) -> tuple[Evaluator, Evaluator]:
        """The two networks, compiled."""
        first, second = (side if isinstance(side, Evaluator) else compile_network(side) for side in self._sides)
        return first, second

    @cached_property
    def _variants(self) -> tuple[Evaluator, ...]:
        """The networks that AFTER leaves open, compiled."""
        open_networks = variants_without(self._changes, ()) if self._changes is not None else ()
        return tuple(map(compile_network, open_networks))

    def add(self, flows: pl.DataFrame) -> None:
        """Judge a batch of flows by both networks and keep what differs."""
        before, after = (judge(evaluator, flows, threads=self._threads) for evaluator in self.evaluators)
        if "UNKNOWN" in after["verdict"]:
            after = settled(after, self._variants, flows, threads=self._threads)
        self._add(flows, before, after)

    def add_verdicts(self, before: pl.DataFrame, after: pl.DataFrame) -> None:
        """Compare two tables of verdicts of the same flows, or of the same log records."""
        names = [name for name in FLOW_NAMES if name in before.columns]
        if before.height != after.height or not before.select(names).equals(
            after.select(name for name in names if name in after.columns)
        ):
            raise FlowError("the two tables hold different flows", hint="judge the same flows, in the same order")
        for frame in (before, after):
            if "verdict" not in frame.columns:
                raise FlowError("the table has no verdicts", found=frame.columns, expected="the column verdict")
            found = set(frame["verdict"].cast(str).unique())
            if found - set(VERDICTS):
                raise FlowError("not verdicts", where="verdict", found=sorted(map(str, found))[:5])
        self._add(_from_opener(before), plain(before, None), plain(after, None))

    def _add(self, flows: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> None:
        import polars as pl

        category = categories(before, after)
        known = _known_columns(flows)
        now = tuple(int((side["verdict"] == "UNKNOWN").sum()) for side in (before, after))
        self._undecided = (self._undecided[0] + now[0], self._undecided[1] + now[1])
        self._totals.append(totals(pl.concat([known, category.to_frame()], how="horizontal"), ["category"]))
        rows = (category != "unchanged").arg_true()
        if rows.len():
            self._kept.append(_Kept(known[rows], before[rows], after[rows], category[rows]))

    def result(self, progress: Callable[[int, int], None] | None = None) -> Difference:
        """What was found so far. `progress`: see `attribute`."""
        import polars as pl

        if self._kept:
            kept = _Kept(
                pl.concat([each.flows for each in self._kept]),
                pl.concat([each.before for each in self._kept]),
                pl.concat([each.after for each in self._kept]),
                pl.concat([each.category for each in self._kept]),
            )
            self._kept = [kept]
        else:
            nothing = pl.DataFrame(schema=dict.fromkeys(FLOW_NAMES, pl.String))
            verdicts = plain(pl.DataFrame(schema={"verdict": pl.String}), None)
            kept = _Kept(_known_columns(nothing), verdicts, verdicts, pl.Series("category", [], pl.Enum(CATEGORIES)))
        flows = self._flows(kept, self._causes(kept, progress), self._moments(kept))
        return Difference(self._summary(), self._groups(flows), flows, self._undecided)

    def _causes(self, kept: _Kept, progress: Callable[[int, int], None] | None) -> list[Cause]:
        if not self.judges or not kept.flows.height:
            return [UNATTRIBUTED] * kept.flows.height
        changes = self._changes if self._changes is not None else RecordChanges(*self._networks)
        return attribute(kept.flows, kept.category, kept.before, changes, threads=self._threads, progress=progress)

    def _moments(self, kept: _Kept) -> list[Moment | None]:
        if not self.judges:
            return [None] * kept.flows.height
        tracking = Tracking(self._networks[0])
        rows = zip(
            kept.category,
            kept.flows.iter_rows(named=True),
            kept.before.iter_rows(named=True),
            kept.after.iter_rows(named=True),
            strict=True,
        )
        return [
            tracking.moment(flow, before, after) if category == "broken" else None
            for category, flow, before, after in rows
        ]

    def _flows(self, kept: _Kept, causes: list[Cause], moments: list[Moment | None]) -> pl.DataFrame:
        import polars as pl

        sides = [
            pl.concat([kept.before.select(pl.col(name).alias(f"{name}_before") for name in _BOTH)]),
            kept.after.select(pl.col(name).alias(f"{name}_after") for name in _BOTH),
        ]
        ends = kept.before.select("src_interface", "dst_interface")
        added = pl.DataFrame(
            {
                "decided": pl.Series(list(_decided(kept.before, kept.after)), dtype=pl.List(pl.String)),
                "when": pl.Series([m.when if m else None for m in moments], dtype=pl.Enum(MOMENTS)),
                "idle_seconds": pl.Series([m.idle_seconds if m else None for m in moments], dtype=pl.UInt32),
                "changes": pl.Series([list(cause.names) for cause in causes], dtype=pl.List(pl.String)),
                "undo": pl.Series([cause.undo for cause in causes], dtype=pl.Enum(["any", "all"])),
            }
        )
        words = [*(c for side in sides for c in side.columns)]
        frame = pl.concat([kept.flows, kept.category.to_frame(), *sides, ends, added], how="horizontal")
        order = [f"{name}_{side}" for name in _BOTH for side in ("before", "after")]
        assert set(order) == set(words)
        return frame.select(*kept.flows.columns, "category", *order, *ends.columns, *added.columns)

    def _summary(self) -> pl.DataFrame:
        import polars as pl

        every = pl.DataFrame({"category": pl.Series(list(CATEGORIES), dtype=pl.Enum(CATEGORIES))})
        if not self._totals:
            return every.with_columns(flows=pl.lit(0, pl.UInt64), **{name: pl.lit(None, pl.Int64) for name in TOTALS})
        found = _totals_of_totals(pl.concat(self._totals), ["category"])
        return every.join(found, on="category", how="left", maintain_order="left").with_columns(
            pl.col("flows").fill_null(0)
        )

    def _groups(self, flows: pl.DataFrame) -> pl.DataFrame:
        """The flows by category and cause, see Difference.groups."""
        import polars as pl

        keys = ["category", "changes", "details", "undo"]
        detail = getattr(self._changes, "detail", lambda _: None)
        text = pl.col("changes").list.join("\x00").alias("key")
        keyed = flows.with_columns(text)
        told = pl.when(pl.col("category") == "opened").then("reason_before").otherwise("reason_after")
        groups = keyed.group_by("category", "key", "undo", maintain_order=True).agg(
            pl.col("changes").first(),
            *_sums(),
            *((pl.col("when") == moment).sum().alias(moment.replace("-", "_")) for moment in MOMENTS),
            told.drop_nulls().unique().sort().alias("reasons"),
            *(pl.col(name).head(EXAMPLES) for name in (*FLOW_NAMES, "src_interface")),
        )
        examples = [list(_examples(row, self._snapshot)) for row in groups.iter_rows(named=True)]
        return (
            groups.with_columns(
                examples=pl.Series(examples, dtype=pl.List(pl.String)),
                details=pl.Series([list(map(detail, names)) for names in groups["changes"]], dtype=pl.List(pl.String)),
            )
            .select(*keys, "flows", *TOTALS, *(m.replace("-", "_") for m in MOMENTS), "reasons", "examples")
            .sort("category", "flows", pl.col("changes").list.join(" "), descending=[False, True, False])
        )


# -- flows and their totals ----------------------------------------------------------------------------------


def _known_columns(flows: pl.DataFrame) -> pl.DataFrame:
    """The flow columns and totals, all of them; words as text, what is not there null."""
    import polars as pl

    def flow_column(name: str) -> pl.Expr:
        if name not in flows.columns:
            return pl.lit(None, pl.Int64 if name.startswith("icmp_") else pl.String).alias(name)
        is_word = flows.schema[name] in (pl.Categorical, pl.Enum)
        return pl.col(name).cast(pl.String) if is_word else pl.col(name)

    def total(name: str) -> pl.Expr:
        under, default = TOTALS[name]
        found = next((each for each in under if each in flows.columns), None)
        if found is None:
            return pl.lit(default, pl.Int64).alias(name)
        dtype = flows.schema[found]
        value = pl.col(found).dt.epoch("s") if dtype == pl.Datetime else pl.col(found)
        return value.cast(pl.Int64, strict=False).alias(name)

    if any(flows.schema[name] == pl.Binary for name in ("srcaddr", "dstaddr") if name in flows.columns):
        flows = flows.with_columns(_address_texts(flows))
    return flows.with_row_index("__row").select(
        *(flow_column(name) for name in FLOW_NAMES), *(total(name) for name in TOTALS)
    )


def _from_opener(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Verdicts of log records as the conversations that were judged: records of replies turned round."""
    import polars as pl

    if "initiator" not in verdicts.columns:
        return verdicts
    turned = pl.col("initiator").cast(pl.String).str.starts_with("destination-").fill_null(False)
    pairs = [pair for pair in (("srcaddr", "dstaddr"), ("srcport", "dstport")) if set(pair) <= set(verdicts.columns)]
    both = [*pairs, *((destination, source) for source, destination in pairs)]
    return verdicts.with_columns(pl.when(turned).then(other).otherwise(one).alias(one) for one, other in both)


def _address_texts(flows: pl.DataFrame) -> Iterator[pl.Series]:
    from ipaddress import ip_address

    import polars as pl

    for name in ("srcaddr", "dstaddr"):
        column = flows[name]
        if column.dtype == pl.Binary:
            texts = [str(ip_address(value)) if value and len(value) in (4, 16) else None for value in column]
            yield pl.Series(name, texts, pl.String)


def _sums() -> list[pl.Expr]:
    import polars as pl

    def summed(name: str) -> pl.Expr:  # nothing known stays null, not 0
        return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)

    return [
        pl.len().cast(pl.UInt64).alias("flows"),
        *(summed(name) for name in ("records", "packets", "bytes")),
        pl.col("first").min(),
        pl.col("last").max(),
    ]


def totals(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Flows, records, packets, bytes, first and last of each group."""
    return frame.group_by(by, maintain_order=True).agg(_sums())


def _totals_of_totals(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    import polars as pl

    return frame.group_by(by, maintain_order=True).agg(pl.col("flows").sum(), *_sums()[1:])


# -- words ---------------------------------------------------------------------------------------------------


def _decided(before: pl.DataFrame, after: pl.DataFrame) -> Iterator[list[str]]:
    """For each flow, what decided it and differs: `dst_sg_rule sgr-1 -> none`."""
    names = [*RULE_STAGES, *TARGET_COLUMNS.values(), "reachable_targets"]
    columns = [(name, before[name].to_list(), after[name].to_list()) for name in names]
    for row in range(before.height):
        yield [
            f"{name} {'none' if was[row] is None else was[row]} -> {'none' if now[row] is None else now[row]}"
            for name, was, now in columns
            if was[row] != now[row]
        ]


def _examples(group: dict[str, Any], snapshot: str) -> Iterator[str]:
    for values in zip(*(group[name] for name in (*FLOW_NAMES, "src_interface")), strict=True):
        yield explain_command(dict(zip((*FLOW_NAMES, "src_interface"), values, strict=True)), snapshot)


def explain_command(flow: dict[str, Any], snapshot: str) -> str:
    """The `flowcore explain` command line that follows one flow; every value quoted for a shell."""
    source = flow.get("src_interface_id")
    if source in (None, "", "-"):
        source = flow["srcaddr"]
    words = ["flowcore", "explain", snapshot, "--from", source, "--to", flow["dstaddr"]]
    words += ["--protocol", protocol_name(flow["protocol"])]
    named = {"--port": "dstport", "--source-port": "srcport", "--icmp-type": "icmp_type", "--icmp-code": "icmp_code"}
    has_ports = protocol_name(flow["protocol"]) in ("tcp", "udp")
    for option, name in named.items():
        if flow.get(name) is not None and (has_ports or not name.endswith("port")):
            words += [option, flow[name]]
    return " ".join(shlex.quote(str(word)) for word in words)


def protocol_name(protocol: Any) -> str:
    """tcp, udp, icmp or icmpv6 for their numbers; anything else as it is."""
    names = {PROTOCOL_NUMBERS[name]: name for name in ("tcp", "udp", "icmp", "icmpv6")}
    text = str(protocol).strip().lower()
    number = PROTOCOL_NUMBERS.get(text, int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None)
    return names.get(number, text) if number is not None else text
