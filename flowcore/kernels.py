"""The compiled loops, the array bundles they read, and the codes they write: a closed file, but for `kernels_long`.

It imports NumPy, Numba and Numba's llvmlite and nothing of ours, on purpose: Numba's disk cache looks only at the file
a kernel stands in, so everything that machine code depends on has to be here, or in `kernels_long`, which builds on it.
The cache folder is keyed by a hash of both files' text (see `_cache_folder`), so an edited or upgraded kernel never
meets old machine code. That is also why these files are longer than the others. `tests/test_kernels.py` holds the codes
here against `flowcore.schema`.

How a flow is judged here (docs/semantics.md is the procedure, this is its fast form):
  address -> node          16-8-8 pages (IPv4), sorted intervals (IPv6); a node: addresses that nothing tells apart
  two nodes -> case        which ends are ours, and so which stages apply
  per side                 remote class -> row of the group policy; row of both ACL lists and the route
  row x port class -> word outcome and deciding rule of that stage
  words -> columns         masks of denying and undecided stages; the first one gives reason and stage
Each step is its own short loop over a block of flows, so that the cache misses of many flows overlap
(one loop over flows doing everything ran at 40 % of the rate on 2 MiB of tables).
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# -- codes ---------------------------------------------------------------------------------------------

ACCEPT, REJECT, UNKNOWN, NULL8 = 0, 1, 2, 255
NULL32 = 0xFFFFFFFF

# Outcome word of a stage: rule label + 1 in the low 24 bits (0: none), outcome in the high 8:
# 0 pass, 1 + reason deny, 129 + reason unknown.
LABEL_BITS = 24
LABEL_MASK = (1 << LABEL_BITS) - 1
DENY, UNSURE = 1, 129
UNDECIDED = 0xFFFFFFFF
# LONG: an undecided outcome that means "something stands in between: kernels_long judges this flow". It never leaves:
# `reason` holds TO_BE_WALKED until then.
LONG = 255
TO_BE_WALKED = 254

# Stages in compact form (bit = position here); `blocked_by` spreads them out, see spread_stages.
S_SOURCE, S_CHECK, S_SG_OUT, S_ACL_OUT, S_ROUTE, S_GATEWAY, S_ACL_IN, S_SG_IN, S_DESTINATION = range(9)
S_REPLY_ACL_OUT, S_REPLY_ROUTE, S_REPLY_GATEWAY, S_REPLY_ACL_IN = range(9, 13)
N_STAGES = 13
FORWARD_MASK = 0x1FF
REPLY_MASK = 0x1E00
#: The stages with a rule column, in the order of schema.RULE_STAGES; those that only special flows have.
RULE_STAGES = (S_SG_OUT, S_ACL_OUT, S_ROUTE, S_ACL_IN, S_SG_IN, S_REPLY_ACL_OUT, S_REPLY_ROUTE, S_REPLY_ACL_IN)
SPECIAL_STAGES = (S_SOURCE, S_CHECK, S_GATEWAY, S_DESTINATION, S_REPLY_GATEWAY)
LONG_STAGES = (S_SOURCE, S_ROUTE, S_GATEWAY, S_DESTINATION, S_REPLY_ROUTE, S_REPLY_GATEWAY)
STAGES_SAME_SUBNET = 1 << S_SOURCE | 1 << S_SG_OUT | 1 << S_SG_IN | 1 << S_DESTINATION
AFTER_ROUTE = (
    1 << S_ACL_IN | 1 << S_SG_IN | 1 << S_DESTINATION | 1 << S_REPLY_ACL_OUT | 1 << S_REPLY_ROUTE | 1 << S_REPLY_ACL_IN
)
STAGES_SAME_VPC = 1 << S_SOURCE | 1 << S_SG_OUT | 1 << S_ACL_OUT | 1 << S_ROUTE | AFTER_ROUTE

# Port axis: every (protocol, port | ICMP type and code | nothing) there is, in one row.
TCP_BASE, UDP_BASE, ICMP_BASE, ICMPV6_BASE = 0, 65536, 131072, 131072 + 65793
OTHER_BASE = ICMPV6_BASE + 65793
TCP_EPHEMERAL, UDP_EPHEMERAL = OTHER_BASE + 256, OTHER_BASE + 257  # any of 1024-65535; only ACLs are asked (NA-16)
PORT_AXIS_SIZE = OTHER_BASE + 258
EPHEMERAL_FIRST, EPHEMERAL_LAST = 1024, 65535
ICMP_CODES = 257  # 256 codes and "code not known"; key = type * 257 + code
ICMP_TYPE_UNKNOWN_KEY = 256 * ICMP_CODES

COLUMN_PAGE_BITS = 7
PORT_PAGE_BITS = 6
CLASS_PAGE_BITS = 5
PROFILE_PAGE_BITS = 4

# Columns of a node row: one cache line of 64 bytes.
(
    N_CODES, N_VPC, N_SUBNET, N_INTERFACE,
    N_GATEWAY, N_PEER, N_CLASSES, N_PROFILE_PAGES,
    N_INGRESS_PAGES, N_INGRESS_CELLS, N_INGRESS_COLUMNS, N_INGRESS_ACL_COLUMNS,
    N_EGRESS_PAGES, N_EGRESS_CELLS, N_EGRESS_COLUMNS, N_EGRESS_ACL_COLUMNS,
) = range(16)  # fmt: skip
NODE_WIDTH = 16
# N_CODES: source code | destination code from its own VPC << 8 | ... from another VPC << 16 | ... from outside << 24
# N_VPC: VPC number in the low 24 bits | edge outcome (0 pass, 1 black hole, 2 unmodelled, 3 long) << 24
#        | destination outcome (0 pass, 1 detached, 2 long) << 26
# N_CLASSES: where the VPC's part of remote_class starts.
# N_PROFILE_PAGES: where the pages of its ACL and route table start.
# N_INGRESS_*, N_EGRESS_*: the group policy: start of its pages, of its cells, of its columns.
# N_*_ACL_COLUMNS: columns of the ACL's ingress list; the egress list's follow. The same twice: each is loaded with the
# three before it (see open_four).
# N_GATEWAY: outcome codes: out by internet gateway | out by egress-only << 8 | in by private << 16 | in by public << 24
VPC_MASK = (1 << 24) - 1

# Source codes; the first five are interfaces: plain ones, detached ones, those whose stage `source` is long.
(
    SRC_INTERFACE, SRC_DETACHED, SRC_ENDPOINT, SRC_CLASSIC, SRC_LONG_DETACHED,
    SRC_INTERNET, SRC_RFC1918, SRC_RFC6598, SRC_IPV6_PRIVATE,
    SRC_AMBIGUOUS, SRC_UNKNOWN, SRC_UNMODELLED, SRC_INVALID, SRC_NO_INTERFACE, SRC_FOREIGN_CHECKED, SRC_FOREIGN,
    SRC_REDIRECT,
) = range(17)  # fmt: skip
LAST_INSIDE = SRC_LONG_DETACHED

# Destination codes, seen from an interface (first fourteen) or from outside the network.
(
    DST_LOCAL, DST_INTERNET, DST_RFC1918, DST_RFC6598, DST_IPV6_PRIVATE, DST_UNROUTABLE, DST_IPV6_OTHER_VPC,
    DST_PUBLIC, DST_NEVER, DST_SERVICE, DST_UNFORWARDED, DST_LINK_LOCAL, DST_AMBIGUOUS, DST_RESERVED, DST_UNKNOWN,
    DST_IN_PRIVATE, DST_IN_PUBLIC, DST_IN_AMBIGUOUS, DST_IN_UNKNOWN, DST_OUTSIDE,
) = range(20)  # fmt: skip

# Cases (what a pair of source and destination code means).
CASE_LOCAL, CASE_OUT, CASE_PUBLIC, CASE_IN, CASE_SERVICE, CASE_FIXED = range(6)
GATE_NONE, GATE_INTERNET, GATE_EGRESS_ONLY = range(3)

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

# -- disk cache ----------------------------------------------------------------------------------------


def source_key() -> str:
    """Hash of what machine code depends on: the text of all kernel files, Numba's version and NumPy's."""
    here = Path(__file__)
    text = b"\0".join(file.read_bytes() for file in sorted(here.parent.glob("kernels*.py")))
    versions = f"{numba.__version__} {np.__version__} {sys.version_info[:2]}".encode()
    return hashlib.sha256(text + b"\0" + versions).hexdigest()[:16]


def _usable(folder: Path) -> bool:
    """Whether `folder` can be made, belongs to us and nobody else may write there (cache files are code)."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        info = folder.stat()
        if hasattr(os, "getuid") and (info.st_uid != os.getuid() or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _cache_folder() -> Path | None:
    """First usable of $FLOWCORE_CACHE_DIR, $NUMBA_CACHE_DIR, the user cache, a private temporary folder."""
    key = f"kernels-{source_key()}"
    chosen = [Path(value) for name in ("FLOWCORE_CACHE_DIR", "NUMBA_CACHE_DIR") if (value := os.environ.get(name))]
    for root in chosen:
        if _usable(root / key):
            return root / key
    if chosen:
        return None
    own = []
    try:
        base = os.environ.get("XDG_CACHE_HOME")
        own.append((Path(base) if base else Path.home() / ".cache") / "flowcore")
    except RuntimeError:  # no home folder
        pass
    try:
        user = os.getuid() if hasattr(os, "getuid") else "user"
        own.append(Path(tempfile.gettempdir()) / f"flowcore-{user}")
    except OSError:  # nowhere to write at all
        pass
    for root in own:  # the folder above must be ours too: its owner could put another one in our place
        if _usable(root) and _usable(root / key):
            return root / key
    return None


#: Whether functions stay as they are: in `flowcore.interpreted`, or for all with NUMBA_DISABLE_JIT=1.
KERNELS_ARE_PLAIN = __name__.startswith("flowcore.interpreted.") or bool(numba.config.DISABLE_JIT)
CACHE_FOLDER = None if KERNELS_ARE_PLAIN else _cache_folder()


def kernel(function: Any, **options: Any) -> Any:
    """A kernel that Python calls: njit without the GIL, cached in CACHE_FOLDER if there is one.

    Compiles at the first call.
    """
    if KERNELS_ARE_PLAIN:
        return function
    if CACHE_FOLDER is None:
        return numba.njit(nogil=True, **options)(function)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE_FOLDER)  # read once, when the decorator sets the cache up
    try:
        return numba.njit(nogil=True, cache=True, **options)(function)
    finally:
        numba.config.CACHE_DIR = before


def step(function: Any, **options: Any) -> Any:
    """A part of a kernel, called by kernels only: has no door for Python, and no file of its own in the cache.

    Half of the first compilation went into doors that nobody used (41 s; now see docs/benchmarks.md).
    """
    if KERNELS_ARE_PLAIN:
        return function
    return numba.njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function)


plain_step = partial(step, _nrt=False)  # counts no references to arrays, so it cannot make any

# -- bundles -------------------------------------------------------------------------------------------


