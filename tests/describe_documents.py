"""A small described network with every kind of record, and ways to change it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.errors import NetworkError
from flowcore.model import Issue, Network, NetworkInterface

DATA = Path(__file__).parent.parent / "data" / "hybrid-cloud-aws"


def permission(protocol: Any, *remotes: str, **fields: Any) -> dict[str, Any]:
    """An IpPermission with its remotes sorted into AWS's four lists."""
    return {
        "IpProtocol": protocol,
        "IpRanges": [{"CidrIp": r} for r in remotes if "." in r],
        "Ipv6Ranges": [{"CidrIpv6": r} for r in remotes if ":" in r],
        "PrefixListIds": [{"PrefixListId": r} for r in remotes if r.startswith("pl-")],
        "UserIdGroupPairs": [{"GroupId": r} for r in remotes if r.startswith("sg-")],
        **fields,
    }


def everything() -> dict[str, Any]:
    """A small network with one or more records of every kind that is read."""
    return {
        "Vpcs": [
            {
                "VpcId": "vpc-1",
                "CidrBlock": "10.0.0.0/16",
                "CidrBlockAssociationSet": [
                    {"CidrBlock": "10.9.0.0/16", "CidrBlockState": {"State": "associated"}},
                    {"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}},
                    {"CidrBlock": "10.8.0.0/16", "CidrBlockState": {"State": "disassociated"}},
                ],
                "Ipv6CidrBlockAssociationSet": [
                    {"Ipv6CidrBlock": "2001:db8::/56", "Ipv6CidrBlockState": {"State": "associated"}},
                    {"Ipv6CidrBlock": "2001:db9::/56", "Ipv6CidrBlockState": {"State": "failed"}},
                ],
                "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
                "OwnerId": "111122223333",
                "Tags": [{"Key": "Name", "Value": "main"}],
            },
            {"VpcId": "vpc-2", "CidrBlock": "10.1.0.0/16", "IsDefault": True},
        ],
        "Subnets": [
            {
                "SubnetId": "subnet-1",
                "VpcId": "vpc-1",
                "CidrBlock": "10.0.1.0/24",
                "AvailabilityZone": "eu-west-1a",
                "AvailabilityZoneId": "euw1-az2",
                "Ipv6CidrBlockAssociationSet": [
                    {"Ipv6CidrBlock": "2001:db8::/64", "Ipv6CidrBlockState": {"State": "associated"}}
                ],
            },
            {"SubnetId": "subnet-2", "VpcId": "vpc-2", "CidrBlock": "10.1.1.0/24", "AvailabilityZone": "eu-west-1a"},
        ],
        "RouteTables": [
            {
                "RouteTableId": "rtb-1",
                "VpcId": "vpc-1",
                "Associations": [
                    {"Main": True},
                    {"Main": False, "SubnetId": "subnet-1", "AssociationState": {"State": "associated"}},
                    {"Main": False, "SubnetId": "subnet-x", "AssociationState": {"State": "disassociated"}},
                    {"Main": False, "GatewayId": "igw-1"},
                ],
                "Routes": [
                    {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable"},
                    {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"},
                ],
            },
            {"RouteTableId": "rtb-2", "VpcId": "vpc-2", "Associations": [{"Main": True}], "Routes": []},
        ],
        "NetworkAcls": [
            {
                "NetworkAclId": f"acl-{n}",
                "VpcId": f"vpc-{n}",
                "IsDefault": True,
                "Associations": [{"SubnetId": f"subnet-{n}", "NetworkAclId": f"acl-{n}"}],
                "Entries": [
                    {
                        "RuleNumber": 32767,
                        "Egress": True,
                        "Protocol": "-1",
                        "RuleAction": "deny",
                        "CidrBlock": "0.0.0.0/0",
                    },
                    {
                        "RuleNumber": 100,
                        "Egress": True,
                        "Protocol": "-1",
                        "RuleAction": "allow",
                        "CidrBlock": "0.0.0.0/0",
                    },
                    {
                        "RuleNumber": 100,
                        "Egress": False,
                        "Protocol": "6",
                        "RuleAction": "allow",
                        "CidrBlock": "10.0.0.1/8",
                        "PortRange": {"From": 22, "To": 443},
                    },
                    {
                        "RuleNumber": 90,
                        "Egress": False,
                        "Protocol": "58",
                        "RuleAction": "deny",
                        "Ipv6CidrBlock": "::/0",
                        "IcmpTypeCode": {"Type": 128, "Code": -1},
                    },
                ],
            }
            for n in (1, 2)
        ],
        "SecurityGroups": [
            {
                "GroupId": "sg-1",
                "GroupName": "web",
                "VpcId": "vpc-1",
                "OwnerId": "111122223333",
                "IpPermissions": [
                    permission("tcp", "10.0.0.0/8", "::/0", "pl-1", "sg-1", FromPort=443, ToPort=443),
                    permission("icmp", "0.0.0.0/0", FromPort=8, ToPort=-1),
                ],
                "IpPermissionsEgress": [permission("-1", "0.0.0.0/0")],
            }
        ],
        "SecurityGroupRules": [
            {
                "SecurityGroupRuleId": "sgr-1",
                "GroupId": "sg-2",
                "IsEgress": False,
                "IpProtocol": "udp",
                "FromPort": 53,
                "ToPort": 53,
                "CidrIpv4": "10.0.0.0/8",
            },
            {
                "SecurityGroupRuleId": "sgr-2",
                "GroupId": "sg-2",
                "IsEgress": True,
                "IpProtocol": "-1",
                "FromPort": -1,
                "ToPort": -1,
                "ReferencedGroupInfo": {"GroupId": "sg-1", "VpcId": "vpc-1", "PeeringStatus": "active"},
            },
        ],
        "PrefixLists": [{"PrefixListId": "pl-1", "PrefixListName": "office", "AddressFamily": "IPv4", "MaxEntries": 9}],
        "ManagedPrefixListEntries": [{"PrefixListId": "pl-1", "Entries": [{"Cidr": "198.51.100.0/24"}]}],
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": "eni-1",
                "InterfaceType": "interface",
                "VpcId": "vpc-1",
                "SubnetId": "subnet-1",
                "PrivateIpAddress": "10.0.1.10",
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": "10.0.1.10", "Primary": True},
                    {"PrivateIpAddress": "10.0.1.11", "Primary": False, "Association": {"PublicIp": "203.0.113.11"}},
                ],
                "Association": {"PublicIp": "203.0.113.10"},
                "Ipv6Addresses": [{"Ipv6Address": "2001:db8::10"}],
                "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.64/28"}],
                "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:0:0:1::/80"}],
                "Groups": [{"GroupId": "sg-1", "GroupName": "web"}],
                "SourceDestCheck": False,
                "RequesterManaged": False,
                "Status": "in-use",
                "AvailabilityZone": "eu-west-1a",
                "Attachment": {"InstanceId": "i-1"},
                "DenyAllIgwTraffic": True,
                "TagSet": [{"Key": "Name", "Value": "one"}],
            }
        ],
        "Reservations": [
            {
                "Instances": [
                    {
                        "InstanceId": "i-1",
                        "State": {"Name": "running"},
                        "VpcId": "vpc-1",
                        "SubnetId": "subnet-1",
                        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Status": "in-use"}],
                    }
                ]
            }
        ],
        "Addresses": [
            {
                "PublicIp": "203.0.113.10",
                "AllocationId": "eipalloc-1",
                "NetworkInterfaceId": "eni-1",
                "PrivateIpAddress": "10.0.1.10",
            }
        ],
        "InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
        "EgressOnlyInternetGateways": [
            {"EgressOnlyInternetGatewayId": "eigw-1", "Attachments": [{"VpcId": "vpc-1", "State": "attached"}]}
        ],
        "VpnGateways": [{"VpnGatewayId": "vgw-1", "VpcAttachments": [{"VpcId": "vpc-1", "State": "attached"}]}],
        "VpcPeeringConnections": [
            {
                "VpcPeeringConnectionId": "pcx-1",
                "Status": {"Code": "active"},
                "RequesterVpcInfo": {"VpcId": "vpc-1", "Region": "eu-west-1"},
                "AccepterVpcInfo": {"VpcId": "vpc-2", "Region": "eu-west-1"},
            }
        ],
        "VpcBlockPublicAccessOptions": {"AwsRegion": "eu-west-1", "InternetGatewayBlockMode": "off"},
        "VpcBlockPublicAccessExclusions": [
            {
                "ResourceArn": "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-1",
                "InternetGatewayExclusionMode": "allow-egress",
                "State": "create-complete",
            }
        ],
    }


