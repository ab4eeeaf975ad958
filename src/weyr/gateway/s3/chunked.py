"""What do the bytes of an aws-chunked body hold? Payload, chunk signatures and trailing checksums, taken apart.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html (2026-11).
"""

import hashlib
import hmac
import re
from enum import StrEnum

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.sigv4 import Signing

LINE_MAX = 4096
TRAILERS_MAX = 8
CHUNK_BYTES_MAX = 5 * 2**30
_SIZE = re.compile("[0-9A-Fa-f]{1,16}")
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class Streaming(StrEnum):
    """The words in x-amz-content-sha256 that announce an aws-chunked body."""

    SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class _At(StrEnum):
    HEAD = "a chunk's head"
    DATA = "a chunk's data"
    DATA_END = "the end of a chunk"
    TRAILER = "the trailers"
    END = "nothing more"


class Decoder:
    """Takes an aws-chunked body in pieces of any size and gives its payload, verifying as it goes.

    Takes: `signing` where the chunks are signed, None where they are not.
    Raises: S3Error. The payload given before a wrong signature must then be thrown away by the caller.
    """

    def __init__(self, signing: Signing | None) -> None:
        self.trailers: dict[str, str] = {}
        self._signing = signing
        self._previous = signing.seed if signing else ""
        self._at = _At.HEAD
        self._line = bytearray()
        self._left = 0
        self._chunk_signature = ""
        self._chunk_digest = hashlib.sha256()

    @property
    def is_complete(self) -> bool:
        return self._at == _At.END

    def feed(self, data: bytes) -> list[memoryview]:
        """The payload in this piece, as views into it."""
        view, payload = memoryview(data), []
        while view:
            match self._at:
                case _At.DATA:
                    piece, view = view[: self._left], view[self._left :]
                    self._left -= len(piece)
                    if self._signing:
                        self._chunk_digest.update(piece)
                    payload.append(piece)
                    if not self._left:
                        self._at = _At.DATA_END
                case _At.END:
                    raise S3Error("InvalidRequest", "There are bytes after the last chunk.")
                case _:
                    view = self._take_line(view)
        return payload

    def _take_line(self, view: memoryview) -> memoryview:
        """Collects up to the next line feed; acts on the line once it is whole."""
        window = bytes(view[:LINE_MAX])
        newline = window.find(b"\n")
        size = newline + 1 if newline >= 0 else len(window)
        self._line += window[:size]
        if len(self._line) > LINE_MAX:
            raise S3Error("InvalidRequest", "A line of the aws-chunked body is too long.")
        if newline >= 0:
            line = bytes(self._line).rstrip(b"\r\n").decode("latin-1")
            self._line.clear()
            self._act_on(line)
        return view[size:]

    def _act_on(self, line: str) -> None:
        if self._at == _At.HEAD:
            self._begin_chunk(line)
        elif self._at == _At.DATA_END:
            if line:
                raise S3Error("InvalidRequest", "A chunk is longer than its head says.")
            self._end_chunk()
            self._at = _At.HEAD
        elif line:
            self._take_trailer(line)
        else:
            self._end_trailers()

    def _begin_chunk(self, line: str) -> None:
        size, _, extension = line.partition(";")
        if not _SIZE.fullmatch(size.strip()):
            raise S3Error("InvalidRequest", "A chunk's size is not a number.")
        self._left = int(size, 16)
        if self._left > CHUNK_BYTES_MAX:
            raise S3Error("InvalidRequest", "A chunk's size is out of range.")
        name, _, self._chunk_signature = extension.partition("=")
        if self._signing and name.strip() != "chunk-signature":
            raise S3Error("SignatureDoesNotMatch", "A chunk is not signed.")
        self._chunk_digest = hashlib.sha256()
        if self._left:
            self._at = _At.DATA
        else:
            self._end_chunk()
            self._at = _At.TRAILER

    def _end_chunk(self) -> None:
        if self._signing:
            self._verify(
                "AWS4-HMAC-SHA256-PAYLOAD", [_EMPTY_SHA256, self._chunk_digest.hexdigest()], self._chunk_signature
            )

    def _take_trailer(self, line: str) -> None:
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or name in self.trailers or len(self.trailers) >= TRAILERS_MAX:
            raise S3Error("MalformedTrailerError")
        self.trailers[name] = value.strip()

    def _end_trailers(self) -> None:
        signature = self.trailers.pop("x-amz-trailer-signature", None)
        if self._signing and self.trailers:
            if signature is None:
                # Amazon's own example has an empty line before the signature, and minio-go sends it so. Where the
                # signature never comes the body is incomplete.
                return
            text = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            self._verify("AWS4-HMAC-SHA256-TRAILER", [hashlib.sha256(text.encode("latin-1")).hexdigest()], signature)
        self._at = _At.END

    def _verify(self, kind: str, digests: list[str], given: str) -> None:
        assert self._signing
        lines = [kind, self._signing.date, self._signing.scope, self._previous, *digests]
        expected = hmac.new(self._signing.key, "\n".join(lines).encode(), "sha256").hexdigest()
        if not hmac.compare_digest(expected.encode(), given.strip().encode("latin-1", "replace")):
            raise S3Error("SignatureDoesNotMatch", "The signature of a chunk or of the trailers does not match.")
        self._previous = expected
