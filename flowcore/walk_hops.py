"""The long walk, step by step: a packet at a place, the list and the route it meets there, and where that leads.

docs/semantics.md, 6.1 and 6.2. A `Walker` holds one walk: its checks, the packet as it is now, what must be undone on
the way back. What stands in between is judged in `walk_middle`, `walk_transit` and `walk_internet`, which take the
walker and give back where it goes next: a Place, an Arrival, a Left, or None where the walk is cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .model import LONG_DESTINATION_TYPES, IPAddress, LoadBalancer, NatGateway, NetworkInterface, Route, RouteTarget
from .schema import STAGE_BITS
from .walk_ends import is_reserved
from .walk_flow import Packet
from .walk_rules import (
    DENY,
    DIRECT,
    NONE,
    PASS,
    TRANSIT,
    UNKNOWN,
    NetworkIndex,
    Outcome,
    RouteChoice,
    judge_acl,
    judge_groups,
    select_route,
)

MAX_STEPS = 64
"""Places and transit gateway tables in one direction, at most."""
MAX_FORKS = 4
"""Places on one way, there and back, where AWS may choose among subnets: the next one is not looked into."""

#: What a leg can meet, beside local routes, as route target kinds.
PEERING, TRANSIT_GATEWAY = RouteTarget.VPC_PEERING_CONNECTION, RouteTarget.TRANSIT_GATEWAY

#: Targets that no walk goes beyond.
_NOT_MODELLED = frozenset(
    {
        RouteTarget.CARRIER_GATEWAY,
        RouteTarget.LOCAL_GATEWAY,
        RouteTarget.CORE_NETWORK,
        RouteTarget.ODB_NETWORK,
        RouteTarget.UNKNOWN,
    }
)

#: Where a reply to the internet may be routed; any other target is a wrong way back (IG-02).
_INTERNET_RETURNS = frozenset(
    {
        RouteTarget.LOCAL,
        RouteTarget.INTERNET_GATEWAY,
        RouteTarget.NETWORK_INTERFACE,
        RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT,
        RouteTarget.UNKNOWN,
    }
)

_SAME_SUBNET = Outcome(PASS, "SAME_SUBNET", note="same subnet: no network ACL, no route (NA-05)")


class Zone(NamedTuple):
    """An Availability Zone by what is known of it."""

    zone_id: str | None = None
    name: str | None = None

    def is_known(self) -> bool:
        """Whether anything is known of it."""
        return self.zone_id is not None or self.name is not None

    def is_zone(self, other: Zone) -> bool:
        """Whether both are one zone: by id, or by name where an id is not known."""
        if self.zone_id is not None and other.zone_id is not None:
            return self.zone_id == other.zone_id
        return self.name is not None and self.name == other.name

    def is_called(self, text: str) -> bool:
        """Whether `text`, a name or an id, names this zone."""
        return text in (self.zone_id, self.name)


class Place(NamedTuple):
    """Where a packet is. A regional NAT gateway has no subnet: there its own route table counts."""

    subnet_id: str | None
    vpc_id: str | None
    zone: Zone
    regional: NatGateway | None = None


class Receiver(NamedTuple):
    """Who holds an address at which a packet arrives: an interface, or a NAT gateway with no described interface."""

    interface: NetworkInterface | None
    subnet_id: str | None
    home: bool = False
    """On the way back: it is where the packet of the way there came from."""


class Arrival(NamedTuple):
    """The packet is at its receiver. `across`: it comes from outside the receiver's subnet."""

    receiver: Receiver
    across: bool


class Left(NamedTuple):
    """The packet has left what is described. `back` starts the reply: it gives what the walker meets first."""

    back: Callable[[Walker], Move]
    edge: tuple[str, str] = ("", "")
    """(gateway or transit gateway, VPC or attachment) it left by."""
    propagated: bool = False
    """The route to a virtual private gateway is a propagated one."""


Move = Place | Arrival | Left | None


