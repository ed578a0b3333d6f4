"""What stands between two interfaces, put together from several answers."""

from __future__ import annotations

from dataclasses import replace

from ..model import NatGateway, NetworkInterface, VpcEndpoint
from .assemble_balancers import settle_load_balancers
from .assemble_transit import settle_transit_gateways
from .collect import Collector
from .records_between import firewall_endpoint_ids

__all__ = ["settle_between"]

_FIREWALL_KEYS = ("Firewalls", "Firewall", "FirewallStatus")


def settle_between(found: Collector) -> None:
    """Completes what one answer alone does not say."""
    _mark_firewall_endpoints(found)
    _mark_nat_interfaces(found)
    settle_transit_gateways(found)
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
