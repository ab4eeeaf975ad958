"""How does the index change over a multipart upload's life? Operations for the writer, questions for the reader."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from weyr.gateway.s3 import checksums
from weyr.gateway.s3.checksums import Algorithm, ChecksumType
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.listing import PAST
from weyr.gateway.s3.records import (
    Meta,
    Reader,
    Row,
    Segment,
    bucket_named,
    current,
    segments_of,
    segments_text,
)
from weyr.gateway.s3.remote.own_tiers import check_class
from weyr.gateway.s3.writes import NewBlob, NewObject, Put, WriteCondition, add_blob, insert, release

PART_MIN_BYTES = 5 * 2**20
PARTS_MAX = 10_000
FOLDED_BATCH = 16
LAST_ID = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Promised:
    """What a completion says of the whole; "" and None where it says nothing."""

    algorithm: str = ""
    checksum: str = ""
    kind: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that is not finished. `meta` becomes the object's; its checksum says what the parts' are to be."""

    id: str
    bucket: int
    key: str
    created_ms: int
    owner: str
    meta: Meta

    @property
    def checksum(self) -> tuple[Algorithm, ChecksumType] | None:
        if self.meta.checksum is None:
            return None
        return Algorithm(self.meta.checksum[0]), ChecksumType(self.meta.checksum[2])


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    size: int
    etag: str
    modified_ms: int
    segments: tuple[Segment, ...]
    checksum: str


@dataclass(frozen=True, slots=True)
class NamedPart:
    """A part as the completion names it; "" for a checksum it does not give."""

    number: int
    etag: str
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class UploadPage:
    """Uploads and common prefixes together, in order. `last` is the (key, id) to go on after."""

    items: tuple[Upload | str, ...]
    is_truncated: bool
    last: tuple[str, str] = ("", "")


_UPLOAD = "SELECT id, bucket, key, created_ms, owner, meta FROM uploads"
_PART = "SELECT number, size, etag, modified_ms, segments, checksum FROM parts"


def upload_of(reader: Reader, bucket: int, key: str, upload_id: str) -> Upload:
    """Raises: S3Error NoSuchUpload."""
    row = reader.one(f"{_UPLOAD} WHERE id = ? AND bucket = ? AND key = ?", upload_id, bucket, key)
    if row is None:
        raise S3Error("NoSuchUpload", UploadId=upload_id)
    return _upload_of(row)


def uploads_after(reader: Reader, bucket: int, after: tuple[str, str], prefix: str, limit: int) -> list[Upload]:
    """Uploads of keys with `prefix`, by key and id, behind the `after` pair."""
    # What is before the prefix is jumped over; the comparison of pairs goes along the index where it begins behind.
    low = after if after[0] >= prefix else (prefix, "")
    sql = f"{_UPLOAD} WHERE bucket = ? AND (key, id) > (?, ?) AND key < ? ORDER BY key, id LIMIT ?"
    return [_upload_of(row) for row in reader.all(sql, bucket, *low, prefix + PAST, limit)]


def page(reader: Reader, bucket: int, prefix: str, delimiter: str, marker: tuple[str, str], limit: int) -> UploadPage:
    """Uploads behind the `marker` pair, folded at the delimiter. A key without an id skips every upload of it."""
    key, upload = marker
    if delimiter and key.startswith(prefix) and key.endswith(delimiter) and len(key) > len(prefix):
        key += PAST
    # No id is greater than this.
    after = key, upload or (LAST_ID if key else "")
    items: list[Upload | str] = []
    last = marker
    while len(items) <= limit:
        wanted = limit + 1 - len(items)
        # Where keys fold, all but the first of what is read may be thrown away.
        found = uploads_after(reader, bucket, after, prefix, min(wanted, FOLDED_BATCH) if delimiter else wanted)
        if not found or limit == 0:
            return UploadPage(tuple(items), False)
        for upload_there in found:
            if len(items) == limit:
                return UploadPage(tuple(items), True, last)
            cut = upload_there.key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = upload_there.key[: cut + len(delimiter)]
                items.append(common)
                last, after = (common, ""), (common + PAST, LAST_ID)
                break
            items.append(upload_there)
            last = after = upload_there.key, upload_there.id
    return UploadPage(tuple(items), False)


def parts_after(reader: Reader, upload_id: str, after: int, limit: int) -> list[Part]:
    """Parts that have come, by number, behind `after`."""
    rows = reader.all(f"{_PART} WHERE upload = ? AND number > ? ORDER BY number LIMIT ?", upload_id, after, limit)
    return [_part_of(row) for row in rows]


def begin(transaction: Transaction, bucket_name: str, upload: Upload, own: Collection[str] = ()) -> None:
    """Opens an upload. `own`: as `check_class`. What is of a class keeps its tier until it is finished."""
    bucket = bucket_named(transaction, bucket_name)
    check_class(bucket, upload.meta.storage_class, own)
    values = upload.id, bucket.id, upload.key, upload.created_ms, upload.owner, upload.meta.text()
    transaction.run("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?)", *values)


