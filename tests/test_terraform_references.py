"""What an unknown value refers to: the table of ecosystem.md 2.2, over `configuration` as Terraform 1.11 writes it."""

from __future__ import annotations

from typing import Any

import pytest
from plan_documents import change, configured, const, planned, refs

ROUTE = {"route_table_id": "rtb-priv", "destination_cidr_block": "0.0.0.0/0"}
NAT = {"subnet_id": "subnet-pub", "allocation_id": "eipalloc-free"}


def nats(*keys: Any, module: str = "") -> list[dict[str, Any]]:
    address = f"{module}.aws_nat_gateway.nat" if module else "aws_nat_gateway.nat"
    names = [address if key is None else f"{address}[{key!r}]".replace("'", '"') for key in keys]
    return [change(name, "create", None, NAT, {"id": True}) for name in names]


def route(key: Any = None) -> dict[str, Any]:
    name = "aws_route.out" if key is None else f"aws_route.out[{key!r}]".replace("'", '"')
    return change(
        name, "update", {**ROUTE, "id": "r", "nat_gateway_id": "nat-1"}, {**ROUTE, "id": "r"}, {"nat_gateway_id": True}
    )


def target(done: Any) -> str:
    (found,) = [r for r in done.network.route_tables["rtb-priv"].routes if str(r.destination) == "0.0.0.0/0"]
    assert found.target_kind == "nat-gateway"
    return str(found.target_id)


MADE, OPEN = "tf:aws_nat_gateway.nat", "tf:?aws_route.out.nat_gateway_id"


@pytest.mark.parametrize(
    ("keys", "own", "references", "expected"),
    [
        ([None], None, ["aws_nat_gateway.nat.id", "aws_nat_gateway.nat"], MADE),
        ([0, 1], None, ["aws_nat_gateway.nat[1].id", "aws_nat_gateway.nat[1]", "aws_nat_gateway.nat"], f"{MADE}[1]"),
        (
            ["a", "b"],
            None,
            ['aws_nat_gateway.nat["b"].id', 'aws_nat_gateway.nat["b"]', "aws_nat_gateway.nat"],
            f'{MADE}["b"]',
        ),
        ([0, 1], 1, ["aws_nat_gateway.nat", "count.index"], f"{MADE}[1]"),
        ([0, 1], 3, ["aws_nat_gateway.nat", "count.index"], f"{MADE}[1]"),
        ([0], 3, ["aws_nat_gateway.nat", "count.index"], f"{MADE}[0]"),
        (["a", "b"], "b", ["aws_nat_gateway.nat", "each.key"], f'{MADE}["b"]'),
        ([0, 1], "a", ["aws_nat_gateway.nat", "each.key"], 'tf:?aws_route.out["a"].nat_gateway_id'),
        ([0, 1], None, ["aws_nat_gateway.nat"], OPEN),
        ([0, 1], None, ["local.ids"], OPEN),
        ([None], None, ["local.ids"], MADE),
        ([None], None, ["data.aws_nat_gateway.other.id", "data.aws_nat_gateway.other"], OPEN),
        ([None], None, ["aws_nat_gateway.nat.id", "aws_nat_gateway.nat", "aws_vpc.main.id", "aws_vpc.main"], MADE),
    ],
)
def test_references_in_one_module(
    tmp_path: Any, keys: list[Any], own: Any, references: list[str], expected: str
) -> None:
    done = planned(
        tmp_path,
        [*nats(*keys), route(own)],
        [
            configured("aws_nat_gateway.nat"),
            configured("aws_route.out", {"nat_gateway_id": {"references": references}}),
        ],
    )
    assert target(done) == expected
    assert bool(done.ambiguities) == expected.startswith("tf:?")


def module_plan(output: dict[str, Any], given: dict[str, Any], call: dict[str, Any] | None = None) -> dict[str, Any]:
    """module.nets has NAT gateways and an output; module.routes gets it as variable and sets the route by it."""
    return {
        "nets": {
            "source": "./nets",
            "module": {
                "resources": [configured("aws_nat_gateway.nat")],
                "outputs": {"id": {"expression": output}, "other": {"expression": refs("aws_vpc.v.id")}},
            },
            **(call or {}),
        },
        "routes": {
            "source": "./routes",
            "expressions": {"nat": given},
            "module": {
                "resources": [configured("aws_route.out", {"nat_gateway_id": {"references": ["var.nat"]}})],
                "variables": {"nat": {}},
            },
        },
    }


def module_route() -> dict[str, Any]:
    before = {**ROUTE, "id": "r", "nat_gateway_id": "nat-1"}
    return change("module.routes.aws_route.out", "update", before, {**ROUTE, "id": "r"}, {"nat_gateway_id": True})


INNER = "tf:module.nets.aws_nat_gateway.nat"


