"""Load balancers with their listeners and nodes, and target groups with their attributes and targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..model import Listener, ListenerRule, LoadBalancer, NetworkInterface, Target, TargetGroup
from .collect import Collector
from .records_balancers import ActionsPart, ListenerPart, classic_groups, rules_by_client
from .values import BadValueError, address

__all__ = ["settle_load_balancers"]

#: Kind of load balancer -> the type of its nodes' interfaces (LB-01).
_NODE_TYPES = {
    "application": "load_balancer",
    "network": "network_load_balancer",
    "gateway": "gateway_load_balancer",
    "classic": "classic_load_balancer",
}


def settle_load_balancers(found: Collector) -> None:
    """Puts together what several answers say of one load balancer or target group."""
    balancers: dict[str, LoadBalancer] = found.tables.setdefault("load_balancers", {})
    _settle_target_groups(found)
    for balancer_id, balancer in balancers.items():
        parts = found.balancers.listeners.get(balancer_id)
        listeners = None if parts is None else _sorted(_listener(found, balancer, part) for part in parts.values())
        cross_zone = found.balancers.cross_zone.get(balancer_id)
        balancers[balancer_id] = replace(balancer, listeners=listeners, cross_zone=cross_zone)
    _add_classic_balancers(found, balancers)
    _find_nodes(found, balancers)


def _sorted(listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    return tuple(sorted(listeners, key=lambda each: (each.port, each.protocol, each.listener_id)))


def _listener(found: Collector, balancer: LoadBalancer, part: ListenerPart) -> Listener:
    """A listener with its rules: only an Application Load Balancer's has more than default actions (NL-01)."""
    rules = found.balancers.rules.get(part.listener_id)
    steps: list[ActionsPart] = [part.default]
    ordered: list[tuple[int, str]] = []
    if balancer.kind == "application" and rules:
        steps += [rules[key] for key in sorted(rules)]
        ordered = [key for key in sorted(rules) if key[0]]
    described = [(rules[key], key) for key in ordered] if rules else []
    listener = Listener(
        port=part.port,
        protocol=part.protocol,
        target_group_ids=tuple(dict.fromkeys(group_id for step in steps for group_id in step.group_ids)),
        listener_id=part.listener_id,
        answers=any(step.answers for step in steps),
        complete=all(step.complete for step in steps) and (balancer.kind != "application" or rules is not None),
    )
    if balancer.kind != "application" or rules is None:
        return listener
    made = (
        ListenerRule(rule.group_ids, rule.answers, rule.complete, rule.client_cidr_blocks, rule.certain, rule_id, place)
        for rule, (place, rule_id) in described
    )
    default = ListenerRule(part.default.group_ids, part.default.answers, part.default.complete, certain=True)
    every = (*made, default)
    return replace(listener, rules=rules_by_client(every), described_rules=every)


def _settle_target_groups(found: Collector) -> None:
    groups: dict[str, TargetGroup] = found.tables.setdefault("target_groups", {})
    for group_id, group in groups.items():
        attributes = found.balancers.group_attributes.get(group_id, {})
        groups[group_id] = replace(
            group,
            preserve_client_ip=attributes.get("preserve_client_ip.enabled"),
            cross_zone=attributes.get("load_balancing.cross_zone.enabled"),
            targets=_targets(found, group),
        )


def _targets(found: Collector, group: TargetGroup) -> tuple[Target, ...] | None:
    """The targets of a group; None where one of them cannot be understood: what it reaches is not known then."""
    described = found.balancers.targets.get(group.target_group_id)
    if described is None:
        return None
    targets = [described[key] for key in sorted(described)]
    for target in targets:
        if group.target_type == "ip" and not _is_address(target.target_id):
            message = f"{target.target_id[:60]!r} is no IP address, though TargetType is ip; the targets are not used"
            found.issue("error", "invalid-value", group.target_group_id, message)
            return None
    return tuple(targets)


def _is_address(text: str) -> bool:
    try:
        address(text)
    except BadValueError:
        return False
    return True


