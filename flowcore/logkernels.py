"""The compiled loops over flow log text and columns: one closed file, as `kernels` is, and for the same reason.

Text becomes columns in one pass over its bytes: numbers as int64, words as codes of a dictionary that grows as
words are met, so that every distinct word is looked at once afterwards. A line that is not plain (damaged, another
number of fields, a word that is not allowed, bytes that are not ASCII) is not judged here: its place is noted and
`sources.flowlogs` reads it again with all care. What is accepted here must mean the same there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import kernels

#: A number that is missing.
MISSING = -(1 << 63)

# Kinds of fields.
SKIP, NUMBER, WORD, CHOICE = range(4)

#: Bytes that must follow the text and the words: eight bytes are looked at at a time.
PADDING = 16
LONGEST_LINE = 64 << 10

# Positions in Group.state; SILENT: records counted in Group.silent.
ROWS, USED, LINE, POSITION, STOPPED, SILENT = range(6)
DONE, NO_ROOM = range(2)


def _cache_folder() -> Path | None:
    """A folder beside that of `kernels`, named by this file's text."""
    if kernels.CACHE_FOLDER is None:
        return None
    text = Path(__file__).read_bytes() + f"{numba.__version__} {np.__version__}".encode()
    folder = kernels.CACHE_FOLDER.parent / f"logs-{hashlib.sha256(text).hexdigest()[:16]}"
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


def inner(function: Any) -> Any:
    """A step that becomes part of the loop it is called in."""
    return numba.njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)(function)


class Group(NamedTuple):
    """Columns of one row group while it is filled, the next at `state[ROWS]`. Words have codes 0, 1, … by column."""

    numbers: np.ndarray  # int64[numbers, rows]
    codes: np.ndarray  # int32[words, rows]     -1: missing
    line: np.ndarray  # int64[rows]             line number in the file
    slots: np.ndarray  # int32[words, slots]    code + 1 by hash, 0 free
    hashes: np.ndarray  # uint64[words, most]   by code
    start: np.ndarray  # int64[words, most]     by code: first byte in the arena
    size: np.ndarray  # int64[words, most]      by code: bytes
    words: np.ndarray  # int64[words]           distinct words so far, never more than `most`, which is below `slots`
    silent: np.ndarray  # int64[2, most + 1]    NODATA, SKIPDATA records by code of the interface + 1
    state: np.ndarray  # int64[8]


class Fields(NamedTuple):
    """How the fields of a line are read, in file order."""

    kind: np.ndarray  # int64[fields]    SKIP, NUMBER, WORD, CHOICE
    place: np.ndarray  # int64[fields]   row of Group.numbers or Group.codes
    most: np.ndarray  # int64[fields]    largest number; how many words a CHOICE has
    absent: np.ndarray  # int64[numbers]  rows of Group.numbers no field fills
    absent_words: np.ndarray  # int64[words]
    special: np.ndarray  # int64[2]      place of log_status (or -1), of interface_id (or -1)


if numba.config.DISABLE_JIT:

    def load64(data: Any, position: Any) -> Any:
        """Eight bytes as one little-endian number."""
        return np.frombuffer(data[position : position + 8].tobytes(), np.uint64)[0]

    def lowest_byte(word: Any) -> int:
        """The number of the lowest byte of `word` that is not 0."""
        value = int(word)
        return ((value & -value).bit_length() - 1) >> 3

else:

    @intrinsic
    def load64(context, data, position):
        """Eight bytes as one little-endian number, wherever they begin."""

        def generate(context, builder, signature, arguments):
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            place = builder.gep(array.data, [arguments[1]])
            wide = builder.bitcast(place, ir.IntType(64).as_pointer())
            return builder.load(wide, align=1)

        return types.uint64(data, types.int64), generate

    @intrinsic
    def lowest_byte(context, word):
        """The number of the lowest byte of `word` that is not 0."""

        def generate(context, builder, signature, arguments):
            count = builder.cttz(arguments[0], cgutils.true_bit)
            return builder.lshr(count, ir.Constant(ir.IntType(64), 3))

        return types.int64(types.uint64), generate


_ONES = 0x0101010101010101
_BELOW_33 = np.uint64(0x21 * _ONES)
_HIGH_BITS = np.uint64(0x80 * _ONES)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)


@inner
def _word_end(data, position):
    """The first byte from `position` on that is a space, a control character or not ASCII."""
    while True:
        eight = load64(data, position)
        found = (((eight - _BELOW_33) & ~eight) | eight) & _HIGH_BITS
        if found != 0:
            return position + lowest_byte(found)
        position += 8


@inner
def _masked(data, position, size):
    """Up to eight bytes from `position`, those beyond `size` as 0."""
    eight = load64(data, position)
    return eight if size >= 8 else eight & (_FULL >> np.uint64(64 - 8 * size))


@inner
def _hash(data, position, size):
    result = np.uint64(size) * _FACTOR
    while size > 0:
        result = (result ^ _masked(data, position, size)) * _FACTOR
        result ^= result >> _HALF
        position += 8
        size -= 8
    return result


@inner
def _same(data, position, arena, start, size):
    while size > 0:
        if _masked(data, position, size) != _masked(arena, start, size):
            return False
        position += 8
        start += 8
        size -= 8
    return True


