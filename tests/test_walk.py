"""`explain`: the ends, the cases inside a VPC, the verdict. Rules: test_walk_rules.py, gateways: test_walk_gateways.py.

Each test names the statement of aws-semantics.md, or the section of docs/semantics.md, that it shows.
"""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest
from walk_networks import (
    A2,
    A6,
    A_PUBLIC,
    B_PUBLIC,
    IGW,
    IN443,
    OPEN,
    OUT4,
    X6,
    A,
    B,
    N,
    X,
    address,
    answer,
    ask,
    bits,
    by_id,
    entry,
    flow,
    interface,
    network,
    route,
    stages,
    table,
    with_acls,
    with_interfaces,
    with_rules,
)

import flowcore
from flowcore.errors import FlowError
from flowcore.model import Vpc
from flowcore.schema import VERDICT_COLUMNS
from flowcore.walk import Explainer, explain

# -- the flow ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"srcaddr": None},
        {"srcaddr": "10.0.0.010"},
        {"srcaddr": A6, "dstaddr": "2600:1f00:0:1::20%eth0"},
        {"dstaddr": "2600:1f00::10"},
        {"dstaddr": b"\x0a\x00"},
        {"dstaddr": 2**32},
        {"srcport": None},
        {"dstport": 65536},
        {"dstport": -1},
        {"protocol": None},
        {"protocol": "nonesuch"},
        {"protocol": 256},
        {"protocol": -1},
        {"protocol": True},
        {"protocol": 1, "icmp_type": 256},
        {"protocol": 58, "icmp_type": 8, "icmp_code": -1},
    ],
    ids=str,
)
def test_invalid_flows(changes):
    path = ask({**flow(A, B), **changes})
    assert answer(path) == ("UNKNOWN", "INVALID_FLOW", "source")
    assert (path.forward, path.reply, path.blocked_by, path.src_interface, path.path) == (
        "UNKNOWN",
        None,
        0,
        None,
        None,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": "TCP"},
        {"protocol": "6"},
        {"srcaddr": 0x0A00000A},
        {"srcaddr": b"\x0a\x00\x00\x0a", "dstaddr": ip_address(B)},
        {"icmp_type": 999},
        {"src_interface_id": "-"},
        pytest.param({"src_interface_id": "", "nonsense": object()}, id="unknown column"),
        {"srcport": "50000", "dstport": 443.0},
    ],
    ids=str,
)
def test_forms_of_values(changes):
    path = ask({**flow(A, B), **changes})
    assert (path.verdict, path.src_interface, path.dst_interface) == ("ACCEPT", "eni-a", "eni-b")


def test_missing_columns_are_named():
    with pytest.raises(FlowError, match="srcport, protocol"):
        explain(network(), {"srcaddr": A, "dstaddr": B, "dstport": 1})


# -- the source (section 2) ----------------------------------------------------------------------------------


def test_source_interface_not_described_or_without_vpc():
    changes = with_interfaces(interface("eni-lost", "subnet-a", "10.9.9.9", vpc_id=None))
    for name in ("eni-none", "eni-lost"):
        path = ask(flow(A, B, src_interface_id=name), **changes)
        assert answer(path) == ("UNKNOWN", "UNKNOWN_RESOURCE", "source")
        assert path.src_interface is None


def test_en01_source_dest_check_drops_foreign_packets():
    path = ask(flow("172.16.0.1", B, src_interface_id="eni-a"))
    assert answer(path) == ("REJECT", "ENI_SOURCE_DEST_CHECK_RESTRICTION", "source-dest-check")
    assert (path.blocked_by, path.src_interface, path.dst_interface) == (bits("source-dest-check"), "eni-a", None)
    path = ask(flow("172.16.0.1", B, src_interface_id="eni-a"), **with_interfaces(a={"source_dest_check": False}))
    assert answer(path) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "source")


