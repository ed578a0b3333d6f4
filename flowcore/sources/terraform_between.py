"""Peering connections and VPC endpoints of a plan."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from ..model import (
    Route,
    RouteTarget,
    VpcEndpoint,
    VpcPeeringConnection,
)
from .standing import add_node, service_list
from .terraform_groups import default_group_of
from .terraform_values import MADE, OPEN, Block, Overlay, Planned, is_open, made_up_id
from .terraform_vpcs import tags_of
from .values import ipv4_address

__all__ = ["APPLY", "REMOVE", "endpoints_without_group"]


# -- peering connections ----------------------------------------------------------------------------------


def _peering(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    live = draft.get("peering_connections", planned.id)
    if planned.made:
        requester, accepter = new.reference("vpc_id", "vpc"), new.reference("peer_vpc_id", "vpc")
        mine, other = draft.get("vpcs", requester), draft.get("vpcs", accepter)
        region = mine.region if mine else None
        accepted = new.flag("auto_accept")
        draft.put(
            "peering_connections",
            VpcPeeringConnection(
                planned.id,
                "active" if accepted else "pending-acceptance",
                requester,
                accepter,
                region,
                new.text("peer_region") or (other.region if other else region),
                mine.blocks if mine else (),
                other.blocks if other else (),
            ),
        )
    elif live is None:
        overlay.not_there(planned, f"peering connection {planned.id}")
    elif planned.changed("auto_accept") and new.flag("auto_accept"):
        _accept(overlay, planned.id)


def _accept(overlay: Overlay, peering_id: str) -> None:
    """Routes to a peering connection are black holes until it is active (RT-13)."""
    overlay.draft.change_record("peering_connections", peering_id, status="active")
    for table in list(overlay.draft.table("route_tables").values()):
        routes = tuple(replace(r, blackhole=False) if r.target_id == peering_id else r for r in table.routes)
        overlay.draft.put("route_tables", replace(table, routes=routes))


def _accepter(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    peering_id = new.reference("vpc_peering_connection_id", "peering") or ""
    live = overlay.draft.get("peering_connections", peering_id)
    if live is None:
        overlay.not_there(planned, f"peering connection {peering_id}")
    elif new.flag("auto_accept") and live.status != "active":
        _accept(overlay, peering_id)


def _options(overlay: Overlay, planned: Planned) -> None:
    """Options of a peering connection are about names, not packets; an accepter that goes leaves it accepted."""


def _remove_peering(overlay: Overlay, planned: Planned) -> None:
    if not overlay.draft.remove("peering_connections", planned.old_id or ""):
        overlay.not_there(planned, f"peering connection {planned.old_id}")


# -- VPC endpoints ----------------------------------------------------------------------------------------

#: Types of endpoints whose interfaces packets are sent to; a Gateway Load Balancer endpoint's are met by routes.
_WITH_INTERFACES = frozenset({"Interface", "Resource", "ServiceNetwork"})


def _endpoint(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    if planned.made:
        vpc_id = new.reference("vpc_id", "vpc")
        vpc = draft.get("vpcs", vpc_id)
        kind, region = new.text("vpc_endpoint_type") or "Gateway", vpc.region if vpc else None
        made = VpcEndpoint(
            planned.id, kind, vpc_id, "available", new.text("service_name"), region=region, tags=tags_of(new)
        )
        draft.put("vpc_endpoints", made)
    live = draft.get("vpc_endpoints", planned.id)
    if live is None:
        overlay.not_there(planned, f"VPC endpoint {planned.id}")
        return
    if planned.changed("route_table_ids") and live.endpoint_type == "Gateway":
        tables = new.references("route_table_ids", "table")
        if tables is None:
            _open_routes(overlay, planned, live)
        else:
            before = set(planned.old.texts("route_table_ids")) if planned.old and not planned.made else set()
            for table_id in sorted(before - set(tables)):
                _endpoint_route(overlay, planned, planned.id, table_id, False)
            for table_id in tables:
                _endpoint_route(overlay, planned, planned.id, table_id, True)
    groups = _endpoint_groups(overlay, new, live)
    if planned.changed("subnet_ids"):
        subnets = new.references("subnet_ids", "subnet")
        if subnets is None or any(is_open(each) for each in subnets):
            overlay.undetermined(planned, "its subnets are known after apply: flows at its interfaces are UNKNOWN")
        if subnets is not None:
            _endpoint_subnets(overlay, planned, planned.id, set(subnets), groups)
    if planned.changed("security_group_ids") and not planned.made:
        for interface_id in live.interface_ids:
            if interface_id in draft.table("interfaces"):
                draft.change_record("interfaces", interface_id, group_ids=groups)


def _endpoint_groups(overlay: Overlay, new: Block, live: VpcEndpoint) -> tuple[str, ...] | None:
    """The groups of an endpoint's interfaces: the VPC's default one where none is given; None: not known."""
    found = new.references("security_group_ids", "group") if live.endpoint_type in _WITH_INTERFACES else ()
    return _default_groups(overlay, live) if found == () else found


def _default_groups(overlay: Overlay, live: VpcEndpoint) -> tuple[str, ...] | None:
    """The groups of an endpoint's interfaces to which none were given."""
    if live.endpoint_type not in _WITH_INTERFACES:
        return ()
    default = default_group_of(overlay, live.vpc_id)
    return (default,) if default else None


