"""A made-up AWS region of any size, as describe-* JSON: the network of benchmarks, examples and scale tests.

Every VPC has three tiers (web public, app and db private) over three availability zones. It is built so that most
traffic along its rules gets through. Networks made to be wrong on purpose come from `synthetic_edges`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from . import synthetic_records as records
from .errors import InputError
from .synthetic_mixed import TARGET_PORT, add_between
from .synthetic_records import REGION, Documents, Ids, Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIERS = ("web", "app", "db", "app")
KEYS = (
    "Vpcs",
    "Subnets",
    "RouteTables",
    "NetworkAcls",
    "SecurityGroups",
    "SecurityGroupRules",
    "NetworkInterfaces",
    "Reservations",
    "InternetGateways",
    "EgressOnlyInternetGateways",
    "NatGateways",
    "PrefixLists",
    "ManagedPrefixListEntries",
    "Addresses",
    "VpcPeeringConnections",
)
#: (protocol, first port, last port) of rules beyond those that join the tiers.
SERVICES = (
    ("tcp", 22, 22), ("tcp", 25, 25), ("tcp", 80, 80), ("tcp", 443, 443), ("tcp", 1433, 1433), ("tcp", 2049, 2049),
    ("tcp", 3306, 3306), ("tcp", 5432, 5432), ("tcp", 5671, 5672), ("tcp", 6379, 6380), ("tcp", 8080, 8090),
    ("tcp", 8443, 8443), ("tcp", 9090, 9100), ("tcp", 9200, 9300), ("tcp", 27017, 27019), ("tcp", 30000, 32767),
    ("tcp", 0, 65535), ("udp", 53, 53), ("udp", 123, 123), ("udp", 161, 162), ("udp", 514, 514), ("udp", 4789, 4789),
    ("icmp", 8, -1), ("icmp", -1, -1), ("icmp", 3, 4), ("50", -1, -1), ("-1", -1, -1),
)  # fmt: skip
#: Networks outside: offices, partners, monitors (documentation and benchmark ranges).
OUTSIDE = ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/25", "198.18.0.0/15", "8.8.8.0/24", "151.101.0.0/16")
ANYWHERE, ANYWHERE6 = "0.0.0.0/0", "::/0"


@dataclass
class _Vpc:
    """What is being built for one VPC."""

    record: Record
    number: int
    network: IPv4Network
    ipv6: bool
    subnets: list[Record] = field(default_factory=list)
    groups: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: {"web": [], "app": [], "db": []})
    cidr6: str = ""
    internet_gateway: str = ""
    peers: list[tuple[str, str]] = field(default_factory=list)
    """(CIDR of the peer, peering id)."""

    @property
    def vpc_id(self) -> str:
        return str(self.record["VpcId"])


def network_documents(
    seed: int,
    *,
    interfaces: int = 1000,
    groups: int = 300,
    acls: int = 50,
    subnets: int = 100,
    vpcs: int = 4,
    rules: int | None = None,
    ipv6: bool = True,
    mixed: bool = False,
) -> Documents:
    """A region of the given size as describe-* JSON by top-level key, the same for the same arguments.

    `rules`: security group rules in all (None: about eight a group; never fewer than the tiers need). `groups`, `acls`
    and `subnets` are spread evenly over the VPCs; interfaces of NAT gateways count as interfaces. VPC CIDRs do not
    overlap. `mixed`: also a NAT gateway a zone, a transit gateway between the VPCs, load balancers with targets and the
    S3 gateway endpoints described; their interfaces come on top. Raises InputError if a number is too small for the
    VPCs or too large for their address space.
    """
    prefix_length = _subnet_prefix_length(interfaces, subnets, vpcs)
    for name, value in (("groups", groups), ("acls", acls), ("subnets", subnets)):
        if value < vpcs:
            raise InputError("too few for the VPCs", where=name, found=value, expected=f"at least vpcs={vpcs}")
    rng, ids = Random(f"region {seed}"), Ids(seed)
    documents: Documents = {key: [] for key in KEYS}
    lists = _prefix_lists(documents, ids)
    made = [_vpc(documents, ids, number, ipv6) for number in range(vpcs)]
    for a, b in zip(made[0:6:2], made[1:6:2], strict=False):
        peering_id = ids("pcx")
        documents["VpcPeeringConnections"].append(records.peering(peering_id, a.record, b.record))
        a.peers.append((str(b.network), peering_id))
        b.peers.append((str(a.network), peering_id))
    for i in range(subnets):
        _subnet(documents, ids, made[i % vpcs], prefix_length)
    for i in range(groups):
        vpc, tier = made[i % vpcs], TIERS[i // vpcs % 4]
        vpc.groups[tier].append((ids("sg"), f"{_name(vpc)}-{tier}-{i // vpcs}"))
    _group_rules(documents, ids, rng, made, lists, wanted=rules, mixed=mixed)
    for i, vpc in enumerate(made):
        _acls(documents, ids, rng, vpc, acls // vpcs + (i < acls % vpcs))
    nat_interfaces = _interfaces(documents, ids, rng, made, interfaces)
    for vpc in made:
        _route_tables(documents, ids, vpc, nat_interfaces.get(vpc.vpc_id), lists["s3"])
    if mixed:
        add_between(documents, ids, rng)
    return documents


def _subnet_prefix_length(interfaces: int, subnets: int, vpcs: int) -> int:
    """The longest prefix (24 at most where there is room) whose subnets hold the interfaces, two addresses each."""
    if not 1 <= vpcs <= 272:
        raise InputError("not that many VPCs", where="vpcs", found=vpcs, expected="1 to 272")
    addresses = 2 * -(-interfaces // max(subnets, 1)) + 8
    per_vpc = -(-subnets // vpcs)
    longest = 32 - (addresses - 1).bit_length()
    shortest = 16 + (per_vpc - 1).bit_length()
    if shortest > longest or shortest > 28:
        raise InputError(
            "the subnets do not fit in a /16 a VPC",
            where="interfaces, subnets, vpcs",
            found=(interfaces, subnets, vpcs),
            hint="give more VPCs, or more subnets for as many interfaces",
        )
    return max(shortest, min(longest, 24))


def _name(vpc: _Vpc) -> str:
    return f"net{vpc.number}"


def _prefix_lists(documents: Documents, ids: Ids) -> dict[str, str]:
    lists = {}
    for name, family, cidrs in (
        ("offices", 4, ["198.51.100.0/26", "198.51.100.128/25", "203.0.113.16/28"]),
        ("offices-v6", 6, ["2001:db8:100::/48", "2001:db8:200::/40"]),
        ("partners", 4, ["192.0.2.0/28", "192.0.2.32/27", "8.8.8.8/32", "198.18.0.0/16"]),
        ("s3", 4, ["3.5.0.0/19", "16.15.176.0/20", "18.34.0.0/19", "52.216.0.0/15", "54.231.0.0/16"]),
    ):
        lists[name] = list_id = "pl-63a5400a" if name == "s3" else ids("pl")
        title, owner = (f"com.amazonaws.{REGION}.s3", "AWS") if name == "s3" else (name, records.OWNER)
        documents["PrefixLists"].append(records.prefix_list(list_id, title, family, len(cidrs), owner))
        documents["ManagedPrefixListEntries"].append(records.prefix_list_entries(list_id, cidrs))
    return lists


def _vpc(documents: Documents, ids: Ids, number: int, ipv6: bool) -> _Vpc:
    first, second = (10, number) if number < 256 else (172, number - 240)
    network = IPv4Network(f"{first}.{second}.0.0/16")
    cidr6 = f"2600:1f18:{number + 0x4000:x}::/56" if ipv6 and number % 4 != 3 else ""
    record = records.vpc(ids("vpc"), [str(network)], [cidr6] if cidr6 else [], name=f"net{number}")
    made = _Vpc(record, number, network, bool(cidr6), cidr6=cidr6, internet_gateway=ids("igw"))
    documents["Vpcs"].append(record)
    documents["InternetGateways"].append(
        records.internet_gateway(made.internet_gateway, [made.vpc_id], name=f"net{number}-igw")
    )
    return made


def _subnet(documents: Documents, ids: Ids, vpc: _Vpc, prefix_length: int) -> None:
    i = len(vpc.subnets)
    cidr = IPv4Network((int(vpc.network.network_address) + (i << (32 - prefix_length)), prefix_length))
    cidr6 = None
    if vpc.ipv6 and i < 256:
        cidr6 = str(IPv6Network((int(IPv6Network(vpc.cidr6).network_address) + (i << 64), 64)))
    zone, tier = "abc"[i // 4 % 3], TIERS[i % 4]
    name = f"{_name(vpc)}-{tier}-{zone}{i // 12}-{i % 4}"
    record = records.subnet(ids("subnet"), vpc.vpc_id, str(cidr), cidr6, zone=zone, name=name)
    vpc.subnets.append(record)
    documents["Subnets"].append(record)


def _tier(index: int) -> str:
    """The tier of the VPC's subnet number `index`."""
    return TIERS[index % 4]


