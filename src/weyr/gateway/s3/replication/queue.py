"""What is still to be sent to a bucket's replicas? A row in the commit of each change, and how rows end.

A row is a key that a target has not got as it is now. Changes of one key before it is sent are one row: what is sent is
the key's state when its turn comes. A replica's own writes (`Meta.replica`) are not sent on, so that two planes can
replicate into each other.

`since_ms` is when the oldest change was made that the target has not got, `changed_ms` the newest, `newest_ms` the
moment that orders the key's states, and `number` rises with each change: what was sent only ends the row that it was
sent for.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import Bucket, Meta, Reader, Row
from weyr.gateway.s3.replication.rules import SETTING, ReplicationRule, rules_of, targets_of, targets_of_deleted

SCAN_AT_ONCE = 500
WHOLE, TAGS, CHECK = 0, 1, 2
"""What a row asks for: the object, only its tags, or to look whether the target has it already."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row of the queue. `upload` is a multipart upload at the target that was begun for the state `upload_of`."""

    bucket: int
    key: str
    target: str
    number: int
    newest_ms: int
    what: int
    failures: int
    upload: str = ""
    upload_of: str = ""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind one target of one bucket is."""

    bucket: str
    target: str
    waiting: int
    waiting_bytes: int
    failing: int
    lag_s: float
    is_scanning: bool
    sent: int
    sent_bytes: int
    last_error: str
    last_sent_at: float


_WAITING = "bucket, key, target, number, newest_ms, what, failures, upload, upload_of"


def note(
    transaction: Transaction,
    bucket: Bucket,
    key: str,
    size: int,
    meta: Meta,
    at_ms: int,
    now_ms: int,
    what: int = WHOLE,
) -> None:
    """Writes down that a key's current version is another one, or has other tags or another lock.

    Takes: `at_ms`, the new state's own moment; `what`, of it changed.
    """
    if SETTING in bucket.settings and not meta.replica:
        for target in targets_of(rules_of(bucket.settings), key, meta.tags):
            _add(transaction, bucket.id, key, target, size, at_ms, now_ms, what)


def note_end(transaction: Transaction, bucket: Bucket, key: str, at_ms: int, now_ms: int) -> None:
    """Writes down that a key ended, or is under a delete marker."""
    if SETTING in bucket.settings:
        for target in targets_of_deleted(rules_of(bucket.settings), key):
            _add(transaction, bucket.id, key, target, 0, at_ms, now_ms, WHOLE)


def floor_ms(transaction: Transaction, bucket: Bucket, key: str) -> int:
    """The newest moment that a state of this key had which a target may still hear of; 0 where none is known."""
    if SETTING not in bucket.settings:
        return 0
    row = transaction.one("SELECT max(newest_ms) FROM replications WHERE bucket = ? AND key = ?", bucket.id, key)
    return int(row[0] or 0) if row else 0


def _add(
    transaction: Transaction, bucket: int, key: str, target: str, size: int, at_ms: int, now_ms: int, what: int
) -> None:
    transaction.run(
        "INSERT INTO replications (bucket, key, target, number, since_ms, changed_ms, newest_ms, size, what, due_ms)"
        " VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = number + 1,"
        " changed_ms = excluded.changed_ms, newest_ms = max(newest_ms, excluded.newest_ms), size = excluded.size,"
        " what = CASE WHEN what = excluded.what THEN what ELSE 0 END, failures = 0, error = '',"
        " due_ms = min(due_ms, excluded.due_ms)",
        bucket,
        key,
        target,
        now_ms,
        now_ms,
        at_ms,
        size,
        what,
        now_ms,
    )


# --- the replicator's side


def due(reader: Reader, target: str, now_ms: int, limit: int) -> list[Waiting]:
    """Rows of a target whose turn it is, the longest due first."""
    sql = f"SELECT {_WAITING} FROM replications WHERE target = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?"
    return [Waiting(*row) for row in reader.all(sql, target, now_ms, limit)]


def done(transaction: Transaction, row: Waiting, sent_bytes: int | None, now_ms: int) -> None:
    """The target has the state that was read for this row. What changed meanwhile stays in line.

    Takes: `sent_bytes`, None where nothing had to be sent.
    """
    names = row.bucket, row.key, row.target
    where = "bucket = ? AND key = ? AND target = ?"
    if not transaction.run(f"DELETE FROM replications WHERE {where} AND number = ?", *names, row.number):
        transaction.run(f"UPDATE replications SET since_ms = changed_ms, upload = '' WHERE {where}", *names)
    if sent_bytes is not None:
        transaction.run(
            "UPDATE replicas SET sent = sent + 1, sent_bytes = sent_bytes + ?, last_sent_ms = ?, last_error = ''"
            " WHERE bucket = ? AND target = ?",
            sent_bytes,
            now_ms,
            row.bucket,
            row.target,
        )


def failed(transaction: Transaction, row: Waiting, error: str, again_ms: int) -> None:
    """The target refused this key; it is tried again at `again_ms`, or when the key changes."""
    names = row.bucket, row.key, row.target
    transaction.run(
        "UPDATE replications SET failures = failures + 1, error = ?, due_ms = ?"
        " WHERE bucket = ? AND key = ? AND target = ? AND number = ?",
        error,
        again_ms,
        *names,
        row.number,
    )
    transaction.run("UPDATE replicas SET last_error = ? WHERE bucket = ? AND target = ?", error, row.bucket, row.target)


def away(transaction: Transaction, target: str, error: str) -> None:
    """A target does not take anything now."""
    transaction.run("UPDATE replicas SET last_error = ? WHERE target = ?", error, target)


def begin(transaction: Transaction, targets: tuple[str, ...], now_ms: int) -> None:
    """A plane starts that knows these targets: what was refused is tried again, and who is unknown is shown."""
    transaction.run("UPDATE replications SET due_ms = ? WHERE failures > 0", now_ms)
    for (target,) in transaction.all("SELECT DISTINCT target FROM replicas"):
        known = "" if target in targets else f"The server was not started with a replica {target!r}."
        transaction.run("UPDATE replicas SET last_error = ? WHERE target = ?", known, target)


def uploading(transaction: Transaction, row: Waiting, upload: str, upload_of: str) -> None:
    """Remembers the multipart upload at the target, so that a transfer that is cut goes on where it was."""
    transaction.run(
        "UPDATE replications SET upload = ?, upload_of = ? WHERE bucket = ? AND key = ? AND target = ?",
        upload,
        upload_of,
        row.bucket,
        row.key,
        row.target,
    )


# --- what is there already


def follow(transaction: Transaction, bucket: Bucket, now_ms: int, single: frozenset[str] = frozenset()) -> None:
    """Begins with the targets of the bucket's document and ends with those it no longer names.

    A target whose rules changed is looked through again where a rule sends what is there already.
    Takes: `single`, the targets that have room for one bucket.
    Raises: S3Error InvalidRequest where another bucket goes to one of these.
    """
    rules = [rule for rule in rules_of(bucket.settings) if rule.is_enabled]
    kept = {rule.target for rule in rules}
    for (target,) in transaction.all("SELECT target FROM replicas WHERE bucket = ?", bucket.id):
        if target not in kept:
            transaction.run("DELETE FROM replications WHERE bucket = ? AND target = ?", bucket.id, target)
            transaction.run("DELETE FROM replicas WHERE bucket = ? AND target = ?", bucket.id, target)
    for target in sorted(kept):
        sql = "SELECT 1 FROM replicas WHERE target = ? AND bucket <> ?"
        if target in single and transaction.one(sql, target, bucket.id):
            raise S3Error("InvalidRequest", f"The replica {target!r} is one bucket, and another bucket goes there.")
        scan = "" if any(rule.sends_existing for rule in rules if rule.target == target) else None
        transaction.run(
            "INSERT INTO replicas (bucket, target, began_ms, scan) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET scan = excluded.scan",
            bucket.id,
            target,
            now_ms,
            scan,
        )


def scanning(reader: Reader, target: str, waiting_max: int) -> list[int]:
    """Buckets that are to be looked through for a target that has not too much in line already."""
    sql = "SELECT bucket FROM replicas WHERE target = ? AND scan IS NOT NULL AND waiting < ?"
    return [row[0] for row in reader.all(sql, target, waiting_max)]


def scan_some(transaction: Transaction, bucket: Bucket, target: str, now_ms: int, limit: int = SCAN_AT_ONCE) -> int:
    """Puts the next objects of a bucket in line that its rules send though they were there before. Gives how many
    it looked at. The place is in the same commit, so that a crash neither loses nor repeats any."""
    row = transaction.one("SELECT scan FROM replicas WHERE bucket = ? AND target = ?", bucket.id, target)
    if row is None or row[0] is None:
        return 0
    rules = tuple(rule for rule in rules_of(bucket.settings) if rule.sends_existing and rule.target == target)
    sql = (
        "SELECT key, size, modified_ms, is_marker, meta FROM objects WHERE bucket = ? AND key > ? ORDER BY key LIMIT ?"
    )
    rows = transaction.all(sql, bucket.id, row[0], limit)
    for key, size, modified_ms, is_marker, text in rows:
        if not is_marker and _is_sent(rules, key, Meta.of(text)):
            transaction.run(
                "INSERT OR IGNORE INTO replications"
                " (bucket, key, target, number, since_ms, changed_ms, newest_ms, size, what, due_ms)"
                " VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
                *(bucket.id, key, target, now_ms, now_ms, modified_ms, size, CHECK, now_ms),
            )
    place = rows[-1][0] if len(rows) == limit else None
    transaction.run("UPDATE replicas SET scan = ? WHERE bucket = ? AND target = ?", place, bucket.id, target)
    return len(rows)


def _is_sent(rules: Sequence[ReplicationRule], key: str, meta: Meta) -> bool:
    return not meta.replica and any(rule.matches(key, meta.tags) for rule in rules)


def forget_bucket(transaction: Transaction, bucket: int) -> None:
    """A bucket that is removed has nothing to send any more; its replicas keep what they have."""
    transaction.run("DELETE FROM replications WHERE bucket = ?", bucket)
    transaction.run("DELETE FROM replicas WHERE bucket = ?", bucket)


# --- what is shown

_LAGS = """
SELECT b.name, r.target, r.waiting, r.waiting_bytes, r.failing,
       (SELECT min(since_ms) FROM replications q WHERE q.target = r.target AND q.bucket = r.bucket),
       r.scan IS NOT NULL, r.began_ms, r.sent, r.sent_bytes, r.last_sent_ms,
       CASE WHEN r.last_error = '' AND r.failing > 0 THEN (
           SELECT q.key || ': ' || q.error FROM replications q
           WHERE q.bucket = r.bucket AND q.target = r.target AND q.failures > 0 LIMIT 1
       ) ELSE r.last_error END
