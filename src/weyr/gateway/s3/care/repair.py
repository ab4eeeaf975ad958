"""How is what is wrong with a stopped store mended? Each kind of finding in its own way, and no bytes are thrown away.

What may be somebody's bytes goes to `lost+found/`, where a person decides; a body that never came to its end, and a
file that no row is of while the index is as the plane left it, are nobody's: no answer ever named them.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from weyr.gateway.s3.blobs import sync_folder
from weyr.gateway.s3.care.fsck import COUNTED, COUNTED_BY_CLASS, Finding, Kind, Look
from weyr.gateway.s3.care.rot import HEALED_BY, State
from weyr.gateway.s3.care.snapshots import BACKUP
from weyr.gateway.s3.copying import INDEX
from weyr.gateway.s3.digests import CHUNK_BYTES, Digests, digests_length
from weyr.gateway.s3.records import segments_of
from weyr.gateway.s3.schema import opened

LOST = "lost+found"


class Unmendable(Exception):
    """It cannot be mended here; the message is for the user."""


def index_from_backup(folder: Path) -> Finding:
    """Puts the kept copy of the index in the place of one that is gone or not sound. Raises: Unmendable, OSError."""
    index, backup = folder / INDEX, folder / BACKUP
    if not backup.exists():
        raise Unmendable(f"There is no {backup} to begin from. Restore {index} from a backup of your own.")
    db = sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)
    try:
        answer = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as e:
        answer = str(e)
    finally:
        db.close()
    if answer != "ok":
        raise Unmendable(f"{backup} is not sound either: {answer}")
    for name in (INDEX, f"{INDEX}-wal", f"{INDEX}-shm"):
        if (folder / name).exists():
            _to_lost(folder, folder / name)
    aside = folder / f"{INDEX}.restoring"
    shutil.copyfile(backup, aside)
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    os.rename(aside, index)
    sync_folder(folder)
    opened(index).close()
    return Finding(
        Kind.INDEX,
        f"{INDEX} was gone or not sound",
        path=index,
        is_mended=True,
        done=f"it is {BACKUP} again, as of when that was made; what came later has no name, and is in {LOST}",
    )


class Repair:
    """Mends findings one by one, in the order in which they were found.

    Takes: `is_restored`, whether the index is an older copy, so that files without a row may be somebody's.
    """

    def __init__(self, look: Look, is_restored: bool, now_ms: int) -> None:
        self._folder = look.folder
        self._db = look.db
        self._store = look.store
        self._is_restored = is_restored
        self._now_ms = now_ms
        self._ways: dict[Kind, Callable[[Finding], str]] = {
            Kind.DAMAGED: self._quarantine,
            Kind.UNCOUNTED: self._count_anew,
            Kind.COUNT: self._set_count,
            Kind.ORPHAN: self._clear,
            Kind.COUNTER: self._set_counters,
            Kind.HOMELESS: self._house,
            Kind.LEFTOVER: self._clear_leftover,
            Kind.AWAY: self._set_away,
        }

    def mended(self, finding: Finding) -> Finding:
        """The finding, with what was done about it. Raises: OSError, sqlite3.Error."""
        way = self._ways.get(finding.kind)
        if way is None or (finding.kind is Kind.AWAY and not finding.blob):
            return finding
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            done = way(finding)
        return replace(finding, done=done, is_mended=finding.kind is not Kind.DAMAGED)

    def _quarantine(self, finding: Finding) -> str:
        blob = finding.blob
        sql = "INSERT INTO rot VALUES (?, ?, ?, ?) ON CONFLICT (blob) DO UPDATE SET why = excluded.why"
        self._db.execute(sql, (blob, self._now_ms, finding.what, State.FOUND))
        if self._is_elsewhere(blob):
            # What is here is needed to close its bytes as they were.
            return "it stays where it is: the plane gets its bytes from where its bucket is replicated to"
        row = self._db.execute("SELECT data FROM blobs WHERE id = ?", (blob,)).fetchone()
        if row is not None and row[0] is not None:
            to = next(_names(lost_folder(self._folder), f"{blob:08x}"))
            to.write_bytes(row[0])
            return f"what is there is also in {to.relative_to(self._folder)}"
        path = self._store.path_of(blob)
        if not path.exists():
            return ""
        return f"what is there is now {_to_lost(self._folder, path).relative_to(self._folder)}"

    def _is_elsewhere(self, blob: int) -> bool:
        for bucket, settings in self._db.execute("SELECT id, settings FROM buckets").fetchall():
            if f'"{HEALED_BY}"' in settings:
                sql = "SELECT segments FROM objects WHERE bucket = ? AND segments LIKE ?"
                for (text,) in self._db.execute(sql, (bucket, f"%{blob}:%")):
                    if any(segment.blob == blob and not segment.is_away for segment in segments_of(text)):
                        return True
        return False

    def _count_anew(self, finding: Finding) -> str:
        """A row for a blob that is named. Without its bytes too: what has one can be deleted, and shows as damaged."""
        sql = "SELECT refs, size, is_inline FROM named WHERE blob = ?"
        refs, size, is_inline = self._db.execute(sql, (finding.blob,)).fetchone()
        path = self._store.path_of(finding.blob)
        is_there = path.exists() and not is_inline
        digests = _digests_of_file(path) if is_there else bytes(digests_length(size))
        values = finding.blob, refs, path.stat().st_size if is_there else size, digests, b"" if is_inline else None
        self._db.execute("INSERT INTO blobs VALUES (?, ?, ?, ?, ?)", values)
        return "it is counted, with digests of what is there now" if is_there else "it is counted, without its bytes"

    def _set_away(self, finding: Finding) -> str:
        row = self._db.execute("SELECT refs FROM named_away WHERE id = ?", (finding.blob,)).fetchone()
        if row is not None:
            self._db.execute("UPDATE away SET refs = ? WHERE id = ?", (row[0], finding.blob))
            return "it is counted as often as it is named"
        sql = "INSERT OR REPLACE INTO removals SELECT tier, key, size FROM away WHERE id = ?"
        self._db.execute(sql, (finding.blob,))
        self._db.execute("DELETE FROM away WHERE id = ?", (finding.blob,))
        return "the plane removes it from its tier"

    def _set_count(self, finding: Finding) -> str:
        row = self._db.execute("SELECT refs FROM named WHERE blob = ?", (finding.blob,)).fetchone()
        if row is not None:
            self._db.execute("UPDATE blobs SET refs = ? WHERE id = ?", (row[0], finding.blob))
            return "it is counted as often as it is named"
        self._db.execute("DELETE FROM blobs WHERE id = ?", (finding.blob,))
        return "it is not counted any more"

    def _clear(self, finding: Finding) -> str:
        assert finding.path is not None
        if not finding.blob or self._is_restored:
            return f"it is now {_to_lost(self._folder, finding.path).relative_to(self._folder)}"
        finding.path.unlink()
        return "it is removed"

    def _clear_leftover(self, finding: Finding) -> str:
        assert finding.path is not None
        finding.path.unlink()
        return "it is removed"

    def _set_counters(self, finding: Finding) -> str:
        for bucket, name, _, _, objects, size in self._db.execute(COUNTED).fetchall():
            if name in finding.where:
                sql = "UPDATE buckets SET objects = ?, size_bytes = ? WHERE id = ?"
                self._db.execute(sql, (objects, size, bucket))
        for bucket, name, storage_class, _, _, objects, size in self._db.execute(COUNTED_BY_CLASS).fetchall():
            if name in finding.where:
                sql = (
                    "INSERT INTO classes (bucket, class, objects, size_bytes) VALUES (?, ?, ?, ?) ON CONFLICT"
                    " (bucket, class) DO UPDATE SET objects = excluded.objects, size_bytes = excluded.size_bytes"
                )
                self._db.execute(sql, (bucket, storage_class, objects, size))
        return "it says what is there"

    def _house(self, finding: Finding) -> str:
        """Rows of a bucket that is gone get one with a name of its own; parts of no upload are let go."""
        done = []
        for table in ("objects", "history", "uploads"):
            sql = f"SELECT DISTINCT bucket FROM {table} WHERE bucket NOT IN (SELECT id FROM buckets)"
            for (bucket,) in self._db.execute(sql).fetchall():
                name = f"recovered-{bucket}"
                sql = "INSERT INTO buckets (id, name, created_ms, owner) VALUES (?, ?, ?, '')"
                self._db.execute(sql, (bucket, name, self._now_ms))
                done.append(name)
        sql = "DELETE FROM parts WHERE upload NOT IN (SELECT id FROM uploads)"
        self._db.execute(sql)
        return f"they are in bucket {', '.join(done)}" if done else "it is mended with another finding, or let go"


def lost_folder(folder: Path) -> Path:
    """Where what may be somebody's bytes is put; made if it is not there."""
    lost = folder / LOST
    lost.mkdir(mode=0o700, exist_ok=True)
    return lost


def _to_lost(folder: Path, path: Path) -> Path:
    """Moves a file to lost+found, beside what has its name there. Gives where it is."""
    lost = lost_folder(folder)
    to = next(_names(lost, path.name))
    os.rename(path, to)
    sync_folder(lost)
    sync_folder(path.parent)
    return to


def _names(lost: Path, name: str) -> Iterator[Path]:
    """Names that nothing has yet."""
    if not (lost / name).exists():
        yield lost / name
    for number in count(1):
        if not (lost / f"{name}.{number}").exists():
            yield lost / f"{name}.{number}"


def _digests_of_file(path: Path) -> bytes:
    digests = Digests()
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            digests.feed(piece)
    return digests.done()
