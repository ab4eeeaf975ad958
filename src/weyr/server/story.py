"""How is what happens followed? Events and logs, as they are or as they come."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.parts import Part
from weyr.core.ref import Ref, ThingId
from weyr.server.answers import NotFound, answering, number
from weyr.server.interleaved import LOGS_MAX, interleaved
from weyr.server.routes import Handler
from weyr.server.service import Service
from weyr.server.views import event_json
from weyr.store import kernel

LOOK_EVERY_S = 0.1
"""A look is one read of an index from where the last one ended."""

HEARTBEAT_S = 15.0
PAGE = 500

ADDRESS_MAX = 200
"""Three names of 40 letters, what stands between them, and a part. A file's name may have 255 bytes."""

Named = TypeVar("Named", Ref, ThingId)


def story_handlers(service: Service) -> dict[str, Handler]:
    """list_events, stream_events, read_logs."""

    def list_events(request: Request, _body: object) -> object:
        query = request.query_params
        limit = number("limit", query.get("limit"), default=200, at_most=10_000)
        after = number("after", query.get("after"), default=0)
        ref = _address(Ref.parse, query["ref"], query.get("stack", "")) if query.get("ref") else None
        stack, name = (ref.stack or query.get("stack", ""), str(ref)) if ref else (query.get("stack", ""), "")
        with service.weyr.db.read() as connection:
            if after > 0:
                found = kernel.events_after(connection, after, stack, name, limit=limit)
            else:
                found = kernel.latest_events(connection, stack, name, limit)
        return {"events": [event_json(event) for event in found]}

    def stream_events(request: Request, _body: object) -> Response:
        after = number("after", request.headers.get("last-event-id") or request.query_params.get("after"), default=0)
        events = _events(service, request, after, request.query_params.get("stack", ""))
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    def read_logs(request: Request, _body: object) -> object:
        query = request.query_params
        tail = number("tail", query["tail"], default=0) if query.get("tail") else None
        if query.get("id"):
            ids = [_address(ThingId.parse, query["id"])]
        else:
            which = {name: number(name, query[name], 0) for name in ("attempt", "index", "replica") if query.get(name)}
            ids = service.tasks_of(_address(Ref.parse, query.get("ref", ""), query.get("stack", "")), **which)
        lines = _lines_of(service, ids, query.get("follow") == "1", tail)
        try:
            first = next(lines, None)
        except FileNotFoundError as e:
            raise NotFound(f"There is no log of {ids[0]}.") from e
        return StreamingResponse(_paced(service, first, lines), media_type="text/plain; charset=utf-8")

    return {
        "list_events": answering(list_events),
        "stream_events": answering(stream_events),
        "read_logs": answering(read_logs),
    }


def _address(parse: Callable[..., Named], text: str, *stack: str) -> Named:
    """What is named. Raises: UserError where the text is no address."""
    if len(quote(text, safe="")) > ADDRESS_MAX:
        raise UserError(Diagnostic("Invalid address", f"{text[:60]!r} and so on is longer than any address of ours."))
    try:
        return parse(text, *stack)
    except ValueError as e:
        raise UserError(Diagnostic("Invalid address", f"{e}.")) from e


async def _events(service: Service, request: Request, after: int, stack: str) -> AsyncIterator[str]:
    """Server-sent events from just after `after`, until the caller goes or the server is to end."""
    quiet_s = 0.0
    yield ": the story follows\n\n"
    while not service.is_stopping() and not await request.is_disconnected():
        found = await run_in_threadpool(_look, service, after, stack)
        for event in found:
            after = event.id
            yield f"id: {event.id}\ndata: {json.dumps(event_json(event))}\n\n"
        if len(found) == PAGE:
            continue
        quiet_s = 0.0 if found else quiet_s + LOOK_EVERY_S
        if quiet_s >= HEARTBEAT_S:
            quiet_s = 0.0
            yield ": nothing new\n\n"
        await asyncio.sleep(LOOK_EVERY_S)


def _look(service: Service, after: int, stack: str) -> list[kernel.EventRow]:
    with service.weyr.db.read() as connection:
        return list(kernel.events_after(connection, after, stack, limit=PAGE))


def _lines_of(service: Service, ids: Sequence[ThingId], follows: bool, tail: int | None) -> Iterator[bytes]:
    """One task's log as it is; of several, each line after the name of its task."""
    if len(ids) == 1:
        return service.weyr.tasks.logs(ids[0], follows, tail)
    if len(ids) > LOGS_MAX:
        detail = f"{len(ids)} tasks have logs, and at most {LOGS_MAX} are read at once. Name an index or a replica."
        raise UserError(Diagnostic("Too many logs", detail))
    return interleaved([(_short_name(id), service.weyr.tasks.logs(id, follows, tail)) for id in ids])


def _short_name(id: ThingId) -> str:
    """`7.1`: index 7, replica 1; whichever of the two there is."""
    part = Part.parse(id.part)
    if part is None:
        return id.part
    return ".".join(str(each) for each in (part.index, part.rank) if each is not None)


async def _paced(service: Service, first: bytes | None, lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    """An empty piece says that nothing is new: then it waits before it asks again, unless the server is to end."""
    piece = first
    while piece is not None:
        if piece:
            yield piece
        elif service.is_stopping():
            return
        else:
            await asyncio.sleep(LOOK_EVERY_S)
        piece = await run_in_threadpool(next, lines, None)
