"""What `flowcore diff` is given: AFTER as a snapshot, a Terraform plan or edits, and flows of any kind."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InputError
from ..model import Network
from ..pipeline_records import RecordJudge, _conversations, _record_columns
from ..sources.describe import read_network
from ..sources.flows import FlowReader, Sources, open_flows
from ..sources.terraform import PlannedNetwork, overlay, read_plan
from .diff_changes import Changes

if TYPE_CHECKING:
    import polars as pl

    from ..evaluate import Evaluator
    from ..sources.intake import ReadCounts

#: Keys that only the JSON of a Terraform or OpenTofu plan has.
_PLAN_KEYS = frozenset({"resource_changes", "planned_values", "format_version", "terraform_version"})

#: A larger file is no plan that could be read.
_MOST_BYTES = 1 << 30

#: Open values of a plan are tried out up to this many ways (see PlannedNetwork.variants).
_VARIANTS = 16

#: Networks with changes undone that are kept.
_KEPT_NETWORKS = 8


class PlanChanges:
    """The changes of a Terraform plan; a `Changes` that knows what each changes and how open values may turn out."""

    def __init__(self, planned: PlannedNetwork) -> None:
        self._planned = planned
        self.names: Sequence[str] = planned.names
        self._without = lru_cache(_KEPT_NETWORKS)(
            lambda names: overlay(planned.before, planned.plan, without=names) if names else planned
        )

    def network_without(self, names: Collection[str]) -> Network:
        """See `Changes.network_without`."""
        network: Network = self._without(frozenset(names)).network
        return network

    def variants_without(self, names: Collection[str]) -> list[Network]:
        """The same network for each way the plan's open values may turn out; none if that cannot be told."""
        return list(islice(self._without(frozenset(names)).variants(_VARIANTS), _VARIANTS))

    def detail(self, name: str) -> str:
        """What the change does: `update: from_port 443 -> 8443`."""
        change = next(each for each in self._planned.changes if each.name == name)
        shown = [f"{each.name} {_short(each.before)} -> {_short(each.after)}" for each in change.attributes]
        return change.action + (f": {'; '.join(shown)}" if change.action == "update" and shown else "")


def _short(value: Any, most: int = 60) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


@dataclass(frozen=True)
class After:
    """AFTER as read: the network, the changes that lead there if they are known, and what was found on the way."""

    network: Network
    changes: Changes | None = None
    kind: str = "snapshot"
    notes: tuple[str, ...] = ()


def read_after(before: Network, path: str | os.PathLike[str], *, assume_defaults: bool = False) -> After:
    """What AFTER names, told by its content: a Terraform plan (JSON), or a snapshot as for `read_network`.

    `notes` are the warnings that came with a plan: what it leaves open, and what is not modelled. Raises InputError for
    what is neither.
    """
    place = Path(path)
    keys = _top_level_keys(place) if place.is_file() else frozenset()
    if _PLAN_KEYS & keys:
        planned = read_plan(before, place)
        notes = tuple(
            f"{issue.severity}: {issue.resource}: {issue.message}"
            for issue in planned.issues
            if issue.severity != "note"
        )
        return After(planned.network, PlanChanges(planned), "plan", notes)
    return After(read_network(place, assume_defaults=assume_defaults))


def _top_level_keys(path: Path) -> frozenset[str]:
    """The keys of a file that holds one JSON object, gzipped or not; none for any other file."""
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as stream:
            data = stream.read(_MOST_BYTES)
        if data.lstrip()[:1] != b"{":
            return frozenset()
        return frozenset(msgspec.json.decode(data, type=dict[str, msgspec.Raw]))
    except OSError as error:
        raise InputError("cannot be read", source=path, found=error.strerror or str(error)) from None
    except (msgspec.DecodeError, UnicodeError, EOFError, zlib.error):
        return frozenset()


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

    def batches(self, progress: Callable[[ReadCounts], None] | None = None) -> Iterator[pl.DataFrame]:
        """The flows; conversations of logs last, with records, packets, bytes, first and last."""
        import polars as pl

        waiting: list[pl.DataFrame] = []
        for batch in self._reader:
            if progress is not None:
                progress(self.counts)
            if batch.kind == "table":
                yield batch.frame
                continue
            waiting.append(self._conversations(batch.frame))
            if sum(part.height for part in waiting) > _FOLD_ROWS:
                waiting = [_folded(pl.concat(waiting))]
        if waiting:
            yield _folded(pl.concat(waiting))

    def _conversations(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        records = self._judge._oriented(_record_columns(frame))
        totals = [
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(pl.Int64).alias(to)
            for name, to in {"packets": "packets", "bytes": "bytes", "start": "first", "end": "last"}.items()
        ]
        flows = pl.concat(
            [
                _conversations(records, frame).select(_KEY),
                frame.with_row_index("records").select("records", *totals).with_columns(records=pl.lit(1, pl.Int64)),
            ],
            how="horizontal",
        )
        judged = records["unjudged"].is_null()
        self.unjudged += records.height - int(judged.sum())
        return flows.filter(judged)


def _folded(flows: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return flows.group_by(_KEY, maintain_order=True).agg(
        pl.col("records", "packets", "bytes").sum(), pl.col("first").min(), pl.col("last").max()
    )
