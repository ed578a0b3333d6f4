"""Puts the answers about load balancers into the collector, one function per top-level key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from . import answers_between as answers
from . import records_balancers as records
from .collect import Collector, simple
from .records import Scope, below

__all__ = ["BUILDERS"]


def _add_balancer(answer: answers.LoadBalancerAnswer, scope: Scope, found: Collector, origin: str) -> None:
    arn = answer.load_balancer_arn
    found.keep("load_balancers", arn, records.load_balancer(answer, scope), origin)
    found.balancers.node_addresses.setdefault(arn, set()).update(records.node_addresses(answer))


def _add_listener(answer: answers.ListenerAnswer, scope: Scope, found: Collector, origin: str) -> None:
    if not answer.load_balancer_arn:
        message = "a listener that does not name its load balancer is not used; wrap it as LoadBalancerListeners"
        scope.issue("warning", "incomplete", answer.listener_arn or "Listeners", message)
        return
    found.pages.add("Listeners", answer.load_balancer_arn, scope.is_cut, origin)
    _keep_listener(answer.load_balancer_arn, answer, scope, found, origin)


def _keep_listener(
    balancer_id: str, answer: answers.ListenerAnswer, scope: Scope, found: Collector, origin: str
) -> None:
    part = records.listener(answer, scope)
    listeners = found.balancers.listeners.setdefault(balancer_id, {})
    key = part.listener_id or f"{balancer_id} {part.protocol}:{part.port}"
    found.origins.setdefault(key, origin)
    if listeners.setdefault(key, part) != part:
        found.differs(key, origin)


def _add_listeners(answer: answers.ListenersWrapper, scope: Scope, found: Collector, origin: str) -> None:
    found.pages.add("Listeners", answer.load_balancer_arn, _is_cut(answer, scope), origin)
    found.balancers.listeners.setdefault(answer.load_balancer_arn, {})
    for i, item in enumerate(answer.listeners):
        with below("Listeners", i):
            _keep_listener(answer.load_balancer_arn, item, scope, found, f"{origin}.Listeners[{i}]")


def _add_rule(answer: answers.RuleAnswer, scope: Scope, found: Collector, origin: str) -> None:
    """A rule's ARN holds that of its listener: `…:listener-rule/app/NAME/ID/LISTENER/RULE`."""
    place, word, rest = (answer.rule_arn or "").partition(":listener-rule/")
    if not word or "/" not in rest:
        message = "a rule without RuleArn does not name its listener, it is not used; wrap it as LoadBalancerRules"
        scope.issue("warning", "incomplete", answer.rule_arn or "Rules", message)
        return
    listener_id = f"{place}:listener/{rest.rpartition('/')[0]}"
    found.pages.add("Rules", listener_id, scope.is_cut, origin)
    _keep_rule(listener_id, answer, scope, found, origin)


def _keep_rule(listener_id: str, answer: answers.RuleAnswer, scope: Scope, found: Collector, origin: str) -> None:
    rules = found.balancers.rules.setdefault(listener_id, {})
    key = records.priority(answer), answer.rule_arn or ""
    part = records.rule(answer, scope, listener_id)
    if rules.setdefault(key, part) != part:
        found.differs(answer.rule_arn or listener_id, origin)
    found.origins.setdefault(answer.rule_arn or listener_id, origin)


def _add_rules(answer: answers.RulesWrapper, scope: Scope, found: Collector, origin: str) -> None:
    found.pages.add("Rules", answer.listener_arn, _is_cut(answer, scope), origin)
    found.balancers.rules.setdefault(answer.listener_arn, {})
    for i, item in enumerate(answer.rules):
        with below("Rules", i):
            _keep_rule(answer.listener_arn, item, scope, found, origin)


def _is_cut(answer: answers.ListenersWrapper | answers.RulesWrapper, scope: Scope) -> bool:
    """Whether more pages follow. The CLI's own token (--max-items) stands beside AWS's."""
    return scope.is_cut or bool(answer.next_marker or answer.next_token)


def _add_attributes(answer: answers.LoadBalancerAttributesWrapper, scope: Scope, found: Collector, origin: str) -> None:
    name = answer.load_balancer_arn or answer.load_balancer_name
    if not name:
        message = "the attributes do not name their load balancer: not used; add LoadBalancerArn or LoadBalancerName"
        scope.issue("warning", "incomplete", "LoadBalancerAttributes", message)
        return
    value = records.cross_zone(answer)
    if found.balancers.cross_zone.setdefault(name, value) != value:
        found.differs(name, origin)


def _add_group_attributes(
    answer: answers.TargetGroupAttributesWrapper, scope: Scope, found: Collector, origin: str
) -> None:
    known = found.balancers.group_attributes.setdefault(answer.target_group_arn, {})
    for i, item in enumerate(answer.attributes):
        if item.key in ("preserve_client_ip.enabled", "load_balancing.cross_zone.enabled"):
            value = records.switch(item.value, "Attributes", i, "Value")
            if known.setdefault(item.key, value) != value:
                found.differs(answer.target_group_arn, origin)


def _add_health(answer: answers.TargetHealthWrapper, scope: Scope, found: Collector, origin: str) -> None:
    targets = found.balancers.targets.setdefault(answer.target_group_arn, {})
    for i, item in enumerate(answer.target_health_descriptions):
        with below("TargetHealthDescriptions", i):
            target = records.target(item)
        targets.setdefault((target.target_id, target.port or 0, target.availability_zone or ""), target)


def _add_classic(answer: answers.ClassicLoadBalancerAnswer, scope: Scope, found: Collector, origin: str) -> None:
    """Its name is a key only within its VPC (and account and Region)."""
    name = answer.load_balancer_name
    known = found.balancers.classic.setdefault((name, answer.vpc_id or ""), (answer, scope, origin))
    if known[0] != answer:
        found.differs(name, origin)
    found.origins.setdefault(name, origin)
    list(records.classic_groups(answer, name))  # what cannot be understood is to be found while the place is known


#: Top-level key -> what puts one of its records into the collector.
BUILDERS: Mapping[str, Callable[[Any, Scope, Collector, str], None]] = MappingProxyType(
    {
        "LoadBalancers": _add_balancer,
        "Listeners": _add_listener,
        "LoadBalancerListeners": _add_listeners,
        "Rules": _add_rule,
        "LoadBalancerRules": _add_rules,
        "LoadBalancerAttributes": _add_attributes,
        "TargetGroups": simple("target_groups", records.target_group, "target_group_arn"),
        "TargetGroupAttributes": _add_group_attributes,
        "LoadBalancerTargetHealth": _add_health,
        "LoadBalancerDescriptions": _add_classic,
    }
)
