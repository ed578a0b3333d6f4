"""VPN connections of a plan, and what virtual private gateways propagate into route tables.

A VPN connection that goes stays as a deleted one: without any described connection a gateway's other side would be
taken as reachable (VG-04).
"""

from __future__ import annotations

from dataclasses import replace

from ..model import AttachmentKind, IPNetwork, Route, RouteTarget, TransitGatewayAttachment, VpnConnection
from .terraform_transit import default_tables, remove_attachment
from .terraform_values import MADE, OPEN, Overlay, Planned, is_open, made_up_id
from .terraform_vpcs import tags_of
from .values import network

__all__ = ["APPLY", "REMOVE", "propagate"]

_GONE = ("deleted", "deleting")
_PROPAGATION = "aws_vpn_gateway_route_propagation"


# -- propagation ------------------------------------------------------------------------------------------


def propagate(overlay: Overlay, planned: Planned, table_id: str, gateway_id: str, on: bool) -> None:
    """Puts the routes of a virtual private gateway into a table, or takes them out (RT-15).

    What its VPN connections tell over BGP is not described: then a route to a prefix list that is not described
    makes what no other route decides UNKNOWN.
    """
    draft = overlay.draft
    table = draft.get("route_tables", table_id)
    if table is None:
        overlay.not_there(planned, f"the propagation of {gateway_id} to {table_id}")
        return
    kept = [r for r in table.routes if not (r.propagated and r.target_id == gateway_id)]
    if on:
        kind = RouteTarget.VIRTUAL_PRIVATE_GATEWAY
        known = _connections(overlay, gateway_id)
        alive = [each for each in known if each.state not in _GONE]
        destinations = sorted({each for c in alive for each in c.destinations}, key=str)
        kept += [Route(destination, kind, gateway_id, propagated=True) for destination in destinations]
        if not known or not all(c.static_routes_only for c in alive):
            overlay.undetermined(planned, f"what {gateway_id} propagates is not described: such flows are UNKNOWN")
            kept.append(_open_route(planned, gateway_id))
    draft.put("route_tables", replace(table, routes=tuple(kept)))


def _connections(overlay: Overlay, gateway_id: str | None) -> list[VpnConnection]:
    table = overlay.draft.table("vpn_connections")
    return [each for each in table.values() if gateway_id and each.vpn_gateway_id == gateway_id]


def _open_route(planned: Planned, gateway_id: str) -> Route:
    open_id = OPEN + made_up_id(f"{planned.address}.routes").removeprefix(MADE)
    return Route(open_id, RouteTarget.VIRTUAL_PRIVATE_GATEWAY, gateway_id, propagated=True)


def _propagation(overlay: Overlay, planned: Planned) -> None:
    assert planned.new is not None
    table_id = planned.new.reference("route_table_id", "table") or ""
    gateway_id = planned.new.reference("vpn_gateway_id", "vpn gateway") or ""
    propagate(overlay, planned, table_id, gateway_id, True)


def _remove_propagation(overlay: Overlay, planned: Planned) -> None:
    assert planned.old is not None
    table_id, gateway_id = planned.old.text("route_table_id") or "", planned.old.text("vpn_gateway_id") or ""
    propagate(overlay, planned, table_id, gateway_id, False)


def _propagating(overlay: Overlay, gateway_id: str) -> list[str]:
    """The tables that a gateway propagates to: those with such a route, and those that the plan says so of."""
    found = {
        table.route_table_id
        for table in overlay.draft.table("route_tables").values()
        if any(route.propagated and route.target_id == gateway_id for route in table.routes)
    }
    for instance in overlay.references.of_types((_PROPAGATION, "aws_route_table", "aws_default_route_table")):
        values = instance.values
        gateways = values.get("propagating_vgws") or () if instance.type != _PROPAGATION else ()
        if instance.type == _PROPAGATION and values.get("vpn_gateway_id") == gateway_id:
            found.add(str(values.get("route_table_id")))
        elif isinstance(gateways, list) and gateway_id in gateways:
            found.add(instance.id)
    return sorted(each for each in found if overlay.draft.get("route_tables", each) is not None)


def _told(overlay: Overlay, gateway_id: str | None, route: Route, on: bool) -> None:
    """A route that a gateway learns, or no longer knows, in every table that it propagates to."""
    for table_id in _propagating(overlay, gateway_id) if gateway_id else ():
        table = overlay.draft.get("route_tables", table_id)
        others = tuple(r for r in table.routes if not (r.propagated and r.destination == route.destination))
        overlay.draft.put("route_tables", replace(table, routes=(*others, route) if on else others))


# -- connections ------------------------------------------------------------------------------------------


