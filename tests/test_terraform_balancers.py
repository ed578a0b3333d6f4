"""Plans that make or change load balancers, interface endpoints and VPN connections."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plan_documents import change, configured, const, documents, network, planned, refs
from test_terraform_between import LB, TG, balanced, listener_values, routes_of
from test_terraform_between import LISTENER as LISTENER_ARN

import flowcore as fc
from flowcore.model import Network
from flowcore.selectors import flow_between, select

N = ip_network
ANY = "0.0.0.0/0"
HTTPS = {"port": 443, "protocol": "HTTPS"}


def codes(done: Any) -> set[str]:
    return {issue.code for issue in done.issues}


def between(over: Network, source: str, destination: str, port: int = 443) -> fc.Path:
    """The flow between two ends by name, and the fast path's verdict is the twin's."""
    flow = flow_between(over, select(over, source)[0], select(over, destination)[0], "tcp", None, port)
    path = fc.explain(over, flow)
    fast = fc.compile_network(over).evaluate(pl.DataFrame([flow])).row(0, named=True)
    assert (fast["verdict"], fast["reason"]) == (path.verdict, path.reason)
    return path


# -- target groups ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", [refs("aws_lb_target_group.a.arn"), refs("local.group")])
def test_lb08_what_a_service_registers_with_a_new_target_group_is_not_known(tmp_path: Path, expression: Any) -> None:
    group = {"name": "a", "port": 8080, "protocol": "HTTP", "target_type": "ip", "vpc_id": "vpc-1"}
    arn = {"id": TG.format("a"), "arn": TG.format("a")}
    listener, service = listener_values(TG.format("a")), {"id": "arn:s", "name": "s"}
    held = {"target_group_arn": TG.format("a"), "container_name": "c"}
    unknown = {"target_group_arn": True}
    after = {**service, "load_balancer": [{"container_name": "c"}]}
    forward, made = {**listener, "default_action": [{"type": "forward"}]}, {"id": True, "arn": True}
    changes = [
        change("aws_lb_target_group.a", "create,delete", {**group, **arn}, {**group, "port": 81}, made),
        change("aws_lb_listener.l", "update", listener, forward, {"default_action": [unknown]}),
        change(
            "aws_ecs_service.s", "update", {**service, "load_balancer": [held]}, after, {"load_balancer": [unknown]}
        ),
        change("aws_lb_target_group.b", "create", None, group, made),
    ]
    follows = {"default_action": [{"target_group_arn": refs("aws_lb_target_group.a.arn")}]}
    resources = [
        configured("aws_lb_target_group.a"),
        configured("aws_lb_target_group.b"),
        configured("aws_lb_listener.l", follows),
        configured("aws_ecs_service.s", {"load_balancer": [{"target_group_arn": expression}]}),
    ]
    over = network(balanced())
    done = planned(tmp_path, changes, resources, over=over)
    groups = done.network.target_groups
    assert groups["tf:aws_lb_target_group.a"].targets is None
    assert groups["tf:aws_lb_target_group.b"].targets == (None if expression == refs("local.group") else ())
    warned = {(issue.code, issue.resource) for issue in done.issues}
    assert warned >= {("not-modelled", "aws_ecs_service.s"), ("known-after-apply", "aws_lb_target_group.a")}
    assert done.network_without(done.names) == over


# -- load balancers ---------------------------------------------------------------------------------------


def front() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A new Application Load Balancer in subnet-pub with a group of its own, in front of i-web."""
    changes = [
        change("aws_security_group.lb", "create", None, {"name": "lb", "vpc_id": "vpc-1"}, {"id": True}),
        *(
            change(
                f"aws_vpc_security_group_{way}_rule.lb", "create", None, {"ip_protocol": "-1", "cidr_ipv4": ANY},
                {"id": True, "security_group_id": True},
            )
            for way in ("ingress", "egress")
        ),
        change(
            "aws_lb.front", "create", None,
            {"name": "front", "internal": False, "load_balancer_type": "application", "subnets": ["subnet-pub"]},
            {"id": True, "arn": True, "security_groups": True},
        ),
        change(
            "aws_lb_target_group.web", "create", None, {**HTTPS, "vpc_id": "vpc-1", "target_type": "instance"},
            {"id": True, "arn": True},
        ),
        change(
            "aws_lb_target_group_attachment.web", "create", None, {"target_id": "i-web", "port": 443},
            {"id": True, "target_group_arn": True},
        ),
        change(
            "aws_lb_listener.front", "create", None, {**HTTPS, "default_action": [{"type": "forward"}]},
            {"id": True, "load_balancer_arn": True, "default_action": [{"target_group_arn": True}]},
        ),
    ]  # fmt: skip
    group = refs("aws_security_group.lb.id")
    resources = [
        configured("aws_security_group.lb"),
        configured("aws_vpc_security_group_ingress_rule.lb", {"security_group_id": group}),
        configured("aws_vpc_security_group_egress_rule.lb", {"security_group_id": group}),
        configured("aws_lb.front", {"security_groups": group}),
        configured("aws_lb_target_group.web"),
        configured(
            "aws_lb_target_group_attachment.web",
            {"target_id": const("i-web"), "target_group_arn": refs("aws_lb_target_group.web.arn")},
        ),
        configured(
            "aws_lb_listener.front",
            {
                "load_balancer_arn": refs("aws_lb.front.arn"),
                "default_action": [{"target_group_arn": refs("aws_lb_target_group.web.arn")}],
            },
        ),
    ]
    return changes, resources


