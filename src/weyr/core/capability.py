"""What can an engine do? Small protocols of four verbs each; an engine has some of them.

The verbs are the same for every capability, idempotent, take batches and never wait for the
world: `ensure` begins, `observe` tells how far it came. An engine refuses a generation older than one it
has seen. What a verb cannot do for one thing it reports for that thing; the others go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from weyr.core.pools import NodeBody, PoolBody, QueueBody
from weyr.core.ref import Ref, ThingId
from weyr.core.routes import RouteBody
from weyr.core.seen import BucketRule, Seen, Unknown


class Capability(StrEnum):
    """The planner asks "who can?" with one of these, never for an engine by name."""

    TASKS = "TaskRunner"
    OBJECTS = "ObjectStore"
    REGISTRY = "ModelRegistry"
    TRAFFIC = "TrafficRouter"
    SECRETS = "SecretStore"
    NOTICES = "Notifier"
    FUNCTIONS = "FunctionRunner"
    NODES = "NodeProvider"
    POOLS = "PoolKeeper"
    QUEUES = "QueueKeeper"


@dataclass(frozen=True, slots=True)
class CheckpointBody:
    """Save what appears in the task's checkpoint folder to `bucket`/`prefix` every `every_s`; keep `keep`."""

    bucket: str
    prefix: str
    every_s: float
    keep: int = 3


@dataclass(frozen=True, slots=True)
class Accelerators:
    """What a task wants of accelerators: `count` whole devices, or a part of one.

    `model` is a name as pools declare it (`H100`, `v5e`), "" for any. A part is `share_milli` thousandths of one
    device (1 to 999), `memory_bytes` of one device, or a MIG `profile` such as `1g.10gb`; `count` is then 0.
    """

    model: str = ""
    count: int = 0
    share_milli: int = 0
    memory_bytes: int = 0
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a task may still see and reach from inside a sandbox: a read-only system, and a `/tmp` of its own.

    `network`: `none`; `local`, the engine's own doors (object store, tracking, API) and nothing else; `full`, the
    machine's. `tmp_bytes` bounds `/tmp` and what it writes at home. `reads` and `writes` are absolute paths shown
    beside the working folder.
    """

    network: Literal["none", "local", "full"] = "local"
    tmp_bytes: int = 1 << 30
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Staged:
    """A folder of the task, named `name`, and where in a bucket it comes from or goes to; `prefix` "": all of it."""

    name: str
    bucket: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Gang:
    """Tasks that begin together or not at all: `size` of them, numbered by `rank` from 0.

    All tasks of one gang (`name`, unique in its object) come to an engine in one `ensure`.
    """

    name: str
    size: int
    rank: int


PYTHON = "$WEYR_PYTHON"
"""As the first word of a task: the engine's interpreter that has Weyr."""
IN_HEALTH = (PYTHON, "-I", "-m", "weyr.runtime.health")
"""The first words of a task that answers for a program below it; a container has the program, and not them."""


