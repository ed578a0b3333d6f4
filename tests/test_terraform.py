"""Plans over a small network: what each kind of change makes of it (ecosystem.md 2), in Terraform's own JSON."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from plan_documents import ask, change, configured, const, documents, network, plan, planned, refs, write

import flowcore as fc
from flowcore.model import Network, SecurityGroupRule
from flowcore.sources.terraform import read_plan

WEB_RULE = {
    "id": "sgr-web-in",
    "security_group_rule_id": "sgr-web-in",
    "security_group_id": "sg-web",
    "ip_protocol": "tcp",
    "from_port": 443,
    "to_port": 443,
    "cidr_ipv4": "0.0.0.0/0",
    "cidr_ipv6": None,
    "prefix_list_id": None,
    "referenced_security_group_id": None,
    "description": None,
}
IN = "aws_vpc_security_group_ingress_rule"


def rules_of(over: Network, group: str, egress: bool = False) -> list[SecurityGroupRule]:
    return [each for each in over.security_groups[group].rules if each.egress == egress]


def says(each: SecurityGroupRule) -> tuple[Any, ...]:
    remote = each.cidr_block or each.prefix_list_id or each.referenced_group_id
    return each.protocol, each.from_port, each.to_port, str(remote)


def test_a_plan_of_no_ops_gives_an_equal_network(tmp_path: Any) -> None:
    changes = [
        change(f"{IN}.web", "no-op", WEB_RULE, WEB_RULE),
        change(
            "aws_security_group.web", "no-op", {"id": "sg-web", "ingress": [{"x": 1}]}, {"id": "sg-web", "ingress": []}
        ),
        change("data.aws_vpc.main", "read", None, {"id": "vpc-1"}),
    ]
    done = planned(tmp_path, changes)
    assert done.network == network()
    assert done.changes == ()
    assert done.issues == ()


# -- security groups --------------------------------------------------------------------------------------


def test_sg01_an_updated_rule_keeps_its_id(tmp_path: Any) -> None:
    after = {**WEB_RULE, "from_port": 8443, "to_port": 8443}
    done = planned(tmp_path, [change(f"{IN}.web", "update", WEB_RULE, after)])
    assert [(r.rule_id, *says(r)) for r in rules_of(done.network, "sg-web")] == [
        ("sgr-web-in", 6, 8443, 8443, "0.0.0.0/0")
    ]
    (made,) = done.changes
    assert (made.name, made.action, made.kind) == (f"{IN}.web", "update", IN)
    assert [(a.name, a.before, a.after) for a in made.attributes] == [("from_port", 443, 8443), ("to_port", 443, 8443)]
    assert made.records == (("security_groups", "sg-web"),)
    assert made.rules == ("sgr-web-in",)


def test_sg01_a_deleted_rule_is_gone_and_a_new_one_has_a_made_up_id(tmp_path: Any) -> None:
    new = {**WEB_RULE, "cidr_ipv4": "10.0.0.0/8"}
    del new["id"], new["security_group_rule_id"]
    done = planned(
        tmp_path,
        [
            change(f"{IN}.web", "delete", WEB_RULE, None),
            change(f'{IN}.more["a b"]', "create", None, new, {"id": True, "security_group_rule_id": True}),
        ],
    )
    made = f'tf:{IN}.more["a\\u0020b"]'
    assert [(r.rule_id, str(r.cidr_block)) for r in rules_of(done.network, "sg-web")] == [(made, "10.0.0.0/8")]
    assert [c.rules for c in done.changes] == [("sgr-web-in",), (made,)]


def test_a_rule_without_its_row_is_found_by_what_it_says(tmp_path: Any) -> None:
    described = documents()
    described["SecurityGroups"][0]["IpPermissions"] = [
        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ]
    del described["SecurityGroupRules"]
    over = network(described)
    done = planned(tmp_path, [change(f"{IN}.web", "delete", WEB_RULE, None)], over=over)
    assert rules_of(over, "sg-web")
    assert not rules_of(done.network, "sg-web")


def test_one_security_group_rule_resource_is_many_rules_sg05(tmp_path: Any) -> None:
    values = {
        "security_group_id": "sg-web",
        "type": "ingress",
        "protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "cidr_blocks": ["10.0.0.0/8", "192.168.0.0/16"],
        "ipv6_cidr_blocks": ["2001:db8::/32"],
        "prefix_list_ids": ["pl-1"],
        "self": True,
        "source_security_group_id": None,
    }
    created = planned(tmp_path, [change("aws_security_group_rule.ssh", "create", None, values, {"id": True})])
    expected = {"10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32", "pl-1", "sg-web"}
    assert {says(r)[3] for r in rules_of(created.network, "sg-web") if r.from_port == 22} == expected
    before = {**values, "id": "sgrule-1234", "security_group_rule_id": None}
    gone = planned(tmp_path, [change("aws_security_group_rule.ssh", "delete", before, None)], over=created.network)
    assert gone.network.security_groups == network().security_groups


def inline(*ports: int, **remote: Any) -> list[dict[str, Any]]:
    remote = remote or {"cidr_blocks": ["10.0.0.0/8"]}
    empty = {"cidr_blocks": [], "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": False}
    return [{**empty, "protocol": "tcp", "from_port": p, "to_port": p, "description": "", **remote} for p in ports]


def group_values(**more: Any) -> dict[str, Any]:
    return {"id": "sg-web", "name": "web", "vpc_id": "vpc-1", "ingress": [], "egress": [], **more}


def test_inline_rules_are_all_the_rules_of_their_direction(tmp_path: Any) -> None:
    before = group_values(ingress=inline(443, cidr_blocks=["0.0.0.0/0"]))
    after = group_values(ingress=[*inline(443, cidr_blocks=["0.0.0.0/0"]), *inline(80)])
    done = planned(
        tmp_path,
        [change("aws_security_group.web", "update", before, after)],
        [configured("aws_security_group.web", {"ingress": refs("var.ports")})],
    )
    assert [says(r)[1:] for r in rules_of(done.network, "sg-web")] == [(80, 80, "10.0.0.0/8"), (443, 443, "0.0.0.0/0")]
    assert "sgr-web-in" in {r.rule_id for r in rules_of(done.network, "sg-web")}, "a rule that stays keeps its id"
    assert [r.rule_id for r in rules_of(done.network, "sg-web", egress=True)] == ["sgr-web-out"]
    assert done.changes[0].rules == ("sg-web:in:tcp:80-80:10.0.0.0/8",)


def test_rules_that_a_group_only_shows_are_not_its_own(tmp_path: Any) -> None:
    """ecosystem.md 2.3 (3): after.ingress lists rules of other resources where the group configures none."""
    before = group_values(ingress=inline(443), tags={})
    after = group_values(ingress=inline(443, 80, 8080), tags={"a": "b"})
    done = planned(
        tmp_path,
        [
            change("aws_security_group.web", "update", before, after),
            change(f"{IN}.web", "no-op", WEB_RULE, WEB_RULE),
        ],
        [configured("aws_security_group.web", {"name": const("web")}), configured(f"{IN}.web")],
    )
    assert done.network == network()


def test_dynamic_blocks_do_not_show_in_the_configuration(tmp_path: Any) -> None:
    before, after = group_values(ingress=inline(443)), group_values(ingress=inline(443, 80))
    done = planned(
        tmp_path,
        [change("aws_security_group.web", "update", before, after)],
        [configured("aws_security_group.web", {"name": const("web")})],
    )
    assert {says(r)[1] for r in rules_of(done.network, "sg-web")} == {443, 80}


def test_sg03_a_new_group_has_no_rules_but_the_plans(tmp_path: Any) -> None:
    after = {"name": "new", "vpc_id": "vpc-1", "ingress": inline(80, security_groups=[None])}
    unknown = {"id": True, "egress": True, "ingress": [{"security_groups": [True]}]}
    done = planned(
        tmp_path,
        [change("aws_security_group.new", "create", None, after, unknown)],
        [configured("aws_security_group.new", {"ingress": refs("aws_security_group.new.id")})],
    )
    group = done.network.security_groups["tf:aws_security_group.new"]
    assert (group.vpc_id, group.group_name, group.owner_id) == ("vpc-1", "new", "111122223333")
    assert [(r.egress, says(r)[3]) for r in group.rules] == [(False, "tf:aws_security_group.new")]


def test_a_replaced_group_is_followed_by_what_refers_to_it(tmp_path: Any) -> None:
    before = {"id": "i-db", "vpc_security_group_ids": ["sg-db"], "source_dest_check": True}
    changes = [
        change(
            "aws_security_group.db",
            "create,delete",
            {"id": "sg-db", "name": "db", "vpc_id": "vpc-1"},
            {"name": "db2", "vpc_id": "vpc-1", "ingress": inline(5432, security_groups=["sg-web"])},
            {"id": True, "egress": True},
        ),
        change(
            "aws_instance.db",
            "update",
            before,
            {"id": "i-db", "source_dest_check": True},
            {"vpc_security_group_ids": True},
        ),
    ]
    resources = [
        configured("aws_security_group.db", {"ingress": const([])}),
        configured("aws_instance.db", {"vpc_security_group_ids": refs("aws_security_group.db.id")}),
    ]
    done = planned(tmp_path, changes, resources)
    assert done.network.interfaces["eni-db"].group_ids == ("tf:aws_security_group.db",)
    assert "sg-db" not in done.network.security_groups
    assert done.replaced == {"sg-db": "tf:aws_security_group.db"}
    assert ask(done.network, "10.0.1.10", "10.0.2.20", 5432)[0] == "ACCEPT"
    undone = done.network_without({"aws_security_group.db"})
    assert undone.interfaces["eni-db"].group_ids == ("sg-db",), "undone, the reference leads to the old group"
    assert done.network_without(done.names) == network()


def test_a_default_group_is_adopted_with_all_its_rules(tmp_path: Any) -> None:
    after = {"vpc_id": "vpc-1", "ingress": inline(22)}
    done = planned(
        tmp_path, [change("aws_default_security_group.d", "create", None, after, {"id": True, "egress": True})]
    )
    assert [(r.egress, r.from_port) for r in done.network.security_groups["sg-default"].rules] == [(False, 22)]


def test_what_a_rule_lets_in_is_unknown_while_its_remote_is(tmp_path: Any) -> None:
    after = {key: value for key, value in WEB_RULE.items() if key not in ("id", "cidr_ipv4")}
    after |= {"from_port": 22, "to_port": 22}
    done = planned(
        tmp_path,
        [change(f"{IN}.ssh", "create", None, after, {"id": True, "cidr_ipv4": True})],
        [configured(f"{IN}.ssh", {"cidr_ipv4": refs("aws_eip.x.public_ip")})],
    )
    assert ask(done.network, "10.0.2.20", "10.0.1.10", 22) == ("UNKNOWN", "MISSING_PREFIX_LIST")
    assert ask(done.network, "10.0.2.20", "10.0.1.10", 23) == ("REJECT", "ENI_SG_RULES_MISMATCH")
    assert [i.code for i in done.issues if i.resource == f"{IN}.ssh"] == ["known-after-apply"]


def test_prefix_lists_and_their_entries(tmp_path: Any) -> None:
    before = {
        "id": "pl-1",
        "name": "x",
        "address_family": "IPv4",
        "entry": [{"cidr": "192.0.2.0/24", "description": ""}],
    }
    after = {**before, "entry": [{"cidr": "192.0.2.0/24"}, {"cidr": "198.51.100.0/24"}]}
    done = planned(
        tmp_path,
        [
            change("aws_ec2_managed_prefix_list.x", "update", before, after),
            change(
                "aws_ec2_managed_prefix_list.y", "create", None, {"name": "y", "address_family": "IPv6"}, {"id": True}
            ),
            change(
                "aws_ec2_managed_prefix_list_entry.y",
                "create",
                None,
                {"cidr": "2001:db8::/32"},
                {"prefix_list_id": True},
            ),
        ],
        [
            configured("aws_ec2_managed_prefix_list.x", {"entry": refs("var.x")}),
            configured("aws_ec2_managed_prefix_list.y"),
            configured(
                "aws_ec2_managed_prefix_list_entry.y", {"prefix_list_id": refs("aws_ec2_managed_prefix_list.y.id")}
            ),
        ],
    )
    lists = done.network.prefix_lists
    assert lists["pl-1"].cidr_blocks == (ip_network("192.0.2.0/24"), ip_network("198.51.100.0/24"))
    assert lists["tf:aws_ec2_managed_prefix_list.y"].cidr_blocks == (ip_network("2001:db8::/32"),)


# -- network ACLs -----------------------------------------------------------------------------------------


def acl_rule(number: int, action: str = "deny", **more: Any) -> dict[str, Any]:
    values = {"network_acl_id": "acl-1", "rule_number": number, "egress": False, "rule_action": action}
    return {**values, "protocol": "6", "cidr_block": "0.0.0.0/0", "from_port": 443, "to_port": 443, **more}


def test_na02_an_acl_entry_is_put_in_order(tmp_path: Any) -> None:
    done = planned(tmp_path, [change("aws_network_acl_rule.x", "create", None, acl_rule(50), {"id": True})])
    assert [e.rule_number for e in done.network.network_acls["acl-1"].entries] == [50, 100, 32767, 100, 32767]
    assert done.changes[0].rules == ("acl-1#50",)
    gone = planned(
        tmp_path, [change("aws_network_acl_rule.x", "delete", {"id": "nacl-7", **acl_rule(50)})], over=done.network
    )
    assert gone.network == network()


def test_na12_a_new_acl_denies_and_takes_over_its_subnets(tmp_path: Any) -> None:
    entry = {
        "rule_no": 7,
        "action": "allow",
        "protocol": "-1",
        "cidr_block": "10.0.0.0/8",
        "from_port": 0,
        "to_port": 0,
    }
    after = {"vpc_id": "vpc-1", "ingress": [entry], "subnet_ids": ["subnet-a"]}
    done = planned(
        tmp_path,
        [change("aws_network_acl.n", "create", None, after, {"id": True, "egress": True})],
        [configured("aws_network_acl.n", {"ingress": const([entry])})],
    )
    acls = done.network.network_acls
    assert [(e.rule_number, e.egress, e.allow) for e in acls["tf:aws_network_acl.n"].entries] == [
        (7, False, True),
        (32767, False, False),
        (32767, True, False),
    ]
    assert acls["tf:aws_network_acl.n"].subnet_ids == ("subnet-a",)
    assert acls["acl-1"].subnet_ids == ("subnet-b", "subnet-pub")
    before = {**after, "id": "tf:aws_network_acl.n", "egress": []}
    gone = planned(tmp_path, [change("aws_network_acl.n", "delete", before)], over=done.network)
    assert gone.network == network(), "its subnets go back to the default ACL"


def test_an_acl_with_entries_not_known_makes_its_subnets_unknown_only(tmp_path: Any) -> None:
    values = acl_rule(50)
    del values["cidr_block"]
    done = planned(
        tmp_path, [change("aws_network_acl_rule.x", "create", None, values, {"id": True, "cidr_block": True})]
    )
    assert ask(done.network, "10.0.1.10", "10.0.2.20", 5432) == ("UNKNOWN", "UNKNOWN_RESOURCE")
    assert [i.code for i in done.issues] == ["known-after-apply"]


# -- routes -----------------------------------------------------------------------------------------------


def route_values(**more: Any) -> dict[str, Any]:
    return {"route_table_id": "rtb-priv", "destination_cidr_block": "0.0.0.0/0", **more}


def routes_of(over: Network, table: str) -> dict[str, tuple[str, str, bool]]:
    return {str(r.destination): (r.target_kind, r.target_id, r.blackhole) for r in over.route_tables[table].routes}


def test_rt13_a_deleted_nat_gateway_leaves_a_black_hole(tmp_path: Any) -> None:
    before = {"id": "nat-1", "subnet_id": "subnet-pub"}
    done = planned(tmp_path, [change("aws_nat_gateway.n", "delete", before)])
    assert routes_of(done.network, "rtb-priv")["0.0.0.0/0"] == ("nat-gateway", "nat-1", True)
    assert "eni-nat" not in done.network.interfaces
    assert done.changes[0].rules == ("rtb-priv 0.0.0.0/0",)
    assert ask(done.network, "10.0.1.10", "8.8.8.8")[:2] == ("REJECT", "BAD_STATE_ROUTE")


def test_a_replaced_nat_gateway_is_followed_by_its_route(tmp_path: Any) -> None:
    nat = {"id": "nat-1", "subnet_id": "subnet-pub", "allocation_id": "eipalloc-nat", "connectivity_type": "public"}
    changes = [
        change("aws_nat_gateway.n", "delete,create", nat, {k: v for k, v in nat.items() if k != "id"}, {"id": True}),
        change(
            "aws_route.out",
            "update",
            route_values(id="r-1", nat_gateway_id="nat-1"),
            route_values(id="r-1"),
            {"nat_gateway_id": True},
        ),
    ]
    resources = [
        configured("aws_nat_gateway.n"),
        configured("aws_route.out", {"nat_gateway_id": refs("aws_nat_gateway.n.id")}),
    ]
    done = planned(tmp_path, changes, resources)
    assert routes_of(done.network, "rtb-priv")["0.0.0.0/0"] == ("nat-gateway", "tf:aws_nat_gateway.n", False)
    gateway = done.network.nat_gateways["tf:aws_nat_gateway.n"]
    assert str(gateway.addresses[0].public_address) == "52.0.0.5"
    assert gateway.addresses[0].private_address in ip_network("10.0.0.0/24")
    assert not done.ambiguities


def test_a_nat_gateways_address_is_open_if_rules_tell_its_subnets_addresses_apart(tmp_path: Any) -> None:
    described = documents()
    half = {"RuleNumber": 90, "Egress": True, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "10.0.0.128/25"}
    described["NetworkAcls"][0]["Entries"].append(half)
    new = {"subnet_id": "subnet-pub", "allocation_id": "eipalloc-free"}
    changes = [change("aws_nat_gateway.n", "create", None, new, {"id": True})]
    assert (
        not planned(tmp_path, changes, over=network(described)).network.nat_gateways["tf:aws_nat_gateway.n"].addresses
    )
    assert planned(tmp_path, changes).network.nat_gateways["tf:aws_nat_gateway.n"].addresses


def test_inline_routes_are_all_the_static_routes(tmp_path: Any) -> None:
    empty = {"gateway_id": "", "nat_gateway_id": "", "ipv6_cidr_block": "", "destination_prefix_list_id": ""}
    before = {
        "id": "rtb-priv",
        "vpc_id": "vpc-1",
        "route": [{**empty, "cidr_block": "0.0.0.0/0", "nat_gateway_id": "nat-1"}],
    }
    after = {**before, "route": [{**empty, "cidr_block": "8.0.0.0/8", "gateway_id": "igw-1"}]}
    done = planned(
        tmp_path,
        [change("aws_route_table.p", "update", before, after)],
        [configured("aws_route_table.p", {"route": refs("var.routes")})],
    )
    assert routes_of(done.network, "rtb-priv") == {
        "10.0.0.0/16": ("local", "local", False),
        "8.0.0.0/8": ("internet-gateway", "igw-1", False),
    }
    assert done.changes[0].rules == ("rtb-priv 0.0.0.0/0", "rtb-priv 8.0.0.0/8")


def test_rt09_a_deleted_route_that_replaced_local_gives_local_back(tmp_path: Any) -> None:
    values = {"route_table_id": "rtb-pub", "destination_cidr_block": "10.0.0.0/16", "network_interface_id": "eni-web"}
    done = planned(tmp_path, [change("aws_route.r", "create", None, values, {"id": True})])
    assert routes_of(done.network, "rtb-pub")["10.0.0.0/16"] == ("network-interface", "eni-web", False)
    gone = planned(tmp_path, [change("aws_route.r", "delete", {"id": "r", **values})], over=done.network)
    assert gone.network == network()


def test_rt01_associations_of_subnets_and_the_main_table(tmp_path: Any) -> None:
    association = {"id": "rtbassoc-1", "subnet_id": "subnet-a", "route_table_id": "rtb-priv", "gateway_id": None}
    moved = planned(
        tmp_path,
        [change("aws_route_table_association.a", "update", association, {**association, "route_table_id": "rtb-pub"})],
    )
    assert moved.network.route_tables["rtb-pub"].subnet_ids == ("subnet-a", "subnet-pub")
    assert moved.network.route_tables["rtb-priv"].subnet_ids == ("subnet-b",)
    gone = planned(tmp_path, [change("aws_route_table_association.a", "delete", association)])
    table = gone.network.route_table_of("subnet-a", "vpc-1")
    assert table is not None
    assert table.route_table_id == "rtb-main"
    main = {"vpc_id": "vpc-1", "route_table_id": "rtb-pub"}
    done = planned(tmp_path, [change("aws_main_route_table_association.m", "create", None, main, {"id": True})])
    assert [t.route_table_id for t in done.network.route_tables.values() if t.main] == ["rtb-pub"]


def test_rt20_a_gateway_gets_a_route_table(tmp_path: Any) -> None:
    values = {"route_table_id": "rtb-main", "gateway_id": "igw-1", "subnet_id": None}
    done = planned(tmp_path, [change("aws_route_table_association.edge", "create", None, values, {"id": True})])
    assert done.network.route_tables["rtb-main"].gateway_ids == ("igw-1",)


# -- ambiguity --------------------------------------------------------------------------------------------


def two_nats() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    new = {"subnet_id": "subnet-pub", "allocation_id": "eipalloc-free"}
    changes = [change(f"aws_nat_gateway.n[{i}]", "create", None, new, {"id": True}) for i in (0, 1)]
    changes.append(
        change(
            "aws_route.out",
            "update",
            route_values(id="r-1", nat_gateway_id="nat-1"),
            route_values(id="r-1"),
            {"nat_gateway_id": True},
        )
    )
    resources = [
        configured("aws_nat_gateway.n", count_expression=const(2)),
        configured("aws_route.out", {"nat_gateway_id": {"references": ["local.nat_gateway_ids"]}}),
    ]
    return changes, resources


def test_one_of_several_is_unknown_and_can_be_settled(tmp_path: Any) -> None:
    done = planned(tmp_path, *two_nats())
    (open_value,) = done.ambiguities
    assert open_value.name == "aws_route.out.nat_gateway_id"
    assert open_value.candidates == ("tf:aws_nat_gateway.n[0]", "tf:aws_nat_gateway.n[1]")
    assert ask(done.network, "10.0.1.10", "8.8.8.8") == ("UNKNOWN", "UNKNOWN_RESOURCE")
    assert ask(done.network, "10.0.1.10", "10.0.2.20", 5432)[0] == "ACCEPT", "nothing else is touched"
    (issue,) = [issue for issue in done.network.issues if issue.code == "ambiguous-reference"]
    assert issue.resource == "aws_route.out"
    assert "n[0], tf:" in issue.message
    variants = list(done.variants())
    assert [routes_of(each, "rtb-priv")["0.0.0.0/0"][1] for each in variants] == list(open_value.candidates)


def test_a_unique_candidate_behind_a_local_is_taken(tmp_path: Any) -> None:
    changes, resources = two_nats()
    done = planned(tmp_path, changes[1:], resources)
    assert not done.ambiguities
    assert routes_of(done.network, "rtb-priv")["0.0.0.0/0"][1] == "tf:aws_nat_gateway.n[1]"


def test_a_subnet_with_one_of_two_tables_is_unknown_alone(tmp_path: Any) -> None:
    tables = [
        change(f"aws_route_table.t[{i}]", "create", None, {"vpc_id": "vpc-1"}, {"id": True, "route": True})
        for i in (0, 1)
    ]
    association = {"id": "rtbassoc-1", "subnet_id": "subnet-a", "route_table_id": "rtb-priv"}
    moved = change(
        "aws_route_table_association.a", "update", association, {"subnet_id": "subnet-a"}, {"route_table_id": True}
    )
    done = planned(
        tmp_path,
        [*tables, moved],
        [
            configured("aws_route_table.t"),
            configured("aws_route_table_association.a", {"route_table_id": {"references": ["local.table"]}}),
        ],
    )
    assert ask(done.network, "10.0.1.10", "10.0.2.20", 5432) == ("UNKNOWN", "UNKNOWN_RESOURCE")
    assert ask(done.network, "10.0.2.20", "10.0.0.5", 443)[1] != "UNKNOWN_RESOURCE"


# -- undoing ----------------------------------------------------------------------------------------------


def test_undoing_one_change_is_the_plan_without_it(tmp_path: Any) -> None:
    changes = [
        change(f"{IN}.web", "delete", WEB_RULE, None),
        change("aws_network_acl_rule.x", "create", None, acl_rule(50), {"id": True}),
        change("aws_nat_gateway.n", "delete", {"id": "nat-1", "subnet_id": "subnet-pub"}),
    ]
    whole = planned(tmp_path, changes)
    for i, each in enumerate(changes):
        rest = planned(tmp_path, changes[:i] + changes[i + 1 :])
        assert whole.network_without({each["address"]}) == replace(rest.network, issues=network().issues)
    assert whole.network_without(whole.names) == network()


# -- what is around the changes ---------------------------------------------------------------------------


def codes(done: Any) -> list[tuple[str, str]]:
    return [(issue.code, issue.resource) for issue in done.issues]


def test_moved_imported_deposed_and_forgotten(tmp_path: Any) -> None:
    moved = change(f"{IN}.new", "update", WEB_RULE, {**WEB_RULE, "to_port": 444}, previous_address=f"{IN}.old")
    assert rules_of(planned(tmp_path, [moved]).network, "sg-web")[0].to_port == 444
    imported = change(f"{IN}.imp", "update", WEB_RULE, {**WEB_RULE, "to_port": 444}, importing={"id": "sgr-web-in"})
    assert rules_of(planned(tmp_path, [imported]).network, "sg-web")[0].to_port == 444
    deposed = change("aws_security_group.db", "delete", {"id": "sg-db"}, deposed="1a2b3c4d")
    current = change("aws_security_group.db", "no-op", {"id": "sg-web"}, {"id": "sg-web"})
    done = planned(tmp_path, [current, deposed])
    assert "sg-db" not in done.network.security_groups
    assert "sg-web" in done.network.security_groups
    assert done.names == ("aws_security_group.db (deposed 1a2b3c4d)",)
    forgotten = change("aws_security_group.db", "forget", {"id": "sg-db"}, None)
    assert planned(tmp_path, [forgotten]).network == network()


def test_what_the_snapshot_does_not_describe_is_listed(tmp_path: Any) -> None:
    elsewhere = {**WEB_RULE, "id": "sgr-elsewhere", "security_group_id": "sg-elsewhere"}
    done = planned(tmp_path, [change(f"{IN}.x", "delete", elsewhere, None)])
    assert codes(done) == [("not-in-snapshot", f"{IN}.x")]
    assert replace(done.network, issues=()) == replace(network(), issues=())


def test_what_is_not_modelled_is_named(tmp_path: Any) -> None:
    database = {"id": "db-1", "vpc_security_group_ids": ["sg-db"]}
    done = planned(
        tmp_path,
        [
            change("aws_networkfirewall_rule_group.f", "create", None, {"name": "x"}, {"id": True}),
            change("aws_db_instance.d", "update", database, {**database, "vpc_security_group_ids": ["sg-web"]}),
            change("aws_db_instance.e", "update", {**database, "tags": {}}, {**database, "tags": {"a": "b"}}),
            change("aws_s3_bucket.b", "create", None, {"bucket": "x"}, {"id": True}),
            change("null_resource.n", "create", None, {}, {"id": True}),
        ],
    )
    assert codes(done) == [("not-modelled", "aws_db_instance.d"), ("not-modelled", "aws_networkfirewall_rule_group.f")]


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("complete", False, "complete is false"),
        ("errored", True, "ended with an error"),
        ("deferred_changes", [{"reason": "provider_config_unknown"}], "1 changes are deferred"),
    ],
)
def test_a_partial_plan_says_so(tmp_path: Any, field: str, value: Any, word: str) -> None:
    done = planned(tmp_path, [], **{field: value})
    assert any(issue.code == "partial-plan" and word in issue.message for issue in done.issues)


def test_drift_is_noted(tmp_path: Any) -> None:
    drifted = change("aws_security_group.web", "update", {"id": "sg-web"}, {"id": "sg-web", "name": "x"})
    assert codes(planned(tmp_path, [], resource_drift=[drifted])) == [("drift", "aws_security_group.web")]


# -- bad plans --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        ({"format_version": "2.0"}, ["$.format_version", "'2.0'", "1.x"]),
        ({"Vpcs": []}, ["$", "format_version", "terraform show -json"]),
        ([], ["$", "format_version"]),
        (
            plan([change(f"{IN}.x", "create", None, {**WEB_RULE, "cidr_ipv4": "10.0.0/8"})]),
            ["$.resource_changes[0].change.after.cidr_ipv4", "'10.0.0/8'", "a CIDR"],
        ),
        (
            plan([change(f"{IN}.x", "create", None, {**WEB_RULE, "from_port": [1]})]),
            ["$.resource_changes[0].change.after.from_port", "[1]", "a whole number"],
        ),
        (plan([change(f"{IN}.x", "update", WEB_RULE, {**WEB_RULE, "to_port": 70000})]), ["to_port", "70000"]),
        (plan([change(f"{IN}.x", "explode", None, WEB_RULE)]), ["$.resource_changes[0].change.actions", "explode"]),
        (plan([change(f"{IN}.x", "create", None, [])]), ["$.resource_changes[0].change.after", "an object"]),
        (plan([change(f"{IN}.x", "delete", None, None)]), ["$.resource_changes[0].change.before"]),
        ({**plan([]), "resource_changes": [{"address": 5}]}, ["$.resource_changes[0].address", "found 5", "str"]),
    ],
)
def test_bad_plans_say_where_what_and_what_to_do(tmp_path: Any, document: Any, parts: list[str]) -> None:
    path = write(tmp_path, document)
    with pytest.raises(fc.NetworkError) as caught:
        fc.apply_plan(network(), path)
    assert str(path) in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"PK\x03\x04", b"\xff\xfe\x00", b'{"format_version": "1.2", "configuration": ' + b"[" * 5000]
)
def test_what_is_no_json_is_an_input_error(tmp_path: Any, data: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(data)
    with pytest.raises(fc.NetworkError, match=r"plan\.json"):
        fc.apply_plan(network(), path)
    with pytest.raises(fc.NetworkError, match="cannot be read"):
        fc.apply_plan(network(), tmp_path / "none.json")


# -- the bundled plan -------------------------------------------------------------------------------------


def test_the_bundled_plan_breaks_and_opens_what_its_readme_says() -> None:
    folder = Path(__file__).parents[1] / "data" / "plans"
    before = fc.read_network(folder / "snapshot")
    assert before == network()
    done = read_plan(before, folder / "plan.json")
    assert not done.ambiguities
    assert len(done.changes) == 5
    web, database = "10.0.1.10", "10.0.2.20"
    assert [ask(each, web, database, 5432)[0] for each in (before, done.network)] == ["ACCEPT", "REJECT"]
    assert [ask(each, web, database, 3306)[0] for each in (before, done.network)] == ["REJECT", "ACCEPT"]
    assert ask(done.network_without({f"{IN}.db"}), web, database, 5432)[0] == "ACCEPT"
    assert not done.network.nat_gateways["tf:aws_nat_gateway.out"].public
    edited = fc.edits.apply_edits(before, folder / "edits.toml")
    assert ask(edited, web, database, 3306)[0] == "ACCEPT"
