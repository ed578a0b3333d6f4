"""Records judged as conversations, and the batch job: same answer and same bytes however the input is cut."""

from __future__ import annotations

import gzip
import os
import random
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest

from flowcore.errors import IncompleteError, InputError
from flowcore.model import (
    BlockPublicAccessExclusion,
    BlockPublicAccessOptions,
    Gateway,
    InterfaceAddress,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
)
from flowcore.pipeline import Summary, evaluate_logs, judge_records
from flowcore.pipeline_records import _canonical
from flowcore.schema import LOG_VERDICT_COLUMNS, VERDICT_COLUMNS
from flowcore.sources.flowlogs import FIELDS
from flowcore.walk import explain

ANY = ip_network("0.0.0.0/0")
CLIENT, NAT, WEB = "eni-client", "eni-nat", "eni-web"


class Stepwise:
    """The evaluator's interface, answered by `explain`, one flow after the other."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def evaluate(self, flows: pl.DataFrame, *, threads: int | None = None) -> pl.DataFrame:
        types = {column.name: pl.UInt32 if column.type == "uint32" else pl.String for column in VERDICT_COLUMNS}
        rows = [explain(self.network, flow).columns() for flow in flows.iter_rows(named=True)]
        verdicts = pl.DataFrame([{name: row[name] for name in types} for row in rows], schema=types)
        return pl.concat([flows.drop(name for name in flows.columns if name in types), verdicts], how="horizontal")


def interface(interface_id: str, subnet: str, address: str, **more: Any) -> NetworkInterface:
    public = more.pop("public", None)
    own = InterfaceAddress(ip_address(address), True, public and ip_address(public))
    return NetworkInterface(interface_id, "vpc-1", subnet, addresses=(own,), status="in-use", **more)


def rule(number: int, egress: bool, allow: bool = True, cidr: Any = ANY) -> NetworkAclEntry:
    return NetworkAclEntry(number, egress, -1, allow, cidr)


def by_id(*records: Any) -> Any:
    return MappingProxyType({next(iter(vars_of(record))): record for record in records})


def vars_of(record: Any) -> list[str]:
    return [getattr(record, name) for name in type(record).__dataclass_fields__]


def network(web_out: bool = True, web_in: bool = True) -> Network:
    """FL-33's NAT gateway and client, and a web server beside the NAT gateway that takes tcp/443 from all.

    `web_out`: whether the server's subnet lets packets out; `web_in`: whether the server's group has its rule.
    """
    group = SecurityGroup("sg-1", "vpc-1", rules=(SecurityGroupRule("sgr-out", "sg-1", True, -1, cidr_block=ANY),))
    web_rules = (SecurityGroupRule("sgr-in", "sg-2", False, 6, 443, 443, cidr_block=ANY),) if web_in else ()
    subnets = [Subnet(f"subnet-{n}", "vpc-1", ip_network(f"10.0.{n}.0/24")) for n in range(3)]  # type: ignore[arg-type]
    outward = (Route(ANY, "internet-gateway", "igw-1"),)
    return Network(
        vpcs=by_id(Vpc("vpc-1", (ip_network("10.0.0.0/16"),))),  # type: ignore[arg-type]
        subnets=by_id(*subnets),
        route_tables=by_id(
            RouteTable("rtb-1", "vpc-1", outward, main=True),
            RouteTable("rtb-2", "vpc-1", (Route(ANY, "nat-gateway", "nat-1"),), subnet_ids=("subnet-1",)),
        ),
        network_acls=by_id(
            NetworkAcl("acl-1", "vpc-1", (rule(100, False), rule(100, True)), is_default=True),
            NetworkAcl("acl-2", "vpc-1", (rule(100, False), rule(100, True, web_out)), subnet_ids=("subnet-2",)),
        ),
        security_groups=by_id(group, SecurityGroup("sg-2", "vpc-1", rules=web_rules)),
        interfaces=by_id(
            interface(CLIENT, "subnet-1", "10.0.1.5", group_ids=("sg-1",)),
            interface(NAT, "subnet-0", "10.0.0.220", group_ids=(), interface_type="nat_gateway", public="54.0.0.1"),
            interface(WEB, "subnet-2", "10.0.2.8", group_ids=("sg-2",), public="54.0.0.2"),
        ),
        internet_gateways=by_id(Gateway("igw-1", ("vpc-1",))),
        described_keys=frozenset({"InternetGateways"}),
    )


def records(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {"interface_id": None, "srcaddr": None, "dstaddr": None, "srcport": 40000, "dstport": 443, "protocol": 6}
    names = dict.fromkeys(name for row in (usual, *rows) for name in row)
    return pl.DataFrame([{**dict.fromkeys(names), **usual, **row} for row in rows], infer_schema_length=None)


def judged(net: Network, *rows: dict[str, Any]) -> pl.DataFrame:
    return judge_records(Stepwise(net), records(*rows))


def leg(interface_id: str, *addresses: str, **more: Any) -> dict[str, Any]:
    names = ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr")
    return {"interface_id": interface_id, **dict(zip(names, addresses, strict=False)), "action": "ACCEPT", **more}


# -- one record -------------------------------------------------------------------------------------------


def test_the_four_legs_at_a_nat_gateway() -> None:
    """FL-33: plain addresses tell the direction, packet addresses the conversation (FL-32, FL-60)."""
    back = {"srcport": 443, "dstport": 40000, "tcp_flags": 18}
    out = judged(
        network(),
        leg(NAT, "10.0.1.5", "10.0.0.220", "10.0.1.5", "203.0.113.5", tcp_flags=2),
        leg(NAT, "10.0.0.220", "203.0.113.5", "10.0.0.220", "203.0.113.5", tcp_flags=2),
        leg(NAT, "203.0.113.5", "10.0.0.220", "203.0.113.5", "10.0.0.220", **back),
        leg(NAT, "10.0.0.220", "10.0.1.5", "203.0.113.5", "10.0.1.5", **back),
        leg(CLIENT, "10.0.1.5", "203.0.113.5", "10.0.1.5", "203.0.113.5", tcp_flags=2),
    )
    assert out["direction"].to_list() == ["ingress", "egress", "ingress", "egress", "egress"]
    ends = ("source", "source", "destination", "destination", "source")
    assert out["initiator"].to_list() == [f"{end}-by-flags" for end in ends]
    assert out["src_interface"].to_list() == [CLIENT, NAT, NAT, CLIENT, CLIENT]
    assert out["path"].to_list() == ["nat", "internet", "internet", "nat", "nat"]
    assert out["verdict"].to_list() == ["UNKNOWN", "ACCEPT", "ACCEPT", "UNKNOWN", "UNKNOWN"]
    assert out["predicted_action"].to_list() == ["UNKNOWN", "ACCEPT", "ACCEPT", "UNKNOWN", "ACCEPT"]
    assert out["agrees"].to_list() == [None, True, True, None, True]
    assert out["srcaddr"].to_list()[2] == "203.0.113.5"
    assert out["srcport"].to_list()[2] == 443


@pytest.mark.parametrize(
    ("changes", "predicted"),
    [
        ({}, ["ACCEPT", "ACCEPT"]),
        ({"web_out": False}, ["ACCEPT", "REJECT"]),  # FL-41 (with TCP): the reply is refused by the stateless ACL
        ({"web_in": False}, ["REJECT", "UNKNOWN"]),  # FL-42, B: no reply record; if there is one, no prediction
    ],
)
def test_what_aws_would_have_logged(changes: dict[str, bool], predicted: list[str]) -> None:
    """FL-41, FL-42, FL-43: an ingress record tests ACL and group, the reply's egress record only the ACL (FL-63)."""
    out = judged(
        network(**changes),
        leg(WEB, "198.51.100.7", "10.0.2.8", tcp_flags=2),
        leg(WEB, "10.0.2.8", "198.51.100.7", tcp_flags=18, srcport=443, dstport=40000),
    )
    assert out["predicted_action"].to_list() == predicted
    assert out["dst_interface"].to_list() == [WEB, WEB]


