"""What the hits of a security group rule needed: the remotes and ports that were seen, within the quota of rules.

A suggestion covers all that was seen lately at the rule, so that taking it, alone or with others, stops none of that.
What it would have stopped is what was left out on purpose: remotes last seen before the days asked for.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import usagekernels as uk
from ..compile_usage import GROUP_RULE, PASS, Rule, UsagePlan
from ..kernels import NULL32
from ..schema import ICMP, ICMPV6, TCP, UDP
from .usage_hits import clipped, text_of
from .usage_untold import Packet

if TYPE_CHECKING:
    import polars as pl

    from ..kernels import Flows

Array = npt.NDArray[Any]
Prefix = IPv4Network | IPv6Network

#: Rules in one direction of a group, for each family of addresses (aws-semantics 2.5; the default of the quota).
RULE_QUOTA = 60

#: Distinct remotes and ports are folded anew whenever so many rows have come together.
_FOLD_ROWS = 1 << 20

#: More prefixes than this are cut shorter before they are merged one by one.
_MOST_PREFIXES = 4096

_KEY = ("stage", "set", "family", "high", "low", "protocol", "port")


class Needs:
    """The distinct remotes and ports at each set of group rules; `add` batches, from any thread."""

    def __init__(self, plan: UsagePlan) -> None:
        self._lets_in = np.array([found.outcome == PASS for found in plan.sets[GROUP_RULE]] + [False])
        self._held: list[pl.DataFrame] = []
        self._rows, self._most = 0, _FOLD_ROWS
        self._lock = threading.Lock()

    def add(self, flows: Flows, rules: Array, totals: uk.Totals, own: Array | None) -> None:
        """Adds the flows of a table (`own` None), or log records with the stages of their own end."""
        parts = [self._part(stage, flows, rules, totals, own) for stage in (uk.SG_OUT, uk.SG_IN)]
        with self._lock:
            for part in parts:
                self._held.append(part)
                self._rows += part.height
            if self._rows > self._most:
                self._held = [self.frame()]
                self._rows = self._held[0].height
                self._most = max(_FOLD_ROWS, 2 * self._rows)

    def _part(self, stage: int, flows: Flows, rules: Array, totals: uk.Totals, own: Array | None) -> pl.DataFrame:
        import polars as pl

        labels = rules[stage]
        opening = np.ones(labels.size, np.bool_) if own is None else (own & _OPENING) != 0
        known = np.where(labels == NULL32, self._lets_in.size - 1, labels)
        rows = np.flatnonzero(opening & self._lets_in[known])
        family = flows.family[rows] if flows.family.size else np.full(rows.size, 4, np.uint8)
        four, six = (flows.destination, flows.destination6) if stage == uk.SG_OUT else (flows.source, flows.source6)
        high, low = np.zeros(rows.size, np.uint64), four[rows].astype(np.uint64)
        if six.size:
            wide = family == 6
            high[wide], low[wide] = six[rows[wide], 0], six[rows[wide], 1]
        protocol = flows.protocol[rows]
        with_ports = (protocol == TCP) | (protocol == UDP)
        port = np.where(with_ports, flows.destination_port[rows].astype(np.int32), -1)
        here = np.ones(rows.size, np.bool_) if own is None else (own[rows] >> stage & 1) != 0
        weight = totals.records[rows] if totals.records.size else np.ones(rows.size, np.int64)
        last = totals.last[rows] if totals.last.size else np.full(rows.size, uk.MISSING)
        frame = pl.DataFrame(
            {
                "stage": np.full(rows.size, stage, np.uint8), "set": labels[rows], "family": family, "high": high,
                "low": low, "protocol": protocol, "port": port, "records": np.where(here, weight, 0),
                "seen_elsewhere": np.where(here, 0, weight), "last": last,
            }
        )  # fmt: skip
        return _folded(frame)

    def frame(self) -> pl.DataFrame:
        """All that was added: one row for each distinct remote, protocol and port at a set."""
        import polars as pl

        empty = dict.fromkeys((*_KEY, "records", "seen_elsewhere", "last"), pl.Int64)
        return _folded(pl.concat(self._held)) if self._held else pl.DataFrame(schema=empty)


_OPENING = 1 << uk.SG_OUT | 1 << uk.SG_IN


def _folded(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return frame.group_by(_KEY).agg(pl.col("records", "seen_elsewhere").sum(), pl.col("last").max())


# -- what to suggest ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """A remote and a port that a rule let in; port -1 where the protocol has none."""

    prefix: Prefix
    protocol: int
    port: int
    records: int
    last: int


@dataclass(frozen=True)
class Wanted:
    """One suggested rule: protocol, ports (None: all), and the remote (None: as the rule names it today)."""

    protocol: int
    ports: tuple[int, int] | None
    prefix: Prefix | None

    def covers(self, seen: Seen) -> bool:
        """Whether it lets in what was seen."""
        if self.protocol != seen.protocol or (self.ports and not self.ports[0] <= seen.port <= self.ports[1]):
            return False
        return self.prefix is None or (
            self.prefix.version == seen.prefix.version and seen.prefix.network_address in self.prefix
        )

    def text(self, direction: str, remote: str) -> str:
        """In words: `tcp 443 from 10.0.0.0/24`."""
        name = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMPV6: "icmpv6"}.get(self.protocol, f"protocol {self.protocol}")
        ports = ""
        if self.ports:
            low, high = self.ports
            ports = f" {low}" if low == high else f" {low}-{high}"
        return f"{name}{ports} {direction} {self.prefix or remote}"


def suggested(seen: Sequence[Seen], most: int, *, keeps_remote: bool) -> list[Wanted]:
    """Rules that cover all of `seen`, as tight as at most `most` can be (at least one for each protocol and family).

    `keeps_remote`: the rule names a group or prefix list, which stays as it is.
    """
    kinds: dict[tuple[int, int], list[Seen]] = {}
    for each in seen:
        kinds.setdefault((each.protocol, 0 if keeps_remote else each.prefix.version), []).append(each)
    families = [version for _, version in kinds]  # the quota counts each by itself
    return [
        wanted
        for (protocol, version), part in sorted(kinds.items(), key=lambda item: item[0])
        for wanted in _of_kind(protocol, part, max(1, most // families.count(version)), keeps_remote)
    ]


def _of_kind(protocol: int, seen: list[Seen], most: int, keeps_remote: bool) -> Iterable[Wanted]:
    """The rules for one protocol and family."""
    by_port: dict[int, set[Prefix]] = {}
    for each in seen:
        by_port.setdefault(each.port, set()).add(each.prefix)
    alike: dict[frozenset[Prefix], list[int]] = {}
    for port, holders in by_port.items():
        alike.setdefault(frozenset() if keeps_remote else frozenset(holders), []).append(port)
    groups = [(_ranges(ports, len(ports)), _collapsed(remotes)) for remotes, ports in alike.items()]
    if sum(len(ranges) * max(len(remotes), 1) for ranges, remotes in groups) > most:
        # Ports first: an open range of ports is worse than a wide prefix.
        ranges = _ranges(by_port, most if keeps_remote else max(1, most // 4))
        every = [] if keeps_remote else _collapsed({prefix for holders in by_port.values() for prefix in holders})
        prefixes = _merged(every, max(1, most // len(ranges)))
        groups = [(ranges, prefixes)]
    for ranges, remotes in sorted(groups, key=lambda group: group[0]):
        for low, high in ranges:
            for prefix in remotes or (None,):
                yield Wanted(protocol, None if low < 0 else (low, high), prefix)


def _ranges(ports: Iterable[int], most: int) -> list[tuple[int, int]]:
    """At most `most` ranges that hold all ports: the smallest gaps are closed."""
    ordered = sorted(set(ports))
    gaps = sorted(((b - a, a) for a, b in pairwise(ordered) if b > a + 1), reverse=True)
    kept = sorted(a for _, a in gaps[: max(most - 1, 0)])
    ranges, start = [], ordered[0]
    for end in kept:
        ranges.append((start, end))
        start = next(port for port in ordered if port > end)
    return [*ranges, (start, ordered[-1])]


def _collapsed(prefixes: Iterable[Prefix]) -> list[Prefix]:
    """The fewest prefixes that hold the same addresses."""
    return list(collapse_addresses(sorted(prefixes)))  # type: ignore[type-var]


def _merged(prefixes: list[Prefix], most: int) -> list[Prefix]:
    """At most `most` prefixes that hold all of `prefixes` (one family): neighbours that add least are put together."""
    while len(prefixes) > max(_MOST_PREFIXES, most):
        longest = max(prefix.prefixlen for prefix in prefixes)
        cut = max(longest - 4, 0)
        prefixes = _collapsed({p.supernet(new_prefix=cut) if p.prefixlen > cut else p for p in prefixes})
    items: list[Prefix | None] = list(prefixes)
    right = [*range(1, len(items)), -1]
    left = [-1, *range(len(items) - 1)]
    queue = [(*_cost(a, b), place) for place, (a, b) in enumerate(pairwise(prefixes))]
    heapq.heapify(queue)
    count = len(items)
    while count > most and queue:
        _, length, place = heapq.heappop(queue)
        mine, other = items[place], items[right[place]] if right[place] >= 0 else None
        if mine is None or other is None or _cost(mine, other)[1] != length:
            continue
        merged = mine.supernet(new_prefix=length) if mine.prefixlen > length else mine
        items[place] = merged
        while right[place] >= 0 and _holds(merged, items[right[place]]):
            gone = right[place]
            items[gone], right[place] = None, right[gone]
            count -= 1
            if right[gone] >= 0:
                left[right[gone]] = place
        while left[place] >= 0 and _holds(merged, items[left[place]]):
            gone = left[place]
            items[gone], left[place] = None, left[gone]
            count -= 1
            if left[gone] >= 0:
                right[left[gone]] = place
        for first, second in ((left[place], place), (place, right[place])):
            if first >= 0 and second >= 0:
                one, two = items[first], items[second]
                if one is not None and two is not None:
                    heapq.heappush(queue, (*_cost(one, two), first))
    return [item for item in items if item is not None]


def _holds(prefix: Prefix, other: Prefix | None) -> bool:
    return other is not None and prefix.prefixlen <= other.prefixlen and other.network_address in prefix


def _cost(one: Prefix, other: Prefix) -> tuple[int, int]:
    """Addresses that putting two prefixes into one adds, and the length of that one."""
    different = int(one.network_address) ^ int(other.network_address)
    length = min(one.max_prefixlen - different.bit_length(), one.prefixlen, other.prefixlen)
    return (1 << (one.max_prefixlen - length)) - one.num_addresses - other.num_addresses, length


# -- the frame ---------------------------------------------------------------------------------------------


def suggestions(
    plan: UsagePlan, needs: Needs, untold: Callable[[int], Sequence[Packet]], end: int, days: int | None, most: int
) -> pl.DataFrame:
    """One row for each security group rule with hits: what they needed, and what that would have stopped.

    `untold`: what may have needed a rule and could not be laid on any; it is covered, too. `days`: remotes last seen
    longer before `end` are left out. `most`: rules a group may have in one direction; its rules with hits get equal
    shares.
    """
    import polars as pl

    seen = _by_rule(plan, needs.frame())
    lists: dict[tuple[str, bool | None], int] = {}
    for number in seen:
        key = plan.rules[number].owner, plan.rules[number].egress
        lists[key] = lists.get(key, 0) + 1
    rows = []
    for number in sorted(seen):
        rule = plan.rules[number]
        share = max(1, most // lists[rule.owner, rule.egress])
        rows.append(_suggestion(rule, seen[number], untold(number), end, days, share))
    schema = {
        "rule": pl.String(), "owner": pl.String(), "direction": pl.String(), "text": pl.String(),
        "suggestion": pl.List(pl.String()), "remotes": pl.Int64(), "ports": pl.Int64(), "records": pl.Int64(),
        "would_block_records": pl.Int64(), "would_block_remotes": pl.Int64(),
        "untold_records": pl.Int64(),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _by_rule(plan: UsagePlan, frame: pl.DataFrame) -> dict[int, list[Seen]]:
    """Rule -> what it let in, matched by it or by others too."""
    import polars as pl

    found: dict[int, dict[tuple[Prefix, int, int], Seen]] = {}
    counted = frame.with_columns(records=pl.when(pl.col("records") > 0).then("records").otherwise("seen_elsewhere"))
    for row in counted.sort(_KEY).iter_rows(named=True):
        value = row["high"] << 64 | row["low"]
        address = ip_address(value if row["family"] == 6 else int(value))
        if row["family"] == 6:
            prefix: Prefix = IPv6Network((value, 128))
        else:
            prefix = IPv4Network(address)
        for rule in plan.sets[GROUP_RULE][row["set"]].matched:
            mine = found.setdefault(rule, {})
            key = prefix, row["protocol"], row["port"]
            before = mine.get(key)
            records = row["records"] + (before.records if before else 0)
            mine[key] = Seen(*key, records, max(row["last"], before.last if before else uk.MISSING))
    return {rule: list(each.values()) for rule, each in found.items()}


def _suggestion(
    rule: Rule, hits: list[Seen], untold: Sequence[Packet], end: int, days: int | None, most: int
) -> tuple[Any, ...]:
    record: Any = rule.record
    more = [
        Seen(each.remote, each.protocol, each.port, each.records, each.last)
        for each in untold
        if each.is_known and each.remote is not None
    ]
    seen = [*hits, *more]
    oldest = uk.MISSING if days is None or end == uk.MISSING else end - days * 86_400
    kept = [each for each in seen if each.last == uk.MISSING or each.last >= oldest]
    rules = suggested(kept, most, keeps_remote=record.cidr_block is None) if kept else []
    stopped = [each for each in seen if not any(wanted.covers(each) for wanted in rules)]
    direction = "to" if rule.egress else "from"
    remote = record.prefix_list_id or record.referenced_group_id or ""
    return (
        rule.rule, rule.owner, "egress" if rule.egress else "ingress", text_of(rule),
        [wanted.text(direction, remote) for wanted in rules] if len(more) == len(untold) else None,
        len({each.prefix for each in seen}),
        len({(each.protocol, each.port) for each in seen}), clipped(sum(each.records for each in hits)),
        clipped(sum(each.records for each in stopped)), len({each.prefix for each in stopped}),
        clipped(sum(each.records for each in untold)),
    )  # fmt: skip
