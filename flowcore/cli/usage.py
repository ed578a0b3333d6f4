"""`flowcore usage NETWORK FLOWS...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .. import report_usage
from ..errors import IncompleteError, InputError
from ..report import share
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
    wanted,
)
from .terminal import DONE, FINDINGS, NatInstances, Progress, check_share, open_network, say, write

if TYPE_CHECKING:
    from ..analyses.usage import UsageReport

_FAILURES = ("never-hit", "shadowed", "redundant", "stale", "not-used-by-any-interface", "unknown")


def usage(
    network: NetworkFolder,
    flows: Annotated[list[str], Parameter(help="Flow logs, tables of flows, digests: files, folders, globs, s3://.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"), help="Every rule, as .parquet.")] = None,
    format: Annotated[Format, Parameter(help="What to print; csv: the rules only.")] = "table",
    stale_days: Annotated[
        int, Parameter(help="A rule last hit more than so many days before the end of the log is stale.")
    ] = 90,
    suggest: Annotated[
        bool, Parameter(negative="", help="Also what the hits of each group rule needed: remotes and ports.")
    ] = False,
    max_rules: Annotated[int, Parameter(help="Rules a group may have in one direction, for --suggest.")] = 60,
    terraform: Annotated[
        Path | None, Parameter(help="`terraform show -json` of a state or plan: adds addresses of resources.")
    ] = None,
    fail_on: Annotated[
        str, Parameter(help="Exit with 1 if there are rules of these statuses, with commas between; none: never.")
    ] = "none",
    max_unknown: Annotated[float | None, Parameter(help="Exit with 3 if a larger share (0-1) is UNKNOWN.")] = None,
    max_rejected: Annotated[float | None, Parameter(help="Exit with 3 if more lines (0-1) cannot be read.")] = None,
    log_format: Annotated[str | None, Parameter(help="Format of text logs without a header line.")] = None,
    threads: Threads = None,
    since: Since = None,
    until: Until = None,
    account: Accounts = None,
    region: Regions = None,
    interface: Interfaces = None,
    nat_instance: NatInstances = None,
    assume_defaults: AssumeDefaults = False,
    quiet: Quiet = False,
) -> int:
    """What the flows used of every security group rule, network ACL entry and route, and which rules nothing needs.

    Says for each rule how many flows it decided, matched and decided alone, and whether it is used, never hit,
    shadowed, redundant or stale; and what the input cannot tell.
    """
    from ..analyses.usage import usage_report

    failures = _failures(fail_on)
    check_share("--max-unknown", max_unknown)
    check_share("--max-rejected", max_rejected)
    if not flows:
        raise InputError("nothing to count", where="FLOWS", expected="files, folders or globs")
    if out is not None and out.suffix != ".parquet":
        raise InputError("not a Parquet file", where="--out", found=str(out), expected="a name that ends in .parquet")
    described = open_network(network, assume_defaults=assume_defaults, quiet=quiet, nat_instances=nat_instance)
    progress = Progress(quiet=quiet)
    try:
        found = usage_report(
            described,
            tuple(flows),
            stale_days=stale_days,
            suggest=suggest,
            max_rules=max_rules,
            terraform=terraform,
            threads=threads,
            log_format=log_format,
            wanted=wanted(since, until, account, region, interface),
            progress=progress,
        )
    finally:
        progress.close()
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        found.rules.write_parquet(out)
        say(f"flowcore: rules in {out}", quiet=quiet)
    write(_rendered(found, format))
    return _checked(found, failures, max_unknown, max_rejected)


def _failures(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if names == ("none",):
        return ()
    if not names or set(names) - set(_FAILURES):
        raise InputError("no such status", where="--fail-on", found=text, expected=f"none, or {', '.join(_FAILURES)}")
    return names


def _rendered(found: UsageReport, form: Format) -> str:
    if form == "json":
        return report_usage.usage_json(found)
    if form == "csv":
        return report_usage.usage_csv(found)
    if form == "markdown":
        return report_usage.usage_markdown(found)
    return report_usage.usage_text(found, sys.stdout)


def _checked(
    found: UsageReport, failures: tuple[str, ...], max_unknown: float | None, max_rejected: float | None
) -> int:
    """The exit code. Raises IncompleteError if more is undecided or unreadable than was allowed."""
    undecided, unread = found.coverage["undecided_share"], found.coverage["rejected_share"]
    if max_unknown is not None and undecided > max_unknown:
        raise IncompleteError(
            f"{share(undecided, 1)} of the flows are UNKNOWN; --max-unknown allows {share(max_unknown, 1)}"
        )
    if max_rejected is not None and unread > max_rejected:
        raise IncompleteError(
            f"{share(unread, 1)} of the lines could not be read; --max-rejected allows {share(max_rejected, 1)}"
        )
    return FINDINGS if any(found.counts[name] for name in failures) else DONE
