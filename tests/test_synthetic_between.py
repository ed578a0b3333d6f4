"""Synthetic networks full of gateways and load balancers, flows aimed at them, and mixed regions (docs/synth.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from flowcore import synthetic
from flowcore.cli import main
from flowcore.model import Network
from flowcore.sources.describe import network_from_documents, read_network

SEEDS = range(500)
SMALL: dict[str, Any] = {"interfaces": 100, "groups": 30, "acls": 8, "subnets": 24, "vpcs": 4}


@cache
def between(seed: int) -> dict[str, Any]:
    return synthetic.between_documents(seed)


@cache
def mixed() -> Network:
    return network_from_documents(synthetic.network_documents(7, mixed=True, **SMALL))


# -- networks full of what stands between --------------------------------------------------------------------


def test_a_between_network_is_the_same_for_the_same_seed() -> None:
    assert [between(seed) for seed in range(30)] == [synthetic.between_documents(seed) for seed in range(30)]
    assert len({json.dumps(between(seed)) for seed in SEEDS}) == len(SEEDS)


def test_every_between_network_is_small_plain_json_and_read_without_errors() -> None:
    for seed in SEEDS:
        documents = between(seed)
        assert json.loads(json.dumps(documents)) == documents
        network = network_from_documents(documents)
        assert 3 <= len(network.interfaces) <= 60, seed
        assert 2 <= len(documents["Vpcs"]) <= 4
        assert not [issue for issue in network.issues if issue.severity == "error"], seed


def test_a_between_network_survives_being_written(tmp_path: Path) -> None:
    synthetic.write_snapshot(between(3), tmp_path)
    assert read_network(tmp_path).interfaces.keys() == network_from_documents(between(3)).interfaces.keys()


def _rows(documents: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = documents.get(key, [])
    return rows


def _features(documents: dict[str, Any]) -> Iterator[str]:
    """Names of what docs/synth.md says can occur, found in the documents as they are."""
    blocks = [row["CidrBlock"] for row in documents["Vpcs"]]
    if len(set(blocks)) < len(blocks):
        yield "two VPCs with one CIDR"
    for row in documents["NetworkInterfaces"]:
        yield f"interface {row['InterfaceType']}"
        if row["InterfaceType"] == "interface" and not row["SourceDestCheck"]:
            yield "appliance"
        if any(tag["Key"] == "nat-instance" for tag in row["TagSet"]):
            yield "NAT instance"
    yield from _nat_features(documents)
    yield from _peering_features(documents)
    yield from _transit_features(documents)
    yield from _vpn_and_endpoint_features(documents)
    yield from _balancer_features(documents)
    for table in _rows(documents, "RouteTables"):
        at_gateway = [row["GatewayId"].split("-")[0] for row in table["Associations"] if "GatewayId" in row]
        for route in table["Routes"]:
            target = next(v for k, v in route.items() if not k.startswith("Destination") and k.endswith(("Id", "Arn")))
            kind = target.split(":")[2] if target.startswith("arn") else target.split("-")[0]
            for gateway in at_gateway:
                yield f"{gateway} table to {kind}"
            yield f"route to {kind}"
            if "DestinationPrefixListId" in route and kind != "vpce":
                yield "route for a prefix list"
            if route["Origin"] == "EnableVgwRoutePropagation":
                yield "propagated route"
    for acl in _rows(documents, "NetworkAcls"):
        ranges = {(e["PortRange"]["From"], e["PortRange"]["To"]) for e in acl["Entries"] if "PortRange" in e}
        yield from (f"ACL for {first}-{last}" for first, last in ranges if last >= 1024)
    for rule in _rows(documents, "SecurityGroupRules"):
        reference = rule.get("ReferencedGroupInfo", {})
        if "VpcId" in reference:
            yield "reference across VPCs"
            yield f"reference {reference.get('PeeringStatus')}"


def _nat_features(documents: dict[str, Any]) -> Iterator[str]:
    for row in _rows(documents, "NatGateways"):
        yield f"NAT gateway {row['ConnectivityType']}"
        yield f"NAT gateway {row.get('AvailabilityMode')}"
        yield f"NAT gateway {row['State']}"
        yield from (f"NAT address {address['Status']}" for address in row["NatGatewayAddresses"])
    for table in _rows(documents, "RouteTables"):
        if any(row.get("DestinationIpv6CidrBlock") == "64:ff9b::/96" for row in table["Routes"]):
            yield "NAT64"


def _peering_features(documents: dict[str, Any]) -> Iterator[str]:
    vpcs = {row["VpcId"] for row in documents["Vpcs"]}
    used: dict[str, set[str]] = {}
    for table in _rows(documents, "RouteTables"):
        for route in table["Routes"]:
            if "VpcPeeringConnectionId" in route:
                used.setdefault(route["VpcPeeringConnectionId"], set()).add(table["VpcId"])
    for row in _rows(documents, "VpcPeeringConnections"):
        ends = row["RequesterVpcInfo"], row["AccepterVpcInfo"]
        yield f"peering {row['Status']['Code']}"
        if ends[0]["Region"] != ends[1]["Region"]:
            yield "peering between Regions"
        if not {end["VpcId"] for end in ends} <= vpcs:
            yield "peer not described"
        yield f"peering with routes on {len(used.get(row['VpcPeeringConnectionId'], ()))} sides"


def _transit_features(documents: dict[str, Any]) -> Iterator[str]:
    for row in _rows(documents, "TransitGateways"):
        yield f"transit gateway {row['State']}"
        yield f"transit gateway referencing {row['Options']['SecurityGroupReferencingSupport']}"
    if len(_rows(documents, "TransitGateways")) > 1:
        yield "two transit gateways"
    for row in _rows(documents, "TransitGatewayAttachments"):
        yield f"attachment {row['ResourceType']}"
        yield f"attachment {row['State']}"
        if "Association" not in row:
            yield "attachment without table"
    zones = {row["SubnetId"]: row["AvailabilityZone"] for row in documents["Subnets"]}
    hosts = {row["SubnetId"] for row in documents["NetworkInterfaces"] if "InstanceId" in row.get("Attachment", {})}
    for row in _rows(documents, "TransitGatewayVpcAttachments"):
        yield f"appliance mode {row['Options']['ApplianceModeSupport']}"
        yield f"attachment referencing {row['Options'].get('SecurityGroupReferencingSupport')}"
        yield f"attachment in {len({zones[subnet] for subnet in row['SubnetIds']})} zones"
        if hosts & set(row["SubnetIds"]):
            yield "attachment beside instances"
    for wrapper in (*_rows(documents, "TransitGatewayRoutes"), *_rows(documents, "TransitGatewayStaticRoutes")):
        yield f"more routes than listed: {wrapper['AdditionalRoutesAvailable']}"
        for route in wrapper["Routes"]:
            yield f"transit route {route['Type']} {route['State']}"
            yield f"transit route to {len(route.get('TransitGatewayAttachments', ()))} attachments"
            if "PrefixListId" in route:
                yield "transit route for a prefix list"
            if route.get("DestinationCidrBlock") == "0.0.0.0/0":
                yield "central egress"
    tables = {row["TransitGatewayRouteTableId"] for row in _rows(documents, "TransitGatewayRouteTables")}
    described = {
        row["TransitGatewayRouteTableId"]
        for key in ("TransitGatewayRoutes", "TransitGatewayStaticRoutes")
        for row in _rows(documents, key)
    }
    if tables - described:
        yield "transit routes not described"
    if _rows(documents, "TransitGatewayPropagations"):
        yield "propagations"


def _vpn_and_endpoint_features(documents: dict[str, Any]) -> Iterator[str]:
    for row in _rows(documents, "VpnConnections"):
        yield f"VPN {row['State']}"
        yield "VPN of a virtual private gateway" if "VpnGatewayId" in row else "VPN of a transit gateway"
        yield f"VPN static only {row['Options']['StaticRoutesOnly']}"
    yield from (f"VPN gateway {row['VpcAttachments'][0]['State']}" for row in _rows(documents, "VpnGateways"))
    for row in _rows(documents, "VpcEndpoints"):
        yield f"endpoint {row['VpcEndpointType']}"
        yield f"endpoint {row['State']}"
        if row["Tags"]:
            yield "endpoint of a firewall"


def _balancer_features(documents: dict[str, Any]) -> Iterator[str]:
    arns = {row["LoadBalancerArn"] for row in _rows(documents, "LoadBalancers")}
    for row in _rows(documents, "LoadBalancers"):
        yield f"balancer {row['Type']}"
        yield f"balancer {row.get('State', {}).get('Code')}"
        yield f"balancer {row['Scheme']}"
        if row["Type"] == "network":
            yield "network balancer with groups" if "SecurityGroups" in row else "network balancer without groups"
    if arns - {row["LoadBalancerArn"] for row in _rows(documents, "LoadBalancerListeners")}:
        yield "listeners missing"
    for wrapper in _rows(documents, "LoadBalancerListeners"):
        for listener in wrapper["Listeners"]:
            yield f"listener {listener['Protocol']}"
            for action in listener["DefaultActions"]:
                yield f"action {action['Type']}"
                groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
                yield f"{len(groups)} target groups"
                yield from (f"weight {group['Weight']}" for group in groups)
            if not listener["DefaultActions"]:
                yield "listener without groups"
    health = {
        row["TargetGroupArn"]: row["TargetHealthDescriptions"] for row in _rows(documents, "LoadBalancerTargetHealth")
    }
    for row in _rows(documents, "TargetGroups"):
        yield f"targets {row['TargetType']}"
        yield f"target group {row.get('Protocol')}"
        targets = health.get(row["TargetGroupArn"])
        yield "target health missing" if targets is None else "targets" if targets else "target group empty"
        for target in targets or ():
            yield f"target {target['TargetHealth']['State']}"
    for wrapper in (*_rows(documents, "TargetGroupAttributes"), *_rows(documents, "LoadBalancerAttributes")):
        yield from (f"{pair['Key']} {pair['Value']}" for pair in wrapper.get("Attributes", ()))
    for row in _rows(documents, "LoadBalancerDescriptions"):
        yield "classic balancer"
        if not row["Instances"]:
            yield "classic balancer without instances"


EXPECTED = {
    "two VPCs with one CIDR", "appliance", "NAT instance", "NAT64", "propagated route", "route for a prefix list",
    *(f"interface {kind}" for kind in ("interface", "nat_gateway", "load_balancer", "network_load_balancer",
      "transit_gateway", "vpc_endpoint", "gateway_load_balancer", "gateway_load_balancer_endpoint")),
    *(f"NAT gateway {word}" for word in ("public", "private", "zonal", "regional", "None", "available", "failed",
      "pending")), "NAT address succeeded", "NAT address failed",
    *(f"peering {code}" for code in ("active", "pending-acceptance", "deleted")), "peering between Regions",
    "peer not described", "peering with routes on 1 sides", "peering with routes on 2 sides",
    "transit gateway available", "transit gateway pending", "two transit gateways",
    *(f"transit gateway referencing {word}" for word in ("enable", "disable")),
    *(f"attachment referencing {word}" for word in ("enable", "disable", "None")),
    *(f"attachment {kind}" for kind in ("vpc", "vpn", "direct-connect-gateway", "connect", "peering", "available",
      "deleting", "without table", "in 1 zones", "in 2 zones", "beside instances")),
    "appliance mode enable", "appliance mode disable", "central egress", "propagations",
    "more routes than listed: True", "more routes than listed: False", "transit routes not described",
    *(f"transit route {word}" for word in ("static active", "static blackhole", "propagated active", "to 2 attachments",
      "for a prefix list")),
    *(f"VPN {word}" for word in ("available", "pending", "of a virtual private gateway", "of a transit gateway",
      "static only True", "static only False", "gateway attached", "gateway detached")),
    *(f"endpoint {word}" for word in ("Gateway", "Interface", "GatewayLoadBalancer", "available", "pending",
      "of a firewall")),
    *(f"balancer {word}" for word in ("application", "network", "gateway", "active", "active_impaired", "provisioning",
      "failed", "None", "internal", "internet-facing")), "network balancer with groups",
    "network balancer without groups", "classic balancer", "classic balancer without instances",
    *(f"listener {protocol}" for protocol in ("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "QUIC")),
    "listeners missing", "listener without groups", "action forward", "action redirect", "1 target groups",
    "2 target groups", "weight 0", "weight 1", "weight 10",
    *(f"targets {kind}" for kind in ("instance", "ip", "alb", "lambda")),
    *(f"target group {protocol}" for protocol in ("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC",
      "None")), "target group empty", "target health missing", "target healthy", "target unhealthy",
    *(f"preserve_client_ip.enabled {word}" for word in ("true", "false")),
    *(f"load_balancing.cross_zone.enabled {word}" for word in ("true", "false", "use_load_balancer_configuration")),
    *(f"route to {kind}" for kind in ("local", "igw", "eigw", "nat", "eni", "tgw", "pcx", "vgw", "vpce", "cagw", "lgw",
      "networkmanager", "odb", "xyz")),
    *(f"{gateway} table to {kind}" for gateway in ("igw", "vgw") for kind in ("local", "eni", "vpce", "tgw")),
    *(f"ACL for {first}-{last}" for first, last in ((1024, 65535), (1023, 65535), (1025, 65535), (1024, 65534),
      (32768, 65535), (49152, 65535), (65535, 65535), (0, 1024), (0, 65535))),
    "reference across VPCs", "reference None", "reference active", "reference deleted",
}  # fmt: skip


def test_everything_promised_occurs_in_some_between_network() -> None:
    seen = Counter[str]()
    for seed in SEEDS:
        seen.update(set(_features(between(seed))))
    assert not EXPECTED - seen.keys()
    assert not [name for name in EXPECTED if seen[name] < 2]


# -- flows aimed at what stands between ------------------------------------------------------------------------


def test_between_flows_are_the_same_for_the_same_seed_only() -> None:
    network = network_from_documents(between(5))
    one = synthetic.between_flows(network, 5, 400)
    assert one.columns == synthetic.edge_flows(network, 5, 4).columns
    assert_frame_equal(one, synthetic.between_flows(network, 5, 400))
    assert not one.equals(synthetic.between_flows(network, 6, 400))


def test_between_flows_of_no_network_at_all() -> None:
    assert synthetic.between_flows(Network(), 1, 50).height == 50
    assert synthetic.between_flows(Network(), 1, 0).schema == synthetic.between_flows(Network(), 1, 9).schema


def test_between_flows_go_to_listeners_and_just_beside_them() -> None:
    hits, misses, foreign, to_nat64, ephemeral = 0, 0, 0, 0, Counter[int]()
    for seed in range(40):
        network = network_from_documents(between(seed))
        ports = {
            str(address): {listener.port for listener in balancer.listeners or ()}
            for node, balancer in network.load_balancer_of.items()
            for own in network.interfaces[node].addresses
            for address in (own.address, own.public_address)
        }
        flows = synthetic.between_flows(network, seed, 500)
        for source, destination, port, interface in flows.select(
            "srcaddr", "dstaddr", "dstport", "src_interface_id"
        ).iter_rows():
            if port is not None and destination in ports:
                hits += port in ports[destination]
                misses += port + 1 in ports[destination] or port - 1 in ports[destination]
            if interface is not None:
                foreign += not network.interfaces[interface].holds(ip_address(source))
            to_nat64 += destination.startswith("64:ff9b::")
        ephemeral.update(flows["dstport"].drop_nulls())
    assert hits > 500
    assert misses > 100
    assert foreign > 100
    assert to_nat64 > 50
    assert all(ephemeral[port] > 10 for port in (1023, 1024, 32768, 65535))


# -- mixed regions and traffic -----------------------------------------------------------------------------------


def test_a_mixed_region_is_the_plain_one_and_more() -> None:
    plain = synthetic.network_documents(7, **SMALL)
    more = synthetic.network_documents(7, mixed=True, **SMALL)
    assert more == synthetic.network_documents(7, mixed=True, **SMALL)
    for key in ("Vpcs", "Subnets", "InternetGateways", "VpcPeeringConnections"):
        assert more[key] == plain[key], key
    addresses = [row["PrivateIpAddresses"] for row in plain["NetworkInterfaces"]]
    assert [row["PrivateIpAddresses"] for row in more["NetworkInterfaces"]][: len(addresses)] == addresses
    zones = Counter(row["VpcId"] for row in more["NatGateways"] if row["Tags"])
    assert min(zones.values()) >= 3  # the region's own, and one a zone


def test_a_mixed_region_fits_together() -> None:
    network = mixed()
    assert {issue.severity for issue in network.issues} <= {"note"}
    seen = Counter[Any]()
    for interface in network.interfaces.values():
        subnet = network.subnets[interface.subnet_id or ""]
        for own in interface.addresses:
            seen.update([(interface.vpc_id, own.address), *([own.public_address] if own.public_address else [])])
            assert any(block and own.address in block for block in (subnet.cidr_block, *subnet.ipv6_cidr_blocks))
    assert max(seen.values()) == 1
    assert len(network.load_balancers) == 12
    assert all(balancer.interface_ids and balancer.listeners for balancer in network.load_balancers.values())
    assert all(group.targets for group in network.target_groups.values())
    assert len(network.attachments_of) == 4
    assert all(endpoint.endpoint_type == "Gateway" for endpoint in network.vpc_endpoints.values())


def test_mixed_traffic_goes_every_way() -> None:
    network, count = mixed(), 20_000
    flows = synthetic.traffic(network, count, 3, mixed=True, ipv6_share=0.0)
    assert_frame_equal(flows, synthetic.traffic(network, count, 3, mixed=True, ipv6_share=0.0))
    assert not flows.null_count().sum_horizontal()[0]
    vpc_of = {
        str(own.address): interface.vpc_id for interface in network.interfaces.values() for own in interface.addresses
    }
    nodes = {
        str(address)
        for node in network.load_balancer_of
        for own in network.interfaces[node].addresses
        for address in (own.address, own.public_address)
    }
    s3 = [ip_network(block) for found in network.prefix_lists.values() if found.name and "s3" in found.name
          for block in found.cidr_blocks or ()]  # fmt: skip
    ways = Counter[str]()
    for source, destination in flows.select("srcaddr", "dstaddr").iter_rows():
        here, there = vpc_of.get(source), vpc_of.get(destination)
        if destination in nodes:
            ways["balancer"] += 1
        elif here and there:
            ways["inside" if here == there else "between VPCs"] += 1
        elif any(ip_address(destination) in block for block in s3):
            ways["endpoint"] += 1
        else:
            ways["out" if here else "in"] += 1
    assert 0.6 < ways["inside"] / count < 0.72
    assert ways["balancer"] > 0.08 * count
    assert ways["between VPCs"] > 0.08 * count
    assert ways["out"] > 0.08 * count
    assert ways["endpoint"] > 0.003 * count
    assert ways["in"] == 0


def test_mixed_traffic_as_integers_is_the_same_traffic() -> None:
    texts = synthetic.traffic(mixed(), 2_000, 3, mixed=True, ipv6_share=0.0)
    numbers = synthetic.traffic(mixed(), 2_000, 3, mixed=True, as_integers=True)
    assert [int(ip_address(text)) for text in texts["dstaddr"]] == numbers["dstaddr"].to_list()
    assert [int(ip_address(text)) for text in texts["srcaddr"]] == numbers["srcaddr"].to_list()


def test_mixed_traffic_of_networks_that_lack_ways() -> None:
    plain = network_from_documents(synthetic.network_documents(1, interfaces=40, groups=12, acls=4, subnets=8, vpcs=2))
    assert synthetic.traffic(plain, 500, 1, mixed=True, skew=1.1).height == 500


# -- flowcore synth ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [["--between"], ["--mixed", "--interfaces", "120"]])
def test_synth_makes_the_same_files_for_the_same_seed(
    extra: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        assert main(["synth", str(tmp_path / name), "--seed", "5", "--flows", "200", "-q", *extra]) == 0
    assert str(tmp_path / "b" / "flows.parquet") in capsys.readouterr().out
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    assert pl.read_parquet(tmp_path / "a" / "flows.parquet").height == 200
    assert read_network(tmp_path / "a" / "snapshot").transit_gateways or "--between" in extra


def test_synth_makes_one_kind_of_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", str(tmp_path / "a"), "--between", "--mixed"]) == 2
    assert "one of --edges, --between, --mixed" in capsys.readouterr().err
