"""Auto Scaling groups and launch templates of a plan.

Their instances are those that AWS has tagged `aws:autoscaling:groupName`. What is started after apply has no address
yet; of what is said about later instances only a warning remains.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from ..model import Target
from .terraform_balancers import put_targets
from .terraform_classic import change_targets
from .terraform_values import Block, Overlay, Planned, is_open

__all__ = ["APPLY", "REMOVE"]

_TAG = "aws:autoscaling:groupName"
_LATER = ("vpc_security_group_ids", "network_interfaces", "security_groups", "associate_public_ip_address")
_PLACES = (
    "vpc_zone_identifier",
    "availability_zones",
    "launch_template",
    "launch_configuration",
    "mixed_instances_policy",
)


def _members(overlay: Overlay, name: str | None) -> tuple[str, ...]:
    """The instances of an Auto Scaling group."""
    table = overlay.draft.table("instances")
    return tuple(sorted(each.instance_id for each in table.values() if name and each.tags.get(_TAG) == name))


def _template(overlay: Overlay, planned: Planned) -> None:
    if planned.action == "update" and planned.changed(*_LATER):
        message = "it changes the network of instances that are started later; those that run are left as they are"
        overlay.note("warning", "not-modelled", planned.address, message)


def _kept(overlay: Overlay, planned: Planned) -> None:
    """A launch template that goes: those that run stay."""


def _group(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    if planned.made:
        message = "the instances it will start are not known: flows to and from them cannot be judged before"
        overlay.note("note", "known-after-apply", planned.address, message)
        for name, kind, change in _REGISTERS:
            named = new.references(name, kind)
            for each in overlay.possible(new, name)[0] if named is None else named:
                _started_later(overlay, planned, change, each)
        return
    members = _members(overlay, planned.id)
    if planned.changed(*_PLACES):
        message = "it changes where or how instances are started later; those that run are left as they are"
        overlay.note("warning", "not-modelled", planned.address, message)
    sizes = [size for name in ("max_size", "desired_capacity") if (size := new.number(name)) is not None]
    if planned.changed("max_size", "desired_capacity") and sizes and min(sizes) < len(members):
        message = (
            f"{len(members) - min(sizes)} of its {len(members)} instances will go; which ones is not known: all stay"
        )
        overlay.note("warning", "not-modelled", planned.address, message)
    for name, kind, change in _REGISTERS:
        if planned.changed(name):
            before = set(planned.old.texts(name)) if planned.old else set()
            after = new.references(name, kind)
            if after is None:
                overlay.undetermined(planned, f"{name} is known after apply: its instances stay where they are")
                continue
            for each in sorted(before - set(after)):
                change(overlay, planned, each, members, False)
            for each in sorted(set(after) - before):
                change(overlay, planned, each, members, True)


def _remove_group(overlay: Overlay, planned: Planned) -> None:
    """With an Auto Scaling group go its instances, their interfaces and their places in target groups."""
    draft, members = overlay.draft, _members(overlay, planned.old_id)
    for group in list(draft.table("target_groups").values()):
        if any(target.target_id in members for target in group.targets or ()):
            put_targets(overlay, group, [each for each in group.targets or () if each.target_id not in members])
    for instance_id in members:
        for interface_id in draft.get("instances", instance_id).interface_ids:
            draft.remove("interfaces", interface_id)
        draft.remove("instances", instance_id)


def _change_group(overlay: Overlay, planned: Planned, group_id: str, members: Collection[str], on: bool) -> None:
    """Registers the instances with a target group, or takes them out."""
    live = overlay.draft.get("target_groups", group_id)
    if live is None and members:
        overlay.not_there(planned, f"the targets of target group {group_id}")
    elif live is not None and live.targets is not None:
        others = [each for each in live.targets if each.target_id not in members or each.port not in (None, live.port)]
        put_targets(overlay, live, [*others, *(Target(each, live.port) for each in members if on)])


def _change_classic(overlay: Overlay, planned: Planned, name: str, members: Collection[str], on: bool) -> None:
    def changed(ids: set[str]) -> set[str]:
        return ids | set(members) if on else ids - set(members)

    change_targets(overlay, planned, name, changed)


#: Attributes of a group that name where its instances are targets, what they name, and how that is changed.
_REGISTERS = (
    ("target_group_arns", "target group", _change_group),
    ("load_balancers", "classic balancer", _change_classic),
)


def _started_later(overlay: Overlay, planned: Planned, change: Any, group_id: str) -> None:
    """Instances that a new group will start become targets: which those are is not known."""
    if change is _change_classic:
        change_targets(overlay, planned, group_id, lambda _: None)
        return
    for each in overlay.candidates(group_id) if is_open(group_id) else (group_id,):
        live = overlay.draft.get("target_groups", each)
        if live is None:
            overlay.not_there(planned, f"the targets of target group {each}")
        elif live.targets is not None:
            overlay.draft.put("target_groups", replace(live, targets=None))


def _is_made(overlay: Overlay, name: str | None) -> bool:
    """Whether the plan makes the Auto Scaling group of that name or made-up id."""
    groups = overlay.references.of_types(("aws_autoscaling_group",))
    return any(each.made and name is not None and name in (each.id, each.values.get("name")) for each in groups)


def _sources(block: Block) -> list[tuple[Any, str]]:
    """What an attachment ties a group to: (how to change it, which one)."""
    arns = ("lb_target_group_arn", "alb_target_group_arn")
    found: list[tuple[Any, str | None]] = [(_change_group, block.reference(name, "target group")) for name in arns]
    found.append((_change_classic, block.reference("elb", "classic balancer")))
    for source in block.blocks("traffic_source"):
        classic = source.text("type") == "elb"
        kind = "classic balancer" if classic else "target group"
        found.append((_change_classic if classic else _change_group, source.reference("identifier", kind)))
    return [(change, each) for change, each in found if each]


def _attachment(overlay: Overlay, planned: Planned) -> None:
    _change_attachment(overlay, planned, planned.new, True)


def _remove_attachment(overlay: Overlay, planned: Planned) -> None:
    _change_attachment(overlay, planned, planned.old, False)


def _change_attachment(overlay: Overlay, planned: Planned, block: Block | None, on: bool) -> None:
    assert block is not None
    name = block.reference("autoscaling_group_name", "scaling group")
    members, made = _members(overlay, name), on and _is_made(overlay, name)
    for change, each in _sources(block):
        if made:
            _started_later(overlay, planned, change, each)
        elif is_open(each):
            for group_id in overlay.candidates(each):  # one of these: what they hold is not known
                live = overlay.draft.get("target_groups", group_id)
                if live is not None and members:
                    overlay.draft.put("target_groups", replace(live, targets=None))
        elif members:
            change(overlay, planned, each, members, on)


APPLY = {
    "aws_launch_template": _template,
    "aws_launch_configuration": _template,
    "aws_autoscaling_group": _group,
    "aws_autoscaling_attachment": _attachment,
    "aws_autoscaling_traffic_source_attachment": _attachment,
}
REMOVE = {
    "aws_launch_template": _kept,
    "aws_launch_configuration": _kept,
    "aws_autoscaling_group": _remove_group,
    "aws_autoscaling_attachment": _remove_attachment,
    "aws_autoscaling_traffic_source_attachment": _remove_attachment,
}
