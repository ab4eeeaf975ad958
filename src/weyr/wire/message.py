"""What passes over the wire: one request, one response, and how the response is written down."""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"

ENCODER = json.JSONEncoder(separators=(",", ":"))
"""Kept, because `json.dumps` with separators makes a new one for every call."""

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus if status != 418
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its whole body. Header names are in lower case; of a repeated header the last value counts."""

    method: bytes
    target: bytes
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]


@dataclass(frozen=True, slots=True)
class Response:
    """A response with its whole body. `headers` are those beside content-type and content-length."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def encode(self, closes: bool = False, with_body: bool = True) -> bytes:
        """The bytes to send. `with_body` is False for the answer to a HEAD request."""
        parts = [
            STATUS_LINES[self.status],
            b"content-type: %b\r\ncontent-length: %d\r\n" % (self.content_type, len(self.body)),
            *(b"%b: %b\r\n" % pair for pair in self.headers),
        ]
        if closes:
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        if with_body:
            parts.append(self.body)
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Streamed:
    """A response whose body comes piece by piece. `pieces` is closed when the caller goes away before its end."""

    pieces: AsyncGenerator[bytes, None]
    status: int = 200
    content_type: bytes = b"text/event-stream"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def head(self, closes: bool = False) -> bytes:
        """The bytes to send before the first piece."""
        parts = [STATUS_LINES[self.status], b"content-type: %b\r\ntransfer-encoding: chunked\r\n" % self.content_type]
        parts.extend(b"%b: %b\r\n" % pair for pair in self.headers)
        parts.append(b"connection: close\r\n\r\n" if closes else b"\r\n")
        return b"".join(parts)


LAST_CHUNK = b"0\r\n\r\n"


def chunk(piece: bytes) -> bytes:
    """A piece of a streamed body, which must not be empty."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def answer(value: object, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(status, ENCODER.encode(value).encode())


def refusal(status: int, message: str, *headers: tuple[bytes, bytes]) -> Response:
    """An error as the Open Inference Protocol writes it: `{"error": message}`."""
    return Response(status, json.dumps({"error": message}).encode(), headers=headers)
