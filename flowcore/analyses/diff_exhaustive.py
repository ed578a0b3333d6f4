"""The exact difference of two networks over every address and port, without flows: a short list of boxes.

The classes of `diff_classes` are judged by both networks, each combination once; cells that differ alike are put
together as long as they form boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..columns import flows_of
from ..errors import InputError
from ..evaluate import Evaluator, compile_network
from ..model import Network
from ..schema import ICMP, ICMPV6, TCP, UDP
from ..sources.standing import MADE_PUBLIC
from .diff import RecordChanges, explain_command, protocol_name
from .diff_attribution import attribute
from .diff_changes import Changes
from .diff_classes import AddressClass, Addresses, Interval, PortClass, address_text, port_classes
from .diff_packets import touched_packets
from .diff_verdicts import CATEGORIES, judge

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LIMIT", "diff_exhaustive"]

#: Combinations of classes judged unless the caller allows more.
LIMIT = 100_000_000

#: Combinations judged at a time.
_CHUNK = 1 << 19

#: Verdict code before and after (ACCEPT, REJECT, UNKNOWN) -> category, or -1.
_BROKEN, _OPENED, _UNKNOWN, _SAME = 0, 1, 2, -1
_BECAME = np.array([[_SAME, _BROKEN, _UNKNOWN], [_OPENED, _SAME, _UNKNOWN], [_UNKNOWN, _UNKNOWN, _SAME]], np.int8)


@dataclass(frozen=True)
class Box:
    """Classes by number: every combination of them became the same."""

    sources: frozenset[int]
    destinations: frozenset[int]
    packets: frozenset[int]


def diff_exhaustive(
    before: Network | Evaluator,
    after: Network | Evaluator,
    *,
    limit: int = LIMIT,
    changes: Changes | None = None,
    snapshot: str = "BEFORE",
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """What would be broken, opened or become unknown between two networks, over all addresses, protocols and ports.

    One row a box; boxes do not overlap, and together they hold every difference of verdicts. Columns: category, sources
    and destinations (addresses, ranges and CIDRs; "10.0.0.10 (eni-…)" where an interface has the address), protocols,
    ports (destination ports, or ICMP types and codes; null: all, or none), source_ports (null: all), and of one flow of
    the box: the flow columns, example (an `explain` command line), reason_before, reason_after, changes and undo (as in
    `Difference.flows`). Sources are the interfaces, from their own addresses, and what is outside; an interface's
    packets in another's name are not asked about.

    A public address that a plan or an edit makes up stands for the one AWS will give: before, it is anybody's, so what
    would be broken or opened there is unknown.
    Costs one judgement by each network for every combination of classes; more than `limit` of them raise InputError.
    `progress` is called with combinations judged, and of how many.
    """
    first, second = (side if isinstance(side, Evaluator) else compile_network(side) for side in (before, after))
    networks = first.network, second.network
    axes = [_Axes.of(*networks, version) for version in (4, 6)]
    total = sum(each.combinations for each in axes)
    if total > limit:
        raise InputError(
            "too many combinations of addresses and ports",
            found=f"{total:,}",
            expected=f"at most {limit:,}",
            hint="allow more with --limit, or give flows",
        )
    rows, done = [], 0
    for each in axes:
        became = np.full(each.shape, _SAME, np.int8)
        for start in range(0, each.combinations, _CHUNK):
            stop = min(start + _CHUNK, each.combinations)
            frame = each.flows(np.arange(start, stop))
            codes = [e.evaluate_columns(flows_of(frame, e.compiled.interface_ids)).verdict for e in (first, second)]
            found = _BECAME[codes[0], codes[1]]
            found[(found != _SAME) & each.stand_ins(np.arange(start, stop))] = _UNKNOWN
            became.reshape(-1)[start:stop] = found
            done += stop - start
            if progress is not None:
                progress(done, total)
        for code in (_BROKEN, _OPENED, _UNKNOWN):
            rows += [each.row(CATEGORIES[code], box, snapshot) for box in boxes(became == code, each.kinds, each.whole)]
    return _explained(_as_frame(rows), first, second, RecordChanges(*networks) if changes is None else changes)


# -- the axes ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Axes:
    """The classes of one address family: sources x destinations x packets."""

    version: int
    sources: list[AddressClass]
    destinations: list[AddressClass]
    ports: list[PortClass]
    source_ports: list[tuple[Interval, ...]]
    packets: list[tuple[int, int | None]]
    """Numbers of a port class and, for TCP and UDP, a source port class."""
    whole: bool = True
    """Whether these are all packets there are, not only those that may be judged otherwise."""
    made_up: frozenset[int] = frozenset()
    """Public addresses that only the later network has, and that stand for others."""

    @classmethod
    def of(cls, before: Network, after: Network, version: int) -> _Axes:
        sources, destinations = Addresses(before, after).classes(version)
        ports, source_ports = port_classes(before, after)
        touched = touched_packets(before, after)
        packets: list[tuple[int, int | None]] = []
        for number, each in enumerate(ports):
            some: list[int | None] = [*range(len(source_ports))] if each.protocol in (TCP, UDP) else [None]
            packets += [
                (number, place)
                for place in some
                if touched is None or touched.holds(each, () if place is None else source_ports[place])
            ]
        made_up = frozenset(_made_up(after) - _made_up(before)) if version == 4 else frozenset()
        return cls(version, sources, destinations, ports, source_ports, packets, touched is None, made_up)

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.sources), len(self.destinations), len(self.packets)

    @property
    def combinations(self) -> int:
        return int(np.prod(self.shape, dtype=object))

    @property
    def kinds(self) -> list[int]:
        """What each packet may share a box with: its protocol; those without ports or types are one kind."""
        protocols = [self.ports[number].protocol for number, _ in self.packets]
        return [each if each in (TCP, UDP, ICMP, ICMPV6) else -1 for each in protocols]

    def stand_ins(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Whether each of these combinations has an end at an address that is made up."""
        ends = [
            np.array([all(interval[0] in self.made_up for interval, _ in each.members) for each in classes], bool)
            for classes in (self.sources, self.destinations)
        ]
        source, destination, _ = np.unravel_index(numbers, self.shape)
        return np.asarray(ends[0][source] | ends[1][destination], bool)

    def flows(self, numbers: npt.NDArray[Any]) -> pl.DataFrame:
        """The flows that stand for these combinations, counted along the shape."""
        import polars as pl

        source, destination, packet = np.unravel_index(numbers, self.shape)
        examples = [each.example for each in self.sources]
        made = [self._packet(*each) for each in self.packets]
        starts = pl.DataFrame(
            {
                "srcaddr": pl.Series([address for address, _ in examples], dtype=pl.String),
                "src_interface_id": pl.Series([interface for _, interface in examples], dtype=pl.String),
            }
        )
        packets = pl.DataFrame({name: pl.Series([each[name] for each in made], dtype=pl.Int64) for name in made[0]})
        ends = pl.Series("dstaddr", [each.example[0] for each in self.destinations], pl.String)
        return pl.concat([starts[source], ends.gather(destination).to_frame(), packets[packet]], how="horizontal")

    def _packet(self, number: int, source_port: int | None) -> dict[str, int | None]:
        each = self.ports[number]
        has_ports, is_icmp = each.protocol in (TCP, UDP), each.protocol in (ICMP, ICMPV6)
        return {
            "srcport": None if source_port is None else self.source_ports[source_port][-1][0],
            "dstport": each.ports[0][0] if has_ports else None,
            "protocol": each.protocol,
            "icmp_type": each.ports[0][0] if is_icmp else None,
            "icmp_code": each.codes[0][0] if is_icmp else None,
        }

    def row(self, category: str, box: Box, snapshot: str) -> dict[str, Any]:
        """The box in words, with the flow of its first classes."""
        place = min(box.sources), min(box.destinations), min(box.packets)
        (flow,) = self.flows(np.array([np.ravel_multi_index(place, self.shape)])).to_dicts()
        chosen = [self.packets[number] for number in sorted(box.packets)]
        ports = [self.ports[number] for number in dict.fromkeys(number for number, _ in chosen)]
        used = {source_port for _, source_port in chosen if source_port is not None}
        source_ports = merged(interval for number in used for interval in self.source_ports[number])
        return {
            "category": category,
            "sources": self._words(self.sources[number] for number in sorted(box.sources)),
            "destinations": self._words(self.destinations[number] for number in sorted(box.destinations)),
            "protocols": _protocols(ports),
            "ports": _ports(ports),
            "source_ports": None if not used or len(used) == len(self.source_ports) else _intervals(source_ports),
            **flow,
            "example": explain_command(flow, snapshot),
        }

    def _words(self, classes: Iterable[AddressClass]) -> list[str]:
        members = sorted((member for each in classes for member in each.members), key=lambda m: (m[0], m[1] or ""))
        words = [
            f"{_range(self.version, interval)} ({interface_id})" for interval, interface_id in members if interface_id
        ]
        free = merged(interval for interval, interface_id in members if not interface_id)
        return [*words, *(_range(self.version, interval) for interval in free)]


