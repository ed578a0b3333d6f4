"""Security group rules, network ACL entries and routes as `explain` matches them, one statement per test."""

from __future__ import annotations

import pytest
from walk_networks import (
    IGW,
    IN443,
    IP,
    OUT4,
    N,
    acl,
    address,
    allow,
    by_id,
    entry,
    flow,
    group,
    interface,
    network,
    route,
    with_acls,
    with_interfaces,
    with_routes,
    with_rules,
)

from flowcore.model import Network, PrefixList, Vpc, VpcPeeringConnection
from flowcore.walk import explain

EA, EB, EA6, EB6, X = "10.0.0.10", "10.0.1.20", "2600:1f00::10", "2600:1f00:0:1::20", "8.8.8.8"


def group_answer(net: Network, asked: dict) -> tuple:
    """What the destination's groups said: (outcome, reason, rule)."""
    hop = next(h for h in explain(net, asked).hops if h.stage == "destination-security-group" and h.evaluated)
    return hop.outcome, hop.reason, hop.rule


def inbound(*rules, **changes) -> Network:
    return network(**with_rules(OUT4, *rules, **changes))


# -- security groups -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("port", "passes"), [(79, False), (80, True), (81, True), (90, True), (91, False)])
def test_sg10_ports_are_inclusive_and_of_the_destination(port, passes):
    outcome, _, rule = group_answer(inbound(allow("sgr-1", False, 6, (80, 90))), flow(EA, EB, port))
    assert (outcome, rule) == (("pass", "sgr-1") if passes else ("deny", None))


@pytest.mark.parametrize(
    ("rule_protocol", "ports", "protocol", "passes"),
    [
        (-1, (None, None), 6, True),
        (-1, (0, 0), 6, True),  # SG-08: ports are ignored
        (6, (None, None), 6, True),
        (17, (443, 443), 6, False),
        (6, (443, 443), 17, False),
        (50, (1, 2), 50, True),  # SG-09
        (50, (None, None), 51, False),
    ],
)
def test_sg08_sg09_protocols(rule_protocol, ports, protocol, passes):
    outcome, _, _ = group_answer(inbound(allow("sgr-1", False, rule_protocol, ports)), flow(EA, EB, protocol=protocol))
    assert outcome == ("pass" if passes else "deny")


@pytest.mark.parametrize(
    ("rule", "flow_type", "expected"),
    [
        ((8, -1), (8, 3), "pass"),  # SG-11
        ((8, None), (8, 3), "pass"),
        ((8, 0), (8, 0), "pass"),
        ((8, 0), (8, 1), "deny"),
        ((8, 0), (8, None), "unknown"),
        ((8, -1), (8, None), "pass"),
        ((8, 0), (5, None), "deny"),
        ((8, -1), (None, None), "unknown"),  # FL-64
        ((-1, -1), (None, None), "pass"),
        ((None, None), (None, None), "pass"),
    ],
)
@pytest.mark.parametrize("protocol", [1, 58])
def test_sg11_icmp(rule, flow_type, expected, protocol):
    asked = flow(EA, EB, protocol=protocol, icmp_type=flow_type[0], icmp_code=flow_type[1])
    outcome, reason, named = group_answer(inbound(allow("sgr-1", False, protocol, rule)), asked)
    assert outcome == expected
    assert (reason == "ICMP_TYPE_UNKNOWN") == (expected == "unknown")
    assert (named == "sgr-1") == (expected == "pass")


def test_sg07_families_are_apart():
    assert group_answer(inbound(allow("sgr-1", False), allow("sgr-o", True, cidr_block=N("::/0"))), flow(EA6, EB6))[
        :2
    ] == (
        "deny",
        "ENI_SG_RULES_MISMATCH",
    )


def test_sg01_first_definite_match_by_id_is_named():
    rules = [allow("sgr-3", False), allow("sgr-2", False, 6, (443, 443)), allow("sgr-1", False, 6, (444, 444))]
    assert group_answer(inbound(*rules), flow(EA, EB))[2] == "sgr-2"
    # a rule that only may match does not stand before one that does
    rules = [allow("sgr-1", False, prefix_list_id="pl-none"), allow("sgr-2", False)]
    assert group_answer(inbound(*rules), flow(EA, EB)) == ("pass", None, "sgr-2")


