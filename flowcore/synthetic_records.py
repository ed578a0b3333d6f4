"""Single records of describe-* JSON as the AWS CLI prints them, for the synthetic networks.

Each function returns one new dict. Optional parts are left out where the CLI leaves them out. Nothing here is random:
ids come from `Ids`, which gives the same ids for the same seed, in order of asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Record = dict[str, Any]
Documents = dict[str, list[Record]]

REGION = "us-east-1"
OWNER = "123456789012"
CREATED = "2026-01-05T09:00:00+00:00"
_MASK = (1 << 64) - 1


class Ids:
    """Ids of AWS's form (`eni-0` and 16 hex digits), all different, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._offset = _mixed(seed & _MASK)
        self._count = 0

    def __call__(self, prefix: str) -> str:
        """The next id with this prefix, e.g. `ids("eni")`."""
        self._count += 1
        return f"{prefix}-0{_mixed(self._count ^ self._offset):016x}"


def _mixed(value: int) -> int:
    """A 64-bit number mixed one-to-one (so that different counts give different ids)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31


def tags(name: str | None, **more: str) -> list[Record]:
    """A tag list with `Name` first."""
    pairs = ({"Name": name} if name else {}) | more
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def vpc(vpc_id: str, cidrs: Sequence[str], ipv6_cidrs: Sequence[str] = (), *, name: str | None = None) -> Record:
    """A VPC; the first of `cidrs` is the primary one."""
    record: Record = {
        "OwnerId": OWNER,
        "InstanceTenancy": "default",
        "CidrBlockAssociationSet": [
            {
                "AssociationId": f"vpc-cidr-assoc-{vpc_id[4:-2]}{i:02x}",
                "CidrBlock": cidr,
                "CidrBlockState": {"State": "associated"},
            }
            for i, cidr in enumerate(cidrs)
        ],
        "IsDefault": False,
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "VpcId": vpc_id,
        "State": "available",
        "CidrBlock": cidrs[0],
        "DhcpOptionsId": "dopt-0123456789abcdef0",
    }
    if ipv6_cidrs:
        record["Ipv6CidrBlockAssociationSet"] = [
            {
                "AssociationId": f"vpc-cidr-assoc-{vpc_id[4:-2]}{i + 128:02x}",
                "Ipv6CidrBlock": cidr,
                "Ipv6CidrBlockState": {"State": "associated"},
                "NetworkBorderGroup": REGION,
                "Ipv6Pool": "Amazon",
            }
            for i, cidr in enumerate(ipv6_cidrs)
        ]
    record["Tags"] = tags(name)
    return record


def subnet(
    subnet_id: str, vpc_id: str, cidr: str, ipv6_cidr: str | None = None, *, zone: str = "a", name: str | None = None
) -> Record:
    """A subnet in availability zone `zone` of the region."""
    ipv6: list[Record] = []
    if ipv6_cidr:
        ipv6.append(
            {
                "AssociationId": f"subnet-cidr-assoc-{subnet_id[7:]}",
                "Ipv6CidrBlock": ipv6_cidr,
                "Ipv6CidrBlockState": {"State": "associated"},
            }
        )
    return {
        "AvailabilityZoneId": f"use1-az{'abcdef'.index(zone) + 1}",
        "OwnerId": OWNER,
        "AssignIpv6AddressOnCreation": bool(ipv6_cidr),
        "Ipv6CidrBlockAssociationSet": ipv6,
        "SubnetArn": f"arn:aws:ec2:{REGION}:{OWNER}:subnet/{subnet_id}",
        "EnableDns64": False,
        "Ipv6Native": False,
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "SubnetId": subnet_id,
        "State": "available",
        "VpcId": vpc_id,
        "CidrBlock": cidr,
        "AvailableIpAddressCount": 200,
        "AvailabilityZone": REGION + zone,
        "DefaultForAz": False,
        "MapPublicIpOnLaunch": False,
        "Tags": tags(name),
    }


def route(destination: str, target: str, *, origin: str | None = None, state: str = "active") -> Record:
    """A route; the fields for destination and target follow from their form (RT-16).

    `target` is `local` or an id: igw-, vgw-, vpce-, nat-, tgw-, pcx-, eigw-, eni-, cagw-, lgw-, or an ARN.
    """
    record: Record = {}
    if destination.startswith("pl-"):
        record["DestinationPrefixListId"] = destination
    else:
        record["DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"] = destination
    fields = {
        "nat-": "NatGatewayId",
        "tgw-": "TransitGatewayId",
        "pcx-": "VpcPeeringConnectionId",
        "eigw-": "EgressOnlyInternetGatewayId",
        "eni-": "NetworkInterfaceId",
        "cagw-": "CarrierGatewayId",
        "lgw-": "LocalGatewayId",
        "arn:aws:networkmanager": "CoreNetworkArn",
        "arn:aws:odb": "OdbNetworkArn",
    }
    found = [name for prefix, name in fields.items() if target.startswith(prefix)]
    record[found[0] if found else "GatewayId"] = target
    record["Origin"] = origin or ("CreateRouteTable" if target == "local" else "CreateRoute")
    record["State"] = state
    return record


def route_table(
    table_id: str,
    vpc_id: str,
    routes: Iterable[Record],
    *,
    main: bool = False,
    subnet_ids: Iterable[str] = (),
    gateway_ids: Iterable[str] = (),
    name: str | None = None,
) -> Record:
    """A route table with its associations, all in state associated (RT-02)."""
    ends: list[Record] = [{"Main": True}] if main else []
    ends += [{"Main": False, "SubnetId": subnet_id} for subnet_id in subnet_ids]
    ends += [{"Main": False, "GatewayId": gateway_id} for gateway_id in gateway_ids]
    return {
        "Associations": [
            {
                "RouteTableAssociationId": f"rtbassoc-{table_id[4:-3]}{i:03x}",
                "RouteTableId": table_id,
                "AssociationState": {"State": "associated"},
                **end,
            }
            for i, end in enumerate(ends)
        ],
        "PropagatingVgws": [],
        "RouteTableId": table_id,
        "Routes": list(routes),
        "Tags": tags(name),
        "VpcId": vpc_id,
        "OwnerId": OWNER,
    }


def acl_entry(
    number: int,
    egress: bool,
    action: str,
    cidr: str,
    protocol: int = -1,
    ports: tuple[int, int] | None = None,
    icmp: tuple[int, int] | None = None,
) -> Record:
    """A network ACL entry; `icmp` is (type, code), -1 for all (NA-08)."""
    record: Record = {"Ipv6CidrBlock" if ":" in cidr else "CidrBlock": cidr, "Egress": egress}
    if icmp is not None:
        record["IcmpTypeCode"] = {"Code": icmp[1], "Type": icmp[0]}
    if ports is not None:
        record["PortRange"] = {"From": ports[0], "To": ports[1]}
    record.update(Protocol=str(protocol), RuleAction=action, RuleNumber=number)
    return record


def network_acl(
    acl_id: str,
    vpc_id: str,
    entries: Iterable[Record],
    *,
    default: bool = False,
    subnet_ids: Iterable[str] = (),
    ipv6: bool = True,
    name: str | None = None,
) -> Record:
    """A network ACL; the final denies 32767 (and 32768 with `ipv6`) are added (NA-03)."""
    final = [acl_entry(32767, egress, "deny", "0.0.0.0/0") for egress in (True, False)]
    if ipv6:
        final += [acl_entry(32768, egress, "deny", "::/0") for egress in (True, False)]
    return {
        "Associations": [
            {
                "NetworkAclAssociationId": f"aclassoc-{subnet_id[7:]}",
                "NetworkAclId": acl_id,
                "SubnetId": subnet_id,
            }
            for subnet_id in subnet_ids
        ],
        "Entries": [*entries, *final],
        "IsDefault": default,
        "NetworkAclId": acl_id,
        "Tags": tags(name),
        "VpcId": vpc_id,
        "OwnerId": OWNER,
    }


def group_rule(
    rule_id: str,
    group_id: str,
    egress: bool,
    protocol: str,
    ports: tuple[int, int],
    remote: str | Record,
    description: str | None = None,
) -> Record:
    """A row of describe-security-group-rules. `remote`: a CIDR, `pl-…`, `sg-…` or a whole ReferencedGroupInfo.

    `ports`: first and last port, or ICMP type and code; (-1, -1) for all.
    """
    record: Record = {
        "SecurityGroupRuleId": rule_id,
        "GroupId": group_id,
        "GroupOwnerId": OWNER,
        "IsEgress": egress,
        "IpProtocol": protocol,
        "FromPort": ports[0],
        "ToPort": ports[1],
    }
    if isinstance(remote, dict):
        record["ReferencedGroupInfo"] = remote
    elif remote.startswith("pl-"):
        record["PrefixListId"] = remote
    elif remote.startswith("sg-"):
        record["ReferencedGroupInfo"] = {"GroupId": remote, "UserId": OWNER}
    else:
        record["CidrIpv6" if ":" in remote else "CidrIpv4"] = remote
    if description:
        record["Description"] = description
    record["Tags"] = []
    return record


def security_group(group_id: str, vpc_id: str, name: str, rules: Iterable[Record], description: str = "") -> Record:
    """A row of describe-security-groups: `rules` (rows of `group_rule`) merged by protocol and ports (SG-05)."""
    merged: tuple[dict[Any, Record], dict[Any, Record]] = ({}, {})
    for rule in rules:
        protocol, ports = rule["IpProtocol"], (rule["FromPort"], rule["ToPort"])
        permissions = merged[rule["IsEgress"]]
        permission = permissions.get((protocol, ports))
        if permission is None:
            bounds = {} if protocol == "-1" else {"FromPort": ports[0], "ToPort": ports[1]}
            permission = {
                "IpProtocol": protocol,
                **bounds,
                "UserIdGroupPairs": [],
                "IpRanges": [],
                "Ipv6Ranges": [],
                "PrefixListIds": [],
            }
            permissions[protocol, ports] = permission
        _add_remote(permission, rule)
    return {
        "GroupId": group_id,
        "IpPermissionsEgress": list(merged[True].values()),
        "Tags": tags(name),
        "VpcId": vpc_id,
        "SecurityGroupArn": f"arn:aws:ec2:{REGION}:{OWNER}:security-group/{group_id}",
        "OwnerId": OWNER,
        "GroupName": name,
        "Description": description or name,
        "IpPermissions": list(merged[False].values()),
    }


def _add_remote(permission: Record, rule: Record) -> None:
    note = {"Description": rule["Description"]} if "Description" in rule else {}
    if "CidrIpv4" in rule:
        permission["IpRanges"].append({**note, "CidrIp": rule["CidrIpv4"]})
    elif "CidrIpv6" in rule:
        permission["Ipv6Ranges"].append({**note, "CidrIpv6": rule["CidrIpv6"]})
    elif "PrefixListId" in rule:
        permission["PrefixListIds"].append({**note, "PrefixListId": rule["PrefixListId"]})
    else:
        permission["UserIdGroupPairs"].append({**note, **rule["ReferencedGroupInfo"]})


def interface(
    interface_id: str,
    vpc_id: str,
    subnet_id: str,
    addresses: Sequence[tuple[str, str | None]],
    *,
    ipv6: Sequence[str] = (),
    groups: Sequence[tuple[str, str]] = (),
    instance_id: str | None = None,
    zone: str = "a",
    kind: str = "interface",
    description: str = "",
    name: str | None = None,
    number: int = 0,
) -> Record:
    """A network interface. `addresses`: (private, public or None), the primary first; `groups`: (id, name)."""
    private = []
    for i, (address, public) in enumerate(addresses):
        own: Record = {"Primary": i == 0, "PrivateIpAddress": address}
        if public:
            own = {"Association": _association(public), **own}
        private.append(own)
    managed = kind != "interface"
    attachment: Record = {
        "AttachTime": CREATED,
        "AttachmentId": f"eni-attach-{interface_id[4:]}",
        "DeleteOnTermination": not managed,
        "DeviceIndex": 1 if managed else 0,
        "InstanceOwnerId": "amazon-aws" if managed else OWNER,
        "Status": "attached",
    }
    if instance_id:
        attachment["InstanceId"] = instance_id
    record: Record = {
        "Attachment": attachment,
        "AvailabilityZone": REGION + zone,
        "Description": description,
        "Groups": [{"GroupId": group_id, "GroupName": group_name} for group_id, group_name in groups],
        "InterfaceType": kind,
        "Ipv6Addresses": [{"Ipv6Address": address, "IsPrimaryIpv6": False} for address in ipv6],
        "MacAddress": "02:" + ":".join(f"{number >> shift & 255:02x}" for shift in (32, 24, 16, 8, 0)),
        "NetworkInterfaceId": interface_id,
        "OwnerId": OWNER,
        "PrivateIpAddress": addresses[0][0],
        "PrivateIpAddresses": private,
        "RequesterManaged": managed,
        "SourceDestCheck": not managed,
        "Status": "in-use",
        "SubnetId": subnet_id,
        "TagSet": tags(name),
        "VpcId": vpc_id,
    }
    if addresses[0][1]:
        record["Association"] = _association(addresses[0][1])
    return record


def _association(public: str) -> Record:
    return {
        "AllocationId": f"eipalloc-{_mixed(number_of(public)):017x}",
        "AssociationId": f"eipassoc-{_mixed(number_of(public) + 1):017x}",
        "IpOwnerId": OWNER,
        "PublicDnsName": f"ec2-{public.replace('.', '-')}.compute-1.amazonaws.com",
        "PublicIp": public,
    }


def number_of(text: str) -> int:
    """A number made from the bytes of `text`, the same in every process."""
    return int.from_bytes(text.encode(), "big") % ((1 << 61) - 1)


def elastic_address(public: str, interface_id: str, private: str, instance_id: str | None) -> Record:
    """A row of describe-addresses, associated with an interface."""
    association = _association(public)
    record: Record = {"InstanceId": instance_id} if instance_id else {}
    return record | {
        "PublicIp": public,
        "AllocationId": association["AllocationId"],
        "AssociationId": association["AssociationId"],
        "Domain": "vpc",
        "NetworkInterfaceId": interface_id,
        "NetworkInterfaceOwnerId": OWNER,
        "PrivateIpAddress": private,
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": REGION,
    }


def reservation(
    ids: Ids, interface_record: Record, instance_id: str, name: str | None, state: str = "running"
) -> Record:
    """A reservation of one instance that has the given interface."""
    groups, private = interface_record["Groups"], interface_record["PrivateIpAddress"]
    codes = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
    return {
        "ReservationId": ids("r"),
        "OwnerId": OWNER,
        "Groups": [],
        "Instances": [
            {
                "Architecture": "x86_64",
                "NetworkInterfaces": [
                    {
                        "NetworkInterfaceId": interface_record["NetworkInterfaceId"],
                        "PrivateIpAddress": private,
                        "SubnetId": interface_record["SubnetId"],
                        "VpcId": interface_record["VpcId"],
                        "Status": "in-use",
                    }
                ],
                "SecurityGroups": [dict(group) for group in groups],
                "SourceDestCheck": interface_record["SourceDestCheck"],
                "Tags": tags(name),
                "InstanceId": instance_id,
                "ImageId": "ami-0123456789abcdef0",
                "State": {"Code": codes[state], "Name": state},
                "InstanceType": "m6i.large",
                "LaunchTime": CREATED,
                "Placement": {"AvailabilityZone": interface_record["AvailabilityZone"], "Tenancy": "default"},
                "SubnetId": interface_record["SubnetId"],
                "VpcId": interface_record["VpcId"],
                "PrivateIpAddress": private,
            }
        ],
    }


def internet_gateway(gateway_id: str, vpc_ids: Iterable[str], *, name: str | None = None) -> Record:
    """An internet gateway and what it is attached to."""
    return {
        "Attachments": [{"State": "available", "VpcId": vpc_id} for vpc_id in vpc_ids],
        "InternetGatewayId": gateway_id,
        "OwnerId": OWNER,
        "Tags": tags(name),
    }


def egress_only_gateway(gateway_id: str, vpc_ids: Iterable[str], *, name: str | None = None) -> Record:
    """An egress-only internet gateway and what it is attached to."""
    return {
        "Attachments": [{"State": "attached", "VpcId": vpc_id} for vpc_id in vpc_ids],
        "EgressOnlyInternetGatewayId": gateway_id,
        "Tags": tags(name),
    }


def nat_gateway(gateway_id: str, interface_record: Record, *, name: str | None = None) -> Record:
    """A public, zonal NAT gateway on an interface of type nat_gateway."""
    own = interface_record["PrivateIpAddresses"][0]
    address = {
        "NetworkInterfaceId": interface_record["NetworkInterfaceId"],
        "PrivateIp": own["PrivateIpAddress"],
        "IsPrimary": True,
        "Status": "succeeded",
    }
    if "Association" in own:
        address |= {"AllocationId": own["Association"]["AllocationId"], "PublicIp": own["Association"]["PublicIp"]}
    return {
        "CreateTime": CREATED,
        "NatGatewayAddresses": [address],
        "NatGatewayId": gateway_id,
        "State": "available",
        "SubnetId": interface_record["SubnetId"],
        "VpcId": interface_record["VpcId"],
        "Tags": tags(name),
        "ConnectivityType": "public",
    }


def peering(
    peering_id: str, requester: Record, accepter: Record, *, status: str = "active", accepter_region: str = REGION
) -> Record:
    """A peering connection between two VPC records; CIDRs only while active (PX-07)."""

    def end(record: Record, region: str) -> Record:
        info: Record = {"OwnerId": OWNER, "VpcId": record["VpcId"], "Region": region}
        if status == "active":
            info["CidrBlock"] = record["CidrBlock"]
            info["CidrBlockSet"] = [{"CidrBlock": own["CidrBlock"]} for own in record["CidrBlockAssociationSet"]]
        return info

    return {
        "AccepterVpcInfo": end(accepter, accepter_region),
        "RequesterVpcInfo": end(requester, REGION),
        "Status": {"Code": status, "Message": status.capitalize()},
        "Tags": [],
        "VpcPeeringConnectionId": peering_id,
    }


def prefix_list(list_id: str, name: str, family: int, size: int, owner: str = OWNER) -> Record:
    """A row of describe-managed-prefix-lists (entries come apart: `prefix_list_entries`)."""
    return {
        "PrefixListId": list_id,
        "AddressFamily": f"IPv{family}",
        "State": "create-complete",
        "PrefixListArn": f"arn:aws:ec2:{REGION}:{owner}:prefix-list/{list_id}",
        "PrefixListName": name,
        "MaxEntries": max(size, 1),
        "Version": 1,
        "Tags": [],
        "OwnerId": owner,
    }


def prefix_list_entries(list_id: str, cidrs: Iterable[str]) -> Record:
    """The wrapper that says whose answer of get-managed-prefix-list-entries this is."""
    return {"PrefixListId": list_id, "Entries": [{"Cidr": cidr} for cidr in cidrs]}
