"""The ways capacity lays flows on, against `explain` flow by flow, on networks full of gateways of every kind."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from agreement import between_network

import flowcore
from flowcore.analyses.capacity import measure_capacity
from flowcore.analyses.capacity_ways import _hops_there
from flowcore.model import Network
from flowcore.synthetic import between_flows
from flowcore.walk import Explainer
from flowcore.walk_path import Hop

KINDS = (
    ("internet-gateway", "internet_gateways"), ("vpn-gateway", "vpn_gateways"), ("gateway-endpoint", "vpc_endpoints"),
    ("egress-only-internet-gateway", "egress_only_internet_gateways"),
)  # fmt: skip


def met(network: Network, hop: Hop) -> set[tuple[str, str]]:
    """What one hop goes through; transit gateway attachments by the words of the hop."""
    name = hop.component
    if hop.stage in ("nat-gateway", "peering"):
        return {(hop.stage, name)}
    if hop.stage == "gateway":
        return {(kind, name) for kind, collection in KINDS if name in getattr(network, collection)}
    if hop.stage == "middle-interface":
        kind = "gateway-load-balancer-endpoint" if name in network.vpc_endpoints else "appliance"
        return {(kind, name)}
    if hop.stage == "transit-gateway":
        ids = network.transit_gateway_attachments
        found = {each for each in ids if f"to {each} (" in hop.note or hop.note.startswith(f"{each},")}
        return {("transit-gateway-attachment", each) for each in found}
    return set()


def counted_by_explain(network: Network, flows: pl.DataFrame) -> Counter[tuple[str, str]]:
    """(kind, resource) -> bytes, each flow walked by itself. Not for sources outside: the walk does not name the
    attachment that they come in by."""
    explainer, found = Explainer(network), Counter[tuple[str, str]]()
    for row in flows.iter_rows(named=True):
        path = explainer.explain(row)
        if path.forward != "ACCEPT":
            continue
        seen = {each for hop in _hops_there(path.hops) for each in met(network, hop)}
        balancer = network.load_balancer_of.get(path.dst_interface or "")
        seen |= {("load-balancer", balancer.load_balancer_id)} if balancer else set()
        for each in seen:
            found[each] += row["bytes"]
    return found


@pytest.mark.parametrize("seed", [1, 8, 9])
def test_bytes_of_each_gateway_are_those_that_explain_sends_there(seed: int) -> None:
    network = between_network(seed)
    flows = between_flows(network, seed, 900).with_columns(bytes=pl.int_range(1, 901))
    evaluator = flowcore.compile_network(network)
    inside = flows.filter(evaluator.evaluate(flows)["src_interface"].is_not_null())
    expected = counted_by_explain(network, inside)
    found: Any = measure_capacity(evaluator, inside)
    rows = found.resources.filter(
        (pl.col("metric") == "bytes") & ~pl.col("kind").is_in(["zones", "regions", "interface-endpoint"])
    )
    assert {(kind, name): size for kind, name, size in rows.select("kind", "resource", "total").rows()} == expected
    assert len({kind for kind, _ in expected}) >= 3
    places = dict(found.categories.group_by("place").agg(pl.col("bytes").sum()).rows())
    records = found.categories.filter(pl.col("place") == "records")
    assert places["records"] == inside["bytes"].sum()
    carried = records.filter(pl.col("category") == "carried")["bytes"].item()
    assert {places[name] for name in ("zones", "edge", "nat-gateway", "transit-gateway", "endpoint")} == {carried}