def _group_rules(
    documents: Documents,
    ids: Ids,
    rng: Random,
    made: Sequence[_Vpc],
    lists: Mapping[str, str],
    *,
    wanted: int | None,
    mixed: bool,
) -> None:
    by_group: dict[str, list[Record]] = {}
    for vpc in made:
        for tier, tier_groups in vpc.groups.items():
            for group_id, _ in tier_groups:
                rows = [*_tier_rules(rng, vpc, tier, lists), *_egress_rules(rng, vpc)]
                if mixed and tier != "web":
                    rows += [(False, "tcp", (port, port), "10.0.0.0/8", "other VPCs") for port in (443, TARGET_PORT)]
                by_group[group_id] = [records.group_rule(ids("sgr"), group_id, *row) for row in rows]
    all_groups = [(vpc, group_id) for vpc in made for tier in vpc.groups.values() for group_id, _ in tier]
    written = sum(map(len, by_group.values()))
    missing = 2 * len(all_groups) if wanted is None else wanted - written
    for i in range(max(missing, 0)):
        vpc, group_id = all_groups[i % len(all_groups)]
        row = _other_rule(rng, vpc, lists)
        by_group[group_id].append(records.group_rule(ids("sgr"), group_id, *row))
    for vpc in made:
        for tier_groups in vpc.groups.values():
            for group_id, name in tier_groups:
                group = by_group[group_id]
                documents["SecurityGroups"].append(records.security_group(group_id, vpc.vpc_id, name, group))
                documents["SecurityGroupRules"].extend(group)


