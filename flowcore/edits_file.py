"""A file of edits, JSON or TOML, decoded: `{"edits": [{"edit": "add route", …}, …]}`."""

from __future__ import annotations

import os
import re
from typing import Any

import msgspec

from . import edits_routes, edits_rules
from .edits_base import Edit
from .errors import NetworkError
from .sources.values import utf8_of

__all__ = ["EDITS", "decode_edits"]

#: What an edit is called in a file -> its record.
EDITS: dict[str, type[Edit]] = {
    str(kind.__struct_config__.tag): kind
    for module in (edits_rules, edits_routes)
    for kind in (getattr(module, name) for name in module.__all__)
}
_HINT = 'docs/edits.md shows what may stand in it: {"edits": [{"edit": "remove route", "table": "rtb-…", …}]}'
_MAX_BYTES = 1 << 26


def decode_edits(path: str | os.PathLike[str]) -> tuple[Edit, ...]:
    """The edits of a file, in order. Raises NetworkError with the file, the place, what stands there and what may."""
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise NetworkError(f"the edits cannot be read ({error.strerror})", source=name) from None
    if len(data) > _MAX_BYTES:
        raise NetworkError("larger than 64 MiB", source=name, hint=_HINT)
    toml = name.lower().endswith(".toml")
    try:
        plain = (msgspec.toml if toml else msgspec.json).decode(utf8_of(data))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        form = "TOML" if toml else "JSON"
        raise NetworkError(f"not {form} ({error})", source=name, expected=f"complete {form}", hint=_HINT) from None
    if not isinstance(plain, dict) or set(plain) != {"edits"} or not isinstance(plain["edits"], list):
        found = sorted(plain)[:5] if isinstance(plain, dict) else type(plain).__name__
        raise NetworkError(
            "not a file of edits", source=name, where="$", found=found, expected="one key, edits: a list", hint=_HINT
        )
    return tuple(_edit(name, i, item) for i, item in enumerate(plain["edits"]))


def _edit(name: str, number: int, item: Any) -> Edit:
    where = f"$.edits[{number}]"
    verb = item.get("edit") if isinstance(item, dict) else None
    shape = EDITS.get(verb) if isinstance(verb, str) else None
    if shape is None:
        raise NetworkError(
            "cannot be understood",
            source=name,
            where=f"{where}.edit" if isinstance(item, dict) else where,
            found=verb if isinstance(item, dict) else item,
            expected=f"one of {', '.join(sorted(EDITS))}",
        )
    try:
        return msgspec.convert(item, shape)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `")
        steps = path.rstrip("`").removeprefix("$")
        wanted = re.match(r"Expected `(.+?)`", problem)
        raise NetworkError(
            "cannot be understood",
            source=name,
            where=where + steps,
            found=_at(item, steps),
            expected=wanted.group(1) if wanted else problem[:1].lower() + problem[1:],
            hint=_fields(shape),
        ) from None


def _at(item: Any, steps: str) -> Any:
    key = steps.removeprefix(".")
    return item.get(key) if key else None


def _fields(shape: type[Edit]) -> str:
    fields = msgspec.structs.fields(shape)
    return "fields: " + ", ".join(f.encode_name + ("" if f.required else " (optional)") for f in fields)
