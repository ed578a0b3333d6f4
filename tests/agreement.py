"""The fast path against the slow twin: both judge the same flows, every verdict column is compared."""

from __future__ import annotations

import copy
from dataclasses import replace
from ipaddress import ip_network
from random import Random
from types import MappingProxyType
from typing import Any

import polars as pl

from flowcore.evaluate import Evaluator, compile_network
from flowcore.model import Network
from flowcore.schema import VERDICT_COLUMNS
from flowcore.sources.describe import network_from_documents
from flowcore.synthetic import between_documents, between_flows, edge_documents, edge_flows
from flowcore.synthetic_between import NAT_INSTANCE_TAG
from flowcore.walk import Explainer

COLUMNS = tuple(column.name for column in VERDICT_COLUMNS)


def edge_network(seed: int) -> Network:
    """The edge network of one seed."""
    return network_from_documents(edge_documents(seed))


def between_network(seed: int, documents: dict[str, Any] | None = None) -> Network:
    """The network full of what stands between of one seed; interfaces that have the tag are NAT instances."""
    documents = documents or between_documents(seed)
    boxes = [
        row["NetworkInterfaceId"]
        for row in documents["NetworkInterfaces"]
        if any(tag["Key"] == NAT_INSTANCE_TAG for tag in row["TagSet"])
    ]
    return network_from_documents(documents, nat_instances=boxes)


def altered_documents(seed: int) -> dict[str, Any]:
    """The documents of a between network with what is rare there: source-ip conditions, many targets, appliance mode,
    VPCs and peering connections whose CIDRs are not described, IPv6 target groups, what is being modified, private
    IPv6, Block Public Access without exclusions, records that are missing."""
    rng, documents = Random(seed), copy.deepcopy(dict(between_documents(seed)))
    hosts = [row["PrivateIpAddress"] for row in documents["NetworkInterfaces"] if row.get("PrivateIpAddress")]
    instances = [
        (row["Attachment"]["InstanceId"], row["AvailabilityZone"])
        for row in documents["NetworkInterfaces"]
        if row.get("Attachment", {}).get("InstanceId")
    ]
    blocks = ["0.0.0.0/0", "::/0", "10.0.0.0/8", "2600:1f18:1::/56", "203.0.113.0/24", "0.0.0.0/1"]
    blocks += [f"{host}/{length}" for host in rng.sample(hosts, min(6, len(hosts))) for length in (32, 28)]
    groups = [row["TargetGroupArn"] for row in documents.get("TargetGroups", [])]
    for wrapper in documents.get("LoadBalancerRules", []):
        own = [rule for rule in wrapper["Rules"] if rule["Priority"] != "default"]
        for number in range(rng.choice((0, 1, 2, 3)) if groups else 0):
            arn = rng.choice(groups)
            forward = [{"Type": "forward", "TargetGroupArn": arn}]
            rule = {"RuleArn": f"{wrapper['Rules'][0]['RuleArn']}{number}", "Priority": str(20 + number)}
            own.append({**rule, "Actions": forward})
            wrapper["Rules"].append(own[-1])
        for rule in own:
            values = [_network(block) for block in rng.sample(blocks, rng.choice((1, 1, 2)))]
            rule["Conditions"] = [{"Field": "source-ip", "SourceIpConfig": {"Values": values}}]
            if rng.random() < 0.4:
                rule["Conditions"].append({"Field": "path-pattern", "Values": ["/api/*"]})
    kinds = {row["TargetGroupArn"]: row["TargetType"] for row in documents.get("TargetGroups", [])}
    for wrapper in documents.get("LoadBalancerTargetHealth", []):
        kind = kinds.get(wrapper["TargetGroupArn"])
        for _ in range(rng.choice((0, 3, 6)) if kind in ("ip", "instance") else 0):
            name, zone = rng.choice(instances) if kind == "instance" and instances else (rng.choice(hosts), None)
            target = {"Id": name, "Port": rng.choice((80, 443, 8080))}
            target |= {"AvailabilityZone": zone} if zone else {}
            wrapper["TargetHealthDescriptions"].append({"Target": target})
    for row in documents.get("TransitGatewayVpcAttachments", []):
        if rng.random() < 0.7:
            row["Options"]["ApplianceModeSupport"] = "enable"
    for row in documents.get("VpcPeeringConnections", []):
        for end in ("AccepterVpcInfo", "RequesterVpcInfo"):
            if rng.random() < 0.3:
                row[end] = {key: value for key, value in row[end].items() if "Cidr" not in key}
    documents["Vpcs"] = [row for row in documents["Vpcs"] if rng.random() > 0.2]
    for row in documents.get("TargetGroups", []):
        if rng.random() < 0.4:
            row["IpAddressType"] = "ipv6"
    for row in documents["NetworkInterfaces"]:
        for own in row.get("Ipv6Addresses", []):
            if rng.random() < 0.6:
                own["IsPrimaryIpv6"] = True
        named = str(row.get("Description") or "").startswith("ELB ")
        if row["InterfaceType"] == "interface" and not named and rng.random() < 0.03:
            row["InterfaceType"] = "global_accelerator_managed"
    for key in ("TransitGateways", "TransitGatewayVpcAttachments", "TransitGatewayAttachments", "VpnConnections"):
        for row in documents.get(key, []):
            if rng.random() < 0.1:
                row["State"] = "modifying"
    for key in ("TransitGatewayRouteTables", "Reservations"):
        if key in documents and rng.random() < 0.3:
            documents[key] = documents[key][1:]
    for row in documents["Vpcs"]:
        for block in row.get("Ipv6CidrBlockAssociationSet", []) if rng.random() < 0.2 else []:
            block["Ipv6AddressAttribute"] = "private"
    if rng.random() < 0.5:
        documents.pop("VpcBlockPublicAccessExclusions", None)
    return documents


