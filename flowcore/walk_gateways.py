"""Internet gateways and egress-only internet gateways against one packet (IG-01…11, BP-01…06, RT-20).

docs/semantics.md, section 4. In each function the first step that applies decides. `LONG` where the short walk cannot
say: then the long walk (`walk_internet`) judges by the same steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .model import Gateway, IPAddress, NetworkInterface, Route, RouteTarget
from .walk_flow import RFC1918, RFC6598, UNIQUE_LOCAL, UNROUTABLE, kind_of
from .walk_rules import DENY, LONG, PASS, UNKNOWN, NetworkIndex, Outcome, RouteChoice, select_route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .walk_ends import End

_EGRESS_REASONS = {
    RFC1918: "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS",
    RFC6598: "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS",
}
_INGRESS_REASONS = {
    RFC1918: "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS",
    RFC6598: "IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS",
}
_BLOCKED = Outcome(DENY, "VPC_BLOCK_PUBLIC_ACCESS_ENABLED", note="VPC Block Public Access (BP-01)")
_OTHER_WAYS = Outcome(LONG, note="it may arrive by other ways than an internet gateway")

#: Route targets through which a packet passes and goes on, as a middlebox.
MIDDLEBOXES = frozenset({RouteTarget.NETWORK_INTERFACE, RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT})


class Edge(NamedTuple):
    """What the route table of a gateway itself says. `route`: to a middlebox, where it redirects the packet."""

    outcome: Outcome
    route: Route | None = None


def judge_block_public_access(
    index: NetworkIndex,
    subnet_id: str | None,
    vpc_id: str | None,
    *,
    inbound: bool,
    egress_only: bool = False,
    by_nat_gateway: bool = False,
) -> Outcome:
    """What VPC Block Public Access says of what a gateway carries to or from a subnet (BP-01…05)."""
    mode = index.network.block_mode_of(subnet_id, vpc_id)
    if mode not in ("block-bidirectional", "block-ingress"):
        return Outcome(PASS)
    if mode == "block-ingress" and (egress_only or (by_nat_gateway and not inbound)):  # BP-03
        return Outcome(PASS)
    exclusion = index.network.block_exclusion_of(subnet_id, vpc_id)
    if exclusion == "not-described":
        note = (
            f"VPC Block Public Access is on ({mode}); whether an exclusion covers the subnet is not described (BP-05)"
        )
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=note)
    allowed = mode == "block-bidirectional" and exclusion == "allow-egress" and not inbound
    return Outcome(PASS) if allowed or exclusion == "allow-bidirectional" else _BLOCKED


def judge_gateway_itself(
    index: NetworkIndex,
    gateway_id: str,
    subnet_id: str | None,
    vpc_id: str | None,
    *,
    egress_only: bool,
    by_nat_gateway: bool,
) -> Outcome:
    """OUT steps (1) to (3): whether the gateway is there, attached, and not blocked for the subnet."""
    network = index.network
    described: Mapping[str, Gateway] = (
        network.egress_only_internet_gateways if egress_only else network.internet_gateways
    )
    gateway = described.get(gateway_id)
    if gateway is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{gateway_id} is not described")
    if vpc_id not in gateway.vpc_ids:
        return Outcome(DENY, "BAD_STATE_ATTACHMENT", note=f"{gateway_id} is not attached to {vpc_id}")
    return judge_block_public_access(
        index, subnet_id, vpc_id, inbound=False, egress_only=egress_only, by_nat_gateway=by_nat_gateway
    )


def judge_way_out(
    index: NetworkIndex, gateway_id: str, source: End, destination: IPAddress, egress_only: bool
) -> Outcome:
    """What an internet gateway, or an egress-only one, says of a packet from `source` to `destination` (IG-06…10)."""
    interface = source.interface
    outcome = judge_gateway_itself(
        index,
        gateway_id,
        interface.subnet_id,
        interface.vpc_id,
        egress_only=egress_only,
        by_nat_gateway=interface.interface_type == "nat_gateway",
    )
    if outcome.outcome != PASS:
        return outcome
    if index.is_private_ipv6(source.address):
        return no_public_address(source.address)
    if not egress_only:
        if destination.version == 4 and source.public_address is None:
            return no_public_address(source.address)
        if destination.version == 6 and interface.deny_all_igw_traffic:
            return denies_all(interface)
    outcome = judge_far_address(destination)
    if outcome.outcome == PASS and destination.version == 6:
        owners = index.owners(destination)
        if any(owner.vpc_id != interface.vpc_id for owner in owners):
            return Outcome(LONG, note=f"{destination} is in another VPC of this network")
    if outcome.outcome == PASS and not egress_only:
        own = index.network.internet_gateway_of.get(interface.vpc_id or "", gateway_id)
        return judge_edge(index, own, source.address, only_redirected=True)
    return outcome


def no_public_address(address: IPAddress) -> Outcome:
    """The deny of a source that the internet cannot answer: without a public address (IG-06), or private IPv6."""
    note = f"{address} has no public address (IG-06)"
    if address.version == 6:
        note = f"{address} is private: it is not advertised on the internet (IG-08)"
    return Outcome(DENY, "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", note=note)


def denies_all(interface: NetworkInterface) -> Outcome:
    """The deny of an interface that takes no internet gateway's IPv6 traffic (IG-10)."""
    note = f"{interface.interface_id} denies all internet gateway traffic (IG-10)"
    return Outcome(DENY, "DENY_ALL_IGW_TRAFFIC", note=note)


