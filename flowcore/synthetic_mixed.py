"""What stands between, for the region of `synthetic_regions`: a NAT gateway a zone, a transit gateway, load balancers.

Works on the finished documents of a plain region, so that the plain one does not change. Everything is made to work:
flaws belong to `synthetic_between`.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from random import Random

from . import synthetic_between_records as between_records
from . import synthetic_records as records
from .synthetic_records import REGION, Documents, Ids, Record

ANYWHERE = "0.0.0.0/0"
#: Port of the load balancers' targets; groups of the app and db tiers let it in from every VPC.
TARGET_PORT = 8080
INTERFACES_A_BALANCER = 100


class _Home:
    """What is needed of one VPC."""

    def __init__(self, documents: Documents, vpc: Record) -> None:
        self.vpc_id = str(vpc["VpcId"])
        self.cidr = str(vpc["CidrBlock"])
        self.subnets = [row for row in documents["Subnets"] if row["VpcId"] == self.vpc_id]
        self.tables = [row for row in documents["RouteTables"] if row["VpcId"] == self.vpc_id]
        self.groups = [row for row in documents["SecurityGroups"] if row["VpcId"] == self.vpc_id]
        interfaces = [row for row in documents["NetworkInterfaces"] if row["VpcId"] == self.vpc_id]
        self.hosts = [row for row in interfaces if row["InterfaceType"] == "interface"]
        self.used = {own["PrivateIpAddress"] for row in interfaces for own in row["PrivateIpAddresses"]}

    def of_tier(self, tier: str) -> list[Record]:
        """The subnets of a tier: their names hold it."""
        return [row for row in self.subnets if f"-{tier}-" in row["Tags"][0]["Value"]]

    def by_zone(self, tier: str) -> dict[str, list[Record]]:
        """Zone letter -> subnets of the tier."""
        found: dict[str, list[Record]] = {}
        for row in self.of_tier(tier):
            found.setdefault(row["AvailabilityZone"][-1], []).append(row)
        return found

    def free(self, subnet: Record) -> str | None:
        """The last free address of the subnet, now used."""
        cidr = IPv4Network(subnet["CidrBlock"])
        for number in range(int(cidr.broadcast_address) - 1, int(cidr.network_address) + 3, -1):
            address = str(IPv4Address(number))
            if address not in self.used:
                self.used.add(address)
                return address
        return None


class _Mixed:
    """The documents, and numbers for the interfaces added."""

    def __init__(self, documents: Documents, ids: Ids) -> None:
        self.documents, self.ids, self.count = documents, ids, 1_050_000

    def add(self, key: str, record: Record) -> Record:
        self.documents.setdefault(key, []).append(record)
        return record

    def interface(
        self,
        home: _Home,
        subnet: Record,
        kind: str,
        description: str,
        *,
        public: bool = False,
        group: Record | None = None,
    ) -> Record | None:
        """A new interface of AWS's own in the subnet, if it has an address left."""
        address = home.free(subnet)
        if address is None:
            return None
        self.count += 1
        outside = str(IPv4Address(int(IPv4Address("54.144.0.0")) + self.count)) if public else None
        record = records.interface(
            self.ids("eni"),
            home.vpc_id,
            subnet["SubnetId"],
            [(address, outside)],
            groups=[(group["GroupId"], group["GroupName"])] if group else [],
            zone=subnet["AvailabilityZone"][-1],
            kind=kind,
            description=description,
            number=self.count,
        )
        return self.add("NetworkInterfaces", record)


