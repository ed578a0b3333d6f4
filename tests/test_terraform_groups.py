"""Plans that take groups from interfaces: none that has groups is ever left without (SG-63, EP-03)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_documents import _interface, ask, change, configured, const, documents, network, planned
from test_terraform_between import LB, balanced

from flowcore.model import Network
from flowcore.sources.terraform import PlannedNetwork

SSH = ("10.0.1.10", "10.0.2.20", 22)


def attached(group: str, actions: str = "delete", name: str = "x") -> dict[str, Any]:
    values = {"id": f"{group}_eni-db", "network_interface_id": "eni-db", "security_group_id": group}
    sides = (None, values) if actions == "create" else (values, None)
    return change(f"aws_network_interface_sg_attachment.{name}", actions, *sides)


def conflicts(done: PlannedNetwork) -> list[str]:
    return [issue.resource for issue in done.issues if issue.code == "conflict"]


def test_sg63_the_last_group_of_an_interface_stays(tmp_path: Path) -> None:
    done = planned(tmp_path, [attached("sg-db")])
    assert done.network.interfaces["eni-db"].group_ids == ("sg-db",)
    assert conflicts(done) == ["aws_network_interface_sg_attachment.x"]
    assert ask(done.network, *SSH) == ("REJECT", "ENI_SG_RULES_MISMATCH")


def test_sg63_a_group_in_place_of_the_last_one_is_no_conflict(tmp_path: Path) -> None:
    done = planned(tmp_path, [attached("sg-db"), attached("sg-web", "create", "y")])
    assert done.network.interfaces["eni-db"].group_ids == ("sg-web",)
    assert not conflicts(done)


def test_sg63_which_of_several_groups_stays_is_not_known(tmp_path: Path) -> None:
    described = documents()
    described["NetworkInterfaces"][1]["Groups"].append({"GroupId": "sg-web"})
    done = planned(tmp_path, [attached("sg-db"), attached("sg-web", name="y")], over=network(described))
    assert done.network.interfaces["eni-db"].group_ids is None
    assert len(conflicts(done)) == 1
    assert ask(done.network, *SSH)[0] == "UNKNOWN"


def test_sg63_an_interface_that_goes_takes_its_groups_along(tmp_path: Path) -> None:
    gone = change("aws_network_interface.db", "delete", {"id": "eni-db"})
    done = planned(tmp_path, [attached("sg-db"), gone])
    assert "eni-db" not in done.network.interfaces
    assert not conflicts(done)


def test_sg63_an_instance_without_groups_keeps_them(tmp_path: Path) -> None:
    before = {"id": "i-db", "vpc_security_group_ids": ["sg-db"]}
    emptied = change("aws_instance.db", "update", before, {**before, "vpc_security_group_ids": []})
    done = planned(tmp_path, [emptied], [configured("aws_instance.db", {"vpc_security_group_ids": const([])})])
    assert done.network.interfaces["eni-db"].group_ids == ("sg-db",)
    assert conflicts(done) == ["aws_instance.db"]


# -- endpoints --------------------------------------------------------------------------------------------


def with_endpoint(*groups: str) -> Network:
    described = documents()
    described["VpcEndpoints"] = [
        {
            "VpcEndpointId": "vpce-1",
            "VpcEndpointType": "Interface",
            "VpcId": "vpc-1",
            "ServiceName": "com.amazonaws.eu-west-1.ssm",
            "State": "available",
            "SubnetIds": ["subnet-b"],
            "NetworkInterfaceIds": ["eni-ep"],
            "Groups": [{"GroupId": group} for group in groups],
            "RouteTableIds": [],
        }
    ]
    made = _interface("eni-ep", "subnet-b", "10.0.2.77", None, InterfaceType="vpc_endpoint", RequesterManaged=True)
    described["NetworkInterfaces"].append({**made, "Groups": [{"GroupId": group} for group in groups]})
    return network(described)


def association(actions: str, group: str, replaces: bool, name: str = "a") -> dict[str, Any]:
    values = {"vpc_endpoint_id": "vpce-1", "security_group_id": group, "replace_default_association": replaces}
    sides = (None, values) if actions == "create" else ({"id": "x", **values}, None)
    return change(f"aws_vpc_endpoint_security_group_association.{name}", actions, *sides)


@pytest.mark.parametrize(
    ("there", "changes", "left", "warned"),
    [
        (["sg-db"], [association("delete", "sg-db", False)], ("sg-default",), True),
        (["sg-db"], [association("delete", "sg-db", True)], ("sg-default",), False),
        (["sg-default"], [association("create", "sg-web", True)], ("sg-web",), False),
        (["sg-default"], [association("create", "sg-web", False)], ("sg-default", "sg-web"), False),
        (
            ["sg-db"],
            [association("delete", "sg-db", False), association("create", "sg-web", False, "b")],
            ("sg-web",),
            False,
        ),
    ],
)
def test_ep03_an_endpoint_falls_back_to_the_default_group_and_gives_it_up(
    tmp_path: Path, there: list[str], changes: list[dict[str, Any]], left: tuple[str, ...], warned: bool
) -> None:
    done = planned(tmp_path, changes, over=with_endpoint(*there))
    assert done.network.interfaces["eni-ep"].group_ids == left
    assert bool(conflicts(done)) == warned
    https = ask(done.network, "10.0.1.10", "10.0.2.77")[0]
    assert https == ("ACCEPT" if "sg-web" in left else "REJECT")


def test_ep03_a_default_group_that_is_not_described_is_not_guessed(tmp_path: Path) -> None:
    described = with_endpoint("sg-web")
    without = {key: group for key, group in described.security_groups.items() if key != "sg-default"}
    over = type(described)(**{**vars(described), "security_groups": without})
    done = planned(tmp_path, [association("create", "sg-db", True)], over=over)
    assert done.network.interfaces["eni-ep"].group_ids is None
    assert any(issue.code == "known-after-apply" for issue in done.issues)


def test_lb01_a_load_balancer_keeps_its_groups(tmp_path: Path) -> None:
    over = network(balanced())
    before = {"id": LB, "security_groups": ["sg-web"]}
    emptied = change("aws_lb.web", "update", before, {**before, "security_groups": []})
    done = planned(tmp_path, [emptied], [configured("aws_lb.web", {"security_groups": const([])})], over=over)
    assert done.network.load_balancers == dict(over.load_balancers)
    assert conflicts(done) == ["aws_lb.web"]
