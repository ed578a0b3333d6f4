"""The words of verdicts: every code, and every column that enters or leaves, defined once.

The order of the code tuples is part of the kernels' tables and of written datasets: append, never reorder.
This module imports nothing but the standard library; polars dtypes are given by name and resolved where used.
"""

from __future__ import annotations

from dataclasses import dataclass

VERDICTS: tuple[str, ...] = ("ACCEPT", "REJECT", "UNKNOWN")

#: Stage -> bit in `blocked_by`: forward 0-16, reply 17-28 (ST-01..ST-03). A stage stands for all places of its kind on
#: the way; the `middle-` ones for what stands between the first subnet and the last (docs/semantics.md, section 6).
#: The order of this mapping is that of the stage codes: append only.
STAGE_BITS: dict[str, int] = {
    "source": 0,
    "source-dest-check": 1,
    "source-security-group": 2,
    "source-network-acl": 3,
    "route": 4,
    "gateway": 5,
    "destination-network-acl": 14,
    "destination-security-group": 15,
    "destination": 16,
    "reply-destination-network-acl": 17,
    "reply-route": 18,
    "reply-gateway": 19,
    "reply-source-network-acl": 28,
    "load-balancer": 6,
    "nat-gateway": 7,
    "transit-gateway": 8,
    "peering": 9,
    "middle-interface": 10,
    "middle-network-acl": 11,
    "middle-route": 12,
    "middle-security-group": 13,
    "reply-load-balancer": 20,
    "reply-nat-gateway": 21,
    "reply-transit-gateway": 22,
    "reply-peering": 23,
    "reply-middle-interface": 24,
    "reply-middle-network-acl": 25,
    "reply-middle-route": 26,
}
STAGES: tuple[str, ...] = tuple(STAGE_BITS)

PATHS: tuple[str, ...] = (
    "subnet",
    "vpc",
    "service",
    "internet",
    "nat",
    "load-balancer",
    "peering",
    "transit-gateway",
    "vpn",
    "gateway-endpoint",
    "gateway-load-balancer",
    "appliance",
    "carrier-gateway",
    "local-gateway",
    "core-network",
    "odb-network",
    "unknown",
)

