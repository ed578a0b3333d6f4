"""What every edit is: a record with a name, and how it says that it does not fit the network."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from msgspec import Struct

from .changes import Draft
from .model import IPNetwork
from .sources.values import BadValueError, network

__all__ = ["Edit", "EditError", "as_network", "described", "is_egress", "not_there", "same_vpc"]

_DIRECTIONS = {"ingress": False, "egress": True}


class EditError(Exception):
    """An edit that does not fit the network: the field, what was found, what was expected."""

    def __init__(self, message: str, name: str = "", found: Any = None, expected: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.name, self.found = message, name, found
        self.expected, self.hint = expected or None, hint or None


class Edit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="edit"):
    """One change of a network. `name` is what it is called in answers; without one, what it does."""

    name: str = ""

    @property
    def verb(self) -> str:
        """What it is called in a file: "add rule"."""
        return str(self.__struct_config__.tag)

    @property
    def label(self) -> str:
        """What it does, in a few words."""
        parts = (getattr(self, field) for field in self.__struct_fields__ if field != "name")
        return " ".join([self.verb, *(str(part) for part in parts if part is not None)])

    def make(self, draft: Draft) -> None:
        """Makes the change. Raises EditError."""
        raise NotImplementedError


# -- what the fields say ----------------------------------------------------------------------------------


def described(draft: Draft, kind: str, record_id: str, name: str) -> Any:
    found = draft.get(kind, record_id)
    if found is None:
        raise not_there(record_id, draft.table(kind), name)
    return found


def not_there(record_id: str, known: Iterable[str], name: str) -> EditError:
    near = get_close_matches(record_id, list(known), 3, 0.5)
    hint = f"did you mean {', '.join(near)}?" if near else ""
    return EditError("is not in the network", name, record_id, "the id of something described", hint)


def as_network(text: str, name: str) -> IPNetwork:
    try:
        return network(text, name)
    except BadValueError as bad:
        raise EditError("cannot be understood", name, bad.found, bad.expected) from None


def is_egress(direction: str) -> bool:
    if direction not in _DIRECTIONS:
        raise EditError("cannot be understood", "direction", direction, "ingress or egress")
    return _DIRECTIONS[direction]


def same_vpc(one: str | None, other: str | None, name: str, found: str) -> None:
    if one != other:
        raise EditError(f"is in {one}, not in {other}", name, found, f"something in {other}")
