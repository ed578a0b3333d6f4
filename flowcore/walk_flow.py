"""One flow as `explain` reads it: its values, its opening packet, the packet of its reply, the kinds of address.

The slow twin's own reading of flows (docs/semantics.md, sections 1 and 2). It shares nothing with the fast path.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import FlowError
from .schema import FLOW_COLUMNS, ICMP, ICMP_REPLIES, ICMPV6, ICMPV6_REPLIES, PROTOCOL_NUMBERS, TCP, UDP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .model import IPAddress

_REQUIRED = tuple(column.name for column in FLOW_COLUMNS if column.required)
_NOT_GIVEN = (None, "", "-")

#: A port that a translation chose: any of FIRST_EPHEMERAL to LAST_PORT (NG-04, AL-02).
EPHEMERAL = -1
FIRST_EPHEMERAL, LAST_PORT = 1024, 65535
_EPHEMERAL_TEXT = f"{FIRST_EPHEMERAL}-{LAST_PORT}"

#: Kinds of address, in the words of docs/semantics.md; the first three are of *private kind*.
RFC1918, RFC6598, UNIQUE_LOCAL, UNROUTABLE, INTERNET = "rfc1918", "rfc6598", "unique-local", "unroutable", "internet"
PRIVATE_KINDS = frozenset({RFC1918, RFC6598, UNIQUE_LOCAL})

_KINDS = tuple(
    (kind, tuple(map(ip_network, blocks)))
    for kind, blocks in (
        (RFC1918, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
        (RFC6598, ("100.64.0.0/10",)),
        (UNIQUE_LOCAL, ("fc00::/7",)),
        (UNROUTABLE, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")),
        (UNROUTABLE, ("::/128", "::1/128", "fe80::/10", "ff00::/8")),
    )
)


class Packet(NamedTuple):
    """The header of one packet, as seen at one place. Ports are None where the protocol has none, EPHEMERAL where a
    translation chose them.

    For ICMP and ICMPv6 the type and code stand for the destination port; None: not known (FL-64).
    """

    source: IPAddress
    destination: IPAddress
    protocol: int
    source_port: int | None = None
    destination_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The header as plain JSON-ready data; a port that is not known is the text "1024-65535"."""
        ports = {
            name: _EPHEMERAL_TEXT for name in ("source_port", "destination_port") if getattr(self, name) == EPHEMERAL
        }
        return {**self._asdict(), "source": str(self.source), "destination": str(self.destination), **ports}

    def __str__(self) -> str:
        name = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}.get(self.protocol, f"protocol {self.protocol}")
        if self.protocol in (TCP, UDP):
            return f"{name} {_end(self.source, self.source_port)} -> {_end(self.destination, self.destination_port)}"
        detail = ""
        if self.protocol in (ICMP, ICMPV6):
            known = self.icmp_type is not None
            detail = (
                f" type {self.icmp_type if known else '?'} code {'?' if self.icmp_code is None else self.icmp_code}"
            )
        return f"{name} {self.source} -> {self.destination}{detail}"


def _end(address: IPAddress, port: int | None) -> str:
    shown = _EPHEMERAL_TEXT if port == EPHEMERAL else port
    return f"[{address}]:{shown}" if address.version == 6 else f"{address}:{shown}"


@lru_cache(maxsize=65536)
def kind_of(address: IPAddress) -> str:
    """The kind of an address: RFC1918, RFC6598, UNIQUE_LOCAL, UNROUTABLE or INTERNET."""
    return next((kind for kind, blocks in _KINDS if any(address in block for block in blocks)), INTERNET)


def is_private(address: IPAddress) -> bool:
    """Whether an address is of private kind: RFC 1918, RFC 6598 or fc00::/7."""
    return kind_of(address) in PRIVATE_KINDS


def check_keys(flow: Mapping[str, Any]) -> None:
    """Nothing; raises FlowError naming the required columns that `flow` does not have."""
    missing = [name for name in _REQUIRED if name not in flow]
    if missing:
        raise FlowError(
            "the flow lacks required columns: " + ", ".join(missing),
            found=sorted(map(str, flow)),
            expected=", ".join(_REQUIRED),
            hint="give srcport and dstport as None where the protocol has no ports",
        )


