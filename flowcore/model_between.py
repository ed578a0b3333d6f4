"""Records of what stands between two interfaces: peerings, NAT and transit gateways, endpoints, VPN, load balancers,
Block Public Access.

Frozen, in AWS's words. Fields are None where the description does not say; () where it says there are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


#: States in which a NAT or transit gateway, attachment, VPN connection or endpoint carries traffic. What is being
#: modified goes on with what it had [inf].
WORKING_STATES = ("available", "modifying")


def is_working(state: str | None) -> bool:
    """Whether a component carries traffic in this state; None: it is not described (NG-12, TG-11, EP-04)."""
    return state is None or state in WORKING_STATES


@dataclass(frozen=True, slots=True)
class VpcPeeringConnection:
    peering_id: str
    status: str
    requester_vpc_id: str | None = None
    accepter_vpc_id: str | None = None
    requester_region: str | None = None
    accepter_region: str | None = None
    requester_cidr_blocks: tuple[IPNetwork, ...] = ()
    """CIDRs of that side, both families; AWS gives them only while active (PX-07)."""
    accepter_cidr_blocks: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockPublicAccessOptions:
    mode: str
    """off, block-bidirectional or block-ingress."""
    region: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class BlockPublicAccessExclusion:
    resource_id: str
    """`vpc-…` or `subnet-…`."""
    mode: str
    """allow-bidirectional or allow-egress."""
    state: str | None = None


@dataclass(frozen=True, slots=True)
class NatGatewayAddress:
    private_address: IPv4Address | None = None
    """None for regional gateways, which have only public ones."""
    public_address: IPv4Address | None = None
    interface_id: str | None = None
    primary: bool = False
    availability_zone: str | None = None
    """Zone name or zone id, as described; regional gateways only."""


@dataclass(frozen=True, slots=True)
class NatGateway:
    nat_gateway_id: str
    vpc_id: str | None = None
    subnet_id: str | None = None
    """None: regional (NG-02)."""
    state: str | None = None
    public: bool = True
    """ConnectivityType; absent means public."""
    regional: bool = False
    route_table_id: str | None = None
    """A regional gateway's own route table."""
    addresses: tuple[NatGatewayAddress, ...] = ()
    """Those in use (Status succeeded or not given); the primary one first."""
    region: str | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransitGateway:
    transit_gateway_id: str
    state: str | None = None
    security_group_referencing: bool = False
    """Options.SecurityGroupReferencingSupport; AWS's default is disable (SG-23)."""
    region: str | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class AttachmentKind:
    """TransitGatewayAttachment.ResourceType, as plain strings."""

    VPC = "vpc"
    VPN = "vpn"
    DIRECT_CONNECT = "direct-connect-gateway"
    CONNECT = "connect"
    PEERING = "peering"


#: Attachments behind which the outside world is: packets handed to them have arrived at an edge (VG-04).
EDGE_ATTACHMENTS = frozenset(
    {AttachmentKind.VPN, AttachmentKind.DIRECT_CONNECT, AttachmentKind.CONNECT, "vpn-concentrator", "client-vpn"}
)


@dataclass(frozen=True, slots=True)
class TransitGatewayAttachment:
    attachment_id: str
    transit_gateway_id: str
    """For a peering attachment, one end of it; `peer_transit_gateway_id` is the other."""
    kind: str = AttachmentKind.VPC
    resource_id: str | None = None
    """The VPC, VPN connection, Direct Connect gateway …"""
    state: str | None = None
    subnet_ids: tuple[str, ...] | None = None
    """VPC attachments: one subnet a zone (TG-01). None: not described."""
    appliance_mode: bool = False
    security_group_referencing: bool = True
    """AWS's default on attachments is enable (SG-23)."""
    peer_transit_gateway_id: str | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TransitGatewayRoute:
    destination: IPNetwork | str
    """A network, or a prefix list id."""
    attachment_ids: tuple[str, ...] = ()
    """Empty for a black hole; several: equal-cost paths."""
    propagated: bool = False
    blackhole: bool = False
    kind: str = AttachmentKind.VPC
    """Of the attachment, for the order among propagated routes (TG-03)."""


