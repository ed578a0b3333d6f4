"""Records that could not be laid on a rule, and which rules may have let them through all the same.

A record says of its interface that a packet passed there, or was refused (FL-43), whoever judged it. Where the walk
does not come to the rules of that interface, or says something else than AWS logged, every rule there that covers the
packet may be the one that was needed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import usagekernels as uk
from ..compile_usage import ACL_ENTRY, GROUP_RULE, Rule, UsagePlan
from ..kernels import NULL32
from ..model import Network, Route
from ..schema import TCP, UDP

if TYPE_CHECKING:
    from ..kernels import Flows

Array = npt.NDArray[Any]
Prefix = IPv4Network | IPv6Network

#: Addresses that are of somebody's network, whatever the snapshot describes (docs/semantics.md, section 1).
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))

_ACCEPTED, _REJECTED = uk.ACCEPT + 1, uk.REJECT + 1


@dataclass(frozen=True)
class Traces:
    """What may have needed a rule: records, the last of them (None: not known), and an interface where they came."""

    records: int
    last: int | None
    interface: str


@dataclass(frozen=True)
class Packet:
    """What may have needed a group rule: remote (None: not known), protocol and port (-1: not known, or none)."""

    remote: Prefix | None
    protocol: int
    port: int
    records: int
    last: int

    @property
    def is_known(self) -> bool:
        """Whether a rule can be made for it."""
        return self.remote is not None and self.protocol >= 0 and (self.protocol not in (TCP, UDP) or self.port >= 0)


def empty_untold(size: int) -> uk.Untold:
    """A table with `size` slots, a power of two."""
    return uk.Untold(np.zeros((size, 4), np.uint64), np.zeros((size, 2), np.int64))


def larger_untold(table: uk.Untold) -> uk.Untold:
    """The same with twice as many slots."""
    larger = empty_untold(2 * table.key.shape[0])
    uk.move_untold(table, larger)
    return larger


def grain_of(plan: UsagePlan, *, exact: bool) -> uk.Grain:
    """How fine packets are kept: as fine as the rules tell them apart; `exact`: each port and remote by itself."""
    if exact:
        return uk.Grain(np.arange(1 << 16, dtype=np.uint16), np.zeros(0, np.uint32))
    ports, addresses, prefixes = {0}, {0}, set(_somebodys(plan.network))
    for rule in plan.rules:
        record: Any = rule.record
        prefixes.update(_prefixes(plan.network, record) or ())
        if not isinstance(record, Route) and record.from_port is not None:
            ports |= {record.from_port, (record.from_port if record.to_port is None else record.to_port) + 1}
    for prefix in prefixes:
        if prefix.version == 4:
            addresses |= {_ends(prefix)[0], _ends(prefix)[1] + 1}
    firsts = np.array(sorted(port for port in ports if 0 <= port < 1 << 16))
    every = np.arange(1 << 16)
    standing = firsts[np.searchsorted(firsts, every, side="right") - 1].astype(np.uint16)
    return uk.Grain(standing, np.array(sorted(each for each in addresses if each < 1 << 32), np.uint32))


def _prefixes(network: Network, record: Any) -> tuple[Prefix, ...] | None:
    """The remotes of a rule; None: it names a group, or a prefix list whose entries are not described."""
    listed = record.destination if isinstance(record, Route) else getattr(record, "prefix_list_id", None)
    if isinstance(listed, str):
        found = network.prefix_lists.get(listed)
        return None if found is None else found.cidr_blocks
    own = listed if isinstance(record, Route) else record.cidr_block
    return None if own is None else (own,)


def _ends(prefix: Any) -> tuple[int, int]:
    """First and last address."""
    first = int(prefix.network_address)
    return first, first + (1 << (prefix.max_prefixlen - prefix.prefixlen)) - 1


def is_hidden(network: Network, rule: Rule) -> bool:
    """Whether a rule's prefix list, or what is in it, is not described."""
    return getattr(rule.record, "referenced_group_id", None) is None and _prefixes(network, rule.record) is None


def _somebodys(network: Network) -> Iterable[Any]:
    """IPv4 addresses that an interface of some network may have: those that references to groups can mean."""
    return (*_PRIVATE, *(block for vpc in network.vpcs.values() for block in vpc.cidr_blocks))


