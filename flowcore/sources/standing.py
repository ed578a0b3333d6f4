"""What a change makes before AWS gives it addresses: an address that stands for any it may get, a service's list.

Shared by Terraform plans and edits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from ..changes import Draft
from ..model import InterfaceAddress, NatGateway, NatGatewayAddress, NetworkInterface, Subnet

__all__ = ["MADE_PUBLIC", "add_nat_gateway", "add_node", "made_public_address", "service_list", "standing_for"]

#: Public addresses that AWS has not given yet are taken from here: the range for benchmarks, which no host has.
MADE_PUBLIC = IPv4Network("198.18.0.0/15")


def made_public_address(draft: Draft) -> IPv4Address:
    """A public address that nothing in the network has, for one AWS has not given yet."""
    used = {elastic.public_address for elastic in draft.single("elastic_addresses")}
    used |= {a.public_address for n in draft.table("nat_gateways").values() for a in n.addresses}
    used |= {a.public_address for i in draft.table("interfaces").values() for a in i.addresses}
    number = int(MADE_PUBLIC.broadcast_address) - 1
    while IPv4Address(number) in used:
        number -= 1
    return IPv4Address(number)


def standing_for(draft: Draft, subnet: Subnet) -> IPv4Address | None:
    """A free address of the subnet that every other free one is like; None if a rule or route tells them apart."""
    block = subnet.cidr_block
    if block is None or block.num_addresses < 16:
        return None
    first, last = int(block.network_address), int(block.broadcast_address)
    taken = {first, first + 1, first + 2, first + 3, last}
    for interface in draft.table("interfaces").values():
        if interface.vpc_id == subnet.vpc_id:
            taken.update(int(own.address) for own in interface.addresses if own.address.version == 4)
    taken = {number for number in taken if first <= number <= last}
    free = block.num_addresses - len(taken)
    for low, high in {bounds for bounds in _bounds(draft) if first <= bounds[0] and bounds[1] <= last}:
        inside = high - low + 1 - sum(low <= number <= high for number in taken)
        if 0 < inside < free:
            return None
    number = last - 1
    while number in taken:
        number -= 1
    return IPv4Address(number) if number > first else None


def _bounds(draft: Draft) -> Iterator[tuple[int, int]]:
    """First and last address of every IPv4 network that a rule, an entry, a list or a route names."""
    networks: Iterator[Any] = (r.cidr_block for g in draft.table("security_groups").values() for r in g.rules)
    lists = (b for each in draft.table("prefix_lists").values() for b in each.cidr_blocks or ())
    entries = (e.cidr_block for acl in draft.table("network_acls").values() for e in acl.entries)
    routes = (r.destination for t in draft.table("route_tables").values() for r in t.routes)
    for found in (networks, lists, entries, routes):
        for each in found:
            if isinstance(each, IPv4Network):
                yield int(each.network_address), int(each.broadcast_address)


def add_nat_gateway(
    draft: Draft,
    gateway_id: str,
    subnet: Subnet,
    *,
    public: bool,
    private_address: IPv4Address | None = None,
    public_address: IPv4Address | None = None,
    tags: Mapping[str, str] | None = None,
) -> bool:
    """Adds a NAT gateway and its interface; addresses that are not given are made. False: without address (NG-12)."""
    private = private_address or standing_for(draft, subnet)
    given = (public_address or made_public_address(draft)) if public else None
    interface_id = f"{gateway_id}:network-interface"
    addresses = (NatGatewayAddress(private, given, interface_id, primary=True),) if private else ()
    draft.put(
        "nat_gateways",
        NatGateway(
            gateway_id,
            subnet.vpc_id,
            subnet.subnet_id,
            "available",
            public,
            addresses=addresses,
            region=subnet.region,
            owner_id=subnet.owner_id,
            tags=tags or {},
        ),
    )
    if private is None:
        return False
    add_node(draft, interface_id, subnet, "nat_gateway", (), private_address=private, public_address=given)
    return True


def add_node(
    draft: Draft,
    interface_id: str,
    subnet: Subnet,
    interface_type: str,
    group_ids: tuple[str, ...] | None,
    *,
    description: str | None = None,
    private_address: IPv4Address | None = None,
    public: bool = False,
    public_address: IPv4Address | None = None,
) -> bool:
    """Adds an interface that AWS makes for a service; addresses that are not given are made.

    False: it has no address, because rules or routes tell the free addresses of its subnet apart.
    """
    private = private_address or standing_for(draft, subnet)
    given = public_address or (made_public_address(draft) if public else None)
    draft.put(
        "interfaces",
        NetworkInterface(
            interface_id,
            subnet.vpc_id,
            subnet.subnet_id,
            interface_type,
            (InterfaceAddress(private, True, given),) if private else (),
            group_ids=group_ids,
            requester_managed=True,
            status="in-use",
            availability_zone=subnet.availability_zone,
            description=description,
            region=subnet.region,
            owner_id=subnet.owner_id,
        ),
    )
    return private is not None


def service_list(draft: Draft, service_name: str | None) -> str | None:
    """The prefix list of a service: as the routes of another gateway endpoint say, or by its name (EP-01)."""
    same = {
        each.endpoint_id
        for each in draft.table("vpc_endpoints").values()
        if each.service_name == service_name and each.endpoint_type == "Gateway"
    }
    for table in draft.table("route_tables").values():
        for route in table.routes:
            if route.target_id in same and isinstance(route.destination, str) and route.destination.startswith("pl-"):
                return str(route.destination)
    known = (each for each in draft.table("prefix_lists").values() if service_name and each.name == service_name)
    return next((str(each.prefix_list_id) for each in known), None)
