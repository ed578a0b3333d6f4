"""One flow at a time: `explain`, plain Python, as a function and as a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flowcore

from .harness import Benchmark, Figure, Plan, Sample, Scale, cost
from .inputs import DEMO, flow_count, flows, network, process

if TYPE_CHECKING:
    from collections.abc import Mapping


def _explain(scale: Scale) -> Plan:
    count = min(flow_count(scale, 2000), 2000 if scale is Scale.FULL else 100)
    described = network("1k", scale)
    rows = flows("1k", scale, count, as_integers=False).to_dicts()

    def all_rows() -> None:
        for row in rows:
            flowcore.explain(described, row)

    return Plan((cost("explain", all_rows, count, 1e6),))


def _command(_: Scale) -> Plan:
    arguments = ("--from", "internet", "--to", "tag:Name=web-1", "--port", "443", "--quiet")

    def take() -> Mapping[str, Sample]:
        return {"flowcore explain": process("-m", "flowcore", "explain", str(DEMO), *arguments)[1]}

    return Plan((take,))


BENCHMARKS = (
    Benchmark(
        "explain_1k_interfaces_2k_flows",
        "explain(network, flow) over the 1,000-interface network: CPU microseconds a flow.",
        (Figure("explain", "µs/flow"),),
        _explain,
    ),
    Benchmark(
        "explain_command_demo_network_1_flow",
        "`flowcore explain` over the demo snapshot, process start to end: wall seconds.",
        (Figure("flowcore explain", "s"),),
        _command,
    ),
)
