"""Load balancers as tables for `kernels_long`: what each node does with each port (docs/semantics.md, 6.9).

A target that does not see the client's address is a conversation of its own, from the node to the target. It is the
same for every client, so it is judged once, when the network is compiled, by the kernel itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from . import kernels_long as kl
from .compile_policies import deny, unsure
from .model import (
    LONG_DESTINATION_TYPES,
    IPAddress,
    IPNetwork,
    Listener,
    ListenerRule,
    LoadBalancer,
    Network,
    NetworkInterface,
    Subnet,
    Target,
    TargetGroup,
)

Array = npt.NDArray[Any]

TCP_LISTENERS = frozenset({"TCP", "TLS", "TCP_UDP", "HTTP", "HTTPS", "SSL", "TCP_QUIC"})
UDP_LISTENERS = frozenset({"UDP", "TCP_UDP", "QUIC", "TCP_QUIC"})
ALWAYS, CONVERSATION, UNDESCRIBED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Aim:
    """One target as a node sees it."""

    address: Any = None
    """None: not known."""
    port: int | None = None
    preserved: bool = False
    always: bool = False
    further: bool = False
    """Not a target: there may be such ones, which are not described."""
    balancer: bool = False
    """A node of another load balancer (target type alb)."""
    zones: tuple[str, ...] = ()
    """Name and id of its zone; () not known."""
    crosses: bool = True


@dataclass
class BalancerPlan:
    """The load balancers of a network: node tables, and the conversations behind them."""

    network: Network
    conversations: dict[tuple[str, Any, Any, int, int], int] = field(default_factory=dict)
    """(interface, its address, target, protocol, port) -> number."""

    def __post_init__(self) -> None:
        self._numbers = {interface_id: n for n, interface_id in enumerate(self.network.interfaces)}

    def prefixes(self) -> Iterable[IPNetwork]:
        """Networks that tell clients apart."""
        for balancer in self.network.load_balancers.values():
            for listener in balancer.listeners or ():
                for rule in listener.rules:
                    yield from rule.client_cidr_blocks or ()

    @cached_property
    def preserved(self) -> frozenset[IPAddress]:
        """Addresses of targets that may see their clients' addresses (NL-05)."""
        found = set()
        for interface_id, balancer in self.network.load_balancer_of.items():
            node = self.network.interfaces.get(interface_id)
            if node is None or balancer.kind != "network":
                continue
            for group_id in {each for listener in balancer.listeners or () for each in listener.target_group_ids}:
                group = self.network.target_groups.get(group_id)
                found |= {aim.address for aim in self._aims(balancer, node, group)} if group else set()
        return frozenset(found - {None})

    def tables(
        self, group_port: Array, acl_port: Array, mask: Callable[[Iterable[IPNetwork]], Array]
    ) -> tuple[dict[str, Array], dict[int, tuple[int, int]]]:
        """(tables of kernels_long.NUMBERS and WORDS, interface number -> (first listener, how many)).

        `mask`: networks -> which between classes lie in them.
        """
        listeners: list[list[int]] = []
        aims: list[list[int]] = []
        spans: dict[int, tuple[int, int]] = {}
        clients: list[Array] = []
        for interface_id, balancer in self.network.load_balancer_of.items():
            node = self.network.interfaces.get(interface_id)
            if node is None or node.interface_type not in LONG_DESTINATION_TYPES:
                continue
            first = len(listeners)
            for protocol, names in ((k.TCP, TCP_LISTENERS), (k.UDP, UDP_LISTENERS)):
                for listener in balancer.listeners or ():
                    if listener.protocol not in names:
                        continue
                    variants, offers = _offers(listener, mask)
                    row_of_clients = -1 if len(offers) == 1 else len(clients)
                    clients += [variants] if len(offers) > 1 else []
                    for variant, offer in enumerate(offers):
                        outcome, found = self._targets(balancer, node, offer)
                        base = k.TCP_BASE if protocol == k.TCP else k.UDP_BASE
                        rows = [self._aim_row(node, aim, protocol, base, group_port, acl_port) for aim in found]
                        place = len(aims), len(rows), len(rows)
                        listeners.append([listener.port, protocol, row_of_clients, variant, outcome, *place])
                        aims += rows
            spans[self._numbers[interface_id]] = first, len(listeners) - first
        rows_of_aims = np.array([*aims, [0] * kl.AIM_WIDTH], np.int64).reshape(-1)
        return {
            "listener": np.array([*listeners, [0] * kl.LISTENER_WIDTH], np.int64).reshape(-1),
            "aim": rows_of_aims,
            "merged": rows_of_aims,
            "client": np.concatenate([*clients, np.zeros(1, np.uint8)]),
        }, spans

    def outcome_of(self, balancer: LoadBalancer) -> tuple[int, int]:
        """(what a load balancer says whatever the port, what it says without a listener)."""
        classic = balancer.kind == "classic"
        mismatch = deny("ELB_LISTENERS_MISMATCH" if classic else "ELBV2_LISTENERS_MISMATCH")
        if balancer.state not in (None, "active", "active_impaired"):
            return deny("BAD_STATE"), mismatch
        if balancer.kind == "gateway":
            return unsure("UNSUPPORTED_COMPONENT"), mismatch
        return (unsure("UNKNOWN_RESOURCE") if balancer.listeners is None else 0), mismatch

    # -- targets -----------------------------------------------------------------------------------------

    def _targets(self, balancer: LoadBalancer, node: NetworkInterface, offer: ListenerRule) -> tuple[int, list[Aim]]:
        """(outcome of the load-balancer stage, the targets that are kept)."""
        every: list[Aim] = []
        for group_id in offer.target_group_ids:
            group = self.network.target_groups.get(group_id)
            if group is None or (group.target_type != "lambda" and group.targets is None):
                every.append(Aim(further=True))
            else:
                every += self._aims(balancer, node, group)
        if not offer.complete and (offer.target_group_ids or not offer.answers):
            every.append(Aim(further=True))
        if not every:
            answered = offer.answers and not offer.target_group_ids
            return (0 if answered else deny("ELBV2_LISTENER_HAS_NO_TG")), []
        enabled = [self.network.subnets.get(subnet_id) for subnet_id in balancer.subnet_ids]
        inside = [aim for aim in every if any(_in_zone(aim.zones, _zones(subnet)) for subnet in enabled)]
        if not enabled:
            inside = every
        if not inside:
            return deny("ELB_INSTALLED_AZ_RESTRICTION"), []
        own = _zones(self.network.subnets.get(node.subnet_id or ""))
        kept = [aim for aim in inside if aim.crosses or _in_zone(aim.zones, own)]
        return (0, kept) if kept else (deny("ELB_NOT_CROSSZONE"), [])

    def _aims(self, balancer: LoadBalancer, node: NetworkInterface, group: TargetGroup) -> list[Aim]:
        if group.target_type == "lambda":
            return [Aim(always=True)]
        crosses = balancer.crosses_zones if group.cross_zone is None else group.cross_zone
        preserved = balancer.kind == "network" and _preserves(group)
        found: list[Aim] = []
        for target in group.targets or ():
            port = target.port if target.port is not None else group.port
            if group.target_type == "alb":
                other = self.network.load_balancers.get(target.target_id)
                named = other.interface_ids if other else ()
                ends = [self.network.interfaces[i] for i in named if i in self.network.interfaces]
                for end in ends:
                    zones = self._zones_of(end) or _named(target)
                    found.append(Aim(_address(end, 4), port, preserved, balancer=True, zones=zones, crosses=crosses))
                if not ends:
                    found.append(Aim(zones=_named(target), crosses=crosses))
                continue
            address, holder = self._address_of(group, target, node)
            zones = self._zones_of(holder) or _named(target)
            found.append(Aim(address, port, preserved, zones=zones, crosses=crosses))
        return found

    def _address_of(
        self, group: TargetGroup, target: Target, node: NetworkInterface
    ) -> tuple[Any, NetworkInterface | None]:
        """(address of a target, the interface that holds it)."""
        if group.target_type == "ip":
            try:
                address = ip_address(target.target_id)
            except ValueError:
                return None, None
            held = self._holders.get((node.vpc_id, address), [])
            return address, held[0] if len(held) == 1 else None
        instance = self.network.instances.get(target.target_id)
        first = instance.interface_ids[0] if instance and instance.interface_ids else ""
        interface = self.network.interfaces.get(first)
        if interface is None:
            return None, None
        return _primary_ipv6(interface) if group.ip_address_type == "ipv6" else _address(interface, 4), interface

    @property
    def _holders(self) -> dict[tuple[str | None, Any], list[NetworkInterface]]:
        if not hasattr(self, "_held"):
            self._held: dict[tuple[str | None, Any], list[NetworkInterface]] = {}
            for interface in self.network.interfaces.values():
                for own in interface.addresses:
                    self._held.setdefault((interface.vpc_id, own.address), []).append(interface)
        return self._held

    def _zones_of(self, interface: NetworkInterface | None) -> tuple[str, ...]:
        return _zones(self.network.subnets.get(interface.subnet_id or "")) if interface else ()

    def _aim_row(
        self, node: NetworkInterface, aim: Aim, protocol: int, base: int, group_port: Array, acl_port: Array
    ) -> list[int]:
        """A row of kernels_long's `aim`; see kernels_long.M_*."""
        row = [0] * kl.AIM_WIDTH
        row[kl.M_WEIGHT] = 0 if aim.further else 1
        row[kl.M_KIND] = ALWAYS if aim.always else UNDESCRIBED
        if aim.always or aim.address is None or aim.port is None:
            return row
        family, value = aim.address.version, int(aim.address)
        source = _address(node, family)
        row[kl.M_KIND] = CONVERSATION
        key = node.interface_id, source, aim.address, protocol, aim.port
        row[kl.M_NUMBER] = -1 if source is None else self.conversations.setdefault(key, len(self.conversations))
        row[kl.M_PRESERVED], row[kl.M_BALANCER] = aim.preserved, aim.balancer
        row[kl.M_FAMILY] = family
        row[kl.M_HIGH], row[kl.M_LOW] = _signed(value >> 64), _signed(value & (1 << 64) - 1)
        row[kl.M_PORT] = aim.port
        row[kl.M_GROUP_PORT], row[kl.M_ACL_PORT] = int(group_port[base + aim.port]), int(acl_port[base + aim.port])
        return row

    @staticmethod
    def address_of(aim: Array) -> IPAddress:
        """The address in a row of kernels_long's `aim`."""
        high, low = (int(half) & (1 << 64) - 1 for half in (aim[kl.M_HIGH], aim[kl.M_LOW]))
        return IPv6Address(high << 64 | low) if aim[kl.M_FAMILY] == 6 else IPv4Address(low)

    def merge(
        self, numbers: Array, listeners: Iterable[int], conversations: Array, traits: Callable[[Array], Any]
    ) -> None:
        """Fill `merged` for the listeners of one node; `traits`: what tells targets apart that see their clients."""
        judged = conversations.reshape(2, -1, kl.CONVERSATION_WIDTH)
        for listener in listeners:
            start = int(numbers[kl.OF_LISTENER]) + listener * int(kl.LISTENER_WIDTH)
            row = numbers[start : start + int(kl.LISTENER_WIDTH)]
            first, count = int(row[kl.Z_AIMS]) * int(kl.AIM_WIDTH), int(row[kl.Z_N_AIMS]) * int(kl.AIM_WIDTH)
            aims, merged = (
                numbers[int(numbers[of]) + first : int(numbers[of]) + first + count].reshape(-1, kl.AIM_WIDTH)
                for of in (kl.OF_AIM, kl.OF_MERGED)
            )
            places: dict[Any, int] = {}
            for aim in aims:
                key: tuple[Any, ...] = int(aim[kl.M_KIND]), bool(aim[kl.M_WEIGHT]), bool(aim[kl.M_BALANCER])
                if aim[kl.M_KIND] == CONVERSATION:
                    number = int(aim[kl.M_NUMBER])
                    key += (judged[:, number].tobytes() if number >= 0 else None,)
                    if aim[kl.M_PRESERVED]:
                        ports = aim[[kl.M_GROUP_PORT, kl.M_ACL_PORT, kl.M_PORT, kl.M_FAMILY]].tolist()
                        key += (*ports, traits(aim))
                if key in places:
                    merged[places[key], kl.M_WEIGHT] += aim[kl.M_WEIGHT]
                else:
                    places[key] = len(places)
                    merged[places[key]] = aim
            row[kl.Z_N_MERGED] = len(places)

    # -- conversations -----------------------------------------------------------------------------------

    def flows(self) -> k.Flows:
        """The conversations as flows."""
        keys, count = list(self.conversations), len(self.conversations)
        four = np.array([key[2].version == 4 for key in keys], np.bool_)
        halves = [np.zeros((count, 2), np.uint64) for _ in range(2)]
        plain = [np.zeros(count, np.uint32) for _ in range(2)]
        for row, key in enumerate(keys):
            for end in range(2):
                value = int(key[1 + end])
                if four[row]:
                    plain[end][row] = value
                else:
                    halves[end][row] = value >> 64, value & (1 << 64) - 1
        return k.Flows(
            source=plain[0], destination=plain[1],
            source_port=np.zeros(count, np.uint16), destination_port=np.array([key[4] for key in keys], np.uint16),
            protocol=np.array([key[3] for key in keys], np.uint8),
            family=np.where(four, 4, 6).astype(np.uint8), source6=halves[0], destination6=halves[1],
            interface=np.array([self._numbers[key[0]] for key in keys], np.int32),
            icmp_key=np.zeros(0, np.int32),
        )  # fmt: skip


