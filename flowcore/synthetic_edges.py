"""Small networks that are wrong and overlapping on purpose, as describe-* JSON: food for comparing tests.

Addresses, ports and prefixes come from small pools, so that rules nest, touch, repeat and contradict each other.
Records are missing, dangling, detached and stale with a chance of their own. All of it is valid describe-* JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from random import Random

from . import synthetic_records as records
from .synthetic_records import OWNER, REGION, Documents, Ids, Record

ANYWHERE, ANYWHERE6 = "0.0.0.0/0", "::/0"
#: Primary CIDRs: several inside each other's neighbourhood, one public range, one RFC 6598.
VPC_CIDRS = ("10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/23", "172.16.0.0/24", "100.64.0.0/24", "52.95.8.0/24")
VPC_CIDRS6 = ("2600:1f18:1::/56", "2600:1f18:2::/56", "2600:1f18:1:100::/56", "fd00:1::/56")
OUTSIDE = ("203.0.113.0/24", "203.0.113.0/25", "203.0.113.128/26", "203.0.113.7/32", "198.51.100.0/24", "8.8.8.8/32")
OUTSIDE6 = ("2001:db8:1::/48", "2001:db8:1:2::/64", "2001:db8:1:2::7/128", "2001:db8::/32")
#: Ranges whose ends touch and nest.
PORTS = ((80, 80), (79, 81), (81, 90), (443, 443), (0, 65535), (0, 0), (65535, 65535), (1024, 65535), (32768, 65535),
         (32768, 60999), (0, 1023), (1024, 32767), (22, 443), (53, 53), (8080, 8090), (8091, 8100))  # fmt: skip
ICMP_PAIRS = ((-1, -1), (8, -1), (8, 0), (0, -1), (0, 0), (3, 4), (3, -1), (13, 0), (11, -1), (14, -1))
ICMPV6_PAIRS = ((-1, -1), (128, -1), (128, 0), (129, -1), (129, 0), (2, 0), (1, -1), (135, -1))
GROUP_PROTOCOLS = ("tcp", "tcp", "tcp", "tcp", "udp", "udp", "icmp", "icmp", "icmpv6", "-1",
                   "50", "47", "132", "6", "58")  # fmt: skip
ACL_PROTOCOLS = (6, 6, 6, 6, 17, 17, 1, 1, 58, -1, -1, 50, 47, 132)
TARGET_KINDS = ("igw", "igw-undescribed", "igw-detached", "eigw", "eigw-undescribed", "nat", "eni", "tgw", "pcx", "vgw",
                "vpce", "vpce-s3", "cagw", "lgw", "core", "odb", "local", "unknown")  # fmt: skip
KINDS = ("nat_gateway", "load_balancer", "network_load_balancer", "transit_gateway", "vpc_endpoint",
         "gateway_load_balancer", "gateway_load_balancer_endpoint", "lambda")  # fmt: skip


@dataclass
class _Edge:
    """The network under construction."""

    rng: Random
    ids: Ids
    documents: Documents
    vpcs: list[Record] = field(default_factory=list)
    subnets: list[Record] = field(default_factory=list)
    interfaces: list[Record] = field(default_factory=list)
    groups: list[tuple[str, str]] = field(default_factory=list)
    """(group id, VPC id)."""
    lists: list[str] = field(default_factory=list)
    gateways: dict[str, str] = field(default_factory=dict)
    """VPC id -> its internet gateway, attached or not."""
    peerings: list[str] = field(default_factory=list)
    addresses: set[tuple[str, str]] = field(default_factory=set)
    """(VPC id, address) given out."""

    flaws: dict[str, bool] = field(default_factory=dict)
    """Kinds of flaw this network may have: four networks of ten each, so that few flows meet several at once."""

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def flaw(self, kind: str, share: float) -> bool:
        """Whether a flaw of this kind is put here; `share` among the places of networks that may have it."""
        if kind not in self.flaws:
            self.flaws[kind] = self.chance(0.4)
        return self.chance(share) and self.flaws[kind]


def edge_documents(seed: int) -> Documents:
    """A small network (2-4 VPCs, 3-8 subnets, 5-15 interfaces) whose rules overlap and whose records have holes.

    The same for the same seed. Valid describe-* JSON by top-level key; whole keys are missing now and then. What
    can occur: docs/synth.md.
    """
    rng = Random(f"edge {seed}")
    edge = _Edge(rng, Ids(seed), {})
    _vpcs(edge)
    _subnets(edge)
    for vpc in edge.vpcs:
        edge.groups += [(edge.ids("sg"), vpc["VpcId"]) for _ in range(rng.randint(1, 3))]
    _prefix_lists(edge)
    _peerings(edge)
    for number in range(rng.randint(5, 15)):
        _interface(edge, number)
    _internet_gateways(edge)
    _groups(edge)
    _acls(edge)
    _route_tables(edge)
    _edge_tables(edge)
    _block_public_access(edge)
    _instances(edge)
    _holes(edge)
    return edge.documents


def _vpcs(edge: _Edge) -> None:
    rng = edge.rng
    count = rng.randint(2, 4)
    cidrs = rng.sample(VPC_CIDRS, count)
    if edge.chance(0.2):
        cidrs[1] = cidrs[0]
    cidrs6 = rng.sample(VPC_CIDRS6, count)
    for cidr, cidr6 in zip(cidrs, cidrs6, strict=True):
        more = ["10.0.4.0/25"] if edge.chance(0.2) else []
        v6 = [cidr6] if edge.chance(0.7) else []
        vpc = records.vpc(edge.ids("vpc"), [cidr, *more], v6)
        if edge.chance(0.1):
            vpc["CidrBlockAssociationSet"].append(
                {
                    "AssociationId": "vpc-cidr-assoc-0123456789abcdef0",
                    "CidrBlock": "10.0.5.0/24",
                    "CidrBlockState": {"State": rng.choice(("disassociated", "associating", "failed"))},
                }
            )
        edge.vpcs.append(vpc)
    edge.documents["Vpcs"] = edge.vpcs


def _subnets(edge: _Edge) -> None:
    rng = edge.rng
    for i in range(rng.choice((3, 4, 5, 6, 6, 7, 8, 8))):
        vpc = edge.vpcs[0 if edge.chance(0.4) else i % len(edge.vpcs)]
        blocks = [block["CidrBlock"] for block in vpc["CidrBlockAssociationSet"]]
        parent = IPv4Network(rng.choice(blocks))
        part = list(parent.subnets(new_prefix=max(parent.prefixlen, rng.choice((26, 27, 28)))))
        taken = [IPv4Network(own["CidrBlock"]) for own in edge.subnets if own["VpcId"] == vpc["VpcId"]]
        part = [network for network in part if not any(network.overlaps(own) for own in taken)]
        if not part:
            continue
        cidr, cidr6 = str(rng.choice(part[:3])), None
        if edge.flaw("subnet outside its VPC", 0.1):
            cidr = "192.168.77.0/28"  # outside the VPC's CIDRs
        if "Ipv6CidrBlockAssociationSet" in vpc and edge.chance(0.8):
            base = IPv6Network(vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"])
            cidr6 = str(IPv6Network((int(base.network_address) + (rng.randrange(3) << 64), 64)))
        vpc_id = edge.ids("vpc") if edge.flaw("subnet of an undescribed VPC", 0.1) else vpc["VpcId"]
        edge.subnets.append(records.subnet(edge.ids("subnet"), vpc_id, cidr, cidr6, zone=rng.choice("ab")))
    edge.documents["Subnets"] = edge.subnets


def _prefix_lists(edge: _Edge) -> None:
    rng, documents = edge.rng, edge.documents
    documents["PrefixLists"], documents["ManagedPrefixListEntries"] = [], []
    last: dict[int, list[str]] = {4: [], 6: []}
    for i in range(rng.randint(1, 4)):
        list_id, family = edge.ids("pl"), rng.choice((4, 4, 6))
        edge.lists.append(list_id)
        inside = [vpc["CidrBlock"] for vpc in edge.vpcs] + ["10.0.0.0/16", "10.0.0.0/28"]
        pool = [*OUTSIDE, *inside] if family == 4 else [*OUTSIDE6, "2600:1f18:1::/48"]
        cidrs = rng.sample(pool, rng.randint(0 if edge.chance(0.1) else 1, 3))
        if last[family] and edge.chance(0.7):
            cidrs = [*last[family][:1], *(cidr for cidr in cidrs if cidr != last[family][0])]
        last[family] = cidrs
        kind = rng.random()
        if kind < 0.15:
            continue  # not described at all
        if kind < 0.25:  # describe-prefix-lists: the entries inline
            documents["PrefixLists"].append({"PrefixListId": list_id, "PrefixListName": f"list{i}", "Cidrs": cidrs})
            continue
        if kind < 0.90:
            documents["PrefixLists"].append(records.prefix_list(list_id, f"list{i}", family, len(cidrs)))
        if kind > 0.40:
            documents["ManagedPrefixListEntries"].append(records.prefix_list_entries(list_id, cidrs))


def _peerings(edge: _Edge) -> None:
    rng = edge.rng
    rows = []
    for i, vpc in enumerate(edge.vpcs):
        for other in edge.vpcs[i + 1 :]:
            if not edge.chance(0.4):
                continue
            status = rng.choice(("active", "active", "active", "pending-acceptance", "deleted", "expired"))
            region = "eu-west-1" if edge.chance(0.1) else REGION
            row = records.peering(edge.ids("pcx"), vpc, other, status=status, accepter_region=region)
            edge.peerings.append(row["VpcPeeringConnectionId"])
            rows.append(row)
    if rows and edge.chance(0.2):  # to a VPC of another account that is not described
        far = records.vpc(edge.ids("vpc"), ["10.9.0.0/24"])
        rows.append(records.peering(edge.ids("pcx"), edge.vpcs[0], far))
        edge.groups.append((edge.ids("sg"), far["VpcId"]))
    edge.documents["VpcPeeringConnections"] = rows


def _free_address(edge: _Edge, vpc_id: str, cidr: str) -> str:
    """An address of the CIDR's first few not used in this VPC (so that two VPCs often give the same one)."""
    network = IPv4Network(cidr)
    for offset in range(4, network.num_addresses - 1):
        address = str(IPv4Address(int(network.network_address) + offset))
        if (vpc_id, address) not in edge.addresses and edge.chance(0.7):
            edge.addresses.add((vpc_id, address))
            return address
    return str(IPv4Address(int(network.network_address) + edge.rng.randrange(4, network.num_addresses - 1)))


