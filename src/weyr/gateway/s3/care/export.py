"""How does a bucket leave as plain files? Each object as a file that a person can read, and a manifest beside.

    DIR/objects/…          the bytes, under names that say the key (`weyr.gateway.s3.care.names`)
    DIR/manifest.jsonl     its first line is about the bucket, each other one about a version: key, file, sha256, …

It reads one moment of the index, so a plane may go on serving. What is damaged, or closed with a customer's key, is not
written, and the manifest says why.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from weyr.gateway.s3.blobs import BlobStore, kept_for_copying, read_at
from weyr.gateway.s3.care.looking import counted
from weyr.gateway.s3.care.names import Names
from weyr.gateway.s3.copying import copy_index
from weyr.gateway.s3.digests import Rotten, check_data, read_checked
from weyr.gateway.s3.encryption import Mode
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.folders.setting import FOLDER
from weyr.gateway.s3.keyring import BUCKET_KEY, Keyring
from weyr.gateway.s3.records import OBJECT_COLUMNS, Bucket, Meta, Row, Stored, bucket_named, stored_of
from weyr.gateway.s3.remote.reach import SETTING
from weyr.gateway.s3.sealing import WrongKey, opened, opened_whole, unwrapped

MANIFEST = "manifest.jsonl"
FORMAT = "weyr-s3-export-1"
SECRET = ("encryptionKey",)
"""Documents of a bucket that are not for the manifest."""
OnProgress = Callable[[int, int], None]


class Unreadable(Exception):
    """A version's bytes cannot be read; the message says why."""


class Target(Protocol):
    """Where an export goes."""

    def has(self, key: str, version: str, etag: str, file: str) -> bool:
        """Whether an export before has left this version there, whole; it is then noted as it was."""
        ...

    def add(self, name: str, size: int, modified_s: float, pieces: Iterator[bytes]) -> None:
        """Writes a file, whole or not at all."""
        ...

    def note(self, line: dict[str, Any]) -> None:
        """Adds a line to the manifest."""
        ...

    def end(self) -> None:
        """Makes it durable; the manifest gets its name."""
        ...


OpenTarget = Callable[[dict[str, Any]], Target]
"""Takes the manifest's first line."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did. `left_out` are (key, why)."""

    objects: int
    bytes: int
    already_there: int
    left_out: tuple[tuple[str, str], ...]


