"""Ordered rule lists of which the first match decides, flows to ask of them, and a plain Numba scan of each.

Two kinds: `Acl`, what a network ACL can say (remote CIDR, protocol, destination ports), which flowcore answers too;
and `FiveTuple`, which also tests the destination, the usual form of a firewall's list.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowcore.model import Network, SecurityGroupRule

Array = npt.NDArray[Any]

ANY = -1
TCP, UDP = 6, 17
PUBLIC_BYTES = range(11, 54)
"""First bytes of addresses without any private or special range among them."""


class Acl(NamedTuple):
    """An ACL's inbound list. Bounds are inclusive; `protocol` ANY matches all, its ports are 0 to 65535."""

    low: Array  # uint32[rules]
    high: Array  # uint32[rules]
    protocol: Array  # int16[rules]
    port_low: Array  # int32[rules]
    port_high: Array  # int32[rules]
    allow: Array  # bool[rules]

    def mask(self) -> Array:
        """uint32[rules]: an address lies in the CIDR if address & mask == low."""
        return ~(self.high - self.low)

    def tests(self) -> tuple[Array, ...]:
        """What a scan tests, in the order of `acl_scan`'s first parameters."""
        return self.low, self.mask(), self.protocol, self.port_low, self.port_high


class Asked(NamedTuple):
    """The flows, as far as the list can see them."""

    source: Array  # uint32[n]
    protocol: Array  # uint8[n]
    port: Array  # uint16[n]


class FiveTuple(NamedTuple):
    """A firewall's list."""

    source: Array  # uint32[rules]  an address lies in the CIDR if address & mask == this
    source_mask: Array  # uint32[rules]
    destination: Array  # uint32[rules]
    destination_mask: Array  # uint32[rules]
    protocol: Array  # int16[rules]
    port_low: Array  # int32[rules]
    port_high: Array  # int32[rules]


def acl_rules(count: int, seed: int) -> Acl:
    """A list of `count` rules over public addresses: /12 to /28, one port, a range, or all; half of them allow."""
    rng = Random(f"acl {seed}")
    rows = []
    for _ in range(count):
        size = 1 << 32 - rng.choice((12, 14, 16, 16, 18, 20, 20, 22, 24, 24, 24, 28))
        low = ((rng.choice(PUBLIC_BYTES) << 24) + rng.getrandbits(24)) // size * size
        protocol = rng.choice((TCP, TCP, TCP, UDP, ANY))
        first = rng.choice((22, 53, 80, 123, 443, 443, 3306, 5432, 8080, rng.randrange(1024, 60000)))
        last = first + rng.choice((0, 0, 0, 10, 1000))
        first, last = (0, 65535) if protocol == ANY or rng.random() < 0.2 else (first, last)
        rows.append((low, low + size - 1, protocol, first, last, rng.random() < 0.5))
    kinds = (np.uint32, np.uint32, np.int16, np.int32, np.int32, np.bool_)
    return Acl(*(np.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)))


def asked_of(rules: Acl, count: int, seed: int) -> Asked:
    """Flows of which four of five lie in some rule (drawn evenly: early ones decide more)."""
    rng = np.random.default_rng((seed, 0xAC1))
    rule = rng.integers(0, rules.low.size, count)
    width = rules.high[rule].astype(np.int64) - rules.low[rule] + 1
    source = rules.low[rule] + (rng.random(count) * width).astype(np.int64)
    ports = rules.port_high[rule] - rules.port_low[rule] + 1
    port = rules.port_low[rule] + (rng.random(count) * ports).astype(np.int64)
    protocol = np.where(rules.protocol[rule] == ANY, TCP, rules.protocol[rule])
    stray = rng.random(count) < 0.2
    anywhere = (rng.integers(PUBLIC_BYTES.start, PUBLIC_BYTES.stop, count) << 24) + rng.integers(0, 1 << 24, count)
    source = np.where(stray, anywhere, source)
    port = np.where(stray, rng.integers(1, 65536, count), port)
    return Asked(source.astype(np.uint32), protocol.astype(np.uint8), port.astype(np.uint16))