@dataclass(frozen=True, slots=True)
class TaskBody:
    """A process to run. `argv` is executed in `workdir` with `env` over the engine's own; it may begin with PYTHON.

    `secret_env` and `secret_files` map a variable or a file name to a secret's ref; the engine
    reads their values when it starts the task and never stores them; where a file lies is in the variable
    of its name. `grants` are what the task's own
    token may do. `memory_bytes` and `time_limit_s` are enforced; None means no limit.
    `probe` is the HTTP path that answers 200 once a serving task is ready.

    `disk_bytes` bounds what it writes into its folders, `processes_max` its processes and threads; 0 for the engine's
    own bound. Without a `sandbox` it may see what the user of the engine may.

    With `ship` it runs in a copy of `workdir`, as that was when the first task of its generation was accepted.

    `inputs` are folders that are filled before it begins, `outputs` those that are taken once it has succeeded; where
    they lie is in WEYR_INPUT_<NAME> and WEYR_OUTPUT_<NAME>.

    `image` is a container image to run in, `requirements` are Python packages of an environment made for the task, with
    the version `python` ("3.12"; "" for the engine's own); none of them: the engine's own. `ports` are TCP ports it
    listens on, 0 for one that the engine chooses; the first is its $PORT. `queue` and `pool` are absolute refs, such as
    `team:queue/gpu`, "" for none; it runs only on nodes with all of `labels`, and on those with `taints` that it
    `bears`; higher `priority` goes first; `expected_s` is how long it usually runs, None where nobody knows,
    and `deadline_at` when it must have ended (Unix seconds), None where that is all one.
    `engine` runs it, "" for the stack's own. `node` and `devices` are chosen by the scheduler, never by a kind: where
    on the engine it runs, and which accelerators it may see.
    """

    argv: tuple[str, ...]
    workdir: str
    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: Mapping[str, Ref] = field(default_factory=dict)
    secret_files: Mapping[str, Ref] = field(default_factory=dict)
    grants: tuple[str, ...] = ()
    cpu: float = 1.0
    memory_bytes: int | None = None
    time_limit_s: float | None = None
    grace_s: float = 10.0
    is_spot: bool = False
    checkpoint: CheckpointBody | None = None
    probe: str = ""
    experiment: str = ""
    model: str = ""
    artifact_bucket: str = ""
    accelerators: Accelerators | None = None
    gang: Gang | None = None
    image: str = ""
    requirements: tuple[str, ...] = ()
    python: str = ""
    ports: tuple[int, ...] = ()
    queue: str = ""
    pool: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    bears: tuple[str, ...] = ()
    priority: int = 0
    priority_class: str = ""
    expected_s: float | None = None
    deadline_at: float | None = None
    engine: str = ""
    node: str = ""
    devices: tuple[str, ...] = ()
    inputs: tuple[Staged, ...] = ()
    outputs: tuple[Staged, ...] = ()
    disk_bytes: int | None = None
    processes_max: int = 0
    sandbox: Sandbox | None = None
    ship: bool = False
    of: Literal["task"] = "task"


@dataclass(frozen=True, slots=True)
class BucketTier:
    """Where a bucket's objects of a storage class go: the class as S3 clients write it, the URL of a place, and what
    opens that."""

    storage_class: str
    url: str
    keys: Mapping[str, Ref] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BucketBody:
    """`name` is the bucket's name at the S3 door; `lifecycle` says what ends in it. `keeps_versions` None: as it is.

    `url` is the place that its objects are at, "" for the engine's own; `keys` maps the names of what opens that place
    to the refs of secrets. `tiers` are by class.
    """

    name: str
    lifecycle: tuple[BucketRule, ...] = ()
    keeps_versions: bool | None = None
    url: str = ""
    keys: Mapping[str, Ref] = field(default_factory=dict)
    tiers: tuple[BucketTier, ...] = ()
    of: Literal["bucket"] = "bucket"


@dataclass(frozen=True, slots=True)
class ModelBody:
    """A registered model and the versions its aliases should point at; others are left alone."""

    name: str
    aliases: tuple[tuple[str, int], ...] = ()
    of: Literal["model"] = "model"


@dataclass(frozen=True, slots=True)
class ObjectTrigger:
    """Objects of `bucket` (its name at the S3 door) whose key begins and ends so; `events` as S3 names them."""

    bucket: str
    prefix: str = ""
    suffix: str = ""
    events: tuple[str, ...] = ("ObjectCreated:*",)


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """A schedule as `weyr.core.cron` reads it, in a time zone; each firing is an event with this JSON."""

    cron: str
    zone: str = "UTC"
    event: str = "null"


