"""Plans and edits as changes: a network with what led to it, as `diff` takes it for AFTER."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from ..model import Network
from ..sources.terraform import PlannedNetwork, overlay
from .diff_changes import Changes

#: Open values of a plan are tried out up to this many ways (see PlannedNetwork.variants).
_VARIANTS = 16

#: Networks with changes undone that are kept.
_KEPT_NETWORKS = 8


class PlanChanges:
    """The changes of a Terraform plan; a `Changes` that knows what each changes and how open values may turn out."""

    def __init__(self, planned: PlannedNetwork) -> None:
        self._planned = planned
        self.names: Sequence[str] = planned.names
        self._without = lru_cache(_KEPT_NETWORKS)(
            lambda names: overlay(planned.before, planned.plan, without=names) if names else planned
        )

    def network_without(self, names: Collection[str]) -> Network:
        """See `Changes.network_without`."""
        network: Network = self._without(frozenset(names)).network
        return network

    def variants_without(self, names: Collection[str]) -> list[Network]:
        """The same network for each way the plan's open values may turn out; none if that cannot be told."""
        return list(islice(self._without(frozenset(names)).variants(_VARIANTS), _VARIANTS))

    def detail(self, name: str) -> str:
        """What the change does: `update: from_port 443 -> 8443`."""
        change = next(each for each in self._planned.changes if each.name == name)
        shown = [f"{each.name} {_short(each.before)} -> {_short(each.after)}" for each in change.attributes]
        return change.action + (f": {'; '.join(shown)}" if change.action == "update" and shown else "")


def _short(value: Any, most: int = 60) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def with_changes(after: Any) -> tuple[Any, Changes | None]:
    """The network of a PlannedNetwork or EditedNetwork and its changes; anything else as it is, without."""
    if isinstance(after, PlannedNetwork):
        return after.network, PlanChanges(after)
    if isinstance(after, Changes) and isinstance(getattr(after, "network", None), Network):
        return after.network, after  # type: ignore[attr-defined]
    return after, None
