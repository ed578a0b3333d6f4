"""Reading load balancers: listeners, rules, weights, target groups, targets, nodes, Classic Load Balancers."""

from __future__ import annotations

from typing import Any

import pytest
from describe_documents import everything, issues, read, refused

from flowcore.model import Listener, LoadBalancer, Network, Target, TargetGroup

BASE = "arn:aws:elasticloadbalancing:eu-west-1:111122223333"
ALB = f"{BASE}:loadbalancer/app/web/50dc6c495c0c9188"
NLB = f"{BASE}:loadbalancer/net/tcp/60dc6c495c0c9199"
LISTENER = f"{BASE}:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
NLB_LISTENER = f"{BASE}:listener/net/tcp/60dc6c495c0c9199/f2f7dc8efc522ab3"


def group_arn(name: str) -> str:
    return f"{BASE}:targetgroup/{name}/73e2d6bc24d8a067"


A, B, C = (group_arn(name) for name in "abc")


def balancer(arn: str = ALB, kind: str = "application", **fields: Any) -> dict[str, Any]:
    record: dict[str, Any] = {
        "LoadBalancerArn": arn,
        "LoadBalancerName": arn.split("/")[2],
        "Type": kind,
        "Scheme": "internet-facing",
        "VpcId": "vpc-1",
        "State": {"Code": "active"},
        "AvailabilityZones": [{"ZoneName": "eu-west-1a", "SubnetId": "subnet-1", "LoadBalancerAddresses": []}],
        "SecurityGroups": ["sg-1"],
    }
    return record | fields


def forward(*groups: str | tuple[str, int]) -> dict[str, Any]:
    rows = [{"TargetGroupArn": g} if isinstance(g, str) else {"TargetGroupArn": g[0], "Weight": g[1]} for g in groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": rows}}


def listener(*actions: dict[str, Any], arn: str = LISTENER, port: int = 443, protocol: str = "HTTPS") -> dict[str, Any]:
    return {
        "ListenerArn": arn,
        "LoadBalancerArn": ALB if "/app/" in arn else NLB,
        "Port": port,
        "Protocol": protocol,
        "DefaultActions": list(actions),
    }


def rule(number: str, *actions: dict[str, Any], name: str = "9683b2d02a6cabee") -> dict[str, Any]:
    arn = LISTENER.replace(":listener/", ":listener-rule/") + f"/{name}{number}"
    return {"RuleArn": arn, "Priority": number, "Actions": list(actions), "IsDefault": number == "default"}


def group(arn: str = A, **fields: Any) -> dict[str, Any]:
    record = {"TargetGroupArn": arn, "TargetGroupName": arn.split("/")[1], "Protocol": "HTTP", "Port": 8080}
    return record | {"VpcId": "vpc-1", "TargetType": "instance", "HealthCheckPort": "traffic-port"} | fields


def health(arn: str, *targets: dict[str, Any]) -> dict[str, Any]:
    rows = [{"Target": target, "TargetHealth": {"State": "healthy"}} for target in targets]
    return {"TargetGroupArn": arn, "TargetHealthDescriptions": rows}


def attributes(key: str, arn: str, **values: str) -> dict[str, Any]:
    rows = [{"Key": name.replace("__", "."), "Value": value} for name, value in values.items()]
    return {key: arn, "Attributes": rows}


def one_balancer(**keys: Any) -> LoadBalancer:
    return read(**{"LoadBalancers": [balancer()], **keys}).load_balancers[ALB]


def one_listener(*actions: dict[str, Any], **keys: Any) -> Listener:
    listeners = one_balancer(Listeners=[listener(*actions)], **keys).listeners
    assert listeners is not None
    assert len(listeners) == 1
    return listeners[0]


def one_group(fields: dict[str, Any] | None = None, **keys: Any) -> TargetGroup:
    return read(**{"TargetGroups": [group(**fields or {})], **keys}).target_groups[A]


def node(number: int, description: str, kind: str = "interface", **fields: Any) -> dict[str, Any]:
    record = everything()["NetworkInterfaces"][0] | {
        "NetworkInterfaceId": f"eni-node-{number}",
        "PrivateIpAddress": f"10.0.1.{100 + number}",
        "PrivateIpAddresses": [{"PrivateIpAddress": f"10.0.1.{100 + number}", "Primary": True}],
        "Description": description,
        "InterfaceType": kind,
        "RequesterManaged": True,
    }
    for key in ("Association", "Ipv6Addresses", "Ipv4Prefixes", "Ipv6Prefixes", "Attachment"):
        del record[key]
    return record | fields


def test_lb08_the_address_type_of_a_target_group() -> None:
    assert one_group().ip_address_type == "ipv4"
    assert one_group({"IpAddressType": "ipv6"}).ip_address_type == "ipv6"
    assert one_group({"IpAddressType": "ipv4"}).ip_address_type == "ipv4"


def test_the_primary_ipv6_address_of_an_interface() -> None:
    interfaces = everything()["NetworkInterfaces"]
    rows = [{"Ipv6Address": "2001:db8::1"}, {"Ipv6Address": "2001:db8::2", "IsPrimaryIpv6": True}]
    interfaces[0]["Ipv6Addresses"] = rows
    found = read(NetworkInterfaces=interfaces).interfaces[interfaces[0]["NetworkInterfaceId"]]
    assert [own.primary for own in found.addresses if own.address.version == 6] == [False, True]


def nodes_of(network: Network) -> dict[str, tuple[str, ...]]:
    return {found.name: found.interface_ids for found in network.load_balancers.values()}


def test_a_load_balancer() -> None:
    found = one_balancer()
    assert (found.name, found.kind, found.internet_facing, found.vpc_id) == ("web", "application", True, "vpc-1")
    assert (found.state, found.subnet_ids, found.group_ids) == ("active", ("subnet-1",), ("sg-1",))
    assert (found.region, found.owner_id, found.listeners) == ("eu-west-1", "111122223333", None)
    bare = read(LoadBalancers=[{"LoadBalancerArn": NLB, "Type": "network"}]).load_balancers[NLB]
    assert (bare.name, bare.state, bare.group_ids, bare.internet_facing) == ("tcp", None, (), False)


def test_the_type_counts_and_not_the_arn() -> None:  # moto writes /app/ in all ARNs
    assert read(LoadBalancers=[balancer(ALB, "network")]).load_balancers[ALB].kind == "network"


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False), (None, None)])
def test_lb04_cross_zone(value: str | None, expected: bool | None) -> None:
    rows = [attributes("LoadBalancerArn", ALB, load_balancing__cross_zone__enabled=value)] if value else []
    found = one_balancer(LoadBalancerAttributes=rows)
    assert found.cross_zone is expected
    assert found.crosses_zones is (expected is not False)


