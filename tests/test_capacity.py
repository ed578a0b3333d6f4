"""Capacity against cases computed by hand, with the ids of the statements they prove (aws-semantics)."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from capacity_networks import (
    ALB,
    NAT,
    OFFICE,
    OUTSIDE,
    PEER,
    S3,
    SPOKE,
    START,
    C,
    R,
    T,
    frame,
    interfaces,
    network,
    record,
    sizes,
    there_and_back,
    value,
)
from walk_between_networks import address, groups, ports
from walk_networks import IP, N, allow, by_id

import flowcore
from flowcore import edits
from flowcore.analyses.capacity import Capacity, measure_capacity
from flowcore.digest import digest_logs
from flowcore.model import (
    Listener,
    NatGateway,
    NatGatewayAddress,
    Network,
    NetworkInterface,
    Target,
    TargetGroup,
    VpcEndpoint,
)

GB = 1 << 30


@pytest.fixture(scope="module")
def evaluator() -> flowcore.Evaluator:
    return flowcore.compile_network(network())


def measured(judge: Any, *rows: dict[str, Any], **options: Any) -> Capacity:
    return measure_capacity(judge, frame(*rows), **options)


# -- NAT gateways --------------------------------------------------------------------------------------------

#: Client to server through a NAT gateway, 1,000 bytes out and 5,000 back, as its own interface logs it (FL-33).
AT_CLIENT = there_and_back(("eni-c", None), f"{C}:40000", f"{OUTSIDE}:443", 1000, 5000)
AT_NAT = [
    record("eni-nat", "ingress", f"{C}:40000", f"{OUTSIDE}:443", 1000, dstaddr=NAT),
    record("eni-nat", "egress", f"{NAT}:2000", f"{OUTSIDE}:443", 1000),
    record("eni-nat", "ingress", f"{OUTSIDE}:443", f"{NAT}:2000", 5000),
    record("eni-nat", "egress", f"{OUTSIDE}:443", f"{C}:40000", 5000, srcaddr=NAT),
]


def test_fl33_the_nat_gateways_own_records_count_each_byte_once(evaluator: flowcore.Evaluator) -> None:
    found = measured(evaluator, *AT_CLIENT, *AT_NAT)
    assert value(found.resources, "nat-1", "bytes", "total") == 6000
    assert value(found.resources, "nat-1", "bytes", "source") == "measured"
    assert sizes(found.categories, "records") == {"carried": 6000, "middle": 12000}
    assert sizes(found.categories, "nat-gateway")["nat-gateway"] == 6000
    assert sizes(found.categories, "nat-gateway", "quantity")["nat-gateway"] == 6000 / GB


def test_fl33_without_the_packets_addresses_its_ports_are_those_of_the_leg_outwards(
    evaluator: flowcore.Evaluator,
) -> None:
    rows = [{name: value for name, value in row.items() if not name.startswith("pkt_")} for row in AT_NAT]
    found = measured(evaluator, *rows)
    assert value(found.resources, "nat-1", "bytes", "total") == 6000
    assert value(found.resources, "nat-1", "connections_per_destination") == 1
    assert value(found.resources, "nat-1", "connections_per_destination", "detail") == f"{OUTSIDE} 443 tcp"


def test_fl36_from_the_clients_records_alone_it_is_predicted(evaluator: flowcore.Evaluator) -> None:
    found = measured(evaluator, *AT_CLIENT)
    assert value(found.resources, "nat-1", "bytes", "total") == 6000
    assert value(found.resources, "nat-1", "bytes", "source") == "predicted"
    assert value(found.resources, "nat-1", "packets_per_second") == 60 / 300
    assert value(found.resources, "nat-1", "bits_per_second") == 6000 * 8 / 300
    assert value(found.resources, "nat-1", "bits_per_second", "limit") == 100e9
    assert value(found.resources, "nat-1", "packets_per_second", "limit") == 10e6


def connections(*ends: tuple[str, int, str], at: int = 0) -> list[dict[str, Any]]:
    """(client, its port, destination:port) -> the client's record."""
    names = {C: "eni-c", R: "eni-r", T: "eni-t"}
    return [
        record(names[client], "egress", f"{client}:{port}", destination, 100, at) for client, port, destination in ends
    ]


def test_ng17_connections_are_counted_to_each_destination(evaluator: flowcore.Evaluator) -> None:
    rows = connections(
        (C, 40000, f"{OUTSIDE}:443"), (C, 40001, f"{OUTSIDE}:443"), (R, 40000, f"{OUTSIDE}:443"),
        (C, 40000, f"{OUTSIDE}:444"), (C, 40000, "203.0.113.6:443"), (C, 40000, f"{OUTSIDE}:443"),
    )  # fmt: skip
    found = measured(evaluator, *rows)
    assert value(found.resources, "nat-1", "connections_per_destination") == 3
    assert value(found.resources, "nat-1", "connections_per_destination", "detail") == f"{OUTSIDE} 443 tcp"
    assert value(found.resources, "nat-1", "connections_per_destination", "limit") == 55000
    assert value(found.resources, "nat-1", "connections_per_destination", "limit_source") == "NG-17"
    assert value(found.resources, "nat-1", "connections") == 5
    assert value(found.resources, "nat-1", "addresses_needed") == 1


