"""One play: the digits example from plan to down, as a user would go through it, while a killer goes about."""

import json
import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from pathlib import Path

from one_user import PAUSE, User, until
from traffic import Reader, Writer
from victims import Process, Victim, kill, processes_of, running
from watching import Watch, spans_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits"
TRAINING = Path(__file__).with_name("recorded_training.py")
EPOCHS = 5
VARIANT = {
    "python train.py --epochs 30": f"[python, {TRAINING}, record.jsonl, train.py, --epochs, '{EPOCHS}', "
    "--learning-rate, '0.001']",
    "every: 5s": "every: 300ms",
    "retries: {max: 3}": "retries: {max: 100, backoff: 100ms}",
}
"""What is shorter than in the example: an epoch takes half a second, and a play about fifteen."""
TRIES_MAX = 12
FIND_S = 20.0
TYPED_WITHIN_S = 600.0
IN_THE_WAY = (Victim.INFERENCE, Victim.REPLICA, Victim.WRAPPER)


class Stage(IntEnum):
    """The parts of the demo's life, in order."""

    PLAN = 0
    APPLY = 1
    TRAINING = 2
    GATE = 3
    SERVING = 4
    DOWN = 5


SPAN_S = {Stage.PLAN: 0.6, Stage.APPLY: 3.0, Stage.TRAINING: 9.0, Stage.GATE: 2.5, Stage.SERVING: 3.0, Stage.DOWN: 1.2}
"""How long each lasts where nobody kills: kills are spread over it evenly."""
LIVES = {
    Victim.TASK: (Stage.TRAINING,),
    Victim.AGENT: (Stage.TRAINING,),
    Victim.WRAPPER: (Stage.TRAINING, Stage.GATE, Stage.SERVING, Stage.DOWN),
    Victim.REPLICA: (Stage.GATE, Stage.SERVING, Stage.DOWN),
}


@dataclass(frozen=True, order=True)
class Moment:
    """When somebody is killed: so many seconds into a stage."""

    stage: Stage
    after_s: float
    victim: Victim

    @classmethod
    def draw(cls, victim: Victim, chance: random.Random, stretch: float) -> "Moment":
        """Evenly over the part of the demo's life that the victim lives through."""
        stages = LIVES.get(victim, tuple(Stage))
        stage = chance.choices(stages, [SPAN_S[stage] for stage in stages])[0]
        return cls(stage, round(chance.uniform(0, SPAN_S[stage] * stretch), 3), victim)


@dataclass
class Killed:
    """A kill that was done."""

    moment: Moment
    during: Stage
    at: float
    process: Process