@inner
def _intern(slots, hashes, starts, sizes, count, state, arena, column, data, position, size):
    """The code of the word data[position:][:size] in `column`; a new one if it is new.

    Nothing is checked here: whoever fills a group sees to it that `most` words and the arena are enough.
    """
    mixed = _hash(data, position, size)
    mask = slots.shape[1] - 1
    slot = np.int64(mixed >> _HALF) & mask
    while True:
        code = np.int64(slots[column, slot]) - 1
        if code < 0:
            break
        if hashes[column, code] == mixed and sizes[column, code] == size:
            if _same(data, position, arena, starts[column, code], size):
                return code
        slot = (slot + 1) & mask
    code = count[column]
    count[column] = code + 1
    slots[column, slot] = code + 1
    hashes[column, code] = mixed
    sizes[column, code] = size
    used = state[USED]
    starts[column, code] = used
    for i in range(size):
        arena[used + i] = data[position + i]
    state[USED] = used + size
    return code


@inner
def _is_missing(data, position, size):
    if size == 0 or (size == 1 and data[position] == 45):
        return True
    return (
        size == 4
        and data[position] == 78
        and data[position + 1] == 111
        and data[position + 2] == 110
        and data[position + 3] == 101
    )


@inner
def _number(data, position, size):
    """The number of 1 to 18 digits, MISSING if it is missing, -1 if it is none of these."""
    if size > 18:
        return np.int64(-1)
    value = np.int64(0)
    for i in range(size):
        digit = np.int64(data[position + i]) - 48
        if digit < 0 or digit > 9:
            return np.int64(MISSING) if _is_missing(data, position, size) else np.int64(-1)
        value = value * 10 + digit
    return value if size else np.int64(MISSING)


@kernel
def read_text(data, stop, fields, group, arena, most_lines, bad):
    """Reads the lines from state[POSITION] to `stop` (a newline ends the last one) into the group.

    Ends after `most_lines` lines, each of which brings at most one new word a column, when `bad` is full or when the
    arena has no room for a line: then state[STOPPED] is NO_ROOM. `bad` (int64[n, 3]) gets start, end (its newline) and
    number of the lines that are not plain; returns how many. Blank lines have a number and give nothing, nor are they
    counted. NODATA and SKIPDATA records are counted, not kept.
    """
    # Arrays by themselves: counting the references to a bundle's costs more than all else here.
    numbers, codes, lines, slots, hashes, starts, sizes, count, silent, state = group
    kinds, places, most, absent, absent_words, special = fields
    n_bad = 0
    position, row, line = state[POSITION], state[ROWS], state[LINE]
    left, last = most_lines, kinds.size - 1
    status, interface = special[0], special[1]
    state[STOPPED] = DONE
    while position < stop and left > 0 and n_bad < bad.shape[0]:
        if state[USED] + LONGEST_LINE + PADDING > arena.size:
            state[STOPPED] = NO_ROOM
            break
        if data[position] == 10:
            position += 1
            line += 1
            continue
        begin, plain = position, True
        left -= 1
        for field in range(last + 1):
            end = _word_end(data, position)
            size = end - position
            kind, place = kinds[field], places[field]
            if data[end] != (10 if field == last else 32) or end - begin > LONGEST_LINE:
                plain = False
            elif kind == NUMBER:
                value = _number(data, position, size)
                plain = value != -1 and value <= most[field]
                numbers[place, row] = value
            elif kind != SKIP:
                code = np.int64(-1)
                if not _is_missing(data, position, size):
                    code = _intern(slots, hashes, starts, sizes, count, state, arena, place, data, position, size)
                    plain = kind != CHOICE or code < most[field]
                codes[place, row] = code
            if not plain:
                while data[end] != 10:
                    end += 1
                position = end + 1
                break
            position = end + 1
        if not plain:
            bad[n_bad, 0], bad[n_bad, 1], bad[n_bad, 2] = begin, position - 1, line
            n_bad += 1
        elif status >= 0 and codes[status, row] > 0:
            where = 0 if interface < 0 else codes[interface, row] + 1
            silent[codes[status, row] - 1, where] += 1
            state[SILENT] += 1
        else:
            for i in range(absent.size):
                numbers[absent[i], row] = MISSING
            for i in range(absent_words.size):
                codes[absent_words[i], row] = -1
            lines[row] = line
            row += 1
        line += 1
    state[POSITION], state[ROWS], state[LINE] = position, row, line
    return n_bad


@kernel
def intern_used(offsets, data, places, known, group, arena, column, out):
    """Codes of the words that `places` of an Arrow array (-1: none) holds, into `out`; -1 for what means "missing".

    `known` (int32 by word) must be all -2. The arena must have room for all of `data`.
    """
    slots, hashes, starts, sizes, count, state = (
        group.slots, group.hashes, group.start, group.size, group.words, group.state,
    )  # fmt: skip
    for i in range(places.size):
        word = places[i]
        if word < 0:
            out[i] = -1
            continue
        if known[word] == -2:
            position, size = offsets[word], offsets[word + 1] - offsets[word]
            code = np.int64(-1)
            if not _is_missing(data, position, size):
                code = _intern(slots, hashes, starts, sizes, count, state, arena, column, data, position, size)
            known[word] = code
        out[i] = known[word]