_BALANCING = "arn:aws:elasticloadbalancing:eu-west-1:111122223333"
_ALB = f"{_BALANCING}:loadbalancer/app/web/50dc6c495c0c9188"
_LISTENER = f"{_BALANCING}:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
_GROUP = f"{_BALANCING}:targetgroup/web/73e2d6bc24d8a067"


def _node(number: int, kind: str, description: str, subnet: int = 1) -> dict[str, Any]:
    address = f"10.{subnet - 1}.1.{100 + number}"
    return {
        "NetworkInterfaceId": f"eni-aws-{number}",
        "InterfaceType": kind,
        "VpcId": f"vpc-{subnet}",
        "SubnetId": f"subnet-{subnet}",
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": True}],
        "Groups": [],
        "Description": description,
        "RequesterManaged": True,
        "Status": "in-use",
        "AvailabilityZone": "eu-west-1a",
    }


def between() -> dict[str, Any]:
    """`everything()` with one or more records of every kind that stands between two interfaces; all of it in order."""
    documents = everything()
    nodes = [
        _node(1, "nat_gateway", "Interface for NAT Gateway nat-1"),
        _node(2, "interface", "ELB app/web/50dc6c495c0c9188"),
        _node(3, "load_balancer", "ELB old"),
        _node(4, "gateway_load_balancer_endpoint", "VPC Endpoint Interface vpce-1"),
        _node(5, "transit_gateway", "Network Interface for Transit Gateway Attachment tgw-attach-1"),
    ]
    documents["NetworkInterfaces"] += nodes
    return documents | _gateways() | _transit_gateways() | _load_balancers()


