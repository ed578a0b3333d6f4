"""Addresses as ranks: both families on one axis of elementary intervals, cut at every bound that matters.

A rule can only tell two addresses apart if one of its bounds lies between them. So the axis is cut at the bounds of
every network and address of interest; inside one interval no rule sees a difference, and everything else works on
interval numbers. IPv4 intervals come first, IPv6 intervals after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import numpy as np
import numpy.typing as npt

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network

IPV4_END = 1 << 32
IPV6_END = 1 << 128

#: Kinds of address outside the network (docs/semantics.md, section 1).
INTERNET, RFC1918, RFC6598, IPV6_PRIVATE, UNROUTABLE = range(5)

KIND_PREFIXES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (RFC1918, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    (RFC6598, ("100.64.0.0/10",)),
    (IPV6_PRIVATE, ("fc00::/7",)),
    (
        UNROUTABLE,
        ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/128", "::1/128", "fe80::/10", "ff00::/8"),
    ),
)
#: Destinations no packet can have inside a VPC: multicast, broadcast, this host (EN-04).
NEVER_PREFIXES = ("224.0.0.0/3", "0.0.0.0/8", "127.0.0.0/8", "ff00::/8", "::/128", "::1/128")
#: Amazon's link-local services, which nothing filters (SG-61; .250, .251, .170.2, ::254 and ::123 are [mem] there).
SERVICE_ADDRESSES = (
    "169.254.169.253/32", "169.254.169.254/32", "169.254.169.123/32", "169.254.169.250/32", "169.254.169.251/32",
    "169.254.170.2/32", "fd00:ec2::253/128", "fd00:ec2::254/128", "fd00:ec2::123/128", "fe80:ec2::1/128",
)  # fmt: skip
#: Never forwarded by any route (RT-12).
UNFORWARDED_PREFIXES = ("169.254.168.0/22", "fd00:ec2::/32")
LINK_LOCAL_IPV6 = "fe80::/10"


def bounds_of(prefix: Prefix) -> tuple[int, int]:
    """First address and the one after the last, as integers."""
    low = int(prefix.network_address)
    return low, low + (1 << (prefix.max_prefixlen - prefix.prefixlen))


class AddressAxis:
    """The cut axis. `size` intervals; IPv4 in [0, ipv4_size), IPv6 in [ipv4_size, size)."""

    def __init__(self, prefixes: Iterable[Prefix], addresses: Iterable[Address]) -> None:
        cuts: dict[int, set[int]] = {4: {0}, 6: {0}}
        for prefix in prefixes:
            cuts[prefix.version].update(bounds_of(prefix))
        for address in addresses:
            cuts[address.version].update((int(address), int(address) + 1))
        cuts[4].discard(IPV4_END)
        cuts[6].discard(IPV6_END)
        self.ipv4_starts = sorted(cuts[4])
        self.ipv6_starts = sorted(cuts[6])
        self.ipv4_size = len(self.ipv4_starts)
        self.size = self.ipv4_size + len(self.ipv6_starts)
        self._rank4 = {start: rank for rank, start in enumerate(self.ipv4_starts)}
        self._rank4[IPV4_END] = self.ipv4_size
        self._rank6 = {start: rank + self.ipv4_size for rank, start in enumerate(self.ipv6_starts)}
        self._rank6[IPV6_END] = self.size

    def span(self, prefix: Prefix) -> tuple[int, int]:
        """Intervals [first, end) of a prefix whose bounds are cuts."""
        rank = self._rank4 if prefix.version == 4 else self._rank6
        low, high = bounds_of(prefix)
        return rank[low], rank[high]

    def interval(self, address: Address) -> int:
        """Interval of an address that was given as one."""
        return (self._rank4 if address.version == 4 else self._rank6)[int(address)]

    def bounds(self, interval: int) -> tuple[int, int]:
        """First and last address of an interval, as integers."""
        starts, last = (self.ipv4_starts, IPV4_END) if interval < self.ipv4_size else (self.ipv6_starts, IPV6_END)
        rank = interval if interval < self.ipv4_size else interval - self.ipv4_size
        return starts[rank], (starts[rank + 1] if rank + 1 < len(starts) else last) - 1

    def family_span(self, family: int | None) -> list[tuple[int, int]]:
        """All intervals of a family, or of both (None)."""
        spans = {4: (0, self.ipv4_size), 6: (self.ipv4_size, self.size)}
        return [spans[family]] if family else [(0, self.size)]

    def mask(self, prefixes: Iterable[Any]) -> npt.NDArray[np.bool_]:
        """bool[size]: the intervals inside any of `prefixes`."""
        mask = np.zeros(self.size, np.bool_)
        for prefix in prefixes:
            first, end = self.span(ip_network(prefix) if isinstance(prefix, str) else prefix)
            mask[first:end] = True
        return mask

    def kinds(self) -> npt.NDArray[np.uint8]:
        """uint8[size]: INTERNET, RFC1918, RFC6598, IPV6_PRIVATE or UNROUTABLE."""
        kinds = np.full(self.size, INTERNET, np.uint8)
        for kind, prefixes in KIND_PREFIXES:
            kinds[self.mask(prefixes)] = kind
        return kinds

    def internet_spans(self) -> list[tuple[int, int]]:
        """The intervals of kind INTERNET, as disjoint, ascending spans."""
        edges = np.flatnonzero(np.diff(np.concatenate(([0], (self.kinds() == INTERNET).astype(np.int8), [0]))))
        return [(int(first), int(end)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def special_prefixes() -> list[Prefix]:
    """Every prefix that this module gives a meaning to: an axis must be cut at their bounds."""
    texts = [text for _, prefixes in KIND_PREFIXES for text in prefixes]
    texts += [*NEVER_PREFIXES, *SERVICE_ADDRESSES, *UNFORWARDED_PREFIXES, LINK_LOCAL_IPV6]
    return [ip_network(text) for text in texts]


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same intervals as disjoint, ascending spans."""
    result: list[tuple[int, int]] = []
    for first, end in sorted(spans):
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        elif first < end:
            result.append((first, end))
    return result
