"""What is proved to be gone, forgotten: an object, or the old one where it is made anew, and a stack without any."""

from dataclasses import replace

from weyr.core.decision import Note
from weyr.reconcile.tick.ground import Ground
from weyr.reconcile.writes import Writes
from weyr.store.kernel import EventRow, ObjectRow, Status


class Removing(Ground):
    """Drops what nothing is left of."""

    __slots__ = ()

    def _forget(self, writes: Writes, row: ObjectRow, now: float) -> None:
        """Every thing is proved absent: drops the object, or makes it anew where it is being replaced."""
        for thing in list(self.world.things_of(row.ref).values()):
            self._drop_thing(writes, thing, now)
        dependents, kind = list(self.world.dependents(row.ref)), self.kinds.get(row.ref.kind)
        if kind and kind.usage and not kind.is_held:
            self.ledger.close(writes.connect(), row.ref, "", now)
        if row.next_spec is not None:
            memory = kind.memory_anew(row.memory) if kind else None
            fresh = replace(row, spec=row.next_spec, next_spec=None, status=Status(), memory=memory, changed_at=now)
            writes.put_object(fresh)
            self.world.put(fresh)
            self.world.due.put(row.ref, now)
            self._tell_story(writes, row.ref, (Note("object.replaced", "it is gone and is made anew"),), now)
        else:
            writes.drop_object(row.ref)
            self.world.drop(row.ref)
            self._unmetered.pop(row.ref, None)
            self._parsed.forget(row.ref)
            self.scaling.forget(row.ref)
            self._tell_story(writes, row.ref, (Note("object.removed", "it is proved to be gone"),), now)
        self.world.wake([*dependents, *row.needs], now)
        self._drop_empty_stack(writes, row.ref.stack, now)

    def _drop_empty_stack(self, writes: Writes, name: str, now: float) -> None:
        stack = self.world.stacks.get(name)
        if stack and stack.is_removing and not self.world.of_stack(name):
            writes.drop_stack(name)
            del self.world.stacks[name]
            writes.add_events([EventRow(now, name, "", stack.plan_id, "stack.removed", "everything of it is gone")])
