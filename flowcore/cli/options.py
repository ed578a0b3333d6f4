"""Options that several commands take, each defined once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ..errors import InputError

if TYPE_CHECKING:
    from ..pipeline import Wanted

Quiet = Annotated[bool, Parameter(name=("--quiet", "-q"), negative="", help="No messages on stderr but errors.")]
AssumeDefaults = Annotated[
    bool,
    Parameter(negative="", help="Where the snapshot lacks something, assume AWS's default for it instead of UNKNOWN."),
]
NetworkFolder = Annotated[Path, Parameter(help="Snapshot: a folder, or an archive of one, of describe-* JSON files.")]
Format = Literal["table", "json", "csv", "markdown"]
Threads = Annotated[
    int | None, Parameter(validator=Number(gte=1), help="Threads to work with. Default: one per processor.")
]
Seed = Annotated[int, Parameter(validator=Number(gte=0), help="The same seed makes the same files.")]

Since = Annotated[str | None, Parameter(help="Only records that end at or after this time, ISO 8601 (UTC) or Unix s.")]
Until = Annotated[str | None, Parameter(help="Only records that start before this time.")]
Accounts = Annotated[list[str] | None, Parameter(name="--account", negative="", help="Only this account; repeatable.")]
Regions = Annotated[list[str] | None, Parameter(name="--region", negative="", help="Only this Region; repeatable.")]
Interfaces = Annotated[
    list[str] | None, Parameter(name="--interface", negative="", help="Only this interface; repeatable.")
]


def wanted(
    since: str | None,
    until: str | None,
    accounts: Sequence[str] | None,
    regions: Sequence[str] | None,
    interfaces: Sequence[str] | None,
) -> Wanted | None:
    """The log records asked for; None for all. Raises InputError for a time that is none."""
    from ..pipeline import Wanted

    asked = Wanted(
        _time("--since", since), _time("--until", until),
        frozenset(accounts or ()), frozenset(regions or ()), frozenset(interfaces or ()),
    )  # fmt: skip
    return asked or None


def _time(name: str, text: str | None) -> int | None:
    """Unix seconds of a point in time; without a zone it is UTC, as the times of flow logs are."""
    from datetime import UTC, datetime

    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) > 8:
        if len(text) > 12:
            raise InputError("not a time", where=name, found=text, expected="Unix seconds, not milliseconds")
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        expected = "such as 2026-01-31, 2026-01-31T14:00 or Unix seconds"
        raise InputError("not a time", where=name, found=text, expected=expected) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def seconds_of(name: str, text: str | None) -> int | None:
    """The seconds of a length of time: "300", "300s", "5m", "1h", "1d". Raises InputError for anything else."""
    if text is None:
        return None
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    if not (number.isascii() and number.isdecimal() and len(number) <= 10 and int(number)):
        raise InputError("not a length of time", where=name, found=text, expected="seconds, or 5m, 1h, 1d")
    return int(number) * _UNITS[unit]


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def shard_of(text: str | None) -> tuple[int, int]:
    """The share "I/N" names. Raises InputError for anything else."""
    if text is None:
        return 1, 1
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise InputError("not a share", where="--shard", found=text, expected="I/N, 1/N to N/N")
    return int(index), int(count)
