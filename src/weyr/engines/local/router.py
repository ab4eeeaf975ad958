"""How does an endpoint's traffic find its replicas on this machine? Through one file that the plane reads.

The routes file is the durable truth: `ensure` and `release` rewrite it whole, then ask the plane to look.
A plane that does not answer changes nothing about that: it reads the same file when it comes back.
"""

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from weyr.core.capability import Capability, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.plain import value_of
from weyr.core.ref import NAME, Ref, ThingId
from weyr.core.routes import RouteBody, VersionCounts, problems_of
from weyr.core.seen import Absent, Present, RouteFacts, RouteUse, Seen, Unknown
from weyr.engines.local.control import NoAnswer, PlaneDown, ask
from weyr.engines.local.grpc_door import GrpcDoor
from weyr.engines.local.plane_stats import merged
from weyr.engines.local.route_keys import RouteKeys
from weyr.engines.local.routes_file import Route, Routes, RoutesFile
from weyr.engines.local.uses import SHOW_EVERY_S, Uses
from weyr.wire.counters import Counted, Key

SOCKET_PATH_MAX = 107
"""Linux keeps 108 bytes for the path of a Unix socket, the last of them for the end mark."""

NAMED_MAX = 20

_ROUTE = re.compile(f"{NAME.pattern}/{NAME.pattern}")


