"""`flowcore diff` end to end: snapshots, plans and edits, logs and tables, every form, every exit code."""

from __future__ import annotations

import csv
import gzip
import json
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import flowcore as fc
from flowcore import compile_network, network_from_documents, read_network, synthetic
from flowcore.analyses.diff import RecordChanges, diff
from flowcore.analyses.diff_input import FlowInput, read_after
from flowcore.cli import main
from flowcore.digest import digest_logs
from flowcore.errors import InputError

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """before/, flows of the region, and a plan and edits that remove the rule which most of the flows use."""
    place = tmp_path_factory.mktemp("diff")
    documents = synthetic.network_documents(3, interfaces=40, groups=12, acls=4, subnets=12)
    synthetic.write_snapshot(documents, place / "before")
    before = read_network(place / "before")
    flows = synthetic.traffic(before, 400, 3)
    judged = compile_network(before).evaluate(flows).filter(pl.col("verdict") == "ACCEPT")
    rule = judged["dst_sg_rule"].drop_nulls().cast(pl.String).mode().sort()[0]
    (place / "edits.json").write_text(json.dumps({"edits": [{"edit": "remove rule", "rule": rule}]}))
    flows.with_columns(bytes=pl.lit(1000, pl.Int64), start=pl.lit(1_793_491_080, pl.Int64)).write_parquet(
        place / "flows.parquet"
    )
    (place / "rule.txt").write_text(rule)
    (place / "plan.json").write_text(json.dumps(plan_that_deletes(rule, before)))
    return place


