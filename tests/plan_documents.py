"""Plans as Terraform prints them, written by hand, and a small described network for them to change.

VPC vpc-1 10.0.0.0/16 with subnet-pub 10.0.0.0/24, subnet-a 10.0.1.0/24, subnet-b 10.0.2.0/24; eni-web (10.0.1.10,
instance i-web, sg-web), eni-db (10.0.2.20, instance i-db, sg-db), nat-1 in subnet-pub with eni-nat (10.0.0.5) and
eipalloc-nat (52.0.0.5); igw-1; rtb-main (local), rtb-pub (igw-1), rtb-priv (nat-1) for a and b; the default ACL for
all subnets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flowcore as fc
from flowcore.model import Network
from flowcore.sources.terraform import PlannedNetwork, read_plan

PROVIDER = "registry.terraform.io/hashicorp/aws"


# -- plans ------------------------------------------------------------------------------------------------


def change(
    address: str,
    actions: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    unknown: Any = None,
    **more: Any,
) -> dict[str, Any]:
    """One element of resource_changes; `actions` as "create", "delete,create" ..."""
    module, _, rest = address.rpartition("module.") if "module." in address else ("", "", address)
    own = address
    fields: dict[str, Any] = {}
    if module or "module." in address:
        head, _, tail = rest.partition(".aws_")
        module_address = f"{module}module.{head}"
        own = f"aws_{tail}"
        fields["module_address"] = module_address
    kind, _, name = own.partition(".")
    if name.endswith("]"):
        name, _, index = name[:-1].partition("[")
        fields["index"] = json.loads(index)
    return {
        "address": address,
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider_name": PROVIDER,
        **fields,
        **{key: value for key, value in more.items() if key != "importing"},
        "change": {
            "actions": actions.split(","),
            "before": before,
            "after": after,
            "after_unknown": {} if unknown is None else unknown,
            "before_sensitive": False,
            "after_sensitive": {},
            **({"importing": more["importing"]} if "importing" in more else {}),
        },
    }


def refs(*references: str) -> dict[str, Any]:
    """An expression: each reference and what it begins with, longest first, as Terraform lists them."""
    found: dict[str, None] = {}
    for reference in references:
        found[reference] = None
        parts = reference.split(".")
        keep = 4 if parts[0] == "module" and len(parts) > 3 else 3
        while len(parts) > 2 and len(parts) <= keep:
            parts = parts[:-1]
            found[".".join(parts)] = None
    return {"references": list(found)}


def const(value: Any) -> dict[str, Any]:
    return {"constant_value": value}


def configured(address: str, expressions: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """One resource of configuration."""
    kind, _, name = address.partition(".")
    made = {"address": address, "mode": "managed", "type": kind, "name": name, "provider_config_key": "aws"}
    return {**made, "expressions": expressions or {}, "schema_version": 1, **more}


def plan(
    changes: list[dict[str, Any]],
    resources: list[dict[str, Any]] | None = None,
    calls: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    root: dict[str, Any] = {"resources": resources or []}
    if calls:
        root["module_calls"] = calls
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {"root_module": {"resources": [{"address": "aws_vpc.not_read", "values": {"id": 7}}]}},
        "resource_changes": changes,
        "configuration": {"provider_config": {"aws": {"name": "aws"}}, "root_module": root},
        "timestamp": "2026-11-23T00:00:00Z",
        "applyable": True,
        "complete": True,
        "errored": False,
        **more,
    }


def write(folder: Path, document: Any) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps(document))
    return path


def planned(
    folder: Path, changes: list[dict[str, Any]], *args: Any, over: Network | None = None, **more: Any
) -> PlannedNetwork:
    return read_plan(over or network(), write(folder, plan(changes, *args, **more)))


# -- the network ------------------------------------------------------------------------------------------


def rule(rule_id: str, group: str, egress: bool = False, **fields: Any) -> dict[str, Any]:
    ports = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    ports = {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1} if egress else ports
    return {"SecurityGroupRuleId": rule_id, "GroupId": group, "IsEgress": egress, **ports, **fields}


def _interface(name: str, subnet: str, address: str, group: str | None, **more: Any) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": name,
        "VpcId": "vpc-1",
        "SubnetId": subnet,
        "InterfaceType": "interface",
        "Status": "in-use",
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": True}],
        "Groups": [{"GroupId": group}] if group else [],
        "SourceDestCheck": True,
        **more,
    }


def _table(name: str, subnets: list[str], main: bool = False, **target: str) -> dict[str, Any]:
    routes = [
        {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"}
    ]
    if target:
        routes.append({"DestinationCidrBlock": "0.0.0.0/0", "Origin": "CreateRoute", "State": "active", **target})
    associations: list[dict[str, Any]] = [{"Main": True}] if main else []
    associations += [{"Main": False, "SubnetId": subnet} for subnet in subnets]
    return {"RouteTableId": name, "VpcId": "vpc-1", "Routes": routes, "Associations": associations}


def documents() -> dict[str, Any]:
    """The describe answers of the network; change what is needed and read them with `network(documents)`."""
    entries = [
        {"RuleNumber": n, "Egress": out, "Protocol": "-1", "RuleAction": action, "CidrBlock": "0.0.0.0/0"}
        for out in (False, True)
        for n, action in ((100, "allow"), (32767, "deny"))
    ]
    subnets = {"subnet-pub": "10.0.0.0/24", "subnet-a": "10.0.1.0/24", "subnet-b": "10.0.2.0/24"}
    return {
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "OwnerId": "111122223333"}],
        "Subnets": [
            {"SubnetId": name, "VpcId": "vpc-1", "CidrBlock": cidr, "AvailabilityZone": "eu-west-1a"}
            for name, cidr in subnets.items()
        ],
        "InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "available"}]}],
        "RouteTables": [
            _table("rtb-main", [], main=True),
            _table("rtb-pub", ["subnet-pub"], GatewayId="igw-1"),
            _table("rtb-priv", ["subnet-a", "subnet-b"], NatGatewayId="nat-1"),
        ],
        "NetworkAcls": [
            {
                "NetworkAclId": "acl-1",
                "VpcId": "vpc-1",
                "IsDefault": True,
                "Entries": entries,
                "Associations": [{"SubnetId": name} for name in subnets],
            }
        ],
        "SecurityGroups": [
            {"GroupId": group, "VpcId": "vpc-1", "GroupName": name}
            for group, name in (("sg-web", "web"), ("sg-db", "db"), ("sg-default", "default"))
        ],
        "SecurityGroupRules": [
            rule("sgr-web-in", "sg-web", CidrIpv4="0.0.0.0/0"),
            rule("sgr-web-out", "sg-web", egress=True, CidrIpv4="0.0.0.0/0"),
            rule("sgr-db-in", "sg-db", FromPort=5432, ToPort=5432, ReferencedGroupInfo={"GroupId": "sg-web"}),
            rule("sgr-db-out", "sg-db", egress=True, CidrIpv4="0.0.0.0/0"),
            rule(
                "sgr-def-in",
                "sg-default",
                IpProtocol="-1",
                FromPort=-1,
                ToPort=-1,
                ReferencedGroupInfo={"GroupId": "sg-default"},
            ),
            rule("sgr-def-out", "sg-default", egress=True, CidrIpv4="0.0.0.0/0"),
        ],
        "ManagedPrefixListEntries": [{"PrefixListId": "pl-1", "Entries": [{"Cidr": "192.0.2.0/24"}]}],
        "NetworkInterfaces": [
            _interface("eni-web", "subnet-a", "10.0.1.10", "sg-web", Attachment={"InstanceId": "i-web"}),
            _interface("eni-db", "subnet-b", "10.0.2.20", "sg-db", Attachment={"InstanceId": "i-db"}),
            _interface("eni-nat", "subnet-pub", "10.0.0.5", None, InterfaceType="nat_gateway", RequesterManaged=True),
        ],
        "Instances": [
            {"InstanceId": f"i-{name}", "State": {"Name": "running"}, "VpcId": "vpc-1", "SubnetId": subnet}
            | {"NetworkInterfaces": [{"NetworkInterfaceId": f"eni-{name}"}]}
            for name, subnet in (("web", "subnet-a"), ("db", "subnet-b"))
        ],
        "NatGateways": [
            {
                "NatGatewayId": "nat-1",
                "VpcId": "vpc-1",
                "SubnetId": "subnet-pub",
                "State": "available",
                "ConnectivityType": "public",
                "NatGatewayAddresses": [
                    {
                        "AllocationId": "eipalloc-nat",
                        "NetworkInterfaceId": "eni-nat",
                        "PrivateIp": "10.0.0.5",
                        "PublicIp": "52.0.0.5",
                        "IsPrimary": True,
                        "Status": "succeeded",
                    }
                ],
            }
        ],
        "Addresses": [
            {
                "PublicIp": "52.0.0.5",
                "AllocationId": "eipalloc-nat",
                "NetworkInterfaceId": "eni-nat",
                "PrivateIpAddress": "10.0.0.5",
            },
            {"PublicIp": "52.0.0.9", "AllocationId": "eipalloc-free"},
        ],
    }


def network(described: dict[str, Any] | None = None) -> Network:
    return fc.network_from_documents([("eu-west-1/network.json", described or documents())])


def ask(over: Network, source: str, destination: str, port: int = 443, protocol: str = "tcp") -> tuple[str, str | None]:
    """Verdict and reason of one flow by the slow twin."""
    flow = {"srcaddr": source, "dstaddr": destination, "srcport": 50000, "dstport": port, "protocol": protocol}
    path = fc.explain(over, flow)
    return path.verdict, path.reason