@kernel
def clear_group(group):
    """Empties the group."""
    mask = group.slots.shape[1] - 1
    for column in range(group.codes.shape[0]):
        for code in range(group.words[column]):
            slot = np.int64(group.hashes[column, code] >> _HALF) & mask
            while group.slots[column, slot] != code + 1:
                slot = (slot + 1) & mask
            group.slots[column, slot] = 0
        group.words[column] = 0
    if group.state[SILENT]:
        group.silent[:] = 0
    group.state[:] = 0


@kernel
def carry_rows(old, old_arena, first, before, group, arena):
    """Adds the rows from `first` to `before` of the group `old` to `group`."""
    to = group.state[ROWS]
    for column in range(old.codes.shape[0]):
        for i in range(before - first):
            code = np.int64(old.codes[column, first + i])
            if code >= 0:
                code = _intern(
                    group.slots, group.hashes, group.start, group.size, group.words, group.state, arena, column,
                    old_arena, old.start[column, code], old.size[column, code],
                )  # fmt: skip
            group.codes[column, to + i] = code
    for column in range(old.numbers.shape[0]):
        for i in range(before - first):
            group.numbers[column, to + i] = old.numbers[column, first + i]
    for i in range(before - first):
        group.line[to + i] = old.line[first + i]
    group.state[ROWS] = to + before - first


@kernel
def drop_silent(group, first, status, interface):
    """Counts and drops the NODATA and SKIPDATA records among the rows from `first` on."""
    to = first
    for row in range(first, group.state[ROWS]):
        if group.codes[status, row] > 0:
            where = 0 if interface < 0 else group.codes[interface, row] + 1
            group.silent[group.codes[status, row] - 1, where] += 1
            group.state[SILENT] += 1
            continue
        if to != row:
            for column in range(group.numbers.shape[0]):
                group.numbers[column, to] = group.numbers[column, row]
            for column in range(group.codes.shape[0]):
                group.codes[column, to] = group.codes[column, row]
            group.line[to] = group.line[row]
        to += 1
    group.state[ROWS] = to


@kernel
def gather_words(group, arena, column, used, offsets, out):
    """The bytes of the words of `column` whose codes are in `used`, one after the other, with Arrow offsets."""
    place = np.int64(0)
    for i in range(used.size):
        start, size = group.start[column, used[i]], group.size[column, used[i]]
        offsets[i] = place
        for j in range(size):
            out[place + j] = arena[start + j]
        place += size
    offsets[used.size] = place


@kernel
def copy_words(offsets, data, used, out_offsets, out):
    """The bytes of the words `used` of an Arrow string array, one after the other."""
    for i in range(used.size):
        for j in range(offsets[used[i] + 1] - offsets[used[i]]):
            out[out_offsets[i] + j] = data[offsets[used[i]] + j]


# -- Parquet pages -----------------------------------------------------------------------------------------


@kernel
def used_codes(codes, seen, remap, used):
    """Renumbers the codes that occur, in ascending order: `remap` by code, `used` the codes; (how many, missing).

    `seen` (uint8 by code) must be all 0, and is again afterwards.
    """
    missing = np.int64(0)
    for row in range(codes.size):
        code = codes[row]
        if np.int64(code) < 0 or np.int64(code) >= seen.size:
            missing += 1
        else:
            seen[code] = 1
    count = np.int64(0)
    for code in range(seen.size):
        if seen[code]:
            remap[code] = count
            used[count] = code
            count += 1
            seen[code] = 0
    return count, missing


@step
def _varint(out, place, value):
    while value >= 128:
        out[place] = value & 127 | 128
        place += 1
        value >>= 7
    out[place] = value
    return place + 1


@kernel
def pack(values, count, width, out, place):
    """Parquet's hybrid of runs and bit-packed groups: values[:count] of `width` bits into out[place:]; the end.

    A run of at least 16 equal values is a run; all else is packed in groups of eight.
    """
    row = 0
    run_bytes = (width + 7) >> 3
    while row < count:
        run = row + 1
        while run < count and values[run] == values[row]:
            run += 1
        if run - row >= 16 or run == count:
            place = _varint(out, place, (run - row) << 1)
            value = np.int64(values[row])
            for _ in range(run_bytes):
                out[place] = value & 255
                value >>= 8
                place += 1
            row = run
            continue
        # a packed stretch: up to the next long run that begins at a multiple of eight, or the end
        first, row = row, run
        stop = -1
        while stop < 0:
            if row >= count:
                stop = count
                break
            run = row + 1
            while run < count and values[run] == values[row]:
                run += 1
            if run - row >= 24:
                ahead = (8 - (row - first) % 8) % 8
                stop = row + ahead
                break
            row = run
        groups = (stop - first + 7) >> 3
        place = _varint(out, place, groups << 1 | 1)
        held, bits = np.uint64(0), np.int64(0)
        for i in range(first, first + 8 * groups):
            value = np.uint64(values[i]) if i < count else np.uint64(0)
            held |= value << np.uint64(bits)
            bits += width
            while bits >= 8:
                out[place] = held & np.uint64(255)
                held >>= np.uint64(8)
                bits -= 8
                place += 1
        row = stop
    return place


