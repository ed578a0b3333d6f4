"""Gathers records of many answers by id: the same record twice, groups with their rules, lists with their entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from ..model import (
    BlockPublicAccessExclusion,
    BlockPublicAccessOptions,
    ElasticAddress,
    IPAddress,
    IPNetwork,
    Issue,
    NetworkInterface,
    PrefixList,
    SecurityGroup,
    SecurityGroupRule,
    Target,
    TransitGatewayRoute,
)
from . import answers, records, rules
from .answers_between import ClassicLoadBalancerAnswer
from .pages import Pages
from .records import Scope
from .records_balancers import ActionsPart, ListenerPart
from .records_transit import AttachmentPart, RoutesPart

__all__ = ["BUILDERS", "Collector", "filled", "folder_of", "keep_list", "simple", "sort_issues"]

T = TypeVar("T")
_SEVERITIES = {"error": 0, "warning": 1, "note": 2}


def sort_issues(issues: list[Issue]) -> tuple[Issue, ...]:
    """Without repeats; errors first, then by code, resource, source and message."""

    def order(issue: Issue) -> tuple[object, ...]:
        return _SEVERITIES[issue.severity], issue.code, issue.resource, issue.source, issue.message

    return tuple(sorted(dict.fromkeys(issues), key=order))


@dataclass
class TransitParts:
    """What was read of transit gateways: each attachment and table is described by several answers."""

    default_tables: dict[str, str] = field(default_factory=dict)
    """Transit gateway id -> the table that attachments are associated with by default."""
    attachments: dict[str, AttachmentPart] = field(default_factory=dict)
    other_names: dict[str, str] = field(default_factory=dict)
    """The accepter's id of a peering attachment -> the requester's."""
    attachment_tables: dict[str, set[str]] = field(default_factory=dict)
    """Attachment id -> tables that describe-transit-gateway-attachments names; empty: it names none."""
    table_gateways: dict[str, str] = field(default_factory=dict)
    """Table id -> its transit gateway, as describe-transit-gateway-attachments tells."""
    table_attachments: dict[str, set[str]] = field(default_factory=dict)
    """Table id -> attachments that get-transit-gateway-route-table-associations names."""
    propagations: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Table id -> attachment id -> its kind, as get-transit-gateway-route-table-propagations names them."""
    routes: dict[str, RoutesPart] = field(default_factory=dict)
    static_routes: dict[str, RoutesPart] = field(default_factory=dict)
    list_routes: dict[str, dict[str, TransitGatewayRoute]] = field(default_factory=dict)
    """Table id -> prefix list id -> the route that refers to it."""


@dataclass
class BalancerParts:
    """What was read of load balancers: listeners, rules, attributes and targets are in answers of their own."""

    node_addresses: dict[str, set[IPAddress]] = field(default_factory=dict)
    listeners: dict[str, dict[str, ListenerPart]] = field(default_factory=dict)
    """Load balancer id -> listener id -> listener."""
    rules: dict[str, dict[tuple[int, str], ActionsPart]] = field(default_factory=dict)
    """Listener id -> (priority, rule id) -> where the rule leads."""
    cross_zone: dict[str, bool | None] = field(default_factory=dict)
    """Load balancer id, or a Classic one's name -> its attribute."""
    group_attributes: dict[str, dict[str, bool | None]] = field(default_factory=dict)
    targets: dict[str, dict[tuple[str, int, str], Target]] = field(default_factory=dict)
    """Target group id -> (target id, port, zone) -> target."""
    classic: dict[tuple[str, str], tuple[ClassicLoadBalancerAnswer, Scope, str]] = field(default_factory=dict)
    """(name, VPC id) -> Classic Load Balancer, where it was described."""


