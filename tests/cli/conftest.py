"""What every test of the command line begins with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_shell import Shell, a_shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """As `a_shell`, for one test."""
    with a_shell(tmp_path) as made:
        yield made
