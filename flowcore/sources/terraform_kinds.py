"""Types of resources: the order they are applied in, and which a flow could meet though they are not modelled."""

from __future__ import annotations

__all__ = ["LEAVES", "RANKS", "is_network_type", "not_modelled"]


def _types(text: str) -> list[str]:
    return [f"aws_{name}" for name in text.split()]


#: Types in the order they are applied: each after what it needs to be there.
_ORDER = _types(
    """
    vpc default_vpc vpc_ipv4_cidr_block_association vpc_ipv6_cidr_block_association
    vpc_block_public_access_options ec2_managed_prefix_list ec2_managed_prefix_list_entry
    subnet default_subnet
    internet_gateway internet_gateway_attachment egress_only_internet_gateway vpn_gateway vpn_gateway_attachment
    vpc_block_public_access_exclusion
    security_group default_security_group security_group_rule
    vpc_security_group_ingress_rule vpc_security_group_egress_rule vpc_security_group_rules_exclusive
    vpc_security_group_vpc_association
    network_acl default_network_acl network_acl_rule network_acl_association
    vpc_peering_connection vpc_peering_connection_accepter vpc_peering_connection_options
    ec2_transit_gateway ec2_transit_gateway_route_table
    ec2_transit_gateway_vpc_attachment ec2_transit_gateway_vpc_attachment_accepter
    ec2_transit_gateway_peering_attachment ec2_transit_gateway_peering_attachment_accepter ec2_transit_gateway_connect
    vpn_connection vpn_connection_route
    ec2_transit_gateway_default_route_table_association ec2_transit_gateway_default_route_table_propagation
    ec2_transit_gateway_route_table_association ec2_transit_gateway_route_table_propagation
    ec2_transit_gateway_route ec2_transit_gateway_prefix_list_reference
    route_table default_route_table main_route_table_association route_table_association
    vpc_endpoint vpc_endpoint_route_table_association vpc_endpoint_subnet_association
    vpc_endpoint_security_group_association
    route vpn_gateway_route_propagation
    network_interface instance network_interface_attachment network_interface_sg_attachment
    ec2_instance_state eip eip_association nat_gateway nat_gateway_eip_association
    lb alb lb_target_group alb_target_group lb_listener alb_listener lb_listener_rule alb_listener_rule
    lb_target_group_attachment alb_target_group_attachment elb elb_attachment
    launch_template launch_configuration autoscaling_group autoscaling_attachment
    autoscaling_traffic_source_attachment
    """
)
RANKS = {name: rank for rank, name in enumerate(_ORDER)}

#: Types that are part of another object, or tie two together: they go before anything new is made.
LEAVES = frozenset(
    name
    for name in RANKS
    if name.endswith(("_rule", "_entry", "_association", "_attachment", "_propagation", "_route", "_reference"))
    and not name.endswith(("_vpc_attachment", "_peering_attachment"))
) | {"aws_vpc_block_public_access_exclusion"}

#: Beginnings of types that a flow could meet and that are not modelled.
_NOT_MODELLED = tuple(
    _types("""
    networkfirewall_ vpc_encryption_control vpc_route_server vpn_connection vpn_gateway dx_ networkmanager_
    vpclattice_ ec2_carrier_gateway ec2_local_gateway ec2_instance_connect_endpoint ec2_client_vpn
    ec2_transit_gateway customer_gateway elb globalaccelerator_ spot_fleet_request ec2_fleet
    vpc_endpoint_service vpc_security_group security_group network_acl network_interface
    default_ lb alb nat_gateway eip vpc subnet internet_gateway egress_only ec2_managed_prefix_list
    cloudformation_stack cloudcontrolapi_resource
    ec2_subnet_cidr_reservation ec2_network_insights eks_cluster spot_instance_request route53_resolver_firewall
    """)
)
#: Types that begin like those and say nothing about whether a packet arrives.
_HARMLESS = frozenset(
    _types("""
    vpc_dhcp_options vpc_dhcp_options_association default_vpc_dhcp_options lb_listener_certificate
    alb_listener_certificate lb_cookie_stickiness_policy lb_ssl_negotiation_policy lb_trust_store
    lb_trust_store_revocation vpc_endpoint_policy vpc_endpoint_connection_notification
    vpc_endpoint_service_allowed_principal vpc_network_performance_metric_subscription eip_domain_name
    vpc_ipam vpc_ipam_pool vpc_ipam_scope vpc_ipam_pool_cidr vpc_ipam_organization_admin_account
    vpc_ipam_preview_next_cidr vpc_ipam_resource_discovery vpc_ipam_resource_discovery_association
    vpc_ipam_pool_cidr_allocation vpc_endpoint_private_dns vpc_peering_connection_options
    ec2_network_insights_path ec2_network_insights_analysis
    """)
)


def is_network_type(name: str) -> bool:
    """Whether the type has a place in the order above."""
    return name in RANKS


def not_modelled(name: str) -> bool:
    """Whether a flow could meet resources of the type, though they are not modelled. False too for those that are."""
    return name not in _HARMLESS and name.startswith(_NOT_MODELLED)