def plan_that_deletes(rule_id: str, before: Any) -> dict[str, Any]:
    rule = next(each for group in before.security_groups.values() for each in group.rules if each.rule_id == rule_id)
    values = {
        "id": rule_id,
        "security_group_rule_id": rule_id,
        "security_group_id": rule.group_id,
        "ip_protocol": {6: "tcp", 17: "udp", 1: "icmp"}.get(rule.protocol, str(rule.protocol)),
        "from_port": rule.from_port,
        "to_port": rule.to_port,
        "cidr_ipv4": str(rule.cidr_block) if rule.cidr_block and rule.cidr_block.version == 4 else None,
        "cidr_ipv6": str(rule.cidr_block) if rule.cidr_block and rule.cidr_block.version == 6 else None,
        "prefix_list_id": rule.prefix_list_id,
        "referenced_security_group_id": rule.referenced_group_id,
    }
    kind = "egress" if rule.egress else "ingress"
    address = f"module.web.aws_vpc_security_group_{kind}_rule.gone"
    change = {"actions": ["delete"], "before": values, "after": None, "after_unknown": {}}
    resource = {
        "address": address, "module_address": "module.web", "mode": "managed", "name": "gone",
        "type": f"aws_vpc_security_group_{kind}_rule", "change": change,
        "provider_name": "registry.terraform.io/hashicorp/aws",
    }  # fmt: skip
    return {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": [resource], "complete": True,
            "configuration": {"root_module": {}}}  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["diff", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def paths(folder: Path, after: str = "edits.json") -> tuple[Path, Path, Path]:
    return folder / "before", folder / after, folder / "flows.parquet"


# -- verdicts of two runs ------------------------------------------------------------------------------


def evaluated(folder: Path, out: Path, after: str | None, *flows: object) -> Path:
    """What `flowcore evaluate` writes of the network before, or after the change."""
    network = read_network(folder / "before")
    if after is not None:
        network = read_after(network, folder / after).network
    fc.evaluate_logs(fc.compile_network(network), [str(each) for each in flows], out)
    return out


def test_verdicts_of_two_runs_are_compared_as_they_are(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flows = folder / "flows.parquet"
    before, after = (evaluated(folder, tmp_path / str(each), each, flows) for each in (None, "edits.json"))
    code, out, _ = run(capsys, before, after, "--format", "json")
    told = json.loads(out)
    judged = json.loads(run(capsys, *paths(folder), "--format", "json")[1])
    assert code == 1
    for category in ("broken", "opened", "unknown"):
        assert told["counts"][category] == judged["counts"][category]
    assert told["basis"]["after_kind"] == "verdicts"
    assert any("which change" in note for note in told["basis"]["notes"])
    single = next(after.rglob("*.parquet"))
    assert run(capsys, single, single)[0] == 0
    for form in ("table", "csv", "markdown", "github", "html"):
        assert run(capsys, before, after, "--format", form, "-o", tmp_path / "rows.parquet")[0] == 1
    assert pl.read_parquet(tmp_path / "rows.parquet").height == sum(
        count for category, count in told["counts"].items() if category != "unchanged"
    )


def test_verdicts_of_records_are_shown_from_the_end_that_opened(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = pl.read_parquet(folder / "flows.parquet").row(0, named=True)
    ends = {"srcaddr": flow["srcaddr"], "dstaddr": flow["dstaddr"], "srcport": 50000, "dstport": 443, "protocol": 6}
    verdicts = {"verdict": ["ACCEPT", "ACCEPT"], "initiator": ["source-by-port", "destination-by-port"]}
    reply = {**ends, "srcaddr": ends["dstaddr"], "dstaddr": ends["srcaddr"], "srcport": 443, "dstport": 50000}
    frame = pl.DataFrame([ends, reply]).with_columns(**{name: pl.Series(each) for name, each in verdicts.items()})
    frame.write_parquet(tmp_path / "before.parquet")
    frame.with_columns(verdict=pl.lit("REJECT")).write_parquet(tmp_path / "after.parquet")
    run(capsys, tmp_path / "before.parquet", tmp_path / "after.parquet", "-o", tmp_path / "rows.parquet")
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    assert rows.select(list(ends)).unique().rows() == [tuple(ends.values())]


@pytest.mark.parametrize("wrong", ["flows", "exhaustive", "snapshot", "other rows", "no parquet"])
def test_verdicts_go_with_verdicts_of_the_same_flows_only(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    frame = pl.DataFrame({"srcaddr": ["10.0.0.1"], "dstaddr": ["10.0.0.2"], "verdict": ["ACCEPT"]})
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    frame.write_parquet(one)
    pl.concat([frame, frame]).write_parquet(other)
    (tmp_path / "text.parquet").write_text("no parquet")
    words: dict[str, list[object]] = {
        "flows": [one, one, folder / "flows.parquet"],
        "exhaustive": [one, one, "--exhaustive"],
        "snapshot": [one, folder / "before"],
        "other rows": [one, other],
        "no parquet": [one, tmp_path / "text.parquet"],
    }
    code, out, err = run(capsys, *words[wrong])
    assert (code, out) == (2, "")
    assert "error" in err


# -- AFTER of every kind -------------------------------------------------------------------------------


def test_edits_break_flows_and_each_edit_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *paths(folder), "--format", "json")
    told = json.loads(out)
    assert code == 1
    assert told["counts"]["broken"] > 0
    assert told["basis"]["after_kind"] == "edits"
    rule = (folder / "rule.txt").read_text()
    assert all(rule in " ".join(group["changes"]) for group in told["groups"])
    assert "edits" in err


def test_a_plan_gives_the_address_of_the_resource(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *paths(folder, "plan.json"), "--format", "json")
    told = json.loads(out)
    assert (code, told["basis"]["after_kind"]) == (1, "plan")
    names = {tuple(group["changes"]) for group in told["groups"]}
    assert len(names) == 1
    ((name,),) = names
    assert name.startswith("module.web.aws_vpc_security_group_")
    assert {tuple(group["details"]) for group in told["groups"]} == {("delete",)}


def test_plan_edits_and_snapshot_break_the_same_flows(folder: Path) -> None:
    before = read_network(folder / "before")
    flows = pl.read_parquet(folder / "flows.parquet")
    found = [
        diff(before, after.network, flows, changes=after.changes)
        for after in (read_after(before, folder / name) for name in ("plan.json", "edits.json"))
    ]
    edited = read_after(before, folder / "edits.json").network
    found.append(diff(before, edited, flows, changes=RecordChanges(before, edited)))
    columns = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "category", "when"]
    assert found[0].flows.select(columns).equals(found[1].flows.select(columns))
    assert found[0].flows.select(columns).equals(found[2].flows.select(columns))
    assert found[0].broken.height


def test_a_snapshot_is_compared_record_by_record(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = synthetic.network_documents(3, interfaces=40, groups=12, acls=4, subnets=12)
    for table in documents["RouteTables"]:
        table["Routes"] = [r for r in table["Routes"] if r.get("DestinationCidrBlock") != "0.0.0.0/0"]
    synthetic.write_snapshot(documents, tmp_path / "after")
    code, out, _ = run(capsys, folder / "before", tmp_path / "after", folder / "flows.parquet", "--format", "json")
    assert code == 1
    causes = [name for group in json.loads(out)["groups"] if group["category"] == "broken" for name in group["changes"]]
    assert causes
    assert all("route 0.0.0.0/0 removed" in name for name in causes)


def test_the_same_snapshot_breaks_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, folder / "before", folder / "before", folder / "flows.parquet")
    assert code == 0
    assert "nothing broken, opened or unknown of 400 flows" in out


def test_a_zipped_plan_is_a_plan(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "plan.json.gz"
    place.write_bytes(gzip.compress((folder / "plan.json").read_bytes()))
    assert read_after(read_network(folder / "before"), place).kind == "plan"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_plan_and_edits_with_a_byte_order_mark_are_what_they_are(folder: Path, tmp_path: Path, encoding: str) -> None:
    before = read_network(folder / "before")
    for name in ("plan", "edits"):
        text = (folder / f"{name}.json").read_text()
        place = tmp_path / f"{name}.json"
        place.write_bytes((("\ufeff" if encoding == "utf-16-be" else "") + text).encode(encoding))
        read = read_after(before, place)
        assert (read.kind, read.network) == (name, read_after(before, folder / f"{name}.json").network)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("plan.out", b"PK\x03\x04" + bytes(60), ["a plan file, not its JSON", "terraform show -json"]),
        ("log.json", b'{"@level":"info"}\n{"@level":"info"}\n', ["terraform plan -json", "terraform show -json"]),
        ("wrapped.json", b"[command]/usr/bin/terraform show -json x\n{}\n", ["wrapper", "terraform_wrapper: false"]),
        ("wrapped.json", b"{}\n::debug::Terraform exited with code 0.\n", ["wrapper", "terraform_wrapper: false"]),
        (
            "cut.json",
            b'{"format_version": "1.2", "resource_ch',
            ["a Terraform plan, a file of edits, or what describe"],
        ),
        ("plan.txt", b"Terraform will perform the following actions:", ["not JSON", "terraform show -json"]),
        ("list.json", b'[{"edit": "detach gateway"}]', ["not a JSON object", "a file of edits"]),
        ("more.json", b'{"edits": [], "comment": "x"}', ["not a file of edits", "one key"]),
    ],
)
def test_what_is_almost_a_plan_or_edits_is_told_what_it_is(
    folder: Path, tmp_path: Path, name: str, data: bytes, words: list[str]
) -> None:
    place = tmp_path / name
    place.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_after(read_network(folder / "before"), place)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"resource_changes": 7}', '{"edits": 7}', "\x00\xff", '{"Vpcs": 7}'])