@kernel
def present_codes(codes, remap, limit, out, levels):
    """The renumbered codes that are not missing into `out`, 1 or 0 for each row into `levels`; how many."""
    count = 0
    for row in range(codes.size):
        code = np.int64(codes[row])
        there = code >= 0 and code < limit
        levels[row] = there
        if there:
            out[count] = remap[code]
            count += 1
    return count


@kernel
def present_numbers(values, out, levels):
    """The values that are not MISSING into `out`, 1 or 0 for each row into `levels`; how many."""
    count = 0
    for row in range(values.size):
        there = values[row] != MISSING
        levels[row] = there
        out[count] = values[row]
        count += there
    return count


@kernel
def plain_words(offsets, data):
    """The words as Parquet's PLAIN strings: four bytes of length before each."""
    count = offsets.size - 1
    out = np.empty(offsets[count] - offsets[0] + 4 * count, np.uint8)
    place = 0
    for i in range(count):
        size = offsets[i + 1] - offsets[i]
        for byte in range(4):
            out[place + byte] = size >> (8 * byte) & 255
        place += 4
        for j in range(size):
            out[place + j] = data[offsets[i] + j]
        place += size
    return out


@kernel
def pack_deltas(values, count, narrow, out):
    """Parquet's DELTA_BINARY_PACKED of values[:count]: blocks of 128 in four parts of 32; the bytes written.

    `narrow`: the column is INT32, so differences wrap at 32 bits.
    """
    place = _varint(out, 0, 128)
    place = _varint(out, place, 4)
    place = _varint(out, place, count)
    place = _zigzag(out, place, values[0] if count else np.int64(0))
    deltas = np.zeros(128, np.uint64)
    all_bits = np.uint64(0xFFFFFFFF) if narrow else _FULL
    row = 1
    while row < count:
        n = min(128, count - row)
        least = np.int64(0)
        for i in range(n):
            delta = values[row + i] - values[row + i - 1]
            if narrow:
                delta = np.int64(np.int32(delta))
            least = delta if i == 0 else min(least, delta)
            deltas[i] = np.uint64(delta)
        for i in range(n, 128):
            deltas[i] = np.uint64(least)
        place = _zigzag(out, place, least)
        widths = place
        place += 4
        for part in range(4):
            if 32 * part >= n:
                out[widths + part] = 0
                continue
            largest = np.uint64(0)
            for i in range(32 * part, 32 * part + 32):
                deltas[i] = (deltas[i] - np.uint64(least)) & all_bits
                largest |= deltas[i]
            width = 0
            while largest:
                largest >>= np.uint64(1)
                width += 1
            out[widths + part] = width
            place = _pack_part(deltas, 32 * part, width, out, place)
        row += n
    return place


@step
def _pack_part(deltas, first, width, out, place):
    """32 values of `width` bits each, which is four times as many bytes; where they end."""
    held, bits = np.uint64(0), 0
    for i in range(first, first + 32):
        value, left = deltas[i], width
        while left > 0:
            take = min(left, 32)
            held |= (value & ((np.uint64(1) << np.uint64(take)) - np.uint64(1))) << np.uint64(bits)
            value >>= np.uint64(take)
            bits += take
            left -= take
            while bits >= 8:
                out[place] = held & np.uint64(255)
                held >>= np.uint64(8)
                bits -= 8
                place += 1
    return place


@step
def _zigzag(out, place, value):
    mixed = np.uint64(value) << np.uint64(1) ^ (np.uint64(0) - np.uint64(value < 0))
    while mixed >= 128:
        out[place] = mixed & np.uint64(127) | np.uint64(128)
        place += 1
        mixed >>= np.uint64(7)
    out[place] = mixed
    return place + 1


# -- judging records ---------------------------------------------------------------------------------------

TCP, UDP, SYN, ACK, FIRST_EPHEMERAL = 6, 17, 2, 16, 32768
NULL8, NULL32 = 255, 0xFFFFFFFF
ACCEPT, REJECT, UNKNOWN = 0, 1, 2
INGRESS, EGRESS = 0, 1

#: Codes of schema.INITIATORS.
(
    SOURCE_BY_FLAGS, DESTINATION_BY_FLAGS, SOURCE_BY_PORT, DESTINATION_BY_PORT, NOBODY, SOURCE_ASSUMED,
    SOURCE_BY_EARLIER, DESTINATION_BY_EARLIER, SOURCE_BY_REVERSE, DESTINATION_BY_REVERSE,
) = range(10)  # fmt: skip

#: Codes of schema.RECORD_PLACES.
AT_END, AT_NAT, AT_TRANSIT, AT_BALANCER, AT_ENDPOINT, AT_APPLIANCE, AT_UNKNOWN = range(7)


class Addresses(NamedTuple):
    """The distinct words of the address columns, one column after the other. `family` 0: no address."""

    ipv4: np.ndarray  # uint32[words]
    ipv6: np.ndarray  # uint64[words, 2]
    family: np.ndarray  # uint8[words]
    key: np.ndarray  # uint64[words]   stands for the address
    start: np.ndarray  # int64[4]      where the words of srcaddr, dstaddr, pkt-srcaddr, pkt-dstaddr begin


