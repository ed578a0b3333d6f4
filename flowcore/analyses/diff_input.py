"""What `flowcore diff` is given: AFTER as a snapshot, a Terraform plan or edits, and flows of any kind."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from ..edits import read_edits
from ..errors import InputError
from ..model import Issue, Network
from ..pipeline_records import RecordJudge
from ..pipeline_run import Progress
from ..sources.describe import read_network
from ..sources.flows import FlowReader, Sources, open_flows
from ..sources.terraform import read_plan
from ..sources.values import utf8_of
from .diff_changes import Changes
from .diff_plan import with_changes

if TYPE_CHECKING:
    import polars as pl

    from ..evaluate import Evaluator
    from ..sources.intake import ReadCounts

#: Keys that only the JSON of a Terraform or OpenTofu plan has.
_PLAN_KEYS = frozenset({"resource_changes", "planned_values", "format_version", "terraform_version"})

#: Of a file that is read as JSON.
_EXPECTED = "one JSON object: a Terraform plan, a file of edits, or what describe calls answered"

#: Where a wrapper's last words are looked for.
_TAIL = 1 << 16

#: A larger file is no plan that could be read.
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class After:
    """AFTER as read: the network, the changes that lead there if they are known, and what was found on the way."""

    network: Network
    changes: Changes | None = None
    kind: str = "snapshot"
    notes: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    """Those of the notes that tell of changes which `network` leaves out."""


#: Codes of a plan's issues that tell of changes which the network after it leaves out.
_GAPS = frozenset({"partial-plan", "not-in-snapshot", "not-modelled"})


def read_after(before: Network, path: str | os.PathLike[str], *, assume_defaults: bool = False) -> After:
    """What AFTER names, told by its content: a Terraform plan, a file of edits, or a snapshot as for `read_network`.

    `notes` are the warnings that came with a plan: what it leaves open, and what is not modelled. Raises InputError for
    what is neither.
    """
    place = Path(path)
    kind = _kind(place) if place.is_file() else "snapshot"
    if kind == "edits":
        return After(*with_changes(read_edits(before, place)), kind)
    if kind == "plan":
        planned = read_plan(before, place)
        told = [issue for issue in planned.issues if issue.severity != "note"]
        notes = tuple(map(_note, told))
        gaps = tuple(_note(issue) for issue in told if issue.code in _GAPS)
        return After(*with_changes(planned), kind, notes, gaps)
    return After(read_network(place, assume_defaults=assume_defaults))


def _note(issue: Issue) -> str:
    return f"{issue.severity}: {issue.resource}: {issue.message}"


def _kind(path: Path) -> str:
    """What a file holds: plan, edits or snapshot (archives are). Raises InputError for what is no JSON object."""
    name = path.name.lower()
    if name.endswith((".toml", ".zip", ".tar", ".tar.gz", ".tgz")):
        return "edits" if name.endswith(".toml") else "snapshot"
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as stream:
            data = stream.read(_MOST_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise InputError("cannot be read", source=path, found=found) from None
    if data.startswith(b"PK"):  # the plan file itself, which is said when it is read as a plan
        return "plan"
    try:
        data = utf8_of(data)
        keys = frozenset(msgspec.json.decode(data, type=dict[str, msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _no_object(path, data, error) from None
    if "edits" in keys:
        return "edits"
    return "plan" if _PLAN_KEYS & keys else "snapshot"


def _no_object(path: Path, data: bytes, error: Exception) -> InputError:
    """What is wrong with a file that holds no JSON object, or more than one."""
    hint = "a plan is written with `terraform show -json PLANFILE > plan.json`, descriptions with `--output json`"
    message = f"not JSON ({error})"
    if data.lstrip().startswith(b'{"@level"'):
        message = "what `terraform plan -json` says while it works, not a plan"
    elif data.startswith(b"[command]") or b"\n::debug::" in data[-_TAIL:]:
        message = "more than JSON: a wrapper of terraform wrote beside it"
        hint = "with hashicorp/setup-terraform, set terraform_wrapper: false"
    elif isinstance(error, msgspec.ValidationError):
        message = "not a JSON object"
    return InputError(message, source=path, expected=_EXPECTED, hint=hint)


# -- verdicts ------------------------------------------------------------------------------------------------


def holds_verdicts(path: str | os.PathLike[str]) -> bool:
    """Whether a place is what `flowcore evaluate` wrote: a Parquet file, or a folder of them without descriptions."""
    place = Path(path)
    if place.is_dir():
        return any(place.rglob("*.parquet")) and not any(place.rglob("*.json"))
    return place.suffix == ".parquet"


def verdict_batches(
    before: str | os.PathLike[str], after: str | os.PathLike[str], rows: int = 1 << 18
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Two verdict datasets side by side, so many rows at a time. Raises InputError for what is no such dataset."""
    import polars as pl

    scans = []
    for path in (before, after):
        if not holds_verdicts(path):
            raise InputError(
                "is no dataset of verdicts", source=str(path), expected="what `flowcore evaluate -o` wrote"
            )
        files = sorted(Path(path).rglob("*.parquet")) if Path(path).is_dir() else [Path(path)]
        scan = pl.scan_parquet(files, hive_partitioning=False, missing_columns="insert", extra_columns="ignore")
        try:
            scans.append((scan, int(scan.select(pl.len()).collect().item())))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError("cannot be read", source=str(path), found=str(error).partition("\n")[0]) from None
    height = max(count for _, count in scans)
    for start in range(0, max(height, 1), rows):
        first, second = (scan.slice(start, rows).collect() for scan, _ in scans)
        yield first, second


