"""The batch job as people leave it running: killed and gone on with, shared out, filtered, from S3, from digests."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from replay_inputs import contents, evaluator, records, text_of, with_more_fields, write

from flowcore import network_from_documents, pipeline_parts
from flowcore.digest import digest_logs
from flowcore.errors import InputError
from flowcore.pipeline import Wanted, evaluate_logs, manifest_path
from flowcore.pipeline_output import VerdictWriter
from flowcore.pipeline_parts import PartFolder, fingerprint
from flowcore.pipeline_summary import Tally
from flowcore.sources.flows import open_flows
from flowcore.sources.groups import GroupColumns, GroupReader
from flowcore.sources.intake import ReadCounts
from flowcore.sources.places import locations, path_parts
from flowcore.sources.rowgroups import runs_to_read
from flowcore.synthetic import network_documents

FILES = 9


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Several files, each a part of its own or two to a part, with lines that cannot be read."""
    monkeypatch.setattr("flowcore.pipeline_parts.PART_BYTES", 9000)
    monkeypatch.setattr("flowcore.pipeline_run.GROUP_ROWS", 300)
    monkeypatch.setattr("flowcore.sources.groups.PIECE_ROWS", 64)
    frame = with_more_fields(records(), 0)
    for number in range(FILES):
        lines = text_of(frame[number::FILES])
        write(tmp_path / "logs" / f"{number}.log.gz", [*lines, f"rubbish {number}"], packed=number != 4)
    return tmp_path / "logs"


def test_same_bytes_for_any_threads_batches_order_and_shards(tmp_path: Path, logs: Path) -> None:
    judge, found = evaluator(), []
    files = sorted(logs.iterdir())
    ways: list[tuple[Any, dict[str, Any]]] = [
        (logs, {"threads": 1}),
        (files[::-1], {"threads": 3}),
        ([str(logs / "*.gz"), *files], {"threads": 2, "batch_rows": 7}),
    ]
    for number, (sources, options) in enumerate(ways):
        evaluate_logs(judge, sources, tmp_path / str(number) / "out", **options)
        found.append(contents(tmp_path / str(number)))
    for number, count in enumerate((2, 3), len(ways)):
        out = tmp_path / str(number) / "out"
        for share in random.Random(count).sample(range(1, count + 1), count):
            assert not out.exists()
            evaluate_logs(judge, logs, out, shard=(share, count), threads=1)
        found.append(contents(out.parent))
    assert all(one == found[0] for one in found)
    parts = [name for name in found[0] if name.endswith(".parquet")]
    assert len(parts) > 4
    manifest = json.loads(found[0]["out.manifest.json"])
    assert sum(part["rows"] for part in manifest["parts"]) == pl.read_parquet(tmp_path / "0/out").height
    assert [Path(i["path"]).name for part in manifest["plan"]["parts"] for i in part] == [f.name for f in files]
    assert found[0]["out.rejects.csv"].count(b"rubbish") == FILES


