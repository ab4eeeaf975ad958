"""A stack's whole life in virtual time: the production loop, kinds, store and ledger over the simulated engine.

    world = SimWorld(KINDS, folder, seed=8841, loses_replies=0.2)
    world.up(text)
    world.run(600)
    world.check_never()

Only clock, engine and crashes are made up. `crash` drops everything that is not in the store, as a
killed server does; a crash may also come between an intent and its effect (`dies`).
"""

import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from weyr.core.capability import Answers, Provider, Wanted
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
from weyr.sim.bills import End, bills
from weyr.sim.checks import EVENTUALLY, LEDGER, NEVER, wrong_bill
from weyr.sim.clock import VirtualClock
from weyr.sim.engine import SimEngine
from weyr.sim.scripts import Script
from weyr.sim.snapshot import Breach, Held, Snapshot
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

_METERED = "SELECT DISTINCT stack, kind, name, part FROM meters WHERE closed_ms IS NULL"

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
        crashes: float = 0.0,
        dies: float = 0.0,
        scripts: Callable[[Wanted], Script] = default_script,
        delays: float = 0.0,
        repeats: float = 0.0,
        loop: type[Loop] = Loop,
    ) -> None:
        self.kinds = kinds
        self.clock = VirtualClock()
        self.engine = SimEngine(self.clock, seed, loses_replies, delays, crashes, repeats, scripts=scripts)
        self.seed = seed
        self.replay = f"python -m weyr.sim.replay --seed {seed}"
        self.db = _fresh_database(folder / f"world-{seed}.db")
        self.catalogue = Catalogue.shipped()
        self.ledger = Ledger(LedgerStore(self.db), self.catalogue)
        self._chance = random.Random(f"{seed} crashes")
        self.dies = dies
        self.deaths = 0
        self._next_sweep = self.clock() + SWEEP_EVERY_S
        self._loop_type = loop
        self._before = Snapshot(self.clock())
        self._heard: set[End] = set()
        self.told: set[End] = set()
        """The tasks whose end the loop heard of, and lived to write down."""
        self.loop = self._loop()

    def up(self, text: str) -> None:
        """Plans a stack file and applies the plan."""
        stack = parse_stack(text, "/sim/weyr.yaml", self.kinds)
        world = planning_world(self.loop.world, self.db, stack.name)
        plan = make_plan(stack, world, self.kinds, self.catalogue.book(stack.price_as))
        apply_plan(self.loop.world, self.db, self.kinds, plan, "/sim/weyr.yaml", "/sim", self.clock())
        self.check_never()

    def down(self, stack: str) -> None:
        """Plans that nothing is left of a stack, and applies the plan."""
        row = self.loop.world.stacks[stack]
        world = planning_world(self.loop.world, self.db, stack)
        plan = make_plan(None, world, self.kinds, self.catalogue.book(row.price_as))
        apply_plan(self.loop.world, self.db, self.kinds, plan, row.file, "/sim", self.clock())
        self.check_never()

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
        """What must never be, checked against the engine's own books. Raises: Broken."""
        now = self.snapshot()
        for name, check in NEVER.items():
            for breach in check(self._before, now):
                raise self.broken(name, breach)
        self._before = now

    def check_settled(self, within_s: float) -> None:
        """With faults off, everything comes to rest and nothing is left over. Raises: Broken."""
        if not self.run(within_s, until=lambda: self._unsettled() is None):
            name, breach = self._unsettled() or ("every stack settles", Breach(Ref("", "", ""), ""))
            raise self.broken(name, breach)

    def check_bills(self) -> None:
        """Once all is gone: the journal is the integral of what the engine says ran. Raises: Broken."""
        for bill in bills(LedgerStore(self.db), self.engine.tasks.ran(), self.told):
            breach = wrong_bill(bill)
            if breach:
                raise self.broken(LEDGER, breach)

    def snapshot(self) -> Snapshot:
        """The loop's books beside the engine's own, as of now."""
        world = self.loop.world
        with self.db.read() as connection:
            metered = connection.exec_driver_sql(_METERED).all()
        tasks = self.engine.tasks
        live = (id for id in tasks.held() if _lives(tasks.peek(id)))
        return Snapshot(
            self.clock(),
            dict(world.objects),
            {thing.id: thing.generation for parts in world.things.values() for thing in parts.values()},
            frozenset(ThingId(Ref(row[0], row[1], row[2]), row[3]) for row in metered),
            {id: Held(generation, life) for shelf in self.engine.shelves for id, generation, life in shelf.book()},
            tuple(live),
        )

    def broken(self, name: str, breach: Breach) -> "Broken":
        """A failed check, with all that a reader needs to play it again."""
        return Broken(name, self.seed, breach, self.replay, self._tell(breach.ref))

    def hear(self, ended: Iterable[End]) -> None:
        """The loop is told that these ended; unless it dies now, it writes that down."""
        self._heard.update(ended)

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
                self._sweep()
            due = self.loop.tick(self.clock())
            self.told |= self._heard
            self._heard.clear()
            return due
        except Died:
            self._heard.clear()
            self.crash()
            return self.clock()

    def _loop(self) -> Loop:
        providers = {name: _Mortal(shelf, self) for name, shelf in self.engine.providers.items()}
        effects = Effects(providers, lambda _event, /, **_fields: None)
        return self._loop_type(self.db, self.kinds, effects, self.ledger, World.load(self.db))

    def _sweep(self) -> None:
        sweep(self.loop.world, self.loop.effects)

    def _unsettled(self) -> tuple[str, Breach] | None:
        now = self.snapshot()
        return next(((name, breach) for name, check in EVENTUALLY.items() for breach in check(now)), None)

    def _tell(self, about: Ref) -> str:
        story = [event for event in self.story(about.stack) if event.ref in ("", str(about)) or not about.name]
        return "\n".join(f"{event.at - 1e9:9.2f}  {event.ref}  {event.event}  {event.message}" for event in story[-60:])