class Untold:
    """The packets of such records, by interface; built when all are counted."""

    def __init__(self, plan: UsagePlan, table: uk.Untold) -> None:
        self._plan = plan
        used = np.flatnonzero(table.key[:, 3])
        key, found = table.key[used], table.found[used]
        order = np.argsort(key[:, 2] >> np.uint64(32), kind="stable")
        key, found = key[order], found[order]
        what, where = key[:, 3].astype(np.int64), key[:, 2]
        self.high, self.low = key[:, 0], key[:, 1]
        self.interface = (where >> np.uint64(32)).astype(np.int64)
        self.port = (where >> np.uint64(16) & np.uint64(0xFFFF)).astype(np.int64)
        self.other_port = (where & np.uint64(0xFFFF)).astype(np.int64)
        self.protocol = what & 511
        self.egress = what >> uk.AT_EGRESS & 1
        self.family = what >> uk.AT_FAMILY & 7
        self.needs = what >> uk.AT_NEEDS & 15
        self.action = what >> uk.AT_ACTION & 3
        self.no_ports = what >> uk.AT_NO_PORTS & 1
        self.records, self.last = found[:, 0], found[:, 1]
        self._numbers = {name: number for number, name in enumerate(plan.compiled.interface_ids)}
        self._rows: dict[str, Array] = {}

    def __len__(self) -> int:
        return self.records.size

    def traces(self, rule: Rule, interfaces: Sequence[str]) -> Traces | None:
        """What may have needed a rule that applies to these interfaces; None: nothing."""
        rows = np.unique(np.concatenate([rows for rows, _ in self._matched(rule, interfaces)]))
        if not rows.size:
            return None
        last = int(self.last[rows].max())
        name = self._plan.compiled.interface_ids[int(self.interface[rows[0]])]
        return Traces(int(self.records[rows].sum()), None if last == uk.NO_FIRST else last, name)

    def packets(self, rule: Rule, interfaces: Sequence[str]) -> list[Packet]:
        """What may have needed a group rule, one by one; where ports and remotes are kept each by itself."""
        found = []
        for rows, ports in self._matched(rule, interfaces):
            for row in rows.tolist():
                protocol, last = int(self.protocol[row]), int(self.last[row])
                has_port = protocol in (TCP, UDP) and not self.no_ports[row]
                found.append(
                    Packet(
                        self._remote(row),
                        -1 if protocol == uk.ANY_PROTOCOL else protocol,
                        int(ports[row]) if has_port else -1,
                        int(self.records[row]),
                        uk.MISSING if last == uk.NO_FIRST else last,
                    )
                )
        return found

    def _remote(self, row: int) -> Prefix | None:
        if self.family[row] == 6:
            return IPv6Network((int(self.high[row]) << 64 | int(self.low[row]), 128))
        return IPv4Network(ip_address(int(self.low[row]))) if self.family[row] == 4 else None

    # -- which rules cover what ----------------------------------------------------------------------------

    def _matched(self, rule: Rule, interfaces: Sequence[str]) -> list[tuple[Array, Array]]:
        """(rows that may have needed the rule, the ports it saw in every row) for each way a packet can need it."""
        here = self._at(rule.owner, interfaces)
        record: Any = rule.record
        refused = rule.kind == ACL_ENTRY and not record.allow
        here = here[self.action[here] != (_ACCEPTED if refused else _REJECTED)]
        if rule.kind == GROUP_RULE:
            ways = [(uk.OPENING, rule.egress, self.port), (uk.ANSWERING, not rule.egress, self.other_port)]
        else:
            ways = [(uk.ENTRY if rule.kind == ACL_ENTRY else uk.ROUTED, rule.egress is not False, self.port)]
        found = []
        for need, egress, ports in ways:
            rows = here[(self.needs[here] & need != 0) & (self.egress[here] == egress)]
            if rows.size and not isinstance(record, Route):
                rows = rows[self._holds_protocol(record, rows, ports)]
            if rows.size:
                rows = rows[self._holds_remote(rule, rows)]
            found.append((rows, ports))
        return found

    def _at(self, owner: str, interfaces: Sequence[str]) -> Array:
        """The rows of the interfaces that a group, ACL or route table applies to."""
        if owner not in self._rows:
            numbers = np.unique([self._numbers[name] for name in interfaces if name in self._numbers]).astype(np.int64)
            low, high = (np.searchsorted(self.interface, numbers, side=side) for side in ("left", "right"))
            parts = [np.arange(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True) if a < b]
            self._rows[owner] = np.concatenate([np.zeros(0, np.int64), *parts])
        return self._rows[owner]

    def _holds_protocol(self, record: Any, rows: Array, ports: Array) -> Array:
        """Protocol and ports; an ICMP type is in no record (FL-64)."""
        protocol = self.protocol[rows]
        held: Array = np.ones(rows.size, np.bool_)
        if record.protocol != -1:
            held = (protocol == record.protocol) | (protocol == uk.ANY_PROTOCOL)
        if record.protocol in (TCP, UDP) and record.from_port is not None:
            last = record.from_port if record.to_port is None else record.to_port
            port = ports[rows]
            held &= (self.no_ports[rows] != 0) | (port >= record.from_port) & (port <= last)
        return held

    def _holds_remote(self, rule: Rule, rows: Array) -> Array:
        network, record = self._plan.network, rule.record
        prefixes = _prefixes(network, record)
        held: Array = np.ones(rows.size, np.bool_)
        if prefixes is not None:
            held = self._inside(rows, prefixes)
            if isinstance(record, Route):
                held &= ~self._taken(rule, rows, prefixes)
        elif getattr(record, "referenced_group_id", None) is not None:
            # Who was a member then is not known: any address of somebody's network.
            held = (self.family[rows] != 4) | self._inside(rows, _somebodys(network))
        return held

    def _inside(self, rows: Array, prefixes: Iterable[Prefix]) -> Array:
        """Which remotes are in one of the prefixes; those that are not known are."""
        family, high, low = self.family[rows], self.high[rows], self.low[rows]
        held: Array = family == 0
        for prefix in prefixes:
            first, last = _ends(prefix)
            if prefix.version == 4:
                held |= (family == 4) & (low >= np.uint64(first)) & (low <= np.uint64(last))
                continue
            mask = int(prefix.netmask)
            same = high & np.uint64(mask >> 64) == np.uint64(first >> 64)
            held |= (family == 6) & same & (low & np.uint64(mask & (1 << 64) - 1) == np.uint64(first & (1 << 64) - 1))
        return held

    def _taken(self, rule: Rule, rows: Array, prefixes: Sequence[Prefix]) -> Array:
        """Remotes that a longer route of the table takes for sure (RT-04); one that is propagated may not (RT-11)."""
        table = self._plan.network.route_tables[rule.owner]
        longest = max((prefix.prefixlen for prefix in prefixes), default=0)
        longer = [
            route.destination
            for route in self._plan.network.routes_of(table)
            if not isinstance(route.destination, str) and not route.propagated and route.destination.prefixlen > longest
        ]
        taken = np.zeros(rows.size, np.bool_)
        if longer:
            taken = self._inside(rows, longer) & (self.family[rows] != 0)
        return taken