class Killed(BaseException):
    """Stands for SIGKILL: nothing of what follows it is done."""


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on the run ends at its `step`-th change to the disk. Gives the list of changes that it will grow."""
    steps: list[str] = []

    def stopping(name: str, original: Any) -> Any:
        def change(*arguments: Any, **options: Any) -> Any:
            steps.append(name)
            if len(steps) > step:
                raise Killed
            return original(*arguments, **options)

        return change

    for place, name in ((Path, "replace"), (Path, "unlink"), (Path, "write_text"), (Path, "mkdir"), (os, "replace"),
                        (VerdictWriter, "_close"), (VerdictWriter, "write_rejects")):  # fmt: skip
        monkeypatch.setattr(place, name, stopping(name, getattr(place, name)))
    monkeypatch.setattr(VerdictWriter, "_abandon", lambda self: None)
    monkeypatch.setattr(PartFolder, "remove", lambda self: None)
    return steps


def test_a_run_killed_anywhere_goes_on_to_the_same_dataset(tmp_path: Path, logs: Path) -> None:
    """At 52 of the changes to the disk, the first and the last among them; some are killed again when they go on."""
    judge, rng = evaluator(), random.Random(5)
    whole = tmp_path / "whole" / "out"
    with pytest.MonkeyPatch.context() as patch:
        steps = killed_at(10**6, patch)
        evaluate_logs(judge, logs, whole, threads=1)
    expected = contents(whole.parent)
    points = sorted({0, len(steps) - 1, *rng.sample(range(1, len(steps) - 1), 50)})
    assert len(points) == 52
    for point in points:
        out = tmp_path / str(point) / "out"
        for number, step in enumerate([point] if point % 4 else [point, rng.randrange(len(steps))]):
            with pytest.MonkeyPatch.context() as patch:
                killed_at(step, patch)
                with suppress(Killed):
                    evaluate_logs(judge, logs, out, threads=1, resume=number > 0)
            if manifest_path(out).exists():  # whole if it says so
                assert expected.items() <= contents(out.parent).items()
        evaluate_logs(judge, logs, out, threads=1, resume=True)
        assert contents(out.parent) == expected


RUN = """
import sys
from flowcore import compile_network, evaluate_logs, network_from_documents
from flowcore.synthetic import network_documents
import flowcore.pipeline_parts
flowcore.pipeline_parts.PART_BYTES = 9000
judge = compile_network(network_from_documents(network_documents(seed=1, interfaces=40)))
print("ready", flush=True)
evaluate_logs(judge, sys.argv[1], sys.argv[2], resume=True, threads=2)
"""


def test_a_process_killed_at_random_goes_on(tmp_path: Path, logs: Path) -> None:
    """Real kills: the process is gone between any two instructions."""
    expected_at, out, rng = tmp_path / "whole" / "out", tmp_path / "killed" / "out", random.Random(1)
    command = [sys.executable, "-c", RUN, str(logs)]
    subprocess.run([*command, str(expected_at)], check=True, capture_output=True)
    for _ in range(4):
        process = subprocess.Popen([*command, str(out)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    subprocess.run([*command, str(out)], check=True, capture_output=True)
    assert contents(out.parent) == contents(expected_at.parent)


def test_going_on_with_something_else_is_an_error(tmp_path: Path, logs: Path) -> None:
    out = tmp_path / "to" / "out"
    evaluate_logs(evaluator(), logs, out, shard=(1, 2))
    assert not out.exists()
    with pytest.raises(InputError, match="half done"):
        evaluate_logs(evaluator(2), logs, out, resume=True)
    os.utime(logs / "0.log.gz", ns=(1, 1))
    with pytest.raises(InputError, match="half done"):
        evaluate_logs(evaluator(), logs, out, shard=(2, 2))
    evaluate_logs(evaluator(), logs, out)  # anew
    assert out.is_dir()
    assert not [path for path in out.parent.iterdir() if path.name.startswith(".")]
    with pytest.raises(InputError, match="single file"):
        evaluate_logs(evaluator(), logs, tmp_path / "a.parquet", resume=True)


def test_the_fingerprint_of_a_network_is_that_of_its_description() -> None:
    code = "from replay_inputs import evaluator; from flowcore.pipeline_parts import fingerprint; "
    run = [sys.executable, "-c", code + "print(fingerprint(evaluator().network))"]
    other = subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    assert other.stdout.strip() == fingerprint(evaluator().network)
    assert fingerprint(evaluator(1).network) != fingerprint(evaluator(2).network)


def test_a_network_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fingerprint is remembered as long as it is there, and nothing else's is."""
    looked_at: list[object] = []

    def note(texts: list[str], digest: Any, value: object) -> None:
        looked_at.append(None)
        feed(texts, digest, value)

    feed = pipeline_parts._feed
    monkeypatch.setattr(pipeline_parts, "_feed", note)
    gc.collect()
    before = len(pipeline_parts._KNOWN)
    network = network_from_documents(network_documents(seed=1, interfaces=2))
    first, times = fingerprint(network), len(looked_at)
    assert (fingerprint(network), len(looked_at)) == (first, times)
    other = network_from_documents(network_documents(seed=1, interfaces=3))
    assert fingerprint(other) != first
    assert len(looked_at) > times
    assert len(pipeline_parts._KNOWN) == before + 2
    del network, other
    gc.collect()
    assert len(pipeline_parts._KNOWN) == before
    changing = {"a": 1}
    first = fingerprint(changing)
    changing["a"] = 2
    assert fingerprint(changing) != first


