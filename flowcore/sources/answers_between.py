"""The shapes of AWS's answers about what stands between two interfaces, and of the wrappers around those of AWS's
answers that do not say whose they are (docs/snapshots.md).
"""

from __future__ import annotations

from msgspec import field

from .answers import Answer, Id, Ipv6CidrAssociation, MaybeId, PeeringStatus, Tag

# -- peering, NAT, endpoints, VPN ------------------------------------------------------------------------


class CidrItem(Answer):
    cidr_block: str | None = None


class PeeringEnd(Answer):
    vpc_id: MaybeId | None = None
    region: MaybeId | None = None
    cidr_block: str | None = None
    cidr_block_set: list[CidrItem] | None = None
    ipv6_cidr_block_set: list[Ipv6CidrAssociation] | None = None


class VpcPeeringConnectionAnswer(Answer):
    vpc_peering_connection_id: Id
    status: PeeringStatus
    requester_vpc_info: PeeringEnd | None = None
    accepter_vpc_info: PeeringEnd | None = None


class NatGatewayAddressAnswer(Answer):
    network_interface_id: MaybeId | None = None
    private_ip: str | None = None
    public_ip: str | None = None
    is_primary: bool | None = None
    status: str | None = None
    availability_zone: MaybeId | None = None
    availability_zone_id: MaybeId | None = None


class NatGatewayAnswer(Answer):
    nat_gateway_id: Id
    vpc_id: MaybeId | None = None
    subnet_id: MaybeId | None = None
    state: str | None = None
    connectivity_type: str | None = None
    availability_mode: str | None = None
    route_table_id: MaybeId | None = None
    nat_gateway_addresses: list[NatGatewayAddressAnswer] | None = None
    tags: list[Tag] | None = None


class VpcEndpointAnswer(Answer):
    vpc_endpoint_id: Id
    vpc_endpoint_type: str | None = None
    vpc_id: MaybeId | None = None
    state: str | None = None
    service_name: str | None = None
    route_table_ids: list[Id] | None = None
    subnet_ids: list[Id] | None = None
    network_interface_ids: list[Id] | None = None
    owner_id: MaybeId | None = None
    tags: list[Tag] | None = None


class VpnOptions(Answer):
    static_routes_only: bool | None = None


class VpnRoute(Answer):
    destination_cidr_block: str | None = None
    state: str | None = None


class VpnConnectionAnswer(Answer):
    vpn_connection_id: Id
    state: str | None = None
    vpn_gateway_id: MaybeId | None = None
    transit_gateway_id: MaybeId | None = None
    options: VpnOptions | None = None
    routes: list[VpnRoute] | None = None


class GroupVpcAssociation(Answer):
    group_id: Id
    vpc_id: Id
    state: str | None = None


# -- transit gateways ------------------------------------------------------------------------------------


class TransitGatewayOptions(Answer):
    security_group_referencing_support: str | None = None
    default_route_table_association: str | None = None
    association_default_route_table_id: MaybeId | None = None


class TransitGatewayAnswer(Answer):
    transit_gateway_id: Id
    transit_gateway_arn: str | None = None
    state: str | None = None
    owner_id: MaybeId | None = None
    options: TransitGatewayOptions | None = None
    tags: list[Tag] | None = None


class TableAssociation(Answer):
    transit_gateway_route_table_id: MaybeId | None = None
    state: str | None = None


class TransitGatewayAttachmentAnswer(Answer):
    transit_gateway_attachment_id: Id
    transit_gateway_id: MaybeId | None = None
    resource_type: str | None = None
    resource_id: MaybeId | None = None
    resource_owner_id: MaybeId | None = None
    state: str | None = None
    association: TableAssociation | None = None
    tags: list[Tag] | None = None


class AttachmentOptions(Answer):
    appliance_mode_support: str | None = None
    security_group_referencing_support: str | None = None
    ipv6_support: str | None = None


class TransitGatewayVpcAttachmentAnswer(Answer):
    transit_gateway_attachment_id: Id
    transit_gateway_id: MaybeId | None = None
    vpc_id: MaybeId | None = None
    vpc_owner_id: MaybeId | None = None
    state: str | None = None
    subnet_ids: list[Id] | None = None
    options: AttachmentOptions | None = None
    tags: list[Tag] | None = None