def test_ng17_a_connection_counts_in_every_window_it_is_seen_in(evaluator: flowcore.Evaluator) -> None:
    rows = [*connections((C, 40000, f"{OUTSIDE}:443"), at=290), *connections((C, 40001, f"{OUTSIDE}:443"), at=300)]
    series = measured(evaluator, *rows).windows
    counts = series.filter((pl.col("metric") == "connections") & (pl.col("kind") == "nat-gateway"))
    assert counts.select("window_start", "value").rows() == [(START, 1.0), (START + 300, 2.0)]
    opened = series.filter((pl.col("metric") == "new_connections_per_second") & (pl.col("kind") == "nat-gateway"))
    assert opened["value"].to_list() == [1 / 300, 1 / 300]


def test_ng18_each_address_adds_its_connections() -> None:
    own = [NatGatewayAddress(IP(f"10.0.0.{220 + n}"), IP(f"198.51.100.{9 + n}"), "eni-nat", not n) for n in range(3)]
    gateways = by_id("nat_gateway_id", NatGateway("nat-1", "vpc-a", "P", "available", addresses=tuple(own)))  # type: ignore[arg-type]
    found = measured(network(nat_gateways=gateways), *AT_CLIENT)
    assert value(found.resources, "nat-1", "connections_per_destination", "limit") == 165_000
    assert value(found.resources, "nat-1", "elastic_addresses") == 3
    assert value(found.resources, "nat-1", "elastic_addresses", "share_of_limit") == 1.5
    assert value(found.resources, "nat-1", "addresses", "limit") == 8


def test_ng18_more_connections_than_an_address_has_need_another(evaluator: flowcore.Evaluator) -> None:
    clients = pl.DataFrame({"srcport": range(60_000)}).select(
        srcaddr=pl.lit(C), dstaddr=pl.lit(OUTSIDE), srcport="srcport", dstport=pl.lit(443), protocol=pl.lit(6),
        start=pl.lit(START), end=pl.lit(START + 1), bytes=pl.lit(10),
    )  # fmt: skip
    found = measure_capacity(evaluator, clients)
    assert value(found.resources, "nat-1", "connections_per_destination") == 60_000
    assert value(found.resources, "nat-1", "addresses_needed") == 2
    over = found.over(0.8).filter(pl.col("kind") == "nat-gateway")
    assert over["metric"].to_list() == ["connections_per_destination"]


def test_ng20_ports_of_the_gateways_own_records_go_before_those_of_its_clients(evaluator: flowcore.Evaluator) -> None:
    used = [record("eni-nat", "egress", f"{NAT}:{port}", f"{OUTSIDE}:443") for port in (2000, 2001, 2001)]
    found = measured(evaluator, *AT_CLIENT, *used)
    assert value(found.resources, "nat-1", "connections_per_destination") == 2
    assert value(found.resources, "nat-1", "connections_per_destination", "source") == "measured"


def test_ng21_hours_are_whole_ones() -> None:
    found = measured(network(), *AT_CLIENT, *connections((C, 40000, f"{OUTSIDE}:443"), at=3600))
    assert sizes(found.categories, "hours", "quantity")["nat-gateway-hours"] == 2


# -- transit gateways, peerings, endpoints -------------------------------------------------------------------


def test_fl35_bytes_into_and_out_of_transit_gateway_attachments(evaluator: flowcore.Evaluator) -> None:
    rows = there_and_back(("eni-c", "eni-s"), f"{C}:40000", f"{SPOKE}:443", 1000, 5000)
    found = measured(evaluator, *rows)
    for attachment, inward, outward in (("att-a", 1000, 5000), ("att-s", 5000, 1000)):
        assert value(found.resources, attachment, "bytes_in", "total") == inward
        assert value(found.resources, attachment, "bytes_out", "total") == outward
    assert value(found.resources, "att-a", "bits_per_second", "limit") == 200e9  # TG-12: two zones
    assert sizes(found.categories, "records") == {"carried": 6000, "other-end": 6000}
    assert sizes(found.categories, "transit-gateway") == {"transit-gateway": 6000}
    assert sizes(found.categories, "transit-gateway", "quantity")["transit-gateway"] == 6000 / GB  # CO-08: sent into it
    assert sizes(found.categories, "zones") == {"no-zones": 6000}


def test_fl35_the_transit_gateways_own_records_go_first(evaluator: flowcore.Evaluator) -> None:
    own = [
        record("eni-tgw-s", "egress", f"{C}:40000", f"{SPOKE}:443", 900, srcaddr="10.8.1.4"),
        record("eni-tgw-s", "ingress", f"{SPOKE}:443", f"{C}:40000", 4900, dstaddr="10.8.1.4"),
    ]
    rows = there_and_back(("eni-c", None), f"{C}:40000", f"{SPOKE}:443", 1000, 5000)
    found = measured(evaluator, *rows, *own)
    assert value(found.resources, "att-s", "bytes_in", "total") == 4900
    assert value(found.resources, "att-s", "bytes_out", "total") == 900
    assert value(found.resources, "att-s", "bytes", "source") == "measured"
    assert value(found.resources, "att-a", "bytes_in", "total") == 1000
    assert sizes(found.categories, "records") == {"carried": 6000, "middle": 5800}


