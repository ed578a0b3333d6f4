"""Changes of a network without Terraform: functions that return a new Network, and a small file of the same.

Each edit is a record (`AddRule`, `RemoveRoute` …) that a file spells as an object with the key `edit`, and for which
there is a function of one network: `add_rule(network, "sg-1", …)`. docs/edits.md lists them. An edit that does not fit
the network (an id it does not have, a rule that is there already) is a NetworkError, never passed over.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .changes import Change, Draft
from .edits_base import Edit, EditError
from .edits_file import decode_edits
from .edits_routes import (
    AddGatewayEndpoint,
    AddNatGateway,
    AddRoute,
    AssociateTable,
    AttachGateway,
    DetachGateway,
    RemoveGateway,
    RemoveRoute,
    ReplaceRoute,
)
from .edits_rules import (
    AddEntry,
    AddMember,
    AddRule,
    AssociateAcl,
    RemoveEntry,
    RemoveMember,
    RemoveRule,
    ReplaceEntry,
    ReplaceRule,
)
from .errors import NetworkError
from .model import Network

__all__ = [
    "AddEntry",
    "AddGatewayEndpoint",
    "AddMember",
    "AddNatGateway",
    "AddRoute",
    "AddRule",
    "AssociateAcl",
    "AssociateTable",
    "AttachGateway",
    "DetachGateway",
    "Edit",
    "EditedNetwork",
    "RemoveEntry",
    "RemoveGateway",
    "RemoveMember",
    "RemoveRoute",
    "RemoveRule",
    "ReplaceEntry",
    "ReplaceRoute",
    "ReplaceRule",
    "add_entry",
    "add_gateway_endpoint",
    "add_member",
    "add_nat_gateway",
    "add_route",
    "add_rule",
    "apply_edits",
    "associate_acl",
    "associate_table",
    "attach_gateway",
    "detach_gateway",
    "edit_network",
    "read_edits",
    "remove_entry",
    "remove_gateway",
    "remove_member",
    "remove_route",
    "remove_rule",
    "replace_entry",
    "replace_route",
    "replace_rule",
]


@dataclass(frozen=True)
class EditedNetwork:
    """A network with edits made, and each of them by name. `flowcore diff` takes it as AFTER."""

    network: Network
    changes: tuple[Change, ...]
    before: Network = field(repr=False)
    edits: tuple[Edit, ...] = field(repr=False)
    source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each edit; no name twice."""
        return tuple(change.name for change in self.changes)

    def network_without(self, names: Collection[str]) -> Network:
        """The network without these edits; all of them: the network before.

        An edit that only makes sense after one of these (a rule removed that was added before) is left out too.
        """
        return _edited(self.before, self.edits, self.source, frozenset(names)).network


def edit_network(network: Network, edits: Iterable[Edit], *, source: str = "edits") -> EditedNetwork:
    """The network with edits made in their order, with the list of changes. Raises NetworkError, naming the edit."""
    return _edited(network, tuple(edits), source, frozenset())


def apply_edits(network: Network, path: str | os.PathLike[str]) -> Network:
    """The network with the edits of a `.json` or `.toml` file made. Raises NetworkError with file and place."""
    return read_edits(network, path).network


def read_edits(network: Network, path: str | os.PathLike[str]) -> EditedNetwork:
    """As `apply_edits`, with the changes by name, and each of them can be undone by itself."""
    return edit_network(network, decode_edits(path), source=os.fspath(path))


def _edited(network: Network, edits: tuple[Edit, ...], source: str, without: frozenset[str]) -> EditedNetwork:
    draft = Draft(network)
    changes: list[Change] = []
    for i, (edit, name) in enumerate(zip(edits, _names(edits), strict=True)):
        if name in without:
            continue
        where = f"$.edits[{i}]"
        try:
            with draft.change(name):
                edit.make(draft)
        except EditError as bad:
            if without:
                continue
            raise NetworkError(
                f"{bad.message} ({edit.verb})",
                source=source,
                where=f"{where}.{bad.name}" if bad.name else where,
                found=bad.found,
                expected=bad.expected,
                hint=bad.hint,
            ) from None
        records, rules = draft.touched(name)
        action = {"add": "create", "attach": "create", "remove": "delete", "detach": "delete"}
        verb = action.get(edit.verb.partition(" ")[0], "update")
        changes.append(Change(name, edit.verb, verb, (), records, rules, f"{source}: {where}"))
    return EditedNetwork(draft.finished(), tuple(changes), network, edits, source)


