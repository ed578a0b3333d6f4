"""A dataset of parts that a killed run can go on with: the plan, what is done of it, and how it is put in place.

Everything happens in `.OUT.flowcore-partial`: `plan.json` says what is to be done, `part-N.json` that part N is whole
and what was found in it. The parts depend on the plan only, never on who writes them or when; so any number of
processes can share them out, and a run that goes on gives the dataset of a run that was never stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from itertools import chain
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from .errors import InputError
from .model import Network
from .pipeline_output import check_out, hidden, part_name, rejects_path, writing
from .pipeline_summary import Summary
from .sources.intake import REJECT_COLUMNS

if TYPE_CHECKING:
    from .sources.flows import FlowFile
    from .sources.intake import Rejects

#: Input of a part: files are put together until they have so many bytes, counted as gzip or Parquet.
PART_BYTES = 8 << 20
#: Plain text is so many times larger.
_PLAIN = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: the parts, each of input files or of a piece of one, and all that the answer depends on."""

    parts: tuple[tuple[FlowFile, ...], ...]
    columns: Mapping[str, str]
    network: str
    options: Mapping[str, Any]

    @classmethod
    def of(
        cls, files: Iterable[FlowFile], columns: Mapping[str, str], network: object, options: Mapping[str, Any]
    ) -> Plan:
        """The plan for these files, whatever order they come in: parts are in the order of the files' names."""
        return cls(
            tuple(_parts(sorted(files, key=lambda file: str(file.path)))), columns, fingerprint(network), options
        )

    def document(self) -> dict[str, Any]:
        """The plan as JSON."""
        inputs = [[_identity(file) for file in part] for part in self.parts]
        return {
            "format": 2, "columns": dict(self.columns), "network": self.network,
            "options": dict(self.options), "parts": inputs,
        }  # fmt: skip


def _identity(file: FlowFile) -> dict[str, Any]:
    piece = {} if file.row_groups is None else {"row_groups": list(file.row_groups)}
    return {**asdict(file.identity), **piece}


def _parts(files: Sequence[FlowFile]) -> Iterator[tuple[FlowFile, ...]]:
    part: list[FlowFile] = []
    held = 0
    for file in chain.from_iterable(file.pieces(PART_BYTES) for file in files):
        weight = file.size // (1 if file.packed else _PLAIN)
        if part and held + weight > PART_BYTES:
            yield tuple(part)
            part, held = [], 0
        part.append(file)
        held += weight
    yield tuple(part)


