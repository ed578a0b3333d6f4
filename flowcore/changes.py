"""A network while it is being changed, and the list of what changed it.

`Draft` holds the records of a network; `put` and `remove` note which records and which rules each change touched,
so that a difference of verdicts can be traced to the change that made it. `finished` is a new Network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from .model import (
    ElasticAddress,
    Issue,
    Network,
    Vpc,
)

__all__ = ["ID_FIELDS", "KNOWN_AFTER_APPLY", "AttributeChange", "Change", "Draft"]

#: Stands for a value that only Terraform's apply will tell.
KNOWN_AFTER_APPLY = "(known after apply)"

#: Mapping of Network -> the field that is its key.
ID_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "vpcs": "vpc_id",
        "subnets": "subnet_id",
        "route_tables": "route_table_id",
        "network_acls": "network_acl_id",
        "security_groups": "group_id",
        "prefix_lists": "prefix_list_id",
        "interfaces": "interface_id",
        "instances": "instance_id",
        "internet_gateways": "gateway_id",
        "egress_only_internet_gateways": "gateway_id",
        "vpn_gateways": "gateway_id",
        "peering_connections": "peering_id",
        "nat_gateways": "nat_gateway_id",
        "transit_gateways": "transit_gateway_id",
        "transit_gateway_attachments": "attachment_id",
        "transit_gateway_route_tables": "route_table_id",
        "vpn_connections": "vpn_connection_id",
        "vpc_endpoints": "endpoint_id",
        "load_balancers": "load_balancer_id",
        "target_groups": "target_group_id",
    }
)

#: Records that routes lead to: when one goes, its routes become black holes (RT-13).
_TARGET_TABLES = frozenset(
    {
        "internet_gateways",
        "egress_only_internet_gateways",
        "vpn_gateways",
        "peering_connections",
        "nat_gateways",
        "transit_gateways",
        "vpc_endpoints",
        "interfaces",
        "instances",
    }
)


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """One attribute of a change: plain values, or KNOWN_AFTER_APPLY."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a network: a resource of a Terraform plan, or one edit."""

    name: str
    """The resource's address in the plan, or the edit's name."""
    kind: str
    """The resource's type, or the edit's verb and what it is about: "add route"."""
    action: str
    """create, update, delete or replace."""
    attributes: tuple[AttributeChange, ...] = ()
    """Those that differ, by name."""
    records: tuple[tuple[str, str], ...] = ()
    """(mapping of Network, id) of each record that was added, removed or replaced; sorted."""
    rules: tuple[str, ...] = ()
    """Rules, entries and routes added, removed or changed, named as in the rule columns of verdicts; sorted."""
    source: str = ""
    """File, and the place in it."""


@dataclass
class _Touched:
    records: set[tuple[str, str]] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)


