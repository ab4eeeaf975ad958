"""How does a backup become a data folder again? Unpacked beside it, checked, settled, and then named in one step.

What ran when the backup was made does not run here. It counts as lost at that moment: jobs go on from their
checkpoints, endpoints get new replicas, and every meter of the old life ends where the backup was made.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from weyr.attempt import task_folder
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import ThingId
from weyr.engines.local.ports import is_free
from weyr.gateway.s3 import copying
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import Catalogue
from weyr.store import archive, kernel
from weyr.store.database import Database
from weyr.store.home import Home
from weyr.store.kernel import EventRow
from weyr.store.ledger import LedgerStore
from weyr.store.migrate import HEAD, migrate


@dataclass(frozen=True, slots=True)
class Restored:
    """A data folder that was restored. `lost` are the tasks that ran when its backup was made."""

    home: Path
    made_at: float
    files: int
    lost: tuple[str, ...]
    keeps_ports: bool


def restore(file: Path, home: Path, now: Callable[[], float], on_bytes: Callable[[int], None]) -> Restored:
    """Makes the data folder `home` from the backup `file`; starts nothing.

    Promises: `home` appears whole or not at all, whatever dies. A folder with something in it is never touched.
    Raises: UserError.
    """
    _check_target(home)
    head = archive.head_of(file)
    _check_head(file, head)
    made_at = float(head["made_at"])
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with _workplace(home) as place:
            files = archive.extract(file, place, on_bytes)
            lost = tuple(_end_what_ran(place / "tasks", made_at))
            _settle(place, lost, made_at, now())
            keeps_ports = _settle_ports(place)
            os.sync()  # one for all files: thousands of single ones would take minutes
            os.rename(place, home)
            _sync(home.parent)
    except BlockingIOError as e:
        raise UserError(Diagnostic("A restore is under way", f"Another one makes {home} at this moment.")) from e
    except OSError as e:
        detail = f"{e.filename or home}: {e.strerror or e}. {home} is as it was before."
        raise UserError(Diagnostic("The backup cannot be restored", detail, suggestion=f"df -h {home.parent}")) from e
    return Restored(home, made_at, files, lost, keeps_ports)


def _end_what_ran(tasks: Path, made_at: float) -> Iterator[str]:
    """Records the end of every task that has none, and takes out of its records what belongs to the old life."""
    for folder in sorted(tasks.iterdir()) if tasks.is_dir() else ():
        begun = task_folder.read_json(str(folder), task_folder.BEGUN) if not folder.name.startswith(".") else None
        if begun is None:
            continue
        # Control groups and sockets of this name may be the old folder's, where the task may still run.
        task_folder.write_json(str(folder), task_folder.BEGUN, {**begun, "groups": []})
        wanted = task_folder.read_json(str(folder), task_folder.WANTED) or {}
        task_folder.write_json(str(folder), task_folder.WANTED, {**wanted, "socket": "", "secret_folder": ""})
        if task_folder.read_json(str(folder), task_folder.EXIT) is None:
            started_at = (task_folder.read_json(str(folder), task_folder.STATE) or {}).get("started_at")
            detail = f"it ran when the backup was made at {_day(made_at)}, and was not carried over"
            end = {"reason": "lost", "detail": detail, "started_at": started_at, "ended_at": made_at}
            task_folder.write_json(str(folder), task_folder.EXIT, end)
            yield unquote(folder.name)


def _settle(place: Path, lost: Sequence[str], made_at: float, now: float) -> None:
    """Brings the database up to date, ends the meters of the old life, and writes into the story what happened."""
    db = Database(place / "store.db")
    try:
        migrate(db)
        ledger = Ledger(LedgerStore(db), Catalogue.shipped())
        ours = [meter.thing for meter in ledger.open_meters()]
        tasks = Home(place).tasks
        # A task's own record says when it ended, and the loop reads it; nobody else keeps records.
        recorded = {ThingId.parse(unquote(folder.name)) for folder in tasks.glob("[!.]*")}
        with db.write() as connection:
            for thing in ours:
                if thing not in recorded:
                    ledger.close(connection, thing.ref, thing.part, made_at)
            kernel.add_events(connection, _story(lost, made_at, now))
    finally:
        db.close()


def _story(lost: Sequence[str], made_at: float, now: float) -> list[EventRow]:
    text = f"this data folder was restored from a backup made at {_day(made_at)}; all meters ended then"
    gone = "it ran when the backup was made: it counts as lost, and its bill ends, at that moment"
    return [
        EventRow(now, "", "", "", "home.restored", text),
        *(EventRow(now, id.ref.stack, str(id.ref), "", "task.left_behind", gone) for id in map(ThingId.parse, lost)),
    ]


def _settle_ports(place: Path) -> bool:
    """Whether the old addresses can be kept. Where one is taken here, all are drawn anew at the first start."""
    file = Home(place).ports
    try:
        kept = json.loads(file.read_text()).values()
    except (FileNotFoundError, ValueError, AttributeError):
        return False
    if all(isinstance(port, int) and is_free(port) for port in kept):
        return True
    file.unlink()
    return False


@contextmanager
def _workplace(home: Path) -> Iterator[Path]:
    """An empty folder beside `home`, for one restore at a time; what a killed one left there goes first."""
    place = home.with_name(f".{home.name}.restoring")
    place.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in place.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield place
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_target(home: Path) -> None:
    if not home.exists() and not home.is_symlink():
        return
    if not home.is_dir() or home.is_symlink() or any(home.iterdir()):
        detail = f"{home} is not empty. A backup is restored into a new folder, so that nothing is overwritten."
        raise UserError(
            Diagnostic("The data folder is not empty", detail, suggestion=f"weyr restore FILE --home {home}-2")
        )


def _check_head(file: Path, head: dict[str, Any]) -> None:
    """Raises: UserError where a newer Weyr made it."""
    known = {"format": archive.FORMAT, "objects": copying.VERSION, "schema": HEAD}
    newer = [
        f"{name} {head.get(name)}, known up to {most}"
        for name, most in known.items()
        if _is_newer(head.get(name), most)
    ]
    if newer:
        detail = f"{file} was made by Weyr {head.get('weyr')} ({'; '.join(newer)}). This Weyr cannot read all of it."
        raise UserError(
            Diagnostic("The backup was made by a newer Weyr", detail, suggestion="pip install --upgrade weyr")
        )
    if not isinstance(head.get("made_at"), int | float):
        raise UserError(Diagnostic("The backup is broken", f"{file} does not say when it was made."))


def _is_newer(said: object, most: object) -> bool:
    """Layouts are whole numbers, schemas texts of equal length: each sorts as it grew."""
    if isinstance(said, int) and isinstance(most, int):
        return said > most
    return not isinstance(said, str) or not isinstance(most, str) or said > most


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
