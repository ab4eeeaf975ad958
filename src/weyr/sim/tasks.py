"""How do tasks run in a simulated world? By their scripts on nodes, in virtual time, with checkpoints that count."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from weyr.core.capability import Capability, Refused, TaskBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import EndReason, Present, Seen, TaskFacts, TaskState, Unknown
from weyr.sim.clock import VirtualClock
from weyr.sim.faults import Faults
from weyr.sim.nodes import Node, NodeRates, SimNodes
from weyr.sim.scripts import Ending, Script, Signals, ending_of
from weyr.sim.shelf import Shelf

FOREVER_S = 1e12


@dataclass(slots=True)
class _Run:
    """One simulated process."""

    body: TaskBody
    script: Script
    node: Node
    began_at: float
    done_s: float
    restored: str
    signals: Signals = field(default_factory=Signals)
    is_over: bool = False
    kept_s: float = 0.0
    """How much of its work its checkpoints have."""
    _worked_out: tuple[Script, Signals, float | None, Ending] | None = None

    @property
    def ending(self) -> Ending:
        """How it ends as things stand: every look asks, and mostly nothing has befallen it since the one before."""
        died_at, known = self.node.died_after(self.began_at), self._worked_out
        if known is None or known[0] is not self.script or known[1] is not self.signals or known[2] != died_at:
            known = self._worked_out = self.script, self.signals, died_at, self._ending(self.signals, died_at)
        return known[3]

    def _ending(self, signals: Signals, died_at: float | None) -> Ending:
        if died_at is not None and (signals.lost_at is None or died_at < signals.lost_at):
            signals = replace(signals, lost_at=died_at)
        return ending_of(self.script, self.body, self.began_at, self.done_s, signals)

    def recorded(self, at: float) -> float:
        """A moment by the clock of the task's node."""
        return at + self.node.skew_s


@dataclass(frozen=True, slots=True)
class Ran:
    """A process: from when to when it lived, truly; `ended_at` None: it still does. The engine's own record of both
    is by its node's clock, which is `skew_s` ahead. `reason` is why it ended; `kept_s`, how much of its work its
    checkpoints have, `startup_s` for how long it did none at first, and `restored`, which one it began from."""

    id: ThingId
    body: TaskBody
    began_at: float
    ended_at: float | None
    skew_s: float = 0.0
    reason: EndReason | None = None
    kept_s: float = 0.0
    startup_s: float = 0.0
    restored: str = ""

    @property
    def started_at(self) -> float:
        """When it began, as recorded."""
        return self.began_at + self.skew_s


@dataclass(slots=True)
class _Saved:
    """What a bucket's prefix holds: how much work is done, and how often it was saved."""

    done_s: float
    number: int

    @property
    def name(self) -> str:
        return f"{self.done_s:g}s#{self.number}"


def default_script(want: Wanted) -> Script:
    """A serving task serves until it is stopped; any other works for ten seconds and succeeds."""
    assert isinstance(want.body, TaskBody)
    return Script(work_s=FOREVER_S) if want.body.probe else Script()


