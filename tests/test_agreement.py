"""The fast path and the slow twin agree on every verdict column: a million edge flows in the normal run.

The two share the model and the words of verdicts, nothing else. A seed that fails here is reproduced with
`assert_agree(edge_network(SEED), edge_flows(network, SEED, 2500))`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest
from agreement import COLUMNS, assert_agree, edge_network

import flowcore
from flowcore.evaluate import compile_network
from flowcore.model import Network
from flowcore.schema import PATHS, STAGES
from flowcore.sources.describe import network_from_documents
from flowcore.synthetic import edge_flows, network_documents, traffic

FLOWS_A_SEED = 2500
SEEDS_A_CHUNK = 10
CHUNKS = 40
NIGHTLY_CHUNKS = 400
"""Normal run: 400 seeds, 1,000,000 flows. Nightly: ten times that."""

#: Every reason an edge network can give: those of docs/semantics.md but RECORDS' own (INITIATOR_UNKNOWN).
REASONS_THAT_OCCUR = {
    "ADDR_AMBIGUOUS", "AMBIGUOUS_PREFIX_LIST_ROUTE", "ASYMMETRIC_RETURN", "BAD_STATE", "BAD_STATE_ATTACHMENT",
    "BAD_STATE_ROUTE", "DENY_ALL_IGW_TRAFFIC", "ENI_SG_RULES_MISMATCH", "ENI_SOURCE_DEST_CHECK_RESTRICTION",
    "ICMP_TYPE_UNKNOWN", "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS",
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS", "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS",
    "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS",
    "IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS", "INVALID_FLOW", "MISSING_PREFIX_LIST", "NO_PATH",
    "NO_POSSIBLE_DESTINATION", "NO_ROUTE_TO_DESTINATION", "NO_SOURCE_OR_DESTINATION", "SG_HAS_NO_RULES",
    "SUBNET_ACL_RESTRICTION", "UNFILTERED_SERVICE", "UNKNOWN_DESTINATION", "UNKNOWN_PEERED_SGS", "UNKNOWN_RESOURCE",
    "UNSUPPORTED_COMPONENT", "VPC_BLOCK_PUBLIC_ACCESS_ENABLED",
}  # fmt: skip
#: Load balancers are paths of a later version.
PATHS_THAT_OCCUR = set(PATHS) - {"load-balancer"}


def _seeds(chunk: int) -> range:
    return range(chunk * SEEDS_A_CHUNK, (chunk + 1) * SEEDS_A_CHUNK)


def _agree_on(chunk: int) -> None:
    for seed in _seeds(chunk):
        network = edge_network(seed)
        assert_agree(network, edge_flows(network, seed, FLOWS_A_SEED), f"seed {seed}")


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_both_agree_on_edge_flows(chunk: int) -> None:
    _agree_on(chunk)


@pytest.mark.nightly
@pytest.mark.parametrize("chunk", range(CHUNKS, NIGHTLY_CHUNKS))
def test_both_agree_on_more_edge_flows(chunk: int) -> None:
    _agree_on(chunk)


def _counts(frame: pl.DataFrame, name: str) -> Counter[str | None]:
    column = frame.get_column(name).cast(pl.String)
    return Counter(dict(column.value_counts().rows()))


def test_the_sample_is_worth_its_size() -> None:
    """Every eighth seed of the normal run: every reason, path and stage, both families, every answer of the reply."""
    seen = {name: Counter[str | None]() for name in ("verdict", "forward", "reply", "reason", "path", "stage")}
    families, rules, overlapping, ambiguous_views = Counter[int](), Counter[str](), 0, 0
    for seed in range(0, CHUNKS * SEEDS_A_CHUNK, 8):
        network = edge_network(seed)
        flows = edge_flows(network, seed, FLOWS_A_SEED)
        evaluator = compile_network(network)
        verdicts = evaluator.evaluate(flows)
        for name, counter in seen.items():
            counter.update(_counts(verdicts, name))
        decided = verdicts.filter(pl.col("verdict") != "UNKNOWN")
        families[6] += decided.filter(pl.col("srcaddr").str.contains(":")).height
        families[4] += decided.filter(pl.col("srcaddr").str.contains(".", literal=True)).height
        rules.update({name: verdicts.height - verdicts[name].null_count() for name in COLUMNS})
        overlapping += _vpcs_overlap(network)
        ambiguous_views += evaluator.compiled.tables.root.size > 65536
    assert seen["reason"].keys() - {None} == REASONS_THAT_OCCUR
    assert seen["path"].keys() - {None} == PATHS_THAT_OCCUR
    assert seen["stage"].keys() - {None} == set(STAGES)
    for name, counter in seen.items():
        few = {value: count for value, count in counter.items() if count < 10}
        assert not few, f"{name}: too few of {few}"
    for name in ("verdict", "forward", "reply"):
        assert {"ACCEPT", "REJECT", "UNKNOWN"} <= {value for value, count in seen[name].items() if count > 500}, name
    assert min(families[4], families[6]) > 5_000
    assert overlapping >= 10
    assert ambiguous_views >= 10
    assert all(rules[name] > 1_000 for name in COLUMNS), rules


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


def test_kernels_as_plain_python_agree_with_the_twin_and_with_the_compiled(tmp_path: Path) -> None:
    seeds, count = (3, 16, 40, 77, 81, 102, 160, 211), 150
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("interpreted.py")), str(tmp_path), str(count), *map(str, seeds)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(flowcore.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    for seed in seeds:
        network = edge_network(seed)
        verdicts = compile_network(network).evaluate(edge_flows(network, seed, count)).select(COLUMNS)
        verdicts.write_csv(tmp_path / "compiled.csv", null_value="null")
        assert (tmp_path / f"{seed}.csv").read_text() == (tmp_path / "compiled.csv").read_text(), seed