class Tables(NamedTuple):
    """A compiled network. All arrays C-contiguous and read-only; one dtype per field, always."""

    root: np.ndarray  # uint32[views * 65536]  bit 31: split; else position in `middle`
    middle: np.ndarray  # uint32[]             bit 31: split; else position in `leaf`
    leaf: np.ndarray  # uint32[]               node
    ipv6_start: np.ndarray  # int64[views + 1]  each view's part of the next three
    ipv6_high: np.ndarray  # uint64[]          first address of an interval, upper half
    ipv6_low: np.ndarray  # uint64[]           lower half
    ipv6_node: np.ndarray  # uint32[]
    node: (
        np.ndarray
    )  # uint32[(nodes + interfaces) * NODE_WIDTH]  see N_*; after them a "foreign packet" row an interface
    view_of_vpc: np.ndarray  # uint32[vpcs]
    duplicate: np.ndarray  # uint64[n, 6]      interface, first address (upper, lower half), last address, node
    remote_class: np.ndarray  # uint32[vpcs * nodes * 2]  class for group policies, class for ACLs and routes
    policy_page: np.ndarray  # uint32[]             start of a page in policy_row (pages of 32 classes)
    policy_row: np.ndarray  # uint16|uint32[]       start of a row in the policy's cells
    profile_page: np.ndarray  # uint32[]            start of a page in profile_row (pages of 16 classes, 4 values each)
    profile_row: np.ndarray  # uint32[]             cells of the egress row, of the ingress row, word of the route
    #                                               to an interface, label of the route << 8 | route code
    #                                               (flat arrays: a second dimension costs a multiplication a look-up)
    port_page: np.ndarray  # uint32[]               by place on the port axis: start of a page in port_class
    port_class: np.ndarray  # uint32[]              pages of 64 ports, 2 values each: port class for group policies,
    #                                               for ACL lists; equal pages are shared, so few are ever read
    column: np.ndarray  # uint16[]                  cell of a row, by port class
    column_page: np.ndarray  # uint32[] or [0]      with very many port classes: start of a page of 128 in `column`
    acl_classes: np.ndarray  # int64[1]             port classes for ACLs: columns of one list
    cells: np.ndarray  # uint32[]                   outcome words
    route_outcome: np.ndarray  # uint8[4, 256]      route code -> outcome: to an interface, outwards, return
    #                                                outwards, to what is never forwarded (RT-12)
    route_gate: np.ndarray  # uint8[256]            GATE_*
    route_gate_outcome: np.ndarray  # uint8[256]    gateway not described, not attached
    route_path: np.ndarray  # uint8[256]            path code
    case: np.ndarray  # uint8[17, 20]               CASE_* | far pick << 3 | far remote pick << 5
    applies: np.ndarray  # uint16[288]              stages that apply, by situation (see _hard)
    way: np.ndarray  # uint8[6, 2]                  path code by case and same subnet; WAY_BY_ROUTE: by the route
    fixed: np.ndarray  # uint32[17, 20]             CASE_FIXED: compact stage << 8 | outcome
    source_in_outcome: np.ndarray  # uint8[17]      inbound by source code
    destination_out_outcome: np.ndarray  # uint8[20]  outbound by destination code
    port_base: np.ndarray  # int64[256]             protocol -> start of its part of the port axis
    icmp_reply: np.ndarray  # int64[2, 257]         request type -> reply key, -1 no reply, ICMP_TYPE_UNKNOWN_KEY
    first_stage: np.ndarray  # uint8[8192]          lowest set bit of a compact stage mask
    constants: np.ndarray  # uint32[8]              see C_*
    n_nodes: np.ndarray  # int64[1]                 nodes, before the rows of foreign packets


(
    C_UNFILTERED, C_BAD_STATE, C_BLACKHOLE, C_UNSUPPORTED, C_INTERNET_ROUTE, C_INTERNET_PATH,
    C_OUT_STAGES, C_IN_STAGES,
) = range(8)  # fmt: skip
WAY_BY_ROUTE = 254
PICK_NOBODY, PICK_END, PICK_PEER = range(3)


class Flows(NamedTuple):
    """Columns of flows, row by row. `family` 4, 6 or 0 (invalid: UNKNOWN). Unused arrays have length 0."""

    source: np.ndarray  # uint32[n]          IPv4
    destination: np.ndarray  # uint32[n]
    source_port: np.ndarray  # uint16[n]
    destination_port: np.ndarray  # uint16[n]
    protocol: np.ndarray  # uint8[n]
    family: np.ndarray  # uint8[n] or [0]: all IPv4 and valid
    source6: np.ndarray  # uint64[n, 2] or [0, 2]
    destination6: np.ndarray  # uint64[n, 2] or [0, 2]
    interface: np.ndarray  # int32[n] or [0]: interface number, -1 not given, -2 not described
    icmp_key: np.ndarray  # int32[n] or [0]: type * 257 + code, where known


class Verdicts(NamedTuple):
    """Columns of verdicts: codes of flowcore.schema, label numbers of the compiled network; all ones is null."""

    verdict: np.ndarray  # uint8[n]
    forward: np.ndarray  # uint8[n]
    reply: np.ndarray  # uint8[n]
    reason: np.ndarray  # uint8[n]
    stage: np.ndarray  # uint8[n]
    path: np.ndarray  # uint8[n]
    blocked_by: np.ndarray  # uint32[n]
    src_interface: np.ndarray  # uint32[n]
    dst_interface: np.ndarray  # uint32[n]
    rules: np.ndarray  # uint32[8, n]  in the order of schema.RULE_STAGES
    targets: np.ndarray  # uint16[n]   only kernels_long writes these two
    reachable_targets: np.ndarray  # uint16[n]


COUNTS = ("targets", "reachable_targets")
NULL16 = 0xFFFF


def empty_verdicts(count: int) -> Verdicts:
    """Columns for `count` verdicts, not yet filled."""
    small = {name: np.empty(count, np.uint8) for name in ("verdict", "forward", "reply", "reason", "stage", "path")}
    wide = {name: np.empty(count, np.uint32) for name in ("blocked_by", "src_interface", "dst_interface")}
    counts = {name: np.empty(count, np.uint16) for name in COUNTS}
    return Verdicts(**small, **wide, rules=np.empty((len(RULE_STAGES), count), np.uint32), **counts)


# -- building ------------------------------------------------------------------------------------------


class Entries(NamedTuple):
    """Ordered entries of many policies (a policy: the groups of an interface, or one ACL, in one direction)."""

    start: np.ndarray  # int64[policies + 1]
    atom: np.ndarray  # int64[entries]       remote
    word: np.ndarray  # uint32[entries]      outcome word of a definite match
    maybe: np.ndarray  # uint32[entries]     outcome word of a match that may be
    remote_maybe: np.ndarray  # uint8[entries]
    span: np.ndarray  # int64[entries]       which list of port spans
    span_start: np.ndarray  # int64[lists + 1]
    span_low: np.ndarray  # int64[spans]     port classes [low, high)
    span_high: np.ndarray  # int64[spans]
    span_maybe: np.ndarray  # uint8[spans]   0: covers its ports; 1: may cover them (ICMP), 2: (ephemeral port)
    tail: np.ndarray  # uint32[policies]     outcome word when nothing matches
    is_acl: np.ndarray  # uint8[policies]
    undecidable: np.ndarray  # uint32[3]     outcome word by kind of span_maybe: none, ICMP type, ephemeral port


@step
def _holds(classes, low, high, wanted):
    """Whether the ascending classes[low:high] hold `wanted`."""
    while low < high:
        middle = (low + high) >> 1
        if classes[middle] < wanted:
            low = middle + 1
        elif classes[middle] > wanted:
            high = middle
        else:
            return True
    return False


@step
def _paint(entries, policy, columns, n_columns, atom_start, atom_class, wanted, pending, words):
    """Fill words[:n_columns] with the outcome of `policy` for remotes of class `wanted`."""
    for column in range(n_columns):
        words[column] = UNDECIDED
        pending[column] = 0
    acl = entries.is_acl[policy]
    for entry in range(entries.start[policy], entries.start[policy + 1]):
        atom = entries.atom[entry]
        if not _holds(atom_class, atom_start[atom], atom_start[atom + 1], wanted):
            continue
        allow = entries.word[entry] >> LABEL_BITS == 0
        for span in range(entries.span_start[entries.span[entry]], entries.span_start[entries.span[entry] + 1]):
            kind = entries.span_maybe[span]
            unsure = kind or entries.remote_maybe[entry]
            last = columns[entries.span_high[span] - 1]
            for column in range(columns[entries.span_low[span]], last + 1):
                if words[column] != UNDECIDED:
                    continue
                if acl:  # ordered: entries that may match must agree with the one that does
                    if unsure:
                        pending[column] |= (1 if allow else 2) | kind << 2
                    elif pending[column] == 0 or pending[column] & 3 == (1 if allow else 2):
                        words[column] = entries.word[entry]
                    else:
                        words[column] = entries.undecidable[pending[column] >> 2]
                elif not unsure:  # groups only allow: any definite match decides
                    words[column] = entries.word[entry]
                elif pending[column] == 0:
                    pending[column] = entries.maybe[entry] if entries.remote_maybe[entry] else entries.undecidable[kind]
    for column in range(n_columns):
        if words[column] == UNDECIDED:
            if pending[column] == 0 or (acl and pending[column] & 3 == 2):
                words[column] = entries.tail[policy]
            else:
                words[column] = entries.undecidable[pending[column] >> 2] if acl else pending[column]


@step
def _merge_columns(matrix, n_rows, n_columns, merged):
    """Number equal columns of matrix[:n_rows, :n_columns] alike (into `merged`); how many remain."""
    kept = np.empty(n_columns, np.int64)
    count = 0
    for column in range(n_columns):
        number = count
        for other in range(count):
            equal = True
            for row in range(n_rows):
                if matrix[row, column] != matrix[row, kept[other]]:
                    equal = False
                    break
            if equal:
                number = other
                break
        if number == count:
            kept[count] = column
            count += 1
        merged[column] = number
    return count


@step
def _row_number(matrix, n_rows, n_columns, words):
    """The row of matrix[:n_rows] that equals words, or n_rows."""
    for row in range(n_rows):
        equal = True
        for column in range(n_columns):
            if matrix[row, column] != words[column]:
                equal = False
                break
        if equal:
            return row
    return n_rows


@step
def _cut_columns(entries, policy, n_ports, own):
    """Number the port classes that the entries of `policy` cut apart (into `own`); how many there are."""
    mark = np.zeros(n_ports + 1, np.uint8)
    for entry in range(entries.start[policy], entries.start[policy + 1]):
        for span in range(entries.span_start[entries.span[entry]], entries.span_start[entries.span[entry] + 1]):
            mark[entries.span_low[span]] = 1
            mark[entries.span_high[span]] = 1
    column = 0
    for port in range(n_ports):
        if port > 0 and mark[port]:
            column += 1
        own[port] = column
    return column + 1


