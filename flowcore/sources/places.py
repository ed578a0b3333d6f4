"""Where flows are: files, folders, globs and `s3://` addresses, and what the path of a flow log says about it.

AWS lays flow logs out by account, Region and time (FL-51…53). These parts of a path stay text, for an account may
begin with 0; they are used to pass over files that cannot hold what is asked for.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object in S3, as much of a path as readers need."""

    key: str
    """Bucket and key."""
    size: int
    modified: str

    def __str__(self) -> str:
        return f"s3://{self.key}"

    def open(self, mode: Literal["rb"] = "rb", /) -> IO[bytes]:
        """Its bytes. Raises OSError if it cannot be read."""
        stream: IO[bytes] = _s3().open_input_file(self.key)
        return stream


Location = Path | S3Object


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells whether a file is still the same: its path, size and time of its last change."""

    path: str
    size: int
    modified: str

    @classmethod
    def of(cls, place: Location) -> Identity:
        if isinstance(place, S3Object):
            return cls(str(place), place.size, place.modified)
        info = place.stat()
        return cls(str(place), info.st_size, str(info.st_mtime_ns))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are asked for. Empty and None: all. Times are Unix seconds: a record counts if it overlaps them."""

    since: int | None = None
    until: int | None = None
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    interfaces: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self != Wanted()

    def words(self) -> dict[str, frozenset[str]]:
        """Column -> its wanted words, for the columns that are asked for."""
        asked = {"account_id": self.accounts, "region": self.regions, "interface_id": self.interfaces}
        return {name: words for name, words in asked.items() if words}

    def may_be_in(self, path: str) -> bool:
        """Whether a file with this path may hold such records."""
        found = path_parts(path)
        if self.accounts and found.account is not None and found.account not in self.accounts:
            return False
        if self.regions and found.region is not None and found.region not in self.regions:
            return False
        if found.first is None or found.last is None:
            return True
        # The path tells when records end; one begins at most ten minutes and a minute of grace before (FL-03, FL-53).
        after = self.since is not None and found.last <= self.since
        before = self.until is not None and found.first - 660 >= self.until
        return not (after or before)


@dataclass(frozen=True, slots=True)
class PathParts:
    """What a path says: account and Region; records end at or after `first` and before `last`. None: it does not."""

    account: str | None = None
    region: str | None = None
    first: int | None = None
    last: int | None = None


_PLAIN = re.compile(r"AWSLogs/(?P<account>[^/=]+)/vpcflowlogs/(?P<region>[^/]+)/(?P<time>\d{4}/\d\d/\d\d(?:/\d\d)?)/")
_HIVE = re.compile(
    r"aws-account-id=(?P<account>[^/]+)/aws-service=vpcflowlogs/aws-region=(?P<region>[^/]+)/"
    r"year=(?P<year>\d{4})/month=(?P<month>\d\d?)/day=(?P<day>\d\d?)(?:/hour=(?P<hour>\d\d?))?/"
)
_NAME = re.compile(r"(?P<account>\d+)_vpcflowlogs_(?P<region>[^_/]+)_fl-[^_/]+_(?P<time>\d{8}T\d{4})Z_[^/]*$")


def path_parts(path: str) -> PathParts:
    """What the path of a flow log says; the name is more exact than the folders."""
    if match := _NAME.search(path):
        return _within(match["account"], match["region"], match["time"], "%Y%m%dT%H%M", 300)
    if match := _HIVE.search(path):
        hour = match["hour"]
        text = f"{match['year']}/{int(match['month']):02}/{int(match['day']):02}/{int(hour or 0):02}"
        return _within(match["account"], match["region"], text, "%Y/%m/%d/%H", 3600 if hour else 86400)
    if match := _PLAIN.search(path):
        text, hourly = match["time"], match["time"].count("/") == 3
        form, seconds = ("%Y/%m/%d/%H", 3600) if hourly else ("%Y/%m/%d", 86400)
        return _within(match["account"], match["region"], text, form, seconds)
    return PathParts()


def _within(account: str, region: str, text: str, form: str, seconds: int) -> PathParts:
    try:
        first = int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return PathParts(account, region)
    return PathParts(account, region, first, first + seconds)


# -- listing ----------------------------------------------------------------------------------------------


