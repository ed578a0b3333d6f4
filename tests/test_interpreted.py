"""Little work runs as plain Python: when, and with the same answers. The command line tests run this way, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from agreement import COLUMNS, drawn

import flowcore
from flowcore import interpreted
from flowcore import kernels as k
from flowcore.evaluate import compile_network

SEEDS = ("edge-901", "edge-902", "between-903", "between-904")
FEW_FLOWS = """
import json, sys
from agreement import COLUMNS, drawn
from flowcore import interpreted, kernels, kernels_long
from flowcore.evaluate import compile_network

for name in sys.argv[2:]:
    kind, _, seed = name.partition("-")
    network, flows = drawn(kind, int(seed), 60)
    compile_network(network).evaluate(flows).select(COLUMNS).write_csv(f"{sys.argv[1]}/{name}.csv", null_value="null")
used = (kernels.evaluate_rows, kernels.build_policies, kernels.read_addresses, kernels_long.walk_rows)
print(json.dumps([len(kernel.signatures) for kernel in used]))
"""


class Kernel:
    """What `for_work` asks of a dispatcher."""

    __module__ = "flowcore.kernels"

    def __init__(self, *signatures: str) -> None:
        self.py_func, self.overloads = getattr(k.spread_stages, "py_func", k.spread_stages), signatures


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreted, "MOST", {"spread_stages": 10})
    interpreted._asked.clear()


@pytest.mark.usefixtures("limits")
def test_little_work_is_plain_until_it_adds_up() -> None:
    kernel = Kernel()
    for _ in range(2):
        plain = interpreted.for_work(kernel, 5)
        assert plain is not kernel
        assert plain(0x1FFF) == kernel.py_func(0x1FFF)
    assert interpreted.for_work(kernel, 1) is kernel


@pytest.mark.usefixtures("limits")
def test_much_work_and_a_loaded_kernel_are_machine_code() -> None:
    kernel, loaded = Kernel(), Kernel("int64(int64)")
    assert interpreted.for_work(kernel, 11) is kernel
    assert interpreted.for_work(loaded, 1) is loaded
    assert interpreted.for_work(kernel, 10) is not kernel, "what went to machine code does not count"


def test_a_kernel_without_a_limit_is_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreted, "MOST", {})
    kernel = Kernel()
    assert interpreted.for_work(kernel, 0) is kernel


def test_numbers_that_wrap_say_nothing(recwarn: pytest.WarningsRecorder, limits: None) -> None:
    def wraps(value: np.uint32) -> np.uint32:
        return value - np.uint32(1)

    kernel = Kernel()
    module = sys.modules["flowcore.interpreted.kernels"] = interpreted.import_module("flowcore.interpreted.kernels")
    before = module.spread_stages
    try:
        module.spread_stages = wraps
        assert interpreted.for_work(kernel, 1)(np.uint32(0)) == 0xFFFFFFFF
    finally:
        module.spread_stages = before
    assert not recwarn.list


def test_few_flows_are_judged_alike_without_machine_code(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "FLOWCORE_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), str(Path(flowcore.__file__).parents[1]))),
    }
    call = [sys.executable, "-W", "error", "-c", FEW_FLOWS, str(tmp_path), *SEEDS]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [0, 0, 0, 0], "compiled all the same"
    for name in SEEDS:
        kind, _, seed = name.partition("-")
        network, flows = drawn(kind, int(seed), 60)
        expected = compile_network(network).evaluate(flows).select(COLUMNS).write_csv(null_value="null")
        assert (tmp_path / f"{name}.csv").read_text() == expected, name
