"""Writes what the moto server describes as one JSON object: `python snapshot.py ENDPOINT FILE`."""

import json
import sys

import boto3

client = boto3.client(
    "ec2", endpoint_url=sys.argv[1], region_name="eu-west-1", aws_access_key_id="rig", aws_secret_access_key="rig"
)
CALLS = (
    "vpcs", "subnets", "route_tables", "network_acls", "security_groups", "security_group_rules", "internet_gateways",
    "nat_gateways", "network_interfaces", "addresses", "managed_prefix_lists",
)  # fmt: skip
answers = {}
for call in CALLS:
    answers |= getattr(client, f"describe_{call}")()
answers["ManagedPrefixListEntries"] = [
    {"PrefixListId": each["PrefixListId"],
     "Entries": client.get_managed_prefix_list_entries(PrefixListId=each["PrefixListId"])["Entries"]}
    for each in answers["PrefixLists"]
    if each["OwnerId"] != "AWS"
]  # fmt: skip
answers.pop("ResponseMetadata", None)
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(answers, file, default=str)
