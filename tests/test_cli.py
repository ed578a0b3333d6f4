"""The command line: what is printed where, exit codes, start-up, and that nothing of a file reaches a terminal raw."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import flowcore
from flowcore import interpreted, report, report_layout, schema, synthetic
from flowcore.cli import COMMANDS, main
from flowcore.model import Issue
from flowcore.pipeline import Summary, Tally
from flowcore.pipeline_summary import Disagreement
from flowcore.sources.parquetpages import FilePages
from flowcore.synthetic_demo import demo_documents

ROOT = Path(__file__).parents[1]
EVIL = "\x1b[2J\x9b31m\u202e[red]|<b>`x"
HEAVY = ("numba", "polars", "pyarrow", "numpy", "rich")


def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m flowcore …` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "flowcore", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


def loaded(*arguments: str) -> set[str]:
    """The heavy libraries that a command has imported when it is done."""
    code = (
        "import sys\nfrom flowcore.cli import main\n"
        f"code = main({list(arguments)!r})\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1].replace("'", '"')))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small region in good order."""
    folder = tmp_path_factory.mktemp("region") / "snapshot"
    synthetic.write_snapshot(synthetic.network_documents(3, interfaces=40, groups=12, acls=4, subnets=12), folder)
    return folder


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same region with a hostile top-level key, hostile tags, and a reference to nothing."""
    folder = tmp_path_factory.mktemp("evil")
    documents = synthetic.network_documents(3, interfaces=40, groups=12, acls=4, subnets=12)
    for interface in documents["NetworkInterfaces"]:
        interface["TagSet"] = [{"Key": "Name", "Value": EVIL}]
        interface["Groups"] = [{"GroupId": "sg-[red]|<b>`x", "GroupName": EVIL}]
    synthetic.write_snapshot({**documents, f"Key{EVIL}": []}, folder)
    return folder


def is_clean(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


# -- start-up and usage --------------------------------------------------------------------------------


def test_version_goes_to_stdout_and_loads_nothing() -> None:
    done = run("--version")
    assert (done.stdout, done.stderr, done.returncode) == (f"{flowcore.__version__}\n", "", 0)
    assert loaded("--version") == set()


def test_help_lists_every_command_and_loads_no_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)
    assert not loaded("--help") & {"numba", "polars", "pyarrow", "numpy"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_documentation(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"Usage: flowcore {command}" in capsys.readouterr().out
    documentation = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"## flowcore {command}" in documentation
    assert COMMANDS[command]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "--help"])
    options = {word.rstrip(",") for word in capsys.readouterr().out.split() if word.startswith("--")}
    documentation = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    common, section = documentation.split("\n## flowcore demo")[0], documentation.split(f"\n## flowcore {command}\n")[1]
    words = set((common + section.split("\n## ")[0]).translate(str.maketrans("`[]():,;.|", " " * 10)).split())
    assert not {option.rstrip(".") for option in options} - {"--help", "--version", "--quiet"} - words


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["issues"],
        ["issues", "x", "--format", "nope"],
        ["issues", "x", "--no-such-option"],
        ["synth"],
    ],
)
def test_bad_usage_is_two_with_a_message_and_nothing_on_stdout(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "flowcore: error:" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [["issues"], ["explain", "--from", "10.0.0.1", "--to", "internet", "--protocol", "tcp"]]
)
def test_a_missing_network_is_two_without_a_traceback(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([arguments[0], str(tmp_path / "nothing\x1b[31m"), *arguments[1:]]) == 2
    err = capsys.readouterr().err
    assert r"nothing\x1b[31m" in err
    assert "Traceback" not in err
    assert is_clean(err)


def test_a_defect_has_a_code_of_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(flowcore, "read_network", broken, raising=False)
    assert main(["issues", "x"]) == 70
    assert "RuntimeError: boom" in capsys.readouterr().err


def test_an_interrupt_is_130_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(flowcore, "read_network", interrupted, raising=False)
    assert main(["issues", "x"]) == 130
    assert capsys.readouterr().err == "flowcore: interrupted\n"


# -- issues --------------------------------------------------------------------------------------------


def test_issues_of_a_network_in_good_order(snapshot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["issues", str(snapshot), "--severity", "error", "--fail-on", "error"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "40 interfaces" in err


def test_issues_in_every_format(evil: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {}
    for form in ("table", "json", "csv", "markdown"):
        assert main(["issues", str(evil), "--format", form]) == 0
        texts[form] = capsys.readouterr().out
        assert is_clean(texts[form]), form
    rows = json.loads(texts["json"])
    assert any("sg-[red]|<b>`x" in row["message"] + row["resource"] for row in rows)
    assert [row["severity"] for row in csv.DictReader(io.StringIO(texts["csv"]))] == [row["severity"] for row in rows]
    assert "sg-[red]|<b>`x" in texts["table"]
    assert "<b>" not in texts["markdown"]
    assert texts["markdown"].count("\n") == len(rows) + 2


def test_issues_can_fail_a_pipeline(evil: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["issues", str(evil), "--fail-on", "warning", "-q"]) == 1
    assert capsys.readouterr().err == ""


def test_a_closed_pipe_is_silent_and_keeps_the_exit_code(evil: Path) -> None:
    for extra, code in ([], 0), (["--fail-on", "warning"], 1):
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "flowcore", "issues", str(evil), "-q", *extra]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, env=environment)
        os.close(writing)
        assert (done.stderr, done.returncode) == ("", code)


def test_no_colour_where_none_is_wanted(evil: Path) -> None:
    assert "\x1b[" in run("issues", str(evil), FORCE_COLOR="1", TERM="xterm").stdout
    assert "\x1b[" not in run("issues", str(evil), TERM="xterm").stdout
    coloured = run("issues", str(evil), FORCE_COLOR="1", NO_COLOR="1", TERM="xterm").stdout
    assert "\x1b[3" not in coloured


# -- synth ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [["--interfaces", "30"], ["--edges"]])
def test_synth_makes_the_same_files_for_the_same_seed(
    extra: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        assert main(["synth", str(tmp_path / name), "--seed", "5", "--flows", "200", "-q", *extra]) == 0
    assert capsys.readouterr().out.split() == [
        str(tmp_path / name / part) for name in ("a", "b") for part in ("snapshot", "flows.parquet")
    ]
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 5
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_synth_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    assert main(["synth", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_synth_says_which_options_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", str(tmp_path / "out"), "--edges", "--interfaces", "5"]) == 2
    assert "--interfaces" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# -- explain -------------------------------------------------------------------------------------------

BLOCKED = ("--from", "tag:Name=job-1", "--to", "tag:Name=db-1", "--port", "5432", "--source-port", "61234")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled example, whose data tier's network ACL forgets the source ports above 60999."""
    folder = tmp_path_factory.mktemp("shop")
    synthetic.write_snapshot(demo_documents(), folder)
    return folder


