"""Verdicts of a compiled network as columns of codes for a Parquet dataset, and their sums; no names are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import kernels
from . import logkernels as k
from .pipeline_parquet import Few, Numbers, Words
from .pipeline_summary import Outcome, Tally
from .schema import (
    DIRECTIONS,
    INITIATORS,
    PATHS,
    REASONS,
    RECORD_PLACES,
    RULE_STAGES,
    STAGES,
    VERDICTS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from .evaluate import Evaluator
    from .pipeline_parquet import ByRow
    from .schema import Column as Described
    from .sources.groups import RowGroup

_WORDS: Mapping[str, tuple[str, ...]] = {
    "enum VERDICTS": VERDICTS,
    "enum REASONS": REASONS,
    "enum STAGES": STAGES,
    "enum PATHS": PATHS,
    "enum DIRECTIONS": DIRECTIONS,
    "enum INITIATORS": INITIATORS,
    "enum RECORD_PLACES": RECORD_PLACES,
}
_CODES = ("verdict", "forward", "reply", "reason", "stage", "path", "src_interface", "dst_interface")


class VerdictColumns:
    """The columns of verdicts of one compiled network, for row groups of any size."""

    def __init__(self, evaluator: Evaluator, described: Iterable[Described]) -> None:
        compiled = evaluator.compiled
        self._balanced = bool(evaluator.network.load_balancers)
        found: dict[str, Sequence[str]] = {c.name: _WORDS[c.type] for c in described if c.type in _WORDS}
        found["src_interface"] = found["dst_interface"] = compiled.interface_ids
        for name in RULE_STAGES:
            kind = "group_rules" if "_sg_" in name else "acl_rules" if "_acl_" in name else "routes"
            found[name] = getattr(compiled, kind)
        lists = {id(words): words for words in found.values()}  # eight columns share three
        names = {place: Names(words) for place, words in lists.items()}
        self.names = {name: names[id(words)] for name, words in found.items()}

    def named(self, codes: Mapping[str, NDArray[Any]]) -> dict[str, ByRow]:
        """Columns of names, from the codes of each."""
        return {name: Words(values, self.names[name].words, self.names[name].count) for name, values in codes.items()}

    def columns(self, out: kernels.Verdicts) -> dict[str, ByRow]:
        """`schema.VERDICT_COLUMNS` of these verdicts."""
        rules = {name: out.rules[row] for row, name in enumerate(RULE_STAGES)}
        columns = self.named({name: getattr(out, name) for name in _CODES} | rules)
        columns["blocked_by"] = Few(out.blocked_by)
        for name in kernels.COUNTS if self._balanced else ():  # no load balancer: a column that is not given is null
            columns[name] = Numbers(nullable(getattr(out, name), kernels.NULL16))
        return columns


class Names:
    """Words that codes of the compiled network stand for, as Arrow offsets and bytes."""

    def __init__(self, words: Sequence[str]) -> None:
        encoded = [word.encode() for word in words]
        self.count, self._words = len(encoded), words
        self._offsets = np.concatenate([[0], np.cumsum([len(word) for word in encoded])]).astype(np.int64)
        self._data = np.frombuffer(b"".join(encoded) + bytes(k.PADDING), np.uint8)

    def words(self, used: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Those of the codes in use."""
        offsets = np.empty(len(used) + 1, np.int64)
        data = np.zeros(int((self._offsets[used + 1] - self._offsets[used]).sum()) + k.PADDING, np.uint8)
        k.copy_words(self._offsets, self._data, used, offsets, data)
        return offsets, data

    def series(self, codes: NDArray[Any]) -> pl.Series:
        """The words of a few codes, null where there is none."""
        import polars as pl

        return pl.Series([self._words[code] if code < self.count else None for code in codes.tolist()], dtype=pl.String)


def columns_of(group: RowGroup) -> dict[str, ByRow]:
    """The columns that were read."""
    columns: dict[str, ByRow] = {name: Numbers(group.numbers(name)) for name in group.columns.numbers}
    for name in group.columns.words:
        columns[name] = Words(group.codes(name), lambda used, name=name: group.words(name, used), group.count(name))
    return columns


def count_outcomes(
    out: kernels.Verdicts, which: NDArray[np.int32], packets: NDArray[np.int64], size: NDArray[np.int64],
    weights: NDArray[np.int64],
) -> dict[Outcome, Tally]:  # fmt: skip
    """The sums of verdicts by what became of the flows. `which`: the verdict of each row; empty if each has its own.
    `packets`, `size`: empty where not known; `weights`: of each row, empty for one."""
    counts = np.zeros((len(VERDICTS) * (len(REASONS) + 1) * (len(STAGES) + 1), 5), np.int64)
    places = np.empty(out.verdict.size, np.int64)
    k.place_outcomes(out, len(REASONS), len(STAGES), places)
    k.count_outcomes(places, which, packets, size, weights, counts)
    outcomes: dict[Outcome, Tally] = {}
    for place in np.flatnonzero(counts[:, 0]).tolist():
        rest, stage = divmod(place, len(STAGES) + 1)
        verdict, reason = divmod(rest, len(REASONS) + 1)
        flows, *halves = counts[place].tolist()
        outcome = VERDICTS[verdict], REASONS[reason - 1] if reason else None, STAGES[stage - 1] if stage else None
        outcomes[outcome] = Tally(flows, halves[0] + (halves[1] << 32), halves[2] + (halves[3] << 32))
    return outcomes


def traffic(group: RowGroup) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Packets and bytes of each row; empty where they were not read."""
    empty = np.zeros(0, np.int64)
    packets, size = (group.numbers(name) if name in group.columns.types else empty for name in ("packets", "bytes"))
    return packets, size


def cut_verdicts(out: kernels.Verdicts, rows: int) -> kernels.Verdicts:
    """The first `rows` rows."""
    return out._replace(**{
        name: array[:, :rows] if array.ndim == 2 else array[:rows] for name, array in out._asdict().items()
    })  # fmt: skip


def nullable(values: NDArray[Any], null: int) -> NDArray[np.int64]:
    """The numbers, logkernels.MISSING for `null`."""
    wide = values.astype(np.int64)
    wide[values == null] = k.MISSING
    return wide