def test_lb01_a_new_load_balancer_has_a_node_in_each_subnet_and_is_judged_there_and_back(tmp_path: Path) -> None:
    done = planned(tmp_path, *front())
    balancer = done.network.load_balancers["tf:aws_lb.front"]
    (node_id,) = balancer.interface_ids
    node = done.network.interfaces[node_id]
    assert (node.interface_type, node.subnet_id, node.group_ids) == (
        "load_balancer",
        "subnet-pub",
        ("tf:aws_security_group.lb",),
    )
    assert node.addresses[0].address in N("10.0.0.0/24")
    assert node.addresses[0].public_address in N("198.18.0.0/15")
    assert not codes(done)
    path = between(done.network, "internet", "front")
    assert (path.verdict, path.path) == ("ACCEPT", "load-balancer")
    assert between(done.network, "internet", "front", 80).reason == "ELBV2_LISTENERS_MISMATCH"


def test_lb02_the_targets_group_decides_behind_a_new_load_balancer(tmp_path: Path) -> None:
    changes, resources = front()
    values = {"id": "sgr-web-in", "security_group_id": "sg-web", "ip_protocol": "tcp", "from_port": 443, "to_port": 443}
    closed = {**values, "cidr_ipv4": "192.0.2.0/24"}
    rule = "aws_vpc_security_group_ingress_rule.web"
    web = change(rule, "update", {**values, "cidr_ipv4": "0.0.0.0/0"}, closed)
    path = between(planned(tmp_path, [*changes, web], resources).network, "internet", "front")
    assert (path.verdict, path.reason) == ("REJECT", "ENI_SG_RULES_MISMATCH")
    referred = {**values, "cidr_ipv4": None}
    by_group = change(
        rule, "update", {**values, "cidr_ipv4": "0.0.0.0/0"}, referred, {"referenced_security_group_id": True}
    )
    its = configured(rule, {"referenced_security_group_id": refs("aws_security_group.lb.id")})
    after = planned(tmp_path, [*changes, by_group], [*resources, its])
    assert between(after.network, "internet", "front").verdict == "ACCEPT"


def test_where_rules_tell_addresses_apart_a_new_node_has_none(tmp_path: Path) -> None:
    changes, resources = front()
    narrow = {"network_acl_id": "acl-1", "rule_number": 50, "egress": False, "rule_action": "deny", "protocol": "6"}
    narrow |= {"cidr_block": "10.0.0.128/25", "from_port": 0, "to_port": 65535}
    done = planned(
        tmp_path, [*changes, change("aws_network_acl_rule.n", "create", None, narrow, {"id": True})], resources
    )
    (node_id,) = done.network.load_balancers["tf:aws_lb.front"].interface_ids
    assert done.network.interfaces[node_id].addresses == ()
    assert "known-after-apply" in codes(done)