def test_fl34_a_regional_nat_gateway_has_records_without_an_interface() -> None:
    gateway = NatGateway(
        "nat-1", "vpc-a", None, "available", regional=True, route_table_id="rtb-P",
        addresses=(NatGatewayAddress(None, IP("198.51.100.9"), None, True, "eu-west-1a"),),  # type: ignore[arg-type]
    )  # fmt: skip
    there = network(nat_gateways={"nat-1": gateway})
    outer = "198.51.100.9"
    own = [
        record("-", "ingress", f"{C}:40000", f"{OUTSIDE}:443", 900),
        record("-", "egress", f"{outer}:2000", f"{OUTSIDE}:443", 900),
        record("-", "ingress", f"{OUTSIDE}:443", f"{outer}:2000", 4900),
        record("-", "egress", f"{OUTSIDE}:443", f"{C}:40000", 4900),
    ]
    rows = [{**row, "resource_id": "-"} for row in AT_CLIENT] + [{**row, "resource_id": "nat-1"} for row in own]
    found = measured(there, *rows)
    assert value(found.resources, "nat-1", "bytes", "total") == 5800
    assert sizes(found.categories, "records") == {"carried": 6000, "middle": 11600}
    assert value(found.resources, "nat-1", "addresses", "limit") == 32  # NG-18, for each zone


def test_section_17_a_transit_gateways_own_flow_log_goes_before_its_interfaces(
    evaluator: flowcore.Evaluator,
) -> None:
    rows = there_and_back(("eni-c", None), f"{C}:40000", f"{SPOKE}:443", 1000, 5000)
    rows += [record("eni-tgw-s", "egress", f"{C}:40000", f"{SPOKE}:443", 900, srcaddr="10.8.1.4")]
    rows = [{**row, "tgw_id": None, "tgw_attachment_id": None} for row in rows]
    for size, source, target, attachment, way in (
        (800, f"{C}:40000", f"{SPOKE}:443", "att-a", "ingress"), (800, f"{C}:40000", f"{SPOKE}:443", "att-s", "egress"),
        (4800, f"{SPOKE}:443", f"{C}:40000", "att-s", "ingress"),
        (4800, f"{SPOKE}:443", f"{C}:40000", "att-a", "egress"),
    ):  # fmt: skip
        own = record("-", way, source, target, size, action=None, tgw_id="tgw-1", tgw_attachment_id=attachment)
        rows.append({**own, "interface_id": None})
    found = measured(evaluator, *rows)
    assert value(found.resources, "att-a", "bytes_in", "total") == 800
    assert value(found.resources, "att-s", "bytes_out", "total") == 800
    assert value(found.resources, "att-s", "bytes_in", "total") == 4800
    assert sizes(found.categories, "transit-gateway", "quantity")["transit-gateway"] == 5600 / GB
    assert sizes(found.categories, "records")["carried"] == 6000


def test_co03_peering_across_zones_and_inside_one(evaluator: flowcore.Evaluator) -> None:
    across = there_and_back(("eni-c", None), f"{C}:40000", f"{PEER}:443", 1000, 5000)
    found = measured(evaluator, *across)
    assert value(found.resources, "pcx-1", "bytes", "total") == 6000
    assert sizes(found.categories, "zones") == {"cross-zone-peering": 6000}
    assert sizes(found.categories, "zones", "quantity")["cross-zone-peering"] == 12000 / GB
    near = measured(evaluator, *there_and_back(("eni-r", None), f"{R}:40000", f"{PEER}:443", 1000, 5000))
    assert sizes(near.categories, "zones") == {"same-zone": 6000}


def test_co04_between_regions_the_sender_pays() -> None:
    there = network()
    subnets = {**there.subnets, "N": replace(there.subnets["N"], region="us-east-1", availability_zone_id="use1-az1")}
    rows = there_and_back(("eni-c", None), f"{C}:40000", f"{PEER}:443", 1000, 5000)
    found = measured(network(subnets=subnets), *rows)
    assert value(found.resources, "eu-west-1 us-east-1", "bytes", "total") == 1000
    assert value(found.resources, "us-east-1 eu-west-1", "bytes", "kind") == "regions"
    assert sizes(found.categories, "zones") == {"cross-region": 6000}
    assert sizes(found.categories, "edge", "quantity") == {"between-regions": 6000 / GB}


def test_co04_by_transit_gateways_in_two_regions() -> None:
    there = network()
    far = {"region": "us-east-1", "availability_zone_id": "use1-az1"}
    subnets = {**there.subnets, **{name: replace(there.subnets[name], **far) for name in ("S", "S-T")}}
    rows = there_and_back(("eni-c", None), f"{C}:40000", f"{SPOKE}:443", 1000, 5000)
    found = measured(network(subnets=subnets), *rows)
    assert value(found.resources, "us-east-1 eu-west-1", "bytes", "total") == 5000
    assert sizes(found.categories, "edge", "quantity") == {"between-regions": 6000 / GB}


def test_co10_a_gateway_endpoint_costs_nothing(evaluator: flowcore.Evaluator) -> None:
    found = measured(evaluator, *there_and_back(("eni-c", None), f"{C}:40000", f"{S3}:443", 1000, 5000))
    assert value(found.resources, "vpce-s3", "bytes", "total") == 6000
    assert sizes(found.categories, "edge", "quantity") == {"gateway-endpoint": 0}
    assert sizes(found.categories, "nat-gateway") == {"no-nat-gateway": 6000}


