"""What every command shares: where output goes, how a run ends, and opening a network."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ..errors import IncompleteError, InputError
from ..report import printable, share

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model import Network
    from ..pipeline import Progress as RunProgress
    from ..pipeline import Summary

#: An option of commands that open a network.
NatInstances = Annotated[
    list[str] | None,
    Parameter(
        name="--nat-instance",
        negative="",
        help="An interface, or an instance, that translates sources to its own address; repeatable.",
    ),
]

DONE, FINDINGS, BAD_INPUT, INCOMPLETE, BROKEN, INTERRUPTED = 0, 1, 2, 3, 70, 130


def ready_streams() -> None:
    """Let nothing that is printed fail for want of a stream, or of a character that its encoding has."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: `>&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def write(text: str) -> None:
    """Write data to stdout. A reader that stops early (`| head`) is no error: the rest is dropped silently."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()


def drop_stdout() -> None:
    """Send what is still to come on stdout nowhere, so that closing it at exit cannot fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def say(message: str, *, quiet: bool = False) -> None:
    """A message for the person at the terminal, on stderr."""
    if not quiet:
        with suppress(BrokenPipeError):
            print("\n".join(printable(line) for line in message.split("\n")), file=sys.stderr, flush=True)


def say_if_none(summary: Summary, *, quiet: bool) -> None:
    """Says so if nothing was found in what was read: it may be the wrong folder, or the wrong time."""
    if summary.lines == summary.rejected + summary.outside + summary.silent:
        say(f"flowcore: warning: no flows were read from {summary.files:,} files", quiet=quiet)


def _counts(summary: Summary) -> str:
    """What was read and does not count, or could not be read."""
    found = {
        "lines rejected": summary.rejected,
        "files unreadable or damaged": summary.damaged_files,
        "records outside of what was asked for": summary.outside,
        "intervals without traffic or data (NODATA, SKIPDATA)": summary.silent,
    }
    return ", ".join(f"{count:,} {name}" for name, count in found.items() if count)


def say_folded(summary: Summary, out: Path, *, quiet: bool) -> None:
    """Says what was folded into a digest, and what was not."""
    from ..pipeline import rejects_path

    records = summary.lines - summary.rejected - summary.outside - summary.silent
    say(f"flowcore: {records:,} records of {summary.files:,} files folded into {out}", quiet=quiet)
    if summary.lines > records or summary.damaged_files:
        where = f"; see {rejects_path(out)}" if summary.rejected or summary.damaged_files else ""
        say(f"flowcore: not folded: {_counts(summary)}{where}", quiet=quiet)
    if summary.unknown_fields:
        say(f"flowcore: fields that no version has, left out: {', '.join(summary.unknown_fields)}", quiet=quiet)
    say_if_none(summary, quiet=quiet)


class Progress:
    """How far a run is: one line on stderr that is drawn anew, only on a terminal and not with `--quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._silent = quiet or not sys.stderr.isatty()
        self._live: Any = None

    def __call__(self, run: RunProgress) -> None:
        """Draw how far it is, how fast, and how long it will take."""
        if self._silent:
            return
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Bar

        if self._live is None:
            columns = (TextColumn("flowcore:"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
            self._live = Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)
            self._task = self._live.add_task("", total=None)
            self._live.start()
        left = "" if run.seconds_left is None else f", {_duration(run.seconds_left)} left"
        text = f"{run.lines:,} lines of {run.files:,} files, {run.rate:,.0f} records/s{left}"
        self._live.update(self._task, total=run.bytes_total or None, completed=run.bytes, description=text)

    def close(self) -> None:
        """Take the line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def open_network(
    path: Path, *, assume_defaults: bool, quiet: bool, nat_instances: Iterable[str] | None = None
) -> Network:
    """The network in `path`; says on stderr what was read and how much of it was not understood."""
    from .. import read_network

    network = read_network(path, assume_defaults=assume_defaults, nat_instances=nat_instances or ())
    say(f"flowcore: {path}: {repr(network).removeprefix('<Network: ').removesuffix('>')}", quiet=quiet)
    return network


def check_share(name: str, value: float | None) -> None:
    """Raises InputError unless `value` is a share or not given."""
    if value is not None and not 0 <= value <= 1:
        raise InputError("not a share", where=name, found=value, expected="a number from 0 to 1, e.g. 0.05 for 5 %")


def check_rejected(summary: Summary, most: float | None) -> None:
    """Raises IncompleteError if more of the lines could not be read than `most` allows."""
    check_share("--max-rejected", most)
    if most is not None and summary.rejected_share > most:
        raise IncompleteError(
            f"{share(summary.rejected_share, 1)} of the lines are unreadable; --max-rejected allows {share(most, 1)}"
        )
