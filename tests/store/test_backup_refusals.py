"""What a backup refuses, and what a restore refuses: a clear word, and nothing changed."""

import gzip
import io
import json
import os
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from weyr.compose.backup import back_up
from weyr.compose.local import open_weyr
from weyr.compose.restore import restore
from weyr.core.diagnostic import UserError
from weyr.gateway.s3.blobs import BlobStore, kept_for_copying
from weyr.store import archive
from weyr.store.database import Database
from weyr.store.frozen import frozen
from weyr.store.home import Home
from weyr.store.place import PostgresUrl, remember_store

NOW = 1_700_000_000.0


def silent(*_: object, **__: object) -> None:
    """Hears logs and progress."""


def backup(home: Path, to: Path) -> Path:
    return back_up(Home(home), to, lambda: NOW, silent).file


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with keys and a secret, that no server holds."""
    weyr = open_weyr(tmp_path / "home", lambda: NOW, silent, is_serving=False)
    weyr.secrets.set("digits", "key", b"hush")
    weyr.close()
    return tmp_path / "home"


@pytest.fixture
def file(home: Path, tmp_path: Path) -> Path:
    return backup(home, tmp_path / "b.tar.gz")


def test_what_was_backed_up_opens_elsewhere(file: Path, tmp_path: Path) -> None:
    """The database and its keys come back together: the secret opens, and nobody else may read a file."""
    restored = restore(file, tmp_path / "new", lambda: NOW + 60, silent)

    weyr = open_weyr(restored.home, lambda: NOW, silent, is_serving=False)
    ref = next(entry.ref for entry in weyr.secrets.list())
    assert weyr.secrets.read(ref) == b"hush"
    weyr.close()
    assert all(path.stat().st_mode & 0o077 == 0 for path in restored.home.rglob("*"))
    assert not restored.home.with_name(".new.restoring").exists()


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def flip(file: Path) -> None:
    """One byte of a file in the archive, packed anew so that gzip has nothing to say."""
    raw = bytearray(gzip.decompress(file.read_bytes()))
    raw[raw.index(b"SQLite format 3") + 200] ^= 1
    file.write_bytes(gzip.compress(bytes(raw)))


def forget_the_sums(file: Path) -> None:
    repacked(file, lambda name, text: None if name == archive.SUMS else text)


def climb_out(file: Path) -> None:
    repacked(file, lambda name, text: text, rename={"admin.token": "../admin.token"})


def head_with(**more: object) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        repacked(
            file, lambda name, text: json.dumps({**json.loads(text), **more}).encode() if name == archive.HEAD else text
        )

    return change


def repacked(file: Path, change: Callable[[str, bytes], bytes | None], rename: dict[str, str] | None = None) -> None:
    """The archive anew, each file as `change` gives it back."""
    with tarfile.open(file) as tar:
        texts = [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    with tarfile.open(file, "w:gz") as tar:
        for name, before in texts:
            text = change(name, before)
            if text is not None:
                entry = tarfile.TarInfo((rename or {}).get(name, name))
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(cut, "The backup is broken", id="it ends too early"),
        pytest.param(flip, "The backup is broken", id="a byte was changed"),
        pytest.param(forget_the_sums, "The backup is broken", id="its sums are missing"),
        pytest.param(climb_out, "The backup is broken", id="a name leads outside"),
        pytest.param(lambda file: file.write_text("hello"), "The backup is broken", id="it is something else"),
        pytest.param(lambda file: file.write_bytes(b""), "The backup is broken", id="it is empty"),
        pytest.param(Path.unlink, "The backup cannot be read", id="it is not there"),
        pytest.param(head_with(schema="9999"), "made by a newer Weyr", id="a newer schema"),
        pytest.param(head_with(format=99), "made by a newer Weyr", id="a newer format"),
        pytest.param(head_with(objects=99), "made by a newer Weyr", id="a newer object store"),
    ],
)
def test_what_is_not_a_whole_backup_is_not_restored(
    file: Path, tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    """Half a data folder would look like a whole one, so nothing of it may stay."""
    damage(file)

    with pytest.raises(UserError, match=says):
        restore(file, tmp_path / "new", lambda: NOW, silent)
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / ".new.restoring").exists()
    assert not (tmp_path / "admin.token").exists()


def test_a_restore_overwrites_nothing(file: Path, tmp_path: Path) -> None:
    """A folder with something in it may be somebody's only copy; an empty one is as good as none."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="The data folder is not empty"):
        restore(file, tmp_path / "mine", lambda: NOW, silent)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"

    (tmp_path / "empty").mkdir()
    restored = restore(file, tmp_path / "empty", lambda: NOW, silent)
    assert restored.files == 3, "the store, the key of its secrets and the administrator's token"


