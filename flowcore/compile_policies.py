"""Ordered rules as policies over two axes: port classes, and the remote classes of a VPC.

A policy is what one look-up asks: the groups of an interface in one direction (their union: SG-01), or one list of a
network ACL (ordered: NA-02). Its rules test only the remote address, the protocol and the destination port.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from .addresses import AddressAxis, merged
from .model import Network, NetworkAcl, NetworkAclEntry, SecurityGroupRule
from .schema import REASONS

Array = npt.NDArray[Any]
Spans = tuple[tuple[int, int, int], ...]
"""(first, end, maybe) on the port axis."""

REASON = {reason: code for code, reason in enumerate(REASONS)}

DIRECT, TRANSIT, NOBODY, REFERENCES = range(4)
"""Parties: what group references see of a sender (docs/semantics.md, section 6); the last is seen by nothing else."""


def deny(reason: str) -> int:
    """Outcome code of a stage that denies."""
    return k.DENY + REASON[reason]


def unsure(reason: str) -> int:
    """Outcome code of a stage that cannot be decided."""
    return k.UNSURE + REASON[reason]


def word(outcome: int, label: int | None = None) -> int:
    """Outcome word: outcome code, and the number of the rule's label."""
    return outcome << k.LABEL_BITS | (0 if label is None else label + 1)


def port_spans(
    protocol: int, first: int | None, last: int | None, all_types: bool = False, ephemeral: bool = False
) -> Spans:
    """What a rule covers of the port axis (SG-08…12, NA-06…09).

    tcp, udp: destination ports. icmp, icmpv6: type (`first`) and code (`last`), None or -1 for all; flows of unknown
    type or code may be meant (FL-64). `all_types`: NA-09. Any other protocol: all of it. `ephemeral`: a packet to an
    unknown port from 1024 up may be meant too (NA-16).
    """
    if protocol < 0:
        return ((0, k.PORT_AXIS_SIZE, 0),)
    if protocol in (k.TCP, k.UDP):
        base = k.TCP_BASE if protocol == k.TCP else k.UDP_BASE
        low, high = (0, 65535) if first is None or last is None else (first, last)
        named = (base + low, base + high + 1, 0)
        if not ephemeral or high < k.EPHEMERAL_FIRST:
            return (named,)
        unknown = k.TCP_EPHEMERAL if protocol == k.TCP else k.UDP_EPHEMERAL
        whole = low <= k.EPHEMERAL_FIRST and high >= k.EPHEMERAL_LAST
        return named, (unknown, unknown + 1, 0 if whole else 2)
    if protocol in (k.ICMP, k.ICMPV6):
        base = k.ICMP_BASE if protocol == k.ICMP else k.ICMPV6_BASE
        if all_types or first is None or first < 0:
            return ((base, base + k.ICMP_TYPE_UNKNOWN_KEY + 1, 0),)
        own, nothing_known = base + first * k.ICMP_CODES, base + k.ICMP_TYPE_UNKNOWN_KEY
        if last is None or last < 0:
            return ((own, own + k.ICMP_CODES, 0), (nothing_known, nothing_known + 1, 1))
        code_unknown = own + 256
        return (
            (own + last, own + last + 1, 0),
            (code_unknown, code_unknown + 1, 1),
            (nothing_known, nothing_known + 1, 1),
        )
    return ((k.OTHER_BASE + protocol, k.OTHER_BASE + protocol + 1, 0),)


class PortAxis:
    """The port axis cut where rules cut it; each distinct list of spans gets a number."""

    def __init__(self) -> None:
        self._numbers: dict[Spans, int] = {}

    def number(self, spans: Spans) -> int:
        """Number of a list of spans."""
        return self._numbers.setdefault(spans, len(self._numbers))

    def cut(self) -> tuple[Array, tuple[Array, Array, Array, Array], int]:
        """(port class of every axis position, (start, low, high, maybe) of the span lists in classes, classes)."""
        # Parts of the axis are always cut apart, so that a class belongs to one protocol.
        mark = np.zeros(k.PORT_AXIS_SIZE + 1, np.int64)
        mark[[k.UDP_BASE, k.ICMP_BASE, k.ICMPV6_BASE, k.OTHER_BASE, k.TCP_EPHEMERAL, k.UDP_EPHEMERAL]] = 1
        lists = list(self._numbers)
        low = np.array([span[0] for spans in lists for span in spans], np.int64)
        high = np.array([span[1] for spans in lists for span in spans], np.int64)
        maybe = np.array([span[2] for spans in lists for span in spans], np.uint8)
        mark[low] = 1
        mark[high] = 1
        mark[0] = 0
        number = np.cumsum(mark)
        classes = int(number[k.PORT_AXIS_SIZE - 1]) + 1
        start = np.concatenate(([0], np.cumsum([len(spans) for spans in lists]))).astype(np.int64)
        ends = number[high - 1] + 1
        return number[:-1].astype(np.uint32), (start, number[low], ends, maybe), classes


