"""Snapshots with holes: VPCs, NAT gateways, attachments that only other answers tell of."""

from __future__ import annotations

from typing import Any

import pytest
from describe_documents import changed, issues

import flowcore as fc
from flowcore.model import Network
from flowcore.walk import explain

ALL = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


def local(*blocks: str) -> list[dict[str, Any]]:
    key = "DestinationCidrBlock", "DestinationIpv6CidrBlock"
    return [{key[":" in block]: block, "GatewayId": "local", "Origin": "CreateRouteTable"} for block in blocks]


def to(destination: str, **target: str) -> dict[str, Any]:
    return {"DestinationCidrBlock": destination, "Origin": "CreateRoute", "State": "active", **target}


def table(vpc: int, *routes: dict[str, Any], subnet: str | None = None, name: str = "") -> dict[str, Any]:
    """A route table: the main one, or that of one subnet."""
    association: dict[str, Any] = {"Main": False, "SubnetId": subnet} if subnet else {"Main": True}
    table_id = name or f"rtb-{subnet or vpc}"
    return {"RouteTableId": table_id, "VpcId": f"vpc-{vpc}", "Routes": list(routes), "Associations": [association]}


def subnet(name: str, vpc: int, block: str, **fields: Any) -> dict[str, Any]:
    return {"SubnetId": name, "VpcId": f"vpc-{vpc}", "CidrBlock": block, "AvailabilityZone": "eu-west-1a", **fields}


def interface(number: int, vpc: int, name: str, address: str, **fields: Any) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": f"eni-{number}",
        "VpcId": f"vpc-{vpc}",
        "SubnetId": name,
        "PrivateIpAddress": address,
        "Groups": [{"GroupId": f"sg-{vpc}"}],
        "Status": "in-use",
        **fields,
    }


def network(**keys: Any) -> Network:
    """A private and a public subnet behind a NAT gateway in vpc-1, and vpc-2, peered; no answer about VPCs."""
    nat_fields = {
        "InterfaceType": "nat_gateway",
        "Description": "Interface for NAT Gateway nat-1",
        "Groups": [],
        "Association": {"PublicIp": "198.51.100.7"},
    }
    documents: dict[str, Any] = {
        "Subnets": [
            subnet("subnet-private", 1, "10.1.1.0/24"),
            subnet("subnet-public", 1, "10.1.2.0/24"),
            subnet("subnet-2", 2, "10.2.1.0/24"),
        ],
        "RouteTables": [
            table(1, *local("10.1.0.0/16"), to("0.0.0.0/0", NatGatewayId="nat-1"), to("10.2.0.0/16", **PEERED)),
            table(1, *local("10.1.0.0/16"), to("0.0.0.0/0", GatewayId="igw-1"), subnet="subnet-public"),
            table(2, *local("10.2.0.0/16"), to("10.1.0.0/16", **PEERED)),
        ],
        "NetworkAcls": [acl(1), acl(2)],
        "SecurityGroups": [group(1), group(2)],
        "NetworkInterfaces": [
            interface(1, 1, "subnet-private", "10.1.1.10"),
            interface(2, 2, "subnet-2", "10.2.1.10"),
            interface(3, 1, "subnet-public", "10.1.2.10", **nat_fields),
        ],
        "InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
        "NatGateways": [
            {
                "NatGatewayId": "nat-1",
                "VpcId": "vpc-1",
                "SubnetId": "subnet-public",
                "State": "available",
                "NatGatewayAddresses": [
                    {"PrivateIp": "10.1.2.10", "PublicIp": "198.51.100.7", "NetworkInterfaceId": "eni-3"}
                ],
            }
        ],
        "VpcPeeringConnections": [peering()],
    }
    described = documents | keys
    return fc.network_from_documents({key: value for key, value in described.items() if value is not None})


PEERED = {"VpcPeeringConnectionId": "pcx-1"}


def peering(*blocks: list[str], status: str = "active") -> dict[str, Any]:
    """vpc-1 with vpc-2; `blocks`: the CIDRs that the answer tells of each."""
    ends = [{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}]
    for end, own in zip(ends, blocks, strict=False):
        end["CidrBlockSet"] = [{"CidrBlock": block} for block in own]  # type: ignore[assignment]
    return {
        "VpcPeeringConnectionId": "pcx-1",
        "Status": {"Code": status},
        "RequesterVpcInfo": ends[0],
        "AccepterVpcInfo": ends[1],
    }


