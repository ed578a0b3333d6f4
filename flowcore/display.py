"""How results show themselves in a notebook. What they show is written in `report_notebook`, above all of them."""

from __future__ import annotations

from importlib import import_module


class Displayed:
    """A result that a notebook shows as a small table: escaped, without scripts, nothing loaded from elsewhere.

    Results stand in lower layers than the module that writes their tables, so it is looked up when one is shown.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(import_module(".report_notebook", __package__).html_of(self))
