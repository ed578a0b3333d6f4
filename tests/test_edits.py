"""Edits: functions from a network to a new one, and a file of the same; strict, named, each undone by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plan_documents import ask, documents, network

import flowcore as fc
from flowcore import edits
from flowcore.edits_file import EDITS
from flowcore.model import Network

NET = network()


def routes_of(over: Network, table: str) -> dict[str, tuple[str, str, bool]]:
    return {str(r.destination): (r.target_kind, r.target_id, r.blackhole) for r in over.route_tables[table].routes}


def write(folder: Path, document: Any, name: str = "edits.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


# -- each edit and its opposite ---------------------------------------------------------------------------


def test_sg05_a_rule_is_added_replaced_and_removed() -> None:
    added = edits.add_rule(NET, "sg-web", direction="ingress", protocol="tcp", ports="8000-8080", cidr="10.0.2.0/24")
    made = "sg-web:in:tcp:8000-8080:10.0.2.0/24"
    assert ask(NET, "10.0.2.20", "10.0.1.10", 8080) == ("REJECT", "ENI_SG_RULES_MISMATCH")
    assert ask(added, "10.0.2.20", "10.0.1.10", 8080)[0] == "ACCEPT"
    assert ask(edits.replace_rule(added, made, ports=8000), "10.0.2.20", "10.0.1.10", 8080)[0] == "REJECT"
    assert edits.remove_rule(added, made) == NET
    assert network() == NET, "the network itself stays as it is"
    moved = edits.replace_rule(NET, "sgr-db-in", cidr="10.0.9.0/24")
    (rule,) = [r for r in moved.security_groups["sg-db"].rules if r.rule_id == "sgr-db-in"]
    assert (str(rule.cidr_block), rule.referenced_group_id, rule.from_port) == ("10.0.9.0/24", None, 5432)


def test_sg11_icmp_rules_have_types() -> None:
    added = edits.add_rule(NET, "sg-web", direction="egress", protocol="icmp", icmp_type=8, source_group="sg-db")
    (rule,) = [r for r in added.security_groups["sg-web"].rules if r.protocol == 1]
    assert (rule.egress, rule.from_port, rule.to_port, rule.referenced_group_id) == (True, 8, None, "sg-db")


def test_sg20_members_of_groups() -> None:
    added = edits.add_member(NET, "sg-db", "eni-web")
    assert added.interfaces["eni-web"].group_ids == ("sg-web", "sg-db")
    assert edits.remove_member(added, "sg-db", "eni-web") == NET


def test_na02_entries_of_an_acl() -> None:
    denied = edits.add_entry(
        NET, "acl-1", direction="ingress", number=50, action="deny", protocol="tcp", ports=5432, cidr="10.0.1.0/24"
    )
    assert ask(denied, "10.0.1.10", "10.0.2.20", 5432) == ("REJECT", "SUBNET_ACL_RESTRICTION")
    opened = edits.replace_entry(denied, "acl-1", direction="ingress", number=50, action="allow", cidr="0.0.0.0/0")
    assert ask(opened, "10.0.1.10", "10.0.2.20", 5432)[0] == "ACCEPT"
    assert edits.remove_entry(denied, "acl-1", direction="ingress", number=50) == NET


def test_rt04_routes() -> None:
    added = edits.add_route(NET, "rtb-priv", "8.8.0.0/16", "igw-1")
    assert routes_of(added, "rtb-priv")["8.8.0.0/16"] == ("internet-gateway", "igw-1", False)
    assert edits.remove_route(added, "rtb-priv", "8.8.0.0/16") == NET
    replaced = edits.replace_route(NET, "rtb-priv", "0.0.0.0/0", "eni-web")
    assert routes_of(replaced, "rtb-priv")["0.0.0.0/0"] == ("network-interface", "eni-web", False)
    assert edits.replace_route(NET, "rtb-priv", "0.0.0.0/0", "i-web") == replaced, "a route to an instance (RT-16)"
    around = edits.add_route(NET, "rtb-pub", "10.0.0.0/16", "eni-web")
    assert routes_of(around, "rtb-pub")["10.0.0.0/16"][0] == "network-interface"
    assert edits.remove_route(around, "rtb-pub", "10.0.0.0/16") == NET, "the local route comes back (RT-09)"
    listed = edits.add_route(NET, "rtb-priv", "pl-1", "nat-1")
    assert routes_of(listed, "rtb-priv")["pl-1"] == ("nat-gateway", "nat-1", False)


def test_rt01_associations() -> None:
    moved = edits.associate_table(NET, "rtb-pub", subnet="subnet-a")
    table = moved.route_table_of("subnet-a", "vpc-1")
    assert table is not None
    assert table.route_table_id == "rtb-pub"
    assert edits.associate_table(moved, "rtb-priv", subnet="subnet-a") == NET
    main = edits.associate_table(NET, None, subnet="subnet-a").route_table_of("subnet-a", "vpc-1")
    assert main is not None
    assert main.route_table_id == "rtb-main"
    edge = edits.associate_table(NET, "rtb-main", gateway="igw-1")
    assert edge.route_tables["rtb-main"].gateway_ids == ("igw-1",)


def test_na01_a_subnet_moves_to_another_acl() -> None:
    described = documents()
    described["NetworkAcls"].append({"NetworkAclId": "acl-2", "VpcId": "vpc-1", "Entries": []})
    over = network(described)
    moved = edits.associate_acl(over, "acl-2", "subnet-a")
    assert (moved.network_acls["acl-1"].subnet_ids, moved.network_acls["acl-2"].subnet_ids) == (
        ("subnet-b", "subnet-pub"),
        ("subnet-a",),
    )


def test_rt13_gateways_come_and_go() -> None:
    detached = edits.detach_gateway(NET, "igw-1")
    assert routes_of(detached, "rtb-pub")["0.0.0.0/0"][2]
    assert edits.attach_gateway(detached, "igw-1", "vpc-1") == NET
    made = edits.attach_gateway(NET, "eigw-new", "vpc-1")
    assert made.egress_only_internet_gateways["eigw-new"].vpc_ids == ("vpc-1",)
    gone = edits.remove_gateway(NET, "nat-1")
    assert "eni-nat" not in gone.interfaces
    assert routes_of(gone, "rtb-priv")["0.0.0.0/0"] == ("nat-gateway", "nat-1", True)


def test_ng06_a_new_nat_gateway_is_used_by_a_route() -> None:
    added = edits.add_nat_gateway(NET, "nat-2", "subnet-pub")
    done = edits.replace_route(added, "rtb-priv", "0.0.0.0/0", "nat-2")
    assert done.nat_gateways["nat-2"].addresses[0].private_address is not None
    assert routes_of(done, "rtb-priv")["0.0.0.0/0"][1] == "nat-2"


def test_ep01_a_gateway_endpoint_is_a_route_in_its_tables() -> None:
    described = documents()
    service = "com.amazonaws.eu-west-1.s3"
    described["PrefixLists"] = [{"PrefixListId": "pl-s3", "PrefixListName": service, "Cidrs": ["52.218.0.0/17"]}]
    over = network(described)
    done = edits.add_gateway_endpoint(over, "vpce-1", "vpc-1", service=service, tables=("rtb-priv",))
    assert routes_of(done, "rtb-priv")["pl-s3"] == ("gateway-endpoint", "vpce-1", False)
    assert edits.remove_gateway(done, "vpce-1") == over
    with pytest.raises(fc.NetworkError, match="prefix list of the service is not described"):
        edits.add_gateway_endpoint(NET, "vpce-1", "vpc-1", service=service, tables=("rtb-priv",))


# -- files ------------------------------------------------------------------------------------------------

EDITS_FILE = {
    "edits": [
        {"edit": "remove rule", "rule": "sgr-web-in", "name": "close https"},
        {
            "edit": "add rule",
            "group": "sg-web",
            "direction": "ingress",
            "protocol": "tcp",
            "ports": 8443,
            "cidr": "10.0.0.0/8",
        },
        {"edit": "replace route", "table": "rtb-priv", "destination": "0.0.0.0/0", "target": "igw-1"},
    ]
}
TOML = """
[[edits]]
edit = "remove rule"
rule = "sgr-web-in"
name = "close https"