_Row = tuple[bool, str, tuple[int, int], str, str | None]


def _tier_rules(rng: Random, vpc: _Vpc, tier: str, lists: Mapping[str, str]) -> list[_Row]:
    """Inbound rules that join the tiers: internet -> web -> app -> db."""
    rows: list[_Row] = [(False, "tcp", (22, 22), lists["offices"], "administrators")]
    if tier == "web":
        for port in (80, 443):
            rows.append((False, "tcp", (port, port), ANYWHERE, "the public"))
            if vpc.ipv6:
                rows.append((False, "tcp", (port, port), ANYWHERE6, "the public"))
        return [*rows, (False, "icmp", (8, -1), str(vpc.network), "ping")]
    source = vpc.groups["web" if tier == "app" else "app"]
    ports = rng.choice([(8080, 8090), (8443, 8443), (9000, 9100)] if tier == "app" else [(5432, 5432), (3306, 3306)])
    remote = rng.choice(source)[0] if source else str(vpc.network)
    rows.append((False, "tcp", ports, remote, f"clients of the {tier} tier"))
    if vpc.ipv6:
        rows.append((False, "tcp", (443, 443), vpc.cidr6, None))
    return [*rows, (False, "udp", (53, 53), str(vpc.network), None)]


def _egress_rules(rng: Random, vpc: _Vpc) -> list[_Row]:
    """All outbound for nine groups of ten, else only to the VPC and to TLS outside."""
    if rng.random() < 0.9:
        rows: list[_Row] = [(True, "-1", (-1, -1), ANYWHERE, None)]
        return [*rows, (True, "-1", (-1, -1), ANYWHERE6, None)] if vpc.ipv6 else rows
    return [
        (True, "tcp", (1, 32767), str(vpc.network), None),
        (True, "tcp", (443, 443), ANYWHERE, None),
        (True, "udp", (53, 53), rng.choice(OUTSIDE), None),
    ]