@dataclass(frozen=True, slots=True)
class FunctionBody:
    """A function to see events to. `name` is stack/function; `hosts` are (host, address) pairs, the newest first;
    without an address one is where the engine knows it will listen, or nowhere yet.

    An instance has `concurrency` events at once, and there are `warm` to `instances_max` of them. `hold_s` is how long
    a caller waits for one, `time_limit_s` how long an event may take, `keep_s` how long answers to later events are
    kept. Events that nobody waits for are tried again `retries_max` times, after `backoff_s`, twice that and so on;
    then the function named `dead_to` is told, "" for none, and an object is written to `letters_bucket`, "" for none,
    under `letters_prefix`.
    """

    name: str
    hosts: tuple[tuple[str, str], ...] = ()
    time_limit_s: float = 30.0
    hold_s: float = 30.0
    payload_bytes: int = 6 * 2**20
    concurrency: int = 1
    instances_max: int = 10
    warm: int = 0
    methods: tuple[str, ...] = ("GET", "POST")
    objects: tuple[ObjectTrigger, ...] = ()
    schedules: tuple[ScheduleTrigger, ...] = ()
    retries_max: int = 2
    backoff_s: float = 1.0
    dead_to: str = ""
    letters_bucket: str = ""
    letters_prefix: str = ""
    keep_s: float = 86_400.0
    queue_max: int = 100_000
    of: Literal["function"] = "function"


@dataclass(frozen=True, slots=True)
class SecretBody:
    """A secret to hold. `generate` characters are drawn if it has no value yet; 0 means: do not."""

    generate: int = 0
    of: Literal["secret"] = "secret"


class Channel(StrEnum):
    """How somebody is told."""

    LOG = "log"
    WEBHOOK = "webhook"
    SLACK = "slack"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class NoticeBody:
    """Tell somebody, once per thing: into the log, and through a channel.

    `to` is the webhook's or the person's address; `secret` names the secret that holds the address which is not to be
    seen: that of the webhook, or of the mail server with its password.
    """

    text: str
    details: Mapping[str, str] = field(default_factory=dict)
    channel: Channel = Channel.LOG
    to: str = ""
    sender: str = ""
    secret: Ref | None = None
    of: Literal["notice"] = "notice"


Body = (
    TaskBody
    | BucketBody
    | ModelBody
    | RouteBody
    | FunctionBody
    | SecretBody
    | NoticeBody
    | NodeBody
    | PoolBody
    | QueueBody
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to be made so. `key` names this intention; the same key twice does nothing new."""

    id: ThingId
    generation: int
    body: Body

    @property
    def key(self) -> str:
        return f"{self.id}@{self.generation}"


@dataclass(frozen=True, slots=True)
class Refused:
    """The engine's answer to one thing: no, and why, in a sentence."""

    reason: str


Answers = Mapping[ThingId, Refused | Unknown]
"""What a verb has to say of some of the things it was told of: `Unknown` where it cannot be known whether it was
done, so that the loop tells it again. Things that are not in it were accepted."""


class Provider(Protocol):
    """What every capability of every engine offers.

    Promises: idempotent; returns without waiting for the world; batches of any size.
    Raises: EngineSilent where nothing is known afterwards; the loop then asks again.

    What one server says of one thing takes effect in the order in which it was said, and what comes late is void: an
    `ensure` of before a `release` must not bring back what was proved to be gone, nor a `release` of before an `ensure`
    take away what was made since. Generations keep order among `ensure`s, but a `release` has none. An engine whose
    calls end when they return has this for nothing (0005); one that talks over a network sends the next call for a
    thing only after the last one ended, or numbers them.
    """

    capability: Capability

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """What is there of these. Every id asked for is answered, `Unknown` at the least."""
        ...

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        """Begins to make these so. Gives those it refuses or cannot tell of; the rest was accepted durably."""
        ...

    def release(self, ids: Sequence[ThingId]) -> Answers:
        """Begins to remove these. Only a later `Absent` proves that they are gone.

        The record of a task's end stays until an answer of now has told this server of it: it is the bill's evidence.
        """
        ...

    def inventory(self) -> Sequence[ThingId]:
        """Everything of this capability that exists, asked for or not: the orphan sweep's list."""
        ...