def _offers(listener: Listener, mask: Callable[[Iterable[IPNetwork]], Array]) -> tuple[Array, list[ListenerRule]]:
    """(per between class the number of the offer that clients there get, the offers): by source-ip (AL-04)."""
    if not listener.rules:
        offer = ListenerRule(listener.target_group_ids, listener.answers, listener.complete)
        return np.zeros(0, np.uint8), [offer]
    every = mask(()) | True
    blocks = [rule.client_cidr_blocks for rule in listener.rules]
    taken = np.array([every if each is None else mask(each) for each in blocks])
    settled = np.zeros_like(every)
    for number, rule in enumerate(listener.rules):
        taken[number] &= ~settled
        settled |= taken[number] & rule.certain
    kinds, variants = np.unique(taken, axis=1, return_inverse=True)
    offers = []
    for kind in kinds.T:
        rules = [rule for rule, is_taken in zip(listener.rules, kind, strict=True) if is_taken]
        groups = dict.fromkeys(group_id for rule in rules for group_id in rule.target_group_ids)
        answers, complete = any(rule.answers for rule in rules), all(rule.complete for rule in rules)
        offers.append(ListenerRule(tuple(groups), answers, complete))
    return variants.reshape(-1), offers


def _signed(half: int) -> int:
    return half - (1 << 64) if half >> 63 else half


