"""Secrets at rest: the database alone gives nothing away, and what does not fit says why."""

import json
import os
import stat
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from sqlalchemy import text

from weyr.access.envelope import Envelope, envelope_of
from weyr.access.secrets import VALUE_MAX_BYTES, Secrets
from weyr.core.diagnostic import UserError
from weyr.core.ref import Ref
from weyr.store.database import Database

KEY = Ref("digits", "secret", "api-key")
OTHER = Ref("digits", "secret", "other")


@pytest.fixture
def secrets(db: Database, home: Path) -> Secrets:
    return Secrets(db, envelope_of(db, home, os.urandom))


def summary_of(error: pytest.ExceptionInfo[UserError]) -> str:
    return error.value.diagnostics[0].summary


def test_a_secret_reads_back_and_the_database_does_not_show_it(secrets: Secrets, db: Database, home: Path) -> None:
    """Whoever gets a copy of store.db has nothing."""
    value = b"s3cr3t-value \x00\xff"
    assert secrets.set("digits", "api-key", value) == 1
    assert secrets.read(KEY) == value
    assert value not in b"".join(file.read_bytes() for file in home.glob("store.db*"))
    assert stat.S_IMODE((home / "keys" / "master").stat().st_mode) == 0o600
    assert b"s3cr3t" not in repr((secrets, secrets.list(), envelope_of(db, home, os.urandom))).encode()


def test_versions_count_changes_and_go_on_after_a_deletion(secrets: Secrets) -> None:
    """A task that started with version 1 can be told that there is a newer one, always."""
    assert secrets.version(KEY) is None
    assert secrets.set("digits", "api-key", b"one") == 1
    assert secrets.set("digits", "api-key", b"one") == 1
    assert secrets.set("digits", "api-key", b"two") == 2
    assert secrets.delete(KEY)
    assert not secrets.delete(KEY)
    assert (secrets.read(KEY), secrets.version(KEY)) == (None, None)
    assert secrets.set("digits", "api-key", b"three") == 3


def test_lists_show_names_and_masks_get_values(secrets: Secrets) -> None:
    """`weyr secret list` never holds a value; the log's mask needs them all."""
    secrets.set("digits", "api-key", b"one")
    secrets.set("digits", "other", b"two")
    secrets.set("chat", "api-key", b"three")
    assert [(str(e.ref), e.version) for e in secrets.list("digits")] == [("secret/api-key", 1), ("secret/other", 1)]
    assert len(secrets.list()) == 3
    assert secrets.values("digits") == (b"one", b"two")


def test_a_value_is_drawn_once(secrets: Secrets) -> None:
    """A generated password does not change because the stack was applied again."""
    assert secrets.adopt(KEY, 3, lambda: b"drawn")
    assert secrets.adopt(KEY, 4, lambda: b"drawn again")
    assert (secrets.read(KEY), secrets.version(KEY), secrets.generation(KEY)) == (b"drawn", 1, 4)
    assert not secrets.adopt(KEY, 3, lambda: b"older")