# -- listeners --------------------------------------------------------------------------------------------


def test_listeners_in_both_forms_are_sorted() -> None:
    plain = listener(forward(A), arn=LISTENER + "0", port=80, protocol="HTTP")
    inner = listener(forward(B)) | {"LoadBalancerArn": None}
    wrapped = [{"LoadBalancerArn": ALB, "Listeners": [inner]}]
    found = one_balancer(Listeners=[plain], LoadBalancerListeners=wrapped).listeners
    assert [(each.port, each.protocol, each.target_group_ids) for each in found or ()] == [
        (80, "HTTP", (A,)),
        (443, "HTTPS", (B,)),
    ]
    assert one_balancer(LoadBalancerListeners=[{"LoadBalancerArn": ALB, "Listeners": []}]).listeners == ()


def test_al04_weight_0_is_left_out_unless_all_are_0() -> None:
    assert one_listener(forward((A, 0), (B, 1), (C, 999))).target_group_ids == (B, C)
    assert one_listener(forward((A, 0), (B, 0))).target_group_ids == (A, B)
    assert one_listener(forward(A, (B, 0))).target_group_ids == (A,)
    assert one_listener({"Type": "forward", "TargetGroupArn": C}).target_group_ids == (C,)
    both = forward((A, 0), (B, 1)) | {"TargetGroupArn": A}
    assert one_listener(both).target_group_ids == (B,)


def test_al04_rules_lead_on_in_order_of_priority() -> None:
    rules = [rule("20", forward(C, A)), rule("3", forward((B, 0), (C, 1))), rule("default", forward(A))]
    found = one_listener(forward(A), Rules=rules)
    assert found.target_group_ids == (A, C)
    assert found.complete
    wrapped = [{"ListenerArn": LISTENER, "Rules": [rule("20", forward(C)), rule("3", forward(B))]}]
    assert one_listener(forward(A), LoadBalancerRules=wrapped).target_group_ids == (A, B, C)


