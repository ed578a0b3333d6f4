"""What changed between two networks, as changes with names that can each be undone.

A plan or a list of edits knows its own changes (`Changes`); for two snapshots they are found by comparing records.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from ..model import Network

Key = tuple[Any, ...]

#: Parts of records that change one by one: (collection, field) -> what an element is known by inside its record.
_LISTS: dict[tuple[str, str], Any] = {
    ("security_groups", "rules"): lambda rule: (rule.rule_id,),
    ("network_acls", "entries"): lambda entry: ("egress" if entry.egress else "ingress", entry.rule_number),
    ("route_tables", "routes"): lambda route: (str(route.destination), route.propagated),
    ("transit_gateway_route_tables", "routes"): lambda route: (str(route.destination), route.propagated),
}
#: Fields that say which record belongs to which, kept at the subordinate: (collection, field) -> words for the change.
_ASSOCIATIONS: dict[tuple[str, str], str] = {
    ("network_acls", "subnet_ids"): "network ACL",
    ("route_tables", "subnet_ids"): "route table",
    ("route_tables", "gateway_ids"): "gateway route table",
}
#: Order of the elements that matters to nobody but `==`.
_SORTED: dict[tuple[str, str], Any] = {
    ("security_groups", "rules"): lambda rule: rule.rule_id,
    ("network_acls", "entries"): lambda entry: (entry.egress, entry.rule_number),
}
#: Fields that judge no flow.
_UNJUDGED = frozenset({"tags", "description", "group_name", "name"})
_UNJUDGED_COLLECTIONS = frozenset({"issues", "other"})


@runtime_checkable
class Changes(Protocol):
    """Changes that led from one network to another, each with a name of its own."""

    @property
    def names(self) -> Sequence[str]:
        """The changes, in the order they are to be shown; no name twice."""
        ...

    def network_without(self, names: Collection[str]) -> Network:
        """The later network with these changes undone; all of them: the earlier network."""
        ...


def variants_without(changes: Changes, names: Collection[str]) -> Sequence[Network]:
    """The networks that `network_without(names)` leaves open, where changes tell them by `variants_without` (plans)."""
    known = getattr(changes, "variants_without", None)
    return known(names) if known is not None else ()


class RecordChanges:
    """The changes between two networks, found by comparing their records; a `Changes`.

    One change is a record that came or went, one field of a record, one rule, ACL entry or route, or one association.
    Tags, names and descriptions do not count.
    """

    def __init__(self, before: Network, after: Network) -> None:
        self._before, self._after = parts_of(before), parts_of(after)
        self._networks = before, after
        self._keys: dict[str, list[Key]] = {}
        for key in sorted({*self._before, *self._after}, key=repr):
            if self._before.get(key, _ABSENT) != self._after.get(key, _ABSENT):
                self._keys.setdefault(self._name(key), []).append(key)

    @property
    def names(self) -> Sequence[str]:
        """See `Changes.names`."""
        return tuple(self._keys)

    def network_without(self, names: Collection[str]) -> Network:
        """See `Changes.network_without`. Raises KeyError for a name that is not among `names`."""
        if set(names) in (set(), set(self._keys)):
            return self._networks[0 if names else 1]
        parts = dict(self._after)
        for name in names:
            for key in self._keys[name]:
                if key in self._before:
                    parts[key] = self._before[key]
                else:
                    del parts[key]
        return network_of(parts, *self._networks)

    def _name(self, key: Key) -> str:
        collection, *rest = key
        if collection == "network":
            return f"{rest[0]}: changed"
        if collection in ("association", "main"):
            ids = [", ".join(parts.get(key, ())) or "none" for parts in (self._before, self._after)]
            words = "main route table" if collection == "main" else rest[1]
            return f"{rest[0]}: {words} {ids[0]} -> {ids[1]}"
        record = (collection, rest[0])
        for parts, word in ((self._before, "added"), (self._after, "removed")):
            if record not in parts:
                return f"{rest[0]}: {word}"
        if len(rest) == 1:
            return f"{rest[0]}: changed"
        if len(rest) == 2:
            return f"{rest[0]}: {rest[1]}"
        return self._element_name(key)

    def _element_name(self, key: Key) -> str:
        _, record_id, kind, *inner = key
        words = {"rules": "rule", "entries": "entry", "routes": "route"}[kind]
        label = " ".join(str(part) for part in inner if not isinstance(part, bool))
        was, now = self._before.get(key), self._after.get(key)
        if was is None or now is None:
            return f"{record_id}: {words} {label} {'added' if was is None else 'removed'}"
        changed = [
            field.name
            for field in fields(now[0])
            if [getattr(each, field.name) for each in was] != [getattr(each, field.name) for each in now]
        ]
        return f"{record_id}: {words} {label} {', '.join(changed)}"


_ABSENT = object()


class _Unjudged:
    """A record whose fields stand under keys of their own: equal to every other of its kind."""

    def __init__(self, record: Any) -> None:
        self.kind = type(record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Unjudged) and self.kind is other.kind

    __hash__ = None  # type: ignore[assignment]


def parts_of(network: Network) -> dict[Key, Any]:
    """The network taken apart: a key for each thing that may change by itself."""
    parts: dict[Key, Any] = {}
    for collection in _collections(network):
        value = getattr(network, collection)
        if not isinstance(value, Mapping):
            parts["network", collection] = value
            continue
        for record_id, record in value.items():
            parts.update(_record_parts(collection, record_id, record))
    for (collection, name), words in _ASSOCIATIONS.items():
        for record_id, record in getattr(network, collection).items():
            for member in getattr(record, name):
                key = ("association", member, words)
                parts[key] = (*parts.get(key, ()), record_id)
    for record_id, table in network.route_tables.items():
        if table.main:
            parts["main", table.vpc_id] = (*parts.get(("main", table.vpc_id), ()), record_id)
    return parts


def _record_parts(collection: str, record_id: str, record: Any) -> Iterator[tuple[Key, Any]]:
    yield (collection, record_id), _Unjudged(record)
    for name in _judged_fields(collection, record):
        value = getattr(record, name)
        identify = _LISTS.get((collection, name))
        if identify is None:
            yield (collection, record_id, name), value
            continue
        elements: dict[Key, tuple[Any, ...]] = {}
        for element in value or ():
            elements[identify(element)] = (*elements.get(identify(element), ()), element)
        for inner, same in elements.items():
            yield (collection, record_id, name, *inner), same
        if value is None:
            yield (collection, record_id, f"{name} not described"), True


def _judged_fields(collection: str, record: Any) -> Iterable[str]:
    without = {name for owner, name in _ASSOCIATIONS if owner == collection}
    without |= {"main"} if collection == "route_tables" else set()
    return [field.name for field in fields(record) if field.name not in _UNJUDGED | without]


def _collections(network: Network) -> list[str]:
    return [field.name for field in fields(network) if field.name not in _UNJUDGED_COLLECTIONS]


def network_of(parts: dict[Key, Any], before: Network, after: Network) -> Network:
    """The parts put together; what judges no flow is taken from `after`, else from `before`."""
    values: dict[str, Any] = {}
    elements: dict[Key, list[Any]] = {}
    for key, value in parts.items():
        if len(key) > 3 and key[0] not in ("association", "main", "network"):
            elements.setdefault(key[:3], []).extend(value)
    members = _Members(parts)
    for collection in _collections(after):
        if ("network", collection) in parts:
            values[collection] = parts["network", collection]
            continue
        later, earlier = getattr(after, collection), getattr(before, collection)
        values[collection] = {
            record_id: _record(collection, record_id, record, parts, elements, members)
            for record_id, record in {**earlier, **later}.items()
            if (collection, record_id) in parts
        }
    return replace(after, **values)


def _record(
    collection: str,
    record_id: str,
    record: Any,
    parts: dict[Key, Any],
    elements: dict[Key, list[Any]],
    members: _Members,
) -> Any:
    changed: dict[str, Any] = {}
    for name in _judged_fields(collection, record):
        key = (collection, record_id, name)
        if (collection, name) in _LISTS:
            found = elements.get(key, [])
            order = _SORTED.get((collection, name))
            undescribed = (collection, record_id, f"{name} not described") in parts and not found
            changed[name] = None if undescribed else tuple(sorted(found, key=order) if order else found)
        elif key in parts:
            changed[name] = parts[key]
    for (owner, name), words in _ASSOCIATIONS.items():
        if owner == collection:
            known = {member: place for place, member in enumerate(getattr(record, name))}
            own = members.of(record_id, words)
            changed[name] = tuple(sorted(own, key=lambda member: (known.get(member, len(known)), member)))
    if collection == "route_tables":
        changed["main"] = record_id in members.main
    return replace(record, **changed)


class _Members:
    """Associations the other way round: record -> what is associated with it."""

    def __init__(self, parts: dict[Key, Any]) -> None:
        self._parts = parts
        self.main = {table for key, tables in parts.items() if key[0] == "main" for table in tables}

    @cached_property
    def _found(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for key, owners in self._parts.items():
            if key[0] == "association":
                for owner in owners:
                    found.setdefault((owner, key[2]), []).append(key[1])
        return found

    def of(self, record_id: str, words: str) -> list[str]:
        return self._found.get((record_id, words), [])
