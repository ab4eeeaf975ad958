"""Do bytes pass as they come, and what happens when one side stops, dies or is slower than the other?"""

import contextlib
import json
import os
import signal
import socket
from functools import partial
from pathlib import Path

from inference_plane import ROUTE, Plane, Script, echo_replica, exchange, head, plane_and_echo, running_plane, until

CLOSE = "Connection: close"
RAW = f"/{ROUTE}/raw"
OK = b"HTTP/1.1 200 OK\r\n"


def memory_bytes(plane: Plane) -> int:
    fields = Path(f"/proc/{plane.popen.pid}/status").read_text()
    return int(fields.partition("VmRSS:")[2].split()[0]) * 1024


def is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def connected(plane: Plane) -> socket.socket:
    return socket.create_connection(("127.0.0.1", plane.port), timeout=60)


def test_large_bodies_pass_both_ways_unchanged() -> None:
    """Images and audio are megabytes; chunked or with a length, they arrive byte by byte the same."""
    body = os.urandom(8 * 2**20)
    with plane_and_echo() as (plane, _):
        status, answer = plane.ask(f"/{ROUTE}/raw", "POST", body)
        assert (status, answer) == (200, body)
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:100_000], body[100_000:100_001])]
        fields = ("Transfer-Encoding: chunked", "Trailer: X-Sum", CLOSE)
        answer = exchange(plane.port, head("POST", RAW, *fields), *chunks, b"0\r\nX-Sum: 1\r\n\r\n")
        assert answer.partition(b"\r\n\r\n")[2] == body[:100_001]


def test_a_streamed_answer_is_passed_on_piece_by_piece() -> None:
    """A language model's tokens are worth most when they come: no piece waits for the next."""
    with running_plane() as plane, connected(plane) as client:
        first, second = b"7\r\nthe one\r\n", b"9\r\nthe other\r\n0\r\n\r\n"
        gate = plane.home / "gate"
        script = Script(plane.home / "s.sock", OK + b"Transfer-Encoding: chunked\r\n\r\n", first, gate, second)
        plane.route({"a": plane.home / "s.sock"})
        client.sendall(head("POST", f"/{ROUTE}/stream"))
        got = b""
        while first not in got:
            got += client.recv(1000)
        gate.touch()  # the second is written only now
        while second not in got:
            got += client.recv(1000)
        script.close()


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    """Legal in HTTP/1.1, and common in hand-written servers."""
    with running_plane() as plane:
        script = Script(plane.home / "s.sock", OK + b"\r\nhello ", b"world")
        plane.route({"a": plane.home / "s.sock"})
        assert exchange(plane.port, head("GET", f"/{ROUTE}/x")).endswith(b"\r\n\r\nhello world")
        until(lambda: plane.stats()["inflight"] == 0, "it is counted as over")
        assert plane.stats()["errors"] == 0
        script.close()


def test_the_head_alone_is_an_answer_to_head() -> None:
    """Its length announces a body that does not follow; the connection stays usable."""
    with plane_and_echo() as (plane, _):
        answer = exchange(plane.port, head("HEAD", RAW) * 2 + head("GET", RAW, CLOSE))
        assert answer.count(b"HTTP/1.1 200") == 3


def test_a_replica_that_dies_before_it_answers_costs_one_clear_error() -> None:
    """The request may have run, so it is not sent twice; the caller is told so."""
    with plane_and_echo() as (plane, replica), connected(plane) as client:
        client.sendall(head("POST", f"/{ROUTE}/x?wait=20", "Content-Length: 0"))
        until(lambda: plane.stats()["replicas"]["a"]["requests"] == 1, "it was sent")
        replica.kill()
        answer = client.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 502")
        assert "ended before it answered" in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        until(lambda: plane.stats()["errors"] == 1, "it is counted as an error")


def test_what_changes_nothing_is_asked_again_of_another_replica() -> None:
    """A health check need not fail because the replica it went to has just died."""
    with running_plane() as plane, echo_replica(plane.home / "b.sock", "b"):
        dying = Script(plane.home / "a.sock", 0.2)
        plane.route({"a": plane.home / "a.sock", "b": plane.home / "b.sock"})
        status, answer = plane.ask(f"/{ROUTE}/x")
        assert (status, json.loads(answer)["replica"]) == (200, "b")
        assert len(dying.requests) == 1
        assert plane.stats()["errors"] == 0
        dying.close()


