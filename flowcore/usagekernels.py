"""The compiled loops of `usage`: cells that name the set of rules covering them, and sums by cell. A closed file.

It builds on `kernels` alone; its machine code is kept beside that of `kernels`, in a folder named by the text of both.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np

from . import kernels
from .kernels import (
    LABEL_BITS,
    LABEL_MASK,
    NULL32,
    TCP,
    UDP,
    _cut_columns,
    _holds,
    _longer,
    _merge_columns,
    _paint,
    _row_number,
    _taller,
)

#: A number that is missing, as in logkernels.
MISSING = -(1 << 63)


def _cache_folder() -> Path | None:
    """A folder beside that of `kernels`, named by this file's text and theirs."""
    if kernels.CACHE_FOLDER is None:
        return None
    text = Path(__file__).read_bytes() + kernels.source_key().encode()
    folder = kernels.CACHE_FOLDER.parent / f"usage-{hashlib.sha256(text).hexdigest()[:16]}"
    return folder if kernels._usable(folder) else None


CACHE_FOLDER = _cache_folder()


def kernel(function: Any) -> Any:
    """See `kernels.kernel`: compiled at the first call, without the GIL, kept on disk where there is a place."""
    if CACHE_FOLDER is None:
        return numba.njit(nogil=True)(function)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE_FOLDER)
    try:
        return numba.njit(nogil=True, cache=True)(function)
    finally:
        numba.config.CACHE_DIR = before


step = kernels.step

# -- sets of rules -----------------------------------------------------------------------------------------

#: What a member of a set says: it may cover the cell only, it denies, its remotes are not known.
MAYBE, DENIES, HIDDEN = 1, 2, 4

_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


class Sets(NamedTuple):
    """Distinct sets of rules that cover a cell, as they are met; each array may be longer than what is used."""

    slot: np.ndarray  # int64[slots]     number + 1 by key, 0 free; at least twice as many as sets
    key: np.ndarray  # uint64[sets, 2]   stands for outcome and members
    word: np.ndarray  # uint32[sets]     outcome word, as `kernels.build_policies` would have it
    policy: np.ndarray  # int64[sets]    the first policy it was met in; that of all its cells, where no rule decides
    start: np.ndarray  # int64[sets + 1]
    member: np.ndarray  # uint32[]       label + 1 of the rules, in order
    kind: np.ndarray  # uint8[]          MAYBE | DENIES | HIDDEN


@step
def _mixed(value, other, factor):
    value = (value ^ other) * factor
    return value ^ (value >> np.uint64(29))


@step
def _note_keys(entries, policy, columns, atom_start, atom_class, wanted, seeds, key):
    """Fold into key[column] which entries of `policy` cover remotes of class `wanted` there, in order."""
    for entry in range(entries.start[policy], entries.start[policy + 1]):
        atom = entries.atom[entry]
        if not _holds(atom_class, atom_start[atom], atom_start[atom + 1], wanted):
            continue
        label = np.uint64(entries.word[entry] & LABEL_MASK)
        for span in range(entries.span_start[entries.span[entry]], entries.span_start[entries.span[entry] + 1]):
            unsure = np.uint64(2) if entries.remote_maybe[entry] else np.uint64(entries.span_maybe[span] != 0)
            first, last = columns[entries.span_low[span]], columns[entries.span_high[span] - 1]
            for column in range(first, last + 1):
                for half in range(2):
                    other = label << np.uint64(2) | unsure
                    key[column, half] = _mixed(key[column, half], other ^ seeds[half], _FACTORS[half])


@step
def _note_members(entries, policy, columns, column, atom_start, atom_class, wanted, sets, used):
    """Write the entries of `policy` that cover a cell from member[used] on; where they end."""
    for entry in range(entries.start[policy], entries.start[policy + 1]):
        atom = entries.atom[entry]
        if not _holds(atom_class, atom_start[atom], atom_start[atom + 1], wanted):
            continue
        for span in range(entries.span_start[entries.span[entry]], entries.span_start[entries.span[entry] + 1]):
            if columns[entries.span_low[span]] <= column <= columns[entries.span_high[span] - 1]:
                says = MAYBE if entries.span_maybe[span] != 0 else 0
                if entries.remote_maybe[entry]:
                    says = MAYBE | HIDDEN
                sets.member[used] = entries.word[entry] & LABEL_MASK
                sets.kind[used] = says | (DENIES if entries.word[entry] >> LABEL_BITS else 0)
                used += 1
    return used