# -- tables of flows ---------------------------------------------------------------------------------------


class Owners:
    """Who holds an address: its own, delegated prefixes (EN-02), and public ones mapped to it (IG-05)."""

    def __init__(self, plan: UsagePlan) -> None:
        numbers = {name: number for number, name in enumerate(plan.compiled.interface_ids)}
        held: dict[int, list[tuple[int, int, int, bool]]] = {4: [], 6: []}
        for name, interface in plan.network.interfaces.items():
            if interface.vpc_id is None or name not in numbers:
                continue
            for each in interface.addresses:
                held[each.address.version].append((int(each.address), int(each.address), numbers[name], False))
                if each.public_address is not None:
                    held[4].append((int(each.public_address), int(each.public_address), numbers[name], True))
            for prefix in interface.prefixes:
                held[prefix.version].append((*_ends(prefix), numbers[name], False))
        four, six = _stretches(held[4]), _stretches(held[6])
        self._four = np.array([first for first, _ in four], np.uint64)
        self._six = [first for first, _ in six]
        parts = [owners for _, owners in (*four, *six)]
        self.count = np.array([len(owners) for owners in parts], np.int64)
        self.start = np.cumsum(self.count) - self.count
        self.interface = np.array([number for owners in parts for number, _ in owners], np.uint32)
        self.public = np.array([public for owners in parts for _, public in owners], np.bool_)
        self.any_public = np.array([any(public for _, public in owners) for owners in parts], np.bool_)

    def stretch(self, flows: Flows, *, of_source: bool) -> Array:
        """The stretch of addresses that one end of each flow is in; the first one is nobody's."""
        four, six = (flows.source, flows.source6) if of_source else (flows.destination, flows.destination6)
        found: Array = np.searchsorted(self._four, four, side="right") - 1
        if flows.family.size:
            found[flows.family == 0] = 0
            wide = np.flatnonzero(flows.family == 6)
            if wide.size:
                each, inverse = np.unique(six[wide], axis=0, return_inverse=True)
                places = [bisect_right(self._six, high << 64 | low) - 1 for high, low in each.tolist()]
                found[wide] = self._four.size + np.array(places)[inverse.reshape(-1)]
        return found

    def at(self, flows: Flows, known: Array, *, of_source: bool) -> tuple[Array, Array, Array]:
        """(row, interface, is it by a public address) of each interface at one end; `known`: as verdicts name it."""
        stretch = self.stretch(flows, of_source=of_source)
        direct, others = np.flatnonzero(known != NULL32), np.flatnonzero(known == NULL32)
        counts = self.count[stretch[others]]
        ahead = np.repeat(self.start[stretch[others]] - (np.cumsum(counts) - counts), counts)
        places = ahead + np.arange(ahead.size)
        return (
            np.concatenate([direct, np.repeat(others, counts)]),
            np.concatenate([known[direct], self.interface[places]]).astype(np.int32),
            np.concatenate([self.any_public[stretch[direct]], self.public[places]]),
        )


def _stretches(held: list[tuple[int, int, int, bool]]) -> list[tuple[int, list[tuple[int, bool]]]]:
    """(first address, who holds it) of stretches of addresses, from 0 on; of (first, last, interface, public)."""
    bounds = sorted({0, *(first for first, _, _, _ in held), *(last + 1 for _, last, _, _ in held)})
    found: list[tuple[int, list[tuple[int, bool]]]] = [(bound, []) for bound in bounds]
    places = {bound: place for place, bound in enumerate(bounds)}
    for first, last, interface, public in held:
        for place in range(places[first], places[last + 1]):
            found[place][1].append((interface, public))
    return found
