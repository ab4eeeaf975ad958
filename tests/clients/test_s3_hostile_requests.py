"""Bytes that are no request, or two at once: each is refused in S3's words, in its turn, and the plane serves on."""

import socket
from collections.abc import Callable, Iterator

import pytest
from s3_plane import S3Plane, running_s3
from s3_wire import Answer, ask, head, received, request, signed

BODY = b"hello"
INNER = b"GET /lake/a HTTP/1.1\r\nHost: x\r\n\r\n"
Make = Callable[[S3Plane], bytes]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        client = plane.client()
        client.create_bucket(Bucket="lake")
        client.put_object(Bucket="lake", Key="a", Body=b"x")
        yield plane
        assert [entry["Key"] for entry in client.list_objects_v2(Bucket="lake")["Contents"]] == ["a"]
        log = (plane.folder / "s3.log").read_text()
        assert "s3.bug" not in log
        assert "s3.connection_failed" not in log


def told(plane: S3Plane, raw: bytes, count: int = 1) -> list[str]:
    """What is answered to these bytes. Where the connection lives on, what follows is understood as what it is."""
    with plane.connection() as connection:
        try:
            connection.sendall(raw)
        except (BrokenPipeError, ConnectionResetError):
            assert count == 1, "who is cut off while sending gets one answer"
        found = received(connection, count)
        if found and found[-1].headers.get("connection") == "close":
            assert is_over(connection)
        else:
            connection.sendall(request(plane, "GET", "/lake/a"))
            assert [answer.body for answer in received(connection)] == [b"x"]
        return [answer.told for answer in found]