def pinged(web_out: bool = True, web_in: bool = True, answers_only: bool = True) -> Network:
    """`network` whose web server is let pinged by all; `answers_only`: its group lets nothing out by itself."""
    net = network(web_out)
    rules = [SecurityGroupRule("sgr-ping", "sg-2", False, 1, -1, -1, cidr_block=ANY)] if web_in else []
    rules += [] if answers_only else [SecurityGroupRule("sgr-all", "sg-2", True, -1, cidr_block=ANY)]
    groups = {**net.security_groups, "sg-2": SecurityGroup("sg-2", "vpc-1", rules=tuple(rules))}
    return replace(net, security_groups=groups)


PING, OPEN = {"srcport": 0, "dstport": 0, "protocol": 1}, ("UNKNOWN", "INITIATOR_UNKNOWN", "source")
NO_RULES = ("REJECT", "SG_HAS_NO_RULES", "source-security-group")
ASKED, ANSWERED = ("10.0.1.5", "10.0.2.8"), ("10.0.2.8", "10.0.1.5")


@pytest.mark.parametrize(
    ("changes", "at", "ends", "predicted", "verdict"),
    [
        ({}, WEB, ASKED, "ACCEPT", ("ACCEPT", None, None)),  # an answer cannot be: the server opens nothing
        ({}, WEB, ANSWERED, "UNKNOWN", OPEN),  # its own ping, refused, or an answer, let out
        ({}, CLIENT, ANSWERED, "ACCEPT", ("ACCEPT", None, None)),  # the server's own ping would not have come so far
        ({"web_out": False}, WEB, ANSWERED, "REJECT", NO_RULES),  # refused by the group, or as an answer by the ACL
        ({"web_in": False}, WEB, ANSWERED, "REJECT", NO_RULES),  # it was never asked
        ({"web_in": False}, WEB, ASKED, "REJECT", ("REJECT", "SG_HAS_NO_RULES", "destination-security-group")),
        ({"answers_only": False}, WEB, ANSWERED, "ACCEPT", OPEN),  # let out either way; refused at the client or not
        ({"icmp_type": 8}, WEB, ANSWERED, "REJECT", NO_RULES),  # a ping it is, and so the server's own
    ],
)
def test_records_without_ports_are_judged_either_way(
    changes: dict[str, Any], at: str, ends: tuple[str, str], predicted: str, verdict: tuple[str, str, str]
) -> None:
    """FL-64, SG-32: a ping and its answer look the same, and only the opener's group is asked."""
    known = {name: changes.pop(name) for name in ("icmp_type",) if name in changes}
    tcp = leg(CLIENT, "10.0.1.5", "203.0.113.5")
    out = judged(pinged(**changes), tcp, leg(at, *ends, **PING, **known), tcp)
    assert out["initiator"].to_list()[1] == "source-assumed"
    assert out.select("verdict", "reason", "stage").row(1) == verdict
    assert out["predicted_action"].to_list() == ["ACCEPT", predicted, "ACCEPT"]
    assert out["agrees"].to_list() == [True, {"ACCEPT": True, "REJECT": False}.get(predicted), True]


