"""Random small changes of a network, each with a name, for the tests of diff: records exchanged, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from ipaddress import ip_network
from random import Random
from typing import Any

from flowcore import synthetic
from flowcore.model import Network, NetworkAclEntry, Route, RouteTarget, SecurityGroupRule
from flowcore.sources.describe import network_from_documents

Edit = Callable[[Network], Network]


def orderly_network(seed: int) -> Network:
    """A small region in good order, where most flows are decided."""
    documents = synthetic.network_documents(seed, interfaces=24, groups=6, acls=4, subnets=6, vpcs=2)
    return network_from_documents(documents)


class Edits:
    """Edits one after another; a `Changes` by leaving some out. Each stands for itself, in whatever order."""

    def __init__(self, before: Network, edits: dict[str, Edit]) -> None:
        self.before, self.edits = before, edits
        self.asked: list[tuple[str, ...]] = []

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.edits)

    def network_without(self, names: Collection[str]) -> Network:
        self.asked.append(tuple(sorted(names)))
        network = self.before
        for name, edit in self.edits.items():
            if name not in names:
                network = edit(network)
        return network

    @property
    def after(self) -> Network:
        return self.network_without(())


def changed(network: Network, collection: str, record: Any, **changes: Any) -> Network:
    """The network with one record changed."""
    records = dict(getattr(network, collection))
    key = next(key for key, value in records.items() if value is record)
    records[key] = replace(record, **changes)
    return replace(network, **{collection: records})


def with_rule(group_id: str, rule: SecurityGroupRule) -> Edit:
    def edit(network: Network) -> Network:
        group = network.security_groups[group_id]
        rules = sorted((*group.rules, replace(rule, group_id=group_id)), key=lambda each: each.rule_id)
        return changed(network, "security_groups", group, rules=tuple(rules))

    return edit


def without_rule(group_id: str, rule_id: str) -> Edit:
    def edit(network: Network) -> Network:
        group = network.security_groups[group_id]
        return changed(
            network, "security_groups", group, rules=tuple(each for each in group.rules if each.rule_id != rule_id)
        )

    return edit


def with_entry(acl_id: str, entry: NetworkAclEntry) -> Edit:
    """An entry added, or put in the place of the one with its number."""

    def edit(network: Network) -> Network:
        acl = network.network_acls[acl_id]
        place = (entry.egress, entry.rule_number)
        kept = [each for each in acl.entries if (each.egress, each.rule_number) != place]
        entries = sorted([*kept, entry], key=lambda each: (each.egress, each.rule_number))
        return changed(network, "network_acls", acl, entries=tuple(entries))

    return edit


def without_route(table_id: str, destination: str) -> Edit:
    def edit(network: Network) -> Network:
        table = network.route_tables[table_id]
        return changed(
            network,
            "route_tables",
            table,
            routes=tuple(each for each in table.routes if str(each.destination) != destination),
        )

    return edit


def with_route(table_id: str, route: Route) -> Edit:
    def edit(network: Network) -> Network:
        table = network.route_tables[table_id]
        return changed(network, "route_tables", table, routes=(*table.routes, route))

    return edit


def with_groups(interface_id: str, group_ids: tuple[str, ...]) -> Edit:
    def edit(network: Network) -> Network:
        return changed(network, "interfaces", network.interfaces[interface_id], group_ids=group_ids)

    return edit


def with_check(interface_id: str, checked: bool) -> Edit:
    def edit(network: Network) -> Network:
        return changed(network, "interfaces", network.interfaces[interface_id], source_dest_check=checked)

    return edit


BLOCKS = ("10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/8", "0.0.0.0/0", "203.0.113.0/24", "10.0.0.0/25", "::/0")
PORTS = ((80, 80), (443, 443), (0, 65535), (1024, 65535), (22, 443), (32768, 65535))


def random_edits(network: Network, seed: int, count: int) -> Edits:
    """Up to `count` edits that work on different records' parts, so that they may be made in any combination."""
    rng, edits, taken = Random(f"edits {seed}"), {}, set()
    for number in range(count * 4):
        place, name, edit = _random_edit(network, rng, number)
        if place is not None and place not in taken and len(edits) < count:
            taken.add(place)
            edits[name] = edit
    return Edits(network, edits)


def _random_edit(network: Network, rng: Random, number: int) -> tuple[Any, str, Edit]:
    kind = rng.choice(("rule-", "rule-", "rule+", "rule+", "entry", "entry", "route-", "route+", "groups"))
    block, (first, last) = ip_network(rng.choice(BLOCKS)), rng.choice(PORTS)
    nothing: tuple[Any, str, Edit] = (None, "", lambda each: each)
    if kind in ("rule-", "rule+") and network.security_groups:
        group = rng.choice(list(network.security_groups.values()))
        if kind == "rule-" and group.rules:
            rule = rng.choice(group.rules)
            return rule.rule_id, f"{rule.rule_id} removed", without_rule(group.group_id, rule.rule_id)
        rule = SecurityGroupRule(
            f"sgr-new{number}", group.group_id, rng.random() < 0.5, rng.choice((-1, 6)), first, last, block
        )
        return rule.rule_id, f"{rule.rule_id} added", with_rule(group.group_id, rule)
    if kind == "entry" and network.network_acls:
        acl = rng.choice(list(network.network_acls.values()))
        entry = NetworkAclEntry(
            rng.randint(1, 120), rng.random() < 0.5, rng.choice((-1, 6)), rng.random() < 0.3, block, first, last
        )
        name = f"{acl.network_acl_id} entry {entry.rule_number} {'out' if entry.egress else 'in'}"
        return name, name, with_entry(acl.network_acl_id, entry)
    if kind in ("route-", "route+") and network.route_tables:
        table = rng.choice(list(network.route_tables.values()))
        if kind == "route-" and table.routes:
            destination = str(rng.choice(table.routes).destination)
            place = f"{table.route_table_id} {destination}"
            return place, f"{place} removed", without_route(table.route_table_id, destination)
        if any(each.destination == block for each in table.routes) or not network.internet_gateways:
            return nothing
        gateway = rng.choice(list(network.internet_gateways))
        place = f"{table.route_table_id} {block}"
        route = Route(block, RouteTarget.INTERNET_GATEWAY, gateway)
        return place, f"{place} added", with_route(table.route_table_id, route)
    if kind == "groups" and network.interfaces and network.security_groups:
        interface = rng.choice(list(network.interfaces.values()))
        if interface.group_ids:
            groups = (rng.choice(list(network.security_groups)),)
            name = f"{interface.interface_id} groups"
            return name, name, with_groups(interface.interface_id, groups)
    return nothing