class SharedAddresses:
    """Addresses that interfaces of several VPCs hold: each (interval, VPC) has a position behind those of the axis.

    There group references see only the members of that VPC (SG-20, ST-05).
    """

    def __init__(self, size: int, held: Iterable[tuple[int, str]]) -> None:
        vpcs: dict[int, set[str]] = {}
        for interval, vpc_id in held:
            vpcs.setdefault(interval, set()).add(vpc_id)
        pairs = [(interval, vpc_id) for interval, own in sorted(vpcs.items()) if len(own) > 1 for vpc_id in sorted(own)]
        self.place = {pair: size + number for number, pair in enumerate(pairs)}
        self._size, self._intervals = size, np.array([interval for interval, _ in pairs], np.int64)

    def behind(self, low: int, high: int) -> tuple[int, int]:
        """Positions [first, end) of the intervals [low, high), in whatever VPC."""
        first, end = np.searchsorted(self._intervals, (low, high)) + self._size
        return int(first), int(end)

    def within(self, low: int, high: int, vpc_id: str) -> list[int]:
        """Positions of the intervals [low, high) in one VPC."""
        found = self._intervals[slice(*np.searchsorted(self._intervals, (low, high)))]
        return [
            self.place[interval, vpc_id] for interval in np.unique(found).tolist() if (interval, vpc_id) in self.place
        ]


@dataclass
class Atoms:
    """Distinct remotes that the rules of one VPC name, each a set of intervals of the address axis."""

    axis: AddressAxis
    parties: int = 1
    """Parties asked about: the axis as one party sees it follows the axis as the party before sees it."""
    shared: SharedAddresses | None = None
    """Positions behind the axis, as each party sees it."""
    spans: list[list[tuple[int, int]]] = field(default_factory=list)
    _numbers: dict[Any, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Positions of one party: the axis, and what stands behind it."""
        return self.axis.size + (len(self.shared.place) if self.shared else 0)

    def number(self, key: Any, spans: Any, seen_by: Sequence[int] | None = None, held: bool = False) -> int:
        """Number of the atom `key`; `spans()` gives its disjoint spans when it is new. `seen_by`: default all
        but REFERENCES. `held`: the spans say by themselves which shared addresses of which VPC are meant."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.spans)
            shifts = [party * self.size for party in (range(self.parties)[:REFERENCES] if seen_by is None else seen_by)]
            own = spans()
            if self.shared and not held:
                behind = [self.shared.behind(low, high) for low, high in own]
                own = [*own, *(span for span in behind if span[0] < span[1])]
            self.spans.append([(low + shift, high + shift) for shift in shifts for low, high in own])
        return found

    def prefix(self, prefix: Any) -> int:
        """Number of the atom of one CIDR."""
        return self.number(prefix, lambda: [self.axis.span(prefix)])

    def signatures(self, keys: Array) -> Array:
        """uint64[2, parties * size]: XOR of the keys (uint64[2, atoms]) of all atoms that hold an interval."""
        edges = np.zeros((2, self.parties * self.size + 1), np.uint64)
        owner = np.array([a for a, spans in enumerate(self.spans) for _ in spans], np.int64)
        low = np.array([span[0] for spans in self.spans for span in spans], np.int64)
        high = np.array([span[1] for spans in self.spans for span in spans], np.int64)
        for half in range(2):
            np.bitwise_xor.at(edges[half], low, keys[half, owner])
            np.bitwise_xor.at(edges[half], high, keys[half, owner])
        return np.bitwise_xor.accumulate(edges, axis=1)[:, :-1]

    def classes(self, representative: Array) -> tuple[Array, Array]:
        """CSR (start, class) of the classes each atom holds; `representative`: ascending interval of each class."""
        low = np.array([span[0] for spans in self.spans for span in spans], np.int64)
        high = np.array([span[1] for spans in self.spans for span in spans], np.int64)
        owner = np.array([a for a, spans in enumerate(self.spans) for _ in spans], np.int64)
        first, end = np.searchsorted(representative, low), np.searchsorted(representative, high)
        counts = end - first
        offsets = np.concatenate(([0], np.cumsum(counts)))
        listed = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - first, counts)
        start = np.zeros(len(self.spans) + 1, np.int64)
        np.add.at(start, owner + 1, counts)
        return np.cumsum(start), listed.astype(np.int64)


def random_keys(*shape: int) -> Array:
    """uint64 numbers that nobody can foresee."""
    count = int(np.prod(shape))
    return np.frombuffer(secrets.token_bytes(8 * count), np.uint64).reshape(shape)


