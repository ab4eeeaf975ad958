"""Is every blob what was written, right now? One walk at full speed, beside a plane that serves or without one."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from weyr.gateway.s3.blobs import BlobStore, kept_for_copying
from weyr.gateway.s3.care.fsck import Finding, OnProgress, damages, soundness
from weyr.gateway.s3.care.rot import State
from weyr.gateway.s3.copying import INDEX
from weyr.gateway.s3.schema import opened


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What one walk over everything met."""

    blobs: int
    bytes: int
    damaged: tuple[Finding, ...]


def scrubbed(folder: Path, now_ms: int, on_progress: OnProgress) -> Scrubbed:
    """Looks at every blob and writes down which are damaged, where a plane that serves finds and mends them.

    While it runs no blob is removed, as while a copy is made.
    Raises: OSError, sqlite3.Error, also where the index is gone.
    """
    index = folder / INDEX
    if not index.exists() or (unsound := soundness(index)):
        raise sqlite3.DatabaseError(f"{index} {unsound if index.exists() else 'is not there'}")
    with kept_for_copying(folder):
        db, store = opened(index), BlobStore(folder)
        try:
            blobs, size = db.execute("SELECT count(*), coalesce(sum(size), 0) FROM blobs").fetchone()
            damaged = tuple(damages(store, db, on_progress))
            for finding in damaged:
                sql = (
                    "INSERT INTO rot SELECT id, ?, ?, ? FROM blobs WHERE id = ?"
                    " ON CONFLICT (blob) DO UPDATE SET why = excluded.why, state = excluded.state"
                )
                db.execute(sql, (now_ms, finding.what, State.FOUND, finding.blob))
            still = {row[0] for row in db.execute("SELECT blob FROM rot")}
        finally:
            store.close()
            db.close()
    # One that was let go while it was looked at is nobody's any more.
    return Scrubbed(blobs, size, tuple(finding for finding in damaged if finding.blob in still))
