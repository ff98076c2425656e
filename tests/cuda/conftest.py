"""What is marked slow here (whole products of rows, types, layouts and generations: some minutes) runs
under `make test-full`, which sets LAMPAS_TEST_FULL."""

import os

import pytest


def pytest_collection_modifyitems(items):
    if os.environ.get("LAMPAS_TEST_FULL"):
        return
    for item in items:
        if item.get_closest_marker("slow") and "cuda" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason="runs under make test-full"))
