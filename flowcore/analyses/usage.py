"""What the flows used of the rules: hits of every security group rule, network ACL entry and route, and what had none.

The counts are those of the kernels' own cells (`compile_usage`), added up in `usage_count`; `usage_rules` turns them
into rows. What is counted where, and every column, is in docs/usage.md.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import usagekernels as uk
from ..columns import as_frame
from ..compile_usage import compile_usage
from ..display import Displayed
from ..errors import InputError
from ..evaluate import Evaluator
from ..model import Network
from ..pipeline_run import Progress
from ..schema import VERDICTS
from ..sources.flowlogs import DIGEST_COLUMNS, RECORD_COLUMNS
from ..sources.flows import BATCH_ROWS, Sources, open_flows
from ..sources.places import Wanted
from .usage_count import Counter
from .usage_needs import RULE_QUOTA, Needs, suggestions
from .usage_rules import KINDS, STATUSES, Findings
from .usage_terraform import terraform_addresses

if TYPE_CHECKING:
    import polars as pl

__all__ = ["KINDS", "STATUSES", "UsageReport", "usage", "usage_report"]

#: Days without a hit, up to the end of the log, after which a rule is called stale.
STALE_DAYS = 90


@dataclass(frozen=True)
class UsageReport(Displayed):
    """What `usage_report` found, as polars frames; the columns are in docs/usage.md.

    `rules`: one row a rule. `groups`: one row a security group, and whether anything uses it. `refused`: what no rule
    let in, by whose list. `undecided`: what could not be decided, by whose list. `stages`: what counted at each stage.
    `suggestions`: what the hits of each group rule needed, if asked for.
    `coverage`: what was read, judged and left out; `interfaces`: those whose traffic the input does not tell.
    """

    rules: pl.DataFrame
    groups: pl.DataFrame
    refused: pl.DataFrame
    undecided: pl.DataFrame
    stages: pl.DataFrame
    interfaces: pl.DataFrame
    coverage: dict[str, Any]
    suggestions: pl.DataFrame | None = None

    def frames(self) -> dict[str, pl.DataFrame]:
        """Name -> frame, all that there are."""
        names = ("rules", "groups", "refused", "undecided", "stages", "interfaces", "suggestions")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def __repr__(self) -> str:
        counts = dict(self.rules["status"].value_counts(sort=True).rows())
        return f"<UsageReport of {self.rules.height} rules: {', '.join(f'{n} {name}' for name, n in counts.items())}>"

    @property
    def counts(self) -> dict[str, int]:
        """Status -> number of rules, every status present."""
        found = {str(name): count for name, count in self.rules["status"].value_counts().rows()}
        return {name: found.get(name, 0) for name in STATUSES}


def usage(
    network: Network | Evaluator,
    flows: Any,
    *,
    stale_days: int | None = STALE_DAYS,
    terraform: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    log_format: str | None = None,
    wanted: Wanted | None = None,
) -> pl.DataFrame:
    """One row for every security group rule, network ACL entry and route, with what the flows used of it.

    `flows`: a table of flows or of flow log records, or sources as `evaluate_logs` takes them (files, folders, globs,
    `s3://`, digests, or a list). `stale_days`: a rule whose last hit is older than so many days before the end of the
    log is stale; None: none is. `terraform`: `terraform show -json` of a state or plan, for the column
    terraform_address. Raises FlowError and InputError for flows that cannot be read.
    """
    report = usage_report(
        network,
        flows,
        stale_days=stale_days,
        terraform=terraform,
        threads=threads,
        log_format=log_format,
        wanted=wanted,
    )
    return report.rules


def usage_report(
    network: Network | Evaluator,
    flows: Any,
    *,
    stale_days: int | None = STALE_DAYS,
    suggest: bool = False,
    max_rules: int = RULE_QUOTA,
    terraform: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    log_format: str | None = None,
    wanted: Wanted | None = None,
    batch_rows: int = BATCH_ROWS,
    progress: Callable[[Progress], None] | None = None,
) -> UsageReport:
    """Everything `usage` finds; see there for the arguments, and UsageReport.

    `suggest`: also what the hits of each group rule needed, in at most `max_rules` rules a group and direction, without
    remotes last seen more than `stale_days` before the end of the log. It keeps every distinct remote and port.
    """
    if max_rules < 1:
        raise InputError("out of range", where="max_rules", found=max_rules, expected="1 or more")
    if stale_days is not None and stale_days < 0:
        raise InputError("out of range", where="stale_days", found=stale_days, expected="0 or more, or None")
    described = network.network if isinstance(network, Evaluator) else network
    plan = compile_usage(described)
    addresses = None if terraform is None else terraform_addresses(plan, terraform)
    counter = Counter(plan, threads=threads, needs=Needs(plan) if suggest else None)
    if _are_sources(flows):
        _add_sources(counter, flows, log_format, wanted, batch_rows, progress)
    else:
        frame = as_frame(flows)
        if _are_records(frame.columns):
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / "records.parquet"
                _as_text(frame).write_parquet(place)
                _add_sources(counter, place, None, wanted, batch_rows, progress)
        else:
            for start in range(0, frame.height, batch_rows):
                counter.add_table(frame[start : start + batch_rows])
    found, needed = Findings(plan, counter, stale_days), None
    if counter.needs is not None:
        needed = suggestions(plan, counter.needs, found.packets, counter.last, stale_days, max_rules)
    return _report(found, addresses, needed)


def _are_sources(flows: Any) -> bool:
    if isinstance(flows, str | os.PathLike):
        return True
    return isinstance(flows, list | tuple) and all(isinstance(each, str | os.PathLike) for each in flows)


def _are_records(columns: Sequence[str]) -> bool:
    """Whether a table holds flow log records: what `sources.flows` would say of its columns."""
    named = {name.replace("-", "_") for name in columns}
    return bool(RECORD_COLUMNS & named or named >= DIGEST_COLUMNS) and "src_interface_id" not in named


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Words as plain text, as files have them."""
    import polars as pl

    return frame.with_columns(pl.selectors.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))


