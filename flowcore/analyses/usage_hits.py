"""Sums of hits, and rules in words: what the parts of `usage` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import usagekernels as uk
from ..compile_usage import ACL_ENTRY, GROUP_RULE, Rule
from ..walk_rules import acl_entry_text, group_rule_text

Array = npt.NDArray[Any]


def empty_sums(size: int) -> Array:
    """Rows of nothing, see usagekernels."""
    sums = np.zeros((size, uk.SUM_WIDTH), np.int64)
    sums[:, uk.FIRST], sums[:, uk.LAST] = uk.NO_FIRST, uk.MISSING
    return sums


def add_sums(total: Array, more: Array) -> None:
    """Adds the rows of `more` to those of `total`."""
    total[:, : uk.FIRST] += more[:, : uk.FIRST]
    np.minimum(total[:, uk.FIRST], more[:, uk.FIRST], out=total[:, uk.FIRST])
    np.maximum(total[:, uk.LAST], more[:, uk.LAST], out=total[:, uk.LAST])


@dataclass
class Hits:
    """Sums of one rule in one role, there and on the way back; exact, without bound."""

    flows: int = 0
    records: int = 0
    packets: int = 0
    bytes: int = 0
    first: int | None = None
    last: int | None = None

    def add(self, row: list[int]) -> None:
        """Adds a row of sums."""
        self.flows += row[uk.FLOWS]
        self.records += row[uk.RECORDS]
        self.packets += row[uk.PACKETS] + (row[uk.PACKETS_HIGH] << 32)
        self.bytes += row[uk.BYTES] + (row[uk.BYTES_HIGH] << 32)
        if row[uk.FIRST] != uk.NO_FIRST:
            self.first = row[uk.FIRST] if self.first is None else min(self.first, row[uk.FIRST])
        if row[uk.LAST] != uk.MISSING:
            self.last = row[uk.LAST] if self.last is None else max(self.last, row[uk.LAST])


def clipped(value: int) -> int:
    """The nearest number that fits a column: sums of what files claim have no bound."""
    return max(-(1 << 63), min(value, (1 << 63) - 1))


def text_of(rule: Rule) -> str:
    """A rule in words."""
    record: Any = rule.record
    if rule.kind == GROUP_RULE:
        return group_rule_text(record)
    if rule.kind == ACL_ENTRY:
        return acl_entry_text(record)
    marks = (" (propagated)" if record.propagated else "") + (" (black hole)" if record.blackhole else "")
    return f"{record.destination} to {record.target_id}{marks}"
