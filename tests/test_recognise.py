"""What a file is taken for: the header decides the order of fields, and what cannot be read says what is wanted."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from replay_inputs import evaluator
from test_log_columns import by_groups, carefully

from flowcore.cli import main
from flowcore.errors import FlowError
from flowcore.pipeline import Summary, evaluate_logs
from flowcore.report import run_grid, summary_dict
from flowcore.sources.flowlogs import DEFAULT_COLUMNS, FIELDS, TRANSIT_COLUMNS
from flowcore.sources.flows import open_flows

NAMES = [field.name for field in FIELDS if field.version == 2]
#: The default format with source and destination the other way round.
SWAPPED = [*NAMES[:3], "dstaddr", "srcaddr", "dstport", "srcport", *NAMES[7:]]
RECORD = "2 123456789012 eni-1 10.0.0.2 10.0.0.1 443 40000 6 1 40 1767607200 1767607260 ACCEPT OK"
DEFAULT = "2 123456789012 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 40 1767607200 1767607260 ACCEPT OK"
ENDS = ("10.0.0.1", "10.0.0.2", "40000", "443")


def both_ways(path: Path, text: str | bytes) -> tuple[list[Any], Any]:
    """The ends of the records in a file, read with care and fast, which must be the same, and the reader."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    frame, reader = carefully(path)
    for options in ({}, {"text_bytes": 300}):
        fast, other, _ = by_groups(path, **options)
        assert fast.rows() == frame.rows()
        assert other.counts == reader.counts
        assert (
            other.rejects.frame().sort("line", "reason").rows() == reader.rejects.frame().sort("line", "reason").rows()
        )
    return frame.select("srcaddr", "dstaddr", "srcport", "dstport").rows() if frame.width else [], reader


@pytest.mark.parametrize(
    "header",
    [
        " ".join(SWAPPED).upper(),
        " ".join(name.title() for name in SWAPPED),
        " ".join(f"${{{name}}}" for name in SWAPPED),
        " ".join(f'"{name}"' for name in SWAPPED),
        " ".join(name.upper() if "port" in name else name for name in SWAPPED),
        " ".join(SWAPPED) + " ",
        " " + " ".join(SWAPPED),
    ],
)
def test_the_header_decides_however_it_is_written(tmp_path: Path, header: str) -> None:
    """FL-07, FL-50: its order holds, not the default one, from the first line or from the middle on."""
    assert both_ways(tmp_path / "a", f"{header}\n{RECORD}\n")[0] == [ENDS]
    middle = f"{' '.join(NAMES)}\n{DEFAULT}\n{header}\n{RECORD}\n"
    rows, reader = both_ways(tmp_path / "a", middle)
    assert rows == [ENDS, ENDS]
    assert reader.counts.rejected == 0


def test_names_of_no_field_are_not_taken_for_those_of_the_default_format(tmp_path: Path) -> None:
    """One damaged name is told by the others; of two nobody knows which is which."""
    header = " ".join({"srcport": "from", "dstport": "to"}.get(name, name) for name in NAMES)
    (tmp_path / "a").write_text(f"{header}\n{DEFAULT}\n")
    reader = open_flows(tmp_path / "a")
    assert not {"srcport", "dstport"} & set(reader.columns())
    assert [batch.frame.height for batch in reader] == [1]
    assert reader.counts.unknown_fields == {"from": 1, "to": 1}