class SimTasks(Shelf):
    """The TASKS capability. `succeeded` is told of every task that ends well."""

    capability = Capability.TASKS
    holds = TaskBody
    is_in_order = True

    def __init__(
        self,
        clock: VirtualClock,
        faults: Faults,
        scripts: Callable[[Wanted], Script] = default_script,
        succeeded: Callable[[ThingId, TaskBody, Script], None] = lambda *_: None,
        nodes: SimNodes | None = None,
    ) -> None:
        super().__init__(clock, faults)
        self._scripts, self._succeeded = scripts, succeeded
        self.nodes = nodes or SimNodes(clock, faults.seed, NodeRates())
        self._runs: dict[ThingId, _Run] = {}
        self._past: list[tuple[ThingId, _Run]] = []
        self._told: set[ThingId] = set()
        """Tasks whose end this server was told of: an engine's memory of that is its server's, and dies with it."""
        self._saved: dict[tuple[str, str], _Saved] = {}
        self.has_node: Callable[[str], bool] = lambda _: True
        """Whether a pool's node is there: what is to begin on one that is gone does not."""
        self.silent_until: Callable[[str], float] = lambda _: float("-inf")
        """Until when a pool's node does not answer: what is on it runs on, and is unknown."""
        self.starts: dict[ThingId, int] = {}
        """How often a process was begun for each id: never more than once."""

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        seen = super().observe(ids)
        self._told.update(id for id, what in seen.items() if _is_end(what))
        return seen

    def server_began(self) -> None:
        """Another server asks from now on, and was told of nothing yet."""
        self._told.clear()

    def reclaim(self, id: ThingId, notice_s: float) -> bool:
        """The task's spot node goes away. False where no such task runs; a second notice changes nothing."""
        run = self._runs.get(id)
        if run is None or self.nodes.is_silent(run.node) or self._settle(id, run).is_over:
            return False
        if run.signals.notice_at is not None:
            return True
        run.signals = replace(run.signals, notice_at=self._clock.now(), notice_s=notice_s)
        return True

    def lose(self, id: ThingId) -> None:
        """The task's wrapper is killed; nothing of it is left."""
        run = self._runs[id]
        if not self._settle(id, run).is_over:
            run.signals = replace(run.signals, lost_at=self._clock.now())

    def lose_all_on(self, node: str) -> None:
        """A pool's node is gone, with all that runs there."""
        for id, run in self._runs.items():
            if run.body.node == node and id in self._wanted:
                self.lose(id)

    def reclaim_all_on(self, node: str, notice_s: float) -> None:
        """A pool's node has notice, and so has all that runs there."""
        for id, run in self._runs.items():
            if run.body.node == node and id in self._wanted:
                self.reclaim(id, notice_s)

    def slow_all_on(self, node: str, share: float, for_s: float) -> None:
        """What runs on a pool's node now works for so long only for a share of the time."""
        for id, run in self._runs.items():
            if run.body.node == node and id in self._wanted and not self._settle(id, run).is_over:
                run.script = replace(run.script, work_s=run.script.work_s + for_s * (1 - share))

    def live(self) -> Iterator[ThingId]:
        """The truth, for checks: the tasks whose process lives at this moment, whoever may know of it."""
        now = self._clock.now()
        for id in self.held():
            run = self._settle(id, self._runs[id])
            if not run.is_over and now >= run.began_at:
                yield id

    def answers(self, id: ThingId) -> bool:
        """The truth: whether there is such a task, and it is ready by now."""
        run, now = self._runs.get(id), self._clock.now()
        if run is None or id not in self._wanted or self._settle(id, run).is_over:
            return False
        return now >= run.began_at + run.script.ready_after_s

    def node_of(self, id: ThingId) -> str:
        """The pool's node that it runs on, "" where it is none."""
        return self._runs[id].body.node

    def restored_of(self, id: ThingId) -> str:
        """Which checkpoint it began from, "" where from none."""
        return self._runs[id].restored

    def bodies(self, live: Iterable[ThingId]) -> Iterator[tuple[ThingId, TaskBody]]:
        """What each of `live` was told to be that has devices."""
        return ((id, self._runs[id].body) for id in live if self._runs[id].body.devices)

    def ran(self) -> Iterator[Ran]:
        """Every process that ever began, in order."""
        for id, run in self._past:
            if self._clock.now() >= run.began_at:
                ending = run.ending if self._settle(id, run).is_over else None
                ended_at, reason = (ending.at, ending.end.reason) if ending else (None, None)
                until = self._clock.now() if ended_at is None else ended_at
                startup_s = min(run.script.startup_s, until - run.began_at)
                yield Ran(
                    id, run.body, run.began_at, ended_at, run.node.skew_s, reason, run.kept_s, startup_s, run.restored
                )

    def moments(self, id: ThingId) -> tuple[float, ...]:
        """When a task begins, is ready and ends, as things stand: whoever looks then misses nothing."""
        run = self._runs.get(id)
        if run is None:
            return ()
        ready = (run.began_at + run.script.ready_after_s,) if run.body.probe else ()
        return (run.began_at, *ready, run.ending.at)

    def logs(self, id: ThingId, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        """Raises: FileNotFoundError where there never was such a task."""
        if id not in self._runs:
            raise FileNotFoundError(f"there is no log of {id}")
        lines = self._runs[id].script.output.splitlines(keepends=True)
        yield b"".join(lines[-tail:] if tail else lines)

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | Unknown | None:
        assert isinstance(want.body, TaskBody)
        if not prior and want.body.node and not self.has_node(want.body.node):
            return Unknown("its node is gone")
        if self._is_silent(want.body):
            return Unknown("its node does not answer")
        if prior:
            is_same = prior.body == want.body
            return None if is_same else Refused("a task that was started cannot be changed")
        script = self._scripts(want)
        to = want.body.checkpoint
        saved = self._saved.get((to.bucket, to.prefix)) if to else None
        node, began_at = self.nodes.place(), self._clock.now() + script.starts_after_s
        done_s, restored = (saved.done_s, saved.name) if saved else (0.0, "")
        self._runs[want.id] = _Run(want.body, script, node, began_at, done_s, restored)
        self._past.append((want.id, self._runs[want.id]))
        self._told.discard(want.id)
        self.starts[want.id] = self.starts.get(want.id, 0) + 1
        return None

    def _let_go(self, id: ThingId) -> bool:
        run = self._settle(id, self._runs[id])
        if run.signals.stop_at is None:
            # A node that cannot be reached is told when it comes back; until then the task may run on.
            silent_until = max(run.node.silent_until, self.silent_until(run.body.node) if run.body.node else 0.0)
            run.signals = replace(run.signals, stop_at=max(self._clock.now(), silent_until))
        if self.nodes.is_silent(run.node) or self._is_silent(run.body):
            return False
        # As `weyr.attempt.tasks` does: an end that nobody was told of stays for one more look.
        return run.is_over and id in self._told

    def _answer(self, id: ThingId) -> Seen:
        seen = super()._answer(id)
        match seen:
            case Present(facts=TaskFacts() as facts) if facts.address and self.nodes.is_lying(self._runs[id].node):
                return replace(seen, facts=replace(facts, is_ready=not facts.is_ready))
            case _:
                return seen

    def _look(self, id: ThingId) -> Seen:
        self.nodes.catch_up()
        if id in self._wanted and self.nodes.is_silent(node := self._runs[id].node):
            return Unknown(f"{node.name} does not answer")
        if id in self._wanted and self._is_silent(self._runs[id].body):
            return Unknown(f"{self._runs[id].body.node} does not answer")
        return super()._look(id)

    def _is_silent(self, body: TaskBody) -> bool:
        return bool(body.node) and self._clock.now() < self.silent_until(body.node)

    def _facts(self, want: Wanted) -> TaskFacts:
        now, run = self._clock.now(), self._settle(want.id, self._runs[want.id])
        body, ending = run.body, run.ending
        address = f"/sim/{want.id}.sock" if body.probe else ""
        if run.is_over:
            state, end, ended_at = TaskState.ENDED, ending.end, ending.at
        else:
            state, end, ended_at = (TaskState.RUNNING if now >= run.began_at else TaskState.STARTING), None, None
        is_running = state is TaskState.RUNNING
        saved = self._saved.get((body.checkpoint.bucket, body.checkpoint.prefix)) if body.checkpoint else None
        notice_at = run.signals.notice_at
        is_ready = is_running and now >= run.began_at + run.script.ready_after_s
        startup_s = run.script.startup_s
        # The second checkpoint tells how much of what was before the first was none of the work.
        is_told = body.checkpoint and startup_s and now - run.began_at >= startup_s + 2 * body.checkpoint.every_s
        return TaskFacts(
            state,
            is_ready=bool(body.probe) and is_ready,
            started_at=run.recorded(run.began_at) if now >= run.began_at else None,
            ended_at=None if ended_at is None else run.recorded(ended_at),
            end=end,
            notice_at=None if notice_at is None else run.recorded(notice_at),
            restored=run.restored,
            saved=saved.name if saved and saved.done_s > run.done_s else "",
            startup_s=startup_s if is_told else None,
            address=address,
            node=body.node,
            devices=body.devices,
        )

    def _settle(self, id: ThingId, run: _Run) -> _Run:
        """Lets pass what has passed: checkpoints up to now, and the end if it is behind us."""
        self.nodes.catch_up()
        if run.is_over:
            return run
        now, ending = self._clock.now(), run.ending
        run.is_over = now >= ending.at
        self._save(run, min(now, ending.at), is_last=run.is_over and ending.saves_all)
        if run.is_over and ending.end.reason is EndReason.SUCCEEDED:
            self._succeeded(id, run.body, run.script)
        return run

    def _save(self, run: _Run, until: float, is_last: bool) -> None:
        to = run.body.checkpoint
        worked_s = until - run.began_at - run.script.startup_s
        if to is None or worked_s <= 0:
            return
        kept_s = worked_s if is_last else worked_s // to.every_s * to.every_s
        run.kept_s = kept_s
        done_s = min(run.done_s + kept_s, run.script.work_s)
        prior = self._saved.get((to.bucket, to.prefix))
        if done_s > (prior.done_s if prior else 0.0):
            self._saved[to.bucket, to.prefix] = _Saved(done_s, prior.number + 1 if prior else 1)


def _is_end(seen: Seen) -> bool:
    """Whether an answer tells of an end so that it cannot be missed: an old one may be too old to be believed."""
    match seen:
        case Present(facts=TaskFacts(state=TaskState.ENDED), as_of=None):
            return True
        case _:
            return False
