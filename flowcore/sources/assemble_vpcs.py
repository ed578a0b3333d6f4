"""VPCs that are only named: made up, with the CIDRs that other answers tell of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

from ..model import IPNetwork, RouteTable, RouteTarget, Subnet, Vpc, VpcPeeringConnection
from .collect import Collector

__all__ = ["settle_vpcs", "some"]

#: Tables whose records name their VPC.
_IN_A_VPC = (
    "subnets",
    "route_tables",
    "network_acls",
    "security_groups",
    "interfaces",
    "instances",
    "nat_gateways",
    "vpc_endpoints",
    "load_balancers",
    "target_groups",
)
#: What is in one of these states stays listed for a while after its VPC.
_GONE = ("deleted", "failed", "rejected", "expired")


def some(names: Iterable[str], limit: int = 3) -> str:
    """The first few names, and how many more there are."""
    known = sorted(set(names))
    text = ", ".join(known[:limit])
    return f"{text} and {len(known) - limit} more" if len(known) > limit else text


def settle_vpcs(found: Collector) -> None:
    """A VPC for every one that is only named, and a Region for VPCs whose subnets know it."""
    vpcs: dict[str, Vpc] = found.tables.setdefault("vpcs", {})
    named = {vpc_id: names for vpc_id, names in _named(found).items() if vpc_id not in vpcs}
    told = _Told(found) if named else None
    for vpc_id, names in named.items():
        assert told is not None
        blocks, origin, complete = told.blocks_of(vpc_id)
        ipv4 = tuple(block for block in blocks if isinstance(block, IPv4Network))
        ipv6 = tuple(block for block in blocks if isinstance(block, IPv6Network))
        vpcs[vpc_id] = Vpc(vpc_id, ipv4, ipv6, described=False)
        if not complete:
            found.partly_known_vpcs.add(vpc_id)
        message = f"the VPC is not described: {origin}; named by {some(names)}"
        source = found.origins.get(min(names), "")
        found.issue("note" if complete else "warning", "dangling-reference", vpc_id, message, source)
    _settle_regions(found, vpcs)


def _named(found: Collector) -> dict[str, list[str]]:
    """VPC id -> what names it."""
    named: dict[str, list[str]] = {}
    for table in _IN_A_VPC:
        for record_id, record in found.tables.get(table, {}).items():
            if record.vpc_id and getattr(record, "state", None) not in _GONE:
                named.setdefault(record.vpc_id, []).append(record_id)
    for table in ("internet_gateways", "egress_only_internet_gateways", "vpn_gateways"):
        for record_id, record in found.tables.get(table, {}).items():
            for vpc_id in record.vpc_ids:
                named.setdefault(vpc_id, []).append(record_id)
    return named


def _settle_regions(found: Collector, vpcs: dict[str, Vpc]) -> None:
    regions: dict[str, set[str]] = {}
    for table in ("subnets", "interfaces"):
        for record in found.tables.get(table, {}).values():
            if record.vpc_id and record.region:
                regions.setdefault(record.vpc_id, set()).add(record.region)
    for vpc_id, names in regions.items():
        if vpcs[vpc_id].region is None and len(names) == 1:
            vpcs[vpc_id] = replace(vpcs[vpc_id], region=min(names))


class _Told:
    """The CIDRs of VPCs as far as answers about something else tell them."""

    def __init__(self, found: Collector) -> None:
        self.local: dict[str, list[IPNetwork]] = {}
        self.peered: dict[str, list[IPNetwork]] = {}
        self.subnets: dict[str, list[IPNetwork]] = {}
        tables: Iterable[RouteTable] = found.tables.get("route_tables", {}).values()
        for table in sorted(tables, key=lambda each: (not each.main, each.route_table_id)):
            self.local.setdefault(table.vpc_id, []).extend(_local(table))
        peerings: dict[str, VpcPeeringConnection] = found.tables.get("peering_connections", {})
        for peering in (peerings[key] for key in sorted(peerings)):
            if peering.status == "active":
                self.peered.setdefault(peering.requester_vpc_id or "", []).extend(peering.requester_cidr_blocks)
                self.peered.setdefault(peering.accepter_vpc_id or "", []).extend(peering.accepter_cidr_blocks)
        subnets: dict[str, Subnet] = found.tables.get("subnets", {})
        for subnet in (subnets[key] for key in sorted(subnets)):
            blocks = self.subnets.setdefault(subnet.vpc_id, [])
            if subnet.cidr_block is not None:
                blocks.append(subnet.cidr_block)
            blocks.extend(subnet.ipv6_cidr_blocks)

    def blocks_of(self, vpc_id: str) -> tuple[list[IPNetwork], str, bool]:
        """A VPC's CIDRs, where they are from, and whether they are all (RT-09, PX-03)."""
        subnets = self.subnets.get(vpc_id, [])
        for blocks, origin in (
            (self.local.get(vpc_id, []), "its CIDRs are taken from the local routes of its tables"),
            (self.peered.get(vpc_id, []), "its CIDRs are taken from its peering connections"),
        ):
            if blocks:
                outer = _outermost(blocks)
                if len(_outermost([*outer, *subnets])) == len(outer):
                    return outer, origin, True
                subnets = [*outer, *subnets]
                break
        if subnets:
            known = sorted(_outermost(subnets), key=_order)
            return known, "of its CIDRs only those of its subnets are known", False
        return [], "its CIDRs are not known", False


def _local(table: RouteTable) -> Iterator[IPNetwork]:
    """RT-09: every table has a local route per CIDR of its VPC."""
    for route in table.routes:
        if route.target_kind == RouteTarget.LOCAL and not isinstance(route.destination, str):
            yield route.destination


def _order(block: IPNetwork) -> tuple[int, int, int]:
    return block.version, int(block.network_address), block.prefixlen


def _outermost(blocks: Iterable[IPNetwork]) -> list[IPNetwork]:
    """Those that lie in no other, each once, in the order given."""
    given = dict.fromkeys(blocks)
    outer: set[IPNetwork] = set()
    version, end = 0, -1
    for block in sorted(given, key=_order):  # what lies in a block comes right behind it
        if block.version != version or int(block.network_address) > end:
            outer.add(block)
            version, end = block.version, int(block.broadcast_address)
    return [block for block in given if block in outer]
