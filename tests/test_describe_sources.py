"""Where a description may stand: folders, files, archives; whole, broken or too large; and the real one."""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import tarfile
import zipfile
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from describe_documents import DATA, changed, everything, issues, one_group, permission

import flowcore as fc
from flowcore.errors import NetworkError
from flowcore.model import RouteTarget
from flowcore.sources.archives import Limits, json_members


def write_snapshot(root: Path, documents: dict[str, Any] | None = None) -> Path:
    """A folder with one file per key, the interfaces gzipped, and clutter that must not be read."""
    folder = root / "snapshot" / "aws_configs" / "accounts" / "111122223333" / "eu-west-1"
    folder.mkdir(parents=True)
    for i, (key, value) in enumerate((documents or everything()).items()):
        data = json.dumps({key: value}).encode()
        if key == "NetworkInterfaces":
            (folder / f"{i}.json.gz").write_bytes(gzip.compress(data))
        else:
            (folder / f"any-name-{i}.JSON").write_bytes(data)
    (folder / "notes.txt").write_text("not JSON")
    (folder / ".hidden.json").write_text("not JSON")
    (root / "snapshot" / "__MACOSX").mkdir()
    (root / "snapshot" / "__MACOSX" / "x.json").write_text("not JSON")
    return root / "snapshot"


def pack(folder: Path, suffix: str) -> Path:
    target = folder.with_name(f"packed{suffix}")
    files = sorted((file for file in folder.rglob("*") if file.is_file()), reverse=True)
    if suffix == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(folder).as_posix())
    else:
        with tarfile.open(target, "w:gz" if suffix.endswith("gz") else "w") as tar:
            for file in files:
                tar.add(file, "./" + file.relative_to(folder).as_posix())
    return target


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz"])
def test_archives_are_read_like_folders(tmp_path: Path, suffix: str) -> None:
    folder = write_snapshot(tmp_path, changed(SecurityGroups=[]))
    network = fc.read_network(folder)
    assert network.issues
    assert fc.read_network(pack(folder, suffix)) == network


def test_a_tar_that_ends_early_or_goes_on_is_refused(tmp_path: Path) -> None:
    whole = pack(write_snapshot(tmp_path), ".tar").read_bytes()
    end = len(whole.rstrip(b"\0")) // 512 * 512 + 512
    cut = tmp_path / "cut.tar"
    for data in (
        whole[:512],
        whole[: end - 512],
        whole[:end],
        whole[: end + 100],
        whole + whole,
        whole[:end] + b"x" * 512,
    ):
        cut.write_bytes(data)
        with pytest.raises(NetworkError, match="cannot be read"):
            fc.read_network(cut)
    cut.write_bytes(whole[: end + 1024])
    assert fc.read_network(cut) == fc.read_network(tmp_path / "snapshot")


@pytest.mark.parametrize(
    ("folder", "account"),
    [
        ("202611231430", None),
        ("209902292359", None),
        ("accounts/202611231430", "202611231430"),
        ("202613231430", "202613231430"),
        ("202611232430", "202611232430"),
        ("111122223333", "111122223333"),
    ],
)
def test_a_folder_named_by_a_time_is_no_account(folder: str, account: str | None) -> None:
    network = fc.network_from_documents([(f"{folder}/eu-west-1/a.json", everything())])
    assert network.vpcs["vpc-2"].owner_id == account


def test_folder_gives_region_and_account(tmp_path: Path) -> None:
    network = fc.read_network(write_snapshot(tmp_path))
    assert network.vpcs["vpc-2"].region == "eu-west-1"
    assert network.vpcs["vpc-2"].owner_id == "111122223333"
    assert not issues(network, "conflict")
    assert set(network.interfaces) == {"eni-1"}


