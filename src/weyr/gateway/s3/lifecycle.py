"""Which objects are past their time? The sweeper that removes them, a bounded piece of each rule in a turn.

For each rule it remembers up to which age it has looked, and goes on from there along an index by age: what is not
due yet is not looked at, and what was looked at and stays is not looked at again until the next whole pass, once a
day (of the rules). A restart, or another document, begins a pass.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from weyr.gateway.s3 import ended
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.lifecycle_rules import LifecycleRule, rules_of
from weyr.gateway.s3.records import Bucket, Meta, buckets

log = logging.getLogger("weyr.s3")

GROUP = 500
GROUPS_MAX = 20
"""A turn looks at 10,000 keys of each rule."""
AGAIN_S = 0.05

Removal = Callable[..., int]
"""Takes the writer's transaction and `keys`, those that are due."""

_SCANS = {
    "objects": "SELECT modified_ms, key, key FROM objects WHERE bucket = ? AND (modified_ms, key) > (?, ?)"
    " AND modified_ms < ? ORDER BY modified_ms, key LIMIT ?",
    "history": "SELECT ended_ms, key, key FROM history WHERE bucket = ? AND (ended_ms, key) > (?, ?)"
    " AND ended_ms < ? ORDER BY ended_ms, key LIMIT ?",
    "uploads": "SELECT created_ms, id, key FROM uploads WHERE bucket = ? AND (created_ms, id) > (?, ?)"
    " AND created_ms < ? ORDER BY created_ms, id LIMIT ?",
    "markers": "SELECT 0, key, key FROM objects INDEXED BY markers WHERE bucket = ? AND is_marker = 1 AND ? < 1"
    " AND key > ? AND ? > 0 ORDER BY key LIMIT ?",
}
"""Each along an index of its own: what lies behind the place where the last look ended, and is old enough."""


_Name = tuple[int, LifecycleRule, str, str]


