"""`explain` through gateways: OUT, IN, HAIRPIN and VPC Block Public Access, each test naming its statement."""

from __future__ import annotations

import pytest
from walk_networks import (
    A2,
    A6,
    A_PUBLIC,
    B_PUBLIC,
    IGW,
    X6,
    A,
    B,
    X,
    answer,
    ask,
    by_id,
    flow,
    interface,
    network,
    route,
    stages,
    table,
    with_interfaces,
    with_routes,
)

from flowcore.model import BlockPublicAccessExclusion, BlockPublicAccessOptions, Gateway, VpcPeeringConnection

ELSEWHERE = interface("eni-c", "subnet-z", "2600:aa::1", vpc_id="vpc-2")

# -- OUT -----------------------------------------------------------------------------------------------------


def test_ig01_out_through_the_internet_gateway():
    path = ask(flow(A, X))
    assert stages(path) == [
        *("source", "source-security-group", "source-network-acl", "route", "gateway"),
        *("reply-gateway", "reply-source-network-acl"),
    ]
    assert (path.verdict, path.path, path.dst_interface, path.route) == ("ACCEPT", "internet", None, "rtb-1 0.0.0.0/0")
    gateway = next(hop for hop in path.hops if hop.stage == "gateway")
    assert (str(gateway.packet_in.source), str(gateway.packet_out.source)) == (A, A_PUBLIC)  # IG-03
    back = next(hop for hop in path.hops if hop.stage == "reply-gateway")
    assert (str(back.packet_in.destination), str(back.packet_out.destination)) == (A_PUBLIC, A)


@pytest.mark.parametrize(
    ("source", "destination", "changes", "expected"),
    [
        (A2, X, {}, ("REJECT", "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS")),  # IG-06
        (A, "192.168.1.1", {}, ("REJECT", "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS")),
        (A, "100.64.1.1", {}, ("REJECT", "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS")),
        (A, "169.254.1.1", {}, ("REJECT", "NO_POSSIBLE_DESTINATION")),
        (A6, "fd12::1", {}, ("UNKNOWN", "UNKNOWN_DESTINATION")),
        (A6, X6, {}, ("ACCEPT", None)),  # IG-08
        (A6, X6, with_interfaces(a={"deny_all_igw_traffic": True}), ("REJECT", "DENY_ALL_IGW_TRAFFIC")),  # IG-10
        (A, X, with_interfaces(a={"deny_all_igw_traffic": True}), ("ACCEPT", None)),
        (A, X, {"internet_gateways": {}}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        (A, X, {"internet_gateways": {"igw-1": Gateway("igw-1", ("vpc-9",))}}, ("REJECT", "BAD_STATE_ATTACHMENT")),
    ],
)  # fmt: skip
def test_gateway_out(source, destination, changes, expected):
    path = ask(flow(source, destination), **changes)
    assert answer(path) == (*expected, "gateway" if expected[1] else None)
    assert path.path == "internet"
    assert "reply-source-network-acl" in stages(path)  # evaluated whatever the gateway said


def test_ig08_an_ipv6_address_of_another_vpc_is_entered_by_its_own_gateway():
    path = ask(flow(A6, "2600:aa::1"), **with_interfaces(ELSEWHERE))
    assert (*answer(path), path.dst_interface) == ("REJECT", "NO_PATH", "gateway", None)
    assert stages(path)[-2:] == ["gateway", "gateway"]


@pytest.mark.parametrize(
    ("kind", "target", "way"),
    [
        *(("local", "local", "vpc"), ("unknown", "?", "unknown"), ("carrier-gateway", "cagw-1", "carrier-gateway")),
        *(("local-gateway", "lgw-1", "local-gateway"), ("core-network", "core-1", "core-network")),
    ],
)
def test_targets_not_modelled_are_named(kind, target, way):
    path = ask(flow(A, X), **with_routes(("0.0.0.0/0", kind, target)))
    assert answer(path) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "route")
    assert (path.path, path.route, path.reply) == (way, "rtb-1 0.0.0.0/0", None)
    assert stages(path)[-1] == "route"


def test_rt18_rt13_no_route_and_black_hole():
    path = ask(flow(A, X), **with_routes())
    assert answer(path) == ("REJECT", "NO_ROUTE_TO_DESTINATION", "route")
    assert (path.path, path.route, stages(path)[-1]) == (None, None, "route")
    path = ask(flow(A, X), **with_routes(route(*IGW, blackhole=True)))
    assert answer(path) == ("REJECT", "BAD_STATE_ROUTE", "route")
    assert (path.path, path.route, stages(path)[-1]) == ("internet", "rtb-1 0.0.0.0/0", "route")


