"""The long walk: a flow that meets something in between, there and back (docs/semantics.md, section 6).

`walk_hops` steps from place to place; what stands there is judged in `walk_middle`, `walk_transit`, `walk_internet` and
`walk_balancers`. This module starts a walk, lets it arrive, and brings the reply back through the same things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from .model import LONG_DESTINATION_TYPES, TARGET_PATHS, NetworkInterface, RouteTarget
from .walk_balancers import Balance, Judge, TargetReport, balance, leg_verdict
from .walk_ends import ACCEPT, End, Fixed
from .walk_ends import UNKNOWN as UNDECIDED
from .walk_flow import Packet, has_reply, is_private, reply_to
from .walk_hops import (
    PEERING,
    Arrival,
    Check,
    ForkError,
    Handler,
    Home,
    Left,
    Leg,
    Move,
    Walker,
    balancer_at,
    route_of,
    without_party,
)
from .walk_internet import (
    ANY_EDGE,
    INTERNET,
    enter,
    enter_by_vpn_gateway,
    through_gateway_endpoint,
    through_internet_gateway,
    through_vpn_gateway,
)
from .walk_middle import through_endpoint, through_interface, through_nat_gateway
from .walk_rules import DENY, DIRECT, NONE, PASS, UNKNOWN, NetworkIndex, Outcome, judge_groups
from .walk_transit import enter_by_transit_gateway, through_peering, through_transit_gateway

HANDLERS = MappingProxyType[str, Handler](
    {
        RouteTarget.INTERNET_GATEWAY: through_internet_gateway,
        RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY: through_internet_gateway,
        RouteTarget.NAT_GATEWAY: through_nat_gateway,
        RouteTarget.VPC_PEERING_CONNECTION: through_peering,
        RouteTarget.TRANSIT_GATEWAY: through_transit_gateway,
        RouteTarget.VIRTUAL_PRIVATE_GATEWAY: through_vpn_gateway,
        RouteTarget.GATEWAY_ENDPOINT: through_gateway_endpoint,
        RouteTarget.NETWORK_INTERFACE: through_interface,
        RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT: through_endpoint,
    }
)


WayIn = tuple[tuple[str, str], bool]
"""An edge of the network, and whether the route to it is a propagated one."""
NO_ONE_WAY: WayIn = (("", ""), False)


@dataclass(slots=True)
class LongAnswer:
    """What a long walk found: its checks, and what the verdict needs besides."""

    checks: list[Check]
    turned: bool
    """The reply part was begun."""
    finished: bool
    """The walk came to its end, there and back."""
    way: str | None
    destination: NetworkInterface | None
    flagged: bool = False
    targets: int | None = None
    reachable: int | None = None
    reports: tuple[TargetReport, ...] = ()


@dataclass(frozen=True, slots=True)
class LongJourney:
    """What is judged by long walks: one, or where AWS may choose one of several ways, one for each of them (TG-06).

    `judge` walks a load balancer node's own conversations.
    """

    index: NetworkIndex
    packet: Packet
    judge: Judge
    depth: int = 0

    def from_interface(self, source: End, destination: End | None) -> LongAnswer:
        """The walk of a flow that an interface opens; `destination` where the ends (section 2) already name it."""
        answer = self._settle(lambda walk: walk.from_interface(source, destination))
        assert isinstance(answer, LongAnswer)  # the source is known
        return answer

    def from_outside(self, receiver: End, by_public: bool) -> LongAnswer | Fixed:
        """The walk of a flow from outside to an interface, by the edge that its reply would leave by (6.10)."""
        return self._settle(lambda walk: walk.from_outside(receiver, by_public))

    def _settle(
        self, start: Callable[[LongWalk], LongAnswer | Fixed], choices: tuple[int | None, ...] = ()
    ) -> LongAnswer | Fixed:
        """The answer behind the choices already made: of a fork, the first way's if all give the same verdicts."""
        try:
            return start(LongWalk(self.index, self.packet, self.judge, self.depth, choices))
        except ForkError as fork:
            count = fork.count
        answers = [self._settle(start, (*choices, way)) for way in range(count)]
        if len({_verdicts(answer) for answer in answers}) == 1:
            return answers[0]
        return self._settle(start, (*choices, None))


