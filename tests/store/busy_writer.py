"""Writes for ever and says so after each commit: `busy_writer.py STORE True|False`."""

import sys
from pathlib import Path

from sqlalchemy import text

from weyr.store.database import Database
from weyr.store.place import PostgresUrl


def main(store: str, is_synced: str) -> None:
    db = Database(PostgresUrl.parse(store) if "://" in store else Path(store))
    with db.write() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS pairs (a INTEGER, b INTEGER)"))
    n = 0
    while True:
        n += 1
        with db.write(is_synced=is_synced == "True") as connection:
            connection.execute(text("INSERT INTO pairs VALUES (:n, 0)"), {"n": n})
            connection.execute(text("UPDATE pairs SET b = :n WHERE a = :n AND b = 0"), {"n": n})
        print(n, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
