"""The way each flow takes: which gateways carry it there and back, and where it changes the zone or leaves.

Flows that no route can tell apart share a way, and only one of them is followed, by `explain`. What stands between two
ends of a network is few things, however many flows there are.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..addresses import AddressAxis, special_prefixes
from ..columns import _text_addresses
from ..model import EDGE_ATTACHMENTS, AttachmentKind, IPAddress, Network, NetworkInterface
from ..schema import MIDDLE_TYPES
from ..walk import Explainer
from ..walk_path import FORWARD, REPLY, Hop
from ..walk_rules import NetworkIndex
from ..walk_transit import _select

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import polars as pl

    from ..model import LoadBalancer, TransitGatewayAttachment

#: What tells two ways apart: the VPC, route table and zone of each end, or its node; what their route tables said; for
#: addresses outside, the class of those that no route, CIDR or prefix list tells apart.
KEY = ("src_place", "dst_place", "src_node", "dst_node", "route", "reply_route", "path", "src_class", "dst_class",
       "service", "listener")  # fmt: skip

#: Paths on which nothing can stand in between.
_STRAIGHT = frozenset({"subnet", "vpc", "service"})

#: How a byte goes between two places of one leg.
SAME, CROSS, PEERING, TARGET, FREE_TARGET, REGION, NOT_KNOWN = (
    "same-zone", "cross-zone", "cross-zone-peering", "load-balancer-target", "application-load-balancer-target",
    "cross-region", "zone-not-known",
)  # fmt: skip


class Passed(NamedTuple):
    """Something a packet goes through. `entry`: into a transit gateway by this attachment, not out of one."""

    kind: str
    resource: str
    entry: bool = True


class Crossing(NamedTuple):
    """From one zone to another on a leg, None where not known; of kind REGION, from one Region to another."""

    kind: str
    from_zone: str | None
    to_zone: str | None


@dataclass(frozen=True, slots=True)
class Leg:
    """One direction of a way: what it goes through in this order, its zones, and how it leaves or comes in."""

    passed: tuple[Passed, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    edge: str = "inside"


@dataclass(frozen=True, slots=True)
class Way:
    """A way there and back. `always_tracked`: SG-34; `entries`: tracking entries a connection takes (DynamoDB: 2)."""

    forward: Leg
    reply: Leg
    always_tracked: bool = False
    entries: int = 1
    listener: int | None = None
    """To a load balancer: port * 256 + protocol of its listener."""

    @property
    def nat_gateways(self) -> tuple[str, ...]:
        """NAT gateways on the way there."""
        return tuple(each.resource for each in self.forward.passed if each.kind == "nat-gateway")


class Zones:
    """Zones of a network, by zone id (rule 2 of section 10): names mean nothing outside their account."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def of(self, subnet_id: str | None) -> tuple[str | None, str | None]:
        """(zone, Region) of a subnet. A zone without an id is `account name`: comparable inside that account only."""
        subnet = self._network.subnets.get(subnet_id or "")
        if subnet is None:
            return None, None
        vpc = self._network.vpcs.get(subnet.vpc_id)
        region = subnet.region or (vpc.region if vpc else None)
        if subnet.availability_zone_id:
            return subnet.availability_zone_id, region
        name = subnet.availability_zone
        return (f"{subnet.owner_id or ''} {name}".strip() if name else None), region

    @cached_property
    def _ids(self) -> frozenset[str]:
        return frozenset(s.availability_zone_id for s in self._network.subnets.values() if s.availability_zone_id)

    def kind(self, here: tuple[str | None, str | None], there: tuple[str | None, str | None]) -> str:
        """SAME, CROSS, REGION or NOT_KNOWN."""
        if here[1] and there[1] and here[1] != there[1]:
            return REGION
        if here[0] is None or there[0] is None:
            return NOT_KNOWN
        if here[0] == there[0]:
            return SAME
        by_id = here[0] in self._ids, there[0] in self._ids
        same_account = here[0].rpartition(" ")[0] == there[0].rpartition(" ")[0]
        return CROSS if all(by_id) or (not any(by_id) and same_account) else NOT_KNOWN