def judge_far_address(destination: IPAddress) -> Outcome:
    """Whether a gateway carries packets to an address of this kind at all (IG-06, IG-08)."""
    kind = kind_of(destination)
    if kind in _EGRESS_REASONS:
        return Outcome(DENY, _EGRESS_REASONS[kind], note=f"{destination} is private: the gateway drops it (IG-06)")
    if kind == UNIQUE_LOCAL:
        return Outcome(UNKNOWN, "UNKNOWN_DESTINATION", note=f"{destination} is not on the internet")
    if kind == UNROUTABLE:
        return Outcome(DENY, "NO_POSSIBLE_DESTINATION", note=f"nothing can be sent to {destination}")
    return Outcome(PASS)


def judge_way_in(
    index: NetworkIndex, receiver: End, remote: IPAddress, by_private: bool, hairpin: bool = False
) -> Outcome:
    """What the internet gateway of the receiver's VPC says of a packet from `remote` (IG-01…10).

    `by_private`: the flow names the receiver's own address, not its public one. In a `hairpin` the remote is the
    public address of an interface, so its kind is not tested (IG-11).
    """
    outcome = judge_entry(
        index, receiver, remote, receiver.interface.subnet_id, by_private=by_private and not hairpin, hairpin=hairpin
    )
    if outcome.outcome != PASS:
        return outcome
    return judge_edge(index, index.network.internet_gateway_of[receiver.interface.vpc_id or ""], receiver.address)


