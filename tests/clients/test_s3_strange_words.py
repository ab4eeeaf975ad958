"""Every header and every parameter of every operation, with every value that nobody expects: never an error of ours."""

import itertools
import socket
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from s3_plane import S3Plane, running_s3
from s3_wire import Answer, received
from s3_wire import request as written

VALUES = (
    "", "0", "-1", "1", "10001", "9" * 18, "9" * 40, "1e9", "NaN", "null", "true", "a" * 1500, "%", "%00", "=", "&",
    "*", ",", ";;", '"', "''", "\\", "/", "//", "..", "<a/>", "{}", "[1]", "ä\xff", "bytes=0-", "bytes=--",
    "bytes=9-1", "bytes=0-0,2-3", "items=1-2", "Fri, 31 Dec 9999 23:59:59 -1400",
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 99 Foo 2026", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "99991231T235959Z", "lake/a", "/lake/a?versionId=%", "lake", "YQ==", "AAAAAA==",
    "COPY", "REPLACE", "AES256", "aws:kms", "GOVERNANCE", "ON", "CRC32", "SHA512", "url", "emailAddress=a",
    'id="a", uri="http://a"', "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "UNSIGNED-PAYLOAD",
)  # fmt: skip
CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
HEADERS = (
    "range", *CONDITIONS, "if-range", "content-md5", "content-encoding", "content-type", "expect", "origin", "cookie",
    "access-control-request-method", "access-control-request-headers", "expires", "x-amz-copy-source",
    "x-amz-copy-source-range", *(f"x-amz-copy-source-{name}" for name in CONDITIONS), "x-amz-metadata-directive",
    "x-amz-tagging", "x-amz-tagging-directive", "x-amz-acl", "x-amz-grant-read", "x-amz-grant-full-control",
    "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
    "x-amz-checksum-crc32", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha256", "x-amz-checksum-type",
    "x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm", "x-amz-trailer", "x-amz-decoded-content-length",
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5", "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-expected-bucket-owner", "x-amz-mp-object-size", "x-amz-if-match-size", "x-amz-if-match-last-modified-time",
    "x-amz-object-attributes", "x-amz-max-parts", "x-amz-part-number-marker", "x-amz-storage-class",
    "x-amz-website-redirect-location", "x-amz-security-token", "x-amz-bypass-governance-retention",
    "x-amz-request-payer", "x-amz-object-ownership", "x-amz-bucket-object-lock-enabled", "x-amz-meta-a",
    "x-amz-content-sha256", "x-amz-date", "x-forwarded-for", "x-http-method-override",
)  # fmt: skip
PARAMETERS = (
    "versionId", "partNumber", "uploadId", "max-keys", "max-parts", "max-uploads", "part-number-marker",
    "continuation-token", "start-after", "marker", "key-marker", "version-id-marker", "upload-id-marker",
    "encoding-type", "list-type", "prefix", "delimiter", "fetch-owner", "response-content-type", "response-expires",
    "x-id", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
    "X-Amz-Signature", "Signature", "Expires", "AWSAccessKeyId",
)  # fmt: skip
DOCUMENTS = (
    "acl", "cors", "delete", "encryption", "legal-hold", "lifecycle", "location", "logging", "notification",
    "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication",
    "requestPayment", "retention", "tagging", "uploads", "versioning", "versions", "website", "accelerate",
    "analytics", "inventory", "metrics", "intelligent-tiering", "attributes", "torrent", "restore", "select",
    "session",
)  # fmt: skip
ASKED = {
    "GET of an object": ("GET", "/lake/a"),
    "HEAD of an object": ("HEAD", "/lake/a"),
    "PUT of an object": ("PUT", "/lake/b"),
    "DELETE of an object": ("DELETE", "/lake/b"),
    "a new upload": ("POST", "/lake/b?uploads="),
    "a part": ("PUT", "/lake/b?partNumber=1&uploadId=none"),
    "attributes": ("GET", "/lake/a?attributes="),
    "a listing": ("GET", "/lake?list-type=2"),
    "a listing of versions": ("GET", "/lake?versions="),
    "a listing of uploads": ("GET", "/pond?uploads="),
    "a preflight": ("OPTIONS", "/lake/a"),
    "a new bucket": ("PUT", "/pond"),
}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        client = plane.client()
        client.create_bucket(Bucket="lake")
        client.create_bucket(Bucket="pond")
        client.put_object(Bucket="lake", Key="a", Body=b"x" * 100)
        yield plane
        assert client.get_object(Bucket="lake", Key="a")["Body"].read() == b"x" * 100
        log = (plane.folder / "s3.log").read_text()
        assert "s3.bug" not in log
        assert "s3.connection_failed" not in log


class Asker:
    """Asks one thing after the other, on one connection as long as it lives."""

    def __init__(self, plane: S3Plane) -> None:
        self._plane = plane
        self._connection: socket.socket | None = None

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        self._connection = self._connection or self._plane.connection()
        self._connection.sendall(written(self._plane, method, target, body, headers))
        found = received(self._connection, methods=[method])
        assert found, f"{method} {target} {headers}: no answer"
        if found[0].headers.get("connection") == "close":
            self.close()
        return found[0]

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


@pytest.fixture
def asker(s3: S3Plane) -> Iterator[Asker]:
    made = Asker(s3)
    yield made
    made.close()


@pytest.mark.parametrize("what", ASKED)
def test_no_header_and_no_parameter_is_an_error_of_ours(
    asker: Asker, request: pytest.FixtureRequest, what: str
) -> None:
    """What is not understood is refused or passed over, never tripped over. Each value of each name is asked of one
    operation, and with --every-fault of all."""
    method, target = ASKED[what]
    mark, place = "&" if "?" in target else "?", list(ASKED).index(what)
    every = request.config.getoption("--every-fault")
    for number, (name, value) in enumerate(itertools.product((*HEADERS, *PARAMETERS), VALUES)):
        if not every and number % len(ASKED) != place:
            continue
        if name in HEADERS:
            answer = asker.answer(method, target, {name: value})
        else:
            answer = asker.answer(method, f"{target}{mark}{name}={quote(value, safe='')}", {})
        assert answer.status < 500 or answer.status == 501, f"{name}: {value}: {answer.body!r}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_document_is_an_error_of_ours(asker: Asker, name: str) -> None:
    """Every method on every part of a bucket and an object, with bodies that are none of its documents."""
    for target in ("/pond", "/lake/b", "/nowhere", "/nowhere/a", "/"):
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            for body in (
                b"",
                b"<a/>",
                b"{}",
                b"[]",
                b"\xff\0",
                b'{"Version": 1, "Statement": [1]}',
                b'{"Statement": null}',
            ):
                answer = asker.answer(method, f"{target}?{name}=", {}, body)
                assert answer.status < 500 or answer.status == 501, (
                    f"{method} {target}?{name} {body!r}: {answer.body!r}"
                )
