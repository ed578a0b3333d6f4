"""Running the batch job: one part after the other on each thread, and how far it is.

Logs or tables of flows judged by a compiled network go the fast way, as columns of codes; both mixed, tables with
columns of unusual types and other evaluators go through frames. Both give the same rows.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .pipeline_output import VerdictWriter
from .pipeline_records import BatchEvaluator, RecordJudge
from .pipeline_summary import Summary
from .sources.intake import ReadCounts, Rejects

if TYPE_CHECKING:
    import polars as pl

    from .pipeline_columns import ColumnJudge
    from .pipeline_parts import PartFolder
    from .pipeline_tables import TableJudge
    from .sources.flows import FlowFile, FlowReader
    from .sources.groups import GroupReader, RowGroup

#: Log records judged together: who opened a conversation is looked for in such a group and those before it in its part.
GROUP_ROWS = 1 << 18


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: lines, records and files read, bytes of input of so many, after so many seconds."""

    lines: int
    records: int
    files: int
    bytes: int
    bytes_total: int
    seconds: float

    @property
    def rate(self) -> float:
        """Records per second."""
        return self.records / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """What the rest will take at the pace so far; None where nothing can be said."""
        return self.seconds * (self.bytes_total - self.bytes) / self.bytes if self.bytes else None


@dataclass
class _Reading:
    """How far the reading of some files is."""

    counts: ReadCounts
    sizes: Sequence[int]
    is_whole: bool = False

    @property
    def bytes(self) -> int:
        """Those of the files that have been read to their end."""
        return sum(self.sizes if self.is_whole else self.sizes[: max(self.counts.files - 1, 0)])


