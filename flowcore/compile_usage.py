"""A network compiled so that its cells name sets of rules: what `usage` counts, by the kernels as they are.

`compile` puts the deciding rule's number into every cell; here it is the number of the *set* of rules that cover the
cell, in order. Verdicts are the same, and the rule columns of a batch are the histogram's index. For a route table the
set is every route that holds the destination, the winner first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from . import usagekernels as uk
from .compile import MAX_LABELS, CompiledNetwork, _Compiler
from .compile_layout import Parts, VpcPlan
from .compile_policies import EntryArrays, acl_entries, deny, random_keys, unsure, word
from .compile_routes import (
    AMBIGUOUS_LIST,
    BLACKHOLE,
    MISSING_LIST,
    NO_ROUTE,
    NO_TABLE,
    _candidates,
    route_label,
    winners,
)
from .errors import NetworkError
from .model import Network, NetworkAcl, NetworkAclEntry, Route, RouteTable, SecurityGroupRule

Array = npt.NDArray[Any]

GROUP_RULE, ACL_ENTRY, ROUTE = range(3)
PASS, DENY, UNKNOWN = range(3)


@dataclass(frozen=True)
class Rule:
    """A rule that is counted: `record` is it, `owner` the id of its group, ACL or route table."""

    kind: int
    rule: str
    owner: str
    egress: bool | None
    record: SecurityGroupRule | NetworkAclEntry | Route


@dataclass(frozen=True)
class RuleSet:
    """The rules that cover one kind of packet at one stage, in order: numbers of `UsagePlan.rules`."""

    outcome: int
    reason: int
    """Outcome code of the kernels: DENY + reason or UNSURE + reason, 0 for pass."""
    decided: int
    """The rule that decides, -1 none."""
    alone: bool
    """Whether without that rule the outcome would be another one, for sure."""
    matched: tuple[int, ...]
    """Rules that cover it."""
    maybe: tuple[int, ...]
    """Rules that may cover it: its ICMP type, its port or a prefix list is not known."""
    hidden: tuple[int, ...]
    """Those of them whose remotes the snapshot does not tell: prefix lists, groups of VPCs that are not described."""
    open: tuple[int, ...]
    """Rules that would decide here, or decide alone, were something else behind what is hidden."""
    owner: Any
    """Whose list it is: (VPC, sorted group ids) and (ACL id,), with the direction; (route table id,)."""


@dataclass(frozen=True)
class UsagePlan:
    """The compiled network, and what its rule columns stand for."""

    network: Network
    compiled: CompiledNetwork
    rules: tuple[Rule, ...]
    sets: tuple[tuple[RuleSet, ...], ...]
    """Of groups, ACLs and routes, by the numbers in the rule columns."""
    n_plain_routes: int
    """The first sets of routes stand for one route each, as the tables of gateways name it."""

    @cached_property
    def start(self) -> Array:
        """int64[10 + 1]: where each stage's sums begin; the first of a stage is for rows that name nothing there."""
        sizes = [len(self.sets[kind]) + 1 for kind in STAGE_KINDS]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


#: What decides at each stage of `usagekernels`.
STAGE_KINDS = (
    GROUP_RULE, ACL_ENTRY, ROUTE, ACL_ENTRY, GROUP_RULE, ACL_ENTRY, ROUTE, ACL_ENTRY, GROUP_RULE, GROUP_RULE,
)  # fmt: skip
#: Those of them that are about the reply.
REPLY_STAGES = frozenset({5, 6, 7, 8, 9})


def compile_usage(network: Network) -> UsagePlan:
    """Compile `network` for counting. Takes little longer than `compile_tables`; loads Numba."""
    compiler = _UsageCompiler(network)
    compiled = compiler.run()
    groups, acls = (tuple(compiler.rule_sets(store)) for store in (compiler.groups, compiler.acls))
    routes = (*compiler.plain_routes(), *compiler.route_sets)
    return UsagePlan(
        network, compiled, tuple(compiler.rules), (groups, acls, routes), len(routes) - len(compiler.route_sets)
    )


class _SetStore:
    """Sets of rules of all policies of a kind, each distinct one with a number."""

    def __init__(self) -> None:
        self.found: list[tuple[int, Any, list[int], list[int]]] = []
        """(outcome word, owner, labels + 1, kinds) of each."""
        self.owners: list[Any] = []
        """Whose the policies are that are being painted."""

    def paint(self, entries: k.Entries, *how: Any) -> Array:
        """Cells of some policies that name sets by their numbers here."""
        cells, own = uk.build_sets(entries, *how, random_keys(2))
        if len(self.found) + own.word.size >= MAX_LABELS:
            raise NetworkError(
                f"more than {MAX_LABELS} sets of rules of one kind", hint="compile a part of the network"
            )
        numbers = np.empty(own.word.size + 1, np.uint32)
        numbers[0] = 0
        bounds, members, kinds = own.start.tolist(), own.member.tolist(), own.kind.tolist()
        for place, (painted, policy) in enumerate(zip(own.word.tolist(), own.policy.tolist(), strict=True)):
            part = slice(bounds[place], bounds[place + 1])
            numbers[place + 1] = self._number((painted, self.owners[policy], members[part], kinds[part]))
        named: Array = cells & np.uint32(0xFF << k.LABEL_BITS) | numbers[cells & np.uint32(k.LABEL_MASK)]
        return named

    def _number(self, found: tuple[int, Any, list[int], list[int]]) -> int:
        self.found.append(found)
        return len(self.found)


