"""Every address and port there is, as few classes: what no rule of either network tells apart is one class.

The procedure of docs/semantics.md asks of an address only which named blocks hold it and which interface has it, and
of a port only which named ranges hold it. So the bounds of everything named cut the axes into intervals, and intervals
inside the same blocks are one class, whose first address stands for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from ..model import InterfaceAddress, IPAddress, IPNetwork, Network, NetworkInterface
from ..schema import ANY_PROTOCOL, ICMP, ICMP_REPLIES, ICMPV6, ICMPV6_REPLIES, TCP, UDP

Interval = tuple[int, int]
"""First and last, both inside."""

#: Blocks the procedure itself names (docs/semantics.md, sections 1 and 2).
_CONSTANT_BLOCKS = tuple(
    ip_network(block)
    for blocks in (
        ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        ("169.254.0.0/16", "169.254.168.0/22", "169.254.169.123/32", "169.254.169.250/32", "169.254.169.251/32"),
        ("169.254.169.253/32", "169.254.169.254/32", "169.254.170.2/32", "224.0.0.0/3", "255.255.255.255/32"),
        ("::/128", "::1/128", "64:ff9b::/96", "fc00::/7", "fe80::/10", "fe80:ec2::1/128", "ff00::/8"),
        ("fd00:ec2::/32", "fd00:ec2::123/128", "fd00:ec2::253/128", "fd00:ec2::254/128"),
    )
    for block in blocks
)
_UNROUTABLE = tuple(
    ip_network(block)
    for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8")
)
_NAT64 = int(IPv6Address("64:ff9b::"))
_CONSTANT_PORTS = (1024, 32768)

#: Fields that judge no flow, or say only what an interface is called.
_SKIPPED = frozenset({"tags", "description", "group_name", "name", "issues", "other", "described_keys"})
#: Fields of an interface by which no flow is judged, or that are looked at address by address.
_NO_IDENTITY = frozenset({"interface_id", "addresses", "tags", "description", "instance_id"})
_ADDRESS_TEXT = re.compile(r"[0-9A-Fa-f:.]*[.:][0-9A-Fa-f:.]*")


@dataclass(frozen=True, slots=True)
class AddressClass:
    """Addresses that both networks treat alike. `members` are intervals of numbers, with the interface that holds
    them, or None; the first stands for all.
    """

    version: int
    members: tuple[tuple[Interval, str | None], ...]

    @property
    def example(self) -> tuple[str, str | None]:
        """An address of the class as text, and the interface that holds it."""
        (first, _), interface_id = self.members[0]
        return address_text(self.version, first), interface_id


@dataclass(frozen=True, slots=True)
class PortClass:
    """Packets of one protocol that both networks treat alike: intervals of destination ports, or of ICMP types and
    codes; other protocols have none.
    """

    protocol: int
    """A stand-in for `protocols`."""
    protocols: tuple[Interval, ...]
    ports: tuple[Interval, ...] = ()
    codes: tuple[Interval, ...] = ()


@dataclass
class _Named:
    """Everything a network's records name."""

    blocks: set[IPNetwork] = field(default_factory=set)
    addresses: set[IPAddress] = field(default_factory=set)
    """Of interfaces: they cut, and are known by who holds them."""
    ranges: set[tuple[int, int, int]] = field(default_factory=set)
    """Protocol (ANY_PROTOCOL: every one), first, last port."""
    acl_ranges: set[Interval] = field(default_factory=set)
    types: set[tuple[int, int, int]] = field(default_factory=set)
    """Protocol, ICMP type, code."""
    protocols: set[int] = field(default_factory=set)
    words: set[str] = field(default_factory=set)


def address_text(version: int, number: int) -> str:
    """An address as text."""
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


# -- what the records name -----------------------------------------------------------------------------------


def _named(network: Network) -> _Named:
    named = _Named()
    for part in fields(network):
        if part.name not in _SKIPPED and part.name != "instances":
            _collect(getattr(network, part.name), named)
    for vpc in network.vpcs.values():
        named.blocks.update(reserved for block in vpc.blocks for reserved in _reserved(block))
    for subnet in network.subnets.values():
        own = [block for block in (subnet.cidr_block, *subnet.ipv6_cidr_blocks) if block is not None]
        named.blocks.update(reserved for block in own for reserved in _reserved(block))
    return named


def _reserved(block: IPNetwork) -> Iterator[IPNetwork]:
    """The addresses of a subnet or VPC that AWS keeps for itself (EN-04)."""
    for number in (*(int(block.network_address) + offset for offset in range(4)), int(block.broadcast_address)):
        if number <= int(block.broadcast_address):
            yield ip_network(address_text(block.version, number))


def _collect(value: Any, named: _Named) -> None:
    if isinstance(value, IPv4Network | IPv6Network):
        named.blocks.add(value)
    elif isinstance(value, IPv4Address | IPv6Address):
        named.blocks.add(ip_network(value))
    elif isinstance(value, str):
        named.words.add(value)
        if _ADDRESS_TEXT.fullmatch(value):  # a target known by its address
            named.blocks.update(_parsed(value))
    elif isinstance(value, Mapping):
        for each in value.values():
            _collect(each, named)
    elif isinstance(value, tuple | frozenset | list):
        for each in value:
            _collect(each, named)
    elif isinstance(value, NetworkInterface):
        named.addresses.update(own.address for own in value.addresses)
        named.addresses.update(own.public_address for own in value.addresses if own.public_address is not None)
        named.blocks.update(value.prefixes)
    elif is_dataclass(value):
        _collect_record(value, named)