@dataclass(frozen=True)
class EntryArrays:
    """Entries of one group or ACL list, in order."""

    atom: Array
    word: Array
    maybe: Array
    remote_maybe: Array
    span: Array

    @staticmethod
    def of(rows: Sequence[tuple[int, int, int, int, int]]) -> EntryArrays:
        """From (atom, word, maybe word, remote may be, span list) rows."""
        table = np.array(rows, np.int64).reshape(-1, 5)
        return EntryArrays(
            table[:, 0],
            table[:, 1].astype(np.uint32),
            table[:, 2].astype(np.uint32),
            table[:, 3].astype(np.uint8),
            table[:, 4],
        )


class GroupRules:
    """Turns security group rules into entries, for interfaces of one VPC.

    `neighbours`: VPCs whose members references see through a transit gateway.
    """

    def __init__(
        self,
        network: Network,
        vpc_id: str,
        atoms: Atoms,
        ports: PortAxis,
        labels: dict[str, int],
        neighbours: frozenset[str] = frozenset(),
    ) -> None:
        self._network, self._vpc_id, self._atoms, self._ports, self._labels = network, vpc_id, atoms, ports, labels
        self._neighbours = neighbours
        self._direct = [party for party in (DIRECT, REFERENCES) if party < atoms.parties]
        self._not_translated = [party for party in (DIRECT, TRANSIT) if party < atoms.parties]
        vpc = network.vpcs.get(vpc_id)
        self._own_prefixes = (*vpc.cidr_blocks, *vpc.ipv6_cidr_blocks) if vpc else ()
        self._vpcs_with_interfaces = vpcs_with_interfaces(network)
        self._cache: dict[tuple[str, bool], EntryArrays] = {}

    def entries(self, group_id: str, egress: bool) -> EntryArrays:
        """Entries of a described group in one direction, in rule order."""
        key = group_id, egress
        if key not in self._cache:
            group = self._network.security_groups[group_id]
            rows = [row for rule in group.rules if rule.egress == egress for row in self._rows(rule)]
            self._cache[key] = EntryArrays.of(rows)
        return self._cache[key]

    def _rows(self, rule: SecurityGroupRule) -> list[tuple[int, int, int, int, int]]:
        span = self._ports.number(port_spans(rule.protocol, rule.from_port, rule.to_port))
        decided = word(0, self._labels[rule.rule_id])
        type_unknown = word(unsure("ICMP_TYPE_UNKNOWN" if rule.certain else "UNKNOWN_RESOURCE"))
        rows = [(atom, decided, type_unknown, int(not rule.certain), span) for atom in self._definite(rule)]
        for atom, reason in self._maybe(rule):
            rows.append((atom, decided, word(unsure(reason)), 1, span))
        return rows

    def _definite(self, rule: SecurityGroupRule) -> list[int]:
        if rule.cidr_block is not None:
            return [self._atoms.prefix(rule.cidr_block)]
        if rule.prefix_list_id is not None:
            listed = self._network.prefix_lists.get(rule.prefix_list_id)
            if listed is None or listed.cidr_blocks is None:
                return []
            blocks = listed.cidr_blocks
            axis = self._atoms.axis
            key = ("prefix list", rule.prefix_list_id)
            return [self._atoms.number(key, lambda: merged(axis.span(block) for block in blocks))]
        if rule.referenced_group_id is not None and rule.peering_status in (None, "active"):
            return self._members(rule, rule.referenced_group_id)
        return []

    def _members(self, rule: SecurityGroupRule, group_id: str | None) -> list[int]:
        """Atoms of the members of a group as a reference sees them; None: of what may be one, its groups not told."""
        vpcs = {self._vpc_id, *self._network.peers.get(self._vpc_id, ())}
        if rule.peering_status == "active" and rule.referenced_vpc_id:
            vpcs.add(rule.referenced_vpc_id)
        key = ("group", group_id, frozenset(vpcs))
        found = [self._atoms.number(key, lambda: self._member_spans(group_id, vpcs), self._direct, held=True)]
        if self._neighbours and self._atoms.parties > TRANSIT:
            spans = self._member_spans(group_id, self._neighbours)
            transit_key = ("group by transit gateway", group_id)
            found += [self._atoms.number(transit_key, lambda: spans, [TRANSIT], held=True)] if spans else []
        return found

    def _member_spans(self, group_id: str | None, vpcs: Set[str]) -> list[tuple[int, int]]:
        """Private addresses of the group's members in `vpcs` (SG-20, SG-22)."""
        spans, axis, shared = [], self._atoms.axis, self._atoms.shared
        members = self._network.members.get(group_id, ()) if group_id else self._network.untold_members
        for interface in members:
            if interface.vpc_id not in vpcs or interface.vpc_id is None:
                continue
            intervals = [axis.interval(own.address) for own in interface.addresses]
            own = [(interval, interval + 1) for interval in intervals] + [axis.span(one) for one in interface.prefixes]
            spans += own
            if shared and shared.place:
                there = (position for span in own for position in shared.within(*span, interface.vpc_id))
                spans += [(position, position + 1) for position in there]
        return merged(spans)

    def _maybe(self, rule: SecurityGroupRule) -> list[tuple[int, str]]:
        axis = self._atoms.axis
        if rule.prefix_list_id is not None:
            listed = self._network.prefix_lists.get(rule.prefix_list_id)
            if listed is None or listed.cidr_blocks is None:
                family = listed.address_family if listed else None
                return [
                    (self._atoms.number(("family", family), lambda: axis.family_span(family)), "MISSING_PREFIX_LIST")
                ]
        found = []
        if rule.referenced_group_id is not None and rule.peering_status in (None, "active"):
            if self._network.untold_members:
                found += [(atom, "UNKNOWN_RESOURCE") for atom in self._members(rule, None)]
            if rule.referenced_vpc_id not in (None, self._vpc_id, *self._vpcs_with_interfaces):
                outside = self._atoms.number(("private outside",), self._private_outside, self._not_translated)
                found.append((outside, "UNKNOWN_PEERED_SGS"))
        return found

    def _private_outside(self) -> list[tuple[int, int]]:
        """Intervals of private kind outside the VPC's own CIDRs."""
        from .addresses import INTERNET, UNROUTABLE

        axis = self._atoms.axis
        kinds = axis.kinds()
        mask = (kinds != INTERNET) & (kinds != UNROUTABLE) & ~axis.mask(self._own_prefixes)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
        return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def vpcs_with_interfaces(network: Network) -> frozenset[str]:
    """VPCs of which at least one interface is described."""
    return frozenset(interface.vpc_id for interface in network.interfaces.values() if interface.vpc_id)