def test_nl02_a_new_network_load_balancer_takes_the_addresses_it_is_given(tmp_path: Path) -> None:
    mapping = [{"subnet_id": "subnet-pub", "allocation_id": "eipalloc-free", "private_ipv4_address": None}]
    values = {"name": "n", "load_balancer_type": "network", "internal": False, "subnet_mapping": mapping}
    inner = {
        **values,
        "internal": True,
        "subnet_mapping": [{"subnet_id": "subnet-a", "private_ipv4_address": "10.0.1.77"}],
    }
    for given, address, public in ((values, None, "52.0.0.9"), (inner, "10.0.1.77", None)):
        done = planned(tmp_path, [change("aws_lb.n", "create", None, given, {"id": True})]).network
        (node_id,) = done.load_balancers["tf:aws_lb.n"].interface_ids
        node = done.interfaces[node_id]
        assert (node.interface_type, node.group_ids) == ("network_load_balancer", ())
        assert node.addresses[0].public_address == (ip_address(public) if public else None)
        assert address is None or node.addresses[0].address == ip_address(address)


def test_a_load_balancer_in_a_further_subnet_gets_a_node_there(tmp_path: Path) -> None:
    before = {"id": LB, "name": "web", "subnets": ["subnet-pub"], "security_groups": ["sg-web"]}
    moved = change("aws_lb.web", "update", before, {**before, "subnets": ["subnet-a", "subnet-pub"]})
    done = planned(tmp_path, [moved], over=network(balanced())).network
    balancer = done.load_balancers[LB]
    assert balancer.subnet_ids == ("subnet-a", "subnet-pub")
    assert [done.interfaces[each].subnet_id for each in balancer.interface_ids] == ["subnet-a"]
    assert [done.interfaces[each].group_ids for each in balancer.interface_ids] == [("sg-web",)]


def with_node() -> dict[str, Any]:
    """The described load balancer with a node, 10.0.0.40, and i-db in target group b."""
    described = balanced()
    described["NetworkInterfaces"].append(
        {
            "NetworkInterfaceId": "eni-lb", "VpcId": "vpc-1", "SubnetId": "subnet-pub", "Status": "in-use",
            "InterfaceType": "interface", "Description": "ELB app/web/1", "RequesterManaged": True,
            "Groups": [{"GroupId": "sg-web"}], "PrivateIpAddress": "10.0.0.40",
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.40", "Primary": True}],
        }
    )  # fmt: skip
    for rule in described["SecurityGroupRules"]:
        if rule["SecurityGroupRuleId"] in ("sgr-web-in", "sgr-db-in"):
            rule |= {"FromPort": 80, "ToPort": 8080}
    return described


def rule_values(group: str, **more: Any) -> dict[str, Any]:
    forward = [{"type": "forward", "target_group_arn": TG.format(group)}]
    return {"id": "arn:r", "listener_arn": LISTENER_ARN, "priority": 5, "action": forward, **more}


