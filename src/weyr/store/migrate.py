"""How does an older database become today's? By Alembic's steps, each in a transaction of its own."""

from pathlib import Path
from types import ModuleType

from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.store.database import Database

HEAD = "0017"
"""The newest step in `migrations/versions`. A database that has it needs no Alembic, whose import takes
longer than all else that a start does; a test holds the two together."""

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(db: Database) -> None:
    """Brings the database to `HEAD`. Idempotent; an interrupted step is done again whole.

    Raises: UserError where the database was written by a newer Weyr, or cannot be read.
    """
    try:
        found = revision_of(db)
    except DatabaseError as e:
        detail = f"{db.name} cannot be read: {e.orig}. Everything that Weyr knows is in it."
        raise UserError(Diagnostic("The database cannot be used", detail, suggestion=f"ls -l {db.name}")) from e
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        detail = f"{db.name} is at step {found} and this Weyr knows steps up to {HEAD}. A newer Weyr wrote it."
        raise UserError(
            Diagnostic("The database is newer than this Weyr", detail, suggestion="pip install --upgrade weyr")
        )
    command, config = _alembic()
    with db.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision_of(db: Database) -> str | None:
    """The step that the database is at; None for a new one."""
    with db.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("select version_num from alembic_version")).scalar()


def _alembic() -> tuple[ModuleType, "Config"]:  # type: ignore[name-defined]  # noqa: F821
    # Loaded on first use: only a start that has to migrate pays for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return command, config
