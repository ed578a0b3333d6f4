"""Files that are no plans, plans of other programs, and resources of every type with values drawn at random."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from plan_documents import ask, change, configured, const, documents, network, plan, planned, refs, write
from test_terraform_balancers import vpn
from test_terraform_between import LB, LISTENER, TG, balanced, transit

import flowcore as fc
from flowcore.model import Network
from flowcore.sources.terraform import read_plan
from flowcore.sources.terraform_kinds import RANKS

STATE = {"format_version": "1.0", "terraform_version": "1.11.4", "values": {"root_module": {"resources": []}}}


# -- what is no plan --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (STATE, "the JSON of a state, not of a plan"),
        ({"format_version": "1.0"}, "not a Terraform plan"),
        ({"format_version": "1.0", "provider_schemas": {}}, "not a Terraform plan"),
        ({"version": 4, "terraform_version": "1.11.4", "serial": 3, "resources": []}, "not a Terraform plan"),
        ([plan([])], "not a Terraform plan"),
    ],
)
def test_a_state_or_a_schema_is_not_a_plan_that_changes_nothing(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(fc.NetworkError, match=message) as error:
        fc.apply_plan(network(), write(tmp_path, document))
    assert "terraform show -json" in str(error.value)


@pytest.mark.parametrize("version", ["0.1", "0.2", "1.0", "1.1", "1.2", "1.9"])
def test_plans_of_every_version_and_of_opentofu(tmp_path: Path, version: str) -> None:
    """Fields that a version does not have, or that are not known here, do not matter."""
    gone = change(
        "aws_vpc_security_group_ingress_rule.web", "delete", {"id": "sgr-web-in", "security_group_id": "sg-web"}
    )
    gone["provider_name"] = "registry.opentofu.org/hashicorp/aws"
    for name in ("before_sensitive", "after_sensitive", "after_unknown"):
        del gone["change"][name]
    gone["change"] |= {"before_identity": {"id": 1}, "replace_paths": [["name"], [0]], "generated_config": "x"}
    document = {"format_version": version, "resource_changes": [gone], "action_invocations": [{}], "checks": [None]}
    done = read_plan(network(), write(tmp_path, document))
    assert [rule.rule_id for rule in done.network.security_groups["sg-web"].rules] == ["sgr-web-out"]


# -- what is not modelled ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "before", "after", "told"),
    [
        ("awscc_ec2_route", {"destination_cidr_block": "0.0.0.0/0"}, {"destination_cidr_block": "10.0.0.0/8"}, True),
        ("awscc_iam_role", {"role_name": "a"}, {"role_name": "b"}, False),
        ("aws_ecs_service", {"network_configuration": [{"subnets": ["a"]}]}, {"network_configuration": []}, True),
        ("aws_ecs_service", {"desired_count": 1}, {"desired_count": 2}, False),
        ("aws_ecs_service", {"load_balancer": [{"target_group_arn": "a"}]}, {"load_balancer": []}, True),
        ("aws_codedeploy_deployment_group", {"target_group_arn": "a"}, {"target_group_arn": "b"}, True),
        ("aws_db_instance", {"publicly_accessible": False}, {"publicly_accessible": True}, True),
        ("aws_db_instance", {"publicly_accessible": False}, {"publicly_accessible": None}, False),
        ("aws_batch_compute_environment", {"x": [{"security_group_ids": ["a"]}]}, {"x": [{}]}, True),
        ("aws_cloudformation_stack", {"template_body": "a"}, {"template_body": "b"}, True),
        ("google_compute_route", {"dest_range": "10.0.0.0/8"}, {"dest_range": "0.0.0.0/0"}, False),
    ],
)
def test_what_has_to_do_with_networks_is_named(
    tmp_path: Path, kind: str, before: dict[str, Any], after: dict[str, Any], told: bool
) -> None:
    done = planned(tmp_path, [change(f"{kind}.x", "update", before, after)])
    assert [(issue.code, issue.resource) for issue in done.issues] == ([("not-modelled", f"{kind}.x")] if told else [])


def test_a_route_to_an_instance_is_one_to_its_interface_rt16(tmp_path: Path) -> None:
    values = {"route_table_id": "rtb-priv", "destination_cidr_block": "8.0.0.0/8", "instance_id": "i-db"}
    done = planned(tmp_path, [change("aws_route.r", "create", None, values, {"id": True})]).network
    assert done.route_tables["rtb-priv"].routes[-1].target_id == "eni-db"
    assert ask(done, "10.0.1.10", "8.8.8.8") == ("REJECT", "ENI_SG_RULES_MISMATCH")


# -- every type, values at random -------------------------------------------------------------------------

_IDS = (
    *("vpc-1", "vpc-2", "subnet-a", "subnet-b", "subnet-pub", "rtb-main", "rtb-pub", "rtb-priv", "acl-1", "sg-web"),
    *("sg-db", "sg-default", "eni-web", "eni-db", "eni-nat", "i-web", "i-db", "nat-1", "igw-1", "vgw-1", "vpn-1"),
    *("tgw-1", "tgw-rtb-1", "tgw-attach-1", "pl-1", "eipalloc-nat", "eipalloc-free", "pcx-1", "sgr-web-in", "local"),
    *(LB, LISTENER, TG.format("a"), TG.format("b"), ""),
)
_REFERENCES = tuple(
    """
