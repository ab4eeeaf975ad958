"""A real server for tests that ask it, in a data folder of its own."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

# What the end-to-end tests offer: a user who types commands and leaves nothing behind.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from loopback import free_port
from one_user import User


@pytest.fixture(scope="module")
def served() -> Iterator[User]:
    """A user whose server runs, with no stack yet."""
    root = Path(tempfile.mkdtemp(prefix="w-"))
    user = User(root / "h", root / "w")
    user.folder.mkdir()
    user.home.mkdir(mode=0o700)
    (user.home / "ports.json").write_text(json.dumps({"server": free_port()}))
    try:
        user.weyr("server", "start")
        yield user
    finally:
        user.end_everything()
        rmtree(root)