def test_explain_loads_no_kernels_and_no_tables(shop: Path) -> None:
    assert loaded("explain", str(shop), *BLOCKED) == {"rich"}
    assert loaded("explain", str(shop), *BLOCKED, "--format", "json") == set()


def test_explain_says_what_stops_the_flow_and_where(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(shop), *BLOCKED]) == 0
    out, err = capsys.readouterr()
    assert "REJECT: gets through, but the reply does not" in out
    assert report.REASON_TEXTS["SUBNET_ACL_RESTRICTION"] in out
    assert "reply-destination-network-acl" in out
    assert "tcp 10.20.10.110:61234 -> 10.20.20.110:5432" in out
    assert "69 interfaces" in err
    assert "\x1b" not in out


def test_explain_as_json_is_the_path_itself(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(shop), *BLOCKED, "--format", "json", "-q"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    told = json.loads(out)
    network = flowcore.read_network(shop)
    path = flowcore.explain(network, told["flow"])
    assert told == json.loads(json.dumps(path.to_dict()))
    assert (told["verdict"], told["forward"], told["reply"]) == ("REJECT", "ACCEPT", "REJECT")


def test_explain_as_markdown(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(shop), *BLOCKED, "--format", "markdown", "-q"]) == 0
    out = capsys.readouterr().out
    assert out.count("| outcome | stage | decided by |\n|---|---|---|") == 2
    assert "SUBNET_ACL_RESTRICTION" in out


