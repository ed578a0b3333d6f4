"""Transit gateway attachments and route tables, put together from the several answers about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..model import (
    AttachmentKind,
    IPNetwork,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
    Vpc,
    VpnConnection,
    is_working,
)
from .assemble_vpcs import some
from .collect import Collector
from .records_transit import AttachmentPart, RoutesPart

__all__ = ["settle_transit_gateways"]


def settle_transit_gateways(found: Collector) -> None:
    """Attachments, and tables with their associations (TG-02) and routes (TG-03…05)."""
    _settle_attachments(found)
    tables: dict[str, TransitGatewayRouteTable] = found.tables.setdefault("transit_gateway_route_tables", {})
    _add_named_tables(found, tables)
    members = _associations(found, tables)
    for table_id, table in tables.items():
        routes, complete = _routes_of(found, table_id)
        ids = members.get(table_id)
        tables[table_id] = replace(
            table, routes=routes, complete=complete, attachment_ids=None if ids is None else tuple(sorted(ids))
        )


def _settle_attachments(found: Collector) -> None:
    """One record each; a peering attachment that its other end knows by another id has the requester's."""
    transit = found.transit
    for other, name in transit.other_names.items():
        transit.attachments.pop(other, None)
        if other in transit.attachment_tables:
            transit.attachment_tables.setdefault(name, set()).update(transit.attachment_tables.pop(other))
    records = found.tables.setdefault("transit_gateway_attachments", {})
    for attachment_id, part in transit.attachments.items():
        if part.gateway_ids:
            records[attachment_id] = _attachment(part)
        else:
            message = "TransitGatewayId is missing: the attachment is not used"
            found.issue("error", "incomplete", attachment_id, message, found.origins.get(attachment_id, ""))


def _attachment(part: AttachmentPart) -> TransitGatewayAttachment:
    ends = sorted(part.gateway_ids)
    referencing = part.security_group_referencing
    return TransitGatewayAttachment(
        attachment_id=part.attachment_id,
        transit_gateway_id=ends[0],
        kind=part.kind or "unknown",
        resource_id=part.resource_id,
        state=part.state,
        subnet_ids=part.subnet_ids,
        appliance_mode=bool(part.appliance_mode),
        security_group_referencing=referencing is not False,
        peer_transit_gateway_id=ends[1] if len(ends) > 1 else None,
        owner_id=part.owner_id,
        tags=part.tags,
    )


def _named(found: Collector, attachment_ids: Iterable[str]) -> set[str]:
    return {found.transit.other_names.get(attachment_id, attachment_id) for attachment_id in attachment_ids}


def _add_named_tables(found: Collector, tables: dict[str, TransitGatewayRouteTable]) -> None:
    """Tables that only wrappers or attachments name, where their attachments tell the transit gateway."""
    transit = found.transit
    attachments: dict[str, TransitGatewayAttachment] = found.tables["transit_gateway_attachments"]
    wrapped = transit.routes, transit.static_routes, transit.propagations, transit.table_attachments
    for table_id in sorted(
        {each for answers in (*wrapped, transit.table_gateways) for each in answers} - tables.keys()
    ):
        named = _named(found, transit.table_attachments.get(table_id, ())) | _named(
            found, transit.propagations.get(table_id, ())
        )
        gateways = {
            attachments[each].transit_gateway_id
            for each in named & attachments.keys()
            if attachments[each].peer_transit_gateway_id is None
        }
        if table_id in transit.table_gateways:
            gateways = {transit.table_gateways[table_id]}
        if len(gateways) == 1:
            tables[table_id] = TransitGatewayRouteTable(table_id, gateways.pop())
            if not any(table_id in answers for answers in wrapped):
                users = (each for each, table_ids in transit.attachment_tables.items() if table_id in table_ids)
                message = f"the route table of {some(users)} is not described: flows that come in there are UNKNOWN"
                found.issue("warning", "dangling-reference", table_id, message)
        else:
            message = "the transit gateway route table is not described, nor does anything tell its transit gateway"
            found.issue("warning", "dangling-reference", table_id, message, found.origins.get(table_id, ""))