def test_account_of_the_folder_may_differ_from_the_owner() -> None:
    network = fc.network_from_documents([("999988887777/eu-west-1/a.json", everything())])
    (issue,) = issues(network, "conflict", "999988887777")
    assert issue.severity == "note"
    named = fc.network_from_documents([("accounts/demo/eu-west-1/a.json", everything())])
    assert not issues(named, "conflict")
    assert named.vpcs["vpc-2"].region == "eu-west-1"


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("us-gov-west-1/a.json", "us-gov-west-1"),
        ("eusc-de-east-1/a.json", "eusc-de-east-1"),
        ("my-folder-1/a.json", None),
        ("us-west-2.json", None),
    ],
)
def test_folders_that_look_like_regions(name: str, region: str | None) -> None:
    documents = {"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]}
    assert fc.network_from_documents([(name, documents)]).vpcs["vpc-1"].region == region


@pytest.mark.parametrize("suffix", [".json", ".json.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_single_files(tmp_path: Path, suffix: str, encoding: str) -> None:
    data = json.dumps(everything()).encode(encoding)
    file = tmp_path / f"network{suffix}"
    file.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    network = fc.read_network(file)
    assert network.security_groups == fc.network_from_documents(everything()).security_groups
    assert network == fc.read_network(str(file))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "line 1, column 1"),
        (b'{"Vpcs": [', "not JSON"),
        (b'{"Vpcs":\n [}', "line 2, column 3"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
        (b'{"Vpcs": []} {"Vpcs": []}', "not JSON"),
        (b'{"Vpcs": [{"VpcId": "\xff"}]}', "$.Vpcs: holds a value that cannot be read"),
        (b'{"Vpcs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"Tags": ' + b"[" * 200 + b"]" * 200 + b"}", "nested too deeply"),
        (b"\xff\xfe{", "not JSON"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: bytes, text: str) -> None:
    file = tmp_path / "broken.json"
    file.write_bytes(content)
    for path in (file, tmp_path):
        with pytest.raises(NetworkError, match=r"broken\.json") as caught:
            fc.read_network(path)
        assert text in str(caught.value)


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tgz", "x.json.gz"])
@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00broken", b"PK\x03\x04broken" * 99])
def test_broken_archives_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(NetworkError) as caught:
        fc.read_network(file)
    assert name in str(caught.value)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("")
    for path in (tmp_path / "missing", tmp_path / "x.csv", tmp_path):
        with pytest.raises(NetworkError) as caught:
            fc.read_network(path)
        assert str(path) in str(caught.value)


def test_limits_hold_for_every_kind_of_source(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.json").write_bytes(b" " * 5000)
    (folder / "c.json.gz").write_bytes(gzip.compress(b" " * 5000))
    paths = [folder, *(pack(folder, suffix) for suffix in (".zip", ".tgz", ".tar"))]
    for path in paths:
        assert sum(len(member.data) for member in json_members(path)) == 15000
        for limits in (Limits(member_bytes=4999), Limits(total_bytes=14999), Limits(members=2)):
            with pytest.raises(NetworkError):
                list(json_members(path, limits))


def test_a_tar_that_only_unpacks_to_nothing_useful_is_bounded(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.tgz"
    with tarfile.open(bomb, "w:gz") as tar:
        info = tarfile.TarInfo("zeros.bin")
        info.size = 1 << 20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(NetworkError, match="larger"):
        list(json_members(bomb, Limits(total_bytes=1 << 18)))


def test_links_and_devices_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "x.tar"
    with tarfile.open(file, "w") as tar:
        for name, kind in (("a.json", tarfile.SYMTYPE), ("b.json", tarfile.LNKTYPE), ("c.json", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    assert list(json_members(file)) == []
    packed = tmp_path / "x.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        info_zip = zipfile.ZipInfo("link.json")
        info_zip.external_attr = 0o120777 << 16
        archive.writestr(info_zip, "/etc/passwd")
    assert list(json_members(packed)) == []
    os.mkfifo(tmp_path / "pipe.json")
    assert [member.name for member in json_members(tmp_path)] == []


def test_errors_name_the_file_and_the_json_path(tmp_path: Path) -> None:
    folder = write_snapshot(tmp_path, changed(**one_group(permission("tcp", "10.0.0.0/8", FromPort="x"))))
    with pytest.raises(NetworkError) as caught:
        fc.read_network(folder)
    assert str(caught.value.source).startswith(str(folder))
    assert caught.value.where == "$.SecurityGroups[0].IpPermissions[0].FromPort"
    assert "found 'x'; expected int" in str(caught.value)


def test_hybrid_cloud_aws() -> None:
    network = fc.read_network(DATA)
    assert repr(network).startswith("<Network: 4 VPCs, 10 subnets, 9 interfaces, 11 security groups with 43 rules")
    assert {vpc.region for vpc in network.vpcs.values()} == {"us-west-2"}
    black_hole = network.route_tables["rtb-f28e418b"].routes[1]
    assert (black_hole.target_kind, black_hole.blackhole) == (RouteTarget.NAT_GATEWAY, True)
    assert all(route.propagated for route in network.route_tables["rtb-296bf350"].routes[1:])
    assert network.prefix_lists["pl-00a54069"].cidr_blocks == (IPv4Network("52.94.28.0/23"),)
    assert [(i.code, i.resource) for i in network.issues if i.code != "state"] == [
        ("dangling-reference", "sg-cf3f86b3"),
        ("not-modelled", "CustomerGateways"),
    ]
    assert len(issues(network, "state")) == 7
    assert {"Tags", "DBInstances", "DomainStatusList"} <= set(network.other)


def test_reading_twice_gives_the_same_network() -> None:
    assert fc.read_network(DATA) == fc.read_network(str(DATA) + "/")


def test_mappings_are_sorted_and_read_only() -> None:
    network = fc.read_network(DATA)
    for name in ("vpcs", "subnets", "route_tables", "network_acls", "security_groups", "interfaces", "instances"):
        mapping = getattr(network, name)
        assert list(mapping) == sorted(mapping)
        with pytest.raises(TypeError):
            mapping["x"] = 1
    documents = everything()
    before = copy.deepcopy(documents)
    fc.network_from_documents(documents)
    assert documents == before
