"""A stand-in for Terraform's AWS provider over a moto server, run by `terraform` itself; not imported by the tests.

Types are rows of a table: id prefix, attributes with their kinds (r required, o optional, c computed, ! replaces), and
functions over boto3. Only what the tests configure is there.
"""

import json
import os
import sys

import boto3
from tf import runner
from tf.iface import Provider, Resource
from tf.schema import Attribute, Schema
from tf.types import Bool, List, Number, Set, String, Unknown

EC2, ELB, CLASSIC = (
    boto3.client(
        service,
        endpoint_url=os.environ["RIG_ENDPOINT"],
        region_name="eu-west-1",
        aws_access_key_id="rig",
        aws_secret_access_key="rig",
    )
    for service in ("ec2", "elbv2", "elb")
)
S, N, B = String(), Number(), Bool()


class Obj:
    """An object type, which the package lacks."""

    def __init__(self, fields):
        self.fields = fields

    def encode(self, value):
        plain = value in (None, Unknown)
        return value if plain else {name: kind.encode(value.get(name)) for name, kind in self.fields.items()}

    def decode(self, value):
        plain = not isinstance(value, dict)
        return value if plain else {name: kind.decode(value.get(name)) for name, kind in self.fields.items()}

    def tf_type(self):
        return json.dumps(["object", {n: json.loads(kind.tf_type()) for n, kind in self.fields.items()}]).encode()

    def semantically_equal(self, one, other):
        return one == other


RULES = Set(
    Obj({"from_port": N, "to_port": N, "protocol": S, "cidr_blocks": List(S), "security_groups": Set(S), "self": B})
)
ROUTES = Set(Obj({"cidr_block": S, "gateway_id": S, "nat_gateway_id": S}))
ACTIONS = List(Obj({"type": S, "target_group_arn": S}))
CONDITIONS = List(Obj({"path_pattern": List(S)}))
LISTENERS = Set(Obj({"lb_port": N, "lb_protocol": S, "instance_port": N, "instance_protocol": S}))
ENTRIES = Set(Obj({"rule_no": N, "action": S, "protocol": S, "cidr_block": S, "from_port": N, "to_port": N}))


# -- what the functions share -----------------------------------------------------------------------------


def permissions(rules):
    for rule in rules or ():
        made = {"IpProtocol": rule["protocol"]}
        if rule["protocol"] != "-1":
            made |= {"FromPort": int(rule["from_port"]), "ToPort": int(rule["to_port"])}
        made["IpRanges"] = [{"CidrIp": cidr} for cidr in rule.get("cidr_blocks") or ()]
        made["UserIdGroupPairs"] = [{"GroupId": group} for group in rule.get("security_groups") or ()]
        yield made


def group_rules(group_id, direction, rules):
    """Makes `rules` all the rules of a direction."""
    found = EC2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    old = found["IpPermissions" if direction == "ingress" else "IpPermissionsEgress"]
    if old:
        getattr(EC2, f"revoke_security_group_{direction}")(GroupId=group_id, IpPermissions=old)
    new = list(permissions(rules))
    if new:
        getattr(EC2, f"authorize_security_group_{direction}")(GroupId=group_id, IpPermissions=new)


def target(values):
    names = {"gateway_id": "GatewayId", "nat_gateway_id": "NatGatewayId"}
    return {names[name]: values[name] for name in names if values.get(name)}


def table_routes(table_id, routes):
    for route in EC2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"][0]["Routes"]:
        if route.get("GatewayId") != "local":
            EC2.delete_route(RouteTableId=table_id, DestinationCidrBlock=route["DestinationCidrBlock"])
    for route in routes or ():
        EC2.create_route(RouteTableId=table_id, DestinationCidrBlock=route["cidr_block"], **target(route))


def acl_entries(acl_id, egress, entries):
    for entry in EC2.describe_network_acls(NetworkAclIds=[acl_id])["NetworkAcls"][0]["Entries"]:
        if entry["Egress"] == egress and entry["RuleNumber"] < 32767:
            EC2.delete_network_acl_entry(NetworkAclId=acl_id, RuleNumber=entry["RuleNumber"], Egress=egress)
    for entry in entries or ():
        acl_entry(acl_id, egress, entry["rule_no"], entry["action"], entry)


def acl_entry(acl_id, egress, number, action, values):
    ports = {"PortRange": {"From": int(values["from_port"]), "To": int(values["to_port"])}}
    EC2.create_network_acl_entry(
        NetworkAclId=acl_id,
        RuleNumber=int(number),
        Egress=egress,
        RuleAction=action,
        Protocol=values["protocol"],
        CidrBlock=values["cidr_block"],
        **(ports if values["protocol"] != "-1" else {}),
    )


