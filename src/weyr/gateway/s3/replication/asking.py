"""How is something asked of another plane's door? One signed request and its answer, over connections that are kept."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import quote
from xml.etree import ElementTree

from weyr.gateway.s3.replication.connections import Connections
from weyr.gateway.s3.replication.target import Refused, TargetAway
from weyr.gateway.s3.signing import UNSIGNED, Keys, query_text, signed

ANSWER_MAX = 4 * 2**20
_AWAY = {401, 403, 408, 429}
"""These are about whoever asks and not about the object: it is tried again once somebody has mended that."""

Body = Callable[[], Iterator[bytes]] | bytes


class Door:
    """An S3 door at `host`, over TLS where `is_tls`. May be used by any thread."""

    def __init__(self, host: str, is_tls: bool, keys: Keys) -> None:
        self.host = host
        self._keys = keys
        self._connections = Connections(host, is_tls)

    def close(self) -> None:
        """Ends every request."""
        self._connections.close()

    def ask(
        self,
        method: str,
        bucket: str,
        key: str,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        taken: tuple[int, ...] = (200,),
    ) -> tuple[HTTPResponse, bytes]:
        """One request and its answer, whose status is one of `taken`. Raises: TargetAway, Refused.

        A connection that was kept open may have been closed by the other side: what can be sent again is.
        """
        path, text = quote(f"/{bucket}/{key}" if key else f"/{bucket}", safe="/-_.~"), query_text(query)
        named = {**(headers or {}), "host": self.host, "x-amz-content-sha256": UNSIGNED}
        given = signed(self._keys, method, path, query, named, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
        if isinstance(body, bytes) and (body or method in ("PUT", "POST")):
            given["content-length"] = str(len(body))
        try:
            answer, content = self._answered(method, f"{path}?{text}" if text else path, given, body)
        except (OSError, HTTPException) as e:
            raise TargetAway(f"{self.host}: {str(e) or type(e).__name__}") from e
        if answer.status not in taken:
            self._refuse(answer, content)
        return answer, content

    def _answered(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> tuple[HTTPResponse, bytes]:
        """Asks over a connection that is kept open, and over a fresh one where the other side had closed that."""
        for is_last in (False, True):
            connection, is_fresh = self._connections.take()
            try:
                answer = _sent(connection, method, url, headers, body)
                content = _read(answer)
            except (ConnectionError, HTTPException):
                self._connections.drop(connection)
                if is_fresh or is_last:
                    raise
            except BaseException:
                self._connections.drop(connection)
                raise
            else:
                self._connections.give(connection)
                return answer, content
        raise AssertionError("the last try gives or raises")

    def _refuse(self, answer: HTTPResponse, content: bytes) -> None:
        """Raises: always."""
        code, message = (next(iter(texts(content, name)), "") for name in ("Code", "Message"))
        said = f"{self.host} answered {answer.status} {code}: {message}".rstrip(": ")
        if (answer.status >= 500 and answer.status != 501) or answer.status in _AWAY or code == "NoSuchBucket":
            raise TargetAway(said)
        raise Refused(said)


def _sent(connection: HTTPConnection, method: str, url: str, headers: Mapping[str, str], body: Body) -> HTTPResponse:
    connection.putrequest(method, url, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value.encode("latin-1"))
    if isinstance(body, bytes):
        connection.endheaders(body or None)
    else:
        connection.endheaders()
        _send(connection, body())
    return connection.getresponse()


def _send(connection: HTTPConnection, body: Iterator[bytes]) -> None:
    """Sends a body; where the other side hung up, its answer may say why, and is read."""
    try:
        for data in body:
            connection.send(data)
    except (BrokenPipeError, ConnectionResetError):
        return


def _read(answer: HTTPResponse) -> bytes:
    content = answer.read(ANSWER_MAX)
    if not answer.isclosed():
        raise HTTPException("the answer is too long")
    return content


def texts(text: bytes, name: str) -> list[str]:
    """The text of every element with this name."""
    if b"<!DOCTYPE" in text:
        return []
    try:
        return [e.text or "" for e in ElementTree.fromstring(text).iter() if e.tag.rpartition("}")[2] == name]
    except ElementTree.ParseError:
        return []