def put_part(transaction: Transaction, upload: Upload, part: Part, blob: NewBlob) -> None:
    """Takes a part; one with the same number is replaced."""
    upload_of(transaction, upload.bucket, upload.key, upload.id)
    old = transaction.one("SELECT segments FROM parts WHERE upload = ? AND number = ?", upload.id, part.number)
    if old:
        transaction.run("DELETE FROM parts WHERE upload = ? AND number = ?", upload.id, part.number)
        release(transaction, segments_of(old[0]))
    add_blob(transaction, blob)
    values = upload.id, part.number, part.size, part.etag, part.modified_ms, segments_text(part.segments), part.checksum
    transaction.run("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", *values)


def abort(transaction: Transaction, bucket_name: str, key: str, upload_id: str) -> None:
    """Drops an upload and what has come of it. Raises: S3Error NoSuchUpload."""
    bucket = bucket_named(transaction, bucket_name)
    upload = upload_of(transaction, bucket.id, key, upload_id)
    _drop(transaction, upload, kept=set())


def complete(
    transaction: Transaction,
    bucket_name: str,
    key: str,
    upload_id: str,
    named: Sequence[NamedPart],
    new: NewObject,
    condition: WriteCondition,
    promised: Promised = Promised(),  # frozen
) -> tuple[Put, NewObject]:
    """Makes the named parts one object, without touching their bytes. Gives what was done, and the object.

    Takes: `promised`, what the client says of the whole.
    Promises: asked again after it succeeded, and while its object stands, it gives the same answer.
    """
    bucket = bucket_named(transaction, bucket_name)
    there = current(transaction, bucket.id, key)
    if there and there.meta.upload == upload_id:
        again = NewObject(key, there.size, there.etag, there.modified_ms, there.version, there.meta)
        return Put(bucket, there.version), again
    upload = upload_of(transaction, bucket.id, key, upload_id)
    condition.check(there)
    parts = chosen(parts_after(transaction, upload_id, 0, PARTS_MAX), named)
    md5 = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
    checksum = whole_checksum(upload, parts, promised)
    size = sum(part.size for part in parts)
    if promised.size_bytes not in (None, size):
        raise S3Error("InvalidRequest", f"The parts are {size} bytes, and x-amz-mp-object-size is another number.")
    of_parts = tuple(part.checksum for part in parts) if checksum else ()
    meta = replace(upload.meta, upload=upload_id, parts=len(parts), checksum=checksum, part_checksums=of_parts)
    segments = tuple(segment for part in parts for segment in part.segments)
    whole = replace(new, size=size, etag=f"{md5.hexdigest()}-{len(parts)}", meta=meta)
    _drop(transaction, upload, kept={part.number for part in parts})
    return Put(bucket, insert(transaction, bucket, whole, segments, there)), whole


def chosen(have: Sequence[Part], named: Sequence[NamedPart]) -> list[Part]:
    """The parts that a completion names, of those there are. Raises: S3Error."""
    by_number = {part.number: part for part in have}
    if not named:
        raise S3Error("MalformedXML")
    if any(a.number >= b.number for a, b in pairwise(named)):
        raise S3Error("InvalidPartOrder")
    for wanted in named:
        part = by_number.get(wanted.number)
        if part is None or part.etag != wanted.etag or (wanted.checksum and part.checksum != wanted.checksum):
            raise S3Error("InvalidPart", PartNumber=str(wanted.number), ETag=wanted.etag)
    parts = [by_number[wanted.number] for wanted in named]
    for part in parts[:-1]:
        if part.size < PART_MIN_BYTES:
            raise S3Error("EntityTooSmall", PartNumber=str(part.number), ProposedSize=str(part.size))
    return parts


def whole_checksum(upload: Upload, parts: Sequence[Part], promised: Promised) -> tuple[str, str, str] | None:
    """The whole's, where the upload asked for one. Raises: S3Error where one is promised and is another, or is none."""
    if upload.checksum is None or not all(part.checksum for part in parts):
        if promised.checksum or promised.kind:
            raise S3Error("InvalidRequest", "A checksum is promised, and the upload was begun without one.")
        return None
    algorithm, kind = upload.checksum
    if promised.kind not in ("", kind.value) or promised.algorithm not in ("", algorithm.value):
        raise S3Error("InvalidRequest", f"The upload was begun with {algorithm}, {kind}, and another is promised.")
    value = checksums.joined(algorithm, kind, [(part.checksum, part.size) for part in parts])
    if promised.checksum not in ("", value, value.partition("-")[0]):
        raise S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    return algorithm.value, value, kind.value


def _drop(transaction: Transaction, upload: Upload, kept: set[int]) -> None:
    for part in parts_after(transaction, upload.id, 0, PARTS_MAX):
        if part.number not in kept:
            release(transaction, part.segments)
    # The parts go before their upload: the trigger that counts their bytes looks their bucket up in it.
    transaction.run("DELETE FROM parts WHERE upload = ?", upload.id)
    transaction.run("DELETE FROM uploads WHERE id = ?", upload.id)


def _upload_of(row: Row) -> Upload:
    number, bucket, key, created_ms, owner, meta = row
    return Upload(number, bucket, key, created_ms, owner, Meta.of(meta))


def _part_of(row: Row) -> Part:
    number, size, etag, modified_ms, segments, checksum = row
    return Part(number, size, etag, modified_ms, segments_of(segments), checksum)