def add_between(documents: Documents, ids: Ids, rng: Random) -> None:
    """Add to a region's documents what stands between; interfaces of AWS's own come on top of the region's."""
    mixed = _Mixed(documents, ids)
    homes = [_Home(documents, vpc) for vpc in documents["Vpcs"]]
    gateway_id, table_id = ids("tgw"), ids("tgw-rtb")
    mixed.add("TransitGateways", between_records.transit_gateway(gateway_id))
    mixed.add("TransitGatewayRouteTables", between_records.transit_route_table(table_id, gateway_id))
    rows = [(home, _attach(mixed, home, gateway_id, table_id)) for home in homes]
    ends = [{**between_records.attachment_end(row), "State": "associated"} for _, row in rows]
    mixed.add("TransitGatewayAssociations", {"TransitGatewayRouteTableId": table_id, "Associations": ends})
    routes = [between_records.transit_route(home.cidr, [row], propagated=True) for home, row in rows]
    described = {"TransitGatewayRouteTableId": table_id, "Routes": routes, "AdditionalRoutesAvailable": False}
    mixed.add("TransitGatewayRoutes", described)
    for home in homes:
        for table in home.tables:
            table["Routes"] += [
                records.route(other.cidr, gateway_id)
                for other in homes
                if other is not home and other.cidr not in [row.get("DestinationCidrBlock") for row in table["Routes"]]
            ]
        _zonal_nat(mixed, home)
        _endpoint(mixed, home)
        for number in range(max(1, len(home.hosts) // INTERFACES_A_BALANCER)):
            _application(mixed, rng, home, number, "web")
            _application(mixed, rng, home, number, "app")
            _network(mixed, rng, home, number)


def _attach(mixed: _Mixed, home: _Home, gateway_id: str, table_id: str) -> Record:
    """The attachment of a VPC: one subnet in each of its zones."""
    attachment_id = mixed.ids("tgw-attach")
    places = {row["AvailabilityZone"]: row for row in home.subnets}
    row = between_records.attachment(attachment_id, gateway_id, "vpc", home.vpc_id)
    row["Association"] = {"TransitGatewayRouteTableId": table_id, "State": "associated"}
    mixed.add("TransitGatewayAttachments", row)
    subnet_ids = [place["SubnetId"] for place in places.values()]
    attached = between_records.vpc_attachment(attachment_id, gateway_id, home.vpc_id, subnet_ids)
    mixed.add("TransitGatewayVpcAttachments", attached)
    for place in places.values():
        mixed.interface(
            home, place, "transit_gateway", f"Network Interface for Transit Gateway Attachment {attachment_id}"
        )
    return row


def _zonal_nat(mixed: _Mixed, home: _Home) -> None:
    """A NAT gateway in each zone, and a private table for each zone instead of the one."""
    private = next(table for table in home.tables if table["Tags"][0]["Value"].endswith("-private"))
    if not any("NatGatewayId" in route for route in private["Routes"]):
        return
    web, name = home.by_zone("web"), private["Tags"][0]["Value"]
    mixed.documents["RouteTables"].remove(private)
    for zone, subnets in sorted(home.by_zone("app").items()):
        place = web.get(zone, home.of_tier("web"))[0]
        interface = mixed.interface(home, place, "nat_gateway", "Interface for NAT Gateway", public=True)
        routes = [dict(route) for route in private["Routes"]]
        if interface is not None:
            nat_id = mixed.ids("nat")
            mixed.add("NatGateways", records.nat_gateway(nat_id, interface, name=f"{name}-nat-{zone}"))
            for route in routes:
                if "NatGatewayId" in route:
                    route["NatGatewayId"] = nat_id
        table = records.route_table(
            mixed.ids("rtb"),
            home.vpc_id,
            routes,
            subnet_ids=[row["SubnetId"] for row in subnets],
            name=f"{name}-{zone}",
        )
        mixed.add("RouteTables", table)


def _endpoint(mixed: _Mixed, home: _Home) -> None:
    """Describe the S3 gateway endpoint that the private tables name."""
    tables = [row for row in mixed.documents["RouteTables"] if row["VpcId"] == home.vpc_id]
    using = {
        table["RouteTableId"]: route["GatewayId"]
        for table in tables
        for route in table["Routes"]
        if route.get("GatewayId", "").startswith("vpce-")
    }
    for endpoint_id in sorted(set(using.values())):
        service, used = f"com.amazonaws.{REGION}.s3", [table_id for table_id in using if using[table_id] == endpoint_id]
        mixed.add(
            "VpcEndpoints",
            between_records.vpc_endpoint(endpoint_id, "Gateway", home.vpc_id, service, table_ids=used),
        )


def _application(mixed: _Mixed, rng: Random, home: _Home, number: int, tier: str) -> None:
    """An Application Load Balancer: internet-facing in the web tier, internal in the app tier."""
    groups = [row for row in home.groups if f"-{tier}-" in row["GroupName"]] or home.groups
    name = f"{tier}-{number}"
    arn = _balancer(mixed, home, "app", name, tier, public=tier == "web", group=groups[number % len(groups)])
    _listener(mixed, rng, home, arn, ("HTTPS", "HTTP", "instance"))


def _network(mixed: _Mixed, rng: Random, home: _Home, number: int) -> None:
    """An internal Network Load Balancer: instance targets keep the client's address, IP targets do not (NL-05)."""
    groups = [row for row in home.groups if "-app-" in row["GroupName"]]
    group = groups[number % len(groups)] if groups and number % 2 else None
    arn = _balancer(mixed, home, "net", f"net-{number}", "app", public=False, group=group)
    pair = ("load_balancing.cross_zone.enabled", "true")
    mixed.add("LoadBalancerAttributes", between_records.attributes("LoadBalancerArn", arn, [pair]))
    _listener(mixed, rng, home, arn, ("TCP", "TCP", "ip" if number % 2 else "instance"))


def _balancer(
    mixed: _Mixed, home: _Home, kind: str, name: str, tier: str, *, public: bool, group: Record | None
) -> str:
    suffix = mixed.ids("x")[3:19]
    name = f"{home.vpc_id[-6:]}-{name}"
    arn = between_records.balancer_arn(kind, name, suffix)
    places = [(rows[0], zone) for zone, rows in sorted(home.by_zone(tier).items())]
    places = places or [(home.subnets[0], home.subnets[0]["AvailabilityZone"][-1])]
    for place, _ in places:
        node_kind = "load_balancer" if kind == "app" else "network_load_balancer"
        mixed.interface(home, place, node_kind, f"ELB {kind}/{name}/{suffix}", public=public, group=group)
    mixed.add(
        "LoadBalancers",
        between_records.load_balancer(
            arn,
            name,
            home.vpc_id,
            [(place["SubnetId"], zone) for place, zone in places],
            internet_facing=public,
            groups=[group["GroupId"]] if group else None,
        ),
    )
    return arn


def _listener(mixed: _Mixed, rng: Random, home: _Home, balancer: str, kinds: tuple[str, str, str]) -> None:
    """A listener on 443 and its target group; `kinds`: protocol of the listener, of the group, type of the targets."""
    listener_protocol, protocol, target_type = kinds
    suffix = mixed.ids("x")[3:19]
    group_arn = between_records.target_group_arn(f"targets-{suffix[:6]}", suffix)
    app = {row["SubnetId"] for row in home.of_tier("app")}
    hosts = [row for row in home.hosts if row["SubnetId"] in app] or home.hosts
    chosen = rng.sample(hosts, min(len(hosts), 6))
    if target_type == "instance":
        targets = [between_records.target_health(row["Attachment"]["InstanceId"], TARGET_PORT) for row in chosen]
    else:
        targets = [
            between_records.target_health(row["PrivateIpAddress"], TARGET_PORT, row["AvailabilityZone"])
            for row in chosen
        ]
    mixed.add(
        "TargetGroups",
        between_records.target_group(
            group_arn,
            f"targets-{suffix[:6]}",
            target_type,
            home.vpc_id,
            protocol=protocol,
            port=TARGET_PORT,
            balancers=[balancer],
        ),
    )
    mixed.add("TargetGroupAttributes", between_records.attributes("TargetGroupArn", group_arn, []))
    wrapper = {"TargetGroupArn": group_arn, "TargetHealthDescriptions": targets}
    mixed.add("LoadBalancerTargetHealth", wrapper)
    arn = f"{balancer.replace(':loadbalancer/', ':listener/')}/{suffix}"
    actions = [between_records.forward([(group_arn, 1)])]
    row = between_records.listener(arn, balancer, 443, listener_protocol, actions)
    mixed.add("LoadBalancerListeners", {"LoadBalancerArn": balancer, "Listeners": [row]})
    if listener_protocol.startswith("HTTP"):
        rule = between_records.listener_rule(
            f"{arn.replace(':listener/', ':listener-rule/')}/{suffix}", "default", actions
        )
        mixed.add("LoadBalancerRules", {"ListenerArn": arn, "Rules": [rule]})
