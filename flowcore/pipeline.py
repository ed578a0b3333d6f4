"""The batch job: flows and flow logs in, a verdict dataset and a summary out, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .errors import IncompleteError, InputError
from .evaluate import compile_network
from .model import Network
from .pipeline_lock import alone
from .pipeline_output import VerdictWriter, is_single, place_of, rejects_path
from .pipeline_parts import PartFolder, Plan, manifest_path
from .pipeline_records import BatchEvaluator, RecordJudge, judge_records
from .pipeline_run import Job, Progress, run_parts
from .pipeline_summary import MISMATCHES, Disagreement, Summary, Tally
from .schema import LOG_VERDICT_COLUMNS, VERDICT_COLUMNS
from .sources.flows import BATCH_ROWS, FlowReader, Sources, open_flows
from .sources.places import Wanted, resolved

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

__all__ = [
    "MISMATCHES",
    "BatchEvaluator",
    "Disagreement",
    "Progress",
    "RecordJudge",
    "Summary",
    "Tally",
    "VerdictWriter",
    "Wanted",
    "evaluate_logs",
    "judge_records",
    "manifest_path",
    "rejects_path",
]


def evaluate_logs(
    evaluator: BatchEvaluator | Network,
    sources: Sources,
    out: str | os.PathLike[str],
    *,
    log_format: str | None = None,
    batch_rows: int = BATCH_ROWS,
    threads: int | None = None,
    max_rejected: float | None = None,
    overwrite: bool = False,
    wanted: Wanted | None = None,
    shard: tuple[int, int] = (1, 1),
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Judges every flow and log record in `sources`, writes the verdicts to `out` and returns what was found.

    `evaluator`: what `compile_network` gives, or the Network itself. `sources`: files, folders, globs, `s3://`
    addresses, or a list of these, see `sources.flows.open_flows`. `out`: a `.parquet` file, or a folder of part files.
    Files are taken in the order of their names, rows in the order of the file, with the columns that came in and
    `schema.VERDICT_COLUMNS`, for logs also `schema.LOG_VERDICT_COLUMNS`.
    NODATA and SKIPDATA records are counted and not written; lines that cannot be read go to `OUT.rejects.csv`, beside
    `out`. The files are the same for any `batch_rows`, number of threads, order of sources and number of shards.

    `wanted`: only these log records. A folder can be made in steps: `resume` goes on with what a killed run left, if
    inputs, network and options are the same; `shard` (i, n) does only the i-th of n shares of the parts, the one that
    ends last puts the dataset in place. Until then `out` is as it was.
    `progress` is called now and then with how far the run is. `max_rejected`: the largest share of unreadable lines,
    0 to 1, that counts as done; beyond it IncompleteError is raised, after everything has been written. Default: any.
    Raises InputError for sources or an `out` that cannot be used, for a full disk too, and while another run writes
    `out`, unless it does another share.
    """
    started, place = perf_counter(), place_of(out)
    judge = compile_network(evaluator) if isinstance(evaluator, Network) else evaluator
    _check(max_rejected, shard, resume, place)
    _check_apart(sources, place)
    exclude = [place, rejects_path(place), manifest_path(place)]
    options: dict[str, Any] = {} if wanted is None else {"wanted": wanted}
    reader = open_flows(sources, log_format=log_format, batch_rows=batch_rows, exclude=exclude, **options)
    job = Job(judge, reader, output_columns(reader), threads or os.cpu_count() or 1, progress)
    with alone(place, shared=shard[1] > 1), alone(place, f"run-{shard[0]}-of-{shard[1]}"):
        if is_single(place):
            files = tuple(sorted(reader.files(), key=lambda file: str(file.path)))
            summary = job.write(files, place, overwrite=overwrite)
            manifest_path(place).unlink(missing_ok=True)
        else:
            summary = _in_parts(job, place, _options(log_format, wanted), shard, overwrite=overwrite, resume=resume)
    summary += Summary.of_seconds(perf_counter() - started)
    if max_rejected is not None and summary.rejected_share > max_rejected:
        raise IncompleteError(
            f"{summary.rejected} of {summary.lines} lines and {summary.damaged_files} files could not be read; "
            f"see {rejects_path(place)}"
        )
    return summary


def _in_parts(
    job: Job, out: Path, options: Mapping[str, Any], shard: tuple[int, int], *, overwrite: bool, resume: bool
) -> Summary:
    columns = {name: str(dtype) for name, dtype in job.columns.items()}
    plan = Plan.of(job.reader.files(), columns, job.evaluator.network, options)
    keep = resume or shard[1] > 1
    folder = PartFolder(out, plan, overwrite=overwrite, keep=keep)
    try:
        summary = run_parts(job, folder, shard)
    except Exception:  # not KeyboardInterrupt: who stops a run by hand may want to go on with it
        if not keep:
            folder.remove()
        raise
    return summary + Summary.of_reading(job.reader.counts)


def _options(log_format: str | None, wanted: Wanted | None) -> dict[str, Any]:
    asked = wanted or Wanted()
    return {
        "log_format": log_format,
        "since": asked.since,
        "until": asked.until,
        **{name: sorted(words) for name, words in asked.words().items()},
    }


def output_columns(reader: FlowReader) -> dict[str, pl.DataType]:
    """The columns of the verdict dataset of these flows, in order, with their types; Categorical: see VerdictWriter."""
    import polars as pl

    added = list(VERDICT_COLUMNS)
    if any(file.kind == "log" for file in reader.files()):
        added += LOG_VERDICT_COLUMNS
    types = {"uint32": pl.UInt32(), "uint16": pl.UInt16(), "bool": pl.Boolean()}
    verdicts: dict[str, pl.DataType] = {column.name: types.get(column.type, pl.Categorical()) for column in added}
    kept = {name: dtype for name, dtype in reader.columns().items() if name not in verdicts}
    words = (pl.Categorical, pl.Enum)
    return {**{name: pl.String() if dtype in words else dtype for name, dtype in kept.items()}, **verdicts}


def _check(max_rejected: float | None, shard: tuple[int, int], resume: bool, out: Path) -> None:
    if max_rejected is not None and not 0 <= max_rejected <= 1:
        raise InputError("out of range", where="max_rejected", found=max_rejected, expected="a share, 0 to 1")
    if not 1 <= shard[0] <= shard[1]:
        raise InputError("not a shard", where="shard", found="/".join(map(str, shard)), expected="1/N to N/N")
    if is_single(out) and (resume or shard[1] > 1):
        raise InputError(
            "a single file is made in one go", source=out, hint="name a folder, without .parquet, to resume or share"
        )


def _check_apart(sources: Sources, out: Path) -> None:
    """Raises InputError if a source is the very place the verdicts are to go to, or in there."""
    written = {path.resolve() for path in (out, rejects_path(out), manifest_path(out))}
    for source in [sources] if isinstance(sources, str | os.PathLike) else sources:
        if "://" not in os.fspath(source) and written.intersection(resolved(Path(source))):
            raise InputError("is both read and written", source=source, hint="name another place for the verdicts")