def test_ig09_egress_only_gateway():
    gateways = {"egress_only_internet_gateways": {"eigw-1": Gateway("eigw-1", ("vpc-1",))}}
    routes = with_routes(("::/0", "egress-only-internet-gateway", "eigw-1"))
    path = ask(flow(A6, X6), **routes, **gateways, **with_interfaces(a={"deny_all_igw_traffic": True}))
    assert (path.verdict, path.path) == ("ACCEPT", "internet")
    assert answer(ask(flow(A6, X6), **routes)) == ("UNKNOWN", "UNKNOWN_RESOURCE", "gateway")
    # it never lets new conversations in: the way back does not lead through an internet gateway
    assert answer(ask(flow(X6, A6), **routes, **gateways)) == ("REJECT", "ASYMMETRIC_RETURN", "reply-route")


# -- IN ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "target", "expected"),
    [
        ("nat-gateway", "nat-1", ("REJECT", "ASYMMETRIC_RETURN")),  # IG-02, C-03
        ("virtual-private-gateway", "vgw-1", ("REJECT", "ASYMMETRIC_RETURN")),
        ("gateway-endpoint", "vpce-1", ("REJECT", "ASYMMETRIC_RETURN")),
        ("carrier-gateway", "cagw-1", ("REJECT", "ASYMMETRIC_RETURN")),
        ("unknown", "?", ("UNKNOWN", "UNSUPPORTED_COMPONENT")),
        ("internet-gateway", "igw-none", ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ("internet-gateway", "igw-other", ("REJECT", "BAD_STATE_ATTACHMENT")),
        ("internet-gateway", "igw-1", ("ACCEPT", None)),
    ],
)
def test_ig02_the_reply_must_leave_by_the_internet_gateway(kind, target, expected):
    gateways = by_id("gateway_id", Gateway("igw-1", ("vpc-1",)), Gateway("igw-other", ("vpc-9",)))
    path = ask(flow(X, A_PUBLIC), **with_routes(("0.0.0.0/0", kind, target)), internet_gateways=gateways)
    assert answer(path) == (*expected, "reply-route" if expected[1] else None)
    assert (path.forward, path.reply_route) == ("ACCEPT", "rtb-1 0.0.0.0/0")
    assert stages(path)[-1] == "reply-gateway"


def test_way_in_without_gateway():
    none = {"internet_gateways": {}}
    peered = {"peering_connections": {"pcx-1": VpcPeeringConnection("pcx-1", "active", "vpc-1", "vpc-2")}}
    vpn = {"vpn_gateways": by_id("gateway_id", Gateway("vgw-1", ("vpc-1",)))}
    nowhere = with_routes()
    assert answer(ask(flow(X, A_PUBLIC), **none, **nowhere)) == ("REJECT", "NO_PATH", "gateway")
    # the route names igw-1, which is not described
    assert answer(ask(flow(X, A_PUBLIC), **none)) == ("UNKNOWN", "UNKNOWN_RESOURCE", "gateway")
    assert ask(flow(X, A_PUBLIC), **none, **nowhere, described_keys=frozenset()).reason == "UNKNOWN_RESOURCE"
    assert ask(flow(X, A), **none, **nowhere, **vpn).reason == "UNSUPPORTED_COMPONENT"
    assert answer(ask(flow(X, A_PUBLIC), **none, **nowhere, **vpn)) == ("REJECT", "NO_PATH", "gateway")
    assert answer(ask(flow(X, A2), **vpn)) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "gateway")
    # px03: nothing from outside the peer's CIDRs comes by peering
    assert ask(flow(X, A), **none, **nowhere, **peered).reason == "NO_PATH"
    assert ask(flow(X, A2), **peered).reason == "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS"


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ([], ("ACCEPT", None)),
        ([("10.0.0.0/16", "local", "local")], ("ACCEPT", None)),
        ([route("10.0.0.0/24", "network-interface", "eni-fw", blackhole=True)], ("REJECT", "BAD_STATE_ROUTE")),
    ],
)
def test_rt20_edge_table(routes, expected):
    tables = {**network().route_tables, "rtb-e": table("rtb-e", *routes, gateway_ids=("igw-1",))}
    assert answer(ask(flow(X, A_PUBLIC), route_tables=tables)) == (*expected, "gateway" if expected[1] else None)
    assert answer(ask(flow(A, X), route_tables=tables)) == (*expected, "reply-gateway" if expected[1] else None)


# -- HAIRPIN -------------------------------------------------------------------------------------------------