@step
def _most_members(entries, policy):
    """How many members a set of `policy` may have."""
    most = 0
    for entry in range(entries.start[policy], entries.start[policy + 1]):
        most += entries.span_start[entries.span[entry] + 1] - entries.span_start[entries.span[entry]]
    return most


@step
def _slot(slots, keys, first, second):
    """The slot of a key, or the free one where it belongs."""
    place = np.int64(first & np.uint64(slots.size - 1))
    while slots[place] and not (keys[slots[place] - 1, 0] == first and keys[slots[place] - 1, 1] == second):
        place = (place + 1) & (slots.size - 1)
    return place


@step
def _with_room(sets, count, more):
    """`sets` with room for another one of `more` members."""
    slot, key, word, policy, start, member, kind = sets
    if count == word.size:
        word, policy, start = (
            np.empty(2 * count, np.uint32),
            np.empty(2 * count, np.int64),
            np.zeros(2 * count + 1, np.int64),
        )
        key, slot = np.empty((2 * count, 2), np.uint64), np.zeros(4 * count, np.int64)
        for number in range(count):
            word[number], policy[number], start[number + 1] = (
                sets.word[number],
                sets.policy[number],
                sets.start[number + 1],
            )
            key[number, 0], key[number, 1] = sets.key[number, 0], sets.key[number, 1]
            slot[_slot(slot, key, key[number, 0], key[number, 1])] = number + 1
    if start[count] + more > member.size:
        member = np.empty(2 * member.size + more, np.uint32)
        kind = np.empty(member.size, np.uint8)
        for position in range(start[count]):
            member[position], kind[position] = sets.member[position], sets.kind[position]
    return Sets(slot, key, word, policy, start, member, kind)


@step
def _name_sets(entries, policy, own, n_columns, atom_start, atom_class, remote, seeds, sets, count, words, key):
    """Put the numbers of sets in place of the rules in words[:n_columns]; the sets, and how many there are."""
    for column in range(n_columns):
        apart = np.uint64(0) if words[column] & LABEL_MASK else np.uint64(policy + 1)
        for half in range(2):
            key[column, half] = _mixed(np.uint64(words[column]), apart ^ seeds[half], _FACTORS[half])
    _note_keys(entries, policy, own, atom_start, atom_class, remote, seeds, key)
    most = _most_members(entries, policy)
    for column in range(n_columns):
        first, second = key[column, 0], key[column, 1]
        place = _slot(sets.slot, sets.key, first, second)
        number = sets.slot[place] - 1
        if number < 0:
            sets = _with_room(sets, count, most)
            number = count
            sets.slot[_slot(sets.slot, sets.key, first, second)] = number + 1
            sets.key[number, 0], sets.key[number, 1] = first, second
            sets.word[number], sets.policy[number] = words[column], policy
            sets.start[number + 1] = _note_members(
                entries, policy, own, column, atom_start, atom_class, remote, sets, sets.start[number]
            )
            count += 1
        words[column] = np.uint32(words[column] >> LABEL_BITS << LABEL_BITS | (number + 1))
    return sets, count


@step
def _marks(entries, policy, keys, atom_start, atom_class, signature):
    """Remotes that the same entries of `policy` hold get the same signature."""
    for remote in range(signature.size):
        signature[remote] = 0
    for entry in range(entries.start[policy], entries.start[policy + 1]):
        atom = entries.atom[entry]
        for position in range(atom_start[atom], atom_start[atom + 1]):
            signature[atom_class[position]] ^= keys[entry]


@step
def _put_cells(cells, used, matrix, n_rows, n_columns, width, merged, own, row_of):
    """Write the cells of one policy from cells[used] on, and where its columns and rows stand."""
    for column in range(n_columns):
        for row in range(n_rows):
            cells[used + row * width + merged[column]] = matrix[row, column]
    for port in range(own.size):
        own[port] = merged[own[port]]
    for remote in range(row_of.size):
        row_of[remote] *= width


