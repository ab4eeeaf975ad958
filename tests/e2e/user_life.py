"""A user's whole life: an empty data folder in the beginning, and nothing left in the end."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from loopback import free_port
from one_user import User


@contextmanager
def a_user(prefix: str = "w-") -> Iterator[User]:
    """A user who takes everything down in the end; what stays then is a failure."""
    root = Path(tempfile.mkdtemp(prefix=prefix))
    user = User(root / "h", root / "w")
    user.folder.mkdir()
    user.home.mkdir(mode=0o700)
    # Given by hand: the usual port is one for all, and what this test lets go of another could take meanwhile.
    (user.home / "ports.json").write_text(json.dumps({"server": free_port()}))
    try:
        yield user
        take_down(user)
        user.until_gone()
    finally:
        user.end_everything()
        rmtree(root)


def take_down(user: User) -> None:
    """Removes every stack, and ends a server that was started by hand."""
    for (stack,) in user.rows("SELECT name FROM stacks"):
        user.weyr("down", "--stack", stack, "--yes")
    if (user.home / "run" / "server.json").exists():
        user.weyr("server", "stop")
