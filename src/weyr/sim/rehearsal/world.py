"""How does a stack's week go? Its real kinds, scheduling, store and ledger over the simulated engine, and arrivals.

    rehearsal = Rehearsal(KINDS, stack, arrivals, setting, folder)
    outcome = rehearsal.run()

A job that arrivals name runs when they say, each run an object of its own beside the others; one that they do not name
runs once at the beginning, as `weyr up` has it, or by its schedule. Nothing fails but what the setting says.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weyr.core.capability import Capability, Provider, TaskBody, Wanted
from weyr.core.decision import Phase
from weyr.core.diagnostic import UserError
from weyr.core.kind import Kinds
from weyr.core.pools import NodeBody
from weyr.core.ref import Ref, ThingId
from weyr.core.schema import to_json
from weyr.core.units import HOUR_S
from weyr.ledger.prices import Catalogue
from weyr.reconcile.apply import apply_plan, planning_world
from weyr.reconcile.effects import Effects
from weyr.reconcile.loop import Loop
from weyr.reconcile.scheduler import Scheduler
from weyr.reconcile.world import World
from weyr.sim.chance import chance_of
from weyr.sim.clock import VirtualClock
from weyr.sim.engine import SimEngine
from weyr.sim.rehearsal.arrivals import SERVING, Arrivals, JobArrival
from weyr.sim.rehearsal.bells import Bells, RingingNodes, RingingTasks, ToldRoutes
from weyr.sim.rehearsal.books import ForgetfulScaling, QuickDatabase, WholeLedger
from weyr.sim.rehearsal.calm import CalmAgenda
from weyr.sim.rehearsal.doors import Doors
from weyr.sim.rehearsal.quick_ledger import QuickLedgerStore
from weyr.sim.rehearsal.setting import CALM_FROM_S, Setting
from weyr.sim.rehearsal.storage import Storage
from weyr.sim.rehearsal.triggers import with_triggered
from weyr.sim.rehearsal.weather import Weather
from weyr.sim.scripts import Script
from weyr.sim.tasks import FOREVER_S
from weyr.stack.costs import Known
from weyr.stack.plan import make_plan
from weyr.stack.stack import Stack
from weyr.store.kernel import ObjectRow

MINUTE_S = 60.0
LAST_S = 1.0
"""So long before the end buckets are looked at for the last time."""
STEP_MIN_S = 0.001
COUNTED_S = 1.0
"""After its start a task was looked at, so that its meters run."""
OVER = (Phase.DONE, Phase.FAILED, Phase.SKIPPED)
FILE = "weyr.yaml"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job that somebody asked for."""

    ref: Ref
    of: str
    at: float
    takes_s: float


