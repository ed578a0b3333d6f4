"""Plans that change Auto Scaling groups, launch templates, exclusive rules, further VPCs of a group and Regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plan_documents import ask, change, configured, documents, network, planned, refs
from test_terraform_balancers import classic
from test_terraform_between import TG, balanced, transit

from flowcore.model import Network

ASG = "aws_autoscaling_group.web"
VALUES = {"id": "web", "name": "web", "min_size": 1, "max_size": 4, "desired_capacity": 1, "target_group_arns": []}


def scaled(described: dict[str, Any]) -> Network:
    """The network with i-web in the Auto Scaling group web."""
    described["Instances"][0]["Tags"] = [{"Key": "aws:autoscaling:groupName", "Value": "web"}]
    return network(described)


def messages(done: Any) -> list[tuple[str, str]]:
    return [(issue.severity, issue.code) for issue in done.issues]


# -- Auto Scaling groups ----------------------------------------------------------------------------------


def test_a_deleted_scaling_group_takes_its_instances_along(tmp_path: Path) -> None:
    done = planned(tmp_path, [change(ASG, "delete", VALUES)], over=scaled(balanced()))
    assert "i-web" not in done.network.instances
    assert "eni-web" not in done.network.interfaces
    assert done.network.target_groups[TG.format("a")].targets == ()
    assert ask(done.network, "10.0.2.20", "10.0.1.10") == ("UNKNOWN", "UNKNOWN_DESTINATION")
    assert done.network_without({ASG}) == scaled(balanced())


def test_a_scaling_group_registers_its_instances(tmp_path: Path) -> None:
    over = scaled(balanced())
    moved = change(
        ASG,
        "update",
        {**VALUES, "target_group_arns": [TG.format("a")]},
        {**VALUES, "target_group_arns": [TG.format("b")]},
    )
    done = planned(tmp_path, [moved], over=over).network
    assert done.target_groups[TG.format("a")].targets == ()
    assert [t.target_id for t in done.target_groups[TG.format("b")].targets or ()] == ["i-web"]
    attachment = {"autoscaling_group_name": "web", "lb_target_group_arn": TG.format("b"), "elb": None}
    attached = change("aws_autoscaling_attachment.a", "create", None, attachment, {"id": True})
    done = planned(tmp_path, [attached], over=over).network
    assert [t.target_id for t in done.target_groups[TG.format("b")].targets or ()] == ["i-web"]
    gone = change("aws_autoscaling_attachment.a", "delete", {"id": "a", **attachment})
    assert planned(tmp_path, [gone], over=done).network.target_groups[TG.format("b")].targets == ()
    source = {"autoscaling_group_name": "web", "traffic_source": [{"identifier": TG.format("b"), "type": "elbv2"}]}
    by_source = change("aws_autoscaling_traffic_source_attachment.a", "create", None, source, {"id": True})
    assert planned(tmp_path, [by_source], over=over).network == done


def test_lb08_what_a_new_scaling_group_registers_is_not_known(tmp_path: Path) -> None:
    over = scaled(balanced())
    held = {**VALUES, "target_group_arns": [TG.format("a")]}
    made = {name: value for name, value in held.items() if name != "id"}
    replaced = [change(ASG, "create,delete", held, {**made, "name": "web-2"}, {"id": True})]
    green = change("aws_autoscaling_group.green", "create", None, {**made, "name": "green"}, {"id": True})
    attachment = {"autoscaling_group_name": "green", "lb_target_group_arn": TG.format("a"), "elb": None}
    attached = [
        change("aws_autoscaling_group.green", "create", None, {"name": "green"}, {"id": True}),
        change("aws_autoscaling_attachment.a", "create", None, attachment, {"id": True}),
    ]
    blue = change(ASG, "delete", held)
    for changes in (replaced, [green, blue], [*attached, blue]):
        done = planned(tmp_path, changes, over=over)
        assert "i-web" not in done.network.instances
        assert done.network.target_groups[TG.format("a")].targets is None
        assert done.network_without(done.names) == over


def test_lb08_what_a_new_scaling_group_puts_behind_a_classic_load_balancer_is_not_known(tmp_path: Path) -> None:
    new = change(ASG, "create", None, {"name": "web", "load_balancers": ["old"]}, {"id": True})
    done = planned(tmp_path, [new], over=classic(Instances=[])).network
    assert done.target_groups["old:443"].targets is None


def test_a_scaling_group_behind_a_classic_load_balancer(tmp_path: Path) -> None:
    over = classic(Instances=[])
    over = scaled_over(over)
    attachment = {"autoscaling_group_name": "web", "elb": "old"}
    attached = change("aws_autoscaling_attachment.a", "create", None, attachment, {"id": True})
    targets = planned(tmp_path, [attached], over=over).network.target_groups["old:443"].targets
    assert [each.target_id for each in targets or ()] == ["i-web"]


def scaled_over(over: Network) -> Network:
    from dataclasses import replace
    from types import MappingProxyType

    web = replace(over.instances["i-web"], tags={"aws:autoscaling:groupName": "web"})
    return replace(over, instances=MappingProxyType({**over.instances, "i-web": web}))


def test_what_is_started_later_is_named_and_what_runs_is_left(tmp_path: Path) -> None:
    over = scaled(documents())
    fewer = planned(tmp_path, [change(ASG, "update", VALUES, {**VALUES, "max_size": 0})], over=over)
    assert (fewer.network.interfaces, messages(fewer)) == (over.interfaces, [("warning", "not-modelled")])
    template = {"id": "lt-1", "vpc_security_group_ids": ["sg-web"], "image_id": "ami-1"}
    name = "aws_launch_template.t"
    regrouped = change(name, "update", template, {**template, "vpc_security_group_ids": ["sg-db"]})
    assert messages(planned(tmp_path, [regrouped], over=over)) == [("warning", "not-modelled")]
    imaged = change(name, "update", template, {**template, "image_id": "ami-2"})
    assert messages(planned(tmp_path, [imaged], over=over)) == []
    new = planned(tmp_path, [change(ASG, "create", None, VALUES, {"id": True})], over=network())
    assert messages(new) == [("note", "known-after-apply")]


def test_en03_a_stopped_instance_is_stopped(tmp_path: Path) -> None:
    stopped = change("aws_ec2_instance_state.s", "create", None, {"instance_id": "i-web", "state": "stopped"})
    done = planned(tmp_path, [stopped])
    assert done.network.instances["i-web"].state == "stopped"
    assert any(issue.resource == "i-web" and issue.code == "state" for issue in done.issues)


# -- groups -----------------------------------------------------------------------------------------------


def test_exclusive_rules_are_all_a_group_has(tmp_path: Path) -> None:
    rule = "aws_vpc_security_group_ingress_rule.new"
    new = {
        "security_group_id": "sg-web",
        "ip_protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "cidr_ipv4": "10.0.0.0/8",
    }
    lists = {"security_group_id": "sg-web", "ingress_rule_ids": None, "egress_rule_ids": ["sgr-web-out"]}
    changes = [
        change(rule, "create", None, new, {"id": True, "security_group_rule_id": True}),
        change("aws_vpc_security_group_rules_exclusive.x", "create", None, lists, {"ingress_rule_ids": True}),
    ]
    for reference in (f"{rule}.id", f"{rule}.security_group_rule_id"):
        resources = [
            configured(rule),
            configured("aws_vpc_security_group_rules_exclusive.x", {"ingress_rule_ids": refs(reference)}),
        ]
        done = planned(tmp_path, changes, resources).network
        assert [each.rule_id for each in done.security_groups["sg-web"].rules] == ["sgr-web-out", f"tf:{rule}"]
    lost = [
        configured(rule),
        configured("aws_vpc_security_group_rules_exclusive.x", {"ingress_rule_ids": refs("data.a.b.id")}),
    ]
    unknown = planned(tmp_path, changes, lost)
    assert ask(unknown.network, "10.0.2.20", "10.0.1.10")[0] == "UNKNOWN"
    assert ("warning", "known-after-apply") in messages(unknown)


def test_sg27_a_group_of_a_further_vpc(tmp_path: Path) -> None:
    values = {"security_group_id": "sg-web", "vpc_id": "vpc-2"}
    name = "aws_vpc_security_group_vpc_association.a"
    over = network(transit())
    done = planned(tmp_path, [change(name, "create", None, values)], over=over)
    assert done.network.security_groups["sg-web"].associated_vpc_ids == ("vpc-2",)
    assert planned(tmp_path, [change(name, "delete", values)], over=done.network).network == over


# -- transit gateways -------------------------------------------------------------------------------------


def test_tg02_a_default_table_that_the_plan_names_is_taken(tmp_path: Path) -> None:
    described = transit()
    described["TransitGatewayRouteTables"].append(
        {"TransitGatewayRouteTableId": "tgw-rtb-2", "TransitGatewayId": "tgw-1"}
    )
    described["TransitGatewayAssociations"].append({"TransitGatewayRouteTableId": "tgw-rtb-2", "Associations": []})
    described["TransitGatewayRoutes"].append({"TransitGatewayRouteTableId": "tgw-rtb-2", "Routes": []})
    named = {"id": "tgw-1", "transit_gateway_id": "tgw-1", "transit_gateway_route_table_id": "tgw-rtb-2"}
    kinds = [f"aws_ec2_transit_gateway_default_route_table_{what}.d" for what in ("association", "propagation")]
    values = {"transit_gateway_id": "tgw-1", "vpc_id": "vpc-2", "subnet_ids": ["subnet-x"]}
    changes = [
        *(change(kind, "no-op", named, named) for kind in kinds),
        change("aws_ec2_transit_gateway_vpc_attachment.two", "create", None, values, {"id": True}),
    ]
    done = planned(tmp_path, changes, over=network(described))
    table = done.network.transit_gateway_route_tables["tgw-rtb-2"]
    assert table.attachment_ids == ("tf:aws_ec2_transit_gateway_vpc_attachment.two",)
    assert [str(route.destination) for route in table.routes or ()] == ["10.8.0.0/16"]
    assert not [issue for issue in done.issues if issue.code == "known-after-apply"]


# -- VPCs -------------------------------------------------------------------------------------------------


def test_rt09_in_a_vpc_of_unknown_cidr_what_no_rule_decides_is_unknown(tmp_path: Path) -> None:
    """An address pool gives the CIDR: it may hold any address, so a local route may win anywhere."""
    subnet = refs("aws_subnet.s.id")
    changes = [
        change("aws_vpc.v", "create", None, {}, {"id": True, "cidr_block": True}),
        change("aws_subnet.s", "create", None, {"cidr_block": "10.9.1.0/24"}, {"id": True, "vpc_id": True}),
        *(
            change(f"aws_network_interface.{n}", "create", None, {"private_ips": [ip]}, {"id": True, "subnet_id": True})
            for n, ip in (("e", "10.9.1.5"), ("f", "10.9.1.6"))
        ),
    ]
    resources = [
        configured("aws_vpc.v"),
        configured("aws_subnet.s", {"vpc_id": refs("aws_vpc.v.id")}),
        configured("aws_network_interface.e", {"subnet_id": subnet}),
        configured("aws_network_interface.f", {"subnet_id": subnet}),
    ]
    done = planned(tmp_path, changes, resources).network
    assert ask(done, "10.9.1.5", "10.9.1.6") == ("ACCEPT", None)
    assert ask(done, "10.9.1.5", "10.0.1.10")[0] == "UNKNOWN"
    assert ask(done, "10.9.1.5", "8.8.8.8")[0] == "UNKNOWN"


def test_a_vpc_is_in_the_region_of_its_provider(tmp_path: Path) -> None:
    new = change("aws_vpc.v", "create", None, {"cidr_block": "10.9.0.0/16"}, {"id": True})
    away = {**configured("aws_vpc.v"), "provider_config_key": "aws.away"}
    region: dict[str, Any] = {"constant_value": "us-east-1"}
    for expression in (region, {"references": ["var.away"]}):
        providers = {"aws": {"name": "aws"}, "aws.away": {"name": "aws", "expressions": {"region": expression}}}
        root = {"resources": [away]}
        more = {"configuration": {"provider_config": providers, "root_module": root}}
        done = planned(tmp_path, [new], variables={"away": {"value": "us-east-1"}}, **more).network
        assert done.vpcs["tf:aws_vpc.v"].region == "us-east-1"
    own = change("aws_vpc.v", "create", None, {"cidr_block": "10.9.0.0/16", "region": "eu-central-1"}, {"id": True})
    assert planned(tmp_path, [own], **more).network.vpcs["tf:aws_vpc.v"].region == "eu-central-1"
