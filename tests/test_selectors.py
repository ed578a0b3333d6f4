"""What `--from` and `--to` name, and the flow between two ends."""

from __future__ import annotations

import pytest
from walk_networks import IP, N, address, allow, by_id, interface, interfaces, network, with_interfaces, with_rules

from flowcore.errors import InputError
from flowcore.model import Instance, LoadBalancer, Network, Vpc
from flowcore.selectors import EPHEMERAL_PORT, flow_between, other_receiver, select
from flowcore.walk import explain

ARN = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app"


def tagged() -> Network:
    changes = with_interfaces(
        interface("eni-twin", "subnet-z", "10.0.0.10", vpc_id="vpc-2"),
        a={"instance_id": "i-web", "tags": {"Name": "web"}},
        a2={"instance_id": "i-web"},
        b={"tags": {"Role": "db"}, "description": "ELB app/other/50dc6c495c0c9188"},
    )
    instances = by_id("instance_id", Instance("i-web", tags={"Role": "web"}), Instance("i-gone"))
    balancers = by_id(
        "load_balancer_id",
        LoadBalancer(f"{ARN}/front/1", "front", "application", interface_ids=("eni-b", "eni-a2")),
        LoadBalancer(f"{ARN}/back/1", "back", "application"),
    )
    vpcs = {**network().vpcs, "vpc-2": Vpc("vpc-2")}
    return network(**changes, instances=instances, load_balancers=balancers, vpcs=vpcs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eni-b", ["eni-b"]),
        ("i-web", ["eni-a", "eni-a2"]),
        ("front", ["eni-a2", "eni-b"]),  # the nodes of a load balancer
        (f"{ARN}/front/1", ["eni-a2", "eni-b"]),
        ("other", ["eni-b"]),  # only its interface is described
        ("10.0.1.20", ["eni-b"]),
        ("52.0.0.10", ["eni-a"]),
        ("10.0.0.0/24", ["eni-a", "eni-a2", "eni-twin"]),
        ("52.0.0.0/24", ["eni-a", "eni-b"]),
        ("10.0.99.9", [None]),
        ("9.9.9.9", [None]),
        ("9.9.9.0/24", [None]),
        ("internet", [None]),
        ("tag:Role=web", ["eni-a", "eni-a2"]),
        ("tag:Role=db", ["eni-b"]),
        ("2600:1f00:0:1::20", ["eni-b"]),
    ],
)
def test_select(text, expected):
    assert [end.interface_id for end in select(tagged(), text)] == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.0.0.10", "name one: eni-a in vpc-1, eni-twin in vpc-2"),
        ("back", "no described interface is a node of this load balancer"),
        (f"{ARN}/fromt/1", f"near matches: {ARN}/front/1"),
        ("fron", "near matches: front"),
        ("eni-bb", "near matches: eni-b"),
        ("i-gone", "no described interface belongs to this instance"),
        ("web", "use tag:Name=web, or eni-a"),
        ("vpc-1", "10.0.0.0/16"),
        ("subnet-b", "10.0.1.0/24"),
        ("tag:Role", "expected tag:Key=Value"),
        ("tag:Role=bd", "values of Role: db"),
        ("tag:Rol=db", "tag keys in use: Role"),
        ("10.0.200.0/24", "it lies in a VPC"),
        ("nonsense", "expected an interface id"),
        ("300.1.1.1/8", "expected an interface id"),
    ],
)
def test_what_is_wrong_is_said(text, says):
    with pytest.raises(InputError) as error:
        select(tagged(), text)
    assert says in str(error.value)


def test_the_internet_is_an_address_that_nothing_makes_special():
    (end,) = select(network(), "internet")
    assert (str(end.address), end.label) == ("8.8.8.8", "internet (8.8.8.8 stands for it)")
    assert [address.version for address in end.addresses] == [4, 6]
    special = network(**with_rules(allow("sgr-dns", True, 17, (53, 53), cidr_block=N("8.8.8.8/32"))))
    assert str(select(special, "internet")[0].address) == "1.1.1.1"
    mapped = network(**with_interfaces(interface("eni-m", "subnet-a", address("10.0.0.77", "8.8.8.8"))))
    assert str(select(mapped, "internet")[0].address) == "1.1.1.1"
    assert select(special, "internet") == select(special, "internet")


