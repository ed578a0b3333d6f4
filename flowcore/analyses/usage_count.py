"""Counting for `usage`: flows and log records judged once, and added up at the sets of rules their cells name.

Every row of a table counts at all its stages. A log record counts at the stages of the interface it was logged at; at
those of the other end only if that interface has no records of its own (docs/usage.md). The sums do not depend on the
order, the batches or the threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from .. import usagekernels as uk
from ..columns import flows_of
from ..compile_usage import UsagePlan
from ..errors import FlowError
from ..evaluate import Evaluator, empty_verdicts
from ..pipeline_columns import ColumnJudge, _inputs
from ..pipeline_parts import _parts
from ..pipeline_run import GROUP_ROWS, Progress
from ..schema import PATHS, VERDICTS
from ..sources.groups import GroupColumns, GroupReader, RowGroup
from ..sources.intake import ReadCounts, Rejects
from ..threads import together
from .usage_hits import add_sums, empty_sums
from .usage_untold import Owners, Untold, empty_untold, grain_of, larger_untold

if TYPE_CHECKING:
    import polars as pl

    from ..kernels import Verdicts
    from ..sources.flows import FlowFile, FlowReader
    from .usage_needs import Needs

Array = npt.NDArray[Any]

#: Columns of flow logs that judging and counting need.
_USED = frozenset(
    {
        "interface_id", "interface_type", "tgw_id", "srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "srcport",
        "dstport", "protocol", "flow_direction", "tcp_flags", "action", "reject_reason", "log_status", "packets",
        "bytes", "records", "start", "end", "first", "last",
    }
)  # fmt: skip
_WANTED = frozenset({"account_id", "region"})

_NOTHING = np.zeros(0, np.int64)
_NOTHING.flags.writeable = False

#: Total -> the names it may come under in a table, the first that is there counts.
TABLE_TOTALS: dict[str, tuple[str, ...]] = {
    "records": ("records",),
    "packets": ("packets",),
    "bytes": ("bytes",),
    "first": ("first", "first_seen", "start"),
    "last": ("last", "last_seen", "end"),
}

#: At the source, or not: the packets of a conversation at an end: (is it the reply, does it leave, what asks it).
_PACKETS: dict[bool, tuple[tuple[bool, bool, tuple[tuple[int, int], ...]], ...]] = {
    True: (
        (False, True, ((uk.SG_OUT, uk.OPENING), (uk.ACL_OUT, uk.ENTRY), (uk.ROUTE, uk.ROUTED))),
        (True, False, ((uk.REPLY_ACL_IN, uk.ENTRY),)),
    ),
    False: (
        (False, False, ((uk.SG_IN, uk.OPENING), (uk.ACL_IN, uk.ENTRY))),
        (True, True, ((uk.REPLY_ACL_OUT, uk.ENTRY), (uk.REPLY_ROUTE, uk.ROUTED))),
    ),
}


class Counter:
    """Sums of one network. `add_table` and `add_logs` in any order; then ask for what is public here."""

    def __init__(self, plan: UsagePlan, *, threads: int | None = None, needs: Needs | None = None) -> None:
        self.plan = plan
        self.evaluator = Evaluator(plan.network, plan.compiled)
        self.threads = threads or os.cpu_count() or 1
        self.needs = needs
        self.sums = empty_sums(int(plan.start[-1]))
        self.seen = np.zeros(len(plan.compiled.interface_ids) + 1, np.uint8)
        """uint8[interfaces]: 1 where it has log records of its own."""
        self.logged = np.zeros((2, self.seen.size), np.uint8)
        """uint8[2, interfaces]: 1 where it has records that AWS logged as ACCEPT, as REJECT."""
        self.away = _empty_marks(int(plan.start[-1]))
        """int64[sums, 2]: records of other interfaces that came by, however many the rule's own has; the last."""
        self.coverage = np.zeros((3, len(VERDICTS)), np.int64)
        """Log records at no end, at an end, not judged; by verdict."""
        self.tables = np.zeros(len(VERDICTS), np.int64)
        """Rows of tables by verdict."""
        self.actions = np.zeros(2, np.int64)
        """Log records that AWS logged as ACCEPT and as REJECT."""
        self.table_paths = np.zeros(len(PATHS), np.int64)
        self.counts = ReadCounts()
        self.first, self.last = uk.NO_FIRST, uk.MISSING
        self._lock = threading.Lock()
        self._out: Verdicts | None = None
        self._known = np.zeros((1 << 16, 2), np.uint64)
        self._n_known = 0
        self.seeds = np.frombuffer(os.urandom(16), np.uint64)
        self._far = _empty_far(1 << 10)
        self._untold, self._n_untold = empty_untold(1 << 10), 0

    # -- tables of flows -----------------------------------------------------------------------------------

    def add_table(self, frame: pl.DataFrame) -> None:
        """Adds flows, each row one."""
        if not frame.height:
            return
        flows = flows_of(frame, self.plan.compiled.interface_ids, self.threads)
        rows = frame.height
        if self._out is None or self._out.verdict.size < rows:
            self._out = empty_verdicts(rows)
        out = self.evaluator.evaluate_columns(flows, threads=self.threads, out=self._out)
        totals = _table_totals(frame)
        counted = np.zeros((self.sums.shape[0], 4), np.int64)
        uk.count_flows(out.rules, rows, self.plan.start, counted)
        self.sums[:, uk.FLOWS] += counted.sum(axis=1)
        if any(column.size for column in totals):
            forward_only = totals._replace(packets=_NOTHING, bytes=_NOTHING)
            uk.add_flows(out.rules, rows, self.plan.start, totals, forward_only, self.sums)
        else:
            self.sums[:, uk.RECORDS] += counted.sum(axis=1)
        self.tables += np.bincount(out.verdict[:rows], minlength=len(VERDICTS))[: len(VERDICTS)]
        self.table_paths += np.bincount(out.path[:rows], minlength=256)[: len(PATHS)]
        self._note_times(totals)
        unknown = np.flatnonzero(out.verdict[:rows] == uk.UNKNOWN)
        if unknown.size:
            self._add_unknown(flows, out, unknown, totals)
        if self.needs is not None:
            self.needs.add(flows, out.rules[:, :rows], totals, None)

    def _add_unknown(self, flows: kernels.Flows, out: Verdicts, unknown: Array, totals: uk.Totals) -> None:
        """Notes what undecided flows may have needed at the stages that their verdicts do not name."""
        some, nothing = _taken(flows, unknown), out.rules[:, unknown] == kernels.NULL32
        source = self._owners.at(some, out.src_interface[unknown], of_source=True)
        destination = self._owners.at(some, out.dst_interface[unknown], of_source=False)
        inside = np.isin(destination[0], source[0])
        for at_source, (rows, interfaces, public) in ((True, source), (False, destination)):
            # A sender of this network reaches a public address with another address than its own (IG-11).
            anywhere = np.zeros(rows.size, np.bool_) if at_source else public & inside
            for is_reply, egress, stages in _PACKETS[at_source]:
                needs = np.zeros(rows.size, np.uint8)
                for stage, need in stages:
                    needs |= np.where(nothing[stage, rows], np.uint8(need), np.uint8(0))
                needs |= np.where(anywhere & (needs != 0), np.uint8(uk.ANYWHERE), np.uint8(0))
                self._note_packets(
                    _taken(some, rows), needs, interfaces, egress, is_reply, _part(totals, unknown[rows])
                )

    def _note_packets(
        self, flows: kernels.Flows, needs: Array, interfaces: Array, egress: bool, is_reply: bool, totals: uk.Totals
    ) -> None:
        size = needs.size
        table = _UntoldPart(self.grain)
        table.add(
            _inputs(flows), needs, interfaces, np.full(size, egress, np.uint8), np.full(size, is_reply, np.uint8),
            np.full(size, -1, np.int32), totals,
        )  # fmt: skip
        self._merge_untold(table)

    def _merge_untold(self, part: _UntoldPart) -> None:
        while 3 * (self._n_untold + part.used) > 2 * self._untold.key.shape[0]:
            self._untold = larger_untold(self._untold)
        self._n_untold += uk.move_untold(part.table, self._untold)

    @cached_property
    def grain(self) -> uk.Grain:
        """How fine it is kept."""
        return grain_of(self.plan, exact=self.needs is not None)

    @cached_property
    def _owners(self) -> Owners:
        return Owners(self.plan)

    def untold(self) -> Untold:
        """What could not be laid on a rule."""
        return Untold(self.plan, self._untold)

    # -- flow logs -----------------------------------------------------------------------------------------

    def add_files(self, reader: FlowReader, progress: Callable[[Progress], None] | None = None) -> None:
        """Adds everything a reader finds: tables first, then flow logs and digests, on threads."""
        started, files = perf_counter(), reader.files()
        sizes = sum(file.identity.size for file in files)
        tables = [file for file in files if file.kind == "table"]
        own = reader.of(tables, ReadCounts())
        for batch in own:
            self.add_table(batch.frame)
        self._add_counts(own.counts)
        self._add_counts(reader.counts)
        logs = sorted((file for file in files if file.kind == "log"), key=lambda file: str(file.path))
        done = sum(file.identity.size for file in tables)

        def told(part: Sequence[FlowFile]) -> None:
            nonlocal done
            done += sum(file.identity.size for file in part)
            if progress is not None:
                numbers = self.counts.lines, self.counts.records, self.counts.files
                progress(Progress(*numbers, done, sizes, perf_counter() - started))

        if logs:
            self._add_logs(logs, reader, told)

    def _add_logs(self, logs: Sequence[FlowFile], reader: FlowReader, told: Callable[[Any], None]) -> None:
        todo = iter(list(_parts(logs)))
        types: dict[str, str] = {}
        for file in logs:
            types.update({name: kind for name, kind in file.types.items() if name in file.columns})
        used = _USED | _WANTED if reader.wanted else _USED
        kept = {name: kind for name, kind in types.items() if name in used}

        def work() -> None:
            rejects = Rejects(ReadCounts())
            groups = GroupReader(GroupColumns(kept), ReadCounts(), rejects, wanted=reader.wanted, group_rows=GROUP_ROWS)
            part = _LogPart(self)
            while (files := self._next(todo)) is not None:
                groups.counts = ReadCounts()
                groups.rejects = Rejects(groups.counts)
                groups.rejects.send_to(_forget)
                part.judge.start_part()
                for group in groups.read(files):
                    part.add(group)
                self._add_counts(groups.counts)
                told(files)
            part.finish()

        together(work, min(self.threads, len(logs)))

    def _next(self, todo: Iterable[Any]) -> Any:
        with self._lock:
            return next(iter(todo), None)

    def _add_counts(self, counts: ReadCounts) -> None:
        with self._lock:
            for name in ("files", "lines", "records", "outside", "rejected", "damaged_files"):
                setattr(self.counts, name, getattr(self.counts, name) + getattr(counts, name))
            for name in ("nodata", "skipdata", "unknown_fields"):
                getattr(self.counts, name).update(getattr(counts, name))

    def new_conversations(self, keys: Array, own: Array, far: Array) -> tuple[Array, Array]:
        """Of each record the stages, own and far, that its conversation is counted at for the first time."""
        new_own, new_far = np.zeros(own.size, np.uint16), np.zeros(own.size, np.uint16)
        with self._lock:
            row = 0
            while True:
                row, self._n_known = uk.note_conversations(
                    keys, own, far, self._known, row, self._n_known, new_own, new_far
                )
                if row == own.size:
                    return new_own, new_far
                larger = np.zeros((2 * self._known.shape[0], 2), np.uint64)
                uk.move_conversations(self._known, larger)
                self._known = larger

    def merge(self, sums: Array, far: uk.Far, coverage: Array, actions: Array, times: tuple[int, int]) -> None:
        """Adds what one thread found."""
        with self._lock:
            self.actions += actions
            add_sums(self.sums, sums)
            self.coverage += coverage
            need = 3 * (int((far.key != 0).sum()) + int((self._far.key != 0).sum())) // 2 + 64
            while self._far.key.size < need:
                larger = _empty_far(2 * self._far.key.size)
                uk.move_far(self._far, larger)
                self._far = larger
            uk.move_far(far, self._far)
            self.first, self.last = min(self.first, times[0]), max(self.last, times[1])

    def merge_beside(self, away: Array, untold: _UntoldPart) -> None:
        """Adds what one thread found that is not counted at rules."""
        with self._lock:
            self.away[:, 0] += away[:, 0]
            np.maximum(self.away[:, 1], away[:, 1], out=self.away[:, 1])
            self._merge_untold(untold)

    def _note_times(self, totals: uk.Totals) -> None:
        first, last = totals.first[totals.first != uk.MISSING], totals.last[totals.last != uk.MISSING]
        self.first = min(self.first, int(first.min(initial=uk.NO_FIRST)))
        self.last = max(self.last, int(last.max(initial=uk.MISSING)))

    def far_sums(self) -> Array:
        """Sums of what was seen from the other end, for interfaces that have no records of their own."""
        found = empty_sums(int(self.plan.start[-1]))
        used = np.flatnonzero(self._far.key)
        interfaces, places = (self._far.key[used] - 1) >> 32, (self._far.key[used] - 1) & 0xFFFFFFFF
        kept = self.seen[interfaces] == 0
        for column in range(uk.FIRST):
            np.add.at(found[:, column], places[kept], self._far.sums[used[kept], column])
        np.minimum.at(found[:, uk.FIRST], places[kept], self._far.sums[used[kept], uk.FIRST])
        np.maximum.at(found[:, uk.LAST], places[kept], self._far.sums[used[kept], uk.LAST])
        return found


