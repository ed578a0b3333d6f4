"""Follows what a plan does not know yet through `configuration`: which objects an expression refers to.

An unknown value is traced from its expression over variables, module outputs, `each.value` and other resources'
attributes to the resources it may come from. What the JSON has lost is kept open: locals and dynamic blocks are not in
it, an index that is computed is dropped from a reference. The answer is a set of candidates, never a guess; the
one heuristic is that `count.index` and `each.key` beside a reference select the instance of the same index.

Of a list that is unknown as a whole, what is known counts too: constants, variables, other resources' values. What the
JSON does not tell of it leaves the answer incomplete, and so does a condition beside ids that are known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .terraform_plan import ConfiguredModule, ConfiguredResource, Plan

__all__ = ["KINDS", "UNKNOWN", "Instance", "Kind", "Reference", "References", "Unknown", "module_path"]

Key = str | int | None
Modules = tuple[tuple[str, Key], ...]
Tokens = tuple[tuple[str | int, bool], ...]
"""(token, is an index) of a reference; splats are left out."""

_TOKEN = re.compile(r'\.?([^.\[\]"]+)|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\.?\[\*\]|\.\*')
_CONTEXT = frozenset({"each", "count", "path", "terraform", "self"})
_MAX_DEPTH = 40


class Unknown:
    """The type of UNKNOWN: a value that only apply will tell."""

    def __repr__(self) -> str:
        return "(known after apply)"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Kind:
    """What an attribute may refer to: resources of some types by their id, and attributes that hold such an id."""

    types: frozenset[str]
    attributes: frozenset[str] = frozenset()
    ids: re.Pattern[str] | None = None
    """How AWS's ids of it begin; None: they cannot be told from other texts."""


def _kind(types: str, attributes: str = "", ids: str | None = None) -> Kind:
    names = frozenset(f"aws_{name}" for name in types.split())
    return Kind(names, frozenset(attributes.split()), re.compile(ids) if ids else None)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "vpc": _kind("vpc default_vpc", "vpc_id peer_vpc_id"),
        "subnet": _kind("subnet default_subnet", "subnet_id subnet_ids subnets", "subnet-"),
        "group": _kind(
            "security_group default_security_group",
            "security_group_id security_groups security_group_ids vpc_security_group_ids source_security_group_id "
            "referenced_security_group_id default_security_group_id",
            r"([0-9]{12}/)?sg-",
        ),
        "acl": _kind("network_acl default_network_acl", "network_acl_id default_network_acl_id"),
        "table": _kind(
            "route_table default_route_table",
            "route_table_id route_table_ids main_route_table_id default_route_table_id original_route_table_id",
            "rtb-",
        ),
        "gateway": _kind("internet_gateway vpn_gateway", "gateway_id internet_gateway_id vpn_gateway_id"),
        "internet gateway": _kind("internet_gateway", "internet_gateway_id"),
        "egress-only gateway": _kind("egress_only_internet_gateway", "egress_only_gateway_id"),
        "vpn gateway": _kind("vpn_gateway", "vpn_gateway_id", "vgw-"),
        "nat": _kind("nat_gateway", "nat_gateway_id"),
        "interface": _kind(
            "network_interface", "network_interface_id primary_network_interface_id network_interface_ids"
        ),
        "instance": _kind("instance spot_instance_request", "instance_id spot_instance_id", "i-"),
        "address": _kind("eip", "allocation_id"),
        "peering": _kind(
            "vpc_peering_connection vpc_peering_connection_accepter vpc_peering_connection_options",
            "vpc_peering_connection_id",
        ),
        "list": _kind("ec2_managed_prefix_list", "prefix_list_id destination_prefix_list_id", "pl-"),
        "endpoint": _kind("vpc_endpoint", "vpc_endpoint_id"),
        "transit gateway": _kind("ec2_transit_gateway", "transit_gateway_id"),
        "transit table": _kind(
            "ec2_transit_gateway_route_table",
            "transit_gateway_route_table_id association_default_route_table_id propagation_default_route_table_id",
        ),
        "attachment": _kind(
            "ec2_transit_gateway_vpc_attachment ec2_transit_gateway_vpc_attachment_accepter "
            "ec2_transit_gateway_peering_attachment ec2_transit_gateway_peering_attachment_accepter "
            "ec2_transit_gateway_connect",
            "transit_gateway_attachment_id",
        ),
        "vpn connection": _kind("vpn_connection", "vpn_connection_id"),
        "balancer": _kind("lb alb", "load_balancer_arn"),
        "classic balancer": _kind("elb", "elb load_balancers"),
        "scaling group": _kind("autoscaling_group", "autoscaling_group_name"),
        "rule": _kind(
            "vpc_security_group_ingress_rule vpc_security_group_egress_rule", "security_group_rule_id", "sgr-"
        ),
        "listener": _kind("lb_listener alb_listener", "listener_arn"),
        "target group": _kind(
            "lb_target_group alb_target_group",
            "target_group_arn target_group_arns lb_target_group_arn",
            "arn:[^:]*:elasticloadbalancing:[^:]*:[^:]*:targetgroup/",
        ),
        "target": _kind("instance lb alb", "instance_id target_id"),
    }
)

