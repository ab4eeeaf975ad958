"""Where does a machine keep its routes? In one file that its inference planes read, written whole at each change.

It is read again only where somebody else has written it, and of a thousand routes only those that changed are made
into text again: a wake waits for this.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weyr.core.diagnostic import EngineSilent
from weyr.core.plain import plain_of, value_of
from weyr.core.ref import ThingId
from weyr.core.routes import RouteBody


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the routes file: whose it is, what the plane is to do, and since when it is there (Unix seconds), by
    which one that comes again is told from the one before."""

    thing: str
    generation: int
    body: RouteBody
    since: float = 0.0


class Routes:
    """What the file says. `generation` counts its rewrites; `sleepers` are endpoints by what they wake as."""

    def __init__(self, generation: int, routes: Mapping[str, Route]) -> None:
        self.generation, self.routes = generation, routes
        self.sleepers: Counter[str] = Counter(route.body.wakes_as for route in routes.values() if route.body.wakes_as)
        self._by_thing = {route.thing: (name, route) for name, route in routes.items()}

    def of(self, thing: ThingId) -> tuple[str, Route] | None:
        return self._by_thing.get(str(thing))


class RoutesFile:
    """The file. One process writes it, one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._known = Routes(0, {})
        self._is_kept = True
        self._texts: dict[str, tuple[Route, str]] = {}

    def read(self) -> Routes:
        """The routes as they were last written; none where the file was damaged: the loop misses them and has them
        written again, and the plane goes on with those it knows until then. Raises: EngineSilent where it cannot be
        read."""
        try:
            stamp = _stamp_of(self.path)
            if stamp != self._stamp:
                self._known = _parsed(self.path.read_bytes()) if stamp else Routes(0, {})
                self._stamp = stamp
        except OSError as e:
            raise EngineSilent(f"the routes in {self.path} cannot be read: {e}") from e
        return self._known

    def put(self, routes: Routes) -> None:
        """Gives the file its new content, for whoever reads it now. Raises: OSError."""
        self._texts = {name: self._text(name, route) for name, route in routes.routes.items()}
        entries = ",\n".join(f"{json.dumps(name)}: {text}" for name, (_, text) in self._texts.items())
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            stream.write(f'{{"generation": {routes.generation}, "endpoints": {{\n{entries}\n}}}}\n')
        os.replace(temporary, self.path)
        self._known, self._stamp, self._is_kept = routes, _stamp_of(self.path), False

    def keep(self) -> None:
        """Waits until a power cut can no longer take what was put; before, it may leave a file that is read as none.
        Raises: OSError."""
        if self._is_kept:
            return
        for place, flags in ((self.path, os.O_RDONLY), (self.path.parent, os.O_RDONLY | os.O_DIRECTORY)):
            opened = os.open(place, flags)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
        self._is_kept = True

    def _text(self, name: str, route: Route) -> tuple[Route, str]:
        before = self._texts.get(name)
        if before is not None and before[0] == route:
            return before
        entry = {
            "thing": route.thing, "since": route.since, "generation": route.generation, "route": plain_of(route.body)
        }  # fmt: skip
        return route, json.dumps(entry)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Tells two versions of the file apart; None where there is none. Raises: OSError."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _parsed(text: bytes) -> Routes:
    try:
        plain = json.loads(text)
        routes = {
            name: Route(
                entry["thing"], entry["generation"], value_of(RouteBody, entry["route"]), entry.get("since", 0.0)
            )
            for name, entry in plain["endpoints"].items()
        }
        return Routes(plain["generation"], routes)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Routes(0, {})
