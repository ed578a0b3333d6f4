"""Single records of describe-* JSON of what stands between two interfaces, as the AWS CLI prints them.

NAT and transit gateways, attachments, VPN, endpoints, load balancers; and the wrappers of docs/snapshots.md around
answers that do not say whose they are. Each function returns one new dict; nothing is random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .synthetic_records import CREATED, OWNER, REGION, Record, number_of, tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BALANCING = f"arn:aws:elasticloadbalancing:{REGION}:{OWNER}"


def regional_nat_gateway(
    gateway_id: str, vpc_id: str, table_id: str, addresses: Iterable[tuple[str, str | None]]
) -> Record:
    """A regional NAT gateway (NG-02); `addresses`: (public address, zone letter or None)."""
    return {
        "CreateTime": CREATED,
        "NatGatewayAddresses": [
            {
                "AllocationId": f"eipalloc-{number_of(public):017x}",
                "PublicIp": public,
                "Status": "succeeded",
                **({"AvailabilityZone": REGION + zone} if zone else {}),
            }
            for public, zone in addresses
        ],
        "NatGatewayId": gateway_id,
        "State": "available",
        "VpcId": vpc_id,
        "Tags": [],
        "ConnectivityType": "public",
        "AvailabilityMode": "regional",
        "RouteTableId": table_id,
    }


def transit_gateway(gateway_id: str, *, state: str = "available", referencing: bool = False) -> Record:
    """A transit gateway; `referencing`: SecurityGroupReferencingSupport (SG-23)."""
    return {
        "TransitGatewayId": gateway_id,
        "TransitGatewayArn": f"arn:aws:ec2:{REGION}:{OWNER}:transit-gateway/{gateway_id}",
        "State": state,
        "OwnerId": OWNER,
        "Options": {
            "AmazonSideAsn": 64512,
            "DefaultRouteTableAssociation": "disable",
            "DefaultRouteTablePropagation": "disable",
            "VpnEcmpSupport": "enable",
            "DnsSupport": "enable",
            "SecurityGroupReferencingSupport": "enable" if referencing else "disable",
            "MulticastSupport": "disable",
        },
        "Tags": [],
    }


def attachment(attachment_id: str, gateway_id: str, kind: str, resource_id: str, *, state: str = "available") -> Record:
    """A row of describe-transit-gateway-attachments."""
    return {
        "TransitGatewayAttachmentId": attachment_id,
        "TransitGatewayId": gateway_id,
        "TransitGatewayOwnerId": OWNER,
        "ResourceOwnerId": OWNER,
        "ResourceType": kind,
        "ResourceId": resource_id,
        "State": state,
        "CreationTime": CREATED,
        "Tags": [],
    }


def vpc_attachment(
    attachment_id: str,
    gateway_id: str,
    vpc_id: str,
    subnet_ids: Iterable[str],
    *,
    state: str = "available",
    appliance: bool = False,
    referencing: bool | None = None,
) -> Record:
    """A row of describe-transit-gateway-vpc-attachments; `referencing` None: not said (AWS's default is enable)."""
    options = {
        "DnsSupport": "enable",
        "Ipv6Support": "enable",
        "ApplianceModeSupport": "enable" if appliance else "disable",
    }
    if referencing is not None:
        options["SecurityGroupReferencingSupport"] = "enable" if referencing else "disable"
    return {
        "TransitGatewayAttachmentId": attachment_id,
        "TransitGatewayId": gateway_id,
        "VpcId": vpc_id,
        "VpcOwnerId": OWNER,
        "State": state,
        "SubnetIds": list(subnet_ids),
        "CreationTime": CREATED,
        "Options": options,
        "Tags": [],
    }


def peering_attachment(attachment_id: str, requester_id: str, accepter_id: str, *, state: str = "available") -> Record:
    """A row of describe-transit-gateway-peering-attachments."""

    def end(gateway_id: str) -> Record:
        return {"TransitGatewayId": gateway_id, "OwnerId": OWNER, "Region": REGION}

    return {
        "TransitGatewayAttachmentId": attachment_id,
        "RequesterTgwInfo": end(requester_id),
        "AccepterTgwInfo": end(accepter_id),
        "State": state,
        "CreationTime": CREATED,
        "Tags": [],
    }


def transit_route_table(table_id: str, gateway_id: str) -> Record:
    """A row of describe-transit-gateway-route-tables."""
    return {
        "TransitGatewayRouteTableId": table_id,
        "TransitGatewayId": gateway_id,
        "State": "available",
        "DefaultAssociationRouteTable": False,
        "DefaultPropagationRouteTable": False,
        "CreationTime": CREATED,
        "Tags": [],
    }


def attachment_end(record: Record) -> Record:
    """How associations, propagations and routes name an attachment (a row of `attachment`)."""
    return {key: record[key] for key in ("TransitGatewayAttachmentId", "ResourceId", "ResourceType")}


def transit_route(destination: str, ends: Iterable[Record], *, propagated: bool = False) -> Record:
    """A transit gateway route to attachments (rows of `attachment`); none: a black hole."""
    named = [attachment_end(end) for end in ends]
    record: Record = {
        "PrefixListId" if destination.startswith("pl-") else "DestinationCidrBlock": destination,
        "Type": "propagated" if propagated else "static",
        "State": "active" if named else "blackhole",
    }
    return {**record, "TransitGatewayAttachments": named} if named else record


def vpn_connection(
    connection_id: str,
    *,
    vpn_gateway_id: str | None = None,
    transit_gateway_id: str | None = None,
    state: str = "available",
    destinations: Sequence[str] = (),
) -> Record:
    """A VPN connection of a virtual private gateway or a transit gateway; `destinations`: its static routes (VG-01)."""
    record: Record = {
        "VpnConnectionId": connection_id,
        "State": state,
        "CustomerGatewayId": "cgw-0123456789abcdef0",
        "Type": "ipsec.1",
        "Category": "VPN",
        "Options": {"StaticRoutesOnly": bool(destinations)},
        "Routes": [{"DestinationCidrBlock": cidr, "State": "available"} for cidr in destinations],
        "Tags": [],
    }
    if vpn_gateway_id:
        record["VpnGatewayId"] = vpn_gateway_id
    if transit_gateway_id:
        record["TransitGatewayId"] = transit_gateway_id
    return record


def vpn_gateway(gateway_id: str, vpc_id: str, *, attached: bool = True) -> Record:
    """A virtual private gateway."""
    return {
        "VpnGatewayId": gateway_id,
        "State": "available",
        "Type": "ipsec.1",
        "VpcAttachments": [{"State": "attached" if attached else "detached", "VpcId": vpc_id}],
        "AmazonSideAsn": 64512,
        "Tags": [],
    }


def vpc_endpoint(
    endpoint_id: str,
    kind: str,
    vpc_id: str,
    service: str,
    *,
    state: str = "available",
    table_ids: Iterable[str] = (),
    subnet_ids: Iterable[str] = (),
    interface_ids: Iterable[str] = (),
    groups: Iterable[tuple[str, str]] = (),
    firewall: bool = False,
) -> Record:
    """A VPC endpoint; `kind`: Gateway, Interface or GatewayLoadBalancer."""
    return {
        "VpcEndpointId": endpoint_id,
        "VpcEndpointType": kind,
        "VpcId": vpc_id,
        "ServiceName": service,
        "State": state,
        "RouteTableIds": list(table_ids),
        "SubnetIds": list(subnet_ids),
        "Groups": [{"GroupId": group_id, "GroupName": name} for group_id, name in groups],
        "PrivateDnsEnabled": False,
        "RequesterManaged": firewall,
        "NetworkInterfaceIds": list(interface_ids),
        "CreationTimestamp": CREATED,
        "Tags": tags(None, AWSNetworkFirewallManaged="true") if firewall else [],
        "OwnerId": OWNER,
    }


# -- load balancers ----------------------------------------------------------------------------------------


def balancer_arn(kind: str, name: str, suffix: str) -> str:
    """The ARN of a load balancer; `kind`: app, net or gwy."""
    return f"{_BALANCING}:loadbalancer/{kind}/{name}/{suffix}"


def target_group_arn(name: str, suffix: str) -> str:
    """The ARN of a target group."""
    return f"{_BALANCING}:targetgroup/{name}/{suffix}"


def load_balancer(
    arn: str,
    name: str,
    vpc_id: str,
    places: Iterable[tuple[str, str]],
    *,
    internet_facing: bool,
    groups: Sequence[str] | None,
    state: str | None = "active",
) -> Record:
    """A load balancer; `places`: (subnet id, zone letter); `groups` None: has no group list (NL-03)."""
    kinds = {"app": "application", "net": "network", "gwy": "gateway"}
    record: Record = {
        "LoadBalancerArn": arn,
        "DNSName": f"{name}.elb.{REGION}.amazonaws.com",
        "CreatedTime": CREATED,
        "LoadBalancerName": name,
        "Scheme": "internet-facing" if internet_facing else "internal",
        "VpcId": vpc_id,
        "Type": kinds[arn.split("/")[1]],
        "AvailabilityZones": [
            {"ZoneName": REGION + zone, "SubnetId": subnet_id, "LoadBalancerAddresses": []}
            for subnet_id, zone in places
        ],
        "IpAddressType": "ipv4",
    }
    if state:
        record["State"] = {"Code": state}
    if groups is not None:
        record["SecurityGroups"] = list(groups)
    return record


def forward(groups: Sequence[tuple[str, int]]) -> Record:
    """A forward action; `groups`: (target group ARN, weight)."""
    record: Record = {
        "Type": "forward",
        "Order": 1,
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups],
            "TargetGroupStickinessConfig": {"Enabled": False},
        },
    }
    if len(groups) == 1:
        record["TargetGroupArn"] = groups[0][0]
    return record