class Rehearsal:
    """Takes the kinds, a stack, who comes, what else is assumed, and a folder for its store."""

    def __init__(self, kinds: Kinds, stack: Stack, arrivals: Arrivals, setting: Setting, folder: Path) -> None:
        self.kinds, self.stack, self.setting = kinds, stack, setting
        self.arrivals = arrivals = with_triggered(stack, arrivals, setting.takes_of)
        self.clock = VirtualClock(setting.began_at)
        self.end = setting.began_at + setting.length_s
        self.bells = Bells()
        self.engine = SimEngine(self.clock, setting.seed, scripts=self._script)
        self.db = QuickDatabase.fresh(folder / f"rehearsal-{setting.seed}.db")
        self.catalogue = Catalogue.shipped()
        self.meters = QuickLedgerStore(self.db)
        self.ledger = WholeLedger(self.meters, self.catalogue)
        self.runs: dict[Ref, Run] = {}
        self.ended: dict[Ref, Phase] = {}
        self._runs_left: dict[Ref, float] = {}
        self._numbers: dict[str, int] = {}
        self._readies: dict[Ref, random.Random] = {}
        self._texts: dict[str, str] = {}
        self._budgets = [ref for ref in stack.objects if ref.kind == "budget"]
        self._asked: set[str] = {each.name for each in arrivals.jobs}
        serving = [ref for ref in stack.objects if ref.kind in SERVING]
        calm = (len(serving) + len(arrivals.jobs) / 100) * setting.length_s > CALM_FROM_S
        self.is_calm = calm if setting.is_calm is None else setting.is_calm
        self.world = self._world()
        self.loop = self._loop()
        self.doors = Doors(stack, setting, self.engine, self.bells, self.stir)
        self.storage = Storage(stack, arrivals.moves, self.engine.buckets)

    def run(self, progress: Callable[[float], None] = lambda _share: None) -> None:
        """From the first plan to the end; `progress` is told how much of the time is over."""
        self._up()
        self._line_up()
        setting, clock = self.setting, self.clock
        while clock.now() < self.end:
            due = self.world.due.next()
            if due is not None and due <= clock.now():
                due = self.loop.tick(clock.now())
                assert self.loop.world is self.world, "the store failed in a rehearsal"
            soonest = min(self.bells.next(), self.end, due if due is not None else self.end)
            clock.advance(max(soonest - clock.now(), STEP_MIN_S))
            for what in self.bells.rung(clock.now()):
                if isinstance(what, Ref):
                    self.world.wake([what], clock.now())
                else:
                    what()
            progress(min(1.0, (clock.now() - setting.began_at) / setting.length_s))
        self.doors.finish(self.end)
        self._note_ended()

    def close(self) -> None:
        self.db.close()

    # --- what is there

    def _world(self) -> World:
        world = World.load(self.db)
        if self.is_calm:
            world.due = CalmAgenda(clock=self.clock, budget_s=self._budget_s)
        return world

    def _loop(self) -> Loop:
        engine, setting = self.engine, self.setting
        engine.pool_nodes.starts_after_s = setting.starts.node_s
        tasks = RingingTasks(engine.tasks, self.bells, self.clock)
        self.weather = Weather(setting, engine, tasks, self.bells, self.world, self.stir)
        tasks.began = self._task_began
        nodes = RingingNodes(engine.pool_nodes, self.bells, self._node_began)
        scheduler = Scheduler(tasks, setting.room, self.clock, (), nodes)
        told = {Capability.TRAFFIC: ToldRoutes(engine.routes)}
        providers: Mapping[Capability, Provider] = {**engine.providers, **told, **scheduler.providers}
        effects = Effects(providers, lambda _event, /, **_fields: None, scheduler.rung)
        scaling = ForgetfulScaling(tick_max_s=7200.0, forgotten_s=7200.0) if self.is_calm else ForgetfulScaling()
        return Loop(self.db, self.kinds, effects, self.ledger, self.world, scaling=scaling)

    def _up(self) -> None:
        """Applies the file's plan, but for the jobs that come when somebody asks. Raises: UserError."""
        stack, now = self.stack, self.clock.now()
        world = planning_world(self.world, self.db, stack.name)
        # What becomes of a budget that is passed is seen only where a plan may pass it.
        plan = make_plan(stack, world, self.kinds, self.catalogue.book(stack.price_as), known=Known(may_pass=True))
        if plan.fatal:
            raise UserError(*plan.fatal)
        steps = tuple(step for step in plan.steps if not self._is_asked(step.ref))
        apply_plan(self.world, self.db, self.kinds, replace(plan, steps=steps), FILE, "/", now)
        for ref in stack.objects:
            if ref.kind == "secret":
                self.engine.secrets.put(ThingId(ref))
            elif ref.kind == "model":
                self._stock(ref)
            elif ref.kind == "job" and not self._is_asked(ref):
                self._note_run(ref, now)

    def _note_run(self, job: Ref, now: float) -> None:
        """One that the plan itself begins is told of as those are that somebody asks for."""
        spec: Any = self.stack.objects[job].spec
        if spec.schedule is None:
            self.runs[job], self._runs_left[job] = Run(job, job.name, now, self._takes_s(job)), now

    def _stock(self, model: Ref) -> None:
        """A model that no job of the stack makes has a version already; one without a gate is moved by hand."""
        objects = self.stack.objects
        makers = [ref for ref, each in objects.items() if ref.kind == "job" and model in each.needs]
        if not makers:
            self._register(model)

    def _register(self, model: Ref) -> None:
        spec: Any = self.stack.objects[model].spec
        name = spec.name or f"{model.stack}-{model.name}"
        metrics = {metric: _passing(rule) for metric, rule in spec.promote_if.items()}
        version = self.engine.models.register(name, f"s3://rehearsal/{name}", metrics)
        if not metrics:
            self.engine.models.moved[name] = ((spec.alias, version),)

    def _is_asked(self, ref: Ref) -> bool:
        return ref.kind == "job" and ref.name in self._asked

    # --- who comes

    def _line_up(self) -> None:
        began = self.clock.now()
        if self.arrivals.jobs:
            self.bells.at(began + self.arrivals.jobs[0].at_s, lambda: self._arrive(0))
        for name, bursts in self.arrivals.requests.items():
            self.doors.open(name, [burst for burst in bursts if burst.at_s < self.setting.length_s])
        if self.arrivals.moves or self.doors.is_sending:
            self.bells.at(min(began + MINUTE_S, self.end - LAST_S), self._store)
        if self.is_calm:
            self.bells.at(began + MINUTE_S, self._minute)
        self.bells.at(began + MINUTE_S, self._clear)
        self.weather.begin()

    def _arrive(self, number: int) -> None:
        """A run is asked for: an object beside the others, as the file has it. Then the next one."""
        jobs, now = self.arrivals.jobs, self.clock.now()
        while number < len(jobs) and self.setting.began_at + jobs[number].at_s <= now:
            self._submit(jobs[number], now)
            number += 1
        if number < len(jobs):
            self.bells.at(self.setting.began_at + jobs[number].at_s, lambda: self._arrive(number))

    def _submit(self, job: JobArrival, now: float) -> None:
        stack, of = self.stack.name, Ref(self.stack.name, "job", job.name)
        number = self._numbers[job.name] = self._numbers.get(job.name, 0) + 1
        ref = of if number == 1 else Ref(stack, "job", f"{job.name[:32]}-{number}")
        item = self.stack.objects[of]
        self.world.put(ObjectRow(ref, self._spec_text(job.name), 1, "/", item.needs, changed_at=now))
        self.world.wake([ref], now)
        self.runs[ref] = Run(ref, job.name, now, job.takes_s)
        self._runs_left[ref] = now

    def _spec_text(self, job: str) -> str:
        """What every run of a job is to do, written once."""
        if job not in self._texts:
            spec = self.stack.objects[Ref(self.stack.name, "job", job)].spec
            self._texts[job] = to_json(self.kinds["job"].spec, spec)
        return self._texts[job]

    def _minute(self) -> None:
        self.doors.look(self.clock.now())
        self.bells.at(self.clock.now() + MINUTE_S, self._minute)

    def _store(self) -> None:
        """What buckets were asked since the last time, and what answers took elsewhere."""
        now = self.clock.now()
        for ref in (*self.storage.advance(now - self.setting.began_at), *self.doors.send()):
            self.world.wake([ref], now)
        step_s = HOUR_S if self.is_calm else MINUTE_S
        if now < self.end - LAST_S:
            self.bells.at(min(now + step_s, self.end - LAST_S), self._store)

    def stir(self, ref: Ref) -> None:
        """Something that it should know of has happened."""
        if isinstance(self.world.due, CalmAgenda) and ref in self.world.objects:
            self.world.due.stir(ref)
        else:
            self.world.wake([ref], self.clock.now())

    # --- who goes

    def _clear(self) -> None:
        """Takes down runs that are over, as whoever asked for them would: what is left would be looked at for ever."""
        now, rows = self.clock.now(), list[ObjectRow]()
        self._note_ended()
        for ref in [ref for ref in self._runs_left if ref in self.ended]:
            row = self.world.objects[ref]
            if self.world.things_of(ref):
                continue
            del self._runs_left[ref]
            if ref.name != self.runs[ref].of:
                rows.append(replace(row, spec=None, generation=row.generation + 1, changed_at=now))
        for row in rows:
            self.world.put(row)
            self.world.wake([row.ref], now)
        self.bells.at(now + MINUTE_S, self._clear)

    def _note_ended(self) -> None:
        for ref in self._runs_left:
            if ref in self.world.objects and (phase := self.world.phase(ref)) in OVER:
                self.ended[ref] = phase

    # --- what happens to tasks and nodes

    def _script(self, want: Wanted) -> Script:
        """What a task's program does: a run works for as long as it was said to, whatever serves goes on."""
        body, starts, ref = want.body, self.setting.starts, want.id.ref
        assert isinstance(body, TaskBody), f"{want.id} is no task"
        after_s = starts.task_s + self.weather.spot_s() if body.is_spot and not body.node else starts.task_s
        if ref.kind != "job":
            ready_s = self._ready_s(ref)
            return Script(FOREVER_S, starts_after_s=after_s, ready_after_s=ready_s, stop_s=self.setting.stops_s)
        takes_s = self._takes_s(ref)
        startup = starts.startup_of.get(f"job/{self.runs[ref].of if ref in self.runs else ref.name}")
        startup_s = min(startup.takes_s, takes_s) if startup else 0.0
        return Script(
            takes_s - startup_s, starts_after_s=after_s, stop_s=self.setting.stops_s,
            metrics=self._metrics(ref, body), startup_s=startup_s,
        )  # fmt: skip

    def _ready_s(self, ref: Ref) -> float:
        """What this start takes: one of those that were seen."""
        seen = self.setting.starts.ready_of.get(str(ref))
        if not seen:
            return self.setting.starts.ready_s
        chance = self._readies.setdefault(ref, chance_of(self.setting.seed, f"ready/{ref}"))
        return chance.choice(seen)

    def _node_began(self, id: ThingId, body: NodeBody) -> None:
        self.weather.node_began(id, body)
        self._spends_more(self.clock.now())
        self._spends_more(self.clock.now() + self.setting.starts.node_s)

    def _task_began(self, id: ThingId, body: TaskBody) -> None:
        self.weather.task_began(id, body)
        self._spends_more(self.engine.tasks.moments(id)[0])
        if body.checkpoint and self.engine.tasks.restored_of(id):
            of = Ref(id.ref.stack, "job", self.runs[id.ref].of if id.ref in self.runs else id.ref.name)
            spec: Any = self.stack.objects[of].spec
            is_first = body.gang is None or body.gang.rank == 0
            self.storage.resumed(spec.checkpoint.bucket.ref(id.ref.stack), is_first)

    def _takes_s(self, ref: Ref) -> float:
        run = self.runs.get(ref)
        if run is not None:
            return run.takes_s
        spec: Any = self.stack.objects[ref].spec
        return self.setting.takes_of.get(str(ref)) or float(spec.expected_duration or 0.0)

    def _metrics(self, ref: Ref, body: TaskBody) -> Mapping[str, float]:
        """What its version is told to reach: the gate is taken to be passed."""
        run = self.runs.get(ref)
        item = self.stack.objects[Ref(ref.stack, "job", run.of) if run else ref]
        spec: Any = item.spec
        if not body.model or spec.produces is None:
            return {}
        model: Any = self.stack.objects[spec.produces.ref(ref.stack)].spec
        if not model.promote_if:
            self.engine.models.moved.setdefault(body.model, ((model.alias, 1),))
        return {metric: _passing(rule) for metric, rule in model.promote_if.items()}

    # --- money

    def _spends_more(self, at: float) -> None:
        """From a moment on an hour costs more: for how long no budget can be passed was reckoned without that."""
        if self.is_calm and at < self.end:
            for ref in self._budgets:
                self.bells.at(at + COUNTED_S, ref)

    def _budget_s(self, ref: Ref) -> float:
        """For how long a budget cannot pass the next tenth of its limit, at twice what is spent now; with a period it
        begins anew."""
        spend, spec = self.ledger.last_spend, self.stack.objects[ref].spec
        limit: Any = getattr(spec, "limit", None)
        if spend is None or limit is None or not limit.micros:
            return 2.0
        tenth = max(1, limit.micros // 10)
        left = tenth - spend.micros % tenth
        per_s = max(self.ledger.rate(ref.stack), 1) / 3600
        return float(min(max(min(left / per_s / 2, spend.ends_at - self.clock.now()), 2.0), 1800.0))


def _passing(rule: str) -> float:
    """A value that passes a gate's rule, such as `>= 0.95`."""
    sign, _, number = rule.strip().partition(" ")
    value = float(number or sign.lstrip("<>=!"))
    return value + (1e-6 if ">" in sign else -1e-6 if "<" in sign else 0.0)
