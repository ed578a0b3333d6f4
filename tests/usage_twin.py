"""Usage counted by brute force: the slow twin walks every flow, and every rule of every list is asked by itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from flowcore import walk_hops, walk_long
from flowcore.model import Network, NetworkAclEntry, Route
from flowcore.walk import Explainer
from flowcore.walk_rules import NetworkIndex, _entry_match, _inside, _prefix_length, _protocol_match, _remote_match

FORWARD = {
    "source-security-group": "group", "source-network-acl": "acl", "route": "route",
    "destination-network-acl": "acl", "destination-security-group": "group",
}  # fmt: skip
REPLY = {"reply-destination-network-acl": "acl", "reply-route": "route", "reply-source-network-acl": "acl"}
EGRESS = frozenset({"source-security-group", "source-network-acl", "reply-destination-network-acl"})

#: (interface, egress) -> the party its groups were asked with by the long walk (docs/semantics.md, section 6), and the
#: VPC of the other end.
_parties: dict[tuple[str, bool], tuple[str, str | None]] = {}


def _noting(judge: Any) -> Any:
    """`judge_groups` that notes the party of its first call for an interface; later ones only find out why."""

    def noted(
        index: Any, interface: Any, egress: bool, packet: Any, party: str = "direct", other_vpc: str | None = None
    ) -> Any:
        _parties.setdefault((interface.interface_id, egress), (party, other_vpc or interface.vpc_id))
        return judge(index, interface, egress, packet, party, other_vpc=other_vpc)

    return noted


walk_hops.judge_groups = _noting(walk_hops.judge_groups)
walk_long.judge_groups = _noting(walk_long.judge_groups)

#: A group would have let it in, had it seen the sender: no list of rules says so.
_LOST = frozenset({"SG_REFERENCING_SUPPORT", "SG_REFERENCES_NOT_PRESERVED"})

#: (kind, owner, rule, direction)
Key = tuple[str, str, str, str | None]


class Twin:
    """Counts by rule: `counts[key][column]`, the columns of `flowcore.usage`."""

    def __init__(self, network: Network) -> None:
        self.network, self.index, self.explainer = network, NetworkIndex(network), Explainer(network)
        self.counts: dict[Key, Counter[str]] = defaultdict(Counter)
        self.refused = self.undecided = 0

    def add(self, flow: Mapping[str, Any]) -> None:
        """Walk a flow and count it at every rule of every stage it reached."""
        _parties.clear()
        path = self.explainer.explain(flow)
        source = self.network.interfaces.get(path.src_interface or "")
        self.source_vpc = source.vpc_id if source else None
        for hop in path.hops:
            kind = FORWARD.get(hop.stage) or REPLY.get(hop.stage)
            if kind is None or not hop.reached or not hop.evaluated or hop.packet_in is None:
                continue
            if kind == "route" and hop.component in self.network.interfaces:
                continue  # some addresses are never forwarded (RT-12): no table is asked
            decided, matched, maybe, alone = getattr(self, f"_{kind}")(hop)
            way = "reply_" if hop.stage in REPLY else ""
            for key in matched:
                self._count(key, f"{way}matched_", flow)
            if hop.outcome == "unknown" and decided is None:
                self.undecided += 1
                for key in {*matched, *maybe}:
                    self.counts[key]["possible_records"] += 1
            elif decided is None and hop.outcome == "deny" and hop.reason not in _LOST:
                self.refused += 1
            if decided is not None:
                self._count(decided, way, flow)
                if alone:
                    self._count(decided, f"{way}alone_", flow)

    def _count(self, key: Key, prefix: str, flow: Mapping[str, Any]) -> None:
        counts = self.counts[key]
        counts[f"{prefix}flows"] += 1
        counts[f"{prefix}records"] += 1
        if not prefix.startswith("reply_"):
            counts[f"{prefix}packets"] += flow.get("packets") or 0
            counts[f"{prefix}bytes"] += flow.get("bytes") or 0

    def _group(self, hop: Any) -> Any:
        interface, egress = self.network.interfaces[hop.component], hop.stage in EGRESS
        remote = hop.packet_in.destination if egress else hop.packet_in.source
        shown = "direct", self.source_vpc or interface.vpc_id
        party, other_vpc = _parties.get((hop.component, egress), shown)
        sure, maybe = [], []
        for group_id in dict.fromkeys(interface.group_ids or ()):
            group = self.network.security_groups.get(group_id)
            for rule in group.rules if group else ():
                if rule.egress != egress:
                    continue
                said = {
                    _protocol_match(rule, hop.packet_in),
                    _remote_match(self.index, rule, remote, interface.vpc_id, party, other_vpc)[0],
                }
                key = ("security-group-rule", group_id, rule.rule_id, "egress" if egress else "ingress")
                if "no" not in said:
                    (maybe if "maybe" in said else sure).append(key)
        sure.sort(key=lambda key: key[2])
        return (sure[0] if sure else None), sure, maybe, len(sure) == 1 and not maybe

    def _acl(self, hop: Any) -> Any:
        acl = self.network.network_acls.get(hop.component)
        if acl is None:
            return None, [], [], False
        egress = hop.stage in EGRESS
        address = hop.packet_in.destination if egress else hop.packet_in.source
        entries = sorted((e for e in acl.entries if e.egress == egress), key=lambda e: e.rule_number)
        said = [(entry, _entry_match(entry, hop.packet_in, address)) for entry in entries]

        def key(entry: NetworkAclEntry) -> Key:
            way = "egress" if egress else "ingress"
            return "network-acl-entry", acl.network_acl_id, f"{acl.network_acl_id}#{entry.rule_number}", way

        outcome, decided = _first(said)
        alone = decided is not None and _first([(e, m) for e, m in said if e is not decided])[0] not in (outcome, None)
        matched = [key(entry) for entry, match in said if match == "yes"]
        maybe = [key(entry) for entry, match in said if match == "maybe"]
        return (key(decided) if decided else None), matched, maybe, alone

    def _route(self, hop: Any) -> Any:
        table = self.network.route_tables.get(hop.component)
        if table is None:
            return None, [], [], False
        cidrs = self.index.cidrs_of(table.vpc_id)
        address, holding, hidden = hop.packet_in.destination, [], []
        for order, route in enumerate(self.network.routes_of(table)):
            length = _prefix_length(self.index, route, address)
            if length is None:
                hidden.append(route)
            elif length >= 0 and not (route.propagated and _inside(route, cidrs)):
                rank = 1 if isinstance(route.destination, str) else 0 if route.propagated else 2
                holding.append((length, rank, -order, route))
        holding.sort(key=lambda each: each[:3], reverse=True)
        keys = [_route_key(table.route_table_id, each[3]) for each in holding]
        if hop.outcome == "unknown" and hop.reason in ("MISSING_PREFIX_LIST", "AMBIGUOUS_PREFIX_LIST_ROUTE"):
            listed = hidden if hop.reason == "MISSING_PREFIX_LIST" else []
            return None, keys, [_route_key(table.route_table_id, route) for route in listed], False
        if not holding:
            return None, [], [], False
        goes = [(r.target_kind, r.target_id, r.blackhole) for *_, r in holding]
        return keys[0], keys, [], len(goes) == 1 or goes[0] != goes[1]

    def rows(self) -> dict[Key, dict[str, int]]:
        """Rule -> column -> count, without zeros."""
        return {key: {name: n for name, n in counts.items() if n} for key, counts in self.counts.items()}


def _route_key(table_id: str, route: Route) -> Key:
    return "route", table_id, f"{table_id} {route.destination} {route.target_id} {route.propagated}", None


def _first(said: Iterable[tuple[NetworkAclEntry, str]]) -> tuple[str | None, NetworkAclEntry | None]:
    """(outcome, deciding entry) of an ACL list; (None, None): not decidable."""
    undecided: set[bool] = set()
    for entry, match in said:
        if match == "maybe":
            undecided.add(entry.allow)
        elif match == "yes":
            return (None, None) if undecided - {entry.allow} else (str(entry.allow), entry)
    return (None, None) if undecided - {False} else ("False", None)


def counted(rules: pl.DataFrame) -> dict[Key, dict[str, int]]:
    """The same of the frame of `flowcore.usage`."""
    found = {}
    for row in rules.iter_rows(named=True):
        name = row["rule"]
        if row["kind"] == "route":
            target = row["text"].rsplit(" to ", 1)[1].removesuffix(" (black hole)")
            name = f"{name} {target.removesuffix(' (propagated)')} {target.endswith(' (propagated)')}"
        counts = {
            column: value
            for column, value in row.items()
            if value and column.endswith(("flows", "records", "packets", "bytes"))
        }
        if counts:
            found[row["kind"], row["owner"], name, row["direction"]] = counts
    return found