def acl(vpc: int) -> dict[str, Any]:
    entries = [
        {"RuleNumber": 100, "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
        for egress in (False, True)
    ]
    return {
        "NetworkAclId": f"acl-{vpc}",
        "VpcId": f"vpc-{vpc}",
        "IsDefault": True,
        "Associations": [],
        "Entries": entries,
    }


def group(vpc: int) -> dict[str, Any]:
    return {"GroupId": f"sg-{vpc}", "VpcId": f"vpc-{vpc}", "IpPermissions": ALL, "IpPermissionsEgress": ALL}


def verdict(described: Network, source: str, destination: str) -> tuple[str, str | None]:
    flow = {"srcaddr": source, "dstaddr": destination, "srcport": 50000, "dstport": 443, "protocol": 6}
    columns = explain(described, flow).columns()
    return columns["verdict"], columns["reason"]


def blocks(described: Network, vpc: int = 1) -> list[str]:
    return [str(block) for block in described.vpcs[f"vpc-{vpc}"].blocks]


# -- VPCs ------------------------------------------------------------------------------------------------


def test_rt09_cidrs_of_a_vpc_that_is_not_described_are_its_local_routes() -> None:
    described = network()
    assert not described.vpcs["vpc-1"].described
    assert blocks(described) == ["10.1.0.0/16"]
    (issue,) = issues(described, "dangling-reference", "vpc-1")
    assert issue.severity == "note"
    assert "CIDRs are taken from the local routes" in issue.message


@pytest.mark.parametrize(("destination"), ["192.0.2.1", "10.2.1.10"])
def test_ng09_px03_flows_of_a_vpc_that_is_not_described(destination: str) -> None:
    described = network()
    assert verdict(described, "10.1.1.10", destination) == ("ACCEPT", None)
    whole = network(Vpcs=[{"VpcId": f"vpc-{n}", "CidrBlock": f"10.{n}.0.0/16"} for n in (1, 2)])
    assert verdict(whole, "10.1.1.10", destination) == ("ACCEPT", None)


def test_rt09_several_local_routes_the_main_tables_first() -> None:
    tables = [
        table(1, *local("10.1.0.0/16", "10.9.0.0/16"), subnet="subnet-public", name="rtb-0"),
        table(1, *local("10.9.0.0/16", "10.1.0.0/16", "2001:db8::/56", "10.1.1.0/24"), name="rtb-1"),
    ]
    assert blocks(network(RouteTables=tables)) == ["10.9.0.0/16", "10.1.0.0/16", "2001:db8::/56"]


def test_blocks_of_two_families_do_not_hold_each_other() -> None:
    assert blocks(network(RouteTables=[table(1, *local("10.1.0.0/16", "::/112"))])) == ["10.1.0.0/16", "::/112"]


def test_rt09_a_replaced_local_route_leaves_the_subnets() -> None:
    tables = [table(1, to("10.1.0.0/16", NatGatewayId="nat-1"), *local("10.9.0.0/16"))]
    described = network(RouteTables=tables)
    assert blocks(described) == ["10.1.1.0/24", "10.1.2.0/24", "10.9.0.0/16"]
    assert issues(described, "dangling-reference", "vpc-1")[0].severity == "warning"


def test_px03_cidrs_that_a_peering_connection_tells() -> None:
    described = network(RouteTables=[], VpcPeeringConnections=[peering(["10.1.0.0/16", "10.7.0.0/16"])])
    assert blocks(described) == ["10.1.0.0/16", "10.7.0.0/16"]
    assert "peering" in issues(described, "dangling-reference", "vpc-1")[0].message
    assert blocks(described, 2) == ["10.2.1.0/24"]
    gone = peering(["10.1.0.0/16"], status="deleted")
    assert blocks(network(RouteTables=[], VpcPeeringConnections=[gone])) == ["10.1.1.0/24", "10.1.2.0/24"]


def test_cidrs_of_subnets_where_nothing_else_tells() -> None:
    described = network(RouteTables=[])
    assert blocks(described) == ["10.1.1.0/24", "10.1.2.0/24"]
    (issue,) = issues(described, "dangling-reference", "vpc-1")
    assert issue.severity == "warning"
    assert "only those of its subnets" in issue.message
    bare = network(RouteTables=None, Subnets=None)
    assert blocks(bare) == []
    assert "not known" in issues(bare, "dangling-reference", "vpc-1")[0].message


def test_a_described_vpc_keeps_its_own_cidrs() -> None:
    assert blocks(network(Vpcs=[{"VpcId": "vpc-1", "CidrBlock": "10.1.0.0/20"}])) == ["10.1.0.0/20"]


def test_tg05_cidrs_of_a_made_up_vpc_are_propagated_only_where_all_are_known() -> None:
    transit: dict[str, Any] = {
        "TransitGatewayVpcAttachments": [
            {"TransitGatewayAttachmentId": "tgw-attach-1", "TransitGatewayId": "tgw-1", "VpcId": "vpc-1"}
        ],
        "TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": "tgw-rtb-1", "TransitGatewayId": "tgw-1"}],
        "TransitGatewayStaticRoutes": [{"TransitGatewayRouteTableId": "tgw-rtb-1", "Routes": []}],
        "TransitGatewayPropagations": [
            {
                "TransitGatewayRouteTableId": "tgw-rtb-1",
                "TransitGatewayRouteTablePropagations": [{"TransitGatewayAttachmentId": "tgw-attach-1"}],
            }
        ],
    }
    found = network(**transit).transit_gateway_route_tables["tgw-rtb-1"]
    assert ([str(route.destination) for route in found.routes or ()], found.complete) == (["10.1.0.0/16"], True)
    partly = network(**transit, RouteTables=[]).transit_gateway_route_tables["tgw-rtb-1"]
    assert (partly.routes, partly.complete) == ((), False)


