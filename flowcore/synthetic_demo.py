"""The bundled example: a small web shop in AWS, and an hour of its flow log.

VPC `shop` has public web servers, private application servers and jobs, and a data tier, over two zones and with IPv6.
VPC `tools` has a bastion, build machines and monitoring. Three mistakes are left in for the reader to find: the data
tier's network ACL forgets the source ports above 60999, `tools` keeps a route to a deleted peering connection, and a
group rule still names the old database port.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from . import synthetic_records as records
from .synthetic_records import Documents, Ids, Record

ANYWHERE, ANYWHERE6 = "0.0.0.0/0", "::/0"
SHOP, SHOP6, TOOLS = "10.20.0.0/16", "2600:1f18:20ab:cd00::/56", "10.30.0.0/16"
OFFICES = ("203.0.113.0/26", "203.0.113.128/27")
#: subnet name -> (IPv4 CIDR, IPv6 CIDR, zone)
SUBNETS: dict[str, tuple[str, str | None, str]] = {
    "shop-web-a": ("10.20.0.0/24", "2600:1f18:20ab:cd00::/64", "a"),
    "shop-web-b": ("10.20.1.0/24", "2600:1f18:20ab:cd01::/64", "b"),
    "shop-app-a": ("10.20.10.0/24", "2600:1f18:20ab:cd10::/64", "a"),
    "shop-app-b": ("10.20.11.0/24", "2600:1f18:20ab:cd11::/64", "b"),
    "shop-data-a": ("10.20.20.0/24", None, "a"),
    "shop-data-b": ("10.20.21.0/24", None, "b"),
    "tools-public-a": ("10.30.0.0/24", None, "a"),
    "tools-private-a": ("10.30.10.0/24", None, "a"),
}
#: host name -> (number of hosts, subnets they alternate over, group)
HOSTS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "web": (12, ("shop-web-a", "shop-web-b"), "web"),
    "app": (24, ("shop-app-a", "shop-app-b"), "app"),
    "job": (8, ("shop-app-a", "shop-app-b"), "job"),
    "cache": (4, ("shop-data-a", "shop-data-b"), "cache"),
    "db": (6, ("shop-data-a", "shop-data-b"), "db"),
    "bastion": (2, ("tools-public-a",), "bastion"),
    "build": (8, ("tools-private-a",), "build"),
    "monitor": (4, ("tools-private-a",), "monitor"),
}
_Rule = tuple[bool, str, tuple[int, int], str, str]
_ALL: tuple[_Rule, ...] = (
    (True, "-1", (-1, -1), ANYWHERE, "anything out"),
    (True, "-1", (-1, -1), ANYWHERE6, "anything out"),
)
#: group -> its rules; a remote that is a group's name stands for that group, `offices` for the prefix list.
GROUPS: dict[str, tuple[_Rule, ...]] = {
    "web": (
        (False, "tcp", (443, 443), ANYWHERE, "customers"),
        (False, "tcp", (443, 443), ANYWHERE6, "customers"),
        (False, "tcp", (80, 80), ANYWHERE, "redirect to 443"),
        (False, "tcp", (22, 22), "offices", "administrators"),
        (False, "icmp", (8, -1), ANYWHERE, "ping"),
        *_ALL,
    ),
    "app": (
        (False, "tcp", (8080, 8081), "web", "requests"),
        (False, "tcp", (8443, 8443), SHOP6, "requests over IPv6"),
        *_ALL,
    ),
    "job": (*_ALL,),
    "cache": ((False, "tcp", (6379, 6379), "app", "sessions"), *_ALL),
    "db": (
        (False, "tcp", (5432, 5432), "app", "queries"),
        (False, "tcp", (5432, 5432), "job", "reports"),
        (False, "tcp", (3306, 3306), "10.20.11.0/24", "old database, to be removed"),
        (True, "tcp", (5432, 5432), "db", "replication"),
    ),
    "bastion": ((False, "tcp", (22, 22), "offices", "administrators"), *_ALL),
    "build": (
        (False, "tcp", (22, 22), "bastion", "administrators"),
        (False, "tcp", (9100, 9100), "monitor", "metrics"),
        *_ALL,
    ),
    "monitor": ((False, "tcp", (22, 22), "bastion", "administrators"), *_ALL),
}


@dataclass(frozen=True)
class _Named:
    """Ids by name."""

    ids: Ids
    known: dict[str, str]

    def __call__(self, prefix: str, name: str) -> str:
        """The id of the thing of this kind and name, made at first asking."""
        key = f"{prefix} {name}"
        if key not in self.known:
            self.known[key] = self.ids(prefix)
        return self.known[key]


def demo_documents() -> Documents:
    """The example network as describe-* JSON by top-level key; always the same."""
    name = _Named(Ids(2026), {})
    shop, tools = name("vpc", "shop"), name("vpc", "tools")
    documents: Documents = {
        "Vpcs": [records.vpc(shop, [SHOP], [SHOP6], name="shop"), records.vpc(tools, [TOOLS], name="tools")],
        "Subnets": [
            records.subnet(name("subnet", key), name("vpc", key.split("-")[0]), cidr, cidr6, zone=zone, name=key)
            for key, (cidr, cidr6, zone) in SUBNETS.items()
        ],
        "InternetGateways": [
            records.internet_gateway(name("igw", key), [name("vpc", key)], name=f"{key}-internet")
            for key in ("shop", "tools")
        ],
        "EgressOnlyInternetGateways": [
            records.egress_only_gateway(name("eigw", "shop"), [shop], name="shop-egress-only")
        ],
        "PrefixLists": [records.prefix_list(name("pl", "offices"), "offices", 4, len(OFFICES))],
        "ManagedPrefixListEntries": [records.prefix_list_entries(name("pl", "offices"), OFFICES)],
        "NetworkAcls": _acls(name),
        "NetworkInterfaces": [],
        "Reservations": [],
        "Addresses": [],
    }
    _groups(documents, name)
    _hosts(documents, name)
    documents["RouteTables"] = _route_tables(name)
    return documents


def _groups(documents: Documents, name: _Named) -> None:
    documents["SecurityGroups"], documents["SecurityGroupRules"] = [], []
    for group, rules in GROUPS.items():
        group_id, rows = name("sg", group), []
        for egress, protocol, ports, remote, text in rules:
            target = name("sg", remote) if remote in GROUPS else remote
            target = name("pl", remote) if remote == "offices" else target
            rows.append(records.group_rule(name.ids("sgr"), group_id, egress, protocol, ports, target, text))
        vpc = "tools" if group in ("bastion", "build", "monitor") else "shop"
        documents["SecurityGroups"].append(records.security_group(group_id, name("vpc", vpc), f"{vpc}-{group}", rows))
        documents["SecurityGroupRules"] += rows


def _hosts(documents: Documents, name: _Named) -> None:
    number = 0
    for host, (count, subnets, group) in HOSTS.items():
        for i in range(count):
            number += 1
            subnet = subnets[i % len(subnets)]
            cidr, cidr6, zone = SUBNETS[subnet]
            offset = 10 + i // len(subnets) + (100 if host in ("job", "db", "monitor") else 0)
            private = str(IPv4Address(int(IPv4Network(cidr).network_address) + offset))
            public = f"54.144.20.{number}" if host in ("web", "bastion") else None
            ipv6 = [str(IPv6Address(int(IPv6Network(cidr6).network_address) + offset))] if cidr6 else []
            title, vpc = f"{host}-{i + 1}", subnet.split("-")[0]
            record = records.interface(
                name("eni", title),
                name("vpc", vpc),
                name("subnet", subnet),
                [(private, public)],
                ipv6=ipv6,
                groups=[(name("sg", group), f"{vpc}-{group}")],
                instance_id=name("i", title),
                zone=zone,
                description=f"{title} in {subnet}",
                name=title,
                number=number,
            )
            documents["NetworkInterfaces"].append(record)
            documents["Reservations"].append(records.reservation(name.ids, record, name("i", title), title))
            if public:
                row = records.elastic_address(public, name("eni", title), private, name("i", title))
                documents["Addresses"].append(row)
    nat = records.interface(
        name("eni", "shop-nat"),
        name("vpc", "shop"),
        name("subnet", "shop-web-a"),
        [("10.20.0.250", "54.144.20.250")],
        kind="nat_gateway",
        description="Interface for NAT Gateway",
        number=250,
    )
    documents["NetworkInterfaces"].append(nat)
    documents["NatGateways"] = [records.nat_gateway(name("nat", "shop"), nat, name="shop-nat")]
    documents["Addresses"].append(
        records.elastic_address("54.144.20.250", name("eni", "shop-nat"), "10.20.0.250", None)
    )


def _acls(name: _Named) -> list[Record]:
    entry = records.acl_entry
    everything = [
        entry(number, egress, "allow", cidr)
        for number, cidr in ((100, ANYWHERE), (101, ANYWHERE6))
        for egress in (False, True)
    ]
    web = [
        entry(90, False, "deny", "198.51.100.0/24"),  # a network that attacked once
        entry(100, False, "allow", ANYWHERE, 6, (443, 443)),
        entry(101, False, "allow", ANYWHERE6, 6, (443, 443)),
        entry(110, False, "allow", ANYWHERE, 6, (80, 80)),
        entry(120, False, "allow", OFFICES[0], 6, (22, 22)),
        entry(121, False, "allow", OFFICES[1], 6, (22, 22)),
        entry(130, False, "allow", ANYWHERE, 1, icmp=(-1, -1)),
        entry(140, False, "allow", ANYWHERE, 6, (1024, 65535)),
        entry(141, False, "allow", ANYWHERE6, 6, (1024, 65535)),
        entry(150, False, "allow", ANYWHERE, 17, (1024, 65535)),
        *(row for row in everything if row["Egress"]),
    ]
    data = [
        entry(100, False, "allow", "10.20.10.0/23", 6, (5432, 5432)),
        entry(110, False, "allow", "10.20.10.0/23", 6, (6379, 6379)),
        entry(120, False, "allow", "10.20.20.0/23"),
        entry(100, True, "allow", "10.20.10.0/23", 6, (32768, 60999)),
        entry(120, True, "allow", "10.20.20.0/23"),
    ]

    def acl(title: str, vpc: str, entries: list[Record], subnets: tuple[str, ...], default: bool = False) -> Record:
        used = [name("subnet", subnet) for subnet in subnets]
        return records.network_acl(
            name("acl", title),
            name("vpc", vpc),
            entries,
            default=default,
            subnet_ids=used,
            ipv6=vpc == "shop",
            name=title,
        )

    four = [row for row in everything if "CidrBlock" in row]
    return [
        acl("shop-default", "shop", everything, ("shop-app-a", "shop-app-b"), default=True),
        acl("shop-web", "shop", web, ("shop-web-a", "shop-web-b")),
        acl("shop-data", "shop", data, ("shop-data-a", "shop-data-b")),
        acl("tools-default", "tools", four, ("tools-public-a", "tools-private-a"), default=True),
    ]


def _route_tables(name: _Named) -> list[Record]:
    shop = [records.route(SHOP, "local"), records.route(SHOP6, "local")]
    tools = [records.route(TOOLS, "local"), records.route(SHOP, name("pcx", "deleted"), state="blackhole")]

    def table(title: str, routes: list[Record], subnets: tuple[str, ...] = (), main: bool = False) -> Record:
        used = [name("subnet", subnet) for subnet in subnets]
        vpc_id = name("vpc", title.partition("-")[0])
        return records.route_table(name("rtb", title), vpc_id, routes, main=main, subnet_ids=used, name=title)

    to_internet = [records.route(cidr, name("igw", "shop")) for cidr in (ANYWHERE, ANYWHERE6)]
    out_only = [records.route(ANYWHERE, name("nat", "shop")), records.route(ANYWHERE6, name("eigw", "shop"))]
    return [
        table("shop-main", shop, main=True),
        table("shop-public", shop + to_internet, ("shop-web-a", "shop-web-b")),
        table("shop-private", shop + out_only, ("shop-app-a", "shop-app-b")),
        table("tools-main", tools, main=True),
        table("tools-public", [*tools, records.route(ANYWHERE, name("igw", "tools"))], ("tools-public-a",)),
    ]
