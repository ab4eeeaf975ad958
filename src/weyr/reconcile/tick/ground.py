"""What does a pass stand on? What each of its steps reads and writes, and the two things that all of them do."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from weyr.core.decision import Note
from weyr.core.kind import Kinds, Usage
from weyr.core.ref import Ref
from weyr.reconcile.allowances import Allowances
from weyr.reconcile.effects import Effects
from weyr.reconcile.parsed import Parsed
from weyr.reconcile.ports import LedgerPort
from weyr.reconcile.scaling import Scaling
from weyr.reconcile.world import World
from weyr.reconcile.writes import Writes
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow, ThingRow


@dataclass(slots=True)
class Ground:
    """The world and all that changes it.

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
        self.ledger.forget()
        self._allowances = Allowances(self.ledger, self.kinds, self._parsed)
        with self.db.read() as connection:
            self.scaling.stored = kernel.all_learnt(connection)

    def _drop_thing(self, writes: Writes, thing: ThingRow, now: float) -> None:
        self.ledger.close(writes.connect(), thing.id.ref, thing.id.part, now)
        self._metered.pop(thing.id.ref, None)
        writes.drop_thing(thing.id)
        self.world.drop_thing(thing.id)
        self._allowances.settled(self.world)

    def _tell_story(self, writes: Writes, ref: Ref, notes: Sequence[Note], now: float) -> None:
        plan = stack.plan_id if (stack := self.world.stacks.get(ref.stack)) else ""
        writes.add_events([EventRow(now, ref.stack, str(ref), plan, note.event, note.message) for note in notes])
        for note in notes:
            self.effects.log(note.event, ref=ref.absolute, plan=plan, message=note.message)