def test_sg02_no_rules_and_no_match_have_their_own_reasons():
    assert group_answer(inbound(), flow(EA, EB)) == ("deny", "SG_HAS_NO_RULES", None)
    assert group_answer(inbound(IN443), flow(EA, EB, 80)) == ("deny", "ENI_SG_RULES_MISMATCH", None)


def test_sg63_none_and_undescribed_groups():
    base = with_rules(OUT4, IN443)
    for groups, port, expected in (
        ((), 80, ("pass", None, None)),
        (None, 443, ("unknown", "UNKNOWN_RESOURCE", None)),
        (("sg-1", "sg-none"), 443, ("pass", None, "sgr-in443")),
        (("sg-1", "sg-none"), 80, ("unknown", "UNKNOWN_RESOURCE", None)),
    ):
        net = network(**base, **with_interfaces(b={"group_ids": groups}))
        assert group_answer(net, flow(EA, EB, port)) == expected


def test_sg01_groups_of_an_interface_are_one_rule_set():
    groups = by_id("group_id", group(OUT4), group(allow("sgr-0", False), group_id="sg-2"))
    net = network(security_groups=groups, **with_interfaces(b={"group_ids": ("sg-1", "sg-2")}))
    assert group_answer(net, flow(EA, EB)) == ("pass", None, "sgr-0")


@pytest.mark.parametrize(
    ("listed", "asked", "expected"),
    [
        (PrefixList("pl-1", (N("10.0.0.0/28"), N("10.9.0.0/16"))), flow(EA, EB), ("pass", None, "sgr-1")),  # SG-28
        (PrefixList("pl-1", (N("10.9.0.0/16"),)), flow(EA, EB), ("deny", "ENI_SG_RULES_MISMATCH", None)),
        (PrefixList("pl-1", ()), flow(EA, EB), ("deny", "ENI_SG_RULES_MISMATCH", None)),
        (PrefixList("pl-1"), flow(EA, EB), ("unknown", "MISSING_PREFIX_LIST", None)),
        (PrefixList("pl-1", None, 4), flow(EA, EB), ("unknown", "MISSING_PREFIX_LIST", None)),
        (PrefixList("pl-1", None, 6), flow(EA, EB), ("deny", "ENI_SG_RULES_MISMATCH", None)),
        (PrefixList("pl-2", ()), flow(EA, EB), ("unknown", "MISSING_PREFIX_LIST", None)),
    ],
)
def test_sg28_prefix_lists(listed, asked, expected):
    net = inbound(allow("sgr-1", False, prefix_list_id="pl-1"), prefix_lists=by_id("prefix_list_id", listed))
    assert group_answer(net, asked) == expected


def test_first_maybe_gives_the_reason_and_the_remotes_reason_comes_first():
    pings = flow(EA, EB, protocol=1)
    by_type, by_list = allow("sgr-1", False, 1, (8, -1)), allow("sgr-2", False, prefix_list_id="pl-none")
    assert group_answer(inbound(by_type, by_list), pings)[1] == "ICMP_TYPE_UNKNOWN"
    both = allow("sgr-0", False, 1, (8, -1), prefix_list_id="pl-none")
    assert group_answer(inbound(by_type, both), pings)[1] == "MISSING_PREFIX_LIST"


def reference(**more) -> Network:
    """eni-b admits members of sg-web; eni-a is one."""
    rule = allow("sgr-1", False, referenced_group_id="sg-web", **more.pop("rule", {}))
    return network(**with_rules(OUT4, rule), **with_interfaces(a={"group_ids": ("sg-1", "sg-web")}), **more)


def test_sg20_references_match_private_addresses_of_members():
    assert group_answer(reference(), flow(EA, EB)) == ("pass", None, "sgr-1")
    assert group_answer(reference(), flow("10.0.0.11", EB))[:2] == ("deny", "ENI_SG_RULES_MISMATCH")  # no member
    assert group_answer(reference(), flow(EA, "52.0.0.20"))[:2] == ("deny", "ENI_SG_RULES_MISMATCH")  # SG-24, IG-11


def test_sg26_stale_references_match_nothing():
    assert group_answer(reference(rule={"peering_status": "deleted"}), flow(EA, EB))[0] == "deny"
    assert group_answer(reference(rule={"peering_status": "active"}), flow(EA, EB))[0] == "pass"


