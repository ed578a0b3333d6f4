"""`--nat-instance` of the commands that read a network: what no description says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowcore.cli import main

ALL = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


def _route(destination: str, **target: str) -> dict[str, Any]:
    return {"DestinationCidrBlock": destination, "Origin": "CreateRoute", "State": "active", **target}


def _table(subnet: str, **target: str) -> dict[str, Any]:
    routes = [_route("10.0.0.0/16", GatewayId="local"), _route("0.0.0.0/0", **target)]
    return {"RouteTableId": f"rtb-{subnet}", "VpcId": "vpc-1", "Routes": routes, "Associations": [{"SubnetId": subnet}]}


def _interface(name: str, subnet: str, address: str, **fields: Any) -> dict[str, Any]:
    own = {"NetworkInterfaceId": name, "VpcId": "vpc-1", "SubnetId": subnet, "PrivateIpAddress": address}
    return {**own, "Groups": [{"GroupId": "sg-1"}], "Status": "in-use", **fields}


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A private subnet whose way out is an instance (i-2, eni-2) in a public one."""
    entries = [
        {"RuleNumber": 100, "Egress": out, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
        for out in (False, True)
    ]
    box = {"SourceDestCheck": False, "Association": {"PublicIp": "198.51.100.7"}}
    documents = {
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [
            {
                "SubnetId": f"subnet-{n}",
                "VpcId": "vpc-1",
                "CidrBlock": f"10.0.{n}.0/24",
                "AvailabilityZone": "eu-west-1a",
            }
            for n in (1, 2)
        ],
        "RouteTables": [_table("subnet-1", NetworkInterfaceId="eni-2"), _table("subnet-2", GatewayId="igw-1")],
        "NetworkAcls": [
            {"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": True, "Associations": [], "Entries": entries}
        ],
        "SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": ALL, "IpPermissionsEgress": ALL}],
        "NetworkInterfaces": [
            _interface("eni-1", "subnet-1", "10.0.1.10"),
            _interface("eni-2", "subnet-2", "10.0.2.10", **box),
        ],
        "Instances": [{"InstanceId": "i-2", "VpcId": "vpc-1", "NetworkInterfaces": [{"NetworkInterfaceId": "eni-2"}]}],
        "InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-1", "State": "attached"}]}],
    }
    (tmp_path / "network.json").write_text(json.dumps(documents))
    return tmp_path


def _verdict(snapshot: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    ends = ("--from", "eni-1", "--to", "192.0.2.1", "--port", "443", "--format", "json", "-q")
    assert main(["explain", str(snapshot), *ends, *options]) == 0
    return str(json.loads(capsys.readouterr().out)["verdict"])


@pytest.mark.parametrize("name", ["eni-2", "i-2"])
def test_rt17_explain_with_a_nat_instance(snapshot: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verdict(snapshot, capsys) == "UNKNOWN"
    assert _verdict(snapshot, capsys, "--nat-instance", name) == "ACCEPT"
    assert _verdict(snapshot, capsys, "--nat-instance", "eni-1", "--nat-instance", name) == "ACCEPT"


@pytest.mark.parametrize("command", [["issues"], ["explain", "--from", "eni-1", "--to", "internet", "--port", "443"]])
def test_a_nat_instance_that_is_not_described(
    snapshot: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command[0], str(snapshot), *command[1:], "--nat-instance", "eni-2"]) == 0
    assert main([command[0], str(snapshot), *command[1:], "--nat-instance", "eni-9"]) == 2
    assert "not a NAT instance of this network" in capsys.readouterr().err
