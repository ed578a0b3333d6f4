"""What stands between two interfaces, put together from several answers."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address

from ..model import NatGateway, NatGatewayAddress, NetworkInterface, VpcEndpoint
from .assemble_balancers import settle_load_balancers
from .collect import Collector
from .records_between import firewall_endpoint_ids

__all__ = ["settle_between"]

_NAT_INTERFACE = re.compile(r"Interface for NAT Gateway (nat-[0-9a-z]{1,64})")
_FIREWALL_KEYS = ("Firewalls", "Firewall", "FirewallStatus")


def settle_between(found: Collector) -> None:
    """Completes what one answer alone does not say."""
    _mark_firewall_endpoints(found)
    _mark_nat_interfaces(found)
    _add_nat_gateways(found)
    settle_load_balancers(found)


def _mark_firewall_endpoints(found: Collector) -> None:
    endpoints: dict[str, VpcEndpoint] = found.tables.get("vpc_endpoints", {})
    for key in _FIREWALL_KEYS:
        for endpoint_id in firewall_endpoint_ids(found.other.get(key, ())):
            if endpoint_id in endpoints:
                endpoints[endpoint_id] = replace(endpoints[endpoint_id], network_firewall=True)


def _mark_nat_interfaces(found: Collector) -> None:
    """An interface that a NAT gateway names is one of its own, whatever type its answer gives."""
    interfaces: dict[str, NetworkInterface] = found.tables.get("interfaces", {})
    gateways: dict[str, NatGateway] = found.tables.get("nat_gateways", {})
    for gateway in gateways.values():
        for address in gateway.addresses:
            interface = interfaces.get(address.interface_id or "")
            if interface is not None and interface.interface_type == "interface":
                interfaces[interface.interface_id] = replace(interface, interface_type="nat_gateway")


def _add_nat_gateways(found: Collector) -> None:
    """NAT gateways of which only the interface is described: it holds the addresses that a zonal one uses (NG-01)."""
    gateways: dict[str, NatGateway] = found.tables.setdefault("nat_gateways", {})
    interfaces: dict[str, NetworkInterface] = found.tables.get("interfaces", {})
    for interface in (interfaces[key] for key in sorted(interfaces)):
        named = _NAT_INTERFACE.fullmatch(interface.description or "")
        if interface.interface_type != "nat_gateway" or not named or not interface.subnet_id or interface.detached:
            continue
        gateway_id = named.group(1)
        if gateway_id in gateways:
            continue
        gateways[gateway_id] = _nat_gateway_of(gateway_id, interface)
        origin = found.origins.get(interface.interface_id, "")
        found.origins.setdefault(gateway_id, origin)
        message = f"the NAT gateway is not described: it is taken from its interface {interface.interface_id}"
        found.issue("note", "dangling-reference", gateway_id, message, origin)


def _nat_gateway_of(gateway_id: str, interface: NetworkInterface) -> NatGateway:
    addresses = tuple(
        NatGatewayAddress(own.address, own.public_address, interface.interface_id, own.primary)
        for own in sorted(interface.addresses, key=lambda each: not each.primary)
        if isinstance(own.address, IPv4Address)
    )
    return NatGateway(
        nat_gateway_id=gateway_id,
        vpc_id=interface.vpc_id,
        subnet_id=interface.subnet_id,
        public=any(address.public_address is not None for address in addresses),
        addresses=addresses,
        region=interface.region,
        owner_id=interface.owner_id,
    )