@pytest.mark.parametrize(
    ("keys", "output", "given", "expected"),
    [
        ([None], refs("aws_nat_gateway.nat.id"), ["module.nets.id", "module.nets"], INNER),
        (
            [0, 1],
            {"references": ["aws_nat_gateway.nat"]},
            ["module.nets.id[1]", "module.nets.id", "module.nets"],
            f"{INNER}[1]",
        ),
        ([0, 1], {"references": ["aws_nat_gateway.nat"]}, ["module.nets.id", "module.nets"], None),
        ([None], refs("aws_nat_gateway.nat.id"), ["module.nets"], INNER),
    ],
)
def test_references_over_outputs_and_variables(
    tmp_path: Any, keys: list[Any], output: dict[str, Any], given: list[str], expected: str | None
) -> None:
    changes = [*nats(*keys, module="module.nets"), module_route()]
    done = planned(tmp_path, changes, [], module_plan(output, {"references": given}))
    assert target(done) == (expected or "tf:?module.routes.aws_route.out.nat_gateway_id")


def test_a_module_instance_is_named_by_its_key(tmp_path: Any) -> None:
    changes = [*nats(None, module='module.nets["a"]'), *nats(None, module='module.nets["b.c"]'), module_route()]
    given = {"references": ['module.nets["b.c"].id', 'module.nets["b.c"]', "module.nets"]}
    calls = module_plan(refs("aws_nat_gateway.nat.id"), given, {"for_each_expression": const(["a", "b.c"])})
    assert target(planned(tmp_path, changes, [], calls)) == 'tf:module.nets["b.c"].aws_nat_gateway.nat'


def test_chained_for_each_selects_by_the_own_key(tmp_path: Any) -> None:
    out = configured(
        "aws_route.out",
        {"nat_gateway_id": {"references": ["each.value.id", "each.value"]}},
        for_each_expression={"references": ["aws_nat_gateway.nat"]},
    )
    done = planned(tmp_path, [*nats("a", "b"), route("b")], [configured("aws_nat_gateway.nat"), out])
    assert target(done) == f'{MADE}["b"]'


def test_a_group_inside_a_block_is_found_by_the_blocks_constants(tmp_path: Any) -> None:
    groups = [change(f"aws_security_group.{n}", "create", None, {"vpc_id": "vpc-1"}, {"id": True}) for n in "ab"]
    blocks = [
        {"from_port": const(p), "to_port": const(p), "security_groups": refs(f"aws_security_group.{n}.id")}
        for p, n in ((1, "a"), (2, "b"))
    ]
    inline = [{"protocol": "tcp", "from_port": p, "to_port": p, "security_groups": [None]} for p in (2, 1)]
    before = {"id": "sg-web", "vpc_id": "vpc-1", "ingress": []}
    changed = change(
        "aws_security_group.web",
        "update",
        before,
        {**before, "ingress": inline},
        {"ingress": [{"security_groups": [True]}, {"security_groups": [True]}]},
    )
    resources = [configured(f"aws_security_group.{n}") for n in "ab"]
    done = planned(
        tmp_path, [*groups, changed], [*resources, configured("aws_security_group.web", {"ingress": blocks})]
    )
    rules = [r for r in done.network.security_groups["sg-web"].rules if not r.egress]
    assert {r.from_port: r.referenced_group_id for r in rules} == {
        1: "tf:aws_security_group.a",
        2: "tf:aws_security_group.b",
    }


def test_attribute_blocks_mix_their_references_and_kinds_tell_them_apart(tmp_path: Any) -> None:
    """What Terraform writes for `route { ... }` of aws_route_table: one expression for all blocks."""
    gateway = change("aws_internet_gateway.g", "create", None, {"vpc_id": "vpc-2"}, {"id": True})
    routes = [{"cidr_block": "8.0.0.0/8", "gateway_id": None}, {"cidr_block": "9.0.0.0/8", "gateway_id": None}]
    before = {"id": "rtb-priv", "vpc_id": "vpc-1", "route": []}
    table = change(
        "aws_route_table.t",
        "update",
        before,
        {**before, "route": routes},
        {"route": [{"nat_gateway_id": True}, {"gateway_id": True}]},
    )
    mixed = refs("aws_nat_gateway.nat.id", "aws_internet_gateway.g.id")
    resources = [configured("aws_nat_gateway.nat"), configured("aws_internet_gateway.g")]
    done = planned(
        tmp_path, [*nats(None), gateway, table], [*resources, configured("aws_route_table.t", {"route": mixed})]
    )
    found = {str(r.destination): (r.target_kind, r.target_id) for r in done.network.route_tables["rtb-priv"].routes}
    assert found["8.0.0.0/8"] == ("nat-gateway", MADE)
    assert found["9.0.0.0/8"] == ("internet-gateway", "tf:aws_internet_gateway.g")