@dataclass
class Play:
    """A play under way. `problems` is what must stay empty; `retried` are commands that had to be typed again."""

    user: User
    moments: list[Moment]
    seed: int
    stage: Stage = Stage.PLAN
    problems: list[str] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)
    killed: list[Killed] = field(default_factory=list)
    missed: list[Moment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.record = self.user.folder / "record.jsonl"
        self.writer = Writer(self.user, "digits-lake", self.seed)
        self.reader = Reader(self.user, self._last_in_the_way)
        self._stage_began = {Stage.PLAN: time.monotonic()}
        self._is_over = threading.Event()
        self._aimed_at = 0.0

    # --- the user

    def perform(self) -> None:
        """Plans, brings up, uses, checks, takes down."""
        from judging import judge_ended, judge_standing

        prepare(self.user)
        with Watch(self.user.home) as watch, self._killing():
            self.typed("plan")
            self.enter(Stage.APPLY)
            self.writer.start()
            self.reader.start()
            self.typed("up", "--yes")
            self.enter(Stage.SERVING)
            until(lambda: not self._is_awaited(Stage.SERVING), "the kills amid serving to be done")
            PAUSE.wait(1.0)
            self.writer.stop()
            self.typed("up", "--yes")  # nobody looks after planes and server but a server, and it may be dead
            until(self._answers, "the endpoint to answer in the end")
            self.reader.stop()
            judge_standing(self)
            self.enter(Stage.DOWN)
            self.typed("down", "--yes")
        self.problems += watch.twice + self.reader.wrong
        judge_ended(self)

    def typed(self, *words: str) -> str:
        """A command, again where it failed because somebody was killed amid it; it must say so like a grown-up."""
        for _ in range(TRIES_MAX):
            began = time.time()
            said = self.user.weyr(*words, status=None, within_s=TYPED_WITHIN_S)
            if said.status == 0:
                return said.out
            if said.status != 1 or "Error: " not in said.err or "A bug in Weyr" in said.err:
                self.problems.append(f"weyr {' '.join(words)} ended with {said.status}: {said.text[-2000:]}")
            if not any(killed.at > began - 90 for killed in self.killed):
                self.problems.append(f"weyr {' '.join(words)} failed though nobody was killed: {said.err[-2000:]}")
            self.retried.append(f"weyr {words[0]}: {said.err.partition('Error: ')[2].strip()[:300]}")
        raise AssertionError(f"weyr {' '.join(words)} failed {TRIES_MAX} times: {self.retried[-1]}")

    def _answers(self) -> bool:
        return self.reader.answered_at > max([0.0, *(killed.at for killed in self.killed)])

    # --- the killer

    def enter(self, stage: Stage) -> None:
        if stage > self.stage:
            self.stage = stage
            self._stage_began[stage] = time.monotonic()

    def stages_text(self) -> str:
        """How long each stage took."""
        began = [*self._stage_began.items(), (self.stage, time.monotonic())]
        return ", ".join(f"{a.name.lower()} {t1 - t0:.1f} s" for (a, t0), (_, t1) in pairwise(began))

    @contextmanager
    def _killing(self) -> Iterator[None]:
        killer = threading.Thread(target=self._kill_all, name="killer")
        looker = threading.Thread(target=self._follow_stages, name="stages")
        killer.start()
        looker.start()
        try:
            yield
        finally:
            self._is_over.set()
            self.writer.stop()
            self.reader.stop()
            killer.join()
            looker.join()

    def _kill_all(self) -> None:
        for moment in sorted(self.moments):
            while not self._is_due(moment) and not self._is_over.wait(0.005):
                pass
            if self._is_over.is_set() or not self._kill_one(moment):
                self.missed.append(moment)

    def _is_due(self, moment: Moment) -> bool:
        if self.stage != moment.stage:
            return self.stage > moment.stage
        return time.monotonic() >= self._stage_began[moment.stage] + moment.after_s

    def _kill_one(self, moment: Moment) -> bool:
        """Kills the victim, as soon as there is one; False where none came."""
        deadline = time.monotonic() + FIND_S
        while time.monotonic() < deadline and not self._is_over.is_set():
            found = running(moment.victim, processes_of(self.user.home))
            if found and moment.victim in IN_THE_WAY:
                self._aimed_at = time.time()  # before the deed: a question may fail before we wrote it down
            if found and kill(found[-1]):
                self.killed.append(Killed(moment, self.stage, time.time(), found[-1]))
                return True
            self._is_over.wait(0.01)
        return False

    def _is_awaited(self, stage: Stage) -> bool:
        done = len(self.killed) + len(self.missed)
        return any(moment.stage <= stage for moment in sorted(self.moments)[done:])

    def _follow_stages(self) -> None:
        """The stages that begin by themselves: the training's record tells of them."""
        while not self._is_over.wait(0.05):
            spans = spans_of(self.record) if self.stage in (Stage.APPLY, Stage.TRAINING) else []
            if spans:
                self.enter(Stage.TRAINING)
            if any(span.code == 0 for span in spans):
                self.enter(Stage.GATE)

    def _last_in_the_way(self) -> float:
        return self._aimed_at


def prepare(user: User) -> None:
    """The example's own files in the user's folder, its stack made shorter. What is replaced must be in it."""
    text = (EXAMPLE / "weyr.yaml").read_text()
    for words, instead in VARIANT.items():
        assert words in text, f"{EXAMPLE} no longer says {words!r}"
        text = text.replace(words, instead)
    user.write(text)
    shutil.copy(EXAMPLE / "train.py", user.folder)


def told(play: Play) -> str:
    """What was killed when, in the order of the deeds."""
    lines = [
        f"  {k.moment.stage.name.lower()}+{k.moment.after_s:<6} {k.moment.victim:9} pid {k.process.pid} "
        f"(in {k.during.name.lower()}) {k.process.task}"
        for k in play.killed
    ]
    return "\n".join(
        [
            f"  {play.stages_text()}",
            *lines,
            *(f"  missed: {m}" for m in play.missed),
            *(f"  typed again: {r}" for r in play.retried),
        ]
    )


def as_json(moments: list[Moment]) -> str:
    """Moments as a command line takes them."""
    return json.dumps([[m.victim.value, m.stage.name.lower(), m.after_s] for m in moments])
