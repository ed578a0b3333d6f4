"""Small networks in which something stands between most pairs of ends, as describe-* JSON: food for comparing tests.

NAT gateways, peering connections, transit gateways, VPN, endpoints, appliances and load balancers, each with the
flaws it can have. docs/synth.md lists what occurs. What only the user knows (`nat_instances`) is a tag. Longer than
other files: every feature is a few lines, and they read best side by side.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from random import Random

from . import synthetic_between_records as between_records
from . import synthetic_records as records
from .synthetic_balancers import load_balancers
from .synthetic_between_base import (
    ANYWHERE,
    ANYWHERE6,
    ON_PREMISES,
    PORTS,
    S3_CIDRS,
    VPC_CIDRS,
    Between,
    Cloud,
    Place,
    Table,
)
from .synthetic_records import OWNER, REGION, Documents, Ids, Record
from .synthetic_transit import peering_connections, transit_gateways

#: Tag of interfaces that a test declares to be NAT instances.
NAT_INSTANCE_TAG = "nat-instance"
#: Answers taken away now and then, as if nobody had asked AWS for them.
_HOLES = (
    "NatGateways", "TransitGatewayRoutes", "TransitGatewayAssociations", "TransitGatewayVpcAttachments",
    "TransitGateways", "TransitGatewayAttachments", "TransitGatewayRouteTables", "VpnConnections", "VpcEndpoints",
    "LoadBalancerListeners", "LoadBalancerRules", "LoadBalancerTargetHealth", "TargetGroups", "LoadBalancers",
    "TargetGroupAttributes", "LoadBalancerAttributes", "Reservations", "VpcPeeringConnections", "VpnGateways",
    "ManagedPrefixListEntries", "RouteTables", "NetworkAcls", "SecurityGroups", "InternetGateways",
)  # fmt: skip


def between_documents(seed: int) -> Documents:
    """A small network (2-4 VPCs, 10-40 interfaces) full of gateways, attachments and load balancers.

    The same for the same seed. Valid describe-* JSON by top-level key; whole keys are missing now and then.
    """
    rng = Random(f"between {seed}")
    between = Between(rng, Ids(seed), {})
    _prefix_lists(between)
    _clouds(between)
    for cloud in between.clouds:
        for i, place in enumerate(cloud.places):
            for _ in range(rng.choice((1, 1, 2) if i < 2 else (0, 1, 1))):
                between.host(cloud, place, public=between.chance(0.7 if i == 0 else 0.3))
    load_balancers(between)
    _gateways(between)
    for cloud in between.clouds:
        _public_routes(between, cloud)
    features = [_nat_gateways, peering_connections, transit_gateways, _vpn_gateways, _endpoints, _appliances]
    rng.shuffle(features)  # the first to put a route for a destination has it
    for feature in features:
        feature(between)
    _odd_routes(between)
    _edge_tables(between)
    _groups(between)
    _shared_groups(between)
    _acls(between)
    _tables(between)
    _disturb(between)
    return between.documents


def _prefix_lists(between: Between) -> None:
    rng = between.rng
    pool = (*VPC_CIDRS, *ON_PREMISES, "10.0.0.0/16", "203.0.113.0/24", "10.0.0.32/27")
    for name, cidrs in (("s3", S3_CIDRS), ("one", rng.sample(pool, 3)), ("two", rng.sample(pool, 2))):
        list_id = between.ids("pl")
        between.lists.append(list_id)
        if not between.flaw("list not described", 0.3):
            between.add("PrefixLists", records.prefix_list(list_id, name, 4, len(cidrs)))
            if not between.flaw("entries not described", 0.3):
                between.add("ManagedPrefixListEntries", records.prefix_list_entries(list_id, cidrs))


def _clouds(between: Between) -> None:
    rng, count = between.rng, between.rng.choice((2, 3, 3, 4))
    cidrs = rng.sample(VPC_CIDRS, count)
    if between.chance(0.25):
        cidrs[-1] = cidrs[0]
    if between.chance(0.05):
        cidrs[0] = "52.95.8.0/24"
    for number, cidr in enumerate(cidrs):
        six = [f"2600:1f18:{number + 1}::/56"] if between.chance(0.45) else []
        more = ["10.9.0.0/25"] if between.chance(0.1) and number == 0 else []
        cloud = Cloud(between.add("Vpcs", records.vpc(between.ids("vpc"), [cidr, *more], six)))
        cloud.groups = [between.ids("sg") for _ in range(3)]
        main = Table(between.ids("rtb"), cloud.vpc_id, main=True)
        cloud.tables.append(main)
        parts = list(IPv4Network(cidr).subnets(new_prefix=27))
        if more:
            parts[1] = IPv4Network("10.9.0.0/27")
        for i in range(rng.choice((2, 3, 3, 4))):
            _place(between, cloud, i, parts[i])
        for table in cloud.tables:
            for block in (cidr, *more, *six):
                if not between.chance(0.03):  # a description may leave local routes out (RT-09)
                    table.put(block, "local")
        between.clouds.append(cloud)


def _place(between: Between, cloud: Cloud, number: int, cidr: IPv4Network) -> None:
    cidr6 = None
    if cloud.cidr6 and between.chance(0.85):
        cidr6 = IPv6Network((int(IPv6Network(cloud.cidr6).network_address) + (number << 64), 64))
    zone = "ab"[number % 2]
    subnet_id = between.ids("subnet")
    between.add("Subnets", records.subnet(subnet_id, cloud.vpc_id, str(cidr), str(cidr6) if cidr6 else None, zone=zone))
    table = cloud.tables[0]
    if number == 0 or between.chance(0.6):
        table = Table(between.ids("rtb"), cloud.vpc_id, subnet_ids=[subnet_id])
        cloud.tables.append(table)
    cloud.places.append(Place(subnet_id, cloud.vpc_id, cidr, cidr6, zone, table))


def _gateways(between: Between) -> None:
    for cloud in between.clouds:
        if between.chance(0.75):
            cloud.gateway_id = between.ids("igw")
            attached = [] if between.flaw("gateway detached", 0.3) else [cloud.vpc_id]
            between.add("InternetGateways", records.internet_gateway(cloud.gateway_id, attached))
    between.documents.setdefault("InternetGateways", [])


def _public_routes(between: Between, cloud: Cloud) -> None:
    """The first subnet is public, the others now and then."""
    if cloud.gateway_id is None:
        return
    for i, table in enumerate(dict.fromkeys(place.table for place in cloud.places)):
        if between.chance(0.9 if i == 0 else 0.12):
            table.put(ANYWHERE, cloud.gateway_id)
            if cloud.cidr6:
                table.put(ANYWHERE6, cloud.gateway_id)
    if cloud.cidr6 and between.chance(0.5):
        egress_only = between.ids("eigw")
        attached = [] if between.flaw("gateway detached", 0.3) else [cloud.vpc_id]
        between.add("EgressOnlyInternetGateways", records.egress_only_gateway(egress_only, attached))
        between.spread(cloud, ANYWHERE6, egress_only)


# -- NAT gateways ------------------------------------------------------------------------------------------


def _nat_gateways(between: Between) -> None:
    for cloud in between.clouds:
        for _ in range(between.pick((0, 4), (1, 5), (2, 1))):
            gateway_id = between.ids("nat")
            home = None
            if between.chance(0.2):
                _regional(between, cloud, gateway_id)
            else:
                home = cloud.places[0] if between.chance(0.75) else between.rng.choice(cloud.places)
                _zonal(between, home, gateway_id)
            between.spread(cloud, ANYWHERE, gateway_id, home=home)
            if cloud.cidr6 and between.chance(0.6):
                between.spread(cloud, "64:ff9b::/96", gateway_id, home=home)
            if between.chance(0.1):
                between.spread(cloud, between.rng.choice(ON_PREMISES), gateway_id, home=home)
            if between.flaw("NAT between subnets", 0.4):
                between.spread(cloud, str(between.rng.choice(cloud.places).cidr), gateway_id, share=0.5)
        if between.flaw("NAT gateway of another VPC", 0.3) and between.documents.get("NatGateways"):
            other = between.rng.choice(between.documents["NatGateways"])["NatGatewayId"]
            between.spread(cloud, ANYWHERE, other)
        if between.flaw("NAT gateway not described", 0.3):
            between.spread(cloud, ANYWHERE, between.ids("nat"))


def _zonal(between: Between, place: Place, gateway_id: str) -> None:
    public = between.chance(0.8)
    interface = between.interface(
        place, kind="nat_gateway", public=public, description=f"Interface for NAT Gateway {gateway_id}"
    )
    record = records.nat_gateway(gateway_id, interface)
    if not public:
        record["ConnectivityType"] = "private"
    if between.chance(0.5):
        record["AvailabilityMode"] = "zonal"
    if between.flaw("NAT gateway state", 0.3):
        record["State"] = between.rng.choice(("pending", "failed", "deleting", "deleted"))
    if between.flaw("NAT gateway addresses", 0.3):
        record["NatGatewayAddresses"][0]["Status"] = between.rng.choice(("failed", "unassigning"))
    between.add("NatGateways", record)


def _regional(between: Between, cloud: Cloud, gateway_id: str) -> None:
    table = Table(between.ids("rtb"), cloud.vpc_id)
    table.put(cloud.cidr, "local")
    if cloud.gateway_id and between.chance(0.9):
        table.put(ANYWHERE, cloud.gateway_id)
    cloud.edge_tables.append(table)
    zones = between.rng.choice((("a", "b"), ("a", "b"), ("a",), ("b",), (None,)))
    addresses = []
    for zone in zones:
        between.count += 1
        addresses.append((between.public(), zone))
    record = between_records.regional_nat_gateway(gateway_id, cloud.vpc_id, table.table_id, addresses)
    if between.flaw("NAT gateway addresses", 0.3):
        record["NatGatewayAddresses"] = []
    if between.flaw("NAT gateway state", 0.2):
        record["State"] = "failed"
    if between.chance(0.3):
        for address in record["NatGatewayAddresses"]:
            zone = address.pop("AvailabilityZone", None)
            if zone:
                address["AvailabilityZoneId"] = f"use1-az{'abcdef'.index(zone[-1]) + 1}"
    between.add("NatGateways", record)


# -- VPN and endpoints -------------------------------------------------------------------------------------


def _vpn_gateways(between: Between) -> None:
    for cloud in between.clouds:
        if not between.chance(0.3):
            continue
        cloud.vpn_gateway_id = gateway_id = between.ids("vgw")
        attached = not between.flaw("gateway detached", 0.3)
        if not between.flaw("VPN gateway not described", 0.3):
            between.add("VpnGateways", between_records.vpn_gateway(gateway_id, cloud.vpc_id, attached=attached))
        for _ in range(between.pick((0, 1), (1, 4), (2, 1))):
            state = "pending" if between.flaw("VPN state", 0.6) else "available"
            connection = between_records.vpn_connection(
                between.ids("vpn"),
                vpn_gateway_id=gateway_id,
                state=state,
                destinations=[between.rng.choice(ON_PREMISES)],
            )
            between.add("VpnConnections", connection)
        for cidr in between.rng.sample(ON_PREMISES, 2):
            for table in cloud.tables:
                if between.chance(0.8):
                    origin = "EnableVgwRoutePropagation" if between.chance(0.5) else None
                    table.put(cidr, gateway_id, origin=origin)
        if between.chance(0.15):
            between.spread(cloud, ANYWHERE, gateway_id)
        if cloud.cidr6 and between.chance(0.3):  # no VPN connection carries IPv6 (VG-03)
            between.spread(cloud, "2001:db8:1::/48", gateway_id)
    described = between.rng.random()
    if described < 0.1:
        between.add("directConnectGateways", {"directConnectGatewayId": "01234567-89ab-cdef-0123-456789abcdef"})
    elif described < 0.6:  # there is none; else it is not known whether there is
        between.documents["directConnectGateways"] = []


def _endpoints(between: Between) -> None:
    for cloud in between.clouds:
        if between.chance(0.35):
            _gateway_endpoint(between, cloud)
        if between.chance(0.3):
            endpoint_id = between.ids("vpce")
            places = between.rng.sample(cloud.places, between.rng.randint(1, min(2, len(cloud.places))))
            made = [
                between.interface(
                    place,
                    kind="vpc_endpoint",
                    groups=[between.rng.choice(cloud.groups)],
                    description=f"VPC Endpoint Interface {endpoint_id}",
                )
                for place in places
            ]
            endpoint = between_records.vpc_endpoint(
                endpoint_id,
                "Interface",
                cloud.vpc_id,
                f"com.amazonaws.{REGION}.ssm",
                subnet_ids=[place.subnet_id for place in places],
                interface_ids=[record["NetworkInterfaceId"] for record in made],
            )
            between.add("VpcEndpoints", endpoint)


def _gateway_endpoint(between: Between, cloud: Cloud) -> None:
    endpoint_id, vpc_id = between.ids("vpce"), cloud.vpc_id
    if between.flaw("endpoint elsewhere", 0.4):
        vpc_id = between.rng.choice(between.clouds).vpc_id
    state = between.rng.choice(("pending", "deleting")) if between.flaw("endpoint state", 0.4) else "available"
    used = [table for table in cloud.tables if between.chance(0.8)]
    for table in used:
        table.put(between.lists[0], endpoint_id)
    if not between.flaw("endpoint not described", 0.3):
        between.add(
            "VpcEndpoints",
            between_records.vpc_endpoint(
                endpoint_id,
                "Gateway",
                vpc_id,
                f"com.amazonaws.{REGION}.s3",
                state=state,
                table_ids=[table.table_id for table in used],
            ),
        )


# -- middleboxes -------------------------------------------------------------------------------------------


def _appliances(between: Between) -> None:
    for cloud in between.clouds:
        if between.chance(0.4):
            _appliance(between, cloud)
        if between.chance(0.3):
            _firewall_endpoint(between, cloud)


def _appliance(between: Between, cloud: Cloud) -> None:
    place = cloud.places[0] if between.chance(0.5) else between.rng.choice(cloud.places)
    record = between.host(cloud, place, public=between.chance(0.5))
    interface_id = record["NetworkInterfaceId"]
    record["SourceDestCheck"] = between.flaw("appliance with check", 0.5)
    if between.chance(0.4):
        record["TagSet"].append({"Key": NAT_INSTANCE_TAG, "Value": "true"})
    if between.flaw("appliance elsewhere", 0.2):
        cloud = between.rng.choice(between.clouds)
    _middlebox_routes(between, cloud, interface_id, place)


def _middlebox_routes(between: Between, cloud: Cloud, target: str, home: Place) -> None:
    """To the internet, to on-premises, between subnets (RT-10), in place of the local route (RT-09)."""
    kind = between.rng.random()
    if kind < 0.45:
        between.spread(cloud, ANYWHERE, target, home=home)
        if between.chance(0.3):
            between.spread(cloud, ANYWHERE6, target, home=home)
    if 0.35 < kind < 0.55:
        between.spread(cloud, between.rng.choice(ON_PREMISES), target, home=home)
    if kind > 0.5:
        others = [place for place in cloud.places if place is not home]
        for place in between.rng.sample(others, min(2, len(others))):
            between.spread(cloud, str(place.cidr), target, share=0.8, home=home)
            if place.cidr6 and between.chance(0.4):
                between.spread(cloud, str(place.cidr6), target, share=0.8, home=home)
    if kind > 0.95:
        between.rng.choice(cloud.tables).routes[cloud.cidr] = records.route(cloud.cidr, target)
    if kind < 0.1:
        between.spread(
            cloud, f"{between.rng.choice(cloud.hosts).address}/32" if cloud.hosts else ANYWHERE, target, home=home
        )
    if between.chance(0.1):
        between.spread(cloud, between.rng.choice(between.clouds).cidr, target, home=home)


def _firewall_endpoint(between: Between, cloud: Cloud) -> None:
    endpoint_id, place = between.ids("vpce"), between.rng.choice(cloud.places)
    is_firewall = between.chance(0.3)
    state = between.rng.choice(("pending", "failed")) if between.flaw("endpoint state", 0.3) else "available"
    interface = between.interface(
        place, kind="gateway_load_balancer_endpoint", description=f"VPC Endpoint {endpoint_id}"
    )
    if not between.flaw("endpoint not described", 0.25):
        between.add(
            "VpcEndpoints",
            between_records.vpc_endpoint(
                endpoint_id,
                "GatewayLoadBalancer",
                cloud.vpc_id,
                f"com.amazonaws.vpce.{REGION}.vpce-svc-0123456789abcdef0",
                state=state,
                subnet_ids=[place.subnet_id],
                interface_ids=[] if between.chance(0.2) else [interface["NetworkInterfaceId"]],
                firewall=is_firewall,
            ),
        )
    _middlebox_routes(between, cloud, endpoint_id, place)


def _odd_routes(between: Between) -> None:
    """Targets that are not modelled, prefix lists that overlap, propagated routes inside the VPC."""
    odd = (
        between.ids("cagw"), between.ids("lgw"), between.ids("xyz"), between.ids("tgw"), between.ids("pcx"),
        between.ids("vpce"), between.ids("eni"), between.ids("igw"), between.ids("vgw"),
        f"arn:aws:networkmanager::{OWNER}:core-network/core-network-0123456789abcdef0",
        f"arn:aws:odb:{REGION}:{OWNER}:odb-network/odbnet_0123456789",
    )  # fmt: skip
    pool = ("203.0.113.0/24", "198.51.100.0/24", *ON_PREMISES, *VPC_CIDRS)
    for cloud in between.clouds:
        for table in cloud.tables:
            if between.flaw("odd targets", 0.5):
                table.put(between.rng.choice((*pool, ANYWHERE)), between.rng.choice(odd))
            targets = [
                found
                for key in ("NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId")
                for row in table.routes.values()
                if (found := row.get(key))
            ]
            if between.flaw("prefix-list routes", 0.4) and targets:
                for list_id in between.lists[1:]:
                    table.put(list_id, between.rng.choice(targets))
            if between.flaw("propagated inside", 0.2) and cloud.vpn_gateway_id:
                place = between.rng.choice(cloud.places)
                table.put(str(place.cidr), cloud.vpn_gateway_id, origin="EnableVgwRoutePropagation")


def _edge_tables(between: Between) -> None:
    """Route tables of internet and virtual private gateways that redirect to middleboxes (RT-20)."""
    boxes = [row["NetworkInterfaceId"] for row in between.documents["NetworkInterfaces"] if not row["SourceDestCheck"]]
    endpoints = [
        (row["VpcId"], row["VpcEndpointId"])
        for row in between.documents.get("VpcEndpoints", ())
        if row["VpcEndpointType"] == "GatewayLoadBalancer"
    ]
    homes = {row["NetworkInterfaceId"]: row["VpcId"] for row in between.documents["NetworkInterfaces"]}
    for cloud in between.clouds:
        own = [endpoint_id for vpc_id, endpoint_id in endpoints if vpc_id == cloud.vpc_id]
        own += [
            row["NetworkInterfaceId"]
            for row in between.documents["NetworkInterfaces"]
            if row["NetworkInterfaceId"] in boxes and row["InterfaceType"] == "interface"
            and homes[row["NetworkInterfaceId"]] == cloud.vpc_id
        ]  # fmt: skip
        for gateway_id in (cloud.gateway_id, cloud.vpn_gateway_id):
            if gateway_id is None or not between.chance(0.45 if own else 0.1):
                continue
            table = Table(between.ids("rtb"), cloud.vpc_id, gateway_ids=[gateway_id])
            if between.chance(0.85):
                table.put(cloud.cidr, "local")
            for place in cloud.places:
                if between.chance(0.5):
                    target = between.rng.choice(own) if own else "local"
                    table.put(str(place.cidr), between.ids("tgw") if between.flaw("odd targets", 0.2) else target,
                              state="blackhole" if between.flaw("black holes", 0.15) else "active")  # fmt: skip
            cloud.edge_tables.append(table)


# -- filters -----------------------------------------------------------------------------------------------


def _groups(between: Between) -> None:
    for number, cloud in enumerate(between.clouds):
        everything = (
            _allow(between, cloud.groups[0], False, "-1", (-1, -1), ANYWHERE),
            _allow(between, cloud.groups[0], False, "-1", (-1, -1), ANYWHERE6),
        )
        rows: dict[str, list[Record]] = {cloud.groups[0]: list(everything)}
        rows[cloud.groups[1]] = _reference_rules(between, cloud)
        rows[cloud.groups[2]] = [_narrow_rule(between, cloud.groups[2], egress=False) for _ in range(4)]
        for i, group_id in enumerate(cloud.groups):
            own = rows[group_id]
            if between.chance((0.97, 0.85, 0.6)[i]):
                own.append(_allow(between, group_id, True, "-1", (-1, -1), ANYWHERE))
                own.append(_allow(between, group_id, True, "-1", (-1, -1), ANYWHERE6))
            else:
                own += [_narrow_rule(between, group_id, egress=True) for _ in range(between.rng.randint(0, 3))]
            if between.flaw("group not described", 0.15):
                continue
            between.add("SecurityGroups", records.security_group(group_id, cloud.vpc_id, f"group{number}{i}", own))
            for row in own:
                between.add("SecurityGroupRules", row)


def _shared_groups(between: Between) -> None:
    """Groups that interfaces of another VPC carry (SG-27), associated with it or not."""
    if not between.flaw("groups of another VPC", 0.6):
        return
    home, other = between.rng.sample(between.clouds, 2)
    for record in between.documents["NetworkInterfaces"]:
        if record["VpcId"] == other.vpc_id and record["Groups"] and between.chance(0.3):
            record["Groups"] = [{"GroupId": home.groups[0], "GroupName": "shared"}]
    row = {"GroupId": home.groups[0], "VpcId": other.vpc_id, "VpcOwnerId": OWNER, "State": "associated"}
    between.add("SecurityGroupVpcAssociations", row)


def _allow(
    between: Between, group_id: str, egress: bool, protocol: str, ports: tuple[int, int], remote: str | Record
) -> Record:
    return records.group_rule(between.ids("sgr"), group_id, egress, protocol, ports, remote)


def _reference_rules(between: Between, cloud: Cloud) -> list[Record]:
    """Rules for groups of this VPC and of the others, described with a status or without, stale or of nobody."""
    rng, group_id = between.rng, cloud.groups[1]
    rows: list[Record] = []
    peerings = [row["VpcPeeringConnectionId"] for row in between.documents.get("VpcPeeringConnections", ())]
    for other in between.clouds:
        for referenced in rng.sample(other.groups, rng.randint(1, 2)):
            reference: Record = {"GroupId": referenced, "UserId": OWNER}
            if other is not cloud:
                if between.chance(0.8):
                    reference["VpcId"] = other.vpc_id
                if between.chance(0.3) and peerings:
                    reference["VpcPeeringConnectionId"] = rng.choice(peerings)
                    stale = between.flaw("stale references", 0.4)
                    reference["PeeringStatus"] = rng.choice(("deleted", "expired")) if stale else "active"
            ports = rng.choice(((0, 65535), (80, 443), (8080, 8443), (443, 443)))
            rows.append(_allow(between, group_id, False, rng.choice(("tcp", "tcp", "-1")), ports, reference))
    if between.flaw("unknown peers", 0.5):
        far = {"GroupId": between.ids("sg"), "UserId": OWNER, "VpcId": between.ids("vpc"), "PeeringStatus": "active"}
        rows.append(_allow(between, group_id, False, "tcp", (0, 65535), far))
    if between.chance(0.5):
        rows.append(_narrow_rule(between, group_id, egress=False))
    return rows


def _narrow_rule(between: Between, group_id: str, *, egress: bool) -> Record:
    rng = between.rng
    protocol = rng.choice(("tcp", "tcp", "tcp", "udp", "icmp", "-1"))
    port = rng.choice(PORTS)
    ports = rng.choice(((port, port), (0, 65535), (1024, 65535), (1, 1023)))
    ports = rng.choice(((8, -1), (-1, -1), (0, 0))) if protocol == "icmp" else (-1, -1) if protocol == "-1" else ports
    inside = [str(place.cidr) for cloud in between.clouds for place in cloud.places]
    inside += [f"{host.address}/32" for cloud in between.clouds for host in cloud.hosts]
    wide = (ANYWHERE, ANYWHERE, "10.0.0.0/8", "203.0.113.0/24", ANYWHERE6, *ON_PREMISES, *between.lists)
    remote = rng.choice(inside) if between.chance(0.5) else rng.choice((*wide, group_id))
    if remote.startswith("pl-") and not between.chance(0.4):
        remote = ANYWHERE
    return _allow(between, group_id, egress, protocol, ports, remote)


def _acls(between: Between) -> None:
    """Most subnets have an open list; some a list that opens part of the ephemeral ports (NA-16)."""
    for cloud in between.clouds:
        custom = [place for place in cloud.places if between.chance(0.3)]
        rest = [place.subnet_id for place in cloud.places if place not in custom]
        entries = [
            records.acl_entry(number, egress, "allow", cidr)
            for number, cidr in ((100, ANYWHERE), (101, ANYWHERE6))
            for egress in (False, True)
        ]
        if not between.flaw("no default ACL", 0.2):
            acl = records.network_acl(between.ids("acl"), cloud.vpc_id, entries, default=True, subnet_ids=rest)
            between.add("NetworkAcls", acl)
        for place in custom:
            own = [*_acl_entries(between, egress=False), *_acl_entries(between, egress=True)]
            acl = records.network_acl(between.ids("acl"), cloud.vpc_id, own, subnet_ids=[place.subnet_id])
            between.add("NetworkAcls", acl)


def _acl_entries(between: Between, *, egress: bool) -> list[Record]:
    rng = between.rng
    pool = [str(place.cidr) for cloud in between.clouds for place in cloud.places]
    pool += [cloud.cidr for cloud in between.clouds] + [ANYWHERE, "10.0.0.0/8", "203.0.113.0/24", *ON_PREMISES]
    pool += [f"{host.address}/32" for cloud in between.clouds for host in cloud.hosts]
    port = rng.choice(PORTS)
    ranges = ((1024, 65535), (1024, 65535), (32768, 65535), (1024, 32767), (1023, 65535), (1025, 65535), (49152, 65535),
              (1024, 65534), (0, 1023), (0, 1024), (65535, 65535), (0, 65535), (port, port))  # fmt: skip
    rows = []
    for number in sorted(rng.sample(range(1, 90), rng.choice((0, 1, 1, 2, 3)))):
        protocol = rng.choice((6, 6, 6, 17, 1, -1))
        ports = rng.choice(ranges) if protocol in (6, 17) else None
        icmp = rng.choice(((-1, -1), (8, -1), (0, 0))) if protocol == 1 else None
        action = rng.choice(("allow", "allow", "deny"))
        rows.append(records.acl_entry(number, egress, action, rng.choice(pool), protocol, ports, icmp))
    if between.chance(0.5):
        return [
            *rows,
            *(records.acl_entry(number, egress, "allow", cidr) for number, cidr in ((100, ANYWHERE), (101, ANYWHERE6))),
        ]
    for i, first in enumerate((80, 443, 8080)):
        rows.append(records.acl_entry(100 + i, egress, "allow", ANYWHERE, 6, (first, first)))
    rows.append(records.acl_entry(110, egress, "allow", ANYWHERE, 6, rng.choice(ranges[:6])))
    rows.append(records.acl_entry(120, egress, "allow", ANYWHERE, 17, (1024, 65535)))
    return rows


def _tables(between: Between) -> None:
    for cloud in between.clouds:
        for table in (*cloud.tables, *cloud.edge_tables):
            if between.flaw("no route table", 0.06):
                continue
            rows = list(table.routes.values())
            between.rng.shuffle(rows)
            record = records.route_table(
                table.table_id,
                table.vpc_id,
                rows,
                main=table.main,
                subnet_ids=table.subnet_ids,
                gateway_ids=table.gateway_ids,
            )
            between.add("RouteTables", record)


def _disturb(between: Between) -> None:
    """Block Public Access, interfaces that carry no IPv6 outside, and answers that are missing."""
    documents = between.documents
    if between.flaw("block public access", 0.6):
        row = {"AwsAccountId": OWNER, "AwsRegion": REGION, "State": "update-complete"}
        mode = between.rng.choice(("block-bidirectional", "block-ingress", "block-ingress"))
        documents["VpcBlockPublicAccessOptions"] = [{**row, "InternetGatewayBlockMode": mode}]
        documents["VpcBlockPublicAccessExclusions"] = []
        for record in (*documents["Vpcs"], *documents["Subnets"]):
            if between.chance(0.8):
                record.pop("BlockPublicAccessStates", None)
    for record in documents["NetworkInterfaces"]:
        if between.chance(0.04):
            record["DenyAllIgwTraffic"] = True
        if between.flaw("groups unknown", 0.1) and record["InterfaceType"] == "interface":
            record.pop("Groups", None)
        if between.flaw("one public address twice", 0.15) and "Association" in record["PrivateIpAddresses"][0]:
            for place in (record, record["PrivateIpAddresses"][0]):
                place["Association"]["PublicIp"] = "54.144.0.1"
    if between.flaw("undescribed VPC", 0.25):
        gone = documents["Vpcs"][-1]["VpcId"]
        documents["NetworkInterfaces"] = [row for row in documents["NetworkInterfaces"] if row["VpcId"] != gone]
    for key in _HOLES:
        if between.flaw("holes", 0.06):
            documents.pop(key, None)
            if key == "SecurityGroups":
                documents.pop("SecurityGroupRules", None)