@step
def _longer(values, used, size):
    """values[:used] in an array of `size`.

    Loops, not slices: a slice assignment compiles its error text, 6 s of it.
    """
    result = np.empty(size, np.uint32)
    for position in range(used):
        result[position] = values[position]
    return result


@step
def _taller(matrix):
    """`matrix` with room for twice the rows."""
    result = np.empty((2 * matrix.shape[0], matrix.shape[1]), np.uint32)
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            result[row, column] = matrix[row, column]
    return result


@kernel
def build_policies(entries, first, last, keys, atom_start, atom_class, n_classes, n_ports, columns, rows, places):
    """Cells of policies [first, last), as small as they go: equal rows and equal columns of a policy are kept once.

    Fills columns[policy - first, port class], rows[policy - first, class] (start of the row in the policy's cells;
    0: no entry holds the remote) and places[policy - first] (where its cells start in what is returned).
    `keys`: one random 64-bit number an entry. Remote classes with the same XOR of the keys of the entries that hold
    them share a row; the keys are drawn anew for every build, so nobody can arrange for two sets to collide.
    """
    cells, used = np.empty(1 << 16, np.uint32), 0
    signature = np.zeros(n_classes, np.uint64)
    table_size = 16
    while table_size < 2 * n_classes + 2:
        table_size *= 2
    slot_key, slot_row = np.zeros(table_size, np.uint64), np.zeros(table_size, np.int64)
    slot_stamp = np.zeros(table_size, np.int64) - 1
    words, pending = np.empty(n_ports + 1, np.uint32), np.empty(n_ports + 1, np.uint32)
    merged = np.empty(n_ports + 1, np.int64)
    for policy in range(first, last):
        for remote in range(n_classes):
            signature[remote] = 0
        for entry in range(entries.start[policy], entries.start[policy + 1]):
            atom = entries.atom[entry]
            for position in range(atom_start[atom], atom_start[atom + 1]):
                signature[atom_class[position]] ^= keys[entry]
        own = columns[policy - first]
        n_columns = _cut_columns(entries, policy, n_ports, own)
        matrix, n_rows = np.empty((16, n_columns), np.uint32), 0
        for remote in range(-1, n_classes):
            key = np.uint64(0) if remote < 0 else signature[remote]
            slot = np.int64(key & np.uint64(table_size - 1))
            while slot_stamp[slot] == policy and slot_key[slot] != key:
                slot = (slot + 1) & (table_size - 1)
            if slot_stamp[slot] != policy:
                _paint(entries, policy, own, n_columns, atom_start, atom_class, remote, pending, words)
                number = _row_number(matrix, n_rows, n_columns, words)
                if number == n_rows:
                    if n_rows == matrix.shape[0]:
                        matrix = _taller(matrix)
                    for column in range(n_columns):
                        matrix[n_rows, column] = words[column]
                    n_rows += 1
                slot_stamp[slot], slot_key[slot], slot_row[slot] = policy, key, number
            if remote >= 0:
                rows[policy - first, remote] = slot_row[slot]
        width = _merge_columns(matrix, n_rows, n_columns, merged)
        if used + n_rows * width > cells.size:
            cells = _longer(cells, used, 2 * cells.size + n_rows * width)
        for column in range(n_columns):
            for row in range(n_rows):
                cells[used + row * width + merged[column]] = matrix[row, column]
        for port in range(n_ports):
            own[port] = merged[own[port]]
        for remote in range(n_classes):
            rows[policy - first, remote] *= width
        places[policy - first] = used
        used += n_rows * width
    return _longer(cells, used, used)


# -- looking up ----------------------------------------------------------------------------------------


if KERNELS_ARE_PLAIN:

    def prefetch(values, place):
        """Nothing: see below."""

    prefetch_to_write = prefetch

    def open_four(values, x, places, width, first, i, to):
        """Four numbers of each of eight lines, into four rows of scratch: see below."""
        for own in range(i, i + 8):
            line = np.int64(x[places + own]) * width + first
            for column in range(4):
                x[to[column] + own] = values[line + column]

else:
    _EIGHT = ir.VectorType(ir.IntType(32), 8)

    def _shuffled(builder, one, other, places):
        return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places))

    def _twos(builder, one, other):
        """The lower, and the upper, two of each four numbers of both, in turns."""
        return (
            _shuffled(builder, one, other, [0, 8, 1, 9, 4, 12, 5, 13]),
            _shuffled(builder, one, other, [2, 10, 3, 11, 6, 14, 7, 15]),
        )

    def _pairs(builder, one, other):
        """As `_twos`, pairs of numbers at a time."""
        return (
            _shuffled(builder, one, other, [0, 1, 8, 9, 4, 5, 12, 13]),
            _shuffled(builder, one, other, [2, 3, 10, 11, 6, 7, 14, 15]),
        )

    def _array(context, builder, kind, value):
        return context.make_array(kind)(context, builder, value)

    def _store(builder, value, data, row):
        place = builder.gep(data, [row])
        builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=1)

    def _asked(context, builder, signature, arguments, to_write):
        data = _array(context, builder, signature.args[0], arguments[0]).data
        at = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [at.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [at.type], kind)
        builder.call(function, [at, number(to_write), number(3), number(1)])  # into all caches, data
        return context.get_dummy_value()

    @intrinsic
    def prefetch(context, values, place):
        """Asks for the cache line of values[place]; a place where nothing is does no harm.

        A loop that only asks overlaps more cache misses than one that also uses what it finds. Asking one loop ahead:
        124 to 95 ns a flow of even traffic on 10,000 interfaces, the same on 1,000, whose tables are near; looking for
        the lines of the memo: 21 to 5 ns on 10,000, 11 to 6 on 1,000.
        """
        return types.none(values, types.uint64), partial(_asked, to_write=0)

    @intrinsic
    def prefetch_to_write(context, values, place):
        """The same for a line that will be written."""
        return types.none(values, types.uint64), partial(_asked, to_write=1)

    @intrinsic
    def open_four(context, values, x, places, width, first, i, to):
        """Four numbers of each of eight lines, into four rows of scratch: x[to[column] + i + flow], for eight flows,
        from values[x[places + i + flow] * width + first + column].

        One wide load a line, then eight values of a column at a time, so that what is made of them can be made in wide
        registers. With the loops that allows (`_cases`, `_rows`): 11 to 8 of 25 ns a flow, 1,000 interfaces, Zen 5.
        """

        def generate(context, builder, signature, arguments):
            data, scratch = (_array(context, builder, signature.args[n], arguments[n]).data for n in range(2))
            places, width, first, i = arguments[2:6]
            four, lines = ir.VectorType(ir.IntType(32), 4), []
            for flow in range(8):
                at = builder.add(builder.add(places, i), ir.Constant(i.type, flow))
                line = builder.mul(builder.zext(builder.load(builder.gep(scratch, [at])), width.type), width)
                place = builder.gep(data, [builder.add(line, first)])
                lines.append(builder.load(builder.bitcast(place, four.as_pointer()), align=4))
            both = [_shuffled(builder, lines[n], lines[n + 4], list(range(8))) for n in range(4)]
            (one, two), (three, four) = _twos(builder, both[0], both[1]), _twos(builder, both[2], both[3])
            columns = (*_pairs(builder, one, three), *_pairs(builder, two, four))
            for number, column in enumerate(columns):
                at = builder.extract_value(arguments[6], number)
                _store(builder, column, scratch, builder.add(at, i))
            return context.get_dummy_value()

        number = types.int64
        return types.none(values, x, number, number, number, number, types.UniTuple(number, 4)), generate


@plain_step
def _find_ipv4(root, middle, leaf, view, address):
    """Node of one IPv4 address (the block loops write the same look-up out)."""
    entry = np.int64(root[(view << 16) + (address >> 16)])
    entry = np.int64(middle[(entry & 0x7FFFFFFF) + ((address >> 8 & 255) & -(entry >> 31))])
    return np.int64(leaf[(entry & 0x7FFFFFFF) + ((address & 255) & -(entry >> 31))])


@plain_step
def _find_ipv6(start, highs, lows, nodes, view, high, low):
    """Node of one IPv6 address: branch-free search for the last interval that starts at or before it.

    A branchy search ran 2-3.4 times slower on the native target.
    """
    base = start[view]
    size = start[view + 1] - base
    while size > 1:
        half = size >> 1
        probe = base + half
        before = (highs[probe] < high) | ((highs[probe] == high) & (lows[probe] <= low))
        base += half * before
        size -= half
    return np.int64(nodes[base])


@kernel
def find_ipv4(tables, view, address):
    """Node of one IPv4 address in a view."""
    return _find_ipv4(tables.root, tables.middle, tables.leaf, view, address)


@kernel
def find_ipv6(tables, view, high, low):
    """Node of one IPv6 address (upper, lower half) in a view."""
    return _find_ipv6(tables.ipv6_start, tables.ipv6_high, tables.ipv6_low, tables.ipv6_node, view, high, low)


@plain_step
def _ipv6_node(tables, view, halves):
    """Node of one IPv6 address given as (upper, lower) half."""
    return _find_ipv6(
        tables.ipv6_start, tables.ipv6_high, tables.ipv6_low, tables.ipv6_node, view, halves[0], halves[1]
    )


@plain_step
def _source_at_interface(
    node, duplicate, view_of_vpc, root, middle, leaf, start, highs, lows, nodes, n_nodes, interface, family, high, low
):
    """Source node of a flow whose interface is given, or -2 (docs/semantics.md, section 2, source step 2).

    The tables are named one by one: a call with all of them as its argument took 270 ns.
    """
    foreign = n_nodes + interface
    vpc = np.int64(node[foreign * NODE_WIDTH + N_VPC]) & VPC_MASK if interface >= 0 else 0
    if vpc == 0:
        return np.int64(2)  # not described, or in no VPC
    view = np.int64(view_of_vpc[vpc])
    if family == 6:
        found = _find_ipv6(start, highs, lows, nodes, view, high, low)
    else:
        found = _find_ipv4(root, middle, leaf, view, np.int64(low))
    place = found * NODE_WIDTH
    if node[place + N_INTERFACE] == interface and node[place + N_CODES] & 255 != SRC_REDIRECT:
        return found
    peer = np.int64(node[place + N_PEER])
    if peer != NULL32 and node[peer * NODE_WIDTH + N_INTERFACE] == interface:
        return peer
    for line in range(duplicate.shape[0]):
        own = duplicate[line]
        after_first = own[1] < high or (own[1] == high and own[2] <= low)
        before_last = own[3] > high or (own[3] == high and own[4] >= low)
        if own[0] == np.uint64(interface) and after_first and before_last:
            return np.int64(own[5])
    return np.int64(foreign)


