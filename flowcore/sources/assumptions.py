"""AWS's defaults in place of what a description leaves out. Each one is listed as an issue `assumed-default`."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any

from ..model import (
    Gateway,
    IPNetwork,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    Route,
    RouteTable,
    RouteTarget,
    Vpc,
)
from .collect import Collector

__all__ = ["assume", "blocks_public_access"]

_ALL_IPV4 = IPv4Network("0.0.0.0/0")
_ALL_IPV6 = IPv6Network("::/0")


def assume(network: Network, found: Collector) -> Network:
    """The network with AWS's defaults filled in where nothing is described."""
    return replace(
        network,
        partly_described=_without_defaults(network, found),
        network_acls=_sorted(network.network_acls, _default_acls(network, found)),
        route_tables=_sorted(network.route_tables, _main_tables(network, found)),
        internet_gateways=_sorted(network.internet_gateways, _internet_gateways(network, found)),
        described_keys=network.described_keys | _exclusions(network, found),
    )


def _without_defaults(network: Network, found: Collector) -> frozenset[tuple[str, str]]:
    """What is described in part, without ACLs and route tables: the default and main ones stand in (NA-01, RT-01)."""
    for key, vpc_id in sorted(network.partly_described):
        if key in ("NetworkAcls", "RouteTables"):
            which = "network ACL" if key == "NetworkAcls" else "route table"
            _note(found, vpc_id, f"{key} are described in part: subnets that no {which} names are assumed to have none")
    return frozenset(part for part in network.partly_described if part[0] not in ("NetworkAcls", "RouteTables"))


def _sorted(described: Any, assumed: dict[str, Any]) -> Any:
    merged = {**assumed, **described}
    return MappingProxyType({key: merged[key] for key in sorted(merged)})


def _note(found: Collector, resource: str, message: str) -> None:
    found.issue("note", "assumed-default", resource, message)


def _default_acls(network: Network, found: Collector) -> dict[str, NetworkAcl]:
    """An allow-all network ACL for each VPC of which no default one is described (NA-12)."""
    having = {acl.vpc_id for acl in network.network_acls.values() if acl.is_default}
    assumed = {}
    for vpc in network.vpcs.values():
        if vpc.vpc_id not in having:
            acl_id = f"acl-assumed-default-{vpc.vpc_id}"
            assumed[acl_id] = NetworkAcl(acl_id, vpc.vpc_id, _allow_all(vpc), is_default=True)
            _note(found, vpc.vpc_id, f"{acl_id} is assumed: allows all, for the subnets without a described ACL")
    return assumed


def _allow_all(vpc: Vpc) -> tuple[NetworkAclEntry, ...]:
    """100 and 101 allow all, 32767 and 32768 deny; the IPv6 ones only if the VPC has an IPv6 CIDR."""
    numbers: list[tuple[int, bool, IPNetwork]] = [(100, True, _ALL_IPV4), (32767, False, _ALL_IPV4)]
    if vpc.ipv6_cidr_blocks:
        numbers += [(101, True, _ALL_IPV6), (32768, False, _ALL_IPV6)]
    entries = [
        NetworkAclEntry(number, egress, -1, allow, cidr) for egress in (False, True) for number, allow, cidr in numbers
    ]
    return tuple(sorted(entries, key=lambda entry: (entry.egress, entry.rule_number)))


def blocks_public_access(network: Network) -> bool:
    """Whether VPC Block Public Access is on anywhere, exclusions not counted (BP-01)."""
    modes = {each.mode for each in network.block_public_access}
    modes |= {vpc.internet_gateway_block_mode or "off" for vpc in network.vpcs.values()}
    modes |= {subnet.internet_gateway_block_mode or "off" for subnet in network.subnets.values()}
    return not modes <= {"off"}


def _exclusions(network: Network, found: Collector) -> frozenset[str]:
    """The key of the exclusions from Block Public Access, taken to be described as none where it is on (BP-05)."""
    key = "VpcBlockPublicAccessExclusions"
    if not blocks_public_access(network) or key in network.described_keys:
        return frozenset()
    _note(found, key, "none are assumed: VPC Block Public Access blocks everywhere")
    return frozenset({key})


def _main_tables(network: Network, found: Collector) -> dict[str, RouteTable]:
    """A main route table with the local routes for each VPC of which none is described (RT-09).

    None where not even a CIDR of the VPC is known: without a local route it would drop all.
    """
    having = {table.vpc_id for table in network.route_tables.values() if table.main}
    assumed = {}
    for vpc in network.vpcs.values():
        if vpc.vpc_id not in having and vpc.blocks:
            table_id = f"rtb-assumed-main-{vpc.vpc_id}"
            blocks: list[IPNetwork] = [*vpc.cidr_blocks]
            blocks += vpc.ipv6_cidr_blocks
            routes = tuple(Route(cidr, RouteTarget.LOCAL, "local") for cidr in blocks)
            assumed[table_id] = RouteTable(table_id, vpc.vpc_id, routes, main=True)
            message = f"{table_id} is assumed: only local routes, for the subnets without a described route table"
            _note(found, vpc.vpc_id, message)
    return assumed


def _internet_gateways(network: Network, found: Collector) -> dict[str, Gateway]:
    """The undescribed internet gateways that active routes name, attached to the VPC of the route's table (IG-12)."""
    having = set(network.internet_gateway_of)
    assumed: dict[str, Gateway] = {}
    for table in network.route_tables.values():
        for route in table.routes:
            gateway_id = route.target_id
            if (
                route.target_kind == RouteTarget.INTERNET_GATEWAY
                and not route.blackhole
                and gateway_id not in network.internet_gateways
                and gateway_id not in assumed
                and table.vpc_id not in having
            ):
                having.add(table.vpc_id)
                region = network.vpcs[table.vpc_id].region
                assumed[gateway_id] = Gateway(gateway_id, (table.vpc_id,), region)
                message = f"assumed to be attached to {table.vpc_id}: {table.route_table_id} has an active route to it"
                _note(found, gateway_id, message)
    return assumed