@kernel
def build_sets(entries, first, last, keys, atom_start, atom_class, n_classes, n_ports, columns, rows, places, seeds):
    """`kernels.build_policies` with cells that name the set of rules that cover them: outcome << 24 | set + 1.

    Returns (cells, Sets). `seeds`: two random numbers, drawn anew for every build.
    """
    cells, used = np.empty(1 << 16, np.uint32), 0
    signature = np.zeros(n_classes, np.uint64)
    table_size = 16
    while table_size < 2 * n_classes + 2:
        table_size *= 2
    slot_key, slot_row = np.zeros(table_size, np.uint64), np.zeros(table_size, np.int64)
    slot_stamp = np.zeros(table_size, np.int64) - 1
    words, pending = np.empty(n_ports + 1, np.uint32), np.empty(n_ports + 1, np.uint32)
    merged, key = np.empty(n_ports + 1, np.int64), np.empty((n_ports + 1, 2), np.uint64)
    sets, count = Sets(
        np.zeros(128, np.int64), np.empty((64, 2), np.uint64), np.empty(64, np.uint32), np.empty(64, np.int64),
        np.zeros(65, np.int64), np.empty(256, np.uint32), np.empty(256, np.uint8),
    ), 0  # fmt: skip
    for policy in range(first, last):
        _marks(entries, policy, keys, atom_start, atom_class, signature)
        own, row_of = columns[policy - first], rows[policy - first]
        n_columns = _cut_columns(entries, policy, n_ports, own)
        matrix, n_rows = np.empty((16, n_columns), np.uint32), 0
        for remote in range(-1, n_classes):
            mark = np.uint64(0) if remote < 0 else signature[remote]
            slot = np.int64(mark & np.uint64(table_size - 1))
            while slot_stamp[slot] == policy and slot_key[slot] != mark:
                slot = (slot + 1) & (table_size - 1)
            if slot_stamp[slot] != policy:
                _paint(entries, policy, own, n_columns, atom_start, atom_class, remote, pending, words)
                sets, count = _name_sets(
                    entries, policy, own, n_columns, atom_start, atom_class, remote, seeds, sets, count, words, key
                )
                number = _row_number(matrix, n_rows, n_columns, words)
                if number == n_rows:
                    if n_rows == matrix.shape[0]:
                        matrix = _taller(matrix)
                    for column in range(n_columns):
                        matrix[n_rows, column] = words[column]
                    n_rows += 1
                slot_stamp[slot], slot_key[slot], slot_row[slot] = policy, mark, number
            if remote >= 0:
                row_of[remote] = slot_row[slot]
        width = _merge_columns(matrix, n_rows, n_columns, merged)
        if used + n_rows * width > cells.size:
            cells = _longer(cells, used, 2 * cells.size + n_rows * width)
        _put_cells(cells, used, matrix, n_rows, n_columns, width, merged, own, row_of)
        places[policy - first] = used
        used += n_rows * width
    sets = Sets(
        sets.slot, sets.key, sets.word[:count], sets.policy[:count], sets.start[: count + 1],
        sets.member[: sets.start[count]], sets.kind[: sets.start[count]],
    )  # fmt: skip
    return _longer(cells, used, used), sets


# -- sums by set -------------------------------------------------------------------------------------------

#: Columns of a row of sums; packets and bytes in halves of 32 bits, so that no sum of what files claim overflows.
(FLOWS, RECORDS, PACKETS, PACKETS_HIGH, BYTES, BYTES_HIGH, FIRST, LAST) = range(8)
SUM_WIDTH = 8
NO_FIRST = (1 << 63) - 1

#: The rule stages, in the order of schema.RULE_STAGES; then the group rules again, for the replies of conversations
#: they let in: groups ask nothing of a reply (SG-30), so it counts at the rule that let the conversation in.
(SG_OUT, ACL_OUT, ROUTE, ACL_IN, SG_IN, REPLY_ACL_OUT, REPLY_ROUTE, REPLY_ACL_IN, REPLY_SG_OUT, REPLY_SG_IN) = range(10)
N_STAGES = 10
RULE_ROW = (SG_OUT, ACL_OUT, ROUTE, ACL_IN, SG_IN, REPLY_ACL_OUT, REPLY_ROUTE, REPLY_ACL_IN, SG_OUT, SG_IN)
N_RULE_STAGES = 8

