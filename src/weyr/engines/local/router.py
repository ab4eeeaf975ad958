"""How does an endpoint's traffic find its replicas on this machine? Through one file that the plane reads.

The routes file is the durable truth: `ensure` and `release` rewrite it whole, then ask the plane to look.
A plane that does not answer changes nothing about that: it reads the same file when it comes back.
"""

import json
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weyr.core.capability import Capability, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.plain import plain_of, value_of
from weyr.core.ref import NAME, Ref, ThingId
from weyr.core.routes import RouteBody, VersionCounts, problems_of
from weyr.core.seen import Absent, Present, RouteFacts, Seen, Unknown
from weyr.engines.local.control import NoAnswer, PlaneDown, ask
from weyr.engines.local.plane_stats import merged
from weyr.engines.local.route_keys import RouteKeys

SOCKET_PATH_MAX = 107
"""Linux keeps 108 bytes for the path of a Unix socket, the last of them for the end mark."""

_ROUTE = re.compile(f"{NAME.pattern}/{NAME.pattern}")


@dataclass(frozen=True, slots=True)
class _Route:
    """One entry of the routes file: whose it is, and what the plane is to do."""

    thing: str
    generation: int
    body: RouteBody


@dataclass(frozen=True, slots=True)
class _Routes:
    """The routes file. `generation` counts its rewrites."""

    generation: int
    routes: Mapping[str, _Route]

    def of(self, thing: ThingId) -> tuple[str, _Route] | None:
        found = [(name, route) for name, route in self.routes.items() if route.thing == str(thing)]
        return found[0] if found else None


class LocalRouter:
    """Provider of routes on this machine.

    `expect_replicas` is told whether an endpoint may be asleep: somebody may wait for a replica of it.

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
        expect_replicas: Callable[[bool], None] = lambda _is_wanted: None,
        read_secret: Callable[[Ref], bytes | None] = lambda _ref: None,
    ) -> None:
        self._keys = RouteKeys(control_socket.with_name("route-keys"), read_secret)
        self._epoch = epoch
        self._file = routes_file
        self._control = control_socket
        self._plane_url = plane_url
        self._lock = threading.Lock()
        self._expect_replicas, self._is_expected = expect_replicas, False

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """What the plane does for these. `facts.generation` is what it has applied, `generation` what was accepted."""
        if not ids:
            return {}
        routes = _read(self._file)
        self._expect(routes.routes)
        self._keys.refresh()
        try:
            stats = merged([answer["endpoints"] for answer in self._ask("GET", "/stats")])
        except PlaneDown:
            return {id: self._without_plane(routes, id) for id in ids}
        except (NoAnswer, KeyError) as e:
            return {id: Unknown(f"the inference plane does not answer: {str(e) or type(e).__name__}") for id in ids}
        return {id: self._seen(routes, stats, id) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        """Writes the routes, then wakes the plane. A route belongs to one thing, and never goes back a generation."""
        refused: dict[ThingId, Refused] = {}
        with self._lock:
            before = _read(self._file)
            routes = dict(before.routes)
            for want in wanted:
                problem = _problem(routes, want)
                if problem or not isinstance(want.body, RouteBody):
                    refused[want.id] = Refused(problem)
                    continue
                try:
                    body = self._keys.filed(want.body)
                except LookupError as e:
                    refused[want.id] = Refused(str(e))
                    continue
                routes = {name: route for name, route in routes.items() if route.thing != str(want.id)}
                routes[want.body.route] = _Route(str(want.id), want.generation, body)
            self._replace(before, routes)
        return refused

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        """Takes the routes out; requests that are under way still end."""
        gone = {str(id) for id in ids}
        with self._lock:
            before = _read(self._file)
            self._replace(before, {name: route for name, route in before.routes.items() if route.thing not in gone})
        return {}

    def inventory(self) -> Sequence[ThingId]:
        """Every route in the file."""
        return [ThingId.parse(route.thing) for route in _read(self._file).routes.values()]

    def _replace(self, before: _Routes, routes: Mapping[str, _Route]) -> None:
        self._expect(routes)
        if routes == before.routes:
            return
        self._keys.forget(route.body for route in routes.values())
        try:
            _write(self._file, _Routes(before.generation + 1, routes))
        except OSError as e:
            raise EngineSilent(f"the routes could not be written to {self._file}: {e}") from e
        try:
            self._ask("POST", "/reload")
        except (PlaneDown, NoAnswer):
            # The plane watches the file too; asking only saves it the wait.
            return

    def _expect(self, routes: Mapping[str, _Route]) -> None:
        """Tells on change whether somebody may have to wait for a replica; also of routes from before this process."""
        sleeps = any(route.body.sleeps for route in routes.values())
        if sleeps != self._is_expected:
            self._is_expected = sleeps
            self._expect_replicas(sleeps)

    def _without_plane(self, routes: _Routes, id: ThingId) -> Seen:
        """No plane runs, so what the file does not name cannot be served: that is a proof of absence."""
        return Unknown("the inference plane is not running") if routes.of(id) else Absent()

    def _seen(self, routes: _Routes, stats: Mapping[str, Any], id: ThingId) -> Seen:
        kept = routes.of(id)
        name = kept[0] if kept else next((n for n, s in stats.items() if s.get("thing") == str(id)), None)
        served = stats.get(name) if name else None
        if kept is None and served is None:
            return Absent()
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


def _problem(routes: Mapping[str, _Route], want: Wanted) -> str:
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


def _read(file: Path) -> _Routes:
    """The routes as they were last written; none where the file was damaged: the loop misses them and has them
    written again, and the plane goes on with those it knows until then. Raises: EngineSilent where it cannot be read.
    """
    try:
        plain = json.loads(file.read_bytes())
        routes = {
            name: _Route(entry["thing"], entry["generation"], value_of(RouteBody, entry["route"]))
            for name, entry in plain["endpoints"].items()
        }
        return _Routes(plain["generation"], routes)
    except FileNotFoundError:
        return _Routes(0, {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return _Routes(0, {})
    except OSError as e:
        raise EngineSilent(f"the routes in {file} cannot be read: {e}") from e


def _write(file: Path, routes: _Routes) -> None:
    """Replaces the file: synced before it gets its name, and the name synced before this returns."""
    endpoints = {
        name: {"thing": route.thing, "generation": route.generation, "route": plain_of(route.body)}
        for name, route in routes.routes.items()
    }
    text = json.dumps({"generation": routes.generation, "endpoints": endpoints}, indent=1)
    temporary = file.with_name(f".{file.name}.tmp")
    with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
