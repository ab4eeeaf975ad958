"""What was asked of a route is counted once, and outlives whoever counted it: bills and unit costs are made from it."""

import json
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from inference_plane import (
    ROUTE,
    THING,
    Plane,
    Process,
    Script,
    echo_replica,
    exchange,
    head,
    short_folder,
    until,
)

from weyr.core.capability import Capability
from weyr.core.decision import Thing
from weyr.core.route_usage import EGRESS_FAR, EGRESS_LOCAL, SERVED, TOKENS_IN, TOKENS_OUT, route_usage
from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.seen import Absent, Present, RouteFacts, RouteUse
from weyr.gateway.inference.uses import is_answered, is_asked_from_here, is_here

BODY = json.dumps({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 50}}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
CHAT = json.dumps({"model": "digits", "messages": []}).encode()


@contextmanager
def counting(is_model: bool = True) -> Iterator[tuple[Plane, Process]]:
    """A plane that keeps what it counts, and an echo behind its route."""
    with (
        short_folder() as home,
        Plane(home, "--uses", str(home / "uses")) as plane,
        echo_replica(home / "a.sock", "a") as replica,
    ):
        plane.tell(echo_route(plane, is_model))
        yield plane, replica


def echo_route(plane: Plane, is_model: bool = True) -> RouteBody:
    version = RouteVersion("1", "digits", replicas=(("a", str(plane.home / "a.sock")),))
    return RouteBody(ROUTE, (version,), is_model=is_model)


def restarted(plane: Plane) -> Plane:
    """Another process in its place, that goes on with its files."""
    plane.info.unlink(missing_ok=True)
    again = Plane(plane.home, "--uses", str(plane.home / "uses"))
    again.generation = plane.generation
    return again


def asked(plane: Plane, times: int) -> None:
    for _ in range(times):
        status, _body = plane.ask(f"/{ROUTE}/v1/chat/completions", "POST", CHAT, **{"Content-Type": "application/json"})
        assert status == 200


def use(plane: Plane) -> RouteUse:
    return plane.facts().use or RouteUse(0.0)


def last_of(plane: Plane) -> RouteUse:
    """The reading that a route leaves which is gone."""
    seen = plane.router.observe([THING])[THING]
    assert isinstance(seen, Absent), seen
    assert isinstance(seen.last, RouteFacts)
    assert seen.last.use is not None
    return seen.last.use


def is_gone(plane: Plane) -> bool:
    return isinstance(plane.router.observe([THING])[THING], Absent)


def test_tokens_outlive_a_killed_plane_and_not_their_route() -> None:
    """A plane that is killed goes on from where it was; a route that comes again begins from nothing, with a later
    beginning, by which the ledger knows that. Nothing has to be waited for: what was answered is counted."""
    with short_folder() as home:
        replica = Script(home / "replica.sock", HEAD % len(BODY) + BODY)
        try:
            with Plane(home, "--uses", str(home / "uses")) as plane:
                plane.route({"1": home / "replica.sock"})
                asked(plane, 5)
                first = use(plane)
            assert (first.requests, first.tokens_in, first.tokens_out) == (5, 5000, 250)

            with restarted(plane) as again:
                assert use(again) == first
                asked(again, 2)
                assert use(again).requests == 7
                assert use(again).since == first.since
                again.router.release([THING])
                until(lambda: is_gone(again), "the route is gone")
                assert last_of(again).requests == 7
                again.route({"1": home / "replica.sock"})
                asked(again, 1)
                seen = again.router.observe([THING])[THING]
        finally:
            replica.close()
    assert isinstance(seen, Present)
    usages = {usage.sku: usage for usage in route_usage({"route": Thing("route", Capability.TRAFFIC, 1, seen)})}
    assert {sku: usages[sku].quantity for sku in (SERVED, TOKENS_IN, TOKENS_OUT)} == {
        SERVED: 1, TOKENS_IN: 1000, TOKENS_OUT: 50,
    }  # fmt: skip
    assert (usages[SERVED].since or 0.0) > first.since