def test_two_vpcs_with_one_cidr_need_the_interface():
    twin = interface("eni-twin", "subnet-z", A, vpc_id="vpc-2")
    changes = with_interfaces(twin) | {"vpcs": {**network().vpcs, "vpc-2": Vpc("vpc-2", (N("10.0.0.0/16"),))}}
    assert answer(ask(flow(A, B), **changes)) == ("UNKNOWN", "ADDR_AMBIGUOUS", "source")
    assert ask(flow(A, B, src_interface_id="eni-a"), **changes).verdict == "ACCEPT"
    # B is held by one interface of vpc-1 only; seen from vpc-2 nobody holds it
    path = ask(flow(A, B, src_interface_id="eni-twin"), **changes)
    assert answer(path) == ("UNKNOWN", "UNKNOWN_DESTINATION", "destination")


def test_ig05_a_public_source_stands_for_its_interface():
    for name in (None, "eni-a"):
        path = ask(flow(A_PUBLIC, B, src_interface_id=name))
        assert (path.verdict, path.src_interface, path.path) == ("ACCEPT", "eni-a", "vpc")
        assert str(path.hops[0].packet_in.source) == A
    changes = with_interfaces(b={"addresses": (address(B, A_PUBLIC),)})
    assert answer(ask(flow(A_PUBLIC, X), **changes)) == ("UNKNOWN", "ADDR_AMBIGUOUS", "source")


@pytest.mark.parametrize("source", ["10.0.0.99", "169.254.1.1", "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"])
def test_sources_that_nobody_holds(source):
    assert answer(ask(flow(source, B))) == ("UNKNOWN", "UNKNOWN_RESOURCE", "source")


def test_unmodelled_source_types():
    path = ask(flow(A, B), **with_interfaces(a={"interface_type": "transit_gateway", "status": "available"}))
    assert answer(path) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "source")
    assert (path.src_interface, path.blocked_by) == ("eni-a", 0)


def test_ep03_an_interface_endpoint_never_opens():
    endpoint = with_interfaces(a={"interface_type": "vpc_endpoint"})
    path = ask(flow(A, B), **endpoint)
    assert answer(path) == ("REJECT", "VPCE_INTRA_VPC_TRAFFIC", "source")
    assert path.blocked_by == bits("source")
    # the rest is judged all the same
    assert ask(flow(A, B, 80), **endpoint).blocked_by == bits("source", "destination-security-group")
    assert answer(ask(flow(A, "169.254.169.253"), **endpoint)) == ("ACCEPT", "UNFILTERED_SERVICE", None)


def test_en03_detached_source_denies_and_the_rest_is_evaluated():
    path = ask(flow(A, B, 444), **with_interfaces(a={"status": "available"}))
    assert answer(path) == ("REJECT", "BAD_STATE", "source")
    assert path.blocked_by == bits("source", "destination-security-group")
    assert (path.src_acl_rule, path.route, path.dst_interface) == (None, None, "eni-b")
    assert [hop.reached for hop in path.hops][:2] == [True, False]
    # an interface that a service manages is never counted as detached
    assert ask(flow(A, B), **with_interfaces(a={"status": "available", "requester_managed": True})).verdict == "ACCEPT"


@pytest.mark.parametrize(
    ("destination", "stage", "path"),
    [("224.0.0.1", "destination", None), ("169.254.168.1", "route", None), ("169.254.169.253", None, "service")],
)
def test_en03_detached_source_and_fixed_answers(destination, stage, path):
    found = ask(flow(A, destination), **with_interfaces(a={"status": "available"}))
    assert answer(found) == ("REJECT", "BAD_STATE", "source")
    assert (found.forward, found.reply, found.path) == ("REJECT", None, path)
    assert found.blocked_by == bits("source", *([stage] if stage else []))


# -- the destination, from an interface ----------------------------------------------------------------------


@pytest.mark.parametrize("destination", ["224.0.0.1", "240.1.1.1", "255.255.255.255", "0.1.2.3", "127.0.0.1"])
def test_en04_nothing_can_be_sent_there(destination):
    path = ask(flow(A, destination))
    assert answer(path) == ("REJECT", "NO_POSSIBLE_DESTINATION", "destination")
    assert (path.blocked_by, path.src_interface, path.dst_interface) == (bits("destination"), "eni-a", None)


