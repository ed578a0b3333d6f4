"""Between VPCs on a long walk: peering connections and transit gateways (docs/semantics.md, 6.5 and 6.6)."""

from __future__ import annotations

from functools import partial

from .model import (
    EDGE_ATTACHMENTS,
    AttachmentKind,
    IPAddress,
    IPNetwork,
    Route,
    RouteTarget,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
    VpcPeeringConnection,
    is_working,
)
from .walk_hops import Left, Move, Place, Walker, Zone, route_of
from .walk_internet import ANY_EDGE
from .walk_rules import DENY, PASS, UNKNOWN, NetworkIndex, Outcome, RouteChoice, judge_acl

# -- peering connections -------------------------------------------------------------------------------------


def through_peering(walker: Walker, route: Route, place: Place) -> Move:
    """Over a peering connection, straight to who holds the destination in the other VPC (RT-23)."""
    leg, home = walker.leg, walker.homes[-1] if walker.homes else None
    if not walker.reply and home is not None and leg.nat_gateway is not None and not leg.met:
        walker.homes[-1] = home._replace(straight_peering=True)  # NG-10
    leg.met.append(route.target_kind)
    peering = walker.network.peering_connections.get(route.target_id)
    outcome, other = judge_peering(walker.index, peering, place.vpc_id, walker.packet.source, walker.packet.destination)
    walker.check("peering", route.target_id, outcome)
    return walker.local(other) if outcome.outcome == PASS else None


def judge_peering(
    index: NetworkIndex,
    peering: VpcPeeringConnection | None,
    vpc_id: str | None,
    source: IPAddress | None,
    destination: IPAddress,
) -> tuple[Outcome, str | None]:
    """(what a peering connection says of a packet that leaves a VPC, the VPC at its other end).

    `source` None: where it comes from is not asked.
    """
    if peering is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note="the peering connection is not described"), None
    name = peering.peering_id
    if vpc_id is None or vpc_id not in (peering.requester_vpc_id, peering.accepter_vpc_id):
        return Outcome(DENY, "BAD_STATE_ATTACHMENT", note=f"{vpc_id} is at neither end of {name}"), None
    if peering.status != "active":
        return Outcome(DENY, "BAD_STATE", note=f"{name} is {peering.status} (PX-01)"), None
    near, far = peering.requester_cidr_blocks, peering.accepter_cidr_blocks
    other = peering.accepter_vpc_id
    if vpc_id != peering.requester_vpc_id:
        near, far, other = far, near, peering.requester_vpc_id
    for address, blocks, end in ((source, near, vpc_id), (destination, far, other)):
        if address is None or _is_in(address, blocks) or index.in_vpc(address, end):
            continue
        if blocks or index.cidrs_of(end):
            note = f"{address} is in no CIDR of {end} (PX-03, PX-04)"
            return Outcome(DENY, "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR", note=note), None
        if not index.holders(end, address):
            note = f"no CIDR of {end} is described: whether {address} is one of its addresses is not known"
            return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note), None
    if other not in index.vpcs_with_interfaces:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"no interface of {other} is described"), None
    return Outcome(PASS, note=f"to {other}"), other


def _is_in(address: IPAddress, blocks: tuple[IPNetwork, ...]) -> bool:
    return any(address in block for block in blocks)


# -- into a transit gateway ----------------------------------------------------------------------------------


def through_transit_gateway(walker: Walker, route: Route, place: Place) -> Move:
    """From a subnet into a transit gateway, and on by its tables (6.6)."""
    gateway_id = route.target_id
    walker.leg.met.append(route.target_kind)
    outcome, attachment, subnet_id = _judge_attachment(walker, gateway_id, place)
    walker.check("transit-gateway", gateway_id, outcome)
    if outcome.outcome != PASS or attachment is None:
        return None
    walker.check_acl("middle-network-acl", subnet_id, place.vpc_id, egress=False)  # NA-30, NA-32
    gateway = walker.network.transit_gateways.get(gateway_id)
    carries = gateway is not None and gateway.security_group_referencing and attachment.security_group_referencing
    walker.leg.referencing = walker.leg.referencing and carries
    return by_table(walker, gateway_id, attachment, place.zone)