@pytest.mark.parametrize(
    ("peering", "rule", "passes"),
    [
        (("active", "eu-west-1", "eu-west-1"), {}, True),  # SG-22
        (("active", "eu-west-1", "us-east-1"), {}, False),
        (("deleted", "eu-west-1", "eu-west-1"), {}, False),
        (None, {}, False),
        (None, {"referenced_vpc_id": "vpc-2", "peering_status": "active"}, True),
        (None, {"referenced_vpc_id": "vpc-2"}, False),
        (("active", "eu-west-1", "eu-west-1"), {"referenced_vpc_id": "vpc-2", "peering_status": "deleted"}, False),
    ],
)
def test_sg22_references_across_vpcs(peering, rule, passes):
    """Outbound, to a member in another VPC: the group stage is judged before the route says it is not modelled."""
    far = interface("eni-far", "s", "10.2.0.5", vpc_id="vpc-2", group_ids=("sg-far",))
    peerings = {}
    if peering:
        peerings["pcx-1"] = VpcPeeringConnection("pcx-1", peering[0], "vpc-2", "vpc-1", *peering[1:])
    rules = with_rules(allow("sgr-1", True, referenced_group_id="sg-far", **rule))
    hop = explain(network(**rules, **with_interfaces(far), peering_connections=peerings), flow(EA, "10.2.0.5")).hops[1]
    assert (hop.stage, hop.outcome) == ("source-security-group", "pass" if passes else "deny")


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("10.2.0.5", ("unknown", "UNKNOWN_PEERED_SGS")),
        ("100.64.9.9", ("unknown", "UNKNOWN_PEERED_SGS")),
        (X, ("deny", "ENI_SG_RULES_MISMATCH")),
        (EB, ("deny", "ENI_SG_RULES_MISMATCH")),
    ],
)
def test_references_into_a_vpc_that_is_not_described(destination, expected):
    rule = allow("sgr-1", True, referenced_group_id="sg-far", referenced_vpc_id="vpc-9")
    hop = explain(network(**with_rules(rule)), flow(EA, destination)).hops[1]
    assert (hop.outcome, hop.reason) == expected
    stale = allow("sgr-1", True, referenced_group_id="sg-far", referenced_vpc_id="vpc-9", peering_status="deleted")
    assert explain(network(**with_rules(stale)), flow(EA, destination)).hops[1].outcome == "deny"


# -- network ACLs --------------------------------------------------------------------------------------------


def acl_answer(entries, asked) -> tuple:
    """What the source subnet's outbound list said."""
    net = network(**with_acls(a=[entry(32767, False), *entries]))
    hop = next(h for h in explain(net, asked).hops if h.stage == "source-network-acl")
    return hop.outcome, hop.reason, hop.rule


DENIED = "SUBNET_ACL_RESTRICTION"


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry(90, True, False), entry(100, True)], ("deny", DENIED, "acl-a#90")),  # NA-02, NA-13
        ([entry(90, True), entry(100, True, False)], ("pass", None, "acl-a#90")),
        ([], ("deny", DENIED, "acl-a#*")),  # NA-03
        ([entry(32767, True, False)], ("deny", DENIED, "acl-a#32767")),
        ([entry(100, False)], ("deny", DENIED, "acl-a#*")),  # the other direction
        ([entry(100, True, cidr="::/0")], ("deny", DENIED, "acl-a#*")),  # NA-10
        ([entry(100, True, cidr="10.0.1.20/32")], ("pass", None, "acl-a#100")),  # NA-06
        ([entry(100, True, cidr="10.0.0.10/32")], ("deny", DENIED, "acl-a#*")),
        ([entry(1, True, protocol=6, from_port=444, to_port=9999)], ("deny", DENIED, "acl-a#*")),
        ([entry(1, True, protocol=6, from_port=1, to_port=443)], ("pass", None, "acl-a#1")),
        ([entry(1, True, protocol=6, from_port=443, to_port=443)], ("pass", None, "acl-a#1")),
        ([entry(1, True, protocol=6, from_port=1, to_port=442)], ("deny", DENIED, "acl-a#*")),
        ([entry(1, True, protocol=6)], ("pass", None, "acl-a#1")),
        ([entry(1, True, protocol=17)], ("deny", DENIED, "acl-a#*")),
        ([entry(1, True, protocol=-1, from_port=1, to_port=1)], ("pass", None, "acl-a#1")),  # NA-07
    ],
)
def test_na02_entries_in_order(entries, expected):
    assert acl_answer(entries, flow(EA, EB)) == expected


