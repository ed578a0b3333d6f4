"""A difference of two networks as one HTML file: no scripts, nothing loaded from elsewhere, every text escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .report import Grid, number, printable
from .report_diff import (
    MEANINGS,
    Basis,
    basis_lines,
    boxes_basis_lines,
    boxes_grid,
    boxes_headline,
    cause,
    headline,
    moment,
    moments,
    size,
    summary_grid,
)

if TYPE_CHECKING:
    import polars as pl

    from .analyses.diff import Difference

#: Single flows listed under each group, and groups listed at all; the rest is counted.
FLOWS_SHOWN, GROUPS_SHOWN = 50, 500

_COLOURS = {
    "broken": "#c62828",
    "opened": "#ef6c00",
    "unknown": "#f9a825",
    "changed-path": "#1565c0",
    "changed-rule": "#5e7f9d",
    "unchanged": "#9e9e9e",
}
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-size:.92em}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8884;overflow-wrap:anywhere}
td.number,th.number{text-align:right;white-space:nowrap;overflow-wrap:normal}
pre{overflow-x:auto;padding:.6rem;background:#8881;border-radius:4px}
details{margin:.4rem 0}summary{cursor:pointer}
section.group{border-left:5px solid;padding-left:.9rem;margin:1.2rem 0}
ul{padding-left:1.2rem}.quiet{opacity:.75}
"""


def text(value: object) -> str:
    """`value` as HTML text, safe inside elements and quoted attributes."""
    return html.escape(printable(value), quote=True)


