"""How is a question answered while no server runs? By the same application, called in this process.

Nothing is started and nothing is listened on: the request goes straight into the ASGI application
that `weyr.server.offline` builds over the data folder.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from weyr.cli.client import Answer, read_answer

Message = MutableMapping[str, Any]
Sending = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Sending], Coroutine[Any, Any, None]]
PIECES_AHEAD = 4


class OfflineClient:
    """Asks the application in this process; it reads the data folder and starts nothing."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    def call(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        status, data = self._exchange(method, path, body, query)
        return read_answer(status, data, f"{method} {path}", "The data folder")

    def lines(self, path: str, **query: object) -> Iterator[str]:
        pieces = _pieces(self._app, _scope("GET", path, query))
        status = next((m["status"] for m in pieces if m["type"] == "http.response.start"), 500)
        if status >= 400:
            read_answer(status, b"".join(m.get("body", b"") for m in pieces), f"GET {path}", "The data folder")
        rest = b""
        for message in pieces:
            *whole, rest = (rest + message.get("body", b"")).split(b"\n")
            yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
        if rest:
            yield rest.decode("utf-8", "replace")

    def _exchange(self, method: str, path: str, body: object, query: dict[str, object]) -> tuple[int, bytes]:
        data = b"" if body is None else json.dumps(body).encode()
        sent = list(_pieces(self._app, _scope(method, path, query), data))
        status = next((m["status"] for m in sent if m["type"] == "http.response.start"), 500)
        return status, b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")


def offline_client(home: Path) -> OfflineClient:
    """A client over a data folder that no server holds. Raises: UserError, as the application does."""
    return OfflineClient(import_module("weyr.server.offline").offline_app(home))


def _scope(method: str, path: str, query: dict[str, object]) -> Message:
    given = {name: value for name, value in query.items() if value is not None and value != ""}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path, safe="/").encode(),
        "query_string": urlencode(given).encode(),
        "root_path": "",
        "headers": [(b"host", b"weyr"), (b"content-type", b"application/json")],
        "client": None,
        "server": ("weyr", 80),
    }


def _pieces(app: AsgiApp, scope: Message, body: bytes = b"") -> Iterator[Message]:
    """What the application sends, as it is taken: a long answer needs no more memory than a short one."""
    questions: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: asyncio.Queue[Message] = asyncio.Queue(PIECES_AHEAD)

    async def receive() -> Message:
        if not questions:
            # Whoever asks stays: an answer that comes in pieces would be broken off by word that they went.
            await asyncio.Event().wait()
        return questions.pop()

    async def begun() -> "asyncio.Task[None]":
        return asyncio.ensure_future(app(scope, receive, sent.put))

    async def following(asking: "asyncio.Task[None]") -> Message | None:
        if sent.empty():
            getting = asyncio.ensure_future(sent.get())
            await asyncio.wait({getting, asking}, return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                return getting.result()
            getting.cancel()
        if not sent.empty():
            return sent.get_nowait()
        await asking
        return None

    # The loop stands still between two pieces, and whoever takes no more of them ends the work.
    with asyncio.Runner() as runner:
        asking = runner.run(begun())
        while (message := runner.run(following(asking))) is not None:
            yield message
