"""Every error flowcore raises on purpose.

FlowcoreError
├── InputError        a file, a table or a value the caller gave cannot be used
│   ├── NetworkError  ... in the description of a network
│   └── FlowError     ... in flows or flow logs
└── IncompleteError   the work was done, but more than the allowed share stayed undecided

The command line turns InputError into exit code 2 and IncompleteError into exit code 3.
"""

from __future__ import annotations

__all__ = ["FlowError", "FlowcoreError", "IncompleteError", "InputError", "NetworkError"]


class FlowcoreError(Exception):
    """Root of all errors raised by flowcore."""


class InputError(FlowcoreError):
    """Something the caller gave cannot be used: says where, what was found, what was expected, what to do.

    `source` is the file (or a name for an in-memory input), `where` the line, JSON path or column,
    `found` the offending value, `expected` what would have been accepted, `hint` the next step.
    """

    def __init__(
        self,
        message: str,
        *,
        source: object = None,
        where: str | None = None,
        found: object = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message, self.source, self.where = message, source, where
        self.found, self.expected, self.hint = found, expected, hint
        place = ": ".join(str(part) for part in (source, where) if part not in (None, ""))
        text = f"{place}: {message}" if place else message
        if found is not None:
            text += f"; found {_short(found)}"
        if expected:
            text += f"; expected {expected}"
        if hint:
            text += f". Hint: {hint}"
        super().__init__(text)


class NetworkError(InputError):
    """The description of a network cannot be read."""


class FlowError(InputError):
    """Flows or flow log records cannot be read."""


class IncompleteError(FlowcoreError):
    """The work was done, but more flows are UNKNOWN, or more lines were rejected, than the caller allowed."""


def _short(value: object, limit: int = 120) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a nest of thousands of lists
        text = f"a value of type {type(value).__name__} that is too large to show"
    return text if len(text) <= limit else text[: limit - 3] + "..."
