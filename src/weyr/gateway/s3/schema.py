"""How is the index laid out? Its tables, and how the file is opened so that a commit is on disk.

    buckets    one row per bucket; what it holds is kept by triggers, so it cannot drift from the rows, and what it was
               used for (`writes`, `reads` and bytes that left) is added once a second
    objects    the current version of each key, or its delete marker
    history    the versions before it, of buckets that keep them; `sequence` rises with each version of a key, and
               `ended_ms` is when another took its place
    uploads    multipart uploads that are not finished, and `parts` what has come of them
    events     what webhooks are still to be told, in order
    replicas   how far each target of a bucket's replication is, and `replications` what is still to be sent to it
    blobs      every blob with how often it is named; small ones lie here (`data`), the others in files; `digests` are
               of its bytes as they lie there, eight for each mebibyte (`weyr.gateway.s3.digests`)
    classes    what of each bucket is of a storage class other than STANDARD: kept by triggers, as what buckets hold is;
               and what that was used for. A row stays when nothing is of its class any more: counters only grow
    away       what lies at a tier elsewhere instead: under which key, how often it is named, its size and digests there
    moves      the versions that a lifecycle rule has found due for a tier
    removals   keys at tiers that nobody names (any more): written before they are put, and gone once they are removed
    rot        the blobs that are known to be damaged (`weyr.gateway.s3.care.rot`)
    care       what the scrubber remembers, and what was asked of buckets that are gone: a JSON text for each name

`segments` names an object's blobs in order: `12:4096` is a file, `i12:4096` a row with data, `a12:4096` a row of
`away`, joined with commas; the
size is that of the object's bytes, and `blobs.size` that on disk.
`class` is the storage class, "" for STANDARD; the bytes may still be on their way to its tier.
`meta` is JSON: content headers, user metadata, checksums, tags, and an encrypted object's own key, wrapped.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

VERSION = 10

_COLUMNS = """
    bucket INTEGER NOT NULL, key TEXT NOT NULL, sequence INTEGER NOT NULL, version TEXT NOT NULL,
    is_marker INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, modified_ms INTEGER NOT NULL,
    segments TEXT NOT NULL, meta TEXT NOT NULL
"""
_CLASS = "class TEXT NOT NULL DEFAULT ''"


def _in_class(table: str) -> str:
    """The triggers that keep `classes`. A row without a class, as most are, costs a comparison."""
    enters = """INSERT INTO classes (bucket, class, objects, size_bytes) SELECT NEW.bucket, NEW.class, 1, NEW.size
        WHERE NEW.class <> ''
        ON CONFLICT (bucket, class) DO UPDATE SET objects = objects + 1, size_bytes = size_bytes + NEW.size;"""
    leaves = """UPDATE classes SET objects = objects - 1, size_bytes = size_bytes - OLD.size
        WHERE bucket = OLD.bucket AND class = OLD.class;"""
    return f"""
CREATE TRIGGER {table}_class_insert AFTER INSERT ON {table} WHEN NEW.class <> '' BEGIN {enters} END;
CREATE TRIGGER {table}_class_delete AFTER DELETE ON {table} WHEN OLD.class <> '' BEGIN {leaves} END;
CREATE TRIGGER {table}_class_update AFTER UPDATE OF class ON {table} WHEN NEW.class <> OLD.class
    BEGIN {leaves} {enters} END;
