"""Changes of a draft that touch more than one record: which subnet has which ACL and table, what a gateway is
attached to, local routes, the defaults of a new VPC. Shared by Terraform plans and edits.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from .changes import Draft
from .model import (
    IPNetwork,
    NetworkAcl,
    NetworkAclEntry,
    Route,
    RouteTable,
    RouteTarget,
    SecurityGroup,
    SecurityGroupRule,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
    Vpc,
)

__all__ = [
    "associate_acl",
    "associate_gateway",
    "associate_table",
    "attach",
    "default_acl_of",
    "final_denies",
    "local_routes",
    "main_table_of",
    "make_main",
    "propagated_routes",
    "put_route",
    "remove_route",
    "undescribe_acl",
    "undescribe_table",
    "vpc_defaults",
    "with_cidrs",
]

_ALL_IPV4, _ALL_IPV6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")


# -- network ACLs -----------------------------------------------------------------------------------------


def default_acl_of(draft: Draft, vpc_id: str | None) -> str | None:
    """The id of a VPC's default network ACL."""
    found = (a.network_acl_id for a in draft.table("network_acls").values() if a.vpc_id == vpc_id and a.is_default)
    return next(found, None)


def associate_acl(draft: Draft, subnet_id: str, acl_id: str | None) -> None:
    """Puts a subnet under an ACL and takes it from the one it had (NA-01: exactly one). None: under none described."""
    _move(draft, "network_acls", "subnet_ids", subnet_id, acl_id)


def undescribe_acl(draft: Draft, subnet_id: str) -> None:
    """Makes it unknown which ACL a subnet has: the others of a default ACL are then associated with it by name."""
    associate_acl(draft, subnet_id, None)
    subnet = draft.get("subnets", subnet_id)
    default = draft.get("network_acls", default_acl_of(draft, subnet.vpc_id if subnet else None))
    if default is not None:
        others = _others_of(draft, "network_acls", default.vpc_id, subnet_id)
        ids = tuple(sorted({*default.subnet_ids, *others}))
        draft.put("network_acls", replace(default, is_default=False, subnet_ids=ids))


def final_denies(vpc: Vpc | None) -> tuple[NetworkAclEntry, ...]:
    """The last entries of every ACL: 32767, and 32768 in a VPC with IPv6 (NA-03)."""
    numbers: list[tuple[int, IPNetwork]] = [(32767, _ALL_IPV4)]
    if vpc is not None and vpc.ipv6_cidr_blocks:
        numbers.append((32768, _ALL_IPV6))
    return tuple(NetworkAclEntry(n, egress, -1, False, cidr) for egress in (False, True) for n, cidr in numbers)


# -- route tables -----------------------------------------------------------------------------------------


def main_table_of(draft: Draft, vpc_id: str | None) -> str | None:
    """The id of a VPC's main route table."""
    found = (t.route_table_id for t in draft.table("route_tables").values() if t.vpc_id == vpc_id and t.main)
    return next(found, None)


def associate_table(draft: Draft, subnet_id: str, table_id: str | None) -> None:
    """Puts a subnet under a route table; None: under its VPC's main one (RT-01)."""
    _move(draft, "route_tables", "subnet_ids", subnet_id, table_id)


def associate_gateway(draft: Draft, gateway_id: str, table_id: str | None) -> None:
    """Gives a gateway a route table for what comes in by it, or takes it away (RT-20)."""
    _move(draft, "route_tables", "gateway_ids", gateway_id, table_id)


def make_main(draft: Draft, vpc_id: str, table_id: str) -> None:
    """Makes a route table the VPC's main one."""
    for table in list(draft.table("route_tables").values()):
        if table.vpc_id == vpc_id and table.main != (table.route_table_id == table_id):
            draft.put("route_tables", replace(table, main=table.route_table_id == table_id))


