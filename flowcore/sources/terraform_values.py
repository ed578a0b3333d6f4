"""One resource of a plan with its values before and after, and what the functions that apply it need.

A value that only apply will tell is UNKNOWN. Where it stands for an object it is followed through the configuration:
one candidate is the answer; of several, or none, a made-up id of the form `tf:?ADDRESS.ATTRIBUTE` stands for "one of
them". No record has that id, so what depends on it is UNKNOWN, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..changes import KNOWN_AFTER_APPLY, Draft
from .terraform_references import KINDS, UNKNOWN, Instance, References, Unknown
from .values import BadValueError, region_of

__all__ = ["Ambiguity", "Block", "Overlay", "Planned", "made_up_id", "merged", "plain_value"]

#: Begins the made-up id of an object that AWS has not named yet.
MADE = "tf:"
#: Lists of nested blocks: never computed anew, so not known means changed, configured by a dynamic block or not.
OWN_LISTS = frozenset({"ingress", "egress", "route", "entry", "listener"})
#: Begins the made-up id of "one of several, or something that could not be followed".
OPEN = "tf:?"


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """A value that the plan's JSON does not tell: one of `candidates`, or none of them if that is empty."""

    address: str
    attribute: str
    candidates: tuple[str, ...]
    complete: bool
    """False: it may be something else too."""

    @property
    def name(self) -> str:
        """`ADDRESS.ATTRIBUTE`."""
        return f"{self.address}.{self.attribute}"


def made_up_id(address: str) -> str:
    """`tf:ADDRESS`, what is no visible ASCII written as \\uXXXX: ids are printed, and they are keys."""
    return MADE + "".join(c if "!" <= c <= "~" else f"\\u{ord(c):04x}" for c in address)


def merged(value: Any, unknown: Any) -> Any:
    """`after` with UNKNOWN wherever `after_unknown` says true."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, Mapping):
        known = value if isinstance(value, Mapping) else {}
        return {**known, **{name: merged(known.get(name), each) for name, each in unknown.items() if each is not False}}
    if isinstance(unknown, list):
        items = value if isinstance(value, list) else []
        items = [*items, *[None] * (len(unknown) - len(items))]
        flags = [*unknown, *[False] * (len(items) - len(unknown))]
        return [merged(item, each) for item, each in zip(items, flags, strict=True)]
    return value


def plain_value(value: Any) -> Any:
    """The value for people: KNOWN_AFTER_APPLY where it is not known."""
    if isinstance(value, Unknown):
        return KNOWN_AFTER_APPLY
    if isinstance(value, Mapping):
        return {name: plain_value(each) for name, each in value.items()}
    return [plain_value(each) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Block:
    """An object of values of a plan: a resource's, or a nested block's."""

    values: Mapping[str, Any]
    instance: Instance
    overlay: Overlay
    path: tuple[str | int, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    """The values before the change, where it changes or replaces something."""

    def known(self, name: str) -> bool:
        """Whether the value is told; an absent one is."""
        return not isinstance(self.values.get(name), Unknown)

    def text(self, name: str) -> str | None:
        """A text; None if it is absent, empty or not known."""
        value = self.values.get(name)
        if value is None or value == "" or isinstance(value, Unknown):
            return None
        if not isinstance(value, str):
            raise BadValueError(value, "a text", *self.path, name)
        return value

    def number(self, name: str) -> int | None:
        """A whole number, also written as text; None if it is absent or not known."""
        value = self.values.get(name)
        if value is None or value == "" or isinstance(value, Unknown):
            return None
        if isinstance(value, str) and value.removeprefix("-").isdigit() and len(value) < 12:
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadValueError(value, "a whole number", *self.path, name)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false; the default if it is absent or not known."""
        value = self.values.get(name)
        if value is None or isinstance(value, Unknown):
            return default
        if not isinstance(value, bool):
            raise BadValueError(value, "true or false", *self.path, name)
        return value

    def texts(self, name: str) -> list[str]:
        """The known texts of a list; empty if it is absent or not known."""
        value = self.values.get(name)
        if value is None or isinstance(value, Unknown):
            return []
        if not isinstance(value, list):
            raise BadValueError(value, "a list of texts", *self.path, name)
        found = []
        for i, item in enumerate(value):
            if item is not None and not isinstance(item, str | Unknown):
                raise BadValueError(item, "a text", *self.path, name, i)
            if isinstance(item, str) and item:
                found.append(item)
        return found

    def all_known(self, name: str) -> bool:
        """Whether a list and each of its elements are known."""
        value = self.values.get(name)
        return not isinstance(value, Unknown) and not any(isinstance(item, Unknown) for item in value or ())

    def blocks(self, name: str) -> list[Block]:
        """The nested blocks of that name; none if they are absent or not known."""
        value = self.values.get(name)
        if value is None or isinstance(value, Unknown):
            return []
        items = [value] if isinstance(value, Mapping) else value
        if not isinstance(items, list):
            raise BadValueError(value, "a list of blocks", *self.path, name)
        found = []
        for i, item in enumerate(items):
            if item is None or isinstance(item, Unknown):
                continue
            if not isinstance(item, Mapping):
                raise BadValueError(item, "a block", *self.path, name, i)
            before = next((old for old in _mappings(self.before.get(name)) if _alike(old, item)), {})
            found.append(Block(item, self.instance, self.overlay, (*self.path, name, i), before))
        return found

    def reference(self, name: str, kind: str) -> str | None:
        """The id of the object that an attribute names: known, followed, or made up for "one of several"."""
        value = self.values.get(name)
        if isinstance(value, Unknown):
            return None if self.overlay.computed(self, name) else self.overlay.followed(self, name, kind)
        return self.text(name)

    def required(self, name: str, kind: str) -> str:
        """As `reference`, of an attribute that every such resource has."""
        found = self.reference(name, kind)
        if found is None:
            raise BadValueError(self.values.get(name), "an id: every resource of this type has one", *self.path, name)
        return found

    def references(self, name: str, kind: str) -> tuple[str, ...] | None:
        """The ids that a list attribute names; None if they cannot all be told."""
        value = self.values.get(name)
        if value is None:
            return ()
        if isinstance(value, Unknown):
            return () if self.overlay.computed(self, name) else self.overlay.followed_list(self, name, kind, None)
        missing = sum(isinstance(item, Unknown) for item in value) if isinstance(value, list) else 0
        found = self.texts(name)
        if missing:
            followed = self.overlay.followed_list(self, name, kind, missing)
            if followed is None:
                return None
            found += followed
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Planned:
    """One resource change: a delete has no `new`, a create no `old`; a replace has both, and is `made`."""

    name: str
    """The address; of a deposed object with its key."""
    action: str
    """create, update, delete or replace."""
    instance: Instance
    old: Block | None
    new: Block | None
    old_id: str | None
    """The id before; None where there is none."""
    where: str
    """JSON path in the plan."""
    reason: str | None = None

    @property
    def address(self) -> str:
        return self.instance.address

    @property
    def id(self) -> str:
        """The id after apply."""
        return self.instance.id

    @property
    def made(self) -> bool:
        """Whether a new object is made."""
        return self.action in ("create", "replace")

    def changed(self, *names: str) -> bool:
        """Whether one of these attributes differs, or the object is new. Absent, null and empty are the same.

        What is not known and not configured either is what AWS computes anew: no change.
        """
        if self.made or self.old is None or self.new is None:
            return True
        return any(
            (self.old.values.get(name) or None) != (self.new.values.get(name) or None)
            and (self.new.known(name) or name in OWN_LISTS or self.new.overlay.configured(self, name))
            for name in names
        )


