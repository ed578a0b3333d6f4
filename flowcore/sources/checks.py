"""Checks every reference of a network once and lists what dangles, is missing, not modelled or contradictory.

One issue per thing that is missing, not per record that names it.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..model import IPNetwork, Network, RouteTarget, Vpc
from .answers import NOT_MODELLED
from .assemble import some
from .assumptions import blocks_public_access
from .checks_between import check_between
from .collect import Collector
from .references import Dangling, list_reference, note_state

__all__ = ["check"]

#: Key that a description needs -> what becomes UNKNOWN without it.
_NEEDED = {
    "Vpcs": "their CIDRs are taken from local routes, peering connections or subnets; the first stands for the primary",
    "Subnets": "the subnets are not known: reserved addresses and Block Public Access cannot be told",
    "RouteTables": "every flow that leaves its subnet is UNKNOWN, unless assume_defaults stands in",
    "NetworkAcls": "every flow that leaves its subnet is UNKNOWN, unless assume_defaults stands in",
    "SecurityGroups": "every flow at an interface with security groups is UNKNOWN",
    "NetworkInterfaces": "only interfaces embedded in instances are known: flows of all others are UNKNOWN",
    "InternetGateways": "every flow through an internet gateway is UNKNOWN, unless assume_defaults stands in",
}
_INSTEAD = {"SecurityGroups": "SecurityGroupRules"}

#: Route target kind -> what its targets are called, and the attribute of Network that describes them.
_TARGETS = {
    RouteTarget.INTERNET_GATEWAY: ("internet gateway", "internet_gateways"),
    RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY: ("egress-only internet gateway", "egress_only_internet_gateways"),
    RouteTarget.VIRTUAL_PRIVATE_GATEWAY: ("virtual private gateway", "vpn_gateways"),
    RouteTarget.VPC_PEERING_CONNECTION: ("peering connection", "peering_connections"),
    RouteTarget.NETWORK_INTERFACE: ("network interface", "interfaces"),
    RouteTarget.NAT_GATEWAY: ("NAT gateway", "nat_gateways"),
    RouteTarget.TRANSIT_GATEWAY: ("transit gateway", "transit_gateways"),
    RouteTarget.GATEWAY_ENDPOINT: ("endpoint", "vpc_endpoints"),
    RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT: ("endpoint", "vpc_endpoints"),
}


def check(network: Network, found: Collector) -> None:
    """Adds the issues of a network to the collector: references, missing keys, states, contradictions."""
    _missing_keys(found)
    _missing_exclusions(network, found)
    _not_modelled(found)
    _interface_references(network, found)
    _rule_references(network, found)
    _route_references(network, found)
    _states(network, found)
    _subnets_outside(network, found)
    _overlaps(network, found)
    _owners(found)
    check_between(network, found)
    _association_references(network, found)


def _missing_keys(found: Collector) -> None:
    for key, consequence in _NEEDED.items():
        if key not in found.keys and _INSTEAD.get(key) not in found.keys:
            found.issue("warning", "missing-file", key, f"no file holds {key}: {consequence}")


def _missing_exclusions(network: Network, found: Collector) -> None:
    """Block Public Access without its exclusions does not say what is blocked (BP-05)."""
    key = "VpcBlockPublicAccessExclusions"
    if blocks_public_access(network) and key not in found.keys:
        consequence = (
            "flows that Block Public Access stops but for an exclusion are UNKNOWN, unless assume_defaults stands in"
        )
        found.issue("warning", "missing-file", key, f"no file holds {key}: {consequence}")


def _not_modelled(found: Collector) -> None:
    for key, records in found.other.items():
        held = sum(record not in (None, "", [], {}) for record in records)
        if key in NOT_MODELLED and held:
            message = f"{held} records are kept but not modelled yet: flows that depend on them are UNKNOWN"
            found.issue("note", "not-modelled", key, message)


def _interface_references(network: Network, found: Collector) -> None:
    consequence = "flows that leave the subnet may be UNKNOWN"
    subnets = Dangling(found, "warning", "the subnet", consequence)
    groups = Dangling(found, "warning", "the security group", "flows at these interfaces may be UNKNOWN")
    for interface in network.interfaces.values():
        if interface.subnet_id and interface.subnet_id not in network.subnets:
            subnets.add(interface.subnet_id, interface.interface_id)
        for group_id in interface.group_ids or ():
            if group_id not in network.security_groups:
                groups.add(group_id, interface.interface_id)
    interfaces = Dangling(found, "note", "the interface", "its Elastic IP is not used")
    for elastic in network.elastic_addresses:
        if elastic.interface_id and elastic.interface_id not in network.interfaces:
            interfaces.add(elastic.interface_id, elastic.allocation_id or str(elastic.public_address))
    for dangling in (subnets, groups, interfaces):
        dangling.report()


def _rule_references(network: Network, found: Collector) -> None:
    groups = Dangling(found, "note", "the security group", "these rules match only the interfaces known to carry it")
    lists = Dangling(found, "warning", "the prefix list", "flows that only these rules could match are UNKNOWN")
    without = Dangling(found, "warning", "what the prefix list holds", "flows that only it could match are UNKNOWN")
    for group in network.security_groups.values():
        for rule in group.rules:
            if rule.referenced_group_id and rule.referenced_group_id not in network.security_groups:
                groups.add(rule.referenced_group_id, rule.rule_id)
            if rule.prefix_list_id:
                list_reference(network, rule.prefix_list_id, rule.rule_id, lists, without)
    for table in network.route_tables.values():
        for route in table.routes:
            if isinstance(route.destination, str):
                list_reference(network, route.destination, table.route_table_id, lists, without)
    for dangling in (groups, lists, without):
        dangling.report()


def _route_references(network: Network, found: Collector) -> None:
    dangling = {
        kind: Dangling(found, "warning", f"the {what}", "flows that take these routes may be UNKNOWN")
        for kind, (what, _) in _TARGETS.items()
    }
    for table in network.route_tables.values():
        for route in table.routes:
            if route.target_kind not in _TARGETS or route.blackhole:
                continue
            described: Mapping[str, object] = getattr(network, _TARGETS[route.target_kind][1])
            attached = (route.target_id, table.vpc_id) in network.attachments_of
            if route.target_id not in described and route.target_id not in network.instances and not attached:
                dangling[route.target_kind].add(route.target_id, table.route_table_id)
    for kind in dangling.values():
        kind.report()


def _association_references(network: Network, found: Collector) -> None:
    subnets = Dangling(found, "note", "the subnet", "it is associated all the same")
    for acl in network.network_acls.values():
        for subnet_id in set(acl.subnet_ids) - network.subnets.keys():
            subnets.add(subnet_id, acl.network_acl_id)
    for table in network.route_tables.values():
        for subnet_id in set(table.subnet_ids) - network.subnets.keys():
            subnets.add(subnet_id, table.route_table_id)
    subnets.report()


def _states(network: Network, found: Collector) -> None:
    for instance in network.instances.values():
        if instance.state not in (None, "running"):
            message = f"the instance is {instance.state}; its interfaces are judged as if it were running"
            note_state(found, instance.instance_id, message)
    for interface in network.interfaces.values():
        if interface.detached:
            message = f"the interface is {interface.status}, attached to nothing: its flows are REJECT(BAD_STATE)"
            note_state(found, interface.interface_id, message)
    for table in network.route_tables.values():
        for route in table.routes:
            if route.blackhole:
                message = f"the route to {route.destination} is a black hole: {route.target_id or 'its target'} is gone"
                note_state(found, table.route_table_id, message)


def _subnets_outside(network: Network, found: Collector) -> None:
    for subnet in network.subnets.values():
        vpc = network.vpcs[subnet.vpc_id]
        if not vpc.described:
            continue
        own: list[IPNetwork] = [*subnet.ipv6_cidr_blocks]
        if subnet.cidr_block:
            own.append(subnet.cidr_block)
        for cidr in own:
            if not any(_inside(cidr, block) for block in _blocks(vpc)):
                message = f"{cidr} lies outside the CIDRs of {vpc.vpc_id}"
                origin = found.origins.get(subnet.subnet_id, "")
                found.issue("warning", "conflict", subnet.subnet_id, message, origin)


def _blocks(vpc: Vpc) -> tuple[IPNetwork, ...]:
    blocks: list[IPNetwork] = [*vpc.cidr_blocks]
    return (*blocks, *vpc.ipv6_cidr_blocks)


def _inside(inner: IPNetwork, outer: IPNetwork) -> bool:
    return (
        inner.version == outer.version
        and inner.prefixlen >= outer.prefixlen
        and int(inner.network_address) >> (inner.max_prefixlen - outer.prefixlen)
        == int(outer.network_address) >> (outer.max_prefixlen - outer.prefixlen)
    )


def _overlaps(network: Network, found: Collector) -> None:
    """One note per group of VPCs whose CIDRs overlap: found by a sweep over their bounds, per family."""
    blocks = sorted(
        (cidr.version, int(cidr.network_address), int(cidr.broadcast_address), vpc.vpc_id)
        for vpc in network.vpcs.values()
        for cidr in _blocks(vpc)
    )
    family, end, together = 0, -1, set[str]()
    clusters = []
    for version, first, last, vpc_id in blocks:
        if version != family or first > end:
            clusters.append(together)
            family, end, together = version, last, set()
        together.add(vpc_id)
        end = max(end, last)
    for cluster in {frozenset(cluster) for cluster in (*clusters, together) if len(cluster) > 1}:
        message = f"CIDRs overlap: {some(cluster, 5)}; give src_interface_id with flows, or they are UNKNOWN"
        found.issue("note", "conflict", min(cluster), message, found.origins.get(min(cluster), ""))


def _owners(found: Collector) -> None:
    for (account, owner), ids in found.owners.items():
        message = f"the folder's account is {account}, but OwnerId is {owner} for {some(ids)}"
        found.issue("note", "conflict", account, message, found.origins.get(min(ids), ""))
