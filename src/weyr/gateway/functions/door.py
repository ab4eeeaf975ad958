"""What does a caller of a function ask? An answer now, an event to be run later, or what became of one."""

import asyncio
import json
import sqlite3
import time
from typing import TYPE_CHECKING

from weyr.core.units import seconds_of
from weyr.gateway.functions.event import Event, Outcome, id_of, new_id
from weyr.gateway.functions.function import Function
from weyr.wire.message import JSON, STATUS_LINES, Request, Response, answer

if TYPE_CHECKING:
    from weyr.gateway.functions.plane import Plane

OWN = b"/-/"
"""Paths below this are the plane's, about the function; all others are the function's own."""
DELAY_MAX_S = 15 * 86_400.0
_HOP = frozenset({
    "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


class Door:
    """The handler of one function's own socket."""

    def __init__(self, plane: "Plane", function: Function) -> None:
        self._plane, self._function = plane, function

    def __call__(self, request: Request) -> "Response | asyncio.Future[Response]":
        if request.path.startswith(OWN):
            return self._own(request)
        method = request.method.decode()
        methods = self._function.setting.body.methods
        if method not in methods:
            allow = (b"allow", ", ".join(methods).encode())
            return _refusal(405, "MethodNotAllowed", f"it takes {', '.join(methods)}", "", allow)
        if b"respond-async" in request.headers.get(b"prefer", b"").lower():
            return asyncio.ensure_future(self._later(request))
        return asyncio.ensure_future(self._now(request))

    async def _now(self, request: Request) -> Response:
        event = self._event(request, "http", new_id())
        outcome = await self._function.run(event, self._function.setting.body.hold_s)
        return response_of(outcome, event.id)

    async def _later(self, request: Request) -> Response:
        name, body = self._function.setting.name, self._function.setting.body
        key = request.headers.get(b"idempotency-key", b"").decode("latin-1")
        id = id_of(name, "key", key) if key else new_id()
        try:
            delay_s = seconds_of(request.headers.get(b"weyr-delay", b"0").decode("latin-1"))
        except ValueError as e:
            return _refusal(400, "InvalidDelay", str(e), id)
        if delay_s > DELAY_MAX_S:
            return _refusal(400, "InvalidDelay", "an event may be delayed by 15 days at most", id)
        if self._plane.store.counts(name).get("waiting", 0) >= body.queue_max:
            return _refusal(429, "QueueFull", f"{body.queue_max} events wait already", id, (b"retry-after", b"10"))
        try:
            is_new = await self._plane.accept(self._event(request, "async", id, delay_s))
        except sqlite3.Error as e:
            return _refusal(503, "NotKept", f"the event could not be kept: {e}", id)
        at = f"/{name}/-/invocations/{id}"
        return Response(
            202, json.dumps({"id": id, "is_new": is_new, "result": at}).encode(), JSON, ((b"location", at.encode()),)
        )

    def _own(self, request: Request) -> "Response | asyncio.Future[Response]":
        name, store = self._function.setting.name, self._plane.store
        match request.method, request.path[len(OWN) :].split(b"/"):
            case b"GET", [b"invocations", id]:
                found = store.found(name, id.decode("latin-1"))
                if found is None:
                    return _refusal(404, "NoSuchInvocation", "nothing is known of it, or no longer", "")
                return _told(found)
            case b"GET", [b"dead"]:
                listed = [
                    {"id": e.id, "attempts": e.attempt, "error": error, "message": message, "trigger": e.trigger,
                     "accepted_at": e.accepted_at, "event": e.body.decode(errors="replace")}
                    for e, error, message in store.dead(name, 100)
                ]  # fmt: skip
                return answer({"dead": listed})
            case b"POST", [b"revive"]:
                return asyncio.ensure_future(self._revive())
            case _:
                return _refusal(404, "NotFound", "ask GET /-/invocations/ID, GET /-/dead or POST /-/revive", "")

    async def _revive(self) -> Response:
        """Dead events begin anew."""
        return answer({"revived": await self._plane.revive(self._function)})

    def _event(self, request: Request, trigger: str, id: str, delay_s: float = 0.0) -> Event:
        path, _, query = request.target.partition(b"?")
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in request.headers.items()}
        said = {
            "method": request.method.decode(), "path": path.decode("latin-1"), "query": query.decode("latin-1"),
            "headers": headers,
        }  # fmt: skip
        now = time.time()
        kind = headers.get("content-type", "application/json" if not request.body else "application/octet-stream")
        attempt = 1 if trigger == "http" else 0
        return Event(id, self._function.setting.name, trigger, request.body, kind, said, now, now + delay_s, attempt)


def response_of(outcome: Outcome, id: str) -> Response:
    """An outcome as its caller gets it."""
    if not outcome.is_ok:
        more = ((b"retry-after", b"1"),) if outcome.status in (429, 503) else ()
        return _refusal(outcome.status, outcome.error, outcome.message, id, *more)
    if outcome.status not in STATUS_LINES:
        return _refusal(502, "InvalidStatus", f"it answered with status {outcome.status}, which is none", id)
    headers = {name.lower(): value for name, value in outcome.headers.items() if name.lower() not in _HOP}
    kind = headers.pop("content-type", "application/octet-stream")
    pairs = [(name, value) for name, value in headers.items() if "\n" not in name + value and "\r" not in name + value]
    own = (b"weyr-request-id", id.encode())
    return Response(
        outcome.status, outcome.body, kind.encode("latin-1", "replace"),
        (own, *((name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in pairs)),
    )  # fmt: skip


def _told(found: dict[str, object]) -> Response:
    """What is known of an event: its state, and its result once there is one."""
    result = found.pop("result")
    found.pop("headers")
    if isinstance(result, bytes) and found["state"] == "done":
        text = result.decode(errors="replace")
        try:
            found["result"] = json.loads(text)
        except ValueError:
            found["result"] = text
    return answer(found)


def _refusal(status: int, error: str, message: str, id: str, *headers: tuple[bytes, bytes]) -> Response:
    own = ((b"weyr-request-id", id.encode()),) if id else ()
    return Response(status, json.dumps({"error": error, "message": message}).encode(), JSON, (*own, *headers))