def test_co06_s3_through_a_nat_gateway_and_co02_a_nat_gateway_in_another_zone(evaluator: flowcore.Evaluator) -> None:
    found = measured(evaluator, *there_and_back(("eni-r", None), f"{R}:40000", f"{S3}:443", 1000, 5000))
    assert sizes(found.categories, "edge", "quantity") == {"service-by-internet-gateway": 0}
    assert sizes(found.categories, "nat-gateway") == {"nat-gateway": 6000}
    assert sizes(found.categories, "zones") == {"cross-zone": 6000}
    assert sizes(found.categories, "zones", "quantity") == {"cross-zone": 12000 / GB}
    assert value(found.resources, "euw1-az2 euw1-az1", "bytes", "total") == 1000
    assert value(found.resources, "euw1-az1 euw1-az2", "bytes", "total") == 5000


def test_co06_by_the_field_of_the_log_where_no_prefix_list_is_described() -> None:
    rows = [{**row, "pkt_dst_aws_service": "S3" if row["flow_direction"] == "egress" else "-",
             "pkt_src_aws_service": "-" if row["flow_direction"] == "egress" else "S3"}
            for row in there_and_back(("eni-r", None), f"{R}:40000", f"{S3}:443", 1000, 5000)]  # fmt: skip
    found = measured(network(prefix_lists={}), *rows)
    assert sizes(found.categories, "edge") == {"service-by-internet-gateway": 6000}


def test_co05_internet_out_is_charged_in_is_free(evaluator: flowcore.Evaluator) -> None:
    found = measured(evaluator, *AT_CLIENT)
    assert sizes(found.categories, "edge") == {"internet-out": 1000, "internet-in": 5000}
    assert sizes(found.categories, "edge", "quantity") == {"internet-out": 1000 / GB, "internet-in": 0}


def test_co13_what_goes_to_a_vpn_is_charged(evaluator: flowcore.Evaluator) -> None:
    found = measured(evaluator, *there_and_back(("eni-c", None), f"{C}:40000", f"{OFFICE}:443", 1000, 5000))
    assert value(found.resources, "vgw-1", "bytes", "total") == 6000
    assert sizes(found.categories, "edge", "quantity") == {"vpn-out": 1000 / GB, "vpn-in": 0}


def test_co01_co02_inside_a_vpc(evaluator: flowcore.Evaluator) -> None:
    rows = there_and_back(("eni-c", "eni-t"), f"{C}:40000", f"{T}:443", 1000, 5000)
    rows += there_and_back(("eni-c", "eni-r"), f"{C}:40001", f"{R}:443", 100, 500)
    found = measured(evaluator, *rows)
    assert sizes(found.categories, "records") == {"carried": 6600, "other-end": 6600}
    assert sizes(found.categories, "zones") == {"same-zone": 6000, "cross-zone": 600}
    assert sizes(found.categories, "zones", "quantity") == {"same-zone": 0, "cross-zone": 1200 / GB}


def test_co02_zone_names_are_not_compared_across_accounts() -> None:
    there = network()
    rows = there_and_back(("eni-c", None), f"{C}:40000", f"{R}:443", 1000, 5000)
    for owners, expected in ((("1", "1"), "cross-zone"), (("1", "2"), "zone-not-known")):
        subnets = {
            **there.subnets,
            **{
                name: replace(there.subnets[name], availability_zone_id=None, owner_id=owner)
                for name, owner in zip(("Q", "R"), owners, strict=True)
            },
        }
        assert sizes(measured(network(subnets=subnets), *rows).categories, "zones") == {expected: 6000}


def test_co09_an_interface_endpoint() -> None:
    endpoint = VpcEndpoint("vpce-i", "Interface", "vpc-a", "available", subnet_ids=("R",), interface_ids=("eni-e",))
    own = interfaces()
    own["eni-e"] = replace(own["eni-r"], interface_id="eni-e", addresses=(address("10.0.2.77"),),
                           interface_type="vpc_endpoint")  # fmt: skip
    there = network(interfaces=own, vpc_endpoints={**network().vpc_endpoints, "vpce-i": endpoint})
    rows = there_and_back(("eni-c", "eni-e"), f"{C}:40000", "10.0.2.77:443", 1000, 5000)
    found = measured(there, *rows)
    assert value(found.resources, "vpce-i", "bytes", "total") == 6000
    assert sizes(found.categories, "endpoint", "quantity")["interface-endpoint"] == 6000 / GB
    assert sizes(found.categories, "hours", "quantity")["interface-endpoint-hours"] == 1
    assert sizes(found.categories, "zones") == {"cross-zone": 6000}


# -- load balancers ------------------------------------------------------------------------------------------


def to_balancer(address_: str, node: str, *ports_: int, size: int = 1000, at: int = 0) -> list[dict[str, Any]]:
    """Client records at a node: `size` in and as much back for each client port."""
    return [
        row
        for port in ports_
        for row in there_and_back((None, node), f"{OUTSIDE}:{port}", f"{address_}:443", size, size, at)
    ]


