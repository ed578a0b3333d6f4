"""The fast path against the slow twin: both judge the same flows, every verdict column is compared."""

from __future__ import annotations

from typing import Any

import polars as pl

from flowcore.evaluate import Evaluator, compile_network
from flowcore.model import Network
from flowcore.schema import VERDICT_COLUMNS
from flowcore.sources.describe import network_from_documents
from flowcore.synthetic import between_documents, between_flows, edge_documents, edge_flows
from flowcore.synthetic_between import NAT_INSTANCE_TAG
from flowcore.walk import Explainer

COLUMNS = tuple(column.name for column in VERDICT_COLUMNS)


def edge_network(seed: int) -> Network:
    """The edge network of one seed."""
    return network_from_documents(edge_documents(seed))


def between_network(seed: int) -> Network:
    """The network full of what stands between of one seed; interfaces that have the tag are NAT instances."""
    documents = between_documents(seed)
    boxes = [
        row["NetworkInterfaceId"]
        for row in documents["NetworkInterfaces"]
        if any(tag["Key"] == NAT_INSTANCE_TAG for tag in row["TagSet"])
    ]
    return network_from_documents(documents, nat_instances=boxes)


def drawn(kind: str, seed: int, count: int) -> tuple[Network, pl.DataFrame]:
    """Network and flows of one seed; `kind`: edge, or between (an eighth of whose flows are edge flows)."""
    if kind == "edge":
        network = edge_network(seed)
        return network, edge_flows(network, seed, count)
    network = between_network(seed)
    few = count // 8
    return network, pl.concat(
        [between_flows(network, seed, count - few), edge_flows(network, seed, few)], how="vertical_relaxed"
    )


def slow_rows(network: Network, flows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The twin's verdict columns, one tuple a flow, in the order of COLUMNS."""
    explainer = Explainer(network)
    return [tuple(explainer.explain(flow).columns().values()) for flow in flows.iter_rows(named=True)]


def fast_rows(evaluator: Evaluator, flows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The same of the fast path."""
    return evaluator.evaluate(flows).select(COLUMNS).rows()


def disagreements(network: Network, flows: pl.DataFrame, evaluator: Evaluator | None = None) -> list[str]:
    """One line for each flow that the two judge differently: the flow, then each column, twin first."""
    slow = slow_rows(network, flows)
    fast = fast_rows(evaluator or compile_network(network), flows)
    assert len(slow) == len(fast) == flows.height
    if slow == fast:
        return []
    return [
        f"{flow}: "
        + ", ".join(f"{name} {a!r} != {b!r}" for name, a, b in zip(COLUMNS, one, other, strict=True) if a != b)
        for flow, one, other in zip(flows.iter_rows(named=True), slow, fast, strict=True)
        if one != other
    ]


def assert_agree(network: Network, flows: pl.DataFrame, hint: object = "", evaluator: Evaluator | None = None) -> None:
    """Fails naming how many flows differ, and the first of them."""
    found = disagreements(network, flows, evaluator)
    assert not found, f"{hint}: {len(found)} of {flows.height} flows (twin != fast path):\n" + "\n".join(found[:5])
