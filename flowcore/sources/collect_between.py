"""Puts the answers about what stands between two interfaces into the collector, one function per top-level key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..model import VpcPeeringConnection
from . import answers_between as answers
from . import records_between as records
from .collect import Collector, filled, simple
from .records import Scope

__all__ = ["BUILDERS"]


def _add_peering(answer: answers.VpcPeeringConnectionAnswer, scope: Scope, found: Collector, origin: str) -> None:
    """Both accounts describe one peering, and not all of both ends."""
    new = records.peering_connection(answer, scope)
    peerings: dict[str, VpcPeeringConnection] = found.tables.setdefault("peering_connections", {})
    old = peerings.get(new.peering_id, new)
    peerings[new.peering_id] = merged = _with_blocks(filled(old, new), new)
    if _with_blocks(filled(new, old), old) != merged:
        found.differs(new.peering_id, origin)
    found.origins.setdefault(new.peering_id, origin)


def _with_blocks(peering: VpcPeeringConnection, other: VpcPeeringConnection) -> VpcPeeringConnection:
    return replace(
        peering,
        requester_cidr_blocks=peering.requester_cidr_blocks or other.requester_cidr_blocks,
        accepter_cidr_blocks=peering.accepter_cidr_blocks or other.accepter_cidr_blocks,
    )


def _add_group_association(answer: answers.GroupVpcAssociation, scope: Scope, found: Collector, origin: str) -> None:
    if answer.state in (None, "", "associated"):
        found.group_vpcs.setdefault(answer.group_id, set()).add(answer.vpc_id)
        found.origins.setdefault(answer.group_id, origin)


#: Top-level key -> what puts one of its records into the collector.
BUILDERS: Mapping[str, Callable[[Any, Scope, Collector, str], None]] = MappingProxyType(
    {
        "VpcPeeringConnections": _add_peering,
        "NatGateways": simple("nat_gateways", records.nat_gateway, "nat_gateway_id"),
        "VpcEndpoints": simple("vpc_endpoints", records.vpc_endpoint, "vpc_endpoint_id"),
        "VpnConnections": simple("vpn_connections", records.vpn_connection, "vpn_connection_id"),
        "SecurityGroupVpcAssociations": _add_group_association,
    }
)