class LocalRouter:
    """Provider of routes on this machine.

    `expect_replicas` is told of each sort of process that a sleeping endpoint wakes as, and how many could at once.

    Promises: what `ensure` accepted is on disk before it returns, whole or not at all. Only one
    process writes the file; its threads queue here.
    """

    capability = Capability.TRAFFIC

    def __init__(
        self,
        routes_file: Path,
        control_socket: Path,
        plane_url: Callable[[], str | None],
        epoch: int = 0,
        expect_replicas: Callable[[str, int], None] = lambda _what, _count: None,
        read_secret: Callable[[Ref], bytes | None] = lambda _ref: None,
        grpc: GrpcDoor | None = None,
        uses: Path | None = None,
        show_every_s: float = SHOW_EVERY_S,
    ) -> None:
        self._keys = RouteKeys(control_socket.with_name("route-keys"), read_secret)
        self._epoch = epoch
        self._file = RoutesFile(routes_file)
        self._control = control_socket
        self._plane_url = plane_url
        self._lock = threading.Lock()
        self._expect_replicas, self._expected = expect_replicas, Counter[str]()
        self._grpc = grpc
        self._uses = Uses(uses, self._stands, show_every_s)

    def recount(self) -> None:
        """The next look reads what was counted, however lately it was read."""
        self._uses.forget()

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """What the plane does for these. `facts.generation` is what it has applied, `generation` what was accepted."""
        if not ids:
            return {}
        routes = self._file.read()
        self._expect(routes)
        self._keys.refresh()
        try:
            stats = merged([answer["endpoints"] for answer in self._ask("GET", _question(routes, ids))])
        except PlaneDown:
            with self._lock:
                return {id: self._without_plane(routes, id) for id in ids}
        except (NoAnswer, KeyError) as e:
            return {id: Unknown(f"the inference plane does not answer: {str(e) or type(e).__name__}") for id in ids}
        with self._lock:
            return {id: self._seen(routes, stats, id) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        """Writes the routes, then wakes the plane. A route belongs to one thing, and never goes back a generation."""
        refused: dict[ThingId, Refused] = {}
        with self._lock:
            before = self._file.read()
            routes = dict(before.routes)
            for want in wanted:
                problem = _problem(routes, want) or self._grpc_problem(want)
                if problem or not isinstance(want.body, RouteBody):
                    refused[want.id] = Refused(problem)
                    continue
                try:
                    body = self._keys.filed(want.body)
                except LookupError as e:
                    refused[want.id] = Refused(str(e))
                    continue
                known = before.of(want.id)
                since = known[1].since if known else self._uses.since(want.id, time.time())
                routes = {name: route for name, route in routes.items() if route.thing != str(want.id)}
                routes[want.body.route] = Route(str(want.id), want.generation, body, since)
            self._replace(before, routes)
        return refused

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        """Takes the routes out; requests that are under way still end."""
        gone = {str(id) for id in ids}
        with self._lock:
            before = self._file.read()
            self._replace(before, {name: route for name, route in before.routes.items() if route.thing not in gone})
        return {}

    def inventory(self) -> Sequence[ThingId]:
        """Every route in the file."""
        return [ThingId.parse(route.thing) for route in self._file.read().routes.values()]

    def _replace(self, before: Routes, entries: Mapping[str, Route]) -> None:
        try:
            if entries != before.routes:
                self._keys.forget(route.body for route in entries.values())
                self._file.put(Routes(before.generation + 1, entries))
                # Before the disk is waited for, as somebody may be held for this. A power cut ends who reads it, too.
                with suppress(PlaneDown, NoAnswer):  # the plane watches the file; asking only saves it the wait
                    self._ask("POST", "/reload")
            self._file.keep()
        except OSError as e:
            raise EngineSilent(f"the routes could not be written to {self._file.path}: {e}") from e
        self._expect(self._file.read())

    def _expect(self, routes: Routes) -> None:
        """Tells on change what somebody may have to wait for, and who is asked over gRPC; also of routes from before
        this process."""
        if self._grpc:
            try:
                self._grpc.tell(route.body for route in routes.routes.values())
            except OSError as e:
                raise EngineSilent(f"the list of endpoints that are asked over gRPC could not be written: {e}") from e
        if routes.sleepers == self._expected:
            return
        for what in {*routes.sleepers, *self._expected}:
            # One more than there are: who wakes may soon need a second replica.
            self._expect_replicas(what, routes.sleepers[what] + 1 if routes.sleepers[what] else 0)
        self._expected = routes.sleepers

    def _grpc_problem(self, want: Wanted) -> str:
        """Why the route cannot be asked over gRPC, where it is to be."""
        if not isinstance(want.body, RouteBody) or not want.body.grpc:
            return ""
        return self._grpc.problem() if self._grpc else "there is no door for gRPC here"

    def _without_plane(self, routes: Routes, id: ThingId) -> Seen:
        """No plane runs, so what the file does not name cannot be served: that is a proof of absence."""
        return Unknown("the inference plane is not running") if routes.of(id) else self._gone(id)

    def _gone(self, id: ThingId) -> Seen:
        """It is served by nobody: what was counted of it is final, once every process has let go of it."""
        try:
            last = self._uses.last(id)
        except EngineSilent as e:
            return Unknown(str(e))
        return Absent(last=RouteFacts(use=_use(*last)) if last and any(last[1].cells) else None)

    def _stands(self, key: Key) -> bool:
        thing, since = key
        kept = self._file.read().of(ThingId.parse(thing))
        return kept is not None and kept[1].since == since

    def _counted(self, id: ThingId, route: Route) -> RouteUse | None:
        """None where nobody counts, or where what was counted cannot be read just now: then it is read later."""
        try:
            counted = self._uses.of(id, route.since)
        except EngineSilent:
            return None
        return _use(route.since, counted) if counted else None

    def _seen(self, routes: Routes, stats: Mapping[str, Any], id: ThingId) -> Seen:
        kept = routes.of(id)
        name = kept[0] if kept else next((n for n, s in stats.items() if s.get("thing") == str(id)), None)
        served = stats.get(name) if name else None
        if kept is None and served is None:
            return self._gone(id)
        served = served or {}
        url = self._plane_url()
        facts = RouteFacts(
            generation=served.get("generation", 0),
            url=f"{url.rstrip('/')}/{name}" if url else "",
            replicas=tuple((key, counts["inflight"]) for key, counts in served.get("replicas", {}).items()),
            waiting=served.get("waiting", 0),
            requests=served.get("requests", 0),
            errors=served.get("errors", 0),
            last_request_at=served.get("last_request_at"),
            versions=value_of(tuple[VersionCounts, ...], served.get("versions", [])),
            use=self._counted(id, kept[1]) if kept else None,
            grpc=self._grpc.address(kept[1].body) if self._grpc and kept else "",
        )
        return Present(facts, kept[1].generation if kept else facts.generation)

    def _ask(self, method: str, path: str) -> list[Any]:
        """What each process of the plane answers. One that does not run has nothing to say.

        Raises: PlaneDown where nobody listens; NoAnswer where one that does gave no answer.
        """
        answers: list[Any] = []
        others = sorted(self._control.parent.glob(f"{self._control.stem}-*{self._control.suffix}"))
        for control in (self._control, *others):
            try:
                status, answer = ask(control, method, path, epoch=self._epoch)
            except PlaneDown:
                continue
            if status != 200:
                raise NoAnswer(f"{path} was answered with status {status}")
            answers.append(answer)
        if not answers:
            raise PlaneDown(f"nobody listens at {self._control}")
        return answers


def _use(since: float, counted: Counted) -> RouteUse:
    """The plane's cells are the fields of RouteUse, in their order."""
    return RouteUse(since, *counted.cells[: len(fields(RouteUse)) - 1])


def _question(routes: Routes, ids: Sequence[ThingId]) -> str:
    """What to ask for these: by name where they are few, for of a thousand endpoints each look is at one."""
    found = [routes.of(id) for id in ids]
    if len(ids) > NAMED_MAX or None in found:
        return "/stats"
    return f"/stats?names={','.join(kept[0] for kept in found if kept)}"


def _problem(routes: Mapping[str, Route], want: Wanted) -> str:
    """Why this cannot be routed, or nothing."""
    body = want.body
    if not isinstance(body, RouteBody):
        return f"a router cannot hold a {body.of}"
    if not _ROUTE.fullmatch(body.route):
        return f'"{body.route}" is not a route; it is written as stack/endpoint'
    long = [path for _, path in body.replicas if len(os.fsencode(path)) > SOCKET_PATH_MAX]
    if long:
        return f"{long[0]} is longer than the {SOCKET_PATH_MAX} bytes that a socket's path may have"
    if problems := problems_of(body):
        return "; ".join(problems)
    owner = routes.get(body.route)
    if owner and owner.thing != str(want.id):
        return f"the route {body.route} belongs to {owner.thing}"
    newest = max((r.generation for r in routes.values() if r.thing == str(want.id)), default=want.generation)
    if want.generation < newest:
        return f"generation {want.generation} came after generation {newest}"
    return ""
