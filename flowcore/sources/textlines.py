"""Blocks of whole text lines from plain or gzip files, in bounded memory, with the unreadable lines set aside.

gzip is told by its magic bytes, never by the name. Nothing is held but one block and the unfinished line after
it, whatever the file says about itself, so neither a gzip bomb nor a file without newlines exhausts memory.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol

from .intake import FOUND_LENGTH, Rejects

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

#: Bytes of text in a block, roughly.
BLOCK_BYTES = 8 << 20

#: The longest line that is read, in bytes. The longest real one (all fields, long tags) is below 8 KiB.
LONGEST_LINE = 64 << 10

#: Bytes of a gzip file read, and inflated, at a time.
_COMPRESSED_BYTES = 256 << 10
_PART_BYTES = 1 << 20


class Place(Protocol):
    """A file, here or elsewhere: a `pathlib.Path`, or an object in S3."""

    def open(self, mode: Literal["rb"], /) -> IO[bytes]: ...


class DamagedFileError(Exception):
    """A file ends early or is not what it claims to be; what was read before it is good."""


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Whole lines: valid UTF-8, no control characters but tabs, none blank.

    `data` ends every line with one newline. `starts` and `ends` are the positions of each line's first byte and
    of its newline; `numbers` its line number in the file, the first being 1. All three have one entry per line.
    """

    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    def text(self, line: int) -> str:
        """The line at position `line` of this block, cut to FOUND_LENGTH characters."""
        return _shown(self.data[self.starts[line] : self.ends[line]])

    def separators(self, separator: bytes) -> NDArray[np.int64]:
        """How often the one-byte `separator` is in each line."""
        import numpy as np

        places = np.flatnonzero(np.frombuffer(self.data, np.uint8) == separator[0])
        return np.diff(np.searchsorted(places, self.ends), prepend=0)

    def trimmed(self, separator: bytes, width: int) -> LineBlock:
        """The lines, without spaces at their ends where these make more fields than `width`."""
        import numpy as np

        data = np.frombuffer(self.data, np.uint8)
        wrong = self.separators(separator) + 1 > width
        wrong &= (data[self.starts] == 32) | (data[self.ends - 1] == 32)
        if separator != b" " or not wrong.any():
            return self
        pairs = zip(self.starts.tolist(), self.ends.tolist(), wrong.tolist(), strict=True)
        lines = [self.data[a:b].strip(b" ") if trim else self.data[a:b] for a, b, trim in pairs]
        ends = np.cumsum([len(line) + 1 for line in lines]) - 1
        starts = np.concatenate([[0], ends[:-1] + 1])
        return LineBlock(b"\n".join([*lines, b""]), starts, ends, self.numbers).where(ends > starts)

    def where(self, keep: NDArray[np.bool_]) -> LineBlock:
        """The lines for which `keep` is true."""
        import numpy as np

        if keep.all():
            return self
        lengths = self.ends - self.starts + 1
        data = np.frombuffer(self.data, np.uint8)[np.repeat(keep, lengths)].tobytes()
        ends = np.cumsum(lengths[keep]) - 1
        return LineBlock(data, ends - lengths[keep] + 1, ends, self.numbers[keep])


