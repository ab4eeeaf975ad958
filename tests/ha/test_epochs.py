"""Launcher and planes do nothing for a server whose epoch is over, whatever it still has on its way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from one_user import User, is_alive, until
from postgres_server import PostgresServer
from user_life import a_user

from weyr.core.diagnostic import EngineSilent
from weyr.engines.local.control import NoAnswer, PlaneDown, ask
from weyr.engines.local.epochs import read_epoch, write_epoch
from weyr.engines.local.launcher_client import LauncherClient
from weyr.store.home import Home

OLD, NEW = 1, 2
PLANES = ("s3", "inference")


@pytest.fixture
def user(postgres: PostgresServer) -> Iterator[User]:
    with a_user() as made:
        made.weyr("server", "start", "--store", postgres.new_database().secret_text)
        until(lambda: all((made.home / "run" / f"{name}.json").exists() for name in PLANES), "both planes")
        yield made


def launcher(home: Home, epoch: int) -> LauncherClient:
    return LauncherClient(
        home.sockets / "launcher.sock", home.info("launcher"), home.log("launcher"), epoch=epoch
    )  # fmt: skip


def put(home: Home, name: str, epoch: int) -> int:
    """The status of what the S3 plane answers to a server that wants a bucket; 0 while none does."""
    try:
        return ask(home.sockets / "s3.sock", "PUT", f"/buckets/{name}", {"owner": "test"}, epoch)[0]
    except (PlaneDown, NoAnswer):
        return 0


def test_the_launcher_and_both_planes_refuse_an_epoch_that_is_over(user: User) -> None:
    """A successor writes its epoch into the folder before it acts; they read it, also after a start of their own."""
    home = Home(user.home)
    assert read_epoch(str(home.run)) == OLD
    assert put(home, "first", OLD) == 200
    assert launcher(home, OLD).start([]) == []
    assert ask(home.sockets / "inference.sock", "POST", "/reload", epoch=OLD)[0] == 200

    write_epoch(str(home.run), NEW)

    assert put(home, "late", OLD) == 409
    assert ask(home.sockets / "s3.sock", "DELETE", "/buckets/first?force=1", epoch=OLD)[0] == 409
    assert ask(home.sockets / "inference.sock", "POST", "/reload", epoch=OLD)[0] == 409
    with pytest.raises(EngineSilent, match="epoch 1 is over"):
        launcher(home, OLD).start([])

    pid = user.kill("s3")
    until(lambda: user.pid("s3") != pid and is_alive(user.pid("s3")) and put(home, "late", OLD), "a new S3 plane")
    assert put(home, "late", OLD) == 409
    assert put(home, "new", NEW) == 200
    assert launcher(home, NEW).start([]) == []
    assert ask(home.sockets / "inference.sock", "POST", "/reload", epoch=NEW)[0] == 200

    names = {bucket["name"] for bucket in ask(home.sockets / "s3.sock", "GET", "/buckets")[1]["buckets"]}
    assert {"first", "new"} <= names
    assert "late" not in names
    launcher(home, NEW).stop()


def test_an_epoch_never_goes_back(tmp_path: Path) -> None:
    """However late an old server comes to write it."""
    write_epoch(str(tmp_path), 7)
    write_epoch(str(tmp_path), 3)
    assert read_epoch(str(tmp_path)) == 7


def test_a_store_that_was_restored_goes_on_above_what_the_folder_has_seen(user: User) -> None:
    """Its lease is of an older epoch, and launcher and planes would refuse the server for ever."""
    home = Home(user.home)
    user.weyr("server", "stop")
    write_epoch(str(home.run), 7)
    user.weyr("server", "start")
    assert read_epoch(str(home.run)) == 8
    assert user.up("stack: small\nbuckets: {lake: {}}\njobs: {hello: {run: echo hello}}\n").status == 0


def test_a_store_serves_one_data_folder(user: User, postgres: PostgresServer) -> None:
    """What runs in another folder cannot be seen from here, and would be begun a second time."""
    store = str(user.rows("SELECT current_database()")[0][0])
    with a_user() as stranger:
        said = stranger.weyr("server", "start", "--store", postgres.url(store).secret_text, status=1)
        assert "another data folder" in said.err
        assert "pass-word" not in said.text + (stranger.home / "logs" / "server.log").read_text()
        (stranger.home / "store.json").unlink()


def test_two_servers_are_told_apart_from_a_standby(user: User, postgres: PostgresServer) -> None:
    """Without --standby a second server does not wait: it says who acts."""
    said = user.weyr("server", "start", "--standby", "--lease", "2")
    assert "standby waits" in said.text
    until(lambda: "standby-" in user.weyr("server", "status").out, "the standby to be told of")
    user.weyr("server", "stop")
    until(lambda: not user.processes(), "both to be gone")