def test_other_protocols_without_ports_are_judged_either_way() -> None:
    """SG-33: of ESP too only the opener's group is asked; unlike an ICMP rule, one for ESP lets no ping in."""
    net = pinged(web_in=False)
    esp = SecurityGroupRule("sgr-esp", "sg-2", False, 50, cidr_block=ANY)
    net = replace(net, security_groups={**net.security_groups, "sg-2": SecurityGroup("sg-2", "vpc-1", rules=(esp,))})
    ports = {"srcport": 0, "dstport": 0}
    out = judged(net, *(leg(WEB, *ANSWERED, **ports, protocol=number) for number in (50, 1)))
    assert out["predicted_action"].to_list() == ["UNKNOWN", "REJECT"]


def test_refused_by_block_public_access() -> None:
    """BP-08: the gateway refuses it, and the record says so; without these words nothing at the interface does."""
    net = network(web_in=True)
    described = frozenset({"VpcBlockPublicAccessExclusions"})
    blocked = replace(
        net, block_public_access=(BlockPublicAccessOptions("block-bidirectional"),), described_keys=described
    )
    outward_only = (BlockPublicAccessExclusion("subnet-2", "allow-egress", "create-complete"),)
    excepted = replace(pinged(answers_only=False), block_public_access=blocked.block_public_access)
    excepted = replace(excepted, block_public_access_exclusions=outward_only, described_keys=described)
    out = ("10.0.2.8", "198.51.100.7")
    refused = {"action": "REJECT", "reject_reason": "BPA"}
    rows = [
        leg(WEB, *reversed(out), **refused),
        leg(WEB, *reversed(out), action="REJECT", reject_reason="-"),
        leg(CLIENT, *reversed(out), **refused),
        leg("eni-gone", *reversed(out), **refused),
    ]
    assert judged(blocked, *rows)["predicted_action"].to_list() == ["REJECT", "UNKNOWN", "UNKNOWN", "UNKNOWN"]
    assert judged(net, *rows)["agrees"].to_list()[0] is False
    assert judged(excepted, leg(WEB, *reversed(out), **refused, **PING))["predicted_action"].to_list() == ["REJECT"]


