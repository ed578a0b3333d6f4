"""Edits of route tables and of what routes lead to."""

from __future__ import annotations

from dataclasses import replace

from .changes import Draft
from .changes_links import associate_gateway, associate_table, attach, put_route, remove_route
from .edits_base import Edit, EditError, as_network, described, not_there, same_vpc
from .model import Gateway, IPNetwork, Route, RouteTable, RouteTarget, VpcEndpoint
from .sources.standing import add_nat_gateway, service_list

__all__ = [
    "AddGatewayEndpoint",
    "AddNatGateway",
    "AddRoute",
    "AssociateTable",
    "AttachGateway",
    "DetachGateway",
    "RemoveGateway",
    "RemoveRoute",
    "ReplaceRoute",
]

#: Prefix of a target's id -> (kind of route target, mapping of Network that describes it).
_TARGETS = {
    "igw": (RouteTarget.INTERNET_GATEWAY, "internet_gateways"),
    "eigw": (RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY, "egress_only_internet_gateways"),
    "vgw": (RouteTarget.VIRTUAL_PRIVATE_GATEWAY, "vpn_gateways"),
    "nat": (RouteTarget.NAT_GATEWAY, "nat_gateways"),
    "eni": (RouteTarget.NETWORK_INTERFACE, "interfaces"),
    "tgw": (RouteTarget.TRANSIT_GATEWAY, "transit_gateways"),
    "pcx": (RouteTarget.VPC_PEERING_CONNECTION, "peering_connections"),
    "vpce": (RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT, "vpc_endpoints"),
}
_ATTACHED = {"igw": "internet_gateways", "eigw": "egress_only_internet_gateways", "vgw": "vpn_gateways"}

# -- routes -----------------------------------------------------------------------------------------------


def _destination(draft: Draft, text: str) -> IPNetwork | str:
    if text.startswith("pl-"):
        described(draft, "prefix_lists", text, "destination")
        return text
    return as_network(text, "destination")


def _route(draft: Draft, table: RouteTable, text: str, target: str) -> Route:
    """The route, its target described and in the table's VPC where it stands in one."""
    destination = _destination(draft, text)
    if target == "local":
        return Route(destination, RouteTarget.LOCAL, "local")
    instance = draft.get("instances", target)
    if instance is not None and instance.interface_ids:  # a route to an instance is one to its first interface
        target = instance.interface_ids[0]
    prefix = target.partition("-")[0]
    if prefix not in _TARGETS:
        kinds = ", ".join(f"{each}-…" for each in sorted(_TARGETS))
        raise EditError("cannot be understood", "target", target, f"local, an instance id, or one of {kinds}")
    kind, mapping = _TARGETS[prefix]
    found = described(draft, mapping, target, "target")
    vpc_id = getattr(found, "vpc_id", None)
    if vpc_id:
        same_vpc(vpc_id, table.vpc_id, "target", target)
    if kind == RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT and found.endpoint_type == "Gateway":
        kind = RouteTarget.GATEWAY_ENDPOINT
    return Route(destination, kind, target)


class _RouteEdit(Edit, frozen=True):
    table: str
    destination: str
    """A CIDR or a prefix list id."""

    def found(self, draft: Draft) -> tuple[RouteTable, Route | None]:
        """The table, and its static route to the destination."""
        table: RouteTable = described(draft, "route_tables", self.table, "table")
        destination: IPNetwork | str = self.destination
        if not self.destination.startswith("pl-"):
            destination = as_network(self.destination, "destination")
        static = (r for r in table.routes if r.destination == destination and not r.propagated)
        return table, next(static, None)

    def missing(self, table: RouteTable) -> EditError:
        """That the table has no such route."""
        return not_there(self.destination, [str(route.destination) for route in table.routes], "destination")


class AddRoute(_RouteEdit, frozen=True, tag="add route"):
    """A further static route of a route table."""

    target: str
    """An id, or local."""

    def make(self, draft: Draft) -> None:
        table, old = self.found(draft)
        if old is not None and not (old.target_kind == RouteTarget.LOCAL and self.target != "local"):
            raise EditError("the table has a route to it", "destination", self.destination, "replace route, or another")
        put_route(draft, self.table, _route(draft, table, self.destination, self.target))


class ReplaceRoute(_RouteEdit, frozen=True, tag="replace route"):
    """Another target for a route."""

    target: str

    def make(self, draft: Draft) -> None:
        table, old = self.found(draft)
        if old is None:
            raise self.missing(table)
        new = _route(draft, table, self.destination, self.target)
        if new == old:
            raise EditError("changes nothing", "target", self.target)
        put_route(draft, self.table, new)


class RemoveRoute(_RouteEdit, frozen=True, tag="remove route"):
    """Takes a static route out of a route table."""

    def make(self, draft: Draft) -> None:
        table, old = self.found(draft)
        if old is None:
            raise self.missing(table)
        if old.target_kind == RouteTarget.LOCAL:
            raise EditError("a local route cannot go (RT-09)", "destination", self.destination)
        remove_route(draft, self.table, old.destination)