def test_an_answer_that_breaks_off_is_not_passed_on_as_whole() -> None:
    """Half an answer that looks like a whole one is the worst answer of all."""
    with running_plane() as plane:
        script = Script(plane.home / "s.sock", OK + b"Content-Length: 100\r\n\r\nhalf of it")
        plane.route({"a": plane.home / "s.sock"})
        answer = exchange(plane.port, head("POST", f"/{ROUTE}/x"))
        assert answer in (b"", OK + b"Content-Length: 100\r\n\r\nhalf of it")
        until(lambda: plane.stats()["errors"] == 1, "it is counted as an error")
        script.close()


RUBBISH = {
    "no HTTP": b"\x00\x01 what is this\r\n\r\n",
    "a flood of headers": OK + b"".join(b"x-%d: y\r\n" % number for number in range(100_000)),
    "a header without end": OK + b"x: " + b"y" * 2_000_000,
    "a length that is none": OK + b"Content-Length: many\r\n\r\n",
    "nothing at all": b"",
}


def test_a_replicas_rubbish_is_a_bad_gateway() -> None:
    """It ends at the plane, with a reason and a bound on what is kept of it, and the next caller is answered."""
    with running_plane() as plane:
        for number, (name, text) in enumerate(RUBBISH.items()):
            script = Script(plane.home / f"{number}.sock", text, 0.2)
            plane.route({str(number): plane.home / f"{number}.sock"})
            answer = exchange(plane.port, head("POST", f"/{ROUTE}/x", "Content-Length: 0", CLOSE))
            assert answer.startswith(b"HTTP/1.1 502"), f"{name}: {answer[:200]!r}"
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"], name
            script.close()
        with echo_replica(plane.home / "well.sock", "well"):
            plane.route({"well": plane.home / "well.sock"})
            assert plane.ask(f"/{ROUTE}/x")[0] == 200


def test_a_caller_that_leaves_ends_the_work() -> None:
    """Nobody pays for tokens that nobody reads."""
    with running_plane() as plane:
        script = Script(plane.home / "s.sock", 10.0)
        plane.route({"a": plane.home / "s.sock"})
        with connected(plane) as client:
            client.sendall(head("POST", f"/{ROUTE}/x"))
            until(lambda: plane.stats()["inflight"] == 1, "it is under way")
        assert script.closed_early.wait(60)
        until(lambda: plane.stats()["inflight"] == 0, "it is over")
        assert plane.stats()["errors"] == 0
        script.close()


def test_a_slow_reader_does_not_fill_the_memory() -> None:
    """A replica writes hundreds of megabytes a second; what the caller has not read stays with the replica."""
    with plane_and_echo() as (plane, _), contextlib.ExitStack() as stack:
        plane.ask(RAW)
        before = memory_bytes(plane)
        clients = [stack.enter_context(connected(plane)) for _ in range(4)]
        for client in clients:
            client.sendall(head("GET", f"/{ROUTE}/fill?size={40 * 2**20}", CLOSE))
        assert all(client.recv(1000).startswith(b"HTTP/1.1 200") for client in clients)
        # The replica holds all four answers now; the plane must not.
        until(lambda: plane.stats()["inflight"] == 4, "all are under way")
        assert plane.ask(f"/{ROUTE}/x?wait=0.3")[0] == 200
        assert memory_bytes(plane) - before < 20 * 2**20
        for client in clients:
            assert sum(len(part) for part in iter(partial(client.recv, 2**20), b"")) > 39 * 2**20


def test_a_slow_replica_does_not_fill_the_memory() -> None:
    """The other way round: an upload waits with the caller."""
    with running_plane() as plane, connected(plane) as client:
        script = Script(plane.home / "s.sock", 30.0)
        plane.route({"a": plane.home / "s.sock"})
        before = memory_bytes(plane)
        client.settimeout(1.0)
        client.sendall(head("POST", f"/{ROUTE}/x", f"Content-Length: {200 * 2**20}"))
        with contextlib.suppress(TimeoutError):
            client.sendall(bytes(200 * 2**20))
        assert memory_bytes(plane) - before < 20 * 2**20
        script.close()


def test_a_plane_that_is_told_to_stop_ends_what_it_began() -> None:
    """An update of Weyr costs no caller an answer."""
    with plane_and_echo() as (plane, _), connected(plane) as client:
        client.sendall(head("POST", f"/{ROUTE}/x?gate=open", "Content-Length: 0"))
        until(lambda: plane.stats()["inflight"] == 1, "it is under way")
        plane.popen.send_signal(signal.SIGTERM)
        until(partial(is_closed, plane.port), "no new caller is taken")
        (plane.home / "open").touch()
        assert client.recv(10_000).startswith(b"HTTP/1.1 200")
        assert plane.wait() == 0
        assert not plane.info.exists()
        assert plane.output == ""
