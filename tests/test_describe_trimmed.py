"""Answers trimmed to chosen fields, answers that disagree, and references that name no VPC: not known is not empty."""

from __future__ import annotations

from typing import Any

import pytest
from describe_documents import changed, issues, read, refused
from partial_documents import OUTSIDE, A, acl, documents, group, judged, permission, row, table

import flowcore as fc

ACCEPT, UNREAD = ("ACCEPT", None), ("UNKNOWN", "UNKNOWN_RESOURCE")


def network(**changes: Any) -> fc.Network:
    return fc.network_from_documents(documents(**changes))


def without(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in names}


# -- keys that AWS always prints -----------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["IpPermissions", "IpPermissionsEgress"])
def test_sg02_groups_without_a_key_of_their_rules(missing: str) -> None:
    assert judged(network(SecurityGroups=[group(**{missing: []})])) == ("REJECT", "SG_HAS_NO_RULES")
    for trimmed in (without(group(), missing), group(**{missing: None})):
        found = network(SecurityGroups=[trimmed])
        assert judged(found) == UNREAD
        assert issues(found, "incomplete", "sg-1")[0].severity == "error"


def test_sg01_rows_describe_a_group_whose_permissions_are_not() -> None:
    trimmed = [without(group(), "IpPermissions", "IpPermissionsEgress")]
    rows = [row("sgr-1", True), row("sgr-2", False, IpProtocol="tcp", FromPort=22, ToPort=22)]
    found = network(SecurityGroups=trimmed, SecurityGroupRules=rows)
    assert [judged(found, port=port)[0] for port in (22, 443)] == ["ACCEPT", "REJECT"]
    assert not issues(found, "incomplete")
    assert judged(network(SecurityGroups=trimmed, SecurityGroupRules=[row("sgr-1", True, GroupId="sg-2")])) == UNREAD


def test_sg01_what_the_known_rules_allow_is_allowed() -> None:
    trimmed = without(group(GroupId="sg-2"), "IpPermissions")
    interfaces = documents()["NetworkInterfaces"]
    interfaces[1]["Groups"].append({"GroupId": "sg-2"})
    found = network(SecurityGroups=[group(), trimmed], NetworkInterfaces=interfaces)
    assert judged(found) == ACCEPT


@pytest.mark.parametrize("missing", ["Entries", "Associations"])
def test_na01_network_acls_without_a_key(missing: str) -> None:
    second = acl("acl-2", "subnet-2", action="deny")
    whole = [acl("acl-1", "subnet-1", default=True), second]
    assert judged(network(NetworkAcls=whole)) == ("REJECT", "SUBNET_ACL_RESTRICTION")
    found = network(NetworkAcls=[whole[0], without(second, missing)])
    assert judged(found) == UNREAD
    assert found.acl_of("subnet-1", "vpc-1") is not None
    assert missing in issues(found, "incomplete", "acl-2")[0].message


@pytest.mark.parametrize("missing", ["Routes", "Associations"])
def test_rt01_route_tables_without_a_key(missing: str) -> None:
    main, public = table("rtb-main", {"Main": True}), table("rtb-1", {"SubnetId": "subnet-1"}, GatewayId="igw-1")
    assert judged(network(RouteTables=[main, public]), A, OUTSIDE) == ACCEPT
    found = network(RouteTables=[main, without(public, missing)])
    assert judged(found, A, OUTSIDE) == UNREAD
    assert missing in issues(found, "incomplete", "rtb-1")[0].message


@pytest.mark.parametrize(
    ("key", "missing", "table_name"),
    [
        ("InternetGateways", "Attachments", "internet_gateways"),
        ("EgressOnlyInternetGateways", "Attachments", "egress_only_internet_gateways"),
        ("VpnGateways", "VpcAttachments", "vpn_gateways"),
    ],
)
def test_gateways_that_may_be_attached_anywhere_are_not_used(key: str, missing: str, table_name: str) -> None:
    (record,) = changed()[key]
    found = read(**{key: [without(record, missing)]})
    assert not getattr(found, table_name)
    assert missing in issues(found, "incomplete")[0].message


def test_ig12_an_internet_gateway_that_may_be_attached_anywhere() -> None:
    described = documents(InternetGateways=[{"InternetGatewayId": "igw-1", "Attachments": []}])
    assert judged(fc.network_from_documents(described), A, OUTSIDE) == ("REJECT", "BAD_STATE_ATTACHMENT")
    described["InternetGateways"] = [{"InternetGatewayId": "igw-1"}]
    assert judged(fc.network_from_documents(described), A, OUTSIDE) == UNREAD
    described["RouteTables"] = described["RouteTables"][:1]
    assert judged(fc.network_from_documents(described), OUTSIDE, A) == UNREAD


@pytest.mark.parametrize("remotes", [{}, {"Ipv4Ranges": [{"CidrIp": "0.0.0.0/0"}]}, {"IpRanges": []}])
def test_sg05_a_permission_without_a_remote_is_refused(remotes: dict[str, Any]) -> None:
    error = refused(SecurityGroups=[group(IpPermissions=[permission(**remotes)])])
    assert error.where == "$.SecurityGroups[0].IpPermissions[0]"
    assert "UserIdGroupPairs" in str(error.expected)


def test_null_is_no_answer() -> None:
    found = fc.network_from_documents(documents() | {"NetworkAcls": None, "Wonders": None})
    assert issues(found, "missing-file", "NetworkAcls")
    assert not issues(found, "unknown-key")


