"""How does the world come to be as it was told to be? One loop, which knows no kind by name.

A pass: observe what is due, meter it, let the kinds decide, write the intents, tell the engines,
write their answers. What is intended is stored, with its meters, before an engine hears of it; a
crash anywhere leaves intents that the next pass says again under the same keys. A thing is dropped only
after it was released and then seen to be absent.

One object that cannot be looked after (its kind is gone, its spec is unreadable, its kind is mistaken) is said
to be broken and stays as it is; the others go on. A store that refuses a write stops the pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from weyr.core.capability import Wanted
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Phase, Release, Thing, View, Want
from weyr.core.diagnostic import StoreError
from weyr.core.kind import AnyKind, Kinds, Usage
from weyr.core.ref import Ref, ThingId
from weyr.core.schema import ValidationError, from_json, to_json
from weyr.core.seen import Absent, Present, Seen, Unknown
from weyr.reconcile.effects import Effects, Told
from weyr.reconcile.ports import LedgerPort
from weyr.reconcile.world import World
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow, ObjectRow, Status, ThingRow

SETTLED_LOOK_S = 30.0
"""A settled object is looked at this often anyway: losses are pushed, this is the safety net."""

AFTER_SILENCE_S = 1.0
AFTER_REFUSAL_S = 30.0
TOLD_AGAIN_S = 0.2


@dataclass(slots=True)
class Loop:
    """The loop over one store's world. Not thread-safe: its owner lets one thread in at a time."""

    db: Database
    kinds: Kinds
    effects: Effects
    ledger: LedgerPort
    world: World
    _is_stale: bool = field(default=False, init=False)
    _last: float = field(default=0.0, init=False)
    _unmetered: dict[Ref, str] = field(default_factory=dict, init=False)
    """Why an object's use could not be read at the last look: logged when it begins."""

    def tick(self, now: float) -> float | None:
        """One pass over what is due at `now`. Gives when the next is due; None: nothing ever is.

        Raises: whatever the store raises. What the store has is then read anew, in whichever thread it was:
        memory may be ahead of it, and a thing forgotten only there would keep its meter for ever.
        """
        if self._is_stale:
            self._reload()
        try:
            return self._pass(now)
        except Exception:
            self._is_stale = True
            self._reload()
            raise

    def _reload(self) -> None:
        self.world = World.load(self.db)
        self._is_stale = False

    def _pass(self, now: float) -> float | None:
        if now < self._last:
            # The clock was set back. What is due by the old time would not be looked at before that comes again.
            self.world.wake(self.world.objects)
        self._last = now
        due = self.world.due_at(now)
        if due:
            self._observe(due, now)
            for ref in due:
                if ref in self.world.objects:
                    self._decide(ref, now)
            self._tell(now)
        return self.world.next_due()

    def look(self, stack: str, now: float) -> None:
        """Observes a stack's things at once, so that a plan is made from what is there now."""
        refs = [ref for ref in self.world.objects if ref.stack == stack]
        self.world.wake(refs)
        self.tick(now)

    def _observe(self, due: Sequence[Ref], now: float) -> None:
        asked = [
            (thing.capability, thing.id)
            for ref in due
            for thing in self.world.things.get(ref, {}).values()
            if thing.asked_at
        ]
        found = self.effects.observe(asked)
        with self.db.write() as connection:
            for id, seen in found.items():
                before = self.world.things[id.ref][id.part]
                after = self.world.saw(id, _with_since(before.seen, seen, now))
                if type(before.seen) is not type(after.seen):
                    kernel.put_thing(connection, after)
            for ref in due:
                self._meter(connection, ref, now)
                self._drop_absent(connection, ref, now)

    def _meter(self, connection: Connection, ref: Ref, now: float) -> None:
        row, kind = self.world.objects[ref], self.kinds.get(ref.kind)
        text = row.spec or row.next_spec
        if kind is None or kind.usage is None or not self.world.things.get(ref):
            return
        try:
            spec = _spec_if_readable(kind, text)
            usages = kind.usage(spec, self.world.view_things(ref))
            self.ledger.read(connection, ref, usages, self.world.stacks[ref.stack].price_as, now)
        except (StoreError, SQLAlchemyError):
            raise
        except Exception as e:  # noqa: BLE001 - one object's use that cannot be read leaves its meters open, no more
            if self._unmetered.get(ref) != repr(e):
                self.effects.log("object.unmetered", ref=ref.absolute, error=repr(e))
            self._unmetered[ref] = repr(e)
        else:
            self._unmetered.pop(ref, None)

    def _drop_absent(self, connection: Connection, ref: Ref, now: float) -> None:
        """Forgets the things that were released and are proved to be gone, and closes their meters."""
        for thing in list(self.world.things.get(ref, {}).values()):
            if thing.is_released and thing.is_accepted and isinstance(thing.seen, Absent):
                self.ledger.close(connection, ref, thing.id.part, now)
                kernel.drop_thing(connection, thing.id)
                del self.world.things[ref][thing.id.part]

    def _decide(self, ref: Ref, now: float) -> None:
        row, things = self.world.objects[ref], dict(self.world.things.get(ref, {}))
        if row.spec is None and self.world.is_blocked_removal(ref):
            self.world.due[ref] = now + 0.5
            return
        try:
            decision = self._decision(row, now)
            with self.db.write() as connection:
                if decision.forget:
                    self._forget(connection, row, now)
                elif kind := self.kinds.get(ref.kind):
                    self._record(connection, row, kind, decision, now)
                else:
                    self._take_on(connection, row, decision, row.memory, now)
        except (StoreError, SQLAlchemyError):
            raise
        except Exception as e:  # noqa: BLE001 - a mistake in one kind must not stop the others
            self.world.objects[ref], self.world.things[ref] = row, things
            self._note_broken(row, e, now)

    def _decision(self, row: ObjectRow, now: float) -> Decision[Any]:
        """What the kind says is next. Raises: whatever is wrong with the object or its kind."""
        kind = self.kinds.get(row.ref.kind)
        if kind is None:
            return _without_kind(row, self.world.view_things(row.ref))
        spec = from_json(kind.spec, row.spec) if row.spec is not None and row.next_spec is None else None
        want: Want[Any] = Want(row.ref, spec, row.generation, row.folder)
        decision = kind.decide(want, self._view(row, kind, now))
        assert not decision.forget or all(
            isinstance(thing.seen, Absent) for thing in self.world.things.get(row.ref, {}).values()
        ), f"{row.ref} may not be forgotten: a thing of it is not proved absent"
        return decision

    def _note_broken(self, row: ObjectRow, error: Exception, now: float) -> None:
        """Concludes that nothing is known of the object. Its things, memory and holds stay as they are."""
        why = f"Weyr cannot look after it: {' '.join(str(error).split())[:500] or type(error).__name__}"
        condition = Condition(ConditionType.READY, None, "Broken", why)
        fresh = replace(row, status=replace(row.status, conditions=(condition,)))
        notes = (Note("object.broken", why),) if fresh != row else ()
        with self.db.write() as connection:
            self._conclude(connection, row, fresh, notes, SETTLED_LOOK_S, now)

    def _view(self, row: ObjectRow, kind: AnyKind, now: float) -> View[Any]:
        return View(
            now=now,
            things=self.world.view_things(row.ref),
            needs=self.world.needs_of(row.ref),
            memory=from_json(kind.memory, row.memory) if row.memory and kind.memory else None,
            hold=self.world.hold_on(row.ref),
            spend=self.ledger.spend(row.ref.stack, now) if kind.reads_spend else None,
        )

    def _record(
        self, connection: Connection, row: ObjectRow, kind: AnyKind, decision: Decision[Any], now: float
    ) -> None:
        """Writes what was decided, with what the kind wants to remember of it."""
        memory = to_json(kind.memory, decision.memory) if kind.memory and decision.memory is not None else None
        self._take_on(connection, row, decision, memory, now)

    def _take_on(
        self, connection: Connection, row: ObjectRow, decision: Decision[Any], memory: str | None, now: float
    ) -> None:
        """Writes intents with their meters, conclusions, memory, the story."""
        status = Status(decision.conditions, dict(decision.outputs), decision.holds)
        for action in decision.actions:
            self._intend(connection, row, action, now)
        fresh = replace(row, status=status, memory=memory)
        again_s = SETTLED_LOOK_S if decision.again_s is None else decision.again_s
        self._conclude(connection, row, fresh, decision.notes, again_s, now)

    def _conclude(
        self,
        connection: Connection,
        row: ObjectRow,
        fresh: ObjectRow,
        notes: tuple[Note, ...],
        again_s: float,
        now: float,
    ) -> None:
        """Takes `fresh` for what `row` was, tells the story, and wakes whom it concerns."""
        before = self.world.phase(row.ref)
        if fresh != row:
            fresh = replace(fresh, changed_at=now)
            kernel.put_object(connection, fresh)
        self.world.objects[row.ref] = fresh
        phase = self.world.phase(row.ref)
        if phase is not before:
            message = next((c.message for c in fresh.status.conditions if c.message), "")
            notes = (*notes, Note(f"phase.{phase.value}", message))
        self._tell_story(connection, row.ref, notes, now)
        self.world.due[row.ref] = now + again_s
        if fresh.status != row.status:
            self._wake_around(row.ref, has_new_holds=fresh.status.holds != row.status.holds)
        if phase is not before:
            # What it was doing may have changed what it refers to: a job that is done may have left a model's version.
            self.world.wake(row.needs)

    def _intend(self, connection: Connection, row: ObjectRow, action: Ensure | Release, now: float) -> None:
        """Notes an intention where it is new. The engines are told afterwards, from these notes."""
        thing = self.world.things[row.ref].get(action.part)
        match action:
            case Release():
                if thing is None:
                    return
                if thing.is_released:
                    # Still there: said again, for an engine may have more than one step to do.
                    is_still_there = thing.is_accepted and isinstance(thing.seen, Present)
                    if (is_still_there or thing.refusal) and _may_be_told_again(thing, now):
                        self.world.things[row.ref][action.part] = replace(thing, is_accepted=False, refusal="")
                    return
                # The release itself has to be accepted before an absence can count as proof.
                fresh = replace(thing, is_released=True, is_accepted=False, refusal="")
            case Ensure(part=part, generation=generation):
                generation = row.generation if generation is None else generation
                if thing is not None and thing.is_released:
                    return
                if thing is not None and thing.generation >= generation:
                    is_gone = thing.is_accepted and isinstance(thing.seen, Absent)
                    if (action.again or is_gone) and _may_be_told_again(thing, now):
                        self.world.things[row.ref][part] = replace(thing, is_accepted=False, refusal="")
                    return
                seen: Seen = thing.seen if thing else Unknown()
                id = ThingId(row.ref, part)
                asked_at = thing.asked_at if thing else 0.0
                fresh = ThingRow(id, action.capability, generation, action.body, seen, asked_at=asked_at)
                if action.meters:
                    usages = [Usage(part, sku, quantity, since=None) for sku, quantity in action.meters]
                    book = self.world.stacks[row.ref.stack].price_as
                    self.ledger.open(connection, row.ref, part, usages, book, now)
        kernel.put_thing(connection, fresh)
        self.world.things[row.ref][action.part] = fresh

    def _tell(self, now: float) -> None:
        """Tells the engines every intention they have not accepted yet, and writes down their answers."""
        open_things = [
            thing
            for parts in self.world.things.values()
            for thing in parts.values()
            if not thing.is_accepted and not thing.refusal
        ]
        if not open_things:
            return
        wanted = [
            (thing.capability, Wanted(thing.id, thing.generation, thing.body))
            for thing in open_things
            if not thing.is_released and thing.body is not None
        ]
        released = [(thing.capability, thing.id) for thing in open_things if thing.is_released]
        told = self.effects.ensure(wanted) | self.effects.release(released)
        with self.db.write() as connection:
            for id, answer in told.items():
                self._note_answer(connection, id, answer, now)

    def _note_answer(self, connection: Connection, id: ThingId, answer: Told, now: float) -> None:
        thing = self.world.things[id.ref][id.part]
        fresh = replace(thing, is_accepted=answer.is_accepted, refusal=answer.refusal, asked_at=now)
        if thing.is_released and answer.is_accepted:
            fresh = replace(fresh, seen=Unknown("its release was accepted just now", now))
        kernel.put_thing(connection, fresh)
        self.world.things[id.ref][id.part] = fresh
        if answer.refusal:
            self._tell_story(connection, id.ref, (Note("engine.refused", answer.refusal),), now)
        quick = 0.05 if answer.is_accepted or answer.refusal else AFTER_SILENCE_S
        self.world.wake([id.ref], now + quick)

    def _forget(self, connection: Connection, row: ObjectRow, now: float) -> None:
        """Every thing is proved absent: drops the object, or makes it anew where it is being replaced."""
        for thing in list(self.world.things.get(row.ref, {}).values()):
            self.ledger.close(connection, row.ref, thing.id.part, now)
            kernel.drop_thing(connection, thing.id)
        self.world.things.pop(row.ref, None)
        dependents = list(self.world.dependents(row.ref))
        if row.next_spec is not None:
            fresh = replace(row, spec=row.next_spec, next_spec=None, status=Status(), memory=None, changed_at=now)
            kernel.put_object(connection, fresh)
            self.world.objects[row.ref] = fresh
            self.world.due[row.ref] = now
            self._tell_story(connection, row.ref, (Note("object.replaced", "it is gone and is made anew"),), now)
        else:
            kernel.drop_object(connection, row.ref)
            del self.world.objects[row.ref]
            self.world.due.pop(row.ref, None)
            self._tell_story(connection, row.ref, (Note("object.removed", "it is proved to be gone"),), now)
        self.world.wake([*dependents, *row.needs], now)
        self._drop_empty_stack(connection, row.ref.stack, now)

    def _drop_empty_stack(self, connection: Connection, name: str, now: float) -> None:
        stack = self.world.stacks.get(name)
        if stack and stack.is_removing and not any(ref.stack == name for ref in self.world.objects):
            kernel.drop_stack(connection, name)
            del self.world.stacks[name]
            event = EventRow(now, name, "", stack.plan_id, "stack.removed", "everything of it is gone")
            kernel.add_events(connection, [event])

    def _tell_story(self, connection: Connection, ref: Ref, notes: Sequence[Note], now: float) -> None:
        stack = self.world.stacks.get(ref.stack)
        plan = stack.plan_id if stack else ""
        kernel.add_events(
            connection, [EventRow(now, ref.stack, str(ref), plan, note.event, note.message) for note in notes]
        )
        for note in notes:
            self.effects.log(note.event, ref=ref.absolute, plan=plan, message=note.message)

    def _wake_around(self, ref: Ref, has_new_holds: bool) -> None:
        """What depends on a changed object looks again, and what it depends on: a job that ended may have left
        its model a version. A changed hold concerns the whole stack."""
        around = [*self.world.dependents(ref), *self.world.objects[ref].needs]
        if has_new_holds:
            around += [other for other in self.world.objects if other.stack == ref.stack and other != ref]
        self.world.wake(around)


