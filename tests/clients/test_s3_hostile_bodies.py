"""Bodies that are not what was promised: refused in S3's words, and nothing of them is stored or left."""

import base64
import hashlib
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from s3_plane import S3Plane, running_s3
from s3_shelf import leaks
from s3_wire import Answer, ask, head, received, signed

SIZES = {"in the index": 3_000, "in one job": 200_000, "in two lanes": 3 * 2**20}
CHECKSUMS = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}


def text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        plane.client().create_bucket(Bucket="lake")
        plane.client().put_object(Bucket="lake", Key="a", Body=b"before")
        yield plane
        assert "s3.bug" not in (plane.folder / "s3.log").read_text()


@pytest.fixture(autouse=True)
def nothing_is_changed(s3: S3Plane) -> Iterator[None]:
    """Whatever is refused, what was there is there, alone, and no file of the other is."""
    yield
    assert ask(s3, "GET", "/lake/a").body == b"before"
    assert [entry["Key"] for entry in s3.client().list_objects_v2(Bucket="lake")["Contents"]] == ["a"]
    assert not leaks(s3)


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "another MD5": ({"Content-MD5": text(bytes(16))}, "400 BadDigest"),
    "a short MD5": ({"Content-MD5": text(bytes(15))}, "400 InvalidDigest"),
    "an MD5 in hexadecimal": ({"Content-MD5": hashlib.md5(b"").hexdigest()}, "400 InvalidDigest"),
    "an MD5 that is none": ({"Content-MD5": "?"}, "400 InvalidDigest"),
    "an empty MD5": ({"Content-MD5": ""}, "400 InvalidDigest"),
    **{
        f"another {name}": ({f"x-amz-checksum-{name}": text(bytes(size))}, "400 BadDigest")
        for name, size in CHECKSUMS.items()
    },
    **{
        f"a {name} that is too long": ({f"x-amz-checksum-{name}": text(bytes(size + 1))}, "400 BadDigest")
        for name, size in CHECKSUMS.items()
    },
    "two checksums": (
        {"x-amz-checksum-crc32": text(bytes(4)), "x-amz-checksum-sha1": text(bytes(20))},
        "400 InvalidRequest",
    ),
    "a checksum that never comes": ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "400 InvalidRequest"),
    "a trailer without a stream": ({"x-amz-trailer": "x-amz-checksum-crc32"}, "400 InvalidRequest"),
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize(("headers", "told"), WRONG.values(), ids=WRONG.keys())
def test_a_body_that_is_not_what_its_head_says_is_not_stored(
    s3: S3Plane, headers: dict[str, str], told: str, size: int
) -> None:
    """Of every kind of checksum, on every way to the disk."""
    assert ask(s3, "PUT", "/lake/a", b"z" * size, headers).told == told


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_a_body_that_was_not_signed_is_not_stored(s3: S3Plane, size: int) -> None:
    """The signature covers the body's digest; a body that was exchanged has another."""
    payload = hashlib.sha256(b"z" * size).hexdigest()

    assert ask(s3, "PUT", "/lake/a", b"y" * size, payload=payload).told == "400 XAmzContentSHA256Mismatch"
    assert ask(s3, "PUT", "/lake/a", b"y" * size, payload="f" * 63).told == "400 InvalidArgument"


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("sent", [0, 1, 0.5, -1])
def test_a_body_that_breaks_off_is_not_stored(s3: S3Plane, size: int, sent: float) -> None:
    """The client closes before the end: nothing, one byte, half, all but one."""
    count = int(sent * size) if 0 < sent < 1 else int(sent) % size
    asked = signed(s3, "PUT", "/lake/a", {"Content-Length": str(size)})
    with s3.connection() as connection:
        connection.sendall(head("PUT", "/lake/a", asked) + b"z" * count)