def test_al05_actions_that_end_at_the_load_balancer() -> None:
    redirect, fixed = {"Type": "redirect", "RedirectConfig": {}}, {"Type": "fixed-response"}
    checked = {"Type": "authenticate-oidc"}
    assert one_listener(redirect, Rules=[]).answers
    assert one_listener(fixed, Rules=[rule("1", forward(A))]).target_group_ids == (A,)
    assert not one_listener(checked, forward(A), Rules=[rule("default", forward(A))]).answers
    assert one_listener(forward(A), Rules=[rule("1", fixed)]).answers


def test_a_listener_whose_rules_are_not_described_is_not_complete() -> None:
    assert not one_listener(forward(A)).complete
    assert one_listener(forward(A), LoadBalancerRules=[{"ListenerArn": LISTENER, "Rules": []}]).complete
    keys = {"LoadBalancers": [balancer(NLB, "network")]}
    plain = [listener(forward(A), arn=NLB_LISTENER, port=53, protocol="TCP_UDP")]
    found = read(**keys, Listeners=plain).load_balancers[NLB].listeners
    assert found == (Listener(53, "TCP_UDP", (A,), NLB_LISTENER),)  # NL-01: default action only


def test_actions_that_are_not_known() -> None:
    network = read(LoadBalancers=[balancer()], Listeners=[listener({"Type": "teleport"})], Rules=[rule("default")])
    found = (network.load_balancers[ALB].listeners or ())[0]
    assert (found.complete, found.answers, found.target_group_ids) == (False, False, ())
    assert issues(network, "invalid-value", LISTENER)


def test_gw01_gateway_load_balancers_have_neither_port_nor_protocol() -> None:
    arn = f"{BASE}:loadbalancer/gwy/box/70dc6c495c0c9199"
    row = {"ListenerArn": "x", "LoadBalancerArn": arn, "DefaultActions": [forward(A)]}
    found = read(LoadBalancers=[balancer(arn, "gateway")], Listeners=[row]).load_balancers[arn].listeners
    assert found == (Listener(6081, "GENEVE", (A,), "x"),)


@pytest.mark.parametrize(
    ("keys", "resource"),
    [
        ({"Listeners": [{"ListenerArn": "arn:aws:globalaccelerator::1:accelerator/a/listener/b"}]}, "accelerator"),
        ({"Rules": [{"RuleArn": "arn:aws:events:eu-west-1:1:rule/a", "Priority": "1"}]}, "rule/a"),
        ({"Rules": [{"Name": "a"}]}, "Rules"),
        ({"LoadBalancerAttributes": {"CrossZoneLoadBalancing": {"Enabled": True}}}, "LoadBalancerAttributes"),
        ({"TargetHealthDescriptions": [{"Target": {"Id": "i-1"}}]}, "TargetHealthDescriptions"),
        ({"Attributes": [{"Key": "preserve_client_ip.enabled", "Value": "true"}]}, "Attributes"),
    ],
)
def test_answers_that_do_not_say_whose_they_are(keys: dict[str, Any], resource: str) -> None:
    found = issues(read(**keys), "incomplete")
    assert [resource in issue.resource for issue in found] == [True]


def test_answers_that_were_cut_are_not_used() -> None:
    wrapped = [{"LoadBalancerArn": ALB, "Listeners": [listener(forward(A))], "NextMarker": "more"}]
    network = read(LoadBalancers=[balancer()], LoadBalancerListeners=wrapped)
    assert network.load_balancers[ALB].listeners is None
    assert issues(network, "incomplete", ALB)[0].severity == "error"
    rules = [{"ListenerArn": LISTENER, "Rules": [rule("1", forward(B))], "NextMarker": "more"}]
    assert not one_listener(forward(A), LoadBalancerRules=rules).complete


# -- target groups ----------------------------------------------------------------------------------------


def test_a_target_group() -> None:
    found = one_group({"HealthCheckPort": "8081", "HealthCheckProtocol": "HTTP"})
    assert (found.target_type, found.protocol, found.port, found.vpc_id) == ("instance", "HTTP", 8080, "vpc-1")
    assert (found.health_check_port, found.health_check_protocol, found.name) == (8081, "HTTP", "a")
    assert (found.targets, found.preserve_client_ip, found.cross_zone) == (None, None, None)
    assert one_group().health_check_port is None
    lambda_group = one_group({"TargetType": "lambda", "Protocol": None, "Port": None, "VpcId": None})
    assert (lambda_group.protocol, lambda_group.port) == (None, None)


