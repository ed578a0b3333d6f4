"""Options that several commands take, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Quiet = Annotated[bool, Parameter(name=("--quiet", "-q"), negative="", help="No messages on stderr but errors.")]
AssumeDefaults = Annotated[
    bool,
    Parameter(negative="", help="Where the snapshot lacks something, assume AWS's default for it instead of UNKNOWN."),
]
NetworkFolder = Annotated[Path, Parameter(help="Snapshot: a folder, or an archive of one, of describe-* JSON files.")]
Format = Literal["table", "json", "csv", "markdown"]
Threads = Annotated[int | None, Parameter(help="Threads to work with. Default: one per processor.")]
