"""Which tiers has a bucket of its own, and which tier do objects of a storage class go to?

A bucket's own tiers are among its settings, by class. Wherever a tier is named, in the index or in the file of keys,
one of a bucket is `BUCKET.CLASS` and one of the whole plane `CLASS`: no class has a dot, and no bucket capitals.
"""

import json
import re
import sqlite3
from collections.abc import Collection, Mapping, Sequence

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import Bucket, Reader, Segment

SETTING = "tiers"
"""Among a bucket's settings: a JSON object of classes and the URLs of their places."""


_CLASS = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def is_class(name: str) -> bool:
    """Whether a tier may be called so: as S3 writes storage classes, and not as what needs no tier."""
    return bool(_CLASS.fullmatch(name)) and name != "STANDARD"


def urls_in(settings: Mapping[str, str]) -> Mapping[str, str]:
    """Class → where its objects go, of a bucket with these settings."""
    text = settings.get(SETTING)
    found: dict[str, str] = json.loads(text) if text else {}
    return found


def check_class(bucket: Bucket, storage_class: str, own: Collection[str]) -> None:
    """Refuses a class whose tier went while its bytes were on their way: it would be billed as what it is not.

    Takes: `own`, the classes that had a tier of the bucket's own when the request was let in.
    Raises: S3Error InvalidStorageClass.
    """
    if storage_class in own and storage_class not in urls_in(bucket.settings):
        message = f"The storage class {storage_class!r} went from this bucket while the object was on its way."
        raise S3Error("InvalidStorageClass", message, StorageClassRequested=storage_class)


def tier_of(bucket: Bucket, storage_class: str) -> str:
    """The tier that objects of a class go to: the bucket's own of that name, or else the plane's."""
    is_own = SETTING in bucket.settings and storage_class in urls_in(bucket.settings)
    return f"{bucket.name}.{storage_class}" if is_own else storage_class


def class_of(tier: str) -> str:
    """The storage class of what is at a tier."""
    return tier.rpartition(".")[2]


def url_of(reader: Reader, tier: str) -> str:
    """Where a bucket's own tier is; "" where there is none of that name (any more)."""
    name, _, storage_class = tier.rpartition(".")
    row = reader.one("SELECT settings FROM buckets WHERE name = ?", name)
    return urls_in(json.loads(row[0])).get(storage_class, "") if row else ""


def names(db: sqlite3.Connection) -> list[str]:
    """Every bucket's own tiers."""
    rows = db.execute("SELECT name, settings FROM buckets WHERE instr(settings, ?)", (f'"{SETTING}"',))
    return [f"{name}.{storage_class}" for name, text in rows for storage_class in urls_in(json.loads(text))]


def tier_at(reader: Reader, segments: Sequence[Segment]) -> str:
    """The tier that these bytes are at, "" where they are here: all of them are at one, or none."""
    if not segments or not segments[0].is_away:
        return ""
    row = reader.one("SELECT tier FROM away WHERE id = ?", segments[0].blob)
    return row[0] if row else ""


def set_tiers(transaction: Transaction, bucket: Bucket, wanted: Mapping[str, str]) -> None:
    """Makes these the bucket's own tiers.

    Raises: S3Error InvalidBucketState where one that would go, or would be at another place, still holds something.
    """
    had = urls_in(bucket.settings)
    if had == wanted:
        return
    for storage_class, url in had.items():
        if wanted.get(storage_class) != url and (left := leftovers(transaction, bucket, storage_class)):
            raise S3Error("InvalidBucketState", f"its tier {storage_class} cannot go or move: {left}")
    settings = {name: text for name, text in bucket.settings.items() if name != SETTING}
    if wanted:
        settings[SETTING] = json.dumps(dict(sorted(wanted.items())))
    transaction.run("UPDATE buckets SET settings = ? WHERE id = ?", json.dumps(settings), bucket.id)


def being_removed(reader: Reader, bucket: Bucket) -> str:
    """The class of a tier of the bucket's own at which something still is that is to be removed; "" for none."""
    for storage_class in urls_in(bucket.settings):
        if reader.one("SELECT 1 FROM removals WHERE tier = ? LIMIT 1", f"{bucket.name}.{storage_class}"):
            return storage_class
    return ""


def leftovers(transaction: Transaction, bucket: Bucket, storage_class: str) -> str:
    """What there still is of a class of the bucket, and at its tier, in words; "" for nothing."""
    row = transaction.one(
        "SELECT objects, size_bytes FROM classes WHERE bucket = ? AND class = ?", bucket.id, storage_class
    )
    if row and row[0]:
        return f"{row[0]} objects ({row[1]} bytes) are of it; copy them onto themselves as STANDARD, or delete them"
    upload = "SELECT 1 FROM uploads WHERE bucket = ? AND json_extract(meta, '$.storage_class') = ? LIMIT 1"
    if transaction.one(upload, bucket.id, storage_class):
        return "an upload that is not finished is of it"
    tier = f"{bucket.name}.{storage_class}"
    if transaction.one("SELECT 1 FROM removals WHERE tier = ? LIMIT 1", tier) or transaction.one(
        "SELECT 1 FROM away WHERE tier = ? LIMIT 1", tier
    ):
        return "what was there is still being removed"
    return ""
