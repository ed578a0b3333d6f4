"""The hand-written expected verdicts of data/cases, asked of the slow twin and of the compiled network.

They are derived from AWS's documented behaviour, statement by statement, not from the code: a misreading shared by
the twin and the fast path shows here and nowhere else.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import case_files
import pytest

from flowcore.schema import INITIATORS, PATHS, REASONS, STAGES, VERDICTS

FLOWS = case_files.flow_cases()
RECORDS = case_files.record_cases()

#: Statement ids that can decide a verdict: family -> numbers. PT: the points of section 9.3 that look like bugs;
#: LPM: the worked longest-prefix case; C: the worked cases of section 9.2.
STATEMENTS: dict[str, list[int]] = {
    "FL": [20, 21, *range(30, 33), *range(40, 45), *range(60, 65)],
    "SG": [*range(1, 15), *range(20, 29), *range(30, 39), *range(60, 65)],
    "NA": [*range(1, 20), *range(30, 33)],
    "RT": [*range(1, 25)],
    "IG": [*range(1, 14)],
    "BP": [*range(1, 9)],
    "EN": [*range(1, 5)],
    "ST": [*range(1, 6)],
    "NG": [*range(1, 22)],
    "LB": [*range(1, 12)],
    "AL": [*range(1, 10)],
    "NL": [*range(1, 15)],
    "GW": [*range(1, 5)],
    "CL": [1],
    "PX": [*range(1, 8)],
    "TG": [*range(1, 15)],
    "VG": [*range(1, 5)],
    "EP": [*range(1, 6)],
    "C": [*range(1, 19)],
    "PT": [*range(1, 13)],
    "LPM": [*range(1, 7)],
}

#: Statement id -> why no case can show it.
LEFT_OUT: dict[str, str] = {
    "SG-34": "which flows are tracked changes no verdict in steady state (SG-31)",
    "SG-36": "about when a change takes effect, not about whether a flow passes",
    "SG-37": "idle timeouts: a verdict has no time",
    "SG-38": "capacity: the ceilings are not published",
    "NA-18": "quotas",
    "NA-19": "about when a change takes effect, not about whether a flow passes",
    "RT-24": "quotas",
    "IG-12": "quotas",
    "NG-15": "fragments and sizes of packets: a flow has neither",
    "NG-16": "idle timeouts: a verdict has no time",
    "NG-17": "ports in use: capacity",
    "NG-18": "quotas",
    "NG-19": "bandwidth: capacity",
    "NG-20": "metrics",
    "NG-21": "prices",
    "LB-07": "health checks are flows of their own: the load balancer's interface as source",
    "LB-11": "quotas",
    "AL-03": "how records of the two connections belong together, not whether they pass",
    "AL-07": "idle timeouts: a verdict has no time",
    "AL-09": "AWS does not let such targets be registered",
    "NL-02": "which target is chosen: every one is judged, and `reachable_targets` told",
    "NL-04": "clients by PrivateLink: the walk ends at the endpoint's interface; what is behind is not told",
    "NL-08": "ports in use: capacity",
    "NL-12": "idle timeouts: a verdict has no time",
    "NL-14": "about what is logged",
    "GW-01": "how packets are wrapped on their way to the appliances: nothing of theirs changes",
    "GW-03": "idle timeouts: a verdict has no time",
    "PX-05": "AWS does not let such a connection be made",
    "TG-12": "bandwidth and quotas",
    "VG-04": "several ways behind a gateway: which one is taken cannot be seen; all are taken as reachable",
    "EP-05": "what the provider's side sees of a PrivateLink client: the walk ends at the endpoint's interface",
}

SPELLINGS = {
    "verdict": VERDICTS,
    "forward": VERDICTS,
    "reply": VERDICTS,
    "reason": REASONS,
    "stage": STAGES,
    "path": PATHS,
    "initiator": INITIATORS,
    "predicted_action": VERDICTS,
}


@pytest.fixture(scope="module")
def explained() -> case_files.Answers:
    return case_files.explained()


@pytest.fixture(scope="module")
def evaluated() -> case_files.Answers:
    return case_files.evaluated()


@pytest.fixture(scope="module")
def judged() -> case_files.Answers:
    return case_files.judged()


@pytest.fixture(scope="module")
def interpreted() -> dict[str, case_files.Answers]:
    """The compiled network's answers in a process of its own, where Numba compiles nothing."""
    program = Path(case_files.__file__)
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(program.parents[1])}
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, case_files.Answers] = json.loads(done.stdout)
    return answers


