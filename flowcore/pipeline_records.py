"""Flow log records as conversations: which way a record went, who opened, and what AWS would have logged.

A record is one direction at one interface (FL-01); the evaluator judges conversations from the end that opened
them. The procedure is docs/semantics.md, section 7.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol

from .pipeline_doubts import Doubts
from .pipeline_ends import NOT_DESCRIBED, RemoteEnds
from .schema import (
    ACTIONS,
    DIRECTIONS,
    INITIATORS,
    MIDDLE_TYPES,
    PATHS,
    PROTOCOL_NUMBERS,
    REASONS,
    RECORD_PLACES,
    STAGE_BITS,
    STAGES,
    TCP,
    UDP,
    VERDICT_COLUMNS,
    VERDICTS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from .model import Network, NetworkInterface

#: Ports at or above this one are a client's (NA-16).
FIRST_EPHEMERAL_PORT = 32768

#: TCP flags of a log record (FL-61).
SYN, ACK = 2, 16

#: Delegated IPv4 prefixes up to this many addresses are listed address by address; AWS's own have 16.
_LISTED_PREFIX = 256

#: What no IPv6 address in canonical form (RFC 5952) has: capitals, dots, leading zeros, zeros that `::` should cover.
_NOT_CANONICAL = r"[A-F.]|(^|:)0[0-9a-f]|(^|:)0:0(:|$)|(^|:)0::|::0(:|$)"

#: Stages a packet has passed when it comes to the filters of an end: opening packet, then reply.
_BEFORE_SOURCE = ("source", "source-dest-check")
_BEFORE_DESTINATION = tuple(s for s, bit in STAGE_BITS.items() if bit < STAGE_BITS["destination-network-acl"])
_BEFORE_REPLY_ENDS = ("reply-destination-network-acl", "reply-route", "reply-gateway")

_WORDS = {"VERDICTS": VERDICTS, "REASONS": REASONS, "STAGES": STAGES, "PATHS": PATHS}


class BatchEvaluator(Protocol):
    """What this module needs of `flowcore.Evaluator`."""

    @property
    def network(self) -> Network: ...

    def evaluate(self, flows: pl.DataFrame, *, threads: int | None = None) -> pl.DataFrame: ...


def judge_records(evaluator: BatchEvaluator, frame: pl.DataFrame, *, threads: int | None = None) -> pl.DataFrame:
    """`frame` with the verdict columns and direction, initiator, predicted_action and agrees added.

    `frame` has flow log columns (any subset, `_` for `-`, missing values null or "-"); rows keep their order, and the
    addresses and ports stay as logged even where the judged conversation runs the other way. Rows that are
    NODATA or SKIPDATA, or lack an address, the protocol or a TCP/UDP port, are UNKNOWN(NO_DATA).
    """
    return RecordJudge(evaluator).judge(frame, threads=threads)


class RecordJudge:
    """`judge_records` for many batches: what it needs of the network is looked up once."""

    def __init__(self, evaluator: BatchEvaluator) -> None:
        import polars as pl

        self._evaluator = evaluator
        placed = [interface for interface in evaluator.network.interfaces.values() if interface.vpc_id]
        self._by_id = {interface.interface_id: interface for interface in placed}
        self._known = pl.Series(list(self._by_id), dtype=pl.String)
        self._unfiltered = pl.Series([i.interface_id for i in placed if i.group_ids == ()], dtype=pl.String)
        self._held = pl.Series(list(_held_addresses(evaluator.network)), dtype=pl.String)
        self._with_prefixes = pl.Series([i.interface_id for i in placed if i.prefixes], dtype=pl.String)
        middle = [i for i in placed if i.interface_type in MIDDLE_TYPES]
        self._middle = {i.interface_id: MIDDLE_TYPES[i.interface_type] for i in middle}
        self._ambiguous = pl.Series([i.interface_id for i in placed if has_ambiguous_addresses(i)], dtype=pl.String)
        self._doubts = Doubts(evaluator.network)
        self._ends = RemoteEnds(evaluator.network)
        self._openings: dict[tuple[Any, ...], int] = {}

    def start_part(self) -> None:
        """Forgets who opened which conversation: that is known within one part of a dataset only."""
        self._openings.clear()

    def conversations(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The flow each record of `frame` belongs to, from the end that opened it, with interface_id and unjudged.

        `unjudged` is null, or the reason why the record says no flow (NO_DATA, INITIATOR_UNKNOWN ...).
        """
        import polars as pl

        records = self._oriented(_record_columns(frame))
        flows, nobody = _conversations(records, frame), pl.col("src_interface_id") == NOT_DESCRIBED
        whose = records.select(
            "interface_id",
            unjudged=pl.coalesce("unjudged", pl.when(nobody).then(pl.lit("UNKNOWN_RESOURCE"))),
        )
        flows = flows.with_columns(src_interface_id=pl.when(~nobody).then("src_interface_id"))
        return pl.concat([flows, whose], how="horizontal")

    def judge(self, frame: pl.DataFrame, *, threads: int | None = None) -> pl.DataFrame:
        """See `judge_records`."""
        import polars as pl

        records = self._oriented(_record_columns(frame))
        verdicts = self._verdicts(records, frame, threads)
        predicted = self._predicted(records, verdicts)
        rows = _undecided(records, frame)
        if rows.any():
            turned = self._ends.name(records.filter(rows).with_columns(swapped=pl.lit(True)))
            other = self._verdicts(turned, frame.filter(rows), threads)
            found = _either_way(
                pl.concat([turned.select("direction"), verdicts.filter(rows)], how="horizontal"),
                other,
                predicted.filter(rows),
                self._predicted(turned, other),
            )
            places = rows.arg_true()
            predicted = predicted.scatter(places, found["predicted_action"])
            records = records.with_columns(records["unjudged"].scatter(places, found["unjudged"]))
            verdicts = _with_rows(verdicts, places.filter(found["answered"]), other.filter(found["answered"]))
        doubts = self._doubts.of(records, verdicts)
        withdrawn = (doubts == "UNSUPPORTED_COMPONENT").fill_null(False) & (predicted == "REJECT")
        predicted = predicted.scatter(withdrawn.arg_true(), "UNKNOWN")
        unjudged = pl.select(pl.coalesce(records["unjudged"], doubts)).to_series()
        verdicts = _without_unjudged(verdicts, unjudged)
        records = records.with_columns(predicted_action=predicted)
        decided = pl.col("predicted_action").cast(pl.String)
        added = records.select(
            pl.col("direction").cast(pl.Enum(DIRECTIONS)),
            pl.col("initiator").cast(pl.Enum(INITIATORS)),
            pl.col("predicted_action").cast(pl.Enum(VERDICTS)),
            agrees=pl.when(decided != "UNKNOWN", pl.col("action").is_not_null()).then(decided == pl.col("action")),
            observed_at=pl.col("observed_at").cast(pl.Enum(RECORD_PLACES)),
            addresses_ambiguous="addresses_ambiguous",
        )
        mine = {*verdicts.columns, *added.columns}
        kept = frame.select(name for name in frame.columns if name not in mine)
        return pl.concat([kept, verdicts, added], how="horizontal")

    def _verdicts(self, records: pl.DataFrame, frame: pl.DataFrame, threads: int | None) -> pl.DataFrame:
        """The verdict columns of the conversations, words as Enums. `frame`: as read, the same rows as `records`."""
        import polars as pl

        verdicts = self._evaluator.evaluate(_conversations(records, frame), threads=threads)
        return verdicts.select(
            pl.col(column.name).cast(_dtype(column.type)) if column.type in _ENUM_TYPES else pl.col(column.name)
            for column in VERDICT_COLUMNS
        )

    def _oriented(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records with direction, initiator, swapped, unjudged, own_src, own_dst, src_interface_id, responder."""
        import polars as pl

        own = {name: self._holds(records["interface_id"], records[name]) for name in ("logged_src", "logged_dst")}
        for plain, packet in (("logged_src", "src"), ("logged_dst", "dst")):
            own[packet] = (
                own[plain]
                if records[plain].equals(records[packet])
                else self._holds(records["interface_id"], records[packet])
            )
        source, destination = pl.lit(own["logged_src"]), pl.lit(own["logged_dst"])
        interface, protocol = pl.col("interface_id"), pl.col("protocol")
        with_ports = protocol.is_in([TCP, UDP])
        ports = pl.col("srcport").is_not_null() & pl.col("dstport").is_not_null()
        usable = (
            pl.all_horizontal(pl.col("src", "dst", "protocol").is_not_null())
            & (ports | ~with_ports)
            & ~pl.col("log_status").is_in(["NODATA", "SKIPDATA"]).fill_null(False)
        )
        records = records.with_columns(
            direction=pl.coalesce(
                pl.when(pl.col("flow_direction").is_in(DIRECTIONS)).then("flow_direction"),
                pl.when(source & ~destination).then(pl.lit("egress")),
                pl.when(destination & ~source).then(pl.lit("ingress")),
            ),
            initiator=pl.when(usable).then(_initiator(protocol, with_ports)).otherwise(pl.lit("unknown")),
        )
        records = self._paired(records.with_columns(usable=usable))
        swapped = pl.col("initiator").str.starts_with("destination-")
        records = records.with_columns(
            swapped=swapped,
            unjudged=pl.when(~usable)
            .then(pl.lit("NO_DATA"))
            .when(interface.is_not_null() & ~interface.is_in(self._known.implode()))
            .then(pl.lit("UNKNOWN_RESOURCE"))
            .when(pl.col("initiator") == "unknown")
            .then(pl.lit("INITIATOR_UNKNOWN")),
        )
        records = self._ends.name(records.with_columns(own_src=pl.lit(own["src"]), own_dst=pl.lit(own["dst"])))
        return records.with_columns(self._place().alias("observed_at"), self._doubtful().alias("addresses_ambiguous"))

    def _paired(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records with the initiator of those without SYN found by the records that have it (FL-62).

        A record of the same interface and 5-tuple goes before one of the other direction, a later one before an
        earlier.
        """
        import polars as pl

        if records["tcp_flags"].null_count() == records.height:
            return records
        key = ("interface_id", "src", "srcport", "dst", "dstport")
        with_flags = (pl.col("protocol") == TCP) & (pl.col("tcp_flags") & SYN != 0)
        ends = pl.col("src").is_not_null() & pl.col("dst").is_not_null()
        canonical = records.with_columns(src=_canonical(records["src"]), dst=_canonical(records["dst"]))
        known = canonical.filter(with_flags & ends).select(*key, pl.col("tcp_flags") & ACK)
        for *opened, by_destination in known.iter_rows():
            self._openings[tuple(opened)] = -1 if by_destination else 1
        without = (pl.col("protocol") == TCP) & pl.col("usable") & ~pl.col("initiator").str.ends_with("by-flags")
        rows = canonical.with_row_index("row").filter(without)
        found, places = [], []
        for row, interface, src, srcport, dst, dstport in rows.select("row", *key).iter_rows():
            same = self._openings.get((interface, src, srcport, dst, dstport), 0)
            reverse = self._openings.get((interface, dst, dstport, src, srcport), 0)
            if same or reverse:
                opener = "source" if (same or -reverse) > 0 else "destination"
                found.append(f"{opener}-by-{'earlier' if same else 'reverse'}")
                places.append(row)
        return records.with_columns(records["initiator"].scatter(places, found)) if found else records

    def _place(self) -> pl.Expr:
        """Where on the way the record was made, as RECORD_PLACES text (FL-33…36)."""
        import polars as pl

        known = pl.col("interface_id").is_in(self._known.implode()).fill_null(False)
        by_type = pl.col("interface_type").replace_strict(MIDDLE_TYPES, default=None, return_dtype=pl.String)
        by_network = pl.col("interface_id").replace_strict(self._middle, default=None, return_dtype=pl.String)
        egress = pl.col("direction") == "egress"
        at_source = pl.when(egress).then(pl.col("own_src") | pl.col("pkt_src").is_null())
        own = at_source.otherwise(pl.col("own_dst") | pl.col("pkt_dst").is_null())
        return (
            pl.when(pl.col("tgw_id").is_not_null())
            .then(pl.lit("transit-gateway"))
            .when(by_type.is_not_null())
            .then(by_type)
            .when(by_network.is_not_null())
            .then(by_network)
            .when(~known | pl.col("direction").is_null())
            .then(pl.lit("unknown"))
            .when(own)
            .then(pl.lit("end"))
            .otherwise(pl.lit("appliance"))
        )

    def _doubtful(self) -> pl.Expr:
        import polars as pl

        egress = (pl.col("direction") == "egress").fill_null(False)
        without = pl.when(egress).then(pl.col("pkt_src").is_null()).otherwise(pl.col("pkt_dst").is_null())
        return without & pl.col("interface_id").is_in(self._ambiguous.implode()).fill_null(False)

    def _holds(self, interfaces: pl.Series, addresses: pl.Series) -> pl.Series:
        """Whether each address is one of its interface's own (EN-02); false where either is null."""
        import polars as pl

        pairs = pl.DataFrame({"interface": interfaces, "address": _canonical(addresses)})
        key = pl.concat_str("interface", "address", separator=" ")
        held = pairs.select(key.is_in(self._held.implode()).fill_null(False)).to_series()
        rest = pairs.filter(~held & pairs["interface"].is_in(self._with_prefixes.implode())).unique()
        inside = [
            (interface, address)
            for interface, address in rest.drop_nulls().iter_rows()
            if (parsed := _parsed(address)) is not None and self._by_id[interface].holds(parsed)
        ]
        if not inside:
            return held
        keys = pl.Series([f"{interface} {address}" for interface, address in inside], dtype=pl.String)
        return held | pairs.select(key.is_in(keys.implode()).fill_null(False)).to_series()

    def _predicted(self, records: pl.DataFrame, verdicts: pl.DataFrame) -> pl.Series:
        """What AWS would have logged for each record at its interface (FL-43), as VERDICTS text.

        A stage counts as passed if it was reached and its rule is named, if it does not apply (no ACL inside a
        subnet, no groups on the interface), or if the direction it belongs to is ACCEPT as a whole.
        """
        import polars as pl

        both = pl.concat([records, verdicts], how="horizontal")
        initiators_packet = ~pl.col("swapped")
        egress, ingress = pl.col("direction") == "egress", pl.col("direction") == "ingress"
        # Words are compared as Enums, without making text of them; interface names may be of any type.
        at_source = pl.col("interface_id") == pl.col("src_interface").cast(pl.String)
        at_destination = pl.col("interface_id") == pl.col("dst_interface").cast(pl.String)
        unfiltered = pl.col("interface_id").is_in(self._unfiltered.implode())
        blocked_publicly = (pl.col("reject_reason") == "BPA") & (pl.col("reason") == "VPC_BLOCK_PUBLIC_ACCESS_ENABLED")
        predicted = (
            pl.when(pl.col("unjudged").is_not_null())
            .then(pl.lit("UNKNOWN"))
            .when(blocked_publicly & (at_source | at_destination))
            .then(pl.lit("REJECT"))
            .when(initiators_packet & egress & at_source)
            .then(_forward_action("source", "src", unfiltered))
            .when(initiators_packet & ingress & at_destination)
            .then(_forward_action("destination", "dst", unfiltered))
            .when(~initiators_packet & egress & at_destination)
            .then(_reply_action("reply-destination-network-acl", "reply_dst_acl_rule"))
            .when(~initiators_packet & ingress & at_source)
            .then(_reply_action("reply-source-network-acl", "reply_src_acl_rule"))
            .otherwise(pl.lit("UNKNOWN"))
        )
        return both.select(predicted).to_series()


def has_ambiguous_addresses(interface: NetworkInterface) -> bool:
    """Whether a record without pkt-addresses may be about another address than it shows (FL-32)."""
    four = sum(own.address.version == 4 for own in interface.addresses)
    four += 2 * sum(prefix.version == 4 for prefix in interface.prefixes)
    return four > 1 or not interface.source_dest_check


def _undecided(records: pl.DataFrame, frame: pl.DataFrame) -> pl.Series:
    """Whether nothing says which end opened: no ports, no ICMP type, not refused by Block Public Access (BP-08)."""
    import polars as pl

    assumed = (pl.col("initiator") == "source-assumed") & pl.col("unjudged").is_null()
    rows = records.select(assumed & pl.col("reject_reason").ne_missing("BPA")).to_series()
    return rows & frame["icmp_type"].is_null() if "icmp_type" in frame.columns else rows


def _either_way(verdicts: pl.DataFrame, other: pl.DataFrame, predicted: pl.Series, replied: pl.Series) -> pl.DataFrame:
    """What holds of records whose opening end is not decidable: columns predicted_action, unjudged and answered.

    `verdicts` (with direction) and `predicted`: the source opened it. `other` and `replied`: the destination did, and
    the record is the reply. A way in which the packet would never have come to the interface is left out; `answered`:
    only the second is possible.
    """
    import polars as pl

    ingress = (pl.col("direction") == "ingress").fill_null(False)
    stopped = ingress & _any_bit(_BEFORE_DESTINATION) | ~ingress & _any_bit(_BEFORE_SOURCE)
    no_reply = (pl.col("forward") == "REJECT") | pl.lit(verdicts.select(ingress).to_series()) & _any_bit(
        _BEFORE_REPLY_ENDS
    )
    groups = ["source-security-group", "destination-security-group"]
    by_group = (pl.col("verdict") == "REJECT") & pl.any_horizontal(pl.col("stage") == group for group in groups)
    sides = pl.DataFrame(
        {
            "predicted": predicted,
            "replied": replied,
            "stopped": verdicts.select(stopped).to_series(),
            "no_reply": other.select(no_reply).to_series(),
            "by_group": verdicts.select(by_group).to_series(),
            "open": other["verdict"] != "REJECT",
        }
    )
    answered = pl.col("stopped") & ~pl.col("no_reply")
    return sides.select(
        pl.when(pl.col("no_reply") | (pl.col("predicted") == pl.col("replied")))
        .then("predicted")
        .when("stopped")
        .then("replied")
        .otherwise(pl.lit("UNKNOWN"))
        .alias("predicted_action"),
        pl.when(pl.col("by_group") & pl.col("open") & ~answered).then(pl.lit("INITIATOR_UNKNOWN")).alias("unjudged"),
        answered.alias("answered"),
    )


def _with_rows(frame: pl.DataFrame, places: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
    """The frame with `rows` at the given places."""
    import polars as pl

    if not rows.height:
        return frame
    order = pl.Series(range(frame.height), dtype=pl.UInt32)
    moved = pl.Series(range(frame.height, frame.height + rows.height), dtype=pl.UInt32)
    return pl.concat([frame, rows])[order.scatter(places, moved)]


def _forward_action(end: str, prefix: str, unfiltered: pl.Expr) -> pl.Expr:
    """The action logged for the initiator's packet at one end: its groups and its subnet's ACL."""
    import polars as pl

    stages = (f"{end}-security-group", f"{end}-network-acl")
    group = pl.col(f"{prefix}_sg_rule").is_not_null() | unfiltered
    acl = pl.col(f"{prefix}_acl_rule").is_not_null() | (pl.col("path") == "subnet").fill_null(False)
    forward, last = pl.col("forward"), max(STAGE_BITS[stage] for stage in stages)
    stopped_before = _any_bit(tuple(stage for stage, bit in STAGE_BITS.items() if bit < last))
    return (
        pl.when(_any_bit(stages))
        .then(pl.lit("REJECT"))
        .when(forward == "ACCEPT")
        .then(pl.lit("ACCEPT"))
        .when(group & acl & ~stopped_before)
        .then(pl.lit("ACCEPT"))
        .otherwise(pl.lit("UNKNOWN"))
    )


def _reply_action(stage: str, rule: str) -> pl.Expr:
    """The action logged for the responder's packet at one end: only the ACL there (FL-63).

    Its rule is named only if the reply got that far, and so only if forward is ACCEPT.
    """
    import polars as pl

    passed = (pl.col("verdict") == "ACCEPT") | pl.col(rule).is_not_null()
    return (
        pl.when(_any_bit((stage,)))
        .then(pl.lit("REJECT"))
        .when(passed)
        .then(pl.lit("ACCEPT"))
        .otherwise(pl.lit("UNKNOWN"))
    )


def _any_bit(stages: tuple[str, ...]) -> pl.Expr:
    import polars as pl

    mask = sum(1 << STAGE_BITS[stage] for stage in stages)
    return (pl.col("blocked_by") & pl.lit(mask, dtype=pl.UInt32)) != 0


def _initiator(protocol: pl.Expr, with_ports: pl.Expr) -> pl.Expr:
    """How the end that opened the conversation is found (FL-61, FL-62), as INITIATORS text; for usable records."""
    import polars as pl

    flags, source, destination = pl.col("tcp_flags"), pl.col("srcport"), pl.col("dstport")
    syn = ((protocol == TCP) & (flags & SYN != 0)).fill_null(False)
    told_by_ports = (source != destination) & (pl.min_horizontal(source, destination) < FIRST_EPHEMERAL_PORT)
    return (
        pl.when(~with_ports)
        .then(pl.lit("source-assumed"))
        .when(syn & (flags & ACK == 0))
        .then(pl.lit("source-by-flags"))
        .when(syn)
        .then(pl.lit("destination-by-flags"))
        .when(told_by_ports & (source > destination))
        .then(pl.lit("source-by-port"))
        .when(told_by_ports)
        .then(pl.lit("destination-by-port"))
        .otherwise(pl.lit("unknown"))
    )


def _record_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns judging needs, typed, missing ones null: src and dst are the packet's addresses (FL-32)."""
    import polars as pl

    def text(name: str) -> pl.Expr:
        if name not in frame.columns:
            return pl.lit(None, pl.String)
        value = pl.col(name) if frame.schema[name] == pl.String else pl.col(name).cast(pl.String)
        return pl.when(~value.is_in(["-", ""])).then(value)

    def number(name: str) -> pl.Expr:
        if name in frame.columns and frame.schema[name].is_integer():
            return pl.col(name).cast(pl.Int64, strict=False)
        value = text(name)
        if name == "protocol":
            value = value.str.to_lowercase()
            return pl.coalesce(
                value.cast(pl.Int64, strict=False),
                value.replace_strict(PROTOCOL_NUMBERS, default=None, return_dtype=pl.Int64),
            )
        return value.cast(pl.Int64, strict=False)

    columns = {
        "src": pl.coalesce(text("pkt_srcaddr"), text("srcaddr")),
        "dst": pl.coalesce(text("pkt_dstaddr"), text("dstaddr")),
        "logged_src": pl.coalesce(text("srcaddr"), text("pkt_srcaddr")),
        "logged_dst": pl.coalesce(text("dstaddr"), text("pkt_dstaddr")),
        "pkt_src": text("pkt_srcaddr"),
        "pkt_dst": text("pkt_dstaddr"),
        **{name: text(name) for name in ("interface_id", "flow_direction", "log_status", "reject_reason")},
        **{name: text(name) for name in ("interface_type",)},
        "tgw_id": text("tgw_id"),
        **{name: number(name) for name in ("srcport", "dstport", "protocol")},
        "tcp_flags": pl.when(text("tgw_id").is_null()).then(number("tcp_flags")),  # other flags there (FL-61)
        "action": pl.when(text("action").is_in(ACTIONS)).then(text("action")),
    }
    # A frame without rows of its own would turn literals into one row, so they are laid beside a row count.
    return frame.with_row_index("__row").select(pl.col("__row"), **columns).drop("__row")


def _conversations(records: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """The flows to judge, from the end that opened them."""
    import polars as pl

    swapped = pl.col("swapped")
    flows = records.select(
        srcaddr=pl.when(swapped).then("dst").otherwise("src"),
        dstaddr=pl.coalesce("responder", pl.when(swapped).then("src").otherwise("dst")),
        srcport=pl.when(swapped).then("dstport").otherwise("srcport"),
        dstport=pl.when(swapped).then("srcport").otherwise("dstport"),
        protocol="protocol",
        src_interface_id="src_interface_id",
    )
    return flows.with_columns(frame[name] for name in ("icmp_type", "icmp_code") if name in frame.columns)


def _without_unjudged(verdicts: pl.DataFrame, unjudged: pl.Series) -> pl.DataFrame:
    """The verdicts, where `unjudged` names a reason replaced by UNKNOWN for that reason, stage source."""
    import polars as pl

    fixed: dict[str, Any] = {
        "verdict": pl.lit("UNKNOWN"),
        "forward": pl.lit("UNKNOWN"),
        "reason": pl.lit(unjudged),
        "stage": pl.lit("source"),
        "blocked_by": pl.lit(0),
    }
    if unjudged.null_count() == len(unjudged):
        return verdicts
    return verdicts.with_columns(
        pl.when(pl.lit(unjudged.is_not_null()))
        .then(fixed.get(name, pl.lit(None)).cast(dtype))
        .otherwise(pl.col(name))
        .alias(name)
        for name, dtype in verdicts.schema.items()
    )


_ENUM_TYPES = frozenset(f"enum {words}" for words in _WORDS)


def _dtype(column_type: str) -> pl.Enum:
    import polars as pl

    return pl.Enum(_WORDS[column_type.removeprefix("enum ")])


def _held_addresses(network: Network) -> Iterator[str]:
    """`interface address` for every address an interface holds, but those of large delegated prefixes."""
    for interface in network.interfaces.values():
        if not interface.vpc_id:
            continue
        for own in interface.addresses:
            yield f"{interface.interface_id} {own.address}"
        for prefix in interface.prefixes:
            if prefix.version == 4 and prefix.num_addresses <= _LISTED_PREFIX:
                for address in prefix:
                    yield f"{interface.interface_id} {address}"


def _canonical(addresses: pl.Series) -> pl.Series:
    """The addresses with IPv6 ones in the form the standard library writes, whatever form they were logged in."""
    with_colon = addresses.str.contains(":", literal=True).fill_null(False)
    if not with_colon.any():
        return addresses
    written = addresses.filter(with_colon)
    one_zero = written.str.contains("::", literal=True) & (written.str.count_matches(":", literal=True) >= 7)
    written = written.filter(written.str.contains(_NOT_CANONICAL) | one_zero).unique()
    changed = {text: str(parsed) for text in written if (parsed := _parsed(text)) is not None}
    return addresses.replace(list(changed), list(changed.values())) if changed else addresses


def _parsed(text: str) -> Any:
    try:
        return ip_address(text)
    except ValueError:
        return None
