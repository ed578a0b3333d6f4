"""Edges of the network on a long walk: internet, egress-only and virtual private gateways, gateway endpoints.

docs/semantics.md, 6.3 and 6.7. Each function takes the walker at a place whose route leads to the edge, and says where
the packet goes: it leaves, enters another VPC, or, on the way back, is where it came in.
"""

from __future__ import annotations

from functools import partial

from .model import IPAddress, Network, Route, RouteTarget, is_working
from .schema import ICMP, ICMPV6, TCP
from .walk_ends import End
from .walk_flow import Packet, reply_to
from .walk_gateways import (
    Edge,
    denies_all,
    judge_entry,
    judge_far_address,
    judge_gateway_itself,
    judge_return,
    look_at_edge,
    no_public_address,
)
from .walk_hops import Arrival, Home, Left, Move, Place, Receiver, Walker, Zone
from .walk_rules import DENY, LONG, PASS, UNKNOWN, NetworkIndex, Outcome, RouteChoice

INTERNET = RouteTarget.INTERNET_GATEWAY
"""With a VPC: the edge of a source that came in by that VPC's internet gateway."""
ANY_EDGE = "any"
"""With a VPC: looking for the edge that a reply from there would leave by (6.10)."""

_DIRECT_CONNECT = frozenset({"virtualinterfaces", "directconnectgateways"})


def home_receiver(walker: Walker) -> Receiver:
    """Where the packet of the way there came from."""
    home = walker.homes[-1]
    subnet_id = home.place.subnet_id if home.place else home.interface.subnet_id if home.interface else None
    return Receiver(home.interface, subnet_id, True)


# -- internet gateways ---------------------------------------------------------------------------------------


def through_internet_gateway(walker: Walker, route: Route, place: Place) -> Move:
    """Out by an internet gateway or an egress-only one; back in where an interface here has the address."""
    if walker.reply:
        return _back_at_internet_gateway(walker, route, place)
    egress_only = route.target_kind == RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY
    packet = walker.packet
    outcome, public = _judge_way_out(walker, route.target_id, place, egress_only)
    walker.check("gateway", route.target_id, outcome, packet._replace(source=public or packet.source))
    if outcome.outcome != PASS:
        return None
    walker.leg.met.append(route.target_kind)
    receivers = _receivers(walker.index, place.vpc_id, packet.destination, egress_only)
    if len(receivers) > 1:
        ids = ", ".join(each.interface.interface_id for each in receivers)
        note = f"{packet.destination} is held by {ids}"
        walker.check("destination", "", Outcome(UNKNOWN, "ADDR_AMBIGUOUS", note=note))
        return None
    outer = "" if egress_only else walker.network.internet_gateway_of.get(place.vpc_id or "", route.target_id)
    if receivers:
        crossing = receivers[0].interface.vpc_id
        walker.homes.append(Home(packet, vpc_id=place.vpc_id, crossing=crossing, outer_gateway=outer))
        return enter(walker, receivers[0])
    return Left(partial(_back_from_internet, gateway_id=outer, shown=route.target_id, vpc_id=place.vpc_id))


def _receivers(index: NetworkIndex, vpc_id: str | None, address: IPAddress, egress_only: bool) -> list[End]:
    """Who of this network an address on the internet is: one mapped to it, or an IPv6 holder in another VPC."""
    if address.version == 6:
        return [End.at(owner, address) for owner in index.owners(address) if owner.vpc_id != vpc_id]
    return [] if egress_only else [End.at(*pair) for pair in index.public_owners(address)]


