"""How long do requests and events take that replicas work on? What the planes' counts say, kept for rehearsals.

Of every object that has a route or a function, whether it scales or not: what is worked on counts by classes
(`weyr.core.work_times`), the latest thousands most, and outlasts the server.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from weyr.core.decision import Thing
from weyr.core.ref import Ref
from weyr.core.seen import FunctionFacts, Present, RouteFacts
from weyr.core.units import HOUR_S
from weyr.core.work_times import counted

PREFIX = "work "
"""What this is stored under, before the object's name: the names of others have no blank."""
KEPT = 5_000.0
"""Above so many all count half: what a release last month took is outweighed within a day of some use."""
SAVE_S = 60.0
FIRST_SAVE_S = 10.0
FIRST_SAVES = 12
"""The first times it is stored more often: who has just brought something up wants to know what it takes."""
AGAIN_S = 6 * HOUR_S
"""What nobody stores for a day is forgotten by the store, and a weekend without requests is no reason for that."""

Told = tuple[float, tuple[int, ...]]
"""How long in all, and how many by class: since the plane's start."""
NOTHING: Told = (0.0, ())


@dataclass(slots=True)
class Work:
    """Of one object. `told` is what each of its versions counted at the last look. `is_known` before it was heard of:
    what the planes counted by then is in it."""

    count: float = 0.0
    sum_s: float = 0.0
    classes: dict[int, float] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    saved_at: float = 0.0
    is_known: bool = False
    is_news: bool = False

    def hear(self, version: str, now: Told) -> None:
        """Takes what is counted now; where that is less than before, the plane began anew."""
        before = self.told.get(version, now if self.is_known else NOTHING)
        self.told[version] = now
        if before == now:
            return
        if sum(before[1][1::2]) > sum(now[1][1::2]):
            before = NOTHING
        known, self.is_news = counted(before[1]), True
        for place, count in counted(now[1]).items():
            if more := count - known.get(place, 0):
                self.classes[place] = self.classes.get(place, 0.0) + more
                self.count += more
        self.sum_s += now[0] - before[0]
        while self.count > KEPT:
            self.count, self.sum_s = self.count / 2, self.sum_s / 2
            self.classes = {place: count / 2 for place, count in self.classes.items()}

    def text(self) -> str:
        classes = {str(place): round(count, 3) for place, count in sorted(self.classes.items()) if count > 0.01}
        return json.dumps({"count": round(self.count, 3), "sum_s": round(self.sum_s, 6), "classes": classes})


@dataclass(slots=True)
class WorkLearnt:
    """Of all objects whose planes count it."""

    _known: dict[Ref, Work] = field(default_factory=dict)
    _save_at: float = 0.0
    _saves: int = 0

    def hear(self, ref: Ref, things: Mapping[str, Thing], stored: Mapping[str, str]) -> None:
        """Takes what the things of an object count, as seen now. `stored` is what an earlier process had learnt, as
        JSON by `PREFIX` and name."""
        for thing in things.values():
            facts = thing.seen.facts if isinstance(thing.seen, Present) else None
            if isinstance(facts, RouteFacts):
                for version in facts.versions:
                    if version.work_classes:
                        self._of(ref, stored).hear(version.name, (version.worked_s, version.work_classes))
            elif isinstance(facts, FunctionFacts) and facts.work_classes:
                self._of(ref, stored).hear("", (facts.worked_s, facts.work_classes))

    def forget(self, ref: Ref) -> None:
        self._known.pop(ref, None)

    def unsaved(self, now: float) -> Iterator[tuple[str, str]]:
        """What is news since it was stored last, once a minute."""
        if self._save_at == 0.0 or self._save_at - now > SAVE_S:
            self._save_at = now + FIRST_SAVE_S
        if not self._known or now < self._save_at:
            return
        self._saves += 1
        self._save_at = now + (FIRST_SAVE_S if self._saves < FIRST_SAVES else SAVE_S)
        for ref, work in self._known.items():
            if work.count and (work.is_news or now - work.saved_at > AGAIN_S):
                work.is_news, work.saved_at = False, now
                yield f"{PREFIX}{ref.absolute}", work.text()

    def _of(self, ref: Ref, stored: Mapping[str, str]) -> Work:
        if ref not in self._known:
            self._known[ref] = read(stored.get(f"{PREFIX}{ref.absolute}", "")) or Work()
        return self._known[ref]


def read(text: str) -> Work | None:
    """What was stored; None where that is nothing, or cannot be read."""
    try:
        plain = json.loads(text)
        classes = {int(place): float(count) for place, count in plain["classes"].items()}
        return Work(float(plain["count"]), float(plain["sum_s"]), classes, is_known=True)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