def judge_entry(
    index: NetworkIndex,
    receiver: End,
    remote: IPAddress,
    guarded_subnet_id: str | None,
    *,
    by_private: bool,
    hairpin: bool,
) -> Outcome:
    """IN steps (1) to (5). `guarded_subnet_id`: whose Block Public Access counts (BP-02, BP-07)."""
    network, vpc_id = index.network, receiver.interface.vpc_id or ""
    other_ways = vpc_id in network.vpcs_with_other_ways_in
    private = index.is_private_ipv6(receiver.address)
    if private or (remote.version == 4 and receiver.public_address is None):
        if other_ways and by_private:
            return _OTHER_WAYS
        what = (
            "is private: it is not advertised on the internet (IG-08)" if private else "has no public address (IG-06)"
        )
        note = f"{receiver.address} {what}"
        return Outcome(DENY, "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS", note=note)
    gateway_id = network.internet_gateway_of.get(vpc_id)
    if gateway_id is None:
        if vpc_id in network.vpcs_with_undescribed_internet_gateway:
            return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"the internet gateway of {vpc_id} is not described")
        if by_private and other_ways:
            return _OTHER_WAYS
        return Outcome(DENY, "NO_PATH", note=f"no internet gateway is attached to {vpc_id} (IG-01)")
    blocked = judge_block_public_access(index, guarded_subnet_id, vpc_id, inbound=True)
    if blocked.outcome != PASS:
        return blocked
    if remote.version == 6 and receiver.interface.deny_all_igw_traffic:
        return denies_all(receiver.interface)
    kind = kind_of(remote)
    if kind in _INGRESS_REASONS and not hairpin:
        return Outcome(DENY, _INGRESS_REASONS[kind], note=f"{remote} is private: the gateway drops it (IG-06)")
    return Outcome(PASS)


def look_at_edge(index: NetworkIndex, gateway_id: str, inside: IPAddress) -> Edge:
    """What the route table of the gateway itself does with a packet entering for `inside` (RT-20). No rule is named."""
    table = index.network.gateway_route_table(gateway_id)
    if table is None:
        return Edge(Outcome(PASS))
    choice = select_route(index, table.route_table_id, inside)
    if choice.route is None:
        if choice.outcome.outcome == DENY:
            return Edge(Outcome(PASS, note=f"{table.route_table_id}: no route, so local (RT-20)"))
        return Edge(Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=f"{table.route_table_id}: {choice.outcome.note}"))
    note = f"{table.route_table_id}: {choice.outcome.text} (RT-20)"
    if choice.route.blackhole:
        return Edge(Outcome(DENY, "BAD_STATE_ROUTE", note=note))
    if choice.route.target_kind == RouteTarget.LOCAL:
        return Edge(Outcome(PASS, note=note))
    if choice.route.target_kind in MIDDLEBOXES:
        return Edge(Outcome(PASS, note=note), choice.route)
    return Edge(Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=note + ": redirected to what is not modelled"))


def judge_edge(index: NetworkIndex, gateway_id: str, inside: IPAddress, only_redirected: bool = False) -> Outcome:
    """The same for the short walk, which follows no redirection. `only_redirected`: nothing else is asked (RT-21)."""
    edge = look_at_edge(index, gateway_id, inside)
    if edge.route:
        return Outcome(LONG, note=edge.outcome.note)
    return Outcome(PASS) if only_redirected else edge.outcome


def judge_return(index: NetworkIndex, vpc_id: str | None, choice: RouteChoice) -> Outcome:
    """What the selected route says of a reply to the internet: only the VPC's internet gateway takes it (IG-02)."""
    route, chosen = choice.route, choice.outcome
    if route is None or chosen.outcome != PASS:
        return chosen
    if route.target_kind in MIDDLEBOXES:
        return replace(chosen, outcome=LONG)
    if route.target_kind == RouteTarget.UNKNOWN:
        note = f"{route.target_id} is not modelled"
        return replace(chosen, outcome=UNKNOWN, reason="UNSUPPORTED_COMPONENT", note=note)
    if route.target_kind != RouteTarget.INTERNET_GATEWAY:
        note = f"the reply leaves by {route.target_id}, not by the internet gateway the packet came in by (IG-02)"
        return replace(chosen, outcome=DENY, reason="ASYMMETRIC_RETURN", note=note)
    gateway = index.network.internet_gateways.get(route.target_id)
    if gateway is None:
        note = f"{route.target_id} is not described"
        return replace(chosen, outcome=UNKNOWN, reason="UNKNOWN_RESOURCE", note=note)
    if vpc_id not in gateway.vpc_ids:
        note = f"{route.target_id} is not attached to {vpc_id}"
        return replace(chosen, outcome=DENY, reason="BAD_STATE_ATTACHMENT", note=note)
    return chosen
