"""How is a whole data folder copied while everything runs? As a power cut at one moment would have left it.

The order makes it consistent. Records of tasks are read at the very moment of the database's copy; the object store
is copied after it, so that every artifact that the database names is there; blobs stay until they are copied.
What belongs to running processes (sockets, routes, caches) is left out: it is made anew.
"""

import fcntl
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from weyr.attempt import task_folder
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.gateway.s3 import copying
from weyr.store.archive import ArchiveWriter
from weyr.store.database import Database
from weyr.store.frozen import frozen
from weyr.store.home import Home
from weyr.store.migrate import revision_of
from weyr.store.place import PostgresUrl, store_place

LEFT_OUT = {
    "s3",
    "tasks",
    "run",
    "cache",
    "routes.json",
    "credentials.json",
    "store.db",
    "store.db-wal",
    "store.db-shm",
}
"""Copied in their own way, or made anew: `credentials.json` from the database, `routes.json` by the loop."""

TASK_RECORDS = (task_folder.WANTED, task_folder.BEGUN, task_folder.STATE, task_folder.EXIT, task_folder.STOP)

OnProgress = Callable[[int, int], None]
"""Is told how many bytes are copied, of how many."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made. `made_at` is the moment that it shows."""

    file: Path
    made_at: float
    size_bytes: int
    files: int


@dataclass(slots=True)
class _Copied:
    """What is to go into the archive: texts that were read at the moment, and files to read now."""

    made_at: float = 0.0
    texts: dict[str, bytes] = field(default_factory=dict)
    files: list[tuple[str, Path, int]] = field(default_factory=list)
    """Name in the archive, path, size; -1 stands for as long as it is when it is copied, or not at all."""


def back_up(home: Home, to: Path, now: Callable[[], float], on_progress: OnProgress) -> Backup:
    """Copies a data folder into the file `to`, whether or not its server runs.

    Promises: what was acknowledged before the call is in it. No write waits longer than it takes to read the
    records of the tasks. A kill leaves no file `to`.
    Raises: UserError.
    """
    _check(home, to)
    try:
        with _workplace(home) as place:
            return _copy(home, place, to, now, on_progress)
    except BlockingIOError as e:
        detail = f"Another backup of {home.path}, or to {to}, is being made at this moment."
        raise UserError(Diagnostic("A backup is under way", detail)) from e
    except OSError as e:
        detail = (
            f"{e.filename or to}: {e.strerror or e}. Nothing of the backup is left, and the data folder is as it was."
        )
        raise UserError(Diagnostic("The backup cannot be written", detail, suggestion=f"df -h {to.parent}")) from e
    except sqlite3.Error as e:
        detail = f"A database in {home.path} cannot be copied: {e}."
        raise UserError(Diagnostic("The data folder cannot be copied", detail, suggestion="weyr doctor")) from e


def _copy(home: Home, place: Path, to: Path, now: Callable[[], float], on_progress: OnProgress) -> Backup:
    copied = _Copied()
    home.objects.mkdir(mode=0o700, exist_ok=True)
    with copying.kept_for_copying(home.objects):
        with frozen(home.database, place / "store.db"):
            copied.made_at = now()
            copied.texts = dict(_task_records(home.tasks))
        copied.files.append(("store.db", place / "store.db", -1))
        if (home.objects / copying.INDEX).exists():
            copying.copy_index(home.objects, place / copying.INDEX)
            copied.files.append((f"s3/{copying.INDEX}", place / copying.INDEX, -1))
            for file, size in copying.blob_files(home.objects, place / copying.INDEX):
                copied.files.append((str(file.relative_to(home.path)), file, size))
        copied.files += [(str(file.relative_to(home.path)), file, -1) for file in _plain_files(home)]
        return _written(copied, _schema(place / "store.db"), to, on_progress)