def _open_routes(overlay: Overlay, planned: Planned, live: VpcEndpoint) -> None:
    """Tables that may get the endpoint's route get one to a target that is not known."""
    assert planned.new is not None
    possible, whole = overlay.possible(planned.new, "route_table_ids")
    destination = _service_list(overlay, planned, live)
    open_id = OPEN + made_up_id(f"{planned.address}.route_table_ids").removeprefix(MADE)
    for table in list(overlay.draft.table("route_tables").values()):
        if table.route_table_id in possible or (not whole and table.vpc_id == live.vpc_id):
            route = Route(destination, RouteTarget.UNKNOWN, open_id)
            overlay.draft.put("route_tables", replace(table, routes=(*table.routes, route)))


def _endpoint_subnets(
    overlay: Overlay, planned: Planned, endpoint_id: str, subnets: set[str], groups: tuple[str, ...] | None
) -> None:
    """The subnets of an endpoint: its interfaces in others go, those it has none in get one."""
    draft = overlay.draft
    live = draft.get("vpc_endpoints", endpoint_id)
    kept = []
    for interface_id in live.interface_ids:
        interface = draft.get("interfaces", interface_id)
        if interface is not None and interface.subnet_id not in subnets:
            draft.remove("interfaces", interface_id)
        else:
            kept.append(interface_id)
    taken = {i.subnet_id for i in map(draft.table("interfaces").get, kept) if i is not None}
    for subnet_id in sorted(subnets - taken - set(live.subnet_ids)):
        subnet = draft.get("subnets", subnet_id)
        if subnet is None or live.endpoint_type not in _WITH_INTERFACES:
            continue
        kept.append(f"{made_up_id(planned.address)}:interface:{subnet_id}")
        given = _given_address(planned, subnet_id)
        if not add_node(draft, kept[-1], subnet, "vpc_endpoint", groups, private_address=given):
            overlay.undetermined(
                planned, f"rules tell addresses of {subnet_id} apart: its interface there has none yet"
            )
    known = tuple(sorted(each for each in subnets if not is_open(each)))
    draft.put("vpc_endpoints", replace(live, subnet_ids=known, interface_ids=tuple(sorted(kept))))


def _given_address(planned: Planned, subnet_id: str) -> IPv4Address | None:
    """The address that a subnet_configuration gives the interface of a subnet."""
    for block in planned.new.blocks("subnet_configuration") if planned.new else ():
        text = block.text("ipv4")
        if text and block.reference("subnet_id", "subnet") == subnet_id:
            return ipv4_address(text, *block.path, "ipv4")
    return None


def _endpoint_route(overlay: Overlay, planned: Planned, endpoint_id: str, table_id: str, on: bool) -> None:
    """Adds or takes away the route of a gateway endpoint in a table (EP-01)."""
    draft = overlay.draft
    live, table = draft.get("vpc_endpoints", endpoint_id), draft.get("route_tables", table_id)
    if live is None or table is None:
        overlay.not_there(planned, f"the route to {endpoint_id} of {table_id}")
        return
    others = tuple(route for route in table.routes if route.target_id != endpoint_id)
    if on and len(others) == len(table.routes):
        destination = _service_list(overlay, planned, live)
        others = (*others, Route(destination, RouteTarget.GATEWAY_ENDPOINT, endpoint_id))
    elif on:
        others = table.routes
    draft.put("route_tables", replace(table, routes=others))
    ids = {*live.route_table_ids, table_id} if on else {*live.route_table_ids} - {table_id}
    draft.put("vpc_endpoints", replace(live, route_table_ids=tuple(sorted(ids))))


def _service_list(overlay: Overlay, planned: Planned, endpoint: VpcEndpoint) -> str:
    """The prefix list of a service: as the plan says, as another endpoint's routes say, or by its name."""
    for block in (planned.new, planned.old):
        told = block.text("prefix_list_id") if block else None
        if told:
            return told
    found = service_list(overlay.draft, endpoint.service_name)
    if found:
        return found
    overlay.undetermined(
        planned, "the prefix list of its service is not described: flows that it could take are UNKNOWN"
    )
    return OPEN + made_up_id(f"{planned.address}.prefix_list_id").removeprefix(MADE)


def _remove_endpoint(overlay: Overlay, planned: Planned) -> None:
    draft, live = overlay.draft, overlay.draft.get("vpc_endpoints", planned.old_id)
    if live is None:
        overlay.not_there(planned, f"VPC endpoint {planned.old_id}")
        return
    for table_id in live.route_table_ids if live.endpoint_type == "Gateway" else ():
        if draft.get("route_tables", table_id) is not None:
            _endpoint_route(overlay, planned, live.endpoint_id, table_id, False)
    for interface_id in live.interface_ids:
        draft.remove("interfaces", interface_id)
    draft.remove("vpc_endpoints", live.endpoint_id)


