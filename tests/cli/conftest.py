"""What every test of the command line begins with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_shell import STACK_FILE, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """An empty data folder, a folder with a stack file, and no server; what was started is stopped."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "weyr.yaml").write_text(STACK_FILE)
    made = Shell(tmp_path / "home", folder)
    yield made
    for process in made.processes:
        process.terminate()
        process.wait(60)