def test_a_backup_refuses_what_would_be_none(home: Path, file: Path, tmp_path: Path) -> None:
    """Each with its own words, all before anything is written."""
    for to, folder, says in (
        (file, home, "The file exists"),
        (home / "b.tar.gz", home, "A backup belongs elsewhere"),
        (tmp_path / "nowhere" / "b.tar.gz", home, "No such folder"),
        (tmp_path / "c.tar.gz", tmp_path, "There is nothing to back up"),
    ):
        with pytest.raises(UserError, match=says):
            backup(folder, to)
    remember_store(home, PostgresUrl.parse("postgresql://weyr:secret@127.0.0.1/weyr"))
    with pytest.raises(UserError, match="The store is in PostgreSQL") as refused:
        backup(home, tmp_path / "c.tar.gz")
    assert "secret" not in str(refused.value), "an address is shown without its password"
    assert not list(tmp_path.glob("*c.tar.gz*"))


def test_a_copy_is_of_the_moment_and_keeps_nobody_out_for_long(home: Path, tmp_path: Path) -> None:
    """Inside the block nobody can write; what is written after it is not in the copy."""
    before = rows(home / "store.db")
    written = threading.Event()

    def write() -> None:
        with Database(home / "store.db").write() as connection:
            connection.exec_driver_sql("DELETE FROM secrets")
        written.set()

    thread = threading.Thread(target=write)
    with frozen(home / "store.db", tmp_path / "copy.db"):
        thread.start()
        assert not written.wait(0.2), "it has to wait until the moment is over"
    thread.join()
    assert rows(home / "store.db") == 0
    assert rows(tmp_path / "copy.db") == before > 0


def rows(database: Path) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("SELECT count(*) FROM secrets").fetchone()[0])
    finally:
        connection.close()


def test_no_blob_goes_while_somebody_copies(tmp_path: Path) -> None:
    """An index that was copied names blobs which are replaced before they are copied; they have to wait."""
    store = BlobStore(tmp_path)
    for blob in (1, 2):
        os.close(store.begin(blob))
    store.publish([(1, ""), (2, "")])

    with kept_for_copying(tmp_path):
        store.remove([1])
        assert store.path_of(1).exists()
        store.pin([2])
        store.remove([2])
        store.unpin([2])
        assert store.path_of(2).exists()
    store.remove(())
    assert not store.path_of(1).exists()
    assert not store.path_of(2).exists()
    store.close()


def test_what_a_killed_backup_left_is_cleared_away(home: Path, tmp_path: Path) -> None:
    """Copies of databases are secrets, and must not pile up."""
    left = home / "run" / "backup"
    left.mkdir(parents=True)
    (left / "store.db").write_text("half")
    part = tmp_path / ".b.tar.gz.part"
    part.write_text("half")

    backup(home, tmp_path / "b.tar.gz")

    assert not left.exists()
    assert not part.exists()
    shutil.rmtree(home)
    assert restore(tmp_path / "b.tar.gz", home, lambda: NOW, silent).home == home
