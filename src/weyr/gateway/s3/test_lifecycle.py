"""The sweeper over a real index, with a clock of the test's own."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

import pytest

from weyr.gateway.s3 import bucket_writes, lifecycle
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.lifecycle import Sweeper
from weyr.gateway.s3.records import Meta, Versioning
from weyr.gateway.s3.writes import NewBlob, NewObject, WriteCondition, delete, put

DAY_MS = 1000
"""A day lasts a second here."""
EXPIRE = "<Expiration><Days>2</Days></Expiration>"
NONCURRENT = "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>{}</NoncurrentVersionExpiration>"


class World:
    """One bucket, and a clock that stands until it is set."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = 1_000_000
        self.blobs = BlobStore(folder)
        self.index = Index(folder, self.blobs, asyncio.get_running_loop())
        self.index.start()
        self.sweeper = Sweeper(self.index, lambda: self.now_ms / 1000, DAY_MS / 1000)
        self._versions = 0

    async def make(self, rules: str, versioning: Versioning = Versioning.OFF) -> None:
        await self.index.write(partial(bucket_writes.create, name="lake", owner="me", now_ms=0))
        await self.index.write(partial(bucket_writes.set_versioning, name="lake", versioning=versioning))
        await self.rule(rules)

    async def rule(self, rules: str) -> None:
        text = f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>"
        await self.index.write(partial(bucket_writes.set_setting, name="lake", setting="lifecycle", text=text))
        assert await self.sweeper.turn() == (0, False)

    async def put(self, key: str, meta: Meta | None = None) -> None:
        self._versions += 1
        blob = NewBlob(self.blobs.new_id(), 1, b"x")
        new = NewObject(key, 1, "e", self.now_ms, f"v{self._versions}", meta or Meta(), (blob,))
        await self.index.write(partial(put, bucket_name="lake", new=new, condition=WriteCondition()))

    async def delete(self, key: str) -> None:
        self._versions += 1
        marker = NewObject(key, 0, "", self.now_ms, f"v{self._versions}", Meta())
        await self.index.write(
            partial(delete, bucket_name="lake", key=key, version="", marker=marker, condition=WriteCondition())
        )

    async def at(self, day: float) -> int:
        """A turn when `day` days have passed since the beginning. Gives how much went."""
        self.now_ms = 1_000_000 + int(day * DAY_MS)
        removed, _ = await self.sweeper.turn()
        return removed

    def keys(self, table: str = "objects") -> list[str]:
        return [row[0] for row in self.index.all(f"SELECT key FROM {table} ORDER BY key, sequence")]


def rule(action: str, filters: str = "<Filter/>") -> str:
    return f"<Rule><ID>r</ID><Status>Enabled</Status>{filters}{action}</Rule>"


