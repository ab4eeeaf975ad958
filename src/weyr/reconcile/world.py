"""What does the loop know? Every object and thing, in memory, as the store has them.

The store is the truth and memory its copy: each change goes through a transaction first. One
process owns a store's world; it reads everything once at its start.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from weyr.core.decision import Hold, Need, Phase, Thing, phase_of
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Seen
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import ObjectRow, StackRow, ThingRow


@dataclass(slots=True)
class World:
    """`due` says when each object is to be looked at next (Unix seconds)."""

    stacks: dict[str, StackRow] = field(default_factory=dict)
    objects: dict[Ref, ObjectRow] = field(default_factory=dict)
    things: dict[Ref, dict[str, ThingRow]] = field(default_factory=lambda: defaultdict(dict))
    due: dict[Ref, float] = field(default_factory=dict)

    @classmethod
    def load(cls, db: Database) -> "World":
        """Everything the store has; all of it is due at once, whatever happened while nobody looked."""
        world = cls()
        with db.read() as connection:
            world.stacks = {row.name: row for row in kernel.all_stacks(connection)}
            world.objects = {row.ref: row for row in kernel.all_objects(connection)}
            for thing in kernel.all_things(connection):
                world.things[thing.id.ref][thing.id.part] = thing
        world.due = dict.fromkeys(world.objects, 0.0)
        return world

    def phase(self, ref: Ref) -> Phase:
        row = self.objects[ref]
        return phase_of(row.status.conditions, row.spec is None or row.next_spec is not None)

    def view_things(self, ref: Ref) -> dict[str, Thing]:
        """The object's things as its kind may see them."""
        return {
            part: Thing(
                part, row.capability, row.generation, row.seen, row.body, row.is_accepted, row.is_released, row.refusal
            )
            for part, row in self.things.get(ref, {}).items()
        }

    def needs_of(self, ref: Ref) -> dict[Ref, Need]:
        """What the object refers to. What is not there yet counts as waiting."""
        return {need: self._need(need) for need in self.objects[ref].needs}

    def dependents(self, ref: Ref) -> Iterator[Ref]:
        """The objects that refer to this one."""
        return (other.ref for other in self.objects.values() if ref in other.needs and other.ref != ref)

    def hold_on(self, ref: Ref) -> Hold | None:
        """The first reason why this object's stack may not spend, if there is one."""
        for other in self.objects.values():
            if other.ref.stack == ref.stack and other.status.holds and other.spec is not None:
                return other.status.holds[0]
        return None

    def is_blocked_removal(self, ref: Ref) -> bool:
        """Whether an object that is to go away must wait for one that still uses it.

        A dependent that stays is no reason: its own plan changed what it refers to, or will be refused.
        """
        return any(self.objects[other].spec is None for other in self.dependents(ref))

    def due_at(self, now: float) -> list[Ref]:
        """What to look at now, needs before what needs them."""
        due = [ref for ref, at in self.due.items() if at <= now]
        return sorted(due, key=self._depth)

    def next_due(self) -> float | None:
        return min(self.due.values(), default=None)

    def wake(self, refs: Iterable[Ref], at: float = 0.0) -> None:
        for ref in refs:
            if ref in self.objects:
                self.due[ref] = min(self.due.get(ref, at), at)

    def ids(self) -> set[ThingId]:
        return {thing.id for parts in self.things.values() for thing in parts.values()}

    def saw(self, id: ThingId, seen: Seen) -> ThingRow:
        row = self.things[id.ref][id.part]
        fresh = replace(row, seen=seen)
        self.things[id.ref][id.part] = fresh
        return fresh

    def _need(self, ref: Ref) -> Need:
        row = self.objects.get(ref)
        return Need(self.phase(ref), row.status.outputs) if row else Need(Phase.WAITING)

    def _depth(self, ref: Ref, seen: frozenset[Ref] = frozenset()) -> int:
        row = self.objects.get(ref)
        if row is None or ref in seen:
            return 0
        return 1 + max((self._depth(need, seen | {ref}) for need in row.needs), default=0)
