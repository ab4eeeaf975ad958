"""The operations of a multipart upload: create, put and copy parts, list, complete, abort."""

import re
import secrets
from dataclasses import replace
from functools import partial

from weyr.gateway.s3 import checksums, uploads
from weyr.gateway.s3.addresses import url_of
from weyr.gateway.s3.api_classes import own_classes
from weyr.gateway.s3.api_copies import source_of
from weyr.gateway.s3.api_deletes import new_version
from weyr.gateway.s3.api_lifecycle import abortion, expiration
from weyr.gateway.s3.api_objects import new_version_header, owned
from weyr.gateway.s3.call import Call, xml_response
from weyr.gateway.s3.checksums import ChecksumType
from weyr.gateway.s3.conditions import range_of, write_condition
from weyr.gateway.s3.encryption import SOURCE_CUSTOMER, data_key_of, headers_for, sealing_for, wish_of
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.metadata import meta_of
from weyr.gateway.s3.reading import Reading, copied
from weyr.gateway.s3.receive import Received, add_digest, promise_of
from weyr.gateway.s3.records import Meta
from weyr.gateway.s3.replication.received import moment_ms
from weyr.gateway.s3.uploads import NamedPart, Part, Promised, Upload
from weyr.gateway.s3.writes import NewObject
from weyr.gateway.s3.xml import Content, Node, timestamp

PAGE_MAX = 1000
_RANGE = re.compile("bytes=[0-9]{1,18}-[0-9]{1,18}")
COMPLETED = "ObjectCreated:CompleteMultipartUpload"
NEVER_INLINE = -1
"""Parts are always files: their object is sent file by file."""
PART_BYTES_MAX = 5 * 2**30


async def create_upload(call: Call) -> Response:
    """Opens an upload; what is kept of this request's headers becomes the object's."""
    meta = replace(owned(call, meta_of(call.headers)), checksum=_wished_checksum(call))
    sealing = await sealing_for(call, wish_of(call))
    if sealing is not None:
        meta = replace(meta, encryption=sealing.record)
    upload = Upload(secrets.token_urlsafe(24), call.there.id, call.key, call.now_ms, call.caller.principal.name, meta)
    operation = partial(uploads.begin, bucket_name=call.bucket, upload=upload, own=own_classes(call))
    await call.plane.index.write(operation)
    response = xml_response(
        "InitiateMultipartUploadResult", ("Bucket", call.bucket), ("Key", call.key), ("UploadId", upload.id)
    )
    if meta.checksum:
        response.headers += [("x-amz-checksum-algorithm", meta.checksum[0]), ("x-amz-checksum-type", meta.checksum[2])]
    response.headers += headers_for(meta.encryption, call.headers) + abortion(call.there, call.key, call.now_ms)
    return response


def _wished_checksum(call: Call) -> tuple[str, str, str] | None:
    name, kind = call.headers.get("x-amz-checksum-algorithm"), call.headers.get("x-amz-checksum-type")
    if name is None:
        if kind is not None:
            raise S3Error("InvalidRequest", "The x-amz-checksum-type header can only be used with an algorithm.")
        return None
    algorithm = checksums.algorithm_named(name)
    try:
        wished = ChecksumType(kind.upper()) if kind else checksums.default_type(algorithm)
    except ValueError as e:
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.") from e
    if not checksums.is_possible(algorithm, wished):
        raise S3Error("InvalidRequest", f"The {wished} checksum type cannot be used with the {algorithm} algorithm.")
    return algorithm.value, "", wished.value


