"""Which endpoint does a path belong to? The routes that are in force, followed as their file changes."""

from collections.abc import Mapping
from pathlib import Path

from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.routes import Route, Routes, Stamp, read_routes, stamp_of
from weyr.gateway.inference.uses import Uses
from weyr.wire.counters import Counter


class Table:
    """The routes in force, and those that are gone but still have requests under way.

    Promises: a file that cannot be read or understood changes nothing; `problem` says so.
    """

    def __init__(self, path: Path, uses: Uses | None = None) -> None:
        self.generation = 0
        self.problem = ""
        self.endpoints: dict[str, Endpoint] = {}
        self.by_prefix: dict[bytes, Endpoint] = {}
        self.uses = uses or Uses(None)
        self._path = path
        self._stamp: Stamp | None = None
        self._known = Routes()
        self._removed: list[Endpoint] = []

    def reload(self) -> int:
        """Reads the file again and applies it. Gives the generation in force."""
        # The stamp is taken first: a change during the read is then seen by the next look.
        stamp = stamp_of(self._path)
        try:
            routes = read_routes(self._path, self._known)
        except (OSError, ValueError) as e:
            self.problem, self._stamp = str(e), stamp
            return self.generation
        self.problem, self._stamp, self._known = "", stamp, routes
        self._apply(routes.routes)
        self.generation = routes.generation
        return self.generation

    def follow(self) -> None:
        """Reloads if the file is another one than last time."""
        try:
            if stamp_of(self._path) != self._stamp:
                self.reload()
        except OSError as e:
            self.problem = str(e)

    def seen(self) -> dict[str, Endpoint]:
        """The endpoints in force, and those removed ones that are still draining."""
        for endpoint in self._removed:
            if endpoint.is_idle:
                # Nobody can ask it any more: what was counted is the last that there is to know.
                endpoint.counter.close()
        self._removed = [endpoint for endpoint in self._removed if not endpoint.is_idle]
        return {endpoint.route.name: endpoint for endpoint in self._removed} | self.endpoints

    def _apply(self, routes: Mapping[str, Route]) -> None:
        for name in self.endpoints.keys() - routes.keys():
            endpoint = self.endpoints.pop(name)
            self.by_prefix.pop(name.encode())
            endpoint.remove()
            self._removed.append(endpoint)
        for name, route in routes.items():
            known = self.endpoints.get(name)
            if known is None:
                self.endpoints[name] = self.by_prefix[name.encode()] = Endpoint(route, self._counter(route))
            elif known.route != route:
                if (known.route.thing, known.route.since) != (route.thing, route.since):
                    # It went and came again between two looks: from here on the other one is asked.
                    known.counter.close()
                    known.counter = self._counter(route)
                known.apply(route)

    def _counter(self, route: Route) -> Counter:
        return self.uses.of(route.thing, route.since)
