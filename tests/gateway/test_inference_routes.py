"""Do requests find the replicas that there are now: none yet, others than before, no longer?"""

import http.client
import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from inference_plane import (
    ROUTE,
    THING,
    TOKEN,
    Plane,
    Process,
    echo_replica,
    exchange,
    head,
    plane_and_echo,
    running_plane,
    short_folder,
    until,
)

from weyr.core.capability import NoticeBody, Refused, Wanted
from weyr.core.ref import ThingId
from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.seen import Absent, Present, RouteFacts, Unknown
from weyr.engines.local.router import LocalRouter

URL = f"/{ROUTE}/v2"


def facts_of(plane: Plane) -> RouteFacts:
    seen = plane.router.observe([THING])[THING]
    assert isinstance(seen, Present)
    assert isinstance(seen.facts, RouteFacts)
    return seen.facts


def test_a_request_is_held_until_a_replica_is_there() -> None:
    """An endpoint that sleeps is not an endpoint that fails: the first request wakes it and waits."""
    with running_plane() as plane, ThreadPoolExecutor(8) as pool:
        plane.route({}, hold_s=60)
        asked = [pool.submit(plane.ask, f"/{ROUTE}/raw", "POST", b"x" * n) for n in range(8)]
        until(lambda: facts_of(plane).waiting == 8, "all are held, and counted")
        with echo_replica(plane.home / "a.sock", "a"):
            plane.route({"a": plane.home / "a.sock"})
            assert [one.result(60) for one in asked] == [(200, b"x" * n) for n in range(8)]
        assert facts_of(plane).waiting == 0


def test_a_request_is_held_no_longer_than_its_endpoint_says() -> None:
    """Then the caller learns why, and when to come again."""
    with running_plane() as plane:
        plane.route({}, hold_s=0.3)
        answer = exchange(plane.port, head("GET", URL, "Connection: close"))
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1\r\n" in answer
        assert f"no replica of {ROUTE} is ready" in answer.decode()


def test_a_replica_that_refuses_is_left_out_and_asked_again() -> None:
    """Nothing was sent to it, so the request may go to another; it may be back a moment later."""
    with plane_and_echo() as (plane, _):
        gone = plane.home / "gone.sock"
        plane.route({"gone": gone, "a": plane.home / "a.sock"})
        assert [plane.ask(URL)[0] for _ in range(20)] == [200] * 20
        plane.route({"gone": gone})
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(plane.ask, URL)
            until(lambda: plane.stats()["waiting"] == 1, "it is held")
            with echo_replica(gone, "gone"):
                assert json.loads(asked.result(60)[1])["replica"] == "gone"


def test_the_least_busy_replica_gets_the_next_request() -> None:
    """A slow request must not have others queue behind it while a replica is free."""
    with plane_and_echo() as (plane, _), echo_replica(plane.home / "b.sock", "b"), ThreadPoolExecutor(4) as pool:
        plane.route({"a": plane.home / "a.sock", "b": plane.home / "b.sock"})
        slow = [pool.submit(plane.ask, f"/{ROUTE}/x?gate=open") for _ in range(4)]
        until(lambda: sum(inflight for _, inflight in facts_of(plane).replicas) == 4, "all are under way")
        assert sorted(facts_of(plane).replicas) == [("a", 2), ("b", 2)]
        (plane.home / "open").touch()
        assert all(one.result(60)[0] == 200 for one in slow)


def has_let_go(plane: Plane, names: Iterable[str]) -> bool:
    return not set(names) & {name for name, _ in facts_of(plane).replicas}


def has_answered(plane: Plane, names: Iterable[str], requests: int) -> bool:
    return all(plane.stats()["replicas"][name]["requests"] > requests for name in names)


class Caller(threading.Thread):
    """Asks over one kept connection until told to stop; every answer but 200 is a failure."""

    def __init__(self, plane: Plane, path: str) -> None:
        super().__init__()
        self.port = plane.port
        self.path = path
        self.seen: dict[str, int] = {}
        self.failures: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stopping.is_set():
            try:
                connection.request("POST", self.path, b"hello", {"Authorization": f"Bearer {TOKEN}"})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as e:
                self.failures.append(repr(e))
                connection.close()
                continue
            if answer.status != 200:
                self.failures.append(f"{answer.status} {body!r}")
                continue
            name = json.loads(body)["replica"]
            self.seen[name] = self.seen.get(name, 0) + 1
        connection.close()


def test_replicas_are_replaced_under_load_without_one_failed_request() -> None:
    """A new version goes live while callers work, as the endpoint kind does it: route, wait, stop the old."""
    with running_plane() as plane:
        running: dict[str, Process] = {}
        try:
            callers = [Caller(plane, f"/{ROUTE}/x?wait={0.002 * n}") for n in range(6)]
            for generation in range(6):
                names = [f"{letter}{generation}" for letter in "xy"]
                fresh = {name: echo_replica(plane.home / f"{name}.sock", name) for name in names}
                plane.route({name: plane.home / f"{name}.sock" for name in fresh})
                old, running = running, fresh
                if generation == 0:
                    for caller in callers:
                        caller.start()
                until(partial(has_let_go, plane, old), "the old ones are let go")
                assert [process.stop() for process in old.values()] == [0] * len(old)
                until(partial(has_answered, plane, fresh, 50), "the new ones answer")
            for caller in callers:
                caller.stopping.set()
            for caller in callers:
                caller.join(60)
        finally:
            for process in running.values():
                process.kill()
        assert [failure for caller in callers for failure in caller.failures] == []
        assert {name for caller in callers for name in caller.seen} == {f"{a}{n}" for a in "xy" for n in range(6)}


