"""Transit gateways of a plan: attachments, route tables, associations, propagations and routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..changes_links import propagated_routes
from ..model import (
    AttachmentKind,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
)
from .terraform_values import Block, Overlay, Planned, is_open
from .terraform_vpcs import tags_of
from .values import network

__all__ = ["APPLY", "REMOVE", "default_tables", "remove_attachment"]

#: Begins the types that name a transit gateway's default tables.
_DEFAULT_TABLE = "aws_ec2_transit_gateway_default_route_table"
#: What an attachment of a VPC does with the default tables unless it is switched off, and what the switches are called.
_SWITCHES = ("association", "propagation")
_SWITCH = "transit_gateway_default_route_table_{}"
_KINDS = {
    "aws_ec2_transit_gateway_vpc_attachment": AttachmentKind.VPC,
    "aws_ec2_transit_gateway_peering_attachment": AttachmentKind.PEERING,
    "aws_ec2_transit_gateway_connect": AttachmentKind.CONNECT,
}


def _transit_gateway(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    live = draft.get("transit_gateways", planned.id)
    referencing = new.text("security_group_referencing_support") == "enable"
    if planned.made:
        made = TransitGateway(planned.id, "available", referencing, overlay.region_of(new), tags=tags_of(new))
        draft.put("transit_gateways", made)
        names = ("default_route_table_association", "default_route_table_propagation")
        if any(new.text(name) != "disable" for name in names):
            table = TransitGatewayRouteTable(f"{planned.id}:default-route-table", planned.id, (), True, ())
            draft.put("transit_gateway_route_tables", table)
    elif live is None:
        overlay.not_there(planned, f"transit gateway {planned.id}")
    elif planned.changed("security_group_referencing_support"):
        draft.put("transit_gateways", replace(live, security_group_referencing=referencing))


def _remove_transit_gateway(overlay: Overlay, planned: Planned) -> None:
    draft, gateway_id = overlay.draft, planned.old_id or ""
    if not draft.remove("transit_gateways", gateway_id):
        overlay.not_there(planned, f"transit gateway {gateway_id}")
        return
    for kind, name in (
        ("transit_gateway_route_tables", "route_table_id"),
        ("transit_gateway_attachments", "attachment_id"),
    ):
        for record in list(draft.table(kind).values()):
            if record.transit_gateway_id == gateway_id:
                draft.remove(kind, getattr(record, name))


def _attachment(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    kind = _KINDS[planned.instance.type]
    live = draft.get("transit_gateway_attachments", planned.id)
    subnets = new.references("subnet_ids", "subnet") if kind == AttachmentKind.VPC else None
    if not planned.made:
        if live is None:
            overlay.not_there(planned, f"transit gateway attachment {planned.id}")
        elif kind == AttachmentKind.VPC:
            _change_attachment(overlay, planned, live, subnets)
        return
    appliance = new.text("appliance_mode_support") == "enable"
    referencing = new.text("security_group_referencing_support") != "disable"
    gateway_id = new.reference("transit_gateway_id", "transit gateway") or ""
    peer = new.reference("peer_transit_gateway_id", "transit gateway")
    resource = new.reference("vpc_id", "vpc") if kind == AttachmentKind.VPC else None
    gateway_id, peer = (gateway_id, None) if peer is None else (min(gateway_id, peer), max(gateway_id, peer))
    made = TransitGatewayAttachment(
        planned.id,
        gateway_id,
        kind,
        resource,
        "pendingAcceptance" if kind == AttachmentKind.PEERING else "available",
        tuple(sorted(subnets)) if subnets else None,
        appliance,
        referencing,
        peer,
        tags=tags_of(new),
    )
    draft.put("transit_gateway_attachments", made)
    if kind != AttachmentKind.PEERING:
        default_tables(overlay, planned, made)


def _change_attachment(
    overlay: Overlay, planned: Planned, live: TransitGatewayAttachment, subnets: tuple[str, ...] | None
) -> None:
    """Only what the plan changes: what an older provider does not know is absent, and stays as it is."""
    new = planned.new
    assert new is not None
    if planned.changed("subnet_ids"):
        live = replace(live, subnet_ids=tuple(sorted(subnets)) if subnets else None)
    if planned.changed("appliance_mode_support"):
        live = replace(live, appliance_mode=new.text("appliance_mode_support") == "enable")
    if planned.changed("security_group_referencing_support"):
        referencing = new.text("security_group_referencing_support") != "disable"
        live = replace(live, security_group_referencing=referencing)
    overlay.draft.put("transit_gateway_attachments", live)
    _change_defaults(overlay, planned, live)


def _change_defaults(overlay: Overlay, planned: Planned, live: TransitGatewayAttachment) -> None:
    """The provider associates and propagates, or ends either, where a switch of an attachment that stays turns."""
    old, new = planned.old, planned.new
    assert old is not None
    assert new is not None
    for what in _SWITCHES:
        name = _SWITCH.format(what)
        if not new.known(name) and planned.changed(name):
            _default_unknown(overlay, planned, live, what)
        elif new.known(name) and old.flag(name, True) != new.flag(name, True):
            if new.flag(name, True):
                _add_default(overlay, planned, live, what)
            else:
                _leave_default(overlay, planned, live, what)


def default_tables(overlay: Overlay, planned: Planned, made: TransitGatewayAttachment) -> None:
    """Association with and propagation to the transit gateway's default tables, unless either is switched off."""
    assert planned.new is not None
    for what in _SWITCHES:
        if planned.new.flag(_SWITCH.format(what), True):
            _add_default(overlay, planned, made, what)


