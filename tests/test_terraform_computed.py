"""Attributes that are configured and computed: null in the configuration shows as known after apply, and after a change
of another attribute the old value stays."""

from __future__ import annotations

from typing import Any

import pytest
from plan_documents import change, configured, const, documents, network, planned, refs

RULE = {"type": "ingress", "protocol": "tcp", "from_port": 5433, "to_port": 5433, "security_group_id": "sg-db"}


@pytest.mark.parametrize(
    ("given", "unknown", "expected"),
    [
        ({"cidr_blocks": ["192.168.0.0/16"]}, {}, {("192.168.0.0/16", None)}),
        ({"ipv6_cidr_blocks": ["fd00::/8"]}, {}, {("fd00::/8", None)}),
        ({"self": True}, {}, {(None, "sg-db")}),
        ({}, {"cidr_blocks": True}, {("open", None)}),
        ({"prefix_list_ids": ["pl-1"]}, {}, {("pl-1", None), ("open", None)}),
        ({}, {}, {(None, "tf:aws_security_group.cluster")}),
    ],
)
def test_a_source_group_that_is_null_is_not_followed(tmp_path: Any, given: Any, unknown: Any, expected: Any) -> None:
    cluster = change("aws_security_group.cluster", "create", None, {"vpc_id": "vpc-1"}, {"id": True})
    rule = change(
        'aws_security_group_rule.r["corp"]',
        "create",
        None,
        {**RULE, "self": False, **given},
        {"id": True, "source_security_group_id": True, **unknown},
    )
    source = {"references": ["each.value.source_security_group_id", "each.value", "aws_security_group.cluster"]}
    expressions = {"source_security_group_id": source, "cidr_blocks": refs("each.value")}
    own = configured("aws_security_group_rule.r", expressions, for_each_expression=const({"corp": {}}))
    done = planned(tmp_path, [cluster, rule], [configured("aws_security_group.cluster"), own])
    found = set()
    for made in done.network.security_groups["sg-db"].rules:
        if made.from_port == 5433:
            listed = made.prefix_list_id and ("open" if made.prefix_list_id.startswith("tf:?") else made.prefix_list_id)
            found.add((str(made.cidr_block) if made.cidr_block else listed, made.referenced_group_id))
    assert found == expected


ROUTE = {"route_table_id": "rtb-priv", "destination_cidr_block": "10.8.0.0/16"}
TARGETS = (
    "gateway_id", "nat_gateway_id", "network_interface_id", "instance_id", "transit_gateway_id", "vpc_endpoint_id",
    "vpc_peering_connection_id", "egress_only_gateway_id", "core_network_arn",
)  # fmt: skip


def route_of(done: Any) -> tuple[str, str]:
    (found,) = [r for r in done.network.route_tables["rtb-priv"].routes if str(r.destination) == "10.8.0.0/16"]
    return found.target_kind, found.target_id


def over_an_interface() -> Any:
    described = documents()
    route = {"DestinationCidrBlock": "10.8.0.0/16", "Origin": "CreateRoute", "State": "active"}
    route |= {"NetworkInterfaceId": "eni-web", "InstanceId": "i-web"}
    (private,) = [table for table in described["RouteTables"] if table["RouteTableId"] == "rtb-priv"]
    private["Routes"].append(route)
    return network(described)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("gateway_id", "igw-1", "internet-gateway"),
        ("nat_gateway_id", "nat-1", "nat-gateway"),
        ("network_interface_id", "eni-db", "network-interface"),
        ("transit_gateway_id", "tgw-1", "transit-gateway"),
        ("vpc_endpoint_id", "vpce-1", "gateway-load-balancer-endpoint"),
        ("vpc_peering_connection_id", "pcx-1", "vpc-peering-connection"),
        ("egress_only_gateway_id", "eigw-1", "egress-only-internet-gateway"),
        ("core_network_arn", "arn:aws:networkmanager::1:core-network/c", "core-network"),
    ],
)
def test_a_route_goes_to_the_target_that_changes(tmp_path: Any, name: str, value: str, kind: str) -> None:
    before = {"id": "r", **ROUTE, **dict.fromkeys(TARGETS, ""), "network_interface_id": "eni-web"}
    before["instance_id"] = "i-web"
    changed = change("aws_route.x", "update", before, {**before, name: value})
    done = planned(tmp_path, [changed], [configured("aws_route.x", {name: const(value)})], over=over_an_interface())
    assert route_of(done) == (kind, value)


