"""What flowcore prints: paths, summaries and issues as a table, Markdown, CSV, JSON or a Mermaid picture.

Ids, tags and log fields come from files that anyone may have written. Everything here goes through `printable`
before it reaches a terminal, and no text is ever read as markup. rich is imported only where a table is drawn.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from .pipeline_summary import MISMATCHES
from .report_layout import fits, folded, widths_for
from .schema import VERDICTS, stage_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console

    from .model import Issue
    from .pipeline import Summary
    from .walk import Hop, Path, TargetReport

#: Every reason a verdict can carry, as one sentence.
REASON_TEXTS: dict[str, str] = {
    "BAD_STATE": "The component exists but is not in a working state.",
    "BAD_STATE_ATTACHMENT": "The gateway is not attached to this VPC.",
    "BAD_STATE_ROUTE": "The chosen route is a black hole: its target no longer exists or does not work.",
    "BAD_STATE_VPN": "The VPN connection does not work.",
    "ELB_ACL_RESTRICTION": "The network ACL stops what the Classic Load Balancer sends on.",
    "ELB_INSTALLED_AZ_RESTRICTION": "The load balancer sends only to targets in its enabled Availability Zones.",
    "ELB_LISTENER_PORT_RESTRICTION": "The Classic Load Balancer's listener takes another port.",
    "ELB_LISTENERS_MISMATCH": "No listener of the Classic Load Balancer takes this packet.",
    "ELB_NOT_CROSSZONE": "Cross-zone load balancing is off, and the targets are in other Availability Zones.",
    "ELBV2_LISTENER_HAS_NO_TG": "The listener's target groups are empty.",
    "ELBV2_LISTENER_PORT_RESTRICTION": "The load balancer's listener takes another port.",
    "ELBV2_LISTENER_REQUIRES_TG_ACCEPT": "No target group behind the listener takes this packet.",
    "ELBV2_LISTENERS_MISMATCH": "No listener of the load balancer takes this packet.",
    "ELBV2_NO_TARGETS_IN_AZ": "There are no targets in the Availability Zones concerned.",
    "ELBV2_SOURCE_ADDRESS_PRESERVATION": "The Network Load Balancer keeps the client's address; this differs.",
    "ENI_ADDRESS_RESTRICTION": "The address is not one of the interface's own.",
    "ENI_SG_RULES_MISMATCH": "No rule of the interface's security groups matches.",
    "ENI_SOURCE_DEST_CHECK_RESTRICTION": "The source/destination check drops packets that are not the interface's own.",
    "FIREWALL_RULES_RESTRICTION": "A Network Firewall rule stops it.",
    "GATEWAY_REJECTS_SPOOFED_TRAFFIC": "The gateway refuses a source address that is not in the VPC.",
    "IGW_DESTINATION_ADDRESS_IN_VPC_CIDRS": "An internet gateway takes in only destinations inside the VPC's CIDRs.",
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS": "Internet gateways drop packets to private (RFC 1918) addresses.",
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS": "Internet gateways drop packets to 100.64.0.0/10 (RFC 6598).",
    "IGW_NAT_REFLECTION": "The way leads out of the internet gateway and straight back in.",
    "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS": "The destination has no public address, so the internet cannot reach it.",
    "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS": "The source has no public address, so the internet gateway drops it.",
    "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS": "Internet gateways drop packets from private (RFC 1918) addresses.",
    "IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS": "Internet gateways drop packets from 100.64.0.0/10 (RFC 6598).",
    "INGRESS_RTB_NO_PUBLIC_IP": "The appliance the gateway's route table leads to has no public address.",
    "INGRESS_RTB_TRAFFIC_REDIRECTION": "The gateway's route table sends the subnet's incoming traffic elsewhere.",
    "NGW_REQUIRES_SOURCE_IN_VPC": "The NAT gateway refuses sources outside its VPC.",
    "NO_POSSIBLE_DESTINATION": "Nothing can be delivered to this address.",
    "NO_ROUTE_TO_DESTINATION": "The route table has no route to the destination.",
    "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR": "A peering connection carries only addresses of the peer VPC.",
    "PROTOCOL_RESTRICTION": "The component does not take this protocol.",
    "REGIONAL_NGW_ROUTE_AZ_RESTRICTION": "The regional NAT gateway is not present in the sender's Availability Zone.",
    "SG_HAS_NO_RULES": "The interface's security groups have no rules at all in this direction.",
    "SG_REFERENCES_NOT_PRESERVED": "The hop hides the sender's groups, so rules that name a group cannot match.",
    "SG_REFERENCING_SUPPORT": "The transit gateway attachment has security group referencing switched off.",
    "SUBNET_ACL_RESTRICTION": "The subnet's network ACL denies it.",
    "TARGET_ADDRESS_RESTRICTION": "The load balancer sends only to its targets' addresses.",
    "TARGET_PORT_RESTRICTION": "The load balancer sends to a target only on its registered port.",
    "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION": "The transit gateway attachment has no route table.",
    "TGW_ATTACH_VPC_AZ_RESTRICTION": "The transit gateway cannot leave in this Availability Zone.",
    "TGW_BAD_STATE_VPN": "The VPN behind the transit gateway does not work.",
    "TGW_ROUTE_AZ_RESTRICTION": "The transit gateway attachment has no subnet in the sender's Availability Zone.",
    "TGW_RTB_BAD_STATE_ROUTE": "The transit gateway's route is a black hole.",
    "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT": "The transit gateway's route table has no route to that attachment.",
    "TGW_RTB_ROUTES_ARE_UNKNOWN": "The transit gateway's routes are not in the snapshot.",
    "UNKNOWN_DESTINATION": "Too little is known of the destination.",
    "UNKNOWN_PEERED_SGS": "A rule names a group of a peer VPC that is not in the snapshot.",
    "UNKNOWN_RESOURCE": "Something on the way is not in the snapshot.",
    "VGW_PRIVATE_IP_ASSOCIATION_FOR_EGRESS": "The virtual private gateway drops what no interface of the VPC sends.",
    "VGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS": "The virtual private gateway delivers only to interfaces of the VPC.",
    "VPC_BLOCK_PUBLIC_ACCESS_ENABLED": "VPC Block Public Access stops traffic with the internet.",
    "VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION": "A gateway endpoint sends only from its service's own addresses.",
    "VPCE_GATEWAY_PROTOCOL_RESTRICTION": "A gateway endpoint takes only TCP and ICMP echo.",
    "VPCE_INTRA_VPC_TRAFFIC": "An endpoint cannot open a connection inside its VPC.",
    "VPCE_SERVICE_NOT_INSTALLED_IN_AZ": "The endpoint's service is absent in this Availability Zone.",
    "DISCONNECTED_VPCS": "Nothing links the two VPCs.",
    "NO_PATH": "There is no way: for traffic from the internet, the VPC has no internet gateway.",
    "NO_SOURCE_OR_DESTINATION": "One end, or both, does not exist in this network.",
    "UNASSOCIATED_COMPONENT": "The component belongs to no VPC.",
    "UNSUPPORTED_COMPONENT": "The way leads through something that is not modelled yet.",
    "ICMP_TYPE_UNKNOWN": "A rule depends on the ICMP type or code, and the flow does not say it.",
    "INITIATOR_UNKNOWN": "The log record does not show which end opened the conversation.",
    "ADDR_AMBIGUOUS": "Several interfaces have this address (give src_interface_id), or a record hides which it is.",
    "AMBIGUOUS_PREFIX_LIST_ROUTE": "Two prefix list routes of equal length lead to different targets.",
    "MISSING_PREFIX_LIST": "The entries of a prefix list are not in the snapshot.",
    "ASYMMETRIC_RETURN": "The reply would leave another way than the conversation came in.",
    "HEALTH_CHECK_BLOCKED": "The load balancer's health checks do not get through, so it sends nothing to the target.",
    "FRAGMENT_UNSUPPORTED": "The component does not take fragments.",
    "NAT_PORTS_EXHAUSTED": "The NAT gateway has no free ports left for this destination.",
    "UNFILTERED_SERVICE": "An AWS service address that neither security groups nor network ACLs filter.",
    "STATEFUL_REPLY": "A reply that the security group lets through because it let the request through.",
    "SAME_SUBNET": "Both ends are in one subnet, where no network ACL and no route apply.",
    "INVALID_FLOW": "An address, port or protocol is missing or not valid.",
    "DENY_ALL_IGW_TRAFFIC": "The interface is marked to refuse all traffic with the internet (DenyAllIgwTraffic).",
    "NO_DATA": "The record tells no whole flow: an address, the protocol or a TCP or UDP port is missing.",
    "MAX_HOPS_EXCEEDED": "The routes lead round in a circle.",
    "PATH_THROUGH_GWLB_NOT_CHECKED": "Let through, unless an appliance behind a Gateway Load Balancer drops it.",
    "REMAP_EPHEMERAL_PORT": "A translation chose the port, and a network ACL allows only some of those it may choose.",
}


# -- text that is safe to print ------------------------------------------------------------------------


def printable(value: object) -> str:
    """`value` as text without control, formatting or surrogate characters: those are written `\\x1b`, `\\u202e`."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _markdown(value: object) -> str:
    text = printable(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for character in "\\`*[]|~":
        text = text.replace(character, "\\" + character)
    return text


def _mermaid(value: object) -> str:
    """A text for inside a quoted Mermaid label: only letters, digits and harmless marks stay as they are."""
    return "".join(c if c.isalnum() or c in " .,:/_-()" else f"#{ord(c)};" for c in printable(value))


# -- one table, many formats ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as data: `rows` hold one value per column. Columns in `right` are numbers.

    None is an empty cell; a tuple is a cell of several lines. `stack`: columns that share one where a
    terminal is too narrow, beneath each other.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    title: str = ""
    right: frozenset[str] = frozenset()
    stack: tuple[str, ...] = ()


def _lines(value: object) -> tuple[object, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def to_markdown(grid: Grid) -> str:
    """The grid as a GitHub-flavoured Markdown table, its title as a heading of the third level."""
    lines = [f"### {_markdown(grid.title)}", ""] if grid.title else []
    lines.append("| " + " | ".join(_markdown(c) for c in grid.columns) + " |")
    lines.append("|" + "|".join("---:" if c in grid.right else "---" for c in grid.columns) + "|")
    lines += ["| " + " | ".join("<br>".join(map(_markdown, _lines(v))) for v in row) + " |" for row in grid.rows]
    return "\n".join(lines) + "\n"


def to_csv(grid: Grid) -> str:
    """The grid as CSV with a header line; control characters are escaped here too."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(grid.columns)
    writer.writerows([["; ".join(map(printable, _lines(v))) for v in row] for row in grid.rows])
    return out.getvalue()


def to_json(value: object) -> str:
    """`value` as indented JSON in ASCII only, so no control character survives as itself."""
    return json.dumps(value, indent=2, ensure_ascii=True, default=str) + "\n"


_STYLES = {"ACCEPT": "green", "pass": "green", "REJECT": "red", "deny": "red", "UNKNOWN": "yellow", "unknown": "yellow",
           "error": "red", "warning": "yellow"}  # fmt: skip


def to_text(grids: Iterable[Grid], file: IO[str]) -> str:
    """The grids as drawn tables for `file`: colour only for a terminal and without NO_COLOR, else at full width."""
    from rich.console import Console

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:  # nothing is cut or folded for a reader that has no width
        console.width = 10_000
    return "".join(_drawn(grid, console, file) for grid in grids)


def _columns(grid: Grid) -> list[list[str]]:
    """The texts of each column, its head first."""
    rows = [["\n".join(map(printable, _lines(value))) for value in row] for row in grid.rows]
    return [list(cells) for cells in zip(map(printable, grid.columns), *rows, strict=True)]


def _stacked(grid: Grid) -> Grid:
    """The grid with the texts of the columns in `stack` beneath each other in one cell, where the first of them is."""
    places = [grid.columns.index(name) for name in grid.stack]
    first = places[0]

    def joined(row: tuple[object, ...], cell: object) -> tuple[object, ...]:
        return tuple(cell if place == first else row[place] for place in range(len(row)) if place not in places[1:])

    rows = tuple(
        joined(row, tuple(line for place in places for line in _lines(row[place]) if line != "")) for row in grid.rows
    )
    head = " / ".join(grid.stack)
    return replace(grid, columns=tuple(map(str, joined(grid.columns, head))), rows=rows, stack=())


def _drawn(grid: Grid, console: Console, file: IO[str]) -> str:
    from rich.box import ASCII2, SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    unicode_output = (getattr(file, "encoding", None) or "utf-8").lower().startswith("utf")
    table = Table(
        title=Text(printable(grid.title), style="bold") if grid.title else None,
        title_justify="left",
        box=SIMPLE_HEAD if unicode_output else ASCII2,
        pad_edge=False,
    )
    columns = _columns(grid)
    if grid.stack and not fits(columns, console.width):
        grid = _stacked(grid)
        columns = _columns(grid)
    widths = widths_for(columns, [column in grid.right for column in grid.columns], console.width)
    folded_columns = [[folded(cell, width) for cell in cells] for cells, width in zip(columns, widths, strict=True)]
    for column, cells in zip(grid.columns, folded_columns, strict=True):
        table.add_column(Text(cells[0]), justify="right" if column in grid.right else "left", overflow="fold")
    for row in range(1, len(grid.rows) + 1):
        both = zip(folded_columns, columns, strict=True)
        table.add_row(*(Text(shown[row], style=_STYLES.get(whole[row], "")) for shown, whole in both))
    with console.capture() as drawn:
        console.print(table)
    return "\n".join(line.rstrip() for line in drawn.get().split("\n"))


def number(value: float | int | None) -> str:
    """1234567 -> "1,234,567"."""
    return "" if value is None else f"{value:,.0f}"


def share(part: float, whole: float) -> str:
    """A share in percent with two digits; never rounded up to 100 % nor down to 0 %."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if 0 < percent < 0.01:
        return "<0.01 %"
    if 99.99 < percent < 100:
        return ">99.99 %"
    return f"{percent:.2f} %"


# -- issues --------------------------------------------------------------------------------------------


def issues_grid(issues: Sequence[Issue]) -> Grid:
    """One row per issue, the most severe first, otherwise in the order they were found."""
    order = {"error": 0, "warning": 1}
    rows = tuple(
        (issue.severity, issue.code, issue.resource, issue.message, issue.source)
        for issue in sorted(issues, key=lambda issue: order.get(issue.severity, 2))
    )
    columns = ("severity", "code", "resource", "message", "source")
    return Grid(columns, rows, stack=("resource", "message", "source"))


def issues_as_dicts(issues: Sequence[Issue]) -> list[dict[str, object]]:
    """The rows of `issues_grid`, one dict per issue."""
    grid = issues_grid(issues)
    return [dict(zip(grid.columns, row, strict=True)) for row in grid.rows]


# -- one path ------------------------------------------------------------------------------------------


def verdict_line(path: Path) -> str:
    """The verdict in one line of words: what happens, why, where."""
    if path.verdict == "ACCEPT":
        line = "gets through" + (", and the reply comes back" if path.reply == "ACCEPT" else "; no reply is due")
    elif path.verdict == "REJECT":
        line = "does not get through" if path.forward == "REJECT" else "gets through, but the reply does not"
    else:
        line = "cannot be decided" if path.forward == "UNKNOWN" else "gets through; the reply cannot be decided"
    if path.reason:
        place = f" at {path.stage}" if path.stage else ""
        line += f". {REASON_TEXTS.get(path.reason, path.reason)} [{path.reason}{place}]"
    return printable(f"{path.verdict}: {line}")


def also_blocked(path: Path) -> list[str]:
    """The stages, beside the one the verdict names, that would stop the flow too."""
    return [stage for stage in stage_names(path.blocked_by) if stage != path.stage]


def path_grids(path: Path) -> list[Grid]:
    """One grid a direction, forward and reply (if there is one): one row per hop, the packet in the title.

    A hop that changes the packet says what it becomes. Behind a load balancer a third grid, one row per target.
    """
    grids = []
    for leg, title in (("forward", "There"), ("reply", "Back")):
        hops = [hop for hop in path.hops if hop.leg == leg]
        if hops:
            packet = hops[0].packet_in
            rows = tuple(_hop_row(hop, before) for hop, before in zip(hops, (hops[0], *hops), strict=False))
            grids.append(
                Grid(("outcome", "stage", "decided by"), rows, title=f"{title}: {packet}" if packet else title)
            )
    if path.behind:
        grids.append(targets_grid(path))
    return grids


def targets_grid(path: Path) -> Grid:
    """One row per target of the load balancer: the outcome if it is chosen, and what decided."""
    rows = []
    for target in path.behind:
        outcome = target.forward if target.forward != "ACCEPT" else target.reply or target.forward
        place = f"{target.address}:{target.port}" if target.address and target.port else target.address
        names = tuple(filter(None, (target.target, place if place != target.target else None)))
        group = tuple(filter(None, (target.group, target.zone and f"zone {target.zone}")))
        rows.append((outcome, names, group, _why_target(target)))
    reached = f"{path.reachable_targets} of {path.targets}"
    return Grid(("outcome", "target", "group", "decided by"), tuple(rows), title=f"Targets: {reached} are reached")


def _why_target(target: TargetReport) -> tuple[object, ...]:
    direction = "" if target.forward != "ACCEPT" else " (the reply)"
    why = [f"{target.reason} at {target.stage}{direction}" if target.reason else None, target.component, target.rule]
    seen = "the client's address" if target.client_address_preserved else "the load balancer's address"
    why += [target.text or None, f"the target sees {seen}", target.health and f"health as described: {target.health}"]
    return tuple(filter(None, [*why, "shown above" if target.chosen else None]))


def _hop_row(hop: Hop, before: Hop) -> tuple[object, ...]:
    decided = [hop.rule, hop.text, hop.note]
    if hop is not before and hop.packet_in is not None and hop.packet_in != before.packet_out:
        decided.insert(0, f"now {hop.packet_in}")
    if hop.reason and hop.outcome != "pass":
        decided.insert(0, hop.reason)
    if hop.packet_out is not None and hop.packet_out != hop.packet_in:
        decided.append(f"the packet becomes {hop.packet_out}")
    if not hop.reached:
        decided.append("(judged all the same: the packet does not get this far)")
    return hop.outcome, (hop.stage, hop.component) if hop.component else hop.stage, tuple(filter(None, decided))


def path_text(path: Path, ends: str, file: IO[str]) -> str:
    """The path for `file`, a terminal or not: the ends, the verdict, then a drawn table per direction."""
    lines = [printable(ends), verdict_line(path)]
    if also_blocked(path):
        lines.append(f"Also stopped by: {', '.join(also_blocked(path))}")
    lines += [f"Warning: {printable(warning)}" for warning in path.warnings]
    return "\n".join(lines) + "\n\n" + to_text(path_grids(path), file)


def path_markdown(path: Path, ends: str) -> str:
    """The path as Markdown: the ends, the verdict, then a table per direction."""
    parts = [f"## {_markdown(ends)}\n", f"**{_markdown(verdict_line(path))}**\n"]
    if also_blocked(path):
        parts.append(f"Also stopped by: {', '.join(also_blocked(path))}\n")
    parts += [f"Warning: {_markdown(warning)}\n" for warning in path.warnings]
    return "\n".join([*parts, *(to_markdown(grid) for grid in path_grids(path))])


_OUTCOMES = {"ACCEPT": "pass", "REJECT": "deny", "UNKNOWN": "unknown"}


def path_mermaid(path: Path) -> str:
    """The path as a Mermaid flowchart: a node per stage, an edge per step labelled with the packet if it changes."""
    lines = ["flowchart LR"]
    classes: dict[str, list[str]] = {"pass": [], "deny": [], "unknown": []}
    for leg, title in (("forward", "There"), ("reply", "Back")):
        hops = [hop for hop in path.hops if hop.leg == leg]
        if not hops:
            continue
        lines.append(f'  subgraph {leg}["{title}: {_mermaid(hops[0].packet_in or "")}"]')
        for number, hop in enumerate(hops):
            node = f"{leg[0]}{number}"
            words = [hop.stage, hop.component, hop.outcome + (f" {hop.reason}" if hop.reason else ""), hop.rule]
            lines.append(f'    {node}["{"<br/>".join(_mermaid(word) for word in words if word)}"]')
            classes.setdefault(hop.outcome, []).append(node)
            if number:
                before = hops[number - 1]
                changed = hop.packet_in != before.packet_in
                label = f'|"{_mermaid(hop.packet_in)}"|' if changed and hop.packet_in else ""
                lines.append(f"    {leg[0]}{number - 1} {'-->' if hop.reached else '-.->'}{label} {node}")
        lines.append("  end")
    if any(hop.leg == "reply" for hop in path.hops):
        lines.append("  forward --> reply")
    if path.behind:
        lines.append(f'  subgraph targets["Targets: {path.reachable_targets} of {path.targets} are reached"]')
        for number, target in enumerate(path.behind):
            words = [target.target, target.address, target.reason or target.reply or target.forward]
            lines.append(f'    t{number}["{"<br/>".join(_mermaid(word) for word in words if word)}"]')
            outcome = target.forward if target.forward != "ACCEPT" else target.reply or target.forward
            classes[_OUTCOMES[outcome]].append(f"t{number}")
        lines.append("  end")
    for number, warning in enumerate(path.warnings):
        lines.append(f'  warning{number}["{_mermaid(warning)}"]')
        classes["unknown"].append(f"warning{number}")
    lines.append(f'  verdict(["{_mermaid(verdict_line(path))}"])')
    for outcome, colour in (("pass", "#2e7d32"), ("deny", "#c62828"), ("unknown", "#f9a825")):
        lines.append(f"  classDef {outcome} stroke:{colour},stroke-width:2px")
        if classes[outcome]:
            lines.append(f"  class {','.join(classes[outcome])} {outcome}")
    return "\n".join(lines) + "\n"


# -- summaries -----------------------------------------------------------------------------------------


def outcomes_grid(summary: Summary) -> Grid:
    """One row per verdict, reason and stage, most flows first within a verdict; packets and bytes where counted."""
    total = summary.total
    order = sorted(summary.outcomes.items(), key=lambda item: (VERDICTS.index(item[0][0]), -item[1].flows))
    counted = ["flows", "share", *(name for name in ("packets", "bytes") if getattr(total, name))]
    rows = tuple(
        (
            verdict,
            reason,
            stage,
            number(tally.flows),
            share(tally.flows, total.flows),
            *(number(getattr(tally, name)) for name in counted[2:]),
            REASON_TEXTS.get(reason or ""),
        )
        for (verdict, reason, stage), tally in order
    )
    columns = ("verdict", "reason", "stage", *counted, "meaning")
    return Grid(columns, rows, "Verdicts", frozenset(counted), stack=("reason", "stage", "meaning"))


def agreement_grid(summary: Summary) -> Grid | None:
    """Predicted against logged action, the number and the share of each pair; None if no action was logged."""
    if not summary.agreement:
        return None
    total = sum(summary.agreement.values())
    rows = tuple(
        (predicted, action, number(count), share(count, total), _agrees(predicted, action))
        for (predicted, action), count in summary.agreement.items()
    )
    columns = ("predicted", "logged by AWS", "records", "share", "agrees")
    return Grid(columns, rows, "Agreement with the log's own action", frozenset({"records", "share"}))


def _agrees(predicted: str, action: str) -> str | None:
    return None if predicted == "UNKNOWN" else "yes" if predicted == action else "no"


def classes_grid(summary: Summary) -> Grid | None:
    """The model's report card: records compared with what AWS logged, and how many do not agree, class by class."""
    compared = summary.agreed + summary.disagreed
    if not compared:
        return None
    rows: list[tuple[object, ...]] = [("agrees", number(summary.agreed), share(summary.agreed, compared), None)]
    for name, count in summary.by_class.items():
        if count or name == "unexplained":
            rows.append((name, number(count), share(count, compared), MISMATCHES[name]))
    title = f"Model against log: {number(compared)} of {number(summary.log_records)} records can be compared"
    return Grid(("class", "records", "share", "meaning"), tuple(rows), title, frozenset({"records", "share"}))


def disagreement_grid(summary: Summary, most: int = 20) -> Grid | None:
    """What is behind the records that do not agree: class (FL-44), interface and rule, most records first."""
    if not summary.disagreements:
        return None
    ordered = sorted(summary.explained.items(), key=lambda item: (-item[1], tuple(map(str, item[0]))))
    rows = tuple((*key, number(count)) for key, count in ordered[:most])
    columns = ("class", "predicted", "logged by AWS", "interface", "rule", "records")
    more = f", the first {most} of {len(ordered)}" if len(ordered) > most else ""
    return Grid(columns, rows, f"Behind the disagreement{more}", frozenset({"records"}), stack=("interface", "rule"))


def run_grid(summary: Summary) -> Grid:
    """What was read and judged, one figure a row."""
    decided = summary.flows - summary.by_verdict["UNKNOWN"].flows
    judged = summary.agreed + summary.disagreed
    rows: list[tuple[object, ...]] = [
        ("flows and records judged", number(summary.flows), None),
        ("decided", number(decided), share(decided, summary.flows)),
        ("undecided (UNKNOWN)", number(summary.flows - decided), share(summary.flows - decided, summary.flows)),
        ("files read", number(summary.files), None),
        ("lines and rows read", number(summary.lines), None),
        ("rejected lines", number(summary.rejected), share(summary.rejected, summary.lines)),
    ]
    if summary.outside:
        rows.append(("records not asked for", number(summary.outside), share(summary.outside, summary.lines)))
    if summary.damaged_files:
        rows.append(("damaged files", number(summary.damaged_files), None))
    for name, counts in (("intervals without traffic", summary.nodata), ("intervals AWS skipped", summary.skipdata)):
        if counts:
            rows.append((name, number(sum(counts.values())), f"{len(counts)} interfaces"))
    if summary.unknown_fields:
        rows.append(("fields left out, of no version", len(summary.unknown_fields), ", ".join(summary.unknown_fields)))
    if judged:
        rows.append(("predictions that agree", number(summary.agreed), share(summary.agreed, judged)))
    if summary.rate is not None:
        rows.append(("seconds, end to end", f"{summary.seconds:.2f}", f"{number(summary.rate)} a second"))
    return Grid(("figure", "count", "share or rate"), tuple(rows), "Run", frozenset({"count", "share or rate"}))


def summary_grids(summary: Summary) -> list[Grid]:
    """The grids of a summary: verdicts, agreement where actions were logged and what is behind the rest, the run."""
    card = [agreement_grid(summary), classes_grid(summary), disagreement_grid(summary)]
    grids = [outcomes_grid(summary), *card, run_grid(summary)]
    return [grid for grid in grids if grid is not None]


def summary_dict(summary: Summary) -> dict[str, object]:
    """The summary as plain JSON-ready data; shares are 0 to 1, `rate` is flows a second."""
    outcomes = [
        {"verdict": v, "reason": r, "stage": s, "flows": t.flows, "packets": t.packets, "bytes": t.bytes}
        for (v, r, s), t in summary.outcomes.items()
    ]
    agreement = [{"predicted_action": p, "action": a, "records": n} for (p, a), n in summary.agreement.items()]
    return {
        "flows": summary.flows,
        "log_records": summary.log_records,
        "by_verdict": {verdict: tally.flows for verdict, tally in summary.by_verdict.items()},
        "decided_share": 1 - summary.undecided_share,
        "undecided_share": summary.undecided_share,
        "outcomes": outcomes,
        "agreement": agreement,
        "agreed": summary.agreed,
        "disagreed": summary.disagreed,
        "disagreements_by_class": summary.by_class,
        "disagreements": [{**key._asdict(), "records": n} for key, n in summary.explained.items()],
        "observed_at": dict(summary.places),
        "files": summary.files,
        "damaged_files": summary.damaged_files,
        "lines": summary.lines,
        "rejected": summary.rejected,
        "outside": summary.outside,
        "rejected_share": summary.rejected_share,
        "nodata": dict(summary.nodata),
        "skipdata": dict(summary.skipdata),
        "unknown_fields": dict(summary.unknown_fields),
        "seconds": summary.seconds,
        "rate": summary.rate,
    }


def rates_grid(rates: Mapping[str, tuple[int, float]], title: str) -> Grid:
    """One row per way of judging: name -> (flows, seconds) as seconds and flows a second."""
    rows = tuple(
        (name, number(flows), f"{seconds:.2f}", number(flows / seconds) if seconds > 0 else None)
        for name, (flows, seconds) in rates.items()
    )
    return Grid(
        ("", "flows", "seconds", "flows a second"), rows, title, frozenset({"flows", "seconds", "flows a second"})
    )
