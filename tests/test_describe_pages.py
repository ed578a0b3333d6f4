"""Answers in several pages: united where all are here, UNKNOWN where what is missing could decide."""

from __future__ import annotations

from typing import Any

import pytest
from describe_documents import issues
from partial_documents import (
    BALANCER,
    FAR,
    LISTENER,
    OUTSIDE,
    A,
    B,
    acl,
    balanced,
    documents,
    group,
    in_files,
    judged,
    permission,
    row,
    table,
    transit,
)

import flowcore as fc
from flowcore.errors import NetworkError

ACCEPT, UNREAD = ("ACCEPT", None), ("UNKNOWN", "UNKNOWN_RESOURCE")
CUT = {"NextToken": "more"}


def pages(key: str, owner: str, inner: str, *parts: list[Any], token: str = "NextToken") -> dict[str, Any]:
    """A wrapper of several pages, each but the last with a token."""
    found = [{key.split(":")[1]: owner, inner: part, token: "more"} for part in parts]
    del found[-1][token]
    return {key.split(":", maxsplit=1)[0]: found}


# -- answers about one thing ------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_sg28_entries_of_all_pages_are_one_list(order: int) -> None:
    own = [permission(PrefixListIds=[{"PrefixListId": "pl-1"}])]
    parts = [[{"Cidr": "10.0.1.0/24"}], [{"Cidr": "192.168.0.0/16"}]]
    wrapped = pages("ManagedPrefixListEntries:PrefixListId", "pl-1", "Entries", *parts)["ManagedPrefixListEntries"]
    described = documents(SecurityGroups=[group(IpPermissions=own)], ManagedPrefixListEntries=wrapped[::order])
    network = fc.network_from_documents(described)
    assert [str(block) for block in network.prefix_lists["pl-1"].cidr_blocks or ()] == ["10.0.1.0/24", "192.168.0.0/16"]
    assert judged(network) == ACCEPT
    assert not issues(network, "incomplete")
    cut = fc.network_from_documents(described | {"ManagedPrefixListEntries": wrapped[:1]})
    assert judged(cut) == ("UNKNOWN", "MISSING_PREFIX_LIST")
    assert issues(cut, "incomplete", "pl-1")[0].severity == "error"


def test_sg28_two_whole_answers_that_differ_are_not_united() -> None:
    wrapped = [{"PrefixListId": "pl-1", "Entries": [{"Cidr": cidr}]} for cidr in ("10.0.0.0/8", "192.168.0.0/16")]
    network = fc.network_from_documents(documents(ManagedPrefixListEntries=wrapped))
    assert [str(block) for block in network.prefix_lists["pl-1"].cidr_blocks or ()] == ["10.0.0.0/8"]
    assert issues(network, "duplicate", "pl-1")


@pytest.mark.parametrize("token", ["NextMarker", "NextToken"])
def test_al03_listeners_and_rules_of_all_pages(token: str) -> None:
    described = balanced()
    listener = described.pop("Listeners")[0]
    other = {**listener, "ListenerArn": f"{LISTENER}2", "Port": 8443}
    wrapped = pages("LoadBalancerListeners:LoadBalancerArn", BALANCER, "Listeners", [listener], [other], token=token)
    rules = described["LoadBalancerRules"][0]["Rules"]
    described |= pages("LoadBalancerRules:ListenerArn", LISTENER, "Rules", [], rules, token=token)
    whole = fc.network_from_documents(described | wrapped)
    assert [judged(whole, A, "10.0.1.20", port)[0] for port in (443, 8443)] == ["ACCEPT"] * 2
    assert whole.load_balancers[BALANCER].listeners is not None
    assert whole.load_balancers[BALANCER].listeners[0].complete
    assert not issues(whole, "incomplete")
    wrapped["LoadBalancerListeners"].pop()
    cut = fc.network_from_documents(described | wrapped)
    assert cut.load_balancers[BALANCER].listeners is None
    assert judged(cut, A, "10.0.1.20") == UNREAD
    described["LoadBalancerRules"].pop()
    cut = fc.network_from_documents(described | {"Listeners": [listener]})
    assert not (cut.load_balancers[BALANCER].listeners or ())[0].complete