def test_the_fingerprint_stays_what_it_was() -> None:
    """It stands in plans and manifests: a run of an earlier version is gone on with."""
    whole = {
        "b": [1, 2.5, None, True],
        "a": (frozenset({"y", "x"}), {}),
        "c": Tally(1, 2, 3),
        "d": IPv4Address("1.2.3.4"),
    }
    assert fingerprint(whole) == "d97469e4c66af511bb9229e98cf7a58196c34205ef80316a07e7fb0cb7d1de6f"


# -- what is asked for ------------------------------------------------------------------------------------


def test_filters_go_down_to_records(tmp_path: Path, logs: Path) -> None:
    frame = pl.read_parquet(_evaluated(logs, tmp_path / "all.parquet"))
    since, until = int(frame["start"].quantile(0.3) or 0), int(frame["start"].quantile(0.6) or 0)
    interface = frame["interface_id"].drop_nulls().mode()[0]
    asked = Wanted(since, until, interfaces=frozenset({interface}))
    some = pl.read_parquet(_evaluated(logs, tmp_path / "some.parquet", wanted=asked))
    names = ["srcaddr", "dstaddr", "srcport", "dstport", "start", "end", "interface_id", "action"]
    inside = (pl.col("end") >= since) & (pl.col("start") < until) & (pl.col("interface_id") == interface)
    assert some.height
    assert some.select(names).equals(frame.filter(inside).select(names))
    other = Wanted(accounts=frozenset({"999999999999"}))
    assert pl.read_parquet(_evaluated(logs, tmp_path / "none.parquet", wanted=other)).height == 0


def _parquet(frame: pl.DataFrame, path: Path, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path, row_group_size=100, **options)
    return path


@pytest.mark.parametrize("log_status", [None, "OK", "NODATA"])
@pytest.mark.parametrize("what", ["since", "until", "interfaces", "accounts", "all"])
def test_row_groups_that_hold_nothing_wanted_are_not_read(tmp_path: Path, what: str, log_status: str | None) -> None:
    """The same answer as without statistics, and pages of other row groups are never looked at: damage is not seen."""
    by = {"interfaces": "interface_id", "accounts": "account_id"}.get(what, "end")
    frame = records().with_columns(start=pl.col("end")).sort(by)
    frame = frame.with_columns(account_id=pl.lit("123456789012"))[:800]
    if log_status is None:
        frame = frame.drop("log_status")
    else:
        frame[0, "log_status"] = log_status
    since, until = frame["end"][350], frame["end"][450]
    asked = {
        "since": Wanted(since=since), "until": Wanted(until=until), "accounts": Wanted(accounts=frozenset({"2"})),
        "interfaces": Wanted(interfaces=frozenset({frame["interface_id"][0]})),
        "all": Wanted(since, until, accounts=frozenset({"123456789012"})),
    }[what]  # fmt: skip
    plain = _parquet(frame, tmp_path / "plain.parquet", statistics=False)
    whole = _parquet(frame, tmp_path / "whole.parquet")
    one, other = _read(plain, asked), _read(whole, asked)
    assert one.row_groups_skipped == 0
    keeps = log_status == "NODATA"
    expected = {"since": 3 - keeps, "until": 3, "interfaces": other.row_groups_skipped, "accounts": 8 - keeps,
                "all": 6 - keeps}[what]  # fmt: skip
    assert other.row_groups_skipped == expected > 0
    for name in ("lines", "records", "outside", "nodata", "rejected"):
        assert getattr(one, name) == getattr(other, name), name
    found = [pl.read_parquet(_evaluated(p, tmp_path / f"{p.stem}-out.parquet", wanted=asked)) for p in (plain, whole)]
    assert found[0].equals(found[1])
    _damage_skipped(whole, asked)
    assert _read(whole, asked).damaged_files == 0
    assert _read(whole, Wanted(until=10**10)).damaged_files == 1


def _read(path: Path, asked: Wanted) -> Any:
    """What is counted when the file is read."""
    reader = open_flows(path, wanted=asked)
    columns = GroupColumns(reader.files()[0].types)
    for _ in GroupReader(columns, reader.counts, reader.rejects, wanted=asked).read(reader.files()):
        pass
    return reader.counts