def test_nl05_attributes_of_a_target_group() -> None:
    rows = [attributes("TargetGroupArn", A, preserve_client_ip__enabled="false", stickiness__enabled="maybe")]
    found = one_group(TargetGroupAttributes=rows)
    assert (found.preserve_client_ip, found.cross_zone) == (False, None)
    own = [attributes("TargetGroupArn", A, load_balancing__cross_zone__enabled="true")]
    assert one_group(TargetGroupAttributes=own).cross_zone is True
    left = [attributes("TargetGroupArn", A, load_balancing__cross_zone__enabled="use_load_balancer_configuration")]
    assert one_group(TargetGroupAttributes=left).cross_zone is None


def test_targets_are_sorted_and_counted_once() -> None:
    rows = [
        health(A, {"Id": "i-2", "Port": 80}, {"Id": "i-1", "Port": 81, "AvailabilityZone": "eu-west-1a"}),
        health(A, {"Id": "i-1"}, {"Id": "i-2", "Port": 80}),
    ]
    assert one_group(LoadBalancerTargetHealth=rows).targets == (
        Target("i-1", None, None, "healthy"),
        Target("i-1", 81, "eu-west-1a", "healthy"),
        Target("i-2", 80, None, "healthy"),
    )
    assert one_group(LoadBalancerTargetHealth=[health(A)]).targets == ()


def test_targets_that_are_no_addresses() -> None:
    keys: dict[str, Any] = {"TargetGroups": [group(TargetType="ip")]}
    network = read(**keys, LoadBalancerTargetHealth=[health(A, {"Id": "10.0.1.10"}, {"Id": "i-1"})])
    assert network.target_groups[A].targets is None
    assert issues(network, "invalid-value", A)[0].severity == "error"
    fine = read(**keys, LoadBalancerTargetHealth=[health(A, {"Id": "10.0.1.10"}, {"Id": "2001:db8::1"})])
    assert len(fine.target_groups[A].targets or ()) == 2


# -- nodes (LB-01) ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["interface", "load_balancer"])
def test_lb01_nodes_of_an_application_load_balancer(kind: str) -> None:
    other = f"{BASE}:loadbalancer/app/web/0000000000000000"
    network = read(
        LoadBalancers=[balancer(), balancer(other, LoadBalancerName="other")],
        NetworkInterfaces=[
            node(2, "ELB app/web/50dc6c495c0c9188", kind),
            node(1, "ELB app/web/50dc6c495c0c9188", kind),
            node(3, "ELB app/web/0000000000000000", kind),
            node(4, "ELB app/web/50dc6c495c0c9188", kind, VpcId="vpc-2"),
            node(5, "ELB app/web/1111111111111111", kind),
        ],
    )
    assert nodes_of(network) == {"web": ("eni-node-1", "eni-node-2"), "other": ("eni-node-3",)}
    assert network.load_balancer_of["eni-node-2"].name == "web"
    assert {interface.interface_type for interface in network.interfaces.values()} >= {"load_balancer"}


def test_lb01_an_interface_that_only_claims_to_be_a_node_is_none() -> None:
    own = node(1, "ELB app/web/50dc6c495c0c9188", RequesterManaged=False)
    network = read(LoadBalancers=[balancer()], NetworkInterfaces=[own])
    assert nodes_of(network) == {"web": ()}
    assert network.interfaces["eni-node-1"].interface_type == "interface"


def test_lb01_nodes_of_a_network_load_balancer() -> None:
    addresses = [{"PrivateIPv4Address": "10.0.1.102"}, {"IpAddress": "203.0.113.77", "AllocationId": "eipalloc-1"}]
    zones = [{"SubnetId": "subnet-1", "LoadBalancerAddresses": addresses}]
    public = node(3, "", "network_load_balancer", Association={"PublicIp": "203.0.113.77"})
    network = read(
        LoadBalancers=[balancer(NLB, "network", AvailabilityZones=zones)],
        NetworkInterfaces=[
            node(1, "ELB net/tcp/60dc6c495c0c9199", "network_load_balancer"),
            node(2, "something", "network_load_balancer"),
            public,
            node(4, "something", "network_load_balancer"),
        ],
    )
    assert nodes_of(network) == {"tcp": ("eni-node-1", "eni-node-2", "eni-node-3")}