def is_over(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def put(*more: str, body: bytes = BODY) -> Make:
    """A signed PUT with lines besides that nobody signed."""
    return lambda plane: head("PUT", "/lake/new", signed(plane, "PUT", "/lake/new"), *more) + body


def get(*more: str) -> Make:
    return lambda plane: head("GET", "/lake/a", signed(plane, "GET", "/lake/a"), *more)


def raw(text: bytes) -> Make:
    return lambda _: text


BAD = "400 BadRequest"
LONG = "400 RequestHeaderSectionTooLarge"
LENGTHS: dict[str, tuple[Make, str]] = {
    "a length and chunks": (put("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + INNER), BAD),
    "chunks and a length": (put("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n" + INNER), BAD),
    "the same length twice": (put("Content-Length: 5", "Content-Length: 5"), BAD),
    "two lengths": (put("Content-Length: 5", "Content-Length: 39", body=BODY + INNER), BAD),
    "a list of lengths": (put("Content-Length: 5, 5"), BAD),
    "a length with a sign": (put("Content-Length: +5"), BAD),
    "a negative length": (put("Content-Length: -5"), BAD),
    "a length in hexadecimal": (put("Content-Length: 0x5"), BAD),
    "an empty length": (put("Content-Length:"), BAD),
    "a length of 23 digits": (put("Content-Length: 99999999999999999999999"), BAD),
    "a length of terabytes": (put("Content-Length: 9999999999999"), "400 EntityTooLarge"),
    "a blank before the colon": (put("Content-Length : 5"), BAD),
    "chunks": (put("Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"), "411 MissingContentLength"),
    "chunks of no size": (put("Transfer-Encoding: chunked", body=b"zz\r\nhello\r\n"), "411 MissingContentLength"),
    "chunks that are not last": (put("Transfer-Encoding: chunked, identity", body=b"5\r\nhello\r\n0\r\n\r\n"), BAD),
    "chunks, misspelt": (put("Transfer-Encoding: xchunked", body=INNER), "411 MissingContentLength"),
    "chunks behind a blank": (put("Transfer-Encoding:\x0bchunked", body=INNER), BAD),
    "no length": (put(body=b""), "411 MissingContentLength"),
    "a refused body that is a request": (
        raw(b"PUT /lake/new HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(INNER) + INNER),
        "403 AccessDenied",
    ),
}
HEADS: dict[str, tuple[Make, str]] = {
    "a folded header": (get("x-folded: a", "  b"), BAD),
    "line feeds alone": (lambda plane: get()(plane).replace(b"\r\n", b"\n"), BAD),
    "a carriage return in a value": (get("x-a: b\rx-c: d"), BAD),
    "NUL in a value": (get("x-a: b\0c"), BAD),
    "a line without a colon": (get("nonsense"), BAD),
    "a header without a name": (get(": x"), BAD),
    "300 headers": (get(*(f"x-{n}: 1" for n in range(300))), LONG),
    "a header of 40 kB": (get("x: " + "y" * 40_000), LONG),
    "a header of 1 MB": (get("x: " + "y" * 1_000_000), LONG),
    "a target of 40 kB": (raw(b"GET /lake/" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"), LONG),
    "no host": (raw(b"GET /lake/a HTTP/1.1\r\n\r\n"), BAD),
    "two hosts": (get("Host: other"), BAD),
    "two signatures": (get("Authorization: AWS a:b"), "400 AuthorizationHeaderMalformed"),
    "an empty signature": (raw(b"GET /lake/a HTTP/1.1\r\nHost: x\r\nAuthorization:\r\n\r\n"), "403 AccessDenied"),
    "a date behind the calendar": (raw(
        b"GET /lake/a HTTP/1.1\r\nHost: x\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
        b"Date: Fri, 31 Dec 9999 23:59:59 -1400\r\nAuthorization: AWS4-HMAC-SHA256 "
        b"Credential=WEYRADMIN/99991231/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"),
        "403 AccessDenied"),
    "a version to come": (raw(b"GET /lake/a HTTP/2.0\r\nHost: x\r\n\r\n"), BAD),
    "no version": (raw(b"GET /lake/a\r\n\r\n"), BAD),
    "HTTP/2": (raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), BAD),
    "TLS": (raw(bytes.fromhex("16030100a5010000a10303") + b"x" * 160), BAD),
    "another protocol": (raw(b"\0\0\0\x08\x04\xd2\x16\x2f\r\n\r\n"), BAD),
    "an offer to change the protocol": (get("Connection: Upgrade", "Upgrade: h2c"), "200"),
    "such an offer with a body": (put("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 5"), BAD),
    "a tunnel": (raw(b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n"), BAD),
    "an unknown method": (lambda plane: request(plane, "FOO", "/lake/a"), BAD),
    "a method in lower case": (lambda plane: request(plane, "get", "/lake/a"), BAD),
    "PATCH": (lambda plane: request(plane, "PATCH", "/lake/a"), "405 MethodNotAllowed"),
    "TRACE": (lambda plane: request(plane, "TRACE", "/lake/a"), "405 MethodNotAllowed"),
    "POST to an object": (lambda plane: request(plane, "POST", "/lake/a"), "501 NotImplemented"),
    "DELETE of everything": (lambda plane: request(plane, "DELETE", "/"), "405 MethodNotAllowed"),
    "no path": (raw(b"GET lake/a HTTP/1.1\r\nHost: x\r\n\r\n"), BAD),
    "an asterisk": (raw(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), "400 InvalidURI"),
    "a blank in the path": (raw(b"GET /lake/a b HTTP/1.1\r\nHost: x\r\n\r\n"), BAD),
    "raw UTF-8 in the path": (raw("GET /lake/ä HTTP/1.1\r\nHost: x\r\n\r\n".encode()), BAD),
    "a query of no encoding": (lambda plane: request(plane, "GET", "/lake?prefix=%zz"), "400 InvalidURI"),
    "empty lines before": (lambda plane: b"\r\n\r\n" + get()(plane), "200"),
}  # fmt: skip
SITTINGS = LENGTHS | HEADS


@pytest.mark.parametrize(("make", "expected"), SITTINGS.values(), ids=SITTINGS.keys())
def test_what_cannot_be_one_request_is_none(s3: S3Plane, make: Make, expected: str) -> None:
    """Between a proxy and us each request begins where both think it does, or the connection ends."""
    assert told(s3, make(s3)) == [expected]


def test_requests_that_were_understood_are_answered_before_the_one_that_was_not(s3: S3Plane) -> None:
    """An answer is taken for that of the oldest request: a 400 must not overtake a PUT that is stored."""
    large = request(s3, "PUT", "/lake/large", b"z" * 3_000_000)

    assert told(s3, get()(s3) + b"nonsense\r\n\r\n", 2) == ["200", BAD]
    assert told(s3, large + b"nonsense\r\n\r\n", 2) == ["200", BAD]
    assert ask(s3, "DELETE", "/lake/large").told == "204"


def test_pipelined_requests_are_answered_in_order(s3: S3Plane) -> None:
    """More than wait at once, of every kind, in one go."""
    batch: list[tuple[bytes, Answer | str]] = []
    for n in range(30):
        batch += [
            (request(s3, "PUT", "/lake/new", b"%d" % n * (n * 2000 + 1)), ""),
            (request(s3, "GET", "/lake/new"), f"{n}" * (n * 2000 + 1)),
        ]
    batch.append((request(s3, "DELETE", "/lake/new"), ""))
    with s3.connection() as connection:
        connection.settimeout(30)
        for sent, _ in batch[:20]:
            connection.sendall(sent)
        found = received(connection, 20)
        for sent, _ in batch[20:]:
            connection.sendall(sent)
            found += received(connection)
    assert [answer.body.decode() for answer in found] == [body for _, body in batch]
    assert [answer.status for answer in found] == [200] * 60 + [204]


INJECTED = ("response-content-type", "response-content-disposition", "response-cache-control", "response-expires")


@pytest.mark.parametrize("name", INJECTED)
def test_what_a_client_chose_is_no_header_line(s3: S3Plane, name: str) -> None:
    """A presigned URL could otherwise make a plane set cookies, or send a page of the signer's."""
    answer = ask(s3, "GET", f"/lake/a?{name}=a%0D%0ASet-Cookie%3A%20b%3Dc%0D%0A%0D%0Abody")

    assert "set-cookie" not in answer.headers
    assert answer.body == b"x" or answer.status == 400


def test_who_sends_the_body_late_is_answered_before(s3: S3Plane) -> None:
    """A refusal does not wait for what it refuses; a client may wait for the answer before it sends."""
    asked = signed(s3, "PUT", "/nowhere/new", {"Content-Length": "60000"})
    with s3.connection() as connection:
        connection.sendall(head("PUT", "/nowhere/new", asked))
        assert [answer.told for answer in received(connection)] == ["404 NoSuchBucket"]
        connection.sendall(b"z" * 60_000 + request(s3, "GET", "/lake/a"))
        assert [answer.body for answer in received(connection)] == [b"x"]