def test_explain_as_mermaid(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(shop), *BLOCKED, "--format", "mermaid", "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "flowchart LR"
    assert lines.count("  end") == sum("subgraph" in line for line in lines) == 2
    nodes = {
        line.split("[")[0].strip()
        for line in lines
        if '["' in line and "subgraph" not in line and "verdict" not in line
    }
    hops = flowcore.explain(flowcore.read_network(shop), blocked_flow()).hops
    assert len(nodes) == len(hops)
    assert [line for line in lines if line.endswith(" deny")] == ["  class r1 deny"]


def blocked_flow() -> dict[str, object]:
    ends = {"srcaddr": "10.20.10.110", "dstaddr": "10.20.20.110"}
    return {**ends, "srcport": 61234, "dstport": 5432, "protocol": "tcp"}


WALK = Path(__file__).parents[1] / "data" / "walk"
SHOP = ("--from", "internet", "--to", "shop", "--port", "443", "--limit", "1", "-q")


@pytest.fixture(scope="module")
def unhealthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled walk, with health checks on a port that no group lets in."""
    folder = tmp_path_factory.mktemp("unhealthy") / "walk"
    shutil.copytree(WALK, folder)
    (path,) = folder.rglob("elbv2-describe-target-groups.json")
    path.write_text(path.read_text().replace('"HealthCheckPort": "traffic-port"', '"HealthCheckPort": "9999"'))
    return folder


def twins(tmp_path: Path) -> str:
    """Two VPCs of one CIDR, each with a client and a server of the same addresses."""
    interfaces, subnets, vpcs = [], [], []
    for color in ("blue", "green"):
        vpcs.append({"VpcId": f"vpc-{color}", "CidrBlock": "10.0.0.0/16"})
        for number, name in ((1, "client"), (2, "server")):
            subnet_id, host = f"subnet-{color}-{number}", f"10.0.{number}.5"
            subnets.append({"SubnetId": subnet_id, "VpcId": f"vpc-{color}", "CidrBlock": f"10.0.{number}.0/24"})
            own = {"NetworkInterfaceId": f"eni-{color}-{name}", "SubnetId": subnet_id, "VpcId": f"vpc-{color}"}
            addresses = [{"PrivateIpAddress": host, "Primary": True}]
            tags = [{"Key": "Role", "Value": name}]
            interfaces.append(own | {"PrivateIpAddresses": addresses, "TagSet": tags})
    for key, rows in (("Vpcs", vpcs), ("Subnets", subnets), ("NetworkInterfaces", interfaces)):
        (tmp_path / f"{key}.json").write_text(json.dumps({key: rows}))
    return str(tmp_path)


@pytest.mark.parametrize("form", ["table", "json", "markdown", "mermaid"])
def test_explain_does_not_show_another_interface_under_the_name_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    folder = twins(tmp_path)
    ends = ["--from", "eni-blue-client", "--port", "443", "--format", form, "-q"]
    assert main(["explain", folder, *ends, "--to", "eni-green-server"]) == 2
    said = capsys.readouterr()
    assert "does not come to eni-green-server: seen from vpc-blue, 10.0.2.5 is eni-blue-server" in said.err
    assert said.out == ""
    assert main(["explain", folder, *ends, "--to", "tag:Role=server"]) == 0
    said = capsys.readouterr()
    assert "not shown: the packet does not come to eni-green-server" in said.err
    assert "eni-green-server" not in said.out


def test_explain_lists_the_targets_behind_a_load_balancer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(WALK), *SHOP]) == 0
    out = capsys.readouterr().out
    assert "Targets: 2 of 2 are reached" in out
    assert "now tcp 10.0.0.11:1024-65535 -> 10.0.1.20:8080" in out  # AL-02
    assert "HEALTH_CHECK_BLOCKED" not in out
    assert main(["explain", str(WALK), *SHOP, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(target["address"], target["reply"], target["chosen"]) for target in told["behind"]] == [
        ("10.0.1.20", "ACCEPT", True),
        ("10.0.11.20", "ACCEPT", False),
    ]
    assert (told["targets"], told["reachable_targets"], told["warnings"]) == (2, 2, [])
    assert main(["explain", str(WALK), *SHOP, "--format", "mermaid"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert '  subgraph targets["Targets: 2 of 2 are reached"]' in lines
    assert sum("10.0.0.11:1024-65535 -#62; 10.0.1.20:8080" in line for line in lines) == 1  # an edge's label


def test_lb06_health_checks_that_cannot_work_are_warned_of(unhealthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "markdown", "mermaid", "json"):
        assert main(["explain", str(unhealthy), *SHOP, "--format", form]) == 0
        out = capsys.readouterr().out.replace("\\", "").replace("#95;", "_")
        assert "ACCEPT" in out
        assert "HEALTH_CHECK_BLOCKED" in out
    assert main(["issues", str(unhealthy), "--format", "json", "--fail-on", "warning"]) == 1
    issues = json.loads(capsys.readouterr().out)
    assert {issue["code"] for issue in issues} == {"health-check-blocked"}


def test_several_ends_are_counted(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["explain", str(shop), "--from", "10.20.10.0/24", "--to", "tag:Name=db-1", "--port", "5432"]
    assert main([*arguments, "--format", "json", "--limit", "3"]) == 0
    out, err = capsys.readouterr()
    paths = json.loads(out)
    assert len({path["src_interface"] for path in paths}) == 3
    assert "3 of 16 pairs of ends shown" in err


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--from", "tag:Name=nobody", "--to", "internet", "--port", "1"], "tag"),
        (["--from", "10.20.0.10", "--to", "internet"], "--port"),
        (["--from", "10.20.0.10", "--to", "internet", "--protocol", "tpc", "--port", "1"], "tcp"),
        (["--from", "10.20.0.10", "--to", "internet", "--port", "1", "--limit", "0"], "--limit"),
    ],
)
def test_explain_says_what_is_wrong_with_a_question(
    extra: list[str], said: str, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(shop), *extra]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.split("flowcore: error: ")[1]


def test_explain_prints_hostile_tags_safely(evil: Path, capsys: pytest.CaptureFixture[str]) -> None:
    interface = next(iter(flowcore.read_network(evil).interfaces))
    for form in ("table", "markdown", "mermaid", "json"):
        arguments = ["explain", str(evil), "--from", interface, "--to", "internet", "--port", "443", "--format", form]
        assert main(arguments) == 0
        out, err = capsys.readouterr()
        assert is_clean(out), form
        assert is_clean(err), form
        if form == "table":
            assert r"\x1b[2J\x9b31m\u202e[red]|<b>`x" in out
        if form in ("markdown", "mermaid"):
            assert "<b>" not in out


# -- evaluate and demo ---------------------------------------------------------------------------------

DEMO = ROOT / "data" / "demo"
FLOWS = """\
srcaddr,dstaddr,srcport,dstport,protocol
10.20.10.110,10.20.20.110,{},5432,6
10.20.10.110,10.20.20.99,1,2,6
"""


def judged(tmp_path: Path, *extra: str, port: int = 49152) -> int:
    """The exit code of `evaluate` over one flow that is decided and one to an address that nothing holds."""
    (tmp_path / "flows.csv").write_text(FLOWS.format(port))
    return main(["evaluate", str(DEMO / "snapshot"), str(tmp_path / "flows.csv"), "-o", str(tmp_path / "out"), *extra])


def test_evaluate_writes_verdicts_and_prints_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import polars as pl

    assert judged(tmp_path, "--format", "json") == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["by_verdict"] == {"ACCEPT": 1, "REJECT": 0, "UNKNOWN": 1}
    assert (told["decided_share"], told["rejected"]) == (0.5, 0)
    assert pl.read_parquet(tmp_path / "out" / "*.parquet")["verdict"].to_list() == ["ACCEPT", "UNKNOWN"]
    assert "69 interfaces" in err


@pytest.mark.parametrize(
    ("extra", "port", "code"),
    [
        ([], 61234, 0),
        (["--fail-on", "reject"], 61234, 1),
        (["--fail-on", "reject"], 49152, 0),
        (["--fail-on", "disagreement"], 61234, 0),
        (["--max-unknown", "0.49"], 49152, 3),
        (["--max-unknown", "0.5"], 49152, 0),
        (["--max-unknown", "50"], 49152, 2),
        (["--max-rejected", "0"], 49152, 0),
    ],
)
def test_evaluate_exit_codes(
    extra: list[str], port: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(tmp_path, *extra, "-q", port=port) == code
    out, err = capsys.readouterr()
    assert bool(err) == (code > 1)
    assert bool(out) == (code != 2)


def test_evaluate_overwrites_only_when_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept.txt").write_text("kept")
    assert judged(tmp_path) == 2
    assert (tmp_path / "out" / "kept.txt").read_text() == "kept"
    assert "Traceback" not in capsys.readouterr().err
    (tmp_path / "out" / "kept.txt").unlink()
    assert [judged(tmp_path), judged(tmp_path)] == [0, 0]


def test_evaluate_compares_with_what_aws_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(DEMO / "snapshot"), str(DEMO / "flow-log.log.gz")]
    assert main([*arguments, "-o", str(tmp_path / "a"), "--fail-on", "disagreement", "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["agreed"] > 100 * told["disagreed"] > 0
    assert told["rejected"] > 0
    assert main([*arguments, "-o", str(tmp_path / "b"), "--max-rejected", "0.00001", "--format", "csv"]) == 3
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert sum(int(row["flows"].replace(",", "")) for row in rows) == told["flows"]


def test_the_summary_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "markdown"):
        assert judged(tmp_path, "--format", form, "--overwrite") == 0
        out = capsys.readouterr().out
        assert report.REASON_TEXTS["UNKNOWN_DESTINATION"] in out
        assert "50.00 %" in out
        assert is_clean(out)


def test_the_grids_of_a_summary() -> None:
    outcomes = {
        ("ACCEPT", None, None): Tally(5),
        ("REJECT", "BAD_STATE", "source"): Tally(1, 10, 1500),
        ("REJECT", "SUBNET_ACL_RESTRICTION", "source-network-acl"): Tally(2, 20, 3000),
        ("UNKNOWN", "NO_DATA", "source"): Tally(2),
    }
    agreement = {("ACCEPT", "ACCEPT"): 4, ("ACCEPT", "REJECT"): 1, ("UNKNOWN", "ACCEPT"): 3}
    behind = {Disagreement("unexplained", "ACCEPT", "REJECT", "eni-2", None): 1}
    summary = Summary(outcomes, agreement, behind, files=2, lines=12, rejected=2, skipdata={"eni-1": 3}, seconds=0.5)
    verdicts, agrees, classes, causes, figures = report.summary_grids(summary)
    assert verdicts.columns == ("verdict", "reason", "stage", "flows", "share", "packets", "bytes", "meaning")
    assert [(row[0], row[3], row[4]) for row in verdicts.rows] == [
        ("ACCEPT", "5", "50.00 %"),
        ("REJECT", "2", "20.00 %"),
        ("REJECT", "1", "10.00 %"),
        ("UNKNOWN", "2", "20.00 %"),
    ]
    assert [row[4] for row in agrees.rows] == ["yes", "no", None]
    assert [row[:2] for row in classes.rows] == [("agrees", "4"), ("unexplained", "1")]
    assert len(causes.rows) == 1
    told = {row[0]: row[1:] for row in figures.rows}
    assert told["decided"] == ("8", "80.00 %")
    assert told["undecided (UNKNOWN)"] == ("2", "20.00 %")
    assert told["rejected lines"] == ("2", "16.67 %")
    assert told["intervals AWS skipped"] == ("3", "1 interfaces")
    assert told["predictions that agree"] == ("4", "80.00 %")
    assert told["seconds, end to end"] == ("0.50", "20 a second")
    assert "packets" not in report.outcomes_grid(Summary({("ACCEPT", None, None): Tally(1)})).columns


def test_demo_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import polars as pl

    assert main(["demo", str(tmp_path / "demo"), "--flows", "2000"]) == 0
    out, err = capsys.readouterr()
    assert pl.read_parquet(tmp_path / "demo" / "flows" / "*.parquet").height == 2000
    assert pl.read_parquet(tmp_path / "demo" / "flow-log" / "*.parquet").height > 10_000
    assert "2,000 seeded flows" in out
    assert "flows a second" in out
    assert "REJECT: gets through, but the reply does not" in out
    assert "kernels ready" in err
    assert main(["demo", str(tmp_path / "demo"), "--flows", "0"]) == 2
    assert main(["demo", str(tmp_path / "demo"), "--flows", "1000", "-q"]) == 0
    assert pl.read_parquet(tmp_path / "demo" / "flows" / "*.parquet").height == 1000


def test_demo_replaces_only_what_a_demo_made(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    assert main(["demo", str(tmp_path), "--flows", "10"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_demo_flows_do_not_depend_on_the_run(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert main(["demo", str(tmp_path / name), "--flows", "500", "-q", "--threads", "1"]) == 0
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()]
    files = [path for path in files if not path.name.endswith(".manifest.json")]  # says where and when its inputs were
    assert len(files) >= 3
    assert all((tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes() for path in files)


def test_warmup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreted, "MOST", {"evaluate_rows": 10_000, "read_pages": 1 << 20})  # as at first
    read, opened = FilePages.open, []
    monkeypatch.setattr(FilePages, "open", lambda *values: opened.append(values) or read(*values))
    assert main(["warmup"]) == 0
    assert opened, "no Parquet was read by its pages"
    assert not interpreted.MOST, "little work, which would be done as plain Python"
    out, err = capsys.readouterr()
    assert out == ""
    assert "kernels ready" in err


# -- texts ---------------------------------------------------------------------------------------------


def test_every_reason_has_one_sentence() -> None:
    assert set(report.REASON_TEXTS) == set(schema.REASONS)
    for reason, text in report.REASON_TEXTS.items():
        assert text.endswith("."), reason
        assert text[0].isupper(), reason
        assert "\n" not in text, reason


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain ü 10.0.0.0/8", "plain ü 10.0.0.0/8"),
        ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
        ("a\nb\r\t\x7f", r"a\nb\r\t\x7f"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\ud800", r"\ud800"),
    ],
)
def test_printable(raw: str, shown: str) -> None:
    assert report.printable(raw) == shown


def test_shares_are_never_rounded_to_all_or_nothing() -> None:
    assert report.share(1, 10**9) == "<0.01 %"
    assert report.share(10**9 - 1, 10**9) == ">99.99 %"
    assert [report.share(0, 5), report.share(5, 5), report.share(1, 3), report.share(0, 0)] == [
        "0.00 %",
        "100.00 %",
        "33.33 %",
        "-",
    ]


# -- narrow terminals ----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A terminal as wide as COLUMNS says."""

    def isatty(self) -> bool:
        return True


def drawn(grid: report.Grid, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    return re.sub(r"\x1b\[[0-9;]*m", "", report.to_text([grid], Terminal())).splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_table_fits_its_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    issues = [
        Issue("note", "dangling-reference", f"eni-0681f828ab12cd34{n}", "it is attached to nothing", "a/b.json")
        for n in range(3)
    ]  # fmt: skip
    lines = drawn(report.issues_grid(issues), width, monkeypatch)
    assert max(map(len, lines)) <= width
    assert all(any(issue.resource in line for line in lines) for issue in issues) == (width >= 60)
    assert "attached" in "".join(lines)


def test_a_narrow_table_breaks_no_number_and_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = Summary(
        outcomes={("REJECT", "ENI_SG_RULES_MISMATCH", "destination-security-group"): Tally(10**6, 10**8, 10**11)}
    )
    text = "\n".join(drawn(report.outcomes_grid(summary), 80, monkeypatch))
    for whole in ("1,000,000", "100.00 %", "100,000,000", "100,000,000,000", "No rule of"):
        assert whole in text, whole
    assert "reason / stage / meaning" in " ".join(text.split()) or "reason /" in text
    assert "meaning" in "\n".join(drawn(report.outcomes_grid(summary), 200, monkeypatch)).split("\n")[2]


def test_what_is_no_terminal_gets_whole_lines() -> None:
    issue = Issue("note", "state", "eni-1", "x" * 300, "y" * 300)
    assert any(
        "x" * 300 in line and "y" * 300 in line
        for line in report.to_text([report.issues_grid([issue])], io.StringIO()).split("\n")
    )


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("reply-destination-network-acl", 18, ["reply-destination-", "network-acl"]),
        ("to eni-0681f828ab12 now", 16, ["to", "eni-0681f828ab12", "now"]),
        ("SG_HAS_NO_RULES", 7, ["SG_HAS_", "NO_", "RULES"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("a\n\nb", 5, ["a", "", "b"]),
        ("", 5, [""]),
    ],
)
def test_lines_are_broken_where_a_reader_would(text: str, width: int, lines: list[str]) -> None:
    assert report_layout.folded(text, width).split("\n") == lines


# -- streams and limits of options ---------------------------------------------------------------------


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_a_closed_stream_is_no_defect(snapshot: Path, closed: str) -> None:
    command = f'"{sys.executable}" -m flowcore issues "{snapshot}" {closed}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_a_stream_that_lacks_a_character_gets_an_escape() -> None:
    plans = ROOT / "data" / "plans"
    arguments = ("diff", str(plans / "snapshot"), str(plans / "plan.json"), "--exhaustive", "--format", "markdown")
    done = run(*arguments, "--fail-on", "none", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "\\u2026" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "x", "--from", "internet", "--to", "10.0.0.1", "--port", "65536"],
        ["explain", "x", "--from", "internet", "--to", "10.0.0.1", "--port", "-1"],
        ["explain", "x", "--from", "internet", "--to", "10.0.0.1", "--port", "1", "--source-port", "65536"],
        ["explain", "x", "--from", "internet", "--to", "10.0.0.1", "--protocol", "icmp", "--icmp-type", "256"],
        ["explain", "x", "--from", "internet", "--to", "10.0.0.1", "--port", "1", "--limit", "0"],
        ["synth", "x", "--seed", "-1"],
        ["synth", "x", "--interfaces", "0"],
        ["synth", "x", "--flows", "-1"],
        ["demo", "x", "--threads", "0"],
        ["evaluate", "x", "y", "-o", "z", "--threads", "-2"],
    ],
)
def test_numbers_out_of_range_are_bad_usage(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert "Must be" in err
    assert next(word for word in reversed(arguments) if word.startswith("--")) in err
    assert not any(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["synth", str(tmp_path / "file" / "below"), "--flows", "0", "--edges"]) == 2
    err = capsys.readouterr().err
    assert "Not a directory" in err
    assert str(tmp_path / "file") in err
    assert "Errno" not in err


def test_help_says_no_default_that_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "--help"])
    out = capsys.readouterr().out
    assert "[default: False]" not in out
    assert "[default: tcp]" in out
