"""A difference of two networks as a table, Markdown for a pull request, CSV or JSON.

Everything that comes from files goes through `report`'s own escaping; example commands stand in code blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from .report import Grid, number, printable, to_csv, to_json, to_markdown, to_text

if TYPE_CHECKING:
    import polars as pl

    from .analyses.diff import Difference

#: The most characters a comment on GitHub may have.
COMMENT_LIMIT = 65_536

#: By this a comment is found again, to be replaced by the next one.
MARKER = "<!-- flowcore diff -->"

#: Category -> mark and what it means, as words: colour and marks alone never carry the meaning.
MEANINGS: dict[str, tuple[str, str]] = {
    "broken": ("✗", "got through, would not any more"),
    "opened": ("!", "were stopped, would get through"),
    "unknown": ("?", "can be decided only before, or only after"),
    "changed-path": ("~", "take another way"),
    "changed-rule": ("~", "are decided by another rule"),
    "unchanged": ("=", "stay as they are"),
}
_WHEN = {"now": "now", "new_connections": "for new connections", "after_idle": "after idle"}


@dataclass(frozen=True)
class Basis:
    """What an answer rests on: shown with every report."""

    before: str
    after: str
    after_kind: str = "snapshot"
    flows: tuple[str, ...] = ()
    rejected: int = 0
    """Lines that could not be read."""
    unjudged: int = 0
    """Log records left out because it is not known which end opened the conversation."""
    notes: tuple[str, ...] = field(default=())
    """Warnings: what a plan leaves open, what is not modelled."""
    gaps: tuple[str, ...] = ()
    """Those of the notes that tell of changes which the answer leaves out."""


# -- words ---------------------------------------------------------------------------------------------------


def size(value: int | None) -> str | None:
    """1234567 -> "1.2 MB"; None stays None."""
    if value is None:
        return None
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} PB"


def moment(value: int | None) -> str | None:
    """Seconds since 1970 as "2026-10-31 23:58Z"; a number that is no such time as it is."""
    if value is None:
        return None
    if not 10**8 <= value < 10**10:
        return str(value)
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%MZ")


def headline(found: Difference, basis: Basis | None = None) -> str:
    """The answer in one line, and how far it goes."""
    counts = found.counts
    said = [f"{number(counts[name])} {name}" for name in ("broken", "opened", "unknown") if counts[name]]
    total = sum(counts.values())
    what = ", ".join(said) if said else "nothing broken, opened or unknown"
    return f"{what} of {number(total)} flow{'' if total == 1 else 's'}" + _reservation(basis)


def _reservation(basis: Basis | None) -> str:
    """What a headline adds where changes are left out of the answer."""
    if basis is None or not basis.gaps:
        return ""
    return f", by what the plan tells; {number(len(basis.gaps))} warning{'' if len(basis.gaps) == 1 else 's'}"


def basis_lines(found: Difference, basis: Basis) -> list[str]:
    """What the answer rests on, a sentence a line."""
    summary = found.summary
    first, last = summary["first"].min(), summary["last"].max()
    lines = [f"before: {basis.before}; after: {basis.after} ({basis.after_kind})"]
    if basis.flows:
        lines.append(f"flows: {', '.join(basis.flows)}")
    if isinstance(first, int) and isinstance(last, int):
        lines.append(f"seen from {moment(first)} to {moment(last)}")
    total = sum(found.counts.values())
    lines.append(
        f"undecided: {number(found.undecided[0])} flows before, {number(found.undecided[1])} after, of {number(total)}"
    )
    if basis.rejected:
        lines.append(f"{number(basis.rejected)} lines could not be read")
    if basis.unjudged:
        lines.append(f"{number(basis.unjudged)} log records left out: which end opened the conversation is not known")
    return [*lines, *basis.notes]


def cause(group: Mapping[str, Any]) -> tuple[str, ...]:
    """The changes of a group, one a line, and how they belong together."""
    names, details = group["changes"], group.get("details") or [None] * len(group["changes"])
    lines = [name + (f" ({detail})" if detail else "") for name, detail in zip(names, details, strict=True)]
    if not lines:
        return ("not found: no known change undoes it",)
    if len(lines) == 1:
        return tuple(lines)
    word = "undoing any one of these suffices:" if group["undo"] == "any" else "all of these together:"
    return (word, *lines)


def moments(group: Mapping[str, Any]) -> tuple[str, ...]:
    """How many flows break when, for broken ones."""
    return tuple(f"{words}: {number(group[name])}" for name, words in _WHEN.items() if group[name])


# -- grids ---------------------------------------------------------------------------------------------------


def summary_grid(found: Difference) -> Grid:
    """One row a category."""
    counted = [name for name in ("records", "packets", "bytes") if found.summary[name].null_count() < len(MEANINGS)]
    rows = tuple(
        (
            f"{MEANINGS[row['category']][0]} {row['category']}",
            number(row["flows"]),
            *(size(row[name]) if name == "bytes" else number(row[name]) for name in counted),
            moment(row["last"]),
            MEANINGS[row["category"]][1],
        )
        for row in found.summary.iter_rows(named=True)
    )
    columns = ("category", "flows", *counted, "last seen", "these flows")
    return Grid(columns, rows, "What becomes of the flows", frozenset({"flows", *counted}))


def groups_grid(groups: Sequence[Mapping[str, Any]], first: int = 1) -> Grid:
    """One row a group, numbered from `first`; its examples are listed apart."""
    rows = tuple(
        (
            place,
            group["category"],
            cause(group),
            number(group["flows"]),
            size(group["bytes"]),
            moment(group["last"]),
            moments(group),
            tuple(group["reasons"]),
        )
        for place, group in enumerate(groups, first)
    )
    columns = ("#", "category", "caused by", "flows", "bytes", "last seen", "breaks", "reason")
    stack = ("category", "caused by", "last seen", "breaks", "reason")
    return Grid(columns, rows, "What did it", frozenset({"#", "flows", "bytes"}), stack=stack)


def flat_groups(groups: Iterable[Mapping[str, Any]]) -> Grid:
    """The groups with every value in a cell of its own: for CSV."""
    rows = [dict(group) for group in groups]
    columns = tuple(rows[0]) if rows else ("category", "changes", "flows")
    return Grid(
        columns,
        tuple(tuple(tuple(v) if isinstance(v, list) else v for v in row.values()) for row in rows),
    )


def diff_text(found: Difference, basis: Basis, file: IO[str]) -> str:
    """The difference for `file`, a terminal or not."""
    groups = found.groups.to_dicts()
    grids = [summary_grid(found), *([groups_grid(groups)] if groups else [])]
    text = (
        "\n".join(map(printable, [headline(found, basis), *basis_lines(found, basis)])) + "\n\n" + to_text(grids, file)
    )
    examples = [f"  {place}: {printable(line)}" for place, each in enumerate(groups, 1) for line in each["examples"]]
    return text + ("\nExamples, by number:\n" + "\n".join(examples) + "\n" if examples else "")


def diff_csv(found: Difference) -> str:
    """The groups as CSV."""
    return to_csv(flat_groups(found.groups.to_dicts()))


def diff_dict(found: Difference, basis: Basis) -> dict[str, Any]:
    """Everything but the single flows, as plain JSON-ready data."""
    return {
        "counts": found.counts,
        "undecided": {"before": found.undecided[0], "after": found.undecided[1]},
        "summary": found.summary.to_dicts(),
        "groups": found.groups.to_dicts(),
        "basis": basis_dict(basis),
    }


def basis_dict(basis: Basis) -> dict[str, Any]:
    """The basis as plain JSON-ready data."""
    return {part.name: getattr(basis, part.name) for part in fields(basis)}


def diff_json(found: Difference, basis: Basis) -> str:
    """`diff_dict` as JSON."""
    return to_json(diff_dict(found, basis))


# -- Markdown ------------------------------------------------------------------------------------------------


def diff_markdown(found: Difference, basis: Basis) -> str:
    """The difference as Markdown: headline, summary, groups, examples; as long as it is."""
    groups = found.groups.to_dicts()
    parts = [_title(found, basis), *_gaps(basis, len(basis.gaps)), _quiet(to_markdown(summary_grid(found)))]
    if groups:
        parts.append(_quiet(to_markdown(groups_grid(groups))))
        parts.append("### Examples\n\n" + _code_block([line for each in groups for line in each["examples"]]))
    return "\n".join([*parts, _quiet(_bullets(basis_lines(found, basis)))])


def diff_github(found: Difference, basis: Basis, *, limit: int = COMMENT_LIMIT) -> str:
    """The difference as a comment on a pull request: never longer than `limit` characters, details folded away.

    Groups are left out from the end, and counted, if there is no room for all. It begins with MARKER.
    """
    groups = found.groups.to_dicts()
    summary = _quiet(to_markdown(replace(summary_grid(found), title="")))
    lines = basis_lines(found, replace(basis, notes=tuple(note for note in basis.notes if note not in basis.gaps)))
    for kept in dict.fromkeys((max(len(lines), len(basis.gaps)), 12, 3)):
        head = "\n".join([MARKER, _title(found, basis), *_gaps(basis, min(kept, 12)), summary])
        foot = "\n" + _folded("What this rests on", _quiet(_bullets(_first(lines, kept))))
        for shown in _fewer(len(groups)):
            text = head + _shown_groups(groups, shown) + foot
            if len(text.encode("utf-16-le")) // 2 <= limit:
                return text
    return head[:limit]


def _shown_groups(groups: Sequence[Mapping[str, Any]], shown: int) -> str:
    if not groups:
        return ""
    text = "\n" + _quiet(to_markdown(groups_grid([_short_group(each) for each in groups[:shown]]))) if shown else ""
    if shown < len(groups):
        text += f"\n… and {number(len(groups) - shown)} more groups of flows: see the full report.\n"
    for place, group in enumerate(groups[:shown], 1):
        if group["category"] in ("broken", "opened", "unknown") and group["examples"]:
            examples = [line for line in group["examples"] if len(line) < 1000]
            text += "\n" + _folded(f"{place}: {group['category']}, examples", _code_block(examples))
    return text


def _short_group(group: Mapping[str, Any], most: int = 8) -> dict[str, Any]:
    """The group with few and short lines of causes."""
    names = group["changes"]
    details = [_cut(each, 200) if each else each for each in (group.get("details") or [None] * len(names))]
    kept = [_cut(name, 300) for name in names[:most]] + (
        [f"… and {len(names) - most} more"] if len(names) > most else []
    )
    return {**group, "changes": kept, "details": [*details[:most], *([None] if len(names) > most else [])]}


def _fewer(count: int) -> list[int]:
    """How many groups to try to show: all, then ever fewer."""
    tried = [min(count, 200)]
    while tried[-1] > 0:
        tried.append(tried[-1] * 2 // 3)
    return tried


def _title(found: Difference, basis: Basis) -> str:
    bad = basis.gaps or any(found.counts[name] for name in ("broken", "opened", "unknown"))
    return f"## flowcore diff: {'✗' if found.counts['broken'] else '!' if bad else '✓'} {headline(found, basis)}\n"


def _gaps(basis: Basis, most: int) -> list[str]:
    """What the answer leaves out, for all to see; nothing where it leaves out nothing."""
    return [_quiet(_bullets(_first(basis.gaps, most)))] if basis.gaps else []


def _first(lines: Sequence[str], most: int) -> list[str]:
    """The first lines, cut, and how many more there are."""
    kept = [_cut(line, 500) for line in lines[:most]]
    return kept + ([f"… and {number(len(lines) - most)} more"] if most < len(lines) else [])


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _bullets(lines: Iterable[str]) -> str:
    """The lines as a list; a table of one column escapes them."""
    grid = Grid(("basis",), tuple((line,) for line in lines))
    return "\n".join("- " + row[2:-2] for row in to_markdown(grid).splitlines()[2:]) + "\n"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n"


def _code_block(lines: Sequence[str]) -> str:
    """A fenced block that no line can end: its fence is longer than any run of backticks inside."""
    text = "\n".join(map(printable, lines))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}console\n{text}\n{fence}\n"


def _quiet(markdown: str) -> str:
    """Names in files mention nobody: an @ is followed by a space of no width."""
    return markdown.replace("@", "@\u200b")


# -- without flows -------------------------------------------------------------------------------------------


def boxes_grid(boxes: pl.DataFrame) -> Grid:
    """One row a box."""
    rows = tuple(
        (
            place,
            box["category"],
            _some(box["sources"]),
            _some(box["destinations"]),
            box["protocols"],
            box["ports"],
            box["source_ports"] or "all",
            cause(box),
            box["reason_after"] or box["reason_before"],
        )
        for place, box in enumerate(boxes.iter_rows(named=True), 1)
    )
    columns = ("#", "category", "from", "to", "protocol", "ports", "source ports", "example caused by", "reason")
    return Grid(columns, rows, "Every address and port", frozenset({"#"}))


def boxes_headline(boxes: pl.DataFrame, basis: Basis | None = None) -> str:
    """The answer in one line, and how far it goes."""
    counts = {name: int((boxes["category"] == name).sum()) for name in ("broken", "opened", "unknown")}
    said = [f"{number(count)} {name}" for name, count in counts.items() if count]
    what = f"boxes: {', '.join(said)}" if said else "no address and port is treated differently"
    return what + _reservation(basis)


def boxes_basis_lines(basis: Basis) -> list[str]:
    """What an answer without flows rests on, a sentence a line."""
    return [f"before: {basis.before}; after: {basis.after} ({basis.after_kind})", *basis.notes]


def boxes_text(boxes: pl.DataFrame, basis: Basis, file: IO[str]) -> str:
    """The boxes for `file`, a terminal or not."""
    text = "\n".join(map(printable, [boxes_headline(boxes, basis), *boxes_basis_lines(basis)])) + "\n"
    if boxes.height:
        text += "\n" + to_text([boxes_grid(boxes)], file)
        text += "\nExamples, by number:\n" + "".join(
            f"  {i}: {printable(e)}\n" for i, e in enumerate(boxes["example"], 1)
        )
    return text


def boxes_markdown(boxes: pl.DataFrame, basis: Basis, *, limit: int | None = None) -> str:
    """The boxes as Markdown; with `limit`, the first that fit in so many characters, as a comment with MARKER."""
    lines = boxes_basis_lines(replace(basis, notes=tuple(note for note in basis.notes if note not in basis.gaps)))
    most = max(len(lines), len(basis.gaps)) if limit is None else 12
    head = "\n".join([f"## flowcore diff: {boxes_headline(boxes, basis)}\n", *_gaps(basis, most)])
    foot = "\n" + _quiet(_bullets(_first(lines, most)))
    for shown in _fewer(boxes.height) if limit else [boxes.height]:
        text = (MARKER + "\n" if limit else "") + head
        if shown:
            text += "\n" + _quiet(to_markdown(boxes_grid(boxes.head(shown))))
            text += "\n" + _folded("Examples", _code_block(boxes["example"].head(shown).to_list()))
        if shown < boxes.height:
            text += f"\n… and {number(boxes.height - shown)} more boxes: see the full report.\n"
        text += foot
        if limit is None or len(text.encode("utf-16-le")) // 2 <= limit:
            break
    return text


def _some(words: Sequence[str], most: int = 6) -> tuple[str, ...]:
    return tuple(words) if len(words) <= most else (*words[: most - 1], f"… and {len(words) - most + 1} more")