def acl_subnets(acl_id, subnet_ids):
    """Puts the subnets under the ACL, and those it no longer has under the VPC's default one."""
    acls = EC2.describe_network_acls()["NetworkAcls"]
    vpc_id = next(acl["VpcId"] for acl in acls if acl["NetworkAclId"] == acl_id)
    default = next(acl["NetworkAclId"] for acl in acls if acl["VpcId"] == vpc_id and acl["IsDefault"])
    for acl in acls:
        for each in acl["Associations"]:
            mine, wanted = acl["NetworkAclId"] == acl_id, each["SubnetId"] in (subnet_ids or ())
            if mine != wanted:
                EC2.replace_network_acl_association(
                    AssociationId=each["NetworkAclAssociationId"], NetworkAclId=acl_id if wanted else default
                )


# -- one function per type: values -> what AWS fills in ---------------------------------------------------


def vpc(v):
    made = EC2.create_vpc(CidrBlock=v["cidr_block"])["Vpc"]["VpcId"]
    groups = EC2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [made]}])["SecurityGroups"]
    return {"id": made, "default_security_group_id": groups[0]["GroupId"]}


def subnet(v):
    zone = "eu-west-1" + "abc"[int(v["cidr_block"].split(".")[2]) % 3]  # moto draws one, and a load balancer needs two
    made = EC2.create_subnet(VpcId=v["vpc_id"], CidrBlock=v["cidr_block"], AvailabilityZone=zone)
    return {"id": made["Subnet"]["SubnetId"]}


def gateway(v):
    made = EC2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    EC2.attach_internet_gateway(InternetGatewayId=made, VpcId=v["vpc_id"])
    return {"id": made}


def group(v):
    made = EC2.create_security_group(GroupName=v["name"], Description="x", VpcId=v["vpc_id"])["GroupId"]
    group_rules(made, "ingress", v["ingress"] if isinstance(v["ingress"], list) else [])
    group_rules(made, "egress", v["egress"] if isinstance(v["egress"], list) else [])
    return {"id": made, "ingress": v["ingress"], "egress": v["egress"]}


def change_group(old, v):
    for direction in ("ingress", "egress"):
        if isinstance(v[direction], list) and v[direction] != old[direction]:
            group_rules(v["id"], direction, v[direction])


def rule(direction):
    def make(v):
        permission = {"IpProtocol": v["ip_protocol"], "IpRanges": [], "UserIdGroupPairs": []}
        if v["ip_protocol"] != "-1":
            permission |= {"FromPort": int(v["from_port"]), "ToPort": int(v["to_port"])}
        if v.get("cidr_ipv4"):
            permission["IpRanges"] = [{"CidrIp": v["cidr_ipv4"]}]
        if v.get("referenced_security_group_id"):
            permission["UserIdGroupPairs"] = [{"GroupId": v["referenced_security_group_id"]}]
        add = getattr(EC2, f"authorize_security_group_{direction}")
        made = add(GroupId=v["security_group_id"], IpPermissions=[permission])["SecurityGroupRules"][0]
        return {"id": made["SecurityGroupRuleId"], "security_group_rule_id": made["SecurityGroupRuleId"]}

    return make


def remove_rule(direction):
    def remove(v):
        take = getattr(EC2, f"revoke_security_group_{direction}")
        take(GroupId=v["security_group_id"], SecurityGroupRuleIds=[v["id"]])

    return remove


def acl(v):
    made = EC2.create_network_acl(VpcId=v["vpc_id"])["NetworkAcl"]["NetworkAclId"]
    for name, egress in (("ingress", False), ("egress", True)):
        acl_entries(made, egress, v[name] if isinstance(v[name], list) else [])
    acl_subnets(made, v["subnet_ids"] if isinstance(v["subnet_ids"], list) else [])
    return {"id": made}


def change_acl(old, v):
    for name, egress in (("ingress", False), ("egress", True)):
        if isinstance(v[name], list):
            acl_entries(v["id"], egress, v[name])
    if isinstance(v["subnet_ids"], list):
        acl_subnets(v["id"], v["subnet_ids"])


def acl_rule(v):
    acl_entry(v["network_acl_id"], bool(v["egress"]), v["rule_number"], v["rule_action"], v)
    return {"id": f"nacl-{v['network_acl_id']}-{int(v['rule_number'])}"}