def _other_rule(rng: Random, vpc: _Vpc, lists: Mapping[str, str]) -> _Row:
    """An inbound rule from somewhere in or outside the VPC."""
    protocol, first, last = rng.choice(SERVICES)
    kind = rng.random()
    if kind < 0.30:
        subnet = rng.choice(vpc.subnets)
        blocks6 = subnet["Ipv6CidrBlockAssociationSet"]
        if blocks6 and kind < 0.05:
            return False, "icmpv6" if protocol == "icmp" else protocol, (first, last), blocks6[0]["Ipv6CidrBlock"], None
        remote = str(subnet["CidrBlock"])
    elif kind < 0.50:
        length = rng.choice((20, 22, 26, 28, 32))
        cidr = IPv4Network(rng.choice(vpc.subnets)["CidrBlock"])
        address = int(cidr.network_address) + rng.randrange(cidr.num_addresses)
        remote = str(IPv4Network((address >> 32 - length << 32 - length, length)))
    elif kind < 0.70:
        groups = vpc.groups[rng.choice(TIERS)] or [group for tier in vpc.groups.values() for group in tier]
        remote = rng.choice(groups)[0]
    elif kind < 0.80:
        remote = str(vpc.network)
    elif kind < 0.90:
        remote = lists[rng.choice(("offices", "partners"))]
    else:
        remote = rng.choice(OUTSIDE)
    return False, protocol, (first, last), remote, None


def _acls(documents: Documents, ids: Ids, rng: Random, vpc: _Vpc, count: int) -> None:
    """The VPC's default ACL and `count - 1` custom ones; every subnet uses one of them."""
    used: list[list[str]] = [[] for _ in range(count)]
    for i, subnet in enumerate(vpc.subnets):
        used[i % count].append(subnet["SubnetId"])
    for i, subnet_ids in enumerate(used):
        if i == 0:
            entries = [
                records.acl_entry(number, egress, "allow", cidr)
                for number, cidr in ((100, ANYWHERE), (101, ANYWHERE6))[: 1 + vpc.ipv6]
                for egress in (True, False)
            ]
        else:
            entries = _custom_entries(rng, vpc)
        documents["NetworkAcls"].append(
            records.network_acl(
                ids("acl"),
                vpc.vpc_id,
                entries,
                default=i == 0,
                subnet_ids=subnet_ids,
                ipv6=vpc.ipv6,
                name=f"{_name(vpc)}-acl-{i}",
            )
        )


