"""How does a verb ask the server? One call and one stream, over HTTP or, with no server, in this process.

Both ways give the same answers and raise the same errors, so that no verb knows which one it uses.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from weyr.cli.persons import Person
from weyr.cli.place import Process, admin_token
from weyr.core.diagnostic import Diagnostic, Place, Severity, UserError, WeyrError, WorldMoved

CALL_TIMEOUT_S = 30.0
STREAM_TIMEOUT_S = 60.0
"""The server sends a comment at least every 15 s on a quiet stream; four missed ones mean it is gone."""
PIECE_BYTES = 65_536

Answer = dict[str, Any]


class ServerGone(WeyrError):
    """The server does not answer: it was never there, or it went away in the middle."""


class Client(Protocol):
    """What a verb may ask."""

    def call(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        """The JSON answer. Raises: UserError for what the caller can mend, ServerGone."""
        ...

    def lines(self, path: str, **query: object) -> Iterator[str]:
        """The lines of a text answer as they come. Raises: as `call`."""
        ...


class HttpClient:
    """Asks a running server, with a person's token or, without one, the administrator's."""

    def __init__(self, server: Process, home: Path, person: Person | None = None) -> None:
        self.server, self.home, self.person = server, home, person
        self.token = person.token if person else admin_token(home)

    def call(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        connection = self._connection(CALL_TIMEOUT_S)
        try:
            status, data = self._exchange(connection, method, with_query(path, query), body)
        finally:
            connection.close()
        return self._read(status, data, f"{method} {path}")

    def lines(self, path: str, **query: object) -> Iterator[str]:
        yield from self.stream(path, **query)

    def stream(self, path: str, **query: object) -> "Stream":
        """The lines of a text answer, and the means to stop them. Raises: as `call`."""
        connection = self._connection(STREAM_TIMEOUT_S)
        try:
            connection.request("GET", with_query(path, query), headers=self._headers())
            door = connection.sock
            response = connection.getresponse()
            if response.status >= 400:
                self._read(response.status, response.read(), f"GET {path}")
        except (OSError, HTTPException) as e:
            connection.close()
            raise ServerGone(_gone(self.server, e)) from e
        return Stream(self.server, connection, door, response)

    def _read(self, status: int, data: bytes, asked: str) -> Answer:
        if status == 401 and self.person is not None:
            raise UserError(self.person.is_unknown())
        return read_answer(status, data, asked, self.server.url)

    def _exchange(self, connection: HTTPConnection, method: str, target: str, body: object) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, target, body=data, headers=self._headers())
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException) as e:
            raise ServerGone(_gone(self.server, e)) from e

    def _connection(self, timeout_s: float) -> HTTPConnection:
        parts = urlsplit(self.server.url)
        of = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return of(parts.hostname or "127.0.0.1", parts.port or self.server.port or None, timeout=timeout_s)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


class Stream:
    """An answer that goes on. Closing it ends the iteration, also one in another thread."""

    def __init__(self, server: Process, connection: HTTPConnection, door: socket, response: HTTPResponse) -> None:
        self._server, self._connection, self._door, self._response = server, connection, door, response
        self._is_closed = False

    def __iter__(self) -> Iterator[str]:
        try:
            for line in _whole_lines(self._response):
                yield line.decode("utf-8", "replace").rstrip("\r")
        except (OSError, HTTPException, ValueError) as e:
            if not self._is_closed:
                raise ServerGone(_gone(self._server, e)) from e
        finally:
            self._response.close()
            self._connection.close()

    def close(self) -> None:
        """Ends the stream now; a server that is asked to stop need not wait for it."""
        self._is_closed = True
        with suppress(OSError):
            self._door.shutdown(SHUT_RDWR)


def _whole_lines(response: HTTPResponse) -> Iterator[bytes]:
    """The lines of an answer. Raises: HTTPException where it is cut off.

    Iterating over the response itself takes a server's death for the answer's end.
    """
    rest = b""
    while piece := response.read1(PIECE_BYTES):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def with_query(path: str, query: Mapping[str, object]) -> str:
    """A path with what was given of the query; None and empty text mean "not given"."""
    given = {name: value for name, value in query.items() if value is not None and value != ""}
    return quote(path, safe="/") + (f"?{urlencode(given)}" if given else "")


def read_answer(status: int, data: bytes, asked: str, asked_of: str) -> Answer:
    """The JSON of an answer. Raises: UserError for a refusal, WeyrError where Weyr is not what answered."""
    try:
        value = json.loads(data) if data.strip() else {}
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UserError(_unexplained(status, asked) if status >= 500 else _stranger(asked_of, asked, status))
    # An answer that took long may have begun well, and end in a refusal.
    if status < 400 and not {"diagnostics", "error_code"} <= value.keys():
        return value
    listed = value.get("diagnostics")
    diagnostics = [diagnostic_of(fields) for fields in listed] if isinstance(listed, list) else []
    if not diagnostics:
        diagnostics = [_unexplained(status, asked)]
    raise WorldMoved(*diagnostics) if status == 409 else UserError(*diagnostics)


def diagnostic_of(fields: Mapping[str, Any]) -> Diagnostic:
    """A diagnostic as the server wrote it; a place is an object or `file:line`."""
    place = fields.get("place")
    if isinstance(place, str) and place:
        file, _, line = place.rpartition(":")
        place = {"file": file, "line": int(line)} if file and line.isdigit() else {"file": place}
    return Diagnostic(
        str(fields.get("summary", "")),
        str(fields.get("detail", "")),
        Severity(fields.get("severity", Severity.FATAL)),
        Place(str(place["file"]), int(place.get("line") or 0), int(place.get("column") or 0)) if place else None,
        str(fields.get("ref") or ""),
        str(fields.get("suggestion") or ""),
    )


def _unexplained(status: int, asked: str) -> Diagnostic:
    if status in (401, 403):
        return Diagnostic(
            "The server refused the token",
            f"{asked} was answered with {status}. The data folder's admin.token is not the one this server knows; "
            "another folder's server may be listening on the port.",
            suggestion="weyr server status",
        )
    return Diagnostic(
        "The server failed",
        f"{asked} was answered with {status} and no explanation. That is a mistake in Weyr; its log says more.",
        suggestion="weyr server status",
    )


def _stranger(asked_of: str, asked: str, status: int) -> Diagnostic:
    return Diagnostic(
        "Something else answers on the server's port",
        f"{asked_of} answered {asked} with {status} and with something that is not Weyr's JSON. Another program may "
        "have taken the port.",
        suggestion="weyr server stop",
    )


def _gone(server: Process, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    process = f" (process {server.pid})" if server.pid else ""
    return f"The server at {server.url}{process} does not answer: {reason}"