# Which stages a record counts at, by (is it the reply, is it at the destination): bits of the stages.
_FORWARD_SOURCE = 1 << SG_OUT | 1 << ACL_OUT | 1 << ROUTE
_FORWARD_DESTINATION = 1 << ACL_IN | 1 << SG_IN
_REPLY_SOURCE = 1 << REPLY_SG_OUT | 1 << REPLY_ACL_IN
_REPLY_DESTINATION = 1 << REPLY_SG_IN | 1 << REPLY_ACL_OUT | 1 << REPLY_ROUTE

#: Where a record counted: at no end, at the source, at the destination.
AT_NEITHER, AT_SOURCE, AT_DESTINATION = range(3)

NULL8, EGRESS = 255, 1
ACCEPT, REJECT, UNKNOWN = 0, 1, 2


class Totals(NamedTuple):
    """What each row stands for; columns of length 0 or MISSING where the input does not say."""

    records: np.ndarray  # int64[n]  default 1
    packets: np.ndarray  # int64[n]
    bytes: np.ndarray  # int64[n]
    first: np.ndarray  # int64[n]
    last: np.ndarray  # int64[n]


@kernel
def place_records(
    swapped, direction, unjudged, number, actions, sources, destinations, seen, logged, own, far, away, at
):
    """Where each record counts: stages of the end it was logged at (`own`), and of the other end (`far`).

    Marks in `seen` the interfaces that have records, in `logged[action]` those that have some of that action. Ends are
    the interfaces found for the conversation. `away`: as `far`, and of interfaces that have records, too.
    """
    for row in range(number.size):
        if number[row] >= 0:
            seen[number[row]] = 1
            if actions[row] >= 0:
                logged[actions[row], number[row]] = 1
    for row in range(number.size):
        own[row], far[row], away[row], at[row] = 0, 0, 0, AT_NEITHER
        if unjudged[row] != NULL8:
            continue
        interface = number[row]
        reply, out = swapped[row] != 0, direction[row] == EGRESS
        unknown = direction[row] == NULL8
        at_source = out != reply
        if interface == -1:
            if unknown:
                continue
        else:
            held = np.int64(sources[row]) == interface, np.int64(destinations[row]) == interface
            if unknown:
                at_source = held[0]
            if not (held[0] if at_source else held[1]):
                continue
        if at_source:
            own[row] = _REPLY_SOURCE if reply else _FORWARD_SOURCE
            far[row] = _REPLY_DESTINATION if reply else _FORWARD_DESTINATION
            at[row] = AT_SOURCE
        else:
            own[row] = _REPLY_DESTINATION if reply else _FORWARD_DESTINATION
            far[row] = _REPLY_SOURCE if reply else _FORWARD_SOURCE
            at[row] = AT_DESTINATION
        other = destinations[row] if at_source else sources[row]
        if interface == -1 or other == NULL32:
            far[row] = 0
        away[row] = far[row] if actions[row] != REJECT else 0
        if far[row] and seen[other]:
            far[row] = 0


@step
def _add(sums, place, flows, totals, row):
    sums[place, FLOWS] += flows
    sums[place, RECORDS] += totals.records[row] if totals.records.size else 1
    if totals.packets.size and totals.packets[row] != MISSING:
        sums[place, PACKETS] += totals.packets[row] & 0xFFFFFFFF
        sums[place, PACKETS_HIGH] += totals.packets[row] >> 32
    if totals.bytes.size and totals.bytes[row] != MISSING:
        sums[place, BYTES] += totals.bytes[row] & 0xFFFFFFFF
        sums[place, BYTES_HIGH] += totals.bytes[row] >> 32
    if totals.first.size and totals.first[row] != MISSING:
        sums[place, FIRST] = min(sums[place, FIRST], totals.first[row])
    if totals.last.size and totals.last[row] != MISSING:
        sums[place, LAST] = max(sums[place, LAST], totals.last[row])


@step
def _place(start, label):
    """Where the sums of a label stand; at `start` itself those of none."""
    return start if label == NULL32 else start + np.int64(label) + 1