def remove_acl_rule(v):
    EC2.delete_network_acl_entry(
        NetworkAclId=v["network_acl_id"], RuleNumber=int(v["rule_number"]), Egress=bool(v["egress"])
    )


def table(v):
    made = EC2.create_route_table(VpcId=v["vpc_id"])["RouteTable"]["RouteTableId"]
    table_routes(made, v["route"] if isinstance(v["route"], list) else [])
    return {"id": made}


def route(v):
    EC2.create_route(RouteTableId=v["route_table_id"], DestinationCidrBlock=v["destination_cidr_block"], **target(v))
    return {"id": f"r-{v['route_table_id']}"}


def change_route(old, v):
    EC2.replace_route(RouteTableId=v["route_table_id"], DestinationCidrBlock=v["destination_cidr_block"], **target(v))


def association(v):
    made = EC2.associate_route_table(RouteTableId=v["route_table_id"], SubnetId=v["subnet_id"])
    return {"id": made["AssociationId"]}


def address(v):
    made = EC2.allocate_address(Domain="vpc")
    return {"id": made["AllocationId"], "public_ip": made["PublicIp"]}


def nat(v):
    made = EC2.create_nat_gateway(SubnetId=v["subnet_id"], AllocationId=v["allocation_id"])["NatGateway"]
    return {"id": made["NatGatewayId"]}


def interface(v):
    made = EC2.create_network_interface(
        SubnetId=v["subnet_id"], PrivateIpAddress=v["private_ips"][0], Groups=sorted(v["security_groups"])
    )
    return {"id": made["NetworkInterface"]["NetworkInterfaceId"]}


def change_interface(old, v):
    EC2.modify_network_interface_attribute(NetworkInterfaceId=v["id"], Groups=sorted(v["security_groups"]))


def list_of(v):
    entries = [{"Cidr": each["cidr"]} for each in v["entry"]]
    made = EC2.create_managed_prefix_list(
        PrefixListName=v["name"], AddressFamily="IPv4", MaxEntries=10, Entries=entries
    )
    return {"id": made["PrefixList"]["PrefixListId"]}


def change_list(old, v):
    version = EC2.describe_managed_prefix_lists(PrefixListIds=[v["id"]])["PrefixLists"][0]["Version"]
    before, after = ({each["cidr"] for each in values["entry"]} for values in (old, v))
    EC2.modify_managed_prefix_list(
        PrefixListId=v["id"],
        CurrentVersion=version,
        AddEntries=[{"Cidr": cidr} for cidr in sorted(after - before)],
        RemoveEntries=[{"Cidr": cidr} for cidr in sorted(before - after)],
    )


def instance(v):
    made = EC2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=v["subnet_id"])["Instances"][0]
    return {"id": made["InstanceId"], "private_ip": made["PrivateIpAddress"]}


def balancer(v):
    made = ELB.create_load_balancer(Name=v["name"], Subnets=sorted(v["subnets"]), Type="application")
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    return {"id": arn, "arn": arn}


def change_balancer(old, v):
    ELB.set_subnets(LoadBalancerArn=v["id"], Subnets=sorted(v["subnets"]))


def target_group(v):
    made = ELB.create_target_group(
        Name=v["name"], Protocol=v["protocol"], Port=int(v["port"]), VpcId=v["vpc_id"], TargetType="instance"
    )
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    return {"id": arn, "arn": arn}


def actions(v, name):
    return [{"Type": each["type"], "TargetGroupArn": each["target_group_arn"]} for each in v[name]]


def listener(v):
    made = ELB.create_listener(
        LoadBalancerArn=v["load_balancer_arn"], Protocol=v["protocol"], Port=int(v["port"]),
        DefaultActions=actions(v, "default_action"),
    )  # fmt: skip
    arn = made["Listeners"][0]["ListenerArn"]
    return {"id": arn, "arn": arn}


def change_listener(old, v):
    default = actions(v, "default_action")
    ELB.modify_listener(ListenerArn=v["id"], Protocol=v["protocol"], Port=int(v["port"]), DefaultActions=default)


def listener_rule(v):
    conditions = [{"Field": "path-pattern", "Values": each["path_pattern"]} for each in v["condition"]]
    made = ELB.create_rule(
        ListenerArn=v["listener_arn"], Priority=int(v["priority"]), Conditions=conditions, Actions=actions(v, "action")
    )
    return {"id": made["Rules"][0]["RuleArn"]}


def change_listener_rule(old, v):
    ELB.modify_rule(RuleArn=v["id"], Actions=actions(v, "action"))