[[edits]]
edit = "add rule"
group = "sg-web"
direction = "ingress"
protocol = "tcp"
ports = 8443
cidr = "10.0.0.0/8"

[[edits]]
edit = "replace route"
table = "rtb-priv"
destination = "0.0.0.0/0"
target = "igw-1"
"""


def test_a_file_is_json_or_toml(tmp_path: Path) -> None:
    expected = edits.remove_rule(NET, "sgr-web-in")
    expected = edits.add_rule(expected, "sg-web", direction="ingress", protocol="tcp", ports=8443, cidr="10.0.0.0/8")
    expected = edits.replace_route(expected, "rtb-priv", "0.0.0.0/0", "igw-1")
    assert edits.apply_edits(NET, write(tmp_path, EDITS_FILE)) == expected
    assert edits.apply_edits(NET, write(tmp_path, TOML, "edits.toml")) == expected


def test_changes_have_names_and_each_is_undone_by_itself(tmp_path: Path) -> None:
    path = write(tmp_path, EDITS_FILE)
    done = edits.read_edits(NET, path)
    assert done.names == (
        "close https",
        "add rule sg-web ingress tcp 8443 10.0.0.0/8",
        "replace route rtb-priv 0.0.0.0/0 igw-1",
    )
    assert [change.rules for change in done.changes] == [
        ("sgr-web-in",),
        ("sg-web:in:tcp:8443-8443:10.0.0.0/8",),
        ("rtb-priv 0.0.0.0/0",),
    ]
    assert [change.action for change in done.changes] == ["delete", "create", "update"]
    assert done.changes[1].source == f"{path}: $.edits[1]"
    for i in range(3):
        rest = {"edits": EDITS_FILE["edits"][:i] + EDITS_FILE["edits"][i + 1 :]}
        assert done.network_without({done.names[i]}) == edits.apply_edits(NET, write(tmp_path, rest, "rest.json"))
    assert done.network_without(done.names) == NET


def test_an_edit_that_needs_an_undone_one_is_left_out() -> None:
    done = edits.edit_network(
        NET,
        [
            edits.AddNatGateway(gateway="nat-2", subnet="subnet-pub"),
            edits.ReplaceRoute(table="rtb-priv", destination="0.0.0.0/0", target="nat-2"),
        ],
    )
    assert done.network_without({done.names[0]}) == NET


def test_two_edits_of_one_name_are_told_apart() -> None:
    both = [edits.RemoveRule(rule="sgr-web-in", name="x"), edits.RemoveRule(rule="sgr-db-in", name="x")]
    assert edits.edit_network(NET, both).names == ("x", "x (2)")


@pytest.mark.parametrize(
    ("edit", "parts"),
    [
        ({"edit": "drop rule"}, ["$.edits[0].edit", "'drop rule'", "remove rule"]),
        ("remove rule", ["$.edits[0]", "one of"]),
        ({"edit": "remove rule"}, ["$.edits[0]", "rule"]),
        ({"edit": "remove rule", "rule": 5}, ["$.edits[0].rule", "found 5", "str"]),
        ({"edit": "remove rule", "rule": "sgr-web-in", "extra": 1}, ["$.edits[0]", "extra"]),
        ({"edit": "remove rule", "rule": "sgr-wbe-in"}, ["$.edits[0].rule", "'sgr-wbe-in'", "did you mean sgr-web-in"]),
        (
            {"edit": "add rule", "group": "sg-web", "direction": "in", "protocol": "tcp", "cidr": "::/0"},
            ["direction", "'in'"],
        ),
        ({"edit": "add rule", "group": "sg-web", "direction": "ingress", "protocol": "tcp"}, ["exactly one of cidr"]),
        (
            {"edit": "add rule", "group": "sg-web", "direction": "ingress", "protocol": "gre", "cidr": "::/0"},
            ["protocol", "'gre'"],
        ),
        (
            {
                "edit": "add rule",
                "group": "sg-web",
                "direction": "ingress",
                "protocol": "tcp",
                "ports": "9-7",
                "cidr": "::/0",
            },
            ["ports", "'9-7'"],
        ),
        (
            {
                "edit": "add rule",
                "group": "sg-web",
                "direction": "ingress",
                "protocol": "icmp",
                "ports": 7,
                "cidr": "::/0",
            },
            ["ports", "tcp and udp only"],
        ),
        (
            {
                "edit": "add rule",
                "group": "sg-web",
                "direction": "ingress",
                "protocol": "tcp",
                "ports": 443,
                "cidr": "0.0.0.0/0",
            },
            ["has this rule already"],
        ),
        (
            {
                "edit": "add entry",
                "acl": "acl-1",
                "direction": "ingress",
                "number": 100,
                "action": "allow",
                "cidr": "::/0",
            },
            ["number", "found 100"],
        ),
        ({"edit": "remove entry", "acl": "acl-1", "direction": "ingress", "number": 32767}, ["number", "32767"]),
        (
            {"edit": "add route", "table": "rtb-priv", "destination": "0.0.0.0/0", "target": "igw-1"},
            ["has a route to it"],
        ),
        (
            {"edit": "add route", "table": "rtb-priv", "destination": "8.0.0.0/8", "target": "nat-7"},
            ["target", "'nat-7'", "nat-1"],
        ),
        (
            {"edit": "add route", "table": "rtb-priv", "destination": "8.0.0.0/8", "target": "x"},
            ["target", "'x'", "eni-"],
        ),
        ({"edit": "replace rule", "rule": "sgr-db-in", "source_group": "sg-webb"}, ["source_group", "sg-web"]),
        ({"edit": "replace rule", "rule": "sgr-db-in", "prefix_list": "pl-2"}, ["prefix_list", "pl-1"]),
        ({"edit": "remove route", "table": "rtb-priv", "destination": "7.0.0.0/8"}, ["destination", "'7.0.0.0/8'"]),
        ({"edit": "remove route", "table": "rtb-priv", "destination": "10.0.0.0/16"}, ["local route cannot go"]),
        ({"edit": "remove route", "table": "rtb-priv", "destination": "10.0.0.0/33"}, ["destination", "a CIDR"]),
        ({"edit": "associate table", "table": "rtb-pub"}, ["exactly one of subnet, gateway"]),
        ({"edit": "attach gateway", "gateway": "igw-2", "vpc": "vpc-1"}, ["has igw-1 already"]),
        ({"edit": "remove gateway", "gateway": "eni-web"}, ["cannot be removed"]),
    ],
)
def test_bad_edits_say_where_what_and_what_would_do(tmp_path: Path, edit: Any, parts: list[str]) -> None:
    path = write(tmp_path, {"edits": [edit]})
    with pytest.raises(fc.NetworkError) as caught:
        edits.apply_edits(NET, path)
    assert str(path) in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"edits": {}}', '{"edits": [], "more": 1}', "[" * 5000])
def test_what_is_no_file_of_edits_is_an_input_error(tmp_path: Path, text: str) -> None:
    for name in ("edits.json", "edits.toml"):
        if name == "edits.toml" and text in ("", "[]"):
            continue
        with pytest.raises(fc.NetworkError, match=r"edits\.(json|toml)"):
            edits.apply_edits(NET, write(tmp_path, text, name))


def test_every_edit_is_documented() -> None:
    text = (Path(__file__).parents[1] / "docs" / "edits.md").read_text(encoding="utf-8")
    for verb in EDITS:
        assert f"`{verb}`" in text


def test_sg63_the_last_group_cannot_be_taken_from_an_interface() -> None:
    with pytest.raises(fc.NetworkError, match="last group"):
        edits.remove_member(NET, "sg-db", "eni-db")
    both = edits.add_member(NET, "sg-web", "eni-db")
    assert edits.remove_member(both, "sg-db", "eni-db").interfaces["eni-db"].group_ids == ("sg-web",)


def test_groups_that_are_not_described_are_not_taken_for_none() -> None:
    described = documents()
    del described["NetworkInterfaces"][1]["Groups"]
    over = network(described)
    assert over.interfaces["eni-db"].group_ids is None
    with pytest.raises(fc.NetworkError, match="not described"):
        edits.add_member(over, "sg-web", "eni-db")
