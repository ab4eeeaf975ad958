"""Which store does this process use, and what does its environment say about it?"""

import os
from pathlib import Path

from weyr.compose.doors import STORE
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.store import access, kernel
from weyr.store.database import Database
from weyr.store.migrate import migrate
from weyr.store.place import FILE, PostgresUrl, remember_store, store_place


def store_of(home: Path) -> Path | PostgresUrl:
    """The store of a data folder: $WEYR_STORE, else what the folder remembers, else its own file. Raises: UserError."""
    return store_place(home, os.environ.get(STORE, ""))


def keep_store(home: Path, place: Path | PostgresUrl, is_told: bool) -> None:
    """Remembers the store for later commands: the first one, and another only where the user has said so (`is_told`).

    What stands in one process's environment is that process's own way to the store, and may be nobody else's.
    Raises: UserError where the folder has another store in use already.
    """
    if isinstance(place, PostgresUrl) and (is_told or not (home / FILE).exists()):
        file = home / "store.db"
        if not (home / FILE).exists() and file.exists() and _is_in_use(file):
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
