"""Security groups and their rules, and prefix lists, of a plan.

AWS's own default egress rule is removed by Terraform's provider (SG-03), so a new group has the rules the plan says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..model import PrefixList, SecurityGroup, SecurityGroupRule
from .rules import key_of
from .rules_made import made_rule
from .terraform_values import MADE, OPEN, Block, Overlay, Planned, is_open, made_up_id
from .values import BadValueError, network, protocol_number

__all__ = ["APPLY", "REMOVE"]

_DIRECTIONS = (("ingress", False), ("egress", True))


# -- groups -----------------------------------------------------------------------------------------------


def _group(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    group_id = planned.id
    if planned.made:
        vpc_id = new.reference("vpc_id", "vpc")
        vpc = draft.get("vpcs", vpc_id)
        name, owner = new.text("name"), vpc.owner_id if vpc else None
        draft.put("security_groups", SecurityGroup(group_id, vpc_id, name, (), owner, _tags(new)))
    elif draft.get("security_groups", group_id) is None:
        overlay.not_there(planned, f"security group {group_id}")
        return
    for name, egress in _DIRECTIONS:
        if overlay.owns(planned, name) and planned.changed(name):
            _own_rules(overlay, planned, group_id, name, egress)


def _default_group(overlay: Overlay, planned: Planned) -> None:
    """aws_default_security_group: adopts the VPC's default group and all its rules."""
    new, draft = planned.new, overlay.draft
    assert new is not None
    vpc_id = new.reference("vpc_id", "vpc")
    group_id = default_group_of(overlay, vpc_id) if planned.made else planned.id
    if group_id is None or draft.get("security_groups", group_id) is None:
        overlay.not_there(planned, f"the default security group of {vpc_id}")
        return
    for name, egress in _DIRECTIONS:
        if planned.changed(name):
            _own_rules(overlay, planned, group_id, name, egress)


def default_group_of(overlay: Overlay, vpc_id: str | None) -> str | None:
    """The id of a VPC's default group."""
    for group in overlay.draft.table("security_groups").values():
        if group.vpc_id == vpc_id and group.group_name == "default":
            return str(group.group_id)
    return None


def _own_rules(overlay: Overlay, planned: Planned, group_id: str, name: str, egress: bool) -> None:
    """The list is all the rules of that direction; rules that stay keep their ids."""
    group = overlay.draft.get("security_groups", group_id)
    others = [rule for rule in group.rules if rule.egress != egress]
    live = {key_of(rule): rule for rule in group.rules if rule.egress == egress}
    assert planned.new is not None
    made = list(_inline_rules(overlay, planned, planned.new, group_id, name, egress))
    if overlay.untold(planned, name):
        overlay.undetermined(planned, f"{name} is known after apply: what these rules let through is UNKNOWN")
        made.append(_any_rule(planned, group_id, egress, name))
    own = {key_of(rule): live.get(key_of(rule), rule) for rule in made}
    _put_rules(overlay, group, [*others, *own.values()])


def _inline_rules(
    overlay: Overlay, planned: Planned, new: Block, group_id: str, name: str, egress: bool
) -> Iterator[SecurityGroupRule]:
    for block in new.blocks(name):
        yield from _rules_of_block(overlay, planned, block, group_id, egress, "security_groups", None)


def _put_rules(overlay: Overlay, group: SecurityGroup, rules: list[SecurityGroupRule]) -> None:
    ordered = tuple(sorted(rules, key=lambda rule: rule.rule_id))
    overlay.draft.put("security_groups", replace(group, rules=ordered))


def _any_rule(planned: Planned, group_id: str, egress: bool, name: str) -> SecurityGroupRule:
    """A rule that may match anything: its remote is a prefix list that is not described."""
    open_id = OPEN + made_up_id(f"{planned.address}.{name}").removeprefix(MADE)
    return SecurityGroupRule(f"{group_id}:{open_id}", group_id, egress, -1, prefix_list_id=open_id)


def _remove_group(overlay: Overlay, planned: Planned) -> None:
    if not overlay.draft.remove("security_groups", planned.old_id or ""):
        overlay.not_there(planned, f"security group {planned.old_id}")


def _release_default_group(overlay: Overlay, planned: Planned) -> None:
    """Terraform lets go of a default group; it stays as it is."""


def _tags(new: Block) -> dict[str, str]:
    tags = new.values.get("tags")
    return {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}


# -- single rules -----------------------------------------------------------------------------------------


