"""What a run found, as sums: the summary of two parts of a stream is the sum of their summaries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .display import Displayed
from .schema import STAGE_BITS, TCP, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from .sources.intake import ReadCounts

#: Bit of SYN in the TCP flags of a log record (FL-61).
SYN = 2

K = TypeVar("K")
V = TypeVar("V")

#: Verdict, reason and stage of a group of flows; the latter two None where plainly accepted.
Outcome = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Tally:
    """Flows, and their packets and bytes where the input has these columns (0 where it has not)."""

    flows: int = 0
    packets: int = 0
    bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.flows + other.flows, self.packets + other.packets, self.bytes + other.bytes)


class Disagreement(NamedTuple):
    """Why, by what, and where AWS logged another action than predicted; `rule` decided there, None if none is named."""

    kind: str
    predicted: str
    action: str
    interface: str | None
    rule: str | None


#: The classes of disagreement (FL-44), in the order they are looked for, and what they mean.
MISMATCHES: Mapping[str, str] = {
    "block-public-access": "AWS says it was Block Public Access (reject-reason BPA), or the description stops it there",
    "encryption-control": "AWS says it was encryption control (reject-reason EC)",
    "addresses-ambiguous": "the record may not show the packet's addresses (FL-32)",
    "after-close": "refused packets without SYN: the connection may have been closed before",
    "tracked-connection": "accepted packets without SYN: the connection may be older than the rules (SG-24)",
    "changed-within": "AWS logged both actions for the same ends, ports but the client's, and interface: rules changed "
    "within the log, or, where TCP flags are not logged, packets came after the close",
    "lost-records": "at an interface with SKIPDATA: the record that tells who opened may be among the lost (FL-21)",
    "unexplained": "rules changed before or after the log, or the model is wrong: look here first",
}

_COUNTS = ("rows", "log_records", "files", "lines", "rejected", "outside", "damaged_files")


@dataclass(frozen=True)
class Summary(Displayed):
    """Counts of one run, or of any part of it; they add up. Equal if all counts are: `seconds` is not compared."""

    outcomes: Mapping[Outcome, Tally] = field(default_factory=dict)
    agreement: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(predicted_action, action) of log records that have an action -> how many."""
    disagreements: Mapping[Disagreement, int] = field(default_factory=dict)
    """What is behind the records that do not agree -> how many."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Where log records were made (schema.RECORD_PLACES) -> how many; count conversations by "end" (FL-36)."""
    rows: int = 0
    """Rows written; a row of a digest stands for several records."""
    log_records: int = 0
    """Flows judged that were log records; the others came from tables of flows."""
    files: int = 0
    lines: int = 0
    """Lines and rows read: judged, without traffic (nodata, skipdata) and rejected ones."""
    rejected: int = 0
    """Lines that could not be read; they are in the rejects file, with the reason."""
    outside: int = 0
    """Records that were not asked for: outside the times, accounts, Regions or interfaces wanted."""
    damaged_files: int = 0
    """Files that could not be read, or not to their end; also in the rejects file."""
    nodata: Mapping[str, int] = field(default_factory=dict)
    """Interface -> intervals without traffic (FL-20)."""
    skipdata: Mapping[str, int] = field(default_factory=dict)
    """Interface -> intervals in which AWS lost records: what is counted here is a lower bound (FL-21)."""
    unknown_fields: Mapping[str, int] = field(default_factory=dict)
    """Name no version of flow logs has -> files whose header has it. Such columns are left out."""
    seconds: float = field(default=0.0, compare=False)

    @classmethod
    def empty(cls) -> Summary:
        """The summary of nothing: what sums start from."""
        return cls()

    @classmethod
    def of(cls, frame: pl.DataFrame) -> Summary:
        """The counts of judged flows: a frame with verdict, reason, stage; packets, bytes, action if it has them."""
        import polars as pl

        sums = [
            pl.col(name).cast(pl.Int128).sum().alias(name) if name in frame.columns else pl.lit(0).alias(name)
            for name in ("packets", "bytes")
        ]
        is_digest = {"records", "predicted_action"} <= set(frame.columns)
        count = pl.col("records").fill_null(1).sum() if is_digest else pl.len()
        groups = frame.group_by("verdict", "reason", "stage").agg(count.alias("flows"), *sums)
        outcomes = {
            (verdict, reason, stage): Tally(flows, int(packets), int(size))
            for verdict, reason, stage, flows, packets, size in groups.iter_rows()
        }
        agreement: dict[tuple[str, str], int] = {}
        log_records = frame.select(count).item() if "predicted_action" in frame.columns else 0
        if log_records and "action" in frame.columns:
            pairs = frame.drop_nulls("action").group_by("predicted_action", "action").agg(count.alias("count"))
            agreement = {(predicted, action): count for predicted, action, count in pairs.iter_rows()}
        places, behind = {}, {}
        if log_records and "observed_at" in frame.columns:
            places = {
                str(place): count
                for place, count in frame.group_by("observed_at").agg(count.alias("count")).iter_rows()
            }
            behind = disagreements(frame)
        return cls.of_columns(outcomes, agreement, places, behind, frame.height, log_records)

    @classmethod
    def of_columns(
        cls,
        outcomes: Mapping[Outcome, Tally],
        agreement: Mapping[tuple[str, str], int],
        places: Mapping[str, int],
        behind: Mapping[Disagreement, int],
        rows: int,
        log_records: int,
    ) -> Summary:
        """The counts of judged flows."""
        return cls(_ordered(outcomes), _ordered(agreement), _ordered(behind), _ordered(places), rows, log_records)

    @classmethod
    def of_seconds(cls, seconds: float) -> Summary:
        """The time a run took."""
        return cls(seconds=seconds)

    @classmethod
    def of_reading(cls, counts: ReadCounts, seconds: float = 0.0) -> Summary:
        """What was read, without any verdicts."""
        return cls(
            files=counts.files,
            lines=counts.lines,
            rejected=counts.rejected,
            outside=counts.outside,
            damaged_files=counts.damaged_files,
            nodata=_ordered(counts.nodata),
            skipdata=_ordered(counts.skipdata),
            unknown_fields=_ordered(counts.unknown_fields),
            seconds=seconds,
        )

    def document(self) -> dict[str, Any]:
        """The counts as JSON; `seconds` is left out. See `of_document`."""
        return {
            "outcomes": [[*outcome, t.flows, t.packets, t.bytes] for outcome, t in self.outcomes.items()],
            "agreement": [[*pair, count] for pair, count in self.agreement.items()],
            "disagreements": [[*key, count] for key, count in self.disagreements.items()],
            "places": dict(self.places),
            **{name: getattr(self, name) for name in _COUNTS},
            "nodata": dict(self.nodata),
            "skipdata": dict(self.skipdata),
            "unknown_fields": dict(self.unknown_fields),
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Summary:
        """The summary that `document` gave."""
        return cls(
            outcomes={(v, r, s): Tally(*counts) for v, r, s, *counts in document["outcomes"]},
            agreement={(predicted, action): count for predicted, action, count in document["agreement"]},
            disagreements={Disagreement(*key): count for *key, count in document["disagreements"]},
            places=document["places"],
            **{name: document[name] for name in _COUNTS},
            nodata=document["nodata"],
            skipdata=document["skipdata"],
            unknown_fields=document.get("unknown_fields", {}),
        )

    def __add__(self, other: Summary) -> Summary:
        outcomes = dict(self.outcomes)
        for outcome, tally in other.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, Tally()) + tally
        return Summary(
            outcomes=_ordered(outcomes),
            agreement=_ordered(Counter(self.agreement) + Counter(other.agreement)),
            disagreements=_ordered(Counter(self.disagreements) + Counter(other.disagreements)),
            places=_ordered(Counter(self.places) + Counter(other.places)),
            **{name: getattr(self, name) + getattr(other, name) for name in _COUNTS},
            nodata=_ordered(Counter(self.nodata) + Counter(other.nodata)),
            skipdata=_ordered(Counter(self.skipdata) + Counter(other.skipdata)),
            unknown_fields=_ordered(Counter(self.unknown_fields) + Counter(other.unknown_fields)),
            seconds=self.seconds + other.seconds,
        )

    @property
    def explained(self) -> dict[Disagreement, int]:
        """`disagreements`, those without another class at interfaces with SKIPDATA as "lost-records"."""
        found: Counter[Disagreement] = Counter()
        for key, count in self.disagreements.items():
            lost = key.kind == "unexplained" and key.interface in self.skipdata
            found[key._replace(kind="lost-records") if lost else key] += count
        return _ordered(found)

    @property
    def by_class(self) -> dict[str, int]:
        """Class of disagreement (MISMATCHES, each of them) -> records."""
        found = dict.fromkeys(MISMATCHES, 0)
        for key, count in self.explained.items():
            found[key.kind] += count
        return found

    @property
    def total(self) -> Tally:
        """All judged flows."""
        return sum(self.outcomes.values(), start=Tally())

    @property
    def flows(self) -> int:
        """How many flows were judged, log records included."""
        return self.total.flows

    @property
    def by_verdict(self) -> dict[str, Tally]:
        """The flows of each verdict, all three verdicts present."""
        found = dict.fromkeys(VERDICTS, Tally())
        for (verdict, _, _), tally in self.outcomes.items():
            found[verdict] += tally
        return found

    @property
    def undecided_share(self) -> float:
        """The part of the flows whose verdict is UNKNOWN, 0 to 1."""
        return self.by_verdict["UNKNOWN"].flows / self.flows if self.flows else 0.0

    @property
    def silent(self) -> int:
        """Intervals without traffic, or whose records AWS lost."""
        return sum(self.nodata.values()) + sum(self.skipdata.values())

    @property
    def rejected_share(self) -> float:
        """The part of the lines that could not be read, 0 to 1; a damaged file counts as one more such line."""
        bad = self.rejected + self.damaged_files
        return bad / (self.lines + self.damaged_files) if bad else 0.0

    @property
    def agreed(self) -> int:
        """Log records whose action is the one predicted."""
        return sum(count for (predicted, action), count in self.agreement.items() if predicted == action)

    @property
    def disagreed(self) -> int:
        """Log records whose action is not the one predicted; UNKNOWN predictions are neither."""
        decided = sum(count for (predicted, _), count in self.agreement.items() if predicted != "UNKNOWN")
        return decided - self.agreed

    @property
    def rate(self) -> float | None:
        """Flows per second, end to end; None where no time was taken."""
        return self.flows / self.seconds if self.seconds > 0 else None

    def frame(self) -> pl.DataFrame:
        """One row per verdict, reason and stage, with flows, packets and bytes; most flows first within a verdict."""
        import polars as pl

        order = sorted(self.outcomes.items(), key=lambda item: (VERDICTS.index(item[0][0]), -item[1].flows))
        rows = [(*outcome, tally.flows, _int64(tally.packets), _int64(tally.bytes)) for outcome, tally in order]
        words = dict.fromkeys(("verdict", "reason", "stage"), pl.String())
        return pl.DataFrame(
            rows, schema={**words, **dict.fromkeys(("flows", "packets", "bytes"), pl.Int64())}, orient="row"
        )