def _made_up(network: Network) -> set[int]:
    """The public addresses of a network's interfaces that stand for those AWS has not given yet."""
    owned = (own.public_address for each in network.interfaces.values() for own in each.addresses)
    return {int(address) for address in owned if address is not None and address in MADE_PUBLIC}


# -- boxes ---------------------------------------------------------------------------------------------------


def boxes(cells: npt.NDArray[np.bool_], kinds: Sequence[Hashable], whole: bool = True) -> list[Box]:
    """The true cells of sources x destinations x packets as few boxes that do not overlap.

    Packets of different `kinds` share no box, unless it holds all packets, and these are all there are (`whole`). Few,
    not fewest: sources alike in everything are put together first, then destinations within them, then boxes that
    differ in one axis only.
    """
    by_packets: dict[tuple[frozenset[int], frozenset[int]], list[int]] = {}
    found: list[Box] = []
    for source, destination, packets in _patterns(cells):
        by_packets.setdefault((source, destination), []).extend(packets)
    for (source, destination), packets in by_packets.items():
        of_kind: dict[Hashable, list[int]] = {}
        for packet in packets:
            of_kind.setdefault("all" if whole and len(packets) == len(kinds) else kinds[packet], []).append(packet)
        found += [Box(source, destination, frozenset(some)) for some in of_kind.values()]
    while len(joined := _joined(found)) < len(found):
        found = joined
    return sorted(found, key=lambda box: (sorted(box.sources), sorted(box.destinations), sorted(box.packets)))


