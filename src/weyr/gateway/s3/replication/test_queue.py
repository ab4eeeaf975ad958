"""What is in line for a replica: each change once, the newest state, and nothing that came from a replica itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Transaction
from weyr.gateway.s3.records import Meta, Versioning, bucket_named, current
from weyr.gateway.s3.replication import queue
from weyr.gateway.s3.replication.rules import simple_document
from weyr.gateway.s3.schema import opened
from weyr.gateway.s3.writes import NewObject, WriteCondition, delete, put, set_tags

NOW = 1_000_000


@pytest.fixture
def transaction(tmp_path: Path) -> Iterator[Transaction]:
    """An index with the bucket `lake`, which is replicated to `back`."""
    transaction = Transaction(opened(tmp_path / "index.db"))
    bucket_writes.create(transaction, "lake", "ann", NOW)
    replicate(transaction, "lake")
    yield transaction
    transaction.db.close()


def replicate(transaction: Transaction, name: str, prefix: str = "", single: frozenset[str] = frozenset()) -> None:
    document = simple_document("back", prefix, sends_deletes=True).decode()
    bucket_writes.set_replication(transaction, name, document, NOW, single)


def put_at(transaction: Transaction, key: str, at_ms: int, meta: Meta | None = None, etag: str = "e") -> None:
    new = NewObject(key, 10, etag, at_ms, "v", meta or Meta())
    put(transaction, "lake", new, WriteCondition())


def delete_at(transaction: Transaction, key: str, at_ms: int, origin: str = "") -> None:
    marker = NewObject(key, 0, "", at_ms, "m", Meta(replica=origin))
    delete(transaction, "lake", key, "", marker, WriteCondition())


def line(transaction: Transaction) -> list[queue.Waiting]:
    return queue.due(transaction, "back", NOW * 10, 100)


def lag(transaction: Transaction, now_ms: int = NOW) -> queue.Lag:
    while queue.scan_some(transaction, bucket_named(transaction, "lake"), "back", NOW):
        pass
    (found,) = queue.lags(transaction, now_ms, "lake")
    return found


def test_changes_of_a_key_are_one_row_and_the_lag_is_that_of_the_oldest(transaction: Transaction) -> None:
    for at_ms in (NOW, NOW + 5, NOW + 9):
        put_at(transaction, "a", at_ms)
    put_at(transaction, "b", NOW + 20)
    delete_at(transaction, "b", NOW + 21)
    assert [(row.key, row.number, row.newest_ms) for row in line(transaction)] == [
        ("a", 3, NOW + 9),
        ("b", 2, NOW + 21),
    ]
    found = lag(transaction, NOW + 1000)
    assert (found.waiting, found.waiting_bytes, found.lag_s) == (2, 10, 1.0)


def test_what_changed_while_it_was_sent_stays_in_line(transaction: Transaction) -> None:
    """The row that was read is not the row that is there, so its end is not that one's."""
    put_at(transaction, "a", NOW)
    (sent,) = line(transaction)
    put_at(transaction, "a", NOW + 500)
    queue.done(transaction, sent, 10, NOW + 600)
    (again,) = line(transaction)
    assert lag(transaction, NOW + 700).lag_s == 0.2
    queue.done(transaction, again, 10, NOW + 700)
    assert line(transaction) == []
    assert (lag(transaction).waiting, lag(transaction).waiting_bytes, lag(transaction).sent) == (0, 0, 2)


def test_a_refused_key_waits_alone_until_it_changes(transaction: Transaction) -> None:
    put_at(transaction, "a", NOW)
    (row,) = line(transaction)
    queue.failed(transaction, row, "no", NOW * 100)
    assert line(transaction) == []
    assert (lag(transaction).failing, lag(transaction).last_error) == (1, "no")
    bucket, stored = bucket_named(transaction, "lake"), current(transaction, 1, "a")
    assert stored is not None
    assert queue.state_of(transaction, bucket, "a", stored.meta, stored.modified_ms) == "FAILED"
    put_at(transaction, "a", NOW + 1)
    assert [row.key for row in line(transaction)] == ["a"]
    assert lag(transaction).failing == 0


def test_what_a_replica_writes_is_not_sent_back(transaction: Transaction) -> None:
    put_at(transaction, "a", NOW, Meta(replica="weyr-other"))
    delete_at(transaction, "a", NOW + 1, "weyr-other")
    assert line(transaction) == []


