"""What `--from` and `--to` name: interfaces of the network, or addresses outside it.

A selector is an interface id, an instance id, a load balancer's name or ARN, an IP address, a CIDR, `internet`, or
`tag:Key=Value`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .schema import ICMP, ICMP_REPLIES, ICMPV6, ICMPV6_REPLIES, PROTOCOL_NUMBERS, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .model import IPAddress, IPNetwork, Network, NetworkInterface

__all__ = ["EPHEMERAL_PORT", "Endpoint", "flow_between", "other_receiver", "select"]

#: The source port of a client that is not told otherwise: inside every range clients use (NA-16).
EPHEMERAL_PORT = 49152

_FORMS = "an interface id, instance id, load balancer name or ARN, IP address, CIDR, `internet` or `tag:Key=Value`"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end that a selector names: an interface, or an address outside the network.

    `address` is the one it goes by unless the other end is of the other family; `addresses` are all it may go by,
    the preferred first. `label` says for people what it is.
    """

    interface_id: str | None
    address: IPAddress
    label: str
    addresses: tuple[IPAddress, ...] = ()


def select(network: Network, text: str) -> list[Endpoint]:
    """The ends that `text` names, in the order of the description; at least one.

    Raises InputError, with near matches as a hint, if it names nothing, an address that several interfaces hold, or
    something that is not modelled.
    """
    text = text.strip()
    if text.lower() == "internet":
        return [_internet(network)]
    if text.startswith("tag:"):
        return _by_tag(network, text)
    if text in network.interfaces:
        return [_endpoint(network.interfaces[text], text)]
    instance_interfaces = [i for i in network.interfaces.values() if _is_of_instance(network, i, text)]
    if instance_interfaces:
        return [_endpoint(interface, text) for interface in instance_interfaces]
    nodes = _nodes_of(network, text)
    if nodes:
        return [_endpoint(node, text) for node in nodes]
    address = _as_address(text)
    if address is not None:
        return [_by_address(network, address)]
    block = _as_network(text)
    if block is not None:
        return _by_cidr(network, block)
    raise _unknown(network, text)


# -- the forms of selector -----------------------------------------------------------------------------------


def _endpoint(interface: NetworkInterface, selector: str, addresses: Iterable[IPAddress] | None = None) -> Endpoint:
    own = sorted(interface.addresses, key=lambda each: (each.address.version, not each.primary))
    found = tuple(each.address for each in own) if addresses is None else tuple(addresses)
    if not found:
        raise InputError(
            "the interface has no address",
            where=interface.interface_id,
            found=selector,
            hint="name an address of it, for example one in a delegated prefix",
        )
    label = interface.interface_id
    extra = [part for part in (interface.tags.get("Name"), interface.instance_id) if part]
    if extra:
        label += f" ({', '.join(extra)})"
    return Endpoint(interface.interface_id, found[0], label, found)


def _is_of_instance(network: Network, interface: NetworkInterface, instance_id: str) -> bool:
    instance = network.instances.get(instance_id)
    named = instance is not None and interface.interface_id in instance.interface_ids
    return named or (interface.instance_id is not None and interface.instance_id == instance_id)


def _nodes_of(network: Network, text: str) -> list[NetworkInterface]:
    """The interfaces of the load balancers that have this name or ARN, in the order of the description."""
    ids = {
        node
        for balancer in network.load_balancers.values()
        if text in (balancer.load_balancer_id, balancer.name)
        for node in balancer.interface_ids
    }
    found = [each for each in network.interfaces.values() if each.interface_id in ids]
    if not found:
        found = [each for each in network.interfaces.values() if _balancer_name(each) == text]
    return [each for each in found if each.addresses]


def _balancer_name(interface: NetworkInterface) -> str | None:
    """The name of the load balancer that an interface's description says it is a node of (LB-01)."""
    description = interface.description or ""
    if not description.startswith("ELB "):
        return None
    parts = description.removeprefix("ELB ").split("/")  # "ELB app/NAME/50dc6c495c0c9188", Classic: "ELB NAME"
    return parts[1] if len(parts) > 1 else parts[0]


