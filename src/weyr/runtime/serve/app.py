"""Which protocol does a request speak? The path says; each protocol is a module of its own."""

import asyncio
from typing import Any
from urllib.parse import unquote

from weyr.runtime.serve.counts import prometheus
from weyr.runtime.serve.desk import Desk, Given
from weyr.runtime.serve.oip import Oip, only
from weyr.wire.message import TEXT, Request, Response, refusal


class App:
    """The handler of the server's socket. `statuses` counts the answers by status."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.statuses: dict[int, int] = {}
        self._oip = Oip(desk)

    def __call__(self, request: Request) -> Given:
        """Never raises."""
        given = self._answer(request)
        if isinstance(given, Response):
            self.statuses[given.status] = self.statuses.get(given.status, 0) + 1
        else:
            given.add_done_callback(self._count_later)
        return given

    def _answer(self, request: Request) -> Given:
        path = request.path.decode("latin-1")
        words = (unquote(path) if "%" in path else path).strip("/").split("/")
        match words:
            case ["v2", *rest]:
                return self._oip(request, rest)
            case ["metrics"]:
                return Response(200, self._metrics().encode(), TEXT) if request.method == b"GET" else only("GET")
            case _:
                return refusal(404, "there is nothing here; ask for /v2, /v2/health/ready or /v2/models/NAME")

    def _count_later(self, done: asyncio.Future[Any]) -> None:
        if not done.cancelled() and not done.exception():
            status = done.result().status
            self.statuses[status] = self.statuses.get(status, 0) + 1

    def _metrics(self) -> str:
        shelf = self.desk.shelf
        lines = ["# HELP weyr_replica_requests_total Requests answered, by status."]
        lines.append("# TYPE weyr_replica_requests_total counter")
        lines.extend(
            f'weyr_replica_requests_total{{status="{status}"}} {count}'
            for status, count in sorted(self.statuses.items())
        )
        for name, kind, value, text in (
            ("ready", "gauge", int(self.desk.is_filled), "1 once the models are loaded and warm."),
            ("models", "gauge", sum(slot.batcher is not None for slot in shelf.all), "Models in memory."),
            ("models_bytes", "gauge", shelf.resident_bytes, "What they take."),
            ("loads_total", "counter", shelf.loads, "Models loaded."),
            ("evictions_total", "counter", shelf.evictions, "Models that had to leave the memory."),
        ):
            lines.append(f"# HELP weyr_replica_{name} {text}\n# TYPE weyr_replica_{name} {kind}")
            lines.append(f"weyr_replica_{name} {value}")
        lines.extend(
            prometheus(
                (slot.source.name, slot.source.version, slot.batcher.counts) for slot in shelf.all if slot.batcher
            )
        )
        return "\n".join(lines) + "\n"