class Home(NamedTuple):
    """What the way back must come back to, and undo there: the source, a translation, or an internet gateway entered.

    `packet`: as it was before this was passed on the way there. `address` in `vpc_id` is where the reply must arrive;
    at an `edge` there is none.
    """

    packet: Packet
    address: IPAddress | None = None
    vpc_id: str | None = None
    interface: NetworkInterface | None = None
    place: Place | None = None
    """Of a translation: where the reply goes on from."""
    nat_gateway: NatGateway | None = None
    straight_peering: bool = False
    """NG-10: the NAT gateway's own route led straight to a peering connection."""
    edge: tuple[str, str] | None = None
    """The source is outside: (gateway or transit gateway, VPC or attachment) it came in by."""
    crossing: str | None = None
    """The VPC whose internet gateway was entered; what is further back is outside it."""
    outer_gateway: str | None = None
    """With `crossing`: the internet gateway the packet had left by, within the network; "" for an egress-only one."""


@dataclass(slots=True)
class Leg:
    """The stretch from one sender's interface on, until a translation or the end."""

    sender: NetworkInterface | None = None
    address: IPAddress | None = None
    nat_gateway: NatGateway | None = None
    hidden: bool = False
    """Group references cannot see the sender whatever comes."""
    met: list[str] = field(default_factory=list)
    referencing: bool = True
    """Every transit gateway and attachment met carries group references (SG-23)."""

    def party(self) -> str:
        """What group references can see of the sender (ST-05)."""
        if self.hidden:
            return NONE
        if all(kind == PEERING for kind in self.met):
            return DIRECT
        return TRANSIT if self.met == [TRANSIT_GATEWAY] and self.referencing else NONE


@dataclass(slots=True)
class Check:
    """One stage as a walk met it; `packet` before, `after` behind it. Not `evaluated`: only shown."""

    stage: str
    component: str
    packet: Packet
    outcome: Outcome
    after: Packet | None = None
    reply: bool = False
    evaluated: bool = True


Handler = Callable[["Walker", Route, Place], Move]


