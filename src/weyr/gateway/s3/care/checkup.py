"""How is a stopped store checked from end to end, and mended where that is wished?"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.care.fsck import CHECKS, Finding, Kind, Look, OnProgress, soundness
from weyr.gateway.s3.care.repair import Repair, index_from_backup
from weyr.gateway.s3.copying import INDEX
from weyr.gateway.s3.schema import opened


class InUse(Exception):
    """A plane serves the store."""


def checked(folder: Path, is_repairing: bool, now_ms: int, on_progress: OnProgress) -> list[Finding]:
    """Everything that is wrong with the store in `folder`, and with `is_repairing` what was done about it.

    Raises: InUse, Unmendable, OSError, sqlite3.Error.
    """
    if not (folder / "blobs").is_dir():
        raise FileNotFoundError(f"{folder} is no folder of buckets: there is no {folder / 'blobs'}")
    with held(folder):
        found = []
        unsound = soundness(folder / INDEX)
        if unsound:
            found.append(Finding(Kind.INDEX, f"{INDEX}: {unsound}", path=folder / INDEX))
            if not is_repairing:
                return found
            found[0] = index_from_backup(folder)
        db, store = opened(folder / INDEX), BlobStore(folder)
        try:
            look = Look(folder, db, store, on_progress)
            repair = Repair(look, is_restored=bool(unsound), now_ms=now_ms) if is_repairing else None
            for check in CHECKS:
                # All of them first: rows must not change under a question that is still being answered.
                some = list(check(look))
                found += [repair.mended(finding) for finding in some] if repair else some
        finally:
            store.close()
            db.close()
        return found


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """While the block runs no plane can serve the store. Raises: InUse."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise InUse(f"An S3 plane serves {folder}.") from e
        yield
    finally:
        os.close(descriptor)