# Scratch of one block, one row a value: a single array at fixed offsets leaves registers for the tables.
# Blocks are long enough that the cache misses of many flows overlap and a loop's beginning and end count little, and
# short enough for the near caches (ns a flow, 1,000 interfaces, Zen 5: 128: 30 even, 17.4 skewed; 256: 26.9, 12.6;
# 512: 26.0, 11.2; 1,024: 26.3, 10.5. On processors with a smaller L1 cache 256 and 1,024 were alike before).
BLOCK = 512
(
    X_SOURCE, X_DESTINATION, X_NEAR, X_FAR, X_FAR_REMOTE, X_KIND, X_MASK, X_STOPS, X_UNSURES,
    X_GROUP_PORT, X_ACL_PORT, X_ACL_BACK, X_CELLS, X_COLUMNS, X_EGRESS, X_INGRESS, X_ACL_COLUMNS, X_THERE, X_BACK,
    X_PATH, X_ONE_WAY, X_SPECIAL, X_HARD, X_LISTED, X_VERDICTS, X_DECIDING, X_SOURCE_END, X_DESTINATION_END, X_WORDS,
) = (BLOCK * row for row in range(29))  # fmt: skip
SCRATCH_SIZE = X_WORDS + N_STAGES * BLOCK
W_SG_OUT, W_ACL_OUT, W_ROUTE = X_WORDS + S_SG_OUT * BLOCK, X_WORDS + S_ACL_OUT * BLOCK, X_WORDS + S_ROUTE * BLOCK
W_ACL_IN, W_SG_IN = X_WORDS + S_ACL_IN * BLOCK, X_WORDS + S_SG_IN * BLOCK
W_REPLY_ACL_OUT, W_REPLY_ROUTE = X_WORDS + S_REPLY_ACL_OUT * BLOCK, X_WORDS + S_REPLY_ROUTE * BLOCK
W_REPLY_ACL_IN = X_WORDS + S_REPLY_ACL_IN * BLOCK
# Rows whose values come late hold others before: in step 2 what tells plain flows, in step 3 what a side's node says.
X_HERE_CODES, X_HERE_VPC, X_HERE_SUBNET = X_STOPS, X_UNSURES, X_VERDICTS
X_THERE_CODES, X_THERE_VPC, X_THERE_SUBNET = X_DECIDING, X_HARD, X_LISTED
X_CLASSES, X_PAGES, X_OWN_CELLS, X_OWN_COLUMNS, X_UNUSED = X_STOPS, X_UNSURES, X_VERDICTS, X_DECIDING, X_LISTED


@plain_step
def _ipv4_nodes(root, middle, leaf, node, address, start, count, x, to):
    """Step 1: node of each IPv4 address. Rows are counted unsigned: a signed one may be negative, and is asked.

    One look-up a loop, and what is between two in a loop for wide registers: 1.75 to 1.55 ns.
    """
    first, most, last = np.uint64(start), np.uint32(0x7FFFFFFF), np.uint32(31)
    byte, eight = np.uint32(255), np.uint32(8)
    for i in range(count):
        x[to + i] = root[address[first + np.uint64(i)] >> np.uint32(16)]
    for i in range(count):
        entry, own = x[to + i], address[first + np.uint64(i)]
        x[to + i] = (entry & most) + (own >> eight & byte & (np.uint32(0) - (entry >> last)))
    for i in range(count):
        x[to + i] = middle[x[to + i]]
    for i in range(count):
        entry, own = x[to + i], address[first + np.uint64(i)]
        x[to + i] = (entry & most) + (own & byte & (np.uint32(0) - (entry >> last)))
    for i in range(count):
        found = leaf[x[to + i]]
        prefetch(node, np.uint64(found) * np.uint64(NODE_WIDTH))
        x[to + i] = found


@plain_step
def _other_sources(tables, flows, start, count, x):
    """Step 1a: node of each source that is no IPv4 address, or whose interface is told."""
    root, middle, leaf = tables.root, tables.middle, tables.leaf
    if flows.family.size:
        for i in range(count):
            family = flows.family[start + i]
            if family == 6:
                x[X_SOURCE + i] = _ipv6_node(tables, 0, flows.source6[start + i])
            elif family == 0:
                x[X_SOURCE + i] = 0
    if flows.interface.size:
        node, one_view = tables.node, root.size == 65536
        for i in range(count):
            interface, found = np.int64(flows.interface[start + i]), np.int64(x[X_SOURCE + i])
            place, code = found * NODE_WIDTH, node[found * NODE_WIDTH + N_CODES] & 255
            # mostly it is the one that the address alone tells
            told = one_view & (node[place + N_INTERFACE] == interface) & (node[place + N_VPC] & VPC_MASK != 0)
            if interface != -1 and found != 0 and not (told & (code != SRC_REDIRECT)):
                family, high, low = 4, np.uint64(0), np.uint64(flows.source[start + i])
                if flows.family.size and flows.family[start + i] == 6:
                    family, high, low = 6, flows.source6[start + i, 0], flows.source6[start + i, 1]
                x[X_SOURCE + i] = _source_at_interface(
                    node, tables.duplicate, tables.view_of_vpc, root, middle, leaf,
                    tables.ipv6_start, tables.ipv6_high, tables.ipv6_low, tables.ipv6_node,
                    tables.n_nodes[0], interface, family, high, low,
                )  # fmt: skip


@plain_step
def _other_destinations(tables, flows, start, count, x):
    """Step 1b: node of each destination, in the view of the source's VPC (two VPCs may share a CIDR)."""
    root, middle, leaf, node = tables.root, tables.middle, tables.leaf, tables.node
    one_view = tables.root.size == 65536
    for i in range(count):
        view = np.int64(0)
        row = np.int64(x[X_SOURCE + i]) * NODE_WIDTH
        if node[row + N_CODES] & 255 == SRC_REDIRECT:  # a public address stands for the private one it is mapped to
            x[X_SOURCE + i] = node[row + N_PEER]
            row = np.int64(node[row + N_PEER]) * NODE_WIDTH
        if not one_view and node[row + N_CODES] & 255 <= LAST_INSIDE:
            view = np.int64(tables.view_of_vpc[node[row + N_VPC] & VPC_MASK])
        family = 4
        if flows.family.size:
            family = np.int64(flows.family[start + i])
        if family == 4:
            x[X_DESTINATION + i] = _find_ipv4(root, middle, leaf, view, np.int64(flows.destination[start + i]))
        elif family == 6:
            x[X_DESTINATION + i] = _ipv6_node(tables, view, flows.destination6[start + i])
        else:
            x[X_DESTINATION + i] = 1


@plain_step
def _cases(node, cases, way, count, x):
    """Step 2: which nodes' rules are asked, for whom, and which stages apply. How many flows are special.

    Most flows go between two plain interfaces of one VPC, and need no more than the first loops. The others are listed
    (X_SPECIAL) and get what they need afterwards, so that they cost these nothing.
    """
    for i in range(0, count, 8):  # some flows past the last one too: their nodes are those of an earlier block
        open_four(node, x, X_SOURCE, NODE_WIDTH, N_CODES, i, (X_HERE_CODES, X_HERE_VPC, X_HERE_SUBNET, X_SOURCE_END))
        to = (X_THERE_CODES, X_THERE_VPC, X_THERE_SUBNET, X_DESTINATION_END)
        open_four(node, x, X_DESTINATION, NODE_WIDTH, N_CODES, i, to)
    same_subnet_path, same_vpc_path = np.uint32(way[CASE_LOCAL, 1]), np.uint32(way[CASE_LOCAL, 0])
    byte, vpc = np.uint32(0xFF), np.uint32(VPC_MASK)
    for i in range(count):  # a plain loop, for wide registers
        x[X_NEAR + i], x[X_FAR + i], x[X_FAR_REMOTE + i] = x[X_SOURCE + i], x[X_DESTINATION + i], x[X_SOURCE + i]
        subnet, other = x[X_HERE_SUBNET + i], x[X_THERE_VPC + i]
        same = (subnet == x[X_THERE_SUBNET + i]) & (subnet != 0)
        x[X_MASK + i] = np.uint32(STAGES_SAME_SUBNET) if same else np.uint32(STAGES_SAME_VPC)
        x[X_PATH + i] = same_subnet_path if same else same_vpc_path
        # plain: source code 0 (SRC_INTERFACE), same VPC, destination code from there 0 (DST_LOCAL), nothing on its end
        codes = x[X_HERE_CODES + i] & byte | x[X_THERE_CODES + i] & byte << np.uint32(8)
        x[X_KIND + i] = codes | (x[X_HERE_VPC + i] ^ other) & vpc | other >> np.uint32(26)
    n_special = 0
    for i in range(count):
        x[X_SPECIAL + n_special] = i
        n_special += np.int64(x[X_KIND + i] != 0)
    for place in range(n_special):
        i = np.int64(x[X_SPECIAL + place])
        start, end = np.int64(x[X_SOURCE + i]), np.int64(x[X_DESTINATION + i])
        here, there = start * NODE_WIDTH, end * NODE_WIDTH
        first = np.int64(node[here + N_CODES]) & 255
        if first == SRC_REDIRECT:
            start = np.int64(node[here + N_PEER])
            x[X_SOURCE + i], here = start, start * NODE_WIDTH
            first = np.int64(node[here + N_CODES]) & 255
        inside = first <= LAST_INSIDE
        same_vpc = ((node[here + N_VPC] ^ node[there + N_VPC]) & VPC_MASK) == 0
        shift = (8 if same_vpc else 16) if inside else 24
        second = np.int64(node[there + N_CODES]) >> shift & 255
        case = np.int64(cases[first, second])
        own, peer = np.int64(node[here + N_PEER]), np.int64(node[there + N_PEER])
        own = own if own != NULL32 else 1
        # the picks are 0 (nobody), 1 (the end), 2 (its peer); arithmetic, since a chain of selects becomes branches
        pick, pick_remote = case >> 3 & 3, case >> 5
        x[X_KIND + i] = case & 7 | second << 8 | first << 16
        x[X_NEAR + i] = start if inside else 1
        far = (pick == PICK_END) * end + (pick == PICK_PEER) * peer + (pick == PICK_NOBODY)
        x[X_FAR + i] = far
        x[X_SOURCE_END + i], x[X_DESTINATION_END + i] = node[here + N_INTERFACE], node[far * NODE_WIDTH + N_INTERFACE]
        remote = (pick_remote == PICK_END) * start + (pick_remote == PICK_PEER) * own
        x[X_FAR_REMOTE + i] = remote + (pick_remote == PICK_NOBODY)
    return n_special


