"""Transit gateways as tables for `kernels_long`: ways in by VPC and zone, attachments, route tables (TG-01...09)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels_long as kl
from .addresses import AddressAxis
from .compile_policies import deny, unsure
from .model import (
    EDGE_ATTACHMENTS,
    AttachmentKind,
    Network,
    TransitGatewayAttachment,
    TransitGatewayRoute,
    TransitGatewayRouteTable,
    is_working,
)

Array = npt.NDArray[Any]

#: Among propagated routes of one length (TG-03); higher wins.
PROPAGATED_RANK = {
    AttachmentKind.VPC: 4,
    AttachmentKind.DIRECT_CONNECT: 3,
    AttachmentKind.CONNECT: 2,
    AttachmentKind.VPN: 1,
}
STATIC_RANK, LIST_RANK = 6, 5


class TransitPlan:
    """The transit gateways of a network. A *pair* is an attachment seen from one of its transit gateways."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.neighbours = _neighbours(network)
        self._entries: dict[tuple[str, str], int] = {}
        self._pairs: dict[tuple[str, str], int] = {}
        self._tables = {table_id: n for n, table_id in enumerate(network.transit_gateway_route_tables)}
        self._attachments = {each: n for n, each in enumerate(network.transit_gateway_attachments)}
        gateways = [*network.transit_gateways]
        self._gateways = {gateway_id: n for n, gateway_id in enumerate(gateways)}
        for table in network.route_tables.values():
            for route in table.routes:
                if route.target_kind == "transit-gateway":
                    self._entries.setdefault((route.target_id, table.vpc_id), len(self._entries))
        for each in network.transit_gateway_attachments.values():
            for gateway_id in (each.transit_gateway_id, each.peer_transit_gateway_id):
                if gateway_id:
                    self._pairs.setdefault((gateway_id, each.attachment_id), len(self._pairs))
        for transit_table in network.transit_gateway_route_tables.values():
            for transit_route in transit_table.routes or ():
                for attachment_id in transit_route.attachment_ids:
                    if attachment_id in network.transit_gateway_attachments:
                        self._pairs.setdefault((transit_table.transit_gateway_id, attachment_id), len(self._pairs))

    def entry(self, transit_gateway_id: str, vpc_id: str) -> int:
        """Number of a VPC's way into a transit gateway."""
        return self._entries[transit_gateway_id, vpc_id]

    def prefixes(self) -> Iterable[Any]:
        """Destinations of the route tables."""
        for table in self.network.transit_gateway_route_tables.values():
            for route in table.routes or ():
                yield from self._blocks(route)

    def _blocks(self, route: TransitGatewayRoute) -> tuple[Any, ...]:
        if not isinstance(route.destination, str):
            return (route.destination,)
        listed = self.network.prefix_lists.get(route.destination)
        return (listed.cidr_blocks if listed else None) or ()

    def begin(
        self,
        axis: AddressAxis,
        representative: Array,
        zones: Zones,
        places: dict[tuple[str | None, str], int],
        vpcs: dict[str, int],
    ) -> None:
        """Take over what the tables are made over."""
        self._axis, self._representative = axis, representative
        self._zones, self._places, self._vpcs = zones, places, vpcs

    def tables(self) -> dict[str, Array]:
        """The fields of kernels_long.LongTables that this holds."""
        words = [self._words(table) for table in self.network.transit_gateway_route_tables.values()]
        return {
            **self._entry_tables(),
            **self._pair_tables(),
            "same_zone": self._zones.table(),
            "transit": np.concatenate([*words, np.zeros(1, np.uint32)]),
        }

    # -- ways in -----------------------------------------------------------------------------------------

    def _entry_tables(self) -> dict[str, Array]:
        n_zones = len(self._zones.pairs) + 1
        rows = np.zeros((len(self._entries) + 1, kl.ENTRY_WIDTH), np.int64)
        places = np.zeros((len(rows), n_zones), np.int32)
        for (gateway_id, vpc_id), number in self._entries.items():
            attachment = self.network.attachments_of.get((gateway_id, vpc_id))
            rows[number, kl.Y_OUTCOME] = self._entry_outcome(gateway_id, attachment)
            if attachment is None:
                continue
            rows[number, kl.Y_PAIR] = self._pairs[gateway_id, attachment.attachment_id]
            own = self._subnet_places(attachment)
            for zone in range(1, n_zones):
                inside = [place for place, other in own if self._zones.same(zone, other)]
                places[number, zone] = inside[0] if inside else 0
        return {"entry": rows.reshape(-1), "entry_place": places.reshape(-1)}

    def _entry_outcome(self, gateway_id: str, attachment: TransitGatewayAttachment | None) -> int:
        gateway = self.network.transit_gateways.get(gateway_id)
        if gateway is None and attachment is None:
            return unsure("UNKNOWN_RESOURCE")
        if gateway is not None and not is_working(gateway.state):
            return deny("BAD_STATE")
        if attachment is None:
            return unsure("UNKNOWN_RESOURCE")
        if not is_working(attachment.state):
            return deny("BAD_STATE_ATTACHMENT")
        return unsure("UNKNOWN_RESOURCE") if attachment.subnet_ids is None else 0

    def _subnet_places(self, attachment: TransitGatewayAttachment) -> list[tuple[int, int]]:
        """(place, zone) of the described subnets of a VPC attachment, by subnet id."""
        return [
            (self._places[subnet_id, str(attachment.resource_id)], self._zones.of_place(subnet_id))
            for subnet_id in sorted(attachment.subnet_ids or ())
            if subnet_id in self.network.subnets
        ]

    # -- attachments -------------------------------------------------------------------------------------

    def _pair_tables(self) -> dict[str, Array]:
        n_zones = len(self._zones.pairs) + 1
        rows = np.zeros((len(self._pairs) + 1, kl.PAIR_WIDTH), np.int64)
        spans = np.zeros((len(rows), n_zones, 4), np.int32)
        candidates: list[int] = []
        for (gateway_id, attachment_id), number in self._pairs.items():
            attachment, row = self.network.transit_gateway_attachments[attachment_id], rows[number]
            self._fill_pair(row, gateway_id, attachment)
            if attachment.kind == AttachmentKind.VPC and attachment.resource_id:
                row[kl.R_SPREADS] = attachment.appliance_mode and self._is_spread(attachment)
                for zone in range(n_zones):
                    found, near = self._candidates(attachment, zone)
                    spans[number, zone] = len(candidates), len(found), len(candidates) + len(found), len(near)
                    candidates += found + near
        return {
            "pair": rows.reshape(-1),
            "pair_span": spans.reshape(-1),
            "candidate": np.array([*candidates, 0], np.int32),
        }

    def _fill_pair(self, row: Array, gateway_id: str, attachment: TransitGatewayAttachment) -> None:
        network, kind = self.network, attachment.kind
        gateway = network.transit_gateways.get(gateway_id)
        row[kl.R_NUMBER] = self._attachments[attachment.attachment_id]
        row[kl.R_REFERS] = attachment.security_group_referencing
        row[kl.R_GATEWAY_REFERS] = gateway is not None and gateway.security_group_referencing
        row[kl.R_TABLE], row[kl.R_TABLE_OUTCOME] = self._table_of(gateway_id, attachment.attachment_id)
        row[kl.R_PEER] = -1
        if kind == AttachmentKind.VPC:
            row[kl.R_KIND], row[kl.R_VPC] = kl.A_VPC, self._vpcs.get(attachment.resource_id or "", 0)
        elif kind in EDGE_ATTACHMENTS:
            row[kl.R_KIND] = kl.A_EDGE
            connection = network.vpn_connections.get(attachment.resource_id or "")
            if kind == AttachmentKind.VPN and connection is not None and not is_working(connection.state):
                row[kl.R_DOWN] = deny("TGW_BAD_STATE_VPN")
        elif kind == AttachmentKind.PEERING:
            row[kl.R_KIND] = kl.A_PEERING
            ends = attachment.transit_gateway_id, attachment.peer_transit_gateway_id
            other = ends[1] if gateway_id == ends[0] else ends[0]
            if other in network.transit_gateways:
                row[kl.R_PEER] = self._pairs[str(other), attachment.attachment_id]
        else:
            row[kl.R_KIND] = kl.A_OTHER

    def _table_of(self, gateway_id: str, attachment_id: str) -> tuple[int, int]:
        """(number of the table that packets from an attachment use, outcome if there is none)."""
        network = self.network
        table = network.transit_gateway_table_of(gateway_id, attachment_id)
        if table is not None:
            unread = unsure("TGW_RTB_ROUTES_ARE_UNKNOWN") if table.routes is None else 0
            return self._tables[table.route_table_id], unread
        own = [each for each in network.transit_gateway_route_tables.values() if each.transit_gateway_id == gateway_id]
        known = bool(own) and all(each.attachment_ids is not None for each in own)
        for key in ("TransitGatewayAttachments", "TransitGatewayRouteTables"):
            known = known and (key, gateway_id) not in network.partly_described
        return 0, deny("TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION") if known else unsure("TGW_RTB_ROUTES_ARE_UNKNOWN")

    def _is_spread(self, attachment: TransitGatewayAttachment) -> bool:
        """Whether a VPC attachment has subnets in more than one zone, as far as known."""
        zones = [zone for _, zone in self._subnet_places(attachment)]
        return any(not self._zones.same(zones[0], other) for other in zones[1:])

    def _candidates(self, attachment: TransitGatewayAttachment, zone: int) -> tuple[list[int], list[int]]:
        """(places where a packet from a zone may leave a VPC attachment, those in the zone) (TG-06, TG-07)."""
        own = self._subnet_places(attachment)
        inside = [place for place, other in own if self._zones.same(zone, other)]
        everywhere = [place for place, _ in own]
        spreads = attachment.appliance_mode and self._is_spread(attachment)
        return (inside if inside and not spreads else everywhere), inside

    # -- route tables ------------------------------------------------------------------------------------

    def _words(self, table: TransitGatewayRouteTable) -> Array:
        """uint32[between classes]: outcome << 24 | pair of the winning attachment (TG-03)."""
        positions, axis = self._representative, self._axis
        missing = deny("TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT") if table.complete else unsure("TGW_RTB_ROUTES_ARE_UNKNOWN")
        words = np.full(positions.size, missing << 24, np.uint32)
        length = np.full(positions.size, -1, np.int64)
        ordered = sorted(
            (
                (block.prefixlen, self._rank(route), -order, block, route)
                for order, route in enumerate(table.routes or ())
                for block in self._blocks(route)
            ),
            key=lambda candidate: candidate[:3],
        )
        for size, _, _, block, route in ordered:
            low, high = np.searchsorted(positions, axis.span(block))
            length[low:high] = size
            words[low:high] = self._word(table.transit_gateway_id, route)
        full = np.where(positions < axis.ipv4_size, 32, 128)
        for route in table.routes or ():
            listed = self.network.prefix_lists.get(str(route.destination))
            if isinstance(route.destination, str) and (listed is None or listed.cidr_blocks is None):
                ((low, high),) = axis.family_span(listed.address_family if listed else None)
                possible = (length != full) & (positions >= low) & (positions < high)
                words[possible] = unsure("MISSING_PREFIX_LIST") << 24
        return words

    @staticmethod
    def _rank(route: TransitGatewayRoute) -> int:
        if isinstance(route.destination, str):
            return LIST_RANK
        return PROPAGATED_RANK.get(route.kind, 0) if route.propagated else STATIC_RANK

    def _word(self, gateway_id: str, route: TransitGatewayRoute) -> int:
        if route.blackhole:
            return deny("TGW_RTB_BAD_STATE_ROUTE") << 24
        first = min(route.attachment_ids, default="")
        if first not in self.network.transit_gateway_attachments:
            return unsure("UNKNOWN_RESOURCE") << 24
        pair = self._pairs[gateway_id, first]
        attachment = self.network.transit_gateway_attachments[first]
        propagated = int(kl.PROPAGATED) if route.propagated else 0
        return (0 if is_working(attachment.state) else deny("BAD_STATE_ATTACHMENT")) << 24 | propagated | pair