def _add_sources(
    counter: Counter,
    sources: Sources,
    log_format: str | None,
    wanted: Wanted | None,
    batch_rows: int,
    progress: Callable[[Progress], None] | None,
) -> None:
    options: dict[str, Any] = {} if wanted is None else {"wanted": wanted}
    counter.add_files(open_flows(sources, log_format=log_format, batch_rows=batch_rows, **options), progress)


def _report(found: Findings, addresses: dict[int, str] | None, needed: pl.DataFrame | None) -> UsageReport:
    import polars as pl

    stages = [
        (name, whole.flows, whole.records, whole.packets, whole.bytes, nothing.records)
        for name, whole, nothing in found.stages
    ]
    columns = ("stage", "flows", "records", "packets", "bytes", "records_without_rule")
    return UsageReport(
        rules=found.frame(addresses),
        groups=_groups(found),
        refused=found.by_owner(found.refused),
        undecided=found.by_owner(found.undecided),
        stages=pl.DataFrame(stages, schema=columns, orient="row"),
        interfaces=pl.DataFrame(
            sorted(found.unlogged.items()), schema={"interface_id": pl.String(), "why": pl.String()}, orient="row"
        ),
        coverage=_coverage(found.counter, found),
        suggestions=needed,
    )


def _groups(found: Findings) -> pl.DataFrame:
    """One row a security group: interfaces, rules that name it, and whether nothing needs it."""
    import polars as pl

    network = found.plan.network
    named: dict[str, set[str]] = {}
    for group in network.security_groups.values():
        for rule in group.rules:
            if rule.referenced_group_id is not None:
                named.setdefault(rule.referenced_group_id, set()).add(group.group_id)
    balanced = {group_id for each in network.load_balancers.values() for group_id in each.group_ids or ()}
    rows = []
    for group_id, group in network.security_groups.items():
        members = len(found.interfaces.get(group_id, ()))
        others = named.get(group_id, set()) - {group_id}
        idle = not members and not others and group_id not in balanced and group.group_name != "default"
        known = found.knows_interfaces
        rows.append((
            group_id, group.group_name, group.vpc_id, members if known else None, len(others), len(group.rules),
            idle if known else None,
        ))  # fmt: skip
    schema = {
        **dict.fromkeys(("group_id", "group_name", "vpc_id"), pl.String()),
        **dict.fromkeys(("interfaces", "named_by_groups", "rules"), pl.Int64()),
        "unused": pl.Boolean(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _coverage(counter: Counter, found: Findings) -> dict[str, Any]:
    """What was read, judged and left out, in numbers."""
    counts, unknown = counter.counts, VERDICTS.index("UNKNOWN")
    unread = counts.rejected + counts.damaged_files
    neither, ends, unjudged = (int(line.sum()) for line in counter.coverage)
    whole = ends + neither + unjudged + int(counter.tables.sum())
    undecided = int(counter.coverage[:, unknown].sum() + counter.tables[unknown])
    return {
        "table_flows": int(counter.tables.sum()),
        "log_records": neither + ends + unjudged,
        "records_at_ends": ends,
        "records_in_between": neither,
        "records_not_judged": unjudged,
        "undecided": undecided,
        "undecided_share": undecided / whole if whole else 0.0,
        "rejected_lines": counts.rejected,
        "rejected_share": unread / (counts.lines + counts.damaged_files) if unread else 0.0,
        "damaged_files": counts.damaged_files,
        "records_outside": counts.outside,
        "nodata_intervals": sum(counts.nodata.values()),
        "skipdata_intervals": sum(counts.skipdata.values()),
        "interfaces": len(counter.plan.compiled.interface_ids),
        "interfaces_with_records": int(counter.seen[:-1].sum()),
        "interfaces_not_told": len(found.unlogged),
        "first": None if counter.first == uk.NO_FIRST else counter.first,
        "last": None if counter.last == uk.MISSING else counter.last,
    }
