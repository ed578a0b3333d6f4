"""Attribution of plans: undoing what is named, and only that, gives a flow its earlier verdict and way back."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import polars as pl
import pytest
from plan_documents import change, network, plan, write
from test_diff import _assert_exact
from test_terraform_between import TG, balanced, listener_values

from flowcore import diff
from flowcore.analyses.diff import Difference
from flowcore.analyses.diff_plan import PlanChanges
from flowcore.model import Network
from flowcore.sources.terraform import PlannedNetwork, read_plan

_RULE = {"ip_protocol": "tcp", "from_port": 443, "to_port": 443}
_WEB = {"id": "sgr-web-in", "security_group_id": "sg-web", "cidr_ipv4": "0.0.0.0/0", **_RULE}
_OUT = {"id": "sgr-web-out", "security_group_id": "sg-web", "ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"}
_DB = {"id": "sgr-db-in", "security_group_id": "sg-db", "referenced_security_group_id": "sg-web", "ip_protocol": "tcp"}
_DB |= {"from_port": 5432, "to_port": 5432}
_NAT = {"id": "nat-1", "subnet_id": "subnet-pub", "allocation_id": "eipalloc-nat", "connectivity_type": "public"}
_ROUTE = {"id": "r", "route_table_id": "rtb-priv", "destination_cidr_block": "0.0.0.0/0", "nat_gateway_id": "nat-1"}
_ENTRY = {"network_acl_id": "acl-1", "egress": False, "rule_action": "deny", "from_port": 443, "to_port": 5432}
_ENTRY |= {"protocol": "tcp", "cidr_block": "10.0.0.0/16"}
_INSTANCE = {"id": "i-web", "vpc_security_group_ids": ["sg-web"], "source_dest_check": True, "subnet_id": "subnet-a"}
_GATEWAY = {"id": "igw-1", "vpc_id": "vpc-1"}
_ENDPOINT = {"vpc_id": "vpc-1", "vpc_endpoint_type": "Gateway", "service_name": "s3", "prefix_list_id": "pl-1"}
_TARGET = {"id": "t", "target_group_arn": TG.format("a"), "target_id": "i-web", "port": 8080}
_INGRESS = "aws_vpc_security_group_ingress_rule"

#: One change of each kind that flows of the network may meet; any number of them fit together.
POOL = [
    change(f"{_INGRESS}.web", "update", _WEB, {**_WEB, "cidr_ipv4": "172.16.0.0/12"}),
    change(f"{_INGRESS}.db", "delete", _DB),
    change(f"{_INGRESS}.more", "create", None, {**_RULE, "security_group_id": "sg-db", "cidr_ipv4": "10.0.0.0/8"}),
    change(f"{_INGRESS}.two", "delete", {"id": "sgr-web-two", "security_group_id": "sg-web", **_RULE}),
    change("aws_vpc_security_group_egress_rule.web", "delete", _OUT),
    change("aws_network_acl_rule.deny", "create", None, {**_ENTRY, "rule_number": 50}),
    change("aws_network_acl_rule.out", "create", None, {**_ENTRY, "rule_number": 51, "egress": True}),
    change("aws_route.out", "delete", _ROUTE),
    change(
        "aws_route.direct", "create", None,
        {"route_table_id": "rtb-priv", "destination_cidr_block": "8.0.0.0/8", "gateway_id": "igw-1"},
    ),
    change("aws_route_table_association.a", "create", None, {"subnet_id": "subnet-a", "route_table_id": "rtb-pub"}),
    change("aws_nat_gateway.n", "delete", _NAT),
    change("aws_eip_association.nat", "delete", {"id": "x", "allocation_id": "eipalloc-nat"}),
    change("aws_internet_gateway.g", "update", _GATEWAY, {**_GATEWAY, "vpc_id": None}),
    change("aws_vpc_endpoint.s3", "create", None, {**_ENDPOINT, "route_table_ids": ["rtb-priv"]}, {"id": True}),
    change("aws_instance.web", "update", _INSTANCE, {**_INSTANCE, "vpc_security_group_ids": ["sg-db"]}),
    change("aws_instance.db", "update", {"id": "i-db"}, {"id": "i-db", "source_dest_check": False}),
    change("aws_lb_listener.l", "update", listener_values(TG.format("a")), listener_values(TG.format("b"))),
    change("aws_lb_target_group_attachment.t", "delete", _TARGET),
    change("aws_subnet.tagged", "update", {"id": "subnet-a", "tags": {}}, {"id": "subnet-a", "tags": {"a": "b"}}),
]  # fmt: skip


def described() -> Network:
    """The network of plan_documents with a load balancer that has a node, and a list for S3."""
    documents = balanced()
    documents["NetworkInterfaces"].append(
        {
            "NetworkInterfaceId": "eni-lb", "VpcId": "vpc-1", "SubnetId": "subnet-pub", "Status": "in-use",
            "InterfaceType": "interface", "Description": "ELB app/web/1", "RequesterManaged": True,
            "Groups": [{"GroupId": "sg-web"}], "PrivateIpAddress": "10.0.0.40",
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.0.40", "Primary": True, "Association": {"PublicIp": "52.0.0.40"}}
            ],
        }
    )  # fmt: skip
    second = {"SecurityGroupRuleId": "sgr-web-two", "GroupId": "sg-web", "IsEgress": False, "CidrIpv4": "10.0.0.0/8"}
    documents["SecurityGroupRules"].append({**second, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443})
    for rule in documents["SecurityGroupRules"]:
        if rule["SecurityGroupRuleId"] == "sgr-web-in":
            rule |= {"FromPort": 80, "ToPort": 8080}
    return network(documents)


NETWORK = described()
ENDS = ("10.0.1.10", "10.0.2.20", "8.8.8.8", "192.0.2.9", "52.0.0.40", "10.0.0.40", "10.0.0.5")
FLOWS = pl.DataFrame(
    [
        {"srcaddr": source, "dstaddr": destination, "srcport": 50000, "dstport": port, "protocol": 6}
        for source in ENDS[:4]
        for destination in ENDS
        if source != destination and ("10." in source + destination or destination == "52.0.0.40")
        for port in (443, 5432, 80)[: 3 if "40" in destination else 2]
    ]
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[PlannedNetwork, Difference]]:
    """A plan for each change of the pool, with up to four others, and what it does to the flows: found once."""
    plans = []
    for number in range(len(POOL)):
        draw, own = random.Random(number), POOL[number]
        others = draw.sample([each for each in POOL if each is not own], draw.randint(0, 4))
        chosen = [own, *others] if number else [own, POOL[3]]
        planned = read_plan(NETWORK, write(tmp_path_factory.mktemp("plan"), plan(chosen)))
        plans.append((planned, diff(NETWORK, planned, FLOWS)))
    return plans


@pytest.mark.parametrize("number", range(len(POOL)))
def test_undoing_what_is_named_of_a_plan_undoes_it_and_nothing_less_does(found: Any, number: int) -> None:
    """Routes, ACLs, groups, NAT gateways, endpoints, gateways and load balancers; alone and together."""
    planned, difference = found[number]
    changes = PlanChanges(planned)
    keyed = difference.flows.with_columns(key=pl.col("changes").list.join("\n"))
    parts = keyed.partition_by(["key", "undo", "category"], as_dict=True)
    for (names, undo, category), part in parts.items():
        _assert_exact(NETWORK, part, changes, names.split("\n") if names else [], undo, category)


def test_the_plans_meet_every_kind_of_cause_and_change(found: Any) -> None:
    ways: Counter[Any] = Counter()
    kinds: Counter[str] = Counter()
    for _, difference in found:
        for row in difference.flows.iter_rows(named=True):
            ways[row["undo"] if len(row["changes"]) > 1 else "one"] += 1
            kinds.update(row["changes"])
    assert {"one", "any", "all"} <= set(ways), ways
    assert {each["address"] for each in POOL} - set(kinds) == {
        "aws_subnet.tagged",  # no flow can meet a tag
        "aws_instance.db",  # the database forwards nothing
    }, kinds