@dataclass
class Job:
    """What all parts of a run share."""

    evaluator: BatchEvaluator
    reader: FlowReader
    columns: Mapping[str, pl.DataType]
    threads: int
    progress: Callable[[Progress], None] | None = None
    _started: float = field(default_factory=perf_counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _readings: list[_Reading] = field(default_factory=list)
    _skipped: int = 0
    _judge: ColumnJudge | TableJudge | None = None

    @cached_property
    def group_types(self) -> Mapping[str, str] | None:
        """The columns of row groups, with their types; None if the fast way is not open."""
        from .pipeline_tables import group_types

        files = self.reader.files()
        if not files or len({file.kind for file in files}) > 1 or not hasattr(self.evaluator, "evaluate_columns"):
            return None
        if files[0].kind == "table":
            return group_types(self.reader.columns())
        types: dict[str, str] = {}
        for file in files:
            types.update({name: kind for name, kind in file.types.items() if name in file.columns})
        return {name: types[name] for name in self.reader.columns() if name in types}

    def column_judge(self) -> ColumnJudge | TableJudge:
        """A judge of row groups for one thread; what it must know of the network is looked up once for all of them."""
        from .pipeline_columns import ColumnJudge
        from .pipeline_tables import TableJudge

        evaluator: Any = self.evaluator
        with self._lock:
            if self._judge is None:
                is_log = self.reader.files()[0].kind == "log"
                self._judge = ColumnJudge(evaluator) if is_log else TableJudge(evaluator)
                return self._judge
            return self._judge.another()

    def worker(self, workers: int = 1) -> Worker:
        """A worker for one thread, one of so many."""
        return FrameWorker(self) if self.group_types is None else ColumnWorker(self, self.group_types, workers)

    def write(self, files: Sequence[FlowFile], place: Path, *, overwrite: bool) -> Summary:
        """Writes all of it to one file."""
        with self.worker() as worker:
            return worker.write(files, place, overwrite=overwrite, rejects=self.reader.rejects)

    def counting(self, files: Sequence[FlowFile]) -> ReadCounts:
        """Counts for reading `files`, which count for the progress of the run."""
        counts = ReadCounts()
        with self._lock:
            self._readings.append(_Reading(counts, [file.size for file in files] if self.progress else []))
        return counts

    def counted(self, counts: ReadCounts) -> None:
        """Says that the files these counts are of have been read to their end."""
        for reading in self._readings:
            if reading.counts is counts:
                reading.is_whole = True

    def skip(self, files: Iterable[FlowFile]) -> None:
        """Counts files that an earlier run has read."""
        if self.progress:
            self._skipped += sum(file.size for file in files)

    def report(self) -> None:
        """Says how far the run is."""
        if self.progress is None:
            return
        with self._lock:
            all_counts = [reading.counts for reading in self._readings]
            total = sum(file.size for file in self.reader.files()) - self._skipped
            done = sum(reading.bytes for reading in self._readings)
            lines, records, files = (sum(getattr(c, n) for c in all_counts) for n in ("lines", "records", "files"))
            self.progress(Progress(lines, records, files, done, total, perf_counter() - self._started))


class Worker:
    """Writes parts, one at a time. A context manager."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of threads."""

    def write(
        self, files: Sequence[FlowFile], place: Path, *, overwrite: bool = True, rejects: Rejects | None = None
    ) -> Summary:
        """Writes the verdicts of `files` to the Parquet file `place`. `rejects`: what was rejected before."""
        raise NotImplementedError


class FrameWorker(Worker):
    """The way through frames."""

    def write(
        self, files: Sequence[FlowFile], place: Path, *, overwrite: bool = True, rejects: Rejects | None = None
    ) -> Summary:
        job, summary = self.job, Summary.empty()
        reader = job.reader.of(files, job.counting(files))
        with VerdictWriter(place, job.columns, overwrite=overwrite) as writer:
            if rejects is not None:
                rejects.send_to(writer.write_rejects)
            reader.rejects.send_to(writer.write_rejects)
            judge = RecordJudge(job.evaluator)
            for kind, frame in _grouped(reader):
                if kind == "log":
                    verdicts = judge.judge(frame, threads=job.threads)
                else:
                    verdicts = job.evaluator.evaluate(frame, threads=job.threads)
                summary += Summary.of(verdicts)
                writer.write(verdicts)
                job.report()
        job.counted(reader.counts)
        before = Summary.empty() if rejects is None else Summary.of_reading(job.reader.counts)
        return summary + Summary.of_reading(reader.counts) + before


def _grouped(reader: FlowReader) -> Iterator[tuple[str, pl.DataFrame]]:
    """The batches, those of logs put together to groups of GROUP_ROWS: what is found must not depend on batches."""
    import polars as pl

    waiting: list[pl.DataFrame] = []
    rows = 0
    for batch in reader:
        if batch.kind != "log":
            if rows:
                yield "log", pl.concat(waiting, how="diagonal")
            waiting, rows = [], 0
            yield batch.kind, batch.frame
            continue
        rest = batch.frame
        while rows + rest.height >= GROUP_ROWS:
            room = GROUP_ROWS - rows
            yield "log", pl.concat([*waiting, rest[:room]], how="diagonal")
            waiting, rows, rest = [], 0, rest[room:]
        if rest.height:
            waiting.append(rest)
            rows += rest.height
    if rows:
        yield "log", pl.concat(waiting, how="diagonal")


class ColumnWorker(Worker):
    """The fast way: columns of codes from the bytes of the log to the pages of Parquet."""

    def __init__(self, job: Job, types: Mapping[str, str], workers: int) -> None:
        from .sources.groups import GroupColumns, GroupReader

        super().__init__(job)
        self._types, self._ahead = types, job.threads > workers
        self._is_log = job.reader.files()[0].kind == "log"
        self._reader: GroupReader = GroupReader(
            GroupColumns(types), ReadCounts(), job.reader.rejects, wanted=job.reader.wanted if self._is_log else None,
            group_rows=GROUP_ROWS,
        )  # fmt: skip
        if self._ahead:  # there are more processors than workers
            self._reader.add_group()
        self._judge = job.column_judge()

    def _with_all_columns(self, file: FlowFile) -> FlowFile:
        """The file with the types of all its columns: in a table those that nobody asks for are kept, too."""
        return replace(file, types={name: self._types[name] for name in file.columns if name in self._types})

    def write(
        self, files: Sequence[FlowFile], place: Path, *, overwrite: bool = True, rejects: Rejects | None = None
    ) -> Summary:
        from .pipeline_output import ColumnWriter

        job, summary = self.job, Summary.empty()
        reader, counts = self._reader, job.counting(files)
        reader.counts, reader.rejects = counts, Rejects(counts)
        self._judge.start_part()
        with ColumnWriter(place, job.columns, overwrite=overwrite) as writer:
            if rejects is not None:
                rejects.send_to(writer.write_rejects)
            reader.rejects.send_to(writer.write_rejects)
            read = files if self._is_log else [self._with_all_columns(file) for file in files]
            groups: Iterator[RowGroup] = reader.read(read)
            for group in _read_ahead(groups) if self._ahead else groups:
                columns, found = self._judge.judge(group)
                summary += found
                writer.write_columns(columns, group.rows)
                job.report()
        job.counted(counts)
        before = Summary.empty() if rejects is None else Summary.of_reading(job.reader.counts)
        return summary + Summary.of_reading(counts) + before


def _read_ahead(items: Iterator[Any]) -> Iterator[Any]:
    """The items, the next one being made on a thread of its own; an item is in use until the next one is asked for."""
    asked, given = SimpleQueue[bool](), SimpleQueue[tuple[Any, BaseException | None]]()

    def work() -> None:
        try:
            for item in items:
                if not asked.get():
                    return
                given.put((item, None))
            asked.get()
            given.put((None, None))
        except BaseException as error:  # whatever it is, it belongs to the thread that waits
            asked.get()
            given.put((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            asked.put(True)
            item, error = given.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        asked.put(False)
        thread.join()


def run_parts(job: Job, folder: PartFolder, shard: tuple[int, int]) -> Summary:
    """Writes the parts of a share that are not whole yet, and what was found in all of the share.

    Whoever finds all parts of all shares whole puts the dataset in place.
    """
    if folder.finished is not None:
        folder.finish()
        return Summary.of_document(folder.finished["summary"])
    parts = folder.plan.parts
    mine = [number for number in range(len(parts)) if number % shard[1] == shard[0] - 1]
    done = {number: summary for number in mine if (summary := folder.done(number)) is not None}
    for number in done:
        job.skip(parts[number])
    todo = deque(number for number in mine if number not in done)
    failed = threading.Event()

    workers = max(min(job.threads, len(todo)), 1)

    def work() -> None:
        with job.worker(workers) as worker:
            while todo and not failed.is_set():
                try:
                    number = todo.popleft()
                except IndexError:  # another worker was faster
                    return
                try:
                    done[number] = worker.write(parts[number], folder.place(number))
                    folder.note_done(number, done[number])
                except InputError as error:
                    failed.set()
                    raise folder.outside(error) from None
                except BaseException:
                    failed.set()
                    raise

    if workers == 1:
        work()
    else:
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(work) for _ in range(workers)]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                failed.set()
                raise
    folder.keep_rejects(job.reader.rejects)
    if not folder.missing():
        folder.finish()
    return sum((done[number] for number in sorted(done)), start=Summary.empty())
