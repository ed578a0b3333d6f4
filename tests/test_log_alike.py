"""Records that no verdict tells apart are judged once: it must not show, whatever stands at an edge."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import case_files
import numpy as np
import polars as pl
import pytest
from replay_inputs import evaluator, text_of, write

from flowcore import compile_network, kernels, network_from_documents, pipeline_columns
from flowcore import logkernels as k
from flowcore.pipeline import evaluate_logs
from flowcore.pipeline_doubts import kept_targets
from flowcore.pipeline_parquet import Column, Few, Numbers, ParquetWriter, Repeated, Words
from flowcore.pipeline_ports import port_classes
from flowcore.pipeline_run import Job
from flowcore.synthetic import between_documents

NETWORKS = ("plain", "between", "nlb", "moved", "alb", "internet", "twins")
FORMS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "flags": ("tcp_flags",),
    "packet": ("pkt_srcaddr", "pkt_dstaddr"),
    "all": ("tcp_flags", "pkt_srcaddr", "pkt_dstaddr", "flow_direction", "reject_reason", "interface_type", "tgw_id"),
    "digest": ("records",),
}


def judge_of(name: str) -> Any:
    if name == "plain":
        return evaluator(1)
    if name == "between":
        return compile_network(network_from_documents(between_documents(5)))
    if name == "moved":  # targets on a port that no rule names
        network = case_files.evaluator("nlb").network
        groups = {
            name: replace(
                group, port=20000, targets=tuple(replace(target, port=None) for target in group.targets or ())
            )
            for name, group in network.target_groups.items()
        }
        return compile_network(replace(network, target_groups=groups))
    return case_files.evaluator(name)


def edges(judge: Any, rng: random.Random) -> list[int]:
    """Some of the ports on both sides of whatever tells ports apart."""
    tables = judge.compiled.tables
    starts = tables.port_page.astype(np.int64)[: 2 << 10]
    classes = np.array([tables.port_class[start : start + 128] for start in starts]).reshape(2, 1 << 16, 2)
    cuts = {int(port) + 1 for part in classes for port in np.flatnonzero((part[1:] != part[:-1]).any(axis=1))}
    listeners = [one for balancer in judge.network.load_balancers.values() for one in balancer.listeners or ()]
    alone, kept = {listener.port for listener in listeners}, {port for _, _, port in kept_targets(judge.network)}
    near = sorted({port + by for port in cuts for by in (-1, 0)})
    ports = {port + by for port in alone for by in (-1, 0, 1)} | {0, 32767, 32768, 65535, 65536, 70000}
    doubted = sorted(port + by for port in kept for by in (-1, 0))
    return [*rng.sample(near, min(6, len(near))), *rng.sample(sorted(ports), min(12, len(ports))), *doubted]


def records(judge: Any, form: str, seed: int, count: int) -> pl.DataFrame:
    """Records of a few pairs of ends, whose ports are at edges."""
    rng, network = random.Random(seed), judge.network
    ports = edges(judge, rng)
    own = [(name, str(one.address)) for name, end in network.interfaces.items() for one in end.addresses]
    kept = {name for name, _, _ in kept_targets(network)}
    own = [
        *(end for end in own if end[0] in kept),
        *rng.sample(own, min(8, len(own))),
        ("eni-unknown", "10.0.0.9"),
        ("-", "10.0.0.9"),
    ]
    others = [*(address for _, address in own), "8.8.8.8", "10.0.0.999"]
    pairs = [(*rng.choice(own), rng.choice(others)) for _ in range({"all": 2, "packet": 4}.get(form, 8))]
    rows = []
    for _ in range(count):
        interface, here, there = rng.choice(pairs)
        one, other = rng.choice([40000, 50000, 60000]), rng.choice([*ports, *ports, None])
        if rng.random() < 0.1:
            one = rng.choice(ports)
        swapped, direction = rng.random() < 0.5, rng.choice([None] * 6 + ["ingress", "egress"])
        source, destination = (there, here) if swapped else (here, there)
        row = {
            "version": 5, "account_id": "1", "interface_id": interface, "srcaddr": source, "dstaddr": destination,
            "srcport": other if rng.random() < 0.5 else one, "dstport": one if rng.random() < 0.2 else other,
            "protocol": rng.choice([6] * 12 + [17] * 6 + [1, 50, 255, 256, 300, None]),
            "packets": rng.randrange(1 << 40), "bytes": rng.randrange(1 << 50), "start": 1767604000, "end": 1767604060,
            "action": rng.choice(["ACCEPT", "REJECT", "ACCEPT", "REJECT", None]), "log_status": "OK",
            "tcp_flags": rng.choice([None, 0, 0, 0, 2, 18]),
            "pkt_srcaddr": rng.choice([None, source]), "pkt_dstaddr": rng.choice([None, destination]),
            "flow_direction": direction,
            "reject_reason": rng.choice([None] * 8 + ["BPA", "EC"]),
            "interface_type": rng.choice([None] * 8 + ["nat_gateway", "other"]),
            "tgw_id": rng.choice([None] * 9 + ["tgw-1"]), "records": rng.choice([1, 7, 1 << 40]),
        }  # fmt: skip
        rows.append({name: row[name] for name in [*list(row)[:14], *FORMS[form]]})
    return pl.DataFrame(rows, infer_schema_length=None)


def as_read(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("interface_id").replace("-", None))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_records_that_are_alike_are_judged_as_each_by_itself(
    tmp_path: Path, name: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every column of every row and the summary, of ports, protocols and addresses at the edges of all that counts."""
    judge, shares = judge_of(name), list[float]()
    found = k.find_alike

    def note(*arguments: Any) -> Any:
        count = found(*arguments)
        shares.append(count / len(arguments[-1]))
        return count

    monkeypatch.setattr(k, "find_alike", note)
    monkeypatch.setattr(pipeline_columns, "_FEW", 1.0)  # it is done even where it does not pay
    for seed in range(2):
        frame = records(judge, form, seed, 5000)
        if form == "digest" or seed:
            log = tmp_path / f"{seed}.parquet"
            as_read(frame).write_parquet(log)
        else:
            log = write(tmp_path / f"{seed}.log.gz", text_of(frame))
        out = tmp_path / f"out{seed}.parquet"
        fast = evaluate_logs(judge, log, out)
        left = pl.read_parquet(out)
        with monkeypatch.context() as slowly:
            slowly.setattr(Job, "group_types", None)
            slow = evaluate_logs(judge, log, out)
        right = pl.read_parquet(out)
        different = [column for column in left.columns if not left[column].equals(right[column], null_equal=True)]
        assert not different, left.filter(left[different[0]].ne_missing(right[different[0]])).head()
        assert fast == slow
        assert left.height == 5000
    assert len(shares) == 2
    assert max(shares) < 0.9


