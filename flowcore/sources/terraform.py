"""A Terraform plan over a network: what `terraform apply` would make of it.

The network stays what the snapshot says; only the deltas of `resource_changes` are laid over it, `planned_values` are
not read. docs/terraform.md says what is modelled and how what is not known yet is treated.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import msgspec

from ..changes import AttributeChange, Change, Draft
from ..errors import NetworkError
from ..model import Issue, Network
from . import (
    terraform_balancers,
    terraform_between,
    terraform_classic,
    terraform_groups,
    terraform_interfaces,
    terraform_routes,
    terraform_scaling,
    terraform_transit,
    terraform_vpcs,
    terraform_vpn,
)
from .checks import check
from .collect import Collector, sort_issues
from .terraform_foreign import filled_by_others, touches_networks
from .terraform_kinds import LEAVES, RANKS, is_network_type, not_modelled
from .terraform_plan import Plan, ResourceChange, plain, read_plan_file
from .terraform_references import KINDS, Instance, References, module_path
from .terraform_values import Ambiguity, Block, Overlay, Planned, made_up_id, merged, plain_value
from .values import BadValueError

__all__ = ["PlannedNetwork", "apply_plan", "overlay", "read_plan"]

_PARTS: tuple[Any, ...] = (
    terraform_groups,
    terraform_routes,
    terraform_vpcs,
    terraform_interfaces,
    terraform_between,
    terraform_transit,
    terraform_vpn,
    terraform_balancers,
    terraform_classic,
    terraform_scaling,
)
_APPLY: dict[str, Any] = {name: function for part in _PARTS for name, function in part.APPLY.items()}
_REMOVE: dict[str, Any] = {name: function for part in _PARTS for name, function in part.REMOVE.items()}

#: Resources that add rules to another one: type -> (attribute that names it, what that is).
_ADDS_TO = {
    "aws_security_group_rule": ("security_group_id", "group"),
    "aws_vpc_security_group_ingress_rule": ("security_group_id", "group"),
    "aws_vpc_security_group_egress_rule": ("security_group_id", "group"),
    "aws_network_acl_rule": ("network_acl_id", "acl"),
    "aws_route": ("route_table_id", "table"),
    "aws_ec2_managed_prefix_list_entry": ("prefix_list_id", "list"),
}
_ACTIONS = {
    ("no-op",): "none",
    ("read",): "none",
    ("forget",): "none",
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("create", "forget"): "create",
    ("forget", "create"): "create",
}


@dataclass(frozen=True)
class PlannedNetwork:
    """A network as a plan would leave it, with the changes that lead there. `flowcore diff` takes it as AFTER."""

    network: Network
    """Its issues list what the plan leaves open, what was not modelled and what the snapshot does not describe."""
    changes: tuple[Change, ...]
    """One a resource that the plan changes, in the plan's order; resources that no flow can meet are left out."""
    issues: tuple[Issue, ...]
    """Those that came with the plan."""
    ambiguities: tuple[Ambiguity, ...]
    """Values that the plan's JSON does not tell; what depends on them is UNKNOWN in `network`."""
    replaced: Mapping[str, str]
    """Id before -> made-up id after, of objects the plan replaces."""
    before: Network = field(repr=False)
    plan: Plan = field(repr=False)
    resources: tuple[_Resource, ...] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The address of each change."""
        return tuple(change.name for change in self.changes)

    def network_without(self, names: Collection[str]) -> Network:
        """The network if the plan did not change the resources of these addresses; all of them: the network before.

        Its issues are those of the description alone.
        """
        return _overlay(self.before, self.plan, self.resources, frozenset(names), {}, checked=False).network

    def variants(self, limit: int = 64) -> Iterator[Network]:
        """The network for every way the open values may turn out, at most `limit`; none if one could be anything.

        A flow that all of them judge alike is decided all the same.
        """
        open_values = self.ambiguities
        count = 1
        for ambiguity in open_values:
            count *= len(ambiguity.candidates)
        if not open_values or count > limit or not all(a.complete and a.candidates for a in open_values):
            return
        for chosen in product(*(ambiguity.candidates for ambiguity in open_values)):
            choices = {a.name: candidate for a, candidate in zip(open_values, chosen, strict=True)}
            yield _overlay(self.before, self.plan, self.resources, frozenset(), choices, checked=False).network


def apply_plan(network: Network, path: str | os.PathLike[str]) -> Network:
    """The network after a Terraform plan: `path` is what `terraform show -json PLANFILE` printed.

    What the plan's JSON does not tell is UNKNOWN, never guessed, and listed in `Network.issues` with the address of the
    resource, as is what is not modelled. A plan that changes nothing gives an equal network. Raises NetworkError for
    a file that is no plan, or a value in it that cannot be understood.
    """
    return read_plan(network, path).network


def read_plan(network: Network, path: str | os.PathLike[str]) -> PlannedNetwork:
    """As `apply_plan`, with the changes by resource address, and each of them can be undone by itself."""
    return overlay(network, read_plan_file(path))


def overlay(
    network: Network, plan: Plan, *, without: Collection[str] = (), choices: Mapping[str, str] | None = None
) -> PlannedNetwork:
    """The network with the plan's changes, but those of the addresses in `without`.

    `choices` settles ambiguities: `Ambiguity.name` -> the candidate to take.
    """
    resources = (_Resource(plan, i, change) for i, change in enumerate(plan.changes) if change.mode == "managed")
    relevant = tuple(resource for resource in resources if resource.relevant)
    return _overlay(network, plan, relevant, frozenset(without), choices or {}, checked=True)


def _overlay(
    network: Network,
    plan: Plan,
    resources: tuple[_Resource, ...],
    undone: frozenset[str],
    choices: Mapping[str, str],
    *,
    checked: bool,
) -> PlannedNetwork:
    instances = [r.instance(undone) for r in resources if r.remains(undone)]
    draft = Draft(network)
    shared = Overlay(draft, References(plan, instances), plan.path, choices, regions=plan.regions)
    shared.filled_by_others = filled_by_others(plan, shared.references, instances, _APPLY)
    shared.separate_rules = _separate_rules(shared, instances)
    todo = [r.planned(shared, undone) for r in resources if r.action != "none" and r.name not in undone]
    shared.replaced_ids = frozenset(p.old_id for p in todo if p.action in ("delete", "replace") and p.old_id)
    _notes(shared, plan)
    _apply_all(shared, plan, todo)
    after = draft.finished()
    issues: tuple[Issue, ...] = ()
    if checked:
        new, gone = _checked_issues(network, after)
        issues = sort_issues(draft.issues + new)
        kept = tuple(i for i in network.issues if (i.code, i.resource) not in gone and i not in issues)
        if kept + issues != network.issues:
            after = replace(after, issues=kept + issues)
    changed = [r for r in resources if r.action != "none" and r.modelled and r.name not in undone]
    made = tuple(_change(resource, draft, plan) for resource in changed)
    replaced = {p.old_id: p.id for p in todo if p.action == "replace" and p.old_id}
    ambiguities = tuple(shared.ambiguities.values())
    return PlannedNetwork(after, made, issues, ambiguities, replaced, network, plan, resources)


class _Resource:
    """One resource change, decoded as far as it matters."""

    def __init__(self, plan: Plan, number: int, change: ResourceChange) -> None:
        self.plan, self.number, self.change = plan, number, change
        self.address, self.type = change.address, change.type
        self.name = change.address + (f" (deposed {change.deposed})" if change.deposed else "")
        self.where = f"$.resource_changes[{number}]"
        actions = tuple(change.change.actions)
        self.modelled = change.type in _APPLY
        self.relevant = is_network_type(change.type) or change.type in _APPLY or not_modelled(change.type)
        if not self.relevant:
            return
        if actions not in _ACTIONS:
            raise NetworkError(
                "cannot be understood",
                source=plan.path,
                where=f"{self.where}.change.actions",
                found=list(actions),
                expected="no-op, read, create, update, delete, forget, or delete and create",
            )
        self.action = _ACTIONS[actions]
        self.deposed = change.deposed is not None
        if self.deposed and self.action != "none":
            self.action = "delete"
        self.before = self._side("before", change.change.before)
        unknown = self._side("after_unknown", change.change.after_unknown)
        self.after = merged(self._side("after", change.change.after), unknown) if self.action != "delete" else {}
        importing = change.change.importing.id if change.change.importing else None
        old_id = self.before.get("id")
        self.old_id = (old_id if isinstance(old_id, str) and old_id else importing) or None

    def remains(self, undone: frozenset[str]) -> bool:
        """Whether references can lead to it: it is there after apply."""
        if self.deposed:
            return False
        return self.action != "delete" or self.name in undone

    def _decoded(self, side: str, raw: msgspec.Raw) -> Any:
        try:
            return plain(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            where = f"{self.where}.change.{side}"
            raise NetworkError(f"cannot be read ({error})", source=self.plan.path, where=where) from None

    def _side(self, side: str, raw: msgspec.Raw) -> dict[str, Any]:
        value = self._decoded(side, raw)
        if value is None or (value is False and side == "after_unknown"):
            return {}
        if not isinstance(value, dict):
            where = f"{self.where}.change.{side}"
            raise NetworkError(
                "cannot be understood", source=self.plan.path, where=where, found=value, expected="an object or null"
            )
        return value

    def instance(self, undone: frozenset[str]) -> Instance:
        """The resource as references see it after apply."""
        made = self.action in ("create", "replace") and self.name not in undone
        values = self.before if self.name in undone else self.after
        known = values.get("id")
        if made and not (isinstance(known, str) and known):
            own_id = made_up_id(self.address)
        else:
            own_id = (known if isinstance(known, str) else None) or self.old_id or made_up_id(self.address)
        change = self.change
        modules = module_path(change.module_address)
        return Instance(self.address, modules, self.type, change.name, change.index, own_id, made, values)

    def planned(self, shared: Overlay, undone: frozenset[str]) -> Planned:
        """The change as the functions that apply it take it."""
        instance = self.instance(undone)
        old = Block(self.before, instance, shared) if self.before else None
        new = Block(self.after, instance, shared, before=self.before) if self.action != "delete" else None
        return Planned(self.name, self.action, instance, old, new, self.old_id, self.where, self.change.action_reason)


def _separate_rules(shared: Overlay, instances: list[Instance]) -> frozenset[str]:
    """Ids of the groups, ACLs, tables and lists that resources of their own add rules to."""
    found: set[str] = set()
    for instance in instances:
        if instance.type in _ADDS_TO:
            name, kind = _ADDS_TO[instance.type]
            value = instance.values.get(name)
            if isinstance(value, str):
                found.add(value)
            else:
                found.update(shared.references.follow(instance, (name,), KINDS[kind]).candidates)
    return frozenset(found)


def _apply_all(shared: Overlay, plan: Plan, todo: list[Planned]) -> None:
    """Rules and associations go first, then everything new and changed in the order things need each other, then
    the objects that go: a rule moved from one object to another is never there twice, nor lost.
    """
    known = [planned for planned in todo if planned.instance.type in _APPLY]
    rank = {id(planned): RANKS.get(planned.instance.type, 0) for planned in known}
    known.sort(key=lambda planned: (rank[id(planned)], planned.name))  # the order in the plan does not matter
    gone = [planned for planned in reversed(known) if planned.action in ("delete", "replace")]
    for planned in gone:
        if planned.instance.type in LEAVES:
            _run(shared, plan, planned, _REMOVE, "before")
    for planned in known:
        if planned.action != "delete":
            _run(shared, plan, planned, _APPLY, "after")
    for planned in gone:
        if planned.instance.type not in LEAVES:
            _run(shared, plan, planned, _REMOVE, "before")
    terraform_between.endpoints_without_group(shared)
    terraform_interfaces.keep_last_groups(shared)


def _run(shared: Overlay, plan: Plan, planned: Planned, functions: dict[str, Any], side: str) -> None:
    where = f"{planned.where}.change.{side}"
    if side == "before" and planned.old is None:
        raise NetworkError("cannot be understood", source=plan.path, where=where, expected="the values of what goes")
    try:
        with shared.at(planned.where), shared.draft.change(planned.name):
            functions[planned.instance.type](shared, planned)
    except BadValueError as bad:
        raise NetworkError(
            "cannot be understood",
            source=plan.path,
            where=f"{where}{bad.path}",
            found=bad.found,
            expected=bad.expected,
            hint=bad.hint,
        ) from None


def _change(resource: _Resource, draft: Draft, plan: Plan) -> Change:
    records, rules = draft.touched(resource.name)
    names = sorted(resource.before.keys() | resource.after.keys()) if resource.action != "delete" else ()
    attributes = tuple(
        AttributeChange(name, before, after)
        for name in names
        if (before := resource.before.get(name)) != (after := plain_value(resource.after.get(name)))
    )
    where = f"{plan.path}: {resource.where}"
    return Change(resource.name, resource.type, resource.action, attributes, records, rules, where)


def _notes(shared: Overlay, plan: Plan) -> None:
    """What the plan as a whole leaves out."""
    if plan.partial:
        message = f"partial plan: {'; '.join(plan.partial)}. What it leaves out may change flows too"
        shared.note("warning", "partial-plan", "plan", message)
    for address, reason in plan.deferred:
        shared.note(
            "warning", "partial-plan", address or "plan", f"its change is deferred ({reason or 'no reason given'})"
        )
    for i, change in enumerate(plan.drift):
        if change.type in _APPLY and tuple(change.change.actions) != ("no-op",):
            with shared.at(f"$.resource_drift[{i}]"):
                message = "what is live differs from Terraform's state; the snapshot counts"
                shared.note("note", "drift", change.address, message)
    for i, change in enumerate(plan.changes):
        changes = _ACTIONS.get(tuple(change.change.actions)) != "none" and change.mode == "managed"
        if changes and change.type not in _APPLY and (not_modelled(change.type) or touches_networks(change)):
            with shared.at(f"$.resource_changes[{i}]"):
                message = f"{change.type} is not modelled: what this change does to flows is not known"
                shared.note("warning", "not-modelled", change.address, message)


def _checked_issues(before: Network, after: Network) -> tuple[list[Issue], set[tuple[str, str]]]:
    """What the checks of a description find only in the planned network, and what they find no more."""
    if before is after:
        return [], set()
    old = {(issue.code, issue.resource) for issue in _checked(before)}
    found = _checked(after)
    new = [replace(issue, source="after the plan") for issue in found if (issue.code, issue.resource) not in old]
    return new, old - {(issue.code, issue.resource) for issue in found}


def _checked(network: Network) -> list[Issue]:
    found = Collector(keys=set(network.described_keys))
    check(network, found)
    return [issue for issue in found.issues if issue.code != "missing-file"]