def _interface(edge: _Edge, number: int) -> None:
    rng = edge.rng
    subnet = rng.choice(edge.subnets)
    vpc_id, cidr = subnet["VpcId"], subnet["CidrBlock"]
    kind = rng.choice(KINDS) if edge.flaw("interface types", 0.3) else "interface"
    addresses: list[tuple[str, str | None]] = []
    for i in range(2 if edge.chance(0.25) else 1):
        public = f"54.144.0.{10 + number + 40 * i}" if edge.chance(0.6) else None
        if public and edge.flaw("public address twice", 0.1):
            public = "54.144.0.10"  # the public address of another interface, too
        addresses.append((_free_address(edge, vpc_id, cidr), public))
    ipv6 = []
    if subnet["Ipv6CidrBlockAssociationSet"] and edge.chance(0.8):
        base = int(IPv6Network(subnet["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]).network_address)
        ipv6 = [str(IPv6Address(base + 16 + number))]
    own = [group_id for group_id, group_vpc in edge.groups if group_vpc == vpc_id]
    chosen = rng.sample(own, min(len(own), rng.choice((0, 1, 1, 1, 2))))
    if edge.flaw("group not described", 0.12):
        chosen.append(edge.ids("sg"))  # not described
    record = records.interface(
        edge.ids("eni"),
        vpc_id,
        subnet["SubnetId"],
        addresses,
        ipv6=ipv6,
        groups=[(group_id, group_id[-4:]) for group_id in chosen],
        instance_id=edge.ids("i") if kind == "interface" else None,
        kind=kind,
        number=number,
    )
    _disturb(edge, record, cidr, subnet)
    edge.interfaces.append(record)


def _disturb(edge: _Edge, record: Record, cidr: str, subnet: Record) -> None:
    """What is unusual about an interface."""
    rng = edge.rng
    if edge.flaw("groups unknown", 0.12):
        del record["Groups"]
    if edge.flaw("no source check", 0.25):
        record["SourceDestCheck"] = False
    if edge.flaw("detached", 0.12) and record["InterfaceType"] == "interface":
        record["Status"] = rng.choice(("available", "detaching", "attaching"))
        del record["Attachment"]
    if edge.chance(0.10):
        record["DenyAllIgwTraffic"] = True
    base = int(IPv4Network(cidr).broadcast_address) & ~15  # the last /28 of the subnet
    prefix = f"{IPv4Address(base)}/28"
    if edge.chance(0.15) and IPv4Network(cidr).prefixlen < 27 and (record["VpcId"], prefix) not in edge.addresses:
        edge.addresses.add((record["VpcId"], prefix))
        record["Ipv4Prefixes"] = [{"Ipv4Prefix": prefix}]
    if edge.chance(0.08) and subnet["Ipv6CidrBlockAssociationSet"]:
        base6 = int(IPv6Network(subnet["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]).network_address)
        record["Ipv6Prefixes"] = [{"Ipv6Prefix": str(IPv6Network((base6 + (rng.randrange(1, 3) << 48), 80)))}]


def _internet_gateways(edge: _Edge) -> None:
    edge.documents["InternetGateways"], edge.documents["EgressOnlyInternetGateways"] = [], []
    edge.documents["VpnGateways"] = []
    for vpc in edge.vpcs:
        vpc_id = vpc["VpcId"]
        if edge.chance(0.92):
            edge.gateways[vpc_id] = gateway = edge.ids("igw")
            row = records.internet_gateway(gateway, [] if edge.flaw("gateway detached", 0.3) else [vpc_id])
            if row["Attachments"] and edge.flaw("gateway detached", 0.1):
                row["Attachments"][0]["State"] = "detaching"
            if not edge.flaw("gateway not described", 0.25):
                edge.documents["InternetGateways"].append(row)
        if edge.chance(0.15):
            edge.documents["VpnGateways"].append(
                {
                    "VpnGatewayId": edge.ids("vgw"),
                    "State": "available",
                    "Type": "ipsec.1",
                    "VpcAttachments": [{"State": edge.rng.choice(("attached", "detached")), "VpcId": vpc_id}],
                    "AmazonSideAsn": 64512,
                    "Tags": [],
                }
            )


def _inside(edge: _Edge, vpc_id: str | None = None) -> list[str]:
    """CIDRs that nest around the interfaces (of one VPC)."""
    found = [ANYWHERE, "10.0.0.0/8", "10.0.0.0/16"]
    for subnet in edge.subnets:
        if vpc_id in (None, subnet["VpcId"]):
            found += [subnet["CidrBlock"], str(IPv4Network(subnet["CidrBlock"]).supernet(1))]
            found += [block["Ipv6CidrBlock"] for block in subnet["Ipv6CidrBlockAssociationSet"]] * 2
    for vpc in edge.vpcs:
        if vpc_id in (None, vpc["VpcId"]):
            found += [vpc["CidrBlock"], *(b["Ipv6CidrBlock"] for b in vpc.get("Ipv6CidrBlockAssociationSet", ()))]
    for interface in edge.interfaces:
        if vpc_id in (None, interface["VpcId"]):
            address = IPv4Address(interface["PrivateIpAddress"])
            length = edge.rng.choice((32, 32, 31, 30, 29))
            found.append(str(IPv4Network((int(address) >> 32 - length << 32 - length, length))))
            found += [f"{own['Ipv6Address']}/128" for own in interface["Ipv6Addresses"]]
    return found


def _groups(edge: _Edge) -> None:
    rows, rules = [], []
    described = {vpc["VpcId"] for vpc in edge.vpcs}
    for number, (group_id, vpc_id) in enumerate(edge.groups):
        if vpc_id not in described:
            continue
        own: list[Record] = []
        for egress in (False, True):
            count = edge.rng.choice((0, 1, 2, 3, 4, 6) if not egress else (0, 1, 1, 2, 3))
            if egress and edge.flaw("groups of unknown peers", 0.5):
                far = {"GroupId": edge.ids("sg"), "UserId": OWNER, "VpcId": edge.ids("vpc"), "PeeringStatus": "active"}
                own.append(records.group_rule(edge.ids("sgr"), group_id, True, "tcp", (0, 65535), far))
            elif egress and edge.chance(0.85):
                own.append(records.group_rule(edge.ids("sgr"), group_id, True, "-1", (-1, -1), ANYWHERE))
                if edge.chance(0.7):
                    own.append(records.group_rule(edge.ids("sgr"), group_id, True, "-1", (-1, -1), ANYWHERE6))
            if not egress and edge.chance(0.7):
                own += _open_rules(edge, group_id)
            own += [_group_rule(edge, group_id, vpc_id, egress) for _ in range(count)]
        if not edge.flaw("group not described", 0.12):
            rows.append(records.security_group(group_id, vpc_id, f"group{number}", own))
            rules += own
    edge.documents["SecurityGroups"] = rows
    if not edge.chance(0.3):  # else the rules are only in the groups' permissions
        edge.documents["SecurityGroupRules"] = rules


def _open_rules(edge: _Edge, group_id: str) -> list[Record]:
    """A wide inbound rule or two, so that later stages are reached."""
    rng, rows = edge.rng, []
    if edge.flaw("groups for some ICMP", 0.5):
        four, six = rng.choice(ICMP_PAIRS[1:]), rng.choice(ICMPV6_PAIRS[1:])
        some = (("icmp", four, ANYWHERE), ("icmpv6", six, ANYWHERE6))
        return [records.group_rule(edge.ids("sgr"), group_id, False, *rule) for rule in some]
    if edge.flaw("open groups", 0.8):
        sides = (ANYWHERE, ANYWHERE6)
        return [records.group_rule(edge.ids("sgr"), group_id, False, "-1", (-1, -1), remote) for remote in sides]
    for remote in rng.choice(((ANYWHERE,), (ANYWHERE6,), (ANYWHERE, ANYWHERE6), ("10.0.0.0/8", group_id))):
        protocol, ports = rng.choice((("tcp", (0, 65535)), ("-1", (-1, -1)), ("tcp", (1, 32767)), ("udp", (0, 65535))))
        rows.append(records.group_rule(edge.ids("sgr"), group_id, False, protocol, ports, remote))
    return rows


def _group_rule(edge: _Edge, group_id: str, vpc_id: str, egress: bool) -> Record:
    rng, rule_id = edge.rng, edge.ids("sgr")
    protocol, kind = rng.choice(GROUP_PROTOCOLS), rng.random()
    if protocol in ("tcp", "udp", "6"):
        ports = rng.choice(PORTS)
    elif protocol == "icmp":
        ports = rng.choice(ICMP_PAIRS)
    elif protocol in ("icmpv6", "58"):
        ports = rng.choice(ICMPV6_PAIRS)
    else:
        ports = rng.choice(((-1, -1), (-1, -1), (0, 0), (80, 90)))
    remote: str | Record
    if kind < 0.60:
        remote = rng.choice(_inside(edge, vpc_id))
    elif kind < 0.70:
        remote = rng.choice((*OUTSIDE, *OUTSIDE6, ANYWHERE, ANYWHERE, ANYWHERE6))
    elif kind < (0.74 if egress else 0.78):
        remote = rng.choice([*edge.lists, edge.ids("pl")])
    elif kind < (0.76 if egress else 0.84):
        remote = group_id
    else:
        remote = _reference(edge, vpc_id)
    return records.group_rule(rule_id, group_id, egress, protocol, ports, remote)


def _reference(edge: _Edge, vpc_id: str) -> Record:
    """A reference to a group: of this VPC, of a peer in any state, stale, or of nobody described."""
    rng = edge.rng
    group_id, other = rng.choice([*edge.groups, (edge.ids("sg"), vpc_id)])
    reference: Record = {"GroupId": group_id, "UserId": OWNER}
    if other != vpc_id:
        status = rng.choice(("active", "active", None, "deleted", "pending-acceptance", "expired"))
        if not edge.chance(0.2):
            reference["VpcId"] = other
        if edge.peerings:
            reference["VpcPeeringConnectionId"] = rng.choice(edge.peerings)
        if status:
            reference["PeeringStatus"] = status
    elif edge.chance(0.25):
        reference |= {"VpcId": edge.ids("vpc"), "PeeringStatus": "active"}
    return reference


def _acls(edge: _Edge) -> None:
    rows = []
    for vpc in edge.vpcs:
        own = [subnet["SubnetId"] for subnet in edge.subnets if subnet["VpcId"] == vpc["VpcId"]]
        edge.rng.shuffle(own)
        custom = own[: edge.rng.randint(0, len(own))]
        if not edge.flaw("no default ACL", 0.3):
            open_entries = [
                records.acl_entry(n, egress, "allow", cidr)
                for n, cidr in ((100, ANYWHERE), (101, ANYWHERE6))
                for egress in (False, True)
            ]
            entries = open_entries if edge.chance(0.6) else _acl_entries(edge, vpc["VpcId"])
            rest = [] if edge.chance(0.3) else own[len(custom) :]
            rows.append(records.network_acl(edge.ids("acl"), vpc["VpcId"], entries, default=True, subnet_ids=rest))
        for i, subnet_id in enumerate(custom):
            acl = records.network_acl(
                edge.ids("acl"), vpc["VpcId"], _acl_entries(edge, vpc["VpcId"]), subnet_ids=[subnet_id], ipv6=i % 2 == 0
            )
            if edge.chance(0.1):
                acl["Entries"] = [entry for entry in acl["Entries"] if entry["RuleNumber"] < 32767]
            edge.rng.shuffle(acl["Entries"])
            rows.append(acl)
    edge.documents["NetworkAcls"] = rows


def _acl_entries(edge: _Edge, vpc_id: str) -> list[Record]:
    """Entries whose actions alternate over nested remotes, with an allow-all at the end more often than not."""
    rng, entries = edge.rng, []
    pool = _inside(edge, vpc_id)
    for egress in (False, True):
        if edge.flaw("ACLs for some ICMP", 0.6):
            action, four, six = rng.choice(("allow", "deny")), rng.choice(ICMP_PAIRS[1:]), rng.choice(ICMPV6_PAIRS[1:])
            entries.append(records.acl_entry(1, egress, action, ANYWHERE, 1, icmp=four))
            entries.append(records.acl_entry(2, egress, action, ANYWHERE6, 58, icmp=six))
        numbers = sorted(rng.sample(range(3, 200), rng.randint(0, 6)))
        for number in numbers:
            protocol = rng.choice(ACL_PROTOCOLS)
            cidr = rng.choice(pool if edge.chance(0.75) else (*OUTSIDE, *OUTSIDE6, ANYWHERE, ANYWHERE6))
            ports = rng.choice(PORTS) if protocol in (6, 17) else None
            icmp = None
            if protocol in (1, 58):
                icmp = rng.choice(ICMP_PAIRS if protocol == 1 else ICMPV6_PAIRS)
            if protocol in (50, 47) and edge.chance(0.3):
                ports = (80, 80)
            action = rng.choice(("allow", "allow", "deny"))
            entries.append(records.acl_entry(number, egress, action, cidr, protocol, ports, icmp))
        if edge.chance(0.8):
            entries.append(records.acl_entry(200, egress, "allow", ANYWHERE))
            entries.append(records.acl_entry(201, egress, "allow", ANYWHERE6))
        elif edge.chance(0.5):
            entries.append(records.acl_entry(200, egress, "allow", ANYWHERE, 6, (1024, 65535)))
    return entries


def _target(edge: _Edge, kind: str, vpc_id: str) -> str:
    """The id of a route target of this kind."""
    rng, ids = edge.rng, edge.ids
    own: list[str] = [interface["NetworkInterfaceId"] for interface in edge.interfaces if interface["VpcId"] == vpc_id]
    if kind == "igw":
        return edge.gateways.get(vpc_id) or ids("igw")
    if kind == "igw-detached":
        return rng.choice([*edge.gateways.values(), ids("igw")])  # of another VPC
    if kind == "eigw":
        gateway_id = ids("eigw")
        attached = [vpc_id] if edge.chance(0.85) else []
        edge.documents["EgressOnlyInternetGateways"].append(records.egress_only_gateway(gateway_id, attached))
        return gateway_id
    if kind == "eni":
        return rng.choice([*own, ids("eni")])
    if kind == "pcx":
        return rng.choice([*edge.peerings, ids("pcx")])
    special = {
        "local": "local",
        "core": f"arn:aws:networkmanager::{OWNER}:core-network/core-network-0123456789abcdef0",
        "odb": f"arn:aws:odb:{REGION}:{OWNER}:odb-network/odbnet_0123456789",
        "igw-undescribed": ids("igw"),
        "eigw-undescribed": ids("eigw"),
        "vpce-s3": ids("vpce"),
        "unknown": ids("xyz"),
    }
    return special.get(kind) or ids(kind)


def _route_tables(edge: _Edge) -> None:
    edge.documents["RouteTables"] = []
    for vpc in edge.vpcs:
        own = [subnet["SubnetId"] for subnet in edge.subnets if subnet["VpcId"] == vpc["VpcId"]]
        cut = edge.rng.randint(0, len(own))
        parts = [(own[cut:], True), *(([subnet_id], False) for subnet_id in own[:cut])]
        for subnet_ids, main in parts:
            if edge.flaw("no route table", 0.2):
                continue
            explicit = subnet_ids if not main or edge.chance(0.3) else []
            table = records.route_table(
                edge.ids("rtb"), vpc["VpcId"], _routes(edge, vpc), main=main, subnet_ids=explicit
            )
            if edge.flaw("no route table", 0.1) and table["Associations"]:
                table["Associations"][-1]["AssociationState"]["State"] = "disassociated"
            edge.documents["RouteTables"].append(table)


def _routes(edge: _Edge, vpc: Record) -> list[Record]:
    rng, vpc_id = edge.rng, str(vpc["VpcId"])
    blocks = [block["CidrBlock"] for block in vpc["CidrBlockAssociationSet"]]
    blocks += [block["Ipv6CidrBlock"] for block in vpc.get("Ipv6CidrBlockAssociationSet", ())]
    found: dict[tuple[str, bool], Record] = {}

    def add(destination: str, kind: str, origin: str | None = None) -> None:
        state = rng.choice(("blackhole", "blackhole", "filtered")) if edge.flaw("black holes", 0.2) else "active"
        propagated = origin not in (None, "CreateRoute", "CreateRouteTable")
        row = records.route(destination, _target(edge, kind, vpc_id), origin=origin, state=state)
        found.setdefault((destination, propagated), row)

    for block in blocks:
        if edge.flaw("local replaced", 0.2):
            add(block, rng.choice(("eni", "nat", "vpce")))  # the local route replaced (RT-09)
        elif not edge.chance(0.05):
            found[block, False] = records.route(block, "local")
    if edge.chance(0.88):
        add(ANYWHERE, rng.choice(TARGET_KINDS if edge.flaw("odd targets", 0.6) else ("igw",)))
    if edge.chance(0.88):
        add(ANYWHERE6, rng.choice(TARGET_KINDS if edge.flaw("odd targets", 0.5) else ("igw", "igw", "eigw")))
    for subnet in edge.subnets:
        if subnet["VpcId"] == vpc_id and edge.flaw("middlebox routes", 0.25):
            add(subnet["CidrBlock"], rng.choice(("eni", "nat", "vpce")))  # RT-10
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        pool = (*OUTSIDE, *OUTSIDE6, "0.0.0.0/1", "10.0.0.0/8", "192.168.0.0/16", "10.0.4.0/22")
        add(rng.choice(pool), rng.choice(("igw", "igw", *TARGET_KINDS)))
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        inside = [subnet["CidrBlock"] for subnet in edge.subnets if subnet["VpcId"] == vpc_id]
        pool = (*OUTSIDE, *OUTSIDE6, ANYWHERE, *inside, *blocks)
        origin = rng.choice(("EnableVgwRoutePropagation", "EnableVgwRoutePropagation", "Advertisement"))
        add(rng.choice(pool), rng.choice(("vgw", "vgw", "igw")), origin)
    for list_id in rng.sample(edge.lists, min(rng.choice((0, 0, 1, 2, 2)), len(edge.lists))):
        add(list_id, rng.choice(("igw", "igw", "tgw", "vpce-s3", "eigw", "eni")))
    if edge.flaw("unknown list", 0.1):
        add(edge.ids("pl"), "vpce-s3")
    rows = list(found.values())
    rng.shuffle(rows)
    return rows


def _edge_tables(edge: _Edge) -> None:
    """Route tables of internet gateways (RT-20)."""
    for vpc in edge.vpcs:
        gateway = edge.gateways.get(vpc["VpcId"])
        if gateway is None or not edge.chance(0.25):
            continue
        routes = [records.route(vpc["CidrBlock"], "local")] if edge.chance(0.8) else []
        for subnet in edge.subnets:
            if subnet["VpcId"] == vpc["VpcId"] and edge.chance(0.4):
                kind = edge.rng.choice(("eni", "vpce", "local"))
                state = "blackhole" if edge.chance(0.3) else "active"
                target = _target(edge, kind, vpc["VpcId"])
                if subnet["CidrBlock"] not in [row.get("DestinationCidrBlock") for row in routes]:
                    routes.append(records.route(subnet["CidrBlock"], target, state=state))
        table = records.route_table(edge.ids("rtb"), vpc["VpcId"], routes, gateway_ids=[gateway])
        edge.documents["RouteTables"].append(table)


def _block_public_access(edge: _Edge) -> None:
    rng = edge.rng
    modes = ("off", "block-bidirectional", "block-ingress")
    if edge.flaw("block public access", 0.5):
        mode = rng.choice(modes)
        edge.documents["VpcBlockPublicAccessOptions"] = [
            {"AwsAccountId": OWNER, "AwsRegion": REGION, "State": "update-complete", "InternetGatewayBlockMode": mode}
        ]
    for record in (*edge.vpcs, *edge.subnets):
        kind = rng.random()
        if kind < 0.30 and edge.flaw("block public access", 0.4):
            record["BlockPublicAccessStates"] = {"InternetGatewayBlockMode": rng.choice(modes)}
        elif kind < 0.50:
            del record["BlockPublicAccessStates"]
    rows: list[Record] = []
    for record in (*edge.vpcs, *edge.subnets):
        if edge.chance(0.12):
            resource = record.get("SubnetId") or record["VpcId"]
            kind_of = "subnet" if "SubnetId" in record else "vpc"
            rows.append(
                {
                    "ExclusionId": edge.ids("vpcbpa-exclude"),
                    "InternetGatewayExclusionMode": rng.choice(("allow-bidirectional", "allow-egress")),
                    "ResourceArn": f"arn:aws:ec2:{REGION}:{OWNER}:{kind_of}/{resource}",
                    "State": rng.choice(("create-complete", "update-complete", "create-failed", "delete-complete")),
                    "Tags": [],
                }
            )
    if rows or edge.chance(0.5):
        edge.documents["VpcBlockPublicAccessExclusions"] = rows


def _instances(edge: _Edge) -> None:
    states = ("running", "running", "running", "stopped", "terminated")
    edge.documents["NetworkInterfaces"] = edge.interfaces
    edge.documents["Reservations"] = [
        records.reservation(
            edge.ids, {"Groups": [], **interface}, interface["Attachment"]["InstanceId"], None, edge.rng.choice(states)
        )
        for interface in edge.interfaces
        if "InstanceId" in interface.get("Attachment", {})
    ]
    edge.documents["Addresses"] = [
        records.elastic_address(
            own["Association"]["PublicIp"], interface["NetworkInterfaceId"], own["PrivateIpAddress"], None
        )
        for interface in edge.interfaces
        for own in interface["PrivateIpAddresses"]
        if "Association" in own and edge.chance(0.5)
    ]


def _holes(edge: _Edge) -> None:
    """Take whole answers away now and then, as if nobody had asked AWS for them."""
    for key in ("NetworkAcls", "RouteTables", "SecurityGroups", "InternetGateways", "ManagedPrefixListEntries", "Vpcs"):
        if edge.flaw("holes", 0.1):
            edge.documents.pop(key, None)
            if key == "SecurityGroups":
                edge.documents.pop("SecurityGroupRules", None)