FROM replicas r JOIN buckets b ON b.id = r.bucket {where} ORDER BY b.name, r.target
"""


def lags(reader: Reader, now_ms: int, bucket: str | None = None) -> list[Lag]:
    """How far behind the replicas are, of one bucket or of all. Costs the same however much is in line."""
    if bucket is None:
        rows = reader.all(_LAGS.format(where=""))
    else:
        rows = reader.all(_LAGS.format(where="WHERE b.name = ?"), bucket)
    return [_lag(row, now_ms) for row in rows]


def lags_in(db: sqlite3.Connection, now_ms: int) -> list[Lag]:
    """As `lags`, over a connection of its own."""
    return [_lag(row, now_ms) for row in db.execute(_LAGS.format(where=""))]


def _lag(row: Row, now_ms: int) -> Lag:
    name, target, waiting, waiting_bytes, failing, since, is_scanning, began, sent, sent_bytes, sent_ms, error = row
    oldest = min((at for at in (since, began if is_scanning else None) if at is not None), default=now_ms)
    lag_s = max(0, now_ms - oldest) / 1000
    return Lag(
        name, target, waiting, waiting_bytes, failing, lag_s, bool(is_scanning), sent, sent_bytes, error, sent_ms / 1000
    )


def state_of(reader: Reader, bucket: Bucket, key: str, meta: Meta, modified_ms: int) -> str:
    """What x-amz-replication-status says of a current version: PENDING, COMPLETED, FAILED, REPLICA, or ""."""
    if meta.replica:
        return "REPLICA"
    if SETTING not in bucket.settings:
        return ""
    targets = targets_of(rules_of(bucket.settings), key, meta.tags)
    if not targets:
        return ""
    row = reader.one(
        "SELECT count(*), sum(failures > 0) FROM replications WHERE bucket = ? AND key = ?", bucket.id, key
    )
    if row and row[0]:
        return "FAILED" if row[1] else "PENDING"
    marks = ",".join("?" * len(targets))
    sql = f"SELECT began_ms, scan FROM replicas WHERE bucket = ? AND target IN ({marks})"
    states = reader.all(sql, bucket.id, *targets)
    if any(scan is not None and key > scan for _, scan in states):
        return "PENDING"
    # What was there before and no rule sends has no state.
    is_older = all(modified_ms < began_ms for began_ms, _ in states)
    return "" if is_older and not _sends_existing(bucket, key, meta) else "COMPLETED"


def _sends_existing(bucket: Bucket, key: str, meta: Meta) -> bool:
    return _is_sent([rule for rule in rules_of(bucket.settings) if rule.sends_existing], key, meta)
