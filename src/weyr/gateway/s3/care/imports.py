"""How does a bucket come back from plain files? From an export with its manifest, a replica, or any folder as it is.

Each file is compared with the manifest's SHA-256 while it is taken in, and nothing outside the folder is ever read: not
through `..`, not by an absolute path, not through a symbolic link. What is there already is passed over, so an import
that was cut off goes on.
"""

import asyncio
import hashlib
import json
import mimetypes
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.api_buckets import is_bucket_name
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.call import KEY_BYTES_MAX
from weyr.gateway.s3.care.export import FORMAT, MANIFEST
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.folders.setting import FOLDER
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.inside import NotInside, open_inside
from weyr.gateway.s3.receive import BODY_MAX, INLINE_MAX, Received, Receiver
from weyr.gateway.s3.records import Bucket, Meta, Versioning, bucket_named, current, version_of
from weyr.gateway.s3.remote.reach import SETTING
from weyr.gateway.s3.replication.folder import NOTES
from weyr.gateway.s3.writes import NewObject, WriteCondition, delete, put

AT_ONCE = 16
"""So many wait for one commit together."""
PIECE_BYTES = 2**20
OnProgress = Callable[[int, int], None]


class Malformed(Exception):
    """The folder is no export, or no folder that can be taken in; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One version to be taken in, as the manifest has it, or as a plain file is. `file` "" for a delete marker."""

    key: str
    file: str
    size: int
    etag: str = ""
    version: str = ""
    modified_ms: int = 0
    sha256: str = ""
    meta: Meta = field(default_factory=Meta)


@dataclass(slots=True)
class Imported:
    """What an import did. `refused` are (key, why)."""

    objects: int = 0
    bytes: int = 0
    already_there: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


async def imported(data: Path, folder: Path, bucket: str, owner: str, now_ms: int, on_progress: OnProgress) -> Imported:
    """Takes `folder` into a bucket of the stopped store in `data`; it is made, `owner`'s, if it is not there.

    Raises: Malformed, S3Error, OSError, sqlite3.Error.
    """
    head, incoming = _read(folder)
    loop = asyncio.get_running_loop()
    store = BlobStore(data)
    index = Index(data, store, loop)
    index.start()
    receiver = Receiver(store, loop)
    try:
        there = await _bucket(index, bucket, owner, now_ms, head)
        return await _Import(folder, index, receiver, there, now_ms, on_progress).run(incoming)
    finally:
        receiver.close()
        index.close()
        store.close()


async def _bucket(index: Index, name: str, owner: str, now_ms: int, head: dict[str, Any]) -> Bucket:
    try:
        there = bucket_named(index, name)
    except S3Error:
        if not is_bucket_name(name):
            raise Malformed(f"{name!r} cannot be a bucket's name.") from None
        await index.write(partial(bucket_writes.create, name=name, owner=owner, now_ms=now_ms))
        versioning = Versioning(head.get("versioning", ""))
        if versioning != Versioning.OFF:
            await index.write(partial(bucket_writes.set_versioning, name=name, versioning=versioning))
        there = bucket_named(index, name)
    if not {SETTING, FOLDER}.isdisjoint(there.settings):
        raise Malformed(f"The objects of {name} are not here but elsewhere: use `weyr sync`.")
    if "encryption" in there.settings:
        raise Malformed(f"The bucket {name} encrypts what comes, which its door does: use `weyr sync`.")
    return there


class _Import:
    def __init__(
        self, folder: Path, index: Index, receiver: Receiver, bucket: Bucket, now_ms: int, on_progress: OnProgress
    ) -> None:
        self._folder = folder
        self._index = index
        self._receiver = receiver
        self._bucket = bucket
        self._now_ms = now_ms
        self._on_progress = on_progress
        self._bytes = 0
        self._total = 0
        self._done = Imported()

    async def run(self, incoming: Callable[[], Iterator[Incoming]]) -> Imported:
        # All of it is read before anything is taken in: a manifest that is not understood brings in nothing.
        self._total = sum(one.size for one in incoming())
        waiting: dict[str, asyncio.Task[None]] = {}
        for one in incoming():
            # Versions of one key come in turn; others wait for one commit together.
            if one.key in waiting:
                await waiting.pop(one.key)
            while len(waiting) >= AT_ONCE:
                await waiting.pop(next(iter(waiting)))
            waiting[one.key] = asyncio.create_task(self._take(one))
        for task in waiting.values():
            await task
        return self._done

    async def _take(self, one: Incoming) -> None:
        try:
            if self._is_there(one):
                self._done.already_there += 1
            elif not one.file:
                await self._mark(one)
            else:
                await self._put(one)
        except (Malformed, NotInside, S3Error, OSError) as e:
            self._done.refused.append((one.key, str(e) or type(e).__name__))
        self._bytes += one.size
        self._on_progress(self._bytes, self._total)

    def _is_there(self, one: Incoming) -> bool:
        if one.version and self._bucket.versioning == Versioning.ENABLED:
            return version_of(self._index, self._bucket.id, one.key, one.version) is not None
        there = current(self._index, self._bucket.id, one.key)
        if there is None or there.is_marker or there.size != one.size:
            return False
        return there.etag == one.etag if one.etag else there.modified_ms == one.modified_ms

    async def _mark(self, one: Incoming) -> None:
        marker = NewObject(one.key, 0, "", one.modified_ms, one.version or _version(), Meta())
        await self._index.write(
            partial(
                delete,
                bucket_name=self._bucket.name,
                key=one.key,
                version="",
                marker=marker,
                condition=WriteCondition(),
            )
        )

    async def _put(self, one: Incoming) -> None:
        loop = asyncio.get_running_loop()
        received, digest = await loop.run_in_executor(self._receiver.pool, self._received, one)
        blob = received.blob
        if one.sha256 not in ("", digest) or blob.size != one.size:
            self._receiver.discard(blob)
            raise Malformed("the file is not what the manifest says")
        new = NewObject(
            one.key,
            blob.size,
            one.etag or received.md5,
            one.modified_ms or self._now_ms,
            one.version or _version(),
            one.meta,
            (blob,),
        )
        try:
            await self._index.write(partial(put, bucket_name=self._bucket.name, new=new, condition=WriteCondition()))
        except Exception:
            self._receiver.discard(blob)
            raise
        self._done.objects += 1
        self._done.bytes += blob.size

    def _received(self, one: Incoming) -> tuple[Received, str]:
        """In a thread: the file as a blob, and its SHA-256."""
        digest = hashlib.sha256()
        descriptor = open_inside(self._folder, one.file)

        def pieces() -> Iterator[bytes]:
            while piece := os.read(descriptor, PIECE_BYTES):
                digest.update(piece)
                yield piece

        try:
            received = self._receiver.copy(pieces(), None, is_inline=one.size <= INLINE_MAX)
        finally:
            os.close(descriptor)
        return received, digest.hexdigest()


