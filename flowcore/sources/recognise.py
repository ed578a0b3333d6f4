"""What a file of text holds, told by its first lines: a flow log or a table of flows, and the order of its fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import FlowError
from .flowlogs import DEFAULT_COLUMNS, DESTINATIONS, SOURCES, TRANSIT_COLUMNS, TextLayout, header_columns, split_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .places import Location

#: Formats that are told by their first four bytes and not read, and what to do.
_OTHERS: Mapping[bytes, str] = {
    b"BZh": "bzip2", b"\xfd7zX": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip", b"ARRO": "Arrow IPC",
    b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16",
}  # fmt: skip

#: What CloudWatch Logs puts before a record: in exports the time, with `aws logs tail` the stream, too.
CLOUDWATCH_COLUMNS = ("@timestamp", "@logStream")

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_NAME = re.compile(r"[A-Za-z$\"'#][^.:]*")

_EXPECTED = (
    "a header line with field names, 14 fields of the default format, or Parquet; a table of flows as CSV begins with "
    "srcaddr,dstaddr,srcport,dstport,protocol"
)


def check_magic(path: Location, magic: bytes) -> None:
    """Raises FlowError for a file that begins as other formats do."""
    name = next((name for start, name in _OTHERS.items() if magic.startswith(start)), None)
    if name is not None:
        raise FlowError(f"is {name}", source=path, expected="text (UTF-8), gzip or Parquet", hint="convert it first")


def text_layout(path: Location, lines: Sequence[str], log_columns: tuple[str, ...] | None) -> TextLayout:
    """How to read a file with these first lines; the header decides (FL-07, FL-50). Raises FlowError if it is no flows.

    `log_columns`: the order of fields where there is no header. With spaces it is a log, with commas either.
    """
    first = lines[0]
    columns: tuple[str, ...] | None = header_columns(first)
    if columns is not None:
        if " ".join(words := first.split()) != first.strip(" "):
            raise _separated(path, first, words)
        return TextLayout(columns, True, " ")
    columns = split_header(first, ",")
    if "," in first and _has_addresses(columns):
        return TextLayout(columns, True, ",")
    for separator in ";|\t":
        if _has_addresses(split_header(first, separator)):
            raise _separated(path, first, first.split(separator))
    if first.lstrip()[:1] in ("{", "["):
        hint = "take the records out of it; from `aws logs filter-log-events`: jq -r '.events[].message'"
        raise FlowError("is JSON", source=path, expected=_EXPECTED, hint=hint)
    if log_columns is not None:
        return TextLayout((*_put_before(lines, log_columns), *log_columns), False, " ")
    if len(words := first.split()) == len(DEFAULT_COLUMNS) and all(map(_NAME.fullmatch, words)):
        hint = "name the fields as AWS does, or take the line away and give the log format"
        raise FlowError("a header with other names than those of fields", source=path, found=first[:80], hint=hint)
    before = _put_before(lines, DEFAULT_COLUMNS)
    default = (*before, *DEFAULT_COLUMNS)
    if any(len(words := _words(line)) == len(default) and words[len(before)].isdigit() for line in lines):
        return TextLayout(default, False, " ")
    before = _put_before(lines, TRANSIT_COLUMNS)
    transit = (*before, *TRANSIT_COLUMNS)
    if any(len(words := _words(line)) == len(transit) and words[len(before) + 1] == "TransitGateway" for line in lines):
        return TextLayout(transit, False, " ")
    raise FlowError(
        "not a flow log and not a table of flows",
        source=path,
        where="line 1",
        found=first[:80],
        expected=_EXPECTED,
        hint="for a flow log of another format without a header, give the log format",
    )


def _has_addresses(columns: tuple[str, ...]) -> bool:
    return not (SOURCES | DESTINATIONS).isdisjoint(columns)


def _separated(path: Location, first: str, words: Sequence[str]) -> FlowError:
    message = f"the {len(words)} fields of the header are not separated as they should be"
    expected = "single spaces in a log, commas in a table of flows"
    return FlowError(message, source=path, found=first[:80], expected=expected)


def _words(line: str) -> list[str]:
    return line.strip(" ").split(" ")


def _put_before(lines: Sequence[str], columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that CloudWatch Logs put before these."""
    for line in lines:
        words = _words(line)
        if _TIME.match(words[0]) and 0 < len(words) - len(columns) <= len(CLOUDWATCH_COLUMNS):
            return CLOUDWATCH_COLUMNS[: len(words) - len(columns)]
    return ()