def _written(copied: _Copied, schema: str, to: Path, on_progress: OnProgress) -> Backup:
    total = sum(size if size >= 0 else _size(file) for _, file, size in copied.files)
    done = 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    archive = ArchiveWriter(to, on_bytes)
    try:
        head = {"weyr": version("weyr"), "made_at": copied.made_at, "schema": schema, "objects": copying.VERSION}
        archive.begin(head)
        for name, text in copied.texts.items():
            archive.add_text(name, text)
        for name, file, size in copied.files:
            try:
                archive.add(name, file, None if size < 0 else size)
            except FileNotFoundError:
                if size >= 0:
                    raise  # a blob that the index names: without it the copy would be broken
        size_bytes = archive.seal()
    except BaseException:
        archive.abandon()
        raise
    return Backup(to, copied.made_at, size_bytes, archive.files)


def _task_records(tasks: Path) -> Iterator[tuple[str, bytes]]:
    """The records of every task that was begun. One that was only claimed is claimed again."""
    for folder in tasks.iterdir() if tasks.is_dir() else ():
        if folder.name.startswith(".") or not (folder / task_folder.BEGUN).exists():
            continue
        for name in TASK_RECORDS:
            try:
                yield f"tasks/{folder.name}/{name}", (folder / name).read_bytes()
            except FileNotFoundError:
                continue


def _plain_files(home: Home) -> Iterator[Path]:
    """Logs of tasks, and all else that lies in the folder: what a later Weyr adds is copied too."""
    if home.tasks.is_dir():
        yield from (file for file in _below(home.tasks) if file.suffix == ".log" or ".archive" in file.parts)
    for entry in home.path.iterdir():
        if entry.name in LEFT_OUT:
            continue
        yield from _below(entry) if entry.is_dir() and not entry.is_symlink() else filter(_is_plain, [entry])


def _below(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (path for name in names if _is_plain(path := Path(where, name)))


def _is_plain(path: Path) -> bool:
    """Whether it is a file with content, and not one that somebody is about to rename."""
    try:
        return stat.S_ISREG(path.lstat().st_mode) and not path.name.endswith(".tmp")
    except FileNotFoundError:
        return False


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _schema(copy: Path) -> str:
    db = Database(copy)
    try:
        return revision_of(db) or ""
    finally:
        db.close()


@contextmanager
def _workplace(home: Home) -> Iterator[Path]:
    """A folder for copies of the databases, for one backup at a time. What a killed one left there goes first."""
    place = home.run / "backup"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in place.iterdir():
            left.unlink()
        yield place
        shutil.rmtree(place)
    finally:
        os.close(descriptor)


def _check(home: Home, to: Path) -> None:
    """Raises: UserError."""
    problems = []
    place = store_place(home.path)
    if isinstance(place, PostgresUrl):
        # A dump of the database and a copy of the rest would show two moments, and pass for one.
        detail = (
            f"What Weyr knows is in {place}, and only its own tools copy that as of one moment. Stop the server, dump "
            f"the database, copy {home.path} (objects, keys, logs) as it is, and start the server again."
        )
        suggestion = f"pg_dump --format=custom --file=weyr.dump {place}"
        raise UserError(Diagnostic("The store is in PostgreSQL", detail, suggestion=suggestion))
    if not home.database.is_file():
        detail = f"{home.path} holds no database: no server has run there yet."
        problems.append(Diagnostic("There is nothing to back up", detail, suggestion="weyr backup FILE --home FOLDER"))
    if to.exists():
        detail = f"{to} is there already. A backup replaces nothing."
        problems.append(Diagnostic("The file exists", detail, suggestion=f"weyr backup {to.parent}"))
    if not to.parent.is_dir():
        problems.append(Diagnostic("No such folder", f"There is no folder {to.parent} to put the backup into."))
    elif home.path.resolve() in [to.parent.resolve(), *to.parent.resolve().parents]:
        detail = f"{to} lies in the data folder itself: it would be lost with it, and each backup would hold the last."
        problems.append(Diagnostic("A backup belongs elsewhere", detail, suggestion="weyr backup ~/backups"))
    if problems:
        raise UserError(*problems)
