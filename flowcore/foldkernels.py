"""The compiled loops of folding flow log records into distinct flows: one closed file, as `logkernels` is.

A row's words come as codes of its row group; here they get codes of the table, each word once. Flows are compared by
these codes, so a flow is found again whatever group it comes in.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np

from . import kernels

#: A number that is missing, as in `logkernels`.
MISSING = -(1 << 63)
_MOST = (1 << 63) - 1

# Columns of Flows.totals.
PACKETS, BYTES, RECORDS, FIRST, LAST = range(5)

# Positions in Flows.state.
ROWS, USED = range(2)


def _cache_folder() -> Path | None:
    """A folder beside that of `kernels`, named by this file's text."""
    if kernels.CACHE_FOLDER is None:
        return None
    text = Path(__file__).read_bytes() + f"{numba.__version__} {np.__version__}".encode()
    folder = kernels.CACHE_FOLDER.parent / f"fold-{hashlib.sha256(text).hexdigest()[:16]}"
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


class Rows(NamedTuple):
    """Rows to be folded: columns of a row group."""

    codes: np.ndarray  # int32[words, rows]     of every word column of the group; -1: missing
    columns: np.ndarray  # int64[columns]       those of `codes` that tell flows apart
    hashes: np.ndarray  # uint64[words, most]   by code
    start: np.ndarray  # int64[words, most]     by code: first byte in `text`
    size: np.ndarray  # int64[words, most]      by code: bytes
    text: np.ndarray  # uint8[]
    numbers: np.ndarray  # int64[numbers, rows] that tell flows apart
    totals: np.ndarray  # int64[5, rows]        packets, bytes, records, first, last; MISSING where missing
    flags: np.ndarray  # uint8[rows]            who opened, the smallest counts


class Flows(NamedTuple):
    """Distinct flows so far. A flow's key: codes of words, then two halves of each number."""

    keys: np.ndarray  # int32[room, columns + 2 * numbers]
    totals: np.ndarray  # int64[room, 5]
    flags: np.ndarray  # uint8[room]
    slots: np.ndarray  # uint64[slots]          row + 1 and half of the hash of the flow; 0: free
    factors: np.ndarray  # uint64[columns + 2 * numbers]  odd, random
    hashes: np.ndarray  # uint64[columns, room] by code of a word
    start: np.ndarray  # int64[columns, room]   by code: first byte in the text
    size: np.ndarray  # int64[columns, room]    by code: bytes
    word_slots: np.ndarray  # int32[columns, slots]  code + 1 by hash, 0: free
    words: np.ndarray  # int64[columns]         how many
    state: np.ndarray  # int64[2]


@kernels.step
def _intern(rows, flows, text, word, column, code):
    """The flows' code of the word `code` of the rows. There is room: a word comes with a row."""
    hashed, size, start = rows.hashes[word, code], rows.size[word, code], rows.start[word, code]
    mask = np.int64(flows.word_slots.shape[1] - 1)
    slot = np.int64(hashed >> np.uint64(32)) & mask
    while True:
        found = np.int64(flows.word_slots[column, slot]) - 1
        if found < 0:
            break
        if flows.hashes[column, found] == hashed and flows.size[column, found] == size:
            there, same = flows.start[column, found], True
            for i in range(size):
                if text[there + i] != rows.text[start + i]:
                    same = False
                    break
            if same:
                return found
        slot = (slot + 1) & mask
    found = flows.words[column]
    flows.words[column] = found + 1
    flows.word_slots[column, slot] = found + 1
    flows.hashes[column, found] = hashed
    flows.size[column, found] = size
    used = flows.state[USED]
    flows.start[column, found] = used
    for i in range(size):
        text[used + i] = rows.text[start + i]
    flows.state[USED] = used + size
    return found


@kernels.step
def _sum(a, b):
    """a + b, at most what 64 bits hold: sums of what files claim have no bound."""
    if a > 0 and b > _MOST - a:
        return np.int64(_MOST)
    if a < 0 and b < -_MOST - a:
        return np.int64(-_MOST)
    return np.int64(a + b)


@kernel
def fold(rows, first, stop, flows, text, known):
    """Adds the rows from `first` to `stop`. `known`: int32[columns, most], flows' codes by the rows' codes or -1.

    There must be room for as many flows and words as there are rows, and in `text` for all of the rows' text.
    """
    n_words, n_numbers, width = rows.columns.size, rows.numbers.shape[0], flows.keys.shape[1]
    key = np.empty(width, np.int32)
    mask = np.uint64(flows.slots.size - 1)
    half = np.uint64(32)
    for row in range(first, stop):
        mixed = np.uint64(0)
        for column in range(n_words):
            code = np.int64(rows.codes[rows.columns[column], row])
            if code >= 0:
                place = np.int64(known[column, code])
                if place < 0:
                    place = _intern(rows, flows, text, rows.columns[column], column, code)
                    known[column, code] = place
                code = place
            key[column] = code
            mixed += np.uint64(code + 2) * flows.factors[column]
        for number in range(n_numbers):
            value, place = rows.numbers[number, row], n_words + 2 * number
            key[place] = np.int32((value & 0xFFFFFFFF) - ((value & 0x80000000) << 1))
            key[place + 1] = np.int32(value >> 32)
            mixed += np.uint64(value) * flows.factors[place]
        mixed ^= mixed >> half
        mixed *= np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> half
        tag = (mixed >> half) << half
        slot = mixed & mask
        there = np.int64(-1)
        while True:
            found = flows.slots[slot]
            if found == 0:
                break
            if (found >> half) << half == tag:
                there = np.int64(found & np.uint64(0xFFFFFFFF)) - 1
                for place in range(width):
                    if flows.keys[there, place] != key[place]:
                        there = np.int64(-1)
                        break
                if there >= 0:
                    break
            slot = (slot + np.uint64(1)) & mask
        if there < 0:
            there = flows.state[ROWS]
            flows.state[ROWS] = there + 1
            flows.slots[slot] = tag | np.uint64(there + 1)
            for place in range(width):
                flows.keys[there, place] = key[place]
            for total in range(3):
                flows.totals[there, total] = 0
            flows.totals[there, FIRST] = MISSING
            flows.totals[there, LAST] = MISSING
            flows.flags[there] = 255
        totals = flows.totals
        for total in range(3):
            value = rows.totals[total, row]
            if value != MISSING:
                totals[there, total] = _sum(totals[there, total], value)
        value = rows.totals[FIRST, row]
        if value != MISSING and (totals[there, FIRST] == MISSING or value < totals[there, FIRST]):
            totals[there, FIRST] = value
        value = rows.totals[LAST, row]
        totals[there, LAST] = max(totals[there, LAST], value)
        flows.flags[there] = min(flows.flags[there], rows.flags[row])


@kernel
def shares(flows, n_words, count, out):
    """Which of `count` shares each flow belongs to: told by its key alone, in whatever order flows were met."""
    for row in range(flows.state[ROWS]):
        mixed = np.uint64(0)
        for column in range(flows.keys.shape[1]):
            value = np.int64(flows.keys[row, column])
            if column < n_words:
                part = np.uint64(1) if value < 0 else flows.hashes[column, value]
            else:
                part = np.uint64(value)
            mixed = (mixed ^ part) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(32)
        out[row] = mixed % np.uint64(count)


@kernel
def gather(start, size, text, used, offsets, out):
    """The words `used`, one after the other, with Arrow offsets."""
    place = np.int64(0)
    for i in range(used.size):
        offsets[i] = place
        for j in range(size[used[i]]):
            out[place + j] = text[start[used[i]] + j]
        place += size[used[i]]
    offsets[used.size] = place