@dataclass
class Overlay:
    """What the functions that apply resources share: the draft, the references, what was settled on."""

    draft: Draft
    references: References
    source: str
    choices: Mapping[str, str] = field(default_factory=dict)
    """`Ambiguity.name` -> the candidate to take."""
    ambiguities: dict[str, Ambiguity] = field(default_factory=dict)
    separate_rules: frozenset[str] = frozenset()
    """Groups, ACLs, tables and lists that resources of their own add rules to."""
    replaced_ids: frozenset[str] = frozenset()
    """Ids of objects that the plan deletes or replaces."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """Region of each provider configuration."""
    filled_by_others: Mapping[str, str] = field(default_factory=dict)
    """New target groups that resources which are not modelled give their targets -> the address of one of these."""
    taken_groups: dict[str, list[tuple[Planned, str]]] = field(default_factory=dict)
    """Groups that the plan takes from each interface, and by which resource."""
    where: str = ""

    def note(self, severity: str, code: str, resource: str, message: str) -> None:
        self.draft.note(severity, code, resource, message, f"{self.source}: {self.where}")

    def not_there(self, planned: Planned, what: str) -> None:
        """Says that the plan changes what the snapshot does not describe."""
        message = f"the plan would {planned.action} {what}, which the snapshot does not describe; nothing was changed"
        self.note("warning", "not-in-snapshot", planned.address, message)

    def undetermined(self, planned: Planned, message: str) -> None:
        """Says that something of the plan cannot be told before apply."""
        self.note("warning", "known-after-apply", planned.address, message)

    def region_of(self, block: Block) -> str | None:
        """The Region of a resource: its own attribute, else its provider's; None: the plan does not tell."""
        known = self.references.configured(block.instance)
        provider = self.regions.get(known.provider_config_key or "") if known else None
        return region_of(block.text("region")) or region_of(provider)

    # -- references ---------------------------------------------------------------------------------------

    def configured(self, planned: Planned, name: str) -> bool:
        """Whether the configuration gives the attribute a value (dynamic blocks do not show)."""
        block = self.references.configured(planned.instance)
        return block is not None and isinstance(block.expressions, Mapping) and name in block.expressions

    def computed(self, block: Block, name: str) -> bool:
        """Whether a value that is not known is AWS's to give: an attribute that the configuration leaves out."""
        known = self.references.configured(block.instance)
        has = known is not None and isinstance(known.expressions, Mapping)
        return not block.path and has and known is not None and name not in known.expressions

    def owns(self, planned: Planned, name: str) -> bool:
        """Whether a list of inline rules is the resource's own, so that what the plan says is all there is.

        A list that is not configured shows what other resources made, and counts for nothing. Dynamic blocks do not
        show in the configuration: a list that changes, or is known of a new object, is the resource's own if no other
        resource adds to it.
        """
        if self.configured(planned, name):
            return True
        if planned.new is None or planned.id in self.separate_rules:
            return False
        if planned.made:
            return planned.new.known(name) and bool(planned.new.values.get(name))
        return planned.changed(name)

    def untold(self, planned: Planned, name: str) -> bool:
        """Whether the resource's own list of rules is not known. Of a new object that is not given one, it is empty."""
        told = planned.new is None or planned.new.known(name)
        return not told and (not planned.made or self.configured(planned, name))

    def refers_to_nothing(self, block: Block, name: str, kind: str) -> bool:
        """Whether a value is not known though its expression refers to nothing that could be: it is computed then."""
        if block.known(name):
            return False
        found = self.references.follow(block.instance, (*block.path, name), KINDS[kind], block.values)
        return found.complete and not found.candidates

    def followed(self, block: Block, name: str, kind: str) -> str:
        """The id that an unknown value stands for."""
        found = self.references.follow(block.instance, (*block.path, name), KINDS[kind], block.values)
        if len(found.candidates) == 1 and found.complete:
            return found.candidates[0]
        return self._open(block, name, found.candidates, found.complete)

    def followed_list(self, block: Block, name: str, kind: str, missing: int | None) -> tuple[str, ...] | None:
        """The ids that the unknown part of a list stands for: all that its expression refers to.

        An id that was in the list and stays in AWS may stay in the list too, as a literal, which the JSON does not
        show: if the expression does not refer to it, the list is not known.
        """
        whole = missing is None
        found = self.references.follow(block.instance, (*block.path, name), KINDS[kind], block.values, whole)
        known = set() if whole else set(block.texts(name))
        candidates = tuple(each for each in found.candidates if each not in known)
        before = block.before.get(name) if whole else None
        stay = {each for each in before if isinstance(each, str)} if isinstance(before, list) else set()
        complete = found.complete and stay <= {*candidates, *self.replaced_ids}
        if complete and candidates and missing in (None, len(candidates)):
            return candidates
        if missing == 1:
            return (self._open(block, name, candidates, complete),)
        self._open(block, name, candidates, complete)
        return None

    def _open(self, block: Block, name: str, candidates: Sequence[str], complete: bool) -> str:
        attribute = _attribute(block, name)
        ambiguity = Ambiguity(block.instance.address, attribute, tuple(sorted(candidates)), complete)
        if ambiguity.name not in self.ambiguities:
            self.ambiguities[ambiguity.name] = ambiguity
            among = f"one of {', '.join(ambiguity.candidates)}" if candidates else "nothing the plan names"
            message = f"{attribute} is known after apply and may be {among}{'' if complete else ', or something else'}"
            address = block.instance.address
            self.note("warning", "ambiguous-reference", address, f"{message}: flows it decides are UNKNOWN")
        return self.choices.get(ambiguity.name) or OPEN + made_up_id(ambiguity.name).removeprefix(MADE)

    def possible(self, block: Block, name: str) -> tuple[tuple[str, ...], bool]:
        """What a list that could not be told may hold, and whether that is all it may hold."""
        found = self.ambiguities.get(f"{block.instance.address}.{_attribute(block, name)}")
        return (found.candidates, found.complete and bool(found.candidates)) if found else ((), False)

    def candidates(self, open_id: str) -> tuple[str, ...]:
        """What a made-up id for "one of several" stands for."""
        for ambiguity in self.ambiguities.values():
            if OPEN + made_up_id(ambiguity.name).removeprefix(MADE) == open_id:
                return ambiguity.candidates
        return ()

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Issues noted inside come from that place of the plan."""
        before, self.where = self.where, where
        try:
            yield
        finally:
            self.where = before


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether nested blocks may be the same one before and after: what is no list and is known does not differ."""
    return all((old.get(name) or None) == (value or None) for name, value in new.items() if _plain(value))


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _attribute(block: Block, name: str) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in (*block.path, name))[1:]


def is_open(object_id: str | None) -> bool:
    """Whether an id stands for "one of several"."""
    return object_id is not None and object_id.startswith(OPEN)
