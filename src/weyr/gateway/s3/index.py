"""Which objects are there, and which blobs hold them? One SQLite file, written by one thread in groups.

Readers ask on the event loop's thread (a point lookup took 20 us, 2026-11). Every change is an operation that runs in
the writer's thread: it takes all that wait, runs each in a savepoint, makes their blobs durable and commits once.
An operation's future is only resolved after that commit: acknowledged means on disk.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.schema import opened

log = logging.getLogger("weyr.s3")

GROUP_MAX = 256
QUEUE_MAX = 20_000

T = TypeVar("T")
Row = tuple[Any, ...]


@dataclass(slots=True)
class Transaction:
    """What an operation may do: SQL on `db`, blobs that become durable with it, blobs that it lets go."""

    db: sqlite3.Connection
    arrived: list[int] = field(default_factory=list)
    freed: list[int] = field(default_factory=list)

    def one(self, sql: str, *values: object) -> Row | None:
        row: Row | None = self.db.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: object) -> list[Row]:
        return self.db.execute(sql, values).fetchall()

    def run(self, sql: str, *values: object) -> int:
        """Gives how many rows were changed."""
        return self.db.execute(sql, values).rowcount


Answer = Callable[[Any, Exception | None], None]
"""Takes an operation's result or what it raised, on the loop, after the commit."""


@dataclass(slots=True)
class _Pending:
    operation: Callable[[Transaction], object]
    answer: Answer
    source: str = ""
    """The process whose blobs it names, as it marks them while they arrive."""
    result: object = None
    error: Exception | None = None