@plain_step
def _rows(
    node, remote_class, policy_page, policy_row, profile_page, profile, count, x, nodes, remotes, pages, word, route
):
    """Step 3, one side: where the cells of its group policy and ACL lists for its remote stand, and its route there.

    Many loops, though one would load less: the look-ups of a loop do not depend on each other then, so that those of
    many flows overlap (three in place of one, 10,000 interfaces, even traffic: 233 to 167 ns a flow; 1,000: the same),
    and each asks for what the next ones look up. What needs no look-up stands in loops for wide registers.
    """
    u = np.uint32
    count = (count + 7) & -8  # past the last flow too: their nodes are those of an earlier block
    for i in range(0, count, 8):
        open_four(node, x, nodes, NODE_WIDTH, N_GATEWAY, i, (X_UNUSED, X_UNUSED, X_CLASSES, X_EGRESS))
        open_four(node, x, nodes, NODE_WIDTH, pages, i, (X_PAGES, X_OWN_CELLS, X_OWN_COLUMNS, X_ACL_COLUMNS))
    for i in range(count):
        place = x[X_CLASSES + i] + x[remotes + i]
        prefetch(remote_class, np.uint64(place) * np.uint64(2))
        x[X_CLASSES + i] = place
    for i in range(count):
        place = np.uint64(x[X_CLASSES + i]) * np.uint64(2)
        x[X_COLUMNS + i], x[X_INGRESS + i] = remote_class[place], remote_class[place + np.uint64(1)]
    for i in range(count):
        by_group, by_prefix = x[X_COLUMNS + i], x[X_INGRESS + i]
        x[X_CELLS + i] = x[X_PAGES + i] + (by_group >> u(CLASS_PAGE_BITS))
        x[X_COLUMNS + i] = by_group & u((1 << CLASS_PAGE_BITS) - 1)
        x[X_EGRESS + i] = x[X_EGRESS + i] + (by_prefix >> u(PROFILE_PAGE_BITS))
        x[X_INGRESS + i] = (by_prefix & u((1 << PROFILE_PAGE_BITS) - 1)) << u(2)
    for i in range(count):
        prefetch(policy_page, np.uint64(x[X_CELLS + i]))
        x[X_INGRESS + i] = profile_page[x[X_EGRESS + i]] + x[X_INGRESS + i]
    for i in range(count):
        place = policy_page[x[X_CELLS + i]] + x[X_COLUMNS + i]
        prefetch(policy_row, np.uint64(place))
        x[X_COLUMNS + i] = place
    for i in range(0, count, 8):
        open_four(profile, x, X_INGRESS, 1, 0, i, (X_EGRESS, X_INGRESS, word, route))
    for i in range(count):
        x[X_CELLS + i] = policy_row[x[X_COLUMNS + i]]
    for i in range(count):
        x[X_CELLS + i] = x[X_CELLS + i] + x[X_OWN_CELLS + i]
        x[X_COLUMNS + i] = x[X_OWN_COLUMNS + i]


@plain_step
def port_classes(pages, classes, key):
    """Port class for group policies, and for ACL lists, of a place on the port axis."""
    place = np.int64(pages[key >> PORT_PAGE_BITS]) + (key & ((1 << PORT_PAGE_BITS) - 1)) * 2
    return classes[place], classes[place + 1]


@plain_step
def _ports(pages, classes, bases, protocols, sources, destinations, start, count, x):
    """Step 4: port classes of the packet there and the packet back (destination port only: SG-10, NA-06).

    X_ONE_WAY: the flow asks for no reply (ICMP errors and replies). Whether there is ICMP: `_icmp_ports` knows it.
    """
    first, bits, most = np.uint64(start), np.uint64(PORT_PAGE_BITS), np.uint64((1 << PORT_PAGE_BITS) - 1)
    any_icmp = 0
    for i in range(count):
        row = first + np.uint64(i)
        base = bases[protocols[row]]
        ports = 0xFFFF if base < ICMP_BASE else 0
        there = np.uint64(base + (destinations[row] & ports))
        place = np.uint64(pages[there >> bits]) + (there & most) * np.uint64(2)
        x[X_GROUP_PORT + i] = classes[place]
        x[X_ACL_PORT + i] = classes[place + np.uint64(1)]
        back = np.uint64(base + (sources[row] & ports))
        x[X_ACL_BACK + i] = classes[np.uint64(pages[back >> bits]) + (back & most) * np.uint64(2) + np.uint64(1)]
        any_icmp |= np.int64(base >= ICMP_BASE)
    for i in range(count):
        x[X_ONE_WAY + i] = 0
    return any_icmp


