"""One run at a time at one place: locks that a killed run leaves open for the next one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from .errors import InputError
from .pipeline_output import hidden, writing

if TYPE_CHECKING:
    from pathlib import Path


@contextmanager
def alone(out: Path, word: str = "run", *, shared: bool = False) -> Iterator[None]:
    """Holds the place `out` while a run writes there. `shared`: with other runs that share it, too.

    Locks of another `word` are other locks. Raises InputError if another run is there. Where the system has no such
    locks, nothing is held.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        stream = _locked(hidden(out, word), fcntl.LOCK_SH if shared else fcntl.LOCK_EX, fcntl)
    if stream is None:
        raise InputError("another run is writing there", source=out, hint="wait for its end, or name another place")
    try:
        yield
    finally:
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unless others share it still
                hidden(out, word).unlink(missing_ok=True)
            except OSError:
                pass


def _locked(path: Path, kind: int, fcntl: Any) -> IO[bytes] | None:
    """The file, open and locked; None if it is locked already."""
    while True:
        stream = path.open("ab")
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            return None
        except OSError:  # a file system without locks
            return stream
        try:
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return stream
        except FileNotFoundError:
            pass
        stream.close()  # of a run that ended meanwhile and took it away
