"""Answers about peerings, NAT gateways, endpoints and VPN as records of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..model import (
    IPNetwork,
    NatGateway,
    NatGatewayAddress,
    VpcEndpoint,
    VpcPeeringConnection,
    VpnConnection,
)
from . import answers_between as answers
from .records import Scope, tags_of
from .values import BadValueError, ipv4_address, ipv4_network, ipv6_network, network

__all__ = ["firewall_endpoint_ids", "nat_gateway", "peering_connection", "vpc_endpoint", "vpn_connection"]

_ENDPOINT_TYPES = ("Interface", "Gateway", "GatewayLoadBalancer", "Resource", "ServiceNetwork")


def one_of(text: str, allowed: Iterable[str], *steps: str | int) -> str:
    """The value as it stands in `allowed`, whatever its case."""
    for word in allowed:
        if word.lower() == text.lower():
            return word
    raise BadValueError(text, f"one of {', '.join(allowed)}", *steps)


def peering_connection(answer: answers.VpcPeeringConnectionAnswer, scope: Scope) -> VpcPeeringConnection:
    """A peering connection; the ends of a deleted one may be None, its CIDRs () (PX-07)."""
    requester = answer.requester_vpc_info or answers.PeeringEnd()
    accepter = answer.accepter_vpc_info or answers.PeeringEnd()
    return VpcPeeringConnection(
        peering_id=answer.vpc_peering_connection_id,
        status=answer.status.code,
        requester_vpc_id=requester.vpc_id or None,
        accepter_vpc_id=accepter.vpc_id or None,
        requester_region=requester.region or None,
        accepter_region=accepter.region or None,
        requester_cidr_blocks=_peering_blocks(requester, "RequesterVpcInfo"),
        accepter_cidr_blocks=_peering_blocks(accepter, "AccepterVpcInfo"),
    )


def _peering_blocks(end: answers.PeeringEnd, name: str) -> tuple[IPNetwork, ...]:
    found: dict[IPNetwork, bool] = {}
    if end.cidr_block:
        found[ipv4_network(end.cidr_block, name, "CidrBlock")] = True
    for i, item in enumerate(end.cidr_block_set or ()):
        found[ipv4_network(item.cidr_block, name, "CidrBlockSet", i, "CidrBlock")] = True
    for i, item6 in enumerate(end.ipv6_cidr_block_set or ()):
        found[ipv6_network(item6.ipv6_cidr_block, name, "Ipv6CidrBlockSet", i, "Ipv6CidrBlock")] = True
    return tuple(found)


def nat_gateway(answer: answers.NatGatewayAnswer, scope: Scope) -> NatGateway:
    """A NAT gateway with the addresses it uses; a regional one has no subnet (NG-02)."""
    kind = one_of(answer.connectivity_type or "public", ("public", "private"), "ConnectivityType")
    mode = one_of(answer.availability_mode or "zonal", ("zonal", "regional"), "AvailabilityMode")
    return NatGateway(
        nat_gateway_id=answer.nat_gateway_id,
        vpc_id=answer.vpc_id or None,
        subnet_id=answer.subnet_id or None,
        state=answer.state or None,
        public=kind == "public",
        regional=mode == "regional",
        route_table_id=answer.route_table_id or None,
        addresses=tuple(_nat_addresses(answer.nat_gateway_addresses or ())),
        region=scope.region,
        owner_id=scope.account,
        tags=tags_of(answer.tags),
    )


def _nat_addresses(items: Iterable[answers.NatGatewayAddressAnswer]) -> list[NatGatewayAddress]:
    """Those in use, the primary one first; where none says that it is primary, the first one is."""
    found = []
    for i, item in enumerate(items):
        steps = "NatGatewayAddresses", i
        private = ipv4_address(item.private_ip, *steps, "PrivateIp") if item.private_ip else None
        public = ipv4_address(item.public_ip, *steps, "PublicIp") if item.public_ip else None
        if item.status in (None, "", "succeeded"):
            zone = item.availability_zone or item.availability_zone_id or None
            interface_id, primary = item.network_interface_id or None, bool(item.is_primary)
            found.append(NatGatewayAddress(private, public, interface_id, primary, zone))
    found.sort(key=lambda address: not address.primary)
    if found and not found[0].primary:
        first = found[0]
        found[0] = NatGatewayAddress(
            first.private_address, first.public_address, first.interface_id, True, first.availability_zone
        )
    return found


def vpc_endpoint(answer: answers.VpcEndpointAnswer, scope: Scope) -> VpcEndpoint:
    """An endpoint. A Network Firewall's is known by the tag AWS puts on it; others by the firewall's own answer."""
    kind = one_of(answer.vpc_endpoint_type or "Gateway", _ENDPOINT_TYPES, "VpcEndpointType")
    tags = tags_of(answer.tags)
    managed = tags.get("AWSNetworkFirewallManaged", "").lower() == "true"
    return VpcEndpoint(
        endpoint_id=answer.vpc_endpoint_id,
        endpoint_type=kind,
        vpc_id=answer.vpc_id or None,
        state=answer.state.lower() if answer.state else None,
        service_name=answer.service_name or None,
        route_table_ids=tuple(sorted(set(answer.route_table_ids or ()))),
        subnet_ids=tuple(sorted(set(answer.subnet_ids or ()))),
        interface_ids=tuple(sorted(set(answer.network_interface_ids or ()))),
        network_firewall=managed and kind == "GatewayLoadBalancer",
        region=scope.region,
        owner_id=answer.owner_id or None,
        tags=tags,
    )


def firewall_endpoint_ids(value: Any) -> Iterator[str]:
    """Every EndpointId inside answers of Network Firewall (`FirewallStatus.SyncStates.<zone>.Attachment`)."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "EndpointId" and isinstance(child, str):
                yield child
            else:
                yield from firewall_endpoint_ids(child)
    elif isinstance(value, (list, tuple)):
        for child in value:
            yield from firewall_endpoint_ids(child)


def vpn_connection(answer: answers.VpnConnectionAnswer, scope: Scope) -> VpnConnection:
    """A Site-to-Site VPN connection with those of its static routes that hold (VG-01)."""
    destinations = dict.fromkeys(
        network(route.destination_cidr_block, "Routes", i, "DestinationCidrBlock")
        for i, route in enumerate(answer.routes or ())
        if route.state in (None, "", "available")
    )
    return VpnConnection(
        vpn_connection_id=answer.vpn_connection_id,
        state=answer.state or None,
        vpn_gateway_id=answer.vpn_gateway_id or None,
        transit_gateway_id=answer.transit_gateway_id or None,
        static_routes_only=bool(answer.options and answer.options.static_routes_only),
        destinations=tuple(sorted(destinations, key=lambda net: (net.version, net))),
    )
