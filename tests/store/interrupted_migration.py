"""A start that does not survive its migration: `interrupted_migration.py DATABASE STATEMENTS raise|kill`."""

import os
import signal
import sys
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from weyr.store.database import Database
from weyr.store.migrate import migrate
from weyr.store.place import PostgresUrl


class Interrupted(Exception):
    """Stands for a disk that is full."""


def main(database: str, statements: str, end: str) -> int:
    done = 0

    @event.listens_for(Engine, "after_cursor_execute")
    def count(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        nonlocal done
        done += statement.lstrip().upper().startswith("CREATE")
        if done == int(statements):
            print(f"statement {done}", flush=True)
            if end == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise Interrupted

    try:
        migrate(Database(PostgresUrl.parse(database) if "://" in database else Path(database)))
    except Interrupted:
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