def test_rt09_no_main_table_is_assumed_for_a_vpc_of_unknown_cidrs() -> None:
    keys = changed(Vpcs=None, Subnets=None, RouteTables=None)
    described = fc.network_from_documents(keys, assume_defaults=True)
    assert "vpc-1" in described.vpcs
    assert not described.route_tables
    assert fc.network_from_documents(keys | {"Vpcs": changed()["Vpcs"]}, assume_defaults=True).route_tables


# -- NAT gateways ----------------------------------------------------------------------------------------


def test_ng01_a_nat_gateway_of_which_only_the_interface_is_described() -> None:
    described = network(NatGateways=None)
    assert verdict(described, "10.1.1.10", "192.0.2.1") == ("ACCEPT", None)
    gateway, whole = described.nat_gateways["nat-1"], network().nat_gateways["nat-1"]
    assert (gateway.vpc_id, gateway.subnet_id, gateway.public) == (whole.vpc_id, whole.subnet_id, True)
    assert [str(each.public_address) for each in gateway.addresses] == ["198.51.100.7"]
    (issue,) = issues(described, "dangling-reference", "nat-1")
    assert (issue.severity, "eni-3" in issue.message) == ("note", True)
    assert not issues(network(), "dangling-reference", "nat-1")


@pytest.mark.parametrize(
    "fields",
    [
        {"InterfaceType": "interface"},  # anyone can describe an own interface so
        {"Description": "Interface for NAT Gateway"},
        {"Description": "Interface for NAT Gateway nat-1 and more"},
        {"Status": "available"},
        {"SubnetId": None},
    ],
)
def test_ng01_interfaces_that_prove_no_nat_gateway(fields: dict[str, Any]) -> None:
    rows = network_interfaces(fields)
    described = network(NatGateways=None, NetworkInterfaces=rows)
    assert not described.nat_gateways
    assert issues(described, "dangling-reference", "nat-1")
    assert verdict(described, "10.1.1.10", "192.0.2.1") == ("UNKNOWN", "UNKNOWN_RESOURCE")