@pytest.mark.parametrize("destination", ["ff02::1", "::", "::1"])
def test_en04_nor_there_in_ipv6(destination):
    assert answer(ask(flow(A6, destination))) == ("REJECT", "NO_POSSIBLE_DESTINATION", "destination")


@pytest.mark.parametrize(
    "destination",
    [
        *("169.254.169.253", "169.254.169.254", "169.254.169.123", "169.254.169.250", "169.254.169.251"),
        *("169.254.170.2", "10.0.0.2", "10.0.0.1", "10.0.1.1"),
        *("fd00:ec2::253", "fd00:ec2::254", "fd00:ec2::123", "fe80:ec2::1"),
    ],
)
def test_sg60_services_that_nothing_filters(destination):
    changes = with_rules() | with_acls([], [])
    path = ask(flow(A6 if ":" in destination else A, destination), **changes)
    assert answer(path) == ("ACCEPT", "UNFILTERED_SERVICE", None)
    assert (path.forward, path.reply, path.path, path.blocked_by) == ("ACCEPT", "ACCEPT", "service", 0)
    assert path.src_sg_rule is None
    assert path.dst_interface is None


def test_sg61_base_plus_two_of_other_subnets_is_reserved():
    path = ask(flow(A, "10.0.1.2"))
    assert answer(path) == ("REJECT", "NO_SOURCE_OR_DESTINATION", "destination")
    assert path.blocked_by == bits("destination")


def test_rt12_never_routed():
    for source, destination in ((A, "169.254.171.255"), (A6, "fd00:ec2::1")):
        path = ask(flow(source, destination))
        assert answer(path) == ("REJECT", "NO_ROUTE_TO_DESTINATION", "route")
        assert (path.blocked_by, path.route, path.path) == (bits("route"), None, None)


def test_link_local_destination_is_unknown():
    assert answer(ask(flow(A6, "fe80::1"))) == ("UNKNOWN", "UNKNOWN_DESTINATION", "destination")


@pytest.mark.parametrize(
    ("source", "destination", "reserved"),
    [
        *((A, "10.0.1.0", True), (A, "10.0.1.3", True), (A, "10.0.1.255", True), (A, "10.0.1.4", False)),
        *((A, "10.0.1.254", False), (A6, "2600:1f00:0:1::3", True), (A6, "2600:1f00:0:1::4", False)),
        *((A6, "2600:1f00:0:1:ffff:ffff:ffff:ffff", True), (A, "10.0.77.0", False)),
    ],
)
def test_en04_reserved_addresses_of_subnets(source, destination, reserved):
    expected = ("REJECT", "NO_SOURCE_OR_DESTINATION") if reserved else ("UNKNOWN", "UNKNOWN_DESTINATION")
    assert answer(ask(flow(source, destination))) == (*expected, "destination")


def test_destination_held_twice_is_ambiguous():
    path = ask(flow(A, B), **with_interfaces(interface("eni-b2", "subnet-b", B)))
    assert answer(path) == ("UNKNOWN", "ADDR_AMBIGUOUS", "destination")
    path = ask(flow(A, B_PUBLIC), **with_interfaces(interface("eni-b2", "subnet-b", address("10.0.1.30", B_PUBLIC))))
    assert answer(path) == ("UNKNOWN", "ADDR_AMBIGUOUS", "destination")
    assert (path.src_interface, path.dst_interface) == ("eni-a", None)


def test_en02_delegated_prefixes_are_own_addresses():
    pods = interface("eni-pods", "subnet-b", "10.0.1.40", prefixes=(N("10.0.1.64/28"),))
    path = ask(flow(A, "10.0.1.70"), **with_interfaces(pods))
    assert (path.verdict, path.dst_interface) == ("ACCEPT", "eni-pods")


