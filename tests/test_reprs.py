"""What results show in a notebook: everything escaped, nothing run or loaded, never large, and true."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_diff_report import EVIL, found_by, is_clean

import flowcore as fc
from flowcore import demo, report_notebook
from flowcore.analyses.capacity import measure_capacity
from flowcore.display import Displayed
from flowcore.pipeline_summary import Disagreement, Summary, Tally
from flowcore.report import Grid
from flowcore.report_notebook import CHARACTERS_SHOWN, ROWS_SHOWN, card_table

FLOW = {"srcaddr": "10.20.10.110", "dstaddr": "10.20.20.110", "srcport": 61234, "dstport": 5432, "protocol": "tcp"}
SUMMARY = Summary(
    outcomes={("ACCEPT", None, None): Tally(7, 9, 400), ("REJECT", "SUBNET_ACL_RESTRICTION", "route"): Tally(3, 3, 9)},
    agreement={("ACCEPT", "ACCEPT"): 6, ("ACCEPT", "REJECT"): 1},
    disagreements={Disagreement("unexplained", "ACCEPT", "REJECT", EVIL, EVIL): 1},
    rows=10,
    lines=11,
    rejected=1,
)  # fmt: skip
#: The largest card there may be, in characters.
MOST = 100_000

TAGS = {"div", "style", "p", "b", "code", "table", "thead", "tbody", "tr", "th", "td", "br", "svg", "rect", "title"}
ATTRIBUTES = {
    "class", "style", "role", "aria-label", "viewbox", "width", "height", "preserveaspectratio", "x", "y", "fill",
}  # fmt: skip


class Strict(HTMLParser):
    """Every element is known, nested and closed; no attribute can run or load anything."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        assert {name for name, _ in attributes} <= ATTRIBUTES, attributes
        assert not any("url(" in (value or "") for _, value in attributes)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def words_of(value: Any) -> str:
    """What a card says; it is well-formed, clean and small."""
    card = value._repr_html_()
    assert is_clean(card)
    assert len(card) < MOST
    assert "tex2jax_ignore mathjax_ignore" in card.split(">", 1)[0], "a name such as $x$ would be read as a formula"
    parser = Strict()
    parser.feed(card)
    parser.close()
    assert parser.open == []
    return " ".join(parser.texts)


@pytest.fixture(scope="module")
def network() -> fc.Network:
    return fc.read_network(demo.data_folder() / "demo" / "snapshot")


def hostile(network: fc.Network) -> fc.Network:
    """The network with hostile text in each place a description may have it."""
    vpcs = {key: replace(vpc, tags={"Name": EVIL}, region=EVIL) for key, vpc in network.vpcs.items()}
    groups = {
        key: replace(
            group, group_name=EVIL, tags={"Name": EVIL}, rules=tuple(replace(r, rule_id=EVIL) for r in group.rules)
        )
        for key, group in network.security_groups.items()
    }
    return replace(network, vpcs=vpcs, security_groups=groups)


def test_a_network_says_what_it_holds(network: fc.Network) -> None:
    words = words_of(network)
    for each in ("2 VPCs", "8 subnets", "69 interfaces", "vpc-0fd99876982361702", "shop", "us-east-1", "10.20.0.0/16",
                 "1 NAT gateway", "2 notes", "network.issues"):  # fmt: skip
        assert each in words, each
    assert "NAT gateways" not in words
    assert "empty" in words_of(fc.Network())
    assert "No issues" in words_of(fc.Network())


def test_an_evaluator_says_what_it_is_made_of(network: fc.Network) -> None:
    words = words_of(fc.compile_network(network))
    assert "MiB of tables" in words
    assert "2 VPCs" in words


def test_a_path_shows_verdict_rule_and_both_directions(network: fc.Network) -> None:
    path = fc.explain(network, FLOW)
    words = words_of(path)
    for each in ("REJECT: gets through, but the reply does not", "There: tcp 10.20.10.110:61234", "Back: tcp",
                 "SUBNET_ACL_RESTRICTION", str(path.reply_dst_acl_rule), str(path.route)):  # fmt: skip
        assert each in words, each
    undecided = fc.explain(network, {**FLOW, "protocol": "icmp"})
    assert undecided.verdict in words_of(undecided)
    blocked = words_of(replace(path, blocked_by=0xFFFF, warnings=(EVIL,) * 1000))
    assert "Also stopped by" in blocked
    assert blocked.count("Warning") < 20