@kernel
def count_flows(rules, count, start, flows):
    """flows[start[stage] + label + 1] += 1 for each of `count` rows and stage; flows[start[stage]] where none is named.

    Four counts a row of `flows`, in turns: a count that goes up time and again would wait for itself.
    """
    for stage in range(N_RULE_STAGES):
        first, labels = start[stage], rules[stage]
        for row in range(count):
            flows[first + np.int64(np.uint32(labels[row] + np.uint32(1))), row & 3] += 1


@kernel
def add_flows(rules, count, start, totals, no_totals, sums):
    """Add what the rows stand for at all their stages, flows apart: tables of flows.

    A table does not say which way packets and bytes went: the stages of the reply get `no_totals`.
    """
    for stage in range(N_RULE_STAGES):
        for row in range(count):
            place = _place(start[stage], rules[stage, row])
            _add(sums, place, 0, no_totals if stage >= REPLY_ACL_OUT else totals, row)


@kernel
def add_records(rules, start, totals, own, new, sums):
    """Add every record at the stages of its own end; `new`: those its conversation is counted at for the first time."""
    for stage in range(N_STAGES):
        labels = rules[RULE_ROW[stage]]
        for row in range(own.size):
            if own[row] >> stage & 1:
                place = _place(start[stage], labels[row])
                _add(sums, place, np.int64(new[row] >> stage & 1), totals, row)


class Far(NamedTuple):
    """Sums of what was seen from the other end only, by interface, stage and set: an open hash table."""

    key: np.ndarray  # int64[slots]   interface << 32 | place in the sums, + 1; 0 free
    sums: np.ndarray  # int64[slots, SUM_WIDTH]


@kernel
def add_far(rules, start, totals, far, new, at, sources, destinations, seen, table, first):
    """Add records from row `first` on at the stages of the other end, if its interface has no records so far.

    Stops where the table is two thirds full; gives the row to go on with.
    """
    used = 0
    for slot in range(table.key.size):
        used += np.int64(table.key[slot] != 0)
    most = table.key.size - 1
    for row in range(first, far.size):
        if not far[row]:
            continue
        interface = np.int64(destinations[row] if at[row] == AT_SOURCE else sources[row])
        if interface == NULL32 or seen[interface]:
            continue
        if 3 * (used + N_STAGES) > 2 * table.key.size:
            return row
        for stage in range(N_STAGES):
            label = rules[RULE_ROW[stage], row]
            if not far[row] >> stage & 1 or label == NULL32:
                continue
            key = (interface << 32 | (start[stage] + np.int64(label) + 1)) + 1
            slot = np.int64(_mixed(np.uint64(key), np.uint64(0), _FACTORS[0]) & np.uint64(most))
            while table.key[slot] != 0 and table.key[slot] != key:
                slot = (slot + 1) & most
            if table.key[slot] == 0:
                table.key[slot] = key
                table.sums[slot, FIRST], table.sums[slot, LAST] = NO_FIRST, MISSING
                used += 1
            _add(table.sums, slot, np.int64(new[row] >> stage & 1), totals, row)
    return far.size


@kernel
def move_far(old, new):
    """Copy what an open hash table holds to a larger one, or add it to another one with room for it."""
    most = new.key.size - 1
    for place in range(old.key.size):
        if old.key[place] == 0:
            continue
        slot = np.int64(_mixed(np.uint64(old.key[place]), np.uint64(0), _FACTORS[0]) & np.uint64(most))
        while new.key[slot] != 0 and new.key[slot] != old.key[place]:
            slot = (slot + 1) & most
        if new.key[slot] == 0:
            new.key[slot] = old.key[place]
            new.sums[slot, FIRST], new.sums[slot, LAST] = NO_FIRST, MISSING
        for column in range(FIRST):
            new.sums[slot, column] += old.sums[place, column]
        new.sums[slot, FIRST] = min(new.sums[slot, FIRST], old.sums[place, FIRST])
        new.sums[slot, LAST] = max(new.sums[slot, LAST], old.sums[place, LAST])


@kernel
def add_away(rules, start, away, totals, marks):
    """Add every record at the stages of the other end: marks[place] = (records, last), whatever is logged there."""
    for stage in range(N_STAGES):
        labels = rules[RULE_ROW[stage]]
        for row in range(away.size):
            if away[row] >> stage & 1 and labels[row] != NULL32:
                place = start[stage] + np.int64(labels[row]) + 1
                marks[place, 0] += totals.records[row] if totals.records.size else 1
                marks[place, 1] = max(marks[place, 1], totals.last[row] if totals.last.size else NO_FIRST)


