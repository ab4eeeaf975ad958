"""Which stacks does a simulated world see? Drawn from a source of chance, so that no two worlds are alike."""

import random
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from weyr.core.capability import TaskBody, Wanted
from weyr.core.parts import Part
from weyr.sim.scripts import Script

STACK, RIVAL = "world", "rival"
ROLLOUTS = (
    "rolling",
    "{strategy: canary, steps: [10%, 50%], every: 2s, min_requests: 10, keep_old: 2s}",
    "{strategy: blue-green, keep_old: 3s}",
)


@dataclass(frozen=True, slots=True)
class JobDraw:
    """One job: what it needs, how long it works, how many of its first attempts fail by themselves.

    `indices` 0: it has no array. `follows` is the job that has to be over first, "" for none, and `after` how it has
    to end. `limit_s` 0: no attempt is stopped for its time.
    """

    cpu: float
    memory_mib: int
    work_s: float
    spot: bool
    saves: bool
    has_key: bool
    trains: bool
    fails: bool
    retries: int
    version: int = 0
    replicas: int = 1
    indices: int = 0
    follows: str = ""
    after: str = "success"
    limit_s: int = 0
    gpus: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ServiceDraw:
    """A service that answers until it is stopped. `version` is what a rolling update changes."""

    replicas: int
    surge: int
    unavailable: int
    version: int = 0

    @property
    def text(self) -> str:
        rollout = f"rollout: {{max_surge: {self.surge}, max_unavailable: {self.unavailable}}}"
        resources = "resources: {cpu: 0.25, memory: 64MiB}"
        return f"{{run: serve {self.version}, replicas: {self.replicas}, {rollout}, {resources}, grace: 2s}}"


@dataclass(frozen=True, slots=True)
class PoolDraw:
    """A pool of nodes with four devices each, and a queue that may use `quota` of them.

    `rivals`: so many jobs of another stack stand in the same queue.
    """

    most: int
    idle_s: int
    quota: int
    rivals: int = 0

    @property
    def text(self) -> str:
        node = "cpu: 8, memory: 8GiB, accelerators: {H100: 4}, price: 0.01 USD"
        pool = f"pools: {{gpu: {{{node}, max: {self.most}, idle_after: {self.idle_s}s, cool_down: 1s}}}}"
        return f"{pool}\nqueues: {{team: {{quota: {{H100: {self.quota}}}}}}}"

    @property
    def rival_text(self) -> str:
        """The file of the other stack: its jobs are submitted while those of the first are being decided upon."""
        job = "resources: {cpu: 1, memory: 64MiB, accelerators: 'H100:2'}, grace: 3s"
        where = f"queue: '{STACK}:queue/team', pool: '{STACK}:pool/gpu'"
        jobs = [f"  rival{number}: {{run: work, {job}, {where}}}" for number in range(self.rivals)]
        return "\n".join([f"stack: {RIVAL}", "jobs:", *jobs]) + "\n"


@dataclass(frozen=True, slots=True)
class StackDraw:
    """A stack as drawn. `text` is its file."""

    jobs: dict[str, JobDraw] = field(default_factory=dict)
    limit_micros: int = 0
    expire_d: int = 7
    replicas: int = 0
    endpoint_memory_mib: int = 64
    pool: PoolDraw | None = None
    service: ServiceDraw | None = None

    @property
    def text(self) -> str:
        lines = [
            f"stack: {STACK}",
            f"buckets: {{lake: {{lifecycle: [{{prefix: a/, expire_after: {self.expire_d}d}}]}}}}",
        ]
        lines.append("secrets: {key: {generate: 16}}")
        if self.limit_micros:
            limit = f"{self.limit_micros / 1e6:.6f} USD"
            # What has no end of its own begins where little is left too: so that there is something to stop.
            lines.append(f"budgets: {{month: {{limit: {limit}, ahead: 0s, alert_at: [50%], then: stop}}}}")
        lines += [self.pool.text] if self.pool else []
        lines += [f"services: {{web: {self.service.text}}}"] if self.service else []
        lines += ["jobs:", *(f"  {name}: {_job_text(job, self.jobs)}" for name, job in self.jobs.items())]
        if any(job.trains for job in self.jobs.values()):
            lines.append('models: {digits: {promote_if: {accuracy: ">= 0.95"}}}')
            if self.replicas:
                scale = f"{{min: {self.replicas}, max: {self.replicas}}}"
                resources = f"{{cpu: 1, memory: {self.endpoint_memory_mib}MiB}}"
                rest = f"scale: {scale}, resources: {resources}, grace: 2s, rollout: {ROLLOUTS[self.expire_d % 3]}"
                lines.append(f"endpoints: {{digits: {{model: digits@production, {rest}}}}}")
        return "\n".join(lines) + "\n"

    def script(self, want: Wanted) -> Script:
        """What a task of this stack does."""
        assert isinstance(want.body, TaskBody)
        job = self.jobs.get(want.id.ref.name)
        if want.id.ref.stack == RIVAL:
            return Script(work_s=8.0)
        if want.id.ref.kind != "job" or job is None:
            return Script(work_s=1e9)
        fails = job.fails and (part := Part.parse(want.id.part)) is not None and part.attempt % 2 == 1
        return Script(work_s=job.work_s, exit_code=int(fails), metrics={"accuracy": 0.97})


