"""The two ends of a flow: which interface it starts from, which it goes to, or the answer that is fixed at once.

docs/semantics.md, section 2: checks in the order of the page; the first that applies decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from .model import (
    UNMODELLED_SOURCE_TYPES,
    IPAddress,
    Network,
    NetworkInterface,
    RouteTarget,
)
from .walk_flow import UNROUTABLE, Packet, kind_of

if TYPE_CHECKING:
    from .walk_rules import NetworkIndex

ACCEPT, REJECT, UNKNOWN = "ACCEPT", "REJECT", "UNKNOWN"

#: EN-04: no multicast or broadcast in a VPC, and nothing to deliver to at these.
_NOWHERE = tuple(
    map(ip_network, ("224.0.0.0/3", "0.0.0.0/8", "127.0.0.0/8", "ff00::/8", "::/128", "::1/128")),
)
#: SG-61: the resolver, instance metadata, time, licence activation, ECS metadata, the router's IPv6 address.
_SERVICES = frozenset(
    map(
        ip_address,
        (
            *("169.254.169.253", "169.254.169.254", "169.254.169.123", "169.254.169.250", "169.254.169.251"),
            *("169.254.170.2", "fd00:ec2::253", "fd00:ec2::254", "fd00:ec2::123", "fe80:ec2::1"),
        ),
    )
)
_NEVER_ROUTED = tuple(map(ip_network, ("169.254.168.0/22", "fd00:ec2::/32")))
_LINK_LOCAL = ip_network("fe80::/10")


@dataclass(frozen=True, slots=True)
class End:
    """One end of the flow at an interface: its private address as the flow uses it, and the public one mapped to it."""

    interface: NetworkInterface
    address: IPAddress
    public_address: IPAddress | None

    @classmethod
    def at(cls, interface: NetworkInterface, address: IPAddress) -> End:
        """The end at the interface's own address `address`, with its public mapping (IG-05)."""
        mapped = (own.public_address for own in interface.addresses if own.address == address and own.public_address)
        return cls(interface, address, next(mapped, None))


@dataclass(frozen=True, slots=True)
class Fixed:
    """An answer that ends the procedure: no other stage is evaluated."""

    verdict: str
    reason: str
    stage: str | None
    note: str
    path: str | None = None


def find_source(index: NetworkIndex, packet: Packet, interface_id: str | None) -> tuple[End | None, Fixed | None]:
    """(the interface end the flow starts from, a fixed answer). Neither: the source is external."""
    if interface_id is not None:
        end, fixed = _named_source(index.network, packet.source, interface_id)
    else:
        end, fixed = _source_by_address(index, packet.source)
    if fixed is None and end is not None and end.interface.interface_type in UNMODELLED_SOURCE_TYPES:
        note = f"a {end.interface.interface_type} interface opens connections by rules that are not modelled"
        return end, Fixed(UNKNOWN, "UNSUPPORTED_COMPONENT", "source", note)
    return end, fixed


def _named_source(network: Network, address: IPAddress, interface_id: str) -> tuple[End | None, Fixed | None]:
    interface = network.interfaces.get(interface_id)
    if interface is None or not interface.vpc_id:
        note = f"{interface_id} is {'not described' if interface is None else 'in no VPC'}"
        return None, Fixed(UNKNOWN, "UNKNOWN_RESOURCE", "source", note)
    if interface.holds(address):
        return End.at(interface, address), None
    for own in interface.addresses:
        if own.public_address == address:
            return End.at(interface, own.address), None
    end = End.at(interface, address)
    if interface.source_dest_check:
        note = f"{address} is not an address of {interface_id}, and its source/destination check is on (EN-01)"
        return end, Fixed(REJECT, "ENI_SOURCE_DEST_CHECK_RESTRICTION", "source-dest-check", note)
    note = f"{address} is not an address of {interface_id}: it forwards for others, which is not modelled"
    return end, Fixed(UNKNOWN, "UNSUPPORTED_COMPONENT", "source", note)


def _source_by_address(index: NetworkIndex, address: IPAddress) -> tuple[End | None, Fixed | None]:
    owners, pairs = index.owners(address), index.public_owners(address)
    if len(owners) > 1 or (not owners and len(pairs) > 1):
        ids = ", ".join(owner.interface_id for owner in owners or [pair[0] for pair in pairs])
        return None, Fixed(UNKNOWN, "ADDR_AMBIGUOUS", "source", f"{address} is held by {ids}: name src_interface_id")
    if owners:
        return End.at(owners[0], address), None
    if pairs:
        return End.at(*pairs[0]), None
    if index.in_any_vpc(address):
        note = f"{address} is in a VPC's CIDR, but no described interface holds it"
        return None, Fixed(UNKNOWN, "UNKNOWN_RESOURCE", "source", note)
    if kind_of(address) == UNROUTABLE:
        return None, Fixed(UNKNOWN, "UNKNOWN_RESOURCE", "source", f"{address} cannot come from outside")
    return None, None