def test_a_route_goes_to_the_instance_that_changes(tmp_path: Any) -> None:
    before = {"id": "r", **ROUTE, "network_interface_id": "eni-web", "instance_id": "i-web"}
    changed = change("aws_route.x", "update", before, {**before, "instance_id": "i-db"})
    done = planned(tmp_path, [changed], [configured("aws_route.x")], over=over_an_interface())
    assert route_of(done) == ("network-interface", "eni-db")


def test_a_route_goes_to_a_new_target_that_changes(tmp_path: Any) -> None:
    gateway = change("aws_ec2_transit_gateway.t", "create", None, {}, {"id": True})
    before = {"id": "r", **ROUTE, "network_interface_id": "eni-web", "instance_id": "i-web", "transit_gateway_id": ""}
    after = {name: value for name, value in before.items() if name != "transit_gateway_id"}
    changed = change("aws_route.x", "update", before, after, {"transit_gateway_id": True})
    own = configured("aws_route.x", {"transit_gateway_id": refs("aws_ec2_transit_gateway.t.id")})
    resources = [configured("aws_ec2_transit_gateway.t"), own]
    done = planned(tmp_path, [gateway, changed], resources, over=over_an_interface())
    assert route_of(done) == ("transit-gateway", "tf:aws_ec2_transit_gateway.t")


def test_a_route_whose_targets_stay_stays(tmp_path: Any) -> None:
    before = {"id": "r", **ROUTE, "network_interface_id": "eni-db", "transit_gateway_id": "tgw-1", "timeouts": None}
    changed = change("aws_route.x", "update", before, {**before, "timeouts": {"create": "5m"}})
    done = planned(tmp_path, [changed], [configured("aws_route.x")], over=over_an_interface())
    assert route_of(done) == ("network-interface", "eni-web")


@pytest.mark.parametrize("known", [True, False])
def test_a_new_route_goes_to_what_is_known_or_to_what_is_not_computed(tmp_path: Any, known: bool) -> None:
    interface = change("aws_network_interface.n", "create", None, {"subnet_id": "subnet-a"}, {"id": True})
    gateway = change("aws_ec2_transit_gateway.t", "create", None, {}, {"id": True})
    after = {**ROUTE, "gateway_id": None, **({"transit_gateway_id": "tgw-1"} if known else {})}
    unknown = {"id": True, "network_interface_id": True, "instance_id": True, "transit_gateway_id": not known}
    made = change("aws_route.x", "create", None, after, unknown)
    expressions = {
        "network_interface_id": refs("aws_network_interface.n.id"),
        "transit_gateway_id": refs("aws_ec2_transit_gateway.t.id"),
    }
    names = ("aws_network_interface.n", "aws_ec2_transit_gateway.t")
    resources = [*(configured(name) for name in names), configured("aws_route.x", expressions)]
    done = planned(tmp_path, [interface, gateway, made], resources)
    assert route_of(done) == ("transit-gateway", "tgw-1" if known else "tf:aws_ec2_transit_gateway.t")


def holder(done: Any, allocation_id: str) -> str | None:
    (found,) = [e for e in done.network.elastic_addresses if e.allocation_id == allocation_id]
    return found.interface_id