def redirect() -> Record:
    """An action that ends at the load balancer (AL-05)."""
    return {
        "Type": "redirect",
        "Order": 1,
        "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
    }


def listener(arn: str, balancer: str, port: int, protocol: str, actions: Iterable[Record]) -> Record:
    """A listener."""
    return {
        "ListenerArn": arn,
        "LoadBalancerArn": balancer,
        "Port": port,
        "Protocol": protocol,
        "DefaultActions": list(actions),
    }


def listener_rule(arn: str, priority: str, actions: Iterable[Record]) -> Record:
    """A rule of an Application Load Balancer's listener; priority `default` repeats the default actions."""
    conditions = [] if priority == "default" else [{"Field": "path-pattern", "Values": ["/api/*"]}]
    return {
        "RuleArn": arn,
        "Priority": priority,
        "Conditions": conditions,
        "Actions": list(actions),
        "IsDefault": priority == "default",
    }


def target_group(
    arn: str, name: str, kind: str, vpc_id: str, *, protocol: str | None, port: int | None, balancers: Iterable[str]
) -> Record:
    """A target group; `kind`: instance, ip, alb or lambda (which has neither protocol nor port)."""
    record: Record = {
        "TargetGroupArn": arn,
        "TargetGroupName": name,
        "HealthCheckPort": "traffic-port",
        "HealthCheckProtocol": "TCP",
        "HealthCheckEnabled": True,
        "LoadBalancerArns": list(balancers),
        "TargetType": kind,
        "IpAddressType": "ipv4",
    }
    if protocol is not None:
        record |= {"Protocol": protocol, "Port": port, "VpcId": vpc_id}
    return record


