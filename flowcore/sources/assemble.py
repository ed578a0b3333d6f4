"""What was collected as one Network: rules in their groups, contradictions settled, every mapping sorted by id."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Any

from ..model import (
    UNDESCRIBED_VPC,
    ElasticAddress,
    Instance,
    Network,
    NetworkInterface,
    SecurityGroup,
    SecurityGroupRule,
)
from . import rules
from .assemble_between import settle_between
from .assemble_pages import partly_described, settle_pages
from .assemble_transit import settle_transit_gateways
from .assemble_vpcs import settle_vpcs, some
from .collect import Collector

__all__ = ["assemble", "some"]


def assemble(found: Collector) -> Network:
    """The network of everything collected, not yet checked for dangling references."""
    settle_pages(found)
    _settle_groups(found)
    _settle_interfaces(found)
    _settle_references(found)
    settle_between(found)
    settle_vpcs(found)
    settle_transit_gateways(found)  # what propagates are the VPCs' CIDRs
    _settle_singles(found)
    tables: dict[str, Any] = {
        name: MappingProxyType({key: table[key] for key in sorted(table)}) for name, table in found.tables.items()
    }
    return Network(
        **tables,
        elastic_addresses=tuple(sorted(found.elastic, key=_address_order)),
        block_public_access=tuple(sorted(found.options, key=lambda o: (o.account or "", o.region or "", o.mode))),
        block_public_access_exclusions=tuple(
            sorted(found.exclusions, key=lambda e: (e.resource_id, e.state or "", e.mode))
        ),
        described_keys=frozenset(found.keys),
        partly_described=partly_described(found),
        other=MappingProxyType({key: tuple(found.other[key]) for key in sorted(found.other)}),
    )


def _address_order(elastic: ElasticAddress) -> tuple[Any, ...]:
    private = elastic.private_address or IPv4Address(0)
    return elastic.public_address, elastic.allocation_id or "", elastic.interface_id or "", private


def _settle_groups(found: Collector) -> None:
    """Rules with `sgr-` ids where described; a permission that no row covers keeps its made-up id."""
    groups: dict[str, SecurityGroup] = found.tables.setdefault("security_groups", {})
    for group_id in found.rows.keys() - groups.keys():
        groups[group_id] = SecurityGroup(group_id, owner_id=found.row_owners.get(group_id))
    for group_id, group in groups.items():
        described = found.group_parts.get(group_id, (False, False))
        expanded = found.group_rules.get(group_id, [])
        if found.rows.get(group_id):
            is_partial = found.is_partial("SecurityGroupRules", group_id)
            expanded = _with_rows(found, group_id, expanded, described, is_partial)
            if not is_partial:
                described = True, True
        ordered = tuple(sorted(expanded, key=lambda rule: rule.rule_id))
        ingress, egress = described
        groups[group_id] = replace(group, rules=ordered, ingress_described=ingress, egress_described=egress)
        if not (ingress and egress):
            message = "not all of its rules are described; flows that no known rule matches are UNKNOWN"
            found.issue("error", "incomplete", group_id, message, found.origins.get(group_id, ""))
    for group_id, vpc_ids in found.group_vpcs.items():
        if group_id in groups:
            groups[group_id] = replace(groups[group_id], associated_vpc_ids=tuple(sorted(vpc_ids)))


def _with_rows(
    found: Collector,
    group_id: str,
    expanded: list[SecurityGroupRule],
    described: tuple[bool, bool],
    is_partial: bool,
) -> list[SecurityGroupRule]:
    """The rows of a group, and its permissions that no row covers. A row that no permission covers, where the group's
    are described, may be of another time: which of the two answers is right is not known."""
    rows, origin = found.rows[group_id], found.origins.get(group_id, "")
    keys, covered = {rules.key_of(rule) for rule in expanded}, {rules.key_of(rule) for rule in rows.values()}
    settled = []
    for rule in rows.values():
        if described[rule.egress] and rules.key_of(rule) not in keys:
            message = (
                f"{rule.rule_id} stands in SecurityGroupRules but not in the group's permissions: flows that only it "
                "matches are UNKNOWN"
            )
            found.issue("warning", "conflict", group_id, message, found.origins.get(rule.rule_id, origin))
            settled.append(replace(rule, certain=False))
        else:
            settled.append(rule)
    for rule in expanded:
        if rules.key_of(rule) not in covered:
            settled.append(rule)
            if not is_partial:
                message = f"{rule.rule_id} stands in the group's permissions but not in SecurityGroupRules; it is used"
                found.issue("warning", "conflict", group_id, message, origin)
    return settled


def _settle_interfaces(found: Collector) -> None:
    """Interfaces only embedded in instances, and Elastic IPs the interfaces do not name."""
    interfaces: dict[str, NetworkInterface] = found.tables.setdefault("interfaces", {})
    for interface_id, embedded in found.embedded.items():
        known = interfaces.setdefault(interface_id, embedded)
        groups = [None if own.group_ids is None else {*own.group_ids} for own in (known, embedded)]
        if None not in groups and groups[0] != groups[1]:
            message = "has other groups in the answer about its instance; those of NetworkInterfaces are used"
            found.issue("warning", "duplicate", interface_id, message, found.origins.get(interface_id, ""))
    for elastic, origin in found.elastic.items():
        interface = interfaces.get(elastic.interface_id or "")
        if interface is not None:
            interfaces[interface.interface_id] = _with_public(interface, elastic, origin, found)
    _add_instances(found, interfaces)


def _add_instances(found: Collector, interfaces: dict[str, NetworkInterface]) -> None:
    """Instances of which only the interfaces are described, where these tell the primary one: device 0 (LB-08)."""
    instances: dict[str, Instance] = found.tables.setdefault("instances", {})
    own: dict[str, list[str]] = {}
    for interface in interfaces.values():
        if interface.instance_id:
            own.setdefault(interface.instance_id, []).append(interface.interface_id)
    for instance_id in found.first_devices.keys() - instances.keys():
        if len(found.first_devices[instance_id]) == 1:
            (first,) = found.first_devices[instance_id]
            others = sorted({*own.get(instance_id, ())} - {first})
            primary = interfaces[first]
            instances[instance_id] = Instance(instance_id, None, primary.vpc_id, primary.subnet_id, (first, *others))


def _settle_references(found: Collector) -> None:
    """SG-22: the VPC of a group that a rule names by the peering connection only: the other end of it."""
    carriers: dict[str, set[str]] = {}
    interfaces: dict[str, NetworkInterface] = found.tables.get("interfaces", {})
    for interface in interfaces.values():
        for group_id in interface.group_ids or ():
            carriers.setdefault(group_id, set()).update([interface.vpc_id] if interface.vpc_id else [])
    groups: dict[str, SecurityGroup] = found.tables["security_groups"]
    for group_id, group in groups.items():
        if any(rule.peering_id and not rule.referenced_vpc_id for rule in group.rules):
            own = {group.vpc_id, *group.associated_vpc_ids} if group.vpc_id else carriers.get(group_id, set())
            settled = (_with_other_end(found, rule, own, carriers) for rule in group.rules)
            groups[group_id] = replace(group, rules=tuple(settled))


def _with_other_end(
    found: Collector, rule: SecurityGroupRule, own: AbstractSet[str | None], carriers: Mapping[str, AbstractSet[str]]
) -> SecurityGroupRule:
    """`own`: the VPCs of the rule's group. Where the connection does not tell, those that carry the group named may."""
    if not rule.peering_id or rule.referenced_vpc_id:
        return rule
    peering = found.tables.get("peering_connections", {}).get(rule.peering_id)
    ends = {peering.requester_vpc_id, peering.accepter_vpc_id} - {None} if peering else set()
    others = ends - own if ends & own else carriers.get(rule.referenced_group_id or "", set()) - own
    return replace(rule, referenced_vpc_id=min(others) if len(others) == 1 else UNDESCRIBED_VPC)