def test_a_record_in_the_middle_is_not_compared() -> None:
    """FL-36: the interface of the record is neither end of the conversation."""
    out = judged(network(), leg(CLIENT, "198.51.100.7", "10.0.1.5", "198.51.100.7", "10.0.2.8"))
    assert out["verdict"].to_list() == ["ACCEPT"]
    assert out["predicted_action"].to_list() == ["UNKNOWN"]


def test_no_prediction_where_a_stage_at_the_interface_is_unknown() -> None:
    """FL-43: the group depends on a prefix list that is not described; the ACL beside it passes."""
    net = network()
    unknown = SecurityGroupRule("sgr-pl", "sg-1", True, -1, prefix_list_id="pl-1")
    net = replace(
        net, security_groups={**net.security_groups, "sg-1": SecurityGroup("sg-1", "vpc-1", rules=(unknown,))}
    )
    out = judged(net, leg(CLIENT, "10.0.1.5", "10.0.2.8"))
    assert out.select("verdict", "reason", "src_acl_rule").row(0) == ("UNKNOWN", "MISSING_PREFIX_LIST", "acl-1#100")
    assert out.select("predicted_action", "agrees").row(0) == ("UNKNOWN", None)


def test_no_prediction_where_the_packet_is_stopped_before() -> None:
    """EN-03: a detached interface sends nothing, so no stage after it is reached, even if none could deny."""
    net = network()
    detached = replace(interface("eni-off", "subnet-2", "10.0.2.9", group_ids=()), status="available")
    net = replace(net, interfaces={**net.interfaces, "eni-off": detached})
    out = judged(net, leg("eni-off", "10.0.2.9", "10.0.2.8"))
    assert out.select("verdict", "stage", "path").row(0) == ("REJECT", "source", "subnet")
    assert out["predicted_action"].to_list() == ["UNKNOWN"]


@pytest.mark.parametrize(
    ("row", "initiator"),
    [
        ({"tcp_flags": 2}, "source-by-flags"),
        ({"tcp_flags": 7}, "source-by-flags"),
        ({"tcp_flags": 18}, "destination-by-flags"),
        ({"tcp_flags": 23}, "destination-by-flags"),
        ({"tcp_flags": 1}, "source-by-port"),
        ({"tcp_flags": None}, "source-by-port"),
        ({"tcp_flags": 18, "protocol": 17}, "source-by-port"),
        ({"srcport": 443, "dstport": 32768}, "destination-by-port"),
        ({"srcport": 8080, "dstport": 443}, "source-by-port"),
        ({"srcport": 32767, "dstport": 32768}, "destination-by-port"),
        ({"srcport": 32768, "dstport": 32769}, "unknown"),
        ({"srcport": 500, "dstport": 500, "protocol": 17}, "unknown"),
        ({"srcport": 0, "dstport": 0, "protocol": 1}, "source-assumed"),
        ({"srcport": None, "dstport": None, "protocol": 50}, "source-assumed"),
    ],
)
def test_who_opened(row: dict[str, Any], initiator: str) -> None:
    """FL-61, FL-62, NA-16."""
    out = judged(network(), leg(CLIENT, "10.0.1.5", "10.0.2.8", **row))
    assert out["initiator"].to_list() == [initiator]
    assert (out["reason"].to_list() == ["INITIATOR_UNKNOWN"]) == (initiator == "unknown")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"srcaddr": "-"}, "NO_DATA"),
        ({"protocol": None}, "NO_DATA"),
        ({"srcport": None}, "NO_DATA"),
        ({"log_status": "SKIPDATA"}, "NO_DATA"),
        ({"interface_id": "eni-gone"}, "UNKNOWN_RESOURCE"),
        ({"dstaddr": "nonsense"}, "INVALID_FLOW"),
    ],
)
def test_records_that_cannot_be_judged_say_why(row: dict[str, Any], reason: str) -> None:
    out = judged(network(), {**leg(CLIENT, "10.0.1.5", "10.0.2.8"), **row}, leg(CLIENT, "10.0.1.5", "10.0.2.8"))
    columns = [
        "verdict",
        "forward",
        "reply",
        "reason",
        "stage",
        "blocked_by",
        "path",
        "src_sg_rule",
        "predicted_action",
    ]
    assert out.select(columns).row(0) == ("UNKNOWN", "UNKNOWN", None, reason, "source", 0, None, None, "UNKNOWN")
    assert out["verdict"].to_list()[1] == "ACCEPT"


