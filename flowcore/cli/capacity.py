"""`flowcore capacity NETWORK FLOWS...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .. import report_capacity
from ..errors import IncompleteError, InputError
from ..report import share, to_json
from .options import (
    Accounts,
    AssumeDefaults,
    Format,
    Interfaces,
    NetworkFolder,
    Quiet,
    Regions,
    Since,
    Until,
    seconds_of,
    wanted,
)
from .terminal import DONE, FINDINGS, NatInstances, Progress, check_share, open_network, say, write

if TYPE_CHECKING:
    import polars as pl

    from ..analyses.capacity import Capacity


def capacity(
    network: NetworkFolder,
    flows: Annotated[list[str], Parameter(help="Flow logs, tables of flows, digests: files, folders, globs, s3://.")],
    /,
    *,
    out: Annotated[
        Path | None, Parameter(name=("--out", "-o"), help="The resources, or windows, as .parquet, .csv or .json.")
    ] = None,
    window: Annotated[str, Parameter(help="Length of a time window: seconds, or 5m, 1h, 1d.")] = "5m",
    after: Annotated[
        Path | None, Parameter(help="What if: a snapshot, a Terraform plan or edits over NETWORK.")
    ] = None,
    moved: Annotated[
        list[str] | None,
        Parameter(negative="", help="OLD=NEW: an interface whose traffic goes to another one of AFTER; repeatable."),
    ] = None,
    prices: Annotated[Path | None, Parameter(help="Prices by category, JSON or CSV; none are built in.")] = None,
    limits: Annotated[Path | None, Parameter(help="Other limits than those flowcore ships, JSON.")] = None,
    by_window: Annotated[bool, Parameter(negative="", help="OUT, csv and json: one row a window.")] = False,
    format: Annotated[Format, Parameter(help="What to print.")] = "table",
    fail_on: Annotated[
        float | None, Parameter(help="Exit with 1 if more than this share (0-1) of a limit is used, now or after.")
    ] = None,
    max_unknown: Annotated[float | None, Parameter(help="Exit with 3 if a larger share (0-1) is undecided.")] = None,
    log_format: Annotated[str | None, Parameter(help="Format of text logs without a header line.")] = None,
    since: Since = None,
    until: Until = None,
    account: Accounts = None,
    region: Regions = None,
    interface: Interfaces = None,
    nat_instance: NatInstances = None,
    assume_defaults: AssumeDefaults = False,
    quiet: Quiet = False,
) -> int:
    """What gateways, load balancers, endpoints, interfaces and zone crossings carry: peaks, percentiles and limits.

    Bytes by the categories AWS charges by, with prices from a table of yours. With --after, the same flows over another
    network: what moves, what is saved, what fills up.
    """
    from ..analyses.capacity import measure_capacity
    from ..analyses.capacity_bytes import read_prices
    from ..analyses.capacity_limits import read_limits
    from ..analyses.diff_input import read_after

    check_share("--fail-on", fail_on)
    check_share("--max-unknown", max_unknown)
    if not flows:
        raise InputError("nothing to lay over the network", where="FLOWS", expected="files, folders or globs")
    if out is not None and out.suffix not in (".parquet", ".csv", ".json"):
        raise InputError("not known by its suffix", where="--out", found=str(out), expected=".parquet, .csv or .json")
    if moved and after is None:
        raise InputError("needs --after", where="--moved", found=", ".join(moved))
    seconds, pairs = seconds_of("--window", window), _pairs(moved or [])
    priced, known = read_prices(prices) if prices else None, read_limits(limits)
    described = open_network(network, assume_defaults=assume_defaults, quiet=quiet, nat_instances=nat_instance)
    planned = read_after(described, after, assume_defaults=assume_defaults) if after is not None else None
    if planned is not None:
        say(f"flowcore: {after}: {planned.kind}, {len(planned.notes)} warnings", quiet=quiet)
    progress = Progress(quiet=quiet)
    try:
        found = measure_capacity(
            described,
            tuple(flows),
            window=seconds or 0,
            after=planned.network if planned is not None else None,
            prices=priced,
            limits=known,
            moved=pairs,
            log_format=log_format,
            wanted=wanted(since, until, account, region, interface),
            progress=progress,
        )
    finally:
        progress.close()
    _write_frame(out, found.windows if by_window else found.resources)
    write(_rendered(found, format, by_window))
    return _checked(found, fail_on, max_unknown)


def _pairs(moved: list[str]) -> dict[str, str]:
    found = {}
    for text in moved:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise InputError("not a pair", where="--moved", found=text, expected="OLD=NEW, two interface ids")
        found[old] = new
    return found


def _rendered(found: Capacity, form: Format, by_window: bool) -> str:
    if form == "json":
        return report_capacity.capacity_json(found, by_window=by_window)
    if form == "csv":
        return report_capacity.capacity_csv(found.windows if by_window else found.resources)
    if form == "markdown":
        return report_capacity.capacity_markdown(found)
    return report_capacity.capacity_text(found, sys.stdout)


def _write_frame(place: Path | None, frame: pl.DataFrame) -> None:
    if place is None:
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.suffix == ".parquet":
            frame.write_parquet(place)
        else:
            text = to_json(frame.to_dicts()) if place.suffix == ".json" else report_capacity.capacity_csv(frame)
            place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError("cannot be written", source=place, found=error.strerror or str(error)) from None


def _checked(found: Capacity, fail_on: float | None, max_unknown: float | None) -> int:
    """The exit code; findings go before what is incomplete, as for `diff`."""
    if fail_on is not None:
        over = found.over(fail_on)
        if over.height:
            names = [" ".join(row) for row in over.select("kind", "resource", "metric").head(5).rows()]
            more = "" if over.height <= len(names) else f" and {over.height - len(names)} more"
            say(f"flowcore: more than {share(fail_on, 1)} of a limit is used: {', '.join(names)}{more}")
            return FINDINGS
    if max_unknown is not None and 1 - found.decided > max_unknown:
        raise IncompleteError(
            f"{share(1 - found.decided, 1)} of the records are undecided; --max-unknown allows {share(max_unknown, 1)}"
        )
    return DONE
