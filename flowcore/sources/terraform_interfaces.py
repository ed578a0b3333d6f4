"""Interfaces, instances, Elastic IPs and NAT gateways of a plan.

A new interface has an address only where the plan says it. A new NAT gateway gets one that stands for whatever AWS will
give it, if no rule of the network can tell the free addresses of its subnet apart.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

from ..changes_links import local_routes
from ..model import (
    ElasticAddress,
    Instance,
    InterfaceAddress,
    NatGateway,
    NatGatewayAddress,
    NetworkInterface,
    Route,
    RouteTable,
    RouteTarget,
    Subnet,
)
from .standing import add_nat_gateway, made_public_address
from .terraform_groups import default_group_of
from .terraform_references import KINDS
from .terraform_values import MADE, Block, Overlay, Planned, is_open
from .terraform_vpcs import tags_of
from .values import BadValueError, ipv4_address, ipv6_address

__all__ = ["APPLY", "REMOVE", "elastic_of", "keep_last_groups", "last_group_stays"]


# -- interfaces and instances -----------------------------------------------------------------------------


def _groups(overlay: Overlay, planned: Planned, block: Block, name: str, vpc_id: str | None) -> tuple[str, ...] | None:
    """The groups of a new interface: those named, else the VPC's default one; None if they cannot be told."""
    found = block.references(name, "group")
    if found:
        return found
    if found is None or (not block.known(name) and overlay.configured(planned, name)):
        overlay.undetermined(planned, f"{name} is known after apply: flows at its interface may be UNKNOWN")
        return None
    if block.values.get("launch_template"):
        overlay.undetermined(planned, "its groups come from a launch template: flows at its interface may be UNKNOWN")
        return None
    default = default_group_of(overlay, vpc_id)
    return (default,) if default else None


def _instance_groups(overlay: Overlay, planned: Planned, new: Block, vpc_id: str | None) -> tuple[str, ...] | None:
    """The groups of a new instance: `security_groups`, as ids or names, beside `vpc_security_group_ids`, if any."""
    name = "security_groups"
    if not new.values.get(name) or (not new.known(name) and overlay.computed(new, name)):
        return _groups(overlay, planned, new, "vpc_security_group_ids", vpc_id)
    told = new.references(name, "group")
    named = [_group_called(overlay, each, vpc_id) for each in told or ()]
    others = new.references("vpc_security_group_ids", "group")
    if told is None or others is None or None in named:
        overlay.undetermined(planned, f"which groups {name} names is not known: flows at its interface are UNKNOWN")
        return None
    return tuple(dict.fromkeys((*(each for each in named if each), *others)))


def _group_called(overlay: Overlay, text: str, vpc_id: str | None) -> str | None:
    """The id of a group that an instance names by its id, or by its name in the VPC; None: not described."""
    table = overlay.draft.table("security_groups")
    if text in table or str(text).startswith("sg-"):
        return text
    named = [str(g.group_id) for g in table.values() if (g.group_name, g.vpc_id) == (text, vpc_id)]
    return named[0] if len(named) == 1 else None


def _place(overlay: Overlay, block: Block) -> Subnet | None:
    """The subnet of a new interface; None: not described, or one of several."""
    found: Subnet | None = overlay.draft.get("subnets", block.reference("subnet_id", "subnet"))
    return found


def _addresses(block: Block, names: tuple[str, ...]) -> tuple[InterfaceAddress, ...]:
    """The private addresses a plan tells, the primary one first."""
    found: dict[Any, InterfaceAddress] = {}
    for name in names:
        texts = block.texts(name) if isinstance(block.values.get(name), list) else [block.text(name)]
        for i, text in enumerate(texts):
            if text:
                own = ipv4_address(text, name, i)
                found.setdefault(own, InterfaceAddress(own, primary=not found))
    for i, text in enumerate(block.texts("ipv6_addresses")):
        own6 = ipv6_address(text, "ipv6_addresses", i)
        found.setdefault(own6, InterfaceAddress(own6))
    return tuple(found.values())


