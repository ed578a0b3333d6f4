"""Who stands at the other end of a flow log record, and which REJECTs are withdrawn: both writings, over networks whose
addresses are held twice, mapped, or behind load balancers. What is expected of single records is in data/cases."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import case_files
import polars as pl
import pytest
from replay_inputs import text_of, write

from flowcore.pipeline import RecordJudge, evaluate_logs, judge_records
from flowcore.pipeline_run import Job
from flowcore.pipeline_summary import disagreements

#: Statement or reason that must have shown in the records of a network.
SHOWN: dict[str, set[str | None]] = {
    "twins": {"UNKNOWN_RESOURCE", "ENI_SG_RULES_MISMATCH", "INITIATOR_UNKNOWN"},
    "called": {"UNKNOWN_RESOURCE", "ENI_SG_RULES_MISMATCH", "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS"},
    "internet": {"ADDR_AMBIGUOUS", "SUBNET_ACL_RESTRICTION", "ENI_SG_RULES_MISMATCH"},
    "nlb": {"UNSUPPORTED_COMPONENT", "ENI_SG_RULES_MISMATCH"},
}


def some_records(network: Any, seed: int, count: int) -> pl.DataFrame:
    """Records at any interface from and to all that is there, and to what is not."""
    rng = random.Random(seed)
    own = {name: [str(one.address) for one in end.addresses] for name, end in network.interfaces.items()}
    public = [
        str(one.public_address) for end in network.interfaces.values() for one in end.addresses if one.public_address
    ]
    others = [address for each in own.values() for address in each] + public * 2
    others += [
        "10.0.1.99",
        "10.0.2.1",
        "10.44.0.1",
        "203.0.113.5",
        "8.8.8.8",
        "2600:1f18:4a2b:7c01::99",
        "169.254.169.254",
    ]
    rows = []
    for _ in range(count):
        name = rng.choice(list(own))
        here, there = rng.choice(own[name]) if rng.random() < 0.95 else rng.choice(others), rng.choice(others)
        if (":" in here) != (":" in there) and rng.random() < 0.9:
            continue
        ports = [rng.choice([40000, 50000, 60000]), rng.choice([443, 80, 8443, 8080, 5353, 70000])]
        ends = [here, there]
        if rng.random() < 0.5:
            ports.reverse()
        egress = rng.random() < 0.5
        if not egress:
            ends.reverse()
        rows.append(
            {
                "version": 5, "account_id": "123456789012", "interface_id": name,
                "srcaddr": ends[0], "dstaddr": ends[1], "srcport": ports[0], "dstport": ports[1],
                "protocol": rng.choice([6, 6, 6, 17, 1, 50]),
                "packets": 1, "bytes": 40, "start": 1767604000, "end": 1767604060,
                "action": rng.choice(["ACCEPT", "REJECT"]), "log_status": "OK",
                "tcp_flags": rng.choice([2, 18, 0, None]),
                "pkt_srcaddr": rng.choice([ends[0], None]), "pkt_dstaddr": rng.choice([ends[1], None]),
                "flow_direction": rng.choice([None, "egress" if egress else "ingress", "ingress"]),
            }
        )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", SHOWN)
def test_fl01_fl60_both_writings_name_the_same_ends(
    tmp_path: Path, name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FL-01, FL-32, FL-60, FL-64, IG-11, SG-25: every column of every row, and the summary."""
    judge = case_files.evaluator(name)
    log = write(tmp_path / "a.log.gz", text_of(some_records(judge.network, seed, 3000)))
    fast = evaluate_logs(judge, log, tmp_path / "fast.parquet")
    monkeypatch.setattr(Job, "group_types", None)
    slow = evaluate_logs(judge, log, tmp_path / "slow.parquet")
    left, right = pl.read_parquet(tmp_path / "fast.parquet"), pl.read_parquet(tmp_path / "slow.parquet")
    different = [column for column in left.columns if not left[column].equals(right[column], null_equal=True)]
    assert not different, left.filter(left[different[0]].ne_missing(right[different[0]]))
    assert fast == slow
    assert set(left["reason"]) >= SHOWN[name]
    assert left["agrees"].drop_nulls().len() > 300


def test_fl60_nobody_holds_the_address_so_the_conversation_is_not_judged() -> None:
    """Whoever takes conversations from records gets the reason, and no interface that does not exist."""
    judge = case_files.evaluator("twins")
    rows = [case["record"] for case in case_files.record_cases() if case["id"] in ("FL-01e", "FL-60f", "FL-01h")]
    found = RecordJudge(judge).conversations(pl.DataFrame(rows))
    assert found["unjudged"].to_list() == [None, None, "UNKNOWN_RESOURCE"]
    assert found["src_interface_id"].to_list() == ["eni-01a0001050000000a", None, None]
    assert found["dstaddr"].to_list() == ["10.0.2.5", "198.51.100.52", "10.0.2.5"]


def test_fl32_another_stage_that_denies_keeps_the_reject() -> None:
    """A group that refuses the source does so whichever address of the interface was meant."""
    (case,) = (case for case in case_files.record_cases() if case["id"] == "FL-32")
    judge = case_files.evaluator(case["network"])
    rows = [case["record"], {**case["record"], "srcaddr": "203.0.113.99", "protocol": 6}]
    assert judge_records(judge, pl.DataFrame(rows))["reason"].to_list() == ["ADDR_AMBIGUOUS"] * 2
    shut = case_files.network_name(
        {**case, "change": {"SecurityGroups": {"sg-0a1b2c3d4e5f6a000": {"IpPermissions": []}}}}
    )
    out = judge_records(case_files.evaluator(shut), pl.DataFrame(rows[:1]))
    assert out.select("verdict", "predicted_action").row(0) == ("REJECT", "REJECT")


def test_bp08_logs_without_reject_reasons_class_what_block_public_access_stops() -> None:
    """FL-40, FL-44: a REJECT where the description has Block Public Access stop the conversation is no riddle."""
    columns = dict.fromkeys(("dst_acl_rule", "dst_sg_rule", "src_acl_rule", "reply_dst_acl_rule", "reply_src_acl_rule"))
    record = {
        **columns, "interface_id": "eni-1", "srcaddr": "10.0.0.7", "dstaddr": "203.0.113.5",
        "srcport": 40000, "dstport": 443,
        "protocol": 6, "action": "REJECT", "predicted_action": "ACCEPT", "agrees": False, "direction": "egress",
        "initiator": "source-by-port", "addresses_ambiguous": False, "blocked_by": 0, "src_sg_rule": "sgr-1",
        "src_interface": "eni-1", "dst_interface": None, "reason": "VPC_BLOCK_PUBLIC_ACCESS_ENABLED",
    }  # fmt: skip
    other = {**record, "reason": None, "srcaddr": "10.0.0.8"}
    found = disagreements(pl.DataFrame([record, other], infer_schema_length=None))
    assert {(key.kind, key.rule) for key in found} == {("block-public-access", "sgr-1"), ("unexplained", "sgr-1")}