def test_more_words_than_are_compared_are_no_reason_to_mix_records_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = records(evaluator(1), "plain", 0, 1000)
    evaluate_logs(evaluator(1), write(tmp_path / "log.gz", text_of(frame)), tmp_path / "a.parquet")
    monkeypatch.setattr(k, "WORD_BITS", 2)
    monkeypatch.setattr(k, "find_alike", None)
    evaluate_logs(evaluator(1), tmp_path / "log.gz", tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_ports_are_of_one_class_where_their_cells_are(name: str) -> None:
    """Told port by port: ports side by side that are alike are numbered once."""
    judge = judge_of(name)
    tables, kept = judge.compiled.tables, kept_targets(judge.network)
    starts = tables.port_page.astype(np.int64)[: 2 * k.PORTS >> kernels.PORT_PAGE_BITS]
    size = 1 << kernels.PORT_PAGE_BITS
    cells = np.concatenate([tables.port_class[start : start + 2 * size] for start in starts]).reshape(-1, 2).tolist()
    listeners = {one.port for balancer in judge.network.load_balancers.values() for one in balancer.listeners or ()}
    alone = listeners | {port for _, _, port in kept}
    found = port_classes(judge, kept)
    for protocol, base in ((6, kernels.TCP_BASE), (17, kernels.UDP_BASE)):
        numbers: dict[Any, int] = {}
        for port in range(k.PORTS):
            key = port if port in alone else tuple(cells[base + port])
            code = int(found.code[found.start[protocol] + port])
            assert numbers.setdefault(key, code) == code
        assert len(set(numbers.values())) == len(numbers)


def test_threads_share_what_is_known_of_the_network_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked up once for all threads; each has its own space to work in."""
    monkeypatch.setattr("flowcore.pipeline_parts.PART_BYTES", 1000)
    judge, looked_up, judges = evaluator(1), list[Any](), list[Any]()
    about, another = pipeline_columns._interfaces, pipeline_columns.ColumnJudge.judge

    def count(*arguments: Any) -> Any:
        looked_up.append(arguments)
        return about(*arguments)

    def note(self: Any, group: Any) -> Any:
        judges.append(self)
        return another(self, group)

    monkeypatch.setattr(pipeline_columns, "_interfaces", count)
    monkeypatch.setattr(pipeline_columns.ColumnJudge, "judge", note)
    for number in range(12):
        frame = records(judge, "plain", number, 400)
        write(tmp_path / "logs" / f"{number}.log.gz", text_of(frame))
    evaluate_logs(judge, tmp_path / "logs", tmp_path / "out", threads=3)
    assert len(looked_up) == 1
    several = {id(one): one for one in judges}.values()
    spaces = [
        {id(array) for array in (one._predicted, one._whose, one._alike_keys, one._notes, *one._flows, *one._out)}
        for one in several
    ]
    assert sum(map(len, spaces)) == len(set().union(*spaces))


# -- written ----------------------------------------------------------------------------------------------


def written(columns: dict[str, Column], kinds: dict[str, str], rows: int) -> bytes:
    stream = io.BytesIO()
    stream.close = lambda: None  # type: ignore[method-assign]
    writer = ParquetWriter(stream, kinds, {})
    writer.write(columns, rows)
    writer.write(columns, rows)
    writer.close()
    return stream.getvalue()


def numbered(used: Any) -> Any:
    text = "".join(f"{code:06}" for code in used).encode()
    return np.arange(0, len(text) + 1, 6), np.frombuffer(text + bytes(k.PADDING), np.uint8)


@pytest.mark.parametrize("bits", [0, 1, 2, 7, 8, 9, 12, 15, 16, 17])
@pytest.mark.parametrize("missing", [0.0, 0.001, 0.3, 1.0])
def test_columns_of_rows_that_are_alike_are_written_as_others(bits: int, missing: float) -> None:
    """The same bytes: words of codes of all widths and types, masks, flags and numbers; runs, and no whole eights."""
    rng, count = np.random.default_rng(bits), 1 << bits
    for rows in (1, 8, 13, 1000, 5003, 70_003 if bits > 15 else 3000):
        size = min(rows, max(1, count))
        which = rng.integers(0, size, rows).astype(np.int32)
        if rows < 70_000:
            which = np.repeat(which, rng.integers(1, 40, rows))[:rows]
        which[:size] = np.arange(size)
        codes, there = rng.permutation(count)[:size], rng.random(size) >= missing
        numbers = np.where(there, rng.integers(-(1 << 40), 1 << 40, size), k.MISSING)
        columns: dict[str, Any] = {
            "word": Words(np.where(there, codes, -1).astype(np.int32), numbered, count),
            "wide": Words(np.where(there, codes, 0xFFFFFFFF).astype(np.uint32), numbered, count),
            "small": Words(np.where(there, codes & 127, 255).astype(np.uint8), numbered, 128),
            "mask": Few((codes << 5).astype(np.uint32)),
            "flag": Numbers(np.where(there, codes & 1, k.MISSING)),
            "even": Numbers(np.full(size, 1)),
            "number": Numbers(numbers),
        }
        kinds = dict.fromkeys(columns, "string") | {
            "mask": "uint32", "flag": "bool", "even": "bool", "number": "int64", "none": "bool",
        }  # fmt: skip
        repeated: dict[str, Column] = {name: Repeated(column, which) for name, column in columns.items()}
        plain: dict[str, Column] = {name: Repeated(column, which).by_row() for name, column in columns.items()}
        assert written(repeated, kinds, rows) == written(plain, kinds, rows)