def _rules_of_block(
    overlay: Overlay,
    planned: Planned,
    block: Block,
    group_id: str,
    egress: bool,
    groups_name: str,
    rule_id: str | None,
) -> list[SecurityGroupRule]:
    """The rules of an inline block or an aws_security_group_rule: one per remote (SG-05)."""
    remotes: list[dict[str, Any]] = []
    for name in ("cidr_blocks", "ipv6_cidr_blocks"):
        for i, text in enumerate(block.texts(name)):
            remotes.append({"cidr_block": network(text, *block.path, name, i)})
    list_ids = block.references("prefix_list_ids", "list")
    remotes += [{"prefix_list_id": each} for each in list_ids or ()]
    if groups_name == "source_security_group_id":
        group_ids = _source_group(overlay, block, list_ids)
    else:
        group_ids = block.references(groups_name, "group")
    remotes += [_group_remote(each) for each in group_ids or ()]
    if block.flag("self"):
        remotes.append({"referenced_group_id": group_id})
    unknown = [name for name in ("cidr_blocks", "ipv6_cidr_blocks") if not block.all_known(name)]
    unknown += [name for name, ids in (("prefix_list_ids", list_ids), (groups_name, group_ids)) if ids is None]
    for name in unknown:
        overlay.undetermined(planned, f"{name} is known after apply: what the rule lets through is UNKNOWN")
        remotes.append(_open_remote(block, name))
    single_id = rule_id if len(remotes) == 1 else None
    return [_rule(overlay, planned, block, group_id, egress, remote, single_id) for remote in remotes]


def _source_group(overlay: Overlay, block: Block, list_ids: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The group that an aws_security_group_rule names, if any; None: not known.

    The attribute is computed: one that the configuration gives null is not known either. Beside CIDRs or `self`, which
    exclude a group, it is null; beside prefix lists it may be.
    """
    name = "source_security_group_id"
    if not block.known(name) and not overlay.computed(block, name):
        cidrs = ("cidr_blocks", "ipv6_cidr_blocks")
        if block.flag("self") or any(block.texts(each) or not block.all_known(each) for each in cidrs):
            return ()
        if list_ids != () or not block.known("self"):
            return None
    single = block.reference(name, "group")
    return (single,) if single else ()


def _group_remote(reference: str) -> dict[str, Any]:
    """A group by id, `account/sg-…` where it is another account's; one of several is a list not described."""
    return (
        {"prefix_list_id": reference} if is_open(reference) else {"referenced_group_id": reference.rpartition("/")[2]}
    )


def _open_remote(block: Block, name: str) -> dict[str, Any]:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in (*block.path, name))
    return {"prefix_list_id": OPEN + made_up_id(block.instance.address + steps).removeprefix(MADE)}


def _rule(
    overlay: Overlay,
    planned: Planned,
    block: Block,
    group_id: str,
    egress: bool,
    remote: dict[str, Any],
    rule_id: str | None,
) -> SecurityGroupRule:
    """One rule; where its protocol or ports are not known it may match whatever they could be."""
    name = "protocol" if "protocol" in block.values else "ip_protocol"
    ports_known = block.known("from_port") and block.known("to_port")
    if not block.known(name) or not ports_known:
        overlay.undetermined(planned, "protocol or ports are known after apply: what the rule lets through is UNKNOWN")
        remote = _open_remote(block, "ports")
    protocol = protocol_number(block.text(name), *block.path, name) if block.known(name) else -1
    first, last = (block.number("from_port"), block.number("to_port")) if ports_known else (None, None)
    text = block.text("description")
    try:
        return made_rule(group_id, egress, protocol, first, last, rule_id=rule_id, description=text, **remote)
    except BadValueError as bad:
        raise BadValueError(bad.found, bad.expected, *block.path, *bad.steps) from None


def _row_rule(overlay: Overlay, planned: Planned, block: Block, group_id: str, rule_id: str) -> list[SecurityGroupRule]:
    """The rule of an aws_vpc_security_group_ingress_rule or _egress_rule."""
    egress = planned.instance.type.endswith("egress_rule")
    remotes: list[dict[str, Any]] = []
    for name in ("cidr_ipv4", "cidr_ipv6"):
        text = block.text(name)
        if text:
            remotes.append({"cidr_block": network(text, name)})
        elif not block.known(name):
            overlay.undetermined(planned, f"{name} is known after apply: what the rule lets through is UNKNOWN")
            remotes.append(_open_remote(block, name))
    list_id = block.reference("prefix_list_id", "list")
    if list_id:
        remotes.append({"prefix_list_id": list_id})
    referenced = block.reference("referenced_security_group_id", "group")
    if referenced:
        remotes.append(_group_remote(referenced))
    if len(remotes) != 1:
        names = "exactly one of cidr_ipv4, cidr_ipv6, prefix_list_id, referenced_security_group_id"
        raise BadValueError(len(remotes), names)
    return [_rule(overlay, planned, block, group_id, egress, remotes[0], rule_id) for _ in (0,)]


