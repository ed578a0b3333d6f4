"""The real `terraform` with a stand-in provider: a plan laid over a snapshot is the snapshot taken after apply.

Needs `terraform`, and a Python with tf, boto3 and moto[server]: the one that runs the tests, or FLOWCORE_RIG_PYTHON.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.model import Network
from flowcore.sources.terraform import PlannedNetwork, read_plan

RIG = Path(__file__).parent / "terraform_rig"
PYTHON = os.environ.get("FLOWCORE_RIG_PYTHON", sys.executable)


def _missing() -> str | None:
    if shutil.which("terraform") is None:
        return "terraform is not installed"
    needed = subprocess.run([PYTHON, "-c", "import tf, boto3, moto.server, flask"], capture_output=True, check=False)
    return None if needed.returncode == 0 else f"{PYTHON} lacks tf, boto3 or moto[server]"


_REASON = _missing()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")


class Rig:
    """A folder with a configuration, and a moto server of its own."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder, self.endpoint = folder, endpoint
        plugin = folder / "plugin"
        plugin.mkdir()
        script = plugin / "terraform-provider-aws"
        script.write_text(f'#!/bin/sh\nexec "{PYTHON}" "{RIG / "standin.py"}" "$@"\n')
        script.chmod(0o755)
        (folder / "rc").write_text(
            f'provider_installation {{\n  dev_overrides {{ "hashicorp/aws" = "{plugin}" }}\n  direct {{}}\n}}\n'
        )
        self.environment = {
            **os.environ,
            "TF_CLI_CONFIG_FILE": str(folder / "rc"),
            "RIG_ENDPOINT": endpoint,
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }

    def terraform(self, *words: str) -> str:
        done = subprocess.run(
            ["terraform", *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def configure(self, text: str) -> None:
        head = 'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'
        (self.folder / "main.tf").write_text(head + text)

    def snapshot(self) -> Network:
        file = self.folder / "eu-west-1" / "snapshot.json"
        file.parent.mkdir(exist_ok=True)
        subprocess.run([PYTHON, str(RIG / "snapshot.py"), self.endpoint, str(file)], check=True)
        return fc.read_network(self.folder / "eu-west-1")

    def plan(self, before: Network) -> PlannedNetwork:
        self.terraform("plan", "-no-color", "-input=false", "-refresh=false", "-out", "p")
        (self.folder / "plan.json").write_text(self.terraform("show", "-json", "p"))
        return read_plan(before, self.folder / "plan.json")

    def ids(self) -> dict[str, str]:
        """Address -> id after apply."""
        state = json.loads(self.terraform("show", "-json"))
        found: dict[str, str] = {}
        todo = [state["values"]["root_module"]]
        while todo:
            module = todo.pop()
            todo += module.get("child_modules", [])
            found |= {each["address"]: each["values"]["id"] for each in module.get("resources", [])}
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [PYTHON, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{endpoint}/moto-api/data.json", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield Rig(tmp_path, endpoint)
    finally:
        server.terminate()
        server.wait(timeout=20)


# -- what is compared -------------------------------------------------------------------------------------


def comparable(network: Network, ids: dict[str, str]) -> dict[str, Any]:
    """The network in plain values: made-up ids as AWS's, and without what moto does not describe as AWS does."""
    real = {f"tf:{address}": object_id for address, object_id in ids.items()}

    def named(text: str | None) -> str | None:
        return real.get(text or "", text)

    groups = {
        named(group.group_id): sorted(
            str(
                (
                    r.egress,
                    r.protocol,
                    r.from_port,
                    r.to_port,
                    str(r.cidr_block),
                    named(r.referenced_group_id),
                    r.prefix_list_id,
                )
            )
            for r in group.rules
        )
        for group in network.security_groups.values()
        if group.group_name != "default"
    }
    acls = {
        named(acl.network_acl_id): (
            sorted(
                str((e.egress, e.rule_number, e.protocol, e.allow, str(e.cidr_block), e.from_port, e.to_port))
                for e in acl.entries
                if e.rule_number < 32767
            ),
            sorted(str(named(each)) for each in acl.subnet_ids),
        )
        for acl in network.network_acls.values()
        if not acl.is_default
    }
    tables = {
        named(table.route_table_id): (
            sorted((str(r.destination), r.target_kind, str(named(r.target_id))) for r in table.routes),
            sorted(str(named(each)) for each in table.subnet_ids),
        )
        for table in network.route_tables.values()
        if not table.main
    }
    return {
        "vpcs": {named(v.vpc_id): v.cidr_blocks for v in network.vpcs.values()},
        "subnets": {named(s.subnet_id): (named(s.vpc_id), s.cidr_block) for s in network.subnets.values()},
        "groups": groups,
        "acls": acls,
        "tables": tables,
        "gateways": {named(g.gateway_id): [named(v) for v in g.vpc_ids] for g in network.internet_gateways.values()},
        "nat": {
            named(g.nat_gateway_id): (named(g.vpc_id), named(g.subnet_id))
            for g in network.nat_gateways.values()
            if g.state == "available"
        },
        "interfaces": {
            named(i.interface_id): sorted(str(named(g)) for g in i.group_ids or ())
            for i in network.interfaces.values()
            if i.interface_type == "interface" and i.description != "Interface for NAT Gateway"
        },
        "lists": {named(each.prefix_list_id): each.cidr_blocks for each in network.prefix_lists.values()},
    }


BASE = """
resource "aws_vpc" "main" { cidr_block = "10.0.0.0/16" }
resource "aws_subnet" "s" {
  count      = 3
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.${count.index}.0/24"
}
resource "aws_internet_gateway" "g" { vpc_id = aws_vpc.main.id }
resource "aws_eip" "nat" { count = NATS }
resource "aws_nat_gateway" "n" {
  count         = NATS
  subnet_id     = aws_subnet.s[0].id
  allocation_id = aws_eip.nat[count.index].id
}
resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.g.id
  }
}
resource "aws_route_table" "private" {
  for_each = toset(["a", "b"])
  vpc_id   = aws_vpc.main.id
}
resource "aws_route" "out" {
  for_each               = aws_route_table.private
  route_table_id         = each.value.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.n[NAT].id
}
resource "aws_route_table_association" "a" {
  subnet_id      = aws_subnet.s[1].id
  route_table_id = aws_route_table.private["TABLE"].id
}
resource "aws_security_group" "web" {
  name   = "WEBNAME"
  vpc_id = aws_vpc.main.id
  lifecycle { create_before_destroy = true }
}
resource "aws_vpc_security_group_ingress_rule" "web" {
  for_each          = toset([PORTS])
  security_group_id = aws_security_group.web.id
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  cidr_ipv4         = "0.0.0.0/0"
}
resource "aws_vpc_security_group_egress_rule" "web" {
  security_group_id = aws_security_group.web.id
  ip_protocol       = "-1"
  cidr_ipv4         = "EGRESS"
}
resource "aws_security_group" "db" {
  name   = "db"
  vpc_id = aws_vpc.main.id
  ingress {
    from_port       = DBPORT
    to_port         = DBPORT
    protocol        = "tcp"
    security_groups = [aws_security_group.web.id]
  }
  DBMORE
}
resource "aws_security_group" "dynamic" {
  name   = "dynamic"
  vpc_id = aws_vpc.main.id
  dynamic "ingress" {
    for_each = [DYNAMIC]
    content {
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = ["10.0.0.0/8"]
    }
  }
}
resource "aws_network_interface" "web" {
  subnet_id       = aws_subnet.s[1].id
  private_ips     = ["10.0.1.10"]
  security_groups = [aws_security_group.web.id]
}
resource "aws_network_acl" "x" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = [ACLSUBNETS]
  ingress {
    rule_no    = ACLNUMBER
    action     = "allow"
    protocol   = "tcp"
    cidr_block = "10.0.0.0/8"
    from_port  = 443
    to_port    = 443
  }
}
resource "aws_network_acl" "separate" { vpc_id = aws_vpc.main.id }
resource "aws_network_acl_rule" "r" {
  count          = ACLRULES
  network_acl_id = aws_network_acl.separate.id
  rule_number    = 100 + count.index
  egress         = count.index == 1
  rule_action    = "allow"
  protocol       = "-1"
  cidr_block     = "0.0.0.0/0"
  from_port      = 0
  to_port        = 0
}
resource "aws_ec2_managed_prefix_list" "l" {
  name           = "l"
  address_family = "IPv4"
  entry = [LISTENTRIES]
}
"""
VALUES = {
    "NATS": "1",
    "NAT": "0",
    "TABLE": "a",
    "WEBNAME": "web",
    "PORTS": '"80", "443"',
    "EGRESS": "0.0.0.0/0",
    "DBPORT": "5432",
    "DBMORE": "",
    "DYNAMIC": "1000, 1001",
    "ACLSUBNETS": "aws_subnet.s[2].id",
    "ACLNUMBER": "10",
    "ACLRULES": "1",
    "LISTENTRIES": '{ cidr = "192.0.2.0/24" }',
}
MODULE = """
module "more" {
  source = "./more"
  vpc    = aws_vpc.main.id
  group  = aws_security_group.web.id
}
resource "aws_route" "module" {
  route_table_id         = module.more.table
  destination_cidr_block = "8.0.0.0/8"
  gateway_id             = aws_internet_gateway.g.id
}
"""
INNER = """
variable "vpc" {}
variable "group" {}
resource "aws_route_table" "t" { vpc_id = var.vpc }
resource "aws_security_group" "g" {
  name   = "inner"
  vpc_id = var.vpc
}
resource "aws_vpc_security_group_ingress_rule" "r" {
  security_group_id            = var.group
  ip_protocol                  = "tcp"
  from_port                    = 9000
  to_port                      = 9000
  referenced_security_group_id = aws_security_group.g.id
}
output "table" { value = aws_route_table.t.id }
"""
NEW_VPC = """
resource "aws_vpc" "new" { cidr_block = "10.9.0.0/16" }
resource "aws_subnet" "new" {
  for_each   = { x = "10.9.1.0/24", y = "10.9.2.0/24" }
  vpc_id     = aws_vpc.new.id
  cidr_block = each.value
}
resource "aws_internet_gateway" "new" { vpc_id = aws_vpc.new.id }
resource "aws_route_table" "new" {
  vpc_id = aws_vpc.new.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.new.id
  }
}
resource "aws_route_table_association" "new" {
  for_each       = aws_subnet.new
  subnet_id      = each.value.id
  route_table_id = aws_route_table.new.id
}
"""

#: Kind of change -> the values that differ, and what is added to the configuration.
CHANGES: dict[str, tuple[dict[str, str], str]] = {
    "a rule more and one less": ({"PORTS": '"443", "8443"'}, ""),
    "a rule changed": ({"EGRESS": "10.0.0.0/8"}, ""),
    "a group replaced": ({"WEBNAME": "web2"}, ""),
    "an inline rule changed": ({"DBPORT": "3306"}, ""),
    "an inline rule more": (
        {"DBMORE": 'ingress {\n from_port = 22\n to_port = 22\n protocol = "tcp"\n cidr_blocks = ["10.0.0.0/8"]\n }'},
        "",
    ),
    "a dynamic rule changed": ({"DYNAMIC": "1000, 1002"}, ""),
    "a NAT gateway more, and the routes to it": ({"NATS": "2", "NAT": "1"}, ""),
    "an association moved": ({"TABLE": "b"}, ""),
    "an ACL entry and its subnets": ({"ACLNUMBER": "20", "ACLSUBNETS": "aws_subnet.s[1].id, aws_subnet.s[2].id"}, ""),
    "an ACL rule more": ({"ACLRULES": "2"}, ""),
    "an ACL rule less": ({"ACLRULES": "0"}, ""),
    "entries of a prefix list": ({"LISTENTRIES": '{ cidr = "198.51.100.0/24" }, { cidr = "203.0.113.0/24" }'}, ""),
    "a module": ({}, MODULE),
    "a new VPC": ({}, NEW_VPC),
    "everything at once": (
        {"PORTS": '"8443"', "WEBNAME": "w", "DBPORT": "1", "NATS": "2", "NAT": "1", "TABLE": "b", "ACLRULES": "2"},
        MODULE + NEW_VPC,
    ),
}


def configuration(values: dict[str, str], more: str = "") -> str:
    text = BASE
    for name in sorted(VALUES, key=len, reverse=True):
        text = text.replace(name, {**VALUES, **values}[name])
    return text + more


@pytest.mark.parametrize(
    "kinds", [list(CHANGES)[-1:], pytest.param(list(CHANGES)[:-1], marks=pytest.mark.nightly)], ids=["all", "each"]
)
def test_the_plan_over_the_snapshot_is_the_snapshot_after_apply(rig: Rig, kinds: list[str]) -> None:
    """For each kind of change: plan, lay over, apply, describe, compare; then the next from there."""
    (rig.folder / "more").mkdir()
    (rig.folder / "more" / "main.tf").write_text(
        'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n' + INNER
    )
    rig.configure(configuration({}))
    rig.terraform("get")
    empty = rig.snapshot()
    first = rig.plan(empty)
    rig.terraform("apply", "-no-color", "-input=false", "p")
    assert not first.ambiguities
    base = rig.snapshot()
    assert comparable(first.network, rig.ids()) == comparable(base, rig.ids()), "the first plan"
    assert rig.plan(base).network == base, "a plan that changes nothing"
    before = base
    for name in kinds:
        values, more = CHANGES[name]
        rig.configure(configuration(values, more))
        rig.terraform("get")
        planned = rig.plan(before)
        rig.terraform("apply", "-no-color", "-input=false", "p")
        after = rig.snapshot()
        assert not planned.ambiguities, name
        assert comparable(planned.network, rig.ids()) == comparable(after, rig.ids()), name
        assert planned.network_without(planned.names) == before, name
        before = after


# -- load balancers ---------------------------------------------------------------------------------------

BALANCERS = """
resource "aws_vpc" "main" { cidr_block = "10.0.0.0/16" }
resource "aws_subnet" "s" {
  count      = 3
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.${count.index}.0/24"
}
resource "aws_instance" "i" {
  count     = 2
  subnet_id = aws_subnet.s[count.index].id
}
resource "aws_lb" "web" {
  name    = "web"
  subnets = [BALANCED]
}
resource "aws_lb_target_group" "t" {
  for_each = toset(["a", "b"])
  name     = each.key
  protocol = "HTTP"
  port     = 8080
  vpc_id   = aws_vpc.main.id
}
resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.web.arn
  protocol          = "HTTP"
  port              = LBPORT
  default_action    = [{ type = "forward", target_group_arn = aws_lb_target_group.t["DEFAULT"].arn }]
}
resource "aws_lb_listener_rule" "r" {
  count        = RULES
  listener_arn = aws_lb_listener.http.arn
  priority     = 10 + count.index
  action       = [{ type = "forward", target_group_arn = aws_lb_target_group.t["RULED"].arn }]
  condition    = [{ path_pattern = ["/x${count.index}"] }]
}
resource "aws_lb_target_group_attachment" "t" {
  target_group_arn = aws_lb_target_group.t["REGISTERED"].arn
  target_id        = aws_instance.i[0].id
  port             = 8080
}
resource "aws_elb" "old" {
  name      = "old"
  subnets   = [aws_subnet.s[0].id]
  instances = [INSTANCES]
  listener  = [{ lb_port = OLDPORT, lb_protocol = "tcp", instance_port = 8080, instance_protocol = "tcp" }]
}
"""
BALANCED = {
    "BALANCED": "aws_subnet.s[0].id, aws_subnet.s[1].id",
    "LBPORT": "80",
    "DEFAULT": "a",
    "RULES": "1",
    "RULED": "b",
    "REGISTERED": "a",
    "INSTANCES": "aws_instance.i[0].id",
    "OLDPORT": "443",
}
BALANCER_CHANGES: list[dict[str, str]] = [
    {"DEFAULT": "b"},
    {"RULES": "2", "RULED": "a", "LBPORT": "8080"},
    {"RULES": "0", "REGISTERED": "b"},
    {"BALANCED": "aws_subnet.s[1].id, aws_subnet.s[2].id", "INSTANCES": "", "OLDPORT": "8443"},
]


def balanced(network: Network, ids: dict[str, str]) -> dict[str, Any]:
    """Load balancers and target groups in plain values, made-up ids as AWS's."""
    real = {f"tf:{address}": object_id for address, object_id in ids.items()}

    def named(text: str) -> str:
        head, colon, port = text.rpartition(":")
        return real.get(text) or (f"{real[head]}:{port}" if colon and head in real else text)

    found = {}
    for each in network.load_balancers.values():
        listeners = [
            (listener.port, listener.protocol, sorted(map(named, listener.target_group_ids)), listener.complete)
            for listener in each.listeners or ()
        ]
        found[named(each.load_balancer_id)] = (each.kind, sorted(map(named, each.subnet_ids)), listeners)
    groups = {
        named(group.target_group_id): (group.port, group.protocol, [named(t.target_id) for t in group.targets or ()])
        for group in network.target_groups.values()
    }
    return {"load balancers": found, "groups": groups}


@pytest.mark.nightly
def test_load_balancers_of_a_plan_are_those_described_after_apply(rig: Rig) -> None:
    before = rig.snapshot()
    for changes in ({}, *BALANCER_CHANGES):
        text = BALANCERS
        for name, value in {**BALANCED, **changes}.items():
            text = text.replace(name, value)
        rig.configure(text)
        planned = rig.plan(before)
        rig.terraform("apply", "-no-color", "-input=false", "p")
        after = rig.snapshot()
        assert not planned.ambiguities, changes
        assert balanced(planned.network, rig.ids()) == balanced(after, rig.ids()), changes
        assert planned.network_without(planned.names) == before, changes
        before = after
