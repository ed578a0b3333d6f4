"""Reading what stands between two interfaces: peerings, NAT gateways, endpoints, VPN."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

import pytest
from describe_documents import changed, everything, issues, read, refused

import flowcore as fc
from flowcore.errors import NetworkError
from flowcore.model import NatGatewayAddress


def nat(**fields: Any) -> dict[str, Any]:
    address = {
        "AllocationId": "eipalloc-2",
        "NetworkInterfaceId": "eni-nat",
        "PrivateIp": "10.0.1.20",
        "PublicIp": "203.0.113.20",
        "IsPrimary": True,
        "Status": "succeeded",
    }
    gateway = {
        "NatGatewayId": "nat-1",
        "VpcId": "vpc-1",
        "SubnetId": "subnet-1",
        "State": "available",
        "ConnectivityType": "public",
        "NatGatewayAddresses": [address],
    }
    return gateway | fields


def endpoint(**fields: Any) -> dict[str, Any]:
    record = {
        "VpcEndpointId": "vpce-1",
        "VpcEndpointType": "GatewayLoadBalancer",
        "VpcId": "vpc-1",
        "ServiceName": "com.amazonaws.vpce.eu-west-1.vpce-svc-1",
        "State": "available",
        "RouteTableIds": [],
        "SubnetIds": ["subnet-1"],
        "NetworkInterfaceIds": ["eni-1"],
    }
    return record | fields


def test_zonal_nat_gateway() -> None:  # NG-01
    second = {"PrivateIp": "10.0.1.21", "Status": "succeeded", "IsPrimary": False}
    failed = {"PrivateIp": "10.0.1.22", "Status": "failed", "IsPrimary": True}
    addresses = [second, failed, *nat()["NatGatewayAddresses"]]
    gateway = read(NatGateways=[nat(NatGatewayAddresses=addresses)]).nat_gateways["nat-1"]
    assert (gateway.vpc_id, gateway.subnet_id, gateway.state) == ("vpc-1", "subnet-1", "available")
    assert (gateway.public, gateway.regional) == (True, False)
    assert gateway.addresses == (
        NatGatewayAddress(IPv4Address("10.0.1.20"), IPv4Address("203.0.113.20"), "eni-nat", True),
        NatGatewayAddress(IPv4Address("10.0.1.21")),
    )


def test_nat_gateway_of_which_little_is_said() -> None:
    bare = {"NatGatewayId": "nat-1", "NatGatewayAddresses": [{"PrivateIp": "10.0.1.20"}, {"PrivateIp": "10.0.1.21"}]}
    gateway = read(NatGateways=[bare]).nat_gateways["nat-1"]
    assert (gateway.public, gateway.regional, gateway.state, gateway.vpc_id) == (True, False, None, None)
    assert [(str(a.private_address), a.primary) for a in gateway.addresses] == [
        ("10.0.1.20", True),
        ("10.0.1.21", False),
    ]
    assert read(NatGateways=[nat(ConnectivityType="private")]).nat_gateways["nat-1"].public is False


def test_ng02_regional_nat_gateway() -> None:
    addresses = [
        {"PublicIp": "203.0.113.20", "AvailabilityZoneId": "euw1-az2", "Status": "succeeded"},
        {"PublicIp": "203.0.113.21", "AvailabilityZone": "eu-west-1b", "Status": "associating"},
    ]
    fields = {"AvailabilityMode": "regional", "RouteTableId": "rtb-9", "SubnetId": None}
    gateway = read(NatGateways=[nat(NatGatewayAddresses=addresses, **fields)]).nat_gateways["nat-1"]
    assert (gateway.regional, gateway.subnet_id, gateway.route_table_id) == (True, None, "rtb-9")
    assert [(str(a.public_address), a.availability_zone) for a in gateway.addresses] == [("203.0.113.20", "euw1-az2")]


def test_interfaces_of_a_nat_gateway_are_known_by_what_aws_writes() -> None:
    own = everything()["NetworkInterfaces"][0]
    plain = own | {"NetworkInterfaceId": "eni-nat", "PrivateIpAddress": "10.0.1.20", "PrivateIpAddresses": None}
    described = plain | {"NetworkInterfaceId": "eni-2", "Description": "Interface for NAT Gateway nat-2"}
    network = read(NetworkInterfaces=[own, plain, described | {"RequesterManaged": True}], NatGateways=[nat()])
    kinds = {key: interface.interface_type for key, interface in network.interfaces.items()}
    assert kinds == {"eni-1": "interface", "eni-2": "nat_gateway", "eni-nat": "nat_gateway"}
    assert read(NetworkInterfaces=[own, described]).interfaces["eni-2"].interface_type == "interface"


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("ELB app/web/50dc6c495c0c9188", "load_balancer"),
        ("ELB net/web/50dc6c495c0c9188", "network_load_balancer"),
        ("ELB gwy/web/50dc6c495c0c9188", "gateway_load_balancer"),
        ("ELB web", "classic_load_balancer"),
        ("Elbow", "interface"),
    ],
)
def test_lb01_nodes_are_known_by_their_description(description: str, kind: str) -> None:
    fields = {"InterfaceType": "interface", "RequesterManaged": True, "Description": description}
    interface = everything()["NetworkInterfaces"][0] | fields
    assert read(NetworkInterfaces=[interface]).interfaces["eni-1"].interface_type == kind


def test_endpoints() -> None:
    gateway = endpoint(VpcEndpointType="Gateway", RouteTableIds=["rtb-2", "rtb-1"], State="Available")
    found = read(VpcEndpoints=[gateway, endpoint(VpcEndpointId="vpce-2")]).vpc_endpoints
    assert (found["vpce-1"].endpoint_type, found["vpce-1"].state) == ("Gateway", "available")
    assert found["vpce-1"].route_table_ids == ("rtb-1", "rtb-2")
    assert (found["vpce-2"].subnet_ids, found["vpce-2"].interface_ids) == (("subnet-1",), ("eni-1",))
    assert not found["vpce-2"].network_firewall


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({"Tags": [{"Key": "AWSNetworkFirewallManaged", "Value": "true"}]}, {}),
        ({}, {"FirewallStatus": {"SyncStates": {"eu-west-1a": {"Attachment": {"EndpointId": "vpce-1"}}}}}),
        ({}, {"Firewalls": [{"FirewallStatus": {"SyncStates": {"a": {"Attachment": {"EndpointId": "vpce-1"}}}}}]}),
    ],
)
def test_endpoints_of_a_network_firewall(fields: dict[str, Any], keys: dict[str, Any]) -> None:
    network = read(VpcEndpoints=[endpoint(**fields), endpoint(VpcEndpointId="vpce-2")], **keys)
    assert {key: found.network_firewall for key, found in network.vpc_endpoints.items()} == {
        "vpce-1": True,
        "vpce-2": False,
    }


def test_vg01_vpn_connections() -> None:
    connection = {
        "VpnConnectionId": "vpn-1",
        "State": "available",
        "VpnGatewayId": "vgw-1",
        "Options": {"StaticRoutesOnly": True},
        "Routes": [
            {"DestinationCidrBlock": "192.168.0.0/16", "State": "available"},
            {"DestinationCidrBlock": "172.16.0.0/16", "State": "available"},
            {"DestinationCidrBlock": "172.17.0.0/16", "State": "deleted"},
        ],
    }
    found = read(VpnConnections=[connection]).vpn_connections["vpn-1"]
    assert (found.vpn_gateway_id, found.transit_gateway_id, found.static_routes_only) == ("vgw-1", None, True)
    assert found.destinations == (IPv4Network("172.16.0.0/16"), IPv4Network("192.168.0.0/16"))


def test_px07_peering_of_two_accounts_is_one() -> None:
    requester = {"VpcId": "vpc-1", "Region": "eu-west-1"}
    accepter = {
        "VpcId": "vpc-2",
        "Region": "eu-west-1",
        "CidrBlock": "10.1.0.0/16",
        "CidrBlockSet": [{"CidrBlock": "10.1.0.0/16"}, {"CidrBlock": "10.2.0.0/16"}],
        "Ipv6CidrBlockSet": [{"Ipv6CidrBlock": "2001:db8:1::/56"}],
    }
    one = {"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active"}, "RequesterVpcInfo": requester}
    two = one | {"RequesterVpcInfo": requester | {"CidrBlock": "10.0.0.0/16"}, "AccepterVpcInfo": accepter}
    for order in ([one, two], [two, one]):
        network = read(VpcPeeringConnections=order)
        peering = network.peering_connections["pcx-1"]
        assert peering.requester_cidr_blocks == (IPv4Network("10.0.0.0/16"),)
        assert peering.accepter_cidr_blocks == (
            IPv4Network("10.1.0.0/16"),
            IPv4Network("10.2.0.0/16"),
            IPv6Network("2001:db8:1::/56"),
        )
        assert not issues(network, "duplicate")
    other = two | {"RequesterVpcInfo": requester | {"CidrBlock": "10.77.0.0/16"}}
    assert issues(read(VpcPeeringConnections=[two, other]), "duplicate", "pcx-1")


def test_sg27_a_group_of_several_vpcs() -> None:
    rows = [
        {"GroupId": "sg-1", "VpcId": "vpc-2", "State": "associated"},
        {"GroupId": "sg-1", "VpcId": "vpc-3", "State": "disassociated"},
    ]
    assert read(SecurityGroupVpcAssociations=rows).security_groups["sg-1"].associated_vpc_ids == ("vpc-2",)
    assert read().security_groups["sg-1"].associated_vpc_ids == ()


@pytest.mark.parametrize("given", ["eni-1", "i-1"])
def test_nat_instances(given: str) -> None:
    network = fc.network_from_documents(everything(), nat_instances=[given])
    assert network.nat_instances == {"eni-1"}
    assert fc.network_from_documents(everything(), nat_instances=given).nat_instances == {"eni-1"}


@pytest.mark.parametrize("given", ["eni-9", "i-9", "", "nonsense"])
def test_unknown_nat_instances_are_an_error(given: str) -> None:
    with pytest.raises(NetworkError, match="not a NAT instance") as caught:
        fc.network_from_documents(changed(), nat_instances=[given])
    assert caught.value.found == given


@pytest.mark.parametrize(
    ("keys", "where", "found"),
    [
        ({"NatGateways": [nat(ConnectivityType="secret")]}, "$.NatGateways[0].ConnectivityType", "secret"),
        ({"NatGateways": [nat(AvailabilityMode="local")]}, "$.NatGateways[0].AvailabilityMode", "local"),
        (
            {"NatGateways": [nat(NatGatewayAddresses=[{"PrivateIp": "10.0.0.300"}])]},
            "$.NatGateways[0].NatGatewayAddresses[0].PrivateIp",
            "10.0.0.300",
        ),
        (
            {"NatGateways": [nat(NatGatewayAddresses=[{"PublicIp": "2001:db8::1"}])]},
            "$.NatGateways[0].NatGatewayAddresses[0].PublicIp",
            "2001:db8::1",
        ),
        ({"NatGateways": [nat(NatGatewayAddresses={})]}, "$.NatGateways[0].NatGatewayAddresses", {}),
        ({"NatGateways": [{"VpcId": "vpc-1"}]}, "$.NatGateways[0]", None),
        ({"VpcEndpoints": [endpoint(VpcEndpointType="Tunnel")]}, "$.VpcEndpoints[0].VpcEndpointType", "Tunnel"),
        ({"VpcEndpoints": [endpoint(SubnetIds=[7])]}, "$.VpcEndpoints[0].SubnetIds[0]", 7),
        (
            {"VpnConnections": [{"VpnConnectionId": "vpn-1", "Routes": [{"DestinationCidrBlock": "x"}]}]},
            "$.VpnConnections[0].Routes[0].DestinationCidrBlock",
            "x",
        ),
        (
            {
                "VpcPeeringConnections": [
                    {
                        "VpcPeeringConnectionId": "pcx-1",
                        "Status": {"Code": "active"},
                        "AccepterVpcInfo": {"CidrBlockSet": [{"CidrBlock": "10.0.0.0/40"}]},
                    }
                ]
            },
            "$.VpcPeeringConnections[0].AccepterVpcInfo.CidrBlockSet[0].CidrBlock",
            "10.0.0.0/40",
        ),
        ({"SecurityGroupVpcAssociations": [{"GroupId": "sg-1"}]}, "$.SecurityGroupVpcAssociations[0]", None),
    ],
)
def test_what_cannot_be_understood_is_an_error(keys: dict[str, Any], where: str, found: Any) -> None:
    error = refused(**keys)
    assert (error.where, error.found) == (where, found)
    assert error.expected


@pytest.mark.parametrize("key", ["NatGateways", "VpcEndpoints", "VpnConnections"])
def test_null_and_empty_are_no_records(key: str) -> None:
    for value in ([], None):
        network = fc.network_from_documents(everything() | {key: value})
        assert (key in network.described_keys) is (value is not None)
        assert not network.nat_gateways
        assert not network.vpc_endpoints
        assert not network.vpn_connections
