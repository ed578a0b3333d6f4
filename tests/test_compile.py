"""Networks of pathological size and shape: compiled right, or refused, never wrong without a word.

Made from model records; the twin judges flows drawn at the places where a table could wrap, overflow or run out.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_network
from random import Random
from typing import Any

import polars as pl
import pytest
from agreement import assert_agree, edge_network
from walk_networks import (
    A2,
    A6,
    B6,
    OPEN,
    X6,
    A,
    B,
    X,
    acl,
    address,
    allow,
    by_id,
    entry,
    flow,
    group,
    interface,
    interfaces,
    network,
    route,
    table,
    with_acls,
    with_interfaces,
    with_routes,
    with_rules,
)

from flowcore import kernels as k
from flowcore.compile import compile_tables
from flowcore.errors import InputError
from flowcore.evaluate import Evaluator, compile_network
from flowcore.model import Gateway, Network, PrefixList, SecurityGroup, SecurityGroupRule, Subnet, Vpc
from flowcore.synthetic import edge_flows

OUT = allow("sgr-out", True)
TEN = ip_network("10.0.0.0/8")


def frame(flows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {
        "srcaddr": pl.String,
        "dstaddr": pl.String,
        "srcport": pl.Int64,
        "dstport": pl.Int64,
        "protocol": pl.Int64,
    }
    kept = {**schema, "src_interface_id": pl.String, "icmp_type": pl.Int64, "icmp_code": pl.Int64}
    return pl.DataFrame(flows, schema=kept)


def assert_accepts_and_rejects(made: Network, flows: pl.DataFrame, evaluator: Evaluator | None = None) -> None:
    """Both agree, and the flows drawn are no vacuous sample."""
    evaluator = evaluator or compile_network(made)
    assert_agree(made, flows, evaluator=evaluator)
    verdicts = evaluator.evaluate(flows)["verdict"].value_counts()
    assert {"ACCEPT", "REJECT"} <= set(verdicts["verdict"]), verdicts


# -- ports ---------------------------------------------------------------------------------------------


def single_ports(protocol: int, ports: range) -> list[SecurityGroupRule]:
    return [allow(f"sgr-{protocol}-{port:05}", False, protocol, (port, port)) for port in ports]


def test_more_port_classes_than_sixteen_bits_number() -> None:
    """Every other port of tcp is a rule of eni-b, some of udp are rules of eni-a: more than 65,536 classes of ports."""
    tcp, udp = single_ports(6, range(0, 65536, 2)), single_ports(17, range(1, 65536, 200))
    groups = by_id("group_id", group(OUT, *tcp), group(OUT, *udp, group_id="sg-2"))
    made = network(security_groups=groups, **with_interfaces(a={"group_ids": ("sg-2",)}))
    evaluator = compile_network(made)
    assert int(evaluator.compiled.tables.port_class.max()) > 0xFFFF
    rng = Random(1)
    ports = [0, 1, 65534, 65535, 32767, 32768, *(rng.randrange(65536) for _ in range(2))]
    flows = [flow(*ends, port, protocol) for port in ports for protocol in (6, 17) for ends in ((A, B), (B, A))]
    flows += [flow(A, B, 0, protocol) for protocol in (0, 1, 47, 58, 255)]
    assert_accepts_and_rejects(made, frame(flows), evaluator)


def test_a_policy_that_tells_too_many_ports_apart_is_refused() -> None:
    """More than the cells' row numbers can say: an error, never a wrapped number."""
    made = network(**with_rules(OUT, *single_ports(6, range(0, 65536, 2)), *single_ports(17, range(0, 65536, 2))))
    with pytest.raises(InputError, match="65,5"):
        compile_network(made)


def test_a_policy_of_more_than_256_remotes_and_256_ports() -> None:
    """400 remotes, each with its own port: 400 rows by 800 columns of cells."""
    rules = [
        allow(f"sgr-{i:03}", False, 6, (1000 + 3 * i, 1001 + 3 * i), cidr_block=IPv4Network((0x08080000 + 5 * i, 32)))
        for i in range(400)
    ]
    made = network(**with_rules(OUT, *rules))
    rng = Random(2)
    flows = []
    for _ in range(1500):
        i = rng.randrange(400)
        remote = IPv4Address(0x08080000 + 5 * i + rng.choice((0, 0, 0, -1, 1)))
        other = i if rng.random() < 0.7 else rng.randrange(400)
        flows.append(flow(str(remote), "52.0.0.20", 1000 + 3 * other + rng.randint(-1, 2)))
    assert_accepts_and_rejects(made, frame(flows))