def byte_chunks(stream: IO[bytes], size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The bytes of `stream` in chunks of at most `size`, inflated if they are gzip (any number of members).

    Raises DamagedFileError after the last good chunk when a gzip stream is cut off, damaged or followed by other bytes.
    """
    first = stream.read(2)
    if first != GZIP_MAGIC:
        if first:
            yield first
        while chunk := stream.read(size):
            yield chunk
        return
    parts: list[bytes] = []
    held = 0
    try:
        for part in _inflated(stream, first, min(size, _PART_BYTES)):
            if held + len(part) > size:
                yield b"".join(parts)
                parts, held = [], 0
            parts.append(part)
            held += len(part)
    except DamagedFileError:
        yield b"".join(parts)
        raise
    yield b"".join(parts)


def _inflated(stream: IO[bytes], compressed: bytes, most: int) -> Iterator[bytes]:
    """What is in a gzip file that begins with `compressed`, in parts of at most `most` bytes. Raises as above."""
    inflater, errors = new_inflater()
    full = False
    while True:
        # A part of full size may not be all: more can be waiting, though all that was read has been taken in.
        if not compressed and not full and not (compressed := stream.read(_COMPRESSED_BYTES)):
            raise DamagedFileError("the gzip stream is cut off")
        try:
            part = inflater.decompress(compressed, most)
        except errors as error:
            raise DamagedFileError(f"the gzip stream is damaged ({error})") from None
        compressed, full = inflater.unconsumed_tail, len(part) == most
        if part:
            yield part
        if inflater.eof:
            compressed = inflater.unused_data.lstrip(b"\0")
            while not compressed:
                if not (more := stream.read(_COMPRESSED_BYTES)):
                    return
                compressed = more.lstrip(b"\0")
            if not GZIP_MAGIC.startswith(compressed[:2]):
                raise DamagedFileError("other bytes follow the gzip stream")
            full = False
            inflater, errors = new_inflater()


def new_inflater() -> tuple[Any, tuple[type[Exception], ...]]:
    """What inflates one gzip member, and the errors it raises: ISA-L where there is a build of it, twice as fast."""
    make, errors = _inflaters()
    return make(31), errors


@cache
def _inflaters() -> tuple[Any, tuple[type[Exception], ...]]:
    with suppress(ImportError):
        from isal import isal_zlib

        errors: Any = (isal_zlib.error, zlib.error)
        return isal_zlib.decompressobj, errors
    return zlib.decompressobj, (zlib.error,)


def head_lines(path: Place, count: int = 20) -> list[str]:
    """The first whole, non-blank lines of a file, at most `count`, from its first LONGEST_LINE bytes.

    A file shorter than that counts its last line as whole. Bytes that are not UTF-8 are replaced.
    """
    head, complete = b"", False
    with path.open("rb") as stream:
        try:
            for chunk in byte_chunks(stream, LONGEST_LINE):
                head += chunk
                if len(head) >= LONGEST_LINE:
                    break
            else:
                complete = True
        except DamagedFileError:
            pass
    lines = head.removeprefix(BYTE_ORDER_MARK).split(b"\n")
    if not complete:
        lines.pop()
    return [line.rstrip(b"\r").decode("utf-8", "replace") for line in lines if line.rstrip(b"\r")][:count]


def is_empty(path: Place) -> bool:
    """Whether nothing is in a file, or in the gzip stream it is."""
    with path.open("rb") as stream:
        try:
            return not any(byte_chunks(stream, LONGEST_LINE))
        except DamagedFileError:
            return False


def line_blocks(path: Place, rejects: Rejects, block_bytes: int = BLOCK_BYTES) -> Iterator[LineBlock]:
    """The lines of a file, block by block; unreadable ones go to `rejects`, blank ones nowhere. See `raw_blocks`."""
    at = LineNumber()
    for data in raw_blocks(path, rejects, at, block_bytes):
        number, at.next = at.next, at.next + _newlines(data)
        if len(block := _block(data, number, str(path), rejects)):
            yield block


@dataclass(slots=True)
class LineNumber:
    """Which line of a file comes next, the first being 1. Who reads the blocks counts: it has met every line anyway."""

    next: int = 1


def raw_blocks(
    path: Place, rejects: Rejects, at: LineNumber, block_bytes: int = BLOCK_BYTES, *, padding: int = 0
) -> Iterator[bytes]:
    """The bytes of a file in whole lines, each ended by one newline, and `padding` newlines after them.

    Before another block is asked for, `at` must be moved behind the lines of the last one.
    Line ends are newline or carriage return and newline; the last line may have none. A byte order mark is skipped.
    In a damaged gzip file the unfinished last line is left out: it may have been cut. A line longer than
    LONGEST_LINE that does not end in its block goes to `rejects`.
    """
    source, tail, skipping, damage, behind = str(path), b"", False, None, b"\n" * padding
    with path.open("rb") as stream:
        chunks = byte_chunks(stream, block_bytes)
        while True:
            try:
                chunk = next(chunks, None)
            except DamagedFileError as error:
                chunk, damage = None, str(error)
            if chunk is None:
                break
            if skipping:
                _, newline, chunk = chunk.partition(b"\n")
                if not newline:
                    continue
                skipping, at.next = False, at.next + 1
            cut = chunk.rfind(b"\n") + 1
            if not cut:
                tail += chunk
            else:
                yield _plain(b"".join((tail, memoryview(chunk)[:cut], behind)), at.next)
                tail = chunk[cut:]
            if len(tail) > LONGEST_LINE:
                rejects.lines(source, [at.next], None, _TOO_LONG, [_shown(tail)])
                skipping, tail = True, b""
    if damage is not None:
        rejects.file(source, damage, at.next, _shown(tail))
    elif tail:
        yield _plain(tail + b"\n" + behind, at.next)


def _newlines(data: bytes) -> int:
    """How many newlines: five times as fast as bytes.count where there are many."""
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == 10))


def _shown(data: bytes) -> str:
    """The beginning of a line, FOUND_LENGTH characters of it."""
    return data[: 4 * FOUND_LENGTH].decode("utf-8", "replace")[:FOUND_LENGTH]


def _plain(data: bytes, number: int) -> bytes:
    """The lines without a byte order mark before the first, and with plain newlines."""
    if number == 1:
        data = data.removeprefix(BYTE_ORDER_MARK)
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


_TOO_LONG = f"line longer than {LONGEST_LINE} bytes"


def _block(data: bytes, number: int, source: str, rejects: Rejects) -> LineBlock:
    """The good lines of `data`, whose first line is line `number` of the file."""
    import numpy as np

    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    starts = np.concatenate([[0], ends[:-1] + 1])
    return readable(LineBlock(data, starts, ends, number + np.arange(len(ends), dtype=np.int64)), source, rejects)


def readable(block: LineBlock, source: str, rejects: Rejects) -> LineBlock:
    """The lines of `block` that are text and not blank; those that are no text go to `rejects`."""
    import numpy as np

    keep = block.ends > block.starts
    for bad, reason in _unreadable(block.data, np.frombuffer(block.data, np.uint8), block):
        lines = np.flatnonzero(bad & keep).tolist()
        rejects.lines(source, block.numbers[lines].tolist(), None, reason, [block.text(line) for line in lines])
        keep &= ~bad
    return block.where(keep)


def _unreadable(data: bytes, values: NDArray[np.uint8], block: LineBlock) -> Iterator[tuple[NDArray[np.bool_], str]]:
    import numpy as np

    too_long = block.ends - block.starts > LONGEST_LINE
    if too_long.any():
        yield too_long, _TOO_LONG
    control = (values < 32) & (values != 10) & (values != 9)
    if control.any():
        yield _lines_at(np.flatnonzero(control), block), "control character in line"
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            yield _not_utf8(data, values, block), "not UTF-8"


def _lines_at(positions: NDArray[np.int64], block: LineBlock) -> NDArray[np.bool_]:
    import numpy as np

    found = np.zeros(len(block), np.bool_)
    found[np.searchsorted(block.ends, positions)] = True
    return found


def _not_utf8(data: bytes, values: NDArray[np.uint8], block: LineBlock) -> NDArray[np.bool_]:
    import numpy as np

    bad = _lines_at(np.flatnonzero(values >= 128), block)
    for line in np.flatnonzero(bad):
        try:
            data[block.starts[line] : block.ends[line]].decode("utf-8")
            bad[line] = False
        except UnicodeDecodeError:
            pass
    return bad