def _custom_entries(rng: Random, vpc: _Vpc) -> list[Record]:
    """Denies of bad neighbours, then the VPC, the web ports, and the ephemeral ranges for replies."""
    entry, entries = records.acl_entry, []
    for number in range(10, 10 + 10 * rng.randrange(4), 10):
        egress, cidr = rng.random() < 0.3, rng.choice(OUTSIDE)
        entries.append(entry(number, egress, "deny", cidr))
    if rng.random() < 0.15:
        ports = rng.choice([(5432, 5432), (3306, 3306), (8080, 8090), (22, 22)])
        entries.append(entry(60, False, "deny", rng.choice(vpc.subnets)["CidrBlock"], 6, ports))
    entries.append(entry(80, False, "deny", ANYWHERE, 6, rng.choice([(23, 23), (445, 445), (3389, 3389)])))
    too_few = rng.random() < 0.12  # a common mistake: replies only to the ports Windows uses (NA-16)
    for egress in (False, True):
        if egress and too_few:
            entries.append(entry(100, True, "allow", str(vpc.network), 6, (49152, 65535)))
            entries.append(entry(102, True, "deny", str(vpc.network), 6, (1024, 49151)))
        else:
            entries.append(entry(100, egress, "allow", str(vpc.network)))
        for number, port in ((110, 80), (120, 443)):
            entries.append(entry(number, egress, "allow", ANYWHERE, 6, (port, port)))
        entries.append(entry(130, egress, "allow", ANYWHERE, 6, (1024, 65535)))
        entries.append(entry(140, egress, "allow", ANYWHERE, 17, (1024, 65535)))
        entries.append(entry(150, egress, "allow", ANYWHERE, 1, icmp=(-1, -1)))
        if vpc.ipv6:
            entries.append(entry(101, egress, "allow", vpc.cidr6))
            entries.append(entry(121, egress, "allow", ANYWHERE6, 6, (443, 443)))
            entries.append(entry(131, egress, "allow", ANYWHERE6, 6, (1024, 65535)))
            entries.append(entry(151, egress, "allow", ANYWHERE6, 58, icmp=(128 + egress, -1)))
    entries.append(entry(125, True, "allow", ANYWHERE, 17, (53, 53)))
    entries.append(entry(160, False, "allow", rng.choice(OUTSIDE), 6, (22, 22)))
    return entries


def _interfaces(documents: Documents, ids: Ids, rng: Random, made: Sequence[_Vpc], count: int) -> dict[str, Record]:
    """Interfaces spread over all subnets; returns VPC id -> the interface of its NAT gateway."""
    places = [(vpc, i) for vpc in made for i in range(len(vpc.subnets))]
    free = {vpc.subnets[i]["SubnetId"]: _free_addresses(rng, vpc.subnets[i]) for vpc, i in places}
    nat: dict[str, Record] = {}
    if count >= 20 * len(made):
        for number, vpc in enumerate(made):
            subnet, interface_id, public = vpc.subnets[0], ids("eni"), _public(1_000_000 + number)
            nat[vpc.vpc_id] = record = records.interface(
                interface_id,
                vpc.vpc_id,
                subnet["SubnetId"],
                [(free[subnet["SubnetId"]].pop(), public)],
                kind="nat_gateway",
                description="Interface for NAT Gateway",
                number=1_000_000 + number,
            )
            documents["NetworkInterfaces"].append(record)
            documents["Addresses"].append(
                records.elastic_address(public, interface_id, record["PrivateIpAddress"], None)
            )
    for number in range(count - len(nat)):
        vpc, i = places[number % len(places)]
        _interface(documents, ids, rng, vpc, free[vpc.subnets[i]["SubnetId"]], index=i, number=number)
    return nat


def _free_addresses(rng: Random, subnet: Record) -> list[str]:
    """The subnet's usable addresses, shuffled; without the four first and the last (EN-04)."""
    cidr = IPv4Network(subnet["CidrBlock"])
    base, size = int(cidr.network_address), cidr.num_addresses
    numbers = list(range(base + 4, base + size - 1))
    rng.shuffle(numbers)
    return [str(IPv4Address(number)) for number in numbers]


def _public(number: int) -> str:
    """A public address of its own for each number below 2**20 + 2**16."""
    return str(IPv4Address(int(IPv4Address("54.144.0.0")) + 7 + number))


