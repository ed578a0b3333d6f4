"""The slow twin: one flow, walked through the network stage by stage, there and back, in plain Python.

Read this with docs/semantics.md beside it; it is that page, written down a second time. It shares nothing with
`compile` and `kernels`, so that either can be tested against the other. Rules are matched in `walk_rules`,
the ends are found in `walk_ends`, gateways are judged in `walk_gateways`, flows are read in `walk_flow`. A flow that
meets something in between is walked in `walk_long` instead.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .model import LONG_DESTINATION_TYPES, TARGET_PATHS, Issue, Network, NetworkInterface, RouteTarget
from .schema import RULE_STAGES, STAGE_BITS
from .walk_balancers import Conversation, TargetReport, blocked_health_checks
from .walk_ends import ACCEPT, REJECT, End, Fixed, find_destination, find_receiver, find_source
from .walk_ends import UNKNOWN as UNDECIDED
from .walk_flow import Packet, check_keys, has_reply, is_private, read_interface_id, read_packet, reply_to
from .walk_gateways import judge_edge, judge_return, judge_way_in, judge_way_out
from .walk_hops import Check, is_classic_node
from .walk_long import LongAnswer, LongJourney
from .walk_path import FORWARD, REPLY, Hop, Path
from .walk_rules import (
    DENY,
    LONG,
    PASS,
    UNKNOWN,
    NetworkIndex,
    Outcome,
    RouteChoice,
    judge_acl,
    judge_groups,
    select_route,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Explainer", "Hop", "Path", "TargetReport", "explain", "health_check_findings"]

_TRACKED = Outcome(PASS, "STATEFUL_REPLY", note="tracked: the reply passes (SG-30)")
_SAME_SUBNET = Outcome(PASS, "SAME_SUBNET", note="same subnet: network ACLs are not evaluated (NA-05)")
_SAME_SUBNET_ROUTE = Outcome(PASS, "SAME_SUBNET", note="same subnet: no route applies (RT-03)")

#: Targets beyond which nothing is modelled: no walk goes there.
_NOT_MODELLED = frozenset(
    {
        RouteTarget.LOCAL,
        RouteTarget.CARRIER_GATEWAY,
        RouteTarget.LOCAL_GATEWAY,
        RouteTarget.CORE_NETWORK,
        RouteTarget.ODB_NETWORK,
        RouteTarget.UNKNOWN,
    }
)


class _GoLong(Exception):  # noqa: N818 - not an error: the flow is judged by the long walk
    """The short walk met something in between."""


class Explainer:
    """Explains flows of one network; keeps what it looked up. `Explainer(network).explain(flow)` is `explain`."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._index = NetworkIndex(network)

    def explain(self, flow: Mapping[str, Any]) -> Path:
        """The path of one flow, as `explain` gives it."""
        check_keys(flow)
        packet = read_packet(flow)
        if isinstance(packet, str):
            return _Walk(self._index, flow, None).fixed(Fixed(UNDECIDED, "INVALID_FLOW", "source", packet))
        return _Walk(self._index, flow, packet, read_interface_id(flow)).path()

    def converse(self, node: NetworkInterface, packet: Packet, depth: int = 1) -> Conversation:
        """A conversation that a load balancer's node opens with a target; kept for the next client."""
        return _converse(self._index, node, packet, depth)

    def health_warnings(self, load_balancer_id: str) -> tuple[str, ...]:
        """A sentence for each target group and zone of whose targets no health check gets through (LB-06)."""
        balancer = self.network.load_balancers[load_balancer_id]
        return tuple(blocked_health_checks(self._index, balancer, self.converse))


_KEPT = 4
_explainers: dict[int, Explainer] = {}


