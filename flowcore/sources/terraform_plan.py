"""`terraform show -json` of a plan, decoded: resource changes and configuration.

Only what is used is decoded; planned values, the prior state and other providers' resources are skipped, so that a
plan of 80 MB is read in about a second. OpenTofu writes the same family of JSON.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Raw, Struct

from ..errors import NetworkError
from .values import utf8_of

__all__ = ["ConfiguredModule", "Plan", "ResourceChange", "read_plan_file"]

_HINT = "write it with `terraform show -json PLANFILE > plan.json`"
_MAX_BYTES = 1 << 30


class _Importing(Struct):
    id: str | None = None


class ChangeAnswer(Struct):
    """`change` of a resource change; before, after and after_unknown stay undecoded until they are needed."""

    actions: list[str]
    before: Raw = Raw(b"null")
    after: Raw = Raw(b"null")
    after_unknown: Raw = Raw(b"null")
    importing: _Importing | None = None


class ResourceChange(Struct):
    """One element of `resource_changes`."""

    address: str
    type: str
    change: ChangeAnswer
    name: str = ""
    mode: str = "managed"
    index: str | int | None = None
    module_address: str | None = None
    previous_address: str | None = None
    deposed: str | None = None
    action_reason: str | None = None


class _Deferred(Struct):
    reason: str | None = None
    resource_change: ResourceChange | None = None


class ConfiguredResource(Struct):
    type: str
    name: str
    mode: str = "managed"
    provider_config_key: str | None = None
    expressions: Any = None
    count_expression: Any = None
    for_each_expression: Any = None


class _Output(Struct):
    expression: Any = None


class ModuleCall(Struct):
    expressions: Any = None
    count_expression: Any = None
    for_each_expression: Any = None
    module: ConfiguredModule | None = None


class ConfiguredModule(Struct):
    """A module of `configuration`: what its resources say, before any value is known."""

    resources: list[ConfiguredResource] | None = None
    module_calls: dict[str, ModuleCall] | None = None
    outputs: dict[str, _Output] | None = None
    variables: Any = None

    def default(self, name: str) -> Any:
        """The value of a variable that is not given."""
        variable = self.variables.get(name) if isinstance(self.variables, Mapping) else None
        return variable.get("default") if isinstance(variable, Mapping) else None

    def resource(self, mode: str, kind: str, name: str) -> ConfiguredResource | None:
        """The block of that type and name."""
        for resource in self.resources or ():
            if (resource.mode, resource.type, resource.name) == (mode, kind, name):
                return resource
        return None


class _Configuration(Struct):
    root_module: ConfiguredModule | None = None
    provider_config: Any = None


class _PlanAnswer(Struct):
    format_version: str
    terraform_version: str | None = None
    resource_changes: list[ResourceChange] | None = None
    resource_drift: list[ResourceChange] | None = None
    deferred_changes: list[_Deferred] | None = None
    variables: Any = None
    planned_values: Raw = Raw(b"")
    values: Raw = Raw(b"")
    configuration: _Configuration | None = None
    complete: bool | None = None
    errored: bool | None = None


@dataclass(frozen=True)
class Plan:
    """A plan as read; `path` names it in messages."""

    path: str
    changes: tuple[ResourceChange, ...] = ()
    drift: tuple[ResourceChange, ...] = ()
    deferred: tuple[tuple[str, str], ...] = ()
    """(address, reason)"""
    root: ConfiguredModule = field(default_factory=ConfiguredModule)
    partial: tuple[str, ...] = ()
    """Why the plan does not hold all that would change; empty for a whole one."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """provider_config_key -> its Region, where the plan tells it."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Values of the root module's variables."""


_DECODER = msgspec.json.Decoder(_PlanAnswer)
_ANY = msgspec.json.Decoder(Any)