#: Reachability Analyzer's codes first (those a verdict may carry), then the ones that vocabulary lacks.
REASONS: tuple[str, ...] = (
    "BAD_STATE",
    "BAD_STATE_ATTACHMENT",
    "BAD_STATE_ROUTE",
    "BAD_STATE_VPN",
    "ELB_ACL_RESTRICTION",
    "ELB_INSTALLED_AZ_RESTRICTION",
    "ELB_LISTENER_PORT_RESTRICTION",
    "ELB_LISTENERS_MISMATCH",
    "ELB_NOT_CROSSZONE",
    "ELBV2_LISTENER_HAS_NO_TG",
    "ELBV2_LISTENER_PORT_RESTRICTION",
    "ELBV2_LISTENER_REQUIRES_TG_ACCEPT",
    "ELBV2_LISTENERS_MISMATCH",
    "ELBV2_NO_TARGETS_IN_AZ",
    "ELBV2_SOURCE_ADDRESS_PRESERVATION",
    "ENI_ADDRESS_RESTRICTION",
    "ENI_SG_RULES_MISMATCH",
    "ENI_SOURCE_DEST_CHECK_RESTRICTION",
    "FIREWALL_RULES_RESTRICTION",
    "GATEWAY_REJECTS_SPOOFED_TRAFFIC",
    "IGW_DESTINATION_ADDRESS_IN_VPC_CIDRS",
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS",
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS",
    "IGW_NAT_REFLECTION",
    "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS",
    "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
    "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS",
    "IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS",
    "INGRESS_RTB_NO_PUBLIC_IP",
    "INGRESS_RTB_TRAFFIC_REDIRECTION",
    "NGW_REQUIRES_SOURCE_IN_VPC",
    "NO_POSSIBLE_DESTINATION",
    "NO_ROUTE_TO_DESTINATION",
    "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR",
    "PROTOCOL_RESTRICTION",
    "REGIONAL_NGW_ROUTE_AZ_RESTRICTION",
    "SG_HAS_NO_RULES",
    "SG_REFERENCES_NOT_PRESERVED",
    "SG_REFERENCING_SUPPORT",
    "SUBNET_ACL_RESTRICTION",
    "TARGET_ADDRESS_RESTRICTION",
    "TARGET_PORT_RESTRICTION",
    "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION",
    "TGW_ATTACH_VPC_AZ_RESTRICTION",
    "TGW_BAD_STATE_VPN",
    "TGW_ROUTE_AZ_RESTRICTION",
    "TGW_RTB_BAD_STATE_ROUTE",
    "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT",
    "TGW_RTB_ROUTES_ARE_UNKNOWN",
    "UNKNOWN_DESTINATION",
    "UNKNOWN_PEERED_SGS",
    "UNKNOWN_RESOURCE",
    "VGW_PRIVATE_IP_ASSOCIATION_FOR_EGRESS",
    "VGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS",
    "VPC_BLOCK_PUBLIC_ACCESS_ENABLED",
    "VPCE_GATEWAY_EGRESS_SOURCE_ADDRESS_RESTRICTION",
    "VPCE_GATEWAY_PROTOCOL_RESTRICTION",
    "VPCE_INTRA_VPC_TRAFFIC",
    "VPCE_SERVICE_NOT_INSTALLED_IN_AZ",
    "DISCONNECTED_VPCS",
    "NO_PATH",
    "NO_SOURCE_OR_DESTINATION",
    "UNASSOCIATED_COMPONENT",
    "UNSUPPORTED_COMPONENT",
    # ours
    "ICMP_TYPE_UNKNOWN",
    "INITIATOR_UNKNOWN",
    "ADDR_AMBIGUOUS",
    "AMBIGUOUS_PREFIX_LIST_ROUTE",
    "MISSING_PREFIX_LIST",
    "ASYMMETRIC_RETURN",
    "HEALTH_CHECK_BLOCKED",
    "FRAGMENT_UNSUPPORTED",
    "NAT_PORTS_EXHAUSTED",
    "UNFILTERED_SERVICE",
    "STATEFUL_REPLY",
    "SAME_SUBNET",
    "INVALID_FLOW",
    "DENY_ALL_IGW_TRAFFIC",
    "NO_DATA",
    "MAX_HOPS_EXCEEDED",
    "PATH_THROUGH_GWLB_NOT_CHECKED",
    "REMAP_EPHEMERAL_PORT",
)

DIRECTIONS: tuple[str, ...] = ("ingress", "egress")
ACTIONS: tuple[str, ...] = ("ACCEPT", "REJECT")

#: How the initiator of a log record was found (FL-61, FL-62).
INITIATORS: tuple[str, ...] = (
    "source-by-flags",
    "destination-by-flags",
    "source-by-port",
    "destination-by-port",
    "unknown",
    "source-assumed",  # ICMP and other protocols without ports
    "source-by-earlier",  # an earlier record of the same interface and 5-tuple had SYN
    "destination-by-earlier",
    "source-by-reverse",  # the record of the other direction had
    "destination-by-reverse",
)

#: Where on a conversation's way a record was made (FL-33…36).
RECORD_PLACES: tuple[str, ...] = (
    "end",
    "nat-gateway",
    "transit-gateway",
    "load-balancer",
    "endpoint",
    "appliance",
    "unknown",
)

#: Interface types (of the description, and of the field interface-type) that stand in the middle -> their place.
MIDDLE_TYPES: dict[str, str] = {
    "nat_gateway": "nat-gateway",
    "regional_nat_gateway": "nat-gateway",
    "transit_gateway": "transit-gateway",
    "load_balancer": "load-balancer",
    "classic_load_balancer": "load-balancer",
    "network_load_balancer": "load-balancer",
    "gateway_load_balancer": "load-balancer",
    "vpc_endpoint": "endpoint",
    "gateway_load_balancer_endpoint": "endpoint",
}

