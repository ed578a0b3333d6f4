"""Peering connections and transit gateways of the networks of `synthetic_between`, with the flaws they can have."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import synthetic_between_records as between_records
from . import synthetic_records as records
from .synthetic_between_base import ANYWHERE, ON_PREMISES, Between, Cloud, Place
from .synthetic_records import REGION, Record


def peering_connections(between: Between) -> None:
    """Connections between most pairs of VPCs, with routes on one side or both."""
    for i, cloud in enumerate(between.clouds):
        for other in between.clouds[i + 1 :]:
            if between.chance(0.4):
                _peering(between, cloud, other)
    if between.flaw("peer not described", 0.4):
        far = records.vpc(between.ids("vpc"), ["10.77.0.0/24"])
        row = between.add("VpcPeeringConnections", records.peering(between.ids("pcx"), between.clouds[0].record, far))
        between.spread(between.clouds[0], "10.77.0.0/24", row["VpcPeeringConnectionId"])
    if between.flaw("peering of others", 0.3) and between.documents.get("VpcPeeringConnections"):
        row = between.rng.choice(between.documents["VpcPeeringConnections"])
        between.spread(between.clouds[-1], "10.0.0.0/8", row["VpcPeeringConnectionId"])


def _peering(between: Between, cloud: Cloud, other: Cloud) -> None:
    status = "active"
    if between.flaw("peering state", 0.5):
        status = between.rng.choice(("pending-acceptance", "deleted", "expired"))
    region = "eu-west-1" if between.flaw("peering between regions", 0.4) else REGION
    peering_id = between.ids("pcx")
    row = records.peering(peering_id, cloud.record, other.record, status=status, accepter_region=region)
    for end, here in (("RequesterVpcInfo", cloud), ("AccepterVpcInfo", other)):
        if status == "active" and here.cidr6 and between.chance(0.8):
            row[end]["Ipv6CidrBlockSet"] = [{"Ipv6CidrBlock": here.cidr6}]
    between.add("VpcPeeringConnections", row)
    one_sided = between.flaw("no route back", 0.4)
    for here, there in ((cloud, other), (other, cloud)):
        if one_sided and here is other:
            continue
        between.spread(here, there.cidr, peering_id)
        if between.chance(0.15):
            place = between.rng.choice(there.places)
            between.spread(here, str(place.cidr), peering_id, share=0.5)
        if there.cidr6 and between.chance(0.6):
            between.spread(here, there.cidr6, peering_id)
        if between.flaw("peering for others", 0.3):
            between.spread(here, between.rng.choice((ANYWHERE, *ON_PREMISES)), peering_id)


@dataclass
class _Transit:
    """A transit gateway under construction."""

    gateway_id: str
    tables: list[str] = field(default_factory=list)
    ends: list[tuple[Record, Cloud | None]] = field(default_factory=list)
    """Rows of `attachment`, with the VPC of a VPC's."""
    routes: dict[str, dict[tuple[str, bool], Record]] = field(default_factory=dict)
    """Table id -> (destination, propagated) -> route."""


def transit_gateways(between: Between) -> None:
    """One or two transit gateways between the VPCs, the VPN and each other."""
    made: list[_Transit] = []
    for number in range(between.pick((0, 3), (1, 6), (2, 2))):
        state = "pending" if between.flaw("transit gateway state", 0.3) else "available"
        transit = _Transit(between.ids("tgw"))
        referencing = between.chance(0.6)
        between.add(
            "TransitGateways",
            between_records.transit_gateway(transit.gateway_id, state=state, referencing=referencing),
        )
        for cloud in between.clouds:
            if between.chance(0.8 if number == 0 else 0.5):
                _attach_vpc(between, transit, cloud)
        if between.chance(0.6):
            _attach_edge(between, transit)
        transit.tables = [between.ids("tgw-rtb") for _ in range(between.pick((1, 5), (2, 3)))]
        made.append(transit)
    if len(made) == 2 and between.chance(0.8):
        _peer(between, *made)
    for transit in made:
        _associate(between, transit)
    for transit in made:
        _routes(between, transit, [other for other in made if other is not transit])


