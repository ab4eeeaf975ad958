"""What is of each storage class is kept by the index itself, whatever is done to its rows, and for old indexes too."""

import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from weyr.gateway.s3 import bucket_writes, schema
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import Meta, Versioning, bucket_named, version_of
from weyr.gateway.s3.remote import own_tiers, tiers
from weyr.gateway.s3.uploads import Upload
from weyr.gateway.s3.uploads import begin as begin_upload
from weyr.gateway.s3.usage import Use, add, gone_of, in_classes
from weyr.gateway.s3.writes import NewBlob, NewObject, WriteCondition, delete, put

URLS = {"COLD": "file:///cold", "ICE": "file:///ice"}


def begun(path: Path) -> Transaction:
    """An index with one bucket that keeps versions, and two tiers of its own."""
    transaction = Transaction(schema.opened(path))
    bucket_writes.ensure(transaction, "lake", "me", 1, None, 0, keeps_versions=True, tiers=URLS)
    return transaction


def stored(transaction: Transaction, number: int, key: str, storage_class: str, size: int) -> None:
    digests = bytes(8 * -(-size // 2**20))
    new = NewObject(
        key,
        size,
        "e",
        number,
        f"v{number}",
        Meta(storage_class=storage_class),
        (NewBlob(number, size, digests=digests),),
    )
    put(transaction, "lake", new, WriteCondition())


def recounted(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    rows = "SELECT class, size FROM objects UNION ALL SELECT class, size FROM history"
    found = db.execute(f"SELECT class, count(*), sum(size) FROM ({rows}) WHERE class <> '' GROUP BY class")
    return {name: (count, size) for name, count, size in found}


@pytest.mark.parametrize("seed", range(6))
def test_classes_are_what_their_rows_come_to(tmp_path: Path, seed: int) -> None:
    """Versions that are put, replaced, deleted, brought back to be current, and moved: by difference as by a count."""
    chance, transaction = random.Random(seed), begun(tmp_path / "index.db")
    moved = 0
    for number in range(1, 300):
        key = f"k{chance.randrange(8)}"
        match chance.randrange(5):
            case 0 | 1:
                stored(transaction, number, key, chance.choice(("", *URLS)), chance.randrange(1, 9))
            case 2:
                marker = NewObject(key, 0, "", number, f"v{number}", Meta())
                delete(transaction, "lake", key, "", marker, WriteCondition())
            case 3:
                row = transaction.one("SELECT version FROM history WHERE key = ? LIMIT 1", key)
                marker = NewObject(key, 0, "", number, "", Meta())
                if row:
                    delete(transaction, "lake", key, row[0], marker, WriteCondition())
            case _:
                moved += move(transaction, chance.choice(list(URLS)))
        ((size, classes),) = in_classes(transaction).values() if in_classes(transaction) else ((0, []),)
        kept = {one.name: (one.objects, one.size_bytes) for one in classes if one.objects}
        assert kept == recounted(transaction.db)
        total = transaction.one("SELECT size_bytes FROM buckets")
        assert not classes or (size,) == total
    assert moved > 10
    assert sum(one.moves for _, classes in in_classes(transaction).values() for one in classes) == moved
    bucket_writes.set_versioning(transaction, "lake", Versioning.SUSPENDED)


def move(transaction: Transaction, storage_class: str) -> int:
    """One version whose bytes are here goes to a tier, as the mover does it. Gives whether its class is another now."""
    here = "SELECT key, version FROM {} WHERE is_marker = 0 AND segments < 'a'"
    row = transaction.one(f"{here.format('objects')} UNION ALL {here.format('history')} LIMIT 1")
    bucket = bucket_named(transaction, "lake")
    there = version_of(transaction, bucket.id, *row) if row else None
    if there is None:
        return 0
    tier = own_tiers.tier_of(bucket, storage_class)
    due = tiers.Due(bucket.id, there.key, there.sequence, there.modified_ms, tier)
    away = [tiers.Away(tier, f"{there.version}.{n}", 1, b"") for n, _ in enumerate(there.segments)]
    assert tiers.intend(transaction, due, away)
    assert tiers.moved(transaction, due, there.segments, away)
    assert not tiers.moved(transaction, due, there.segments, away), "a move that is repeated after a crash does nothing"
    return int(there.meta.storage_class != storage_class)


def test_an_index_of_the_layout_before_learns_its_classes(tmp_path: Path) -> None:
    """What a plane had moved before it knew classes is counted at its next start, once."""
    path = tmp_path / "index.db"
    transaction = begun(path)
    for number in range(1, 6):
        stored(transaction, number, f"k{number % 4}", "", 10 * number)
    assert move(transaction, "COLD") == move(transaction, "COLD") == 1
    wanted = recounted(transaction.db)
    for name in ("insert", "delete", "update"):
        for table in ("objects", "history"):
            transaction.run(f"DROP TRIGGER {table}_class_{name}")
    for table in ("objects", "history"):
        transaction.run(f"ALTER TABLE {table} DROP COLUMN class")
    transaction.run("DROP TABLE classes")
    transaction.run(f"PRAGMA user_version = {schema.MIGRATED_FROM}")
    transaction.db.close()

    for _ in range(2):
        db = schema.opened(path)
        again = Transaction(db)
        ((_, classes),) = in_classes(again).values()
        assert {one.name: (one.objects, one.size_bytes) for one in classes} == wanted == recounted(db)
        db.close()
    stored(Transaction(schema.opened(path)), 9, "new", "ICE", 3)


def test_what_is_asked_of_a_class_is_kept_until_its_bucket_goes(tmp_path: Path) -> None:
    """Counters only grow, or the bill would count from nothing; a bucket that is made anew has none."""
    transaction = begun(tmp_path / "index.db")
    bucket = bucket_named(transaction, "lake")
    for _ in range(2):
        add(transaction, [(bucket.id, bucket.created_ms, "COLD", Use(1, 2, 3, 4)), (bucket.id, 99, "ICE", Use(5))])
    ((_, (cold,)),) = in_classes(transaction).values()
    assert (cold.name, cold.writes, cold.reads, cold.read_bytes) == ("COLD", 2, 4, 14)

    bucket_writes.ensure(transaction, "lake", "me", 2, None, 0, tiers={})
    assert in_classes(transaction)[bucket.id][1] == [cold]
    bucket_writes.remove_empty(transaction, "lake")
    assert in_classes(transaction) == {}


def test_what_was_asked_of_a_bucket_is_kept_when_it_goes(tmp_path: Path) -> None:
    """With what its processes had still to add; that of one which took its place, by id even, is another's."""
    transaction = begun(tmp_path / "index.db")
    lake = bucket_named(transaction, "lake")
    add(transaction, [(lake.id, lake.created_ms, "", Use(5, 1)), (lake.id, lake.created_ms, "COLD", Use(0, 2, 3, 0))])
    bucket_writes.remove_empty(transaction, "lake")
    bucket_writes.create(transaction, "sea", "you", 7)
    sea = bucket_named(transaction, "sea")
    late = [("", Use(1, 0, 0, 9)), ("COLD", Use(0, 1, 0, 4)), ("ICE", Use(2))]
    add(transaction, [*((lake.id, lake.created_ms, name, use) for name, use in late), (sea.id, 7, "", Use(8))])

    gone = gone_of(transaction, "me")
    assert gone is not None
    assert (gone.created_ms, gone.use) == (lake.created_ms, Use(6, 1, 0, 9))
    assert [(one.name, one.writes, one.reads, one.read_bytes) for one in gone.classes] == [
        ("COLD", 0, 3, 7), ("ICE", 2, 0, 0),
    ]  # fmt: skip
    assert gone_of(transaction, "you") is None
    assert sea.id == lake.id, "else nothing was shown"
    bucket_writes.create(transaction, "lake", "me", 9)
    assert gone_of(transaction, "me") is None


def test_what_is_on_its_way_to_a_tier_that_goes_is_refused(tmp_path: Path) -> None:
    """A request is let in, its bytes take a minute, and meanwhile its still empty tier goes: nothing may be of a class
    that its bucket does not have, or it would be billed as what it is not. What the plane has a tier for stays."""
    transaction = begun(tmp_path / "index.db")
    found = frozenset(own_tiers.urls_in(bucket_named(transaction, "lake").settings))
    new = NewObject("k", 3, "e", 1, "v1", Meta(storage_class="COLD"), (NewBlob(1, 3, b"abc"),))
    upload = Upload("u", 1, "k", 0, "me", new.meta)
    bucket_writes.ensure(transaction, "lake", "me", 2, None, 0, tiers={"ICE": URLS["ICE"]})

    with pytest.raises(S3Error, match="went from this bucket"):
        put(transaction, "lake", new, WriteCondition(), found)
    with pytest.raises(S3Error, match="went from this bucket"):
        begin_upload(transaction, "lake", upload, found)
    assert in_classes(transaction) == {}
    assert transaction.one("SELECT count(*) FROM uploads") == (0,)

    begin_upload(transaction, "lake", replace(upload, meta=Meta(storage_class="ICE")), found)
    with pytest.raises(S3Error, match="its tier ICE cannot go"):
        bucket_writes.ensure(transaction, "lake", "me", 3, None, 0, tiers={})
    put(transaction, "lake", new, WriteCondition(), found - {"COLD"})
    ((_, (cold,)),) = in_classes(transaction).values()
    assert (cold.name, cold.objects) == ("COLD", 1)
