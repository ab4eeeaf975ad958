"""Who stands in which relation to whom? Indices over objects, so that no question about one of them asks all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from weyr.core.ref import Ref
from weyr.store.kernel import ObjectRow

K = TypeVar("K")

_NONE: Mapping[Ref, None] = {}


@dataclass(slots=True)
class Relations:
    """Kept by `World`, which tells of every change. Sets are dictionaries without values: they keep their order."""

    objects: Mapping[Ref, ObjectRow]
    _dependents: dict[Ref, dict[Ref, None]] = field(default_factory=dict)
    _of_stack: dict[str, dict[Ref, None]] = field(default_factory=dict)
    _holding: dict[Ref, None] = field(default_factory=dict)
    _of_kind: dict[str, dict[Ref, None]] = field(default_factory=dict)
    _depths: dict[Ref, int] = field(default_factory=dict)
    """As far as they were asked for. What has a depth here, has it for everything that it needs too."""

    def dependents(self, ref: Ref) -> Iterable[Ref]:
        """The objects that refer to this one."""
        return self._dependents.get(ref, _NONE)

    def of_stack(self, stack: str) -> Iterable[Ref]:
        return self._of_stack.get(stack, _NONE)

    def of_kind(self, kind: str) -> Iterable[Ref]:
        return self._of_kind.get(kind, _NONE)

    def holding(self) -> Iterable[Ref]:
        """The objects that forbid others to spend."""
        return self._holding

    def depth(self, ref: Ref) -> int:
        """How many objects stand below this one, along the longest way; 0: there is no such object."""
        depths = self._depths
        if ref in depths:
            return depths[ref]
        entered = set()
        waiting = [ref] if ref in self.objects else []
        while waiting:
            top = waiting[-1]
            # One that was entered before is on a circle, which no plan allows; it counts nothing there.
            entered.add(top)
            missing = [
                need
                for need in self.objects[top].needs
                if need in self.objects and need not in depths and need not in entered
            ]
            if missing:
                waiting += missing
            else:
                depths[top] = 1 + max((depths.get(need, 0) for need in self.objects[top].needs), default=0)
                waiting.pop()
        return depths.get(ref, 0)

    def change(self, ref: Ref, before: ObjectRow | None, after: ObjectRow | None) -> None:
        """An object is new, is another now, or is gone (`after` None)."""
        if before is None or after is None:
            _set(self._of_stack, ref.stack, ref, is_in=after is not None)
            _set(self._of_kind, ref.kind, ref, is_in=after is not None)
        if after is not None and after.spec is not None and after.status.holds:
            self._holding[ref] = None
        else:
            self._holding.pop(ref, None)
        old, new = before.needs if before else (), after.needs if after else ()
        if old != new:
            for need in (need for need in old if need not in new):
                _set(self._dependents, need, ref, is_in=False)
            for need in (need for need in new if need != ref):
                _set(self._dependents, need, ref, is_in=True)
        if old != new or before is None or after is None:
            self._forget_depth(ref)

    def _forget_depth(self, ref: Ref) -> None:
        self._depths.pop(ref, None)
        waiting = [ref]
        while waiting:
            above = self.dependents(waiting.pop())
            waiting += [other for other in above if self._depths.pop(other, None) is not None]


def _set(sets: dict[K, dict[Ref, None]], key: K, ref: Ref, *, is_in: bool) -> None:
    if is_in:
        sets.setdefault(key, {})[ref] = None
    elif key in sets:
        sets[key].pop(ref, None)
        if not sets[key]:
            del sets[key]
