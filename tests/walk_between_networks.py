"""The example network of the worked cases (C-01…C-18), built from model records; every part can be exchanged.

VPC A 10.0.0.0/16 in zone a:
- public subnet P 10.0.0.0/24 (table to igw-1): NAT gateway nat-1 (eni-nat 10.0.0.220, public 198.51.100.9), load
  balancer nodes eni-alb 10.0.0.11 and eni-nlb 10.0.0.31;
- private subnet Q 10.0.1.0/24 (table to nat-1, 10.9.0.0/16 to pcx-1, 10.8.0.0/16 to tgw-1, 192.168.0.0/16 to vgw-1,
  pl-s3 to vpce-s3): eni-c 10.0.1.5 and the target eni-t 10.0.1.20;
- R 10.0.2.0/24 with eni-r 10.0.2.20; F 10.0.3.0/24 with the firewall eni-fw 10.0.3.9; T 10.0.4.0/28 of the transit
  gateway attachment.
VPC N 10.9.0.0/16 (peered) with eni-n 10.9.0.20; VPC S 10.8.0.0/16 (transit gateway) with eni-s 10.8.0.20 and attachment
subnet S-T. Every list is open; groups let everything out and tcp 443, 5432, 8080, 8443 in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from walk_networks import N, acl, address, allow, by_id, entry, group, interface, table

from flowcore.model import (
    Gateway,
    Instance,
    Listener,
    LoadBalancer,
    NatGateway,
    NatGatewayAddress,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    PrefixList,
    RouteTable,
    SecurityGroup,
    Subnet,
    Target,
    TargetGroup,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
    Vpc,
    VpcEndpoint,
    VpcPeeringConnection,
)
from flowcore.schema import REASONS, STAGES
from flowcore.walk import Path, explain

C, T, R, FW, NAT, NAT_PUBLIC = "10.0.1.5", "10.0.1.20", "10.0.2.20", "10.0.3.9", "10.0.0.220", "198.51.100.9"
ALB, ALB_PUBLIC, NLB, NLB_PUBLIC = "10.0.0.11", "52.0.0.11", "10.0.0.31", "52.0.0.31"
PEER, SPOKE, OUTSIDE, OFFICE, S3 = "10.9.0.20", "10.8.0.20", "203.0.113.5", "192.168.1.1", "52.216.0.5"

SUBNETS = {
    "P": ("vpc-a", "10.0.0.0/24"), "Q": ("vpc-a", "10.0.1.0/24"), "R": ("vpc-a", "10.0.2.0/24"),
    "F": ("vpc-a", "10.0.3.0/24"), "T": ("vpc-a", "10.0.4.0/28"), "N": ("vpc-n", "10.9.0.0/24"),
    "S": ("vpc-s", "10.8.0.0/24"), "S-T": ("vpc-s", "10.8.1.0/28"),
}  # fmt: skip
ALL = [entry(100, False), entry(100, True)]

TABLES: dict[str, list[Any]] = {
    "P": [("0.0.0.0/0", "internet-gateway", "igw-1")],
    "Q": [
        ("0.0.0.0/0", "nat-gateway", "nat-1"),
        ("10.9.0.0/16", "vpc-peering-connection", "pcx-1"),
        ("10.8.0.0/16", "transit-gateway", "tgw-1"),
        ("192.168.0.0/16", "virtual-private-gateway", "vgw-1"),
        ("pl-s3", "gateway-endpoint", "vpce-s3"),
    ],
    "R": [],
    "F": [],
    "T": [],
    "N": [("10.0.0.0/16", "vpc-peering-connection", "pcx-1")],
    "S": [("10.0.0.0/16", "transit-gateway", "tgw-1")],
    "S-T": [],
}


def tables(**changes: list[Any]) -> dict[str, RouteTable]:
    """A route table `rtb-NAME` for each subnet; a name given has these routes instead."""
    made = [
        replace(table(f"rtb-{name}", *changes.get(name.replace("-", "_"), routes), subnet_ids=(name,)),
                vpc_id=SUBNETS[name][0])
        for name, routes in TABLES.items()
    ]  # fmt: skip
    return by_id("route_table_id", *made)


def acls(**changes: list[NetworkAclEntry]) -> dict[str, NetworkAcl]:
    """An ACL `acl-NAME` for each subnet, open unless given."""
    made = [
        replace(acl(*changes.get(name.replace("-", "_"), ALL), name=f"acl-{name}", subnet_ids=(name,)), vpc_id=vpc)
        for name, (vpc, _) in SUBNETS.items()
    ]
    return by_id("network_acl_id", *made)


def ports(*numbers: int) -> list[Any]:
    return [allow(f"sgr-in{number}", False, 6, (number, number)) for number in numbers]


def groups(**changes: list[Any]) -> dict[str, SecurityGroup]:
    """Groups c, t, r, fw, alb, nlb, n, s: all out, tcp 443, 5432, 8080, 8443 in, unless given."""
    usual = [allow("sgr-out", True), *ports(443, 5432, 8080, 8443)]
    names = ("c", "t", "r", "fw", "alb", "nlb", "n", "s")
    return by_id("group_id", *(group(*changes.get(name, usual), group_id=f"sg-{name}") for name in names))


def interfaces(**changes: dict[str, Any]) -> dict[str, NetworkInterface]:
    """The interfaces; fields to exchange by name without `eni-`."""
    made = {
        "c": interface("eni-c", "Q", C, group_ids=("sg-c",)),
        "t": interface("eni-t", "Q", T, group_ids=("sg-t",), instance_id="i-t"),
        "r": interface("eni-r", "R", R, group_ids=("sg-r",)),
        "fw": interface("eni-fw", "F", FW, group_ids=("sg-fw",), source_dest_check=False),
        "nat": interface("eni-nat", "P", address(NAT, NAT_PUBLIC), group_ids=(), interface_type="nat_gateway"),
        "alb": interface("eni-alb", "P", address(ALB, ALB_PUBLIC), group_ids=("sg-alb",),
                         interface_type="load_balancer"),
        "nlb": interface("eni-nlb", "P", address(NLB, NLB_PUBLIC), group_ids=("sg-nlb",),
                         interface_type="network_load_balancer"),
        "n": interface("eni-n", "N", PEER, group_ids=("sg-n",)),
        "s": interface("eni-s", "S", SPOKE, group_ids=("sg-s",)),
    }  # fmt: skip
    made = {
        name: replace(each, **{"vpc_id": SUBNETS[str(each.subnet_id)][0], **changes.get(name, {})})
        for name, each in made.items()
    }
    return by_id("interface_id", *made.values())


def attachment(name: str, vpc: str, *subnets: str, **more: Any) -> TransitGatewayAttachment:
    values = {"resource_id": vpc, "state": "available", "subnet_ids": subnets, **more}
    return TransitGatewayAttachment(name, "tgw-1", **values)


def transit_table(*routes: TransitGatewayRoute, **more: Any) -> dict[str, TransitGatewayRouteTable]:
    values: dict[str, Any] = {"routes": routes, "attachment_ids": ("att-a", "att-s"), **more}
    return {"tgw-rtb": TransitGatewayRouteTable("tgw-rtb", "tgw-1", **values)}


def to(cidr: str, *attachments: str, **more: Any) -> TransitGatewayRoute:
    return TransitGatewayRoute(N(cidr), attachments, **more)


TRANSIT_ROUTES = to("10.0.0.0/16", "att-a", propagated=True), to("10.8.0.0/16", "att-s", propagated=True)


def balancers(alb: dict[str, Any] | None = None, nlb: dict[str, Any] | None = None) -> dict[str, LoadBalancer]:
    made = [
        LoadBalancer("arn:alb", "web", "application", True, "vpc-a", "active", ("P", "Q"), ("sg-alb",),
                     listeners=(Listener(443, "HTTPS", ("arn:tg-alb",)),), interface_ids=("eni-alb",)),
        LoadBalancer("arn:nlb", "net", "network", True, "vpc-a", "active", ("P", "Q"), ("sg-nlb",),
                     listeners=(Listener(443, "TCP", ("arn:tg-nlb",)),), interface_ids=("eni-nlb",)),
    ]  # fmt: skip
    changed = [replace(made[0], **(alb or {})), replace(made[1], **(nlb or {}))]
    return by_id("load_balancer_id", *changed)


def target_groups(alb: dict[str, Any] | None = None, nlb: dict[str, Any] | None = None) -> dict[str, TargetGroup]:
    made = [
        TargetGroup("arn:tg-alb", "instance", "HTTP", 8080, "vpc-a", targets=(Target("i-t"),)),
        TargetGroup("arn:tg-nlb", "instance", "TCP", 8443, "vpc-a", targets=(Target("i-t"),)),
    ]
    return by_id("target_group_id", replace(made[0], **(alb or {})), replace(made[1], **(nlb or {})))


def network(**changes: Any) -> Network:
    """The example network, with whole collections exchanged."""
    subnets = [Subnet(name, vpc, N(cidr), availability_zone="eu-west-1a") for name, (vpc, cidr) in SUBNETS.items()]
    vpcs = [Vpc("vpc-a", (N("10.0.0.0/16"),)), Vpc("vpc-n", (N("10.9.0.0/16"),)), Vpc("vpc-s", (N("10.8.0.0/16"),))]
    addresses = (NatGatewayAddress(address(NAT).address, address(NAT_PUBLIC).address, "eni-nat", True),)  # type: ignore[arg-type]
    values: dict[str, Any] = {
        "vpcs": by_id("vpc_id", *vpcs),
        "subnets": by_id("subnet_id", *subnets),
        "route_tables": tables(),
        "network_acls": acls(),
        "security_groups": groups(),
        "interfaces": interfaces(),
        "instances": by_id("instance_id", Instance("i-t", "running", "vpc-a", "Q", ("eni-t",))),
        "internet_gateways": by_id("gateway_id", Gateway("igw-1", ("vpc-a",))),
        "vpn_gateways": by_id("gateway_id", Gateway("vgw-1", ("vpc-a",))),
        "nat_gateways": by_id("nat_gateway_id", NatGateway("nat-1", "vpc-a", "P", "available", addresses=addresses)),
        "peering_connections": by_id("peering_id", VpcPeeringConnection("pcx-1", "active", "vpc-a", "vpc-n")),
        "transit_gateways": {"tgw-1": TransitGateway("tgw-1", "available", security_group_referencing=True)},
        "transit_gateway_attachments": by_id(
            "attachment_id", attachment("att-a", "vpc-a", "T"), attachment("att-s", "vpc-s", "S-T")
        ),
        "transit_gateway_route_tables": transit_table(*TRANSIT_ROUTES),
        "vpc_endpoints": {"vpce-s3": VpcEndpoint("vpce-s3", "Gateway", "vpc-a", "available")},
        "prefix_lists": by_id("prefix_list_id", PrefixList("pl-s3", (N("52.216.0.0/15"),), 4)),
        "load_balancers": balancers(),
        "target_groups": target_groups(),
        "described_keys": frozenset({"InternetGateways"}),
    }
    return Network(**{**values, **changes})


def ask(flow: dict[str, Any], **changes: Any) -> Path:
    path = explain(network(**changes), flow)
    assert path.reason in (None, *REASONS)
    assert path.stage in (None, *STAGES)
    assert {hop.stage for hop in path.hops} <= set(STAGES)
    return path
