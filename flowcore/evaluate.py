"""Flows in, verdicts out: the one door between tables of columns and the kernels.

Everything is checked and converted here, once per batch; the kernels only loop.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import kernels as k
from . import kernels_long as kl
from .columns import flows_of
from .compile import CompiledNetwork, compile_tables
from .display import Displayed
from .errors import FlowError, InputError
from .interpreted import for_work
from .kernels import COUNTS, NULL16
from .kernels import empty_verdicts as _unfilled
from .model import Network
from .schema import PATHS, REASONS, RULE_STAGES, STAGES, VERDICTS
from .threads import mapped, together

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa

PART = 1 << 16
"""Flows a thread takes at a time."""

WALKS_KEPT = 1 << 18
"""Verdicts of long walks that a thread remembers: 20 MiB, once it has judged as many."""

_ENUMS = {
    "verdict": VERDICTS,
    "forward": VERDICTS,
    "reply": VERDICTS,
    "reason": REASONS,
    "stage": STAGES,
    "path": PATHS,
}
_RULES = tuple(RULE_STAGES)
#: Rule column -> where the compiled network keeps the names its numbers stand for.
_LABELS = {
    name: "group_rules" if "_sg_" in name else "acl_rules" if "_acl_" in name else "routes" for name in RULE_STAGES
}


def compile_network(network: Network) -> Evaluator:
    """An Evaluator of `network`. Do it once; seconds for 10,000 interfaces and 100,000 rules.

    Raises InputError for what is no Network.
    """
    if not isinstance(network, Network):
        hint = "flowcore.read_network(path) gives one" if isinstance(network, str | os.PathLike) else None
        raise InputError("not a network", found=type(network).__name__, expected="a Network", hint=hint)
    return Evaluator(network, compile_tables(network))


@dataclass(frozen=True)
class Evaluator(Displayed):
    """A compiled network: judges batches of flows. Pure and thread-safe; make it with `compile_network`."""

    network: Network
    compiled: CompiledNetwork

    def __repr__(self) -> str:
        return f"<Evaluator of {self.network!r}: {self.compiled.nbytes / 2**20:.1f} MiB of tables>"

    def evaluate(self, flows: Any, *, threads: int | None = None) -> pl.DataFrame:
        """The flows with their verdicts: same rows, same order, `schema.VERDICT_COLUMNS` added.

        `flows`: a polars DataFrame, or anything with Arrow's C stream or table interface, with the columns
        `srcaddr, dstaddr, srcport, dstport, protocol` (addresses as text, IPv4 as integers, or 4/16 bytes; protocol as
        number or name), optionally `src_interface_id, icmp_type, icmp_code`; other columns are kept, columns named like
        a verdict column are replaced.
        Values that cannot be read give UNKNOWN(INVALID_FLOW). `threads`: default all processors.
        Raises FlowError for a missing column or a column of an unusable type.
        """
        import polars as pl

        from .columns import as_frame

        frame = as_frame(flows)
        verdicts = self.evaluate_columns(flows_of(frame, self.compiled.interface_ids, threads), threads=threads)
        columns = {name: self._codes(verdicts, name) for name in self._enums}

        def named(name: str) -> pl.Series:
            kind = self._enums[name]
            return pl.Series(name, _narrowed(columns[name], len(kind.categories))).cat.to(kind, strict=False)

        added = mapped(named, list(self._enums), threads or os.cpu_count() or 1)
        added.insert(list(self._enums).index("path"), pl.Series("blocked_by", verdicts.blocked_by))
        added += [self._count(verdicts, name) for name in COUNTS]
        return frame.with_columns(added)

    @cached_property
    def _idle_memos(self) -> list[tuple[k.Memo, k.Verdicts, npt.NDArray[np.int64]]]:
        """Memos that no thread is using, with what this network answered before: 32 MiB each, 80 bytes a long walk."""
        return []

    @cached_property
    def _enums(self) -> dict[str, pl.Enum]:
        """Column -> its polars type, made once: a type of 100,000 names takes 20 ms."""
        import polars as pl

        kinds = {
            kind: pl.Enum(list(getattr(self.compiled, kind))) for kind in ("interface_ids", *set(_LABELS.values()))
        }
        labelled = {"src_interface": "interface_ids", "dst_interface": "interface_ids", **_LABELS}
        return {
            **{name: pl.Enum(list(categories)) for name, categories in _ENUMS.items()},
            **{name: kinds[kind] for name, kind in labelled.items()},
        }

    def evaluate_arrow(self, flows: Any, *, threads: int | None = None) -> pa.Table:
        """The same as `evaluate` as an Arrow table; names are dictionary arrays made without a copy of the codes."""
        import polars as pl
        import pyarrow as pa

        from .columns import as_frame

        frame = as_frame(flows)
        verdicts = self.evaluate_columns(flows_of(frame, self.compiled.interface_ids, threads), threads=threads)
        try:
            table = frame.to_arrow()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pl.exceptions.PolarsError) as error:
            raise FlowError(f"a column has no Arrow form: {error}", hint="cast or drop it, or use evaluate") from error
        added: dict[str, Any] = {}
        for name, categories in _ENUMS.items():
            added[name] = _dictionary(getattr(verdicts, name), categories)
            if name == "stage":
                added["blocked_by"] = pa.array(verdicts.blocked_by)
        for name in ("src_interface", "dst_interface"):
            added[name] = _dictionary(getattr(verdicts, name), self.compiled.interface_ids)
        for name, kind in _LABELS.items():
            added[name] = _dictionary(self._codes(verdicts, name), getattr(self.compiled, kind))
        for name in COUNTS:
            added[name] = self._count(verdicts, name).to_arrow()
        kept = [name for name in table.column_names if name not in added]
        columns = {**{name: table.column(name) for name in kept}, **added}
        return pa.table(columns)

    def evaluate_columns(
        self, flows: k.Flows, *, threads: int | None = None, out: k.Verdicts | None = None
    ) -> k.Verdicts:
        """Verdict codes of columns of integers: the kernels' own form, without names (see kernels.Verdicts).

        `out`: columns of at least as many rows to write into, made by `empty_verdicts`. A loop over batches that keeps
        its columns spares the operating system clearing 50 bytes a flow each time, a third of the run on some machines.
        """
        count = flows.protocol.size
        if out is None:
            out = empty_verdicts(count)
        elif out.verdict.size < count:
            raise ValueError(f"out has {out.verdict.size} rows for {count} flows")
        parts = [(start, min(start + PART, count)) for start in range(0, count, PART)]
        workers = min(threads or os.cpu_count() or 1, len(parts))
        tables, long = self.compiled.tables, self.compiled.long
        judge = for_work(k.evaluate_rows, count)
        balanced = bool(self.network.load_balancers)

        todo = iter(parts)  # next() of a list's iterator is atomic: each thread takes the next part when it is ready

        def work() -> None:
            mine = None
            for start, stop in todo:
                memo, small, walk = mine = mine or self._memos()
                judge(tables, flows, out, start, stop, memo, small)
                if balanced:
                    out.targets[start:stop] = out.reachable_targets[start:stop] = NULL16
                walked = start + np.flatnonzero(out.reason[start:stop] == k.TO_BE_WALKED)
                if walked.size:
                    if long is None:  # is_long said no: a verdict would carry the mark as its reason
                        raise RuntimeError(f"{walked.size} flows meet what this network was compiled without")
                    walk_rows = for_work(kl.walk_rows, walked.size)
                    walk_rows(tables, long, flows, walked, out, self.compiled.conversations, 2, walk)
            if mine is not None:
                self._idle_memos.append(mine)

        together(work, workers)  # plain threads over a queue of parts: 1.9 times with two, where prange gave 0.9 to 2.1
        return out

    def _memos(self) -> tuple[k.Memo, k.Verdicts, npt.NDArray[np.int64]]:
        try:
            return self._idle_memos.pop()
        except IndexError:  # all in use, or none made yet
            walk = kl.walk_scratch(WALKS_KEPT if self.compiled.long is not None else 1)
            return new_memo(), empty_verdicts(k.BLOCK), walk

    def _count(self, verdicts: k.Verdicts, name: str) -> pl.Series:
        """A column of counts; all null where there is no load balancer."""
        import polars as pl

        values = getattr(verdicts, name)
        if not self.network.load_balancers:
            return pl.repeat(None, values.size, dtype=pl.UInt16, eager=True).alias(name)
        counts = pl.Series(name, values)
        return counts.set(counts == NULL16, None)

    def _codes(self, verdicts: k.Verdicts, name: str) -> Any:
        return verdicts.rules[_RULES.index(name)] if name in _LABELS else getattr(verdicts, name)


def _narrowed(codes: Any, n_categories: int) -> Any:
    """Codes as narrow as polars keeps them (all ones, the null, stays all ones): 5 ns a value instead of 11."""
    if n_categories < 1 << 8:
        return codes.astype(np.uint8, copy=False)
    return codes.astype(np.uint16) if n_categories < 1 << 16 else codes


def empty_verdicts(count: int) -> k.Verdicts:
    """Columns for `count` verdicts, not yet filled but for the counts of targets: null where no load balancer is."""
    columns = _unfilled(count)
    columns.targets[:] = columns.reachable_targets[:] = NULL16
    return columns


def new_memo() -> k.Memo:
    """An empty memo for one thread and one network."""
    return k.Memo(
        line=_cache_lines(k.MEMO_SIZE),
        state=np.zeros(4, np.int64),
        block=np.zeros(k.SCRATCH_SIZE, np.uint32),
        key=np.zeros(2 * k.BLOCK, np.uint64),
        queue=np.zeros(k.SCRATCH_SIZE, np.uint32),
        queue_row=np.zeros(k.BLOCK, np.int64),
        queue_key=np.zeros(2 * k.BLOCK, np.uint64),
        queue_slot=np.zeros(k.BLOCK, np.uint32),
    )


def _cache_lines(count: int) -> npt.NDArray[np.uint64]:
    """uint64[8 * count], zeros, that begin where a cache line does."""
    values = np.zeros(8 * count + 7, np.uint64)
    first = -values.ctypes.data // 8 % 8
    return values[first : first + 8 * count]


def _dictionary(codes: Any, categories: tuple[str, ...]) -> Any:
    import pyarrow as pa

    null = np.iinfo(codes.dtype).max
    valid = codes != null
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    kind = pa.uint8() if codes.dtype == np.uint8 else pa.uint32()
    indices = pa.Array.from_buffers(kind, len(codes), [bitmap, pa.py_buffer(codes)])
    return pa.DictionaryArray.from_arrays(indices, pa.array(categories, pa.large_string()), safe=False)


__all__ = ["Evaluator", "compile_network", "empty_verdicts", "new_memo"]
