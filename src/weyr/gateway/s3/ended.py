"""How does the index change where something is past its time? The lifecycle's operations for the writer's thread.

Each looks again at what it was told to remove: what was put anew, tagged otherwise or locked meanwhile stays.
"""

from collections.abc import Iterator

from weyr.gateway.s3 import uploads
from weyr.gateway.s3.api_deletes import new_version
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.lifecycle_rules import LifecycleRule, Transition
from weyr.gateway.s3.locks import is_locked
from weyr.gateway.s3.notices import tell
from weyr.gateway.s3.records import OBJECT_COLUMNS, Bucket, Meta, Stored, current, stored_of
from weyr.gateway.s3.writes import NewObject, WriteCondition, delete, delete_version, release, send

VERSIONS_AT_ONCE = 1000
EXPIRED = "LifecycleExpiration"


def expire(
    transaction: Transaction, keys: list[str], bucket: Bucket, rule: LifecycleRule, before_ms: int, now_ms: int
) -> int:
    """Current versions written before `before_ms`: gone, or under a delete marker where versions are kept."""
    removed = 0
    for key in keys:
        there = current(transaction, bucket.id, key)
        if there is None or there.modified_ms >= before_ms:
            continue
        if there.is_marker:
            removed += _drop_lone_marker(transaction, bucket, there, now_ms) if rule.filter.is_of_keys else 0
        elif rule.filter.matches(key, there.size, there.meta.tags):
            marker = NewObject(key, 0, "", now_ms, new_version(), Meta())
            delete(transaction, bucket.name, key, "", marker, WriteCondition(), event=EXPIRED)
            removed += 1
    return removed


def drop_versions(
    transaction: Transaction, keys: list[str], bucket: Bucket, rule: LifecycleRule, before_ms: int, now_ms: int
) -> int:
    """Versions that were replaced before `before_ms`, but for the newest that the rule keeps."""
    removed = 0
    for there in _replaced(transaction, keys, bucket, rule.newer_kept, before_ms):
        if not rule.filter.matches(there.key, there.size, there.meta.tags) or is_locked(there.meta, now_ms):
            continue
        values = bucket.id, there.key, there.sequence
        transaction.run("DELETE FROM history WHERE bucket = ? AND key = ? AND sequence = ?", *values)
        release(transaction, there.segments)
        tell(transaction, bucket, f"{EXPIRED}:Delete", there.key, 0, "", there.version, now_ms)
        removed += 1
    return removed


def mark_current(
    transaction: Transaction, keys: list[str], bucket: Bucket, rule: LifecycleRule, tier: str, before_ms: int
) -> int:
    """Current versions that are due for a tier: they are written down, and moved by whoever carries that out."""
    marked = 0
    for key in keys:
        there = current(transaction, bucket.id, key)
        if there is not None and there.modified_ms < before_ms and rule.moves(key, there.size, there.meta.tags):
            marked += _mark(transaction, bucket, there, tier)
    return marked


def mark_versions(
    transaction: Transaction, keys: list[str], bucket: Bucket, rule: LifecycleRule, move: Transition, before_ms: int
) -> int:
    """The same of versions that were replaced, but for the newest that the rule keeps."""
    return sum(
        _mark(transaction, bucket, there, move.tier)
        for there in _replaced(transaction, keys, bucket, move.newer_kept, before_ms)
        if rule.moves(there.key, there.size, there.meta.tags)
    )


def _replaced(
    transaction: Transaction, keys: list[str], bucket: Bucket, newer_kept: int, before_ms: int
) -> Iterator[Stored]:
    """Versions of these keys that were replaced before `before_ms`, but for the newest `newer_kept` of each."""
    sql = (
        f"SELECT {OBJECT_COLUMNS}, ended_ms FROM history WHERE bucket = ? AND key = ?"
        " ORDER BY sequence DESC LIMIT ? OFFSET ?"
    )
    for key in keys:
        for *row, ended_ms in transaction.all(sql, bucket.id, key, VERSIONS_AT_ONCE, newer_kept):
            if ended_ms < before_ms:
                yield stored_of(tuple(row))


def _mark(transaction: Transaction, bucket: Bucket, there: Stored, tier: str) -> int:
    return 0 if there.meta.storage_class == tier else send(transaction, bucket, there, tier)


def drop_markers(transaction: Transaction, keys: list[str], bucket: Bucket) -> int:
    """Delete markers that have no version behind them any more."""
    removed = 0
    for key in keys:
        there = current(transaction, bucket.id, key)
        if there is not None and there.is_marker:
            removed += _drop_lone_marker(transaction, bucket, there, there.modified_ms)
    return removed


def _drop_lone_marker(transaction: Transaction, bucket: Bucket, marker: Stored, now_ms: int) -> int:
    if transaction.one("SELECT 1 FROM history WHERE bucket = ? AND key = ? LIMIT 1", bucket.id, marker.key):
        return 0
    delete_version(transaction, bucket, marker.key, marker.version, WriteCondition(), now_ms)
    return 1


def abort(transaction: Transaction, keys: list[str], bucket: Bucket) -> int:
    """Uploads that were begun and not finished."""
    removed = 0
    for upload_id in keys:
        row = transaction.one("SELECT key FROM uploads WHERE id = ? AND bucket = ?", upload_id, bucket.id)
        if row is not None:
            uploads.abort(transaction, bucket.name, row[0], upload_id)
            removed += 1
    return removed
