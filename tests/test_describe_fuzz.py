"""Broken descriptions: whatever is put in, out comes a Network, or an InputError that names the file."""

from __future__ import annotations

import copy
import gzip
import io
import json
import random
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from describe_documents import DATA, between, everything

import flowcore as fc
from flowcore.errors import InputError

SEEDS = 44
PER_SEED = 25

#: What takes the place of a value: every JSON type, and the ends of what they can hold.
STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1 << 63,
    -(1 << 70),
    10**400,
    65536,
    1.5,
    1e308,
    "",
    "-1",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/99",
    "999.1.1.1",
    "x" * 5000,
    "\u0000\u202e\U0001f480",
    "\u0661\u0660.0.0.0/8",
    "sg-1",
    "local",
    [],
    {},
    [None],
    [[[[]]]],
    {"Vpcs": []},
    [{"GroupId": "sg-1"}],
)


def base_documents() -> list[dict[str, Any]]:
    """The hand-made networks with every kind of record, and the real one as a single object."""
    real: dict[str, Any] = {}
    for file in sorted(DATA.rglob("*.json")):
        real |= json.loads(file.read_text())
    return [everything(), between(), real]


BASES = base_documents()


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        found.append((value, key))
        places(child, found)
    return found


def mutate(documents: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy with one to three values replaced, removed, repeated, moved or buried."""
    documents = copy.deepcopy(documents)
    for _ in range(rng.randint(1, 3)):
        found = places(documents, [])
        if not found:
            break
        container, key = rng.choice(found)
        what = rng.randrange(6)
        if what <= 1:
            container[key] = copy.deepcopy(rng.choice(STRANGE))
        elif what == 2:
            del container[key]
        elif what == 3:
            other, place = rng.choice(found)
            container[key] = copy.deepcopy(other[place])
        elif what == 4:
            for _ in range(rng.choice((1, 5, 300))):
                container[key] = [container[key]]
        elif isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        else:
            container[rng.choice(("Vpcs", "NextToken", "Groups", "Ünknown"))] = container[key]
    return documents


def mangle(data: bytes, rng: random.Random) -> bytes:
    """Truncated, or with bytes changed, removed or repeated."""
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((1, 1, 3, 50)))
    noise = bytes(rng.randrange(256) for _ in range(end - start))
    what = rng.randrange(4)
    if what == 0:
        return data[:start]
    return data[:start] + (b"" if what == 1 else data[start:end] * 2 if what == 2 else noise) + data[end:]


def accept(path: Path) -> bool:
    """Whether the file is read; an error is an InputError that names the file and fits on a screen."""
    try:
        network = fc.read_network(path, assume_defaults=True)
    except InputError as error:
        text = str(error)
    else:
        assert isinstance(network, fc.Network)
        assert repr(network)
        assert network == fc.read_network(path, assume_defaults=True)
        text = ""
    if text:
        assert path.name in text
        assert len(text) < 2000
        return False
    for name in ("members", "peers", "vpcs_with_other_ways_in", "internet_gateway_of", "attachments_of"):
        getattr(network, name)
    assert set(network.load_balancer_of) <= set(network.interfaces)
    return True


@pytest.mark.parametrize("seed", range(SEEDS))
def test_values_of_the_wrong_kind(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    file = tmp_path / "mutated.json"
    for _ in range(PER_SEED):
        file.write_text(json.dumps(mutate(rng.choice(BASES), rng)))
        accept(file)


def test_mutations_are_neither_all_read_nor_all_refused(tmp_path: Path) -> None:
    rng = random.Random(0)
    file = tmp_path / "mutated.json"
    read = 0
    for _ in range(60):
        file.write_text(json.dumps(mutate(BASES[0], rng)))
        read += accept(file)
    assert 10 < read < 50


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("suffix", [".json", ".json.gz", ".zip", ".tar", ".tgz"])
def test_bytes_that_are_wrong(tmp_path: Path, suffix: str, seed: int) -> None:
    rng = random.Random(seed)
    text = json.dumps(everything()).encode()
    stream = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("eu-west-1/a.json", text)
    elif suffix in (".tar", ".tgz"):
        with tarfile.open(fileobj=stream, mode="w:gz" if suffix == ".tgz" else "w") as tar:
            info = tarfile.TarInfo("eu-west-1/a.json")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    else:
        stream.write(gzip.compress(text) if suffix.endswith(".gz") else text)
    file = tmp_path / f"mangled{suffix}"
    for _ in range(15):
        file.write_bytes(mangle(stream.getvalue(), rng))
        accept(file)


@pytest.mark.parametrize("seed", range(4))
def test_objects_in_memory(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        try:
            network = fc.network_from_documents(mutate(BASES[0], rng), assume_defaults=True)
        except InputError as error:
            network, text = None, str(error)
        assert isinstance(network, fc.Network) or "documents" in text
