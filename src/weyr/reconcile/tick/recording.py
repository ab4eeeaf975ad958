"""What was decided on one object, written down: its memory, what is concluded of it, what is intended with its things,
its story; and whom that concerns is woken."""

from dataclasses import replace
from typing import Any

from weyr.core.decision import Decision, Ensure, Note, Release
from weyr.core.kind import AnyKind
from weyr.core.ref import Ref
from weyr.core.schema import to_json
from weyr.reconcile.intents import intended
from weyr.reconcile.tick.ground import Ground
from weyr.reconcile.writes import Writes
from weyr.store.kernel import ObjectRow, Status

SETTLED_LOOK_S = 30.0
"""A settled object is looked at this often anyway: losses are pushed, this is the safety net."""


class Recording(Ground):
    """Writes decisions."""

    __slots__ = ()

    def _record(self, writes: Writes, row: ObjectRow, kind: AnyKind, decision: Decision[Any], now: float) -> None:
        """Writes what was decided, with what the kind wants to remember of it."""
        if kind.memory is None or decision.memory is None:
            memory = None
        elif decision.memory == self._parsed.memory(row, kind):
            memory = row.memory  # as most looks leave it: writing the text anew takes longer than the look
        else:
            memory = to_json(kind.memory, decision.memory)
            self._parsed.keep(row.ref, kind.memory, memory, decision.memory)
        self._take_on(writes, row, decision, memory, now)

    def _take_on(self, writes: Writes, row: ObjectRow, decision: Decision[Any], memory: str | None, now: float) -> None:
        """Writes intents with their meters, conclusions, memory, the story."""
        status = Status(decision.conditions, dict(decision.outputs), decision.holds)
        for action in decision.actions:
            self._intend(writes, row, action, now)
        again_s = SETTLED_LOOK_S if decision.again_s is None else decision.again_s
        self._conclude(writes, row, status, memory, decision.notes, again_s, now)

    def _intend(self, writes: Writes, row: ObjectRow, action: Ensure | Release, now: float) -> None:
        """Notes an intention where it is new. The engines are told afterwards, from these notes."""
        thing = self.world.things_of(row.ref).get(action.part)
        fresh = intended(thing, action, row, now)
        if fresh is None:
            return
        if isinstance(action, Ensure) and fresh.body is action.body:
            fresh = self.world.sent(fresh)
        if isinstance(action, Ensure) and action.meters and (thing is None or thing.generation < fresh.generation):
            self._allowances.open(self.world, writes.connect(), row, action, now)
            self._metered.pop(row.ref, None)
        writes.put_thing(fresh)
        self.world.put_thing(fresh)

    def _conclude(
        self,
        writes: Writes,
        row: ObjectRow,
        status: Status,
        memory: str | None,
        notes: tuple[Note, ...],
        again_s: float,
        now: float,
    ) -> None:
        """Keeps what is concluded and remembered, tells the story, and wakes whom it concerns."""
        before = phase = self.world.phase(row.ref)
        is_other = status != row.status
        if is_other or memory != row.memory:
            fresh = replace(row, status=status, memory=memory, changed_at=now)
            writes.put_object(fresh)
            self.world.put(fresh)
            phase = self.world.phase(row.ref)
        if phase is not before:
            message = next((c.message for c in status.conditions if c.message), "")
            notes = (*notes, Note(f"phase.{phase.value}", message))
        self._tell_story(writes, row.ref, notes, now)
        self.world.due.put(row.ref, now + again_s)
        if is_other:
            self._wake_around(row.ref, has_new_holds=status.holds != row.status.holds)
        if phase is not before:
            # What it was doing may have changed what it refers to: a job that is done may have left a model's version.
            self.world.wake(row.needs)

    def _wake_around(self, ref: Ref, has_new_holds: bool) -> None:
        """What depends on a changed object looks again, and what it needs. A changed hold may concern anybody."""
        self.world.wake([*self.world.dependents(ref), *self.world.objects[ref].needs])
        if has_new_holds:
            self.world.wake(other for other in self.world.objects if other != ref)