def test_a_kill_at_any_moment_loses_no_answer_and_counts_none_twice() -> None:
    """Each answer that a caller got is counted, and nothing that nobody asked; whenever the plane is killed."""
    chance = random.Random(11)
    answered = sent = 0
    with counting() as (plane, _replica):
        for _ in range(4):
            killer = threading.Timer(chance.uniform(0.05, 0.4), plane.popen.kill)
            heard, said = asked_until_it_dies(plane.port, killer)
            answered, sent = answered + heard, sent + said
            killer.join()
            plane.kill()
            plane = restarted(plane)
            try:
                assert answered <= use(plane).requests <= sent, "each that was heard of, and at most what was asked"
            except BaseException:
                plane.kill()
                raise
        plane.kill()
    assert answered >= 4


def asked_until_it_dies(port: int, killer: threading.Timer) -> tuple[int, int]:
    """How many answers came whole, and how many were asked for. The killer is wound up with the first of them."""
    request = head("POST", f"/{ROUTE}/v2/models/digits/infer", "Content-Length: 2") + b"{}"
    answered = sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        while True:
            sent += 1
            try:
                client.sendall(request)
                if not whole_answer(client):
                    return answered, sent
            except OSError:
                return answered, sent
            answered += 1
            if answered == 1:
                killer.start()


