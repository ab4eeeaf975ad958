"""The operations on one object: put, copy, get, head."""

from dataclasses import replace
from email.utils import formatdate
from functools import lru_cache, partial

from weyr.gateway.s3 import acl as acls
from weyr.gateway.s3.admit import acl_for
from weyr.gateway.s3.api_classes import class_asked, own_classes
from weyr.gateway.s3.api_deletes import new_version
from weyr.gateway.s3.api_lifecycle import expiration
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.conditions import check_read, range_of, write_condition
from weyr.gateway.s3.encryption import (
    check_reading,
    data_key_of,
    headers_for,
    sealing_for,
    wish_of,
)
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.locks import locked
from weyr.gateway.s3.messages import Response, Stream
from weyr.gateway.s3.metadata import meta_of, response_headers
from weyr.gateway.s3.reading import Reading, inline_data, put_body
from weyr.gateway.s3.receive import Promise
from weyr.gateway.s3.records import Bucket, Inline, Meta, Stored, Versioning, current, look, version_of
from weyr.gateway.s3.replication.queue import state_of
from weyr.gateway.s3.replication.received import moment_ms, origin_of
from weyr.gateway.s3.writes import NewObject, put

LOOKS_MAX = 5
"""An object that is replaced between the look into the index and the opening of its file is looked up again."""


async def store(call: Call, promise: Promise, body: Stream, event: str = "ObjectCreated:Put") -> Response:
    """Stores what arrives as the call's key, with what its headers ask for."""
    meta, condition = owned(call, meta_of(call.headers)), write_condition(call.headers)
    sealing, key = await sealing_for(call, wish_of(call)), None
    if sealing is not None:
        meta, key = replace(meta, encryption=sealing.record), sealing.key
    received = await call.plane.receiver.receive(body, promise, key=key)
    headers = [("ETag", f'"{received.md5}"'), *headers_for(meta.encryption, call.headers)]
    if received.checksum:
        algorithm, value = received.checksum
        meta = replace(meta, checksum=(algorithm.value, value, "FULL_OBJECT"))
        headers += [(algorithm.header, value), ("x-amz-checksum-type", "FULL_OBJECT")]
    blob = received.blob
    new = NewObject(call.key, blob.size, received.md5, moment_ms(call), new_version(), meta, (blob,), event=event)
    operation = partial(put, bucket_name=call.bucket, new=new, condition=condition, own=own_classes(call))
    try:
        done = await call.plane.index.write(operation)
    except Exception:
        call.plane.receiver.discard(blob)
        raise
    headers += expiration(done.bucket, call.key, new.size, meta, call.now_ms)
    return Response(200, headers + new_version_header(done.bucket, done.version))


async def get_object(call: Call) -> Response:
    """The object, or the range of it that is asked for."""
    for attempt in range(LOOKS_MAX):
        bucket, stored, data = _found(call, is_again=attempt > 0)
        response, start, count, key = _described(call, bucket, stored)
        if response.status == 304 or not count:
            return response
        try:
            await put_body(Reading(call.plane, bucket, stored, key), response, data, start, count)
        except FileNotFoundError:
            continue
        return response
    raise S3Error("InternalError", "The object is replaced faster than it can be read.")


async def head_object(call: Call) -> Response:
    """As a GET, without the bytes."""
    bucket, stored, _ = _found(call)
    response, _, count, _ = _described(call, bucket, stored)
    if response.status != 304:
        response.length = count
    return response


def _found(call: Call, is_again: bool = False) -> tuple[Bucket, Stored, Inline | None]:
    version = call.query.get("versionId", "")
    if version:
        stored = found(call, call.there, call.key, version)
        return call.there, stored, inline_data(call.plane, stored)
    if call.looked_up and not is_again:
        return call.there, _visible(call.key, call.looked_up[0]), call.looked_up[1]
    bucket, there, data = look(call.plane.index, call.bucket, call.key)
    return bucket, _visible(call.key, there), data


def located(call: Call) -> tuple[Bucket, Stored]:
    """The call's bucket and the version of its key that it names. Raises: S3Error where there is none."""
    return call.there, found(call, call.there, call.key, call.query.get("versionId", ""))


def owned(call: Call, meta: Meta) -> Meta:
    """What is kept of an object that the call puts, with whose it will be and how it is locked. Raises: S3Error."""
    owner, acl = acl_for(call)
    asked = class_asked(call)
    meta = replace(meta, owner=owner, acl="" if acl is None else acls.text_of(acl), replica=origin_of(call))
    meta = meta if asked is None else replace(meta, storage_class=asked)
    return locked(call.there, call.headers, meta, call.now_ms)


