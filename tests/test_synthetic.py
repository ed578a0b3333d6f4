"""Synthetic networks, flows and logs: the same for the same seed, readable, and as nasty as docs/synth.md says."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import flowcore
from flowcore import synthetic
from flowcore.errors import FlowError, InputError
from flowcore.model import Network
from flowcore.schema import STAGE_BITS, stage_names
from flowcore.sources.describe import network_from_documents, read_network

DEMO = Path(__file__).parent.parent / "data" / "demo"
SEEDS = range(200)
FLOW_COLUMNS = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "src_interface_id", "icmp_type", "icmp_code"]


@cache
def region() -> Network:
    return network_from_documents(
        synthetic.network_documents(1, interfaces=120, groups=40, acls=12, subnets=24, vpcs=2)
    )


@cache
def edge(seed: int) -> dict[str, Any]:
    return synthetic.edge_documents(seed)


# -- regions -----------------------------------------------------------------------------------------------


def test_a_region_has_the_size_asked_for() -> None:
    documents = synthetic.network_documents(3, interfaces=90, groups=30, acls=9, subnets=18, vpcs=3, rules=700)
    sizes = {key: len(rows) for key, rows in documents.items()}
    assert sizes["NetworkInterfaces"] == 90
    assert sizes["SecurityGroups"] == 30
    assert sizes["NetworkAcls"] == 9
    assert sizes["Subnets"] == 18
    assert sizes["Vpcs"] == 3
    assert sizes["SecurityGroupRules"] == 700


def test_a_region_is_the_same_for_the_same_seed_only() -> None:
    small: dict[str, Any] = {"interfaces": 40, "groups": 12, "acls": 4, "subnets": 8, "vpcs": 2}
    assert synthetic.network_documents(5, **small) == synthetic.network_documents(5, **small)
    assert synthetic.network_documents(5, **small) != synthetic.network_documents(6, **small)


def test_a_region_is_read_without_complaint() -> None:
    network = region()
    found = {(issue.code, issue.resource.split("-")[0]) for issue in network.issues if issue.severity != "note"}
    assert found <= {("dangling-reference", "vpce")}  # S3 endpoints are described in mixed regions only
    assert len(network.interfaces) == 120
    assert all(group.rules for group in network.security_groups.values())


def test_the_parts_of_a_region_fit_together() -> None:
    """Every interface lies in its subnet, every subnet in its VPC, no address is used twice, no VPCs overlap."""
    network = region()
    cidrs = [cidr for vpc in network.vpcs.values() for cidr in vpc.cidr_blocks]
    assert not any(a.overlaps(b) for i, a in enumerate(cidrs) for b in cidrs[i + 1 :])
    seen = Counter[Any]()
    for interface in network.interfaces.values():
        subnet = network.subnets[interface.subnet_id or ""]
        blocks = [subnet.cidr_block, *subnet.ipv6_cidr_blocks]
        for own in interface.addresses:
            seen.update([own.address, *([own.public_address] if own.public_address else [])])
            assert any(block is not None and own.address in block for block in blocks), own
        vpc = network.vpcs[subnet.vpc_id]
        assert subnet.cidr_block is not None
        assert any(subnet.cidr_block.subnet_of(cidr) for cidr in vpc.cidr_blocks)
        assert all(any(block.subnet_of(cidr) for cidr in vpc.ipv6_cidr_blocks) for block in subnet.ipv6_cidr_blocks)
    assert max(seen.values()) == 1


def test_groups_and_rule_rows_say_the_same() -> None:
    """SecurityGroups alone (rules from IpPermissions) gives the rules of SecurityGroupRules, but for their ids."""
    documents = synthetic.network_documents(2, interfaces=20, groups=12, acls=4, subnets=8, vpcs=2)
    with_rows = network_from_documents(documents)
    without = network_from_documents({key: rows for key, rows in documents.items() if key != "SecurityGroupRules"})

    def rules(network: Network) -> set[tuple[Any, ...]]:
        return {
            (
                r.group_id,
                r.egress,
                r.protocol,
                r.from_port,
                r.to_port,
                r.cidr_block,
                r.prefix_list_id,
                r.referenced_group_id,
            )
            for group in network.security_groups.values()
            for r in group.rules
        }

    assert rules(with_rows) == rules(without)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"vpcs": 0}, "vpcs"),
        ({"vpcs": 300}, "vpcs"),
        ({"groups": 1}, "groups"),
        ({"acls": 1}, "acls"),
        ({"subnets": 3000, "vpcs": 1, "interfaces": 60_000}, "subnets"),
    ],
)
def test_an_impossible_size_is_an_input_error(wrong: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError, match=where):
        synthetic.network_documents(1, **{"vpcs": 2, **wrong})


def test_large_subnets_when_there_are_many_interfaces() -> None:
    documents = synthetic.network_documents(1, interfaces=900, groups=4, acls=2, subnets=2, vpcs=1, ipv6=False)
    assert {ip_network(row["CidrBlock"]).prefixlen for row in documents["Subnets"]} == {22}
    assert not any("Ipv6CidrBlockAssociationSet" in row for row in documents["Vpcs"])


def test_a_snapshot_is_written_byte_for_byte_and_read_back(tmp_path: Path) -> None:
    documents = synthetic.network_documents(4, interfaces=30, groups=8, acls=4, subnets=8, vpcs=2)
    one = synthetic.write_snapshot(documents, tmp_path / "one")
    two = synthetic.write_snapshot(documents, tmp_path / "two", region="eu-west-1")
    assert sorted(path.name for path in one.iterdir()) == sorted(f"{key}.json" for key in documents)
    assert all(path.read_bytes() == (two / path.name).read_bytes() for path in one.iterdir())
    assert two.name == "eu-west-1"
    assert json.loads((one / "Vpcs.json").read_text()) == {"Vpcs": documents["Vpcs"]}
    assert len(read_network(tmp_path / "one").interfaces) == 30


# -- edge networks -----------------------------------------------------------------------------------------


def test_an_edge_network_is_the_same_for_the_same_seed() -> None:
    assert [edge(seed) for seed in range(30)] == [synthetic.edge_documents(seed) for seed in range(30)]
    assert len({json.dumps(edge(seed)) for seed in SEEDS}) == len(SEEDS)


def test_every_edge_network_is_small_plain_json_and_readable() -> None:
    for seed in SEEDS:
        documents = edge(seed)
        assert json.loads(json.dumps(documents)) == documents
        network = network_from_documents(documents)
        assert 5 <= len(network.interfaces) <= 15, seed
        assert 2 <= len(documents.get("Vpcs", [1, 2])) <= 4
        assert 2 <= len(documents["Subnets"]) <= 8
        assert not [issue for issue in network.issues if issue.severity == "error"], seed


def _features(documents: dict[str, Any]) -> Iterator[str]:
    """Names of what docs/synth.md says can occur, found in the documents as they are."""
    vpcs = {vpc["VpcId"]: vpc for vpc in documents.get("Vpcs", ())}
    cidrs = [vpc["CidrBlock"] for vpc in vpcs.values()]
    if len(cidrs) > len(set(cidrs)):
        yield "two VPCs with one CIDR"
    yield from ("VPC with a public range" for cidr in cidrs if cidr.startswith("52."))
    yield from ("VPC in 100.64.0.0/10" for cidr in cidrs if cidr.startswith("100.64"))
    for vpc in vpcs.values():
        states = [block["CidrBlockState"]["State"] for block in vpc["CidrBlockAssociationSet"]]
        if states.count("associated") > 1:
            yield "secondary VPC CIDR"
        if set(states) != {"associated"}:
            yield "VPC CIDR not associated"
    for subnet in documents["Subnets"]:
        vpc = vpcs.get(subnet["VpcId"])
        if vpc is None:
            yield "subnet of an undescribed VPC"
        elif not any(
            IPv4Network(subnet["CidrBlock"]).subnet_of(IPv4Network(block["CidrBlock"]))
            for block in vpc["CidrBlockAssociationSet"]
        ):
            yield "subnet outside its VPC"
    for key in ("Vpcs", "NetworkAcls", "RouteTables", "SecurityGroups", "SecurityGroupRules", "InternetGateways"):
        if key not in documents:
            yield f"no {key}"
    yield from _interface_features(documents)
    yield from _group_features(documents, vpcs)
    yield from _acl_features(documents)
    yield from _route_features(documents, vpcs)
    yield from _gateway_features(documents)


def _interface_features(documents: dict[str, Any]) -> Iterator[str]:
    described = {row["GroupId"] for row in documents.get("SecurityGroups", ())}
    places, public = Counter[str](), Counter[str]()
    for interface in documents["NetworkInterfaces"]:
        yield f"interface type {interface['InterfaceType']}"
        groups = interface.get("Groups")
        yield "Groups missing" if groups is None else f"{min(len(groups), 2)} groups"
        if any(group["GroupId"] not in described for group in groups or ()):
            yield "undescribed group"
        for name, odd in (
            (
                "source/destination check off",
                interface["InterfaceType"] == "interface" and not interface["SourceDestCheck"],
            ),
            ("detached", interface["Status"] != "in-use"),
            ("DenyAllIgwTraffic", interface.get("DenyAllIgwTraffic", False)),
            ("delegated prefix", "Ipv4Prefixes" in interface),
            ("delegated IPv6 prefix", "Ipv6Prefixes" in interface),
            ("secondary address", len(interface["PrivateIpAddresses"]) > 1),
            ("IPv6 address", bool(interface["Ipv6Addresses"])),
        ):
            if odd:
                yield name
        places[interface["PrivateIpAddress"]] += 1
        public.update(o["Association"]["PublicIp"] for o in interface["PrivateIpAddresses"] if "Association" in o)
    if max(places.values()) > 1:
        yield "one address in two places"
    if public:
        yield "public address" if max(public.values()) == 1 else "public address on two interfaces"


def _group_features(documents: dict[str, Any], vpcs: dict[str, Any]) -> Iterator[str]:
    lists = {row["PrefixListId"]: row for row in documents.get("PrefixLists", ())}
    entries = {row["PrefixListId"] for row in documents.get("ManagedPrefixListEntries", ())}
    yield from ("entries of an undescribed list" for list_id in entries - lists.keys())
    yield from ("list with entries inline" for row in lists.values() if "Cidrs" in row)
    yield from ("list without entries" for i, row in lists.items() if i not in entries and "Cidrs" not in row)
    status = {row["VpcPeeringConnectionId"]: row["Status"]["Code"] for row in documents["VpcPeeringConnections"]}
    yield from (f"peering {code}" for code in status.values())
    for row in documents["VpcPeeringConnections"]:
        if row["AccepterVpcInfo"]["Region"] != row["RequesterVpcInfo"]["Region"]:
            yield "peering between regions"
    for rule in documents.get("SecurityGroupRules", ()):
        yield f"group rule {rule['IpProtocol']}"
        if rule["IpProtocol"] == "icmp" and rule["FromPort"] >= 0 and rule["ToPort"] >= 0:
            yield "group rule for an ICMP code"
        if rule["IpProtocol"] == "icmpv6":
            yield "icmpv6 from IPv4" if "CidrIpv4" in rule else "icmpv6 from elsewhere"
        if "PrefixListId" in rule:
            yield "rule for a described list" if rule["PrefixListId"] in lists else "rule for an undescribed list"
        reference = rule.get("ReferencedGroupInfo", {})
        if reference.get("GroupId") == rule["GroupId"]:
            yield "self reference"
        if "PeeringStatus" in reference:
            yield "peer reference active" if reference["PeeringStatus"] == "active" else "stale reference"
        if reference.get("VpcId") and reference["VpcId"] not in vpcs:
            yield "reference into an undescribed VPC"


def _acl_features(documents: dict[str, Any]) -> Iterator[str]:
    for acl in documents.get("NetworkAcls", ()):
        numbers = [entry["RuleNumber"] for entry in acl["Entries"]]
        if numbers != sorted(numbers):
            yield "ACL entries in any order"
        if 32767 not in numbers:
            yield "ACL without its final deny"
        for entry in acl["Entries"]:
            yield f"ACL protocol {entry['Protocol']}"
            if entry["Protocol"] == "58":
                yield "ACL 58 with IPv4" if "CidrBlock" in entry else "ACL 58 with IPv6"
            if entry["Protocol"] in ("50", "47") and "PortRange" in entry:
                yield "ports on a portless protocol"
        if not acl["IsDefault"]:
            own = [e for e in acl["Entries"] if not e["Egress"] and "CidrBlock" in e and e["RuleNumber"] < 200]
            own.sort(key=lambda e: e["RuleNumber"])
            for a, b in pairwise(own):
                nested = ip_network(a["CidrBlock"]).overlaps(ip_network(b["CidrBlock"]))
                if nested and a["RuleAction"] != b["RuleAction"]:
                    yield f"{a['RuleAction']} before {b['RuleAction']} over the same addresses"
    defaults = {acl["VpcId"] for acl in documents.get("NetworkAcls", ()) if acl["IsDefault"]}
    if {subnet["VpcId"] for subnet in documents["Subnets"]} - defaults:
        yield "VPC without default ACL"


def _route_features(documents: dict[str, Any], vpcs: dict[str, Any]) -> Iterator[str]:
    lists = {row["PrefixListId"] for row in documents.get("PrefixLists", ())}
    gateways = {row["InternetGatewayId"] for row in documents.get("InternetGateways", ())}
    subnets = {row["CidrBlock"] for row in documents["Subnets"]}
    for table in documents.get("RouteTables", ()):
        at_gateway = any("GatewayId" in row for row in table["Associations"])
        where = "gateway table " if at_gateway else ""
        if any(row["AssociationState"]["State"] != "associated" for row in table["Associations"]):
            yield "table no longer associated"
        blocks = {block["CidrBlock"] for block in vpcs.get(table["VpcId"], {}).get("CidrBlockAssociationSet", ())}
        seen = Counter[str]()
        for route in table["Routes"]:
            target = next(v for k, v in route.items() if k.endswith(("Id", "Arn")) and k != "DestinationPrefixListId")
            destination = next(v for k, v in route.items() if k.startswith("Destination"))
            kind = re.split(r"[-:]", target)[0] if not target.startswith("arn") else target.split(":")[2]
            seen[destination] += 1
            yield f"{where}route to {kind}"
            yield f"{where}route {route['State']}"
            yield f"route by {route['Origin']}"
            if kind == "igw" and target not in gateways:
                yield "route to an undescribed gateway"
            if destination.startswith("pl-"):
                yield "route for a described list" if destination in lists else "route for an undescribed list"
            if destination in blocks and kind != "local":
                yield "local route replaced" if route["Origin"] == "CreateRoute" else "propagated over local"
            if destination in subnets - blocks and kind != "local" and not at_gateway:
                yield "route for a subnet"
        if max(seen.values(), default=0) > 1:
            yield "equal prefixes by different origins"
        if sum(destination.startswith("pl-") for destination in seen) > 1:
            yield "two prefix-list routes"
    mains = {t["VpcId"] for t in documents.get("RouteTables", ()) for a in t["Associations"] if a["Main"]}
    if {subnet["VpcId"] for subnet in documents["Subnets"]} - mains:
        yield "VPC without main table"


def _gateway_features(documents: dict[str, Any]) -> Iterator[str]:
    for key, name in (("InternetGateways", "internet"), ("EgressOnlyInternetGateways", "egress-only")):
        for row in documents.get(key, ()):
            yield f"{name} gateway attached" if row["Attachments"] else f"{name} gateway detached"
    for row in documents["VpnGateways"]:
        yield f"virtual private gateway {row['VpcAttachments'][0]['State']}"
    for row in documents.get("VpcBlockPublicAccessOptions", ()):
        yield f"options {row['InternetGatewayBlockMode']}"
    for row in (*documents.get("Vpcs", ()), *documents["Subnets"]):
        mode = row.get("BlockPublicAccessStates", {}).get("InternetGatewayBlockMode", "unsaid")
        yield f"{'subnet' if 'SubnetId' in row else 'VPC'} {mode}"
    for row in documents.get("VpcBlockPublicAccessExclusions", ()):
        kind = "subnet" if ":subnet/" in row["ResourceArn"] else "VPC"
        yield f"exclusion {row['InternetGatewayExclusionMode']} of a {kind}"
        yield f"exclusion {row['State']}"


EXPECTED = {
    "two VPCs with one CIDR", "VPC with a public range", "VPC in 100.64.0.0/10", "secondary VPC CIDR",
    "VPC CIDR not associated", "subnet of an undescribed VPC", "subnet outside its VPC", "no Vpcs", "no NetworkAcls",
    "no RouteTables", "no SecurityGroups", "no SecurityGroupRules", "no InternetGateways",
    *(f"interface type {kind}" for kind in ("interface", "nat_gateway", "load_balancer", "network_load_balancer",
      "transit_gateway", "vpc_endpoint", "gateway_load_balancer", "gateway_load_balancer_endpoint", "lambda")),
    "Groups missing", "0 groups", "1 groups", "2 groups", "undescribed group", "source/destination check off",
    "detached", "DenyAllIgwTraffic", "delegated prefix", "delegated IPv6 prefix", "secondary address", "IPv6 address",
    "one address in two places", "public address", "public address on two interfaces",
    "entries of an undescribed list", "list with entries inline", "list without entries",
    *(f"peering {code}" for code in ("active", "pending-acceptance", "deleted", "expired")), "peering between regions",
    *(f"group rule {protocol}" for protocol in ("tcp", "udp", "icmp", "icmpv6", "-1", "50", "47", "132", "6", "58")),
    "group rule for an ICMP code", "icmpv6 from IPv4", "icmpv6 from elsewhere", "rule for a described list",
    "rule for an undescribed list", "self reference", "peer reference active", "stale reference",
    "reference into an undescribed VPC", "ACL entries in any order", "ACL without its final deny",
    *(f"ACL protocol {number}" for number in (-1, 1, 6, 17, 47, 50, 58, 132)), "ACL 58 with IPv4", "ACL 58 with IPv6",
    "ports on a portless protocol", "allow before deny over the same addresses",
    "deny before allow over the same addresses", "VPC without default ACL", "table no longer associated",
    *(f"route to {kind}" for kind in ("local", "igw", "eigw", "nat", "eni", "tgw", "pcx", "vgw", "vpce", "cagw", "lgw",
      "networkmanager", "odb", "xyz")),
    *(f"gateway table route to {kind}" for kind in ("local", "eni", "vpce")), "gateway table route blackhole",
    "route active", "route blackhole", "route filtered", "route by CreateRoute", "route by CreateRouteTable",
    "route by EnableVgwRoutePropagation", "route by Advertisement", "route to an undescribed gateway",
    "route for a described list", "route for an undescribed list", "local route replaced", "propagated over local",
    "route for a subnet", "equal prefixes by different origins", "two prefix-list routes", "VPC without main table",
    "internet gateway attached", "internet gateway detached", "egress-only gateway attached",
    "egress-only gateway detached", "virtual private gateway attached", "virtual private gateway detached",
    *(f"{place} {mode}" for place in ("options", "VPC", "subnet")
      for mode in ("off", "block-bidirectional", "block-ingress")),
    "VPC unsaid", "subnet unsaid",
    *(f"exclusion {mode} of a {kind}" for mode in ("allow-bidirectional", "allow-egress")
      for kind in ("VPC", "subnet")),
    *(f"exclusion {state}" for state in ("create-complete", "update-complete", "create-failed", "delete-complete")),
}  # fmt: skip


def test_everything_promised_occurs_in_some_edge_network() -> None:
    seen = Counter[str]()
    for seed in SEEDS:
        seen.update(set(_features(edge(seed))))
    assert not EXPECTED - seen.keys()


# -- edge flows --------------------------------------------------------------------------------------------


def test_edge_flows_are_the_same_for_the_same_seed_only() -> None:
    one = synthetic.edge_flows(region(), 1, 500)
    assert one.columns == FLOW_COLUMNS
    assert one.height == 500
    assert_frame_equal(one, synthetic.edge_flows(region(), 1, 500))
    assert not one.equals(synthetic.edge_flows(region(), 2, 500))


def test_edge_flows_of_no_network_at_all() -> None:
    assert synthetic.edge_flows(Network(), 1, 50).height == 50
    assert synthetic.edge_flows(region(), 1, 0).schema == synthetic.edge_flows(region(), 1, 9).schema


def test_edge_flows_hit_both_sides_of_every_port_bound() -> None:
    network = region()
    asked = set(synthetic.edge_flows(network, 7, 60_000).filter(pl.col("protocol") == 6)["dstport"].drop_nulls())
    for group in network.security_groups.values():
        for rule in group.rules:
            if rule.protocol == 6 and rule.from_port is not None and rule.to_port is not None:
                bounds = {rule.from_port - 1, rule.from_port, rule.to_port, rule.to_port + 1}
                assert bounds & set(range(65536)) <= asked, rule


def test_edge_flows_hit_both_sides_of_every_cidr() -> None:
    network = network_from_documents(edge(3))
    flows = synthetic.edge_flows(network, 3, 60_000)
    asked = {*flows["srcaddr"], *flows["dstaddr"]}
    for subnet in network.subnets.values():
        assert subnet.cidr_block is not None
        first, last = subnet.cidr_block[0], subnet.cidr_block[-1]
        assert {str(a) for a in (first - 1, first, first + 1, first + 4, last - 1, last, last + 1)} <= asked


def test_most_edge_flows_join_real_ends_and_some_are_garbage() -> None:
    network, count = region(), 20_000
    flows = synthetic.edge_flows(network, 11, count)
    held = {str(own.address) for interface in network.interfaces.values() for own in interface.addresses}
    public = {str(own.public_address) for interface in network.interfaces.values() for own in interface.addresses}
    ours = flows.filter(pl.col("srcaddr").is_in(held | public) | pl.col("dstaddr").is_in(held | public))
    assert 0.8 < ours.height / count < 1
    unusable = flows.filter(
        pl.any_horizontal(pl.col("srcaddr", "dstaddr").is_null())
        | pl.any_horizontal((pl.col("srcport", "dstport") < 0) | (pl.col("srcport", "dstport") > 65535))
        | ~pl.col("protocol").is_between(0, 255)
        | pl.col("srcaddr").str.contains(":") ^ pl.col("dstaddr").str.contains(":")
        | pl.col("srcaddr").is_in(["abc", "-", ""])
    )
    assert 0.03 < unusable.height / count < 0.12
    assert 0.3 < flows["src_interface_id"].null_count() / count < 0.7
    unknown = set(flows["src_interface_id"].drop_nulls()) - network.interfaces.keys()
    assert unknown == {"eni-0ffffffffffffffff", "", "-"}
    assert flows.filter(pl.col("protocol").is_in([6, 17]) & pl.col("icmp_type").is_between(0, 254)).is_empty()
    assert {6, 17, 1, 58, 47, 50, 132} <= set(flows["protocol"].drop_nulls())


def test_edge_flows_reach_every_stage_and_most_reasons() -> None:
    """Else a comparison of two writings on them would say little."""
    reasons, stages = Counter[str](), Counter[str]()
    for seed in range(120):
        network = network_from_documents(edge(seed))
        for flow in synthetic.edge_flows(network, seed, 50).iter_rows(named=True):
            path = flowcore.explain(network, flow)
            reasons[path.reason or path.verdict] += 1
            stages.update(stage_names(path.blocked_by))
    assert stages.keys() >= {name for name, bit in STAGE_BITS.items() if bit <= 5 or 14 <= bit <= 19 or bit == 28}
    assert reasons.keys() >= {
        "ACCEPT", "ADDR_AMBIGUOUS", "ASYMMETRIC_RETURN", "BAD_STATE", "BAD_STATE_ATTACHMENT", "BAD_STATE_ROUTE",
        "DENY_ALL_IGW_TRAFFIC", "ENI_SG_RULES_MISMATCH", "ENI_SOURCE_DEST_CHECK_RESTRICTION", "ICMP_TYPE_UNKNOWN",
        "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS", "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS",
        "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS", "INVALID_FLOW",
        "MISSING_PREFIX_LIST", "NO_PATH", "NO_POSSIBLE_DESTINATION", "NO_ROUTE_TO_DESTINATION",
        "NO_SOURCE_OR_DESTINATION", "SG_HAS_NO_RULES", "SUBNET_ACL_RESTRICTION", "UNFILTERED_SERVICE",
        "UNKNOWN_DESTINATION", "UNKNOWN_RESOURCE", "UNSUPPORTED_COMPONENT", "VPC_BLOCK_PUBLIC_ACCESS_ENABLED",
    }  # fmt: skip
    assert reasons["ACCEPT"] > 500
    assert reasons["INVALID_FLOW"] < 600


# -- traffic -----------------------------------------------------------------------------------------------


def _addresses(network: Network) -> set[str]:
    return {str(own.address) for interface in network.interfaces.values() for own in interface.addresses}


@pytest.mark.parametrize("skew", [0.0, 1.1])
def test_traffic_is_usable_and_the_same_for_the_same_seed(skew: float) -> None:
    flows = synthetic.traffic(region(), 5_000, 3, skew=skew, ipv6_share=0.2)
    assert flows.columns == FLOW_COLUMNS[:5]
    assert flows.height == 5_000
    assert not flows.null_count().sum_horizontal()[0]
    assert_frame_equal(flows, synthetic.traffic(region(), 5_000, 3, skew=skew, ipv6_share=0.2))
    assert not flows.equals(synthetic.traffic(region(), 5_000, 4, skew=skew, ipv6_share=0.2))
    for source, destination in flows.select("srcaddr", "dstaddr").iter_rows():
        assert ip_address(source).version == ip_address(destination).version
    known = _addresses(region())
    inside = flows.filter(pl.col("srcaddr").is_in(known) & pl.col("dstaddr").is_in(known))
    assert 0.4 < inside.height / flows.height < 0.95
    six = flows["srcaddr"].str.contains(":").mean()
    assert isinstance(six, float)
    assert 0.1 < six < 0.3 or skew  # few conversations carry much of skewed traffic


def test_skewed_traffic_repeats_itself() -> None:
    def pairs(skew: float) -> int:
        return synthetic.traffic(region(), 20_000, 3, skew=skew).n_unique(["srcaddr", "dstaddr", "dstport"])

    assert pairs(1.2) < pairs(0.0) / 2


def test_traffic_as_integers() -> None:
    flows = synthetic.traffic(region(), 3_000, 3, as_integers=True)
    assert flows.dtypes == [pl.UInt32, pl.UInt32, pl.UInt16, pl.UInt16, pl.UInt8]
    own = [own for interface in region().interfaces.values() for own in interface.addresses if own.address.version == 4]
    known = {int(address) for pair in own for address in (pair.address, pair.public_address) if address is not None}
    assert len(flows.filter(pl.col("srcaddr").is_in(known) | pl.col("dstaddr").is_in(known))) > 2_900


def test_traffic_needs_somebody_to_talk() -> None:
    with pytest.raises(FlowError, match="no attached interface"):
        synthetic.traffic(Network(), 10, 1)


def test_traffic_of_edge_networks() -> None:
    """Networks without rules, groups or public addresses give traffic all the same."""
    for seed in range(40):
        network = network_from_documents(edge(seed))
        try:
            assert synthetic.traffic(network, 50, seed).height == 50
        except FlowError:
            assert not any(i.interface_type == "interface" and not i.detached for i in network.interfaces.values())


# -- logs and the demonstration ----------------------------------------------------------------------------


def _verdicts(*masks: int) -> pl.DataFrame:
    """The same flow between two interfaces, judged differently."""
    row = {"srcaddr": "10.0.0.4", "dstaddr": "10.0.1.5", "srcport": 40000, "dstport": 443, "protocol": 6}
    rows = [{**row, "src_interface": "eni-a", "dst_interface": "eni-b", "blocked_by": mask} for mask in masks]
    return pl.DataFrame(rows, schema_overrides={"blocked_by": pl.UInt32})


@pytest.mark.parametrize(
    ("blocked_by", "expected"),
    [
        ([], ["eni-a > ACCEPT", "eni-b > ACCEPT", "eni-b < ACCEPT", "eni-a < ACCEPT"]),
        ([2], ["eni-a > REJECT"]),
        ([3], ["eni-a > REJECT"]),
        ([4], ["eni-a > ACCEPT"]),
        ([14], ["eni-a > ACCEPT", "eni-b > REJECT"]),
        ([15, 17], ["eni-a > ACCEPT", "eni-b > REJECT"]),
        ([17], ["eni-a > ACCEPT", "eni-b > ACCEPT", "eni-b < REJECT"]),
        ([18], ["eni-a > ACCEPT", "eni-b > ACCEPT", "eni-b < ACCEPT"]),
        ([9], ["eni-a > ACCEPT"]),
        ([22], ["eni-a > ACCEPT", "eni-b > ACCEPT", "eni-b < ACCEPT"]),
        ([28], ["eni-a > ACCEPT", "eni-b > ACCEPT", "eni-b < ACCEPT", "eni-a < REJECT"]),
    ],
)
def test_what_is_logged_of_a_conversation(blocked_by: list[int], expected: list[str]) -> None:
    """FL-41, FL-42, FL-43."""
    records = synthetic.log_records(_verdicts(sum(1 << bit for bit in blocked_by)), 1)
    found = [
        f"{row['interface_id']} {'>' if row['srcport'] == 40000 else '<'} {row['action']}"
        for row in records.iter_rows(named=True)
    ]
    assert sorted(found) == sorted(expected)
    for row in records.iter_rows(named=True):
        assert (row["srcaddr"] == "10.0.0.4") == (row["srcport"] == 40000)


def test_only_interfaces_of_the_network_log() -> None:
    outside = _verdicts(0).with_columns(pl.lit(None, pl.String).alias("src_interface"), dstaddr=pl.lit("54.1.2.3"))
    records = synthetic.log_records(outside, 1, private_of={"54.1.2.3": "10.0.1.5"})
    assert records["interface_id"].to_list() == ["eni-b", "eni-b"]
    assert records["dstaddr"].to_list() == ["10.0.1.5", "10.0.0.4"]


def test_lines_are_in_the_default_format() -> None:
    records = synthetic.log_records(_verdicts(0, 0), 1).with_columns(packets=pl.lit(None, pl.Int64))
    lines = synthetic.flow_log_lines(records).decode().splitlines()
    assert lines[0] == (
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end "
        "action log-status"
    )
    assert len(lines) == 9
    form = re.compile(r"2 \d{12} eni-[ab] 10\S+ 10\S+ \d+ \d+ 6 - \d+ \d{10} \d{10} ACCEPT OK")
    assert all(form.fullmatch(line) for line in lines[1:])
    assert synthetic.flow_log_lines(records, header=False).decode().splitlines() == lines[1:]


def _judge(documents: Any, flows: pl.DataFrame) -> pl.DataFrame:
    """A stand-in for the evaluator: ends by address, everything passes."""
    owners = {
        address: row["NetworkInterfaceId"]
        for row in documents["NetworkInterfaces"]
        for address in (row["PrivateIpAddress"], *(own["Ipv6Address"] for own in row["Ipv6Addresses"]))
    }
    return flows.with_columns(
        src_interface=pl.col("srcaddr").replace_strict(owners, default=None),
        dst_interface=pl.col("dstaddr").replace_strict(owners, default=None),
        blocked_by=pl.lit(0, pl.UInt32),
    )


def test_the_demo_is_written_byte_for_byte(tmp_path: Path) -> None:
    for name in ("one", "two"):
        synthetic.write_demo(tmp_path / name, _judge, conversations=500)
    one, two = ([p for p in sorted((tmp_path / name).rglob("*")) if p.is_file()] for name in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_the_bundled_snapshot_is_the_one_the_code_writes(tmp_path: Path) -> None:
    written = synthetic.write_snapshot(synthetic.demo_documents(), tmp_path)
    bundled = DEMO / "snapshot" / "us-east-1"
    assert sorted(p.name for p in written.iterdir()) == sorted(p.name for p in bundled.iterdir())
    for path in written.iterdir():
        assert path.read_text() == (bundled / path.name).read_text(), path.name
    network = read_network(DEMO / "snapshot")
    assert 60 <= len(network.interfaces) <= 100
    assert {issue.severity for issue in network.issues} == {"note"}


def test_the_bundled_log_has_everything_a_log_can_have() -> None:
    with gzip.open(DEMO / "flow-log.log.gz", "rt") as file:
        lines = file.read().splitlines()
    width = lines[0].count(" ")
    kinds = Counter(line.split(" ")[-1] for line in lines[1:] if line.count(" ") == width)
    assert kinds["OK"] > 40_000
    assert kinds["NODATA"] > 10
    assert kinds["SKIPDATA"] > 1
    assert 2 <= sum(line.count(" ") != width for line in lines) <= 10
    rejected = sum(" REJECT " in line for line in lines) / len(lines)
    assert 0.01 < rejected < 0.1
    ids = {row["NetworkInterfaceId"] for row in synthetic.demo_documents()["NetworkInterfaces"]}
    assert {line.split(" ")[2] for line in lines[1:] if line.endswith(" OK") and line.count(" ") == width} <= ids
