"""describe-* JSON as records of the model: every kind of record, and what cannot be understood."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest
from describe_documents import everything, issues, one_group, one_interface, permission, read, refused

import flowcore as fc
from flowcore.errors import NetworkError
from flowcore.model import InterfaceAddress, Route, RouteTarget

ALL4, ALL6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")


def test_the_small_network_is_read_without_issues() -> None:
    network = fc.network_from_documents(everything())
    assert [issue for issue in network.issues if issue.severity != "note"] == []
    assert network.described_keys == frozenset(everything())


def test_vpc_keeps_associated_cidrs_with_the_primary_first() -> None:
    vpc = read().vpcs["vpc-1"]
    assert vpc.cidr_blocks == (IPv4Network("10.0.0.0/16"), IPv4Network("10.9.0.0/16"))
    assert vpc.ipv6_cidr_blocks == (IPv6Network("2001:db8::/56"),)
    assert (vpc.owner_id, vpc.tags, vpc.internet_gateway_block_mode) == ("111122223333", {"Name": "main"}, "off")


def test_private_ipv6_cidrs_of_a_vpc() -> None:
    record = everything()["Vpcs"][0]
    blocks = [
        {"Ipv6CidrBlock": block, "Ipv6CidrBlockState": {"State": "associated"}, "Ipv6AddressAttribute": attribute}
        for block, attribute in (("2001:db8::/56", "public"), ("2600:1f18::/56", "private"))
    ]
    vpc = read(Vpcs=[record | {"Ipv6CidrBlockAssociationSet": blocks}]).vpcs["vpc-1"]
    assert vpc.ipv6_cidr_blocks == (IPv6Network("2001:db8::/56"), IPv6Network("2600:1f18::/56"))
    assert vpc.private_ipv6_cidr_blocks == (IPv6Network("2600:1f18::/56"),)


def test_region_comes_from_the_zone_where_no_folder_names_it() -> None:
    network = read()
    assert network.subnets["subnet-1"].region == "eu-west-1"
    assert network.vpcs["vpc-1"].region == "eu-west-1"
    assert network.interfaces["eni-1"].region == "eu-west-1"


def test_route_table_associations_that_count() -> None:  # RT-01, RT-02
    table = read().route_tables["rtb-1"]
    assert (table.main, table.subnet_ids, table.gateway_ids) == (True, ("subnet-1",), ("igw-1",))


@pytest.mark.parametrize(
    ("fields", "kind", "target"),
    [
        ({"GatewayId": "local"}, RouteTarget.LOCAL, "local"),
        ({"GatewayId": "igw-9"}, RouteTarget.INTERNET_GATEWAY, "igw-9"),
        ({"GatewayId": "vgw-9"}, RouteTarget.VIRTUAL_PRIVATE_GATEWAY, "vgw-9"),
        ({"GatewayId": "vpce-9"}, RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT, "vpce-9"),
        ({"NatGatewayId": "nat-9"}, RouteTarget.NAT_GATEWAY, "nat-9"),
        ({"TransitGatewayId": "tgw-9"}, RouteTarget.TRANSIT_GATEWAY, "tgw-9"),
        ({"VpcPeeringConnectionId": "pcx-9"}, RouteTarget.VPC_PEERING_CONNECTION, "pcx-9"),
        ({"EgressOnlyInternetGatewayId": "eigw-9"}, RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY, "eigw-9"),
        ({"NetworkInterfaceId": "eni-9", "InstanceId": "i-9"}, RouteTarget.NETWORK_INTERFACE, "eni-9"),
        ({"InstanceId": "i-9"}, RouteTarget.NETWORK_INTERFACE, "i-9"),
        ({"CarrierGatewayId": "cagw-9"}, RouteTarget.CARRIER_GATEWAY, "cagw-9"),
        ({"LocalGatewayId": "lgw-9"}, RouteTarget.LOCAL_GATEWAY, "lgw-9"),
        ({"CoreNetworkArn": "arn:aws:x"}, RouteTarget.CORE_NETWORK, "arn:aws:x"),
        ({"OdbNetworkArn": "arn:aws:y"}, RouteTarget.ODB_NETWORK, "arn:aws:y"),
        ({}, RouteTarget.UNKNOWN, ""),
        ({"GatewayId": "what-9"}, RouteTarget.UNKNOWN, "what-9"),
        ({"NatGatewayId": "nat-9", "GatewayId": "igw-9"}, RouteTarget.UNKNOWN, "nat-9,igw-9"),
    ],
)
def test_route_targets(fields: dict[str, str], kind: str, target: str) -> None:  # RT-16
    route = {"DestinationCidrBlock": "192.168.0.9/16", "State": "active", **fields}
    network = read(RouteTables=[{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [route]}])
    assert network.route_tables["rtb-1"].routes == (Route(IPv4Network("192.168.0.0/16"), kind, target),)
    assert bool(issues(network, "invalid-value", "rtb-1")) == (kind == RouteTarget.UNKNOWN)


def test_route_destinations_states_and_origins() -> None:  # RT-13, RT-14, RT-15
    routes = [
        {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1", "Origin": "CreateRoute"},
        {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"},
        {"DestinationCidrBlock": "10.5.0.0/16", "VpcPeeringConnectionId": "pcx-1", "State": "blackhole"},
        {"DestinationCidrBlock": "10.6.0.0/16", "GatewayId": "igw-1", "State": "filtered"},
        {"DestinationCidrBlock": "10.7.0.0/16", "GatewayId": "vgw-1", "Origin": "EnableVgwRoutePropagation"},
        {"DestinationCidrBlock": "10.8.0.0/16", "GatewayId": "vgw-1", "Origin": "Advertisement"},
        {"DestinationCidrBlock": "10.9.0.0/16", "GatewayId": "igw-1", "State": "sleeping"},
    ]
    network = read(RouteTables=[{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": routes}])
    found = {
        str(r.destination): (r.target_kind, r.blackhole, r.propagated) for r in network.route_tables["rtb-1"].routes
    }
    assert found == {
        "pl-1": (RouteTarget.GATEWAY_ENDPOINT, False, False),
        "::/0": (RouteTarget.INTERNET_GATEWAY, False, False),
        "10.5.0.0/16": (RouteTarget.VPC_PEERING_CONNECTION, True, False),
        "10.7.0.0/16": (RouteTarget.VIRTUAL_PRIVATE_GATEWAY, False, True),
        "10.8.0.0/16": (RouteTarget.VIRTUAL_PRIVATE_GATEWAY, False, True),
        "10.9.0.0/16": (RouteTarget.UNKNOWN, False, False),
    }
    assert "sleeping" in issues(network, "invalid-value", "rtb-1")[0].message
    assert "black hole" in issues(network, "state", "rtb-1")[0].message


def test_acl_entries_in_evaluation_order() -> None:  # NA-02, NA-07, NA-08, NA-11
    entries = read().network_acls["acl-1"].entries
    assert [(e.egress, e.rule_number, e.protocol, e.allow, e.cidr_block) for e in entries] == [
        (False, 90, 58, False, ALL6),
        (False, 100, 6, True, IPv4Network("10.0.0.0/8")),
        (True, 100, -1, True, ALL4),
        (True, 32767, -1, False, ALL4),
    ]
    assert (entries[0].icmp_type, entries[0].icmp_code, entries[0].from_port) == (128, None, None)
    assert (entries[1].from_port, entries[1].to_port, entries[1].icmp_type) == (22, 443, None)


def test_acl_ports_count_for_tcp_and_udp_only() -> None:  # NA-07
    entry = {"RuleNumber": 1, "Egress": False, "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    entry |= {"PortRange": {"From": 1, "To": 2}, "IcmpTypeCode": {"Type": 3, "Code": 4}}
    for protocol, expected in {"17": (1, 2, None), "1": (None, None, 3), "47": (None,) * 3, "-1": (None,) * 3}.items():
        acl = {"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Entries": [entry | {"Protocol": protocol}]}
        (found,) = read(NetworkAcls=[acl]).network_acls["acl-1"].entries
        assert (found.from_port, found.to_port, found.icmp_type) == expected, protocol


def test_permissions_become_one_rule_per_remote() -> None:  # SG-05
    rules = read().security_groups["sg-1"].rules
    assert [rule.rule_id for rule in rules] == [
        "sg-1:in:icmp:8-*:0.0.0.0/0",
        "sg-1:in:tcp:443-443:10.0.0.0/8",
        "sg-1:in:tcp:443-443:::/0",
        "sg-1:in:tcp:443-443:pl-1",
        "sg-1:in:tcp:443-443:sg-1",
        "sg-1:out:all:*:0.0.0.0/0",
    ]
    assert [r.cidr_block or r.prefix_list_id or r.referenced_group_id for r in rules[1:5]] == [
        IPv4Network("10.0.0.0/8"),
        ALL6,
        "pl-1",
        "sg-1",
    ]


@pytest.mark.parametrize(
    ("protocol", "first", "last", "expected"),
    [
        ("tcp", 443, 443, (6, 443, 443)),
        ("TCP", 0, 65535, (6, 0, 65535)),
        ("6", 22, 23, (6, 22, 23)),
        ("udp", -1, -1, (17, None, None)),
        ("tcp", None, None, (6, None, None)),
        ("icmp", 8, -1, (1, 8, None)),
        ("icmp", 3, 4, (1, 3, 4)),
        ("icmp", -1, -1, (1, None, None)),
        ("icmp", 8, None, (1, 8, None)),
        ("icmpv6", None, None, (58, None, None)),
        ("58", 128, 0, (58, 128, 0)),
        ("-1", 0, 0, (-1, None, None)),
        ("-1", None, None, (-1, None, None)),
        ("50", 1, 2, (50, None, None)),
        (17, 53, 53, (17, 53, 53)),
    ],
)
def test_protocols_and_ports_of_group_rules(protocol: Any, first: Any, last: Any, expected: Any) -> None:  # SG-08…12
    network = read(**one_group(permission(protocol, "10.0.0.0/8", FromPort=first, ToPort=last)))
    (rule,) = network.security_groups["sg-1"].rules
    assert (rule.protocol, rule.from_port, rule.to_port) == expected


def test_cidrs_of_rules_are_canonical() -> None:  # SG-06
    (rule,) = read(**one_group(permission("-1", "100.68.0.18/18"))).security_groups["sg-1"].rules
    assert rule.cidr_block == IPv4Network("100.68.0.0/18")
    assert rule.rule_id == "sg-1:in:all:*:100.68.0.0/18"


def test_the_same_permission_twice_is_one_rule() -> None:
    twice = permission("tcp", "10.0.0.0/8", FromPort=1, ToPort=2)
    assert len(read(**one_group(twice, twice)).security_groups["sg-1"].rules) == 1


def test_rows_name_the_rules_and_uncovered_permissions_are_added() -> None:
    row = {"SecurityGroupRuleId": "sgr-9", "GroupId": "sg-1", "IsEgress": False, "IpProtocol": "tcp"}
    row |= {"FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/8", "Description": "from the row"}
    network = read(
        SecurityGroups=[
            {
                "GroupId": "sg-1",
                "IpPermissions": [permission("tcp", "10.0.0.0/8", "192.0.2.0/24", FromPort=443, ToPort=443)],
            }
        ],
        SecurityGroupRules=[row],
    )
    rules = network.security_groups["sg-1"].rules
    assert [rule.rule_id for rule in rules] == ["sg-1:in:tcp:443-443:192.0.2.0/24", "sgr-9"]
    assert rules[1].description == "from the row"
    assert "192.0.2.0/24" in issues(network, "conflict", "sg-1")[0].message


def test_rows_alone_make_a_group() -> None:
    group = read().security_groups["sg-2"]
    assert [rule.rule_id for rule in group.rules] == ["sgr-1", "sgr-2"]
    assert (group.rules[1].referenced_group_id, group.rules[1].referenced_vpc_id) == ("sg-1", "vpc-1")
    assert group.rules[1].peering_status == "active"


def test_group_references_keep_vpc_and_peering_status() -> None:  # SG-26
    pair = {"GroupId": "sg-9", "VpcId": "vpc-9", "PeeringStatus": "deleted", "Description": "old"}
    (rule,) = read(**one_group(permission("-1") | {"UserIdGroupPairs": [pair]})).security_groups["sg-1"].rules
    assert (rule.referenced_group_id, rule.referenced_vpc_id, rule.peering_status) == ("sg-9", "vpc-9", "deleted")


def test_prefix_lists_with_entries_from_either_source() -> None:  # SG-28
    network = read(PrefixLists=[*everything()["PrefixLists"], {"PrefixListId": "pl-2", "Cidrs": ["52.1.0.9/16"]}])
    first, second = network.prefix_lists["pl-1"], network.prefix_lists["pl-2"]
    assert (first.cidr_blocks, first.address_family, first.name) == ((IPv4Network("198.51.100.0/24"),), 4, "office")
    assert second.cidr_blocks == (IPv4Network("52.1.0.0/16"),)


def test_prefix_lists_without_entries_are_not_empty() -> None:
    network = read(ManagedPrefixListEntries=None)
    assert network.prefix_lists["pl-1"].cidr_blocks is None
    assert issues(network, "dangling-reference", "pl-1")
    cut = read(
        ManagedPrefixListEntries=[{"PrefixListId": "pl-1", "Entries": [{"Cidr": "1.0.0.0/8"}], "NextToken": "x"}]
    )
    assert cut.prefix_lists["pl-1"].cidr_blocks is None
    assert issues(cut, "incomplete", "pl-1")[0].severity == "error"
    bare = read(ManagedPrefixListEntries=None, Entries=[{"Cidr": "1.0.0.0/8"}])
    assert issues(bare, "incomplete", "Entries")


def test_undescribed_prefix_list_is_listed() -> None:
    network = read(PrefixLists=None, ManagedPrefixListEntries=None)
    assert issues(network, "dangling-reference", "pl-1")[0].severity == "warning"


def test_interface_addresses() -> None:  # IG-05, EN-02
    interface = read().interfaces["eni-1"]
    assert interface.addresses == (
        InterfaceAddress(IPv4Address("10.0.1.10"), True, IPv4Address("203.0.113.10")),
        InterfaceAddress(IPv4Address("10.0.1.11"), False, IPv4Address("203.0.113.11")),
        InterfaceAddress(IPv6Address("2001:db8::10")),
    )
    assert interface.prefixes == (IPv4Network("10.0.1.64/28"), IPv6Network("2001:db8:0:0:1::/80"))
    assert (interface.source_dest_check, interface.deny_all_igw_traffic, interface.instance_id) == (False, True, "i-1")


def test_interface_with_only_its_primary_address() -> None:
    assert one_interface(PrivateIpAddresses=..., Ipv6Addresses=None).addresses == (
        InterfaceAddress(IPv4Address("10.0.1.10"), True, IPv4Address("203.0.113.10")),
    )


@pytest.mark.parametrize(
    ("fields", "kind", "group_ids"),
    [
        ({}, "interface", ("sg-1",)),
        ({"Groups": []}, "interface", ()),
        ({"Groups": ...}, "interface", None),
        ({"Groups": None}, "interface", None),
        ({"InterfaceType": "natGateway", "Groups": ...}, "nat_gateway", ()),
        ({"InterfaceType": "nat_gateway", "Groups": []}, "nat_gateway", ()),
        ({"InterfaceType": "network_load_balancer", "Groups": ...}, "network_load_balancer", ()),
        ({"InterfaceType": "transit_gateway", "Groups": ...}, "transit_gateway", ()),
        ({"InterfaceType": "efa-only", "Groups": ...}, "efa_only", None),
        ({"RequesterManaged": True, "Description": "ELB app/web/1"}, "load_balancer", ("sg-1",)),
        ({"RequesterManaged": False, "Description": "ELB app/web/1"}, "interface", ("sg-1",)),
        ({"InterfaceType": ...}, "interface", ("sg-1",)),
        ({"RequesterManaged": True, "Description": "ELB web"}, "classic_load_balancer", ("sg-1",)),
        ({"InterfaceType": "load_balancer", "Description": "ELB web"}, "classic_load_balancer", ("sg-1",)),
        ({"InterfaceType": "load_balancer", "Description": "ELB app/web/1"}, "load_balancer", ("sg-1",)),
        ({"InterfaceType": "load_balancer", "Description": ...}, "load_balancer", ("sg-1",)),
    ],
)
def test_interface_types_and_groups(fields: dict[str, Any], kind: str, group_ids: Any) -> None:  # SG-63
    interface = one_interface(**fields)
    assert (interface.interface_type, interface.group_ids) == (kind, group_ids)


def test_interfaces_embedded_in_instances_stand_in() -> None:
    embedded = everything()["NetworkInterfaces"][0] | {"NetworkInterfaceId": "eni-2"}
    del embedded["Attachment"], embedded["AvailabilityZone"]
    instance = {"InstanceId": "i-2", "NetworkInterfaces": [embedded], "Placement": {"AvailabilityZone": "eu-west-1b"}}
    network = read(Reservations=None, Instances=[instance])
    assert network.interfaces["eni-2"].instance_id == "i-2"
    assert network.interfaces["eni-2"].availability_zone == "eu-west-1b"
    assert network.interfaces["eni-1"].availability_zone == "eu-west-1a"
    assert network.instances["i-2"].interface_ids == ("eni-2",)


def test_terminated_instances_survive() -> None:
    dead = {"InstanceId": "i-9", "State": {"Name": "terminated"}, "NetworkInterfaces": []}
    network = read(Reservations=[{"Instances": [dead]}])
    assert (network.instances["i-9"].vpc_id, network.instances["i-9"].state) == (None, "terminated")
    assert issues(network, "state", "i-9")


def test_elastic_address_fills_what_the_interface_does_not_say() -> None:
    elastic = {"PublicIp": "203.0.113.77", "NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.1.10"}
    bare = everything()["NetworkInterfaces"][0]
    del bare["Association"]
    network = read(NetworkInterfaces=[bare], Addresses=[elastic])
    assert network.interfaces["eni-1"].addresses[0].public_address == IPv4Address("203.0.113.77")
    assert not issues(network, "conflict", "eni-1")


def test_elastic_address_that_contradicts_the_interface() -> None:
    elastic = {"PublicIp": "203.0.113.77", "NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.1.10"}
    network = read(Addresses=[elastic])
    assert network.interfaces["eni-1"].addresses[0].public_address == IPv4Address("203.0.113.10")
    assert issues(network, "conflict", "eni-1")
    stray = read(Addresses=[elastic | {"PrivateIpAddress": "10.0.1.99"}])
    assert issues(stray, "conflict", "eni-1")
    unknown = read(Addresses=[elastic | {"NetworkInterfaceId": "eni-9"}])
    assert issues(unknown, "dangling-reference", "eni-9")


@pytest.mark.parametrize(("state", "attached"), [("available", True), ("attached", True), ("detaching", False)])
def test_gateways_attached_or_not(state: str, attached: bool) -> None:
    vpc = [{"VpcId": "vpc-1", "State": state}]
    network = read(
        InternetGateways=[{"InternetGatewayId": "igw-1", "Attachments": vpc}],
        EgressOnlyInternetGateways=[{"EgressOnlyInternetGatewayId": "eigw-1", "Attachments": vpc}],
        VpnGateways=[{"VpnGatewayId": "vgw-1", "VpcAttachments": vpc}],
    )
    expected = ("vpc-1",) if attached else ()
    assert network.internet_gateways["igw-1"].vpc_ids == expected
    assert network.egress_only_internet_gateways["eigw-1"].vpc_ids == expected
    assert network.vpn_gateways["vgw-1"].vpc_ids == expected


def test_one_peering_described_by_both_accounts() -> None:
    mine = {"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active"}, "RequesterVpcInfo": {"VpcId": "vpc-1"}}
    theirs = mine | {"AccepterVpcInfo": {"VpcId": "vpc-2", "Region": "eu-west-1"}}
    network = read(VpcPeeringConnections=[mine, theirs])
    peering = network.peering_connections["pcx-1"]
    assert (peering.requester_vpc_id, peering.accepter_vpc_id) == ("vpc-1", "vpc-2")
    assert not issues(network, "duplicate")
    gone = theirs | {"Status": {"Code": "deleted"}}
    assert issues(read(VpcPeeringConnections=[mine, gone]), "duplicate", "pcx-1")


def test_block_public_access() -> None:  # BP-01, BP-05
    network = read()
    assert [(o.mode, o.region) for o in network.block_public_access] == [("off", "eu-west-1")]
    (exclusion,) = network.block_public_access_exclusions
    assert (exclusion.resource_id, exclusion.mode, exclusion.state) == ("vpc-1", "allow-egress", "create-complete")
    listed = read(VpcBlockPublicAccessOptions=[{"InternetGatewayBlockMode": "block-ingress"}])
    assert [o.mode for o in listed.block_public_access] == ["block-ingress"]


def acl_with(**fields: Any) -> dict[str, Any]:
    entry = {
        "RuleNumber": 1,
        "Egress": False,
        "Protocol": "6",
        "RuleAction": "allow",
        "CidrBlock": "0.0.0.0/0",
        **fields,
    }
    return {"NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Entries": [entry]}]}


def row_with(**fields: Any) -> dict[str, Any]:
    row = everything()["SecurityGroupRules"][0] | fields
    return {"SecurityGroupRules": [row]}


RULE = "$.SecurityGroups[0].IpPermissions[0]"


@pytest.mark.parametrize(
    ("keys", "where", "found"),
    [
        ({"Vpcs": [{"CidrBlock": "10.0.0.0/8"}]}, "$.Vpcs[0]", None),
        ({"Vpcs": [{"VpcId": "", "CidrBlock": "10.0.0.0/8"}]}, "$.Vpcs[0].VpcId", ""),
        ({"Vpcs": [{"VpcId": "vpc-1\x1b[2J", "CidrBlock": "10.0.0.0/8"}]}, "$.Vpcs[0].VpcId", "vpc-1\x1b[2J"),
        ({"Vpcs": [{"VpcId": "vpc-1"}]}, "$.Vpcs[0].CidrBlock", None),
        ({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/33"}]}, "$.Vpcs[0].CidrBlock", "10.0.0.0/33"),
        ({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0"}]}, "$.Vpcs[0].CidrBlock", "10.0.0.0"),
        ({"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "::/0"}]}, "$.Vpcs[0].CidrBlock", "::/0"),
        ({"Vpcs": {"VpcId": "vpc-1"}}, "$.Vpcs", {"VpcId": "vpc-1"}),
        ({"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1"}]}, "$.Subnets[0].CidrBlock", None),
        (one_group(permission("tcp", "10.0.0.0/8", FromPort="22", ToPort=22)), f"{RULE}.FromPort", "22"),
        (one_group(permission("tcp", "10.0.0.0/8", FromPort=True, ToPort=22)), f"{RULE}.FromPort", True),
        (one_group(permission("tcp", "10.0.0.0/8", FromPort=22, ToPort=70000)), f"{RULE}.ToPort", 70000),
        (one_group(permission("tcp", "10.0.0.0/8", FromPort=23, ToPort=22)), f"{RULE}.FromPort", 23),
        (one_group(permission("tcp", "10.0.0.0/8", FromPort=22)), f"{RULE}.ToPort", None),
        (one_group(permission("icmp", "10.0.0.0/8", FromPort=-1, ToPort=3)), f"{RULE}.ToPort", 3),
        (one_group(permission("icmp", "10.0.0.0/8", FromPort=300, ToPort=3)), f"{RULE}.FromPort", 300),
        (one_group(permission("esp", "10.0.0.0/8")), f"{RULE}.IpProtocol", "esp"),
        (one_group(permission("256", "10.0.0.0/8")), f"{RULE}.IpProtocol", "256"),
        (one_group(permission("-1", "10.0.0.300/8")), f"{RULE}.IpRanges[0].CidrIp", "10.0.0.300/8"),
        (one_group({"IpProtocol": "-1", "UserIdGroupPairs": [{}]}), f"{RULE}.UserIdGroupPairs[0]", None),
        (row_with(CidrIpv6="::/0"), "$.SecurityGroupRules[0]", ["10.0.0.0/8", "::/0"]),
        (row_with(CidrIpv4=None), "$.SecurityGroupRules[0]", []),
        (row_with(IsEgress="no"), "$.SecurityGroupRules[0].IsEgress", "no"),
        (acl_with(RuleAction="maybe"), "$.NetworkAcls[0].Entries[0].RuleAction", "maybe"),
        (acl_with(RuleNumber=0), "$.NetworkAcls[0].Entries[0].RuleNumber", 0),
        (acl_with(RuleNumber=32769), "$.NetworkAcls[0].Entries[0].RuleNumber", 32769),
        (acl_with(Ipv6CidrBlock="::/0"), "$.NetworkAcls[0].Entries[0]", ["0.0.0.0/0", "::/0"]),
        (acl_with(PortRange={"From": 1}), "$.NetworkAcls[0].Entries[0].PortRange.To", None),
        (
            {
                "Reservations": [
                    {
                        "Instances": [
                            {
                                "InstanceId": "i-1",
                                "NetworkInterfaces": [{"NetworkInterfaceId": "eni-2", "PrivateIpAddress": "x"}],
                            }
                        ]
                    }
                ]
            },
            "$.Reservations[0].Instances[0].NetworkInterfaces[0].PrivateIpAddresses[0].PrivateIpAddress",
            "x",
        ),
        ({"Addresses": [{"PublicIp": "fe80::1%eth0"}]}, "$.Addresses[0].PublicIp", "fe80::1%eth0"),
        (
            {
                "NetworkInterfaces": [
                    {"NetworkInterfaceId": "eni-1", "Ipv6Addresses": [{"Ipv6Address": "fe80::1%eth0"}]}
                ]
            },
            "$.NetworkInterfaces[0].Ipv6Addresses[0].Ipv6Address",
            "fe80::1%eth0",
        ),
        (
            {"VpcPeeringConnections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {}}]},
            "$.VpcPeeringConnections[0].Status",
            None,
        ),
        (
            {"VpcBlockPublicAccessOptions": {"InternetGatewayBlockMode": "x"}},
            "$.VpcBlockPublicAccessOptions[0].InternetGatewayBlockMode",
            "x",
        ),
        ({"PrefixLists": [{"PrefixListId": "pl-1", "Cidrs": ["1.2.3.4/8", "x"]}]}, "$.PrefixLists[0].Cidrs[1]", "x"),
    ],
)
def test_records_that_cannot_be_understood(keys: dict[str, Any], where: str, found: Any) -> None:
    error = refused(**keys)
    assert (error.source, error.where, error.found) == ("documents", where, found)
    assert error.expected


@pytest.mark.parametrize("number", ["9" * 5000, "1e400", "18446744073709551616"])
def test_numbers_out_of_range_are_refused(tmp_path: Path, number: str) -> None:
    file = tmp_path / "numbers.json"
    file.write_text(json.dumps(everything()).replace('"FromPort": 443', f'"FromPort": {number}'))
    with pytest.raises(NetworkError, match=r"numbers\.json: \$\.SecurityGroups"):
        fc.read_network(file)
    assert "too large to show" in str(refused(Vpcs=10**5000))


def test_unknown_keys_are_shown_as_plain_text() -> None:
    (issue,) = issues(read(**{"\x1b[2J\u202e": []}), "unknown-key")
    assert issue.resource == r"'\x1b[2J\u202e'"


def test_two_entries_with_one_number_are_refused() -> None:  # NA-10: order would be a guess
    documents = acl_with()
    entries = documents["NetworkAcls"][0]["Entries"]
    entries.append(entries[0] | {"RuleAction": "deny"})
    assert refused(**documents).where == "$.NetworkAcls[0].Entries[1].RuleNumber"


def test_nulls_count_as_absent() -> None:
    documents = everything()
    documents["SecurityGroups"][0]["IpPermissionsEgress"] = None
    documents["NetworkInterfaces"][0]["Ipv4Prefixes"] = None
    documents["VpnGateways"] = None
    network = fc.network_from_documents(documents)
    assert not any(rule.egress for rule in network.security_groups["sg-1"].rules)
    assert network.vpn_gateways == {}


@pytest.mark.parametrize("documents", [{}, {"Tags": []}, {"vpcs": []}, [("a.json", {"Wonders": []})]])
def test_no_description_at_all(documents: Any) -> None:
    with pytest.raises(NetworkError, match="no description of a network"):
        fc.network_from_documents(documents)


def test_documents_that_are_no_objects() -> None:
    with pytest.raises(NetworkError, match=r"a\.json: not an object"):
        fc.network_from_documents([("a.json", [1])])  # type: ignore[list-item]
    with pytest.raises(NetworkError, match="strings"):
        fc.network_from_documents({1: []})  # type: ignore[dict-item]


def test_objects_of_boto3_are_read() -> None:
    documents = everything()
    documents["NetworkInterfaces"][0]["Attachment"]["AttachTime"] = datetime(2026, 1, 1, tzinfo=UTC)
    documents["ResponseMetadata"] = {"HTTPStatusCode": 200}
    network = fc.network_from_documents(documents)
    assert network.interfaces["eni-1"].instance_id == "i-1"
    assert not issues(network, "unknown-key")


def test_acl_entry_for_all_types_is_for_all_codes() -> None:  # NA-08
    documents = acl_with(Protocol="1", IcmpTypeCode={"Type": -1, "Code": 0})
    (entry,) = read(**documents).network_acls["acl-1"].entries
    assert (entry.icmp_type, entry.icmp_code) == (None, None)
