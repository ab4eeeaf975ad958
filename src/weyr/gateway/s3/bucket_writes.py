"""How does the index change when a bucket is made, set or removed? Operations for the writer's thread."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import Enum

from weyr.gateway.s3 import locks, usage
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import Bucket, Meta, Rule, Versioning, bucket_named, segments_of
from weyr.gateway.s3.remote import own_tiers
from weyr.gateway.s3.remote.reach import SETTING
from weyr.gateway.s3.replication import queue, rules
from weyr.gateway.s3.writes import release

REMOVED_AT_ONCE = 2000
"""Rows per group when a full bucket is removed, so that other writers get their turn in between."""


def create(
    transaction: Transaction,
    name: str,
    owner: str,
    now_ms: int,
    settings: Mapping[str, str] | None = None,
    is_lenient: bool = False,
) -> None:
    """Raises: S3Error BucketAlreadyOwnedByYou or BucketAlreadyExists.

    Takes: `is_lenient`, to let an owner make its bucket again if it wants no other settings than the first time.
    """
    row = transaction.one("SELECT owner, settings FROM buckets WHERE name = ?", name)
    if row and is_lenient and row[0] == owner:
        wanted, kept = dict(settings or {}), json.loads(row[1])
        is_same = (locks.SETTING in kept) == (locks.SETTING in wanted)
        if is_same and all(kept.get(key) == wanted.get(key) for key in ("acl", "ownershipControls")):
            return
        raise S3Error("BucketAlreadyExists", BucketName=name)
    if row:
        raise S3Error("BucketAlreadyOwnedByYou" if row[0] == owner else "BucketAlreadyExists", BucketName=name)
    usage.forget_gone(transaction, owner)
    transaction.run(
        "INSERT INTO buckets (name, created_ms, owner, settings, versioning) VALUES (?, ?, ?, ?, ?)",
        name,
        now_ms,
        owner,
        json.dumps(dict(settings or {})),
        # What is locked are versions.
        (Versioning.ENABLED if settings and locks.SETTING in settings else Versioning.OFF).value,
    )


def ensure(
    transaction: Transaction,
    name: str,
    owner: str,
    generation: int,
    rules: Sequence[Rule] | None,
    now_ms: int,
    url: str = "",
    keeps_versions: bool | None = None,
    tiers: Mapping[str, str] | None = None,
) -> Bucket:
    """The bucket with these settings, made if it is missing; None leaves its rules, its versioning or its own tiers
    (class → URL) as they are.

    Takes: `url`, of the place that its objects are at, "" for here.

    Raises: S3Error BucketAlreadyExists where somebody else owns it, OperationAborted where a newer
    generation of its owner's wish came before, InvalidBucketState where a tier that is to go still holds something.
    """
    row = transaction.one("SELECT owner, generation FROM buckets WHERE name = ?", name)
    if row is None:
        create(transaction, name, owner, now_ms, {SETTING: url} if url else None)
    elif row[0] != owner:
        raise S3Error("BucketAlreadyExists", f"the bucket {name} belongs to {row[0]}", BucketName=name)
    elif generation < row[1]:
        older = f"generation {generation} is older than {row[1]}, which is here already"
        raise S3Error("OperationAborted", older, BucketName=name)
    elif bucket_named(transaction, name).settings.get(SETTING, "") != url:
        raise S3Error("BucketAlreadyExists", f"the bucket {name} is there, and is at another place", BucketName=name)
    transaction.run("UPDATE buckets SET generation = ? WHERE name = ?", generation, name)
    if rules is not None:
        text = json.dumps([asdict(rule) for rule in rules])
        transaction.run("UPDATE buckets SET lifecycle = ? WHERE name = ?", text, name)
    if tiers is not None:
        own_tiers.set_tiers(transaction, bucket_named(transaction, name), tiers)
    if keeps_versions is not None:
        _keep_versions(transaction, bucket_named(transaction, name), keeps_versions)
    return bucket_named(transaction, name)


def _keep_versions(transaction: Transaction, bucket: Bucket, is_wanted: bool) -> None:
    """Raises: S3Error as `set_versioning`, and where the bucket's objects are elsewhere."""
    if is_wanted == (bucket.versioning is Versioning.ENABLED):
        return
    if SETTING in bucket.settings:
        message = f"the objects of {bucket.name} are at another place, and whether versions are kept is set there"
        raise S3Error("InvalidBucketState", message)
    set_versioning(transaction, bucket.name, Versioning.ENABLED if is_wanted else Versioning.SUSPENDED)


def mount(transaction: Transaction, name: str, owner: str, url: str, now_ms: int) -> None:
    """The bucket whose objects are at `url`, made if it is missing; its owner and its access rules stay.

    Raises: S3Error BucketAlreadyExists where there is one of that name whose objects are here.
    """
    if transaction.one("SELECT 1 FROM buckets WHERE name = ?", name) is None:
        create(transaction, name, owner, now_ms, {SETTING: url})
    elif SETTING not in bucket_named(transaction, name).settings:
        raise S3Error("BucketAlreadyExists", f"there is a bucket {name} whose objects are here", BucketName=name)
    else:
        set_setting(transaction, name, SETTING, url)


