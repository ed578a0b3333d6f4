"""What each pair of ends means, and which stages each situation has, as small tables for the kernels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from .compile_policies import deny, unsure
from .schema import PATHS

Array = npt.NDArray[Any]


def case_tables(long: bool) -> dict[str, Array]:
    """What each pair of source and destination code means (docs/semantics.md, section 2).

    `long`: whether anything stands in between; if not, no private source outside has a way in.
    """
    case = np.full((17, 20), k.CASE_FIXED, np.uint8)
    fixed = np.zeros((17, 20), np.uint32)

    def answer(rows: Any, columns: Any, stage: int, outcome: int) -> None:
        fixed[rows, columns] = stage << 8 | outcome

    inside = range(k.LAST_INSIDE + 1)
    for row in inside:
        case[row, k.DST_LOCAL] = k.CASE_LOCAL
        case[row, k.DST_INTERNET : k.DST_IPV6_OTHER_VPC + 1] = k.CASE_OUT
        case[row, k.DST_PUBLIC] = k.CASE_PUBLIC
        case[row, k.DST_SERVICE] = k.CASE_SERVICE
        answer(row, k.DST_NEVER, k.S_DESTINATION, deny("NO_POSSIBLE_DESTINATION"))
        answer(row, k.DST_UNFORWARDED, k.S_ROUTE, deny("NO_ROUTE_TO_DESTINATION"))
        answer(row, k.DST_LINK_LOCAL, k.S_DESTINATION, unsure("UNKNOWN_DESTINATION"))
        answer(row, k.DST_AMBIGUOUS, k.S_DESTINATION, unsure("ADDR_AMBIGUOUS"))
        answer(row, k.DST_RESERVED, k.S_DESTINATION, deny("NO_SOURCE_OR_DESTINATION"))
        answer(row, k.DST_UNKNOWN, k.S_DESTINATION, unsure("UNKNOWN_DESTINATION"))
    for row in (k.SRC_INTERNET, k.SRC_RFC1918, k.SRC_RFC6598, k.SRC_IPV6_PRIVATE):
        case[row, k.DST_IN_PUBLIC] = k.CASE_IN
        if row == k.SRC_INTERNET:
            case[row, k.DST_IN_PRIVATE] = k.CASE_IN
        else:
            answer(row, k.DST_IN_PRIVATE, k.S_SOURCE, k.LONG if long else unsure("UNKNOWN_RESOURCE"))
        answer(row, k.DST_IN_AMBIGUOUS, k.S_DESTINATION, unsure("ADDR_AMBIGUOUS"))
        answer(row, k.DST_IN_UNKNOWN, k.S_DESTINATION, unsure("UNKNOWN_DESTINATION"))
        answer(row, k.DST_OUTSIDE, k.S_SOURCE, unsure("NO_SOURCE_OR_DESTINATION"))
    for row, reason in (
        (k.SRC_AMBIGUOUS, "ADDR_AMBIGUOUS"),
        (k.SRC_UNKNOWN, "UNKNOWN_RESOURCE"),
        (k.SRC_UNMODELLED, "UNSUPPORTED_COMPONENT"),
        (k.SRC_INVALID, "INVALID_FLOW"),
        (k.SRC_NO_INTERFACE, "UNKNOWN_RESOURCE"),
        (k.SRC_FOREIGN, "UNSUPPORTED_COMPONENT"),
    ):
        answer(row, slice(None), k.S_SOURCE, unsure(reason))
    answer(k.SRC_FOREIGN_CHECKED, slice(None), k.S_CHECK, deny("ENI_SOURCE_DEST_CHECK_RESTRICTION"))
    entering, leaving = np.zeros(17, np.uint8), np.zeros(20, np.uint8)
    entering[k.SRC_RFC1918] = deny("IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS")
    entering[k.SRC_RFC6598] = deny("IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS")
    leaving[k.DST_RFC1918] = deny("IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS")
    leaving[k.DST_RFC6598] = deny("IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS")
    leaving[k.DST_IPV6_PRIVATE] = unsure("UNKNOWN_DESTINATION")
    leaving[k.DST_UNROUTABLE] = deny("NO_POSSIBLE_DESTINATION")
    leaving[k.DST_IPV6_OTHER_VPC] = k.LONG
    pick = np.zeros(6, np.uint8)
    pick[k.CASE_LOCAL] = k.PICK_END << 3 | k.PICK_END << 5
    pick[k.CASE_PUBLIC] = k.PICK_PEER << 3 | k.PICK_PEER << 5
    pick[k.CASE_IN] = k.PICK_END << 3 | k.PICK_END << 5
    picks = pick[case]
    by_public = case[:, k.DST_IN_PUBLIC] == k.CASE_IN
    picks[by_public, k.DST_IN_PUBLIC] = k.PICK_PEER << 3 | k.PICK_END << 5
    return {
        "case": case | picks,
        "fixed": fixed,
        "source_in_outcome": entering,
        "destination_out_outcome": leaving,
        "applies": _applies(),
        "way": _ways(),
        "first_stage": np.array(
            [(mask & -mask).bit_length() - 1 if mask else 0 for mask in range(1 << k.N_STAGES)], np.uint8
        ),
    }


def stages_that_apply(
    case: int, same_subnet: bool, gate: int, undecided: bool, return_undecided: bool, mapped: bool
) -> int:
    """Compact mask of the stages evaluated in one situation (docs/semantics.md, section 3).

    `gate`: the gateway the forward route leads to; `undecided`, `return_undecided`: the forward, the reply route is
    unknown; `mapped`: the source has a public address.
    """
    leave = 1 << k.S_SOURCE | 1 << k.S_SG_OUT
    routed = leave | 1 << k.S_ACL_OUT | 1 << k.S_ROUTE
    deliver = 1 << k.S_SG_IN | 1 << k.S_DESTINATION
    back_in = 0 if return_undecided else 1 << k.S_REPLY_ACL_IN
    arrive = 1 << k.S_ACL_IN | deliver | 1 << k.S_REPLY_ACL_OUT | 1 << k.S_REPLY_ROUTE
    if case == k.CASE_LOCAL:
        if same_subnet:
            return leave | deliver
        return routed if undecided else routed | arrive | back_in
    if case == k.CASE_IN:
        return 1 << k.S_GATEWAY | arrive
    if case == k.CASE_SERVICE:
        return 1 << k.S_SOURCE
    if case not in (k.CASE_OUT, k.CASE_PUBLIC) or gate == k.GATE_NONE:
        return routed
    if case == k.CASE_OUT or gate == k.GATE_EGRESS_ONLY:
        return routed | 1 << k.S_GATEWAY | 1 << k.S_REPLY_GATEWAY | 1 << k.S_REPLY_ACL_IN
    if not mapped:
        return routed | 1 << k.S_GATEWAY
    return routed | 1 << k.S_GATEWAY | arrive | 1 << k.S_REPLY_GATEWAY | back_in


def _applies() -> Array:
    """uint16[288]: stages_that_apply by situation, in the kernel's order of digits."""
    digits = itertools.product(range(6), (False, True), range(3), (False, True), (False, True), (True, False))
    return np.array([stages_that_apply(*digit) for digit in digits], np.uint16)


def _ways() -> Array:
    ways = np.full((6, 2), k.NULL8, np.uint8)
    ways[k.CASE_LOCAL] = PATHS.index("vpc"), PATHS.index("subnet")
    ways[k.CASE_OUT] = ways[k.CASE_PUBLIC] = k.WAY_BY_ROUTE
    ways[k.CASE_IN] = PATHS.index("internet")
    ways[k.CASE_SERVICE] = PATHS.index("service")
    return ways
