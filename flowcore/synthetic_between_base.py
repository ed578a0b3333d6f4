"""A small network under construction, for `synthetic_between`: VPCs with subnets, route tables, interfaces, groups.

Each subnet is a `Place` with a `Table` that features put routes into. Kinds of flaw are drawn once a network, as in
`synthetic_edges`, so that most flows get past most of what stands in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from random import Random
from typing import TypeVar

from . import synthetic_records as records
from .synthetic_records import Documents, Ids, Record

ANYWHERE, ANYWHERE6 = "0.0.0.0/0", "::/0"
#: Networks on the other side of VPN and Direct Connect.
ON_PREMISES = ("192.168.0.0/16", "192.168.10.0/24", "10.200.0.0/16", "198.18.0.0/15")
VPC_CIDRS = ("10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.1.0.0/24", "172.16.0.0/24", "100.64.0.0/24")
#: Of the prefix list of S3.
S3_CIDRS = ("52.216.0.0/15", "54.231.0.0/16")
#: What listeners, group rules and ACL entries ask about.
PORTS = (80, 443, 8080, 8443, 53, 22)

_T = TypeVar("_T")


@dataclass(eq=False)
class Table:
    """A route table under construction; the first route put for a destination stays."""

    table_id: str
    vpc_id: str
    main: bool = False
    subnet_ids: list[str] = field(default_factory=list)
    gateway_ids: list[str] = field(default_factory=list)
    routes: dict[str, Record] = field(default_factory=dict)

    def put(self, destination: str, target: str, *, state: str = "active", origin: str | None = None) -> None:
        """Add a route unless the table has one for the destination."""
        self.routes.setdefault(destination, records.route(destination, target, state=state, origin=origin))


@dataclass(eq=False)
class Place:
    """A subnet under construction."""

    subnet_id: str
    vpc_id: str
    cidr: IPv4Network
    cidr6: IPv6Network | None
    zone: str
    table: Table
    used: int = 0


@dataclass(eq=False)
class Host:
    """An interface of an instance, as far as features need it."""

    interface_id: str
    instance_id: str
    address: str
    place: Place


@dataclass(eq=False)
class Cloud:
    """A VPC under construction."""

    record: Record
    places: list[Place] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    """The first lets all in and out; the second has references; the third has narrow rules."""
    hosts: list[Host] = field(default_factory=list)
    gateway_id: str | None = None
    vpn_gateway_id: str | None = None
    edge_tables: list[Table] = field(default_factory=list)

    @property
    def vpc_id(self) -> str:
        return str(self.record["VpcId"])

    @property
    def cidr(self) -> str:
        """Its primary CIDR."""
        return str(self.record["CidrBlock"])

    @property
    def cidr6(self) -> str | None:
        """Its IPv6 CIDR, if any."""
        blocks = self.record.get("Ipv6CidrBlockAssociationSet")
        return str(blocks[0]["Ipv6CidrBlock"]) if blocks else None


@dataclass
class Between:
    """The network under construction."""

    rng: Random
    ids: Ids
    documents: Documents
    clouds: list[Cloud] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    flaws: dict[str, bool] = field(default_factory=dict)
    count: int = 0
    """Interfaces made."""

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def flaw(self, kind: str, share: float) -> bool:
        """Whether a flaw of this kind is put here; `share` among the places of networks that may have it."""
        if kind not in self.flaws:
            self.flaws[kind] = self.chance(0.22)
        return self.chance(share) and self.flaws[kind]

    def pick(self, *weighted: tuple[_T, float]) -> _T:
        """One of the values by weight."""
        values, weights = zip(*weighted, strict=True)
        chosen: _T = self.rng.choices(values, weights)[0]
        return chosen

    def add(self, key: str, record: Record) -> Record:
        """Append to the documents."""
        self.documents.setdefault(key, []).append(record)
        return record

    def public(self) -> str:
        """A public address of its own for the interface made next."""
        return f"54.144.{self.count >> 8}.{self.count & 255}"

    def free_address(self, place: Place) -> str:
        """The next free address of the subnet, so that VPCs with one CIDR have the same addresses."""
        place.used += 1
        return str(IPv4Address(int(place.cidr.network_address) + 3 + place.used))

    def interface(
        self,
        place: Place,
        *,
        kind: str = "interface",
        groups: list[str] | None = None,
        public: bool = False,
        ipv6: bool = False,
        instance_id: str | None = None,
        description: str = "",
        addresses: int = 1,
    ) -> Record:
        """A new interface in `place`, added to the documents."""
        self.count += 1
        own: list[tuple[str, str | None]] = [(self.free_address(place), self.public() if public else None)]
        own += [(self.free_address(place), None) for _ in range(addresses - 1)]
        six = [str(IPv6Address(int(place.cidr6.network_address) + 16 + self.count))] if ipv6 and place.cidr6 else []
        record = records.interface(
            self.ids("eni"),
            place.vpc_id,
            place.subnet_id,
            own,
            ipv6=six,
            groups=[(group_id, group_id[-4:]) for group_id in groups or ()],
            instance_id=instance_id,
            zone=place.zone,
            kind=kind,
            description=description,
            number=self.count,
        )
        return self.add("NetworkInterfaces", record)

    def host(self, cloud: Cloud, place: Place, *, public: bool = False) -> Record:
        """An instance with one interface in one or two of the VPC's groups."""
        chosen = [self.pick(*zip(cloud.groups, (8, 3, 2), strict=True))]
        if self.chance(0.15):
            chosen.append(cloud.groups[1])
        if self.flaw("hosts without groups", 0.1):
            chosen = []
        instance_id = self.ids("i")
        record = self.interface(
            place,
            groups=sorted(set(chosen)),
            public=public,
            ipv6=self.chance(0.7),
            instance_id=instance_id,
            addresses=2 if self.chance(0.1) else 1,
        )
        if self.flaw("detached", 0.1):
            record["Status"] = "available"
            del record["Attachment"]
        else:
            self.add("Reservations", records.reservation(self.ids, record, instance_id, None))
        cloud.hosts.append(Host(str(record["NetworkInterfaceId"]), instance_id, str(record["PrivateIpAddress"]), place))
        return record

    def spread(
        self, cloud: Cloud, destination: str, target: str, *, share: float = 0.8, home: Place | None = None
    ) -> None:
        """Put a route into most of the VPC's tables that have none for the destination.

        `home`: where the target is; its own table seldom gets the route, for that makes a circle.
        """
        for table in cloud.tables:
            if self.chance(share) and (home is None or table is not home.table or self.chance(0.1)):
                state = "blackhole" if self.flaw("black holes", 0.15) else "active"
                table.put(destination, target, state=state)
