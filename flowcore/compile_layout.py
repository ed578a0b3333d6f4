"""Where policies, ACL lists and profiles stand in the tables: one VPC appended after another, equal pages kept once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from .compile_policies import Atoms, EntryArrays, GroupRules, random_keys
from .compile_routes import outcome_tables
from .errors import NetworkError
from .interpreted import for_work

Array = npt.NDArray[Any]

_TOO_LARGE = "no network within AWS's quotas is that large (1,000 rules an interface); compile a part of it"

CHUNK_CELLS = 1 << 22
"""Rows x classes built at a time: bounds the memory of compiling a very large VPC (32 MiB)."""
WIDE_PORTS = 4096
"""Port classes from which columns are paged: a row for each policy would be too large."""
INTERFACE_OUTCOME = outcome_tables()["route_outcome"][0].astype(np.uint32)


@dataclass
class VpcPlan:
    """What is collected for one VPC before its tables are built."""

    vpc_id: str
    by_group: Atoms
    by_prefix: Atoms
    rules: GroupRules
    policies: list[tuple[EntryArrays, int, bool]] = field(default_factory=list)
    """Group policies: ingress, egress of each set of groups."""
    pairs: dict[tuple[str, ...] | None, int] = field(default_factory=dict)
    """Sorted group ids (None: not described) -> first of its two policies, counted in this VPC."""
    lists: list[tuple[EntryArrays, int, bool]] = field(default_factory=list)
    """ACL lists: ingress, egress of each ACL."""
    acls: dict[str | None, int] = field(default_factory=dict)
    profiles: dict[tuple[str | None, str | None], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a policy stands in the tables."""

    pages: int
    cells: int
    columns: int


