"""`explain` to load balancers: listeners, targets, zones, whose address the target sees, which target stands.

Worked cases C-12 to C-14 and point 12.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from walk_between_networks import (
    ALB,
    ALB_PUBLIC,
    NLB,
    NLB_PUBLIC,
    OUTSIDE,
    PEER,
    TABLES,
    C,
    R,
    T,
    acls,
    ask,
    balancers,
    groups,
    interfaces,
    network,
    ports,
    tables,
    target_groups,
)
from walk_networks import N, address, allow, answer, bits, entry, flow, stages

from flowcore.model import Instance, Listener, Subnet, Target
from flowcore.sources.describe import network_from_documents
from flowcore.walk import explain, health_check_findings

WEB, NET = flow(OUTSIDE, ALB_PUBLIC), flow(OUTSIDE, NLB_PUBLIC)


def packets(path, leg: str) -> list[tuple[str, str]]:
    """(stage, packet) of each check of one direction."""
    return [(hop.stage, str(hop.packet_in)) for hop in path.hops if hop.leg == leg and hop.evaluated]


def test_c12_an_application_load_balancer_opens_a_conversation_of_its_own():
    path = ask(WEB)
    own = f"tcp {ALB}:1024-65535 -> {T}:8080"
    assert packets(path, "forward") == [
        ("gateway", f"tcp {OUTSIDE}:50000 -> {ALB_PUBLIC}:443"),
        *(
            (f"destination{stage}", f"tcp {OUTSIDE}:50000 -> {ALB}:443")
            for stage in ("-network-acl", "-security-group", "")
        ),
        ("load-balancer", f"tcp {OUTSIDE}:50000 -> {ALB}:443"),
        *((f"middle-{stage}", own) for stage in ("interface", "security-group", "network-acl", "route")),
        *((f"middle-{stage}", own) for stage in ("network-acl", "security-group", "interface")),
    ]
    back = f"tcp {T}:8080 -> {ALB}:1024-65535"
    assert packets(path, "reply") == [
        *((f"reply-middle-{stage}", back) for stage in ("network-acl", "route", "network-acl")),
        *(
            (f"reply-{stage}", f"tcp {ALB}:443 -> {OUTSIDE}:50000")
            for stage in ("destination-network-acl", "route", "gateway")
        ),
    ]
    assert (path.verdict, path.path, path.dst_interface) == ("ACCEPT", "load-balancer", "eni-alb")
    assert (path.targets, path.reachable_targets, path.dst_sg_rule) == (1, 1, "sgr-in443")


def test_al02_the_target_sees_the_node():
    for remote, verdict in (("10.0.0.11/32", "ACCEPT"), ("203.0.113.5/32", "REJECT")):
        path = ask(WEB, security_groups=groups(t=[allow("sgr-in", False, 6, (8080, 8080), cidr_block=N(remote))]))
        assert path.verdict == verdict
    path = ask(WEB, security_groups=groups(t=[allow("sgr-ref", False, referenced_group_id="sg-alb")]))
    assert path.verdict == "ACCEPT"  # SG-25
    path = ask(WEB, security_groups=groups(alb=ports(443)))
    assert answer(path) == ("REJECT", "SG_HAS_NO_RULES", "middle-security-group")  # AL-01
    assert (path.targets, path.reachable_targets) == (1, 0)


def test_al08_na16_the_lists_between_node_and_target():
    for listed, expected in (
        ([entry(1, False, False, 6, from_port=1024, to_port=65535), entry(2, False), entry(3, True)],
         ("REJECT", "SUBNET_ACL_RESTRICTION", "reply-middle-network-acl")),
        ([entry(1, False, True, 6, from_port=32768, to_port=65535),
          entry(2, False, True, 6, from_port=443, to_port=443), entry(3, True)],
         ("UNKNOWN", "REMAP_EPHEMERAL_PORT", "reply-middle-network-acl")),
    ):  # fmt: skip
        path = ask(WEB, network_acls=acls(P=listed))
        assert (*answer(path), path.forward) == (*expected, "ACCEPT")


def test_c13_a_network_load_balancer_that_keeps_the_clients_address():
    path = ask(NET)
    client = f"tcp {OUTSIDE}:50000 -> {T}:8443"
    assert packets(path, "forward")[5:] == [
        *(
            (f"middle-{stage}", client)
            for stage in ("security-group", "network-acl", "route", "network-acl", "security-group")
        ),
    ]
    back = f"tcp {T}:8443 -> {OUTSIDE}:50000"
    assert packets(path, "reply")[:2] == [("reply-middle-network-acl", back)] * 2
    assert stages(path, "reply")[2:] == ["reply-destination-network-acl", "reply-route", "reply-gateway"]
    assert (path.verdict, path.path, path.targets, path.reachable_targets) == ("ACCEPT", "load-balancer", 1, 1)
    # NL-11: the target's own table is not asked
    ways = tables(Q=[("0.0.0.0/0", "internet-gateway", "igw-none")])
    assert ask(NET, route_tables=ways).verdict == "ACCEPT"


def test_nl09_what_the_targets_group_must_allow():
    for remote, verdict in (("203.0.113.5/32", "ACCEPT"), ("10.0.0.31/32", "REJECT")):
        seen = groups(t=[allow("sgr-in", False, 6, (8443, 8443), cidr_block=N(remote))])
        assert ask(NET, security_groups=seen).verdict == verdict
    referring = groups(t=[allow("sgr-ref", False, referenced_group_id="sg-nlb")])
    assert ask(NET, security_groups=referring).verdict == "ACCEPT"  # SG-25
    without = interfaces(nlb={"group_ids": ()})
    path = ask(NET, security_groups=referring, interfaces=without)  # NL-03
    assert answer(path) == ("REJECT", "ENI_SG_RULES_MISMATCH", "middle-security-group")
    # the client's own group is not seen through it
    inside = groups(t=[allow("sgr-ref", False, referenced_group_id="sg-r")])
    path = ask(flow(R, NLB), security_groups=inside)
    assert answer(path) == ("REJECT", "SG_REFERENCES_NOT_PRESERVED", "middle-security-group")


def test_c14_a_network_load_balancer_that_hides_the_client():
    off = target_groups(nlb={"preserve_client_ip": False})
    path = ask(NET, target_groups=off)
    assert path.verdict == "ACCEPT"
    assert ("middle-security-group", f"tcp {NLB}:1024-65535 -> {T}:8443") in packets(path, "forward")
    # NL-11 does not hold: the target answers the node, by its own table
    gone = {"route_tables": tables(Q=[("10.0.0.0/24", "local-gateway", "lgw-1")])}
    assert ask(NET, target_groups=off, **gone).stage == "reply-middle-route"


@pytest.mark.parametrize(
    ("changes", "preserved"),
    [
        ({}, True),  # NL-05: instance
        ({"preserve_client_ip": False}, False),
        ({"target_type": "ip", "targets": (Target(T),)}, False),
        ({"target_type": "ip", "targets": (Target(T),), "protocol": "TCP_UDP"}, True),
        ({"target_type": "ip", "targets": (Target(T),), "preserve_client_ip": True}, True),
    ],
)
def test_nl05_who_keeps_the_clients_address(changes, preserved):
    path = ask(NET, target_groups=target_groups(nlb=changes))
    assert [each.client_address_preserved for each in path.behind] == [preserved]


def test_nl07_a_target_cannot_reach_itself_through_its_load_balancer():
    path = ask(flow(T, NLB))
    assert answer(path) == ("REJECT", "ELBV2_SOURCE_ADDRESS_PRESERVATION", "load-balancer")
    assert (path.targets, path.reachable_targets, path.reply) == (1, 0, None)


def test_nl07_kept_addresses_do_not_cross_a_transit_gateway():
    peer = target_groups(nlb={"target_type": "ip", "targets": (Target(PEER),), "preserve_client_ip": True})
    for kind, target, expected in (
        ("vpc-peering-connection", "pcx-1", None),
        ("transit-gateway", "tgw-1", "ELBV2_SOURCE_ADDRESS_PRESERVATION"),
    ):
        ways = tables(P=[*TABLES["P"], ("10.9.0.0/16", kind, target)])
        assert ask(NET, target_groups=peer, route_tables=ways).reason == expected


# -- the load balancer itself --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "failed"}, ("REJECT", "BAD_STATE")),
        ({"kind": "gateway"}, ("UNKNOWN", "UNSUPPORTED_COMPONENT")),
        ({"listeners": None}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"listeners": (Listener(80, "HTTP", ("arn:tg-alb",)),)}, ("REJECT", "ELBV2_LISTENERS_MISMATCH")),  # LB-05
        ({"listeners": (Listener(443, "UDP", ("arn:tg-alb",)),)}, ("REJECT", "ELBV2_LISTENERS_MISMATCH")),
        ({"listeners": (), "kind": "classic"}, ("REJECT", "ELB_LISTENERS_MISMATCH")),
        ({"listeners": (Listener(443, "HTTPS"),)}, ("REJECT", "ELBV2_LISTENER_HAS_NO_TG")),
        ({"listeners": (Listener(443, "HTTPS", ("arn:none",)),)}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
    ],
)
def test_lb05_the_load_balancer_itself(changes, expected):
    path = ask(WEB, load_balancers=balancers(alb=changes))
    assert answer(path) == (*expected, "load-balancer")
    assert (path.targets, path.reachable_targets, path.reply, path.path) == (None, None, None, "load-balancer")


def test_al05_a_listener_that_answers_itself():
    path = ask(WEB, load_balancers=balancers(alb={"listeners": (Listener(443, "HTTPS", answers=True),)}))
    assert (path.verdict, path.targets) == ("ACCEPT", None)
    assert stages(path)[-1] == "reply-gateway"


def test_al06_lambda_targets_are_always_reached():
    path = ask(WEB, target_groups=target_groups(alb={"target_type": "lambda", "targets": None}))
    assert (path.verdict, path.targets, path.reachable_targets) == ("ACCEPT", 1, 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"targets": ()}, ("REJECT", "ELBV2_LISTENER_HAS_NO_TG")),
        ({"targets": None}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"targets": (Target("i-none"),)}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"port": None}, ("UNKNOWN", "UNKNOWN_RESOURCE")),
        ({"targets": (Target("10.0.1.99"),), "target_type": "ip"}, ("UNKNOWN", "UNKNOWN_DESTINATION")),
    ],
)
def test_lb08_targets_that_are_not_described(changes, expected):
    for asked in (WEB, NET):
        path = ask(asked, target_groups=target_groups(alb=changes, nlb={**changes, "preserve_client_ip": True}))
        own = asked is WEB and expected[1] == "UNKNOWN_DESTINATION"  # the node's own conversation finds nobody
        assert answer(path) == (*expected, "middle-interface" if own else "load-balancer")


def test_lb08_a_targets_own_port_before_the_groups():
    path = ask(WEB, target_groups=target_groups(alb={"targets": (Target("i-t", 443),)}))
    assert f"tcp {ALB}:1024-65535 -> {T}:443" in [packet for _, packet in packets(path, "forward")]


ZONES = {
    **network().subnets,
    "P2": Subnet("P2", "vpc-a", N("10.0.5.0/24"), availability_zone="eu-west-1b"),
    "Q": Subnet("Q", "vpc-a", N("10.0.1.0/24"), availability_zone="eu-west-1b"),
}
TWO = ("P", "P2")


def test_lb04_point_12_targets_in_another_zone():
    for changes, expected in (
        ({"subnet_ids": TWO}, "ELB_NOT_CROSSZONE"),
        ({"subnet_ids": TWO, "cross_zone": True}, None),
        ({"subnet_ids": ("P",)}, "ELB_INSTALLED_AZ_RESTRICTION"),  # LB-03
    ):
        assert ask(NET, subnets=ZONES, load_balancers=balancers(nlb=changes)).reason == expected
    on = {"subnets": ZONES, "load_balancers": balancers(alb={"subnet_ids": TWO})}
    assert ask(WEB, **on).verdict == "ACCEPT"
    off = target_groups(alb={"cross_zone": False})  # the target group's setting wins
    assert ask(WEB, **on, target_groups=off).reason == "ELB_NOT_CROSSZONE"


def test_lb03_zones_of_addresses_outside_the_vpc():
    for zone, expected in (("all", None), (None, None), ("eu-west-1b", "ELB_INSTALLED_AZ_RESTRICTION")):
        outside = target_groups(nlb={"target_type": "ip", "targets": (Target(PEER, availability_zone=zone),)})
        changes = {"load_balancers": balancers(nlb={"subnet_ids": ("P",)}), "target_groups": outside}
        path = ask(NET, **changes, route_tables=tables(P=[*TABLES["P"], TABLES["Q"][1]]))
        assert path.reason == expected


# -- several targets -----------------------------------------------------------------------------------------

MANY = {
    "instances": {**network().instances, "i-r": Instance("i-r", "running", "vpc-a", "R", ("eni-r",))},
    "target_groups": target_groups(alb={"targets": (Target("i-r"), Target("i-t"))}),
    "subnets": network().subnets,
}


def test_the_best_target_stands_for_the_walk():
    shut = groups(r=ports(443))
    path = ask(WEB, **MANY, security_groups=shut)
    assert (path.verdict, path.targets, path.reachable_targets, path.blocked_by) == ("ACCEPT", 2, 1, 0)
    assert [(each.target, each.forward, each.reason, each.chosen) for each in path.behind] == [
        ("i-r", "REJECT", "ENI_SG_RULES_MISMATCH", False),
        ("i-t", "ACCEPT", None, True),
    ]
    path = ask(WEB, **MANY, security_groups=groups(r=ports(443), t=ports(443)))
    assert (*answer(path), path.reachable_targets) == ("REJECT", "ENI_SG_RULES_MISMATCH", "middle-security-group", 0)
    # the reply is lost before the forward way is
    path = ask(WEB, **MANY, security_groups=shut, network_acls=acls(Q=[entry(1, False)]))
    assert (path.forward, path.reply, path.stage) == ("ACCEPT", "REJECT", "reply-middle-network-acl")
    # undecided before lost
    gone = target_groups(alb={"targets": (Target("i-r"), Target("i-none"))})
    path = ask(WEB, **{**MANY, "target_groups": gone}, security_groups=shut)
    assert answer(path) == ("UNKNOWN", "UNKNOWN_RESOURCE", "load-balancer")


def test_nl13_an_application_load_balancer_behind_a_network_load_balancer():
    behind = target_groups(nlb={"target_type": "alb", "port": 443, "targets": (Target("arn:alb"),)})
    path = ask(NET, target_groups=behind)
    assert (path.verdict, path.targets, path.reachable_targets) == ("ACCEPT", 1, 1)
    assert stages(path, "forward").count("load-balancer") == 2
    shut = groups(alb=[allow("sgr-in", False, 6, (443, 443), cidr_block=N("10.0.0.0/8")), allow("sgr-out", True)])
    assert answer(ask(NET, target_groups=behind, security_groups=shut))[::2] == ("REJECT", "middle-security-group")
    assert answer(ask(NET, target_groups=target_groups(nlb={"target_type": "alb", "targets": (Target("arn:x"),)}))) == (
        *("UNKNOWN", "UNKNOWN_RESOURCE", "load-balancer"),
    )


def test_a_circle_of_load_balancers_ends():
    circle = target_groups(alb={"target_type": "ip", "port": 443, "targets": (Target(ALB),)})
    path = ask(WEB, target_groups=circle)
    assert answer(path) == ("UNKNOWN", "UNSUPPORTED_COMPONENT", "load-balancer")


def test_cl01_a_classic_load_balancer_meets_its_list_even_in_its_own_subnet():
    node = {"interface_type": "classic_load_balancer", "subnet_id": "Q", "addresses": (address("10.0.1.11"),)}
    classic = balancers(alb={"kind": "classic", "listeners": (Listener(443, "TCP", ("arn:tg-alb",)),)})
    changes = {"interfaces": interfaces(alb=node), "load_balancers": classic}
    assert ask(flow(R, "10.0.1.11"), **changes).verdict == "ACCEPT"
    listed = [entry(1, True, False, 6, from_port=8080, to_port=8080), entry(2, True), entry(3, False)]
    path = ask(flow(R, "10.0.1.11"), **changes, network_acls=acls(Q=listed))
    assert answer(path) == ("REJECT", "ELB_ACL_RESTRICTION", "middle-network-acl")
    # any other client in that subnet meets no list (NA-05)
    assert ask(flow(C, T, 8080), network_acls=acls(Q=listed)).verdict == "ACCEPT"


def test_the_reply_to_the_client_is_judged_too():
    path = ask(WEB, network_acls=acls(P=[entry(1, True, False, 6, from_port=50000, to_port=50000), entry(2, True),
               entry(3, False)]))  # fmt: skip
    assert answer(path) == ("REJECT", "SUBNET_ACL_RESTRICTION", "reply-destination-network-acl")
    assert (path.targets, path.reachable_targets) == (1, 1)


def test_blocked_by_counts_the_chosen_targets_denies_only():
    path = ask(WEB, security_groups=groups(t=ports(443)), network_acls=acls(Q=[entry(1, True)]))
    assert path.blocked_by == bits("middle-security-group", "middle-network-acl")


# -- health checks -------------------------------------------------------------------------------------------


def test_lb06_health_checks_that_reach_no_target_of_a_zone():
    assert health_check_findings(network()) == ()
    shut = network(target_groups=target_groups(alb={"health_check_port": 9999}))
    (issue,) = health_check_findings(shut)
    assert (issue.severity, issue.code, issue.resource) == ("warning", "health-check-blocked", "arn:alb")
    for part in ("HEALTH_CHECK_BLOCKED", "web", "eu-west-1a", "ENI_SG_RULES_MISMATCH"):
        assert part in issue.message
    path = explain(shut, WEB)
    assert (path.verdict, path.warnings) == ("ACCEPT", (issue.message,))  # never the verdict
    assert path.to_dict()["warnings"] == [issue.message]
    # one target of the zone answers: no warning
    some = replace(shut, **{key: MANY[key] for key in ("instances", "target_groups")})
    assert health_check_findings(some) == ()


def test_lb07_health_checks_come_from_the_node():
    # the client's address is kept, but health checks come from the node (NL-09)
    only_clients = groups(t=[allow("sgr-in", False, 6, (8443, 8443), cidr_block=N("203.0.113.0/24")), *ports(8080)])
    path = ask(NET, security_groups=only_clients)
    assert path.verdict == "ACCEPT"
    assert len(path.warnings) == 1


def test_health_checks_of_targets_that_are_not_described_are_not_guessed():
    gone: dict[str, Any] = {"target_groups": target_groups(alb={"targets": (Target("i-none"),)})}
    assert health_check_findings(network(**gone)) == ()


def test_al04_the_rule_of_a_client_by_what_aws_describes():
    """Of several source-ip conditions all must hold; without values a condition is one that cannot be known."""
    listener = "arn:aws:elasticloadbalancing:us-east-1:1:listener/app/w/1/2"
    balancer = listener.rpartition("/")[0].replace(":listener/", ":loadbalancer/")

    def rules(*conditions: Any) -> Any:
        own = {"RuleArn": "r", "Priority": "5", "Conditions": conditions, "Actions": []}
        default = [{"Type": "fixed-response"}]
        rows = {"ListenerArn": listener, "Port": 80, "Protocol": "HTTP", "DefaultActions": default}
        documents = {
            "LoadBalancers": [{"LoadBalancerArn": balancer, "Type": "application", "VpcId": "vpc-1"}],
            "LoadBalancerListeners": [{"LoadBalancerArn": balancer, "Listeners": [rows]}],
            "LoadBalancerRules": [{"ListenerArn": listener, "Rules": [own]}],
        }
        found = network_from_documents(documents).load_balancers[balancer].listeners[0].rules
        return [(each.client_cidr_blocks, each.certain) for each in found][:1]

    def source_ip(*values: str) -> dict[str, Any]:
        return {"Field": "source-ip", "SourceIpConfig": {"Values": list(values)}}

    path = {"Field": "path-pattern", "Values": ["/api/*"]}
    assert rules(source_ip("10.0.0.0/8", "2001:db8::/32")) == [((N("10.0.0.0/8"), N("2001:db8::/32")), True)]
    assert rules(source_ip("10.0.0.0/8"), path) == [((N("10.0.0.0/8"),), False)]
    assert rules(source_ip("10.0.0.0/8"), source_ip("10.1.0.0/16", "192.0.2.0/24")) == [((N("10.1.0.0/16"),), True)]
    assert rules(path) == rules(source_ip()) == []


def test_al04_an_unknown_target_may_be_reached_where_the_known_ones_answers_are_lost():
    """(ACCEPT, REJECT) is worse than UNKNOWN: whether any target is reached is not known then."""
    lost = {"network_acls": acls(P=[entry(100, False, False, 6, "10.0.1.0/24"), entry(101, False), entry(100, True)])}
    path = ask(WEB, **lost)
    assert answer(path) == ("REJECT", "SUBNET_ACL_RESTRICTION", "reply-middle-network-acl")
    incomplete = balancers(alb={"listeners": (Listener(443, "HTTPS", ("arn:tg-alb",), complete=False),)})
    path = ask(WEB, **lost, load_balancers=incomplete)
    assert (*answer(path), path.targets, path.reachable_targets) == (
        "UNKNOWN",
        "UNKNOWN_RESOURCE",
        "load-balancer",
        1,
        0,
    )