#: Resources whose id is another object's: type -> the attribute that names it.
_SAME_ID = {
    "aws_vpc_peering_connection_accepter": "vpc_peering_connection_id",
    "aws_vpc_peering_connection_options": "vpc_peering_connection_id",
    "aws_ec2_transit_gateway_vpc_attachment_accepter": "transit_gateway_attachment_id",
    "aws_ec2_transit_gateway_peering_attachment_accepter": "transit_gateway_attachment_id",
    "aws_default_route_table": "default_route_table_id",
    "aws_default_network_acl": "default_network_acl_id",
}

#: (type, attribute) that AWS makes along with an object -> what is put behind the object's made-up id.
MADE_ALONG: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("aws_vpc", "default_security_group_id"): ":default-security-group",
        ("aws_vpc", "main_route_table_id"): ":main-route-table",
        ("aws_vpc", "default_route_table_id"): ":main-route-table",
        ("aws_vpc", "default_network_acl_id"): ":default-network-acl",
        ("aws_instance", "primary_network_interface_id"): ":primary-network-interface",
        ("aws_nat_gateway", "network_interface_id"): ":network-interface",
        ("aws_nat_gateway", "route_table_id"): ":route-table",
        ("aws_vpn_connection", "transit_gateway_attachment_id"): ":attachment",
        ("aws_vpc_security_group_ingress_rule", "security_group_rule_id"): "",
        ("aws_vpc_security_group_egress_rule", "security_group_rule_id"): "",
        ("aws_ec2_transit_gateway", "association_default_route_table_id"): ":default-route-table",
        ("aws_ec2_transit_gateway", "propagation_default_route_table_id"): ":default-route-table",
    }
)
_OWN_ID = frozenset({"", "id", "arn", "allocation_id"})
#: Types whose name is their id: there `name` is asked for like `id`.
_NAMED = frozenset({"aws_elb", "aws_autoscaling_group"})


@dataclass(frozen=True, slots=True)
class Instance:
    """A resource of the plan as references see it."""

    address: str
    modules: Modules
    type: str
    name: str
    key: Key
    id: str
    """Its id after apply; made up if AWS has not given it yet."""
    made: bool
    """Its id is not known before apply."""
    values: Mapping[str, Any]
    """Attributes after apply, UNKNOWN where only apply will tell."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What an unknown value may be. One candidate of a complete answer is the value."""

    candidates: tuple[str, ...]
    complete: bool
    """False: something it depends on could not be followed."""


def module_path(address: str | None) -> Modules:
    """The calls that lead to a module: `module.a["x"].module.b` -> (("a", "x"), ("b", None))."""
    found: list[tuple[str, Key]] = []
    tokens = _tokens(address or "")
    i = 0
    while i + 1 < len(tokens) and tokens[i] == ("module", False):
        name, i = str(tokens[i + 1][0]), i + 2
        key: Key = None
        if i < len(tokens) and tokens[i][1]:
            key, i = tokens[i][0], i + 1
        found.append((name, key))
    return tuple(found)


