"""The example network of the walk's tests with two zones, and flow log records for it: for the tests of capacity.

VPC A: P (public, NAT gateway nat-1, load balancer nodes) and Q (eni-c, eni-t) in zone 1; R (eni-r) and P2 (empty, for a
second NAT gateway) in zone 2; T and T2 of the transit gateway. VPC N (peered) in zone 2, VPC S (transit gateway) in
zone 1. R's table leads to nat-1, the peering connection and the transit gateway as Q's does, but not to S3's endpoint.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import walk_between_networks as base
from walk_networks import N, acl, address, by_id, interface, table

from flowcore.model import Network, NetworkInterface, PrefixList, Subnet

C, T, R, PEER, SPOKE, OUTSIDE, OFFICE, S3 = (
    base.C, base.T, base.R, base.PEER, base.SPOKE, base.OUTSIDE, base.OFFICE, base.S3,
)  # fmt: skip
ALB, NLB, NAT = base.ALB, base.NLB, base.NAT
ZONES = {"P": 1, "Q": 1, "R": 2, "F": 1, "T": 1, "T2": 2, "N": 2, "S": 1, "S-T": 1, "P2": 2}
CIDRS = {**{name: cidr for name, (_, cidr) in base.SUBNETS.items()}, "T2": "10.0.5.0/28", "P2": "10.0.6.0/24"}
ROUTES_OUT = [each for each in base.TABLES["Q"] if each[0] != "pl-s3"]

#: 2023-11-14 22:15:00 UTC, the start of a window of 300 s.
START = 1_700_000_100
START -= START % 300


def network(**changes: Any) -> Network:
    """The network; whole collections can be exchanged."""
    subnets = [
        Subnet(
            name, base.SUBNETS.get(name, ("vpc-a",))[0], N(CIDRS[name]), availability_zone=f"eu-west-1{'ab'[zone - 1]}",
            availability_zone_id=f"euw1-az{zone}", region="eu-west-1",
        )
        for name, zone in ZONES.items()
    ]  # fmt: skip
    tables = base.tables(R=ROUTES_OUT)
    tables["rtb-P2"] = replace(table("rtb-P2", *base.TABLES["P"], subnet_ids=("P2",)), vpc_id="vpc-a")
    tables["rtb-T2"] = replace(table("rtb-T2", subnet_ids=("T2",)), vpc_id="vpc-a")
    acls = base.acls()
    for name in ("P2", "T2"):
        acls[f"acl-{name}"] = replace(acl(*base.ALL, name=f"acl-{name}", subnet_ids=(name,)), vpc_id="vpc-a")
    values: dict[str, Any] = {
        "subnets": by_id("subnet_id", *subnets),
        "route_tables": tables,
        "network_acls": acls,
        "interfaces": interfaces(),
        "transit_gateway_attachments": by_id(
            "attachment_id", base.attachment("att-a", "vpc-a", "T", "T2"), base.attachment("att-s", "vpc-s", "S-T")
        ),
        "prefix_lists": by_id(
            "prefix_list_id", PrefixList("pl-s3", (N("52.216.0.0/15"),), 4, "com.amazonaws.eu-west-1.s3", "AWS")
        ),
    }
    return base.network(**{**values, **changes})


def interfaces(**changes: dict[str, Any]) -> dict[str, NetworkInterface]:
    """The interfaces, with those of the transit gateway; fields to exchange by name without `eni-`."""
    made = base.interfaces(**changes)
    made["eni-tgw-a"] = replace(
        interface("eni-tgw-a", "T", "10.0.4.4", group_ids=(), interface_type="transit_gateway"), vpc_id="vpc-a"
    )
    made["eni-tgw-s"] = replace(
        interface("eni-tgw-s", "S-T", "10.8.1.4", group_ids=(), interface_type="transit_gateway"), vpc_id="vpc-s"
    )
    return made


def public(text: str, mapped: str) -> Any:
    return address(text, mapped)


def record(
    interface_id: str, direction: str, source: str, destination: str, size: int = 1000, at: int = 0, **more: Any
) -> dict[str, Any]:
    """One flow log record: source and destination as `address:port`; `at` seconds after START, for 30 seconds."""
    (srcaddr, srcport), (dstaddr, dstport) = (end.rsplit(":", 1) for end in (source, destination))
    values = {
        "interface_id": interface_id, "flow_direction": direction, "srcaddr": srcaddr, "dstaddr": dstaddr,
        "pkt_srcaddr": srcaddr, "pkt_dstaddr": dstaddr, "srcport": int(srcport), "dstport": int(dstport), "protocol": 6,
        "packets": size // 100, "bytes": size, "start": START + at, "end": START + at + 30, "action": "ACCEPT",
        "log_status": "OK", "tcp_flags": 2 if int(srcport) > int(dstport) else 18,
    }  # fmt: skip
    return {**values, **more}


def there_and_back(
    ends: tuple[str | None, str | None], client: str, server: str, out: int, back: int, at: int = 0, **more: Any
) -> list[dict[str, Any]]:
    """The records of a conversation at the interfaces of its client and its server (None: not logged)."""
    made = []
    if ends[0]:
        made.append(record(ends[0], "egress", client, server, out, at, **more))
        made.append(record(ends[0], "ingress", server, client, back, at, **more))
    if ends[1]:
        made.append(record(ends[1], "ingress", client, server, out, at, **more))
        made.append(record(ends[1], "egress", server, client, back, at, **more))
    return made


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Records as a frame; all have the same columns."""
    return pl.DataFrame(list(rows), infer_schema_length=None)


def value(found: pl.DataFrame, resource: str, metric: str, column: str = "peak") -> Any:
    """One value of a frame of resources; None if there is no such row."""
    rows = found.filter((pl.col("resource") == resource) & (pl.col("metric") == metric))
    assert rows.height <= 1, rows
    return rows[column].item() if rows.height else None


def sizes(found: pl.DataFrame, place: str, column: str = "bytes") -> dict[str, Any]:
    """Category -> bytes of one place."""
    return dict(found.filter(pl.col("place") == place).select("category", column).rows())
