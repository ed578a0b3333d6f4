"""The batch job: flows and flow logs in, a verdict dataset and a summary out, in bounded memory."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from .errors import IncompleteError, InputError
from .pipeline_output import VerdictWriter, rejects_path
from .pipeline_records import BatchEvaluator, RecordJudge, judge_records
from .pipeline_summary import Summary, Tally
from .schema import LOG_VERDICT_COLUMNS, VERDICT_COLUMNS
from .sources.flows import BATCH_ROWS, FlowReader, Sources, open_flows

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from .sources.flows import FlowBatch
    from .sources.intake import ReadCounts

__all__ = ["BatchEvaluator", "Summary", "Tally", "evaluate_logs", "judge_records"]


def evaluate_logs(
    evaluator: BatchEvaluator,
    sources: Sources,
    out: str | os.PathLike[str],
    *,
    log_format: str | None = None,
    batch_rows: int = BATCH_ROWS,
    threads: int | None = None,
    max_rejected: float | None = None,
    overwrite: bool = False,
    progress: Callable[[ReadCounts], None] | None = None,
) -> Summary:
    """Judges every flow and log record in `sources`, writes the verdicts to `out` and returns what was found.

    `sources`: files, folders, globs, or a list of these, see `sources.flows.open_flows`. `out`: a `.parquet` file,
    or a folder of part files; rows in the order read, with the columns that came in and `schema.VERDICT_COLUMNS`, for
    logs also `schema.LOG_VERDICT_COLUMNS`. NODATA and SKIPDATA records are counted and not written; lines that cannot
    be read go to `OUT.rejects.csv`, beside `out`. The files are the same for any `batch_rows` and `threads`.

    `progress` is called after each batch with the counts so far. `max_rejected`: the largest share of unreadable lines,
    0 to 1, that counts as done; beyond it IncompleteError is raised, after everything has been written. Default: any.
    Raises InputError for sources or an `out` that cannot be used, for a full disk too; then, as after any other
    exception, `out` is as it was before.
    """
    started, place = perf_counter(), Path(out)
    if max_rejected is not None and not 0 <= max_rejected <= 1:
        raise InputError("out of range", where="max_rejected", found=max_rejected, expected="a share, 0 to 1")
    _check_apart(sources, place)
    exclude = [place, rejects_path(place)]
    reader = open_flows(sources, log_format=log_format, batch_rows=batch_rows, exclude=exclude)
    summary = Summary.empty()
    with VerdictWriter(place, output_columns(reader), overwrite=overwrite) as writer:
        reader.rejects.send_to(writer.write_rejects)
        judge = RecordJudge(evaluator)
        for batch in reader:
            verdicts = _judged(evaluator, judge, batch, threads)
            summary += Summary.of(verdicts)
            writer.write(verdicts)
            if progress is not None:
                progress(reader.counts)
    summary += Summary.of_reading(reader.counts, perf_counter() - started)
    if max_rejected is not None and summary.rejected_share > max_rejected:
        raise IncompleteError(
            f"{summary.rejected} of {summary.lines} lines and {summary.damaged_files} files could not be read; "
            f"see {rejects_path(place)}"
        )
    return summary


def output_columns(reader: FlowReader) -> dict[str, pl.DataType]:
    """The columns of the verdict dataset of these flows, in order, with their types; Categorical: see VerdictWriter."""
    import polars as pl

    added = list(VERDICT_COLUMNS)
    if any(file.kind == "log" for file in reader.files()):
        added += LOG_VERDICT_COLUMNS
    types = {"uint32": pl.UInt32(), "bool": pl.Boolean()}
    verdicts: dict[str, pl.DataType] = {column.name: types.get(column.type, pl.Categorical()) for column in added}
    kept = {name: dtype for name, dtype in reader.columns().items() if name not in verdicts}
    words = (pl.Categorical, pl.Enum)
    return {**{name: pl.String() if dtype in words else dtype for name, dtype in kept.items()}, **verdicts}


def _judged(evaluator: BatchEvaluator, judge: RecordJudge, batch: FlowBatch, threads: int | None) -> pl.DataFrame:
    if batch.kind == "log":
        return judge.judge(batch.frame, threads=threads)
    return evaluator.evaluate(batch.frame, threads=threads)


def _check_apart(sources: Sources, out: Path) -> None:
    """Raises InputError if a source is the very place the verdicts are to go to."""
    for source in [sources] if isinstance(sources, str | os.PathLike) else sources:
        if "://" not in os.fspath(source) and Path(source).resolve() == out.resolve():
            raise InputError("is both read and written", source=out, hint="name another place for the verdicts")