def five_tuple_rules(network: Network, count: int) -> FiveTuple:
    """`count` rules in the manner of a firewall between the subnets, from inbound group rules drawn at random.

    Source: the rule's CIDR, or the subnet of a member of the group it names; destination: the subnet of a member.
    """
    rng = Random("five tuples")
    candidates = [
        (rule, group.group_id)
        for group in network.security_groups.values()
        for rule in group.rules
        if not rule.egress and rule.protocol in (TCP, UDP, ANY) and network.members.get(group.group_id)
    ]
    rows: list[tuple[int, ...]] = []
    while len(rows) < count:
        rule, group_id = rng.choice(candidates)
        source, destination = _source(network, rng, rule), _member_subnet(network, rng, group_id)
        if source is None or destination is None:
            continue
        ports = (rule.from_port or 0, 65535 if rule.to_port is None else rule.to_port)
        ports = ports if rule.protocol in (TCP, UDP) else (0, 65535)
        rows.append((*source, *destination, rule.protocol, *ports))
    columns = list(zip(*rows, strict=True))
    kinds = (np.uint32,) * 4 + (np.int16, np.int32, np.int32)
    return FiveTuple(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))


def _source(network: Network, rng: Random, rule: SecurityGroupRule) -> tuple[int, int] | None:
    if rule.referenced_group_id:
        return _member_subnet(network, rng, rule.referenced_group_id)
    block = rule.cidr_block
    if block is None or block.version != 4:
        return None
    return int(block.network_address), int(block.netmask)


def _member_subnet(network: Network, rng: Random, group_id: str) -> tuple[int, int] | None:
    members = network.members.get(group_id)
    subnet = network.subnets.get(rng.choice(members).subnet_id or "") if members else None
    if subnet is None or subnet.cidr_block is None:
        return None
    return int(subnet.cidr_block.network_address), int(subnet.cidr_block.netmask)


@cache
def acl_scan() -> Callable[..., Array]:
    """A plain Numba scan with early exit: per flow the first rule that matches, or the number of rules. Not cached."""
    import numba

    @numba.njit(nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
    def scan(
        low: Array, mask: Array, protocol: Array, port_low: Array, port_high: Array,
        source: Array, flow_protocol: Array, port: Array,
    ) -> Array:  # fmt: skip
        found = np.full(source.size, low.size, np.int32)
        for i in range(source.size):
            address, kind, number = source[i], np.int16(flow_protocol[i]), np.int32(port[i])
            for r in range(low.size):
                if (
                    address & mask[r] == low[r]
                    and port_low[r] <= number <= port_high[r]
                    and (protocol[r] == kind or protocol[r] == ANY)
                ):
                    found[i] = r
                    break
        return found

    typed: Callable[..., Array] = scan
    return typed


@cache
def five_tuple_scan() -> Callable[..., Array]:
    """The same for a FiveTuple. Not cached."""
    import numba

    @numba.njit(nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
    def scan(
        base: Array, mask: Array, there_base: Array, there_mask: Array, protocol: Array,
        port_low: Array, port_high: Array, source: Array, destination: Array, flow_protocol: Array, port: Array,
    ) -> Array:  # fmt: skip
        found = np.full(source.size, base.size, np.int32)
        for i in range(source.size):
            here, there, kind, number = source[i], destination[i], np.int16(flow_protocol[i]), np.int32(port[i])
            for r in range(base.size):
                if (
                    there & there_mask[r] == there_base[r]
                    and here & mask[r] == base[r]
                    and port_low[r] <= number <= port_high[r]
                    and (protocol[r] == kind or protocol[r] == ANY)
                ):
                    found[i] = r
                    break
        return found

    typed: Callable[..., Array] = scan
    return typed
