"""`flowcore issues NETWORK`."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from ..report import issues_as_dicts, issues_grid, to_csv, to_json, to_markdown, to_text
from ..walk import health_check_findings
from .options import AssumeDefaults, Format, NetworkFolder, Quiet
from .terminal import DONE, FINDINGS, NatInstances, open_network, say, write

Severity = Literal["note", "warning", "error"]
_ORDER = ("note", "warning", "error")


def issues(
    network: NetworkFolder,
    /,
    *,
    severity: Annotated[Severity, Parameter(help="Leave out what is less severe than this.")] = "note",
    fail_on: Annotated[Severity | None, Parameter(help="Exit with 1 if an issue is at least this severe.")] = None,
    format: Annotated[Format, Parameter(help="How to print the list.")] = "table",
    assume_defaults: AssumeDefaults = False,
    nat_instance: NatInstances = None,
    quiet: Quiet = False,
) -> int:
    """List what of a snapshot was not understood, is missing or is not modelled, and health checks that cannot work.

    error: part of the description was left out; warning: some flows will be UNKNOWN; note: for information.
    """
    described = open_network(network, assume_defaults=assume_defaults, quiet=quiet, nat_instances=nat_instance)
    found = (*described.issues, *health_check_findings(described))
    shown = [issue for issue in found if _ORDER.index(issue.severity) >= _ORDER.index(severity)]
    if format == "json":
        write(to_json(issues_as_dicts(shown)))
    elif format == "csv":
        write(to_csv(issues_grid(shown)))
    elif format == "markdown":
        write(to_markdown(issues_grid(shown)))
    elif shown:
        write(to_text([issues_grid(shown)], sys.stdout))
    counts = {level: sum(issue.severity == level for issue in shown) for level in reversed(_ORDER)}
    say("flowcore: " + ", ".join(f"{count} {level}s" for level, count in counts.items()), quiet=quiet)
    failing = fail_on is not None and any(_ORDER.index(i.severity) >= _ORDER.index(fail_on) for i in found)
    return FINDINGS if failing else DONE