vpc_id subnet_id subnet_ids route_table_id route_table_ids network_acl_id security_group_id security_groups
vpc_security_group_ids security_group_ids source_security_group_id referenced_security_group_id network_interface_id
instance_id gateway_id nat_gateway_id transit_gateway_id transit_gateway_attachment_id allocation_id
transit_gateway_route_table_id vpc_peering_connection_id vpn_gateway_id vpn_connection_id prefix_list_id
destination_prefix_list_id prefix_list_ids load_balancer_arn target_group_arn target_group_arns listener_arn target_id
peer_vpc_id vpc_endpoint_id subnets instances elb instance default_network_acl_id default_route_table_id
egress_only_gateway_id internet_gateway_id propagating_vgws ingress_rule_ids egress_rule_ids original_route_table_id
autoscaling_group_name network_interface peer_transit_gateway_id
""".split()  # noqa: SIM905  (50 names)
)
_VALUES: dict[str, list[Any]] = {
    "cidr_block": ["10.7.0.0/16", "10.0.9.0/24", "10.0.0.1/33"],
    "ipv6_cidr_block": ["2001:db8::/56", None],
    "cidr_ipv4": ["10.0.0.0/8", None],
    "cidr_blocks": [["0.0.0.0/0"], []],
    "destination_cidr_block": ["8.0.0.0/8", "0.0.0.0/0"],
    "destination_ipv6_cidr_block": [None, "::/0"],
    "protocol": ["tcp", "-1", "icmp", "HTTP"],
    "ip_protocol": ["tcp", "-1"],
    "from_port": [1, 443, -1],
    "to_port": [443, 500, -1],
    "port": [80, 443, None],
    "rule_number": [5, 99],
    "rule_no": [5, 99],
    "rule_action": ["allow", "deny"],
    "action": ["allow", [{"type": "forward"}]],
    "egress": [True, [], [{"from_port": 1, "to_port": 2, "protocol": "tcp", "self": True}]],
    "ingress": [[], [{"from_port": 1, "to_port": 2, "protocol": "tcp", "security_groups": ["sg-db"]}]],
    "route": [[], [{"cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}]],
    "entry": [[], [{"cidr": "192.0.2.0/24"}]],
    "listener": [
        [{"lb_port": 1, "lb_protocol": "tcp", "instance_port": 2, "instance_protocol": "tcp"}],
        [{"lb_port": 70000}],
    ],
    "subnet_mapping": [[], [{"subnet_id": "subnet-a", "allocation_id": "eipalloc-free"}]],
    "default_action": [[], [{"type": "forward", "target_group_arn": TG.format("b")}]],
    "private_ips": [["10.0.1.99"], []],
    "private_ip": [None, "10.0.1.98"],
    "public_ip": [None, "52.0.0.77"],
    "state": ["running", "stopped"],
    "type": ["ingress", "egress"],
    "load_balancer_type": ["application", "network", "gateway"],
    "vpc_endpoint_type": ["Gateway", "Interface", "GatewayLoadBalancer"],
    "internet_gateway_block_mode": ["off", "block-ingress"],
    "internet_gateway_exclusion_mode": ["allow-egress"],
    "connectivity_type": ["public", "private"],
    "availability_mode": [None, "regional"],
    "address_family": ["IPv4"],
    "auto_accept": [True, False],
    "static_routes_only": [True, False],
    "self": [True, False],
    "max_size": [0, 5],
    "service_name": ["s3"],
    "region": [None, "eu-west-1"],
}


def _described() -> Network:
    """All networks of these tests in one."""
    together: dict[str, list[Any]] = {}
    for described in (documents(), balanced(), transit(), vpn()):
        for key, records in described.items():
            known = together.setdefault(key, [])
            known += [record for record in records if record not in known]
    return network(together)


DESCRIBED = _described()


def _attributes(draw: random.Random) -> dict[str, Any]:
    references = {
        name: [draw.choice(_IDS)] if name.endswith("s") else draw.choice(_IDS)
        for name in draw.sample(_REFERENCES, draw.randint(2, len(_REFERENCES)))
    }
    values = {name: draw.choice(_VALUES[name]) for name in draw.sample(list(_VALUES), draw.randint(5, len(_VALUES)))}
    if draw.random() < 0.1:
        references[draw.choice(_REFERENCES)] = draw.choice([7, {}, [None], [[1]], True])
    return references | values


def _any_plan(seed: int) -> dict[str, Any]:
    """A plan of up to six resources of any type, none of which needs to fit together."""
    draw = random.Random(seed)
    kinds, changes, resources = sorted(RANKS), [], []
    for number in range(draw.randint(1, 6)):
        address = f"{draw.choice(kinds)}.x{number}"
        actions = draw.choice(["create", "update", "delete", "delete,create", "create,delete", "no-op", "forget"])
        before = None if actions == "create" else _attributes(draw) | {"id": draw.choice(_IDS)}
        after = None if actions in ("delete", "forget") else (before or {}) | _attributes(draw)
        unknown: dict[str, Any] = {}
        if after is not None:
            unknown = dict.fromkeys(draw.sample([*_REFERENCES, *_VALUES], draw.randint(0, 6)), True)
            if actions not in ("update", "no-op"):
                unknown["id"] = True
            after = {name: value for name, value in after.items() if name not in unknown}
        changes.append(change(address, actions, before, after, unknown))
        others = [f"{draw.choice(kinds)}.x{draw.randint(0, 6)}.id" for _ in unknown]
        expressions = dict(zip(unknown, map(refs, others), strict=True))
        resources.append(configured(address, expressions if draw.random() < 0.8 else {"name": const("x")}))
    return plan(changes, resources)


@pytest.mark.parametrize("block", range(5))
def test_resources_of_any_type_end_in_a_network_or_a_clear_error(tmp_path: Path, block: int) -> None:
    """Never a traceback; undoing everything is the network before; both writings judge what comes out alike."""
    networks = 0
    for seed in range(block * 60, block * 60 + 60):
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(_any_plan(seed)))
        text = ""
        try:
            done = read_plan(DESCRIBED, path)
        except fc.NetworkError as error:
            text = str(error)
        assert not text or str(path) in text, seed
        if text:
            continue
        networks += 1
        assert done.network_without(done.names) == DESCRIBED, seed
        if networks % 12 == 0:
            _assert_judged_alike(done.network, seed)
    assert networks > 20


def _assert_judged_alike(over: Network, seed: int) -> None:
    draw = random.Random(seed)
    ends = [str(own.address) for each in over.interfaces.values() for own in each.addresses]
    ends += ["8.8.8.8", "10.0.1.77", "192.168.1.1", "52.0.0.5"]
    flows = pl.DataFrame(
        [
            {
                "srcaddr": draw.choice(ends),
                "dstaddr": draw.choice(ends),
                "srcport": 50000,
                "dstport": port,
                "protocol": 6,
            }
            for port in (80, 443, 5432, 1) * 8
        ]
    )
    fast = fc.compile_network(over).evaluate(flows).select("verdict", "reason").rows()
    slow = [fc.explain(over, flow) for flow in flows.iter_rows(named=True)]
    assert fast == [(path.verdict, path.reason) for path in slow], seed