def _judge_attachment(
    walker: Walker, gateway_id: str, place: Place
) -> tuple[Outcome, TransitGatewayAttachment | None, str | None]:
    """(what is said where a packet enters a transit gateway, its attachment, the attachment's subnet)."""
    network = walker.network
    gateway = network.transit_gateways.get(gateway_id)
    attachment = network.attachments_of.get((gateway_id, place.vpc_id or ""))
    if gateway is None and attachment is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{gateway_id} is not described"), None, None
    if gateway is not None and not is_working(gateway.state):
        return Outcome(DENY, "BAD_STATE", note=f"{gateway_id} is {gateway.state} (TG-11)"), None, None
    if attachment is None:  # without one AWS would have made the route a black hole (RT-13)
        note = f"the attachment of {place.vpc_id} to {gateway_id} is not described"
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note), None, None
    name = attachment.attachment_id
    if not is_working(attachment.state):
        return Outcome(DENY, "BAD_STATE_ATTACHMENT", note=f"{name} is {attachment.state} (TG-11)"), None, None
    if attachment.subnet_ids is None or not place.zone.is_known():
        note = f"the subnets of {name} are not described" if place.zone.is_known() else "the sender's zone is not known"
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note), None, None
    zones = {each: walker.place(each, place.vpc_id).zone for each in attachment.subnet_ids}
    here = sorted(each for each, zone in zones.items() if zone.is_zone(place.zone))
    if here:
        return Outcome(PASS, note=f"{name}, {here[0]}"), attachment, here[0]
    note = f"{name} has no subnet in the sender's zone (TG-01)"
    return Outcome(DENY, "TGW_ROUTE_AZ_RESTRICTION", note=note), None, None


# -- through its tables --------------------------------------------------------------------------------------


def by_table(walker: Walker, gateway_id: str, incoming: TransitGatewayAttachment, zone: Zone) -> Move:
    """From an attachment by the table associated with it to the next attachment, and out there (TG-02, TG-03)."""
    while True:
        if not walker.take_step("transit-gateway"):
            return None
        outcome, outgoing = _judge_table(walker, gateway_id, incoming.attachment_id)
        walker.check("transit-gateway", gateway_id, outcome)
        if outcome.outcome != PASS or outgoing is None:
            return None
        if outgoing.kind == AttachmentKind.VPC:
            walker.leg.referencing = walker.leg.referencing and outgoing.security_group_referencing
            return _out_to_vpc(walker, outgoing, zone)
        if outgoing.kind in EDGE_ATTACHMENTS:
            return _out_to_edge(walker, gateway_id, outgoing)
        if outgoing.kind != AttachmentKind.PEERING:
            note = f"{outgoing.attachment_id}: {outgoing.kind} attachments are not modelled"
            walker.check("transit-gateway", gateway_id, Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=note))
            return None
        walker.leg.referencing = False
        ends = outgoing.transit_gateway_id, outgoing.peer_transit_gateway_id
        other = ends[1] if ends[0] == gateway_id else ends[0]
        if other is None or other not in walker.network.transit_gateways:
            note = f"the transit gateway behind {outgoing.attachment_id} is not described"
            walker.check("transit-gateway", gateway_id, Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note))
            return None
        gateway_id, incoming = other, outgoing