def _version() -> str:
    return secrets.token_urlsafe(24)


def _read(folder: Path) -> tuple[dict[str, Any], Callable[[], Iterator[Incoming]]]:
    """The manifest's first line, and what there is to take in, as often as it is asked for. Raises: Malformed."""
    if not folder.is_dir():
        raise Malformed(f"{folder} is no folder. Unpack a tar file first: tar -xf")
    path = folder / MANIFEST
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            head = json.loads(next(file, "{}"))
        if head.get("format") != FORMAT:
            raise Malformed(f"{path} is no manifest that this weyr knows: its format is {head.get('format')!r}.")
        return head, partial(_of_manifest, path)
    if (folder / f"{MANIFEST}.unfinished").exists():
        raise Malformed(f"{folder} is an export that was cut off. Export it again: it goes on.")
    if (folder / NOTES).is_dir():
        return {}, partial(_of_replica, folder)
    return {}, partial(_plain, folder)


def _of_manifest(path: Path) -> Iterator[Incoming]:
    with path.open(encoding="utf-8") as file:
        next(file)
        for number, text in enumerate(file, 2):
            try:
                line = json.loads(text)
                if "left_out" not in line:
                    yield _of_line(line)
            except (ValueError, KeyError, TypeError, AttributeError) as e:
                raise Malformed(f"{path}:{number} is not understood: {e!r}") from e


def _of_replica(folder: Path) -> Iterator[Incoming]:
    """A bucket's folder as replication keeps it: a note for each object, named by its key's digest."""
    for note in sorted((folder / NOTES).rglob("*.json")):
        try:
            line = json.loads(note.read_text(encoding="utf-8"))
            yield replace(_of_line(line), file=line["file"], version="")
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise Malformed(f"{note} is not understood: {e!r}") from e


def _of_line(line: dict[str, Any]) -> Incoming:
    key, size, file = line["key"], int(line["size"]), "" if line.get("is_marker") else f"objects/{line['file']}"
    _check(key, size)
    # What was the old bucket's to say is not brought back: who owns it, and its access control list.
    meta = replace(Meta.of(json.dumps(line["meta"])), owner="", acl="")
    return Incoming(
        key,
        file,
        size,
        str(line["etag"]),
        "" if line["version"] == "null" else str(line["version"]),
        int(line["modified_ms"]),
        "" if line.get("is_marker") else str(line["sha256"]),
        meta,
    )


def _plain(folder: Path) -> Iterator[Incoming]:
    """The files of a folder; links and what is no plain file are left out."""
    for path in _files(folder):
        key, state = path.relative_to(folder).as_posix(), path.stat()
        try:
            key.encode()
        except UnicodeEncodeError as e:
            raise Malformed(f"{path!r} has a name that is not UTF-8, and cannot be a key.") from e
        _check(key, state.st_size)
        kind = mimetypes.guess_type(key)[0] or "binary/octet-stream"
        yield Incoming(
            key,
            key,
            state.st_size,
            modified_ms=int(state.st_mtime * 1000),
            meta=Meta(headers={"content-type": kind}),
        )


def _files(folder: Path) -> Iterator[Path]:
    for above, folders, names in os.walk(folder):  # which follows no link
        folders.sort()
        for name in sorted(names):
            path = Path(above, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _check(key: object, size: int) -> None:
    if not isinstance(key, str) or not key or len(key.encode()) > KEY_BYTES_MAX:
        raise Malformed(f"{str(key)[:80]!r} cannot be a key: it has to have 1 to {KEY_BYTES_MAX} bytes.")
    if size > BODY_MAX * 1000:
        raise Malformed(f"{key!r} is larger than an object can be.")
