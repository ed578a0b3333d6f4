"""Internet gateways and egress-only internet gateways against one packet (IG-01…11, BP-01…06, RT-20).

docs/semantics.md, section 4. In each function the first step that applies decides.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .model import Gateway, IPAddress, RouteTarget
from .walk_flow import RFC1918, RFC6598, UNIQUE_LOCAL, UNROUTABLE, kind_of
from .walk_rules import DENY, PASS, UNKNOWN, NetworkIndex, Outcome, RouteChoice, select_route

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

#: Return routes that lead to things this version does not model; any other target is a wrong way back (IG-02).
_UNMODELLED_RETURNS = frozenset(
    {
        RouteTarget.NETWORK_INTERFACE,
        RouteTarget.GATEWAY_ENDPOINT,
        RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT,
        RouteTarget.UNKNOWN,
    }
)


def block_public_access_stops(index: NetworkIndex, end: End, inbound: bool, egress_only: bool) -> bool:
    """Whether VPC Block Public Access stops what a gateway carries to or from the end's subnet (BP-01…05)."""
    subnet_id, vpc_id = end.interface.subnet_id, end.interface.vpc_id
    mode = index.network.block_mode_of(subnet_id, vpc_id)
    if mode not in ("block-bidirectional", "block-ingress"):
        return False
    exclusion = index.network.block_exclusion_of(subnet_id, vpc_id)
    if exclusion == "allow-bidirectional":
        return False
    if mode == "block-ingress":
        from_nat_gateway = not inbound and end.interface.interface_type == "nat_gateway"
        return not egress_only and not from_nat_gateway  # BP-03
    return inbound or exclusion != "allow-egress"


def judge_way_out(
    index: NetworkIndex, gateway_id: str, source: End, destination: IPAddress, egress_only: bool
) -> Outcome:
    """What an internet gateway, or an egress-only one, says of a packet from `source` to `destination` (IG-06…10)."""
    network, vpc_id = index.network, source.interface.vpc_id
    described: Mapping[str, Gateway] = (
        network.egress_only_internet_gateways if egress_only else network.internet_gateways
    )
    gateway = described.get(gateway_id)
    if gateway is None:
        return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"{gateway_id} is not described")
    if vpc_id not in gateway.vpc_ids:
        return Outcome(DENY, "BAD_STATE_ATTACHMENT", note=f"{gateway_id} is not attached to {vpc_id}")
    if block_public_access_stops(index, source, inbound=False, egress_only=egress_only):
        return _BLOCKED
    if not egress_only:
        if destination.version == 4 and source.public_address is None:
            note = f"{source.address} has no public address (IG-06)"
            return Outcome(DENY, "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", note=note)
        if destination.version == 6 and source.interface.deny_all_igw_traffic:
            return Outcome(
                DENY, "DENY_ALL_IGW_TRAFFIC", note="the interface denies all internet gateway traffic (IG-10)"
            )
    return _judge_far_address(index, vpc_id, destination)


def _judge_far_address(index: NetworkIndex, vpc_id: str | None, destination: IPAddress) -> Outcome:
    """Whether a gateway carries packets to this address at all (IG-06, IG-08)."""
    kind = kind_of(destination)
    if kind in _EGRESS_REASONS:
        return Outcome(DENY, _EGRESS_REASONS[kind], note=f"{destination} is private: the gateway drops it (IG-06)")
    if kind == UNIQUE_LOCAL:
        return Outcome(UNKNOWN, "UNKNOWN_DESTINATION", note=f"{destination} is not on the internet")
    if kind == UNROUTABLE:
        return Outcome(DENY, "NO_POSSIBLE_DESTINATION", note=f"nothing can be sent to {destination}")
    if destination.version == 6 and any(owner.vpc_id != vpc_id for owner in index.owners(destination)):
        return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=f"{destination} is in another VPC of this network")
    return Outcome(PASS)


