"""What do buckets hold and send in a rehearsal? What arrivals write, read and delete, told to the simulated engine.

Contents are counted, not kept: so many objects of so many bytes. A lifecycle rule for the whole bucket deletes what is
old enough, or moves it to its tier; of one for a prefix nobody knows here what it is about. What is read is taken to be
STANDARD.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from weyr.core.ref import Ref, ThingId
from weyr.sim.rehearsal.arrivals import Moved
from weyr.sim.rehearsal.cooling import Cooling, stages_of
from weyr.sim.services import SimBuckets
from weyr.stack.stack import Stack

SAVE_WRITES = 4
"""What one checkpoint asks of its bucket, as `weyr.runtime.checkpoint_store` does it where the checkpoint is one file:
a list of those there are, the file, its manifest, and a list of the one that goes for it. To delete is free."""
RESTORE_WRITES, RESTORE_READS = 1, 2
"""A list of those there are; then its manifest and its file."""


@dataclass(slots=True)
class _Contents:
    """One bucket: what comes by verb, where in it the time is, what there is, and what was told to the engine."""

    moves: Mapping[str, Sequence[Moved]]
    expire_s: float | None
    cooling: Cooling
    places: dict[str, int] = field(default_factory=dict)
    at_s: float = 0.0
    size_bytes: float = 0.0
    objects: float = 0.0
    writes: float = 0.0
    reads: float = 0.0
    near_bytes: float = 0.0
    far_bytes: float = 0.0
    kept: deque[tuple[float, float, float]] = field(default_factory=deque)
    """What a rule will delete: when it came, how many, and their bytes."""

    def advance(self, to_s: float) -> None:
        for verb in self.moves:
            count, size_bytes = self._came(verb, to_s)
            match verb:
                case "write":
                    self.writes += count
                    self.size_bytes, self.objects = self.size_bytes + size_bytes, self.objects + count
                    self.cooling.came(to_s, count, size_bytes)
                    if self.expire_s is not None and count:
                        self.kept.append((to_s, count, size_bytes))
                case "delete":
                    self._delete(count, size_bytes)
                case "read":
                    self.reads, self.near_bytes = self.reads + count, self.near_bytes + size_bytes
                case "egress":
                    self.reads, self.far_bytes = self.reads + count, self.far_bytes + size_bytes
        self.cooling.advance(to_s)
        while self.expire_s is not None and self.kept and self.kept[0][0] + self.expire_s <= to_s:
            _, count, size_bytes = self.kept.popleft()
            self._delete(count, size_bytes)
            self.cooling.gone(size_bytes)
        self.at_s = to_s

    def _delete(self, count: float, size_bytes: float) -> None:
        self.size_bytes, self.objects = max(0.0, self.size_bytes - size_bytes), max(0.0, self.objects - count)

    def _came(self, verb: str, to_s: float) -> tuple[float, float]:
        """How many of one verb since the last time, and their bytes."""
        moves, place, count, size_bytes = self.moves[verb], self.places.get(verb, 0), 0.0, 0.0
        while place < len(moves) and moves[place].at_s < to_s:
            move = moves[place]
            end_s = move.at_s + move.over_s
            share = 1.0
            if move.over_s:
                share = max(0.0, min(to_s, end_s) - max(self.at_s, move.at_s)) / move.over_s
            count, size_bytes = count + share * move.count, size_bytes + share * move.count * move.size_bytes
            if end_s > to_s:
                break
            place += 1
        self.places[verb] = place
        return count, size_bytes


class Storage:
    """The buckets of a stack that are asked for something. `moves` are by bucket (`bucket/lake`) and verb."""

    def __init__(self, stack: Stack, moves: Mapping[str, Mapping[str, Sequence[Moved]]], buckets: SimBuckets) -> None:
        self._buckets = buckets
        self._contents: dict[Ref, _Contents] = {}
        for name, verbs in sorted(moves.items()):
            ref, expire_s = Ref(stack.name, "bucket", name.partition("/")[2]), _expire_s(stack, name)
            self._contents[ref] = _Contents(verbs, expire_s, Cooling(stages_of(stack, ref, expire_s)))
        self._moved: dict[Ref, dict[str, int]] = {}
        self._told: dict[Ref, tuple[int, int, int, int]] = {}

    def advance(self, to_s: float) -> list[Ref]:
        """Lets the time until `to_s` (seconds from the beginning) pass; gives the buckets that are there by now."""
        there = []
        for ref, contents in self._contents.items():
            contents.advance(to_s)
            name = self._buckets.name_of(ThingId(ref))
            if name is None:
                continue
            there.append(ref)
            told = (int(contents.writes), int(contents.reads), int(contents.near_bytes), int(contents.far_bytes))
            before = self._told.get(ref, (0, 0, 0, 0))
            self._buckets.ask(name, *(new - old for new, old in zip(told, before, strict=True)))
            self._buckets.fill(name, round(contents.size_bytes), round(contents.objects))
            self._tell_classes(ref, name, contents)
            self._told[ref] = told
        return there

    def _tell_classes(self, ref: Ref, name: str, contents: _Contents) -> None:
        moved = {one: int(count) for one, count in contents.cooling.moved.items()}
        before = self._moved.get(ref, {})
        for storage_class, size_bytes in contents.cooling.within(round(contents.size_bytes)).items():
            moves = moved[storage_class] - before.get(storage_class, 0)
            self._buckets.classify(name, storage_class, size_bytes, moves=moves)
        self._moved[ref] = moved

    def resumed(self, bucket: Ref, is_first: bool) -> None:
        """A task of an attempt goes on from a checkpoint in a bucket: it is read, and by the first task of them one was
        written that would not have been. Of a bucket that arrivals do not tell of nothing is counted."""
        if bucket in self._contents:
            of = self._contents[bucket]
            of.writes += RESTORE_WRITES + SAVE_WRITES * is_first
            of.reads += RESTORE_READS

    def outcome(self) -> dict[str, dict[str, int]]:
        """Of each bucket what was asked of it, what left for elsewhere, and what it holds at the end, also by class."""
        return {
            str(ref): {
                "writes": round(of.writes), "reads": round(of.reads), "egress_bytes": round(of.far_bytes),
                "stored_bytes": round(of.size_bytes),
                **{f"{name.lower()}_bytes": size for name, size in of.cooling.within(round(of.size_bytes)).items()},
            }
            for ref, of in self._contents.items()
        }  # fmt: skip


def _expire_s(stack: Stack, name: str) -> float | None:
    """After how long whatever is in it is deleted; None: never."""
    spec: Any = stack.objects[Ref(stack.name, "bucket", name.partition("/")[2])].spec
    ages = [rule.expire_after for rule in spec.lifecycle if not rule.prefix and not rule.tags and rule.expire_after]
    return min(ages, default=None)
