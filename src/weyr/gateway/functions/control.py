"""What may Weyr itself ask the plane? Its health, its counts, to read its file again; and to take in objects' events.

Over a Unix socket whose permissions are the authentication.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import accumulate

from weyr.core.work_times import told
from weyr.gateway.functions.counts import LATENCY_BUCKETS_S
from weyr.gateway.functions.function import Function
from weyr.gateway.functions.objects import events_of
from weyr.gateway.functions.plane import Plane
from weyr.wire.epochs import HEADER, Epochs
from weyr.wire.message import TEXT, Request, Response, answer, refusal


class Control:
    """The handler of the control socket."""

    def __init__(self, plane: Plane, epochs: Epochs) -> None:
        self._plane, self._epochs = plane, epochs

    def __call__(self, request: Request) -> "Response | asyncio.Future[Response]":
        plane = self._plane
        said = request.headers.get(HEADER.lower().encode(), b"").decode("latin-1")
        match request.method, request.path.split(b"/")[1:]:
            case b"GET", [b"health"]:
                return answer({"ok": not plane.problem, "generation": plane.generation, "problems": [plane.problem]})
            case b"POST", [b"reload"]:
                if why := self._epochs.refusal(said):
                    return refusal(409, why)
                return asyncio.ensure_future(self._reload())
            case b"GET", [b"stats"]:
                functions = {name: self._stats(function) for name, function in plane.seen().items()}
                return answer({"generation": plane.generation, "functions": functions})
            case b"GET", [b"metrics"]:
                return Response(200, metrics_text(plane).encode(), TEXT)
            case b"POST", [b"events"]:
                return asyncio.ensure_future(self._take_in(request))
            case _:
                return refusal(404, "ask GET /health, /stats, /metrics, or POST /reload, /events")

    async def _reload(self) -> Response:
        return answer({"generation": await self._plane.reload(), "problem": self._plane.problem})

    async def _take_in(self, request: Request) -> Response:
        """Answers once every event is on the disk. Events for functions that are no more are nobody's."""
        try:
            events = [event for event in events_of(request.body) if event.function in self._plane.functions]
        except (ValueError, KeyError, TypeError) as e:
            return refusal(400, f"this tells of no objects: {e}")
        try:
            for event in events:
                await self._plane.accept(event)
        except sqlite3.Error as e:
            return refusal(503, f"the events could not be kept: {e}")
        return answer({"taken": len(events)})

    def _stats(self, function: Function) -> dict[str, object]:
        counts, name = function.counts, function.setting.name
        events = self._plane.store.counts(name)
        return {
            "thing": function.setting.thing,
            "generation": function.setting.generation,
            "socket": function.setting.socket,
            "hosts": function.inflight(),
            "instances": len(function.instances),
            "waiting": function.waiting,
            "pending": self._plane.pending(name),
            "queued": events.get("waiting", 0),
            "dead": events.get("dead", 0),
            "invocations": counts.invocations,
            "errors": counts.errors,
            "cold_starts": counts.cold,
            "p50_ms": counts.quantile_ms(0.5, is_cold=False),
            "p99_ms": counts.quantile_ms(0.99, is_cold=False),
            "cold_p50_ms": counts.quantile_ms(0.5, is_cold=True),
            "worked": counts.worked,
            "worked_s": counts.worked_s,
            "work_classes": told(counts.work),
            "last_used_at": counts.last_at,
        }


def metrics_text(plane: Plane) -> str:
    """The plane's metrics in Prometheus' text format."""
    return "".join(f"{line}\n" for line in _lines(plane, list(plane.seen().values())))


def _lines(plane: Plane, functions: list[Function]) -> Iterator[str]:
    def family(name: str, kind: str, text: str, values: Iterable[tuple[Function, float]]) -> Iterator[str]:
        yield f"# HELP weyr_function_{name} {text}"
        yield f"# TYPE weyr_function_{name} {kind}"
        # Names are [a-z0-9_-] and a slash, so nothing needs escaping.
        yield from (f'weyr_function_{name}{{function="{f.setting.name}"}} {value:g}' for f, value in values)

    counts = [(f, f.counts) for f in functions]
    events = {f: plane.store.counts(f.setting.name) for f in functions}
    yield from family("invocations_total", "counter", "Attempts that ended.", ((f, c.invocations) for f, c in counts))
    yield from family("errors_total", "counter", "Attempts that failed.", ((f, c.errors) for f, c in counts))
    yield from family("timeouts_total", "counter", "Attempts that took too long.", ((f, c.timeouts) for f, c in counts))
    yield from family("refused_total", "counter", "Calls without an instance.", ((f, c.refused) for f, c in counts))
    yield from family("retries_total", "counter", "Attempts that another follows.", ((f, c.retries) for f, c in counts))
    yield from family("cold_starts_total", "counter", "Attempts that waited for an instance.",
                      ((f, c.cold) for f, c in counts))  # fmt: skip
    yield from family("instances", "gauge", "Instances that run.", ((f, len(f.instances)) for f in functions))
    yield from family("inflight", "gauge", "Events under way.", ((f, f.busy) for f in functions))
    yield from family("waiting", "gauge", "Callers without an instance.", ((f, f.waiting) for f in functions))
    yield from family("queued", "gauge", "Events on the disk.", ((f, events[f].get("waiting", 0)) for f in functions))
    yield from family("dead", "gauge", "Events that failed.", ((f, events[f].get("dead", 0)) for f in functions))
    name = "weyr_function_duration_seconds"
    yield f"# HELP {name} From asking for an instance to the answer."
    yield f"# TYPE {name} histogram"
    for function in functions:
        counted = function.counts
        for start, found in (("warm", counted.warm), ("cold", counted.waited)):
            label = f'function="{function.setting.name}",start="{start}"'
            sums = list(accumulate(found.buckets))
            for bound, count in zip((*(f"{top:g}" for top in LATENCY_BUCKETS_S), "+Inf"), sums, strict=True):
                yield f'{name}_bucket{{{label},le="{bound}"}} {count}'
            yield f"{name}_sum{{{label}}} {found.took_s:.6f}"
            yield f"{name}_count{{{label}}} {sums[-1]}"
