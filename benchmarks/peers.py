"""flowcore beside other ways, with the same answers: which entry of a network ACL of 900 decides?

The peers search that one list. flowcore walks the whole way, there and back, through a network with one interface
behind that ACL, and names the deciding entry as one of its columns.
"""

from __future__ import annotations

from ipaddress import IPv4Address, summarize_address_range
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

import flowcore
from flowcore import synthetic_records as records
from flowcore.columns import flows_of
from flowcore.schema import STAGE_BITS
from flowcore.synthetic_regions import KEYS

from .harness import Benchmark, Figure, Pass, Plan, Sample, Scale, WrongAnswerError, rate, ratio
from .inputs import SEED, child, flow_count, scratch
from .peerways import WAYS
from .rulelists import ANY, Acl, Asked, acl_rules, acl_scan, asked_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowcore.evaluate import Evaluator
    from flowcore.kernels import Flows, Verdicts

RULES = 900
PRIVATE, PUBLIC = "10.0.0.10", "54.144.0.7"
ACL_ID = "acl-00000000000000009"
RATE = "flow/s/core"

#: Flows a peer answers in a few seconds.
FLOWS = {
    "Python, ipaddress": 20_000,
    "Polars join_where": 50_000,
    "DuckDB range join": 300_000,
    "NumPy broadcasting": 500_000,
    "NumPy rule by rule": 1_000_000,
    "Numba scan": 2_000_000,
}
MOST = 2_000_000


class Setting(NamedTuple):
    """The list, the flows asked of it, and the network that has the list as its ACL."""

    rules: Acl
    asked: Asked
    evaluator: Evaluator
    frame: pl.DataFrame
    flows: Flows


def setting(count: int) -> Setting:
    """`count` flows from the internet to the one interface, over the list of 900."""
    rules = acl_rules(RULES, SEED)
    asked = asked_of(rules, count, SEED)
    evaluator = flowcore.compile_network(flowcore.network_from_documents(one_interface(rules)))
    frame = pl.DataFrame(
        {
            "srcaddr": asked.source,
            "dstaddr": np.full(count, int(IPv4Address(PUBLIC)), np.uint32),
            "srcport": np.random.default_rng(SEED).integers(32768, 61000, count).astype(np.uint16),
            "dstport": asked.port,
            "protocol": asked.protocol,
        }
    )
    return Setting(rules, asked, evaluator, frame, flows_of(frame, evaluator.compiled.interface_ids))


def one_interface(rules: Acl) -> dict[str, list[dict[str, Any]]]:
    """describe-* JSON: one public interface, groups that allow all, an ACL with `rules` inbound and all outbound."""
    vpc_id, subnet_id, gateway_id = "vpc-00000000000000001", "subnet-00000000000000002", "igw-00000000000000003"
    group_id, interface_id = "sg-00000000000000004", "eni-00000000000000005"
    entries = [records.acl_entry(100, True, "allow", "0.0.0.0/0")]
    for r in range(rules.low.size):
        bounds = (IPv4Address(int(bound)) for bound in (rules.low[r], rules.high[r]))
        protocol, ports = int(rules.protocol[r]), (int(rules.port_low[r]), int(rules.port_high[r]))
        action = "allow" if rules.allow[r] else "deny"
        cidr = str(next(summarize_address_range(*bounds)))
        entries.append(records.acl_entry(r + 1, False, action, cidr, protocol, None if protocol == ANY else ports))
    open_to_all = [
        records.group_rule(f"sgr-0000000000000000{6 + egress}", group_id, egress, "-1", (-1, -1), "0.0.0.0/0")
        for egress in (False, True)
    ]
    routes = [records.route("10.0.0.0/16", "local"), records.route("0.0.0.0/0", gateway_id)]
    made: dict[str, list[dict[str, Any]]] = {key: [] for key in KEYS}
    made["Vpcs"] = [records.vpc(vpc_id, ["10.0.0.0/16"])]
    made["Subnets"] = [records.subnet(subnet_id, vpc_id, "10.0.0.0/24")]
    made["InternetGateways"] = [records.internet_gateway(gateway_id, [vpc_id])]
    made["RouteTables"] = [records.route_table("rtb-00000000000000008", vpc_id, routes, main=True)]
    made["NetworkAcls"] = [
        records.network_acl(ACL_ID, vpc_id, entries, default=True, subnet_ids=[subnet_id], ipv6=False)
    ]
    made["SecurityGroups"] = [records.security_group(group_id, vpc_id, "all", open_to_all)]
    made["SecurityGroupRules"] = open_to_all
    made["NetworkInterfaces"] = [
        records.interface(interface_id, vpc_id, subnet_id, [(PRIVATE, PUBLIC)], groups=[(group_id, "all")])
    ]
    return made