def disagreements(frame: pl.DataFrame) -> dict[Disagreement, int]:
    """What is behind the judged records of `frame` that do not agree, by class, interface and rule (FL-44)."""
    import polars as pl

    rows = frame.filter(~pl.col("agrees"))
    if not rows.height:
        return {}
    rows = rows.with_columns(_logged_both_ways(rows, frame.filter(pl.col("agrees"))))
    lacking = [name for name in ("reject_reason", "tcp_flags", "interface_id", "protocol") if name not in rows.columns]
    rows = rows.with_columns(
        pl.lit(None, pl.Int64 if name == "tcp_flags" else pl.String).alias(name) for name in lacking
    )
    late = (pl.col("protocol").cast(pl.Int64) == TCP) & ((pl.col("tcp_flags").cast(pl.Int64) & SYN) == 0)
    by_public_access = (pl.col("action") == "REJECT") & (pl.col("reason") == "VPC_BLOCK_PUBLIC_ACCESS_ENABLED")
    kind = (
        pl.when((pl.col("reject_reason") == "BPA") | by_public_access)
        .then(pl.lit("block-public-access"))
        .when(pl.col("reject_reason") == "EC")
        .then(pl.lit("encryption-control"))
        .when(pl.col("addresses_ambiguous"))
        .then(pl.lit("addresses-ambiguous"))
        .when(late & (pl.col("action") == "REJECT"))
        .then(pl.lit("after-close"))
        .when(late & (pl.col("action") == "ACCEPT"))
        .then(pl.lit("tracked-connection"))
        .when(pl.col("changed"))
        .then(pl.lit("changed-within"))
        .otherwise(pl.lit("unexplained"))
    )
    egress = pl.col("direction") == "egress"
    source, destination = (pl.col(name).cast(pl.String) for name in ("src_interface", "dst_interface"))
    replied = pl.col("initiator").cast(pl.String).str.starts_with("destination-")
    assumed = (
        pl.col("initiator").cast(pl.String) == "source-assumed"
    )  # judged as the reply where it can be nothing else
    replied |= (
        assumed
        & (source != destination)
        & (pl.col("interface_id").cast(pl.String) == pl.when(egress).then(destination).otherwise(source))
    )
    by_acl = pl.col("blocked_by") & pl.when(egress).then(_bit("source-network-acl")).otherwise(
        _bit("destination-network-acl")
    )
    rule = (
        pl.when(replied & egress)
        .then(pl.col("reply_dst_acl_rule").cast(pl.String))
        .when(replied)
        .then(pl.col("reply_src_acl_rule").cast(pl.String))
        .when(egress & (by_acl != 0))
        .then(pl.col("src_acl_rule").cast(pl.String))
        .when(egress)
        .then(pl.col("src_sg_rule").cast(pl.String))
        .when(by_acl != 0)
        .then(pl.col("dst_acl_rule").cast(pl.String))
        .otherwise(pl.col("dst_sg_rule").cast(pl.String))
    )
    weight = pl.col("records").fill_null(1).sum() if "records" in rows.columns else pl.len()
    text = [pl.col(name).cast(pl.String) for name in ("predicted_action", "action", "interface_id")]
    groups = rows.group_by(kind.alias("kind"), *text, rule.alias("rule")).agg(weight.alias("count"))
    return {Disagreement(*key): count for *key, count in groups.iter_rows()}


