"""How a difference is shown: nothing of a file is ever read as markup, a comment always fits, a page loads nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from diff_networks import Edits, with_entry, with_route, with_rule, without_rule
from walk_networks import IN443V6, INPING, OUT4, OUT6, A, B, X, allow, entry, flow, network, route, with_rules

from flowcore import report_diff
from flowcore.analyses.diff import CATEGORIES, Difference, diff
from flowcore.analyses.diff_exhaustive import diff_exhaustive
from flowcore.report_diff import Basis, diff_csv, diff_dict, diff_github, diff_json, diff_markdown, diff_text
from flowcore.report_html import bar, boxes_html, diff_html

EVIL = "\x1b[2J\u202e</pre></details><script>alert(1)</script><img src=x onerror=alert(2)>|`x`\n```\n@octocat \"'&amp;"
BASIS = Basis("snap", "plan.json", "plan", ("flows.parquet",), 3, 2, ("warning: aws_x: not modelled",))
GAPS = ("warning: plan: partial plan: planning ended with an error", "warning: aws_x: is not modelled")
PARTIAL = Basis("snap", "plan.json", "plan", notes=(*GAPS, "warning: aws_y: known after apply"), gaps=GAPS)


def flows_of(*rows: dict[str, Any]) -> pl.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame({name: pl.Series([row.get(name) for row in rows]) for name in names})


def found_by(name: str = "aws_x.cause") -> Difference:
    edits = Edits(
        network(),
        {
            name: without_rule("sg-1", "sgr-in443"),
            "aws_x.opens": with_rule("sg-1", allow("sgr-81", False, 6, (81, 81))),
            "aws_x.entry": with_entry("acl-1", entry(50, True, protocol=17)),
            "aws_x.route": with_route("rtb-1", route("198.51.100.0/24", "internet-gateway", "igw-1")),
        },
    )
    rows = [
        {**flow(A, B), "bytes": 1_234_567, "last": 1_793_491_080},
        {**flow(A, B, 81), "bytes": 10, "last": 1_793_491_000},
        {**flow(A, X, 53, 17), "bytes": 99, "last": 1_793_491_000},
    ]
    return diff(network(), edits.after, flows_of(*rows), changes=edits, snapshot=name)


def many_groups(count: int, length: int = 100) -> Difference:
    """As many groups as may be, each with long names."""
    one = found_by()
    groups = pl.concat([one.groups.head(1)] * count).with_columns(
        changes=pl.Series([[f"aws_security_group_rule.{number}{'x' * length}"] for number in range(count)]),
        details=pl.Series([["update: " + "from_port 1 -> 2; " * 20]] * count),
    )
    return Difference(one.summary, groups, one.flows)


# -- words ---------------------------------------------------------------------------------------------


def test_the_headline_counts_what_matters() -> None:
    assert report_diff.headline(found_by()) == "1 broken, 1 opened of 3 flows"
    same = diff(network(), network(), flows_of(flow(A, B)))
    assert report_diff.headline(same) == "nothing broken, opened or unknown of 1 flow"


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, None), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (18_200_000_000, "18.2 GB"), (10**17, "100.0 PB")],
)
def test_sizes(value: int | None, words: str | None) -> None:
    assert report_diff.size(value) == words


def test_moments_are_times_only_where_they_can_be() -> None:
    assert report_diff.moment(1_793_491_080) == "2026-10-31 23:58Z"
    assert report_diff.moment(17) == "17"
    assert report_diff.moment(None) is None


def test_every_category_has_words() -> None:
    assert tuple(report_diff.MEANINGS) == CATEGORIES


def test_several_changes_say_how_they_belong_together() -> None:
    group = {"changes": ["a", "b"], "details": [None, "update: x"], "undo": "any"}
    assert report_diff.cause(group) == ("undoing any one of these suffices:", "a", "b (update: x)")
    assert report_diff.cause({**group, "undo": "all"})[0] == "all of these together:"
    assert report_diff.cause({"changes": [], "undo": None}) == ("not found: no known change undoes it",)


def test_every_form_states_its_basis() -> None:
    found = found_by()
    for text in (diff_text(found, BASIS, io.StringIO()), diff_markdown(found, BASIS), diff_github(found, BASIS),
                 diff_html(found, BASIS)):  # fmt: skip
        for words in ("plan.json", "flows.parquet", "3 lines could not be read", "2 log records left out",
                      "not modelled", "0 flows before"):  # fmt: skip
            assert words in text, words


def test_text_names_cause_bytes_time_and_examples() -> None:
    text = diff_text(found_by(), BASIS, io.StringIO())
    for words in ("aws_x.cause", "1.2 MB", "2026-10-31 23:58Z", "ENI_SG_RULES_MISMATCH", "now: 1",
                  f"explain aws_x.cause --from {A} --to {B} --protocol tcp --port 443"):  # fmt: skip
        assert words in text, words


def test_json_and_csv_hold_every_group() -> None:
    found = found_by()
    told = json.loads(diff_json(found, BASIS))
    assert told["counts"]["broken"] == 1
    assert [group["changes"] for group in told["groups"]] == [["aws_x.cause"], ["aws_x.opens"], ["aws_x.entry"]]
    assert told["basis"]["after_kind"] == "plan"
    assert told == json.loads(json.dumps(diff_dict(found, BASIS), default=str))
    rows = list(csv.DictReader(io.StringIO(diff_csv(found))))
    assert (rows[0]["category"], rows[0]["changes"]) == ("broken", "aws_x.cause")
    assert len(rows) == found.groups.height


# -- hostile names -------------------------------------------------------------------------------------


def is_clean(text: str) -> bool:
    return all(line.replace("\u200b", "").isprintable() for line in text.split("\n"))


def test_nothing_hostile_reaches_a_terminal() -> None:
    evil = Basis(EVIL, EVIL, "plan", (EVIL,), notes=(EVIL, EVIL), gaps=(EVIL,))
    found = found_by(EVIL)
    for text in (diff_text(found, evil, io.StringIO()), diff_csv(found), diff_json(found, evil)):
        assert is_clean(text)


@pytest.mark.parametrize("form", [diff_markdown, diff_github])
def test_nothing_hostile_is_markup_in_markdown(form: Any) -> None:
    text = form(found_by(EVIL), Basis(EVIL, EVIL, "plan", (EVIL,), notes=(EVIL, EVIL), gaps=(EVIL,)))
    assert is_clean(text)
    outside = outside_code(text)
    assert not re.search(r"<(?!br>|details>|/details>|summary>|/summary>|!-- flowcore diff -->)", outside)
    assert not re.search(r"@(?!\u200b)", outside), "somebody would be mentioned"
    assert "alert" in outside


def outside_code(text: str) -> str:
    """The text without fenced blocks, read as CommonMark reads them."""
    kept, fence = [], None
    for line in text.split("\n"):
        run = re.match(r"(`{3,})(.*)$", line)
        if fence is None and run:
            fence = run[1]
        elif fence is not None and run and len(run[1]) >= len(fence) and not run[2].strip():
            fence = None
        elif fence is None:
            kept.append(line)
    assert fence is None
    return "\n".join(kept)


# -- a comment on GitHub -------------------------------------------------------------------------------


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("count", [1, 50, 300, 3000])
def test_a_comment_always_fits_and_counts_what_it_leaves_out(count: int) -> None:
    text = diff_github(many_groups(count), BASIS)
    assert utf16(text) <= 65_536
    assert text.startswith("<!-- flowcore diff -->\n")
    assert "What this rests on" in text
    shown = len(set(re.findall(r"aws\\?_security\\?_group\\?_rule\.(\d+)x", text)))
    assert shown >= min(count, 30)
    assert (f"{count - shown:,} more groups" in text) == (shown < count)
    assert text.count("<details>") == text.count("</details>")


def test_a_comment_fits_with_huge_names_and_notes() -> None:
    long = Basis("s" * 100_000, "a" * 100_000, "plan", tuple("f" * 90_000 for _ in range(5)), notes=("n" * 9000,) * 300)
    assert utf16(diff_github(many_groups(20, 50_000), long)) <= 65_536
    assert utf16(diff_github(many_groups(3), BASIS, limit=2000)) <= 2000


def test_an_answer_of_nothing_is_short() -> None:
    same = diff(network(), network(), flows_of(flow(A, B)))
    text = diff_github(same, BASIS)
    assert "✓ nothing broken, opened or unknown of 1 flow" in text
    assert "What did it" not in text


def test_a_headline_says_that_changes_are_left_out() -> None:
    same = diff(network(), network(), flows_of(flow(A, B)))
    words = "nothing broken, opened or unknown of 1 flow, by what the plan tells; 2 warnings"
    texts = [diff_text(same, PARTIAL, io.StringIO()), diff_markdown(same, PARTIAL), diff_github(same, PARTIAL)]
    for text in (*texts, diff_html(same, PARTIAL)):
        assert words in text
        assert "✓" not in text
        assert GAPS[0] in text.partition("<details>")[0]
    assert "✗ 1 broken, 1 opened of 3 flows, by what" in diff_github(found_by(), PARTIAL)
    boxes = diff_exhaustive(network(), network())
    for text in (
        report_diff.boxes_text(boxes, PARTIAL, io.StringIO()),
        report_diff.boxes_markdown(boxes, PARTIAL),
        report_diff.boxes_markdown(boxes, PARTIAL, limit=65_536),
        boxes_html(boxes, PARTIAL),
    ):
        assert "no address and port is treated differently, by what the plan tells; 2 warnings" in text
        assert all(gap in text for gap in GAPS)
        assert "plan.json" in text


def test_many_changes_that_are_left_out_are_counted() -> None:
    gaps = tuple(f"warning: aws_x.{number}: not modelled" for number in range(300))
    many = Basis("snapshot", "plan.json", "plan", notes=gaps, gaps=gaps)
    text = diff_github(many_groups(3), many)
    assert utf16(text) <= 65_536
    assert "… and 288 more" in text.partition("<details>")[0]
    shown = diff_text(many_groups(3), many, io.StringIO())
    assert all(gap in shown for gap in gaps)


# -- a page --------------------------------------------------------------------------------------------

VOID = {"meta", "br", "rect"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th",
    "td", "br", "details", "summary", "pre", "ul", "li", "section", "svg", "rect",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "style", "role", "aria-label", "viewbox", "width",
    "height", "preserveaspectratio", "x", "y", "fill",
}  # fmt: skip


class Strict(HTMLParser):
    """Every element is known, nested and closed; no attribute can run or load anything."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        assert {name for name, _ in attributes} <= ATTRIBUTES, attributes
        assert not any("url(" in (value or "") for _, value in attributes)
        if tag not in VOID or tag == "rect":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def parsed(page: str) -> str:
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return "".join(parser.texts)