def _may_be_told_again(thing: ThingRow, now: float) -> bool:
    """Whether the engine had time to act, or after a refusal a reason to think again.

    Its answer wakes the object at once; without a pause the two would go round as fast as they can.
    """
    waited_s = now - thing.asked_at
    # Less than nothing: the clock was set back, and the old time may be hours away.
    return waited_s < 0 or waited_s >= (AFTER_REFUSAL_S if thing.refusal else TOLD_AGAIN_S)


def _without_kind(row: ObjectRow, things: Mapping[str, Thing]) -> Decision[Any]:
    """Nobody knows what an object of an unknown kind needs, but anybody can remove what it holds.

    Raises: LookupError where it is to stay.
    """
    if row.spec is not None:
        raise LookupError(f"this Weyr has no kind {row.ref.kind}")
    if not things:
        return Decision(forget=True)
    removing = Condition(ConditionType.READY, False, "Removing", "what it holds is being removed")
    return Decision(tuple(Release(part) for part in things), (removing,), again_s=0.5)


def _spec_if_readable(kind: AnyKind, text: str | None) -> Any:
    """What runs costs money whether or not today's kind can read what it was asked for."""
    try:
        return from_json(kind.spec, text) if text else None
    except ValidationError:
        return None


def _with_since(before: Seen, after: Seen, now: float) -> Seen:
    """Silence keeps the moment at which something was last known."""
    if not isinstance(after, Unknown) or after.since is not None:
        return after
    return replace(after, since=before.since if isinstance(before, Unknown) else now)


def phases(world: World, stack: str) -> Mapping[Ref, Phase]:
    """Every object of a stack with its phase."""
    return {ref: world.phase(ref) for ref in world.objects if ref.stack == stack}