def test_al04_the_default_action_changes_and_the_rules_stay(tmp_path: Path) -> None:
    described = with_node()
    rule = {"RuleArn": "arn:r", "Priority": "5", "Actions": [{"Type": "forward", "TargetGroupArn": TG.format("b")}]}
    rule["Conditions"] = [{"Field": "path-pattern", "Values": ["/b"]}]
    other = change("aws_lb_listener.l", "update", listener_values(TG.format("a")), listener_values(TG.format("b")))
    alone = planned(tmp_path, [other], over=network(described)).network
    assert between(network(described), "eni-db", "10.0.0.40", 80).verdict == "ACCEPT"
    assert between(alone, "eni-db", "10.0.0.40", 80).reason == "ELBV2_LISTENER_HAS_NO_TG"
    described["LoadBalancerRules"][0]["Rules"].append(rule)
    described["LoadBalancerTargetHealth"][1]["TargetHealthDescriptions"] = [{"Target": {"Id": "i-db", "Port": 8080}}]
    over = network(described)
    (listener,) = planned(tmp_path, [other], over=over).network.load_balancers[LB].listeners or ()
    assert (listener.target_group_ids, listener.complete) == ((TG.format("b"),), True)
    changed = change("aws_lb_listener_rule.r", "update", rule_values("b"), rule_values("a"))
    (listener,) = planned(tmp_path, [changed], over=over).network.load_balancers[LB].listeners or ()
    assert (listener.target_group_ids, listener.complete) == ((TG.format("a"),), True)
    gone = change("aws_lb_listener_rule.r", "delete", rule_values("b"))
    (listener,) = planned(tmp_path, [gone], over=over).network.load_balancers[LB].listeners or ()
    assert listener.target_group_ids == (TG.format("a"),)


def test_al04_a_rule_for_some_clients_only(tmp_path: Path) -> None:
    """Target group b is empty: clients that the rule sends there get nothing."""
    over = network(with_node())
    condition = [{"source_ip": [{"values": ["10.0.2.0/24"]}], "path_pattern": []}]
    values = {**rule_values("b"), "condition": condition}
    done = planned(tmp_path, [change("aws_lb_listener_rule.r", "create", None, values)], over=over).network
    assert between(over, "eni-db", "10.0.0.40", 80).verdict == "ACCEPT"
    assert between(done, "eni-db", "10.0.0.40", 80).verdict == "REJECT"
    assert between(done, "eni-web", "10.0.0.40", 80).verdict == "ACCEPT"
    unknown = change("aws_lb_listener_rule.r", "create", None, rule_values("b"), {"condition": True})
    assert between(planned(tmp_path, [unknown], over=over).network, "eni-db", "10.0.0.40", 80).verdict == "ACCEPT"


def test_actions_not_known_and_rules_not_described_leave_targets_unknown(tmp_path: Path) -> None:
    values = listener_values(TG.format("a"))
    unknown = change(
        "aws_lb_listener.l", "update", values, {**values, "default_action": None}, {"default_action": True}
    )
    resources = [configured("aws_lb_listener.l", {"default_action": refs("var.x")})]
    done = planned(tmp_path, [unknown], resources, over=network(with_node())).network
    assert between(done, "eni-db", "10.0.0.40", 80).verdict == "UNKNOWN"
    described = with_node()
    del described["LoadBalancerRules"]
    other = change("aws_lb_listener.l", "update", values, listener_values(TG.format("b")))
    done = planned(tmp_path, [other], over=network(described)).network
    assert between(done, "eni-db", "10.0.0.40", 80).verdict == "UNKNOWN"


# -- Classic Load Balancers -------------------------------------------------------------------------------

LISTENER = {"lb_port": 443, "lb_protocol": "tcp", "instance_port": 443, "instance_protocol": "tcp"}
ELB = {
    "id": "old", "name": "old", "internal": False, "subnets": ["subnet-pub"], "security_groups": ["sg-web"],
    "instances": ["i-web"], "listener": [LISTENER], "cross_zone_load_balancing": True,
}  # fmt: skip


def classic(**more: Any) -> Network:
    """The network with a Classic Load Balancer as AWS describes it."""
    described = documents()
    described["LoadBalancerDescriptions"] = [
        {
            "LoadBalancerName": "old",
            "Scheme": "internet-facing",
            "VPCId": "vpc-1",
            "Subnets": ["subnet-pub"],
            "SecurityGroups": ["sg-web"],
            "Instances": [{"InstanceId": "i-web"}],
            "ListenerDescriptions": [
                {
                    "Listener": {
                        "Protocol": "TCP",
                        "LoadBalancerPort": 443,
                        "InstanceProtocol": "TCP",
                        "InstancePort": 443,
                    }
                }
            ],
            **more,
        }
    ]
    described["NetworkInterfaces"].append(
        {
            "NetworkInterfaceId": "eni-old", "VpcId": "vpc-1", "SubnetId": "subnet-pub", "Status": "in-use",
            "InterfaceType": "interface", "Description": "ELB old", "RequesterManaged": True,
            "Groups": [{"GroupId": "sg-web"}], "PrivateIpAddress": "10.0.0.40",
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.40", "Primary": True}],
        }
    )  # fmt: skip
    return network(described)


