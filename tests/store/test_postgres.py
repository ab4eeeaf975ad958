"""What is PostgreSQL's own: it goes away and comes back, it has a password, it knows no NUL."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer, running_postgres
from sqlalchemy import text

from weyr.core.diagnostic import StoreError, UserError
from weyr.store.database import Database
from weyr.store.place import PostgresUrl, remember_store, store_place

WITH_PASSWORD = "postgresql://weyr:hush-hush@db.example:5433/weyr?sslmode=require&sslpassword=hush-too"


@pytest.fixture
def db(postgres: PostgresServer) -> Iterator[Database]:
    database = Database(postgres.new_database(), "tests")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE things (name TEXT)"))
    yield database
    database.close()


def put(db: Database, name: str) -> None:
    with db.write() as connection:
        connection.execute(text("INSERT INTO things VALUES (:name)"), {"name": name})


def names(db: Database) -> list[str]:
    with db.read() as connection:
        return list(connection.execute(text("SELECT name FROM things ORDER BY name")).scalars())


def test_a_commit_waits_for_the_disk_unless_told_otherwise(db: Database) -> None:
    """A setting of the cluster's or the role's must not make an acknowledged write less than durable."""
    for is_synced in (True, False, True):
        with db.write(is_synced=is_synced) as connection:
            setting = connection.execute(text("SHOW synchronous_commit")).scalar_one()
        assert setting == ("on" if is_synced else "off")


def test_a_restart_of_the_database_is_noticed_by_nobody(db: Database) -> None:
    """Connections that were kept are all cut; the next read and the next write find fresh ones."""
    with running_postgres() as own:
        database = Database(own.new_database())
        with database.write() as connection:
            connection.execute(text("CREATE TABLE things (name TEXT)"))
        for kept in range(3):
            own.restart()
            put(database, str(kept))
            own.restart()
            assert names(database) == [str(n) for n in range(kept + 1)]
        own.stop()
        with pytest.raises(StoreError, match="does not answer"):
            put(database, "lost")
        with pytest.raises(StoreError, match="does not answer"):
            names(database)
        own.start()
        put(database, "3")
        assert names(database) == ["0", "1", "2", "3"]
        database.close()


def test_a_write_whose_connection_is_cut_is_undone_whole(db: Database, postgres: PostgresServer) -> None:
    """It is said to be a store's error, so that the loop reads anew what is there."""

    def cut() -> None:
        with db.write() as connection:
            connection.execute(text("INSERT INTO things VALUES ('half')"))
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with postgres.session("postgres") as session:
                session.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            connection.execute(text("INSERT INTO things VALUES ('other half')"))

    with pytest.raises(StoreError, match="does not answer"):
        cut()
    assert names(db) == []
    put(db, "next")
    assert names(db) == ["next"]


def test_a_nul_is_kept_as_the_sign_for_what_cannot_be_shown(db: Database) -> None:
    """What a task printed may hold anything; the rest of it must not be lost for that."""
    put(db, "a\0b")
    assert names(db) == ["a\ufffdb"]


def test_half_a_character_is_refused_as_in_a_file(db: Database) -> None:
    """The API says so to its caller; that it is the same exception is what it relies on."""
    with pytest.raises(UnicodeEncodeError):
        put(db, "half \ud800")
    assert names(db) == []


def test_a_stopped_writer_does_not_keep_the_lock_for_ever(postgres: PostgresServer) -> None:
    """Where nobody takes over from a server that hangs amid a write, PostgreSQL itself lets go of it."""
    place = postgres.new_database()
    program = (
        "import sys, os, signal; from weyr.store.database import Database; from weyr.store.place import PostgresUrl\n"
        "with Database(PostgresUrl.parse(sys.argv[1])).write() as c:\n"
        "    c.exec_driver_sql(\"SET LOCAL idle_in_transaction_session_timeout = '300ms'\")\n"
        "    print('in', flush=True); os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, place.secret_text], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        began = time.monotonic()
        database = Database(place)
        with database.write() as connection:
            connection.execute(text("CREATE TABLE mine (n INTEGER)"))
        assert time.monotonic() - began < 60
        database.close()
        os.kill(process.pid, signal.SIGKILL)


def test_a_password_is_never_shown() -> None:
    """It goes into files and messages that others read."""
    url = PostgresUrl.parse(WITH_PASSWORD)
    shown = [str(url), repr(url), f"{url}", repr(Database(url)), Database(url).name]
    assert not any("hush" in text for text in shown)
    assert str(url) == "postgresql://weyr:***@db.example:5433/weyr?sslmode=require&sslpassword=***"
    with pytest.raises(UserError) as refused:
        PostgresUrl.parse("mysql://weyr:hush-hush@db/weyr")
    assert "hush" not in str(refused.value)


def test_the_store_is_remembered_for_its_owner_alone(tmp_path: Path) -> None:
    """Later commands find it; nobody else can read its password."""
    assert store_place(tmp_path) == tmp_path / "store.db"
    remember_store(tmp_path, PostgresUrl.parse(WITH_PASSWORD))
    assert store_place(tmp_path) == PostgresUrl.parse(WITH_PASSWORD)
    assert (tmp_path / "store.json").stat().st_mode & 0o777 == 0o600
    assert str(store_place(tmp_path, "postgres://given@h/weyr")) == "postgresql://given@h/weyr"


@pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({"stor": 1})])
def test_an_unreadable_memory_of_the_store_is_no_empty_store(tmp_path: Path, content: str) -> None:
    """A fresh file beside the real store would look as if everything were lost."""
    (tmp_path / "store.json").write_text(content)
    with pytest.raises(UserError, match="address cannot be read"):
        store_place(tmp_path)


def test_a_missing_driver_is_named_with_its_extra() -> None:
    """`pip install weyr` brings no PostgreSQL; what to type is said."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from weyr.core.diagnostic import UserError; from weyr.store.database import Database\n"
        "from weyr.store.place import PostgresUrl\n"
        "try: Database(PostgresUrl.parse('postgresql://w@h/d'))\n"
        "except UserError as e: print(e)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "weyr[postgres]" in said
