"""The JSON members of a folder, a file or an archive, read within bounds and in a fixed order.

Nothing is ever extracted to disk. Links, devices, hidden files and macOS's `__MACOSX` are left out.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from ..errors import NetworkError

__all__ = ["DEFAULT_LIMITS", "Limits", "Member", "json_members"]

_JSON = (".json", ".json.gz")
_TAR = (".tar", ".tar.gz", ".tgz")
_ACCEPTED = "a folder, .json, .json.gz, .zip, .tar, .tar.gz or .tgz"
#: What broken archives raise out of the standard library; `lzma` and `bz2` members end in OSError or EOFError too.
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,  # an encrypted member; NotImplementedError: an unknown method of compression
    KeyError,
    IndexError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what is read, all after decompression."""

    member_bytes: int = 512 << 20
    total_bytes: int = 2 << 30
    members: int = 100_000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Member:
    """One JSON file: `name` is relative to what was opened, with slashes; `label` says where it is, for messages."""

    name: str
    label: str
    data: bytes


class _Budget:
    """Counts what was read and refuses more than the limits."""

    def __init__(self, limits: Limits, source: object) -> None:
        self.limits, self.source, self.members, self.total = limits, source, 0, 0

    def spend(self, label: str, size: int) -> None:
        self.members += 1
        self.total += size
        if size > self.limits.member_bytes:
            raise _too_large(label, self.limits.member_bytes)
        if self.total > self.limits.total_bytes:
            raise _too_large(str(self.source), self.limits.total_bytes)
        if self.members > self.limits.members:
            raise NetworkError(
                "too many JSON files",
                source=self.source,
                expected=f"at most {self.limits.members} files",
                hint="give the folder that holds only the describe-* answers",
            )


class _BoundedReader(io.RawIOBase):
    """Passes on a decompressed stream and refuses to go beyond a number of bytes."""

    def __init__(self, stream: IO[bytes], label: str, limit: int) -> None:
        self._stream, self._label, self._limit, self._left = stream, label, limit, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(chunk)
        if self._left < 0:
            raise _too_large(self._label, self._limit)
        return chunk


def json_members(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Iterator[Member]:
    """Every `*.json` and `*.json.gz` of a folder, archive or single file, sorted by name.

    Raises NetworkError when the path cannot be opened, is of another kind, is broken, or holds more than `limits`.
    """
    source = Path(path)
    budget = _Budget(limits, source)
    lower = source.name.lower()
    with _as_network_error(source):
        if not source.exists():
            raise NetworkError("no such file or folder", source=source, expected=_ACCEPTED)
        if source.is_dir():
            yield from _folder_members(source, budget)
        elif not source.is_file():
            raise NetworkError("neither a file nor a folder", source=source, expected=_ACCEPTED)
        elif lower.endswith(_JSON):
            yield _read(source.name, str(source), source.open("rb"), budget)
        elif lower.endswith(".zip"):
            yield from _zip_members(source, budget)
        elif lower.endswith(_TAR):
            yield from _tar_members(source, budget)
        else:
            raise NetworkError("not a kind of file that can hold a network", source=source, expected=_ACCEPTED)


@contextmanager
def _as_network_error(source: object) -> Iterator[None]:
    try:
        yield
    except NetworkError:
        raise
    except PermissionError as error:
        hint = "you may not read it: give yourself the permission"
        raise NetworkError("cannot be read", source=error.filename or source, found=error.strerror, hint=hint) from None
    except _BROKEN as error:
        what = f"cannot be read ({type(error).__name__}: {str(error)[:200]})"
        hint = "the file may be damaged, or not of the kind its name says"
        raise NetworkError(what, source=source, hint=hint) from None


def _too_large(label: str, limit: int) -> NetworkError:
    return NetworkError(
        "larger than a description of a network can be",
        source=label,
        expected=f"at most {limit:,} bytes after decompression",
        hint="split the description into one file per Region and call",
    )


def _wanted(name: str) -> bool:
    """Whether a member counts: JSON by its suffix, nothing hidden, nothing of macOS's archives' shadows."""
    parts = name.replace("\\", "/").split("/")
    hidden = any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in parts)
    return not hidden and parts[-1].lower().endswith(_JSON)


def _order(name: str) -> tuple[str, ...]:
    return tuple(name.split("/"))


def _read(name: str, label: str, stream: IO[bytes], budget: _Budget) -> Member:
    """The whole member, decompressed; reads at most one byte more than allowed."""
    limit = budget.limits.member_bytes
    with _as_network_error(label), stream:
        if name.lower().endswith(".gz"):
            with gzip.GzipFile(fileobj=stream) as unpacked:
                data = unpacked.read(limit + 1)
        else:
            data = stream.read(limit + 1)
    budget.spend(label, len(data))
    return Member(name, label, data)


def _folder_members(root: Path, budget: _Budget) -> Iterator[Member]:
    names: list[str] = []
    for folder, _, files in os.walk(root, followlinks=False, onerror=_raise):
        relative = Path(folder).relative_to(root)
        names += [name for file in files if _wanted(name := (relative / file).as_posix())]
    for name in sorted(names, key=_order):
        file = root / name
        with _as_network_error(file):
            if stat.S_ISREG(file.stat().st_mode):
                yield _read(name, str(file), file.open("rb"), budget)


def _raise(error: OSError) -> None:
    raise error


def _zip_members(path: Path, budget: _Budget) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if _wanted(info.filename) and _is_plain(info)]
        for info in sorted(infos, key=lambda info: _order(info.filename)):
            label = f"{path}/{info.filename}"
            with _as_network_error(label):
                yield _read(_clean(info.filename), label, archive.open(info), budget)


def _is_plain(info: zipfile.ZipInfo) -> bool:
    """Not a folder, link or device (the Unix mode stands in the upper half of the attributes, if at all)."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    return not info.is_dir() and kind in (0, stat.S_IFREG)


class _Header(tarfile.TarInfo):
    """The header of a member. What `tarfile` takes for the end, but is no end mark, is an archive that was cut."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the end mark
                raise
            raise tarfile.ReadError(f"ends early or is damaged: {error}") from None


def _tar_members(path: Path, budget: _Budget) -> Iterator[Member]:
    """Read in one pass (a gzip stream cannot go back), then sorted."""
    members: list[Member] = []
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        bounded = _BoundedReader(stream, str(path), budget.limits.total_bytes)
        with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_Header) as archive:
            for info in archive:
                content = archive.extractfile(info) if info.isreg() and _wanted(info.name) else None
                if content is not None:
                    members.append(_read(_clean(info.name), f"{path}/{info.name}", content, budget))
            while rest := archive.fileobj.read(1 << 16):
                if rest.strip(b"\0"):
                    raise tarfile.ReadError("there is something after the archive's end")
    yield from sorted(members, key=lambda member: _order(member.name))


def _clean(name: str) -> str:
    """The name with plain slashes and without a leading `./`."""
    return name.replace("\\", "/").removeprefix("./")