def _visible(key: str, there: Stored | None) -> Stored:
    if there is None or there.is_marker:
        error = S3Error("NoSuchKey", Key=key)
        error.headers = [("x-amz-delete-marker", "true" if there else "false")]
        if there:
            error.headers.append(("x-amz-version-id", there.version))
        raise error
    return there


def version_or_current(call: Call, bucket: Bucket, key: str, version: str) -> Stored | None:
    """The version asked for, "" for the current one; a marker too, and None where there is none."""
    index = call.plane.index
    return version_of(index, bucket.id, key, version) if version else current(index, bucket.id, key)


def found(call: Call, bucket: Bucket, key: str, version: str) -> Stored:
    """The version asked for, "" for the current one. Raises: S3Error, for delete markers too."""
    if not version:
        return _visible(key, current(call.plane.index, bucket.id, key))
    stored = version_of(call.plane.index, bucket.id, key, version)
    if stored is None:
        raise S3Error("NoSuchVersion", Key=key, VersionId=version)
    if stored.is_marker:
        error = S3Error("MethodNotAllowed", ResourceType="DeleteMarker", Method=call.request.method)
        error.headers = [("x-amz-delete-marker", "true"), ("x-amz-version-id", version), ("Allow", "DELETE")]
        raise error
    return stored


def _described(call: Call, bucket: Bucket, stored: Stored) -> tuple[Response, int, int, bytes | None]:
    """The answer's head, (start, count) of the bytes that belong to it, and what opens them."""
    check_reading(call.headers)
    checksum = stored.meta.checksum if call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED" else None
    headers = [
        ("Last-Modified", http_date(stored.modified_ms // 1000)),
        *version_header(bucket, stored.version),
    ]
    if "versionId" not in call.query:
        headers += _replication(call, bucket, stored)
        headers += expiration(bucket, stored.key, stored.size, stored.meta, stored.modified_ms)
    check_read(call.headers, stored.etag, stored.modified_ms)
    start, count, status = 0, stored.size, 200
    if "partNumber" in call.query:
        start, count = _part_of(call, stored)
        status = 206
        if stored.meta.parts:
            headers.append(("x-amz-mp-parts-count", str(stored.meta.parts)))
            checksum = checksum and _part_checksum(stored, call.number("partNumber", 0, 10_001))
    elif "range" in call.headers and (piece := range_of(call.headers["range"], stored.size)):
        start, count = piece
        status, checksum = 206, None  # that of the whole beside a piece of it would be verified by clients, and fail
    if status == 206:
        headers.append(("Content-Range", f"bytes {start}-{start + count - 1}/{stored.size}"))
    key = data_key_of(call, bucket, stored.key, stored.meta.encryption)
    headers += response_headers(stored, call.query, checksum) + headers_for(stored.meta.encryption, call.headers)
    return Response(status, headers), start, count, key


def _replication(call: Call, bucket: Bucket, stored: Stored) -> list[tuple[str, str]]:
    """Whether the replicas have the current version."""
    state = state_of(call.plane.index, bucket, stored.key, stored.meta, stored.modified_ms)
    return [("x-amz-replication-status", state)] if state else []


@lru_cache(maxsize=4096)
def http_date(at_s: int) -> str:
    return formatdate(at_s, usegmt=True)


def _part_of(call: Call, stored: Stored) -> tuple[int, int]:
    number = call.number("partNumber", 0, 10_001)
    if stored.meta.parts == 0 and number == 1:
        return 0, stored.size
    if not 1 <= number <= stored.meta.parts:
        raise S3Error("InvalidPart", "The requested partnumber is not satisfiable")
    sizes = [segment.size for segment in stored.segments]
    return sum(sizes[: number - 1]), sizes[number - 1]


def _part_checksum(stored: Stored, number: int) -> tuple[str, str, str] | None:
    if stored.meta.checksum is None or not stored.meta.part_checksums:
        return None
    algorithm, _, kind = stored.meta.checksum
    return algorithm, stored.meta.part_checksums[number - 1], kind


def new_version_header(bucket: Bucket, version: str) -> list[tuple[str, str]]:
    """The header of a version that was just made. Where versioning is suspended none is, as Ceph has it."""
    return [("x-amz-version-id", version)] if bucket.versioning == Versioning.ENABLED else []


def version_header(bucket: Bucket, version: str) -> list[tuple[str, str]]:
    """The version's header, where the bucket keeps versions."""
    return [] if bucket.versioning == Versioning.OFF else [("x-amz-version-id", version)]
