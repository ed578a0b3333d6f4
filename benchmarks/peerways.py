"""Other ways to find the first rule of an ordered list that matches: what one would write without flowcore.

Each takes the list and the flows in the form it likes best (made beforehand, not measured) and returns a function that
answers: for each flow the number of the rule, or the number of rules if none matches. Imported in a process of its
own, with one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from typing import Any

import numpy as np

from .rulelists import ANY, Acl, Array, Asked, acl_scan

Answer = Callable[[], Any]


def python(rules: Acl, asked: Asked) -> Answer:
    """Plain Python with `ipaddress`, addresses as text."""
    networks: list[IPv4Network] = [
        next(summarize_address_range(IPv4Address(int(low)), IPv4Address(int(high))))
        for low, high in zip(rules.low, rules.high, strict=True)
    ]
    rows = list(zip(networks, rules.protocol.tolist(), rules.port_low.tolist(), rules.port_high.tolist(), strict=True))
    texts = [str(IPv4Address(int(source))) for source in asked.source]
    flows = list(zip(texts, asked.protocol.tolist(), asked.port.tolist(), strict=True))

    def answer() -> list[int]:
        found = []
        for text, protocol, port in flows:
            address = IPv4Address(text)
            number = len(rows)
            for r, (network, kind, first, last) in enumerate(rows):
                if kind in (ANY, protocol) and first <= port <= last and address in network:
                    number = r
                    break
            found.append(number)
        return found

    return answer


def polars(rules: Acl, asked: Asked) -> Answer:
    """Polars: inequality join (`join_where`), lowest rule of each flow."""
    import polars as pl

    count = rules.low.size
    table = pl.DataFrame({**rules._asdict(), "rule": np.arange(count, dtype=np.uint32)}).lazy()
    flows = pl.DataFrame(asked._asdict()).rename({"protocol": "kind"}).with_row_index("flow").lazy()

    def answer() -> Any:
        matches = flows.join_where(
            table,
            pl.col("source") >= pl.col("low"),
            pl.col("source") <= pl.col("high"),
            pl.col("port") >= pl.col("port_low"),
            pl.col("port") <= pl.col("port_high"),
            (pl.col("protocol") == ANY) | (pl.col("protocol") == pl.col("kind")),
        )
        first = matches.group_by("flow").agg(pl.col("rule").min())
        joined = flows.select("flow").join(first, on="flow", how="left", maintain_order="left")
        return joined.select(pl.col("rule").fill_null(count)).collect()["rule"].to_numpy()

    return answer


def duckdb(rules: Acl, asked: Asked) -> Answer:
    """DuckDB: range join, lowest rule of each flow."""
    import duckdb as db
    import pyarrow as pa

    count = rules.low.size
    connection = db.connect(config={"threads": 1})
    connection.register("given_rules", pa.table({**rules._asdict(), "rule": np.arange(count)}))
    connection.register("given_flows", pa.table({**asked._asdict(), "flow": np.arange(asked.source.size)}))
    connection.execute("create table rules as from given_rules")
    connection.execute("create table flows as from given_flows")
    query = f"""
        select coalesce(min(r.rule), {count}) as rule
        from flows f left join rules r
        on f.source between r.low and r.high and f.port between r.port_low and r.port_high
           and (r.protocol = {ANY} or r.protocol = f.protocol)
        group by f.flow order by f.flow
    """
    return lambda: connection.execute(query).fetchnumpy()["rule"]


def numpy_broadcasting(rules: Acl, asked: Asked) -> Answer:
    """NumPy: a matrix of flows x rules at a time that stays in the caches, first true of each row."""
    step, count = 512, rules.low.size
    base, mask = rules.low, rules.mask()  # columns of one width on both sides, so that nothing is converted on the way
    first_port, last_port = rules.port_low.astype(np.uint16), rules.port_high.astype(np.uint16)
    any_protocol, only_protocol = rules.protocol == ANY, rules.protocol.astype(np.uint8)

    def answer() -> Array:
        found = np.empty(asked.source.size, np.int64)
        for start in range(0, asked.source.size, step):
            rows = slice(start, start + step)
            source, port = asked.source[rows, None], asked.port[rows, None]
            protocol = asked.protocol[rows, None]
            matches = (source & mask) == base
            matches &= (port >= first_port) & (port <= last_port)
            matches &= any_protocol | (protocol == only_protocol)
            first = matches.argmax(axis=1)
            found[rows] = np.where(matches[np.arange(first.size), first], first, count)
        return found

    return answer


def numpy_rule_by_rule(rules: Acl, asked: Asked) -> Answer:
    """NumPy: one vector test a rule, from the last rule to the first, in parts that stay in the caches."""
    step, count = 1 << 14, rules.low.size
    rows = list(zip(*(column.tolist() for column in rules[:5]), strict=True))

    def answer() -> Array:
        found = np.full(asked.source.size, count, np.int64)
        for start in range(0, asked.source.size, step):
            source, protocol, port = (column[start : start + step] for column in asked)
            part = found[start : start + step]
            of_protocol = {kind: protocol == kind for kind in {row[2] for row in rows} if kind != ANY}
            for r in range(count - 1, -1, -1):
                low, high, kind, first, last = rows[r]
                matches = (source - np.uint32(low)) <= np.uint32(high - low)
                if kind != ANY:
                    matches &= of_protocol[kind]
                if (first, last) != (0, 65535):
                    matches &= (port - np.uint16(first)) <= np.uint16(last - first)
                part[matches] = r
        return found

    return answer


def numba_scan(rules: Acl, asked: Asked) -> Answer:
    """Numba: plain linear scan with early exit."""
    scan = acl_scan()
    columns = rules.tests()
    return lambda: scan(*columns, *asked)


#: Name -> way; with the flows each answers in a few seconds at full size in `peers`.
WAYS: dict[str, Callable[[Acl, Asked], Answer]] = {
    "Python, ipaddress": python,
    "Polars join_where": polars,
    "DuckDB range join": duckdb,
    "NumPy broadcasting": numpy_broadcasting,
    "NumPy rule by rule": numpy_rule_by_rule,
    "Numba scan": numba_scan,
}
