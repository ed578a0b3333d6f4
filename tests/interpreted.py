"""Run by test_agreement.py with NUMBA_DISABLE_JIT=1: the kernels as plain Python, one CSV of verdicts a seed.

`python interpreted.py FOLDER COUNT KIND-SEED...`: verdict columns of COUNT flows of each kind and seed (edge-3,
between-7) go to FOLDER/KIND-SEED.csv, after the twin has judged the same flows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numba
from agreement import COLUMNS, assert_agree, drawn

from flowcore.evaluate import compile_network


def main(folder: Path, count: int, names: list[str]) -> None:
    assert numba.config.DISABLE_JIT
    for name in names:
        kind, _, seed = name.partition("-")
        network, flows = drawn(kind, int(seed), count)
        evaluator = compile_network(network)
        assert_agree(network, flows, f"{name}, interpreted", evaluator)
        evaluator.evaluate(flows).select(COLUMNS).write_csv(folder / f"{name}.csv", null_value="null")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
