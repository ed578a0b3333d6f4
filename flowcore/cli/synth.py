"""`flowcore synth OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from ..errors import InputError
from .options import Quiet, Seed
from .terminal import DONE, say, write


def synth(
    out: Annotated[Path, Parameter(help="Folder to make; it must not exist, or be empty.")],
    /,
    *,
    seed: Seed = 7,
    interfaces: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1), help="Interfaces of the network, default 1,000; not with --edges or --between."
        ),
    ] = None,
    flows: Annotated[
        int, Parameter(validator=Number(gte=0), help="Flows to make for it; 0: only the network.")
    ] = 1_000_000,
    edges: Annotated[
        bool,
        Parameter(
            negative="", help="A small network whose rules overlap on purpose, and flows at the edges of its rules."
        ),
    ] = False,
    between: Annotated[
        bool,
        Parameter(
            negative="",
            help="A small network full of NAT, peering and transit gateways, endpoints and load balancers, and flows "
            "aimed at them.",
        ),
    ] = False,
    mixed: Annotated[
        bool,
        Parameter(
            negative="",
            help="The large network also has NAT and transit gateways and load balancers, and a third of the flows "
            "goes through them.",
        ),
    ] = False,
    quiet: Quiet = False,
) -> int:
    """Make a seeded network and flows for it: OUT/snapshot (describe-* JSON) and OUT/flows.parquet."""
    from .. import network_from_documents, synthetic

    if edges + between + mixed > 1:
        raise InputError("too many kinds of network", expected="one of --edges, --between, --mixed")
    if interfaces is not None and (edges or between):
        raise InputError("is for large networks", where="--interfaces", hint="--edges and --between make small ones")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("exists and is not an empty folder", source=out, hint="name a new folder")
    if edges:
        documents = synthetic.edge_documents(seed)
    elif between:
        documents = synthetic.between_documents(seed)
    else:
        documents = synthetic.network_documents(seed, interfaces=interfaces or 1000, mixed=mixed)
    synthetic.write_snapshot(documents, out / "snapshot")
    write(f"{out / 'snapshot'}\n")
    if flows:
        network = network_from_documents(documents)
        say(f"flowcore: {network!r}", quiet=quiet)
        if edges:
            made = synthetic.edge_flows(network, seed, flows)
        elif between:
            made = synthetic.between_flows(network, seed, flows)
        else:
            made = synthetic.traffic(network, flows, seed, mixed=mixed)
        made.write_parquet(out / "flows.parquet")
        write(f"{out / 'flows.parquet'}\n")
    return DONE