def _with_public(
    interface: NetworkInterface, elastic: ElasticAddress, origin: str, found: Collector
) -> NetworkInterface:
    """The interface with an Elastic IP on its private address; what the interface itself says wins."""
    public, private = elastic.public_address, elastic.private_address
    addresses = list(interface.addresses)
    for i, own in enumerate(addresses):
        if own.address == private or (private is None and own.primary and own.address.version == 4):
            if own.public_address is None:
                addresses[i] = replace(own, public_address=public)
                return replace(interface, addresses=tuple(addresses))
            if own.public_address == public:
                return interface
            message = f"{own.address} has the public address {own.public_address}, but {public} is associated with it"
            found.issue("warning", "conflict", interface.interface_id, message, origin)
            return interface
    message = f"{public} is associated with {private or 'the primary address'}, which the interface does not hold"
    found.issue("warning", "conflict", interface.interface_id, message, origin)
    return interface


def _settle_singles(found: Collector) -> None:
    """A subnet has one ACL and one table, a VPC one default ACL, main table and internet gateway: the first by id."""
    _only_first(found, "network_acls", "subnet_ids", "two network ACLs")
    _only_first(found, "route_tables", "subnet_ids", "two route tables")
    _only_first(found, "route_tables", "gateway_ids", "two gateway route tables")
    _only_first(found, "internet_gateways", "vpc_ids", "two internet gateways")
    _one_per_vpc(found, "network_acls", "is_default", "two default network ACLs")
    _one_per_vpc(found, "route_tables", "main", "two main route tables")


def _only_first(found: Collector, table: str, attribute: str, what: str) -> None:
    records = found.tables.get(table, {})
    holder: dict[str, str] = {}
    for record_id in sorted(records):
        ids = getattr(records[record_id], attribute)
        taken = [other for other in ids if holder.setdefault(other, record_id) != record_id]
        for other in taken:
            _conflict(found, other, what, holder[other], record_id)
        if taken:
            left = tuple(other for other in ids if other not in taken)
            records[record_id] = replace(records[record_id], **{attribute: left})


def _one_per_vpc(found: Collector, table: str, attribute: str, what: str) -> None:
    records = found.tables.get(table, {})
    holder: dict[str, str] = {}
    for record_id in sorted(records):
        record = records[record_id]
        if getattr(record, attribute) and holder.setdefault(record.vpc_id, record_id) != record_id:
            _conflict(found, record.vpc_id, what, holder[record.vpc_id], record_id)
            records[record_id] = replace(record, **{attribute: False})


def _conflict(found: Collector, resource: str, what: str, first: str, second: str) -> None:
    message = f"has {what}, {first} and {second}; the first is used"
    found.issue("warning", "conflict", resource, message, found.origins.get(second, ""))
