"""Which keys does the plane itself hold? Master keys, which wrap those of buckets, and named keys, which wrap objects'.

    {"current": "1f00…", "keys": {"1f00…": "<base64>"}, "named": {"archive": "<base64>"}}

One file that only its owner may read, never under a backup's index. A bucket's key is kept in the index, wrapped by the
master key that was current; to rotate the master key is to wrap those few again, whatever the buckets hold.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import sqlite3
import stat
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path

from weyr.gateway.s3.blobs import sync_folder
from weyr.gateway.s3.schema import opened
from weyr.gateway.s3.sealing import KEY_BYTES, WrongKey, new_key, unwrapped, wrapped

BUCKET_KEY = "encryptionKey"
"""The setting of a bucket that holds its key, wrapped."""
BUCKET_MODE = "AES256"
"""How an object says that its key is wrapped by its bucket's."""
_NAME = re.compile(r"[A-Za-z0-9:/_-]{1,256}")


class KeysUnusable(Exception):
    """The file of keys is missing, damaged or open to others; the message is for the user."""


class Keyring:
    """The keys of one plane. `named` are those that objects can ask for by name."""

    def __init__(self, keys: Mapping[str, bytes], current: str, named: Mapping[str, bytes]) -> None:
        assert current in keys, "the current key must be one of the keys"
        self._keys = dict(keys)
        self._current = current
        self.named = dict(named)

    def __repr__(self) -> str:
        return f"Keyring(keys={sorted(self._keys)}, named={sorted(self.named)})"

    def closed(self, bucket: str, key: bytes) -> str:
        """A bucket's key as the index keeps it."""
        inner = wrapped(self._keys[self._current], key, "bucket", bucket)
        return json.dumps({"id": _id_of(key), "master": self._current, "key": inner})

    def opened(self, bucket: str, text: str) -> tuple[str, bytes]:
        """(id, key) of a bucket from what the index keeps. Raises: WrongKey."""
        fields = json.loads(text)
        if fields["master"] not in self._keys:
            raise WrongKey(f"the bucket's key was wrapped by master key {fields['master']}, which is not here")
        return fields["id"], unwrapped(self._keys[fields["master"]], fields["key"], "bucket", bucket)

    def turned(self) -> "Keyring":
        """The same keys with a fresh master key as the current one."""
        key = new_key()
        return Keyring({**self._keys, _id_of(key): key}, _id_of(key), self.named)

    def shortened(self) -> "Keyring":
        """Without the master keys that are no longer current."""
        return Keyring({self._current: self._keys[self._current]}, self._current, self.named)

    def with_named(self, names: Iterable[str]) -> "Keyring":
        """With a key for each name. One that is there stays as it is, or nothing that it wraps would open."""
        fresh = {name: new_key() for name in names if name not in self.named}
        return Keyring(self._keys, self._current, {**self.named, **fresh})

    def text(self) -> bytes:
        keys = {id: b64encode(key).decode() for id, key in self._keys.items()}
        named = {name: b64encode(key).decode() for name, key in self.named.items()}
        return json.dumps({"current": self._current, "keys": keys, "named": named}, indent=1).encode() + b"\n"


def id_in(text: str) -> str:
    """The id of the bucket key that the index keeps so."""
    return str(json.loads(text)["id"])


def keyring_of(path: Path, names: Iterable[str], folder: Path) -> Keyring:
    """The keys in `path`, made if there are none, with one for each of `names`.

    Takes: `folder`, the plane's data. Once something in it is encrypted keys are never made anew: it would be lost.
    Raises: KeysUnusable, OSError, sqlite3.Error.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise KeysUnusable(f"{name!r} cannot name a key: letters, digits, and : / _ - only")
    try:
        keyring = _read(path)
    except FileNotFoundError:
        if _is_in_use(folder):
            raise KeysUnusable(f"{path} is gone, and buckets are encrypted with its keys. Restore it.") from None
        first = new_key()
        keyring = Keyring({_id_of(first): first}, _id_of(first), {})
        _write(path, keyring)
    wanted = keyring.with_named(names)
    if wanted.named.keys() != keyring.named.keys():
        _write(path, wanted)
    return wanted


def rotate(folder: Path, path: Path) -> int:
    """Gives the buckets under `folder` a fresh master key. Gives how many were wrapped again.

    Promises: killed at any moment, every bucket opens with what is in `path`.
    Raises: KeysUnusable, also while a plane serves the folder; OSError, sqlite3.Error.
    """
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise KeysUnusable(f"An S3 plane has {folder} open. Stop it first.") from e
        try:
            turned = _read(path).turned()
        except FileNotFoundError as e:
            raise KeysUnusable(f"{path} is not there: nothing is encrypted with it.") from e
        _write(path, turned)
        db = opened(folder / "index.db")
        try:
            db.execute("BEGIN IMMEDIATE")
            rows = _closed_keys(db)
            for number, name, settings in rows:
                kept = json.loads(settings)
                kept[BUCKET_KEY] = turned.closed(name, turned.opened(name, kept[BUCKET_KEY])[1])
                db.execute("UPDATE buckets SET settings = ? WHERE id = ?", (json.dumps(kept), number))
            db.execute("COMMIT")
        except WrongKey as e:
            raise KeysUnusable(f"{path} does not open the keys of the buckets in {folder}: {e}") from e
        finally:
            db.close()
        _write(path, turned.shortened())
        return len(rows)


def _is_in_use(folder: Path) -> bool:
    """Whether something under `folder` opens only with keys that were made before. Looks at every object."""
    if not (folder / "index.db").exists():
        return False
    db = opened(folder / "index.db")
    try:
        sql = 'SELECT 1 FROM {} WHERE meta LIKE \'%"encryption":["A%\' OR meta LIKE \'%"encryption":["a%\' LIMIT 1'
        return any(db.execute(sql.format(table)).fetchone() for table in ("objects", "history", "uploads"))
    finally:
        db.close()


def _closed_keys(db: sqlite3.Connection) -> list[tuple[int, str, str]]:
    rows = db.execute("SELECT id, name, settings FROM buckets WHERE settings LIKE ?", (f'%"{BUCKET_KEY}"%',))
    return [row for row in rows.fetchall() if BUCKET_KEY in json.loads(row[2])]


def _read(path: Path) -> Keyring:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            raise KeysUnusable(
                f"{path} can be read by others: what it holds is known to them. See to it, then chmod 600."
            )
        text = file.read()
    try:
        fields = json.loads(text)
        keys = {str(id): b64decode(key, validate=True) for id, key in fields["keys"].items()}
        named = {str(name): b64decode(key, validate=True) for name, key in fields["named"].items()}
        current = str(fields["current"])
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise KeysUnusable(f"{path} is not a file of keys as Weyr writes it. Restore it.") from e
    are_whole = all(len(key) == KEY_BYTES and _id_of(key) == id for id, key in keys.items())
    if current not in keys or not are_whole or any(len(key) != KEY_BYTES for key in named.values()):
        raise KeysUnusable(f"A key in {path} was changed. Restore it.")
    return Keyring(keys, current, named)


def _write(path: Path, keyring: Keyring) -> None:
    """Puts the keys in place durably; a reader sees the old ones or the new."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(keyring.text())
            file.flush()
            os.fsync(descriptor)
        draft.rename(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"weyr s3 key" + key).hexdigest()[:12]