class PeeringGateway(Answer):
    transit_gateway_id: MaybeId | None = None


class TransitGatewayPeeringAttachmentAnswer(Answer):
    transit_gateway_attachment_id: Id
    accepter_transit_gateway_attachment_id: MaybeId | None = None
    requester_tgw_info: PeeringGateway | None = None
    accepter_tgw_info: PeeringGateway | None = None
    state: str | None = None
    tags: list[Tag] | None = None


class TransitGatewayRouteTableAnswer(Answer):
    transit_gateway_route_table_id: Id
    transit_gateway_id: Id
    state: str | None = None
    tags: list[Tag] | None = None


class RouteAttachment(Answer):
    transit_gateway_attachment_id: MaybeId | None = None
    resource_type: str | None = None


class TransitGatewayRouteAnswer(Answer):
    destination_cidr_block: str | None = None
    prefix_list_id: MaybeId | None = None
    transit_gateway_attachments: list[RouteAttachment] | None = None
    type: str | None = None
    state: str | None = None


class TransitGatewayRoutesWrapper(Answer):
    transit_gateway_route_table_id: Id
    routes: list[TransitGatewayRouteAnswer]
    additional_routes_available: bool | None = None
    next_token: str | None = None


class Propagation(Answer):
    transit_gateway_attachment_id: MaybeId | None = None
    resource_type: str | None = None
    state: str | None = None


class TransitGatewayPropagationsWrapper(Answer):
    transit_gateway_route_table_id: Id
    transit_gateway_route_table_propagations: list[Propagation]
    next_token: str | None = None


class TableMember(Answer):
    transit_gateway_attachment_id: MaybeId | None = None
    state: str | None = None


class TransitGatewayAssociationsWrapper(Answer):
    transit_gateway_route_table_id: Id
    associations: list[TableMember]
    next_token: str | None = None


class PrefixListReferenceAnswer(Answer):
    transit_gateway_route_table_id: Id
    prefix_list_id: Id
    state: str | None = None
    blackhole: bool | None = None
    transit_gateway_attachment: RouteAttachment | None = None


# -- load balancers --------------------------------------------------------------------------------------


class KeyValue(Answer):
    key: str | None = None
    value: str | None = None


class LoadBalancerState(Answer):
    code: str | None = None


class LoadBalancerAddress(Answer):
    ip_address: str | None = None
    private_ipv4_address: str | None = field(default=None, name="PrivateIPv4Address")
    ipv6_address: str | None = field(default=None, name="IPv6Address")


class LoadBalancerZone(Answer):
    subnet_id: MaybeId | None = None
    load_balancer_addresses: list[LoadBalancerAddress] | None = None


class LoadBalancerAnswer(Answer):
    load_balancer_arn: Id
    type: str
    load_balancer_name: str | None = None
    scheme: str | None = None
    vpc_id: MaybeId | None = None
    state: LoadBalancerState | None = None
    availability_zones: list[LoadBalancerZone] | None = None
    security_groups: list[Id] | None = None
    tags: list[Tag] | None = None


class WeightedGroup(Answer):
    target_group_arn: Id
    weight: int | None = None


class ForwardConfig(Answer):
    target_groups: list[WeightedGroup] | None = None


class ActionAnswer(Answer):
    type: str
    target_group_arn: MaybeId | None = None
    forward_config: ForwardConfig | None = None


class ListenerAnswer(Answer):
    listener_arn: MaybeId | None = None
    load_balancer_arn: MaybeId | None = None
    port: int | None = None
    protocol: str | None = None
    default_actions: list[ActionAnswer] | None = None


class ListenersWrapper(Answer):
    load_balancer_arn: Id
    listeners: list[ListenerAnswer]
    next_marker: str | None = None
    next_token: str | None = None


class SourceIpConfig(Answer):
    values: list[str] | None = None


class ConditionAnswer(Answer):
    tested: str | None = field(default=None, name="Field")
    values: list[str] | None = None
    source_ip_config: SourceIpConfig | None = None


class RuleAnswer(Answer):
    rule_arn: MaybeId | None = None
    priority: str | int | None = None
    conditions: list[ConditionAnswer] | None = None
    actions: list[ActionAnswer] | None = None


