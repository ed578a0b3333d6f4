"""Plans that change attachments of a transit gateway in place: each attribute by itself, and the default tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_documents import ask, change, documents, network, planned

SWITCH = "transit_gateway_default_route_table_{}"
THERE = ("10.0.1.10", "10.8.1.5", 443)
BACK = ("10.8.1.5", "10.0.1.10", 443)
WHOLE = {
    "id": "tgw-attach-2",
    "transit_gateway_id": "tgw-1",
    "vpc_id": "vpc-2",
    "subnet_ids": ["subnet-x"],
    SWITCH.format("association"): True,
    SWITCH.format("propagation"): True,
    "appliance_mode_support": "disable",
    "security_group_referencing_support": "enable",
}


def joined(tables: int = 1) -> dict[str, Any]:
    """vpc-1 and vpc-2 (eni-x, 10.8.1.5) attached to tgw-1: associated with tgw-rtb-1, propagating to every table."""
    described = documents()
    described["Vpcs"].append({"VpcId": "vpc-2", "CidrBlock": "10.8.0.0/16", "OwnerId": "111122223333"})
    subnet = {"SubnetId": "subnet-x", "VpcId": "vpc-2", "CidrBlock": "10.8.1.0/24", "AvailabilityZone": "eu-west-1a"}
    described["Subnets"].append(subnet)
    acl = described["NetworkAcls"][0]
    associations = [{"SubnetId": "subnet-x"}]
    described["NetworkAcls"].append(
        {**acl, "NetworkAclId": "acl-2", "VpcId": "vpc-2", "Associations": associations}
    )  # fmt: skip
    local = {"GatewayId": "local", "State": "active", "Origin": "CreateRouteTable"}
    out = {"TransitGatewayId": "tgw-1", "State": "active", "Origin": "CreateRoute"}
    described["RouteTables"][2]["Routes"].append({"DestinationCidrBlock": "10.8.0.0/16", **out})
    routes = [{"DestinationCidrBlock": "10.8.0.0/16", **local}, {"DestinationCidrBlock": "10.0.0.0/16", **out}]
    described["RouteTables"].append(
        {"RouteTableId": "rtb-x", "VpcId": "vpc-2", "Routes": routes, "Associations": [{"Main": True}]}
    )
    everything = {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv4": "0.0.0.0/0"}
    described["SecurityGroups"].append({"GroupId": "sg-x", "VpcId": "vpc-2", "GroupName": "x"})
    described["SecurityGroupRules"] += [
        {"SecurityGroupRuleId": f"sgr-x-{out}", "GroupId": "sg-x", "IsEgress": out, **everything}
        for out in (False, True)
    ]
    described["NetworkInterfaces"].append(
        {
            **described["NetworkInterfaces"][0],
            "NetworkInterfaceId": "eni-x",
            "VpcId": "vpc-2",
            "SubnetId": "subnet-x",
            "PrivateIpAddress": "10.8.1.5",
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.8.1.5", "Primary": True}],
            "Groups": [{"GroupId": "sg-x"}],
            "Attachment": {},
        }
    )
    ends = (("tgw-attach-1", "vpc-1", "subnet-a", "10.0.0.0/16"), ("tgw-attach-2", "vpc-2", "subnet-x", "10.8.0.0/16"))
    names = [f"tgw-rtb-{number}" for number in range(1, tables + 1)]
    described["TransitGateways"] = [{"TransitGatewayId": "tgw-1", "State": "available"}]
    described["TransitGatewayRouteTables"] = [
        {"TransitGatewayRouteTableId": name, "TransitGatewayId": "tgw-1"} for name in names
    ]
    described["TransitGatewayVpcAttachments"] = [
        {
            "TransitGatewayAttachmentId": attachment,
            "TransitGatewayId": "tgw-1",
            "VpcId": vpc,
            "State": "available",
            "SubnetIds": [subnet],
            "Options": {"SecurityGroupReferencingSupport": "disable", "ApplianceModeSupport": "disable"},
        }
        for attachment, vpc, subnet, _ in ends
    ]
    described["TransitGatewayAssociations"] = [
        {
            "TransitGatewayRouteTableId": name,
            "Associations": [{"TransitGatewayAttachmentId": end[0]} for end in ends if name == "tgw-rtb-1"],
        }
        for name in names
    ]
    described["TransitGatewayRoutes"] = [
        {
            "TransitGatewayRouteTableId": name,
            "AdditionalRoutesAvailable": False,
            "Routes": [
                {
                    "DestinationCidrBlock": cidr,
                    "Type": "propagated",
                    "State": "active",
                    "TransitGatewayAttachments": [{"TransitGatewayAttachmentId": attachment, "ResourceType": "vpc"}],
                }
                for attachment, _, _, cidr in ends
            ],
        }
        for name in names
    ]
    return described


def update(before: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return change("aws_ec2_transit_gateway_vpc_attachment.two", "update", before, {**before, **fields})


def test_tg05_without_propagation_there_is_no_route_back(tmp_path: Path) -> None:
    over = network(joined())
    assert [ask(over, *flow)[0] for flow in (THERE, BACK)] == ["ACCEPT", "ACCEPT"]
    done = planned(tmp_path, [update(WHOLE, **{SWITCH.format("propagation"): False})], over=over)
    table = done.network.transit_gateway_route_tables["tgw-rtb-1"]
    assert [route.attachment_ids for route in table.routes or ()] == [("tgw-attach-1",)]
    no_route = ("REJECT", "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT")
    assert [ask(done.network, *flow) for flow in (THERE, BACK)] == [no_route, no_route]
    assert done.network_without(done.names) == over
    back = update({**WHOLE, SWITCH.format("propagation"): False}, **{SWITCH.format("propagation"): True})
    assert planned(tmp_path, [back], over=done.network).network.transit_gateway_route_tables == dict(
        over.transit_gateway_route_tables
    )


def test_tg02_without_association_nothing_comes_in_from_there(tmp_path: Path) -> None:
    over = network(joined())
    done = planned(tmp_path, [update(WHOLE, **{SWITCH.format("association"): False})], over=over)
    assert done.network.transit_gateway_route_tables["tgw-rtb-1"].attachment_ids == ("tgw-attach-1",)
    assert ask(done.network, *BACK) == ("REJECT", "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION")
    back = update({**WHOLE, SWITCH.format("association"): False}, **{SWITCH.format("association"): True})
    assert planned(tmp_path, [back], over=done.network).network.transit_gateway_route_tables == dict(
        over.transit_gateway_route_tables
    )


def test_tg02_the_table_of_an_association_is_the_default_one_among_several(tmp_path: Path) -> None:
    over = network(joined(tables=2))
    done = planned(tmp_path, [update(WHOLE, **{SWITCH.format("association"): False})], over=over)
    tables = done.network.transit_gateway_route_tables
    assert [table.attachment_ids for table in tables.values()] == [("tgw-attach-1",), ()]


def test_tg05_which_of_several_tables_loses_the_propagation_is_unknown(tmp_path: Path) -> None:
    over = network(joined(tables=2))
    done = planned(tmp_path, [update(WHOLE, **{SWITCH.format("propagation"): False})], over=over)
    assert [issue.code for issue in done.issues if issue.resource.startswith("aws_")] == ["known-after-apply"]
    assert ask(done.network, *THERE)[0] == "UNKNOWN"


def test_tg02_an_accepter_that_switches_off_changes_the_tables(tmp_path: Path) -> None:
    over = network(joined())
    before = {"id": "tgw-attach-2", "transit_gateway_attachment_id": "tgw-attach-2", SWITCH.format("association"): True}
    after = {**before, SWITCH.format("association"): False}
    accepter = change("aws_ec2_transit_gateway_vpc_attachment_accepter.two", "update", before, after)
    done = planned(tmp_path, [accepter], over=over)
    assert done.network.transit_gateway_route_tables["tgw-rtb-1"].attachment_ids == ("tgw-attach-1",)


@pytest.mark.parametrize("absent", ["security_group_referencing_support", "appliance_mode_support", "subnet_ids"])
def test_tg09_what_a_plan_does_not_change_stays(tmp_path: Path, absent: str) -> None:
    over = network(joined())
    before = {name: value for name, value in WHOLE.items() if name != absent}
    before["security_group_referencing_support"] = None
    done = planned(tmp_path, [update(before, tags={"Name": "two"})], over=over)
    assert done.network.transit_gateway_attachments == dict(over.transit_gateway_attachments)
    assert done.network.transit_gateway_route_tables == dict(over.transit_gateway_route_tables)
