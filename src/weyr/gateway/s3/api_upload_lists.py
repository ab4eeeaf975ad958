"""The operations that list multipart uploads, and the parts of one."""

from weyr.gateway.s3 import uploads
from weyr.gateway.s3.accounts import Account
from weyr.gateway.s3.api_lifecycle import abortion
from weyr.gateway.s3.api_lists import Encoder, encoder_of
from weyr.gateway.s3.call import Call, owner_content, xml_response
from weyr.gateway.s3.encryption import CUSTOMER, customer_key, data_key_of
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.uploads import Part, Upload
from weyr.gateway.s3.xml import Content, timestamp

PAGE_MAX = 1000


async def list_parts(call: Call) -> Response:
    bucket = call.there
    upload = uploads.upload_of(call.plane.index, bucket.id, call.key, call.query["uploadId"])
    if customer_key(call.headers, CUSTOMER) is not None:
        data_key_of(call, bucket, call.key, upload.meta.encryption)  # whoever brings a key brings the upload's
    after, limit = call.number("part-number-marker", 0, 10_000), call.number("max-parts", PAGE_MAX, PAGE_MAX)
    found = uploads.parts_after(call.plane.index, upload.id, after, limit + 1)
    shown = found[:limit]
    algorithm = upload.checksum[0].value if upload.checksum else ""
    content: list[tuple[str, Content]] = [
        ("Bucket", call.bucket),
        ("Key", call.key),
        ("UploadId", upload.id),
        ("Initiator", owner_content(call.plane.accounts.of(upload.owner))),
        ("Owner", owner_content(_owner_of(call, upload))),
        ("StorageClass", upload.meta.storage_class or "STANDARD"),
        ("ChecksumAlgorithm", algorithm or None),
        ("ChecksumType", upload.checksum[1].value if upload.checksum else None),
        ("PartNumberMarker", after),
        ("NextPartNumberMarker", shown[-1].number if shown else 0),
        ("MaxParts", limit),
        ("IsTruncated", len(found) > limit),
    ]
    rows = (("Part", _part_content(part, algorithm)) for part in shown)
    response = xml_response("ListPartsResult", *content, *rows)
    response.headers += abortion(bucket, call.key, upload.created_ms)
    return response


def _part_content(part: Part, algorithm: str) -> Content:
    content: list[tuple[str, Content]] = [
        ("PartNumber", part.number),
        ("LastModified", timestamp(part.modified_ms)),
        ("ETag", f'"{part.etag}"'),
        ("Size", part.size),
    ]
    return [*content, (f"Checksum{algorithm}", part.checksum)] if algorithm and part.checksum else content


async def list_uploads(call: Call) -> Response:
    """The uploads that are not finished, by key; those under a common prefix as one line."""
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    marker, upload_marker = call.query.get("key-marker", ""), call.query.get("upload-id-marker", "")
    encode, limit = encoder_of(call), call.number("max-uploads", PAGE_MAX, PAGE_MAX)
    page = uploads.page(call.plane.index, call.there.id, prefix, delimiter, (marker, upload_marker), limit)
    content: list[tuple[str, Content]] = [
        ("Bucket", call.bucket),
        ("KeyMarker", encode(marker)),
        ("UploadIdMarker", upload_marker),
        ("NextKeyMarker", encode(page.last[0]) if page.is_truncated else None),
        ("NextUploadIdMarker", page.last[1] if page.is_truncated else None),
        ("Prefix", encode(prefix)),
        ("Delimiter", encode(delimiter) if delimiter else None),
        ("EncodingType", call.query.get("encoding-type")),
        ("MaxUploads", limit),
        ("IsTruncated", page.is_truncated),
    ]
    rows = (_row(call, item, encode) for item in page.items)
    return xml_response("ListMultipartUploadsResult", *content, *rows)


def _row(call: Call, item: Upload | str, encode: Encoder) -> tuple[str, Content]:
    if isinstance(item, str):
        return "CommonPrefixes", [("Prefix", encode(item))]
    return "Upload", _upload_content(call, item, encode(item.key))


def _owner_of(call: Call, upload: Upload) -> Account:
    """Whose the object will be."""
    return call.plane.accounts.of(upload.meta.owner) if upload.meta.owner else call.owner


def _upload_content(call: Call, upload: Upload, key: str) -> Content:
    return [
        ("Key", key),
        ("UploadId", upload.id),
        ("Initiator", owner_content(call.plane.accounts.of(upload.owner))),
        ("Owner", owner_content(_owner_of(call, upload))),
        ("StorageClass", upload.meta.storage_class or "STANDARD"),
        ("Initiated", timestamp(upload.created_ms)),
        ("ChecksumAlgorithm", upload.checksum[0].value if upload.checksum else None),
        ("ChecksumType", upload.checksum[1].value if upload.checksum else None),
    ]
