"""How does a body come in? Hashed and written off the event loop, both at once, and verified before it counts.

A small body stays in memory and goes into the index; a middling one is hashed and written in one job; a large
one flows through two lanes, worked by threads while more of it arrives: one unpacks, checks and writes, the
other computes the MD5 that S3's etag needs (the slowest of them all: 0.7 GB/s). Memory per body is bounded by
the lanes' window whatever its size.
"""

import asyncio
import base64
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from weyr.gateway.s3 import checksums
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.checksums import Algorithm
from weyr.gateway.s3.chunked import Decoder, Streaming
from weyr.gateway.s3.digests import Digests, digests_of
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.flow import Flow, write_all
from weyr.gateway.s3.messages import BodyBroken, Stream
from weyr.gateway.s3.sealing import Sealer, sealed
from weyr.gateway.s3.sigv4 import UNSIGNED, Caller, is_sha256
from weyr.gateway.s3.writes import NewBlob

INLINE_MAX = 16 * 1024
MIDDLING_MAX = 256 * 1024
"""What is larger is digested while the rest of it arrives, by two threads: 1 MiB alone took a third less time."""
BODY_MAX = 5 * 2**30
THREADS = 8


@dataclass(frozen=True, slots=True)
class Received:
    """A body that is whole, verified and, if it is a file, on disk; nobody names it yet."""

    blob: NewBlob
    md5: str
    checksum: tuple[Algorithm, str] | None = None


@dataclass(slots=True)
class Promise:
    """What the request's head says about its body, and the running digests that will tell."""

    length: int
    decoder: Decoder | None = None
    md5: bytes | None = None
    sha256: str = ""
    algorithm: Algorithm | None = None
    value: str = ""
    is_open: bool = False
    """Only the greatest length is known before."""
    is_trailing: bool = False
    """The checksum's value comes behind the body."""
    digests: dict[Algorithm, checksums.Digest] = field(default_factory=dict)


def promise_of(
    headers: Mapping[str, str], caller: Caller, length_max: int = BODY_MAX, too_long: str = "EntityTooLarge"
) -> Promise:
    """Reads the head. Raises: S3Error where it contradicts itself or asks for what S3 does not have, `too_long` where
    more than `length_max` bytes are to come."""
    promise = Promise(length=0)
    if caller.payload in tuple(Streaming):
        is_signed = caller.payload != Streaming.UNSIGNED_TRAILER
        promise.decoder = Decoder(caller.signing if is_signed else None)
        promise.length = _length(headers, "x-amz-decoded-content-length")
    else:
        promise.length = _length(headers, "content-length")
        if is_sha256(caller.payload):
            promise.sha256 = caller.payload
        elif caller.payload != UNSIGNED:
            raise S3Error("InvalidArgument", "x-amz-content-sha256 must be a SHA-256 or a known word for a stream.")
    if promise.length > length_max:
        raise S3Error(too_long, MaxSizeAllowed=str(length_max), ProposedSize=str(promise.length))
    _promise_digests(promise, headers)
    return promise