def compare(case: dict[str, Any], answer: dict[str, Any]) -> None:
    """Fails with every column that differs. A list stands for any of its values, but in `blocked_by`."""
    wrong = {
        column: {"expected": expected, "answered": answer[column]}
        for column, expected in case["expect"].items()
        if not (
            answer[column] in expected
            if isinstance(expected, list) and column != "blocked_by"
            else answer[column] == expected
        )
    }
    assert not wrong, (
        f"{case['id']} {case['title']} ({case['why']})\n{case.get('flow') or case['record']}\n"
        + "\n".join(f"  {column}: {found}" for column, found in wrong.items())
        + f"\nanswer: {answer}"
    )


def ids(cases: list[dict[str, Any]]) -> list[str]:
    return [case["id"] for case in cases]


@pytest.mark.parametrize("case", FLOWS, ids=ids(FLOWS))
def test_explain(case: dict[str, Any], explained: case_files.Answers) -> None:
    compare(case, explained[case["id"]])


@pytest.mark.parametrize("case", FLOWS, ids=ids(FLOWS))
def test_evaluate(case: dict[str, Any], evaluated: case_files.Answers) -> None:
    compare(case, evaluated[case["id"]])


@pytest.mark.parametrize("case", RECORDS, ids=ids(RECORDS))
def test_judge_records(case: dict[str, Any], judged: case_files.Answers) -> None:
    compare(case, judged[case["id"]])


def test_interpreted_kernels_answer_the_same(
    evaluated: case_files.Answers, judged: case_files.Answers, interpreted: dict[str, case_files.Answers]
) -> None:
    assert interpreted == {"evaluated": evaluated, "judged": judged}


def shown() -> set[str]:
    """The statements the cases' ids begin with: NA-05c shows NA-05."""
    return {found[0] for case in case_files.cases() if (found := re.match(r"[A-Z]+-\d+", case["id"]))}


def test_every_statement_has_a_case() -> None:
    wanted = {f"{family}-{number:02d}" for family, numbers in STATEMENTS.items() for number in numbers}
    assert not wanted - shown() - LEFT_OUT.keys()
    assert not LEFT_OUT.keys() - wanted


def test_nothing_is_left_out_that_has_a_case() -> None:
    assert not shown() & LEFT_OUT.keys()


def test_case_ids_are_unique() -> None:
    found = [case["id"] for case in case_files.cases()]
    assert len(found) == len(set(found)), sorted({case_id for case_id in found if found.count(case_id) > 1})


def test_network_names_are_unique() -> None:
    found = [name for content in case_files.files().values() for name in content["networks"]]
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "name",
    dict.fromkeys(
        [name for content in case_files.files().values() for name in content["networks"]]
        + [case_files.network_name(case) for case in case_files.cases()]
    ),
)
def test_networks_are_read_as_they_are_meant(name: str) -> None:
    """A case about a record the reader dropped would prove nothing."""
    dropped = ("unknown-key", "invalid-value")
    assert not [i for i in case_files.network(name).issues if i.severity == "error" or i.code in dropped]


def test_cases_spell_the_words_of_the_schema() -> None:
    wrong = [
        (case["id"], column, value)
        for case in case_files.cases()
        for column, expected in case["expect"].items()
        for value in (expected if isinstance(expected, list) else [expected])
        if column in SPELLINGS and value is not None and value not in SPELLINGS[column]
    ]
    assert not wrong


def test_every_network_is_asked_or_built_upon() -> None:
    asked = {case["network"] for case in case_files.cases()}
    written = {name: content for found in case_files.files().values() for name, content in found["networks"].items()}
    assert not written.keys() - asked - {content.get("base") for content in written.values()}
