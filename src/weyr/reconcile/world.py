"""What does the loop know? Every object and thing, in memory, as the store has them.

The store is the truth and memory its copy: each change goes through a transaction first. One
process owns a store's world; it reads everything once at its start.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from weyr.core.capability import TaskBody
from weyr.core.decision import Hold, Need, Phase, Thing, phase_of
from weyr.core.engine import On, sent
from weyr.core.ref import Ref, ThingId
from weyr.reconcile.agenda import Agenda
from weyr.reconcile.relations import Relations
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import ObjectRow, StackRow, ThingRow

_NOTHING: Mapping[str, ThingRow] = MappingProxyType({})


@dataclass(slots=True)
class World:
    """`due` says when each object is to be looked at next; `is_stale`, that the store may know better, and is to be
    read again before the next step.

    Objects and things are read directly, and changed by `put`, `drop`, `put_thing` and `drop_thing` only: they keep
    the indices, by which nothing that is asked of one object takes longer where there are many.
    """

    stacks: dict[str, StackRow] = field(default_factory=dict)
    objects: dict[Ref, ObjectRow] = field(default_factory=dict)
    things: dict[Ref, dict[str, ThingRow]] = field(default_factory=dict)
    due: Agenda = field(default_factory=Agenda)
    is_stale: bool = False
    _relations: Relations = field(init=False, compare=False, repr=False)
    _untold: dict[ThingId, None] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._relations = Relations(self.objects)

    @classmethod
    def load(cls, db: Database) -> "World":
        """Everything the store has; all of it is due at once, whatever happened while nobody looked."""
        world = cls()
        with db.read() as connection:
            world.stacks = {row.name: row for row in kernel.all_stacks(connection)}
            for row in kernel.all_objects(connection):
                world.put(row)
                world.due.put(row.ref, 0.0)
            for thing in kernel.all_things(connection):
                world.put_thing(thing)
        return world

    # --- changing it

    def put(self, row: ObjectRow) -> None:
        before = self.objects.get(row.ref)
        self.objects[row.ref] = row
        self._relations.change(row.ref, before, row)

    def drop(self, ref: Ref) -> None:
        before = self.objects.pop(ref)
        self._relations.change(ref, before, None)
        self.due.drop(ref)

    def put_thing(self, row: ThingRow) -> None:
        self.things.setdefault(row.id.ref, {})[row.id.part] = row
        if row.is_accepted or row.refusal:
            self._untold.pop(row.id, None)
        else:
            self._untold[row.id] = None

    def drop_thing(self, id: ThingId) -> None:
        parts = self.things[id.ref]
        del parts[id.part]
        self._untold.pop(id, None)
        if not parts:
            del self.things[id.ref]

    def wake(self, refs: Iterable[Ref], at: float = 0.0) -> None:
        for ref in refs:
            if ref in self.objects:
                self.due.advance(ref, at)

    # --- asking it

    def phase(self, ref: Ref) -> Phase:
        row = self.objects[ref]
        return phase_of(row.status.conditions, row.spec is None or row.next_spec is not None)

    def thing(self, id: ThingId) -> ThingRow | None:
        return self.things_of(id.ref).get(id.part)

    def things_of(self, ref: Ref) -> Mapping[str, ThingRow]:
        """The object's things by their parts, as they are at this moment."""
        return self.things.get(ref, _NOTHING)

    def view_things(self, ref: Ref) -> dict[str, Thing]:
        """The object's things as its kind may see them."""
        return {
            part: Thing(
                part, row.capability, row.generation, row.seen, row.body, row.is_accepted, row.is_released, row.refusal
            )
            for part, row in self.things_of(ref).items()
        }

    def untold(self) -> list[ThingRow]:
        """The things whose engine has neither accepted nor refused what is intended with them."""
        return [self.things[id.ref][id.part] for id in self._untold]

    def of_kind(self, kind: str) -> list[Ref]:
        """Every object of a kind."""
        return list(self._relations.of_kind(kind))

    def of_stack(self, stack: str) -> list[Ref]:
        """Every object of a stack."""
        return list(self._relations.of_stack(stack))

    def needs_of(self, ref: Ref) -> dict[Ref, Need]:
        """What the object refers to. What is not there yet counts as waiting."""
        return {need: self._need(need) for need in self.objects[ref].needs}

    def dependents(self, ref: Ref) -> Iterable[Ref]:
        """The objects that refer to this one."""
        return self._relations.dependents(ref)

    def sent(self, row: ThingRow) -> ThingRow:
        """What a kind wants, on the engine that its stack runs on."""
        if isinstance(row.body, TaskBody):
            return replace(row, body=sent(row.body, On.from_json(self.stacks[row.id.ref.stack].on_json)))
        return row

    def hold_on(self, ref: Ref) -> Hold | None:
        """Why this object may not spend, if it may not: the hold that asks for most, of those the first by name."""
        holding = self._relations.holding()
        if not holding:
            return None
        labels = self.objects[ref].labels if ref in self.objects else ()
        holds = (hold for by in holding for hold in self.objects[by].status.holds)
        mine = [hold for hold in holds if hold.reach.covers(ref.stack, labels)]
        return min(mine, key=lambda hold: (-hold.does, hold.by), default=None)

    def is_blocked_removal(self, ref: Ref) -> bool:
        """Whether an object that is to go away must wait for one that still uses it.

        A dependent that stays is no reason: its own plan changed what it refers to, or will be refused.
        """
        return any(self.objects[other].spec is None for other in self.dependents(ref))

    def take_due(self, now: float) -> list[Ref]:
        """What to look at now, needs before what needs them. Each is to be put back into `due`."""
        return sorted(self.due.take(now), key=self._relations.depth)

    def _need(self, ref: Ref) -> Need:
        row = self.objects.get(ref)
        return Need(self.phase(ref), row.status.outputs) if row else Need(Phase.WAITING)


def phases(world: World, stack: str) -> Mapping[Ref, Phase]:
    """Every object of a stack with its phase."""
    return {ref: world.phase(ref) for ref in world.of_stack(stack)}