#: The rule columns, in the order a conversation meets them, with the stage whose rule they name.
RULE_STAGES: dict[str, str] = {
    "src_sg_rule": "source-security-group",
    "src_acl_rule": "source-network-acl",
    "route": "route",
    "dst_acl_rule": "destination-network-acl",
    "dst_sg_rule": "destination-security-group",
    "reply_dst_acl_rule": "reply-destination-network-acl",
    "reply_route": "reply-route",
    "reply_src_acl_rule": "reply-source-network-acl",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, type, meaning, and what null means. `type` is a word, not a dtype."""

    name: str
    type: str
    doc: str
    null: str = "never null"
    required: bool = False


FLOW_COLUMNS: tuple[Column, ...] = (
    Column("srcaddr", "address", "Address of the end that opens the conversation.", required=True),
    Column("dstaddr", "address", "Address it opens the conversation to.", required=True),
    Column("srcport", "port", "Source port, 0-65535.", null="protocol has no ports", required=True),
    Column("dstport", "port", "Destination port, 0-65535.", null="protocol has no ports", required=True),
    Column("protocol", "protocol", "IANA protocol number 0-255, or its name.", required=True),
    Column("src_interface_id", "string", "Interface the flow starts from.", null="found by address"),
    Column("icmp_type", "integer", "ICMP type 0-255 of the opening packet.", null="not known"),
    Column("icmp_code", "integer", "ICMP code 0-255 of the opening packet.", null="not known"),
)

VERDICT_COLUMNS: tuple[Column, ...] = (
    Column("verdict", "enum VERDICTS", "The conversation: there and back."),
    Column("forward", "enum VERDICTS", "From the initiator to the responder."),
    Column("reply", "enum VERDICTS", "Back again.", null="forward is not ACCEPT, or no reply exists"),
    Column("reason", "enum REASONS", "What stops it first, or why it is UNKNOWN.", null="plainly accepted"),
    Column("stage", "enum STAGES", "Where that is.", null="accepted"),
    Column("blocked_by", "uint32", "Bit mask (STAGE_BITS) of every stage that would stop it, both directions."),
    Column("path", "enum PATHS", "The kind of way the flow takes.", null="no way was found"),
    Column("src_interface", "dictionary string", "Interface it starts from.", null="outside the network"),
    Column("dst_interface", "dictionary string", "Interface it goes to.", null="outside the network"),
    *(
        Column(
            name,
            "dictionary string",
            f"Rule that decided at stage {stage}.",
            null="not reached, no rule, or no such stage",
        )
        for name, stage in RULE_STAGES.items()
    ),
    Column("targets", "uint16", "Targets behind the load balancer it goes to.", null="not to a load balancer"),
    Column("reachable_targets", "uint16", "Those reached, there and back.", null="not to a load balancer"),
)

LOG_VERDICT_COLUMNS: tuple[Column, ...] = (
    Column("direction", "enum DIRECTIONS", "Of the record at its interface (FL-60).", null="not decidable"),
    Column("initiator", "enum INITIATORS", "How the opening end was found (FL-61, FL-62)."),
    Column("predicted_action", "enum VERDICTS", "What AWS would have logged at that interface (FL-43)."),
    Column("agrees", "bool", "Whether it did.", null="prediction UNKNOWN or no action logged"),
    Column("observed_at", "enum RECORD_PLACES", "Where on the way the record was made (FL-36)."),
    Column("addresses_ambiguous", "bool", "Its addresses may not be those of the packet (FL-32)."),
)

#: Names of IP protocols (IANA) accepted in place of a number; AWS's own spellings included.
PROTOCOL_NUMBERS: dict[str, int] = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipip": 4, "ipv4": 4, "st": 5, "tcp": 6, "egp": 8, "igp": 9,
    "udp": 17, "dccp": 33, "ipv6": 41, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ipv6-icmp": 58,
    "icmp6": 58, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": 132, "udplite": 136,
}  # fmt: skip

ANY_PROTOCOL = -1
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

#: ICMP request type -> type of its reply. Types not listed have no reply: the conversation is forward only.
ICMP_REPLIES: dict[int, int] = {8: 0, 13: 14, 15: 16, 17: 18}
ICMPV6_REPLIES: dict[int, int] = {128: 129}


def stage_names(blocked_by: int) -> list[str]:
    """The stages whose bits are set in `blocked_by`, by ascending bit: forward before reply."""
    return [name for bit, name in sorted((bit, name) for name, bit in STAGE_BITS.items()) if blocked_by >> bit & 1]
