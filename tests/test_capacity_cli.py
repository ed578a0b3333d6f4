"""`flowcore capacity` end to end: every form, prices, what-if, exit codes, and text that is safe to print."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from capacity_networks import OUTSIDE, C, frame, network, there_and_back
from walk_between_networks import tables
from walk_networks import by_id

from flowcore.analyses.capacity import measure_capacity
from flowcore.analyses.capacity_bytes import read_prices
from flowcore.analyses.capacity_limits import read_limits
from flowcore.cli import main
from flowcore.errors import InputError
from flowcore.report_capacity import amount, capacity_csv, capacity_json, capacity_markdown, capacity_text

ROOT = Path(__file__).parents[1]
DEMO = [str(ROOT / "data/demo/snapshot"), str(ROOT / "data/demo/flow-log.log.gz")]
NAT = "nat-0732fa14383eb1619"


def run(*arguments: str | Path) -> int:
    return main(["capacity", *DEMO, "-q", *map(str, arguments)])


def written(place: Path, text: str) -> Path:
    place.write_text(text, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What --format json prints of the demo."""
    import contextlib

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run("--format", "json") == 0
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_json_has_resources_categories_and_what_was_decided(document: dict[str, Any]) -> None:
    assert document["window_seconds"] == 300
    assert document["from"] == 1_767_607_200
    assert 0.99 < document["decided"] < 1
    assert any("SKIPDATA" in note for note in document["notes"])
    (row,) = [each for each in document["resources"] if (each["resource"], each["metric"]) == (NAT, "bytes")]
    assert row["source"] == "predicted"
    assert row["total"] > row["peak"] > 0
    assert "windows" not in document


def test_csv_and_by_window(document: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == len(document["resources"])
    assert run("--format", "csv", "--by-window", "--window", "10m") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {int(row["window_start"]) % 600 for row in rows} == {0}
    total = sum(float(row["value"]) for row in rows if (row["resource"], row["metric"]) == (NAT, "bytes"))
    assert total == next(r["total"] for r in document["resources"] if (r["resource"], r["metric"]) == (NAT, "bytes"))


def test_table_and_markdown_name_what_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    text = capsys.readouterr().out
    for word in (NAT, "connections_per_destination", "NG-17", "cross-zone", "CO-02", "of the records decided"):
        assert word in text
    assert run("--format", "markdown") == 0
    assert "| use1-az1 use1-az2 | bytes | predicted |" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_out_holds_the_frame(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    place = tmp_path / "new" / f"found.{suffix}"
    assert run("-o", place) == 0
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv}.get(suffix)
    rows = read(place).height if read else len(json.loads(place.read_text(encoding="utf-8")))
    assert rows == len(document["resources"])


def test_prices_of_the_users_table(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = written(tmp_path / "prices.csv", "category,price\nCO-02,0.01\ninternet-out,0.09\n")
    assert run("--prices", prices, "--format", "json") == 0
    found = {row["category"]: row for row in json.loads(capsys.readouterr().out)["categories"]}
    assert found["cross-zone"]["cost"] == pytest.approx(found["cross-zone"]["quantity"] * 0.01)
    assert found["cross-zone"]["quantity"] == pytest.approx(2 * found["cross-zone"]["bytes"] / (1 << 30))
    assert found["nat-gateway"]["cost"] is None  # none is built in


def test_after_edits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edits = {"edits": [{"edit": "remove gateway", "gateway": NAT}]}
    after = written(tmp_path / "edits.json", json.dumps(edits))
    assert run("--after", after, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = [each for each in found["resources"] if (each["resource"], each["metric"]) == (NAT, "bytes")]
    assert row["total"] > 0
    assert row["total_after"] is None
    assert row["total_change"] == -row["total"]
    assert run("--after", after) == 0
    assert "total after" in capsys.readouterr().out


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--fail-on", "1") == 0
    assert run("--fail-on", "0.4") == 1  # one of two Elastic IP addresses
    assert f"nat-gateway {NAT} elastic_addresses" in capsys.readouterr().err
    assert run("--max-unknown", "0.5") == 0
    assert run("--max-unknown", "0.0001") == 3
    assert "undecided" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--window", "soon"], "not a length of time"),
        (["--fail-on", "80"], "not a share"),
        (["-o", "found.txt"], "not known by its suffix"),
        (["--moved", "eni-1=eni-2"], "needs --after"),
        (["--prices", "nowhere.csv"], "cannot be read"),
        (["--limits", "nowhere.json"], "cannot be read"),
        (["--after", "nowhere"], "nowhere"),
    ],
)
def test_bad_usage_is_said(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("category;price\n", "columns category and price"),
        ("category,price\nCO-77,1\n", "no such category"),
        ('{"CO-02": "much"}', "not a price"),
        ('[{"category": "CO-02"}]', "not a price"),
        ("[1, 2", "not JSON"),
        ('{"CO-02": -1}', "not a price"),
    ],
)
def test_bad_prices_are_said(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read_prices(written(tmp_path / "prices", text))


def test_prices_as_json(tmp_path: Path) -> None:
    listed = '[{"category": "CO-05", "price": 0.09, "unit": "GB"}, {"category": "same-zone", "price": 0}]'
    assert read_prices(written(tmp_path / "a.json", listed)) == {"internet-out": 0.09, "same-zone": 0}
    assert read_prices(written(tmp_path / "b.json", '{"nat-gateway": 0.045}')) == {"nat-gateway": 0.045}


def test_other_limits(tmp_path: Path) -> None:
    shipped = (ROOT / "flowcore/analyses/capacity_limits.json").read_text(encoding="utf-8")
    assert read_limits().of("nat-gateway", "connections_per_destination").limit == 55000  # type: ignore[union-attr]
    own = read_limits(written(tmp_path / "own.json", shipped.replace("55000", "100")))
    assert own.of("nat-gateway", "connections_per_destination").limit == 100  # type: ignore[union-attr]
    with pytest.raises(InputError, match="not a file of limits"):
        read_limits(written(tmp_path / "bad.json", '{"limits": 1}'))
    with pytest.raises(InputError, match="not above 0"):
        read_limits(written(tmp_path / "zero.json", shipped.replace("55000", "0")))


def test_hostile_names_are_escaped() -> None:
    name = "nat-\x1b[31m<img src=x onerror=alert(1)>|`\u202e"
    there = network()
    routes = [("0.0.0.0/0", "nat-gateway", name)]
    hostile = replace(
        there,
        nat_gateways=by_id("nat_gateway_id", replace(there.nat_gateways["nat-1"], nat_gateway_id=name)),
        route_tables={**there.route_tables, **{"rtb-Q": tables(Q=routes)["rtb-Q"]}},
    )
    found = measure_capacity(hostile, frame(*there_and_back(("eni-c", None), f"{C}:40000", f"{OUTSIDE}:443", 10, 20)))
    assert name in found.resources["resource"].to_list()
    texts = [capacity_text(found, io.StringIO()), capacity_json(found), capacity_csv(found.resources)]
    texts.append(capacity_markdown(found))
    for text in texts:
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<img" not in texts[-1]
    assert "\\|" in texts[-1]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, "bytes", ""), (1234567, "bytes", "1.23 MB"), (999.9, "bytes", "1000 B"), (0, "bytes", "0 B"),
        (9999, "", "9,999"), (55000, "", "55 k"), (1.5, "LCU", "1.5"), (2.5e9, "bit/s", "2.5 Gbit/s"),
    ],
)  # fmt: skip
def test_amounts(value: float | None, unit: str, expected: str) -> None:
    assert amount(value, unit) == expected
