"""`flowcore diff BEFORE AFTER FLOWS...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from .. import report_diff
from ..errors import IncompleteError, InputError
from ..report import share, to_csv, to_json
from .options import AssumeDefaults, Quiet, Threads
from .terminal import DONE, FINDINGS, Progress, open_network, say, write

if TYPE_CHECKING:
    import polars as pl

    from ..analyses.diff import Difference
    from ..analyses.diff_input import After, FlowInput
    from ..model import Network
    from ..report_diff import Basis

Form = Literal["table", "json", "csv", "markdown", "github", "html"]
_FAILURES = ("broken", "opened", "unknown", "changed-path", "changed-rule")


def diff(
    before: Annotated[Path, Parameter(help="Snapshot, or verdicts that `flowcore evaluate` wrote.")],
    after: Annotated[
        Path,
        Parameter(help="Snapshot, Terraform plan (`terraform show -json`) or edits over BEFORE; or verdicts, too."),
    ],
    flows: Annotated[list[str] | None, Parameter(help="Flow logs, digests and tables of flows.")] = None,
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(name=("--out", "-o"), help="Every flow that differs, as .parquet, .csv or .json."),
    ] = None,
    format: Annotated[Form, Parameter(help="What to print; github: a comment on a pull request.")] = "table",
    html: Annotated[Path | None, Parameter(help="Write the report as one HTML file, too.")] = None,
    fail_on: Annotated[
        str, Parameter(help="Exit with 1 if there are flows of these categories, with commas between; none: never.")
    ] = "broken",
    max_unknown: Annotated[float | None, Parameter(help="Exit with 3 if a larger share (0-1) is UNKNOWN.")] = None,
    exhaustive: Annotated[
        bool, Parameter(negative="", help="Without flows: the difference over every address and port.")
    ] = False,
    limit: Annotated[int | None, Parameter(help="Combinations of classes that --exhaustive may judge.")] = None,
    log_format: Annotated[str | None, Parameter(help="Format of text logs without a header line.")] = None,
    threads: Threads = None,
    assume_defaults: AssumeDefaults = False,
    quiet: Quiet = False,
) -> int:
    """Which flows would a change break, and which would it open? Says which change did it, and when they break."""
    from ..analyses.diff_input import holds_verdicts, read_after

    failures = _failures(fail_on)
    if max_unknown is not None and not 0 <= max_unknown <= 1:
        raise InputError("not a share", where="--max-unknown", found=max_unknown, expected="a number from 0 to 1")
    verdicts = holds_verdicts(before)
    if verdicts and (flows or exhaustive):
        expected = "neither: two datasets of verdicts are compared as they are"
        raise InputError("flows are given, or --exhaustive", where="FLOWS", found=flows, expected=expected)
    if bool(flows) == exhaustive and not verdicts:
        raise InputError("give flows, or --exhaustive without flows", where="FLOWS", found=flows)
    if out is not None and out.suffix not in (".parquet", ".csv", ".json"):
        raise InputError("not known by its suffix", where="--out", found=str(out), expected=".parquet, .csv or .json")
    if verdicts:
        told = "note: verdicts do not tell which change did it, nor when; give snapshots, or a plan, and the flows"
        basis = report_diff.Basis(str(before), str(after), "verdicts", notes=(told,))
        return _answer(_compared(before, after), basis, format, html, out, failures, max_unknown)
    described = open_network(before, assume_defaults=assume_defaults, quiet=quiet)
    planned = read_after(described, after, assume_defaults=assume_defaults)
    say(f"flowcore: {after}: {planned.kind}, {len(planned.notes)} warnings", quiet=quiet)
    given = tuple(flows or ())
    basis = report_diff.Basis(str(before), str(after), planned.kind, given, notes=planned.notes, gaps=planned.gaps)
    if exhaustive:
        boxes = _boxes(described, planned, str(before), limit, quiet)
        _write_report(html, _boxes_report(boxes, basis, "html") if html else "")
        _write_rows(out, boxes)
        write(_boxes_report(boxes, basis, format))
        return FINDINGS if any(boxes["category"].is_in(list(failures))) else DONE
    found, basis = _difference(described, planned, given, basis, log_format, threads, quiet)
    return _answer(found, basis, format, html, out, failures, max_unknown)


def _answer(
    found: Difference,
    basis: Basis,
    format: Form,
    html: Path | None,
    out: Path | None,
    failures: tuple[str, ...],
    max_unknown: float | None,
) -> int:
    """Prints and writes what was found; the exit code."""
    _write_report(html, _report(found, basis, "html") if html else "")
    _write_rows(out, found.flows)
    write(_report(found, basis, format))
    if any(found.counts[name] for name in failures):
        return FINDINGS
    total = sum(found.counts.values())
    if max_unknown is not None and total and found.undecided[1] > max_unknown * total:
        raise IncompleteError(
            f"{share(found.undecided[1], total)} of the flows are UNKNOWN; --max-unknown allows {share(max_unknown, 1)}"
        )
    return DONE


def _compared(before: Path, after: Path) -> Difference:
    """Two datasets of verdicts of the same flows."""
    from ..analyses.diff import Diff
    from ..analyses.diff_input import verdict_batches

    run = Diff(None, None, snapshot="SNAPSHOT")
    for first, second in verdict_batches(before, after):
        run.add_verdicts(first, second)
    return run.result()


def _failures(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if names == ("none",):
        return ()
    if not names or set(names) - set(_FAILURES):
        raise InputError("no such category", where="--fail-on", found=text, expected=f"none, or {', '.join(_FAILURES)}")
    return names


def _difference(
    before: Network,
    after: After,
    flows: tuple[str, ...],
    basis: Basis,
    log_format: str | None,
    threads: int | None,
    quiet: bool,
) -> tuple[Difference, Basis]:
    from dataclasses import replace

    from ..analyses.diff import Diff
    from ..analyses.diff_input import FlowInput

    run = Diff(before, after.network, changes=after.changes, snapshot=basis.before, threads=threads)
    given: FlowInput = FlowInput(flows, run.evaluators[0], log_format=log_format)
    progress = Progress(quiet=quiet)
    try:
        for batch in given.batches(progress):
            run.add(batch)
    finally:
        progress.close()
    found = run.result()
    return found, replace(basis, rejected=given.counts.rejected, unjudged=given.unjudged)


def _boxes(before: Network, after: After, snapshot: str, limit: int | None, quiet: bool) -> pl.DataFrame:
    from ..analyses.diff_exhaustive import LIMIT, diff_exhaustive

    if limit is not None and limit < 1:
        raise InputError("too few", where="--limit", found=limit, expected="1 or more")
    return diff_exhaustive(before, after.network, limit=limit or LIMIT, changes=after.changes, snapshot=snapshot)


def _report(found: Difference, basis: Basis, form: Form) -> str:
    if form == "html":
        from ..report_html import diff_html

        return diff_html(found, basis)
    if form == "csv":
        return report_diff.diff_csv(found)
    if form == "table":
        return report_diff.diff_text(found, basis, sys.stdout)
    render = {"json": report_diff.diff_json, "markdown": report_diff.diff_markdown, "github": report_diff.diff_github}
    return render[form](found, basis)


def _boxes_report(boxes: pl.DataFrame, basis: Basis, form: Form) -> str:
    if form == "html":
        from ..report_html import boxes_html

        return boxes_html(boxes, basis)
    if form == "json":
        return to_json({"boxes": boxes.to_dicts(), "basis": report_diff.basis_dict(basis)})
    if form == "csv":
        return to_csv(report_diff.flat_groups(boxes.to_dicts()))
    if form == "table":
        return report_diff.boxes_text(boxes, basis, sys.stdout)
    return report_diff.boxes_markdown(boxes, basis, limit=report_diff.COMMENT_LIMIT if form == "github" else None)


def _write_report(place: Path | None, text: str) -> None:
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def _write_rows(place: Path | None, rows: pl.DataFrame) -> None:
    """The rows as Parquet, CSV (lists joined by "; ") or JSON, by the suffix."""
    if place is None:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.suffix == ".parquet":
        rows.write_parquet(place)
    elif place.suffix == ".json":
        place.write_text(to_json(rows.to_dicts()), encoding="utf-8")
    else:
        place.write_text(to_csv(report_diff.flat_groups(rows.to_dicts())), encoding="utf-8")
