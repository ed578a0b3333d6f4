"""Results as a notebook shows them: small tables, every text escaped, no scripts, nothing loaded, bounded in size.

A result calls `html_of` through `display.Displayed`. Whatever does not fit is counted and said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import report
from .report import Grid, number
from .report_diff import groups_grid, headline, summary_grid
from .report_html import bar, table, text

if TYPE_CHECKING:
    from .analyses.capacity import Capacity
    from .analyses.diff import Difference
    from .analyses.usage import UsageReport
    from .evaluate import Evaluator
    from .model import Network
    from .pipeline import Summary
    from .walk import Path

#: What one table shows at most; the rest is counted.
ROWS_SHOWN, LINES_SHOWN, CHARACTERS_SHOWN = 25, 8, 160

_VERDICT_COLOURS = {"ACCEPT": "#2e7d32", "REJECT": "#c62828", "UNKNOWN": "#f9a825"}

# The last two classes keep MathJax from reading names with dollar signs as formulas.
_CARD = '<div class="flowcore tex2jax_ignore mathjax_ignore" style="max-width:70rem;overflow-x:auto">'
_STYLE = (
    "<style>.flowcore table{border-collapse:collapse;margin:.4rem 0}"
    ".flowcore th,.flowcore td{text-align:left!important;vertical-align:top;padding:.15rem .6rem;"
    "overflow-wrap:break-word}.flowcore .number{text-align:right!important;white-space:nowrap}</style>"
)

#: Mappings of a network that a card counts, and the word for one of them.
_KINDS = {
    "vpcs": "VPC",
    "subnets": "subnet",
    "interfaces": "interface",
    "instances": "instance",
    "security_groups": "security group",
    "network_acls": "network ACL",
    "route_tables": "route table",
    "prefix_lists": "prefix list",
    "internet_gateways": "internet gateway",
    "egress_only_internet_gateways": "egress-only internet gateway",
    "nat_gateways": "NAT gateway",
    "load_balancers": "load balancer",
    "target_groups": "target group",
    "vpc_endpoints": "VPC endpoint",
    "peering_connections": "peering connection",
    "transit_gateways": "transit gateway",
    "transit_gateway_attachments": "transit gateway attachment",
    "vpn_gateways": "virtual private gateway",
    "vpn_connections": "VPN connection",
}


def html_of(value: object) -> str:
    """`value` as HTML for a notebook. Raises LookupError for a type of which no card is known."""
    for kind in type(value).__mro__:
        if kind.__name__ in _WRITERS:
            return _CARD + _STYLE + "\n".join(filter(None, _WRITERS[kind.__name__](value))) + "</div>"
    raise LookupError(f"no card for {type(value).__name__}")


def card_table(grid: Grid) -> str:
    """A grid as a table of bounded size, its title above it; says how many rows are left out."""
    rows = tuple(tuple(map(_short, row)) for row in grid.rows[:ROWS_SHOWN])
    title = f"<p><b>{text(_cut(grid.title))}</b></p>" if grid.title else ""
    left = len(grid.rows) - len(rows)
    more = f"<p>… and {_count(left, 'more row')}</p>" if left else ""
    return title + table(replace(grid, rows=rows)) + more


def _short(value: object) -> object:
    if not isinstance(value, tuple):
        return value if value is None else _cut(value)
    lines = tuple(map(_cut, value[:LINES_SHOWN]))
    return lines if len(value) <= LINES_SHOWN else (*lines, f"… and {len(value) - LINES_SHOWN} more")


def _cut(value: object) -> str:
    words = str(value)
    return words if len(words) <= CHARACTERS_SHOWN else words[: CHARACTERS_SHOWN - 1] + "…"


def _count(count: int, word: str) -> str:
    return f"{number(count)} {word}{'' if count == 1 else 's'}"


def _heading(kind: str, words: object) -> str:
    return f"<p><b>{text(kind)}</b> {text(_cut(words))}</p>"


def _lines(lines: Iterable[object]) -> str:
    return "<p>" + "<br>".join(text(_cut(line)) for line in list(lines)[:ROWS_SHOWN]) + "</p>"


# -- cards ---------------------------------------------------------------------------------------------


def _network(network: Network) -> Iterable[str]:
    counted = [_count(len(getattr(network, kind)), word) for kind, word in _KINDS.items() if getattr(network, kind)]
    yield _heading("Network", ", ".join(counted[:5]) or "empty")
    subnets = Counter(subnet.vpc_id for subnet in network.subnets.values())
    interfaces = Counter(interface.vpc_id for interface in network.interfaces.values())
    vpcs = tuple(
        (
            vpc.vpc_id,
            vpc.tags.get("Name"),
            vpc.region,
            tuple(vpc.blocks),
            number(subnets[vpc.vpc_id]),
            number(interfaces[vpc.vpc_id]),
        )
        for vpc in network.vpcs.values()
    )
    numbers = frozenset({"subnets", "interfaces"})
    if vpcs:
        yield card_table(Grid(("VPC", "Name", "Region", "CIDRs", "subnets", "interfaces"), vpcs, right=numbers))
    yield f"<p>{text(', '.join(counted[5:]))}</p>" if counted[5:] else ""
    levels = Counter(issue.severity for issue in network.issues)
    said = ", ".join(_count(count, severity) for severity, count in sorted(levels.items()))
    yield f"<p>Issues: {text(said)}; see <code>network.issues</code></p>" if said else "<p>No issues</p>"


def _evaluator(evaluator: Evaluator) -> Iterable[str]:
    yield _heading("Evaluator", f"{evaluator.compiled.nbytes / 2**20:.1f} MiB of tables")
    yield from _network(evaluator.network)


def _path(path: Path) -> Iterable[str]:
    colour = _VERDICT_COLOURS[path.verdict]
    line = text(report.verdict_line(path))
    yield f'<p style="border-left:5px solid {colour};padding-left:.6rem"><b>{line}</b></p>'
    if report.also_blocked(path):
        yield f"<p>Also stopped by: {text(', '.join(report.also_blocked(path)))}</p>"
    yield from (f"<p>Warning: {text(_cut(warning))}</p>" for warning in path.warnings[:LINES_SHOWN])
    yield from map(card_table, report.path_grids(path))


def _summary(summary: Summary) -> Iterable[str]:
    yield _heading("Summary", f"{number(summary.flows)} flows and records judged")
    yield bar({verdict: tally.flows for verdict, tally in summary.by_verdict.items()}, _VERDICT_COLOURS)
    yield from map(card_table, report.summary_grids(summary))


def _difference(found: Difference) -> Iterable[str]:
    yield _heading("Difference", headline(found))
    yield bar(found.counts)
    yield card_table(summary_grid(found))
    groups = found.groups.head(ROWS_SHOWN).to_dicts()
    if groups:
        yield card_table(groups_grid(groups))
    if found.groups.height > len(groups):
        yield f"<p>… and {_count(found.groups.height - len(groups), 'more group')}</p>"


def _usage(found: UsageReport) -> Iterable[str]:
    from . import report_usage

    yield _heading("Usage", f"{number(found.rules.height)} rules")
    yield from map(card_table, report_usage._grids(found))
    yield _lines(report_usage._lines(found))


def _capacity(found: Capacity) -> Iterable[str]:
    from . import report_capacity

    yield _heading("Capacity", f"{number(found.resources['resource'].n_unique())} resources")
    yield from map(card_table, report_capacity._grids(found))
    yield _lines(report_capacity._lines(found))


_WRITERS: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "Network": _network,
    "Evaluator": _evaluator,
    "Path": _path,
    "Summary": _summary,
    "Difference": _difference,
    "UsageReport": _usage,
    "Capacity": _capacity,
}
"""Name of a class -> what writes its card: none of these need be loaded to show another."""