def _by_address(network: Network, address: IPAddress) -> Endpoint:
    owners = [each for each in network.interfaces.values() if each.vpc_id and each.holds(address)]
    if not owners:
        owners = [each for each in network.interfaces.values() if each.vpc_id and _is_mapped(each, address)]
    if len(owners) > 1:
        names = ", ".join(f"{each.interface_id} in {each.vpc_id}" for each in owners)
        raise InputError("more than one interface has this address", found=str(address), hint=f"name one: {names}")
    if owners:
        return _endpoint(owners[0], str(address), (address,))
    return Endpoint(None, address, f"{address} ({_place(network, address)})", (address,))


def _is_mapped(interface: NetworkInterface, address: IPAddress) -> bool:
    return any(own.public_address == address for own in interface.addresses)


def _place(network: Network, address: IPAddress) -> str:
    vpc_id = next((vpc_id for vpc_id, cidrs in _vpc_cidrs(network) if any(address in cidr for cidr in cidrs)), None)
    return f"in {vpc_id}, held by no described interface" if vpc_id else "outside the network"


def _vpc_cidrs(network: Network) -> Iterator[tuple[str, tuple[IPNetwork, ...]]]:
    for vpc in network.vpcs.values():
        yield vpc.vpc_id, vpc.blocks


def _by_cidr(network: Network, block: IPNetwork) -> list[Endpoint]:
    """The interfaces with an own address in `block`; else those with a public one; else an address outside."""
    for public in (False, True):
        found = []
        for interface in network.interfaces.values():
            own = (each.public_address if public else each.address for each in interface.addresses)
            inside = [address for address in own if address is not None and address in block]
            if inside and interface.vpc_id:
                found.append(_endpoint(interface, str(block), inside))
        if found:
            return found
    first = block.network_address + (1 if block.num_addresses > 2 else 0)
    for address in (first, block.broadcast_address):
        if not any(address in cidr for _, cidrs in _vpc_cidrs(network) for cidr in cidrs):
            return [Endpoint(None, address, f"{address} (for {block}, outside the network)", (address,))]
    raise InputError(
        "no described interface has an address in this CIDR, and it lies in a VPC",
        found=str(block),
        hint="name one of: " + ", ".join(list(network.interfaces)[:5]) if network.interfaces else None,
    )


def _by_tag(network: Network, text: str) -> list[Endpoint]:
    key, separator, value = text.removeprefix("tag:").partition("=")
    if not separator or not key:
        raise InputError("a tag selector needs a key and a value", found=text, expected="tag:Key=Value")
    found: list[NetworkInterface] = []
    values: set[str] = set()
    keys: set[str] = set()
    for interface in network.interfaces.values():
        instance = network.instances.get(interface.instance_id or "")
        for tags in (interface.tags, instance.tags if instance else {}):
            keys.update(tags)
            values.update([tags[key]] if key in tags else [])
            if tags.get(key) == value and (not found or found[-1] is not interface):
                found.append(interface)
    if found:
        return [_endpoint(interface, text) for interface in found]
    if values:
        hint = f"values of {key}: " + ", ".join(_near(value, values))
    else:
        hint = "tag keys in use: " + (", ".join(_near(key, keys)) or "none")
    raise InputError("no interface, and no interface's instance, has this tag", found=text, hint=hint)


def _internet(network: Network) -> Endpoint:
    """A public address of each family that stands for any address on the internet; the same one for the same network.

    The first candidate that is no documentation address and that no VPC, public mapping, rule or route with a
    prefix longer than /0 holds, so that no narrower rule makes it special; if there is none, only VPCs and mappings
    count.
    """
    held = [cidr for _, cidrs in _vpc_cidrs(network) for cidr in cidrs]
    named = [cidr for cidr in _named_cidrs(network) if cidr.prefixlen > 0]
    mapped = {own.public_address for each in network.interfaces.values() for own in each.addresses}
    mapped |= {elastic.public_address for elastic in network.elastic_addresses}
    found: list[IPAddress] = []
    for candidates in (_CANDIDATES_V4, _CANDIDATES_V6):
        free = [each for each in candidates if each not in mapped and not any(each in cidr for cidr in held)]
        plain = (each for each in free if not any(each in cidr for cidr in named))
        address = next(plain, free[0] if free else None)
        if address is not None:
            found.append(address)
    if not found:
        raise InputError("every address that could stand for the internet is in a VPC", hint="name an address")
    return Endpoint(None, found[0], f"internet ({found[0]} stands for it)", tuple(found))


