"""Who is at the other end of a flow log record, seen from the interface the record was made at (FL-01, FL-60).

The slow writing; `logkernels.name_remote_ends` is the fast one. docs/semantics.md, section 7.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from .walk_ends import End
from .walk_flow import INTERNET, kind_of
from .walk_rules import NetworkIndex

if TYPE_CHECKING:
    import polars as pl

    from .model import IPAddress, Network, NetworkInterface

#: Stands for an interface that is not in the snapshot: no id of AWS's.
NOT_DESCRIBED = "(not described)"


class RemoteEnds:
    """Names what the address of a remote opener stands for at an interface; remembers the addresses it was asked."""

    def __init__(self, network: Network) -> None:
        self._index = NetworkIndex(network)
        self._openers: dict[tuple[str | None, IPAddress], tuple[str | None, str]] = {}

    def name(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records with src_interface_id (null: as section 2 finds it) and responder.

        `responder` is the public address by which the record's own end is judged, or null. Needs interface_id,
        direction, swapped, src, dst, own_src and own_dst.
        """
        import polars as pl

        opened_here = (pl.col("direction") == "egress") ^ pl.col("swapped")
        opener, other = (pl.when("swapped").then(far).otherwise(near) for near, far in (("src", "dst"), ("dst", "src")))
        opener_is_own = pl.when("swapped").then("own_dst").otherwise("own_src")
        other_is_own = pl.when("swapped").then("own_src").otherwise("own_dst")
        records = records.with_columns(
            pl.when(opened_here & opener_is_own).then("interface_id").alias("src_interface_id"),
            pl.lit(None, pl.String).alias("responder"),
            pl.when(~opened_here & other_is_own).then(opener).alias("__opener"),
            other.alias("__other"),
        )
        asked = records.select("interface_id", "__opener", "__other").drop_nulls().unique(maintain_order=True)
        found = [(*key, *self._named(*key)) for key in asked.iter_rows()]
        names = ("interface_id", "__opener", "__other", "__named", "__responder")
        answers = pl.DataFrame(
            [row for row in found if row[3] or row[4]], schema=dict.fromkeys(names, pl.String), orient="row"
        )
        if answers.height:
            records = records.join(answers, on=list(names[:3]), how="left", maintain_order="left").with_columns(
                src_interface_id=pl.coalesce("src_interface_id", "__named"), responder="__responder"
            )
        return records.drop(name for name in records.columns if name.startswith("__"))

    def _named(self, interface_id: str, opener: str, own: str) -> tuple[str | None, str | None]:
        """(interface that opened, public address of the end at `interface_id`), each None if nothing says more."""
        interface = self._index.network.interfaces[interface_id]
        try:
            remote, here = ip_address(opener), ip_address(own)
        except ValueError:
            return None, None
        if remote.version != here.version:
            return None, None
        key = interface.vpc_id, remote
        if key not in self._openers:
            self._openers[key] = self._opener(*key)
        named, kind = self._openers[key]
        if named or kind == "elsewhere":
            return named, None
        public = End.at(interface, here).public_address
        if public is None:
            return NOT_DESCRIBED if kind == "public" else None, None
        judged = kind == "public" or self._is_entered_by_gateway_only(interface, here)
        return None, str(public) if judged else None

    def _opener(self, vpc_id: str | None, remote: IPAddress) -> tuple[str | None, str]:
        """(interface that `remote` names in the VPC, "public", "outside" or "elsewhere")."""
        index = self._index
        holders = index.holders(vpc_id, remote)
        if len(holders) == 1:
            return holders[0].interface_id, "elsewhere"
        if holders:
            return None, "elsewhere"
        if index.in_vpc(remote, vpc_id):
            return NOT_DESCRIBED, "elsewhere"
        if index.owners(remote):
            return None, "elsewhere"
        if len(index.public_owners(remote)) == 1:
            return None, "public"
        outside = remote.version == 4 and kind_of(remote) == INTERNET
        if outside and not index.public_owners(remote) and not index.in_any_vpc(remote):
            return None, "outside"
        return None, "elsewhere"

    def _is_entered_by_gateway_only(self, interface: NetworkInterface, here: Any) -> bool:
        """Whether `here` alone does not tell the interface, but what comes from outside comes by its public address."""
        if interface.vpc_id in self._index.network.vpcs_with_other_ways_in:
            return False
        return len(self._index.owners(here)) > 1