def test_lb01_the_nodes_of_a_network_load_balancer_that_moto_calls_application() -> None:
    network = read(
        LoadBalancers=[balancer(ALB, "network")], NetworkInterfaces=[node(1, "ELB net/web/50dc6c495c0c9188")]
    )
    assert nodes_of(network) == {"web": ("eni-node-1",)}
    assert network.interfaces["eni-node-1"].interface_type == "network_load_balancer"


# -- Classic Load Balancers -------------------------------------------------------------------------------


def classic(name: str = "old", vpc_id: str = "vpc-1", **fields: Any) -> dict[str, Any]:
    listeners = [
        {"Protocol": "TCP", "LoadBalancerPort": 443, "InstanceProtocol": "TCP", "InstancePort": 8443},
        {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 8080},
    ]
    record: dict[str, Any] = {
        "LoadBalancerName": name,
        "DNSName": f"{name}.eu-west-1.elb.amazonaws.com",
        "Scheme": "internal",
        "VPCId": vpc_id,
        "Subnets": ["subnet-1"],
        "SecurityGroups": ["sg-1"],
        "Instances": [{"InstanceId": "i-2"}, {"InstanceId": "i-1"}],
        "ListenerDescriptions": [{"Listener": each, "PolicyNames": []} for each in listeners],
        "HealthCheck": {"Target": "HTTP:8081/alive"},
    }
    return record | fields


def test_a_classic_load_balancer() -> None:
    interfaces = [*everything()["NetworkInterfaces"], node(1, "ELB old"), node(2, "ELB old", VpcId="vpc-2")]
    network = read(LoadBalancerDescriptions=[classic()], NetworkInterfaces=interfaces)
    found = network.load_balancers["old"]
    assert (found.name, found.kind, found.internet_facing, found.vpc_id) == ("old", "classic", False, "vpc-1")
    assert (found.subnet_ids, found.group_ids, found.interface_ids) == (("subnet-1",), ("sg-1",), ("eni-node-1",))
    assert found.listeners == (
        Listener(80, "HTTP", ("old:80",), "old:80"),
        Listener(443, "TCP", ("old:443",), "old:443"),
    )
    behind = network.target_groups["old:80"]
    assert (behind.target_type, behind.protocol, behind.port, behind.vpc_id) == ("instance", "HTTP", 8080, "vpc-1")
    assert behind.targets == (Target("i-1"), Target("i-2"))
    assert behind.preserve_client_ip is False
    assert (behind.health_check_protocol, behind.health_check_port) == ("HTTP", 8081)
    assert network.target_groups["old:443"].port == 8443
    assert not found.crosses_zones


@pytest.mark.parametrize(
    "attribute",
    [
        {"LoadBalancerName": "old", "LoadBalancerAttributes": {"CrossZoneLoadBalancing": {"Enabled": True}}},
        {"LoadBalancerName": "old", "CrossZoneLoadBalancing": {"Enabled": True}},
    ],
)
def test_lb04_cross_zone_of_a_classic_load_balancer(attribute: dict[str, Any]) -> None:
    network = read(LoadBalancerDescriptions=[classic()], LoadBalancerAttributes=[attribute])
    assert network.load_balancers["old"].cross_zone is True


def test_classic_load_balancers_of_one_name() -> None:
    interfaces = [node(1, "ELB old"), node(2, "ELB old", VpcId="vpc-2")]
    rows = [classic(), classic(), classic(vpc_id="vpc-2")]
    network = read(LoadBalancerDescriptions=rows, NetworkInterfaces=interfaces)
    assert {key: found.interface_ids for key, found in network.load_balancers.items()} == {
        "old@vpc-1": ("eni-node-1",),
        "old@vpc-2": ("eni-node-2",),
    }
    assert set(network.target_groups) == {"old@vpc-1:80", "old@vpc-1:443", "old@vpc-2:80", "old@vpc-2:443"}
    assert not issues(network, "duplicate")
    assert issues(read(LoadBalancerDescriptions=[classic(), classic(Instances=[])]), "duplicate", "old")


def test_what_a_classic_load_balancer_does_not_say_is_not_none() -> None:
    network = read(LoadBalancerDescriptions=[classic(Instances=None)])
    assert network.target_groups["old:80"].targets is None
    assert read(LoadBalancerDescriptions=[classic(Instances=[])]).target_groups["old:80"].targets == ()
    bare = read(LoadBalancerDescriptions=[classic(ListenerDescriptions=None)]).load_balancers["old"]
    assert bare.listeners is None