def _length(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise S3Error("MissingContentLength")
    return int(text)


def _promise_digests(promise: Promise, headers: Mapping[str, str]) -> None:
    if "content-md5" in headers:
        promise.md5 = _md5_of(headers["content-md5"])
    given = [(algorithm, headers[name]) for name, algorithm in checksums.BY_HEADER.items() if name in headers]
    trailer = headers.get("x-amz-trailer", "").lower()
    if trailer:
        if trailer not in checksums.BY_HEADER or promise.decoder is None:
            raise S3Error("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
        given.append((checksums.BY_HEADER[trailer], ""))
        promise.is_trailing = True
    if len(given) > 1:
        raise S3Error("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple were sent.")
    asked = headers.get("x-amz-sdk-checksum-algorithm")
    if asked and not given and promise.md5 is None:
        raise S3Error(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers"
            " were found.",
        )
    if given:
        promise.algorithm, promise.value = given[0]
        if promise.value:
            checksums.checked(promise.algorithm, promise.value)
        promise.digests[promise.algorithm] = checksums.new(promise.algorithm)
    if promise.sha256 and Algorithm.SHA256 not in promise.digests:
        promise.digests[Algorithm.SHA256] = checksums.new(Algorithm.SHA256)


def _md5_of(text: str) -> bytes:
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != 16:
        raise S3Error("InvalidDigest")
    return digest


def add_digest(promise: Promise, algorithm: Algorithm | None) -> None:
    """Has one more checksum computed, which the client did not promise (a multipart upload's own)."""
    if algorithm and promise.algorithm is None:
        promise.algorithm = algorithm
        promise.digests.setdefault(algorithm, checksums.new(algorithm))


class Receiver:
    """Takes bodies into a blob store. One for the whole process: its threads are shared."""

    def __init__(self, blobs: BlobStore, loop: asyncio.AbstractEventLoop) -> None:
        self.blobs = blobs
        self.loop = loop
        self.pool = ThreadPoolExecutor(THREADS, "s3-body")

    async def receive(
        self, body: Stream, promise: Promise, inline_max: int = INLINE_MAX, key: bytes | None = None
    ) -> Received:
        """The body as a blob, encrypted where there is a key for it.

        Raises: S3Error where it is not what was promised; nothing of it is left then.
        """
        if promise.length > MIDDLING_MAX:
            return await self._flow(body, promise, key)
        raw = await _whole(body, promise)
        if promise.length <= inline_max:
            return _sealed(_received(promise, _payload(promise, raw), self.blobs.new_id()), key)
        return await self.loop.run_in_executor(self.pool, self._keep, promise, raw, key)

    async def read(self, body: Stream, promise: Promise) -> bytes:
        """A body that is no object (an XML document): verified, and given back."""
        data = _payload(promise, await _whole(body, promise))
        return _received(promise, data, 0).blob.data or b""

    def discard(self, blob: NewBlob) -> None:
        """Removes a blob that was received and then not wanted."""
        if blob.data is None:
            self.blobs.abandon(blob.id)

    def copy(
        self, pieces: Iterable[bytes], algorithm: Algorithm | None, key: bytes | None = None, is_inline: bool = False
    ) -> Received:
        """Bytes that are already ours as a new blob, encrypted where there is a key.

        To be called in a thread of the pool. Takes: `is_inline`, for few bytes that are to lie in the index.
        """
        md5, checksum = hashlib.md5(usedforsecurity=False), checksums.new(algorithm) if algorithm else None
        blob, size = self.blobs.new_id(), 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for piece in pieces:
                md5.update(piece)
                if checksum:
                    checksum.update(piece)
                size += len(piece)
                yield piece

        sealer = Sealer(key) if key else None
        out = sealed(counted(), sealer) if sealer else counted()
        if is_inline:
            data = b"".join(out)
            new = NewBlob(blob, size, data, sealer.size if sealer else 0)
            return Received(new, md5.hexdigest(), _computed(algorithm, checksum))
        descriptor, digests = self.blobs.begin(blob), Digests()
        try:
            for piece in out:
                digests.feed(piece)
                write_all(descriptor, piece)
            os.fsync(descriptor)
        except BaseException:
            self.blobs.abandon(blob)
            raise
        finally:
            os.close(descriptor)
        new = NewBlob(blob, size, sealed_size=sealer.size if sealer else 0, digests=digests.done())
        return Received(new, md5.hexdigest(), _computed(algorithm, checksum))

    def close(self) -> None:
        self.pool.shutdown(wait=True)

    async def _flow(self, body: Stream, promise: Promise, key: bytes | None) -> Received:
        sealer, digests = Sealer(key) if key else None, list(promise.digests.values())
        flow = Flow(self.blobs, self.pool, self.loop, promise.decoder, digests, promise.length, sealer)
        md5 = await flow.run(body)
        try:
            blob = NewBlob(flow.blob, flow.size, sealed_size=sealer.size if sealer else 0, digests=flow.digests)
            return verified(promise, blob, md5)
        except S3Error:
            self.blobs.abandon(flow.blob)
            raise

    def _keep(self, promise: Promise, raw: bytes, key: bytes | None) -> Received:
        received = _sealed(_received(promise, _payload(promise, raw), self.blobs.new_id()), key)
        blob = received.blob
        assert blob.data is not None
        descriptor = self.blobs.begin(blob.id)
        try:
            write_all(descriptor, blob.data)
            os.fsync(descriptor)
        except BaseException:
            self.blobs.abandon(blob.id)
            raise
        finally:
            os.close(descriptor)
        return replace(received, blob=replace(blob, data=None, digests=digests_of(blob.data)))


async def _whole(body: Stream, promise: Promise) -> bytes:
    """A body that fits in memory. The framing of aws-chunked may make it somewhat longer than its payload."""
    pieces, size, size_max = [], 0, 2 * promise.length + 16 * 1024
    try:
        while chunk := await body.chunk(promise.length):
            pieces.append(chunk)
            size += len(chunk)
            if size > size_max:
                raise S3Error("IncompleteBody", "The body is longer than announced.")
    except BodyBroken as e:
        raise S3Error(e.code) from e
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _payload(promise: Promise, raw: bytes) -> bytes:
    if promise.decoder is None:
        return raw
    return b"".join(promise.decoder.feed(raw))


def _received(promise: Promise, data: bytes, blob: int) -> Received:
    md5 = hashlib.md5(data, usedforsecurity=False)
    for digest in promise.digests.values():
        digest.update(data)
    return verified(promise, NewBlob(blob, len(data), data), md5.digest())


def _sealed(received: Received, key: bytes | None) -> Received:
    """A body in memory as it is to be kept."""
    if key is None:
        return received
    assert received.blob.data is not None
    data = Sealer(key).whole(received.blob.data)
    return replace(received, blob=replace(received.blob, data=data, sealed_size=len(data)))


def _computed(algorithm: Algorithm | None, digest: checksums.Digest | None) -> tuple[Algorithm, str] | None:
    return (algorithm, checksums.text_of(digest.digest())) if algorithm and digest else None


def verified(promise: Promise, blob: NewBlob, md5: bytes) -> Received:
    """Compares what came with what was promised. Raises: S3Error."""
    trailers: Mapping[str, str] = {}
    if promise.decoder is not None:
        if not promise.decoder.is_complete:
            raise S3Error("IncompleteBody")
        trailers = promise.decoder.trailers
    if blob.size > promise.length or (blob.size < promise.length and not promise.is_open):
        raise S3Error("IncompleteBody")
    if promise.md5 is not None and promise.md5 != md5:
        raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")
    if promise.sha256 and promise.digests[Algorithm.SHA256].digest().hex() != promise.sha256:
        raise S3Error("XAmzContentSHA256Mismatch", ClientComputedContentSHA256=promise.sha256)
    if promise.algorithm is None:
        return Received(blob, md5.hex())
    computed = checksums.text_of(promise.digests[promise.algorithm].digest())
    given = promise.value
    if promise.is_trailing:
        if promise.algorithm.header not in trailers:
            raise S3Error(
                "MalformedTrailerError", f"The trailer {promise.algorithm.header} was announced and never came."
            )
        given = trailers[promise.algorithm.header]
    if given and checksums.checked(promise.algorithm, given) != computed:
        raise S3Error("BadDigest", f"The {promise.algorithm} you specified did not match the calculated checksum.")
    return Received(blob, md5.hex(), (promise.algorithm, computed))
