"""The batch job, file in and verdict Parquet out, beside others that only read the files and parse the addresses."""

from __future__ import annotations

import gzip
from functools import cache, partial
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import flowcore
from flowcore.digest import digest_logs
from flowcore.synthetic import flow_log_lines, log_records, traffic

from .harness import Benchmark, Figure, Pass, Plan, Sample, Scale, WrongAnswerError, clocked, ratio
from .inputs import SEED, SKEW, child, evaluator, flow_count, network, scratch, snapshot
from .replayways import WAYS, Found, polars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RATE = "record/s"
RECORDS = 4_000_000
FILES = 8
FORMS = {"gz_text": "logs-text", "aws_parquet": "logs-parquet", "digest": "digest"}
OURS = "flowcore, logs to verdicts"
#: Of a digest: its rows, and the records that these stand for.
ROWS_RATE, OURS_ROWS = "row/s", "flowcore, rows to verdicts"
OURS_RECORDS = "flowcore, records these rows stand for"
MEMORY = "flowcore, peak memory"
#: Types of the columns of AWS's Parquet (FL-54).
_AWS = {"version": pa.int32(), "srcport": pa.int32(), "dstport": pa.int32(), "protocol": pa.int32(),
        "packets": pa.int64(), "bytes": pa.int64(), "start": pa.int64(), "end": pa.int64()}  # fmt: skip


@cache
def inputs(scale: Scale) -> dict[str, list[Path]]:
    """The same records as gz text, as AWS writes Parquet, and folded: form -> files."""
    folder, count = scratch() / f"replay-{scale.value}", flow_count(scale, RECORDS)
    found: dict[str, list[Path]] = {form: [] for form in FORMS.values()}
    for form in found:
        (folder / form).mkdir(parents=True)
    for number in range(FILES):
        flows = traffic(network("1k", scale), count // FILES, SEED + number, skew=SKEW, ipv6_share=0.0)
        records = log_records(evaluator("1k", scale).evaluate(flows), SEED + number)[: count // FILES]
        text, table = (folder / form / f"{number}" for form in ("logs-text", "logs-parquet"))
        found["logs-text"].append(text.with_suffix(".log.gz"))
        found["logs-text"][-1].write_bytes(gzip.compress(flow_log_lines(records), 6, mtime=0))
        found["logs-parquet"].append(table.with_suffix(".log.parquet"))
        schema = pa.schema([(name, _AWS.get(name, pa.string())) for name in records.columns])
        columns = records.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
        pq.write_table(columns, found["logs-parquet"][-1], compression="gzip", row_group_size=1 << 17)
    found["digest"].append(folder / "digest" / "digest.parquet")
    digest_logs(tuple(found["logs-text"]), found["digest"][0])
    return found


def rows_of(files: Sequence[Path], scale: Scale) -> int:
    """How many rows the files have."""
    if files[0].suffix == ".parquet":
        return sum(pq.read_metadata(file).num_rows for file in files)
    return flow_count(scale, RECORDS) // FILES * FILES


def _replay(form: str, scale: Scale) -> Plan:
    files = inputs(scale)[FORMS[form]]
    rows, judge, out = rows_of(files, scale), evaluator("1k", scale), scratch() / f"verdicts-{form}-{scale.value}"
    answers: dict[str, Found] = {}

    def ours() -> dict[str, Sample]:
        seen = []
        cpu, wall = clocked(lambda: seen.append(flowcore.evaluate_logs(judge, tuple(files), out)))
        answers[OURS] = seen[0].rows, 0
        if form != "digest":
            return {OURS: Sample(rows / wall, cpu, wall)}
        if seen[0].log_records != flow_count(scale, RECORDS) // FILES * FILES:
            raise WrongAnswerError(f"the rows of the digest stand for {seen[0].log_records} records")
        return {
            OURS_ROWS: Sample(rows / wall, cpu, wall),
            OURS_RECORDS: Sample(seen[0].log_records / wall, cpu, wall),
        }

    def memory() -> dict[str, Sample]:
        found = child("replay", str(snapshot("1k", scale)), str(files[0].parent), str(out) + "-child")
        answers[MEMORY] = found["rows"], 0
        return {MEMORY: Sample(found["peak"])}

    def reading(name: str) -> dict[str, Sample]:
        # in a process of its own, as batch jobs are: what it leaves behind (a GiB that its allocator's threads give
        # back for seconds) made what came after it half as fast
        found = child("reading", name, *map(str, files))
        answers[name] = found["records"], found["total"]
        return {f"{name}, only reading": Sample(found["records"] / found["wall"], found["cpu"], found["wall"])}

    def check() -> None:
        same_answers(answers, rows, polars(files))

    passes: list[Pass] = [ours, *(partial(reading, name) for name in _others(form)), memory]
    return Plan(tuple(passes), warm=scale is not Scale.TINY, check=check)


def same_answers(answers: dict[str, Found], rows: int, expected: Found) -> None:
    """WrongAnswerError unless all have read all rows, and the same addresses; flowlogs-reader reads some."""
    for name, (count, total) in answers.items():
        some = name == "flowlogs-reader"
        wrong_count = count > rows if some else count != rows
        if wrong_count or (name in WAYS and not some and (count, total) != expected):
            raise WrongAnswerError(f"{name} read {count} of {rows} records, addresses sum to {total}")


def _others(form: str) -> list[str]:
    return [name for name in WAYS if form != "digest" or name != "flowlogs-reader"]


def _figures(form: str, must: float, edge: float) -> tuple[Figure, ...]:
    others = [f"{name}, only reading" for name in _others(form)]
    goals = (1.3, 2.3) if form == "gz_text" else (None, None)
    of_digest = form == "digest"
    mine, rate = (OURS_ROWS, ROWS_RATE) if of_digest else (OURS, RATE)
    ratios = [
        ratio(f"flowcore / {name.partition(',')[0]}", mine, name, *(goals if name.startswith("Polars") else ()))
        for name in others
    ]
    rates = [Figure(OURS_ROWS, rate), Figure(OURS_RECORDS, RATE, must, edge)]
    return (
        *(rates if of_digest else [Figure(OURS, rate, must, edge)]),
        *(Figure(name, rate) for name in others),
        *ratios,
        Figure(MEMORY, "MiB", 1536, 700),
    )


BENCHMARKS = tuple(
    Benchmark(name, f"{about}: to verdicts in Parquet; others only read and parse addresses.",
              _figures(form, must, edge), partial(_replay, form))
    for form, name, about, must, edge in (
        ("gz_text", "replay_gz_text_4M_records", "8 gz files of the default format", 4e6, 7e6),
        ("aws_parquet", "replay_aws_parquet_4M_records", "8 files of AWS's Parquet, gzip inside", 4e6, 7e6),
        ("digest", "replay_digest_of_4M_records", "a digest of these records", 10e6, 20e6),
    )
)  # fmt: skip
