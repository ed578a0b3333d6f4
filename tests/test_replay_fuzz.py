"""Damaged flow logs: nothing crashes, no good line is lost, and both ways of reading say the same of every line."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
from replay_inputs import FIELDS

from flowcore.errors import FlowError
from flowcore.sources.flowlogs import LOG_COLUMNS
from flowcore.sources.flows import open_flows
from flowcore.sources.groups import GroupColumns, GroupReader
from flowcore.sources.textlines import BLOCK_BYTES

NIGHTLY_CHUNKS, CHUNK = 40, 500
"""20,000 logs in all."""

TYPES = {name.replace("-", "_"): LOG_COLUMNS[name.replace("-", "_")].type for name in FIELDS}


def line(interface: str, number: int) -> bytes:
    words = ["2", "123456789012", interface, "10.0.0.1", "10.0.1.2", "443", str(40000 + number), "6", "10", "840",
             "1700000000", "1700000060", ("ACCEPT", "REJECT")[number % 2], "OK"]  # fmt: skip
    return " ".join(words).encode()


def damaged(text: bytes, kind: str, rng: random.Random) -> bytes:
    """One line with one thing wrong with it. It holds no newline, so it cannot harm its neighbours."""
    words = text.split(b" ")
    if kind == "flip":
        place = rng.randrange(len(text))
        return text[:place] + bytes([rng.choice([b for b in range(256) if b != 10])]) + text[place + 1 :]
    if kind == "cut":
        return text[: rng.randrange(len(text))]
    if kind == "swap":
        rng.shuffle(words)
        return b" ".join(words)
    if kind == "glue":
        return text + text
    if kind == "value":
        words[rng.randrange(len(words))] = rng.choice(
            [b"", b"-1", b"99999999999999999999", b"0x1f", b"NaN", b"1e3", b"\xff"]
        )
        return b" ".join(words)
    if kind == "huge":
        words[rng.randrange(len(words))] = b"7" * rng.choice([100, 5000, 70_000])
        return b" ".join(words)
    if kind == "encoding":
        return rng.choice(
            [text.decode().encode("utf-16")[2:].replace(b"\n", b""), "ä€😀".encode() + text, b"\xef\xbb\xbf" + text]
        )
    return rng.randbytes(rng.randrange(200)).replace(b"\n", b"") if kind == "noise" else b""


KINDS = ("flip", "cut", "swap", "glue", "value", "huge", "encoding", "noise", "blank")


def fuzzed(path: Path, seed: int) -> tuple[list[str], bool]:
    """Writes a log: the interfaces of its good lines in order, and whether the file as a whole is damaged."""
    rng = random.Random(seed)
    good, lines = [], []
    weights = [0.5, *[0.5 * (0.05 if kind == "huge" else 1) for kind in KINDS]]
    for number in range(rng.choice([1, 12, 40])):
        kind = rng.choices(["good", *KINDS], [9 * weights[0], *weights[1:]])[0]
        if kind == "good":
            good.append(f"eni-good-{number}")
            lines.append(line(good[-1], number))
        else:
            lines.append(damaged(line("eni-bad", number), kind, rng))
    header = [" ".join(FIELDS).encode()] if rng.random() < 0.9 else [line("eni-bad", 0)]
    data = rng.choice([b"\n", b"\n", b"\r\n"]).join([*header, *lines]) + rng.choice([b"", b"\n", b"\n\n"])
    whole = rng.choice(["plain", "gzip", "gzip", "cut", "flip"])
    if whole != "plain":
        data = gzip.compress(data, mtime=0)
    if whole == "cut":
        data = data[: rng.randrange(3, len(data))]
    if whole == "flip":
        place = rng.randrange(2, len(data))
        data = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
    path.write_bytes(data)
    return good, whole in ("cut", "flip")


def read_both_ways(path: Path, seed: int) -> list[tuple[list[str], Any, Any]] | None:
    """Interfaces, rejects and counts, read in frames and in row groups; None if it is said to be no flow log.

    Both ways read as much at a time: of a damaged gzip stream the part in which the damage is noticed is left out.
    """
    found = []
    size = BLOCK_BYTES if seed % 2 else 900
    try:
        reader = open_flows(path, block_bytes=size)
        names = [name for batch in reader for name in batch.frame["interface_id"].to_list()]
        found.append((names, reader.rejects.frame().sort("line", "field", "reason").rows(), reader.counts))
        reader = open_flows(path)
        rows = (64, 7)[seed % 2]
        groups = GroupReader(GroupColumns(TYPES), reader.counts, reader.rejects, group_rows=rows, text_bytes=size)
        names = []
        for group in groups.read(reader.files()):
            words = [*group.strings("interface_id"), None]
            names += [words[code] for code in group.codes("interface_id").tolist()]
        found.append((names, reader.rejects.frame().sort("line", "field", "reason").rows(), reader.counts))
    except FlowError:
        return None
    return found


def check(path: Path, seed: int) -> None:
    good, is_damaged = fuzzed(path, seed)
    found = read_both_ways(path, seed)
    if found is None:
        assert is_damaged or not good, f"seed={seed}"
        return
    for names, _, counts in found:
        kept = [name for name in names if name and name.startswith("eni-good-")]
        assert kept == good[: len(kept)], f"seed={seed}"
        assert is_damaged or kept == good, f"seed={seed}"
        assert len(kept) == len(good) or counts.damaged_files == 1, f"seed={seed}"
        silent = sum(counts.nodata.values()) + sum(counts.skipdata.values())
        assert counts.lines == counts.records + silent + counts.rejected, f"seed={seed}"
    assert found[0] == found[1], f"seed={seed}"


@pytest.mark.parametrize("seed", range(60))
def test_damaged_logs_never_crash_and_lose_no_good_line(tmp_path: Path, seed: int) -> None:
    check(tmp_path / "log", seed)


@pytest.mark.nightly
@pytest.mark.parametrize("chunk", range(NIGHTLY_CHUNKS))
def test_many_damaged_logs(tmp_path: Path, chunk: int) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        check(tmp_path / "log", seed)


def test_the_logs_are_damaged_in_all_ways(tmp_path: Path) -> None:
    """What the tests above look at is there: whole and damaged files, text and gzip, good lines in nearly all."""
    made = [fuzzed(tmp_path / "log", seed) for seed in range(100)]
    assert {is_damaged for _, is_damaged in made} == {True, False}
    assert sum(bool(good) for good, _ in made) > 80
