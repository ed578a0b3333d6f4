"""Reads a network from describe-* JSON: a folder, a file, an archive, or objects in memory.

Answers are recognised by their top-level key, never by file name. docs/snapshots.md says what is read.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec

from ..errors import NetworkError
from ..model import Network
from . import answers, answers_between, collect, collect_balancers, collect_between
from .answers import HARMLESS, NOT_MODELLED, OTHER_SPELLINGS, WITHOUT_OWNER
from .archives import json_members
from .assemble import assemble
from .assumptions import assume
from .checks import check
from .collect import Collector, sort_issues
from .records import Scope
from .values import BadValueError, region_of, utf8_of

__all__ = ["network_from_documents", "read_network"]

Documents = Mapping[str, Any] | Iterable[tuple[str, Mapping[str, Any]]]

_TOP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder(Any)
_SHAPES = {**answers.SHAPES, **answers_between.SHAPES}
_BUILDERS = {**collect.BUILDERS, **collect_between.BUILDERS, **collect_balancers.BUILDERS}
_LISTS: dict[str, Any] = {key: list[shape] | None for key, shape in _SHAPES.items()}  # type: ignore[valid-type]
_DECODERS = {key: msgspec.json.Decoder(kind) for key, kind in _LISTS.items()}
#: Keys under which AWS prints one object, not a list.
_SINGLE = ("VpcBlockPublicAccessOptions", "LoadBalancerAttributes")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_TOKENS = ("NextToken", "nextToken", "NextMarker", "Marker")
_MAX_DEPTH = 100
_HINT = "write each file with `aws ec2 describe-... --output json`"


def read_network(
    path: str | os.PathLike[str], *, assume_defaults: bool = False, nat_instances: Iterable[str] = ()
) -> Network:
    """The network described by a folder of JSON answers, a `.json`, `.json.gz`, `.zip`, `.tar`, `.tar.gz` or `.tgz`.

    `assume_defaults` fills in what AWS would have made where it is not described: a default network ACL that
    allows all (NA-12), a main route table with the local routes (RT-09), an internet gateway that an active route
    names. Each assumption is listed in `Network.issues`, as is everything that was not understood, is dangling,
    missing or not modelled. `nat_instances` names interfaces, or instances (their first interface), that translate
    sources to their own address, which AWS cannot know. Raises NetworkError for a path, file or record that cannot be
    read, and for a NAT instance that is not described.
    """
    found = Collector()
    outer = os.fspath(path).replace(os.sep, "/").split("/")
    with _collector_paused():
        for member in json_members(path):
            region, account = _place([*outer, *member.name.split("/")[:-1]])
            document = _Document(found, member.name, member.label, region, account)
            document.read_json(member.data)
        return _finish(found, os.fspath(path), assume_defaults, nat_instances)


def network_from_documents(
    documents: Documents, *, assume_defaults: bool = False, nat_instances: Iterable[str] = ()
) -> Network:
    """The network described by objects in memory; options as for `read_network`.

    `documents` maps top-level keys to lists of records, or yields (source name, such a mapping); a source name like
    `us-west-2/vpcs.json` or `accounts/111122223333/us-west-2/vpcs.json` gives Region and account. Raises NetworkError.
    """
    found = Collector()
    pairs = [("documents", documents)] if isinstance(documents, Mapping) else documents
    with _collector_paused():
        for name, described in pairs:
            region, account = _place(str(name).split("/")[:-1])
            document = _Document(found, str(name), str(name), region, account)
            if not isinstance(described, Mapping):
                raise document.error("not an object", found=described, expected="a mapping of top-level keys to lists")
            document.read_objects(described)
        return _finish(found, "documents", assume_defaults, nat_instances)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pauses Python's cyclic garbage collector: hundreds of thousands of lasting records would keep it running."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _finish(found: Collector, source: str, assume_defaults: bool, nat_instances: Iterable[str]) -> Network:
    if not found.keys & (_SHAPES.keys() | NOT_MODELLED):
        raise NetworkError(
            "no description of a network found",
            source=source,
            found=sorted(found.keys)[:5] or None,
            expected="JSON objects with a top-level key such as Vpcs, Subnets, RouteTables or SecurityGroups",
            hint=_HINT,
        )
    network = assemble(found)
    check(network, found)
    if assume_defaults:
        network = assume(network, found)
    network = replace(network, nat_instances=_nat_interfaces(network, nat_instances, source))
    return network.with_issues(sort_issues(found.issues))


def _nat_interfaces(network: Network, nat_instances: Iterable[str], source: str) -> frozenset[str]:
    """The interfaces that the caller names, itself or by their instance."""
    found = set()
    for given in [nat_instances] if isinstance(nat_instances, str) else nat_instances:
        instance = network.instances.get(given)
        interface_id = next(iter(instance.interface_ids), "") if instance else given
        if interface_id not in network.interfaces:
            raise NetworkError(
                "not a NAT instance of this network",
                source=source,
                found=given,
                expected="the id of a described interface, or of an instance with a described interface",
            )
        found.add(interface_id)
    return frozenset(found)


def _place(folders: list[str]) -> tuple[str | None, str | None]:
    """Region and account that the folders name: `<account>/<region>/` or `accounts/<account>/<region>/`.

    Account folders that are names and not ids (CloudMapper's) say nothing about the owner: None.
    """
    region = account = None
    for i, folder in enumerate(folders):
        if folder and region_of(folder) == folder:
            region = folder
        if re.fullmatch(r"[0-9]{12}", folder) or (i and folders[i - 1] == "accounts" and folder.isdigit()):
            account = folder
    return region, account


class _Document:
    """One JSON object, with its source's name, on its way into the collector."""

    def __init__(self, found: Collector, name: str, label: str, region: str | None, account: str | None) -> None:
        self.found, self.name, self.label = found, name, label
        self.region, self.account = region, account
        self.origin = name

    def error(self, message: str, **details: Any) -> NetworkError:
        return NetworkError(message, source=self.label, **details)

    def read_json(self, data: bytes) -> None:
        """Reads a file's bytes: UTF-8 with or without a byte order mark, or UTF-16 with one (PowerShell's `>`)."""
        try:
            data = utf8_of(data)
            top = _TOP.decode(data)
        except msgspec.ValidationError:
            found = data.lstrip()[:1].decode(errors="replace")
            expected = "an object with a top-level key such as Vpcs"
            raise self.error("not a describe answer", where="$", found=found, expected=expected, hint=_HINT) from None
        except (msgspec.DecodeError, UnicodeError) as error:
            where = _position(str(error), data)
            raise self.error(f"not JSON ({error})", where=where, expected="complete JSON", hint=_HINT) from None
        except RecursionError:
            raise self.error("nested too deeply", expected="JSON as AWS prints it", hint=_HINT) from None
        for key, raw in top.items():
            self._add(key, raw)

    def read_objects(self, answers: Mapping[str, Any]) -> None:
        """Reads an object in memory."""
        for key, value in answers.items():
            if not isinstance(key, str):
                raise self.error("not a describe answer", found=key, expected="top-level keys that are strings")
            self._add(key, value)

    def _add(self, key: str, value: Any) -> None:
        key = OTHER_SPELLINGS.get(key, key)
        self.found.keys.add(key)
        if key in _TOKENS:
            self.found.keys.discard(key)
            if self._loaded(key, value):
                message = f"{key} is set: the answer was cut, records are missing; fetch all pages"
                self.found.issue("error", "incomplete", self.name, message, f"{self.name}: $.{key}")
        elif key in _SHAPES:
            self._add_records(key, value)
        else:
            self._keep_other(key, self._loaded(key, value))

    def _loaded(self, key: str, value: Any) -> Any:
        """The plain value, not nested deeper than AWS nests."""
        try:
            plain = _ANY.decode(value) if isinstance(value, msgspec.Raw) else value
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._unreadable(key, error) from None
        level = [plain]
        for _ in range(_MAX_DEPTH):
            level = [child for item in level if isinstance(item, (dict, list, tuple)) for child in _children(item)]
            if not level:
                return plain
        raise self.error(
            "nested too deeply", where=f"$.{_shown(key)}", expected=f"at most {_MAX_DEPTH} levels", hint=_HINT
        )

    def _keep_other(self, key: str, value: Any) -> None:
        kept = self.found.other.setdefault(key, [])
        kept.extend(value if isinstance(value, (list, tuple)) else [value])
        source = f"{self.name}: $.{_shown(key)}"
        if key in WITHOUT_OWNER:
            if value:
                message = (
                    f"the answer does not say whose these are, they are not used; wrap them as {WITHOUT_OWNER[key]}"
                )
                self.found.issue("warning", "incomplete", key, message, source)
        elif key not in NOT_MODELLED and key not in HARMLESS:
            shown = _shown(key)
            self.found.issue("note", "unknown-key", shown, "not a key that is known; its records are not used", source)

    def _add_records(self, key: str, value: Any) -> None:
        items = self._decoded(key, value)
        builder = _BUILDERS[key]
        scope = Scope(self.region, self.account, self._issue)
        i = 0
        try:
            for i, item in enumerate(items):
                self.origin = f"{self.name}: $.{key}[{i}]"
                builder(item, scope, self.found, self.origin)
        except BadValueError as bad:
            where = f"$.{key}[{i}]{bad.path}"
            details = {"found": bad.found, "expected": bad.expected, "hint": bad.hint}
            raise self.error("cannot be understood", where=where, **details) from None

    def _issue(self, severity: str, code: str, resource: str, message: str) -> None:
        self.found.issue(severity, code, resource, message, self.origin)

    def _decoded(self, key: str, value: Any) -> list[Any]:
        """The records of a key in their shapes. Some keys hold a single object in AWS's answer."""
        raw = isinstance(value, msgspec.Raw)
        if key in _SINGLE:
            value = self._loaded(key, value)
            value, raw = [value] if isinstance(value, Mapping) else value, False
        try:
            decoded = _DECODERS[key].decode(value) if raw else msgspec.convert(value, _LISTS[key])
        except msgspec.ValidationError as error:
            raise self._shape_error(key, value, str(error)) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._unreadable(key, error) from None
        return decoded or []

    def _unreadable(self, key: str, error: Exception) -> NetworkError:
        """The error of a value that no type can hold: a number out of range, text that is not UTF-8, a deep nest."""
        what = str(error).partition(" - at `")[0][:200]
        return self.error(f"holds a value that cannot be read ({what})", where=f"$.{_shown(key)}", hint=_HINT)

    def _shape_error(self, key: str, value: Any, text: str) -> NetworkError:
        """The error of a value of the wrong type, with its JSON path and what stands there."""
        problem, _, path = text.partition(" - at `")
        steps = path.rstrip("`").removeprefix("$")
        missing = problem.startswith("Object missing")
        found: Any = None
        if not missing:
            found = _value_at(self._loaded(key, value), steps)
        return self.error("cannot be understood", where=f"$.{key}{steps}", found=found, expected=_expectation(problem))


def _expectation(problem: str) -> str:
    """msgspec's words as an expectation: "Expected `int`, got `str`" -> "int"."""
    wanted = re.match(r"Expected `(.+?)`(, got .*)?$", problem)
    if wanted:
        return wanted.group(1).replace(" | null", "")
    missing = re.match(r"Object missing required field `(.+)`", problem)
    if missing:
        return f"an object with the field {missing.group(1)}"
    if "matching regex" in problem:
        return "an id: visible ASCII characters"
    return problem[:1].lower() + problem[1:]


def _value_at(value: Any, steps: str) -> Any:
    for name, index in _STEP.findall(steps):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return value if value is not None else "null"


def _shown(key: str) -> str:
    """A key that is not one of ours, fit for a line of text."""
    return key[:100] if key.isascii() and key.isprintable() else ascii(key[:100])


def _children(item: Any) -> Iterator[Any]:
    return iter(item.values() if isinstance(item, dict) else item)


def _position(message: str, data: bytes) -> str:
    """Line and column of the byte a decoding error names; the end of the data if it names none."""
    found = re.search(r"byte (\d+)", message) or re.search(r"position (\d+)", message)
    offset = min(int(found.group(1)), len(data)) if found else len(data)
    before = data[:offset]
    return f"line {before.count(10) + 1}, column {offset - before.rfind(10)}"
