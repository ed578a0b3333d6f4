"""What every command shares: where output goes, how a run ends, and opening a network."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..report import printable

if TYPE_CHECKING:
    from ..model import Network
    from ..sources.intake import ReadCounts

DONE, FINDINGS, BAD_INPUT, INCOMPLETE, BROKEN, INTERRUPTED = 0, 1, 2, 3, 70, 130


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


class Progress:
    """How far a run is: one line on stderr that is drawn anew, only on a terminal and not with `--quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._drawn = False
        self._silent = quiet or not sys.stderr.isatty()

    def __call__(self, counts: ReadCounts) -> None:
        """Draw the counts so far."""
        if not self._silent:
            sys.stderr.write(f"\rflowcore: {counts.lines:,} lines of {counts.files:,} files read")
            sys.stderr.flush()
            self._drawn = True

    def close(self) -> None:
        """Take the line away."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def open_network(path: Path, *, assume_defaults: bool, quiet: bool) -> Network:
    """The network in `path`; says on stderr what was read and how much of it was not understood."""
    from .. import read_network

    network = read_network(path, assume_defaults=assume_defaults)
    say(f"flowcore: {path}: {repr(network).removeprefix('<Network: ').removesuffix('>')}", quiet=quiet)
    return network