def read_packet(flow: Mapping[str, Any]) -> Packet | str:
    """The packet that opens the conversation, or, if the flow is invalid (INVALID_FLOW), what is wrong with it.

    Ports count for TCP and UDP only, type and code for ICMP and ICMPv6 only; elsewhere they are not looked at.
    """
    source, destination = read_address(flow["srcaddr"]), read_address(flow["dstaddr"])
    if source is None or destination is None:
        return f"{'srcaddr' if source is None else 'dstaddr'} is not an address"
    if source.version != destination.version:
        return "srcaddr and dstaddr are of different families"
    protocol = read_protocol(flow["protocol"])
    if protocol is None:
        return "protocol is not a number from 0 to 255 or a known name"
    if protocol in (TCP, UDP):
        from_port, to_port = _read_number(flow["srcport"]), _read_number(flow["dstport"])
        if from_port is None or to_port is None or not (0 <= from_port <= 65535 and 0 <= to_port <= 65535):
            return "a port is missing or not from 0 to 65535"
        return Packet(source, destination, protocol, from_port, to_port)
    if protocol in (ICMP, ICMPV6):
        numbers = []
        for name in ("icmp_type", "icmp_code"):
            value = flow.get(name)
            number = None if value in _NOT_GIVEN else _read_number(value)
            if value not in _NOT_GIVEN and (number is None or not 0 <= number <= 255):
                return f"{name} is not from 0 to 255"
            numbers.append(number)
        return Packet(source, destination, protocol, None, None, *numbers)
    return Packet(source, destination, protocol)


def read_interface_id(flow: Mapping[str, Any]) -> str | None:
    """The interface the flow names as its start; None: not given."""
    value = flow.get("src_interface_id")
    return None if value in _NOT_GIVEN else str(value)


def read_address(value: Any) -> IPAddress | None:
    """The address in a flow column: text, whole number (IPv4), bytes (4 or 16) or ipaddress object; None: invalid.

    Text is read as `ipaddress` reads it: no leading zeros in IPv4. An IPv6 zone id is invalid.
    """
    if isinstance(value, (IPv4Address, IPv6Address)):
        return None if getattr(value, "scope_id", None) else value
    if isinstance(value, str):
        return _read_text(value)
    try:
        if isinstance(value, (bytes, bytearray)):
            return ip_address(bytes(value)) if len(value) in (4, 16) else None
        number = _read_number(value)
        return None if number is None else IPv4Address(number)
    except ValueError:
        return None


@lru_cache(maxsize=65536)
def _read_text(text: str) -> IPAddress | None:
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def read_protocol(value: Any) -> int | None:
    """The IANA number of a protocol given by number, numeric text or name in any case; None: invalid."""
    if isinstance(value, str) and value.lower() in PROTOCOL_NUMBERS:
        return PROTOCOL_NUMBERS[value.lower()]
    number = _read_number(value)
    return number if number is not None and 0 <= number <= 255 else None


def _read_number(value: Any) -> int | None:
    """A whole number from a whole number, a float without fraction, or plain decimal digits; None: it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    try:
        return operator.index(value)
    except TypeError:
        return None


def has_reply(packet: Packet) -> bool:
    """Whether a packet asks for a reply: ICMP errors and replies do not (ST-04)."""
    replies = {ICMP: ICMP_REPLIES, ICMPV6: ICMPV6_REPLIES}.get(packet.protocol)
    return replies is None or packet.icmp_type is None or packet.icmp_type in replies


def reply_to(packet: Packet) -> Packet:
    """The packet that answers: ends and ports swapped; for ICMP the type of the reply and code 0, where known."""
    swapped = Packet(packet.destination, packet.source, packet.protocol, packet.destination_port, packet.source_port)
    if packet.icmp_type is None:
        return swapped
    replies = ICMP_REPLIES if packet.protocol == ICMP else ICMPV6_REPLIES
    return swapped._replace(icmp_type=replies.get(packet.icmp_type), icmp_code=0)