def _associations(found: Collector, tables: dict[str, TransitGatewayRouteTable]) -> dict[str, set[str]]:
    """Table id -> attachments associated with it; absent: not described.

    get-transit-gateway-route-table-associations tells all of one table; then describe-transit-gateway-attachments tells
    of the others; the default table of the transit gateway takes attachments of which neither tells.
    """
    transit = found.transit
    members = {table_id: _named(found, ids) for table_id, ids in transit.table_attachments.items()}
    told = set().union(*members.values()) | transit.attachment_tables.keys()
    whole = set(members)
    if transit.attachment_tables:
        for table_id in tables.keys() - whole:
            members[table_id] = set()
    taken = {
        (tables[table_id].transit_gateway_id, each) for table_id in whole & tables.keys() for each in members[table_id]
    }
    for attachment_id, table_ids in transit.attachment_tables.items():
        for table_id in table_ids & tables.keys() - whole:
            if (tables[table_id].transit_gateway_id, attachment_id) not in taken:
                members[table_id].add(attachment_id)
    attachments: dict[str, TransitGatewayAttachment] = found.tables["transit_gateway_attachments"]
    for attachment in attachments.values():
        table_id = transit.default_tables.get(attachment.transit_gateway_id, "")
        by_default = table_id in tables and table_id not in whole and attachment.peer_transit_gateway_id is None
        if by_default and attachment.attachment_id not in told and is_working(attachment.state):
            members.setdefault(table_id, set()).add(attachment.attachment_id)
    _one_table_each(found, tables, members)
    return members


def _one_table_each(
    found: Collector, tables: dict[str, TransitGatewayRouteTable], members: dict[str, set[str]]
) -> None:
    """An attachment has one table of each transit gateway it belongs to (TG-02): the first by id."""
    holder: dict[tuple[str, str], str] = {}
    for table_id in sorted(members.keys() & tables.keys()):
        for attachment_id in sorted(members[table_id]):
            first = holder.setdefault((tables[table_id].transit_gateway_id, attachment_id), table_id)
            if first != table_id:
                members[table_id].discard(attachment_id)
                message = f"is associated with {first} and {table_id}; the first is used"
                origin = found.origins.get(attachment_id, "")
                found.issue("warning", "conflict", attachment_id, message, origin)


# -- routes ----------------------------------------------------------------------------------------------


def _routes_of(found: Collector, table_id: str) -> tuple[tuple[TransitGatewayRoute, ...] | None, bool]:
    """The routes of a table, and whether they are all of them. None: not described."""
    transit = found.transit
    searched, static = transit.routes.get(table_id), transit.static_routes.get(table_id)
    propagating = transit.propagations.get(table_id)
    if searched is None and static is None and propagating is None:
        return None, True
    part = searched or static or RoutesPart()
    if searched is not None and static is not None:
        part = _both(searched, static)
    routes = [_with_names(found, route) for route in part.routes]
    complete = (searched or static or part).complete
    routes += [
        route
        for list_id, route in transit.list_routes.get(table_id, {}).items()
        if list_id not in part.list_ids and list_id not in {known.destination for known in routes}
    ]
    if searched is None:
        complete = complete and static is not None and propagating is not None
        complete = complete and not found.files.missing("TransitGatewayPrefixListReferences")
    elif propagating and not any(route.propagated for route in routes):
        message = "none of the routes is propagated, though attachments propagate; theirs are added"
        found.issue("note", "conflict", table_id, message, found.origins.get(table_id, ""))
    else:
        propagating = None
    if propagating:
        added, known = _propagated(found, table_id, propagating)
        present = {route.destination for route in routes}
        routes += [route for route in added if route.destination not in present]  # TG-05: a static route hides it
        complete = complete and known
    return tuple(routes), complete


