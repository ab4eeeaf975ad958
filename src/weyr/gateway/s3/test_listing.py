"""A page costs what it returns: SQLite's steps are counted on buckets of two sizes, and must not grow with them."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from weyr.gateway.s3 import uploads
from weyr.gateway.s3.listing import page, version_page
from weyr.gateway.s3.records import Row
from weyr.gateway.s3.schema import opened

SMALL, LARGE = 2_000, 20_000
BUCKET = 1
STEPS_EACH = 20
"""The handler is called once per so many of SQLite's steps."""


class Counted:
    """The index as listings read it, with the steps that SQLite makes for them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.steps = 0
        db.set_progress_handler(self._step, STEPS_EACH)

    def _step(self) -> int:
        self.steps += STEPS_EACH
        return 0

    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        plan = [row[3] for row in self._db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert not [line for line in plan if line.startswith("SCAN") or "TEMP B-TREE" in line], plan
        yield from self._db.execute(sql, values)

    def one(self, sql: str, *values: object) -> Row | None:
        return next(self.rows(sql, *values), None)

    def all(self, sql: str, *values: object) -> list[Row]:
        return list(self.rows(sql, *values))


def filled(folder: Path, count: int) -> Counted:
    """Keys under one huge prefix, with two behind it; each key has two versions; as many open uploads."""
    folder.mkdir()
    db = opened(folder / "index.db")
    db.execute("BEGIN")
    db.execute("INSERT INTO buckets (name, created_ms, owner) VALUES ('lake', 0, 'ann')")
    keys = [f"huge/{number:06}" for number in range(count)] + ["later", "zoo/a"]
    row = "(bucket, key, sequence, version, is_marker, size, etag, modified_ms, segments, meta"
    db.executemany(
        f"INSERT INTO objects {row}) VALUES ({BUCKET}, ?, 2, ?, 0, 1, '', 0, '', '{{}}')", ((k, f"{k}-2") for k in keys)
    )
    db.executemany(
        f"INSERT INTO history {row}, ended_ms) VALUES ({BUCKET}, ?, 1, ?, 0, 1, '', 0, '', '{{}}', 0)",
        ((k, f"{k}-1") for k in keys),
    )
    db.executemany(
        f"INSERT INTO uploads (id, bucket, key, created_ms, owner, meta) VALUES (?, {BUCKET}, ?, 0, 'ann', '{{}}')",
        ((f"u{k}", k) for k in keys),
    )
    db.execute("COMMIT")
    return Counted(db)


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Counted]:
    folder = tmp_path_factory.mktemp("index")
    return {count: filled(folder / f"{count}", count) for count in (SMALL, LARGE)}


def _newest_of(number: int) -> tuple[str, str]:
    return f"huge/{number:06}", f"huge/{number:06}-2"


PAGES: dict[str, tuple[Callable[[Counted, int], int], int]] = {
    "the first keys": (lambda index, _: len(page(index, BUCKET, "", "", "", 100).items), 100),
    "keys from the middle": (lambda index, n: len(page(index, BUCKET, "", "", f"huge/{n // 2:06}", 100).items), 100),
    "keys with a prefix": (lambda index, _: len(page(index, BUCKET, "zoo/", "", "", 100).items), 1),
    "a common prefix over nearly all": (lambda index, _: len(page(index, BUCKET, "", "/", "", 100).items), 3),
    "behind that prefix": (lambda index, _: len(page(index, BUCKET, "", "/", "huge/", 100).items), 2),
    "a delimiter that is in no key": (lambda index, _: len(page(index, BUCKET, "huge/", "#", "", 100).items), 100),
    "the first versions": (lambda index, _: len(version_page(index, BUCKET, "", "", ("", ""), 100).items), 100),
    "versions behind one of a key": (
        lambda index, n: len(
            version_page(index, BUCKET, "", "", (f"huge/{n // 2:06}", f"huge/{n // 2:06}-2"), 9).items
        ),
        9,
    ),
    "versions under a common prefix": (
        lambda index, _: len(version_page(index, BUCKET, "", "/", ("", ""), 100).items),
        4,
    ),
    "the first uploads": (lambda index, _: len(uploads.page(index, BUCKET, "", "", ("", ""), 100).items), 100),
    "uploads with a prefix": (lambda index, _: len(uploads.page(index, BUCKET, "zoo/", "", ("", ""), 100).items), 1),
    "uploads under a common prefix": (lambda index, _: len(uploads.page(index, BUCKET, "", "/", ("", ""), 9).items), 3),
}


@pytest.mark.parametrize("what", PAGES)
def test_a_page_costs_the_same_in_a_bucket_ten_times_as_large(indexes: dict[int, Counted], what: str) -> None:
    """The plan uses an index and sorts nothing, and so many steps are made as rows are returned."""
    ask, returned = PAGES[what]
    steps = {}
    for count, index in indexes.items():
        index.steps = 0
        assert ask(index, count) == returned
        steps[count] = index.steps
    assert steps[LARGE] <= steps[SMALL] + 10 * STEPS_EACH
    assert steps[LARGE] < 100 * (returned + 10)
