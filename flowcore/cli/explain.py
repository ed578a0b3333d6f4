"""`flowcore explain NETWORK --from X --to Y`."""

from __future__ import annotations

import sys
from itertools import product
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from ..errors import InputError
from ..report import path_markdown, path_mermaid, path_text, to_json
from .options import AssumeDefaults, NetworkFolder, Quiet
from .terminal import DONE, NatInstances, open_network, say, write

_END = "interface id, instance id, load balancer name or ARN, IP address, CIDR, internet, or tag:Key=Value"
_PORT, _BYTE = Number(gte=0, lte=65535), Number(gte=0, lte=255)


def explain(
    network: NetworkFolder,
    /,
    *,
    source: Annotated[str, Parameter(name="--from", help=f"The end that opens the conversation: {_END}.")],
    to: Annotated[str, Parameter(help=f"The other end: {_END}.")],
    protocol: Annotated[str, Parameter(help="Name or IANA number.")] = "tcp",
    port: Annotated[int | None, Parameter(validator=_PORT, help="Destination port; TCP and UDP need one.")] = None,
    source_port: Annotated[int | None, Parameter(validator=_PORT, help="Source port. Default: 49152.")] = None,
    icmp_type: Annotated[
        int | None, Parameter(validator=_BYTE, help="ICMP type of the opening packet, e.g. 8 for echo.")
    ] = None,
    icmp_code: Annotated[
        int | None,
        Parameter(validator=_BYTE, help="ICMP code of the opening packet. Default: 0 for requests such as echo."),
    ] = None,
    format: Annotated[
        Literal["table", "json", "markdown", "mermaid"], Parameter(help="How to print the path; mermaid: a flowchart.")
    ] = "table",
    limit: Annotated[
        int, Parameter(validator=Number(gte=1), help="Paths to show where X or Y names several ends.")
    ] = 4,
    assume_defaults: AssumeDefaults = False,
    nat_instance: NatInstances = None,
    quiet: Quiet = False,
) -> int:
    """Follow one flow hop by hop, there and back: what lets it through, what stops it, and which rule decided.

    Stages after the first that stops the flow are shown all the same: mending one rule may not be enough.
    """
    from .. import explain as explain_flow
    from ..selectors import flow_between, other_receiver, select

    described = open_network(network, assume_defaults=assume_defaults, quiet=quiet, nat_instances=nat_instance)
    pairs = list(product(select(described, source), select(described, to)))
    texts: list[Any] = []
    for start, end in pairs[:limit]:
        flow = flow_between(described, start, end, protocol, source_port, port, icmp_type, icmp_code)
        path = explain_flow(described, flow)
        wrong = other_receiver(described, end, path.verdict, flow, (path.src_interface, path.dst_interface))
        if wrong is not None:
            if len(pairs) == 1:
                raise wrong
            say(f"flowcore: {start.label} -> {end.label}: not shown: {wrong}")
            continue
        if format in ("json", "mermaid"):
            texts.append(path.to_dict() if format == "json" else path_mermaid(path))
        else:
            ends = f"{start.label} -> {end.label}"
            texts.append(path_markdown(path, ends) if format == "markdown" else path_text(path, ends, sys.stdout))
    if not texts:
        raise InputError("no packet from these ends comes to the other end", found=to)
    write(to_json(texts[0] if len(texts) == 1 else texts) if format == "json" else "\n".join(map(str, texts)))
    if len(pairs) > limit:
        say(f"flowcore: {limit} of {len(pairs)} pairs of ends shown; name one end each, or raise --limit")
    return DONE