def _tokens(text: str) -> Tokens:
    found: list[tuple[str | int, bool]] = []
    for match in _TOKEN.finditer(text):
        name, key, index = match.groups()
        if name is not None:
            found.append((name, False))
        elif key is not None:
            found.append((re.sub(r"\\(.)", r"\1", key), True))
        elif index is not None:
            found.append((int(index[:18]), True))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an expression stands: the module instance, and what count.index or each.key is there."""

    modules: Modules
    key: Key
    each: Any = None
    """for_each of the block the expression is in."""


@dataclass(slots=True)
class _Search:
    """One question on its way: what is asked for, what was found, and whether every way could be followed."""

    kind: Kind
    whole: bool = False
    """It is a list that is unknown as a whole: what is known of it is asked for too."""
    found: dict[str, None] = field(default_factory=dict)
    complete: bool = True
    depth: int = 0
    each: Key = None
    """The key of for_each that is followed, if any: it selects from what is known."""
    given: set[str] = field(default_factory=set)
    """What was found among constants and variables."""
    aside: bool = False
    """Something that is known and no id stands beside: a condition, perhaps, or what selects among the others."""

    def lost(self) -> None:
        self.complete = False

    def part(self, found: Iterable[str] = (), each: Key = None) -> _Search:
        """A question of its own about a part of the way."""
        key = each if self.each is None else self.each
        return _Search(self.kind, self.whole, dict.fromkeys(found), True, self.depth + 1, key)

    def take(self, part: _Search, ids: Iterable[str]) -> None:
        """Adds some of what a part found."""
        self.found.update(dict.fromkeys(ids))
        self.complete = self.complete and part.complete
        self.given |= part.given
        self.aside = self.aside or part.aside

    def known(self, value: Any, tokens: Tokens = ()) -> None:
        """A value that is known before apply, and where in it the answer stands."""
        left = list(_inside(value, self.each, tokens))
        while left:
            each = left.pop()
            if isinstance(each, Mapping):
                self.aside = True  # it may be one of its values that is meant, or all
                left += reversed(list(each.values()))
            elif isinstance(each, list):
                left += reversed(each)
            elif isinstance(each, Unknown) or (isinstance(each, str) and each and self.kind.ids is None):
                self.lost()
            elif isinstance(each, str) and self.kind.ids is not None and self.kind.ids.match(each):
                self.found[each] = None
                self.given.add(each)
            elif each is not None and each != "":
                self.aside = True

    def answer(self) -> Reference:
        """What was found. Known ids beside a condition may be in the list or not; one that only holds such is known."""
        if self.whole and (self.given >= self.found.keys() or (self.given and self.aside)):
            self.lost()
        return Reference(tuple(self.found), self.complete)


class References:
    """Answers what the unknown values of one plan refer to."""

    def __init__(self, plan: Plan, instances: Iterable[Instance]) -> None:
        self._root = plan.root
        self._variables = plan.variables
        self._all: list[Instance] = list(instances)
        self._blocks: dict[tuple[Modules, str, str], list[Instance]] = {}
        self._by_id: dict[str, list[Instance]] = {}
        self._keys: dict[tuple[Modules, str], set[Key]] = {}
        for instance in self._all:
            self._blocks.setdefault((instance.modules, instance.type, instance.name), []).append(instance)
            self._by_id.setdefault(instance.id, []).append(instance)
            for i, (name, key) in enumerate(instance.modules):
                self._keys.setdefault((instance.modules[:i], name), set()).add(key)

    def configured(self, instance: Instance) -> ConfiguredResource | None:
        """The block of the configuration that an instance comes from."""
        module = self._module(instance.modules)
        return module.resource("managed", instance.type, instance.name) if module else None

    def values_of(self, object_id: str, resource_type: str) -> Mapping[str, Any] | None:
        """The attributes of an object after apply, if the plan has it."""
        found = self.instance_of(object_id, (resource_type,))
        return found.values if found else None

    def instance_of(self, object_id: str, types: Collection[str]) -> Instance | None:
        """The resource of one of these types with that id after apply, if the plan has it."""
        return next((i for i in self._by_id.get(object_id, ()) if i.type in types), None)

    def of_types(self, types: Collection[str]) -> Iterator[Instance]:
        """Every resource of these types that is there after apply."""
        return (instance for instance in self._all if instance.type in types)

    def follow(
        self, instance: Instance, path: tuple[str | int, ...], kind: Kind, element: Any = None, whole: bool = False
    ) -> Reference:
        """What the value at `path` of an instance refers to; `element` is the list element it stands in, if any.

        `whole`: it is a list that is unknown as a whole, so that what is known of it counts too.
        """
        search = _Search(kind, whole)
        self._attribute(search, instance, path, element)
        return search.answer()

    # -- expressions --------------------------------------------------------------------------------------

    def _module(self, modules: Modules) -> ConfiguredModule | None:
        module: ConfiguredModule | None = self._root
        for name, _ in modules:
            call = (module.module_calls or {}).get(name) if module else None
            module = call.module if call else None
        return module

    def _attribute(self, search: _Search, instance: Instance, path: tuple[str | int, ...], element: Any) -> None:
        block = self.configured(instance)
        leaves = list(_leaves(block.expressions, path, element)) if block else []
        if block is None or not leaves:  # a dynamic block, or no configuration: the JSON does not say
            self._anything_made(search, instance.modules)
            return
        scope = _Scope(instance.modules, instance.key, block.for_each_expression)
        for leaf in leaves:
            self._leaf(search, leaf, scope)

    def _leaf(self, search: _Search, leaf: Any, scope: _Scope, rest: Tokens = ()) -> None:
        if search.depth > _MAX_DEPTH or not isinstance(leaf, Mapping):
            search.lost()
            return
        references = leaf.get("references")
        if not isinstance(references, list):  # a constant
            if search.whole:
                search.known(leaf.get("constant_value"), rest)
            return
        texts = [text for text in references if isinstance(text, str)]
        whole = [text for text in texts if not any(other.startswith((f"{text}.", f"{text}[")) for other in texts)]
        selects = bool({"count.index", "each.key"} & set(texts))
        search.depth += 1
        for text in whole:
            self._text(search, (*_tokens(text), *rest), selects, scope)
        search.depth -= 1

    def _text(self, search: _Search, tokens: Tokens, selects: bool, scope: _Scope) -> None:
        """One reference, split into its parts."""
        head = tokens[0][0] if tokens else ""
        second = str(tokens[1][0]) if len(tokens) > 1 else ""
        if head == "each" and second == "value":
            self._each_value(search, scope, tokens[2:])
        elif head in _CONTEXT:
            search.aside = True
        elif head == "local":
            self._anything_made(search, scope.modules)
        elif head == "var":
            self._variable(search, second, tokens[2:], scope)
        elif head == "module" and second:
            self._call(search, second, tokens[2:], selects, scope)
        elif head == "data" or not second:
            search.lost()  # read during apply: only then its answer is known
        else:
            self._resource(search, tokens, selects, scope)

    def _each_value(self, search: _Search, scope: _Scope, rest: Tokens) -> None:
        """for_each of the own block; of chained instances (for_each = aws_subnet.x) the one with the own key."""
        inner = search.part(each=scope.key)
        self._leaf(inner, scope.each, _Scope(scope.modules, scope.key), rest)
        own = [i for i in inner.found if any(known.key == scope.key for known in self._by_id.get(i, ()))]
        chosen = own if len(own) == 1 and scope.key is not None else list(inner.found)
        search.take(inner, chosen)

    def _variable(self, search: _Search, name: str, rest: Tokens, scope: _Scope) -> None:
        """A module's variable: what its caller gives, else its default. A root variable is known when planning."""
        if not scope.modules:
            if search.whole and name in self._variables:
                search.known(self._variables[name], rest)
            elif search.whole:
                search.lost()
            return
        outer, (call_name, key) = scope.modules[:-1], scope.modules[-1]
        module = self._module(outer)
        call = (module.module_calls or {}).get(call_name) if module else None
        if call is None:
            search.lost()
        elif isinstance(call.expressions, Mapping) and name in call.expressions:
            self._leaf(search, call.expressions[name], _Scope(outer, key, call.for_each_expression), rest)
        elif search.whole and call.module is not None:
            search.known(call.module.default(name), rest)

    def _call(self, search: _Search, name: str, rest: Tokens, selects: bool, scope: _Scope) -> None:
        """A module's output, of all its instances unless one is named."""
        known = self._keys.get((scope.modules, name), {None})
        keys = [scope.key] if selects and scope.key in known else sorted(known, key=str)
        if rest and rest[0][1]:
            keys, rest = [rest[0][0]], rest[1:]
        for key in keys:
            inner: Modules = (*scope.modules, (name, key))
            module = self._module(inner)
            outputs = (module.outputs or {}) if module else {}
            names = [str(rest[0][0])] if rest else list(outputs)
            for output in names:
                if output not in outputs:
                    search.lost()
                    continue
                part = search.part()
                self._leaf(part, outputs[output].expression, _Scope(inner, None), rest[1:])
                search.take(part, self._selected(list(part.found), rest[1:], selects, scope))

    def _selected(self, ids: list[str], rest: Tokens, selects: bool, scope: _Scope) -> list[str]:
        """Of the instances of one counted resource behind an output, the one an index behind the output selects."""
        index: Key = next((token for token, is_index in rest if is_index), None)
        if index is None and selects:
            index = scope.key
        instances = [self._by_id[i][0] for i in ids if i in self._by_id]
        blocks = {(i.modules, i.type, i.name) for i in instances}
        if index is None or len(ids) < 2 or len(instances) != len(ids) or len(blocks) > 1:
            return ids
        return [i.id for i in _same_index(instances, index)]

    # -- resources ----------------------------------------------------------------------------------------

    def _resource(self, search: _Search, tokens: Tokens, selects: bool, scope: _Scope) -> None:
        resource_type, name, rest = str(tokens[0][0]), str(tokens[1][0]), tokens[2:]
        instances = self._blocks.get((scope.modules, resource_type, name), [])
        if rest and rest[0][1]:
            counted = any(i.key is not None for i in instances)
            instances = [i for i in instances if i.key == rest[0][0] or not counted]
            rest = rest[1:]
        elif selects and len(instances) > 1:
            instances = _same_index(instances, scope.key)
        attribute = next((str(token) for token, is_index in rest if not is_index), "")
        attribute = "id" if attribute == "name" and resource_type in _NAMED else attribute
        if attribute in _OWN_ID and resource_type not in search.kind.types:
            if search.whole and not attribute:
                search.lost()  # anything of it
            return  # beside what is asked for: the id of something of another kind
        if attribute not in _OWN_ID and attribute not in search.kind.attributes:
            self._other(search, instances, rest)
            return
        for instance in instances:
            self._value(search, instance, attribute)

    def _other(self, search: _Search, instances: list[Instance], rest: Tokens) -> None:
        """An attribute that does not say what it holds: it counts for a list, as far as it is known."""
        if search.whole and not instances:
            search.lost()  # none, or of a type that is not read
        for instance in instances if search.whole else ():
            search.known(instance.values, rest)

    def _value(self, search: _Search, instance: Instance, attribute: str) -> None:
        """An attribute of an instance after apply; its own id for "", id and arn."""
        if attribute in _OWN_ID:
            attribute = _SAME_ID.get(instance.type, "") if instance.made else ""
        value = instance.values.get(attribute)
        if not attribute:
            search.found[instance.id] = None
        elif isinstance(value, str):
            search.found[value] = None
        elif isinstance(value, list) and (search.whole or all(isinstance(item, str) for item in value)):
            search.found.update((item, None) for item in value if isinstance(item, str))
            if not all(isinstance(item, str) for item in value):
                self._configured_value(search, instance, attribute)
        elif (instance.type, attribute) in MADE_ALONG:
            search.found[instance.id + MADE_ALONG[instance.type, attribute]] = None
        else:
            self._configured_value(search, instance, attribute)

    def _configured_value(self, search: _Search, instance: Instance, attribute: str) -> None:
        """What the configuration says of another resource's attribute."""
        if search.depth > _MAX_DEPTH or not self._is_configured(instance, attribute):
            search.lost()
        else:
            search.depth += 1
            self._attribute(search, instance, (attribute,), None)
            search.depth -= 1

    def _is_configured(self, instance: Instance, attribute: str) -> bool:
        block = self.configured(instance)
        return block is not None and isinstance(block.expressions, Mapping) and attribute in block.expressions

    def _anything_made(self, search: _Search, modules: Modules) -> None:
        """Where the JSON has lost the way, inside a module: whatever of that kind the plan makes there or in modules
        below, and whatever the module is given. A list may hold ids that are known, too.
        """
        below = [
            i for i in self._all if i.made and i.type in search.kind.types and i.modules[: len(modules)] == modules
        ]
        inner = search.part(i.id for i in below)
        if modules and inner.depth <= _MAX_DEPTH:
            outer, (name, key) = modules[:-1], modules[-1]
            module = self._module(outer)
            call = (module.module_calls or {}).get(name) if module else None
            given = call.expressions if call and isinstance(call.expressions, Mapping) else {}
            for expression in given.values() if call else ():
                for leaf in _leaves_below(expression):
                    self._leaf(inner, leaf, _Scope(outer, key, call.for_each_expression if call else None))
        search.found.update(inner.found)
        if search.whole or not inner.found:
            search.lost()


