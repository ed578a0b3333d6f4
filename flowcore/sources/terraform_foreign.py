"""What a plan does with resources that are not modelled: whether that has to do with networks, and which target groups
they give targets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from .terraform_plan import Plan, ResourceChange, plain
from .terraform_references import KINDS, Instance, References, Unknown, module_path
from .terraform_values import merged

__all__ = ["filled_by_others", "touches_networks"]

#: Names of attributes that have to do with networks hold one of these.
_WORDS = (
    "subnet",
    "security_group",
    "vpc_config",
    "network_interface",
    "route",
    "cidr",
    "ip_address",
    "target_group",
    "load_balancer",
    "publicly_accessible",
)


def touches_networks(change: ResourceChange) -> bool:
    """Whether a change of a type that is not known has to do with networks: by the names of what it changes."""
    if not change.type.startswith(("aws_", "awscc_")):
        return False
    try:
        before, after = plain(change.change.before) or {}, plain(change.change.after) or {}
        unknown = plain(change.change.after_unknown) or {}
        names = set(_changed_names(before, after))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return True
    if isinstance(before, dict) and isinstance(unknown, dict):
        names |= {name for name, each in unknown.items() if each and before.get(name)}
    return any(word in name for name in names for word in _WORDS)


def _changed_names(before: Any, after: Any) -> Iterator[str]:
    """The names, at any depth, whose values differ and are not both empty."""
    if isinstance(before, list) or isinstance(after, list):
        before, after = (each if isinstance(each, list) else [] for each in (before, after))
        for one, other in zip_longest(before, after):
            yield from _changed_names(one, other)
    elif isinstance(before, dict) or isinstance(after, dict):
        before, after = (each if isinstance(each, dict) else {} for each in (before, after))
        for name in before.keys() | after.keys():
            if before.get(name) != after.get(name) and (before.get(name) or after.get(name)):
                yield name
                yield from _changed_names(before.get(name), after.get(name))


#: Types of the groups whose targets may come from resources that are not modelled.
_TARGET_GROUPS = frozenset({"aws_lb_target_group", "aws_alb_target_group"})
#: Attributes that tie something to a target group hold one of these in their names.
_FILLS = ("target_group", "load_balancer")


def filled_by_others(
    plan: Plan, references: References, instances: Iterable[Instance], modelled: Collection[str]
) -> dict[str, str]:
    """The new target groups that resources of other types than these name -> the address of one that does (LB-08).

    An ECS service registers its tasks, for one; which those are is not known.
    """
    made = {instance.id for instance in instances if instance.made and instance.type in _TARGET_GROUPS}
    found: dict[str, str] = {}
    for change in plan.changes if made else ():
        unknown = bytes(change.change.after_unknown)
        if change.mode != "managed" or change.type in modelled or not any(word.encode() in unknown for word in _FILLS):
            continue
        try:
            values = merged(plain(change.change.after), plain(change.change.after_unknown))
            paths = list(_unknown_groups(values, ()))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        modules = module_path(change.module_address)
        instance = Instance(change.address, modules, change.type, change.name, change.index, "", False, values or {})
        for path in paths:
            for group_id in references.follow(instance, path, KINDS["target group"]).candidates:
                if group_id in made:
                    found.setdefault(group_id, change.address)
    return found


def _unknown_groups(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The paths of what is not known and may name a target group."""
    if isinstance(value, Unknown):
        if any(word in str(step) for step in path for word in _FILLS):
            yield path
    elif isinstance(value, dict | list):
        for step, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unknown_groups(each, (*path, step))
