"""Options and fixtures that all tests share."""

import pytest
from stores import place, postgres

__all__ = ["place", "postgres"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-plans` writes what is there into the golden files; the reviewer reads the difference."""
    parser.addoption("--update-plans", action="store_true", help="rewrite golden plans and diagnostics")
    parser.addoption("--every-fault", action="store_true", help="fail at every write, not at a sample of them")