def test_sixteen_groups_of_sixty_rules_on_one_interface() -> None:
    rng = Random(3)
    groups = {}
    for number in range(16):
        rules = []
        for place in range(60):
            port = rng.randrange(1, 3000)
            remote = ip_network(
                f"8.{rng.randrange(4)}.{rng.randrange(4)}.0/{rng.choice((8, 16, 22, 24))}", strict=False
            )
            rule_id = f"sgr-{rng.randrange(16**6):06x}-{number:02}-{place:02}"  # their order is not that of the groups
            rules.append(
                allow(rule_id, False, rng.choice((6, 17)), (port, port + rng.randrange(50)), cidr_block=remote)
            )
        groups[f"sg-{number}"] = group(*sorted(rules, key=lambda rule: rule.rule_id), group_id=f"sg-{number}")
    groups["sg-0"] = replace(groups["sg-0"], rules=(*groups["sg-0"].rules, replace(OUT, group_id="sg-0")))
    made = network(
        security_groups=groups, **with_interfaces(b={"group_ids": tuple(groups)}, a={"group_ids": ("sg-0",)})
    )
    flows = [
        flow(f"8.{rng.randrange(5)}.{rng.randrange(5)}.9", "52.0.0.20", rng.randrange(3100), rng.choice((6, 17)))
        for _ in range(1500)
    ]
    assert_accepts_and_rejects(made, frame(flows))


# -- addresses -----------------------------------------------------------------------------------------


def test_prefix_lists_of_thousands_of_entries() -> None:
    """In a rule and in a route, nested and touching, beside a default route."""
    rng = Random(4)
    blocks = {IPv4Network((rng.randrange(0x08000000, 0x09000000) & -1 << 32 - size & 0xFFFFFFFF, size))
              for size in (32, 31, 28, 24, 20) for _ in range(1200)}  # fmt: skip
    listed = PrefixList("pl-1", tuple(sorted(blocks)), 4)
    made = network(
        prefix_lists={"pl-1": listed},
        **with_rules(OUT, allow("sgr-in", False, 6, (443, 443), prefix_list_id="pl-1")),
        **with_routes(
            ("0.0.0.0/0", "internet-gateway", "igw-1"),
            ("pl-1", "internet-gateway", "igw-1"),
            ("8.0.0.0/12", "nat-gateway", "nat-1"),
        ),
    )
    flows = []
    for block in rng.sample(sorted(blocks), 400):
        edge = rng.choice((int(block[0]) - 1, int(block[0]), int(block[-1]), int(block[-1]) + 1))
        flows += [flow(str(IPv4Address(edge)), "52.0.0.20"), flow(A, str(IPv4Address(edge)))]
    assert len(blocks) > 4000
    assert_accepts_and_rejects(made, frame(flows))


def many_vpcs(count: int) -> Network:
    """VPCs of two subnets and two interfaces each; every third has the CIDR of the one before it."""
    vpcs, subnets, records, tables, acls, groups = {}, {}, [], {}, {}, {}
    for number in range(count):
        name, base = f"vpc-{number:03}", 0x0A000000 + ((number - (number % 3 == 2)) << 12)
        vpcs[name] = Vpc(name, (IPv4Network((base, 20)),), region="eu-west-1")
        rules = (replace(OUT, rule_id=f"sgr-out-{number}", group_id=f"sg-{number}"),
                 allow(f"sgr-in-{number}", False, 6, (number, number + 10), cidr_block=TEN))  # fmt: skip
        groups[f"sg-{number}"] = SecurityGroup(f"sg-{number}", name, rules=rules)
        open_all = [entry(100, egress) for egress in (False, True)]
        acls[f"acl-{number}"] = replace(acl(*open_all, name=f"acl-{number}", is_default=True), vpc_id=name)
        tables[f"rtb-{number}"] = replace(table(f"rtb-{number}", main=True), vpc_id=name)
        for half in (0, 1):
            subnet = f"subnet-{number:03}-{half}"
            subnets[subnet] = Subnet(subnet, name, IPv4Network((base + (half << 11), 21)), region="eu-west-1")
            text = str(IPv4Address(base + (half << 11) + 10))
            records.append(interface(f"eni-{number:03}-{half}", subnet, text, vpc_id=name, group_ids=(f"sg-{number}",)))
    return Network(
        vpcs=vpcs,
        subnets=subnets,
        interfaces=by_id("interface_id", *records),
        security_groups=groups,
        network_acls=acls,
        route_tables=tables,
        described_keys=frozenset({"InternetGateways"}),
    )


