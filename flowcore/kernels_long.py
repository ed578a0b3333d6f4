"""The long walk: one flow at a time through what stands in between (docs/semantics.md, section 6).

`kernels` judges flows in blocks and marks those that meet something in between; `walk_rows` here judges these anew,
from their start, as a walk over places. It is compiled only when there are any. The cache folder is keyed by the text
of this file too (`kernels.source_key`). One file, longer than others, for the reason given in `kernels`.

How a flow is walked: registers stand in one array (`w`, named by the constants below). Each action gives the next one:
STEP (a place's ACL and route), LOCAL (deliver in the VPC), ARRIVE, BACK (the reply is where it was expected), TABLE (a
transit gateway's table) and so on, until CUT or DONE. What translates the source is pushed on a stack (in `w` too),
which the reply takes down again. `_check` notes the outcome of a stage.

All tables are two arrays, `numbers` and `words`, and an action is called from one place only: every array that a
function takes, and every place that calls it, costs machine code (with 45 arrays the first compilation took 290 s).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from . import kernels
from .kernels import (  # fmt: skip
    ACCEPT,
    CASE_FIXED,
    CASE_SERVICE,
    CLASS_PAGE_BITS,
    COLUMN_PAGE_BITS,
    DST_IN_PRIVATE,
    DST_IN_PUBLIC,
    DST_LOCAL,
    DST_PUBLIC,
    DST_UNFORWARDED,
    GATE_INTERNET,
    ICMP,
    ICMP_CODES,
    ICMP_TYPE_UNKNOWN_KEY,
    ICMPV6,
    LABEL_BITS,
    LABEL_MASK,
    LAST_INSIDE,
    N_CLASSES,
    N_CODES,
    N_EGRESS_PAGES,
    N_INGRESS_PAGES,
    N_INTERFACE,
    N_PEER,
    N_VPC,
    NODE_WIDTH,
    NULL8,
    NULL16,
    NULL32,
    PROFILE_PAGE_BITS,
    REJECT,
    SRC_DETACHED,
    SRC_INTERNET,
    SRC_LONG_DETACHED,
    SRC_REDIRECT,
    TCP,
    UDP,
    UNKNOWN,
    UNSURE,
    VPC_MASK,
    _source_at_interface,
    port_classes,
)  # fmt: skip

#: Nothing here allocates: without Numba's counting of references to arrays a walk takes a tenth of the time.
step = partial(kernels.step, _nrt=False)
kernel = partial(kernels.kernel, _nrt=False)


@intrinsic
def _array_pointer(_, array):
    """Where the items of an array stand."""

    def generate(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


#: An array of seven numbers as one, so that calls are cheap; asked and changed in the same way. Interpreted: itself.
_pointer = (lambda array: array) if kernels.KERNELS_ARE_PLAIN else _array_pointer


def _codes(values: Iterable[int]) -> tuple[np.int64, ...]:
    """Constants as NumPy numbers: a plain one as argument makes Numba compile the function once for each value."""
    return tuple(np.int64(value) for value in values)


NO_RULE, NOTHING, IPV4, IPV6 = _codes((-1, 0, 4, 6))
OUTWARD, INWARD = np.bool_(True), np.bool_(False)
NODE_VPC, NODE_INTERFACE, NODE_PEER, NODE_CODES = _codes((N_VPC, N_INTERFACE, N_PEER, N_CODES))
INGRESS, EGRESS = _codes((N_INGRESS_PAGES, N_EGRESS_PAGES))

# -- what the tables hold --------------------------------------------------------------------------------

P_VPC, P_SUBNET, P_ZONE, P_PAGES, P_COLUMNS, P_CLASSES, P_STOPS, PLACE_WIDTH = _codes(range(8))
# P_STOPS: what VPC Block Public Access stops: 1 out, 2 out from a NAT gateway, 4 out by an egress-only gateway, 8 in;
#          with 16 it may do so, or not.

(
    I_PLACE, I_TYPE, I_FLAGS, I_BALANCER, I_PRIMARY, I_LISTENERS, I_N_LISTENERS, I_BALANCED, I_MISMATCH,
    INTERFACE_WIDTH,
) = _codes(range(10))  # fmt: skip
# I_BALANCED: what its load balancer says whatever the port; I_MISMATCH: without a listener.
T_PLAIN, T_NAT, T_NODE, T_UNSUPPORTED = _codes(range(4))
F_CHECKED, F_DETACHED, F_NO_GATEWAY, F_PUBLIC, F_CLASSIC, F_TRANSLATES, F_ENDPOINT, F_UNUSABLE, F_CARRIES = (
    1 << bit for bit in range(9)
)
# F_CARRIES: a node that carries a group of its load balancer (SG-25).

V_EDGE, V_ENTER, V_DESCRIBED, V_OTHER_WAYS, VPC_WIDTH = _codes(range(5))
# V_EDGE: the internet gateway's own table in `extra`, -1 none. V_ENTER: outcome without a described gateway.

(
    G_VPC, G_STATE, G_REGIONAL, G_PLACE, G_PRIVATE, G_PUBLIC, G_INTERFACE, G_TABLE, G_ZONES, G_NODE, NAT_WIDTH,
) = _codes(range(11))  # fmt: skip
# G_NODE: of its address as its VPC sees it.
Y_OUTCOME, Y_PAIR, ENTRY_WIDTH = _codes(range(3))
(
    R_KIND, R_NUMBER, R_REFERS, R_GATEWAY_REFERS, R_TABLE, R_TABLE_OUTCOME, R_PEER, R_VPC, R_DOWN, R_SPREADS,
    PAIR_WIDTH,
) = _codes(range(11))  # fmt: skip
# R_NUMBER: of the attachment. R_SPREADS: it is in appliance mode and in several zones.
PROPAGATED, PAIR_MASK = _codes((1 << 23, (1 << 23) - 1))
A_VPC, A_EDGE, A_PEERING, A_OTHER = _codes(range(4))
X_STATE, X_SIDE, X_PLACE, X_NEAR, PEERING_WIDTH = _codes((0, 1, 3, 5, 6))
# X_NEAR: both ends are in one Region.
W_TABLE, PRIVATE_WIDTH = _codes((0, 1))
E_VPC, E_STATE, SERVICE_WIDTH = _codes(range(3))
Z_PORT, Z_PROTOCOL, Z_CLIENTS, Z_VARIANT, Z_OUTCOME, Z_AIMS, Z_N_AIMS, Z_N_MERGED, LISTENER_WIDTH = _codes(range(9))
# Z_CLIENTS: row of `client`, -1 for any client; Z_VARIANT: for the clients that have this number there.
(
    M_KIND, M_NUMBER, M_PRESERVED, M_BALANCER, M_FAMILY, M_HIGH, M_LOW, M_GROUP_PORT, M_ACL_PORT, M_PORT, M_WEIGHT,
    AIM_WIDTH,
) = _codes(range(12))  # fmt: skip
# M_KIND: 0 always reached, 1 by the conversation M_NUMBER (-1: the node has no such address), 2 not described.
# M_WEIGHT: how many targets it stands for; 0: there may be such ones.
B_OUTCOME, B_PLACE, FIREWALL_WIDTH = _codes(range(3))

# Route codes by kind of target (compile_routes.KINDS, in that order, after ACTIVE = 8).
(
    TO_LOCAL, TO_INTERNET, TO_EGRESS_ONLY, TO_NAT, TO_INTERFACE, TO_TRANSIT, TO_PEERING, TO_PRIVATE, TO_SERVICE,
    TO_FIREWALL,
) = _codes(range(8, 18))  # fmt: skip
NO_ROUTE, INTERNET_UNDESCRIBED, INTERNET_DETACHED, EGRESS_UNDESCRIBED, EGRESS_DETACHED = _codes((0, 4, 5, 6, 7))
TO_UNKNOWN, FIRST_BLACKHOLE, NO_SUCH_TABLE, HIDDEN_LIST = _codes((22, 23, 1, 2))

# Stages are named by their bit in blocked_by (schema.STAGE_BITS); a reply stage is one of 17 and more.
AT_SOURCE, AT_CHECK, AT_SG_OUT, AT_ACL_OUT, AT_ROUTE, AT_GATEWAY, AT_BALANCER, AT_NAT = _codes(range(8))
AT_TRANSIT, AT_PEERING, AT_BOX, AT_MIDDLE_ACL, AT_MIDDLE_ROUTE, AT_MIDDLE_SG, AT_ACL_IN, AT_SG_IN, AT_END = _codes(
    range(8, 17)
)
REPLY_ACL_OUT, REPLY_ROUTE, REPLY_GATEWAY = _codes((17, 18, 19))
REPLY_TRANSIT, REPLY_PEERING, REPLY_BOX, REPLY_MIDDLE_ACL, REPLY_MIDDLE_ROUTE, REPLY_ACL_IN = _codes(
    (22, 23, 24, 25, 26, 28)
)
TO_REPLY = np.int64(14)
"""From a middle stage's bit to that of its reply."""
COMPACT_STAGES = (0, 1, 2, 3, 4, 5, 14, 15, 16, 17, 18, 19, 28)

# Rule columns.
(
    RULE_SG_OUT, RULE_ACL_OUT, RULE_ROUTE, RULE_ACL_IN, RULE_SG_IN, RULE_REPLY_OUT, RULE_REPLY_ROUTE, RULE_REPLY_IN,
) = _codes(range(8))  # fmt: skip

#: What the walk says by itself; compile_long gives the outcome code of each.
SAYINGS = (
    ("deny", "BAD_STATE"),
    ("deny", "BAD_STATE_ATTACHMENT"),
    ("deny", "BAD_STATE_ROUTE"),
    ("deny", "ENI_SOURCE_DEST_CHECK_RESTRICTION"),
    ("deny", "GATEWAY_REJECTS_SPOOFED_TRAFFIC"),
    ("deny", "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"),
    ("deny", "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS"),
    ("deny", "VPC_BLOCK_PUBLIC_ACCESS_ENABLED"),
    ("deny", "DENY_ALL_IGW_TRAFFIC"),
    ("deny", "INGRESS_RTB_TRAFFIC_REDIRECTION"),
    ("deny", "INGRESS_RTB_NO_PUBLIC_IP"),
    ("deny", "PROTOCOL_RESTRICTION"),
    ("deny", "NGW_REQUIRES_SOURCE_IN_VPC"),
    ("deny", "NO_POSSIBLE_DESTINATION"),
    ("deny", "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR"),
    ("deny", "TGW_ROUTE_AZ_RESTRICTION"),
    ("deny", "VGW_PRIVATE_IP_ASSOCIATION_FOR_EGRESS"),
    ("deny", "VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION"),
    ("deny", "VPCE_GATEWAY_PROTOCOL_RESTRICTION"),
    ("deny", "VPCE_INTRA_VPC_TRAFFIC"),
    ("deny", "MAX_HOPS_EXCEEDED"),
    ("deny", "ASYMMETRIC_RETURN"),
    ("deny", "SG_REFERENCING_SUPPORT"),
    ("deny", "SG_REFERENCES_NOT_PRESERVED"),
    ("deny", "NO_SOURCE_OR_DESTINATION"),
    ("deny", "ELB_ACL_RESTRICTION"),
    ("unknown", "UNKNOWN_RESOURCE"),
    ("unknown", "UNSUPPORTED_COMPONENT"),
    ("unknown", "ADDR_AMBIGUOUS"),
    ("unknown", "UNKNOWN_DESTINATION"),
    ("unknown", "TGW_ATTACH_VPC_AZ_RESTRICTION"),
    ("unknown", "REGIONAL_NGW_ROUTE_AZ_RESTRICTION"),
    ("unknown", "ICMP_TYPE_UNKNOWN"),
    ("unknown", "ASYMMETRIC_RETURN"),
    ("unknown", "PATH_THROUGH_GWLB_NOT_CHECKED"),
    ("deny", "ELBV2_SOURCE_ADDRESS_PRESERVATION"),
)
(
    D_BAD_STATE, D_ATTACHMENT, D_BLACKHOLE, D_CHECKED, D_SPOOFED, D_NO_PUBLIC, D_NO_PRIVATE, D_BLOCKED, D_NO_GATEWAY,
    D_REDIRECTED, D_BOX_NOT_PUBLIC, D_PROTOCOL, D_NOT_IN_VPC, D_NOWHERE, D_NOT_IN_CIDR, D_ZONE, D_NOT_OWN,
    D_NOT_HERE, D_NOT_TCP, D_ENDPOINT, D_TOO_LONG, D_ASYMMETRIC, D_NO_REFERENCES, D_NOT_PRESERVED, D_RESERVED,
    D_CLASSIC, U_RESOURCE, U_UNSUPPORTED, U_AMBIGUOUS, U_DESTINATION, U_ZONE, U_NAT_ZONE, U_ICMP, U_ASYMMETRIC,
    U_INSPECTED, D_PRESERVED,
) = _codes(range(36))  # fmt: skip

DIRECT, TRANSIT, NOBODY, REFERENCES = _codes(range(4))
MET_PEERING, MET_TRANSIT, MET_NAT, MET_APPLIANCE, MET_FIREWALL, MET_GATEWAY = _codes((1, 2, 4, 8, 16, 32))


class LongTables(NamedTuple):
    """What stands in between, and what the long walk asks of the other tables; read-only."""

    numbers: np.ndarray  # int64[]   header, then the tables of NUMBERS
    words: np.ndarray  # uint32[]    the tables of WORDS
    policy_row: np.ndarray  # as in kernels.Tables
    column: np.ndarray