def partly_described(network: Network, seed: int) -> Network:
    """The network with what is described in part: rules that two answers disagree about, groups without all of their
    rules, ACLs, route tables, gateways and attachments of which some are on a lost page."""
    rng = Random(seed)
    groups = {
        group_id: replace(
            group,
            rules=tuple(replace(rule, certain=rng.random() > 0.3) for rule in group.rules),
            ingress_described=rng.random() > 0.3,
            egress_described=rng.random() > 0.3,
        )
        for group_id, group in network.security_groups.items()
    }
    parts = [
        (key, owner)
        for keys, owners in (
            (("NetworkAcls", "RouteTables", "InternetGateways"), network.vpcs),
            (("TransitGatewayAttachments", "TransitGatewayRouteTables"), network.transit_gateways),
        )
        for key in keys
        for owner in owners
    ]
    lost = [each for each in network.transit_gateway_attachments if rng.random() < 0.3]
    attachments = {key: each for key, each in network.transit_gateway_attachments.items() if key not in lost}
    return replace(
        network,
        security_groups=MappingProxyType(groups),
        transit_gateway_attachments=MappingProxyType(attachments),
        partly_described=frozenset(part for part in parts if rng.random() < 0.3),
    )


def _network(block: str) -> str:
    return str(ip_network(block, strict=False))


def drawn(kind: str, seed: int, count: int) -> tuple[Network, pl.DataFrame]:
    """Network and flows of one seed; `kind`: edge, between (an eighth of whose flows are edge flows), or altered or
    partly: the flows of a between network in one that is `altered_documents` or `partly_described`."""
    if kind == "partly":
        network = between_network(seed)
        return partly_described(network, seed), between_flows(network, seed, count)
    if kind == "altered":
        return between_network(seed, altered_documents(seed)), between_flows(between_network(seed), seed, count)
    if kind == "edge":
        network = edge_network(seed)
        return network, edge_flows(network, seed, count)
    network = between_network(seed)
    few = count // 8
    return network, pl.concat(
        [between_flows(network, seed, count - few), edge_flows(network, seed, few)], how="vertical_relaxed"
    )


def slow_rows(network: Network, flows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The twin's verdict columns, one tuple a flow, in the order of COLUMNS."""
    explainer = Explainer(network)
    return [tuple(explainer.explain(flow).columns().values()) for flow in flows.iter_rows(named=True)]


def fast_rows(evaluator: Evaluator, flows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The same of the fast path."""
    return evaluator.evaluate(flows).select(COLUMNS).rows()


def disagreements(network: Network, flows: pl.DataFrame, evaluator: Evaluator | None = None) -> list[str]:
    """One line for each flow that the two judge differently: the flow, then each column, twin first."""
    slow = slow_rows(network, flows)
    fast = fast_rows(evaluator or compile_network(network), flows)
    assert len(slow) == len(fast) == flows.height
    if slow == fast:
        return []
    return [
        f"{flow}: "
        + ", ".join(f"{name} {a!r} != {b!r}" for name, a, b in zip(COLUMNS, one, other, strict=True) if a != b)
        for flow, one, other in zip(flows.iter_rows(named=True), slow, fast, strict=True)
        if one != other
    ]


def assert_agree(network: Network, flows: pl.DataFrame, hint: object = "", evaluator: Evaluator | None = None) -> None:
    """Fails naming how many flows differ, and the first of them."""
    found = disagreements(network, flows, evaluator)
    assert not found, f"{hint}: {len(found)} of {flows.height} flows (twin != fast path):\n" + "\n".join(found[:5])
