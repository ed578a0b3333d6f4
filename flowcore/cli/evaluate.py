"""`flowcore evaluate NETWORK FLOWS... -o OUT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ..errors import IncompleteError, InputError
from ..report import outcomes_grid, share, summary_dict, summary_grids, to_csv, to_json, to_markdown, to_text
from .options import (
    Accounts,
    AssumeDefaults,
    Format,
    Interfaces,
    NetworkFolder,
    Quiet,
    Regions,
    Since,
    Threads,
    Until,
    shard_of,
    wanted,
)
from .terminal import (
    DONE,
    FINDINGS,
    NatInstances,
    Progress,
    check_rejected,
    check_share,
    open_network,
    say,
    say_if_none,
    write,
)

if TYPE_CHECKING:
    from ..pipeline import Summary


def evaluate(
    network: NetworkFolder,
    flows: Annotated[list[str], Parameter(help="Flow logs, tables of flows, digests: files, folders, globs, s3://.")],
    /,
    *,
    out: Annotated[Path, Parameter(name=("--out", "-o"), help="Where the verdicts go: a .parquet file, or a folder.")],
    format: Annotated[Format, Parameter(help="How to print the summary; csv: the verdicts only.")] = "table",
    log_format: Annotated[str | None, Parameter(help="Format of text logs without a header line.")] = None,
    threads: Threads = None,
    overwrite: Annotated[
        bool, Parameter(negative="", help="Replace Parquet at OUT that no earlier run wrote.")
    ] = False,
    fail_on: Annotated[
        Literal["reject", "disagreement"] | None,
        Parameter(help="Exit with 1 if a verdict is REJECT, or if AWS logged another action than predicted."),
    ] = None,
    max_unknown: Annotated[float | None, Parameter(help="Exit with 3 if a larger share (0-1) is UNKNOWN.")] = None,
    max_rejected: Annotated[float | None, Parameter(help="Exit with 3 if more lines (0-1) cannot be read.")] = None,
    since: Since = None,
    until: Until = None,
    account: Accounts = None,
    region: Regions = None,
    interface: Interfaces = None,
    shard: Annotated[str | None, Parameter(help="Do the share I of N of the parts of OUT, e.g. 2/4.")] = None,
    resume: Annotated[bool, Parameter(negative="", help="Go on with what a killed run left of OUT.")] = False,
    assume_defaults: AssumeDefaults = False,
    nat_instance: NatInstances = None,
    quiet: Quiet = False,
) -> int:
    """Judge flows or flow logs against a network; write the verdicts as Parquet and print a summary.

    Lines that cannot be read are counted and written beside the verdicts, with the reason.
    """
    from .. import compile_network, evaluate_logs
    from ..pipeline_parts import is_half_done

    check_share("--max-unknown", max_unknown)
    check_share("--max-rejected", max_rejected)
    if not flows:
        raise InputError("nothing to judge", where="FLOWS", expected="files, folders or globs")
    asked, share_of_parts = wanted(since, until, account, region, interface), shard_of(shard)
    described = open_network(network, assume_defaults=assume_defaults, quiet=quiet, nat_instances=nat_instance)
    evaluator = compile_network(described)
    progress = Progress(quiet=quiet)
    try:
        summary = evaluate_logs(
            evaluator,
            tuple(flows),
            out,
            log_format=log_format,
            threads=threads,
            overwrite=overwrite,
            wanted=asked,
            shard=share_of_parts,
            resume=resume,
            progress=progress,
        )
    finally:
        progress.close()
    write(_rendered(summary, format))
    half_done = is_half_done(out)
    say("flowcore: other shares are still to be done" if half_done else f"flowcore: verdicts in {out}", quiet=quiet)
    say_if_none(summary, quiet=quiet or half_done)
    _check_complete(summary, max_unknown, max_rejected)
    rejects = summary.by_verdict["REJECT"].flows
    found = {None: 0, "reject": rejects, "disagreement": summary.disagreed}[fail_on]
    return FINDINGS if found else DONE


def _rendered(summary: Summary, form: Format) -> str:
    if form == "json":
        return to_json(summary_dict(summary))
    if form == "csv":
        return to_csv(outcomes_grid(summary))
    if form == "markdown":
        return "\n".join(map(to_markdown, summary_grids(summary)))
    return to_text(summary_grids(summary), sys.stdout)


def _check_complete(summary: Summary, max_unknown: float | None, max_rejected: float | None) -> None:
    """Raises IncompleteError if more is undecided or unreadable than was allowed."""
    if max_unknown is not None and summary.undecided_share > max_unknown:
        raise IncompleteError(
            f"{share(summary.undecided_share, 1)} of the flows are UNKNOWN; "
            f"--max-unknown allows {share(max_unknown, 1)}"
        )
    check_rejected(summary, max_rejected)
