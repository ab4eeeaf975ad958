"""The operations that write a bucket which is elsewhere: PUT, copy, multipart completion, DELETE.

What comes is received and verified here first, as any object is, and then handed on; it is acknowledged when the place
has acknowledged it. The parts of a multipart upload are kept here until they are completed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from weyr.gateway.s3 import uploads
from weyr.gateway.s3.addresses import url_of
from weyr.gateway.s3.admit import need_source
from weyr.gateway.s3.api_copies import directive, source_named, source_of
from weyr.gateway.s3.api_deletes import delete_row, is_granted, wanted_in
from weyr.gateway.s3.api_uploads import named_parts, promised_in
from weyr.gateway.s3.call import Call, checked_key, xml_response
from weyr.gateway.s3.checksums import BY_HEADER
from weyr.gateway.s3.conditions import check_read, write_condition
from weyr.gateway.s3.encryption import SOURCE_CUSTOMER, data_key_of
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.kept import Kept
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.metadata import USER, meta_of
from weyr.gateway.s3.reading import Reading, copied
from weyr.gateway.s3.receive import Received, promise_of
from weyr.gateway.s3.records import bucket_named
from weyr.gateway.s3.remote.objects import CONTENT, ONE_PUT_MAX, PART_BYTES
from weyr.gateway.s3.remote.problems import RemoteAbsent, RemoteProblem
from weyr.gateway.s3.remote.reach import SETTING
from weyr.gateway.s3.remote.reads import check_version, object_at
from weyr.gateway.s3.remote.refusals import refused
from weyr.gateway.s3.writes import Deleted, WriteCondition
from weyr.gateway.s3.xml import raw_document, timestamp

if TYPE_CHECKING:
    from weyr.gateway.s3.remote.store import Remote  # it loads obstore, and is handed in

_REFUSED = (
    "x-amz-acl", "x-amz-grant-", "x-amz-object-lock", "x-amz-server-side-encryption", "x-amz-storage-class",
    "x-amz-tagging", "x-amz-copy-source-server-side-encryption",
)  # fmt: skip
"""How headers begin that a place elsewhere is not asked for."""
_HARMLESS = {
    ("x-amz-acl", "private"), ("x-amz-acl", "bucket-owner-full-control"), ("x-amz-storage-class", "STANDARD"),
    ("x-amz-tagging-directive", "COPY"),
}  # fmt: skip
AT_ONCE = 16
READ_BYTES = 2**20


async def put_object(call: Call) -> Response:
    """Stores the body at the bucket's place; answered when that has acknowledged it."""
    if "x-amz-copy-source" in call.headers:
        return await _copy(call)
    remote = call.plane.outside.of_bucket(call.there)
    headers, condition = _kept(call.headers, remote), _condition(call)
    _check_key(remote, call.key)
    received = await call.plane.receiver.receive(call.request.body, promise_of(call.headers, call.caller))
    etag = await _handed_on(call, remote, received, headers, condition)
    answer = [("ETag", f'"{etag}"')]
    if received.checksum:
        answer.append((received.checksum[0].header, received.checksum[1]))
    return Response(200, answer)


async def _handed_on(
    call: Call, remote: Remote, received: Received, headers: Mapping[str, str], condition: WriteCondition
) -> str:
    """What was received goes to the place; what lay here of it is gone afterwards. Gives the place's etag."""
    blob, plane = received.blob, call.plane
    try:
        if blob.data is not None or blob.size <= PART_BYTES or _is_asking(condition):
            if blob.size > ONE_PUT_MAX:
                raise not_implemented("conditions on objects over 64 MiB of a bucket that is elsewhere")
            data = blob.data
            if data is None:
                data = await asyncio.to_thread(plane.blobs.begun(blob.id).read_bytes)
            is_new = condition.if_none_match == "*"
            return await remote.put(call.key, data, headers, condition.if_match, is_new)
        path = plane.blobs.begun(blob.id)
        pieces = _file_pieces([(partial(os.open, path, os.O_RDONLY | os.O_CLOEXEC), blob.size)])
        return await remote.put_stream(call.key, pieces, blob.size, headers)
    except RemoteProblem as e:
        raise _refused_write(e) from e
    finally:
        plane.receiver.discard(blob)