class AnyIndex(ABC):
    """The index in `folder`/index.db, as a process has it that answers requests. To be made on the loop's thread.

    Raises: sqlite3.Error where the file cannot be opened or is not an index of ours.
    """

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._path = folder / "index.db"
        self._reader = opened(self._path)
        self._asking = ThreadPoolExecutor(1, "s3-aside")
        self._aside_db: sqlite3.Connection | None = None

    def one(self, sql: str, *values: object) -> Row | None:
        """The first row of a query, None where there is none. Sees everything that was acknowledged."""
        row: Row | None = self._reader.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: object) -> list[Row]:
        """Every row of a query; the query bounds how many."""
        return self._reader.execute(sql, values).fetchall()

    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        """The rows of a query as they are taken; what is not taken is not looked for."""
        return self._reader.execute(sql, values)

    async def aside(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Asks a question that may scan many rows, in a thread of its own."""
        return await self._loop.run_in_executor(self._asking, self._ask, question)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if self._aside_db is None:
            self._aside_db = opened(self._path)
        return question(self._aside_db)

    @abstractmethod
    def write(self, operation: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        """Runs `operation` in the next group; the future resolves after the commit that holds it.

        Takes: a function of a module, with its arguments bound by `functools.partial`: it has to be picklable, since
        another process may carry it out.

        The operation may raise to refuse; then nothing of it remains, and the others of its group are not touched.
        Raises: S3Error SlowDown where too many are waiting.
        """

    @abstractmethod
    async def pin(self, blobs: list[int]) -> None:
        """Keeps those of the blobs that are still there until `unpin` of the same ones, or until this process ends."""

    @abstractmethod
    def unpin(self, blobs: list[int]) -> None: ...

    def close(self) -> None:
        self._asking.shutdown(wait=True)
        if self._aside_db is not None:
            self._aside_db.close()
        self._reader.close()


class Index(AnyIndex):
    """The index in the one process that writes it. `close` ends the writer."""

    def __init__(self, folder: Path, blobs: BlobStore, loop: asyncio.AbstractEventLoop) -> None:
        _refuse_to_begin_anew(folder / "index.db", blobs)
        super().__init__(folder, loop)
        self._blobs = blobs
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._writer_db = opened(self._path)
        self._reaper = ThreadPoolExecutor(1, "s3-reaper")
        self._failed: list[int] = []
        self._writer = threading.Thread(target=self._write_groups, name="s3-index", daemon=True)
        self.commits = 0
        self.writes = 0

    def start(self) -> None:
        """Recovers and begins to take writes. Blobs that nobody names are removed in the background."""
        row = self.one("SELECT max(id) FROM blobs")
        first = self._blobs.recover((row and row[0]) or 0)
        self._writer.start()
        self._reaper.submit(self._remove_unnamed, first)

    def write(self, operation: Callable[[Transaction], T]) -> "asyncio.Future[T]":
        if self._queue.qsize() > QUEUE_MAX:
            raise S3Error("SlowDown")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Pending(operation, partial(_settle, future)))
        return future

    def submit(self, operation: Callable[[Transaction], object], answer: Answer, source: str) -> None:
        """As `write`, for another process: `source` is the name that the blobs carry which it has taken in."""
        if self._queue.qsize() > QUEUE_MAX:
            answer(None, S3Error("SlowDown"))
            return
        self._queue.put(_Pending(operation, answer, source))

    async def pin(self, blobs: list[int]) -> None:
        self._blobs.pin(blobs)

    def unpin(self, blobs: list[int]) -> None:
        self._blobs.unpin(blobs)

    def forget_arriving(self, source: str) -> None:
        """Removes what a process that has died had begun to take in, once all that it asked for is done."""

        def remove(result: object, error: Exception | None) -> None:
            self._reaper.submit(self._blobs.remove_arriving, source)

        self._queue.put(_Pending(_nothing, remove))

    def close(self) -> None:
        """Waits for the writes that are queued and lets the file go."""
        self._queue.put(None)
        if self._writer.is_alive():
            self._writer.join()
        self._reaper.shutdown(wait=True)
        super().close()
        self._writer_db.close()

    # --- the writer's thread

    def _write_groups(self) -> None:
        is_open = True
        while is_open:
            group = [self._queue.get()]
            while len(group) < GROUP_MAX and not self._queue.empty():
                group.append(self._queue.get())
            is_open = None not in group
            pending = [entry for entry in group if entry is not None]
            if pending:
                self._write_group(pending)

    def _write_group(self, group: list[_Pending]) -> None:
        transaction = Transaction(self._writer_db)
        arrived: list[tuple[int, str]] = []
        try:
            self._writer_db.execute("BEGIN IMMEDIATE")
            for pending in group:
                self._run(transaction, pending)
                arrived += [(blob, pending.source) for blob in transaction.arrived[len(arrived) :]]
            if arrived:
                self._blobs.publish(arrived)
            self._writer_db.execute("COMMIT")
            self.commits += 1
            self.writes += len(group)
            is_committed = True
        except Exception as e:  # noqa: BLE001  whatever it is, the next group may fare better
            # Nothing of the group is on disk for certain, so nobody in it may be told that it is.
            for pending in group:
                pending.error = pending.error or e
            self._failed += transaction.arrived
            transaction.freed.clear()
            is_committed = False
        self._loop.call_soon_threadsafe(_resolve, group)
        self._free(transaction.freed, is_committed)

    def _free(self, freed: list[int], is_committed: bool) -> None:
        """Has the files removed that nobody names any more: those let go, and those of writes that failed."""
        try:
            if not is_committed and self._writer_db.in_transaction:
                self._writer_db.execute("ROLLBACK")
            if self._failed and (is_committed or self._is_forgotten()):
                failed, self._failed = self._failed, []
                marks = ",".join("?" * len(failed))
                named = {
                    row[0] for row in self._writer_db.execute(f"SELECT id FROM blobs WHERE id IN ({marks})", failed)
                }
                freed = freed + [blob for blob in failed if blob not in named]
            if freed:
                self._reaper.submit(self._blobs.remove, freed)
        except (OSError, sqlite3.Error, MemoryError, RuntimeError):
            self._failed += freed  # the next group tries again, and else the next start

    def _is_forgotten(self) -> bool:
        """Makes sure that no crash brings a failed group back. A commit that could not be synced may lie whole in the
        write-ahead log, and would then name blobs that are gone; a log that is empty holds nothing of it. It also
        makes room, where there is none."""
        busy: int = self._writer_db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def _run(self, transaction: Transaction, pending: _Pending) -> None:
        marks = len(transaction.arrived), len(transaction.freed)
        db = transaction.db
        db.execute("SAVEPOINT operation")
        try:
            pending.result = pending.operation(transaction)
        except Exception as e:  # noqa: BLE001  whatever it is, it belongs to whoever asked for the operation
            pending.error = e
            db.execute("ROLLBACK TO operation")
            del transaction.arrived[marks[0] :], transaction.freed[marks[1] :]
        db.execute("RELEASE operation")

    def _remove_unnamed(self, below: int) -> int:
        """Removes the blobs that a crash left without a row: never published, or freed and not yet removed.
        Nothing is removed on the word of an index that is damaged."""
        db = opened(self._path)

        def unnamed_of(ids: list[int]) -> set[int]:
            if not ids:
                return set()
            named = db.execute("SELECT id FROM blobs WHERE id BETWEEN ? AND ?", (min(ids), max(ids)))
            return set(ids) - {row[0] for row in named}

        try:
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                log.error("s3.index_damaged %s: no blob is removed", self._path)
                return 0
            return self._blobs.remove_unnamed(below, unnamed_of)
        finally:
            db.close()


def _refuse_to_begin_anew(path: Path, blobs: BlobStore) -> None:
    """An index that is gone or empty beside blobs was lost: a new one would name none of them, and they would be
    removed as nobody's. Raises: sqlite3.Error."""
    if (not path.exists() or path.stat().st_size == 0) and blobs.has_any():
        raise sqlite3.DatabaseError(
            f"{path} is gone or empty, and there are objects beside it. `weyr s3 fsck --data "
            f"{path.parent} --repair` begins from the copy that the plane kept; or restore it from a backup, or move "
            f"{path.parent} away to begin without them"
        )


def _resolve(group: list[_Pending]) -> None:
    for pending in group:
        pending.answer(pending.result, pending.error)


def _settle(future: "asyncio.Future[T]", result: T, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _nothing(transaction: Transaction) -> None: ...