def test_an_elastic_ip_moves_to_the_instance_that_changes(tmp_path: Any) -> None:
    described = documents()
    described["Addresses"][1] |= {"NetworkInterfaceId": "eni-web", "PrivateIpAddress": "10.0.1.10"}
    before = {"id": "eipalloc-free", "instance": "i-web", "network_interface": "eni-web", "domain": "vpc"}
    moved = change("aws_eip.e", "update", before, {**before, "instance": "i-db"})
    done = planned(tmp_path, [moved], [configured("aws_eip.e", {"instance": const("i-db")})], over=network(described))
    assert holder(done, "eipalloc-free") == "eni-db"
    assert [own.public_address for own in done.network.interfaces["eni-web"].addresses] == [None]


@pytest.mark.parametrize("known", [True, False])
def test_an_elastic_ip_goes_to_what_is_known_or_referred_to(tmp_path: Any, known: bool) -> None:
    instance = change("aws_instance.n", "create", None, {"subnet_id": "subnet-a"}, {"id": True})
    after = {"domain": "vpc", **({"instance": "i-db"} if known else {})}
    unknown = {"id": True, "public_ip": True, "network_interface": True, "instance": not known}
    made = change("aws_eip.e", "create", None, after, unknown)
    own = configured("aws_eip.e", {"instance": refs("aws_instance.n.id"), "network_interface": refs("var.none")})
    done = planned(tmp_path, [instance, made], [configured("aws_instance.n"), own], variables={"none": {"value": None}})
    assert holder(done, "tf:aws_eip.e") == ("eni-db" if known else "tf:aws_instance.n:primary-network-interface")
    assert not done.ambiguities


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (["sg-db"], ("sg-db",)),
        (["db"], ("sg-db",)),
        (["db", "sg-web"], ("sg-db", "sg-web")),
        (["nobody"], None),
        (None, ("sg-default",)),
    ],
)
def test_a_new_instance_has_the_groups_that_security_groups_names(tmp_path: Any, named: Any, expected: Any) -> None:
    after = {"subnet_id": "subnet-b", "private_ip": "10.0.2.50", **({"security_groups": named} if named else {})}
    unknown = {"id": True, "vpc_security_group_ids": True, "security_groups": named is None}
    made = change("aws_instance.n", "create", None, after, unknown)
    expressions = {"subnet_id": const("subnet-b"), **({"security_groups": const(named)} if named else {})}
    done = planned(tmp_path, [made], [configured("aws_instance.n", expressions)])
    assert done.network.interfaces["tf:aws_instance.n:primary-network-interface"].group_ids == expected
    assert bool(done.issues) == (expected is None)


def test_groups_that_security_groups_names_by_a_new_groups_name_are_not_known(tmp_path: Any) -> None:
    group = change("aws_security_group.g", "create", None, {"vpc_id": "vpc-1"}, {"id": True, "name": True})
    after = {"subnet_id": "subnet-b", "private_ip": "10.0.2.50"}
    made = change("aws_instance.n", "create", None, after, {"vpc_security_group_ids": True, "security_groups": True})
    own = configured("aws_instance.n", {"security_groups": refs("aws_security_group.g.name")})
    done = planned(tmp_path, [group, made], [configured("aws_security_group.g"), own])
    assert done.network.interfaces["tf:aws_instance.n:primary-network-interface"].group_ids is None


@pytest.mark.parametrize(
    ("name", "number"),
    [("ipv6-icmp", 58), ("icmpv6", 58), ("esp", 50), ("GRE", 47), ("ah", 51), ("ipip", 94), ("rohc", 142), ("47", 47)],
)
def test_an_acl_entry_takes_the_names_of_protocols(tmp_path: Any, name: str, number: int) -> None:
    after = {"network_acl_id": "acl-1", "rule_number": 50, "egress": False, "protocol": name, "rule_action": "deny"}
    made = change("aws_network_acl_rule.r", "create", None, {**after, "ipv6_cidr_block": "::/0"}, {"id": True})
    done = planned(tmp_path, [made], [configured("aws_network_acl_rule.r")])
    (entry,) = [each for each in done.network.network_acls["acl-1"].entries if each.rule_number == 50]
    assert entry.protocol == number
