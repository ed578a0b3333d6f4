"""Answers about transit gateways as records, and as the parts that attachments and tables are put together from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import AttachmentKind, TransitGateway, TransitGatewayRoute, TransitGatewayRouteTable
from . import answers_between as answers
from .records import Scope, tags_of
from .values import BadValueError, network, region_of

__all__ = [
    "UNDESCRIBED",
    "AttachmentPart",
    "RoutesPart",
    "attachment",
    "gateway",
    "peering_attachment",
    "prefix_list_route",
    "route_table",
    "routes",
    "vpc_attachment",
]

#: Stands for the attachment of a route that names none, or whose state is not known: flows that take it are UNKNOWN.
UNDESCRIBED = "tgw-attach-undescribed"

_KINDS = {"tgw-peering": AttachmentKind.PEERING}
_GONE = ("deleted", "deleting", "pending")


@dataclass(frozen=True, slots=True)
class AttachmentPart:
    """What one answer says of an attachment; None where it does not say."""

    attachment_id: str
    gateway_ids: frozenset[str]
    """One; two for a peering attachment of which both ends are known."""
    kind: str | None = None
    resource_id: str | None = None
    state: str | None = None
    subnet_ids: tuple[str, ...] | None = None
    appliance_mode: bool | None = None
    security_group_referencing: bool | None = None
    ipv6: bool | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RoutesPart:
    """Routes of one table, gathered from its answers. Lists of destinations that came from a prefix list go last."""

    plain: dict[TransitGatewayRoute, bool] = field(default_factory=dict)
    from_lists: dict[TransitGatewayRoute, bool] = field(default_factory=dict)
    list_ids: set[str] = field(default_factory=set)
    complete: bool = True

    @property
    def routes(self) -> list[TransitGatewayRoute]:
        return list({**self.plain, **self.from_lists})


def _switch(text: str | None, *steps: str | int) -> bool | None:
    """AWS's enable and disable; None where it is not said."""
    if not text:
        return None
    if text not in ("enable", "disable"):
        raise BadValueError(text, "enable or disable", *steps)
    return text == "enable"


def gateway(answer: answers.TransitGatewayAnswer, scope: Scope) -> TransitGateway:
    """A transit gateway."""
    support = answer.options.security_group_referencing_support if answer.options else None
    return TransitGateway(
        transit_gateway_id=answer.transit_gateway_id,
        state=answer.state or None,
        security_group_referencing=bool(_switch(support, "Options", "SecurityGroupReferencingSupport")),
        region=scope.region or region_of(answer.transit_gateway_arn),
        owner_id=answer.owner_id or None,
        tags=tags_of(answer.tags),
    )


def _ends(*gateway_ids: str | None) -> frozenset[str]:
    return frozenset(gateway_id for gateway_id in gateway_ids if gateway_id)


def attachment(answer: answers.TransitGatewayAttachmentAnswer, scope: Scope) -> AttachmentPart:
    """What describe-transit-gateway-attachments says. A peering's resource is the transit gateway at its other end."""
    kind = _KINDS.get(answer.resource_type or "", answer.resource_type or None)
    peering = kind == AttachmentKind.PEERING
    return AttachmentPart(
        attachment_id=answer.transit_gateway_attachment_id,
        gateway_ids=_ends(answer.transit_gateway_id, answer.resource_id if peering else None),
        kind=kind,
        resource_id=None if peering else answer.resource_id or None,
        state=answer.state or None,
        owner_id=None if peering else answer.resource_owner_id or None,
        tags=tags_of(answer.tags),
    )


def vpc_attachment(answer: answers.TransitGatewayVpcAttachmentAnswer, scope: Scope) -> AttachmentPart:
    """What describe-transit-gateway-vpc-attachments says."""
    options = answer.options or answers.AttachmentOptions()
    referencing = options.security_group_referencing_support
    return AttachmentPart(
        attachment_id=answer.transit_gateway_attachment_id,
        gateway_ids=_ends(answer.transit_gateway_id),
        kind=AttachmentKind.VPC,
        resource_id=answer.vpc_id or None,
        state=answer.state or None,
        subnet_ids=None if answer.subnet_ids is None else tuple(sorted(set(answer.subnet_ids))),
        appliance_mode=_switch(options.appliance_mode_support, "Options", "ApplianceModeSupport"),
        security_group_referencing=_switch(referencing, "Options", "SecurityGroupReferencingSupport"),
        ipv6=_switch(options.ipv6_support, "Options", "Ipv6Support"),
        owner_id=answer.vpc_owner_id or None,
        tags=tags_of(answer.tags),
    )