def test_na07_other_protocols_have_no_ports():
    assert acl_answer([entry(1, True, protocol=47, from_port=5, to_port=5)], flow(EA, EB, protocol="gre"))[0] == "pass"


@pytest.mark.parametrize(
    ("kind", "flow_type", "outcome"),
    [
        ({"icmp_type": 8, "icmp_code": -1}, (8, 9), "pass"),  # NA-08
        ({"icmp_type": 8, "icmp_code": 0}, (8, 9), "deny"),
        ({"icmp_type": -1, "icmp_code": -1}, (8, 9), "pass"),
        ({}, (None, None), "pass"),
        ({"icmp_type": 8, "icmp_code": -1}, (None, None), "unknown"),
        ({"icmp_type": 8, "icmp_code": 0}, (8, None), "unknown"),
    ],
)
def test_na08_icmp(kind, flow_type, outcome):
    asked = flow(EA, EB, protocol=1, icmp_type=flow_type[0], icmp_code=flow_type[1])
    found = acl_answer([entry(100, True, protocol=1, **kind)], asked)
    assert found[0] == outcome
    assert found[1] == {"pass": None, "deny": DENIED, "unknown": "ICMP_TYPE_UNKNOWN"}[outcome]


def test_na09_protocol_58_with_an_ipv4_cidr_is_all_types():
    asked = flow(EA, EB, protocol=58, icmp_type=1, icmp_code=0)
    assert acl_answer([entry(100, True, protocol=58, icmp_type=128, icmp_code=0)], asked)[0] == "pass"
    asked6 = flow(EA6, EB6, protocol=58, icmp_type=1, icmp_code=0)
    assert acl_answer([entry(100, True, protocol=58, cidr="::/0", icmp_type=128, icmp_code=0)], asked6)[0] == "deny"


def test_fl64_undecided_entries_that_agree_do_not_matter():
    maybe = {"protocol": 1, "icmp_type": 8, "icmp_code": -1}
    asked = flow(EA, EB, protocol=1)
    assert acl_answer([entry(1, True, **maybe), entry(2, True)], asked) == ("pass", None, "acl-a#2")
    assert acl_answer([entry(1, True, False, **maybe), entry(2, True)], asked)[1] == "ICMP_TYPE_UNKNOWN"
    assert acl_answer([entry(1, True, False, **maybe)], asked) == ("deny", DENIED, "acl-a#*")


def test_na01_own_acl_before_the_default():
    acls = by_id(
        "network_acl_id",
        acl(entry(1, True), entry(1, False), name="acl-default", is_default=True),
        acl(name="acl-b", subnet_ids=("subnet-b",)),
    )
    path = explain(network(network_acls=acls), flow(EA, EB))
    assert (path.src_acl_rule, path.stage) == ("acl-default#1", "destination-network-acl")


# -- routes --------------------------------------------------------------------------------------------------


def route_answer(destination: str, *routes, **changes) -> tuple:
    """(outcome, reason, rule, target in words) of the forward route stage."""
    net = network(**with_routes(*routes), **changes)
    source = EA6 if ":" in destination else EA
    hop = next(h for h in explain(net, flow(source, destination)).hops if h.stage == "route")
    return hop.outcome, hop.reason, hop.rule, hop.text.rpartition(" ")[2]


PCX = ("vpc-peering-connection", "pcx-1")
RTP = (
    route("172.31.0.0/24", "virtual-private-gateway", "vgw-1", propagated=True),
    route("172.31.0.0/24", "internet-gateway", "igw-1"),
    route("172.31.0.0/16", *PCX),
    route("0.0.0.0/0", "nat-gateway", "nat-1"),
    route("10.0.1.0/24", "virtual-private-gateway", "vgw-1", propagated=True),
)


