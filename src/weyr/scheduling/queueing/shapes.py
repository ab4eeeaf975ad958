"""What goes into a queueing decision and what comes out of it: plain values.

What a node has and a request needs are `placement`'s values. Amounts of queues are integers: `cpu` in thousandths of
a core, `memory` in bytes, `gpu` in thousandths of a device, `money` in millionths of a currency unit per hour. Times
are seconds on the caller's clock, whichever it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from weyr.scheduling.placement import Placed, Request

CPU = "cpu"
MEMORY = "memory"
GPU = "gpu"
"""All models together; one model is `gpu/<model>`, see `gpu_of`."""
MONEY = "money"

Amounts = Mapping[str, int]
"""How much of each: of `CPU`, `MEMORY`, `GPU`, `gpu/<model>` (or MIG profile), `MONEY`."""


def gpu_of(model: str) -> str:
    """The name under which a queue limits one model."""
    return f"{GPU}/{model}"


@dataclass(frozen=True, slots=True)
class Task:
    """What waits or runs as one: a job's attempt with all its replicas, which start together or not at all."""

    id: str
    request: Request
    """Of one replica."""
    replicas: int = 1
    queue: str = ""
    user: str = ""
    name: str = ""
    """What its earlier runs are found by; those of one name are thought to take alike."""
    priority: int = 0
    submitted_s: float = 0.0
    """Since when it stands in line; a preempted one keeps its first."""
    since_s: float | None = None
    """Since when it stands there this time, where it ran in between; None: since it was submitted."""
    limit_s: float | None = None
    """After so long it is ended by force. None: no such bound is known."""
    expected_s: float | None = None
    """How long its user says that it takes."""
    attained_s: float = 0.0
    """How long it ran in earlier attempts whose work is not lost."""
    preempts: bool = True
    """Whether others may be stopped for it."""
    is_preemptible: bool = False
    """Whether it may be stopped for something more urgent. What its queue borrowed may be taken back regardless."""
    is_standing: bool = False
    """It runs for good, as a replica of an endpoint does: it has no end to wait for."""


@dataclass(frozen=True, slots=True)
class Running:
    """A task that has its room: it runs, is about to, or is being stopped."""

    task: Task
    started_s: float
    places: tuple[Placed, ...]
    """One for each replica."""
    checkpoint_s: float | None = None
    """When its last checkpoint was taken; None: none since it started."""
    is_stopping: bool = False
    """It was told to stop. Its room is given away already, to starts that come after its end."""


class Reclaim(StrEnum):
    """Whose borrowed room may be taken back."""

    ANY = "any"
    LOWER_PRIORITY = "lower-priority"
    """Of those alone whose priority is lower than that of the task that it is for."""
    NEVER = "never"
    """Nobody's: it waits until what it lent comes free."""


@dataclass(frozen=True, slots=True)
class Queue:
    """One line of several that share the nodes.

    `guarantee` is what it gets whenever it wants it, though others have to stop; what it leaves unused is lent.
    `limit` is what it never passes; what it uses beyond its guarantee is borrowed. An amount that `limit` does not
    name is not limited, one that `guarantee` does not name is not guaranteed.
    """

    name: str
    guarantee: Amounts = field(default_factory=dict)
    limit: Amounts = field(default_factory=dict)
    user_limit: Amounts = field(default_factory=dict)
    """What no one of its users passes."""
    weight: float = 1.0
    """What is left over is shared in this proportion."""
    reclaims: Reclaim = Reclaim.ANY
    """From whom it takes back what it has lent: Kueue's `reclaimWithinCohort`."""
    displaces: bool = False
    """Whether what others have borrowed is taken for its tasks of higher priority, so that it borrows itself: Kueue's
    `borrowWithinCohort`. Who may not be preempted, or has hardly run, is left alone."""


class Backfill(StrEnum):
    """Who may pass the first in line when there is no room for it."""

    NONE = "none"
    """Nobody."""
    EASY = "easy"
    """Whoever does not delay it: ends before its turn, or takes what it does not need."""
    ANY = "any"
    """Whoever fits, until it has waited for `patience_s`; then as `EASY`."""


@dataclass(frozen=True, slots=True)
class Start:
    """Let it start there, once each of `after`, which were told to stop, is seen to have ended."""

    id: str
    places: tuple[Placed, ...]
    after: tuple[str, ...] = ()


class Because(StrEnum):
    """On what ground a task is stopped."""

    PRIORITY = "priority"
    LENT = "lent"
    """Its queue has it from another, which wants it back: that is within its guarantee."""
    TURN = "turn"
    """It has had its turn; one that has had less, or will be done sooner, comes first."""


@dataclass(frozen=True, slots=True)
class Preemption:
    """Stop it, for the sake of another that starts then."""

    id: str
    heir: str
    because: Because
    loss_s: float
    """What is lost: seconds since its last checkpoint, times the part of all nodes that it occupies."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """Replicas that no node has room for and that their queues would admit: what autoscaling goes by."""

    request: Request
    replicas: int
    """Of one task: they must all fit at once."""
    tasks: int


@dataclass(frozen=True, slots=True)
class Decisions:
    """What to do now. `again_s`: when to decide again though nothing happened; None: no need to."""

    starts: tuple[Start, ...] = ()
    preemptions: tuple[Preemption, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    again_s: float | None = None