def test_co11_the_units_of_an_application_load_balancer(evaluator: flowcore.Evaluator) -> None:
    rows = to_balancer(ALB, "eni-alb", *range(40000, 40090), size=GB)
    found = measured(evaluator, *rows)
    assert value(found.resources, "arn:alb", "bytes", "total") == 180 * GB
    assert value(found.resources, "arn:alb", "active_connections") == 90
    assert value(found.resources, "arn:alb", "new_connections_per_second") == 90 / 300
    assert value(found.resources, "arn:alb", "lcu_new_connections") == pytest.approx(90 / 3600 / 25)
    assert value(found.resources, "arn:alb", "lcu_active_connections") == pytest.approx(90 * 300 / 3600 / 3000)
    assert value(found.resources, "arn:alb", "lcu_bytes") == pytest.approx(180)
    assert value(found.resources, "arn:alb", "lcu") == pytest.approx(180)  # the highest dimension
    assert sizes(found.categories, "hours", "quantity")["lcu-hours"] == pytest.approx(180)
    assert sizes(found.categories, "load-balancer") == {"load-balancer": 180 * GB}
    assert sizes(found.categories, "edge") == {"internet-out": 90 * GB, "internet-in": 90 * GB}


def test_co11_a_network_load_balancers_units_are_those_of_its_protocol() -> None:
    balancers = dict(network().load_balancers)
    for protocol, connections_, active in (("TCP", 800, 100_000), ("TLS", 50, 3000)):
        balancers["arn:nlb"] = replace(balancers["arn:nlb"], listeners=(Listener(443, protocol, ("arn:tg-nlb",)),))
        found = measured(network(load_balancers=balancers), *to_balancer("10.0.0.31", "eni-nlb", *range(40000, 40010)))
        assert value(found.resources, "arn:nlb", "lcu_new_connections") == pytest.approx(10 / 3600 / connections_)
        assert value(found.resources, "arn:nlb", "lcu_active_connections") == pytest.approx(10 * 300 / 3600 / active)


def test_co12_from_a_node_to_a_target_in_another_zone() -> None:
    target = TargetGroup("arn:tg-alb", "ip", "HTTP", 8080, "vpc-a", targets=(Target(R),))
    there = network(target_groups={**network().target_groups, "arn:tg-alb": target})
    rows = there_and_back(("eni-alb", None), f"{ALB}:40000", f"{R}:8080", 1000, 5000)
    found = measured(there, *rows)
    assert sizes(found.categories, "zones", "quantity") == {"application-load-balancer-target": 0}
    assert sizes(found.categories, "load-balancer") == {"no-load-balancer": 6000}  # the client's side counts there
    rows = there_and_back(("eni-nlb", None), "10.0.0.31:40000", f"{R}:8080", 1000, 5000)
    assert sizes(measured(there, *rows).categories, "zones", "quantity") == {"load-balancer-target": 12000 / GB}


def test_nl05_what_a_target_sees_of_a_client_is_what_the_node_counts(evaluator: flowcore.Evaluator) -> None:
    rows = to_balancer("10.0.0.31", "eni-nlb", 40000)
    rows += there_and_back((None, "eni-t"), f"{OUTSIDE}:40000", f"{T}:8443", 1000, 1000)
    found = measured(evaluator, *rows)
    assert sizes(found.categories, "records") == {"carried": 2000, "behind-load-balancer": 2000}
    assert sizes(found.categories, "edge") == {"internet-out": 1000, "internet-in": 1000}


# -- interfaces ----------------------------------------------------------------------------------------------


def test_sg31_open_both_ways_is_not_tracked_and_sg32_icmp_always_is() -> None:
    there = network(security_groups=groups(t=[allow("sgr-out", True), allow("sgr-in", False)],
                                           r=[allow("sgr-out", True, 6, (0, 65535)), *ports(443)]))  # fmt: skip
    rows = there_and_back(("eni-c", None), f"{C}:40000", f"{T}:443", 1000, 5000)
    found = measured(there, *rows)
    assert value(found.resources, "eni-t", "tracked_connections") is None
    assert value(found.resources, "eni-c", "tracked_connections") == 1  # its inbound rules are not for every port
    ping = [record("eni-c", "egress", f"{C}:0", f"{T}:0", protocol=1, tcp_flags=0)]
    assert value(measured(there, *ping).resources, "eni-t", "tracked_connections") == 1


def test_sg34_through_a_nat_gateway_is_tracked_and_dynamodb_takes_two_entries() -> None:
    open_c = groups(c=[allow("sgr-out", True), allow("sgr-in", False)])
    found = measured(network(security_groups=open_c), *AT_CLIENT)
    assert value(found.resources, "eni-c", "tracked_connections") == 1
    plain = there_and_back(("eni-c", None), f"{C}:40000", f"{S3}:443", 1, 1)
    assert value(measured(network(security_groups=open_c), *plain).resources, "eni-c", "tracked_connections") is None
    endpoint = VpcEndpoint("vpce-s3", "Gateway", "vpc-a", "available", "com.amazonaws.eu-west-1.dynamodb")
    there = network(security_groups=open_c, vpc_endpoints={"vpce-s3": endpoint})
    assert value(measured(there, *plain).resources, "eni-c", "tracked_connections") == 2


def test_sg38_connections_of_both_ends_count_once_each() -> None:
    near = allow("sgr-in", False, 6, (443, 443), cidr_block=N("10.0.0.0/16"))
    there = network(security_groups=groups(t=[allow("sgr-out", True), near]))
    rows = there_and_back(("eni-c", "eni-t"), f"{C}:40000", f"{T}:443", 1000, 5000)
    rows += there_and_back(("eni-c", "eni-t"), f"{C}:40001", f"{T}:443", 1000, 5000, 60)
    found = measured(there, *rows)
    assert value(found.resources, "eni-c", "tracked_connections") == 2
    assert value(found.resources, "eni-t", "tracked_connections") == 2
    assert value(found.resources, "eni-t", "tracked_connections", "limit") is None  # not published