def test_an_after_that_is_nothing_is_bad_input(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    place = tmp_path / "after.json"
    place.write_text(text, encoding="latin-1")
    code, out, err = run(capsys, folder / "before", place, folder / "flows.parquet")
    assert (code, out) == (2, "")
    assert "flowcore: error:" in err


# -- flows ---------------------------------------------------------------------------------------------


def test_logs_are_folded_to_conversations_seen_from_either_end() -> None:
    network = network_from_documents(synthetic.demo_documents())
    found = FlowInput((str(ROOT / "data" / "demo" / "flow-log.log.gz"),), compile_network(network))
    (flows,) = found.batches()
    key = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "src_interface_id"]
    assert flows.select(key).is_duplicated().sum() == 0
    assert flows["records"].sum() + found.unjudged <= found.counts.records
    assert flows.height < found.counts.records
    assert flows["first"].min() <= flows["last"].max()
    own = {str(o.address) for interface in network.interfaces.values() for o in interface.addresses}
    both = flows.filter(pl.col("srcaddr").is_in(list(own)), pl.col("dstaddr").is_in(list(own)))
    assert both.height > 100
    assert both["src_interface_id"].null_count() < 0.2 * both.height


def test_a_digest_gives_what_its_logs_give(tmp_path: Path) -> None:
    evaluator = compile_network(network_from_documents(synthetic.demo_documents()))
    log, place = str(ROOT / "data" / "demo" / "flow-log.log.gz"), tmp_path / "digest.parquet"
    digest_logs((log,), place)
    names = ["srcaddr", "dstaddr", "srcport", "dstport", "protocol", "src_interface_id"]
    whole, folded = (next(iter(FlowInput((str(each),), evaluator).batches())).sort(names) for each in (log, place))
    assert folded.select(sorted(folded.columns)).equals(whole.select(sorted(whole.columns)))
    assert whole["bytes"].sum() > 0


