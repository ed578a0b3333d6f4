"""Network ACLs, route tables and routes of a plan, and what they are associated with."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ..changes_links import (
    associate_acl,
    associate_gateway,
    associate_table,
    default_acl_of,
    final_denies,
    local_routes,
    make_main,
    put_route,
    remove_route,
    undescribe_acl,
    undescribe_table,
)
from ..model import IPNetwork, NetworkAcl, NetworkAclEntry, Route, RouteTable, RouteTarget
from .terraform_values import MADE, OPEN, Block, Overlay, Planned, is_open, made_up_id
from .terraform_vpn import propagate
from .values import ICMP, ICMPV6, TCP, UDP, BadValueError, network, port_range, protocol_number, type_and_code

__all__ = ["APPLY", "REMOVE"]

#: Attribute of a route -> (kind of target, what it refers to).
_TARGETS = (
    ("gateway_id", None, "gateway"),
    ("nat_gateway_id", RouteTarget.NAT_GATEWAY, "nat"),
    ("network_interface_id", RouteTarget.NETWORK_INTERFACE, "interface"),
    ("instance_id", RouteTarget.NETWORK_INTERFACE, "instance"),
    ("transit_gateway_id", RouteTarget.TRANSIT_GATEWAY, "transit gateway"),
    ("vpc_endpoint_id", RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT, "endpoint"),
    ("vpc_peering_connection_id", RouteTarget.VPC_PEERING_CONNECTION, "peering"),
    ("egress_only_gateway_id", RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY, "egress-only gateway"),
    ("core_network_arn", RouteTarget.CORE_NETWORK, None),
    ("local_gateway_id", RouteTarget.LOCAL_GATEWAY, None),
    ("carrier_gateway_id", RouteTarget.CARRIER_GATEWAY, None),
    ("odb_network_arn", RouteTarget.ODB_NETWORK, None),
)
#: Those of aws_route that are computed: after a change they still tell the old target, and a new route's are not known
#: even where the configuration gives null.
_COMPUTED = ("network_interface_id", "instance_id")
#: Destination attributes of inline routes and of aws_route.
_INLINE = ("cidr_block", "ipv6_cidr_block", "destination_prefix_list_id")
_SINGLE = ("destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id")
#: Attribute names of ACL entries: inline, and of aws_network_acl_rule.
_INLINE_ENTRY = ("rule_no", "action")
_SINGLE_ENTRY = ("rule_number", "rule_action")
#: IANA's names of protocols, from 0 on, which the provider takes for an ACL entry.
_IANA = (
    "hopopt icmp igmp ggp ipv4 st tcp cbt egp igp bbn-rcc-mon nvp-ii pup argus emcon xnet chaos udp mux dcn-meas hmp "
    "prm xns-idp trunk-1 trunk-2 leaf-1 leaf-2 rdp irtp iso-tp4 netblt mfe-nsp merit-inp dccp 3pc idpr xtp ddp "
    "idpr-cmtp tp++ il ipv6 sdrp ipv6-route ipv6-frag idrp rsvp gre dsr bna esp ah i-nlsp swipe narp mobile tlsp skip "
    "ipv6-icmp ipv6-nonxt ipv6-opts - cftp - sat-expak kryptolan rvd ippc - sat-mon visa ipcv cpnx cphb wsn pvp "
    "br-sat-mon sun-nd wb-mon wb-expak iso-ip vmtp secure-vmtp vines ttp nsfnet-igp dgp tcf eigrp ospfigp sprite-rpc "
    "larp mtp ax.25 ipip micp scc-sp etherip encap - gmtp ifmp pnni pim aris scps qnx a/n ipcomp snp compaq-peer "
    "ipx-in-ip vrrp pgm - l2tp dd iatp stp srp uti smp sm ptp isis-over-ipv4 fire crtp crudp sscopmce iplt sps pipe "
    "sctp fc rsvp-e2e-ignore mobility-header udplite mpls-in-ip manet hip shim6 wesp rohc"
)
_PROTOCOLS = {name: number for number, name in enumerate(_IANA.split()) if name != "-"}


# -- network ACLs -----------------------------------------------------------------------------------------


def _acl(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    default = planned.instance.type == "aws_default_network_acl"
    acl_id = (new.reference("default_network_acl_id", "acl") or "") if default else planned.id
    if planned.made and not default:
        vpc_id = new.required("vpc_id", "vpc")
        draft.put("network_acls", NetworkAcl(acl_id, vpc_id, final_denies(draft.get("vpcs", vpc_id))))
    elif draft.get("network_acls", acl_id) is None:
        overlay.not_there(planned, f"network ACL {acl_id}")
        return
    for name, egress in (("ingress", False), ("egress", True)):
        if planned.changed(name) and (default or overlay.owns(planned, name)):
            _own_entries(overlay, planned, acl_id, name, egress)
    if planned.changed("subnet_ids") and (not default or new.values.get("subnet_ids")):
        _acl_subnets(overlay, planned, acl_id)


def _own_entries(overlay: Overlay, planned: Planned, acl_id: str, name: str, egress: bool) -> None:
    """The list is all the entries of that direction; AWS's final denies stay."""
    acl, new = overlay.draft.get("network_acls", acl_id), planned.new
    assert new is not None
    made = [_entry(block, egress, _INLINE_ENTRY) for block in new.blocks(name)]
    if overlay.untold(planned, name) or None in made:
        _unknown_acl(overlay, planned, acl_id, name)
        return
    kept = [entry for entry in acl.entries if entry.egress != egress or entry.rule_number > 32766]
    _put_entries(overlay, acl, [*kept, *(entry for entry in made if entry is not None)])