class Interfaces(NamedTuple):
    """What judging records needs of the interfaces of the network, by their number."""

    start: np.ndarray  # int64[interfaces + 1]  each one's part of the next four
    family: np.ndarray  # uint8[]               its addresses and delegated prefixes
    high: np.ndarray  # uint64[]                upper half (IPv6); IPv4: 0
    low: np.ndarray  # uint64[]
    prefix: np.ndarray  # int64[]               length
    unfiltered: np.ndarray  # uint8[interfaces]  no groups at all
    ambiguous: np.ndarray  # uint8[interfaces]   several addresses, or no source/destination check (FL-32)
    place: np.ndarray  # uint8[interfaces]      AT_*, by its type


class Records(NamedTuple):
    """The columns of a row group that judging needs; row by row, -1 or MISSING where missing."""

    interface: np.ndarray  # int32[n]       code of the word
    interface_number: np.ndarray  # int32[words]  number in the network, -2 not described
    interface_hash: np.ndarray  # uint64[words]
    interface_place: np.ndarray  # int32[n]  code of interface-type
    place_of_type: np.ndarray  # uint8[words]
    src: np.ndarray  # int32[n]
    dst: np.ndarray  # int32[n]
    packet_src: np.ndarray  # int32[n]
    packet_dst: np.ndarray  # int32[n]
    direction: np.ndarray  # int32[n]       code of DIRECTIONS
    bpa: np.ndarray  # int32[n]             code of reject-reason
    bpa_code: np.ndarray  # int64[1]        that of BPA, or -2
    srcport: np.ndarray  # int64[n]
    dstport: np.ndarray  # int64[n]
    protocol: np.ndarray  # int64[n]
    flags: np.ndarray  # int64[n]


class Oriented(NamedTuple):
    """What is found of each record before it is judged."""

    direction: np.ndarray  # uint8[n]   255 unknown
    initiator: np.ndarray  # uint8[n]
    swapped: np.ndarray  # uint8[n]
    unjudged: np.ndarray  # uint8[n]    reason, 255 none
    number: np.ndarray  # int32[n]      of the interface: -1 missing, -2 not described
    ambiguous: np.ndarray  # uint8[n]
    place: np.ndarray  # uint8[n]       AT_*
    assumed: np.ndarray  # uint8[n]     nothing says who opened
    source: np.ndarray  # int32[n]      word of the packet's source address, -1 missing
    destination: np.ndarray  # int32[n]


@inner
def _mix(value, other):
    value = (value ^ other) * _FACTOR
    return value ^ (value >> np.uint64(29))


@kernel
def address_keys(addresses):
    """Fills `key`."""
    for word in range(addresses.key.size):
        key = _mix(np.uint64(addresses.family[word]), np.uint64(addresses.ipv4[word]))
        addresses.key[word] = _mix(_mix(key, addresses.ipv6[word, 0]), addresses.ipv6[word, 1])


PROBES = 8


class Openings(NamedTuple):
    """Who opened the TCP conversations whose SYN was seen: a table of fixed size, the oldest of a slot gives way."""

    key: np.ndarray  # uint64[slots, 2]
    seen: np.ndarray  # uint8[slots, 2]   by which end is the source: 0 nothing, 1 the source opened, 2 the destination


@inner
def _opening_slot(keys, seen, first, second, make):
    """The slot of a key, -1 if it is not there; `make`: one is made."""
    mask = keys.shape[0] - 1
    home = np.int64(first >> _HALF) & mask
    for probe in range(PROBES):
        slot = (home + probe) & mask
        if keys[slot, 0] == first and keys[slot, 1] == second:
            return slot
        if seen[slot, 0] == 0 and seen[slot, 1] == 0:
            if not make:
                return -1
            keys[slot, 0], keys[slot, 1] = first, second
            return slot
    if not make:
        return -1
    keys[home, 0], keys[home, 1] = first, second
    seen[home, 0], seen[home, 1] = 0, 0
    return home


@inner
def _conversation_key(where, source, source_port, destination, destination_port):
    """(two words that stand for interface and both ends, which way round)."""
    one, other = _mix(source, np.uint64(source_port)), _mix(destination, np.uint64(destination_port))
    turned = 1 if one > other else 0
    low, high = (other, one) if turned else (one, other)
    return _mix(_mix(where, low), high), _mix(_mix(high, where), low), turned


@kernel
def note_openings(records, found, addresses, openings):
    """Notes who opened each conversation whose record has SYN (FL-61)."""
    keys, seen, address_key = openings.key, openings.seen, addresses.key
    flags, protocol, source, destination = records.flags, records.protocol, found.source, found.destination
    interface, hashes, srcport, dstport = (
        records.interface, records.interface_hash, records.srcport, records.dstport,
    )  # fmt: skip
    for row in range(flags.size):
        if flags[row] == MISSING or not flags[row] & SYN or protocol[row] != TCP:
            continue
        if source[row] < 0 or destination[row] < 0:
            continue
        where = hashes[interface[row]] if interface[row] >= 0 else np.uint64(1)
        first, second, turned = _conversation_key(
            where, address_key[source[row]], srcport[row], address_key[destination[row]], dstport[row]
        )
        slot = _opening_slot(keys, seen, first, second, True)
        seen[slot, turned] = 2 if flags[row] & ACK else 1


