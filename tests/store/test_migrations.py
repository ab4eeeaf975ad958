"""How a database becomes today's: whole, once, and never backwards."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import weyr.store.tables  # noqa: F401 - declares every table on the metadata
from weyr.core.diagnostic import UserError
from weyr.store.database import Database, metadata
from weyr.store.migrate import HEAD, MIGRATIONS, migrate, revision_of
from weyr.store.place import PostgresUrl

INTERRUPTED = Path(__file__).with_name("interrupted_migration.py")


@pytest.fixture
def db(place: Path | PostgresUrl) -> Iterator[Database]:
    database = Database(place)
    yield database
    database.close()


def differences(db: Database) -> list[object]:
    """What Alembic would have to do for the database to be as the code has it."""
    with db.read() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def text_of(place: Path | PostgresUrl) -> str:
    return place.secret_text if isinstance(place, PostgresUrl) else str(place)


def schema(connection: Connection) -> dict[str, list[str]]:
    """What SQLite itself knows of each table and index, as words: a table's constraints may come in any order."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {row.name: sorted(re.findall(r"\w+|[<>=]+", row.sql)) for row in rows if row.name != "alembic_version"}


def test_an_empty_database_becomes_what_the_code_declares(db: Database) -> None:
    """A table that only tests have is a start that fails at a user's."""
    migrate(db)
    assert differences(db) == []
    with db.read() as connection:
        tables = set(inspect(connection).get_table_names())
    assert tables == {*metadata.tables, "alembic_version"}


def test_it_becomes_so_to_the_letter(tmp_path: Path) -> None:
    """Alembic does not compare checks, partial indexes or WITHOUT ROWID; SQLite's own words do."""
    db = Database(tmp_path / "store.db")
    migrate(db)
    declared = Database(tmp_path / "declared.db")
    with declared.write() as connection:
        metadata.create_all(connection)
    with db.read() as ours, declared.read() as theirs:
        assert schema(ours) == schema(theirs)
    declared.close()
    db.close()


def test_head_is_the_newest_step() -> None:
    """A start compares with HEAD before it loads Alembic: a step that HEAD does not know would never be done."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_migrating_again_changes_nothing(db: Database) -> None:
    """Every start migrates; what is in the tables stays."""
    migrate(db)
    with db.write() as connection:
        connection.execute(text("INSERT INTO credentials_generation VALUES (1, 42)"))
    for database in (db, Database(db.place)):
        migrate(database)
        with database.read() as connection:
            assert connection.execute(text("SELECT generation FROM credentials_generation")).scalar() == 42
        database.close()
    assert revision_of(db) == HEAD


def test_a_database_of_a_newer_weyr_is_refused_and_left_alone(db: Database) -> None:
    """After a downgrade it is said what to do; nothing is tried on tables that are not understood."""
    migrate(db)
    with db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError) as refused:
        migrate(db)
    assert [diagnostic.summary for diagnostic in refused.value.diagnostics] == ["The database is newer than this Weyr"]
    assert "9999" in refused.value.diagnostics[0].detail
    assert refused.value.diagnostics[0].suggestion
    assert revision_of(db) == "9999"


@pytest.mark.parametrize("end", ["raise", "kill"])
@pytest.mark.parametrize("after", [1, 12, 40])
def test_an_interrupted_migration_is_done_again_whole(db: Database, end: str, after: int) -> None:
    """The disk is full or the power goes after so many statements: the next start finds all or nothing."""
    done = subprocess.run(
        [sys.executable, str(INTERRUPTED), text_of(db.place), str(after), end],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if end == "kill" else 3), done.stderr
    assert f"statement {after}" in done.stdout
    assert revision_of(db) is None
    with db.read() as connection:
        assert inspect(connection).get_table_names() == []
    migrate(db)
    assert differences(db) == []


def test_two_servers_that_migrate_at_once_do_it_once(place: Path | PostgresUrl) -> None:
    """Both are started after an upgrade; the second waits for the first and finds it done."""
    databases = [Database(place), Database(place)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(migrate, databases))
    assert [differences(db) for db in databases] == [[], []]
    for db in databases:
        db.close()