def between(net: Network, source: str, destination: str, protocol="tcp", **more) -> dict:
    return flow_between(net, select(net, source)[0], select(net, destination)[0], protocol, **more)


def test_flow_between_interfaces():
    asked = between(network(), "eni-a", "eni-b", destination_port=443)
    assert asked == {
        **{"srcaddr": "10.0.0.10", "dstaddr": "10.0.1.20", "srcport": EPHEMERAL_PORT, "dstport": 443, "protocol": 6},
        **{"src_interface_id": "eni-a", "icmp_type": None, "icmp_code": None},
    }
    assert explain(network(), asked).verdict == "ACCEPT"


def test_flow_from_the_internet_goes_to_the_public_address():
    asked = between(network(), "internet", "eni-a", destination_port=443)
    assert (asked["srcaddr"], asked["dstaddr"], asked["src_interface_id"]) == ("8.8.8.8", "52.0.0.10", None)
    assert between(network(), "internet", "eni-a2", destination_port=443)["dstaddr"] == "10.0.0.11"
    assert between(network(), "eni-a", "internet", destination_port=443)["dstaddr"] == "8.8.8.8"


def test_flow_family_is_shared():
    asked = between(network(), "2600:1f00::10", "eni-b", destination_port=443)
    assert (asked["srcaddr"], asked["dstaddr"]) == ("2600:1f00::10", "2600:1f00:0:1::20")
    assert between(network(), "2600:1f00::10", "internet", destination_port=1)["dstaddr"] == "2001:4860:4860::8888"
    with pytest.raises(InputError, match="no address family in common"):
        between(network(), "2600:1f00::10", "eni-a2", destination_port=443)


def test_flow_protocols():
    ping = between(network(), "eni-a", "eni-b", "ICMP", icmp_type=8, icmp_code=0, destination_port=7)
    assert (ping["protocol"], ping["srcport"], ping["dstport"], ping["icmp_type"]) == (1, None, None, 8)
    assert between(network(), "eni-a", "eni-b", 47)["protocol"] == 47
    with pytest.raises(InputError, match="needs a destination port"):
        between(network(), "eni-a", "eni-b", "udp")
    for bad in ("tpc", "256", -1):
        with pytest.raises(InputError, match="unknown protocol"):
            between(network(), "eni-a", "eni-b", bad, destination_port=1)


def test_a_request_has_code_0() -> None:
    assert between(network(), "eni-a", "eni-b", "icmp", icmp_type=8)["icmp_code"] == 0
    assert between(network(), "eni-a", "eni-b", "icmpv6", icmp_type=128)["icmp_code"] == 0
    assert between(network(), "eni-a", "eni-b", "icmp", icmp_type=8, icmp_code=5)["icmp_code"] == 5
    assert between(network(), "eni-a", "eni-b", "icmp", icmp_type=3)["icmp_code"] is None
    assert between(network(), "eni-a", "eni-b", "icmp")["icmp_code"] is None


def test_another_interface_has_the_address_in_the_vpc_of_the_source() -> None:
    net = tagged()  # eni-twin of another VPC has the address of eni-a
    twin = select(net, "eni-twin")[0]
    flow = flow_between(net, select(net, "eni-a2")[0], twin, "tcp", destination_port=443)
    path = explain(net, flow)
    found = other_receiver(net, twin, path.verdict, flow, (path.src_interface, path.dst_interface))
    assert "does not come to eni-twin: seen from vpc-1, 10.0.0.10 is eni-a" in str(found)
    eni_a = select(net, "eni-a")[0]
    assert other_receiver(net, eni_a, path.verdict, flow, (path.src_interface, path.dst_interface)) is None
    gone = other_receiver(net, twin, "ACCEPT", flow, ("eni-a2", None))
    assert "10.0.0.10 is not its address" in str(gone)
    assert other_receiver(net, twin, "REJECT", flow, ("eni-a2", None)) is None


def test_interface_without_addresses_is_an_error():
    with pytest.raises(InputError, match="has no address"):
        select(network(interfaces=by_id("interface_id", *interfaces(), interface("eni-0", "subnet-a"))), "eni-0")
    assert IP("10.0.0.10") == select(network(), "eni-a")[0].address