@kernel
def packet_ends(records, addresses, found):
    """The words of the packet's own addresses: pkt-srcaddr and pkt-dstaddr where logged (FL-32)."""
    one, other = found.source, found.destination
    src, dst, packet_src, packet_dst = records.src, records.dst, records.packet_src, records.packet_dst
    a, b, c, d = addresses.start
    for row in range(one.size):
        one[row] = packet_src[row] + c if packet_src[row] >= 0 else src[row] + a if src[row] >= 0 else -1
        other[row] = packet_dst[row] + d if packet_dst[row] >= 0 else dst[row] + b if dst[row] >= 0 else -1


@kernel
def find_openers(records, found, addresses, openings):
    """FL-61, FL-62: who opened each conversation; NOBODY where the record is not usable."""
    keys, seen, address_key = openings.key, openings.seen, addresses.key
    flags, protocol, source, destination = records.flags, records.protocol, found.source, found.destination
    interface, hashes, srcport, dstport, initiator = (
        records.interface, records.interface_hash, records.srcport, records.dstport, found.initiator,
    )  # fmt: skip
    for row in range(flags.size):
        kind, flag, one, other = protocol[row], flags[row], srcport[row], dstport[row]
        initiator[row] = NOBODY
        if source[row] < 0 or destination[row] < 0 or kind == MISSING:
            continue
        if kind != TCP and kind != UDP:
            initiator[row] = SOURCE_ASSUMED
            continue
        if one == MISSING or other == MISSING:
            continue
        if kind == TCP and flag != MISSING and flag & SYN:
            initiator[row] = DESTINATION_BY_FLAGS if flag & ACK else SOURCE_BY_FLAGS
            continue
        if kind == TCP and keys.shape[0]:
            where = hashes[interface[row]] if interface[row] >= 0 else np.uint64(1)
            first, second, turned = _conversation_key(
                where, address_key[source[row]], one, address_key[destination[row]], other
            )
            slot = _opening_slot(keys, seen, first, second, False)
            if slot >= 0:
                same, reverse = seen[slot, turned], seen[slot, 1 - turned]
                if same:
                    initiator[row] = SOURCE_BY_EARLIER if same == 1 else DESTINATION_BY_EARLIER
                    continue
                if reverse:
                    initiator[row] = DESTINATION_BY_REVERSE if reverse == 1 else SOURCE_BY_REVERSE
                    continue
        if one != other and min(one, other) < FIRST_EPHEMERAL:
            initiator[row] = SOURCE_BY_PORT if one > other else DESTINATION_BY_PORT


@inner
def _holds(start, families, highs, lows, prefix, number, family, ipv4, high, low):
    """Whether the address is one of interface `number`'s own (EN-02)."""
    if number < 0 or family == 0:
        return False
    if family == 4:
        high, low = np.uint64(0), np.uint64(ipv4)
    for i in range(start[number], start[number + 1]):
        if families[i] != family:
            continue
        length = prefix[i]
        if family == 4:
            if (low ^ lows[i]) >> np.uint64(32 - length) == 0:
                return True
        elif length <= 64:
            if length == 0 or (high ^ highs[i]) >> np.uint64(64 - length) == 0:
                return True
        elif high == highs[i] and (low ^ lows[i]) >> np.uint64(128 - length) == 0:
            return True
    return False