def test_the_newer_state_stays(transaction: Transaction) -> None:
    """Of another plane's writes those count that are newer than what is here, also than what was deleted here."""
    put_at(transaction, "a", NOW)
    for at_ms, etag in ((NOW - 1, "z"), (NOW, "a")):
        with pytest.raises(S3Error, match="newer"):
            put_at(transaction, "a", at_ms, Meta(replica="weyr-other"), etag)
    put_at(transaction, "a", NOW, Meta(replica="weyr-other"), "f")
    delete_at(transaction, "a", NOW + 10)
    with pytest.raises(S3Error, match="newer"):
        put_at(transaction, "a", NOW + 5, Meta(replica="weyr-other"))
    put_at(transaction, "a", NOW + 11, Meta(replica="weyr-other"))


def test_a_write_comes_after_what_it_replaces_though_the_clock_was_set_back(transaction: Transaction) -> None:
    put_at(transaction, "a", NOW)
    put_at(transaction, "a", NOW - 5000)
    there = current(transaction, 1, "a")
    assert there is not None
    assert there.modified_ms == NOW + 1
    delete_at(transaction, "a", NOW - 5000)
    put_at(transaction, "a", NOW - 5000)
    there = current(transaction, 1, "a")
    assert there is not None
    assert there.modified_ms == NOW + 3


def test_new_tags_are_sent_without_the_bytes_unless_these_wait_too(transaction: Transaction) -> None:
    put_at(transaction, "a", NOW)
    set_tags(transaction, 1, "a", "null", {"k": "v"}, NOW + 1)
    (row,) = line(transaction)
    assert row.what == queue.WHOLE
    queue.done(transaction, row, 10, NOW)
    set_tags(transaction, 1, "a", "null", {"k": "w"}, NOW + 2)
    assert [row.what for row in line(transaction)] == [queue.TAGS]


def test_a_version_that_comes_back_is_newer_than_what_hid_it(transaction: Transaction) -> None:
    bucket_writes.set_versioning(transaction, "lake", Versioning.ENABLED)
    put_at(transaction, "a", NOW)
    delete_at(transaction, "a", NOW + 1)
    marker = WriteCondition()
    delete(transaction, "lake", "a", "m", NewObject("a", 0, "", NOW + 2, "x", Meta()), marker)
    (row,) = line(transaction)
    assert row.newest_ms == NOW + 2


def test_what_was_there_is_looked_through_once_and_goes_on_where_it_was(transaction: Transaction) -> None:
    bucket_writes.create(transaction, "old", "ann", NOW)
    for number in range(5):
        put(transaction, "old", NewObject(f"k{number}", 1, "e", NOW, "v", Meta()), WriteCondition())
    replicate(transaction, "old", "k")
    bucket = bucket_named(transaction, "old")
    assert queue.scanning(transaction, "back", 10) == [1, bucket.id]
    assert queue.scan_some(transaction, bucket, "back", NOW, limit=2) == 2
    states = [queue.state_of(transaction, bucket, f"k{n}", Meta(), NOW - 1) for n in range(5)]
    assert states == ["PENDING"] * 5
    assert [queue.scan_some(transaction, bucket, "back", NOW, limit=2) for _ in range(3)] == [2, 1, 0]
    assert [row.key for row in line(transaction)] == [f"k{n}" for n in range(5)]
    for row in line(transaction):
        queue.done(transaction, row, None, NOW)
    assert queue.state_of(transaction, bucket, "k0", Meta(), NOW - 1) == "COMPLETED"


def test_a_target_that_is_one_bucket_takes_one_bucket(transaction: Transaction) -> None:
    bucket_writes.create(transaction, "second", "ann", NOW)
    with pytest.raises(S3Error, match="another bucket goes there"):
        replicate(transaction, "second", single=frozenset({"back"}))
    replicate(transaction, "lake", single=frozenset({"back"}))


def test_a_bucket_that_ends_takes_its_line_along(transaction: Transaction) -> None:
    put_at(transaction, "a", NOW)
    delete_at(transaction, "a", NOW + 1)
    bucket_writes.remove_empty(transaction, "lake")
    assert transaction.all("SELECT * FROM replications") + transaction.all("SELECT * FROM replicas") == []
