"""How wide the columns of a drawn table are, and where their texts are broken, if a terminal has no room for all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: What a word is made of: ids, which stay whole as long as they can, and parts that end with a mark.
_PIECES = re.compile(r"[a-z]+-[0-9a-f]{8,}|[^-_/.:,#]*[-_/.:,#]*")


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def _natural(columns: Sequence[Sequence[str]]) -> list[int]:
    return [max(_longest(line for cell in cells for line in cell.split("\n")), 1) for cells in columns]


def _room(columns: Sequence[Sequence[str]], width: int) -> int:
    return width - 3 * len(columns) + 1  # a bar and two spaces between columns, two characters at the edges


def fits(columns: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a table of these columns, each a list of cells, needs no folding in `width` characters."""
    return sum(_natural(columns)) <= _room(columns, width)


def widths_for(columns: Sequence[Sequence[str]], numbers: Sequence[bool], width: int) -> list[int]:
    """The width of each column, given its cells, so that a table of them takes at most `width`, if that can be.

    `numbers`: columns that are never broken. In others words are kept whole while there is room, then their pieces;
    what is left over goes to the columns that fold the most.
    """
    natural, room = _natural(columns), _room(columns, width)
    if sum(natural) <= room:
        return natural
    words = [[word for cell in cells for word in cell.split()] for cells in columns]
    pieces = [[piece for word in each for piece in _PIECES.findall(word)] for each in words]
    widths = natural
    for parts in (words, pieces):
        least = [full if whole else max(_longest(p), 1) for full, whole, p in zip(natural, numbers, parts, strict=True)]
        widths = least
        if sum(least) <= room:
            break
    widths = list(widths)
    foldable = [place for place, whole in enumerate(numbers) if not whole]
    while foldable and sum(widths) > room and max(widths[place] for place in foldable) > 1:
        widths[max(foldable, key=lambda place: widths[place])] -= 1
    while foldable and sum(widths) < room:
        widths[max(foldable, key=lambda place: natural[place] / widths[place])] += 1
    return widths


def folded(text: str, width: int) -> str:
    """The text in lines of at most `width` characters, broken between words, else between pieces, else anywhere."""
    return "\n".join(line for whole in text.split("\n") for line in _fold_line(whole, width))


def _fold_line(line: str, width: int) -> list[str]:
    lines, now = [], ""
    for word in line.split(" "):
        if now and len(now) + 1 + len(word) <= width:
            now += " " + word
            continue
        if now:
            lines.append(now)
        now = ""
        for piece in _PIECES.findall(word):
            if now and len(now) + len(piece) > width:
                lines.append(now)
                now = ""
            now += piece
            while len(now) > width:
                lines.append(now[:width])
                now = now[width:]
    return [*lines, now]
