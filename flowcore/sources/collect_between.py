"""Puts the answers about what stands between two interfaces into the collector, one function per top-level key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from ..model import AttachmentKind, VpcPeeringConnection
from . import answers_between as answers
from . import records_between as records
from . import records_transit as transit
from .collect import Collector, filled, simple
from .records import Scope

__all__ = ["BUILDERS"]

#: States of an association that counts.
_ASSOCIATED = (None, "", "associated")


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


# -- transit gateways ------------------------------------------------------------------------------------


def _add_gateway(answer: answers.TransitGatewayAnswer, scope: Scope, found: Collector, origin: str) -> None:
    found.keep("transit_gateways", answer.transit_gateway_id, transit.gateway(answer, scope), origin)
    options = answer.options
    if options and options.default_route_table_association == "enable" and options.association_default_route_table_id:
        table_id = options.association_default_route_table_id
        found.transit.default_tables.setdefault(answer.transit_gateway_id, table_id)


def _add_attachment_part(part: transit.AttachmentPart, found: Collector, origin: str) -> None:
    """Several answers describe one attachment, a peering even from two Regions: each fills what others do not say."""
    parts = found.transit.attachments
    found.origins.setdefault(part.attachment_id, origin)
    old = parts.get(part.attachment_id, part)
    ends = old.gateway_ids | part.gateway_ids
    parts[part.attachment_id] = merged = replace(filled(old, part), gateway_ids=ends, tags=old.tags or part.tags)
    other = replace(filled(part, old), gateway_ids=ends, tags=merged.tags)
    if other != merged or len(ends) > (2 if merged.kind in (None, AttachmentKind.PEERING) else 1):
        found.differs(part.attachment_id, origin)


def _add_attachment(
    answer: answers.TransitGatewayAttachmentAnswer, scope: Scope, found: Collector, origin: str
) -> None:
    _add_attachment_part(transit.attachment(answer, scope), found, origin)
    tables = found.transit.attachment_tables.setdefault(answer.transit_gateway_attachment_id, set())
    association = answer.association
    if association and association.transit_gateway_route_table_id and association.state in _ASSOCIATED:
        tables.add(association.transit_gateway_route_table_id)
        if answer.transit_gateway_id:
            gateways = found.transit.table_gateways
            gateways.setdefault(association.transit_gateway_route_table_id, answer.transit_gateway_id)


def _add_vpc_attachment(
    answer: answers.TransitGatewayVpcAttachmentAnswer, scope: Scope, found: Collector, origin: str
) -> None:
    _add_attachment_part(transit.vpc_attachment(answer, scope), found, origin)


def _add_peering_attachment(
    answer: answers.TransitGatewayPeeringAttachmentAnswer, scope: Scope, found: Collector, origin: str
) -> None:
    part = transit.peering_attachment(answer, scope)
    if part is None:
        message = "RequesterTgwInfo and AccepterTgwInfo are missing: not a peering attachment, not used"
        scope.issue("note", "invalid-value", answer.transit_gateway_attachment_id, message)
        return
    accepter_id = answer.accepter_transit_gateway_attachment_id
    if accepter_id and accepter_id != part.attachment_id:
        found.transit.other_names.setdefault(accepter_id, part.attachment_id)
    _add_attachment_part(part, found, origin)


def _add_table(answer: answers.TransitGatewayRouteTableAnswer, scope: Scope, found: Collector, origin: str) -> None:
    if answer.state not in ("deleting", "deleted"):
        table_id = answer.transit_gateway_route_table_id
        found.keep("transit_gateway_route_tables", table_id, transit.route_table(answer, scope), origin)


def _add_routes(key: str, kind: str) -> Callable[..., None]:
    def add(answer: answers.TransitGatewayRoutesWrapper, scope: Scope, found: Collector, origin: str) -> None:
        parts: dict[str, transit.RoutesPart] = getattr(found.transit, kind)
        table_id = answer.transit_gateway_route_table_id
        found.pages.add(key, table_id, scope.is_cut or bool(answer.next_token), origin)
        transit.routes(answer, scope, parts.setdefault(table_id, transit.RoutesPart()))
        found.origins.setdefault(table_id, origin)

    return add


def _add_propagations(
    answer: answers.TransitGatewayPropagationsWrapper, scope: Scope, found: Collector, origin: str
) -> None:
    table_id = answer.transit_gateway_route_table_id
    found.pages.add("TransitGatewayPropagations", table_id, scope.is_cut or bool(answer.next_token), origin)
    found.origins.setdefault(table_id, origin)
    kinds = found.transit.propagations.setdefault(table_id, {})
    for item in answer.transit_gateway_route_table_propagations:
        if item.transit_gateway_attachment_id and item.state in (None, "", "enabled"):
            kinds.setdefault(item.transit_gateway_attachment_id, item.resource_type or None)


def _add_associations(
    answer: answers.TransitGatewayAssociationsWrapper, scope: Scope, found: Collector, origin: str
) -> None:
    table_id = answer.transit_gateway_route_table_id
    found.pages.add("TransitGatewayAssociations", table_id, scope.is_cut or bool(answer.next_token), origin)
    found.origins.setdefault(table_id, origin)
    members = found.transit.table_attachments.setdefault(table_id, set())
    for item in answer.associations:
        if item.transit_gateway_attachment_id and item.state in _ASSOCIATED:
            members.add(item.transit_gateway_attachment_id)


def _add_list_reference(answer: answers.PrefixListReferenceAnswer, scope: Scope, found: Collector, origin: str) -> None:
    route = transit.prefix_list_route(answer, scope)
    if route is not None:
        routes = found.transit.list_routes.setdefault(answer.transit_gateway_route_table_id, {})
        routes.setdefault(answer.prefix_list_id, route)
        found.origins.setdefault(answer.transit_gateway_route_table_id, origin)


#: Top-level key -> what puts one of its records into the collector.
BUILDERS: Mapping[str, Callable[[Any, Scope, Collector, str], None]] = MappingProxyType(
    {
        "VpcPeeringConnections": _add_peering,
        "NatGateways": simple("nat_gateways", records.nat_gateway, "nat_gateway_id"),
        "VpcEndpoints": simple("vpc_endpoints", records.vpc_endpoint, "vpc_endpoint_id"),
        "VpnConnections": simple("vpn_connections", records.vpn_connection, "vpn_connection_id"),
        "SecurityGroupVpcAssociations": _add_group_association,
        "TransitGateways": _add_gateway,
        "TransitGatewayAttachments": _add_attachment,
        "TransitGatewayVpcAttachments": _add_vpc_attachment,
        "TransitGatewayPeeringAttachments": _add_peering_attachment,
        "TransitGatewayRouteTables": _add_table,
        "TransitGatewayRoutes": _add_routes("TransitGatewayRoutes", "routes"),
        "TransitGatewayStaticRoutes": _add_routes("TransitGatewayStaticRoutes", "static_routes"),
        "TransitGatewayPropagations": _add_propagations,
        "TransitGatewayAssociations": _add_associations,
        "TransitGatewayPrefixListReferences": _add_list_reference,
    }
)
