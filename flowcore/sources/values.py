"""Single values of a description: CIDRs, addresses, protocols, ports. What cannot be understood is a BadValueError."""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ..model import IPAddress, IPNetwork

__all__ = [
    "ICMP",
    "ICMPV6",
    "TCP",
    "UDP",
    "BadValueError",
    "address",
    "ipv4_address",
    "ipv4_network",
    "ipv6_address",
    "ipv6_network",
    "network",
    "port_range",
    "protocol_name",
    "protocol_number",
    "region_of",
    "type_and_code",
    "utf8_of",
]

ALL, ICMP, TCP, UDP, ICMPV6 = -1, 1, 6, 17, 58
_NUMBERS = {"-1": ALL, "all": ALL, "icmp": ICMP, "tcp": TCP, "udp": UDP, "icmpv6": ICMPV6}
_NAMES = {ALL: "all", ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}
_COMPASS = "central|north|south|east|west|northeast|northwest|southeast|southwest"
_REGION = re.compile(rf"[a-z]{{2,4}}(-[a-z]{{2,5}})?-({_COMPASS})-[0-9]")
_CIDR = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")


def utf8_of(data: bytes) -> bytes:
    """A text's bytes as UTF-8 without a byte order mark; UTF-16 has one (PowerShell's `>`). Raises UnicodeError."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


class BadValueError(Exception):
    """A value that cannot be understood. `steps` lead to it from the record: names of fields and list indices."""

    def __init__(self, found: object, expected: str, *steps: str | int, hint: str | None = None) -> None:
        super().__init__(expected)
        self.found, self.expected, self.steps, self.hint = found, expected, steps, hint

    @property
    def path(self) -> str:
        """The steps as JSON path, to be put behind that of the record."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps)


@lru_cache(maxsize=1 << 17)
def _parsed_network(text: str) -> IPNetwork | None:
    if not _CIDR.fullmatch(text):
        return None
    base, _, length = text.partition("/")
    try:
        if ":" not in base:  # the C library reads dotted quads as strictly as `ipaddress` does, and much faster
            number = int.from_bytes(socket.inet_pton(socket.AF_INET, base), "big")
            return IPv4Network((number, int(length)), strict=False)
        return ip_network(text, strict=False)
    except (ValueError, OSError):
        return None


@lru_cache(maxsize=1 << 17)
def _parsed_address(text: str) -> IPAddress | None:
    if "%" in text:  # a zone: no address of a VPC has one
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def network(text: str | None, *steps: str | int) -> IPNetwork:
    """The CIDR in canonical form: host bits are cleared (SG-06, NA-11)."""
    found = _parsed_network(text) if text else None
    if found is None:
        raise BadValueError(text, "a CIDR such as 10.0.0.0/16 or 2001:db8::/56", *steps)
    return found


def ipv4_network(text: str | None, *steps: str | int) -> IPv4Network:
    """The IPv4 CIDR in canonical form."""
    found = _parsed_network(text) if text else None
    if not isinstance(found, IPv4Network):
        raise BadValueError(text, "an IPv4 CIDR such as 10.0.0.0/16", *steps)
    return found


def ipv6_network(text: str | None, *steps: str | int) -> IPv6Network:
    """The IPv6 CIDR in canonical form."""
    found = _parsed_network(text) if text else None
    if not isinstance(found, IPv6Network):
        raise BadValueError(text, "an IPv6 CIDR such as 2001:db8::/56", *steps)
    return found


def address(text: str | None, *steps: str | int) -> IPAddress:
    """The address, of either family."""
    found = _parsed_address(text) if text else None
    if found is None:
        raise BadValueError(text, "an IP address", *steps)
    return found


def ipv4_address(text: str | None, *steps: str | int) -> IPv4Address:
    """The IPv4 address."""
    found = _parsed_address(text) if text else None
    if not isinstance(found, IPv4Address):
        raise BadValueError(text, "an IPv4 address", *steps)
    return found


def ipv6_address(text: str | None, *steps: str | int) -> IPv6Address:
    """The IPv6 address."""
    found = _parsed_address(text) if text else None
    if not isinstance(found, IPv6Address):
        raise BadValueError(text, "an IPv6 address", *steps)
    return found


def protocol_number(value: str | int | None, *steps: str | int) -> int:
    """IANA number, or -1 for all (SG-08, SG-12, NA-07). Names in any case, numbers also as strings."""
    number: int | None = None
    if isinstance(value, int):
        number = value
    elif value is not None:
        number = _NUMBERS.get(value.lower())
        if number is None and len(value) <= 3 and value.isascii() and value.isdigit():
            number = int(value)
    if number is None or not -1 <= number <= 255:
        raise BadValueError(value, "tcp, udp, icmp, icmpv6, -1 (all) or a protocol number from 0 to 255", *steps)
    return number


def protocol_name(number: int) -> str:
    """The word for a protocol in a made-up rule id."""
    return _NAMES.get(number, str(number))


def port_range(
    first: int | None, last: int | None, first_name: str, last_name: str, *steps: str | int
) -> tuple[int | None, int | None]:
    """First and last port, inclusive; (None, None) for all: both absent or both -1 (SG-10)."""
    first, last = (None if first == -1 else first), (None if last == -1 else last)
    if first is None and last is None:
        return None, None
    for port, name in ((first, first_name), (last, last_name)):
        if port is None or not 0 <= port <= 65535:
            raise BadValueError(port, "a port from 0 to 65535, or both ends absent or -1 for all ports", *steps, name)
    if first is not None and last is not None and first > last:
        raise BadValueError(first, f"a first port not above the last port {last}", *steps, first_name)
    return first, last


def type_and_code(
    kind: int | None, code: int | None, type_name: str, code_name: str, *steps: str | int
) -> tuple[int | None, int | None]:
    """ICMP type and code, None for all: absent or -1 (SG-11, NA-08). All types means all codes."""
    for value, name in ((kind, type_name), (code, code_name)):
        if value is not None and not -1 <= value <= 255:
            raise BadValueError(value, "an ICMP type or code from 0 to 255, or -1 for all", *steps, name)
    kind, code = (None if kind == -1 else kind), (None if code == -1 else code)
    return kind, code


def region_of(text: str | None) -> str | None:
    """The Region in a zone's name (`us-west-2a`), an ARN, or a folder's name; None if there is none."""
    if not text:
        return None
    if text.startswith("arn:"):
        parts = text.split(":", 4)
        return parts[3] or None if len(parts) > 4 else None
    found = _REGION.match(text)
    return found.group() if found else None