def played(folder: Path, play: Callable[[World], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        world = World(folder)
        try:
            await play(world)
        finally:
            world.index.close()

    asyncio.run(run())


def test_what_is_due_goes_when_it_is_due(tmp_path: Path) -> None:
    """Neither a moment earlier, nor only at the next whole pass."""

    async def play(world: World) -> None:
        await world.make(rule(EXPIRE, "<Filter><Prefix>a/</Prefix></Filter>"))
        await world.put("a/1")
        await world.put("b/1")
        assert await world.at(1.5) == 0
        await world.put("a/2")
        assert [await world.at(day) for day in (1.99, 2.0, 3.4, 3.5, 9)] == [0, 1, 0, 1, 0]
        assert world.keys() == ["b/1"]

    played(tmp_path, play)


def test_what_was_put_anew_or_tagged_otherwise_stays(tmp_path: Path) -> None:
    async def play(world: World) -> None:
        tagged = "<Filter><Tag><Key>keep</Key><Value>no</Value></Tag></Filter>"
        await world.make(rule(EXPIRE, tagged))
        await world.put("a", Meta(tags={"keep": "no"}))
        await world.put("b", Meta(tags={"keep": "yes"}))
        await world.put("c", Meta(tags={"keep": "no"}))
        world.now_ms += DAY_MS
        await world.put("c", Meta(tags={"keep": "no"}))
        await world.at(2.5)
        assert world.keys() == ["b", "c"]

    played(tmp_path, play)


def test_a_rule_begins_a_turn_after_it_was_put(tmp_path: Path) -> None:
    """Also one that is due at once, so that a wrong one can be taken back."""

    async def play(world: World) -> None:
        await world.make(rule("<Expiration><Date>1970-01-01T00:00:00Z</Date></Expiration>"))
        await world.put("k")
        await world.rule(rule("<Expiration><Date>1970-01-01T00:00:00Z</Date></Expiration>", "<Prefix>k</Prefix>"))
        assert world.keys() == ["k"]
        assert await world.at(0) == 1

    played(tmp_path, play)


def test_versions_go_a_while_after_they_were_replaced(tmp_path: Path) -> None:
    """It counts when another took their place, not when they were written; and the newest of them stay."""

    async def play(world: World) -> None:
        keep = NONCURRENT.format("<NewerNoncurrentVersions>1</NewerNoncurrentVersions>")
        await world.make(rule(keep), Versioning.ENABLED)
        for day in (0, 1, 2, 2.5):
            world.now_ms = 1_000_000 + int(day * DAY_MS)
            await world.put("k")
        assert world.keys("history") == ["k"] * 3
        # They were replaced on days 1, 2 and 2.5. The newest of them stays however old it gets.
        assert [await world.at(day) for day in (2.9, 3, 4, 40)] == [0, 1, 1, 0]
        assert (world.keys(), world.keys("history")) == (["k"], ["k"])

    played(tmp_path, play)


def test_a_marker_goes_when_nothing_is_behind_it(tmp_path: Path) -> None:
    async def play(world: World) -> None:
        alone = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
        await world.make(rule(alone + NONCURRENT.format("")), Versioning.ENABLED)
        await world.put("k")
        await world.delete("k")
        assert await world.at(1) == 0
        assert world.keys("history") == ["k"]
        await world.at(2)
        await world.at(3.1)
        assert world.keys() == world.keys("history") == []

    played(tmp_path, play)


def test_what_is_locked_outlives_every_rule(tmp_path: Path) -> None:
    """And goes once the lock has ended, without anybody asking again."""

    async def play(world: World) -> None:
        await world.make(rule(NONCURRENT.format("")), Versioning.ENABLED)
        await world.put("k", Meta(lock_mode="GOVERNANCE", lock_until_ms=world.now_ms + 5 * DAY_MS))
        await world.put("k", Meta(hold="ON"))
        await world.put("k")
        assert [await world.at(day) for day in (3, 4.9, 6)] == [0, 0, 1]
        assert world.keys("history") == ["k"]

    played(tmp_path, play)


def test_a_turn_is_bounded_and_nothing_is_looked_at_twice(tmp_path: Path) -> None:
    """A million keys that stay must not be looked at anew every ten seconds."""

    async def play(world: World) -> None:
        sweeper = Sweeper(world.index, lambda: world.now_ms / 1000, DAY_MS / 1000, group=4, groups_max=3)
        await world.make(rule(EXPIRE, "<Filter><Prefix>z</Prefix></Filter>"))
        for number in range(30):
            await world.put(f"k{number}")
        await world.put("z")
        await sweeper.turn()
        world.now_ms += 2 * DAY_MS
        assert [await sweeper.turn() for _ in range(3)] == [(0, True), (0, True), (1, False)]
        assert sweeper.looked_at == 31
        assert await sweeper.turn() == (0, False)
        assert sweeper.looked_at == 31
        world.now_ms += DAY_MS
        await sweeper.turn()
        assert sweeper.looked_at > 31  # the next day begins anew

    played(tmp_path, play)


@pytest.mark.parametrize("table", sorted(lifecycle._SCANS))
def test_every_scan_goes_along_an_index(tmp_path: Path, table: str) -> None:
    """In order, so that SQLite neither sorts nor reads what it does not give."""

    async def play(world: World) -> None:
        sql = f"EXPLAIN QUERY PLAN {lifecycle._SCANS[table]}"
        (step,) = (row[3] for row in world.index.all(sql, 1, 0, "", 10, 10))
        assert "SEARCH" in step
        assert "INDEX" in step

    played(tmp_path, play)