class ForkError(Exception):
    """The walk came to a choice that is not made yet, among `count` ways."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class Walker:
    """One long walk, there and back. `handlers`: route target kind -> what judges it and says where it leads.

    `choices`: which way is taken at each fork, None: the walk is cut there; no choices at all: at every fork.
    `lost`: it was cut at a fork.
    """

    def __init__(
        self,
        index: NetworkIndex,
        packet: Packet,
        handlers: Mapping[str, Handler],
        choices: tuple[int | None, ...] | None = None,
    ) -> None:
        self.index, self.network, self.packet, self.handlers = index, index.network, packet, handlers
        self.choices, self.forks, self.lost = choices, 0, False
        self.kept: dict[str, Place] = {}
        """Attachment in appliance mode -> the place that was chosen: for the life of the flow (TG-07)."""
        self.checks: list[Check] = []
        self.reply = False
        self.leg = Leg()
        self.homes: list[Home] = []
        self.at_end = False
        """The next place is the walk's own first: its list and route are the end's, not the middle's."""
        self.steps = self.tables = 0
        self.visits: Counter[tuple[str | None, str | None, str | None, Packet]] = Counter()
        self.last_route: Check | None = None
        self.first_route: Route | None = None
        self.first_move = ""
        self.middleboxes: tuple[list[str], list[str]] = [], []
        self.entered_by_middlebox = False
        self.flagged = False

    # -- checks ------------------------------------------------------------------------------------------

    def stage(self, name: str) -> str:
        """The stage of that name in the present direction; security groups have none on the way back."""
        back = f"reply-{name}"
        return back if self.reply and back in STAGE_BITS else name

    def check(self, name: str, component: str, outcome: Outcome, after: Packet | None = None) -> Check:
        """Note a check; the packet goes on as `after`, or unchanged. `name`: a stage without its `reply-`."""
        check = Check(self.stage(name), component, self.packet, outcome, after, self.reply)
        self.checks.append(check)
        if after is not None:
            self.packet = after
        return check

    def show(self, name: str, component: str, note: str, after: Packet | None = None) -> None:
        """Note what happens to the packet where nothing is judged."""
        self.check(name, component, Outcome(PASS, note=note), after).evaluated = False

    def show_tracked(self, name: str, interface_id: str) -> None:
        """Note that an interface's groups let a reply through (SG-30)."""
        outcome = Outcome(PASS, "STATEFUL_REPLY", note="tracked: the reply passes (SG-30)")
        self.check(name, interface_id, outcome).evaluated = False

    def check_acl(self, name: str, subnet_id: str | None, vpc_id: str | None, egress: bool) -> Outcome:
        """Check a subnet's network ACL."""
        acl_id, outcome = judge_acl(self.index, subnet_id, vpc_id, egress, self.packet)
        self.check(name, acl_id, outcome)
        return outcome

    def judge_groups(self, interface: NetworkInterface, egress: bool, party: str) -> Outcome:
        """What an interface's groups say to a sender of whom references see `party`, and why if that is too little."""
        other = None if egress else self.sender_vpc()
        outcome = judge_groups(self.index, interface, egress, self.packet, party, other_vpc=other)
        return without_party(self.index, interface, egress, self.packet, outcome, self.leg, party, other)

    def sender_vpc(self) -> str | None:
        """The VPC of the interface that the packet's source address belongs to, where the walk knows it."""
        sender = self.leg.sender
        return sender.vpc_id if sender is not None and self.leg.address == self.packet.source else None

    def turn(self, packet: Packet) -> None:
        """Start the way back with `packet`."""
        self.reply, self.packet, self.last_route, self.leg = True, packet, None, Leg()
        self.steps = self.tables = 0
        self.visits.clear()

    # -- places ------------------------------------------------------------------------------------------

    def place(self, subnet_id: str | None, vpc_id: str | None) -> Place:
        """The place that a subnet is."""
        return Place(subnet_id, vpc_id, zone_of(self.index, subnet_id))

    def receiver(self, vpc_id: str | None) -> Receiver | None:
        """Who in a VPC holds the packet's destination, if it is exactly one.

        On the way back the address that the packet must come back to is held by where it came from, described or not.
        """
        address = self.packet.destination
        if self.reply and self.homes:
            home = self.homes[-1]
            if home.address == address and home.vpc_id == vpc_id:
                subnet_id = home.place.subnet_id if home.place else None
                if home.place is None and home.interface is not None:
                    subnet_id = home.interface.subnet_id
                return Receiver(home.interface, subnet_id, True)
        found = self.index.holders(vpc_id, address)
        return Receiver(found[0], found[0].subnet_id) if len(found) == 1 else None

    def holds(self, vpc_id: str | None, address: IPAddress) -> bool:
        """Whether an interface of the VPC holds an address, or this leg's NAT gateway, in that VPC, does."""
        translator = self.leg.nat_gateway
        own = translator is not None and translator.vpc_id == vpc_id and self.leg.address == address
        return own or bool(self.index.holders(vpc_id, address))

    def is_from(self, vpc_id: str | None, address: IPAddress) -> bool | None:
        """Whether an address is one of a VPC, by its CIDRs or held there; None: no CIDR of it is known."""
        if self.index.in_vpc(address, vpc_id) or self.holds(vpc_id, address):
            return True
        return False if self.index.cidrs_of(vpc_id) else None

    # -- steps -------------------------------------------------------------------------------------------

    def choose(self, count: int) -> int | None:
        """Which of `count` ways is taken; None: it is not known. Raises ForkError where no choice is made yet."""
        if self.choices is None or self.forks >= MAX_FORKS:
            self.lost = True
            return None
        if self.forks == len(self.choices):
            raise ForkError(count)
        self.forks += 1
        return self.choices[self.forks - 1]

    def run(self, move: Move) -> Move:
        """Step from place to place until the packet arrives, has left, or the walk is cut (None)."""
        while isinstance(move, Place):
            move = self.step(move)
        return move

    def take_step(self, stage: str, place: Place | None = None) -> bool:
        """Count a step, to a place or through a transit gateway's table; False, with a check, if it is one too many.

        A packet that is at one place for the third time, and met no transit gateway, goes round for ever:
        no need to count on.
        """
        self.steps += 1
        circle = False
        if place is None:
            self.tables += 1
        else:
            gateway_id = place.regional.nat_gateway_id if place.regional else None
            here = place.vpc_id, place.subnet_id, gateway_id, self.packet
            self.visits[here] += 1
            circle = self.visits[here] > 2 and not self.tables
        if self.steps <= MAX_STEPS and not circle:
            return True
        note = f"more than {MAX_STEPS} steps: the routes go round in a circle"
        self.check(stage, "", Outcome(DENY, "MAX_HOPS_EXCEEDED", note=note))
        return False

    def step(self, place: Place) -> Move:
        """One place: its list, its route, and where that leads (6.1)."""
        at_end, self.at_end = self.at_end, False
        acl_stage = route_stage = ""
        if at_end:
            acl_stage, route_stage = ("destination-network-acl" if self.reply else "source-network-acl"), "route"
        else:
            acl_stage, route_stage = "middle-network-acl", "middle-route"
        if not self.take_step(route_stage, place):
            return None
        receiver = self.receiver(place.vpc_id)
        if receiver and receiver.subnet_id is not None and receiver.subnet_id == place.subnet_id:
            self._note_first(at_end, None, "subnet")
            return self._arrive_in_subnet(receiver, place, at_end, acl_stage)
        if place.regional is None:
            self.check_acl(acl_stage, place.subnet_id, place.vpc_id, egress=True)
        if at_end and self.reply and self._returns_to_sender(place):
            return self._back_to_sender(route_stage)
        table_id, choice = route_of(self, place)
        self.last_route = self.check(route_stage, table_id, choice.outcome)
        route, outcome = choice.route, choice.outcome.outcome
        if outcome == PASS and route is not None:
            self._note_first(at_end, route, "")
            return self._follow(route, place)
        held = receiver is not None and (receiver.home or not self.reply)
        as_if_local = outcome == DENY and held
        in_vpc = bool(self.index.holders(place.vpc_id, self.packet.destination))
        self._note_first(at_end, route, "vpc" if as_if_local or (route is None and in_vpc) else "")
        return Arrival(receiver, across=True) if as_if_local and receiver else None

    def _note_first(self, at_end: bool, route: Route | None, move: str) -> None:
        """Remember how the source's own place was left: the verdict's path."""
        if at_end and not self.reply:
            self.first_route, self.first_move = route, move

    def _arrive_in_subnet(self, receiver: Receiver, place: Place, at_end: bool, acl_stage: str) -> Move:
        """Within one subnet nothing is asked (NA-05), but of what a Classic Load Balancer sends (CL-01)."""
        sender = self.leg.sender
        if at_end and sender is not None and is_classic_node(self.index, sender):
            acl_id, outcome = judge_acl(self.index, place.subnet_id, place.vpc_id, True, self.packet)
            if outcome.outcome == DENY:
                outcome = replace(outcome, reason="ELB_ACL_RESTRICTION")
            self.check(acl_stage, acl_id, outcome)
        else:
            self.check(acl_stage, place.subnet_id or "", _SAME_SUBNET).evaluated = False
        if self.reply and not receiver.home:
            return self.asymmetric(f"it arrives at {receiver.interface.interface_id if receiver.interface else '?'}")
        return Arrival(receiver, across=False)

    def _follow(self, route: Route, place: Place) -> Move:
        """Where a selected route leads."""
        kind = route.target_kind
        home = self.homes[-1] if self.reply else None
        if home is not None:
            internet = home.crossing or (home.edge and home.edge[0] == RouteTarget.INTERNET_GATEWAY)
            known = kind != RouteTarget.UNKNOWN
            if (internet and kind not in _INTERNET_RETURNS) or (home.edge and known and kind in _NOT_MODELLED):
                return self.asymmetric(f"it leaves by {route.target_id}")
        if kind == RouteTarget.LOCAL:
            return self.local(place.vpc_id)
        if kind in _NOT_MODELLED:
            return self.unsupported(route)
        return self.handlers[kind](self, route, place)

    def local(self, vpc_id: str | None) -> Move:
        """To whoever holds the destination in a VPC."""
        receiver, address = self.receiver(vpc_id), self.packet.destination
        if self.reply:
            if receiver is not None and receiver.home:
                return Arrival(receiver, across=True)
            held = receiver.interface.interface_id if receiver and receiver.interface else "no one interface"
            return self.asymmetric(f"in {vpc_id} {address} is held by {held}")
        if receiver is not None:
            return Arrival(receiver, across=True)
        if len(self.index.holders(vpc_id, address)) > 1:
            outcome = Outcome(UNKNOWN, "ADDR_AMBIGUOUS", note=f"several interfaces of {vpc_id} hold {address}")
        elif is_reserved(self.network, vpc_id, address) or address in self.index.services_of(vpc_id):
            note = f"{address} is reserved in {vpc_id} (EN-04)"
            outcome = Outcome(DENY, "NO_SOURCE_OR_DESTINATION", note=note)
        else:
            note = f"no described interface of {vpc_id} holds {address}"
            outcome = Outcome(UNKNOWN, "UNKNOWN_DESTINATION", note=note)
        self.check("destination", "", outcome)
        return None

    def unsupported(self, route: Route) -> Move:
        """Cut: the route last asked leads to what is not modelled: unknown, but named."""
        if self.last_route is not None:
            note = f"{route.target_id} is not modelled"
            self.last_route.outcome = replace(
                self.last_route.outcome, outcome=UNKNOWN, reason="UNSUPPORTED_COMPONENT", note=note
            )
        return None

    def asymmetric(self, where: str) -> Move:
        """Cut: the reply does not come back to where the packet came from: the route last asked denies (6.2)."""
        note = f"the reply goes astray: {where}"
        if self.last_route is None:
            self.last_route = self.check("route", "", Outcome(DENY, "ASYMMETRIC_RETURN", note=note))
        elif self.last_route.outcome.outcome != DENY:
            self.last_route.outcome = replace(
                self.last_route.outcome, outcome=DENY, reason="ASYMMETRIC_RETURN", note=note
            )
        return None

    # -- NG-10: return to sender -------------------------------------------------------------------------

    def _returns_to_sender(self, place: Place) -> bool:
        return bool(self.homes) and self.homes[-1].straight_peering

    def _back_to_sender(self, route_stage: str) -> Move:
        home = self.homes[-1]
        note = "the reply to a NAT gateway over its own peering connection needs no route (NG-10)"
        self.last_route = self.check(route_stage, "", Outcome(PASS, note=note))
        return Arrival(Receiver(home.interface, home.place.subnet_id if home.place else None, True), across=True)