@pytest.mark.parametrize(
    ("destination", "target"),
    [(EB, "local"), ("172.31.0.5", "igw-1"), ("172.31.7.1", "pcx-1"), (X, "nat-1")],
)
def test_rt04_rt05_rt11_the_worked_case(destination, target):
    assert route_answer(destination, *RTP)[3] == target


def test_rt11_only_propagated_routes_lose_to_local():
    redirect = route("10.0.1.0/24", "network-interface", "eni-fw")  # RT-10
    assert route_answer(EB, redirect)[2:] == ("rtb-1 10.0.1.0/24", "eni-fw")


def test_rt09_a_replaced_local_route_is_not_added_again():
    assert route_answer(EB, ("10.0.0.0/16", "network-interface", "eni-fw"))[2:] == ("rtb-1 10.0.0.0/16", "eni-fw")


def lists(*records: PrefixList) -> dict:
    return {"prefix_lists": by_id("prefix_list_id", *records)}


S3 = PrefixList("pl-s3", (N("8.8.0.0/16"), N("8.8.8.0/24")))


def test_rt06_a_list_competes_with_its_longest_entry():
    endpoint = ("pl-s3", "gateway-endpoint", "vpce-1")
    assert route_answer(X, endpoint, IGW, **lists(S3))[2:] == ("rtb-1 pl-s3", "vpce-1")
    assert route_answer(X, endpoint, ("8.8.8.0/25", *PCX), **lists(S3))[3] == "pcx-1"
    assert route_answer(X, endpoint, ("8.8.8.0/24", *PCX), **lists(S3))[3] == "pcx-1"  # RT-08
    assert route_answer("9.9.9.9", endpoint, IGW, **lists(S3))[3] == "igw-1"
    propagated = route("8.8.8.0/24", "virtual-private-gateway", "vgw-1", propagated=True)
    assert route_answer(X, propagated, endpoint, **lists(S3))[3] == "vpce-1"  # RT-05


def test_rt07_overlapping_lists():
    other = PrefixList("pl-2", (N("8.8.8.0/24"),))
    two = [("pl-s3", "gateway-endpoint", "vpce-1"), ("pl-2", *PCX)]
    assert route_answer(X, *two, **lists(S3, other)) == ("unknown", "AMBIGUOUS_PREFIX_LIST_ROUTE", None, "")
    assert route_answer("8.8.9.9", *two, **lists(S3, other))[3] == "vpce-1"
    same = [("pl-s3", *PCX), ("pl-2", *PCX)]
    assert route_answer(X, *same, **lists(S3, other))[2] == "rtb-1 pl-s3"


@pytest.mark.parametrize(
    ("destination", "family", "routes", "missing"),
    [
        (X, None, [IGW], True),
        (X, 4, [], True),
        (X, 6, [IGW], False),
        (X, None, [("8.8.8.8/32", "internet-gateway", "igw-1")], False),
        (X, None, [("8.8.8.8/31", "internet-gateway", "igw-1")], True),
        (EB, None, [], False),  # RT-10: inside the VPC a list cannot be more specific than local
    ],
)
def test_lists_whose_entries_are_not_described(destination, family, routes, missing):
    unknown = lists(PrefixList("pl-1", None, family))
    found = route_answer(destination, ("pl-1", "gateway-endpoint", "vpce-1"), *routes, **unknown)
    assert (found[1] == "MISSING_PREFIX_LIST") == missing
    assert (found[2] is None) == missing


def test_rt13_a_black_hole_still_wins():
    gone = route("8.8.8.0/24", *PCX, blackhole=True)
    assert route_answer(X, IGW, gone)[:3] == ("deny", "BAD_STATE_ROUTE", "rtb-1 8.8.8.0/24")


def test_rt04_per_family():
    assert route_answer("2001:4860:4860::8888", IGW)[:2] == ("deny", "NO_ROUTE_TO_DESTINATION")


def test_secondary_cidr_of_the_vpc_is_local():
    vpcs = {"vpc-1": Vpc("vpc-1", (N("10.0.0.0/16"), N("100.65.0.0/16")))}
    far = interface("eni-s", "subnet-b", address("100.65.0.9"))
    assert route_answer("100.65.0.9", IGW, vpcs=vpcs, **with_interfaces(far))[2] == "rtb-1 100.65.0.0/16"
    assert IP("100.65.0.9") in vpcs["vpc-1"].cidr_blocks[1]