def _add_default(overlay: Overlay, planned: Planned, attachment: TransitGatewayAttachment, what: str) -> None:
    told, table_id = _default_table(overlay, attachment.transit_gateway_id, what)
    if table_id is not None:
        (_associate if what == "association" else _propagate)(overlay, table_id, attachment.attachment_id)
    elif not told:
        _default_unknown(overlay, planned, attachment, what)


def _leave_default(overlay: Overlay, planned: Planned, attachment: TransitGatewayAttachment, what: str) -> None:
    """No association with, or propagation to, the default table any more (TG-02, TG-05).

    Where that table is not told, it is the only one the attachment has: the plan says that it had the default one.
    """
    draft, told = overlay.draft, _default_table(overlay, attachment.transit_gateway_id, what)
    tables = [
        table
        for table in draft.table("transit_gateway_route_tables").values()
        if table.transit_gateway_id == attachment.transit_gateway_id
        and (not told[0] or table.route_table_id == told[1])
        and (_associated(table, attachment) if what == "association" else _propagating(table, attachment))
    ]
    if len(tables) > 1:
        _default_unknown(overlay, planned, attachment, what, tables)
    elif not tables:
        overlay.not_there(planned, f"the default {what} of {attachment.attachment_id}")
    elif what == "association":
        ids = tuple(each for each in tables[0].attachment_ids or () if each != attachment.attachment_id)
        draft.put("transit_gateway_route_tables", replace(tables[0], attachment_ids=ids))
    else:
        _withdraw(overlay, tables[0], attachment.attachment_id)


def _associated(table: TransitGatewayRouteTable, attachment: TransitGatewayAttachment) -> bool:
    return attachment.attachment_id in (table.attachment_ids or ())


def _propagating(table: TransitGatewayRouteTable, attachment: TransitGatewayAttachment) -> bool:
    return any(route.propagated and attachment.attachment_id in route.attachment_ids for route in table.routes or ())


def _default_unknown(
    overlay: Overlay,
    planned: Planned,
    attachment: TransitGatewayAttachment,
    what: str,
    among: list[TransitGatewayRouteTable] | None = None,
) -> None:
    """Which table is meant is not known: what the tables of the transit gateway, or these, hold is not either."""
    gateway_id = attachment.transit_gateway_id
    overlay.undetermined(planned, f"the default {what} route table of {gateway_id} is not known")
    unknown: dict[str, Any] = {"attachment_ids": None} if what == "association" else {"complete": False}
    if among is not None:
        unknown = {"attachment_ids": None} if what == "association" else {"routes": None}
    for table in among or list(overlay.draft.table("transit_gateway_route_tables").values()):
        if table.transit_gateway_id == gateway_id:
            overlay.draft.put("transit_gateway_route_tables", replace(table, **unknown))