def _candidates(texts: Iterable[str]) -> tuple[IPAddress, ...]:
    return tuple(address for address in map(ip_address, texts) if address.is_global and not address.is_multicast)


_CANDIDATES_V4 = _candidates(["8.8.8.8", "1.1.1.1", "9.9.9.9", *(f"{n}.{n}.{n}.{n}" for n in range(11, 223))])
_CANDIDATES_V6 = _candidates(
    ["2001:4860:4860::8888", "2606:4700:4700::1111", "2620:fe::fe", *(f"2a{n:02x}:1::1" for n in range(16, 100))]
)


def _named_cidrs(network: Network) -> Iterator[IPNetwork]:
    """Every CIDR that a rule, an ACL entry, a route or a prefix list names."""
    for group in network.security_groups.values():
        yield from (rule.cidr_block for rule in group.rules if rule.cidr_block is not None)
    for acl in network.network_acls.values():
        yield from (entry.cidr_block for entry in acl.entries)
    for table in network.route_tables.values():
        yield from (route.destination for route in table.routes if not isinstance(route.destination, str))
    for listed in network.prefix_lists.values():
        yield from listed.cidr_blocks or ()


def _as_address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _as_network(text: str) -> IPNetwork | None:
    try:
        return ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


# -- what is wrong with a selector ---------------------------------------------------------------------------


def _near(text: str, words: Iterable[str]) -> list[str]:
    known = sorted(words)
    return get_close_matches(text, known, n=5, cutoff=0.6) or known[:5]


def _unknown(network: Network, text: str) -> InputError:
    """The error that tells what `text` may have meant."""
    balancers = network.load_balancers.values()
    if any(text in (balancer.load_balancer_id, balancer.name) for balancer in balancers):
        return InputError("no described interface is a node of this load balancer", found=text, expected=_FORMS)
    if text.startswith("arn:"):
        near = get_close_matches(text, [balancer.load_balancer_id for balancer in balancers], n=5, cutoff=0.6)
        hint = "near matches: " + (", ".join(near) or "none")
        return InputError("no load balancer has this ARN", found=text, hint=hint)
    if text in network.instances:
        return InputError("no described interface belongs to this instance", found=text, expected=_FORMS)
    if text in network.vpcs or text in network.subnets:
        cidrs = [str(cidr) for vpc_id, blocks in _vpc_cidrs(network) if vpc_id == text for cidr in blocks]
        subnet = network.subnets.get(text)
        cidrs += [str(subnet.cidr_block)] if subnet and subnet.cidr_block else []
        return InputError("a VPC or subnet is named by its CIDR", found=text, hint=f"use {' or '.join(cidrs)}")
    named = [i.interface_id for i in network.interfaces.values() if _name_of(network, i) == text]
    if named:
        return InputError("this is a name, not an id", found=text, hint=f"use tag:Name={text}, or {' or '.join(named)}")
    known = [*network.interfaces, *network.instances, *(balancer.name for balancer in balancers)]
    near = get_close_matches(text, known, n=5, cutoff=0.6)
    hint = f"near matches: {', '.join(near)}" if near else f"for example {', '.join(known[:3]) or 'internet'}"
    return InputError("no such end in the network", found=text, expected=_FORMS, hint=hint)


def _name_of(network: Network, interface: NetworkInterface) -> str | None:
    instance = network.instances.get(interface.instance_id or "")
    return interface.tags.get("Name") or (instance.tags.get("Name") if instance else None)


