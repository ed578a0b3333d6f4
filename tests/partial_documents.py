"""A network of two subnets that lets everything through, and what both writings say of a flow in it."""

from __future__ import annotations

from typing import Any

import polars as pl

import flowcore as fc
from flowcore.model import Network

BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/web/50dc6c495c0c9188"
LISTENER = BALANCER.replace("loadbalancer/", "listener/") + "/f2f7dc8efc522ab2"
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/73e2d6bc24d8a067"

A, B, FAR, OUTSIDE = "10.0.1.10", "10.0.2.10", "10.2.1.10", "192.0.2.1"
ALL = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def permission(**remotes: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **remotes}


def acl(name: str, *subnets: str, default: bool = False, action: str = "allow") -> dict[str, Any]:
    entries = [
        {"RuleNumber": 100, "Egress": egress, "Protocol": "-1", "RuleAction": action, "CidrBlock": "0.0.0.0/0"}
        for egress in (False, True)
    ]
    associations = [{"SubnetId": each} for each in subnets]
    found = {"NetworkAclId": name, "VpcId": "vpc-1", "IsDefault": default}
    return {**found, "Entries": entries, "Associations": associations}


def table(name: str, *associations: dict[str, Any], **default_target: str) -> dict[str, Any]:
    routes = [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable"}]
    if default_target:
        routes.append({"DestinationCidrBlock": "0.0.0.0/0", "State": "active", **default_target})
    return {"RouteTableId": name, "VpcId": "vpc-1", "Routes": routes, "Associations": list(associations)}


def group(**fields: Any) -> dict[str, Any]:
    return {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [ALL], "IpPermissionsEgress": [ALL], **fields}


def row(name: str, egress: bool, **fields: Any) -> dict[str, Any]:
    found = {"SecurityGroupRuleId": name, "GroupId": "sg-1", "IsEgress": egress, "IpProtocol": "-1"}
    return {**found, "CidrIpv4": "0.0.0.0/0", **fields}


def interface(name: str, subnet: str, address: str, **fields: Any) -> dict[str, Any]:
    found = {"NetworkInterfaceId": name, "VpcId": "vpc-1", "SubnetId": subnet, "PrivateIpAddress": address}
    return {**found, "Status": "in-use", "Groups": [{"GroupId": "sg-1"}], **fields}


def documents(**changes: Any) -> dict[str, Any]:
    """eni-1 (A, with a public address) in subnet-1, eni-2 (B) in subnet-2; None leaves a key out."""
    subnets = [("subnet-1", "10.0.1.0/24"), ("subnet-2", "10.0.2.0/24")]
    found = {
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [
            {"SubnetId": name, "VpcId": "vpc-1", "CidrBlock": cidr, "AvailabilityZone": "eu-west-1a"}
            for name, cidr in subnets
        ],
        "RouteTables": [
            table("rtb-main", {"Main": True}),
            table("rtb-public", {"SubnetId": "subnet-1"}, GatewayId="igw-1"),
        ],
        "NetworkAcls": [acl("acl-1", "subnet-1", "subnet-2", default=True)],
        "SecurityGroups": [group()],
        "NetworkInterfaces": [
            interface("eni-1", "subnet-1", A, Association={"PublicIp": "198.51.100.10"}),
            interface("eni-2", "subnet-2", B),
        ],
        "InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
    }
    return {key: value for key, value in (found | changes).items() if value is not None}


def balanced(**changes: Any) -> dict[str, Any]:
    """The same with an Application Load Balancer in subnet-1 that listens at 443 and sends to eni-2."""
    forward = [{"Type": "forward", "TargetGroupArn": GROUP}]
    node = interface(
        "eni-3", "subnet-1", "10.0.1.20", RequesterManaged=True, Description=f"ELB {BALANCER.split('loadbalancer/')[1]}"
    )
    found = documents(
        LoadBalancers=[
            {
                "LoadBalancerArn": BALANCER,
                "LoadBalancerName": "web",
                "Type": "application",
                "VpcId": "vpc-1",
                "State": {"Code": "active"},
                "AvailabilityZones": [{"SubnetId": "subnet-1"}],
            }
        ],
        Listeners=[
            {
                "ListenerArn": LISTENER,
                "LoadBalancerArn": BALANCER,
                "Port": 443,
                "Protocol": "HTTPS",
                "DefaultActions": forward,
            }
        ],
        LoadBalancerRules=[
            {"ListenerArn": LISTENER, "Rules": [{"Priority": "default", "Conditions": [], "Actions": forward}]}
        ],
        TargetGroups=[
            {
                "TargetGroupArn": GROUP,
                "TargetType": "ip",
                "Protocol": "HTTP",
                "Port": 8080,
                "VpcId": "vpc-1",
            }
        ],
        LoadBalancerTargetHealth=[
            {"TargetGroupArn": GROUP, "TargetHealthDescriptions": [{"Target": {"Id": B, "Port": 8080}}]}
        ],
    )
    found["NetworkInterfaces"].append(node)
    return {key: value for key, value in (found | changes).items() if value is not None}


def transit(**changes: Any) -> dict[str, Any]:
    """The same with eni-4 (FAR) in vpc-2, by a transit gateway; eni-2's table is the main one, and leads there."""
    found = documents()
    own = {"VpcId": "vpc-2"}
    main = table("rtb-main", {"Main": True})
    back = table("rtb-2", {"Main": True}) | own
    main["Routes"].append({"DestinationCidrBlock": "10.2.0.0/16", "TransitGatewayId": "tgw-1", "State": "active"})
    back["Routes"] = [{"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1", "State": "active"}]
    found["Vpcs"].append(own | {"CidrBlock": "10.2.0.0/16"})
    found["Subnets"].append({**found["Subnets"][0], **own, "SubnetId": "subnet-3", "CidrBlock": "10.2.1.0/24"})
    found["RouteTables"] = [main, back]
    found["NetworkAcls"].append(acl("acl-2", "subnet-3", default=True) | own)
    found["SecurityGroups"].append(group(GroupId="sg-2", **own))
    found["NetworkInterfaces"].append(interface("eni-4", "subnet-3", FAR, Groups=[{"GroupId": "sg-2"}]) | own)
    ends = [("tgw-attach-1", "vpc-1", "subnet-2"), ("tgw-attach-2", "vpc-2", "subnet-3")]
    of_table = {"TransitGatewayRouteTableId": "tgw-rtb-1"}
    for name, vpc, subnet in ends:
        plain = {"TransitGatewayAttachmentId": name, "TransitGatewayId": "tgw-1", "State": "available"}
        resource = {"ResourceType": "vpc", "ResourceId": vpc, "Association": of_table}
        found.setdefault("TransitGatewayAttachments", []).append(plain | resource)
        found.setdefault("TransitGatewayVpcAttachments", []).append(plain | {"VpcId": vpc, "SubnetIds": [subnet]})
    found["TransitGateways"] = [{"TransitGatewayId": "tgw-1", "State": "available"}]
    found["TransitGatewayRouteTables"] = [of_table | {"TransitGatewayId": "tgw-1"}]
    found["TransitGatewayRoutes"] = [
        {
            **of_table,
            "Routes": [
                {
                    "DestinationCidrBlock": cidr,
                    "Type": "propagated",
                    "State": "active",
                    "TransitGatewayAttachments": [{"TransitGatewayAttachmentId": name, "ResourceType": "vpc"}],
                }
                for cidr, (name, _, _) in zip(("10.0.0.0/16", "10.2.0.0/16"), ends, strict=True)
            ],
        }
    ]
    return {key: value for key, value in (found | changes).items() if value is not None}


def judged(network: Network, source: str = A, destination: str = B, port: int = 443) -> tuple[str, str | None]:
    """Verdict and reason of a flow: what the twin and the compiled network both say."""
    flow = {"srcaddr": source, "dstaddr": destination, "srcport": 50000, "dstport": port, "protocol": 6}
    slow = fc.explain(network, flow).columns()
    fast = fc.compile_network(network).evaluate(pl.DataFrame([flow])).row(0, named=True)
    assert {key: fast[key] for key in slow} == slow
    return slow["verdict"], slow["reason"]


def in_files(described: dict[str, Any], **files: dict[str, Any]) -> Network:
    """The network of documents of which those of some keys stand in files of their own; `__` in a name is a slash."""
    taken = {key for content in files.values() for key in content}
    rest = {key: value for key, value in described.items() if key not in taken}
    named = [(f"{name.replace('__', '/')}.json", content) for name, content in files.items()]
    return fc.network_from_documents([("rest.json", rest), *named])