def _planned_rules(
    overlay: Overlay, planned: Planned, block: Block, group_id: str, rule_id: str
) -> list[SecurityGroupRule]:
    if planned.instance.type != "aws_security_group_rule":
        return _row_rule(overlay, planned, block, group_id, rule_id)
    egress = block.text("type") == "egress"
    return _rules_of_block(overlay, planned, block, group_id, egress, "source_security_group_id", rule_id)


def _apply_rule(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    rule_id = planned.id
    before: list[SecurityGroupRule] = []
    if not planned.made:
        before = _live_rules(overlay, planned)
        if not before:
            overlay.not_there(planned, f"rule {planned.old_id}")
            return
        rule_id = before[0].rule_id
        _remove_rule(overlay, planned)
    group_id = new.reference("security_group_id", "group") or ""
    for target in overlay.candidates(group_id) if is_open(group_id) else (group_id,):
        group = overlay.draft.get("security_groups", target)
        if group is None:
            overlay.not_there(planned, f"a rule of security group {target}")
            continue
        rules = _planned_rules(overlay, planned, new, target, rule_id)
        if is_open(group_id):  # it may be this group's rule, or another's
            rules = [replace(r, cidr_block=None, referenced_group_id=None, prefix_list_id=group_id) for r in rules]
        same = {key_of(rule): rule for rule in before}
        rules = [replace(same[key_of(r)], description=r.description) if key_of(r) in same else r for r in rules]
        kept = {rule.rule_id: rule for rule in (*group.rules, *rules)}
        _put_rules(overlay, group, list(kept.values()))


def _live_rules(overlay: Overlay, planned: Planned) -> list[SecurityGroupRule]:
    """The rules in the network that the resource was before: by id, else by what they say."""
    old = planned.old
    if old is None:
        return []
    group = overlay.draft.get("security_groups", old.text("security_group_id"))
    if group is None:
        return []
    ids = {planned.old_id, old.text("security_group_rule_id")}
    found = [rule for rule in group.rules if rule.rule_id in ids]
    if found:
        return found
    keys = {key_of(rule) for rule in _planned_rules(overlay, planned, old, group.group_id, "")}
    return [rule for rule in group.rules if key_of(rule) in keys]


def _remove_rule(overlay: Overlay, planned: Planned) -> None:
    found = _live_rules(overlay, planned)
    if not found:
        overlay.not_there(planned, f"rule {planned.old_id}")
        return
    group = overlay.draft.get("security_groups", found[0].group_id)
    _put_rules(overlay, group, [rule for rule in group.rules if rule not in found])


def _exclusive(overlay: Overlay, planned: Planned) -> None:
    """aws_vpc_security_group_rules_exclusive: rules of the group that are not in its lists go."""
    new = planned.new
    assert new is not None
    group = overlay.draft.get("security_groups", new.reference("security_group_id", "group"))
    if group is None:
        overlay.not_there(planned, f"the rules of security group {new.text('security_group_id')}")
        return
    kept: list[SecurityGroupRule] = []
    for name, egress in (("ingress_rule_ids", False), ("egress_rule_ids", True)):
        own = [rule for rule in group.rules if rule.egress == egress]
        ids = new.references(name, "rule")
        if ids is None or any(is_open(each) for each in ids):
            overlay.undetermined(planned, f"{name} is known after apply: rules that are not in it may go")
            known = new.texts(name)
            kept += [rule for rule in own if rule.rule_id in known]
            kept += [
                replace(rule, cidr_block=None, referenced_group_id=None, **_open_remote(new, name))
                for rule in own
                if rule.rule_id not in known
            ]
        else:
            kept += [rule for rule in own if rule.rule_id in ids]
    _put_rules(overlay, group, kept)


def _rules_are_free(overlay: Overlay, planned: Planned) -> None:
    """The exclusive list goes; the rules stay as they are."""


def _group_association(overlay: Overlay, planned: Planned) -> None:
    """aws_vpc_security_group_vpc_association: interfaces of a further VPC may carry the group (SG-27)."""
    new = planned.new
    assert new is not None
    group_id, vpc_id = new.reference("security_group_id", "group"), new.reference("vpc_id", "vpc")
    group = overlay.draft.get("security_groups", group_id)
    if group is None:
        overlay.not_there(planned, f"the association of {group_id} with {vpc_id}")
    elif vpc_id and not is_open(vpc_id) and vpc_id not in group.associated_vpc_ids:
        ids = tuple(sorted((*group.associated_vpc_ids, vpc_id)))
        overlay.draft.put("security_groups", replace(group, associated_vpc_ids=ids))


def _remove_group_association(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    group = overlay.draft.get("security_groups", old.text("security_group_id"))
    if group is None or old.text("vpc_id") not in group.associated_vpc_ids:
        overlay.not_there(planned, f"the association of {old.text('security_group_id')} with {old.text('vpc_id')}")
    else:
        ids = tuple(each for each in group.associated_vpc_ids if each != old.text("vpc_id"))
        overlay.draft.put("security_groups", replace(group, associated_vpc_ids=ids))


# -- prefix lists -----------------------------------------------------------------------------------------


def _list(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    if planned.made:
        family = {"IPv4": 4, "IPv6": 6}.get(new.text("address_family") or "")
        draft.put("prefix_lists", PrefixList(planned.id, (), family, new.text("name")))
    elif draft.get("prefix_lists", planned.id) is None:
        overlay.not_there(planned, f"prefix list {planned.id}")
        return
    if overlay.owns(planned, "entry") and planned.changed("entry"):
        blocks = new.blocks("entry")
        entries = [network(block.text("cidr"), *block.path, "cidr") for block in blocks if block.known("cidr")]
        whole = new.known("entry") and len(entries) == len(blocks)
        if not whole:
            overlay.undetermined(planned, "its entries are known after apply: flows that only they match are UNKNOWN")
        _put_list(overlay, planned.id, entries if whole else None)


def _put_list(overlay: Overlay, list_id: str, entries: list[Any] | None) -> None:
    ordered = None
    if entries is not None:
        ordered = tuple(sorted(set(entries), key=lambda net: (net.version, int(net.network_address), net.prefixlen)))
    overlay.draft.change_record("prefix_lists", list_id, cidr_blocks=ordered)


def _remove_list(overlay: Overlay, planned: Planned) -> None:
    if not overlay.draft.remove("prefix_lists", planned.old_id or ""):
        overlay.not_there(planned, f"prefix list {planned.old_id}")


def _entry(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    list_id = new.reference("prefix_list_id", "list")
    known = overlay.draft.get("prefix_lists", list_id)
    if known is None or list_id is None:
        overlay.not_there(planned, f"an entry of prefix list {list_id}")
    elif not new.known("cidr"):
        overlay.undetermined(planned, "cidr is known after apply: flows that only the list matches are UNKNOWN")
        _put_list(overlay, list_id, None)
    elif known.cidr_blocks is not None and planned.changed("cidr"):
        _put_list(overlay, list_id, [*known.cidr_blocks, network(new.text("cidr"), "cidr")])


def _remove_entry(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    list_id, cidr = old.text("prefix_list_id") or "", network(old.text("cidr"), "cidr")
    known = overlay.draft.get("prefix_lists", list_id)
    if known is None or (known.cidr_blocks is not None and cidr not in known.cidr_blocks):
        overlay.not_there(planned, f"entry {cidr} of prefix list {list_id}")
    elif known.cidr_blocks is not None:
        _put_list(overlay, list_id, [each for each in known.cidr_blocks if each != cidr])


APPLY = {
    "aws_ec2_managed_prefix_list": _list,
    "aws_ec2_managed_prefix_list_entry": _entry,
    "aws_security_group": _group,
    "aws_default_security_group": _default_group,
    "aws_security_group_rule": _apply_rule,
    "aws_vpc_security_group_ingress_rule": _apply_rule,
    "aws_vpc_security_group_egress_rule": _apply_rule,
    "aws_vpc_security_group_rules_exclusive": _exclusive,
    "aws_vpc_security_group_vpc_association": _group_association,
}
REMOVE = {
    "aws_ec2_managed_prefix_list": _remove_list,
    "aws_ec2_managed_prefix_list_entry": _remove_entry,
    "aws_security_group": _remove_group,
    "aws_default_security_group": _release_default_group,
    "aws_security_group_rule": _remove_rule,
    "aws_vpc_security_group_ingress_rule": _remove_rule,
    "aws_vpc_security_group_egress_rule": _remove_rule,
    "aws_vpc_security_group_rules_exclusive": _rules_are_free,
    "aws_vpc_security_group_vpc_association": _remove_group_association,
}