def test_sg63_an_interface_without_groups_tracks_nothing() -> None:
    there = network(interfaces=interfaces(r={"group_ids": ()}))
    ping = [record("eni-c", "egress", f"{C}:0", f"{R}:0", protocol=1, tcp_flags=0)]
    found = measured(there, *ping)
    assert value(found.resources, "eni-c", "tracked_connections") == 1
    assert value(found.resources, "eni-r", "tracked_connections") is None


# -- quotas --------------------------------------------------------------------------------------------------


def test_quotas_of_section_2_5_na18_rt24_ng19() -> None:
    many = [allow(f"sgr-{n}", False, 6, (n, n)) for n in range(48)]
    reference = allow("sgr-ref", False, 6, (443, 443), referenced_group_id="sg-t")
    listed = allow("sgr-pl", False, 6, (443, 443), prefix_list_id="pl-s3")
    found = measured(network(security_groups=groups(c=[*many, reference, listed])), *AT_CLIENT).resources
    assert value(found, "sg-c", "inbound_rules_ipv4") == 50
    assert value(found, "sg-c", "inbound_rules_ipv4", "share_of_limit") == 50 / 60
    assert value(found, "sg-c", "inbound_rules_ipv6") == 1
    assert value(found, "eni-c", "security_group_rules", "limit") == 1000
    assert value(found, "acl-Q", "inbound_rules_ipv4", "limit") == 20
    assert value(found, "acl-Q", "inbound_rules_ipv4") == len(network().network_acls["acl-Q"].entries) // 2 + 1
    assert value(found, "acl-Q", "inbound_rules_ipv6") is None
    assert value(found, "rtb-Q", "static_routes_ipv4") == 5
    assert value(found, "rtb-Q", "static_routes_ipv4", "limit") == 500
    assert value(found, "euw1-az1", "nat_gateways", "limit") == 5
    assert value(found, "arn:alb", "listeners", "limit") == 50
    assert value(found, "sg-c", "inbound_rules_ipv4", "source") == "described"


# -- time ----------------------------------------------------------------------------------------------------


def test_peak_percentiles_and_mean_over_all_windows(evaluator: flowcore.Evaluator) -> None:
    rows = [
        record("eni-c", "egress", f"{C}:40000", f"{OUTSIDE}:443", 100 * (n + 1), 300 * n)
        for n in range(10) if n not in (3, 4)
    ]  # fmt: skip
    found = measured(evaluator, *rows).resources
    sums = [100 * (n + 1) for n in range(10) if n not in (3, 4)]
    assert value(found, "nat-1", "bytes", "windows") == 10
    assert value(found, "nat-1", "bytes", "peak") == 1000
    assert value(found, "nat-1", "bytes", "peak_at") == START + 2700
    assert value(found, "nat-1", "bytes", "p50") == 300  # the fifth of 0 0 100 200 300 600 700 800 900 1000
    assert value(found, "nat-1", "bytes", "p95") == 1000
    assert value(found, "nat-1", "bytes", "mean") == sum(sums) / 10
    assert value(found, "nat-1", "bytes", "total") == sum(sums)


def test_flows_without_a_time_count_in_totals_only(evaluator: flowcore.Evaluator) -> None:
    flows = {"srcaddr": [C], "dstaddr": [OUTSIDE], "srcport": [40000], "dstport": [443], "protocol": ["tcp"]}
    found = measure_capacity(evaluator, pl.DataFrame({**flows, "bytes": [1000]}))
    assert value(found.resources, "nat-1", "bytes", "total") == 1000
    assert value(found.resources, "nat-1", "bytes", "peak") is None
    assert found.undated == 1
    assert any("no time of their own" in note for note in found.notes)
    unsized = measure_capacity(evaluator, pl.DataFrame(flows))
    assert any("say no bytes" in note for note in unsized.notes)


def test_a_digest_row_of_a_month_has_no_peak(evaluator: flowcore.Evaluator, tmp_path: Path) -> None:
    rows = [record("eni-c", "egress", f"{C}:40000", f"{OUTSIDE}:443", 1000, 86400 * n) for n in range(30)]
    frame(*rows).write_parquet(tmp_path / "log.parquet")
    digest_logs(tmp_path / "log.parquet", tmp_path / "digest.parquet")
    found = measure_capacity(evaluator, tmp_path / "digest.parquet")
    assert value(found.resources, "nat-1", "bytes", "total") == 30_000
    assert value(found.resources, "nat-1", "bytes", "peak") is None


# -- what counts, and what does not --------------------------------------------------------------------------


def test_every_byte_is_in_one_bucket_and_in_one_category_of_each_place(evaluator: flowcore.Evaluator) -> None:
    rows = mixed_records(7)
    found = measured(evaluator, *rows)
    total = sum(row["bytes"] for row in rows)
    assert sum(sizes(found.categories, "records").values()) == total
    carried = sizes(found.categories, "records")["carried"]
    for place in ("zones", "edge", "nat-gateway", "transit-gateway", "endpoint", "load-balancer"):
        assert sum(sizes(found.categories, place).values()) == carried, place
    series = found.windows.filter(pl.col("metric") == "bytes").group_by("resource").agg(pl.col("value").sum())
    for resource, size in series.iter_rows():
        assert value(found.resources.filter(pl.col("metric") == "bytes"), resource, "bytes", "total") == size


