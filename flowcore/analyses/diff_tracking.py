"""When a broken flow breaks: at once, for new connections only, or once it has been idle (SG-30…SG-37).

Security groups track connections: a tracked one goes on after its rule is gone (SG-36). Nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from ..model import Network, NetworkInterface, RouteTarget, SecurityGroupRule
from ..schema import ANY_PROTOCOL, ICMP, ICMPV6, PROTOCOL_NUMBERS, STAGE_BITS, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOW, NEW_CONNECTIONS, AFTER_IDLE = "now", "new-connections", "after-idle"

#: Seconds without a packet after which a tracked connection is forgotten: AWS's defaults (SG-33, SG-37).
TCP_TIMEOUT, UDP_TIMEOUT, OTHER_TIMEOUT = 432_000, 180, 600
NLB_TCP_TIMEOUT, NLB_UDP_TIMEOUT = 350, 120

_GROUP_STAGES = {
    "source-security-group": "src_interface",
    "middle-security-group": None,
    "destination-security-group": "dst_interface",
}
_GROUP_BITS = sum(1 << STAGE_BITS[stage] for stage in _GROUP_STAGES)

#: Interfaces whose connections are always tracked (SG-34), by type.
_TRACKING_TYPES = frozenset(
    {"nat_gateway", "network_load_balancer", "vpc_endpoint", "lambda", "global_accelerator_managed"}
)
_TRACKING_TARGETS = frozenset({RouteTarget.NAT_GATEWAY, RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY})


@dataclass(frozen=True, slots=True)
class Moment:
    """When a flow breaks, and after how many seconds without a packet a tracked connection does too (at most)."""

    when: str
    idle_seconds: int | None = None


class Tracking:
    """What security groups of the earlier network keep in mind of each flow."""

    def __init__(self, before: Network) -> None:
        self._network = before
        self._open: dict[tuple[Any, ...], bool] = {}

    def moment(self, flow: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> Moment:
        """When this broken flow breaks. `before` and `after` are its verdicts, with the columns of COMPARED.

        At once if anything but a security group stops it now (routes and ACLs do not track), or if a group that stops
        it did not track it (SG-31). Else TCP breaks for new connections, and what has no connections after it was idle.
        """
        blocked = after["blocked_by"]
        if not blocked or blocked & ~_GROUP_BITS:
            return Moment(NOW)
        for stage, end in _GROUP_STAGES.items():
            if blocked >> STAGE_BITS[stage] & 1 and not self._tracked(stage, end, flow, before):
                return Moment(NOW)
        protocol = _protocol(flow)
        balanced = any(kind == "network_load_balancer" for kind in self._types(before))
        if protocol == TCP:
            return Moment(NEW_CONNECTIONS, NLB_TCP_TIMEOUT if balanced else TCP_TIMEOUT)
        if protocol == UDP:
            return Moment(AFTER_IDLE, NLB_UDP_TIMEOUT if balanced else UDP_TIMEOUT)
        return Moment(AFTER_IDLE, None if protocol in (ICMP, ICMPV6) else OTHER_TIMEOUT)  # none is published for ICMP

    def _tracked(self, stage: str, end: str | None, flow: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
        """Whether the groups at this stage kept the flow in mind (SG-31…SG-34). A group that is not described: no."""
        protocol = _protocol(flow)
        if protocol not in (TCP, UDP) or self._always_tracked(before):
            return True
        interface = self._network.interfaces.get(before[end] or "") if end else None
        if interface is None or interface.group_ids is None:
            return False
        version = ip_address(str(flow["dstaddr"])).version
        egress = stage == "source-security-group"
        return not (
            self._anywhere(interface, egress, version, protocol, flow["dstport"])
            and self._anywhere(interface, not egress, version, protocol, None)
        )

    def _always_tracked(self, before: Mapping[str, Any]) -> bool:
        """SG-34, by what it goes through. Its DOC-CONFLICT (transit gateways, GWLB) does not count."""
        kind, _, target = (before["route_target"] or "").partition(" ")
        endpoint = self._network.vpc_endpoints.get(target)
        dynamodb = endpoint is not None and (endpoint.service_name or "").endswith(".dynamodb")
        return kind in _TRACKING_TARGETS or dynamodb or not _TRACKING_TYPES.isdisjoint(self._types(before))

    def _types(self, before: Mapping[str, Any]) -> Iterator[str]:
        for end in ("src_interface", "dst_interface"):
            interface = self._network.interfaces.get(before[end] or "")
            if interface is not None:
                yield interface.interface_type

    def _anywhere(
        self, interface: NetworkInterface, egress: bool, version: int, protocol: int, port: int | None
    ) -> bool:
        """Whether a rule lets this protocol and port (None: all ports) go to, or come from, every address."""
        key = (interface.group_ids, egress, version, protocol, port)
        if key not in self._open:
            groups = (self._network.security_groups.get(group_id) for group_id in interface.group_ids or ())
            rules = (rule for group in groups if group is not None for rule in group.rules)
            self._open[key] = any(
                rule.egress == egress and _from_anywhere(rule, version) and _covers(rule, protocol, port)
                for rule in rules
            )
        return self._open[key]


def _protocol(flow: Mapping[str, Any]) -> int:
    value = flow["protocol"]
    text = str(value).strip().lower()
    return PROTOCOL_NUMBERS[text] if text in PROTOCOL_NUMBERS else int(text)


def _from_anywhere(rule: SecurityGroupRule, version: int) -> bool:
    block = rule.cidr_block
    return block is not None and block.version == version and block.prefixlen == 0


def _covers(rule: SecurityGroupRule, protocol: int, port: int | None) -> bool:
    """Whether the rule allows `port` of TCP or UDP; None: every port, 0 to 65535 (SG-31)."""
    if rule.protocol == ANY_PROTOCOL:
        return True
    if rule.protocol != protocol:
        return False
    first = 0 if rule.from_port is None else rule.from_port
    last = 65535 if rule.to_port is None else rule.to_port
    return first <= port <= last if port is not None else first <= 0 and last >= 65535
