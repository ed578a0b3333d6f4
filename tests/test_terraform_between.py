"""Plans that change what stands between: VPCs, subnets, gateways, interfaces, peerings, endpoints, transit gateways."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from plan_documents import ask, change, configured, const, documents, network, planned, refs

from flowcore.model import Network

N = ip_network


def routes_of(over: Network, table: str) -> dict[str, tuple[str, str, bool]]:
    return {str(r.destination): (r.target_kind, r.target_id, r.blackhole) for r in over.route_tables[table].routes}


# -- VPCs, subnets, gateways ------------------------------------------------------------------------------


def test_a_new_vpc_comes_with_aws_defaults_sg04_na12_rt09(tmp_path: Any) -> None:
    changes = [
        change("aws_vpc.v", "create", None, {"cidr_block": "10.9.0.0/16", "tags": {"Name": "v"}}, {"id": True}),
        change(
            "aws_subnet.s",
            "create",
            None,
            {"cidr_block": "10.9.1.0/24", "availability_zone": "eu-west-1b"},
            {"id": True, "vpc_id": True},
        ),
    ]
    done = planned(
        tmp_path, changes, [configured("aws_vpc.v"), configured("aws_subnet.s", {"vpc_id": refs("aws_vpc.v.id")})]
    ).network
    vpc = done.vpcs["tf:aws_vpc.v"]
    assert (vpc.cidr_blocks, vpc.region, vpc.described, vpc.tags) == (
        (N("10.9.0.0/16"),),
        "eu-west-1",
        True,
        {"Name": "v"},
    )
    subnet = done.subnets["tf:aws_subnet.s"]
    assert (subnet.vpc_id, subnet.cidr_block, subnet.availability_zone) == (
        "tf:aws_vpc.v",
        N("10.9.1.0/24"),
        "eu-west-1b",
    )
    acl, table = done.acl_of(subnet.subnet_id, vpc.vpc_id), done.route_table_of(subnet.subnet_id, vpc.vpc_id)
    assert acl is not None
    assert [(e.rule_number, e.allow) for e in acl.entries if not e.egress] == [(100, True), (32767, False)]
    assert table is not None
    assert routes_of(done, table.route_table_id) == {"10.9.0.0/16": ("local", "local", False)}
    group = done.security_groups["tf:aws_vpc.v:default-security-group"]
    assert [(r.egress, r.referenced_group_id or str(r.cidr_block)) for r in group.rules] == [
        (False, group.group_id),
        (True, "0.0.0.0/0"),
    ]
    assert not [issue for issue in done.issues if issue not in network().issues]


def test_a_deleted_vpc_takes_its_defaults_along(tmp_path: Any) -> None:
    made = planned(tmp_path, [change("aws_vpc.v", "create", None, {"cidr_block": "10.9.0.0/16"}, {"id": True})]).network
    gone = planned(
        tmp_path, [change("aws_vpc.v", "delete", {"id": "tf:aws_vpc.v", "cidr_block": "10.9.0.0/16"})], over=made
    )
    assert gone.network == network()


def test_rt09_a_further_cidr_gives_every_table_its_local_route(tmp_path: Any) -> None:
    values = {"vpc_id": "vpc-1", "cidr_block": "10.7.0.0/16"}
    done = planned(
        tmp_path, [change("aws_vpc_ipv4_cidr_block_association.c", "create", None, values, {"id": True})]
    ).network
    assert done.vpcs["vpc-1"].cidr_blocks == (N("10.0.0.0/16"), N("10.7.0.0/16"))
    assert all(routes_of(done, name)["10.7.0.0/16"][0] == "local" for name in done.route_tables)
    association = change("aws_vpc_ipv4_cidr_block_association.c", "delete", {"id": "vpc-cidr-assoc-1", **values})
    assert planned(tmp_path, [association], over=done).network == network()


def test_a_deleted_subnet_is_under_no_acl_and_no_table(tmp_path: Any) -> None:
    done = planned(tmp_path, [change("aws_subnet.b", "delete", {"id": "subnet-b"})]).network
    assert "subnet-b" not in done.subnets
    assert done.network_acls["acl-1"].subnet_ids == ("subnet-a", "subnet-pub")
    assert done.route_tables["rtb-priv"].subnet_ids == ("subnet-a",)


def test_rt13_a_detached_internet_gateway_leaves_black_holes(tmp_path: Any) -> None:
    gateway = {"id": "igw-1", "vpc_id": "vpc-1"}
    for detached in (
        change("aws_internet_gateway.g", "update", gateway, {"id": "igw-1", "vpc_id": None}),
        change("aws_internet_gateway_attachment.g", "delete", {"internet_gateway_id": "igw-1", "vpc_id": "vpc-1"}),
    ):
        done = planned(tmp_path, [detached]).network
        assert done.internet_gateways["igw-1"].vpc_ids == ()
        assert routes_of(done, "rtb-pub")["0.0.0.0/0"] == ("internet-gateway", "igw-1", True)


def test_a_new_internet_gateway_and_a_route_to_it(tmp_path: Any) -> None:
    changes = [
        change("aws_internet_gateway.g", "create", None, {"vpc_id": "vpc-2"}, {"id": True}),
        change("aws_egress_only_internet_gateway.e", "create", None, {"vpc_id": "vpc-1"}, {"id": True}),
        change(
            "aws_route.six",
            "create",
            None,
            {"route_table_id": "rtb-priv", "destination_ipv6_cidr_block": "::/0"},
            {"egress_only_gateway_id": True},
        ),
    ]
    resources = [
        configured("aws_internet_gateway.g"),
        configured("aws_egress_only_internet_gateway.e"),
        configured("aws_route.six", {"egress_only_gateway_id": refs("aws_egress_only_internet_gateway.e.id")}),
    ]
    done = planned(tmp_path, changes, resources).network
    assert done.internet_gateways["tf:aws_internet_gateway.g"].vpc_ids == ("vpc-2",)
    assert routes_of(done, "rtb-priv")["::/0"][:2] == (
        "egress-only-internet-gateway",
        "tf:aws_egress_only_internet_gateway.e",
    )


def test_bp01_block_public_access(tmp_path: Any) -> None:
    options = {"id": "111122223333", "aws_region": "eu-west-1", "internet_gateway_block_mode": "block-bidirectional"}
    exclusion = {"vpc_id": None, "subnet_id": "subnet-pub", "internet_gateway_exclusion_mode": "allow-egress"}
    done = planned(
        tmp_path,
        [
            change("aws_vpc_block_public_access_options.o", "create", None, options),
            change("aws_vpc_block_public_access_exclusion.x", "create", None, exclusion, {"id": True}),
        ],
    ).network
    assert done.block_mode_of("subnet-a", "vpc-1") == "block-bidirectional"
    assert done.block_exclusion_of("subnet-pub", "vpc-1") == "allow-egress"


# -- interfaces, instances, Elastic IPs -------------------------------------------------------------------


def test_a_replaced_instance_has_no_address_yet(tmp_path: Any) -> None:
    """ecosystem.md 2.3 (4): flows to the old address are not denied, they are not decided."""
    before = {"id": "i-db", "subnet_id": "subnet-b", "private_ip": "10.0.2.20", "vpc_security_group_ids": ["sg-db"]}
    after = {"subnet_id": "subnet-b", "vpc_security_group_ids": ["sg-db"]}
    done = planned(
        tmp_path, [change("aws_instance.db", "delete,create", before, after, {"id": True, "private_ip": True})]
    )
    assert ask(done.network, "10.0.1.10", "10.0.2.20", 5432) == ("UNKNOWN", "UNKNOWN_DESTINATION")
    made = done.network.instances["tf:aws_instance.db"]
    assert done.network.interfaces[made.interface_ids[0]].group_ids == ("sg-db",)
    messages = [issue.message for issue in done.issues if issue.resource == "aws_instance.db"]
    assert messages[0].startswith("the endpoint is replaced")
    kept = planned(
        tmp_path,
        [change("aws_instance.db", "delete,create", before, {**after, "private_ip": "10.0.2.20"}, {"id": True})],
    )
    assert ask(kept.network, "10.0.1.10", "10.0.2.20", 5432)[0] == "ACCEPT"


def test_groups_of_an_instance_and_of_an_interface(tmp_path: Any) -> None:
    instance = {"id": "i-web", "vpc_security_group_ids": ["sg-web"], "source_dest_check": True}
    attached = {"network_interface_id": "eni-db", "security_group_id": "sg-web"}
    done = planned(
        tmp_path,
        [
            change(
                "aws_instance.w",
                "update",
                instance,
                {**instance, "vpc_security_group_ids": ["sg-db"], "source_dest_check": False},
            ),
            change("aws_network_interface_sg_attachment.d", "create", None, attached, {"id": True}),
        ],
    ).network
    assert done.interfaces["eni-web"].group_ids == ("sg-db",)
    assert not done.interfaces["eni-web"].source_dest_check
    assert done.interfaces["eni-db"].group_ids == ("sg-db", "sg-web")
    gone = change("aws_network_interface_sg_attachment.d", "delete", {"id": "x", **attached})
    assert planned(tmp_path, [gone], over=done).network.interfaces["eni-db"].group_ids == ("sg-db",)


def test_a_new_interface_with_its_address(tmp_path: Any) -> None:
    after = {
        "subnet_id": "subnet-a",
        "private_ips": ["10.0.1.77"],
        "security_groups": ["sg-web"],
        "source_dest_check": False,
    }
    made = planned(tmp_path, [change("aws_network_interface.n", "create", None, after, {"id": True})]).network
    interface = made.interfaces["tf:aws_network_interface.n"]
    assert interface.holds(ip_address("10.0.1.77"))
    assert (interface.vpc_id, interface.group_ids, interface.source_dest_check) == ("vpc-1", ("sg-web",), False)


def test_ig05_an_elastic_ip_is_mapped_and_taken_away(tmp_path: Any) -> None:
    values = {"allocation_id": "eipalloc-free", "instance_id": "i-web", "network_interface_id": "eni-web"}
    done = planned(tmp_path, [change("aws_eip_association.a", "create", None, values, {"id": True})]).network
    assert str(done.interfaces["eni-web"].addresses[0].public_address) == "52.0.0.9"
    gone = planned(tmp_path, [change("aws_eip_association.a", "delete", {"id": "eipassoc-1", **values})], over=done)
    assert gone.network == network()
    new = change("aws_eip.e", "create", None, {"domain": "vpc", "instance": "i-web"}, {"id": True, "public_ip": True})
    made = planned(tmp_path, [new]).network
    assert made.interfaces["eni-web"].addresses[0].public_address in N("198.18.0.0/15")


def test_a_new_nat_gateway_lets_flows_out_before_its_address_is_known(tmp_path: Any) -> None:
    changes = [
        change("aws_eip.e", "create", None, {"domain": "vpc"}, {"id": True, "public_ip": True}),
        change("aws_nat_gateway.n", "create", None, {"subnet_id": "subnet-pub"}, {"id": True, "allocation_id": True}),
        change(
            "aws_route.out",
            "create",
            None,
            {"route_table_id": "rtb-main", "destination_cidr_block": "0.0.0.0/0"},
            {"id": True, "nat_gateway_id": True},
        ),
        change(
            "aws_route_table_association.a",
            "update",
            {"id": "a", "subnet_id": "subnet-a", "route_table_id": "rtb-priv"},
            {"id": "a", "subnet_id": "subnet-a", "route_table_id": "rtb-main"},
        ),
    ]
    resources = [
        configured("aws_eip.e"),
        configured("aws_nat_gateway.n", {"allocation_id": refs("aws_eip.e.id")}),
        configured("aws_route.out", {"nat_gateway_id": refs("aws_nat_gateway.n.id")}),
    ]
    done = planned(tmp_path, changes, resources)
    assert not done.issues
    gateway = done.network.nat_gateways["tf:aws_nat_gateway.n"]
    elastic = [each for each in done.network.elastic_addresses if each.allocation_id == "tf:aws_eip.e"]
    assert gateway.addresses[0].public_address == elastic[0].public_address
    assert gateway.addresses[0].interface_id in done.network.interfaces


# -- peering, endpoints -----------------------------------------------------------------------------------


def test_px01_a_peering_is_active_once_accepted(tmp_path: Any) -> None:
    values = {"vpc_id": "vpc-1", "peer_vpc_id": "vpc-2", "auto_accept": False}
    peering = change("aws_vpc_peering_connection.p", "create", None, values, {"id": True})
    route = change(
        "aws_route.p",
        "create",
        None,
        {"route_table_id": "rtb-priv", "destination_cidr_block": "10.8.0.0/16"},
        {"vpc_peering_connection_id": True},
    )
    accepter = change(
        "aws_vpc_peering_connection_accepter.p",
        "create",
        None,
        {"auto_accept": True},
        {"id": True, "vpc_peering_connection_id": True},
    )
    resources = [
        configured("aws_vpc_peering_connection.p"),
        configured("aws_route.p", {"vpc_peering_connection_id": refs("aws_vpc_peering_connection_accepter.p.id")}),
        configured(
            "aws_vpc_peering_connection_accepter.p",
            {"vpc_peering_connection_id": refs("aws_vpc_peering_connection.p.id")},
        ),
    ]
    done = planned(tmp_path, [peering, accepter, route], resources).network
    made = done.peering_connections["tf:aws_vpc_peering_connection.p"]
    assert (made.status, made.requester_vpc_id, made.accepter_vpc_id) == ("active", "vpc-1", "vpc-2")
    assert made.requester_cidr_blocks == (N("10.0.0.0/16"),)
    assert routes_of(done, "rtb-priv")["10.8.0.0/16"] == ("vpc-peering-connection", made.peering_id, False)
    waiting = configured("aws_route.p", {"vpc_peering_connection_id": refs("aws_vpc_peering_connection.p.id")})
    done = planned(tmp_path, [peering, route], [configured("aws_vpc_peering_connection.p"), waiting]).network
    assert done.peering_connections["tf:aws_vpc_peering_connection.p"].status == "pending-acceptance"
    assert routes_of(done, "rtb-priv")["10.8.0.0/16"][2], "a black hole until it is active (RT-13)"


S3 = "com.amazonaws.eu-west-1.s3"


def endpoint_change(tables: list[str], **more: Any) -> dict[str, Any]:
    after = {"vpc_id": "vpc-1", "service_name": S3, "vpc_endpoint_type": "Gateway", "route_table_ids": tables}
    return change("aws_vpc_endpoint.s3", "create", None, {**after, **more}, {"id": True, "prefix_list_id": True})


def test_ep01_a_gateway_endpoint_is_a_route_to_its_services_list(tmp_path: Any) -> None:
    described = documents()
    described["PrefixLists"] = [{"PrefixListId": "pl-s3", "PrefixListName": S3, "Cidrs": ["52.218.0.0/17"]}]
    done = planned(tmp_path, [endpoint_change(["rtb-priv"])], over=network(described)).network
    assert routes_of(done, "rtb-priv")["pl-s3"] == ("gateway-endpoint", "tf:aws_vpc_endpoint.s3", False)
    assert done.vpc_endpoints["tf:aws_vpc_endpoint.s3"].route_table_ids == ("rtb-priv",)
    before = {"id": "tf:aws_vpc_endpoint.s3", "route_table_ids": ["rtb-priv"]}
    gone = planned(tmp_path, [change("aws_vpc_endpoint.s3", "delete", before)], over=done)
    assert gone.network == network(described)
    unknown = planned(tmp_path, [endpoint_change(["rtb-priv"])])
    assert [i.code for i in unknown.issues if i.resource == "aws_vpc_endpoint.s3"] == ["known-after-apply"]
    assert ask(unknown.network, "10.0.1.10", "52.218.0.1") == ("UNKNOWN", "MISSING_PREFIX_LIST")


# -- transit gateways -------------------------------------------------------------------------------------


def transit() -> dict[str, Any]:
    """tgw-1 with a default table, an attachment of vpc-1, and vpc-2 without one."""
    described = documents()
    described["Vpcs"].append({"VpcId": "vpc-2", "CidrBlock": "10.8.0.0/16", "OwnerId": "111122223333"})
    described["TransitGateways"] = [{"TransitGatewayId": "tgw-1", "State": "available"}]
    described["TransitGatewayRouteTables"] = [{"TransitGatewayRouteTableId": "tgw-rtb-1", "TransitGatewayId": "tgw-1"}]
    described["TransitGatewayVpcAttachments"] = [
        {
            "TransitGatewayAttachmentId": "tgw-attach-1",
            "TransitGatewayId": "tgw-1",
            "VpcId": "vpc-1",
            "State": "available",
            "SubnetIds": ["subnet-a"],
        }
    ]
    described["TransitGatewayAssociations"] = [
        {"TransitGatewayRouteTableId": "tgw-rtb-1", "Associations": [{"TransitGatewayAttachmentId": "tgw-attach-1"}]}
    ]
    described["TransitGatewayRoutes"] = [
        {
            "TransitGatewayRouteTableId": "tgw-rtb-1",
            "AdditionalRoutesAvailable": False,
            "Routes": [
                {
                    "DestinationCidrBlock": "10.0.0.0/16",
                    "Type": "propagated",
                    "State": "active",
                    "TransitGatewayAttachments": [
                        {"TransitGatewayAttachmentId": "tgw-attach-1", "ResourceType": "vpc"}
                    ],
                }
            ],
        }
    ]
    return described


def test_tg02_an_attachment_is_associated_and_propagates_by_default(tmp_path: Any) -> None:
    values = {"transit_gateway_id": "tgw-1", "vpc_id": "vpc-2", "subnet_ids": ["subnet-x"]}
    new = change("aws_ec2_transit_gateway_vpc_attachment.two", "create", None, values, {"id": True})
    over = network(transit())
    done = planned(tmp_path, [new], over=over).network
    attachment = "tf:aws_ec2_transit_gateway_vpc_attachment.two"
    table = done.transit_gateway_route_tables["tgw-rtb-1"]
    assert table.attachment_ids in ((attachment, "tgw-attach-1"), ("tgw-attach-1", attachment))
    assert {str(r.destination): r.attachment_ids for r in table.routes or ()} == {
        "10.0.0.0/16": ("tgw-attach-1",),
        "10.8.0.0/16": (attachment,),
    }
    assert done.transit_gateway_attachments[attachment].subnet_ids == ("subnet-x",)
    gone = planned(
        tmp_path, [change("aws_ec2_transit_gateway_vpc_attachment.two", "delete", {"id": attachment})], over=done
    )
    assert gone.network == over


def test_tg03_static_routes_associations_and_propagations(tmp_path: Any) -> None:
    table = {"transit_gateway_route_table_id": "tgw-rtb-1"}
    over = network(transit())
    route = change(
        "aws_ec2_transit_gateway_route.r",
        "create",
        None,
        {**table, "destination_cidr_block": "10.99.0.0/16", "blackhole": True},
        {"id": True},
    )
    ends = {**table, "transit_gateway_attachment_id": "tgw-attach-1"}
    apart = [
        change("aws_ec2_transit_gateway_route_table_association.a", "delete", {"id": "x", **ends}),
        change("aws_ec2_transit_gateway_route_table_propagation.p", "delete", {"id": "x", **ends}),
    ]
    done = planned(tmp_path, [route, *apart], over=over).network.transit_gateway_route_tables["tgw-rtb-1"]
    assert done.attachment_ids == ()
    assert [(str(r.destination), r.blackhole, r.propagated) for r in done.routes or ()] == [
        ("10.99.0.0/16", True, False)
    ]


def test_rt13_a_deleted_attachment_leaves_black_holes(tmp_path: Any) -> None:
    described = transit()
    described["RouteTables"][2]["Routes"].append(
        {"DestinationCidrBlock": "10.8.0.0/16", "TransitGatewayId": "tgw-1", "State": "active", "Origin": "CreateRoute"}
    )
    before = {"id": "tgw-attach-1", "vpc_id": "vpc-1", "transit_gateway_id": "tgw-1"}
    gone = change("aws_ec2_transit_gateway_vpc_attachment.one", "delete", before)
    done = planned(tmp_path, [gone], over=network(described)).network
    assert routes_of(done, "rtb-priv")["10.8.0.0/16"] == ("transit-gateway", "tgw-1", True)
    assert done.transit_gateway_route_tables["tgw-rtb-1"].routes == ()


def test_which_default_table_is_not_known_is_unknown(tmp_path: Any) -> None:
    described = transit()
    described["TransitGatewayRouteTables"].append(
        {"TransitGatewayRouteTableId": "tgw-rtb-2", "TransitGatewayId": "tgw-1"}
    )
    described["TransitGatewayAssociations"].append({"TransitGatewayRouteTableId": "tgw-rtb-2", "Associations": []})
    values = {"transit_gateway_id": "tgw-1", "vpc_id": "vpc-2", "subnet_ids": ["subnet-x"]}
    new = change("aws_ec2_transit_gateway_vpc_attachment.two", "create", None, values, {"id": True})
    done = planned(tmp_path, [new], over=network(described))
    assert all(table.attachment_ids is None for table in done.network.transit_gateway_route_tables.values())
    assert sum(issue.code == "known-after-apply" for issue in done.issues) == 2


# -- load balancers ---------------------------------------------------------------------------------------

LB = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/1"
LISTENER = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/web/1/2"
TG = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/{}/3"


def balanced() -> dict[str, Any]:
    """An Application Load Balancer in subnet-pub that sends port 80 to target group a, with eni-web as target."""
    described = documents()
    described["LoadBalancers"] = [
        {
            "LoadBalancerArn": LB,
            "LoadBalancerName": "web",
            "Type": "application",
            "Scheme": "internet-facing",
            "VpcId": "vpc-1",
            "State": {"Code": "active"},
            "SecurityGroups": ["sg-web"],
            "AvailabilityZones": [{"SubnetId": "subnet-pub", "ZoneName": "eu-west-1a"}],
        }
    ]
    described["TargetGroups"] = [
        {
            "TargetGroupArn": TG.format(n),
            "TargetGroupName": n,
            "TargetType": "instance",
            "Protocol": "HTTP",
            "Port": 8080,
            "VpcId": "vpc-1",
        }
        for n in "ab"
    ]
    described["LoadBalancerTargetHealth"] = [
        {"TargetGroupArn": TG.format("a"), "TargetHealthDescriptions": [{"Target": {"Id": "i-web", "Port": 8080}}]},
        {"TargetGroupArn": TG.format("b"), "TargetHealthDescriptions": []},
    ]
    forward = [{"Type": "forward", "TargetGroupArn": TG.format("a")}]
    described["LoadBalancerListeners"] = [
        {
            "LoadBalancerArn": LB,
            "Listeners": [
                {
                    "ListenerArn": LISTENER,
                    "LoadBalancerArn": LB,
                    "Port": 80,
                    "Protocol": "HTTP",
                    "DefaultActions": forward,
                }
            ],
        }
    ]
    described["LoadBalancerRules"] = [
        {
            "ListenerArn": LISTENER,
            "Rules": [{"RuleArn": "arn:d", "Priority": "default", "IsDefault": True, "Actions": forward}],
        }
    ]
    return described


def listener_values(group: str, port: int = 80) -> dict[str, Any]:
    action = {"type": "forward", "target_group_arn": group, "forward": []}
    return {"id": LISTENER, "load_balancer_arn": LB, "port": port, "protocol": "HTTP", "default_action": [action]}


def test_lb_a_listener_is_changed_and_a_new_one_is_added(tmp_path: Any) -> None:
    over = network(balanced())
    before, after = listener_values(TG.format("a")), listener_values(TG.format("b"), 8080)
    done = planned(tmp_path, [change("aws_lb_listener.l", "update", before, after)], over=over).network
    (listener,) = done.load_balancers[LB].listeners or ()
    assert (listener.port, listener.listener_id) == (8080, LISTENER)
    new = {key: value for key, value in listener_values(TG.format("b"), 443).items() if key != "id"}
    done = planned(tmp_path, [change("aws_lb_listener.n", "create", None, new, {"id": True})], over=over).network
    assert [(each.port, each.target_group_ids) for each in done.load_balancers[LB].listeners or ()] == [
        (80, (TG.format("a"),)),
        (443, (TG.format("b"),)),
    ]
    gone = planned(tmp_path, [change("aws_lb_listener.l", "delete", before)], over=over).network
    assert gone.load_balancers[LB].listeners == ()


def test_al04_rules_add_target_groups_and_take_them_away(tmp_path: Any) -> None:
    over = network(balanced())
    listener = change("aws_lb_listener.l", "no-op", listener_values(TG.format("a")), listener_values(TG.format("a")))
    forward = {
        "type": "forward",
        "target_group_arn": None,
        "forward": [{"target_group": [{"arn": TG.format("b"), "weight": 1}, {"arn": TG.format("a"), "weight": 0}]}],
    }
    rule = {"listener_arn": LISTENER, "priority": 1, "action": [forward]}
    added = planned(
        tmp_path, [listener, change("aws_lb_listener_rule.r", "create", None, rule, {"id": True})], over=over
    ).network
    (found,) = added.load_balancers[LB].listeners or ()
    assert (found.target_group_ids, found.complete) == ((TG.format("a"), TG.format("b")), True)
    gone = change("aws_lb_listener_rule.r", "delete", {"id": "tf:aws_lb_listener_rule.r", **rule})
    assert planned(tmp_path, [listener, gone], over=added).network == over
    assert planned(tmp_path, [gone], over=added).network == over, "the snapshot knows the listener's other rules"


def test_lb08_targets_and_target_groups(tmp_path: Any) -> None:
    over = network(balanced())
    changes = [
        change(
            "aws_lb_target_group.n",
            "create",
            None,
            {"name": "n", "port": 9000, "protocol": "HTTP", "target_type": "ip", "vpc_id": "vpc-1"},
            {"id": True, "arn": True},
        ),
        change(
            "aws_lb_target_group_attachment.t",
            "create",
            None,
            {"target_id": "10.0.2.20", "port": None},
            {"id": True, "target_group_arn": True},
        ),
        change(
            "aws_lb_target_group_attachment.old",
            "delete",
            {"target_group_arn": TG.format("a"), "target_id": "i-web", "port": 8080},
        ),
        change(
            "aws_lb_listener.l",
            "update",
            listener_values(TG.format("a")),
            {**listener_values(""), "default_action": [{"type": "forward"}]},
            {"default_action": [{"target_group_arn": True}]},
        ),
    ]
    resources = [
        configured("aws_lb_target_group.n"),
        configured("aws_lb_target_group_attachment.t", {"target_group_arn": refs("aws_lb_target_group.n.arn")}),
        configured(
            "aws_lb_listener.l",
            {"default_action": [{"type": const("forward"), "target_group_arn": refs("aws_lb_target_group.n.arn")}]},
        ),
    ]
    done = planned(tmp_path, changes, resources, over=over).network
    made = done.target_groups["tf:aws_lb_target_group.n"]
    assert [(t.target_id, t.port) for t in made.targets or ()] == [("10.0.2.20", None)]
    assert (made.port, made.target_type) == (9000, "ip")
    assert done.target_groups[TG.format("a")].targets == ()
    (listener,) = done.load_balancers[LB].listeners or ()
    assert "tf:aws_lb_target_group.n" in listener.target_group_ids


@pytest.mark.parametrize("kind", ["aws_lb", "aws_alb"])
def test_lb01_groups_of_a_load_balancer_are_those_of_its_nodes(tmp_path: Any, kind: str) -> None:
    described = balanced()
    node = {**described["NetworkInterfaces"][0], "NetworkInterfaceId": "eni-lb", "SubnetId": "subnet-pub"}
    node |= {
        "Description": "ELB app/web/1",
        "RequesterManaged": True,
        "PrivateIpAddress": "10.0.0.40",
        "Attachment": {},
    }
    node["PrivateIpAddresses"] = [{"PrivateIpAddress": "10.0.0.40", "Primary": True}]
    described["NetworkInterfaces"].append(node)
    over = network(described)
    assert over.load_balancers[LB].interface_ids == ("eni-lb",)
    before = {"id": LB, "security_groups": ["sg-web"], "subnets": ["subnet-pub"]}
    done = planned(
        tmp_path, [change(f"{kind}.web", "update", before, {**before, "security_groups": ["sg-db"]})], over=over
    )
    assert done.network.interfaces["eni-lb"].group_ids == ("sg-db",)
    assert done.network.load_balancers[LB].group_ids == ("sg-db",)
    gone = planned(tmp_path, [change(f"{kind}.web", "delete", before)], over=over).network
    assert "eni-lb" not in gone.interfaces
    assert LB not in gone.load_balancers