def peering_attachment(answer: answers.TransitGatewayPeeringAttachmentAnswer, scope: Scope) -> AttachmentPart | None:
    """What describe-transit-gateway-peering-attachments says; None for a record without ends, which is no peering."""
    requester, accepter = answer.requester_tgw_info, answer.accepter_tgw_info
    if requester is None and accepter is None:
        return None
    ends = _ends(*(end.transit_gateway_id for end in (requester, accepter) if end))
    return AttachmentPart(
        attachment_id=answer.transit_gateway_attachment_id,
        gateway_ids=ends,
        kind=AttachmentKind.PEERING,
        state=answer.state or None,
        tags=tags_of(answer.tags),
    )


def route_table(answer: answers.TransitGatewayRouteTableAnswer, scope: Scope) -> TransitGatewayRouteTable:
    """A route table; its routes and associations are in other answers."""
    return TransitGatewayRouteTable(
        route_table_id=answer.transit_gateway_route_table_id,
        transit_gateway_id=answer.transit_gateway_id,
        tags=tags_of(answer.tags),
    )


def routes(answer: answers.TransitGatewayRoutesWrapper, scope: Scope, part: RoutesPart) -> None:
    """Adds the routes of one answer about a table to `part`."""
    table_id = answer.transit_gateway_route_table_id
    if answer.additional_routes_available and not answer.next_token:  # with a token, the next page has them
        part.complete = False
        message = "not all routes of the table are described; flows that find none are UNKNOWN"
        scope.issue("warning", "incomplete", table_id, message)
    for i, item in enumerate(answer.routes):
        if item.state in _GONE:
            continue
        into = part.from_lists if item.prefix_list_id else part.plain
        into[_route(item, i, table_id, scope)] = True
        if item.prefix_list_id:
            part.list_ids.add(item.prefix_list_id)


def _route(item: answers.TransitGatewayRouteAnswer, i: int, table_id: str, scope: Scope) -> TransitGatewayRoute:
    if item.destination_cidr_block:
        destination = network(item.destination_cidr_block, "Routes", i, "DestinationCidrBlock")
    elif not item.prefix_list_id:
        raise BadValueError(None, "DestinationCidrBlock or PrefixListId", "Routes", i)
    known = item.state in (None, "", "active", "blackhole") and item.type in (None, "", "static", "propagated")
    attachments = item.transit_gateway_attachments or []
    ids = {each.transit_gateway_attachment_id for each in attachments if each.transit_gateway_attachment_id}
    blackhole = known and item.state == "blackhole"
    if not blackhole and not (known and ids):
        name = item.destination_cidr_block or item.prefix_list_id
        what = "names no attachment" if known else f"has State {item.state!r} or Type {item.type!r}, which is not known"
        message = f"the route to {name} {what}; flows that take it are UNKNOWN"
        scope.issue("warning", "invalid-value", table_id, message)
        ids = {UNDESCRIBED}
    kind = attachments[0].resource_type if attachments else None
    return TransitGatewayRoute(
        destination=destination if item.destination_cidr_block else str(item.prefix_list_id),
        attachment_ids=() if blackhole else tuple(sorted(ids)),
        propagated=item.type == "propagated",
        blackhole=blackhole,
        kind=_KINDS.get(kind or "", kind or AttachmentKind.VPC),
    )


def prefix_list_route(answer: answers.PrefixListReferenceAnswer, scope: Scope) -> TransitGatewayRoute | None:
    """A reference to a prefix list as the static route it is; None if it does not hold."""
    if answer.state not in (None, "", "available", "modifying"):
        return None
    end = answer.transit_gateway_attachment or answers.RouteAttachment()
    kind = end.resource_type or AttachmentKind.VPC
    ids = () if answer.blackhole else (end.transit_gateway_attachment_id or UNDESCRIBED,)
    return TransitGatewayRoute(answer.prefix_list_id, ids, False, bool(answer.blackhole), _KINDS.get(kind, kind))
