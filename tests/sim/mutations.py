"""The kernel, broken on purpose: each class or function here makes one mistake that a careful author could make."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from weyr.compose.kinds import KINDS
from weyr.core.capability import Refused, Wanted
from weyr.core.decision import Decision, Ensure, Release, View, Want
from weyr.core.kind import AnyKind, Kinds, Usage
from weyr.core.metering import Meter
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Seen, Unknown
from weyr.ledger.ledger import Ledger
from weyr.ledger.node_shares import WHOLE
from weyr.ledger.tallies import Turn
from weyr.reconcile.effects import Told
from weyr.reconcile.loop import Loop
from weyr.reconcile.scheduler import Scheduler
from weyr.reconcile.scheduler.board import Board
from weyr.reconcile.scheduler.groups import Group
from weyr.reconcile.writes import Writes
from weyr.sim.shelf import Shelf
from weyr.sim.store import SimDatabase
from weyr.sim.world import SimWorld
from weyr.store.kernel import ObjectRow, ThingRow


class ForgetsOnSilence(Loop):
    """No answer is taken for absence, once a thing was released."""

    def _drop_absent(self, writes: Writes, ref: Ref, now: float) -> None:
        for thing in list(self.world.things_of(ref).values()):
            if thing.is_released and isinstance(thing.seen, Unknown):
                self.world.put_thing(replace(thing, seen=Absent(), is_accepted=True))
        super()._drop_absent(writes, ref, now)


class ForgetsLastReadings(Loop):
    """A thing that is gone is not asked what it was used for."""

    def _meter(self, writes: Writes, ref: Ref, now: float) -> None:
        if not any(isinstance(thing.seen, Absent) for thing in self.world.things_of(ref).values()):
            super()._meter(writes, ref, now)


class ClosesBeforeItReads(Loop):
    """A thing's meters are closed before its last reading is taken."""

    def _meter(self, writes: Writes, ref: Ref, now: float) -> None:
        self._drop_absent(writes, ref, now)
        super()._meter(writes, ref, now)


class StoresIntentAfterEffect(Loop):
    """The engine hears of a thing before the store does."""

    def _intend(self, writes: Writes, row: ObjectRow, action: Ensure | Release, now: float) -> None:
        mark = self.ledger.mark()
        super()._intend(Writes(writes.connect), row, action, now)
        self.ledger.back_to(mark)


class ReleasesOnce(Loop):
    """A release that was said is not said again, though the thing is still there."""

    def _intend(self, writes: Writes, row: ObjectRow, action: Ensure | Release, now: float) -> None:
        thing = self.world.things_of(row.ref).get(action.part)
        if isinstance(action, Ensure) or (thing is not None and not thing.is_released):
            super()._intend(writes, row, action, now)


class OpensMetersAfterEffect(Loop):
    """A meter is opened when the thing is first seen."""

    def _intend(self, writes: Writes, row: ObjectRow, action: Ensure | Release, now: float) -> None:
        super()._intend(writes, row, replace(action, meters=()) if isinstance(action, Ensure) else action, now)


class TakesSilenceForConsent(Loop):
    """A lost reply counts as an accepted intent."""

    def _note_answer(self, writes: Writes, id: Any, answer: Told, now: float) -> None:
        super()._note_answer(writes, id, answer if answer.refusal else Told(True), now)


class TakesReleaseForAbsence(Loop):
    """What an engine agreed to remove counts as gone."""

    def _note_answer(self, writes: Writes, id: Any, answer: Told, now: float) -> None:
        super()._note_answer(writes, id, answer, now)
        thing = self.world.things[id.ref][id.part]
        if thing.is_released and thing.is_accepted:
            self.world.put_thing(replace(thing, seen=Absent()))
            self._drop_absent(writes, id.ref, now)


class IgnoresHolds(Loop):
    """A spent budget stops nothing."""

    def _view(self, row: ObjectRow, kind: AnyKind, *rest: Any) -> View[Any]:
        return replace(super()._view(row, kind, *rest), hold=None)