@kernel
def orient(records, addresses, own, reasons, found):
    """Direction, whether the destination opened, place and reason not to judge, of each record whose initiator and
    ends are found. `reasons`: codes of NO_DATA, UNKNOWN_RESOURCE, INITIATOR_UNKNOWN. `found.ambiguous` and
    `found.assumed` too. Returns which end is the interface's own: bit 0 source, bit 1 destination (uint8[n])."""
    ipv4, ipv6, family, _, starts = addresses
    a, b, _, _ = starts
    start, families, highs, lows, prefix, _, several, places = own
    interface, numbers, _, kinds, place_of_type, src, dst, packet_src, packet_dst = records[:9]
    logged_direction, bpa, bpa_code, srcport, dstport, protocol = records[9:15]
    directions, initiators, swaps, unjudged, at, ambiguous, place, assumed, sources, destinations = found
    whose = np.empty(protocol.size, np.uint8)
    public = bpa_code[0]
    for row in range(protocol.size):
        code = interface[row]
        number = numbers[code] if code >= 0 else np.int32(-1)
        at[row] = number
        one, other = sources[row], destinations[row]
        own_src = one >= 0 and _holds(
            start, families, highs, lows, prefix, number, family[one], ipv4[one], ipv6[one, 0], ipv6[one, 1]
        )
        own_dst = other >= 0 and _holds(
            start, families, highs, lows, prefix, number, family[other], ipv4[other], ipv6[other, 0], ipv6[other, 1]
        )
        whose[row] = own_src | own_dst << 1
        direction = np.int64(logged_direction[row])
        if direction < 0:
            mine, theirs = own_src, own_dst
            if src[row] >= 0 and packet_src[row] >= 0:
                word = src[row] + a
                mine = _holds(
                    start, families, highs, lows, prefix, number, family[word], ipv4[word], ipv6[word, 0], ipv6[word, 1]
                )
            if dst[row] >= 0 and packet_dst[row] >= 0:
                word = dst[row] + b
                theirs = _holds(
                    start, families, highs, lows, prefix, number, family[word], ipv4[word], ipv6[word, 0], ipv6[word, 1]
                )
            direction = NULL8 if mine == theirs else EGRESS if mine else INGRESS
        initiator = initiators[row]
        why = NULL8
        with_ports = protocol[row] == TCP or protocol[row] == UDP
        if initiator == NOBODY:
            usable = one >= 0 and other >= 0 and protocol[row] != MISSING
            usable = usable and not (with_ports and (srcport[row] == MISSING or dstport[row] == MISSING))
            why = np.int64(reasons[2]) if usable else np.int64(reasons[0])
        if code >= 0 and number < 0 and why != reasons[0]:
            why = np.int64(reasons[1])
        swaps[row] = (
            initiator == DESTINATION_BY_FLAGS
            or initiator == DESTINATION_BY_PORT
            or initiator == DESTINATION_BY_EARLIER
            or initiator == DESTINATION_BY_REVERSE
        )
        directions[row], unjudged[row] = direction, why
        without = packet_src[row] < 0 if direction == EGRESS else packet_dst[row] < 0
        ambiguous[row] = number >= 0 and without and several[number] != 0
        assumed[row] = initiator == SOURCE_ASSUMED and why == NULL8 and bpa[row] != public
        where = np.int64(AT_END)
        if kinds[row] >= 0:
            where = np.int64(place_of_type[kinds[row]])
        if where == AT_END and number >= 0:
            where = np.int64(places[number])
        if where == AT_END:
            if number < 0 or direction == NULL8:
                where = AT_UNKNOWN
            elif direction == EGRESS:
                where = AT_END if own_src or packet_src[row] < 0 else AT_APPLIANCE
            else:
                where = AT_END if own_dst or packet_dst[row] < 0 else AT_APPLIANCE
        place[row] = where
    return whose


@kernel
def fill_flows(records, addresses, found, whose, rows, turned, flows):
    """The conversations of the records `rows`, from the end that opened them; `turned`: as if the destination had."""
    ipv4, ipv6, families, _, _ = addresses
    srcport, dstport, protocols = records.srcport, records.dstport, records.protocol
    directions, _, swaps, _, at, _, _, _, sources, destinations = found
    source, destination, source_port, destination_port, kind, family, source6, destination6, interface, _ = flows
    for to in range(rows.size):
        row = rows[to]
        swapped = turned or swaps[row] != 0
        one, other, protocol = sources[row], destinations[row], protocols[row]
        port, other_port = srcport[row], dstport[row]
        if swapped:
            one, other, port, other_port = other, one, other_port, port
        is_family = np.uint8(0)
        if one >= 0 and other >= 0 and families[one] == families[other]:
            is_family = families[one]
        if protocol < 0 or protocol > 255:
            is_family, protocol = np.uint8(0), np.int64(0)
        if port < 0 or port > 65535 or other_port < 0 or other_port > 65535:
            if protocol == TCP or protocol == UDP:
                is_family = np.uint8(0)
            port = other_port = np.int64(0)
        family[to] = is_family
        four = is_family == 4
        source[to] = ipv4[one] if four else np.uint32(0)
        destination[to] = ipv4[other] if four else np.uint32(0)
        if is_family == 6:
            source6[to, 0], source6[to, 1] = ipv6[one, 0], ipv6[one, 1]
            destination6[to, 0], destination6[to, 1] = ipv6[other, 0], ipv6[other, 1]
        else:
            source6[to, 0] = source6[to, 1] = destination6[to, 0] = destination6[to, 1] = np.uint64(0)
        source_port[to], destination_port[to], kind[to] = port, other_port, protocol
        interface[to] = -1
        direction = directions[row]
        if direction != NULL8 and (direction == EGRESS) != swapped and whose[row] & (2 if swapped else 1):
            interface[to] = at[row]


class Rules(NamedTuple):
    """Codes and masks the prediction needs; made from flowcore.schema."""

    rejects: np.ndarray  # uint32[4]   source, destination, reply at destination, reply at source: stages that refuse
    before: np.ndarray  # uint32[2]    stages before the last filter of the source, of the destination
    group: np.ndarray  # int64[2]      row in Verdicts.rules of the group's rule at the source, the destination
    acl: np.ndarray  # int64[4]        ... of the ACL's rule; replies too
    subnet: np.ndarray  # uint8[1]     code of the path inside a subnet
    public: np.ndarray  # uint8[1]     reason code of Block Public Access
    arrival: np.ndarray  # uint32[3]   stages before the filters: egress, ingress, and of the reply's arrival
    stages: np.ndarray  # uint8[2]     stage codes of the two groups


