"""Tables of flows judged as columns of codes: the fast writing of `Evaluator.evaluate` over files, which it must equal.

For tables of addresses as text, whose other columns are text or numbers; tables with columns of other types (times,
lists, addresses as numbers) go through frames.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from . import kernels
from . import logkernels as k
from .columns import flows_between
from .evaluate import empty_verdicts
from .pipeline_summary import Summary
from .pipeline_verdicts import VerdictColumns, columns_of, count_outcomes, cut_verdicts, traffic
from .schema import VERDICT_COLUMNS
from .sources.flowlogs import AS_IT_IS, column_dtype
from .sources.flows import TABLE_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

    from .columns import Addresses
    from .evaluate import Evaluator
    from .pipeline_parquet import Column
    from .sources.groups import RowGroup


def group_types(columns: Mapping[str, pl.DataType]) -> dict[str, str] | None:
    """The types of these columns of tables in row groups; None if they do not fit in there."""
    import polars as pl

    others = {pl.String(): AS_IT_IS, pl.Int32(): "int32", pl.Int64(): "int64"}
    types: dict[str, str] = {}
    for name, dtype in columns.items():
        kind = TABLE_TYPES.get(name)
        found = kind if kind and column_dtype(kind) == dtype else others.get(dtype) if kind is None else None
        if found is None or name == "log_status":  # row groups leave out records of intervals without traffic
            return None
        types[name] = found
    return types


class TableJudge:
    """Judges row groups of tables of flows; holds the space it works in. Not for several threads at once."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._numbers = {name: number for number, name in enumerate(evaluator.compiled.interface_ids)}
        self._verdicts = VerdictColumns(evaluator, VERDICT_COLUMNS)
        self._out = empty_verdicts(0)

    def another(self) -> TableJudge:
        """One for another thread: what there is to know of the network is shared, the space to work in is not."""
        other = copy(self)
        other._out = empty_verdicts(0)
        return other

    def start_part(self) -> None:
        """Nothing is remembered from one part to the next."""

    def judge(self, group: RowGroup) -> tuple[Mapping[str, Column], Summary]:
        """The columns of the group with the verdict columns, and what they add to the summary."""
        if group.rows > self._out.verdict.size:
            self._out = empty_verdicts(group.rows)
        self._evaluator.evaluate_columns(self._flows(group), threads=1, out=self._out)
        out = cut_verdicts(self._out, group.rows)
        whole = out._replace(rules=self._out.rules)  # the same kind of array for every group: compiled once
        outcomes = count_outcomes(whole, np.zeros(0, np.int32), *traffic(group), np.zeros(0, np.int64))
        return columns_of(group) | self._verdicts.columns(out), Summary.of_columns(outcomes, {}, {}, {}, group.rows, 0)

    def _flows(self, group: RowGroup) -> kernels.Flows:
        import polars as pl

        numbers: dict[str, Any] = {name: group.numbers(name) for name in ("srcport", "dstport", "protocol")}
        for name in ("icmp_type", "icmp_code"):
            if name in group.columns.types:
                values = group.numbers(name)
                numbers[name] = pl.Series(values).set(pl.Series(values == k.MISSING), None)
        source, destination = _addresses(group, "srcaddr"), _addresses(group, "dstaddr")
        return flows_between(source, destination, pl.DataFrame(numbers), self._interfaces(group))

    def _interfaces(self, group: RowGroup) -> NDArray[np.int32]:
        """As `columns.flows_of` gives them: -1 not given, -2 not described, empty if no row gives one."""
        codes = group.codes("src_interface_id")
        if not group.count("src_interface_id") or (codes < 0).all():
            return np.zeros(0, np.int32)
        numbers = [self._numbers.get(name, -2) for name in group.strings("src_interface_id")]
        return np.array([*numbers, -1], np.int32)[codes]


def _addresses(group: RowGroup, name: str) -> Addresses:
    """The addresses of a column of words, each of which is read once."""
    offsets, data = group.words(name)
    count = len(offsets) - 1
    ipv4, ipv6 = np.zeros(count + 1, np.uint32), np.zeros((count + 1, 2), np.uint64)
    family = np.zeros(count + 1, np.uint8)  # the last one is of those without
    for array in (offsets, data):
        array.flags.writeable = False
    kernels.read_addresses(offsets, data, ipv4[:count], ipv6[:count], family[:count])
    codes = group.codes(name)
    found = family[codes]
    if (found == 4).all():
        return ipv4[codes], None, None
    return ipv4[codes], ipv6[codes] if (found == 6).any() else None, found


__all__ = ["TableJudge", "group_types"]