def _attach_vpc(between: Between, transit: _Transit, cloud: Cloud) -> None:
    rng = between.rng
    attachment_id = between.ids("tgw-attach")
    zones: dict[str, Place] = {}
    for place in rng.sample(cloud.places, len(cloud.places)):
        zones.setdefault(place.zone, place)
    if between.flaw("attachment misses a zone", 0.5):
        zones.pop(rng.choice(sorted(zones)))
    state = (
        rng.choice(("pendingAcceptance", "deleting", "failed"))
        if between.flaw("attachment state", 0.2)
        else "available"
    )
    row = between_records.attachment(attachment_id, transit.gateway_id, "vpc", cloud.vpc_id, state=state)
    transit.ends.append((row, cloud))
    subnet_ids = [place.subnet_id for place in zones.values()]
    if not between.flaw("attachment subnets not described", 0.2):
        between.add(
            "TransitGatewayVpcAttachments",
            between_records.vpc_attachment(
                attachment_id,
                transit.gateway_id,
                cloud.vpc_id,
                subnet_ids,
                state=state,
                appliance=between.chance(0.2),
                referencing=rng.choice((None, True, True, False)),
            ),
        )
    for place in zones.values():
        if between.chance(0.9):
            between.interface(
                place,
                kind="transit_gateway",
                description=f"Network Interface for Transit Gateway Attachment {attachment_id}",
            )


def _attach_edge(between: Between, transit: _Transit) -> None:
    kind = between.rng.choice(("vpn", "vpn", "direct-connect-gateway", "connect"))
    resource_id = between.ids("vpn") if kind == "vpn" else "01234567-89ab-cdef-0123-456789abcdef"
    if kind == "vpn" and between.chance(0.8):
        state = "pending" if between.flaw("VPN state", 0.4) else "available"
        destinations = [ON_PREMISES[0]] if between.chance(0.5) else []
        between.add(
            "VpnConnections",
            between_records.vpn_connection(
                resource_id, transit_gateway_id=transit.gateway_id, state=state, destinations=destinations
            ),
        )
    row = between_records.attachment(between.ids("tgw-attach"), transit.gateway_id, kind, resource_id)
    transit.ends.append((row, None))


def _peer(between: Between, one: _Transit, other: _Transit) -> None:
    """A transit gateway peering: the attachment has one id, and a row at either end."""
    attachment_id = between.ids("tgw-attach")
    between.add(
        "TransitGatewayPeeringAttachments",
        between_records.peering_attachment(attachment_id, one.gateway_id, other.gateway_id),
    )
    for here, there in ((one, other), (other, one)):
        row = between_records.attachment(attachment_id, here.gateway_id, "peering", there.gateway_id)
        here.ends.append((row, None))


def _associate(between: Between, transit: _Transit) -> None:
    """Each attachment with a table; the attachments themselves are described once."""
    described = {row["TransitGatewayAttachmentId"] for row in between.documents.get("TransitGatewayAttachments", ())}
    for table_id in transit.tables:
        between.add("TransitGatewayRouteTables", between_records.transit_route_table(table_id, transit.gateway_id))
    associated: dict[str, list[Record]] = {table_id: [] for table_id in transit.tables}
    for row, _ in transit.ends:
        if not between.flaw("attachment without table", 0.3):
            table_id = between.rng.choice(transit.tables)
            row["Association"] = {"TransitGatewayRouteTableId": table_id, "State": "associated"}
            associated[table_id].append({**between_records.attachment_end(row), "State": "associated"})
        if row["TransitGatewayAttachmentId"] not in described and not between.flaw("attachment not described", 0.15):
            between.add("TransitGatewayAttachments", row)
    for table_id, rows in associated.items():
        if not between.flaw("associations not described", 0.2):
            wrapper = {"TransitGatewayRouteTableId": table_id, "Associations": rows}
            between.add("TransitGatewayAssociations", wrapper)


def _routes(between: Between, transit: _Transit, others: list[_Transit]) -> None:
    """Routes of the tables: the VPCs', the edge's, a default to a VPC with NAT gateways, black holes, lists."""
    edges = [row for row, cloud in transit.ends if cloud is None and row["ResourceType"] != "peering"]
    peerings = [row for row, _ in transit.ends if row["ResourceType"] == "peering"]
    attached = [cloud for _, cloud in transit.ends if cloud is not None]
    egress = between.rng.choice(attached) if attached else None
    far = [(row, cloud) for other in others for row, cloud in other.ends if cloud and cloud not in attached]
    for table_id in transit.tables:
        table = transit.routes[table_id] = {}
        propagating = []
        for row, cloud in transit.ends:
            if cloud is not None and between.chance(0.85):
                by_propagation = between.chance(0.6)
                _put(between, table, cloud.cidr, [row], propagated=by_propagation)
                if cloud.cidr6:
                    _put(between, table, cloud.cidr6, [row], propagated=by_propagation)
                propagating += [row] if by_propagation else []
            if cloud is egress and cloud is not None and between.chance(0.75):
                _put(between, table, ANYWHERE, [row])
        for row in edges:
            by_propagation = between.chance(0.6)
            for cidr in between.rng.sample(ON_PREMISES, between.rng.choice((2, 4, 4))):
                _put(between, table, cidr, [row], propagated=by_propagation)
            propagating += [row] if by_propagation else []
        for row in peerings:
            for _, cloud in far:
                _put(between, table, cloud.cidr, [row])
            if between.chance(0.3):
                _put(between, table, ANYWHERE, [row])
        _odd_routes(between, table, transit)
        _describe_routes(between, table_id, list(table.values()), propagating)
    _vpc_routes(between, transit, [cloud.cidr for _, cloud in far], egress, to_edge=bool(edges))