def _preserves(group: TargetGroup) -> bool:
    """Whether targets of a Network Load Balancer see the client's address (NL-05)."""
    if group.preserve_client_ip is not None:
        return group.preserve_client_ip
    return group.target_type != "ip" or group.protocol not in ("TCP", "TLS")


def _address(interface: NetworkInterface, family: int) -> Any:
    """The primary address of a family."""
    own = [each for each in interface.addresses if each.address.version == family]
    own.sort(key=lambda each: not each.primary)
    return own[0].address if own else None


def _primary_ipv6(interface: NetworkInterface) -> Any:
    """The IPv6 address marked as primary, or the only one."""
    own = {each.address: each.primary for each in interface.addresses if each.address.version == 6}
    sole = [address for address, primary in own.items() if primary] or list(own)
    return sole[0] if len(sole) == 1 else None


def _zones(subnet: Subnet | None) -> tuple[str, ...]:
    names = (subnet.availability_zone, subnet.availability_zone_id) if subnet else ()
    return tuple(name for name in names if name)


def _named(target: Target) -> tuple[str, ...]:
    zone = target.availability_zone
    return (zone,) if zone and zone != "all" else ()


def _in_zone(own: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two zones may be one: they share a name or an id, or one is not known."""
    return not own or not other or bool(set(own) & set(other))


__all__ = ["BalancerPlan"]
