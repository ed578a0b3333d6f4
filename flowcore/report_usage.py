"""Usage as tables, Markdown, CSV or JSON. Everything that comes from files goes through `report`'s own escaping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from .report import Grid, number, share, to_csv, to_json, to_markdown, to_text

if TYPE_CHECKING:
    import polars as pl

    from .analyses.usage import UsageReport

#: Rows of each table; CSV and JSON have them all.
ROWS = 20

#: What each status means, in the order they are shown.
MEANINGS = {
    "used": "hit",
    "stale": "hit, but not lately",
    "redundant": "never decides alone: others say the same wherever it holds",
    "shadowed": "can never decide: covered by others",
    "never-hit": "could decide, nothing did come",
    "not-used-by-any-interface": "its group, ACL or table applies to nothing",
    "unknown": "the input cannot tell",
}
_LAST_SECOND = 253_402_300_799


def usage_json(report: UsageReport) -> str:
    """All of it as one JSON document."""
    return to_json(
        {
            "statuses": report.counts,
            "coverage": report.coverage,
            **{name: frame.to_dicts() for name, frame in report.frames().items()},
        }
    )


def usage_csv(report: UsageReport) -> str:
    """The rules."""
    return to_csv(Grid(tuple(report.rules.columns), tuple(report.rules.rows())))


def usage_text(report: UsageReport, file: IO[str]) -> str:
    """Tables for a terminal or a file."""
    return to_text(_grids(report), file) + "".join(f"{line}\n" for line in _lines(report))


def usage_markdown(report: UsageReport) -> str:
    """Markdown for a page or a comment."""
    return "\n".join(map(to_markdown, _grids(report))) + "".join(f"\n- {line}" for line in _lines(report)) + "\n"


def _grids(report: UsageReport) -> list[Grid]:
    import polars as pl

    rules = report.rules
    counts = [(name, report.counts[name], text) for name, text in MEANINGS.items()]
    grids = [Grid(("status", "rules", "meaning"), tuple(counts), "rules by status", frozenset({"rules"}))]
    is_group = pl.col("kind") == "security-group-rule"  # groups know no order: what matches lets in
    used = rules.with_columns(
        hits=pl.when(is_group).then("matched_flows").otherwise("flows"),
        hit_bytes=pl.when(is_group).then("matched_bytes").otherwise("bytes")
        + pl.when(is_group).then("reply_matched_bytes").otherwise("reply_bytes"),
    ).filter((pl.col("hits") > 0) | (pl.col("reply_records") > 0))
    order = used.sort("hit_bytes", "hits", "rule", "direction", descending=[True, True, False, False])
    grids.append(_rules_grid("hit most", order))
    for status in list(MEANINGS)[1:-1]:
        part = rules.filter(pl.col("status") == status)
        if part.height:
            grids.append(_idle_grid(f"{status}: {MEANINGS[status]}", part))
    unused = report.groups.filter("unused")
    if unused.height:
        rows = unused.select("group_id", "group_name", "vpc_id", "rules").head(ROWS).rows()
        grids.append(Grid(("group", "name", "VPC", "rules"), tuple(rows), _title("unused groups", unused.height)))
    if report.refused.height:
        refused = report.refused.sort("records", "owner", descending=[True, False])
        rows = refused.select("kind", "owner", "direction", "reason", "flows", "records").head(ROWS).rows()
        title = _title("refused by no rule in particular", refused.height)
        columns = ("kind", "owner", "direction", "reason", "flows", "records")
        grids.append(Grid(columns, tuple(rows), title, frozenset({"flows", "records"})))
    return grids + _more_grids(report)


def _more_grids(report: UsageReport) -> list[Grid]:
    if report.suggestions is None or not report.suggestions.height:
        return []
    rows = [
        (row["rule"], row["text"], _some(row["suggestion"]), number(row["records"]), number(row["would_block_records"]))
        for row in report.suggestions.sort("records", "rule", descending=[True, False]).head(ROWS).iter_rows(named=True)
    ]
    columns = ("rule", "today", "what its hits needed", "records", "would block")
    title = _title("suggestions", report.suggestions.height)
    return [Grid(columns, tuple(rows), title, frozenset({"records", "would block"}))]


def _some(texts: list[str] | None) -> str:
    """The first of many texts, and how many more there are."""
    if texts is None:
        return "not known: records without address or port may need it"
    more = f"; and {len(texts) - 5} more" if len(texts) > 5 else ""
    return "; ".join(texts[:5]) + more if texts else "nothing"


def _title(text: str, rows: int) -> str:
    return f"{text} (the first {ROWS} of {rows})" if rows > ROWS else text


def _rules_grid(title: str, rules: pl.DataFrame) -> Grid:
    columns = ("rule", "direction", "text", "flows", "alone", "replies", "bytes", "last", "status")
    rows = [
        (row["rule"], row["direction"], row["text"], number(row["hits"]), number(row["alone_flows"]),
         number(row["reply_flows"]), number(row["hit_bytes"]), _time(row["last"]), row["status"])
        for row in rules.head(ROWS).iter_rows(named=True)
    ]  # fmt: skip
    counts = frozenset({"flows", "alone", "replies", "bytes"})
    stack = ("rule", "direction", "text", "last", "status")
    return Grid(columns, tuple(rows), _title(title, rules.height), counts, stack=stack)


def _idle_grid(title: str, rules: pl.DataFrame) -> Grid:
    has_address = "terraform_address" in rules.columns
    columns = ["rule", "owner", "direction", "text", "last", "note", *(["Terraform"] if has_address else [])]
    rows = [
        (row["rule"], row["owner_name"] or row["owner"], row["direction"], row["text"], _time(row["last"]), row["note"],
         *([row["terraform_address"]] if has_address else []))
        for row in rules.head(ROWS).iter_rows(named=True)
    ]  # fmt: skip
    return Grid(tuple(columns), tuple(rows), _title(title, rules.height), stack=("rule", "direction", "text"))


def _lines(report: UsageReport) -> list[str]:
    """What was counted, and what could not be known."""
    found = report.coverage
    lines = []
    if found["log_records"]:
        lines.append(
            f"{number(found['log_records'])} log records: {number(found['records_at_ends'])} counted at an end, "
            f"{number(found['records_in_between'])} in between, {number(found['records_not_judged'])} not judged"
        )
    if found["table_flows"]:
        lines.append(f"{number(found['table_flows'])} flows of tables")
    if found["first"] is not None or found["last"] is not None:
        lines.append(f"from {_time(found['first'])} to {_time(found['last'])}")
    lines.append(f"{share(found['undecided_share'], 1)} of what was read is undecided")
    if found["interfaces_not_told"]:
        lines.append(
            f"{number(found['interfaces_not_told'])} of {number(found['interfaces'])} interfaces have no records, or "
            "lost some: rules without hits there are unknown, not idle"
        )
    for name, text in (
        ("skipdata_intervals", "intervals with lost records (SKIPDATA): counts are lower bounds"),
        ("rejected_lines", "lines could not be read"),
        ("damaged_files", "files could not be read to their end"),
    ):
        if found[name]:
            lines.append(f"{number(found[name])} {text}")
    lines.append("what no flow log records (docs/usage.md) is not counted: an idle rule may serve it")
    return lines


def _time(seconds: Any) -> str:
    if seconds is None or not -_LAST_SECOND < seconds < _LAST_SECOND:
        return "" if seconds is None else str(seconds)
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):
        return str(seconds)