def _judge_way_out(
    walker: Walker, gateway_id: str, place: Place, egress_only: bool
) -> tuple[Outcome, IPAddress | None]:
    """OUT steps at a place (6.3), and the public address the source gets."""
    index, leg, packet = walker.index, walker.leg, walker.packet
    by_nat = leg.nat_gateway is not None or (leg.sender is not None and leg.sender.interface_type == "nat_gateway")
    outcome = judge_gateway_itself(
        index, gateway_id, place.subnet_id, place.vpc_id, egress_only=egress_only, by_nat_gateway=by_nat
    )
    public: IPAddress | None = None
    if outcome.outcome == PASS and not egress_only:
        outcome, public = _judge_source(walker, place.vpc_id)
    elif outcome.outcome == PASS and index.is_private_ipv6(packet.source):
        outcome = no_public_address(packet.source)
    if outcome.outcome == PASS:
        outcome = judge_far_address(packet.destination)
    if outcome.outcome == PASS and not egress_only and not walker.middleboxes[0]:
        own = walker.network.internet_gateway_of.get(place.vpc_id or "", gateway_id)
        edge = look_at_edge(index, own, packet.source)
        if edge.route is not None and not _is_held_by(walker.network, edge.route.target_id, packet.source):
            outcome = Outcome(DENY, "INGRESS_RTB_TRAFFIC_REDIRECTION", note=f"{edge.outcome.note} (RT-21)")
    return outcome, public


def _is_held_by(network: Network, interface_id: str, address: IPAddress) -> bool:
    interface = network.interfaces.get(interface_id)
    return interface is not None and interface.holds(address)


def _judge_source(walker: Walker, vpc_id: str | None) -> tuple[Outcome, IPAddress | None]:
    """OUT step (4): whether the internet gateway of a VPC knows the source, and the public address it gives it."""
    index, leg, source = walker.index, walker.leg, walker.packet.source
    holders = index.holders(vpc_id, source)
    if leg.sender is not None and leg.sender.vpc_id == vpc_id and leg.address == source:
        holders = [leg.sender]
    if source.version == 6:
        if not holders:
            note = f"{source} is no address of {vpc_id}"
            return Outcome(DENY, "GATEWAY_REJECTS_SPOOFED_TRAFFIC", note=note), None
        if index.is_private_ipv6(source):
            return no_public_address(source), None
        return (denies_all(holders[0]) if holders[0].deny_all_igw_traffic else Outcome(PASS)), None
    ends = (End.at(holder, source) for holder in holders)
    public = next((end.public_address for end in ends if end.public_address), None)
    public = public or _nat_public_address(walker.network, vpc_id, source)
    if public is not None:
        return Outcome(PASS, note=f"{source} has the public address {public}"), public
    if RouteTarget.NETWORK_INTERFACE in leg.met:
        note = f"{source} has no public address, but the appliance before may translate it"
        return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=note), None
    inside = walker.is_from(vpc_id, source)
    if inside is None:
        note = f"no CIDR of {vpc_id} is described: whether {source} is one of its addresses is not known"
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note), None
    if not inside:
        note = f"{source} is in no CIDR of {vpc_id}"
        return Outcome(DENY, "GATEWAY_REJECTS_SPOOFED_TRAFFIC", note=note), None
    return no_public_address(source), None


def _nat_public_address(network: Network, vpc_id: str | None, source: IPAddress) -> IPAddress | None:
    """The public address of a NAT gateway's address; a regional one's is public already."""
    for gateway in network.nat_gateways.values():
        if gateway.vpc_id == vpc_id:
            for own in gateway.addresses:
                sends = own.public_address if gateway.regional else own.private_address
                if own.public_address is not None and source == sends:
                    return own.public_address
    return None


