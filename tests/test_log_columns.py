"""The fast way of logs, columns of codes: it must read, reject, judge and write what the careful way does."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from replay_inputs import evaluator, records, text_of, with_flags, with_more_fields, write

from flowcore import logkernels as k
from flowcore.pipeline import evaluate_logs
from flowcore.pipeline_parquet import Few, Numbers, ParquetWriter, Words
from flowcore.pipeline_run import Job
from flowcore.schema import INITIATORS, REASONS, RECORD_PLACES
from flowcore.sources import flowlogs, groups
from flowcore.sources.flows import EVERYTHING, open_flows
from flowcore.sources.groups import GroupColumns, GroupReader
from flowcore.sources.intake import ReadCounts, Rejects
from flowcore.sources.places import Wanted

FORMATS = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status",  # noqa: E501
    "srcaddr dstaddr interface-id action",
    "log-status end start bytes flow-direction tcp-flags interface-id dstaddr srcaddr instance-tag protocol",
)
VALUES: dict[str, tuple[str, ...]] = {
    "version": ("2", "5"), "account-id": ("123456789012", "012345678901", "unknown"),
    "interface-id": ("eni-1", "eni-2", "eni-0123456789abcdef0"), "srcaddr": ("10.0.0.1", "2001:db8::1", "1.2.3.4"),
    "dstaddr": ("10.0.0.2", "255.255.255.255"), "srcport": ("0", "65535", "40000", "40000.0"), "dstport": ("443", "22"),
    "protocol": ("6", "17", "tcp", "ICMP"), "packets": ("1", "17.0", "999999999999999999", "9223372036854775807"),
    "bytes": ("0", "-5", "007"), "start": ("1767607200",), "end": ("1767607260",), "action": ("ACCEPT", "REJECT"),
    "log-status": ("OK", "OK", "OK", "NODATA", "SKIPDATA"), "flow-direction": ("ingress", "egress"),
    "tcp-flags": ("2", "18"), "instance-tag": ("a%20b", "x" * 300, "é"),
}  # fmt: skip


def by_groups(
    source: Any, *, wanted: Wanted = EVERYTHING, reader_type: type[GroupReader] = GroupReader, **options: Any
) -> tuple[pl.DataFrame, Any, Any]:
    """What GroupReader reads, as a frame of strings, and both readers."""
    reader = open_flows(source, wanted=wanted)
    types = {name: kind for file in reader.files() for name, kind in file.types.items() if name in file.columns}
    columns = GroupColumns({name: types[name] for name in reader.columns() if name in types})
    fast = reader_type(columns, reader.counts, reader.rejects, wanted=reader.wanted, **options)
    frames = []
    for group in fast.read(reader.files()):
        rows: dict[str, list[Any]] = {}
        for name in columns.types:
            if name in columns.numbers:
                rows[name] = [None if v == k.MISSING else str(v) for v in group.numbers(name).tolist()]
            else:
                words = [*group.strings(name), None]
                rows[name] = [words[code] for code in group.codes(name).tolist()]
        frames.append(pl.DataFrame(rows, schema=dict.fromkeys(columns.types, pl.String)))
    return pl.concat(frames) if frames else pl.DataFrame(), reader, fast


def carefully(source: Any, wanted: Wanted = EVERYTHING) -> tuple[pl.DataFrame, Any]:
    reader = open_flows(source, wanted=wanted)
    names = list(reader.columns())
    frames = [batch.frame.select(pl.col(name).cast(pl.String) for name in names) for batch in reader]
    return pl.concat(frames) if frames else pl.DataFrame(), reader


def mutated(rng: random.Random, line: bytes) -> bytes:
    kind = rng.choice(
        ["none"] * 4 + ["flip", "flip", "cut", "swap", "noise", "blank", "glue", "missing", "huge", "latin"]
    )
    words = line.split(b" ")
    if kind == "flip":
        at = rng.randrange(len(line))
        return line[:at] + bytes([rng.choice([b for b in range(256) if b != 10])]) + line[at + 1 :]
    if kind == "cut":
        return line[: rng.randrange(len(line))]
    if kind == "swap":
        rng.shuffle(words)
    if kind == "noise":
        return rng.randbytes(rng.randrange(200)).replace(b"\n", b"")
    if kind == "glue":
        return line + line
    if kind == "missing":
        words[rng.randrange(len(words))] = rng.choice([b"-", b"None", b""])
    if kind == "huge" and rng.random() < 0.02:
        return line + b"x" * 70_000
    if kind == "latin":
        words[rng.randrange(len(words))] += "é".encode(rng.choice(["latin-1", "utf-8"]))
    return b"" if kind == "blank" else b" ".join(words)


@pytest.mark.parametrize("seed", range(50))
def test_fuzzed_logs_read_the_same_both_ways(tmp_path: Path, seed: int) -> None:
    """Together more than 20,000 mutated lines: the same records in the same order, rejects and counts."""
    rng = random.Random(seed)
    fields = FORMATS[seed % 3].split()
    lines = [" ".join(fields).encode()]
    for number in range(600):
        lines.append(mutated(rng, " ".join(rng.choice(VALUES[name]) for name in fields).encode()))
        if number == 300 and seed % 4 == 0:  # another file laid behind it
            fields = fields[::-1]
            lines.append(" ".join(fields).encode())
    data = rng.choice([b"\n", b"\r\n"]).join(lines) + rng.choice([b"", b"\n"])
    if seed % 2:
        data = gzip.compress(data)
        if seed % 5 == 0:
            data = data[: rng.randrange(len(data) // 2, len(data))]
    (tmp_path / "log").write_bytes(data)
    frame, reader = carefully(tmp_path / "log")
    for options in ({}, {"text_bytes": 900, "group_rows": 64}):
        fast, other, _ = by_groups(tmp_path / "log", **options)
        assert fast.rows() == frame.rows()
        assert (
            other.rejects.frame().sort("line", "reason").rows() == reader.rejects.frame().sort("line", "reason").rows()
        )
        assert other.counts == reader.counts


@pytest.mark.parametrize("seed", range(9))
def test_odd_lines_among_many_plain_ones_read_the_same_both_ways(tmp_path: Path, seed: int) -> None:
    """Plain lines are read many at a time; what is odd, silent, blank or a header may stand anywhere among them."""
    rng = random.Random(seed)
    fields = FORMATS[seed % 3].split()
    lines = [" ".join(fields).encode()]
    for number in range(4000):
        line = " ".join(rng.choice(VALUES[name]) for name in fields).encode()
        lines.append(mutated(rng, line) if rng.random() < (0.0, 0.003, 0.03)[seed // 3] else line)
        if number in (1500, 2600):  # two more files laid behind it
            fields = fields[::-1]
            lines.append(" ".join(fields).encode())
        if number % 997 == 0:
            lines += [b""] * rng.randrange(4)
    (tmp_path / "log").write_bytes(b"\n".join(lines) + b"\n")
    frame, reader = carefully(tmp_path / "log")
    for options in ({}, {"text_bytes": 30_000, "group_rows": 1000}):
        fast, other, _ = by_groups(tmp_path / "log", **options)
        assert fast.rows() == frame.rows()
        found, expected = (one.rejects.frame().sort("line", "reason").rows() for one in (other, reader))
        assert found == expected
        assert other.counts == reader.counts


@pytest.mark.parametrize("seed", range(6))
def test_parquet_reads_the_same_both_ways(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """FL-55: any type of number, dictionaries, whatever is written for missing; in small pieces too."""
    monkeypatch.setattr("flowcore.sources.flowlogs.PARQUET_ROWS", (7, 1000)[seed % 2])
    frame = with_more_fields(records(), seed)
    casts = {0: pl.Int32, 1: pl.Int64, 2: pl.String, 3: pl.Float64}
    kind = casts[seed % 4]
    frame = frame.with_columns(pl.col("srcport", "dstport", "protocol", "tcp_flags").cast(kind))
    if seed % 2:
        frame = frame.with_columns(pl.col("interface_id", "srcaddr", "action").cast(pl.Categorical))
        frame = frame.with_columns(pl.col("dstaddr").fill_null("-"), pl.lit("None").alias("vpc_id"))
    frame.write_parquet(tmp_path / "log.parquet", row_group_size=300)
    expected, reader = carefully(tmp_path / "log.parquet")
    found, other, _ = by_groups(tmp_path / "log.parquet", group_rows=500)
    assert found.rows() == expected.rows()
    assert expected.height
    assert other.counts == reader.counts


@pytest.fixture
def in_frames(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Job, "group_types", None)
    yield
    monkeypatch.undo()


@pytest.mark.parametrize("seed", range(8))
def test_records_are_judged_the_same_both_ways(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """FL-30…36, FL-40…44, FL-60…64: every column of every row, and the summary."""
    monkeypatch.setattr("flowcore.pipeline_run.GROUP_ROWS", (1 << 18, 100)[seed % 2])
    judge = evaluator(1 + seed % 2)
    log = write(tmp_path / "a.log.gz", text_of(with_more_fields(records(1 + seed % 2), seed)))
    fast = evaluate_logs(judge, log, tmp_path / "fast.parquet")
    monkeypatch.setattr(Job, "group_types", None)
    slow = evaluate_logs(judge, log, tmp_path / "slow.parquet")
    left, right = pl.read_parquet(tmp_path / "fast.parquet"), pl.read_parquet(tmp_path / "slow.parquet")
    assert left.schema == right.schema
    different = [name for name in left.columns if not left[name].equals(right[name], null_equal=True)]
    assert not different, left.with_row_index().filter(left[different[0]].ne_missing(right[different[0]]))
    assert fast == slow
    assert fast.disagreements
    if not seed % 2:  # all that there is to tell apart did occur
        assert len(set(left["initiator"]) & set(INITIATORS)) >= 8
        assert set(left["observed_at"]) >= {"end", "nat-gateway", "transit-gateway", "unknown"} <= set(RECORD_PLACES)
        assert (
            {"NO_DATA", "UNKNOWN_RESOURCE", "INITIATOR_UNKNOWN", "INVALID_FLOW"}
            <= set(left["reason"])
            <= {*REASONS, None}
        )


def test_what_aws_would_log_agrees(tmp_path: Path) -> None:
    """FL-43, FL-44: a log made from verdicts is predicted without one disagreement, and nearly all of it is decided."""
    log = write(tmp_path / "a.log.gz", text_of(with_flags(records(1, 2000), 1, 2000)))
    summary = evaluate_logs(evaluator(1), log, tmp_path / "out.parquet")
    assert summary.disagreed == 0
    assert summary.agreed > 0.8 * summary.flows
    assert {action for _, action in summary.agreement} == {"ACCEPT", "REJECT"}


@pytest.mark.parametrize("ahead", [False, True])
def test_groups_hold_until_the_next_one_is_asked_for(tmp_path: Path, ahead: bool) -> None:
    """One group is filled again and again; with one more, the last one holds while the next is filled."""
    log = write(tmp_path / "log.gz", text_of(records()))
    files = open_flows(log).files()
    columns = GroupColumns(dict(files[0].types))
    counts = ReadCounts()
    reader = GroupReader(columns, counts, Rejects(counts), group_rows=100)
    if ahead:
        reader.add_group()
    last: Any = None
    given, rows = set[int](), 0
    for group in reader.read(files):
        if ahead and last is not None:
            assert (last[0].strings("srcaddr"), last[0].numbers("bytes").tolist()) == last[1:]
        last = group, group.strings("srcaddr"), group.numbers("bytes").tolist()
        given.add(id(group))
        rows += group.rows
    assert rows == records().height > 300
    assert len(given) == (3 if ahead else 1)


# -- Parquet ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(24))
def test_parquet_written_is_read_by_others(seed: int) -> None:
    rng, count = np.random.default_rng(seed), (0, 1, 7, 100, 1000, 5000)[seed % 6]
    words = [f"w{i}é" for i in range(int(rng.integers(1, 300)))]

    def some(used: Any) -> Any:
        encoded = [words[i].encode() for i in used]
        sizes = [0, *np.cumsum([len(word) for word in encoded])]
        return np.array(sizes, np.int64), np.frombuffer(b"".join(encoded) + bytes(k.PADDING), np.uint8)

    codes = rng.integers(-1, len(words), count).astype(np.int32)
    if seed % 3 == 0:
        codes = np.repeat(codes, rng.integers(1, 60, count))[:count]
    if seed % 4 == 0:
        codes[:] = 0
    wide = rng.integers(-(2**62), 2**62, count) * 2
    if seed % 5 == 0:
        wide[::2], wide[1::2] = 2**63 - 1, 1 - 2**63
    flags = rng.integers(0, 2, count)
    for column in (wide, flags):
        column[rng.random(count) < 0.2] = k.MISSING
    numbers = {
        "wide": wide, "narrow": rng.integers(-(2**31), 2**31, count), "unsigned": rng.integers(0, 2**32, count),
        "flags": flags, "near": np.cumsum(rng.integers(0, 3, count)),
    }  # fmt: skip
    kinds = {"words": "string", "wide": "int64", "narrow": "int32", "unsigned": "uint32", "flags": "bool",
             "near": "int64", "nothing": "string", "none": "int64"}  # fmt: skip
    stream = io.BytesIO()
    stream.close = lambda: None  # type: ignore[method-assign]
    writer = ParquetWriter(stream, kinds, {"key": "value"})
    for part in (slice(0, count // 2), slice(count // 2, count)):
        columns: dict[str, Any] = {name: Numbers(values[part]) for name, values in numbers.items()}
        writer.write({"words": Words(codes[part], some, len(words)), **columns}, len(codes[part]))
    writer.close()

    def plain(values: Any) -> list[Any]:
        return [None if value == k.MISSING else value for value in values.tolist()]

    expected = {
        "words": [None if code < 0 else words[code] for code in codes], **{n: plain(v) for n, v in numbers.items()},
        "flags": [None if v is None else bool(v) for v in plain(flags)], "nothing": [None] * count, "none": [None] * count,  # noqa: E501
    }  # fmt: skip
    table = pq.read_table(io.BytesIO(stream.getvalue()))
    assert table.to_pydict() == expected
    assert table.schema.metadata == {b"key": b"value"}
    assert pl.read_parquet(stream.getvalue()).to_dict(as_series=False) == expected


@pytest.mark.parametrize("bits", range(65))
def test_numbers_of_steps_of_every_width_are_read_by_others(tmp_path: Path, bits: int) -> None:
    """Steps that differ by up to so many bits, in whole blocks and in the beginning of one."""
    rng = np.random.default_rng(bits)
    steps = rng.integers(0, (1 << bits) - 1, 1000, dtype=np.uint64, endpoint=True)
    steps[::32], steps[1::32] = 0, (1 << bits) - 1
    values = np.cumsum(steps, dtype=np.uint64).view(np.int64)
    values[values == k.MISSING] += 1
    narrow = values.astype(np.int32).astype(np.int64)
    for rows in (1000, 130, 33):
        writer = ParquetWriter((tmp_path / "p").open("wb"), {"wide": "int64", "narrow": "int32"}, {})
        writer.write({"wide": Numbers(values[:rows]), "narrow": Numbers(narrow[:rows])}, rows)
        writer.close()
        expected = {"wide": values[:rows].tolist(), "narrow": narrow[:rows].tolist()}
        assert pq.read_table(tmp_path / "p").to_pydict() == expected


@pytest.mark.parametrize("bits", range(19))
def test_codes_of_every_width_are_read_by_others(tmp_path: Path, bits: int) -> None:
    """Words and masks: up to 1,024 different ones become a dictionary, more do not."""
    rng, count = np.random.default_rng(bits), 1 << bits
    codes = rng.integers(-(bits % 2), count, 3000 + bits).astype(np.int32)
    codes[1000:1100] = count - 1
    masks = (rng.integers(0, 1 << 32, count)[codes] | 1 << 31).astype(np.uint32)
    digits = max(len(str(count)), 2)

    def some(used: Any) -> Any:
        text = "".join(f"{code:0{digits}}" for code in used).encode()
        return np.arange(0, len(text) + 1, digits), np.frombuffer(text + bytes(k.PADDING), np.uint8)

    writer = ParquetWriter((tmp_path / "p").open("wb"), {"word": "string", "mask": "uint32"}, {})
    writer.write({"word": Words(codes, some, count), "mask": Few(masks)}, len(codes))
    writer.close()
    words = [None if code < 0 else f"{code:0{digits}}" for code in codes.tolist()]
    for found in (pq.read_table(tmp_path / "p").to_pydict(), pl.read_parquet(tmp_path / "p").to_dict(as_series=False)):
        assert found == {"word": words, "mask": masks.tolist()}
    column = pq.read_metadata(tmp_path / "p").row_group(0).column(1)
    assert ("RLE_DICTIONARY" in column.encodings) == (len(set(masks.tolist())) <= 1024)


def test_every_pattern_of_missing_values_is_written(tmp_path: Path) -> None:
    """Any eight rows, alone, at the end, nine times in a row: few missing among many and the other way round, too."""
    path = tmp_path / "p.parquet"
    for lead, times, tail in ((0, 1, 0), (8, 1, 0), (8, 1, 3), (0, 9, 0), (5, 9, 0), (16, 9, 70)):
        writer = ParquetWriter(path.open("wb"), {"number": "int64", "word": "string"}, {})
        expected: list[int | None] = []
        for pattern in range(256):
            eight = [bool(pattern >> bit & 1) for bit in range(8)]
            there = np.array([True] * lead + eight * times + [False] * tail)
            numbers = np.where(there, np.arange(len(there)), k.MISSING)
            codes = np.where(there, 0, -1).astype(np.int32)
            word = Words(codes, lambda used: (np.array([0, 1]), np.array([120], np.uint8)), 1)
            writer.write({"number": Numbers(numbers), "word": word}, len(there))
            expected += [row if is_there else None for row, is_there in enumerate(there.tolist())]
        writer.close()
        for found in (pq.read_table(path).to_pydict(), pl.read_parquet(path).to_dict(as_series=False)):
            assert found["number"] == expected
            assert found["word"] == [None if number is None else "x" for number in expected]


def test_words_are_looked_at_whatever_their_number(tmp_path: Path) -> None:
    """More distinct words than a first table of words has room for."""
    lines = ["srcaddr dstaddr instance-tag", *(f"10.0.0.1 10.0.0.2 {'x' * (n % 40)}{n}" for n in range(30_000))]
    found, _, _ = by_groups(write(tmp_path / "log", lines))
    assert found["instance_tag"].to_list() == [line.split()[2] for line in lines[1:]]
    assert groups.GROUP_ROWS > 30_000


# -- words without rows ------------------------------------------------------------------------------------


def wordy_lines(seed: int, count: int) -> list[str]:
    """Lines with a new word in nearly every field, few of which become rows."""
    rng, lines = random.Random(seed), ["interface-id srcaddr dstaddr srcport instance-tag action log-status start end"]
    kinds, weights = ("nodata", "word", "fields", "latin", "long", "other", "wanted"), (40, 20, 10, 5, 1, 20, 4)
    for n in range(count):
        kind = rng.choices(kinds, weights)[0]
        status, action, tag = "NODATA" if kind == "nodata" else "OK", "ACCEPT", f"tag-{n}" + "x" * rng.randrange(30)
        if kind == "word":
            action = f"MAYBE{n}"
        if kind == "latin":
            tag += "é"
        if kind == "long":
            tag = f"{n}" + "y" * 70_000
        interface = "eni-1" if kind == "wanted" else f"eni-{n}"
        line = f"{interface} 10.{n >> 8 & 255}.{n & 255}.1 10.{n & 255}.1.1 443 {tag} {action} {status} {n} {n}"
        lines.append(line.rpartition(" ")[0] if kind == "fields" else line)
    return lines


class Watched(GroupReader):
    """Says when a table of words holds more than it has room for, which nothing in the loops checks."""

    most = dropped = 0

    def _leave_out(self, before: int, *rest: Any) -> None:
        group = self._group.group
        assert group.words.max() <= group.hashes.shape[1] < group.slots.shape[1]
        assert group.state[k.ROWS] <= group.line.size
        assert group.state[k.USED] + k.PADDING <= self._group.arena.size
        self.most = max(self.most, int(group.words.max()))
        super()._leave_out(before, *rest)

    def _drop_words(self) -> None:
        self.dropped += 1
        super()._drop_words()


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(interfaces=frozenset({"eni-1", "eni-7"}), since=100, until=5000)])
@pytest.mark.parametrize("kind", ["text", "csv", "parquet", "dictionary", "bytes"])
def test_words_of_lines_that_become_no_row_take_no_room(
    tmp_path: Path, kind: str, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NODATA, damaged and filtered lines, each with new words, many times what the tables hold: nothing changes."""
    monkeypatch.setattr(groups, "PIECE_ROWS", 64)
    monkeypatch.setattr("flowcore.sources.flowlogs.PARQUET_ROWS", 64)
    monkeypatch.setattr(groups, "_WORD_BYTES", 1 << (14 if kind == "bytes" else 24))
    lines = wordy_lines(len(kind), 6000)
    if kind in ("parquet", "dictionary"):
        rows = [line.split(" ") for line in lines[1:] if len(line) < 1000]
        frame = pl.DataFrame([row for row in rows if len(row) == 9], schema=lines[0].split(), orient="row")
        log = tmp_path / "log.parquet"
        frame.cast({"srcport": pl.Int32, "start": pl.Int64, "end": pl.Int64}).write_parquet(
            log, row_group_size=1000, use_pyarrow=kind == "dictionary"
        )
    else:
        separator = "," if kind == "csv" else " "
        log = write(tmp_path / "log", [line.replace(" ", separator) for line in lines])
    expected, careful = carefully(log, wanted=wanted)
    for options in ({"group_rows": 100}, {"group_rows": 1 << 12, "text_bytes": 5000}):
        found, fast, watched = by_groups(log, wanted=wanted, reader_type=Watched, **options)
        assert found.rows() == expected.rows()
        assert fast.counts == careful.counts
        assert watched.dropped
        assert watched.most > 100


def test_a_word_longer_than_any_line_may_be_is_never_taken_in(tmp_path: Path) -> None:
    """The bytes of words have room for one line; this one is longer than all the room there is at first."""
    lines = ["srcaddr dstaddr instance-tag", *["10.0.0.1 10.0.0.2 " + "z" * (2 << 20)] * 3, "10.0.0.1 10.0.0.2 a"]
    found, fast, watched = by_groups(write(tmp_path / "log", lines), reader_type=Watched)
    assert found["instance_tag"].to_list() == ["a"]
    assert fast.counts.rejected == 3
    assert watched.most == 1


def test_codes_beyond_the_dictionary_of_a_damaged_file_end_it(tmp_path: Path) -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 5], pa.int32()), pa.array(["a"]), safe=False)
    with pytest.raises(pa.ArrowInvalid, match="beyond its dictionary"):
        flowlogs._check_codes(pa.record_batch([array], ["srcaddr"]))
