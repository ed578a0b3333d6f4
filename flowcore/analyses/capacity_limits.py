"""Limits and units that AWS publishes, as a data file: `capacity_limits.json`, or one of the same shape."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..errors import InputError

if TYPE_CHECKING:
    from ..model import LoadBalancer, Network


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most of a metric. `per`: once, or for each address or zone. `source`: the statement that says so."""

    kind: str
    metric: str
    limit: float
    source: str
    per: str = "once"


class Units(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one capacity unit of a load balancer covers, each dimension by itself."""

    new_connections: float
    active_connections: float
    gigabytes: float


class _Gigabyte(msgspec.Struct, frozen=True):
    value: int
    source: str


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bytes_per_gigabyte: _Gigabyte
    limits: tuple[Limit, ...]
    capacity_units: dict[str, dict[str, Units]]
    capacity_units_source: str = ""
    about: str = ""


@dataclass(frozen=True)
class Limits:
    """The limits in use."""

    document: _Document

    @property
    def gigabyte(self) -> int:
        """Bytes that are billed as one GB."""
        return self.document.bytes_per_gigabyte.value

    def of(self, kind: str, metric: str) -> Limit | None:
        """The limit of a metric of one kind of resource, if there is one."""
        return next((each for each in self.document.limits if (each.kind, each.metric) == (kind, metric)), None)

    def units(self, balancer: LoadBalancer | None) -> dict[str, Units]:
        """What a unit of a load balancer covers, by protocol ("any": of all protocols); none for Classic ones."""
        return self.document.capacity_units.get(balancer.kind, {}) if balancer else {}


def read_limits(path: str | os.PathLike[str] | None = None) -> Limits:
    """The limits of a JSON file; default: those that flowcore ships. Raises InputError for what is none."""
    if path is None:
        data = files("flowcore.analyses").joinpath("capacity_limits.json").read_bytes()
    else:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InputError("cannot be read", source=path, found=error.strerror or str(error)) from None
    try:
        document = msgspec.json.decode(data, type=_Document)
        units = [unit for kinds in document.capacity_units.values() for unit in kinds.values()]
        numbers = [each.limit for each in document.limits] + [document.bytes_per_gigabyte.value]
        numbers += [number for unit in units for number in msgspec.structs.astuple(unit)]
        if min(numbers) <= 0:
            raise InputError("a limit is not above 0", source=path or "limits", found=min(numbers))
        return Limits(document)
    except (msgspec.DecodeError, UnicodeError) as error:
        expected = "JSON with the keys of flowcore/analyses/capacity_limits.json"
        raise InputError(f"not a file of limits: {error}", source=path or "limits", expected=expected) from None


_GONE = frozenset(
    ["deleted", "deleting", "rejected", "rejecting", "failed", "failing", "expired", "pendingacceptance",
     "initiatingrequest"]
)  # fmt: skip


def is_gone(state: str | None) -> bool:
    """Whether a resource is there no more, or not yet: describe-* lists such for a while."""
    return (state or "").replace("-", "").lower() in _GONE


def addresses_of(network: Network, nat_gateway_id: str) -> int | None:
    """Addresses a NAT gateway translates to, each of which adds its 55,000 (NG-18). None: not known."""
    gateway = network.nat_gateways.get(nat_gateway_id)
    return len(gateway.addresses) or None if gateway else None


__all__ = ["Limit", "Limits", "Units", "addresses_of", "is_gone", "read_limits"]