def test_a_page_is_well_formed_and_says_everything() -> None:
    text = parsed(diff_html(found_by(), BASIS))
    for words in ("1 broken, 1 opened of 3 flows", "aws_x.cause", "ENI_SG_RULES_MISMATCH", "1.2 MB", "10.0.0.10:50000",
                  "dst_sg_rule sgr-in443 -> none", "flowcore explain aws_x.cause"):  # fmt: skip
        assert words in text, words


def test_nothing_hostile_is_markup_in_a_page() -> None:
    evil = Basis(EVIL, EVIL, EVIL, (EVIL,), notes=(EVIL, EVIL), gaps=(EVIL,))
    page = diff_html(found_by(EVIL), evil)
    assert is_clean(page)
    assert "<script>alert(1)</script>" in parsed(page)
    assert not re.search(r"(?i)(src|href)\s*=|@import|url\(|<script", page.replace("img src=x onerror", ""))
    differing = diff_exhaustive(network(), network(**with_rules(OUT4, OUT6, INPING, IN443V6)))
    boxes = boxes_html(differing, replace(evil, gaps=(EVIL,)))
    assert "every address" not in parsed(boxes)
    assert "alert(1)" in parsed(boxes)


def test_a_page_without_differences_and_without_flows() -> None:
    assert "nothing broken" in parsed(diff_html(diff(network(), network(), flows_of(flow(A, B))), BASIS))
    assert "0 flows" in parsed(diff_html(diff(network(), network(), flows_of(flow(A, B)).clear()), BASIS))
    assert "no address and port" in parsed(boxes_html(diff_exhaustive(network(), network()), BASIS))