def locations(source: str | os.PathLike[str]) -> Iterator[tuple[Location, bool]]:
    """The files of one source, and whether it names the file itself.

    Raises InputError for what does not exist, and for pipes: what is in there can be read only once.
    """
    text = os.fspath(source)
    if text.startswith("s3://"):
        yield from _objects(text)
        return
    if "://" in text:
        raise InputError("flows are not read from there", found=text, expected="a file, a folder, a glob or s3://")
    path = Path(text)
    if path.is_dir():
        yield from ((found, False) for found in _files_below(path))
    elif path.is_file():
        yield path, True
    elif path.exists():
        hint = "files are read more than once: write it to a file first"
        raise InputError("is a pipe or a device, not a file", source=text, hint=hint)
    elif glob.has_magic(text) and (names := sorted(glob.glob(text, recursive=True))):
        for name in map(Path, names):
            yield from ((inside, False) for inside in ([name] if name.is_file() else _files_below(name)))
    else:
        raise InputError(
            "no such file, folder or glob", source=text, hint="relative paths start from the current folder"
        )


def _files_below(folder: Path) -> Iterator[Path]:
    """The files below, sorted. Links to folders are followed, and no folder is read twice: by its own place first."""
    found, seen, starts = list[Path](), set[str](), [folder]
    for start in starts:  # which grows
        for here, folders, names in os.walk(start):
            real = os.path.realpath(here)
            folders[:] = [] if real in seen else sorted(name for name in folders if name[0] not in "._")
            if real not in seen:
                seen.add(real)
                starts += [link for name in folders if (link := Path(here) / name).is_symlink()]
                found += [Path(here) / name for name in names if name[0] not in "._"]
    yield from sorted(path for path in found if path.is_file())


def _s3() -> Any:
    """S3 as the environment describes it now: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION, credentials."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return _file_system(endpoint, region, os.environ.get("AWS_PROFILE"), os.environ.get("AWS_ACCESS_KEY_ID"))


@cache
def _file_system(endpoint: str | None, region: str | None, *_who: str | None) -> Any:
    """One for each: making it takes a while. Credentials are found as the AWS SDK finds them."""
    from pyarrow.fs import S3FileSystem

    options: dict[str, Any] = {} if region is None else {"region": region}
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        options |= {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https"}
    return S3FileSystem(**options)


def _objects(text: str) -> Iterator[tuple[Location, bool]]:
    """The objects an `s3://` address names: one, all below a prefix, or those a glob matches."""
    from pyarrow import ArrowException
    from pyarrow.fs import FileSelector, FileType

    key = text.removeprefix("s3://").rstrip("/")
    pattern = None
    if glob.has_magic(key):
        pattern = _glob(key)
        while glob.has_magic(key):
            key = key.rpartition("/")[0]
    if not key or key.startswith("/"):
        raise InputError("no bucket is named", found=text, expected="s3://bucket/prefix")
    try:
        info = _s3().get_file_info(key)
        if info.type == FileType.File and pattern is None:
            yield S3Object(info.path, info.size, str(info.mtime_ns)), True
            return
        below = _s3().get_file_info(FileSelector(key, recursive=True, allow_not_found=False))
    except (OSError, ArrowException) as error:
        raise InputError("cannot be read", source=text, found=str(error).splitlines()[0][:200]) from None
    found = [o for o in below if o.type == FileType.File and (not pattern or pattern.fullmatch(o.path))]
    if not found:
        raise InputError("no such object, prefix or glob", source=text)
    for o in sorted(found, key=lambda o: str(o.path)):
        if pattern or not any(part[0] in "._" for part in o.path.removeprefix(key).strip("/").split("/")):
            yield S3Object(o.path, o.size, str(o.mtime_ns)), False


def _glob(pattern: str) -> re.Pattern[str]:
    """The regular expression of a glob: `*` stays within a folder, `**` does not."""
    text = "".join(
        {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part)
        or (f"[{'^' if part[1] == '!' else ''}{part[1:-1].lstrip('!')}]" if part[0] == "[" and len(part) > 2
            else re.escape(part))
        for part in re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|[^*?\[]+|\[", pattern)
    )  # fmt: skip
    return re.compile(text)


def resolved(place: Location) -> Collection[Any]:
    """What tells a file apart however it is named, and its folders: the first is the file itself."""
    if isinstance(place, S3Object):
        return [str(place)]
    path = place.resolve()
    return [path, *path.parents]