class PartFolder:
    """The dataset `out` while it is made."""

    def __init__(self, out: Path, plan: Plan, *, overwrite: bool, keep: bool) -> None:
        """`keep`: go on with what an earlier run left, if its plan was the same; else that is removed.

        Raises InputError if it was another plan, if `out` is not a dataset of ours, and if nothing can be written.
        """
        self.out, self.plan = out, plan
        self.manifest = manifest_path(out)
        self._partial, self._old = hidden(out, "partial"), hidden(out, "old")
        self._rejects = hidden(rejects_path(out), "partial")
        self._ready = hidden(self.manifest, "partial")
        with writing(out):
            check_out(out, overwrite)
            out.parent.mkdir(parents=True, exist_ok=True)
            if not keep:
                self.remove()
            self.finished = self._found_whole() if keep else None
            if self.finished is not None:
                return
            self._ready.unlink(missing_ok=True)  # of another plan
            try:
                self._start(plan.document())
            except OSError:
                if not keep:
                    self.remove()
                raise

    def _start(self, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, indent=1, sort_keys=True) + "\n"
        there = self._partial / "plan.json"
        if there.exists():
            if there.read_text() != text:
                raise InputError(
                    "what is half done there was of other inputs, another network or other options",
                    source=self.out,
                    hint="start anew without --resume, in another place for another shard plan",
                )
            return
        self._partial.mkdir(exist_ok=True)
        _write_whole(there, text)

    def _found_whole(self) -> Mapping[str, Any] | None:
        """The manifest, if the dataset of this plan is whole: in its place already, or on its way there."""
        for path in (self._ready, self.manifest):
            try:
                document = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            whole = path == self._ready or self.out.is_dir()
            if whole and document.get("plan") == _plain(self.plan.document()):
                return dict(document)
        return None

    def place(self, number: int) -> Path:
        """Where part `number` is written."""
        return self._partial / part_name(number)

    def outside(self, error: InputError) -> InputError:
        """The error, in words of what the caller knows of: `out` and its rejects, not what is written meanwhile."""
        source = error.source
        if not isinstance(source, Path) or source.parent != self._partial:
            return error
        known = rejects_path(self.out) if source.suffix == ".csv" else self.out
        return InputError(error.message, source=known, found=error.found, expected=error.expected, hint=error.hint)

    def done(self, number: int) -> Summary | None:
        """What was found in part `number`, None if it is not whole."""
        try:
            return Summary.of_document(json.loads(self._note(number).read_text()))
        except (OSError, ValueError):
            return None

    def _note(self, number: int) -> Path:
        return self._partial / f"part-{number:05d}.json"

    def note_done(self, number: int, summary: Summary) -> None:
        """Says that part `number` is whole, its rejects too."""
        with writing(self.out):
            _write_whole(self._note(number), json.dumps(summary.document()))

    def keep_rejects(self, rejects: Rejects) -> None:
        """Keeps what was rejected before any part was read: files that are no flows."""
        frame = rejects.frame()
        if frame.height:
            with writing(self.out):
                _write_whole(self._partial / "files.csv", frame.write_csv())

    def missing(self) -> list[int]:
        """The parts that are not whole."""
        return [number for number in range(len(self.plan.parts)) if not self._note(number).exists()]

    def finish(self) -> None:
        """Puts the dataset in its place. Only once all parts are whole; may be called by several processes."""
        with writing(self.out), self._alone() as mine:
            if mine:
                if not self._ready.exists():
                    self._gather()
                self._put_in_place()

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether this process is the one that finishes: it waits for the others, and then looks whether one has."""
        lock = hidden(self.out, "lock")
        with lock.open("w") as stream:
            try:
                import fcntl
            except ImportError:  # no such locks: shards on this system must not end at the same time
                yield self._partial.exists() or self._ready.exists()
                return
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield self._partial.exists() or self._ready.exists()
            lock.unlink(missing_ok=True)

    def _gather(self) -> None:
        """Rejects of all parts in one file, the manifest, and nothing but parts in the folder."""
        total, parts = Summary.empty(), []
        with self._rejects.open("wb") as stream:
            stream.write((",".join(REJECT_COLUMNS) + "\n").encode())
            empty = stream.tell()
            _append(self._partial / "files.csv", stream)
            for number, part in enumerate(self.plan.parts):
                summary = self.done(number)
                assert summary is not None
                total += summary
                _append(rejects_path(self.place(number)), stream)
                parts.append({"file": part_name(number), "bytes": self.place(number).stat().st_size,
                              "rows": summary.rows, "inputs": len(part)})  # fmt: skip
            nothing = stream.tell() == empty
        if nothing:
            self._rejects.unlink()
        document = {
            "plan": self.plan.document(), "parts": parts, "summary": total.document(), "rejects": not nothing,
        }  # fmt: skip
        _write_whole(self._ready, json.dumps(document, indent=1, sort_keys=True) + "\n")

    def _put_in_place(self) -> None:
        """Each step is passed over if an earlier process has done it: it may have been killed at any of them."""
        with_rejects = json.loads(self._ready.read_text())["rejects"]
        self.manifest.unlink(missing_ok=True)
        if self._partial.exists():
            for path in self._partial.iterdir():
                if path.suffix != ".parquet":
                    path.unlink()
            if self.out.exists():
                if self._old.exists():
                    shutil.rmtree(self._old)
                self.out.replace(self._old)
            self._partial.replace(self.out)
        if not with_rejects:
            rejects_path(self.out).unlink(missing_ok=True)
        elif self._rejects.exists():
            self._rejects.replace(rejects_path(self.out))
        self._ready.replace(self.manifest)
        if self._old.exists():
            shutil.rmtree(self._old)

    def remove(self) -> None:
        """Removes what a run left; a dataset that was being replaced comes back."""
        if self._old.exists() and not self.out.exists():
            self._old.replace(self.out)
        for path in (self._partial, self._old):
            if path.exists():
                shutil.rmtree(path)
        for path in (self._rejects, self._ready, hidden(self.out, "lock")):
            path.unlink(missing_ok=True)


def _append(rejects: Path, stream: IO[bytes]) -> None:
    """The lines of a rejects file but its header."""
    if rejects.exists():
        with rejects.open("rb") as lines:
            lines.readline()
            shutil.copyfileobj(lines, stream)


def is_half_done(out: Path) -> bool:
    """Whether a run at `out` has been begun and is not at its end: other shares are still to be done."""
    return hidden(out, "partial").exists()


def manifest_path(out: Path) -> Path:
    """Where the manifest of the dataset `out` is: beside it, for what is inside is read as Parquet."""
    return out.with_name(out.name + ".manifest.json")


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".tmp")
    partial.write_text(text)
    os.replace(partial, path)


def _plain(document: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(document))


#: Fingerprints of networks that are in use, by id: a network is frozen, and looking at all of it takes 0.1 s or more.
_KNOWN: dict[int, tuple[weakref.ref[Network], str]] = {}


def fingerprint(network: object) -> str:
    """A hash of everything that is known about a network, the same for the same description in every process."""
    place = id(network)
    known = _KNOWN.get(place)
    if known is not None and known[0]() is network:
        return known[1]
    digest, texts = hashlib.sha256(), list[str]()
    _feed(texts, digest, network)
    _flush(texts, digest)
    found = digest.hexdigest()
    if isinstance(network, Network):
        _KNOWN[place] = weakref.ref(network, lambda gone: _forget(place, gone)), found
    return found


def _forget(place: int, gone: weakref.ref[Network]) -> None:
    if _KNOWN.get(place, (None, ""))[0] is gone:  # else another network is there by now
        del _KNOWN[place]


_MANY = 1 << 16


def _flush(texts: list[str], digest: Any) -> None:
    digest.update("\0".join([*texts, ""]).encode("utf-8", "surrogatepass"))
    texts.clear()


@cache
def _compared(kind: Any) -> Callable[[Any], tuple[Any, ...]] | None:
    """What takes the fields of a dataclass that tell two of its kind apart, in order; None for other types."""
    if not is_dataclass(kind):
        return None
    names = [field.name for field in fields(kind) if field.compare]
    return attrgetter(*names) if len(names) > 1 else lambda value: tuple(getattr(value, name) for name in names)


_PLAIN_TYPES = frozenset({str, int, bool, float, type(None)})


def _feed(texts: list[str], digest: Any, value: Any) -> None:
    kind: Any = type(value)
    if kind in _PLAIN_TYPES:
        texts.append(repr(value))
    elif (values := _compared(kind)) is not None:
        texts.append(kind.__name__)
        for item in values(value):
            if type(item) in _PLAIN_TYPES:  # most are: half of the time went into calls for them
                texts.append(repr(item))
            else:
                _feed(texts, digest, item)
        if len(texts) > _MANY:
            _flush(texts, digest)
    elif isinstance(value, list | tuple):
        texts.append(f"{len(value)} in order")
        for item in value:
            _feed(texts, digest, item)
    elif isinstance(value, dict | MappingProxyType):
        texts.append(f"{len(value)} by name")
        for key, item in sorted(value.items(), key=lambda pair: str(pair[0])) if value else ():
            _feed(texts, digest, key)
            _feed(texts, digest, item)
    elif isinstance(value, set | frozenset):
        texts.append(f"{len(value)} in any order")
        texts.extend(sorted(map(repr, value)))
    else:
        texts.append(str(value))