class RulesWrapper(Answer):
    listener_arn: Id
    rules: list[RuleAnswer]
    next_marker: str | None = None
    next_token: str | None = None


class CrossZone(Answer):
    enabled: bool | None = None


class ClassicAttributes(Answer):
    cross_zone_load_balancing: CrossZone | None = None


class LoadBalancerAttributesWrapper(Answer):
    load_balancer_arn: MaybeId | None = None
    load_balancer_name: MaybeId | None = None
    attributes: list[KeyValue] | None = None
    load_balancer_attributes: ClassicAttributes | None = None
    cross_zone_load_balancing: CrossZone | None = None


class TargetGroupAnswer(Answer):
    target_group_arn: Id
    target_group_name: str | None = None
    target_type: str | None = None
    protocol: str | None = None
    port: int | None = None
    vpc_id: MaybeId | None = None
    health_check_protocol: str | None = None
    health_check_port: str | int | None = None
    ip_address_type: str | None = None


class TargetGroupAttributesWrapper(Answer):
    target_group_arn: Id
    attributes: list[KeyValue]


class TargetAnswer(Answer):
    id: Id
    port: int | None = None
    availability_zone: MaybeId | None = None


class TargetHealth(Answer):
    state: str | None = None


class TargetHealthDescription(Answer):
    target: TargetAnswer
    target_health: TargetHealth | None = None


class TargetHealthWrapper(Answer):
    target_group_arn: Id
    target_health_descriptions: list[TargetHealthDescription]


class ClassicListener(Answer):
    protocol: str
    load_balancer_port: int
    instance_port: int
    instance_protocol: str | None = None


class ClassicListenerDescription(Answer):
    listener: ClassicListener


class ClassicInstance(Answer):
    instance_id: Id


class ClassicHealthCheck(Answer):
    target: str | None = None


class ClassicLoadBalancerAnswer(Answer):
    load_balancer_name: Id
    scheme: str | None = None
    vpc_id: MaybeId | None = field(default=None, name="VPCId")
    dns_name: str | None = field(default=None, name="DNSName")
    subnets: list[Id] | None = None
    security_groups: list[Id] | None = None
    instances: list[ClassicInstance] | None = None
    listener_descriptions: list[ClassicListenerDescription] | None = None
    health_check: ClassicHealthCheck | None = None


#: Top-level key -> the shape of each of its records.
SHAPES: dict[str, type[Answer]] = {
    "VpcPeeringConnections": VpcPeeringConnectionAnswer,
    "NatGateways": NatGatewayAnswer,
    "VpcEndpoints": VpcEndpointAnswer,
    "VpnConnections": VpnConnectionAnswer,
    "SecurityGroupVpcAssociations": GroupVpcAssociation,
    "TransitGateways": TransitGatewayAnswer,
    "TransitGatewayAttachments": TransitGatewayAttachmentAnswer,
    "TransitGatewayVpcAttachments": TransitGatewayVpcAttachmentAnswer,
    "TransitGatewayPeeringAttachments": TransitGatewayPeeringAttachmentAnswer,
    "TransitGatewayRouteTables": TransitGatewayRouteTableAnswer,
    "TransitGatewayRoutes": TransitGatewayRoutesWrapper,
    "TransitGatewayStaticRoutes": TransitGatewayRoutesWrapper,
    "TransitGatewayPropagations": TransitGatewayPropagationsWrapper,
    "TransitGatewayAssociations": TransitGatewayAssociationsWrapper,
    "TransitGatewayPrefixListReferences": PrefixListReferenceAnswer,
    "LoadBalancers": LoadBalancerAnswer,
    "Listeners": ListenerAnswer,
    "LoadBalancerListeners": ListenersWrapper,
    "Rules": RuleAnswer,
    "LoadBalancerRules": RulesWrapper,
    "LoadBalancerAttributes": LoadBalancerAttributesWrapper,
    "TargetGroups": TargetGroupAnswer,
    "TargetGroupAttributes": TargetGroupAttributesWrapper,
    "LoadBalancerTargetHealth": TargetHealthWrapper,
    "LoadBalancerDescriptions": ClassicLoadBalancerAnswer,
}
