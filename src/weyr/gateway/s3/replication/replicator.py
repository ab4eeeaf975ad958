"""Who sends what is in line? One task for each target: several keys at once, each key in order, until it is there.

A target that is away is asked again after a while that doubles, up to a minute, and nothing is lost meanwhile. A key
that is refused waits by itself, up to an hour, and the others go past it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from weyr.gateway.s3.call import Plane
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import Bucket, Stored, bucket_of_id, current
from weyr.gateway.s3.replication import queue
from weyr.gateway.s3.replication.queue import Waiting
from weyr.gateway.s3.replication.rules import rules_of, targets_of, targets_of_deleted
from weyr.gateway.s3.replication.source import item_of
from weyr.gateway.s3.replication.target import Item, Progress, Refused, SourceGone, Target, TargetAway

T = TypeVar("T")

log = logging.getLogger("weyr.s3")

AT_ONCE = 8
"""Keys that one target is sent at the same time; each holds a piece of a mebibyte or two."""
EVERY_S = 0.1
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
FIRST_AGAIN_S, LONGEST_AGAIN_S = 5.0, 3600.0
REMEMBER_S = 10.0
SCAN_BELOW = 2000
"""A bucket is looked through further once fewer than these wait."""


@dataclass(slots=True)
class _Patience:
    """How long a target is left alone."""

    wait_s: float = FIRST_WAIT_S
    until_s: float = 0.0
    problem: str = ""


class Replicator:
    """Sends to every target of the plane. To be run by the process that writes the index."""

    def __init__(self, plane: Plane, targets: Mapping[str, Target]) -> None:
        self._plane = plane
        self._targets = targets
        self._pools: dict[str, ThreadPoolExecutor] = {}

    async def run(self) -> None:
        """Runs until it is cancelled; what is being sent then is sent again at the next start.

        A start is a good moment to try again what was refused: somebody may have mended it.
        """
        self._pools = {name: ThreadPoolExecutor(AT_ONCE, f"s3-to-{name}") for name in self._targets}
        try:
            now_ms = int(self._plane.clock() * 1000)
            await self._plane.index.write(partial(queue.begin, targets=tuple(self._targets), now_ms=now_ms))
            async with asyncio.TaskGroup() as group:
                for target in self._targets.values():
                    group.create_task(self._serve(target))
        finally:
            for pool in self._pools.values():
                pool.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, target: Target) -> None:
        patience = _Patience()
        busy: dict[tuple[int, str], asyncio.Task[None]] = {}
        try:
            await self._serve_forever(target, patience, busy)
        finally:
            for task in busy.values():
                task.cancel()

    async def _serve_forever(
        self, target: Target, patience: _Patience, busy: dict[tuple[int, str], asyncio.Task[None]]
    ) -> None:
        while True:
            try:
                for key in [key for key, task in busy.items() if task.done()]:
                    busy.pop(key).result()
                is_idle = not await self._turn(target, patience, busy)
            except (OSError, sqlite3.Error, S3Error) as e:
                is_idle = True
                log.error("s3.replication_failed target=%s %s", target.name, e)
            if busy:
                await asyncio.wait(busy.values(), timeout=EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            elif is_idle:
                await asyncio.sleep(EVERY_S)

    async def _turn(self, target: Target, patience: _Patience, busy: dict[tuple[int, str], asyncio.Task[None]]) -> bool:
        """Begins with what is due. Gives whether there was anything to do."""
        now_s = self._plane.clock()
        scanned = await self._scan(target)
        room = AT_ONCE - len(busy)
        if room <= 0 or now_s < patience.until_s:
            return scanned
        # Those that are being sent are still in line, and first in it.
        rows = queue.due(self._plane.index, target.name, int(now_s * 1000), AT_ONCE + room)
        fresh = [row for row in rows if (row.bucket, row.key) not in busy][:room]
        if patience.problem:
            fresh = fresh[:1]  # one finds out whether it is back
        for row in fresh:
            busy[row.bucket, row.key] = asyncio.ensure_future(self._send(target, row, patience))
        return scanned or bool(fresh)

    async def _scan(self, target: Target) -> bool:
        index, scanned = self._plane.index, 0
        for number in queue.scanning(index, target.name, SCAN_BELOW):
            scanned += await index.write(
                partial(_scan_some, number=number, target=target.name, now_ms=int(self._plane.clock() * 1000))
            )
        return scanned > 0

    async def _send(self, target: Target, row: Waiting, patience: _Patience) -> None:
        index = self._plane.index
        try:
            sent = await self._sent(target, row)
        except SourceGone:
            # The change that replaced it is in line; if there was none, the bytes are missing.
            await self._refused(target, row, "The bytes on this side are gone.")
        except TargetAway as e:
            await self._wait(target, patience, str(e))
        except (Refused, S3Error) as e:
            patience.problem, patience.wait_s = "", FIRST_WAIT_S  # it answers, if only to refuse
            await self._refused(target, row, str(e))
        except Exception as e:  # one key that nobody foresaw must not stop the others
            log.exception("s3.bug replication of %r to %s", row.key, target.name)
            await self._refused(target, row, f"This is a fault of weyr: {e!r}")
        else:
            now_ms = int(self._plane.clock() * 1000)
            await index.write(partial(queue.done, row=row, sent_bytes=sent, now_ms=now_ms))
            if patience.problem:
                log.info("s3.replica_back target=%s", target.name)
            patience.problem, patience.wait_s = "", FIRST_WAIT_S

    async def _refused(self, target: Target, row: Waiting, why: str) -> None:
        again_s = min(FIRST_AGAIN_S * 4**row.failures, LONGEST_AGAIN_S)
        if not row.failures:
            log.warning("s3.replication_refused target=%s key=%r %s", target.name, row.key, why)
        again_ms = int((self._plane.clock() + again_s) * 1000)
        await self._plane.index.write(partial(queue.failed, row=row, error=why, again_ms=again_ms))

    async def _wait(self, target: Target, patience: _Patience, problem: str) -> None:
        if self._plane.clock() < patience.until_s:
            return  # others that were on their way found out too
        # All of it before anything is awaited: eight that found out at once would double the wait eight times.
        is_first, is_new = not patience.problem, patience.problem != problem
        patience.problem = problem
        patience.until_s = self._plane.clock() + patience.wait_s
        patience.wait_s = min(patience.wait_s * 2, LONGEST_WAIT_S)
        if is_first:
            log.warning("s3.replica_away target=%s %s", target.name, problem)
        if is_new:
            await self._plane.index.write(partial(queue.away, target=target.name, error=problem))

    async def _sent(self, target: Target, row: Waiting) -> int | None:
        """Brings the target to the key's state as it is now. Gives the bytes that were sent, None for nothing at all.

        Raises: TargetAway, Refused, SourceGone, S3Error.
        """
        index = self._plane.index
        bucket = bucket_of_id(index, row.bucket)
        stored = current(index, row.bucket, row.key) if bucket else None
        if bucket is None:
            return None
        if stored is None or stored.is_marker:
            return await self._end(target, row, bucket, stored)
        if stored.meta.replica or target.name not in targets_of(rules_of(bucket.settings), row.key, stored.meta.tags):
            return None
        item = await item_of(self._plane, bucket, stored, row.newest_ms)
        try:
            return await self._put(target, row, item)
        finally:
            item.close()

    async def _put(self, target: Target, row: Waiting, item: Item) -> int | None:
        if row.what == queue.CHECK and await self._in_thread(target, partial(target.has, item)):
            return None
        if row.what == queue.TAGS and await self._in_thread(target, partial(target.put_tags, item)):
            return 0
        await self._in_thread(target, partial(target.put, item, self._progress(row)))
        return item.size

    async def _end(self, target: Target, row: Waiting, bucket: Bucket, marker: Stored | None) -> int | None:
        is_replica = marker is not None and bool(marker.meta.replica)
        if is_replica or target.name not in targets_of_deleted(rules_of(bucket.settings), row.key):
            return None
        if row.upload:
            await self._in_thread(target, partial(target.abandon, bucket.name, row.key, row.upload))
        await self._in_thread(target, partial(target.delete, bucket.name, row.key, row.newest_ms))
        return 0

    def _progress(self, row: Waiting) -> Progress:
        loop, index = asyncio.get_running_loop(), self._plane.index

        def remember(upload: str, upload_of: str) -> None:
            async def write() -> None:
                await index.write(partial(queue.uploading, row=row, upload=upload, upload_of=upload_of))

            asyncio.run_coroutine_threadsafe(write(), loop).result(REMEMBER_S)

        return Progress(row.upload, row.upload_of, remember)

    async def _in_thread(self, target: Target, work: "partial[T]") -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pools[target.name], work)


def _scan_some(transaction: Transaction, number: int, target: str, now_ms: int) -> int:
    bucket = bucket_of_id(transaction, number)
    return queue.scan_some(transaction, bucket, target, now_ms) if bucket else 0