# -- flows ---------------------------------------------------------------------------------------------------


def flow_between(
    network: Network,
    source: Endpoint,
    destination: Endpoint,
    protocol: int | str,
    source_port: int | None = None,
    destination_port: int | None = None,
    icmp_type: int | None = None,
    icmp_code: int | None = None,
) -> dict[str, Any]:
    """The flow that opens a conversation between two ends, as a mapping of the flow columns.

    The family is one that both ends have, IPv4 if it can be. From outside, an interface is named by its public IPv4
    address if it has one (IG-03). Without `source_port`, TCP and UDP start from EPHEMERAL_PORT; without `icmp_code`, an
    ICMP request (ICMP_REPLIES, ICMPV6_REPLIES) has code 0, the only one there is. Raises InputError if the ends share
    no family, the protocol is unknown or its destination port is missing.
    """
    number = _protocol_number(protocol)
    if number is None:
        usual = ("tcp", "udp", "icmp", "icmpv6")
        near = ", ".join(get_close_matches(str(protocol).lower(), PROTOCOL_NUMBERS, n=5, cutoff=0.6) or usual)
        raise InputError("unknown protocol", found=protocol, expected="a name or a number from 0 to 255", hint=near)
    has_ports, has_type = number in (TCP, UDP), number in (ICMP, ICMPV6)
    if has_ports and destination_port is None:
        raise InputError("the protocol needs a destination port", found=protocol, hint="give --port")
    if icmp_code is None and icmp_type in (ICMP_REPLIES if number == ICMP else ICMPV6_REPLIES):
        icmp_code = 0
    srcaddr, dstaddr = _shared_family(source, destination)
    if source.interface_id is None and destination.interface_id is not None:
        interface = network.interfaces[destination.interface_id]
        public = (own.public_address for own in interface.addresses if own.address == dstaddr)
        dstaddr = next(public, None) or dstaddr
    return {
        "srcaddr": str(srcaddr),
        "dstaddr": str(dstaddr),
        "srcport": (EPHEMERAL_PORT if source_port is None else source_port) if has_ports else None,
        "dstport": destination_port if has_ports else None,
        "protocol": number,
        "src_interface_id": source.interface_id,
        "icmp_type": icmp_type if has_type else None,
        "icmp_code": icmp_code if has_type else None,
    }


def other_receiver(
    network: Network, destination: Endpoint, verdict: str, flow: Mapping[str, Any], ends: tuple[str | None, str | None]
) -> InputError | None:
    """What is wrong where a flow does not go to the interface that `destination` names; None: nothing.

    `verdict`, `ends` (src_interface, dst_interface): the flow's. An address says where a packet goes only within a VPC:
    there it may be another interface's, or lead out of the network.
    """
    wanted, (sender, found) = destination.interface_id, ends
    if wanted is None or found == wanted or (found is None and verdict != "ACCEPT"):
        return None
    seen = f"seen from {network.interfaces[sender].vpc_id}" if sender else "seen from outside"
    where = f"{seen}, {flow['dstaddr']} is {found or 'not its address'}"
    hint = f"name {found or flow['dstaddr']} as the other end, or an address by which {wanted} can be reached"
    return InputError(f"the packet does not come to {wanted}: {where}", hint=hint)


def _protocol_number(protocol: int | str) -> int | None:
    text = str(protocol).strip().lower()
    number = PROTOCOL_NUMBERS.get(text, int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None)
    return number if number is not None and 0 <= number <= 255 else None


def _shared_family(source: Endpoint, destination: Endpoint) -> tuple[IPAddress, IPAddress]:
    for family in (IPv4Address, IPv6Address):
        ends = [
            next((address for address in end.addresses or (end.address,) if isinstance(address, family)), None)
            for end in (source, destination)
        ]
        if ends[0] is not None and ends[1] is not None:
            return ends[0], ends[1]
    raise InputError(
        "the two ends have no address family in common",
        found=f"{source.label} -> {destination.label}",
        hint="name an address of the family that both have",
    )