def _collect_record(record: Any, named: _Named) -> None:
    values = {part.name: getattr(record, part.name) for part in fields(record) if part.name not in _SKIPPED}
    protocol = values.get("protocol")
    if isinstance(protocol, int):
        named.protocols.add(protocol)
    if "from_port" in values:
        first, last = values["from_port"], values["to_port"]
        kind, code = values.get("icmp_type", first), values.get("icmp_code", last)
        if protocol in (ICMP, ICMPV6):
            named.types.add((protocol, -1 if kind is None else kind, -1 if code is None else code))
        elif first is not None or last is not None:
            bounds = (0 if first is None else first, 65535 if last is None else last)
            named.ranges.add((ANY_PROTOCOL if protocol is None else protocol, *bounds))
            if "rule_number" in values:
                named.acl_ranges.add(bounds)
    for name, value in values.items():
        if name.endswith("port") and name not in ("from_port", "to_port") and isinstance(value, int):
            named.ranges.add((ANY_PROTOCOL, value, value))
        else:
            _collect(value, named)


def _parsed(text: str) -> Iterator[IPNetwork]:
    try:
        yield ip_network(ip_address(text))
    except ValueError:
        return


# -- classes of addresses ------------------------------------------------------------------------------------


class Addresses:
    """The address classes of two networks."""

    def __init__(self, before: Network, after: Network) -> None:
        self._networks = before, after
        named = [_named(network) for network in self._networks]
        self._blocks = {block for each in named for block in each.blocks} | set(_CONSTANT_BLOCKS)
        if any(network.nat_gateways for network in self._networks):  # NAT64: IPv4 blocks cut IPv6 as well
            four = [block for block in self._blocks if block.version == 4]
            self._blocks |= {ip_network((_NAT64 + int(b.network_address), 96 + b.prefixlen)) for b in four}
        self._addresses = {address for each in named for address in each.addresses}
        self._words = {word for each in named for word in each.words}
        self._holders = [_Holders(network) for network in self._networks]

    def classes(self, version: int) -> tuple[list[AddressClass], list[AddressClass]]:
        """Classes of sources and of destinations. Sources are what interfaces send from their own addresses, each with
        its interface, and what comes from outside; destinations are all addresses.
        """
        sources: dict[Any, list[tuple[Interval, str | None]]] = {}
        destinations: dict[Any, list[tuple[Interval, str | None]]] = {}
        for interval, mask in self._intervals(version):
            address = ip_address(address_text(version, interval[0]))
            owners = self._owners(address)
            held = self._holder_key(address, owners)
            destinations.setdefault((mask, held), []).append((interval, owners[0] if len(owners) == 1 else None))
            for owner in owners:
                key = (mask, held) if len(owners) == 1 else (mask, held, owner)
                sources.setdefault(key, []).append((interval, owner))
            if not owners and self._comes_from_outside(address):
                sources.setdefault((mask, held), []).append((interval, None))
        return _as_classes(version, sources), _as_classes(version, destinations)

    def _intervals(self, version: int) -> Iterator[tuple[Interval, int]]:
        """The intervals between all bounds, with a bit mask of the blocks that hold each."""
        top = (1 << (32 if version == 4 else 128)) - 1
        toggles: dict[int, int] = {0: 0}
        for bit, block in enumerate(each for each in self._blocks if each.version == version):
            for bound in (int(block.network_address), int(block.broadcast_address) + 1):
                toggles[bound] = toggles.get(bound, 0) ^ (1 << bit)
        for address in self._addresses:
            if address.version == version:
                for bound in (int(address), int(address) + 1):
                    toggles.setdefault(bound, 0)
        bounds, mask = sorted(bound for bound in toggles if bound <= top), 0
        for first, following in zip(bounds, [*bounds[1:], top + 1], strict=True):
            mask ^= toggles[first]
            yield (first, following - 1), mask

    def _owners(self, address: IPAddress) -> tuple[str, ...]:
        """Interfaces that hold the address privately in either network."""
        return tuple(sorted({owner for holders in self._holders for owner in holders.private(address)}))

    def _holder_key(self, address: IPAddress, owners: tuple[str, ...]) -> Any:
        """What tells holders of the address apart: nothing of interfaces that are alike and that no record names."""
        public = tuple(holders.public(address) for holders in self._holders)
        if any(len(each) > 1 for each in public) or len(owners) > 1:
            return "by itself", address
        return tuple(
            tuple(self._interface_key(holders, owner, own, is_public) for owner, own in pairs)
            for holders, mapped in zip(self._holders, public, strict=True)
            for is_public, pairs in ((False, holders.held(address)), (True, mapped))
        )

    def _interface_key(self, holders: _Holders, owner: str, own: InterfaceAddress | None, is_public: bool) -> Any:
        interface = holders.network.interfaces[owner]
        named = {owner, interface.instance_id, *(str(each.address) for each in interface.addresses)}
        if own is None or not self._words.isdisjoint(named - {None}):
            return owner, own, is_public
        identity = tuple(getattr(interface, part.name) for part in fields(interface) if part.name not in _NO_IDENTITY)
        # The other side of a 1:1 mapping is judged too (IG-03): the blocks that hold it count.
        other = own.address if is_public else own.public_address
        return identity, own.primary, None if other is None else self._mask(other), is_public

    def _mask(self, address: IPAddress) -> frozenset[IPNetwork]:
        return frozenset(block for block in self._blocks if address in block)

    def _comes_from_outside(self, address: IPAddress) -> bool:
        """Whether it is routable and, in one network at least, neither in a VPC nor mapped to an interface."""
        if any(address in block for block in _UNROUTABLE):
            return False
        return any(
            not holders.public(address)
            and not any(address in block for vpc in holders.network.vpcs.values() for block in vpc.blocks)
            for holders in self._holders
        )


