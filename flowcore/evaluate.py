"""Flows in, verdicts out: the one door between tables of columns and the kernels.

Everything is checked and converted here, once per batch; the kernels only loop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import kernels as k
from .columns import flows_of
from .compile import CompiledNetwork, compile_tables
from .model import Network
from .schema import PATHS, REASONS, RULE_STAGES, STAGES, VERDICTS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

PART = 1 << 16
"""Flows a thread takes at a time."""

_ENUMS = {"verdict": VERDICTS, "forward": VERDICTS, "reply": VERDICTS, "reason": REASONS, "stage": STAGES, "path": PATHS}


def compile_network(network: Network) -> Evaluator:
    """An Evaluator of `network`. Do it once; seconds for 10,000 interfaces and 100,000 rules."""
    return Evaluator(network, compile_tables(network))


@dataclass(frozen=True)
class Evaluator:
    """A compiled network: judges batches of flows. Pure and thread-safe; make it with `compile_network`."""

    network: Network
    compiled: CompiledNetwork

    def __repr__(self) -> str:
        return f"<Evaluator of {self.network!r}: {self.compiled.nbytes / 2**20:.1f} MiB of tables>"

    def evaluate(self, flows: Any, *, threads: int | None = None) -> pl.DataFrame:
        """The flows with their verdicts: same rows, same order, `schema.VERDICT_COLUMNS` added.

        `flows`: a polars DataFrame, or anything with Arrow's C stream or table interface, with the columns
        `srcaddr, dstaddr, srcport, dstport, protocol` (addresses as text, IPv4 as integers, or 4/16 bytes; protocol as number or name), optionally
        `src_interface_id, icmp_type, icmp_code`; other columns are kept, columns named like a verdict column are replaced.
        Values that cannot be read give UNKNOWN(INVALID_FLOW). `threads`: default all processors.
        Raises FlowError for a missing column or a column of an unusable type.
        """
        import polars as pl

        from .columns import as_frame

        frame = as_frame(flows)
        verdicts = self.evaluate_columns(flows_of(frame, self.compiled.interface_ids), threads=threads)
        added = []
        for name, categories in _ENUMS.items():
            added.append(_enum(name, getattr(verdicts, name), categories))
            if name == "stage":
                added.append(pl.Series("blocked_by", verdicts.blocked_by))
        for name, codes, labels in self._labelled(verdicts):
            added.append(_enum(name, codes, labels))
        return frame.with_columns(added)

    def evaluate_arrow(self, flows: Any, *, threads: int | None = None) -> pa.Table:
        """The same as `evaluate` as an Arrow table; names are dictionary arrays made without a copy of the codes."""
        import pyarrow as pa

        from .columns import as_frame

        frame = as_frame(flows)
        verdicts = self.evaluate_columns(flows_of(frame, self.compiled.interface_ids), threads=threads)
        table = frame.to_arrow()
        added: dict[str, Any] = {}
        for name, categories in _ENUMS.items():
            added[name] = _dictionary(getattr(verdicts, name), categories)
            if name == "stage":
                added["blocked_by"] = pa.array(verdicts.blocked_by)
        for name, codes, labels in self._labelled(verdicts):
            added[name] = _dictionary(codes, labels)
        kept = [name for name in table.column_names if name not in added]
        columns = {**{name: table.column(name) for name in kept}, **added}
        return pa.table(columns)

    def evaluate_columns(self, flows: k.Flows, *, threads: int | None = None) -> k.Verdicts:
        """Verdict codes of columns of integers: the kernels' own form, without names (see kernels.Verdicts)."""
        count = flows.protocol.size
        out = empty_verdicts(count)
        parts = [(start, min(start + PART, count)) for start in range(0, count, PART)]
        workers = min(threads or os.cpu_count() or 1, len(parts))
        tables = self.compiled.tables

        def judge(part: tuple[int, int]) -> None:
            k.evaluate_rows(tables, flows, out, part[0], part[1])

        if workers <= 1:
            for part in parts:
                judge(part)
        else:  # plain threads over a queue of parts: 1.9 times with two, where prange gave 0.9 to 2.1
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(judge, parts))
        return out

    def _labelled(self, verdicts: k.Verdicts) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
        yield "src_interface", verdicts.src_interface, self.compiled.interface_ids
        yield "dst_interface", verdicts.dst_interface, self.compiled.interface_ids
        for number, name in enumerate(RULE_STAGES):
            kind = "group_rules" if "sg_rule" in name else "acl_rules" if "acl_rule" in name else "routes"
            yield name, verdicts.rules[number], getattr(self.compiled, kind)


def empty_verdicts(count: int) -> k.Verdicts:
    """Columns for `count` verdicts, not yet filled."""
    small = [np.empty(count, np.uint8) for _ in range(6)]
    wide = [np.empty(count, np.uint32) for _ in range(3)]
    return k.Verdicts(*small, *wide, np.empty((8, count), np.uint32))


def _enum(name: str, codes: Any, categories: tuple[str, ...]) -> pl.Series:
    import polars as pl

    if not categories:
        return pl.Series(name, [None] * len(codes), dtype=pl.Enum([]))
    return pl.Series(name, codes).cat.to(pl.Enum(categories), strict=False)


def _dictionary(codes: Any, categories: tuple[str, ...]) -> Any:
    import pyarrow as pa

    null = np.iinfo(codes.dtype).max
    valid = codes != null
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    kind = pa.uint8() if codes.dtype == np.uint8 else pa.uint32()
    indices = pa.Array.from_buffers(kind, len(codes), [bitmap, pa.py_buffer(codes)])
    return pa.DictionaryArray.from_arrays(indices, pa.array(categories, pa.large_string()), safe=False)