#: Tables in `numbers`. Where each starts stands in the header at OF_<NAME>.
NUMBERS = (
    "place",  # [places * PLACE_WIDTH]; 0: none
    "interface",  # [interfaces * INTERFACE_WIDTH]
    "vpc",  # [(vpcs + 1) * VPC_WIDTH]
    "route_outcome",  # [256] by route code: outcome of the route stage, target not yet asked
    "route_next",  # [labels + 1] the route's target, counted among its kind; -1 not described. Of a virtual private
    # gateway: twice that, + 1 for a propagated route
    "nat",  # [gateways * NAT_WIDTH]
    "nat_zone",  # [gateways * zones] 1 + the row of `nat` with its address there, 0 none
    "entry",  # [entries * ENTRY_WIDTH] a VPC's way into a transit gateway
    "entry_place",  # [entries * zones] attachment subnet, 0 none
    "pair",  # [pairs * PAIR_WIDTH] an attachment seen from one transit gateway
    "pair_span",  # [pairs * zones * 4] first and count in `candidate` of subnets it may leave by, of those in the zone
    "candidate",
    "same_zone",  # [zones * zones] whether two numbers stand for one zone
    "peering",  # [peerings * PEERING_WIDTH]
    "private_gateway",  # [gateways * PRIVATE_WIDTH]
    "private_attached",  # [gateways * (vpcs + 1)]
    "service",  # [endpoints * SERVICE_WIDTH]
    "firewall",  # [endpoints * FIREWALL_WIDTH]
    "listener",  # [listeners * LISTENER_WIDTH] of the nodes of load balancers
    "aim",  # [targets of listeners * AIM_WIDTH]
    "merged",  # likewise, of those about which a node's listener finds the same only the first
    "node_target",  # [nodes] whether a target has an address there
    "stage_code",  # [32] bit in blocked_by -> place in schema.STAGES
    "node_low",  # [nodes] first address: lower half, upper half
    "node_high",
    "node_kind",  # [nodes] addresses.INTERNET ...
    "node_local",  # [nodes] in its VPC: 0 nobody's, 1 held by one, 2 by several, 3 reserved
    "node_public",  # [nodes] mapped public IPv4, -1 none, -2 (NOT_ADVERTISED) private IPv6
    "node_end",  # [nodes] seen from the internet: node of the interface, -1 none, -2 several
    "view_of_vpc", "route_gate", "route_path", "destination_out_outcome", "source_in_outcome", "icmp_reply",
    "case", "fixed", "ipv6_start", "ipv6_high", "ipv6_low",  # as in kernels.Tables, flat
)  # fmt: skip
(
    OF_PLACE, OF_INTERFACE, OF_VPC, OF_ROUTE_OUTCOME, OF_ROUTE_NEXT, OF_NAT, OF_NAT_ZONE, OF_ENTRY, OF_ENTRY_PLACE,
    OF_PAIR, OF_PAIR_SPAN, OF_CANDIDATE, OF_SAME_ZONE, OF_PEERING, OF_PRIVATE_GATEWAY, OF_PRIVATE_ATTACHED, OF_SERVICE,
    OF_FIREWALL, OF_LISTENER, OF_AIM, OF_MERGED, OF_NODE_TARGET, OF_STAGE_CODE, OF_NODE_LOW, OF_NODE_HIGH, OF_NODE_KIND,
    OF_NODE_LOCAL, OF_NODE_PUBLIC, OF_NODE_END, OF_VIEW_OF_VPC, OF_ROUTE_GATE, OF_ROUTE_PATH, OF_DESTINATION_OUT,
    OF_SOURCE_IN, OF_ICMP_REPLY, OF_CASE, OF_FIXED, OF_IPV6_START, OF_IPV6_HIGH, OF_IPV6_LOW,
) = _codes(range(40))  # fmt: skip
#: Tables in `words`, likewise. The first are those of kernels.Tables, in the same memory.
SHARED = (
    "root", "middle", "leaf", "ipv6_node", "node", "remote_class", "policy_page", "profile_page", "profile_row",
    "column_page", "cells",
)  # fmt: skip
WORDS = (
    *SHARED,
    "party_class",  # [(vpcs + 1) * nodes * parties] class for group policies, seen as another party
    "node_between",  # [nodes] between class
    "in_vpc",  # [(vpcs + 1) * between] 1: in its CIDRs, 2: none is known
    "extra",  # [tables * between] route words of gateways' tables
    "transit",  # [tables * between] outcome << 24 | PROPAGATED | pair
    "peering_side",  # [peerings * 2 * between] as in_vpc
    "private_outcome",  # [gateways * between] where no propagated route leads there
    "client",  # [listeners with source-ip conditions * between] which of its variants is for the client
)
(
    OF_ROOT, OF_MIDDLE, OF_LEAF, OF_IPV6_NODE, OF_NODE, OF_REMOTE_CLASS, OF_POLICY_PAGE, OF_PROFILE_PAGE,
    OF_PROFILE_ROW, OF_COLUMN_PAGE, OF_CELLS, OF_PARTY_CLASS, OF_NODE_BETWEEN, OF_IN_VPC, OF_EXTRA, OF_TRANSIT,
    OF_PEERING_SIDE, OF_PRIVATE_OUTCOME, OF_CLIENT,
) = _codes(range(64, 83))  # fmt: skip
#: Numbers in the header: how many between classes, zones (with 0), parties besides DIRECT, VPCs (with 0) there are;
#: nodes (the rows of interfaces follow them); port classes for ACLs; whether columns are paged; ACL classes of any
#: ephemeral port; group and ACL classes of ICMP echo request, reply, and not known; conversations behind balancers.
(
    H_BETWEEN, H_ZONES, H_PARTIES, H_VPCS, H_NODES, H_ACL_PORTS, H_PAGED, H_TCP_ANY, H_UDP_ANY, H_ECHO, H_ECHO_REPLY,
    H_ECHO_UNKNOWN, H_CONVERSATIONS,
) = _codes((*range(96, 106), 107, 109, 111))  # fmt: skip
SAYING = 112
HEADER = SAYING + 48


# -- registers -------------------------------------------------------------------------------------------

(
    REPLY, PROBE, STEPS, FIRST, LEG, MET, MET_FIRST, TRANSITS, REFERS, UNSEEN, PLACE, VPC, ZONE, EXTRA, SAME,
    PROTOCOL, ICMP_KEY, GROUP_PORT, ACL_PORT, BACK_PORT, ONE_WAY, CLASSIC, BY_NAT,
    X_KIND, X_VPC, X_WHERE, X_INTERFACE, DEPTH, ROUTE_STAGE, ROUTE_CLEAN, ROUTE_DENIED, PAIR,
    OWN, END, FLAGGED, LEFT, LEFT_INDEX, CAME, CAME_INDEX, CAME_BY_BOX, BOXES, BOXES_BACK, WAY, DESTINATION,
    CODE, NUMBER, FIRST_PORT, N_TARGETS, N_REACHED, LEVEL, REPLY_CUT, ASKED, FORKED, LAST_PHASE, LAST_ACTION,
    FIRST_END, LOST,
) = _codes(range(57))  # fmt: skip
# OWN: node of A, END: of B, -1 none. X_*: where the reply is expected. LEFT, CAME: the edge where the forward walk left
# the network, or the source came in. EXTRA: the table, in `extra`, of a gateway without subnet. CODE, NUMBER: the
# target that the next action goes to. ASKED: the destination port. FORKED: forks met so far; LOST: one was not walked.
# FIRST_END: node of the flow's destination as A's VPC sees it.
NO_TABLE, UNKNOWN_TABLE = -1, -2
NOT_ADVERTISED = -2
S, D = _codes((57, 62))  # the packet's source and destination, each:
FAMILY, HIGH, LOW, NODE, VIEW = _codes(range(5))
FORWARD_PART, REPLY_PART = _codes((67, 71))  # (4 registers each)
DENIES, DENIED, DOUBTED = _codes(range(3))  # mask; first deny, first unknown: stage << 8 | outcome
RULES = np.int64(75)
#: Node of the interface that the packet's source address belongs to, in its own VPC's view; 0: not known.
SENDER = np.int64(83)
REGISTERS = np.int64(84)
STACK = REGISTERS
(
    K_KIND, K_VPC, K_WHERE, K_INTERFACE, K_SOURCE, K_DESTINATION, K_BACK_PORT, K_TABLE, K_ZONE, K_STRAIGHT, K_ENTERED,
    K_EGRESS_ONLY, K_BY_BOX,
) = _codes((0, 1, 2, 3, 4, 9, 14, 15, 16, 17, 18, 19, 20))  # fmt: skip
STACK_WIDTH = np.int64(21)
MOST_STEPS = np.int64(64)
BOX = STACK + (MOST_STEPS + 2) * STACK_WIDTH
BOX_BACK = BOX + MOST_STEPS + 2
FRAME = BOX_BACK + MOST_STEPS + 2
FRAME_WIDTH = 32
#: Where AWS may choose among several ways, a flow is walked once for each: the ways taken at the forks of a walk (-1:
#: cut there) and how many there are; the place that an attachment in appliance mode has chosen; what the first way
#: gave; the ways of the walk that stands in the end.
MOST_FORKS = np.int64(4)
FORK_FRAME = FRAME + 3 * FRAME_WIDTH
(
    N_WAYS, WAYS, WAY_COUNTS, CHOSEN_BY, CHOSEN_PLACE, FIRST_RESULT, N_FINAL, SETTLED, FORK_WIDTH,
) = (FORK_FRAME + np.int64(offset) for offset in (0, 1, 5, 9, 13, 17, 21, 22, 23))  # fmt: skip
FINAL_CUT, WAY_IN = FORK_WIDTH, FORK_WIDTH + 1
WALK_SIZE = FORK_WIDTH + 2
NO_WAY, NO_ONE_WAY = _codes((0, -1))
"""WAY_IN: 1 + the number of the edge that the reply to a source outside would leave by << 8 | its kind; or these."""

