"""Which store does this process use, and what does its environment say about it?"""

import os
from pathlib import Path

from weyr.compose.doors import STORE
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.store import access, kernel
from weyr.store.database import Database
from weyr.store.migrate import migrate
from weyr.store.place import PostgresUrl, remember_store, store_place


def store_of(home: Path) -> Path | PostgresUrl:
    """The store of a data folder: $WEYR_STORE, else what the folder remembers, else its own file. Raises: UserError."""
    return store_place(home, os.environ.get(STORE, ""))


def keep_store(home: Path, place: Path | PostgresUrl) -> None:
    """Remembers the store for later commands. Raises: UserError where the folder has another one in use already."""
    if isinstance(place, PostgresUrl):
        file = home / "store.db"
        if not (home / "store.json").exists() and file.exists() and _is_in_use(file):
            detail = f"{file} knows of stacks or secrets. They would seem to be lost with the store at {place}."
            suggestion = "weyr --home ~/another-folder server start --store ..."
            raise UserError(Diagnostic("The data folder has a store already", detail, suggestion=suggestion))
        remember_store(home, place)


def _is_in_use(file: Path) -> bool:
    db = Database(file)
    try:
        migrate(db)
        with db.read() as connection:
            return bool(kernel.all_stacks(connection) or access.secret_rows(connection))
    finally:
        db.close()