def _put_entries(overlay: Overlay, acl: NetworkAcl, entries: list[NetworkAclEntry]) -> None:
    ordered = tuple(sorted(entries, key=lambda entry: (entry.egress, entry.rule_number)))
    overlay.draft.put("network_acls", replace(acl, entries=ordered))


def _unknown_acl(overlay: Overlay, planned: Planned, acl_id: str, what: str) -> None:
    """Entries that are not known: which ACL its subnets have is then not known either."""
    overlay.undetermined(planned, f"{what} is known after apply: what network ACL {acl_id} lets through is UNKNOWN")
    acl = overlay.draft.get("network_acls", acl_id)
    for subnet_id in overlay.draft.table("subnets"):
        subnet = overlay.draft.get("subnets", subnet_id)
        taken = any(subnet_id in each.subnet_ids for each in overlay.draft.table("network_acls").values())
        if subnet_id in acl.subnet_ids or (acl.is_default and subnet.vpc_id == acl.vpc_id and not taken):
            undescribe_acl(overlay.draft, subnet_id)


def _entry(block: Block, egress: bool, names: tuple[str, str]) -> NetworkAclEntry | None:
    """An ACL entry; None if a part of it is not known."""
    parts = (*names, "protocol", "cidr_block", "ipv6_cidr_block", "from_port", "to_port", "icmp_type", "icmp_code")
    if not all(block.known(name) for name in parts if name not in ("icmp_type", "icmp_code")):
        return None
    number, action = block.number(names[0]), (block.text(names[1]) or "").lower()
    if number is None or not 1 <= number <= 32766:
        raise BadValueError(number, "a rule number from 1 to 32766", *block.path, names[0])
    if action not in ("allow", "deny"):
        raise BadValueError(action, "allow or deny", *block.path, names[1])
    texts = [(name, block.text(name)) for name in ("cidr_block", "ipv6_cidr_block") if block.text(name)]
    if len(texts) != 1:
        raise BadValueError([text for _, text in texts], "exactly one of cidr_block and ipv6_cidr_block", *block.path)
    cidr: IPNetwork = network(texts[0][1], *block.path, texts[0][0])
    name = block.text("protocol")
    protocol = _PROTOCOLS.get((name or "").lower())
    if protocol is None:
        protocol = protocol_number(name, *block.path, "protocol")
    first = last = kind = code = None
    if protocol in (TCP, UDP):
        first, last = port_range(
            block.number("from_port"), block.number("to_port"), "from_port", "to_port", *block.path
        )
    if protocol in (ICMP, ICMPV6):
        kind, code = type_and_code(
            block.number("icmp_type"), block.number("icmp_code"), "icmp_type", "icmp_code", *block.path
        )
        code = code if kind is not None else None
    return NetworkAclEntry(number, egress, protocol, action == "allow", cidr, first, last, kind, code)