@pytest.mark.parametrize("state", ["associating", "failed"])
def test_a_subnet_without_an_associated_cidr_is_left_out(state: str) -> None:
    blocks = [{"Ipv6CidrBlock": "2600::/64", "Ipv6CidrBlockState": {"State": state}}]
    subnet = {"SubnetId": "subnet-9", "VpcId": "vpc-1", "Ipv6CidrBlockAssociationSet": blocks}
    found = network(Subnets=[*documents()["Subnets"], subnet])
    assert "subnet-9" not in found.subnets
    assert state in issues(found, "state", "subnet-9")[0].message


# -- rows that the group does not have -----------------------------------------------------------------------


def test_sg01_a_row_that_no_permission_covers_may_be_revoked() -> None:
    rows = [row("sgr-1", True), row("sgr-2", False, IpProtocol="tcp", FromPort=443, ToPort=443)]
    other = permission(IpRanges=[{"CidrIp": "10.0.0.0/8"}]) | {"FromPort": 22, "ToPort": 22}
    rows.append(row("sgr-3", False, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIpv4="10.0.0.0/8"))
    found = network(SecurityGroups=[group(IpPermissions=[other])], SecurityGroupRules=rows)
    assert [judged(found, port=port) for port in (443, 22, 80)] == [UNREAD, ACCEPT, ("REJECT", "ENI_SG_RULES_MISMATCH")]
    (issue,) = issues(found, "conflict", "sg-1")
    assert (issue.severity, "sgr-2" in issue.message) == ("warning", True)


def test_sg11_a_doubtful_row_for_a_type_that_is_not_known() -> None:
    rows = [row("sgr-1", True), row("sgr-2", False, IpProtocol="icmp", FromPort=8, ToPort=-1)]
    found = network(SecurityGroups=[group(IpPermissions=[])], SecurityGroupRules=rows)
    flow = {"srcaddr": A, "dstaddr": "10.0.2.10", "srcport": 0, "dstport": 0, "protocol": 1}
    assert fc.explain(found, flow).reason == "UNKNOWN_RESOURCE"


# -- references to groups of another account -----------------------------------------------------------------

FAR = "10.2.0.10"
PAIR = {"UserId": "999900001111", "GroupId": "sg-far", "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"}


def peered(pair: dict[str, Any], **changes: Any) -> fc.Network:
    """eni-2 in subnet-2, whose table leads to a peering connection; its group lets it reach `pair` only."""
    peering = {
        "VpcPeeringConnectionId": "pcx-1",
        "Status": {"Code": "active"},
        "RequesterVpcInfo": {"VpcId": "vpc-1", "Region": "eu-west-1", "CidrBlock": "10.0.0.0/16"},
        "AccepterVpcInfo": {"VpcId": "vpc-2", "Region": "eu-west-1", "CidrBlock": "10.2.0.0/16"},
    }
    tables = [table("rtb-main", {"Main": True}, VpcPeeringConnectionId="pcx-1")]
    groups = [group(IpPermissionsEgress=[permission(UserIdGroupPairs=[pair])])]
    return network(**{"SecurityGroups": groups, "RouteTables": tables, "VpcPeeringConnections": [peering], **changes})


@pytest.mark.parametrize("form", ["permission", "row"])
def test_sg22_a_group_of_another_account_is_named_by_the_peering_connection(form: str) -> None:
    rows = [row("sgr-1", True, IpProtocol="tcp", FromPort=443, ToPort=443, ReferencedGroupInfo=PAIR)]
    rows[0].pop("CidrIpv4")
    found = peered(PAIR, **({"SecurityGroupRules": rows, "SecurityGroups": None} if form == "row" else {}))
    (rule,) = (rule for rule in found.security_groups["sg-1"].rules if rule.egress)
    assert (rule.referenced_vpc_id, rule.peering_id) == ("vpc-2", "pcx-1")
    assert judged(found, "10.0.2.10", FAR) == ("UNKNOWN", "UNKNOWN_PEERED_SGS")
    assert judged(peered(PAIR | {"VpcId": "vpc-2"}), "10.0.2.10", FAR) == ("UNKNOWN", "UNKNOWN_PEERED_SGS")


def test_sg26_a_stale_reference_stays_stale() -> None:
    stale = peered(PAIR | {"PeeringStatus": "deleted"})
    assert judged(stale, "10.0.2.10", FAR) == ("REJECT", "ENI_SG_RULES_MISMATCH")


def test_sg22_a_peering_connection_that_is_not_described() -> None:
    lost = peered(PAIR, VpcPeeringConnections=[])
    (rule,) = (rule for rule in lost.security_groups["sg-1"].rules if rule.egress)
    assert rule.referenced_vpc_id == fc.model.UNDESCRIBED_VPC
    path = fc.explain(lost, {"srcaddr": "10.0.2.10", "dstaddr": FAR, "srcport": 1, "dstport": 443, "protocol": 6})
    assert path.reason == "UNKNOWN_PEERED_SGS"
    assert judged(lost, "10.0.2.10", FAR)[1] == "UNKNOWN_PEERED_SGS"


def test_sg22_where_the_group_is_carried_its_vpc_is_the_other_end() -> None:
    far = {"NetworkInterfaceId": "eni-9", "VpcId": "vpc-2", "SubnetId": "subnet-9", "PrivateIpAddress": FAR}
    interfaces = [*documents()["NetworkInterfaces"], {**far, "Groups": [{"GroupId": "sg-far"}], "Status": "in-use"}]
    for peering in ({}, {"VpcPeeringConnections": []}):
        found = peered(PAIR, NetworkInterfaces=interfaces, **peering)
        (rule,) = (rule for rule in found.security_groups["sg-1"].rules if rule.egress)
        assert rule.referenced_vpc_id == "vpc-2"
        assert judged(found, "10.0.2.10", FAR)[1] != "ENI_SG_RULES_MISMATCH"