def page(title: str, body: Iterable[str]) -> str:
    """A whole page. It may load nothing and run nothing: its own policy says so."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def table(grid: Grid) -> str:
    """A grid as a table."""
    kinds = [' class="number"' if column in grid.right else "" for column in grid.columns]
    head = "".join(f"<th{kind}>{text(column)}</th>" for kind, column in zip(kinds, grid.columns, strict=True))
    rows = [
        "<tr>" + "".join(f"<td{kind}>{_cell(value)}</td>" for kind, value in zip(kinds, row, strict=True)) + "</tr>"
        for row in grid.rows
    ]
    return f"<table><thead><tr>{head}</tr></thead><tbody>" + "\n".join(rows) + "</tbody></table>"


def _cell(value: object) -> str:
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    return "<br>".join(map(text, values))


def bar(counts: Mapping[str, int], colours: Mapping[str, str] = _COLOURS) -> str:
    """How many flows became what, as one bar; its parts are named in the table below it and in their titles."""
    total, width, left, parts = sum(counts.values()), 1000.0, 0.0, []
    if not total:
        return ""
    shown = {name: count for name, count in counts.items() if count}
    least = 6.0  # so that one flow in a million can be seen
    scale = (width - least * len(shown)) / total
    for name, count in shown.items():
        part = least + count * scale
        colour = colours[name]
        parts.append(
            f'<rect x="{left:.1f}" y="0" width="{part:.1f}" height="28" fill="{colour}">'
            f"<title>{text(name)}: {number(count)}</title></rect>"
        )
        left += part
    return (
        f'<svg role="img" aria-label="flows by category" viewBox="0 0 {width:.0f} 28" width="100%" height="28" '
        f'preserveAspectRatio="none">{"".join(parts)}</svg>'
    )


def diff_html(found: Difference, basis: Basis) -> str:
    """The whole report of a difference over flows."""
    groups = found.groups.to_dicts()
    flows = _flows_of_groups(found)
    title = f"<h1>flowcore diff: {text(headline(found, basis))}</h1>"
    body = [title, *_gaps(basis), bar(found.counts), table(summary_grid(found))]
    if groups:
        body.append("<h2>What did it</h2>")
    for place, group in enumerate(groups[:GROUPS_SHOWN], 1):
        body.append(_group(place, group, flows[place - 1]))
    if len(groups) > GROUPS_SHOWN:
        body.append(f"<p>… and {number(len(groups) - GROUPS_SHOWN)} more groups.</p>")
    return page(f"flowcore diff: {headline(found, basis)}", [*body, _basis(basis_lines(found, basis))])


def boxes_html(boxes: pl.DataFrame, basis: Basis) -> str:
    """The whole report of a difference over every address and port."""
    body = [f"<h1>flowcore diff: {text(boxes_headline(boxes, basis))}</h1>", *_gaps(basis)]
    if boxes.height:
        body.append(table(boxes_grid(boxes)))
        body.append(f"<h2>Examples</h2><pre>{text_lines(boxes['example'])}</pre>")
    return page(f"flowcore diff: {boxes_headline(boxes, basis)}", [*body, _basis(boxes_basis_lines(basis))])


def text_lines(lines: Iterable[object]) -> str:
    """Lines for a `pre` element."""
    return "\n".join(map(text, lines))


def _group(place: int, group: Mapping[str, Any], flows: pl.DataFrame) -> str:
    category = group["category"]
    facts = [
        f"{number(group['flows'])} flows",
        *filter(None, (size(group["bytes"]), f"last seen {moment(group['last'])}" if group["last"] else None)),
        *(f"breaks {words}" for words in moments(group)),
        *group["reasons"],
    ]
    causes = "<br>".join(map(text, cause(group)))
    parts = [
        f'<section class="group" style="border-color:{_COLOURS[category]}">',
        f"<h3>{place}: {text(MEANINGS[category][0])} {text(category)}</h3><p>{causes}</p>",
        f'<p class="quiet">{text(" · ".join(facts))}</p>',
    ]
    if group["examples"]:
        examples = f"<pre>{text_lines(group['examples'])}</pre>"
        parts.append(f"<details><summary>How to see it for yourself</summary>{examples}</details>")
    more = f", the first {FLOWS_SHOWN}" if group["flows"] > FLOWS_SHOWN else ""
    parts.append(f"<details><summary>Flows{more}</summary>{table(_flows_grid(flows))}</details></section>")
    return "\n".join(parts)


def _flows_of_groups(found: Difference) -> list[pl.DataFrame]:
    """For each group, in order, the flows with the most bytes, at most FLOWS_SHOWN."""
    import polars as pl

    key = pl.concat_str(
        pl.col("category").cast(pl.String),
        pl.col("undo").cast(pl.String).fill_null("-"),
        pl.col("changes").list.join("\x00"),
        separator="\x01",
    ).alias("key")
    order = pl.col("bytes").fill_null(0)
    top = found.flows.with_columns(key).sort(order, descending=True, maintain_order=True)
    parts = top.group_by("key", maintain_order=True).head(FLOWS_SHOWN).partition_by("key", as_dict=True)
    return [parts[(each,)] for each in found.groups.select(key).to_series()]


def _flows_grid(flows: pl.DataFrame) -> Grid:
    columns = ("from", "to", "protocol", "bytes", "last seen", "before", "after", "decided by", "breaks")
    rows = tuple(
        (
            _end(row["srcaddr"], row["srcport"], row["src_interface"]),
            _end(row["dstaddr"], row["dstport"], row["dst_interface"]),
            row["protocol"],
            size(row["bytes"]),
            moment(row["last"]),
            tuple(filter(None, (row["verdict_before"], row["reason_before"], row["path_before"]))),
            tuple(filter(None, (row["verdict_after"], row["reason_after"], row["path_after"]))),
            tuple(row["decided"]),
            row["when"],
        )
        for row in flows.iter_rows(named=True)
    )
    return Grid(columns, rows, right=frozenset({"bytes"}))


def _end(address: object, port: object, interface_id: object) -> tuple[object, ...]:
    place = address if port is None else f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"
    return (place, interface_id) if interface_id else (place,)


def _basis(lines: Iterable[str]) -> str:
    return "<h2>What this rests on</h2>" + _list(lines)


def _gaps(basis: Basis) -> list[str]:
    """What the answer leaves out, at the top; nothing where it leaves out nothing."""
    return [_list(basis.gaps)] if basis.gaps else []


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{text(line)}</li>" for line in lines) + "</ul>"