def test_a_summary_counts_what_the_run_counted() -> None:
    words = words_of(SUMMARY)
    for each in (
        "10 flows and records judged",
        "70.00 %",
        "SUBNET_ACL_RESTRICTION",
        "85.71 %",
        "unexplained",
        "ACCEPT: 7",
    ):
        assert each in words, each
    assert "0 flows" in words_of(Summary.empty())


def test_a_difference_names_causes() -> None:
    found = found_by()
    words = words_of(found)
    for each in ("1 broken, 1 opened of 3 flows", "aws_x.cause", "ENI_SG_RULES_MISMATCH", "1.2 MB", "broken: 1"):
        assert each in words, each
    many = replace(found, groups=pl.concat([found.groups.head(1)] * 500))
    assert f"… and {500 - ROWS_SHOWN} more groups" in words_of(many)


def test_usage_and_capacity_show_their_tables(network: fc.Network) -> None:
    """Of every rule and gateway, the ones that matter most; hostile names stay names."""
    flows = pl.DataFrame([FLOW, {**FLOW, "dstport": 22}])
    evil = hostile(network)
    for described in (network, evil):
        used = words_of(fc.usage_report(described, flows))
        assert " rules" in used
        assert "rules by status" in used
        carried = words_of(measure_capacity(described, flows.with_columns(bytes=100, start=0, end=9), window=60))
        assert "resources" in carried
        assert "categor" in carried or "carried" in carried
    assert "<script>alert(1)</script>" in used


def test_nothing_hostile_is_markup(network: fc.Network) -> None:
    evil = hostile(network)
    shown = [evil, fc.explain(evil, FLOW), SUMMARY, found_by(EVIL)]
    for value in shown:
        assert "<script>alert(1)</script>" in words_of(value), type(value)


def test_cards_stay_small(network: fc.Network) -> None:
    """Of a thousand VPCs, rules with endless names or targets, the first are shown and the rest counted."""
    vpc = replace(next(iter(network.vpcs.values())), tags={"Name": "x" * 100_000}, region="<" * 100_000)
    blocks = vpc.cidr_blocks * 1000
    vpcs = {f"vpc-{number}": replace(vpc, vpc_id=f"vpc-{number}", cidr_blocks=blocks) for number in range(1000)}
    words = words_of(replace(network, vpcs=vpcs))
    assert f"… and {1000 - ROWS_SHOWN} more rows" in words
    assert "more row" not in words_of(network)
    path = fc.explain(network, FLOW)
    assert len(words_of(replace(path, hops=path.hops * 1000))) < MOST
    assert len(words_of(replace(SUMMARY, outcomes={("REJECT", "x" * n, None): Tally(1) for n in range(2000)}))) < MOST


def test_a_table_says_how_much_it_leaves_out() -> None:
    rows = tuple((number, ("a",) * 9, "b" * (CHARACTERS_SHOWN + 1)) for number in range(ROWS_SHOWN + 1))
    shown = card_table(Grid(("n", "a", "b"), rows, "Title"))
    assert "… and 1 more row<" in shown
    assert "… and 1 more<" in shown
    assert "b" * CHARACTERS_SHOWN not in shown
    assert "b" * (CHARACTERS_SHOWN - 1) + "…" in shown


def test_every_displayed_result_has_a_card() -> None:
    import flowcore.analyses.capacity
    import flowcore.analyses.diff
    import flowcore.analyses.usage
    import flowcore.evaluate
    import flowcore.pipeline
    import flowcore.walk  # noqa: F401

    kinds = {kind.__name__ for kind in Displayed.__subclasses__() if kind.__module__.startswith("flowcore.")}
    assert kinds >= {"Network", "Evaluator", "Path", "Summary", "Difference", "UsageReport", "Capacity"}
    assert kinds == set(report_notebook._WRITERS)


def test_what_has_no_card_says_so() -> None:
    class Other(Displayed):
        pass

    with pytest.raises(LookupError, match="Other"):
        report_notebook.html_of(Other())


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_runs_nothing_of_a_card(network: fc.Network, tmp_path: Path) -> None:
    evil = hostile(network)
    cards = [value._repr_html_() for value in (evil, fc.explain(evil, FLOW), SUMMARY, found_by(EVIL))]
    place = tmp_path / "notebook.html"
    # A script of the page itself runs, so this browser would have run one of a card too.
    page = "<title>before</title><script>alert=x=>{document.title='run'};document.title='page'</script>"
    place.write_text('<!DOCTYPE html><meta charset="utf-8">' + page + "\n".join(cards), encoding="utf-8")
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
    assert "<title>page</title>" in done.stdout
    assert done.stdout.count('class="flowcore') == len(cards)
    assert len(re.findall(r"<script|<img", done.stdout)) == 1
