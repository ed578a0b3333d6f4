"""A small network built from model records, for the tests of the walk; every part can be exchanged.

VPC vpc-1 10.0.0.0/16 (and an IPv6 /56): subnet-a 10.0.0.0/24 with eni-a (10.0.0.10, public 52.0.0.10, IPv6) and eni-a2
(10.0.0.11, no public address); subnet-b 10.0.1.0/24 with eni-b (10.0.1.20, public 52.0.0.20). One open ACL, one
main route table to igw-1, one group that lets everything out and tcp 443 and ICMP in.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from flowcore.model import (
    Gateway,
    InterfaceAddress,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
)
from flowcore.schema import REASONS, STAGE_BITS, STAGES
from flowcore.walk import Path, explain

N, IP = cache(ip_network), ip_address


def by_id(attribute: str, *records: Any) -> dict[str, Any]:
    return {getattr(record, attribute): record for record in records}


def address(text: str, public: str | None = None, primary: bool = True) -> InterfaceAddress:
    return InterfaceAddress(IP(text), primary, IP(public) if public else None)


def interface(name: str, subnet: str, *addresses: Any, **changes: Any) -> NetworkInterface:
    own = tuple(each if isinstance(each, InterfaceAddress) else address(each) for each in addresses)
    values: dict[str, Any] = {"vpc_id": "vpc-1", "group_ids": ("sg-1",), "status": "in-use", **changes}
    return NetworkInterface(name, subnet_id=subnet, addresses=own, **values)


def allow(
    rule_id: str, egress: bool, protocol: int = -1, ports: tuple = (None, None), **remote: Any
) -> SecurityGroupRule:
    remote = remote or {"cidr_block": N("0.0.0.0/0")}
    return SecurityGroupRule(rule_id, "sg-1", egress, protocol, *ports, **remote)


def group(*rules: SecurityGroupRule, group_id: str = "sg-1") -> SecurityGroup:
    return SecurityGroup(group_id, "vpc-1", group_id, tuple(replace(rule, group_id=group_id) for rule in rules))


def entry(
    number: int, egress: bool, permit: bool = True, protocol: int = -1, cidr: str = "0.0.0.0/0", **more: Any
) -> NetworkAclEntry:
    return NetworkAclEntry(number, egress, protocol, permit, N(cidr), **more)


def acl(*entries: NetworkAclEntry, name: str = "acl-1", **more: Any) -> NetworkAcl:
    return NetworkAcl(name, "vpc-1", tuple(sorted(entries, key=lambda each: each.rule_number)), **more)


def table(name: str, *routes: tuple[str, str, str] | Route, **more: Any) -> RouteTable:
    made = (each if isinstance(each, Route) else route(*each) for each in routes)
    return RouteTable(name, "vpc-1", tuple(made), **more)


def route(destination: str, kind: str, target: str, **more: Any) -> Route:
    return Route(destination if destination.startswith("pl-") else N(destination), kind, target, **more)


OPEN = [
    entry(number, egress, cidr=cidr) for egress in (False, True) for number, cidr in ((100, "0.0.0.0/0"), (101, "::/0"))
]
IGW = ("0.0.0.0/0", "internet-gateway", "igw-1")
IGW6 = ("::/0", "internet-gateway", "igw-1")
OUT4, OUT6 = allow("sgr-out4", True), allow("sgr-out6", True, cidr_block=N("::/0"))
IN443 = allow("sgr-in443", False, 6, (443, 443))
INPING = allow("sgr-inping", False, 1, (-1, -1))
IN443V6 = allow("sgr-in443v6", False, 6, (443, 443), cidr_block=N("::/0"))


def network(**changes: Any) -> Network:
    """The small network, with whole collections exchanged."""
    values: dict[str, Any] = {
        "vpcs": by_id("vpc_id", Vpc("vpc-1", (N("10.0.0.0/16"),), (N("2600:1f00::/56"),), region="eu-west-1")),
        "subnets": by_id(
            "subnet_id",
            Subnet("subnet-a", "vpc-1", N("10.0.0.0/24"), (N("2600:1f00::/64"),), region="eu-west-1"),
            Subnet("subnet-b", "vpc-1", N("10.0.1.0/24"), (N("2600:1f00:0:1::/64"),), region="eu-west-1"),
        ),
        "route_tables": by_id("route_table_id", table("rtb-1", IGW, IGW6, main=True)),
        "network_acls": by_id("network_acl_id", acl(*OPEN, is_default=True)),
        "security_groups": by_id("group_id", group(OUT4, OUT6, IN443, INPING, IN443V6)),
        "interfaces": by_id("interface_id", *interfaces()),
        "internet_gateways": by_id("gateway_id", Gateway("igw-1", ("vpc-1",))),
        "described_keys": frozenset({"InternetGateways", "NetworkInterfaces"}),
    }
    return Network(**{**values, **changes})


def interfaces(**changes: dict[str, Any]) -> list[NetworkInterface]:
    """The three interfaces; `a`, `a2`, `b` give fields to exchange."""
    return [
        replace(
            interface("eni-a", "subnet-a", address("10.0.0.10", "52.0.0.10"), address("2600:1f00::10")),
            **changes.get("a", {}),
        ),
        replace(interface("eni-a2", "subnet-a", "10.0.0.11"), **changes.get("a2", {})),
        replace(
            interface("eni-b", "subnet-b", address("10.0.1.20", "52.0.0.20"), address("2600:1f00:0:1::20")),
            **changes.get("b", {}),
        ),
    ]


def with_interfaces(*more: NetworkInterface, **changes: dict[str, Any]) -> dict[str, Any]:
    """The `interfaces` collection with changed fields and further interfaces, as a keyword for `network`."""
    return {"interfaces": by_id("interface_id", *interfaces(**changes), *more)}


def with_rules(*rules: SecurityGroupRule, **more: Any) -> dict[str, Any]:
    """The only group, with these rules."""
    return {"security_groups": by_id("group_id", group(*rules)), **more}


def with_routes(*routes: Any, **more: Any) -> dict[str, Any]:
    """The only route table, with these routes."""
    return {"route_tables": by_id("route_table_id", table("rtb-1", *routes, main=True)), **more}


def with_acls(a: list[NetworkAclEntry] | None = None, b: list[NetworkAclEntry] | None = None) -> dict[str, Any]:
    """An ACL for each subnet; None: open."""
    made = [
        acl(*(OPEN if entries is None else entries), name=f"acl-{name}", subnet_ids=(f"subnet-{name}",))
        for name, entries in (("a", a), ("b", b))
    ]
    return {"network_acls": by_id("network_acl_id", *made)}


def flow(source: str, destination: str, port: int = 443, protocol: Any = 6, **more: Any) -> dict[str, Any]:
    return {"srcaddr": source, "dstaddr": destination, "srcport": 50000, "dstport": port, "protocol": protocol, **more}


A, A2, B, A_PUBLIC, B_PUBLIC, X = "10.0.0.10", "10.0.0.11", "10.0.1.20", "52.0.0.10", "52.0.0.20", "8.8.8.8"
A6, B6, X6 = "2600:1f00::10", "2600:1f00:0:1::20", "2001:4860:4860::8888"


def bits(*stages: str) -> int:
    return sum(1 << STAGE_BITS[stage] for stage in stages)


def answer(path: Path) -> tuple:
    return path.verdict, path.reason, path.stage


def stages(path: Path, leg: str | None = None) -> list[str]:
    return [hop.stage for hop in path.hops if hop.evaluated and leg in (None, hop.leg)]


def ask(flow_, **changes) -> Path:
    path = explain(network(**changes), flow_)
    assert path.reason in (None, *REASONS)
    assert path.stage in (None, *STAGES)
    return path