def network_interfaces(fields: dict[str, Any]) -> list[dict[str, Any]]:
    nat = {"InterfaceType": "nat_gateway", "Description": "Interface for NAT Gateway nat-1", "Groups": []}
    return [
        interface(1, 1, "subnet-private", "10.1.1.10"),
        interface(3, 1, "subnet-public", "10.1.2.10", **{**nat, **fields}),
    ]


def test_ng01_a_private_nat_gateway_has_no_public_address() -> None:
    described = network(NatGateways=None, NetworkInterfaces=network_interfaces({}))
    assert not described.nat_gateways["nat-1"].public


# -- transit gateway attachments -------------------------------------------------------------------------


def test_tg01_an_attachment_of_which_only_the_interface_is_described_is_listed() -> None:
    fields = {
        "InterfaceType": "transit_gateway",
        "Description": "Network Interface for Transit Gateway Attachment tgw-attach-1",
        "Groups": [],
    }
    rows = [interface(1, 1, "subnet-private", "10.1.1.10"), interface(4, 1, "subnet-public", "10.1.2.40", **fields)]
    tables = [table(1, *local("10.1.0.0/16"), to("0.0.0.0/0", TransitGatewayId="tgw-1"))]
    keys: dict[str, Any] = {"NetworkInterfaces": rows, "RouteTables": tables}
    described = network(**keys)
    (issue,) = issues(described, "dangling-reference", "tgw-attach-1")
    assert (issue.severity, "eni-4" in issue.message) == ("warning", True)
    assert issues(described, "missing-file", "TransitGatewayAttachments")
    assert not described.transit_gateway_attachments
    assert verdict(described, "10.1.1.10", "192.0.2.1") == ("UNKNOWN", "UNKNOWN_RESOURCE")
    own = [{"TransitGatewayAttachmentId": "tgw-attach-1", "TransitGatewayId": "tgw-1", "VpcId": "vpc-1"}]
    assert not issues(network(**keys, TransitGatewayVpcAttachments=own), "dangling-reference", "tgw-attach-1")
    rows[1]["InterfaceType"] = "interface"
    assert not issues(network(**keys), "dangling-reference", "tgw-attach-1")


# -- other spellings and keys ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["directConnectGateways", "virtualInterfaces", "directConnectGatewayAssociations"])
def test_vg01_direct_connect_in_either_spelling(key: str) -> None:
    for spelling in (key, key[:1].upper() + key[1:]):
        described = network(**{spelling: [{"directConnectGatewayId": "dxgw-1"}]})
        assert described.other[key]
        assert issues(described, "not-modelled", key)
        assert not issues(described, "unknown-key")


@pytest.mark.parametrize("key", ["DBInstances", "RdsInstances", "ElasticsearchDomains", "DomainStatusList"])
def test_databases_are_known_by_their_interfaces(key: str) -> None:
    described = network(**{key: [{"Name": "db-1"}]})
    assert described.other[key]
    assert not issues(described, "unknown-key")


def test_lb01_load_balancers_of_both_kinds_with_one_name() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/50dc6c495c0c9188"
    made = {"RequesterManaged": True, "InterfaceType": "interface"}
    rows = [
        interface(5, 1, "subnet-public", "10.1.2.50", Description="ELB app/web/50dc6c495c0c9188", **made),
        interface(6, 1, "subnet-public", "10.1.2.60", Description="ELB web", **made),
    ]
    new = {"LoadBalancerArn": arn, "LoadBalancerName": "web", "Type": "application", "VpcId": "vpc-1"}
    old = {"LoadBalancerName": "web", "VPCId": "vpc-1", "Subnets": ["subnet-public"]}
    attributes = [
        {"LoadBalancerArn": arn, "Attributes": [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]},
        {"LoadBalancerName": "web", "LoadBalancerAttributes": {"CrossZoneLoadBalancing": {"Enabled": False}}},
    ]
    described = network(
        NetworkInterfaces=rows, LoadBalancers=[new], LoadBalancerDescriptions=[old], LoadBalancerAttributes=attributes
    )
    nodes = {key: each.interface_ids for key, each in described.load_balancers.items()}
    assert nodes == {arn: ("eni-5",), "web": ("eni-6",)}
    assert [described.load_balancers[key].cross_zone for key in (arn, "web")] == [True, False]
