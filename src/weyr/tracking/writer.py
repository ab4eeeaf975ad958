"""How do many callers share one fsync? Changes that wait for the disk together are committed together.

One training task logs from one connection and pays one commit per call. Twenty tasks at once
would queue for twenty commits; here the first to get its turn takes along everybody who waits.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from weyr.store.database import Database

T = TypeVar("T")

TOGETHER_MAX = 64


class Writer:
    """Runs changes in the database. When `run` returns, the change is on disk.

    Promises: each change is whole or not at all, whatever becomes of the others in its commit.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: deque[_Change[Any]] = deque()
        self._turn = threading.Lock()

    def run(self, work: Callable[[Connection], T]) -> T:
        """Raises what `work` raises, with its change undone; StoreError if the disk refuses."""
        change = _Change(work)
        self._waiting.append(change)
        with self._turn:
            while not change.is_done:
                self._commit_some()
        return change.result()

    def _commit_some(self) -> None:
        # Oldest first and bounded: the caller's own change is reached after a known number of turns.
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER_MAX))]
        try:
            with self._db.write() as connection:
                if len(batch) == 1:
                    batch[0].value = batch[0].work(connection)
                else:
                    for change in batch:
                        change.attempt(connection)
        except BaseException as e:  # noqa: BLE001  each caller gets it raised in its own thread
            for change in batch:
                change.error = change.error or e
        for change in batch:
            change.is_done = True


class _Change(Generic[T]):
    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.value: T | None = None
        self.error: BaseException | None = None
        self.is_done = False

    def attempt(self, connection: Connection) -> None:
        """Runs inside a savepoint, so that a refused change leaves its neighbours alone."""
        savepoint = connection.begin_nested()
        try:
            self.value = self.work(connection)
        except Exception as e:  # noqa: BLE001  raised again by result()
            savepoint.rollback()
            self.error = e
        else:
            savepoint.commit()

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None only where T is None
