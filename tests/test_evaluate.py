"""Evaluator.evaluate: every form of table in, the same verdicts out; what cannot be used is said by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from ipaddress import ip_address
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from agreement import COLUMNS, assert_agree, edge_network, slow_rows
from walk_networks import network as small_network

from flowcore import kernels as k
from flowcore.columns import flows_of
from flowcore.errors import FlowError, InputError
from flowcore.evaluate import Evaluator, compile_network, empty_verdicts
from flowcore.model import Network
from flowcore.schema import PATHS, PROTOCOL_NUMBERS, REASONS, RULE_STAGES, STAGES, VERDICT_COLUMNS, VERDICTS
from flowcore.synthetic import edge_flows

SEED, COUNT = 24, 3000
REQUIRED = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol")


@pytest.fixture(scope="module")
def network() -> Network:
    return edge_network(SEED)


@pytest.fixture(scope="module")
def evaluator(network: Network) -> Evaluator:
    return compile_network(network)


@pytest.fixture(scope="module")
def flows(network: Network) -> pl.DataFrame:
    return edge_flows(network, SEED, COUNT)


@pytest.fixture(scope="module")
def expected(evaluator: Evaluator, flows: pl.DataFrame) -> list[tuple[Any, ...]]:
    return verdicts_of(evaluator.evaluate(flows))


def verdicts_of(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.select(COLUMNS).rows()


# -- forms of tables -----------------------------------------------------------------------------------


def test_the_flows_used_here_are_varied(flows: pl.DataFrame, expected: list[tuple[Any, ...]]) -> None:
    assert len({row[3] for row in expected}) > 15
    assert flows["srcaddr"].str.contains(":").sum() > 100


def polars_chunks(flows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([flows.slice(start, 700) for start in range(0, flows.height, 700)], rechunk=False)


def plain_strings(flows: pl.DataFrame) -> pa.Table:
    table = flows.to_arrow()
    texts = (pa.large_string(), pa.string_view())
    return table.cast(pa.schema([(f.name, pa.string() if f.type in texts else f.type) for f in table.schema]))


FORMS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda flows: flows,
    "polars in chunks": polars_chunks,
    "polars, a slice of a larger frame": lambda flows: pl.concat([flows, flows, flows])[
        flows.height : 2 * flows.height
    ],
    "polars, columns in another order": lambda flows: flows.select(reversed(flows.columns)),
    "lazy": lambda flows: flows.lazy(),
    "lazy with work to do": lambda flows: flows.lazy().with_columns(
        protocol=pl.col("protocol") * 2 - pl.col("protocol")
    ),
    "arrow table": lambda flows: flows.to_arrow(),
    "arrow table in chunks": lambda flows: pa.Table.from_batches(flows.to_arrow().to_batches(max_chunksize=311)),
    "arrow table, plain strings": plain_strings,
    "arrow record batch": lambda flows: flows.to_arrow().combine_chunks().to_batches()[0],
    "arrow reader": lambda flows: flows.to_arrow().to_reader(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_table_gives_the_same_verdicts(
    form: str, evaluator: Evaluator, flows: pl.DataFrame, expected: list[tuple[Any, ...]]
) -> None:
    assert verdicts_of(evaluator.evaluate(FORMS[form](flows))) == expected


def test_an_arrow_slice_with_an_offset_is_read_where_it_starts(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    found = evaluator.evaluate(flows.to_arrow().slice(123, 77))
    assert found.equals(evaluator.evaluate(flows).slice(123, 77))


def test_arrow_answers_equal_polars_answers(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    extra = flows.with_columns(pl.int_range(pl.len()).alias("row"), pl.lit("x").alias("path"))
    frame, table = evaluator.evaluate(extra), evaluator.evaluate_arrow(extra)
    table.validate(full=True)
    assert isinstance(table, pa.Table)
    assert table.num_rows == frame.height
    assert set(table.column_names) == set(frame.columns)
    for name in frame.columns:
        assert table.column(name).to_pylist() == frame[name].to_list(), name
    for column in VERDICT_COLUMNS:
        kind = table.schema.field(column.name).type
        plain = {"blocked_by": pa.uint32(), "targets": pa.uint16(), "reachable_targets": pa.uint16()}
        assert kind == plain[column.name] if column.name in plain else pa.types.is_dictionary(kind), column.name


# -- what comes out ------------------------------------------------------------------------------------


def test_verdict_columns_have_the_types_of_the_design(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    schema = evaluator.evaluate(flows).schema
    assert [name for name in schema if name in COLUMNS] == list(COLUMNS)
    for name in ("verdict", "forward", "reply"):
        assert schema[name] == pl.Enum(VERDICTS)
    assert schema["reason"] == pl.Enum(REASONS)
    assert schema["stage"] == pl.Enum(STAGES)
    assert schema["path"] == pl.Enum(PATHS)
    assert schema["blocked_by"] == pl.UInt32
    assert schema["targets"] == schema["reachable_targets"] == pl.UInt16
    for name in ("src_interface", "dst_interface", *RULE_STAGES):
        assert isinstance(schema[name], pl.Enum), name


def test_rows_and_other_columns_stay_as_they_are(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    more = flows.with_columns(
        pl.int_range(pl.len()).alias("row"),
        pl.lit(None).alias("nothing"),
        pl.concat_list(pl.lit(1), pl.lit(2)).alias("list"),
        pl.lit(b"\x00").alias("bytes"),
    )
    found = evaluator.evaluate(more)
    assert found.select(more.columns).equals(more)
    assert found.columns == [*more.columns, *COLUMNS]


def test_columns_named_like_verdicts_are_replaced(
    evaluator: Evaluator, flows: pl.DataFrame, expected: list[tuple[Any, ...]]
) -> None:
    old = flows.with_columns(pl.lit("old").alias(name) for name in COLUMNS)
    assert verdicts_of(evaluator.evaluate(old)) == expected
    assert verdicts_of(evaluator.evaluate(evaluator.evaluate(flows))) == expected
    table = evaluator.evaluate_arrow(old)
    assert table.column_names.count("verdict") == 1
    assert table.column("verdict").to_pylist() == [row[0] for row in expected]


def test_the_input_is_not_changed(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    before = flows.clone()
    evaluator.evaluate(flows)
    assert flows.equals(before)
    assert flows.columns == before.columns


def test_no_rows_give_no_rows(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    found = evaluator.evaluate(flows.clear())
    assert found.height == 0
    assert found.schema == evaluator.evaluate(flows).schema
    assert evaluator.evaluate_arrow(flows.clear()).num_rows == 0
    untyped = pl.DataFrame({name: [] for name in REQUIRED})
    assert evaluator.evaluate(untyped).columns == [*REQUIRED, *COLUMNS]


def test_a_network_of_nothing_answers_every_flow(flows: pl.DataFrame) -> None:
    nothing = Network()
    evaluator = compile_network(nothing)
    assert_agree(nothing, flows, "no network at all", evaluator)
    found = evaluator.evaluate(flows)
    assert set(found["verdict"]) == {"UNKNOWN"}
    assert set(found["reason"]) == {"INVALID_FLOW", "NO_SOURCE_OR_DESTINATION", "UNKNOWN_RESOURCE"}
    assert found["src_interface"].null_count() == flows.height
    table = evaluator.evaluate_arrow(flows)
    table.validate(full=True)
    assert table.column("src_sg_rule").null_count == flows.height


# -- the same answer whatever the batch ----------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 1023, 1024, 1025, 2048])
def test_any_slicing_gives_the_same_verdicts(
    size: int, evaluator: Evaluator, flows: pl.DataFrame, expected: list[tuple[Any, ...]]
) -> None:
    stop = min(150 * size, flows.height)
    parts = [evaluator.evaluate(flows.slice(start, min(size, stop - start))) for start in range(0, stop, size)]
    assert verdicts_of(pl.concat(parts)) == expected[:stop]


@pytest.mark.parametrize("skew", [0.0, 1.1, 1.6])
def test_repeated_flows_in_any_order_give_the_verdicts_of_each(
    skew: float, evaluator: Evaluator, flows: pl.DataFrame, expected: list[tuple[Any, ...]]
) -> None:
    """However often a flow was met before, and whatever was met between: verdicts are not remembered wrongly."""
    rng = np.random.default_rng(int(10 * skew))
    weight = np.arange(1, flows.height + 1, dtype=np.float64) ** -skew
    order = rng.permutation(flows.height)
    rows = order[rng.choice(flows.height, 60_000, p=weight / weight.sum())]
    rows = np.concatenate((rows, np.arange(flows.height), rows[::-1]))
    wanted = evaluator.evaluate(flows)[rows]
    for threads in (1, 2):
        assert evaluator.evaluate(flows[rows], threads=threads).equals(wanted)
    assert verdicts_of(wanted.head(500)) == [expected[row] for row in rows[:500]]


def test_columns_of_an_earlier_batch_can_be_used_again(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    ids = evaluator.compiled.interface_ids
    first, second = flows_of(flows, ids), flows_of(flows.head(900).reverse(), ids)
    out = empty_verdicts(flows.height)
    evaluator.evaluate_columns(first, out=out)
    evaluator.evaluate_columns(second, out=out)
    wanted = evaluator.evaluate_columns(second)
    rest = evaluator.evaluate_columns(first)
    for name, found, one, other in zip(k.Verdicts._fields, out, wanted, rest, strict=True):
        assert np.array_equal(found[..., :900], one), name
        assert np.array_equal(found[..., 900:], other[..., 900:]), name
    with pytest.raises(ValueError, match="rows"):
        evaluator.evaluate_columns(first, out=empty_verdicts(flows.height - 1))


def test_any_number_of_threads_gives_the_same_verdicts(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    """Enough flows for several parts: threads share them out."""
    many = pl.concat([flows] * 70)
    assert many.height > 3 * 65536
    first = evaluator.evaluate(many, threads=1)
    once = evaluator.evaluate(flows)
    assert first.equals(pl.concat([once] * 70))
    for threads in (1, 2, 7, None):
        assert evaluator.evaluate(many, threads=threads).equals(first), threads


def test_twice_in_a_row_and_compiled_anew_give_the_same_verdicts(
    network: Network, evaluator: Evaluator, flows: pl.DataFrame
) -> None:
    first = evaluator.evaluate(flows)
    assert evaluator.evaluate(flows).equals(first)
    assert compile_network(network).evaluate(flows).equals(first)


# -- forms of columns ----------------------------------------------------------------------------------


def test_addresses_as_binary_integers_and_categories(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    """Only flows whose addresses parse: what does not parse has no other form."""
    parsed = flows.filter(
        pl.col(name).map_elements(is_address, return_dtype=pl.Boolean).fill_null(False)
        for name in ("srcaddr", "dstaddr")
    )
    four = parsed.filter(~pl.col("srcaddr").str.contains(":") & ~pl.col("dstaddr").str.contains(":"))
    assert parsed.height - 300 > four.height > 1000
    for frame, kinds in ((parsed, ("binary", "categorical", "enum", "upper")), (four, ("uint32", "int64", "uint64"))):
        wanted = verdicts_of(evaluator.evaluate(frame))
        for kind in kinds:
            form = frame.with_columns(converted(frame[name], kind) for name in ("srcaddr", "dstaddr"))
            assert form.schema["srcaddr"] != pl.String or kind == "upper"
            assert verdicts_of(evaluator.evaluate(form)) == wanted, kind
            one = frame.with_columns(converted(frame["dstaddr"], kind))
            assert verdicts_of(evaluator.evaluate(one)) == wanted, kind
            assert verdicts_of(evaluator.evaluate(form.to_arrow())) == wanted, kind


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def converted(column: pl.Series, kind: str) -> pl.Series:
    addresses = [ip_address(text) for text in column]
    name = column.name
    if kind == "binary":
        return pl.Series(name, [address.packed for address in addresses], dtype=pl.Binary)
    if kind == "categorical":
        return column.cast(pl.Categorical)
    if kind == "enum":
        return column.cast(pl.Enum(column.unique().sort()))
    if kind == "upper":
        return pl.Series(name, [address.exploded.upper() for address in addresses])
    dtype = {"uint32": pl.UInt32, "int64": pl.Int64, "uint64": pl.UInt64}[kind]
    return pl.Series(name, [int(address) for address in addresses], dtype=dtype)


def test_fixed_size_and_view_arrow_columns(evaluator: Evaluator) -> None:
    flows = pl.DataFrame(
        {"srcaddr": ["10.0.0.4", "8.8.8.8"], "dstaddr": ["8.8.8.8", "10.0.0.4"], "srcport": [50000] * 2,
         "dstport": [443] * 2, "protocol": [6] * 2}
    )  # fmt: skip
    wanted = verdicts_of(evaluator.evaluate(flows))
    arrow = flows.to_arrow()
    packed = [[ip_address(text).packed for text in flows[name]] for name in ("srcaddr", "dstaddr")]
    for kind in (pa.binary(4), pa.binary(), pa.large_binary(), pa.binary_view()):
        table = arrow
        for position, values in enumerate(packed):
            table = table.set_column(position, arrow.schema.names[position], pa.array(values, kind))
        assert verdicts_of(evaluator.evaluate(table)) == wanted, kind
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        table = arrow.set_column(0, "srcaddr", pa.array(flows["srcaddr"].to_list()).cast(kind))
        assert verdicts_of(evaluator.evaluate(table)) == wanted, kind


PORT_FORMS = (pl.Int64, pl.Int32, pl.UInt64, pl.Float64, pl.Float32, pl.String, pl.Categorical, pl.UInt16)


@pytest.mark.parametrize("dtype", PORT_FORMS, ids=str)
@pytest.mark.parametrize("name", ["srcport", "dstport", "protocol", "icmp_type", "icmp_code"])
def test_numbers_in_any_type_that_holds_them(
    name: str, dtype: Any, network: Network, evaluator: Evaluator, flows: pl.DataFrame
) -> None:
    """Values the type cannot hold become null; the twin reads the same column."""
    column = flows[name]
    if dtype in (pl.String, pl.Categorical):
        column = column.cast(pl.String)
    form = flows.with_columns(column.cast(dtype, strict=False)).head(600)
    assert_agree(network, form, f"{name} as {dtype}", evaluator)


def test_protocols_by_name(network: Network, evaluator: Evaluator, flows: pl.DataFrame) -> None:
    rng = Random(5)
    names = [
        *PROTOCOL_NUMBERS,
        "TCP",
        "Udp",
        "ICMPv6",
        "ipv6-ICMP",
        "6",
        "17",
        "255",
        "256",
        "-1",
        "",
        "-",
        "all",
        "tcp6",
        "六",
        "0006",
    ]
    column = pl.Series("protocol", [rng.choice(names) if rng.random() < 0.95 else None for _ in range(flows.height)])
    form = flows.with_columns(column)
    assert_agree(network, form, "names", evaluator)
    wanted = verdicts_of(evaluator.evaluate(form))
    assert verdicts_of(evaluator.evaluate(form.with_columns(column.cast(pl.Categorical)))) == wanted
    assert (
        verdicts_of(evaluator.evaluate(form.with_columns(column.cast(pl.Enum(column.unique().drop_nulls()))))) == wanted
    )
    assert len({row[3] for row in wanted}) > 10


def test_interface_ids_in_any_text_type(
    evaluator: Evaluator, flows: pl.DataFrame, expected: list[tuple[Any, ...]]
) -> None:
    ids = flows["src_interface_id"]
    assert verdicts_of(evaluator.evaluate(flows.with_columns(ids.cast(pl.Categorical)))) == expected
    assert verdicts_of(evaluator.evaluate(flows.with_columns(ids.cast(pl.Enum(ids.unique().drop_nulls()))))) == expected
    without = verdicts_of(evaluator.evaluate(flows.drop("src_interface_id")))
    for nothing in (pl.lit(None), pl.lit(None, pl.String), pl.lit(""), pl.lit("-")):
        assert verdicts_of(evaluator.evaluate(flows.with_columns(src_interface_id=nothing))) == without
    assert without != expected


@pytest.mark.parametrize("name", [*REQUIRED, "src_interface_id", "icmp_type", "icmp_code"])
@pytest.mark.parametrize("typed", [True, False])
def test_null_everywhere_in_one_column(
    name: str, typed: bool, network: Network, evaluator: Evaluator, flows: pl.DataFrame
) -> None:
    form = flows.head(500).with_columns(pl.lit(None, flows.schema[name] if typed else pl.Null).alias(name))
    assert_agree(network, form, f"{name} null", evaluator)


def test_all_columns_null(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    form = flows.head(9).with_columns(pl.lit(None, dtype).alias(name) for name, dtype in flows.schema.items())
    found = evaluator.evaluate(form)
    assert set(found["reason"]) == {"INVALID_FLOW"}
    assert set(found["stage"]) == {"source"}
    assert found["blocked_by"].to_list() == [0] * 9


def test_text_around_a_number_is_no_number(network: Network, evaluator: Evaluator, flows: pl.DataFrame) -> None:
    """As `explain` reads it: blanks are not taken away from ports, protocols, types and addresses."""
    for name in ("srcaddr", "srcport", "dstport", "protocol", "icmp_type"):
        padded = flows.head(300).with_columns((" " + pl.col(name).cast(pl.String)).alias(name))
        assert_agree(network, padded, name, evaluator)


def test_an_icmp_type_not_given_in_a_categorical_column(
    network: Network, evaluator: Evaluator, flows: pl.DataFrame
) -> None:
    texts = pl.col("icmp_type", "icmp_code").cast(pl.String).fill_null("-")
    assert_agree(network, flows.with_columns(texts), "text", evaluator)
    assert_agree(network, flows.with_columns(texts.cast(pl.Categorical)), "categorical", evaluator)


def test_no_rows_of_categorical_addresses(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    assert evaluator.evaluate(flows.clear().with_columns(pl.col("srcaddr").cast(pl.Categorical))).height == 0


# -- what cannot be used -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_column_is_named(name: str, evaluator: Evaluator, flows: pl.DataFrame) -> None:
    with pytest.raises(FlowError) as caught:
        evaluator.evaluate(flows.drop(name))
    error = caught.value
    assert name in error.message
    assert error.found == [column for column in flows.columns if column != name]
    assert error.expected
    assert error.hint
    with pytest.raises(FlowError):
        evaluator.evaluate_arrow(flows.drop(name))


UNUSABLE = {
    "boolean": pl.lit(True),
    "date": pl.lit("2026-01-01").str.to_date(),
    "list": pl.concat_list(pl.lit("10.0.0.4")),
    "struct": pl.struct(pl.lit("10.0.0.4").alias("a")),
    "decimal": pl.lit("6").cast(pl.Decimal(10, 2)),
    "duration": pl.duration(seconds=1),
}


@pytest.mark.parametrize("kind", UNUSABLE)
@pytest.mark.parametrize("name", [*REQUIRED, "src_interface_id", "icmp_type"])
def test_a_column_of_an_unusable_type_is_named_with_what_was_found_and_expected(
    name: str, kind: str, evaluator: Evaluator, flows: pl.DataFrame
) -> None:
    form = flows.with_columns(UNUSABLE[kind].alias(name))
    with pytest.raises(FlowError) as caught:
        evaluator.evaluate(form)
    assert caught.value.where == name
    assert caught.value.found == str(form.schema[name])
    assert caught.value.expected


def test_more_unusable_types(evaluator: Evaluator, flows: pl.DataFrame) -> None:
    for name, dtype in (
        ("srcaddr", pl.Float64),
        ("srcport", pl.Binary),
        ("protocol", pl.Binary),
        ("src_interface_id", pl.Int64),
    ):
        form = flows.with_columns(pl.lit(None, dtype).alias(name))
        with pytest.raises(FlowError) as caught:
            evaluator.evaluate(form)
        assert (caught.value.where, caught.value.found) == (name, str(dtype()))


@pytest.mark.parametrize(
    "thing",
    [None, 7, "flows.csv", [], {}, {"srcaddr": []}, object(), np.zeros(3)],
    ids=lambda thing: type(thing).__name__,
)
def test_what_is_no_table_is_told(thing: Any, evaluator: Evaluator) -> None:
    with pytest.raises(FlowError) as caught:
        evaluator.evaluate(thing)
    assert caught.value.found == type(thing).__name__


# -- fuzz ----------------------------------------------------------------------------------------------

TEXTS = ("", "-", "x", "tcp", "TCP", "icmp", "6", "17", "443", "0", "65535", "65536", "-1", "1.0", "1e3", "+7", "0006",
         "99999999999", "8", " 6", "6 ", "é", "٣", "\0", "1" * 300)  # fmt: skip
INTEGERS = (0, 1, 6, 17, 58, 128, 255, 256, 443, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -1, -(2**63))
FLOATS = (0.0, 6.0, 443.0, 0.5, -1.0, 65535.0, 65536.0, 1e10, 1e300, -1e300, 2.0**63, float("nan"), float("inf"), -0.0)
BYTES = (b"", b"\0" * 4, b"\x0a\0\0\x04", b"\xff" * 16, b"12345", b"\0" * 16)
NARROW = (pl.UInt8, pl.UInt16, pl.UInt32, pl.Int8, pl.Int16, pl.Int32, pl.UInt64, pl.Int128, pl.Float32)
ODD: tuple[Any, ...] = ([True], [[1]], [{"a": 1}], [date(2026, 1, 1)], [[]], [object()])


def fuzzed_column(rng: Random, name: str, height: int, network: Network) -> pl.Series:
    """A column mostly of a usable type, of values mostly near the ones that matter."""
    if rng.random() < 0.004:
        return pl.Series(name, rng.choice(ODD) * height)
    if rng.random() < 0.03:
        return pl.Series(name, [None] * height)
    texts: list[Any] = list(TEXTS)
    kinds = ["text", "category", "integer", "float", "narrow"]
    if name in ("srcaddr", "dstaddr"):
        own = [str(own.address) for interface in network.interfaces.values() for own in interface.addresses]
        texts = [*own * 3, "8.8.8.8", "2001:db8::1", *TEXTS]
        kinds = ["text"] * 6 + ["category", "integer", "narrow", "bytes"]
    elif name == "src_interface_id":
        texts = [*list(network.interfaces)[:2], "", "-", "", "-", "eni-1", "x"]
        kinds = ["text", "category"]
    kind = rng.choice(kinds) if rng.random() < 0.996 else rng.choice(("float", "bytes", "integer"))
    pools: dict[str, Any] = {"integer": INTEGERS, "narrow": INTEGERS, "float": FLOATS, "bytes": BYTES}
    pool, share = pools.get(kind, texts), rng.choice((1.0, 0.9))
    values = [rng.choice(pool) if rng.random() < share else None for _ in range(height)]
    types = {"integer": pl.Int64, "narrow": pl.Int64, "float": pl.Float64, "bytes": pl.Binary}
    column = pl.Series(name, values, dtype=types.get(kind, pl.String))
    if kind == "narrow":
        dtype = rng.choice(NARROW)
        return column.cast(
            dtype if name not in ("srcaddr", "dstaddr") or dtype.is_integer() else pl.UInt32, strict=False
        )
    return column.cast(pl.Categorical) if kind == "category" else column


def arrow_knows(frame: pl.DataFrame) -> bool:
    return not {pl.Int128, pl.Object} & {dtype.base_type() for dtype in frame.schema.values()}


def fuzzed_table(rng: Random, network: Network) -> pl.DataFrame:
    names = [*REQUIRED, "src_interface_id", "icmp_type", "icmp_code", "verdict", "row"]
    names = [name for name in names if rng.random() < (0.995 if name in REQUIRED else 0.5)]
    rng.shuffle(names)
    height = rng.choice((0, 1, 2, 5, 9, 30))
    frame = pl.DataFrame([fuzzed_column(rng, name, height, network) for name in names])
    if rng.random() < 0.3 and height > 2:
        frame = pl.concat([frame.head(2), frame.tail(height - 2)], rechunk=False)
    return frame


@pytest.mark.parametrize("seed", range(10))
def test_any_table_gives_a_frame_or_an_input_error(seed: int, network: Network, evaluator: Evaluator) -> None:
    """100 tables a seed. What comes out are the twin's verdicts, row by row."""
    rng = Random(f"tables {seed}")
    judged = 0
    for number in range(100):
        frame = fuzzed_table(rng, network)
        try:
            found = evaluator.evaluate(frame.to_arrow() if number % 5 == 0 and arrow_knows(frame) else frame)
        except InputError:
            continue
        assert found.height == frame.height
        assert set(found.columns) == {*frame.columns, *COLUMNS}
        slow, fast = slow_rows(network, frame), verdicts_of(found)
        for flow, one, other in zip(frame.iter_rows(named=True), slow, fast, strict=True):
            assert one == other, f"table {number} {dict(frame.schema)}: {flow}: twin {one[:5]}, fast {other[:5]}"
        judged += 1
    assert judged >= 60


def test_a_small_network_by_hand() -> None:
    """Known answers, so that this file does not rest on comparisons alone."""
    flows = pl.DataFrame(
        {
            "srcaddr": ["10.0.0.10", "10.0.0.10", "8.8.8.8", "10.0.0.11"],
            "dstaddr": ["10.0.1.20", "10.0.1.20", "52.0.0.20", "8.8.8.8"],
            "srcport": [50000] * 4,
            "dstport": [443, 80, 443, 443],
            "protocol": ["tcp"] * 4,
        }
    )
    found = compile_network(small_network()).evaluate(flows)
    assert found["verdict"].to_list() == ["ACCEPT", "REJECT", "ACCEPT", "REJECT"]
    assert found["path"].to_list() == ["vpc", "vpc", "internet", "internet"]
    assert found["reason"].to_list() == [None, "ENI_SG_RULES_MISMATCH", None, "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"]
    assert found["stage"].to_list() == [None, "destination-security-group", None, "gateway"]
    assert found["dst_sg_rule"].to_list() == ["sgr-in443", None, "sgr-in443", None]
