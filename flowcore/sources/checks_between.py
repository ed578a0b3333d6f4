"""Checks what stands between two interfaces: references that dangle, answers that are missing, states."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from ..model import (
    WORKING_STATES,
    AttachmentKind,
    LoadBalancer,
    Network,
    RouteTarget,
    TargetGroup,
    VpnConnection,
    is_working,
)
from .assemble import some
from .collect import Collector
from .records_transit import UNDESCRIBED
from .references import Dangling, list_reference, note_state

__all__ = ["check_between"]

_ATTACHMENT_INTERFACE = re.compile(r"Network Interface for Transit Gateway Attachment (tgw-attach-[0-9a-z]{1,64})")
_NODE_TYPES = frozenset({"load_balancer", "network_load_balancer", "classic_load_balancer"})
_WORKING = {
    "nat_gateways": ("the NAT gateway", *WORKING_STATES),
    "vpc_endpoints": ("the endpoint", *WORKING_STATES),
    "transit_gateways": ("the transit gateway", *WORKING_STATES),
    "transit_gateway_attachments": ("the attachment", *WORKING_STATES),
    "vpn_connections": ("the VPN connection", *WORKING_STATES),
    "load_balancers": ("the load balancer", "active", "active_impaired"),
}


def check_between(network: Network, found: Collector) -> None:
    """Adds the issues of what stands between two interfaces to the collector."""
    _missing_answers(network, found)
    _gateway_references(network, found)
    _attachment_references(network, found)
    _transit_routes(network, found)
    _balancer_references(network, found)
    _target_references(network, found)
    _answers_for_nothing(network, found)
    _nodes(network, found)
    _groups_elsewhere(network, found)
    _between_states(network, found)


def _missing_answers(network: Network, found: Collector) -> None:
    """Answers that other answers show to be needed. Each line: whether it is needed, the keys that would do, why."""
    balancers = [each for each in network.load_balancers.values() if each.kind != "classic"]
    needed: list[tuple[bool, tuple[str, ...], str]] = [
        (
            bool(network.transit_gateways or _attachment_interfaces(network)),
            ("TransitGatewayAttachments", "TransitGatewayVpcAttachments"),
            "flows to transit gateways are UNKNOWN",
        ),
        (
            any(each.kind == AttachmentKind.VPC for each in network.transit_gateway_attachments.values()),
            ("TransitGatewayVpcAttachments",),
            "the subnets of attachments are not known: flows to transit gateways are UNKNOWN",
        ),
        (
            bool(network.transit_gateway_attachments),
            ("TransitGatewayRoutes", "TransitGatewayStaticRoutes", "TransitGatewayPropagations"),
            "routes of transit gateways are not known: flows through them are UNKNOWN",
        ),
        (bool(balancers), ("Listeners", "LoadBalancerListeners"), "flows to load balancers are UNKNOWN"),
        (bool(balancers), ("TargetGroups",), "flows to load balancers are UNKNOWN"),
        (
            any(
                target.target_id not in network.instances
                for group in network.target_groups.values()
                if group.target_type == "instance"
                for target in group.targets or ()
            ),
            ("Reservations", "Instances"),
            "which interface is a target instance's primary one is not known: whether it is reached is UNKNOWN",
        ),
        (
            _asks_for_direct_connect(network),
            ("virtualInterfaces", "directConnectGateways"),
            "whether a Direct Connect stands beside a VPN connection is not known: flows by static routes to virtual "
            "private gateways may be UNKNOWN",
        ),
        (
            any(each.kind == "application" for each in balancers),
            ("Rules", "LoadBalancerRules"),
            "Application Load Balancers may lead to further target groups",
        ),
        (
            any(each.targets is None and each.target_type != "lambda" for each in network.target_groups.values()),
            ("LoadBalancerTargetHealth",),
            "targets are not known: flows to load balancers are UNKNOWN",
        ),
    ]
    for is_needed, keys, consequence in needed:
        if is_needed and not found.keys & set(keys):
            message = f"no file holds {' or '.join(keys)}: {consequence}"
            found.issue("warning", "missing-file", keys[0], message)
    _assumed_preservation(network, found)


def _asks_for_direct_connect(network: Network) -> bool:
    """Whether a static route leads to a virtual private gateway with VPN connections that may not carry all (VG-01)."""
    connections: dict[str, list[VpnConnection]] = {}
    for each in network.vpn_connections.values():
        connections.setdefault(each.vpn_gateway_id or "", []).append(each)
    narrow = {
        gateway_id
        for gateway_id, own in connections.items()
        if all(each.static_routes_only for each in own if is_working(each.state))
    }
    return any(
        route.target_id in narrow and not route.propagated and not route.blackhole
        for table in network.route_tables.values()
        for route in table.routes
        if route.target_kind == RouteTarget.VIRTUAL_PRIVATE_GATEWAY
    )


def _assumed_preservation(network: Network, found: Collector) -> None:
    """NL-05: where the attributes of a Network Load Balancer's target group are missing, AWS's default is taken."""
    used = {
        group_id
        for balancer in network.load_balancers.values()
        if balancer.kind == "network"
        for listener in balancer.listeners or ()
        for group_id in listener.target_group_ids
    }
    missing = [
        group.name or group.target_group_id
        for group in network.target_groups.values()
        if group.target_group_id in used
        and group.preserve_client_ip is None
        and group.target_type in ("instance", "ip")
    ]
    if missing:
        message = (
            "MISSING_TARGET_GROUP_ATTRIBUTES: preserve_client_ip.enabled is not described, AWS's default for the type "
            f"and protocol is taken (NL-05): {some(missing)}"
        )
        found.issue("note", "assumed-default", "TargetGroupAttributes", message)


def _attachment_interfaces(network: Network) -> dict[str, list[str]]:
    """Attachment id -> the interfaces whose description names it: the attachment exists, wherever it leads."""
    named: dict[str, list[str]] = {}
    for interface in network.interfaces.values():
        match = _ATTACHMENT_INTERFACE.fullmatch(interface.description or "")
        if match and interface.interface_type == "transit_gateway":
            named.setdefault(match.group(1), []).append(interface.interface_id)
    return named


# -- references ------------------------------------------------------------------------------------------


def _gateway_references(network: Network, found: Collector) -> None:
    unknown = "flows that take it may be UNKNOWN"
    subnet = Dangling(found, "warning", "the subnet", unknown, network.subnets)
    interface = Dangling(found, "note", "the interface", unknown, network.interfaces)
    table = Dangling(found, "warning", "the route table", unknown, network.route_tables)
    vpn_gateway = Dangling(found, "note", "the virtual private gateway", "it is not used", network.vpn_gateways)
    vpc = Dangling(found, "note", "the VPC", "flows through the peering connection are UNKNOWN", network.vpcs)
    for gateway in network.nat_gateways.values():
        if is_working(gateway.state):
            subnet.check([gateway.subnet_id], gateway.nat_gateway_id)
            table.check([gateway.route_table_id], gateway.nat_gateway_id)
            interface.check([each.interface_id for each in gateway.addresses], gateway.nat_gateway_id)
    for endpoint in network.vpc_endpoints.values():
        if is_working(endpoint.state):
            subnet.check(endpoint.subnet_ids, endpoint.endpoint_id)
            interface.check(endpoint.interface_ids, endpoint.endpoint_id)
    for connection in network.vpn_connections.values():
        vpn_gateway.check([connection.vpn_gateway_id], connection.vpn_connection_id)
    for peering in network.peering_connections.values():
        if peering.status == "active":
            vpc.check([peering.requester_vpc_id, peering.accepter_vpc_id], peering.peering_id)
    for dangling in (subnet, interface, table, vpn_gateway, vpc):
        dangling.report()


def _attachment_references(network: Network, found: Collector) -> None:
    unknown = "flows through the transit gateway may be UNKNOWN"
    subnet = Dangling(found, "warning", "the subnet", unknown, network.subnets)
    vpc = Dangling(found, "note", "the VPC", unknown, network.vpcs)
    gateway = Dangling(found, "note", "the transit gateway", unknown, network.transit_gateways)
    connection = Dangling(found, "note", "the VPN connection", "its state is not known", network.vpn_connections)
    for attachment in network.transit_gateway_attachments.values():
        if not is_working(attachment.state):
            continue
        name = attachment.attachment_id
        gateway.check([attachment.transit_gateway_id, attachment.peer_transit_gateway_id], name)
        if attachment.kind == AttachmentKind.VPC:
            vpc.check([attachment.resource_id], name)
            if attachment.resource_id in network.vpcs:
                subnet.check(attachment.subnet_ids or (), name)
        elif attachment.kind == AttachmentKind.VPN:
            connection.check([attachment.resource_id], name)
    only_seen = Dangling(
        found, "warning", "the attachment", unknown.replace("may be", "are"), network.transit_gateway_attachments
    )
    for attachment_id, names in _attachment_interfaces(network).items():
        for name in names:
            only_seen.check([attachment_id], name)
    for dangling in (subnet, vpc, gateway, connection, only_seen):
        dangling.report()


def _transit_routes(network: Network, found: Collector) -> None:
    unknown = "flows that take these routes are UNKNOWN"
    attachment = Dangling(found, "warning", "the attachment", unknown, network.transit_gateway_attachments)
    member = Dangling(
        found, "note", "the attachment", "it is associated all the same", network.transit_gateway_attachments
    )
    lists = Dangling(found, "warning", "the prefix list", "flows that only these routes could match are UNKNOWN")
    without = Dangling(found, "warning", "what the prefix list holds", "flows that only it could match are UNKNOWN")
    for table in network.transit_gateway_route_tables.values():
        name = table.route_table_id
        member.check(table.attachment_ids or (), name)
        for route in table.routes or ():
            attachment.check([each for each in route.attachment_ids if each != UNDESCRIBED], name)
            if isinstance(route.destination, str):
                list_reference(network, route.destination, name, lists, without)
            if route.blackhole:
                note_state(found, name, f"the route to {route.destination} is a black hole")
    for dangling in (attachment, member, lists, without):
        dangling.report()


def _balancer_references(network: Network, found: Collector) -> None:
    unknown = "flows to the load balancer may be UNKNOWN"
    subnet = Dangling(found, "warning", "the subnet", unknown, network.subnets)
    security_group = Dangling(found, "note", "the security group", unknown, network.security_groups)
    group = Dangling(found, "warning", "the target group", unknown, network.target_groups)
    for balancer in network.load_balancers.values():
        subnet.check(balancer.subnet_ids, balancer.load_balancer_id)
        security_group.check(balancer.group_ids, balancer.load_balancer_id)
        for listener in balancer.listeners or ():
            group.check(listener.target_group_ids, listener.listener_id or balancer.load_balancer_id)
    for dangling in (subnet, security_group, group):
        dangling.report()


def _target_references(network: Network, found: Collector) -> None:
    unknown = "whether this target is reached is UNKNOWN"
    instance = Dangling(found, "warning", "the instance", unknown, network.instances)
    balancer = Dangling(found, "warning", "the load balancer", unknown, network.load_balancers)
    held: set[tuple[str | None, Any]] = {
        (interface.vpc_id, each)
        for interface in network.interfaces.values()
        for each in (*(own.address for own in interface.addresses), *interface.prefixes)
    }
    for group in network.target_groups.values():
        ids = [target.target_id for target in group.targets or ()]
        if group.target_type == "instance":
            instance.check(ids, group.target_group_id)
        elif group.target_type == "alb":
            balancer.check(ids, group.target_group_id)
        elif group.target_type == "ip":
            _lost_addresses(network, group, ids, held, found)
    instance.report()
    balancer.report()


def _lost_addresses(
    network: Network, group: TargetGroup, ids: list[str], held: set[tuple[str | None, Any]], found: Collector
) -> None:
    """Targets inside the CIDRs of their VPC that no interface holds; `held`: addresses, delegated prefixes (EN-02)."""
    vpc = network.vpcs.get(group.vpc_id or "")
    lost = []
    for address in map(ip_address, ids):
        inside = vpc and any(address.version == block.version and address in block for block in vpc.blocks)
        around = (ip_network((address, length), strict=False) for length in range(address.max_prefixlen + 1))
        if inside and all((group.vpc_id, each) not in held for each in (address, *around)):
            lost.append(str(address))
    if lost:
        message = f"no described interface holds the targets {some(lost)}: whether they are reached is UNKNOWN"
        origin = found.origins.get(group.target_group_id, "")
        found.issue("warning", "dangling-reference", group.target_group_id, message, origin)


def _answers_for_nothing(network: Network, found: Collector) -> None:
    """Listeners, rules, attributes and targets of what is not described."""
    parts = found.balancers
    listeners = {name for known in parts.listeners.values() for name in known}
    lines: list[tuple[str, Container[str], dict[str, Iterable[str]]]] = [
        ("the load balancer", network.load_balancers, {"Listeners": parts.listeners}),
        ("the listener", listeners, {"Rules": parts.rules}),
        (
            "the target group",
            network.target_groups,
            {"TargetGroupAttributes": parts.group_attributes, "LoadBalancerTargetHealth": parts.targets},
        ),
    ]
    for what, known, named in lines:
        dangling = Dangling(found, "note", what, "what is said of it is not used", known)
        for key, ids in named.items():
            dangling.check(ids, key)
        dangling.report()


# -- nodes, groups, states -------------------------------------------------------------------------------


def _nodes(network: Network, found: Collector) -> None:
    for balancer in network.load_balancers.values():
        if not balancer.interface_ids and balancer.kind != "gateway" and balancer.state != "failed":
            message = "no interface of the load balancer is described: flows to it cannot be found"
            found.issue("warning", "incomplete", balancer.load_balancer_id, message, _origin(found, balancer))
    lost = Dangling(found, "warning", "the load balancer", "flows to its interfaces are UNKNOWN")
    for interface in network.interfaces.values():
        if interface.interface_type in _NODE_TYPES and interface.interface_id not in network.load_balancer_of:
            name = (interface.description or "").removeprefix("ELB ")
            fit = name.isascii() and name.isprintable() and 0 < len(name) < 200
            lost.add(name if fit else "load balancer of " + interface.interface_id, interface.interface_id)
    lost.report()


def _origin(found: Collector, balancer: LoadBalancer) -> str:
    return found.origins.get(balancer.load_balancer_id, "")


def _groups_elsewhere(network: Network, found: Collector) -> None:
    """SG-27: an interface carries a group of another VPC that is not associated with its own."""
    for group in network.security_groups.values():
        vpcs = {group.vpc_id, *group.associated_vpc_ids, None}
        strange = [each.interface_id for each in network.members.get(group.group_id, ()) if each.vpc_id not in vpcs]
        if group.vpc_id and strange:
            message = f"is carried in other VPCs than {group.vpc_id}, with which it is not associated: {some(strange)}"
            found.issue("note", "conflict", group.group_id, message, found.origins.get(group.group_id, ""))


def _between_states(network: Network, found: Collector) -> None:
    for table, (what, *working) in _WORKING.items():
        records: Mapping[str, Any] = getattr(network, table)
        for record_id, record in records.items():
            if record.state not in (None, *working):
                note_state(found, record_id, f"{what} is {record.state}: what goes through it is REJECT(BAD_STATE…)")
    for peering in network.peering_connections.values():
        if peering.status != "active":
            message = f"the peering connection is {peering.status}: what goes through it is REJECT(BAD_STATE)"
            note_state(found, peering.peering_id, message)