def _interface(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    if not planned.made:
        _change_interface(overlay, planned, planned.id, "security_groups")
        return
    subnet = _place(overlay, new)
    addresses = _addresses(new, ("private_ip_list", "private_ips", "private_ip"))
    if not addresses:
        _note_no_address(overlay, planned)
    vpc_id = subnet.vpc_id if subnet else None
    draft.put(
        "interfaces",
        NetworkInterface(
            planned.id,
            vpc_id,
            subnet.subnet_id if subnet else None,
            addresses=addresses,
            group_ids=_groups(overlay, planned, new, "security_groups", vpc_id),
            source_dest_check=new.flag("source_dest_check", True),
            status="in-use" if new.values.get("attachment") else None,
            availability_zone=subnet.availability_zone if subnet else None,
            region=subnet.region if subnet else None,
            tags=tags_of(new),
        ),
    )


def _note_no_address(overlay: Overlay, planned: Planned) -> None:
    replaced = "the endpoint is replaced; " if planned.action == "replace" else ""
    overlay.note(
        "note",
        "known-after-apply",
        planned.address,
        f"{replaced}its address is known after apply: flows to and from it cannot be judged before",
    )


def _change_interface(overlay: Overlay, planned: Planned, interface_id: str | None, groups: str) -> None:
    """Groups, source/destination check and addresses of an interface that stays."""
    new, draft = planned.new, overlay.draft
    assert new is not None
    live = draft.get("interfaces", interface_id)
    if live is None:
        overlay.not_there(planned, f"interface {interface_id}")
        return
    if planned.changed(groups):
        found = new.references(groups, "group")
        if found == ():
            last_group_stays(overlay, planned, interface_id or "")
        if found is None:
            overlay.undetermined(planned, f"{groups} are known after apply: flows at {interface_id} are UNKNOWN")
        live = replace(live, group_ids=tuple(found) if found else None if found is None else live.group_ids)
    if planned.changed("source_dest_check"):
        live = replace(live, source_dest_check=new.flag("source_dest_check", True))
    names = ("private_ip_list", "private_ips", "private_ip", "secondary_private_ips", "ipv6_addresses")
    if planned.changed(*names):
        told = {own.address: own for own in _addresses(new, names[:4])}
        before = {own.address: own for own in live.addresses}
        if told and all(new.known(name) for name in names if new.values.get(name)):
            kept = {key: before.get(key, own) for key, own in told.items()}
            if not new.values.get("ipv6_addresses"):
                kept.update({key: own for key, own in before.items() if key.version == 6})
            live = replace(live, addresses=tuple(kept.values()))
    draft.put("interfaces", live)


def _remove_interface(overlay: Overlay, planned: Planned) -> None:
    if not overlay.draft.remove("interfaces", planned.old_id or ""):
        overlay.not_there(planned, f"interface {planned.old_id}")


def _attachment(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    interface_id = new.reference("network_interface_id", "interface")
    instance_id = new.reference("instance_id", "instance")
    live = draft.get("interfaces", interface_id)
    if live is None:
        overlay.not_there(planned, f"interface {interface_id}")
        return
    draft.put("interfaces", replace(live, status="in-use", instance_id=None if is_open(instance_id) else instance_id))
    instance = draft.get("instances", instance_id)
    if instance is not None and live.interface_id not in instance.interface_ids:
        draft.put("instances", replace(instance, interface_ids=(*instance.interface_ids, live.interface_id)))


def _remove_attachment(overlay: Overlay, planned: Planned) -> None:
    assert planned.old is not None
    live = overlay.draft.get("interfaces", planned.old.text("network_interface_id"))
    if live is None:
        overlay.not_there(planned, f"interface {planned.old.text('network_interface_id')}")
        return
    overlay.draft.put("interfaces", replace(live, status="available", instance_id=None))
    instance = overlay.draft.get("instances", live.instance_id)
    if instance is not None:
        kept = tuple(each for each in instance.interface_ids if each != live.interface_id)
        overlay.draft.put("instances", replace(instance, interface_ids=kept))


def _group_attachment(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    if planned.old is not None and not planned.made:
        _remove_group_attachment(overlay, planned)
    live = overlay.draft.get("interfaces", new.reference("network_interface_id", "interface"))
    group_id = new.reference("security_group_id", "group")
    if live is None:
        overlay.not_there(planned, f"the groups of {new.text('network_interface_id')}")
    elif group_id and live.group_ids is not None and group_id not in live.group_ids:
        overlay.draft.put("interfaces", replace(live, group_ids=(*live.group_ids, group_id)))


def _remove_group_attachment(overlay: Overlay, planned: Planned) -> None:
    assert planned.old is not None
    live = overlay.draft.get("interfaces", planned.old.text("network_interface_id"))
    group_id = planned.old.text("security_group_id")
    if live is None or group_id not in (live.group_ids or ()):
        overlay.not_there(planned, f"group {group_id} of {planned.old.text('network_interface_id')}")
    else:
        kept = tuple(each for each in live.group_ids if each != group_id)
        overlay.draft.put("interfaces", replace(live, group_ids=kept))
        overlay.taken_groups.setdefault(live.interface_id, []).append((planned, str(group_id)))


def last_group_stays(overlay: Overlay, planned: Planned, holder: str) -> None:
    """Says that a plan would leave something without any group, which AWS refuses."""
    message = f"the plan takes the last group from {holder}, which AWS refuses: it stays"
    overlay.note("warning", "conflict", planned.address, message)


def keep_last_groups(overlay: Overlay) -> None:
    """Interfaces that the plan as a whole takes every group from, as no interface that has groups may be (SG-63).

    AWS refuses to take the last one. Which of several that go is the last is not known: then the groups are not either.
    """
    for interface_id, taken in overlay.taken_groups.items():
        live = overlay.draft.get("interfaces", interface_id)
        if live is None or live.group_ids != ():
            continue
        planned, group_id = taken[-1]
        with overlay.at(planned.where), overlay.draft.change(planned.name):
            last_group_stays(overlay, planned, interface_id)
            group_ids = (group_id,) if len(taken) == 1 else None
            overlay.draft.put("interfaces", replace(live, group_ids=group_ids))


def _instance(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    if not planned.made:
        _change_instance(overlay, planned)
        return
    given = [block.reference("network_interface_id", "interface") for block in _given_interfaces(new)]
    subnet = _place(overlay, new)
    vpc_id = subnet.vpc_id if subnet else None
    if given:
        interface_ids = tuple(each for each in given if each)
        for each in interface_ids:
            live = draft.get("interfaces", each)
            if live is not None:
                draft.put("interfaces", replace(live, instance_id=planned.id, status="in-use"))
    else:
        interface_ids = (f"{planned.id}:primary-network-interface",)
        addresses = _addresses(new, ("private_ip", "secondary_private_ips"))
        if not addresses:
            _note_no_address(overlay, planned)
        draft.put(
            "interfaces",
            NetworkInterface(
                interface_ids[0],
                vpc_id,
                subnet.subnet_id if subnet else None,
                addresses=addresses,
                group_ids=_instance_groups(overlay, planned, new, vpc_id),
                source_dest_check=new.flag("source_dest_check", True),
                status="in-use",
                availability_zone=subnet.availability_zone if subnet else None,
                instance_id=planned.id,
                region=subnet.region if subnet else None,
            ),
        )
    subnet_id = subnet.subnet_id if subnet else None
    draft.put("instances", Instance(planned.id, "running", vpc_id, subnet_id, interface_ids, tags_of(new)))


def _given_interfaces(new: Block) -> list[Block]:
    return [*new.blocks("network_interface"), *new.blocks("primary_network_interface")]


def _change_instance(overlay: Overlay, planned: Planned) -> None:
    live = overlay.draft.get("instances", planned.id)
    names = ("vpc_security_group_ids", "source_dest_check", "secondary_private_ips", "private_ip")
    if live is None:
        overlay.not_there(planned, f"instance {planned.id}")
    elif planned.changed(*names):
        first = live.interface_ids[0] if live.interface_ids else None
        _change_interface(overlay, planned, first, "vpc_security_group_ids")


def _remove_instance(overlay: Overlay, planned: Planned) -> None:
    """An instance and the interfaces it was made with go; those attached later stay."""
    draft, live = overlay.draft, overlay.draft.get("instances", planned.old_id)
    if live is None:
        overlay.not_there(planned, f"instance {planned.old_id}")
        return
    assert planned.old is not None
    given = {block.text("network_interface_id") for block in _given_interfaces(planned.old)}
    for position, interface_id in enumerate(live.interface_ids):
        interface = draft.get("interfaces", interface_id)
        if interface_id in given or (position and interface is not None):
            if interface is not None and interface.instance_id == live.instance_id:
                draft.put("interfaces", replace(interface, status="available", instance_id=None))
        else:
            draft.remove("interfaces", interface_id)
    draft.remove("instances", live.instance_id)


def _instance_state(overlay: Overlay, planned: Planned) -> None:
    """aws_ec2_instance_state: started or stopped."""
    new = planned.new
    assert new is not None
    instance_id, state = new.reference("instance_id", "instance"), new.text("state")
    if overlay.draft.get("instances", instance_id) is None:
        overlay.not_there(planned, f"the state of instance {instance_id}")
    elif state not in ("running", "stopped"):
        raise BadValueError(state, "running or stopped", "state")
    else:
        overlay.draft.change_record("instances", str(instance_id), state=state)


def _stays(overlay: Overlay, planned: Planned) -> None:
    """What goes leaves things as they are; a NAT gateway's primary address stands for all (docs/semantics.md 6.4)."""


# -- Elastic IPs ------------------------------------------------------------------------------------------


def _elastic(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    if planned.made:
        if new.text("domain") not in (None, "vpc"):
            return
        text = new.text("public_ip")
        public = ipv4_address(text, "public_ip") if text else made_public_address(overlay.draft)
        _put_elastic(
            overlay, ElasticAddress(public, planned.id, region=overlay.region_of(new) or _only_region(overlay))
        )
    live = elastic_of(overlay, planned.id)
    if live is None:
        overlay.not_there(planned, f"Elastic IP {planned.id}")
    elif planned.changed("instance", "network_interface", "associate_with_private_ip"):
        changed = [name for name in ("network_interface", "instance") if planned.changed(name)]
        interface_id = _interface_named(overlay, new, "network_interface", "instance", changed)
        if interface_id or not planned.made:
            _associate(overlay, live, interface_id, new.text("associate_with_private_ip"))


def _only_region(overlay: Overlay) -> str | None:
    regions = {elastic.region for elastic in overlay.draft.single("elastic_addresses")}
    return regions.pop() if len(regions) == 1 else None


def _interface_named(
    overlay: Overlay, block: Block, interface: str, instance: str, changed: Collection[str] = ()
) -> str | None:
    """The interface that an Elastic IP goes to: it, or an instance's first one.

    Both attributes are computed: the one that does not change tells the old place, and where one is known, the other is
    not known even if the configuration gives null. So what changes comes first, then what is known.
    """
    kinds = {interface: "interface", instance: "instance"}

    def rank(name: str) -> tuple[bool, bool, bool]:
        known = block.known(name)
        return name not in changed, not known, overlay.refers_to_nothing(block, name, kinds[name])

    for name in sorted(kinds, key=rank):
        found = block.reference(name, kinds[name])
        if found and name == interface:
            return found
        live = overlay.draft.get("instances", found)
        if live and live.interface_ids:
            return str(live.interface_ids[0])
    return None


def elastic_of(overlay: Overlay, allocation_id: str | None) -> ElasticAddress | None:
    """The Elastic IP of an allocation."""
    for elastic in overlay.draft.single("elastic_addresses"):
        if allocation_id and elastic.allocation_id == allocation_id:
            found: ElasticAddress = elastic
            return found
    return None


def _put_elastic(overlay: Overlay, elastic: ElasticAddress) -> None:
    kept = [e for e in overlay.draft.single("elastic_addresses") if e.allocation_id != elastic.allocation_id]
    overlay.draft.set_single("elastic_addresses", (*kept, elastic), str(elastic.allocation_id))


def _associate(overlay: Overlay, elastic: ElasticAddress, interface_id: str | None, private: str | None) -> None:
    """Maps an Elastic IP to an interface's address, or to nothing (IG-05)."""
    draft = overlay.draft
    draft.public_address(elastic.interface_id, elastic.private_address, None)
    live = draft.get("interfaces", interface_id)
    address = ipv4_address(private) if private else None
    if live is not None and address is None:
        address = next((own.address for own in live.addresses if own.primary and own.address.version == 4), None)
    draft.public_address(interface_id, address, elastic.public_address)
    _put_elastic(overlay, replace(elastic, interface_id=interface_id, private_address=address))


def _remove_elastic(overlay: Overlay, planned: Planned) -> None:
    live = elastic_of(overlay, planned.old_id)
    if live is None:
        overlay.not_there(planned, f"Elastic IP {planned.old_id}")
        return
    overlay.draft.public_address(live.interface_id, live.private_address, None)
    kept = tuple(e for e in overlay.draft.single("elastic_addresses") if e != live)
    overlay.draft.set_single("elastic_addresses", kept, str(live.allocation_id))


def _elastic_association(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    allocation_id = new.reference("allocation_id", "address")
    live = elastic_of(overlay, allocation_id)
    if live is None:
        overlay.not_there(planned, f"Elastic IP {allocation_id}")
    else:
        interface_id = _interface_named(overlay, new, "network_interface_id", "instance_id")
        _associate(overlay, live, interface_id, new.text("private_ip_address"))


def _remove_elastic_association(overlay: Overlay, planned: Planned) -> None:
    assert planned.old is not None
    live = elastic_of(overlay, planned.old.text("allocation_id"))
    if live is None:
        overlay.not_there(planned, f"Elastic IP {planned.old.text('allocation_id')}")
    elif live.interface_id == (planned.old.text("network_interface_id") or live.interface_id):
        _associate(overlay, live, None, None)


# -- NAT gateways -----------------------------------------------------------------------------------------


def _nat(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    if not planned.made:
        if draft.get("nat_gateways", planned.id) is None:
            overlay.not_there(planned, f"NAT gateway {planned.id}")
        return  # secondary addresses: the primary one stands for all (docs/semantics.md 6.4)
    if new.text("availability_mode") == "regional":
        _regional_nat(overlay, planned)
        return
    subnet = _place(overlay, new)
    if subnet is None:
        overlay.undetermined(planned, "its subnet is not described: flows through it are UNKNOWN")
        return
    text = new.text("private_ip")
    elastic = elastic_of(overlay, _allocation(overlay, new))
    addressed = add_nat_gateway(
        draft,
        planned.id,
        subnet,
        public=new.text("connectivity_type") != "private",
        private_address=ipv4_address(text, "private_ip") if text else None,
        public_address=elastic.public_address if elastic else None,
        tags=tags_of(new),
    )
    if not addressed:
        overlay.undetermined(planned, "its address is known after apply, and rules tell addresses of its subnet apart")


def _allocation(overlay: Overlay, new: Block) -> str | None:
    """The Elastic IP of a NAT gateway. Of several that are all new, none: their addresses are made up alike."""
    if not new.known("allocation_id"):
        found = overlay.references.follow(new.instance, ("allocation_id",), KINDS["address"], new.values)
        if len(found.candidates) != 1 and found.complete and all(each.startswith(MADE) for each in found.candidates):
            return None
    return new.reference("allocation_id", "address")


def _regional_nat(overlay: Overlay, planned: Planned) -> None:
    """A regional gateway has no subnet; its own table is made with a route to the internet gateway (NG-02)."""
    new, draft = planned.new, overlay.draft
    assert new is not None
    vpc_id = new.required("vpc_id", "vpc")
    vpc = draft.get("vpcs", vpc_id)
    attached = [g.gateway_id for g in draft.table("internet_gateways").values() if vpc_id in g.vpc_ids]
    out = [Route(IPv4Network("0.0.0.0/0"), RouteTarget.INTERNET_GATEWAY, each) for each in attached]
    table_id = f"{planned.id}:route-table"
    draft.put("route_tables", RouteTable(table_id, vpc_id, (*local_routes(vpc), *out)))
    address = NatGatewayAddress(public_address=made_public_address(draft), primary=True)
    region = vpc.region if vpc else None
    nat = NatGateway(planned.id, vpc_id, None, "available", True, True, table_id, (address,), region, tags=tags_of(new))
    draft.put("nat_gateways", nat)


def _remove_nat(overlay: Overlay, planned: Planned) -> None:
    draft, live = overlay.draft, overlay.draft.get("nat_gateways", planned.old_id)
    if live is None:
        overlay.not_there(planned, f"NAT gateway {planned.old_id}")
        return
    for address in live.addresses:
        draft.remove("interfaces", address.interface_id or "")
    if live.route_table_id:
        draft.remove("route_tables", live.route_table_id)
    draft.remove("nat_gateways", live.nat_gateway_id)


APPLY = {
    "aws_network_interface": _interface,
    "aws_network_interface_attachment": _attachment,
    "aws_network_interface_sg_attachment": _group_attachment,
    "aws_instance": _instance,
    "aws_ec2_instance_state": _instance_state,
    "aws_eip": _elastic,
    "aws_eip_association": _elastic_association,
    "aws_nat_gateway": _nat,
    "aws_nat_gateway_eip_association": _stays,
}
REMOVE = {
    "aws_network_interface": _remove_interface,
    "aws_network_interface_attachment": _remove_attachment,
    "aws_network_interface_sg_attachment": _remove_group_attachment,
    "aws_instance": _remove_instance,
    "aws_ec2_instance_state": _stays,
    "aws_eip": _remove_elastic,
    "aws_eip_association": _remove_elastic_association,
    "aws_nat_gateway": _remove_nat,
    "aws_nat_gateway_eip_association": _stays,
}
