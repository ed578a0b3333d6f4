"""Reading transit gateways: attachments, associations, routes and what is propagated."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from describe_documents import issues, read, refused

from flowcore.model import AttachmentKind, Network, TransitGatewayRoute, TransitGatewayRouteTable

TABLE = "tgw-rtb-1"


def gateway(name: str = "tgw-1", **options: Any) -> dict[str, Any]:
    return {"TransitGatewayId": name, "State": "available", "OwnerId": "111122223333", "Options": options}


def attachment(name: str, resource: str, kind: str = "vpc", table: str | None = None, **fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "TransitGatewayAttachmentId": name,
        "TransitGatewayId": "tgw-1",
        "ResourceType": kind,
        "ResourceId": resource,
        "State": "available",
    }
    if table:
        record["Association"] = {"TransitGatewayRouteTableId": table, "State": "associated"}
    return record | fields


def vpc_attachment(name: str, vpc: str, *subnets: str, **options: str) -> dict[str, Any]:
    return {
        "TransitGatewayAttachmentId": name,
        "TransitGatewayId": "tgw-1",
        "VpcId": vpc,
        "State": "available",
        "SubnetIds": list(subnets),
        "Options": options,
    }


def vpc(name: str, *blocks: str) -> dict[str, Any]:
    four = [block for block in blocks if "." in block]
    six = [block for block in blocks if ":" in block]
    return {
        "VpcId": name,
        "CidrBlock": four[0],
        "CidrBlockAssociationSet": [{"CidrBlock": b} for b in four],
        "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": b} for b in six],
    }


def route(destination: str, *ends: str, kind: str = "vpc", **fields: Any) -> dict[str, Any]:
    named = [{"TransitGatewayAttachmentId": end, "ResourceType": kind} for end in ends]
    record = {"DestinationCidrBlock": destination, "TransitGatewayAttachments": named}
    return record | {"Type": "static", "State": "active"} | fields


def routes(*rows: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    return [{"TransitGatewayRouteTableId": TABLE, "Routes": list(rows), "AdditionalRoutesAvailable": False} | fields]


def propagations(*ends: str, kind: str = "vpc", state: str = "enabled") -> list[dict[str, Any]]:
    rows = [{"TransitGatewayAttachmentId": end, "ResourceType": kind, "State": state} for end in ends]
    return [{"TransitGatewayRouteTableId": TABLE, "TransitGatewayRouteTablePropagations": rows}]


def transit(**keys: Any) -> Network:
    """Two VPCs attached to one transit gateway with one table."""
    documents = {
        "TransitGateways": [gateway()],
        "TransitGatewayAttachments": [
            attachment("tgw-attach-1", "vpc-1", table=TABLE),
            attachment("tgw-attach-2", "vpc-2", table=TABLE),
        ],
        "TransitGatewayVpcAttachments": [
            vpc_attachment("tgw-attach-1", "vpc-1", "subnet-1"),
            vpc_attachment("tgw-attach-2", "vpc-2", "subnet-2"),
        ],
        "TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": TABLE, "TransitGatewayId": "tgw-1"}],
    }
    return read(**{**documents, **keys})


def table(**keys: Any) -> TransitGatewayRouteTable:
    return transit(**keys).transit_gateway_route_tables[TABLE]


def reached(found: TransitGatewayRouteTable) -> dict[str, tuple[str, ...]]:
    assert found.routes is not None
    return {str(each.destination): each.attachment_ids for each in found.routes}


def test_sg23_support_of_group_references() -> None:
    assert transit().transit_gateways["tgw-1"].security_group_referencing is False
    enabled = transit(TransitGateways=[gateway(SecurityGroupReferencingSupport="enable")])
    assert enabled.transit_gateways["tgw-1"].security_group_referencing is True
    assert transit().transit_gateway_attachments["tgw-attach-1"].security_group_referencing is True
    off = [vpc_attachment("tgw-attach-1", "vpc-1", SecurityGroupReferencingSupport="disable")]
    network = transit(TransitGatewayVpcAttachments=off)
    assert network.transit_gateway_attachments["tgw-attach-1"].security_group_referencing is False


def test_an_attachment_is_put_together_from_two_answers() -> None:
    options = {"ApplianceModeSupport": "enable"}
    network = transit(TransitGatewayVpcAttachments=[vpc_attachment("tgw-attach-1", "vpc-1", "subnet-9", **options)])
    first, second = (network.transit_gateway_attachments[f"tgw-attach-{n}"] for n in (1, 2))
    assert (first.kind, first.resource_id, first.state) == (AttachmentKind.VPC, "vpc-1", "available")
    assert (first.subnet_ids, first.appliance_mode) == (("subnet-9",), True)
    assert (second.subnet_ids, second.appliance_mode) == (None, False)
    assert network.attachments_of["tgw-1", "vpc-2"] == second
    assert not issues(network, "duplicate")
    other = [vpc_attachment("tgw-attach-1", "vpc-2")]
    assert issues(transit(TransitGatewayVpcAttachments=other), "duplicate", "tgw-attach-1")


def test_an_available_attachment_stands_before_a_deleted_one() -> None:
    rows = [attachment("tgw-attach-1", "vpc-1"), attachment("tgw-attach-9", "vpc-1", State="deleted")]
    network = transit(TransitGatewayAttachments=rows, TransitGatewayVpcAttachments=None)
    assert network.attachments_of["tgw-1", "vpc-1"].attachment_id == "tgw-attach-1"


def test_a_peering_attachment_described_from_both_ends_is_one() -> None:
    ends = {"RequesterTgwInfo": {"TransitGatewayId": "tgw-2"}, "AccepterTgwInfo": {"TransitGatewayId": "tgw-1"}}
    rows = [
        attachment("tgw-attach-3", "tgw-2", "peering", TABLE),
        attachment("tgw-attach-3", "tgw-1", "peering", "tgw-rtb-2", TransitGatewayId="tgw-2"),
    ]
    network = transit(
        TransitGateways=[gateway(), gateway("tgw-2")],
        TransitGatewayAttachments=rows,
        TransitGatewayPeeringAttachments=[{"TransitGatewayAttachmentId": "tgw-attach-3", "State": "available"} | ends],
        TransitGatewayRouteTables=[
            {"TransitGatewayRouteTableId": TABLE, "TransitGatewayId": "tgw-1"},
            {"TransitGatewayRouteTableId": "tgw-rtb-2", "TransitGatewayId": "tgw-2"},
        ],
    )
    found = network.transit_gateway_attachments["tgw-attach-3"]
    assert (found.transit_gateway_id, found.peer_transit_gateway_id, found.resource_id) == ("tgw-1", "tgw-2", None)
    for gateway_id, table_id in (("tgw-1", TABLE), ("tgw-2", "tgw-rtb-2")):
        own = network.transit_gateway_table_of(gateway_id, "tgw-attach-3")
        assert own is not None
        assert own.route_table_id == table_id
    assert not issues(network, "duplicate")
    assert not issues(network, "conflict", "tgw-attach-3")


def test_the_accepters_name_of_a_peering_attachment() -> None:
    peering = {
        "TransitGatewayAttachmentId": "tgw-attach-3",
        "AccepterTransitGatewayAttachmentId": "tgw-attach-4",
        "RequesterTgwInfo": {"TransitGatewayId": "tgw-1"},
        "AccepterTgwInfo": {"TransitGatewayId": "tgw-2"},
        "State": "available",
    }
    rows = [attachment("tgw-attach-4", "tgw-1", "peering", TABLE, TransitGatewayId="tgw-1")]
    network = transit(
        TransitGatewayPeeringAttachments=[peering],
        TransitGatewayAttachments=rows,
        TransitGatewayRoutes=routes(route("10.7.0.0/16", "tgw-attach-4", kind="peering")),
    )
    assert set(network.transit_gateway_attachments) == {"tgw-attach-1", "tgw-attach-2", "tgw-attach-3"}
    found = network.transit_gateway_route_tables[TABLE]
    assert found.attachment_ids == ("tgw-attach-3",)
    assert reached(found) == {"10.7.0.0/16": ("tgw-attach-3",)}


def test_peering_answers_without_ends_are_left_out() -> None:  # moto lists VPC attachments there
    network = transit(TransitGatewayPeeringAttachments=[vpc_attachment("tgw-attach-1", "vpc-1")])
    assert network.transit_gateway_attachments["tgw-attach-1"].kind == AttachmentKind.VPC
    assert issues(network, "invalid-value", "tgw-attach-1")


# -- associations (TG-02) ---------------------------------------------------------------------------------


def members(*ends: str, state: str = "associated") -> list[dict[str, Any]]:
    rows = [{"TransitGatewayAttachmentId": end, "State": state} for end in ends]
    return [{"TransitGatewayRouteTableId": TABLE, "Associations": rows}]


def test_tg02_associations_of_the_attachments() -> None:
    assert table().attachment_ids == ("tgw-attach-1", "tgw-attach-2")
    going = {"TransitGatewayRouteTableId": TABLE, "State": "disassociating"}
    rows = [attachment("tgw-attach-1", "vpc-1", Association=going), attachment("tgw-attach-2", "vpc-2", table=TABLE)]
    assert table(TransitGatewayAttachments=rows).attachment_ids == ("tgw-attach-2",)


def test_tg02_the_tables_own_answer_counts_before_the_attachments() -> None:  # moto does not update the latter
    assert table(TransitGatewayAssociations=members("tgw-attach-2")).attachment_ids == ("tgw-attach-2",)
    assert table(TransitGatewayAssociations=members()).attachment_ids == ()
    assert table(TransitGatewayAssociations=members("tgw-attach-1", state="associating")).attachment_ids == ()


def test_tg02_the_attachments_answer_does_not_move_what_a_table_holds() -> None:
    two = [{"TransitGatewayRouteTableId": name, "TransitGatewayId": "tgw-1"} for name in (TABLE, "tgw-rtb-0")]
    rows = [
        attachment("tgw-attach-1", "vpc-1", table="tgw-rtb-0"),
        attachment("tgw-attach-2", "vpc-2", table="tgw-rtb-0"),
    ]
    network = transit(
        TransitGatewayRouteTables=two,
        TransitGatewayAttachments=rows,
        TransitGatewayAssociations=members("tgw-attach-1"),
    )
    found = {key: each.attachment_ids for key, each in network.transit_gateway_route_tables.items()}
    assert found == {TABLE: ("tgw-attach-1",), "tgw-rtb-0": ("tgw-attach-2",)}
    assert not issues(network, "conflict")


def test_tg02_a_table_that_only_an_attachment_names() -> None:
    rows = [
        attachment("tgw-attach-1", "vpc-1", table=TABLE),
        attachment("tgw-attach-2", "vpc-2", table="tgw-rtb-9"),
        attachment("tgw-attach-3", "tgw-2", "peering", "tgw-rtb-8"),
    ]
    network = transit(TransitGatewayAttachments=rows)
    for name, member in (("tgw-rtb-9", "tgw-attach-2"), ("tgw-rtb-8", "tgw-attach-3")):
        found = network.transit_gateway_route_tables[name]
        assert (found.transit_gateway_id, found.routes, found.attachment_ids) == ("tgw-1", None, (member,))
        (issue,) = issues(network, "dangling-reference", name)
        assert (issue.severity, member in issue.message) == ("warning", True)


def test_tg02_each_end_of_a_peering_has_its_own_table() -> None:
    far = attachment("tgw-attach-3", "tgw-1", "peering", "tgw-rtb-2", TransitGatewayId="tgw-2")
    tables = [
        {"TransitGatewayRouteTableId": TABLE, "TransitGatewayId": "tgw-1"},
        {"TransitGatewayRouteTableId": "tgw-rtb-2", "TransitGatewayId": "tgw-2"},
    ]
    network = transit(
        TransitGatewayAttachments=[far],
        TransitGatewayRouteTables=tables,
        TransitGatewayAssociations=members("tgw-attach-3"),
    )
    found = {key: each.attachment_ids for key, each in network.transit_gateway_route_tables.items()}
    assert found == {TABLE: ("tgw-attach-3",), "tgw-rtb-2": ("tgw-attach-3",)}


def test_tg02_not_described_is_not_none() -> None:
    assert table(TransitGatewayAttachments=None).attachment_ids is None
    assert table(TransitGatewayAttachments=[attachment("tgw-attach-1", "vpc-1")]).attachment_ids == ()


def test_tg02_the_default_table_only_where_nothing_else_says() -> None:
    default = {"DefaultRouteTableAssociation": "enable", "AssociationDefaultRouteTableId": TABLE}
    keys = {"TransitGateways": [gateway(**default)]}
    assert table(**keys, TransitGatewayAttachments=None).attachment_ids == ("tgw-attach-1", "tgw-attach-2")
    plain = [attachment("tgw-attach-1", "vpc-1")]
    assert table(**keys, TransitGatewayAttachments=plain).attachment_ids == ("tgw-attach-2",)
    own = members("tgw-attach-1")
    assert table(**keys, TransitGatewayAttachments=None, TransitGatewayAssociations=own).attachment_ids == (
        "tgw-attach-1",
    )
    off = {"TransitGateways": [gateway(**default | {"DefaultRouteTableAssociation": "disable"})]}
    assert table(**off, TransitGatewayAttachments=None).attachment_ids is None


def test_tg02_one_table_per_attachment() -> None:
    two = [{"TransitGatewayRouteTableId": name, "TransitGatewayId": "tgw-1"} for name in (TABLE, "tgw-rtb-0")]
    own = [*members("tgw-attach-1"), members("tgw-attach-1")[0] | {"TransitGatewayRouteTableId": "tgw-rtb-0"}]
    network = transit(TransitGatewayRouteTables=two, TransitGatewayAssociations=own)
    assert network.transit_gateway_route_tables["tgw-rtb-0"].attachment_ids == ("tgw-attach-1",)
    assert network.transit_gateway_route_tables[TABLE].attachment_ids == ()
    assert issues(network, "conflict", "tgw-attach-1")


def test_tables_only_their_attachments_name() -> None:
    network = transit(TransitGatewayRouteTables=None, TransitGatewayAssociations=members("tgw-attach-1"))
    assert network.transit_gateway_route_tables[TABLE].transit_gateway_id == "tgw-1"
    lost = transit(TransitGatewayRouteTables=None, TransitGatewayRoutes=routes(), TransitGatewayAttachments=None)
    assert not lost.transit_gateway_route_tables
    assert issues(lost, "dangling-reference", TABLE)


# -- routes (TG-03 to TG-05) ------------------------------------------------------------------------------


def test_routes_as_aws_lists_them() -> None:
    rows = [
        route("10.0.0.0/16", "tgw-attach-1", Type="propagated"),
        route("0.0.0.0/0", "tgw-attach-4", "tgw-attach-3", kind="vpn"),
        route("10.9.0.0/16", State="blackhole"),
        route("10.8.0.0/16", "tgw-attach-1", State="deleted"),
        {"PrefixListId": "pl-1", "TransitGatewayAttachments": [], "Type": "static", "State": "blackhole"},
        route("2001:db8::/56", "tgw-attach-2"),
    ]
    found = table(TransitGatewayRoutes=routes(*rows))
    assert found.complete
    assert found.routes == (
        TransitGatewayRoute(ip_network("10.0.0.0/16"), ("tgw-attach-1",), propagated=True),
        TransitGatewayRoute(ip_network("0.0.0.0/0"), ("tgw-attach-3", "tgw-attach-4"), kind="vpn"),
        TransitGatewayRoute(ip_network("10.9.0.0/16"), blackhole=True),
        TransitGatewayRoute(ip_network("2001:db8::/56"), ("tgw-attach-2",)),
        TransitGatewayRoute("pl-1", blackhole=True),
    )


def test_routes_are_described_or_not() -> None:
    assert (table().routes, table().complete) == (None, True)
    assert table(TransitGatewayRoutes=routes()).routes == ()
    cut = table(TransitGatewayRoutes=routes(AdditionalRoutesAvailable=True))
    assert (cut.routes, cut.complete) == ((), False)
    one_half = table(TransitGatewayStaticRoutes=routes(route("10.7.0.0/16", "tgw-attach-1")))
    assert (list(reached(one_half)), one_half.complete) == (["10.7.0.0/16"], False)
    other_half = table(TransitGatewayPropagations=propagations("tgw-attach-2"))
    assert (list(reached(other_half)), other_half.complete) == (["10.1.0.0/16"], False)


def test_two_answers_about_one_table_are_put_together() -> None:
    two = routes(route("10.7.0.0/16", "tgw-attach-1")) + routes(route("10.1.0.0/16", "tgw-attach-2", Type="propagated"))
    found = table(TransitGatewayRoutes=two, TransitGatewayPropagations=propagations("tgw-attach-1"))
    assert reached(found) == {"10.7.0.0/16": ("tgw-attach-1",), "10.1.0.0/16": ("tgw-attach-2",)}


def test_tg05_vpc_cidrs_are_propagated() -> None:
    vpcs = [vpc("vpc-1", "10.0.0.0/16", "10.9.0.0/16", "2001:db8::/56"), vpc("vpc-2", "10.1.0.0/16")]
    keys = {
        "Vpcs": vpcs,
        "TransitGatewayStaticRoutes": routes(),
        "TransitGatewayPropagations": propagations("tgw-attach-1", "tgw-attach-2"),
    }
    found = table(**keys)
    assert found.complete
    assert reached(found) == {
        "10.0.0.0/16": ("tgw-attach-1",),
        "10.9.0.0/16": ("tgw-attach-1",),
        "2001:db8::/56": ("tgw-attach-1",),
        "10.1.0.0/16": ("tgw-attach-2",),
    }
    assert all(each.propagated and each.kind == "vpc" for each in found.routes or ())
    no_ipv6 = [vpc_attachment("tgw-attach-1", "vpc-1", Ipv6Support="disable")]
    assert "2001:db8::/56" not in reached(table(**keys, TransitGatewayVpcAttachments=no_ipv6))  # TG-10
    disabled = propagations("tgw-attach-1", state="disabling")
    assert reached(table(**keys | {"TransitGatewayPropagations": disabled})) == {}


def test_tg05_a_static_route_hides_the_same_cidr() -> None:
    found = table(
        TransitGatewayStaticRoutes=routes(
            route("10.1.0.0/16", "tgw-attach-1"), route("10.1.4.0/24", State="blackhole")
        ),
        TransitGatewayPropagations=propagations("tgw-attach-2"),
    )
    assert reached(found) == {"10.1.0.0/16": ("tgw-attach-1",), "10.1.4.0/24": ()}
    assert not any(each.propagated for each in found.routes or ())


def test_tg05_overlapping_cidrs_are_not_propagated() -> None:
    vpcs = [vpc("vpc-1", "10.0.0.0/16", "10.5.0.0/16"), vpc("vpc-2", "10.1.0.0/16", "10.0.128.0/17")]
    keys = {"Vpcs": vpcs, "TransitGatewayStaticRoutes": routes()}
    network = transit(**keys, TransitGatewayPropagations=propagations("tgw-attach-1", "tgw-attach-2"))
    found = network.transit_gateway_route_tables[TABLE]
    assert reached(found) == {"10.5.0.0/16": ("tgw-attach-1",), "10.1.0.0/16": ("tgw-attach-2",)}
    assert not found.complete
    assert "vpc-1, vpc-2" in issues(network, "conflict", TABLE)[0].message
    alone = table(**keys, TransitGatewayPropagations=propagations("tgw-attach-1"))
    assert list(reached(alone)) == ["10.0.0.0/16", "10.5.0.0/16"]
    assert alone.complete


@pytest.mark.parametrize("kind", ["direct-connect-gateway", "connect", "vpn"])
def test_tg05_what_an_edge_propagates_is_not_known(kind: str) -> None:
    rows = [attachment("tgw-attach-3", "resource-1", kind)]
    keys = {"TransitGatewayStaticRoutes": routes(), "TransitGatewayPropagations": propagations("tgw-attach-3")}
    found = table(TransitGatewayAttachments=rows, **keys)
    assert (found.routes, found.complete) == ((), False)


@pytest.mark.parametrize("static_only", [True, False])
def test_tg05_static_routes_of_a_vpn_connection_are_propagated(static_only: bool) -> None:
    connections = [
        {
            "VpnConnectionId": f"vpn-{n}",
            "TransitGatewayId": "tgw-1",
            "State": "available",
            "Options": {"StaticRoutesOnly": static_only},
            "Routes": [{"DestinationCidrBlock": "192.168.0.0/16", "State": "available"}],
        }
        for n in (1, 2)
    ]
    rows = [attachment(f"tgw-attach-{n + 2}", f"vpn-{n}", "vpn") for n in (1, 2)]
    found = table(
        VpnConnections=connections,
        TransitGatewayAttachments=rows,
        TransitGatewayStaticRoutes=routes(),
        TransitGatewayPropagations=propagations("tgw-attach-4", "tgw-attach-3", kind="vpn"),
    )
    ids = ("tgw-attach-3", "tgw-attach-4")
    assert found.routes == (TransitGatewayRoute(ip_network("192.168.0.0/16"), ids, True, kind="vpn"),)
    assert found.complete is static_only


def test_attachments_and_vpcs_that_are_not_described_leave_a_table_incomplete() -> None:
    keys: dict[str, Any] = {"TransitGatewayStaticRoutes": routes()}
    assert not table(**keys, TransitGatewayPropagations=propagations("tgw-attach-9")).complete
    rows = [attachment("tgw-attach-3", "vpc-9")]
    unknown = table(**keys, TransitGatewayAttachments=rows, TransitGatewayPropagations=propagations("tgw-attach-3"))
    assert not unknown.complete
    gone = [attachment("tgw-attach-1", "vpc-1", State="deleted")]
    found = table(
        **keys,
        TransitGatewayAttachments=gone,
        TransitGatewayVpcAttachments=None,
        TransitGatewayPropagations=propagations("tgw-attach-1"),
    )
    assert (found.routes, found.complete) == ((), True)


def test_search_results_without_propagated_routes() -> None:  # moto leaves them out, and a static route's attachments
    network = transit(
        TransitGatewayRoutes=routes(route("0.0.0.0/0")), TransitGatewayPropagations=propagations("tgw-attach-2")
    )
    found = network.transit_gateway_route_tables[TABLE]
    assert reached(found) == {"0.0.0.0/0": ("tgw-attach-undescribed",), "10.1.0.0/16": ("tgw-attach-2",)}
    assert not (found.routes or ())[0].blackhole
    assert issues(network, "invalid-value", TABLE)
    assert issues(network, "conflict", TABLE)


def test_references_to_prefix_lists() -> None:
    reference = {
        "TransitGatewayRouteTableId": TABLE,
        "PrefixListId": "pl-1",
        "State": "available",
        "Blackhole": False,
        "TransitGatewayAttachment": {"TransitGatewayAttachmentId": "tgw-attach-2", "ResourceType": "vpc"},
    }
    hole = reference | {"PrefixListId": "pl-2", "Blackhole": True, "TransitGatewayAttachment": None}
    gone = reference | {"PrefixListId": "pl-3", "State": "deleting"}
    references = [reference, hole, gone]
    found = table(TransitGatewayRoutes=routes(), TransitGatewayPrefixListReferences=references)
    assert found.routes == (
        TransitGatewayRoute("pl-1", ("tgw-attach-2",)),
        TransitGatewayRoute("pl-2", blackhole=True),
    )
    expanded = route("198.51.100.0/24", "tgw-attach-2", PrefixListId="pl-1")
    listed = table(TransitGatewayRoutes=routes(expanded), TransitGatewayPrefixListReferences=[reference])
    assert reached(listed) == {"198.51.100.0/24": ("tgw-attach-2",)}


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ("Routes", [route("10.0.0.0/8", "tgw-attach-1")]),
        ("Associations", [{"TransitGatewayAttachmentId": "tgw-attach-1", "State": "associated"}]),
        ("TransitGatewayRouteTablePropagations", [{"TransitGatewayAttachmentId": "tgw-attach-1", "State": "enabled"}]),
    ],
)
def test_answers_that_do_not_say_whose_they_are(key: str, rows: list[dict[str, Any]]) -> None:
    network = transit(**{key: rows})
    assert "wrap them" in issues(network, "incomplete", key)[0].message
    assert list(network.other[key]) == rows
    assert not issues(transit(**{key: []}), "incomplete")


@pytest.mark.parametrize("key", ["TransitGatewayAssociations", "TransitGatewayPropagations"])
def test_answers_that_were_cut_are_not_used(key: str) -> None:
    rows = members("tgw-attach-1") if key == "TransitGatewayAssociations" else propagations("tgw-attach-1")
    network = transit(**{key: [rows[0] | {"NextToken": "more"}], "TransitGatewayAttachments": None})
    found = network.transit_gateway_route_tables[TABLE]
    assert (found.attachment_ids, found.routes) == (None, None)
    assert issues(network, "incomplete", TABLE)[0].severity == "error"


def test_tg02_tg05_answers_in_several_pages_are_united() -> None:
    ends = "tgw-attach-1", "tgw-attach-2"
    for order in (1, -1):
        spread = [propagations(end)[0] for end in ends], [members(end)[0] for end in ends]
        for rows in spread:
            rows[0]["NextToken"] = "more"
        described = {"TransitGatewayPropagations": spread[0][::order], "TransitGatewayAssociations": spread[1][::order]}
        network = transit(**described, TransitGatewayAttachments=None, TransitGatewayStaticRoutes=routes())
        found = network.transit_gateway_route_tables[TABLE]
        assert found.attachment_ids == ends
        assert set(reached(found).values()) == {(end,) for end in ends}
        assert not issues(network, "incomplete")


@pytest.mark.parametrize("key", ["TransitGatewayRoutes", "TransitGatewayStaticRoutes"])
@pytest.mark.parametrize("more", [{"NextToken": "more"}, {"NextToken": "more", "AdditionalRoutesAvailable": True}])
def test_tg03_routes_in_several_pages(key: str, more: dict[str, Any]) -> None:
    pages = [*routes(route("10.8.0.0/16", "tgw-attach-1"), **more), *routes(route("10.9.0.0/16", "tgw-attach-2"))]
    whole = table(**{key: pages, "TransitGatewayPropagations": propagations()})
    assert (set(reached(whole)), whole.complete) == ({"10.8.0.0/16", "10.9.0.0/16"}, True)
    assert not table(**{key: pages[:1], "TransitGatewayPropagations": propagations()}).complete
    cut = [*pages[1:], *routes(AdditionalRoutesAvailable=True)]
    assert not table(**{key: cut, "TransitGatewayPropagations": propagations()}).complete


@pytest.mark.parametrize(
    ("keys", "where", "found"),
    [
        (
            {"TransitGateways": [gateway(SecurityGroupReferencingSupport="yes")]},
            "$.TransitGateways[0].Options.SecurityGroupReferencingSupport",
            "yes",
        ),
        (
            {"TransitGatewayVpcAttachments": [vpc_attachment("tgw-attach-1", "vpc-1", ApplianceModeSupport="on")]},
            "$.TransitGatewayVpcAttachments[0].Options.ApplianceModeSupport",
            "on",
        ),
        (
            {"TransitGatewayVpcAttachments": [vpc_attachment("tgw-attach-1", "vpc-1") | {"SubnetIds": "subnet-1"}]},
            "$.TransitGatewayVpcAttachments[0].SubnetIds",
            "subnet-1",
        ),
        (
            {"TransitGatewayRoutes": routes(route("10.0.0/8", "tgw-attach-1"))},
            "$.TransitGatewayRoutes[0].Routes[0].DestinationCidrBlock",
            "10.0.0/8",
        ),
        (
            {"TransitGatewayStaticRoutes": routes({"Type": "static"})},
            "$.TransitGatewayStaticRoutes[0].Routes[0]",
            None,
        ),
        ({"TransitGatewayRoutes": [{"Routes": []}]}, "$.TransitGatewayRoutes[0]", None),
        (
            {"TransitGatewayPropagations": [{"TransitGatewayRouteTableId": TABLE, "Routes": []}]},
            "$.TransitGatewayPropagations[0]",
            None,
        ),
        ({"TransitGatewayAttachments": [None]}, "$.TransitGatewayAttachments[0]", "null"),
        ({"TransitGatewayRouteTables": [{"TransitGatewayRouteTableId": "x"}]}, "$.TransitGatewayRouteTables[0]", None),
    ],
)
def test_what_cannot_be_understood_is_an_error(keys: dict[str, Any], where: str, found: Any) -> None:
    error = refused(**keys)
    assert (error.where, error.found) == (where, found)
    assert error.expected


def test_attachments_of_no_transit_gateway_are_left_out() -> None:
    network = transit(TransitGatewayAttachments=[attachment("tgw-attach-7", "vpc-1", TransitGatewayId=None)])
    assert "tgw-attach-7" not in network.transit_gateway_attachments
    assert issues(network, "incomplete", "tgw-attach-7")[0].severity == "error"


def test_states_of_routes_that_are_not_known() -> None:
    network = transit(TransitGatewayRoutes=routes(route("10.7.0.0/16", "tgw-attach-1", State="resting")))
    assert reached(network.transit_gateway_route_tables[TABLE]) == {"10.7.0.0/16": ("tgw-attach-undescribed",)}
    assert issues(network, "invalid-value", TABLE)
