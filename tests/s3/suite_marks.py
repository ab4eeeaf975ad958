"""A pytest plugin for somebody else's suite: writes the marks of each test into the junit report."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.user_properties.append(("marks", " ".join(sorted({mark.name for mark in item.iter_markers()}))))
