"""Issues of what stands between two interfaces: what dangles, is missing, does not work or is assumed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from describe_documents import between, issues

import flowcore as fc
from flowcore.model import Network

ALB = between()["LoadBalancers"][0]["LoadBalancerArn"]
GROUP = between()["TargetGroups"][0]["TargetGroupArn"]


def whole(**keys: Any) -> Network:
    """`between()` with some top-level keys replaced; None removes one."""
    return fc.network_from_documents({key: value for key, value in (between() | keys).items() if value is not None})


def with_field(key: str, **fields: Any) -> Network:
    """`between()` with fields of the first record of a key replaced."""
    records = between()[key]
    return whole(**{key: [records[0] | fields, *records[1:]]})


def test_what_is_in_order_has_no_issues() -> None:
    found = [(issue.severity, issue.code, issue.resource) for issue in whole().issues]
    assert found == [("note", "not-modelled", "FirewallStatus")]
    assert "1 records" in whole().issues[0].message


def test_nothing_is_lost() -> None:
    """Every record of every answer is a record of the network, or kept."""
    network = whole()
    counts = {
        "nat_gateways": 1,
        "vpc_endpoints": 1,
        "vpn_connections": 1,
        "transit_gateways": 2,
        "transit_gateway_attachments": 4,
        "transit_gateway_route_tables": 1,
        "load_balancers": 2,
        "target_groups": 2,
    }
    assert {name: len(getattr(network, name)) for name in counts} == counts
    assert set(network.other) == {"FirewallStatus"}
    for name in counts:
        mapping = getattr(network, name)
        assert list(mapping) == sorted(mapping)
        with pytest.raises(TypeError):
            mapping["x"] = 1


@pytest.mark.parametrize(
    ("keys", "severity", "resource"),
    [
        ({"NatGateways": []}, "note", "nat-1"),
        ({"TransitGateways": []}, "note", "tgw-1"),
        ({"VpnConnections": []}, "note", "vpn-1"),
        ({"PrefixLists": [], "ManagedPrefixListEntries": []}, "warning", "pl-1"),
        ({"TargetGroups": []}, "warning", GROUP),
        ({"LoadBalancers": []}, "note", ALB),
        ({"LoadBalancers": []}, "warning", "app/web/50dc6c495c0c9188"),
        ({"LoadBalancerDescriptions": []}, "warning", "old"),
        ({"Listeners": []}, "note", between()["Listeners"][0]["ListenerArn"]),
        ({"Reservations": []}, "warning", "i-1"),
        ({"Subnets": between()["Subnets"][:1]}, "warning", "subnet-2"),
        ({"TransitGatewayVpcAttachments": [], "TransitGatewayAttachments": []}, "warning", "tgw-attach-1"),
    ],
)
def test_what_is_named_but_not_described(keys: dict[str, Any], severity: str, resource: str) -> None:
    found = [issue.severity for issue in issues(whole(**keys), "dangling-reference", resource or None)]
    assert found == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("key", "fields", "resource"),
    [
        ("NatGateways", {"SubnetId": "subnet-9"}, "subnet-9"),
        ("NatGateways", {"RouteTableId": "rtb-9"}, "rtb-9"),
        ("NatGateways", {"VpcId": "vpc-9"}, "vpc-9"),
        ("VpcEndpoints", {"SubnetIds": ["subnet-9"]}, "subnet-9"),
        ("VpcEndpoints", {"NetworkInterfaceIds": ["eni-9"]}, "eni-9"),
        ("VpcEndpoints", {"VpcId": "vpc-9"}, "vpc-9"),
        ("VpnConnections", {"VpnGatewayId": "vgw-9"}, "vgw-9"),
        ("TransitGatewayVpcAttachments", {"SubnetIds": ["subnet-9"]}, "subnet-9"),
        ("LoadBalancers", {"SecurityGroups": ["sg-9"]}, "sg-9"),
        ("LoadBalancers", {"AvailabilityZones": [{"SubnetId": "subnet-9"}]}, "subnet-9"),
        ("LoadBalancers", {"VpcId": "vpc-9"}, "vpc-9"),
        ("TargetGroups", {"VpcId": "vpc-9"}, "vpc-9"),
        ("LoadBalancerDescriptions", {"Instances": [{"InstanceId": "i-9"}]}, "i-9"),
        (
            "VpcPeeringConnections",
            {"RequesterVpcInfo": {"VpcId": "vpc-9"}, "AccepterVpcInfo": {"VpcId": "vpc-1"}},
            "vpc-9",
        ),
    ],
)
def test_references_to_nothing(key: str, fields: dict[str, Any], resource: str) -> None:
    assert not issues(whole(), "dangling-reference", resource)
    assert len(issues(with_field(key, **fields), "dangling-reference", resource)) == 1


def test_what_is_gone_needs_no_references() -> None:
    network = with_field("NatGateways", State="deleted", VpcId="vpc-9", SubnetId="subnet-9")
    assert not issues(network, "dangling-reference")
    assert "vpc-9" not in network.vpcs
    assert issues(network, "state", "nat-1")


def test_routes_to_what_is_not_described() -> None:
    targets = {
        "NatGatewayId": "nat-9",
        "TransitGatewayId": "tgw-9",
        "GatewayId": "vpce-9",
        "VpcPeeringConnectionId": "pcx-9",
    }
    for field, target in targets.items():
        tables = between()["RouteTables"]
        tables[0]["Routes"].append({"DestinationCidrBlock": "172.31.0.0/16", field: target, "State": "active"})
        assert len(issues(whole(RouteTables=tables), "dangling-reference", target)) == 1
    tables = between()["RouteTables"]
    tables[0]["Routes"].append({"DestinationCidrBlock": "172.31.0.0/16", "TransitGatewayId": "tgw-1"})
    shared = whole(RouteTables=tables, TransitGateways=[])  # another account's: its attachment is enough
    assert [issue.severity for issue in issues(shared, "dangling-reference", "tgw-1")] == ["note"]


def test_addresses_of_targets_that_nothing_holds() -> None:
    def targets(*ids: str) -> dict[str, Any]:
        rows = [{"Target": {"Id": each}} for each in ids]
        group = between()["TargetGroups"][0] | {"TargetType": "ip"}
        health = [{"TargetGroupArn": GROUP, "TargetHealthDescriptions": rows}]
        return {"TargetGroups": [group], "LoadBalancerTargetHealth": health}

    network = whole(**targets("10.0.1.10", "10.0.1.200", "192.168.0.1"))
    (issue,) = issues(network, "dangling-reference", GROUP)
    assert "10.0.1.200" in issue.message
    assert "10.0.1.10," not in issue.message
    assert not issues(whole(**targets("10.0.1.10", "192.168.0.1")), "dangling-reference")


def test_en02_a_target_in_a_delegated_prefix_is_held() -> None:
    health = [{"TargetGroupArn": GROUP, "TargetHealthDescriptions": [{"Target": {"Id": "10.0.1.200"}}]}]
    keys: dict[str, Any] = {
        "TargetGroups": [between()["TargetGroups"][0] | {"TargetType": "ip"}],
        "LoadBalancerTargetHealth": health,
    }
    assert issues(whole(**keys), "dangling-reference", GROUP)
    interfaces = between()["NetworkInterfaces"]
    interfaces[0]["Ipv4Prefixes"] = [{"Ipv4Prefix": "10.0.1.192/28"}]
    assert not issues(whole(**keys, NetworkInterfaces=interfaces), "dangling-reference", GROUP)


def attached(*devices: tuple[str, int | None]) -> dict[str, Any]:
    """No Reservations; the first interfaces are attached to the given instances as the given devices."""
    interfaces = between()["NetworkInterfaces"]
    for row, (instance_id, index) in zip(interfaces, devices, strict=False):
        row["Attachment"] = {"InstanceId": instance_id} | ({} if index is None else {"DeviceIndex": index})
    return {"NetworkInterfaces": interfaces, "Reservations": None}


def test_lb08_interfaces_tell_of_instances_that_are_not_described() -> None:
    first, second = (row["NetworkInterfaceId"] for row in between()["NetworkInterfaces"][:2])
    network = whole(**attached(("i-1", 1), ("i-1", 0)))
    assert network.instances["i-1"].interface_ids == (second, first)
    assert not issues(network, "dangling-reference", "i-1")
    assert not issues(network, "missing-file", "Reservations")


@pytest.mark.parametrize("devices", [[("i-1", 1)], [("i-1", None)], [("i-1", 0), ("i-1", 0)], []])
def test_lb08_the_primary_interface_of_an_instance_is_not_known(devices: list[tuple[str, int | None]]) -> None:
    network = whole(**attached(*devices, *[("", None)] * (2 - len(devices))))
    assert "i-1" not in network.instances
    assert [issue.severity for issue in issues(network, "missing-file", "Reservations")] == ["warning"]


@pytest.mark.parametrize(
    ("origin", "static_only", "described", "expected"),
    [
        ("CreateRoute", True, {}, 1),
        ("CreateRoute", False, {}, 0),
        ("EnableVgwRoutePropagation", True, {}, 0),
        ("CreateRoute", True, {"virtualInterfaces": []}, 0),
    ],
)
def test_vg01_what_is_not_known_of_direct_connect(
    origin: str, static_only: bool, described: dict[str, Any], expected: int
) -> None:
    tables, connection = between()["RouteTables"], between()["VpnConnections"][0]
    route = {"DestinationCidrBlock": "172.31.0.0/16", "GatewayId": "vgw-1", "Origin": origin, "State": "active"}
    tables[0]["Routes"].append(route)
    connection |= {"VpnGatewayId": "vgw-1", "Options": {"StaticRoutesOnly": static_only}}
    connection.pop("TransitGatewayId", None)
    network = whole(RouteTables=tables, VpnConnections=[connection], **described)
    assert len(issues(network, "missing-file", "virtualInterfaces")) == expected


@pytest.mark.parametrize(
    ("keys", "resource"),
    [
        ({"TransitGatewayStaticRoutes": None, "TransitGatewayPropagations": None}, "TransitGatewayRoutes"),
        ({"TransitGatewayVpcAttachments": None}, "TransitGatewayVpcAttachments"),
        ({"TransitGatewayVpcAttachments": None, "TransitGatewayAttachments": None}, "TransitGatewayAttachments"),
        ({"Listeners": None}, "Listeners"),
        ({"Rules": None}, "Rules"),
        ({"TargetGroups": None}, "TargetGroups"),
        ({"LoadBalancerTargetHealth": None}, "LoadBalancerTargetHealth"),
    ],
)
def test_answers_that_are_missing(keys: dict[str, Any], resource: str) -> None:
    assert [issue.severity for issue in issues(whole(**keys), "missing-file", resource)] == ["warning"]
    assert not issues(whole(), "missing-file")


def test_lb01_a_load_balancer_without_nodes() -> None:
    plain = [each for each in between()["NetworkInterfaces"] if each.get("Description") is None]
    network = whole(NetworkInterfaces=plain)
    assert {issue.resource for issue in issues(network, "incomplete")} == {ALB, "old"}
    failed = whole(
        NetworkInterfaces=plain, LoadBalancers=[between()["LoadBalancers"][0] | {"State": {"Code": "failed"}}]
    )
    assert {issue.resource for issue in issues(failed, "incomplete")} == {"old"}


def test_nodes_with_strange_descriptions() -> None:
    interfaces = between()["NetworkInterfaces"]
    interfaces[2] |= {"Description": "ELB app/\x1b[31m/x", "InterfaceType": "load_balancer"}
    network = whole(NetworkInterfaces=interfaces)
    (issue,) = issues(network, "dangling-reference")
    assert issue.resource == "load balancer of eni-aws-2"


@pytest.mark.parametrize(
    ("key", "fields", "resource"),
    [
        ("NatGateways", {"State": "failed"}, "nat-1"),
        ("VpcEndpoints", {"State": "PendingAcceptance"}, "vpce-1"),
        ("TransitGateways", {"State": "pending"}, "tgw-1"),
        ("TransitGatewayPeeringAttachments", {"State": "pendingAcceptance"}, "tgw-attach-4"),
        ("VpnConnections", {"State": "deleted"}, "vpn-1"),
        ("LoadBalancers", {"State": {"Code": "provisioning"}}, ALB),
        ("VpcPeeringConnections", {"Status": {"Code": "pending-acceptance"}}, "pcx-1"),
    ],
)
def test_states_in_which_nothing_passes(key: str, fields: dict[str, Any], resource: str) -> None:
    assert [issue.severity for issue in issues(with_field(key, **fields), "state", resource)] == ["note"]
    assert not issues(whole(), "state")


def test_black_holes_of_transit_gateways() -> None:
    routes = copy.deepcopy(between()["TransitGatewayStaticRoutes"])
    routes[0]["Routes"][0] |= {"State": "blackhole", "TransitGatewayAttachments": []}
    assert "172.16.0.0/12" in issues(whole(TransitGatewayStaticRoutes=routes), "state", "tgw-rtb-1")[0].message


def test_nl05_attributes_that_are_missing_are_assumed() -> None:
    network_balancer = [between()["LoadBalancers"][0] | {"Type": "network"}]
    keys: dict[str, Any] = {"LoadBalancers": network_balancer, "TargetGroupAttributes": None}
    (issue,) = issues(whole(**keys), "assumed-default")
    assert issue.resource == "TargetGroupAttributes"
    assert issue.message.startswith("MISSING_TARGET_GROUP_ATTRIBUTES")
    assert not issues(whole(TargetGroupAttributes=None), "assumed-default")  # an Application Load Balancer's
    assert not issues(whole(LoadBalancers=network_balancer), "assumed-default")


def test_sg27_groups_carried_elsewhere() -> None:
    interfaces = between()["NetworkInterfaces"]
    interfaces[5] |= {"VpcId": "vpc-2", "Groups": [{"GroupId": "sg-1"}]}
    assert not issues(whole(NetworkInterfaces=interfaces), "conflict")
    network = whole(NetworkInterfaces=interfaces, SecurityGroupVpcAssociations=[])
    assert "eni-aws-5" in issues(network, "conflict", "sg-1")[0].message


@pytest.mark.parametrize(
    "key", ["CarrierGateways", "CoreNetworks", "ClientVpnEndpoints", "virtualInterfaces", "Firewalls"]
)
def test_what_is_not_modelled_is_kept_and_counted(key: str) -> None:
    network = whole(**{key: [{"a": 1}, {"b": 2}]})
    assert "2 records" in issues(network, "not-modelled", key)[0].message
    assert network.other[key] == ({"a": 1}, {"b": 2})


def test_several_accounts_and_regions(tmp_path: Path) -> None:
    """What two accounts or Regions describe is one; nothing contradicts."""
    documents = between()
    documents["Vpcs"][1] |= {"OwnerId": "111122223333"}
    peerings = ("VpcPeeringConnections", "TransitGatewayPeeringAttachments")
    for region, keys in (("eu-west-1", tuple(documents)), ("eu-west-2", peerings)):
        folder = tmp_path / "accounts" / "111122223333" / region
        folder.mkdir(parents=True)
        (folder / "all.json").write_text(json.dumps({key: documents[key] for key in keys}))
    other = tmp_path / "accounts" / "444455556666" / "eu-west-1"
    other.mkdir(parents=True)
    keys = ("Vpcs", "Subnets", "VpcPeeringConnections", "TransitGateways", "TransitGatewayVpcAttachments")
    (other / "all.json").write_text(json.dumps({key: documents[key] for key in keys}))
    network = fc.read_network(tmp_path)
    assert not issues(network, "duplicate")
    assert len(network.transit_gateways) == 2
    assert network.transit_gateways["tgw-1"].region == "eu-west-1"
    (issue,) = issues(network, "conflict")
    assert (issue.severity, issue.resource) == ("note", "444455556666")  # the folder's account is not the owner


def test_the_primary_interface_of_an_instance_comes_first() -> None:  # LB-08
    reservations = between()["Reservations"]
    reservations[0]["Instances"][0]["NetworkInterfaces"] = [
        {"NetworkInterfaceId": "eni-2", "Attachment": {"DeviceIndex": 1}},
        {"NetworkInterfaceId": "eni-3"},
        {"NetworkInterfaceId": "eni-1", "Attachment": {"DeviceIndex": 0}},
    ]
    assert whole(Reservations=reservations).instances["i-1"].interface_ids == ("eni-1", "eni-2", "eni-3")
