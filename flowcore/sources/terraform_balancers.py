"""Load balancers, listeners and target groups of a plan.

A new load balancer gets a node in each of its subnets, with an address that stands for whatever AWS will give it if
nothing tells the free addresses of the subnet apart. Where a listener's rules are not described, it may send elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from ..model import IPNetwork, Listener, ListenerRule, LoadBalancer, Target, TargetGroup
from .records_balancers import rules_by_client
from .standing import add_node
from .terraform_groups import default_group_of
from .terraform_interfaces import elastic_of, last_group_stays
from .terraform_values import Block, Overlay, Planned, is_open, made_up_id
from .terraform_vpcs import tags_of
from .values import BadValueError, ipv4_address, network

__all__ = ["APPLY", "REMOVE", "add_nodes", "moved", "put_targets", "regrouped", "vpc_of_subnets"]

#: A rule whose place among the others is known after apply stands behind them.
_LAST = 50001
_ANSWERS = frozenset({"redirect", "fixed-response"})


# -- load balancers ---------------------------------------------------------------------------------------


#: Kind of load balancer -> the type of its nodes' interfaces, and what their description begins with (LB-01).
_NODES = {
    "application": ("load_balancer", "ELB app/"),
    "network": ("network_load_balancer", "ELB net/"),
    "classic": ("classic_load_balancer", "ELB "),
}


def _balancer(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    subnets = _subnets(new)
    if planned.made:
        _make_balancer(overlay, planned, subnets)
        return
    live = draft.get("load_balancers", planned.id)
    if live is None:
        overlay.not_there(planned, f"load balancer {planned.id}")
        return
    if planned.changed("security_groups"):
        live = regrouped(overlay, planned, live)
    if planned.changed("enable_cross_zone_load_balancing"):
        live = replace(live, cross_zone=_cross_zone(new, live.kind))
    if planned.changed("subnets", "subnet_mapping"):
        live = moved(overlay, planned, live, subnets)
    draft.put("load_balancers", live)


def _make_balancer(overlay: Overlay, planned: Planned, subnets: tuple[str, ...] | None) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    kind = new.text("load_balancer_type") or "application"
    vpc_id = new.text("vpc_id") or vpc_of_subnets(overlay, subnets or ())
    groups = new.references("security_groups", "group")
    if groups == () and kind == "application":  # without groups AWS takes the VPC's default one
        default = default_group_of(overlay, vpc_id)
        groups = (default,) if default else None
    vpc = draft.get("vpcs", vpc_id)
    made = LoadBalancer(
        planned.id,
        new.text("name") or planned.address,
        kind,
        internet_facing=not new.flag("internal"),
        vpc_id=vpc_id,
        state="active",
        group_ids=groups or (),
        cross_zone=_cross_zone(new, kind),
        listeners=(),
        region=vpc.region if vpc else None,
        tags=tags_of(new),
    )
    made = add_nodes(overlay, planned, made, subnets, groups)
    draft.put("load_balancers", made)


def regrouped(overlay: Overlay, planned: Planned, live: LoadBalancer) -> LoadBalancer:
    """The load balancer and its nodes with the groups that the plan gives it."""
    assert planned.new is not None
    groups = planned.new.references("security_groups", "group")
    if groups == ():
        last_group_stays(overlay, planned, live.load_balancer_id)
        return live
    for node in live.interface_ids:
        if node in overlay.draft.table("interfaces"):
            overlay.draft.change_record("interfaces", node, group_ids=groups)
    return replace(live, group_ids=groups or ())


def vpc_of_subnets(overlay: Overlay, subnets: tuple[str, ...]) -> str | None:
    """The VPC that the subnets are in; None if they are in none that is described, or in several."""
    found = {each.vpc_id for name in subnets if (each := overlay.draft.get("subnets", name)) is not None}
    return found.pop() if len(found) == 1 else None


def _subnets(new: Block) -> tuple[str, ...] | None:
    mapped = [each for block in new.blocks("subnet_mapping") if (each := block.reference("subnet_id", "subnet"))]
    named = tuple(mapped) if mapped else new.references("subnets", "subnet")
    return None if named is None else tuple(sorted(named))


def add_nodes(
    overlay: Overlay,
    planned: Planned,
    balancer: LoadBalancer,
    subnets: tuple[str, ...] | None,
    groups: tuple[str, ...] | None,
) -> LoadBalancer:
    """The load balancer in these subnets too, with a node in each new one; None: which ones is not known (LB-01)."""
    assert planned.new is not None
    if subnets is None or any(is_open(each) for each in subnets):
        overlay.undetermined(planned, "its subnets are known after apply: flows at its nodes there are UNKNOWN")
    known = tuple(each for each in subnets or () if not is_open(each))
    node_ids = []
    if balancer.kind in _NODES:
        kind, prefix = _NODES[balancer.kind]
        given = {block.reference("subnet_id", "subnet"): block for block in planned.new.blocks("subnet_mapping")}
        for subnet_id in known:
            subnet = overlay.draft.get("subnets", subnet_id)
            if subnet_id in balancer.subnet_ids or subnet is None:
                continue
            private, public = _mapped(overlay, given.get(subnet_id))
            node_ids.append(f"{made_up_id(planned.address)}:node:{subnet_id}")
            addressed = add_node(
                overlay.draft, node_ids[-1], subnet, kind, groups, description=f"{prefix}{balancer.name}",
                private_address=private, public=balancer.internet_facing, public_address=public,
            )  # fmt: skip
            if not addressed:
                message = f"rules tell addresses of {subnet_id} apart: the node there has none until apply"
                overlay.undetermined(planned, message)
    else:
        overlay.undetermined(planned, "the addresses of its nodes are known after apply")
    return replace(
        balancer,
        subnet_ids=tuple(sorted({*balancer.subnet_ids, *known})),
        interface_ids=tuple(sorted({*balancer.interface_ids, *node_ids})),
    )


def _mapped(overlay: Overlay, mapping: Block | None) -> tuple[IPv4Address | None, IPv4Address | None]:
    """The addresses, private and public, that a subnet_mapping gives a node."""
    if mapping is None:
        return None, None
    text = mapping.text("private_ipv4_address")
    elastic = elastic_of(overlay, mapping.reference("allocation_id", "address"))
    return (
        ipv4_address(text, *mapping.path, "private_ipv4_address") if text else None,
        elastic.public_address if elastic else None,
    )


def _cross_zone(new: Block, kind: str) -> bool | None:
    if kind == "application" or not new.known("enable_cross_zone_load_balancing"):
        return None
    return new.flag("enable_cross_zone_load_balancing")


def moved(overlay: Overlay, planned: Planned, live: LoadBalancer, subnets: tuple[str, ...] | None) -> LoadBalancer:
    """The load balancer in these subnets: nodes elsewhere go, new subnets get one."""
    kept = live.interface_ids
    if subnets is not None and not any(is_open(each) for each in subnets):
        interfaces = ((node, overlay.draft.get("interfaces", node)) for node in live.interface_ids)
        gone = {node for node, interface in interfaces if interface is not None and interface.subnet_id not in subnets}
        for node in gone:
            overlay.draft.remove("interfaces", node)
        kept = tuple(each for each in live.interface_ids if each not in gone)
        live = replace(live, subnet_ids=tuple(each for each in live.subnet_ids if each in subnets))
    groups = next((i.group_ids for i in map(overlay.draft.table("interfaces").get, kept) if i), live.group_ids)
    return add_nodes(overlay, planned, replace(live, interface_ids=kept), subnets, groups)


def _remove_balancer(overlay: Overlay, planned: Planned) -> None:
    live = overlay.draft.get("load_balancers", planned.old_id)
    if live is None:
        overlay.not_there(planned, f"load balancer {planned.old_id}")
        return
    for node in live.interface_ids:
        overlay.draft.remove("interfaces", node)
    overlay.draft.remove("load_balancers", live.load_balancer_id)


# -- listeners --------------------------------------------------------------------------------------------


def _forwards(overlay: Overlay, block: Block, name: str) -> tuple[list[str], bool]:
    """Target groups that actions forward to, weight 0 left out unless all are 0 (AL-04), and whether one answers."""
    group_ids: list[str] = []
    answers = False
    for action in block.blocks(name):
        answers = answers or action.text("type") in _ANSWERS
        single = action.reference("target_group_arn", "target group")
        if single:
            group_ids.append(single)
        for forward in action.blocks("forward"):
            weighed = [
                (each.reference("arn", "target group") or "", each.number("weight"))
                for each in forward.blocks("target_group")
            ]
            heavy = [group_id for group_id, weight in weighed if weight != 0]
            group_ids += heavy or [group_id for group_id, _ in weighed]
    return list(dict.fromkeys(group_ids)), answers


def _listener_of(overlay: Overlay, listener_id: str | None) -> tuple[LoadBalancer, Listener] | None:
    for balancer in overlay.draft.table("load_balancers").values():
        for listener in balancer.listeners or ():
            if listener_id and listener.listener_id == listener_id:
                return balancer, listener
    return None


def _put_listener(overlay: Overlay, balancer: LoadBalancer, old: Listener | None, new: Listener | None) -> None:
    listeners = [each for each in balancer.listeners or () if each is not old and each != old]
    listeners += [new] if new else []
    ordered = tuple(sorted(listeners, key=lambda each: (each.port, each.protocol, each.listener_id)))
    overlay.draft.put("load_balancers", replace(balancer, listeners=ordered))


def _listener(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    port = new.number("port")
    if planned.made:
        balancer = draft.get("load_balancers", new.reference("load_balancer_arn", "balancer"))
        old = None
        if balancer is None:
            overlay.not_there(planned, f"a listener of load balancer {new.text('load_balancer_arn')}")
            return
    else:
        found = _listener_of(overlay, planned.id)
        if found is None:
            overlay.not_there(planned, f"listener {planned.id}")
            return
        balancer, old = found
    if not new.known("port") or not new.known("protocol"):
        overlay.undetermined(
            planned, "its port or protocol is known after apply: what the load balancer takes is UNKNOWN"
        )
        draft.put("load_balancers", replace(balancer, listeners=None))
        return
    if port is None:  # a Gateway Load Balancer's listener takes every port
        return
    if not 1 <= port <= 65535:
        raise BadValueError(port, "a port from 1 to 65535", "port")
    protocol = (new.text("protocol") or ("HTTP" if balancer.kind == "application" else "TCP")).upper()
    group_ids, answers = _forwards(overlay, new, "default_action")
    made = Listener(port, protocol, tuple(group_ids), planned.id, answers)
    if balancer.kind == "application":
        default = ListenerRule(made.target_group_ids, answers, new.known("default_action"), certain=True)
        if old is None:
            made = _with_rules(made, (default,))
        elif old.described_rules is not None:
            made = _with_rules(made, (*old.described_rules[:-1], default))
        else:  # which of the groups that there were its rules send to is not told apart
            made = replace(made, answers=answers or old.answers, complete=False)
    _put_listener(overlay, balancer, old, made)


def _with_rules(listener: Listener, rules: tuple[ListenerRule, ...]) -> Listener:
    """The listener with these rules, the default action last."""
    steps = (rules[-1], *rules[:-1])
    return replace(
        listener,
        target_group_ids=tuple(dict.fromkeys(group_id for step in steps for group_id in step.target_group_ids)),
        answers=any(step.answers for step in steps),
        complete=all(step.complete for step in steps),
        rules=rules_by_client(rules),
        described_rules=rules,
    )


def _remove_listener(overlay: Overlay, planned: Planned) -> None:
    found = _listener_of(overlay, planned.old_id)
    if found is None:
        overlay.not_there(planned, f"listener {planned.old_id}")
    else:
        _put_listener(overlay, *found, None)


def _rule(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    listener_id = new.reference("listener_arn", "listener")
    found = _listener_of(overlay, listener_id)
    if found is None:
        overlay.not_there(planned, f"a rule of listener {listener_id}")
        return
    balancer, listener = found
    made = _listener_rule(overlay, planned)
    if listener.described_rules is None:
        ids = tuple(dict.fromkeys((*listener.target_group_ids, *made.target_group_ids)))
        changed = replace(listener, target_group_ids=ids, answers=listener.answers or made.answers)
    else:
        *others, default = (r for r in listener.described_rules if not r.rule_id or r.rule_id != planned.old_id)
        ordered = sorted([*others, made], key=lambda rule: (rule.priority, rule.rule_id))
        changed = _with_rules(listener, (*ordered, default))
    _put_listener(overlay, balancer, listener, changed)


def _listener_rule(overlay: Overlay, planned: Planned) -> ListenerRule:
    """The rule that a plan says; of its conditions only source_ip is about the packet (AL-04)."""
    new = planned.new
    assert new is not None
    group_ids, answers = _forwards(overlay, new, "action")
    priority = new.number("priority")
    conditions = new.blocks("condition")
    sources = [source for block in conditions for source in block.blocks("source_ip")]
    blocks: tuple[IPNetwork, ...] | None = None
    told = new.known("condition") and all(source.all_known("values") for source in sources)
    if len(sources) == 1 and told:
        texts = sources[0].texts("values")
        blocks = tuple(network(text, *sources[0].path, "values", i) for i, text in enumerate(texts))
    elif not told:
        overlay.undetermined(planned, "its conditions are known after apply: it may be for any client")
    others = any(value for block in conditions for name, value in block.values.items() if name != "source_ip")
    certain = blocks is not None and len(conditions) == 1 and not others and priority is not None
    place = _LAST if priority is None else priority
    return ListenerRule(tuple(group_ids), answers, new.known("action"), blocks, certain, planned.id, place)


def _remove_rule(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    found = _listener_of(overlay, old.text("listener_arn"))
    if found is None:
        overlay.not_there(planned, f"a rule of listener {old.text('listener_arn')}")
        return
    balancer, listener = found
    rules = listener.described_rules
    if rules is None:
        overlay.undetermined(planned, "the rules of its listener are not described: it may send elsewhere too")
        _put_listener(overlay, balancer, listener, replace(listener, complete=False))
    elif not any(rule.rule_id and rule.rule_id == planned.old_id for rule in rules):
        overlay.not_there(planned, f"rule {planned.old_id}")
    else:
        kept = tuple(rule for rule in rules if rule.rule_id != planned.old_id)
        _put_listener(overlay, balancer, listener, _with_rules(listener, kept))


# -- target groups ----------------------------------------------------------------------------------------


def _switch(value: Any) -> bool | None:
    """true and false as the provider writes them: booleans or texts."""
    return {"true": True, "false": False}.get(str(value).lower())


def _group(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    if planned.made:
        kind, filler = new.text("target_type") or "instance", overlay.filled_by_others.get(planned.id)
        if filler:
            overlay.undetermined(planned, f"{filler} gives it its targets, which is not modelled: they are not known")
        made = TargetGroup(
            planned.id,
            kind,
            None if kind == "lambda" else new.text("protocol"),
            None if kind == "lambda" else new.number("port"),
            new.reference("vpc_id", "vpc"),
            _switch(new.values.get("preserve_client_ip")),
            _switch(new.values.get("load_balancing_cross_zone_enabled")),
            targets=None if filler else (),
            name=new.text("name"),
        )
        draft.put("target_groups", made)
        return
    live = draft.get("target_groups", planned.id)
    if live is None:
        overlay.not_there(planned, f"target group {planned.id}")
        return
    if planned.changed("preserve_client_ip"):
        live = replace(live, preserve_client_ip=_switch(new.values.get("preserve_client_ip")))
    if planned.changed("load_balancing_cross_zone_enabled"):
        live = replace(live, cross_zone=_switch(new.values.get("load_balancing_cross_zone_enabled")))
    draft.put("target_groups", live)


def _remove_group(overlay: Overlay, planned: Planned) -> None:
    if not overlay.draft.remove("target_groups", planned.old_id or ""):
        overlay.not_there(planned, f"target group {planned.old_id}")


def _target(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    group_id = new.reference("target_group_arn", "target group") or ""
    live = overlay.draft.get("target_groups", group_id)
    target_id = new.reference("target_id", "target") or ""
    if live is not None and group_id in overlay.filled_by_others:
        return
    if live is None or live.targets is None:
        overlay.not_there(planned, f"a target of target group {group_id}")
    elif is_open(target_id):
        overlay.draft.put("target_groups", replace(live, targets=None))
    else:
        made = Target(target_id, new.number("port"), new.text("availability_zone"))
        others = [each for each in live.targets if (each.target_id, each.port) != (made.target_id, made.port)]
        put_targets(overlay, live, [*others, made])


def put_targets(overlay: Overlay, group: TargetGroup, targets: list[Target]) -> None:
    """Gives a target group these targets."""
    ordered = tuple(sorted(targets, key=lambda each: (each.target_id, each.port or 0)))
    overlay.draft.put("target_groups", replace(group, targets=ordered))


def _remove_target(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    live = overlay.draft.get("target_groups", old.text("target_group_arn"))
    if live is None or live.targets is None:
        overlay.not_there(planned, f"a target of target group {old.text('target_group_arn')}")
        return
    ports = {old.number("port")} if old.number("port") is not None else {None, live.port}
    kept = [each for each in live.targets if each.target_id != old.text("target_id") or each.port not in ports]
    if len(kept) == len(live.targets):
        overlay.not_there(planned, f"target {old.text('target_id')}")
    put_targets(overlay, live, kept)


_BOTH: Mapping[str, tuple[Any, Any]] = {
    "lb": (_balancer, _remove_balancer),
    "lb_listener": (_listener, _remove_listener),
    "lb_listener_rule": (_rule, _remove_rule),
    "lb_target_group": (_group, _remove_group),
    "lb_target_group_attachment": (_target, _remove_target),
}
APPLY = {f"aws_{a}{name}": functions[0] for name, functions in _BOTH.items() for a in ("", "a")}
REMOVE = {f"aws_{a}{name}": functions[1] for name, functions in _BOTH.items() for a in ("", "a")}