def _endpoint_association(overlay: Overlay, planned: Planned) -> None:
    """aws_vpc_endpoint_route_table_association, _subnet_association, _security_group_association."""
    new = planned.new
    assert new is not None
    endpoint_id = new.reference("vpc_endpoint_id", "endpoint") or ""
    live = overlay.draft.get("vpc_endpoints", endpoint_id)
    if live is None:
        overlay.not_there(planned, f"VPC endpoint {endpoint_id}")
    elif new.values.get("route_table_id"):
        table_id = new.reference("route_table_id", "table") or ""
        for each in overlay.candidates(table_id) if is_open(table_id) else (table_id,):
            _endpoint_route(overlay, planned, endpoint_id, each, True)
    elif new.values.get("subnet_id"):
        subnet_id = new.reference("subnet_id", "subnet")
        there = (overlay.draft.get("interfaces", each) for each in live.interface_ids)
        groups = next((each.group_ids for each in there if each is not None), _default_groups(overlay, live))
        subnets = {*live.subnet_ids, *([subnet_id] if subnet_id else [])}
        _endpoint_subnets(overlay, planned, endpoint_id, subnets, groups)
    else:
        if new.flag("replace_default_association") and planned.made:
            _default_association(overlay, planned, live, False)
        _endpoint_group(overlay, planned, live, new.reference("security_group_id", "group"), True)


def _remove_endpoint_association(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    endpoint_id = old.text("vpc_endpoint_id") or ""
    live = overlay.draft.get("vpc_endpoints", endpoint_id)
    if live is None:
        overlay.not_there(planned, f"VPC endpoint {endpoint_id}")
    elif old.text("route_table_id"):
        _endpoint_route(overlay, planned, endpoint_id, old.text("route_table_id") or "", False)
    elif old.text("subnet_id"):
        _endpoint_subnets(overlay, planned, endpoint_id, set(live.subnet_ids) - {old.text("subnet_id") or ""}, ())
    else:
        if old.flag("replace_default_association"):
            _default_association(overlay, planned, live, True)
        _endpoint_group(overlay, planned, live, old.text("security_group_id"), False)


def _default_association(overlay: Overlay, planned: Planned, live: VpcEndpoint, on: bool) -> None:
    """replace_default_association: the VPC's default group makes way for the association, and comes back after it."""
    default = default_group_of(overlay, live.vpc_id)
    if default is not None:
        _endpoint_group(overlay, planned, live, default, on)
        return
    overlay.undetermined(planned, f"the default group of {live.vpc_id} is not described: flows at it are UNKNOWN")
    for interface_id in live.interface_ids:
        if interface_id in overlay.draft.table("interfaces"):
            overlay.draft.change_record("interfaces", interface_id, group_ids=None)


def _endpoint_group(overlay: Overlay, planned: Planned, live: VpcEndpoint, group_id: str | None, on: bool) -> None:
    for interface_id in live.interface_ids:
        interface = overlay.draft.get("interfaces", interface_id)
        if interface is None or interface.group_ids is None or group_id is None:
            continue
        others = tuple(each for each in interface.group_ids if each != group_id)
        group_ids = (*others, group_id) if on else others
        overlay.draft.put("interfaces", replace(interface, group_ids=group_ids))
        if not on and group_id in interface.group_ids:
            overlay.taken_groups.setdefault(interface_id, []).append((planned, group_id))


def endpoints_without_group(overlay: Overlay) -> None:
    """An interface of an endpoint that the plan as a whole leaves no group gets the VPC's default one (EP-03)."""
    for live in overlay.draft.table("vpc_endpoints").values() if overlay.taken_groups else ():
        for interface_id in live.interface_ids:
            interface = overlay.draft.get("interfaces", interface_id)
            if interface_id not in overlay.taken_groups or interface is None or interface.group_ids != ():
                continue
            planned, _ = overlay.taken_groups[interface_id][-1]
            with overlay.at(planned.where), overlay.draft.change(planned.name):
                message = (
                    f"the plan takes the last group from {live.endpoint_id}: the VPC's default one takes its place"
                )
                overlay.note("warning", "conflict", planned.address, message)
                group_ids = _default_groups(overlay, live)
                overlay.draft.put("interfaces", replace(interface, group_ids=group_ids))


APPLY = {
    "aws_vpc_peering_connection": _peering,
    "aws_vpc_peering_connection_accepter": _accepter,
    "aws_vpc_peering_connection_options": _options,
    "aws_vpc_endpoint": _endpoint,
    "aws_vpc_endpoint_route_table_association": _endpoint_association,
    "aws_vpc_endpoint_subnet_association": _endpoint_association,
    "aws_vpc_endpoint_security_group_association": _endpoint_association,
}
REMOVE = {
    "aws_vpc_peering_connection": _remove_peering,
    "aws_vpc_peering_connection_accepter": _options,
    "aws_vpc_peering_connection_options": _options,
    "aws_vpc_endpoint": _remove_endpoint,
    "aws_vpc_endpoint_route_table_association": _remove_endpoint_association,
    "aws_vpc_endpoint_subnet_association": _remove_endpoint_association,
    "aws_vpc_endpoint_security_group_association": _remove_endpoint_association,
}
