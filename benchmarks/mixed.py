"""One network judged with plain traffic and with traffic a third of which meets something in between."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flowcore.columns import flows_of
from flowcore.synthetic import traffic

from .evaluation import RATE, in_batches
from .harness import Benchmark, Figure, Plan, Sample, Scale, rate, ratio
from .inputs import SEED, SKEW, flow_count, mixed_evaluator, mixed_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowcore.evaluate import Evaluator
    from flowcore.kernels import Flows

#: Paths of the flows whose shares are reported.
WAYS = (
    "subnet", "vpc", "internet", "nat", "load-balancer", "peering", "transit-gateway", "gateway-endpoint",
)  # fmt: skip
SAMPLE = 200_000


def _flows(scale: Scale, count: int, ids: Mapping[str, int], *, mixed: bool, skew: float = 0.0) -> Flows:
    frame = traffic(mixed_network(scale), count, SEED, skew=skew, ipv6_share=0.0, as_integers=True, mixed=mixed)
    return flows_of(frame, ids)


def _shares(scale: Scale, judge: Evaluator, count: int) -> dict[str, Sample]:
    """What the mixed traffic is made of: percent of flows by path, and by verdict."""
    frame = traffic(mixed_network(scale), min(count, SAMPLE), SEED, ipv6_share=0.0, as_integers=True, mixed=True)
    verdicts = judge.evaluate(frame)
    found: dict[str, Sample] = {}
    for column, words, name in (("path", WAYS, "flows by"), ("verdict", ("ACCEPT", "UNKNOWN"), "flows")):
        counts = Counter(verdicts[column].to_list())
        found |= {f"{name} {word}": Sample(100 * counts[word] / verdicts.height) for word in words}
    return found


def _mixed(scale: Scale) -> Plan:
    count = flow_count(scale, 4_000_000)
    judge = mixed_evaluator(scale)
    ids = judge.compiled.interface_ids
    passes = [
        rate(
            f"{name} traffic{', skewed' if skew else ''}",
            in_batches(judge, _flows(scale, count, ids, mixed=name == "mixed", skew=skew), 1),
            count,
        )
        for skew in (0.0, SKEW)
        for name in ("plain", "mixed")
    ]
    shares = _shares(scale, judge, count)
    return Plan((*passes, lambda: shares))


BENCHMARKS = (
    Benchmark(
        "mixed_1k_interfaces_4M_flows",
        "1,000 interfaces, NAT and transit gateways, peering and load balancers: plain traffic against mixed.",
        (
            Figure("plain traffic", RATE),
            Figure("mixed traffic", RATE),
            ratio("mixed / plain", "mixed traffic", "plain traffic", 0.5),
            Figure("plain traffic, skewed", RATE),
            Figure("mixed traffic, skewed", RATE),
            ratio("mixed / plain, skewed", "mixed traffic, skewed", "plain traffic, skewed", 0.5),
            *(Figure(f"flows by {way}", "%") for way in WAYS),
            Figure("flows ACCEPT", "%"),
            Figure("flows UNKNOWN", "%"),
        ),
        _mixed,
    ),
)