def flowcore_answer(setting: Setting) -> pl.DataFrame:
    """flowcore's verdicts, and `entry`: the deciding entry's place in the list, RULES for the final deny."""
    number = pl.col("dst_acl_rule").cast(pl.String).str.strip_prefix(f"{ACL_ID}#")
    place = pl.when(number.is_in(["*", "32767"])).then(RULES).otherwise(number.cast(pl.Int64, strict=False) - 1)
    return setting.evaluator.evaluate(setting.frame, threads=1).with_columns(place.cast(pl.Int64).alias("entry"))


def check_answer(setting: Setting, ours: pl.DataFrame, answers: Mapping[str, Any]) -> None:
    """WrongAnswerError unless `ours` names the same entries as every peer, and its verdicts are those entries' actions.

    A peer may have answered for the first flows only.
    """
    entry = ours["entry"].fill_null(-1).to_numpy()
    for name, found in answers.items():
        if not np.array_equal(entry[: len(found)], found):
            row = int(np.flatnonzero(entry[: len(found)] != found)[0])
            raise WrongAnswerError(f"{name} differs at flow {row}: {found[row]}, flowcore: {entry[row]}")
    denied = ~np.append(setting.rules.allow, False)[entry]
    stopped = (ours["blocked_by"].to_numpy() >> STAGE_BITS["destination-network-acl"] & 1).astype(bool)
    if not np.array_equal(denied, stopped) or not np.array_equal(denied, ours["verdict"].to_numpy() == "REJECT"):
        raise WrongAnswerError("verdicts are not the actions of the entries that decided")


def _peers(scale: Scale) -> Plan:
    tiny = 200 if scale is Scale.TINY else 2000
    counts = FLOWS if scale is Scale.FULL else dict.fromkeys(FLOWS, tiny)
    made = setting(flow_count(scale, MOST))
    answers: dict[str, Any] = {}

    def peer(name: str) -> Pass:
        count = counts[name]
        place = scratch() / f"peer-{list(FLOWS).index(name)}"
        questions, written = place.with_suffix(".npz"), place.with_suffix(".npy")
        columns = {f"rule_{field}": column for field, column in made.rules._asdict().items()}
        columns |= {f"flow_{field}": column[:count] for field, column in made.asked._asdict().items()}
        np.savez(questions, allow_pickle=False, **columns)

        def take() -> Mapping[str, Sample]:
            one = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
            answer = child("peer", name, str(questions), str(written), environment=one)
            answers[name] = np.load(written, allow_pickle=False)
            return {name: Sample(count / answer["cpu"], answer["cpu"], answer["wall"])}

        return take

    def whole() -> Verdicts:
        return made.evaluator.evaluate_columns(made.flows, threads=1)

    whole()
    flowcore_pass = rate("flowcore, whole walk", whole, made.asked.source.size)
    return Plan(
        (*(peer(name) for name in WAYS), flowcore_pass),
        warm=False,  # a peer warms up in its own process
        check=lambda: check_answer(made, flowcore_answer(made), answers),
    )


def _walk_over_scan(scale: Scale) -> Plan:
    count = flow_count(scale, 2_000_000)
    made = setting(count)
    scan = acl_scan()

    tests = made.rules.tests()

    def scanned() -> Any:
        return scan(*tests, *made.asked)

    def tested() -> Mapping[str, Sample]:
        found = scan(*tests, *(column[:20_000] for column in made.asked))
        return {"rules tested by the scan": Sample(float((found + (found < RULES)).mean()))}

    def walk() -> Verdicts:
        return made.evaluator.evaluate_columns(made.flows, threads=1)

    return Plan(
        (rate("flowcore, whole walk", walk, count), rate("Numba scan", scanned, count), tested),
        check=lambda: check_answer(made, flowcore_answer(made), {"Numba scan": scanned()}),
    )


BENCHMARKS = (
    Benchmark(
        "first_match_900_rules_peers",
        "Which of an ACL's 900 entries decides: six other ways, each a process with one thread; flowcore's whole walk.",
        (
            *(Figure(name, RATE) for name in WAYS),
            Figure("flowcore, whole walk", RATE),
            *(ratio(f"flowcore / {name}", "flowcore, whole walk", name) for name in WAYS),
        ),
        _peers,
    ),
    Benchmark(
        "whole_walk_900_entries_over_scan_2M_flows",
        "The same question: flowcore's whole walk there and back over one plain Numba scan of that one list, in turns.",
        (
            Figure("flowcore, whole walk", RATE),
            Figure("Numba scan", RATE),
            ratio("whole walk / scan", "flowcore, whole walk", "Numba scan", 15, 25),
            Figure("rules tested by the scan", "rules/flow"),
        ),
        _walk_over_scan,
    ),
)