def test_the_interface_of_a_record_settles_a_shared_address() -> None:
    """An address of two VPCs is ambiguous, unless the record's own interface holds it."""
    net = network()
    twin = replace(net.interfaces[CLIENT], interface_id="eni-twin", vpc_id="vpc-2", subnet_id=None)
    vpcs = {**net.vpcs, "vpc-2": replace(net.vpcs["vpc-1"], vpc_id="vpc-2")}
    net = replace(net, interfaces={**net.interfaces, "eni-twin": twin}, vpcs=vpcs)
    out = judged(
        net, leg(CLIENT, "10.0.1.5", "10.0.2.8"), {**leg(CLIENT, "10.0.1.5", "10.0.2.8"), "interface_id": None}
    )
    assert out["reason"].to_list() == [None, "ADDR_AMBIGUOUS"]
    assert out["verdict"].to_list() == ["ACCEPT", "UNKNOWN"]


def test_ipv6_in_any_form_and_delegated_prefixes_are_the_interfaces_own() -> None:
    """EN-02, FL-60."""
    net = network()
    held = (ip_network("10.0.1.16/28"), ip_network("2001:db8::/80"))
    changed = replace(
        net.interfaces[CLIENT], prefixes=held, addresses=(InterfaceAddress(ip_address("2001:db8:1::a"), True),)
    )
    net = replace(net, interfaces={**net.interfaces, CLIENT: changed})
    own = [
        "10.0.1.31",
        "2001:DB8:1:0:0::a",
        "2001:db8:1::0:a",
        "2001:0db8:1::a",
        "2001:db8::ffff:1",
        "2001:db8:0:0:0:0:ffff:0001",
    ]
    foreign = ["10.0.1.32", "2001:db8:1::b", "2001:db8:0:0:1::"]
    out = judged(
        net, *(leg(CLIENT, address, "203.0.113.1" if "." in address else "2600::1") for address in own + foreign)
    )
    assert out["direction"].to_list() == ["egress"] * len(own) + [None] * len(foreign)


def test_every_way_to_write_an_ipv6_address_is_one_address() -> None:
    rng, written = random.Random(6), []
    for _ in range(5000):
        groups = [rng.choice(["0", "0", "1", f"{rng.randrange(65536):x}"]) for _ in range(8)]
        zeros = [(i, j) for i in range(8) for j in range(i + 1, 9) if set(groups[i:j]) == {"0"}]
        if zeros and rng.random() < 0.7:
            begin, end = rng.choice(zeros)
            written.append(":".join(groups[:begin]) + "::" + ":".join(groups[end:]))
        else:
            written.append(":".join(group.zfill(rng.choice([1, 1, 4])) for group in groups))
    written += [text.upper() for text in written[:100]] + ["::ffff:10.0.0.1", "10.0.0.1", "no:address"]
    plain = [str(ip_address(text)) if text != "no:address" else text for text in written]
    assert _canonical(pl.Series(written)).to_list() == plain


