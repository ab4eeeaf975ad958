"""Second: what is next for each object that is due? Its kind says; what it says is written, with all that it rests on,
before an engine hears of it.

One object that cannot be looked after (its kind is gone, its spec is unreadable, its kind is mistaken) is said to be
broken and stays as it is; the others go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from weyr.core.decision import Condition, ConditionType, Decision, Note, View, Want
from weyr.core.diagnostic import StoreError
from weyr.core.kind import AnyKind
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent
from weyr.reconcile.intents import without_kind
from weyr.reconcile.tick.recording import SETTLED_LOOK_S, Recording
from weyr.reconcile.tick.removing import Removing
from weyr.reconcile.writes import Writes, writing
from weyr.store.kernel import ObjectRow, ThingRow, kept_text

BLOCKED_LOOK_S = 5.0
"""What waits for others to go is woken when the last of them is gone; this is the safety net."""


class Deciding(Recording, Removing):
    """Asks kinds, one object after the other, needs before what needs them."""

    __slots__ = ()

    def _decided(self, due: Sequence[Ref], now: float) -> list[ThingRow]:
        """Decides on what is due. Gives what engines are to be told: it is on the disk, with all that it rests on."""
        rung = self.world.due.rung(due)
        self._allowances.begin_pass()
        with writing(self.db) as writes, self.ledger.together(writes.connect):
            for ref in due:
                if ref in self.world.objects:
                    self._decide(writes, ref, now)
            writes.put_learnt(self.scaling.unsaved(now), now)
            if untold := self.world.untold():
                # Something has to be written for the disk to be waited for, and what was seen before it to be kept:
                # a task that is told to go takes the record of its end along.
                writes.put_thing(untold[0])
        # Somebody rang while the engines were asked: what they said may be older than that.
        self.world.wake(rung)
        return untold

    def _decide(self, writes: Writes, ref: Ref, now: float) -> None:
        row, things = self.world.objects[ref], dict(self.world.things_of(ref))
        if row.spec is None and self.world.is_blocked_removal(ref):
            self.world.due.put(ref, now + BLOCKED_LOOK_S)
            return
        mark = self.ledger.mark()
        try:
            decision = self._decision(writes, row, now)
            with writes.part() as mine:
                if decision.forget:
                    self._forget(mine, row, now)
                elif kind := self.kinds.get(ref.kind):
                    self._record(mine, row, kind, decision, now)
                else:
                    self._take_on(mine, row, decision, row.memory, now)
        except (StoreError, SQLAlchemyError):
            raise
        except Exception as e:  # noqa: BLE001 - a mistake in one kind must not stop the others
            self.ledger.back_to(mark)
            self._restore(row, things)
            self._note_broken(writes, row, e, now)

    def _restore(self, row: ObjectRow, things: Mapping[str, ThingRow]) -> None:
        self.world.put(row)
        for part in self.world.things_of(row.ref).keys() - things.keys():
            self.world.drop_thing(ThingId(row.ref, part))
        for thing in things.values():
            self.world.put_thing(thing)

    def _decision(self, writes: Writes, row: ObjectRow, now: float) -> Decision[Any]:
        """What the kind says is next. Raises: whatever is wrong with the object or its kind."""
        kind = self.kinds.get(row.ref.kind)
        if kind is None:
            return without_kind(row, self.world.view_things(row.ref))
        is_wanted = row.spec is not None and row.next_spec is None
        want: Want[Any] = Want(row.ref, self._parsed.spec(row, kind) if is_wanted else None, row.generation, row.folder)
        view = self.scaling.advised(kind, want, self._view(row, kind, want.spec, now))
        decision = self._allowances.afforded(self.world, writes.connect, row, view, partial(kind.decide, want))
        assert not decision.forget or all(
            isinstance(thing.seen, Absent) for thing in self.world.things_of(row.ref).values()
        ), f"{row.ref} may not be forgotten: a thing of it is not proved absent"
        return decision

    def _view(self, row: ObjectRow, kind: AnyKind, spec: Any, now: float) -> View[Any]:
        return View(
            now=now,
            things=self.world.view_things(row.ref),
            needs=self.world.needs_of(row.ref),
            memory=self._parsed.memory(row, kind),
            hold=self.world.hold_on(row.ref),
            spend=self._allowances.spend(row.ref, kind, spec, now),
            cost=self.ledger.object_cost(row.ref, now) if kind.asks_cost(spec) else None,
            order=row.order,
        )

    def _note_broken(self, writes: Writes, row: ObjectRow, error: Exception, now: float) -> None:
        """Concludes that nothing is known of the object. Its things, memory and holds stay as they are."""
        why = f"Weyr cannot look after it: {' '.join(str(error).split())[:500] or type(error).__name__}"
        condition = Condition(ConditionType.READY, None, "Broken", kept_text(why))
        status = replace(row.status, conditions=(condition,))
        notes = (Note("object.broken", why),) if status != row.status else ()
        self._conclude(writes, row, status, row.memory, notes, SETTLED_LOOK_S, now)