def target_health(target_id: str, port: int | None, zone: str | None = None, state: str = "healthy") -> Record:
    """A row of describe-target-health."""
    target: Record = {"Id": target_id}
    if port is not None:
        target["Port"] = port
    if zone is not None:
        target["AvailabilityZone"] = zone
    return {"Target": target, "HealthCheckPort": str(port or 80), "TargetHealth": {"State": state}}


def attributes(key: str, arn: str, values: Iterable[tuple[str, str]]) -> Record:
    """The wrapper that says whose attributes these are; `key`: LoadBalancerArn or TargetGroupArn."""
    return {key: arn, "Attributes": [{"Key": name, "Value": value} for name, value in values]}


def classic_load_balancer(
    name: str,
    vpc_id: str,
    subnet_ids: Iterable[str],
    listeners: Iterable[tuple[str, int, str, int]],
    instance_ids: Iterable[str],
    groups: Iterable[str],
    *,
    internet_facing: bool,
) -> Record:
    """A Classic Load Balancer; `listeners`: (protocol, port, instance protocol, instance port)."""
    rows = [
        {
            "Listener": {
                "Protocol": protocol,
                "LoadBalancerPort": port,
                "InstanceProtocol": instance_protocol,
                "InstancePort": instance_port,
            },
            "PolicyNames": [],
        }
        for protocol, port, instance_protocol, instance_port in listeners
    ]
    return {
        "LoadBalancerName": name,
        "DNSName": f"{name}.{REGION}.elb.amazonaws.com",
        "ListenerDescriptions": rows,
        "AvailabilityZones": [],
        "Subnets": list(subnet_ids),
        "VPCId": vpc_id,
        "Instances": [{"InstanceId": instance_id} for instance_id in instance_ids],
        "HealthCheck": {"Target": "TCP:80", "Interval": 30},
        "SecurityGroups": list(groups),
        "CreatedTime": CREATED,
        "Scheme": "internet-facing" if internet_facing else "internal",
    }