def enter(walker: Walker, receiver: End, by_private: bool = False) -> Move:
    """In by the internet gateway of the receiver's VPC (6.3, *enter*)."""
    index, packet = walker.index, walker.packet
    vpc_id = receiver.interface.vpc_id
    gateway_id = walker.network.internet_gateway_of.get(vpc_id or "")
    edge = look_at_edge(index, gateway_id, receiver.address) if gateway_id else Edge(Outcome(PASS))
    guarded = receiver.interface.subnet_id
    if edge.route and edge.route.target_kind == RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT:
        guarded = endpoint_subnet(walker.network, edge.route.target_id) or guarded
    hairpin = bool(walker.homes[-1].crossing)
    outcome = judge_entry(index, receiver, packet.source, guarded, by_private=by_private, hairpin=hairpin)
    if outcome.outcome == LONG:
        outcome = Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note="it may arrive by ways that are not modelled")
    elif outcome.outcome == PASS:
        outcome = edge.outcome
    cut = outcome.outcome != PASS
    if not cut and edge.route and _lacks_public_address(walker.network, edge.route, packet):
        outcome = Outcome(
            DENY, "INGRESS_RTB_NO_PUBLIC_IP", note=f"{edge.route.target_id} has no public address (RT-21)"
        )
    walker.check("gateway", gateway_id or "", outcome, packet._replace(destination=receiver.address))
    if cut:
        return None
    return _past_edge(walker, edge, vpc_id, Receiver(receiver.interface, receiver.interface.subnet_id))


def _lacks_public_address(network: Network, route: Route, packet: Packet) -> bool:
    interface = network.interfaces.get(route.target_id)
    if route.target_kind != RouteTarget.NETWORK_INTERFACE or interface is None or packet.source.version == 6:
        return False
    return not any(own.public_address for own in interface.addresses)


def endpoint_subnet(network: Network, endpoint_id: str) -> str | None:
    """The subnet of a Gateway Load Balancer endpoint: of its one interface, else its first subnet."""
    endpoint = network.vpc_endpoints.get(endpoint_id)
    if endpoint is None:
        return None
    interfaces = [network.interfaces[each] for each in endpoint.interface_ids if each in network.interfaces]
    if len(interfaces) == 1 and interfaces[0].subnet_id:
        return interfaces[0].subnet_id
    return endpoint.subnet_ids[0] if endpoint.subnet_ids else None


def _past_edge(walker: Walker, edge: Edge, vpc_id: str | None, receiver: Receiver) -> Move:
    """From a gateway's own table: straight to the receiver, or first through a middlebox."""
    if edge.route is None:
        return Arrival(receiver, across=True)
    met = len(walker.middleboxes[0])
    move = walker.handlers[edge.route.target_kind](walker, edge.route, Place(None, vpc_id, Zone()))
    walker.entered_by_middlebox = walker.entered_by_middlebox or len(walker.middleboxes[0]) > met
    return move


def _by_edge(walker: Walker, gateway_id: str, shown: str, vpc_id: str | None, after: Packet) -> Move:
    """A reply comes in by a gateway of the VPC that the packet left by."""
    edge = look_at_edge(walker.index, gateway_id, after.destination) if gateway_id else Edge(Outcome(PASS))
    outcome = edge.outcome if gateway_id else Outcome(PASS, note="lets replies in (IG-09)")
    walker.check("gateway", gateway_id or shown, outcome, after)
    if outcome.outcome != PASS:
        return None
    if edge.route is None and walker.homes[-1].vpc_id != vpc_id:  # two VPCs share the address: it is the other's here
        return walker.asymmetric(f"in {vpc_id} {after.destination} is not where the packet came from")
    return _past_edge(walker, edge, vpc_id, home_receiver(walker))


def _back_from_internet(walker: Walker, gateway_id: str, shown: str, vpc_id: str | None) -> Move:
    inside = walker.homes[-1].address or walker.packet.destination
    return _by_edge(walker, gateway_id, shown, vpc_id, walker.packet._replace(destination=inside))


