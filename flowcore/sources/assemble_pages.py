"""Answers in several pages, united; where the last page is missing, what is here does not stand for the whole."""

from __future__ import annotations

from typing import Any

from ..model import PrefixList
from .collect import Collector, keep_list
from .records import sorted_networks

__all__ = ["settle_pages"]

#: Key of answers about one thing -> what they hold, and the attributes of the collector that hold it by id.
_USED_WHOLE = {
    "TransitGatewayAssociations": ("associations of the table", "transit.table_attachments"),
    "TransitGatewayPropagations": ("propagations of the table", "transit.propagations"),
    "Listeners": ("listeners", "balancers.listeners"),
    "Rules": ("rules", "balancers.rules"),
}


#: Keys of plain answers about one thing that each record names.
_BY_OWNER = ("Listeners", "Rules")
#: What stands in where a VPC's record is not there: its default ACL, its main table, "no internet gateway".
_OF_A_VPC = ("NetworkAcls", "RouteTables", "InternetGateways")
_ATTACHMENTS = ("TransitGatewayAttachments", "TransitGatewayVpcAttachments")


def settle_pages(found: Collector) -> None:
    """Leaves out what is described in part where what is not described would count as not there."""
    _settle_files(found)
    _settle_list_entries(found)
    for key, (what, attribute) in _USED_WHOLE.items():
        parts = _attribute(found, attribute)
        for owner, origin in found.pages.missing(key).items():
            parts.pop(owner, None)
            message = f"the answer was cut, its last page is missing: not all {what} are described; none is used"
            found.issue("error", "incomplete", owner, message, origin)
    for key, attribute in (("TransitGatewayRoutes", "routes"), ("TransitGatewayStaticRoutes", "static_routes")):
        for owner, origin in found.pages.missing(key).items():
            getattr(found.transit, attribute)[owner].complete = False
            message = "not all routes of the table are described; flows that find none are UNKNOWN"
            found.issue("warning", "incomplete", owner, message, origin)


def _settle_files(found: Collector) -> None:
    """A file that says more follow, and beside it no file of the same key that does not: the last page is missing."""
    for name, folder, token, keys in found.cut_files:
        cut = [key for key in keys if key in _BY_OWNER or found.files.is_partial(key, folder)]
        if cut and all(key in _BY_OWNER for key in cut):
            continue  # told by owner
        if cut or not keys:
            what = f"of {', '.join(cut)} " if cut else ""
            message = (
                f"{token} is set, and no file beside it holds the last page: records {what}are missing; fetch all "
                f"pages, or remove {token} if they are all here"
            )
            found.issue("error", "incomplete", name, message, f"{name}: $.{token}")


def _attribute(found: Collector, path: str) -> dict[str, Any]:
    outer, inner = path.split(".")
    parts: dict[str, Any] = getattr(getattr(found, outer), inner)
    return parts


def partly_described(found: Collector) -> frozenset[tuple[str, str]]:
    """`Network.partly_described`: a VPC's by the folder it is described in, a transit gateway's wherever it is."""
    vpcs = found.tables.get("vpcs", {})
    gateways = set(found.tables.get("transit_gateways", {}))
    for table in ("transit_gateway_attachments", "transit_gateway_route_tables"):
        gateways |= {record.transit_gateway_id for record in found.tables.get(table, {}).values()}
    parts = {
        (key, vpc_id)
        for key, named in found.partly
        if key in _OF_A_VPC
        for vpc_id in (vpcs if named == "*" else [named])
    }
    parts |= {(key, vpc_id) for key in _OF_A_VPC for vpc_id in vpcs if found.is_partial(key, vpc_id)}
    cut = {key for key in (*_ATTACHMENTS, "TransitGatewayRouteTables") if found.files.missing(key)}
    if cut & set(_ATTACHMENTS) and (_ATTACHMENTS[0] in cut or _ATTACHMENTS[0] not in found.keys):
        parts |= {(_ATTACHMENTS[0], gateway_id) for gateway_id in gateways}
    if "TransitGatewayRouteTables" in cut:
        parts |= {("TransitGatewayRouteTables", gateway_id) for gateway_id in gateways}
    return frozenset(parts)


def _settle_list_entries(found: Collector) -> None:
    """SG-28: a list holds the entries of all its pages. Of several whole answers the first is used."""
    missing = found.pages.missing("ManagedPrefixListEntries")
    for list_id, pages in found.list_entries.items():
        if list_id in missing:
            message = "not all entries are described; flows that only they could match are UNKNOWN"
            found.issue("error", "incomplete", list_id, message, missing[list_id])
            keep_list(PrefixList(list_id), found, pages[0][1])
        elif found.pages.in_pages("ManagedPrefixListEntries", list_id):
            entries = sorted_networks(entry for page, _ in pages for entry in page)
            keep_list(PrefixList(list_id, entries), found, pages[0][1])
        else:
            for entries, origin in pages:
                keep_list(PrefixList(list_id, entries), found, origin)
