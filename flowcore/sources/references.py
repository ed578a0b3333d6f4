"""Issues of one kind for many records: one per thing that is named but not described, one per state."""

from __future__ import annotations

from collections.abc import Container, Iterable

from ..model import Network
from .assemble import some
from .collect import Collector

__all__ = ["Dangling", "list_reference", "note_state"]


class Dangling:
    """Ids that are named but not `known` -> the records that name them."""

    def __init__(
        self, found: Collector, severity: str, what: str, consequence: str, known: Container[str] = ()
    ) -> None:
        self.found, self.severity, self.what, self.consequence, self.known = found, severity, what, consequence, known
        self.named: dict[str, list[str]] = {}

    def add(self, missing: str, named_by: str) -> None:
        self.named.setdefault(missing, []).append(named_by)

    def check(self, ids: Iterable[str | None], named_by: str) -> None:
        """Adds those of `ids` that are not known; None and "" name nothing."""
        for each in ids:
            if each and each not in self.known:
                self.add(each, named_by)

    def report(self) -> None:
        """One issue per missing thing, unless one as severe already names it."""
        told = {
            issue.resource
            for issue in self.found.issues
            if issue.code == "dangling-reference" and issue.severity in ("warning", self.severity)
        }
        for missing, names in self.named.items():
            if missing in told:
                continue
            message = f"{self.what} is not described; named by {some(names)}: {self.consequence}"
            first, origins = min(names), self.found.origins
            source = origins.get(first) or origins.get(
                first.partition(":")[0], ""
            )  # a made-up id begins with its group
            self.found.issue(self.severity, "dangling-reference", missing, message, source)


def list_reference(network: Network, list_id: str, named_by: str, lists: Dangling, without: Dangling) -> None:
    """Adds a prefix list that is not described to `lists`, one whose entries are not to `without`."""
    known = network.prefix_lists.get(list_id)
    if known is None:
        lists.add(list_id, named_by)
    elif known.cidr_blocks is None:
        without.add(list_id, named_by)


def note_state(found: Collector, resource: str, message: str) -> None:
    """A note that something is in a state in which it does not work."""
    found.issue("note", "state", resource, message, found.origins.get(resource, ""))