# -- the source is outside -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("192.168.7.7", A, ("UNKNOWN", "UNKNOWN_RESOURCE", "source")),
        (X, "10.0.0.99", ("UNKNOWN", "UNKNOWN_DESTINATION", "destination")),
        (X, "9.9.9.9", ("UNKNOWN", "NO_SOURCE_OR_DESTINATION", "source")),
        ("192.168.7.7", "9.9.9.9", ("UNKNOWN", "NO_SOURCE_OR_DESTINATION", "source")),
        ("192.168.7.7", A_PUBLIC, ("REJECT", "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS", "gateway")),
        ("100.64.0.1", A_PUBLIC, ("REJECT", "IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS", "gateway")),
        (X, A2, ("REJECT", "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS", "gateway")),
        (X, A, ("ACCEPT", None, None)),
        (X, A_PUBLIC, ("ACCEPT", None, None)),
        (X6, A6, ("ACCEPT", None, None)),
    ],
)
def test_ig06_from_outside(source, destination, expected):
    path = ask(flow(source, destination))
    assert answer(path) == expected
    assert path.src_interface is None
    assert path.dst_interface == (None if expected[0] == "UNKNOWN" else "eni-a2" if destination == A2 else "eni-a")


def test_outside_to_an_address_held_twice():
    assert answer(ask(flow(X, B), **with_interfaces(interface("eni-b2", "subnet-b", B)))) == (
        "UNKNOWN",
        "ADDR_AMBIGUOUS",
        "destination",
    )


def test_ig03_in_inside_only_the_private_address_is_seen():
    path = ask(flow(X, A_PUBLIC))
    assert stages(path, "forward") == [
        "gateway",
        "destination-network-acl",
        "destination-security-group",
        "destination",
    ]
    assert stages(path, "reply") == ["reply-destination-network-acl", "reply-route", "reply-gateway"]
    assert [str(hop.packet_in.destination) for hop in path.hops if hop.leg == "forward"] == [A_PUBLIC, A, A, A]
    assert (str(path.hops[-1].packet_in.source), str(path.hops[-1].packet_out.source)) == (A, A_PUBLIC)
    assert path.path == "internet"
    assert path.reply_route == "rtb-1 0.0.0.0/0"


# -- LOCAL ---------------------------------------------------------------------------------------------------


def test_st01_st03_there_and_back_between_subnets():
    path = ask(flow(A, B))
    assert stages(path, "forward") == [
        *("source", "source-security-group", "source-network-acl", "route"),
        *("destination-network-acl", "destination-security-group", "destination"),
    ]
    assert stages(path, "reply") == ["reply-destination-network-acl", "reply-route", "reply-source-network-acl"]
    assert path.columns() == {
        **{"verdict": "ACCEPT", "forward": "ACCEPT", "reply": "ACCEPT", "reason": None, "stage": None, "blocked_by": 0},
        **{"path": "vpc", "src_interface": "eni-a", "dst_interface": "eni-b", "src_sg_rule": "sgr-out4"},
        **{"src_acl_rule": "acl-1#100", "route": "rtb-1 10.0.0.0/16", "dst_acl_rule": "acl-1#100"},
        **{"dst_sg_rule": "sgr-in443", "reply_dst_acl_rule": "acl-1#100", "reply_route": "rtb-1 10.0.0.0/16"},
        **{"reply_src_acl_rule": "acl-1#100", "targets": None, "reachable_targets": None},
    }
    assert list(path.columns()) == [column.name for column in VERDICT_COLUMNS]


def test_na05_rt03_same_subnet_no_acl_no_route():
    path = ask(flow(A2, A), **with_acls([], []), route_tables={})
    assert (path.verdict, path.reply, path.path) == ("ACCEPT", "ACCEPT", "subnet")
    assert stages(path) == ["source", "source-security-group", "destination-security-group", "destination"]
    assert (path.src_acl_rule, path.route, path.reply_route) == (None, None, None)
    shown = [hop for hop in path.hops if not hop.evaluated]
    assert any("NA-05" in hop.note for hop in shown)
    assert [hop.stage for hop in shown if "SG-30" in hop.note] == [
        "destination-security-group",
        "source-security-group",
    ]


def test_unknown_subnet_is_not_the_same_subnet():
    path = ask(flow(A, A2), **with_interfaces(a={"subnet_id": None}, a2={"subnet_id": None}))
    assert answer(path) == ("UNKNOWN", "UNKNOWN_RESOURCE", "source-network-acl")
    assert path.path == "vpc"