def registered(v):
    ELB.register_targets(TargetGroupArn=v["target_group_arn"], Targets=[{"Id": v["target_id"], "Port": int(v["port"])}])
    return {"id": f"{v['target_group_arn']}-{v['target_id']}"}


def remove_registered(v):
    ELB.deregister_targets(
        TargetGroupArn=v["target_group_arn"], Targets=[{"Id": v["target_id"], "Port": int(v["port"])}]
    )


def classic_listeners(v):
    return [
        {
            "Protocol": each["lb_protocol"], "LoadBalancerPort": int(each["lb_port"]),
            "InstanceProtocol": each["instance_protocol"], "InstancePort": int(each["instance_port"]),
        }
        for each in v["listener"]
    ]  # fmt: skip


def classic(v):
    CLASSIC.create_load_balancer(
        LoadBalancerName=v["name"], Listeners=classic_listeners(v), Subnets=sorted(v["subnets"])
    )
    made = {"id": v["name"], "instances": v["instances"]}
    if v["instances"]:
        CLASSIC.register_instances_with_load_balancer(
            LoadBalancerName=v["name"], Instances=[{"InstanceId": each} for each in v["instances"]]
        )
    return made


def change_classic(old, v):
    ports = [int(each["lb_port"]) for each in old["listener"]]
    CLASSIC.delete_load_balancer_listeners(LoadBalancerName=v["id"], LoadBalancerPorts=ports)
    CLASSIC.create_load_balancer_listeners(LoadBalancerName=v["id"], Listeners=classic_listeners(v))
    was, now = set(old["instances"] or ()), set(v["instances"] or ())
    for call, ids in (("deregister_instances_from", was - now), ("register_instances_with", now - was)):
        if ids:
            instances = [{"InstanceId": each} for each in sorted(ids)]
            getattr(CLASSIC, f"{call}_load_balancer")(LoadBalancerName=v["id"], Instances=instances)


def gone(call, name):
    return lambda v: getattr(EC2, call)(**{name: v["id"]})


def change_rule(old, v):
    fields = {"IpProtocol": v["ip_protocol"], "CidrIpv4": v.get("cidr_ipv4")}
    fields |= {"FromPort": int(v.get("from_port") or -1), "ToPort": int(v.get("to_port") or -1)}
    changed = {"SecurityGroupRuleId": v["id"], "SecurityGroupRule": fields}
    EC2.modify_security_group_rules(GroupId=v["security_group_id"], SecurityGroupRules=[changed])