# -- records and groups of one walk ----------------------------------------------------------------------------


def without_party(
    index: NetworkIndex,
    interface: NetworkInterface,
    egress: bool,
    packet: Packet,
    outcome: Outcome,
    leg: Leg,
    party: str,
    other_vpc: str | None = None,
) -> Outcome:
    """`outcome`, a group's answer to a hidden sender, with the reason why if a rule would match a visible one."""
    if outcome.outcome != DENY or party == DIRECT:
        return outcome
    visible = [DIRECT] if egress else [DIRECT, TRANSIT]
    seen = (judge_groups(index, interface, egress, packet, each, other_vpc=other_vpc) for each in visible)
    if all(each.outcome != PASS for each in seen):
        return outcome
    if leg.met and all(kind == TRANSIT_GATEWAY for kind in leg.met):
        note = "a rule names the sender's group, which the transit gateway does not carry (SG-23)"
        return replace(outcome, reason="SG_REFERENCING_SUPPORT", note=note)
    note = "a rule names the sender's group, which is not seen behind what forwards the packet (SG-24)"
    return replace(outcome, reason="SG_REFERENCES_NOT_PRESERVED", note=note)


def zone_of(index: NetworkIndex, subnet_id: str | None) -> Zone:
    """The zone of a subnet."""
    subnet = index.network.subnets.get(subnet_id or "")
    return Zone(subnet.availability_zone_id, subnet.availability_zone) if subnet else Zone()


def route_of(walker: Walker, place: Place, destination: IPAddress | None = None) -> tuple[str, RouteChoice]:
    """(table id, choice) for the packet, or for `destination`, at a place (RT-01, NG-08)."""
    network = walker.network
    if place.regional is not None:
        table = network.route_tables.get(place.regional.route_table_id or "")
    else:
        table = network.route_table_of(place.subnet_id, place.vpc_id)
    if table is None:
        note = "the route table is not described"
        return "", RouteChoice(None, Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note))
    return table.route_table_id, select_route(
        walker.index, table.route_table_id, destination or walker.packet.destination
    )


def balancer_at(index: NetworkIndex, interface: NetworkInterface) -> LoadBalancer | None:
    """The described load balancer whose node an interface is."""
    if interface.interface_type not in LONG_DESTINATION_TYPES:
        return None
    return index.network.load_balancer_of.get(interface.interface_id)


def is_classic_node(index: NetworkIndex, interface: NetworkInterface) -> bool:
    """Whether an interface is a node of a Classic Load Balancer (CL-01)."""
    balancer = index.network.load_balancer_of.get(interface.interface_id)
    return interface.interface_type == "classic_load_balancer" or (balancer is not None and balancer.kind == "classic")
