"""How does the index change when an object is put or deleted? The operations the writer's thread runs.

Each looks, refuses or changes, inside the caller's transaction. Time and new ids are arguments.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from weyr.gateway.s3.digests import digests_length, digests_of
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.keyring import BUCKET_KEY, BUCKET_MODE, id_in
from weyr.gateway.s3.locks import check_may_go
from weyr.gateway.s3.notices import tell
from weyr.gateway.s3.records import (
    NULL_VERSION,
    OBJECT_COLUMNS,
    Bucket,
    Meta,
    Segment,
    Stored,
    Versioning,
    bucket_named,
    bucket_of_id,
    current,
    segments_text,
    stored_of,
    version_of,
)
from weyr.gateway.s3.remote.own_tiers import check_class, tier_at, tier_of
from weyr.gateway.s3.replication import queue
from weyr.gateway.s3.replication.order import moment_of
from weyr.gateway.s3.values import Value

REMOVED = "ObjectRemoved"


@dataclass(frozen=True, slots=True)
class NewBlob(Value):
    """A blob that has arrived: a file that is whole and fsynced, or `data` for the index itself."""

    id: int
    size: int
    """Of the object's bytes."""
    data: bytes | None = None
    sealed_size: int = 0
    """What it takes on disk, where it is encrypted."""
    digests: bytes = b""
    """Of its bytes as they lie on disk; those of `data` follow from it."""

    @property
    def segment(self) -> Segment:
        return Segment(self.id, self.size, self.data is not None)


@dataclass(frozen=True, slots=True)
class NewObject(Value):
    """An object to be put: over `blobs` that have just arrived, or `segments` that the index already names."""

    key: str
    size: int
    etag: str
    modified_ms: int
    version: str
    meta: Meta
    blobs: tuple[NewBlob, ...] = ()
    segments: tuple[Segment, ...] = ()
    event: str = "ObjectCreated:Put"
    """What the bucket's webhooks are told."""


