"""Run by test_agreement.py with NUMBA_DISABLE_JIT=1: the kernels as plain Python, one CSV of verdicts a seed.

`python interpreted.py FOLDER COUNT SEED...`: verdict columns of COUNT edge flows of each seed go to FOLDER/SEED.csv,
after the twin has judged the same flows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numba
from agreement import COLUMNS, assert_agree, edge_network

from flowcore.evaluate import compile_network
from flowcore.synthetic import edge_flows


def main(folder: Path, count: int, seeds: list[int]) -> None:
    assert numba.config.DISABLE_JIT
    for seed in seeds:
        network = edge_network(seed)
        flows = edge_flows(network, seed, count)
        evaluator = compile_network(network)
        assert_agree(network, flows, f"seed {seed}, interpreted", evaluator)
        evaluator.evaluate(flows).select(COLUMNS).write_csv(folder / f"{seed}.csv", null_value="null")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [int(seed) for seed in sys.argv[3:]])