def read_plan_file(path: str | os.PathLike[str]) -> Plan:
    """The plan in a file, `.gz` or not. Raises NetworkError for what is no plan of a known form."""
    name = os.fspath(path)
    try:
        with gzip.open(name) if name.endswith(".gz") else open(name, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NetworkError(f"the plan cannot be read ({reason})", source=name, hint=_HINT) from None
    if len(data) > _MAX_BYTES:
        raise NetworkError("the plan is larger than 1 GiB", source=name)
    return decode_plan(data, name)


def decode_plan(data: bytes, name: str) -> Plan:
    """The plan in these bytes; see `read_plan_file`."""
    try:
        data = utf8_of(data)
    except UnicodeError as error:
        raise NetworkError(f"not JSON ({error})", source=name, hint=_HINT) from None
    if data[:2] == b"PK":
        raise NetworkError("a plan file, not its JSON", source=name, expected="JSON", hint=_HINT)
    try:
        answer = _DECODER.decode(data)
    except msgspec.ValidationError as error:
        raise _shape_error(data, name, str(error)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NetworkError(f"not JSON ({error})", source=name, expected="complete JSON", hint=_HINT) from None
    major = answer.format_version.partition(".")[0]
    if major not in ("0", "1"):
        expected = "format_version 0.x or 1.x"
        raise NetworkError(
            "a plan of a form that is not known", source=name, where="$.format_version", found=answer.format_version,
            expected=expected, hint="use a newer flowcore",
        )  # fmt: skip
    if answer.resource_changes is None and answer.configuration is None and not bytes(answer.planned_values):
        what = "the JSON of a state, not of a plan" if bytes(answer.values) else "not a Terraform plan"
        raise NetworkError(what, source=name, where="$", expected="an object with resource_changes", hint=_HINT)
    return Plan(
        name,
        tuple(answer.resource_changes or ()),
        tuple(answer.resource_drift or ()),
        tuple(
            (d.resource_change.address if d.resource_change else "", d.reason or "")
            for d in answer.deferred_changes or ()
        ),
        (answer.configuration.root_module if answer.configuration else None) or ConfiguredModule(),
        tuple(_partial(answer)),
        dict(_regions(answer)),
        dict(_variables(answer)),
    )


def _partial(answer: _PlanAnswer) -> Iterator[str]:
    if answer.errored:
        yield "planning ended with an error"
    if answer.complete is False:
        yield "complete is false (-target, or changes were deferred)"
    if answer.deferred_changes:
        yield f"{len(answer.deferred_changes)} changes are deferred"


def _regions(answer: _PlanAnswer) -> Iterator[tuple[str, str]]:
    """The Region of each provider: a constant, or a variable of the root module."""
    providers = answer.configuration.provider_config if answer.configuration else None
    for key, provider in providers.items() if isinstance(providers, dict) else ():
        value = provider
        for step in ("expressions", "region"):
            value = value.get(step) if isinstance(value, dict) else None
        if not isinstance(value, dict):
            continue
        region, references = value.get("constant_value"), value.get("references")
        if isinstance(references, list) and len(references) == 1 and isinstance(answer.variables, dict):
            variable = answer.variables.get(str(references[0]).removeprefix("var."))
            region = variable.get("value") if isinstance(variable, dict) else None
        if isinstance(region, str) and region:
            yield key, region


def _variables(answer: _PlanAnswer) -> Iterator[tuple[str, Any]]:
    for name, variable in answer.variables.items() if isinstance(answer.variables, dict) else ():
        if isinstance(variable, dict):
            yield name, variable.get("value")


def _shape_error(data: bytes, name: str, text: str) -> NetworkError:
    problem, _, path = text.partition(" - at `")
    where = path.rstrip("`") or "$"
    if "missing required field `format_version`" in problem or where == "$":
        return NetworkError(
            "not a Terraform plan", source=name, where="$", expected="an object with format_version", hint=_HINT
        )
    wanted = re.match(r"Expected `(.+?)`(?:, got (.*))?$", problem)
    expected = wanted.group(1) if wanted else problem[:1].lower() + problem[1:]
    return NetworkError(
        "cannot be understood", source=name, where=where, expected=expected, found=_at(data, where), hint=_HINT
    )


def _at(data: bytes, where: str) -> Any:
    try:
        value: Any = _ANY.decode(data)
        for key, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", where):
            value = value[key] if key else value[int(index)]
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):
        return None
    return value


def plain(raw: Raw) -> Any:
    """A part of a change, decoded."""
    return _ANY.decode(raw)
