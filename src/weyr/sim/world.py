"""A stack's whole life in virtual time: the production loop, kinds, store and ledger over the simulated engine.

    world = SimWorld(KINDS, folder, seed=8841, trouble=Trouble(calls=FaultRates(loses_replies=0.2)))
    world.up(text)
    world.run(600)
    world.check_never()

Only clock, engine and accidents are made up. `crash` drops everything that is not in the store, as a killed server
does; `cut_power` takes with it what was not synced, and the tasks of the server's machine. Either may also come between
any two steps (`trouble`).
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from weyr.core.capability import Capability, Provider, Wanted
from weyr.core.decision import Phase
from weyr.core.diagnostic import Fenced, StoreError
from weyr.core.kind import Kinds
from weyr.core.ref import Ref
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import Catalogue
from weyr.reconcile.apply import apply_plan, planning_world
from weyr.reconcile.effects import Effects
from weyr.reconcile.loop import Loop
from weyr.reconcile.orphans import sweep
from weyr.reconcile.scheduler import Scheduler
from weyr.reconcile.world import World, phases
from weyr.sim.bills import End, bills
from weyr.sim.broken import LINES_MAX, Broken, Incident, told
from weyr.sim.chance import chance_of
from weyr.sim.checks import EVENTUALLY, LEDGER, MEMORY, NEVER, PLAN, SHARES, differing, wrong_bill, wrong_shares
from weyr.sim.clock import VirtualClock
from weyr.sim.doors import Door
from weyr.sim.engine import SimEngine
from weyr.sim.scripts import Script
from weyr.sim.share_bills import node_bills
from weyr.sim.snapshot import Breach, Snapshot, Witness
from weyr.sim.store import Died, SimDatabase, StoreFate, fresh_database
from weyr.sim.tasks import default_script
from weyr.sim.trouble import Trouble
from weyr.stack.costs import Known
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.stack import Stack
from weyr.store import kernel
from weyr.store.database import Database
from weyr.store.kernel import EventRow
from weyr.store.ledger import LedgerStore

STEP_MAX_S = 5.0
SWEEP_EVERY_S = 60.0
AFTER_FAILURE_S = 1.0
SLEEP_S = 15.0
"""How long a server that does not get to run is away, about."""

FILE, FOLDER = "/sim/weyr.yaml", "/sim"

T = TypeVar("T")
R = TypeVar("R")


class SimWorld:
    """Takes the kinds, a folder for its store, a seed, the trouble to expect, and what each task does.

    `loop`, `scheduler`, `ledger` and `database` stand in for the production ones and the simulated store, where a test
    breaks them on purpose.
    """

    def __init__(
        self,
        kinds: Kinds,
        folder: Path,
        seed: int = 0,
        trouble: Trouble | None = None,
        scripts: Callable[[Wanted], Script] = default_script,
        loop: type[Loop] = Loop,
        database: type[SimDatabase] = SimDatabase,
        scheduler: type[Scheduler] = Scheduler,
        ledger: type[Ledger] = Ledger,
    ) -> None:
        trouble = trouble or Trouble()
        self.kinds = kinds
        self.clock = VirtualClock()
        self.engine = SimEngine(self.clock, seed, trouble.calls, scripts, trouble.nodes)
        self.engine.routes.requests_per_s = 10  # a canary has what it waits for
        self.seed = seed
        self.replay = f"python -m weyr.sim.replay --seed {seed}"
        self._fate = StoreFate(seed, trouble.store)
        self.db: Database = fresh_database(folder / f"world-{seed}.db", seed, self._fate, database)
        self.catalogue = Catalogue.shipped()
        self.ledger = ledger(LedgerStore(self.db), self.catalogue)
        self.dies, self.oversleeps, self.room = trouble.dies, trouble.oversleeps, trouble.room
        self._kills, self._clock_chance = chance_of(seed, "kills"), chance_of(seed, "clock")
        self.deaths = 0
        self.incidents: list[Incident] = []
        self._next_sweep = self.clock() + SWEEP_EVERY_S
        self._loop_type, self._scheduler_type = loop, scheduler
        self._witness = Witness(self.engine)
        self._before = Snapshot(self.clock())
        self._heard: set[End] = set()
        self._unsynced: set[End] = set()
        self.owner = self.team = ""
        """Who applies the next plan, and of which team that is."""
        self.told: set[End] = set()
        """The tasks whose end the loop heard of, and lived to write down for good."""
        self.loop = self._loop()

    def up(self, text: str) -> None:
        """Plans a stack file and applies the plan. A server that dies or a store that fails on the way leaves it
        open whether that was done, as it does to a user."""
        stack = parse_stack(text, FILE, self.kinds)
        self._apply(stack.name, stack, stack.price_as)

    def down(self, stack: str) -> None:
        """Plans that nothing is left of a stack, and applies the plan."""
        self._apply(stack, None, self.loop.world.stacks[stack].price_as)

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
            wait_s = min(STEP_MAX_S if due is None else due - self.clock(), STEP_MAX_S)
            if self.oversleeps and self._clock_chance.random() < self.oversleeps:
                wait_s += self._clock_chance.expovariate(1 / SLEEP_S)
            self.clock.advance(min(max(wait_s, 0.01), max(end - self.clock(), 0.01)))
        return until is not None and until()

    def crash(self) -> None:
        """Kills the server: what is not in the store is gone."""
        self._perish(Died("from outside"))

    def cut_power(self) -> None:
        """The server's machine goes down and comes back: what was not synced is gone, and the tasks that ran here."""
        self._perish(Died("from outside", is_power_cut=True))

    def stop_faults(self) -> None:
        """From now on the world is kind; what was delayed still comes."""
        self.engine.stop_faults()
        self._fate.stop()
        self.dies = self.oversleeps = 0.0

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

    def check_memory(self) -> None:
        """Between two passes a kill would lose nothing. Raises: Broken."""
        breach = None if self.loop.world.is_stale else differing(self.loop.world, World.load(self.db))
        if breach:
            raise self.broken(MEMORY, breach)

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
        for shared in node_bills(LedgerStore(self.db), self.engine.tasks.ran(), self.engine.pool_nodes.sizes):
            breach = wrong_shares(shared)
            if breach:
                raise self.broken(SHARES, breach)

    def snapshot(self) -> Snapshot:
        """The loop's books beside the engine's own, as of now."""
        return self._witness.snapshot(self.clock(), self.loop.world, self.db)

    def broken(self, name: str, breach: Breach) -> Broken:
        """A failed check, with all that a reader needs to play it again."""
        return Broken(name, self.seed, breach, self.replay, self._tell(breach.ref))

    def hear(self, ended: Iterable[End]) -> None:
        """The loop is told that these ended; unless it dies now, it writes that down."""
        self._heard.update(ended)

    def mortally(self, call: Callable[[T], R], batch: T) -> R:
        """One call of an engine, with death waiting before and after it. Raises: Died."""
        if self.dies and self._kills.random() < self.dies:
            raise Died("before a call of an engine")
        answer = call(batch)
        if self.dies and self._kills.random() < self.dies:
            raise Died("after a call of an engine")
        return answer

    def _apply(self, name: str, stack: Stack | None, price_as: str) -> None:
        world = planning_world(self.loop.world, self.db, name)
        # What becomes of a budget that is passed is seen only where a plan may pass it.
        plan = make_plan(stack, world, self.kinds, self.catalogue.book(price_as), known=Known(may_pass=True))
        for finding in plan.fatal:
            raise self.broken(PLAN, Breach(Ref(name, "", ""), f"{finding.summary}: {finding.detail}"))
        try:
            apply_plan(self.loop.world, self.db, self.kinds, plan, FILE, FOLDER, self.clock(), self.owner, self.team)
        except Died as death:
            self._perish(death)
        except StoreError as error:
            self._note(f"a plan could not be applied: {error}")
        self.check_never()

    def _tick(self) -> float | None:
        try:
            if self.clock() >= self._next_sweep:
                self._next_sweep = self.clock() + SWEEP_EVERY_S
                self._sweep()
            due = self.loop.tick(self.clock())
        except Died as death:
            self._perish(death)
            return self.clock()
        except Fenced:
            raise
        except StoreError as error:
            self._heard.clear()
            self._note(f"a pass failed: {error}")
            return self.clock() + AFTER_FAILURE_S
        self._unsynced |= self._heard
        self._heard.clear()
        if not (isinstance(self.db, SimDatabase) and self.db.unsynced):
            self.told |= self._unsynced
            self._unsynced.clear()
        return due

    def _perish(self, death: Died) -> None:
        self.deaths += 1
        self._heard.clear()
        if death.is_power_cut:
            assert isinstance(self.db, SimDatabase), "only a simulated store loses what was not synced"
            self.engine.nodes.cut_power()
            lost = self.db.cut_power()
            self._note(f"the power fails, {death.when}; {lost} commits are lost")
            self._unsynced.clear()
        else:
            self._note(f"the server is killed, {death.when}")
        self.loop = self._loop()
        if death.is_power_cut:
            self._witness.take_as_known(self.loop.world)

    def _loop(self) -> Loop:
        world = World.load(self.db)
        self.engine.tasks.server_began()
        providers: dict[Capability, Provider] = {
            name: Door(shelf, self) for name, shelf in self.engine.providers.items()
        }
        effects = Effects(providers, lambda _event, /, **_fields: None)
        if self.room is not None:
            known = [thing for things in world.things.values() for thing in things.values()]
            tasks, nodes = providers[Capability.TASKS], providers[Capability.NODES]
            scheduler = self._scheduler_type(tasks, self.room, self.clock, known, nodes)
            effects = Effects(providers | scheduler.providers, effects.log, scheduler.rung)
        return self._loop_type(self.db, self.kinds, effects, self.ledger, world)

    def _sweep(self) -> None:
        sweep(self.loop.world, self.loop.effects)

    def _unsettled(self) -> tuple[str, Breach] | None:
        # What a step was checked by is what is there until the next one.
        now = self._before if self._before.at == self.clock() else self.snapshot()
        return next(((name, breach) for name, check in EVENTUALLY.items() for breach in check(now)), None)

    def _note(self, what: str) -> None:
        self.incidents.append(Incident(self.clock(), what))

    def _tell(self, about: Ref) -> str:
        story = [event for event in self.story(about.stack) if event.ref in ("", str(about)) or not about.name]
        return "\n".join(told(story, self.incidents)[-LINES_MAX:])