def judge_way_in(
    index: NetworkIndex, receiver: End, remote: IPAddress, by_private: bool, hairpin: bool = False
) -> Outcome:
    """What the internet gateway of the receiver's VPC says of a packet from `remote` (IG-01…10).

    `by_private`: the flow names the receiver's own address, not its public one. In a `hairpin` the remote is the
    public address of an interface, so its kind is not tested (IG-11).
    """
    network, vpc_id = index.network, receiver.interface.vpc_id or ""
    other_ways = vpc_id in network.vpcs_with_other_ways_in
    if remote.version == 4 and receiver.public_address is None:
        if other_ways:
            return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note="it may arrive by ways that are not modelled")
        note = f"{receiver.address} has no public address (IG-06)"
        return Outcome(DENY, "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS", note=note)
    gateway_id = network.internet_gateway_of.get(vpc_id)
    if gateway_id is None:
        if vpc_id in network.vpcs_with_undescribed_internet_gateway:
            return Outcome(UNKNOWN, "UNKNOWN_RESOURCE", note=f"the internet gateway of {vpc_id} is not described")
        if by_private and not hairpin and other_ways:
            return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note="it may arrive by ways that are not modelled")
        return Outcome(DENY, "NO_PATH", note=f"no internet gateway is attached to {vpc_id} (IG-01)")
    if block_public_access_stops(index, receiver, inbound=True, egress_only=False):
        return _BLOCKED
    if remote.version == 6 and receiver.interface.deny_all_igw_traffic:
        return Outcome(DENY, "DENY_ALL_IGW_TRAFFIC", note="the interface denies all internet gateway traffic (IG-10)")
    kind = kind_of(remote)
    if kind in _INGRESS_REASONS and not hairpin:
        return Outcome(DENY, _INGRESS_REASONS[kind], note=f"{remote} is private: the gateway drops it (IG-06)")
    return judge_edge(index, gateway_id, receiver.address)


def judge_edge(index: NetworkIndex, gateway_id: str, inside: IPAddress) -> Outcome:
    """What the route table of the gateway itself says of a packet entering for `inside` (RT-20). No rule is named."""
    table = index.network.gateway_route_table(gateway_id)
    if table is None:
        return Outcome(PASS)
    choice = select_route(index, table.route_table_id, inside)
    if choice.route is None:
        if choice.outcome.outcome == DENY:
            return Outcome(PASS, note=f"{table.route_table_id}: no route, so local (RT-20)")
        return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=f"{table.route_table_id}: {choice.outcome.note}")
    note = f"{table.route_table_id}: {choice.outcome.text} (RT-20)"
    if choice.route.blackhole:
        return Outcome(DENY, "BAD_STATE_ROUTE", note=note)
    if choice.route.target_kind == RouteTarget.LOCAL:
        return Outcome(PASS, note=note)
    return Outcome(UNKNOWN, "UNSUPPORTED_COMPONENT", note=note + ": redirected, which is not modelled")


def judge_return(index: NetworkIndex, receiver: End, choice: RouteChoice) -> Outcome:
    """What the selected route says of a reply to the internet: only the VPC's internet gateway takes it (IG-02)."""
    route, chosen = choice.route, choice.outcome
    if route is None or chosen.outcome != PASS:
        return chosen
    if route.target_kind in _UNMODELLED_RETURNS:
        return replace(
            chosen, outcome=UNKNOWN, reason="UNSUPPORTED_COMPONENT", note=f"{route.target_id} is not modelled"
        )
    if route.target_kind != RouteTarget.INTERNET_GATEWAY:
        note = f"the reply leaves by {route.target_id}, not by the internet gateway the packet came in by (IG-02)"
        return replace(chosen, outcome=DENY, reason="ASYMMETRIC_RETURN", note=note)
    gateway = index.network.internet_gateways.get(route.target_id)
    if gateway is None:
        note = f"{route.target_id} is not described"
        return replace(chosen, outcome=UNKNOWN, reason="UNKNOWN_RESOURCE", note=note)
    if receiver.interface.vpc_id not in gateway.vpc_ids:
        note = f"{route.target_id} is not attached to {receiver.interface.vpc_id}"
        return replace(chosen, outcome=DENY, reason="BAD_STATE_ATTACHMENT", note=note)
    return chosen
