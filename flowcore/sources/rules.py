"""Rules of security groups: one record per rule and remote, from `IpPermissions` and from `SecurityGroupRules`."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import IPNetwork, SecurityGroupRule
from .answers import GroupReference, IpPermission, SecurityGroupAnswer, SecurityGroupRuleAnswer
from .values import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    BadValueError,
    ipv4_network,
    ipv6_network,
    port_range,
    protocol_name,
    protocol_number,
    type_and_code,
)

__all__ = ["RuleKey", "key_of", "permission_rules", "row_rule"]

#: What a rule says, without its id and description: direction, protocol, ports, remote.
RuleKey = tuple[bool, int, int | None, int | None, object]


def key_of(rule: SecurityGroupRule) -> RuleKey:
    """What the rule says: two descriptions of one rule have the same key."""
    remote = rule.cidr_block or rule.prefix_list_id or rule.referenced_group_id
    return rule.egress, rule.protocol, rule.from_port, rule.to_port, remote


def permission_rules(group: SecurityGroupAnswer) -> list[SecurityGroupRule]:
    """The rules of a group's `IpPermissions` and `IpPermissionsEgress`, one per remote (SG-05), with made-up ids."""
    found: dict[RuleKey, SecurityGroupRule] = {}
    for name, egress, permissions in (
        ("IpPermissions", False, group.ip_permissions),
        ("IpPermissionsEgress", True, group.ip_permissions_egress),
    ):
        for i, permission in enumerate(permissions or ()):
            for rule in _expand(group.group_id, permission, egress, name, i):
                found.setdefault(key_of(rule), rule)
    return list(found.values())


def _expand(group_id: str, permission: IpPermission, egress: bool, name: str, i: int) -> Iterator[SecurityGroupRule]:
    protocol = protocol_number(permission.ip_protocol, name, i, "IpProtocol")
    first, last = _ports(protocol, permission.from_port, permission.to_port, name, i)
    remotes = permission.ip_ranges, permission.ipv6_ranges, permission.prefix_list_ids, permission.user_id_group_pairs
    if not any(remotes):
        raise BadValueError(None, "a remote in IpRanges, Ipv6Ranges, PrefixListIds or UserIdGroupPairs", name, i)
    start = f"{group_id}:{'out' if egress else 'in'}:{protocol_name(protocol)}:{_ports_text(first, last)}:"
    for j, ip_range in enumerate(permission.ip_ranges or ()):
        cidr: IPNetwork = ipv4_network(ip_range.cidr_ip, name, i, "IpRanges", j, "CidrIp")
        text = ip_range.description
        yield SecurityGroupRule(f"{start}{cidr}", group_id, egress, protocol, first, last, cidr, description=text)
    for j, ipv6_range in enumerate(permission.ipv6_ranges or ()):
        cidr = ipv6_network(ipv6_range.cidr_ipv6, name, i, "Ipv6Ranges", j, "CidrIpv6")
        text = ipv6_range.description
        yield SecurityGroupRule(f"{start}{cidr}", group_id, egress, protocol, first, last, cidr, description=text)
    for item in permission.prefix_list_ids or ():
        list_id, text = item.prefix_list_id, item.description
        yield SecurityGroupRule(
            f"{start}{list_id}", group_id, egress, protocol, first, last, prefix_list_id=list_id, description=text
        )
    for pair in permission.user_id_group_pairs or ():
        yield _group_rule(
            f"{start}{pair.group_id}",
            group_id,
            egress,
            protocol,
            (first, last),
            remote=pair,
            description=pair.description,
        )


def _group_rule(
    rule_id: str,
    group_id: str,
    egress: bool,
    protocol: int,
    ports: tuple[int | None, int | None],
    *,
    remote: GroupReference,
    description: str | None,
) -> SecurityGroupRule:
    return SecurityGroupRule(
        rule_id,
        group_id,
        egress,
        protocol,
        *ports,
        referenced_group_id=remote.group_id,
        referenced_vpc_id=remote.vpc_id or None,
        peering_id=remote.vpc_peering_connection_id or None,
        peering_status=remote.peering_status or None,
        description=description,
    )


def row_rule(row: SecurityGroupRuleAnswer) -> SecurityGroupRule:
    """The rule of one row of describe-security-group-rules."""
    protocol = protocol_number(row.ip_protocol, "IpProtocol")
    ports = _ports(protocol, row.from_port, row.to_port)
    remotes = (row.cidr_ipv4, row.cidr_ipv6, row.prefix_list_id, row.referenced_group_info)
    if sum(map(bool, remotes)) != 1:
        expected = "exactly one of CidrIpv4, CidrIpv6, PrefixListId, ReferencedGroupInfo"
        raise BadValueError([str(remote) for remote in remotes if remote], expected)
    rule_id, group_id, egress, text = row.security_group_rule_id, row.group_id, row.is_egress, row.description
    if row.referenced_group_info:
        return _group_rule(
            rule_id, group_id, egress, protocol, ports, remote=row.referenced_group_info, description=text
        )
    cidr: IPNetwork | None = None
    if row.cidr_ipv4:
        cidr = ipv4_network(row.cidr_ipv4, "CidrIpv4")
    elif row.cidr_ipv6:
        cidr = ipv6_network(row.cidr_ipv6, "CidrIpv6")
    list_id = row.prefix_list_id or None
    return SecurityGroupRule(
        rule_id, group_id, egress, protocol, *ports, cidr_block=cidr, prefix_list_id=list_id, description=text
    )


def _ports(protocol: int, first: int | None, last: int | None, *steps: str | int) -> tuple[int | None, int | None]:
    """Ports for tcp and udp, type and code for icmp and icmpv6, (None, None) for any other protocol (SG-09)."""
    if protocol in (TCP, UDP):
        return port_range(first, last, "FromPort", "ToPort", *steps)
    if protocol in (ICMP, ICMPV6):
        kind, code = type_and_code(first, last, "FromPort", "ToPort", *steps)
        if kind is None and code is not None:
            raise BadValueError(code, "-1 (all codes), as FromPort says all types (SG-11)", *steps, "ToPort")
        return kind, code
    return None, None


def _ports_text(first: int | None, last: int | None) -> str:
    if first is None and last is None:
        return "*"
    return f"{'*' if first is None else first}-{'*' if last is None else last}"