# -- what could not be laid on a rule ------------------------------------------------------------------------

#: What a packet may have needed at its interface: the group rule that lets it in, that of the conversation it answers,
#: an ACL entry, a route; ANYWHERE: the rules there see another remote than the one that is known.
OPENING, ANSWERING, ENTRY, ROUTED, ANYWHERE = 1, 2, 4, 8, 16
_EVERYTHING = OPENING | ANSWERING | ENTRY | ROUTED
_NEEDED = (OPENING, ENTRY, ROUTED, ENTRY, OPENING, ENTRY, ROUTED, ENTRY, ANSWERING, ANSWERING)

#: Codes of schema.INITIATORS that are a guess by port.
_BY_PORT = (2, 3)
_FIRST_EPHEMERAL = 32768


@step
def _openers(initiator, swapped, flows, row):
    """(who opened is not sure at all, OPENING and ANSWERING as it may be)."""
    if 4 <= initiator <= 5:
        return True, OPENING | ANSWERING
    if initiator in _BY_PORT:
        both = flows.source_port[row] < _FIRST_EPHEMERAL and flows.destination_port[row] < _FIRST_EPHEMERAL
        return both, OPENING | ANSWERING
    return False, ANSWERING if swapped else OPENING


@kernel
def find_untold(found, flows, verdicts, rules, own, at, actions, agrees, needs):
    """What each record may have needed of its interface's rules and is not counted at; 0: nothing. How many are not 0.

    So are records that are not judged, that are logged at no end, that AWS let through and the rules do not, whose
    way is not known before the stage (FL-43); and the group rules of the other way, if who opened is a guess.
    """
    swapped, unjudged, number, initiator, direction = (
        found.swapped, found.unjudged, found.number, found.initiator, found.direction,
    )  # fmt: skip
    count = 0
    for row in range(own.size):
        needs[row] = 0
        if number[row] < 0:
            continue
        guessed, openers = _openers(initiator[row], swapped[row], flows, row)
        refused = verdicts[row] == REJECT and actions[row] == ACCEPT and agrees[row] != 1
        needed = 0
        if unjudged[row] != NULL8 or at[row] == AT_NEITHER or agrees[row] == 0 or refused:
            needed = ENTRY | ROUTED | openers
        else:
            if verdicts[row] == UNKNOWN or (verdicts[row] == REJECT and actions[row] != REJECT):
                for stage in range(N_STAGES):
                    if own[row] >> stage & 1 and rules[RULE_ROW[stage], row] == NULL32:
                        needed |= _NEEDED[stage]
                if needed & (OPENING | ANSWERING):
                    needed |= openers
            if guessed and initiator[row] in _BY_PORT:
                needed |= OPENING if swapped[row] else ANSWERING
        if direction[row] != EGRESS and direction[row] != NULL8:
            needed &= ~ROUTED
        needs[row] = needed
        count += needed != 0
    return count


class Grain(NamedTuple):
    """How fine ports and remotes are kept: as fine as rules tell them apart, or each by itself."""

    port: np.ndarray  # uint16[65536]  the port that stands for each
    address: np.ndarray  # uint32[]    the first of those IPv4 addresses that are kept as one; none: each by itself


class Untold(NamedTuple):
    """What could not be laid on a rule: an open hash table of distinct packets at interfaces."""

    key: np.ndarray  # uint64[slots, 4]  remote; interface, destination port, source port; the rest: 0 free
    found: np.ndarray  # int64[slots, 2] records, last (NO_FIRST: not known)


#: Bits of the last half of a key: protocol (ANY_PROTOCOL: not known), then these; family 0: the remote is not known.
ANY_PROTOCOL, AT_EGRESS, AT_FAMILY, AT_NEEDS, AT_ACTION, AT_NO_PORTS, AT_USED = 256, 9, 10, 13, 17, 19, 63


