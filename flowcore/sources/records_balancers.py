"""Answers about load balancers as records, and as the parts that listeners and target groups are put together from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..model import IPAddress, IPNetwork, ListenerRule, LoadBalancer, Target, TargetGroup
from . import answers_between as answers
from .records import Scope, below, tags_of
from .records_between import one_of
from .values import BadValueError, address, ipv4_address, ipv6_address, network, region_of

__all__ = [
    "ActionsPart",
    "ListenerPart",
    "actions",
    "classic_groups",
    "classic_listener",
    "cross_zone",
    "listener",
    "load_balancer",
    "node_addresses",
    "priority",
    "rule",
    "rules_by_client",
    "switch",
    "target",
    "target_group",
]

PROTOCOLS = ("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC", "SSL", "GENEVE")
_GENEVE_PORT = 6081
_IP_ADDRESS_TYPES = ("ipv4", "ipv6")
_TARGET_TYPES = ("instance", "ip", "alb", "lambda")
#: Actions that end at the load balancer (AL-05), and those that come before the one that decides.
_ANSWERS = frozenset({"redirect", "fixed-response"})
_CHECKS = frozenset({"authenticate-oidc", "authenticate-cognito", "jwt-validation"})


@dataclass(frozen=True, slots=True)
class ActionsPart:
    """Where a list of actions leads: target groups in order, each once; an end at the load balancer (AL-04, AL-05)."""

    group_ids: tuple[str, ...] = ()
    answers: bool = False
    complete: bool = True
    client_cidr_blocks: tuple[IPNetwork, ...] | None = None
    """Of a rule: its source-ip condition."""
    certain: bool = False
    """Of a rule: it has no other condition."""


@dataclass(frozen=True, slots=True)
class ListenerPart:
    listener_id: str
    port: int
    protocol: str
    default: ActionsPart


def switch(text: str | None, *steps: str | int) -> bool | None:
    """An attribute's true and false; None where it leaves the choice to another one, or is not said."""
    if text in (None, "", "use_load_balancer_configuration"):
        return None
    if text not in ("true", "false"):
        raise BadValueError(text, "true, false or use_load_balancer_configuration", *steps)
    return text == "true"


def _port(number: int | None, *steps: str | int) -> int | None:
    if number is not None and not 1 <= number <= 65535:
        raise BadValueError(number, "a port from 1 to 65535", *steps)
    return number


def load_balancer(answer: answers.LoadBalancerAnswer, scope: Scope) -> LoadBalancer:
    """A load balancer of kind application, network or gateway: what Type says, whatever stands in the ARN."""
    arn = answer.load_balancer_arn
    zones = answer.availability_zones or ()
    return LoadBalancer(
        load_balancer_id=arn,
        name=answer.load_balancer_name or arn.rsplit("/", 2)[-2 if arn.count("/") > 1 else -1],
        kind=one_of(answer.type, ("application", "network", "gateway"), "Type"),
        internet_facing=answer.scheme == "internet-facing",
        vpc_id=answer.vpc_id or None,
        state=answer.state.code or None if answer.state else None,
        subnet_ids=tuple(sorted({zone.subnet_id for zone in zones if zone.subnet_id})),
        group_ids=tuple(dict.fromkeys(answer.security_groups or ())),
        region=scope.region or region_of(arn),
        owner_id=_account_of(arn) or scope.account,
        tags=tags_of(answer.tags),
    )


def _account_of(arn: str) -> str | None:
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 and parts[4].isdigit() else None


def node_addresses(answer: answers.LoadBalancerAnswer) -> set[IPAddress]:
    """Addresses of a Network Load Balancer's nodes, private and public."""
    found: set[IPAddress] = set()
    for i, zone in enumerate(answer.availability_zones or ()):
        for j, item in enumerate(zone.load_balancer_addresses or ()):
            steps = "AvailabilityZones", i, "LoadBalancerAddresses", j
            if item.private_ipv4_address:
                found.add(ipv4_address(item.private_ipv4_address, *steps, "PrivateIPv4Address"))
            if item.ip_address:
                found.add(address(item.ip_address, *steps, "IpAddress"))
            if item.ipv6_address:
                found.add(ipv6_address(item.ipv6_address, *steps, "IPv6Address"))
    return found