def test_a_set_that_is_unknown_as_a_whole_is_all_its_expression_names(tmp_path: Any) -> None:
    groups = [change(f"aws_security_group.{n}", "create", None, {"vpc_id": "vpc-1"}, {"id": True}) for n in "ab"]
    before = {"id": "i-web", "vpc_security_group_ids": ["sg-web"]}
    web = change("aws_instance.web", "update", before, {"id": "i-web"}, {"vpc_security_group_ids": True})
    gone = change("aws_security_group.web", "delete", {"id": "sg-web", "vpc_id": "vpc-1"})
    resources = [configured(f"aws_security_group.{n}") for n in "ab"]
    whole = configured(
        "aws_instance.web", {"vpc_security_group_ids": refs("aws_security_group.a.id", "aws_security_group.b.id")}
    )
    done = planned(tmp_path, [*groups, web, gone], [*resources, whole])
    assert done.network.interfaces["eni-web"].group_ids == ("tf:aws_security_group.a", "tf:aws_security_group.b")
    lost = configured("aws_instance.web", {"vpc_security_group_ids": refs("aws_security_group.a.id", "data.x.y.id")})
    done = planned(tmp_path, [*groups, web, gone], [*resources, lost])
    assert done.network.interfaces["eni-web"].group_ids is None


def test_what_a_new_vpc_is_made_with_is_known_by_its_vpc(tmp_path: Any) -> None:
    vpc = change(
        "aws_vpc.v", "create", None, {"cidr_block": "10.9.0.0/16"}, {"id": True, "default_security_group_id": True}
    )
    rule = {"ip_protocol": "-1", "cidr_ipv4": "10.0.0.0/8"}
    added = change(
        "aws_vpc_security_group_ingress_rule.r", "create", None, rule, {"id": True, "security_group_id": True}
    )
    given = {"security_group_id": refs("aws_vpc.v.default_security_group_id")}
    done = planned(
        tmp_path, [vpc, added], [configured("aws_vpc.v"), configured("aws_vpc_security_group_ingress_rule.r", given)]
    )
    group = done.network.security_groups["tf:aws_vpc.v:default-security-group"]
    assert "tf:aws_vpc_security_group_ingress_rule.r" in {rule.rule_id for rule in group.rules}


def test_references_in_a_circle_end(tmp_path: Any) -> None:
    calls = {
        "a": {
            "expressions": {"x": {"references": ["module.a.x"]}},
            "module": {
                "outputs": {"x": {"expression": {"references": ["var.x"]}}},
                "resources": [configured("aws_route.out", {"nat_gateway_id": {"references": ["var.x"]}})],
            },
        },
    }
    before = {**ROUTE, "id": "r", "nat_gateway_id": "nat-1"}
    changed = change("module.a.aws_route.out", "update", before, {**ROUTE, "id": "r"}, {"nat_gateway_id": True})
    assert target(planned(tmp_path, [changed], [], calls)) == "tf:?module.a.aws_route.out.nat_gateway_id"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "tf:module.a.aws_nat_gateway.nat"),
        ({"other": refs("aws_nat_gateway.nat.id")}, "tf:?module.a.aws_route.out.nat_gateway_id"),
        ({"other": refs("aws_vpc.v.id")}, "tf:module.a.aws_nat_gateway.nat"),
    ],
)
def test_a_local_of_a_module_is_of_that_module_or_given_to_it(tmp_path: Any, given: Any, expected: str) -> None:
    inner = [
        configured("aws_nat_gateway.nat"),
        configured("aws_route.out", {"nat_gateway_id": {"references": ["local.nat"]}}),
    ]
    before = {**ROUTE, "id": "r", "nat_gateway_id": "nat-1"}
    changed = change("module.a.aws_route.out", "update", before, {**ROUTE, "id": "r"}, {"nat_gateway_id": True})
    changes = [*nats(None), *nats(None, module="module.a"), changed]
    calls = {"a": {"expressions": given, "module": {"resources": inner}}}
    assert target(planned(tmp_path, changes, [configured("aws_nat_gateway.nat")], calls)) == expected


def test_which_of_several_new_elastic_ips_a_nat_gateway_gets_does_not_matter(tmp_path: Any) -> None:
    addresses = [change(f"aws_eip.e[{i}]", "create", None, {"domain": "vpc"}, {"id": True}) for i in (0, 1)]
    gateway = change(
        "aws_nat_gateway.nat", "create", None, {"subnet_id": "subnet-pub"}, {"id": True, "allocation_id": True}
    )
    lost = configured("aws_nat_gateway.nat", {"allocation_id": {"references": ["local.ips"]}})
    done = planned(tmp_path, [*addresses, gateway], [configured("aws_eip.e"), lost])
    assert not done.ambiguities
    assert done.network.nat_gateways[MADE].addresses[0].public_address is not None
