"""One server on PostgreSQL, as its user types it: up, look, stop, look, down."""

from collections.abc import Iterator
from http.client import HTTPException

import pytest
from one_user import User, until
from postgres_server import PostgresServer, running_postgres
from user_life import a_user

STACK = "stack: small\nbuckets: {lake: {}}\njobs: {hello: {run: echo hello}}\n"


@pytest.fixture
def user(postgres: PostgresServer) -> Iterator[User]:
    with a_user() as made:
        yield made


def test_a_stack_comes_up_and_goes_on_postgresql(user: User, postgres: PostgresServer) -> None:
    """The first server is told the store; every later command knows it, with a server and without one."""
    user.weyr("server", "start", "--store", postgres.new_database().secret_text)
    assert user.up(STACK).status == 0
    assert user.row("job/hello")["phase"] == "done"
    assert not (user.home / "store.db").exists()

    user.weyr("server", "stop")
    assert user.row_offline("job/hello")["phase"] == "done"
    assert user.asked("cost")["rows"] is not None

    user.weyr("down", "--yes")
    assert not (user.home / "store.db").exists()
    assert "pass-word" not in (user.home / "logs" / "server.log").read_text()


def test_a_folder_that_has_stacks_is_not_moved_by_mistake(user: User, postgres: PostgresServer) -> None:
    """They would seem to be lost, and what runs for them would be nobody's."""
    user.up(STACK)
    user.weyr("server", "stop")
    said = user.weyr("server", "start", "--store", postgres.new_database().secret_text, status=1)
    assert "has a store already" in said.err
    assert user.row_offline("job/hello")["phase"] == "done"


def test_a_standby_of_a_store_in_a_file_is_refused(user: User) -> None:
    """Nobody else can reach it, so there is nothing to wait for."""
    said = user.weyr("server", "start", "--standby", status=1)
    assert "Nothing to stand by for" in said.err


def test_a_store_that_does_not_answer_is_said(user: User, postgres: PostgresServer) -> None:
    """An address with nobody behind it is the user's to mend."""
    said = user.weyr("server", "start", "--store", postgres.url("weyr", port=9).secret_text, status=1)
    assert "The store does not answer" in said.err
    assert "pass-word" not in said.text
    (user.home / "store.json").unlink()


def test_a_server_alone_comes_back_once_its_store_does(user: User) -> None:
    """Nobody else can act meanwhile. What runs goes on, and is neither lost nor begun again."""
    with running_postgres() as own:
        user.weyr("server", "start", "--store", own.new_database().secret_text, "--lease", "3")
        text = "stack: small\njobs: {slow: {run: 'echo slow >> begun; until [ -e finish ]; do sleep 0.1; done'}}\n"
        plan = user.api("POST", "/v1/plans", {"text": text, "file": str(user.write(text))})["id"]
        user.api("POST", f"/v1/plans/{plan}/apply")
        until((user.folder / "begun").exists, "the job to begin")
        own.stop()
        until(lambda: answer(user) != 200, "the server to say that its store is away")
        until(lambda: "lease.lost" in (user.home / "logs" / "server.log").read_text(), "the server to stand down")
        own.start()
        until(lambda: answer(user) == 200, "the server to be back")
        (user.folder / "finish").touch()
        user.until_phase("job/slow", "done")
        assert (user.folder / "begun").read_text().split() == ["slow"]
        user.weyr("down", "--yes")
        user.weyr("server", "stop")
        user.until_gone()
        (user.home / "store.json").unlink()


def answer(user: User) -> int:
    """The status of a read that needs the store; 0 where nobody answers."""
    try:
        return user.request("GET", "/v1/events")[0]
    except (OSError, ValueError, HTTPException):
        return 0