@pytest.mark.parametrize(
    ("keys", "where", "found"),
    [
        ({"LoadBalancers": [balancer(kind="teapot")]}, "$.LoadBalancers[0].Type", "teapot"),
        ({"LoadBalancers": [{"LoadBalancerArn": ALB}]}, "$.LoadBalancers[0]", None),
        (
            {
                "LoadBalancers": [
                    balancer(AvailabilityZones=[{"LoadBalancerAddresses": [{"PrivateIPv4Address": "10.0.1"}]}])
                ]
            },
            "$.LoadBalancers[0].AvailabilityZones[0].LoadBalancerAddresses[0].PrivateIPv4Address",
            "10.0.1",
        ),
        ({"Listeners": [listener(port=0)]}, "$.Listeners[0].Port", 0),
        ({"Listeners": [listener(port=70000)]}, "$.Listeners[0].Port", 70000),
        ({"Listeners": [listener(protocol="SMOKE")]}, "$.Listeners[0].Protocol", "SMOKE"),
        ({"Listeners": [listener() | {"Port": None}]}, "$.Listeners[0].Port", None),
        (
            {"Listeners": [listener(forward((A, 1000)))]},
            "$.Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups[0].Weight",
            1000,
        ),
        (
            {"LoadBalancerListeners": [{"LoadBalancerArn": ALB, "Listeners": [listener(), listener(port=-1)]}]},
            "$.LoadBalancerListeners[0].Listeners[1].Port",
            -1,
        ),
        ({"LoadBalancerListeners": [{"Listeners": []}]}, "$.LoadBalancerListeners[0]", None),
        ({"Rules": [rule("soon")]}, "$.Rules[0].Priority", "soon"),
        (
            {"LoadBalancerRules": [{"ListenerArn": LISTENER, "Rules": [rule("1", forward((A, -1)))]}]},
            "$.LoadBalancerRules[0].Rules[0].Actions[0].ForwardConfig.TargetGroups[0].Weight",
            -1,
        ),
        ({"TargetGroups": [group(TargetType="pigeon")]}, "$.TargetGroups[0].TargetType", "pigeon"),
        ({"TargetGroups": [group(Port=65536)]}, "$.TargetGroups[0].Port", 65536),
        ({"TargetGroups": [group(HealthCheckPort="front")]}, "$.TargetGroups[0].HealthCheckPort", "front"),
        (
            {"TargetGroupAttributes": [attributes("TargetGroupArn", A, preserve_client_ip__enabled="yes")]},
            "$.TargetGroupAttributes[0].Attributes[0].Value",
            "yes",
        ),
        (
            {"LoadBalancerAttributes": [attributes("LoadBalancerArn", ALB, load_balancing__cross_zone__enabled="1")]},
            "$.LoadBalancerAttributes[0].Attributes[0].Value",
            "1",
        ),
        (
            {"LoadBalancerTargetHealth": [health(A, {"Id": "i-1", "Port": 0})]},
            "$.LoadBalancerTargetHealth[0].TargetHealthDescriptions[0].Target.Port",
            0,
        ),
        (
            {"LoadBalancerTargetHealth": [{"TargetGroupArn": A, "TargetHealthDescriptions": [{}]}]},
            "$.LoadBalancerTargetHealth[0].TargetHealthDescriptions[0]",
            None,
        ),
        (
            {"LoadBalancerDescriptions": [classic(ListenerDescriptions=[{"Listener": {"Protocol": "TCP"}}])]},
            "$.LoadBalancerDescriptions[0].ListenerDescriptions[0].Listener",
            None,
        ),
        (
            {
                "LoadBalancerDescriptions": [
                    classic(
                        ListenerDescriptions=[
                            {"Listener": {"Protocol": "TCP", "LoadBalancerPort": 1, "InstancePort": 99999}}
                        ]
                    )
                ]
            },
            "$.LoadBalancerDescriptions[0].ListenerDescriptions[0].Listener.InstancePort",
            99999,
        ),
        ({"LoadBalancerDescriptions": [classic(VPCId=3)]}, "$.LoadBalancerDescriptions[0].VPCId", 3),
    ],
)
def test_what_cannot_be_understood_is_an_error(keys: dict[str, Any], where: str, found: Any) -> None:
    error = refused(**keys)
    assert (error.where, error.found) == (where, found)
    assert error.expected
