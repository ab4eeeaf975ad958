"""What can be done to a task from outside? Bring a command into it and talk to that; kill it, slow it, cut it off."""

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from weyr.compose.local import Chaos, NotDone, NoVisit, OpenVisit
from weyr.core.audit import AuditEvent
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.core.units import seconds_of
from weyr.server import pool_nodes
from weyr.server.answers import Conflict, NotFound, answering, number
from weyr.server.routes import Handler
from weyr.server.service import Service

WORDS_MAX = 1000


def visit_handlers(service: Service) -> dict[str, Handler]:
    """begin_visit, visit_output, visit_input, visit_size."""

    def begin_visit(request: Request, body: Any) -> object:
        words = body.get("command") if isinstance(body, dict) else None
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise UserError(Diagnostic("Missing field", 'The body needs "command", a list of words.'))
        if len(words) > WORDS_MAX or any("\0" in word for word in words):
            raise UserError(Diagnostic("Invalid value", f"A command has at most {WORDS_MAX} words without null bytes."))
        id = _running(service, _ref(body), {name: body.get(name) for name in ("replica", "index")})
        size = (_small(body, "rows", 24), _small(body, "columns", 80)) if body.get("rows") else None
        try:
            name = service.weyr.visits.begin(id, words, size)
        except NoVisit as e:
            raise Conflict(f"{e}.") from e
        principal, said = request.state.principal.name, " ".join(words)
        service.audit.append(AuditEvent(service.now(), "server", principal, "task:exec", str(id), True, said))
        return {"visit": name, "id": str(id)}

    def visit_output(request: Request, _body: object) -> object:
        return StreamingResponse(_frames(_visit(service, request)), media_type="text/plain; charset=utf-8")

    def visit_input(request: Request, body: Any) -> object:
        try:
            text = base64.b64decode(str(body.get("data", "")), validate=True)
        except (binascii.Error, ValueError) as e:
            raise UserError(Diagnostic("Invalid value", f"data is not base64: {e}.")) from e
        _visit(service, request).write(text, bool(body.get("is_end")))
        return {"ok": True}

    def visit_size(request: Request, body: Any) -> object:
        _visit(service, request).resize(_small(body, "rows", 24), _small(body, "columns", 80))
        return {"ok": True}

    def disturb(_request: Request, body: Any) -> object:
        ref = _ref(body)
        if ref.kind == "pool":
            for_s, share = _measures(body)
            node, tasks = pool_nodes.disturb(
                service.weyr, ref, str(body.get("node", "")), body.get("what"), share, for_s
            )
            service.tell_of(
                ref, "chaos", f"{body['what']} was done to {node} on purpose", *(task.ref for task in tasks)
            )
            return {"ok": True, "id": str(node)}
        id = _running(service, ref, {"replica": body.get("replica")})
        try:
            _disturb(service.weyr.chaos, id, body)
        except (NotDone, ProcessLookupError) as e:
            raise Conflict(f"{e}.") from e
        service.tell_of(ref, "chaos", f"{body['what']} was done to {id} on purpose")
        return {"ok": True, "id": str(id)}

    handlers = (begin_visit, visit_output, visit_input, visit_size)
    return {"disturb": answering(disturb, status=202), **{each.__name__: answering(each) for each in handlers}}


def _disturb(chaos: Chaos, id: ThingId, body: dict[str, Any]) -> None:
    """Raises: NotDone, UserError."""
    for_s, share = _measures(body)
    match body.get("what"):
        case "kill":
            chaos.kill(id, wrapper=body.get("of") == "wrapper")
        case "slow":
            chaos.slow(id, share, for_s)
        case "partition":
            chaos.partition(id, for_s)
        case other:
            raise UserError(Diagnostic("Invalid value", f"{other!r} is none of kill, slow and partition."))


def _measures(body: dict[str, Any]) -> tuple[float, float]:
    """For how long, and for what share of the time. Raises: UserError."""
    try:
        return seconds_of(body.get("for_s", 30)), float(body.get("share", 0.1))
    except (ValueError, TypeError) as e:
        raise UserError(Diagnostic("Invalid value", f"{e}.")) from e


def _ref(body: dict[str, Any]) -> Ref:
    try:
        ref = Ref.parse(str(body.get("ref", "")))
    except ValueError as e:
        raise UserError(Diagnostic("Invalid address", f"{e}.")) from e
    if not ref.stack:
        raise UserError(Diagnostic("Invalid address", f"{ref} does not say which stack it belongs to."))
    return ref


def _running(service: Service, ref: Ref, which: dict[str, object]) -> ThingId:
    """The first of the tasks that are meant that runs. Raises: NotFound, Conflict, UserError."""
    chosen = {name: number(name, str(value), 0) for name, value in which.items() if value is not None}
    with service.weyr.lock:
        if ref not in service.weyr.world.objects:
            raise NotFound(f"There is no {ref} in stack {ref.stack}.")
        seen = {thing.id: thing.seen for thing in service.weyr.world.things.get(ref, {}).values()}
    for id in service.tasks_of(ref, **chosen):
        match seen.get(id):
            case Present(facts=TaskFacts(state=TaskState.RUNNING)):
                return id
    raise Conflict(f"{ref} does not run now.")


def _visit(service: Service, request: Request) -> OpenVisit:
    found = service.weyr.visits.of(request.path_params["visit"])
    if found is None:
        raise NotFound("There is no such visit, or it is over.")
    return found


def _small(body: Any, name: str, default: int) -> int:
    value = body.get(name, default) if isinstance(body, dict) else default
    return number(name, str(value), default, at_most=10_000)


async def _frames(visit: OpenVisit) -> AsyncIterator[bytes]:
    try:
        while (frames := await run_in_threadpool(visit.frames)) is not None:
            for frame in frames:
                yield frame
            if not frames:
                yield b"\n"  # so that a caller who has gone is noticed
    finally:
        visit.close()
