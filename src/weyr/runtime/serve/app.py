"""Which protocol does a request speak? The path says; each protocol is a module of its own."""

import asyncio
from functools import partial
from typing import Any
from urllib.parse import unquote

from weyr.runtime.serve.anthropic import Anthropic
from weyr.runtime.serve.counts import prometheus
from weyr.runtime.serve.desk import Desk, Given
from weyr.runtime.serve.devices import device_lines
from weyr.runtime.serve.oip import Oip, only, read
from weyr.runtime.serve.openai import OpenAi, failure
from weyr.runtime.serve.plain import Plain, v1_status
from weyr.runtime.serve.schema import json_schema, openapi
from weyr.runtime.serve.shelf import Slot
from weyr.runtime.serve.talk import Talk
from weyr.runtime.serve.tracing import CURRENT, Traced, Tracer
from weyr.wire.message import TEXT, Request, Response, answer, refusal

TARGETS_MAX = 1024
NOTHING = "there is nothing here; ask for /v2, /v2/health/ready, /v2/models/NAME, /v1/models or /openapi.json"


class App:
    """The handler of the server's socket. `statuses` counts the answers by status."""

    def __init__(self, desk: Desk, tracer: Tracer | None = None) -> None:
        self.desk = desk
        self._tracer = tracer
        self.statuses: dict[int, int] = {}
        self._oip = Oip(desk)
        self._inferred: dict[bytes, Slot] = {}
        talk = Talk(desk)
        self._openai, self._anthropic = OpenAi(desk, talk), Anthropic(desk, talk)
        self._plain = Plain(desk)

    def __call__(self, request: Request) -> Given:
        """Never raises."""
        traced = self._tracer.begun(request) if self._tracer else None
        given = self._answer(request) if traced is None else self._answer_traced(request, traced)
        if isinstance(given, Response):
            self.statuses[given.status] = self.statuses.get(given.status, 0) + 1
        else:
            given.add_done_callback(self._count_later)
        return given

    def _answer_traced(self, request: Request, traced: Traced) -> Given:
        """Whatever works on it, now or in a task, finds its trace in the context."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        token = CURRENT.set(traced)
        try:
            given = self._answer(request)
        finally:
            CURRENT.reset(token)
        if isinstance(given, Response):
            traced.tracer.ended(traced, request, given.status, began_at, loop.time())
        else:
            given.add_done_callback(partial(_told, traced, request, began_at))
        return given

    def _answer(self, request: Request) -> Given:
        slot = self._inferred.get(request.target)
        if slot is not None and request.method == b"POST":
            return self.desk.compute(slot, request, read)
        path = request.path.decode("latin-1")
        words = (unquote(path) if "%" in path else path).strip("/").split("/")
        match words:
            case ["v2", "models", name, "infer"] if request.method == b"POST" and (slot := self._newest(request, name)):
                return self.desk.compute(slot, request, read)
            case ["v2", *rest]:
                return self._oip(request, rest)
            case ["v1", *rest]:
                return self._v1(request, rest)
            case ["predict", *rest] if len(rest) < 2:
                return self._plain.predict(request, rest)
            case [""] if request.method == b"POST":
                return self._plain.predict(request, [])
        return self._read(words) if request.method in (b"GET", b"HEAD") else only("GET")

    def _newest(self, request: Request, name: str) -> Slot | None:
        """The model, remembered by the whole target, so that the next request for it takes no path apart."""
        slot = self.desk.shelf.find(name)
        if slot is not None and len(self._inferred) < TARGETS_MAX:
            self._inferred[request.target] = slot
        return slot

    def _read(self, words: list[str]) -> Response:
        """What can only be read."""
        loaded = [slot.model for slot in self.desk.shelf.all if slot.model]
        match words:
            case ["metrics"]:
                return Response(200, self._metrics().encode(), TEXT)
            case ["openapi.json"]:
                return answer(openapi(loaded))
            case ["schema", *rest] if len(rest) < 2:
                slot = self.desk.shelf.find(rest[0]) if rest else self.desk.only
                if slot is None:
                    return refusal(404, f"say which: /schema/NAME of {', '.join(self.desk.shelf.slots)}")
                return answer(json_schema(slot.model)) if slot.model else self._absent(slot)
            case _:
                return refusal(404, NOTHING)

    def _v1(self, request: Request, words: list[str]) -> Given:
        """Below /v1 are OpenAI's protocol, Anthropic's messages and the V1 protocol, which share the list of models."""
        given = self._openai(request, words) or self._anthropic(request, words)
        if given is not None:
            return given
        match words:
            case ["models"] if request.method == b"GET":
                newest = [slot for name in self.desk.shelf.slots if (slot := self.desk.shelf.find(name))]
                cards = [self._openai.card(slot) for slot in newest]
                return answer({"object": "list", "data": cards, "models": list(self.desk.shelf.slots)})
            case ["models", *rest] if rest and ":" not in rest[-1] and request.method == b"GET":
                name, version = rest[0], rest[2] if len(rest) == 3 and rest[1] == "versions" else ""
                slot = self.desk.shelf.find(name, version) if len(rest) == 1 or version else None
                if slot is None:
                    return failure(404, f'model "{"/".join(rest)}" is not served here', "model", "model_not_found")
                return answer({**self._openai.card(slot), **v1_status(slot)})
            case ["models", _, *_]:
                return self._plain.v1(request, words[1:])
            case ["models"]:
                return only("GET")
            case _:
                return refusal(404, NOTHING)

    def _absent(self, slot: Slot) -> Response:
        return self.desk.not_ready(slot) or refusal(503, "the model is being loaded", (b"retry-after", b"1"))

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
            (
                "waiting",
                "gauge",
                sum(slot.batcher.waiting for slot in shelf.all if slot.batcher),
                "Requests that wait.",
            ),
            ("loads_total", "counter", shelf.loads, "Models loaded."),
            ("evictions_total", "counter", shelf.evictions, "Models that had to leave the memory."),
        ):
            lines.append(f"# HELP weyr_replica_{name} {text}\n# TYPE weyr_replica_{name} {kind}")
            lines.append(f"weyr_replica_{name} {value}")
        lines.extend(device_lines())
        lines.extend(
            prometheus(
                (slot.source.name, slot.source.version, slot.batcher.counts) for slot in shelf.all if slot.batcher
            )
        )
        return "\n".join(lines) + "\n"


def _told(traced: Traced, request: Request, began_at: float, done: asyncio.Future[Any]) -> None:
    """Of a stream, when its first piece was ready."""
    is_answered = not done.cancelled() and not done.exception()
    status = done.result().status if is_answered else 499 if done.cancelled() else 500
    traced.tracer.ended(traced, request, status, began_at, asyncio.get_running_loop().time())
