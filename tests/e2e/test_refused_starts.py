"""What a user is told when Weyr cannot begin. Each is a plain error, status 1, and nothing is changed."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from conftest import a_user
from one_user import Said, User
from stacks import SMALL

NOBODY = 65534


def as_nobody(user: User, *words: str) -> Said:
    """Types a command as a user who owns nothing here."""
    done = subprocess.run(
        [sys.executable, "-m", "weyr.cli.main", *words], capture_output=True, text=True, timeout=60, check=False,
        env=user.environment(), cwd=user.folder, user=NOBODY, group=NOBODY, extra_groups=[],
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def told(said: Said, summary: str) -> None:
    """It is one clear error."""
    assert said.status == 1, said
    assert f"Error: {summary}" in said.err
    assert "Traceback" not in said.text


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and the time it was written."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def test_a_port_that_is_taken_is_named(user: User) -> None:
    """The server does not start beside whoever has the port, and says what to type instead."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = user.weyr("server", "start", "--port", str(port), status=1)

    told(said, "The port is taken")
    assert f"127.0.0.1:{port}" in said.err
    assert "--port 0" in said.err
    assert user.processes() == {}
    user.weyr("server", "start")


def test_a_second_server_on_one_folder_gives_way(user: User) -> None:
    """It names the first, which goes on unharmed."""
    user.weyr("server", "start")
    first = user.pid("server")

    second = subprocess.run(
        [sys.executable, "-m", "weyr.server", "--home", str(user.home), "--port", "0"], capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert second.returncode == 1
    assert "The data folder is in use" in second.stderr
    assert str(first) in second.stderr
    assert "Traceback" not in second.stderr
    assert user.pid("server") == first
    assert user.api("GET", "/healthz") == {"ok": True}
    assert "runs already" in user.weyr("server", "start").err


def test_a_file_in_place_of_the_data_folder_is_said_so(user: User) -> None:
    """Nothing can be kept in a file; it stays what it was."""
    file = user.folder / "not-a-folder"
    file.write_text("mine")

    told(user.weyr("--home", str(file), "server", "start", status=1), "The data folder cannot be used")
    told(user.weyr("--home", str(file), "get", status=1), "The data folder cannot be used")
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_left_alone() -> None:
    """Read-only for this user: up, get and server start all say so, and change nothing."""
    with a_user() as user:
        user.write(SMALL)
        open_to_all(user)
        told(as_nobody(user, "--home", str(user.folder / "new"), "up", "--yes"), "The data folder cannot be used")
        assert not (user.folder / "new").exists()


def test_a_folder_of_somebody_else_is_left_alone() -> None:
    """Neither the owner's server nor his files are touched by another user's command, and the other way round."""
    with a_user() as user:
        user.up(SMALL)
        user.weyr("server", "stop")
        open_to_all(user)
        os.chmod(user.home, 0o755)
        before = listing(user.home)

        for words in (("server", "start"), ("get",), ("up", "--yes")):
            said = as_nobody(user, *words)
            assert said.status == 1, said
            assert "Error: " in said.err
            assert "Traceback" not in said.text, said.text
            assert "belongs to" in said.err or "cannot be used" in said.err, said.err
        assert listing(user.home) == before
        os.chmod(user.home, 0o700)

    with a_user() as user:
        os.chown(user.home, NOBODY, NOBODY)
        told(user.weyr("server", "start", status=1), "The data folder belongs to somebody else")
        told(user.weyr("get", status=1), "The data folder belongs to somebody else")
        assert [path.name for path in user.home.iterdir()] == ["ports.json"], "nothing was made in it"
        os.chown(user.home, os.geteuid(), os.getegid())


def open_to_all(user: User) -> None:
    """Lets everybody walk in, as in a folder under a shared one."""
    for folder in (user.home.parent, user.folder):
        os.chmod(folder, 0o755)
