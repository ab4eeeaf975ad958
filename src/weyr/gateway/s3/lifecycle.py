"""Which objects are past their time? The sweeper that removes them, rule by rule, a group at a time."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from functools import partial

from weyr.gateway.s3.api_deletes import new_version
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Index, Transaction
from weyr.gateway.s3.listing import PAST
from weyr.gateway.s3.records import Bucket, Meta, Rule, buckets, current
from weyr.gateway.s3.writes import NewObject, WriteCondition, delete

log = logging.getLogger("weyr.s3")

GROUP = 500


async def sweep_forever(index: Index, every_s: float, clock: Callable[[], float]) -> None:
    """Sweeps until it is cancelled. A sweep that fails is logged and tried again."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await sweep(index, clock)
        except (OSError, sqlite3.Error, S3Error) as e:
            log.error("s3.sweep_failed %s", e)


async def sweep(index: Index, clock: Callable[[], float]) -> int:
    """Removes what every bucket's rules say is too old by now. Gives how many keys went."""
    removed = 0
    for bucket in buckets(index):
        for rule in bucket.lifecycle:
            removed += await _sweep_rule(index, bucket, rule, int(clock() * 1000))
    return removed


async def _sweep_rule(index: Index, bucket: Bucket, rule: Rule, now_ms: int) -> int:
    cutoff_ms = now_ms - int(rule.expire_after_s * 1000)
    removed, after = 0, ""
    while True:
        keys = await index.aside(partial(_expired, bucket.id, rule.prefix, after, cutoff_ms))
        if not keys:
            return removed
        after = keys[-1]
        removed += await index.write(partial(_remove, bucket, keys, cutoff_ms, now_ms))


def _expired(bucket: int, prefix: str, after: str, cutoff_ms: int, db: sqlite3.Connection) -> list[str]:
    sql = (
        "SELECT key FROM objects WHERE bucket = ? AND key >= ? AND key > ? AND key < ? AND modified_ms < ?"
        " AND is_marker = 0 ORDER BY key LIMIT ?"
    )
    return [row[0] for row in db.execute(sql, (bucket, prefix, after, prefix + PAST, cutoff_ms, GROUP))]


def _remove(bucket: Bucket, keys: list[str], cutoff_ms: int, now_ms: int, transaction: Transaction) -> int:
    """Looks at each key again: one that was put anew meanwhile stays."""
    removed = 0
    for key in keys:
        there = current(transaction, bucket.id, key)
        if there is None or there.is_marker or there.modified_ms >= cutoff_ms:
            continue
        marker = NewObject(key, 0, "", now_ms, new_version(), Meta())
        delete(transaction, bucket.name, key, "", marker, WriteCondition())
        removed += 1
    return removed
