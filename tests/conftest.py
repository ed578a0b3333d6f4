"""Options of the test run: `--nightly` adds the tests that use many more seeds than a merge needs."""

from __future__ import annotations

import pytest

from flowcore import interpreted

# Tests judge few flows, and are about machine code all the same; test_interpreted.py is about the other form, and
# what tests start as processes of their own runs as it does for users.
interpreted.never()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", default=False, help="also run the tests marked nightly")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--nightly"):
        return
    skip = pytest.mark.skip(reason="many seeds: run with --nightly")
    for item in items:
        if "nightly" in item.keywords:
            item.add_marker(skip)