ROW = {
    "security_group_id": (S, "r!"), "ip_protocol": (S, "r"), "from_port": (N, "o"), "to_port": (N, "o"),
    "cidr_ipv4": (S, "o"), "referenced_security_group_id": (S, "o"), "security_group_rule_id": (S, "c"),
}  # fmt: skip
TYPES = {
    "vpc": (vpc, None, gone("delete_vpc", "VpcId"), {"cidr_block": (S, "r!"), "default_security_group_id": (S, "c")}),
    "subnet": (subnet, None, gone("delete_subnet", "SubnetId"), {"vpc_id": (S, "r!"), "cidr_block": (S, "r!")}),
    "internet_gateway": (gateway, None, None, {"vpc_id": (S, "o!")}),
    "security_group": (group, change_group, gone("delete_security_group", "GroupId"), {
        "name": (S, "r!"), "vpc_id": (S, "r!"), "ingress": (RULES, "oc"), "egress": (RULES, "oc")}),
    "vpc_security_group_ingress_rule": (
        rule("ingress"), change_rule, remove_rule("ingress"), ROW),
    "vpc_security_group_egress_rule": (
        rule("egress"), change_rule, remove_rule("egress"), ROW),
    "network_acl": (acl, change_acl, gone("delete_network_acl", "NetworkAclId"), {
        "vpc_id": (S, "r!"), "subnet_ids": (Set(S), "oc"), "ingress": (ENTRIES, "oc"), "egress": (ENTRIES, "oc")}),
    "network_acl_rule": (acl_rule, None, remove_acl_rule, {
        "network_acl_id": (S, "r!"), "rule_number": (N, "r!"), "egress": (B, "o!"), "rule_action": (S, "r!"),
        "protocol": (S, "r!"), "cidr_block": (S, "o!"), "from_port": (N, "o!"), "to_port": (N, "o!")}),
    "route_table": (table, lambda old, v: table_routes(v["id"], v["route"]),
                    gone("delete_route_table", "RouteTableId"), {"vpc_id": (S, "r!"), "route": (ROUTES, "oc")}),
    "route": (route, change_route,
              lambda v: EC2.delete_route(
                  RouteTableId=v["route_table_id"], DestinationCidrBlock=v["destination_cidr_block"]),
              {"route_table_id": (S, "r!"), "destination_cidr_block": (S, "o!"), "gateway_id": (S, "o"),
               "nat_gateway_id": (S, "o")}),
    "route_table_association": (
        association,
        None,
        gone("disassociate_route_table", "AssociationId"),
        {"subnet_id": (S, "o!"), "route_table_id": (S, "r!")}),
    "eip": (address, None, None, {"domain": (S, "o"), "public_ip": (S, "c")}),
    "nat_gateway": (nat, None, gone("delete_nat_gateway", "NatGatewayId"), {
        "subnet_id": (S, "r!"), "allocation_id": (S, "o!")}),
    "network_interface": (interface, change_interface,
                          gone("delete_network_interface", "NetworkInterfaceId"),
                          {"subnet_id": (S, "r!"), "private_ips": (List(S), "o"), "security_groups": (Set(S), "o")}),
    "instance": (instance, None, lambda v: EC2.terminate_instances(InstanceIds=[v["id"]]), {
        "subnet_id": (S, "r!"), "private_ip": (S, "c")}),
    "lb": (balancer, change_balancer, lambda v: ELB.delete_load_balancer(LoadBalancerArn=v["id"]), {
        "name": (S, "r!"), "subnets": (Set(S), "r"), "arn": (S, "c")}),
    "lb_target_group": (target_group, None, lambda v: ELB.delete_target_group(TargetGroupArn=v["id"]), {
        "name": (S, "r!"), "protocol": (S, "r!"), "port": (N, "r!"), "vpc_id": (S, "r!"), "arn": (S, "c")}),
    "lb_listener": (listener, change_listener, lambda v: ELB.delete_listener(ListenerArn=v["id"]), {
        "load_balancer_arn": (S, "r!"), "protocol": (S, "r"), "port": (N, "r"), "default_action": (ACTIONS, "r"),
        "arn": (S, "c")}),
    "lb_listener_rule": (
        listener_rule,
        change_listener_rule,
        lambda v: ELB.delete_rule(RuleArn=v["id"]),
        {"listener_arn": (S, "r!"), "priority": (N, "r!"), "action": (ACTIONS, "r"), "condition": (CONDITIONS, "r!")}),
    "lb_target_group_attachment": (registered, None, remove_registered, {
        "target_group_arn": (S, "r!"), "target_id": (S, "r!"), "port": (N, "r!")}),
    "elb": (classic, change_classic, lambda v: CLASSIC.delete_load_balancer(LoadBalancerName=v["id"]), {
        "name": (S, "r!"), "subnets": (Set(S), "r!"), "instances": (Set(S), "o"), "listener": (LISTENERS, "r")}),
    "ec2_managed_prefix_list": (list_of, change_list, gone("delete_managed_prefix_list", "PrefixListId"), {
        "name": (S, "r"), "address_family": (S, "r!"), "entry": (Set(Obj({"cidr": S})), "o")}),
}  # fmt: skip


def resource(name, make, change, remove, attributes):
    class Standin(Resource):
        def __init__(self, provider):
            pass

        @classmethod
        def get_name(cls):
            return name

        @classmethod
        def get_schema(cls):
            made = [Attribute("id", S, computed=True)]
            made += [
                Attribute(n, kind, required="r" in f, optional="o" in f, computed="c" in f, requires_replace="!" in f)
                for n, (kind, f) in attributes.items()
            ]
            return Schema(version=1, attributes=made)

        def create(self, ctx, planned):
            values = {**planned, **make(planned)}
            empty = {n: [] for n in ("ingress", "egress", "route", "subnet_ids") if values.get(n) is Unknown}
            return {**values, **empty}

        def read(self, ctx, current):
            return current

        def update(self, ctx, current, planned):
            known = {n: current.get(n) if value is Unknown else value for n, value in planned.items()}
            return {**known, **(change(current, known) or {})}

        def delete(self, ctx, current):
            if remove:
                remove(current)

    return Standin


class Standins(Provider):
    def get_model_prefix(self):
        return "aws_"

    def get_provider_schema(self, diags):
        return Schema(version=1, attributes=[])

    def full_name(self):
        return "registry.terraform.io/hashicorp/aws"

    def validate_config(self, diags, config):
        pass

    def configure_provider(self, diags, config):
        pass

    def get_data_sources(self):
        return []

    def get_resources(self):
        return [resource(name, *row) for name, row in TYPES.items()]

    def get_functions(self):
        return []


runner.run_provider(Standins(), sys.argv)
