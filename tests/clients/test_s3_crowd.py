"""Two thousand connections: idle, half-way in a head, at work, or deaf. Memory is bounded, others are served."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest
from s3_plane import S3Plane, running_s3
from s3_wire import ask, received, request

CROWD = 2000
BYTES_EACH_MAX = 48 * 1024
LARGE = 8 * 2**20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], CROWD + 500), before[1]))
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        client = plane.client()
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key="a", Body=b"x")
        client.put_object(Bucket="lake", Key="large", Body=b"z" * LARGE)
        ask(plane, "GET", "/lake/large")
        yield plane
        assert "s3.bug" not in (plane.folder / "s3.log").read_text()
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def memory(plane: S3Plane) -> int:
    """What all processes of the plane have of their own."""
    return sum(psutil.Process(pid).memory_full_info().uss for pid in plane.pids)


def crowd(plane: S3Plane, stack: ExitStack, sent: bytes) -> list[socket.socket]:
    made = []
    for _ in range(CROWD):
        connection = stack.enter_context(plane.connection())
        connection.sendall(sent)
        made.append(connection)
    return made


@pytest.mark.parametrize("sent", [b"", b"GET /lake/a HT"], ids=["nothing said", "half a head"])
def test_who_says_nothing_costs_little(s3: S3Plane, sent: bytes) -> None:
    """Neither memory nor anybody else's turn."""
    before = memory(s3)
    with ExitStack() as stack:
        crowd(s3, stack, sent)

        assert ask(s3, "GET", "/lake/a").body == b"x"
        assert ask(s3, "PUT", "/lake/new", b"y" * 100_000).told == "200"
        assert memory(s3) - before < CROWD * BYTES_EACH_MAX
    assert ask(s3, "GET", "/lake/a").body == b"x"


def test_all_of_them_are_answered(s3: S3Plane) -> None:
    """Each asks twice, and gets what it asked for."""
    before = memory(s3)
    with ExitStack() as stack:
        for connection in crowd(s3, stack, request(s3, "GET", "/lake/a")):
            connection.sendall(request(s3, "GET", "/lake/a"))
            assert [answer.body for answer in received(connection, 2)] == [b"x", b"x"]
        assert memory(s3) - before < CROWD * BYTES_EACH_MAX


def test_who_does_not_listen_costs_no_memory(s3: S3Plane) -> None:
    """Each asks for a large object and does not read it: what it has not taken is not kept for it."""
    before = memory(s3)
    with ExitStack() as stack:
        crowd(s3, stack, request(s3, "GET", "/lake/large"))

        assert ask(s3, "GET", "/lake/a").body == b"x"
        assert memory(s3) - before < CROWD * BYTES_EACH_MAX
