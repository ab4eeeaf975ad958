"""How does a verb ask an S3? One signed request at a time in each thread, tried again where that may help.

The standard library's HTTP with the kernel's sendfile: it starts at once, and a part of a file leaves without passing
through this process (decision 0013 says why not boto3 and why not obstore).
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from socket import SHUT_RDWR
from typing import BinaryIO, Protocol
from urllib.parse import quote, urlsplit

from weyr.core.diagnostic import WeyrError
from weyr.gateway.s3.signing import UNSIGNED, Keys, query_text, signed
from weyr.transfer.documents import error_of

TIMEOUT_S = 60.0
TRIES = 5
FIRST_PAUSE_S = 0.2
PIECE_BYTES = 1024 * 1024
ERROR_BYTES_MAX = 256 * 1024
_WORTH_ANOTHER_TRY = {
    "InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "BadGateway",
    "GatewayTimeout",
}  # fmt: skip


class S3Refused(WeyrError):
    """The S3 answered with an error: `code` is S3's word for it."""

    def __init__(self, status: int, code: str, message: str, what: str) -> None:
        super().__init__(f"{what} was answered with {code} ({status}){f': {message}' if message else ''}")
        self.status, self.code, self.message = status, code, message


class Unreachable(WeyrError):
    """Nobody answers at the endpoint, or the connection broke every time."""


class Stopped(WeyrError):
    """Somebody asked to stop."""


class LocalTrouble(WeyrError):
    """This machine's file cannot be read or written; to ask the S3 again would not help."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes of a file as a request's body."""

    path: Path
    offset: int
    size: int