@plain_step
def _icmp_ports(pages, classes, bases, replies, protocols, keys, start, count, x):
    """Step 4a: the same of ICMP and ICMPv6, whose types and codes stand where others have ports."""
    for i in range(count):
        protocol = protocols[start + i]
        if protocol == ICMP or protocol == ICMPV6:
            base = bases[protocol]
            key = np.int64(ICMP_TYPE_UNKNOWN_KEY)
            if keys.size:
                key = np.int64(keys[start + i])
            reply = replies[1 if protocol == ICMPV6 else 0, key // ICMP_CODES]
            x[X_GROUP_PORT + i], x[X_ACL_PORT + i] = port_classes(pages, classes, base + key)
            _, x[X_ACL_BACK + i] = port_classes(pages, classes, base + max(reply, 0))
            x[X_ONE_WAY + i] = np.int64(reply < 0)


@plain_step
def _words(
    column, cells, column_page, size, count, x, group_word, egress_port, ingress_port, egress_word, ingress_word
):
    """Step 5, one side: outcome words of its group policy and of both lists of its ACL."""
    if column_page.size:
        for i in range(count):
            own = np.int64(x[X_GROUP_PORT + i])
            page = np.int64(column_page[np.int64(x[X_COLUMNS + i]) + (own >> COLUMN_PAGE_BITS)])
            place = np.int64(column[page + (own & ((1 << COLUMN_PAGE_BITS) - 1))]) + np.int64(x[X_CELLS + i])
            prefetch(cells, np.uint64(place))
            x[X_CELLS + i] = place
    else:
        for i in range(count):
            place = np.int64(column[np.int64(x[X_COLUMNS + i]) + np.int64(x[X_GROUP_PORT + i])])
            place += np.int64(x[X_CELLS + i])
            prefetch(cells, np.uint64(place))
            x[X_CELLS + i] = place
    for i in range(count):
        columns = np.int64(x[X_ACL_COLUMNS + i])
        cell = np.int64(column[columns + size + np.int64(x[egress_port + i])])
        x[egress_word + i] = cells[np.int64(x[X_EGRESS + i]) + cell]
        cell = np.int64(column[columns + np.int64(x[ingress_port + i])])
        x[ingress_word + i] = cells[np.int64(x[X_INGRESS + i]) + cell]
    for i in range(count):
        x[group_word + i] = cells[x[X_CELLS + i]]


@plain_step
def _first_of(first, second, third):
    """The first outcome that is not pass."""
    return first if first else (second if second else third)


@plain_step
def _edge(constants, vpc_word):
    """Outcome of the gateway's own route table towards a node (RT-20)."""
    edge = vpc_word >> 24 & 3
    blackhole, unsupported = np.int64(constants[C_BLACKHOLE]), np.int64(constants[C_UNSUPPORTED])
    other = unsupported if edge == 2 else np.int64(LONG)
    return np.int64(0) if edge == 0 else (blackhole if edge == 1 else other)


@plain_step
def _plain_gateways(node, constants, n_special, x):
    """Step 6a: flows that plainly leave or enter by an internet gateway; the other special ones are listed (X_HARD).

    These two are most special flows; they need 9 ns here where `_hard` takes 38.
    """
    internet, way = np.int64(constants[C_INTERNET_ROUTE]), np.int64(constants[C_INTERNET_PATH])
    out_stages, in_stages = np.int64(constants[C_OUT_STAGES]), np.int64(constants[C_IN_STAGES])
    n_hard = 0
    for place in range(n_special):
        i = np.int64(x[X_SPECIAL + place])
        own, other = np.int64(x[X_NEAR + i]) * NODE_WIDTH, np.int64(x[X_FAR + i]) * NODE_WIDTH
        there, back, kind = np.int64(x[X_THERE + i]), np.int64(x[X_BACK + i]), np.int64(x[X_KIND + i])
        # the side without an interface is node 1, whose codes and edges are 0
        leaves = (kind == (CASE_OUT | DST_INTERNET << 8 | SRC_INTERFACE << 16)) & (there & 255 == internet)
        leaves &= (node[own + N_GATEWAY] & 255 == 0) & (node[own + N_VPC] >> 24 & 3 == 0)
        by_public = kind == (CASE_IN | DST_IN_PUBLIC << 8 | SRC_INTERNET << 16)
        by_private = kind == (CASE_IN | DST_IN_PRIVATE << 8 | SRC_INTERNET << 16)
        step = node[other + N_GATEWAY] >> (24 if by_public else 16) & 255
        enters = (by_public | by_private) & (back & 255 == internet) & (step == 0) & (node[other + N_VPC] >> 24 == 0)
        x[W_ROUTE + i], x[W_REPLY_ROUTE + i] = there >> 8, back >> 8
        x[X_MASK + i] = out_stages if leaves else in_stages
        x[X_PATH + i] = way
        x[X_HARD + n_hard] = i
        n_hard += np.int64(not (leaves | enters))
    return n_hard


@plain_step
def _hard(
    node,
    constants,
    route_outcome,
    route_gate,
    gate_outcome,
    route_path,
    out_outcome,
    in_outcome,
    situations,
    ways,
    fixes,
    n_hard,
    x,
):
    """Step 6b: words of gateway, ends and outward routes, the stages that apply, and the path, for the listed flows.

    The situation of a flow (case, same subnet, gate, undecided routes, public address) indexes `applies`, made in
    compile_cases.py from docs/semantics.md section 3. Nodes that stand in for a missing side have codes that pass.
    """
    shift, bad_state = LABEL_BITS, np.int64(constants[C_BAD_STATE])
    for place in range(n_hard):
        i = np.int64(x[X_HARD + place])
        kind, second = np.int64(x[X_KIND + i]) & 7, np.int64(x[X_KIND + i]) >> 8 & 255
        first = np.int64(x[X_KIND + i]) >> 16
        here, other = np.int64(x[X_NEAR + i]) * NODE_WIDTH, np.int64(x[X_FAR + i]) * NODE_WIDTH
        there, back = np.int64(x[X_THERE + i]), np.int64(x[X_BACK + i])
        route_code, return_code = there & 255, back & 255
        here_vpc, other_vpc = np.int64(node[here + N_VPC]), np.int64(node[other + N_VPC])
        same = np.int64((node[here + N_SUBNET] == node[other + N_SUBNET]) & (node[here + N_SUBNET] != 0))
        local = kind == CASE_LOCAL
        outcome = np.int64(route_outcome[0 if local else 1, route_code])
        returning = np.int64(route_outcome[0 if local else 2, return_code])
        ending = other_vpc >> 26 & 3
        ending = 0 if ending == 0 else (bad_state if ending == 1 else np.int64(LONG))
        gate = np.int64(route_gate[route_code])
        own, far_gateway = np.int64(node[here + N_GATEWAY]), np.int64(node[other + N_GATEWAY])
        leaving = _first_of(
            np.int64(gate_outcome[route_code]),
            own >> 8 & 255 if gate == GATE_EGRESS_ONLY else own & 255,
            np.int64(out_outcome[second]),
        )
        entering = _first_of(
            far_gateway >> 16 & 255 if second == DST_IN_PRIVATE else far_gateway >> 24,
            np.int64(in_outcome[first]),
            _edge(constants, other_vpc),
        )
        entering = 0 if gate == GATE_EGRESS_ONLY else entering
        words = X_WORDS + i
        detached = (first == SRC_DETACHED) | (first == SRC_LONG_DETACHED)
        walks = (first == SRC_ENDPOINT) | (first == SRC_LONG_DETACHED) | ((first == SRC_CLASSIC) & local & (same != 0))
        walks &= (kind != CASE_FIXED) & (kind != CASE_SERVICE)
        x[words + S_SOURCE * BLOCK] = (np.int64(LONG) if walks else (bad_state if detached else 0)) << shift
        x[words + S_CHECK * BLOCK] = 0
        x[words + S_DESTINATION * BLOCK] = ending << shift
        x[words + S_ROUTE * BLOCK] = outcome << shift | there >> 8
        x[words + S_REPLY_ROUTE * BLOCK] = returning << shift | back >> 8
        x[words + S_GATEWAY * BLOCK] = (leaving if leaving else entering) << shift
        x[words + S_REPLY_GATEWAY * BLOCK] = (_edge(constants, here_vpc) if gate == GATE_INTERNET else 0) << shift
        unmapped = node[np.int64(x[X_SOURCE + i]) * NODE_WIDTH + N_PEER] == NULL32
        situation = ((kind * 2 + same) * 3 + gate) * 2 + np.int64(outcome >= UNSURE)
        situation = (situation * 2 + np.int64(returning >= UNSURE)) * 2 + np.int64(unmapped)
        x[X_MASK + i] = situations[situation]
        way = np.int64(ways[kind, same])
        x[X_PATH + i] = np.int64(route_path[route_code]) if way == WAY_BY_ROUTE else way
        if kind == CASE_FIXED:
            fixed = np.int64(fixes[first, second])
            if first <= LAST_INSIDE and second == DST_UNFORWARDED:
                fixed = np.int64(S_ROUTE) << 8 | np.int64(route_outcome[3, route_code])
            x[words + (fixed >> 8) * BLOCK] = (fixed & 255) << shift
            x[X_MASK + i] = 1 << (fixed >> 8) | (1 if detached else 0)


@plain_step
def _masks(count, n_hard, x):
    """Step 7: of each flow, which applying stages do not pass, which are undecided; a plain loop for wide registers."""
    most, last, one = np.uint32(LABEL_MASK), np.uint32(31), np.uint32(1)
    for i in range(count):
        sg_out, acl_out, route = x[W_SG_OUT + i], x[W_ACL_OUT + i], x[W_ROUTE + i]
        acl_in, sg_in, reply_out = x[W_ACL_IN + i], x[W_SG_IN + i], x[W_REPLY_ACL_OUT + i]
        reply_route, reply_in = x[W_REPLY_ROUTE + i], x[W_REPLY_ACL_IN + i]
        # an undecided route makes what comes after it unknowable
        applies = x[X_MASK + i]
        undecided = route >> last & applies >> np.uint32(S_ROUTE) & one
        applies = applies & ~(np.uint32(AFTER_ROUTE) * undecided)
        undecided = reply_route >> last & applies >> np.uint32(S_REPLY_ROUTE) & one
        applies = applies & ~(np.uint32(1 << S_REPLY_ACL_IN) * undecided)
        x[X_MASK + i] = applies
        x[X_STOPS + i] = applies & (
            np.uint32(sg_out > most) << np.uint32(S_SG_OUT)
            | np.uint32(acl_out > most) << np.uint32(S_ACL_OUT)
            | np.uint32(route > most) << np.uint32(S_ROUTE)
            | np.uint32(acl_in > most) << np.uint32(S_ACL_IN)
            | np.uint32(sg_in > most) << np.uint32(S_SG_IN)
            | np.uint32(reply_out > most) << np.uint32(S_REPLY_ACL_OUT)
            | np.uint32(reply_route > most) << np.uint32(S_REPLY_ROUTE)
            | np.uint32(reply_in > most) << np.uint32(S_REPLY_ACL_IN)
        )
        x[X_UNSURES + i] = applies & (
            sg_out >> last << np.uint32(S_SG_OUT)
            | acl_out >> last << np.uint32(S_ACL_OUT)
            | route >> last << np.uint32(S_ROUTE)
            | acl_in >> last << np.uint32(S_ACL_IN)
            | sg_in >> last << np.uint32(S_SG_IN)
            | reply_out >> last << np.uint32(S_REPLY_ACL_OUT)
            | reply_route >> last << np.uint32(S_REPLY_ROUTE)
            | reply_in >> last << np.uint32(S_REPLY_ACL_IN)
        )
    for place in range(n_hard):  # the stages that only these have
        i = np.int64(x[X_HARD + place])
        stops, unsures, applies = np.int64(x[X_STOPS + i]), np.int64(x[X_UNSURES + i]), np.int64(x[X_MASK + i])
        for stage in SPECIAL_STAGES:
            outcome = np.int64(x[X_WORDS + stage * BLOCK + i]) >> LABEL_BITS
            stops |= np.int64(outcome != 0) << stage
            unsures |= np.int64(outcome >= UNSURE) << stage
        x[X_STOPS + i], x[X_UNSURES + i] = stops & applies, unsures & applies


@kernel
def spread_stages(compact):
    """Compact stage mask -> `blocked_by` (schema.STAGE_BITS)."""
    return (compact & 0x3F) | (compact & 0xFC0) << 8 | (compact & 0x1000) << 16


@plain_step
def gather_stages(blocked_by):
    """`blocked_by` -> compact stage mask, the other way round."""
    return (blocked_by & 0x3F) | blocked_by >> 8 & 0xFC0 | blocked_by >> 16 & 0x1000


@plain_step
def _decide(count, x):
    """Step 8: verdicts, deciding stages and reached stages (docs/semantics.md, section 5); a plain loop like step 7.

    X_VERDICTS: verdict, forward << 8, reply << 16. X_DECIDING: the set whose first stage gives reason and stage.
    X_MASK: the stages that were reached; X_STOPS: those that deny.
    """
    there, back, one = np.uint32(FORWARD_MASK), np.uint32(REPLY_MASK), np.uint32(1)
    for i in range(count):
        one_way = x[X_ONE_WAY + i]
        asked = there | back & (one_way - one)
        unsure = x[X_UNSURES + i] & asked
        no = x[X_STOPS + i] & ~x[X_UNSURES + i] & asked
        no_there, no_back, unsure_there, unsure_back = no & there, no & back, unsure & there, unsure & back
        forward = REJECT * np.uint32(no_there != 0) + UNKNOWN * np.uint32((no_there == 0) & (unsure_there != 0))
        reply = REJECT * np.uint32(no_back != 0) + UNKNOWN * np.uint32((no_back == 0) & (unsure_back != 0))
        backward = no_back if no_back else unsure_back
        onward = unsure_there if unsure_there else backward
        deciding = no_there if no_there else onward
        first = deciding & (np.uint32(0) - deciding)
        # a denial ends the way where it stands; an undecided stage there leaves the reply out
        ended = (no_there != 0) | (unsure_there == 0) & (no_back != 0)
        within = there if unsure_there else there | back
        within = (first << one) - one if ended else within
        written = np.uint32(NULL8) if forward | one_way else reply
        x[X_VERDICTS + i] = (forward if forward else reply) | forward << np.uint32(8) | written << np.uint32(16)
        x[X_DECIDING + i], x[X_UNSURES + i], x[X_STOPS + i] = deciding, unsure, no
        x[X_MASK + i] &= within & asked


@plain_step
def _ask_for_columns(start, count, out):
    """Asks for the lines of the columns that step 9 writes: in 17 places, more than the processor foresees.

    Step 9: 2.6 to 1.3 ns, and 0.3 here.
    """
    for column in (out.verdict, out.forward, out.reply, out.reason, out.stage, out.path):
        for i in range(0, count, 64):
            prefetch_to_write(column, np.uint64(start + i))
    for i in range(0, count, 16):
        row = np.uint64(start + i)
        prefetch_to_write(out.blocked_by, row)
        prefetch_to_write(out.src_interface, row)
        prefetch_to_write(out.dst_interface, row)
    for rule in range(8):
        rules = out.rules[rule]
        for i in range(0, count, 16):
            prefetch_to_write(rules, np.uint64(start + i))


@plain_step
def _write(start, count, x, out):
    """Step 9: write every flow; straight copies. Reason and stage are null until step 10."""
    first = np.uint64(start)
    verdict, forward, reply = out.verdict, out.forward, out.reply
    for i in range(count):
        verdict[first + np.uint64(i)] = x[X_VERDICTS + i]
    for i in range(count):
        forward[first + np.uint64(i)] = x[X_VERDICTS + i] >> np.uint32(8)
    for i in range(count):
        reply[first + np.uint64(i)] = x[X_VERDICTS + i] >> np.uint32(16)
    reason, stages, path, blocked_by = out.reason, out.stage, out.path, out.blocked_by
    for i in range(count):
        reason[first + np.uint64(i)], stages[first + np.uint64(i)] = NULL8, NULL8
    for i in range(count):
        path[first + np.uint64(i)] = x[X_PATH + i]
    for i in range(count):
        no = x[X_STOPS + i]
        no = no & np.uint32(0x3F) | (no & np.uint32(0xFC0)) << np.uint32(8) | (no & np.uint32(0x1000)) << np.uint32(16)
        blocked_by[first + np.uint64(i)] = no
    sources, destinations = out.src_interface, out.dst_interface
    for i in range(count):
        sources[first + np.uint64(i)] = x[X_SOURCE_END + i]
        destinations[first + np.uint64(i)] = x[X_DESTINATION_END + i]
    for rule in range(8):
        stage = RULE_STAGES[rule]
        rules, word = out.rules[rule], np.uint32(X_WORDS + stage * BLOCK)
        for i in range(count):
            keep = np.uint32(0) - (x[X_MASK + i] >> np.uint32(stage) & np.uint32(1))
            rules[first + np.uint64(i)] = (x[word + i] & np.uint32(LABEL_MASK) & keep) - np.uint32(1)


@plain_step
def _reasons(first_stage, unfiltered, start, count, n_hard, x, reasons, stages, replies):
    """Step 10: reason and stage of the flows that are not plainly accepted, and of the services nothing filters."""
    n_listed = 0
    for i in range(count):
        x[X_LISTED + n_listed] = i
        n_listed += np.int64(x[X_DECIDING + i] != 0)
    for place in range(n_listed):
        i = np.int64(x[X_LISTED + place])
        row, unsure = start + i, np.int64(x[X_UNSURES + i])
        if unsure and _is_long(unsure, i, x):
            reasons[row] = TO_BE_WALKED
            continue
        stage = np.int64(first_stage[x[X_DECIDING + i]])
        stages[row] = stage
        reasons[row] = ((np.int64(x[X_WORDS + stage * BLOCK + i]) >> LABEL_BITS) & 127) - 1
    for place in range(n_hard):
        i = np.int64(x[X_HARD + place])
        if x[X_MASK + i] == 1 << S_SOURCE and x[X_DECIDING + i] == 0:
            reasons[start + i], replies[start + i] = unfiltered, ACCEPT


@plain_step
def _is_long(unsure, i, x):
    """Whether a stage that flow `i` meets leaves it to kernels_long."""
    found = False
    for stage in LONG_STAGES:
        found |= (unsure >> stage & 1 != 0) & (x[X_WORDS + stage * BLOCK + i] >> LABEL_BITS == LONG)
    return found


# -- the memo: verdicts of recent flows -------------------------------------------------------------------
# By all that decides a verdict: both nodes, the three port classes, one way or not.
# Real traffic repeats itself: on Zipf-like traffic over 10,000 interfaces it doubles the rate. On even traffic it finds
# nothing, so it watches its hits and rests.

MEMO_BITS = 19
MEMO_SIZE = 1 << MEMO_BITS
MEMO_LINE = 8
MEMO_LOOKED, MEMO_HITS, MEMO_REST, MEMO_LAST_REST = range(4)
MEMO_TRIAL, MEMO_REST_BLOCKS, MEMO_MOST_REST = 8192, 256, 2048


class Memo(NamedTuple):
    """Scratch of one thread; empty (zeros) at first. Never shared between networks."""

    # A key and its verdict are one cache line: two numbers of key; verdict, forward, reply, reason, stage << 32,
    # path << 40, compact mask << 48; both interfaces; eight rules in four numbers.
    line: np.ndarray  # uint64[MEMO_SIZE * MEMO_LINE]  begins at a multiple of 64 bytes
    state: np.ndarray  # int64[4]
    block: np.ndarray  # uint32[SCRATCH_SIZE]  the flows at hand
    key: np.ndarray  # uint64[2 * BLOCK]  theirs: first numbers, second numbers
    queue: np.ndarray  # uint32[SCRATCH_SIZE]  flows not found, gathered to full blocks
    queue_row: np.ndarray  # int64[BLOCK]
    queue_key: np.ndarray  # uint64[2 * BLOCK]
    queue_slot: np.ndarray  # uint32[BLOCK]


if KERNELS_ARE_PLAIN:

    def copy_codes(line, x, at, row, out):
        """What eight lines say but for the rules, into the columns from `row` on; the lines begin at x[at:][:8]."""
        for i in range(8):
            copy_line_codes(line, np.uint64(x[at + i]), row + i, out)

    def copy_rules(line, x, at, row, rules):
        """The rules of eight lines, into the columns from `row` on."""
        for i in range(8):
            copy_line_rules(line, np.uint64(x[at + i]), row + i, rules)

else:
    # Eight lines at a time are turned into eight values of each column in wide registers: 2 instructions a value where
    # copying them one by one takes 4, and its stores come one at a time (a flow that is found: 30 to 12 ns).

    def _lines(context, builder, signature, arguments, offset, width):
        """`width` numbers of 32 bits of each of eight lines, from the 64-bit number `offset` on."""
        lines = _array(context, builder, signature.args[0], arguments[0]).data
        slots = _array(context, builder, signature.args[1], arguments[1]).data
        vector, found = ir.VectorType(ir.IntType(32), width), []
        for i in range(8):
            at = builder.add(arguments[2], ir.Constant(arguments[2].type, i))
            slot = builder.zext(builder.load(builder.gep(slots, [at])), ir.IntType(64))
            place = builder.gep(lines, [builder.add(slot, ir.Constant(slot.type, offset))])
            found.append(builder.load(builder.bitcast(place, vector.as_pointer()), align=8))
        return found

    @intrinsic
    def copy_rules(context, line, x, at, row, rules):
        """The rules of eight lines, into the columns from `row` on; the lines begin at x[at:][:8]."""

        def generate(context, builder, signature, arguments):
            lines = _lines(context, builder, signature, arguments, 4, 8)
            twos = [_twos(builder, lines[i], lines[i + 1]) for i in range(0, 8, 2)]
            fours = []
            for half in (0, 2):
                for which in range(2):
                    fours += _pairs(builder, twos[half][which], twos[half + 1][which])
            array = _array(context, builder, signature.args[4], arguments[4])
            step = builder.sdiv(builder.extract_value(array.strides, 0), ir.Constant(ir.IntType(64), 4))
            for rule in range(8):
                low, high = fours[rule % 4], fours[4 + rule % 4]
                places = [0, 1, 2, 3, 8, 9, 10, 11] if rule < 4 else [4, 5, 6, 7, 12, 13, 14, 15]
                at = builder.add(builder.mul(step, ir.Constant(ir.IntType(64), rule)), arguments[3])
                _store(builder, _shuffled(builder, low, high, places), array.data, at)
            return context.get_dummy_value()

        return types.none(line, x, types.int64, types.int64, rules), generate

    @intrinsic
    def _copy_codes(context, line, x, at, row, small, wide):
        def generate(context, builder, signature, arguments):
            lines = _lines(context, builder, signature, arguments, 2, 4)
            both = [_shuffled(builder, lines[i], lines[i + 4], list(range(8))) for i in range(4)]
            (one, two), (three, four) = _twos(builder, both[0], both[1]), _twos(builder, both[2], both[3])
            codes, rest = _pairs(builder, one, three)
            ends = _pairs(builder, two, four)
            bytes_of, row = ir.VectorType(ir.IntType(8), 32), arguments[3]
            quarters = ir.VectorType(ir.IntType(64), 4)
            columns = []
            for part in (codes, rest):
                apart = builder.bitcast(part, bytes_of)
                apart = _shuffled(builder, apart, apart, [4 * i + byte for byte in range(4) for i in range(8)])
                apart = builder.bitcast(apart, quarters)
                columns += [builder.extract_element(apart, ir.IntType(32)(i)) for i in range(4)]
            for i, kind in enumerate(signature.args[4]):
                array = _array(context, builder, kind, builder.extract_value(arguments[4], i))
                _store(builder, columns[i], array.data, row)
            mask = builder.lshr(rest, ir.Constant(_EIGHT, [16] * 8))
            spread = builder.and_(mask, ir.Constant(_EIGHT, [0x3F] * 8))
            for bits, by in ((0xFC0, 8), (0x1000, 16)):
                some = builder.and_(mask, ir.Constant(_EIGHT, [bits] * 8))
                spread = builder.or_(spread, builder.shl(some, ir.Constant(_EIGHT, [by] * 8)))
            for i, value in enumerate((spread, *ends)):
                kind = signature.args[5][i]
                array = _array(context, builder, kind, builder.extract_value(arguments[5], i))
                _store(builder, value, array.data, row)
            return context.get_dummy_value()

        return types.none(line, x, types.int64, types.int64, small, wide), generate

    @plain_step
    def copy_codes(line, x, at, row, out):
        """What eight lines say but for the rules, into the columns from `row` on; the lines begin at x[at:][:8]."""
        small = (out.verdict, out.forward, out.reply, out.reason, out.stage, out.path)
        _copy_codes(line, x, at, row, small, (out.blocked_by, out.src_interface, out.dst_interface))


@plain_step
def copy_line_codes(line, slot, row, out):
    """What the line that begins at `slot` says but for the rules, into `row` of the columns."""
    low, codes, ends = np.uint64(0xFFFFFFFF), line[slot + np.uint64(2)], line[slot + np.uint64(3)]
    out.verdict[row], out.forward[row] = codes & np.uint64(255), codes >> np.uint64(8) & np.uint64(255)
    out.reply[row], out.reason[row] = codes >> np.uint64(16) & np.uint64(255), codes >> np.uint64(24) & np.uint64(255)
    out.stage[row], out.path[row] = codes >> np.uint64(32) & np.uint64(255), codes >> np.uint64(40) & np.uint64(255)
    out.blocked_by[row] = spread_stages(np.int64(codes >> np.uint64(48)))
    out.src_interface[row], out.dst_interface[row] = ends & low, ends >> np.uint64(32)


@plain_step
def copy_line_rules(line, slot, row, rules):
    """Its rules."""
    for pair in range(4):
        two = line[slot + np.uint64(4 + pair)]
        rules[2 * pair, row], rules[2 * pair + 1, row] = two & np.uint64(0xFFFFFFFF), two >> np.uint64(32)


@plain_step
def _memo_keys(x, count, key):
    """All that decides the verdict of each flow of a block, in two numbers, and where its line begins (X_LISTED): its
    only place in the memo. Plain loops, for wide registers."""
    u = np.uint32
    for i in range(count):
        key[i] = np.uint64(x[X_SOURCE + i]) << np.uint64(32) | np.uint64(x[X_DESTINATION + i])
    for i in range(count):
        second = np.uint64(x[X_GROUP_PORT + i]) | np.uint64(x[X_ACL_PORT + i]) << np.uint64(20)
        second |= np.uint64(x[X_ACL_BACK + i]) << np.uint64(40) | np.uint64(x[X_ONE_WAY + i]) << np.uint64(60)
        key[BLOCK + i] = second | np.uint64(1 << 63)  # never the zeros of a line that is empty
    for i in range(count):
        mixed = u(x[X_SOURCE + i] * u(0x9E3779B1)) ^ u(x[X_DESTINATION + i] * u(0x85EBCA77))
        mixed = u(mixed ^ u(x[X_GROUP_PORT + i] * u(0xC2B2AE3D))) ^ u(x[X_ACL_BACK + i] * u(0x27D4EB2F))
        mixed = u(mixed ^ u(x[X_ACL_PORT + i] * u(0x165667B1))) ^ u(x[X_ONE_WAY + i])
        mixed = u((mixed ^ mixed >> u(15)) * u(0x2C1B3C6D))
        x[X_LISTED + i] = (mixed >> u(32 - MEMO_BITS)) * u(MEMO_LINE)


@plain_step
def _recall(x, start, count, line, key, out):
    """Write the verdicts of flows the memo knows; list the others in X_HARD. How many are known.

    Something is written for the others too: they come to their verdicts later.
    """
    unknown, whole = 0, count & -8
    for i in range(count):
        prefetch(line, np.uint64(x[X_LISTED + i]))
    for i in range(count):
        own = np.uint64(x[X_LISTED + i])
        x[X_HARD + unknown] = i
        unknown += np.int64((line[own] != key[i]) | (line[own + np.uint64(1)] != key[BLOCK + i]))
    for i in range(0, whole, 8):
        copy_codes(line, x, X_LISTED + i, start + i, out)
        copy_rules(line, x, X_LISTED + i, start + i, out.rules)
    for i in range(whole, count):
        copy_line_codes(line, np.uint64(x[X_LISTED + i]), start + i, out)
        copy_line_rules(line, np.uint64(x[X_LISTED + i]), start + i, out.rules)
    return count - unknown


@plain_step
def _enqueue(x, place, unknown, base, memo, queued):
    """Copy flows X_HARD[place:unknown] of block `x` to the queue from place `queued` on, until it is full; how many."""
    queue, count = memo.queue, min(unknown - place, BLOCK - queued)
    for number in range(count):
        i, to = x[X_HARD + place + number], queued + number
        memo.queue_key[2 * to], memo.queue_key[2 * to + 1] = memo.key[i], memo.key[BLOCK + i]
        memo.queue_row[to], memo.queue_slot[to] = base + i, x[X_LISTED + i]
        queue[X_SOURCE + to], queue[X_DESTINATION + to] = x[X_SOURCE + i], x[X_DESTINATION + i]
        queue[X_GROUP_PORT + to], queue[X_ONE_WAY + to] = x[X_GROUP_PORT + i], x[X_ONE_WAY + i]
        queue[X_ACL_PORT + to], queue[X_ACL_BACK + to] = x[X_ACL_PORT + i], x[X_ACL_BACK + i]
    return count


@plain_step
def _scatter(memo, queued, small, out):
    """Write the verdicts of the judged queue to their rows, and remember them."""
    line = memo.line
    for place in range(queued):
        row = memo.queue_row[place]
        out.verdict[row], out.forward[row] = small.verdict[place], small.forward[place]
        out.reply[row], out.reason[row] = small.reply[place], small.reason[place]
        out.stage[row], out.path[row] = small.stage[place], small.path[place]
        out.blocked_by[row], out.src_interface[row] = small.blocked_by[place], small.src_interface[place]
        out.dst_interface[row] = small.dst_interface[place]
        own = np.int64(memo.queue_slot[place])
        line[own], line[own + 1] = memo.queue_key[2 * place], memo.queue_key[2 * place + 1]
        codes = np.uint64(small.verdict[place]) | np.uint64(small.forward[place]) << np.uint64(8)
        codes |= np.uint64(small.reply[place]) << np.uint64(16) | np.uint64(small.reason[place]) << np.uint64(24)
        codes |= np.uint64(small.stage[place]) << np.uint64(32) | np.uint64(small.path[place]) << np.uint64(40)
        line[own + 2] = codes | np.uint64(gather_stages(np.int64(small.blocked_by[place]))) << np.uint64(48)
        ends = np.uint64(small.src_interface[place])
        line[own + 3] = ends | np.uint64(small.dst_interface[place]) << np.uint64(32)
        for pair in range(4):
            even, odd = small.rules[2 * pair, place], small.rules[2 * pair + 1, place]
            out.rules[2 * pair, row], out.rules[2 * pair + 1, row] = even, odd
            line[own + 4 + pair] = np.uint64(even) | np.uint64(odd) << np.uint64(32)


@plain_step
def _watch(state, looked, hits):
    """Let the memo rest for a while if it found less than three fifths of what was asked, each time twice as long.

    A flow that it does not find costs three times as much: with rests of one length, trials took 12 % of even traffic.
    """
    state[MEMO_LOOKED] += looked
    state[MEMO_HITS] += hits
    if state[MEMO_LOOKED] >= MEMO_TRIAL:
        rest = 0
        if state[MEMO_HITS] * 5 < state[MEMO_LOOKED] * 3:
            rest = min(max(MEMO_REST_BLOCKS, 2 * state[MEMO_LAST_REST]), MEMO_MOST_REST)
        state[MEMO_REST] = state[MEMO_LAST_REST] = rest
        state[MEMO_LOOKED] = state[MEMO_HITS] = 0


@partial(kernel, _nrt=False)
def evaluate_rows(tables, flows, out, start, stop, memo, small):  # noqa: PLR0915 (see the last paragraph)
    """Judge flows [start, stop) into `out`, BLOCK at a time. `small`: Verdicts of BLOCK rows, scratch of the memo.

    What is judged is either a block, straight into `out`, or the full queue of flows that the memo did not know.
    Longer than a function should be: each step is called at one place only. With the judging in a function of its own,
    called from three places, the first compilation took twice as long (31 against 16 s of CPU), at the same speed.
    """
    x, state, queued, place, unknown, base = memo.block, memo.state, 0, 0, 0, start
    while True:
        if place < unknown and queued < BLOCK:  # of the block last looked up
            moved = _enqueue(x, place, unknown, base, memo, queued)
            place += moved
            queued += moved
            continue
        direct = False
        if queued < BLOCK and start < stop:
            count = min(BLOCK, stop - start)
            base = start
            start += count
            # Each step gets the arrays it needs: all tables and flows as arguments are 400 words a call to copy.
            _ipv4_nodes(
                tables.root, tables.middle, tables.leaf, tables.node,
                flows.source, base, count, x, np.uint32(X_SOURCE),
            )  # fmt: skip
            if flows.family.size or flows.interface.size:
                _other_sources(tables, flows, base, count, x)
            if flows.family.size or tables.root.size != 65536:
                _other_destinations(tables, flows, base, count, x)
            else:
                _ipv4_nodes(
                    tables.root, tables.middle, tables.leaf, tables.node,
                    flows.destination, base, count, x, np.uint32(X_DESTINATION),
                )  # fmt: skip
            if _ports(
                tables.port_page, tables.port_class, tables.port_base,
                flows.protocol, flows.source_port, flows.destination_port, base, count, x,
            ):  # fmt: skip
                _icmp_ports(
                    tables.port_page, tables.port_class, tables.port_base, tables.icmp_reply,
                    flows.protocol, flows.icmp_key, base, count, x,
                )  # fmt: skip
            if state[MEMO_REST] > 0:
                state[MEMO_REST] -= 1
                direct = True
            else:
                _memo_keys(x, count, memo.key)
                known = _recall(x, base, count, memo.line, memo.key, out)
                place, unknown = 0, count - known
                _watch(state, count, known)
                continue
        elif queued == 0:
            break
        if direct:
            y, n, row, to = x, count, base, out
        else:
            y, n, row, to = memo.queue, queued, 0, small
        # Offsets as unsigned: a signed one may be negative, and each look-up would first ask (rows: 7.3 to 5 ns).
        u = np.uint32
        unfiltered, acl_classes = np.uint8(tables.constants[C_UNFILTERED]), tables.acl_classes[0]
        _ask_for_columns(row, n, to)
        n_special = _cases(tables.node, tables.case, tables.way, n, y)
        _rows(
            tables.node, tables.remote_class, tables.policy_page, tables.policy_row, tables.profile_page,
            tables.profile_row, n, y, u(X_NEAR), u(X_DESTINATION), u(N_EGRESS_PAGES), u(W_ROUTE), u(X_THERE),
        )  # fmt: skip
        _words(
            tables.column, tables.cells, tables.column_page, acl_classes, n, y,
            u(W_SG_OUT), u(X_ACL_PORT), u(X_ACL_BACK), u(W_ACL_OUT), u(W_REPLY_ACL_IN),
        )  # fmt: skip
        _rows(
            tables.node, tables.remote_class, tables.policy_page, tables.policy_row, tables.profile_page,
            tables.profile_row, n, y, u(X_FAR), u(X_FAR_REMOTE), u(N_INGRESS_PAGES), u(W_REPLY_ROUTE), u(X_BACK),
        )  # fmt: skip
        _words(
            tables.column, tables.cells, tables.column_page, acl_classes, n, y,
            u(W_SG_IN), u(X_ACL_BACK), u(X_ACL_PORT), u(W_REPLY_ACL_OUT), u(W_ACL_IN),
        )  # fmt: skip
        n_hard = _plain_gateways(tables.node, tables.constants, n_special, y)
        if n_hard:
            _hard(
                tables.node, tables.constants, tables.route_outcome, tables.route_gate, tables.route_gate_outcome,
                tables.route_path, tables.destination_out_outcome, tables.source_in_outcome, tables.applies, tables.way,
                tables.fixed, n_hard, y,
            )  # fmt: skip
        _masks(n, n_hard, y)
        _decide(n, y)
        _write(row, n, y, to)
        _reasons(tables.first_stage, unfiltered, row, n, n_hard, y, to.reason, to.stage, to.reply)
        if not direct:
            _scatter(memo, queued, small, out)
            queued = 0


# -- reading addresses ---------------------------------------------------------------------------------


@step
def _read_ipv4(data, start, stop):
    """The dotted quad data[start:stop] as a number, or -1: four octets 0-255, no leading zeros."""
    value, octet, digits, dots = np.int64(0), np.int64(0), 0, 0
    for position in range(start, stop):
        byte = np.int64(data[position])
        if 48 <= byte <= 57:
            if digits == 3 or (digits == 1 and octet == 0):
                return np.int64(-1)
            octet = octet * 10 + byte - 48
            digits += 1
        elif byte == 46 and digits > 0 and octet < 256 and dots < 3:
            value = value << 8 | octet
            octet, digits = np.int64(0), 0
            dots += 1
        else:
            return np.int64(-1)
    if dots != 3 or digits == 0 or octet > 255:
        return np.int64(-1)
    return value << 8 | octet


@step
def _read_ipv6(data, start, stop, groups):
    """Fill groups[:8] (int64) from the IPv6 text data[start:stop]; False if it is none (no zone ids)."""
    count, gap, value, digits = 0, -1, np.int64(0), 0
    position = start
    if stop - start < 2 or (data[start] == 58 and data[start + 1] != 58):
        return False
    if data[start] == 58:
        position, gap = start + 2, 0
    group_start = position
    while position < stop:
        byte = np.int64(data[position])
        lower = byte | 32
        if 48 <= byte <= 57 or 97 <= lower <= 102:
            if digits == 4 or count >= 8:
                return False
            value = value << 4 | (byte - 48 if byte <= 57 else lower - 87)
            digits += 1
            position += 1
        elif byte == 58:
            if digits == 0 or count >= 8 or position + 1 == stop:
                return False
            groups[count] = value
            count += 1
            value, digits = np.int64(0), 0
            position += 1
            if data[position] == 58:
                if gap >= 0:
                    return False
                gap = count
                position += 1
            group_start = position
        elif byte == 46:
            quad = _read_ipv4(data, group_start, stop)
            if quad < 0 or count > 6:
                return False
            groups[count], groups[count + 1] = quad >> 16, quad & 0xFFFF
            count += 2
            digits = 0
            position = stop
        else:
            return False
    if digits:
        if count >= 8:
            return False
        groups[count] = value
        count += 1
    if gap < 0:
        return count == 8
    if count >= 8:
        return False
    moved = count - gap
    for group in range(moved):
        groups[7 - group] = groups[count - 1 - group]
    for group in range(gap, 8 - moved):
        groups[group] = 0
    return True


@kernel
def read_addresses(offsets, data, ipv4, ipv6, family):
    """Addresses of an Arrow string column: into `ipv4` or `ipv6` (upper, lower half); `family` 4, 6 or 0 (no address).

    44 ns an address against 160 ns for a split-and-cast of columns and 2.8 us for the ipaddress module.
    """
    groups = np.zeros(10, np.int64)
    for row in range(family.size):
        start, stop = offsets[row], offsets[row + 1]
        family[row] = 0
        ipv4[row] = 0
        value = _read_ipv4(data, start, stop)
        if value >= 0:
            ipv4[row] = value
            family[row] = 4
        elif _read_ipv6(data, start, stop, groups):
            for half in range(2):
                total = np.uint64(0)
                for group in range(4):
                    total = total << np.uint64(16) | np.uint64(groups[4 * half + group])
                ipv6[row, half] = total
            family[row] = 6
