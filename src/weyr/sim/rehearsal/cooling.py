"""Which class are a bucket's bytes of in a rehearsal? What came goes on to a colder class once it is old enough."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from weyr.core.ref import Ref
from weyr.stack.stack import Stack

MOVED_MIN_BYTES = 128 * 1024
"""What is smaller on average is not moved, as S3 and its like have it."""
Came = tuple[float, float, float]
"""When something came, how many objects, and their bytes."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A rule for the whole bucket: after so long its objects are of this class."""

    after_s: float
    storage_class: str


@dataclass(slots=True)
class Cooling:
    """What of one bucket is of each class, and how many objects were moved there. The rest of it is STANDARD."""

    stages: Sequence[Stage]
    sizes: dict[str, float] = field(default_factory=dict)
    moved: dict[str, float] = field(default_factory=dict)
    _waiting: list[deque[Came]] = field(default_factory=list)
    """By stage: what is to reach it, in the order in which it came."""

    def __post_init__(self) -> None:
        self._waiting = [deque() for _ in self.stages]
        for stage in self.stages:
            self.sizes[stage.storage_class] = self.moved[stage.storage_class] = 0.0

    def came(self, at_s: float, count: float, size_bytes: float) -> None:
        if self.stages and count and size_bytes / count >= MOVED_MIN_BYTES:
            self._waiting[0].append((at_s, count, size_bytes))

    def advance(self, to_s: float) -> None:
        """Moves what is old enough by now."""
        for number, stage in enumerate(self.stages):
            waiting = self._waiting[number]
            while waiting and waiting[0][0] + stage.after_s <= to_s:
                at_s, count, size_bytes = waiting.popleft()
                if number:
                    self.sizes[self.stages[number - 1].storage_class] -= size_bytes
                self.sizes[stage.storage_class] += size_bytes
                self.moved[stage.storage_class] += count
                if number + 1 < len(self.stages):
                    self._waiting[number + 1].append((at_s, count, size_bytes))

    def gone(self, size_bytes: float) -> None:
        """So much was deleted because of its age: it is of the last class that anything reaches."""
        if self.stages and self.sizes[last := self.stages[-1].storage_class]:
            self.sizes[last] = max(0.0, self.sizes[last] - size_bytes)

    def within(self, size_bytes: float) -> dict[str, int]:
        """The bytes of each class, together no more than the bucket holds: what is deleted is taken to be young."""
        left, found = size_bytes, {}
        for stage in reversed(self.stages):
            taken = min(left, self.sizes[stage.storage_class])
            found[stage.storage_class], left = int(taken), left - taken
        return found


def stages_of(stack: Stack, ref: Ref, expire_s: float | None) -> tuple[Stage, ...]:
    """The moves of rules for the whole bucket, in the order in which an object meets them, those before its end."""
    spec: Any = stack.objects[ref].spec
    rules = [rule for rule in spec.lifecycle if rule.move_after is not None and not rule.prefix and not rule.tags]
    stages = sorted((rule.move_after, rule.to.upper()) for rule in rules)
    return tuple(Stage(after_s, name) for after_s, name in stages if expire_s is None or after_s < expire_s)