class AssociateTable(Edit, frozen=True, tag="associate table"):
    """Puts a subnet, or what comes in by a gateway, under another route table. Exactly one of subnet and gateway."""

    table: str | None = None
    """Absent: the VPC's main one; none for a gateway."""
    subnet: str | None = None
    gateway: str | None = None

    def make(self, draft: Draft) -> None:
        if bool(self.subnet) == bool(self.gateway):
            raise EditError("names neither or both", "", None, "exactly one of subnet, gateway")
        table = described(draft, "route_tables", self.table, "table") if self.table else None
        if self.subnet:
            subnet = described(draft, "subnets", self.subnet, "subnet")
            if table is not None:
                same_vpc(table.vpc_id, subnet.vpc_id, "table", table.route_table_id)
            associate_table(draft, self.subnet, self.table)
            return
        gateway = str(self.gateway)
        kind = _ATTACHED.get(gateway.partition("-")[0], "internet_gateways")
        described(draft, kind, gateway, "gateway")
        associate_gateway(draft, gateway, self.table)


# -- gateways ---------------------------------------------------------------------------------------------


def _attachable(gateway: str) -> str:
    kind = _ATTACHED.get(gateway.partition("-")[0])
    if kind is None:
        raise EditError("cannot be attached", "gateway", gateway, "igw-…, eigw-… or vgw-…")
    return kind


class AttachGateway(Edit, frozen=True, tag="attach gateway"):
    """Attaches an internet, egress-only internet or virtual private gateway to a VPC; an id that is new is made."""

    gateway: str
    vpc: str

    def make(self, draft: Draft) -> None:
        kind = _attachable(self.gateway)
        vpc = described(draft, "vpcs", self.vpc, "vpc")
        for other in draft.table(kind).values():
            if self.vpc in other.vpc_ids:
                raise EditError(f"the VPC has {other.gateway_id} already (IG-12)", "vpc", self.vpc)
        if draft.get(kind, self.gateway) is None:
            draft.put(kind, Gateway(self.gateway, (), vpc.region))
        attach(draft, kind, self.gateway, self.vpc)


class DetachGateway(Edit, frozen=True, tag="detach gateway"):
    """Attaches a gateway to nothing; routes to it become black holes (RT-13)."""

    gateway: str

    def make(self, draft: Draft) -> None:
        kind = _attachable(self.gateway)
        if not described(draft, kind, self.gateway, "gateway").vpc_ids:
            raise EditError("is attached to nothing", "gateway", self.gateway)
        attach(draft, kind, self.gateway, None)


class RemoveGateway(Edit, frozen=True, tag="remove gateway"):
    """Takes away a gateway, NAT gateway, peering connection or endpoint; routes to it become black holes (RT-13)."""

    gateway: str

    def make(self, draft: Draft) -> None:
        prefix = self.gateway.partition("-")[0]
        if prefix not in _TARGETS or prefix in ("eni", "tgw"):
            raise EditError("cannot be removed", "gateway", self.gateway, "igw-, eigw-, vgw-, nat-, pcx- or vpce-…")
        kind = _TARGETS[prefix][1]
        record = described(draft, kind, self.gateway, "gateway")
        if kind == "nat_gateways":
            for address in record.addresses:
                draft.remove("interfaces", address.interface_id or "")
        if kind == "vpc_endpoints":
            for interface_id in record.interface_ids:
                draft.remove("interfaces", interface_id)
            for table in list(draft.table("route_tables").values()) if record.endpoint_type == "Gateway" else ():
                kept = tuple(route for route in table.routes if route.target_id != self.gateway)
                draft.put("route_tables", replace(table, routes=kept))
        draft.remove(kind, self.gateway)


class AddNatGateway(Edit, frozen=True, tag="add nat gateway"):
    """A new NAT gateway in a subnet; its address stands for any free one of the subnet (docs/terraform.md)."""

    gateway: str
    """A new id, `nat-…`."""
    subnet: str
    private: bool = False

    def make(self, draft: Draft) -> None:
        if not self.gateway.startswith("nat-") or draft.get("nat_gateways", self.gateway) is not None:
            raise EditError("is no new id", "gateway", self.gateway, "an id nat-… that is not in the network")
        subnet = described(draft, "subnets", self.subnet, "subnet")
        if not add_nat_gateway(draft, self.gateway, subnet, public=not self.private):
            message = "rules tell the free addresses of the subnet apart, so none can stand for the gateway's"
            raise EditError(message, "subnet", self.subnet)


class AddGatewayEndpoint(Edit, frozen=True, tag="add gateway endpoint"):
    """A new gateway endpoint of a service, with its route in each table (EP-01)."""

    endpoint: str
    """A new id, `vpce-…`."""
    vpc: str
    service: str
    """Its name, `com.amazonaws.eu-west-1.s3`; a prefix list of that name must be described."""
    tables: tuple[str, ...]

    def make(self, draft: Draft) -> None:
        if not self.endpoint.startswith("vpce-") or draft.get("vpc_endpoints", self.endpoint) is not None:
            raise EditError("is no new id", "endpoint", self.endpoint, "an id vpce-… that is not in the network")
        vpc = described(draft, "vpcs", self.vpc, "vpc")
        list_id = service_list(draft, self.service)
        if list_id is None:
            message = "the prefix list of the service is not described"
            raise EditError(message, "service", self.service, "a service whose prefix list is in the snapshot")
        for i, table_id in enumerate(self.tables):
            table = described(draft, "route_tables", table_id, f"tables[{i}]")
            same_vpc(table.vpc_id, self.vpc, f"tables[{i}]", table_id)
            put_route(draft, table_id, Route(list_id, RouteTarget.GATEWAY_ENDPOINT, self.endpoint))
        tables = tuple(sorted(self.tables))
        made = VpcEndpoint(self.endpoint, "Gateway", self.vpc, "available", self.service, tables, region=vpc.region)
        draft.put("vpc_endpoints", made)