def set_versioning(transaction: Transaction, name: str, versioning: Versioning) -> None:
    """Raises: S3Error InvalidBucketState where the bucket has object lock and would lose its versions."""
    bucket = bucket_named(transaction, name)
    if locks.SETTING in bucket.settings and versioning is not Versioning.ENABLED:
        message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        raise S3Error("InvalidBucketState", message)
    transaction.run("UPDATE buckets SET versioning = ? WHERE id = ?", versioning.value, bucket.id)


def set_setting(transaction: Transaction, name: str, setting: str, text: str | None) -> None:
    """Keeps one of a bucket's documents, or removes it."""
    bucket = bucket_named(transaction, name)
    settings = {**bucket.settings, setting: text}
    kept = {key: value for key, value in settings.items() if value is not None}
    transaction.run("UPDATE buckets SET settings = ? WHERE id = ?", json.dumps(kept), bucket.id)


def set_replication(
    transaction: Transaction, name: str, text: str | None, now_ms: int, single: frozenset[str] = frozenset()
) -> None:
    """Keeps a bucket's replication rules, or removes them, and begins or ends with their targets.

    Takes: `single`, the targets that have room for one bucket. Raises: S3Error InvalidRequest where one has none.
    """
    set_setting(transaction, name, rules.SETTING, text)
    queue.follow(transaction, bucket_named(transaction, name), now_ms, single)


def keep_first(transaction: Transaction, name: str, setting: str, text: str) -> str:
    """Keeps a setting unless there is one. Gives the one that is there then."""
    kept = bucket_named(transaction, name).settings.get(setting)
    if kept is None:
        set_setting(transaction, name, setting, text)
    return text if kept is None else kept


def remove_empty(transaction: Transaction, name: str) -> None:
    """Raises: S3Error BucketNotEmpty where a key, an old version or a delete marker is left.

    Unfinished uploads do not keep a bucket; they go with it.
    """
    bucket = bucket_named(transaction, name)
    for table in ("objects", "history"):
        if transaction.one(f"SELECT 1 FROM {table} WHERE bucket = ? LIMIT 1", bucket.id):
            raise S3Error("BucketNotEmpty", BucketName=name)
    if waits := own_tiers.being_removed(transaction, bucket):
        # Its tiers are known by the bucket: who forgets it could remove nothing there any more.
        raise S3Error("OperationAborted", f"what it had at its tier {waits} is still being removed", BucketName=name)
    while _remove_some_parts(transaction, bucket.id):
        pass
    transaction.run("DELETE FROM uploads WHERE bucket = ?", bucket.id)
    queue.forget_bucket(transaction, bucket.id)
    usage.bury(transaction, bucket)
    for table in ("moves", "classes"):
        transaction.run(f"DELETE FROM {table} WHERE bucket = ?", bucket.id)
    transaction.run("DELETE FROM buckets WHERE id = ?", bucket.id)


class Removal(Enum):
    """How far the removal of a bucket is. WAITS: it is empty, and what it had at its tiers is still being removed."""

    GONE = "gone"
    GOES_ON = "goes on"
    WAITS = "waits"


def remove_some(transaction: Transaction, name: str, now_ms: int, owner: str | None = None) -> Removal:
    """Removes some of what is in a bucket, and the bucket itself once it is empty.

    Takes: `owner`, whose bucket is meant if it is given; one that somebody else made since is left alone.
    Raises: S3Error AccessDenied where object lock keeps a version in it.
    """
    row = transaction.one("SELECT id, owner, settings FROM buckets WHERE name = ?", name)
    if row is None or (owner is not None and row[1] != owner):
        return Removal.GONE
    has_locks = locks.SETTING in json.loads(row[2])
    for table in ("objects", "history"):
        rows = transaction.all(
            f"SELECT key, sequence, segments, meta FROM {table} WHERE bucket = ? LIMIT ?", row[0], REMOVED_AT_ONCE
        )
        for key, sequence, segments, meta in rows:
            if has_locks:
                locks.check_may_go(Meta.of(meta), now_ms)
            values = row[0], key, sequence
            transaction.run(f"DELETE FROM {table} WHERE bucket = ? AND key = ? AND sequence = ?", *values)
            release(transaction, segments_of(segments))
        if rows:
            return Removal.GOES_ON
    if _remove_some_parts(transaction, row[0]):
        return Removal.GOES_ON
    if own_tiers.being_removed(transaction, bucket_named(transaction, name)):
        return Removal.WAITS
    remove_empty(transaction, name)
    return Removal.GONE


def _remove_some_parts(transaction: Transaction, bucket: int) -> int:
    rows = transaction.all(
        "SELECT upload, number, segments FROM parts WHERE upload IN (SELECT id FROM uploads WHERE bucket = ?) LIMIT ?",
        bucket,
        REMOVED_AT_ONCE,
    )
    for upload, number, segments in rows:
        transaction.run("DELETE FROM parts WHERE upload = ? AND number = ?", upload, number)
        release(transaction, segments_of(segments))
    return len(rows)