@step
def _untold_slot(keys, high, low, where, what):
    """The slot of a key, or the free one where it belongs."""
    most = np.uint64(keys.shape[0] - 1)
    mixed = _mixed(_mixed(_mixed(_mixed(np.uint64(0), high, _FACTORS[0]), low, _FACTORS[1]), where, _FACTORS[0]), what,
                   _FACTORS[1])  # fmt: skip
    slot = np.int64(mixed & most)
    while keys[slot, 3] != 0 and not (
        keys[slot, 0] == high and keys[slot, 1] == low and keys[slot, 2] == where and keys[slot, 3] == what
    ):
        slot = (slot + 1) & (keys.shape[0] - 1)
    return slot


@step
def _remote(flows, row, family, of_destination, grain):
    """(upper half, lower half) of the address of one end."""
    if family == 4:
        value = flows.destination[row] if of_destination else flows.source[row]
        if grain.address.size:
            value = grain.address[np.searchsorted(grain.address, value, side="right") - 1]
        return np.uint64(0), np.uint64(value)
    six = flows.destination6 if of_destination else flows.source6
    return six[row, 0], six[row, 1]


@step
def _note_packet(flows, row, interface, egress, swapped, needs, action, grain, weight, last, table):
    """One packet at an interface; 1 if it is a new one."""
    family = 4 if flows.family.size == 0 else np.int64(flows.family[row])
    protocol = np.int64(flows.protocol[row])
    no_ports = protocol not in (TCP, UDP)
    port, other_port = flows.destination_port[row], flows.source_port[row]
    if swapped:
        port, other_port = other_port, port
    if family == 0:  # what is missing or broken is 0, and says nothing
        if protocol == 0:
            protocol = ANY_PROTOCOL
        no_ports = no_ports or port == 0 or other_port == 0
    elif needs & ANYWHERE:
        family = 0
    high, low = np.uint64(0), np.uint64(0)
    if family:
        high, low = _remote(flows, row, family, egress != swapped, grain)
    where = np.uint64(interface) << np.uint64(32)
    if not no_ports:
        where |= np.uint64(grain.port[port]) << np.uint64(16) | np.uint64(grain.port[other_port])
    what = np.uint64(protocol) | np.uint64(family) << np.uint64(AT_FAMILY)
    what |= np.uint64(egress) << np.uint64(AT_EGRESS) | np.uint64(needs & _EVERYTHING) << np.uint64(AT_NEEDS)
    what |= np.uint64(action + 1) << np.uint64(AT_ACTION) | np.uint64(no_ports) << np.uint64(AT_NO_PORTS)
    what |= np.uint64(1) << np.uint64(AT_USED)
    slot = _untold_slot(table.key, high, low, where, what)
    new = table.key[slot, 3] == 0
    if new:
        table.key[slot, 0], table.key[slot, 1], table.key[slot, 2], table.key[slot, 3] = high, low, where, what
        table.found[slot, 1] = MISSING
    table.found[slot, 0] += weight
    table.found[slot, 1] = max(table.found[slot, 1], last)
    return np.int64(new)


@kernel
def add_untold(flows, needs, interfaces, directions, swapped, actions, grain, totals, table, used, first):
    """Note the packets from row `first` on that need something: (the row to go on with, slots used).

    The packet of a row is the flow's, or the one that answers it (`swapped`); of a direction that is not known it may
    be either. Stops where the table is two thirds full.
    """
    for row in range(first, needs.size):
        if not needs[row]:
            continue
        if 3 * (used + 2) > 2 * table.key.shape[0]:
            return row, used
        weight = totals.records[row] if totals.records.size else 1
        last = totals.last[row] if totals.last.size else NO_FIRST
        if last == MISSING:
            last = NO_FIRST
        for egress in range(2):
            if directions[row] == NULL8 or directions[row] == egress:
                used += _note_packet(
                    flows, row, interfaces[row], egress, np.int64(swapped[row] != 0), np.int64(needs[row]),
                    np.int64(actions[row]), grain, weight, last, table,
                )  # fmt: skip
    return needs.size, used


@kernel
def move_untold(old, new):
    """Add what a table holds to a larger one, or one with room for it; how many were new there."""
    used = 0
    for place in range(old.key.shape[0]):
        if old.key[place, 3] == 0:
            continue
        key = old.key[place]
        slot = _untold_slot(new.key, key[0], key[1], key[2], key[3])
        if new.key[slot, 3] == 0:
            new.key[slot] = key
            new.found[slot, 1] = MISSING
            used += 1
        new.found[slot, 0] += old.found[place, 0]
        new.found[slot, 1] = max(new.found[slot, 1], old.found[place, 1])
    return used