def undescribe_table(draft: Draft, subnet_id: str) -> None:
    """Makes it unknown which route table a subnet has: the others of a main table are then associated by name."""
    associate_table(draft, subnet_id, None)
    subnet = draft.get("subnets", subnet_id)
    main = draft.get("route_tables", main_table_of(draft, subnet.vpc_id if subnet else None))
    if main is not None:
        others = _others_of(draft, "route_tables", main.vpc_id, subnet_id)
        draft.put("route_tables", replace(main, main=False, subnet_ids=tuple(sorted({*main.subnet_ids, *others}))))


def put_route(draft: Draft, table_id: str, route: Route) -> None:
    """Adds a static route, in place of the one with its destination."""
    table = draft.get("route_tables", table_id)
    same = [r for r in table.routes if r.destination == route.destination and not r.propagated]
    if same:
        routes = tuple(route if r is same[0] else r for r in table.routes if r is same[0] or r not in same)
    else:
        routes = (*table.routes, route)
    draft.put("route_tables", replace(table, routes=routes))


def remove_route(draft: Draft, table_id: str, destination: object) -> bool:
    """Removes a static route; a CIDR of the VPC gets its local route back (RT-09). False: there was none."""
    table = draft.get("route_tables", table_id)
    vpc = draft.get("vpcs", table.vpc_id)
    kept: list[Route] = []
    removed = False
    for route in table.routes:
        if route.destination != destination or route.propagated:
            kept.append(route)
            continue
        removed = True
        if vpc is not None and destination in vpc.blocks:
            kept.append(Route(route.destination, RouteTarget.LOCAL, "local"))
    draft.put("route_tables", replace(table, routes=tuple(kept)))
    return removed


# -- VPCs and gateways ------------------------------------------------------------------------------------


def local_routes(vpc: Vpc | None) -> tuple[Route, ...]:
    """The local route of each CIDR of a VPC (RT-09); if they are not known, one to a list that is not described."""
    if vpc is None:
        return ()
    if not vpc.described:
        open_id = f"tf:?{vpc.vpc_id.removeprefix('tf:')}.cidr_block"
        return (Route(open_id, RouteTarget.LOCAL, "local"),)
    return tuple(Route(cidr, RouteTarget.LOCAL, "local") for cidr in vpc.blocks)


def with_cidrs(draft: Draft, vpc: Vpc) -> None:
    """Puts a VPC whose CIDRs may differ; its tables gain and lose the local routes."""
    old = draft.get("vpcs", vpc.vpc_id)
    draft.put("vpcs", vpc)
    gone = set(old.blocks) - set(vpc.blocks) if old else set()
    for table in list(draft.table("route_tables").values()):
        if table.vpc_id != vpc.vpc_id:
            continue
        kept = [r for r in table.routes if not (r.destination in gone and r.target_kind == RouteTarget.LOCAL)]
        present = {r.destination for r in kept if not r.propagated}
        new = [route for route in local_routes(vpc) if route.destination not in present]
        draft.put("route_tables", replace(table, routes=(*kept, *new)))
    for peering in list(draft.table("peering_connections").values()):
        for end in ("requester", "accepter"):
            if getattr(peering, f"{end}_vpc_id") == vpc.vpc_id and getattr(peering, f"{end}_cidr_blocks"):
                fields: dict[str, Any] = {f"{end}_cidr_blocks": vpc.blocks}
                draft.change_record("peering_connections", peering.peering_id, **fields)
    _propagate_cidrs(draft, vpc, gone)


def _propagate_cidrs(draft: Draft, vpc: Vpc, gone: set[IPNetwork]) -> None:
    """Transit gateway tables that a VPC's attachment propagates to gain and lose its CIDRs (TG-05)."""
    for attachment in list(draft.table("transit_gateway_attachments").values()):
        if attachment.resource_id != vpc.vpc_id:
            continue
        for table in list(draft.table("transit_gateway_route_tables").values()):
            own = [r for r in table.routes or () if r.propagated and attachment.attachment_id in r.attachment_ids]
            if own:
                kept = tuple(r for r in table.routes if not (r in own and r.destination in gone))
                left = replace(table, routes=kept)
                draft.put("transit_gateway_route_tables", propagated_routes(draft, left, attachment))


