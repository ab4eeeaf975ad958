"""How is a database copied while it is written? As of one moment, at which nothing else is decided either.

Every intent is committed before its effect. So while nothing can be committed nothing new begins, and what else
is looked at inside the block is what a power cut at that moment would have left beside the copy.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weyr.store.sqlite import BUSY_TIMEOUT_MS


@contextmanager
def frozen(source: Path, to: Path) -> Iterator[None]:
    """While the block runs nobody can write to the database; afterwards `to` holds it as of then.

    The block has to be short: who wants to write waits for `BUSY_TIMEOUT_MS` at most. The copying itself keeps
    nobody waiting. Raises: sqlite3.Error.
    """
    writer = sqlite3.connect(source, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
    reader = sqlite3.connect(source, isolation_level=None)
    target = sqlite3.connect(to)
    try:
        writer.execute("BEGIN IMMEDIATE")
        try:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here it sees one state only
            yield
        finally:
            writer.execute("ROLLBACK")
        reader.backup(target, pages=-1)
    finally:
        for connection in (target, reader, writer):
            connection.close()