def test_three_hundred_vpcs_some_with_the_same_cidr() -> None:
    made = many_vpcs(300)
    evaluator = compile_network(made)
    assert evaluator.compiled.tables.root.size > 65536  # more than one view: the same address, another owner
    rng, records = Random(5), list(made.interfaces.values())
    flows = []
    for _ in range(1500):
        at = rng.randrange(0, 600, 2)
        source, target = records[at], records[at + 1 if rng.random() < 0.7 else rng.randrange(600)]
        number = at // 2
        flows.append(
            flow(str(source.addresses[0].address), str(target.addresses[0].address), number + rng.randint(-1, 11))
            | ({"src_interface_id": source.interface_id} if rng.random() < 0.7 else {})
        )
    assert_accepts_and_rejects(made, frame(flows), evaluator)


def twins() -> Network:
    """Two VPCs with one CIDR and the same two addresses; only the rules tell them apart."""
    made = many_vpcs(3)
    return replace(made, vpcs={name: vpc for name, vpc in made.vpcs.items() if name != "vpc-000"})


def test_two_vpcs_of_one_cidr_are_told_apart_by_the_interface() -> None:
    made = twins()
    source, target = (str(made.interfaces[f"eni-001-{half}"].addresses[0].address) for half in (0, 1))
    assert source == str(made.interfaces["eni-002-0"].addresses[0].address)
    flows = frame(
        [flow(source, target, port, src_interface_id=name)
         for port in (0, 1, 2, 11, 12, 13) for name in ("eni-001-0", "eni-002-0", "eni-001-1", None)]
    )  # fmt: skip
    assert_agree(made, flows)
    found = compile_network(made).evaluate(flows)
    by_port = {(row["dstport"], row["src_interface_id"]): row for row in found.iter_rows(named=True)}
    assert by_port[1, "eni-001-0"]["verdict"] == "ACCEPT"
    assert by_port[1, "eni-001-0"]["dst_interface"] == "eni-001-1"
    assert by_port[1, "eni-002-0"]["verdict"] == "REJECT"
    assert by_port[12, "eni-002-0"]["verdict"] == "ACCEPT"
    assert by_port[12, "eni-002-0"]["dst_interface"] == "eni-002-1"
    assert by_port[1, None]["reason"] == "ADDR_AMBIGUOUS"
    assert by_port[1, "eni-001-1"]["reason"] == "ENI_SOURCE_DEST_CHECK_RESTRICTION"


def test_one_address_in_two_vpcs_and_twice_in_one() -> None:
    """10.0.0.10 belongs to eni-a, to an interface of another VPC without a CIDR there, and to a second one of vpc-1."""
    other = interface("eni-other", "subnet-x", address(A, "52.0.0.99"), vpc_id="vpc-2")
    double = interface("eni-double", "subnet-a", A)
    for more in ((other,), (double,), (other, double)):
        made = network(
            vpcs=by_id("vpc_id", *network().vpcs.values(), Vpc("vpc-2", (ip_network("10.9.0.0/16"),))),
            interfaces=by_id("interface_id", *interfaces(), *more),
        )
        ends = (A, A2, B, X, "52.0.0.10", "52.0.0.20", "52.0.0.99", "10.9.0.7")
        names = (None, "eni-a", "eni-other", "eni-double", "eni-b")
        flows = [flow(one, two, src_interface_id=name) for one in ends for two in ends for name in names]
        assert_agree(made, frame(flows), [each.interface_id for each in more])


# -- what one stage cuts off ---------------------------------------------------------------------------

ROUTES: dict[str, list[Any]] = {
    "internet": [("0.0.0.0/0", "internet-gateway", "igw-1"), ("::/0", "internet-gateway", "igw-1")],
    "undescribed": [("0.0.0.0/0", "internet-gateway", "igw-9"), ("::/0", "egress-only-internet-gateway", "eigw-9")],
    "egress-only": [("::/0", "egress-only-internet-gateway", "eigw-1"), ("0.0.0.0/0", "nat-gateway", "nat-1")],
    "appliance": [
        (cidr, "network-interface", "eni-a2") for cidr in ("0.0.0.0/0", "::/0", "10.0.0.0/24", "10.0.1.0/24")
    ],
    "black hole": [route(cidr, "nat-gateway", "nat-1", blackhole=True) for cidr in ("0.0.0.0/0", "10.0.0.0/24")],
    "nothing": [],
}  # fmt: skip


