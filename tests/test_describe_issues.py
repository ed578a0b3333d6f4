"""Issues of a description, and AWS's defaults assumed in place of what is missing."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
from describe_documents import changed, everything, issues, read

import flowcore as fc
from flowcore.model import BlockPublicAccessOptions, Network, RouteTarget, Vpc


def test_undescribed_vpc_gets_a_placeholder() -> None:
    network = read(Vpcs=everything()["Vpcs"][1:])
    assert not network.vpcs["vpc-1"].described
    assert issues(network, "dangling-reference", "vpc-1")


def test_the_same_record_twice() -> None:
    vpcs = everything()["Vpcs"]
    assert not issues(read(Vpcs=[*vpcs, vpcs[1] | {"Tags": [{"Key": "a", "Value": "b"}]}]), "duplicate")
    network = read(Vpcs=[*vpcs, vpcs[1] | {"CidrBlock": "10.77.0.0/16"}])
    assert network.vpcs["vpc-2"].cidr_blocks == (IPv4Network("10.1.0.0/16"),)
    assert issues(network, "duplicate", "vpc-2")[0].source == "documents: $.Vpcs[2]"
    groups = everything()["SecurityGroups"]
    assert issues(read(SecurityGroups=[*groups, groups[0] | {"IpPermissions": []}]), "duplicate", "sg-1")
    assert not issues(read(SecurityGroups=groups * 2), "duplicate")
    rows = everything()["SecurityGroupRules"]
    assert issues(read(SecurityGroupRules=[*rows, rows[0] | {"ToPort": 54}]), "duplicate", "sgr-1")


OWNER, PARTICIPANT, ANOTHER = "222222222222", "111111111111", "333333333333"


def shared(account: str, zone: str, subnet_ids: list[str]) -> tuple[str, dict[str, Any]]:
    """A VPC with a subnet that its owner shares, as an account sees it: zones by its names, its subnets only."""
    associations = [
        {"NetworkAclAssociationId": f"a-{name}", "NetworkAclId": "acl-1", "SubnetId": name} for name in subnet_ids
    ]
    return f"accounts/{account}/eu-west-1/all.json", {
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "OwnerId": OWNER}],
        "Subnets": [
            {"SubnetId": name, "VpcId": "vpc-1", "CidrBlock": f"10.0.{n}.0/24", "OwnerId": OWNER,
             "AvailabilityZone": f"eu-west-1{zone}", "AvailabilityZoneId": "euw1-az1"}
            for n, name in enumerate(("subnet-1", "subnet-2", "subnet-3")) if name in subnet_ids
        ],
        "NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "OwnerId": OWNER, "IsDefault": False, "Entries": [],
                         "Associations": associations}],
    }  # fmt: skip


@pytest.mark.parametrize("turn", [1, -1])
def test_of_a_shared_vpc_the_owners_answer_goes_first(turn: int) -> None:
    """Participants describe what they take part in; that is less than there is, and no contradiction."""
    answers = [shared(PARTICIPANT, "b", ["subnet-1"]), shared(OWNER, "a", ["subnet-1", "subnet-2", "subnet-3"])]
    network = fc.network_from_documents(answers[::turn])
    assert not issues(network, "duplicate")
    assert network.network_acls["acl-1"].subnet_ids == ("subnet-1", "subnet-2", "subnet-3")
    assert network.subnets["subnet-1"].availability_zone == "eu-west-1a"


def test_of_a_shared_vpc_two_participants_see_its_parts() -> None:
    answers = [shared(PARTICIPANT, "b", ["subnet-1"]), shared(ANOTHER, "c", ["subnet-1", "subnet-2"])]
    network = fc.network_from_documents(answers)
    assert not issues(network, "duplicate")
    assert network.network_acls["acl-1"].subnet_ids == ("subnet-1", "subnet-2")


def test_an_interface_described_differently_by_its_instance() -> None:
    documents = everything()
    (own,) = [i for i in documents["NetworkInterfaces"] if i["NetworkInterfaceId"] == "eni-1"]
    embedded = {**own, "Groups": [{"GroupId": "sg-2"}]}
    reservation = {"Instances": [{"InstanceId": "i-9", "VpcId": own["VpcId"], "NetworkInterfaces": [embedded]}]}
    network = read(Reservations=[reservation])
    assert issues(network, "duplicate", "eni-1")
    assert network.interfaces["eni-1"].group_ids == tuple(group["GroupId"] for group in own["Groups"])
    other = {"Instances": [{"InstanceId": "i-8", "VpcId": own["VpcId"], "NetworkInterfaces": [own]}]}
    assert issues(read(NetworkInterfaces=[], Reservations=[reservation, other]), "duplicate", "eni-1")


@pytest.mark.parametrize(
    ("keys", "resource"),
    [
        ({"Subnets": []}, "subnet-1"),
        ({"SecurityGroups": []}, "sg-1"),
        ({"InternetGateways": []}, "igw-1"),
    ],
)
def test_dangling_references(keys: dict[str, Any], resource: str) -> None:
    assert not issues(read(), "dangling-reference", resource)
    assert issues(read(**keys), "dangling-reference", resource)


@pytest.mark.parametrize("key", ["NetworkAcls", "RouteTables", "NetworkInterfaces", "Subnets", "Vpcs"])
def test_missing_keys(key: str) -> None:
    (issue,) = issues(read(**{key: None}), "missing-file", key)
    assert issue.severity == "warning"


def test_missing_security_groups() -> None:
    assert not issues(read(SecurityGroups=None), "missing-file")  # the rows stand in
    assert issues(read(SecurityGroups=None, SecurityGroupRules=None), "missing-file", "SecurityGroups")


@pytest.mark.parametrize(
    ("options", "region", "mode"),
    [
        ([("off", "eu-west-1"), ("block-ingress", "us-east-1")], "us-east-1", "block-ingress"),
        ([("off", "eu-west-1"), ("block-ingress", "us-east-1")], "eu-west-1", "off"),
        ([("off", "eu-west-1"), ("block-ingress", "us-east-1")], None, "block-ingress"),
        ([("block-bidirectional", "eu-west-1")], None, "block-bidirectional"),
        ([("block-bidirectional", "eu-west-1")], "us-east-1", "off"),
        ([("block-bidirectional", None)], "us-east-1", "block-bidirectional"),
        ([], None, "off"),
    ],
)
def test_bp01_the_mode_is_that_of_the_region_and_of_any_where_that_is_not_told(
    options: list[tuple[str, str | None]], region: str | None, mode: str
) -> None:
    network = Network(
        vpcs={"vpc-1": Vpc("vpc-1", region=region)},
        block_public_access=tuple(BlockPublicAccessOptions(mode, where) for mode, where in options),
    )
    assert network.block_mode_of(None, "vpc-1") == mode


def test_block_public_access_without_its_exclusions() -> None:
    """BP-05: all is blocked except for excluded VPCs and subnets."""
    key, on = "VpcBlockPublicAccessExclusions", {"InternetGatewayBlockMode": "block-bidirectional"}
    vpc = everything()["Vpcs"][0] | {"BlockPublicAccessStates": on}
    for given in ({"Vpcs": [vpc]}, {"VpcBlockPublicAccessOptions": on}):
        assert issues(read(**given, **{key: None}), "missing-file", key)
        assert not issues(read(**given, **{key: []}), "missing-file", key)
        assert read(**given, **{key: None}).block_exclusion_of("subnet-1", "vpc-1") == "not-described"
        assert read(**given, **{key: []}).block_exclusion_of("subnet-1", "vpc-1") is None
        assumed = fc.network_from_documents(changed(**given, **{key: None}), assume_defaults=True)
        assert assumed.block_exclusion_of("subnet-1", "vpc-1") is None
        assert issues(assumed, "assumed-default", key)
    assert not issues(read(**{key: None}), "missing-file", key)  # its mode is off


def test_other_keys_are_kept() -> None:
    extra = {
        "CarrierGateways": [{"CarrierGatewayId": "cagw-1"}],
        "CoreNetworks": [],
        "Wonders": [1],
        "Tags": [{"Key": "a"}],
    }
    network = read(**extra)
    assert {key: list(network.other[key]) for key in extra} == extra
    assert [issue.resource for issue in issues(network, "not-modelled")] == ["CarrierGateways"]
    assert [issue.resource for issue in issues(network, "unknown-key")] == ["Wonders"]


@pytest.mark.parametrize("token", ["NextToken", "nextToken"])
def test_incomplete_answers(token: str) -> None:
    (issue,) = issues(read(**{token: "more"}), "incomplete", "documents")
    assert issue.severity == "error"
    assert not issues(read(**{token: ""}), "incomplete")


def test_contradictory_associations() -> None:
    acls, tables = everything()["NetworkAcls"], everything()["RouteTables"]
    acls[1] |= {"VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-1"}]}
    tables[1] |= {"VpcId": "vpc-1", "Associations": [{"Main": True}, {"SubnetId": "subnet-1"}]}
    network = read(NetworkAcls=acls[::-1], RouteTables=tables[::-1])
    assert network.acl_of("subnet-1", "vpc-1") == network.network_acls["acl-1"]
    assert network.acl_of("subnet-9", "vpc-1") == network.network_acls["acl-1"]
    assert network.route_table_of("subnet-1", "vpc-1") == network.route_tables["rtb-1"]
    assert network.route_table_of("subnet-9", "vpc-1") == network.route_tables["rtb-1"]
    assert len(issues(network, "conflict", "subnet-1")) == len(issues(network, "conflict", "vpc-1")) == 2


def test_states_overlaps_and_subnets_outside() -> None:
    vpcs = [*everything()["Vpcs"], {"VpcId": "vpc-3", "CidrBlock": "10.0.128.0/17"}]
    subnets = [*everything()["Subnets"], {"SubnetId": "subnet-3", "VpcId": "vpc-2", "CidrBlock": "10.2.0.0/24"}]
    network = read(
        Vpcs=vpcs, Subnets=subnets, NetworkInterfaces=[everything()["NetworkInterfaces"][0] | {"Status": "available"}]
    )
    assert "vpc-1, vpc-3" in issues(network, "conflict", "vpc-1")[0].message
    assert issues(network, "conflict", "subnet-3")[0].severity == "warning"
    assert issues(network, "state", "eni-1")
    assert len(issues(network, "conflict")) == 2


def test_issues_do_not_depend_on_the_order_of_records() -> None:
    forward = changed(Vpcs=None, SecurityGroups=[], Subnets=[])
    backward = {key: value[::-1] if isinstance(value, list) else value for key, value in reversed(forward.items())}
    strip = [(i.severity, i.code, i.resource, i.message) for i in fc.network_from_documents(forward).issues]
    assert strip == [(i.severity, i.code, i.resource, i.message) for i in fc.network_from_documents(backward).issues]
    assert strip == sorted(strip, key=lambda i: (["error", "warning", "note"].index(i[0]), *i[1:]))


def test_defaults_are_assumed_only_when_asked() -> None:  # NA-12, RT-09
    documents = changed(NetworkAcls=None, RouteTables=None)
    plain = fc.network_from_documents(documents)
    assert plain.acl_of("subnet-1", "vpc-1") is None
    assert plain.route_table_of("subnet-1", "vpc-1") is None
    network = fc.network_from_documents(documents, assume_defaults=True)
    acl, table = network.acl_of("subnet-1", "vpc-1"), network.route_table_of("subnet-1", "vpc-1")
    assert acl is not None
    assert table is not None
    assert acl.network_acl_id == "acl-assumed-default-vpc-1"
    assert [(e.egress, e.rule_number, e.allow, str(e.cidr_block)) for e in acl.entries][:4] == [
        (False, 100, True, "0.0.0.0/0"),
        (False, 101, True, "::/0"),
        (False, 32767, False, "0.0.0.0/0"),
        (False, 32768, False, "::/0"),
    ]
    assert len(network.network_acls["acl-assumed-default-vpc-2"].entries) == 4
    assert table.route_table_id == "rtb-assumed-main-vpc-1"
    assert {route.target_kind for route in table.routes} == {RouteTarget.LOCAL}
    assert len(table.routes) == 3
    assert len(issues(network, "assumed-default")) == 4


def test_described_records_are_not_assumed() -> None:
    network = fc.network_from_documents(everything(), assume_defaults=True)
    assert network == fc.network_from_documents(everything())


def test_internet_gateway_of_an_active_route_is_assumed() -> None:
    documents = changed(InternetGateways=None)
    assert not fc.network_from_documents(documents).internet_gateways
    network = fc.network_from_documents(documents, assume_defaults=True)
    assert network.internet_gateways["igw-1"].vpc_ids == ("vpc-1",)
    assert issues(network, "assumed-default", "igw-1")
    documents["RouteTables"][0]["Routes"][1]["State"] = "blackhole"
    assert not fc.network_from_documents(documents, assume_defaults=True).internet_gateways


def test_what_is_gone_or_unknown_is_reported_once() -> None:
    route = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-9", "State": "blackhole"}
    network = read(RouteTables=[{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [route]}])
    assert issues(network, "state", "rtb-1")
    assert not issues(network, "dangling-reference", "igw-9")
    without_vpcs = read(Vpcs=[])
    assert issues(without_vpcs, "dangling-reference", "vpc-1")
    assert not issues(without_vpcs, "conflict", "subnet-1")
