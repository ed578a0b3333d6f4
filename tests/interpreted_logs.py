"""Run by test_log_kernels.py with NUMBA_DISABLE_JIT=1: the loops over flow logs as plain Python, which checks bounds.

`python interpreted_logs.py FOLDER`: the verdicts of each FOLDER/*.log go to the Parquet file of that name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numba
import numpy as np

from flowcore import compile_network, network_from_documents, pipeline_run
from flowcore.pipeline import evaluate_logs
from flowcore.sources import groups
from flowcore.synthetic import network_documents

#: Pieces, groups and tables so small that all that happens at their ends happens.
SMALL = {(groups, "PIECE_ROWS"): 16, (groups, "_WORD_BYTES"): 1 << 12, (pipeline_run, "GROUP_ROWS"): 64}


def main(folder: Path) -> None:
    assert numba.config.DISABLE_JIT
    for (module, name), value in SMALL.items():
        setattr(module, name, value)
    judge = compile_network(network_from_documents(network_documents(seed=3, interfaces=6)))
    with np.errstate(over="ignore"):  # hashes wrap
        for log in sorted(folder.glob("*.log")):
            evaluate_logs(judge, log, folder / f"{log.name}.parquet", threads=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
