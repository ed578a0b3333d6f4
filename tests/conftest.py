"""Options of the test run: `--nightly` adds the tests that use many more seeds than a merge needs."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", default=False, help="also run the tests marked nightly")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--nightly"):
        return
    skip = pytest.mark.skip(reason="many seeds: run with --nightly")
    for item in items:
        if "nightly" in item.keywords:
            item.add_marker(skip)
