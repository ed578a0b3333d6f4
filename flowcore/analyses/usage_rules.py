"""From sums at sets of rules to rows of rules: what each was hit by, and what can be said of it without traffic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .. import usagekernels as uk
from ..compile_usage import ACL_ENTRY, GROUP_RULE, REPLY_STAGES, ROUTE, STAGE_KINDS, UNKNOWN, Rule, UsagePlan
from ..model import LONG_DESTINATION_TYPES, NetworkInterface, RouteTarget
from ..schema import PATHS, REASONS
from .usage_hits import Hits, add_sums, clipped, text_of
from .usage_untold import Packet, Traces, Untold, is_hidden

if TYPE_CHECKING:
    import polars as pl

    from .usage_count import Counter

Array = npt.NDArray[Any]

KINDS = ("security-group-rule", "network-acl-entry", "route")
STATUSES = ("used", "never-hit", "shadowed", "redundant", "stale", "not-used-by-any-interface", "unknown")
MEASURES = ("flows", "records", "packets", "bytes")
ROLES = ("", "matched_", "alone_")

#: Paths on which every rule that is asked has a column of its own in a verdict.
_SHORT_PATHS = frozenset({"subnet", "vpc", "internet"})

_DAY = 86_400

#: The highest number an ACL entry of one's own may have (NA-03).
LAST_RULE_NUMBER = 32_766


@dataclass
class Statics:
    """What the sets say of a rule without any traffic."""

    sets: int = 0
    """Sets it covers, for sure."""
    decides: bool = False
    alone: bool = False
    maybe: bool = False
    hidden: bool = False
    """Whether the snapshot does not tell all its remotes."""
    open: bool = False
    """Whether it may decide, or decide alone, behind what the snapshot does not tell."""
    by: set[int] | None = None
    """Rules of its group that cover all it covers."""


@dataclass
class Findings:
    """What was found of every rule of the network; built from a Counter."""

    plan: UsagePlan
    counter: Counter
    stale_days: int | None
    hits: dict[tuple[int, str, bool], Hits] = field(default_factory=dict)
    """(rule, role, is it about replies) -> sums."""
    possible: dict[int, Hits] = field(default_factory=dict)
    refused: dict[tuple[str, Any, str], Hits] = field(default_factory=dict)
    """(kind, owner, reason) -> what no rule let in, or a route's absence stopped."""
    undecided: dict[tuple[str, Any, str], Hits] = field(default_factory=dict)
    away: dict[int, Hits] = field(default_factory=dict)
    """What records of other interfaces say of a rule."""
    stages: list[tuple[str, Hits, Hits]] = field(default_factory=list)
    """Per stage its name, what counted at sets, and what named nothing there."""

    def __post_init__(self) -> None:
        sums = self.counter.sums.copy()
        add_sums(sums, self.counter.far_sums())
        for stage, kind in enumerate(STAGE_KINDS):
            begin, end = int(self.plan.start[stage]), int(self.plan.start[stage + 1])
            whole, nothing = Hits(), Hits()
            nothing.add(sums[begin].tolist())
            part = sums[begin + 1 : end]
            for number in np.flatnonzero(part[:, uk.RECORDS]).tolist():
                row = part[number].tolist()
                whole.add(row)
                self._expand(kind, number, row, stage in REPLY_STAGES)
            self.stages.append((STAGE_NAMES[stage], whole, nothing))
            marks = self.counter.away[begin + 1 : end]
            for number in np.flatnonzero(marks[:, 0]).tolist():
                self._note_away(kind, number, *marks[number].tolist())

    def _note_away(self, kind: int, number: int, records: int, last: int) -> None:
        found = self.plan.sets[kind][number]
        for rule in found.matched if kind == GROUP_RULE else (found.decided,):
            if rule >= 0:
                hits = self.away.setdefault(rule, Hits())
                hits.records += records
                hits.last = last if hits.last is None else max(hits.last, last)

    def _expand(self, kind: int, number: int, row: list[int], reply: bool) -> None:
        found = self.plan.sets[kind][number]
        if found.decided >= 0:
            self._hits(found.decided, "", reply).add(row)
            if found.alone:
                self._hits(found.decided, "alone_", reply).add(row)
        for rule in found.matched:
            self._hits(rule, "matched_", reply).add(row)
        if found.outcome == UNKNOWN:
            for rule in (*found.matched, *found.maybe):
                self.possible.setdefault(rule, Hits()).add(row)
        if found.decided < 0:
            table = self.undecided if found.outcome == UNKNOWN else self.refused
            reason = REASONS[(found.reason & 127) - 1]
            table.setdefault((KINDS[kind], found.owner, reason), Hits()).add(row)

    def _hits(self, rule: int, role: str, reply: bool) -> Hits:
        return self.hits.setdefault((rule, role, reply), Hits())

    # -- without traffic -----------------------------------------------------------------------------------

    @cached_property
    def statics(self) -> list[Statics]:
        """Per rule."""
        found = [Statics() for _ in self.plan.rules]
        for kind, sets in enumerate(self.plan.sets):
            for each in sets if kind != ROUTE else sets[self.plan.n_plain_routes :]:
                for rule in each.maybe:
                    found[rule].maybe = True
                for rule in each.hidden:
                    found[rule].hidden = True
                for rule in each.open:
                    found[rule].open = True
                if each.decided >= 0:
                    found[each.decided].decides = True
                    found[each.decided].alone |= each.alone
                for rule in each.matched:
                    found[rule].sets += 1
                if kind == GROUP_RULE:
                    self._note_cover(each.matched, found)
        for mine, described in zip(found, self.plan.rules, strict=True):
            if is_hidden(self.plan.network, described):
                mine.maybe = mine.hidden = mine.open = True
        return found

    def _note_cover(self, matched: tuple[int, ...], found: list[Statics]) -> None:
        """Keeps, for each rule of a set of group rules, those of its group that have covered it everywhere so far."""
        by_owner: dict[str, set[int]] = {}
        for rule in matched:
            by_owner.setdefault(self.plan.rules[rule].owner, set()).add(rule)
        for group in by_owner.values():
            for rule in group:
                known = found[rule].by
                found[rule].by = set(group) if known is None else known & group if len(known) > 1 else known

    def covering(self, number: int) -> int | None:
        """A rule of the same group that covers all this one covers, and more, or as much and comes first."""
        mine = self.statics[number]
        for other in sorted((mine.by or set()) - {number}):
            if self.statics[other].sets > mine.sets or other < number:
                return other
        return None

    # -- what a rule applies to ----------------------------------------------------------------------------

    @cached_property
    def interfaces(self) -> Mapping[str, list[NetworkInterface]]:
        """Id of a group, ACL or route table -> the interfaces it applies to."""
        network = self.plan.network
        found: dict[str, list[NetworkInterface]] = {}
        for interface in network.interfaces.values():
            if interface.vpc_id is None:
                continue
            acl = network.acl_of(interface.subnet_id, interface.vpc_id)
            table = network.route_table_of(interface.subnet_id, interface.vpc_id)
            owners = [*dict.fromkeys(interface.group_ids or ())]
            owners += [acl.network_acl_id] if acl else []
            owners += [table.route_table_id] if table else []
            for owner in owners:
                found.setdefault(owner, []).append(interface)
        return found

    @cached_property
    def elsewhere(self) -> Mapping[str, str]:
        """Id of an ACL or route table -> where it is asked, other than at described interfaces."""
        network, found = self.plan.network, {}
        subnets: list[tuple[str, str]] = []
        for nat in network.nat_gateways.values():
            subnets += [(nat.subnet_id, nat.nat_gateway_id)] if nat.subnet_id else []
            if nat.route_table_id:
                found[nat.route_table_id] = nat.nat_gateway_id
        for attachment in network.transit_gateway_attachments.values():
            subnets += [(subnet, attachment.attachment_id) for subnet in attachment.subnet_ids or ()]
        for subnet_id, name in subnets:
            subnet = network.subnets.get(subnet_id)
            vpc_id = subnet.vpc_id if subnet else None
            acl, own = network.acl_of(subnet_id, vpc_id), network.route_table_of(subnet_id, vpc_id)
            for owner in (acl.network_acl_id if acl else None, own.route_table_id if own else None):
                if owner is not None:
                    found.setdefault(owner, name)
        for table in network.route_tables.values():
            if table.gateway_ids:
                found[table.route_table_id] = table.gateway_ids[0]
        return found

    @cached_property
    def in_between(self) -> frozenset[str]:
        """Interfaces at which flows pass through: verdicts of tables name no rules there."""
        network = self.plan.network
        found = {
            route.target_id
            for table in network.route_tables.values()
            for route in table.routes
            if route.target_kind == RouteTarget.NETWORK_INTERFACE
        }
        targets = {target.target_id for group in network.target_groups.values() for target in group.targets or ()}
        for interface in network.interfaces.values():
            addresses = {str(own.address) for own in interface.addresses}
            if interface.interface_type in LONG_DESTINATION_TYPES or targets & {interface.instance_id, *addresses}:
                found.add(interface.interface_id)
        return frozenset(found)

    @cached_property
    def unlogged(self) -> Mapping[str, str]:
        """Interface -> why its records do not tell everything; only where flow logs were read."""
        counter = self.counter
        if not counter.coverage.any() and not counter.counts.nodata and not counter.counts.skipdata:
            return {}
        found = {}
        for number, name in enumerate(self.plan.compiled.interface_ids):
            if name in counter.counts.skipdata:
                found[name] = "AWS lost records of it (SKIPDATA)"
            elif not counter.seen[number] and name not in counter.counts.nodata:
                found[name] = "has no records in the input"
        return found

    @cached_property
    def untold(self) -> Untold:
        """What could not be laid on a rule."""
        return self.counter.untold()

    def traces(self, number: int) -> Traces | None:
        """What may have needed a rule, and could not be laid on any."""
        rule = self.plan.rules[number]
        names = [each.interface_id for each in self.interfaces.get(rule.owner, [])]
        return self.untold.traces(rule, names) if names and len(self.untold) else None

    def packets(self, number: int) -> list[Packet]:
        """The same of a group rule, one by one."""
        rule = self.plan.rules[number]
        names = [each.interface_id for each in self.interfaces.get(rule.owner, [])]
        return self.untold.packets(rule, names) if names and len(self.untold) else []

    @cached_property
    def _went_between(self) -> bool:
        paths = self.counter.table_paths
        return bool(self.counter.tables[uk.UNKNOWN]) or any(
            paths[number] for number, name in enumerate(PATHS) if name not in _SHORT_PATHS
        )

    # -- the status ----------------------------------------------------------------------------------------

    def status(self, number: int) -> tuple[str, str | None]:
        """The status of a rule, and what is behind it."""
        rule, mine = self.plan.rules[number], self.statics[number]
        applies = self.interfaces.get(rule.owner, [])
        if not applies:
            if rule.owner in self.elsewhere:
                return "unknown", f"asked at {self.elsewhere[rule.owner]} only, which flows and records do not show"
            if not self.knows_interfaces:
                return "unknown", "the snapshot has no NetworkInterfaces"
            return "not-used-by-any-interface", None
        if not _is_fixed(rule) and (mine.sets or not mine.maybe):
            still = self._without_traffic(number, rule, mine, applies)
            if still is not None:
                return still
        if self._is_used(number):
            return self._lately(number, rule)
        return self._never(number, rule, mine, applies)

    @property
    def knows_interfaces(self) -> bool:
        """Whether the snapshot says which interfaces there are."""
        keys = self.plan.network.described_keys
        return not keys or "NetworkInterfaces" in keys

    def _lately(self, number: int, rule: Rule) -> tuple[str, str | None]:
        """The status of a rule with hits."""
        last, end = self._last(number), self.counter.last
        if self.stale_days is None or last is None or last >= end - self.stale_days * _DAY:
            return "used", _FIXED if _is_fixed(rule) else None
        note = f"last hit {(end - last) // _DAY} days before the end of the log"
        found = [self.traces(number), self.possible.get(number), self.away.get(number)]
        since = [each.last for each in found if each is not None]
        if any(each is None or each >= end - self.stale_days * _DAY for each in since):
            return "unknown", f"{note}; records since then may have needed it"
        return "stale", note

    def _without_traffic(
        self, number: int, rule: Rule, mine: Statics, applies: list[NetworkInterface]
    ) -> tuple[str, str | None] | None:
        if rule.kind == GROUP_RULE:
            cover = self.covering(number)
            if cover is not None:
                other = self.plan.rules[cover]
                return "shadowed", f"{other.rule} covers all of it{_today(rule, other)}"
            if mine.sets and not mine.alone and not mine.open:
                owners = {group for each in applies for group in each.group_ids or ()}
                others = (other for other in self.plan.rules if other.owner in owners and other.egress == rule.egress)
                return "redundant", f"other rules of its interfaces together cover all of it{_today(rule, *others)}"
        elif mine.open:
            return None
        elif not mine.decides:
            if rule.kind == ROUTE and not mine.sets:
                return "shadowed", "no destination that it holds is left to it"
            return "shadowed", "entries before it cover all of it" if rule.kind == ACL_ENTRY else "longer ones win"
        elif not mine.alone:
            what = "what follows says the same" if rule.kind == ACL_ENTRY else "the next route leads to the same target"
            return "redundant", what
        return None

    def _is_used(self, number: int) -> bool:
        role = "matched_" if self.plan.rules[number].kind == GROUP_RULE else ""
        return any((number, role, reply) in self.hits for reply in (False, True))

    def _last(self, number: int) -> int | None:
        found = [hits.last for (rule, _, _), hits in self._of_rule(number) if hits.last is not None]
        return max(found, default=None)

    def _of_rule(self, number: int) -> Iterable[tuple[tuple[int, str, bool], Hits]]:
        role = "matched_" if self.plan.rules[number].kind == GROUP_RULE else ""
        keys = [(number, role, reply) for reply in (False, True)]
        return [(key, self.hits[key]) for key in keys if key in self.hits]

    def _never(self, number: int, rule: Rule, mine: Statics, applies: list[NetworkInterface]) -> tuple[str, str | None]:
        if number in self.possible:
            return "unknown", f"{self.possible[number].records} records may have matched it"
        if mine.hidden:
            return "unknown", "the snapshot does not have all its remotes"
        if rule.owner in self.elsewhere:
            return "unknown", f"asked at {self.elsewhere[rule.owner]} too, which flows and records do not show"
        without = [each.interface_id for each in applies if each.interface_id in self.unlogged]
        if without:
            more = f" and {len(without) - 1} more" if len(without) > 1 else ""
            return "unknown", f"{without[0]}{more} {self.unlogged[without[0]]}"
        if (traces := self.traces(number)) is not None:
            return (
                "unknown",
                f"{traces.records} records at {traces.interface} may have needed it and name no rule there",
            )
        if self._went_between and any(each.interface_id in self.in_between for each in applies):
            return "unknown", "flows passed through things in between, or may have, where tables of flows name no rules"
        if number in self.away:
            return "unknown", f"{self.away[number].records} records of other interfaces need it, none of its own do"
        if (lacking := self._lacking(rule, applies)) is not None:
            return "unknown", lacking
        if _is_fixed(rule):
            return "never-hit", _FIXED
        if not mine.sets:
            return "never-hit", "its remote holds no address here"
        return "never-hit", None

    def _lacking(self, rule: Rule, applies: list[NetworkInterface]) -> str | None:
        """What flow logs of one kind of traffic cannot say (FL-11); groups and routes stand for what is accepted."""
        if not self.counter.actions.any():
            return None
        wanted = uk.ACCEPT if getattr(rule.record, "allow", True) else uk.REJECT
        if not self.counter.actions[wanted]:
            return "the log holds no records of that action (FL-11)"
        for each in applies:
            at = self.counter.logged[:, self._numbers[each.interface_id]]
            if at.any() and not at[wanted]:
                return f"the log of {each.interface_id} holds no records of that action (FL-11)"
        return None

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return {name: number for number, name in enumerate(self.plan.compiled.interface_ids)}

    # -- frames --------------------------------------------------------------------------------------------

    def frame(self, addresses: Mapping[int, str] | None = None) -> pl.DataFrame:
        """One row per rule; see docs/usage.md for the columns."""
        import polars as pl

        rows = [self._row(number, rule) for number, rule in enumerate(self.plan.rules)]
        schema: dict[str, Any] = {
            "kind": pl.Enum(KINDS), "rule": pl.String(), "owner": pl.String(), "owner_name": pl.String(),
            "vpc_id": pl.String(), "direction": pl.Enum(["ingress", "egress"]), "text": pl.String(),
            "status": pl.Enum(STATUSES), "note": pl.String(), "interfaces": pl.Int64(),
            **{name: pl.Int64() for name in count_columns()},
            "first": pl.Int64(), "last": pl.Int64(), "possible_records": pl.Int64(),
        }  # fmt: skip
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        if addresses is not None:
            named = [addresses.get(number) for number in range(frame.height)]
            frame = frame.with_columns(terraform_address=pl.Series(named, dtype=pl.String))
        return frame

    def _row(self, number: int, rule: Rule) -> tuple[Any, ...]:
        status, note = self.status(number)
        direction = None if rule.egress is None else ("egress" if rule.egress else "ingress")
        counts: list[int] = []
        for reply in (False, True):
            for role in ROLES:
                hits = self.hits.get((number, role, reply), Hits())
                counts += [clipped(getattr(hits, measure)) for measure in MEASURES]
        times = [hits for _, hits in self._of_rule(number)]
        firsts = [hits.first for hits in times if hits.first is not None]
        lasts = [hits.last for hits in times if hits.last is not None]
        name, vpc_id = self._owner(rule)
        applies = len(self.interfaces.get(rule.owner, ())) if self.knows_interfaces else None
        return (
            KINDS[rule.kind], rule.rule, rule.owner, name, vpc_id, direction, text_of(rule), status, note,
            applies, *counts, min(firsts, default=None), max(lasts, default=None),
            clipped(self.possible.get(number, Hits()).records),
        )  # fmt: skip

    def _owner(self, rule: Rule) -> tuple[str | None, str | None]:
        network = self.plan.network
        if rule.kind == GROUP_RULE:
            group = network.security_groups[rule.owner]
            return group.group_name, group.vpc_id
        record: Any = (network.network_acls if rule.kind == ACL_ENTRY else network.route_tables)[rule.owner]
        return record.tags.get("Name"), record.vpc_id

    def by_owner(self, table: Mapping[tuple[str, Any, str], Hits]) -> pl.DataFrame:
        """`refused` or `undecided` as a frame: kind, owner, direction, reason and what it was."""
        import polars as pl

        rows = []
        for (kind, owner, reason), hits in sorted(table.items(), key=str):
            direction = None if kind == "route" else ("egress" if owner[-1] else "ingress")
            whose = owner[0] if kind != KINDS[GROUP_RULE] else owner[1]
            name = ", ".join(whose) if isinstance(whose, tuple) else whose
            rows.append((kind, name, direction, reason, *(clipped(getattr(hits, m)) for m in MEASURES)))
        words = dict.fromkeys(("kind", "owner", "direction", "reason"), pl.String())
        return pl.DataFrame(rows, schema={**words, **dict.fromkeys(MEASURES, pl.Int64())}, orient="row")


#: What each stage of `usagekernels` is called, in the words of schema.STAGES.
STAGE_NAMES = (
    "source-security-group", "source-network-acl", "route", "destination-network-acl", "destination-security-group",
    "reply-destination-network-acl", "reply-route", "reply-source-network-acl", "reply-source-security-group",
    "reply-destination-security-group",
)  # fmt: skip


def count_columns() -> list[str]:
    """The count columns, in order: forward, then reply; decided, matched, alone."""
    return [f"{way}{role}{measure}" for way in ("", "reply_") for role in ROLES for measure in MEASURES]


#: Said of what AWS puts there itself.
_FIXED = "AWS's own: it cannot be removed"


def _today(*rules: Rule) -> str:
    """What is said of the groups that rules name: their members come and go."""
    return ", with today's group members" if any(getattr(r.record, "referenced_group_id", None) for r in rules) else ""


def _is_fixed(rule: Rule) -> bool:
    """Whether it is an ACL's final deny (NA-03) or a local route (RT-09)."""
    if rule.kind == ACL_ENTRY:
        return getattr(rule.record, "rule_number", 0) > LAST_RULE_NUMBER
    return rule.kind == ROUTE and getattr(rule.record, "target_kind", "") == RouteTarget.LOCAL