#: Verdicts of recent walks, behind the registers: what decides a walk (two nodes or addresses, ports), and the columns.
MEMO_START = np.int64(-(-WALK_SIZE // 8) * 8)
E_ENDS, E_PORTS, E_START, E_CODES, E_BLOCKED, E_INTERFACES, E_RULES, MEMO_WIDTH = _codes((0, 1, 2, 3, 4, 5, 6, 10))

# A conversation behind a load balancer, as judged when the network was compiled.
(
    C_CUT, C_DENIES, C_DENIED, C_DOUBTED, C_REPLY_CUT, C_REPLY_DENIES, C_REPLY_DENIED, C_REPLY_DOUBTED, C_FLAGGED,
    CONVERSATION_WIDTH,
) = _codes(range(10))  # fmt: skip
#: Stages of a conversation, by bit, as they count behind a load balancer.
BEHIND = (
    10, 10, 13, 11, 12, 5, 6, 7, 8, 9, 10, 11, 12, 13, 11, 13, 10, 25, 26, 19, 20, 21, 22, 23, 24, 25, 26, 27, 25,
)  # fmt: skip

# Where a reply is expected.
OUTSIDE, AT_INTERFACE, AT_GATEWAY_OF_NAT, AT_TRANSLATOR, AT_MAPPING = _codes(range(5))
# Edges.
BY_INTERNET, BY_EGRESS_ONLY, BY_PRIVATE, BY_SERVICE, BY_TRANSIT = _codes(range(1, 6))
# Actions.
(
    CUT, DONE, STEP, LOCAL, ARRIVE, BACK, INTERNET, INTERNET_BACK, ENTER, EDGE, NAT, PEERING, TRANSIT_GATEWAY, TABLE,
    OUT_OF_TRANSIT, PRIVATE, SERVICE, BOX_IN, LEAVE, BALANCE,
) = _codes(range(20))  # fmt: skip
WAY_SUBNET, WAY_VPC, WAY_INTERNET, WAY_BALANCER, WAY_TRANSIT, WAY_PRIVATE = _codes((0, 1, 3, 5, 7, 8))


# -- checks ----------------------------------------------------------------------------------------------


@step
def _check(w, stage, word, rule):
    """Note the outcome word of a stage, and the rule it names in rule column `rule` (-1: none) if it is reached."""
    outcome = word >> LABEL_BITS
    part = REPLY_PART if stage > AT_END else FORWARD_PART
    if rule >= 0 and w[FORWARD_PART + DENIED] == 0 and w[part + DENIED] == 0:
        w[RULES + rule] = word & LABEL_MASK
    if outcome >= UNSURE:
        if w[part + DOUBTED] == 0:
            w[part + DOUBTED] = stage << 8 | outcome
    elif outcome:
        w[part + DENIES] |= 1 << stage
        if w[part + DENIED] == 0:
            w[part + DENIED] = stage << 8 | outcome
    return outcome


@step
def _asymmetric(g, w):
    """The reply comes to somewhere else: the last route asked denies, at its place in the order of checks."""
    stage, outcome = w[ROUTE_STAGE], g.numbers[SAYING + D_ASYMMETRIC]
    if not w[ROUTE_DENIED]:
        _check(w, stage, outcome << LABEL_BITS, NO_RULE)
        if w[ROUTE_CLEAN]:
            w[REPLY_PART + DENIED] = stage << 8 | outcome
    return CUT


# -- looking up ------------------------------------------------------------------------------------------


@step
def _set_address(w, end, family, high, low):
    w[end + FAMILY], w[end + HIGH], w[end + LOW], w[end + VIEW] = family, high, low, -1


@step
def _find(g, w, end, view):
    """Node of the packet's source or destination in a view, as kernels._find_ipv4 and _find_ipv6 do it."""
    n, u = g.numbers, g.words
    if w[end + FAMILY] == 4:
        address = w[end + LOW]
        entry = np.int64(u[n[OF_ROOT] + (view << 16) + (address >> 16)])
        entry = np.int64(u[n[OF_MIDDLE] + (entry & 0x7FFFFFFF) + ((address >> 8 & 255) & -(entry >> 31))])
        return np.int64(u[n[OF_LEAF] + (entry & 0x7FFFFFFF) + ((address & 255) & -(entry >> 31))])
    high, low = np.uint64(w[end + HIGH]), np.uint64(w[end + LOW])
    base, size = n[n[OF_IPV6_START] + view], n[n[OF_IPV6_START] + view + 1] - n[n[OF_IPV6_START] + view]
    while size > 1:
        half = size >> 1
        upper, lower = np.uint64(n[n[OF_IPV6_HIGH] + base + half]), np.uint64(n[n[OF_IPV6_LOW] + base + half])
        before = np.int64((upper < high) | ((upper == high) & (lower <= low)))
        base += half * before
        size -= half
    return np.int64(u[n[OF_IPV6_NODE] + base])


@step
def _seen(g, w, end, vpc):
    """Node of the packet's source or destination as a VPC sees it (two VPCs may share a CIDR)."""
    view = g.numbers[g.numbers[OF_VIEW_OF_VPC] + vpc]
    if w[end + VIEW] != view:
        w[end + VIEW] = view
        w[end + NODE] = _find(g, w, end, view)
    return w[end + NODE]


@step
def _between(g, w, end):
    """Between class of the packet's source or destination; the same in every view."""
    if w[end + VIEW] < 0:
        _seen(g, w, end, NOTHING)
    return np.int64(g.words[g.numbers[OF_NODE_BETWEEN] + w[end + NODE]])


@step
def _column(g, node, column):
    """A column of a node's row."""
    return np.int64(g.words[g.numbers[OF_NODE] + node * NODE_WIDTH + column])


@step
def _held(g, w, end, vpc):
    """Node of the one interface of `vpc` that holds the packet's source or destination, -1 none."""
    node = _seen(g, w, end, vpc)
    held = _column(g, node, NODE_INTERFACE) != NULL32 and _column(g, node, NODE_VPC) & VPC_MASK == vpc
    return node if held else np.int64(-1)


@step
def _is_own(g, w, end, vpc):
    """Whether the packet's source or destination is an address of an interface of `vpc`."""
    node = _seen(g, w, end, vpc)
    held = g.numbers[g.numbers[OF_NODE_LOCAL] + node]
    return (held == 1 or held == 2) and _column(g, node, NODE_VPC) & VPC_MASK == vpc


@step
def _is_from(g, w, vpc):
    """Whether the packet's source is in `vpc`, by its CIDRs or held there: 0, 1, 2 not known."""
    inside = np.int64(g.words[g.numbers[OF_IN_VPC] + vpc * g.numbers[H_BETWEEN] + _between(g, w, S)])
    if inside != 1 and (_is_own(g, w, S, vpc) or (w[BY_NAT] > 1 and w[STACK + w[DEPTH] * STACK_WIDTH + K_VPC] == vpc)):
        return np.int64(1)
    return inside


@step
def _interface(g, number, column):
    return g.numbers[g.numbers[OF_INTERFACE] + number * INTERFACE_WIDTH + column]


@step
def _place(g, number, column):
    return g.numbers[g.numbers[OF_PLACE] + number * PLACE_WIDTH + column]


@step
def _line(g, place, remote):
    """Where a place's profile says what it does with a remote node."""
    n, u = g.numbers, g.words
    by_prefix = np.int64(u[n[OF_REMOTE_CLASS] + (_place(g, place, P_CLASSES) + remote) * 2 + 1])
    page = np.int64(u[n[OF_PROFILE_PAGE] + _place(g, place, P_PAGES) + (by_prefix >> PROFILE_PAGE_BITS)])
    return n[OF_PROFILE_ROW] + page + (by_prefix & ((1 << PROFILE_PAGE_BITS) - 1)) * 4


@step
def _list_word(g, w, place, line, egress):
    """Outcome word of one list of a place's ACL for the packet."""
    columns = _place(g, place, P_COLUMNS) + (w[BACK_PORT] if w[REPLY] else w[ACL_PORT])
    columns += g.numbers[H_ACL_PORTS] if egress else 0
    cell = np.int64(g.words[line if egress else line + 1]) + np.int64(g.column[columns])
    return np.int64(g.words[g.numbers[OF_CELLS] + cell])


@step
def _acl_in(g, w, place, stage, rule):
    """Check a place's inbound list with the packet's source."""
    line = _line(g, place, _seen(g, w, S, _place(g, place, P_VPC)))
    return _check(w, stage, _list_word(g, w, place, line, INWARD), rule)


@step
def _group_word(g, own, pages, remote, party, port):
    """Outcome word of the groups in node row `own` for a remote node, seen as `party`."""
    n, u = g.numbers, g.words
    place = np.int64(u[own + N_CLASSES]) + remote
    if party == DIRECT:
        by_group = np.int64(u[n[OF_REMOTE_CLASS] + place * 2])
    else:
        by_group = np.int64(u[n[OF_PARTY_CLASS] + place * n[H_PARTIES] + party - 1])
    page = np.int64(u[n[OF_POLICY_PAGE] + np.int64(u[own + pages]) + (by_group >> CLASS_PAGE_BITS)])
    row = np.int64(g.policy_row[page + (by_group & ((1 << CLASS_PAGE_BITS) - 1))])
    columns = np.int64(u[own + pages + 2])
    if n[H_PAGED]:
        columns = np.int64(u[n[OF_COLUMN_PAGE] + columns + (port >> COLUMN_PAGE_BITS)])
        port = port & ((1 << COLUMN_PAGE_BITS) - 1)
    return np.int64(u[n[OF_CELLS] + np.int64(u[own + pages + 1]) + row + np.int64(g.column[columns + port])])


@step
def _group_check(g, w, node, outward, party, stage, rule):
    """Check the groups of a node's interface with the packet's other end, seen as `party`."""
    own = g.numbers[OF_NODE] + node * NODE_WIDTH
    pages = EGRESS if outward else INGRESS
    remote = w[SENDER]
    if outward or remote == 0:
        remote = _seen(g, w, D if outward else S, np.int64(g.words[own + N_VPC]) & VPC_MASK)
    word = _group_word(g, own, pages, remote, party, w[GROUP_PORT])
    if party != DIRECT and 0 < word >> LABEL_BITS < UNSURE:
        could = False
        for other in range(DIRECT + 1 if outward else TRANSIT + 1):
            could |= _group_word(g, own, pages, remote, other, w[GROUP_PORT]) >> LABEL_BITS == 0
        if could:
            reason = D_NO_REFERENCES if w[MET] == MET_TRANSIT else D_NOT_PRESERVED
            word = g.numbers[SAYING + reason] << LABEL_BITS
    return _check(w, stage, word, rule)


@step
def _party(w):
    """What group references can see of the sender."""
    if w[UNSEEN]:
        return NOBODY
    if w[MET] & ~MET_PEERING == 0:
        return DIRECT
    return TRANSIT if w[MET] == MET_TRANSIT and w[TRANSITS] == 1 and w[REFERS] else NOBODY


@step
def _edge(g, w, vpc_or_gateway, of, width, end):
    """Route word of a gateway's own table towards the packet's source or destination; TO_LOCAL without one (RT-20)."""
    n = g.numbers
    table = n[n[of] + vpc_or_gateway * width]
    if table < 0:
        return np.int64(TO_LOCAL)
    word = np.int64(g.words[n[OF_EXTRA] + table * n[H_BETWEEN] + _between(g, w, end)])
    return np.int64(TO_LOCAL) if word & 255 == NO_ROUTE else word


# -- places and translations -----------------------------------------------------------------------------


@step
def _go(g, w, place):
    """Stand at a place."""
    w[PLACE], w[VPC], w[ZONE] = place, _place(g, place, P_VPC), _place(g, place, P_ZONE)
    w[EXTRA], w[CLASSIC] = NO_TABLE, 0


@step
def _expect(w):
    """Set where the reply is expected, from the top of the stack."""
    top = STACK + w[DEPTH] * STACK_WIDTH
    w[X_KIND], w[X_VPC], w[X_WHERE], w[X_INTERFACE] = w[top], w[top + K_VPC], w[top + K_WHERE], w[top + K_INTERFACE]


@step
def _push(w, kind, where, interface):
    """Remember the packet before its source is translated; the place of what was pushed."""
    w[DEPTH] += 1
    top = STACK + w[DEPTH] * STACK_WIDTH
    w[top + K_KIND], w[top + K_VPC], w[top + K_WHERE], w[top + K_INTERFACE] = kind, w[VPC], where, interface
    for part in range(5):
        w[top + K_SOURCE + part] = w[S + part]
        w[top + K_DESTINATION + part] = w[D + part]
    w[top + K_BACK_PORT], w[top + K_TABLE], w[top + K_ZONE] = w[BACK_PORT], NO_TABLE, w[ZONE]
    w[top + K_STRAIGHT] = w[top + K_ENTERED] = w[top + K_EGRESS_ONLY] = w[top + K_BY_BOX] = 0
    _expect(w)
    return top


@step
def _pop(w):
    """The packet as it was before its source was translated, turned round."""
    top = STACK + w[DEPTH] * STACK_WIDTH
    for part in range(5):
        w[D + part] = w[top + K_SOURCE + part]
        w[S + part] = w[top + K_DESTINATION + part]
    w[BACK_PORT] = w[top + K_BACK_PORT]
    w[DEPTH] -= 1
    _expect(w)
    return top


@step
def _new_leg(g, w, low):
    """The source is now IPv4 `low`, its port any of 1024-65535."""
    _set_address(w, S, IPV4, NOTHING, low)
    if w[PROTOCOL] == TCP or w[PROTOCOL] == UDP:
        w[BACK_PORT] = g.numbers[H_TCP_ANY if w[PROTOCOL] == TCP else H_UDP_ANY]
    if w[LEG] == 0:
        w[MET_FIRST] = w[MET]
    w[LEG], w[MET], w[TRANSITS], w[SENDER] = 1, 0, 0, 0


@step
def _in_subnet_of(g, w, place):
    """Whether the packet is in the subnet of another place already."""
    subnet = _place(g, w[PLACE], P_SUBNET)
    return subnet != 0 and subnet == _place(g, place, P_SUBNET)


@step
def _is_expected(w):
    """Whether the reply is bound for an interface of this VPC."""
    return w[REPLY] != 0 and OUTSIDE < w[X_KIND] < AT_MAPPING and w[X_VPC] == w[VPC]


@step
def _came_by_internet(w):
    """0: the reply need not leave by an internet gateway; 1: by that of another VPC; 2: by that of this VPC."""
    if w[X_KIND] == AT_MAPPING:
        return 2 if w[STACK + w[DEPTH] * STACK_WIDTH + K_ENTERED] == w[VPC] else 1
    if w[X_KIND] == OUTSIDE and w[CAME] == BY_INTERNET:
        return 2 if w[CAME_INDEX] == w[VPC] else 1
    return 0


# -- actions ---------------------------------------------------------------------------------------------


@step
def _step(g, w):
    """A place: its ACL and its route for the destination, unless that is in the same subnet."""
    n = g.numbers
    w[STEPS] += 1
    reply, first, place, vpc = w[REPLY], w[FIRST], w[PLACE], w[VPC]
    w[FIRST] = w[SAME] = 0
    acl_stage, acl_rule = AT_MIDDLE_ACL + TO_REPLY * reply, -1
    route_stage, route_rule = AT_MIDDLE_ROUTE + TO_REPLY * reply, -1
    if first:
        acl_stage, acl_rule = REPLY_ACL_OUT if reply else AT_ACL_OUT, RULE_REPLY_OUT if reply else RULE_ACL_OUT
        route_stage, route_rule = REPLY_ROUTE if reply else AT_ROUTE, RULE_REPLY_ROUTE if reply else RULE_ROUTE
    if w[STEPS] > MOST_STEPS:
        _check(w, route_stage, n[SAYING + D_TOO_LONG] << LABEL_BITS, NO_RULE)
        return CUT
    word, held = np.int64(1), False  # no table is described
    if w[EXTRA] == NO_TABLE:
        holder = _held(g, w, D, vpc)
        where = w[X_WHERE]
        if _is_expected(w):
            held = True
        elif holder >= 0:
            held, where = True, _interface(g, _column(g, holder, NODE_INTERFACE), I_PLACE)
        line = _line(g, place, w[D + NODE])
        own = _list_word(g, w, place, line, OUTWARD)
        if held and _in_subnet_of(g, w, where):
            w[SAME] = 1
            if w[CLASSIC]:
                if 0 < own >> LABEL_BITS < UNSURE:
                    own = n[SAYING + D_CLASSIC] << LABEL_BITS | own & LABEL_MASK
                _check(w, acl_stage, own, acl_rule)
            if first and not reply:
                w[WAY] = WAY_SUBNET
            return LOCAL
        _check(w, acl_stage, own, acl_rule)
        word = np.int64(g.words[line + 3])
    elif w[EXTRA] >= 0:
        word = np.int64(g.words[n[OF_EXTRA] + w[EXTRA] * n[H_BETWEEN] + _between(g, w, D)])
    code, label = word & 255, word >> 8
    w[ROUTE_STAGE], w[ROUTE_CLEAN] = route_stage, np.int64(w[REPLY_PART + DENIED] == 0)
    if reply and first and w[X_KIND] == AT_GATEWAY_OF_NAT and w[STACK + w[DEPTH] * STACK_WIDTH + K_STRAIGHT]:
        _check(w, route_stage, np.int64(0), route_rule)  # NG-10
        w[VPC] = w[X_VPC]
        return BACK
    outcome = n[n[OF_ROUTE_OUTCOME] + code]
    if reply and code >= INTERNET_UNDESCRIBED:
        outcome = _return_outcome(g, w, code, n[n[OF_ROUTE_NEXT] + label], outcome)
    w[ROUTE_DENIED] = np.int64(0 < outcome < UNSURE)
    _check(w, route_stage, outcome << LABEL_BITS | label, route_rule)
    none = code < INTERNET_UNDESCRIBED  # no route, or none known
    if first and not reply:
        w[WAY] = (
            WAY_VPC
            if held and (none or 0 < outcome < UNSURE)
            else (np.int64(NULL8) if none else n[n[OF_ROUTE_PATH] + code])
        )
    if outcome >= UNSURE:
        return CUT
    if outcome and (none or code >= FIRST_BLACKHOLE):  # no way, but what the VPC holds is asked all the same
        return LOCAL if held else CUT
    if outcome:
        return CUT
    w[CODE], w[NUMBER] = code, n[n[OF_ROUTE_NEXT] + label]
    if n[n[OF_ROUTE_GATE] + code]:
        return INTERNET
    if code == TO_LOCAL:
        return LOCAL
    if code == TO_NAT:
        return NAT
    if code == TO_PEERING:
        return PEERING
    if code == TO_TRANSIT:
        return TRANSIT_GATEWAY
    return PRIVATE if code == TO_PRIVATE else (SERVICE if code == TO_SERVICE else BOX_IN)


@step
def _return_outcome(g, w, code, number, outcome):
    """What a route of the reply says, by where the flow came in (6.2)."""
    n = g.numbers
    if code >= FIRST_BLACKHOLE:
        return outcome
    by_internet = _came_by_internet(w)
    if n[n[OF_ROUTE_GATE] + code] == GATE_INTERNET:
        if by_internet == 2 and code == INTERNET_UNDESCRIBED:
            return n[SAYING + U_RESOURCE]
        if by_internet == 2 and code == INTERNET_DETACHED:
            return n[SAYING + D_ATTACHMENT]
        return outcome if by_internet == 2 else n[SAYING + D_ASYMMETRIC]
    if by_internet and code != TO_LOCAL and code != TO_INTERFACE and code != TO_FIREWALL and code != TO_UNKNOWN:
        return n[SAYING + D_ASYMMETRIC]
    if w[X_KIND] == OUTSIDE and TO_FIREWALL < code < TO_UNKNOWN:
        return n[SAYING + D_ASYMMETRIC]
    astray = code == TO_NAT or code == TO_SERVICE or n[n[OF_ROUTE_GATE] + code] != 0
    if code == TO_PRIVATE and not w[PROBE]:
        came = w[X_KIND] == OUTSIDE and w[CAME] == BY_PRIVATE and w[CAME_INDEX] == number >> 1
        astray = not came
    if astray:
        return n[SAYING + D_ASYMMETRIC]
    return outcome


@step
def _local(g, w):
    """Deliver in the VPC the packet is in."""
    n = g.numbers
    if _is_expected(w):
        return BACK
    if w[REPLY]:
        return _asymmetric(g, w)
    node = _held(g, w, D, w[VPC])
    if node >= 0:
        w[END] = node
        return ARRIVE
    kind = n[n[OF_NODE_LOCAL] + w[D + NODE]]
    if _column(g, w[D + NODE], NODE_VPC) & VPC_MASK != w[VPC]:
        kind = np.int64(0)
    saying = U_AMBIGUOUS if kind == 2 else (D_RESERVED if kind == 3 else U_DESTINATION)
    _check(w, AT_END, n[SAYING + saying] << LABEL_BITS, NO_RULE)
    return CUT


@step
def _arrive(g, w):
    """The packet is at B (END)."""
    n, number = g.numbers, _column(g, w[END], NODE_INTERFACE)
    w[DESTINATION] = number
    if not w[SAME]:
        _acl_in(g, w, _interface(g, number, I_PLACE), AT_ACL_IN, RULE_ACL_IN)
    _group_check(g, w, w[END], INWARD, _party(w), AT_SG_IN, RULE_SG_IN)
    kind = _interface(g, number, I_TYPE)
    if _interface(g, number, I_FLAGS) & F_UNUSABLE:
        _check(w, AT_END, n[SAYING + D_BAD_STATE] << LABEL_BITS, NO_RULE)
    elif kind == T_UNSUPPORTED:
        _check(w, AT_END, n[SAYING + U_UNSUPPORTED] << LABEL_BITS, NO_RULE)
    if kind == T_NAT:
        _check(w, AT_NAT, n[SAYING + D_NOWHERE] << LABEL_BITS, NO_RULE)
    return BALANCE if kind == T_NODE else DONE


@step
def _back(g, w):
    """The reply is where it was expected: un-translate and go on, or be done."""
    kind = w[X_KIND]
    if w[VPC] != w[X_VPC] or kind == AT_MAPPING or kind == OUTSIDE:
        return _asymmetric(g, w)
    if kind == AT_INTERFACE:
        if not w[SAME]:
            _acl_in(g, w, w[X_WHERE], REPLY_ACL_IN, RULE_REPLY_IN)
        return DONE
    where, table = w[X_WHERE], w[STACK + w[DEPTH] * STACK_WIDTH + K_TABLE]
    if not w[SAME] and table == NO_TABLE:
        _acl_in(g, w, where, REPLY_MIDDLE_ACL, NO_RULE)
    if kind == AT_TRANSLATOR:
        w[BOX_BACK + w[BOXES_BACK]] = w[X_INTERFACE] * 2
        w[BOXES_BACK] += 1
    top = _pop(w)
    _go(g, w, where)
    if table != NO_TABLE:
        w[EXTRA], w[ZONE] = table, w[top + K_ZONE]
    return STEP


# -- NAT gateways ----------------------------------------------------------------------------------------


@step
def _nat(g, w):
    """6.4, forward."""
    n, number = g.numbers, w[NUMBER]
    near = n[n[OF_NAT_ZONE] + max(number, 0) * n[H_ZONES] + w[ZONE]]
    row = n[OF_NAT] + (near - 1 if near else number) * NAT_WIDTH
    w[MET] |= MET_NAT
    if number < 0 or n[row + G_VPC] != w[VPC]:
        _check(w, AT_NAT, n[SAYING + (U_RESOURCE if number < 0 else D_ATTACHMENT)] << LABEL_BITS, NO_RULE)
        return CUT
    ipv6, protocol = w[D + FAMILY] == 6, w[PROTOCOL]
    embedded = ipv6 and w[D + HIGH] == 0x0064FF9B00000000 and np.uint64(w[D + LOW]) >> np.uint64(32) == 0
    served = protocol == TCP or protocol == UDP or protocol == ICMP or (embedded and protocol == ICMPV6)
    inside = np.int64(1) if w[MET] & MET_TRANSIT else _is_from(g, w, w[VPC])
    in_zone = not n[row + G_ZONES] or near != 0
    lost = (ipv6 and not embedded) or n[row + G_PRIVATE] < 0
    saying = -1
    if not served:
        saying = D_PROTOCOL
    elif inside != 1:
        saying = U_RESOURCE if inside else D_NOT_IN_VPC
    elif ipv6 and not embedded:
        saying = D_NOWHERE
    elif not in_zone:
        saying = U_NAT_ZONE
    elif lost:
        saying = U_RESOURCE
    outcome = n[row + G_STATE] if n[row + G_STATE] or saying < 0 else n[SAYING + saying]
    _check(w, AT_NAT, outcome << LABEL_BITS, NO_RULE)
    kind = w[ICMP_KEY] // ICMP_CODES
    if protocol == ICMPV6 and embedded and kind != 128 and kind != 129 and w[ICMP_KEY] != ICMP_TYPE_UNKNOWN_KEY:
        _check(w, AT_NAT, n[SAYING + D_PROTOCOL] << LABEL_BITS, NO_RULE)
        return CUT
    if lost:
        return CUT
    where, regional, zone = n[row + G_PLACE], n[row + G_REGIONAL], w[ZONE]
    if not regional and not _in_subnet_of(g, w, where):
        _acl_in(g, w, where, AT_MIDDLE_ACL, NO_RULE)
    top = _push(w, AT_GATEWAY_OF_NAT, where, n[row + G_INTERFACE])
    if regional:
        w[top + K_TABLE] = n[row + G_TABLE] if n[row + G_TABLE] >= 0 else np.int64(UNKNOWN_TABLE)
    if embedded:
        _set_address(w, D, IPV4, NOTHING, w[D + LOW] & 0xFFFFFFFF)
        if protocol == ICMPV6:
            known = w[ICMP_KEY] != ICMP_TYPE_UNKNOWN_KEY
            way = H_ECHO if known and kind == 128 else (H_ECHO_REPLY if known else H_ECHO_UNKNOWN)
            w[PROTOCOL], w[GROUP_PORT], w[ACL_PORT] = ICMP, n[way], n[way + 1]
            w[BACK_PORT] = n[(H_ECHO_REPLY if known else H_ECHO_UNKNOWN) + 1]
            w[ICMP_KEY] = w[ICMP_KEY] if not known else (8 * ICMP_CODES if kind == 128 else 0)
    _new_leg(g, w, n[row + G_PRIVATE])
    w[S + NODE], w[S + VIEW] = n[row + G_NODE], n[n[OF_VIEW_OF_VPC] + n[row + G_VPC]]
    _go(g, w, where)
    w[BY_NAT], w[UNSEEN] = 2 + n[row + G_PUBLIC], 1
    if regional:
        w[ZONE], w[EXTRA] = zone, w[top + K_TABLE]
    return STEP


# -- internet --------------------------------------------------------------------------------------------


@step
def _internet(g, w):
    """6.3, forward: out of a VPC by an internet gateway or an egress-only internet gateway."""
    n, vpc, code = g.numbers, w[VPC], w[CODE]
    only = code == TO_EGRESS_ONLY or code == EGRESS_UNDESCRIBED or code == EGRESS_DETACHED
    holder = _held(g, w, S, vpc)
    node, ipv4 = w[S + NODE], w[S + FAMILY] == 4
    public = n[n[OF_NODE_PUBLIC] + node] if _column(g, node, NODE_VPC) & VPC_MASK == vpc else np.int64(-1)
    if w[BY_NAT] > 1 and w[STACK + w[DEPTH] * STACK_WIDTH + K_VPC] == vpc:
        public = w[BY_NAT] - 2
    remote = _seen(g, w, D, NOTHING)
    end, kind = n[n[OF_NODE_END] + remote], n[n[OF_NODE_KIND] + remote]
    if (ipv4 and only) or (not ipv4 and end >= 0 and _column(g, max(end, 0), NODE_VPC) & VPC_MASK == vpc):
        end = np.int64(-1)
    outcome = np.int64(0)
    if code == INTERNET_UNDESCRIBED or code == EGRESS_UNDESCRIBED:
        outcome = n[SAYING + U_RESOURCE]
    elif code == INTERNET_DETACHED or code == EGRESS_DETACHED:
        outcome = n[SAYING + D_ATTACHMENT]
    elif _place(g, w[PLACE], P_STOPS) & (4 if only else (2 if w[BY_NAT] else 1)):
        outcome = n[SAYING + (U_RESOURCE if _place(g, w[PLACE], P_STOPS) & 16 else D_BLOCKED)]
    elif not only and ipv4 and public < 0:
        inside = _is_from(g, w, vpc)
        saying = D_NO_PUBLIC if inside == 1 else (U_RESOURCE if inside else D_SPOOFED)
        outcome = n[SAYING + (U_UNSUPPORTED if w[MET] & MET_APPLIANCE else saying)]
    elif not only and not ipv4 and holder < 0:
        outcome = n[SAYING + D_SPOOFED]
    elif not ipv4 and n[n[OF_NODE_PUBLIC] + node] == NOT_ADVERTISED:
        outcome = n[SAYING + D_NO_PUBLIC]
    elif not only and not ipv4 and _interface(g, _column(g, max(holder, 0), NODE_INTERFACE), I_FLAGS) & F_NO_GATEWAY:
        outcome = n[SAYING + D_NO_GATEWAY]
    elif kind and end == -1:
        outcome = n[n[OF_DESTINATION_OUT] + 1 + kind]  # DST_INTERNET and what follows it
    elif not only and w[BOXES] == 0:
        edge = _edge(g, w, vpc, OF_VPC, VPC_WIDTH, S)
        itself = holder >= 0 and n[n[OF_ROUTE_NEXT] + (edge >> 8)] == _column(g, max(holder, 0), NODE_INTERFACE)
        if edge & 255 == TO_FIREWALL or (edge & 255 == TO_INTERFACE and not itself):
            outcome = n[SAYING + D_REDIRECTED]
    if _check(w, AT_GATEWAY, outcome << LABEL_BITS, NO_RULE):
        # a conversation behind a load balancer that the short walk would judge: it goes on all the same (section 3)
        edge = _edge(g, w, vpc, OF_VPC, VPC_WIDTH, S) & 255
        if w[LEVEL] == 2 or w[STEPS] > 1 or end != -1 or edge == TO_FIREWALL or edge == TO_INTERFACE:
            return CUT
    else:
        w[MET] |= MET_GATEWAY
    if end == -2:
        _check(w, AT_END, n[SAYING + U_AMBIGUOUS] << LABEL_BITS, NO_RULE)
        return CUT
    if end < 0:
        w[LEFT], w[LEFT_INDEX] = BY_EGRESS_ONLY if only else BY_INTERNET, vpc
        return DONE
    top = _push(w, AT_MAPPING, NOTHING, NO_RULE)
    w[top + K_ENTERED], w[top + K_EGRESS_ONLY] = _column(g, end, NODE_VPC) & VPC_MASK, np.int64(only)
    if ipv4:
        _set_address(w, S, IPV4, NOTHING, public)
        _set_address(w, D, IPV4, NOTHING, n[n[OF_NODE_LOW] + end])
        w[SENDER] = 0
    w[UNSEEN], w[END], w[NUMBER], w[CODE] = 1, end, 0, 0
    return ENTER


@step
def _enter(g, w):
    """Into the VPC of END by its internet gateway.

    NUMBER: outcome of a source outside; CODE: whether END was found by its private address.
    """
    n, end, by_private = g.numbers, w[END], w[CODE]
    vpc, number = _column(g, end, NODE_VPC) & VPC_MASK, _column(g, end, NODE_INTERFACE)
    w[VPC], w[BY_NAT], w[PLACE] = vpc, 0, 0
    w[D + VIEW], w[D + NODE] = n[n[OF_VIEW_OF_VPC] + vpc], end
    word = _edge(g, w, vpc, OF_VPC, VPC_WIDTH, D)
    place, target = _interface(g, number, I_PLACE), n[n[OF_ROUTE_NEXT] + (word >> 8)]
    if word & 255 == TO_FIREWALL and target >= 0:  # BP-02
        behind = n[n[OF_FIREWALL] + target * FIREWALL_WIDTH + B_PLACE]
        place = behind if behind else place
    missing = n[n[OF_VPC] + vpc * VPC_WIDTH + V_ENTER]
    other_ways, ipv4 = by_private and n[n[OF_VPC] + vpc * VPC_WIDTH + V_OTHER_WAYS], w[D + FAMILY] == 4
    outcome = w[NUMBER]
    hidden = n[n[OF_NODE_PUBLIC] + end] == NOT_ADVERTISED
    if hidden or (by_private and ipv4 and _column(g, end, NODE_PEER) == NULL32):
        outcome = n[SAYING + (U_UNSUPPORTED if other_ways else D_NO_PRIVATE)]
    elif missing:
        outcome = n[SAYING + U_UNSUPPORTED] if other_ways and missing < UNSURE else missing
    elif _place(g, place, P_STOPS) & 8:
        outcome = n[SAYING + (U_RESOURCE if _place(g, place, P_STOPS) & 16 else D_BLOCKED)]
    elif not ipv4 and _interface(g, number, I_FLAGS) & F_NO_GATEWAY:
        outcome = n[SAYING + D_NO_GATEWAY]
    if _check(w, AT_GATEWAY, outcome << LABEL_BITS, NO_RULE):
        return CUT
    code = word & 255
    if code == TO_FIREWALL or (code == TO_INTERFACE and target != number):
        if w[X_KIND] == AT_MAPPING:
            w[STACK + w[DEPTH] * STACK_WIDTH + K_BY_BOX] = 1
        w[CAME_BY_BOX] = 1
    if code == TO_INTERFACE and target >= 0 and ipv4 and not _interface(g, target, I_FLAGS) & F_PUBLIC:
        _check(w, AT_GATEWAY, n[SAYING + D_BOX_NOT_PUBLIC] << LABEL_BITS, NO_RULE)
    w[CODE] = word
    return EDGE


@step
def _from_edge(g, w):
    """Go where a gateway's own table says (RT-20): the route word in CODE."""
    n, word = g.numbers, w[CODE]
    code = word & 255
    w[SAME] = w[PLACE] = 0
    if code == TO_LOCAL:
        return BACK if w[REPLY] else ARRIVE
    w[D + VIEW] = -1  # from a middlebox on it goes by its address, which others may hold too
    if code == TO_INTERFACE or code == TO_FIREWALL:
        w[CODE], w[NUMBER] = code, n[n[OF_ROUTE_NEXT] + (word >> 8)]
        return BOX_IN
    saying = D_BLACKHOLE if code >= FIRST_BLACKHOLE else U_UNSUPPORTED
    _check(w, REPLY_GATEWAY if w[REPLY] else AT_GATEWAY, n[SAYING + saying] << LABEL_BITS, NO_RULE)
    return CUT


@step
def _internet_back(g, w):
    """The reply of a flow that entered by an internet gateway is at that gateway."""
    mapping = w[X_KIND] == AT_MAPPING
    by_box = w[STACK + w[DEPTH] * STACK_WIDTH + K_BY_BOX] if mapping else w[CAME_BY_BOX]
    if by_box and w[BOXES_BACK] == 0:
        _check(w, REPLY_GATEWAY, g.numbers[SAYING + D_REDIRECTED] << LABEL_BITS, NO_RULE)
        return CUT
    if not mapping:
        return DONE
    top = _pop(w)
    w[VPC], w[PLACE], w[SAME] = w[top + K_VPC], 0, 0
    w[CODE] = TO_LOCAL if w[top + K_EGRESS_ONLY] else _edge(g, w, w[VPC], OF_VPC, VPC_WIDTH, D)
    return EDGE


# -- peering, transit gateways ---------------------------------------------------------------------------


@step
def _peering(g, w):
    """6.5: straight into the other VPC."""
    n, u, number, vpc = g.numbers, g.words, w[NUMBER], w[VPC]
    stage, straight = AT_PEERING + TO_REPLY * w[REPLY], w[MET] == 0
    w[MET] |= MET_PEERING
    row = n[OF_PEERING] + max(number, 0) * PEERING_WIDTH
    side = 0 if n[row + X_SIDE] == vpc else 1
    other = n[row + X_SIDE + 1 - side]
    sides = n[OF_PEERING_SIDE] + 2 * max(number, 0) * n[H_BETWEEN]
    near = u[sides + side * n[H_BETWEEN] + _between(g, w, S)]
    far = u[sides + (1 - side) * n[H_BETWEEN] + _between(g, w, D)]
    outcome = np.int64(0)
    if number < 0:
        outcome = n[SAYING + U_RESOURCE]
    elif n[row + X_SIDE + side] != vpc:
        outcome = n[SAYING + D_ATTACHMENT]
    elif n[row + X_STATE]:
        outcome = n[row + X_STATE]
    elif near == 2 and not _is_own(g, w, S, vpc):
        outcome = n[SAYING + U_RESOURCE]
    elif near == 0 or far == 0:
        outcome = n[SAYING + D_NOT_IN_CIDR]
    elif (far == 2 and not _is_own(g, w, D, other)) or not n[n[OF_VPC] + other * VPC_WIDTH + V_DESCRIBED]:
        outcome = n[SAYING + U_RESOURCE]
    if _check(w, stage, outcome << LABEL_BITS, NO_RULE):
        return CUT
    if not w[REPLY] and w[X_KIND] == AT_GATEWAY_OF_NAT and straight:
        w[STACK + w[DEPTH] * STACK_WIDTH + K_STRAIGHT] = 1
    _go(g, w, n[row + X_PLACE + 1 - side])
    w[SAME] = 0
    return LOCAL


@step
def _transit(g, w):
    """6.6: from a VPC into a transit gateway."""
    n, row = g.numbers, g.numbers[OF_ENTRY] + w[NUMBER] * ENTRY_WIDTH
    w[MET] |= MET_TRANSIT
    w[TRANSITS] += 1
    outcome, where = n[row + Y_OUTCOME], n[n[OF_ENTRY_PLACE] + w[NUMBER] * n[H_ZONES] + w[ZONE]]
    if outcome == 0 and where == 0:
        outcome = n[SAYING + (D_ZONE if w[ZONE] else U_RESOURCE)]
    if _check(w, AT_TRANSIT + TO_REPLY * w[REPLY], outcome << LABEL_BITS, NO_RULE):
        return CUT
    _acl_in(g, w, where, AT_MIDDLE_ACL + TO_REPLY * w[REPLY], NO_RULE)
    w[PAIR] = n[row + Y_PAIR]
    return TABLE


@step
def _table(g, w):
    """The table that packets use which come into a transit gateway by attachment PAIR."""
    n = g.numbers
    stage, row = AT_TRANSIT + TO_REPLY * w[REPLY], n[OF_PAIR] + w[PAIR] * PAIR_WIDTH
    w[STEPS] += 1
    outcome, word = n[row + R_TABLE_OUTCOME], np.int64(0)
    if w[STEPS] > MOST_STEPS:
        outcome = n[SAYING + D_TOO_LONG]
    elif outcome == 0:
        word = np.int64(g.words[n[OF_TRANSIT] + n[row + R_TABLE] * n[H_BETWEEN] + _between(g, w, D)])
        outcome = word >> LABEL_BITS
    number = word & PAIR_MASK
    target = n[OF_PAIR] + number * PAIR_WIDTH
    kind, peer = n[target + R_KIND], n[target + R_PEER]
    if outcome == 0 and kind == A_EDGE:
        outcome = n[target + R_DOWN]
    elif outcome == 0 and (kind == A_OTHER or (kind == A_PEERING and peer < 0)):
        outcome = n[SAYING + (U_UNSUPPORTED if kind == A_OTHER else U_RESOURCE)]
    if _check(w, stage, outcome << LABEL_BITS, NO_RULE):
        return CUT
    w[REFERS] = n[row + R_GATEWAY_REFERS] & n[row + R_REFERS] & n[target + R_REFERS]
    w[NUMBER], w[CODE] = number, BY_TRANSIT
    if kind == A_PEERING:
        w[PAIR] = peer
        w[TRANSITS] += 1
        return TABLE
    return LEAVE if kind == A_EDGE else OUT_OF_TRANSIT


@step
def _out_of_transit(g, w):
    """Out of a transit gateway by a VPC attachment: in one of its subnets, if it makes no difference which."""
    n, row = g.numbers, g.numbers[OF_PAIR] + w[NUMBER] * PAIR_WIDTH
    span = n[OF_PAIR_SPAN] + (w[NUMBER] * n[H_ZONES] + w[ZONE]) * 4
    if n[row + R_SPREADS]:
        for fork in range(w[FORKED]):
            if w[CHOSEN_BY + fork] == n[row + R_NUMBER]:
                _go(g, w, w[CHOSEN_PLACE + fork])
                return STEP
        if n[span + 3] and _ends_in_zone(g, w, row):
            span += 2
    first, count, way = n[OF_CANDIDATE] + n[span], n[span + 1], np.int64(0)
    saying = U_RESOURCE if count == 0 else -1
    if count > 1 and not _are_alike(g, w, first, count, n[row + R_VPC]):
        way = _choose(w, count)
        saying = U_ZONE if way < 0 else -1
        if way >= 0 and n[row + R_SPREADS]:
            w[CHOSEN_BY + w[FORKED] - 1], w[CHOSEN_PLACE + w[FORKED] - 1] = n[row + R_NUMBER], n[first + way]
    if saying >= 0:
        _check(w, AT_TRANSIT + TO_REPLY * w[REPLY], n[SAYING + saying] << LABEL_BITS, NO_RULE)
        return CUT
    _go(g, w, n[first + way])
    return STEP


@step
def _ends_in_zone(g, w, row):
    """Whether the destination is in the zone the packet came from, as the transit gateway can see (TG-07)."""
    n = g.numbers
    if n[row + R_TABLE_OUTCOME]:
        return False
    word = np.int64(g.words[n[OF_TRANSIT] + n[row + R_TABLE] * n[H_BETWEEN] + _between(g, w, D)])
    beyond = n[OF_PAIR] + (word & PAIR_MASK) * PAIR_WIDTH
    if word >> LABEL_BITS or not word & PROPAGATED or n[beyond + R_KIND] != A_VPC:
        return False
    holder = _held(g, w, D, n[beyond + R_VPC])
    if holder < 0 or n[beyond + R_NUMBER] == n[row + R_NUMBER]:
        return False
    zone = _place(g, _interface(g, _column(g, holder, NODE_INTERFACE), I_PLACE), P_ZONE)
    return n[n[OF_SAME_ZONE] + zone * n[H_ZONES] + w[ZONE]] != 0


@step
def _are_alike(g, w, first, count, vpc):
    """Whether in all of these subnets the packet is delivered, or dropped, by the same list and route."""
    n, node, where = g.numbers, _held(g, w, D, vpc), np.int64(0)
    if _is_back_in(w, vpc):
        where = w[X_WHERE]
    elif node >= 0:
        where = _interface(g, _column(g, node, NODE_INTERFACE), I_PLACE)
    subnet = _place(g, where, P_SUBNET)
    outcome_0, held_0, said_0 = np.int64(0), False, np.int64(0)
    for index in range(count):
        place = n[first + index]
        line = _line(g, place, w[D + NODE])
        code = np.int64(g.words[line + 3]) & 255
        outcome = n[n[OF_ROUTE_OUTCOME] + code]
        held = subnet != 0 and _place(g, place, P_SUBNET) == subnet
        said = _list_word(g, w, place, line, OUTWARD) >> LABEL_BITS
        if code != TO_LOCAL and INTERNET_UNDESCRIBED <= code < FIRST_BLACKHOLE:
            return False
        if index == 0:
            outcome_0, held_0, said_0 = outcome, held, said
        elif outcome != outcome_0 or held != held_0 or said != said_0:
            return False
    return True


@step
def _choose(w, count):
    """Which of `count` ways this walk takes, -1: none, it is cut here."""
    fork = w[FORKED]
    if fork >= MOST_FORKS:
        w[LOST] = 1
        return np.int64(-1)
    if fork >= w[N_WAYS]:
        w[WAYS + fork], w[N_WAYS] = 0, fork + 1
    w[WAY_COUNTS + fork], w[CHOSEN_BY + fork] = count, -1
    w[FORKED] += 1
    return w[WAYS + fork]


@step
def _is_last(w):
    """Whether the walk just made is the one that stands: else the ways of the next one are set.

    Where all ways of a fork give the same verdicts, the first way stands; else the fork is cut.
    """
    if w[SETTLED]:
        return True
    forward = 2 if w[FORWARD_PART + DENIED] else np.int64(w[FORWARD_PART + DOUBTED] != 0)
    back = 2 if w[REPLY_PART + DENIED] else np.int64(w[REPLY_PART + DOUBTED] != 0)
    result = forward * 3 + (0 if forward or w[ONE_WAY] else back)
    fork = w[N_WAYS] - 1
    if w[N_FINAL] == 0:
        w[N_FINAL], w[FINAL_CUT] = fork + 1, 0
    while fork >= 0:
        way = w[WAYS + fork]
        if way == 0:
            w[FIRST_RESULT + fork] = result
        if way > 0 and result != w[FIRST_RESULT + fork]:
            w[WAYS + fork], w[N_WAYS] = -1, fork + 1
            is_first = True
            for before in range(fork):
                is_first &= w[WAYS + before] == 0
            if is_first:
                w[N_FINAL], w[FINAL_CUT] = fork + 1, 1
            return False
        if 0 <= way < w[WAY_COUNTS + fork] - 1:
            w[WAYS + fork], w[N_WAYS] = way + 1, fork + 1
            return False
        fork -= 1
    for fork in range(w[N_FINAL]):
        w[WAYS + fork] = 0
    w[WAYS + w[N_FINAL] - 1], w[N_WAYS], w[SETTLED] = -w[FINAL_CUT], w[N_FINAL], 1
    return False


@step
def _is_found(w, way):
    """Whether the way in is settled: else the ways of the next look for it are set. All forks are followed every way.

    Where they lead to different edges, or are too many, it is NO_ONE_WAY.
    """
    if w[WAY_IN] != way or w[LOST]:
        w[WAY_IN] = NO_ONE_WAY
    else:
        while w[N_WAYS]:
            fork = w[N_WAYS] - 1
            if w[WAYS + fork] < w[WAY_COUNTS + fork] - 1:
                w[WAYS + fork] += 1
                return False
            w[N_WAYS] = fork
    w[N_WAYS] = 0
    return True


@step
def _is_back_in(w, vpc):
    """Whether the reply is bound for an interface of `vpc`."""
    return w[REPLY] != 0 and OUTSIDE < w[X_KIND] < AT_MAPPING and w[X_VPC] == vpc


# -- edges -----------------------------------------------------------------------------------------------


@step
def _leave(g, w):
    """Out of the network at an edge of kind CODE; the reply only where the flow came in."""
    if not w[REPLY] or w[PROBE]:
        w[LEFT], w[LEFT_INDEX] = w[CODE], w[NUMBER]
        return DONE
    came = w[X_KIND] == OUTSIDE and w[CAME] == w[CODE] and w[CAME_INDEX] == w[NUMBER]
    return DONE if came else _asymmetric(g, w)


@step
def _private(g, w):
    """6.7: out by a virtual private gateway."""
    n, number, vpc, propagated = g.numbers, w[NUMBER] >> 1, w[VPC], w[NUMBER] & 1
    foreign = w[MET] & MET_TRANSIT and not w[REPLY]
    w[MET] |= MET_GATEWAY
    saying = -1
    if number < 0:
        saying = U_RESOURCE
    elif not n[n[OF_PRIVATE_ATTACHED] + number * n[H_VPCS] + vpc]:
        saying = D_ATTACHMENT
    elif foreign or not _is_own(g, w, S, vpc):
        saying = D_NOT_OWN
    outcome = n[SAYING + max(saying, 0)]
    if saying < 0:
        told = np.int64(g.words[n[OF_PRIVATE_OUTCOME] + number * n[H_BETWEEN] + _between(g, w, D)])
        outcome = np.int64(0) if propagated else told
    _check(w, AT_GATEWAY + TO_REPLY * w[REPLY], outcome << LABEL_BITS, NO_RULE)
    w[CODE] = BY_PRIVATE
    if not w[PROBE]:
        w[NUMBER] = number
    return CUT if saying >= 0 else LEAVE


@step
def _service(g, w):
    """6.7: a gateway endpoint."""
    n, before = g.numbers, w[MET]
    w[MET] |= MET_GATEWAY
    row = n[OF_SERVICE] + max(w[NUMBER], 0) * SERVICE_WIDTH
    outcome = np.int64(0)
    if w[NUMBER] < 0:
        outcome = n[SAYING + U_RESOURCE]
    elif n[row + E_VPC] != w[VPC]:
        outcome = n[SAYING + D_ATTACHMENT]
    elif n[row + E_STATE]:
        outcome = n[row + E_STATE]
    elif not _is_own(g, w, S, w[VPC]) or before & MET_TRANSIT:
        outcome = n[SAYING + D_NOT_HERE]
    elif (w[PROTOCOL] == ICMP or w[PROTOCOL] == ICMPV6) and w[ICMP_KEY] == ICMP_TYPE_UNKNOWN_KEY:
        outcome = n[SAYING + U_ICMP]
    elif w[PROTOCOL] != TCP and not (
        (w[PROTOCOL] == ICMP and w[ICMP_KEY] // ICMP_CODES == 8)
        or (w[PROTOCOL] == ICMPV6 and w[ICMP_KEY] // ICMP_CODES == 128)
    ):
        outcome = n[SAYING + D_NOT_TCP]
    _check(w, AT_GATEWAY, outcome << LABEL_BITS, NO_RULE)
    w[CODE] = BY_SERVICE
    return LEAVE


# -- middleboxes -----------------------------------------------------------------------------------------


@step
def _box(g, w):
    """6.8: through a network interface or a Gateway Load Balancer endpoint."""
    n, number, reply = g.numbers, w[NUMBER], w[REPLY]
    stage, acl_stage = AT_BOX + TO_REPLY * reply, AT_MIDDLE_ACL + TO_REPLY * reply
    appliance = w[CODE] == TO_INTERFACE
    met = MET_APPLIANCE if appliance else MET_FIREWALL
    row = n[OF_FIREWALL] + max(number, 0) * FIREWALL_WIDTH
    node, where, flags = n[H_NODES] + number, np.int64(0), np.int64(0)
    if appliance and number >= 0:
        where, flags = _interface(g, number, I_PLACE), _interface(g, number, I_FLAGS)
    if number < 0 or (appliance and _column(g, node, NODE_VPC) & VPC_MASK != w[VPC]):
        w[MET] |= met
        _check(w, stage, n[SAYING + (U_RESOURCE if number < 0 else D_ATTACHMENT)] << LABEL_BITS, NO_RULE)
        return CUT
    if appliance:
        holder = _held(g, w, D, w[VPC])
        itself = holder >= 0 and _column(g, max(holder, 0), NODE_INTERFACE) == number
        if itself or (_is_expected(w) and w[X_INTERFACE] == number):
            w[SAME] = 0
            return LOCAL
        if not _in_subnet_of(g, w, where):
            _acl_in(g, w, where, acl_stage, NO_RULE)
        if not reply:
            _group_check(g, w, node, INWARD, _party(w), AT_MIDDLE_SG, NO_RULE)
        if flags & (F_DETACHED | F_CHECKED):
            saying = D_BAD_STATE if flags & F_DETACHED else D_CHECKED
            _check(w, stage, n[SAYING + saying] << LABEL_BITS, NO_RULE)
    else:
        where = n[row + B_PLACE]
        outcome = n[row + B_OUTCOME] if n[row + B_OUTCOME] or where else n[SAYING + U_RESOURCE]
        _check(w, stage, outcome << LABEL_BITS, NO_RULE)
        if where == 0:
            return CUT
        _acl_in(g, w, where, acl_stage, NO_RULE)
        w[FLAGGED] = 1
    w[MET] |= met
    box = number * 2 + (0 if appliance else 1)
    if reply:
        w[BOX_BACK + w[BOXES_BACK]] = box
        w[BOXES_BACK] += 1
    else:
        w[BOX + w[BOXES]] = box
        w[BOXES] += 1
    if appliance and not reply:
        _group_check(g, w, node, OUTWARD, NOBODY, AT_MIDDLE_SG, NO_RULE)
        translated = w[PROTOCOL] == TCP or w[PROTOCOL] == UDP or w[PROTOCOL] == ICMP
        primary = _interface(g, number, I_PRIMARY)
        if flags & F_TRANSLATES and w[S + FAMILY] == 4 and translated and primary >= 0:
            _push(w, AT_TRANSLATOR, where, number)
            _new_leg(g, w, primary)
            w[BY_NAT] = w[UNSEEN] = 0  # group references see the instance
            w[SENDER] = _seen(g, w, S, _column(g, node, NODE_VPC) & VPC_MASK)
    _go(g, w, where)
    return STEP


# -- load balancers --------------------------------------------------------------------------------------


@step
def _to_preserved(g, w, node, aim):
    """6.9: from node B to a target that sees the client's address; forward checks. The target's node, or -1: cut."""
    n, number = g.numbers, _column(g, node, NODE_INTERFACE)
    place, vpc = _interface(g, number, I_PLACE), _column(g, node, NODE_VPC) & VPC_MASK
    _set_address(w, D, n[aim + M_FAMILY], n[aim + M_HIGH], n[aim + M_LOW])
    w[GROUP_PORT], w[ACL_PORT] = n[aim + M_GROUP_PORT], n[aim + M_ACL_PORT]
    if w[S + HIGH] == w[D + HIGH] and w[S + LOW] == w[D + LOW]:
        _check(w, AT_BALANCER, n[SAYING + D_PRESERVED] << LABEL_BITS, NO_RULE)
        return np.int64(-1)
    _group_check(g, w, node, OUTWARD, DIRECT, AT_MIDDLE_SG, NO_RULE)
    holder = _held(g, w, D, vpc)
    w[PLACE], w[VPC], w[SAME] = place, vpc, 0
    if holder >= 0 and _in_subnet_of(g, w, _interface(g, _column(g, holder, NODE_INTERFACE), I_PLACE)):
        w[SAME] = 1
    else:
        line = _line(g, place, w[D + NODE])
        _check(w, AT_MIDDLE_ACL, _list_word(g, w, place, line, OUTWARD), NO_RULE)
        word = np.int64(g.words[line + 3])
        code, target = word & 255, n[n[OF_ROUTE_NEXT] + (word >> 8)]
        outcome = n[n[OF_ROUTE_OUTCOME] + code]
        _check(w, AT_MIDDLE_ROUTE, outcome << LABEL_BITS, NO_RULE)
        if outcome >= UNSURE or (outcome and holder < 0):
            return np.int64(-1)
        row = n[OF_PEERING] + max(target, 0) * PEERING_WIDTH
        if outcome == 0 and code != TO_LOCAL:
            if code != TO_PEERING or (target >= 0 and not n[row + X_NEAR]):
                _check(w, AT_BALANCER, n[SAYING + D_PRESERVED] << LABEL_BITS, NO_RULE)
                return np.int64(-1)
            side = 0 if n[row + X_SIDE] == vpc else 1
            sides = n[OF_PEERING_SIDE] + (2 * max(target, 0) + 1 - side) * n[H_BETWEEN]
            saying, other, far = -1, n[row + X_SIDE + 1 - side], g.words[sides + _between(g, w, D)]
            if target < 0:
                saying = U_RESOURCE
            elif n[row + X_SIDE + side] != vpc:
                saying = D_ATTACHMENT
            elif n[row + X_STATE]:
                saying = D_BAD_STATE
            elif far == 0:
                saying = D_NOT_IN_CIDR
            elif (far == 2 and not _is_own(g, w, D, other)) or not n[n[OF_VPC] + other * VPC_WIDTH + V_DESCRIBED]:
                saying = U_RESOURCE
            if saying >= 0:
                _check(w, AT_PEERING, n[SAYING + saying] << LABEL_BITS, NO_RULE)
                return np.int64(-1)
            w[VPC] = other
            holder = _held(g, w, D, other)
    if holder < 0:
        several = n[n[OF_NODE_LOCAL] + w[D + NODE]] == 2 and _column(g, w[D + NODE], NODE_VPC) & VPC_MASK == w[VPC]
        _check(w, AT_BALANCER, n[SAYING + (U_AMBIGUOUS if several else U_DESTINATION)] << LABEL_BITS, NO_RULE)
        return np.int64(-1)
    return holder


@step
def _at_preserved(g, w, node, target):
    """The rest of the forward checks of a target that sees the client's address."""
    n, number = g.numbers, _column(g, target, NODE_INTERFACE)
    if not w[SAME]:
        _acl_in(g, w, _interface(g, number, I_PLACE), AT_MIDDLE_ACL, NO_RULE)
    own = n[OF_NODE] + target * NODE_WIDTH
    carries = _interface(g, _column(g, node, NODE_INTERFACE), I_FLAGS) & F_CARRIES
    by_reference = carries and _group_word(g, own, INGRESS, node, REFERENCES, w[GROUP_PORT]) >> LABEL_BITS == 0
    if not by_reference:
        met, sender = w[MET], w[SENDER]
        w[MET], w[SENDER] = met | MET_NAT, 0  # behind a load balancer, as behind what translates
        _group_check(g, w, target, INWARD, NOBODY, AT_MIDDLE_SG, NO_RULE)
        w[MET], w[SENDER] = met, sender
    if _interface(g, number, I_FLAGS) & F_UNUSABLE:
        _check(w, AT_BOX, n[SAYING + D_BAD_STATE] << LABEL_BITS, NO_RULE)


@step
def _back_from_preserved(g, w, node, target):
    """The reply checks of such a target, as far as node B."""
    if w[SAME]:
        return
    place, back = (
        _interface(g, _column(g, target, NODE_INTERFACE), I_PLACE),
        _interface(g, _column(g, node, NODE_INTERFACE), I_PLACE),
    )
    w[REPLY] = 1
    line = _line(g, place, _seen(g, w, S, _place(g, place, P_VPC)))
    _check(w, REPLY_MIDDLE_ACL, _list_word(g, w, place, line, OUTWARD), NO_RULE)
    line = _line(g, back, _seen(g, w, D, _place(g, back, P_VPC)))
    _check(w, REPLY_MIDDLE_ACL, _list_word(g, w, back, line, INWARD), NO_RULE)
    w[REPLY] = 0


@step
def _conversation(g, w, conversations, number):
    """Note a conversation judged before. Whether it is cut."""
    row = number * CONVERSATION_WIDTH
    for part in range(3):
        w[FORWARD_PART + part] = conversations[row + C_DENIES + part]
        w[REPLY_PART + part] = conversations[row + C_REPLY_DENIES + part]
    w[REPLY_CUT], w[FLAGGED] = conversations[row + C_REPLY_CUT], conversations[row + C_FLAGGED]
    return conversations[row + C_CUT] != 0


@step
def _listener(g, w, node):
    """Where the listener of node B for the packet stands, 0 none."""
    n, number = g.numbers, _column(g, node, NODE_INTERFACE)
    row = n[OF_LISTENER] + _interface(g, number, I_LISTENERS) * LISTENER_WIDTH
    for _ in range(_interface(g, number, I_N_LISTENERS)):
        if n[row + Z_PORT] == w[ASKED] and n[row + Z_PROTOCOL] == w[PROTOCOL]:
            clients = n[row + Z_CLIENTS]
            if clients < 0:
                return row
            if g.words[n[OF_CLIENT] + clients * n[H_BETWEEN] + _between(g, w, S)] == n[row + Z_VARIANT]:
                return row
        row += LISTENER_WIDTH
    return np.int64(0)


@step
def _rank(w):
    """How good a target is; the lowest is the best."""
    if w[FORWARD_PART + DENIED]:
        return 4
    if w[FORWARD_PART + DOUBTED]:
        return 2
    return 3 if w[REPLY_PART + DENIED] else (1 if w[REPLY_PART + DOUBTED] else 0)


@step
def _balance(g, w, conversations, node, level):
    """6.9: the load-balancer check of node B, and the choice among its targets. `level`: how many more may follow."""
    n, number = g.numbers, _column(g, node, NODE_INTERFACE)
    listener = _listener(g, w, node)
    outcome = _interface(g, number, I_BALANCED)
    if level == 0:
        outcome = n[SAYING + U_UNSUPPORTED]
    elif outcome == 0:
        outcome = n[listener + Z_OUTCOME] if listener else _interface(g, number, I_MISMATCH)
    if _check(w, AT_BALANCER, outcome << LABEL_BITS, NO_RULE):
        return CUT
    itself = n[n[OF_NODE_TARGET] + _seen(g, w, S, w[VPC])] != 0  # what reaches itself is not like the others (NL-07)
    count, aims = n[listener + (Z_N_AIMS if itself else Z_N_MERGED)], n[OF_AIM if itself else OF_MERGED]
    if count == 0:
        return DONE
    frame = FRAME + level * FRAME_WIDTH
    for part in range(8):
        w[frame + part] = w[FORWARD_PART + part]
    flagged, ports, high, low, family = w[FLAGGED], (w[GROUP_PORT], w[ACL_PORT]), w[D + HIGH], w[D + LOW], w[D + FAMILY]
    asked, place, vpc, same = w[ASKED], w[PLACE], w[VPC], w[SAME]
    best, described, reached, cut = 9, np.int64(0), np.int64(0), CUT
    for index in range(count):
        aim = aims + (n[listener + Z_AIMS] + index) * AIM_WIDTH
        for part in range(8):
            w[FORWARD_PART + part] = 0
        w[REPLY_CUT] = w[FLAGGED] = 0
        action = DONE
        if n[aim + M_KIND] == 2:
            action = CUT
            _check(w, AT_BALANCER, n[SAYING + U_RESOURCE] << LABEL_BITS, NO_RULE)
        elif n[aim + M_KIND] == 1 and n[aim + M_BALANCER] and level < w[LEVEL]:
            action = CUT
            _check(w, AT_BALANCER, n[SAYING + U_UNSUPPORTED] << LABEL_BITS, NO_RULE)
        elif n[aim + M_KIND] == 1 and n[aim + M_PRESERVED] and n[aim + M_FAMILY] == w[S + FAMILY]:
            target = _to_preserved(g, w, node, aim)
            action = CUT if target < 0 else DONE
            if target >= 0:
                _at_preserved(g, w, node, target)
                same_subnet = w[SAME]
                if _interface(g, _column(g, target, NODE_INTERFACE), I_TYPE) == T_NODE:
                    w[ASKED] = n[aim + M_PORT]
                    action = _balance(g, w, conversations, target, level - 1)
                    w[ASKED] = asked
                if action == DONE and not w[REPLY_CUT]:
                    _set_address(w, D, n[aim + M_FAMILY], n[aim + M_HIGH], n[aim + M_LOW])
                    w[SAME] = same_subnet
                    _back_from_preserved(g, w, node, target)
        elif n[aim + M_KIND] == 1:
            if n[aim + M_NUMBER] < 0:
                action = CUT
                _check(w, AT_BALANCER, n[SAYING + U_RESOURCE] << LABEL_BITS, NO_RULE)
            elif _conversation(g, w, conversations, (level - 1) * n[H_CONVERSATIONS] + n[aim + M_NUMBER]):
                action = CUT
        rank = _rank(w)
        described += n[aim + M_WEIGHT]
        if rank == 0:
            reached += n[aim + M_WEIGHT]
        if rank < best:
            best, cut = rank, action
            for part in range(8):
                w[frame + 8 + part] = w[FORWARD_PART + part]
            w[frame + 16], w[frame + 17] = w[REPLY_CUT], w[FLAGGED]
    for part in range(8):
        w[FORWARD_PART + part] = w[frame + part]
    w[FORWARD_PART + DENIES] |= w[frame + 8 + DENIES]
    if w[FORWARD_PART + DENIED] == 0:
        w[FORWARD_PART + DENIED] = w[frame + 8 + DENIED]
    if w[FORWARD_PART + DOUBTED] == 0:
        w[FORWARD_PART + DOUBTED] = w[frame + 8 + DOUBTED]
    for part in range(3):
        w[REPLY_PART + part] = w[frame + 12 + part]
    w[REPLY_CUT], w[FLAGGED] = w[frame + 16], flagged | w[frame + 17]
    _set_address(w, D, family, high, low)
    w[GROUP_PORT], w[ACL_PORT] = ports
    w[PLACE], w[VPC], w[SAME] = place, vpc, same
    if level == w[LEVEL]:
        w[N_TARGETS], w[N_REACHED] = (described, reached) if described else (np.int64(NULL16), np.int64(NULL16))
    return cut


# -- the whole flow --------------------------------------------------------------------------------------


@step
def _load(tables, flows, row, w):
    """The flow's packet, nothing known of it yet; ports as kernels._ports reads them."""
    for register in range(REGISTERS):
        w[register] = 0
    w[EXTRA], w[WAY], w[DESTINATION], w[OWN], w[END] = NO_TABLE, NULL8, -1, -1, -1
    w[ROUTE_STAGE], w[ROUTE_CLEAN], w[STACK + K_KIND] = REPLY_ROUTE, 1, OUTSIDE
    w[N_TARGETS] = w[N_REACHED] = NULL16
    for end in (S, D):
        if flows.family.size and flows.family[row] == 6:
            halves = flows.source6 if end == S else flows.destination6
            _set_address(w, end, IPV6, np.int64(halves[row, 0]), np.int64(halves[row, 1]))
        else:
            _set_address(w, end, IPV4, NOTHING, np.int64(flows.source[row] if end == S else flows.destination[row]))
    protocol = np.int64(flows.protocol[row])
    base = tables.port_base[protocol]
    there, back = base, base
    w[PROTOCOL], w[ICMP_KEY] = protocol, ICMP_TYPE_UNKNOWN_KEY
    if protocol == ICMP or protocol == ICMPV6:
        if flows.icmp_key.size:
            w[ICMP_KEY] = flows.icmp_key[row]
        reply = tables.icmp_reply[1 if protocol == ICMPV6 else 0, w[ICMP_KEY] // ICMP_CODES]
        there, back = base + w[ICMP_KEY], base + max(reply, 0)
        w[ONE_WAY] = np.int64(reply < 0)
    elif protocol == TCP or protocol == UDP:
        there, back = base + np.int64(flows.destination_port[row]), base + np.int64(flows.source_port[row])
    w[ASKED] = np.int64(flows.destination_port[row])
    w[GROUP_PORT], w[ACL_PORT] = port_classes(tables.port_page, tables.port_class, there)
    w[FIRST_PORT] = w[GROUP_PORT]
    _, w[BACK_PORT] = port_classes(tables.port_page, tables.port_class, back)


@step
def _start(g, w, start):
    """Forward from interface A (node `start`)."""
    n, number = g.numbers, _column(g, start, NODE_INTERFACE)
    first = _column(g, start, NODE_CODES) & 255
    vpc, flags, place = (
        _column(g, start, NODE_VPC) & VPC_MASK,
        _interface(g, number, I_FLAGS),
        _interface(g, number, I_PLACE),
    )
    if w[S + FAMILY] == 4 and n[n[OF_NODE_PUBLIC] + start] == w[S + LOW]:
        w[S + LOW] = n[n[OF_NODE_LOW] + start]
    w[OWN], w[SENDER], w[S + NODE], w[S + VIEW] = start, start, start, n[n[OF_VIEW_OF_VPC] + vpc]
    w[STACK + K_KIND], w[STACK + K_VPC], w[STACK + K_WHERE], w[STACK + K_INTERFACE] = AT_INTERFACE, vpc, place, number
    _expect(w)
    _go(g, w, place)
    w[FIRST], w[CLASSIC] = 1, flags & F_CLASSIC
    if first == SRC_DETACHED or first == SRC_LONG_DETACHED:
        _check(w, AT_SOURCE, n[SAYING + D_BAD_STATE] << LABEL_BITS, NO_RULE)
    end = w[FIRST_END] = _seen(g, w, D, vpc)
    same = _column(g, end, NODE_VPC) & VPC_MASK == vpc
    second = _column(g, end, NODE_CODES) >> (8 if same else 16) & 255
    case = n[n[OF_CASE] + first * 20 + second] & 7
    if case == CASE_SERVICE:
        return DONE
    if case == CASE_FIXED:
        fixed = n[n[OF_FIXED] + first * 20 + second]
        outcome, code = fixed & 255, np.int64(g.words[_line(g, place, end) + 3]) & 255
        if second == DST_UNFORWARDED and (code == NO_SUCH_TABLE or code == HIDDEN_LIST or code == TO_UNKNOWN):
            outcome = n[n[OF_ROUTE_OUTCOME] + code]
        _check(w, COMPACT_STAGES[fixed >> 8], outcome << LABEL_BITS, NO_RULE)
        return CUT
    if flags & F_ENDPOINT:
        _check(w, AT_SOURCE, n[SAYING + D_ENDPOINT] << LABEL_BITS, NO_RULE)
    if _interface(g, number, I_TYPE) == T_NAT:
        w[BY_NAT] = 2 + max(n[n[OF_NODE_PUBLIC] + start], np.int64(-1))
    if second == DST_LOCAL or second == DST_PUBLIC:
        w[DESTINATION] = _column(g, end if second == DST_LOCAL else _column(g, end, NODE_PEER), NODE_INTERFACE)
    return STEP


@step
def _ask_start(g, w):
    """SGo(A), asked when it is known what the leg met; it stands before all but the source's own checks."""
    met = w[MET_FIRST] if w[LEG] else w[MET]
    denied, doubted, port = w[FORWARD_PART + DENIED], w[FORWARD_PART + DOUBTED], w[GROUP_PORT]
    at_source = denied >> 8 == AT_SOURCE and denied != 0
    node, view = w[D + NODE], w[D + VIEW]
    party = DIRECT if met & ~MET_PEERING == 0 else NOBODY
    w[D + NODE] = w[END] if party == DIRECT and w[END] >= 0 and not w[LEFT] else w[FIRST_END]
    w[D + VIEW] = g.numbers[g.numbers[OF_VIEW_OF_VPC] + (_column(g, w[OWN], NODE_VPC) & VPC_MASK)]
    last, w[MET], w[GROUP_PORT] = w[MET], met, w[FIRST_PORT]
    if not at_source:
        w[FORWARD_PART + DENIED] = w[FORWARD_PART + DOUBTED] = 0
    outcome = _group_check(g, w, w[OWN], OUTWARD, party, AT_SG_OUT, RULE_SG_OUT)
    w[D + NODE], w[D + VIEW], w[MET], w[GROUP_PORT] = node, view, last, port
    if at_source:
        return
    if 0 < outcome < UNSURE:
        for rule in range(1, 8):
            w[RULES + rule] = 0
    else:
        w[FORWARD_PART + DENIED] = denied
    if outcome < UNSURE:
        w[FORWARD_PART + DOUBTED] = doubted


@step
def _turn(g, w):
    """The reply begins where the forward walk ended."""
    w[REPLY], w[STEPS], w[MET], w[TRANSITS], w[SAME], w[PLACE] = 1, 0, 0, 0, 0, 0
    w[ROUTE_STAGE], w[ROUTE_CLEAN], w[ROUTE_DENIED] = REPLY_ROUTE, 0, 0
    _expect(w)
    for part in range(5):
        w[S + part], w[D + part] = w[D + part], w[S + part]
    if w[END] >= 0 and not w[LEFT]:
        number = _column(g, w[END], NODE_INTERFACE)
        _go(g, w, _interface(g, number, I_PLACE))
        w[FIRST], w[CLASSIC] = 1, _interface(g, number, I_FLAGS) & F_CLASSIC
        return STEP
    if w[LEFT] == BY_TRANSIT:
        w[ZONE], w[PAIR] = 0, w[LEFT_INDEX]
        return TABLE
    if w[LEFT] == BY_SERVICE:
        w[VPC] = w[X_VPC]
        return BACK
    if w[LEFT] == BY_PRIVATE:
        w[CODE] = _edge(g, w, w[LEFT_INDEX], OF_PRIVATE_GATEWAY, PRIVATE_WIDTH, D)
    else:
        w[CODE] = TO_LOCAL if w[LEFT] == BY_EGRESS_ONLY else _edge(g, w, w[VPC], OF_VPC, VPC_WIDTH, D)
    return EDGE


@step
def _find_way_in(g, w, first, end, by_private):
    """A source outside: STEP if the way in is found by following the reply; ENTER if it came by the internet."""
    n = g.numbers
    number, vpc = _column(g, end, NODE_INTERFACE), _column(g, end, NODE_VPC) & VPC_MASK
    if not by_private:
        return ENTER
    place = _interface(g, number, I_PLACE)
    code = np.int64(g.words[_line(g, place, _seen(g, w, S, vpc)) + 3]) & 255
    mapped = _column(g, end, NODE_PEER) != NULL32
    if w[D + FAMILY] == 6:
        mapped = n[n[OF_NODE_PUBLIC] + end] != NOT_ADVERTISED
    if first == SRC_INTERNET and mapped and n[n[OF_ROUTE_GATE] + code] == GATE_INTERNET:
        return ENTER
    w[REPLY], w[PROBE] = 1, 1
    for part in range(5):
        w[S + part], w[D + part] = w[D + part], w[S + part]
    _go(g, w, place)
    return STEP


@step
def _come_in(g, w, first, end, by_private):
    """Forward from outside the network, by the edge found as WAY_IN, else by an internet gateway."""
    n, index = g.numbers, max((w[WAY_IN] >> 8) - 1, 0)
    kind = w[WAY_IN] & 255 if w[WAY_IN] else BY_INTERNET
    w[DESTINATION], w[CAME], w[CAME_INDEX], w[UNSEEN], w[END] = _column(g, end, NODE_INTERFACE), kind, index, 1, end
    if kind == BY_TRANSIT:
        w[WAY], w[PAIR], w[MET], w[END] = WAY_TRANSIT, index, MET_TRANSIT, -1
        return TABLE
    w[MET] = MET_GATEWAY
    vpc = _column(g, end, NODE_VPC) & VPC_MASK
    if not by_private:
        _set_address(w, D, IPV4, NOTHING, n[n[OF_NODE_LOW] + end])
    if kind == BY_PRIVATE:
        propagated, index = index & 1, index >> 1
        w[WAY], w[VPC], w[CAME_INDEX] = WAY_PRIVATE, vpc, index
        said = np.int64(g.words[n[OF_PRIVATE_OUTCOME] + index * n[H_BETWEEN] + _between(g, w, S)])
        _check(w, AT_GATEWAY, (np.int64(0) if propagated else said) << LABEL_BITS, NO_RULE)
        w[CODE] = _edge(g, w, index, OF_PRIVATE_GATEWAY, PRIVATE_WIDTH, D)
        return EDGE
    w[WAY], w[CAME_INDEX] = WAY_INTERNET, vpc
    w[NUMBER], w[CODE] = n[n[OF_SOURCE_IN] + first], np.int64(by_private)
    return ENTER


@step
def _compare_boxes(g, w):
    """A stateful box must see both halves (C-03)."""
    differs = w[BOXES] != w[BOXES_BACK]
    for place in range(min(w[BOXES], w[BOXES_BACK])):
        differs |= w[BOX + place] != w[BOX_BACK + w[BOXES_BACK] - 1 - place]
    if differs:
        _check(w, REPLY_BOX, g.numbers[SAYING + U_ASYMMETRIC] << LABEL_BITS, NO_RULE)


@step
def _write(g, w, row, out):
    """The verdict of a walk into row `row` (docs/semantics.md, section 5)."""
    n = g.numbers
    no, doubt = w[FORWARD_PART + DENIED], w[FORWARD_PART + DOUBTED]
    back_no, back_doubt = w[REPLY_PART + DENIED], w[REPLY_PART + DOUBTED]
    forward = REJECT if no else (UNKNOWN if doubt else ACCEPT)
    reply = REJECT if back_no else (UNKNOWN if back_doubt else ACCEPT)
    out.verdict[row] = forward if forward != ACCEPT or w[ONE_WAY] else reply
    out.forward[row] = forward
    out.reply[row] = NULL8 if forward != ACCEPT or w[ONE_WAY] else reply
    select = no if no else (doubt if doubt else (back_no if back_no else back_doubt))
    out.reason[row] = out.stage[row] = NULL8
    if select:
        out.stage[row] = n[n[OF_STAGE_CODE] + (select >> 8)]
        out.reason[row] = (select & 127) - 1
    elif w[FLAGGED]:
        out.reason[row] = (n[SAYING + U_INSPECTED] & 127) - 1
    out.blocked_by[row] = w[FORWARD_PART + DENIES] | w[REPLY_PART + DENIES]
    balanced = w[DESTINATION] >= 0 and _interface(g, max(w[DESTINATION], 0), I_BALANCER) >= 0
    out.path[row] = WAY_BALANCER if balanced else w[WAY]
    out.src_interface[row] = _column(g, w[OWN], NODE_INTERFACE) if w[OWN] >= 0 else NULL32
    out.dst_interface[row] = w[DESTINATION] if w[DESTINATION] >= 0 else NULL32
    out.targets[row], out.reachable_targets[row] = w[N_TARGETS], w[N_REACHED]
    for rule in range(8):
        hidden = forward == UNKNOWN and rule >= RULE_REPLY_OUT
        out.rules[rule, row] = NULL32 if hidden else (w[RULES + rule] - 1) & NULL32


@step
def _ports_key(w):
    """Number that says what the packet's ports are to every list and listener; 0: not to be remembered (NAT64)."""
    if w[D + FAMILY] == 6 and w[D + HIGH] == 0x0064FF9B00000000:
        return np.int64(0)
    if w[PROTOCOL] == ICMP or w[PROTOCOL] == ICMPV6:
        return w[ICMP_KEY] << 8 | w[PROTOCOL]
    return w[BACK_PORT] << 24 | w[ASKED] << 8 | w[PROTOCOL]


@step
def _entry(ends, ports, start, mask):
    """Where the memo, of `mask` + 1 entries, keeps a walk."""
    low = 0x7FFFFFFF  # no product overflows
    mixed = (ends & low) * 0x9E3779B1 ^ (ends >> 31 & low) * 0x85EBCA77 ^ (start & low) * 0x165667B1
    mixed ^= (ports & low) * 0xC2B2AE3D ^ (ports >> 31 & low) * 0x27D4EB2F
    return MEMO_START + ((mixed ^ mixed >> 17 ^ mixed >> 34) & mask) * MEMO_WIDTH


@step
def _remember(w, entry, row, out):
    """Keep the verdict in row `row`."""
    w[entry + E_CODES] = (
        np.int64(out.verdict[row]) | np.int64(out.forward[row]) << 8 | np.int64(out.reply[row]) << 16
        | np.int64(out.reason[row]) << 24 | np.int64(out.stage[row]) << 32 | np.int64(out.path[row]) << 40
        | np.int64(out.targets[row]) << 48
    )  # fmt: skip
    w[entry + E_BLOCKED] = np.int64(out.blocked_by[row]) | np.int64(out.reachable_targets[row]) << 32
    w[entry + E_INTERFACES] = np.int64(out.src_interface[row]) | np.int64(out.dst_interface[row]) << 32
    for pair in range(4):
        w[entry + E_RULES + pair] = np.int64(out.rules[2 * pair, row]) | np.int64(out.rules[2 * pair + 1, row]) << 32


@step
def _recall(w, entry, row, out):
    """The verdict kept in an entry into row `row`."""
    codes, blocked, ends = w[entry + E_CODES], w[entry + E_BLOCKED], w[entry + E_INTERFACES]
    out.verdict[row], out.forward[row], out.reply[row] = codes & 255, codes >> 8 & 255, codes >> 16 & 255
    out.reason[row], out.stage[row], out.path[row] = codes >> 24 & 255, codes >> 32 & 255, codes >> 40 & 255
    out.targets[row], out.reachable_targets[row] = codes >> 48 & NULL16, blocked >> 32 & NULL16
    out.blocked_by[row] = blocked & NULL32
    out.src_interface[row], out.dst_interface[row] = ends & NULL32, ends >> 32 & NULL32
    for pair in range(4):
        rules = w[entry + E_RULES + pair]
        out.rules[2 * pair, row], out.rules[2 * pair + 1, row] = rules & NULL32, rules >> 32 & NULL32


@step
def _no_way(g, w, saying):
    """UNKNOWN at the source, fixed."""
    for register in range(REGISTERS):
        w[register] = 0
    w[OWN], w[DESTINATION], w[WAY], w[ONE_WAY] = -1, -1, NULL8, 1
    w[N_TARGETS] = w[N_REACHED] = NULL16
    _check(w, AT_SOURCE, g.numbers[SAYING + saying] << LABEL_BITS, NO_RULE)


PROBING, FORWARD, BACKWARD, OVER = range(4)


def walk_scratch(entries: int = 1) -> np.ndarray:
    """Registers for `walk_rows`, and room to remember `entries` walks, a power of two (80 bytes each)."""
    return np.zeros(MEMO_START + entries * MEMO_WIDTH, np.int64)


@kernel
def behind(stages):
    """Mask of stages of a conversation (bits as in blocked_by) -> mask of what they count as behind a load balancer."""
    found = 0
    for stage in range(29):
        found |= (stages >> stage & 1) << BEHIND[stage]
    return found


@step
def _keep(w, row, level, count, conversations):
    """Keep what was found of a conversation behind a load balancer."""
    own, phase, action = (level * count + row) * CONVERSATION_WIDTH, w[LAST_PHASE], w[LAST_ACTION]
    conversations[own + C_CUT] = np.int64(phase == FORWARD and action != DONE)
    conversations[own + C_REPLY_CUT] = np.int64(phase == BACKWARD and action != DONE)
    conversations[own + C_FLAGGED] = w[FLAGGED]
    for reply in range(2):
        source, kept = FORWARD_PART + 4 * reply, own + C_DENIES + 4 * reply
        conversations[kept] = behind(w[source + DENIES])
        for part in (DENIED, DOUBTED):
            first = w[source + part]
            conversations[kept + part] = BEHIND[first >> 8] << 8 | first & 255 if first else 0


@kernel
def walk_rows(tables, long, flows, rows, out, conversations, level, scratch):
    """Judge the listed flows into `out` by the long walk.

    `level`: how many load balancers may stand one behind the other. Below 2 the flows are the conversations behind load
    balancers; what is found of them is kept in `conversations`, part `level`, and `out` is not touched.
    `scratch`: made by `walk_scratch`; no other network's flows were judged with it.
    """
    g = LongTables(_pointer(long.numbers), _pointer(long.words), _pointer(long.policy_row), _pointer(long.column))
    w, kept = _pointer(scratch), _pointer(conversations)
    one_view, mask = tables.root.size == 1 << 16, (scratch.size - MEMO_START) // MEMO_WIDTH - 1
    for index in range(rows.size):
        row = rows[index]
        w[N_WAYS] = w[N_FINAL] = w[SETTLED] = w[WAY_IN] = 0
        going, entry, looks, probed = True, np.int64(0), 0, False
        while going:
            _load(tables, flows, row, w)
            w[LEVEL] = level
            if level < 2:
                w[BACK_PORT] = g.numbers[H_TCP_ANY if w[PROTOCOL] == TCP else H_UDP_ANY]
            interface = np.int64(flows.interface[row]) if flows.interface.size else np.int64(-1)
            if interface >= 0:
                start = _source_at_interface(
                    tables.node, tables.duplicate, tables.view_of_vpc, tables.root, tables.middle, tables.leaf,
                    tables.ipv6_start, tables.ipv6_high, tables.ipv6_low, tables.ipv6_node, tables.n_nodes[0],
                    interface, w[S + FAMILY], np.uint64(w[S + HIGH]), np.uint64(w[S + LOW]),
                )  # fmt: skip
            else:
                start = _seen(g, w, S, NOTHING)
            if _column(g, start, NODE_CODES) & 255 == SRC_REDIRECT:
                start = _column(g, start, NODE_PEER)
            if level == 2 and entry == 0 and (one_view or w[S + FAMILY] == 4):
                ports = _ports_key(w)
                ends = w[S + LOW] << 32 | w[D + LOW]
                if one_view:
                    ends = _seen(g, w, D, NOTHING)
                if ports and g.numbers[g.numbers[OF_NODE_TARGET] + start] == 0:
                    entry = _entry(ends, ports, start, mask)
                    if w[entry + E_ENDS] == ends and w[entry + E_PORTS] == ports and w[entry + E_START] == start:
                        _recall(w, entry, row, out)
                        break
                    w[entry + E_ENDS], w[entry + E_PORTS], w[entry + E_START] = ends, ports, start
                else:
                    entry = np.int64(-1)
            first, end, by_private = _column(g, start, NODE_CODES) & 255, np.int64(-1), False
            phase, action = FORWARD, CUT
            if first <= LAST_INSIDE:
                action = _start(g, w, start)
            else:
                end = _seen(g, w, D, NOTHING)
                by_private = _column(g, end, NODE_CODES) >> 24 == DST_IN_PRIVATE
                if _column(g, end, NODE_CODES) >> 24 == DST_IN_PUBLIC:
                    end = _column(g, end, NODE_PEER)
                action = ENTER if probed else _find_way_in(g, w, first, end, by_private)
                if action == STEP:
                    phase = PROBING
                elif w[WAY_IN] == NO_ONE_WAY or (probed and w[WAY_IN] == NO_WAY and first != SRC_INTERNET):
                    _no_way(g, w, U_RESOURCE if w[WAY_IN] == NO_WAY else U_ZONE)
                    phase = OVER
                else:
                    action = _come_in(g, w, first, end, by_private)
            while phase != OVER:
                while action > DONE:
                    if action == STEP:
                        action = _step(g, w)
                    elif action == LOCAL:
                        action = _local(g, w)
                    elif action == ARRIVE:
                        action = _arrive(g, w)
                    elif action == BACK:
                        action = _back(g, w)
                    elif action == INTERNET:
                        action = INTERNET_BACK if w[REPLY] else _internet(g, w)
                    elif action == NAT:
                        action = _nat(g, w)
                    elif action == EDGE:
                        action = _from_edge(g, w)
                    elif action == ENTER:
                        action = _enter(g, w)
                    elif action == INTERNET_BACK:
                        action = _internet_back(g, w)
                    elif action == TRANSIT_GATEWAY:
                        action = _transit(g, w)
                    elif action == TABLE:
                        action = _table(g, w)
                    elif action == OUT_OF_TRANSIT:
                        action = _out_of_transit(g, w)
                    elif action == PEERING:
                        action = _peering(g, w)
                    elif action == PRIVATE:
                        action = _private(g, w)
                    elif action == SERVICE:
                        action = _service(g, w)
                    elif action == BOX_IN:
                        action = _box(g, w)
                    elif action == BALANCE:
                        action = _balance(g, w, kept, w[END], w[LEVEL])
                    else:
                        action = _leave(g, w)
                if phase == PROBING:
                    way = NO_WAY
                    at_home = w[LEFT] == BY_PRIVATE and w[VPC] == _column(g, end, NODE_VPC) & VPC_MASK
                    if action == DONE and (w[LEFT] == BY_TRANSIT or at_home):
                        way = w[LEFT_INDEX] + 1 << 8 | w[LEFT]
                    if looks == 0:
                        w[WAY_IN] = way
                    looks += 1
                    probed = _is_found(w, way)
                    phase = OVER
                    w[ASKED] = -1  # the walk itself is still to come
                elif phase == FORWARD:
                    if w[OWN] >= 0:
                        _ask_start(g, w)
                    if action == DONE and not w[ONE_WAY] and not w[REPLY_CUT]:
                        phase, action = BACKWARD, _turn(g, w)
                    else:
                        back = action == DONE and w[REPLY_CUT] != 0
                        w[LAST_PHASE], w[LAST_ACTION] = BACKWARD if back else FORWARD, CUT if back else action
                        phase = OVER
                else:
                    if action == DONE:
                        _compare_boxes(g, w)
                    w[LAST_PHASE], w[LAST_ACTION] = phase, action
                    phase = OVER
            going = w[ASKED] < 0 or (w[FORKED] > 0 and not _is_last(w))
        if going:  # remembered
            continue
        if level < 2:
            _keep(w, row, level, g.numbers[H_CONVERSATIONS], kept)
            continue
        _write(g, w, row, out)
        if entry > 0:
            _remember(w, entry, row, out)