@dataclass(frozen=True, slots=True)
class WriteCondition(Value):
    """What must hold of the current version: each is an etag, `*`, or "" to ask nothing."""

    if_match: str = ""
    if_none_match: str = ""
    if_size: int | None = None
    if_modified_s: int | None = None
    """These two are asked of what is to be deleted only."""

    def check(self, there: Stored | None) -> None:
        """Raises: S3Error PreconditionFailed, or NoSuchKey where `if_match` meets nothing."""
        there = None if there is None or there.is_marker else there
        if self.if_match:
            if there is None:
                raise S3Error("NoSuchKey")
            if self.if_match not in ("*", there.etag):
                raise S3Error("PreconditionFailed", Condition="If-Match")
        if self.if_none_match and there is not None and self.if_none_match in ("*", there.etag):
            raise S3Error("PreconditionFailed", Condition="If-None-Match")

    def check_deleted(self, there: Stored | None) -> None:
        """As `check`, of what is to be deleted. A marker counts as there, and what is not there needs no condition.

        Raises: S3Error PreconditionFailed.
        """
        if there is None:
            return
        if self.if_match not in ("", "*", there.etag):
            raise S3Error("PreconditionFailed", Condition="If-Match")
        if self.if_size not in (None, there.size):
            raise S3Error("PreconditionFailed", Condition="x-amz-if-match-size")
        if self.if_modified_s not in (None, there.modified_ms // 1000):
            raise S3Error("PreconditionFailed", Condition="x-amz-if-match-last-modified-time")


@dataclass(frozen=True, slots=True)
class Deleted(Value):
    """What a delete did: which version is gone, or which marker was set. "" where the bucket keeps no versions."""

    version: str = ""
    is_marker: bool = False


class SourceGone(S3Error):
    """What a copy stands on is there no more: the source was removed, or its bytes went to another place meanwhile."""


@dataclass(frozen=True, slots=True)
class Put(Value):
    """What a put did: into which bucket, and which version it made."""

    bucket: Bucket
    version: str


def put(
    transaction: Transaction, bucket_name: str, new: NewObject, condition: WriteCondition, own: Collection[str] = ()
) -> Put:
    """Makes `new` the current version of its key. `own`: as `check_class`. Raises: S3Error; SourceGone of a copy."""
    bucket = bucket_named(transaction, bucket_name)
    check_class(bucket, new.meta.storage_class, own)
    there = current(transaction, bucket.id, new.key)
    condition.check(there)
    for blob in new.blobs:
        add_blob(transaction, blob)
    for segment in new.segments:
        table = "away" if segment.is_away else "blobs"
        if not transaction.run(f"UPDATE {table} SET refs = refs + 1 WHERE id = ?", segment.blob):
            raise SourceGone("NoSuchKey", "The source was removed while it was copied.")
    segments = tuple(blob.segment for blob in new.blobs) + new.segments
    return Put(bucket, insert(transaction, bucket, new, segments, there))


def insert(
    transaction: Transaction, bucket: Bucket, new: NewObject, segments: tuple[Segment, ...], there: Stored | None
) -> str:
    """Writes the row of a new current version over blobs that are already counted, and moves `there` out of its way.

    Gives the version's id.
    """
    _check_key(bucket, new.meta)
    origin, now_ms = new.meta.replica, new.modified_ms
    new = replace(new, modified_ms=moment_of(transaction, bucket, new.key, origin, (new.modified_ms, new.etag), there))
    version = new.version if bucket.versioning == Versioning.ENABLED else NULL_VERSION
    _displace(transaction, bucket, new.key, there, version, new.modified_ms)
    made = Stored(
        new.key, _next_sequence(there), version, False, new.size, new.etag, new.modified_ms, segments, new.meta
    )
    _insert_row(transaction, bucket.id, made)
    if new.meta.storage_class:
        send(transaction, bucket, made, new.meta.storage_class)
    tell(transaction, bucket, new.event, new.key, new.size, new.etag, version, new.modified_ms)
    queue.note(transaction, bucket, new.key, new.size, new.meta, new.modified_ms, now_ms)
    return version


def delete(
    transaction: Transaction,
    bucket_name: str,
    key: str,
    version: str,
    marker: NewObject,
    condition: WriteCondition,
    is_bypassing: bool = False,
    event: str = REMOVED,
) -> Deleted:
    """Deletes a key, or one version of it. `marker` is the delete marker to set where versions are kept.

    Takes: `is_bypassing`, to pass over a GOVERNANCE retention of the version; `event`, as whose doing it is told.
    Promises: a key or version that is not there is no error.
    """
    bucket = bucket_named(transaction, bucket_name)
    if version:
        return delete_version(transaction, bucket, key, version, condition, marker.modified_ms, is_bypassing)
    there = current(transaction, bucket.id, key)
    condition.check_deleted(there)
    if there is None and condition != WriteCondition():
        return Deleted()  # no marker over nothing, where only what was seen was to go
    origin, now_ms = marker.meta.replica, marker.modified_ms
    at_ms = moment_of(transaction, bucket, key, origin, (now_ms, ""), there)
    if not origin and (there is not None or bucket.versioning != Versioning.OFF):
        queue.note_end(transaction, bucket, key, at_ms, now_ms)
    if bucket.versioning == Versioning.OFF:
        if there:
            _drop_current(transaction, bucket.id, there)
            release(transaction, there.segments)
            tell(transaction, bucket, f"{event}:Delete", key, 0, "", "", marker.modified_ms)
        return Deleted()
    set_to = marker.version if bucket.versioning == Versioning.ENABLED else NULL_VERSION
    _displace(transaction, bucket, key, there, set_to, marker.modified_ms)
    row = Stored(key, _next_sequence(there), set_to, True, 0, "", at_ms, (), marker.meta)
    _insert_row(transaction, bucket.id, row)
    tell(transaction, bucket, f"{event}:DeleteMarkerCreated", key, 0, "", set_to, marker.modified_ms)
    return Deleted(set_to, is_marker=True)


def send(transaction: Transaction, bucket: Bucket, there: Stored, storage_class: str) -> int:
    """Writes down that a version is to go to the tier of a class, which whoever carries that out then moves.

    Gives 0 where there is nothing to move: it is there already, or so small that the index holds it.
    """
    if there.is_marker or not there.segments or there.segments[0].is_inline:
        return 0
    tier = tier_of(bucket, storage_class)
    if tier_at(transaction, there.segments) == tier:
        return 0
    # What was deleted and put anew may have the same sequence; then the row is of another object.
    values = bucket.id, there.key, there.sequence, there.modified_ms, tier
    return transaction.run("INSERT OR REPLACE INTO moves VALUES (?, ?, ?, ?, ?)", *values)


def set_tags(transaction: Transaction, bucket: int, key: str, version: str, tags: dict[str, str], now_ms: int) -> None:
    """Replaces the tags of one version. Raises: S3Error NoSuchKey where it went meanwhile."""
    stored = change_meta(transaction, bucket, key, version, lambda meta: replace(meta, tags=tags))
    _note_change(transaction, bucket, stored, queue.TAGS, now_ms)


def set_lock(
    transaction: Transaction, bucket: int, key: str, version: str, change: Callable[[Meta], Meta], now_ms: int
) -> None:
    """Changes the lock of one version. Raises: S3Error NoSuchKey where it went meanwhile."""
    stored = change_meta(transaction, bucket, key, version, change)
    _note_change(transaction, bucket, stored, queue.WHOLE, now_ms)


def set_acl(transaction: Transaction, bucket: int, key: str, version: str, acl: str) -> None:
    """Replaces the access control list of one version. Raises: S3Error NoSuchKey where it went meanwhile."""
    change_meta(transaction, bucket, key, version, lambda meta: replace(meta, acl=acl))


def _note_change(transaction: Transaction, bucket: int, stored: Stored, what: int, now_ms: int) -> None:
    """Replicas hear of what changed beside the bytes of a current version."""
    there = bucket_of_id(transaction, bucket)
    now_current = current(transaction, bucket, stored.key)
    if there is not None and now_current is not None and now_current.sequence == stored.sequence:
        queue.note(transaction, there, stored.key, stored.size, stored.meta, stored.modified_ms, now_ms, what)


def change_meta(
    transaction: Transaction, bucket: int, key: str, version: str, change: Callable[[Meta], Meta]
) -> Stored:
    """Changes what is kept beside one version's bytes. Gives the version as it is then.

    Raises: S3Error NoSuchKey where it went meanwhile.
    """
    stored = version_of(transaction, bucket, key, version)
    if stored is None:
        raise S3Error("NoSuchKey")
    changed = replace(stored, meta=change(stored.meta))
    meta = changed.meta.text()
    for table in ("objects", "history"):
        sql = f"UPDATE {table} SET meta = ? WHERE bucket = ? AND key = ? AND sequence = ?"
        transaction.run(sql, meta, bucket, key, stored.sequence)
    return changed


def add_blob(transaction: Transaction, blob: NewBlob) -> None:
    """Counts a blob that has arrived; a file gets its name before the commit."""
    size = blob.sealed_size or blob.size
    digests = blob.digests if blob.data is None else digests_of(blob.data)
    assert len(digests) == digests_length(size), "a blob came without its digests"
    transaction.run("INSERT INTO blobs VALUES (?, 1, ?, ?, ?)", blob.id, size, digests, blob.data)
    if blob.data is None:
        transaction.arrived.append(blob.id)


def release(transaction: Transaction, segments: tuple[Segment, ...]) -> None:
    """Lets go of blobs once; one that nothing names any more is removed after the commit."""
    for segment in segments:
        if segment.is_away:
            _release_away(transaction, segment.blob)
            continue
        row = transaction.one("UPDATE blobs SET refs = refs - 1 WHERE id = ? RETURNING refs", segment.blob)
        assert row is not None, "a segment names a blob that is not counted"
        if row[0] == 0:
            transaction.run("DELETE FROM blobs WHERE id = ?", segment.blob)
            if not segment.is_inline:
                transaction.freed.append(segment.blob)


def _release_away(transaction: Transaction, number: int) -> None:
    """The same of bytes at a tier: what nothing names is removed there by whoever carries out `removals`."""
    row = transaction.one("UPDATE away SET refs = refs - 1 WHERE id = ? RETURNING refs", number)
    assert row is not None, "a segment names what is not counted"
    if row[0] == 0:
        transaction.run("INSERT INTO removals SELECT tier, key, size FROM away WHERE id = ?", number)
        transaction.run("DELETE FROM away WHERE id = ?", number)


def delete_version(
    transaction: Transaction,
    bucket: Bucket,
    key: str,
    version: str,
    condition: WriteCondition,
    now_ms: int,
    is_bypassing: bool = False,
) -> Deleted:
    """Removes one version; where it was the current one, that before it becomes current.

    Raises: S3Error AccessDenied where object lock keeps it.
    """
    there = version_of(transaction, bucket.id, key, version)
    condition.check_deleted(there)
    if there is None:
        return Deleted(version)
    check_may_go(there.meta, now_ms, is_bypassing)
    values = bucket.id, key, there.sequence
    if not transaction.run("DELETE FROM history WHERE bucket = ? AND key = ? AND sequence = ?", *values):
        _drop_current(transaction, bucket.id, there)
        newest = _promote(transaction, bucket.id, key)
        at_ms = max(now_ms, there.modified_ms + 1)
        if newest is not None and not newest.is_marker:
            queue.note(transaction, bucket, key, newest.size, newest.meta, at_ms, now_ms)
        elif not there.is_marker:
            queue.note_end(transaction, bucket, key, at_ms, now_ms)
    release(transaction, there.segments)
    tell(transaction, bucket, f"{REMOVED}:Delete", key, 0, "", version, now_ms)
    return Deleted(version, there.is_marker)


def _promote(transaction: Transaction, bucket: int, key: str) -> Stored | None:
    """Makes the newest version that is left the current one."""
    sql = f"SELECT {OBJECT_COLUMNS} FROM history WHERE bucket = ? AND key = ? ORDER BY sequence DESC LIMIT 1"
    row = transaction.one(sql, bucket, key)
    if row:
        newest = stored_of(row)
        values = bucket, key, newest.sequence
        transaction.run("DELETE FROM history WHERE bucket = ? AND key = ? AND sequence = ?", *values)
        _insert_row(transaction, bucket, newest)
        return newest
    return None


def _check_key(bucket: Bucket, meta: Meta) -> None:
    """The bucket may have been removed and made again, with another key, while the bytes came."""
    kept = bucket.settings.get(BUCKET_KEY)
    is_by_bucket = meta.encryption is not None and meta.encryption.mode == BUCKET_MODE
    if is_by_bucket and meta.encryption and (kept is None or id_in(kept) != meta.encryption.by):
        raise S3Error("OperationAborted", "The bucket was made anew meanwhile.")


def _displace(
    transaction: Transaction, bucket: Bucket, key: str, there: Stored | None, version: str, now_ms: int
) -> None:
    """Moves the current version into the history, or drops it where `version` takes its place."""
    if there is not None:
        _drop_current(transaction, bucket.id, there)
        if bucket.versioning == Versioning.OFF or there.version == version:
            release(transaction, there.segments)
        else:
            _insert_row(transaction, bucket.id, there, now_ms)
    if bucket.versioning == Versioning.SUSPENDED:
        sql = f"SELECT {OBJECT_COLUMNS} FROM history WHERE bucket = ? AND key = ? AND version = ?"
        for row in transaction.all(sql, bucket.id, key, version):
            old = stored_of(row)
            values = bucket.id, old.key, old.sequence
            transaction.run("DELETE FROM history WHERE bucket = ? AND key = ? AND sequence = ?", *values)
            release(transaction, old.segments)


def _drop_current(transaction: Transaction, bucket: int, there: Stored) -> None:
    transaction.run("DELETE FROM objects WHERE bucket = ? AND key = ?", bucket, there.key)


def _insert_row(transaction: Transaction, bucket: int, row: Stored, ended_ms: int | None = None) -> None:
    """Writes the current version of a key, or with `ended_ms` one that was replaced then."""
    values = (
        bucket, row.key, row.sequence, row.version, int(row.is_marker), row.size, row.etag, row.modified_ms,
        segments_text(row.segments), row.meta.text(), row.meta.storage_class,
    )  # fmt: skip
    marks = ", ".join("?" * len(values))
    if ended_ms is None:
        transaction.run(f"INSERT INTO objects (bucket, {OBJECT_COLUMNS}, class) VALUES ({marks})", *values)
    else:
        sql = f"INSERT INTO history (bucket, {OBJECT_COLUMNS}, class, ended_ms) VALUES ({marks}, ?)"
        transaction.run(sql, *values, ended_ms)


def _next_sequence(there: Stored | None) -> int:
    return there.sequence + 1 if there else 1