def _verdicts(answer: LongAnswer | Fixed) -> tuple[str, str | None]:
    """(forward, reply) of a long walk."""
    if isinstance(answer, Fixed):
        return answer.verdict, None
    there, _ = leg_verdict(check for check in answer.checks if not check.reply)
    if there != ACCEPT or not answer.turned:
        return there, None
    return there, leg_verdict(check for check in answer.checks if check.reply)[0]


class LongWalk:
    """One flow on one long walk, `choices` made."""

    def __init__(
        self, index: NetworkIndex, packet: Packet, judge: Judge, depth: int, choices: tuple[int | None, ...]
    ) -> None:
        self.index, self.judge, self.depth = index, judge, depth
        self.packet = packet
        self.walker = Walker(index, packet, HANDLERS, choices)
        self.destination: NetworkInterface | None = None
        self.arrived: Packet | None = None
        self.balanced = Balance(cut=False)
        self.left: Left | None = None
        self.finished = False

    # -- where it starts ---------------------------------------------------------------------------------

    def from_interface(self, source: End, destination: End | None) -> LongAnswer:
        """The walk of a flow that an interface opens; `destination` where the ends (section 2) already name it."""
        walker, interface = self.walker, source.interface
        self.destination = destination.interface if destination else None
        packet = walker.packet
        walker.homes = [Home(packet, source.address, interface.vpc_id, interface)]
        walker.leg = first_leg = Leg(interface, source.address)
        walker.check("source", interface.interface_id, judge_source(interface))
        groups = walker.check("source-security-group", interface.interface_id, Outcome(PASS))
        walker.at_end = True
        going = self._arrive(walker.run(walker.place(interface.subnet_id, interface.vpc_id)))
        party = DIRECT if all(kind == PEERING for kind in first_leg.met) else NONE  # SG-22
        arrived = party == DIRECT and self.arrived is not None and self.left is None
        other = self.destination.vpc_id if arrived and self.destination is not None else None
        outcome = judge_groups(self.index, interface, True, packet, party, other_vpc=other)
        groups.outcome = without_party(self.index, interface, True, packet, outcome, first_leg, party, other)
        turned = going and self._come_back()
        return self._answer(turned, self._way())

    def from_outside(self, receiver: End, by_public: bool) -> LongAnswer | Fixed:
        """The walk of a flow from outside to an interface, by the edge that its reply would leave by (6.10)."""
        walker, vpc_id = self.walker, receiver.interface.vpc_id
        self.destination = receiver.interface
        edge, propagated = (INTERNET, vpc_id or ""), False
        if not by_public and not self._is_by_internet(receiver):
            ways_in = self._find_edges(receiver)
            if len(ways_in) > 1 or NO_ONE_WAY in ways_in:
                note = (
                    "its reply may leave a transit gateway by subnets from which it goes different ways (TG-06, TG-07)"
                )
                return Fixed(UNDECIDED, "TGW_ATTACH_VPC_AZ_RESTRICTION", "source", note)
            (way_in,) = ways_in
            if way_in is None and is_private(self.packet.source):
                note = f"{self.packet.source} is private and not described, and no way back leads to it"
                return Fixed(UNDECIDED, "UNKNOWN_RESOURCE", "source", note)
            edge, propagated = way_in or (edge, False)
        walker.leg = Leg(hidden=True)
        walker.homes = [Home(self.packet, edge=edge)]
        if edge[0] == INTERNET:
            way = "internet"
            walker.packet = self.packet._replace(destination=receiver.public_address or self.packet.destination)
            walker.homes = [Home(walker.packet, edge=edge)]
            move = enter(walker, receiver, by_private=not by_public)
        elif edge[1] in self.index.network.transit_gateway_attachments:
            way = "transit-gateway"
            walker.leg.met.append(RouteTarget.TRANSIT_GATEWAY)
            attachment = self.index.network.transit_gateway_attachments[edge[1]]
            move = enter_by_transit_gateway(walker, edge[0], attachment)
        else:
            way = "vpn"
            move = enter_by_vpn_gateway(walker, edge[0], receiver, propagated)
        turned = self._arrive(walker.run(move)) and self._come_back()
        node = self.destination is not None and balancer_at(self.index, self.destination) is not None
        return self._answer(turned, "load-balancer" if node else way)

    def _is_by_internet(self, receiver: End) -> bool:
        """Whether a source on the internet comes to the receiver by its VPC's internet gateway."""
        address = receiver.address
        public = (
            receiver.public_address is not None if address.version == 4 else not self.index.is_private_ipv6(address)
        )
        if is_private(self.packet.source) or not public:
            return False
        place = self.walker.place(receiver.interface.subnet_id, receiver.interface.vpc_id)
        _, choice = route_of(self.walker, place, self.packet.source)
        return choice.route is not None and choice.route.target_kind == RouteTarget.INTERNET_GATEWAY

    def _find_edges(self, receiver: End, choices: tuple[int | None, ...] = ()) -> set[WayIn | None]:
        """The edges that a reply from the receiver would leave by, filters aside: by each way of every fork.

        None: it leaves by none; NO_ONE_WAY: there are more forks than are followed.
        """
        vpc_id = receiver.interface.vpc_id
        probe = Walker(self.index, reply_to(self.packet)._replace(source=receiver.address), HANDLERS, choices)
        probe.reply, probe.at_end = True, True
        probe.homes = [Home(self.packet, edge=(ANY_EDGE, vpc_id or ""))]
        probe.leg = Leg(receiver.interface, receiver.address)
        try:
            move = probe.run(probe.place(receiver.interface.subnet_id, vpc_id))
        except ForkError as fork:
            return {way for each in range(fork.count) for way in self._find_edges(receiver, (*choices, each))}
        if probe.lost:
            return {NO_ONE_WAY}
        return {(move.edge, move.propagated) if isinstance(move, Left) else None}

    # -- where it arrives --------------------------------------------------------------------------------

    def _arrive(self, move: Move) -> bool:
        """Whether the way there came to its end: at an interface, or out of what is described."""
        walker = self.walker
        if isinstance(move, Left):
            self.left, self.arrived = move, walker.packet
            return True
        if not isinstance(move, Arrival) or move.receiver.interface is None:
            return False
        interface = self.destination = move.receiver.interface
        self.arrived = walker.packet
        if move.across:
            walker.check_acl("destination-network-acl", interface.subnet_id, interface.vpc_id, egress=False)
        groups = walker.judge_groups(interface, False, walker.leg.party())
        walker.check("destination-security-group", interface.interface_id, groups)
        balancer = balancer_at(self.index, interface)
        outcome = judge_destination(self.index, interface, balancer is not None)
        walker.check("destination", interface.interface_id, outcome)
        if interface.interface_type == "nat_gateway":
            note = "a NAT gateway takes no conversation from outside (NG-05)"
            walker.check("nat-gateway", interface.interface_id, Outcome(DENY, "NO_POSSIBLE_DESTINATION", note=note))
        if balancer is None:
            return True
        self.balanced = balance(walker, interface, balancer, self.judge, self.depth)
        walker.flagged = walker.flagged or self.balanced.flagged
        return not self.balanced.cut

    # -- the way back ------------------------------------------------------------------------------------

    def _come_back(self) -> bool:
        """Walk the reply; False if none is due. `finished` says whether it came to its end."""
        walker, arrived = self.walker, self.arrived
        if arrived is None or not has_reply(self.packet):
            self.finished = True
            return False
        walker.checks += self.balanced.back
        if self.balanced.cut_back:
            return True
        walker.turn(reply_to(arrived))
        if self.left is not None:
            move = self.left.back(walker)
        else:
            assert self.destination is not None  # it arrived there
            interface = self.destination
            walker.show_tracked("destination-security-group", interface.interface_id)
            walker.at_end, walker.leg.sender = True, interface
            move = walker.place(interface.subnet_id, interface.vpc_id)
        self.finished = self._walk_back(move)
        if self.finished:
            self._compare_middleboxes()
        return True

    def _walk_back(self, move: Move) -> bool:
        """From translation to translation back to the source; False: cut."""
        walker = self.walker
        while True:
            move = walker.run(move)
            if move is None or isinstance(move, Left):
                return move is not None
            assert isinstance(move, Arrival)  # run() gives nothing else
            home = walker.homes[-1]
            interface_id = home.interface.interface_id if home.interface else ""
            if home.place is None:
                if move.across and home.interface is not None:
                    walker.check_acl("source-network-acl", home.interface.subnet_id, home.vpc_id, egress=False)
                walker.show_tracked("source-security-group", interface_id)
                return True
            if move.across and home.place.regional is None:
                walker.check_acl("middle-network-acl", home.place.subnet_id, home.vpc_id, egress=False)
            walker.homes.pop()
            back = reply_to(home.packet)
            note = f"the destination becomes {back.destination} again"
            if home.nat_gateway is not None:
                walker.show("nat-gateway", home.nat_gateway.nat_gateway_id, note, back)
            else:
                walker.middleboxes[1].append(interface_id)
                walker.show("middle-interface", interface_id, note, back)
            move = home.place

    def _compare_middleboxes(self) -> None:
        """A stateful box must see both directions of a conversation (RT-21)."""
        there, back = self.walker.middleboxes
        if there != back[::-1]:
            note = f"there through {', '.join(there) or 'none'}, back through {', '.join(back) or 'none'} (RT-21)"
            self.walker.check("middle-interface", "", Outcome(UNKNOWN, "ASYMMETRIC_RETURN", note=note))

    # -- the answer --------------------------------------------------------------------------------------

    def _way(self) -> str | None:
        """The path of a flow that an interface opened (6.11)."""
        walker = self.walker
        if self.destination is not None and balancer_at(self.index, self.destination) is not None:
            return "load-balancer"
        if walker.first_move:
            return walker.first_move
        return TARGET_PATHS.get(walker.first_route.target_kind) if walker.first_route else None

    def _answer(self, turned: bool, way: str | None) -> LongAnswer:
        balanced = self.balanced
        return LongAnswer(
            self.walker.checks,
            turned,
            self.finished,
            way,
            self.destination,
            self.walker.flagged,
            balanced.targets,
            balanced.reachable,
            balanced.reports,
        )


def judge_source(interface: NetworkInterface) -> Outcome:
    """Whether an interface opens conversations at all."""
    if interface.detached:
        return Outcome(DENY, "BAD_STATE", note="detached (EN-03)")
    if interface.interface_type == "vpc_endpoint":
        note = "an interface endpoint never opens a conversation in its VPC (EP-03)"
        return Outcome(DENY, "VPCE_INTRA_VPC_TRAFFIC", note=note)
    return Outcome(PASS)


def judge_destination(index: NetworkIndex, interface: NetworkInterface, balances: bool) -> Outcome:
    """Whether an interface takes conversations. `balances`: it is a described load balancer's node."""
    outcome = index.judge_destination(interface)
    if outcome.outcome != PASS:
        return outcome
    kind = interface.interface_type
    if kind in LONG_DESTINATION_TYPES and kind != "nat_gateway" and not balances:
        note = f"what this {kind} interface does with a packet is not described"
        return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=note)
    return Outcome(PASS)
