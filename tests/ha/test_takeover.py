"""Two servers on one PostgreSQL: one acts, and the other takes over within seconds, whatever becomes of the first."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException

import pytest
from one_user import is_alive, until
from postgres_server import PostgresServer
from proxy import cuttable
from stopping_server import PLACES
from two_servers import MORE, STACK, Pair, is_stopped
from user_life import a_user

Record = Callable[[str, object], None]


@pytest.fixture
def pair(postgres: PostgresServer) -> Iterator[Pair]:
    with a_user() as user:
        yield Pair(user, postgres.new_database())


def ask_for_more(pair: Pair) -> None:
    """Sends the first server what makes it act. It may stop amid that, so nobody waits for the answer."""

    def ask() -> None:
        with contextlib.suppress(OSError, HTTPException, AssertionError, KeyError, ValueError):
            file = str(pair.user.write(MORE))
            plan = pair.user.api("POST", "/v1/plans", {"text": MORE, "file": file})
            pair.stop_file.touch()
            pair.user.api("POST", f"/v1/plans/{plan['id']}/apply")

    threading.Thread(target=ask, daemon=True).start()


def test_a_standby_takes_over_from_a_killed_server(pair: Pair, record_property: Record) -> None:
    """`kill -9`: its death is seen at once, so nobody waits for the lease to end."""
    pair.begin()
    pair.want(STACK)
    os.kill(pair.first, signal.SIGKILL)
    took_s = pair.take_over_s(time.monotonic())
    record_property("took_s", took_s)
    pair.reap()

    pair.user.until_phase("job/steady", "working")  # the first may have died before it wrote down that it is
    pair.want(MORE)
    pair.check_the_end()


def test_a_standby_takes_over_from_a_stopped_server(pair: Pair, record_property: Record) -> None:
    """SIGSTOP while it has nothing to do. It is killed before its successor acts, so it never goes on."""
    pair.begin()
    pair.want(STACK)
    os.kill(pair.first, signal.SIGSTOP)
    took_s = pair.take_over_s(time.monotonic())
    record_property("took_s", took_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pair.first, signal.SIGCONT)

    until(lambda: not is_alive(pair.first), "the stopped server to be dead")
    pair.reap()
    pair.want(MORE)
    pair.check_the_end()


def test_a_server_that_is_asked_to_end_hands_over_at_once(pair: Pair, record_property: Record) -> None:
    """How a server is exchanged for a newer one: it gives the lease back, and nobody is killed or waits."""
    pair.begin()
    pair.want(STACK)
    os.kill(pair.first, signal.SIGTERM)
    took_s = pair.take_over_s(time.monotonic())
    record_property("took_s", took_s)
    pair.reap()

    assert '"predecessor.killed"' not in (pair.user.home / "logs" / "server.log").read_text()
    pair.want(MORE)
    pair.check_the_end()


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_stops_in_the_middle_has_no_second_half(pair: Pair, place: str, record_property: Record) -> None:
    """With the writers' lock in its hand, or with an intent written and the engine not told, or half told."""
    pair.begin(stops_at=place)
    pair.want(STACK)
    ask_for_more(pair)
    until(lambda: is_stopped(pair.first), f"the first server to stop {place}")
    took_s = pair.take_over_s(time.monotonic())
    record_property("took_s", took_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pair.first, signal.SIGCONT)

    until(lambda: not is_alive(pair.first), "the stopped server to be dead")
    pair.reap()
    pair.want(MORE)
    pair.check_the_end()


def test_a_server_that_is_cut_off_stands_down_by_itself(
    pair: Pair, postgres: PostgresServer, record_property: Record
) -> None:
    """It cannot know what became of the lease, so it goes by its own clock; later it stands by."""
    with cuttable(postgres.port) as network:
        name = pair.store.secret_text.rpartition("/")[2]
        pair.begin(through=postgres.url(name, network.port))
        pair.want(STACK)
        network.cut()
        took_s = pair.take_over_s(time.monotonic())
        record_property("took_s", took_s)

        until(lambda: '"lease.lost"' in (pair.user.home / "first.log").read_text(), "the first to have noticed")
        assert pair.is_first_alive()
        assert not pair.is_served_by(pair.first)
        pair.want(MORE)
        network.mend()
        until(lambda: f"standby-{pair.first}" in pair.user.weyr("server", "status").out, "the first one to stand by")
        pair.check_the_end()
        pair.reap()


def test_the_database_may_be_restarted_under_a_server(pair: Pair, postgres: PostgresServer) -> None:
    """The server goes on once it is back; what ran goes on all the while, and nothing is begun twice."""
    pair.begin()
    pair.want(STACK)
    for _ in range(2):
        postgres.restart()
    pair.want(MORE)
    pair.check_the_end()
    pair.reap()
