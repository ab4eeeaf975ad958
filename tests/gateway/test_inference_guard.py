"""What becomes of requests when there are too many of them, when replicas fail, and when a caller has had enough?"""

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from inference_plane import ROUTE, TOKEN, Plane, Script, echo_replica, head, short_folder, until

from weyr.access.api_keys import KeyRing
from weyr.core.limits import Limits, Price
from weyr.core.route_limits import Ejection, QueueRule, Retries, RouteLimits, Timeouts
from weyr.core.routes import RouteBody, RouteVersion

Answer = tuple[int, dict[str, str], bytes]
OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
BROKEN = b"HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno"


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    """One plane with keys and two echoing replicas, for every test of this file; each sets the route as it needs it."""
    with (
        short_folder() as home,
        Plane(home, "--api-keys", str(home / "api-keys.json"), "--limits", str(home / "limits")) as plane,
        echo_replica(home / "a.sock", "a"),
        echo_replica(home / "b.sock", "b"),
    ):
        yield plane


@pytest.fixture
def ring(plane: Plane) -> KeyRing:
    return KeyRing(plane.home / "api-keys.json", plane.home / "audit")


def told(plane: Plane, names: Sequence[str] = "a", hold_s: float = 60.0, **limits: Any) -> None:
    pairs = tuple((name, str(plane.home / f"{name}.sock")) for name in names)
    versions = (RouteVersion("1", "digits", replicas=pairs),)
    plane.tell(RouteBody(ROUTE, versions, hold_s, limits=RouteLimits(**limits)))


