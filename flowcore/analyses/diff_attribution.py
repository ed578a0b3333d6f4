"""Which change did it: found by undoing changes and judging again, so that the answer is exact.

For each flow, every change is undone by itself. Where none suffices, all are undone, and each is made again in turn
as long as the flow stays undone, until none of those left can be made again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .diff_changes import Changes, variants_without
from .diff_verdicts import judge, settled, undone

if TYPE_CHECKING:
    import polars as pl

#: How the changes named belong together.
ANY, ALL = "any", "all"


@dataclass(frozen=True, slots=True)
class Cause:
    """The changes behind what became of a flow. `undo` is ANY if undoing one of them suffices, ALL if it takes them
    all (no smaller part of them would do), None if undoing every change there is does not help.
    """

    names: tuple[str, ...]
    undo: str | None


UNATTRIBUTED = Cause((), None)


def attribute(
    flows: pl.DataFrame,
    category: pl.Series,
    before: pl.DataFrame,
    changes: Changes,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Cause]:
    """The cause of each flow's category, in order; `before` as `judge` gives it. No flow may be unchanged.

    Costs one network and one judgement of all flows for each change, and the same again for flows that no single
    change undoes. `progress` is called with how many changes were tried, and of how many.
    """
    search = _Search(flows, category, before, changes, threads)
    names, rows = tuple(changes.names), list(range(flows.height))
    alone: dict[int, list[str]] = {row: [] for row in rows}
    for tried, name in enumerate(names):
        for row in search.undone_by((name,), rows):
            alone[row].append(name)
        if progress is not None:
            progress(tried + 1, len(names))
    causes = {row: Cause(tuple(found), ALL if len(found) == 1 else ANY) for row, found in alone.items() if found}
    rest = [row for row in rows if row not in causes]
    together = search.undone_by(names, rest) if len(names) > 1 else []
    for undo, found_rows in _reduced(search, names, together).items():
        causes.update(dict.fromkeys(found_rows, Cause(undo, ALL)))
    return [causes.get(row, UNATTRIBUTED) for row in rows]


def _reduced(search: _Search, names: Sequence[str], rows: list[int]) -> dict[tuple[str, ...], list[int]]:
    """The changes to undo together -> the flows of `rows` for which none of them can be left out."""
    sets = {tuple(names): rows} if rows else {}
    done: dict[tuple[str, ...], list[int]] = {}
    while sets:
        smaller: dict[tuple[str, ...], list[int]] = {}
        for undo, those in sets.items():
            for less, left in _tried(search, undo, those).items():
                (done if less == undo else smaller).setdefault(less, []).extend(left)
        sets = smaller  # what could not be left out at first may be now that others are
    return done


def _tried(search: _Search, undo: tuple[str, ...], rows: list[int]) -> dict[tuple[str, ...], list[int]]:
    """What remains of `undo` after each name was left out in turn where that keeps the flow undone."""
    sets = {undo: rows}
    for name in undo:
        smaller: dict[tuple[str, ...], list[int]] = {}
        for each, those in sets.items():
            less = tuple(other for other in each if other != name)
            still = set(search.undone_by(less, those)) if less else set()
            for row in those:
                smaller.setdefault(less if row in still else each, []).append(row)
        sets = smaller
    return sets


class _Search:
    """Judges flows with changes undone."""

    def __init__(
        self, flows: pl.DataFrame, category: pl.Series, before: pl.DataFrame, changes: Changes, threads: int | None
    ) -> None:
        self._flows, self._category, self._before = flows, category, before
        self._changes, self._threads = changes, threads
        self._after = changes.network_without(())

    def undone_by(self, names: Sequence[str], rows: list[int]) -> list[int]:
        """Those of `rows` that undoing `names` undoes."""
        if not rows:
            return []
        network = self._changes.network_without(names)
        if network == self._after:  # what changes tags only
            return []
        flows = self._flows[rows]
        again = judge(network, flows, threads=self._threads)
        again = settled(again, variants_without(self._changes, names), flows, threads=self._threads)
        same = undone(self._category[rows], self._before[rows], again)
        return [row for row, is_undone in zip(rows, same, strict=True) if is_undone]
