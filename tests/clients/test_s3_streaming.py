"""Bodies as SDKs stream them: aws-chunked, signed and unsigned, with trailing checksums; and 100-continue."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import os
import socket
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from s3_plane import ADMIN, S3Plane, running_s3

SIZES = {"nothing": 0, "inline": 3_000, "one job": 100_000, "two lanes": 3 * 2**20 + 99}
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        plane.client().create_bucket(Bucket="lake")
        yield plane


@dataclass
class Stream:
    """An aws-chunked PUT in the making, as the SDKs for Java, Go and C++ send it."""

    s3: S3Plane
    payload: bytes
    mode: str
    trailer: str = ""

    def send(self, damage: bytes = b"", cut: int = 0) -> tuple[int, str]:
        headers = {
            "x-amz-content-sha256": self.mode,
            "x-amz-decoded-content-length": str(len(self.payload)),
            "Content-Encoding": "aws-chunked",
        }
        if self.trailer:
            headers["x-amz-trailer"] = self.trailer
        request = AWSRequest("PUT", f"{self.s3.url}/lake/streamed", headers=headers, data=b"")
        SigV4Auth(Credentials(*ADMIN), "s3", "us-east-1").add_auth(request)
        signed = dict(request.headers.items())
        body = self._body(signed).replace(b"damage", damage or b"damage")
        connection = http.client.HTTPConnection("127.0.0.1", self.s3.port, timeout=60)
        connection.putrequest("PUT", "/lake/streamed", skip_accept_encoding=True)
        for name, value in signed.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        connection.send(body[: len(body) - cut])
        if cut:
            connection.sock.shutdown(socket.SHUT_WR)
        try:
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def _body(self, signed: dict[str, str]) -> bytes:
        is_signed = self.mode.startswith("STREAMING-AWS4")
        date = signed["X-Amz-Date"]
        signature = signed["Authorization"].rpartition("Signature=")[2]
        scope = f"{date[:8]}/us-east-1/s3/aws4_request"
        key = f"AWS4{ADMIN[1]}".encode()
        for part in (date[:8], "us-east-1", "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), "sha256").digest()

        def chained(kind: str, *digests: str) -> str:
            nonlocal signature
            text = "\n".join([kind, date, scope, signature, *digests])
            signature = hmac.new(key, text.encode(), "sha256").hexdigest()
            return signature

        body, step = b"", 64 * 1024
        pieces = [self.payload[at : at + step] for at in range(0, len(self.payload), step)]
        for piece in [*pieces, b""]:
            head = f"{len(piece):x}"
            if is_signed:
                head += (
                    f";chunk-signature={chained('AWS4-HMAC-SHA256-PAYLOAD', EMPTY, hashlib.sha256(piece).hexdigest())}"
                )
            body += head.encode() + b"\r\n" + piece + (b"\r\n" if piece else b"")
        if self.trailer:
            value = base64.b64encode(zlib.crc32(self.payload).to_bytes(4, "big")).decode()
            body += f"{self.trailer}:{value}\r\n".encode()
            if is_signed:
                line = f"{self.trailer}:{value}\n".encode()
                signature = chained("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(line).hexdigest())
                body += f"x-amz-trailer-signature:{signature}\r\n".encode()
        return body + b"\r\n"


MODES = {
    "signed": ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""),
    "signed with a trailer": ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "x-amz-checksum-crc32"),
    "unsigned with a trailer": ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-checksum-crc32"),
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_a_streamed_body_is_its_payload(s3: S3Plane, mode: tuple[str, str], size: int) -> None:
    """The framing is taken off and never stored."""
    payload = os.urandom(size)
    status, text = Stream(s3, payload, *mode).send()
    assert status == 200, text
    got = s3.client().get_object(Bucket="lake", Key="streamed")
    assert got["Body"].read() == payload
    assert "ContentEncoding" not in got


@pytest.mark.parametrize("size", list(SIZES.values())[1:], ids=list(SIZES)[1:])
@pytest.mark.parametrize(
    ("mode", "code"),
    [("signed", "SignatureDoesNotMatch"), ("signed with a trailer", "SignatureDoesNotMatch"),
     ("unsigned with a trailer", "BadDigest")],
)  # fmt: skip
def test_a_damaged_stream_is_refused(s3: S3Plane, mode: str, code: str, size: int) -> None:
    """One flipped byte is noticed by the chunk's signature, or by the trailing checksum."""
    payload = os.urandom(size - 6) + b"damage"
    s3.client().put_object(Bucket="lake", Key="streamed", Body=b"before")
    status, text = Stream(s3, payload, *MODES[mode]).send(damage=b"demage")
    assert (status, code in text) == (403 if code.startswith("Sig") else 400, True), text
    assert code == "BadDigest" or s3.audit[-1]["reason"] == "SignatureDoesNotMatch"
    assert s3.client().get_object(Bucket="lake", Key="streamed")["Body"].read() == b"before"


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_a_stream_cut_short_stores_nothing(s3: S3Plane, size: int) -> None:
    """A client that dies half-way has stored nothing."""
    s3.client().put_object(Bucket="lake", Key="streamed", Body=b"before")
    stream = Stream(s3, os.urandom(size), *MODES["unsigned with a trailer"])
    with contextlib.suppress(http.client.HTTPException, ConnectionError):
        stream.send(cut=20)
    assert s3.client().get_object(Bucket="lake", Key="streamed")["Body"].read() == b"before"
    deadline = time.monotonic() + 30
    while list((s3.folder / "s3" / "incoming").iterdir()):
        assert time.monotonic() < deadline, "a body that broke off left its file"
        time.sleep(0.02)


def test_continue_is_answered_at_once(s3: S3Plane) -> None:
    """boto3 waits a second for each PUT where nobody answers; and a refused one must not send its body."""
    client = s3.client()
    took_s = []
    for _ in range(5):
        started = time.monotonic()
        client.put_object(Bucket="lake", Key="expected", Body=b"x")
        took_s.append(time.monotonic() - started)
    assert min(took_s) < 1, "where nobody answered not even the quickest would take less"
    with socket.create_connection(("127.0.0.1", s3.port), timeout=60) as raw:
        raw.sendall(b"PUT /lake/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 403")