def propagated_routes(
    draft: Draft, table: TransitGatewayRouteTable, attachment: TransitGatewayAttachment
) -> TransitGatewayRouteTable:
    """The table with a route to each CIDR of an attachment's VPC, but where a static route has it (TG-05)."""
    vpc = draft.get("vpcs", attachment.resource_id)
    if vpc is None or not vpc.blocks:
        return replace(table, complete=False)
    present = {route.destination for route in table.routes or ()}
    new = (
        TransitGatewayRoute(block, (attachment.attachment_id,), propagated=True)
        for block in vpc.blocks
        if block not in present
    )
    return replace(table, routes=(*(table.routes or ()), *new))


def vpc_defaults(draft: Draft, vpc: Vpc, made: str) -> None:
    """What AWS makes with a VPC: default group (SG-04), default ACL (NA-12), main route table (RT-09)."""
    group_id = f"{made}:default-security-group"
    out: list[IPNetwork] = [_ALL_IPV4, *([_ALL_IPV6] if vpc.ipv6_cidr_blocks else [])]
    rules = [SecurityGroupRule(f"{group_id}:in:all:*:{group_id}", group_id, False, -1, referenced_group_id=group_id)]
    rules += [SecurityGroupRule(f"{group_id}:out:all:*:{cidr}", group_id, True, -1, cidr_block=cidr) for cidr in out]
    ordered = tuple(sorted(rules, key=lambda rule: rule.rule_id))
    draft.put("security_groups", SecurityGroup(group_id, vpc.vpc_id, "default", ordered, vpc.owner_id))
    allows = [
        NetworkAclEntry(100 + i, egress, -1, True, cidr) for egress in (False, True) for i, cidr in enumerate(out)
    ]
    entries = tuple(sorted([*allows, *final_denies(vpc)], key=lambda entry: (entry.egress, entry.rule_number)))
    draft.put("network_acls", NetworkAcl(f"{made}:default-network-acl", vpc.vpc_id, entries, is_default=True))
    draft.put("route_tables", RouteTable(f"{made}:main-route-table", vpc.vpc_id, local_routes(vpc), main=True))


def attach(draft: Draft, kind: str, gateway_id: str, vpc_id: str | None) -> None:
    """Attaches a gateway to one VPC, or to none; routes to it in a VPC it leaves become black holes (RT-13)."""
    gateway = draft.get(kind, gateway_id)
    left = set(gateway.vpc_ids) - {vpc_id}
    draft.put(kind, replace(gateway, vpc_ids=(vpc_id,) if vpc_id else ()))
    for each in left:
        draft.blackhole(gateway_id, each)
    for table in list(draft.table("route_tables").values()) if vpc_id else ():
        if table.vpc_id == vpc_id and any(r.target_id == gateway_id and r.blackhole for r in table.routes):
            routes = tuple(replace(r, blackhole=False) if r.target_id == gateway_id else r for r in table.routes)
            draft.put("route_tables", replace(table, routes=routes))


# -- helpers ----------------------------------------------------------------------------------------------


def _move(draft: Draft, kind: str, name: str, member: str, holder_id: str | None) -> None:
    for record in list(draft.table(kind).values()):
        members: Any = getattr(record, name)
        if member in members and _id(kind, record) != holder_id:
            draft.put(kind, replace(record, **{name: tuple(each for each in members if each != member)}))
    holder = draft.get(kind, holder_id)
    if holder is not None and member not in getattr(holder, name):
        draft.put(kind, replace(holder, **{name: tuple(sorted((*getattr(holder, name), member)))}))


def _others_of(draft: Draft, kind: str, vpc_id: str, subnet_id: str) -> set[str]:
    """Subnets of a VPC that no record of the kind is associated with, but the one given."""
    taken = {each for record in draft.table(kind).values() for each in record.subnet_ids}
    subnets = draft.table("subnets").values()
    return {each.subnet_id for each in subnets if each.vpc_id == vpc_id} - taken - {subnet_id}


def _id(kind: str, record: Any) -> str:
    return str(record.network_acl_id if kind == "network_acls" else record.route_table_id)
