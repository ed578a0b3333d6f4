"""Addresses that no route forwards, and VPC Lattice's among them, to which AWS itself adds a route (RT-12)."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from describe_documents import changed, everything

import flowcore as fc

SOURCE = "10.0.1.5"
LATTICE = "169.254.171.32"
REFUSED = ("REJECT", "NO_ROUTE_TO_DESTINATION", "route")
NOT_MODELLED = ("UNKNOWN", "UNSUPPORTED_COMPONENT", "route")
MISSING = ("UNKNOWN", "MISSING_PREFIX_LIST", "route")

BY_LIST = {"DestinationPrefixListId": "pl-0lattice", "GatewayId": "VpcLattice", "State": "active"}


def asked(destination: str, routes: list[dict[str, Any]] | None, entries: list[str] | None) -> tuple[Any, ...]:
    """(verdict, reason, stage) of a flow to `destination`, by both writings; a table has a local route and `routes`."""
    keys: dict[str, Any] = {"NetworkInterfaces": interfaces(), "RouteTables": None}
    if routes is not None:
        table = everything()["RouteTables"][0]
        local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
        main = {"RouteTableId": table["RouteTableId"], "Main": True, "AssociationState": {"State": "associated"}}
        keys["RouteTables"] = [{**table, "Routes": [local, *routes], "Associations": [main]}]
    listed = {"PrefixListId": "pl-0lattice", "AddressFamily": "IPv4"}
    keys["PrefixLists"] = [listed] if entries is not None else None
    own = [{"PrefixListId": "pl-0lattice", "Entries": [{"Cidr": entry} for entry in entries or ()]}]
    keys["ManagedPrefixListEntries"] = own if entries is not None else None
    network = fc.network_from_documents(changed(**keys))
    flow = {"srcaddr": SOURCE, "dstaddr": destination, "srcport": 40000, "dstport": 443, "protocol": 6}
    path = fc.explain(network, flow)
    found = fc.compile_network(network).evaluate(pl.DataFrame([flow])).select("verdict", "reason", "stage").row(0)
    assert (path.verdict, path.reason, path.stage) == found
    return found


def interfaces() -> list[dict[str, Any]]:
    address = {"PrivateIpAddress": SOURCE, "Primary": True}
    plain = {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddresses": [address]}
    return [{**plain, "InterfaceType": "interface", "Status": "in-use", "Groups": []}]


@pytest.mark.parametrize(
    ("destination", "routes", "entries", "expected"),
    [
        (LATTICE, [], None, REFUSED),
        (LATTICE, [BY_LIST], ["169.254.171.0/24", "129.224.0.0/17"], NOT_MODELLED),
        ("169.254.170.32", [BY_LIST], ["169.254.171.0/24"], REFUSED),
        (LATTICE, [BY_LIST], None, MISSING),
        (LATTICE, [{**BY_LIST, "State": "blackhole"}], ["169.254.171.0/24"], REFUSED),
        (LATTICE, [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}], None, REFUSED),
        (LATTICE, None, None, ("UNKNOWN", "UNKNOWN_RESOURCE", "route")),
        ("129.224.0.9", [BY_LIST], ["169.254.171.0/24", "129.224.0.0/17"], NOT_MODELLED),
    ],
)
def test_rt12(destination: str, routes: list[dict[str, Any]] | None, entries: list[str] | None, expected: Any) -> None:
    assert asked(destination, routes, entries) == expected
