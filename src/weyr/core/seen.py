"""What does an engine report about a thing? `Present`, `Absent` or `Unknown`, and never a guess.

Only `Absent` lets anything be forgotten. An engine that failed, timed out or cannot be reached
gives `Unknown`: the thing may well be there, and its meter runs on. An engine that answers from
what it knew a while ago, such as a cache, says so in `as_of`: what it was asked since then is not
in such an answer, and an `Absent` of before is no proof. The literal fields (`seen`, `of`) tell the
members of a union apart when they are written as JSON.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from weyr.core.pools import NodeFacts, PoolFacts, QueueFacts
from weyr.core.routes import VersionCounts


class TaskState(StrEnum):
    """STARTING: accepted, no process yet. RUNNING: its process lives. ENDED: its exit is known."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a task ended. LOST: its wrapper died without a record and no process of it is left. REFUSED: it waited its
    turn, and the engine would then not take it. PREEMPTED: it made room for another. NODE_LOST: the node it ran on is
    proved to be gone."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    RECLAIMED = "reclaimed"
    OUT_OF_MEMORY = "out of memory"
    TIMED_OUT = "timed out"
    NOT_STARTED = "not started"
    LOST = "lost"
    REFUSED = "refused"
    PREEMPTED = "preempted"
    NODE_LOST = "node lost"


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """The recorded end. `detail` is a sentence for the user; `exit_code` is None after a signal."""

    reason: EndReason
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""
    cpu_s: float = 0.0
    memory_max_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """A task as seen. Times are Unix seconds; `started_at` is None until its process exists.

    `notice_at` is when its spot node announced the reclaim. `restored` names the checkpoint the
    attempt began from, `saved` the newest one that is whole in the bucket, and `startup_s` what its program needed
    before it went on from there, None where nobody could tell. `waits` says why it has not
    begun although it is accepted. `node` and `devices` are where it runs and what it may see, as the engine has it.
    `ports` are the TCP ports that it was given, in the order in which they were wanted.
    """

    state: TaskState
    is_ready: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    end: TaskEnd | None = None
    notice_at: float | None = None
    restored: str = ""
    saved: str = ""
    startup_s: float | None = None
    address: str = ""
    waits: str = ""
    node: str = ""
    devices: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    of: Literal["task"] = "task"


@dataclass(frozen=True, slots=True)
class BucketRule:
    """What ends in a bucket, each after so many seconds: objects by age under `prefix` with all of `tags`, versions
    since they were replaced, uploads that were not finished. None: never. What moves goes to the class `to`."""

    prefix: str = ""
    expire_after_s: float | None = None
    tags: tuple[tuple[str, str], ...] = ()
    noncurrent_after_s: float | None = None
    abort_after_s: float | None = None
    move_after_s: float | None = None
    noncurrent_move_after_s: float | None = None
    to: str = ""


@dataclass(frozen=True, slots=True)
class BucketClass:
    """What of a bucket is of a storage class other than STANDARD (versions, and their bytes), and what was asked of
    that since the bucket was made: requests, bytes that were read, and how many objects a rule moved there."""

    name: str
    objects: int = 0
    size_bytes: int = 0
    writes: int = 0
    reads: int = 0
    read_bytes: int = 0
    moves: int = 0