class ForgetsWhatItConcluded(Loop):
    """What a kind remembers is kept in memory only, so that a kill loses it."""

    def _record(self, writes: Writes, row: ObjectRow, kind: AnyKind, *rest: Any) -> None:
        super()._record(writes, row, kind, *rest)
        writes.put_object(replace(self.world.objects[row.ref], memory=None))


class ClosesMetersAtRelease(Loop):
    """Money is thought to end when a thing is told to."""

    def _note_answer(self, writes: Writes, id: Any, answer: Told, now: float) -> None:
        super()._note_answer(writes, id, answer, now)
        if self.world.things[id.ref][id.part].is_released:
            self.ledger.close(writes.connect(), id.ref, id.part, now)


class KeepsMetersOpen(Loop):
    """A thing that is gone is dropped, and its meter is not thought of."""

    def _drop_absent(self, writes: Writes, ref: Ref, now: float) -> None:
        for thing in list(self.world.things_of(ref).values()):
            if thing.is_released and thing.is_accepted and isinstance(thing.seen, Absent):
                writes.drop_thing(thing.id)
                self.world.drop_thing(thing.id)


class BillsUntilItLooked(Loop):
    """A run is billed until the loop looked, not until the engine's own record of its end."""

    def _meter(self, writes: Writes, ref: Ref, now: float) -> None:
        kind = self.kinds[ref.kind]
        usage = kind.usage
        if usage is None:
            return
        late = replace(kind, usage=lambda spec, things: tuple(
            replace(line, until=line.until and now) for line in usage(spec, things)
        ))  # fmt: skip
        kinds, self.kinds = self.kinds, {**self.kinds, ref.kind: late}
        super()._meter(writes, ref, now)
        self.kinds = kinds


class OpensMetersInAnotherTransaction(Loop):
    """An intent and its meter are stored one after the other: a server may die between the two."""

    def _intend(self, writes: Writes, row: ObjectRow, action: Ensure | Release, now: float) -> None:
        if isinstance(action, Ensure):
            if action.part not in self.world.things_of(row.ref):
                UNOPENED.append((self, row, action))
            action = replace(action, meters=())
        super()._intend(writes, row, action, now)

    def _tell(self, untold: Sequence[ThingRow]) -> dict[ThingId, Told]:
        for row, action in [(row, action) for loop, row, action in UNOPENED if loop is self]:
            book = self.world.stacks[row.ref.stack].price_as
            usages = [Usage(action.part, sku, quantity, since=None) for sku, quantity in action.meters]
            with self.db.write() as connection:
                self.ledger.open(connection, row.ref, action.part, usages, book, self._last)
        UNOPENED.clear()
        return super()._tell(untold)


UNOPENED: list[tuple[Loop, ObjectRow, Ensure]] = []
"""What a server still has in mind to do; the next one does not know of it."""


class BelievesOldAnswers(Loop):
    """An answer counts as what is there now, however old it says that it is."""

    def _observed(self, due: Sequence[Ref], found: Mapping[ThingId, Seen], now: float) -> None:
        ageless = {id: seen if isinstance(seen, Unknown) else replace(seen, as_of=None) for id, seen in found.items()}
        super()._observed(due, ageless, now)


class ShrugsOffFailedWrites(Loop):
    """After a store that failed, memory is trusted as it is."""

    def _reload(self) -> None:
        self._is_stale = False


class UnsyncedDatabase(SimDatabase):
    """No commit waits for the disk."""

    @contextmanager
    def write(self, *, is_synced: bool = True) -> Iterator[Connection]:
        with super().write(is_synced=False) as connection:
            yield connection


class SharesTheWholeNode(Ledger):
    """Whoever runs on a pool's node pays for all of it."""

    def _shared(self, connection: Connection, meter: Meter, usage: Usage, node: ThingId, now: float) -> Meter | None:
        return super()._shared(connection, meter, replace(usage, quantity=WHOLE), node, now)