def _back_at_internet_gateway(walker: Walker, route: Route, place: Place) -> Move:
    """On the way back: right only where the packet came in by the internet gateway of this VPC (IG-02)."""
    home = walker.homes[-1]
    entered = home.crossing or (home.edge[1] if home.edge and home.edge[0] == INTERNET else None)
    if entered is None or entered != place.vpc_id or route.target_kind != INTERNET:
        return walker.asymmetric(f"it leaves by {route.target_id}")
    if walker.last_route is not None:
        judged = judge_return(walker.index, place.vpc_id, RouteChoice(route, walker.last_route.outcome))
        walker.last_route.outcome = judged
        if judged.outcome != PASS:
            return None
    if walker.entered_by_middlebox and not walker.middleboxes[1]:
        note = "it came in through a middlebox, and must go back through it (RT-21)"
        walker.check("gateway", route.target_id, Outcome(DENY, "INGRESS_RTB_TRAFFIC_REDIRECTION", note=note))
        return None
    if home.crossing is None:
        walker.check("gateway", route.target_id, Outcome(PASS), _from_outside(walker.packet, home))
        return Left(lambda _: None, home.edge or ("", ""))
    walker.homes.pop()
    return _by_edge(walker, home.outer_gateway or "", route.target_id, home.vpc_id, reply_to(home.packet))


def _from_outside(packet: Packet, home: Home) -> Packet:
    """The reply as the internet sees it: from the public address (IG-03)."""
    return packet._replace(source=home.packet.destination)


# -- virtual private gateways --------------------------------------------------------------------------------


def through_vpn_gateway(walker: Walker, route: Route, place: Place) -> Move:
    """Out by a virtual private gateway; on the way back only if the packet came in by it (6.7)."""
    edge = (route.target_id, place.vpc_id or "")
    if walker.reply and walker.homes[-1].edge not in (edge, (ANY_EDGE, place.vpc_id)):
        return walker.asymmetric(f"it leaves by {route.target_id}")
    foreign = not walker.reply and RouteTarget.TRANSIT_GATEWAY in walker.leg.met
    walker.leg.met.append(route.target_kind)
    packet = walker.packet
    ends = packet.source, packet.destination
    if not check_vpn_gateway(walker, route.target_id, place.vpc_id, ends, route.propagated, foreign):
        return None
    back = partial(_back_by_vpn_gateway, gateway_id=route.target_id, vpc_id=place.vpc_id)
    return Left(back, edge, route.propagated)


def check_vpn_gateway(
    walker: Walker,
    gateway_id: str,
    vpc_id: str | None,
    ends: tuple[IPAddress, IPAddress],
    propagated: bool,
    foreign: bool = False,
) -> bool:
    """Check a virtual private gateway between the address inside and that outside; False: cut.

    `propagated`: so is the route to it. `foreign`: the packet is from a transit gateway.
    """
    inside, outside = ends
    gateway = walker.network.vpn_gateways.get(gateway_id)
    if gateway is None:
        outcome, cut = Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{gateway_id} is not described"), True
    elif vpc_id not in gateway.vpc_ids:
        note = f"{gateway_id} is not attached to {vpc_id}"
        outcome, cut = Outcome(DENY, "BAD_STATE_ATTACHMENT", note=note), True
    elif foreign or not walker.holds(vpc_id, inside):
        note = f"{inside} is no address of an interface of {vpc_id} (VG-02)"
        outcome, cut = Outcome(DENY, "VGW_PRIVATE_IP_ASSOCIATION_FOR_EGRESS", note=note), True
    else:
        outcome, cut = _judge_connections(walker.network, gateway_id, outside, propagated), False
    walker.check("gateway", gateway_id, outcome)
    return not cut


