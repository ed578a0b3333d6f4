"""Plans cut, mutated and drawn at random: a clear error or an issue, never a traceback; undoing is exact."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from plan_documents import change, configured, documents, network, plan, refs, write
from test_terraform import WEB_RULE, acl_rule, route_values
from test_terraform_between import TG, balanced, listener_values

import flowcore as fc
from flowcore.model import Network
from flowcore.sources.terraform import read_plan

IN = "aws_vpc_security_group_ingress_rule"
NETWORK = network(balanced())


def changes() -> list[dict[str, Any]]:
    """One change of most kinds, all over the same network and none against another."""
    instance = {"id": "i-web", "vpc_security_group_ids": ["sg-web"], "source_dest_check": True, "subnet_id": "subnet-a"}
    nat = {"id": "nat-1", "subnet_id": "subnet-pub", "allocation_id": "eipalloc-nat"}
    group = {"id": "sg-db", "name": "db", "vpc_id": "vpc-1", "ingress": [], "egress": []}
    inline = [{"protocol": "tcp", "from_port": 1, "to_port": 2, "cidr_blocks": ["10.0.0.0/8"], "self": True}]
    return [
        change(f"{IN}.web", "update", WEB_RULE, {**WEB_RULE, "to_port": 444, "from_port": 444}),
        change("aws_security_group.db", "update", group, {**group, "ingress": inline}),
        change(
            "aws_security_group.new", "create", None, {"name": "n", "vpc_id": "vpc-1", "ingress": inline}, {"id": True}
        ),
        change("aws_network_acl_rule.x", "create", None, acl_rule(50), {"id": True}),
        change(
            "aws_route.out",
            "update",
            route_values(id="r", nat_gateway_id="nat-1"),
            route_values(id="r"),
            {"nat_gateway_id": True},
        ),
        change(
            "aws_nat_gateway.n", "delete,create", nat, {"subnet_id": "subnet-pub"}, {"id": True, "allocation_id": True}
        ),
        change("aws_instance.w", "update", instance, {**instance, "source_dest_check": False}),
        change("aws_subnet.s", "create", None, {"vpc_id": "vpc-1", "cidr_block": "10.0.8.0/24"}, {"id": True}),
        change("aws_route_table_association.a", "delete", {"subnet_id": "subnet-a", "route_table_id": "rtb-priv"}),
        change(
            "aws_vpc_endpoint.s3",
            "create",
            None,
            {"vpc_id": "vpc-1", "service_name": "s3", "route_table_ids": ["rtb-priv"]},
            {"id": True},
        ),
        change("aws_lb_listener.l", "update", listener_values(TG.format("a")), listener_values(TG.format("b"), 81)),
        change(
            "aws_lb_target_group_attachment.t",
            "create",
            None,
            {"target_group_arn": TG.format("b"), "target_id": "i-db"},
            {"id": True},
        ),
        change("aws_ec2_managed_prefix_list_entry.e", "create", None, {"prefix_list_id": "pl-1", "cidr": "8.0.0.0/8"}),
    ]


def resources() -> list[dict[str, Any]]:
    return [
        configured("aws_security_group.db", {"ingress": refs("var.x")}),
        configured("aws_nat_gateway.n", {"subnet_id": refs("aws_subnet.p.id")}),
        configured("aws_route.out", {"nat_gateway_id": refs("aws_nat_gateway.n.id")}),
    ]


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from spots(child, (*path, key))


WRONG: list[Any] = [
    None,
    True,
    7,
    -1,
    10**40,
    1.5,
    "",
    "x",
    "10.0.0.0/33",
    "sg-web",
    [],
    [None],
    ["a"],
    {},
    {"id": 5},
    [[1]],
]


def mutated(document: Any, seed: int) -> Any:
    """The plan with one to three of its values exchanged or removed."""
    draw = random.Random(seed)
    document = copy.deepcopy(document)
    for _ in range(draw.randint(1, 3)):
        path = draw.choice([path for path in spots(document) if path])
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        if draw.random() < 0.25 and isinstance(holder, dict):
            del holder[path[-1]]
        else:
            holder[path[-1]] = draw.choice(WRONG)
    return document


@pytest.mark.parametrize("block", range(10))
def test_mutated_plans_end_in_a_network_or_a_clear_error(tmp_path: Path, block: int) -> None:
    whole = plan(changes(), resources())
    for seed in range(block * 100, block * 100 + 100):
        path = write(tmp_path, mutated(whole, seed))
        text = ""
        try:
            done = read_plan(NETWORK, path)
            assert done.network_without(done.names).vpcs == NETWORK.vpcs, seed
        except fc.NetworkError as error:
            text = str(error)
        assert not text or str(path) in text, seed


def test_plans_cut_anywhere_are_an_input_error(tmp_path: Path) -> None:
    data = json.dumps(plan(changes(), resources())).encode()
    draw = random.Random(1)
    for _ in range(100):
        path = tmp_path / "plan.json"
        path.write_bytes(data[: draw.randrange(len(data))])
        with pytest.raises(fc.NetworkError, match=r"plan\.json"):
            fc.apply_plan(NETWORK, path)


@pytest.mark.parametrize("seed", range(20))
def test_undoing_any_changes_is_the_plan_without_them(tmp_path: Path, seed: int) -> None:
    """Attribution rests on this: network_without(X) is what the plan without X makes, whatever the order."""
    draw = random.Random(seed)
    everything = changes()
    draw.shuffle(everything)
    whole = read_plan(NETWORK, write(tmp_path, plan(everything, resources())))
    undone = set(draw.sample(whole.names, draw.randint(1, 4)))
    kept = []
    for each in everything:
        if each["address"] not in undone:
            kept.append(each)
        elif each["change"]["before"] is not None:
            before = each["change"]["before"]
            kept.append(change(each["address"], "no-op", before, before))
    rest = read_plan(NETWORK, write(tmp_path, plan(kept, resources())))
    assert comparable(whole.network_without(undone)) == comparable(rest.network)
    assert whole.network_without(whole.names) == NETWORK


def comparable(of: Network) -> Any:
    """Everything but issues, in which the place in the plan stands."""
    return {field.name: getattr(of, field.name) for field in fields(of) if field.name != "issues"}


def test_the_order_of_changes_does_not_matter(tmp_path: Path) -> None:
    first = read_plan(NETWORK, write(tmp_path, plan(changes(), resources()))).network
    for seed in range(10):
        shuffled = changes()
        random.Random(seed).shuffle(shuffled)
        done = read_plan(NETWORK, write(tmp_path, plan(shuffled, resources()))).network
        assert comparable(done).keys() == comparable(first).keys()
        assert done.security_groups == first.security_groups
        assert done.route_tables == first.route_tables
        assert done.nat_gateways == first.nat_gateways


def test_the_network_given_stays_as_it_is(tmp_path: Path) -> None:
    given = network(documents())
    fc.apply_plan(given, write(tmp_path, plan(changes()[:6], resources())))
    assert given == network(documents())


def test_a_large_plan_is_decoded_without_what_is_not_used(tmp_path: Path) -> None:
    """Other providers' resources, planned values and the prior state may hold anything."""
    filler = {"values": {"deep": [{"x": [1] * 50}] * 50, "not": "used"}}
    other = {
        "address": "null_resource.n",
        "mode": "managed",
        "type": "null_resource",
        "name": "n",
        "change": {"actions": ["something-new"], "before": filler, "after": filler},
    }
    document = plan(
        [*changes(), *[other] * 50], resources(), prior_state=filler, planned_values=filler, checks=[filler]
    )
    assert read_plan(NETWORK, write(tmp_path, document)).names == tuple(each["address"] for each in changes())