def test_sg30_no_outbound_rules_still_answers():
    changes = with_rules(IN443) | with_interfaces(a={"group_ids": ()})
    assert ask(flow(A, B), **changes).verdict == "ACCEPT"


def test_na04_the_reply_needs_rules_of_its_own():
    narrow = [entry(100, False), entry(100, True, protocol=6, from_port=1024, to_port=49999)]
    path = ask(flow(A, B), **with_acls(b=narrow))
    assert answer(path) == ("REJECT", "SUBNET_ACL_RESTRICTION", "reply-destination-network-acl")
    assert (path.forward, path.reply) == ("ACCEPT", "REJECT")
    assert path.blocked_by == bits("reply-destination-network-acl")
    assert (path.reply_dst_acl_rule, path.reply_route, path.reply_src_acl_rule) == ("acl-b#*", None, None)
    assert path.dst_sg_rule == "sgr-in443"


def test_blocked_by_names_every_stage_that_denies():
    changes = with_acls([entry(1, False, False)], [entry(1, True, False)]) | with_rules(IN443)
    path = ask(flow(A, B, 80), **changes)
    assert answer(path) == ("REJECT", "SG_HAS_NO_RULES", "source-security-group")
    assert path.reply is None
    assert path.blocked_by == bits(
        *("source-security-group", "source-network-acl", "destination-network-acl", "destination-security-group"),
        *("reply-destination-network-acl", "reply-source-network-acl"),
    )
    assert path.src_acl_rule is None  # not reached


def test_section4_an_unsupported_local_route_cuts_off_what_follows():
    redirect = table("rtb-1", ("10.0.1.0/24", "local-gateway", "lgw-1"), IGW, main=True)
    path = ask(flow(A, B), route_tables={"rtb-1": redirect}, **with_acls(b=[]))
    assert answer(path) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "route")
    assert (path.route, path.blocked_by, path.reply) == ("rtb-1 10.0.1.0/24", 0, None)
    assert stages(path)[-1] == "route"


def test_section4_a_denying_local_route_does_not():
    gone = table("rtb-1", route("10.0.1.0/24", "network-interface", "eni-fw", blackhole=True), main=True)
    path = ask(flow(A, B, 80), route_tables={"rtb-1": gone})
    assert answer(path) == ("REJECT", "BAD_STATE_ROUTE", "route")  # RT-13
    assert path.blocked_by == bits("route", "destination-security-group")
    assert path.route == "rtb-1 10.0.1.0/24"


def test_section4_an_unknown_reply_route_cuts_off_the_last_acl():
    back = table("rtb-b", ("10.0.0.0/24", "local-gateway", "lgw-1"), subnet_ids=("subnet-b",))
    tables = by_id("route_table_id", table("rtb-1", main=True), back)
    path = ask(flow(A, B), route_tables=tables, **with_acls(a=[entry(1, True)]))
    assert answer(path) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "reply-route")
    assert (path.forward, path.reply, path.reply_route) == ("ACCEPT", "UNKNOWN", "rtb-b 10.0.0.0/24")
    assert stages(path)[-1] == "reply-route"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "available"}, ("REJECT", "BAD_STATE", "destination")),
        ({"interface_type": "nat_gateway", "group_ids": ()}, ("REJECT", "NO_POSSIBLE_DESTINATION", "nat-gateway")),
        ({"interface_type": "transit_gateway", "group_ids": ()}, ("UNKNOWN", "UNSUPPORTED_COMPONENT", "destination")),
        ({"interface_type": "load_balancer"}, ("UNKNOWN", "UNSUPPORTED_COMPONENT", "destination")),
        ({"interface_type": "lambda"}, ("ACCEPT", None, None)),
    ],
)
def test_en03_destination_stage(changes, expected):
    assert answer(ask(flow(A, B), **with_interfaces(b=changes))) == expected