def ask(plane: Plane, path: str = "/v2", body: bytes | None = None, word: str = TOKEN, **headers: Any) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=60)
    try:
        fields = {"Authorization": f"Bearer {word}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request("GET" if body is None else "POST", f"/{ROUTE}{path}", body, fields)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def counted(plane: Plane) -> tuple[int, int]:
    """How many wait, and how many are under way, those who wait among them."""
    stats = plane.stats()
    return stats["waiting"], stats["inflight"]


@contextlib.contextmanager
def asking(plane: Plane, pool: ThreadPoolExecutor, path: str, **headers: Any) -> Iterator[Future[Answer]]:
    """A request that the replica has, and does not answer before its gate opens."""
    gate = plane.home / "gate"
    gate.unlink(missing_ok=True)
    first = pool.submit(ask, plane, f"{path}?gate=gate", **headers)
    until(lambda: plane.stats()["inflight"] >= 1, "the replica has the request")
    yield first
    gate.touch()
    assert first.result(60)[0] == 200


@contextlib.contextmanager
def scripted(plane: Plane, name: str, *pieces: bytes | float | Path) -> Iterator[Script]:
    script = Script(plane.home / f"{name}.sock", *pieces)
    try:
        yield script
    finally:
        script.close()
        (plane.home / f"{name}.sock").unlink()


def test_what_is_too_much_for_the_replicas_waits_in_turn(plane: Plane, ring: KeyRing) -> None:
    """One replica is never asked more than it can do; urgent requests go first, and a caller with many not before one
    with few."""
    _, urgent = ring.create(("*",), ("infer",), priority="high")
    _, modest = ring.create(("*",), ("infer",))
    asked = [
        ("/first", TOKEN, ""),
        ("/greedy", TOKEN, ""),
        ("/greedy", TOKEN, ""),
        ("/greedy", TOKEN, ""),
        ("/modest", modest, "high"),  # more than its key allows, so it counts as usual
        ("/urgent", urgent, "high"),
    ]
    gate = plane.home / "gate"
    gate.unlink(missing_ok=True)
    with scripted(plane, "one", gate, OK) as replica, ThreadPoolExecutor(8) as pool:
        told(plane, names=("one",), queue=QueueRule(per_replica=1))
        answers = []
        for waiting, (path, word, priority) in enumerate(asked):
            answers.append(pool.submit(ask, plane, path, word=word, x_priority=priority))
            until(lambda n=waiting: counted(plane) == (n, n + 1), "it waits")  # type: ignore[misc]
        gate.touch()
        assert {answer.result(60)[0] for answer in answers} == {200}
        order = [request.split()[1].decode() for request in replica.requests]
    assert order == ["/first", "/urgent", "/greedy", "/modest", "/greedy", "/greedy"]
    assert plane.stats()["waiting"] == 0


def test_a_full_queue_and_a_deadline_that_cannot_be_met_are_said_at_once(plane: Plane) -> None:
    """A client learns when to come again, instead of waiting for an answer that comes too late."""
    told(plane, queue=QueueRule(per_replica=1, waiting_max=2))
    for _ in range(3):
        assert ask(plane, "/x?wait=0.4")[0] == 200  # from these the plane knows how long one takes
    with ThreadPoolExecutor(8) as pool, asking(plane, pool, "/x"):
        first = pool.submit(ask, plane, "/x")
        until(lambda: plane.stats()["waiting"] == 1, "one waits")
        status, headers, body = ask(plane, "/x", X_Request_Timeout="100ms")  # one that had waited would get 504
        assert (status, int(headers["retry-after"]) >= 1) == (503, True)
        assert b"will be free in" in body
        second = pool.submit(ask, plane, "/x")
        until(lambda: plane.stats()["waiting"] == 2, "two wait")
        status, headers, body = ask(plane, "/x")
        assert (status, int(headers["retry-after"]) >= 1) == (503, True)
        assert b"2 requests wait" in body
        (plane.home / "gate").touch()
        assert first.result(60)[0] == second.result(60)[0] == 200


def test_a_deadline_ends_a_request_that_takes_too_long(plane: Plane) -> None:
    """A caller who has given up is not served, whoever said how long it may take; a strange wish bounds nothing."""
    told(plane)
    assert ask(plane, "/x?wait=5", Request_Timeout="0.2")[0] == 504
    assert ask(plane, "/x", Request_Timeout="soon")[0] == 200
    told(plane, timeouts=Timeouts(whole_s=0.2))
    status, _, body = ask(plane, "/v1/chat/completions?wait=5", b"{}")
    assert (status, json.loads(body)["error"]["type"]) == (504, "server_error")


def test_a_sleeping_model_is_waited_for_and_never_missing(plane: Plane) -> None:
    """Scale to zero costs the first caller time, not an error; one in a hurry is told the truth."""
    told(plane, names="")
    assert ask(plane, "/x", X_Request_Timeout="0.2")[0] == 504
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(ask, plane, "/x")
        until(lambda: plane.stats()["waiting"] == 1, "it is held")
        told(plane)
        assert held.result(60)[0] == 200


def test_a_post_is_sent_again_only_where_that_is_said_to_be_safe(plane: Plane) -> None:
    """A payment is not made twice because a replica died; an inference may be asked of another one."""
    with scripted(plane, "dies") as dying:
        told(plane, names=("dies", "a"), ejection=Ejection(errors=0))
        assert 502 in {ask(plane, "/x", b"body")[0] for _ in range(4)}
        had = len(dying.requests)
        told(plane, names=("dies", "a"), ejection=Ejection(errors=0), retries=Retries(is_safe=True))
        body = b"a body " * 9000

        def is_tried() -> bool:
            assert ask(plane, "/raw", body)[::2] == (200, body)
            return len(dying.requests) > had

        until(is_tried, "the dying one had one of them")  # it is left alone for a moment after each death


def test_retries_stay_within_their_budget(plane: Plane) -> None:
    """When everything fails, the plane does not double the load that broke it."""
    with scripted(plane, "dies") as dying:
        told(plane, names=("dies",), hold_s=5, ejection=Ejection(errors=0), retries=Retries(2, 0.0, True))
        statuses = [ask(plane, "/x", b"x")[0] for _ in range(12)]
        assert set(statuses) == {502}
        assert len(dying.requests) <= 12 + 10


def test_a_replica_that_fails_again_and_again_is_left_alone_and_tried_later(plane: Plane) -> None:
    """One broken replica of several costs a few requests, not its share of them for ever."""
    with scripted(plane, "bad", BROKEN) as bad:
        told(plane, names=("bad", "a"), ejection=Ejection(errors=3, for_s=3))
        statuses = [ask(plane, "/x")[0] for _ in range(12)]
        assert (statuses.count(500), statuses.count(200)) == (3, 9)
        assert plane.stats()["replicas"]["bad"]["out"]
        until(lambda: (ask(plane, "/x"), len(bad.requests))[1] == 4, "one request tries it")
        assert [ask(plane, "/x")[0] for _ in range(5)] == [200] * 5


def test_the_only_replica_is_never_left_alone(plane: Plane) -> None:
    """Where all fail, whoever is called may work again: refusing everybody heals nothing."""
    with scripted(plane, "bad", BROKEN) as bad:
        told(plane, names=("bad",), ejection=Ejection(errors=1))
        assert [ask(plane, "/x")[0] for _ in range(4)] == [500] * 4
        assert len(bad.requests) == 4


def test_a_silent_replica_is_passed_over_in_time(plane: Plane) -> None:
    """A replica that hangs costs its caller the first-byte timeout, and another one answers."""
    with scripted(plane, "mute", 20.0) as mute:
        told(plane, names=("mute", "a"), timeouts=Timeouts(first_byte_s=1), retries=Retries(is_safe=True))
        assert [ask(plane, "/x", b"x")[0] for _ in range(4)] == [200] * 4
        assert mute.closed_early.wait(60)
    with scripted(plane, "stalls", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", 20.0):
        told(plane, names=("stalls",), timeouts=Timeouts(between_s=0.3))
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            ask(plane, "/x")
        told(plane)
        assert ask(plane, "/x")[0] == 200


def test_a_caller_has_so_many_requests_and_is_told_what_is_left(plane: Plane, ring: KeyRing) -> None:
    """A client that looks at the headers never runs into the limit; one that does waits as long as it must."""
    told(plane)
    _, word = ring.create(("*",), ("infer",), Limits(requests_per_second=0.1, burst=2))
    statuses, lefts = [], []
    for _ in range(3):
        status, headers, body = ask(plane, "/v1/chat/completions", b"{}", word)
        statuses.append(status)
        lefts.append((headers["ratelimit"].split(";")[1], headers["ratelimit-policy"]))
    assert statuses == [200, 200, 429]
    assert lefts == [(f"r={left}", '"requests";q=2;w=20') for left in (1, 0, 0)]
    assert 1 <= int(headers["retry-after"]) <= 10
    error = json.loads(body)["error"]
    assert (error["type"], error["code"]) == ("rate_limit_exceeded", "rate_limit_exceeded")
    assert "0.1 requests per second" in error["message"]
    assert ask(plane, "/x")[0] == 200  # nobody else is affected


def test_limits_of_an_endpoint_hold_for_each_caller_and_for_all(plane: Plane, ring: KeyRing) -> None:
    """What the stack file says holds without any key; size and requests at once as well."""
    told(plane, per_caller=Limits(concurrency=1, body_bytes=1000), total=Limits(concurrency=2))
    words = [ring.create(("*",), ("infer",))[1] for _ in range(2)]
    with ThreadPoolExecutor(4) as pool, asking(plane, pool, "/x"):
        assert ask(plane, "/x")[0] == 429  # the tester's second
        other = pool.submit(ask, plane, "/x?gate=gate", word=words[0])
        until(lambda: plane.stats()["inflight"] == 2, "another caller passes")
        status, _, body = ask(plane, "/x", word=words[1])
        assert (status, b"2 requests at once" in body) == (429, True)
        (plane.home / "gate").touch()
        assert other.result(60)[0] == 200
    until(lambda: ask(plane, "/x")[0] == 200, "who has ended makes room")
    assert ask(plane, "/x", b"x" * 1001)[0] == 413
    chunked = head("POST", f"/{ROUTE}/x", "Transfer-Encoding: chunked") + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", plane.port), timeout=60) as client:
        client.sendall(chunked)
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def chat(usage: bytes) -> bytes:
    body = b'{"choices": [], "usage": {"prompt_tokens": 10, %b}}' % usage
    return b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def test_tokens_and_money_are_counted_as_the_answer_tells(plane: Plane, ring: KeyRing) -> None:
    """A limit on tokens holds for what a model really said, and money follows from it."""
    price = Price(request_micros=5, prompt_micros=1_000_000, completion_micros=2_000_000)
    _, tokens = ring.create(("*",), ("infer",), Limits(tokens_per_minute=100))
    _, money = ring.create(("*",), ("infer",), Limits(micros_per_day=300))
    with scripted(plane, "chat", chat(b'"completion_tokens": 90')):
        told(plane, names=("chat",), price=price)
        assert ask(plane, "/v1/chat/completions", b"{}", tokens)[0] == 200
        status, headers, body = ask(plane, "/v1/chat/completions", b"{}" * 40, tokens)
        assert (status, b"100 tokens per minute" in body) == (429, True)
        assert 1 <= int(headers["retry-after"]) <= 60
        # 5 + 10 + 2 * 90 = 195 of 300; a second one is admitted on its guess, a third is not.
        statuses = [ask(plane, "/v1/chat/completions", b"{}", money)[0] for _ in range(3)]
        assert statuses == [200, 200, 429]


def stream(events: int) -> list[bytes | float]:
    pieces: list[bytes | float] = [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    ]
    for number in range(events):
        event = b'data: {"choices": [{"delta": {"content": "w%d"}}]}\n\n' % number
        pieces += [b"%x\r\n%b\r\n" % (len(event), event), 0.01]
    return [*pieces, b"0\r\n\r\n"]


def test_a_limit_that_is_hit_in_a_stream_ends_it_with_an_event_that_says_so(plane: Plane, ring: KeyRing) -> None:
    """A caller tells an answer that was cut off from one that was whole, and the model stops working for him."""
    key, word = ring.create(("*",), ("infer",), Limits(tokens_per_minute=30))
    with scripted(plane, "streams", *stream(200)) as replica:
        told(plane, names=("streams",))
        status, _, body = ask(plane, "/v1/chat/completions", b"{}", word)
        events = body.strip().split(b"\n\n")
        assert status == 200
        assert 20 <= len(events) <= 50
        error = json.loads(events[-1].removeprefix(b"data: "))["error"]
        assert error["code"] == "rate_limit_exceeded"
        assert error["message"] == f"key:{key.id} has used up 30 tokens per minute"
        assert replica.closed_early.wait(60)
        _, other = ring.create(("*",), ("infer",), Limits(tokens_per_minute=10_000))
        _, _, body = ask(plane, "/v1/messages", b"{}", other)
        assert body.count(b"data:") == 200  # nobody else is cut off


def test_the_clients_own_ways_of_showing_a_key_are_understood(plane: Plane, ring: KeyRing) -> None:
    """OpenAI's, Azure's and Anthropic's clients are given the address and the key, and nothing else."""
    told(plane)
    _, word = ring.create((ROUTE,), ("infer",))
    for name in ("Authorization", "x-api-key", "api-key"):
        connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=60)
        connection.request("GET", f"/{ROUTE}/x", headers={name: f"Bearer {word}" if name == "Authorization" else word})
        answer = connection.getresponse()
        seen = json.loads(answer.read())
        connection.close()
        assert answer.status == 200
        assert word not in json.dumps(seen)


def test_a_key_reaches_what_its_scope_says_until_it_is_revoked(plane: Plane, ring: KeyRing) -> None:
    """A revoked key is worth nothing soon, and nobody is restarted for it; every refusal is written down."""
    told(plane)
    _, reader = ring.create((ROUTE,), ("metadata",))
    key, word = ring.create((ROUTE,), ("infer",))
    _, elsewhere = ring.create(("digits/other",), ("infer",))
    load = "/v2/repository/models/m/load"
    assert ask(plane, "/v2/models/m", word=reader)[0] == 200
    assert ask(plane, "/v2/models/m/infer", b"{}", reader)[0] == 403
    assert ask(plane, "/v2/models/m/infer", b"{}", word)[0] == 200
    assert ask(plane, load, b"{}", word)[0] == 403
    assert ask(plane, load, b"{}", ring.create((ROUTE,), ("admin",))[1])[0] == 200
    assert ask(plane, "/x", word=elsewhere)[0] == 403
    ring.revoke(key.id)
    until(lambda: ask(plane, "/x", word=word)[0] == 401, "the key is worth nothing")
    lines = [json.loads(line) for line in plane.audit.read_text().splitlines()]
    assert {f"key:{key.id}", ""} <= {line["principal"] for line in lines}
    assert hashlib.sha256(word.encode()).hexdigest() not in plane.audit.read_text()


def test_a_slow_replica_is_found_out(plane: Plane) -> None:
    """A replica on a throttled device is left alone, though it never fails."""
    with scripted(plane, "slow", 0.05, OK), ThreadPoolExecutor(6) as pool:
        told(plane, names=("slow", "a", "b"), ejection=Ejection(slow=3.0, for_s=60, share=0.4))

        def out() -> list[str]:
            assert {status for status, _, _ in pool.map(lambda _: ask(plane, "/x"), range(12))} == {200}
            return [name for name, counts in plane.stats()["replicas"].items() if counts["out"]]

        until(out, "the slow one is found")
        assert out() == ["slow"]