def _patterns(cells: npt.NDArray[np.bool_]) -> Iterator[tuple[frozenset[int], frozenset[int], list[int]]]:
    """(sources, destinations, packets) that are true together: each true cell in exactly one."""
    sources = _alike(cells.reshape(cells.shape[0], -1))
    for members in sources:
        plane = cells[members[0]]
        for those in _alike(plane):
            packets = np.flatnonzero(plane[those[0]])
            if packets.size:
                yield frozenset(members), frozenset(those), packets.tolist()


def _alike(rows: npt.NDArray[np.bool_]) -> list[list[int]]:
    """Numbers of equal rows, together; rows without a true cell left out."""
    found: dict[bytes, list[int]] = {}
    packed = np.packbits(rows, axis=1)
    for number in np.flatnonzero(packed.any(axis=1)).tolist():
        found.setdefault(packed[number].tobytes(), []).append(number)
    return list(found.values())


def _joined(found: list[Box]) -> list[Box]:
    """Boxes equal in all but one of sources and destinations, united along it."""
    for axis, others in (("destinations", ("sources", "packets")), ("sources", ("destinations", "packets"))):
        together: dict[Any, list[Box]] = {}
        for box in found:
            together.setdefault(tuple(getattr(box, other) for other in others), []).append(box)
        found = [
            replace(some[0], **{axis: frozenset().union(*(getattr(box, axis) for box in some))})
            for some in together.values()
        ]
    return found


# -- words ---------------------------------------------------------------------------------------------------


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The numbers of all intervals as few as can be, ascending."""
    found: list[Interval] = []
    for first, last in sorted(intervals):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def _range(version: int, interval: Interval) -> str:
    """An address, a CIDR if the interval is one, or first-last."""
    if interval[0] == interval[1]:
        return address_text(version, interval[0])
    ends = [IPv4Address(each) if version == 4 else IPv6Address(each) for each in interval]
    first, *more = summarize_address_range(*ends)
    return str(first) if not more else f"{ends[0]}-{ends[1]}"


def _intervals(intervals: Iterable[Interval]) -> str:
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in merged(intervals))


def _protocols(ports: Sequence[PortClass]) -> str:
    intervals = merged(interval for each in ports for interval in each.protocols)
    if intervals == [(0, 255)]:
        return "all"
    if len(intervals) == 1 and intervals[0][0] == intervals[0][1]:
        return protocol_name(intervals[0][0])
    return _intervals(intervals)


def _ports(ports: Sequence[PortClass]) -> str | None:
    """Destination ports, or ICMP types and codes; None where there are none, or every protocol is meant."""
    if not all(each.ports for each in ports) or len({each.protocol for each in ports}) > 1:
        return None
    if not ports[0].codes:
        return _intervals(interval for each in ports for interval in each.ports)
    kinds: dict[tuple[Interval, ...], list[Interval]] = {}
    for each in ports:  # types with the same codes together
        kinds.setdefault(each.ports, []).extend(each.codes)
    codes: dict[str, list[Interval]] = {}
    for kind, own in kinds.items():
        codes.setdefault(_intervals(own), []).extend(kind)
    return "; ".join(
        f"type {_intervals(kind)}" + ("" if code == "0-255" else f" code {code}") for code, kind in codes.items()
    )


_WORDS = ("category", "sources", "destinations", "protocols", "ports", "source_ports")
_TEXTS = ("srcaddr", "dstaddr", "src_interface_id")
_NUMBERS = ("srcport", "dstport", "protocol", "icmp_type", "icmp_code")


def _as_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    import polars as pl

    def dtype(name: str) -> Any:
        if name in ("sources", "destinations"):
            return pl.List(pl.String)
        return pl.Enum(CATEGORIES) if name == "category" else pl.Int64 if name in _NUMBERS else pl.String

    names = (*_WORDS, *_TEXTS, *_NUMBERS, "example")
    return pl.DataFrame({name: pl.Series(name, [row[name] for row in rows], dtype=dtype(name)) for name in names})


def _explained(frame: pl.DataFrame, before: Evaluator, after: Evaluator, changes: Changes) -> pl.DataFrame:
    """The boxes with the reasons and causes of their examples, the gravest category first."""
    import polars as pl

    was, now = judge(before, frame), judge(after, frame)
    causes = attribute(frame, frame["category"], was, changes)
    return frame.with_columns(
        was["reason"].alias("reason_before"),
        now["reason"].alias("reason_after"),
        pl.Series("changes", [list(cause.names) for cause in causes], pl.List(pl.String)),
        pl.Series("undo", [cause.undo for cause in causes], pl.Enum(["any", "all"])),
    ).sort("category", maintain_order=True)