@dataclass(frozen=True, slots=True)
class TransitGatewayRouteTable:
    route_table_id: str
    transit_gateway_id: str
    routes: tuple[TransitGatewayRoute, ...] | None = None
    """As AWS lists them, or static ones plus those of the propagating VPC attachments. None: not described."""
    complete: bool = True
    """False: routes may be missing (AdditionalRoutesAvailable; an edge that propagates unknown routes)."""
    attachment_ids: tuple[str, ...] | None = None
    """Attachments associated with the table (TG-02). None: not described."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VpnConnection:
    vpn_connection_id: str
    state: str | None = None
    vpn_gateway_id: str | None = None
    transit_gateway_id: str | None = None
    static_routes_only: bool = False
    destinations: tuple[IPNetwork, ...] = ()
    """Its static routes (VG-01)."""


@dataclass(frozen=True, slots=True)
class VpcEndpoint:
    endpoint_id: str
    endpoint_type: str
    """Interface, Gateway, GatewayLoadBalancer, Resource or ServiceNetwork, as AWS writes it."""
    vpc_id: str | None = None
    state: str | None = None
    """Lower-case."""
    service_name: str | None = None
    route_table_ids: tuple[str, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    interface_ids: tuple[str, ...] = ()
    network_firewall: bool = False
    """The endpoint of a Network Firewall, whose rules are not modelled."""
    region: str | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    target_id: str
    """Instance id, IP address, load balancer ARN or Lambda function ARN."""
    port: int | None = None
    """None: the target group's port (LB-08)."""
    availability_zone: str | None = None
    """Zone name or id; "all" for addresses outside the VPC."""
    health: str | None = None


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A target group; a Classic Load Balancer's instances behind one listener are one too."""

    target_group_id: str
    """ARN."""
    target_type: str = "instance"
    """instance, ip, alb or lambda."""
    protocol: str | None = None
    """HTTP, HTTPS, TCP, TLS, UDP, TCP_UDP, QUIC, TCP_QUIC, GENEVE; None for lambda."""
    port: int | None = None
    vpc_id: str | None = None
    preserve_client_ip: bool | None = None
    """None: the attribute is not described; NL-05's default holds."""
    cross_zone: bool | None = None
    """load_balancing.cross_zone.enabled; None: as the load balancer says (use_load_balancer_configuration)."""
    health_check_port: int | None = None
    """None: traffic-port."""
    health_check_protocol: str | None = None
    targets: tuple[Target, ...] | None = None
    """Sorted by (target_id, port). None: target health is not described."""
    name: str | None = None
    ip_address_type: str = "ipv4"
    """ipv4 or ipv6."""


@dataclass(frozen=True, slots=True)
class ListenerRule:
    """A rule of a listener, or its default action."""

    target_group_ids: tuple[str, ...] = ()
    """As in Listener."""
    answers: bool = False
    complete: bool = True
    client_cidr_blocks: tuple[IPNetwork, ...] | None = None
    """Its source-ip condition: it is for clients in these only. None: for any client."""
    certain: bool = False
    """It has no other condition: each of these clients takes it, and no later rule."""
    rule_id: str = ""
    """ARN; "" for the default action, and in `Listener.rules`."""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Listener:
    port: int
    protocol: str
    """Upper-case: HTTP, HTTPS, TCP, TLS, UDP, TCP_UDP, QUIC, TCP_QUIC, SSL (classic)."""
    target_group_ids: tuple[str, ...] = ()
    """Every group that the default action or a rule may forward to, weight 0 left out unless all are 0 (AL-04); in the
    order described, each once."""
    listener_id: str = ""
    answers: bool = False
    """It has a redirect, fixed response or other action that ends at the load balancer (AL-05)."""
    complete: bool = True
    """False: its rules are not described, so it may forward elsewhere too."""
    rules: tuple[ListenerRule, ...] = ()
    """Where one has a source-ip condition: the rules by ascending priority, the default action last. (): any client may
    take any rule."""
    described_rules: tuple[ListenerRule, ...] | None = None
    """The same with or without conditions, for whoever changes one of them. None: not described."""


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    load_balancer_id: str
    """ARN; a Classic Load Balancer's name."""
    name: str
    kind: str
    """application, network, gateway or classic."""
    internet_facing: bool = False
    vpc_id: str | None = None
    state: str | None = None
    subnet_ids: tuple[str, ...] = ()
    """One an enabled zone (LB-01)."""
    group_ids: tuple[str, ...] = ()
    """NL-03: a Network Load Balancer may have none."""
    cross_zone: bool | None = None
    """The attribute; None: LB-04's default for the kind."""
    listeners: tuple[Listener, ...] | None = None
    """Sorted by port, then protocol. None: not described."""
    interface_ids: tuple[str, ...] = ()
    """Its nodes: interfaces that name it (LB-01), sorted."""
    region: str | None = None
    owner_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def crosses_zones(self) -> bool:
        """Whether nodes send to targets of other zones, target groups not yet asked (LB-04)."""
        return self.kind == "application" if self.cross_zone is None else self.cross_zone