async def _copy(call: Call) -> Response:
    """A copy into the place: made there where it has the source too, and brought there otherwise."""
    remote, condition = call.plane.outside.of_bucket(call.there), _condition(call)
    if _is_asking(condition):
        raise not_implemented("conditional copies into a bucket that is elsewhere")
    _check_key(remote, call.key)
    is_replacing, (name, key, version) = directive(call, "x-amz-metadata-directive"), source_named(call)
    given = _kept(call.headers, remote)
    bucket = bucket_named(call.plane.index, name)
    if SETTING not in bucket.settings:
        etag = await _copied_out(call, remote, given if is_replacing else None)
    else:
        if version not in ("", "null"):
            raise not_implemented("versions of a bucket that is elsewhere")
        need_source(call, bucket, checked_key(key), None, "")
        source = call.plane.outside.of_bucket(bucket)
        found = await object_at(source, key)
        check_read(call.headers, found.etag, found.modified_ms, "x-amz-copy-source-")
        try:
            if source is remote and not is_replacing:
                if key == call.key:
                    raise S3Error("InvalidRequest", "This copy onto itself would change nothing.")
                await remote.copy(key, call.key)
                etag = (await remote.head(call.key)).etag
            else:
                kept = given if is_replacing else found.headers
                pieces = _remote_pieces(source, key, found.size, found.etag)
                etag = await remote.put_stream(call.key, pieces, found.size, kept)
        except RemoteProblem as e:
            raise _refused_write(e) from e
    return xml_response("CopyObjectResult", ("LastModified", timestamp(call.now_ms)), ("ETag", f'"{etag}"'))


async def _copied_out(call: Call, remote: Remote, replaced: Mapping[str, str] | None) -> str:
    """Of an object of our own. Its bytes are opened here where they are encrypted."""
    found = await source_of(call)
    stored = found.stored
    key = data_key_of(call, found.bucket, stored.key, stored.meta.encryption, SOURCE_CUSTOMER)
    headers = _kept(stored.meta.headers, remote) if replaced is None else replaced
    what = Reading(call.plane, found.bucket, stored, key)
    received = await copied(what, (0, stored.size), None, None, is_part=False)
    return await _handed_on(call, remote, received, headers, WriteCondition())


async def create_upload(call: Call, create: Callable[[Call], Awaitable[Response]]) -> Response:
    """Opens an upload, whose parts are kept here; what the place could not keep is refused before any comes."""
    remote = call.plane.outside.of_bucket(call.there)
    _check_key(remote, call.key)
    _kept(call.headers, remote)
    return await create(call)


async def complete_upload(call: Call) -> Response:
    """Makes the parts one object at the place. They go when it has acknowledged that, and not before."""
    document = await call.xml("CompleteMultipartUpload", foreign=BY_HEADER)
    if _is_asking(_condition(call)):
        raise not_implemented("conditional completions in a bucket that is elsewhere")
    remote, plane, upload_id = call.plane.outside.of_bucket(call.there), call.plane, call.query["uploadId"]
    upload = uploads.upload_of(plane.index, call.there.id, call.key, upload_id)
    have = uploads.parts_after(plane.index, upload_id, 0, uploads.PARTS_MAX)
    parts = uploads.chosen(have, named_parts(document))
    promised = promised_in(call)
    checksum, size = uploads.whole_checksum(upload, parts, promised), sum(part.size for part in parts)
    if promised.size_bytes not in (None, size):
        raise S3Error("InvalidRequest", f"The parts are {size} bytes, and x-amz-mp-object-size is another number.")
    segments = [segment for part in parts for segment in part.segments]
    kept = Kept(plane.blobs, plane.index)
    try:
        await kept.keep([segment.blob for segment in segments])
    except FileNotFoundError as e:
        raise S3Error("NoSuchUpload", UploadId=upload_id) from e
    try:
        files = [(partial(kept.open, segment.blob), segment.size) for segment in segments]
        etag = await remote.put_stream(call.key, _file_pieces(files), size, _kept(upload.meta.headers, remote))
    except RemoteProblem as e:
        raise _refused_write(e) from e
    finally:
        kept.close()
    try:
        await plane.index.write(partial(uploads.abort, bucket_name=call.bucket, key=call.key, upload_id=upload_id))
    except S3Error as e:
        if e.code != "NoSuchUpload":  # somebody completed it too, with the same parts
            raise
    content = [("Location", url_of(call.request, call.bucket, call.key)), ("Bucket", call.bucket), ("Key", call.key)]
    content.append(("ETag", f'"{etag}"'))
    if checksum:
        content += [(f"Checksum{checksum[0]}", checksum[1]), ("ChecksumType", checksum[2])]
    return xml_response("CompleteMultipartUploadResult", *content)