def test_undescribed_acl_and_table():
    assert answer(ask(flow(A, B), network_acls={})) == ("UNKNOWN", "UNKNOWN_RESOURCE", "source-network-acl")
    path = ask(flow(A, B), route_tables={})
    assert answer(path) == ("UNKNOWN", "UNKNOWN_RESOURCE", "route")
    assert path.src_acl_rule == "acl-1#100"  # forward is UNKNOWN: its stages count as reached
    assert (ask(flow(A, X), route_tables={}).path, path.path) == (None, "vpc")


# -- the verdict ---------------------------------------------------------------------------------------------


def test_st04_icmp_without_reply_is_forward_only():
    closed = with_acls(a=[entry(100, True)])  # nothing may come back into subnet-a
    ping, unreachable = flow(A, B, protocol="icmp", icmp_type=8, icmp_code=0), flow(A, B, protocol=1, icmp_type=3)
    path = ask(ping, **closed)
    assert (path.forward, path.reply, path.stage) == ("ACCEPT", "REJECT", "reply-source-network-acl")
    path = ask(unreachable, **closed)
    assert (path.verdict, path.forward, path.reply, path.blocked_by) == ("ACCEPT", "ACCEPT", None, 0)
    assert ask({**unreachable, "dstaddr": A2}).reply is None  # within a subnet too


def test_icmp_reply_has_the_type_of_the_reply():
    only_echo_reply = [entry(100, True), entry(100, False, protocol=1, icmp_type=0, icmp_code=-1)]
    changes = with_acls(a=only_echo_reply)
    assert ask(flow(A, B, protocol=1, icmp_type=8, icmp_code=0), **changes).verdict == "ACCEPT"
    assert ask(flow(A, B, protocol=1, icmp_type=13, icmp_code=0), **changes).verdict == "REJECT"
    path = ask(flow(A, B, protocol=1), **changes)
    assert answer(path) == ("UNKNOWN", "ICMP_TYPE_UNKNOWN", "reply-source-network-acl")  # FL-64
    assert path.reply_src_acl_rule is None


def test_a_deny_outweighs_an_unknown_before_it():
    path = ask(flow(A, B, 80), **with_interfaces(a={"group_ids": None}))
    assert answer(path) == ("REJECT", "ENI_SG_RULES_MISMATCH", "destination-security-group")
    assert (path.src_sg_rule, path.src_acl_rule) == (None, "acl-1#100")


def test_an_unknown_forward_reaches_no_reply_stage():
    path = ask(flow(A, B), **with_interfaces(a={"group_ids": None}))
    assert answer(path) == ("UNKNOWN", "UNKNOWN_RESOURCE", "source-security-group")
    assert (path.dst_sg_rule, path.reply_dst_acl_rule, path.reply_route) == ("sgr-in443", None, None)
    assert "reply-source-network-acl" in stages(path)
    assert not any(hop.reached for hop in path.hops if hop.leg == "reply")


def test_hops_and_plain_data():
    path = ask(flow(A, B, 22), **with_acls(b=[entry(90, False, False, 6, from_port=22, to_port=22), *OPEN]))
    hop = next(hop for hop in path.hops if hop.stage == "destination-network-acl")
    assert (hop.component, hop.rule, hop.text) == ("acl-b", "acl-b#90", "deny tcp 22 from 0.0.0.0/0")
    assert hop.note.startswith("first match of 3 entries")
    assert [each.reached for each in path.hops] == [True] * 5 + [False] * (len(path.hops) - 5)
    data = json.loads(json.dumps(path.to_dict()))
    assert data["verdict"] == "REJECT"
    assert data["hops"][1]["packet_in"]["source"] == A
    assert data["flow"]["dstport"] == 22
    json.dumps(ask({**flow(A, B), "srcaddr": ip_address(A), "start": float("nan")}).to_dict(), allow_nan=False)


def test_explain_keeps_to_the_network_it_is_given():
    open_, closed = network(), network(**with_rules(OUT4))
    assert [flowcore.explain(each, flow(A, B)).verdict for each in (open_, closed, open_)] == [
        "ACCEPT",
        "REJECT",
        "ACCEPT",
    ]
    explainer = Explainer(open_)
    assert explainer.explain(flow(A, B)) == explain(open_, flow(A, B))
    assert replace(open_).interfaces is open_.interfaces
