"""Lists that are known after apply as a whole: what is known of them stays in them, or they are not known."""

from __future__ import annotations

from typing import Any

import pytest
from plan_documents import ask, change, configured, const, documents, network, planned, refs

NEW = "tf:aws_security_group.new"
GROUP = change("aws_security_group.new", "create", None, {"vpc_id": "vpc-1", "name": "new"}, {"id": True})
DB = {"id": "i-db", "subnet_id": "subnet-b"}
WEB_TO_DB = ("10.0.1.10", "10.0.2.20", 5432)


def groups_of(tmp_path: Any, references: list[str], *more: Any, calls: Any = None, **values: Any) -> Any:
    """The groups of eni-db after a plan that gives i-db those its expression refers to; before it has sg-db."""
    before = {**DB, "vpc_security_group_ids": ["sg-db"]}
    instance = change("aws_instance.db", "update", before, DB, {"vpc_security_group_ids": True})
    resources = [
        configured("aws_security_group.new"),
        configured("aws_instance.db", {"vpc_security_group_ids": {"references": references}}),
    ]
    done = planned(tmp_path, [GROUP, *more, instance], resources, calls, **values)
    found = done.network.interfaces["eni-db"].group_ids
    if found is None:
        assert "ambiguous-reference" in {issue.code for issue in done.issues}
        assert ask(done.network, *WEB_TO_DB)[0] == "UNKNOWN"
    return found


NEW_ONE = ["aws_security_group.new.id", "aws_security_group.new"]


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("var.db_sg", "sg-db"),
        ("var.db_sgs", ["sg-db"]),
        ("var.groups.db", {"db": {"id": "sg-db"}, "web": {"id": "sg-web"}}),
        ('var.groups["db"].id', {"db": {"id": "sg-db"}, "web": {"id": "sg-web"}}),
        ("var.all[0]", ["sg-db", "sg-web"]),
        ("var.all[*].id", [{"id": "sg-db", "name": "db"}]),
    ],
)
def test_a_root_variable_gives_its_value(tmp_path: Any, reference: str, value: Any) -> None:
    name = reference.removeprefix("var.").partition(".")[0].partition("[")[0]
    found = groups_of(tmp_path, [*NEW_ONE, reference], variables={name: {"value": value}})
    assert found == ((NEW, "sg-db") if reference != "var.groups.db" else None)  # an object: it may be all of it


@pytest.mark.parametrize(
    "reference",
    [
        "local.db_sgs",
        "var.not_in_the_plan",
        "data.aws_security_groups.all.ids",
        "aws_eks_cluster.c.vpc_config[0].cluster_security_group_id",
        "aws_eks_cluster.c",
    ],
)
def test_what_the_plan_does_not_tell_leaves_the_list_open(tmp_path: Any, reference: str) -> None:
    assert groups_of(tmp_path, [*NEW_ONE, reference]) is None


def test_a_condition_beside_known_ids_leaves_the_list_open(tmp_path: Any) -> None:
    """`var.own ? [aws_security_group.new.id] : var.db_sgs` refers to the same as `concat()` of the two would."""
    values = {"variables": {"own": {"value": True}, "db_sgs": {"value": ["sg-db"]}}}
    assert groups_of(tmp_path, [*NEW_ONE, "var.own", "var.db_sgs"], **values) is None
    values["variables"]["db_sgs"] = {"value": []}
    gone = change("aws_security_group.old", "delete", {"id": "sg-db", "vpc_id": "vpc-1"})
    assert groups_of(tmp_path, [*NEW_ONE, "var.own", "var.db_sgs"], gone, **values) == (NEW,)


def test_a_literal_that_was_in_the_list_may_still_be_in_it(tmp_path: Any) -> None:
    assert groups_of(tmp_path, NEW_ONE) is None
    gone = change("aws_security_group.old", "delete", {"id": "sg-db", "vpc_id": "vpc-1"})
    assert groups_of(tmp_path, NEW_ONE, gone) == (NEW,)


def test_an_attribute_of_another_type_that_is_known_counts(tmp_path: Any) -> None:
    listener = {"id": "vpce-1", "requester": {"group": "sg-db"}}
    same = change("aws_vpc_endpoint.e", "no-op", listener, listener)
    assert groups_of(tmp_path, [*NEW_ONE, "aws_vpc_endpoint.e.requester.group"], same) == (NEW, "sg-db")


@pytest.mark.parametrize(
    ("call", "variable", "expected"),
    [
        ({"groups": const(["sg-db"])}, {}, (NEW, "sg-db")),
        ({}, {"default": ["sg-db"]}, (NEW, "sg-db")),
        ({"groups": const(["sg-db"])}, {"default": ["sg-web"]}, (NEW, "sg-db")),
        ({"groups": refs("local.x")}, {}, None),
    ],
)
def test_a_module_gets_constants_and_defaults(tmp_path: Any, call: Any, variable: Any, expected: Any) -> None:
    before = {**DB, "vpc_security_group_ids": ["sg-db"]}
    instance = change("module.m.aws_instance.db", "update", before, DB, {"vpc_security_group_ids": True})
    references = {"references": ["var.new", "var.groups"]}
    module = {
        "resources": [configured("aws_instance.db", {"vpc_security_group_ids": references})],
        "variables": {"new": {}, "groups": variable},
    }
    calls = {"m": {"expressions": {"new": {"references": NEW_ONE}, **call}, "module": module}}
    done = planned(tmp_path, [GROUP, instance], [configured("aws_security_group.new")], calls)
    assert done.network.interfaces["eni-db"].group_ids == expected