def test_a_replica_taken_out_ends_its_requests_and_is_seen_until_then() -> None:
    """The loop stops it only when the plane has let go of it."""
    with plane_and_echo() as (plane, _), echo_replica(plane.home / "b.sock", "b"), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(plane.ask, f"/{ROUTE}/x?gate=open", "POST", b"")
        until(lambda: facts_of(plane).replicas == (("a", 1),), "it is under way")
        plane.route({"b": plane.home / "b.sock"})
        assert dict(facts_of(plane).replicas) == {"a": 1, "b": 0}
        assert json.loads(plane.ask(URL)[1])["replica"] == "b"
        (plane.home / "open").touch()
        assert json.loads(slow.result(60)[1])["replica"] == "a"
        until(lambda: dict(facts_of(plane).replicas) == {"b": 0}, "it is let go")


def test_the_plane_works_alone_and_comes_back_by_itself() -> None:
    """It is restarted from the snapshot on disk, with nobody there to tell it anything."""
    with short_folder() as home, echo_replica(home / "a.sock", "a"):
        with Plane(home) as plane:
            plane.route({"a": home / "a.sock"})
            assert plane.ask(URL)[0] == 200
            router = plane.router
            plane.kill()
        assert isinstance(router.observe([THING])[THING], Unknown)
        plane.info.unlink()
        with Plane(home) as plane:
            assert plane.ask(URL)[0] == 200


def test_a_second_plane_does_not_take_the_firsts_place() -> None:
    """Neither its port nor its control socket: it says so, and ends."""
    with plane_and_echo() as (plane, _):
        for port in (plane.port, 0):
            with Process(*plane.arguments, "--port", str(port)) as second:
                assert second.wait() == 1
                assert "the inference plane cannot start" in second.output
                assert "Traceback" not in second.output
        assert plane.ask(URL)[0] == 200
        assert plane.stats()["requests"] == 1


def test_routes_are_followed_though_nobody_says_so() -> None:
    """The word to reload can be lost; the file is what counts. A file that makes no sense changes nothing."""
    with plane_and_echo() as (plane, _):
        deaf = LocalRouter(plane.home / "routes.json", plane.home / "nobody.sock", lambda: None)
        deaf.ensure([Wanted(THING, 9, RouteBody(ROUTE, (RouteVersion("1"),), 0.0))])
        until(lambda: plane.ask(URL)[0] == 503, "the new routes are in force")
        (plane.home / "routes.json").write_text('{"generation": 10, "endpoints": {"digits/digits": 1}}')
        until(lambda: plane.stats()["generation"] == 9, "the last good routes stay")
        assert plane.ask(URL)[0] == 503


def test_a_removed_route_is_absent_once_nobody_uses_it() -> None:
    """What waits learns it at once, what runs may end; only then is it gone."""
    with plane_and_echo() as (plane, _), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(plane.ask, f"/{ROUTE}/x?gate=open", "POST", b"")
        until(lambda: plane.stats()["inflight"] == 1, "it is under way")
        plane.router.release([THING])
        assert isinstance(plane.router.observe([THING])[THING], Present)
        assert plane.ask(URL)[0] == 404
        (plane.home / "open").touch()
        assert slow.result(60)[0] == 200
        until(lambda: plane.router.observe([THING])[THING] == Absent(), "it is gone")
        assert plane.router.inventory() == []
        plane.router.release([THING])


def test_the_router_refuses_what_it_cannot_honour(tmp_path: Path) -> None:
    """Old generations, routes of others, things that are no routes: each with its reason; the rest goes on."""
    router = LocalRouter(tmp_path / "routes.json", tmp_path / "nobody.sock", lambda: "http://127.0.0.1:1/")
    body = RouteBody(ROUTE, (RouteVersion("1", replicas=(("1", "/r/1"),)),))
    other = ThingId.parse("other:endpoint/other")
    assert router.observe([THING]) == {THING: Absent()}
    assert router.ensure([Wanted(THING, 5, body)]) == {}
    written = (tmp_path / "routes.json").read_bytes()
    assert router.ensure([Wanted(THING, 5, body)]) == {}
    assert (tmp_path / "routes.json").read_bytes() == written
    refused = router.ensure(
        [
            Wanted(THING, 4, body),
            Wanted(other, 1, body),
            Wanted(ThingId.parse("a:b/c"), 1, NoticeBody("hello")),
            Wanted(ThingId.parse("a:b/d"), 1, RouteBody("no route")),
            Wanted(
                ThingId.parse("a:b/e"), 1, RouteBody("a/e", (RouteVersion("1", replicas=(("1", "/" + "x" * 200),)),))
            ),
            Wanted(ThingId.parse("a:b/f"), 1, RouteBody("a/f")),
        ]
    )
    assert [str(id) for id in refused] == [str(THING), str(other), "a:b/c", "a:b/d", "a:b/e"]
    assert refused[THING] == Refused("generation 4 came after generation 5")
    assert {str(id) for id in router.inventory()} == {str(THING), "a:b/f"}
    assert isinstance(router.observe([THING])[THING], Unknown)
