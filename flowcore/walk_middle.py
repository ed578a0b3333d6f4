"""What forwards a packet inside a VPC on a long walk: NAT gateways, appliances, Gateway Load Balancer endpoints.

docs/semantics.md, 6.4 and 6.8.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network

from .model import IPAddress, NatGateway, NetworkInterface, Route, is_working
from .schema import ICMP, ICMPV6, TCP, UDP
from .walk_flow import EPHEMERAL, Packet
from .walk_hops import Arrival, Home, Leg, Move, Place, Receiver, Walker, Zone, zone_of
from .walk_internet import endpoint_subnet
from .walk_rules import DENY, NONE, PASS, UNKNOWN, Outcome

_NAT64 = IPv6Network("64:ff9b::/96")
_ICMPV6_AS_ICMP = {128: 8, 129: 0, None: None}

# -- NAT gateways --------------------------------------------------------------------------------------------


def through_nat_gateway(walker: Walker, route: Route, place: Place) -> Move:
    """Through a NAT gateway: a new leg with its address as source (6.4)."""
    if walker.reply:
        return walker.asymmetric(f"it goes to {route.target_id}")
    gateway = walker.network.nat_gateways.get(route.target_id)
    translated = _translate(gateway, walker.packet, place.zone) if gateway else None
    crossed_transit = "transit-gateway" in walker.leg.met
    walker.leg.met.append(route.target_kind)
    outcome, cut = _judge_nat_gateway(walker, gateway, route.target_id, place, crossed_transit)
    walker.check("nat-gateway", route.target_id, outcome)
    if cut or gateway is None or translated is None:
        return None
    if not gateway.regional and place.subnet_id != gateway.subnet_id:
        walker.check_acl("middle-network-acl", gateway.subnet_id, gateway.vpc_id, egress=False)
    own = gateway_address(gateway, place.zone)
    here = Place(None, gateway.vpc_id, place.zone, gateway)
    if not gateway.regional:
        here = walker.place(gateway.subnet_id, gateway.vpc_id)
    interface = _interface_of(walker, gateway, own)
    walker.homes.append(Home(walker.packet, own, gateway.vpc_id, interface, here, gateway))
    walker.leg = Leg(interface, own, gateway, hidden=True)
    walker.show("nat-gateway", gateway.nat_gateway_id, f"the source becomes {own} (NG-04)", translated)
    return here


def gateway_address(gateway: NatGateway, zone: Zone) -> IPv4Address | None:
    """The address a NAT gateway sends from: the primary private one; a regional gateway's is public, the first of the
    sender's zone (NG-02)."""
    if not gateway.regional:
        return next((own.private_address for own in gateway.addresses if own.private_address is not None), None)
    usable = [own for own in gateway.addresses if own.public_address is not None]
    near = [own for own in usable if own.availability_zone and zone.is_called(own.availability_zone)]
    return next((own.public_address for own in near or usable), None)


def _interface_of(walker: Walker, gateway: NatGateway, address: IPAddress | None) -> NetworkInterface | None:
    for own in gateway.addresses:
        if address in (own.private_address, own.public_address):
            return walker.network.interfaces.get(own.interface_id or "")
    return None


def _translate(gateway: NatGateway, packet: Packet, zone: Zone) -> Packet | None:
    """The packet as the NAT gateway sends it on; None: it cannot."""
    own = gateway_address(gateway, zone)
    if own is None:
        return None
    port = EPHEMERAL if packet.protocol in (TCP, UDP) else packet.source_port
    if packet.destination.version == 4:
        return packet._replace(source=own, source_port=port)
    if packet.destination not in _NAT64 or (packet.protocol == ICMPV6 and packet.icmp_type not in _ICMPV6_AS_ICMP):
        return None
    embedded = IPv4Address(int(packet.destination) & 0xFFFFFFFF)
    if packet.protocol == ICMPV6:
        code = None if packet.icmp_type is None else packet.icmp_code
        return packet._replace(
            source=own,
            destination=embedded,
            protocol=ICMP,
            icmp_type=_ICMPV6_AS_ICMP[packet.icmp_type],
            icmp_code=code if packet.icmp_type is None else 0,
        )
    return packet._replace(source=own, destination=embedded, source_port=port)