def test_refused_blocked_and_undecided_records_are_on_no_way(evaluator: flowcore.Evaluator) -> None:
    rows = [
        record("eni-c", "egress", f"{C}:40000", f"{OUTSIDE}:443", 1, action="REJECT"),
        record("eni-t", "ingress", f"{R}:40000", f"{T}:22", 20),
        record("eni-nowhere", "egress", f"{C}:40000", f"{OUTSIDE}:443", 300),
        record("eni-c", "egress", f"{C}:40000", f"{OUTSIDE}:443", 4000),
    ]
    found = measured(evaluator, *rows)
    buckets = {"refused": 1, "blocked": 20, "undecided": 300, "carried": 4000}
    assert sizes(found.categories, "records") == buckets
    assert found.decided == 0.75
    assert any("undecided" in note for note in found.notes)


def test_fl36_the_receivers_record_counts_where_the_senders_interface_does_not_log(
    evaluator: flowcore.Evaluator,
) -> None:
    early = there_and_back(("eni-c", "eni-t"), f"{C}:40000", f"{T}:443", 1000, 5000)
    late = there_and_back((None, "eni-t"), f"{C}:40000", f"{T}:443", 1000, 5000, 3600)  # eni-c stopped logging
    found = measured(evaluator, *early, *late)
    assert sizes(found.categories, "records") == {"carried": 12000, "other-end": 6000}


# -- independence --------------------------------------------------------------------------------------------


def mixed_records(seed: int, count: int = 150) -> list[dict[str, Any]]:
    """Conversations of every kind, at all places that log, over two hours."""
    draw = random.Random(seed)
    ends = [
        (("eni-c", None), C, OUTSIDE, 443), (("eni-c", "eni-t"), C, T, 443), (("eni-r", "eni-t"), R, T, 443),
        (("eni-c", "eni-s"), C, SPOKE, 443), (("eni-r", "eni-n"), R, PEER, 443), (("eni-c", None), C, S3, 443),
        (("eni-r", None), R, S3, 443), (("eni-c", None), C, OFFICE, 443), ((None, "eni-alb"), OUTSIDE, ALB, 443),
        (("eni-c", "eni-t"), C, T, 22), (("eni-r", None), R, OUTSIDE, 443),
    ]  # fmt: skip
    made = []
    for _ in range(count):
        where, client, server, port = draw.choice(ends)
        ends_ = f"{client}:{draw.randrange(40000, 40040)}", f"{server}:{port}"
        sizes_ = draw.randrange(100, 9000), draw.randrange(100, 9000)
        made += there_and_back(where, *ends_, *sizes_, draw.randrange(0, 7200))
    draw.shuffle(made)
    return made


def frames(found: Capacity) -> list[list[tuple[Any, ...]]]:
    return [found.resources.rows(), found.windows.rows(), found.categories.rows()]


def totals(found: Capacity) -> list[tuple[Any, ...]]:
    return found.resources.select("kind", "resource", "metric", "unit", "source", "total", "limit").rows()