@pytest.mark.parametrize(("key", "expected"), [("a", (NEW, "sg-db")), ("b", (NEW, "sg-web")), ("c", None)])
def test_each_value_is_that_of_the_own_key(tmp_path: Any, key: str, expected: Any) -> None:
    before = {**DB, "vpc_security_group_ids": ["sg-db" if key != "b" else "sg-web"]}
    instance = change(f'aws_instance.db["{key}"]', "update", before, DB, {"vpc_security_group_ids": True})
    web = configured(
        "aws_instance.db",
        {"vpc_security_group_ids": {"references": [*NEW_ONE, "each.value.groups", "each.value"]}},
        for_each_expression={"references": ["var.instances"]},
    )
    values = {"a": {"groups": ["sg-db"]}, "b": {"groups": ["sg-web"]}}
    done = planned(
        tmp_path,
        [GROUP, instance],
        [configured("aws_security_group.new"), web],
        variables={"instances": {"value": values}},
    )
    assert done.network.interfaces["eni-db"].group_ids == expected


def test_subnets_of_a_variable_stay_under_their_acl(tmp_path: Any) -> None:
    described = documents()
    described["NetworkAcls"][0]["Associations"] = [{"SubnetId": "subnet-pub"}]
    described["NetworkAcls"].append(
        {
            "NetworkAclId": "acl-2",
            "VpcId": "vpc-1",
            "IsDefault": False,
            "Entries": [
                {"RuleNumber": 32767, "Egress": out, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"}
                for out in (False, True)
            ],
            "Associations": [{"SubnetId": "subnet-a"}, {"SubnetId": "subnet-b"}],
        }
    )
    before = {"id": "acl-2", "vpc_id": "vpc-1", "subnet_ids": ["subnet-a", "subnet-b"]}
    subnet = change("aws_subnet.n", "create", None, {"vpc_id": "vpc-1", "cidr_block": "10.0.3.0/24"}, {"id": True})
    acl = change("aws_network_acl.x", "update", before, {"id": "acl-2", "vpc_id": "vpc-1"}, {"subnet_ids": True})
    own = configured("aws_network_acl.x", {"subnet_ids": refs("aws_subnet.n.id", "var.subnets")})
    given = {"subnets": {"value": ["subnet-a", "subnet-b"]}}
    done = planned(tmp_path, [subnet, acl], [configured("aws_subnet.n"), own], over=network(described), variables=given)
    assert done.network.network_acls["acl-2"].subnet_ids == ("subnet-a", "subnet-b", "tf:aws_subnet.n")
    assert ask(done.network, *WEB_TO_DB) == ("REJECT", "SUBNET_ACL_RESTRICTION")


def test_groups_of_an_inline_rule_are_compared_with_the_same_rule_before(tmp_path: Any) -> None:
    block = {"protocol": "tcp", "from_port": 5432, "to_port": 5432, "security_groups": ["sg-web"]}
    before = {"id": "sg-db", "vpc_id": "vpc-1", "ingress": [block]}
    changed = change(
        "aws_security_group.db",
        "update",
        before,
        {**before, "ingress": [{**block, "security_groups": None}]},
        {"ingress": [{"security_groups": True}]},
    )
    own = configured("aws_security_group.db", {"ingress": [{"security_groups": refs("aws_security_group.new.id")}]})
    done = planned(tmp_path, [GROUP, changed], [configured("aws_security_group.new"), own])
    assert ask(done.network, *WEB_TO_DB)[0] == "UNKNOWN"
    gone = change("aws_security_group.web", "delete", {"id": "sg-web", "vpc_id": "vpc-1"})
    done = planned(tmp_path, [GROUP, changed, gone], [configured("aws_security_group.new"), own])
    rules = [rule for rule in done.network.security_groups["sg-db"].rules if not rule.egress]
    assert [rule.referenced_group_id for rule in rules] == [NEW]


def test_propagation_of_gateways_that_are_not_known_leaves_routes_open(tmp_path: Any) -> None:
    before = {"id": "rtb-priv", "vpc_id": "vpc-1", "propagating_vgws": []}
    after = {"id": "rtb-priv", "vpc_id": "vpc-1"}
    table = change("aws_route_table.t", "update", before, after, {"propagating_vgws": True})
    own = configured("aws_route_table.t", {"propagating_vgws": refs("local.gateways")})
    done = planned(tmp_path, [table], [own])
    assert ask(done.before, "10.0.1.10", "8.8.8.8")[0] == "ACCEPT"
    assert ask(done.network, "10.0.1.10", "8.8.8.8")[0] == "UNKNOWN"
    assert "known-after-apply" in {issue.code for issue in done.issues}


def test_a_sender_whose_groups_are_not_known_may_carry_the_one_a_rule_names(tmp_path: Any) -> None:
    before = {"id": "i-web", "vpc_security_group_ids": ["sg-web"]}
    web = change("aws_instance.web", "update", before, {"id": "i-web"}, {"vpc_security_group_ids": True})
    own = configured("aws_instance.web", {"vpc_security_group_ids": refs("aws_security_group.new.id")})
    done = planned(tmp_path, [GROUP, web], [configured("aws_security_group.new"), own])
    assert ask(done.before, *WEB_TO_DB) == ("ACCEPT", None)
    assert ask(done.network, *WEB_TO_DB) == ("UNKNOWN", "UNKNOWN_RESOURCE")