@dataclass
class Collector:
    """What was read so far. `origins` says where each record came from: id -> file and JSON path."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    group_rules: dict[str, list[SecurityGroupRule]] = field(default_factory=dict)
    group_parts: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    """Group id -> whether its IpPermissions, its IpPermissionsEgress are described."""
    rows: dict[str, dict[str, SecurityGroupRule]] = field(default_factory=dict)
    row_owners: dict[str, str | None] = field(default_factory=dict)
    embedded: dict[str, NetworkInterface] = field(default_factory=dict)
    first_devices: dict[str, set[str]] = field(default_factory=dict)
    """Instance id -> interfaces that are attached to it as device 0."""
    elastic: dict[ElasticAddress, str] = field(default_factory=dict)
    options: dict[BlockPublicAccessOptions, bool] = field(default_factory=dict)
    exclusions: dict[BlockPublicAccessExclusion, bool] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    owners: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """(account of the folder, owner of the record) -> ids, where they differ."""
    views: dict[str, str | None] = field(default_factory=dict)
    """Record id -> whether its owner or a participant described it, as far as folders tell."""
    group_vpcs: dict[str, set[str]] = field(default_factory=dict)
    """Group id -> the further VPCs it is associated with (SG-27)."""
    partly_known_vpcs: set[str] = field(default_factory=set)
    """Made-up VPCs of which not all CIDRs are known."""
    balancers: BalancerParts = field(default_factory=BalancerParts)
    transit: TransitParts = field(default_factory=TransitParts)
    list_entries: dict[str, list[tuple[tuple[IPNetwork, ...], str]]] = field(default_factory=dict)
    """Prefix list id -> (entries, where) of each page of its entries."""
    pages: Pages = field(default_factory=Pages)
    """Pages of answers about one thing, by its id."""
    files: Pages = field(default_factory=Pages)
    """Pages of answers about many, by folder."""
    cut_files: list[tuple[str, str, str, tuple[str, ...]]] = field(default_factory=list)
    """(name, folder, token's key, keys) of files that say more pages follow."""
    partly: set[tuple[str, str]] = field(default_factory=set)
    """(key, VPC id) where a record of that VPC, or of any ("*"), was left out or does not say what it belongs to."""
    keys: set[str] = field(default_factory=set)
    other: dict[str, list[Any]] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def issue(self, severity: str, code: str, resource: str, message: str, source: str = "") -> None:
        self.issues.append(Issue(severity, code, resource, message, source))

    def is_partial(self, key: str, record_id: str) -> bool:
        """Whether pages of `key` are missing where a record was described; anywhere, for one that was not."""
        origin = self.origins.get(record_id)
        return self.files.is_partial(key, None if origin is None else folder_of(origin.partition(": $")[0]))

    def keep(self, table: str, record_id: str, record: Any, origin: str, *, view: str | None = None) -> bool:
        """Keeps a record, or fills what the one that has its id does not say; else, tags aside, they must be equal.

        `view`: "owner" or "participant" where a folder's account tells who asked. Participants of a shared subnet see
        less of its tables and ACLs, and zones by other names: what the owner sees goes first.
        """
        known = self.tables.setdefault(table, {})
        first = known.setdefault(record_id, record)
        if first is record:
            self.origins.setdefault(record_id, origin)
            self.views[record_id] = view
            return True
        before = self.views.get(record_id)
        if view == "owner" and before == "participant":
            known[record_id] = filled(record, first)
            self.origins[record_id], self.views[record_id] = origin, view
        elif view == "participant" and before == "owner":
            known[record_id] = filled(first, record)
        elif view == before == "participant" and hasattr(first, "subnet_ids"):
            subnet_ids = tuple(sorted({*first.subnet_ids, *record.subnet_ids}))
            known[record_id] = replace(filled(first, record), subnet_ids=subnet_ids)
        elif _compared(first, record) != _compared(record, first):
            known[record_id] = merged = filled(first, record)
            if _compared(filled(record, first), merged) != _compared(merged, record):
                self.differs(record_id, origin)
        return False

    def differs(self, record_id: str, origin: str) -> None:
        message = f"described differently in {self.origins.get(record_id, 'another file')}; the first is used"
        self.issue("warning", "duplicate", record_id, message, origin)


def folder_of(name: str) -> str:
    """The folder of a file: answers in it are pages of one another."""
    return name.rpartition("/")[0]


def _compared(record: Any, other: Any) -> Any:
    """A record without its tags, and without the name of a zone that both are in: each account has names of its own."""
    changes: dict[str, Any] = {"tags": {}} if getattr(record, "tags", None) else {}
    zone = getattr(record, "availability_zone_id", None)
    if zone and zone == getattr(other, "availability_zone_id", None):
        changes["availability_zone"] = None
    return replace(record, **changes) if changes else record


def filled(first: T, second: T) -> T:
    """The first record with its missing (None) fields taken from the second."""
    names = type(first).__dataclass_fields__  # type: ignore[attr-defined]
    missing = {name: getattr(second, name) for name in names if getattr(first, name) is None}
    return replace(first, **missing) if missing else first  # type: ignore[type-var]


# -- one function per top-level key: answer, scope, collector, origin ------------------------------------


def simple(table: str, build: Callable[..., Any], id_name: str) -> Callable[..., None]:
    def add(answer: Any, scope: Scope, found: Collector, origin: str) -> None:
        record_id, record = getattr(answer, id_name), build(answer, scope)
        if record is None:
            return
        owner = getattr(answer, "owner_id", None)
        view = ("owner" if owner == scope.account else "participant") if owner and scope.account else None
        found.keep(table, record_id, record, origin, view=view)
        if owner and scope.account and owner != scope.account:
            found.owners.setdefault((scope.account, owner), []).append(record_id)

    return add


_KEEP_INTERFACE = simple("interfaces", records.interface, "network_interface_id")


def _part(
    found: Collector, key: str, vpc_id: str, record_id: str, missing: Mapping[str, object], what: str, origin: str
) -> bool:
    """Whether fields are missing that AWS always prints, empty ones too: a dump of chosen fields (--query)."""
    names = [name for name, value in missing.items() if value is None]
    if names:
        found.partly.add((key, vpc_id))
        message = f"{' and '.join(names)} of it {'is' if len(names) == 1 else 'are'} missing, not empty: {what}"
        found.issue("error", "incomplete", record_id, message, origin)
    return bool(names)


def _add_associated(
    key: str, add: Callable[..., None], id_name: str, contents: str, use: str, noun: str
) -> Callable[..., None]:
    """NA-01, RT-01: a record that lacks what is in it is left out; without associations it is not known whose it is."""

    def add_whole(answer: Any, scope: Scope, found: Collector, origin: str) -> None:
        given = key, answer.vpc_id, getattr(answer, id_name)
        missing = {contents: getattr(answer, contents.lower())}
        if _part(found, *given, missing, f"it is not used, flows that {use} are UNKNOWN", origin):
            return
        what = f"flows of subnets that no other {noun} names are UNKNOWN"
        _part(found, *given, {"Associations": answer.associations}, what, origin)
        add(answer, scope, found, origin)

    return add_whole


def _add_gateway(key: str, table: str, build: Callable[..., Any], id_name: str) -> Callable[..., None]:
    """A gateway of which it is not said where it is attached is left out: it may be attached anywhere."""
    keep = simple(table, build, id_name)
    name, attribute = ("VpcAttachments", "vpc_attachments") if key == "VpnGateways" else ("Attachments", "attachments")

    def add(answer: Any, scope: Scope, found: Collector, origin: str) -> None:
        missing, what = {name: getattr(answer, attribute)}, "it is not used, flows through it may be UNKNOWN"
        if not _part(found, key, "*", getattr(answer, id_name), missing, what, origin):
            keep(answer, scope, found, origin)

    return add


def _add_group(answer: answers.SecurityGroupAnswer, scope: Scope, found: Collector, origin: str) -> None:
    group_id = answer.group_id
    owner = answer.owner_id or None
    tags = records.tags_of(answer.tags)
    group = SecurityGroup(group_id, answer.vpc_id or None, answer.group_name, (), owner, tags)
    expanded = rules.permission_rules(answer)
    if found.keep("security_groups", group_id, group, origin):
        found.group_rules[group_id] = expanded
        found.group_parts[group_id] = answer.ip_permissions is not None, answer.ip_permissions_egress is not None
    elif {rules.key_of(rule) for rule in expanded} != {rules.key_of(rule) for rule in found.group_rules[group_id]}:
        found.differs(group_id, origin)


def _add_row(answer: answers.SecurityGroupRuleAnswer, scope: Scope, found: Collector, origin: str) -> None:
    rule = rules.row_rule(answer)
    first = found.rows.setdefault(rule.group_id, {}).setdefault(rule.rule_id, rule)
    found.row_owners.setdefault(rule.group_id, answer.group_owner_id or None)
    if first is rule:
        found.origins.setdefault(rule.rule_id, origin)
        found.origins.setdefault(rule.group_id, origin)
    elif first != rule:
        found.differs(rule.rule_id, origin)


def keep_list(new: PrefixList, found: Collector, origin: str) -> None:
    """Keeps a prefix list, or fills what the one that has its id does not say."""
    lists: dict[str, PrefixList] = found.tables.setdefault("prefix_lists", {})
    old = lists.get(new.prefix_list_id, new)
    found.origins.setdefault(new.prefix_list_id, origin)
    lists[new.prefix_list_id] = merged = filled(old, new)
    if filled(new, old) != merged:
        found.differs(new.prefix_list_id, origin)


def _add_list(answer: answers.PrefixListAnswer, scope: Scope, found: Collector, origin: str) -> None:
    keep_list(records.prefix_list(answer, scope), found, origin)


def _add_list_entries(answer: answers.PrefixListEntriesAnswer, scope: Scope, found: Collector, origin: str) -> None:
    list_id = answer.prefix_list_id
    is_cut = scope.is_cut or bool(answer.next_token) or answer.entries is None
    found.pages.add("ManagedPrefixListEntries", list_id, is_cut, origin)
    found.list_entries.setdefault(list_id, []).append((records.prefix_list_entries(answer), origin))


def _add_interface(answer: answers.NetworkInterfaceAnswer, scope: Scope, found: Collector, origin: str) -> None:
    _KEEP_INTERFACE(answer, scope, found, origin)
    attached = answer.attachment
    if attached and attached.instance_id and attached.device_index == 0:
        found.first_devices.setdefault(attached.instance_id, set()).add(answer.network_interface_id)


def _add_instance(answer: answers.InstanceAnswer, scope: Scope, found: Collector, origin: str) -> None:
    found.keep("instances", answer.instance_id, records.instance(answer, scope), origin)
    for i, item in enumerate(answer.network_interfaces or ()):
        with records.below("NetworkInterfaces", i):
            new = records.interface(item, scope, answer)
        where = f"{origin}.NetworkInterfaces[{i}]"
        found.origins.setdefault(item.network_interface_id, where)
        if found.embedded.setdefault(item.network_interface_id, new) != new:
            found.differs(item.network_interface_id, where)


def _add_reservation(answer: answers.ReservationAnswer, scope: Scope, found: Collector, origin: str) -> None:
    for i, item in enumerate(answer.instances or ()):
        with records.below("Instances", i):
            _add_instance(item, scope, found, f"{origin}.Instances[{i}]")


def _add_address(answer: answers.AddressAnswer, scope: Scope, found: Collector, origin: str) -> None:
    elastic = records.elastic_address(answer, scope)
    if elastic is not None:
        found.elastic.setdefault(elastic, origin)


def _add_options(answer: answers.BlockOptionsAnswer, scope: Scope, found: Collector, origin: str) -> None:
    new = records.block_options(answer, scope)
    if any((old.region, old.account) == (new.region, new.account) and old != new for old in found.options):
        name = f"{new.account or 'any account'}/{new.region or 'any Region'}"
        found.issue("warning", "duplicate", name, "Block Public Access is described twice; the first is used", origin)
    else:
        found.options[new] = True


def _add_exclusion(answer: answers.BlockExclusionAnswer, scope: Scope, found: Collector, origin: str) -> None:
    found.exclusions[records.block_exclusion(answer, scope)] = True


#: Top-level key -> what puts one of its records into the collector.
BUILDERS: Mapping[str, Callable[[Any, Scope, Collector, str], None]] = MappingProxyType(
    {
        "Vpcs": simple("vpcs", records.vpc, "vpc_id"),
        "Subnets": simple("subnets", records.subnet, "subnet_id"),
        "RouteTables": _add_associated(
            "RouteTables",
            simple("route_tables", records.route_table, "route_table_id"),
            "route_table_id",
            "Routes",
            "take it",
            "route table",
        ),
        "NetworkAcls": _add_associated(
            "NetworkAcls",
            simple("network_acls", records.network_acl, "network_acl_id"),
            "network_acl_id",
            "Entries",
            "it judges",
            "network ACL",
        ),
        "SecurityGroups": _add_group,
        "SecurityGroupRules": _add_row,
        "PrefixLists": _add_list,
        "ManagedPrefixListEntries": _add_list_entries,
        "NetworkInterfaces": _add_interface,
        "Reservations": _add_reservation,
        "Instances": _add_instance,
        "Addresses": _add_address,
        "InternetGateways": _add_gateway(
            "InternetGateways", "internet_gateways", records.internet_gateway, "internet_gateway_id"
        ),
        "EgressOnlyInternetGateways": _add_gateway(
            "EgressOnlyInternetGateways",
            "egress_only_internet_gateways",
            records.egress_only_internet_gateway,
            "egress_only_internet_gateway_id",
        ),
        "VpnGateways": _add_gateway("VpnGateways", "vpn_gateways", records.vpn_gateway, "vpn_gateway_id"),
        "VpcBlockPublicAccessOptions": _add_options,
        "VpcBlockPublicAccessExclusions": _add_exclusion,
    }
)
