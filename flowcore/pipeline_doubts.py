"""Records whose REJECT may be of another packet than the one they show (FL-32, SG-25): what there is to know of them.

docs/semantics.md, section 7. `Doubts` is the slow writing; `pipeline_columns` has the fast one.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from .schema import STAGE_BITS, TCP, UDP
from .walk_rules import NetworkIndex

if TYPE_CHECKING:
    import polars as pl

    from .model import LoadBalancer, Network, NetworkInterface, Target, TargetGroup

#: Bits of `blocked_by`: a missing public mapping; the ACL of the receiver's subnet, there and back.
GATEWAY_BIT = 1 << STAGE_BITS["gateway"]
ACL_BITS = 1 << STAGE_BITS["destination-network-acl"] | 1 << STAGE_BITS["reply-destination-network-acl"]

#: What else than TCP alone a listener takes (NL-01).
_PROTOCOLS = {"UDP": (UDP,), "QUIC": (UDP,), "TCP_UDP": (TCP, UDP), "TCP_QUIC": (TCP, UDP)}


class Doubts:
    """What of a network makes records doubtful, looked up once."""

    def __init__(self, network: Network) -> None:
        import polars as pl

        self._mapped = pl.Series(
            [one for one in network.interfaces if has_public_address(network.interfaces[one])], dtype=pl.String
        )
        kept = {" ".join(map(str, key)): meets_acl for key, meets_acl in kept_targets(network).items()}
        self._kept = pl.Series(list(kept), dtype=pl.String)
        self._with_acl = pl.Series([key for key, meets_acl in kept.items() if meets_acl], dtype=pl.String)

    def of(self, records: pl.DataFrame, verdicts: pl.DataFrame) -> pl.Series:
        """Why a REJECT may be of another packet than the record's, as REASONS text, or null.

        ADDR_AMBIGUOUS: only a public mapping is missing, another address of the interface has one, and the record may
        be about that (FL-32). UNSUPPORTED_COMPONENT: it may have come by a Network Load Balancer that keeps the
        client's address (SG-25, NL-09).
        """
        import polars as pl

        at_source = pl.col("interface_id") == pl.col("src_interface").cast(pl.String)
        at_destination = pl.col("interface_id") == pl.col("dst_interface").cast(pl.String)
        unmapped = (pl.col("reason") == "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS") & at_destination
        unmapped |= (pl.col("reason") == "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS") & at_source
        nothing_else = pl.col("blocked_by") == pl.lit(GATEWAY_BIT, dtype=pl.UInt32)
        mapped = pl.col("interface_id").is_in(self._mapped.implode())
        swapped, egress = pl.col("swapped"), pl.col("direction") == "egress"
        receives = (egress == swapped) & pl.when(swapped).then("own_src").otherwise("own_dst")
        port = pl.when(swapped).then("srcport").otherwise("dstport")
        target = pl.concat_str("interface_id", "protocol", port, separator=" ")
        kept, meets_acl = target.is_in(self._kept.implode()), target.is_in(self._with_acl.implode())
        by_acl = (pl.col("blocked_by") & pl.lit(ACL_BITS, dtype=pl.UInt32)) != 0
        both = pl.concat([records, verdicts], how="horizontal")
        return both.select(
            pl.when(pl.col("unjudged").is_not_null() | (pl.col("verdict") != "REJECT"))
            .then(None)
            .when(pl.col("addresses_ambiguous") & unmapped & nothing_else & mapped)
            .then(pl.lit("ADDR_AMBIGUOUS"))
            .when(receives & kept & ~(meets_acl & by_acl))
            .then(pl.lit("UNSUPPORTED_COMPONENT"))
        ).to_series()


def has_public_address(interface: NetworkInterface) -> bool:
    """Whether a public address is mapped to one of its own (IG-05)."""
    return any(own.public_address for own in interface.addresses)


def kept_targets(network: Network) -> dict[tuple[str, int, int], bool]:
    """(interface, protocol, port) -> whether a packet to it may come by a Network Load Balancer that keeps the client's
    address (NL-05, NL-06) and always meets the ACL of the interface's subnet then (NL-10, NA-05)."""
    index, found = NetworkIndex(network), dict[tuple[str, int, int], bool]()
    for balancer in network.load_balancers.values():
        if balancer.kind != "network":
            continue
        subnets = {network.interfaces[one].subnet_id for one in balancer.interface_ids if one in network.interfaces}
        for listener in balancer.listeners or ():
            protocols = _PROTOCOLS.get(listener.protocol, (TCP,))
            groups = (network.target_groups.get(name) for name in listener.target_group_ids)
            for group in groups:
                if group is None or not _is_kept(group):
                    continue
                for target in group.targets or ():
                    port = group.port if target.port is None else target.port
                    for end in _interfaces_of(index, balancer, group, target):
                        for key in ((end.interface_id, protocol, port) for protocol in protocols if port is not None):
                            found[key] = found.get(key, True) and end.subnet_id not in subnets
    return found


def _is_kept(group: TargetGroup) -> bool:
    if group.target_type == "alb" or group.preserve_client_ip is None:
        return group.target_type != "ip" or group.protocol not in ("TCP", "TLS")
    return group.preserve_client_ip


def _interfaces_of(
    index: NetworkIndex, balancer: LoadBalancer, group: TargetGroup, target: Target
) -> list[NetworkInterface]:
    """The interfaces a target stands for: those of its address in the load balancer's VPC and its peers (NL-07)."""
    network, ids = index.network, tuple[str, ...]()
    if group.target_type == "ip":
        try:
            owners = index.owners(ip_address(target.target_id))
        except ValueError:
            return []
        pairs = [(one.requester_vpc_id, one.accepter_vpc_id) for one in network.peering_connections.values()]
        near = {balancer.vpc_id}.union(*(pair for pair in pairs if balancer.vpc_id in pair))
        return [owner for owner in owners if owner.vpc_id in near]
    if group.target_type == "alb" and target.target_id in network.load_balancers:
        ids = network.load_balancers[target.target_id].interface_ids
    elif target.target_id in network.instances:
        ids = network.instances[target.target_id].interface_ids[:1]
    return [network.interfaces[one] for one in ids if one in network.interfaces]
