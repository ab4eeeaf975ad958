"""What was asked of each route since it is there? Answers, tokens and money that a restart of the plane keeps.

Every process counts in memory and adds what came together to one table once a second, so that a request costs no
write. A kill loses at most that second; a stop loses nothing. A route that is taken out and comes again is another one.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from weyr.core.seen import RouteUse
from weyr.gateway.inference.endpoint import Endpoint

KEEP_EVERY_S = 1.0
SHOW_EVERY_S = 30.0
"""How often what all processes counted together is read again: each change that is shown is written by the ledger."""
_WAIT_S = 5.0
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS uses (
        thing TEXT PRIMARY KEY, since REAL NOT NULL, requests INTEGER NOT NULL, tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL, outside_micros INTEGER NOT NULL
    ) WITHOUT ROWID"""
_ADD = """
    INSERT INTO uses VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (thing) DO UPDATE SET
    requests = requests + excluded.requests, tokens_in = tokens_in + excluded.tokens_in,
    tokens_out = tokens_out + excluded.tokens_out,
    outside_micros = outside_micros + excluded.outside_micros"""

log = logging.getLogger("weyr.inference")


@dataclass(slots=True)
class Added:
    """What came together for one route since it was last kept."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    outside_micros: int = 0

    def add(self, other: "Added") -> None:
        self.requests += other.requests
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.outside_micros += other.outside_micros


class Uses:
    """The uses of all routes. Takes the file that the plane's processes share; without one nothing is kept.

    `shown` is what all of them had counted when it was last read, by thing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._taken: dict[str, Added] = {}
        self._gone: set[str] = set()
        self._known: dict[str, Endpoint] = {}
        self._shown_at = float("-inf")
        self._is_begun = self._is_newer = False
        self.shown: Mapping[str, RouteUse] = {}

    async def run(self, endpoints: Callable[[], Iterable[Endpoint]]) -> None:
        """Keeps what is counted, again and again."""
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            await self.keep(endpoints())

    async def keep(self, endpoints: Iterable[Endpoint], is_last: bool = False) -> None:
        """Adds what was counted so far to the table. Where that cannot be written it is kept for the next time."""
        if self._path is None:
            return
        self._take(endpoints)
        self._is_newer |= bool(self._taken or self._gone)
        is_due = self._is_newer and (is_last or time.monotonic() - self._shown_at >= SHOW_EVERY_S)
        if self._is_begun and not (self._taken or self._gone or is_due):
            return
        taken, self._taken = self._taken, {}
        gone, self._gone = self._gone, set()
        # What went away while no plane was there is another one when it comes again.
        there = None if self._is_begun else set(self._known)
        try:
            shown = await asyncio.to_thread(_kept, self._path, taken, gone, there, time.time(), is_due)
        except (OSError, sqlite3.Error) as e:
            log.warning("inference.uses_kept %d routes: %s", len(taken), e)
            for thing, added in taken.items():
                self._taken.setdefault(thing, Added()).add(added)
            self._gone |= gone
            return
        self._is_begun = True
        if shown is not None:
            self.shown = shown
        if is_due:
            self._is_newer, self._shown_at = False, time.monotonic()

    def _take(self, endpoints: Iterable[Endpoint]) -> None:
        there: dict[str, Endpoint] = {}
        for endpoint in endpoints:
            thing = endpoint.route.thing
            if not endpoint.is_removed:
                there[thing] = endpoint
            if endpoint.requests != endpoint.kept_requests or endpoint.inflight:
                added = _added(endpoint)
                endpoint.kept_requests = endpoint.requests if not endpoint.inflight else -1
                if added != Added():
                    self._taken.setdefault(thing, Added()).add(added)
        # One that came again is another endpoint, however soon it came.
        self._gone |= {thing for thing, endpoint in self._known.items() if there.get(thing) is not endpoint}
        self._known = there


def _added(endpoint: Endpoint) -> Added:
    """What came together since the last time, of every version and of whoever answered in its place."""
    whole = Added()
    for counts in endpoint.counts.values():
        answered = counts.requests - counts.errors
        now = answered, counts.measure.prompt_tokens, counts.measure.generation_tokens
        requests, read, written = (after - before for after, before in zip(now, counts.kept, strict=True))
        counts.kept = now
        whole.add(Added(requests, read, written))
    for step in endpoint.chain:
        if step.upstream is not None:
            whole.outside_micros += step.upstream.take_micros()
    return whole


def _kept(
    path: Path, taken: Mapping[str, Added], gone: set[str], there: set[str] | None, now: float, is_shown: bool
) -> Mapping[str, RouteUse] | None:
    """Raises: OSError or sqlite3.Error where the table cannot be used; nothing of it was changed then."""
    db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(_SCHEMA)
        if there is not None:
            gone = gone | {thing for (thing,) in db.execute("SELECT thing FROM uses")} - there
        if taken or gone:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("DELETE FROM uses WHERE thing = ?", [(thing,) for thing in sorted(gone)])
            db.executemany(_ADD, [(thing, now, *asdict(added).values()) for thing, added in sorted(taken.items())])
            db.execute("COMMIT")
        if not is_shown and there is None:
            return None
        rows = db.execute("SELECT thing, since, requests, tokens_in, tokens_out, outside_micros FROM uses")
        return {thing: RouteUse(*use) for thing, *use in rows}
    finally:
        db.close()