class SharesTooLittle(Ledger):
    """Half of what a task has of a node stays with the pool."""

    def _shared(self, connection: Connection, meter: Meter, usage: Usage, node: ThingId, now: float) -> Meter | None:
        shared = super()._shared(connection, meter, usage, node, now)
        return shared and replace(shared, quantity=shared.quantity // 2)


class SharesDearly(Ledger):
    """A part of a node costs twenty times what that part of the node does."""

    def _shared(self, connection: Connection, meter: Meter, usage: Usage, node: ThingId, now: float) -> Meter | None:
        shared = super()._shared(connection, meter, usage, node, now)
        if shared is None or shared.price is None:
            return shared
        return replace(shared, price=replace(shared.price, micros=20 * shared.price.micros))


class BillsFromTheIntent(Ledger):
    """A meter counts from when it was opened: what never came up costs something."""

    def close(self, connection: Connection, ref: Ref, part: str, at: float) -> None:
        for meter in self._store.meters_of(connection, ref):
            if meter.thing.part == part and meter.run_since_ms is None and not meter.sku.startswith("storage."):
                begun = replace(meter, run_since_ms=meter.opened_ms, run_from_ms=meter.opened_ms, quantity=1)
                self._save(connection, meter, (replace(begun, posted_until_ms=meter.opened_ms), ()), Turn())
        super().close(connection, ref, part, at)


class _NothingEnds(Board):
    def forget(self, group: Group) -> None:
        return


class KeepsRoomOfTheEnded(Scheduler):
    """Who stands in line waits for those that are long gone."""

    board_type = _NothingEnds


class NeverSweeps(SimWorld):
    """What nobody owns is left alone."""

    def _sweep(self) -> None:
        return


def ignoring_generations(world: SimWorld) -> SimWorld:
    """An engine that does what it was told last, however old that is."""

    def careless(shelf: Shelf) -> Callable[[Wanted], Refused | Unknown | None]:
        take = shelf._take

        def take_anything(want: Wanted) -> Refused | Unknown | None:
            if any(id == want.id and generation > want.generation for id, generation, _ in shelf.book()):
                shelf._keep(want)
                return None
            return take(want)

        return take_anything

    for shelf in (world.engine.buckets, world.engine.routes):
        shelf._take = careless(shelf)  # type: ignore[method-assign, assignment]
    return world


def out_of_order(world: SimWorld) -> SimWorld:
    """An engine to which an old `ensure` brings back what was released since."""
    for shelf in world.engine.shelves:
        shelf.is_in_order = False
    return world


def late_services(world: SimWorld) -> SimWorld:
    """An engine that keeps order among its tasks only."""
    for shelf in world.engine.shelves:
        shelf.is_in_order = shelf is world.engine.tasks
    return world


def giving_up_nodes(world: SimWorld) -> SimWorld:
    """An engine that says of a node which does not answer that nothing is on it."""
    tasks, look = world.engine.tasks, world.engine.tasks._look

    def hasty(id: ThingId) -> Seen:
        seen = look(id)
        return Absent() if isinstance(seen, Unknown) else seen

    tasks._look = hasty  # type: ignore[method-assign]
    return world


def with_job(kinds: Kinds, decide: Callable[[AnyKind, Want[Any], View[Any]], Decision[Any]]) -> Kinds:
    """The kinds with another way to decide about jobs."""
    job = kinds["job"]
    return {**kinds, "job": replace(job, decide=lambda want, view: decide(job, want, view))}


def reusing_attempts(job: AnyKind, want: Want[Any], view: View[Any]) -> Decision[Any]:
    """An attempt that ended gives its number back."""
    decision = job.decide(want, view)
    ended = any(note.event == "attempt.ended" for note in decision.notes)
    memory = decision.memory
    return replace(decision, memory=replace(memory, highest=memory.highest - 1)) if ended and memory else decision


def forgetting_numbers() -> Kinds:
    """A job that is made anew counts its attempts from one."""
    return {**KINDS, "job": replace(KINDS["job"], reborn=None)}


def hasty(job: AnyKind, want: Want[Any], view: View[Any]) -> Decision[Any]:
    """An attempt that is being stopped is not waited for: the next one begins beside it."""
    things: Mapping[str, Any] = {part: thing for part, thing in view.things.items() if not thing.is_released}
    return job.decide(want, replace(view, things=things))
