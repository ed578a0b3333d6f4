"""Load balancers as tables for `kernels_long`: what each node does with each port (docs/semantics.md, 6.9).

A target that does not see the client's address is a conversation of its own, from the node to the target. It is the
same for every client, so it is judged once, when the network is compiled, by the kernel itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import numpy as np
import numpy.typing as npt

from . import kernels as k
from . import kernels_long as kl
from .compile_policies import deny, unsure
from .model import (
    LONG_DESTINATION_TYPES,
    Listener,
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

    def tables(self, group_port: Array, acl_port: Array) -> tuple[dict[str, Array], dict[int, tuple[int, int]]]:
        """(tables of kernels_long.NUMBERS, interface number -> (first listener, how many))."""
        listeners: list[list[int]] = []
        aims: list[list[int]] = []
        spans: dict[int, tuple[int, int]] = {}
        for interface_id, balancer in self.network.load_balancer_of.items():
            node = self.network.interfaces.get(interface_id)
            if node is None or node.interface_type not in LONG_DESTINATION_TYPES:
                continue
            first = len(listeners)
            for protocol, names in ((k.TCP, TCP_LISTENERS), (k.UDP, UDP_LISTENERS)):
                for listener in balancer.listeners or ():
                    if listener.protocol not in names:
                        continue
                    outcome, found = self._targets(balancer, node, listener)
                    if outcome == 0 and not found and not listener.answers:
                        outcome = deny("ELBV2_LISTENER_HAS_NO_TG")
                    base = k.TCP_BASE if protocol == k.TCP else k.UDP_BASE
                    rows = [self._aim_row(node, aim, protocol, base, group_port, acl_port) for aim in found]
                    listeners.append([listener.port, protocol, outcome, len(aims), len(rows)])
                    aims += rows
            spans[self._numbers[interface_id]] = first, len(listeners) - first
        return {
            "listener": np.array([*listeners, [0] * kl.LISTENER_WIDTH], np.int64).reshape(-1),
            "aim": np.array([*aims, [0] * kl.AIM_WIDTH], np.int64).reshape(-1),
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

    def _targets(self, balancer: LoadBalancer, node: NetworkInterface, listener: Listener) -> tuple[int, list[Aim]]:
        """(outcome of the load-balancer stage, the targets that are kept)."""
        groups = [self.network.target_groups.get(group_id) for group_id in listener.target_group_ids]
        if any(g is None or (g.target_type != "lambda" and g.targets is None) for g in groups):
            return unsure("UNKNOWN_RESOURCE"), []
        every = [aim for group in groups if group for aim in self._aims(balancer, node, group)]
        if not every:
            return (deny("ELBV2_LISTENER_HAS_NO_TG") if groups else 0), []
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
        return (_address(interface, 4), interface) if interface else (None, None)

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
    if family == 4:
        own.sort(key=lambda each: not each.primary)
    return own[0].address if own else None


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