class Parts:
    """Policies and profiles of all VPCs, appended one VPC at a time. Number 0 of each passes everything."""

    def __init__(self, n_group_ports: int, n_acl_ports: int, most_classes: int) -> None:
        self._n_group_ports, self._n_acl_ports = n_group_ports, n_acl_ports
        self.first_policy: dict[str, int] = {}
        self.first_profile: dict[str, int] = {}
        self.acl_columns: dict[str, list[int]] = {}
        self.policies: list[Place] = []
        self.profile_start: list[int] = []
        wide = n_group_ports > WIDE_PORTS
        self._paged_columns = SharedPages(1 << k.COLUMN_PAGE_BITS, np.uint16) if wide else None
        self._columns: list[Array] = [np.zeros(max(n_group_ports, 2 * n_acl_ports), np.uint16)]
        self._known_columns: dict[bytes, int] = {}
        self._n_columns = self._columns[0].size
        self._cells: list[Array] = [np.zeros(1, np.uint32)]
        self._n_cells = 1
        self._policy_pages = SharedPages(1 << k.CLASS_PAGE_BITS, np.uint32)
        self._profile_pages = SharedPages(4 << k.PROFILE_PAGE_BITS, np.uint32)
        # The passing policies and profile, asked with classes of any VPC. Column 0 of row 0 is cell 0: pass.
        pages = self._policy_pages.add(np.zeros((1, most_classes), np.uint16))[0]
        columns = self._paged_columns.add(np.zeros((1, n_group_ports), np.uint16))[0] if self._paged_columns else 0
        self.policies += [Place(pages, 0, columns)] * 2
        self.profile_start += self._profile_pages.add(np.zeros((1, 4 * most_classes), np.uint32))

    def _build(
        self, entries: k.Entries, atoms: Atoms, representative: Array, n_ports: int
    ) -> Iterable[tuple[Array, Array, Array]]:
        """Chunks of policies: row starts [policies, classes], columns [policies, ports], cells' start [policies]."""
        n_policies, n_classes = entries.tail.size, representative.size
        keys = random_keys(max(entries.atom.size, 1))
        atom_start, atom_class = atoms.classes(representative)
        step = max(1, CHUNK_CELLS // max(n_classes, n_ports))
        for first in range(0, n_policies, step):
            last = min(first + step, n_policies)
            columns = np.zeros((last - first, n_ports), np.int64)
            rows, places = np.zeros((last - first, n_classes), np.int64), np.zeros(last - first, np.int64)
            cells = self._painted(
                entries, first, last, keys, atom_start, atom_class, n_classes, n_ports, columns, rows, places
            )
            if columns.max(initial=0) >= 1 << 16:
                raise NetworkError(
                    "a set of security groups, or an ACL, tells apart more than 65,535 port ranges", hint=_TOO_LARGE
                )
            places += self._n_cells
            self._cells.append(cells)
            self._n_cells += cells.size
            yield rows, columns.astype(np.uint16), places
        if self._n_cells >= 1 << 32:
            raise NetworkError("the compiled network needs more than 2^32 cells", hint=_TOO_LARGE)

    def _painted(self, entries: k.Entries, *how: Any) -> Array:
        """Cells of some policies; see `kernels.build_policies`."""
        first, last, n_classes = how[0], how[1], how[5]
        build = for_work(k.build_policies, (last - first) * n_classes)
        return build(entries, *how)  # type: ignore[no-any-return]

    def _add_columns(self, row: Array) -> int:
        """Where a row of columns starts; equal rows are kept once."""
        key = row.tobytes()
        if key not in self._known_columns:
            self._known_columns[key] = self._n_columns
            self._columns.append(row)
            self._n_columns += row.size
        return self._known_columns[key]

    def add_policies(self, vpc: VpcPlan, entries: k.Entries, representative: Array) -> None:
        """The group policies of a VPC."""
        self.first_policy[vpc.vpc_id] = len(self.policies)
        for rows, columns, places in self._build(entries, vpc.by_group, representative, self._n_group_ports):
            pages = self._policy_pages.add(rows)
            starts = (
                self._paged_columns.add(columns) if self._paged_columns else [self._add_columns(row) for row in columns]
            )
            self.policies += [Place(*place) for place in zip(pages, places.tolist(), starts, strict=True)]

    def add_profiles(
        self, vpc: VpcPlan, entries: k.Entries, representative: Array, routes: dict[str | None, Array]
    ) -> None:
        """The ACL lists of a VPC, and its (ACL, route table) profiles, whose pages hold the lists' cell rows."""
        chunks = list(self._build(entries, vpc.by_prefix, representative, self._n_acl_ports))
        self.acl_columns[vpc.vpc_id] = []
        lists = np.zeros((0, representative.size), np.int64)
        if chunks:
            lists = np.concatenate([rows + places[:, None] for rows, _, places in chunks])
            columns = np.concatenate([columns for _, columns, _ in chunks]).reshape(-1, 2 * self._n_acl_ports)
            self.acl_columns[vpc.vpc_id] = [self._add_columns(pair) for pair in columns]
        self.first_profile[vpc.vpc_id] = len(self.profile_start)
        for acl_id, table_id in vpc.profiles:
            ingress, route = vpc.acls[acl_id], routes[table_id]
            row = np.zeros((representative.size, 4), np.uint32)
            row[:, 0], row[:, 1], row[:, 3] = lists[ingress + 1], lists[ingress], route
            row[:, 2] = INTERFACE_OUTCOME[route & 255] << k.LABEL_BITS | route >> 8
            self.profile_start += self._profile_pages.add(row.reshape(1, -1))

    def tables(self) -> dict[str, Array]:
        """The fields of kernels.Tables that this holds."""
        column, column_page = np.concatenate(self._columns), np.zeros(0, np.uint32)
        if self._paged_columns is not None:
            column_page = np.array(self._paged_columns.directory, np.uint32) + np.uint32(column.size)
            column = np.concatenate((column, self._paged_columns.joined()))
        return {
            "policy_page": np.array(self._policy_pages.directory, np.uint32),
            "policy_row": narrowed(self._policy_pages.joined()),
            "profile_page": np.array(self._profile_pages.directory, np.uint32),
            "profile_row": self._profile_pages.joined(),
            "column": column,
            "column_page": column_page,
            "acl_classes": np.array([self._n_acl_ports], np.int64),
            "cells": np.concatenate(self._cells),
        }


def profile_place(vpc: VpcPlan, parts: Parts, acl_id: str | None, table_id: str | None) -> tuple[int, int]:
    """Where the pages of a subnet's (ACL, route table) start, and the columns of its ACL's lists."""
    profile = parts.first_profile[vpc.vpc_id] + vpc.profiles[acl_id, table_id]
    return parts.profile_start[profile], parts.acl_columns[vpc.vpc_id][vpc.acls[acl_id] // 2]


class SharedPages:
    """Rows cut into pages of one size; equal pages are kept once (1,067 MiB became 35 MiB on 10,000 interfaces)."""

    def __init__(self, size: int, dtype: Any) -> None:
        self._size, self._dtype = size, dtype
        self._pages: list[Array] = [np.zeros(size, dtype)]
        self._known: dict[bytes, int] = {self._pages[0].tobytes(): 0}
        self.directory: list[int] = []

    def add(self, rows: Array) -> list[int]:
        """Append rows; where each row's pages start in the directory."""
        count, width = rows.shape
        n_pages = max(1, -(-width // self._size))
        padded = np.zeros((count, n_pages * self._size), self._dtype)
        padded[:, :width] = rows
        cut = padded.reshape(-1, self._size)
        starts = [len(self.directory) + n_pages * row for row in range(count)]
        distinct, inverse = distinct_rows(cut)
        numbers = np.array([self._number(cut[index]) for index in distinct], np.int64)
        self.directory.extend((numbers[inverse] * self._size).tolist())
        return starts

    def _number(self, page: Array) -> int:
        key = page.tobytes()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self._pages)
            self._pages.append(page.copy())
        return found

    def joined(self) -> Array:
        """All pages, end to end."""
        return np.concatenate(self._pages)


def port_tables(group_port: Array, acl_port: Array) -> dict[str, Array]:
    """`port_page` and `port_class`: both classes of each place on the port axis, in shared pages."""
    shared = SharedPages(2 << k.PORT_PAGE_BITS, np.uint32)
    shared.add(np.stack((group_port, acl_port), axis=1).reshape(1, -1))
    return {"port_page": np.array(shared.directory, np.uint32), "port_class": shared.joined()}


def port_classes_of(tables: dict[str, Array], key: int) -> tuple[int, int]:
    """Port class for group policies, and for ACL lists, of a place on the port axis."""
    place = int(tables["port_page"][key >> k.PORT_PAGE_BITS]) + (key & ((1 << k.PORT_PAGE_BITS) - 1)) * 2
    return int(tables["port_class"][place]), int(tables["port_class"][place + 1])


def narrowed(starts: Array) -> Array:
    """As uint16 where that holds every value: half the cache lines. Thousands of rules on one interface need uint32."""
    return starts.astype(np.uint16) if starts.max(initial=0) < 1 << 16 else starts


def distinct_rows(rows: Array) -> tuple[Array, Array]:
    """(index of one of each distinct row, number of each row's kind); by a random hash, then compared in full."""
    weights = random_keys(rows.shape[1]) | np.uint64(1)
    hashes = np.zeros(rows.shape[0], np.uint64)
    for column in range(rows.shape[1]):
        hashes += rows[:, column].astype(np.uint64) * weights[column]
        hashes ^= hashes >> np.uint64(29)
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    if not np.array_equal(rows[first[inverse]], rows):
        return np.arange(rows.shape[0]), np.arange(rows.shape[0])
    return first, inverse