def explain(network: Network, flow: Mapping[str, Any]) -> Path:
    """The path of one flow through the network, hop by hop, there and back.

    `flow` maps the columns of `schema.FLOW_COLUMNS` to values: addresses as text, `ipaddress` objects, bytes or (IPv4)
    whole numbers; the protocol as number or name. Other keys are ignored. Raises FlowError if a required one is
    missing; a bad value gives UNKNOWN(INVALID_FLOW).
    """
    explainer = _explainer(network)
    path = explainer.explain(flow)
    if not path.behind or path.dst_interface is None:
        return path
    balancer = network.load_balancer_of[path.dst_interface]
    return replace(path, warnings=explainer.health_warnings(balancer.load_balancer_id))


def health_check_findings(network: Network) -> tuple[Issue, ...]:
    """A warning for each load balancer's target group and zone of whose targets no health check gets through (LB-06).

    `code` is health-check-blocked, `resource` the load balancer's ARN (a Classic Load Balancer's name). A target that
    fails its health check gets no traffic while another is healthy; verdicts do not count with it.
    """
    explainer = _explainer(network)
    return tuple(
        Issue("warning", "health-check-blocked", balancer_id, warning)
        for balancer_id in network.load_balancers
        for warning in explainer.health_warnings(balancer_id)
    )


def _explainer(network: Network) -> Explainer:
    explainer = _explainers.get(id(network))
    if explainer is None or explainer.network is not network:
        while len(_explainers) >= _KEPT:
            _explainers.pop(next(iter(_explainers)), None)
        explainer = _explainers[id(network)] = Explainer(network)
    return explainer