class _Holders:
    """Who holds an address in one network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._private: dict[IPAddress, list[tuple[str, InterfaceAddress | None]]] = {}
        self._public: dict[IPAddress, list[tuple[str, InterfaceAddress | None]]] = {}
        self._prefixes: list[tuple[IPNetwork, str]] = []
        for interface in network.interfaces.values():
            if interface.vpc_id is None:
                continue
            for own in interface.addresses:
                self._private.setdefault(own.address, []).append((interface.interface_id, own))
                if own.public_address is not None:
                    self._public.setdefault(own.public_address, []).append((interface.interface_id, own))
            self._prefixes += [(prefix, interface.interface_id) for prefix in interface.prefixes]

    def held(self, address: IPAddress) -> list[tuple[str, InterfaceAddress | None]]:
        """Interfaces that hold it, with its record; None for an address of a delegated prefix."""
        inside: list[tuple[str, InterfaceAddress | None]] = [
            (owner, None) for prefix, owner in self._prefixes if address in prefix
        ]
        return [*self._private.get(address, ()), *inside]

    def private(self, address: IPAddress) -> list[str]:
        return [owner for owner, _ in self.held(address)]

    def public(self, address: IPAddress) -> list[tuple[str, InterfaceAddress | None]]:
        return self._public.get(address, [])


def _as_classes(version: int, found: Mapping[Any, list[tuple[Interval, str | None]]]) -> list[AddressClass]:
    return [AddressClass(version, tuple(members)) for members in found.values()]


# -- classes of ports ----------------------------------------------------------------------------------------


def port_classes(before: Network, after: Network) -> tuple[list[PortClass], list[tuple[Interval, ...]]]:
    """Classes of protocol and destination port (or ICMP type and code), and classes of TCP and UDP source ports."""
    named = [_named(network) for network in (before, after)]
    ranges = {each for one in named for each in one.ranges}
    classes = []
    for protocol in (TCP, UDP):
        own = {(first, last) for number, first, last in ranges if number in (ANY_PROTOCOL, protocol)}
        own |= {(bound, 65535) for bound in _CONSTANT_PORTS}
        classes += [PortClass(protocol, ((protocol, protocol),), each) for each in _cut(own, 65535)]
    for protocol, replies in ((ICMP, ICMP_REPLIES), (ICMPV6, ICMPV6_REPLIES)):
        pairs = {(kind, code) for one in named for number, kind, code in one.types if number == protocol}
        kinds = {kind for kind, _ in pairs if kind >= 0} | {*replies, *replies.values()}
        codes = {code for _, code in pairs if code >= 0} | {0}
        classes += [
            PortClass(protocol, ((protocol, protocol),), kind, code)
            for kind in _cut({(each, each) for each in kinds}, 255)
            for code in _cut({(each, each) for each in codes}, 255)
        ]
    told_apart = {TCP, UDP, ICMP, ICMPV6} | {n for one in named for n in one.protocols if n >= 0}
    others = _cut({(number, number) for number in told_apart}, 255)
    classes += [PortClass(each[0][0], each) for each in others if each[0][0] not in (TCP, UDP, ICMP, ICMPV6)]
    return classes, _cut({each for one in named for each in one.acl_ranges}, 65535)


def _cut(ranges: Iterable[Interval], top: int) -> list[tuple[Interval, ...]]:
    """The numbers 0 to `top` as classes of intervals inside the same ranges."""
    toggles: dict[int, int] = {0: 0}
    for bit, (first, last) in enumerate(sorted(set(ranges))):
        for bound in (first, last + 1):
            toggles[bound] = toggles.get(bound, 0) ^ (1 << bit)
    bounds, mask = sorted(bound for bound in toggles if 0 <= bound <= top), 0
    found: dict[int, list[Interval]] = {}
    for first, following in zip(bounds, [*bounds[1:], top + 1], strict=True):
        mask ^= toggles[first]
        found.setdefault(mask, []).append((first, following - 1))
    return [tuple(intervals) for intervals in found.values()]
