"""The shapes of AWS's describe answers: only the fields that are read, checked while decoding.

Unknown fields are ignored; null counts as absent. Every top-level key an answer may have is sorted into one of
four kinds here: built into records, known but not modelled, harmless, or unknown.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

#: Ids are visible ASCII: they are printed, and they are keys.
Id = Annotated[str, Meta(pattern=r"\A[!-~]{1,512}\Z")]
#: The same, where AWS writes an empty string for "none".
MaybeId = Annotated[str, Meta(pattern=r"\A[!-~]{0,512}\Z")]


class Answer(Struct, rename="pascal", gc=False, kw_only=True):
    """Field names in Python's case, AWS's PascalCase in the JSON."""


class Tag(Answer):
    key: str | None = None
    value: str | None = None


class State(Answer):
    state: str | None = None


class BlockStates(Answer):
    internet_gateway_block_mode: str | None = None


class CidrAssociation(Answer):
    cidr_block: str | None = None
    cidr_block_state: State | None = None


class Ipv6CidrAssociation(Answer):
    ipv6_cidr_block: str | None = None
    ipv6_cidr_block_state: State | None = None
    ipv6_address_attribute: str | None = None


class VpcAnswer(Answer):
    vpc_id: Id
    cidr_block: str | None = None
    cidr_block_association_set: list[CidrAssociation] | None = None
    ipv6_cidr_block_association_set: list[Ipv6CidrAssociation] | None = None
    block_public_access_states: BlockStates | None = None
    is_default: bool | None = None
    owner_id: MaybeId | None = None
    tags: list[Tag] | None = None


class SubnetAnswer(Answer):
    subnet_id: Id
    vpc_id: Id
    cidr_block: str | None = None
    ipv6_cidr_block_association_set: list[Ipv6CidrAssociation] | None = None
    block_public_access_states: BlockStates | None = None
    availability_zone: MaybeId | None = None
    availability_zone_id: MaybeId | None = None
    subnet_arn: str | None = None
    owner_id: MaybeId | None = None
    tags: list[Tag] | None = None


class RouteAnswer(Answer):
    destination_cidr_block: str | None = None
    destination_ipv6_cidr_block: str | None = None
    destination_prefix_list_id: MaybeId | None = None
    gateway_id: MaybeId | None = None
    nat_gateway_id: MaybeId | None = None
    transit_gateway_id: MaybeId | None = None
    vpc_peering_connection_id: MaybeId | None = None
    egress_only_internet_gateway_id: MaybeId | None = None
    network_interface_id: MaybeId | None = None
    instance_id: MaybeId | None = None
    carrier_gateway_id: MaybeId | None = None
    local_gateway_id: MaybeId | None = None
    core_network_arn: MaybeId | None = None
    odb_network_arn: MaybeId | None = None
    origin: str | None = None
    state: str | None = None


class RouteTableAssociation(Answer):
    main: bool | None = None
    subnet_id: MaybeId | None = None
    gateway_id: MaybeId | None = None
    association_state: State | None = None


class RouteTableAnswer(Answer):
    route_table_id: Id
    vpc_id: Id
    routes: list[RouteAnswer] | None = None
    associations: list[RouteTableAssociation] | None = None
    owner_id: MaybeId | None = None
    tags: list[Tag] | None = None


class PortRange(Answer):
    first: int | None = field(default=None, name="From")
    last: int | None = field(default=None, name="To")


class IcmpTypeCode(Answer):
    type: int | None = None
    code: int | None = None


class NetworkAclEntryAnswer(Answer):
    rule_number: int
    egress: bool
    protocol: str | int
    rule_action: str
    cidr_block: str | None = None
    ipv6_cidr_block: str | None = None
    port_range: PortRange | None = None
    icmp_type_code: IcmpTypeCode | None = None


class NetworkAclAssociation(Answer):
    subnet_id: MaybeId | None = None


class NetworkAclAnswer(Answer):
    network_acl_id: Id
    vpc_id: Id
    entries: list[NetworkAclEntryAnswer] | None = None
    associations: list[NetworkAclAssociation] | None = None
    is_default: bool | None = None
    owner_id: MaybeId | None = None
    tags: list[Tag] | None = None


class IpRange(Answer):
    cidr_ip: str
    description: str | None = None


class Ipv6Range(Answer):
    cidr_ipv6: str
    description: str | None = None


class PrefixListReference(Answer):
    prefix_list_id: Id
    description: str | None = None


class GroupReference(Answer):
    group_id: Id
    vpc_id: MaybeId | None = None
    vpc_peering_connection_id: MaybeId | None = None
    peering_status: str | None = None
    description: str | None = None


class IpPermission(Answer):
    ip_protocol: str | int
    from_port: int | None = None
    to_port: int | None = None
    ip_ranges: list[IpRange] | None = None
    ipv6_ranges: list[Ipv6Range] | None = None
    prefix_list_ids: list[PrefixListReference] | None = None
    user_id_group_pairs: list[GroupReference] | None = None


class SecurityGroupAnswer(Answer):
    group_id: Id
    vpc_id: MaybeId | None = None
    group_name: str | None = None
    ip_permissions: list[IpPermission] | None = None
    ip_permissions_egress: list[IpPermission] | None = None
    owner_id: MaybeId | None = None
    tags: list[Tag] | None = None


class SecurityGroupRuleAnswer(Answer):
    security_group_rule_id: Id
    group_id: Id
    is_egress: bool
    ip_protocol: str | int
    from_port: int | None = None
    to_port: int | None = None
    cidr_ipv4: str | None = None
    cidr_ipv6: str | None = None
    prefix_list_id: MaybeId | None = None
    referenced_group_info: GroupReference | None = None
    group_owner_id: MaybeId | None = None
    description: str | None = None


class PrefixListAnswer(Answer):
    prefix_list_id: Id
    prefix_list_name: str | None = None
    address_family: str | None = None
    cidrs: list[str] | None = None
    owner_id: MaybeId | None = None
    max_entries: int | None = None


class PrefixListEntry(Answer):
    cidr: str


class PrefixListEntriesAnswer(Answer):
    prefix_list_id: Id
    entries: list[PrefixListEntry] | None = None
    next_token: str | None = None


class AddressAssociation(Answer):
    public_ip: str | None = None


class PrivateIpAddress(Answer):
    private_ip_address: str
    primary: bool | None = None
    association: AddressAssociation | None = None


class Ipv6Address(Answer):
    ipv6_address: str
    is_primary_ipv6: bool | None = None


class Ipv4Prefix(Answer):
    ipv4_prefix: str


class Ipv6Prefix(Answer):
    ipv6_prefix: str


class GroupName(Answer):
    group_id: Id


class InterfaceAttachment(Answer):
    instance_id: MaybeId | None = None
    device_index: int | None = None


class NetworkInterfaceAnswer(Answer):
    network_interface_id: Id
    vpc_id: MaybeId | None = None
    subnet_id: MaybeId | None = None
    interface_type: str | None = None
    private_ip_address: str | None = None
    private_ip_addresses: list[PrivateIpAddress] | None = None
    association: AddressAssociation | None = None
    ipv6_addresses: list[Ipv6Address] | None = None
    ipv4_prefixes: list[Ipv4Prefix] | None = None
    ipv6_prefixes: list[Ipv6Prefix] | None = None
    groups: list[GroupName] | None = None
    source_dest_check: bool | None = None
    requester_managed: bool | None = None
    status: str | None = None
    availability_zone: MaybeId | None = None
    attachment: InterfaceAttachment | None = None
    deny_all_igw_traffic: bool | None = None
    description: str | None = None
    owner_id: MaybeId | None = None
    tag_set: list[Tag] | None = None


class InstanceState(Answer):
    name: str | None = None


class Placement(Answer):
    availability_zone: MaybeId | None = None


class InstanceAnswer(Answer):
    instance_id: Id
    state: InstanceState | None = None
    vpc_id: MaybeId | None = None
    subnet_id: MaybeId | None = None
    placement: Placement | None = None
    network_interfaces: list[NetworkInterfaceAnswer] | None = None
    tags: list[Tag] | None = None


class ReservationAnswer(Answer):
    instances: list[InstanceAnswer] | None = None


class AddressAnswer(Answer):
    public_ip: str | None = None
    allocation_id: MaybeId | None = None
    network_interface_id: MaybeId | None = None
    private_ip_address: str | None = None


class VpcAttachment(Answer):
    vpc_id: MaybeId | None = None
    state: str | None = None


class InternetGatewayAnswer(Answer):
    internet_gateway_id: Id
    attachments: list[VpcAttachment] | None = None
    owner_id: MaybeId | None = None
    tags: list[Tag] | None = None


class EgressOnlyInternetGatewayAnswer(Answer):
    egress_only_internet_gateway_id: Id
    attachments: list[VpcAttachment] | None = None
    tags: list[Tag] | None = None


class VpnGatewayAnswer(Answer):
    vpn_gateway_id: Id
    vpc_attachments: list[VpcAttachment] | None = None
    availability_zone: MaybeId | None = None
    tags: list[Tag] | None = None


class PeeringStatus(Answer):
    code: str


class BlockOptionsAnswer(Answer):
    internet_gateway_block_mode: str
    aws_region: MaybeId | None = None
    aws_account_id: MaybeId | None = None


class BlockExclusionAnswer(Answer):
    resource_arn: Id
    internet_gateway_exclusion_mode: str
    state: str | None = None


#: Top-level key -> the shape of each of its records. These become records of the model, as do those of
#: `answers_between`.
SHAPES: dict[str, type[Answer]] = {
    "Vpcs": VpcAnswer,
    "Subnets": SubnetAnswer,
    "RouteTables": RouteTableAnswer,
    "NetworkAcls": NetworkAclAnswer,
    "SecurityGroups": SecurityGroupAnswer,
    "SecurityGroupRules": SecurityGroupRuleAnswer,
    "PrefixLists": PrefixListAnswer,
    "ManagedPrefixListEntries": PrefixListEntriesAnswer,
    "NetworkInterfaces": NetworkInterfaceAnswer,
    "Reservations": ReservationAnswer,
    "Instances": InstanceAnswer,
    "Addresses": AddressAnswer,
    "InternetGateways": InternetGatewayAnswer,
    "EgressOnlyInternetGateways": EgressOnlyInternetGatewayAnswer,
    "VpnGateways": VpnGatewayAnswer,
    "VpcBlockPublicAccessOptions": BlockOptionsAnswer,
    "VpcBlockPublicAccessExclusions": BlockExclusionAnswer,
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Described by AWS, part of the network, but not modelled yet: a note, once per key that has records.
NOT_MODELLED = _words(
    """
    VpcEndpointConnections
    TransitGatewayConnects TransitGatewayConnectPeers TransitGatewayPolicyTables TransitGatewayMulticastDomains
    TransitGatewayRouteTableAnnouncements
    CustomerGateways VpnConnectionsDeviceTypes VpnConcentrators ClientVpnEndpoints ClientVpnTargetNetworks
    AuthorizationRules CarrierGateways LocalGateways LocalGatewayRouteTables LocalGatewayRoutes
    LocalGatewayRouteTableVpcAssociations LocalGatewayVirtualInterfaces CoreNetworks CoreNetwork GlobalNetworks
    RouteServers RouteServerEndpoints RouteServerPeers VpcEncryptionControls VerifiedAccessEndpoints
    InstanceConnectEndpoints Firewalls Firewall FirewallStatus FirewallPolicies FirewallPolicy RuleGroups RuleGroup
    directConnectGateways directConnectGatewayAssociations directConnectGatewayAttachments virtualInterfaces
    virtualGateways OdbNetworks odbNetworks Accelerators EndpointGroups
    """
)

#: Keys that AWS begins in lower case -> the same as other tools write them.
OTHER_SPELLINGS = {key[:1].upper() + key[1:]: key for key in NOT_MODELLED if key[:1].islower()}

#: AWS's answers that do not say whose they are -> the wrapper to put them in.
WITHOUT_OWNER = {
    "Entries": "ManagedPrefixListEntries: [{PrefixListId, Entries}]",
    "Routes": "TransitGatewayRoutes: [{TransitGatewayRouteTableId, Routes}]",
    "Associations": "TransitGatewayAssociations: [{TransitGatewayRouteTableId, Associations}]",
    "TransitGatewayRouteTablePropagations": (
        "TransitGatewayPropagations: [{TransitGatewayRouteTableId, TransitGatewayRouteTablePropagations}]"
    ),
    "TargetHealthDescriptions": "LoadBalancerTargetHealth: [{TargetGroupArn, TargetHealthDescriptions}]",
    "Attributes": (
        "LoadBalancerAttributes: [{LoadBalancerArn, Attributes}] or "
        "TargetGroupAttributes: [{TargetGroupArn, Attributes}]"
    ),
}

#: Described by AWS, no say in whether a packet arrives (or said by other records too): kept, no issue.
HARMLESS = _words(
    """
    ResponseMetadata MaxResults Tags AvailabilityZones Regions DhcpOptions KeyPairs Images Hosts HostReservations
    InstanceStatuses InstanceTypes InstanceTypeOfferings MovingAddressStatuses PlacementGroups AccountAttributes
    ClassicLinkInstances ServiceNames ServiceDetails ServiceConfigurations AllowedPrincipals DBInstances
    DBSubnetGroups DBClusters DomainStatusList RdsInstances ElasticsearchDomains FlowLogs UpdateToken
    NetworkInterfacePermissions
    Volumes Snapshots SpotInstanceRequests LaunchTemplates LaunchTemplateVersions ReservedInstances
    ReservedInstancesOfferings CapacityReservations IpamPools Ipams IpamScopes IpamResourceCidrs ByoipCidrs
    PublicIpv4Pools Ipv6Pools CoipPools NetworkInsightsPaths NetworkInsightsAnalyses NetworkInsightsAccessScopes
    TrafficMirrorSessions TrafficMirrorTargets TrafficMirrorFilters StaleSecurityGroupSet SecurityGroupReferenceSet
    SecurityGroupForVpcs TagDescriptions AutoScalingGroups AutoScalingInstances Functions Clusters ResourceShares
    BundleTasks ConversionTasks ExportTasks ImportImageTasks FpgaImages IamInstanceProfileAssociations IdFormat
    AddressesAttribute AddressTransfers FastLaunchImages SpotPriceHistory UserId Account Arn VpcId
    EnableDnsSupport EnableDnsHostnames EnableNetworkAddressUsageMetrics AdditionalRoutesAvailable
    AggregateIdFormat VpcClassicLinkDnsSupports InstanceEventWindows
    """
)
