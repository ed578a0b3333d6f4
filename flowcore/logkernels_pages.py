"""The compiled loops over the pages of Parquet files that are read: levels, codes, numbers and words as they lie there.

A file of its own beside `logkernels`, closed as that is; its table of words is filled here, too. What stands in a page
is untrusted: every length, width and code is checked here before anything is read by it, and a page that is not what
it should be is refused (False), for pyarrow to say what it makes of it. Pages have `PADDING` bytes behind them.
Longer than 600 lines because it is closed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numba
import numpy as np

from . import kernels, logkernels
from .kernels import prefetch
from .logkernels import MISSING, SLOT, _hash, _intern, _is_missing, count_bits, inner, load64, peek, poke, step

# Positions in the state of a column that is read.
PAGE, PAGES = 0, 1  # which page comes next; the first one that is not there
LEFT = 2  # rows left of the page
LEVELS, LEVELS_END = 3, 4  # where the next run of levels begins; where they end
RUN, RUN_IS, RUN_BIT = 5, 6, 7  # rows left of the run; 0 missing, 1 present, PACKED; its next bit
VALUES, VALUES_END, ENCODING = 8, 9, 10  # where the next run, block or value begins; where they end
WIDTH, CODES, CODE, CODES_BIT = 11, 12, 13, 14  # bits of a code; codes left of the run; which, or PACKED; its next bit
DELTAS, LAST, FIRST = 15, 16, 17  # numbers left; the last one; whether that is still to be given
MINIS, MINI_SIZE, MINI, LEAST = 18, 19, 20, 21  # minis of a block, numbers in one; the next mini; the least step
WIDTHS, MINI_LEFT, MINI_WIDTH, MINI_BIT = 22, 23, 24, 25  # where widths are; of a mini: numbers left, bits, next bit
STATE = 26
PACKED = -1

# Of the format: kinds of pages; encodings.
DATA, WORDS, DATA_2 = 0, 2, 3
PLAIN, PLAIN_DICTIONARY, LEVELS_CODED, DELTA, DICTIONARY = 0, 2, 3, 5, 8
# Where `_page_header` puts what is in a header: of every page (BODY: where what follows it is; ROWS: how many), of a
# dictionary, of data, and of data of version 2.
BODY, KIND, SIZE, PACKED_SIZE, ROWS = range(5)
N_WORDS, WORDS_ENCODING = 57, 58
ROWS_1, ENCODING_1, LEVELS_1, LAST_1 = 41, 42, 43, 44
VALUES_2, ROWS_2, ENCODING_2, LEVELS_2, REPEATS_2, IS_PACKED_2 = 65, 67, 68, 69, 70, 71
HEADER = 72
# Where `read_footer` puts what is said of the values of a column: their type, codec, number, bytes, first page and
# dictionary. How deep a footer is, and more.
TYPE, CODEC, N_VALUES, CHUNK_SIZE, FIRST_PAGE, FIRST_WORDS, CHUNK = 1, 4, 5, 7, 9, 11, 12
DEEPEST = 16

#: Values decoded at a time: codes and numbers in between stay in the innermost cache.
BLOCK = 1 << 10
#: The widest codes there are: no page has room for more words.
WIDEST = 30

_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_SEVEN = np.uint64(7)


def _cache_folder() -> Path | None:
    """A folder beside that of `logkernels`, named by both texts."""
    if logkernels.CACHE_FOLDER is None or kernels.CACHE_FOLDER is None:
        return None
    text = Path(__file__).read_bytes() + logkernels.CACHE_FOLDER.name.encode()
    folder = kernels.CACHE_FOLDER.parent / f"pages-{hashlib.sha256(text).hexdigest()[:16]}"
    return folder if kernels._usable(folder) else None


CACHE_FOLDER = _cache_folder()


def kernel(function: Any) -> Any:
    """See `kernels.kernel`: compiled at the first call, without the GIL, kept on disk where there is a place."""
    if CACHE_FOLDER is None:
        return numba.njit(nogil=True, _nrt=False)(function)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE_FOLDER)
    try:
        return numba.njit(cache=True, nogil=True, _nrt=False)(function)
    finally:
        numba.config.CACHE_DIR = before


# -- headers and dictionaries ------------------------------------------------------------------------------


@inner
def _varint(data, position, stop):
    """An unsigned number of 7 bits a byte: (it, where the next byte is), which is 0 if there is none of 64 bits."""
    value, shift = np.uint64(0), np.uint64(0)
    while position < stop and shift < np.uint64(64):
        byte = np.uint64(data[position])
        position += 1
        value |= (byte & np.uint64(127)) << shift
        if byte < np.uint64(128):
            return value, position
        shift += _SEVEN
    return value, np.int64(0)


@inner
def _unzigzag(value):
    return np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1))


@step
def _value(data, position, kind):
    """What is neither a list nor a struct in Thrift's compact form: (it, if it is an integer, where the next byte is),
    which is 0 if it is not there."""
    stop, value = data.size, np.uint64(0)
    if 4 <= kind <= 6 or kind == 8:
        value, position = _varint(data, position, stop)
        if position == 0:
            return np.int64(0), np.int64(0)
    if kind == 8:
        if value > np.uint64(stop - position):
            return np.int64(0), np.int64(0)
        position += np.int64(value)
    elif kind == 3:
        position += 1
    elif kind == 7:
        position += 8
    elif kind < 1 or kind > 6:
        return np.int64(0), np.int64(0)
    return _unzigzag(value), position if position <= stop else np.int64(0)


@step
def _field(data, position, last):
    """The next field of a struct after the field `last`: (its kind, 0 at the end, its number, where it begins), which
    is 0 if there is none."""
    if position >= data.size:
        return np.int64(0), np.int64(0), np.int64(0)
    byte = np.int64(data[position])
    position += 1
    if byte >> 4 or byte == 0:
        return byte & 15, last + (byte >> 4), position
    value, position = _varint(data, position, data.size)
    field = _unzigzag(value)
    if field < 0 or field > 1 << 15:
        position = np.int64(0)
    return byte & 15, field, position


@step
def _note(depth, place, number, rows, chunks):
    """Notes what `read_footer` gives, if it is at the place of something of it."""
    if place[1] < 0 or place[1] >= rows.size:
        return
    if depth == 2 and place[2] == 3:
        rows[place[1]] = number
    if depth < 4 or place[2] != 1 or place[3] < 0 or place[3] >= chunks.shape[1]:
        return
    if place[4] == 1 or place[4] == 8 or place[4] == 9:
        chunks[place[1], place[3], 0] = 1
    elif depth == 5 and place[4] == 3 and 0 < place[5] < CHUNK:
        chunks[place[1], place[3], place[5]] = number


@kernel
def read_footer(data, stack, rows, chunks):
    """Reads the footer of a file: rows[group] gets the rows of a row group, chunks[group, column, field] a number of
    the description of a column (0: whether it lies in another file, or is encrypted), -1 what is not given; whether
    there are as many groups and columns. `stack` (int64[3, DEEPEST]): space to work in.

    pyarrow can tell the same; but from footers that are damaged in some places its way ends the process.
    """
    rows[:] = -1
    chunks[:] = -1
    stack[:] = 0
    place, left, elements = stack[0], stack[1], stack[2]  # field or number in its list; of a list: how many, of what
    position, depth, groups, columns = np.int64(0), 0, np.int64(0), np.int64(0)
    while True:
        if elements[depth]:  # a list; else a struct
            if left[depth] == 0:
                depth -= 1
                continue
            left[depth] -= 1
            place[depth] += 1
            kind = elements[depth]
        else:
            kind, place[depth], position = _field(data, position, place[depth])
            if position == 0:
                return False
            if kind == 0:
                if depth == 0:
                    return groups == rows.size and columns == rows.size * chunks.shape[1]
                depth -= 1
                continue
        if kind == 9 or kind == 10 or kind == 12:
            depth += 1
            if depth == DEEPEST:
                return False
            place[depth] = left[depth] = elements[depth] = 0
            if kind != 12:
                position, left[depth], elements[depth] = _list(data, position)
                place[depth] = -1
                if position == 0:
                    return False
            elif place[0] == 4:
                groups += depth == 2
                columns += depth == 4 and place[2] == 1
                if depth == 5 and place[2] == 1 and place[4] == 8:
                    _note(depth, place, np.int64(1), rows, chunks)
            continue
        if kind <= 2 and elements[depth]:
            position += 1
        number, position = _value(data, position, kind)
        if position == 0:
            return False
        if place[0] == 4 and 1 < depth < 6:
            _note(depth, place, number, rows, chunks)


@step
def _list(data, position):
    """The header of a list: (where its first element is, 0 if there is none, how many there are, of which kind)."""
    if position >= data.size:
        return np.int64(0), np.int64(0), np.int64(0)
    byte = np.int64(data[position])
    position += 1
    size, kind = np.uint64(byte >> 4), byte & 15
    if byte >> 4 == 15:
        size, position = _varint(data, position, data.size)
        if position == 0:
            return np.int64(0), np.int64(0), np.int64(0)
    if size > np.uint64(data.size - position) or kind == 0:
        return np.int64(0), np.int64(0), np.int64(0)
    return position, np.int64(size), kind


@step
def _page_header(data, position, table, page):
    """Reads the header of a page (a Thrift compact struct) at `position`; where it ends, 0 if it is none.

    table[page, field] gets a number of it, table[page, 8 * field + inner field] one of the header of its kind (5: data,
    7: dictionary, 8: data of version 2), -1 what is not given. Only numbers of 32 bits and truth values are taken; text
    and what is deeper is passed over.
    """
    for field in range(HEADER):
        table[page, field] = -1
    depth, outer, last, last_inner = 0, np.int64(0), np.int64(0), np.int64(0)
    while True:
        kind, last, position = _field(data, position, last)
        if position == 0:
            return np.int64(0)
        if kind == 0:
            if depth == 0:
                return position
            depth -= 1
            last = outer if depth == 0 else last_inner
        elif kind == 12:
            if depth == 0:
                outer = last
            elif depth == 1:
                last_inner = last
            else:
                return np.int64(0)
            depth += 1
            last = np.int64(0)
        else:  # lists: there is none in it
            number, position = _value(data, position, kind)
            if position == 0:
                return np.int64(0)
            if (kind <= 2 or kind == 5) and last < 8 and (depth == 0 or (depth == 1 and 5 <= outer <= 8)):
                table[page, last if depth == 0 else 8 * outer + last] = number if kind == 5 else np.int64(kind == 1)


@step
def _is_whole(table, page):
    """Whether a header is of a kind that is read here, and has all it must have."""
    kind = table[page, KIND]
    first, last = ROWS_1, LAST_1
    if kind == WORDS:
        first, last = N_WORDS, WORDS_ENCODING
    elif kind == DATA_2:
        first, last = VALUES_2, REPEATS_2
    elif kind != DATA:
        return False
    missing = 0
    for field in range(first, last + 1):
        missing += table[page, field] < 0
    return missing == 0


@kernel
def find_pages(data, position, rows, longest, table):
    """Reads headers of pages from `position` on into the rows of `table`, until it is full or there are `rows` rows.

    (How many pages, where the next one begins, rows that are still to be found); no page if one of them is odd: of
    another kind, without rows, with more than are left, longer than `longest` or than what there is.
    """
    for page in range(table.shape[0]):
        if rows == 0:
            return page, position, rows
        begin = _page_header(data, position, table, page)
        kind, size, packed = table[page, KIND], table[page, SIZE], table[page, PACKED_SIZE]
        if begin == 0 or size < 0 or size > longest or packed < 0 or packed > data.size - begin:
            return 0, position, rows
        if not _is_whole(table, page):
            return 0, position, rows
        if kind == DATA or kind == DATA_2:
            count = table[page, ROWS_1 if kind == DATA else ROWS_2]
            if count <= 0 or count > rows:
                return 0, position, rows
            rows -= count
            table[page, ROWS] = count
        table[page, BODY], position = begin, begin + packed
    return table.shape[0], position, rows


@kernel
def find_words(page, size, starts, sizes):
    """Where the words of a dictionary page (4 bytes of length, then the word) begin, and their sizes; whether all are
    there."""
    position = np.int64(0)
    for word in range(starts.size):
        if size - position < 4:
            return False
        length = np.int64(load64(page, position) & np.uint64(0xFFFFFFFF))
        position += 4  # words
        if length > size - position:
            return False
        starts[word], sizes[word] = position, length
        position += length
    return True


@step
def _open_page(data, table, optional, is_word, narrow, coded, state):
    """Begins the next page, which is one of data; whether it is one of those that are read here. `coded`: whether codes
    may stand in it, for there is a dictionary."""
    page = state[PAGE]
    if page >= state[PAGES]:
        return False
    for i in range(LEFT, STATE):
        state[i] = 0
    state[PAGE] = page + 1
    begin, size, first = table[page, BODY], table[page, SIZE], table[page, KIND] == DATA
    rows, encoding = table[page, ROWS], table[page, ENCODING_1 if first else ENCODING_2]
    stop, end = begin + size, begin if first else begin + table[page, LEVELS_2]
    if rows < 0 or end < begin or end > stop:
        return False
    if optional and first:
        if table[page, LEVELS_1] != LEVELS_CODED or size < 4:
            return False
        begin += 4
        end = begin + np.int64(load64(data, begin - 4) & np.uint64(0xFFFFFFFF))
        if end > stop:
            return False
    if not optional:
        state[RUN], state[RUN_IS] = rows, 1
    elif not _are_levels(data, begin, end, rows):
        return False
    state[LEFT], state[LEVELS], state[LEVELS_END], state[VALUES], state[VALUES_END] = rows, begin, end, end, stop
    state[CODE] = PACKED
    if encoding == PLAIN:
        state[ENCODING] = PLAIN
        return True
    if encoding == DICTIONARY or encoding == PLAIN_DICTIONARY:
        state[ENCODING] = DICTIONARY
        if end < stop:  # where all are missing there may be nothing
            state[WIDTH], state[VALUES] = data[end], end + 1
        return coded and state[WIDTH] <= WIDEST
    return encoding == DELTA and not is_word and _open_deltas(data, end, stop, rows, narrow, state)


@step
def _are_levels(data, position, stop, rows):
    """Whether there are levels for all rows: pyarrow, too, looks at those of a page before it gives its first row."""
    while rows > 0:
        count, which, _, position = _run_header(data, position, stop, np.int64(1))
        if position == 0 or which > 1:
            return False
        rows -= count
    return True


@step
def _open_deltas(data, position, stop, rows, narrow, state):
    """Begins numbers that are written as steps (DELTA_BINARY_PACKED); whether there are some."""
    block, position = _varint(data, position, stop)
    minis, position = _varint(data, position, stop if position else 0)
    count, position = _varint(data, position, stop if position else 0)
    last, position = _varint(data, position, stop if position else 0)
    if position == 0 or block == np.uint64(0) or block > np.uint64(1 << 16) or block & np.uint64(127) != np.uint64(0):
        return False
    if minis == np.uint64(0) or minis > block >> np.uint64(5) or block % (minis << np.uint64(5)) != np.uint64(0):
        return False
    if count > np.uint64(rows):
        return False
    state[ENCODING], state[WIDTH] = DELTA, 32 if narrow else 64
    state[DELTAS], state[FIRST], state[LAST], state[VALUES] = np.int64(count), 1, _unzigzag(last), position
    state[MINIS] = state[MINI] = np.int64(minis)
    state[MINI_SIZE] = np.int64(block // minis)
    return True


# -- levels and codes --------------------------------------------------------------------------------------


@inner
def _run_header(page, position, stop, width):
    """The header of a run of levels or codes of `width` bits: (how many, PACKED or which one, where its bits are, where
    the next run is), which is 0 if it is not there as a whole."""
    header, position = _varint(page, position, stop)
    if position == 0 or header < np.uint64(2) or header > np.uint64(0xFFFFFFFF):
        return np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    count = np.int64(header >> np.uint64(1))
    if header & np.uint64(1):
        if count * width > stop - position:
            return np.int64(0), np.int64(0), np.int64(0), np.int64(0)
        return 8 * count, np.int64(PACKED), 8 * position, position + count * width
    size = (width + 7) // 8
    if size > stop - position:
        return np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    which = np.int64(load64(page, position) & ~(_FULL << np.uint64(8 * size)))
    return count, which, np.int64(0), position + size


@inner
def _next_levels(page, state):
    """Makes sure that there is a run of levels; whether there is."""
    if state[RUN] == 0:
        count, which, bit, after = _run_header(page, state[LEVELS], state[LEVELS_END], np.int64(1))
        if after == 0 or which > 1:
            return False
        state[RUN], state[RUN_IS], state[RUN_BIT], state[LEVELS] = count, which, bit, after
    return True


@inner
def _count_levels(page, bit, count):
    """How many of `count` bits from `bit` on are 1."""
    there = np.int64(0)
    while count > 0:
        some = min(count, 57)
        word = load64(page, bit >> 3) >> np.uint64(bit & 7) & ~(_FULL << np.uint64(some))
        there += count_bits(word)
        bit += some
        count -= some
    return there


@step
def _codes(page, state, count, below, places):
    """The next `count` codes (up to BLOCK), all of them `below`, into places; whether they are there.

    Four codes of up to 14 bits come from one load: half the time of a load for each.
    """
    width = state[WIDTH]
    one, two, three = np.uint64(width), np.uint64(2 * width), np.uint64(3 * width)
    mask, worst, at = ~(_FULL << one), np.uint64(0), np.int64(0)
    while at < count:
        if state[CODES] == 0:
            codes, which, bit, after = _run_header(page, state[VALUES], state[VALUES_END], width)
            if after == 0:
                return False
            state[CODES], state[CODE], state[CODES_BIT], state[VALUES] = codes, which, bit, after
        stop = at + min(count - at, state[CODES])
        state[CODES] -= stop - at
        if state[CODE] >= 0:
            worst = max(worst, np.uint64(state[CODE]))
            for i in range(at, stop):
                places[i] = state[CODE]
        else:
            bit = state[CODES_BIT]
            if width <= 14:
                for _ in range((stop - at) >> 2):
                    word = load64(page, bit >> 3) >> np.uint64(bit & 7)
                    a, b, c, d = word & mask, word >> one & mask, word >> two & mask, word >> three & mask
                    worst = max(worst, a, b, c, d)
                    poke(places, at, np.int32(a))
                    poke(places, at + 1, np.int32(b))
                    poke(places, at + 2, np.int32(c))
                    poke(places, at + 3, np.int32(d))
                    at += 4
                    bit += 4 * width
            for i in range(at, stop):
                place = load64(page, bit >> 3) >> np.uint64(bit & 7) & mask
                worst = max(worst, place)
                poke(places, i, np.int32(place))
                bit += width
            state[CODES_BIT] = bit
        at = stop
    return worst < np.uint64(below)


# -- numbers -----------------------------------------------------------------------------------------------


@step
def _next_mini(page, state):
    """Goes on to the next miniblock of steps, and to the next block; whether there is one."""
    if state[MINI] == state[MINIS]:
        value, position = _varint(page, state[VALUES], state[VALUES_END])
        if position == 0 or state[MINIS] > state[VALUES_END] - position:
            return False
        state[LEAST], state[WIDTHS], state[VALUES], state[MINI] = (
            _unzigzag(value), position, position + state[MINIS], 0,
        )  # fmt: skip
    width = np.int64(page[state[WIDTHS] + state[MINI]])
    size = state[MINI_SIZE] * width // 8
    if width > state[WIDTH] or size > state[VALUES_END] - state[VALUES]:
        return False
    state[MINI_WIDTH], state[MINI_BIT], state[MINI_LEFT] = width, 8 * state[VALUES], state[MINI_SIZE]
    state[VALUES] += size
    state[MINI] += 1
    return True


@step
def _deltas(page, state, count, out, at):
    """The next `count` numbers of steps (DELTA_BINARY_PACKED) into out[at:]; whether they are there."""
    if count > state[DELTAS]:
        return False
    state[DELTAS] -= count
    stop = at + count
    if count > 0 and state[FIRST]:
        state[FIRST] = 0
        out[at] = state[LAST]
        at += 1
    last = np.uint64(state[LAST])  # unsigned: it wraps
    while at < stop:
        if state[MINI_LEFT] == 0 and not _next_mini(page, state):
            return False
        some = min(stop - at, state[MINI_LEFT])
        width, bit, least = state[MINI_WIDTH], state[MINI_BIT], np.uint64(state[LEAST])
        state[MINI_LEFT] -= some
        if width == 0:
            for i in range(some):
                last += least
                poke(out, at + i, np.int64(last))
        elif width <= 57:
            mask, done = ~(_FULL << np.uint64(width)), np.int64(0)
            if width <= 14:  # four steps from one load: 0.72 to 0.59 ns a number
                one, two, three = np.uint64(width), np.uint64(2 * width), np.uint64(3 * width)
                for _ in range(some >> 2):
                    word = load64(page, bit >> 3) >> np.uint64(bit & 7)
                    a, b = least + (word & mask), least + (word >> one & mask)
                    c, d = least + (word >> two & mask), least + (word >> three & mask)
                    b += a
                    c += b
                    poke(out, at + done, np.int64(last + a))
                    poke(out, at + done + 1, np.int64(last + b))
                    poke(out, at + done + 2, np.int64(last + c))
                    last += c + d
                    poke(out, at + done + 3, np.int64(last))
                    done += 4
                    bit += 4 * width
            for i in range(done, some):
                last += least + (load64(page, bit >> 3) >> np.uint64(bit & 7) & mask)
                poke(out, at + i, np.int64(last))
                bit += width
        else:
            mask = _FULL >> np.uint64(64 - width)
            for i in range(some):
                low, shift = load64(page, bit >> 3), np.uint64(bit & 7)
                high = (load64(page, (bit >> 3) + 8) << np.uint64(1)) << (np.uint64(63) - shift)
                last += least + ((low >> shift | high) & mask)
                poke(out, at + i, np.int64(last))
                bit += width
        state[MINI_BIT] = bit
        at += some
    state[LAST] = np.int64(last)
    return True


@step
def _numbers(page, state, count, dictionary, narrow, out, at, places):
    """The next `count` numbers that are there, into out[at:]; whether they are."""
    if state[ENCODING] == PLAIN:
        size = np.int64(4) if narrow else np.int64(8)
        if count * size > state[VALUES_END] - state[VALUES]:
            return False
        position = state[VALUES]
        state[VALUES] += count * size
        if narrow:
            for i in range(count):
                poke(out, at + i, np.int64(np.int32(load64(page, position + 4 * i) & np.uint64(0xFFFFFFFF))))
        else:
            for i in range(count):
                poke(out, at + i, np.int64(load64(page, position + 8 * i)))
        return True
    if state[ENCODING] == DELTA:
        if not _deltas(page, state, count, out, at):
            return False
        if narrow:
            first = np.uint64(at)
            for i in range(np.uint64(count)):
                out[first + i] = np.int64(np.int32(out[first + i]))
        return True
    stop = at + count
    while at < stop:
        if state[CODE] >= 0 and state[CODES] > 0:  # the same one again and again
            some = min(stop - at, state[CODES])
            if state[CODE] >= dictionary.size:
                return False
            state[CODES] -= some
            value = dictionary[state[CODE]]
            for i in range(at, at + some):
                out[i] = value
            at += some
            continue
        some = min(stop - at, BLOCK)
        if not _codes(page, state, some, dictionary.size, places):
            return False
        for i in range(some):
            poke(out, at + i, peek(dictionary, np.int64(peek(places, i))))
        at += some
    return True


@kernel
def read_numbers(data, table, state, count, optional, narrow, dictionary, coded, low, high, out, at, places, some):
    """Reads the next `count` rows of the pages in `data` into out[at:], MISSING where there is none; whether all could
    be read and are from `low` to `high`, as those of the dictionary are. `narrow`: they are of 32 bits, and not looked
    at. `places`, `some`: space to work in."""
    stop = at + count
    while at < stop:
        if state[LEFT] == 0 and not _open_page(data, table, optional, False, narrow, coded, state):
            return False
        if not _next_levels(data, state):
            return False
        rows = min(stop - at, state[LEFT], state[RUN])
        checked = not narrow and state[ENCODING] != DICTIONARY
        if state[RUN_IS] == 1:
            if not _numbers(data, state, rows, dictionary, narrow, out, at, places):
                return False
            if checked:
                least, most, first = np.int64(high), np.int64(low), np.uint64(at)
                for i in range(np.uint64(rows)):
                    least, most = min(least, out[first + i]), max(most, out[first + i])
                if least < low or most > high:
                    return False
        elif state[RUN_IS] == 0:
            for i in range(at, at + rows):
                out[i] = MISSING
        else:
            rows = min(rows, BLOCK)
            bit, place = state[RUN_BIT], np.int64(0)
            there = _count_levels(data, bit, rows)
            if not _numbers(data, state, there, dictionary, narrow, some, 0, places):
                return False
            wrong = False
            for i in range(there):
                wrong |= some[i] < low or some[i] > high
            if wrong and checked:
                return False
            for i in range(rows):
                is_there = np.int64(data[(bit + i) >> 3]) >> ((bit + i) & 7) & 1
                out[at + i] = some[place] if is_there else MISSING
                place += is_there
            state[RUN_BIT] += rows
        state[RUN] -= rows
        state[LEFT] -= rows
        at += rows
    return True


# -- words -------------------------------------------------------------------------------------------------


@step
def _new_words(count, words, starts, sizes, known, group, arena, column, every, choices, places):
    """Sees to it that the first `count` words in `places` are `known`; whether all are below `choices`, as there.

    Those that are new are listed, then asked for, then looked up: 5.9 to 3.1 ns a row of addresses.
    """
    slots, n_slots, fresh, before = group.slots, group.n_slots, np.int64(0), np.int64(-1)
    for i in range(count):
        word = np.int64(peek(places, i))
        poke(places, BLOCK + fresh, np.int32(word))
        fresh += (peek(known, word) == -2) & (word != before)
        before = word
    for i in range(fresh):
        word = np.int64(peek(places, BLOCK + i))
        mixed = _hash(words, starts[word], sizes[word])[3]
        slot = mixed >> np.uint64(32) & np.uint64(n_slots[column] - 1)
        prefetch(slots, np.uint64(column * slots.shape[1]) + slot * np.uint64(SLOT))
    for i in range(fresh):  # as many words as rows at most are taken in, whatever a dictionary holds
        word = np.int64(peek(places, BLOCK + i))
        if peek(known, word) != -2:
            continue
        code = np.int64(-1)
        if every or not _is_missing(words, starts[word], sizes[word]):
            code = _intern(
                slots, n_slots, group.hashes, group.start, group.size, group.words, group.state, arena, column, words,
                starts[word], sizes[word],
            )  # fmt: skip
        if choices > 0 and code >= choices:
            return False
        known[word] = code
    return True


@step
def _words(page, state, count, words, starts, sizes, known, group, arena, column, every, choices, out, at, places):
    """The codes in the group of the next `count` words that are there, into out[at:]; whether they are, and are below
    `choices` where these are not 0."""
    slots, n_slots, hashes, begins, lengths, counts, group_state = (
        group.slots, group.n_slots, group.hashes, group.start, group.size, group.words, group.state,
    )  # fmt: skip
    stop = at + count
    if state[ENCODING] == PLAIN:
        position, end = state[VALUES], state[VALUES_END]
        while at < stop:
            if end - position < 4:
                return False
            size = np.int64(load64(page, position) & np.uint64(0xFFFFFFFF))
            position += 4
            if size > end - position:
                return False
            code = np.int64(-1)
            if every or not _is_missing(page, position, size):
                code = _intern(
                    slots, n_slots, hashes, begins, lengths, counts, group_state, arena, column, page, position, size
                )
            if choices > 0 and code >= choices:
                return False
            out[at] = code
            position += size
            at += 1
        state[VALUES] = position
        return True
    while at < stop:
        some, runs = min(stop - at, BLOCK), state[CODE] >= 0 and state[CODES] > BLOCK
        if runs:  # the same one again and again
            some = min(stop - at, state[CODES])
            if state[CODE] >= starts.size:
                return False
            state[CODES] -= some
            places[0] = state[CODE]
        elif not _codes(page, state, some, starts.size, places):
            return False
        if not _new_words(
            np.int64(1) if runs else some, words, starts, sizes, known, group, arena, column, every, choices, places
        ):
            return False
        if runs:
            code = peek(known, np.int64(places[0]))
            for i in range(at, at + some):
                poke(out, i, code)
        else:
            for i in range(some):
                poke(out, at + i, peek(known, np.int64(peek(places, i))))
        at += some
    return True


@kernel
def read_words(
    data, table, state, count, optional, words, starts, sizes, known, coded, group, arena, column, every, choices, out,
    at, places, some,
):  # fmt: skip
    """Reads the next `count` rows of the pages in `data` as codes of words of the group into out[at:], -1 where there
    is none or where it means so, unless `every` word is one; whether all could be read, and are below `choices` unless
    that is 0.

    `starts`, `sizes`: the words of a dictionary, in `words`; `known`: their codes in the group, -2 not yet.
    `places` (int32[2 * BLOCK]), `some` (int32[BLOCK]): space to work in.
    The group must have room for `count` words, and the arena for those of the pages and of the dictionary.
    """
    stop = at + count
    while at < stop:
        if state[LEFT] == 0 and not _open_page(data, table, optional, True, False, coded, state):
            return False
        if not _next_levels(data, state):
            return False
        rows = min(stop - at, state[LEFT], state[RUN])
        if state[RUN_IS] == 1:
            if not _words(
                data, state, rows, words, starts, sizes, known, group, arena, column, every, choices, out, at, places
            ):
                return False
        elif state[RUN_IS] == 0:
            for i in range(at, at + rows):
                out[i] = -1
        else:
            rows = min(rows, BLOCK)
            bit, place = state[RUN_BIT], np.int64(0)
            there = _count_levels(data, bit, rows)
            if not _words(
                data, state, there, words, starts, sizes, known, group, arena, column, every, choices, some, 0, places
            ):
                return False
            for i in range(rows):
                is_there = np.int64(data[(bit + i) >> 3]) >> ((bit + i) & 7) & 1
                out[at + i] = some[place] if is_there else -1
                place += is_there
            state[RUN_BIT] += rows
        state[RUN] -= rows
        state[LEFT] -= rows
        at += rows
    return True
