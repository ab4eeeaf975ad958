"""How does a model get onto this machine? From its bucket into a cache, whole and checked, or not at all.

A cached copy is named for what the bucket held (names, sizes, entity tags), so a changed source is a new copy. Its
manifest, written last, holds each file's SHA-256: a copy that fails it is fetched again.

What is registered never changes: a version whose files are not those of its seal, made when it was registered, is
refused on every machine. One without a seal is held to what the bucket had when it was first fetched here.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from weyr.core.seal import ListedFile, changed_since

MANIFEST = ".weyr-manifest.json"
FILES_MAX = 10_000
AT_ONCE = 4
CHUNK = 2**20
RETRY_FOR = timedelta(seconds=30)
"""A plane that is being restarted is back long before; what is still away then is an error to report."""


ADVICE = (
    "A version that is registered does not change: put the old files back, or register what is there now as a new "
    "version"
)


class FetchError(Exception):
    """The files could not be brought here; the text says why, for the user."""


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the source, by its path below the prefix."""

    name: str
    key: str
    size: int
    etag: str


def fetch(source: str, cache: Path, environment: Mapping[str, str], registered: str = "", seal: str = "") -> Path:
    """The folder with the files below `source`, `s3://bucket/prefix` or `file:///folder`.

    Takes: `environment`, the AWS_* variables that reach the store; `registered`, which version of which model lies
    there, "" for files that may change; `seal`, what its files were then, "" where that is not known.
    Raises: FetchError, also where the files are not those that were registered.
    Promises: several processes may fetch the same source at once: one does, the others wait for it. The folder given
    is not changed again while it is whole.
    """
    try:
        store, prefix = _opened(source, environment)
        files = _listed(store, prefix)
        if not files:
            raise FetchError(f"there are no files at {source}")
        target = cache / _digest(source, files)
        cache.mkdir(parents=True, exist_ok=True)
        with _only_one(target):
            if seal:
                _check_sealed(seal, f"{registered} at {source}", files)
            elif registered:
                _check_unchanged(cache, f"{registered} at {source}", files)
            if not _is_whole(target, files):
                _download(store, files, target)
    except (BaseError, OSError) as e:
        raise FetchError(f"{source} could not be fetched: {e}") from e
    return target


def _opened(source: str, environment: Mapping[str, str]) -> tuple[ObjectStore, str]:
    parts = urlsplit(source)
    prefix = parts.path.strip("/")
    if parts.scheme == "file":
        return LocalStore(prefix=f"/{prefix}"), ""
    if parts.scheme != "s3" or not parts.netloc:
        raise FetchError(f'"{source}" is not a source; write s3://bucket/prefix')
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    store = S3Store(
        parts.netloc,
        endpoint=endpoint or None,
        access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
        secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
        region=environment.get("AWS_REGION", "us-east-1"),
        virtual_hosted_style_request=not endpoint,
        client_options={"allow_http": endpoint.startswith("http://")},
        retry_config={"retry_timeout": RETRY_FOR},
    )
    return store, prefix


def _listed(store: ObjectStore, prefix: str) -> list[_File]:
    files: list[_File] = []
    for page in store.list(f"{prefix}/" if prefix else None):
        for entry in page:
            name = entry["path"].removeprefix(prefix).lstrip("/")
            if ".." in PurePosixPath(name).parts or not name:
                raise FetchError(f'"{entry["path"]}" is not a name that a file can have here')
            files.append(_File(name, entry["path"], entry["size"], entry["e_tag"] or ""))
        if len(files) > FILES_MAX:
            raise FetchError(f"more than {FILES_MAX} files; this is no model")
    return sorted(files, key=lambda file: file.name)


def _digest(source: str, files: list[_File]) -> str:
    listing = json.dumps([source, [(file.name, file.size, file.etag) for file in files]])
    return hashlib.sha256(listing.encode()).hexdigest()[:32]


def _check_sealed(seal: str, what: str, files: list[_File]) -> None:
    """Raises: FetchError where the files are not those that the seal was made of."""
    changed = changed_since(seal, (ListedFile(file.name, file.size, file.etag) for file in files))
    if changed:
        raise FetchError(f"{what} is not what was registered: {changed} since. {ADVICE}")


def _check_unchanged(cache: Path, what: str, files: list[_File]) -> None:
    """Remembers what was there the first time. Raises: FetchError where it is something else now."""
    known = cache / f".first-{hashlib.sha256(what.encode()).hexdigest()[:32]}.json"
    now = {file.name: [file.size, file.etag] for file in files}
    if not known.exists():
        draft = known.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(now))
        _sync(draft)
        # Another process may have been first; then its word counts, and the next fetch compares with it.
        draft.rename(known)
        return
    first = json.loads(known.read_bytes())
    changed = sorted(name for name in now.keys() | first.keys() if now.get(name) != first.get(name))
    if changed:
        raise FetchError(
            f"{what} is not what it was when it was first fetched: {', '.join(changed[:5])} changed since. {ADVICE}"
        )


def _is_whole(folder: Path, files: list[_File]) -> bool:
    """Whether every byte is as it was when it came."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return all(manifest[file.name] == _sha256(folder / file.name) for file in files)
    except (OSError, ValueError, KeyError):
        return False


@contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """One process at a time for this copy. The kernel lets go of the lock when its holder dies."""
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(store: ObjectStore, files: list[_File], target: Path) -> None:
    """Fills a folder of its own, then gives it its name in one step."""
    draft = Path(tempfile.mkdtemp(prefix=".fetching-", dir=target.parent))
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sums = list(pool.map(lambda file: _download_one(store, file, draft), files))
        manifest = {file.name: digest for file, digest in zip(files, sums, strict=True)}
        (draft / MANIFEST).write_text(json.dumps(manifest))
        _sync(draft / MANIFEST)
        _sync(draft)
        # What has the name already is damaged, or it would have been used.
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
        _sync(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _download_one(store: ObjectStore, file: _File, folder: Path) -> str:
    """Gives the SHA-256 of what was written. Raises: FetchError where that is not what the listing promised."""
    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("wb") as out:
        got = store.get(file.key)
        for chunk in got.stream(min_chunk_size=CHUNK):
            piece = memoryview(chunk)
            out.write(piece)
            sha256.update(piece)
            md5.update(piece)
            size += len(piece)
        out.flush()
        os.fsync(out.fileno())
    # A plain entity tag is the content's MD5; one with a dash comes from a multipart upload and is not.
    etag = file.etag.strip('"')
    is_md5 = len(etag) == 32 and all(digit in "0123456789abcdef" for digit in etag)
    is_other = (got.meta["e_tag"] or "") != file.etag
    if is_other or size != file.size or (is_md5 and etag != md5.hexdigest()):
        raise FetchError(f"{file.key} changed or was damaged on its way: {size} of {file.size} bytes, tag {etag}")
    return sha256.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def send(folder: Path, target: str, environment: Mapping[str, str]) -> None:
    """Puts every file of `folder` below `target`, `s3://bucket/prefix`. Raises: FetchError."""
    try:
        store, prefix = _opened(target, environment)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            store.put(f"{prefix}/{path.relative_to(folder)}", path)
    except (BaseError, OSError) as e:
        raise FetchError(f"{target} could not be written: {e}") from e
