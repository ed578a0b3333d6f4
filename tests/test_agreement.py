"""The fast path and the slow twin agree on every verdict column: about a million flows in the normal run.

Edge flows over networks whose rules overlap, and flows aimed at what stands between (docs/semantics.md, section 6). The
two share the model and the words of verdicts, nothing else. A seed that fails here is reproduced with
`assert_agree(*drawn("between", SEED, 1000))`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random

import polars as pl
import pytest
from agreement import COLUMNS, assert_agree, drawn

import flowcore
from flowcore.evaluate import Evaluator, compile_network
from flowcore.model import Network
from flowcore.schema import PATHS, REASONS, STAGES, stage_names
from flowcore.sources.describe import network_from_documents
from flowcore.synthetic import network_documents, traffic

FLOWS_A_SEED = {"edge": 2500, "between": 1000, "altered": 700, "partly": 500}
SEEDS_A_CHUNK = 10
CHUNKS = {"edge": 30, "between": 25, "altered": 3, "partly": 1}
"""Normal run: 300 seeds of edge networks, 250 of networks full of what stands between, 30 of these altered
(`agreement.altered_documents`), 10 described in part (`agreement.partly_described`); a million flows."""
NIGHTLY = 10
"""Times as many nightly."""

#: Reasons that no flow of the two kinds has, and why.
REASONS_THAT_DO_NOT_OCCUR = {
    "ELB_LISTENER_PORT_RESTRICTION": "ELB_LISTENERS_MISMATCH says it",
    "ELBV2_LISTENER_PORT_RESTRICTION": "ELBV2_LISTENERS_MISMATCH says it",
    "ELBV2_LISTENER_REQUIRES_TG_ACCEPT": "the targets' own reason says it",
    "ELBV2_NO_TARGETS_IN_AZ": "ELB_NOT_CROSSZONE and ELB_INSTALLED_AZ_RESTRICTION say it",
    "ENI_ADDRESS_RESTRICTION": "ENI_SOURCE_DEST_CHECK_RESTRICTION says it",
    "IGW_DESTINATION_ADDRESS_IN_VPC_CIDRS": "such packets have UNKNOWN_DESTINATION or NO_PATH",
    "IGW_NAT_REFLECTION": "hairpins are modelled (IG-11)",
    "TARGET_ADDRESS_RESTRICTION": "a note of a found path",
    "TARGET_PORT_RESTRICTION": "a note of a found path",
    "NGW_REQUIRES_SOURCE_IN_VPC": "not in these seeds; NG-09 in data/cases shows it",
    "VGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS": "the end is found by an address that its interface holds",
    "VPCE_SERVICE_NOT_INSTALLED_IN_AZ": "not modelled",
    "DISCONNECTED_VPCS": "the route's reason says it",
    "UNASSOCIATED_COMPONENT": "UNKNOWN_RESOURCE says it",
    "INITIATOR_UNKNOWN": "of log records only",
    "NO_DATA": "of log records only",
    "HEALTH_CHECK_BLOCKED": "health is not part of the verdict (LB-06)",
    "FRAGMENT_UNSUPPORTED": "flows have no fragments",
    "NAT_PORTS_EXHAUSTED": "a matter of capacity",
    "STATEFUL_REPLY": "a note",
    "SAME_SUBNET": "a note",
}
#: Stages that are the first to stop nothing, or never stop anything, and why.
STAGES_THAT_DO_NOT_STOP = {
    "reply-load-balancer": "nothing is asked of the load balancer in the reply",
    "reply-nat-gateway": "a NAT gateway that let the packet out lets the reply in (NG-05)",
}


def _agree_on(kind: str, chunk: int) -> None:
    for seed in range(chunk * SEEDS_A_CHUNK, (chunk + 1) * SEEDS_A_CHUNK):
        assert_agree(*drawn(kind, seed, FLOWS_A_SEED[kind]), f"{kind} seed {seed}")


def _chunks(first: int, last: int) -> Iterator[tuple[str, int]]:
    """(kind, chunk) of `first` to `last` times the normal run."""
    for kind, count in CHUNKS.items():
        yield from ((kind, chunk) for chunk in range(first * count, last * count))


@pytest.mark.parametrize(("kind", "chunk"), list(_chunks(0, 1)))
def test_both_agree(kind: str, chunk: int) -> None:
    _agree_on(kind, chunk)


@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "chunk"), list(_chunks(1, NIGHTLY)))
def test_both_agree_on_more(kind: str, chunk: int) -> None:
    _agree_on(kind, chunk)


@pytest.mark.parametrize(("kind", "seed"), [("edge", 0), ("between", 1), ("altered", 1)])
def test_both_agree_where_groups_are_not_described(kind: str, seed: int) -> None:
    network, flows = drawn(kind, seed, 1200)
    rng, table = Random(seed), dict(network.interfaces)
    for interface_id, interface in table.items():
        if interface.group_ids and rng.random() < 0.15:
            table[interface_id] = replace(interface, group_ids=None)
    assert_agree(replace(network, interfaces=table), flows, f"{kind} seed {seed}")


# In the last one VPCs share an address, and what one sends by the other's internet gateway does not come back.
@pytest.mark.parametrize(("kind", "seed"), [("between", 5), ("altered", 11), ("altered", 3059)])
def test_walks_that_are_remembered_say_the_same(kind: str, seed: int) -> None:
    """The same flows again, and flows that differ by their source port only, which the same evaluator has not seen."""
    network, flows = drawn(kind, seed, 400)
    port = pl.col("srcport")
    evaluator = compile_network(network)
    for frame in (flows, flows.with_columns(srcport=pl.when(port < 65535).then(port + 1).otherwise(port)), flows):
        assert_agree(network, frame, f"{kind} seed {seed}", evaluator)


def _counts(frame: pl.DataFrame, name: str) -> Counter[str | None]:
    column = frame.get_column(name).cast(pl.String)
    return Counter(dict(column.value_counts().rows()))


def _judged(kind: str, step: int) -> Iterator[tuple[Network, Evaluator, pl.DataFrame]]:
    """Every `step`-th seed of the normal run, judged by the fast path."""
    for seed in range(0, CHUNKS[kind] * SEEDS_A_CHUNK, step):
        network, flows = drawn(kind, seed, FLOWS_A_SEED[kind])
        evaluator = compile_network(network)
        yield network, evaluator, evaluator.evaluate(flows)


def test_the_sample_is_worth_its_size() -> None:
    """Part of the normal run: every reason, path and stage, both families, every answer of the reply."""
    seen = {name: Counter[str | None]() for name in ("verdict", "forward", "reply", "reason", "path", "stage")}
    families, rules, overlapping, ambiguous_views = Counter[int](), Counter[str](), 0, 0
    stopped, targets = Counter[str](), Counter[tuple[int, int]]()
    for kind, step in (("edge", 12), ("between", 1)):
        for network, evaluator, verdicts in _judged(kind, step):
            for name, counter in seen.items():
                counter.update(_counts(verdicts, name))
            decided = verdicts.filter(pl.col("verdict") != "UNKNOWN")
            families[6] += decided.filter(pl.col("srcaddr").str.contains(":")).height
            families[4] += decided.filter(pl.col("srcaddr").str.contains(".", literal=True)).height
            rules.update({name: verdicts.height - verdicts[name].null_count() for name in COLUMNS})
            for blocked_by, count in verdicts["blocked_by"].value_counts().rows():
                stopped.update(dict.fromkeys(stage_names(blocked_by), count))
            targets.update(verdicts.select("targets", "reachable_targets").drop_nulls().rows())
            overlapping += _vpcs_overlap(network)
            ambiguous_views += evaluator.compiled.tables.root.size > 65536
    assert seen["reason"].keys() - {None} == set(REASONS) - REASONS_THAT_DO_NOT_OCCUR.keys()
    assert seen["path"].keys() - {None} == set(PATHS)
    assert seen["stage"].keys() - {None} == set(STAGES) - STAGES_THAT_DO_NOT_STOP.keys()
    assert stopped.keys() == set(STAGES) - STAGES_THAT_DO_NOT_STOP.keys()
    for name, counter in seen.items():
        few = {value: count for value, count in counter.items() if count < 2}
        assert not few, f"{name}: too few of {few}"
    for name in ("verdict", "forward", "reply"):
        assert {"ACCEPT", "REJECT", "UNKNOWN"} <= {value for value, count in seen[name].items() if count > 500}, name
    assert min(families[4], families[6]) > 5_000
    assert overlapping >= 10
    assert ambiguous_views >= 10
    assert all(rules[name] > 1_000 for name in COLUMNS), rules
    assert {(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 2)} <= targets.keys(), targets


def _vpcs_overlap(network: Network) -> bool:
    """Whether two VPCs that have interfaces share part of a CIDR."""
    used = {interface.vpc_id for interface in network.interfaces.values()}
    blocks = [(vpc.vpc_id, block) for vpc in network.vpcs.values() if vpc.vpc_id in used for block in vpc.cidr_blocks]
    return any(a != b and one.overlaps(other) for (a, one), (b, other) in combinations(blocks, 2))


@pytest.mark.parametrize(("seed", "as_integers"), [(1, False), (2, False), (3, True)])
def test_both_agree_on_ordinary_traffic_in_a_larger_network(seed: int, as_integers: bool) -> None:
    documents = network_documents(seed, interfaces=150, groups=60, acls=12, subnets=24, vpcs=4)
    network = network_from_documents(documents)
    flows = traffic(network, 20_000 if not as_integers else 5_000, seed, ipv6_share=0.2, as_integers=as_integers)
    evaluator = compile_network(network)
    assert_agree(network, flows, f"seed {seed}", evaluator)
    verdicts = _counts(evaluator.evaluate(flows), "verdict")
    assert verdicts["ACCEPT"] > 0.3 * flows.height
    assert verdicts["REJECT"] > 0.05 * flows.height


@pytest.mark.parametrize("mixed", [False, True])
def test_both_agree_on_mixed_traffic(mixed: bool) -> None:
    documents = network_documents(4, interfaces=120, groups=40, acls=8, subnets=24, vpcs=4, mixed=True)
    network = network_from_documents(documents)
    flows = traffic(network, 10_000, 4, mixed=mixed)
    evaluator = compile_network(network)
    assert_agree(network, flows, "mixed region", evaluator)
    verdicts = evaluator.evaluate(flows)
    assert _counts(verdicts, "verdict")["ACCEPT"] > 0.6 * flows.height
    if mixed:
        paths = _counts(verdicts.filter(pl.col("verdict") == "ACCEPT"), "path")
        ways = ("nat", "load-balancer", "peering", "transit-gateway", "gateway-endpoint")
        assert all(paths[way] > 0.004 * flows.height for way in ways), paths


def test_kernels_as_plain_python_agree_with_the_twin_and_with_the_compiled(tmp_path: Path) -> None:
    names, count = [f"edge-{seed}" for seed in (3, 40, 77, 102, 160)], 150
    names += [f"between-{seed}" for seed in (1, 5, 12, 23, 31)] + ["altered-3"]
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("interpreted.py")), str(tmp_path), str(count), *names],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(flowcore.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    for name in names:
        kind, _, seed = name.partition("-")
        network, flows = drawn(kind, int(seed), count)
        verdicts = compile_network(network).evaluate(flows).select(COLUMNS)
        verdicts.write_csv(tmp_path / "compiled.csv", null_value="null")
        assert (tmp_path / f"{name}.csv").read_text() == (tmp_path / "compiled.csv").read_text(), name
