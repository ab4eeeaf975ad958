"""How is a question answered while no server runs? By the same application, called in this process.

Nothing is started and nothing is listened on: the request goes straight into the ASGI application
that `weyr.server.offline` builds over the data folder.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from weyr.cli.client import Answer, read_answer

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class OfflineClient:
    """Asks the application in this process; it reads the data folder and starts nothing."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    def call(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        status, data = self._exchange(method, path, body, query)
        return read_answer(status, data, f"{method} {path}", "The data folder")

    def lines(self, path: str, **query: object) -> Iterator[str]:
        status, data = self._exchange("GET", path, None, query)
        if status >= 400:
            read_answer(status, data, f"GET {path}", "The data folder")
        yield from data.decode("utf-8", "replace").splitlines()

    def _exchange(self, method: str, path: str, body: object, query: dict[str, object]) -> tuple[int, bytes]:
        given = {name: value for name, value in query.items() if value is not None and value != ""}
        scope: Message = {
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
        data = b"" if body is None else json.dumps(body).encode()
        return asyncio.run(_answered(self._app, scope, data))


def offline_client(home: Path) -> OfflineClient:
    """A client over a data folder that no server holds. Raises: UserError, as the application does."""
    return OfflineClient(import_module("weyr.server.offline").offline_app(home))


async def _answered(app: AsgiApp, scope: Message, body: bytes) -> tuple[int, bytes]:
    sent: list[Message] = []
    questions: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return questions.pop() if questions else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    status = next((m["status"] for m in sent if m["type"] == "http.response.start"), 500)
    return status, b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