@dataclass(frozen=True, slots=True)
class BucketUse:
    """What was asked of a bucket since it was made (`since`, Unix seconds), in the classes that clouds price: writes
    and lists, and everything else but deletes. Bytes are those that left, to its own machine and beyond it."""

    since: float
    writes: int = 0
    reads: int = 0
    local_bytes: int = 0
    far_bytes: int = 0


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """A bucket as seen: what it holds now, the settings it has, and its use where the engine counts that.

    `classes` tell of part of what it holds, and keep a class that it ever had; `tiers` are its own, by class, with the
    URL of each.
    """

    size_bytes: int = 0
    objects: int = 0
    lifecycle: tuple[BucketRule, ...] = ()
    use: BucketUse | None = None
    keeps_versions: bool = False
    classes: tuple[BucketClass, ...] = ()
    tiers: tuple[tuple[str, str], ...] = ()
    of: Literal["bucket"] = "bucket"


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """One registered version: its files lie at `source`; `metrics` are its run's last values, `seal` says what the
    files were when it was registered ("" where nobody could list them)."""

    version: int
    source: str
    run_id: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    seal: str = ""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A registered model as seen; versions ascend, aliases are (alias, version) pairs."""

    versions: tuple[VersionFacts, ...] = ()
    aliases: tuple[tuple[str, int], ...] = ()
    of: Literal["model"] = "model"


@dataclass(frozen=True, slots=True)
class RouteUse:
    """What was asked of a route since then, whatever became of the plane meanwhile: questions that were answered,
    tokens read and written, and what was paid to servers elsewhere that answered in its place. Bytes are those of all
    answers: `local` ones stayed on their machine."""

    since: float
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    outside_micros: int = 0
    local_bytes: int = 0
    far_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """An endpoint's route as seen by the plane. `generation` is the routing it has applied.

    `replicas` are (replica, requests in flight) pairs of every replica it still sends to or
    waits for; `waiting` counts requests held because no replica is ready. `versions` are counts
    since the plane's start, also of versions that it no longer sends to. `grpc` is the address of the door that asks
    it over gRPC, "" while there is none.
    """

    generation: int = 0
    url: str = ""
    replicas: tuple[tuple[str, int], ...] = ()
    waiting: int = 0
    requests: int = 0
    errors: int = 0
    last_request_at: float | None = None
    versions: tuple[VersionCounts, ...] = ()
    grpc: str = ""
    use: RouteUse | None = None
    of: Literal["route"] = "route"


@dataclass(frozen=True, slots=True)
class FunctionUse:
    """What a function was called for since then, whatever became of the plane meanwhile. Each attempt that an instance
    was sent is an invocation, whatever came of it."""

    since: float
    invocations: int = 0


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function as the plane sees it. `generation` is what it has applied, `address` where its callers come in.

    `hosts` are (host, events under way) pairs; `waiting` counts callers without an instance, `pending` durable events
    that are due or under way, `queued` all that wait. Times in milliseconds, of the last thousand; counts since the
    plane's start. Instances were at `worked` events for `worked_s` in all; `work_classes` says how many took how long.
    """

    generation: int = 0
    address: str = ""
    hosts: tuple[tuple[str, int], ...] = ()
    instances: int = 0
    waiting: int = 0
    pending: int = 0
    queued: int = 0
    dead: int = 0
    invocations: int = 0
    errors: int = 0
    cold_starts: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    cold_p50_ms: float = 0.0
    worked: int = 0
    worked_s: float = 0.0
    work_classes: tuple[int, ...] = ()
    last_used_at: float | None = None
    use: FunctionUse | None = None
    of: Literal["function"] = "function"


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """A secret as seen: which version is current, never its value."""

    version: int = 0
    of: Literal["secret"] = "secret"


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """A notice that was sent. `delivered` is False while its receiver has not taken it, and `problem` says why."""

    sent_at: float = 0.0
    delivered: bool = True
    problem: str = ""
    of: Literal["notice"] = "notice"


Facts = (
    TaskFacts
    | BucketFacts
    | ModelFacts
    | RouteFacts
    | FunctionFacts
    | SecretFacts
    | NoticeFacts
    | NodeFacts
    | PoolFacts
    | QueueFacts
)


@dataclass(frozen=True, slots=True)
class Present:
    """It is there, and was built from `generation` of what was wanted. `as_of` is since when nobody looked again, in
    Unix seconds by the server's clock; None: the engine looked when it was asked."""

    facts: Facts
    generation: int = 0
    as_of: float | None = None
    seen: Literal["present"] = "present"


@dataclass(frozen=True, slots=True)
class Absent:
    """It is proved not to be there: a list without it, a wait that returned its exit, a 404. `as_of` as in Present.

    `last` is what is kept of one whose use was counted: its counters' last reading, which no later one can pass.
    """

    as_of: float | None = None
    last: Facts | None = None
    seen: Literal["absent"] = "absent"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known. `since` is when it was last known (Unix seconds), None if it never was."""

    reason: str = "not observed yet"
    since: float | None = None
    seen: Literal["unknown"] = "unknown"


Seen = Present | Absent | Unknown


def newer_than(asked_at: float, answer: Seen) -> Seen:
    """An answer as it may be believed by whoever asked something of the thing at `asked_at`.

    One that is no younger says nothing of what was asked: "absent" may only mean "not there yet".
    """
    match answer:
        case Present(as_of=float(as_of)) | Absent(as_of=float(as_of)) if as_of <= asked_at:
            return Unknown("the answer is older than what was asked last")
        case _:
            return answer