def test_al03_plain_listeners_and_rules_that_were_cut() -> None:
    described = balanced()
    listeners, wrapped = described.pop("Listeners"), described.pop("LoadBalancerRules")
    rules = [{**wrapped[0]["Rules"][0], "RuleArn": f"{LISTENER.replace(':listener/', ':listener-rule/')}/1"}]
    network = in_files(described, a={"Listeners": listeners}, b={"Rules": rules})
    assert judged(network, A, "10.0.1.20") == ACCEPT
    network = in_files(described, a={"Listeners": listeners, "NextMarker": "more"}, b={"Rules": rules})
    assert judged(network, A, "10.0.1.20", 8443) == UNREAD
    assert [issue.resource for issue in issues(network, "incomplete")] == [BALANCER]
    other = [{**listeners[0], "LoadBalancerArn": "arn:other", "ListenerArn": "arn:other/1"}]
    network = in_files(
        described, a={"Listeners": listeners, "NextMarker": "more"}, b={"Rules": rules}, c={"Listeners": other}
    )
    assert judged(network, A, "10.0.1.20", 8443) == UNREAD, "the last page of another load balancer"
    refusing = described | {"SecurityGroups": [group(), group(GroupId="sg-2", IpPermissions=[])]}
    refusing["NetworkInterfaces"][1]["Groups"] = [{"GroupId": "sg-2"}]
    network = in_files(refusing, a={"Listeners": listeners}, b={"Rules": rules})
    assert judged(network, A, "10.0.1.20") == ("REJECT", "SG_HAS_NO_RULES")
    network = in_files(refusing, a={"Listeners": listeners}, b={"Rules": rules, "NextMarker": "more"})
    assert judged(network, A, "10.0.1.20") == UNREAD


# -- answers about many: the last page stands beside, or what could stand in is not known -------------------


def test_na01_a_default_acl_does_not_stand_in_for_a_lost_page() -> None:
    first, second = acl("acl-1", "subnet-1", default=True), acl("acl-2", "subnet-2", action="deny")
    both = in_files(documents(), a={"NetworkAcls": [first], **CUT}, b={"NetworkAcls": [second]})
    assert judged(both) == ("REJECT", "SUBNET_ACL_RESTRICTION")
    assert not issues(both, "incomplete")
    lost = in_files(documents(), a={"NetworkAcls": [first], **CUT})
    assert judged(lost) == UNREAD
    assert lost.acl_of("subnet-1", "vpc-1") is not None
    (issue,) = issues(lost, "incomplete")
    assert (issue.severity, issue.resource) == ("error", "a.json")
    assert "NetworkAcls" in issue.message


def test_na01_folders_are_cut_one_by_one() -> None:
    described = documents()
    answers = {key: described.pop(key) for key in ("Vpcs", "NetworkAcls")}
    answers["NetworkAcls"] = [acl("acl-1", "subnet-1", default=True)]
    other = {"NetworkAcls": [acl("acl-9", default=True) | {"VpcId": "vpc-9"}]}
    here = in_files(described, **{"eu-west-1__a": answers, "us-east-1__b": {**other, **CUT}})
    assert judged(here) == ACCEPT
    there = in_files(described, **{"eu-west-1__a": {**answers, **CUT}, "us-east-1__b": other})
    assert judged(there) == UNREAD


def test_rt01_a_main_table_does_not_stand_in_for_a_lost_page() -> None:
    tables = [table("rtb-main", {"Main": True}, GatewayId="igw-1")]
    whole = in_files(documents(), a={"RouteTables": tables})
    assert judged(whole, A, OUTSIDE) == ACCEPT
    assert judged(in_files(documents(), a={"RouteTables": tables, **CUT}), A, OUTSIDE) == UNREAD


def test_na01_rt01_assumed_defaults_stand_in_for_a_lost_page() -> None:
    described = documents(NetworkAcls=[acl("acl-1", "subnet-1", default=True)])
    cut = [("a.json", {"NetworkAcls": described.pop("NetworkAcls"), **CUT}), ("rest.json", described)]
    assert judged(fc.network_from_documents(cut)) == UNREAD
    network = fc.network_from_documents(cut, assume_defaults=True)
    assert judged(network) == ACCEPT
    assert "NetworkAcls" in issues(network, "assumed-default", "vpc-1")[0].message