def _acl_subnets(overlay: Overlay, planned: Planned, acl_id: str) -> None:
    """The subnets under an ACL are those of the list; the others go back to the VPC's default one."""
    new, old, draft = planned.new, planned.old, overlay.draft
    assert new is not None
    subnet_ids = new.references("subnet_ids", "subnet")
    if subnet_ids is None:
        possible, whole = overlay.possible(new, "subnet_ids")
        vpc_id = draft.get("network_acls", acl_id).vpc_id
        for subnet in list(draft.table("subnets").values()):
            if subnet.subnet_id in possible or (not whole and subnet.vpc_id == vpc_id):
                undescribe_acl(draft, subnet.subnet_id)
        return
    acl = draft.get("network_acls", acl_id)
    before = set(old.texts("subnet_ids")) if old and not planned.made else set()
    for subnet_id in sorted(before - set(subnet_ids)):
        if subnet_id in acl.subnet_ids:
            associate_acl(draft, subnet_id, default_acl_of(draft, acl.vpc_id))
    for subnet_id in subnet_ids:
        associate_acl(draft, subnet_id, acl_id)


def _remove_acl(overlay: Overlay, planned: Planned) -> None:
    acl = overlay.draft.get("network_acls", planned.old_id)
    if planned.instance.type == "aws_default_network_acl":
        return
    if acl is None:
        overlay.not_there(planned, f"network ACL {planned.old_id}")
        return
    for subnet_id in acl.subnet_ids:
        associate_acl(overlay.draft, subnet_id, default_acl_of(overlay.draft, acl.vpc_id))
    overlay.draft.remove("network_acls", acl.network_acl_id)