def _same_index(instances: list[Instance], key: Key) -> list[Instance]:
    """The instance of the own index; `element()` wraps round, which the JSON shows in the same way."""
    own = [i for i in instances if i.key == key]
    if not own and isinstance(key, int) and all(isinstance(i.key, int) for i in instances):
        own = [i for i in instances if i.key == key % len(instances)]
    return own or instances


def _inside(value: Any, each: Key, tokens: Tokens) -> Iterator[Any]:
    """What stands at these steps of a value, of each element where a step is a splat; UNKNOWN where nothing does."""
    if each is not None:  # what for_each goes over: a map, or a set of texts
        chosen = value.get(each, UNKNOWN) if isinstance(value, Mapping) else UNKNOWN
        value = each if isinstance(value, list) and each in value else chosen
    for i, (token, is_index) in enumerate(tokens):
        if isinstance(value, list) and not is_index:
            for item in value:
                yield from _inside(item, None, tokens[i:])
            return
        if isinstance(value, list) and isinstance(token, int) and token < len(value):
            value = value[token]
        elif isinstance(value, Mapping):
            value = value.get(str(token), UNKNOWN)
        else:
            value = UNKNOWN
    yield value


def _leaves_below(node: Any) -> Iterator[Any]:
    """Every expression in a part of the configuration."""
    if isinstance(node, Mapping) and ("references" in node or "constant_value" in node):
        yield node
    elif isinstance(node, Mapping | list):
        for child in node.values() if isinstance(node, Mapping) else node:
            yield from _leaves_below(child)


def _leaves(node: Any, path: tuple[str | int, ...], element: Any) -> Iterator[Any]:
    """The expressions that the value at `path` may come from; none if the configuration does not have them."""
    if isinstance(node, Mapping) and ("references" in node or "constant_value" in node):
        yield node
    elif path and isinstance(node, Mapping):
        if path[0] in node:
            yield from _leaves(node[path[0]], path[1:], element)
    elif path and isinstance(node, list):
        steps = path[1:] if isinstance(path[0], int) else path
        blocks = [block for block in node if len(node) == 1 or _agrees(block, element)]
        for block in blocks:
            yield from _leaves(block, steps, None)


def _agrees(block: Any, element: Any) -> bool:
    """Whether a configured block may be the one a list element comes from: its constants are the element's values."""
    if not isinstance(block, Mapping) or not isinstance(element, Mapping):
        return True
    for name, expression in block.items():
        constant = expression.get("constant_value", UNKNOWN) if isinstance(expression, Mapping) else UNKNOWN
        value = element.get(name, UNKNOWN)
        if not isinstance(constant, Unknown) and not isinstance(value, Unknown) and str(constant) != str(value):
            return False
    return True