def test_sg01_groups_of_which_only_some_rows_are_known() -> None:
    described = documents(SecurityGroups=None)
    rows = [row("sgr-1", True), row("sgr-2", False, IpProtocol="tcp", FromPort=22, ToPort=22)]
    whole = in_files(described, a={"SecurityGroupRules": rows})
    assert [judged(whole, port=port)[0] for port in (22, 443)] == ["ACCEPT", "REJECT"]
    cut = in_files(described, a={"SecurityGroupRules": rows, **CUT})
    assert [judged(cut, port=port) for port in (22, 443)] == [ACCEPT, UNREAD]
    assert issues(cut, "incomplete", "sg-1")
    covered = in_files(documents(), a={"SecurityGroupRules": rows[:1], **CUT})
    assert judged(covered) == ACCEPT
    assert not issues(covered, "conflict")


def test_ig12_an_internet_gateway_may_be_on_a_lost_page() -> None:
    described = documents(InternetGateways=[])
    assert judged(fc.network_from_documents(described), OUTSIDE, A)[0] == "UNKNOWN"  # a route names it
    described["RouteTables"] = described["RouteTables"][:1]
    assert judged(fc.network_from_documents(described), OUTSIDE, A) == ("REJECT", "NO_PATH")
    assert judged(in_files(described, a={"InternetGateways": [], **CUT}), OUTSIDE, A) == UNREAD


def test_tg02_an_attachment_or_a_table_may_be_on_a_lost_page() -> None:
    described = transit()
    assert judged(fc.network_from_documents(described), B, FAR) == ACCEPT
    attachments, vpc_attachments, tables = (
        described[f"TransitGateway{name}"] for name in ("Attachments", "VpcAttachments", "RouteTables")
    )
    first = {"TransitGatewayAttachments": attachments[1:], "TransitGatewayVpcAttachments": vpc_attachments[1:]}
    assert judged(in_files(described, a=first), B, FAR) == UNREAD  # the route is active, so there is one (RT-13)
    assert judged(in_files(described, a={**first, **CUT}), B, FAR) == UNREAD
    only = {"TransitGatewayAttachments": None, "TransitGatewayVpcAttachments": vpc_attachments[1:], **CUT}
    assert judged(in_files(described, a=only), B, FAR) == UNREAD
    first = {"TransitGatewayAttachments": attachments[1:]}
    assert judged(in_files(described, a=first), B, FAR) == ("REJECT", "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION")
    assert judged(in_files(described, a={**first, **CUT}), B, FAR) == ("UNKNOWN", "TGW_RTB_ROUTES_ARE_UNKNOWN")
    attachments[0]["Association"] = {"TransitGatewayRouteTableId": "tgw-rtb-9"}
    whole, cut = ({"TransitGatewayRouteTables": tables, **token} for token in ({}, CUT))
    for given in (whole, cut):  # a table that an attachment names is there, described or not
        assert judged(in_files(described, a=given), B, FAR) == ("UNKNOWN", "TGW_RTB_ROUTES_ARE_UNKNOWN")


def test_tg03_a_route_may_be_on_a_lost_page() -> None:
    described = transit()
    (whole,) = described["TransitGatewayRoutes"]
    pages = [{**whole, "Routes": whole["Routes"][:1], **CUT}, {**whole, "Routes": whole["Routes"][1:]}]
    assert judged(fc.network_from_documents(described | {"TransitGatewayRoutes": pages}), B, FAR) == ACCEPT
    lost = fc.network_from_documents(described | {"TransitGatewayRoutes": pages[:1]})
    assert judged(lost, B, FAR) == ("UNKNOWN", "TGW_RTB_ROUTES_ARE_UNKNOWN")


@pytest.mark.parametrize("name", ["b.json", "pages/b.json"])
def test_pages_of_boto3_in_order(name: str) -> None:
    first, second = acl("acl-1", "subnet-1", default=True), acl("acl-2", "subnet-2")
    answers = [{"NetworkAcls": [first], **CUT}, {"NetworkAcls": [second]}]
    described = documents(NetworkAcls=None)
    network = fc.network_from_documents([*enumerate(answers), (name, described)])  # type: ignore[list-item]
    assert judged(network) == ACCEPT
    assert not issues(network, "incomplete")


@pytest.mark.parametrize("given", [[documents()], [("a.json",)], "ab", [None]])
def test_documents_without_their_names_are_refused(given: Any) -> None:
    with pytest.raises(NetworkError, match="not a source name with its answer"):
        fc.network_from_documents(given)