async def delete_object(call: Call) -> Response:
    """Removes the key; one that is not there is no error."""
    check_version(call)
    asked = ("if-match", "x-amz-if-match-size", "x-amz-if-match-last-modified-time")
    if any(name in call.headers for name in asked):
        raise not_implemented("conditional deletions in a bucket that is elsewhere")
    await _deleted(call.plane.outside.of_bucket(call.there), call.key)
    return Response(204)


async def delete_objects(call: Call) -> Response:
    """Up to a thousand keys, each with an answer of its own."""
    wanted, is_quiet = wanted_in(await call.xml("Delete"))
    remote, slots = call.plane.outside.of_bucket(call.there), asyncio.Semaphore(AT_ONCE)

    async def one(key: str, version: str, condition: WriteCondition) -> Deleted | S3Error:
        try:
            if not is_granted(call, key, ""):
                raise S3Error("AccessDenied")
            if version not in ("", "null") or condition != WriteCondition():
                raise not_implemented("versions and conditions in a bucket that is elsewhere")
            async with slots:
                await _deleted(remote, checked_key(key))
        except S3Error as e:
            return e
        return Deleted()

    answers = await asyncio.gather(*(one(*target) for target in wanted))
    rows = [
        delete_row(key, version, answer, is_quiet) for (key, version, _), answer in zip(wanted, answers, strict=True)
    ]
    return Response(200, [("Content-Type", "application/xml")], raw_document("DeleteResult", "".join(rows)))


async def _deleted(remote: Remote, key: str) -> None:
    try:
        await remote.delete(key)
    except RemoteProblem as e:
        raise _refused_write(e) from e


def _kept(headers: Mapping[str, str], remote: Remote) -> dict[str, str]:
    """What the place is to keep with an object, by its own names. Raises: S3Error for what it cannot."""
    for name, value in headers.items():
        if name.startswith(_REFUSED) and (name, value) not in _HARMLESS:
            raise not_implemented(f"the header {name} on a bucket that is elsewhere")
    kept: dict[str, str] = {}
    names = {name.lower(): name for name in CONTENT}
    for name, value in meta_of(headers).headers.items():
        if name == "expires":
            raise not_implemented("the header expires on a bucket that is elsewhere")
        kept[names.get(name) or name.removeprefix(USER)] = value
    if not remote.keeps_headers and any(name.startswith(USER) for name in headers):
        raise not_implemented("user metadata in a folder of plain files")
    return kept


def _condition(call: Call) -> WriteCondition:
    condition = write_condition(call.headers)
    if condition.if_none_match not in ("", "*") or condition.if_match == "*":
        raise not_implemented("this condition on a bucket that is elsewhere")
    return condition


def _is_asking(condition: WriteCondition) -> bool:
    return bool(condition.if_match or condition.if_none_match)


def _check_key(remote: Remote, key: str) -> None:
    try:
        remote.check(key)
    except RemoteProblem as e:
        raise refused(e, key) from e


def _refused_write(problem: RemoteProblem) -> S3Error:
    if isinstance(problem, RemoteAbsent):
        # Nothing is missing for a write but the bucket itself.
        return S3Error("ServiceUnavailable", f"The bucket's own place is not there: {problem}")
    return refused(problem)


async def _file_pieces(files: Sequence[tuple[Callable[[], int], int]]) -> AsyncIterator[bytes]:
    """The bytes of files in order, each opened for its turn. Raises: OSError where one is shorter than it should be."""
    for opened, size in files:
        descriptor = await asyncio.to_thread(opened)
        try:
            offset = 0
            while offset < size:
                piece = await asyncio.to_thread(os.pread, descriptor, min(READ_BYTES, size - offset), offset)
                if not piece:
                    raise OSError("a blob is shorter than its index says")
                yield piece
                offset += len(piece)
        finally:
            os.close(descriptor)


async def _remote_pieces(remote: Remote, key: str, size: int, etag: str) -> AsyncIterator[bytes]:
    for start in range(0, size, PART_BYTES):
        yield await remote.get(key, start, min(PART_BYTES, size - start), etag)
