"""What a network uses of AWS's quotas: rules, routes, addresses. Nothing here needs a flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Network
from typing import NamedTuple

from ..model import Network, SecurityGroupRule
from .capacity_limits import Limits, is_gone


class Quota(NamedTuple):
    """How much of a quota one resource uses."""

    kind: str
    resource: str
    metric: str
    unit: str
    value: int
    limit: float | None
    source: str | None


def quotas(network: Network, limits: Limits) -> list[Quota]:
    """Every quota of the limits that the network uses something of, sorted by kind, resource and metric."""
    found = []
    for kind, resource, metric, unit, value in _counts(network):
        limit = limits.of(kind, metric)
        if limit is not None:
            times = _zones(network, kind, resource) if limit.per == "zone" else 1
            found.append(Quota(kind, resource, metric, unit, value, limit.limit * times, limit.source))
    return sorted(found, key=lambda each: each[:3])


def _zones(network: Network, kind: str, resource: str) -> int:
    """Zones a limit that AWS gives for each of them holds for."""
    if kind == "nat-gateway-regional":
        return max(len({own.availability_zone for own in network.nat_gateways[resource].addresses}), 1)
    return max(len(network.load_balancers[resource].subnet_ids), 1)


_Count = tuple[str, str, str, str, int]

#: Number of an ACL's last entry, which AWS makes (NA-03).
_DEFAULT_DENY = 32767


def _counts(network: Network) -> Iterator[_Count]:
    yield from _groups(network)
    yield from _interfaces(network)
    yield from _tables(network)
    yield from _gateways(network)
    yield from _balancers(network)
    for listed in network.prefix_lists.values():
        if listed.owner_id != "AWS" and listed.cidr_blocks is not None:
            yield "prefix-list", listed.prefix_list_id, "entries", "entries", len(listed.cidr_blocks)


def _rules(network: Network, rules: Iterable[SecurityGroupRule], egress: bool) -> dict[str, int]:
    """Rules of one direction by family. A prefix list counts for the family it is of, a group reference for both
    [inf]."""
    found = {"ipv4": 0, "ipv6": 0}
    for rule in rules:
        if rule.egress != egress:
            continue
        if rule.cidr_block is not None:
            found["ipv6" if isinstance(rule.cidr_block, IPv6Network) else "ipv4"] += 1
        elif rule.prefix_list_id is not None:
            for version, entries in _entries(network, rule.prefix_list_id).items():
                found[f"ipv{version}"] += entries
        else:
            found = {family: count + 1 for family, count in found.items()}
    return found


def _entries(network: Network, prefix_list_id: str) -> dict[int, int]:
    """What a rule or route with a prefix list counts for, by family: MaxEntries of a customer's list (2.5, RT-24). Of
    an AWS list that is its weight, which no answer tells: its entries are counted, which may be more or less."""
    listed = network.prefix_lists.get(prefix_list_id)
    if listed is None:
        return {}
    if listed.max_entries is not None and listed.owner_id != "AWS":
        return {listed.address_family or 4: listed.max_entries}
    return dict(Counter(block.version for block in listed.cidr_blocks or ()))


def _groups(network: Network) -> Iterator[_Count]:
    regions: Counter[str] = Counter()
    for group in network.security_groups.values():
        vpc = network.vpcs.get(group.vpc_id or "")
        regions[" ".join(filter(None, (group.owner_id, vpc.region if vpc else None))) or "not known"] += 1
        for egress, name in ((False, "inbound"), (True, "outbound")):
            for family, count in _rules(network, group.rules, egress).items():
                if count:
                    yield "security-group", group.group_id, f"{name}_rules_{family}", "rules", count
    for region, count in regions.items():
        yield "region", region, "security_groups", "groups", count


def _interfaces(network: Network) -> Iterator[_Count]:
    for interface in network.interfaces.values():
        groups = [network.security_groups.get(group_id) for group_id in interface.group_ids or ()]
        if groups:
            yield "interface", interface.interface_id, "security_groups", "groups", len(groups)
            counts = [_rules(network, group.rules, egress) for group in groups if group for egress in (False, True)]
            most = max((sum(max(each.values()) for each in counts[egress::2]) for egress in (0, 1)), default=0)
            if most:
                yield "interface", interface.interface_id, "security_group_rules", "rules", most


def _tables(network: Network) -> Iterator[_Count]:
    for acl in network.network_acls.values():
        for egress, name in ((False, "inbound"), (True, "outbound")):
            own = [each for each in acl.entries if each.egress == egress and each.rule_number < _DEFAULT_DENY]
            for version, count in Counter[int](each.cidr_block.version for each in own).items():
                # AWS counts each family by itself, and its default deny with it [mem]
                yield "network-acl", acl.network_acl_id, f"{name}_rules_ipv{version}", "rules", count + 1
    for metric, vpcs in (
        ("network_acls", [acl.vpc_id for acl in network.network_acls.values()]),
        ("route_tables", [table.vpc_id for table in network.route_tables.values()]),
    ):
        for vpc_id, count in Counter(vpcs).items():
            yield "vpc", vpc_id, metric, metric.replace("_", " "), count
    for table in network.route_tables.values():
        counts: Counter[str] = Counter()
        for route in table.routes:
            if route.target_kind == "local":
                continue
            if route.propagated:
                counts["propagated_routes"] += 1
            elif isinstance(route.destination, str):
                for version, entries in _entries(network, route.destination).items():
                    counts[f"static_routes_ipv{version}"] += entries
            else:
                counts[f"static_routes_ipv{route.destination.version}"] += 1
        for metric, count in counts.items():
            yield "route-table", table.route_table_id, metric, "routes", count


def _gateways(network: Network) -> Iterator[_Count]:
    zones: Counter[str] = Counter()
    for gateway in network.nat_gateways.values():
        if gateway.state in ("deleted", "deleting", "failed"):
            continue
        subnet = network.subnets.get(gateway.subnet_id or "")
        vpc = network.vpcs.get(gateway.vpc_id or "")
        owner = vpc.owner_id if vpc else None
        if subnet is not None:
            zone = subnet.availability_zone_id or subnet.availability_zone or "not known"
            zones[" ".join(filter(None, (owner, zone)))] += 1
        kind = "nat-gateway-regional" if gateway.regional else "nat-gateway"
        yield kind, gateway.nat_gateway_id, "addresses", "addresses", len(gateway.addresses)
        public = sum(own.public_address is not None for own in gateway.addresses)
        if public and not gateway.regional:
            yield kind, gateway.nat_gateway_id, "elastic_addresses", "addresses", public
    for zone, count in zones.items():
        yield "zone", zone, "nat_gateways", "gateways", count
    attached = Counter(
        each.transit_gateway_id for each in network.transit_gateway_attachments.values() if not is_gone(each.state)
    )
    routes: Counter[str] = Counter()
    for table in network.transit_gateway_route_tables.values():
        routes[table.transit_gateway_id] += len(table.routes or ())
    for metric, counts in (("attachments", attached), ("routes", routes)):
        for gateway_id, count in counts.items():
            yield "transit-gateway", gateway_id, metric, metric, count


def _balancers(network: Network) -> Iterator[_Count]:
    for balancer in network.load_balancers.values():
        kind = f"{balancer.kind}-load-balancer"
        if balancer.listeners is None:
            continue
        yield kind, balancer.load_balancer_id, "listeners", "listeners", len(balancer.listeners)
        groups = {group_id for listener in balancer.listeners for group_id in listener.target_group_ids}
        known = [network.target_groups[each] for each in groups if each in network.target_groups]
        yield (
            kind, balancer.load_balancer_id, "targets", "targets",
            len({(each.target_id, each.port) for group in known for each in group.targets or ()}),
        )  # fmt: skip


__all__ = ["Quota", "quotas"]