def whole_answer(client: socket.socket) -> bytes:
    """One answer with a Content-Length; b"" where the connection ended first."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := client.recv(65536)):
            return b""
        data += piece
    before, _, body = data.partition(b"\r\n\r\n")
    length = int(before.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        if not (piece := client.recv(65536)):
            return b""
        body += piece
    return before + b"\r\n\r\n" + body


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_route_that_goes_leaves_its_last_reading(is_killed: bool) -> None:
    """What was asked in the seconds before a route is taken out is on the bill, also where the plane died with it."""
    with counting() as (plane, _replica):
        plane.router = type(plane.router)(
            plane.home / "routes.json", plane.control, lambda: "", uses=plane.home / "uses", show_every_s=1e9
        )
        assert use(plane).requests == 0
        for _ in range(9):
            assert plane.ask(f"/{ROUTE}/v2/models/digits/infer", "POST", b"{}")[0] == 200
        assert use(plane).requests == 0, "it is not read at each look"
        plane.router.release([THING])
        if is_killed:
            plane.kill()
        until(lambda: is_gone(plane), "the route is gone")
        assert last_of(plane).requests == 9


def test_no_last_reading_is_told_while_somebody_is_still_being_answered() -> None:
    """A reading that is not the last would let the rest of an answer be forgotten."""
    with short_folder() as home:
        goes_on = home / "goes-on"
        replica = Script(home / "replica.sock", HEAD % (2 * len(BODY)) + BODY, goes_on, BODY)
        with Plane(home, "--uses", str(home / "uses")) as plane:
            try:
                plane.route({"1": home / "replica.sock"})
                asking = threading.Thread(target=asked, args=(plane, 1))
                asking.start()
                until(lambda: use(plane).local_bytes, "bytes of the answer under way are counted")
                plane.router.release([THING])
                until(lambda: not plane.router.inventory(), "it is released")
                seen = plane.router.observe([THING])[THING]
                assert not isinstance(seen, Absent)
                goes_on.touch()
                asking.join(90)
                until(lambda: is_gone(plane), "the route is gone")
                assert last_of(plane).requests == 1
                assert last_of(plane).local_bytes > 2 * len(BODY)
            finally:
                goes_on.touch()
                replica.close()


def test_each_byte_of_an_answer_counts_where_it_went() -> None:
    """What a caller on this machine gets costs nothing; what a proxy here passes on to one elsewhere left."""
    with counting() as (plane, _replica):
        close = ("Connection: close", "Content-Length: 2")
        near = exchange(plane.port, head("POST", f"/{ROUTE}/v2/models/digits/infer", *close) + b"{}")
        forwarded = "X-Forwarded-For: 127.0.0.1, 203.0.113.9"
        far = exchange(plane.port, head("POST", f"/{ROUTE}/v2/models/digits/infer", *close, forwarded) + b"{}")
        assert near.startswith(b"HTTP/1.1 200")
        assert far.startswith(b"HTTP/1.1 200")
        now = use(plane)
        assert (now.local_bytes, now.far_bytes) == (len(near), len(far))
        assert exchange(plane.port, head("GET", "/no/such", *close[:1])).startswith(b"HTTP/1.1 404")
        assert use(plane) == now, "who was turned away was answered by no endpoint"
        seen = plane.router.observe([THING])[THING]
    usages = route_usage({"route": Thing("route", Capability.TRAFFIC, 1, seen)})
    assert {u.sku: u.quantity for u in usages} == {SERVED: 2, EGRESS_LOCAL: len(near), EGRESS_FAR: len(far)}


def test_what_is_asked_about_a_model_is_no_prediction() -> None:
    """`weyr up` asks what a model takes, and probes ask whether it lives: a price per 1,000 predictions is of none."""
    with counting() as (plane, replica):
        for method, path in (
            ("GET", "/v2/models/digits"),
            ("GET", "/v2/health/live"),
            ("POST", "/v2/repository/index"),
        ):
            assert plane.ask(f"/{ROUTE}{path}", method, b"{}" if method == "POST" else None)[0] == 200
        assert use(plane).requests == 0
        assert plane.ask(f"/{ROUTE}/v2/models/digits/infer", "POST", b"{}")[0] == 200
        assert use(plane).requests == 1
        assert plane.stats()["versions"][0]["predictions"] == 1
        plane.tell(replace(echo_route(plane), versions=(), hold_s=0.05))
        assert plane.ask(f"/{ROUTE}/v2/models/digits/infer", "POST", b"{}")[0] == 503
        replica.kill()
        plane.tell(replace(echo_route(plane), hold_s=0.05))
        assert plane.ask(f"/{ROUTE}/v2/models/digits/infer", "POST", b"{}")[0] in (502, 503)
        assert use(plane).requests == 1, "what failed was not answered"


ANSWERED = {
    "a prediction": (b"POST", b"/v2/models/digits/infer", 200, True, True),
    "a chat": (b"POST", b"/v1/chat/completions", 200, True, True),
    "a prediction that failed": (b"POST", b"/v2/models/digits/infer", 500, True, False),
    "one too many": (b"POST", b"/v2/models/digits/infer", 429, True, False),
    "one that was wrong": (b"POST", b"/v2/models/digits/infer", 400, True, False),
    "metadata": (b"GET", b"/v2/models/digits", 200, True, False),
    "a list of models": (b"GET", b"/v1/models", 200, True, False),
    "loading a model": (b"POST", b"/v2/repository/models/digits/load", 200, True, False),
    "counting tokens": (b"POST", b"/tokenize", 200, True, False),
    "a page of a service": (b"GET", b"/v2/things", 200, False, True),
    "a page that is elsewhere": (b"GET", b"/", 302, False, True),
    "a page that is not there": (b"GET", b"/nothing", 404, False, False),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_what_counts_as_answered(case: str) -> None:
    *asked_for, counts = ANSWERED[case]
    assert is_answered(*asked_for) is counts  # type: ignore[arg-type]


def test_who_is_on_this_machine() -> None:
    """As far as addresses tell: its loopback, and its own address; a task on another machine comes over the relay,
    which is here."""
    assert all(
        is_here(peer, "10.0.0.7") for peer in ("", "127.0.0.1", "127.8.8.8", "::1", "10.0.0.7", "::ffff:127.0.0.1")
    )
    assert not any(is_here(peer, "10.0.0.7") for peer in ("10.0.0.8", "203.0.113.9", "2001:db8::1", "unknown"))
    assert is_asked_from_here(b"127.0.0.1, [::1]:443")
    assert not is_asked_from_here(b"203.0.113.9:1234, 127.0.0.1")