def _acl_rule(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    if not planned.made:
        _remove_acl_rule(overlay, planned)
    acl_id = new.reference("network_acl_id", "acl") or ""
    entry = _entry(new, new.flag("egress"), _SINGLE_ENTRY)
    for target in overlay.candidates(acl_id) if is_open(acl_id) else (acl_id,):
        acl = overlay.draft.get("network_acls", target)
        if acl is None:
            overlay.not_there(planned, f"an entry of network ACL {target}")
        elif entry is None or is_open(acl_id):
            _unknown_acl(overlay, planned, target, "an entry")
        else:
            others = [e for e in acl.entries if (e.egress, e.rule_number) != (entry.egress, entry.rule_number)]
            _put_entries(overlay, acl, [*others, entry])


def _remove_acl_rule(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    acl = overlay.draft.get("network_acls", old.text("network_acl_id"))
    key = old.flag("egress"), old.number("rule_number")
    kept = [entry for entry in acl.entries if (entry.egress, entry.rule_number) != key] if acl else []
    if acl is None or len(kept) == len(acl.entries):
        overlay.not_there(planned, f"entry {key[1]} of network ACL {old.text('network_acl_id')}")
    else:
        _put_entries(overlay, acl, kept)


def _acl_association(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    subnet_id, acl_id = new.reference("subnet_id", "subnet") or "", new.reference("network_acl_id", "acl") or ""
    _settle(overlay, planned, "network_acls", subnet_id, acl_id, associate_acl, undescribe_acl)


def _remove_acl_association(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    acl = overlay.draft.get("network_acls", old.text("network_acl_id"))
    subnet_id = old.text("subnet_id") or ""
    if acl is None or subnet_id not in acl.subnet_ids:
        overlay.not_there(planned, f"the association of {subnet_id} with {old.text('network_acl_id')}")
    else:
        associate_acl(overlay.draft, subnet_id, default_acl_of(overlay.draft, acl.vpc_id))


def _settle(
    overlay: Overlay,
    planned: Planned,
    kind: str,
    subnet_id: str,
    holder_id: str,
    associate: Callable[[Any, str, str | None], None],
    undescribe: Callable[[Any, str], None],
) -> None:
    """Associates a subnet; one of several subnets, or one of several holders, makes it unknown which they have."""
    subnets = overlay.candidates(subnet_id) if is_open(subnet_id) else (subnet_id,)
    for each in subnets:
        if is_open(subnet_id) or is_open(holder_id):
            undescribe(overlay.draft, each)
        elif overlay.draft.get(kind, holder_id) is None:
            overlay.not_there(planned, f"the association of {each} with {holder_id}")
            if each in overlay.draft.table("subnets"):
                undescribe(overlay.draft, each)
        else:
            associate(overlay.draft, each, holder_id)


# -- routes -----------------------------------------------------------------------------------------------


def _target(overlay: Overlay, block: Block, changed: Collection[str] = ()) -> tuple[str, str]:
    """Kind and id of a route's target: of several that are told the one that changes, and what is known first."""

    def rank(target: tuple[str, str | None, str | None]) -> tuple[bool, bool, bool]:
        known = block.known(target[0])
        return target[0] not in changed, not known, not known and target[0] in _COMPUTED

    for name, kind, refers_to in sorted(_TARGETS, key=rank):
        if not block.known(name) and refers_to is None:
            return str(kind), OPEN + made_up_id(f"{block.instance.address}.{name}").removeprefix(MADE)
        target = block.reference(name, refers_to) if refers_to else block.text(name)
        if name == "instance_id":  # a route to an instance is one to its first interface
            instance = overlay.draft.get("instances", target)
            target = instance.interface_ids[0] if instance and instance.interface_ids else target
        if target:
            return kind or _gateway_kind(overlay, target), target
    return RouteTarget.UNKNOWN, ""


def _gateway_kind(overlay: Overlay, target: str) -> str:
    """The kind of a gateway_id: AWS's ids tell, made-up ones are looked up."""
    prefixes = {
        "igw-": RouteTarget.INTERNET_GATEWAY,
        "vgw-": RouteTarget.VIRTUAL_PRIVATE_GATEWAY,
        "vpce-": RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT,
        "cagw-": RouteTarget.CARRIER_GATEWAY,
        "eigw-": RouteTarget.EGRESS_ONLY_INTERNET_GATEWAY,
    }
    if target == "local":
        return RouteTarget.LOCAL
    for prefix, kind in prefixes.items():
        if target.startswith(prefix):
            return kind
    if is_open(target):
        kinds = {_gateway_kind(overlay, each) for each in overlay.candidates(target)}
        return kinds.pop() if len(kinds) == 1 else RouteTarget.UNKNOWN
    if target in overlay.draft.table("vpn_gateways") or "aws_vpn_gateway" in target:
        return RouteTarget.VIRTUAL_PRIVATE_GATEWAY
    return RouteTarget.INTERNET_GATEWAY if target.startswith(MADE) else RouteTarget.UNKNOWN


def _destination(overlay: Overlay, planned: Planned, block: Block, names: tuple[str, str, str]) -> IPNetwork | str:
    """A network, or a prefix list; one that is not known is a prefix list that is not described."""
    unknown = [name for name in names if not block.known(name)]
    for name in names[:2]:
        text = block.text(name)
        if text:
            return network(text, *block.path, name)
    if names[2] in unknown or block.text(names[2]):
        return block.reference(names[2], "list") or ""
    if unknown:
        overlay.undetermined(planned, f"{unknown[0]} is known after apply: flows it could match are UNKNOWN")
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in (*block.path, unknown[0]))
        return OPEN + made_up_id(planned.address + steps).removeprefix(MADE)
    raise BadValueError(None, f"one of {', '.join(names)}", *block.path)


def _planned_route(
    overlay: Overlay, planned: Planned, block: Block, names: tuple[str, str, str], changed: Collection[str] = ()
) -> Route:
    destination = _destination(overlay, planned, block, names)
    kind, target = _target(overlay, block, changed)
    if kind == RouteTarget.GATEWAY_LOAD_BALANCER_ENDPOINT and isinstance(destination, str):
        kind = RouteTarget.GATEWAY_ENDPOINT
    gone = kind == RouteTarget.VPC_PEERING_CONNECTION and _pending(overlay, target)
    return Route(destination, kind, target, blackhole=gone)


def _pending(overlay: Overlay, peering_id: str) -> bool:
    peering = overlay.draft.get("peering_connections", peering_id)
    return peering is not None and peering.status != "active"


def _table(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    default = planned.instance.type == "aws_default_route_table"
    table_id = (new.reference("default_route_table_id", "table") or "") if default else planned.id
    if planned.made and not default:
        vpc_id = new.required("vpc_id", "vpc")
        draft.put(
            "route_tables", RouteTable(table_id, vpc_id, local_routes(draft.get("vpcs", vpc_id)), tags=_tags(new))
        )
    elif draft.get("route_tables", table_id) is None:
        overlay.not_there(planned, f"route table {table_id}")
        return
    if planned.changed("route") and (default or overlay.owns(planned, "route")):
        _own_routes(overlay, planned, table_id)
    if planned.changed("propagating_vgws") and overlay.configured(planned, "propagating_vgws"):
        before = set(planned.old.texts("propagating_vgws")) if planned.old and not planned.made else set()
        after = new.references("propagating_vgws", "vpn gateway")
        if after is None:
            _open_propagation(overlay, planned, table_id, before)
            return
        for gateway_id in sorted(before - set(after)):
            propagate(overlay, planned, table_id, gateway_id, False)
        for gateway_id in after:
            propagate(overlay, planned, table_id, gateway_id, True)


def _open_propagation(overlay: Overlay, planned: Planned, table_id: str, before: Collection[str]) -> None:
    """Which gateways propagate is not known: what they did may go, and anything may come."""
    overlay.undetermined(planned, "propagating_vgws is known after apply: flows its routes could match are UNKNOWN")
    open_id = OPEN + made_up_id(f"{planned.address}.propagating_vgws").removeprefix(MADE)
    table = overlay.draft.get("route_tables", table_id)
    routes = [
        replace(each, target_kind=RouteTarget.UNKNOWN, target_id=open_id)
        if each.propagated and each.target_id in before
        else each
        for each in table.routes
    ]
    routes.append(Route(open_id, RouteTarget.UNKNOWN, open_id, propagated=True))
    overlay.draft.put("route_tables", replace(table, routes=tuple(routes)))


def _tags(new: Block) -> dict[str, str]:
    tags = new.values.get("tags")
    return {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}


def _own_routes(overlay: Overlay, planned: Planned, table_id: str) -> None:
    """The list is all the static routes; local, propagated and gateway endpoint routes are not Terraform's."""
    new, draft = planned.new, overlay.draft
    assert new is not None
    table = draft.get("route_tables", table_id)
    routes = {r.destination: r for r in (_planned_route(overlay, planned, b, _INLINE) for b in new.blocks("route"))}
    if overlay.untold(planned, "route"):
        overlay.undetermined(planned, "route is known after apply: flows its routes could match are UNKNOWN")
        open_id = OPEN + made_up_id(f"{planned.address}.route").removeprefix(MADE)
        routes[open_id] = Route(open_id, RouteTarget.UNKNOWN, open_id)
    not_own = (RouteTarget.LOCAL, RouteTarget.GATEWAY_ENDPOINT)
    for route in table.routes:
        if not route.propagated and route.target_kind not in not_own and route.destination not in routes:
            remove_route(draft, table_id, route.destination)
    for route in routes.values():
        same = any(
            (r.destination, r.target_kind, r.target_id) == (route.destination, route.target_kind, route.target_id)
            for r in table.routes
        )
        if not same:
            put_route(draft, table_id, route)


def _remove_table(overlay: Overlay, planned: Planned) -> None:
    if planned.instance.type == "aws_default_route_table":
        return
    if not overlay.draft.remove("route_tables", planned.old_id or ""):
        overlay.not_there(planned, f"route table {planned.old_id}")


def _route(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    changed = [name for name, _, _ in _TARGETS if not planned.made and planned.changed(name)]
    if not planned.made and not changed:
        return
    table_id = new.reference("route_table_id", "table") or ""
    route = _planned_route(overlay, planned, new, _SINGLE, changed)
    for target in overlay.candidates(table_id) if is_open(table_id) else (table_id,):
        if overlay.draft.get("route_tables", target) is None:
            overlay.not_there(planned, f"a route of route table {target}")
        elif not planned.made and not _has_route(overlay, target, route.destination):
            overlay.not_there(planned, f"route {target} {route.destination}")
        elif is_open(table_id):  # it may be this table's route, or another's
            put_route(overlay.draft, target, replace(route, target_kind=RouteTarget.UNKNOWN, target_id=table_id))
        else:
            put_route(overlay.draft, target, route)


def _has_route(overlay: Overlay, table_id: str, destination: object) -> bool:
    routes = overlay.draft.get("route_tables", table_id).routes
    return any(route.destination == destination and not route.propagated for route in routes)


def _remove_route(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    table_id = old.text("route_table_id") or ""
    destination = _destination(overlay, planned, old, _SINGLE)
    if overlay.draft.get("route_tables", table_id) is None or not _has_route(overlay, table_id, destination):
        overlay.not_there(planned, f"route {table_id} {destination}")
    else:
        remove_route(overlay.draft, table_id, destination)


# -- associations -----------------------------------------------------------------------------------------


def _table_association(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    table_id = new.reference("route_table_id", "table") or ""
    gateway_id = new.reference("gateway_id", "gateway")
    if gateway_id:
        if draft.get("route_tables", table_id) is None:
            overlay.not_there(planned, f"the association of {gateway_id} with {table_id}")
        else:
            associate_gateway(draft, gateway_id, table_id)
        return
    subnet_id = new.reference("subnet_id", "subnet") or ""
    _settle(overlay, planned, "route_tables", subnet_id, table_id, associate_table, undescribe_table)


def _remove_table_association(overlay: Overlay, planned: Planned) -> None:
    old, draft = planned.old, overlay.draft
    assert old is not None
    table = draft.get("route_tables", old.text("route_table_id"))
    subnet_id, gateway_id = old.text("subnet_id"), old.text("gateway_id")
    if table is not None and subnet_id in table.subnet_ids:
        associate_table(draft, str(subnet_id), None)
    elif table is not None and gateway_id in table.gateway_ids:
        associate_gateway(draft, str(gateway_id), None)
    else:
        overlay.not_there(planned, f"the association of {subnet_id or gateway_id} with {old.text('route_table_id')}")


def _main_association(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    vpc_id, table_id = new.required("vpc_id", "vpc"), new.reference("route_table_id", "table") or ""
    if overlay.draft.get("route_tables", table_id) is None:
        overlay.not_there(planned, f"route table {table_id} as main one of {vpc_id}")
        for subnet_id in overlay.draft.table("subnets") if is_open(table_id) else ():
            if overlay.draft.get("subnets", subnet_id).vpc_id == vpc_id and not any(
                subnet_id in each.subnet_ids for each in overlay.draft.table("route_tables").values()
            ):
                undescribe_table(overlay.draft, subnet_id)
    else:
        make_main(overlay.draft, vpc_id, table_id)


def _remove_main_association(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    original = old.text("original_route_table_id") or ""
    if overlay.draft.get("route_tables", original) is None:
        overlay.not_there(planned, f"route table {original} as main one again")
    else:
        make_main(overlay.draft, old.text("vpc_id") or "", original)


APPLY = {
    "aws_network_acl": _acl,
    "aws_default_network_acl": _acl,
    "aws_network_acl_rule": _acl_rule,
    "aws_network_acl_association": _acl_association,
    "aws_route_table": _table,
    "aws_default_route_table": _table,
    "aws_route": _route,
    "aws_route_table_association": _table_association,
    "aws_main_route_table_association": _main_association,
}
REMOVE = {
    "aws_network_acl": _remove_acl,
    "aws_default_network_acl": _remove_acl,
    "aws_network_acl_rule": _remove_acl_rule,
    "aws_network_acl_association": _remove_acl_association,
    "aws_route_table": _remove_table,
    "aws_default_route_table": _remove_table,
    "aws_route": _remove_route,
    "aws_route_table_association": _remove_table_association,
    "aws_main_route_table_association": _remove_main_association,
}