def _connection(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    if not planned.made:
        if draft.get("vpn_connections", planned.id) is None:
            overlay.not_there(planned, f"VPN connection {planned.id}")
        elif planned.changed("vpn_gateway_id", "transit_gateway_id"):
            overlay.undetermined(planned, "where its packets go changes; it is left as it is")
        return
    gateway_id = new.reference("vpn_gateway_id", "vpn gateway")
    transit_id = new.reference("transit_gateway_id", "transit gateway")
    if "VpnConnections" not in overlay.draft.base.described_keys:
        message = "the snapshot has no VPN connections: what a further one carries is not told apart from theirs"
        overlay.note("note", "not-in-snapshot", planned.address, message)
        if not transit_id:
            return
    static = new.flag("static_routes_only")
    made = VpnConnection(planned.id, "available", gateway_id, transit_id, static)
    draft.put("vpn_connections", made)
    if gateway_id and not static and _propagating(overlay, gateway_id):
        overlay.undetermined(planned, f"what it tells {gateway_id} over BGP is not known: such flows are UNKNOWN")
        _told(overlay, gateway_id, _open_route(planned, gateway_id), True)
    if transit_id:
        attachment = TransitGatewayAttachment(
            f"{planned.id}:attachment", transit_id, AttachmentKind.VPN, planned.id, "available", tags=tags_of(new)
        )
        draft.put("transit_gateway_attachments", attachment)
        default_tables(overlay, planned, attachment)


def _remove_connection(overlay: Overlay, planned: Planned) -> None:
    draft, live = overlay.draft, overlay.draft.get("vpn_connections", planned.old_id)
    if live is None:
        overlay.not_there(planned, f"VPN connection {planned.old_id}")
        return
    draft.put("vpn_connections", replace(live, state="deleted"))
    if live.vpn_gateway_id:
        others = [each for each in _connections(overlay, live.vpn_gateway_id) if each.state not in _GONE]
        still = {destination for each in others for destination in each.destinations}
        if not others:
            for table_id in _propagating(overlay, live.vpn_gateway_id):
                table = draft.get("route_tables", table_id)
                kept = tuple(r for r in table.routes if not (r.propagated and r.target_id == live.vpn_gateway_id))
                draft.put("route_tables", replace(table, routes=kept))
        elif live.static_routes_only:
            for destination in live.destinations:
                if destination not in still:
                    _told(overlay, live.vpn_gateway_id, _route_to(live.vpn_gateway_id, destination), False)
        else:
            overlay.undetermined(planned, "which propagated routes only it told is not known: they stay")
    attachments = (a for a in draft.table("transit_gateway_attachments").values() if a.kind == AttachmentKind.VPN)
    for attachment_id in [a.attachment_id for a in attachments if a.resource_id == live.vpn_connection_id]:
        remove_attachment(overlay, attachment_id)


def _route_to(gateway_id: str, destination: IPNetwork) -> Route:
    return Route(destination, RouteTarget.VIRTUAL_PRIVATE_GATEWAY, gateway_id, propagated=True)


def _static_route(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    connection_id = new.reference("vpn_connection_id", "vpn connection")
    live = overlay.draft.get("vpn_connections", connection_id)
    if live is None:
        overlay.not_there(planned, f"a route of VPN connection {connection_id}")
    elif not new.known("destination_cidr_block"):
        overlay.undetermined(planned, "its destination is known after apply: such flows are UNKNOWN")
        overlay.draft.put("vpn_connections", replace(live, static_routes_only=False))
        if live.vpn_gateway_id:
            _told(overlay, live.vpn_gateway_id, _open_route(planned, live.vpn_gateway_id), True)
    else:
        destination = network(new.text("destination_cidr_block"), "destination_cidr_block")
        _put_destinations(overlay, live, {*live.destinations, destination})
        if live.vpn_gateway_id and not is_open(live.vpn_gateway_id):
            _told(overlay, live.vpn_gateway_id, _route_to(live.vpn_gateway_id, destination), True)


def _put_destinations(overlay: Overlay, live: VpnConnection, destinations: set[IPNetwork]) -> None:
    ordered = tuple(sorted(destinations, key=lambda net: (net.version, net)))
    overlay.draft.put("vpn_connections", replace(live, destinations=ordered))


def _remove_static_route(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    live = overlay.draft.get("vpn_connections", old.text("vpn_connection_id"))
    destination = network(old.text("destination_cidr_block"), "destination_cidr_block")
    if live is None or destination not in live.destinations:
        overlay.not_there(planned, f"route {destination} of VPN connection {old.text('vpn_connection_id')}")
        return
    _put_destinations(overlay, live, set(live.destinations) - {destination})
    others = _connections(overlay, live.vpn_gateway_id)
    if live.vpn_gateway_id and not any(destination in each.destinations for each in others):
        _told(overlay, live.vpn_gateway_id, _route_to(live.vpn_gateway_id, destination), False)


APPLY = {
    "aws_vpn_gateway_route_propagation": _propagation,
    "aws_vpn_connection": _connection,
    "aws_vpn_connection_route": _static_route,
}
REMOVE = {
    "aws_vpn_gateway_route_propagation": _remove_propagation,
    "aws_vpn_connection": _remove_connection,
    "aws_vpn_connection_route": _remove_static_route,
}