async def put_part(call: Call) -> Response:
    """Takes one part from the body, or copies it from an object."""
    number = call.number("partNumber", 0, uploads.PARTS_MAX + 1)
    if not 1 <= number <= uploads.PARTS_MAX:
        raise S3Error("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    bucket = call.there
    upload = uploads.upload_of(call.plane.index, bucket.id, call.key, call.query["uploadId"])
    if "x-amz-copy-source" in call.headers:
        return await _copy_part(call, upload, number)
    promise = promise_of(call.headers, call.caller)
    if upload.checksum and promise.algorithm not in (None, upload.checksum[0]):
        message = f"Checksum Type mismatch occurred, expected checksum Type: {upload.checksum[0].lower()}"
        raise S3Error("InvalidRequest", message)
    add_digest(promise, upload.checksum[0] if upload.checksum else None)
    # How the parts are encrypted was said when the upload was opened; a customer has to bring its key again.
    key = data_key_of(call, bucket, call.key, upload.meta.encryption)
    received = await call.plane.receiver.receive(call.request.body, promise, NEVER_INLINE, key)
    await _keep(call, upload, number, received)
    headers = [("ETag", f'"{received.md5}"'), *headers_for(upload.meta.encryption, call.headers)]
    if received.checksum:
        headers.append((received.checksum[0].header, received.checksum[1]))
    return Response(200, headers)


async def _copy_part(call: Call, upload: Upload, number: int) -> Response:
    found = await source_of(call)
    source, key = found.stored, data_key_of(call, call.there, call.key, upload.meta.encryption)
    source_key = data_key_of(call, found.bucket, source.key, source.meta.encryption, SOURCE_CUSTOMER)
    start, count = 0, source.size
    if "x-amz-copy-source-range" in call.headers:
        text = call.headers["x-amz-copy-source-range"]
        piece = range_of(text, source.size)
        if piece is not None and _RANGE.fullmatch(text) and int(text.rpartition("-")[2]) >= source.size:
            raise S3Error("InvalidRange", ActualObjectSize=str(source.size), RangeRequested=text)
        if piece is None or text != f"bytes={piece[0]}-{piece[0] + piece[1] - 1}":
            raise S3Error("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last")
        start, count = piece
    if count > PART_BYTES_MAX:
        raise S3Error("EntityTooLarge")
    algorithm = upload.checksum[0] if upload.checksum else None
    what = Reading(call.plane, found.bucket, source, source_key)
    received = await copied(what, (start, count), algorithm, key, is_part=True)
    await _keep(call, upload, number, received)
    content: list[tuple[str, Content]] = [("LastModified", timestamp(call.now_ms)), ("ETag", f'"{received.md5}"')]
    if received.checksum:
        content.append((f"Checksum{received.checksum[0].value}", received.checksum[1]))
    response = xml_response("CopyPartResult", *content)
    response.headers += headers_for(upload.meta.encryption, call.headers)
    return response


async def _keep(call: Call, upload: Upload, number: int, received: Received) -> None:
    checksum = received.checksum[1] if received.checksum else ""
    blob = received.blob
    part = Part(number, blob.size, received.md5, call.now_ms, (blob.segment,), checksum)
    try:
        await call.plane.index.write(partial(uploads.put_part, upload=upload, part=part, blob=blob))
    except Exception:
        call.plane.receiver.discard(blob)
        raise


async def complete_upload(call: Call) -> Response:
    """Makes the parts one object. Its size, its etag and its checksum follow from theirs."""
    # A checksum in the head is that of the object.
    document = await call.xml("CompleteMultipartUpload", foreign=checksums.BY_HEADER)
    named = named_parts(document)
    condition, name, key, upload_id = write_condition(call.headers), call.bucket, call.key, call.query["uploadId"]
    _check_customer(call)
    promised = promised_in(call)
    new = NewObject(key, 0, "", moment_ms(call), new_version(), Meta(), event=COMPLETED)
    done, whole = await call.plane.index.write(
        partial(
            uploads.complete,
            bucket_name=name,
            key=key,
            upload_id=upload_id,
            named=named,
            new=new,
            condition=condition,
            promised=promised,
        )
    )
    content: list[tuple[str, Content]] = [
        ("Location", url_of(call.request, name, key)),
        ("Bucket", name),
        ("Key", key),
        ("ETag", f'"{whole.etag}"'),
    ]
    if whole.meta.checksum:
        algorithm, value, kind = whole.meta.checksum
        content += [(f"Checksum{algorithm}", value), ("ChecksumType", kind)]
    response = xml_response("CompleteMultipartUploadResult", *content)
    response.headers += new_version_header(done.bucket, done.version)
    response.headers += expiration(done.bucket, key, whole.size, whole.meta, whole.modified_ms)
    response.headers += headers_for(whole.meta.encryption, call.headers)
    return response


def promised_in(call: Call) -> Promised:
    """What the request's headers say of the whole. Raises: S3Error."""
    header = next((header for header in checksums.BY_HEADER if header in call.headers), None)
    size = call.headers.get("x-amz-mp-object-size")
    if size is not None and not re.fullmatch("[0-9]{1,18}", size):
        raise S3Error("InvalidArgument", "x-amz-mp-object-size must be a whole number.", ArgumentValue=size)
    return Promised(
        algorithm=checksums.BY_HEADER[header].value if header else "",
        checksum=call.headers[header] if header else "",
        kind=call.headers.get("x-amz-checksum-type", "").upper(),
        size_bytes=None if size is None else int(size),
    )


def _check_customer(call: Call) -> None:
    """Who completes must have the key of the parts. A completion that is asked again finds no upload and needs none."""
    try:
        upload = uploads.upload_of(call.plane.index, call.there.id, call.key, call.query["uploadId"])
    except S3Error:
        return
    data_key_of(call, call.there, call.key, upload.meta.encryption)


def named_parts(document: Node) -> list[NamedPart]:
    """The parts that a completion names. Raises: S3Error MalformedXML."""
    return [_named_part(node) for node in document.all("Part")]


def _named_part(node: Node) -> NamedPart:
    number = node.need("PartNumber").strip()
    if not number.isascii() or not number.isdigit() or len(number) > 6:
        raise S3Error("MalformedXML")
    given = [node.get(f"Checksum{algorithm}") for algorithm in checksums.Algorithm]
    return NamedPart(int(number), node.need("ETag").strip().strip('"'), next((g for g in given if g), ""))


async def abort_upload(call: Call) -> Response:
    name, key, upload_id = call.bucket, call.key, call.query["uploadId"]
    await call.plane.index.write(partial(uploads.abort, bucket_name=name, key=key, upload_id=upload_id))
    return Response(204)