def _neighbours(network: Network) -> dict[str, frozenset[str]]:
    """VPC -> other VPCs with an available attachment to a transit gateway that it has one to as well."""
    of_gateway: dict[str, set[str]] = {}
    for (gateway_id, vpc_id), attachment in network.attachments_of.items():
        if is_working(attachment.state):
            of_gateway.setdefault(gateway_id, set()).add(vpc_id)
    found: dict[str, set[str]] = {}
    for members in of_gateway.values():
        for vpc_id in members:
            found.setdefault(vpc_id, set()).update(members - {vpc_id})
    return {vpc_id: frozenset(others) for vpc_id, others in found.items()}


class Zones:
    """Availability zones as numbers; 0: not known. A zone is a pair (name, id); names differ between accounts."""

    def __init__(self, network: Network, places: dict[tuple[str | None, str], int]) -> None:
        self._network = network
        self.pairs: list[tuple[str | None, str | None]] = []
        self._numbers: dict[tuple[str | None, str | None], int] = {(None, None): 0}
        for subnet_id, _ in places:
            pair = self._pair(subnet_id)
            if pair not in self._numbers:
                self.pairs.append(pair)
                self._numbers[pair] = len(self.pairs)

    def _pair(self, subnet_id: str | None) -> tuple[str | None, str | None]:
        subnet = self._network.subnets.get(subnet_id or "")
        return (subnet.availability_zone, subnet.availability_zone_id) if subnet else (None, None)

    def of_place(self, subnet_id: str | None) -> int:
        """The number of a subnet's zone."""
        return self._numbers[self._pair(subnet_id)]

    def table(self) -> Array:
        """uint8[zones * zones]: `same` of every two numbers."""
        numbers = range(len(self.pairs) + 1)
        return np.array([self.same(one, other) for one in numbers for other in numbers], np.uint8)

    def same(self, one: int, other: int) -> bool:
        """Whether two numbers stand for one zone: by id where both have one, else by name."""
        if 0 in (one, other):
            return False
        (name, zone_id), (other_name, other_id) = self.pairs[one - 1], self.pairs[other - 1]
        return zone_id == other_id if zone_id and other_id else name is not None and name == other_name