def _put(
    between: Between,
    table: dict[tuple[str, bool], Record],
    destination: str,
    ends: list[Record],
    *,
    propagated: bool = False,
) -> None:
    ends = [] if between.flaw("black holes", 0.15) else ends
    row = between_records.transit_route(destination, ends, propagated=propagated and bool(ends))
    table.setdefault((destination, row["Type"] == "propagated"), row)


def _odd_routes(between: Between, table: dict[tuple[str, bool], Record], transit: _Transit) -> None:
    rng, rows = between.rng, [row for row, _ in transit.ends]
    if not rows:
        return
    if between.chance(0.15):
        _put(between, table, rng.choice(between.lists), [rng.choice(rows)])
    if between.chance(0.25):
        place = rng.choice(rng.choice(between.clouds).places)
        _put(between, table, str(place.cidr), [rng.choice(rows)], propagated=between.chance(0.3))
    if between.chance(0.15):
        _put(between, table, rng.choice(("10.0.0.0/8", "203.0.113.0/24")), rng.sample(rows, min(2, len(rows))))
    attached = [row for row, cloud in transit.ends if cloud is not None]
    if between.chance(0.2) and attached:  # on-premises by the virtual private gateway of a VPC (VG-02 forbids it)
        _put(between, table, rng.choice(ON_PREMISES), [rng.choice(attached)])
    if between.flaw("route to an undescribed attachment", 0.3):
        end = between_records.attachment(between.ids("tgw-attach"), transit.gateway_id, "vpc", between.ids("vpc"))
        _put(between, table, "172.16.0.0/12", [end])


def _describe_routes(between: Between, table_id: str, rows: list[Record], propagating: list[Record]) -> None:
    """As search-transit-gateway-routes lists them, or static ones and the propagating attachments."""
    if between.flaw("routes not described", 0.2):
        return
    propagations = [{**between_records.attachment_end(row), "State": "enabled"} for row in propagating]
    wrapper = {"TransitGatewayRouteTableId": table_id, "TransitGatewayRouteTablePropagations": propagations}
    if between.chance(0.75):
        missing = between.flaw("more routes than listed", 0.4)
        described = {"TransitGatewayRouteTableId": table_id, "Routes": rows, "AdditionalRoutesAvailable": missing}
        between.add("TransitGatewayRoutes", described)
        if between.chance(0.5):
            between.add("TransitGatewayPropagations", wrapper)
    else:
        static = [row for row in rows if row["Type"] == "static"]
        described = {"TransitGatewayRouteTableId": table_id, "Routes": static, "AdditionalRoutesAvailable": False}
        between.add("TransitGatewayStaticRoutes", described)
        between.add("TransitGatewayPropagations", wrapper)


def _vpc_routes(between: Between, transit: _Transit, far: list[str], egress: Cloud | None, *, to_edge: bool) -> None:
    """What the VPCs send to the transit gateway: each other, what is far, on-premises, the internet.

    Seldom what the transit gateway would send back (circles end after 64 steps).
    """
    attached = [cloud for _, cloud in transit.ends if cloud is not None]
    clouds = between.clouds if between.flaw("route without attachment", 0.4) else attached
    for cloud in clouds:
        wanted = [other.cidr for other in between.clouds if other is not cloud]
        wanted += [other.cidr6 for other in between.clouds if other is not cloud and other.cidr6]
        wanted += far
        if between.chance(0.9 if to_edge else 0.1):
            wanted += between.rng.sample(ON_PREMISES, 2)
        if between.chance(0.2):
            wanted.append("10.0.0.0/8")
        if between.chance(0.03 if cloud is egress else 0.5):
            wanted.append(ANYWHERE)
        for destination in wanted:
            between.spread(cloud, destination, transit.gateway_id, share=0.85)
        for table in cloud.edge_tables:  # a regional NAT gateway's
            for destination in wanted:
                if destination != ANYWHERE and between.chance(0.6):
                    table.put(destination, transit.gateway_id)
