"""Where do events wait? In a SQLite file: what was accepted is on the disk, and is run at least once.

One thread writes. What comes while it waits for the disk is written together with the next wait, so that a thousand
events a second need not wait for the disk a thousand times.
"""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from weyr.gateway.functions.event import Event, Outcome, State

Write = Callable[[sqlite3.Connection], object]

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, function TEXT NOT NULL, trigger TEXT NOT NULL, body BLOB NOT NULL, content_type TEXT NOT NULL,
    request TEXT NOT NULL, accepted_at REAL NOT NULL, due_at REAL NOT NULL, attempt INTEGER NOT NULL,
    state TEXT NOT NULL, ended_at REAL, status INTEGER, result BLOB, headers TEXT, error TEXT, message TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due ON events (function, state, due_at);
CREATE INDEX IF NOT EXISTS old ON events (state, ended_at);
CREATE TABLE IF NOT EXISTS schedules (
    function TEXT NOT NULL, schedule TEXT NOT NULL, fired_at REAL NOT NULL, PRIMARY KEY (function, schedule)
) WITHOUT ROWID;
"""
FIELDS = "id, function, trigger, body, content_type, request, accepted_at, due_at, attempt"
AT_ONCE = 500
DEAD_KEPT_S = 14 * 86_400.0


class EventStore:
    """The events of all functions. Raises (on opening): OSError, sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._writes: SimpleQueue[tuple[Write, asyncio.Future[Any]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        writer = _opened(path)
        writer.executescript(SCHEMA)
        self._reader = _opened(path)
        self._thread = threading.Thread(target=self._keep_writing, args=(writer,), name="events", daemon=True)
        self._thread.start()

    async def accept(self, event: Event) -> bool:
        """Returns once the event is on the disk. False where it was there before. Raises: sqlite3.Error."""
        return bool(await self._write(lambda db: _insert(db, event)))

    async def accept_scheduled(self, event: Event, schedule: str) -> None:
        """An event and that its schedule has fired, both or neither."""

        def both(db: sqlite3.Connection) -> None:
            _insert(db, event)
            row = event.function, schedule, event.accepted_at
            db.execute("INSERT OR REPLACE INTO schedules VALUES (?, ?, ?)", row)

        await self._write(both)

    async def begin_schedule(self, function: str, schedule: str, now: float) -> None:
        """From now on a schedule counts: what came before it was there is not made up for."""
        row = function, schedule, now
        await self._write(lambda db: db.execute("INSERT OR IGNORE INTO schedules VALUES (?, ?, ?)", row))

    async def finish(self, event: Event, outcome: Outcome, now: float) -> None:
        """The event is over: its answer is kept for whoever asks."""
        await self._write(lambda db: _end(db, event, State.DONE, outcome, now))

    async def retry(self, event: Event, outcome: Outcome, due_at: float) -> None:
        """The attempt failed, and another follows."""
        row = event.attempt, due_at, outcome.error, outcome.message, event.id
        sql = "UPDATE events SET attempt = ?, due_at = ?, error = ?, message = ? WHERE id = ?"
        await self._write(lambda db: db.execute(sql, row))

    async def bury(self, event: Event, outcome: Outcome, now: float, letters: Sequence[Event]) -> None:
        """The last attempt failed. `letters` tell of it: all of it is written, or nothing."""

        def both(db: sqlite3.Connection) -> None:
            _end(db, event, State.DEAD, outcome, now)
            for letter in letters:
                _insert(db, letter)

        await self._write(both)

    async def revive(self, function: str, now: float) -> int:
        """Dead events begin anew. Gives how many."""
        sql = "UPDATE events SET state = 'waiting', attempt = 0, due_at = ? WHERE function = ? AND state = 'dead'"
        return int(await self._write(lambda db: db.execute(sql, (now, function)).rowcount))

    async def sweep(self, now: float, kept_s: float) -> None:
        """Forgets answers older than `kept_s`, and the dead after two weeks."""

        def both(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM events WHERE state = 'done' AND ended_at < ?", (now - kept_s,))
            db.execute("DELETE FROM events WHERE state = 'dead' AND ended_at < ?", (now - DEAD_KEPT_S,))

        await self._write(both)

    async def forget(self, function: str) -> None:
        """A function is gone, and everything of it."""

        def both(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM events WHERE function = ?", (function,))
            db.execute("DELETE FROM schedules WHERE function = ?", (function,))

        await self._write(both)

    def due(self, function: str, now: float, count: int) -> list[Event]:
        """The first events whose time has come."""
        sql = f"SELECT {FIELDS} FROM events WHERE function = ? AND state = 'waiting' AND due_at <= ?"
        return [_event(row) for row in self._reader.execute(f"{sql} ORDER BY due_at LIMIT ?", (function, now, count))]

    def next_due(self, function: str) -> float | None:
        """When the next event's time comes, None where none waits."""
        sql = "SELECT min(due_at) FROM events WHERE function = ? AND state = 'waiting'"
        found: float | None = self._reader.execute(sql, (function,)).fetchone()[0]
        return found

    def counts(self, function: str) -> dict[str, int]:
        """How many events are in each state."""
        sql = "SELECT state, count(*) FROM events WHERE function = ? GROUP BY state"
        return dict(self._reader.execute(sql, (function,)).fetchall())

    def found(self, function: str, id: str) -> dict[str, Any] | None:
        """What is known of one event, None of one that never came or is long over."""
        sql = "SELECT state, attempt, due_at, status, result, headers, error, message FROM events WHERE id = ?"
        row = self._reader.execute(f"{sql} AND function = ?", (id, function)).fetchone()
        names = ("state", "attempt", "due_at", "status", "result", "headers", "error", "message")
        return dict(zip(names, row, strict=True)) if row else None

    def dead(self, function: str, count: int) -> list[tuple[Event, str, str]]:
        """The newest dead events, each with its error and message."""
        sql = f"SELECT {FIELDS}, error, message FROM events WHERE function = ? AND state = 'dead'"
        rows = self._reader.execute(f"{sql} ORDER BY ended_at DESC LIMIT ?", (function, count)).fetchall()
        return [(_event(row[:-2]), row[-2], row[-1]) for row in rows]

    def fired_at(self, function: str, schedule: str) -> float | None:
        """When a schedule fired last."""
        sql = "SELECT fired_at FROM schedules WHERE function = ? AND schedule = ?"
        row = self._reader.execute(sql, (function, schedule)).fetchone()
        return float(row[0]) if row else None

    def close(self) -> None:
        """Returns when everything that was asked is written."""
        self._writes.put(None)
        self._thread.join()
        self._reader.close()

    async def _write(self, write: Write) -> Any:
        done: asyncio.Future[Any] = self._loop.create_future()
        self._writes.put((write, done))
        return await done

    def _keep_writing(self, db: sqlite3.Connection) -> None:
        while (first := self._writes.get()) is not None:
            batch = [first]
            is_last = False
            while len(batch) < AT_ONCE and not self._writes.empty():
                more = self._writes.get()
                if more is None:
                    is_last = True
                    break
                batch.append(more)
            self._tell(batch, _written(db, [write for write, _ in batch]))
            if is_last:
                break
        db.close()

    def _tell(self, batch: Sequence[tuple[Write, asyncio.Future[Any]]], results: Sequence[object]) -> None:
        def settle() -> None:
            for (_, done), result in zip(batch, results, strict=True):
                if done.done():
                    continue
                if isinstance(result, BaseException):
                    done.set_exception(result)
                else:
                    done.set_result(result)

        self._loop.call_soon_threadsafe(settle)


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def _written(db: sqlite3.Connection, writes: Sequence[Write]) -> list[object]:
    """Does all of them and waits for the disk once; where that fails, none of them is done."""
    try:
        db.execute("BEGIN IMMEDIATE")
        results = [write(db) for write in writes]
        db.execute("COMMIT")
    except sqlite3.Error as e:
        if db.in_transaction:
            db.execute("ROLLBACK")
        return [e] * len(writes)
    return results


def _insert(db: sqlite3.Connection, event: Event) -> bool:
    row = (
        event.id, event.function, event.trigger, event.body, event.content_type, json.dumps(event.request),
        event.accepted_at, event.due_at, event.attempt,
    )  # fmt: skip
    sql = f"INSERT OR IGNORE INTO events ({FIELDS}, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')"
    return db.execute(sql, row).rowcount == 1


def _end(db: sqlite3.Connection, event: Event, state: State, outcome: Outcome, now: float) -> None:
    row = (
        event.attempt, state.value, now, outcome.status, outcome.body, json.dumps(outcome.headers), outcome.error,
        outcome.message, event.id,
    )  # fmt: skip
    sql = "UPDATE events SET attempt = ?, state = ?, ended_at = ?, status = ?, result = ?, headers = ?, error = ?"
    db.execute(f"{sql}, message = ? WHERE id = ?", row)


def _event(row: Sequence[Any]) -> Event:
    id, function, trigger, body, content_type, request, accepted_at, due_at, attempt = row
    return Event(id, function, trigger, body, content_type, json.loads(request), accepted_at, due_at, attempt)