@pytest.mark.parametrize("most", [1, 1000])
def test_folding_in_steps_changes_nothing(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    evaluator = compile_network(network_from_documents(synthetic.demo_documents()))
    log = str(ROOT / "data" / "demo" / "flow-log.log.gz")
    (whole,) = FlowInput((log,), evaluator).batches()
    monkeypatch.setattr("flowcore.analyses.diff_input._FOLD_ROWS", most)
    (parts,) = FlowInput((log, log), evaluator).batches()
    assert parts.equals(whole)


# -- forms and files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown", "github", "html"])
def test_every_form_is_printed(folder: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    code, out, _ = run(capsys, *paths(folder), "--format", form, "--quiet")
    assert code == 1
    assert "broken" in out
    assert "flowcore explain" in out


def test_examples_run_in_explain(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, *paths(folder), "--format", "json")
    examples = [line for group in json.loads(out)["groups"] for line in group["examples"]]
    assert examples
    for line in examples:
        words = shlex.split(line)
        assert words[0] == "flowcore"
        assert main([*words[1:], "--format", "json", "--quiet"]) == 0
        path = json.loads(capsys.readouterr().out)
        assert path["verdict"] in ("ACCEPT", "REJECT")


def test_rows_and_report_are_written(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in ("parquet", "csv", "json"):
        place = tmp_path / "new" / f"flows.{suffix}"
        run(capsys, *paths(folder), "-o", place, "--html", tmp_path / "new" / "report.html")
        rows = {
            "parquet": lambda p: pl.read_parquet(p).height,
            "csv": lambda p: len(list(csv.DictReader(p.open()))),
            "json": lambda p: len(json.loads(p.read_text())),
        }[suffix](place)
        assert rows > 0
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_exhaustive_needs_no_flows(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = [{"edit": "remove rule", "rule": (folder / "rule.txt").read_text()}]
    (tmp_path / "edits.json").write_text(json.dumps({"edits": two}))
    small = synthetic.network_documents(3, interfaces=6, groups=4, acls=4, subnets=4, vpcs=1)
    synthetic.write_snapshot(small, tmp_path / "before")
    for table in small["RouteTables"]:
        table["Routes"] = [r for r in table["Routes"] if r.get("DestinationCidrBlock") != "0.0.0.0/0"]
    synthetic.write_snapshot(small, tmp_path / "after")
    arguments = [tmp_path / "before", tmp_path / "after", "--exhaustive", "--limit", 10**9]
    code, out, _ = run(capsys, *arguments, "--format", "json", "--html", tmp_path / "boxes.html")
    boxes = json.loads(out)["boxes"]
    assert code == (1 if any(box["category"] == "broken" for box in boxes) else 0)
    assert boxes
    assert "10." in (tmp_path / "boxes.html").read_text()
    for form in ("table", "csv", "markdown", "github"):
        assert boxes[0]["protocols"] in run(capsys, *arguments, "--format", form)[1]
    code, out, err = run(capsys, *arguments[:3], "--limit", 10)
    assert (code, out) == (2, "")
    assert "too many combinations" in err


# -- exit codes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "json", "markdown", "github", "html"])
@pytest.mark.parametrize("with_flows", [True, False])
def test_a_partial_plan_does_not_say_that_nothing_breaks(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, with_flows: bool
) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    place = tmp_path / "plan.json"
    place.write_text(json.dumps({**plan, "resource_changes": [], "errored": True}))
    how = [folder / "flows.parquet"] if with_flows else ["--exhaustive", "--limit", str(10**12)]
    code, out, _ = run(capsys, folder / "before", place, *how, "--format", form, "--quiet")
    assert code == 0
    assert "planning ended with an error" in out.partition("<details>")[0]
    if form != "json":
        assert "by what the plan tells; 1 warning" in out
        assert "✓" not in out


def test_fail_on_names_what_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *paths(folder), "--fail-on", "none")[0] == 0
    assert run(capsys, *paths(folder), "--fail-on", "opened,unknown")[0] == 0
    assert run(capsys, *paths(folder), "--fail-on", "opened, broken")[0] == 1


def test_too_much_undecided_is_incomplete_but_findings_come_first(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = pl.read_parquet(folder / "flows.parquet").with_columns(dstaddr=pl.lit("no address"))
    strange.write_parquet(tmp_path / "strange.parquet")
    before = folder / "before"
    code, _, err = run(capsys, before, before, tmp_path / "strange.parquet", "--max-unknown", 0.5)
    assert (code, "UNKNOWN" in err) == (3, True)
    assert run(capsys, before, before, tmp_path / "strange.parquet")[0] == 0
    assert run(capsys, *paths(folder), tmp_path / "strange.parquet", "--max-unknown", 0)[0] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fail-on", "broke"], "no such category"),
        (["--fail-on", ""], "no such category"),
        (["--max-unknown", "2"], "not a share"),
        (["--exhaustive"], "give flows, or --exhaustive"),
        (["-o", "out.xlsx"], "not known by its suffix"),
        (["--format", "pdf"], "format"),
    ],
)
def test_bad_usage_is_two(folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str) -> None:
    code, out, err = run(capsys, *paths(folder), *options)
    assert (code, out) == (2, "")
    assert words in err


def test_no_flows_is_bad_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *paths(folder)[:2])[0] == 2


def test_read_after_of_a_folder_that_is_not_there(folder: Path) -> None:
    with pytest.raises(InputError):
        read_after(read_network(folder / "before"), folder / "nothing")