"""


_CLASSES = f"""
CREATE TABLE classes (
    bucket INTEGER NOT NULL, class TEXT NOT NULL, objects INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0, writes INTEGER NOT NULL DEFAULT 0, reads INTEGER NOT NULL DEFAULT 0,
    read_bytes INTEGER NOT NULL DEFAULT 0, moves INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (bucket, class)
) WITHOUT ROWID;
{_in_class("objects")}
{_in_class("history")}
"""


_SCHEMA = f"""
BEGIN;
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL, owner TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    versioning TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL DEFAULT '[]', settings TEXT NOT NULL DEFAULT '{{}}',
    objects INTEGER NOT NULL DEFAULT 0, size_bytes INTEGER NOT NULL DEFAULT 0,
    writes INTEGER NOT NULL DEFAULT 0, reads INTEGER NOT NULL DEFAULT 0,
    local_bytes INTEGER NOT NULL DEFAULT 0, far_bytes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE objects ({_COLUMNS}, {_CLASS}, PRIMARY KEY (bucket, key)) WITHOUT ROWID;
CREATE TABLE history (
    {_COLUMNS}, ended_ms INTEGER NOT NULL, {_CLASS}, PRIMARY KEY (bucket, key, sequence DESC)
) WITHOUT ROWID;
CREATE INDEX objects_by_age ON objects (bucket, modified_ms);
CREATE INDEX history_by_age ON history (bucket, ended_ms);
CREATE INDEX markers ON objects (bucket, key) WHERE is_marker = 1;
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, size INTEGER NOT NULL, digests BLOB NOT NULL, data BLOB
);
CREATE TABLE rot (
    blob INTEGER PRIMARY KEY, found_ms INTEGER NOT NULL, why TEXT NOT NULL, state TEXT NOT NULL
);
CREATE TRIGGER blobs_delete AFTER DELETE ON blobs BEGIN DELETE FROM rot WHERE blob = OLD.id; END;
CREATE TABLE care (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE uploads (
    id TEXT PRIMARY KEY, bucket INTEGER NOT NULL, key TEXT NOT NULL, created_ms INTEGER NOT NULL,
    owner TEXT NOT NULL, meta TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX uploads_by_key ON uploads (bucket, key, id);
CREATE INDEX uploads_by_age ON uploads (bucket, created_ms);
CREATE TABLE parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
    modified_ms INTEGER NOT NULL, segments TEXT NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE TABLE away (
    id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, tier TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL,
    digests BLOB NOT NULL
);
CREATE TABLE moves (
    bucket INTEGER NOT NULL, key TEXT NOT NULL, sequence INTEGER NOT NULL, modified_ms INTEGER NOT NULL,
    tier TEXT NOT NULL, PRIMARY KEY (bucket, key, sequence)
) WITHOUT ROWID;
CREATE TABLE removals (tier TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (tier, key))
    WITHOUT ROWID;
CREATE TABLE events (id INTEGER PRIMARY KEY, target TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX events_by_target ON events (target, id);
CREATE TABLE replicas (
    bucket INTEGER NOT NULL, target TEXT NOT NULL, began_ms INTEGER NOT NULL, scan TEXT,
    waiting INTEGER NOT NULL DEFAULT 0, waiting_bytes INTEGER NOT NULL DEFAULT 0, failing INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0, sent_bytes INTEGER NOT NULL DEFAULT 0, last_sent_ms INTEGER NOT NULL DEFAULT 0,
    last_error TEXT NOT NULL DEFAULT '', PRIMARY KEY (bucket, target)
) WITHOUT ROWID;
CREATE TABLE replications (
    bucket INTEGER NOT NULL, key TEXT NOT NULL, target TEXT NOT NULL, number INTEGER NOT NULL,
    since_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, newest_ms INTEGER NOT NULL, size INTEGER NOT NULL,
    what INTEGER NOT NULL, due_ms INTEGER NOT NULL, failures INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '', upload TEXT NOT NULL DEFAULT '', upload_of TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (bucket, key, target)
) WITHOUT ROWID;
CREATE INDEX replications_by_turn ON replications (target, due_ms);
CREATE INDEX replications_failing ON replications (bucket, target) WHERE failures > 0;
CREATE INDEX replications_by_age ON replications (target, bucket, since_ms);
CREATE TRIGGER replications_insert AFTER INSERT ON replications BEGIN
    UPDATE replicas SET waiting = waiting + 1, waiting_bytes = waiting_bytes + NEW.size
    WHERE bucket = NEW.bucket AND target = NEW.target;
END;
CREATE TRIGGER replications_delete AFTER DELETE ON replications BEGIN
    UPDATE replicas SET waiting = waiting - 1, waiting_bytes = waiting_bytes - OLD.size,
        failing = failing - (OLD.failures > 0)
    WHERE bucket = OLD.bucket AND target = OLD.target;
END;
CREATE TRIGGER replications_update AFTER UPDATE OF size, failures ON replications BEGIN
    UPDATE replicas SET waiting_bytes = waiting_bytes - OLD.size + NEW.size,
        failing = failing - (OLD.failures > 0) + (NEW.failures > 0)
    WHERE bucket = NEW.bucket AND target = NEW.target;
END;
CREATE TRIGGER objects_insert AFTER INSERT ON objects BEGIN
    UPDATE buckets SET size_bytes = size_bytes + NEW.size, objects = objects + 1 - NEW.is_marker WHERE id = NEW.bucket;
END;
CREATE TRIGGER objects_delete AFTER DELETE ON objects BEGIN
    UPDATE buckets SET size_bytes = size_bytes - OLD.size, objects = objects - 1 + OLD.is_marker WHERE id = OLD.bucket;
END;
CREATE TRIGGER history_insert AFTER INSERT ON history BEGIN
    UPDATE buckets SET size_bytes = size_bytes + NEW.size WHERE id = NEW.bucket;
END;
CREATE TRIGGER history_delete AFTER DELETE ON history BEGIN
    UPDATE buckets SET size_bytes = size_bytes - OLD.size WHERE id = OLD.bucket;
END;
CREATE TRIGGER parts_insert AFTER INSERT ON parts BEGIN
    UPDATE buckets SET size_bytes = size_bytes + NEW.size
    WHERE id = (SELECT bucket FROM uploads WHERE id = NEW.upload);
END;
CREATE TRIGGER parts_delete AFTER DELETE ON parts BEGIN
    UPDATE buckets SET size_bytes = size_bytes - OLD.size
    WHERE id = (SELECT bucket FROM uploads WHERE id = OLD.upload);
END;
{_CLASSES}
PRAGMA user_version = {VERSION};
COMMIT;
"""
MIGRATED_FROM = 9
"""The layout before, which knew no classes."""
_IS_AWAY = "segments BETWEEN 'a' AND 'b'"
_FROM_BEFORE = f"""
ALTER TABLE objects ADD COLUMN {_CLASS};
ALTER TABLE history ADD COLUMN {_CLASS};
{_CLASSES}
UPDATE objects SET class = coalesce(json_extract(meta, '$.storage_class'), '') WHERE {_IS_AWAY};
UPDATE history SET class = coalesce(json_extract(meta, '$.storage_class'), '') WHERE {_IS_AWAY};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def opened(path: Path) -> sqlite3.Connection:
    """A connection to the index, made if it is not there. It may be used by whichever one thread owns it.

    WAL lets readers go on while the writer commits; synchronous=FULL makes each commit wait for the disk.
    Raises: sqlite3.Error, also for a file of a version this code does not know.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=10)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = -16000")
    db.execute("PRAGMA temp_store = MEMORY")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(_SCHEMA)
    elif version == MIGRATED_FROM:
        _migrate(db)
    elif version != VERSION:
        raise sqlite3.DatabaseError(f"{path} has layout {version}, and this weyr knows layout {VERSION}")
    return db


def _migrate(db: sqlite3.Connection) -> None:
    """Brings an index of the layout before up to this one, whole or not at all, whoever else does so now."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            db.execute("ROLLBACK")
            return
        for statement in _statements(_FROM_BEFORE):
            db.execute(statement)
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit what was begun before them."""
    statement = ""
    for piece in script.split(";"):
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
