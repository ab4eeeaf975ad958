"""The operations that copy an object: what they read from, and what is written anew for them."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qs

from weyr.gateway.s3.admit import need_source
from weyr.gateway.s3.api_classes import class_asked, is_class_kept, own_classes
from weyr.gateway.s3.api_deletes import new_version
from weyr.gateway.s3.api_lifecycle import expiration
from weyr.gateway.s3.api_objects import found, new_version_header, owned, store, version_or_current
from weyr.gateway.s3.call import Call, checked_key, decoded, xml_response
from weyr.gateway.s3.checksums import algorithm_named
from weyr.gateway.s3.conditions import check_read, write_condition
from weyr.gateway.s3.encryption import (
    CUSTOMER,
    SOURCE_CUSTOMER,
    SSE,
    data_key_of,
    headers_for,
    sealing_for,
    wish_of,
)
from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.folders.setting import FOLDER
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.metadata import meta_of
from weyr.gateway.s3.reading import Reading, copied
from weyr.gateway.s3.receive import promise_of
from weyr.gateway.s3.records import Bucket, Stored, Versioning, bucket_named
from weyr.gateway.s3.remote.bringing import is_elsewhere
from weyr.gateway.s3.remote.reads import object_at, stored_of
from weyr.gateway.s3.remote.tiers import is_away
from weyr.gateway.s3.replication.received import moment_ms
from weyr.gateway.s3.writes import NewObject, SourceGone, put
from weyr.gateway.s3.xml import Content, timestamp

COPIED = "ObjectCreated:Copy"
COPY_BYTES_MAX = 5 * 2**30
"""Of a copy that has to be written; S3 sets it for every copy."""
LOOKED_UP_AGAIN_MAX = 10
"""How often a source may move while it is copied: each time it has gone to another class."""


class Source:
    """What a copy reads from: checked that the caller may, and that its conditions hold."""

    __slots__ = ("bucket", "is_current", "stored")

    def __init__(self, bucket: Bucket, stored: Stored, is_current: bool) -> None:
        self.bucket = bucket
        self.stored = stored
        self.is_current = is_current


async def put_object(call: Call) -> Response:
    """Stores the body under the key; answered once it is on disk."""
    if "x-amz-copy-source" in call.headers:
        return await copy_object(call)
    return await store(call, promise_of(call.headers, call.caller), call.request.body)


async def copy_object(call: Call) -> Response:
    """A new object over the source's blobs: nothing is read or written but the index.

    Bytes are read only where one of both is encrypted and the other is not, or for a checksum that is not known.
    A source that goes to a tier meanwhile is looked up again: it was moved, and not removed.
    """
    for _ in range(LOOKED_UP_AGAIN_MAX):
        with suppress(SourceGone):
            return await _copy_object(call)
    return await _copy_object(call)


async def _copy_object(call: Call) -> Response:
    source, wish = await source_of(call), wish_of(call)
    is_replacing = directive(call, "x-amz-metadata-directive")
    is_onto_itself = source.bucket.name == call.bucket and source.stored.key == call.key
    is_changing = is_replacing or any(name in call.headers for name in (SSE, f"{CUSTOMER}key"))
    is_changing = is_changing or class_asked(call) not in (None, source.stored.meta.storage_class)
    if is_onto_itself and not is_changing and source.is_current:
        message = "This copy request is illegal because it is trying to copy an object to itself without changing"
        raise S3Error("InvalidRequest", f"{message} the object's metadata.")
    given, kept = meta_of(call.headers), source.stored.meta
    headers = given.headers if is_replacing else kept.headers
    tags = given.tags if directive(call, "x-amz-tagging-directive") else kept.tags
    kept_class = kept.storage_class if is_class_kept(call, source.bucket, source.stored) else ""
    kept = replace(kept, upload="", lock_mode="", lock_until_ms=0, hold="", storage_class=kept_class)
    meta = owned(call, replace(kept, headers=headers, tags=tags))
    stored, condition = source.stored, write_condition(call.headers)
    source_key = data_key_of(call, source.bucket, stored.key, kept.encryption, SOURCE_CUSTOMER)
    sealing = await sealing_for(call, wish, source_key)
    meta = replace(meta, encryption=sealing.record if sealing else None)
    new = NewObject(
        call.key, stored.size, stored.etag, moment_ms(call), new_version(), meta, (), stored.segments, COPIED
    )
    is_far = is_elsewhere(source.bucket)
    is_to_come = is_away(stored) and not (meta.storage_class and is_class_kept(call, source.bucket, stored))
    if is_far or is_to_come or (source_key is None) != (sealing is None) or _is_checksum_missing(call, stored):
        new = await _written_anew(call, new, source, source_key, sealing.key if sealing else None)
    operation = partial(put, bucket_name=call.bucket, new=new, condition=condition, own=own_classes(call))
    try:
        done = await call.plane.index.write(operation)
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
    call: Call, new: NewObject, source: Source, source_key: bytes | None, key: bytes | None
) -> NewObject:
    """The copy over a blob of its own: it is one piece whatever the source was made of."""
    if new.size > COPY_BYTES_MAX:
        message = "The specified copy source is larger than the maximum allowable size for a copy source:"
        raise S3Error("InvalidRequest", f"{message} {COPY_BYTES_MAX}")
    asked = call.headers.get("x-amz-checksum-algorithm") or (new.meta.checksum[0] if new.meta.checksum else None)
    algorithm = algorithm_named(asked) if asked else None
    what = Reading(call.plane, source.bucket, source.stored, source_key)
    received = await copied(what, (0, new.size), algorithm, key, is_part=False)
    checksum = (received.checksum[0].value, received.checksum[1], "FULL_OBJECT") if received.checksum else None
    meta = replace(new.meta, parts=0, part_checksums=(), checksum=checksum)
    return replace(new, etag=received.md5, meta=meta, blobs=(received.blob,), segments=())


def source_named(call: Call) -> tuple[str, str, str]:
    """The bucket, the key and the version ("" for the current one) that x-amz-copy-source names. Raises: S3Error."""
    path, _, query = call.headers["x-amz-copy-source"].partition("?")
    name, slash, key = decoded(path).removeprefix("/").partition("/")
    if not slash or not name or not key:
        raise S3Error("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    return name, key, (parse_qs(query).get("versionId") or [""])[0]


async def source_of(call: Call) -> Source:
    """The object of our own that x-amz-copy-source names. Raises: S3Error."""
    name, key, version = source_named(call)
    bucket = bucket_named(call.plane.index, name)
    if FOLDER in bucket.settings:
        raise not_implemented("copies out of a folder that is served as a bucket; get and put it")
    if is_elsewhere(bucket):
        if version not in ("", "null"):
            raise not_implemented("versions of a bucket that is elsewhere")
        need_source(call, bucket, checked_key(key), None, "")
        far = stored_of(await object_at(call.plane.outside.of_bucket(bucket), key))
        check_read(call.headers, far.etag, far.modified_ms, "x-amz-copy-source-")
        return Source(bucket, far, is_current=True)
    there = version_or_current(call, bucket, checked_key(key), version)
    need_source(call, bucket, key, None if there is None or there.is_marker else there, version)
    if there is not None and there.is_marker and version:
        raise S3Error(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        )
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