class Snapshot:
    """The index as of one moment, answering as the plane's does."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)

    def one(self, sql: str, *values: object) -> Row | None:
        row: Row | None = self.db.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: object) -> list[Row]:
        return self.db.execute(sql, values).fetchall()


def exported(
    folder: Path,
    bucket_name: str,
    keyring: Keyring,
    open_target: OpenTarget,
    aside: Path,
    with_versions: bool,
    on_progress: OnProgress,
) -> Exported:
    """Writes a bucket to a target. Takes: `aside`, a file that may hold a copy of the index meanwhile.

    Raises: S3Error NoSuchBucket, OSError, sqlite3.Error.
    """
    with kept_for_copying(folder):
        copy_index(folder, aside)
        snapshot, store = Snapshot(aside), BlobStore(folder)
        try:
            bucket = bucket_named(snapshot, bucket_name)
            if not {SETTING, FOLDER}.isdisjoint(bucket.settings):
                raise S3Error("InvalidRequest", "Its objects are not here but elsewhere; `weyr sync` copies them.")
            target = open_target(_head(bucket))
            return _Export(snapshot, store, bucket, keyring, target, on_progress).run(with_versions)
        finally:
            store.close()
            snapshot.db.close()
            aside.unlink(missing_ok=True)


def _head(bucket: Bucket) -> dict[str, Any]:
    settings = {key: text for key, text in bucket.settings.items() if key not in SECRET}
    return {"format": FORMAT, "bucket": bucket.name, "versioning": bucket.versioning.value, "settings": settings}


class _Export:
    def __init__(
        self,
        snapshot: Snapshot,
        store: BlobStore,
        bucket: Bucket,
        keyring: Keyring,
        target: Target,
        on_progress: OnProgress,
    ) -> None:
        self._snapshot = snapshot
        self._store = store
        self._bucket = bucket
        self._keyring = keyring
        self._target = target
        self._on_progress = on_progress
        self._names = Names()
        self._done = 0
        self._total = bucket.size_bytes

    def run(self, with_versions: bool) -> Exported:
        objects, size, already, left_out = 0, 0, 0, []
        for stored, is_current in self._versions(with_versions):
            version = "" if is_current else stored.version
            name = "" if stored.is_marker else self._names.of(stored.key, version, self._is_folder_too(stored.key))
            if self._target.has(stored.key, stored.version, stored.etag, name):
                already += 1
                self._progressed(stored.size)
                continue
            line = described(stored, is_current)
            if name:
                try:
                    line |= {"file": name, "sha256": self._write(f"objects/{name}", stored)}
                except Unreadable as e:
                    left_out.append((stored.key, str(e)))
                    line["left_out"] = str(e)
            self._target.note(line)
            objects += "left_out" not in line
            size += stored.size if "left_out" not in line else 0
        self._target.end()
        return Exported(objects, size, already, tuple(left_out))

    def _versions(self, with_versions: bool) -> Iterator[tuple[Stored, bool]]:
        """By key, the oldest version of each first."""
        columns = f"{OBJECT_COLUMNS}, 1 AS is_current FROM objects WHERE bucket = ?1"
        sql = f"SELECT {columns} AND is_marker = 0 ORDER BY key"
        if with_versions:
            history = f"SELECT {OBJECT_COLUMNS}, 0 FROM history WHERE bucket = ?1"
            sql = f"SELECT * FROM (SELECT {columns} UNION ALL {history}) ORDER BY key, sequence"
        for row in self._snapshot.db.execute(sql, (self._bucket.id,)):
            yield stored_of(row[:-1]), bool(row[-1])

    def _is_folder_too(self, key: str) -> bool:
        """Whether other keys lie below it, as a file system would have it."""
        sql = "SELECT 1 FROM {} WHERE bucket = ? AND key > ? AND key < ? LIMIT 1"
        values = self._bucket.id, f"{key}/", f"{key}0"
        return any(self._snapshot.one(sql.format(table), *values) for table in ("objects", "history"))

    def _write(self, name: str, stored: Stored) -> str:
        digest = hashlib.sha256()

        def counted_pieces() -> Iterator[bytes]:
            for piece in self._pieces(stored):
                digest.update(piece)
                self._progressed(len(piece))
                yield piece

        self._target.add(name, stored.size, stored.modified_ms / 1000, counted_pieces())
        return digest.hexdigest()

    def _progressed(self, count: int) -> None:
        self._done += count
        self._on_progress(self._done, self._total)

    def _pieces(self, stored: Stored) -> Iterator[bytes]:
        """The plain bytes. Raises: Unreadable."""
        if any(segment.is_away for segment in stored.segments):
            raise Unreadable("its bytes are at a tier, and are read through the door only")
        if sum(segment.size for segment in stored.segments) != stored.size:
            raise Unreadable("it is not as long as its blobs: weyr s3 fsck")
        key = self._key(stored)
        for segment in stored.segments:
            blob = counted(self._snapshot.db, segment.blob)
            if blob is None:
                raise Unreadable(f"blob {segment.blob} is not counted")
            try:
                if blob.data is not None:
                    check_data(blob.data, blob.id, blob.digests)
                    yield opened_whole(blob.data, key, 0, segment.size)
                    continue
                with closing(_File(self._store.open(blob.id))) as file:
                    if key is None:
                        yield from read_checked(file.descriptor, blob.id, blob.digests, 0, segment.size)
                    else:
                        yield from opened(partial(read_at, file.descriptor), key, 0, segment.size)
            except (Rotten, S3Error, FileNotFoundError) as e:
                raise Unreadable(f"blob {blob.id} is damaged: weyr s3 scrub") from e

    def _key(self, stored: Stored) -> bytes | None:
        encryption = stored.meta.encryption
        if encryption is None:
            return None
        try:
            match Mode(encryption.mode):
                case Mode.BUCKET:
                    opener = self._keyring.opened(self._bucket.name, self._bucket.settings[BUCKET_KEY])[1]
                case Mode.NAMED:
                    opener = self._keyring.named[encryption.by]
                case Mode.CUSTOMER:
                    raise Unreadable("it is encrypted with a customer's key, which is kept nowhere")
            return unwrapped(opener, encryption.key, self._bucket.name, stored.key)
        except (WrongKey, KeyError) as e:
            raise Unreadable("the key that opens it is not here") from e


class _File:
    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        os.close(self.descriptor)


def described(stored: Stored, is_current: bool) -> dict[str, Any]:
    """A version's line of the manifest, without its file."""
    kept = described_meta(stored.meta)
    line = {"key": stored.key, "version": stored.version, "size": stored.size, "etag": stored.etag}
    line |= {"modified_ms": stored.modified_ms, "is_current": is_current, "meta": kept}
    return line | ({"is_marker": True} if stored.is_marker else {})


def described_meta(meta: Meta) -> dict[str, Any]:
    """What is kept beside an object's bytes, as far as it means something in another place."""
    kept: dict[str, Any] = json.loads(meta.text())
    for inner in ("encryption", "upload", "parts", "part_checksums", "replica", "storage_class"):
        kept.pop(inner, None)
    return kept