def _judge_nat_gateway(
    walker: Walker, gateway: NatGateway | None, gateway_id: str, place: Place, crossed_transit: bool
) -> tuple[Outcome, bool]:
    """(what a NAT gateway says, whether the walk is cut): the first that applies (6.4)."""
    packet = walker.packet
    if gateway is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{gateway_id} is not described"), True
    if gateway.vpc_id != place.vpc_id:
        return Outcome(DENY, "BAD_STATE_ATTACHMENT", note=f"{gateway_id} is not in {place.vpc_id}"), True
    served = packet.destination.version == 4 or packet.destination in _NAT64
    usable = gateway_address(gateway, place.zone) is not None
    untranslatable = packet.protocol == ICMPV6 and packet.icmp_type not in _ICMPV6_AS_ICMP
    protocols = (TCP, UDP, ICMP) if packet.destination.version == 4 else (TCP, UDP, ICMP, ICMPV6)
    cut = not served or not usable or (packet.destination.version == 6 and untranslatable)
    if not is_working(gateway.state):
        return Outcome(DENY, "BAD_STATE", note=f"{gateway_id} is {gateway.state} (NG-12)"), cut
    if packet.protocol not in protocols or (served and packet.destination.version == 6 and untranslatable):
        note = "it translates only TCP, UDP and ICMP (NG-03)"
        return Outcome(DENY, "PROTOCOL_RESTRICTION", note=note), cut
    inside = crossed_transit or walker.is_from(place.vpc_id, packet.source)
    if inside is None:
        note = f"no CIDR of {place.vpc_id} is described: whether {packet.source} is one of its addresses is not known"
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note), cut
    if not inside:
        note = f"{packet.source} is in no CIDR of {place.vpc_id}, and did not come by a transit gateway (NG-09)"
        return Outcome(DENY, "NGW_REQUIRES_SOURCE_IN_VPC", note=note), cut
    if not served:
        note = f"IPv6 only to {_NAT64} (NG-14)"
        return Outcome(DENY, "NO_POSSIBLE_DESTINATION", note=note), cut
    zones = [own.availability_zone for own in gateway.addresses]
    known = [zone for zone in zones if zone is not None]
    if gateway.regional and known and not any(place.zone.is_called(zone) for zone in known):
        note = f"{gateway_id} has no address in the sender's zone (NG-13)"
        return Outcome(UNKNOWN, "REGIONAL_NGW_ROUTE_AZ_RESTRICTION", note=note), cut
    if not usable:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"no usable address of {gateway_id} is described"), cut
    return Outcome(PASS), cut


# -- appliances ----------------------------------------------------------------------------------------------


def through_interface(walker: Walker, route: Route, place: Place) -> Move:
    """Through a network interface that forwards: a firewall, a router, a NAT instance (6.8)."""
    interface = walker.network.interfaces.get(route.target_id)
    if interface is None or interface.vpc_id != place.vpc_id:
        if interface is None:
            outcome = Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{route.target_id} is not described")
        else:
            note = f"{route.target_id} is not in {place.vpc_id}"
            outcome = Outcome(DENY, "BAD_STATE_ATTACHMENT", note=note)
        walker.leg.met.append(route.target_kind)
        walker.check("middle-interface", route.target_id, outcome)
        return None
    across = place.subnet_id is None or place.subnet_id != interface.subnet_id
    if interface.holds(walker.packet.destination):
        return _at_its_own_address(walker, interface, across)
    if across:
        walker.check_acl("middle-network-acl", interface.subnet_id, interface.vpc_id, egress=False)
    if not walker.reply:
        groups = walker.judge_groups(interface, False, walker.leg.party())
        walker.check("middle-security-group", interface.interface_id, groups)
    walker.leg.met.append(route.target_kind)
    walker.middleboxes[walker.reply].append(interface.interface_id)
    walker.check("middle-interface", interface.interface_id, judge_forwarding(interface))
    if not walker.reply:
        groups = walker.judge_groups(interface, True, NONE)
        walker.check("middle-security-group", interface.interface_id, groups)
        _translate_by_instance(walker, interface)
    return walker.place(interface.subnet_id, interface.vpc_id)


