"""Judged flows folded to what capacity needs: bytes by way and window, records of gateways, distinct connections.

Each record falls into one bucket, so that all bytes are accounted for:
carried (the network lets it through), blocked (it would not), undecided (it cannot be said), refused (logged as
REJECT), middle (a NAT gateway, transit gateway or appliance describes bytes of others again: FL-36),
behind-load-balancer (a Network Load Balancer that keeps client addresses hands on what its own node counts). Of what
both ends of a conversation log, the sender's record counts and the receiver's is "other-end".
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..addresses import merged
from ..schema import ANY_PROTOCOL, MIDDLE_TYPES, TCP, UDP
from .capacity_connections import Connections, hashed, in_windows, over_time
from .capacity_ways import Ways
from .diff_tracking import _TRACKING_TYPES

if TYPE_CHECKING:
    import polars as pl

    from ..model import Network, NetworkInterface

BUCKETS = ("carried", "blocked", "undecided", "refused", "middle", "behind-load-balancer", "other-end")

#: Rows of a fold held before it is folded again.
_HELD_ROWS = 1 << 20
_SUMS = ("bytes", "packets", "records", "unsized")


@dataclass(frozen=True)
class Folded:
    """What a run found for one network.

    `flows`: rows of window, way, sender (the packet came from the end that opened), bucket and `measured` with bytes,
    packets, records and unsized (records without bytes). `gateways`: what gateways' own records say: resource, kind,
    entry, window, bytes, packets. `connections`: resource, window, destination, connections, opened.
    `resources`: (kind, id, source) by number; `destinations`: hash -> (address, port, protocol). `times`: first and
    last second of the records.
    """

    flows: pl.DataFrame
    gateways: pl.DataFrame
    connections: pl.DataFrame
    resources: tuple[tuple[str, str, str], ...]
    destinations: pl.DataFrame
    logged: frozenset[str]
    times: tuple[int, int] | None


class Fold:
    """Folds judged frames of one network. `measured`: gateways' own records are taken where there are any."""

    def __init__(self, network: Network, window: int, *, measured: bool) -> None:
        self.network, self.ways = network, Ways(network)
        self._window, self._measured = window, measured
        self._flows = _Sums(("window", "way", "sender", "bucket", "at", "other"))
        self._gateways = _Sums(("resource", "kind", "entry", "window", "own_log"))
        self._coverage: dict[str, tuple[int, int]] = {}
        self._times: tuple[int, int] | None = None
        self._connections = Connections()
        self._resources: dict[tuple[str, str, str], int] = {}
        self._destinations: list[pl.DataFrame] = []
        self._open_ports: dict[tuple[int, bool, int, int], list[tuple[int, int]]] = {}
        self._grouped, self._one_of = self._by_groups()
        self._kinds = {i.interface_id: i.interface_type for i in network.interfaces.values()}
        self._nat = _nat_interfaces(network)
        self._nat_addresses = _nat_addresses(network)
        self._attachments = _attachment_interfaces(network)
        self._kept_clients = _behind_balancers(network)

    def add(self, judged: pl.DataFrame) -> None:
        """One batch, as `CapacityInput` gives it."""
        frame = self.ways.number(judged)
        frame = frame.with_columns(self._at()).with_columns(self._bucket())
        self._flows.add(over_time(_flow_rows(frame), self._window))
        self._note_time(frame)
        self._cover(frame)
        if self._measured:
            self._gateways.add(over_time(self._gateway_rows(frame), self._window))
        dated = frame.filter(frame["first"].is_not_null())
        self._add_connections(dated)

    # -- buckets -----------------------------------------------------------------------------------------

    def _at(self) -> list[pl.Expr]:
        """`at`: sender, receiver or neither end of the packet; `middle`: the record is of something in between."""
        import polars as pl

        interface, direction = pl.col("interface_id"), pl.col("direction")
        passing = [name for name, kind in self._kinds.items() if MIDDLE_TYPES.get(kind) in _PASSING]
        passing += sorted(self.network.nat_instances)
        middle = (
            pl.col("observed_at").is_in([*_PASSING, "appliance"]).fill_null(False)
            | interface.is_in(passing).fill_null(False)
            | pl.col("resource_id").str.starts_with("nat-").fill_null(False)
        )
        at_sender = (direction == "egress") & (interface == _sender_interface())
        at_receiver = (direction == "ingress") & (interface == _receiver_interface())
        at = (
            pl.when(pl.col("kind") == "table")
            .then(pl.lit("sender"))
            .when(at_sender.fill_null(False))
            .then(pl.lit("sender"))
            .when(at_receiver.fill_null(False))
            .then(pl.lit("receiver"))
            .otherwise(pl.lit("neither"))
        )
        return [at.alias("at"), middle.alias("middle")]

    def _bucket(self) -> pl.Expr:
        import polars as pl

        state = pl.when("sender").then("forward").otherwise("verdict")
        kept = (
            (pl.col("verdict") == "UNKNOWN")
            & (pl.col("reason") == "UNSUPPORTED_COMPONENT").fill_null(False)
            & pl.col("dst_interface").is_in(self._kept_clients).fill_null(False)
        )
        return (
            pl.when("middle")
            .then(pl.lit("middle"))
            .when((pl.col("action") == "REJECT").fill_null(False))
            .then(pl.lit("refused"))
            .when(kept)
            .then(pl.lit("behind-load-balancer"))
            .when(state == "ACCEPT")
            .then(pl.lit("carried"))
            .when(state == "REJECT")
            .then(pl.lit("blocked"))
            .otherwise(pl.lit("undecided"))
            .alias("bucket")
        )

    def _cover(self, frame: pl.DataFrame) -> None:
        """The windows from which to which each interface logged what it let through, as an end (FL-10, FL-11)."""
        import polars as pl

        logged = (pl.col("action") == "REJECT").fill_null(False)
        ends = frame.filter((pl.col("at") != "neither") & (pl.col("kind") == "log") & ~logged)
        first, last = pl.col("window"), (pl.max_horizontal(pl.col("last") - 1, "first") // self._window) * self._window
        found = ends.group_by("interface_id").agg(  # without a window it may have been any time
            first=first.fill_null(-_NEVER).min(), last=last.fill_null(_NEVER).max()
        )
        for interface, first, last in found.iter_rows():
            known = self._coverage.get(interface, (first, last))
            self._coverage[interface] = min(known[0], first), max(known[1], last)

    def _note_time(self, frame: pl.DataFrame) -> None:
        dated = frame.select("first", "last").drop_nulls()
        if dated.height:
            first, last = dated.min().row(0)[0], dated.max().row(0)[1]
            known = self._times or (first, last)
            self._times = min(known[0], first), max(known[1], last)

    # -- gateways' own records ---------------------------------------------------------------------------

    def _gateway_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Records of NAT gateways and transit gateway attachments: by resource, in or out (FL-33…35)."""
        import polars as pl

        entry = pl.col("direction") == "ingress"
        nat = pl.coalesce(
            pl.col("interface_id").replace_strict(self._nat, default=None, return_dtype=pl.String),
            pl.when(pl.col("resource_id").str.starts_with("nat-")).then("resource_id"),
        )
        attachment = pl.coalesce(
            "tgw_attachment_id",
            pl.col("interface_id").replace_strict(self._attachments, default=None, return_dtype=pl.String),
        )
        rows = frame.filter(frame["kind"] == "log").with_columns(
            resource=pl.coalesce(nat, attachment), entry=entry,
            kind=pl.when(nat.is_not_null()).then(pl.lit("nat-gateway")).otherwise(pl.lit("transit-gateway-attachment")),
        )  # fmt: skip
        rows = rows.filter(pl.col("resource").is_not_null() & pl.col("entry").is_not_null())
        refused = (pl.col("action") == "REJECT").fill_null(False)
        own_log = pl.col("tgw_attachment_id").is_not_null()
        return rows.filter(~refused).select(
            "resource", "kind", "entry", "window", own_log.alias("own_log"), "first", "last", *_sums()
        )

    # -- connections -------------------------------------------------------------------------------------

    def _add_connections(self, frame: pl.DataFrame) -> None:
        import polars as pl

        carried = frame.filter((pl.col("bucket") == "carried") & pl.col("way").is_not_null())
        for rows in (*self._of_ways(carried), *self._of_interfaces(carried)):
            self._connections.add(in_windows(rows, self._window).select(_CONNECTION))
        if self._measured:
            self._connections.add(in_windows(self._of_nat_records(frame), self._window).select(_CONNECTION))

    def _of_ways(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Connections of NAT gateways, to each destination, and of load balancers, to each listener port."""
        import polars as pl

        found = []
        for kind in ("nat-gateway", "load-balancer"):
            table = [
                (number, self._number(kind, each.resource, "predicted"))
                for number, way in enumerate(self.ways.ways)
                for each in dict.fromkeys(each for each in way.forward.passed if each.kind == kind)
            ]
            if not table:
                continue
            ways = pl.DataFrame(table, schema={"way": pl.Int32, "resource": pl.Int32}, orient="row")
            rows = frame.join(ways, on="way", how="inner")
            if kind == "load-balancer":
                rows = rows.with_columns(connection=hashed("srcaddr", "srcport", "dstaddr"), dstaddr=pl.lit(""))
            else:
                rows = rows.with_columns(connection=hashed("srcaddr", "srcport"))
            found.append(self._with_destinations(rows))
        return found

    def _of_nat_records(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Ports a NAT gateway uses towards each destination, from its own records of that leg (FL-33 (2), NG-17)."""
        import polars as pl

        resource = pl.col("interface_id").replace_strict(self._nat, default=None, return_dtype=pl.String)
        rows = frame.filter(pl.col("kind") == "log").with_columns(nat=resource)
        rows = rows.filter(pl.col("nat").is_not_null() & (pl.col("direction") == "egress"))
        names = rows["nat"].unique().to_list()
        numbers = {name: self._number("nat-gateway", name, "measured") for name in names}
        own = pl.col("pkt_srcaddr").is_in(self._nat_addresses)
        outward = pl.when(pl.col("pkt_srcaddr").is_not_null()).then(own).otherwise(
            ~pl.lit(_inside(self.network, rows["logged_dst"]))
        )  # fmt: skip
        rows = rows.with_columns(own_address=pl.coalesce("pkt_srcaddr", "logged_src"))
        rows = rows.filter(outward.fill_null(False)).with_columns(
            resource=pl.col("nat").replace_strict(numbers, default=None, return_dtype=pl.Int32),
            connection=hashed("own_address", "logged_srcport"),
            dstaddr=pl.coalesce("pkt_dstaddr", "logged_dst"), dstport="logged_dstport",
        )  # fmt: skip
        return self._with_destinations(rows)

    def _of_interfaces(self, frame: pl.DataFrame) -> list[pl.DataFrame]:
        """Connections that the security groups of each interface track (SG-31…SG-38)."""
        import polars as pl

        found = []
        always = [number for number, way in enumerate(self.ways.ways) if way.always_tracked]
        twice = [number for number, way in enumerate(self.ways.ways) if way.entries == 2]
        types = [name for name, kind in self._kinds.items() if kind in _TRACKING_TYPES]
        by_type = pl.col("src_interface").is_in(types) | pl.col("dst_interface").is_in(types)
        rows = frame.with_columns(
            always=pl.col("way").is_in(always) | by_type.fill_null(False),
            version=pl.when(pl.col("dstaddr").str.contains(":", literal=True)).then(6).otherwise(4),
            destination=pl.lit(0, pl.UInt64),
            connection=hashed("srcaddr", "srcport", "dstaddr", "dstport", "protocol"),
        )
        for end, egress in (("src_interface", True), ("dst_interface", False)):
            key = ["groups", "protocol", "dstport", "version", "always"]
            here = rows.filter(pl.col(end).is_not_null()).join(self._grouped, left_on=end, right_on="name")
            kinds = here.select(key).unique()
            tracked = [self._is_tracked(egress, *values) for values in kinds.iter_rows()]
            table = kinds.filter(pl.Series(tracked, dtype=pl.Boolean))
            mine = here.join(table, on=key, how="semi", nulls_equal=True)
            found.append(mine)
            double = mine.filter(pl.col("way").is_in(twice))
            if double.height:
                found.append(double.with_columns(pl.col("connection").hash(seed=23)))
        return found

    def _by_groups(self) -> tuple[pl.DataFrame, list[NetworkInterface]]:
        """(interface -> its resource's number and that of its groups, one interface of each such number)."""
        import polars as pl

        numbers: dict[tuple[str, ...] | None, int] = {}
        rows, one_of = [], []
        for name, interface in self.network.interfaces.items():
            if interface.group_ids not in numbers:
                numbers[interface.group_ids] = len(numbers)
                one_of.append(interface)
            rows.append((name, self._number("interface", name, "predicted"), numbers[interface.group_ids]))
        schema = {"name": pl.String, "resource": pl.Int32, "groups": pl.Int32}
        return pl.DataFrame(rows, schema=schema, orient="row"), one_of

    def _is_tracked(
        self, egress: bool, groups: int, protocol: int | None, port: int | None, version: int, always: bool
    ) -> bool:
        interface = self._one_of[groups]
        if interface.group_ids == () or protocol is None:
            return False
        if always or protocol not in (TCP, UDP) or interface.group_ids is None:
            return True
        key = groups, egress, version, protocol
        if key not in self._open_ports:
            back = open_ports(self.network, interface, not egress, version, protocol)
            spans = open_ports(self.network, interface, egress, version, protocol)
            self._open_ports[key] = spans if back == [(0, 65535)] else []
        spans = self._open_ports[key]
        place = bisect_right(spans, (port or 0, 65535)) - 1
        return place < 0 or not spans[place][0] <= (port or 0) <= spans[place][1]

    def _with_destinations(self, rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.with_columns(destination=hashed("dstaddr", "dstport", "protocol"))
        self._destinations.append(rows.select("destination", "dstaddr", "dstport", "protocol").unique())
        if sum(part.height for part in self._destinations) > _HELD_ROWS:
            self._destinations = [self._distinct_destinations()]
        return rows

    def _distinct_destinations(self) -> pl.DataFrame:
        import polars as pl

        if not self._destinations:
            return pl.DataFrame(
                schema={"destination": pl.UInt64, "dstaddr": pl.String, "dstport": pl.Int64, "protocol": pl.Int64}
            )
        return pl.concat(self._destinations).unique()

    def _number(self, kind: str, name: str, source: str) -> int:
        return self._resources.setdefault((kind, name, source), len(self._resources))

    # -- the result --------------------------------------------------------------------------------------

    def result(self) -> Folded:
        """What all batches gave."""
        import polars as pl

        flows = self._flows.result()
        spans = pl.DataFrame(
            [(name, *span) for name, span in self._coverage.items()],
            schema={"other": pl.String, "covered_from": pl.Int64, "covered_to": pl.Int64}, orient="row",
        )  # fmt: skip
        joined = flows.join(spans, on="other", how="left")
        within = pl.col("window").is_null() | pl.col("window").is_between("covered_from", "covered_to")
        double = (pl.col("at") == "receiver") & pl.col("covered_from").is_not_null() & within
        counted = joined.with_columns(bucket=pl.when(double).then(pl.lit("other-end")).otherwise("bucket"))
        flows = counted.group_by("window", "way", "sender", "bucket").agg(pl.col(name).sum() for name in _SUMS)
        return Folded(
            flows.sort("window", "way", "sender", "bucket"),
            _without_doubles(self._gateways.result()),
            self._connections.counts(),
            tuple(self._resources),
            self._distinct_destinations(),
            frozenset(self._coverage),
            self._times,
        )


_NEVER = 1 << 62
_PASSING = ("nat-gateway", "transit-gateway")
_CONNECTION = ("resource", "window", "destination", "connection", "opens")


def _sender_interface() -> pl.Expr:
    import polars as pl

    return pl.when("sender").then("src_interface").otherwise("dst_interface")


def _receiver_interface() -> pl.Expr:
    import polars as pl

    return pl.when("sender").then("dst_interface").otherwise("src_interface")


def _sums() -> list[pl.Expr]:
    import polars as pl

    return [*(pl.col(name) for name in _SUMS[:3]), pl.when("sized").then(0).otherwise("records").alias("unsized")]


def _flow_rows(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    open_bucket = pl.col("bucket").is_in(["carried", "blocked", "undecided"])
    at_receiver = open_bucket & (pl.col("at") == "receiver")
    return frame.select(
        "window", "way", "sender", "bucket",
        pl.when(at_receiver).then(pl.lit("receiver")).otherwise(pl.lit("sender")).alias("at"),
        pl.when(at_receiver).then(_sender_interface()).alias("other"), "first", "last", *_sums(),
    )  # fmt: skip


def _without_doubles(gateways: pl.DataFrame) -> pl.DataFrame:
    """Where a transit gateway's own flow log tells of an attachment, its interfaces' records are left out."""
    import polars as pl

    told = gateways.filter("own_log")["resource"].unique()
    kept = gateways.filter(pl.col("own_log") | ~pl.col("resource").is_in(told.implode()))
    return kept.drop("own_log").sort("kind", "resource", "entry", "window")


class _Sums:
    """Sums of bytes, packets, records and unsized by some keys, folded again whenever they are many."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = keys
        self._held: list[pl.DataFrame] = []
        self._most = _HELD_ROWS

    def add(self, rows: pl.DataFrame) -> None:
        """Adds rows with the keys and sums."""
        self._held.append(self._summed(rows))
        if sum(part.height for part in self._held) > self._most:
            self._held = [self.result()]
            self._most = max(_HELD_ROWS, 2 * self._held[0].height)

    def _summed(self, rows: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        return rows.group_by(self._keys).agg(pl.col(name).cast(pl.Int64).sum() for name in _SUMS)

    def result(self) -> pl.DataFrame:
        """The sums."""
        import polars as pl

        if self._held:
            return self._summed(pl.concat(self._held))
        types = {"window": pl.Int64, "way": pl.Int32, **dict.fromkeys(("sender", "entry", "own_log"), pl.Boolean)}
        return pl.DataFrame(
            schema={**{name: types.get(name, pl.String) for name in self._keys}, **dict.fromkeys(_SUMS, pl.Int64)}
        )


def open_ports(
    network: Network, interface: NetworkInterface, egress: bool, version: int, protocol: int
) -> list[tuple[int, int]]:
    """Ports, first to last, that an interface's groups open to every address of a family (SG-31); sorted, apart."""
    spans = []
    for group_id in interface.group_ids or ():
        group = network.security_groups.get(group_id)
        for rule in group.rules if group else ():
            block = rule.cidr_block
            if rule.egress != egress or block is None or block.version != version or block.prefixlen:
                continue
            if rule.protocol == ANY_PROTOCOL:
                spans.append((0, 65536))
            elif rule.protocol == protocol:
                first, last = rule.from_port, rule.to_port
                spans.append((first or 0, 65536 if last is None else last + 1))
    return [(first, end - 1) for first, end in merged(spans)]


# -- who is who ----------------------------------------------------------------------------------------------


def _nat_interfaces(network: Network) -> dict[str, str]:
    """Interface id -> its NAT gateway."""
    return {
        own.interface_id: gateway.nat_gateway_id
        for gateway in network.nat_gateways.values()
        for own in gateway.addresses
        if own.interface_id
    }


def _nat_addresses(network: Network) -> list[str]:
    return [
        str(address)
        for gateway in network.nat_gateways.values()
        for own in gateway.addresses
        for address in (own.private_address, own.public_address)
        if address is not None
    ]


def _attachment_interfaces(network: Network) -> dict[str, str]:
    """Interface id of a transit gateway in a subnet -> the attachment that has the subnet."""
    subnets = {
        subnet: each.attachment_id
        for each in network.transit_gateway_attachments.values()
        for subnet in each.subnet_ids or ()
    }
    return {
        i.interface_id: subnets[i.subnet_id]
        for i in network.interfaces.values()
        if i.interface_type == "transit_gateway" and i.subnet_id in subnets
    }


def _behind_balancers(network: Network) -> list[str]:
    """Interfaces that are targets of a Network Load Balancer: they may see its clients' addresses (NL-05)."""
    groups = {
        group_id
        for balancer in network.load_balancers.values()
        if balancer.kind == "network"
        for listener in balancer.listeners or ()
        for group_id in listener.target_group_ids
    }
    holders = {str(own.address): i.interface_id for i in network.interfaces.values() for own in i.addresses}
    found = []
    for group_id in groups:
        group = network.target_groups.get(group_id)
        for target in (group.targets or ()) if group else ():
            instance = network.instances.get(target.target_id)
            found += list(instance.interface_ids[:1]) if instance else []
            found += [holders[target.target_id]] if target.target_id in holders else []
    return found


def _inside(network: Network, addresses: pl.Series) -> pl.Series:
    """Whether each address is in a CIDR of some VPC of the network."""
    from ipaddress import ip_address

    import polars as pl

    blocks = [block for vpc in network.vpcs.values() for block in vpc.blocks]
    known: dict[Any, bool] = {}
    for text in addresses.unique().to_list():
        try:
            parsed = ip_address(text)
        except ValueError:
            known[text] = False
            continue
        known[text] = any(parsed.version == block.version and parsed in block for block in blocks)
    return pl.Series([known[text] for text in addresses.to_list()], dtype=pl.Boolean)


__all__ = ["BUCKETS", "Fold", "Folded"]