class _SetParts(Parts):
    """Parts whose cells name sets."""

    def __init__(self, groups: _SetStore, acls: _SetStore, *sizes: int) -> None:
        super().__init__(*sizes)
        self._stores = groups, acls

    def _painted(self, entries: k.Entries, *how: Any) -> Array:
        return self._stores[int(entries.is_acl.any())].paint(entries, *how)

    def add_policies(self, vpc: VpcPlan, entries: k.Entries, representative: Array) -> None:
        self._stores[0].owners = [(vpc.vpc_id, groups, egress) for groups in vpc.pairs for egress in (False, True)]
        super().add_policies(vpc, entries, representative)

    def add_profiles(
        self, vpc: VpcPlan, entries: k.Entries, representative: Array, routes: dict[str | None, Array]
    ) -> None:
        self._stores[1].owners = [(acl_id, egress) for acl_id in vpc.acls for egress in (False, True)]
        super().add_profiles(vpc, entries, representative, routes)


class _UsageCompiler(_Compiler):
    """Compiles with labels of its own: rules are numbered by what they are, the two lists of an ACL apart."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.groups, self.acls = _SetStore(), _SetStore()
        self.rules: list[Rule] = []
        self.route_sets: list[RuleSet] = []
        self.standing_for: list[int] = []
        self._route_numbers: dict[tuple[str, int], int] = {}
        self._entry_labels: list[Mapping[tuple[str, str], int]] = [{}, {}]
        self._number_rules()

    def _number_rules(self) -> None:
        """All rules of the network; labels of groups and ACLs are numbers of `rules`."""
        groups: dict[str, int] = {}
        described = [
            (rule, group_id) for group_id, group in self.network.security_groups.items() for rule in group.rules
        ]
        for rule, group_id in sorted(described, key=lambda pair: pair[0].rule_id):
            if rule.rule_id not in groups:
                groups[rule.rule_id] = len(self.rules)
                self.rules.append(Rule(GROUP_RULE, rule.rule_id, group_id, rule.egress, rule))
        self.labels.group = groups
        lists: list[dict[tuple[str, str], int]] = [{}, {}]
        for acl_id, acl in self.network.network_acls.items():
            for entry in acl.entries:
                key = acl_id, str(entry.rule_number)
                if key not in lists[entry.egress]:
                    lists[entry.egress][key] = len(self.rules)
                    self.rules.append(Rule(ACL_ENTRY, f"{acl_id}#{entry.rule_number}", acl_id, entry.egress, entry))
        self._entry_labels = list(lists)
        for table_id, table in self.network.route_tables.items():
            for order, route in enumerate(self.network.routes_of(table)):
                self._route_numbers[table_id, order] = len(self.rules)
                self.rules.append(Rule(ROUTE, route_label(table, route), table_id, None, route))
        if len(self.rules) >= MAX_LABELS:
            raise NetworkError(f"more than {MAX_LABELS} rules", hint="compile a part of the network")

    def _parts(self, n_group_ports: int, n_acl_ports: int, most_classes: int) -> Parts:
        return _SetParts(self.groups, self.acls, n_group_ports, n_acl_ports, most_classes)

    def _acl_list(self, vpc: VpcPlan, acl: NetworkAcl | None, egress: bool) -> tuple[EntryArrays, int]:
        if acl is None:
            return super()._acl_list(vpc, acl, egress)
        labels = dict(self._entry_labels[egress])
        entries = acl_entries(acl, egress, vpc.by_prefix, self.acl_ports, labels)
        return entries, word(deny("SUBNET_ACL_RESTRICTION"))

    # -- what sets mean ----------------------------------------------------------------------------------

    def rule_sets(self, store: _SetStore) -> Iterator[RuleSet]:
        """The sets of a store, told in rules."""
        for painted, owner, members, kinds in store.found:
            code, label = painted >> k.LABEL_BITS, painted & k.LABEL_MASK
            outcome = PASS if code == 0 else UNKNOWN if code >= k.UNSURE else DENY
            pairs = [(member - 1, kind) for member, kind in zip(members, kinds, strict=True)]
            sure = tuple(dict.fromkeys(number for number, kind in pairs if not kind & uk.MAYBE))
            maybe = tuple(dict.fromkeys(number for number, kind in pairs if kind & uk.MAYBE and number not in sure))
            hidden = tuple(dict.fromkeys(number for number, kind in pairs if kind & uk.HIDDEN))
            if store is self.acls:
                alone = label > 0 and _entry_alone([pair for pair in pairs if pair[0] != label - 1], outcome)
            else:
                alone = label > 0 and len(sure) == 1 and not maybe
            undecided = (sure or hidden) if hidden and len(sure) < 2 else ()
            yield RuleSet(outcome, code, label - 1, alone, sure, maybe, hidden, undecided, owner)

    # -- routes ------------------------------------------------------------------------------------------

    def _winners(self, table: RouteTable, representative: Array) -> Array:
        """The words of `winners`, their labels numbers of sets after those of all routes."""
        words = winners(self.network, table, self.axis, representative, self.labels.route)
        routes = self.network.routes_of(table)
        vpc = self.network.vpcs.get(table.vpc_id)
        orders = {id(route): order for order, route in enumerate(routes)}
        spans = []
        key = random_keys(1)[0] ^ words.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        for _, _, _, prefix, route in _candidates(self.network, list(routes), vpc.blocks if vpc else ()):
            low, high = (int(p) for p in np.searchsorted(representative, self.axis.span(prefix)))
            if low < high:
                spans.append((low, high, orders[id(route)]))
                key[low:high] = key[low:high] * np.uint64(0xC2B2AE3D27D4EB4F) + random_keys(1)[0]
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        hidden = [orders[id(route)] for route in routes if self._is_hidden(route)]
        base = len(self.labels.route)
        labels = np.empty(first.size, np.uint32)
        for place, position in enumerate(first.tolist()):
            holding = [order for low, high, order in reversed(spans) if low <= position < high]
            labels[place] = base + len(self.route_sets) + 1
            self.route_sets.append(self._route_set(table, routes, int(words[position]), holding, hidden))
            self.standing_for.append(int(words[position] >> 8) - 1)
        if base + len(self.route_sets) >= MAX_LABELS:
            raise NetworkError(f"more than {MAX_LABELS} sets of routes", hint="compile a part of the network")
        return words & np.uint32(255) | labels[inverse] << np.uint32(8)

    def _route_words(self, vpc: VpcPlan, representative: Array) -> dict[str | None, Array]:
        words = super()._route_words(vpc, representative)
        if None in words:  # no table is described: one set, of nobody's
            self.standing_for.append(-1)
            self.route_sets.append(RuleSet(UNKNOWN, unsure("UNKNOWN_RESOURCE"), -1, False, (), (), (), (), (None,)))
            words[None] = words[None] | np.uint32(len(self.labels.route) + len(self.route_sets) << 8)
        return words

    def plain_routes(self) -> Iterator[RuleSet]:
        """What route labels mean that are no sets: in the tables of gateways."""
        named = {rule.rule: number for number, rule in reversed(list(enumerate(self.rules))) if rule.kind == ROUTE}
        for label in self.labels.route:
            number = named[label]
            yield RuleSet(PASS, 0, number, False, (number,), (), (), (), (self.rules[number].owner,))

    def _is_hidden(self, route: Route) -> bool:
        """Whether a route's prefix list is not described."""
        if not isinstance(route.destination, str):
            return False
        listed = self.network.prefix_lists.get(route.destination)
        return listed is None or listed.cidr_blocks is None

    def _route_set(
        self, table: RouteTable, routes: tuple[Route, ...], found: int, holding: list[int], hidden: list[int]
    ) -> RuleSet:
        code = found & 255
        orders = list(dict.fromkeys(holding))
        numbers = tuple(self._route_numbers[table.route_table_id, order] for order in orders)
        maybe = tuple(self._route_numbers[table.route_table_id, order] for order in hidden)
        owner = (table.route_table_id,)
        if code in (MISSING_LIST, AMBIGUOUS_LIST):
            reason = unsure("MISSING_PREFIX_LIST" if code == MISSING_LIST else "AMBIGUOUS_PREFIX_LIST_ROUTE")
            if code == AMBIGUOUS_LIST:
                return RuleSet(UNKNOWN, reason, -1, False, numbers, (), (), numbers, owner)
            return RuleSet(UNKNOWN, reason, -1, False, numbers, maybe, maybe, (*numbers[:1], *maybe), owner)
        if code in (NO_ROUTE, NO_TABLE) or not orders:
            return RuleSet(DENY, deny("NO_ROUTE_TO_DESTINATION"), -1, False, (), (), (), (), owner)
        best, rest = routes[orders[0]], [routes[order] for order in orders[1:]]
        alone = not rest or _goes(best) != _goes(rest[0])
        outcome = DENY if code >= BLACKHOLE else PASS
        reason = deny("BAD_STATE_ROUTE") if outcome == DENY else 0
        undecided = numbers[:1] if hidden and not alone else ()  # without it a list may be the next one
        return RuleSet(outcome, reason, numbers[0], alone, numbers, (), (), undecided, owner)


def _goes(route: Route) -> tuple[str, str, bool]:
    return route.target_kind, route.target_id, route.blackhole


def _entry_alone(others: list[tuple[int, int]], outcome: int) -> bool:
    """Whether an ACL list without the entry that decides says something else for sure (NA-02)."""
    pending = set()
    last = DENY
    for _, kind in others:
        says = DENY if kind & uk.DENIES else PASS
        if kind & uk.MAYBE:
            pending.add(says)
        else:
            last = says
            break
    return last != outcome and not pending - {last}
