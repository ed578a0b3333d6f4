"""Flow log records judged as columns of codes: the fast writing of `pipeline_records`, which it must equal.

A row group goes in as numbers and codes of words, and comes out so; every distinct word is looked at once.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import kernels
from . import logkernels as k
from .evaluate import empty_verdicts
from .pipeline_doubts import ACL_BITS, GATEWAY_BIT, has_public_address, kept_targets
from .pipeline_parquet import Numbers, Repeated, Words
from .pipeline_ports import port_classes
from .pipeline_records import has_ambiguous_addresses
from .pipeline_summary import Disagreement, Summary, disagreements
from .pipeline_verdicts import VerdictColumns, columns_of, count_outcomes, cut_verdicts, nullable, traffic
from .schema import (
    LOG_VERDICT_COLUMNS,
    MIDDLE_TYPES,
    PATHS,
    REASONS,
    RECORD_PLACES,
    RULE_STAGES,
    STAGE_BITS,
    STAGES,
    VERDICT_COLUMNS,
    VERDICTS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .evaluate import Evaluator
    from .model import Network
    from .pipeline_parquet import Column
    from .sources.groups import RowGroup

_RULES = tuple(RULE_STAGES)
_OPENING_SLOTS = 1 << 20
#: Conversations and kinds of records that are known while a group is looked through, and the share of rows above which
#: it does not pay.
_NEAR, _LIKE, _FEW = 1 << 14, 1 << 17, 0.8


class ColumnJudge:
    """Judges row groups of flow log records; holds what it needs of the network and the space it works in.

    Not for several threads at once. `start_part` forgets the conversations seen so far.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._numbers = {name: number for number, name in enumerate(evaluator.compiled.interface_ids)}
        placed = {i.interface_id for i in evaluator.network.interfaces.values() if i.vpc_id}
        self._known = {name: number for name, number in self._numbers.items() if name in placed}
        self._own = _interfaces(evaluator.network, evaluator.compiled.interface_ids)
        self._ends = k.Ends(*(getattr(evaluator.compiled.tables, name) for name in k.Ends._fields))
        self._rules = _rules()
        interfaces = (evaluator.network.interfaces[name] for name in evaluator.compiled.interface_ids)
        self._mapped = np.array([has_public_address(interface) for interface in interfaces], np.bool_)
        self._kept = self._kept_targets()
        self._verdicts = VerdictColumns(evaluator, (*VERDICT_COLUMNS, *LOG_VERDICT_COLUMNS))
        self._ports = port_classes(evaluator, kept_targets(evaluator.network))
        self._start()

    def another(self) -> ColumnJudge:
        """One for another thread: what there is to know of the network is shared, the space to work in is not."""
        other = copy(self)
        other._start()
        return other

    def _start(self) -> None:
        """Begins with no space to work in, and no conversations."""
        self._room = 0
        self._keys, self._numbered = np.empty((_NEAR, 2), np.uint64), np.empty(_NEAR, np.int64)
        self._alike_keys, self._notes = np.empty((_LIKE, 4), np.uint64), np.empty(4 * k.ALIKE, np.uint64)
        self._openings = _openings(0)

    def start_part(self) -> None:
        """Forgets who opened which conversation: that is known within one part of the dataset only."""
        if self._openings.key.shape[0]:
            self._openings.seen[:] = 0

    def judge(self, group: RowGroup) -> tuple[Mapping[str, Column], Summary]:
        """The columns of the group with the verdict columns, and what they add to the summary."""
        self._need(group.rows)
        records, addresses = self._records(group), _addresses(group)
        found, records, actions, transit, alike = self._alike(group, records, addresses)
        _, out, predicted, agrees = self._judge(records, addresses, found, actions, transit, alike is None)
        same = {name: getattr(records, of) for name, of in _SAME.items()} | {"action": actions}
        judged = _Judged(found, out, actions, predicted, agrees, same, alike)
        return self._columns(group, judged), self._summary(group, judged)

    def judged(self, group: RowGroup) -> tuple[k.Oriented, kernels.Flows, Any, NDArray[np.uint8], NDArray[np.uint8]]:
        """The records of the group as kernels see them, row by row: what was found of each, the conversation it belongs
        to, the verdicts, the predicted actions and whether they agree. Arrays hold until the next group."""
        self._need(group.rows)
        records, addresses = self._records(group), _addresses(group)
        found = _cut(self._found, group.rows)
        self._find_openers(group, records, addresses, found)
        return found, *self._judge(records, addresses, found, group.codes("action"), self._transit(group), True)

    def _find_openers(self, group: RowGroup, records: k.Records, addresses: k.Addresses, found: k.Oriented) -> None:
        """The words of each packet's addresses, and who opened its conversation."""
        k.packet_ends(records, addresses, found)
        if "tcp_flags" in group.columns.types:
            if not self._openings.key.shape[0]:
                self._openings = _openings(_OPENING_SLOTS)
            k.note_openings(records, found, addresses, self._openings)
        k.find_openers(records, found, addresses, self._openings)

    def _alike(
        self, group: RowGroup, records: k.Records, addresses: k.Addresses
    ) -> tuple[k.Oriented, k.Records, NDArray[np.int32], NDArray[np.int32], Alike | None]:
        """One of all records that have the same verdict, oriented, with its action and tgw-id; and which those are."""
        rows, types = group.rows, group.columns.types
        found, actions, transit = _cut(self._found, rows), group.codes("action"), self._transit(group)
        flagged = "tcp_flags" in types
        if flagged:  # these tell of rows before and behind: each row is looked at
            self._find_openers(group, records, addresses, found)
        first, which = self._first[:rows], self._alike_rows[:rows]
        detailed, words = any(name in types for name in _DETAILS), 1 << k.WORD_BITS
        count = rows
        if all(group.count(name) < words for name in ("interface_id", "srcaddr", "dstaddr", *_DETAILS[:2])):
            count = k.find_alike(
                records, actions, transit if transit.size else self._minus[: rows if detailed else 0],
                found.initiator if flagged else found.initiator[:0], self._ports,
                self._alike_keys, self._notes, first, which,
            )  # fmt: skip
        if count > _FEW * rows:
            if not flagged:
                self._find_openers(group, records, addresses, found)
            return found, records, actions, transit, None
        first = first[:count]
        few = self._few_of(records, first, detailed)
        initiator = found.initiator.take(first) if flagged else None
        found = _cut(self._found, count)
        if initiator is None:
            self._find_openers(group, few, addresses, found)
        else:
            k.packet_ends(few, addresses, found)
            found.initiator[:] = initiator
        weight = np.zeros(count, np.int64)
        k.weigh_alike(which, _weights(group), weight)
        return found, few, actions.take(first), transit.take(first) if transit.size else transit, Alike(which, weight)

    def _few_of(self, records: k.Records, rows: NDArray[np.int64], detailed: bool) -> k.Records:
        """The records `rows`, without their flags; `detailed`: some of `_DETAILS` are known."""
        few = {name: column[: rows.size] for name, column in self._few_records._asdict().items()}
        few |= {name: getattr(records, name) for name in _TABLES}
        few["flags"] = self._missing[: rows.size]
        if not detailed:
            few |= dict.fromkeys(_DETAILED, self._minus[: rows.size])
        found = k.Records(**few)
        k.take_records(records, rows, detailed, found)
        return found

    def _transit(self, group: RowGroup) -> NDArray[np.int32]:
        """Codes of tgw-id; empty if no record has any."""
        return group.codes("tgw_id") if "tgw_id" in group.columns.types else self._minus[:0]

    def _judge(
        self, records: k.Records, addresses: k.Addresses, found: k.Oriented, actions: NDArray[np.int32],
        transit: NDArray[np.int32], repeated: bool,
    ) -> tuple[kernels.Flows, Any, NDArray[np.uint8], NDArray[np.uint8]]:  # fmt: skip
        """Conversations, verdicts, predicted actions and whether these agree, of records whose openers are found.

        `repeated`: many records may be of one conversation."""
        rows = records.protocol.size
        flows, whose = _cut(self._flows, rows), self._whose[:rows]
        k.orient(records, addresses, self._own, self._reasons, found, whose)
        if transit.size:
            found.place[transit >= 0] = k.AT_TRANSIT
        self._fill_flows(records, addresses, found, whose, self._every[:rows], False, flows)
        out = cut_verdicts(self._out, rows)
        if repeated:
            self._evaluate_conversations(flows, out)
        else:  # two records of a conversation at most: to look for them takes as long as to judge both
            self._evaluator.evaluate_columns(_inputs(flows), threads=1, out=self._out)
        predicted, agrees = self._predicted[:rows], self._agrees[:rows]
        whole = self._whole(out)
        k.predict(records, self._own, self._rules, found, whole, actions, predicted, agrees)
        assumed = np.flatnonzero(found.assumed.view(np.bool_))
        if assumed.size:
            self._either_way(records, addresses, found, flows, whose, assumed, whole, actions, predicted, agrees)
        self._doubt(records, found, whose, out, predicted, agrees)
        k.settle(found, whole, STAGES.index("source"))
        _settle_targets(found, out)
        return flows, out, predicted, agrees

    def _whole(self, out: Any) -> Any:
        """Verdicts for the loops: the lines of rules not cut, so that they are one kind of array, compiled once."""
        return out._replace(rules=self._out.rules)

    def _evaluate_conversations(self, flows: kernels.Flows, out: Any) -> None:
        """The verdicts of the flows; those of one conversation near each other are looked up once."""
        which = self._which[: flows.protocol.size]
        count = k.find_conversations(flows, self._keys, self._numbered, self._first, which)
        if count > _FEW * which.size:
            self._evaluator.evaluate_columns(_inputs(flows), threads=1, out=self._out)
            return
        first = self._first[:count]
        few = _cut(self._few_flows, count)
        k.take_flows(flows, first, few)
        self._evaluator.evaluate_columns(_inputs(few), threads=1, out=self._few)
        k.spread_verdicts(self._few, which, self._whole(out))

    # -- in

    def _records(self, group: RowGroup) -> k.Records:
        names = group.strings("interface_id")
        numbers = np.array([self._known.get(name, -2) for name in names] or [-2], np.int32)
        reasons = group.strings("reject_reason")
        kinds = [_MIDDLE.get(name, k.AT_END) for name in group.strings("interface_type")]
        types, rows = group.columns.types, group.rows

        def codes(name: str) -> NDArray[np.int32]:
            return group.codes(name) if name in types else self._minus[:rows]

        def values(name: str) -> NDArray[np.int64]:
            return group.numbers(name) if name in types else self._missing[:rows]

        flags = values("tcp_flags")
        if "tgw_id" in types:  # they mean something else there (FL-61)
            flags = np.where(group.codes("tgw_id") >= 0, k.MISSING, flags)
        return k.Records(
            interface=codes("interface_id"),
            interface_number=numbers,
            interface_hash=np.append(group.hashes("interface_id"), np.uint64(0)),
            interface_place=codes("interface_type"),
            place_of_type=np.array(kinds or [k.AT_END], np.uint8),
            src=codes("srcaddr"),
            dst=codes("dstaddr"),
            packet_src=codes("pkt_srcaddr"),
            packet_dst=codes("pkt_dstaddr"),
            direction=codes("flow_direction"),
            bpa=codes("reject_reason"),
            bpa_code=np.array([reasons.index("BPA") if "BPA" in reasons else -2], np.int64),
            srcport=values("srcport"),
            dstport=values("dstport"),
            protocol=values("protocol"),
            flags=flags,
        )

    def _need(self, rows: int) -> None:
        if rows <= self._room:
            return
        self._room = rows
        small = [np.empty(rows, np.uint8) for _ in range(10)]
        self._found = k.Oriented(
            direction=small[0], initiator=small[1], swapped=small[2], unjudged=small[3],
            number=np.empty(rows, np.int32), ambiguous=small[4], place=small[5], assumed=small[6],
            source=np.empty(rows, np.int32), destination=np.empty(rows, np.int32),
        )  # fmt: skip
        self._predicted, self._agrees, self._whose = small[7:]
        self._flows, self._out, self._few = _empty_flows(rows), empty_verdicts(rows), empty_verdicts(rows)
        self._first, self._which = np.empty(rows, np.int64), np.empty(rows, np.int64)
        self._alike_rows, self._every = np.empty(rows, np.int32), np.arange(rows)
        self._minus, self._missing = np.full(rows, -1, np.int32), np.full(rows, k.MISSING, np.int64)
        self._few_flows = _empty_flows(rows)
        self._few_records = _empty_records(rows)
        self._reasons = np.array(
            [REASONS.index(name) for name in ("NO_DATA", "UNKNOWN_RESOURCE", "INITIATOR_UNKNOWN")], np.uint8
        )

    def _fill_flows(
        self, records: k.Records, addresses: k.Addresses, found: k.Oriented, whose: NDArray[np.uint8],
        rows: NDArray[np.int64], turned: bool, flows: kernels.Flows,
    ) -> None:  # fmt: skip
        k.fill_flows(records, addresses, found, whose, rows, turned, flows)
        k.name_remote_ends(found, whose, rows, turned, self._own, self._ends, flows)

    def _either_way(
        self, records: k.Records, addresses: k.Addresses, found: k.Oriented, flows: kernels.Flows,
        whose: NDArray[np.uint8], rows: NDArray[np.int64], out: Any, actions: NDArray[np.int32],
        predicted: NDArray[np.uint8], agrees: NDArray[np.uint8],
    ) -> None:  # fmt: skip
        turned = _empty_flows(rows.size)
        self._fill_flows(records, addresses, found, whose, rows, True, turned)
        other = self._evaluator.evaluate_columns(_inputs(turned), threads=1)
        reason = REASONS.index("INITIATOR_UNKNOWN")
        k.either_way(self._own, self._rules, found, flows, rows, out, turned, other, reason, actions, predicted, agrees)

    def _doubt(
        self, records: k.Records, found: k.Oriented, whose: NDArray[np.uint8], out: Any, predicted: NDArray[np.uint8],
        agrees: NDArray[np.uint8],
    ) -> None:  # fmt: skip
        """Notes why a REJECT is withdrawn: see `pipeline_doubts.Doubts`."""
        rows = np.flatnonzero((out.verdict == k.REJECT) & (found.unjudged == k.NULL8) & (found.number >= 0))
        number, reason, blocked = found.number[rows].astype(np.int64), out.reason[rows], out.blocked_by[rows]
        unmapped = (reason == _NOT_REACHED) & (out.dst_interface[rows] == number)
        unmapped |= (reason == _NOT_LEAVING) & (out.src_interface[rows] == number)
        doubtful = found.ambiguous[rows].astype(np.bool_) & self._mapped[number]
        doubtful &= unmapped & (blocked == GATEWAY_BIT)
        found.unjudged[rows[doubtful]] = REASONS.index("ADDR_AMBIGUOUS")
        if not self._kept[0].size:
            return
        swapped, direction = found.swapped[rows] != 0, found.direction[rows]
        receives = (direction != k.NULL8) & ((direction == k.EGRESS) == swapped) & ~doubtful
        receives &= (whose[rows] & np.where(swapped, 1, 2)) != 0
        rows, swapped, blocked = rows[receives], swapped[receives], blocked[receives]
        port = np.where(swapped, records.srcport[rows], records.dstport[rows])
        key = _target_key(number[receives], records.protocol[rows], port)
        keys, meets_acl = self._kept
        place = np.minimum(np.searchsorted(keys, key), keys.size - 1)
        kept = (keys[place] == key) & (port >= 0) & (port < 1 << 16) & ~(meets_acl[place] & (blocked & ACL_BITS != 0))
        found.unjudged[rows[kept]] = REASONS.index("UNSUPPORTED_COMPONENT")
        withdrawn = rows[kept & (predicted[rows] == k.REJECT)]
        predicted[withdrawn], agrees[withdrawn] = k.UNKNOWN, k.NULL8

    def _kept_targets(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """`pipeline_doubts.kept_targets` by ascending key."""
        kept = sorted(
            (int(_target_key(self._numbers[name], protocol, port)), meets_acl)
            for (name, protocol, port), meets_acl in kept_targets(self._evaluator.network).items()
        )
        return np.array([key for key, _ in kept], np.int64), np.array([meets for _, meets in kept], np.bool_)

    # -- out

    def _columns(self, group: RowGroup, judged: _Judged) -> Mapping[str, Column]:
        found = judged.found
        found_too = {
            "direction": found.direction, "initiator": found.initiator,
            "predicted_action": judged.predicted, "observed_at": found.place,
        }  # fmt: skip
        columns = self._verdicts.columns(judged.out) | self._verdicts.named(found_too)
        columns["agrees"] = Numbers(nullable(judged.agrees, k.NULL8))
        columns["addresses_ambiguous"] = Numbers(found.ambiguous.astype(np.int64))
        read, alike = columns_of(group), judged.alike
        if alike is None:
            return read | columns
        for name, codes in judged.same.items():
            if isinstance(column := read.get(name), Words):
                columns[name] = replace(column, codes=codes)
        return {**read, **{name: Repeated(column, alike.which) for name, column in columns.items()}}

    # -- summary

    def _summary(self, group: RowGroup, judged: _Judged) -> Summary:
        weights, alike, found = _weights(group), judged.alike, judged.found
        which = self._alike_rows[: 0 if alike is None else group.rows]
        outcomes = count_outcomes(self._whole(judged.out), which, *traffic(group), weights)
        pairs, places = np.zeros((3, 2), np.int64), np.zeros(len(RECORD_PLACES), np.int64)
        weight = weights if alike is None else alike.weight
        k.count_agreement(judged.predicted, judged.actions, found.place, weight, pairs, places)
        agreement = {
            (VERDICTS[code], ("ACCEPT", "REJECT")[action]): int(pairs[code, action])
            for code, action in np.argwhere(pairs).tolist()
        }
        return Summary.of_columns(
            outcomes,
            agreement,
            {RECORD_PLACES[place]: int(places[place]) for place in np.flatnonzero(places)},
            self._behind(group, judged),
            group.rows,
            int(weights.sum()) if weights.size else group.rows,
        )

    def _behind(self, group: RowGroup, judged: _Judged) -> dict[Disagreement, int]:
        """See `pipeline_summary.disagreements`."""
        import polars as pl

        if not (judged.agrees == 0).any():
            return {}
        agrees = judged.agrees if judged.alike is None else judged.agrees.take(judged.alike.which)
        rows = np.flatnonzero(agrees == 0)
        rows = np.flatnonzero((agrees == 0) | ((agrees == 1) & _same_interface(group, rows)))
        columns: dict[str, Any] = {
            name: group.numbers(name)[rows] for name in ("tcp_flags", "protocol", "srcport", "dstport")
        }
        columns = {name: pl.Series(values).replace(k.MISSING, None) for name, values in columns.items()}
        if "records" in group.columns.types:
            columns["records"] = _weights(group)[rows]
        for name in ("interface_id", "action", "reject_reason", "srcaddr", "dstaddr"):
            words = pl.Series([*group.strings(name), None], dtype=pl.String)
            columns[name] = words.gather(np.where(group.codes(name) < 0, len(words) - 1, group.codes(name))[rows])
        columns["agrees"] = agrees[rows] == 1
        if judged.alike is not None:
            rows = judged.alike.which[rows].astype(np.int64)
        found, out = judged.found, judged.out
        coded = {
            "initiator": found.initiator, "direction": found.direction, "predicted_action": judged.predicted,
            "reason": out.reason, "src_interface": out.src_interface, "dst_interface": out.dst_interface,
            **{name: out.rules[row] for row, name in enumerate(_RULES) if name not in ("route", "reply_route")},
        }  # fmt: skip
        for name, codes in coded.items():
            columns[name] = self._verdicts.names[name].series(codes[rows])
        columns["addresses_ambiguous"] = found.ambiguous[rows].astype(np.bool_)
        columns["blocked_by"] = out.blocked_by[rows]
        return disagreements(pl.DataFrame(columns))


class Alike(NamedTuple):
    """Which records have the same verdict."""

    which: NDArray[np.int32]
    """By row: its number."""
    weight: NDArray[np.int64]
    """By number: records that these stand for."""


class _Judged(NamedTuple):
    """What was found of records that stand for themselves, or (`alike`) for all that are like them."""

    found: k.Oriented
    out: Any
    actions: NDArray[np.int32]
    predicted: NDArray[np.uint8]
    agrees: NDArray[np.uint8]
    same: Mapping[str, NDArray[np.int32]]
    """Codes of columns that were read, in which records that are alike have the same word."""
    alike: Alike | None


#: Columns of logs that few have; words that are compared as they are, and their names in Records; of Records, those
#: of `_DETAILS`, and those that are not row by row.
_DETAILS = ("pkt_srcaddr", "pkt_dstaddr", "flow_direction", "reject_reason", "interface_type", "tgw_id")
_SAME: Mapping[str, str] = {
    "interface_id": "interface", "srcaddr": "src", "dstaddr": "dst", "pkt_srcaddr": "packet_src",
    "pkt_dstaddr": "packet_dst",
}  # fmt: skip
_DETAILED = ("interface_place", "packet_src", "packet_dst", "direction", "bpa")
_TABLES = ("interface_number", "interface_hash", "place_of_type", "bpa_code")

_NOT_REACHED = REASONS.index("IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS")
_NOT_LEAVING = REASONS.index("IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS")


def _target_key(number: Any, protocol: Any, port: Any) -> Any:
    return (number << 24) | (protocol << 16) | port


_MIDDLE: Mapping[str, int] = {kind: RECORD_PLACES.index(place) for kind, place in MIDDLE_TYPES.items()}


def _interfaces(network: Network, interface_ids: Sequence[str]) -> k.Interfaces:
    starts, rows = [0], []
    unfiltered, ambiguous, places, entered = [], [], [], []
    for name in interface_ids:
        interface = network.interfaces[name]
        held = [(own.address.version, int(own.address), 32 if own.address.version == 4 else 128,
                 int(own.public_address) if own.public_address else 0) for own in interface.addresses]  # fmt: skip
        held += [(p.version, int(p.network_address), p.prefixlen, 0) for p in interface.prefixes]
        rows += [(version, value >> 64, value & (1 << 64) - 1, *others) for version, value, *others in held]
        starts.append(len(rows))
        unfiltered.append(interface.group_ids == ())
        ambiguous.append(has_ambiguous_addresses(interface))
        places.append(_MIDDLE.get(interface.interface_type, k.AT_END))
        entered.append(interface.vpc_id in network.vpcs_with_other_ways_in)
    columns = list(zip(*rows, strict=True)) or [()] * 5
    return k.Interfaces(
        start=np.array(starts, np.int64),
        family=np.array(columns[0], np.uint8),
        high=np.array(columns[1], np.uint64),
        low=np.array(columns[2], np.uint64),
        prefix=np.array(columns[3], np.int64),
        public=np.array(columns[4], np.uint32),
        unfiltered=np.array(unfiltered, np.uint8),
        ambiguous=np.array(ambiguous, np.uint8),
        place=np.array(places, np.uint8),
        entered=np.array(entered, np.uint8),
    )


def _rules() -> k.Rules:
    def bits(*stages: str) -> int:
        return sum(1 << STAGE_BITS[stage] for stage in stages)

    def below(stage: str) -> int:
        return (1 << STAGE_BITS[stage]) - 1

    source, destination = ("source-security-group", "source-network-acl"), (
        "destination-network-acl", "destination-security-group")  # fmt: skip
    before = [max(STAGE_BITS[s] for s in end) for end in (source, destination)]
    every = sum(1 << bit for bit in STAGE_BITS.values())
    return k.Rules(
        rejects=np.array([bits(*source), bits(*destination), bits("reply-destination-network-acl"),
                          bits("reply-source-network-acl")], np.uint32),
        before=np.array([every & ((1 << last) - 1) for last in before], np.uint32),
        group=np.array([_RULES.index("src_sg_rule"), _RULES.index("dst_sg_rule")], np.int64),
        acl=np.array([_RULES.index(name) for name in
                      ("src_acl_rule", "dst_acl_rule", "reply_dst_acl_rule", "reply_src_acl_rule")], np.int64),
        subnet=np.array([PATHS.index("subnet")], np.uint8),
        public=np.array([REASONS.index("VPC_BLOCK_PUBLIC_ACCESS_ENABLED")], np.uint8),
        arrival=np.array([bits("source", "source-dest-check"), every & below("destination-network-acl"),
                          bits("reply-destination-network-acl", "reply-route", "reply-gateway")], np.uint32),
        stages=np.array([STAGES.index(name) for name in
                         ("source-security-group", "destination-security-group")], np.uint8),
    )  # fmt: skip


def _weights(group: RowGroup) -> NDArray[np.int64]:
    """The records each row stands for; empty where it is not of a digest: one."""
    if "records" not in group.columns.types:
        return np.zeros(0, np.int64)
    records = group.numbers("records")
    return records if records.min(initial=1) != k.MISSING else np.where(records == k.MISSING, 1, records)


def _same_interface(group: RowGroup, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which records were made at an interface that one of `rows` was made at."""
    there = np.zeros(group.count("interface_id") + 1, np.bool_)
    there[group.codes("interface_id")[rows]] = True
    return there[group.codes("interface_id")]


def _openings(slots: int) -> k.Openings:
    return k.Openings(np.zeros((slots, 2), np.uint64), np.zeros((slots, 2), np.uint8))


def _addresses(group: RowGroup) -> k.Addresses:
    names = ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr")
    starts = np.concatenate([[0], np.cumsum([group.count(name) for name in names])]).astype(np.int64)
    count = int(starts[-1])
    found = k.Addresses(
        np.zeros(count, np.uint32), np.zeros((count, 2), np.uint64), np.zeros(count, np.uint8),
        np.empty(count, np.uint64), starts[:4],
    )  # fmt: skip
    for name, start, stop in zip(names, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        offsets, data = group.words(name)
        part = found.ipv4[start:stop], found.ipv6[start:stop], found.family[start:stop]
        kernels.read_addresses(_readonly(offsets), _readonly(data), *part)
    k.address_keys(found)
    return found


def _readonly(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _empty_flows(rows: int) -> kernels.Flows:
    return kernels.Flows(
        source=np.empty(rows, np.uint32), destination=np.empty(rows, np.uint32),
        source_port=np.empty(rows, np.uint16), destination_port=np.empty(rows, np.uint16),
        protocol=np.empty(rows, np.uint8), family=np.empty(rows, np.uint8),
        source6=np.empty((rows, 2), np.uint64), destination6=np.empty((rows, 2), np.uint64),
        interface=np.empty(rows, np.int32), icmp_key=np.zeros(0, np.int32),
    )  # fmt: skip


def _empty_records(rows: int) -> k.Records:
    wide = ("srcport", "dstport", "protocol", "flags")
    return k.Records(*(np.empty(rows, np.int64 if name in wide else np.int32) for name in k.Records._fields))


def _inputs(flows: kernels.Flows) -> kernels.Flows:
    """The flows as the kernels know them: read-only, columns that nobody needs empty."""
    some = {name: getattr(flows, name) for name in flows._fields}
    if (flows.family == 4).all():
        some["family"] = flows.family[:0]
    if not (flows.family == 6).any():
        some["source6"], some["destination6"] = flows.source6[:0], flows.destination6[:0]
    return kernels.Flows(**{name: _readonly(array) for name, array in some.items()})


def _cut(bundle: Any, rows: int) -> Any:
    return type(bundle)(*(array[:rows] for array in bundle))


def _settle_targets(found: k.Oriented, out: Any) -> None:
    for name in ("targets", "reachable_targets"):
        if hasattr(out, name):
            getattr(out, name)[found.unjudged != k.NULL8] = 0xFFFF