def _default_table(overlay: Overlay, gateway_id: str, what: str) -> tuple[bool, str | None]:
    """Whether it is told, and the default table for association or propagation; None: the gateway has none."""
    for instance in overlay.references.of_types((f"{_DEFAULT_TABLE}_{what}",)):
        block = Block(instance.values, instance, overlay)
        if block.reference("transit_gateway_id", "transit gateway") == gateway_id:
            return True, block.reference("transit_gateway_route_table_id", "transit table")
    values = overlay.references.values_of(gateway_id, "aws_ec2_transit_gateway")
    if values is not None:
        if values.get(f"default_route_table_{what}") == "disable":
            return True, None
        told = values.get(f"{what}_default_route_table_id")
        return True, told if isinstance(told, str) and told else f"{gateway_id}:default-route-table"
    tables = [
        each.route_table_id
        for each in overlay.draft.table("transit_gateway_route_tables").values()
        if each.transit_gateway_id == gateway_id
    ]
    return (True, tables[0]) if len(tables) == 1 else (False, None)


def _attachment_accepter(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    attachment_id = new.reference("transit_gateway_attachment_id", "attachment") or ""
    live = overlay.draft.get("transit_gateway_attachments", attachment_id)
    if live is None:
        overlay.not_there(planned, f"transit gateway attachment {attachment_id}")
    elif planned.made:
        overlay.draft.put("transit_gateway_attachments", replace(live, state="available"))
        if live.kind == AttachmentKind.VPC:
            default_tables(overlay, planned, live)
    elif live.kind == AttachmentKind.VPC:
        _change_defaults(overlay, planned, live)


def _remove_attachment(overlay: Overlay, planned: Planned) -> None:
    if not remove_attachment(overlay, planned.old_id):
        overlay.not_there(planned, f"transit gateway attachment {planned.old_id}")


def remove_attachment(overlay: Overlay, attachment_id: str | None) -> bool:
    """Its propagated routes go, static ones become black holes; so do the VPC's routes to the transit gateway.

    False: there is no such attachment.
    """
    draft, live = overlay.draft, overlay.draft.get("transit_gateway_attachments", attachment_id)
    if live is None:
        return False
    for table in list(draft.table("transit_gateway_route_tables").values()):
        routes: list[TransitGatewayRoute] = []
        for route in table.routes or ():
            left = tuple(each for each in route.attachment_ids if each != attachment_id)
            if attachment_id not in route.attachment_ids or left:
                routes.append(replace(route, attachment_ids=left))
            elif not route.propagated:
                routes.append(replace(route, attachment_ids=(), blackhole=True))
        members = table.attachment_ids
        ids = None if members is None else tuple(each for each in members if each != attachment_id)
        kept = None if table.routes is None else tuple(routes)
        draft.put("transit_gateway_route_tables", replace(table, routes=kept, attachment_ids=ids))
    if live.kind == AttachmentKind.VPC and live.resource_id:
        draft.blackhole(live.transit_gateway_id, live.resource_id)
    draft.remove("transit_gateway_attachments", live.attachment_id)
    return True


def _transit_table(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    if planned.made:
        gateway_id = new.reference("transit_gateway_id", "transit gateway") or ""
        made = TransitGatewayRouteTable(planned.id, gateway_id, (), True, (), tags_of(new))
        overlay.draft.put("transit_gateway_route_tables", made)
    elif overlay.draft.get("transit_gateway_route_tables", planned.id) is None:
        overlay.not_there(planned, f"transit gateway route table {planned.id}")


def _remove_transit_table(overlay: Overlay, planned: Planned) -> None:
    if not overlay.draft.remove("transit_gateway_route_tables", planned.old_id or ""):
        overlay.not_there(planned, f"transit gateway route table {planned.old_id}")


def _ends(overlay: Overlay, planned: Planned) -> tuple[TransitGatewayRouteTable | None, str]:
    """Table and attachment of an association, propagation or route."""
    new = planned.new if planned.new is not None and planned.action != "delete" else planned.old
    assert new is not None
    table_id = new.reference("transit_gateway_route_table_id", "transit table") or ""
    attachment_id = new.reference("transit_gateway_attachment_id", "attachment") or ""
    found: TransitGatewayRouteTable | None = overlay.draft.get("transit_gateway_route_tables", table_id)
    if found is None:
        overlay.not_there(planned, f"transit gateway route table {table_id}")
        for each in overlay.candidates(table_id) if is_open(table_id) else ():  # one of these: none is known whole
            if overlay.draft.get("transit_gateway_route_tables", each) is not None:
                overlay.draft.change_record(
                    "transit_gateway_route_tables", each, complete=False, attachment_ids=None, routes=None
                )
    return found, attachment_id


def _associate(overlay: Overlay, table_id: str, attachment_id: str) -> None:
    """An attachment has one table of a transit gateway (TG-02)."""
    draft = overlay.draft
    gateway_id = draft.get("transit_gateway_route_tables", table_id).transit_gateway_id
    for table in list(draft.table("transit_gateway_route_tables").values()):
        if table.transit_gateway_id == gateway_id and table.attachment_ids is not None:
            ids = {*table.attachment_ids} - {attachment_id}
            ids |= {attachment_id} if table.route_table_id == table_id else set()
            if ids != set(table.attachment_ids):
                draft.put("transit_gateway_route_tables", replace(table, attachment_ids=tuple(sorted(ids))))


def _association(overlay: Overlay, planned: Planned) -> None:
    table, attachment_id = _ends(overlay, planned)
    if table is not None:
        _associate(overlay, table.route_table_id, attachment_id)


def _old_ends(overlay: Overlay, planned: Planned, what: str) -> tuple[TransitGatewayRouteTable | None, str]:
    """Table and attachment of an association or propagation that goes; says so if the table is not described."""
    assert planned.old is not None
    attachment_id = planned.old.text("transit_gateway_attachment_id") or ""
    table_id = planned.old.text("transit_gateway_route_table_id")
    table: TransitGatewayRouteTable | None = overlay.draft.get("transit_gateway_route_tables", table_id)
    if table is None:
        overlay.not_there(planned, f"the {what} of {attachment_id}")
    return table, attachment_id


def _remove_association(overlay: Overlay, planned: Planned) -> None:
    table, attachment_id = _old_ends(overlay, planned, "association")
    if table is None:
        return
    if attachment_id not in (table.attachment_ids or ()):
        overlay.not_there(planned, f"the association of {attachment_id}")
    else:
        ids = tuple(each for each in table.attachment_ids or () if each != attachment_id)
        overlay.draft.put("transit_gateway_route_tables", replace(table, attachment_ids=ids))


def _propagate(overlay: Overlay, table_id: str, attachment_id: str) -> None:
    """The CIDRs of an attachment's VPC as routes; what other attachments propagate is not known (TG-05)."""
    draft = overlay.draft
    table = draft.get("transit_gateway_route_tables", table_id)
    attachment = draft.get("transit_gateway_attachments", attachment_id)
    if table.routes is None:
        return
    if attachment is None or attachment.kind != AttachmentKind.VPC:
        if attachment is None or attachment.kind != AttachmentKind.PEERING:
            draft.put("transit_gateway_route_tables", replace(table, complete=False))
        return
    draft.put("transit_gateway_route_tables", propagated_routes(draft, table, attachment))


def _propagation(overlay: Overlay, planned: Planned) -> None:
    table, attachment_id = _ends(overlay, planned)
    if table is not None:
        _propagate(overlay, table.route_table_id, attachment_id)


def _remove_propagation(overlay: Overlay, planned: Planned) -> None:
    table, attachment_id = _old_ends(overlay, planned, "propagation")
    if table is not None:
        _withdraw(overlay, table, attachment_id)


def _withdraw(overlay: Overlay, table: TransitGatewayRouteTable, attachment_id: str) -> None:
    """The table without what the attachment propagates to it (TG-05)."""
    if table.routes is not None:
        kept = tuple(r for r in table.routes if not (r.propagated and attachment_id in r.attachment_ids))
        overlay.draft.put("transit_gateway_route_tables", replace(table, routes=kept))


def _transit_route(overlay: Overlay, planned: Planned) -> None:
    """aws_ec2_transit_gateway_route and _prefix_list_reference: a static route, in place of the one there was."""
    new = planned.new
    assert new is not None
    table, attachment_id = _ends(overlay, planned)
    if table is None:
        return
    destination = new.reference("prefix_list_id", "list")
    if destination is None and not new.known("destination_cidr_block"):
        overlay.undetermined(planned, "its destination is known after apply: routes of its table may be missing")
        overlay.draft.put("transit_gateway_route_tables", replace(table, complete=False))
        return
    target: Any = destination or network(new.text("destination_cidr_block"), "destination_cidr_block")
    if table.routes is None:
        return
    attachment = overlay.draft.get("transit_gateway_attachments", attachment_id)
    blackhole = new.flag("blackhole")
    made = TransitGatewayRoute(
        target,
        () if blackhole else (attachment_id,),
        blackhole=blackhole,
        kind=attachment.kind if attachment else AttachmentKind.VPC,
    )
    kept = [route for route in table.routes if route.destination != target]  # a static route hides propagated ones
    overlay.draft.put("transit_gateway_route_tables", replace(table, routes=(*kept, made)))


def _remove_transit_route(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    table = overlay.draft.get("transit_gateway_route_tables", old.text("transit_gateway_route_table_id"))
    list_id = old.text("prefix_list_id")
    destination: Any = list_id or network(old.text("destination_cidr_block"), "destination_cidr_block")
    if table is None or table.routes is None:
        overlay.not_there(planned, f"route {destination} of {old.text('transit_gateway_route_table_id')}")
        return
    kept = tuple(r for r in table.routes if r.destination != destination or r.propagated)
    if kept == table.routes:
        overlay.not_there(planned, f"route {destination} of {table.route_table_id}")
        return
    hidden = any(
        destination in (vpc.blocks if vpc else ())
        for vpc in (
            overlay.draft.get("vpcs", a.resource_id)
            for a in overlay.draft.table("transit_gateway_attachments").values()
        )
    )
    complete = table.complete and not hidden  # a propagated route of the same destination may appear again (TG-05)
    overlay.draft.put("transit_gateway_route_tables", replace(table, routes=kept, complete=complete))


def _nothing(overlay: Overlay, planned: Planned) -> None:
    """An accepter that goes leaves the attachment accepted; a default table counts for attachments made later."""


APPLY = {
    f"{_DEFAULT_TABLE}_association": _nothing,
    f"{_DEFAULT_TABLE}_propagation": _nothing,
    "aws_ec2_transit_gateway": _transit_gateway,
    "aws_ec2_transit_gateway_vpc_attachment": _attachment,
    "aws_ec2_transit_gateway_peering_attachment": _attachment,
    "aws_ec2_transit_gateway_connect": _attachment,
    "aws_ec2_transit_gateway_vpc_attachment_accepter": _attachment_accepter,
    "aws_ec2_transit_gateway_peering_attachment_accepter": _attachment_accepter,
    "aws_ec2_transit_gateway_route_table": _transit_table,
    "aws_ec2_transit_gateway_route_table_association": _association,
    "aws_ec2_transit_gateway_route_table_propagation": _propagation,
    "aws_ec2_transit_gateway_route": _transit_route,
    "aws_ec2_transit_gateway_prefix_list_reference": _transit_route,
}
REMOVE = {
    f"{_DEFAULT_TABLE}_association": _nothing,
    f"{_DEFAULT_TABLE}_propagation": _nothing,
    "aws_ec2_transit_gateway": _remove_transit_gateway,
    "aws_ec2_transit_gateway_vpc_attachment": _remove_attachment,
    "aws_ec2_transit_gateway_peering_attachment": _remove_attachment,
    "aws_ec2_transit_gateway_connect": _remove_attachment,
    "aws_ec2_transit_gateway_vpc_attachment_accepter": _nothing,
    "aws_ec2_transit_gateway_peering_attachment_accepter": _nothing,
    "aws_ec2_transit_gateway_route_table": _remove_transit_table,
    "aws_ec2_transit_gateway_route_table_association": _remove_association,
    "aws_ec2_transit_gateway_route_table_propagation": _remove_propagation,
    "aws_ec2_transit_gateway_route": _remove_transit_route,
    "aws_ec2_transit_gateway_prefix_list_reference": _remove_transit_route,
}
