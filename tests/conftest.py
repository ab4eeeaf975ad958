"""Options that all tests share."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-plans` writes what is there into the golden files; the reviewer reads the difference."""
    parser.addoption("--update-plans", action="store_true", help="rewrite golden plans and diagnostics")
