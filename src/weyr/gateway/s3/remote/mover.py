"""How do objects get to their tier, and what nobody names away from it? Two queues of the index, worked in turn.

In the first process only. A move is intended, put piece by piece, read back and compared, and then committed; each step
can be the last one before a crash. A tier that does not answer keeps its queue, and the others theirs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from weyr.gateway.s3.digests import CHUNK_BYTES, DIGEST_BYTES, digests_of
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.records import Segment
from weyr.gateway.s3.remote import own_tiers, tiers
from weyr.gateway.s3.remote.away import outer_of
from weyr.gateway.s3.remote.blocks import OuterBytes
from weyr.gateway.s3.remote.problems import RemoteProblem
from weyr.gateway.s3.remote.tiers import PIECE_BYTES, Away, Due, Removal

if TYPE_CHECKING:
    from weyr.gateway.s3.call import Plane
    from weyr.gateway.s3.remote.store import Remote

log = logging.getLogger("weyr.s3")

GROUP = 64
MOVES_AT_ONCE = 2
PUTS_AT_ONCE = 4
BACKOFF_S = (1.0, 300.0)
EVERY_S = 2.0
PIECE_SUMS = PIECE_BYTES // CHUNK_BYTES * DIGEST_BYTES


class Damaged(Exception):
    """What is here is not what was put, and so is not moved; the scrubber tells of it."""


class Mover:
    """Moves what is due to its tier, and removes there what nobody names."""

    def __init__(self, plane: Plane, every_s: float = EVERY_S) -> None:
        self._plane = plane
        self._every_s = every_s
        self._held: set[str] = set()
        """Keys that are being put, which are not to be removed although they are written down for it."""
        self._silent: dict[str, tuple[float, float]] = {}
        """Tier → when it is asked again, and after how long the time after that."""

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            did = 0
            try:
                did = await self.turn()
            except (OSError, sqlite3.Error, S3Error) as e:
                log.error("s3.move_failed %s", e)
            if not did:
                await asyncio.sleep(self._every_s)

    async def turn(self) -> int:
        """A group of each queue. Gives how much was done."""
        own = await self._plane.index.aside(own_tiers.names)
        names = (*self._plane.outside.tiers, *own)
        ready = [name for name in names if self._silent.get(name, (0.0, 0.0))[0] <= self._now()]
        if not ready:
            return 0
        return await self._remove(ready) + await self._move(ready)

    # --- to a tier

    async def _move(self, ready: Sequence[str]) -> int:
        due = await self._plane.index.aside(partial(tiers.due_after, tiers=ready, limit=GROUP))
        slots = asyncio.Semaphore(MOVES_AT_ONCE)

        async def one(version: Due) -> int:
            async with slots:
                return await self._tried(version)

        return sum(await asyncio.gather(*(one(version) for version in due)))

    async def _tried(self, due: Due) -> int:
        if self._silent.get(due.tier, (0.0, 0.0))[0] > self._now():
            return 0
        try:
            await self._moved(due)
        except (RemoteProblem, S3Error) as e:
            self._back_off(due.tier, e)
            return 0
        except (Damaged, OSError) as e:  # the next whole pass of its rule finds it again
            log.error("s3.move_refused key=%r: %s", due.key, e)
            await self._plane.index.write(partial(tiers.forget, due=due))
        self._answers(due.tier)
        return 1

    async def _moved(self, due: Due) -> None:
        """One version to its tier. Raises: RemoteProblem; Damaged, FileNotFoundError where it is not here any more."""
        index = self._plane.index
        there = await index.aside(partial(tiers.version_due, due=due))
        is_movable = there is not None and bool(there.segments) and not there.segments[0].is_inline
        if there is None or not is_movable or own_tiers.tier_at(index, there.segments) == due.tier:
            await index.write(partial(tiers.forget, due=due))
            return
        wanted = [await self._wanted(due, segment) for segment in there.segments]
        self._held.update(away.key for away in wanted)
        try:
            if not await index.write(partial(tiers.intend, due=due, wanted=tuple(wanted))):
                return
            remote = self._plane.outside.of_tier(due.tier)
            for segment, away in zip(there.segments, wanted, strict=True):
                await self._put(remote, segment, away)
            is_done = await index.write(partial(tiers.moved, due=due, was=there.segments, put=tuple(wanted)))
            log.info("s3.moved key=%r tier=%s bytes=%d done=%s", due.key, due.tier, there.size, is_done)
        finally:
            self._held.difference_update(away.key for away in wanted)

    async def _wanted(self, due: Due, segment: Segment) -> Away:
        row = await self._plane.index.aside(partial(tiers.blob_row, segment=segment))
        if row is None:
            raise FileNotFoundError(f"blob {segment.blob} was removed meanwhile")
        # The name is drawn anew for each try, so that what an earlier one left can be removed at any time.
        return Away(due.tier, f"{due.bucket:x}/{secrets.token_hex(16)}", *row)

    async def _put(self, remote: Remote, segment: Segment, away: Away) -> None:
        slots = asyncio.Semaphore(PUTS_AT_ONCE)
        index, pinned = self._plane.index, [] if segment.is_away else [segment.blob]
        await index.pin(pinned)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(away.pieces):
                    group.create_task(self._put_piece(remote, segment, away, number, slots))
        except* (RemoteProblem, Damaged, OSError, S3Error) as several:
            raise several.exceptions[0] from several
        finally:
            index.unpin(pinned)

    async def _put_piece(
        self, remote: Remote, segment: Segment, away: Away, number: int, slots: asyncio.Semaphore
    ) -> None:
        """Puts a piece and reads it back: what was acknowledged and is not there was seen of more than one server."""
        async with slots:
            start = number * PIECE_BYTES
            data = await self._bytes(segment, start, min(PIECE_BYTES, away.size - start))
            sums = away.digests[number * PIECE_SUMS : (number + 1) * PIECE_SUMS]
            if await asyncio.to_thread(digests_of, data) != sums:
                raise Damaged(f"blob {segment.blob} is not what was written")
            key = f"{away.key}/{number}"
            await remote.put(key, data)
            if await remote.get(key, 0, len(data)) != data:
                raise RemoteProblem(f"{key} at {remote.place.url} has other bytes than were put there")

    async def _bytes(self, segment: Segment, start: int, count: int) -> bytes:
        """As they lie on disk, or at the tier that they are at until now."""
        plane = self._plane
        if not segment.is_away:
            return await asyncio.to_thread(_read, plane.blobs.path_of(segment.blob), start, count)
        (away,) = await plane.index.aside(partial(tiers.away_of, numbers=(segment.blob,)))
        if away is None:
            raise FileNotFoundError("the version was removed meanwhile")
        source = OuterBytes(plane.outside.blocks, outer_of(plane.outside, away), asyncio.get_running_loop())
        return await asyncio.to_thread(source.read, count, start)

    # --- away from a tier

    async def _remove(self, ready: Sequence[str]) -> int:
        index = self._plane.index
        found = await index.aside(partial(tiers.removals, tiers=ready, limit=GROUP + len(self._held)))
        wanted = [removal for removal in found if removal.key not in self._held]
        gone: list[Removal] = []
        for removal in wanted:
            if self._silent.get(removal.tier, (0.0, 0.0))[0] > self._now():
                continue
            try:
                remote = self._plane.outside.of_tier(removal.tier)
                for key in removal.keys:
                    await remote.delete(key)
            except (RemoteProblem, S3Error) as e:
                self._back_off(removal.tier, e)
                continue
            self._answers(removal.tier)
            gone.append(removal)
        if gone:
            await index.write(partial(tiers.removed, gone=tuple(gone)))
        return len(gone)

    def _back_off(self, tier: str, problem: Exception) -> None:
        first_s, longest_s = BACKOFF_S
        _, wait_s = self._silent.get(tier, (0.0, first_s))
        if tier not in self._silent:
            log.warning("s3.tier_silent tier=%s: %s", tier, problem)
        self._silent[tier] = self._now() + wait_s, min(2 * wait_s, longest_s)
        self._plane.outside.silent[tier] = str(problem)

    def _answers(self, tier: str) -> None:
        self._silent.pop(tier, None)
        self._plane.outside.silent.pop(tier, None)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _read(path: os.PathLike[str], start: int, count: int) -> bytes:
    """Raises: FileNotFoundError; Damaged where the file is shorter than it was."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, count, start)
        while len(data) < count and (more := os.pread(descriptor, count - len(data), start + len(data))):
            data += more
    finally:
        os.close(descriptor)
    if len(data) < count:
        raise Damaged(f"{path} is shorter than it was")
    return data