def _gateways() -> dict[str, Any]:
    nat_address = {"NetworkInterfaceId": "eni-aws-1", "PrivateIp": "10.0.1.101", "PublicIp": "203.0.113.50"}
    block = {"CidrBlock": "10.1.0.0/16"}
    return {
        "NatGateways": [
            {
                "NatGatewayId": "nat-1",
                "VpcId": "vpc-1",
                "SubnetId": "subnet-1",
                "State": "available",
                "ConnectivityType": "public",
                "AvailabilityMode": "zonal",
                "NatGatewayAddresses": [nat_address | {"IsPrimary": True, "Status": "succeeded"}],
            }
        ],
        "VpcPeeringConnections": [
            {
                "VpcPeeringConnectionId": "pcx-1",
                "Status": {"Code": "active"},
                "RequesterVpcInfo": {"VpcId": "vpc-1", "Region": "eu-west-1", "CidrBlock": "10.0.0.0/16"},
                "AccepterVpcInfo": {"VpcId": "vpc-2", "Region": "eu-west-1", "CidrBlockSet": [block]},
            }
        ],
        "VpcEndpoints": [
            {
                "VpcEndpointId": "vpce-1",
                "VpcEndpointType": "GatewayLoadBalancer",
                "VpcId": "vpc-1",
                "State": "available",
                "ServiceName": "com.amazonaws.vpce.eu-west-1.vpce-svc-1",
                "RouteTableIds": [],
                "SubnetIds": ["subnet-1"],
                "NetworkInterfaceIds": ["eni-aws-4"],
                "Tags": [{"Key": "AWSNetworkFirewallManaged", "Value": "true"}],
            }
        ],
        "VpnConnections": [
            {
                "VpnConnectionId": "vpn-1",
                "State": "available",
                "TransitGatewayId": "tgw-1",
                "Options": {"StaticRoutesOnly": True},
                "Routes": [{"DestinationCidrBlock": "192.168.0.0/16", "State": "available"}],
            }
        ],
        "SecurityGroupVpcAssociations": [{"GroupId": "sg-1", "VpcId": "vpc-2", "State": "associated"}],
        "FirewallStatus": {"SyncStates": {"eu-west-1a": {"Attachment": {"EndpointId": "vpce-1"}}}},
    }


def _transit_gateways() -> dict[str, Any]:
    table = {"TransitGatewayRouteTableId": "tgw-rtb-1"}
    ends = [("1", "vpc", "vpc-1"), ("2", "vpc", "vpc-2"), ("3", "vpn", "vpn-1")]
    attachments: list[dict[str, Any]] = [
        {
            "TransitGatewayAttachmentId": f"tgw-attach-{number}",
            "TransitGatewayId": "tgw-1",
            "ResourceType": kind,
            "ResourceId": resource,
            "State": "available",
            "Association": {**table, "State": "associated"},
        }
        for number, kind, resource in ends
    ]
    named = [{key: each[key] for key in ("TransitGatewayAttachmentId", "ResourceType")} for each in attachments]
    static = {"DestinationCidrBlock": "172.16.0.0/12", "Type": "static", "State": "active"}
    return {
        "TransitGateways": [
            {"TransitGatewayId": "tgw-1", "State": "available", "Options": {"DefaultRouteTableAssociation": "disable"}},
            {"TransitGatewayId": "tgw-2", "State": "available"},
        ],
        "TransitGatewayAttachments": attachments,
        "TransitGatewayVpcAttachments": [
            {
                "TransitGatewayAttachmentId": f"tgw-attach-{number}",
                "TransitGatewayId": "tgw-1",
                "VpcId": f"vpc-{number}",
                "State": "available",
                "SubnetIds": [f"subnet-{number}"],
                "Options": {"ApplianceModeSupport": "disable", "Ipv6Support": "enable"},
            }
            for number in (1, 2)
        ],
        "TransitGatewayPeeringAttachments": [
            {
                "TransitGatewayAttachmentId": "tgw-attach-4",
                "RequesterTgwInfo": {"TransitGatewayId": "tgw-1"},
                "AccepterTgwInfo": {"TransitGatewayId": "tgw-2"},
                "State": "available",
            }
        ],
        "TransitGatewayRouteTables": [table | {"TransitGatewayId": "tgw-1", "State": "available"}],
        "TransitGatewayStaticRoutes": [
            {**table, "Routes": [static | {"TransitGatewayAttachments": named[2:]}], "AdditionalRoutesAvailable": False}
        ],
        "TransitGatewayPropagations": [
            {**table, "TransitGatewayRouteTablePropagations": [each | {"State": "enabled"} for each in named]}
        ],
        "TransitGatewayAssociations": [{**table, "Associations": [each | {"State": "associated"} for each in named]}],
        "TransitGatewayPrefixListReferences": [
            {
                **table,
                "PrefixListId": "pl-1",
                "State": "available",
                "Blackhole": False,
                "TransitGatewayAttachment": named[0],
            }
        ],
    }


