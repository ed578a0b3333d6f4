"""What a walk gives back: the verdict of one flow, with every hop that led to it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .display import Displayed
from .schema import VERDICT_COLUMNS
from .walk_balancers import TargetReport
from .walk_flow import Packet

if TYPE_CHECKING:
    from collections.abc import Mapping

FORWARD, REPLY = "forward", "reply"


@dataclass(frozen=True, slots=True)
class Hop:
    """One stage as the walk met it.

    `leg`: forward or reply. `stage`: a name of `schema.STAGES`. `component`: id of the interface, ACL, route table
    or gateway that judged; "" where it is not known. `outcome`: pass, deny or unknown, and its `reason`. `rule`: the
    deciding rule as in the rule columns; `text`: in words. `note`: why, with statement ids. `reached`: whether a
    packet gets this far; stages after the first deny are shown all the same. `evaluated`: False for what is only
    shown, such as the security groups a tracked reply passes.
    """

    leg: str
    stage: str
    component: str
    packet_in: Packet | None
    packet_out: Packet | None
    outcome: str
    reason: str | None = None
    rule: str | None = None
    text: str = ""
    note: str = ""
    reached: bool = True
    evaluated: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The hop as plain JSON-ready data."""
        return {
            "leg": self.leg,
            "stage": self.stage,
            "component": self.component,
            "packet_in": self.packet_in.to_dict() if self.packet_in else None,
            "packet_out": self.packet_out.to_dict() if self.packet_out else None,
            "outcome": self.outcome,
            "reason": self.reason,
            "rule": self.rule,
            "text": self.text,
            "note": self.note,
            "reached": self.reached,
            "evaluated": self.evaluated,
        }


_NAMES = tuple(column.name for column in VERDICT_COLUMNS)
_VALUES = attrgetter(*_NAMES)


@dataclass(frozen=True, slots=True)
class Path(Displayed):
    """The verdict of one flow, with every stage that led to it. The columns are those of `schema.VERDICT_COLUMNS`."""

    verdict: str
    forward: str
    reply: str | None = None
    reason: str | None = None
    stage: str | None = None
    blocked_by: int = 0
    path: str | None = None
    src_interface: str | None = None
    dst_interface: str | None = None
    src_sg_rule: str | None = None
    src_acl_rule: str | None = None
    route: str | None = None
    dst_acl_rule: str | None = None
    dst_sg_rule: str | None = None
    reply_dst_acl_rule: str | None = None
    reply_route: str | None = None
    reply_src_acl_rule: str | None = None
    targets: int | None = None
    reachable_targets: int | None = None
    flow: Mapping[str, Any] = field(default_factory=dict)
    hops: tuple[Hop, ...] = ()
    behind: tuple[TargetReport, ...] = ()
    """The targets of the load balancer the flow goes to, each with its own outcome."""
    warnings: tuple[str, ...] = ()
    """What does not change the verdict but may stop the flow all the same: HEALTH_CHECK_BLOCKED (LB-06)."""

    def columns(self) -> dict[str, Any]:
        """The verdict columns by name, as `Evaluator.evaluate` would add them."""
        return dict(zip(_NAMES, _VALUES(self), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Verdict, flow, hops, targets and warnings as plain JSON-ready data."""
        plain = {key: value if isinstance(value, (int, str)) else _plain(value) for key, value in self.flow.items()}
        behind = [target.to_dict() for target in self.behind]
        hops = [hop.to_dict() for hop in self.hops]
        return {**self.columns(), "flow": plain, "hops": hops, "behind": behind, "warnings": list(self.warnings)}


def _plain(value: Any) -> Any:
    """A flow's value as JSON has it: null and numbers as they are, anything else as text."""
    if value is None or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)
