"""Which packets a change of rules can touch at all: the others need not be judged to find every difference.

A rule or an entry says the same of every packet outside its protocol and ports. So where two networks differ in
security group rules and ACL entries only, a verdict differs only for packets inside those of one that differs, as they
are sent, as their replies come back, or as a load balancer or NAT gateway rewrites them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from ..model import Network, NetworkAclEntry, SecurityGroupRule
from ..schema import ANY_PROTOCOL, ICMP, ICMPV6, TCP, UDP
from .diff_classes import Interval, PortClass

__all__ = ["Touched", "touched_packets"]

#: Ports that NAT and a load balancer's own connections come from (NG-06).
_REMAPPED = (1024, 65535)


@dataclass(frozen=True)
class Touched:
    """Packets that rules which differ may match."""

    ports: frozenset[tuple[int, int, int]] = frozenset()
    """Protocol, first and last destination port."""
    source_ports: frozenset[tuple[int, int, int]] = frozenset()
    protocols: frozenset[int] = frozenset()
    """Of these every packet."""

    def holds(self, packet: PortClass, source_ports: tuple[Interval, ...]) -> bool:
        """Whether packets of these classes may be among them."""
        if any(first <= number <= last for number in self.protocols for first, last in packet.protocols):
            return True
        return _meet(self.ports, packet.protocol, packet.ports) or _meet(
            self.source_ports, packet.protocol, source_ports
        )


def _meet(ranges: frozenset[tuple[int, int, int]], protocol: int, intervals: tuple[Interval, ...]) -> bool:
    return any(
        number == protocol and first <= high and low <= last
        for number, first, last in ranges
        for low, high in intervals
    )


def touched_packets(before: Network, after: Network) -> Touched | None:
    """The packets that may be judged otherwise; None: any, because more than rules differs."""
    if _without_rules(before) != _without_rules(after):
        return None
    ports: set[tuple[int, int, int]] = set()
    source_ports: set[tuple[int, int, int]] = set()
    protocols: set[int] = set()
    remapped = any(network.nat_gateways or network.nat_instances for network in (before, after))
    for rule in _differing(before, after):
        if rule.protocol == ANY_PROTOCOL:
            return None
        if rule.protocol not in (TCP, UDP):
            protocols |= {ICMP, ICMPV6} if rule.protocol in (ICMP, ICMPV6) else {rule.protocol}
            continue
        first = 0 if rule.from_port is None else rule.from_port
        last = 65535 if rule.to_port is None else rule.to_port
        ports.add((rule.protocol, first, last))
        if isinstance(rule, NetworkAclEntry):  # replies go to the port the packet came from
            source_ports.add((rule.protocol, first, last))
            if remapped and first <= _REMAPPED[1] and last >= _REMAPPED[0]:
                protocols.add(rule.protocol)
    if ports:  # what a load balancer takes goes on to other ports
        ports |= {
            (protocol, listener.port, listener.port)
            for network in (before, after)
            for balancer in network.load_balancers.values()
            for listener in balancer.listeners or ()
            for protocol in (TCP, UDP)
        }
    return Touched(frozenset(ports), frozenset(source_ports), frozenset(protocols))


def _without_rules(network: Network) -> Network:
    groups = {key: replace(group, rules=()) for key, group in network.security_groups.items()}
    acls = {key: replace(acl, entries=()) for key, acl in network.network_acls.items()}
    assert {"security_groups", "network_acls"} <= {field.name for field in fields(network)}
    return replace(
        network, security_groups=MappingProxyType(groups), network_acls=MappingProxyType(acls), issues=(), other={}
    )


def _differing(before: Network, after: Network) -> Iterator[SecurityGroupRule | NetworkAclEntry]:
    """Rules and entries that are in one of the networks only, or stand at another place among their like."""
    for key, group in before.security_groups.items():
        own, other = set(group.rules), set(after.security_groups[key].rules)
        yield from own ^ other
    for key, acl in before.network_acls.items():
        entries, others = set(acl.entries), set(after.network_acls[key].entries)
        yield from entries ^ others