def test_ig11_hairpin_both_ends_are_mapped():
    path = ask(flow(A, B_PUBLIC))
    assert (path.verdict, path.path, path.dst_interface) == ("ACCEPT", "internet", "eni-b")
    assert stages(path) == [
        *("source", "source-security-group", "source-network-acl", "route", "gateway"),
        *("destination-network-acl", "destination-security-group", "destination"),
        *("reply-destination-network-acl", "reply-route", "reply-gateway", "reply-source-network-acl"),
    ]
    seen = {
        hop.stage: (str(hop.packet_in.source), str(hop.packet_in.destination)) for hop in path.hops if hop.evaluated
    }
    assert seen["gateway"] == (A, B_PUBLIC)
    assert seen["destination-security-group"] == (A_PUBLIC, B)
    assert seen["reply-gateway"] == (B, A_PUBLIC)
    assert seen["reply-source-network-acl"] == (B_PUBLIC, A)
    assert path.reply_route == "rtb-1 0.0.0.0/0"


def test_ig11_hairpin_without_a_public_source():
    path = ask(flow(A2, B_PUBLIC))
    assert answer(path) == ("REJECT", "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", "gateway")
    assert (stages(path)[-1], path.dst_interface, path.path) == ("gateway", "eni-b", "internet")


def test_public_destination_by_another_way_is_out():
    path = ask(flow(A, B_PUBLIC), **with_routes(("0.0.0.0/0", "nat-gateway", "nat-1")))
    assert answer(path) == ("UNKNOWN", "UNKNOWN_RESOURCE", "nat-gateway")
    assert (path.dst_interface, path.path) == ("eni-b", "nat")


def test_hairpin_reply_route_unknown():
    back = table("rtb-b", ("0.0.0.0/0", "unknown", "?"), subnet_ids=("subnet-b",))
    tables = {**network().route_tables, "rtb-b": back}
    path = ask(flow(A, B_PUBLIC), route_tables=tables)
    assert answer(path) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "reply-route")
    assert stages(path)[-1] == "reply-gateway"


# -- VPC Block Public Access ---------------------------------------------------------------------------------

OFF, BOTH, INGRESS = "off", "block-bidirectional", "block-ingress"
EXCLUSIONS = frozenset({"VpcBlockPublicAccessExclusions"})


@pytest.mark.parametrize(
    ("mode", "exclusion", "out", "into", "egress_only"),
    [
        (OFF, None, True, True, True),
        (BOTH, None, False, False, False),  # BP-02
        (BOTH, "allow-egress", True, False, True),  # BP-05
        (BOTH, "allow-bidirectional", True, True, True),
        (INGRESS, None, False, False, True),  # BP-03
        (INGRESS, "allow-bidirectional", True, True, True),
    ],
)
def test_bp01_block_public_access(mode, exclusion, out, into, egress_only):
    changes = {"block_public_access": (BlockPublicAccessOptions(mode, "eu-west-1"),), "described_keys": EXCLUSIONS}
    if exclusion:
        changes["block_public_access_exclusions"] = (
            BlockPublicAccessExclusion("subnet-a", exclusion, "create-complete"),
        )
    gateways = {"egress_only_internet_gateways": {"eigw-1": Gateway("eigw-1", ("vpc-1",))}}
    routes = with_routes(("::/0", "egress-only-internet-gateway", "eigw-1"))
    paths = [ask(flow(A, X), **changes), ask(flow(X, A_PUBLIC), **changes)]
    paths.append(ask(flow(A6, X6), **changes, **gateways, **routes))
    blocked = ("REJECT", "VPC_BLOCK_PUBLIC_ACCESS_ENABLED", "gateway")
    expected = [("ACCEPT", None, None) if passes else blocked for passes in (out, into, egress_only)]
    assert [answer(path) for path in paths] == expected


@pytest.mark.parametrize(("mode", "reason"), [(INGRESS, None), (BOTH, "VPC_BLOCK_PUBLIC_ACCESS_ENABLED")])
def test_bp03_what_a_nat_gateway_opens_is_spared_by_block_ingress(mode, reason):
    changes = with_interfaces(a={"interface_type": "nat_gateway", "group_ids": ()})
    changes["block_public_access"] = (BlockPublicAccessOptions(mode, "eu-west-1"),)
    changes["described_keys"] = EXCLUSIONS
    assert ask(flow(A, X), **changes).reason == reason
    assert ask(flow(X, A_PUBLIC), **changes).reason == "VPC_BLOCK_PUBLIC_ACCESS_ENABLED"