def test_one_flow_in_a_million_can_be_seen_in_the_bar() -> None:
    widths = [
        float(each) for each in re.findall(r'width="([\d.]+)" height="28" fill', bar({"broken": 1, "unchanged": 10**6}))
    ]
    assert widths[0] >= 6
    assert abs(sum(widths) - 1000) < 0.2


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_shows_it_runs_nothing_and_loads_nothing(tmp_path: Path) -> None:
    evil = Basis(EVIL, EVIL, "plan", (EVIL,), notes=("<script>document.title='run'</script>",))
    place = tmp_path / "report.html"
    place.write_text(diff_html(found_by(EVIL), evil), encoding="utf-8")
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
                f"--user-data-dir={tmp_path / 'profile'}"]  # fmt: skip
    done = subprocess.run(
        [str(CHROMIUM), *switches, "--dump-dom", place.as_uri()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "<title>flowcore diff: 1 broken, 1 opened of 3 flows</title>" in done.stdout
    assert done.stdout.count("<section") == 3
    assert not re.search(r"<(script|img)", done.stdout)
    picture = tmp_path / "report.png"
    subprocess.run(
        [str(CHROMIUM), *switches, f"--screenshot={picture}", "--window-size=1200,1600", place.as_uri()],
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    assert picture.stat().st_size > 10_000


# -- boxes ---------------------------------------------------------------------------------------------


def test_boxes_are_shown_in_every_form() -> None:
    boxes = diff_exhaustive(network(), network(**with_rules(OUT4, OUT6, INPING, IN443V6)))
    for text in (
        report_diff.boxes_text(boxes, BASIS, io.StringIO()),
        report_diff.boxes_markdown(boxes, BASIS),
        boxes_html(boxes, BASIS),
    ):
        for words in ("10.0.0.11 (eni-a2)", "443", "sgr-in443 removed", "flowcore explain BEFORE", "plan.json",
                      "not modelled"):  # fmt: skip
            assert words in text, words
    short = report_diff.boxes_markdown(pl.concat([boxes] * 3000), PARTIAL, limit=65_536)
    assert utf16(short) <= 65_536
    assert "more boxes" in short
