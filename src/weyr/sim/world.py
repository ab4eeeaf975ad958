"""A stack's whole life in virtual time: the production loop, kinds, store and ledger over the simulated engine.

    world = SimWorld(KINDS, folder, seed=8841, loses_replies=0.2)
    world.up(text)
    world.run(600)
    world.check_never()

Only clock, engine and crashes are made up. `crash` drops everything that is not in the store, as a
killed server does; a crash may also come between an intent and its effect (`dies`).
"""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from weyr.core.capability import Provider, Refused, Wanted
from weyr.core.decision import Phase
from weyr.core.kind import Kinds
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present, Seen, TaskFacts, TaskState
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import Catalogue
from weyr.reconcile.apply import apply_plan, planning_world
from weyr.reconcile.effects import Effects
from weyr.reconcile.loop import Loop, phases
from weyr.reconcile.orphans import sweep
from weyr.reconcile.world import World
from weyr.sim.clock import VirtualClock
from weyr.sim.engine import SimEngine
from weyr.sim.scripts import Script
from weyr.sim.tasks import default_script
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow
from weyr.store.ledger import LedgerStore
from weyr.store.migrate import migrate

STEP_MAX_S = 5.0
SWEEP_EVERY_S = 60.0

T = TypeVar("T")
R = TypeVar("R")


class Died(BaseException):
    """The simulated server was killed; nothing but the store is left of it.

    No ordinary exception: nobody who guards against a broken engine may survive a kill by it.
    """


class SimWorld:
    """`dies` is the chance of a crash around each call of an engine."""

    def __init__(
        self,
        kinds: Kinds,
        folder: Path,
        seed: int = 0,
        loses_replies: float = 0.0,
        delays: float = 0.0,
        crashes: float = 0.0,
        dies: float = 0.0,
        scripts: Callable[[Wanted], Script] = default_script,
    ) -> None:
        self.kinds = kinds
        self.clock = VirtualClock()
        self.engine = SimEngine(self.clock, seed, loses_replies, delays, crashes, scripts=scripts)
        self.db = Database(folder / f"world-{seed}.db")
        migrate(self.db)
        self.catalogue = Catalogue.shipped()
        self.ledger = Ledger(LedgerStore(self.db), self.catalogue)
        self._chance = random.Random(f"{seed} crashes")
        self.dies = dies
        self.deaths = 0
        self._next_sweep = self.clock() + SWEEP_EVERY_S
        self.loop = self._loop()

    def up(self, text: str) -> None:
        """Plans a stack file and applies the plan."""
        stack = parse_stack(text, "/sim/weyr.yaml", self.kinds)
        world = planning_world(self.loop.world, self.db, stack.name)
        plan = make_plan(stack, world, self.kinds, self.catalogue.book(stack.price_as))
        apply_plan(self.loop.world, self.db, self.kinds, plan, "/sim/weyr.yaml", "/sim", self.clock())

    def down(self, stack: str) -> None:
        """Plans that nothing is left of a stack, and applies the plan."""
        row = self.loop.world.stacks[stack]
        world = planning_world(self.loop.world, self.db, stack)
        plan = make_plan(None, world, self.kinds, self.catalogue.book(row.price_as))
        apply_plan(self.loop.world, self.db, self.kinds, plan, row.file, "/sim", self.clock())

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Lets time pass, with all that is due in it. Gives whether `until` came true; it ends the run then.

        The checks of `check_never` hold at every step.
        """
        end = self.clock() + seconds
        while self.clock() < end:
            due = self._tick()
            self.check_never()
            if until is not None and until():
                return True
            wait_s = STEP_MAX_S if due is None else due - self.clock()
            self.clock.advance(min(max(wait_s, 0.01), STEP_MAX_S, max(end - self.clock(), 0.01)))
        return until is not None and until()

    def crash(self) -> None:
        """Kills the server: what is not in the store is gone."""
        self.deaths += 1
        self.loop = self._loop()

    def stop_faults(self) -> None:
        """From now on the world is kind; what was delayed still comes."""
        self.engine.faults.stop()
        self.dies = 0.0

    def phases(self, stack: str) -> Mapping[str, Phase]:
        return {str(ref): phase for ref, phase in phases(self.loop.world, stack).items()}

    def story(self, stack: str = "") -> list[EventRow]:
        with self.db.read() as connection:
            return list(kernel.events_after(connection, stack=stack, limit=10_000))

    def is_empty(self) -> bool:
        """Whether nothing is left: no object, no thing at any engine, no open meter."""
        held = [id for shelf in self.engine.shelves for id in shelf.held()]
        return not self.loop.world.objects and not held and not self.ledger.open_meters()

    def check_never(self) -> None:
        """What must never be, checked against the engine's own books. Raises: AssertionError with the story."""
        for ref, ids in self._live_tasks().items():
            if ref.kind == "job":
                assert len(ids) <= 1, self._tell(f"two attempts of {ref} are alive at once: {ids}")
        metered = {(meter.thing.ref, meter.thing.part) for meter in self.ledger.open_meters()}
        for ref, ids in self._live_tasks().items():
            for id in ids:
                assert (ref, id.part) in metered, self._tell(f"{id} runs without a meter")

    def mortally(self, call: Callable[[T], R], batch: T) -> R:
        """One call of an engine, with death waiting before and after it. Raises: Died."""
        if self._chance.random() < self.dies:
            raise Died
        answer = call(batch)
        if self._chance.random() < self.dies:
            raise Died
        return answer

    def _tick(self) -> float | None:
        try:
            if self.clock() >= self._next_sweep:
                self._next_sweep = self.clock() + SWEEP_EVERY_S
                sweep(self.loop.world, self.loop.effects)
            return self.loop.tick(self.clock())
        except Died:
            self.crash()
            return self.clock()

    def _loop(self) -> Loop:
        providers = {name: _Mortal(shelf, self) for name, shelf in self.engine.providers.items()}
        effects = Effects(providers, lambda _event, /, **_fields: None)
        return Loop(self.db, self.kinds, effects, self.ledger, World.load(self.db))

    def _live_tasks(self) -> dict[Ref, list[ThingId]]:
        """The tasks whose process lives now, as the engine itself knows."""
        live: dict[Ref, list[ThingId]] = {}
        for id in self.engine.tasks.held():
            match self.engine.tasks.peek(id):
                case Present(facts=TaskFacts(state=TaskState.RUNNING)):
                    live.setdefault(id.ref, []).append(id)
                case _:
                    continue
        return live

    def _tell(self, what: str) -> str:
        lines = [f"{event.at - 1e9:9.2f}  {event.ref}  {event.event}  {event.message}" for event in self.story()]
        return "\n".join([what, *lines[-60:]])


class _Mortal:
    """An engine's door in a server that may be killed on its way in or out."""

    def __init__(self, provider: Provider, world: SimWorld) -> None:
        self.capability = provider.capability
        self._provider, self._world = provider, world

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        return self._world.mortally(self._provider.observe, ids)

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        return self._world.mortally(self._provider.ensure, wanted)

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        return self._world.mortally(self._provider.release, ids)

    def inventory(self) -> Sequence[ThingId]:
        return self._provider.inventory()