def _at_its_own_address(walker: Walker, interface: NetworkInterface, across: bool) -> Move:
    """The packet is for the interface itself: a NAT instance's reply, or a destination like any other."""
    receiver = Receiver(interface, interface.subnet_id)
    if walker.reply:
        home = walker.homes[-1]
        own = home.address == walker.packet.destination and home.vpc_id == interface.vpc_id
        if not own or home.interface is None or home.interface.interface_id != interface.interface_id:
            return walker.asymmetric(f"it arrives at {interface.interface_id}")
        receiver = receiver._replace(home=True)
    return Arrival(receiver, across)


def judge_forwarding(interface: NetworkInterface) -> Outcome:
    """Whether an interface takes packets that are not its own."""
    if interface.detached:
        return Outcome(DENY, "BAD_STATE", note="detached (EN-03)")
    if interface.source_dest_check:
        note = "its source/destination check is on (EN-01, RT-17)"
        return Outcome(DENY, "ENI_SOURCE_DEST_CHECK_RESTRICTION", note=note)
    return Outcome(PASS, note="taken to forward what it gets")


def _translate_by_instance(walker: Walker, interface: NetworkInterface) -> None:
    """A NAT instance puts its own address in place of the source."""
    packet = walker.packet
    if interface.interface_id not in walker.network.nat_instances or packet.protocol not in (TCP, UDP, ICMP):
        return
    addresses = [own for own in interface.addresses if own.address.version == 4]
    own = next((each.address for each in addresses if each.primary), addresses[0].address if addresses else None)
    if packet.source.version != 4 or own is None:
        return
    place = walker.place(interface.subnet_id, interface.vpc_id)
    walker.homes.append(Home(packet, own, interface.vpc_id, interface, place))
    port = EPHEMERAL if packet.protocol in (TCP, UDP) else packet.source_port
    walker.leg = Leg(interface, own)
    note = f"a NAT instance: the source becomes {own}"
    walker.show("middle-interface", interface.interface_id, note, packet._replace(source=own, source_port=port))


# -- Gateway Load Balancer endpoints -------------------------------------------------------------------------


def through_endpoint(walker: Walker, route: Route, place: Place) -> Move:
    """Through a Gateway Load Balancer endpoint, behind which an appliance looks at the packet (6.8)."""
    network, endpoint_id = walker.network, route.target_id
    endpoint = network.vpc_endpoints.get(endpoint_id)
    walker.leg.met.append(route.target_kind)
    subnet_id = endpoint_subnet(network, endpoint_id)
    cut = endpoint is None or subnet_id is None
    outcome = Outcome(PASS, "PATH_THROUGH_GWLB_NOT_CHECKED", note="what is behind it is not looked at (GW-04)")
    if endpoint is None:
        outcome = Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{endpoint_id} is not described")
    elif not is_working(endpoint.state):
        outcome = Outcome(DENY, "BAD_STATE", note=f"{endpoint_id} is {endpoint.state} (EP-04)")
    elif endpoint.network_firewall:
        note = "the rules of a Network Firewall are not modelled"
        outcome = Outcome(UNKNOWN, "FIREWALL_RULES_RESTRICTION", note=note)
    elif subnet_id is None:
        outcome = Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"the subnet of {endpoint_id} is not described")
    walker.check("middle-interface", endpoint_id, outcome)
    if cut or endpoint is None:
        return None
    walker.middleboxes[walker.reply].append(endpoint_id)
    walker.flagged = True
    subnet = network.subnets.get(subnet_id or "")
    vpc_id = subnet.vpc_id if subnet else endpoint.vpc_id or place.vpc_id
    walker.check_acl("middle-network-acl", subnet_id, vpc_id, egress=False)  # also inside one subnet (GW-02)
    return Place(subnet_id, vpc_id, zone_of(walker.index, subnet_id))