def _judge_table(
    walker: Walker, gateway_id: str, attachment_id: str
) -> tuple[Outcome, TransitGatewayAttachment | None]:
    """(what the table of an attachment says of the packet's destination, the attachment it leads to)."""
    network, destination = walker.network, walker.packet.destination
    table = network.transit_gateway_table_of(gateway_id, attachment_id)
    if table is None:
        tables = [
            each for each in network.transit_gateway_route_tables.values() if each.transit_gateway_id == gateway_id
        ]
        parts = {("TransitGatewayAttachments", gateway_id), ("TransitGatewayRouteTables", gateway_id)}
        whole = not parts & network.partly_described
        if tables and whole and all(each.attachment_ids is not None for each in tables):
            note = f"{attachment_id} is associated with no route table (TG-02)"
            return Outcome(DENY, "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION", note=note), None
        return Outcome(UNKNOWN, "TGW_RTB_ROUTES_ARE_UNKNOWN", note="its associations are not described"), None
    name = table.route_table_id
    if table.routes is None:
        return Outcome(UNKNOWN, "TGW_RTB_ROUTES_ARE_UNKNOWN", note=f"the routes of {name} are not described"), None
    route, hidden = _select(walker.index, table, destination)
    if hidden:
        note = f"a route of {name} names a prefix list whose entries are not described"
        return Outcome(UNKNOWN, "MISSING_PREFIX_LIST", note=note), None
    if route is None:
        if not table.complete:
            return Outcome(UNKNOWN, "TGW_RTB_ROUTES_ARE_UNKNOWN", note=f"{name} is not described in full"), None
        note = f"{name} has no route to {destination}"
        return Outcome(DENY, "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT", note=note), None
    text = f"{name}: {route.destination}"
    if route.blackhole:
        return Outcome(DENY, "TGW_RTB_BAD_STATE_ROUTE", note=f"{text} is a black hole (TG-04)"), None
    outgoing = network.transit_gateway_attachments.get(min(route.attachment_ids, default=""))
    if outgoing is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{text}: the attachment is not described"), None
    text += f" to {outgoing.attachment_id} ({outgoing.kind} {outgoing.resource_id or ''})".replace(" )", ")")
    if not is_working(outgoing.state):
        return Outcome(DENY, "BAD_STATE_ATTACHMENT", note=f"{text}, which is {outgoing.state} (TG-11)"), None
    connection = (
        network.vpn_connections.get(outgoing.resource_id or "") if outgoing.kind == AttachmentKind.VPN else None
    )
    if connection is not None and not is_working(connection.state):
        note = f"{text}: {connection.vpn_connection_id} is {connection.state}"
        return Outcome(DENY, "TGW_BAD_STATE_VPN", note=note), None
    return Outcome(PASS, note=text), outgoing


_STATIC, _LISTED = 100, 90
_PROPAGATED = {
    AttachmentKind.VPC: 9,
    AttachmentKind.DIRECT_CONNECT: 8,
    AttachmentKind.CONNECT: 7,
    AttachmentKind.VPN: 6,
}


def _select(
    index: NetworkIndex, table: TransitGatewayRouteTable, destination: IPAddress
) -> tuple[TransitGatewayRoute | None, bool]:
    """(the route a transit gateway's table selects, whether a prefix list not described could beat it) (TG-03)."""
    best, chosen, hidden = (-1, -1), None, False
    for route in table.routes or ():
        length: int | None
        if isinstance(route.destination, str):
            listed = index.network.prefix_lists.get(route.destination)
            if listed is None or listed.cidr_blocks is None:
                hidden = hidden or listed is None or listed.address_family in (None, destination.version)
                continue
            length = max((cidr.prefixlen for cidr in listed.cidr_blocks if destination in cidr), default=None)
            order = _LISTED
        else:
            length = route.destination.prefixlen if destination in route.destination else None
            order = _PROPAGATED.get(route.kind, 0) if route.propagated else _STATIC
        if length is not None and (length, order) > best:
            best, chosen = (length, order), route
    return chosen, hidden and best[0] != destination.max_prefixlen


