"""Requests byte by byte, as no SDK would send them: a signer of our own, and answers taken from the socket."""

import hashlib
import hmac
import http.client
import io
import re
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from s3_plane import ADMIN, S3Plane

UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Answer:
    """One response. `code` is that of an S3 error document, "" where there is none."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def code(self) -> str:
        found = re.search(rb"<Code>(.*?)</Code>", self.body)
        return found[1].decode() if found else ""

    @property
    def told(self) -> str:
        """Status and code, as the tables of tests have them."""
        return f"{self.status} {self.code}".strip()


def signing_key(secret: str, day: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


def signed(
    plane: S3Plane,
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    payload: str = UNSIGNED,
    at: float | None = None,
    keys: tuple[str, str] = ADMIN,
) -> dict[str, str]:
    """The headers of a request, signed with Signature Version 4 at a time (Unix seconds; now where not said)."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if at is None else at))
    all_headers = {"Host": f"127.0.0.1:{plane.port}", "x-amz-date": date, "x-amz-content-sha256": payload}
    all_headers |= headers or {}
    canonical = {name.lower(): value.strip() for name, value in all_headers.items()}
    names = ";".join(sorted(canonical))
    path, _, query = target.partition("?")
    pairs = sorted(part.partition("=")[::2] for part in query.split("&") if part)
    lines = [method, quote(unquote_to_bytes(path), safe="/-_.~"), "&".join(f"{name}={value}" for name, value in pairs)]
    lines += [f"{name}:{canonical[name]}" for name in sorted(canonical)] + ["", names, payload]
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode("latin-1")).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
    signature = hmac.new(signing_key(keys[1], date[:8]), text.encode(), "sha256").hexdigest()
    credential = f"Credential={keys[0]}/{scope}, SignedHeaders={names}, Signature={signature}"
    return all_headers | {"Authorization": f"AWS4-HMAC-SHA256 {credential}"}


def head(method: str, target: str, headers: Mapping[str, str], *more: str) -> bytes:
    """A request's head; `more` are lines that are neither signed nor well-behaved."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(
    plane: S3Plane,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    payload: str = UNSIGNED,
    at: float | None = None,
) -> bytes:
    """A whole signed request as it goes over the wire."""
    given = {"Content-Length": str(len(body))} | dict(headers or {})
    return head(method, target, signed(plane, method, target, given, payload, at)) + body


def ask(
    plane: S3Plane,
    method: str,
    target: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    payload: str = UNSIGNED,
    at: float | None = None,
) -> Answer:
    """One well-formed request and its answer."""
    (answer,) = answers(plane, request(plane, method, target, body, headers, payload, at), methods=[method])
    return answer


def answers(plane: S3Plane, raw: bytes, count: int = 1, methods: Sequence[str] = ()) -> list[Answer]:
    """Sends bytes and takes up to `count` answers, fewer where the plane ends the connection before."""
    with plane.connection() as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it answers before it has read what it will not have
            connection.sendall(raw)
        return received(connection, count, methods)


def received(connection: socket.socket, count: int = 1, methods: Sequence[str] = ()) -> list[Answer]:
    """Up to `count` answers from a connection."""
    found: list[Answer] = []
    with connection.makefile("rb") as stream:
        while len(found) < count:
            try:
                answer = _next(stream, methods[len(found)] if len(found) < len(methods) else "GET")
            except (ConnectionResetError, TimeoutError):
                break
            if answer is None:
                break
            if answer.status != 100:
                found.append(answer)
    return found


def _next(stream: io.BufferedReader, method: str) -> Answer | None:
    line = stream.readline()
    if not line:
        return None
    status = int(line.split()[1])
    headers = {name.lower(): value for name, value in http.client.parse_headers(stream).items()}
    length = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
    return Answer(status, headers, stream.read(length))
