"""Tables of flows as the columns of integers that kernels know: the one door for input columns.

Without one door a frame in two chunks, or one made from another library's buffers, would make Numba compile a kernel
again for each kind of array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from .errors import FlowError
from .interpreted import for_work
from .schema import FLOW_COLUMNS, PROTOCOL_NUMBERS
from .threads import mapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

Array = npt.NDArray[Any]
#: IPv4 numbers, IPv6 halves or None, family of each row or None for all IPv4.
Addresses = tuple[Array, Array | None, Array | None]

_NOTHING8, _NOTHING32, _NOTHING64 = np.zeros(0, np.uint8), np.zeros(0, np.int32), np.zeros((0, 2), np.uint64)


def as_frame(flows: Any) -> pl.DataFrame:
    """`flows` as a polars DataFrame; FlowError if it is no table or lacks a required column."""
    import polars as pl

    if isinstance(flows, pl.LazyFrame):
        flows = flows.collect()
    if not isinstance(flows, pl.DataFrame):
        if not (hasattr(flows, "__arrow_c_stream__") or hasattr(flows, "__arrow_c_array__")):
            raise FlowError("flows are not a table", found=type(flows).__name__, expected="a polars or Arrow table")
        try:
            flows = pl.DataFrame(flows)
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise FlowError(f"flows cannot be read as a table: {error}") from error
    missing = [column.name for column in FLOW_COLUMNS if column.required and column.name not in flows.columns]
    if missing:
        raise FlowError(
            f"the table lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            found=flows.columns,
            expected="srcaddr, dstaddr, srcport, dstport, protocol",
            hint="rename the columns; give null ports where the protocol has none",
        )
    frame: pl.DataFrame = flows
    return frame


def flows_of(frame: pl.DataFrame, interface_ids: Sequence[str], threads: int | None = 1) -> k.Flows:
    """The flows of a frame as kernel columns; rows that cannot be read get family 0 (UNKNOWN).

    `threads`: 1 reads both address columns one after the other, any other value at the same time.
    """
    names = ("srcaddr", "dstaddr")
    source, destination = mapped(lambda name: _addresses(frame, name), names, 1 if threads == 1 else 2)
    return flows_between(source, destination, frame, _interfaces(frame, interface_ids))


def flows_between(sources: Addresses, destinations: Addresses, frame: pl.DataFrame, interface: Array) -> k.Flows:
    """The flows between these addresses, the rest of them in `frame`; rows that cannot be read get family 0."""
    (source, source6, source_family), (destination, destination6, destination_family) = sources, destinations
    protocol, valid = _protocols(frame)
    family = None
    if source_family is not None or destination_family is not None:
        four = np.full(frame.height, 4, np.uint8)
        left = four if source_family is None else source_family
        right = four if destination_family is None else destination_family
        family = np.where(left == right, left, 0).astype(np.uint8)
    ports, has_ports = {}, (protocol == k.TCP) | (protocol == k.UDP)
    for name in ("srcport", "dstport"):
        ports[name], readable = _numbers(frame, name, 65535, np.uint16)
        if readable is not None:
            unreadable = has_ports & ~readable
            valid = ~unreadable if valid is None else valid & ~unreadable
    icmp_key, icmp_valid = _icmp(frame, protocol)
    for part in (valid, icmp_valid):
        if part is not None and not part.all():
            family = np.full(frame.height, 4, np.uint8) if family is None else family
            family = np.where(part, family, 0).astype(np.uint8)
    if family is not None and (family == 4).all():
        family = None
    any6 = family is not None and bool((family == 6).any())
    return k.Flows(
        source=_readonly(source), destination=_readonly(destination),
        source_port=_readonly(ports["srcport"]), destination_port=_readonly(ports["dstport"]),
        protocol=_readonly(protocol), family=_readonly(_NOTHING8 if family is None else family),
        source6=_readonly(_wide(source6, frame.height) if any6 else _NOTHING64),
        destination6=_readonly(_wide(destination6, frame.height) if any6 else _NOTHING64),
        interface=_readonly(interface), icmp_key=_readonly(icmp_key),
    )  # fmt: skip


def _readonly(array: Array) -> Array:
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    return array


def _wide(array: Array | None, height: int) -> Array:
    return np.zeros((height, 2), np.uint64) if array is None else array


def _unusable(frame: pl.DataFrame, name: str, expected: str) -> FlowError:
    return FlowError("the column has an unusable type", where=name, found=str(frame.schema[name]), expected=expected)


def _addresses(frame: pl.DataFrame, name: str) -> Addresses:
    """One column of addresses."""
    import polars as pl

    column = frame.get_column(name)
    kind = column.dtype
    if kind == pl.UInt32 and column.null_count() == 0:
        return column.to_numpy(), None, None
    if kind.is_integer() or kind == pl.Null:
        inside = column.cast(pl.Int64, strict=False).is_between(0, 0xFFFFFFFF).fill_null(False)
        values = column.cast(pl.UInt32, strict=False).fill_null(0)
        return values.to_numpy(), None, np.where(inside.to_numpy(), 4, 0).astype(np.uint8)
    if kind == pl.Binary:
        return _binary_addresses(column)
    if kind in (pl.Categorical, pl.Enum):
        return _distinct_addresses(column)
    if kind != pl.String:
        raise _unusable(frame, name, "text, integers (IPv4), or binary of 4 or 16 bytes")
    return _text_addresses(column)


def _text_addresses(column: pl.Series) -> Addresses:
    import polars as pl

    text = column.fill_null("").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offset_buffer, data_buffer = text.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[text.offset : text.offset + len(text) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.zeros(0, np.uint8)
    height = len(text)
    ipv4, family = np.empty(height, np.uint32), np.empty(height, np.uint8)
    ipv6 = np.zeros((height, 2), np.uint64)
    read_addresses = for_work(k.read_addresses, height)
    read_addresses(_readonly(offsets), _readonly(data), ipv4, ipv6, family)
    if (family == 4).all():
        return ipv4, None, None
    return ipv4, ipv6 if bool((family == 6).any()) else None, family


def _distinct_addresses(column: pl.Series) -> Addresses:
    """Dictionary-encoded text: each distinct address is read once."""
    import polars as pl

    if column.is_empty():
        return np.zeros(0, np.uint32), None, None
    distinct = column.cast(pl.String).unique(maintain_order=True)
    index = column.cast(pl.String).replace_strict(distinct, np.arange(len(distinct)), return_dtype=pl.UInt32).to_numpy()
    ipv4, ipv6, family = _text_addresses(distinct)
    return ipv4[index], None if ipv6 is None else ipv6[index], None if family is None else family[index]


def _binary_addresses(column: pl.Series) -> Addresses:
    import polars as pl

    column = column.fill_null(b"")
    sizes = column.bin.size().to_numpy()
    ipv4 = np.zeros(len(column), np.uint32)
    ipv6 = np.zeros((len(column), 2), np.uint64)
    for size in (4, 16):
        rows = np.flatnonzero(sizes == size)
        if rows.size:
            joined = b"".join(column.gather(pl.Series(rows)).to_list())
            if size == 4:
                ipv4[rows] = np.frombuffer(joined, ">u4")
            else:
                ipv6[rows] = np.frombuffer(joined, ">u8").reshape(-1, 2)
    family = np.where(sizes == 4, 4, np.where(sizes == 16, 6, 0)).astype(np.uint8)
    return ipv4, ipv6 if bool((family == 6).any()) else None, family


def _numbers(frame: pl.DataFrame, name: str, most: int, dtype: Any) -> tuple[Array, Array | None]:
    """(values, which rows hold a whole number from 0 to `most`, None for all); the others get 0."""
    import polars as pl

    column = frame.get_column(name)
    if column.dtype in (pl.UInt8, pl.UInt16) and column.null_count() == 0 and most == 65535:
        return column.to_numpy().astype(dtype, copy=False), None
    whole = _whole_numbers(frame, name)
    readable = whole.is_between(0, most).fill_null(False)
    values = whole.fill_null(0).to_numpy()
    good = readable.to_numpy()
    return np.where(good, values, 0).astype(dtype), None if good.all() else good


def _whole_numbers(frame: pl.DataFrame, name: str) -> pl.Series:
    """The column as Int64; text that is no number, and fractions, become null."""
    import polars as pl

    column = frame.get_column(name)
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if kind.is_float():
        whole = column.cast(pl.Int64, strict=False)
        return pl.select(pl.when(whole.cast(kind) == column).then(whole)).to_series().alias(name)
    if column.dtype == pl.String:
        return (
            pl.select(
                pl.when(column.str.contains(r"^[0-9]{1,10}$")).then(
                    column.str.to_integer(base=10, strict=False, dtype=pl.Int64)
                )
            )
            .to_series()
            .alias(name)
        )
    if kind.is_integer() or kind == pl.Null:
        return column.cast(pl.Int64, strict=False)
    raise _unusable(frame, name, "whole numbers")


def _protocols(frame: pl.DataFrame) -> tuple[Array, Array | None]:
    """(protocol numbers, which rows have one, None for all)."""
    import polars as pl

    column = frame.get_column("protocol")
    if column.dtype == pl.UInt8 and column.null_count() == 0:
        return column.to_numpy(), None
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        text = column.cast(pl.String).str.to_lowercase()
        distinct = text.unique().drop_nulls()
        numbers = [_protocol_number(value) for value in distinct.to_list()]
        whole = text.replace_strict(distinct, numbers, default=None, return_dtype=pl.Int64)
    else:
        whole = _whole_numbers(frame, "protocol")
    good = whole.is_between(0, 255).fill_null(False).to_numpy()
    values = np.where(good, whole.fill_null(0).to_numpy(), 0).astype(np.uint8)
    return values, None if good.all() else good


def _protocol_number(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= 10:
        return int(text)
    return PROTOCOL_NUMBERS.get(text)


def _interfaces(frame: pl.DataFrame, interface_ids: Sequence[str]) -> Array:
    """int32: interface number, -1 not given, -2 not described; empty if no row gives one."""
    import polars as pl

    if "src_interface_id" not in frame.columns:
        return _NOTHING32
    column = frame.get_column("src_interface_id")
    if column.dtype == pl.Null:
        return _NOTHING32
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise _unusable(frame, "src_interface_id", "text")
    text = column.cast(pl.String)
    given = text.is_not_null() & ~text.is_in(["", "-"])
    if not given.any():
        return _NOTHING32
    numbers = text.replace_strict(
        pl.Series(list(interface_ids), dtype=pl.String),
        np.arange(len(interface_ids), dtype=np.int32),
        default=-2,
        return_dtype=pl.Int32,
    )
    return np.where(given.fill_null(False).to_numpy(), numbers.fill_null(-1).to_numpy(), -1).astype(np.int32)


def _icmp(frame: pl.DataFrame, protocol: Array) -> tuple[Array, Array | None]:
    """(ICMP keys, which rows are valid); keys are empty where no type is known. Only ICMP flows are looked at."""
    import polars as pl

    names = [name for name in ("icmp_type", "icmp_code") if name in frame.columns]
    if not names:
        return _NOTHING32, None
    is_icmp = (protocol == k.ICMP) | (protocol == k.ICMPV6)
    kind, code = np.full(frame.height, -1, np.int64), np.full(frame.height, -1, np.int64)
    valid = np.ones(frame.height, np.bool_)
    for name, into in (("icmp_type", kind), ("icmp_code", code)):
        if name in names:
            given = ~frame.get_column(name).is_null().to_numpy()
            if frame.schema[name] in (pl.String, pl.Categorical, pl.Enum):
                text = frame.get_column(name).cast(pl.String)
                given &= ~text.is_in(["", "-"]).fill_null(False).to_numpy()
            values, readable = _numbers(frame, name, 255, np.int64)
            good = np.ones(frame.height, np.bool_) if readable is None else readable
            valid &= ~is_icmp | ~given | good
            into[given & good] = values[given & good]
    key = np.where(kind < 0, k.ICMP_TYPE_UNKNOWN_KEY, kind * k.ICMP_CODES + np.where(code < 0, 256, code))
    return key.astype(np.int32), valid