Body = bytes | FilePart


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in lower case. `body` is empty where a sink took it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Sink(Protocol):
    """Takes the body of a good answer. It is called anew where the connection broke."""

    def __call__(self, headers: Mapping[str, str], response: HTTPResponse) -> None: ...


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `key` "" asks about the bucket, `bucket` "" about all of them."""

    method: str
    bucket: str = ""
    key: str = ""
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = b""

    @property
    def path(self) -> str:
        return quote(f"/{self.bucket}" + (f"/{self.key}" if self.key else ""), safe="/-_.~")

    def __str__(self) -> str:
        what = f"s3://{self.bucket}/{self.key}" if self.bucket else "the list of buckets"
        return f"{self.method} {what}"


class S3Client:
    """An S3 at `endpoint`, asked with `keys`. Safe in threads: each has its own connection.

    Raises: ValueError where the endpoint is none.
    """

    def __init__(self, endpoint: str, keys: Keys, sent: Callable[[int], None] = lambda _: None) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"{endpoint!r} is no endpoint; write http://HOST:PORT or https://HOST")
        self.endpoint = f"{parts.scheme}://{parts.netloc}"
        self.keys = keys
        self.stop = threading.Event()
        self._parts, self._here, self._sent = parts, threading.local(), sent
        self._all: list[HTTPConnection] = []
        is_private = parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost", "::1")
        # What nobody can read or change on the way need not be hashed twice: the body's CRC32 is signed with the head.
        self._is_body_signed = not is_private

    def ask(self, ask: Ask, sink: Sink | None = None) -> Answer:
        """The answer. Raises: S3Refused, Unreachable, Stopped; and what `sink` raises."""
        for attempt in range(TRIES):
            self.check_stop()
            try:
                return self._once(ask, sink)
            except S3Refused as e:
                if e.code not in _WORTH_ANOTHER_TRY or attempt == TRIES - 1:
                    raise
            except (OSError, HTTPException) as e:
                self._drop()
                if isinstance(e, ConnectionRefusedError) and attempt:
                    raise Unreachable(f"nobody answers at {self.endpoint}: {e.strerror}") from e
                if attempt == TRIES - 1:
                    raise Unreachable(f"{self.endpoint} does not answer: {str(e) or type(e).__name__}") from e
                if not attempt:
                    continue  # most often a connection that the server had closed as idle
            except BaseException:
                self._drop()  # what is left of this answer must not be taken for the next one's
                raise
            # Not all at the same moment, or they would be too many again.
            self.stop.wait(FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1.5))
        raise AssertionError("the last try gives an answer or raises")

    def check_stop(self) -> None:
        """Raises: Stopped, once somebody asked for it."""
        if self.stop.is_set():
            raise Stopped("it was stopped")

    def close(self) -> None:
        """Lets every connection go; a thread that waits for an answer on one waits no longer."""
        for connection in self._all:
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(SHUT_RDWR)
            connection.close()

    def _once(self, ask: Ask, sink: Sink | None) -> Answer:
        connection = self._connection()
        length = ask.body.size if isinstance(ask.body, FilePart) else len(ask.body)
        target = ask.path + (f"?{query_text(ask.query)}" if ask.query else "")
        connection.putrequest(ask.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in self._headers(ask).items():
            connection.putheader(name, value.encode())
        if length or ask.method in ("PUT", "POST"):
            connection.putheader("content-length", str(length))
        broken: OSError | None = None
        try:
            connection.endheaders(ask.body if isinstance(ask.body, bytes) and ask.body else None)
            if isinstance(ask.body, FilePart):
                self._send(connection, ask.body)
            elif ask.method == "PUT":
                self._sent(length)
        except (BrokenPipeError, ConnectionResetError) as e:
            broken = e  # it may have refused before it took everything, and then its answer says why
        try:
            response = connection.getresponse()
        except (OSError, HTTPException):
            raise broken or ConnectionResetError("the connection was closed") from broken
        return self._read(ask, connection, response, sink)

    def _read(self, ask: Ask, connection: HTTPConnection, response: HTTPResponse, sink: Sink | None) -> Answer:
        headers = {name.lower(): value for name, value in response.getheaders()}
        is_good = response.status < 300
        if is_good and sink is not None:
            sink(headers, response)
            body = b""
        else:
            body = response.read() if is_good else response.read(ERROR_BYTES_MAX)
        if response.will_close or not response.isclosed():
            self._drop()
        code, message = error_of(body) if (ask.method != "HEAD" and sink is None) or not is_good else ("", "")
        if is_good and not code:
            return Answer(response.status, headers, body)
        status = response.status if not is_good else 500
        raise S3Refused(status, code or _code_of(status, headers), message or _hint(headers), str(ask))

    def _send(self, connection: HTTPConnection, part: FilePart) -> None:
        assert connection.sock is not None
        with opened(part.path) as file:
            done = 0
            while done < part.size:
                self.check_stop()
                count = connection.sock.sendfile(file, part.offset + done, min(PIECE_BYTES, part.size - done))
                if not count:
                    raise LocalTrouble(f"{part.path} became shorter while it was sent")
                done += count
                self._sent(count)

    def _headers(self, ask: Ask) -> dict[str, str]:
        payload = _sha256_of(ask.body) if self._is_body_signed else UNSIGNED
        named = {**ask.headers, "host": self._parts.netloc, "x-amz-content-sha256": payload}
        if not self.keys.access_key:
            return named
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        return signed(self.keys, ask.method, ask.path, ask.query, named, date)

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._here, "connection", None)
        if connection is None:
            kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
            connection = kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_S)
            self._here.connection = connection
            self._all.append(connection)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._here, "connection", None)
        if connection is not None:
            connection.close()


def opened(path: Path) -> BinaryIO:
    """A file to read from. Raises: LocalTrouble."""
    try:
        return path.open("rb")
    except OSError as e:
        raise LocalTrouble(f"{path} cannot be read: {e.strerror}") from e


def _sha256_of(body: Body) -> str:
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest()
    digest, left = hashlib.sha256(), body.size
    with opened(body.path) as file:
        file.seek(body.offset)
        while left and (piece := file.read(min(PIECE_BYTES, left))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def _code_of(status: int, headers: Mapping[str, str]) -> str:
    """What a HEAD's answer says without a body."""
    if "x-amz-bucket-region" in headers and status in (301, 307, 400):
        return "PermanentRedirect"
    return {403: "AccessDenied", 404: "NotFound", 412: "PreconditionFailed"}.get(status, "Unexplained")


def _hint(headers: Mapping[str, str]) -> str:
    region = headers.get("x-amz-bucket-region", "")
    return f"the bucket is in the region {region}; set AWS_REGION" if region else ""