@dataclass(frozen=True, slots=True)
class _Task:
    """One thing that one rule does: what is looked at, up to which moment, and how what is due is removed."""

    bucket: int
    rule: LifecycleRule
    table: str
    cutoff_ms: int
    remove: Removal
    tier: str = ""
    """Where what is due goes, "" where it ends."""

    @property
    def name(self) -> "_Name":
        return self.bucket, self.rule, self.table, self.tier


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a task has looked, and when the pass began."""

    began_ms: int
    at_ms: int = -1
    key: str = ""


class Sweeper:
    """Sweeps every bucket. `clock` gives Unix seconds, `day_s` is how long a day of a rule lasts.

    In a turn it looks at `groups_max` times `group` keys of a rule.
    """

    def __init__(
        self,
        index: Index,
        clock: Callable[[], float],
        day_s: float,
        group: int = GROUP,
        groups_max: int = GROUPS_MAX,
    ) -> None:
        self.looked_at = 0
        self._group = group
        self._groups_max = groups_max
        self._index = index
        self._clock = clock
        self._day_s = day_s
        self._places: dict[_Name, _Place] = {}

    async def run(self, every_s: float) -> None:
        """Sweeps until it is cancelled. A turn that fails is logged and tried again."""
        has_more = False
        while True:
            await asyncio.sleep(AGAIN_S if has_more else every_s)
            try:
                _, has_more = await self.turn()
            except (OSError, sqlite3.Error, S3Error) as e:
                has_more = False
                log.error("s3.sweep_failed %s", e)

    async def turn(self) -> tuple[int, bool]:
        """A piece of each rule. Gives how much went, and whether some rule has more to look at right now."""
        now_ms = int(self._clock() * 1000)
        places, removed, has_more = {}, 0, False
        for bucket in buckets(self._index):
            for task in _tasks(bucket, now_ms, self._day_s):
                place = self._places.get(task.name)
                if place is None:
                    # Whoever put a rule can see what it will take, and take a wrong one back, before it begins.
                    places[task.name] = _Place(now_ms)
                    continue
                if now_ms - place.began_ms >= self._day_s * 1000:
                    place = _Place(now_ms)
                count, is_done, place = await self._advance(task, place)
                places[task.name] = place
                removed += count
                has_more |= not is_done
        self._places = places  # rules that are gone are forgotten
        return removed, has_more

    async def _advance(self, task: _Task, place: _Place) -> tuple[int, bool, _Place]:
        removed = 0
        for _ in range(self._groups_max):
            values = task.bucket, place.at_ms, place.key, task.cutoff_ms, self._group
            rows = await self._index.aside(partial(_rows, _SCANS[task.table], values))
            self.looked_at += len(rows)
            prefix = task.rule.filter.prefix
            chosen = list(dict.fromkeys(name for _, name, key in rows if key.startswith(prefix)))
            if chosen and task.table == "objects" and not task.rule.filter.is_of_keys:
                chosen = await self._index.aside(partial(_matching, task, chosen))
            if chosen:
                removed += await self._index.write(partial(task.remove, keys=chosen))
            if rows:
                place = replace(place, at_ms=rows[-1][0], key=rows[-1][1])
            if len(rows) < self._group:
                return removed, True, place
        return removed, False, place


def _rows(sql: str, values: tuple[int | str, ...], db: sqlite3.Connection) -> list[tuple[int, str, str]]:
    return db.execute(sql, values).fetchall()


def _matching(task: _Task, keys: list[str], db: sqlite3.Connection) -> list[str]:
    """Those of a group whose tags and sizes are the rule's, so that the writer is not asked about all others."""
    sql = "SELECT size, meta FROM objects WHERE bucket = ? AND key = ?"
    matching = []
    for key in keys:
        row = db.execute(sql, (task.bucket, key)).fetchone()
        if row is not None and task.rule.filter.tags and '"tags"' not in row[1]:
            continue  # to read the JSON of all that have none takes most of the time
        if row is not None and task.rule.filter.matches(key, row[0], Meta.of(row[1]).tags):
            matching.append(key)
    return matching


def _tasks(bucket: Bucket, now_ms: int, day_s: float) -> Iterator[_Task]:
    for rule in rules_of(bucket):
        due_ms = rule.expiry_cutoff_ms(now_ms, day_s)
        if due_ms is not None:
            remove = partial(ended.expire, bucket=bucket, rule=rule, before_ms=due_ms, now_ms=now_ms)
            yield _Task(bucket.id, rule, "objects", due_ms, remove)
        before_ms = rule.noncurrent_cutoff_ms(now_ms, day_s)
        if before_ms is not None:
            versions = partial(ended.drop_versions, bucket=bucket, rule=rule, before_ms=before_ms, now_ms=now_ms)
            yield _Task(bucket.id, rule, "history", before_ms, versions)
        before_ms = rule.abort_cutoff_ms(now_ms, day_s)
        if before_ms is not None:
            yield _Task(bucket.id, rule, "uploads", before_ms, partial(ended.abort, bucket=bucket))
        for move in rule.transitions:
            due_ms = move.cutoff_ms(now_ms, day_s)
            if due_ms is not None:
                mark = partial(ended.mark_current, bucket=bucket, rule=rule, tier=move.tier, before_ms=due_ms)
                yield _Task(bucket.id, rule, "objects", due_ms, mark, move.tier)
        for move in rule.noncurrent_transitions:
            before_ms = move.cutoff_ms(now_ms, day_s)
            assert before_ms is not None, "a version that was replaced moves after a time, and at no date"
            mark = partial(ended.mark_versions, bucket=bucket, rule=rule, move=move, before_ms=before_ms)
            yield _Task(bucket.id, rule, "history", before_ms, mark, move.tier)
        if rule.expires_markers:
            yield _Task(bucket.id, rule, "markers", now_ms + 1, partial(ended.drop_markers, bucket=bucket))
