"""`explain` through what stands in between: NAT, peering, transit gateways, VPN, endpoints, appliances.

The worked cases of AWS's behaviour (C-03…C-18) and each component's own conditions.
Load balancers: test_walk_balancers.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from walk_between_networks import (
    FW,
    NAT,
    NAT_PUBLIC,
    OFFICE,
    OUTSIDE,
    PEER,
    S3,
    SPOKE,
    TABLES,
    TRANSIT_ROUTES,
    C,
    R,
    acls,
    ask,
    attachment,
    groups,
    interfaces,
    network,
    tables,
    to,
    transit_table,
)
from walk_networks import N, address, allow, answer, bits, by_id, entry, flow, stages

from flowcore.model import (
    BlockPublicAccessOptions,
    Gateway,
    NatGatewayAddress,
    PrefixList,
    Subnet,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    Vpc,
    VpcEndpoint,
    VpcPeeringConnection,
    VpnConnection,
)
from flowcore.walk import Path


def seen(path: Path, leg: str) -> list[tuple[str, str, str]]:
    """(stage, source, destination) of each check of one direction."""
    return [
        (hop.stage, str(hop.packet_in.source), str(hop.packet_in.destination))
        for hop in path.hops
        if hop.leg == leg and hop.evaluated
    ]


def routes(name: str, *first: Any) -> dict[str, Any]:
    """The route table of one subnet with further routes, as a keyword for `ask`."""
    return {"route_tables": tables(**{name: [*first, *TABLES[name]]})}


# -- NAT gateways --------------------------------------------------------------------------------------------


def test_c06_out_through_a_nat_gateway_and_back():
    path = ask(flow(C, OUTSIDE))
    assert seen(path, "forward") == [
        ("source", C, OUTSIDE),
        ("source-security-group", C, OUTSIDE),
        ("source-network-acl", C, OUTSIDE),
        ("route", C, OUTSIDE),
        ("nat-gateway", C, OUTSIDE),
        ("middle-network-acl", C, OUTSIDE),
        ("middle-network-acl", NAT, OUTSIDE),
        ("middle-route", NAT, OUTSIDE),
        ("gateway", NAT, OUTSIDE),
    ]
    assert seen(path, "reply") == [
        ("reply-gateway", OUTSIDE, NAT_PUBLIC),
        ("reply-middle-network-acl", OUTSIDE, NAT),
        ("reply-middle-network-acl", OUTSIDE, C),
        ("reply-middle-route", OUTSIDE, C),
        ("reply-source-network-acl", OUTSIDE, C),
    ]
    assert (path.verdict, path.path, path.src_interface, path.dst_interface) == ("ACCEPT", "nat", "eni-c", None)
    assert (path.route, path.reply_src_acl_rule) == ("rtb-Q 0.0.0.0/0", "acl-Q#100")
    ports = {hop.stage: hop.packet_in.source_port for hop in path.hops if hop.evaluated and hop.leg == "forward"}
    assert (ports["route"], ports["middle-route"]) == (50000, -1)
    translated = next(hop for hop in path.hops if hop.stage == "nat-gateway" and not hop.evaluated)
    assert "10.0.0.220:1024-65535" in str(translated.packet_out)
    assert translated.to_dict()["packet_out"]["source_port"] == "1024-65535"


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry(1, False, False, 6, from_port=443, to_port=443)],
         ("REJECT", "SUBNET_ACL_RESTRICTION", "middle-network-acl")),
        ([entry(1, True, False, 6, from_port=443, to_port=443)],
         ("REJECT", "SUBNET_ACL_RESTRICTION", "middle-network-acl")),
        # NG-06: the reply to the NAT gateway, to a port it chose
        ([entry(1, False, False, 6, from_port=1024, to_port=65535)],
         ("REJECT", "SUBNET_ACL_RESTRICTION", "reply-middle-network-acl")),
        # point 8: the reply on to the client
        ([entry(1, True, False, 6, from_port=50000, to_port=50000)],
         ("REJECT", "SUBNET_ACL_RESTRICTION", "reply-middle-network-acl")),
        # NA-16: only some of the ports
        ([entry(1, False, False, 6, from_port=2000, to_port=65535)],
         ("UNKNOWN", "REMAP_EPHEMERAL_PORT", "reply-middle-network-acl")),
        ([entry(1, False, True, 6, from_port=2000, to_port=65535)], ("ACCEPT", None, None)),
        ([entry(1, False, False, 6, from_port=1, to_port=442)], ("ACCEPT", None, None)),
    ],
)  # fmt: skip
def test_ng06_na16_the_list_of_the_nat_gateways_subnet(entries, expected):
    path = ask(flow(C, OUTSIDE), network_acls=acls(P=[*entries, entry(100, False), entry(100, True)]))
    assert answer(path) == expected


@pytest.mark.parametrize(
    ("changes", "expected", "goes_on"),
    [
        ({"state": "failed"}, ("REJECT", "BAD_STATE"), True),  # NG-12
        ({"vpc_id": "vpc-n"}, ("REJECT", "BAD_STATE_ATTACHMENT"), False),
        ({"addresses": ()}, ("UNKNOWN", "UNKNOWN_RESOURCE"), False),
    ],
)
def test_ng12_the_nat_gateway_itself(changes, expected, goes_on):
    gateway = replace(network().nat_gateways["nat-1"], **changes)
    path = ask(flow(C, OUTSIDE), nat_gateways={"nat-1": gateway})
    assert answer(path) == (*expected, "nat-gateway")
    assert (stages(path)[-1] == "reply-source-network-acl") is goes_on


def test_ng03_point_9_only_tcp_udp_and_icmp():
    assert answer(ask(flow(C, OUTSIDE, protocol=50))) == ("REJECT", "PROTOCOL_RESTRICTION", "nat-gateway")
    assert ask(flow(C, OUTSIDE, 53, 17)).verdict == "ACCEPT"
    assert ask(flow(C, OUTSIDE, protocol=1, icmp_type=8)).verdict == "ACCEPT"


def test_ng05_nothing_comes_in_through_a_nat_gateway():
    path = ask(flow(OUTSIDE, NAT_PUBLIC))
    assert answer(path) == ("REJECT", "NO_POSSIBLE_DESTINATION", "nat-gateway")
    assert path.dst_interface == "eni-nat"
    assert answer(ask(flow(R, NAT))) == ("REJECT", "NO_POSSIBLE_DESTINATION", "nat-gateway")


def test_ng07_client_and_nat_gateway_in_one_subnet():
    here = interfaces(c={"subnet_id": "P", "addresses": (address("10.0.0.5"),)})
    shut = acls(P=[entry(1, True)])  # nothing comes in across the subnet's edge, and nothing has to
    path = ask(
        flow("10.0.0.5", OUTSIDE),
        interfaces=here,
        network_acls=shut,
        **routes("P", ("203.0.113.0/24", "nat-gateway", "nat-1")),
    )
    # its table leads to the NAT gateway, and so does the NAT gateway's own
    assert answer(path) == ("REJECT", "MAX_HOPS_EXCEEDED", "middle-route")
    assert stages(path)[:6] == ["source", "source-security-group", "source-network-acl", "route", "nat-gateway",
                                "middle-network-acl"]  # fmt: skip
    assert path.blocked_by == bits("middle-route")


def test_ng11_the_nat_gateways_own_table_is_asked():
    path = ask(flow(C, OUTSIDE), route_tables=tables(P=[]))
    assert answer(path) == ("REJECT", "NO_ROUTE_TO_DESTINATION", "middle-route")
    assert path.route == "rtb-Q 0.0.0.0/0"


def test_ig07_a_private_nat_gateway_does_not_reach_the_internet():
    private = replace(
        network().nat_gateways["nat-1"],
        public=False,
        addresses=(NatGatewayAddress(address(NAT).address, None, "eni-nat"),),
    )
    path = ask(
        flow(C, OUTSIDE), nat_gateways={"nat-1": private}, interfaces=interfaces(nat={"addresses": (address(NAT),)})
    )
    assert answer(path) == ("REJECT", "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", "gateway")


def test_ng08_ng13_a_regional_nat_gateway():
    regional = replace(
        network().nat_gateways["nat-1"], subnet_id=None, regional=True, route_table_id="rtb-P",
        addresses=(NatGatewayAddress(None, address(NAT_PUBLIC).address, availability_zone="eu-west-1a"),),
    )  # fmt: skip
    path = ask(flow(C, OUTSIDE), nat_gateways={"nat-1": regional}, network_acls=acls(P=[]))
    assert path.verdict == "ACCEPT"
    assert stages(path, "forward")[4:] == ["nat-gateway", "middle-route", "gateway"]
    elsewhere = replace(regional, addresses=(replace(regional.addresses[0], availability_zone="eu-west-1c"),))
    path = ask(flow(C, OUTSIDE), nat_gateways={"nat-1": elsewhere})
    assert answer(path) == ("UNKNOWN", "REGIONAL_NGW_ROUTE_AZ_RESTRICTION", "nat-gateway")


def test_ng09_only_sources_of_its_vpc():
    far = {"route_tables": tables(N=[("0.0.0.0/0", "vpc-peering-connection", "pcx-1")])}
    path = ask(flow(PEER, OUTSIDE), **far)
    assert answer(path) == ("REJECT", "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR", "peering")  # PX-04


def test_ng10_the_reply_over_the_nat_gateways_own_peering_needs_no_route():
    ways = tables(
        P=[("10.9.0.0/16", "vpc-peering-connection", "pcx-1")], N=[], Q=[("0.0.0.0/0", "nat-gateway", "nat-1")]
    )
    path = ask(flow(C, PEER, 5432), route_tables=ways)
    assert (path.verdict, path.reply_route, path.reply_dst_acl_rule) == ("ACCEPT", None, "acl-N#100")
    assert stages(path, "reply") == [
        *("reply-destination-network-acl", "reply-route", "reply-middle-network-acl"),
        *("reply-middle-network-acl", "reply-middle-route", "reply-source-network-acl"),
    ]
    path = ask(flow(C, PEER, 5432), route_tables=ways, network_acls=acls(N=[entry(1, False)]))
    assert answer(path) == ("REJECT", "SUBNET_ACL_RESTRICTION", "reply-destination-network-acl")


def test_ng14_nat64():
    client = interfaces(c={"addresses": (address(C), address("2600:1f00:0:1::5"))})
    vpcs = {**network().vpcs, "vpc-a": Vpc("vpc-a", (N("10.0.0.0/16"),), (N("2600:1f00::/56"),))}
    both = {"interfaces": client, "vpcs": vpcs, "network_acls": acls(Q=[*OPEN6, entry(100, False), entry(100, True)],
            P=[*OPEN6, entry(100, False), entry(100, True)]),
            "security_groups": groups(c=[allow("sgr-out6", True, cidr_block=N("::/0"))])}  # fmt: skip
    way = routes("Q", ("64:ff9b::/96", "nat-gateway", "nat-1"), ("2001:db8::/32", "nat-gateway", "nat-1"))
    path = ask(flow("2600:1f00:0:1::5", "64:ff9b::203.0.113.5"), **both, **way)
    assert path.verdict == "ACCEPT"
    assert ("middle-route", NAT, OUTSIDE) in seen(path, "forward")
    assert seen(path, "reply")[-1] == ("reply-source-network-acl", "64:ff9b::cb00:7105", "2600:1f00:0:1::5")
    path = ask(flow("2600:1f00:0:1::5", "2001:db8::1"), **both, **way)
    assert answer(path) == ("REJECT", "NO_POSSIBLE_DESTINATION", "nat-gateway")


OPEN6 = [entry(101, False, cidr="::/0"), entry(101, True, cidr="::/0")]


def test_bp03_what_a_nat_gateway_sends_is_spared_by_block_ingress():
    for mode, reason in (("block-ingress", None), ("block-bidirectional", "VPC_BLOCK_PUBLIC_ACCESS_ENABLED")):
        options, keys = (BlockPublicAccessOptions(mode),), frozenset({"VpcBlockPublicAccessExclusions"})
        assert ask(flow(C, OUTSIDE), block_public_access=options, described_keys=keys).reason == reason


# -- peering -------------------------------------------------------------------------------------------------


def test_c07_peering_there_and_back():
    path = ask(flow(C, PEER, 5432))
    assert stages(path) == [
        *("source", "source-security-group", "source-network-acl", "route", "peering", "destination-network-acl"),
        *("destination-security-group", "destination", "reply-destination-network-acl", "reply-route"),
        *("reply-peering", "reply-source-network-acl"),
    ]
    assert (path.verdict, path.path, path.dst_interface) == ("ACCEPT", "peering", "eni-n")
    assert (path.dst_acl_rule, path.reply_route) == ("acl-N#100", "rtb-N 10.0.0.0/16")


@pytest.mark.parametrize(
    ("peering", "expected"),
    [
        (None, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        (VpcPeeringConnection("pcx-1", "pending-acceptance", "vpc-a", "vpc-n"), ("REJECT", "BAD_STATE")),  # PX-01
        (VpcPeeringConnection("pcx-1", "active", "vpc-s", "vpc-n"), ("REJECT", "BAD_STATE_ATTACHMENT")),
        (VpcPeeringConnection("pcx-1", "active", "vpc-a", "vpc-s"), ("REJECT", "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR")),
        (VpcPeeringConnection("pcx-1", "active", "vpc-n", "vpc-a"), ("ACCEPT", None)),
        (VpcPeeringConnection("pcx-1", "active", "vpc-a", "vpc-x", accepter_cidr_blocks=(N("10.9.0.0/16"),)),
         ("UNKNOWN", "UNKNOWN_RESOURCE")),
    ],
)  # fmt: skip
def test_px01_px03_the_peering_connection_itself(peering, expected):
    path = ask(flow(C, PEER, 5432), peering_connections={"pcx-1": peering} if peering else {})
    assert answer(path) == (*expected, "peering" if expected[1] else None)


def test_px02_the_peer_needs_a_route_back():
    path = ask(flow(C, PEER, 5432), route_tables=tables(N=[]))
    assert answer(path) == ("REJECT", "NO_ROUTE_TO_DESTINATION", "reply-route")
    assert (path.forward, path.reply) == ("ACCEPT", "REJECT")


def test_px02_overlapping_peers_the_reply_can_go_to_the_wrong_vpc():
    twin = replace(network().interfaces["eni-c"], interface_id="eni-twin", vpc_id="vpc-t", subnet_id="twin")
    changes: dict[str, Any] = {
        "interfaces": {**interfaces(), "eni-twin": twin},
        "vpcs": {**network().vpcs, "vpc-t": Vpc("vpc-t", (N("10.0.0.0/16"),))},
        "peering_connections": by_id(
            "peering_id",
            VpcPeeringConnection("pcx-1", "active", "vpc-a", "vpc-n"),
            VpcPeeringConnection("pcx-2", "active", "vpc-t", "vpc-n"),
        ),
        "route_tables": tables(N=[("10.0.0.0/16", "vpc-peering-connection", "pcx-2")]),
    }
    path = ask(flow(C, PEER, 5432, src_interface_id="eni-c"), **changes)
    assert answer(path) == ("REJECT", "ASYMMETRIC_RETURN", "reply-route")
    assert path.reply_route == "rtb-N 10.0.0.0/16"


@pytest.mark.parametrize(("region", "verdict"), [(None, "ACCEPT"), ("us-east-1", "REJECT")])
def test_sg22_group_references_reach_peers_of_the_same_region(region, verdict):
    referring = groups(n=[allow("sgr-ref", False, referenced_group_id="sg-c")])
    peering = VpcPeeringConnection("pcx-1", "active", "vpc-a", "vpc-n", accepter_region=region)
    path = ask(flow(C, PEER, 5432), security_groups=referring, peering_connections={"pcx-1": peering})
    assert path.verdict == verdict
    assert path.reason == (None if verdict == "ACCEPT" else "ENI_SG_RULES_MISMATCH")


# -- transit gateways ----------------------------------------------------------------------------------------


def test_c08_through_a_transit_gateway_and_back():
    path = ask(flow(C, SPOKE))
    assert stages(path, "forward") == [
        *("source", "source-security-group", "source-network-acl", "route", "transit-gateway", "middle-network-acl"),
        *("transit-gateway", "middle-network-acl", "middle-route", "destination-network-acl"),
        *("destination-security-group", "destination"),
    ]
    assert stages(path, "reply") == [
        *("reply-destination-network-acl", "reply-route", "reply-transit-gateway", "reply-middle-network-acl"),
        *("reply-transit-gateway", "reply-middle-network-acl", "reply-middle-route", "reply-source-network-acl"),
    ]
    assert (path.verdict, path.path, path.dst_interface) == ("ACCEPT", "transit-gateway", "eni-s")
    components = [hop.component for hop in path.hops if hop.stage.endswith("middle-network-acl")]
    assert components == ["acl-T", "acl-S-T", "acl-S-T", "acl-T"]


def test_na32_the_lists_of_the_attachments_subnets():
    deny_in, deny_out = [entry(1, False, False), entry(100, True)], [entry(1, True, False), entry(100, False)]
    expected = {
        ("T", "in"): "middle-network-acl", ("T", "out"): "reply-middle-network-acl",
        ("S_T", "in"): "reply-middle-network-acl", ("S_T", "out"): "middle-network-acl",
    }  # fmt: skip
    for (subnet, way), stage in expected.items():
        path = ask(flow(C, SPOKE), network_acls=acls(**{subnet: deny_in if way == "in" else deny_out}))
        assert answer(path) == ("REJECT", "SUBNET_ACL_RESTRICTION", stage)


def test_na30_instance_and_attachment_in_one_subnet():
    attachments = by_id("attachment_id", attachment("att-a", "vpc-a", "Q"), attachment("att-s", "vpc-s", "S"))
    path = ask(flow(C, SPOKE), transit_gateway_attachments=attachments)
    # towards the transit gateway both lists of Q, out of it neither list of S
    assert stages(path, "forward")[2:] == [
        *("source-network-acl", "route", "transit-gateway", "middle-network-acl", "transit-gateway"),
        *("destination-security-group", "destination"),
    ]
    assert (path.verdict, path.dst_acl_rule) == ("ACCEPT", None)
    path = ask(flow(C, SPOKE), transit_gateway_attachments=attachments, network_acls=acls(Q=[entry(1, True)]))
    assert answer(path) == ("REJECT", "SUBNET_ACL_RESTRICTION", "middle-network-acl")


def test_tg01_point_11_no_attachment_in_the_senders_zone():
    other = {**network().subnets, "T": Subnet("T", "vpc-a", N("10.0.4.0/28"), availability_zone="eu-west-1b")}
    path = ask(flow(C, SPOKE), subnets=other)
    assert answer(path) == ("REJECT", "TGW_ROUTE_AZ_RESTRICTION", "transit-gateway")
    assert path.reply is None


ATTACHMENTS = network().transit_gateway_attachments


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"transit_gateways": {}, "transit_gateway_attachments": {}}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"transit_gateway_attachments": {}}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"transit_gateway_attachments": {"att-s": ATTACHMENTS["att-s"]}}, ("UNKNOWN", "UNKNOWN_RESOURCE")),  # RT-13
        ({"transit_gateways": {"tgw-1": TransitGateway("tgw-1", "deleting")}}, ("REJECT", "BAD_STATE")),
        ({"transit_gateway_attachments": {**ATTACHMENTS, "att-a": attachment("att-a", "vpc-a", "T", state="failed")}},
         ("REJECT", "BAD_STATE_ATTACHMENT")),
        ({"transit_gateway_attachments": {**ATTACHMENTS, "att-s": attachment("att-s", "vpc-s", "S-T", state="failed")}},
         ("REJECT", "BAD_STATE_ATTACHMENT")),
        ({"transit_gateway_attachments": {**ATTACHMENTS, "att-a": attachment("att-a", "vpc-a", subnet_ids=None)}},
         ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"transit_gateway_attachments": {**ATTACHMENTS, "att-s": attachment("att-s", "vpc-s", subnet_ids=None)}},
         ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"transit_gateway_route_tables": {}}, ("UNKNOWN", "TGW_RTB_ROUTES_ARE_UNKNOWN")),
        ({"transit_gateway_route_tables": transit_table(attachment_ids=None)},
         ("UNKNOWN", "TGW_RTB_ROUTES_ARE_UNKNOWN")),
        ({"transit_gateway_route_tables": transit_table(routes=None)}, ("UNKNOWN", "TGW_RTB_ROUTES_ARE_UNKNOWN")),
        ({"transit_gateway_route_tables": transit_table(attachment_ids=("att-s",))},
         ("REJECT", "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION")),  # TG-02
        ({"transit_gateway_route_tables": transit_table()}, ("REJECT", "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT")),
        ({"transit_gateway_route_tables": transit_table(complete=False)}, ("UNKNOWN", "TGW_RTB_ROUTES_ARE_UNKNOWN")),
        ({"transit_gateway_route_tables": transit_table(*TRANSIT_ROUTES, to("10.8.0.0/24", blackhole=True))},
         ("REJECT", "TGW_RTB_BAD_STATE_ROUTE")),  # TG-04
        ({"transit_gateway_route_tables": transit_table(*TRANSIT_ROUTES, to("10.8.0.0/24", "att-x"))},
         ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"transit_gateway_route_tables": transit_table(*TRANSIT_ROUTES, TransitGatewayRoute("pl-x", ("att-a",)))},
         ("UNKNOWN", "MISSING_PREFIX_LIST")),
        ({"transit_gateway_route_tables": transit_table(*TRANSIT_ROUTES, to("10.8.0.0/16", blackhole=True))},
         ("REJECT", "TGW_RTB_BAD_STATE_ROUTE")),  # TG-03: static before propagated
    ],
)  # fmt: skip
def test_tg02_tg11_the_transit_gateway_itself(changes, expected):
    path = ask(flow(C, SPOKE), **changes)
    assert answer(path) == (*expected, "transit-gateway")
    assert (path.reply, path.path) == (None, "transit-gateway")


@pytest.mark.parametrize(
    ("order", "passes"),
    [
        ([to("10.8.0.0/16", "att-s"), TransitGatewayRoute("pl-s", blackhole=True)], True),
        ([TransitGatewayRoute("pl-s", ("att-s",)), to("10.8.0.0/16", blackhole=True, propagated=True)], True),
        ([to("10.8.0.0/16", blackhole=True, propagated=True, kind="vpn"),
          to("10.8.0.0/16", "att-s", propagated=True)], True),
        ([to("10.8.0.0/16", "att-s", propagated=True, kind="connect"),
          to("10.8.0.0/16", blackhole=True, propagated=True, kind="direct-connect-gateway")], False),
        ([to("10.8.0.0/16", "att-s", propagated=True, kind="vpn"),
          to("10.8.0.0/16", blackhole=True, propagated=True, kind="peering")], True),
        ([to("10.8.0.0/16", "att-s"), to("10.8.0.0/24", blackhole=True, propagated=True)], False),
    ],
)  # fmt: skip
def test_tg03_the_order_among_equal_prefixes(order, passes):
    listed = by_id("prefix_list_id", PrefixList("pl-s", (N("10.8.0.0/16"),)), PrefixList("pl-s3", (N(S3),)))
    table = transit_table(TRANSIT_ROUTES[0], *order)
    path = ask(flow(C, SPOKE), transit_gateway_route_tables=table, prefix_lists=listed)
    assert (path.verdict == "ACCEPT") is passes


def test_tg06_leaving_in_several_zones_must_not_matter():
    subnets = {
        **network().subnets,
        "S-T": Subnet("S-T", "vpc-s", N("10.8.1.0/28"), availability_zone="eu-west-1b"),
        "S-U": Subnet("S-U", "vpc-s", N("10.8.2.0/28"), availability_zone="eu-west-1c"),
    }
    attachments = {**ATTACHMENTS, "att-s": attachment("att-s", "vpc-s", "S-T", "S-U")}
    shared = {**acls(), "acl-S-T": replace(acls()["acl-S-T"], subnet_ids=("S-T", "S-U"))}
    ways = tables()
    ways["rtb-S-T"] = replace(ways["rtb-S-T"], subnet_ids=("S-T", "S-U"))
    same = {
        "subnets": subnets,
        "transit_gateway_attachments": attachments,
        "network_acls": shared,
        "route_tables": ways,
    }
    path = ask(flow(C, SPOKE), **same)
    assert path.forward == "ACCEPT"
    shared = {**shared, "acl-S-U": replace(acls(S_T=[])["acl-S-T"], network_acl_id="acl-S-U", subnet_ids=("S-U",))}
    path = ask(flow(C, SPOKE), **{**same, "network_acls": shared})
    assert answer(path) == ("UNKNOWN", "TGW_ATTACH_VPC_AZ_RESTRICTION", "transit-gateway")
    # a subnet in the sender's zone is the one, unless appliance mode spreads flows (TG-07)
    near = {**subnets, "S-T": replace(subnets["S-T"], availability_zone="eu-west-1a")}
    assert ask(flow(C, SPOKE), **{**same, "network_acls": shared, "subnets": near}).verdict == "ACCEPT"
    attachments = {**ATTACHMENTS, "att-s": attachment("att-s", "vpc-s", "S-T", "S-U", appliance_mode=True)}
    spread = {**same, "network_acls": shared, "subnets": near, "transit_gateway_attachments": attachments}
    assert ask(flow(C, SPOKE), **spread).reason == "TGW_ATTACH_VPC_AZ_RESTRICTION"


def test_tg13_the_responders_subnet_must_lead_back():
    path = ask(flow(C, SPOKE), route_tables=tables(S=[]))
    assert answer(path) == ("REJECT", "NO_ROUTE_TO_DESTINATION", "reply-route")
    path = ask(flow(C, SPOKE), transit_gateway_route_tables=transit_table(TRANSIT_ROUTES[1]))
    assert answer(path) == ("REJECT", "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT", "reply-transit-gateway")


@pytest.mark.parametrize(
    ("gateway", "attached", "reason"),
    [
        (True, True, None),
        (False, True, "SG_REFERENCING_SUPPORT"),
        (True, False, "SG_REFERENCING_SUPPORT"),
    ],
)
def test_sg22_sg23_group_references_over_a_transit_gateway(gateway, attached, reason):
    changes: dict[str, Any] = {
        "transit_gateways": {"tgw-1": TransitGateway("tgw-1", "available", gateway)},
        "transit_gateway_attachments": {
            **ATTACHMENTS,
            "att-s": attachment("att-s", "vpc-s", "S-T", security_group_referencing=attached),
        },
    }
    referring = groups(s=[allow("sgr-ref", False, referenced_group_id="sg-c")])
    path = ask(flow(C, SPOKE), security_groups=referring, **changes)
    assert path.reason == reason
    assert path.stage == ("destination-security-group" if reason else None)
    # outbound rules never see groups behind a transit gateway
    path = ask(
        flow(C, SPOKE), security_groups=groups(c=[allow("sgr-ref", True, referenced_group_id="sg-s")]), **changes
    )
    assert (path.verdict, path.stage) == ("REJECT", "source-security-group")


def test_transit_gateway_peering_and_circles():
    peering = TransitGatewayAttachment("att-p", "tgw-1", "peering", state="available", peer_transit_gateway_id="tgw-2")
    far = attachment("att-s", "vpc-s", "S-T")
    changes: dict[str, Any] = {
        "transit_gateways": {name: TransitGateway(name, "available", True) for name in ("tgw-1", "tgw-2")},
        "transit_gateway_attachments": {
            **ATTACHMENTS, "att-p": peering, "att-s": replace(far, transit_gateway_id="tgw-2"),
        },
        "route_tables": tables(S=[("10.0.0.0/16", "transit-gateway", "tgw-2")]),
    }  # fmt: skip
    one = transit_table(to("10.8.0.0/16", "att-p"), to("10.0.0.0/16", "att-a"), attachment_ids=("att-a", "att-p"))[
        "tgw-rtb"
    ]
    two = replace(
        one, route_table_id="tgw-rtb-2", transit_gateway_id="tgw-2", attachment_ids=("att-s", "att-p"),
        routes=(to("10.8.0.0/16", "att-s"), to("10.0.0.0/16", "att-p")),
    )  # fmt: skip
    both = {"tgw-rtb": one, "tgw-rtb-2": two}
    assert ask(flow(C, SPOKE), transit_gateway_route_tables=both, **changes).verdict == "ACCEPT"
    circle = {**both, "tgw-rtb-2": replace(two, routes=(to("10.8.0.0/16", "att-p"),))}
    path = ask(flow(C, SPOKE), transit_gateway_route_tables=circle, **changes)
    assert answer(path) == ("REJECT", "MAX_HOPS_EXCEEDED", "transit-gateway")
    referring = groups(s=[allow("sgr-ref", False, referenced_group_id="sg-c")])  # SG-23: not across TGW peering
    path = ask(flow(C, SPOKE), transit_gateway_route_tables=both, security_groups=referring, **changes)
    assert path.reason == "ENI_SG_RULES_MISMATCH"


def test_c15_central_egress():
    spoke_table = [("0.0.0.0/0", "transit-gateway", "tgw-1")]
    ways = tables(
        S=spoke_table,
        T=[("0.0.0.0/0", "nat-gateway", "nat-1"), ("10.8.0.0/16", "transit-gateway", "tgw-1")],
        P=[("0.0.0.0/0", "internet-gateway", "igw-1"), ("10.8.0.0/16", "transit-gateway", "tgw-1")],
    )
    table = transit_table(*TRANSIT_ROUTES, to("0.0.0.0/0", "att-a"))
    path = ask(flow(SPOKE, OUTSIDE), route_tables=ways, transit_gateway_route_tables=table)
    assert (path.verdict, path.path) == ("ACCEPT", "transit-gateway")
    assert [stage for stage in stages(path, "reply") if "acl" not in stage] == [
        *(
            "reply-gateway",
            "reply-middle-route",
            "reply-transit-gateway",
            "reply-transit-gateway",
            "reply-middle-route",
        ),
    ]
    # the NAT gateway's subnet does not know the spoke: the reply goes to the internet gateway
    ways = {**ways, "rtb-P": tables()["rtb-P"]}
    path = ask(flow(SPOKE, OUTSIDE), route_tables=ways, transit_gateway_route_tables=table)
    assert answer(path) == ("REJECT", "ASYMMETRIC_RETURN", "reply-middle-route")


# -- VPN and what lies outside -------------------------------------------------------------------------------


def test_c09_on_premises_by_a_virtual_private_gateway():
    path = ask(flow(C, OFFICE))
    assert stages(path)[3:] == ["route", "gateway", "reply-gateway", "reply-source-network-acl"]
    assert (path.verdict, path.path) == ("ACCEPT", "vpn")


NO_DIRECT_CONNECT = {"described_keys": frozenset({"virtualInterfaces"})}
"""The answer was given, and empty."""


def vpn(state: str, *destinations: str, static: bool = False) -> dict[str, Any]:
    connection = VpnConnection("vpn-1", state, "vgw-1", None, static, tuple(map(N, destinations)))
    return {"vpn_connections": {"vpn-1": connection}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"vpn_gateways": {}}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"vpn_gateways": {"vgw-1": Gateway("vgw-1", ())}}, ("REJECT", "BAD_STATE_ATTACHMENT")),
        (vpn("available"), ("ACCEPT", None)),
        (vpn("deleted"), ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({**vpn("deleted"), **NO_DIRECT_CONNECT}, ("REJECT", "BAD_STATE_VPN")),
        ({**vpn("modifying"), **NO_DIRECT_CONNECT}, ("ACCEPT", None)),
        (vpn("available", "192.168.0.0/16", static=True), ("ACCEPT", None)),
        (vpn("available", "192.168.9.0/24", static=True), ("UNKNOWN", "UNKNOWN_RESOURCE")),
        (
            {**vpn("available", "192.168.9.0/24", static=True), **NO_DIRECT_CONNECT},
            ("REJECT", "NO_ROUTE_TO_DESTINATION"),  # VG-01
        ),
        ({**vpn("deleted"), "other": {"virtualInterfaces": ({},)}}, ("ACCEPT", None)),
    ],
)
def test_vg01_the_virtual_private_gateway_itself(changes, expected):
    assert answer(ask(flow(C, OFFICE), **changes)) == (*expected, "gateway" if expected[1] else None)


def test_vg02_only_addresses_of_the_vpcs_interfaces():
    ways = tables(
        S=[("192.168.0.0/16", "transit-gateway", "tgw-1")], T=[("192.168.0.0/16", "virtual-private-gateway", "vgw-1")]
    )
    table = transit_table(*TRANSIT_ROUTES, to("192.168.0.0/16", "att-a"))
    path = ask(flow(SPOKE, OFFICE), route_tables=ways, transit_gateway_route_tables=table)
    assert answer(path) == ("REJECT", "VGW_PRIVATE_IP_ASSOCIATION_FOR_EGRESS", "gateway")


def test_from_on_premises_the_packet_comes_the_way_its_reply_would_leave():
    path = ask(flow(OFFICE, C))
    assert stages(path) == [
        *("gateway", "destination-network-acl", "destination-security-group", "destination"),
        *("reply-destination-network-acl", "reply-route", "reply-gateway"),
    ]
    assert (path.verdict, path.path, path.src_interface, path.dst_interface) == ("ACCEPT", "vpn", None, "eni-c")
    # subnet R knows no way back
    assert answer(ask(flow(OFFICE, R))) == ("UNKNOWN", "UNKNOWN_RESOURCE", "source")


EDGE = TransitGatewayAttachment("att-v", "tgw-1", "vpn", "vpn-1", "available")
BY_TRANSIT: dict[str, Any] = {
    "transit_gateway_attachments": {**ATTACHMENTS, "att-v": EDGE},
    "transit_gateway_route_tables": transit_table(
        *TRANSIT_ROUTES, to("192.168.0.0/16", "att-v"), attachment_ids=("att-a", "att-s", "att-v")
    ),
    "route_tables": tables(S=[("192.168.0.0/16", "transit-gateway", "tgw-1")]),
}


def test_a_vpn_on_a_transit_gateway_both_ways():
    out, into = ask(flow(SPOKE, OFFICE), **BY_TRANSIT), ask(flow(OFFICE, SPOKE), **BY_TRANSIT)
    assert (out.verdict, out.path, into.verdict, into.path) == (
        "ACCEPT",
        "transit-gateway",
        "ACCEPT",
        "transit-gateway",
    )
    assert stages(into, "forward") == [
        *("transit-gateway", "middle-network-acl", "middle-route", "destination-network-acl"),
        *("destination-security-group", "destination"),
    ]
    down = {**BY_TRANSIT, "vpn_connections": {"vpn-1": VpnConnection("vpn-1", "deleted", None, "tgw-1")}}
    assert answer(ask(flow(SPOKE, OFFICE), **down)) == ("REJECT", "TGW_BAD_STATE_VPN", "transit-gateway")
    assert answer(ask(flow(OFFICE, SPOKE), **down)) == ("UNKNOWN", "UNKNOWN_RESOURCE", "source")


# -- endpoints -----------------------------------------------------------------------------------------------


def test_c11_ep01_a_gateway_endpoint():
    path = ask(flow(C, S3))
    assert stages(path)[3:] == ["route", "gateway", "reply-source-network-acl"]
    assert (path.verdict, path.path, path.route) == ("ACCEPT", "gateway-endpoint", "rtb-Q pl-s3")
    assert answer(ask(flow(C, S3, 443, 17))) == ("REJECT", "VPCE_GATEWAY_PROTOCOL_RESTRICTION", "gateway")  # EP-02
    assert ask(flow(C, S3, protocol=1, icmp_type=8)).verdict == "ACCEPT"
    assert answer(ask(flow(C, S3, protocol=1))) == ("UNKNOWN", "ICMP_TYPE_UNKNOWN", "gateway")
    pending = {"vpce-s3": VpcEndpoint("vpce-s3", "Gateway", "vpc-a", "pending")}
    assert answer(ask(flow(C, S3), vpc_endpoints=pending)) == ("REJECT", "BAD_STATE", "gateway")  # EP-04
    assert answer(ask(flow(C, S3), vpc_endpoints={})) == ("UNKNOWN", "UNKNOWN_RESOURCE", "gateway")


def test_ep01_not_from_beyond_the_vpc():
    ways = tables(S=[("0.0.0.0/0", "transit-gateway", "tgw-1")], T=[("pl-s3", "gateway-endpoint", "vpce-s3")])
    table = transit_table(*TRANSIT_ROUTES, to("0.0.0.0/0", "att-a"))
    path = ask(flow(SPOKE, S3), route_tables=ways, transit_gateway_route_tables=table)
    assert answer(path) == ("REJECT", "VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION", "gateway")


def test_c10_ep04_an_interface_endpoint():
    endpoint = interfaces(r={"interface_type": "vpc_endpoint"})
    assert ask(flow(C, R), interfaces=endpoint).verdict == "ACCEPT"
    pending = {"vpce-i": VpcEndpoint("vpce-i", "Interface", "vpc-a", "pending", interface_ids=("eni-r",))}
    path = ask(flow(C, R), interfaces=endpoint, vpc_endpoints=pending)
    assert answer(path) == ("REJECT", "BAD_STATE", "destination")


# -- middleboxes ---------------------------------------------------------------------------------------------

THROUGH = ("10.0.2.0/24", "network-interface", "eni-fw")
BACK = ("10.0.1.0/24", "network-interface", "eni-fw")
INSPECTED = tables(Q=[THROUGH], R=[BACK])


def test_c03_through_a_firewall_both_ways():
    path = ask(flow(C, R), route_tables=INSPECTED)
    assert stages(path, "forward") == [
        *("source", "source-security-group", "source-network-acl", "route", "middle-network-acl"),
        *("middle-security-group", "middle-interface", "middle-security-group", "middle-network-acl", "middle-route"),
        *("destination-network-acl", "destination-security-group", "destination"),
    ]
    assert stages(path, "reply") == [
        *("reply-destination-network-acl", "reply-route", "reply-middle-network-acl", "reply-middle-interface"),
        *("reply-middle-network-acl", "reply-middle-route", "reply-source-network-acl"),
    ]
    assert (path.verdict, path.path) == ("ACCEPT", "appliance")


def test_c03_rt21_the_reply_past_the_firewall_is_not_decided():
    path = ask(flow(C, R), route_tables=tables(Q=[THROUGH]))
    assert answer(path) == ("UNKNOWN", "ASYMMETRIC_RETURN", "reply-middle-interface")
    assert (path.forward, path.blocked_by) == ("ACCEPT", 0)


def test_sg24_point_5_group_references_do_not_see_through_a_firewall():
    referring = groups(r=[allow("sgr-ref", False, referenced_group_id="sg-c")])
    assert ask(flow(C, R), security_groups=referring).verdict == "ACCEPT"
    path = ask(flow(C, R), security_groups=referring, route_tables=INSPECTED)
    assert answer(path) == ("REJECT", "SG_REFERENCES_NOT_PRESERVED", "destination-security-group")
    # the firewall's own group sees the client
    path = ask(flow(C, R), security_groups=groups(fw=[allow("sgr-ref", False, referenced_group_id="sg-c"),
               allow("sgr-out", True)]), route_tables=INSPECTED)  # fmt: skip
    assert path.verdict == "ACCEPT"
    path = ask(flow(C, R), security_groups=groups(c=[allow("sgr-ref", True, referenced_group_id="sg-r")]),
               route_tables=INSPECTED)  # fmt: skip
    assert answer(path) == ("REJECT", "SG_REFERENCES_NOT_PRESERVED", "source-security-group")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source_dest_check": True}, ("REJECT", "ENI_SOURCE_DEST_CHECK_RESTRICTION", "middle-interface")),  # RT-17
        ({"status": "available"}, ("REJECT", "BAD_STATE", "middle-interface")),
        ({"vpc_id": "vpc-n"}, ("REJECT", "BAD_STATE_ATTACHMENT", "middle-interface")),
        ({"group_ids": ("sg-none",)}, ("UNKNOWN", "UNKNOWN_RESOURCE", "middle-security-group")),
    ],
)
def test_rt17_the_appliance_itself(changes, expected):
    assert answer(ask(flow(C, R), interfaces=interfaces(fw=changes), route_tables=INSPECTED)) == expected


def test_rt17_an_appliance_that_is_not_described():
    path = ask(flow(C, R), route_tables=tables(Q=[("10.0.2.0/24", "network-interface", "eni-none")]))
    assert answer(path) == ("UNKNOWN", "UNKNOWN_RESOURCE", "middle-interface")


def test_routes_that_go_round_in_a_circle():
    path = ask(flow(C, R), route_tables=tables(Q=[THROUGH], F=[THROUGH]))
    assert answer(path) == ("REJECT", "MAX_HOPS_EXCEEDED", "middle-route")


def test_a_nat_instance_hides_the_client():
    ways = tables(Q=[("0.0.0.0/0", "network-interface", "eni-fw")], F=[("0.0.0.0/0", "internet-gateway", "igw-1")])
    public = interfaces(fw={"addresses": (address(FW, "52.0.0.9"),)})
    changes = {"route_tables": ways, "interfaces": public, "nat_instances": frozenset({"eni-fw"})}
    path = ask(flow(C, OUTSIDE), **changes)
    assert (path.verdict, path.path) == ("ACCEPT", "appliance")
    assert ("gateway", FW, OUTSIDE) in seen(path, "forward")
    assert seen(path, "reply")[-1] == ("reply-source-network-acl", OUTSIDE, C)
    # not declared one, it may translate or not
    path = ask(flow(C, OUTSIDE), **{**changes, "nat_instances": frozenset()})
    assert answer(path) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "gateway")


ENDPOINT = VpcEndpoint("vpce-g", "GatewayLoadBalancer", "vpc-a", "available", subnet_ids=("F",))
BEHIND: dict[str, Any] = {
    "interfaces": interfaces(r={"addresses": (address(R, "52.0.0.20"),)}),
    "vpc_endpoints": {"vpce-g": ENDPOINT},
    "route_tables": {
        **tables(
            R=[("0.0.0.0/0", "gateway-load-balancer-endpoint", "vpce-g")],
            F=[("0.0.0.0/0", "internet-gateway", "igw-1")],
        ),
        "rtb-edge": replace(
            tables(T=[("10.0.2.0/24", "gateway-load-balancer-endpoint", "vpce-g")])["rtb-T"],
            route_table_id="rtb-edge", subnet_ids=(), gateway_ids=("igw-1",),
        ),
    },
}  # fmt: skip


def test_c18_in_through_a_gateway_load_balancer_endpoint():
    path = ask(flow(OUTSIDE, "52.0.0.20"), **BEHIND)
    assert answer(path) == ("ACCEPT", "PATH_THROUGH_GWLB_NOT_CHECKED", None)  # GW-04
    assert stages(path) == [
        *("gateway", "middle-interface", "middle-network-acl", "middle-network-acl", "middle-route"),
        *("destination-network-acl", "destination-security-group", "destination"),
        *("reply-destination-network-acl", "reply-route", "reply-middle-interface", "reply-middle-network-acl"),
        *("reply-middle-network-acl", "reply-middle-route", "reply-gateway"),
    ]
    out = ask(flow(R, OUTSIDE), **BEHIND)
    assert answer(out) == ("ACCEPT", "PATH_THROUGH_GWLB_NOT_CHECKED", None)


def test_rt21_what_comes_in_through_the_endpoint_must_go_back_through_it():
    direct = {**BEHIND["route_tables"], "rtb-R": tables(R=[("0.0.0.0/0", "internet-gateway", "igw-1")])["rtb-R"]}
    path = ask(flow(OUTSIDE, "52.0.0.20"), **{**BEHIND, "route_tables": direct})
    assert answer(path) == ("REJECT", "INGRESS_RTB_TRAFFIC_REDIRECTION", "reply-gateway")
    path = ask(flow(R, OUTSIDE), **{**BEHIND, "route_tables": direct})
    assert answer(path) == ("REJECT", "INGRESS_RTB_TRAFFIC_REDIRECTION", "gateway")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "pending"}, ("REJECT", "BAD_STATE")),
        ({"network_firewall": True}, ("UNKNOWN", "FIREWALL_RULES_RESTRICTION")),
        ({"subnet_ids": ()}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
    ],
)
def test_gw04_the_endpoint_itself(changes, expected):
    endpoints = {"vpce-g": replace(ENDPOINT, **changes)}
    path = ask(flow(OUTSIDE, "52.0.0.20"), **{**BEHIND, "vpc_endpoints": endpoints})
    assert answer(path) == (*expected, "middle-interface")


def test_gw02_the_list_is_asked_also_inside_one_subnet():
    inside = {"vpce-g": replace(ENDPOINT, subnet_ids=("R",))}
    path = ask(flow(R, OUTSIDE), **{**BEHIND, "vpc_endpoints": inside, "network_acls": acls(R=[entry(1, True)])})
    assert "middle-network-acl" in [hop.stage for hop in path.hops if hop.outcome == "deny"]
    assert path.blocked_by & bits("middle-network-acl")


# -- ends ----------------------------------------------------------------------------------------------------


def test_two_instances_of_two_vpcs_by_their_public_addresses():
    public = interfaces(
        c={"subnet_id": "P", "addresses": (address("10.0.0.5", "52.0.0.5"),)},
        n={"addresses": (address(PEER, "52.9.0.20"),)},
    )
    gateways = by_id("gateway_id", Gateway("igw-1", ("vpc-a",)), Gateway("igw-n", ("vpc-n",)))
    ways = tables(N=[("0.0.0.0/0", "internet-gateway", "igw-n")])
    path = ask(flow("10.0.0.5", "52.9.0.20"), interfaces=public, internet_gateways=gateways, route_tables=ways)
    assert (path.verdict, path.path, path.dst_interface) == ("ACCEPT", "internet", "eni-n")


def test_a_destination_of_another_vpc_that_nobody_holds():
    assert answer(ask(flow(C, "10.8.0.99"))) == ("UNKNOWN", "UNKNOWN_DESTINATION", "destination")
    assert answer(ask(flow(C, "10.8.0.2"))) == ("REJECT", "NO_SOURCE_OR_DESTINATION", "destination")  # EN-04
