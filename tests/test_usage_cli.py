"""`flowcore usage`: what it prints, in every form; exit codes; Terraform addresses; names that are not harmless."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flowcore.cli import main
from flowcore.sources.describe import read_network

DEMO = Path(__file__).parents[1] / "data" / "demo"
SNAPSHOT = str(DEMO / "snapshot")
LOG = str(DEMO / "flow-log.log.gz")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three flows of the demo network."""
    place = tmp_path_factory.mktemp("usage") / "flows.csv"
    place.write_text(
        "srcaddr,dstaddr,srcport,dstport,protocol\n"
        "10.20.10.10,10.20.20.110,40000,5432,6\n10.20.10.10,8.8.8.8,40000,443,6\n10.20.10.10,10.20.20.110,40001,22,6\n"
    )
    return str(place)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["usage", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_has_every_frame_and_csv_every_rule(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = printed(capsys, SNAPSHOT, table, "--format", "json", "--quiet")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert set(document) == {"statuses", "coverage", "rules", "groups", "refused", "undecided", "stages", "interfaces"}
    assert sum(document["statuses"].values()) == len(document["rules"])
    assert document["coverage"]["table_flows"] == 3
    _, out, _ = printed(capsys, SNAPSHOT, table, "--format", "csv", "-q")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [each["rule"] for each in rows] == [each["rule"] for each in document["rules"]]


def test_table_and_markdown_say_what_was_found_and_what_was_not(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = printed(capsys, SNAPSHOT, table)
    assert "rules by status" in out
    assert "3 flows of tables" in out
    assert "69 interfaces" in err
    _, out, _ = printed(capsys, SNAPSHOT, table, "--format", "markdown", "--suggest")
    assert "| status | rules | meaning |" in out.replace("  ", " ") or "status" in out
    assert "suggestions" in out


def test_the_demo_log_is_counted_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "sub" / "rules.parquet"
    code, out, err = printed(capsys, SNAPSHOT, LOG, "-o", str(place), "--fail-on", "redundant,never-hit")
    assert code == 1
    assert "lines could not be read" in out
    assert str(place) in err
    frame = pl.read_parquet(place)
    assert frame["records"].sum() > 50_000
    assert frame.filter(pl.col("status") == "never-hit").height > 0
    code, _, _ = printed(capsys, SNAPSHOT, LOG, "--max-rejected", "0", "-q")
    assert code == 3


@pytest.mark.parametrize(
    "wrong",
    [
        ["--fail-on", "nonsense"],
        ["--stale-days", "-1"],
        ["--max-unknown", "2"],
        ["-o", "rules.csv"],
        ["--terraform", "no-such-file.json"],
        ["--max-rules", "0"],
    ],
)
def test_bad_usage_is_two_with_a_message(table: str, wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = printed(capsys, SNAPSHOT, table, *wrong)
    assert (code, out) == (2, "")
    assert "flowcore: error:" in err
    assert "Traceback" not in err


def resource(address: str, kind: str, **values: Any) -> dict[str, Any]:
    return {"address": address, "mode": "managed", "type": kind, "values": values}


def test_terraform_addresses_of_rules_and_of_what_has_them_inline(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = read_network(SNAPSHOT)
    group = next(iter(network.security_groups.values()))
    first, second = group.rules[:2]
    acl = next(iter(network.network_acls.values()))
    entry = acl.entries[0]
    table_id = next(iter(network.route_tables))
    child = [
        resource("module.a.aws_route.x", "aws_route", route_table_id=table_id, destination_cidr_block="0.0.0.0/0"),
        resource("module.a.aws_route_table.t", "aws_route_table", id=table_id),
        resource("aws_network_acl_rule.r[0]", "aws_network_acl_rule", network_acl_id=acl.network_acl_id,
                 rule_number=entry.rule_number, egress=entry.egress),
        resource("bad", "aws_network_acl_rule", network_acl_id=["x"], rule_number={}),
        resource("worse", "aws_route", route_table_id=[], destination_cidr_block="x"), "nothing", None,
    ]  # fmt: skip
    root = [
        resource("aws_vpc_security_group_ingress_rule.one", "aws_vpc_security_group_ingress_rule",
                 security_group_rule_id=first.rule_id),
        resource("aws_security_group.g", "aws_security_group", id=group.group_id),
        resource("aws_security_group_rule.old", "aws_security_group_rule", security_group_id=second.group_id,
                 type="egress" if second.egress else "ingress",
                 protocol={6: "tcp", 17: "udp", 1: "icmp"}.get(second.protocol, str(second.protocol)),
                 from_port=second.from_port, to_port=second.to_port,
                 cidr_blocks=[str(second.cidr_block)] if second.cidr_block else [],
                 source_security_group_id=second.referenced_group_id,
                 prefix_list_ids=[second.prefix_list_id] if second.prefix_list_id else []),
    ]  # fmt: skip
    state = {"values": {"root_module": {"resources": root, "child_modules": [{"resources": child}, 7]}}}
    for document in (state, {"planned_values": state["values"]}, {"prior_state": state}):
        place = tmp_path / "state.json"
        place.write_text(json.dumps(document))
        _, out, _ = printed(capsys, SNAPSHOT, table, "--terraform", str(place), "--format", "json", "-q")
        rules = {(each["rule"], each["direction"]): each["terraform_address"] for each in json.loads(out)["rules"]}
        assert rules[first.rule_id, "egress" if first.egress else "ingress"].endswith("rule.one")
        assert rules[second.rule_id, "egress" if second.egress else "ingress"].endswith("rule.old")
        assert rules[group.rules[2].rule_id, "egress" if group.rules[2].egress else "ingress"].endswith("group.g")
        way = "egress" if entry.egress else "ingress"
        assert rules[f"{acl.network_acl_id}#{entry.rule_number}", way] == "aws_network_acl_rule.r[0]"
        routes = {address for (rule, _), address in rules.items() if rule.startswith(table_id)}
        assert routes <= {"module.a.aws_route.x", "module.a.aws_route_table.t"}
    place.write_text("[1, 2")
    code, _, err = printed(capsys, SNAPSHOT, table, "--terraform", str(place))
    assert code == 2
    assert "not JSON" in err
    place.write_text('{"serial": 3, "resources": []}')
    assert "terraform show -json" in printed(capsys, SNAPSHOT, table, "--terraform", str(place))[2]


def test_names_that_are_not_harmless_are_made_safe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b[31m<script>|`x`\n# head"
    documents = {
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
        "SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "GroupName": hostile, "IpPermissions": [
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1", "Description": hostile}]}]}],
        "NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": True, "Associations": [],
                         "Tags": [{"Key": "Name", "Value": hostile}], "Entries": []}],
    }  # fmt: skip
    (tmp_path / "all.json").write_text(json.dumps(documents))
    flows = tmp_path / "flows.csv"
    flows.write_text("srcaddr,dstaddr,srcport,dstport,protocol\n10.0.0.5,10.0.0.6,1,2,6\n")
    for form in ("table", "markdown"):
        code, out, err = printed(capsys, str(tmp_path), str(flows), "--format", form)
        assert code == 0, err
        assert "\x1b" not in out
        assert "\n# head" not in out
        assert "<script>" not in out or form == "table"