def _both(searched: RoutesPart, static: RoutesPart) -> RoutesPart:
    plain, from_lists = {**searched.plain, **static.plain}, {**searched.from_lists, **static.from_lists}
    return RoutesPart(plain, from_lists, searched.list_ids | static.list_ids, searched.complete)


def _with_names(found: Collector, route: TransitGatewayRoute) -> TransitGatewayRoute:
    if not found.transit.other_names:
        return route
    return replace(route, attachment_ids=tuple(sorted(_named(found, route.attachment_ids))))


def _propagated(
    found: Collector, table_id: str, propagating: dict[str, str | None]
) -> tuple[list[TransitGatewayRoute], bool]:
    """The routes that attachments propagate into a table, and whether these are all (TG-05)."""
    attachments: dict[str, TransitGatewayAttachment] = found.tables["transit_gateway_attachments"]
    connections: dict[str, VpnConnection] = found.tables.get("vpn_connections", {})
    vpcs: dict[str, tuple[str, tuple[IPNetwork, ...]]] = {}
    edges: dict[IPNetwork, list[str]] = {}
    complete = True
    for attachment_id in sorted(_named(found, propagating)):
        attachment = attachments.get(attachment_id)
        if attachment is None or not is_working(attachment.state):
            complete = complete and attachment is not None
        elif attachment.kind == AttachmentKind.VPC:
            blocks = _blocks_of(found, attachment)
            complete = complete and bool(blocks)
            vpcs[attachment.resource_id or attachment_id] = (attachment_id, blocks)
        elif attachment.kind != AttachmentKind.PEERING:  # of a peering attachment nothing is propagated
            connection = connections.get(attachment.resource_id or "")
            complete = complete and connection is not None and connection.static_routes_only
            for destination in connection.destinations if connection else ():
                edges.setdefault(destination, []).append(attachment_id)
    overlapping = _overlapping(vpcs)
    routes = [
        TransitGatewayRoute(block, (attachment_id,), propagated=True)
        for vpc_id, (attachment_id, blocks) in sorted(vpcs.items())
        for block in blocks
        if (vpc_id, block) not in overlapping
    ]
    routes += [TransitGatewayRoute(net, tuple(ids), True, kind=AttachmentKind.VPN) for net, ids in edges.items()]
    if overlapping:
        names = ", ".join(sorted({vpc_id for vpc_id, _ in overlapping}))
        message = f"CIDRs of {names} overlap: which of them AWS propagated is not known, none of these CIDRs is used"
        found.issue("warning", "conflict", table_id, message, found.origins.get(table_id, ""))
    return routes, complete and not overlapping


def _blocks_of(found: Collector, attachment: TransitGatewayAttachment) -> tuple[IPNetwork, ...]:
    """The CIDRs that a VPC attachment propagates; none where not all of them are known."""
    vpc: Vpc | None = found.tables.get("vpcs", {}).get(attachment.resource_id or "")
    if vpc is None or vpc.vpc_id in found.partly_known_vpcs:
        return ()
    ipv6 = found.transit.attachments[attachment.attachment_id].ipv6 is not False  # TG-10
    return vpc.blocks if ipv6 else tuple(vpc.cidr_blocks)


def _overlapping(vpcs: dict[str, tuple[str, tuple[IPNetwork, ...]]]) -> set[tuple[str, IPNetwork]]:
    """(VPC id, CIDR) of CIDRs that overlap another propagating VPC's. Of two that overlap one holds the other."""
    spans = sorted(
        (block.version, int(block.network_address), block.prefixlen, vpc_id, int(block.broadcast_address), block)
        for vpc_id, (_, blocks) in vpcs.items()
        for block in blocks
    )
    found: set[tuple[str, IPNetwork]] = set()
    around: list[tuple[int, int, str, IPNetwork]] = []
    for version, first, _, vpc_id, last, block in spans:
        around = [span for span in around if span[0] == version and span[1] >= first]
        for _, _, other, outer in around:
            if other != vpc_id:
                found |= {(vpc_id, block), (other, outer)}
        around.append((version, last, vpc_id, block))
    return found