class _UntoldPart:
    """What one thread could not lay on a rule."""

    def __init__(self, grain: uk.Grain) -> None:
        self._grain = grain
        self.table, self.used = empty_untold(1 << 8), 0

    def add(
        self, flows: kernels.Flows, needs: Array, interfaces: Array, directions: Array, swapped: Array, actions: Array,
        totals: uk.Totals,
    ) -> None:  # fmt: skip
        """Notes what each packet may have needed, see usagekernels."""
        row = 0
        while row < needs.size:
            row, self.used = uk.add_untold(
                flows, needs, interfaces, directions, swapped, actions, self._grain, totals, self.table, self.used, row
            )
            if row < needs.size:
                self.table = larger_untold(self.table)


class _LogPart:
    """What one thread adds up of flow logs."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.judge = ColumnJudge(counter.evaluator)
        self._sums = empty_sums(counter.sums.shape[0])
        self._far = _empty_far(1 << 10)
        self._away = _empty_marks(counter.sums.shape[0])
        self._untold = _UntoldPart(counter.grain)
        self._coverage, self._actions = np.zeros_like(counter.coverage), np.zeros(2, np.int64)
        self._times = uk.NO_FIRST, uk.MISSING

    def add(self, group: RowGroup) -> None:
        """Adds a row group."""
        counter, start = self._counter, self._counter.plan.start
        found, flows, out, _, agrees = self.judge.judged(group)
        rows, actions = group.rows, group.codes("action")
        own, far, away = (np.empty(rows, np.uint16) for _ in range(3))
        at, needs = np.empty(rows, np.uint8), np.empty(rows, np.uint8)
        uk.place_records(
            found.swapped, found.direction, found.unjudged, found.number, actions, out.src_interface,
            out.dst_interface, counter.seen, counter.logged, own, far, away, at,
        )  # fmt: skip
        rules, keys = np.ascontiguousarray(out.rules), np.empty((rows, 2), np.uint64)
        conversations = _inputs(flows)
        uk.conversation_keys(conversations, rules, out.src_interface, out.dst_interface, counter.seeds, keys)
        new_own, new_far = counter.new_conversations(keys, own, far)
        totals = _log_totals(group)
        uk.add_records(rules, start, totals, own, new_own, self._sums)
        uk.add_away(rules, start, away, totals, self._away)
        if uk.find_untold(found, conversations, out.verdict, rules, own, at, actions, agrees, needs):
            self._untold.add(conversations, needs, found.number, found.direction, found.swapped, actions, totals)
        row = 0
        while row < rows:
            row = uk.add_far(
                rules, start, totals, far, new_far, at, out.src_interface, out.dst_interface, counter.seen,
                self._far, row,
            )  # fmt: skip
            if row < rows:
                larger = _empty_far(2 * self._far.key.size)
                uk.move_far(self._far, larger)
                self._far = larger
        uk.add_coverage(out.verdict, found.unjudged, at, totals.records, self._coverage)
        self._actions += np.bincount(actions + 1, minlength=3)[1:3]
        first, last = totals.first[totals.first != uk.MISSING], totals.last[totals.last != uk.MISSING]
        self._times = (
            min(self._times[0], int(first.min(initial=uk.NO_FIRST))),
            max(self._times[1], int(last.max(initial=uk.MISSING))),
        )
        if counter.needs is not None:
            counter.needs.add(conversations, rules, totals, own)

    def finish(self) -> None:
        """Gives what was added to the counter."""
        self._counter.merge(self._sums, self._far, self._coverage, self._actions, self._times)
        self._counter.merge_beside(self._away, self._untold)


def _forget(frame: pl.DataFrame) -> None:
    """Rejected lines are counted, not kept."""


def _frozen(values: Array) -> Array:
    """Contiguous and read-only: one kind of array, so that no kernel is compiled twice."""
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view


def _empty_marks(size: int) -> Array:
    marks = np.zeros((size, 2), np.int64)
    marks[:, 1] = uk.MISSING
    return marks


def _taken(flows: kernels.Flows, rows: Array) -> kernels.Flows:
    return kernels.Flows(*(column.take(rows, axis=0) if len(column) else column for column in flows))


def _part(totals: uk.Totals, rows: Array) -> uk.Totals:
    return uk.Totals(*(_frozen(column[rows]) if column.size else column for column in totals))


def _empty_far(size: int) -> uk.Far:
    return uk.Far(np.zeros(size, np.int64), np.zeros((size, uk.SUM_WIDTH), np.int64))


def _log_totals(group: RowGroup) -> uk.Totals:
    """What the records stand for."""
    has = group.columns.types

    def column(*names: str) -> Array:
        found = [group.numbers(name) for name in names if name in has]
        if not found:
            return _NOTHING
        values = found[0]
        for other in found[1:]:
            values = np.where(values == uk.MISSING, other, values)
        return _frozen(values)

    records = column("records")
    if records.size:
        records = _frozen(np.where(records == uk.MISSING, 1, records))
    return uk.Totals(records, column("packets"), column("bytes"), column("first", "start"), column("last", "end"))


def _table_totals(frame: pl.DataFrame) -> uk.Totals:
    """What the rows of a table stand for; values that are no numbers count as missing."""
    import polars as pl

    def column(name: str) -> Array:
        found = next((each for each in TABLE_TOTALS[name] if each in frame.columns), None)
        if found is None:
            return _NOTHING
        values = frame[found]
        if values.dtype in (pl.Datetime, pl.Date):
            values = values.dt.epoch("s")
        elif not (values.dtype.is_numeric() or values.dtype in (pl.String, pl.Null)):
            raise FlowError("the column has an unusable type", where=found, found=str(values.dtype), expected="numbers")
        values = values.cast(pl.Int64, strict=False).fill_null(1 if name == "records" else uk.MISSING)
        return _frozen(values.to_numpy())

    return uk.Totals(*(column(name) for name in TABLE_TOTALS))
