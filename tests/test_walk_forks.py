"""Where AWS may choose among the zones of a transit gateway's attachment (TG-06, TG-07), and where no CIDR is known.

Each flow is asked of `explain` and of the compiled network.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from walk_between_networks import OUTSIDE, PEER, SPOKE, C, acls, attachment, groups, network, tables, to
from walk_networks import N, allow, by_id, flow, group, interface, table

from flowcore.evaluate import compile_network
from flowcore.model import (
    Network,
    NetworkAcl,
    Subnet,
    TransitGatewayRouteTable,
    Vpc,
    VpcPeeringConnection,
)
from flowcore.walk import explain

COLUMNS = ("verdict", "forward", "reply", "reason", "stage")


def judged(described: Network, asked: dict[str, Any]) -> tuple[Any, ...]:
    """What both say of a flow; they agree."""
    said = explain(described, asked).columns()
    row = compile_network(described).evaluate(pl.DataFrame([asked], infer_schema_length=None)).row(0, named=True)
    assert [row[name] for name in COLUMNS] == [said[name] for name in COLUMNS]
    return tuple(said[name] for name in COLUMNS)


def inspection(
    *, appliance_mode: bool = True, server_zone: str = "b", propagated: bool = True, **changes: Any
) -> Network:
    """Two VPCs whose transit gateway sends all by a third: there, in zones a and b, an attachment subnet (I-a, I-b)
    whose table leads to an appliance (X-a, X-b) of its own; from there back to the transit gateway."""
    base = network()
    subnets = {
        name: replace(subnet, availability_zone=f"eu-west-1{server_zone}") if name in ("S", "S-T") else subnet
        for name, subnet in base.subnets.items()
    }
    routes, lists, boxes = tables(Q=[("0.0.0.0/0", "transit-gateway", "tgw-1")]), acls(), {}
    open_list = lists["acl-Q"]
    for number, zone in enumerate("ab"):
        for kind, third in (("I", 1), ("X", 2)):
            name = f"{kind}-{zone}"
            cidr = N(f"10.7.{third}.{16 * number}/28")
            subnets[name] = Subnet(name, "vpc-i", cidr, availability_zone=f"eu-west-1{zone}")
            lists[f"acl-{name}"] = NetworkAcl(f"acl-{name}", "vpc-i", open_list.entries, subnet_ids=(name,))
        boxes[f"eni-{zone}"] = replace(
            interface(f"eni-{zone}", f"X-{zone}", f"10.7.2.{16 * number + 9}", group_ids=(f"sg-{zone}",)),
            vpc_id="vpc-i",
            source_dest_check=False,
        )
        to_box, onward = ("0.0.0.0/0", "network-interface", f"eni-{zone}"), ("0.0.0.0/0", "transit-gateway", "tgw-1")
        for name, route in ((f"I-{zone}", to_box), (f"X-{zone}", onward)):
            routes[f"rtb-{name}"] = replace(table(f"rtb-{name}", route, subnet_ids=(name,)), vpc_id="vpc-i")
    every = [allow("sgr-out", True), allow("sgr-in", False)]
    attached = attachment("att-i", "vpc-i", "I-a", "I-b", appliance_mode=appliance_mode)
    spokes = TransitGatewayRouteTable("rtb-spokes", "tgw-1", (to("0.0.0.0/0", "att-i"),), True, ("att-a", "att-s"))
    beyond = tuple(
        to(cidr, each, propagated=propagated) for cidr, each in (("10.0.0.0/16", "att-a"), ("10.8.0.0/16", "att-s"))
    )
    return replace(
        base,
        **{
            "vpcs": {**base.vpcs, "vpc-i": Vpc("vpc-i", (N("10.7.0.0/16"),))},
            "subnets": subnets,
            "interfaces": {**base.interfaces, **boxes},
            "security_groups": {**groups(), **{f"sg-{zone}": group(*every, group_id=f"sg-{zone}") for zone in "ab"}},
            "network_acls": lists,
            "route_tables": routes,
            "transit_gateway_attachments": {**base.transit_gateway_attachments, "att-i": attached},
            "transit_gateway_route_tables": {
                "rtb-spokes": spokes,
                "rtb-inspected": TransitGatewayRouteTable("rtb-inspected", "tgw-1", beyond, True, ("att-i",)),
            },
            **changes,
        },
    )


def refusing(described: Network, zone: str) -> Network:
    """The same network, the appliance of one zone lets nothing in."""
    closed = group(allow("sgr-out", True), group_id=f"sg-{zone}")
    return replace(described, security_groups={**described.security_groups, f"sg-{zone}": closed})


ACCEPTED = ("ACCEPT", "ACCEPT", "ACCEPT", None, None)
UNDECIDED = ("UNKNOWN", "UNKNOWN", None, "TGW_ATTACH_VPC_AZ_RESTRICTION", "transit-gateway")


def test_tg07_appliance_mode_keeps_one_zone_there_and_back():
    assert judged(inspection(), flow(C, SPOKE)) == ACCEPTED  # whichever it is, by the same appliance both ways
    way = [
        hop.component for hop in explain(inspection(), flow(C, SPOKE)).hops if hop.stage.endswith("middle-interface")
    ]
    assert way == ["eni-a", "eni-a"]


def test_tg06_without_appliance_mode_each_direction_takes_its_senders_zone():
    said = judged(inspection(appliance_mode=False), flow(C, SPOKE))
    assert said == (
        "UNKNOWN",
        "ACCEPT",
        "UNKNOWN",
        "ASYMMETRIC_RETURN",
        "reply-middle-interface",
    )  # C-03: two appliances
    assert judged(inspection(appliance_mode=False, server_zone="a"), flow(C, SPOKE)) == ACCEPTED


@pytest.mark.parametrize("zone", ["a", "b"])
def test_tg07_zones_that_answer_differently(zone):
    assert judged(refusing(inspection(), zone), flow(C, SPOKE)) == UNDECIDED


def test_tg07_zones_that_refuse_alike():
    said = judged(refusing(refusing(inspection(), "a"), "b"), flow(C, SPOKE))
    assert said == ("REJECT", "REJECT", None, "SG_HAS_NO_RULES", "middle-security-group")


def test_tg07_both_ends_in_one_zone_stay_there():
    assert judged(refusing(inspection(server_zone="a"), "b"), flow(C, SPOKE)) == ACCEPTED
    assert judged(refusing(inspection(server_zone="a"), "a"), flow(C, SPOKE))[0] == "REJECT"
    # what is not propagated the transit gateway does not know the zone of: always the hash
    assert judged(refusing(inspection(server_zone="a", propagated=False), "b"), flow(C, SPOKE)) == UNDECIDED


def test_tg02_associations_known_of_some_tables_only():
    described = inspection()
    other = TransitGatewayRouteTable("rtb-other", "tgw-1", (), True, None)
    spokes = replace(described.transit_gateway_route_tables["rtb-spokes"], attachment_ids=("att-s",))
    known = {**described.transit_gateway_route_tables, "rtb-spokes": spokes}
    missing = ("REJECT", "REJECT", None, "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION", "transit-gateway")
    assert judged(replace(described, transit_gateway_route_tables=known), flow(C, SPOKE)) == missing
    said = judged(replace(described, transit_gateway_route_tables={**known, "rtb-other": other}), flow(C, SPOKE))
    assert said == ("UNKNOWN", "UNKNOWN", None, "TGW_RTB_ROUTES_ARE_UNKNOWN", "transit-gateway")


# -- CIDRs that nobody tells ---------------------------------------------------------------------------------


def test_px03_a_peer_whose_cidrs_are_not_described():
    base = network()
    bare = replace(base, vpcs={name: vpc for name, vpc in base.vpcs.items() if name != "vpc-n"})
    assert judged(bare, flow(C, PEER)) == ACCEPTED  # an interface there holds it
    unheld = judged(bare, flow(C, "10.9.0.77"))
    assert unheld == ("UNKNOWN", "UNKNOWN", None, "UNKNOWN_RESOURCE", "peering")
    listed = VpcPeeringConnection("pcx-1", "active", "vpc-a", "vpc-n", accepter_cidr_blocks=(N("10.9.0.0/24"),))
    told = replace(bare, peering_connections=by_id("peering_id", listed))
    assert judged(told, flow(C, "10.9.0.77"))[3:] == ("UNKNOWN_DESTINATION", "destination")
    assert judged(told, flow(C, "10.9.1.77"))[3:] == ("PCX_REQUIRES_ADDRESS_IN_VPC_CIDR", "peering")


def test_ng09_an_interface_outside_its_vpcs_cidrs_is_in_the_vpc_all_the_same():
    base = network()
    small = replace(base, vpcs={**base.vpcs, "vpc-a": Vpc("vpc-a", (N("10.0.0.0/24"),))})
    assert judged(small, flow(C, OUTSIDE))[3] != "NGW_REQUIRES_SOURCE_IN_VPC"
    straight = replace(small, route_tables=tables(Q=[("0.0.0.0/0", "internet-gateway", "igw-1")]))
    assert judged(straight, flow(C, OUTSIDE))[3:] == ("IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", "gateway")


def test_rt21_a_redirected_subnet_sends_nothing_directly():
    base = network()
    edge = replace(
        table("rtb-edge", ("10.0.0.0/24", "network-interface", "eni-fw"), gateway_ids=("igw-1",)), vpc_id="vpc-a"
    )
    public = {**base.interfaces, "eni-c": interface("eni-c", "P", "10.0.0.5", group_ids=("sg-c",))}
    own = replace(public["eni-c"].addresses[0], public_address=base.interfaces["eni-nat"].addresses[0].public_address)
    public["eni-c"] = replace(public["eni-c"], vpc_id="vpc-a", addresses=(own,))
    described = replace(base, interfaces=public, route_tables={**tables(), "rtb-edge": edge})
    redirected = ("REJECT", "REJECT", None, "INGRESS_RTB_TRAFFIC_REDIRECTION", "gateway")
    assert judged(described, flow("10.0.0.5", OUTSIDE)) == redirected
    error = {**flow("10.0.0.5", OUTSIDE), "protocol": 1, "srcport": None, "dstport": None}
    assert judged(described, {**error, "icmp_type": 3, "icmp_code": 3}) == redirected  # asks for no reply
    assert judged(replace(described, route_tables=tables()), {**error, "icmp_type": 3, "icmp_code": 3})[0] == "ACCEPT"