class Ways:
    """The ways of one network, numbered as they are met: `number` for a batch, `ways` for what they are."""

    def __init__(self, network: Network) -> None:
        self.network, self.zones = network, Zones(network)
        self.ways: list[Way] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._explainer = Explainer(network)
        self._index = NetworkIndex(network)
        prefixes = set(_prefixes(network))
        self._axis = AddressAxis((*special_prefixes(), *prefixes), ())
        self._starts4 = np.array(self._axis.ipv4_starts, np.uint64)
        self._class_of = _interval_classes(self._axis, prefixes)
        nodes = {i.interface_id: i for i in network.interfaces.values()}
        self._nodes = [name for name, i in nodes.items() if MIDDLE_TYPES.get(i.interface_type) is not None]
        self._balancers = list(network.load_balancer_of)
        self._places = _places(network)
        self._services = frozenset(_service_lists(network))

    def number(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with `way`: the number of each row's way, null where the flow does not get through."""
        import polars as pl

        keyed = self._keyed(frame)
        carried = keyed.filter(pl.col("forward") == "ACCEPT")
        first = carried.unique(KEY, keep="first", maintain_order=True)
        flow = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "src_interface", "dst_interface")
        known = []
        for row in first.select(*KEY, *flow).iter_rows(named=True):
            key = tuple(row[name] for name in KEY)
            if key not in self._numbers:
                self._numbers[key] = len(self.ways)
                self.ways.append(self._way(row))
            known.append(self._numbers[key])
        table = first.select(KEY).with_columns(way=pl.Series(known, dtype=pl.Int32))
        joined = keyed.join(table, on=KEY, how="left", nulls_equal=True, maintain_order="left")
        accepted = pl.col("forward") == "ACCEPT"
        return joined.with_columns(way=pl.when(accepted).then("way")).drop(
            name for name in KEY if name not in frame.columns
        )

    def _keyed(self, frame: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        def place(name: str) -> pl.Expr:
            return pl.col(name).replace_strict(self._places, default=None, return_dtype=pl.Int32)

        def node(name: str) -> pl.Expr:
            return pl.when(pl.col(name).is_in(self._nodes)).then(pl.col(name))

        classes = [
            self._classes(frame[address], frame[interface].is_null()).alias(to)
            for address, interface, to in (
                ("srcaddr", "src_interface", "src_class"),
                ("dstaddr", "dst_interface", "dst_class"),
            )
        ]
        far = pl.when(pl.col("dst_interface").is_null()).then(
            pl.when("sender").then("pkt_dst_aws_service").otherwise("pkt_src_aws_service")
        )
        told = sorted({"S3", "DYNAMODB"} - self._services)
        return frame.with_columns(
            place("src_interface").alias("src_place"), place("dst_interface").alias("dst_place"),
            node("src_interface").alias("src_node"), node("dst_interface").alias("dst_node"),
            pl.when(far.is_in(told)).then(far).alias("service"), *classes,
            pl.when(pl.col("dst_interface").is_in(self._balancers))
            .then(pl.col("dstport").fill_null(0) * 256 + pl.col("protocol")).alias("listener"),
        )  # fmt: skip

    def _classes(self, addresses: pl.Series, outside: pl.Series) -> pl.Series:
        """The class of each address outside the network, null for the others."""
        import polars as pl

        distinct = addresses.filter(outside).drop_nulls().unique(maintain_order=True)
        ipv4, ipv6, family = _text_addresses(distinct)
        numbers = np.searchsorted(self._starts4, ipv4.astype(np.uint64), side="right").astype(np.int64) - 1
        if family is not None:
            for row in np.flatnonzero(family != 4).tolist():
                whole = (int(ipv6[row][0]) << 64) | int(ipv6[row][1]) if ipv6 is not None and family[row] == 6 else -1
                numbers[row] = self._axis.ipv4_size + bisect_right(self._axis.ipv6_starts, whole) - 1
        table = pl.DataFrame({"address": distinct, "class": pl.Series(self._class_of[numbers], dtype=pl.Int64)})
        rows = pl.DataFrame({"address": addresses.set(~outside, None)})
        return rows.join(table, on="address", how="left", maintain_order="left")["class"]

    # -- one way -----------------------------------------------------------------------------------------

    def _way(self, row: dict[str, Any]) -> Way:
        interfaces = self.network.interfaces
        source, destination = (interfaces.get(row[name] or "") for name in ("src_interface", "dst_interface"))
        if row["path"] in _STRAIGHT:
            there = self._leg((), source, destination, None, row)
            back = self._leg((), destination, source, None, row, back=True)
        else:
            flow = {name: row[name] for name in ("srcaddr", "dstaddr", "srcport", "dstport", "protocol")}
            path = self._explainer.explain({**flow, "src_interface_id": row["src_interface"]})
            hops = _hops_there(path.hops), _hops_back(path.hops)
            there = self._leg(hops[0], source, destination, row["dstaddr"], row)
            back = self._leg(hops[1], destination, source, row["srcaddr"], row, back=True)
            there, back = self._with_edges(there, back, source, destination)
        kinds = {each.kind for each in there.passed}
        services = {
            str(self.network.vpc_endpoints[each.resource].service_name or "")
            for each in there.passed
            if each.kind == "gateway-endpoint"
        }
        dynamodb = any(name.endswith(".dynamodb") for name in services)
        tracked = bool(kinds & {"nat-gateway", "egress-only-internet-gateway"}) or dynamodb
        return Way(there, back, tracked, 2 if dynamodb else 1, row["listener"])

    def _leg(
        self,
        hops: Sequence[Hop],
        sender: NetworkInterface | None,
        receiver: NetworkInterface | None,
        destination: str | None,
        row: dict[str, Any],
        *,
        back: bool = False,
    ) -> Leg:
        tracer = _Tracer(self, sender, ip_address(destination) if destination else None)
        tracer.back = back
        tracer.to_target = self.network.load_balancer_of.get(row["src_interface"] or "")
        for hop in hops:
            tracer.take(hop)
        tracer.arrive(receiver)
        return Leg(tuple(tracer.passed), tuple(tracer.crossings), self._edge(tracer, sender, receiver, row))

    def _edge(
        self,
        tracer: _Tracer,
        sender: NetworkInterface | None,
        receiver: NetworkInterface | None,
        row: dict[str, Any],
    ) -> str:
        """How a leg leaves the network, or came in: a category of place `edge`."""
        if row["path"] == "service":
            return "service"
        gateways = [each.kind for each in tracer.passed]
        if sender is not None and receiver is not None:
            if any(crossing.kind == REGION for crossing in tracer.crossings):
                return "between-regions"
            return "hairpin" if "internet-gateway" in gateways else "inside"
        if "gateway-endpoint" in gateways or row["path"] == "gateway-endpoint":
            return "gateway-endpoint"
        if "vpn-gateway" in gateways or tracer.by_edge_attachment or row["path"] == "vpn":
            return "vpn-out" if receiver is None else "vpn-in"
        if {"internet-gateway", "egress-only-internet-gateway"} & set(gateways) or row["path"] in ("internet", "nat"):
            far = row["srcaddr"] if receiver is not None and row["src_interface"] is None else row["dstaddr"]
            if row["service"] or _holds_service(self._index, far, (sender or receiver)):
                return "service-by-internet-gateway"
            return "internet-out" if receiver is None else "internet-in"
        return "elsewhere"

    def _with_edges(
        self, there: Leg, back: Leg, source: NetworkInterface | None, destination: NetworkInterface | None
    ) -> tuple[Leg, Leg]:
        """A flow from outside came in by what its reply leaves by; a reply that is not walked goes the way there."""
        twins = {"internet-out": "internet-in", "vpn-out": "vpn-in"}
        twins.update({inward: outward for outward, inward in twins.items()})
        if source is None and not _attachments_of(there):
            there = Leg((*_turned(_attachments_of(back)), *there.passed), there.crossings, there.edge)
        if not back.passed and there.passed:
            back = Leg(_turned(there.passed), _turned_zones(there), twins.get(there.edge, there.edge))
        if source is None and back.edge == "vpn-out":
            there = Leg(there.passed, there.crossings, "vpn-in")
        if destination is None:
            back = Leg(back.passed, back.crossings, twins.get(there.edge, there.edge))
        return there, back


class _Tracer:
    """What one direction of a walk goes through, collected hop by hop."""

    def __init__(self, ways: Ways, sender: NetworkInterface | None, destination: IPAddress | None) -> None:
        self._ways, self._network = ways, ways.network
        self._sender, self._destination = sender, destination
        self._vpc = sender.vpc_id if sender else None
        self._zone = ways.zones.of(sender.subnet_id) if sender else None
        self._peered = self._in_transit = False
        self.back = False
        """The leg of the reply: a node at its end opened the conversation itself."""
        self.to_target: LoadBalancer | None = None
        """Its node opened the conversation: this is between it and a target (CO-12)."""
        self.by_edge_attachment = False
        self.passed: list[Passed] = []
        self.crossings: list[Crossing] = []

    def take(self, hop: Hop) -> None:
        """The next hop."""
        stage, component, network = hop.stage.removeprefix("reply-"), hop.component, self._network
        if stage.endswith("route"):
            self._in_transit = False
        if stage == "nat-gateway":
            self._nat_gateway(component)
        elif stage == "peering" and component in network.peering_connections:
            peering = network.peering_connections[component]
            ends = peering.requester_vpc_id, peering.accepter_vpc_id
            self._vpc = ends[1] if self._vpc == ends[0] else ends[0]
            self._peered = True
            self._add(Passed("peering", component))
        elif stage == "transit-gateway":
            if not self._in_transit:
                self._transit(component, hop.packet_in.destination if hop.packet_in else self._destination)
            self._in_transit = True
        elif stage == "gateway":
            self._gateway(component)
        elif stage == "middle-interface":
            self._middlebox(component)

    def arrive(self, receiver: NetworkInterface | None) -> None:
        """The end of the leg."""
        if receiver is not None:
            self._go_to(receiver.subnet_id)
            self._note_regions(receiver)
            endpoint = MIDDLE_TYPES.get(receiver.interface_type) == "endpoint"
            owner = _endpoint_of(self._network, receiver.interface_id) if endpoint else None
            if owner:
                self._add(Passed("interface-endpoint", owner))
            balancer = self._network.load_balancer_of.get(receiver.interface_id)
            if balancer is not None and not self.back:
                self._add(Passed("load-balancer", balancer.load_balancer_id))
        sender = self._sender
        if sender is not None and MIDDLE_TYPES.get(sender.interface_type) == "endpoint":
            owner = _endpoint_of(self._network, sender.interface_id)
            if owner:
                self._add(Passed("interface-endpoint", owner))

    def _note_regions(self, receiver: NetworkInterface) -> None:
        """By transit gateways that are peered, a packet comes to another Region without a leg of its own (CO-04)."""
        if self._sender is None or any(each.kind == REGION for each in self.crossings):
            return
        here, there = (self._ways.zones.of(each.subnet_id)[1] for each in (self._sender, receiver))
        if here and there and here != there:
            self.crossings.append(Crossing(REGION, here, there))

    def _add(self, passed: Passed) -> None:
        if not self.passed or self.passed[-1] != passed:
            self.passed.append(passed)

    def _go_to(self, subnet_id: str | None) -> None:
        """A leg from the present zone to that of a subnet; none where a transit gateway or the outside is left."""
        there = self._ways.zones.of(subnet_id)
        if self._zone is not None:
            kind = self._ways.zones.kind(self._zone, there)
            if kind == CROSS and self._peered:
                kind = PEERING
            elif kind == CROSS and self.to_target:
                kind = FREE_TARGET if self.to_target.kind == "application" else TARGET  # CO-12, [mem] there
            place = 1 if kind == REGION else 0
            self.crossings.append(Crossing(kind, self._zone[place], there[place]))
        self._zone, self._peered = there, False

    def _nat_gateway(self, component: str) -> None:
        passed = Passed("nat-gateway", component)
        if self.passed and self.passed[-1] == passed:
            return
        gateway = self._network.nat_gateways.get(component)
        if gateway is not None and not gateway.regional:
            self._go_to(gateway.subnet_id)
        self._vpc = gateway.vpc_id if gateway else self._vpc
        self._add(passed)

    def _transit(self, gateway_id: str, destination: IPAddress | None) -> None:
        """Into a transit gateway, through its tables, and out (TG-02)."""
        network = self._network
        incoming = network.attachments_of.get((gateway_id, self._vpc or ""))
        if incoming is None:
            return
        self._add(Passed("transit-gateway-attachment", incoming.attachment_id))
        while destination is not None:
            outgoing = _next_attachment(self._ways._index, gateway_id, incoming.attachment_id, destination)
            if outgoing is None:
                break
            self._add(Passed("transit-gateway-attachment", outgoing.attachment_id, False))
            if outgoing.kind != AttachmentKind.PEERING:
                self.by_edge_attachment = outgoing.kind in EDGE_ATTACHMENTS
                self._vpc = outgoing.resource_id if outgoing.kind == AttachmentKind.VPC else None
                break
            ends = outgoing.transit_gateway_id, outgoing.peer_transit_gateway_id
            other = ends[1] if ends[0] == gateway_id else ends[0]
            if other is None or len(self.passed) > 32:
                break
            gateway_id, incoming = other, outgoing
        self._zone = None  # CO-08: no further charge for zones inside

    def _gateway(self, component: str) -> None:
        network = self._network
        kinds = (("internet-gateway", network.internet_gateways), ("vpn-gateway", network.vpn_gateways),
                 ("egress-only-internet-gateway", network.egress_only_internet_gateways),
                 ("gateway-endpoint", network.vpc_endpoints))  # fmt: skip
        for kind, known in kinds:
            if component in known:
                self._add(Passed(kind, component))
                if kind == "internet-gateway":
                    self._zone = None
                return

    def _middlebox(self, component: str) -> None:
        network = self._network
        endpoint = network.vpc_endpoints.get(component)
        if endpoint is not None:
            subnets = [network.interfaces[i].subnet_id for i in endpoint.interface_ids if i in network.interfaces]
            self._go_to(next(iter((*subnets, *endpoint.subnet_ids)), None))
            self._add(Passed("gateway-load-balancer-endpoint", component))
        elif component in network.interfaces:
            self._go_to(network.interfaces[component].subnet_id)
            self._add(Passed("appliance", component))


# -- pieces --------------------------------------------------------------------------------------------------


def _places(network: Network) -> dict[str, int]:
    """Interface id -> a number for its VPC, route table and zone: what a way depends on of its subnet."""
    numbers: dict[tuple[Any, ...], int] = {}
    found = {}
    for interface in network.interfaces.values():
        subnet = network.subnets.get(interface.subnet_id or "")
        table = network.route_table_of(interface.subnet_id, interface.vpc_id)
        zone = (subnet.availability_zone_id, subnet.availability_zone, subnet.region, subnet.owner_id) if subnet else ()
        key = (interface.vpc_id, table.route_table_id if table else None, zone, None if subnet else interface.subnet_id)
        found[interface.interface_id] = numbers.setdefault(key, len(numbers))
    return found


def _interval_classes(axis: AddressAxis, prefixes: Iterable[Any]) -> Any:
    """int64[interval]: intervals inside the same prefixes, and of the same kind of address, have the same number."""
    draw = np.random.default_rng()
    marks = axis.kinds().astype(np.uint64) * np.uint64(2) + (np.arange(axis.size) >= axis.ipv4_size)
    for prefix in prefixes:
        first, end = axis.span(prefix)
        marks[first:end] ^= draw.integers(1 << 8, 1 << 63, dtype=np.uint64) << np.uint64(1)
    return np.unique(marks, return_inverse=True)[1].astype(np.int64)


def _prefixes(network: Network) -> Iterator[Any]:
    """Every network that something on a way may tell addresses apart by."""
    for vpc in network.vpcs.values():
        yield from vpc.blocks
    for subnet in network.subnets.values():
        yield from (each for each in (subnet.cidr_block, *subnet.ipv6_cidr_blocks) if each is not None)
    for listed in network.prefix_lists.values():
        yield from listed.cidr_blocks or ()
    routes: list[Any] = [route for table in network.route_tables.values() for route in table.routes]
    routes += [route for table in network.transit_gateway_route_tables.values() for route in table.routes or ()]
    yield from (route.destination for route in routes if not isinstance(route.destination, str))
    for connection in network.vpn_connections.values():
        yield from connection.destinations
    for peering in network.peering_connections.values():
        yield from (*peering.requester_cidr_blocks, *peering.accepter_cidr_blocks)


def _hops_there(hops: Iterable[Hop]) -> list[Hop]:
    """The hops of the conversation itself: those behind a load balancer's node belong to the node's own."""
    found = []
    for hop in hops:
        if hop.leg != FORWARD or not hop.reached or hop.stage == "load-balancer":
            break
        found.append(hop)
    return found


def _hops_back(hops: Iterable[Hop]) -> list[Hop]:
    """The reply's, likewise from the node on."""
    back = [hop for hop in hops if hop.leg == REPLY and hop.reached]
    starts = ("destination-security-group", "reply-destination-network-acl", "reply-route")
    start = next((number for number, hop in enumerate(back) if hop.stage in starts), 0)
    return back[start:]


def _attachments_of(leg: Leg) -> tuple[Passed, ...]:
    return tuple(each for each in leg.passed if each.kind == "transit-gateway-attachment")


def _turned(passed: Sequence[Passed]) -> tuple[Passed, ...]:
    return tuple(
        each._replace(entry=not each.entry) if each.kind == "transit-gateway-attachment" else each
        for each in reversed(passed)
    )


def _turned_zones(leg: Leg) -> tuple[Crossing, ...]:
    return tuple(Crossing(each.kind, each.to_zone, each.from_zone) for each in reversed(leg.crossings))


def _next_attachment(
    index: NetworkIndex, gateway_id: str, attachment_id: str, destination: IPAddress
) -> TransitGatewayAttachment | None:
    table = index.network.transit_gateway_table_of(gateway_id, attachment_id)
    route, _ = _select(index, table, destination) if table is not None else (None, False)
    if route is None or route.blackhole:
        return None
    return index.network.transit_gateway_attachments.get(min(route.attachment_ids, default=""))


def _endpoint_of(network: Network, interface_id: str) -> str | None:
    for endpoint in network.vpc_endpoints.values():
        if interface_id in endpoint.interface_ids:
            return endpoint.endpoint_id
    return None


def _service_lists(network: Network) -> Iterator[str]:
    """Services of which AWS's prefix list is described with its entries."""
    for listed in network.prefix_lists.values():
        service = (listed.name or "").rpartition(".")[2]
        if listed.cidr_blocks is not None and service in ("s3", "dynamodb"):
            yield service.upper()


def _holds_service(index: NetworkIndex, address: str | None, near: NetworkInterface | None) -> bool:
    """Whether an address is one of S3's or DynamoDB's of the Region, as AWS's prefix lists say (CO-06)."""
    if address is None:
        return False
    parsed, region = ip_address(address), near.region if near else None
    vpc = index.network.vpcs.get(near.vpc_id or "") if near else None
    region = region or (vpc.region if vpc else None)
    for listed in index.network.prefix_lists.values():
        head, _, service = (listed.name or "").rpartition(".")
        if service not in ("s3", "dynamodb") or (region and head.rpartition(".")[2] not in (region, "")):
            continue
        if any(parsed.version == block.version and parsed in block for block in listed.cidr_blocks or ()):
            return True
    return False


__all__ = [
    "CROSS",
    "FREE_TARGET",
    "KEY",
    "NOT_KNOWN",
    "PEERING",
    "REGION",
    "SAME",
    "TARGET",
    "Crossing",
    "Leg",
    "Passed",
    "Way",
    "Ways",
    "Zones",
]