@inner
def _predict(rules, unfiltered, verdict, forward, reason, path, blocked, at_source, at_destination, labels, at,
             number, direction, swapped, is_bpa):  # fmt: skip
    """What AWS would have logged at interface `number` (FL-43)."""
    rejects, before, group, acl, subnet, public = rules
    if number < 0:
        return UNKNOWN
    if is_bpa and reason == public[0] and (at_source or at_destination):
        return REJECT
    if not swapped:
        if direction == EGRESS and at_source:
            end = 0
        elif direction == INGRESS and at_destination:
            end = 1
        else:
            return UNKNOWN
        if blocked & rejects[end]:
            return REJECT
        if forward == ACCEPT:
            return ACCEPT
        if blocked & before[end]:
            return UNKNOWN
        if not unfiltered[number] and labels[group[end], at] == NULL32:
            return UNKNOWN
        return ACCEPT if path == subnet[0] or labels[acl[end], at] != NULL32 else UNKNOWN
    if direction == EGRESS and at_destination:
        end = 2
    elif direction == INGRESS and at_source:
        end = 3
    else:
        return UNKNOWN
    if blocked & rejects[end]:
        return REJECT
    return ACCEPT if verdict == ACCEPT or labels[acl[end], at] != NULL32 else UNKNOWN


@kernel
def predict(records, own, rules, found, out, actions, predicted, agrees):
    """The predicted action of each record, and whether it is the one logged: 1, 0, or 255 where one is not known."""
    bpa, public, unfiltered = records.bpa, records.bpa_code[0], own.unfiltered
    directions, _, swaps, unjudged, at, _, _, _, _, _ = found
    verdict, forward, reason, path, blocked = out.verdict, out.forward, out.reason, out.path, out.blocked_by
    ends, other_ends, labels = out.src_interface, out.dst_interface, out.rules
    some = (rules.rejects, rules.before, rules.group, rules.acl, rules.subnet, rules.public)
    for row in range(predicted.size):
        action = UNKNOWN
        if unjudged[row] == NULL8:
            action = _predict(
                some, unfiltered, verdict[row], forward[row], reason[row], path[row], blocked[row],
                ends[row] == at[row], other_ends[row] == at[row], labels, row, at[row], directions[row],
                swaps[row] != 0, bpa[row] == public,
            )  # fmt: skip
        predicted[row] = action
        agrees[row] = NULL8 if action == UNKNOWN or actions[row] < 0 else action == actions[row]


@kernel
def either_way(own, rules, found, rows, out, other, reason, actions, predicted, agrees):
    """Mends the prediction of the records `rows`, which either end may have opened; `other`: the destination did."""
    some = (rules.rejects, rules.before, rules.group, rules.acl, rules.subnet, rules.public)
    for i in range(rows.size):
        row = rows[i]
        direction, number = found.direction[row], found.number[row]
        ingress = direction == INGRESS
        replied = _predict(
            some, own.unfiltered, other.verdict[i], other.forward[i], other.reason[i], other.path[i],
            other.blocked_by[i], other.src_interface[i] == number, other.dst_interface[i] == number, other.rules, i,
            number, direction, True, False,
        )  # fmt: skip
        stopped = out.blocked_by[row] & rules.arrival[1 if ingress else 0] != 0
        no_reply = other.forward[i] == REJECT or (ingress and other.blocked_by[i] & rules.arrival[2] != 0)
        action = np.int64(predicted[row])
        if not no_reply and action != replied:
            action = replied if stopped else UNKNOWN
        predicted[row] = action
        agrees[row] = NULL8 if action == UNKNOWN or actions[row] < 0 else action == actions[row]
        by_group = out.verdict[row] == REJECT and (
            out.stage[row] == rules.stages[0] or out.stage[row] == rules.stages[1]
        )
        if by_group and other.verdict[i] != REJECT:
            found.unjudged[row] = reason


@kernel
def settle(found, out, source_stage):
    """Verdicts of the records that are not judged: UNKNOWN for the reason found, stage source, nothing else."""
    for row in range(found.unjudged.size):
        if found.unjudged[row] == NULL8:
            continue
        out.verdict[row] = out.forward[row] = UNKNOWN
        out.reply[row] = out.path[row] = NULL8
        out.reason[row], out.stage[row] = found.unjudged[row], source_stage
        out.blocked_by[row] = 0
        out.src_interface[row] = out.dst_interface[row] = NULL32
        for rule in range(out.rules.shape[0]):
            out.rules[rule, row] = NULL32


@kernel
def count_outcomes(out, packets, size, weights, n_reasons, n_stages, counts):
    """Adds to counts[(verdict, reason + 1, stage + 1), :] the records, and packets and bytes in halves of 32 bits."""
    for row in range(out.verdict.size):
        reason, stage = out.reason[row], out.stage[row]
        place = np.int64(out.verdict[row]) * (n_reasons + 1) + (0 if reason == NULL8 else np.int64(reason) + 1)
        place = place * (n_stages + 1) + (0 if stage == NULL8 else np.int64(stage) + 1)
        counts[place, 0] += weights[row] if weights.size else 1
        for i, column in enumerate((packets, size)):
            if column.size and column[row] != MISSING:
                counts[place, 1 + 2 * i] += column[row] & 0xFFFFFFFF
                counts[place, 2 + 2 * i] += column[row] >> 32
