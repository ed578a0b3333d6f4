"""Rules of groups made from single values, with the ids that a description without `sgr-` ids would give them."""

from __future__ import annotations

from ..model import IPNetwork, SecurityGroupRule
from .values import ICMP, ICMPV6, TCP, UDP, BadValueError, port_range, protocol_name, type_and_code

__all__ = ["made_rule"]


def made_rule(
    group_id: str,
    egress: bool,
    protocol: int,
    first: int | None = None,
    last: int | None = None,
    *,
    cidr_block: IPNetwork | None = None,
    prefix_list_id: str | None = None,
    referenced_group_id: str | None = None,
    rule_id: str | None = None,
    description: str | None = None,
) -> SecurityGroupRule:
    """One rule; ports in the form of the model (SG-09…12). Raises BadValueError with `from_port` or `to_port`."""
    if protocol in (TCP, UDP):
        first, last = port_range(first, last, "from_port", "to_port")
    elif protocol in (ICMP, ICMPV6):
        first, last = type_and_code(first, last, "from_port", "to_port")
        if first is None and last is not None:
            raise BadValueError(last, "-1 (all codes), as from_port says all types (SG-11)", "to_port")
    else:
        first = last = None
    ports = (
        "*" if first is None and last is None else f"{'*' if first is None else first}-{'*' if last is None else last}"
    )
    remote = cidr_block or prefix_list_id or referenced_group_id
    made = f"{group_id}:{'out' if egress else 'in'}:{protocol_name(protocol)}:{ports}:{remote}"
    return SecurityGroupRule(
        rule_id or made,
        group_id,
        egress,
        protocol,
        first,
        last,
        cidr_block,
        prefix_list_id,
        referenced_group_id,
        description=description,
    )