def _names(edits: Sequence[Edit]) -> list[str]:
    """The name of each edit: its own, or what it does; a number behind one that was there before."""
    found: list[str] = []
    for edit in edits:
        name = base = edit.name or edit.label
        number = 2
        while name in found:
            name, number = f"{base} ({number})", number + 1
        found.append(name)
    return found


# -- one edit, as a function ------------------------------------------------------------------------------


def _one(network: Network, edit: Edit) -> Network:
    return edit_network(network, [edit], source=f"flowcore.edits: {edit.verb}").network


def add_rule(network: Network, group: str, **fields: Any) -> Network:
    """The network with one more security group rule; the fields are those of `AddRule`."""
    return _one(network, AddRule(group=group, **fields))


def remove_rule(network: Network, rule: str) -> Network:
    """The network without a security group rule, named by its id."""
    return _one(network, RemoveRule(rule=rule))


def replace_rule(network: Network, rule: str, **fields: Any) -> Network:
    """The network with fields of a security group rule changed; the fields are those of `ReplaceRule`."""
    return _one(network, ReplaceRule(rule=rule, **fields))


def add_entry(network: Network, acl: str, **fields: Any) -> Network:
    """The network with one more network ACL entry; the fields are those of `AddEntry`."""
    return _one(network, AddEntry(acl=acl, **fields))


def remove_entry(network: Network, acl: str, *, direction: str, number: int) -> Network:
    """The network without an entry of a network ACL."""
    return _one(network, RemoveEntry(acl=acl, direction=direction, number=number))


def replace_entry(network: Network, acl: str, **fields: Any) -> Network:
    """The network with the entry of that number and direction replaced; the fields are those of `ReplaceEntry`."""
    return _one(network, ReplaceEntry(acl=acl, **fields))


def add_route(network: Network, table: str, destination: str, target: str) -> Network:
    """The network with one more route; the destination is a CIDR or a prefix list id, the target an id or `local`."""
    return _one(network, AddRoute(table=table, destination=destination, target=target))


def remove_route(network: Network, table: str, destination: str) -> Network:
    """The network without the static route to a destination."""
    return _one(network, RemoveRoute(table=table, destination=destination))


def replace_route(network: Network, table: str, destination: str, target: str) -> Network:
    """The network with another target for a route."""
    return _one(network, ReplaceRoute(table=table, destination=destination, target=target))


def associate_table(
    network: Network, table: str | None, *, subnet: str | None = None, gateway: str | None = None
) -> Network:
    """The network with a subnet or a gateway under another route table; None: the main one, or none for a gateway."""
    return _one(network, AssociateTable(table=table, subnet=subnet, gateway=gateway))


def associate_acl(network: Network, acl: str, subnet: str) -> Network:
    """The network with a subnet under another network ACL."""
    return _one(network, AssociateAcl(acl=acl, subnet=subnet))


def attach_gateway(network: Network, gateway: str, vpc: str) -> Network:
    """The network with a gateway attached to a VPC; a new `igw-…`, `eigw-…` or `vgw-…` is made."""
    return _one(network, AttachGateway(gateway=gateway, vpc=vpc))


def detach_gateway(network: Network, gateway: str) -> Network:
    """The network with a gateway attached to nothing; routes to it become black holes."""
    return _one(network, DetachGateway(gateway=gateway))


def remove_gateway(network: Network, gateway: str) -> Network:
    """The network without a gateway, NAT gateway, peering connection or endpoint; routes to it become black holes."""
    return _one(network, RemoveGateway(gateway=gateway))


def add_nat_gateway(network: Network, gateway: str, subnet: str, **fields: Any) -> Network:
    """The network with one more NAT gateway; the fields are those of `AddNatGateway`."""
    return _one(network, AddNatGateway(gateway=gateway, subnet=subnet, **fields))


def add_gateway_endpoint(network: Network, endpoint: str, vpc: str, **fields: Any) -> Network:
    """The network with one more gateway endpoint and its routes; the fields are those of `AddGatewayEndpoint`."""
    return _one(network, AddGatewayEndpoint(endpoint=endpoint, vpc=vpc, **fields))


def add_member(network: Network, group: str, interface: str) -> Network:
    """The network with one more group on an interface."""
    return _one(network, AddMember(group=group, interface=interface))


def remove_member(network: Network, group: str, interface: str) -> Network:
    """The network with a group taken from an interface."""
    return _one(network, RemoveMember(group=group, interface=interface))
