"""What a user is told when Weyr cannot begin. Each is a plain error, status 1, and nothing is changed."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from one_user import Said, User, until
from stacks import SMALL

SOMEBODY_ELSE = 65534
BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""What root needs in front of a command to be held to the rights of files as everybody is."""


def bound(user: User, *words: str) -> Said:
    """Types a command as somebody to whom the rights of files mean something."""
    done = subprocess.run(
        [*BOUND, sys.executable, "-m", "weyr.cli.main", *words], capture_output=True, text=True, timeout=120,
        check=False, env=user.environment(), cwd=user.folder,
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
    """The server does not start beside whoever has the port, and says who that is and what to type instead."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = user.weyr("server", "start", "--port", str(port), status=1)

    told(said, "The port is taken")
    assert f"(process {os.getpid()}) listens on 127.0.0.1:{port}" in " ".join(said.err.split())
    assert "server start --port" in said.err
    until(lambda: not user.processes(), "nothing of it to be left")
    user.weyr("server", "start")


def test_who_only_asked_has_no_port(user: User) -> None:
    """`weyr plan` before the first `weyr up` keeps no port that somebody else may have by then."""
    (user.home / "ports.json").unlink(missing_ok=True)

    user.weyr("get")

    assert not (user.home / "ports.json").exists()


def test_a_second_server_on_one_folder_gives_way(user: User) -> None:
    """It names the first, which goes on unharmed."""
    user.weyr("server", "start")
    first = user.pid("server")

    second = subprocess.run(
        [sys.executable, "-m", "weyr.server", "--home", str(user.home), "--port", "0"], capture_output=True, text=True,
        timeout=120, check=False,
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


def test_a_folder_that_cannot_be_written_is_left_alone(user: User) -> None:
    """Read-only: commands that need to write in it say so, and change nothing; made writable again, all goes on."""
    user.up(SMALL)
    user.weyr("server", "stop")
    folders = [user.home, *(path for path in user.home.rglob("*") if path.is_dir())]
    before = listing(user.home)
    for folder in folders:
        os.chmod(folder, 0o500)

    for words in (("server", "start"), ("up", "--yes"), ("down", "--yes")):
        told(bound(user, *words), "The data folder cannot be used")
    told(bound(user, "--home", str(user.home / "new"), "up", "--yes"), "The data folder cannot be used")

    assert listing(user.home) == before
    for folder in folders:
        os.chmod(folder, 0o700)
    assert user.row_offline("job/hello")["phase"] == "done"


def test_a_folder_of_somebody_else_is_left_alone(user: User) -> None:
    """Even where the rights would let us write there: what one user runs is not another's."""
    theirs = user.folder / "theirs" if os.geteuid() == 0 else Path("/usr")
    if os.geteuid() == 0:
        theirs.mkdir()
        os.chown(theirs, SOMEBODY_ELSE, SOMEBODY_ELSE)
    user.write(SMALL)

    for words in (("server", "start"), ("get",), ("up", "--yes"), ("cost",)):
        said = user.weyr("--home", str(theirs), *words, status=1)
        assert "belongs to somebody else" in said.err or "cannot be used" in said.err, said.err
        assert str(theirs) in said.err
    assert os.geteuid() != 0 or list(theirs.iterdir()) == [], "nothing was made in it"
