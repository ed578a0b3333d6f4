"""The hand-written cases of data/cases: read, their networks put together, and asked of each way of judging.

Run as a program it prints, as JSON, what the compiled network answers for every flow and record: so the same
cases can be asked in another process, where the kernels are interpreted.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flowcore
from flowcore.schema import FLOW_COLUMNS, LOG_VERDICT_COLUMNS, VERDICT_COLUMNS, stage_names

if TYPE_CHECKING:
    import polars as pl

FOLDER = Path(__file__).parents[1] / "data" / "cases"

Answers = dict[str, dict[str, Any]]
"""Case id -> the columns answered; `blocked_by` as stage names."""

#: The field that names a record, by top-level key, where it is not simply the key in the singular + Id.
_ID_FIELDS = {
    "NetworkAcls": "NetworkAclId",
    "RouteTables": "RouteTableId",
    "SecurityGroups": "GroupId",
    "LoadBalancers": "LoadBalancerArn",
    "LoadBalancerAttributes": "LoadBalancerArn",
    "LoadBalancerListeners": "LoadBalancerArn",
    "LoadBalancerRules": "ListenerArn",
    "LoadBalancerDescriptions": "LoadBalancerName",
    "LoadBalancerTargetHealth": "TargetGroupArn",
    "TargetGroups": "TargetGroupArn",
    "TargetGroupAttributes": "TargetGroupArn",
    "TransitGatewayAssociations": "TransitGatewayRouteTableId",
    "TransitGatewayPeeringAttachments": "TransitGatewayAttachmentId",
    "TransitGatewayPropagations": "TransitGatewayRouteTableId",
    "TransitGatewayRoutes": "TransitGatewayRouteTableId",
    "TransitGatewayStaticRoutes": "TransitGatewayRouteTableId",
    "TransitGatewayVpcAttachments": "TransitGatewayAttachmentId",
}

_TEXT = ("interface_id", "srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "flow_direction", "action", "log_status")
_NUMBERS = ("srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp_flags")


@cache
def files() -> dict[str, dict[str, Any]]:
    """File name -> its content."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


@cache
def cases() -> tuple[dict[str, Any], ...]:
    """All cases, file after file."""
    return tuple(case for content in files().values() for case in content["cases"])


def flow_cases() -> list[dict[str, Any]]:
    """The cases about a flow."""
    return [case for case in cases() if "flow" in case]


def record_cases() -> list[dict[str, Any]]:
    """The cases about a flow log record."""
    return [case for case in cases() if "record" in case]


def documents(name: str) -> dict[str, Any]:
    """The describe-* documents of a network by top-level key: its base's, then replace, update and add."""
    written = next(content["networks"][name] for content in files().values() if name in content["networks"])
    if "base" not in written:
        return copy.deepcopy(dict(written))
    found = documents(written["base"])
    for key, records in written.get("replace", {}).items():
        found[key] = copy.deepcopy(records)
    for key, records in written.get("update", {}).items():
        field = _ID_FIELDS.get(key, key[:-1] + "Id")
        fresh = {record[field]: record for record in records}
        found[key] = [fresh.pop(record[field], record) for record in found[key]]
        assert not fresh, f"{name}: update of {key} names {sorted(fresh)}, which {written['base']} has not"
    for key, records in written.get("add", {}).items():
        found[key] = [*found.get(key, []), *copy.deepcopy(records)]
    return {key: records for key, records in found.items() if records is not None}


def changed(found: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The documents with a case's `change`: key -> null (no such key), or id -> null (no such record) or fields."""
    for key, records in change.items():
        if records is None:
            del found[key]
            continue
        field = _ID_FIELDS.get(key, key[:-1] + "Id")
        assert records.keys() <= {record[field] for record in found[key]}, f"change of {key} names what is not there"
        kept = [record for record in found[key] if records.get(record[field], {}) is not None]
        merged = [{**record, **records.get(record[field], {})} for record in kept]
        found[key] = [{name: value for name, value in record.items() if value is not None} for record in merged]
    return found


@cache
def network(name: str) -> flowcore.Network:
    """The network of that name: of data/cases, or as `network_name` spells that of a case with a change."""
    written, _, change = name.partition(" with ")
    found = changed(documents(written), json.loads(change or "{}"))
    return flowcore.network_from_documents(found, nat_instances=found.pop("nat_instances", ()))


def network_name(case: Mapping[str, Any]) -> str:
    """The network a case is asked of, its one change included."""
    return f"{case['network']} with {json.dumps(case['change'])}" if "change" in case else str(case["network"])


@cache
def evaluator(name: str) -> Any:
    """The compiled network of that name."""
    return flowcore.compile_network(network(name))


def by_network(wanted: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The cases of each network together."""
    together: dict[str, list[dict[str, Any]]] = {}
    for case in wanted:
        together.setdefault(network_name(case), []).append(case)
    yield from together.items()


def answer(row: Mapping[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    """`columns` of one answer, `blocked_by` as stage names."""
    found = {column: row[column] for column in columns}
    if isinstance(found["blocked_by"], int):
        found["blocked_by"] = stage_names(found["blocked_by"])
    return found


VERDICT_NAMES = tuple(column.name for column in VERDICT_COLUMNS)
LOG_NAMES = (*VERDICT_NAMES, *(column.name for column in LOG_VERDICT_COLUMNS))


def explained() -> Answers:
    """What the slow twin answers to each flow."""
    return {
        case["id"]: answer(flowcore.explain(network(network_name(case)), case["flow"]).columns(), VERDICT_NAMES)
        for case in flow_cases()
    }


def _frame(rows: list[dict[str, Any]], text: tuple[str, ...], numbers: tuple[str, ...]) -> pl.DataFrame:
    import polars as pl

    columns = {
        name: pl.Series([row.get(name) for row in rows], dtype=pl.String if name in text else pl.Int64)
        for name in (*text, *numbers)
    }
    return pl.DataFrame(columns)


def evaluated() -> Answers:
    """What the compiled networks answer, one frame per network."""
    found: Answers = {}
    text = ("srcaddr", "dstaddr", "src_interface_id")
    numbers = tuple(column.name for column in FLOW_COLUMNS if column.name not in text)
    for name, mine in by_network(flow_cases()):
        verdicts = evaluator(name).evaluate(_frame([case["flow"] for case in mine], text, numbers))
        for case, row in zip(mine, verdicts.iter_rows(named=True), strict=True):
            found[case["id"]] = answer(row, VERDICT_NAMES)
    return found


def judged() -> Answers:
    """What is said of each log record, each by itself: a record may tell who opened another's conversation (FL-62)."""
    from flowcore.pipeline import judge_records

    found: Answers = {}
    for name, mine in by_network(record_cases()):
        for case in mine:
            (row,) = judge_records(evaluator(name), _frame([case["record"]], _TEXT, _NUMBERS)).iter_rows(named=True)
            found[case["id"]] = answer(row, LOG_NAMES)
    return found


if __name__ == "__main__":
    json.dump({"evaluated": evaluated(), "judged": judged()}, sys.stdout)