# -- conversations seen before -----------------------------------------------------------------------------


@kernel
def conversation_keys(flows, rules, sources, destinations, seeds, keys):
    """Two numbers that stand for the conversation of each row and what decided it; of the second only 43 bits."""
    for row in range(flows.protocol.size):
        protocol, ports = flows.protocol[row], np.uint64(0)
        if protocol in (TCP, UDP):  # of others they mean nothing
            ports = np.uint64(flows.source_port[row]) << np.uint64(16) | np.uint64(flows.destination_port[row])
        ports |= np.uint64(protocol) << np.uint64(32)
        ends = np.uint64(sources[row]) << np.uint64(32) | np.uint64(destinations[row])
        wide = flows.family.size != 0 and flows.family[row] == 6
        for half in range(2):
            factor = _FACTORS[half]
            value = _mixed(seeds[half], ports, factor)
            if wide:
                value = _mixed(value, flows.source6[row, 0], factor)
                value = _mixed(value, flows.source6[row, 1], factor)
                value = _mixed(value, flows.destination6[row, 0], factor)
                value = _mixed(value, flows.destination6[row, 1], factor)
            else:
                both = np.uint64(flows.source[row]) << np.uint64(32) | np.uint64(flows.destination[row])
                value = _mixed(value, both, factor)
            value = _mixed(value, ends, factor)
            for stage in range(0, N_RULE_STAGES, 2):
                pair = np.uint64(rules[stage, row]) << np.uint64(32) | np.uint64(rules[stage + 1, row])
                value = _mixed(value, pair, factor)
            keys[row, half] = value
        keys[row, 1] = keys[row, 1] >> np.uint64(21) | np.uint64(1) << np.uint64(43)  # never 0


@kernel
def note_conversations(keys, own, far, table, first, used, new_own, new_far):
    """Mark conversations as counted at stages, from row `first` on: which of them are counted for the first time.

    `table`: uint64[slots, 2], an open hash table: key; second half of the key << 20 | stages far and own. Stops where
    it is two thirds full; gives (the row to go on with, slots used).
    """
    most = table.shape[0] - 1
    for row in range(first, own.size):
        new_own[row] = new_far[row] = 0
        wanted = np.uint64(own[row]) | np.uint64(far[row]) << np.uint64(N_STAGES)
        if wanted == 0:
            continue
        if 3 * used > 2 * table.shape[0]:
            return row, used
        slot = np.int64(keys[row, 0] & np.uint64(most))
        second = keys[row, 1]
        while table[slot, 1] != 0 and (table[slot, 0] != keys[row, 0] or table[slot, 1] >> np.uint64(20) != second):
            slot = (slot + 1) & most
        if table[slot, 1] == 0:
            table[slot, 0], table[slot, 1] = keys[row, 0], second << np.uint64(20)
            used += 1
        fresh = wanted & ~table[slot, 1]
        table[slot, 1] |= fresh
        new_own[row], new_far[row] = fresh & np.uint64((1 << N_STAGES) - 1), fresh >> np.uint64(N_STAGES)
    return own.size, used


@kernel
def move_conversations(old, new):
    """Copy what a table of conversations holds to a larger one."""
    most = new.shape[0] - 1
    for place in range(old.shape[0]):
        if old[place, 1] == 0:
            continue
        slot = np.int64(old[place, 0] & np.uint64(most))
        while new[slot, 1] != 0:
            slot = (slot + 1) & most
        new[slot, 0], new[slot, 1] = old[place, 0], old[place, 1]


# -- what is counted beside ----------------------------------------------------------------------------------


@kernel
def add_coverage(verdicts, unjudged, at, weights, counts):
    """counts[place, verdict] += records: place 0 at neither end, 1 at an end, 2 not judged; verdict as in schema."""
    for row in range(verdicts.size):
        place = 2 if unjudged[row] != NULL8 else (1 if at[row] != AT_NEITHER else 0)
        counts[place, verdicts[row]] += weights[row] if weights.size else 1
