"""How does a handler answer? Plain functions in threads, dicts as JSON, user errors as diagnostics."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from weyr.core.diagnostic import Diagnostic, Fenced, StoreError, UserError, WorldMoved
from weyr.server.doorkeeper import problem
from weyr.server.routes import Handler

BODY_MAX_BYTES = 4 * 2**20

LATER = "TEMPORARILY_UNAVAILABLE"
"""What MLflow's clients try again upon."""

DIGITS_MAX = 18
NUMBER_MAX = 10**DIGITS_MAX - 1
"""The store's integers have 64 bits, which hold any number of 18 digits."""

BREATH_S = 5.0
"""A verb waits for thirty seconds."""

Asked = Callable[[Request, Any], Any]
"""A handler's work: the request and its JSON body in, what to answer out. Runs in a thread."""


class NotFound(Exception):
    """What was asked for is not there. The message is a sentence."""


class Conflict(Exception):
    """What was asked cannot be done as things stand. The message is a sentence."""


def number(name: str, text: str | None, default: int, at_most: int = NUMBER_MAX) -> int:
    """A whole number of a request, from 0 on; a greater one counts as `at_most`. Raises: UserError."""
    text = text or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise UserError(Diagnostic("Invalid value", f"{name} is a whole number from 0 on, not {text[:40]!r}."))
    return min(int(text), at_most)


def answering(work: Asked, status: int = 200) -> Handler:
    """The handler that does `work` in a thread and says what came of it."""

    async def answer(request: Request) -> Response:
        async def doing() -> Any:
            return await run_in_threadpool(work, request, await _body(request))

        return await _answered(doing(), status)

    return answer


def patiently(work: Callable[[], Any], breath_s: float = BREATH_S) -> Handler:
    """The handler of what may take minutes: an empty line is sent every few seconds, so that whoever waits for the
    JSON after them does not take the server for gone. What fails after the first of them is told in that JSON: its
    status has been sent by then."""

    async def pieces(working: "asyncio.Future[Response]") -> AsyncIterator[bytes]:
        yield b"\n"
        while not (await asyncio.wait({working}, timeout=breath_s))[0]:
            yield b"\n"
        yield bytes(working.result().body)

    async def answer(_request: Request) -> Response:
        working = asyncio.ensure_future(_answered(run_in_threadpool(work), 200))
        if (await asyncio.wait({working}, timeout=breath_s))[0]:
            return working.result()
        return StreamingResponse(pieces(working), media_type="application/json")

    return answer


async def _answered(doing: Awaitable[Any], status: int) -> Response:
    """What was found as JSON, or why not."""
    try:
        found = await doing
    except WorldMoved as e:
        return problem(409, *e.diagnostics)
    except UserError as e:
        return problem(400, *e.diagnostics)
    except NotFound as e:
        return problem(404, Diagnostic("Not found", str(e)), error_code="RESOURCE_DOES_NOT_EXIST")
    except Conflict as e:
        return problem(409, Diagnostic("Not possible now", str(e)))
    except Fenced as e:
        return problem(503, Diagnostic("This server acts no more", f"{e}. Ask again."), error_code=LATER)
    except StoreError as e:
        return problem(503, Diagnostic("The store does not answer", f"{e}. Ask again later."), error_code=LATER)
    return found if isinstance(found, Response) else JSONResponse(found, status)


async def _body(request: Request) -> Any:
    """Raises: UserError where the body is too large or no JSON."""
    if request.method not in ("POST", "PUT"):
        return None
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > BODY_MAX_BYTES:
            detail = f"The body is larger than {BODY_MAX_BYTES} bytes."
            raise UserError(Diagnostic("The request is too large", detail))
    try:
        return json.loads(data) if data else {}
    except (ValueError, RecursionError) as e:
        raise UserError(Diagnostic("The request is not JSON", f"The body cannot be read: {e}.")) from e