class Broken(AssertionError):
    """A check that failed: its name, the seed, the command that plays it again, the story of the object."""

    def __init__(self, name: str, seed: int, breach: Breach, replay: str, story: str) -> None:
        self.name, self.seed, self.breach = name, seed, breach
        super().__init__(f"{name}: {breach.ref}: {breach.what}\nseed {seed}; play it again: {replay}\n{story}")


def _lives(seen: Seen) -> bool:
    match seen:
        case Present(facts=TaskFacts(state=TaskState.RUNNING)):
            return True
        case _:
            return False


def _ends(id: ThingId, seen: Seen) -> Iterator[End]:
    match seen:
        case Present(facts=TaskFacts(state=TaskState.ENDED, started_at=started_at)):
            yield id, started_at
        case _:
            return


def _fresh_database(path: Path) -> Database:
    """A database as it is after its migrations. They run once for each process: they take as long as a world."""
    if not _TEMPLATE:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "template.db"
            template = Database(file)
            migrate(template)
            template.close()
            _TEMPLATE.append(file.read_bytes())
    path.write_bytes(_TEMPLATE[0])
    return Database(path)


_TEMPLATE: list[bytes] = []


class _Mortal:
    """An engine's door in a server that may be killed on its way in or out."""

    def __init__(self, provider: Provider, world: SimWorld) -> None:
        self.capability = provider.capability
        self._provider, self._world = provider, world

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        found = self._world.mortally(self._provider.observe, ids)
        self._world.hear(end for id, seen in found.items() for end in _ends(id, seen))
        return found

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        return self._world.mortally(self._provider.ensure, wanted)

    def release(self, ids: Sequence[ThingId]) -> Answers:
        return self._world.mortally(self._provider.release, ids)

    def inventory(self) -> Sequence[ThingId]:
        return self._provider.inventory()
