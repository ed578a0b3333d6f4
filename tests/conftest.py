"""Options of the test run, and its order: `--nightly` adds the tests that use many more seeds than a merge needs."""

from __future__ import annotations

import pytest

from flowcore import interpreted

# Tests judge few flows, and are about machine code all the same; test_interpreted.py is about the other form, and
# what tests start as processes of their own runs as it does for users.
interpreted.never()

#: Files (how their names go on after test_) whose tests call no compiled kernel, and the exceptions.
WITHOUT_KERNELS = (
    "describe", "edits", "flowlogs", "layers", "packaging", "public_surface", "selectors", "synthetic", "terraform",
    "walk",
)  # fmt: skip
WITH_KERNELS = ("describe_pages", "describe_trimmed", "terraform_balancers", "terraform_odd", "walk_forks")


def _turn(item: pytest.Item) -> int:
    """When a test's turn is. The first process of several gets the first tests, and compiles the kernels that most
    others need, while the second has those that need none; together they would compile everything twice."""
    name = item.path.stem.removeprefix("test_")
    if name == "agreement":
        return 0
    return 1 if name.startswith(WITHOUT_KERNELS) and name not in WITH_KERNELS else 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", default=False, help="also run the tests marked nightly")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    if config.getoption("--nightly"):
        return
    skip = pytest.mark.skip(reason="many seeds: run with --nightly")
    for item in items:
        if "nightly" in item.keywords:
            item.add_marker(skip)
