"""The operations on one object: put, copy, get, head."""

from dataclasses import replace
from email.utils import formatdate
from functools import lru_cache, partial
from urllib.parse import parse_qs

from weyr.gateway.s3 import acl as acls
from weyr.gateway.s3.admit import acl_for, need_source
from weyr.gateway.s3.api_deletes import new_version
from weyr.gateway.s3.api_lifecycle import expiration
from weyr.gateway.s3.call import Call, checked_key, decoded, xml_response
from weyr.gateway.s3.checksums import algorithm_named
from weyr.gateway.s3.conditions import check_read, range_of, write_condition
from weyr.gateway.s3.encryption import (
    CUSTOMER,
    SOURCE_CUSTOMER,
    SSE,
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
from weyr.gateway.s3.reading import copied, inline_data, put_body
from weyr.gateway.s3.receive import Promise, promise_of
from weyr.gateway.s3.records import Bucket, Meta, Stored, Versioning, bucket_named, current, look, version_of
from weyr.gateway.s3.writes import NewObject, put
from weyr.gateway.s3.xml import Content, timestamp

COPIED = "ObjectCreated:Copy"
COPY_BYTES_MAX = 5 * 2**30
"""Of a copy that has to be written; S3 sets it for every copy."""
LOOKS_MAX = 5
"""An object that is replaced between the look into the index and the opening of its file is looked up again."""


async def put_object(call: Call) -> Response:
    """Stores the body under the key; answered once it is on disk."""
    if "x-amz-copy-source" in call.headers:
        return await copy_object(call)
    return await store(call, promise_of(call.headers, call.caller), call.request.body)


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
    new = NewObject(call.key, blob.size, received.md5, call.now_ms, new_version(), meta, (blob,), event=event)
    name = call.bucket
    try:
        done = await call.plane.index.write(partial(put, bucket_name=name, new=new, condition=condition))
    except Exception:
        call.plane.receiver.discard(blob)
        raise
    headers += expiration(done.bucket, call.key, new.size, meta, call.now_ms)
    return Response(200, headers + new_version_header(done.bucket, done.version))


async def copy_object(call: Call) -> Response:
    """A new object over the source's blobs: nothing is read or written but the index.

    Bytes are read only where one of both is encrypted and the other is not, or for a checksum that is not known.
    """
    source, wish = source_of(call), wish_of(call)
    is_replacing = directive(call, "x-amz-metadata-directive")
    is_onto_itself = source.bucket.name == call.bucket and source.stored.key == call.key
    is_changing = is_replacing or any(name in call.headers for name in (SSE, f"{CUSTOMER}key"))
    if is_onto_itself and not is_changing and source.is_current:
        message = "This copy request is illegal because it is trying to copy an object to itself without changing"
        raise S3Error("InvalidRequest", f"{message} the object's metadata.")
    given, kept = meta_of(call.headers), source.stored.meta
    headers = given.headers if is_replacing else kept.headers
    tags = given.tags if directive(call, "x-amz-tagging-directive") else kept.tags
    meta = owned(call, replace(kept, headers=headers, tags=tags, upload="", lock_mode="", lock_until_ms=0, hold=""))
    stored, condition, name = source.stored, write_condition(call.headers), call.bucket
    source_key = data_key_of(call, source.bucket, stored.key, kept.encryption, SOURCE_CUSTOMER)
    sealing = await sealing_for(call, wish, source_key)
    meta = replace(meta, encryption=sealing.record if sealing else None)
    new = NewObject(call.key, stored.size, stored.etag, call.now_ms, new_version(), meta, (), stored.segments, COPIED)
    if (source_key is None) != (sealing is None) or _is_checksum_missing(call, stored):
        new = await _written_anew(call, new, source, source_key, sealing.key if sealing else None)
    try:
        done = await call.plane.index.write(partial(put, bucket_name=name, new=new, condition=condition))
    except Exception:
        for blob in new.blobs:
            call.plane.receiver.discard(blob)
        raise
    content: list[tuple[str, Content]] = [("LastModified", timestamp(call.now_ms)), ("ETag", f'"{new.etag}"')]
    if new.meta.checksum:
        algorithm, value, kind = new.meta.checksum
        content += [(f"Checksum{algorithm}", value), ("ChecksumType", kind)]
    response = xml_response("CopyObjectResult", *content)
    response.headers += [*new_version_header(done.bucket, done.version), *headers_for(meta.encryption, call.headers)]
    response.headers += expiration(done.bucket, call.key, new.size, meta, call.now_ms)
    if source.bucket.versioning != Versioning.OFF:
        response.headers.append(("x-amz-copy-source-version-id", stored.version))
    return response


def _is_checksum_missing(call: Call, stored: Stored) -> bool:
    """Whether the copy is to have a checksum of the whole by an algorithm that the source has none by."""
    asked = call.headers.get("x-amz-checksum-algorithm")
    kept = stored.meta.checksum
    return asked is not None and (kept is None or (kept[0], kept[2]) != (algorithm_named(asked).value, "FULL_OBJECT"))


async def _written_anew(
    call: Call, new: NewObject, source: "Source", source_key: bytes | None, key: bytes | None
) -> NewObject:
    """The copy over a blob of its own: it is one piece whatever the source was made of."""
    if new.size > COPY_BYTES_MAX:
        message = "The specified copy source is larger than the maximum allowable size for a copy source:"
        raise S3Error("InvalidRequest", f"{message} {COPY_BYTES_MAX}")
    asked = call.headers.get("x-amz-checksum-algorithm") or (new.meta.checksum[0] if new.meta.checksum else None)
    algorithm = algorithm_named(asked) if asked else None
    received = await copied(call.plane, source.stored, source_key, (0, new.size), algorithm, key, is_part=False)
    checksum = (received.checksum[0].value, received.checksum[1], "FULL_OBJECT") if received.checksum else None
    meta = replace(new.meta, parts=0, part_checksums=(), checksum=checksum)
    return replace(new, etag=received.md5, meta=meta, blobs=(received.blob,), segments=())


async def get_object(call: Call) -> Response:
    """The object, or the range of it that is asked for."""
    for attempt in range(LOOKS_MAX):
        bucket, stored, data = _found(call, is_again=attempt > 0)
        response, start, count, key = _described(call, bucket, stored)
        if response.status == 304 or not count:
            return response
        try:
            await put_body(call.plane, response, stored, data, key, start, count)
        except FileNotFoundError:
            continue
        return response
    raise S3Error("InternalError", "The object's data is missing on disk.")


async def head_object(call: Call) -> Response:
    """As a GET, without the bytes."""
    bucket, stored, _ = _found(call)
    response, _, count, _ = _described(call, bucket, stored)
    if response.status != 304:
        response.length = count
    return response


def _found(call: Call, is_again: bool = False) -> tuple[Bucket, Stored, bytes | None]:
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
    meta = replace(meta, owner=owner, acl="" if acl is None else acls.text_of(acl))
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


class Source:
    """What a copy reads from: checked that the caller may, and that its conditions hold."""

    __slots__ = ("bucket", "is_current", "stored")

    def __init__(self, bucket: Bucket, stored: Stored, is_current: bool) -> None:
        self.bucket = bucket
        self.stored = stored
        self.is_current = is_current


def source_of(call: Call) -> Source:
    """The object that x-amz-copy-source names. Raises: S3Error."""
    path, _, query = call.headers["x-amz-copy-source"].partition("?")
    name, slash, key = decoded(path).removeprefix("/").partition("/")
    if not slash or not name or not key:
        raise S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    version = (parse_qs(query).get("versionId") or [""])[0]
    bucket = bucket_named(call.plane.index, name)
    there = version_or_current(call, bucket, checked_key(key), version)
    need_source(call, bucket, key, None if there is None or there.is_marker else there, version)
    stored = found(call, bucket, key, version)
    check_read(call.headers, stored.etag, stored.modified_ms, "x-amz-copy-source-")
    return Source(bucket, stored, is_current=not version)


def directive(call: Call, name: str) -> bool:
    """Whether a copy takes its own rather than the source's. Raises: S3Error InvalidArgument."""
    match call.headers.get(name, "COPY"):
        case "COPY":
            return False
        case "REPLACE":
            return True
        case value:
            raise S3Error("InvalidArgument", f"Unknown {name}.", ArgumentName=name, ArgumentValue=value)


def new_version_header(bucket: Bucket, version: str) -> list[tuple[str, str]]:
    """The header of a version that was just made. Where versioning is suspended none is, as Ceph has it."""
    return [("x-amz-version-id", version)] if bucket.versioning == Versioning.ENABLED else []


def version_header(bucket: Bucket, version: str) -> list[tuple[str, str]]:
    """The version's header, where the bucket keeps versions."""
    return [] if bucket.versioning == Versioning.OFF else [("x-amz-version-id", version)]