def test_a_frame_without_rows_or_with_few_columns() -> None:
    out = judge_records(Stepwise(network()), records(leg(WEB, "10.0.2.8", "10.0.1.5")).head(0))
    assert out.height == 0
    assert out.columns[-len(LOG_VERDICT_COLUMNS) :] == [column.name for column in LOG_VERDICT_COLUMNS]
    out = judge_records(Stepwise(network()), pl.DataFrame({"srcaddr": ["10.0.2.8"]}))
    assert out["reason"].to_list() == ["NO_DATA"]


def test_the_compiled_evaluator_gives_the_same() -> None:
    """The stand-in above and the kernels: the same frame, column for column."""
    from flowcore.evaluate import compile_network

    rows = [
        leg(eni, source, destination, srcport=sport, dstport=dport, protocol=protocol, tcp_flags=flags)
        for eni in (CLIENT, NAT, WEB, "eni-gone", None)
        for source in ("10.0.1.5", "10.0.2.8", "198.51.100.7")
        for destination in ("10.0.2.8", "10.0.0.220", "54.0.0.2")
        for sport, dport, protocol, flags in ((40000, 443, 6, 2), (443, 40000, 6, 18), (0, 0, 1, None), (1, 1, 17, 0))
    ]
    net = network(web_out=False)
    slow, fast = (judge_records(judge, records(*rows)) for judge in (Stepwise(net), compile_network(net)))
    words = [column.name for column in (*VERDICT_COLUMNS, *LOG_VERDICT_COLUMNS)]
    assert slow.select(words).cast(pl.String).equals(fast.select(words).cast(pl.String))


# -- the batch job ----------------------------------------------------------------------------------------

HEADER = " ".join(field.name for field in FIELDS if field.version == 2)


def write_log(path: Path, count: int = 60) -> Path:
    """A gzip log with every kind of line: judged, without traffic, unreadable."""
    lines = [HEADER]
    for number in range(count):
        ends = ("10.0.1.5 10.0.2.8", "198.51.100.7 10.0.2.8", "10.0.2.8 198.51.100.7")[number % 3]
        eni = (CLIENT, WEB, WEB)[number % 3]
        action = "REJECT" if number % 7 == 0 else "ACCEPT"
        lines.append(f"2 1 {eni} {ends} {40000 + number} 443 6 {number} 100 1 2 {action} OK")
        if number % 10 == 3:
            lines += [f"2 1 {WEB} - - - - - - - 1 2 - NODATA", f"2 1 {NAT} - - - - - - - 1 2 - SKIPDATA", "rubbish"]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def write_table(path: Path) -> Path:
    flows = pl.DataFrame({"srcaddr": ["10.0.1.5"] * 9, "dstaddr": ["10.0.2.8"] * 9, "srcport": range(40000, 40009)})
    flows.with_columns(dstport=pl.Series([443, 80, 22] * 3), protocol=pl.lit("tcp"), team=pl.lit("red")).write_parquet(
        path
    )
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_summary_counts_everything(tmp_path: Path) -> None:
    summary = evaluate_logs(Stepwise(network()), write_log(tmp_path / "a.log"), tmp_path / "out.parquet")
    assert (summary.files, summary.lines, summary.flows, summary.log_records) == (1, 78, 60, 60)
    assert (summary.rejected, summary.nodata, summary.skipdata) == (6, {WEB: 6}, {NAT: 6})
    assert summary.total.packets == sum(range(60))
    assert summary.total.bytes == 6000
    assert sum(tally.flows for tally in summary.by_verdict.values()) == 60
    assert summary.agreed + summary.disagreed == sum(n for (p, _), n in summary.agreement.items() if p != "UNKNOWN")
    assert summary.disagreed > 0
    assert summary.frame()["flows"].sum() == 60
    assert summary.rejected_share == 6 / 78
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out.height == 60
    assert out["packets"].to_list() == list(range(60))
    assert summary.by_verdict["ACCEPT"].flows == out.filter(pl.col("verdict") == "ACCEPT").height
    rejects = pl.read_csv(tmp_path / "out.parquet.rejects.csv")
    assert rejects["found"].to_list() == ["rubbish"] * 6


