"""`flowcore digest LOGS... -o digest.parquet`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..errors import InputError
from .options import Accounts, Interfaces, Quiet, Regions, Since, Until, seconds_of, wanted
from .terminal import DONE, Progress, check_rejected, check_share, say_folded


def digest(
    logs: Annotated[list[str], Parameter(help="Flow logs and digests: files, folders, globs, s3://.")],
    /,
    *,
    out: Annotated[Path, Parameter(name=("--out", "-o"), help="The digest, a .parquet file.")],
    log_format: Annotated[str | None, Parameter(help="Format of text logs without a header line.")] = None,
    window: Annotated[
        str | None, Parameter(help="A row for each time window of this length: seconds, or 5m, 1h, 1d.")
    ] = None,
    since: Since = None,
    until: Until = None,
    account: Accounts = None,
    region: Regions = None,
    interface: Interfaces = None,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace Parquet at OUT that is no digest.")] = False,
    max_rejected: Annotated[float | None, Parameter(help="Exit with 3 if more lines (0-1) cannot be read.")] = None,
    quiet: Quiet = False,
) -> int:
    """Fold flow logs into distinct flows with packets, bytes, records, first and last second seen.

    A digest is read wherever flows are read; digests fold together to one. With --window a flow has a row for each
    time window its records start in.
    """
    from ..digest import digest_logs

    if not logs:
        raise InputError("nothing to fold", where="LOGS", expected="files, folders, globs or s3://")
    check_share("--max-rejected", max_rejected)
    asked, seconds = wanted(since, until, account, region, interface), seconds_of("--window", window)
    progress = Progress(quiet=quiet)
    try:
        summary = digest_logs(
            tuple(logs),
            out,
            log_format=log_format,
            window=seconds,
            wanted=asked,
            overwrite=overwrite,
            progress=progress,
        )
    finally:
        progress.close()
    say_folded(summary, out, quiet=quiet)
    check_rejected(summary, max_rejected)
    return DONE
