"""Is every blob still what was written? A slow walk over all of them, again and again.

It goes along the blobs' numbers at the pace that ends a pass in time, and keeps its place in the index: a restart goes
on where it was. What is damaged is written down (`weyr.gateway.s3.care.rot`), where the mending and readers find it.
"""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.care.looking import Counted, counted, counted_after, look
from weyr.gateway.s3.care.rot import try_again, write_down
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Index, Transaction
from weyr.gateway.s3.records import Reader

log = logging.getLogger("weyr.s3")

EVERY_S = 7 * 86_400.0
GROUP = 64
KEEP_EVERY_S = 60.0
"""How often the place is written: more would be a commit for every few blobs."""
PACE_MIN_BYTES_PER_S = 2**20
BUSY = 0.5
"""A pass is to take half of the time between two; the rest is for what is put meanwhile, and for hours of standing."""
PASS = "scrub"


@dataclass(frozen=True, slots=True)
class Pass:
    """One walk over everything: how far it is, and what it has met. `ended_ms` 0 while it goes on."""

    began_ms: int
    ended_ms: int = 0
    after: int = 0
    blobs: int = 0
    bytes: int = 0
    damaged: int = 0


def kept_pass(db: sqlite3.Connection) -> Pass | None:
    row = db.execute("SELECT value FROM care WHERE name = ?", (PASS,)).fetchone()
    return Pass(**json.loads(row[0])) if row else None


def scrub_shown(reader: Reader) -> dict[str, int] | None:
    """How far the scrubber is, or was when it last wrote it down; None before its first walk."""
    row = reader.one("SELECT value FROM care WHERE name = ?", PASS)
    shown: dict[str, int] | None = json.loads(row[0]) if row else None
    return shown


def keep_pass(transaction: Transaction, state: Pass) -> None:
    """Remembers how far the scrubber is."""
    text = json.dumps(asdict(state))
    transaction.run(
        "INSERT INTO care VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", PASS, text
    )


class Scrubber:
    """Walks over the blobs of one store, in its first process. `clock` gives Unix seconds.

    Takes: `every_s`, from the beginning of a pass to that of the next.
    """

    def __init__(
        self,
        index: Index,
        store: BlobStore,
        clock: Callable[[], float],
        every_s: float = EVERY_S,
        group: int = GROUP,
    ) -> None:
        self._index = index
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._group = group
        self._debt_s = 0.0
        self._is_over = False

    async def run(self) -> None:
        """Scrubs until it is cancelled. What fails is logged and tried again."""
        self._is_over = False
        try:
            while True:
                try:
                    await self._pass()
                except (OSError, sqlite3.Error, S3Error) as e:
                    log.error("s3.scrub_failed %s", e)
                    await asyncio.sleep(min(KEEP_EVERY_S, self._every_s))
        finally:
            self._is_over = True

    async def _pass(self) -> None:
        kept = await self._index.aside(kept_pass)
        if kept is not None and kept.ended_ms:
            # A clock that was set back must not stop it, nor one set forward hurry it on for ever.
            since_s = max(0.0, self._clock() - kept.began_ms / 1000)
            await asyncio.sleep(max(0.0, self._every_s - since_s))
            kept = None
        if kept is None:
            await self._index.write(try_again)
        await self.walk(kept or Pass(int(self._clock() * 1000)), await self._index.aside(self._pace))

    def _pace(self, db: sqlite3.Connection) -> float:
        total: int = db.execute("SELECT coalesce(sum(size), 0) FROM blobs").fetchone()[0]
        return max(PACE_MIN_BYTES_PER_S, total / (self._every_s * BUSY))

    async def walk(self, state: Pass, bytes_per_s: float) -> Pass:
        """Goes from where `state` is to the end. Gives what it met."""
        loop, kept_at = asyncio.get_running_loop(), self._clock()
        while group := await self._index.aside(partial(counted_after, after=state.after, limit=self._group)):
            for blob in group:
                why = await self._looked_at(blob, bytes_per_s, loop)
                is_damaged = bool(why) and await self._write_down(blob, why)
                state = replace(
                    state,
                    after=blob.id,
                    blobs=state.blobs + 1,
                    bytes=state.bytes + blob.size,
                    damaged=state.damaged + is_damaged,
                )
            if abs(self._clock() - kept_at) > KEEP_EVERY_S:
                kept_at = self._clock()
                await self._index.write(partial(keep_pass, state=state))
        state = replace(state, ended_ms=int(self._clock() * 1000), after=0)
        await self._index.write(partial(keep_pass, state=state))
        log.info("s3.scrubbed blobs=%d bytes=%d damaged=%d", state.blobs, state.bytes, state.damaged)
        return state

    async def _looked_at(self, blob: Counted, bytes_per_s: float, loop: asyncio.AbstractEventLoop) -> str:
        """Looks at a blob in a thread, which waits on the loop after each piece, as the pace has it."""
        if blob.data is not None:
            why = look(self._store, blob)
            await self._wait(blob.size / bytes_per_s)
            return why

        def paced(count: int) -> None:
            if self._is_over:
                raise InterruptedError("the plane stops")
            asyncio.run_coroutine_threadsafe(self._wait(count / bytes_per_s), loop).result()

        return await loop.run_in_executor(None, look, self._store, blob, paced)

    async def _wait(self, seconds: float) -> None:
        """Small ones are waited for together: a timer for each would cost more than the look."""
        self._debt_s += seconds
        if self._debt_s > 0.01:
            debt_s, self._debt_s = self._debt_s, 0.0
            await asyncio.sleep(debt_s)

    async def _write_down(self, blob: Counted, why: str) -> bool:
        """Remembers a damage, unless the blob was let go while it was looked at."""
        if await self._index.aside(partial(counted, blob=blob.id)) is None:
            return False
        now_ms = int(self._clock() * 1000)
        if await self._index.write(partial(write_down, rotten=((blob.id, why),), now_ms=now_ms)):
            log.error("s3.rot blob=%d: %s", blob.id, why)
        return True
