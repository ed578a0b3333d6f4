"""Where Terraform has a rule: addresses of resources, from `terraform show -json` of a state or a plan."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from ..compile_usage import ACL_ENTRY, GROUP_RULE, ROUTE, Rule, UsagePlan
from ..errors import InputError

_MOST_BYTES = 1 << 30

#: Resource types that are one rule each.
_GROUP_RULES = {"aws_vpc_security_group_ingress_rule": False, "aws_vpc_security_group_egress_rule": True}
_GROUPS = frozenset({"aws_security_group", "aws_default_security_group"})
_ACLS = frozenset({"aws_network_acl", "aws_default_network_acl"})
_TABLES = frozenset({"aws_route_table", "aws_default_route_table"})


def terraform_addresses(plan: UsagePlan, path: str | os.PathLike[str]) -> dict[int, str]:
    """Rule number -> the address of the resource that makes it; of its group, ACL or route table where that has it
    inline or none is found. Rules that Terraform does not know are left out. Raises InputError for another file.
    """
    exact: dict[tuple[Any, ...], str] = {}
    whole: dict[str, str] = {}
    for resource in _resources(_document(Path(path))):
        _note(resource, exact, whole)
    found = {}
    for number, rule in enumerate(plan.rules):
        address = next((exact[key] for key in _keys(rule) if key in exact), None) or whole.get(rule.owner)
        if address is not None:
            found[number] = address
    return found


def _document(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as stream:
            document = msgspec.json.decode(stream.read(_MOST_BYTES))
    except OSError as error:
        raise InputError("cannot be read", source=path, found=error.strerror or str(error)) from None
    except (msgspec.DecodeError, UnicodeError, EOFError, zlib.error, RecursionError) as error:
        raise InputError("not JSON", source=path, found=str(error)[:200], hint="terraform show -json") from None
    if isinstance(document, dict) and "resources" in document and "serial" in document:
        raise InputError("a state file as Terraform keeps it", source=path, hint="give `terraform show -json` of it")
    if not isinstance(document, dict) or not {"values", "planned_values", "prior_state"} & set(document):
        raise InputError("neither a state nor a plan", source=path, expected="the JSON of `terraform show -json`")
    return document


def _resources(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every managed resource, of what is before what will be."""
    prior = document.get("prior_state")
    values = [prior.get("values") if isinstance(prior, dict) else None]
    for each in (*values, document.get("values"), document.get("planned_values")):
        modules = [each.get("root_module")] if isinstance(each, dict) else []
        while modules:
            module = modules.pop()
            if not isinstance(module, dict):
                continue
            modules += _list(module.get("child_modules"))
            for resource in _list(module.get("resources")):
                if isinstance(resource, dict) and resource.get("mode", "managed") == "managed":
                    yield resource


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _note(resource: Mapping[str, Any], exact: dict[tuple[Any, ...], str], whole: dict[str, str]) -> None:
    """Notes what rules a resource makes, by what tells them."""
    kind, values, address = resource.get("type"), resource.get("values"), resource.get("address")
    if not isinstance(values, dict) or not isinstance(address, str):
        return
    if kind in _GROUP_RULES:
        for name in ("security_group_rule_id", "id"):
            if isinstance(values.get(name), str):
                exact.setdefault((GROUP_RULE, values[name]), address)
    elif kind == "aws_security_group_rule":
        if isinstance(values.get("security_group_rule_id"), str) and values["security_group_rule_id"]:
            exact.setdefault((GROUP_RULE, values["security_group_rule_id"]), address)
        for key in _old_rule_keys(values):
            exact.setdefault(key, address)
    elif kind == "aws_network_acl_rule":
        key = (ACL_ENTRY, values.get("network_acl_id"), values.get("rule_number"), bool(values.get("egress")))
        exact.setdefault(_hashable(key), address)
    elif kind == "aws_route":
        for name in ("destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id"):
            if isinstance(values.get(name), str) and values[name]:
                exact.setdefault(_hashable((ROUTE, values.get("route_table_id"), _destination(values[name]))), address)
    elif kind in _GROUPS | _ACLS | _TABLES and isinstance(values.get("id"), str):
        whole.setdefault(values["id"], address)


def _hashable(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(part if isinstance(part, str | int | bool | None) else repr(part) for part in key)


def _old_rule_keys(values: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The rules that one aws_security_group_rule makes: one for each remote."""
    remotes = [*_list(values.get("cidr_blocks")), *_list(values.get("ipv6_cidr_blocks"))]
    remotes = [_destination(each) for each in remotes if isinstance(each, str)]
    remotes += [each for each in _list(values.get("prefix_list_ids")) if isinstance(each, str)]
    if isinstance(values.get("source_security_group_id"), str):
        remotes.append(values["source_security_group_id"])
    if values.get("self") is True:
        remotes.append(values.get("security_group_id"))
    protocol = str(values.get("protocol")).lower()
    ports = (None, None) if protocol in ("-1", "all") else (values.get("from_port"), values.get("to_port"))
    for remote in remotes:
        egress = values.get("type") == "egress"
        yield _hashable((GROUP_RULE, values.get("security_group_id"), egress, _protocol(protocol), *ports, remote))


def _protocol(text: str) -> str:
    from ..schema import PROTOCOL_NUMBERS

    return "-1" if text == "all" else str(PROTOCOL_NUMBERS.get(text, text))


def _destination(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return text


def _keys(rule: Rule) -> Iterator[tuple[Any, ...]]:
    """What may tell a rule in Terraform, the surest first."""
    record: Any = rule.record
    if rule.kind == ROUTE:
        yield (ROUTE, rule.owner, str(record.destination))
    elif rule.kind == ACL_ENTRY:
        yield (ACL_ENTRY, rule.owner, record.rule_number, record.egress)
    else:
        yield (GROUP_RULE, rule.rule)
        remote = record.prefix_list_id or record.referenced_group_id or str(record.cidr_block)
        ports = (None, None) if record.protocol < 0 else (record.from_port, record.to_port)
        yield (GROUP_RULE, rule.owner, record.egress, str(record.protocol), *ports, remote)