class _Walk:
    """One flow on its way: the packet as it is now, and the hops so far."""

    def __init__(
        self,
        index: NetworkIndex,
        flow: Mapping[str, Any],
        packet: Packet | None,
        interface_id: str | None = None,
        depth: int = 0,
    ) -> None:
        self.index, self.flow = index, dict(flow)
        self.first, self.interface_id, self.depth = packet, interface_id, depth
        self._start()

    def _start(self) -> None:
        self.packet = self.first
        self.leg = FORWARD
        self.hops: list[Hop] = []
        self.stopped = False
        self.finished = False
        self.way: str | None = None
        self.source: End | None = None
        self.destination: End | None = None
        self.long: LongAnswer | None = None

    # -- the ends ----------------------------------------------------------------------------------------

    def path(self) -> Path:
        """Find the ends, walk the case they make, and give the verdict."""
        packet = self._packet()
        self.source, fixed = find_source(self.index, packet, self.interface_id)
        if fixed:
            return self.fixed(fixed)
        if self.source is None:
            return self._path_from_outside(packet)
        if packet.source != self.source.address:
            self.packet = packet = packet._replace(source=self.source.address)
        self.destination, by_public, fixed = find_destination(self.index, self.source, packet.destination)
        if fixed:
            self._judge_source(self.source)
            return self.fixed(fixed)
        local = self.destination if not by_public else None
        try:
            if self._opens_long(self.source, local):
                raise _GoLong
            self._judge_source(self.source)
            if local is not None:
                self._walk_local(self.source, local)
            else:
                self._walk_out(self.source, self.destination)
        except _GoLong:
            walk = LongJourney(self.index, packet, self._judge_conversation, self.depth)
            self._take_long(walk.from_interface(self.source, self.destination))
        return self._verdict()

    def _opens_long(self, source: End, local: End | None) -> bool:
        """Whether the source alone makes the walk long: an endpoint, a Classic Load Balancer in its own subnet."""
        interface = source.interface
        if interface.interface_type == "vpc_endpoint":
            return True
        if local is None or interface.subnet_id is None or interface.subnet_id != local.interface.subnet_id:
            return False
        return is_classic_node(self.index, interface)

    def _path_from_outside(self, packet: Packet) -> Path:
        self.destination, by_public, fixed = find_receiver(self.index, packet)
        if fixed:
            return self.fixed(fixed)
        if self.destination is None:
            return self._verdict()
        try:
            if is_private(packet.source) and not by_public:
                raise _GoLong
            self._walk_in(self.destination, by_public)
        except _GoLong:
            walk = LongJourney(self.index, packet, self._judge_conversation, self.depth)
            answer = walk.from_outside(self.destination, by_public)
            if isinstance(answer, Fixed):
                self._start()
                return self.fixed(answer)
            self._take_long(answer)
        return self._verdict()

    def _judge_conversation(self, node: NetworkInterface, packet: Packet, depth: int) -> Conversation:
        return _converse(self.index, node, packet, depth)

    def _take_long(self, answer: LongAnswer) -> None:
        """The checks of a long walk in place of the hops so far."""
        self.hops, self.stopped, self.leg, self.long, self.way = [], False, FORWARD, answer, answer.way
        for check in answer.checks:
            if check.reply and self.leg == FORWARD:
                self._turn(check.packet)
            self.packet = check.packet
            self._note(check.stage, check.component, check.outcome, check.after, check.evaluated)
        if answer.turned and self.leg == FORWARD:
            self._turn(self.packet)
        self.finished = answer.finished

    def _packet(self) -> Packet:
        assert self.packet is not None  # only an invalid flow has none, and it takes no step
        return self.packet

    # -- the cases ---------------------------------------------------------------------------------------

    def _walk_local(self, source: End, destination: End) -> None:
        """Both interfaces are in one VPC."""
        subnet_id = source.interface.subnet_id
        same = subnet_id is not None and subnet_id == destination.interface.subnet_id
        self.way = "subnet" if same else "vpc"
        self._judge_groups("source-security-group", source, egress=True)
        if same:
            self._show("source-network-acl", subnet_id or "", _SAME_SUBNET)
            self._show("route", subnet_id or "", _SAME_SUBNET_ROUTE)
        else:
            self._judge_acl("source-network-acl", source, egress=True)
            if self._judge_local_route("route", source) == UNKNOWN:
                return
            self._judge_acl("destination-network-acl", destination, egress=False)
        self._judge_groups("destination-security-group", destination, egress=False)
        self._judge_destination(destination)
        if not self._turn_round():
            return
        self._show("destination-security-group", destination.interface.interface_id, _TRACKED)
        if same:
            self._show("reply-destination-network-acl", subnet_id or "", _SAME_SUBNET)
        else:
            self._judge_acl("reply-destination-network-acl", destination, egress=True)
            if self._judge_local_route("reply-route", destination) == UNKNOWN:
                return
            self._judge_acl("reply-source-network-acl", source, egress=False)
        self._show("source-security-group", source.interface.interface_id, _TRACKED)
        self.finished = True

    def _walk_out(self, source: End, destination: End | None) -> None:
        """The destination is outside the VPC: the selected route says how it is left.

        A public address of an interface here (`destination`) is reached through the internet gateway: HAIRPIN (IG-11).
        """
        self._judge_groups("source-security-group", source, egress=True)
        self._judge_acl("source-network-acl", source, egress=True)
        table_id, choice = self._select_route(source)
        route = choice.route
        self.way = TARGET_PATHS.get(route.target_kind) if route else None
        gateways = RouteTarget.INTERNET_GATEWAY, RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY
        if route is None or route.blackhole:
            self._meet("route", table_id, choice.outcome)
        elif route.target_kind not in gateways:
            if route.target_kind not in _NOT_MODELLED:
                raise _GoLong
            self._meet("route", table_id, _unsupported(choice.outcome, route.target_id))
        else:
            self._meet("route", table_id, choice.outcome)
            if destination is not None and route.target_kind == RouteTarget.INTERNET_GATEWAY:
                self._walk_hairpin(source, destination, route.target_id)
            else:
                self._walk_through_gateway(source, route.target_id, route.target_kind != RouteTarget.INTERNET_GATEWAY)

    def _walk_through_gateway(self, source: End, gateway_id: str, egress_only: bool) -> None:
        """OUT, from the gateway on and back."""
        packet = self._packet()
        outcome = judge_way_out(self.index, gateway_id, source, packet.destination, egress_only)
        self._meet("gateway", gateway_id, outcome, packet._replace(source=source.public_address or packet.source))
        if not self._turn_round():
            return
        outcome = Outcome(PASS, note="lets replies in (IG-09)" if egress_only else "")
        back = self.index.network.internet_gateway_of.get(source.interface.vpc_id or "")
        if not egress_only and back is not None:
            outcome = judge_edge(self.index, back, source.address)
        self._meet("reply-gateway", gateway_id, outcome, self._packet()._replace(destination=source.address))
        self._judge_acl("reply-source-network-acl", source, egress=False)
        self._show("source-security-group", source.interface.interface_id, _TRACKED)
        self.finished = True

    def _walk_hairpin(self, source: End, destination: End, gateway_id: str) -> None:
        """HAIRPIN, from the gateway on and back: both ends are mapped, each sees the other's public address (IG-11)."""
        packet = self._packet()
        outcome = judge_way_out(self.index, gateway_id, source, packet.destination, egress_only=False)
        if source.public_address is None:
            self._meet("gateway", gateway_id, outcome)
            return
        if outcome.outcome == PASS:
            outcome = judge_way_in(self.index, destination, source.public_address, by_private=False, hairpin=True)
        mapped = packet._replace(source=source.public_address, destination=destination.address)
        self._meet("gateway", gateway_id, outcome, mapped)
        self._judge_acl("destination-network-acl", destination, egress=False)
        self._judge_groups("destination-security-group", destination, egress=False)
        self._judge_destination(destination)
        if not self._turn_round():
            return
        self._show("destination-security-group", destination.interface.interface_id, _TRACKED)
        self._judge_acl("reply-destination-network-acl", destination, egress=True)
        returned = self._judge_return_route(destination)
        back = self.index.network.internet_gateway_of.get(source.interface.vpc_id or "")
        outcome = judge_edge(self.index, back, source.address) if back else Outcome(PASS)
        reply = self._packet()._replace(source=packet.destination, destination=source.address)
        self._meet("reply-gateway", back or gateway_id, outcome, reply)
        if returned == UNKNOWN:
            return
        self._judge_acl("reply-source-network-acl", source, egress=False)
        self._show("source-security-group", source.interface.interface_id, _TRACKED)
        self.finished = True

    def _walk_in(self, destination: End, by_public: bool) -> None:
        """The source is on the internet. A private address as destination stands for the public one mapped to it."""
        self.way = "internet"
        packet = self._packet()
        gateway_id = self.index.network.internet_gateway_of.get(destination.interface.vpc_id or "", "")
        outcome = judge_way_in(self.index, destination, packet.source, by_private=not by_public)
        outside = destination.public_address or packet.destination
        self.packet = packet._replace(destination=outside)
        self._meet("gateway", gateway_id, outcome, packet._replace(destination=destination.address))
        self._judge_acl("destination-network-acl", destination, egress=False)
        self._judge_groups("destination-security-group", destination, egress=False)
        self._judge_destination(destination)
        if not self._turn_round():
            return
        self._show("destination-security-group", destination.interface.interface_id, _TRACKED)
        self._judge_acl("reply-destination-network-acl", destination, egress=True)
        self._judge_return_route(destination)
        self._meet("reply-gateway", gateway_id, Outcome(PASS), self._packet()._replace(source=outside))

    # -- the stages --------------------------------------------------------------------------------------

    def _judge_source(self, source: End) -> None:
        if source.interface.detached:
            self._meet("source", source.interface.interface_id, Outcome(DENY, "BAD_STATE", note="detached (EN-03)"))
        else:
            self._meet("source", source.interface.interface_id, Outcome(PASS))

    def _judge_destination(self, destination: End) -> None:
        interface = destination.interface
        outcome = self.index.judge_destination(interface)
        if outcome.outcome == PASS and interface.interface_type in LONG_DESTINATION_TYPES:
            raise _GoLong
        self._meet("destination", interface.interface_id, outcome)

    def _judge_groups(self, stage: str, end: End, egress: bool) -> None:
        other = self.source.interface.vpc_id if self.source else None  # as the VPC that the packet left sees it
        outcome = judge_groups(self.index, end.interface, egress, self._packet(), other_vpc=other)
        self._meet(stage, end.interface.interface_id, outcome)

    def _judge_acl(self, stage: str, end: End, egress: bool) -> None:
        interface = end.interface
        acl_id, outcome = judge_acl(self.index, interface.subnet_id, interface.vpc_id, egress, self._packet())
        self._meet(stage, acl_id, outcome)

    def _select_route(self, end: End) -> tuple[str, RouteChoice]:
        """(route table id, choice) for the packet as it leaves the end's subnet (RT-01)."""
        table = self.index.network.route_table_of(end.interface.subnet_id, end.interface.vpc_id)
        if table is None:
            note = "the subnet's route table is not described"
            return "", RouteChoice(None, Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note))
        return table.route_table_id, select_route(self.index, table.route_table_id, self._packet().destination)

    def _judge_local_route(self, stage: str, end: End) -> str:
        """The outcome of a route inside the VPC; any target but local makes the walk long."""
        table_id, choice = self._select_route(end)
        outcome = choice.outcome
        if outcome.outcome == PASS and choice.route and choice.route.target_kind != RouteTarget.LOCAL:
            raise _GoLong
        self._meet(stage, table_id, outcome)
        return outcome.outcome

    def _judge_return_route(self, end: End) -> str:
        """The outcome of the route by which the reply of `end` leaves for the internet."""
        table_id, choice = self._select_route(end)
        outcome = judge_return(self.index, end.interface.vpc_id, choice)
        self._meet("reply-route", table_id, outcome)
        return outcome.outcome

    def _meet(self, stage: str, component: str, outcome: Outcome, packet: Packet | None = None) -> None:
        """Note a stage that was evaluated; the packet goes on as `packet`, or unchanged."""
        if outcome.outcome == LONG:
            raise _GoLong
        self._note(stage, component, outcome, packet, evaluated=True)

    def _show(self, stage: str, component: str, outcome: Outcome) -> None:
        """Note a stage that is passed without being evaluated."""
        self._note(stage, component, outcome, None, evaluated=False)

    def _note(self, stage: str, component: str, outcome: Outcome, packet: Packet | None, evaluated: bool) -> None:
        after = packet or self.packet
        self.hops.append(
            Hop(
                self.leg,
                stage,
                component,
                self.packet,
                after,
                outcome.outcome,
                outcome.reason,
                outcome.rule,
                outcome.text,
                outcome.note,
                not self.stopped,
                evaluated,
            )
        )
        self.packet = after
        self.stopped = self.stopped or (evaluated and outcome.outcome == DENY)

    def _turn_round(self) -> bool:
        """Start the way back; False if the packet asks for no reply (ST-04)."""
        packet = self._packet()
        if not has_reply(packet):
            return False
        self._turn(reply_to(packet))
        return True

    def _turn(self, packet: Packet | None) -> None:
        self.leg, self.packet = REPLY, packet
        self.stopped = self.stopped or any(hop.outcome == UNKNOWN for hop in self.hops)

    # -- the verdict -------------------------------------------------------------------------------------

    def fixed(self, fixed: Fixed) -> Path:
        """The path of an answer that ends the procedure; a detached source denies it all the same (EN-03)."""
        detached = bool(self.hops) and self.hops[0].outcome == DENY
        denied = 1 << STAGE_BITS[fixed.stage] if fixed.verdict == REJECT and fixed.stage else 0
        outcome = {ACCEPT: PASS, REJECT: DENY}.get(fixed.verdict, UNKNOWN)
        component = self.source.interface.interface_id if self.source else ""
        self._note(
            fixed.stage or "destination",
            component,
            Outcome(outcome, fixed.reason, note=fixed.note),
            None,
            evaluated=fixed.stage is not None,
        )
        path = Path(
            verdict=fixed.verdict,
            forward=fixed.verdict,
            reply=ACCEPT if fixed.verdict == ACCEPT else None,
            reason=fixed.reason,
            stage=fixed.stage,
            blocked_by=denied,
            path=fixed.path,
            src_interface=component or None,
            flow=self.flow,
            hops=tuple(self.hops),
        )
        if not detached:
            return path
        bit = 1 << STAGE_BITS["source"]
        rejected = {"verdict": REJECT, "forward": REJECT, "reply": None, "reason": "BAD_STATE", "stage": "source"}
        return replace(path, **rejected, blocked_by=denied | bit)  # type: ignore[arg-type]

    def _verdict(self) -> Path:
        """The verdict over all stages met (section 5)."""
        met = [hop for hop in self.hops if hop.evaluated]
        there, there_hop = _leg_verdict([hop for hop in met if hop.leg == FORWARD])
        back, back_hop = None, None
        if there == ACCEPT and self.leg == REPLY:
            back, back_hop = _leg_verdict([hop for hop in met if hop.leg == REPLY])
        decided = there_hop or back_hop
        blocked_by = 0
        for hop in met:
            if hop.outcome == DENY:
                blocked_by |= 1 << STAGE_BITS[hop.stage]
        named = {hop.stage: hop.rule for hop in met if hop.reached}
        rules: dict[str, Any] = {column: named.get(stage) for column, stage in RULE_STAGES.items()}
        verdict, long = back if back is not None else there, self.long
        destination = long.destination if long else self.destination.interface if self.destination else None
        flagged = long is not None and long.flagged and verdict == ACCEPT
        return Path(
            verdict=verdict,
            forward=there,
            reply=back,
            reason=decided.reason if decided else "PATH_THROUGH_GWLB_NOT_CHECKED" if flagged else None,
            stage=decided.stage if decided else None,
            blocked_by=blocked_by,
            path=self.way,
            src_interface=self.source.interface.interface_id if self.source else None,
            dst_interface=destination.interface_id if destination else None,
            **rules,
            targets=long.targets if long else None,
            reachable_targets=long.reachable if long else None,
            flow=self.flow,
            hops=tuple(self.hops),
            behind=long.reports if long else (),
        )

    def conversation(self) -> Conversation:
        """The walk as part of another: a load balancer's node to a target."""
        path = self.path()
        checks = tuple(
            Check(
                hop.stage,
                hop.component,
                hop.packet_in,
                Outcome(hop.outcome, hop.reason, hop.rule, hop.text, hop.note),
                hop.packet_out,
                hop.leg == REPLY,
                hop.evaluated,
            )
            for hop in self.hops
            if hop.packet_in is not None
        )
        answered = path.reason == "UNFILTERED_SERVICE"
        flagged = self.long is not None and self.long.flagged
        return Conversation(checks, answered or self.leg == REPLY, answered or self.finished, flagged)


def _converse(index: NetworkIndex, node: NetworkInterface, packet: Packet, depth: int) -> Conversation:
    key = node.interface_id, packet, depth
    found: Conversation | None = index.conversations.get(key)
    if found is None:
        found = _Walk(index, {}, packet, node.interface_id, depth).conversation()
        index.conversations[key] = found
    return found


def _unsupported(chosen: Outcome, target_id: str) -> Outcome:
    """A selected route whose target is not modelled: unknown, but named."""
    return replace(chosen, outcome=UNKNOWN, reason="UNSUPPORTED_COMPONENT", note=f"{target_id} is not modelled")


def _leg_verdict(hops: list[Hop]) -> tuple[str, Hop | None]:
    """(verdict of one direction, the hop that decided it): the first deny, else the first unknown."""
    for outcome, verdict in ((DENY, REJECT), (UNKNOWN, UNDECIDED)):
        for hop in hops:
            if hop.outcome == outcome:
                return verdict, hop
    return ACCEPT, None
