"""Which operations of S3 do the verbs use? Each as one function."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from weyr.transfer.client import Answer, Ask, Body, S3Client
from weyr.transfer.documents import (
    children,
    completion_document,
    decoded_in,
    deletion_document,
    parsed,
    seconds_in,
    text_in,
)

DELETED_AT_ONCE = 1000
Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """An object as a list or a HEAD tells of it. `modified_s` is Unix seconds."""

    key: str
    size: int
    modified_s: float
    etag: str


@dataclass(frozen=True, slots=True)
class Folder:
    """Keys that go on behind a slash, as one row of a list."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A part of an unfinished upload. `crc` is its CRC32 as S3 writes it, "" where the server keeps none."""

    number: int
    size: int
    etag: str
    crc: str


def buckets(client: S3Client) -> list[tuple[str, float]]:
    """(name, made at) of the buckets that the caller may see."""
    root = parsed(client.ask(Ask("GET")).body)
    listed = (bucket for group in children(root, "Buckets") for bucket in children(group, "Bucket"))
    return [(text_in(bucket, "Name"), seconds_in(bucket, "CreationDate")) for bucket in listed]


def listed(client: S3Client, bucket: str, prefix: str, delimiter: str = "") -> Iterator[Found | Folder]:
    """What is under a prefix, in S3's order; a page is asked for when it is needed."""
    fixed: Query = (("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix))
    if delimiter:
        fixed += (("delimiter", delimiter),)
    token = ""
    while True:
        more: Query = (("continuation-token", token),) if token else ()
        root = parsed(client.ask(Ask("GET", bucket, query=fixed + more)).body)
        rows: list[Found | Folder] = [
            Found(
                decoded_in(row, "Key"),
                int(text_in(row, "Size") or 0),
                seconds_in(row, "LastModified"),
                text_in(row, "ETag").strip('"'),
            )
            for row in children(root, "Contents")
        ]
        rows += [Folder(decoded_in(row, "Prefix")) for row in children(root, "CommonPrefixes")]
        yield from sorted(rows, key=lambda row: row.key if isinstance(row, Found) else row.prefix)
        token = text_in(root, "NextContinuationToken")
        if text_in(root, "IsTruncated") != "true" or not token:
            return


def head(client: S3Client, bucket: str, key: str, part: int | None = None) -> tuple[Found, Mapping[str, str]]:
    """An object, and the headers that tell the rest of it. Raises: S3Refused."""
    query: Query = (("partNumber", str(part)),) if part else ()
    headers = client.ask(Ask("HEAD", bucket, key, query, {"x-amz-checksum-mode": "ENABLED"})).headers
    return found_in(key, headers), headers


def found_in(key: str, headers: Mapping[str, str]) -> Found:
    """The object that an answer's headers tell of."""
    when = headers.get("last-modified", "")
    modified_s = parsedate_to_datetime(when).timestamp() if when else 0.0
    return Found(key, int(headers.get("content-length") or 0), modified_s, headers.get("etag", "").strip('"'))


def put(client: S3Client, bucket: str, key: str, body: Body, crc: str, content_type: str) -> Answer:
    """Stores an object in one request; the server compares its CRC32."""
    headers = {"x-amz-checksum-crc32": crc, "content-type": content_type}
    return client.ask(Ask("PUT", bucket, key, headers=headers, body=body))


def copy(client: S3Client, source: tuple[str, Found], bucket: str, key: str) -> None:
    """Copies at the server. Raises: S3Refused, also where the source is another by now."""
    headers = {"x-amz-copy-source": _source(source), "x-amz-copy-source-if-match": f'"{source[1].etag}"'}
    client.ask(Ask("PUT", bucket, key, headers=headers))


def copy_part(
    client: S3Client, source: tuple[str, Found], place: tuple[str, str, str], number: int, span: tuple[int, int]
) -> str:
    """Copies `span` (first, last byte) into a part of the upload at `place` (bucket, key, id). Gives its etag."""
    bucket, key, upload = place
    headers = {
        "x-amz-copy-source": _source(source),
        "x-amz-copy-source-if-match": f'"{source[1].etag}"',
        "x-amz-copy-source-range": f"bytes={span[0]}-{span[1]}",
    }
    query: Query = (("partNumber", str(number)), ("uploadId", upload))
    return text_in(parsed(client.ask(Ask("PUT", bucket, key, query, headers)).body), "ETag").strip('"')


def begin_upload(client: S3Client, bucket: str, key: str, headers: Mapping[str, str]) -> str:
    """The id of a new multipart upload."""
    return text_in(parsed(client.ask(Ask("POST", bucket, key, (("uploads", ""),), headers)).body), "UploadId")


def put_part(client: S3Client, place: tuple[str, str, str], number: int, body: Body, crc: str) -> Answer:
    """Stores one part of the upload at `place` (bucket, key, id)."""
    bucket, key, upload = place
    query: Query = (("partNumber", str(number)), ("uploadId", upload))
    return client.ask(Ask("PUT", bucket, key, query, {"x-amz-checksum-crc32": crc}, body))


def parts(client: S3Client, place: tuple[str, str, str]) -> list[Arrived]:
    """The parts that have come. Raises: S3Refused NoSuchUpload."""
    bucket, key, upload = place
    arrived: list[Arrived] = []
    marker = "0"
    while True:
        query: Query = (("uploadId", upload), ("part-number-marker", marker))
        root = parsed(client.ask(Ask("GET", bucket, key, query)).body)
        for row in children(root, "Part"):
            etag, crc = text_in(row, "ETag").strip('"'), text_in(row, "ChecksumCRC32")
            arrived.append(Arrived(int(text_in(row, "PartNumber")), int(text_in(row, "Size")), etag, crc))
        marker = text_in(root, "NextPartNumberMarker")
        if text_in(root, "IsTruncated") != "true" or not marker:
            return arrived


def complete_upload(client: S3Client, place: tuple[str, str, str], parts: Sequence[tuple[int, str, str]]) -> str:
    """Makes the parts one object. Gives the CRC32 that the server says it has, "" where it says none."""
    bucket, key, upload = place
    body = completion_document(parts)
    answer = client.ask(Ask("POST", bucket, key, (("uploadId", upload),), {"content-type": "application/xml"}, body))
    return text_in(parsed(answer.body), "ChecksumCRC32")


def abort_upload(client: S3Client, place: tuple[str, str, str]) -> None:
    bucket, key, upload = place
    client.ask(Ask("DELETE", bucket, key, (("uploadId", upload),)))


def delete_many(client: S3Client, bucket: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    """Deletes up to `DELETED_AT_ONCE` keys. Gives (key, why) of those that stayed."""
    assert len(keys) <= DELETED_AT_ONCE
    body = deletion_document(keys)
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    answer = client.ask(Ask("POST", bucket, query=(("delete", ""),), headers={"content-md5": md5}, body=body))
    failed = children(parsed(answer.body), "Error")
    return [(text_in(row, "Key"), text_in(row, "Message") or text_in(row, "Code")) for row in failed]


def _source(source: tuple[str, Found]) -> str:
    return quote(f"/{source[0]}/{source[1].key}", safe="/-_.~")
