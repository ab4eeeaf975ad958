"""Who may call an endpoint, and what does a caller learn who asks wrongly? Never more than needed, always JSON."""

import contextlib
import json
import socket

from inference_plane import ROUTE, TOKEN, Script, exchange, head, plane_and_echo, running_plane, unix_get, until

CLOSE = "Connection: close"
URL = f"/{ROUTE}/v2"


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def error_of(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["error"])


def test_a_caller_without_a_valid_token_is_refused_and_written_down() -> None:
    """Every call is authenticated; a refusal is in the audit trail, with what was asked."""
    with plane_and_echo() as (plane, _):
        answers = [
            exchange(plane.port, b"GET %b HTTP/1.1\r\nHost: x\r\n%bConnection: close\r\n\r\n" % (URL.encode(), field))
            for field in (b"", b"Authorization: Bearer wrong\r\n", b"Authorization: Basic YTpi\r\n")
        ]
        assert [status_of(answer) for answer in answers] == [401, 401, 401]
        assert all(b"www-authenticate: Bearer" in answer for answer in answers)
        lines = [json.loads(line) for line in plane.audit.read_text().splitlines()]
        assert [(line["action"], line["resource"], line["allowed"]) for line in lines] == [
            ("inference:read", ROUTE, False)
        ] * 3


def test_a_token_reaches_only_the_endpoints_it_was_given() -> None:
    """Least privilege: a task that may call one endpoint cannot even learn whether another exists."""
    with running_plane(grants=("inference:call:digits/other",)) as plane:
        assert plane.ask("/digits/other/v2")[0] == 404
        assert plane.ask(URL)[0] == 403
        assert plane.ask("/digits/unheard/v2")[0] == 403
        assert len(plane.audit.read_text().splitlines()) == 2


def test_a_new_token_counts_at_once_and_an_old_one_no_more() -> None:
    """Rotating a token needs no restart of the plane."""
    with plane_and_echo() as (plane, _):
        assert plane.ask(URL)[0] == 200
        plane.allow("another", ("*",))
        until(lambda: plane.ask(URL)[0] == 401, "the old token is refused")
        assert status_of(exchange(plane.port, head("GET", URL, CLOSE, token="another"))) == 200


def test_the_replica_never_sees_the_callers_token() -> None:
    """A model's code could keep it and call other endpoints with it."""
    with plane_and_echo() as (plane, _):
        fields = ("Connection: keep-alive, X-Secret", "X-Secret: 1", "X-Kept: 2", "TE: trailers", CLOSE)
        told = json.loads(exchange(plane.port, head("GET", URL, *fields)).partition(b"\r\n\r\n")[2])
        assert told["headers"] == {"host": "x", "x-kept": "2"}
        assert TOKEN not in json.dumps(told)


MALFORMED = {
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "a bare line": (b"hello\r\n\r\n", 400),
    "a space in a header's name": (head("GET", URL, "X Y: 1"), 400),
    "a control character in a header": (head("GET", URL, "X: \x00\x01"), 400),
    "a folded header": (head("GET", URL, "X: 1\r\n 2"), 400),
    "two lengths": (head("POST", URL, "Content-Length: 5", "Content-Length: 6") + b"hello", 400),
    "a length and chunks": (head("POST", URL, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "a length below nothing": (head("POST", URL, "Content-Length: -1"), 400),
    "a length that is no number": (head("POST", URL, "Content-Length: many"), 400),
    "a chunk that is no number": (head("POST", URL, "Transfer-Encoding: chunked") + b"zz\r\n", 400),
    "another encoding": (head("POST", URL, "Transfer-Encoding: gzip, chunked", CLOSE) + b"0\r\n\r\n", 501),
    "no Host": (b"GET %b HTTP/1.1\r\nConnection: close\r\n\r\n" % URL.encode(), 400),
    "an unknown expectation": (head("POST", URL, "Expect: miracles", CLOSE), 417),
    "a head without end": (b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 200_000), 431),
    "headers without end": (head("GET", URL, *(f"X-{n}: {'x' * 1000}" for n in range(200))), 431),
    "a body announced too large": (head("POST", URL, "Content-Length: 999999999999"), 413),
}


def test_malformed_requests_are_answered_and_the_plane_goes_on() -> None:
    """None of these may reach a replica in another form than the plane understood it: that is request smuggling."""
    with plane_and_echo("--body-max", "1000000") as (plane, _):
        for name, (request, status) in MALFORMED.items():
            answer = exchange(plane.port, request)
            assert status_of(answer) == status, f"{name}: {answer[:200]!r}"
            assert error_of(answer), name
        assert plane.ask(URL)[0] == 200
        assert plane.stats()["requests"] == 1


def test_a_body_of_chunks_is_limited_like_any_other() -> None:
    """Without a length the limit can only be enforced while the body comes."""
    with plane_and_echo("--body-max", "100000") as (plane, _):
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        answer = exchange(plane.port, head("POST", f"/{ROUTE}/raw", "Transfer-Encoding: chunked"), *([chunk] * 8))
        assert status_of(answer) == 413


def test_requests_in_one_packet_are_answered_in_their_order() -> None:
    """Pipelining is rare and legal; mixing two answers up would hand one caller's data to another's request."""
    with plane_and_echo() as (plane, _):
        requests = [head("GET", f"/{ROUTE}/{n}?wait=0.0{9 - n}") for n in range(9)]
        requests.insert(4, head("GET", "/digits/none/x"))
        answer = exchange(plane.port, b"".join(requests) + head("GET", f"/{ROUTE}/last", CLOSE))
        bodies = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in answer.split(b"HTTP/1.1 ")[1:]]
        targets = [body.get("target", "none").partition("?")[0] for body in bodies]
        assert targets == ["/0", "/1", "/2", "/3", "none", *(f"/{n}" for n in range(4, 9)), "/last"]