def test_summaries_add_up(tmp_path: Path) -> None:
    whole = judge_records(
        Stepwise(network()), records(*[leg(WEB, "198.51.100.7", "10.0.2.8", bytes=n) for n in range(20)])
    )
    assert sum((Summary.of(whole[n : n + 7]) for n in range(0, 20, 7)), start=Summary.empty()) == Summary.of(whole)
    assert replace(Summary.of(whole), seconds=3.0) == Summary.of(whole)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("compiled", [True, False])
def test_same_answer_and_same_bytes_for_any_batch_size(
    tmp_path: Path, single: bool, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiled evaluator's words are Enums, the stand-in's are strings."""
    from flowcore.evaluate import compile_network

    judge = compile_network(network()) if compiled else Stepwise(network())
    monkeypatch.setattr("flowcore.pipeline_output.ROW_GROUP_ROWS", 16)
    sources = [write_log(tmp_path / "a.log"), write_table(tmp_path / "b")]
    found = []
    for batch_rows in (1, 7, 10_000):
        out = tmp_path / str(batch_rows) / ("out.parquet" if single else "out")
        summary = evaluate_logs(judge, sources, out, batch_rows=batch_rows, threads=1 + batch_rows % 2)
        found.append((summary, contents(out.parent)))
    assert found[0] == found[1] == found[2]
    names = list(found[0][1])
    parts = ["out/part-00000.parquet", "out.manifest.json"]
    rejects = f"{out.name}.rejects.csv"
    assert sorted(names) == sorted([*([out.name] if single else parts), rejects])
    frame = pl.read_parquet(out)
    assert frame.height == 69
    columns = [column.name for column in VERDICT_COLUMNS]
    assert {frame.schema[name] for name in columns} == {pl.String(), pl.UInt32(), pl.UInt16()}
    verdicts = [judge.evaluate(pl.read_parquet(sources[1]))]
    verdicts.insert(0, judge_records(judge, frame.head(60).drop(columns)))
    wanted = pl.concat(part.select(pl.col(columns).cast(pl.String)) for part in verdicts)
    assert frame.select(pl.col(columns).cast(pl.String)).equals(wanted)
    assert frame["team"].to_list() == [None] * 60 + ["red"] * 9
    assert frame["predicted_action"].null_count() == 9


class BrokenError(Exception):
    pass


@pytest.mark.parametrize("name", ["out.parquet", "out"])
@pytest.mark.parametrize("before", [False, True])
def test_a_run_that_dies_leaves_nothing_that_looks_whole(
    tmp_path: Path, name: str, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowcore.pipeline_output.ROW_GROUP_ROWS", 4)
    log, folder, judge = write_log(tmp_path / "a.log"), tmp_path / "to", Stepwise(network())
    if before:
        evaluate_logs(judge, write_log(tmp_path / "b.log", 9), folder / name)
    there = contents(folder)

    def die(counts: Any) -> None:
        if counts.records > 30:
            raise BrokenError

    with pytest.raises(BrokenError):
        evaluate_logs(judge, log, folder / name, batch_rows=5, progress=die)
    assert contents(folder) == there
    monkeypatch.setattr("flowcore.pipeline_output.VerdictWriter.__exit__", lambda self, *error: None)
    monkeypatch.setattr("flowcore.pipeline_parts.PartFolder.remove", lambda self: None)
    with pytest.raises(BrokenError):  # as if killed: nothing is tidied up
        evaluate_logs(judge, log, folder / name, batch_rows=5, progress=die)
    left = set(contents(folder)) - set(there)
    assert left
    assert all(path.startswith(".") for path in left)
    monkeypatch.undo()
    evaluate_logs(judge, log, folder / name)
    assert not any(path.startswith(".") for path in contents(folder))


@pytest.mark.parametrize("name", ["out.parquet", "out"])
def test_what_is_not_ours_is_not_replaced(tmp_path: Path, name: str) -> None:
    out, log, judge = tmp_path / "to" / name, write_log(tmp_path / "a.log"), Stepwise(network())
    evaluate_logs(judge, log, out)
    evaluate_logs(judge, log, out)  # ours: replaced
    place = out if name.endswith(".parquet") else out / "part-00000.parquet"
    pl.DataFrame({"precious": [1]}).write_parquet(place)
    with pytest.raises(InputError, match="not a verdict dataset"):
        evaluate_logs(judge, log, out)
    assert pl.read_parquet(place).columns == ["precious"]
    evaluate_logs(judge, log, out, overwrite=True)
    assert "verdict" in pl.read_parquet(place).columns


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="never replaced"):
        evaluate_logs(Stepwise(network()), write_log(tmp_path / "a.log"), tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/thesis.txt").exists()


@pytest.mark.parametrize("name", ["out.parquet", "out"])
def test_rejects_of_an_earlier_run_do_not_stay(tmp_path: Path, name: str) -> None:
    out, rejects = tmp_path / "to" / name, tmp_path / "to" / f"{name}.rejects.csv"
    evaluate_logs(Stepwise(network()), write_log(tmp_path / "a.log"), out)
    assert rejects.exists()
    evaluate_logs(Stepwise(network()), write_table(tmp_path / "b"), out)
    assert not rejects.exists()
    rejects.write_text("precious")
    with pytest.raises(InputError, match="not a verdict dataset"):
        evaluate_logs(Stepwise(network()), write_log(tmp_path / "a.log"), out)
    assert rejects.read_text() == "precious"


@pytest.mark.parametrize("name", ["out.parquet", "out"])
@pytest.mark.parametrize(("size", "named"), [(0, ".rejects.csv"), (1 << 10, "")])
def test_a_disk_that_takes_no_more(tmp_path: Path, name: str, size: int, named: str) -> None:
    """The limit on the size of a file stands for a full disk: the system refuses the write in the same way."""
    resource = pytest.importorskip("resource")
    log, table, folder = write_log(tmp_path / "a.log"), write_table(tmp_path / "b"), tmp_path / "to"
    evaluate_logs(Stepwise(network()), table, folder / name)
    there, limits = contents(folder), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        with pytest.raises(InputError, match="cannot be written; found 'File too large'") as raised:
            evaluate_logs(Stepwise(network()), log, folder / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    single = name.endswith(".parquet")
    assert raised.value.source == folder / (name + (named if single else ""))
    assert contents(folder) == there


@pytest.mark.parametrize("name", ["out.parquet", "out"])
def test_a_place_without_permission(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "to"

    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError, match=rf"{name}: cannot be written; found 'Permission denied'"):
        evaluate_logs(Stepwise(network()), write_table(tmp_path / "b"), folder / name)
    assert not contents(folder)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=rf"file/{name}: cannot be written"):
        evaluate_logs(Stepwise(network()), write_table(tmp_path / "b"), tmp_path / "file" / name)


def test_sources_and_out_are_kept_apart(tmp_path: Path) -> None:
    log = write_log(tmp_path / "logs.parquet")
    with pytest.raises(InputError, match="both read and written"):
        evaluate_logs(Stepwise(network()), log, log, overwrite=True)
    first = evaluate_logs(Stepwise(network()), tmp_path, tmp_path / "out")
    assert evaluate_logs(Stepwise(network()), tmp_path, tmp_path / "out") == first


def test_more_rejected_lines_than_allowed(tmp_path: Path) -> None:
    log, out = write_log(tmp_path / "a.log"), tmp_path / "out.parquet"
    evaluate_logs(Stepwise(network()), log, out, max_rejected=0.1)
    os.remove(out)
    with pytest.raises(IncompleteError, match=r"6 of 78 lines"):
        evaluate_logs(Stepwise(network()), log, out, max_rejected=0.05)
    assert pl.read_parquet(out).height == 60
    with pytest.raises(InputError):
        evaluate_logs(Stepwise(network()), log, out, max_rejected=5)


def test_no_flows_at_all_still_gives_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(HEADER + "\n")
    summary = evaluate_logs(Stepwise(network()), tmp_path / "a.log", tmp_path / "out")
    assert (summary.flows, summary.undecided_share, summary.rejected_share) == (0, 0.0, 0.0)
    assert pl.read_parquet(tmp_path / "out/part-00000.parquet").columns[-1] == "addresses_ambiguous"