def _out_to_vpc(walker: Walker, attachment: TransitGatewayAttachment, zone: Zone) -> Move:
    """Out of a transit gateway into a VPC: into which of the attachment's subnets (TG-06…08)."""
    vpc_id = attachment.resource_id
    described = sorted(each for each in attachment.subnet_ids or () if each in walker.network.subnets)
    places = [walker.place(each, vpc_id) for each in described]
    if not places:
        note = f"the subnets of {attachment.attachment_id} are not described"
        walker.check("transit-gateway", attachment.transit_gateway_id, Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note))
        return None
    several_zones = any(not place.zone.is_zone(places[0].zone) for place in places[1:])
    candidates = [place for place in places if zone.is_known() and place.zone.is_zone(zone)] or places
    if attachment.appliance_mode and several_zones:
        if attachment.attachment_id in walker.kept:
            return walker.kept[attachment.attachment_id]
        if candidates is not places and not _ends_in(walker, attachment, zone):
            candidates = places
    if len(candidates) == 1 or _are_alike(walker, candidates):
        return candidates[0]
    chosen = walker.choose(len(candidates))
    if chosen is None:
        note = "the subnets it may leave the transit gateway by lead to different answers (TG-06, TG-07)"
        outcome = Outcome(UNKNOWN, "TGW_ATTACH_VPC_AZ_RESTRICTION", note=note)
        walker.check("transit-gateway", attachment.transit_gateway_id, outcome)
        return None
    if attachment.appliance_mode:
        walker.kept[attachment.attachment_id] = candidates[chosen]
    return candidates[chosen]


def _ends_in(walker: Walker, appliances: TransitGatewayAttachment, zone: Zone) -> bool:
    """Whether the destination is in a zone, as a VPC attachment's propagation into the appliances' table tells the
    transit gateway (TG-07)."""
    network, destination = walker.network, walker.packet.destination
    table = network.transit_gateway_table_of(appliances.transit_gateway_id, appliances.attachment_id)
    route, hidden = _select(walker.index, table, destination) if table else (None, False)
    if route is None or hidden or route.blackhole or not route.propagated:
        return False
    beyond = network.transit_gateway_attachments.get(min(route.attachment_ids, default=""))
    if beyond is None or beyond.kind != AttachmentKind.VPC or not is_working(beyond.state) or beyond == appliances:
        return False
    holders = walker.index.holders(beyond.resource_id, destination)
    return len(holders) == 1 and walker.place(holders[0].subnet_id, holders[0].vpc_id).zone.is_zone(zone)


def _are_alike(walker: Walker, places: list[Place]) -> bool:
    """Whether it makes no difference in which of the places the packet leaves a transit gateway: it is delivered, or
    dropped, by the same list and route in all of them."""
    if any(not _ends_here(route_of(walker, place)[1]) for place in places):
        return False
    return len({_view(walker, place) for place in places}) == 1


def _ends_here(choice: RouteChoice) -> bool:
    route = choice.route
    return route is None or route.blackhole or route.target_kind == RouteTarget.LOCAL


def _view(walker: Walker, place: Place) -> tuple[object, ...]:
    """What a packet out of a transit gateway meets in one of the attachment's subnets."""
    receiver = walker.receiver(place.vpc_id)
    _, acl = judge_acl(walker.index, place.subnet_id, place.vpc_id, True, walker.packet)
    _, choice = route_of(walker, place)
    held = receiver is not None and receiver.subnet_id == place.subnet_id
    return held, acl.outcome, acl.reason, choice.outcome.outcome, choice.outcome.reason


def _out_to_edge(walker: Walker, gateway_id: str, attachment: TransitGatewayAttachment) -> Move:
    """Out of a transit gateway to the outside; on the way back only if the packet came in there."""
    edge = (gateway_id, attachment.attachment_id)
    if walker.reply:
        expected = walker.homes[-1].edge
        if expected != edge and (expected is None or expected[0] != ANY_EDGE):
            return walker.asymmetric(f"it leaves by {attachment.attachment_id}")
    return Left(partial(_back_from_edge, gateway_id=gateway_id, attachment=attachment), edge)


def _back_from_edge(walker: Walker, gateway_id: str, attachment: TransitGatewayAttachment) -> Move:
    return by_table(walker, gateway_id, attachment, Zone())


enter_by_transit_gateway = _back_from_edge
"""In by an edge attachment (6.10): by its table to the destination."""