# -- flows ---------------------------------------------------------------------------------------------------

#: Distinct conversations are folded anew whenever so many rows have come together.
_FOLD_ROWS = 1 << 20

_KEY = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "src_interface_id")


class FlowInput:
    """Flows from files, in batches: tables of flows as they are, flow logs folded to their distinct conversations."""

    def __init__(self, sources: Sources, before: Evaluator, *, log_format: str | None = None) -> None:
        self._reader: FlowReader = open_flows(sources, log_format=log_format)
        self._judge = RecordJudge(before)
        self.unjudged = 0
        """Log records left out: which end opened the conversation is not known, or there is no address or port."""

    @property
    def counts(self) -> ReadCounts:
        """What was read so far."""
        return self._reader.counts

    def batches(self, progress: Callable[[Progress], None] | None = None) -> Iterator[pl.DataFrame]:
        """The flows; conversations of logs last, with records, packets, bytes, first and last."""
        import polars as pl

        waiting: list[pl.DataFrame] = []
        started = perf_counter()
        most = _FOLD_ROWS
        for batch in self._reader:
            if progress is not None:
                progress(self._progress(started))
            if batch.kind == "table":
                yield batch.frame
                continue
            waiting.append(self._conversations(batch.frame))
            if sum(part.height for part in waiting) > most:
                waiting = [_by_end(pl.concat(waiting))]
                most = max(_FOLD_ROWS, 2 * waiting[0].height)  # each row is folded a few times only
        if waiting:
            yield _folded(pl.concat(waiting))

    def _progress(self, started: float) -> Progress:
        counts, sizes = self.counts, [file.identity.size for file in self._reader.files()]
        done = sum(sizes[: max(counts.files - 1, 0)])
        return Progress(counts.lines, counts.records, counts.files, done, sum(sizes), perf_counter() - started)

    def _conversations(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        records = self._judge.conversations(frame)
        names = {"packets": ["packets"], "bytes": ["bytes"], "first": ["first", "start"], "last": ["last", "end"]}
        totals = [
            pl.coalesce(*(name for name in under if name in frame.columns), pl.lit(None)).cast(pl.Int64).alias(to)
            for to, under in {"records": ["records"], **names}.items()
        ]
        flows = pl.concat(
            [
                records.select(_KEY),
                records.select(logged_by="interface_id"),
                frame.with_row_index("row")
                .select("row", *totals)
                .with_columns(pl.col("records").fill_null(1))
                .drop("row"),
            ],
            how="horizontal",
        )
        judged = records["unjudged"].is_null()
        self.unjudged += records.height - int(judged.sum())
        return flows.filter(judged)


def _by_end(flows: pl.DataFrame) -> pl.DataFrame:
    """One row for each conversation and interface that logged it, with totals."""
    import polars as pl

    return flows.group_by(*_KEY, "logged_by", maintain_order=True).agg(
        pl.col("records", "packets", "bytes").sum(), pl.col("first").min(), pl.col("last").max()
    )


def _folded(flows: pl.DataFrame) -> pl.DataFrame:
    """One row a conversation. Both its ends may have logged it: the larger totals count (FL-36), and the interface that
    the source's records name holds for the destination's too.
    """
    import polars as pl

    ends = [name for name in _KEY if name != "src_interface_id"]
    source = pl.col("src_interface_id")
    named = flows.filter(source.is_not_null()).group_by(ends).agg(source.unique().alias("named"))
    joined = _by_end(flows).join(named, on=ends, how="left", nulls_equal=True, maintain_order="left")
    only = pl.when(pl.col("named").list.len() == 1).then(pl.col("named").list.first())
    return (
        joined.with_columns(src_interface_id=pl.coalesce(source, only))
        .group_by(_KEY, maintain_order=True)
        .agg(pl.col("records", "packets", "bytes").max(), pl.col("first").min(), pl.col("last").max())
    )