def _damage_skipped(path: Path, asked: Wanted) -> None:
    """Overwrites the pages of every row group that need not be read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        names = {name: name for name in file.schema_arrow.names}
        kept = {n for _, run in runs_to_read(file, names, asked, ReadCounts()) for n in run}
    data = bytearray(path.read_bytes())
    for number, group in enumerate(groups):
        if number not in kept:
            first = min(group.column(c).dictionary_page_offset or group.column(c).data_page_offset for c in range(3))
            data[first : first + 200] = bytes(200)
    path.write_bytes(data)


def test_what_a_file_does_not_say_leaves_nothing_out(tmp_path: Path) -> None:
    """A filter on a field that only some files have, and a digest beside a log: each is filtered by what it has."""
    frame = records().head(60)
    log = write(tmp_path / "a.log", text_of(frame))
    digest_logs(log, tmp_path / "d.parquet")
    write(tmp_path / "b.log", text_of(frame.drop("account_id")))
    others = Wanted(accounts=frozenset({"999999999999"}))
    both = pl.read_parquet(_evaluated([log, tmp_path / "b.log"], tmp_path / "out.parquet", wanted=others))
    assert both.height == 60
    asked = Wanted(since=int(frame["start"].min() or 0), until=int(frame["end"].max() or 0) + 1)
    mixed = evaluate_logs(evaluator(), [log, tmp_path / "d.parquet"], tmp_path / "mixed.parquet", wanted=asked)
    assert mixed.log_records == 120  # a record counts as one beside rows that stand for several
    twice = evaluate_logs(evaluator(), [log, write(tmp_path / "c.log", text_of(frame))], tmp_path / "twice.parquet")
    assert (mixed.outcomes, mixed.agreement, mixed.places) == (twice.outcomes, twice.agreement, twice.places)


def _evaluated(sources: Any, out: Path, **options: Any) -> Path:
    evaluate_logs(evaluator(), sources, out, **options)
    return out


@pytest.mark.parametrize("kind", ["log", "table"])
@pytest.mark.parametrize("wanted", [Wanted(), Wanted(since=1767607900)])
def test_a_large_parquet_file_is_several_parts(
    tmp_path: Path, kind: str, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row group after row group, as if it were one part: it counts once, its rows are numbered through."""
    port = pl.when(pl.int_range(pl.len()) % 97 == 5).then(pl.lit("x")).otherwise(pl.col("srcport").cast(pl.String))
    frame = records().with_columns(srcport=port)
    if kind == "table":
        frame = frame.select("srcaddr", "dstaddr", "srcport", "dstport", "protocol")
    file = _parquet(frame, tmp_path / "in" / "large.parquet")
    whole = evaluate_logs(evaluator(), file, tmp_path / "whole", wanted=wanted, threads=1)
    assert len(list((tmp_path / "whole").iterdir())) == 1
    monkeypatch.setattr("flowcore.pipeline_parts.PART_BYTES", file.stat().st_size // 5)
    seen = []
    for threads, name in ((1, "a"), (2, "b")):
        options: dict[str, Any] = {"threads": threads, "wanted": wanted, "progress": seen.append}
        summary = evaluate_logs(evaluator(), file, tmp_path / name / "out", **options)
        assert (summary.files, summary.lines, summary.rows) == (1, whole.lines, whole.rows)
        assert (summary.outside, summary.rejected) == (whole.outside, whole.rejected)
        assert whole.rejected > 5
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    out = tmp_path / "a" / "out"
    parts = json.loads(manifest_path(out).read_text())["plan"]["parts"]
    ends = [part[0]["row_groups"] for part in parts]
    assert len(parts) >= 5
    assert [first for first, _ in ends] == [0, *[stop for _, stop in ends[:-1]]]
    assert ends[-1][1] == -(-frame.height // 100)
    found, expected = pl.read_parquet(out), pl.read_parquet(tmp_path / "whole")
    same = [name for name in frame.columns if name != "srcport"]
    assert found.select(same).equals(expected.select(same))
    rejects = [pl.read_csv(path.with_name(f"{path.name}.rejects.csv")) for path in (out, tmp_path / "whole")]
    assert rejects[0].equals(rejects[1])
    size, done = file.stat().st_size, max(progress.bytes for progress in seen)
    assert {progress.bytes_total for progress in seen} == {size}
    assert size // 2 < done < size  # the last part is told of while it is read


PATHS = {
    "plain": "AWSLogs/012345678901/vpcflowlogs/us-east-1/2026/01/05/",
    "hourly": "AWSLogs/012345678901/vpcflowlogs/us-east-1/2026/01/05/10/",
    "hive": "AWSLogs/aws-account-id=012345678901/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=01/day=05/",  # noqa: E501
    "hive-hourly": "x/aws-account-id=012345678901/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=1/day=5/hour=10/",  # noqa: E501
}


@pytest.mark.parametrize("kind", PATHS)
def test_paths_tell_account_region_and_time(kind: str) -> None:
    """FL-51…53: account ids stay text, for they may begin with 0."""
    found = path_parts(PATHS[kind] + "a.log.gz")
    assert (found.account, found.region) == ("012345678901", "us-east-1")
    assert found.first == 1_767_571_200 + 36_000 * kind.endswith("hourly")
    assert found.last == found.first + (3600 if kind.endswith("hourly") else 86400)
    named = path_parts(PATHS[kind] + "012345678901_vpcflowlogs_us-east-1_fl-0a_20260105T1620Z_1f.log.gz")
    assert (named.first, named.last) == (1_767_630_000, 1_767_630_300)
    path = PATHS[kind] + "a.log.gz"
    assert Wanted(since=found.first, until=found.last).may_be_in(path)
    assert not Wanted(since=found.last).may_be_in(path)
    assert not Wanted(until=found.first - 660).may_be_in(path)
    assert Wanted(until=found.first - 659).may_be_in(path)
    assert not Wanted(accounts=frozenset({"12345678901"})).may_be_in(path)
    assert not Wanted(regions=frozenset({"us-east-2"})).may_be_in(path)
    assert Wanted(accounts=frozenset({"1"})).may_be_in("elsewhere/a.log.gz")


# -- transit gateways -------------------------------------------------------------------------------------


def test_transit_gateway_logs_are_judged_on_their_addresses(tmp_path: Path) -> None:
    """Statement 1.7: no interface and no action, other TCP flags (FL-61), and what a route lost is kept."""
    ends = records().filter(pl.col("protocol") == 6).select("srcaddr", "dstaddr", "srcport", "dstport").row(0)
    end = " ".join(map(str, ends))
    line = f"6 TransitGateway 1 tgw-1 tgw-attach-1 1 1 vpc-1 vpc-2 - - - - - - - {end} 6 3 180 1 2 OK IPv4 7 0 0 0 18 us-east-1 ingress - -"  # noqa: E501
    for name in ("headless", "headed"):
        header = open_columns() if name == "headed" else []
        out = _evaluated(write(tmp_path / name, [*header, line]), tmp_path / f"{name}.parquet")
        row = pl.read_parquet(out).row(0, named=True)
        assert (row["tgw_id"], row["packets_lost_no_route"], row["observed_at"]) == ("tgw-1", 7, "transit-gateway")
        assert (row["predicted_action"], row["agrees"]) == ("UNKNOWN", None)
        assert row["initiator"].endswith("-by-port")
        assert row["verdict"] in ("ACCEPT", "REJECT", "UNKNOWN")


def open_columns() -> list[str]:
    from flowcore.sources.flowlogs import TRANSIT_COLUMNS

    return [" ".join(column.replace("_", "-") for column in TRANSIT_COLUMNS)]


# -- digests ----------------------------------------------------------------------------------------------


def test_a_digest_of_digests_is_the_digest_of_all(tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowcore.digest_flows.FULL_ROWS", 150)
    summary = digest_logs(logs, tmp_path / "all.parquet")
    parts = []
    for number, file in enumerate(sorted(logs.iterdir())):
        parts.append(tmp_path / f"{number}.parquet")
        digest_logs(file, parts[-1])
    digest_logs(parts[4:], tmp_path / "later.parquet")
    digest_logs([tmp_path / "later.parquet", *parts[:4][::-1]], tmp_path / "merged.parquet")
    assert (tmp_path / "merged.parquet").read_bytes() == (tmp_path / "all.parquet").read_bytes()
    found = pl.read_parquet(tmp_path / "all.parquet")
    assert found["records"].sum() == summary.lines - summary.rejected
    with pytest.raises(InputError, match="not a digest"):
        digest_logs(logs, _evaluated(logs, tmp_path / "verdicts.parquet"))


def test_a_digest_keeps_the_totals(tmp_path: Path) -> None:
    """What is decided of a digest is what was decided of its records."""
    once = text_of(records())
    log = write(tmp_path / "a.log.gz", [*once, *once[1:200]])
    digest_logs(log, tmp_path / "d.parquet")
    whole = evaluate_logs(evaluator(), log, tmp_path / "whole.parquet")
    folded = evaluate_logs(evaluator(), tmp_path / "d.parquet", tmp_path / "folded.parquet")
    assert folded.rows < whole.rows
    assert (folded.outcomes, folded.agreement, folded.log_records) == (
        whole.outcomes,
        whole.agreement,
        whole.log_records,
    )
    assert (folded.places, folded.disagreements) == (whole.places, whole.disagreements)


# -- S3 ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Any:
    """moto's server, a real one on a port of its own, with a bucket."""
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("moto.server")
    code = "from moto.server import ThreadedMotoServer as S; import time; s = S(port=0); s.start(); "
    code += "print(s.get_host_and_port()[1], flush=True); time.sleep(600)"
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        port = next(text for text in server.stdout if text.strip().isdigit())
        address = f"http://127.0.0.1:{int(port)}"
        settings = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                    "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            client = boto3.client("s3", endpoint_url=address, region_name="us-east-1")
            client.create_bucket(Bucket="logs")
            yield client
    finally:
        server.kill()
        server.wait()


def test_logs_in_s3_are_read_like_files(tmp_path: Path, logs: Path, s3: Any) -> None:
    for number, file in enumerate(sorted(logs.iterdir())):
        day = f"2026/01/{5 + number // 5:02}"
        s3.put_object(
            Bucket="logs", Key=f"AWSLogs/012345678901/vpcflowlogs/us-east-1/{day}/{file.name}", Body=file.read_bytes()
        )
    parquet = _evaluated(logs / "0.log.gz", tmp_path / "0.parquet")
    s3.put_object(Bucket="logs", Key="other/verdicts.parquet", Body=parquet.read_bytes())
    whole = pl.read_parquet(_evaluated(logs, tmp_path / "local"))
    assert pl.read_parquet(_evaluated("s3://logs/AWSLogs", tmp_path / "s3")).equals(whole)
    assert pl.read_parquet(_evaluated("s3://logs/*/0*/**/05/[0-2].*.gz", tmp_path / "glob")).height < whole.height
    key = "s3://logs/AWSLogs/012345678901/vpcflowlogs/us-east-1/2026/01/05/0.log.gz"
    assert pl.read_parquet(_evaluated(key, tmp_path / "one.parquet")).equals(pl.read_parquet(parquet))
    again = pl.read_parquet(_evaluated("s3://logs/other", tmp_path / "again.parquet"))
    assert again["verdict"].equals(pl.read_parquet(parquet)["verdict"])
    day = Wanted(until=1_767_571_200 + 86_400 - 3600)
    assert len([p for p, _ in locations("s3://logs/AWSLogs") if day.may_be_in(str(p))]) == 5
    for missing in ("s3://logs/nothing", "s3://nobody/AWSLogs", "s3://"):
        with pytest.raises(InputError):
            evaluate_logs(evaluator(), missing, tmp_path / "none.parquet")


def test_an_object_that_changed_is_noticed_when_going_on(tmp_path: Path, logs: Path, s3: Any) -> None:
    for file in sorted(logs.iterdir()):
        s3.put_object(Bucket="logs", Key=f"changing/{file.name}", Body=file.read_bytes())
    out = tmp_path / "out"
    evaluate_logs(evaluator(), "s3://logs/changing", out, shard=(1, 2))
    evaluate_logs(evaluator(), "s3://logs/changing", tmp_path / "same", shard=(1, 2))
    evaluate_logs(evaluator(), "s3://logs/changing", tmp_path / "same", resume=True)
    assert (tmp_path / "same").is_dir()
    s3.put_object(Bucket="logs", Key="changing/3.log.gz", Body=(logs / "2.log.gz").read_bytes() + b"\0")
    with pytest.raises(InputError, match="half done"):
        evaluate_logs(evaluator(), "s3://logs/changing", out, resume=True)
