"""Answers that AWS gives in several pages: which are here in full, and which were cut."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Pages"]


@dataclass
class Pages:
    """The pages of answers, by top-level key and by owner: the id in a wrapper, or the folder of plain answers.

    Pages are cut where a token says that more follow. An answer is whole if one of its pages is not cut: the last.
    """

    cut: dict[tuple[str, str], str] = field(default_factory=dict)
    """(key, owner) -> where a page with a token is."""
    last: set[tuple[str, str]] = field(default_factory=set)

    def add(self, key: str, owner: str, is_cut: bool, origin: str) -> None:
        """One page. `is_cut`: it says that more follow."""
        if is_cut:
            self.cut.setdefault((key, owner), origin)
        else:
            self.last.add((key, owner))

    def missing(self, key: str) -> dict[str, str]:
        """Owner -> where, of every answer under `key` whose last page is not here."""
        return {
            owner: where for (each, owner), where in self.cut.items() if each == key and (each, owner) not in self.last
        }

    def in_pages(self, key: str, owner: str) -> bool:
        """Whether the answer came in pages, the last of which is here."""
        return (key, owner) in self.cut and (key, owner) in self.last

    def is_partial(self, key: str, owner: str | None) -> bool:
        """Whether pages of the owner's answer are missing; of an owner without one, whether pages of any are."""
        if (key, owner) in self.last:
            return False
        return (key, owner) in self.cut or bool(self.missing(key))
