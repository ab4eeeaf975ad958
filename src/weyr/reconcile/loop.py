"""How does the world come to be as it was told to be? One loop, which knows no kind by name.

A pass: observe what is due, meter it, let the kinds decide, write the intents, tell the engines, write their answers.
What is intended is stored, with its meters, before an engine hears of it; a crash anywhere leaves intents that the next
pass says again under the same keys. A thing is dropped only after it was released and then seen to be absent. A pass
writes three times at most, however much is due.
One object that cannot be looked after (its kind is gone, its spec is unreadable, its kind is mistaken) is said to be
broken and stays as it is; the others go on. A store that refuses a write stops the pass.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from weyr.core.capability import Capability, Wanted
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Note, Release, View, Want
from weyr.core.diagnostic import StoreError
from weyr.core.kind import AnyKind, Kinds, Usage
from weyr.core.ref import Ref, ThingId
from weyr.core.schema import to_json
from weyr.core.seen import Absent, Seen, Unknown, newer_than
from weyr.reconcile.allowances import Allowances
from weyr.reconcile.effects import Effects, Told
from weyr.reconcile.intents import intended, with_since, without_kind
from weyr.reconcile.node_use import shares_of_nodes
from weyr.reconcile.parsed import Parsed
from weyr.reconcile.ports import LedgerPort
from weyr.reconcile.scaling import Scaling
from weyr.reconcile.world import World
from weyr.reconcile.writes import Writes, writing
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow, ObjectRow, Status, ThingRow, kept_text

SETTLED_LOOK_S = 30.0
"""A settled object is looked at this often anyway: losses are pushed, this is the safety net."""

BLOCKED_LOOK_S = 5.0
"""What waits for others to go is woken when the last of them is gone; this is the safety net."""

AFTER_SILENCE_S = 1.0


@dataclass(slots=True)
class Loop:
    """The loop over one store's world.

    `lock` is held while the world is looked at or changed, and never while an engine is asked: one that hangs
    keeps nobody from looking, or from applying a plan. `turn` is held for a whole pass: there is one at a time.
    Only passes change things; objects are changed by `apply_plan` too, also between the steps of a pass.
    """

    db: Database
    kinds: Kinds
    effects: Effects
    ledger: LedgerPort
    world: World
    lock: threading.RLock = field(default_factory=threading.RLock)
    turn: threading.RLock = field(default_factory=threading.RLock)
    scaling: Scaling = field(default_factory=Scaling)
    _is_stale: bool = field(default=False, init=False)
    _last: float = field(default=0.0, init=False)
    _parsed: Parsed = field(default_factory=Parsed, init=False)
    _allowances: Allowances = field(init=False)
    _metered: dict[Ref, tuple[tuple[Usage, ...], float]] = field(default_factory=dict, init=False)
    """What was metered of an object last, and until when the same again changes nothing."""
    _unmetered: dict[Ref, str] = field(default_factory=dict, init=False)
    """Why an object's use could not be read at the last look: logged when it begins."""

    def __post_init__(self) -> None:
        self._allowances = Allowances(self.ledger, self.kinds, self._parsed)
        with self.db.read() as connection:
            self.scaling.stored = kernel.all_learnt(connection)

    def tick(self, now: float) -> float | None:
        """One pass over what is due at `now`. Gives when the next is due; None: nothing ever is.

        Raises: whatever the store raises. What the store has is then read anew, in whichever thread it was:
        memory may be ahead of it, and a thing forgotten only there would keep its meter for ever.
        """
        with self.turn:
            with self._in_step():
                due, asked = self._begin(now)
            if due:
                found = self.effects.observe(asked)
                with self._in_step():
                    self._observed(due, found, now)
                    untold = self._decided(due, now)
                told = self._tell(untold)
                with self._in_step():
                    self._answered(untold, told, now)
            with self.lock:
                for ref, at in self.effects.rung().items():
                    self.world.wake([ref], at)
                return self.world.due.next()

    def look(self, stack: str, now: float) -> None:
        """Observes a stack's things at once, so that a plan is made from what is there now.

        Its caller does not hold `lock`: engines are asked.
        """
        with self.lock:
            self.world.wake(self.world.of_stack(stack))
        self.tick(now)

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """A step of a pass: the world is the store's before it, and after it whatever happens."""
        with self.lock:
            if self._is_stale or self.world.is_stale:
                self._reload()
            try:
                yield
            except Exception:
                self._is_stale = True
                self._reload()
                raise

    def _reload(self) -> None:
        self.world = World.load(self.db)
        self._metered.clear()
        self._is_stale = False

    def _begin(self, now: float) -> tuple[list[Ref], list[tuple[Capability, ThingId]]]:
        """What is due, and which things to ask for."""
        if now < self._last:
            # The clock was set back. What is due by the old time would not be looked at before that comes again.
            self.world.wake(self.world.objects)
            self._metered.clear()
        self._last = now
        due = self.world.take_due(now)
        things = (thing for ref in due for thing in self.world.things_of(ref).values())
        # One that is to go is looked at also if no answer about it was ever kept: its engine keeps the record of its
        # end until a look was told of it, and what ran before that is to be billed.
        return due, [(thing.capability, thing.id) for thing in things if thing.asked_at or thing.is_released]

    def _observed(self, due: Sequence[Ref], found: Mapping[ThingId, Seen], now: float) -> None:
        """Takes in what was seen. It would be seen again: this needs no wait for the disk."""
        with writing(self.db, is_synced=False) as writes:
            for id, seen in found.items():
                before = self.world.things[id.ref][id.part]
                learnt = with_since(before.seen, newer_than(before.asked_at, seen), now)
                if learnt == before.seen:
                    continue
                after = replace(before, seen=learnt)
                self.world.put_thing(after)
                if type(before.seen) is not type(learnt):
                    writes.put_thing(after)
            for ref in due:
                self._meter(writes, ref, now)
                self._drop_absent(writes, ref, now)

    def _meter(self, writes: Writes, ref: Ref, now: float) -> None:
        row, kind = self.world.objects[ref], self.kinds.get(ref.kind)
        if kind is None or kind.usage is None or (kind.is_held and not self.world.things_of(ref)):
            return
        try:
            own = kind.usage(self._parsed.spec_if_readable(row, kind), self.world.view_things(ref))
            usages = (*own, *shares_of_nodes(self.world, ref))
            before, again_at = self._metered.get(ref, ((), inf))
            if usages != before or now >= again_at:
                book = self.world.stacks[ref.stack].price_as
                self._metered[ref] = usages, self.ledger.read(writes.connect(), ref, usages, book, now, row.labels)
        except (StoreError, SQLAlchemyError):
            raise
        except Exception as e:  # noqa: BLE001 - one object's use that cannot be read leaves its meters open, no more
            if self._unmetered.get(ref) != repr(e):
                self.effects.log("object.unmetered", ref=ref.absolute, error=repr(e))
            self._unmetered[ref] = repr(e)
        else:
            self._unmetered.pop(ref, None)

    def _drop_absent(self, writes: Writes, ref: Ref, now: float) -> None:
        """Forgets the things that were released and are proved to be gone, and closes their meters."""
        for thing in list(self.world.things_of(ref).values()):
            if thing.is_released and thing.is_accepted and isinstance(thing.seen, Absent):
                self._drop_thing(writes, thing, now)

    def _drop_thing(self, writes: Writes, thing: ThingRow, now: float) -> None:
        self.ledger.close(writes.connect(), thing.id.ref, thing.id.part, now)
        self._metered.pop(thing.id.ref, None)
        writes.drop_thing(thing.id)
        self.world.drop_thing(thing.id)
        self._allowances.settled(self.world)

    def _decided(self, due: Sequence[Ref], now: float) -> list[ThingRow]:
        """Decides on what is due. Gives what engines are to be told: it is on the disk, with all that it rests on."""
        rung = self.world.due.rung(due)
        self._allowances.begin_pass()
        with writing(self.db) as writes:
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

    def _note_broken(self, writes: Writes, row: ObjectRow, error: Exception, now: float) -> None:
        """Concludes that nothing is known of the object. Its things, memory and holds stay as they are."""
        why = f"Weyr cannot look after it: {' '.join(str(error).split())[:500] or type(error).__name__}"
        condition = Condition(ConditionType.READY, None, "Broken", kept_text(why))
        status = replace(row.status, conditions=(condition,))
        notes = (Note("object.broken", why),) if status != row.status else ()
        self._conclude(writes, row, status, row.memory, notes, SETTLED_LOOK_S, now)

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

    def _record(self, writes: Writes, row: ObjectRow, kind: AnyKind, decision: Decision[Any], now: float) -> None:
        """Writes what was decided, with what the kind wants to remember of it."""
        if kind.memory is None or decision.memory is None:
            memory = None
        elif decision.memory == self._parsed.memory(row, kind):
            memory = row.memory  # as most looks leave it: writing the text anew takes longer than the look
        else:
            memory = to_json(kind.memory, decision.memory)
        self._take_on(writes, row, decision, memory, now)

    def _take_on(self, writes: Writes, row: ObjectRow, decision: Decision[Any], memory: str | None, now: float) -> None:
        """Writes intents with their meters, conclusions, memory, the story."""
        status = Status(decision.conditions, dict(decision.outputs), decision.holds)
        for action in decision.actions:
            self._intend(writes, row, action, now)
        again_s = SETTLED_LOOK_S if decision.again_s is None else decision.again_s
        self._conclude(writes, row, status, memory, decision.notes, again_s, now)

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

    def _tell(self, untold: Sequence[ThingRow]) -> dict[ThingId, Told]:
        """Tells the engines every intention they have not accepted yet."""
        asked = [(thing, thing.body) for thing in untold if not thing.is_released and thing.body is not None]
        wanted = [(thing.capability, Wanted(thing.id, thing.generation, body)) for thing, body in asked]
        released = [(thing.capability, thing.id) for thing in untold if thing.is_released]
        return self.effects.ensure(wanted) | self.effects.release(released)

    def _answered(self, untold: Sequence[ThingRow], told: Mapping[ThingId, Told], now: float) -> None:
        """Writes the answers down. A lost one leaves the intention standing, which is said again under its key."""
        with writing(self.db, is_synced=False) as writes:
            for asked in untold:
                # An answer is to what was asked: what is intended by now may be something else.
                if asked.id in told and self.world.thing(asked.id) == asked:
                    self._note_answer(writes, asked.id, told[asked.id], now)

    def _note_answer(self, writes: Writes, id: ThingId, answer: Told, now: float) -> None:
        thing = self.world.things[id.ref][id.part]
        fresh = replace(thing, is_accepted=answer.is_accepted, refusal=kept_text(answer.refusal), asked_at=now)
        if thing.is_released and answer.is_accepted:
            fresh = replace(fresh, seen=Unknown("its release was accepted just now", now))
        writes.put_thing(fresh)
        self.world.put_thing(fresh)
        if answer.refusal:
            self._tell_story(writes, id.ref, (Note("engine.refused", answer.refusal),), now)
        quick = 0.05 if answer.is_accepted or answer.refusal else AFTER_SILENCE_S
        self.world.wake([id.ref], now + quick)

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

    def _tell_story(self, writes: Writes, ref: Ref, notes: Sequence[Note], now: float) -> None:
        plan = stack.plan_id if (stack := self.world.stacks.get(ref.stack)) else ""
        writes.add_events([EventRow(now, ref.stack, str(ref), plan, note.event, note.message) for note in notes])
        for note in notes:
            self.effects.log(note.event, ref=ref.absolute, plan=plan, message=note.message)

    def _wake_around(self, ref: Ref, has_new_holds: bool) -> None:
        """What depends on a changed object looks again, and what it needs. A changed hold may concern anybody."""
        self.world.wake([*self.world.dependents(ref), *self.world.objects[ref].needs])
        if has_new_holds:
            self.world.wake(other for other in self.world.objects if other != ref)