def _interface(
    documents: Documents, ids: Ids, rng: Random, vpc: _Vpc, free: list[str], *, index: int, number: int
) -> None:
    subnet, tier, interface_id, instance_id = vpc.subnets[index], _tier(index), ids("eni"), ids("i")
    is_public = tier == "web" and rng.random() < 0.7
    addresses: list[tuple[str, str | None]] = [(free.pop(), _public(number) if is_public else None)]
    if rng.random() < 0.06 and free:
        addresses.append((free.pop(), None))
    ipv6 = []
    blocks6 = subnet["Ipv6CidrBlockAssociationSet"]
    if blocks6 and rng.random() < 0.5:
        base = int(IPv6Network(blocks6[0]["Ipv6CidrBlock"]).network_address)
        ipv6.append(str(IPv6Address(base + (rng.randrange(1, 1 << 32) << 32) + number)))
    candidates = vpc.groups[tier] or [group for tier_groups in vpc.groups.values() for group in tier_groups]
    groups = rng.sample(candidates, min(len(candidates), rng.choice((1, 1, 1, 2, 2, 3))))
    name = f"{_name(vpc)}-{tier}-{number}"
    record = records.interface(
        interface_id,
        vpc.vpc_id,
        subnet["SubnetId"],
        addresses,
        ipv6=ipv6,
        groups=groups,
        instance_id=instance_id,
        zone=subnet["AvailabilityZone"][-1],
        name=name,
        number=number,
    )
    documents["NetworkInterfaces"].append(record)
    documents["Reservations"].append(records.reservation(ids, record, instance_id, name))
    if is_public and number % 3 == 0:
        documents["Addresses"].append(
            records.elastic_address(_public(number), interface_id, addresses[0][0], instance_id)
        )


def _route_tables(documents: Documents, ids: Ids, vpc: _Vpc, nat_interface: Record | None, s3_list: str) -> None:
    """Main (db tier: nothing but local), public (web) and private (app) tables, and the gateways they name."""
    local = [records.route(str(vpc.network), "local")] + ([records.route(vpc.cidr6, "local")] if vpc.ipv6 else [])
    peers = [records.route(cidr, peering_id) for cidr, peering_id in vpc.peers]
    public = [records.route(ANYWHERE, vpc.internet_gateway)]
    private = [records.route(s3_list, ids("vpce"))]
    if vpc.ipv6:
        public.append(records.route(ANYWHERE6, vpc.internet_gateway))
        egress_only = ids("eigw")
        documents["EgressOnlyInternetGateways"].append(records.egress_only_gateway(egress_only, [vpc.vpc_id]))
        private.append(records.route(ANYWHERE6, egress_only))
    if nat_interface:
        nat_id = ids("nat")
        documents["NatGateways"].append(records.nat_gateway(nat_id, nat_interface, name=f"{_name(vpc)}-nat"))
        private.append(records.route(ANYWHERE, nat_id))
    web, app = (
        [subnet["SubnetId"] for i, subnet in enumerate(vpc.subnets) if _tier(i) == tier] for tier in ("web", "app")
    )
    name = _name(vpc)
    documents["RouteTables"] += [
        records.route_table(ids("rtb"), vpc.vpc_id, [*local, *peers], main=True, name=f"{name}-main"),
        records.route_table(ids("rtb"), vpc.vpc_id, local + peers + public, subnet_ids=web, name=f"{name}-public"),
        records.route_table(ids("rtb"), vpc.vpc_id, local + peers + private, subnet_ids=app, name=f"{name}-private"),
    ]


def write_snapshot(documents: Mapping[str, Sequence[Any]], folder: str | Path, region: str = REGION) -> Path:
    """The written `folder/region`: one JSON file for each top-level key, the same bytes for the same documents."""
    place = Path(folder) / region
    place.mkdir(parents=True, exist_ok=True)
    for key, rows in documents.items():
        text = json.dumps({key: rows}, indent=1, ensure_ascii=False)
        (place / f"{key}.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    return place
