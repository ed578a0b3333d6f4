"""The loops over flow logs: interpreted they write the same bytes, and machine code never outlives their text."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from interpreted_logs import SMALL
from replay_inputs import text_of, with_more_fields
from test_kernel_cache import copied, edit, run
from test_log_columns import mutated

import flowcore
from flowcore import compile_network, network_from_documents
from flowcore.pipeline import evaluate_logs
from flowcore.synthetic import log_records, network_documents, traffic

WORDS = """
import json
import numpy as np
import flowcore.logkernels as k
offsets, data = np.array([0, 2, 5], np.int64), np.frombuffer(b"abcde" + bytes(k.PADDING), np.uint8)
out = np.zeros(13, np.uint8)
k.plain_words(offsets, data, out)
print(json.dumps([out.tolist(), str(k.CACHE_FOLDER), sum(k.plain_words.stats.cache_hits.values())]))
"""
PLAIN = [2, 0, 0, 0, 97, 98, 3, 0, 0, 0, 99, 100, 101]


def test_edited_loops_never_meet_old_machine_code(tmp_path: Path) -> None:
    """The folder of machine code is named by the text of logkernels.py; without an edit it is used again."""
    loops, cache = copied(tmp_path).with_name("logkernels.py"), {"FLOWCORE_CACHE_DIR": str(tmp_path / "cache")}
    first, folder, _ = run(WORDS, tmp_path, **cache)
    again, same_folder, hits = run(WORDS, tmp_path, **cache)
    assert (first, again, same_folder, hits) == (PLAIN, PLAIN, folder, 1)
    edit(loops, ("out[place + byte] = size >> (8 * byte) & 255", "out[place + byte] = size >> (8 * byte) & 254"))
    edited, other_folder, hits = run(WORDS, tmp_path, **cache)
    assert edited == [2, 0, 0, 0, 97, 98, 2, 0, 0, 0, 99, 100, 101]
    assert (other_folder != folder, hits) == (True, 0)


def logs(folder: Path) -> None:
    """A log of few records in two formats, with damage, and one with words of lines that become no row."""
    network = network_from_documents(network_documents(seed=3, interfaces=6))
    flows = traffic(network, 150, 3)
    records = log_records(compile_network(network).evaluate(flows), 3)
    rng = random.Random(3)
    plain = text_of(records)[:120]
    (folder / "plain.log").write_bytes(b"\n".join(mutated(rng, line.encode()) for line in plain))
    rich = text_of(with_more_fields(records, 3))[:150]
    silent = [line.replace("OK", "NODATA").replace("eni-", f"eni-{n}-") for n, line in enumerate(plain[1:] * 3)]
    (folder / "rich.log").write_text("\n".join([*rich, *plain[:1], *silent, *plain[1:20]]) + "\n")


def test_interpreted_loops_write_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading, judging and writing; interpreted, an index beyond an array is an error."""
    for name in ("compiled", "interpreted"):
        (tmp_path / name).mkdir()
        logs(tmp_path / name)
    program = Path(__file__).with_name("interpreted_logs.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "interpreted")],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(flowcore.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for (module, name), value in SMALL.items():
        monkeypatch.setattr(module, name, value)
    judge = compile_network(network_from_documents(network_documents(seed=3, interfaces=6)))
    for log in sorted((tmp_path / "compiled").glob("*.log")):
        summary = evaluate_logs(judge, log, log.with_name(f"{log.name}.parquet"), threads=1)
        assert summary.flows > 50
        written = (tmp_path / "interpreted" / f"{log.name}.parquet").read_bytes()
        assert written == log.with_name(f"{log.name}.parquet").read_bytes()


KINDS = """
import json, sys
from pathlib import Path
import flowcore.logkernels as k
from flowcore import compile_network, network_from_documents
from flowcore.pipeline import evaluate_logs
from flowcore.synthetic import network_documents
judge = compile_network(network_from_documents(network_documents(seed=3, interfaces=6)))
for log in sorted(Path.cwd().glob("*.log")):
    evaluate_logs(judge, log, log.with_suffix(".parquet"), threads=1)
print(json.dumps({name: len(loop.signatures) for name, loop in vars(k).items() if hasattr(loop, "py_func")}))
"""


def test_loops_take_one_kind_of_arguments(tmp_path: Path) -> None:
    """One specialisation each but for codes, which are of several widths: more is compiled time and again."""
    logs(tmp_path)
    done = subprocess.run([sys.executable, "-c", KINDS], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    kinds = json.loads(done.stdout)
    assert {"read_text", "plain_words"} <= {name for name, count in kinds.items() if count == 1}
    many = {name for name, count in kinds.items() if count > 1 and name[0] != "_"}
    assert many <= {"leading_run", "used_codes", "present_codes", "renumbered", "number_used", "pack"}
