"""The operation that tells about an object without its bytes or its metadata: GetObjectAttributes."""

from weyr.gateway.s3.api_objects import http_date, located, version_header
from weyr.gateway.s3.call import Call, xml_response
from weyr.gateway.s3.encryption import data_key_of, headers_for
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.records import Stored
from weyr.gateway.s3.xml import Content

ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
PARTS_MAX = 1000


async def get_attributes(call: Call) -> Response:
    """What the request's header asks for, and no more."""
    asked = {name.strip() for name in call.headers.get("x-amz-object-attributes", "").split(",")}
    if not asked <= set(ATTRIBUTES):
        raise S3Error("InvalidArgument", "Invalid attribute name specified.", ArgumentName="x-amz-object-attributes")
    bucket, stored = located(call)
    data_key_of(call, bucket, stored.key, stored.meta.encryption)
    known: dict[str, Content] = {
        "ETag": stored.etag,
        "Checksum": _checksum(stored),
        "ObjectParts": _parts(call, stored),
        "StorageClass": stored.meta.storage_class or "STANDARD",
        "ObjectSize": stored.size,
    }
    response = xml_response(
        "GetObjectAttributesResponse", *((name, known[name]) for name in ATTRIBUTES if name in asked)
    )
    response.headers += [
        ("Last-Modified", http_date(stored.modified_ms // 1000)),
        *version_header(bucket, stored.version),
        *headers_for(stored.meta.encryption, call.headers),
    ]
    return response


def _checksum(stored: Stored) -> Content:
    if stored.meta.checksum is None:
        return None
    algorithm, value, kind = stored.meta.checksum
    return [(f"Checksum{algorithm}", value), ("ChecksumType", kind)]


def _parts(call: Call, stored: Stored) -> Content:
    """A page of the parts that a multipart upload was completed from, each with its checksum if there were any."""
    after = _number(call, "x-amz-part-number-marker", 0)
    limit = min(_number(call, "x-amz-max-parts", PARTS_MAX), PARTS_MAX)
    if not stored.meta.parts:
        return None
    numbered = list(enumerate(stored.segments, 1))[after : after + limit]
    last = numbered[-1][0] if numbered else after
    content: list[tuple[str, Content]] = [
        ("PartsCount", stored.meta.parts),
        ("PartNumberMarker", after),
        ("NextPartNumberMarker", last),
        ("MaxParts", limit),
        ("IsTruncated", last < stored.meta.parts),
    ]
    return [*content, *(("Part", _part(stored, number, part.size)) for number, part in numbered)]


def _part(stored: Stored, number: int, size_bytes: int) -> Content:
    content: list[tuple[str, Content]] = [("PartNumber", number), ("Size", size_bytes)]
    if stored.meta.checksum and stored.meta.part_checksums:
        content.append((f"Checksum{stored.meta.checksum[0]}", stored.meta.part_checksums[number - 1]))
    return content


def _number(call: Call, header: str, default: int) -> int:
    text = call.headers.get(header, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise S3Error("InvalidArgument", f"{header} must be a whole number.", ArgumentName=header, ArgumentValue=text)
    return int(text)
