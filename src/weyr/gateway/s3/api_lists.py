"""The operations that list what is in a bucket: objects (both versions of the call) and their versions."""

import base64
from collections.abc import Callable

from weyr.gateway.s3 import listing
from weyr.gateway.s3.call import Call, owner_content
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.folders.setting import FOLDER, page_of
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.remote.reach import SETTING
from weyr.gateway.s3.xml import Content, element, escaped, raw_document, timestamp, url_encoded

PAGE_MAX = 1000

Encoder = Callable[[str], str]


class Owners:
    """The Owner elements of a listing. They are only looked up row by row where there are several accounts."""

    def __init__(self, call: Call, is_shown: bool) -> None:
        self._accounts = call.plane.accounts
        self._is_shown = is_shown
        self._owner = element("Owner", owner_content(call.owner)) if is_shown else ""
        self.is_looked_up = is_shown and self._accounts.are_many

    def of(self, owner: str | None) -> str:
        """Takes an account's id, nothing for the bucket's owner."""
        if not owner or not self._is_shown:
            return self._owner
        return element("Owner", owner_content(self._accounts.of(owner)))


async def list_objects(call: Call) -> Response:
    """ListObjects in both its versions: they differ in how a page says where to go on."""
    is_v2 = call.query.get("list-type") == "2"
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    bucket = call.there
    encode = encoder_of(call)
    limit = call.number("max-keys", PAGE_MAX, PAGE_MAX)
    token, start = call.query.get("continuation-token"), call.query.get("start-after", "")
    if delimiter and call.query.get("allow-unordered") == "true":
        raise S3Error("InvalidArgument", "A list with a delimiter is in order.", ArgumentName="allow-unordered")
    after = (from_token(token) if token else start) if is_v2 else call.query.get("marker", "")
    owners = Owners(call, is_shown=not is_v2 or _is_fetching_owners(call))
    if FOLDER in bucket.settings:
        page = await page_of(bucket, call.plane.folders, prefix, delimiter, after, limit)
    elif SETTING in bucket.settings:
        page = await call.plane.outside.page(bucket, prefix, delimiter, after, limit)
    else:
        page = listing.page(call.plane.index, bucket.id, prefix, delimiter, after, limit, owners.is_looked_up)
    head: list[tuple[str, Content]] = [
        ("Name", call.bucket),
        ("Prefix", encode(prefix) if is_v2 or not _is_text(prefix) else prefix),
    ]
    if is_v2:
        head += [("StartAfter", encode(start) if "start-after" in call.query else None), ("ContinuationToken", token)]
        head += [("NextContinuationToken", token_of(page.last) if page.is_truncated else None)]
        head += [("KeyCount", len(page.items))]
    else:
        head += [
            ("Marker", encode(after)),
            ("NextMarker", encode(page.last) if page.is_truncated and delimiter else None),
        ]
    head += [("MaxKeys", limit), ("Delimiter", encode(delimiter) if delimiter else None)]
    head += [("EncodingType", call.query.get("encoding-type")), ("IsTruncated", page.is_truncated)]
    rows = [_item(item, encode, owners) for item in page.items]
    inner = "".join(element(name, value) for name, value in head)
    body = raw_document("ListBucketResult", inner + "".join(rows))
    return Response(200, [("Content-Type", "application/xml")], body)


def _item(item: listing.Entry | str, encode: Encoder, owners: "Owners") -> str:
    if isinstance(item, str):
        return f"<CommonPrefixes><Prefix>{escaped(encode(item))}</Prefix></CommonPrefixes>"
    return (
        f"<Contents><Key>{escaped(encode(item.key))}</Key><LastModified>{timestamp(item.modified_ms)}</LastModified>"
        f"<ETag>&quot;{item.etag}&quot;</ETag><Size>{item.size}</Size>{owners.of(item.owner)}"
        f"<StorageClass>{item.storage_class or 'STANDARD'}</StorageClass></Contents>"
    )


async def list_versions(call: Call) -> Response:
    """ListObjectVersions: every version and delete marker, keys in order and newest first."""
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    bucket = call.there
    encode = encoder_of(call)
    limit = call.number("max-keys", PAGE_MAX, PAGE_MAX)
    marker = call.query.get("key-marker", ""), call.query.get("version-id-marker", "")
    if marker[1] and not marker[0]:
        message = "A version-id marker cannot be specified without a key marker."
        raise S3Error("InvalidArgument", message, ArgumentName="version-id-marker", ArgumentValue=marker[1])
    owners = Owners(call, is_shown=True)
    page = listing.version_page(call.plane.index, bucket.id, prefix, delimiter, marker, limit, owners.is_looked_up)
    head: list[tuple[str, Content]] = [
        ("Name", call.bucket),
        ("Prefix", encode(prefix)),
        ("KeyMarker", encode(marker[0])),
        ("VersionIdMarker", marker[1]),
        ("NextKeyMarker", encode(page.last[0]) if page.is_truncated else None),
        ("NextVersionIdMarker", page.last[1] if page.is_truncated and page.last[1] else None),
        ("MaxKeys", limit),
        ("Delimiter", encode(delimiter) if delimiter else None),
        ("EncodingType", call.query.get("encoding-type")),
        ("IsTruncated", page.is_truncated),
    ]
    inner = "".join(element(name, value) for name, value in head)
    rows = "".join(_version_item(item, encode, owners) for item in page.items)
    body = raw_document("ListVersionsResult", inner + rows)
    return Response(200, [("Content-Type", "application/xml")], body)


def _version_item(item: listing.VersionEntry | str, encode: Encoder, owners: "Owners") -> str:
    if isinstance(item, str):
        return f"<CommonPrefixes><Prefix>{escaped(encode(item))}</Prefix></CommonPrefixes>"
    name = "DeleteMarker" if item.is_marker else "Version"
    size = None if item.is_marker else item.size
    return (
        f"<{name}>"
        + element("Key", encode(item.key))
        + element("VersionId", item.version)
        + element("IsLatest", item.is_latest)
        + element("LastModified", timestamp(item.modified_ms))
        + ("" if item.is_marker else element("ETag", f'"{item.etag}"'))
        + element("Size", size)
        + ("" if item.is_marker else element("StorageClass", item.storage_class or "STANDARD"))
        + f"{owners.of(item.owner)}</{name}>"
    )


def encoder_of(call: Call) -> Encoder:
    """How keys are written: percent-encoded where the caller asks for it. Raises: S3Error InvalidArgument."""
    match call.query.get("encoding-type"):
        case None:
            return str
        case "url":
            return url_encoded
        case _:
            raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request")


def _is_fetching_owners(call: Call) -> bool:
    text = call.query.get("fetch-owner", "").lower()
    if text not in ("", "true", "false"):
        raise S3Error("InvalidArgument", "fetch-owner is true or false.", ArgumentName="fetch-owner")
    return text == "true"


def _is_text(prefix: str) -> bool:
    """Whether XML can hold it. SDKs decode every part of the first version's answer but the prefix."""
    return all(c >= " " or c in "\t\n\r" for c in prefix)


def token_of(last: str) -> str:
    """A continuation token: opaque to clients."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def from_token(token: str) -> str:
    """The other way round. Raises: S3Error InvalidArgument."""
    try:
        return base64.b64decode(token, b"-_", validate=True).decode()
    except ValueError as e:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect") from e
