"""Classic Load Balancers of a plan: their listeners and instances, as a target group a listener, as when described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..model import Listener, LoadBalancer, Target, TargetGroup
from .records_balancers import PROTOCOLS
from .terraform_balancers import add_nodes, moved, regrouped, vpc_of_subnets
from .terraform_groups import default_group_of
from .terraform_values import Overlay, Planned, is_open
from .terraform_vpcs import tags_of
from .values import BadValueError

__all__ = ["APPLY", "REMOVE", "change_targets"]

Targets = tuple[Target, ...] | None


def _find(overlay: Overlay, name: str | None) -> LoadBalancer | None:
    """The load balancer of that name, the id of aws_elb; of several that are called alike, none."""
    table = overlay.draft.table("load_balancers")
    found = [each for each in table.values() if each.kind == "classic" and name in (each.name, each.load_balancer_id)]
    return found[0] if len(found) == 1 else None


def _balancer(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    subnets = new.references("subnets", "subnet")
    live = None if planned.made else _find(overlay, planned.id)
    if live is None and not planned.made:
        overlay.not_there(planned, f"Classic Load Balancer {planned.id}")
        return
    if live is None:
        live = _made(overlay, planned, subnets)
    else:
        if planned.changed("security_groups"):
            live = regrouped(overlay, planned, live)
        if planned.changed("subnets"):
            live = moved(overlay, planned, live, subnets)
        if planned.changed("cross_zone_load_balancing"):
            live = replace(live, cross_zone=new.flag("cross_zone_load_balancing", True))
    targets = _targets(overlay, live)
    if planned.changed("instances"):
        ids = new.references("instances", "instance")
        if ids is None or any(is_open(each) for each in ids):
            overlay.undetermined(planned, "its instances are known after apply: what its listeners reach is UNKNOWN")
            targets = None
        else:
            targets = tuple(Target(each) for each in sorted(ids))
    if planned.changed("listener"):
        live = _with_listeners(overlay, planned, live, targets)
    elif planned.changed("instances"):
        _put_targets(overlay, live, targets)
    draft.put("load_balancers", live)


def _made(overlay: Overlay, planned: Planned, subnets: tuple[str, ...] | None) -> LoadBalancer:
    new = planned.new
    assert new is not None
    vpc_id = vpc_of_subnets(overlay, subnets or ())
    vpc = overlay.draft.get("vpcs", vpc_id)
    groups = new.references("security_groups", "group")
    if groups == ():  # without groups AWS takes the VPC's default one
        default = default_group_of(overlay, vpc_id)
        groups = (default,) if default else None
    made = LoadBalancer(
        planned.id,
        new.text("name") or planned.address,
        "classic",
        internet_facing=not new.flag("internal"),
        vpc_id=vpc_id,
        group_ids=groups or (),
        cross_zone=new.flag("cross_zone_load_balancing", True),
        listeners=(),
        region=vpc.region if vpc else None,
        tags=tags_of(new),
    )
    return add_nodes(overlay, planned, made, subnets, groups)


def _targets(overlay: Overlay, balancer: LoadBalancer) -> Targets:
    """The instances behind the listeners; None: not known."""
    for group_id in (each for listener in balancer.listeners or () for each in listener.target_group_ids):
        group: TargetGroup | None = overlay.draft.get("target_groups", group_id)
        if group is not None:
            return group.targets
    return ()


def _with_listeners(overlay: Overlay, planned: Planned, balancer: LoadBalancer, targets: Targets) -> LoadBalancer:
    """The load balancer with the plan's listeners, and the groups that they lead to in place of those there were."""
    new, draft = planned.new, overlay.draft
    assert new is not None
    checks: dict[str, TargetGroup] = {}
    for group_id in (each for listener in balancer.listeners or () for each in listener.target_group_ids):
        if draft.get("target_groups", group_id) is not None:
            checks[group_id] = draft.get("target_groups", group_id)
            draft.remove("target_groups", group_id)
    blocks = new.blocks("listener")
    parts = ("lb_port", "lb_protocol", "instance_port", "instance_protocol")
    if not new.known("listener") or not all(block.known(name) for block in blocks for name in parts):
        overlay.undetermined(planned, "its listeners are known after apply: what it takes is UNKNOWN")
        return replace(balancer, listeners=None)
    listeners = []
    for block in blocks:
        ports = [block.number(name) for name in ("lb_port", "instance_port")]
        words = [(block.text(name) or "").upper() for name in ("lb_protocol", "instance_protocol")]
        for name, port in zip(("lb_port", "instance_port"), ports, strict=True):
            if port is None or not 1 <= port <= 65535:
                raise BadValueError(port, "a port from 1 to 65535", *block.path, name)
        for name, word in zip(("lb_protocol", "instance_protocol"), words, strict=True):
            if word not in PROTOCOLS:
                raise BadValueError(word, ", ".join(sorted(PROTOCOLS)), *block.path, name)
        group_id = f"{balancer.load_balancer_id}:{ports[0]}"
        group = checks.get(group_id) or next(iter(checks.values()), TargetGroup(group_id))
        group = replace(
            group, target_group_id=group_id, protocol=words[1], port=ports[1], vpc_id=balancer.vpc_id,
            preserve_client_ip=False, targets=targets, name=balancer.name,
        )  # fmt: skip
        draft.put("target_groups", group)
        listeners.append(Listener(ports[0] or 0, words[0], (group_id,), group_id))
    ordered = sorted(listeners, key=lambda each: (each.port, each.protocol, each.listener_id))
    return replace(balancer, listeners=tuple(ordered))


def _put_targets(overlay: Overlay, balancer: LoadBalancer, targets: Targets) -> None:
    for group_id in (each for listener in balancer.listeners or () for each in listener.target_group_ids):
        if overlay.draft.get("target_groups", group_id) is not None:
            overlay.draft.change_record("target_groups", group_id, targets=targets)


def _remove_balancer(overlay: Overlay, planned: Planned) -> None:
    live = _find(overlay, planned.old_id)
    if live is None:
        overlay.not_there(planned, f"Classic Load Balancer {planned.old_id}")
        return
    for node in live.interface_ids:
        overlay.draft.remove("interfaces", node)
    for group_id in (each for listener in live.listeners or () for each in listener.target_group_ids):
        overlay.draft.remove("target_groups", group_id)
    overlay.draft.remove("load_balancers", live.load_balancer_id)


def _attach(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    name, instance_id = new.reference("elb", "classic balancer"), new.reference("instance", "instance") or ""
    change_targets(overlay, planned, name, lambda ids: None if is_open(instance_id) else ids | {instance_id})


def _detach(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    gone = old.text("instance")
    change_targets(overlay, planned, old.text("elb"), lambda ids: ids - {gone or ""})


def change_targets(
    overlay: Overlay, planned: Planned, name: str | None, change: Callable[[set[str]], set[str] | None]
) -> None:
    """Changes the set of instances behind a load balancer; None: they are not known any more."""
    live = _find(overlay, name)
    if live is None:
        overlay.not_there(planned, f"an instance of Classic Load Balancer {name}")
        return
    targets = _targets(overlay, live)
    if targets is not None:
        ids = change({each.target_id for each in targets})
        _put_targets(overlay, live, None if ids is None else tuple(Target(each) for each in sorted(ids)))


APPLY = {"aws_elb": _balancer, "aws_elb_attachment": _attach}
REMOVE = {"aws_elb": _remove_balancer, "aws_elb_attachment": _detach}