@pytest.mark.parametrize("separator", ["\t", "  ", " \t"])
def test_a_header_in_the_middle_holds_whatever_is_between_its_words(tmp_path: Path, separator: str) -> None:
    middle = f"{' '.join(NAMES)}\n{DEFAULT}\n{separator.join(SWAPPED)}\n{RECORD}\n"
    assert both_ways(tmp_path / "a", middle)[0] == [ENDS, ENDS]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\t".join(SWAPPED) + f"\n{RECORD}\n", "14 fields .* single spaces in a log"),
        ("  ".join(SWAPPED) + f"\n{RECORD}\n", "single spaces"),
        ("srcaddr;dstaddr;srcport;dstport;protocol\n", "commas in a table"),
        ("srcaddr\tdstaddr\tsrcport\tdstport\tprotocol\n", "commas in a table"),
        ("ver acct eni src dst sport dport proto pkts octets begin finish what status\n" + RECORD, "other names"),
        ("src,dst,sport,dport,proto\n10.0.0.1,10.0.0.2,1,2,6\n", "srcaddr,dstaddr,srcport,dstport,protocol"),
        (RECORD.replace(" ", "\t") + "\n", "not a flow log"),
        ('{"events": [{"message": "2 1 eni-1"}]}', r"is JSON.*jq -r '.events\[\].message'"),
        ("interface-id srcport dstport protocol action\neni-1 1 2 6 ACCEPT\n", "without addresses"),
        ("interface-id,srcaddr,action\neni-1,10.0.0.1,ACCEPT\n", "without addresses"),
    ],
)
def test_what_is_wanted_instead_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(FlowError, match=said):
        open_flows(tmp_path / "a").files()


@pytest.mark.parametrize(
    ("start", "name"),
    [(b"BZh91AY", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "zip"),
     (b"ARROW1\0\0", "Arrow IPC"), ("version".encode("utf-16"), "UTF-16")],
)  # fmt: skip
def test_other_formats_are_called_by_their_names(tmp_path: Path, start: bytes, name: str) -> None:
    (tmp_path / "a").write_bytes(start + b"\x81" * 100)
    with pytest.raises(FlowError, match=f"a: is {name}; expected text") as error:
        open_flows(tmp_path / "a").files()
    assert "x81" not in str(error.value)


def test_an_empty_gzip_file_is_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(b""))
    assert not open_flows(tmp_path / "a").files()


# -- CloudWatch Logs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["2026-01-05T10:00:00.000Z ", "2026-01-05T10:00:01.000000+00:00 eni-1-all ",
                                    "2026-01-05T10:00:00 "])  # fmt: skip
def test_what_cloudwatch_logs_puts_before_a_record_is_dropped(tmp_path: Path, before: str) -> None:
    """FL-50: exports and `aws logs tail`, in the default format and in any other."""
    silent = "2 123456789012 eni-2 - - - - - - - 1767607200 1767607260 - NODATA"
    text = f"{before}{DEFAULT}\n{before}{silent}\n{before}{DEFAULT} more\n"
    rows, reader = both_ways(tmp_path / "a", gzip.compress(text.encode()))
    assert rows == [ENDS]
    assert (reader.counts.nodata, reader.counts.rejected) == ({"eni-2": 1}, 1)
    assert not reader.counts.unknown_fields
    (tmp_path / "b").write_text(f"{before}10.0.0.2 10.0.0.1 eni-1\n")
    log_reader = open_flows(tmp_path / "b", log_format="${dstaddr} ${srcaddr} ${interface-id}")
    assert [batch.frame.rows() for batch in log_reader] == [[("10.0.0.2", "10.0.0.1", "eni-1")]]
    gateway = " ".join("TransitGateway" if name == "resource_type" else "6" for name in TRANSIT_COLUMNS)
    (tmp_path / "c").write_text(f"{before}{gateway}\n")
    assert next(iter(open_flows(tmp_path / "c").columns())) == "version"


# -- names, and spaces ------------------------------------------------------------------------------------


def test_athenas_older_names(tmp_path: Path) -> None:
    names = (
        "version account interfaceid sourceaddress destinationaddress sourceport destinationport protocol numpackets "
        "numbytes starttime endtime action logstatus"
    )
    table = pl.read_csv(io.StringIO(f"{names}\n{DEFAULT}\n"), separator=" ")
    table.write_parquet(tmp_path / "a.parquet")
    table.write_csv(tmp_path / "a.csv")
    for name in ("a.parquet", "a.csv"):
        frame, reader = carefully(tmp_path / name)
        assert tuple(frame.columns) == DEFAULT_COLUMNS
        assert frame.row(0) == tuple(DEFAULT.split())
        assert by_groups(tmp_path / name)[0].rows() == frame.rows()
        assert not reader.counts.unknown_fields
    other = pl.DataFrame({"srcaddr": "a", "dstaddr": "b", "srcport": 1, "dstport": 2, "protocol": 6, "account": "x"})
    other.write_parquet(tmp_path / "table.parquet")
    assert list(open_flows(tmp_path / "table.parquet").columns())[-1] == "account"