def drawn_stack(chance: random.Random) -> StackDraw:
    """One to three jobs; perhaps a model that one of them trains, an endpoint, a budget that soon is spent."""
    jobs = {f"job{n}": _drawn_job(chance, n) for n in range(chance.choice((1, 1, 2, 2, 3)))}
    stack = StackDraw(
        jobs=jobs,
        limit_micros=chance.choice((0, 0, chance.randrange(20, 2_000), 200_000_000)),
        expire_d=chance.randrange(1, 9),
        replicas=chance.choice((0, 1, 2)),
    )
    return _with_more(chance, _with_pool(chance, stack) if chance.random() < 0.4 else stack)


def _with_more(chance: random.Random, stack: StackDraw) -> StackDraw:
    """Perhaps a service; jobs that follow others whatever their end, or that have a limit on their time."""
    service = ServiceDraw(chance.choice((1, 2, 3)), chance.choice((0, 1, 2)), chance.choice((1, 2)))
    jobs = {
        name: replace(
            job,
            after=chance.choice(("success", "success", "failure", "always")),
            limit_s=chance.choice((0, 0, 0, 5)),
        )
        for name, job in stack.jobs.items()
    }
    return replace(stack, jobs=jobs, service=service if chance.random() < 0.3 else None)


def without_pool(stack: StackDraw) -> StackDraw:
    """The same jobs, and none of them wants a device."""
    return replace(stack, pool=None, jobs={name: replace(job, gpus="") for name, job in stack.jobs.items()})


def _with_pool(chance: random.Random, stack: StackDraw) -> StackDraw:
    """Most of its jobs want devices, some of them several on several nodes at once; there is always room for one."""
    pool = PoolDraw(
        chance.choice((1, 2, 3)), chance.choice((5, 30)), chance.choice((4, 8)), chance.choice((0, 0, 1, 3))
    )
    jobs = {
        name: replace(
            job,
            gpus=chance.choice(("1", "2", "4", "0.5", "") if job.replicas == 1 else ("1", "")),
            priority=chance.choice((0, 0, 5)),
        )
        for name, job in stack.jobs.items()
    }
    return replace(stack, pool=pool, jobs=jobs)


def edited(chance: random.Random, before: StackDraw) -> StackDraw:
    """The file as somebody saves it next: one thing in it is another."""
    name = chance.choice(sorted(before.jobs))
    job = before.jobs[name]
    match chance.randrange(8):
        case 6 if before.service:
            service = replace(before.service, version=before.service.version + 1, replicas=chance.randrange(4))
            return replace(before, service=service)
        case 7 if before.pool:
            return replace(before, pool=replace(before.pool, quota=4 if before.pool.quota == 8 else 8))
        case 0:
            return replace(before, jobs={**before.jobs, name: replace(job, version=job.version + 1)})
        case 1:
            return replace(before, jobs={**before.jobs, name: replace(job, memory_mib=job.memory_mib + 64)})
        case 2:
            return replace(before, expire_d=before.expire_d % 30 + 1)
        case 3:
            return replace(before, limit_micros=chance.choice((0, 50, 1_000, 300_000_000)))
        case 4 if len(before.jobs) > 1 and not job.trains:
            return replace(before, jobs={other: draw for other, draw in before.jobs.items() if other != name})
        case _:
            memory = before.endpoint_memory_mib + 64
            return replace(before, replicas=(before.replicas + 1) % 3, endpoint_memory_mib=memory)


def _drawn_job(chance: random.Random, number: int) -> JobDraw:
    """Gangs and arrays are small enough that the machine has room for each of them."""
    job = JobDraw(
        cpu=chance.randrange(1, 5),
        memory_mib=64 * chance.randrange(1, 17),
        work_s=chance.uniform(1, 20),
        spot=chance.random() < 0.5,
        saves=chance.random() < 0.5,
        has_key=chance.random() < 0.3,
        trains=number == 0 and chance.random() < 0.4,
        fails=chance.random() < 0.25,
        retries=chance.randrange(3),
        follows=chance.choice(("", "", f"job{number - 1}")) if number else "",
    )
    many = 0 if job.trains else chance.randrange(6)
    if many == 1:
        return replace(job, cpu=0.25, memory_mib=64, replicas=chance.choice((2, 3)))
    if many == 2:
        return replace(job, cpu=0.25, memory_mib=64, indices=chance.randrange(2, 5), replicas=chance.choice((1, 1, 2)))
    return job


def _job_text(job: JobDraw, others: Collection[str]) -> str:
    gpus = f", accelerators: 'H100:{job.gpus}'" if job.gpus else ""
    parts = [f"run: work {job.version}", f"resources: {{cpu: {job.cpu}, memory: {job.memory_mib}MiB{gpus}}}"]
    parts += ["queue: team", f"priority: {job.priority}"] if job.gpus else []
    parts += [f"spot: {str(job.spot).lower()}", f"retries: {{max: {job.retries}, backoff: 1s}}", "grace: 3s"]
    parts += ["checkpoint: {bucket: lake, every: 2s}"] if job.saves else []
    parts += ["secrets: {KEY: key}"] if job.has_key else []
    parts += ["produces: model/digits"] if job.trains else []
    parts += [f"replicas: {job.replicas}"] if job.replicas > 1 else []
    parts += [f"array: {{count: {job.indices}, max_parallel: 2}}"] if job.indices else []
    parts += [f"needs: [{{job: {job.follows}, on: {job.after}}}]"] if job.follows in others else []
    parts += [f"time_limit: {job.limit_s}s"] if job.limit_s else []
    return f"{{{', '.join(parts)}}}"