@pytest.mark.parametrize(
    ("stack", "name", "value", "summary"),
    [
        ("digits", "API KEY", b"x", "Invalid name"),
        ("../etc", "key", b"x", "Invalid name"),
        ("digits", "key", b"", "Empty secret"),
        ("digits", "key", b"x" * (VALUE_MAX_BYTES + 1), "Secret too large"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(
    secrets: Secrets, stack: str, name: str, value: bytes, summary: str
) -> None:
    """With a sentence, and without showing the value."""
    with pytest.raises(UserError) as caught:
        secrets.set(stack, name, value)
    assert summary_of(caught) == summary
    assert secrets.list() == ()


def test_a_changed_text_does_not_open(secrets: Secrets, db: Database) -> None:
    """Every byte is authenticated: a changed one is noticed, not decrypted to something else."""
    secrets.set("digits", "api-key", b"value")
    with db.read() as connection:
        sealed = json.loads(connection.execute(text("SELECT sealed FROM secrets")).scalar_one())
    for field in ("wrapped", "value"):
        torn = bytearray(b64decode(sealed[field]))
        torn[-1] ^= 1
        put_sealed(db, "api-key", json.dumps({**sealed, field: b64encode(torn).decode()}).encode())
        with pytest.raises(UserError) as caught:
            secrets.read(KEY)
        assert summary_of(caught) == "A sealed value does not open"
    for garbage in (b"", b"{}", b"\xff", b'{"key": 1, "wrapped": "", "value": ""}', b"[]"):
        put_sealed(db, "api-key", garbage)
        with pytest.raises(UserError):
            secrets.read(KEY)


def test_a_value_moved_to_another_secret_does_not_open(secrets: Secrets, db: Database) -> None:
    """Who can write the database cannot hand one stack's secret to another, or bring an old version back."""
    secrets.set("digits", "api-key", b"value")
    secrets.set("digits", "other", b"else")
    with db.read() as connection:
        first = connection.execute(text("SELECT sealed FROM secrets WHERE name = 'api-key'")).scalar_one()
    put_sealed(db, "other", first)
    with pytest.raises(UserError):
        secrets.read(OTHER)
    secrets.set("digits", "new", b"newer")
    with db.write() as connection:
        connection.execute(text("UPDATE secrets SET version = 2 WHERE name = 'api-key'"))
    with pytest.raises(UserError):
        secrets.read(KEY)


def test_a_missing_master_key_is_not_made_anew_over_sealed_values(secrets: Secrets, db: Database, home: Path) -> None:
    """A new key would make every secret seem lost; the old one may be in a backup."""
    secrets.set("digits", "api-key", b"value")
    master = home / "keys" / "master"
    saved = master.read_bytes()
    master.unlink()
    with pytest.raises(UserError) as caught:
        envelope_of(db, home, os.urandom)
    assert summary_of(caught) == "The master key is missing"
    assert not master.exists()
    master.write_bytes(saved)
    master.chmod(0o600)
    assert Secrets(db, envelope_of(db, home, os.urandom)).read(KEY) == b"value"


def test_another_master_key_says_so(secrets: Secrets, db: Database, home: Path, tmp_path: Path) -> None:
    """Restoring the wrong backup is told apart from a damaged value."""
    secrets.set("digits", "api-key", b"value")
    (home / "keys" / "master").rename(tmp_path / "saved")
    elsewhere = Database(tmp_path / "other.db")
    with elsewhere.write() as connection:
        for table in ("secrets", "credentials"):
            connection.execute(text(f"CREATE TABLE {table} (sealed BLOB)"))
    stranger = envelope_of(elsewhere, home, os.urandom)
    elsewhere.close()
    with pytest.raises(UserError) as caught:
        Secrets(db, stranger).read(KEY)
    assert summary_of(caught) == "The master key is another one"


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"current": "a", "keys": {"a": "AAAA"}}'])
def test_a_damaged_master_key_file_is_refused(db: Database, home: Path, content: bytes) -> None:
    """Never guessed at, never overwritten."""
    master = home / "keys" / "master"
    master.parent.mkdir(mode=0o700)
    master.write_bytes(content)
    master.chmod(0o600)
    with pytest.raises(UserError) as caught:
        envelope_of(db, home, os.urandom)
    assert summary_of(caught) == "The master key is damaged"
    assert master.read_bytes() == content


def test_a_master_key_others_can_read_is_refused(secrets: Secrets, db: Database, home: Path) -> None:
    """It must be taken as known, and the user must hear of it."""
    (home / "keys" / "master").chmod(0o640)
    with pytest.raises(UserError) as caught:
        envelope_of(db, home, os.urandom)
    assert summary_of(caught) == "File is not private"
    assert secrets.list() == ()


def test_an_old_master_key_still_opens_after_a_new_one_was_added(tmp_path: Path) -> None:
    """Rotation: new values take the current key, the others keep theirs until they are sealed again."""
    old, new = os.urandom(32), os.urandom(32)
    sealed = Envelope({"old": old}, "old", os.urandom, tmp_path).seal(b"value", ("secret", "a"))
    both = Envelope({"old": old, "new": new}, "new", os.urandom, tmp_path)
    assert both.open(sealed, ("secret", "a")) == b"value"
    assert json.loads(both.seal(b"value", ("secret", "a")))["key"] == "new"


def put_sealed(db: Database, name: str, sealed: bytes) -> None:
    with db.write() as connection:
        connection.execute(
            text("UPDATE secrets SET sealed = :sealed WHERE name = :name"), {"sealed": sealed, "name": name}
        )