@pytest.mark.parametrize("seed", [1])
def test_files_frames_orders_batches_and_digests_give_the_same(
    evaluator: flowcore.Evaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rows = mixed_records(seed)
    expected = frames(measured(evaluator, *rows))
    whole = frame(*rows)
    parts = [tmp_path / f"log-{n}.parquet" for n in range(3)]
    for number, part in enumerate(parts):
        whole[number::3].write_parquet(part)
    assert frames(measure_capacity(evaluator, parts)) == expected
    assert frames(measure_capacity(evaluator, parts[::-1])) == expected
    digests = []
    for number, part in enumerate(parts):
        digests.append(tmp_path / f"digest-{number}.parquet")
        digest_logs(part, digests[-1], window=300)
    digest_logs(parts, tmp_path / "all.parquet", window=300)
    of_logs = measured(evaluator, *rows)
    for given in (digests, str(tmp_path / "all.parquet")):  # rows of a digest are laid evenly over their own seconds
        of_digests = measure_capacity(evaluator, given)
        assert of_digests.categories.rows() == of_logs.categories.rows()
        assert totals(of_digests) == totals(of_logs)
        assert of_digests.windows.filter(metric="connections").equals(of_logs.windows.filter(metric="connections"))
    monkeypatch.setattr("flowcore.analyses.capacity_input.GROUP_ROWS", 37)
    monkeypatch.setattr("flowcore.analyses.capacity_fold._HELD_ROWS", 20)
    monkeypatch.setattr("flowcore.analyses.capacity_connections._HELD_ROWS", 50)
    monkeypatch.setattr("flowcore.analyses.capacity_connections.Connections.__init__.__defaults__", (50,))
    assert frames(measured(evaluator, *rows[::-1])) == expected


# -- what if -------------------------------------------------------------------------------------------------


def one_nat_gateway_a_zone() -> Network:
    after = edits.add_nat_gateway(network(), "nat-2", "P2")
    return edits.replace_route(after, "rtb-R", "0.0.0.0/0", "nat-2")


PRICES = {"CO-02": 0.01, "nat-gateway": 0.045, "nat-gateway-hours": 0.045, "internet-out": 0.09}


def test_what_if_one_nat_gateway_a_zone_saves_the_crossing_and_costs_its_hours(evaluator: flowcore.Evaluator) -> None:
    rows = there_and_back(("eni-r", None), f"{R}:40000", f"{OUTSIDE}:443", 10 * GB, 90 * GB)
    rows += there_and_back(("eni-c", None), f"{C}:40000", f"{OUTSIDE}:443", 1 * GB, 2 * GB)
    found = measured(evaluator, *rows, *AT_NAT, after=one_nat_gateway_a_zone(), prices=PRICES)
    assert value(found.resources, "nat-1", "bytes", "total") == 103 * GB
    assert value(found.resources, "nat-1", "bytes", "source") == "predicted"
    assert value(found.resources, "nat-1", "bytes", "total_after") == 3 * GB
    assert value(found.resources, "nat-2", "bytes", "total_after") == 100 * GB
    assert value(found.resources, "nat-2", "bytes", "total_change") == 100 * GB
    assert value(found.resources, "nat-1", "bytes", "total_change") == -100 * GB
    assert value(found.resources, "nat-2", "connections_per_destination", "peak_after") == 1
    costs = {row["category"]: row for row in found.categories.iter_rows(named=True)}
    assert costs["cross-zone"]["cost"] == pytest.approx(2)  # 100 GB, in and out, at 0.01
    assert costs["cross-zone"]["cost_change"] == pytest.approx(-2)
    assert costs["nat-gateway-hours"]["cost_change"] == pytest.approx(0.045)
    assert costs["nat-gateway"]["cost_change"] == pytest.approx(0)
    assert costs["internet-out"]["cost"] == pytest.approx(11 * 0.09)
    assert costs["internet-out"]["cost_change"] == pytest.approx(0)
    assert value(found.resources, "euw1-az2 euw1-az1", "bytes", "total_after") is None


def test_what_if_a_gateway_endpoint_takes_s3_from_the_nat_gateway(evaluator: flowcore.Evaluator) -> None:
    rows = there_and_back(("eni-r", None), f"{R}:40000", f"{S3}:443", 10 * GB, 90 * GB)
    after = edits.add_route(network(), "rtb-R", "pl-s3", "vpce-s3")
    found = measured(evaluator, *rows, after=after, prices=PRICES)
    assert value(found.resources, "vpce-s3", "bytes", "total_after") == 100 * GB
    assert value(found.resources, "nat-1", "bytes", "total_after") is None
    costs = {row["category"]: row for row in found.categories.iter_rows(named=True)}
    assert costs["nat-gateway"]["cost_change"] == pytest.approx(-4.5)
    assert costs["cross-zone"]["cost_change"] == pytest.approx(-2)
    assert costs["gateway-endpoint"]["bytes_after"] == 100 * GB
    assert costs["no-zones"]["bytes_after"] == 100 * GB


def test_what_if_a_target_moves_to_the_zone_of_its_clients(evaluator: flowcore.Evaluator) -> None:
    rows = there_and_back(("eni-c", "eni-r"), f"{C}:40000", f"{R}:443", 10 * GB, 90 * GB)
    same_id = interfaces(r={"subnet_id": "Q", "addresses": (address("10.0.1.99"),)})
    found = measured(evaluator, *rows, after=network(interfaces=same_id), prices=PRICES)
    costs = {row["category"]: row for row in found.categories.iter_rows(named=True)}
    assert costs["cross-zone"]["cost"] == pytest.approx(2)
    assert costs["cross-zone"]["cost_change"] == pytest.approx(-2)
    assert costs["same-zone"]["bytes_after"] == 100 * GB
    new_id: dict[str, NetworkInterface] = dict(same_id)
    new_id["eni-new"] = replace(new_id.pop("eni-r"), interface_id="eni-new")
    moved = measured(evaluator, *rows, after=network(interfaces=new_id), prices=PRICES, moved={"eni-r": "eni-new"})
    assert moved.categories.rows() == found.categories.rows()


def test_what_if_what_no_longer_gets_through_is_blocked(evaluator: flowcore.Evaluator) -> None:
    after = edits.remove_gateway(network(), "nat-1")
    found = measured(evaluator, *AT_CLIENT, after=after)
    assert sizes(found.categories, "records", "bytes_after") == {"carried": None, "blocked": 6000}


# -- bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"window": 0}, "window"), ({"by": "day"}, "by"), ({"prices": {"CO-99": 1}}, "no such category"),
        ({"prices": {"CO-02": -1}}, "not a price"), ({"prices": {"CO-02": "nan"}}, "not a price"),
        ({"prices": {"CO-02": 1, "cross-zone": 1}}, "twice"), ({"after": 5}, "not a network"),
    ],
)  # fmt: skip
def test_bad_options_are_named(evaluator: flowcore.Evaluator, options: dict[str, Any], expected: str) -> None:
    with pytest.raises(flowcore.InputError, match=expected):
        flowcore.capacity(evaluator, frame(*AT_CLIENT), **options)


def test_the_public_function_gives_the_three_frames(evaluator: flowcore.Evaluator) -> None:
    rows = frame(*AT_CLIENT)
    found = measure_capacity(evaluator, rows)
    assert flowcore.capacity(evaluator, rows).equals(found.resources)
    assert flowcore.capacity(evaluator, rows, by="window").equals(found.windows)
    assert flowcore.capacity(evaluator, rows, by="category").equals(found.categories)
    assert flowcore.capacity(network(), rows[:0]).filter(pl.col("source") != "described").height == 0
