"""What every command shares: where output goes, how a run ends, and opening a network."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..report import printable

if TYPE_CHECKING:
    from ..model import Network

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


def open_network(path: Path, *, assume_defaults: bool, quiet: bool) -> Network:
    """The network in `path`; says on stderr what was read and how much of it was not understood."""
    from .. import read_network

    network = read_network(path, assume_defaults=assume_defaults)
    say(f"flowcore: {path}: {repr(network).removeprefix('<Network: ').removesuffix('>')}", quiet=quiet)
    return network


def share_option(name: str, value: float | None) -> float | None:
    """A share given on the command line, 0 to 1; raises InputError for anything else."""
    if value is not None and not 0 <= value <= 1:
        raise InputError("not a share", where=name, found=value, expected="a number from 0 to 1, e.g. 0.05 for 5 %")
    return value