#: What tells conversations of one kind apart; of the ports the client's is left out.
_SERVICE = ("interface_id", "srcaddr", "dstaddr", "protocol", "service")


def _logged_both_ways(rows: pl.DataFrame, agreeing: pl.DataFrame) -> pl.Series:
    """Whether AWS logged the other action too, for the same ends at the same interface: `changed`.

    [inf]: nothing in a record says that rules changed, FL-44 names it as a class to expect. Only records of one row
    group are compared, so this is a lower bound.
    """
    import polars as pl

    if not {"srcaddr", "dstaddr", "interface_id", "protocol", "srcport", "dstport", "action"} <= set(rows.columns):
        return pl.Series("changed", [False] * rows.height, dtype=pl.Boolean)

    def services(frame: pl.DataFrame) -> pl.DataFrame:
        low, high = pl.min_horizontal("srcport", "dstport"), pl.col("srcport") < pl.col("dstport")
        return frame.select(
            *(pl.col(name).cast(pl.String) for name in _SERVICE[:4]),
            pl.concat_str(high.fill_null(False).cast(pl.String), low.cast(pl.String)).alias("service"),
            pl.col("action").cast(pl.String),
        )

    wanted = services(rows)
    near = services(agreeing.filter(pl.col("interface_id").is_in(rows["interface_id"].unique().implode())))
    actions = pl.concat([wanted, near]).unique().group_by(_SERVICE).agg(pl.col("action").n_unique().alias("actions"))
    found = wanted.join(actions, on=_SERVICE, how="left", maintain_order="left")["actions"]
    return (found > 1).fill_null(False).alias("changed")


def _bit(stage: str) -> pl.Expr:
    import polars as pl

    return pl.lit(1 << STAGE_BITS[stage], pl.UInt32)


def _int64(value: int) -> int:
    """The nearest number that fits a column: sums of what files claim have no bound."""
    return max(-(1 << 63), min(value, (1 << 63) - 1))


def _ordered(counts: Mapping[K, V]) -> dict[K, V]:
    """The same counts in an order that does not depend on how they were summed."""
    return dict(sorted(counts.items(), key=lambda item: str(item[0])))