def _add_classic_balancers(found: Collector, balancers: dict[str, LoadBalancer]) -> None:
    """Classic Load Balancers. A name that several VPCs (accounts, Regions) use is followed by the VPC."""
    classic = found.balancers.classic
    names = [name for name, _ in classic]
    groups: dict[str, TargetGroup] = found.tables["target_groups"]
    for (name, vpc_id), (answer, scope, origin) in classic.items():
        balancer_id = name if names.count(name) == 1 else f"{name}@{vpc_id or 'no-vpc'}"
        found.origins.setdefault(balancer_id, origin)
        made = list(classic_groups(answer, balancer_id))
        groups.update({group.target_group_id: group for _, group in made})
        listeners = _sorted(
            Listener(part.port, part.protocol, part.default.group_ids, part.listener_id) for part, _ in made
        )
        balancers[balancer_id] = LoadBalancer(
            load_balancer_id=balancer_id,
            name=name,
            kind="classic",
            internet_facing=answer.scheme == "internet-facing",
            vpc_id=vpc_id or None,
            subnet_ids=tuple(sorted(set(answer.subnets or ()))),
            group_ids=tuple(dict.fromkeys(answer.security_groups or ())),
            cross_zone=found.balancers.cross_zone.get(name),
            listeners=None if answer.listener_descriptions is None else listeners,
            region=scope.region,
            owner_id=scope.account,
        )


# -- nodes -----------------------------------------------------------------------------------------------


def _find_nodes(found: Collector, balancers: dict[str, LoadBalancer]) -> None:
    """The interfaces of each load balancer: those whose description names it, or that hold its nodes' addresses."""
    interfaces: dict[str, NetworkInterface] = found.tables.setdefault("interfaces", {})
    by_name: dict[str, list[LoadBalancer]] = {}
    by_address: dict[object, list[LoadBalancer]] = {}
    for balancer in balancers.values():
        by_name.setdefault(_name_on_nodes(balancer), []).append(balancer)
        if balancer.kind == "network":
            for node in found.balancers.node_addresses.get(balancer.load_balancer_id, ()):
                by_address.setdefault(node, []).append(balancer)
    nodes: dict[str, list[str]] = {}
    for interface in list(interfaces.values()):
        if interface.interface_type == "interface" and not interface.requester_managed:
            continue  # anyone can describe an own interface as a load balancer's
        named = by_name.get(_named_by(interface.description or ""), [])
        addressed = (balancer for value in _addresses(interface) for balancer in by_address.get(value, ()))
        for balancer in (*named, *addressed):
            if _together(balancer, interface):
                nodes.setdefault(balancer.load_balancer_id, []).append(interface.interface_id)
                kind = _NODE_TYPES[balancer.kind]
                if interface.interface_type in ("interface", *_NODE_TYPES.values()):
                    interfaces[interface.interface_id] = replace(interface, interface_type=kind)
                break
    for balancer_id, ids in nodes.items():
        balancers[balancer_id] = replace(balancers[balancer_id], interface_ids=tuple(sorted(ids)))


def _name_on_nodes(balancer: LoadBalancer) -> str:
    """NAME/ID out of the ARN: the word before them is not the kind everywhere (moto). A Classic one's name."""
    if balancer.kind == "classic":
        return balancer.name
    return "/".join(balancer.load_balancer_id.split("/")[-2:])


def _named_by(description: str) -> str:
    """The load balancer that an interface's description names: "ELB app/NAME/ID", "ELB NAME"."""
    if not description.startswith("ELB "):
        return ""
    return "/".join(description.removeprefix("ELB ").split("/")[-2:])


def _addresses(interface: NetworkInterface) -> Iterator[object]:
    for own in interface.addresses:
        yield own.address
        if own.public_address is not None:
            yield own.public_address


def _together(balancer: LoadBalancer, interface: NetworkInterface) -> bool:
    """Whether they may be in one VPC and Region."""
    return all(
        one is None or other is None or one == other
        for one, other in ((balancer.vpc_id, interface.vpc_id), (balancer.region, interface.region))
    )