def streamed(s3: S3Plane, body: bytes, length: int | str, **headers: str) -> Answer:
    """An unsigned stream of chunks as it is given."""
    given = {"x-amz-decoded-content-length": str(length), "Content-Length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    asked = signed(s3, "PUT", "/lake/a", given, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    with s3.connection() as connection:
        connection.sendall(head("PUT", "/lake/a", asked) + body)
        (answer,) = received(connection)
        return answer


CRC = text(zlib.crc32(b"hello").to_bytes(4, "big"))
TRAILER = {"x_amz_trailer": "x-amz-checksum-crc32"}
STREAMS: dict[str, tuple[bytes, int | str, dict[str, str], str]] = {
    "no chunk": (b"", 5, {}, "400 IncompleteBody"),
    "no last chunk": (b"5\r\nhello\r\n", 5, {}, "400 IncompleteBody"),
    "less than was announced": (b"5\r\nhello\r\n0\r\n\r\n", 6, {}, "400 IncompleteBody"),
    "more than was announced": (b"5\r\nhello\r\n0\r\n\r\n", 4, {}, "400 IncompleteBody"),
    "a length that is none": (b"5\r\nhello\r\n0\r\n\r\n", "five", {}, "411 MissingContentLength"),
    "a length that is negative": (b"5\r\nhello\r\n0\r\n\r\n", -5, {}, "411 MissingContentLength"),
    "a chunk of no size": (b"\r\nhello\r\n0\r\n\r\n", 5, {}, "400 InvalidRequest"),
    "a size that is none": (b"zz\r\nhello\r\n0\r\n\r\n", 5, {}, "400 InvalidRequest"),
    "a size with a sign": (b"+5\r\nhello\r\n0\r\n\r\n", 5, {}, "400 InvalidRequest"),
    "a negative size": (b"-5\r\nhello\r\n0\r\n\r\n", 5, {}, "400 InvalidRequest"),
    "a size with a prefix": (b"0x5\r\nhello\r\n0\r\n\r\n", 5, {}, "400 InvalidRequest"),
    "a size with a separator": (b"0_5\r\nhello\r\n0\r\n\r\n", 5, {}, "400 InvalidRequest"),
    "a size of exabytes": (b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", 5, {}, "400 InvalidRequest"),
    "a chunk shorter than its size": (b"6\r\nhello\r\n0\r\n\r\n", 5, {}, "400 IncompleteBody"),
    "a chunk longer than its size": (b"4\r\nhello\r\n0\r\n\r\n", 5, {}, "400 InvalidRequest"),
    "more behind the end": (b"5\r\nhello\r\n0\r\n\r\nmore", 5, {}, "400 InvalidRequest"),
    "a line without end": (b"5" * 8000, 5, {}, "400 InvalidRequest"),
    "a trailer that never comes": (b"5\r\nhello\r\n0\r\n\r\n", 5, TRAILER, "400 MalformedTrailerError"),
    "a trailer that is wrong": (
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", 5, TRAILER, "400 BadDigest",
    ),
    "a trailer twice": (
        f"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{CRC}\r\nx-amz-checksum-crc32:{CRC}\r\n\r\n".encode(), 5, TRAILER,
        "400 MalformedTrailerError",
    ),
    "a trailer that is none": (b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n", 5, TRAILER, "400 MalformedTrailerError"),
    "a hundred trailers": (
        b"5\r\nhello\r\n0\r\n" + b"".join(b"x-%d:1\r\n" % n for n in range(100)) + b"\r\n", 5, {},
        "400 MalformedTrailerError",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "length", "headers", "told"), STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_that_is_not_well_formed_is_not_stored(
    s3: S3Plane, body: bytes, length: int | str, headers: dict[str, str], told: str
) -> None:
    """What a chunk's head says is a number, and nothing that a lenient reader would take for one."""
    assert streamed(s3, body, length, **headers).told == told


MINUTE_S = 60.0
TIMES: dict[str, tuple[float, str]] = {
    "now": (0, "200"),
    "14 minutes ago": (-14 * MINUTE_S, "200"),
    "in 14 minutes": (14 * MINUTE_S, "200"),
    "16 minutes ago": (-16 * MINUTE_S, "403 RequestTimeTooSkewed"),
    "in 16 minutes": (16 * MINUTE_S, "403 RequestTimeTooSkewed"),
    "a year ago": (-365 * 86_400, "403 RequestTimeTooSkewed"),
    "in 1970": (-time.time(), "403 RequestTimeTooSkewed"),
}


@pytest.mark.parametrize(("by_s", "told"), TIMES.values(), ids=TIMES.keys())
def test_a_signature_holds_for_a_quarter_of_an_hour(s3: S3Plane, by_s: float, told: str) -> None:
    """A request that was recorded can be played again for so long, does the same then, and nothing later."""
    raw = head("GET", "/lake/a", signed(s3, "GET", "/lake/a", at=time.time() + by_s))
    for _ in range(2):
        with s3.connection() as connection:
            connection.sendall(raw)
            assert [answer.told for answer in received(connection)] == [told]


CHANGES: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "its time": lambda headers: {"x-amz-date": headers["x-amz-date"][:-2] + "xZ"},
    "its day": lambda headers: {"x-amz-date": "20200101" + headers["x-amz-date"][8:]},
    "a signed header": lambda _: {"Range": "bytes=1-"},
    "its payload": lambda _: {"x-amz-content-sha256": hashlib.sha256(b"other").hexdigest()},
    "its region": lambda headers: {"Authorization": headers["Authorization"].replace("us-east-1", "eu-west-1")},
    "its key": lambda headers: {"Authorization": headers["Authorization"].replace("WEYRADMIN", "OTHER")},
    "its signature": lambda headers: {"Authorization": headers["Authorization"][:-1] + "x"},
    "a header beside it": lambda _: {"x-amz-acl": "public-read"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_recorded_request_cannot_be_changed(s3: S3Plane, change: str) -> None:
    """Whatever is exchanged in it, the signature is no longer that of what is asked."""
    headers = signed(s3, "GET", "/lake/a", {"Range": "bytes=0-"}, at=time.time() - 30)
    headers |= CHANGES[change](headers)
    with s3.connection() as connection:
        connection.sendall(head("GET", "/lake/a", headers))
        (answer,) = received(connection)
    assert answer.status in (400, 403), answer.told
    assert answer.code in (
        "SignatureDoesNotMatch",
        "AccessDenied",
        "InvalidAccessKeyId",
        "AuthorizationHeaderMalformed",
    )