def test_clb_a_new_classic_load_balancer_is_what_aws_would_describe(tmp_path: Path) -> None:
    values = {**ELB, "id": None}
    done = planned(tmp_path, [change("aws_elb.old", "create", None, values, {"id": True})])
    described, made = classic().load_balancers["old"], done.network.load_balancers["tf:aws_elb.old"]
    for name in ("name", "kind", "internet_facing", "vpc_id", "subnet_ids", "group_ids", "state"):
        assert getattr(made, name) == getattr(described, name), name
    assert [(x.port, x.protocol) for x in made.listeners or ()] == [(443, "TCP")]
    group = done.network.target_groups["tf:aws_elb.old:443"]
    assert [target.target_id for target in group.targets or ()] == ["i-web"]
    assert between(done.network, "internet", "old").verdict == "ACCEPT"


def test_clb_instances_and_listeners_change(tmp_path: Path) -> None:
    over = classic()
    assert between(over, "eni-db", "10.0.0.40").verdict == "ACCEPT"
    without = change("aws_elb.old", "update", ELB, {**ELB, "instances": []})
    assert between(planned(tmp_path, [without], over=over).network, "eni-db", "10.0.0.40").reason == (
        "ELBV2_LISTENER_HAS_NO_TG"
    )
    other = change("aws_elb.old", "update", ELB, {**ELB, "listener": [{**LISTENER, "lb_port": 8443}]})
    done = planned(tmp_path, [other], over=over)
    assert between(done.network, "eni-db", "10.0.0.40").reason == "ELB_LISTENERS_MISMATCH"
    assert set(done.network.target_groups) == {"old:8443"}
    detached = change("aws_elb_attachment.a", "delete", {"id": "x", "elb": "old", "instance": "i-web"})
    assert planned(tmp_path, [detached], over=over).network.target_groups["old:443"].targets == ()
    attached = change("aws_elb_attachment.b", "create", None, {"elb": "old", "instance": "i-db"}, {"id": True})
    targets = planned(tmp_path, [attached], over=over).network.target_groups["old:443"].targets
    assert [each.target_id for each in targets or ()] == ["i-db", "i-web"]
    gone = planned(tmp_path, [change("aws_elb.old", "delete", ELB)], over=over).network
    assert not gone.load_balancers
    assert not gone.target_groups
    assert "eni-old" not in gone.interfaces


def test_clb_instances_of_the_plan_are_followed(tmp_path: Path) -> None:
    values = {**ELB, "id": None, "instances": None}
    changes = [
        change("aws_instance.n", "create", None, {"subnet_id": "subnet-a", "private_ip": "10.0.1.50"}, {"id": True}),
        change("aws_elb.new", "create", None, values, {"id": True, "instances": True}),
    ]
    resources = [
        configured("aws_instance.n"),
        configured("aws_elb.new", {"instances": refs("aws_instance.n[*].id", "aws_instance.n")}),
    ]
    group = planned(tmp_path, changes, resources).network.target_groups["tf:aws_elb.new:443"]
    assert [each.target_id for each in group.targets or ()] == ["tf:aws_instance.n"]


def test_an_unknown_listener_leaves_what_it_takes_unknown(tmp_path: Path) -> None:
    unknown = change("aws_elb.old", "update", ELB, {**ELB, "listener": None}, {"listener": True})
    done = planned(tmp_path, [unknown], over=classic())
    assert between(done.network, "eni-db", "10.0.0.40").verdict == "UNKNOWN"
    assert "known-after-apply" in codes(done)