@pytest.mark.parametrize("there", ROUTES)
@pytest.mark.parametrize("back", ROUTES)
def test_every_way_there_with_every_way_back_and_every_list_that_denies(there: str, back: str) -> None:
    """Which stages are evaluated after an undecided or denying route shows only where a later stage denies."""
    tables = by_id(
        "route_table_id",
        table("rtb-a", *ROUTES[there], subnet_ids=("subnet-a",)),
        table("rtb-b", *ROUTES[back], subnet_ids=("subnet-b",)),
    )
    ends = (A, A2, B, X, "52.0.0.10", "52.0.0.20", A6, B6, X6)
    flows = [flow(one, two, protocol=protocol) for one in ends for two in ends for protocol in (6, 1)]
    for denied in (None, ("a", False), ("a", True), ("b", False), ("b", True)):
        lists = {side: [each for each in OPEN if (side, each.egress) != denied] for side in "ab"}
        made = network(
            route_tables=tables,
            egress_only_internet_gateways=by_id("gateway_id", Gateway("eigw-1", ("vpc-1",))),
            **with_acls(lists["a"], lists["b"]),
        )
        assert_agree(made, frame(flows), denied)


# -- nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"interfaces": {}},
        {"security_groups": {}},
        {"network_acls": {}},
        {"route_tables": {}},
        {"vpcs": {}},
        {"subnets": {}},
        {"internet_gateways": {}},
        {"interfaces": {}, "security_groups": {}, "network_acls": {}, "route_tables": {}, "vpcs": {}, "subnets": {}},
        {"security_groups": {}, **with_interfaces(a={"group_ids": ()}, b={"group_ids": None})},
        with_rules(),
    ],
    ids=" ".join,
)
def test_a_network_with_a_part_left_out(changes: dict[str, Any]) -> None:
    made = network(**changes)
    flows = edge_flows(network(), 1, 800)
    assert_agree(made, flows)


# -- what is compiled ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2, 9, 31])
def test_compiled_twice_the_verdicts_are_equal(seed: int) -> None:
    """Random keys are drawn anew each time: nothing that comes out depends on them."""
    made = edge_network(seed)
    flows = edge_flows(made, seed, 2000)
    first, second = compile_network(made), compile_network(made)
    assert second.evaluate(flows).equals(first.evaluate(flows))
    assert second.compiled.nbytes == first.compiled.nbytes
    for name in ("interface_ids", "group_rules", "acl_rules", "routes"):
        assert getattr(first.compiled, name) == getattr(second.compiled, name)


def test_tables_are_read_only_and_contiguous_whatever_the_network() -> None:
    kinds = set()
    for made in (network(), Network(), edge_network(4), network(**with_rules())):
        tables = compile_tables(made).tables
        for name, array in zip(k.Tables._fields, tables, strict=True):
            assert not array.flags.writeable, name
            assert array.flags.c_contiguous, name
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
        kinds.add(tuple((array.dtype, array.ndim) for array in tables))
    assert len(kinds) == 1  # one compiled kernel serves every ordinary network


def test_equal_rules_share_their_cells() -> None:
    """A thousand interfaces with one set of groups take little more than ten."""

    def made(count: int) -> Network:
        more = (interface(f"eni-x{i}", "subnet-b", str(IPv4Address(0x0A000150 + i))) for i in range(count))
        return network(interfaces=by_id("interface_id", *interfaces(), *more))

    small, large = compile_tables(made(10)).tables, compile_tables(made(150)).tables
    assert large.cells.size == small.cells.size
    assert large.node.shape[0] > small.node.shape[0] + 100


def test_labels_name_every_rule_once() -> None:
    made = edge_network(6)
    compiled = compile_tables(made)
    for labels in (compiled.interface_ids, compiled.group_rules, compiled.acl_rules, compiled.routes):
        assert len(set(labels)) == len(labels)
    assert set(compiled.interface_ids) == set(made.interfaces)
    rules = {rule.rule_id for each in made.security_groups.values() for rule in each.rules}
    assert list(compiled.group_rules) == sorted(rules)