def cross_zone(answer: answers.LoadBalancerAttributesWrapper) -> bool | None:
    """load_balancing.cross_zone.enabled, or a Classic Load Balancer's CrossZoneLoadBalancing (LB-04)."""
    for i, item in enumerate(answer.attributes or ()):
        if item.key == "load_balancing.cross_zone.enabled":
            return switch(item.value, "Attributes", i, "Value")
    classic = answer.load_balancer_attributes or answer
    return classic.cross_zone_load_balancing.enabled if classic.cross_zone_load_balancing else None


# -- listeners -------------------------------------------------------------------------------------------


def listener(answer: answers.ListenerAnswer, scope: Scope) -> ListenerPart:
    """A listener without its rules. A Gateway Load Balancer's has neither port nor protocol (GW-01)."""
    name = answer.listener_arn or ""
    if answer.port is None and not answer.protocol:
        port, protocol = _GENEVE_PORT, "GENEVE"
    else:
        given = _port(answer.port, "Port")
        if given is None:
            raise BadValueError(None, "a port", "Port")
        port, protocol = given, one_of(answer.protocol or "", PROTOCOLS, "Protocol")
    resource = name or str(answer.load_balancer_arn)
    return ListenerPart(name, port, protocol, actions(answer.default_actions, scope, resource, "DefaultActions"))


def actions(items: list[answers.ActionAnswer] | None, scope: Scope, resource: str, *steps: str | int) -> ActionsPart:
    """Where a list of actions leads."""
    groups: dict[str, bool] = {}
    ends, complete = False, True
    for i, item in enumerate(items or ()):
        if item.type == "forward":
            groups |= dict.fromkeys(_forwarded(item, *steps, i), True)
        elif item.type in _ANSWERS:
            ends = True
        elif item.type not in _CHECKS:
            complete = False
            message = f"an action of type {item.type[:60]!r} is not known; it may lead to further target groups"
            scope.issue("warning", "invalid-value", resource, message)
    return ActionsPart(tuple(groups), ends, complete)


def _forwarded(item: answers.ActionAnswer, *steps: str | int) -> list[str]:
    """The target groups of a forward action, weight 0 left out unless all are 0 (AL-04)."""
    weighted = (item.forward_config.target_groups if item.forward_config else None) or []
    for i, group in enumerate(weighted):
        if group.weight is not None and not 0 <= group.weight <= 999:
            where = (*steps, "ForwardConfig", "TargetGroups", i, "Weight")
            raise BadValueError(group.weight, "a weight from 0 to 999", *where)
    if not weighted:
        return [item.target_group_arn] if item.target_group_arn else []
    used = [group.target_group_arn for group in weighted if group.weight != 0]
    return used or [group.target_group_arn for group in weighted]


def rules_by_client(rules: Sequence[ListenerRule]) -> tuple[ListenerRule, ...]:
    """The rules as `Listener.rules` has them: () where no client's address counts among them (AL-04)."""
    if all(each.client_cidr_blocks is None for each in rules):
        return ()
    return tuple(replace(each, rule_id="", priority=0) for each in rules)


def rule(answer: answers.RuleAnswer, scope: Scope, listener_id: str) -> ActionsPart:
    """Where a rule leads, and which clients: of all conditions only source-ip is about the packet (AL-04)."""
    part = actions(answer.actions, scope, answer.rule_arn or listener_id, "Actions")
    blocks: set[IPNetwork] | None = None
    certain = bool(answer.conditions)
    for i, item in enumerate(answer.conditions or ()):
        config = item.source_ip_config
        values = (config.values if config else None) or item.values or ()
        if item.tested != "source-ip" or not values:
            certain = False
            continue
        named = {network(value, "Conditions", i, "SourceIpConfig", "Values", j) for j, value in enumerate(values)}
        blocks = named if blocks is None else {block for one in blocks for block in _common(one, named)}
    if blocks is None:
        return part
    return replace(part, client_cidr_blocks=tuple(sorted(blocks, key=_order)), certain=certain)