# -- interface endpoints ----------------------------------------------------------------------------------


def test_ep05_a_new_interface_endpoint_has_an_interface_in_each_subnet(tmp_path: Path) -> None:
    values = {"vpc_id": "vpc-1", "vpc_endpoint_type": "Interface", "service_name": "s", "subnet_ids": ["subnet-b"]}
    values["security_group_ids"] = ["sg-db"]
    done = planned(tmp_path, [change("aws_vpc_endpoint.e", "create", None, values, {"id": True})])
    (interface_id,) = done.network.vpc_endpoints["tf:aws_vpc_endpoint.e"].interface_ids
    interface = done.network.interfaces[interface_id]
    assert (interface.interface_type, interface.group_ids) == ("vpc_endpoint", ("sg-db",))
    path = between(done.network, "eni-web", interface_id, 5432)
    assert (path.verdict, path.dst_sg_rule) == ("ACCEPT", "sgr-db-in")
    assert between(done.network, "eni-web", interface_id, 443).reason == "ENI_SG_RULES_MISMATCH"
    bare = {**values, "security_group_ids": None}
    default = planned(tmp_path, [change("aws_vpc_endpoint.e", "create", None, bare, {"id": True})]).network
    assert default.interfaces[interface_id].group_ids == ("sg-default",)


def test_a_gateway_load_balancer_endpoint_has_its_subnet(tmp_path: Path) -> None:
    values = {"vpc_id": "vpc-1", "vpc_endpoint_type": "GatewayLoadBalancer", "subnet_ids": ["subnet-b"]}
    done = planned(tmp_path, [change("aws_vpc_endpoint.g", "create", None, values, {"id": True})]).network
    endpoint = done.vpc_endpoints["tf:aws_vpc_endpoint.g"]
    assert (endpoint.subnet_ids, endpoint.interface_ids) == (("subnet-b",), ())


# -- VPN connections --------------------------------------------------------------------------------------


def vpn(static: bool = True) -> dict[str, Any]:
    """vgw-1 at vpc-1 with a VPN connection that knows 192.168.0.0/16, propagated to rtb-priv."""
    described = documents()
    described["VpnGateways"] = [
        {"VpnGatewayId": "vgw-1", "State": "available", "VpcAttachments": [{"VpcId": "vpc-1", "State": "attached"}]}
    ]
    described["VpnConnections"] = [
        {
            "VpnConnectionId": "vpn-1",
            "State": "available",
            "VpnGatewayId": "vgw-1",
            "Options": {"StaticRoutesOnly": static},
            "Routes": [{"DestinationCidrBlock": "192.168.0.0/16", "State": "available"}] if static else [],
        }
    ]
    described["RouteTables"][2]["Routes"].append(
        {
            "DestinationCidrBlock": "192.168.0.0/16",
            "GatewayId": "vgw-1",
            "Origin": "EnableVgwRoutePropagation",
            "State": "active",
        }
    )
    return described


def verdict(over: Network, destination: str) -> tuple[str, str | None]:
    path = between(over, "eni-web", destination)
    return path.verdict, path.reason


def test_vg01_a_static_route_is_propagated(tmp_path: Path) -> None:
    over = network(vpn())
    assert verdict(over, "192.168.7.7") == ("ACCEPT", None)
    values = {"vpn_connection_id": "vpn-1", "destination_cidr_block": "172.16.0.0/12"}
    done = planned(tmp_path, [change("aws_vpn_connection_route.r", "create", None, values, {"id": True})], over=over)
    assert routes_of(done.network, "rtb-priv")["172.16.0.0/12"][1] == "vgw-1"
    assert verdict(done.network, "172.16.7.7") == ("ACCEPT", None)
    back = planned(tmp_path, [change("aws_vpn_connection_route.r", "delete", {"id": "r", **values})], over=done.network)
    assert back.network.route_tables == over.route_tables
    gone = change(
        "aws_vpn_connection_route.o", "delete",
        {"id": "o", "vpn_connection_id": "vpn-1", "destination_cidr_block": "192.168.0.0/16"},
    )  # fmt: skip
    assert "192.168.0.0/16" not in routes_of(planned(tmp_path, [gone], over=over).network, "rtb-priv")