def find_destination(index: NetworkIndex, source: End, address: IPAddress) -> tuple[End | None, bool, Fixed | None]:
    """(destination end, whether it was named by its public address, fixed answer) for a flow from an interface.

    Neither end nor fixed answer: an address outside the VPC, case OUT.
    """
    vpc_id = source.interface.vpc_id
    fixed = _special_destination(index, source.interface, address)
    if fixed:
        return None, False, fixed
    owners = index.holders(vpc_id, address)
    if len(owners) > 1:
        ids = ", ".join(owner.interface_id for owner in owners)
        return None, False, Fixed(UNKNOWN, "ADDR_AMBIGUOUS", "destination", f"{address} is held by {ids}")
    if owners:
        return End.at(owners[0], address), False, None
    if index.in_vpc(address, vpc_id):
        if is_reserved(index.network, vpc_id, address):
            note = f"{address} is reserved in its subnet (EN-04)"
            return None, False, Fixed(REJECT, "NO_SOURCE_OR_DESTINATION", "destination", note)
        note = f"{address} is in a CIDR of {vpc_id}, but no described interface holds it"
        return None, False, Fixed(UNKNOWN, "UNKNOWN_DESTINATION", "destination", note)
    pairs = index.public_owners(address)
    if len(pairs) > 1:
        ids = ", ".join(interface.interface_id for interface, _ in pairs)
        return None, False, Fixed(UNKNOWN, "ADDR_AMBIGUOUS", "destination", f"{address} is mapped to {ids}")
    if pairs:
        return End.at(*pairs[0]), True, None
    return None, False, None


def _special_destination(index: NetworkIndex, sender: NetworkInterface, address: IPAddress) -> Fixed | None:
    """The fixed answer of an address that no rule and no route decides about (EN-04, SG-60…62, RT-12)."""
    nowhere, never_routed, link_local = _special(address)
    if nowhere:
        return Fixed(REJECT, "NO_POSSIBLE_DESTINATION", "destination", f"nothing can be sent to {address} (EN-04)")
    if address in _SERVICES or address in index.services_of(sender.vpc_id):
        note = "a service that neither security groups nor network ACLs filter (SG-60)"
        return Fixed(ACCEPT, "UNFILTERED_SERVICE", None, note, path="service")
    if never_routed:
        return _never_routed(index, sender, address)
    if link_local:
        return Fixed(
            UNKNOWN, "UNKNOWN_DESTINATION", "destination", f"{address} is link-local: its owner is not described"
        )
    return None


@lru_cache(maxsize=65536)
def _special(address: IPAddress) -> tuple[bool, bool, bool]:
    """Whether nothing can be sent to `address`, whether it is never routed, whether it is link-local."""
    nowhere, never_routed = (any(address in block for block in blocks) for blocks in (_NOWHERE, _NEVER_ROUTED))
    return nowhere, never_routed, address in _LINK_LOCAL


def _never_routed(index: NetworkIndex, sender: NetworkInterface, address: IPAddress) -> Fixed:
    """No route that a user makes forwards such addresses (RT-12); AWS's own one to VPC Lattice does."""
    table = index.network.route_table_of(sender.subnet_id, sender.vpc_id)
    if table is None:
        return Fixed(UNKNOWN, "UNKNOWN_RESOURCE", "route", "the subnet's route table is not described")
    choice = index.choice(table.route_table_id, address)
    route, reason = choice.route, choice.outcome.reason
    if reason == "MISSING_PREFIX_LIST":
        return Fixed(UNKNOWN, reason, "route", f"{choice.outcome.note}: it may be that of VPC Lattice")
    if route is not None and route.target_kind == RouteTarget.UNKNOWN and not route.blackhole:
        note = f"{table.route_table_id} leads to {route.target_id}, which is not modelled"
        return Fixed(UNKNOWN, "UNSUPPORTED_COMPONENT", "route", note)
    return Fixed(REJECT, "NO_ROUTE_TO_DESTINATION", "route", f"{address} is never forwarded (RT-12)")


def is_reserved(network: Network, vpc_id: str | None, address: IPAddress) -> bool:
    """Whether `address` is among the first four or the last of a subnet of the VPC (EN-04)."""
    for subnet in network.subnets.values():
        if subnet.vpc_id != vpc_id:
            continue
        for cidr in (subnet.cidr_block, *subnet.ipv6_cidr_blocks):
            if cidr is None or address not in cidr:
                continue
            if int(address) - int(cidr.network_address) < 4 or address == cidr.broadcast_address:
                return True
    return False


def find_receiver(index: NetworkIndex, packet: Packet) -> tuple[End | None, bool, Fixed | None]:
    """(destination end, whether it was named by its public address, fixed answer) for a flow from outside."""
    address = packet.destination
    owners, pairs = index.owners(address), index.public_owners(address)
    if len(owners) > 1 or (not owners and len(pairs) > 1):
        ids = ", ".join(owner.interface_id for owner in owners or [pair[0] for pair in pairs])
        return None, False, Fixed(UNKNOWN, "ADDR_AMBIGUOUS", "destination", f"{address} is held by {ids}")
    if owners:
        return End.at(owners[0], address), False, None
    if pairs:
        return End.at(*pairs[0]), True, None
    if index.in_any_vpc(address):
        note = f"{address} is in a VPC's CIDR, but no described interface holds it"
        return None, False, Fixed(UNKNOWN, "UNKNOWN_DESTINATION", "destination", note)
    return None, False, Fixed(UNKNOWN, "NO_SOURCE_OR_DESTINATION", "source", "neither end is in the network")