def _common(one: IPNetwork, others: set[IPNetwork]) -> Iterable[IPNetwork]:
    """What a network has in common with each of `others`: of two that overlap one lies in the other."""
    for other in others:
        if one.version == other.version and one.overlaps(other):
            yield max(one, other, key=lambda each: each.prefixlen)


def _order(block: IPNetwork) -> tuple[int, int, int]:
    return block.version, int(block.network_address), block.prefixlen


def priority(answer: answers.RuleAnswer) -> int:
    """A rule's place in the order of its listener: the default rule's actions stand first, as the listener's own."""
    text = str(answer.priority if answer.priority is not None else "")
    if text == "default":
        return 0
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 6):
        raise BadValueError(answer.priority, "a priority: a number, or default", "Priority")
    return int(text)


# -- target groups ---------------------------------------------------------------------------------------


def target_group(answer: answers.TargetGroupAnswer, scope: Scope) -> TargetGroup:
    """A target group; its attributes and targets are in other answers."""
    kind = one_of(answer.target_type or "instance", _TARGET_TYPES, "TargetType")
    return TargetGroup(
        target_group_id=answer.target_group_arn,
        target_type=kind,
        protocol=one_of(answer.protocol, PROTOCOLS, "Protocol") if answer.protocol else None,
        port=_port(answer.port, "Port"),
        vpc_id=answer.vpc_id or None,
        health_check_port=_health_check_port(answer.health_check_port),
        health_check_protocol=answer.health_check_protocol or None,
        name=answer.target_group_name or None,
        ip_address_type=one_of(answer.ip_address_type or "ipv4", _IP_ADDRESS_TYPES, "IpAddressType"),
    )


def _health_check_port(value: str | int | None) -> int | None:
    if value in (None, "", "traffic-port"):
        return None
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if not 1 <= number <= 65535:
        raise BadValueError(value, "a port from 1 to 65535, or traffic-port", "HealthCheckPort")
    return number


def target(answer: answers.TargetHealthDescription) -> Target:
    """A registered target with its health."""
    item = answer.target
    return Target(
        target_id=item.id,
        port=_port(item.port, "Target", "Port"),
        availability_zone=item.availability_zone or None,
        health=answer.target_health.state or None if answer.target_health else None,
    )


# -- Classic Load Balancers ------------------------------------------------------------------------------


def classic_listener(item: answers.ClassicListenerDescription, group_id: str) -> ListenerPart:
    """A Classic Load Balancer's listener, which leads to the group made up for it."""
    port = _port(item.listener.load_balancer_port, "Listener", "LoadBalancerPort") or 0
    protocol = one_of(item.listener.protocol, PROTOCOLS, "Listener", "Protocol")
    return ListenerPart(group_id, port, protocol, ActionsPart((group_id,)))


def classic_groups(
    answer: answers.ClassicLoadBalancerAnswer, balancer_id: str
) -> Iterable[tuple[ListenerPart, TargetGroup]]:
    """Each listener with a target group made up of the instances behind it, which do not see the client's address."""
    targets = None
    if answer.instances is not None:
        targets = tuple(Target(name) for name in sorted({item.instance_id for item in answer.instances}))
    health_check = answer.health_check.target if answer.health_check else None
    check, _, rest = (health_check or "").partition(":")
    check_port = rest.partition("/")[0]
    for i, item in enumerate(answer.listener_descriptions or ()):
        with below("ListenerDescriptions", i):
            group_id = f"{balancer_id}:{item.listener.load_balancer_port}"
            part = classic_listener(item, group_id)
            port = _port(item.listener.instance_port, "Listener", "InstancePort")
            named = item.listener.instance_protocol or part.protocol
            protocol = one_of(named, PROTOCOLS, "Listener", "InstanceProtocol")
        yield (
            part,
            TargetGroup(
                target_group_id=group_id,
                protocol=protocol,
                port=port,
                vpc_id=answer.vpc_id or None,
                preserve_client_ip=False,
                health_check_port=int(check_port) if re.fullmatch("[0-9]{1,5}", check_port) else None,
                health_check_protocol=check or None,
                targets=targets,
                name=answer.load_balancer_name,
            ),
        )