def test_too_many_requests_at_once_on_one_connection_end_it() -> None:
    """What one caller can make the plane keep is bounded."""
    with plane_and_echo() as (plane, _):
        answer = exchange(plane.port, head("GET", f"/{ROUTE}/x?wait=0.2") + head("GET", URL) * 500)
        assert answer.rpartition(b"HTTP/1.1 ")[2].startswith(b"400")
        assert plane.ask(URL)[0] == 200


def test_a_caller_that_waits_for_permission_is_told_to_go_on() -> None:
    """curl sends `Expect: 100-continue` with larger bodies; without an answer it waits a second."""
    with plane_and_echo() as (plane, _), socket.create_connection(("127.0.0.1", plane.port), timeout=60) as client:
        client.sendall(head("POST", f"/{ROUTE}/raw", "Expect: 100-continue", "Content-Length: 5", CLOSE))
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(b"hello")
        answer = b"".join(iter(lambda: client.recv(1000), b""))
        assert answer.endswith(b"hello")


def test_a_body_that_is_not_wanted_is_refused_before_it_is_sent() -> None:
    """The other half of 100-continue: no permission, no upload."""
    with plane_and_echo() as (plane, _):
        fields = ("Expect: 100-continue", "Content-Length: 5000")
        answer = exchange(plane.port, head("POST", URL, *fields, token="wrong"))
        assert answer.startswith(b"HTTP/1.1 401")


def test_an_offer_to_upgrade_is_ignored() -> None:
    """Java's client offers HTTP/2 with its every first request, and means the request all the same."""
    with plane_and_echo() as (plane, _):
        fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
        request = head("POST", f"/{ROUTE}/raw", *fields, "Content-Length: 2") + b"hi"
        answer = exchange(plane.port, request + head("GET", URL, CLOSE))
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(b"HTTP/1.1 200") == 2


def test_an_old_caller_is_answered_and_left() -> None:
    """HTTP/1.0 knows no kept connections unless asked for."""
    with plane_and_echo() as (plane, _):
        request = b"GET %b HTTP/1.0\r\nAuthorization: Bearer %b\r\n\r\n" % (URL.encode(), TOKEN.encode())
        assert exchange(plane.port, request).startswith(b"HTTP/1.1 200")


def test_a_replica_cannot_answer_twice() -> None:
    """The second answer would pass as the answer to the next request of the same connection."""
    with running_plane() as plane:
        twice = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 2
        script = Script(plane.home / "twice.sock", twice, 5.0)
        plane.route({"a": plane.home / "twice.sock"})
        answer = exchange(plane.port, head("POST", URL) + head("POST", URL, CLOSE))
        script.close()
        assert answer.count(b"HTTP/1.1 502") == 2
        assert answer.count(b"HTTP/1.1 200") == 0


def test_nobody_is_waited_for_for_ever() -> None:
    """A few thousand callers that send a byte a minute would otherwise be all that the plane has."""
    with plane_and_echo("--head-s", "0.8", "--body-s", "0.8", "--answer-s", "0.8", "--idle-s", "0.8") as (plane, _):
        cases = {
            "half a head": (b"GET / HTTP/1.1\r\nHost:", 408),
            "half a body": (head("POST", URL, "Content-Length: 10") + b"half", 408),
            "no answer": (head("POST", f"/{ROUTE}/x?wait=9", CLOSE), 504),
        }
        for name, (request, status) in cases.items():
            assert status_of(exchange(plane.port, request)) == status, name
        assert exchange(plane.port) == b""
        assert status_of(exchange(plane.port, head("GET", URL))) == 200


def test_callers_beyond_the_most_are_turned_away() -> None:
    """With an answer, not by silence; and those that are there already are served on."""
    with plane_and_echo("--doors-max", "2") as (plane, _), contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", plane.port), timeout=60)) for _ in range(2)
        ]
        for client in clients:
            client.sendall(head("GET", URL))
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        assert status_of(exchange(plane.port)) == 503
        clients[0].sendall(head("GET", URL))
        assert clients[0].recv(1000).startswith(b"HTTP/1.1 200")


def test_metrics_and_stats_tell_the_same() -> None:
    """What scales and bills an endpoint is what Prometheus shows."""
    with plane_and_echo() as (plane, _):
        for _ in range(3):
            plane.ask(URL)
        plane.ask("/digits/none")
        text = unix_get(plane.control, "/metrics").decode()
        assert f'weyr_inference_requests_total{{endpoint="{ROUTE}",version="1",caller="tester",status="200"}} 3' in text
        assert f'weyr_inference_request_duration_seconds_count{{endpoint="{ROUTE}",version="1"}} 3' in text
        assert 'weyr_inference_refusals_total{status="404"} 1' in text
        stats = plane.stats()
        assert (stats["requests"], stats["errors"], stats["inflight"]) == (3, 0, 0)
        assert stats["replicas"] == {"a": {"inflight": 0, "requests": 3, "out": ""}}