class Draft:
    """The records of a network, open for changes; the network itself stays as it is."""

    def __init__(self, network: Network) -> None:
        self.base = network
        self.issues: list[Issue] = []
        self._tables: dict[str, dict[str, Any]] = {}
        self._singles: dict[str, Any] = {}
        self._touched: dict[str, _Touched] = {}
        self._current = _Touched()

    @contextmanager
    def change(self, name: str) -> Iterator[None]:
        """Everything done inside is noted as done by the change of that name."""
        before, self._current = self._current, self._touched.setdefault(name, _Touched())
        try:
            yield
        finally:
            self._current = before

    def touched(self, name: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Records and rules that the change of that name touched, as in `Change`."""
        touched = self._touched.get(name, _Touched())
        return tuple(sorted(touched.records)), tuple(sorted(touched.rules))

    def note(self, severity: str, code: str, resource: str, message: str, source: str = "") -> None:
        self.issues.append(Issue(severity, code, resource, message, source))

    # -- records ------------------------------------------------------------------------------------------

    def table(self, kind: str) -> Mapping[str, Any]:
        """The records of one mapping of Network as they are now."""
        found = self._tables.get(kind)
        return getattr(self.base, kind) if found is None else found

    def get(self, kind: str, record_id: str | None) -> Any:
        """The record, or None."""
        return self.table(kind).get(record_id or "")

    def put(self, kind: str, record: Any) -> None:
        """Adds a record or takes the place of the one with its id."""
        record_id = getattr(record, ID_FIELDS[kind])
        old = self.get(kind, record_id)
        if old != record:
            self._writable(kind)[record_id] = record
            self._note_touch(kind, record_id, old, record)

    def change_record(self, kind: str, record_id: str, **fields: Any) -> None:
        """Replaces fields of a record that exists."""
        self.put(kind, replace(self.get(kind, record_id), **fields))

    def remove(self, kind: str, record_id: str) -> bool:
        """Removes a record; routes that led to it become black holes. False: there was none."""
        old = self.get(kind, record_id)
        if old is None:
            return False
        del self._writable(kind)[record_id]
        self._note_touch(kind, record_id, old, None)
        if kind in _TARGET_TABLES:
            self.blackhole(record_id)
        return True

    def blackhole(self, target_id: str, vpc_id: str | None = None) -> None:
        """Routes to a target that is gone (in one VPC, or anywhere) become black holes (RT-13)."""
        for table in list(self.table("route_tables").values()):
            if vpc_id not in (None, table.vpc_id) or all(route.target_id != target_id for route in table.routes):
                continue
            routes = tuple(replace(r, blackhole=True) if r.target_id == target_id else r for r in table.routes)
            self.put("route_tables", replace(table, routes=routes))

    def _writable(self, kind: str) -> dict[str, Any]:
        if kind not in self._tables:
            self._tables[kind] = dict(getattr(self.base, kind))
        return self._tables[kind]

    def _note_touch(self, kind: str, record_id: str, old: Any, new: Any) -> None:
        self._current.records.add((kind, record_id))
        before, after = _rules_of(kind, old), _rules_of(kind, new)
        self._current.rules.update(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))

    # -- what is no mapping -------------------------------------------------------------------------------

    def single(self, name: str) -> Any:
        """`elastic_addresses`, `block_public_access` or `block_public_access_exclusions` as it is now."""
        return self._singles.get(name, getattr(self.base, name))

    def set_single(self, name: str, value: tuple[Any, ...], record_id: str) -> None:
        """Takes the place of such a tuple; `record_id` is what the change was about."""
        if value != self.single(name):
            self._singles[name] = value
            self._current.records.add((name, record_id))

    def public_address(self, interface_id: str | None, private: Any, public: Any) -> None:
        """Maps a public address to a private one of an interface (None: its primary); public None takes it away."""
        interface = self.get("interfaces", interface_id)
        if interface is None:
            return
        addresses = tuple(
            replace(own, public_address=public)
            if own.address.version == 4 and (own.address == private or (private is None and own.primary))
            else own
            for own in interface.addresses
        )
        self.put("interfaces", replace(interface, addresses=addresses))

    # -- the end ------------------------------------------------------------------------------------------

    def finished(self) -> Network:
        """The changed network; the very same object if nothing changed."""
        self._placeholders()
        changed: dict[str, Any] = {
            kind: MappingProxyType({key: table[key] for key in sorted(table)})
            for kind, table in self._tables.items()
            if table != getattr(self.base, kind)
        }
        for name, value in self._singles.items():
            ordered = tuple(sorted(value, key=_address_order)) if name == "elastic_addresses" else value
            if ordered != getattr(self.base, name):
                changed[name] = ordered
        return replace(self.base, **changed) if changed else self.base

    def _placeholders(self) -> None:
        """A VPC that is only named gets a record without CIDRs, as when a network is read."""
        vpcs = self.table("vpcs")
        for kind in ("subnets", "route_tables", "network_acls", "security_groups", "interfaces", "instances"):
            for record in self._tables.get(kind, {}).values():
                if record.vpc_id and record.vpc_id not in vpcs:
                    vpcs = self._writable("vpcs")
                    vpcs[record.vpc_id] = Vpc(record.vpc_id, described=False)
                    named_by = getattr(record, ID_FIELDS[kind])
                    message = f"the VPC is not described: its CIDRs are not known; named by {named_by}"
                    self.note("warning", "dangling-reference", record.vpc_id, message)


def _address_order(elastic: ElasticAddress) -> tuple[Any, ...]:
    return elastic.public_address, elastic.allocation_id or "", elastic.interface_id or "", str(elastic.private_address)


def _rules_of(kind: str, record: Any) -> dict[str, Any]:
    """Name in the rule columns -> what it says, for records that hold rules."""
    if record is None:
        return {}
    if kind == "security_groups":
        return {rule.rule_id: rule for rule in record.rules}
    if kind == "network_acls":
        return {
            f"{record.network_acl_id}#{entry.rule_number}": tuple(
                other for other in record.entries if other.rule_number == entry.rule_number
            )
            for entry in record.entries
        }
    if kind == "route_tables":
        return {f"{record.route_table_id} {route.destination}": route for route in record.routes}
    return {}