def acl_entries(
    acl: NetworkAcl, egress: bool, atoms: Atoms, ports: PortAxis, labels: dict[tuple[str, str], int]
) -> EntryArrays:
    """Entries of one list of a network ACL, in evaluation order."""
    rows = []
    for entry in acl.entries:
        if entry.egress != egress:
            continue
        outcome = 0 if entry.allow else deny("SUBNET_ACL_RESTRICTION")
        decided = word(outcome, labels[acl.network_acl_id, str(entry.rule_number)])
        span = ports.number(_acl_spans(entry))
        rows.append((atoms.prefix(entry.cidr_block), decided, word(unsure("ICMP_TYPE_UNKNOWN")), 0, span))
    return EntryArrays.of(rows)


def _acl_spans(entry: NetworkAclEntry) -> Spans:
    if entry.protocol in (k.ICMP, k.ICMPV6):
        any_type = entry.protocol == k.ICMPV6 and isinstance(entry.cidr_block, IPv4Network)  # NA-09
        return port_spans(entry.protocol, entry.icmp_type, entry.icmp_code, all_types=any_type)
    return port_spans(entry.protocol, entry.from_port, entry.to_port, ephemeral=True)


def bundle(policies: Sequence[tuple[EntryArrays, int, bool]], spans: tuple[Array, Array, Array, Array]) -> k.Entries:
    """The kernels' form of many policies: (entries, tail word, is an ACL list)."""
    parts = [entries for entries, _, _ in policies]
    empty = EntryArrays.of([])
    joined = {
        name: np.concatenate([getattr(part, name) for part in (*parts, empty)])
        for name in ("atom", "word", "maybe", "remote_maybe", "span")
    }
    start, low, high, maybe = spans
    return k.Entries(
        start=np.concatenate(([0], np.cumsum([part.atom.size for part in parts]))).astype(np.int64),
        span_start=start,
        span_low=low,
        span_high=high,
        span_maybe=maybe,
        tail=np.array([tail for _, tail, _ in policies], np.uint32),
        is_acl=np.array([acl for _, _, acl in policies], np.uint8),
        undecidable=np.array(
            [word(unsure(reason)) for reason in (*["ICMP_TYPE_UNKNOWN"] * 2, "REMAP_EPHEMERAL_PORT")], np.uint32
        ),
        **joined,
    )


def union(parts: Sequence[EntryArrays]) -> EntryArrays:
    """The entries of several groups as one policy, in the order of the rules' labels (SG-01)."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return EntryArrays.of([])
    order = np.argsort(np.concatenate([part.word for part in parts]) & k.LABEL_MASK, kind="stable")
    return EntryArrays(
        *(
            np.concatenate([getattr(part, name) for part in parts])[order]
            for name in ("atom", "word", "maybe", "remote_maybe", "span")
        )
    )
