"""What was asked of a route is counted once, and outlives whoever counted it: unit costs are made from it."""

import json
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

from inference_plane import ROUTE, THING, Plane, Script, until

from weyr.core.capability import Capability
from weyr.core.decision import Thing
from weyr.core.route_usage import SERVED, TOKENS_IN, TOKENS_OUT, route_usage
from weyr.core.seen import RouteUse

BODY = json.dumps({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 50}}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
CHAT = json.dumps({"model": "digits", "messages": []}).encode()


class Answers(Script):
    """Reads the whole request first: who closes with a part of it unread breaks the connection."""

    def _play(self, client: socket.socket) -> None:
        while CHAT not in self.requests[-1]:
            self.requests[-1] += client.recv(2**20)
        super()._play(client)


def asked(plane: Plane, times: int) -> None:
    for _ in range(times):
        status, _body = plane.ask(f"/{ROUTE}/v1/chat/completions", "POST", CHAT, **{"Content-Type": "application/json"})
        assert status == 200


def use(plane: Plane) -> RouteUse:
    return plane.facts().use or RouteUse(0.0)


def test_what_was_counted_outlives_a_killed_plane_and_not_its_route() -> None:
    """A plane that is killed goes on from where it was; one that stops loses nothing; a route that comes again begins
    from nothing, with a later beginning, by which the ledger knows that."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        kept = ("--uses", str(home / "uses.db"))
        replica = Answers(home / "replica.sock", HEAD % len(BODY) + BODY)
        try:
            with Plane(home, *kept) as plane:
                plane.route({"1": home / "replica.sock"})
                asked(plane, 5)
                until(lambda: use(plane).requests == 5, "five answers are kept")
                first = use(plane)
            assert (first.tokens_in, first.tokens_out) == (5000, 250)
            plane.info.unlink(missing_ok=True)

            with Plane(home, *kept) as plane:
                until(lambda: use(plane) == first, "the next plane knows of them")
                asked(plane, 2)
                until(lambda: use(plane).requests == 7, "and goes on from there")
                assert use(plane).since == first.since
                plane.router.release([THING])
                until(lambda: not plane.stats(), "the route is gone")
                plane.route({"1": home / "replica.sock"})
                asked(plane, 1)
                plane.stop()

            with Plane(home, *kept) as plane:
                plane.generation = 9
                plane.route({"1": home / "replica.sock"})
                until(lambda: use(plane).requests == 1, "what came again began anew")
                last = use(plane)
                assert last.since > first.since
                seen = plane.router.observe([THING])[THING]
        finally:
            replica.close()
    usages = route_usage({"route": Thing("route", Capability.TRAFFIC, 1, seen)})
    assert {usage.sku: usage.quantity for usage in usages} == {SERVED: 1, TOKENS_IN: 1000, TOKENS_OUT: 50}