def _judge_connections(network: Network, gateway_id: str, outside: IPAddress, propagated: bool) -> Outcome:
    """What the described VPN connections of a gateway say, where no Direct Connect may carry the packet instead."""
    connections = [each for each in network.vpn_connections.values() if each.vpn_gateway_id == gateway_id]
    direct = any(records for key, records in network.other.items() if key.lower() in _DIRECT_CONNECT)
    if not connections or direct:
        return Outcome(PASS, note="the other side is taken as reachable (VG-04)")
    if propagated:
        return Outcome(PASS, note=f"{gateway_id} knows the prefix: the route is a propagated one (VG-01, RT-15)")
    working = [each for each in connections if is_working(each.state) and outside.version == 4]  # VG-03
    known = (cidr for each in working for cidr in each.destinations)
    if not working:
        outcome = Outcome(DENY, "BAD_STATE_VPN", note=f"no VPN connection of {gateway_id} carries it (VG-03)")
    elif all(each.static_routes_only for each in working) and not any(outside in cidr for cidr in known):
        note = f"no VPN connection of {gateway_id} has a static route to {outside} (VG-01)"
        outcome = Outcome(DENY, "NO_ROUTE_TO_DESTINATION", note=note)
    else:
        return Outcome(PASS, note="the other side is taken as reachable (VG-04)")
    if any(key.lower() in _DIRECT_CONNECT for key in (*network.described_keys, *network.other)):
        return outcome
    note = f"{outcome.note}, but whether a Direct Connect does is not described"
    return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note)


def _back_by_vpn_gateway(walker: Walker, gateway_id: str, vpc_id: str | None) -> Move:
    return _by_edge(walker, gateway_id, gateway_id, vpc_id, walker.packet)


def enter_by_vpn_gateway(walker: Walker, gateway_id: str, receiver: End, propagated: bool) -> Move:
    """In by a virtual private gateway, to an interface of its VPC (6.10). `propagated`: so is the reply's route."""
    vpc_id = receiver.interface.vpc_id
    ends = receiver.address, walker.packet.source
    if not check_vpn_gateway(walker, gateway_id, vpc_id, ends, propagated):
        return None
    edge = look_at_edge(walker.index, gateway_id, receiver.address)
    if edge.outcome.outcome != PASS:
        walker.check("gateway", gateway_id, edge.outcome)
        return None
    return _past_edge(walker, edge, vpc_id, Receiver(receiver.interface, receiver.interface.subnet_id))


# -- gateway endpoints ---------------------------------------------------------------------------------------


def through_gateway_endpoint(walker: Walker, route: Route, place: Place) -> Move:
    """Out by a gateway endpoint (6.7, EP-01, EP-02)."""
    if walker.reply:
        return walker.asymmetric(f"it leaves by {route.target_id}")
    walker.check("gateway", route.target_id, _judge_gateway_endpoint(walker, route.target_id, place))
    walker.leg.met.append(route.target_kind)
    return Left(lambda back: Arrival(home_receiver(back), across=True))


def _judge_gateway_endpoint(walker: Walker, endpoint_id: str, place: Place) -> Outcome:
    endpoint, packet = walker.network.vpc_endpoints.get(endpoint_id), walker.packet
    if endpoint is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{endpoint_id} is not described")
    if endpoint.vpc_id != place.vpc_id:
        return Outcome(DENY, "BAD_STATE_ATTACHMENT", note=f"{endpoint_id} is of another VPC than {place.vpc_id}")
    if not is_working(endpoint.state):
        return Outcome(DENY, "BAD_STATE", note=f"{endpoint_id} is {endpoint.state} (EP-04)")
    if RouteTarget.TRANSIT_GATEWAY in walker.leg.met or not walker.holds(place.vpc_id, packet.source):
        note = "usable only from an interface of its own VPC (EP-01)"
        return Outcome(DENY, "VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION", note=note)
    if packet.protocol in (ICMP, ICMPV6) and packet.icmp_type is None:
        return Outcome(UNKNOWN, "ICMP_TYPE_UNKNOWN", note="only echo passes (EP-02)")
    echo = (packet.protocol, packet.icmp_type) in ((ICMP, 8), (ICMPV6, 128))
    if packet.protocol != TCP and not echo:
        return Outcome(DENY, "VPCE_GATEWAY_PROTOCOL_RESTRICTION", note="only TCP and ICMP echo pass (EP-02)")
    return Outcome(PASS, note="endpoint policies are not looked at (EP-04)")