def test_vg03_a_deleted_connection_carries_nothing(tmp_path: Path) -> None:
    gone = change("aws_vpn_connection.c", "delete", {"id": "vpn-1", "vpn_gateway_id": "vgw-1"})
    done = planned(tmp_path, [gone], over=network(vpn())).network
    assert "192.168.0.0/16" not in routes_of(done, "rtb-priv")
    route = {"route_table_id": "rtb-priv", "destination_cidr_block": "192.168.0.0/16", "gateway_id": "vgw-1"}
    static = planned(tmp_path, [gone, change("aws_route.r", "create", None, route, {"id": True})], over=network(vpn()))
    assert verdict(static.network, "192.168.7.7") == ("REJECT", "BAD_STATE_VPN")


def test_vg01_what_a_new_connection_tells_over_bgp_is_unknown(tmp_path: Path) -> None:
    new = change("aws_vpn_connection.c", "create", None, {"vpn_gateway_id": "vgw-1"}, {"id": True})
    done = planned(tmp_path, [new], over=network(vpn()))
    assert verdict(done.network, "172.16.7.7")[0] == "UNKNOWN"
    assert between(done.network, "eni-web", "10.0.2.20", 5432).verdict == "ACCEPT"
    assert "known-after-apply" in codes(done)
    described = vpn()
    del described["VpnConnections"]
    left = planned(tmp_path, [new], over=network(described))
    assert left.network.vpn_connections == {}
    assert codes(left) == {"not-in-snapshot"}


@pytest.mark.parametrize("on", [True, False])
def test_tg02_a_vpn_connection_of_a_transit_gateway_is_an_attachment(tmp_path: Path, on: bool) -> None:
    described = documents()
    described["VpnConnections"] = []
    described["TransitGateways"] = [{"TransitGatewayId": "tgw-1", "State": "available"}]
    described["TransitGatewayRouteTables"] = [{"TransitGatewayRouteTableId": "tgw-rtb-1", "TransitGatewayId": "tgw-1"}]
    described["TransitGatewayAssociations"] = [{"TransitGatewayRouteTableId": "tgw-rtb-1", "Associations": []}]
    described["TransitGatewayRoutes"] = [{"TransitGatewayRouteTableId": "tgw-rtb-1", "Routes": []}]
    over = network(described)
    values = {"transit_gateway_id": "tgw-1", "static_routes_only": True}
    route = {"destination_cidr_block": "192.168.0.0/16", "transit_gateway_route_table_id": "tgw-rtb-1"}
    changes = [
        change("aws_vpn_connection.c", "create", None, values, {"id": True, "transit_gateway_attachment_id": True}),
        change(
            "aws_ec2_transit_gateway_route.r",
            "create",
            None,
            route,
            {"id": True, "transit_gateway_attachment_id": True},
        ),
    ]
    resources = [
        configured("aws_vpn_connection.c"),
        configured(
            "aws_ec2_transit_gateway_route.r",
            {"transit_gateway_attachment_id": refs("aws_vpn_connection.c.transit_gateway_attachment_id")},
        ),
    ]
    done = planned(tmp_path, changes, resources, over=over).network
    table = done.transit_gateway_route_tables["tgw-rtb-1"]
    assert table.attachment_ids == ("tf:aws_vpn_connection.c:attachment",)
    assert [(r.attachment_ids, r.kind) for r in table.routes or ()] == [(table.attachment_ids, "vpn")]
    gone = change("aws_vpn_connection.c", "delete", {"id": "tf:aws_vpn_connection.c", **values})
    left = planned(tmp_path, [gone], over=done).network
    assert not left.transit_gateway_attachments
    assert [r.blackhole for r in left.transit_gateway_route_tables["tgw-rtb-1"].routes or ()] == [True]
    assert on or left.vpn_connections["tf:aws_vpn_connection.c"].state == "deleted"