def test_fields_of_no_version_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.log").write_text(f"{' '.join(NAMES)} colour\n{DEFAULT} red\n")
    summary = evaluate_logs(evaluator(), tmp_path / "a.log", tmp_path / "out")
    assert summary.unknown_fields == {"colour": 1}
    assert Summary.of_document(json.loads(json.dumps(summary.document()))) == summary
    assert (summary + summary).unknown_fields == {"colour": 2}
    assert json.loads((tmp_path / "out.manifest.json").read_text())["summary"]["unknown_fields"] == {"colour": 1}
    assert summary_dict(summary)["unknown_fields"] == {"colour": 1}
    assert ("fields left out, of no version", 1, "colour") in run_grid(summary).rows
    assert main(["digest", str(tmp_path / "a.log"), "-o", str(tmp_path / "d.parquet")]) == 0
    assert "left out: colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    "header",
    [
        "SrcAddr,DstAddr,SrcPort,DstPort,Protocol,Team",
        "SRCADDR,DSTADDR,SRCPORT,DSTPORT,PROTOCOL,Team",
        "srcaddr, dstaddr, srcport, dstport, protocol, Team",
    ],
)
def test_tables_with_capitals_and_spaces(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n10.0.0.1, 10.0.0.2 , 40000, 443 , - , a b\n")
    (batch,) = open_flows(tmp_path / "a.csv")
    assert batch.frame.to_dicts() == [
        {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "srcport": 40000, "dstport": 443, "protocol": None,
         "Team": " a b"}
    ]  # fmt: skip


def test_a_table_names_the_source_interface_with_hyphens_too(tmp_path: Path) -> None:
    table = pl.DataFrame({"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "srcport": 1, "dstport": 2, "protocol": 6})
    table.with_columns(pl.lit("eni-1").alias("src-interface-id")).write_parquet(tmp_path / "a.parquet")
    (batch,) = open_flows(tmp_path / "a.parquet")
    assert (batch.kind, batch.frame["src_interface_id"].to_list()) == ("table", ["eni-1"])


def test_spaces_at_the_ends_of_lines(tmp_path: Path) -> None:
    """Where they make a field too many they are none; an empty last field stays one (FL-08)."""
    header, short = " ".join(NAMES), DEFAULT.removesuffix("OK")
    text = f"{header}\n{DEFAULT} \n {DEFAULT}\n  {DEFAULT}  \n{short}\n{DEFAULT} x \n{DEFAULT}\n"
    rows, reader = both_ways(tmp_path / "a", text)
    assert rows == [ENDS] * 5
    assert reader.counts.rejected == 1


def test_rejected_lines_with_quotes_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, few, open_ = '"10.0.0.1","10.0.0.2","1","2","6"', '"10.0.0.1","1"', '"10.0.0.1","10.0.0.2","1","2","6'
    (tmp_path / "a.csv").write_text(
        "\n".join(["srcaddr,dstaddr,srcport,dstport,protocol", *[good, few, open_] * 50, ""])
    )
    reader = open_flows(tmp_path / "a.csv")
    calls: list[Any] = []
    original = reader.rejects.lines
    monkeypatch.setattr(reader.rejects, "lines", lambda *given: (calls.append(given), original(*given)))
    assert sum(batch.frame.height for batch in reader) == 50
    assert len(calls) == 2
    frame = reader.rejects.frame()
    assert sorted(frame["line"].to_list()) == sorted([*range(3, 152, 3), *range(4, 152, 3)])
    assert set(frame["reason"]) == {"wrong number of fields; expected 5", "quotes do not match"}