def _load_balancers() -> dict[str, Any]:
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": _GROUP, "Weight": 1}]}}
    listener = {"ListenerArn": _LISTENER, "LoadBalancerArn": _ALB, "Port": 443, "Protocol": "HTTPS"}
    rule = {"RuleArn": _LISTENER.replace(":listener/", ":listener-rule/") + "/1", "Priority": "1", "Actions": [forward]}
    classic = {"Protocol": "TCP", "LoadBalancerPort": 25, "InstanceProtocol": "TCP", "InstancePort": 2525}
    target = {"Id": "i-1", "Port": 8443, "AvailabilityZone": "eu-west-1a"}
    return {
        "LoadBalancers": [
            {
                "LoadBalancerArn": _ALB,
                "LoadBalancerName": "web",
                "Type": "application",
                "Scheme": "internal",
                "VpcId": "vpc-1",
                "State": {"Code": "active"},
                "AvailabilityZones": [{"SubnetId": "subnet-1", "LoadBalancerAddresses": [{"IpAddress": "10.0.1.102"}]}],
                "SecurityGroups": ["sg-1"],
            }
        ],
        "Listeners": [listener | {"DefaultActions": [forward]}],
        "Rules": [rule],
        "LoadBalancerAttributes": [
            {
                "LoadBalancerArn": _ALB,
                "Attributes": [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}],
            },
            {"LoadBalancerName": "old", "LoadBalancerAttributes": {"CrossZoneLoadBalancing": {"Enabled": False}}},
        ],
        "TargetGroups": [
            {
                "TargetGroupArn": _GROUP,
                "TargetGroupName": "web",
                "Protocol": "HTTPS",
                "Port": 443,
                "VpcId": "vpc-1",
                "TargetType": "instance",
                "HealthCheckPort": "traffic-port",
            }
        ],
        "TargetGroupAttributes": [
            {
                "TargetGroupArn": _GROUP,
                "Attributes": [
                    {"Key": "preserve_client_ip.enabled", "Value": "false"},
                    {"Key": "load_balancing.cross_zone.enabled", "Value": "use_load_balancer_configuration"},
                ],
            }
        ],
        "LoadBalancerTargetHealth": [
            {
                "TargetGroupArn": _GROUP,
                "TargetHealthDescriptions": [{"Target": target, "TargetHealth": {"State": "healthy"}}],
            }
        ],
        "LoadBalancerDescriptions": [
            {
                "LoadBalancerName": "old",
                "Scheme": "internal",
                "VPCId": "vpc-1",
                "Subnets": ["subnet-1"],
                "SecurityGroups": ["sg-1"],
                "Instances": [{"InstanceId": "i-1"}],
                "ListenerDescriptions": [{"Listener": classic}],
                "HealthCheck": {"Target": "TCP:2525"},
            }
        ],
    }


def changed(**keys: Any) -> dict[str, Any]:
    """`everything()` with some top-level keys replaced; None removes one."""
    documents = everything() | keys
    return {key: value for key, value in documents.items() if value is not None}


def read(**keys: Any) -> Network:
    return fc.network_from_documents(changed(**keys))


def issues(network: Network, code: str, resource: str | None = None) -> list[Issue]:
    return [issue for issue in network.issues if issue.code == code and resource in (None, issue.resource)]


def one_interface(**fields: Any) -> NetworkInterface:
    interface = everything()["NetworkInterfaces"][0] | fields
    interface = {key: value for key, value in interface.items() if value is not ...}
    return read(NetworkInterfaces=[interface], Addresses=None).interfaces["eni-1"]


def refused(**keys: Any) -> NetworkError:
    with pytest.raises(NetworkError) as caught:
        read(**keys)
    return caught.value


def one_group(*permissions: dict[str, Any]) -> dict[str, Any]:
    group = {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": list(permissions)}
    return {"SecurityGroups": [group], "SecurityGroupRules": None}
