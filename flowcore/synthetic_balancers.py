"""Load balancers of the networks of `synthetic_between`: their nodes, listeners, target groups and flaws."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import synthetic_between_records as between_records
from .synthetic_between_base import Between, Cloud, Place
from .synthetic_records import OWNER, REGION, Record

#: Listeners by kind: (protocol, port).
_LISTENERS = {
    "app": (("HTTP", 80), ("HTTPS", 443), ("HTTP", 8080)),
    "net": (("TCP", 80), ("TLS", 443), ("UDP", 53), ("TCP_UDP", 8443), ("TCP", 22), ("QUIC", 8080)),
}
_GROUP_PROTOCOLS = {
    "app": ("HTTP", "HTTP", "HTTPS"),
    "net": ("TCP", "TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"),
}


@dataclass
class _Made:
    """A load balancer that others may have as a target."""

    arn: str
    cloud: Cloud
    kind: str
    nodes: list[Record] = field(default_factory=list)


def load_balancers(between: Between) -> None:
    """One to three load balancers of every kind, now and then none."""
    made: list[_Made] = []
    for number in range(between.pick((0, 2), (1, 4), (2, 4), (3, 2))):
        cloud = between.rng.choice(between.clouds)
        kind = between.pick(("app", 4), ("net", 5), ("classic", 2), ("gwy", 0.3))
        if kind == "classic":
            _classic(between, cloud, number)
        else:
            _balancer(between, cloud, kind, made)
    if between.flaw("node of nobody", 0.4):
        cloud = between.rng.choice(between.clouds)
        between.interface(
            between.rng.choice(cloud.places),
            kind=between.rng.choice(("load_balancer", "network_load_balancer", "gateway_load_balancer")),
            groups=[cloud.groups[0]],
            description="ELB app/gone/0123456789abcdef",
        )


def _places(between: Between, cloud: Cloud) -> list[Place]:
    """One subnet in each of one or two zones."""
    zones: dict[str, Place] = {}
    for place in between.rng.sample(cloud.places, len(cloud.places)):
        zones.setdefault(place.zone, place)
    chosen = list(zones.values())
    return chosen[:1] if between.chance(0.35) else chosen


def _node_groups(between: Between, cloud: Cloud) -> list[str]:
    return [between.pick((cloud.groups[0], 6), (cloud.groups[1], 2), (cloud.groups[2], 2))]


def _balancer(between: Between, cloud: Cloud, kind: str, made: list[_Made]) -> None:
    rng = between.rng
    suffix = between.ids("x")[3:19]
    name = f"{kind}-{suffix[:4]}"
    arn = between_records.balancer_arn(kind, name, suffix)
    places, internet_facing = _places(between, cloud), between.chance(0.5)
    groups: list[str] | None = None
    if kind == "app" or (kind == "net" and between.chance(0.6)):
        groups = _node_groups(between, cloud)
    balancer = _Made(arn, cloud, kind)
    node_kinds = {"app": "load_balancer", "net": "network_load_balancer", "gwy": "gateway_load_balancer"}
    for place in places:
        for _ in range(2 if kind == "app" and between.chance(0.2) else 1):
            node = between.interface(
                place,
                kind=node_kinds[kind],
                groups=groups,
                public=internet_facing,
                description=f"ELB {kind}/{name}/{suffix}",
            )
            if kind == "app" and between.chance(0.5):
                node["InterfaceType"] = "interface"  # as AWS says it
            balancer.nodes.append(node)
    state = rng.choice(("provisioning", "failed")) if between.flaw("balancer state", 0.3) else "active"
    if state == "active" and between.chance(0.1):
        state = "active_impaired"
    between.add(
        "LoadBalancers",
        between_records.load_balancer(
            arn,
            name,
            cloud.vpc_id,
            [(place.subnet_id, place.zone) for place in places],
            internet_facing=internet_facing,
            groups=groups,
            state=None if between.chance(0.05) else state,
        ),
    )
    if between.chance(0.4):
        value = "true" if between.chance(0.5) else "false"
        pair = ("load_balancing.cross_zone.enabled", value)
        between.add("LoadBalancerAttributes", between_records.attributes("LoadBalancerArn", arn, [pair]))
    _listeners(between, balancer, made)
    made.append(balancer)


def _listeners(between: Between, balancer: _Made, made: list[_Made]) -> None:
    rng, rows = between.rng, []
    if balancer.kind == "gwy":
        return
    choice = _LISTENERS[balancer.kind]
    for protocol, port in rng.sample(choice, rng.randint(1, 3)):
        arn = f"{balancer.arn.replace(':loadbalancer/', ':listener/')}/{between.ids('x')[3:19]}"
        groups = [
            (_target_group(between, balancer, protocol, made), weight)
            for weight in rng.choice(((1,), (1,), (1,), (1, 1), (10, 0), (0, 0)))
        ]
        actions = [between_records.forward(groups)]
        if between.flaw("listener without groups", 0.2):
            actions = []
        if balancer.kind == "app" and between.chance(0.2):
            actions = [between_records.redirect()]
        rows.append(between_records.listener(arn, balancer.arn, port, protocol, actions))
        if balancer.kind == "app" and not between.flaw("rules not described", 0.3):
            _rules(between, balancer, arn, protocol, actions)
    if not between.flaw("listeners not described", 0.25):
        between.add("LoadBalancerListeners", {"LoadBalancerArn": balancer.arn, "Listeners": rows})


def _rules(between: Between, balancer: _Made, arn: str, protocol: str, actions: list[Record]) -> None:
    rule_arn = arn.replace(":listener/", ":listener-rule/")
    rows = [between_records.listener_rule(f"{rule_arn}/{between.ids('x')[3:19]}", "default", actions)]
    if between.chance(0.5):
        own = [between_records.forward([(_target_group(between, balancer, protocol, []), 1)])]
        if between.chance(0.3):
            own = [between_records.redirect()]
        rows.insert(0, between_records.listener_rule(f"{rule_arn}/{between.ids('x')[3:19]}", "10", own))
    between.add("LoadBalancerRules", {"ListenerArn": arn, "Rules": rows})


def _target_group(between: Between, balancer: _Made, listener_protocol: str, made: list[_Made]) -> str:
    """A new target group of the load balancer: its ARN."""
    rng = between.rng
    suffix = between.ids("x")[3:19]
    name = f"targets-{suffix[:4]}"
    arn = between_records.target_group_arn(name, suffix)
    kind = between.pick(("instance", 5), ("ip", 4), ("lambda" if balancer.kind == "app" else "alb", 1.5))
    protocol = rng.choice(_GROUP_PROTOCOLS[balancer.kind])
    if balancer.kind == "net" and between.chance(0.7):
        protocol = {"TLS": "TLS", "UDP": "UDP", "TCP_UDP": "TCP_UDP", "QUIC": "QUIC"}.get(listener_protocol, "TCP")
    protocol = "TCP" if kind == "alb" else protocol
    is_lambda = kind == "lambda"
    cloud = rng.choice(between.clouds) if between.chance(0.1) else balancer.cloud
    group = between_records.target_group(
        arn,
        name,
        kind,
        cloud.vpc_id,
        protocol=None if is_lambda else protocol,
        port=None if is_lambda else rng.choice((80, 443, 8080, 8080)),
        balancers=[balancer.arn],
    )
    if not between.flaw("target group not described", 0.15):
        between.add("TargetGroups", group)
    pairs = []
    if between.chance(0.35):
        pairs.append(("preserve_client_ip.enabled", "true" if between.chance(0.6) else "false"))
    if between.chance(0.4):
        value = rng.choice(("true", "false", "false", "use_load_balancer_configuration"))
        pairs.append(("load_balancing.cross_zone.enabled", value))
    if pairs or between.chance(0.3):
        between.add("TargetGroupAttributes", between_records.attributes("TargetGroupArn", arn, pairs))
    if not between.flaw("target health not described", 0.25):
        rows = [] if between.flaw("empty target groups", 0.35) else _targets(between, balancer, kind, made)
        wrapper = {"TargetGroupArn": arn, "TargetHealthDescriptions": rows}
        between.add("LoadBalancerTargetHealth", wrapper)
    return arn


def _targets(between: Between, balancer: _Made, kind: str, made: list[_Made]) -> list[Record]:
    rng, health = between.rng, between_records.target_health
    if kind == "lambda":
        return [health(f"arn:aws:lambda:{REGION}:{OWNER}:function:answer", None)]
    if kind == "alb":
        balancers = [other.arn for other in made if other.kind == "app" or between.chance(0.1)]
        gone = between_records.balancer_arn("app", "gone", "0123456789abcdef")
        return [health(rng.choice(balancers) if balancers else gone, rng.choice((80, 443, 8080)))]
    rows = []
    own = balancer.cloud.hosts
    everyone = [host for cloud in between.clouds for host in cloud.hosts]
    for _ in range(rng.choice((1, 1, 2, 3))):
        port = rng.choice((None, 80, 8080, 443))
        if kind == "instance":
            host = rng.choice(own) if own else None
            instance_id = host.instance_id if host and not between.flaw("instance gone", 0.2) else between.ids("i")
            rows.append(health(instance_id, port, REGION + host.place.zone if host else None))
            continue
        host = rng.choice(everyone if between.chance(0.3) or not own else own)
        address = host.address
        if between.chance(0.1):
            address = rng.choice(("192.168.10.9", "10.200.0.7", "10.0.0.250", "2600:1f18:1::11"))
        elif host.place.cidr6 and between.chance(0.1):
            address = str(host.place.cidr6[16 + rng.randrange(1, 12)])
        if between.chance(0.1) and balancer.nodes:
            address = rng.choice(balancer.nodes)["PrivateIpAddress"]
        zone = rng.choice((None, REGION + host.place.zone, "all", "use1-az1", f"{REGION}c"))
        rows.append(health(address, port, zone, rng.choice(("healthy", "unhealthy", "draining"))))
    return rows


def _classic(between: Between, cloud: Cloud, number: int) -> None:
    rng = between.rng
    name = f"classic-{number}"
    places, internet_facing = _places(between, cloud), between.chance(0.5)
    groups = _node_groups(between, cloud)
    for place in places:
        node = between.interface(
            place, kind="load_balancer", groups=groups, public=internet_facing, description=f"ELB {name}"
        )
        if between.chance(0.5):
            node["InterfaceType"] = "interface"
    rows = [("HTTP", 80, "HTTP", 8080), ("TCP", 443, "TCP", 443), ("SSL", 8443, "SSL", 80)]
    instances = [host.instance_id for host in rng.sample(cloud.hosts, min(2, len(cloud.hosts)))]
    if between.flaw("instance gone", 0.3):
        instances.append(between.ids("i"))
    if between.flaw("empty target groups", 0.3):
        instances = []
    if between.chance(0.6):
        enabled = {"CrossZoneLoadBalancing": {"Enabled": between.chance(0.6)}}
        between.add("LoadBalancerAttributes", {"LoadBalancerName": name, "LoadBalancerAttributes": enabled})
    between.add(
        "LoadBalancerDescriptions",
        between_records.classic_load_balancer(
            name,
            cloud.vpc_id,
            [place.subnet_id for place in places],
            rng.sample(rows, rng.randint(1, 3)),
            instances,
            groups,
            internet_facing=internet_facing,
        ),
    )
