"""VPCs, subnets, their gateways and Block Public Access of a plan."""

from __future__ import annotations

from dataclasses import replace

from ..changes_links import associate_acl, associate_table, attach, default_acl_of, vpc_defaults, with_cidrs
from ..model import BlockPublicAccessExclusion, BlockPublicAccessOptions, Gateway, Subnet, Vpc
from .terraform_values import Block, Overlay, Planned, is_open
from .values import BadValueError, ipv4_network, ipv6_network, region_of

__all__ = ["APPLY", "REMOVE"]

_GATEWAYS = {
    "aws_internet_gateway": "internet_gateways",
    "aws_internet_gateway_attachment": "internet_gateways",
    "aws_egress_only_internet_gateway": "egress_only_internet_gateways",
    "aws_vpn_gateway": "vpn_gateways",
    "aws_vpn_gateway_attachment": "vpn_gateways",
}


def tags_of(new: Block) -> dict[str, str]:
    """The tags of a resource; those of the provider too, where the plan tells them."""
    tags = new.values.get("tags_all")
    tags = tags if isinstance(tags, dict) else new.values.get("tags")
    return {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}


# -- VPCs -------------------------------------------------------------------------------------------------


def _vpc(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    if not new.known("cidr_block"):
        overlay.undetermined(planned, "cidr_block is known after apply: the VPC has no CIDR until then")
    if planned.made:
        cidr, ipv6 = new.text("cidr_block"), new.text("ipv6_cidr_block")
        vpc = Vpc(
            planned.id,
            (ipv4_network(cidr, "cidr_block"),) if cidr else (),
            (ipv6_network(ipv6, "ipv6_cidr_block"),) if ipv6 else (),
            region=overlay.region_of(new) or _only_region(overlay),
            described=bool(cidr),
            tags=tags_of(new),
        )
        draft.put("vpcs", vpc)
        vpc_defaults(draft, vpc, planned.id)
        return
    live = draft.get("vpcs", planned.id)
    if live is None:
        overlay.not_there(planned, f"VPC {planned.id}")
    elif planned.changed("ipv6_cidr_block"):
        before = planned.old.text("ipv6_cidr_block") if planned.old else None
        after = new.text("ipv6_cidr_block")
        blocks = [block for block in live.ipv6_cidr_blocks if not before or block != ipv6_network(before)]
        if after:
            blocks.append(ipv6_network(after, "ipv6_cidr_block"))
        with_cidrs(draft, replace(live, ipv6_cidr_blocks=tuple(dict.fromkeys(blocks))))


def _only_region(overlay: Overlay) -> str | None:
    regions = {vpc.region for vpc in overlay.draft.base.vpcs.values() if vpc.region}
    return regions.pop() if len(regions) == 1 else None


def _remove_vpc(overlay: Overlay, planned: Planned) -> None:
    """With a VPC go its default group, ACL and main table; what else is left in it keeps AWS from deleting it."""
    draft, vpc_id = overlay.draft, planned.old_id or ""
    if draft.get("vpcs", vpc_id) is None:
        overlay.not_there(planned, f"VPC {vpc_id}")
        return
    for kind, name in (
        ("security_groups", "group_id"),
        ("network_acls", "network_acl_id"),
        ("route_tables", "route_table_id"),
    ):
        for record in list(draft.table(kind).values()):
            if record.vpc_id == vpc_id:
                draft.remove(kind, getattr(record, name))
    left = [i.interface_id for i in draft.table("interfaces").values() if i.vpc_id == vpc_id]
    if left:
        message = f"the plan deletes {vpc_id}, but {len(left)} of its interfaces stay, {min(left)} for one"
        overlay.note("warning", "conflict", planned.address, message)
    for peering in list(draft.table("peering_connections").values()):
        if vpc_id in (peering.requester_vpc_id, peering.accepter_vpc_id):
            draft.remove("peering_connections", peering.peering_id)
    draft.remove("vpcs", vpc_id)


def _default_vpc(overlay: Overlay, planned: Planned) -> None:
    """aws_default_vpc, aws_default_subnet: adopts what there is; nothing that a packet could meet changes."""


def _cidr_association(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    vpc_id = new.reference("vpc_id", "vpc")
    live = overlay.draft.get("vpcs", vpc_id)
    if live is None:
        overlay.not_there(planned, f"a CIDR of VPC {vpc_id}")
    elif planned.changed("cidr_block", "ipv6_cidr_block"):
        cidr, ipv6 = new.text("cidr_block"), new.text("ipv6_cidr_block")
        if not cidr and not ipv6:
            overlay.undetermined(planned, "the CIDR is known after apply; it is left out")
        blocks = (*live.cidr_blocks, ipv4_network(cidr, "cidr_block")) if cidr else live.cidr_blocks
        blocks6 = (*live.ipv6_cidr_blocks, ipv6_network(ipv6, "ipv6_cidr_block")) if ipv6 else live.ipv6_cidr_blocks
        changed = replace(
            live, cidr_blocks=tuple(dict.fromkeys(blocks)), ipv6_cidr_blocks=tuple(dict.fromkeys(blocks6))
        )
        with_cidrs(overlay.draft, changed)


def _remove_cidr_association(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    live = overlay.draft.get("vpcs", old.text("vpc_id"))
    cidrs = {text for text in (old.text("cidr_block"), old.text("ipv6_cidr_block")) if text}
    if live is None or not cidrs <= {str(block) for block in live.blocks}:
        overlay.not_there(planned, f"CIDR {', '.join(sorted(cidrs))} of {old.text('vpc_id')}")
        return
    blocks = tuple(block for block in live.cidr_blocks if str(block) not in cidrs)
    blocks6 = tuple(block for block in live.ipv6_cidr_blocks if str(block) not in cidrs)
    with_cidrs(overlay.draft, replace(live, cidr_blocks=blocks, ipv6_cidr_blocks=blocks6))


# -- subnets ----------------------------------------------------------------------------------------------


def _subnet(overlay: Overlay, planned: Planned) -> None:
    new, draft = planned.new, overlay.draft
    assert new is not None
    live = None if planned.made else draft.get("subnets", planned.id)
    if live is None and not planned.made:
        overlay.not_there(planned, f"subnet {planned.id}")
        return
    if live is not None and not planned.changed("cidr_block", "ipv6_cidr_block"):
        return
    cidr, ipv6 = new.text("cidr_block"), new.text("ipv6_cidr_block")
    if not cidr and not new.known("cidr_block"):
        overlay.undetermined(planned, "cidr_block is known after apply: the subnet has none until then")
    ipv6_blocks = (ipv6_network(ipv6, "ipv6_cidr_block"),) if ipv6 else ()
    if live is not None:
        draft.put("subnets", replace(live, ipv6_cidr_blocks=ipv6_blocks))
        return
    vpc_id = new.required("vpc_id", "vpc")
    vpc = draft.get("vpcs", vpc_id)
    zone = new.text("availability_zone")
    region = (vpc.region if vpc else None) or region_of(zone)
    draft.put(
        "subnets",
        Subnet(
            planned.id,
            vpc_id,
            ipv4_network(cidr, "cidr_block") if cidr else None,
            ipv6_blocks,
            zone,
            new.text("availability_zone_id"),
            region=region,
            owner_id=vpc.owner_id if vpc else None,
            tags=tags_of(new),
        ),
    )
    associate_acl(draft, planned.id, default_acl_of(draft, vpc_id))


def _remove_subnet(overlay: Overlay, planned: Planned) -> None:
    draft, subnet_id = overlay.draft, planned.old_id or ""
    if draft.get("subnets", subnet_id) is None:
        overlay.not_there(planned, f"subnet {subnet_id}")
        return
    associate_acl(draft, subnet_id, None)
    associate_table(draft, subnet_id, None)
    draft.remove("subnets", subnet_id)


# -- gateways ---------------------------------------------------------------------------------------------


def _gateway(overlay: Overlay, planned: Planned) -> None:
    new, draft, kind = planned.new, overlay.draft, _GATEWAYS[planned.instance.type]
    assert new is not None
    if planned.made:
        vpc_id = new.reference("vpc_id", "vpc")
        if is_open(vpc_id):
            return  # which VPC it is attached to is not known: routes to it lead to nothing described
        vpc = draft.get("vpcs", vpc_id)
        region, owner = (vpc.region, vpc.owner_id) if vpc else (overlay.region_of(new) or _only_region(overlay), None)
        owner = owner if kind == "internet_gateways" else None
        draft.put(kind, Gateway(planned.id, (vpc_id,) if vpc_id else (), region, owner, tags_of(new)))
    elif draft.get(kind, planned.id) is None:
        overlay.not_there(planned, f"gateway {planned.id}")
    elif planned.changed("vpc_id"):
        _attach(overlay, planned, kind, planned.id, new.reference("vpc_id", "vpc"))


def _attach(overlay: Overlay, planned: Planned, kind: str, gateway_id: str, vpc_id: str | None) -> None:
    if overlay.draft.get(kind, gateway_id) is None:
        overlay.not_there(planned, f"the attachment of {gateway_id}")
    elif is_open(vpc_id):
        overlay.draft.remove(kind, gateway_id)
    else:
        attach(overlay.draft, kind, gateway_id, vpc_id)


def _remove_gateway(overlay: Overlay, planned: Planned) -> None:
    if not overlay.draft.remove(_GATEWAYS[planned.instance.type], planned.old_id or ""):
        overlay.not_there(planned, f"gateway {planned.old_id}")


def _gateway_attachment(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    kind = _GATEWAYS[planned.instance.type]
    name = "internet_gateway_id" if kind == "internet_gateways" else "vpn_gateway_id"
    gateway_id = new.reference(name, "gateway") or ""
    _attach(overlay, planned, kind, gateway_id, new.reference("vpc_id", "vpc"))


def _remove_gateway_attachment(overlay: Overlay, planned: Planned) -> None:
    old = planned.old
    assert old is not None
    kind = _GATEWAYS[planned.instance.type]
    name = "internet_gateway_id" if kind == "internet_gateways" else "vpn_gateway_id"
    gateway = overlay.draft.get(kind, old.text(name))
    if gateway is not None and gateway.vpc_ids == (old.text("vpc_id"),):
        attach(overlay.draft, kind, gateway.gateway_id, None)
    elif gateway is None:
        overlay.not_there(planned, f"the attachment of {old.text(name)}")


# -- Block Public Access ----------------------------------------------------------------------------------


def _block_options(overlay: Overlay, planned: Planned) -> None:
    assert planned.new is not None
    _set_options(overlay, planned, planned.new.text("internet_gateway_block_mode") or "off")


def _remove_block_options(overlay: Overlay, planned: Planned) -> None:
    _set_options(overlay, planned, "off")


def _set_options(overlay: Overlay, planned: Planned, mode: str) -> None:
    """The mode of the account in the resource's Region (BP-01)."""
    if mode not in ("off", "block-bidirectional", "block-ingress"):
        raise BadValueError(mode, "off, block-bidirectional or block-ingress", "internet_gateway_block_mode")
    block = planned.new or planned.old
    assert block is not None
    region = block.text("aws_region") or overlay.region_of(block) or _only_region(overlay)
    account = block.text("aws_account_id")
    kept = [
        each
        for each in overlay.draft.single("block_public_access")
        if not (each.region in (None, region) and account in (None, each.account))
    ]
    options = (*kept, BlockPublicAccessOptions(mode, region, account))
    ordered = tuple(sorted(options, key=lambda o: (o.account or "", o.region or "", o.mode)))
    overlay.draft.set_single("block_public_access", ordered, region or "")
    for kind in ("vpcs", "subnets"):  # a mode noted at the record itself was the account's
        for record_id, record in list(overlay.draft.table(kind).items()):
            if record.internet_gateway_block_mode and record.region in (None, region):
                overlay.draft.change_record(kind, record_id, internet_gateway_block_mode=None)


def _exclusion(overlay: Overlay, planned: Planned) -> None:
    new = planned.new
    assert new is not None
    if not planned.made:
        _remove_exclusion(overlay, planned)
    mode = new.text("internet_gateway_exclusion_mode") or ""
    if mode not in ("allow-bidirectional", "allow-egress"):
        raise BadValueError(mode, "allow-bidirectional or allow-egress", "internet_gateway_exclusion_mode")
    resource_id = new.reference("subnet_id", "subnet") or new.required("vpc_id", "vpc")
    exclusions = (
        *overlay.draft.single("block_public_access_exclusions"),
        BlockPublicAccessExclusion(resource_id, mode, "create-complete"),
    )
    ordered = tuple(sorted(exclusions, key=lambda e: (e.resource_id, e.state or "", e.mode)))
    overlay.draft.set_single("block_public_access_exclusions", ordered, resource_id)


def _remove_exclusion(overlay: Overlay, planned: Planned) -> None:
    assert planned.old is not None
    resource_id = planned.old.text("subnet_id") or planned.old.text("vpc_id")
    before = overlay.draft.single("block_public_access_exclusions")
    kept = tuple(each for each in before if each.resource_id != resource_id)
    if len(kept) == len(before):
        overlay.not_there(planned, f"the Block Public Access exclusion of {resource_id}")
    else:
        overlay.draft.set_single("block_public_access_exclusions", kept, resource_id or "")


APPLY = {
    "aws_vpc": _vpc,
    "aws_default_vpc": _default_vpc,
    "aws_vpc_ipv4_cidr_block_association": _cidr_association,
    "aws_vpc_ipv6_cidr_block_association": _cidr_association,
    "aws_subnet": _subnet,
    "aws_default_subnet": _default_vpc,
    "aws_internet_gateway": _gateway,
    "aws_egress_only_internet_gateway": _gateway,
    "aws_vpn_gateway": _gateway,
    "aws_internet_gateway_attachment": _gateway_attachment,
    "aws_vpn_gateway_attachment": _gateway_attachment,
    "aws_vpc_block_public_access_options": _block_options,
    "aws_vpc_block_public_access_exclusion": _exclusion,
}
REMOVE = {
    "aws_vpc": _remove_vpc,
    "aws_default_vpc": _default_vpc,
    "aws_vpc_ipv4_cidr_block_association": _remove_cidr_association,
    "aws_vpc_ipv6_cidr_block_association": _remove_cidr_association,
    "aws_subnet": _remove_subnet,
    "aws_default_subnet": _default_vpc,
    "aws_internet_gateway": _remove_gateway,
    "aws_egress_only_internet_gateway": _remove_gateway,
    "aws_vpn_gateway": _remove_gateway,
    "aws_internet_gateway_attachment": _remove_gateway_attachment,
    "aws_vpn_gateway_attachment": _remove_gateway_attachment,
    "aws_vpc_block_public_access_options": _remove_block_options,
    "aws_vpc_block_public_access_exclusion": _remove_exclusion,
}
