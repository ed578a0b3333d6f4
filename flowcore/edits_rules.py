"""Edits of security groups and network ACLs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .changes import Draft
from .changes_links import associate_acl
from .edits_base import Edit, EditError, as_network, described, is_egress, not_there, same_vpc
from .model import NetworkAcl, NetworkAclEntry, SecurityGroup, SecurityGroupRule
from .sources.rules_made import made_rule
from .sources.values import ICMP, ICMPV6, TCP, UDP, BadValueError, protocol_number

__all__ = [
    "AddEntry",
    "AddMember",
    "AddRule",
    "AssociateAcl",
    "RemoveEntry",
    "RemoveMember",
    "RemoveRule",
    "ReplaceEntry",
    "ReplaceRule",
]


# -- protocols and ports ----------------------------------------------------------------------------------


def _protocol(value: str | int) -> int:
    try:
        return protocol_number(value)
    except BadValueError as bad:
        raise EditError("cannot be understood", "protocol", bad.found, bad.expected) from None


def _ports(value: str | int | None) -> tuple[int | None, int | None]:
    """`443`, `"8000-8080"` or None (all)."""
    if value is None:
        return None, None
    first, _, last = str(value).partition("-")
    if not (first.isascii() and first.isdigit() and (not last or (last.isascii() and last.isdigit()))):
        raise EditError("cannot be understood", "ports", value, "a port (443), or a first and a last one (8000-8080)")
    low, high = int(first[:6]), int((last or first)[:6])
    if not low <= high <= 65535:
        raise EditError("cannot be understood", "ports", value, "ports from 0 to 65535, the first not above the last")
    return low, high


def _type_and_code(kind: int | None, code: int | None, protocol: int) -> tuple[int | None, int | None]:
    if (kind is not None or code is not None) and protocol not in (ICMP, ICMPV6):
        raise EditError("does not go with the protocol", "icmp_type", kind, "icmp_type with icmp and icmpv6 only")
    for value, name in ((kind, "icmp_type"), (code, "icmp_code")):
        if value is not None and not 0 <= value <= 255:
            raise EditError("cannot be understood", name, value, "a number from 0 to 255; absent: all")
    if kind is None and code is not None:
        raise EditError("needs icmp_type", "icmp_code", code, "no icmp_code where all types are meant")
    return kind, code


def _range(protocol: int, ports: str | int | None, kind: int | None, code: int | None) -> tuple[int | None, int | None]:
    """Ports of tcp and udp, type and code of icmp, nothing of others."""
    kind, code = _type_and_code(kind, code, protocol)
    if ports is not None and protocol not in (TCP, UDP):
        raise EditError("does not go with the protocol", "ports", ports, "ports with tcp and udp only")
    return _ports(ports) if protocol in (TCP, UDP) else (kind, code)


# -- security group rules ---------------------------------------------------------------------------------


def _remote(draft: Draft, cidr: str | None, prefix_list: str | None, source_group: str | None) -> dict[str, Any]:
    """The remote of a rule; prefix list and group are described."""
    given = [each for each in (cidr, prefix_list, source_group) if each]
    if len(given) != 1:
        raise EditError("names no remote, or several", "", given, "exactly one of cidr, prefix_list, source_group")
    if cidr:
        return {"cidr_block": as_network(cidr, "cidr")}
    if prefix_list:
        described(draft, "prefix_lists", prefix_list, "prefix_list")
        return {"prefix_list_id": prefix_list}
    described(draft, "security_groups", str(source_group), "source_group")
    return {"referenced_group_id": source_group}


def _find_rule(draft: Draft, rule_id: str) -> tuple[SecurityGroup, SecurityGroupRule]:
    for group in draft.table("security_groups").values():
        for rule in group.rules:
            if rule.rule_id == rule_id:
                return group, rule
    known = (rule.rule_id for group in draft.table("security_groups").values() for rule in group.rules)
    raise not_there(rule_id, known, "rule")


def _put_rules(draft: Draft, group: SecurityGroup, rules: Iterable[SecurityGroupRule]) -> None:
    draft.put("security_groups", replace(group, rules=tuple(sorted(rules, key=lambda rule: rule.rule_id))))


class AddRule(Edit, frozen=True, tag="add rule"):
    """A further rule of a security group. Exactly one of cidr, prefix_list and source_group."""

    group: str
    direction: str
    """ingress or egress."""
    protocol: str | int
    """tcp, udp, icmp, icmpv6, all (-1) or a number."""
    ports: str | int | None = None
    """443 or "8000-8080"; absent: all."""
    cidr: str | None = None
    prefix_list: str | None = None
    source_group: str | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None

    def make(self, draft: Draft) -> None:
        group = described(draft, "security_groups", self.group, "group")
        protocol = _protocol(self.protocol)
        first, last = _range(protocol, self.ports, self.icmp_type, self.icmp_code)
        remote = _remote(draft, self.cidr, self.prefix_list, self.source_group)
        rule = made_rule(self.group, is_egress(self.direction), protocol, first, last, **remote)
        if any(replace(each, rule_id=rule.rule_id, description=None) == rule for each in group.rules):
            raise EditError("the group has this rule already", "group", self.group)
        _put_rules(draft, group, [*group.rules, rule])


class RemoveRule(Edit, frozen=True, tag="remove rule"):
    """Takes a rule out of its group."""

    rule: str
    """Its id: `sgr-…`, or the made-up one where the snapshot has none."""

    def make(self, draft: Draft) -> None:
        group, rule = _find_rule(draft, self.rule)
        _put_rules(draft, group, [each for each in group.rules if each is not rule])


class ReplaceRule(Edit, frozen=True, tag="replace rule"):
    """Changes a rule; what is absent stays. With protocol, ports too are as given (absent: all)."""

    rule: str
    protocol: str | int | None = None
    ports: str | int | None = None
    cidr: str | None = None
    prefix_list: str | None = None
    source_group: str | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None

    def make(self, draft: Draft) -> None:
        group, rule = _find_rule(draft, self.rule)
        protocol = rule.protocol if self.protocol is None else _protocol(self.protocol)
        first, last = rule.from_port, rule.to_port
        if self.protocol is not None or self.ports is not None or self.icmp_type is not None:
            first, last = _range(protocol, self.ports, self.icmp_type, self.icmp_code)
        given = (self.cidr, self.prefix_list, self.source_group)
        changed = replace(rule, protocol=protocol, from_port=first, to_port=last)
        if any(given):
            remote = {"cidr_block": None, "prefix_list_id": None, "referenced_group_id": None} | _remote(draft, *given)
            changed = replace(changed, referenced_vpc_id=None, peering_status=None, **remote)
        if changed == rule:
            raise EditError("changes nothing", "rule", self.rule)
        _put_rules(draft, group, [changed if each is rule else each for each in group.rules])


class AddMember(Edit, frozen=True, tag="add member"):
    """Puts a security group on an interface."""

    group: str
    interface: str

    def make(self, draft: Draft) -> None:
        described(draft, "security_groups", self.group, "group")
        interface = described(draft, "interfaces", self.interface, "interface")
        if interface.group_ids is None:
            raise EditError("the groups of the interface are not described", "interface", self.interface)
        if self.group in interface.group_ids:
            raise EditError("the interface carries the group already", "group", self.group)
        draft.put("interfaces", replace(interface, group_ids=(*interface.group_ids, self.group)))


class RemoveMember(Edit, frozen=True, tag="remove member"):
    """Takes a security group from an interface."""

    group: str
    interface: str

    def make(self, draft: Draft) -> None:
        interface = described(draft, "interfaces", self.interface, "interface")
        if self.group not in (interface.group_ids or ()):
            raise EditError("the interface does not carry the group", "group", self.group)
        if interface.group_ids == (self.group,):
            raise EditError(
                "it is the interface's last group",
                "group",
                self.group,
                "a further group: AWS lets no interface go without",
            )
        kept = tuple(each for each in interface.group_ids if each != self.group)
        draft.put("interfaces", replace(interface, group_ids=kept))


# -- network ACL entries ----------------------------------------------------------------------------------


def _entry_of(acl: NetworkAcl, direction: str, number: int) -> NetworkAclEntry | None:
    egress = is_egress(direction)
    return next((e for e in acl.entries if (e.egress, e.rule_number) == (egress, number)), None)


def _put_entries(draft: Draft, acl: NetworkAcl, entries: Iterable[NetworkAclEntry]) -> None:
    ordered = tuple(sorted(entries, key=lambda entry: (entry.egress, entry.rule_number)))
    draft.put("network_acls", replace(acl, entries=ordered))


class _Entry(Edit, frozen=True):
    acl: str
    direction: str
    number: int
    """1 to 32766."""
    action: str
    """allow or deny."""
    cidr: str
    protocol: str | int = "all"
    ports: str | int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None

    def entry(self) -> NetworkAclEntry:
        """The entry as a record."""
        if not 1 <= self.number <= 32766:
            raise EditError("cannot be understood", "number", self.number, "a number from 1 to 32766 (NA-03)")
        if self.action not in ("allow", "deny"):
            raise EditError("cannot be understood", "action", self.action, "allow or deny")
        protocol = _protocol(self.protocol)
        cidr, allow, egress = as_network(self.cidr, "cidr"), self.action == "allow", is_egress(self.direction)
        parts = _range(protocol, self.ports, self.icmp_type, self.icmp_code)
        ports, types = (parts, (None, None)) if protocol in (TCP, UDP) else ((None, None), parts)
        return NetworkAclEntry(self.number, egress, protocol, allow, cidr, *ports, *types)


class AddEntry(_Entry, frozen=True, tag="add entry"):
    """A further entry of a network ACL."""

    def make(self, draft: Draft) -> None:
        acl = described(draft, "network_acls", self.acl, "acl")
        entry = self.entry()
        if _entry_of(acl, self.direction, self.number) is not None:
            raise EditError(
                "the ACL has an entry of this number", "number", self.number, "replace entry, or a free one"
            )
        _put_entries(draft, acl, [*acl.entries, entry])


class ReplaceEntry(_Entry, frozen=True, tag="replace entry"):
    """Another entry in place of the one with that direction and number."""

    def make(self, draft: Draft) -> None:
        acl = described(draft, "network_acls", self.acl, "acl")
        entry, old = self.entry(), _entry_of(acl, self.direction, self.number)
        if old is None:
            raise EditError("the ACL has no entry of this number", "number", self.number)
        if old == entry:
            raise EditError("changes nothing", "number", self.number)
        _put_entries(draft, acl, [entry if each is old else each for each in acl.entries])


class RemoveEntry(Edit, frozen=True, tag="remove entry"):
    """Takes an entry out of a network ACL."""

    acl: str
    direction: str
    number: int

    def make(self, draft: Draft) -> None:
        acl = described(draft, "network_acls", self.acl, "acl")
        old = _entry_of(acl, self.direction, self.number)
        if old is None or self.number > 32766:
            raise EditError("the ACL has no entry of this number that can go", "number", self.number)
        _put_entries(draft, acl, [each for each in acl.entries if each is not old])


class AssociateAcl(Edit, frozen=True, tag="associate acl"):
    """Puts a subnet under another network ACL."""

    acl: str
    subnet: str

    def make(self, draft: Draft) -> None:
        acl = described(draft, "network_acls", self.acl, "acl")
        subnet = described(draft, "subnets", self.subnet, "subnet")
        same_vpc(acl.vpc_id, subnet.vpc_id, "acl", self.acl)
        if self.subnet in acl.subnet_ids:
            raise EditError("the subnet has this ACL already", "acl", self.acl)
        associate_acl(draft, self.subnet, self.acl)
