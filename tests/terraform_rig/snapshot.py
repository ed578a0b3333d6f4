"""Writes what the moto server describes as one JSON object: `python snapshot.py ENDPOINT FILE`."""

import json
import sys

import boto3

EC2, ELB, CLASSIC = (
    boto3.client(
        service, endpoint_url=sys.argv[1], region_name="eu-west-1",
        aws_access_key_id="rig", aws_secret_access_key="rig",
    )
    for service in ("ec2", "elbv2", "elb")
)  # fmt: skip
CALLS = (
    "vpcs", "subnets", "route_tables", "network_acls", "security_groups", "security_group_rules", "internet_gateways",
    "nat_gateways", "network_interfaces", "addresses", "managed_prefix_lists", "instances",
)  # fmt: skip
answers = {}
for call in CALLS:
    answers |= getattr(EC2, f"describe_{call}")()
answers["ManagedPrefixListEntries"] = [
    {"PrefixListId": each["PrefixListId"],
     "Entries": EC2.get_managed_prefix_list_entries(PrefixListId=each["PrefixListId"])["Entries"]}
    for each in answers["PrefixLists"]
    if each["OwnerId"] != "AWS"
]  # fmt: skip
answers |= ELB.describe_load_balancers() | ELB.describe_target_groups() | CLASSIC.describe_load_balancers()
answers["LoadBalancerListeners"] = [
    {"LoadBalancerArn": arn, "Listeners": ELB.describe_listeners(LoadBalancerArn=arn)["Listeners"]}
    for arn in (each["LoadBalancerArn"] for each in answers["LoadBalancers"])
]
answers["LoadBalancerRules"] = [
    {"ListenerArn": each["ListenerArn"], "Rules": ELB.describe_rules(ListenerArn=each["ListenerArn"])["Rules"]}
    for wrapper in answers["LoadBalancerListeners"]
    for each in wrapper["Listeners"]
]
answers["LoadBalancerTargetHealth"] = [
    {
        "TargetGroupArn": each["TargetGroupArn"],
        "TargetHealthDescriptions": ELB.describe_target_health(TargetGroupArn=each["TargetGroupArn"])[
            "TargetHealthDescriptions"
        ],
    }
    for each in answers["TargetGroups"]
]
answers.pop("ResponseMetadata", None)
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(answers, file, default=str)
