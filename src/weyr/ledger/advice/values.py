"""What does the waste finder look at, and how does it say what it found? Plain values.

A `Subject` is one object as far as money is concerned: what it asks for, what it was seen to use, what it costs. A
`Saving` is a finding with its price and the exact change to the stack file that brings it. Amounts are integer
micro-units, moments integer milliseconds of Unix time; what is not known is None, and no rule guesses it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from weyr.core.ref import Ref
from weyr.core.units import HOUR_S
from weyr.ledger.prices import PriceBook
from weyr.store.use_peaks import UsePeak

Plain = str | int | float | bool | None | Sequence["Plain"] | Mapping[str, "Plain"]


class Rule(StrEnum):
    """What is wasted. The word is the last part of a finding's id."""

    IDLE_GPU = "idle-gpu"
    IDLE_SESSION = "idle-session"
    OVERSIZED = "oversized"
    NO_TRAFFIC = "no-traffic"
    OLD_CHECKPOINTS = "old-checkpoints"
    UNUSED_BUCKET = "unused-bucket"
    SPOT = "spot"
    COMMITMENT = "commitment"


class Confidence(StrEnum):
    """How much was seen before it was said: HIGH is a week or a fact of the file, MEDIUM an hour, LOW less."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one object as it should stand in the stack file. `value` None takes the field out; without a path it
    is the whole object."""

    ref: Ref
    path: tuple[str, ...]
    value: Plain
    before: Plain = None

    @property
    def text(self) -> str:
        where = f"{self.ref} {'.'.join(self.path)}".rstrip()
        return f"{where}: out" if self.value is None else f"{where}: {written(self.value)}"


@dataclass(frozen=True, slots=True)
class Saving:
    """A finding. `micros_per_month` is what the change saves in a month of 730 hours, None where a price is unknown.

    Without `changes` only a person can do it, and `by_hand` says what. `loses` says what goes for good with the
    change, "" for nothing: such a one is never applied unless it is named. `wake` says how to have it back.
    """

    rule: Rule
    ref: Ref
    detail: str
    micros_per_month: int | None
    confidence: Confidence
    changes: tuple[Change, ...] = ()
    by_hand: str = ""
    loses: str = ""
    wake: str = ""

    @property
    def id(self) -> str:
        """Stable as long as the finding stands: `digits:job/train:oversized`."""
        return f"{self.ref.absolute}:{self.rule}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What one task of an object asks for: thousandths of a core, bytes (None: no limit), devices.

    `is_on_pool`: it is paid with its node. `is_spot`: it runs at the spot price. `ends`: it runs to an end, so one
    whole run tells all.
    """

    cpu_milli: int
    memory_bytes: int | None = None
    devices: int = 0
    is_on_pool: bool = False
    is_spot: bool = False
    ends: bool = False

    def quantities(self, *, is_spot: bool | None = None) -> dict[str, int]:
        suffix = ".spot" if (self.is_spot if is_spot is None else is_spot) else ""
        memory = (self.memory_bytes or 0) * 1000 // 2**30
        lines = {f"task.cpu{suffix}": self.cpu_milli, f"task.memory{suffix}": memory}
        return {sku: quantity for sku, quantity in lines.items() if quantity}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests to an object with a route. `quiet_since_ms` is the last request, or since when it could have had one;
    `kept` is how many replicas stand whatever is asked, `most` how many there may be.

    `has_scale`: it has a `scale` to change; else its number is fixed by `replicas`.
    """

    quiet_since_ms: int
    kept: int
    most: int
    has_scale: bool = True


@dataclass(frozen=True, slots=True)
class Interruptible:
    """What could be on spot and is not: the field that says so, for how many of the last month's hours, and in a clause
    why a reclaim would lose nothing. `redone_milli` is what is computed twice, in thousandths of all."""

    path: tuple[str, ...]
    hours: float
    survives: str
    redone_milli: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A development session: it ends by itself once nothing happened for `idle_after_s`."""

    idle_after_s: float
    has_calendar: bool = False


@dataclass(frozen=True, slots=True)
class IdleNode:
    """A node of a pool that nothing runs on since `since_ms`; `micros_per_hour` None: its price is unknown."""

    part: str
    since_ms: int
    devices: int
    micros_per_hour: int | None


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool that makes its nodes: how many it keeps, how long an idle one stays, and which are idle."""

    min: int
    idle_after_s: float
    idle: tuple[IdleNode, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A bucket. `read_bytes`... what was asked of it since `since_ms`; None: nobody counts. `named_by` are the objects
    that name it. `old_checkpoints` are what jobs that are over left there, by their prefix. `tiers` are its own."""

    size_bytes: int
    named_by: tuple[Ref, ...] = ()
    reads: int | None = None
    since_ms: int = 0
    rules: tuple[Plain, ...] = ()
    old_checkpoints: Mapping[str, "Left"] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """Objects below a prefix that are older than the age which a rule would end them at."""

    size_bytes: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One object. `rate_micros_per_hour` is what its tasks cost now, those on a pool's nodes by their part of the node;
    None where a price is unknown. `ran_hours` is how long its tasks ran in the last month, all together."""

    ref: Ref
    prices: PriceBook
    rate_micros_per_hour: int | None = 0
    running_since_ms: int | None = None
    tasks_running: int = 0
    ran_hours: float = 0.0
    asked: Asked | None = None
    peaks: Mapping[str, UsePeak] = field(default_factory=dict)
    traffic: Traffic | None = None
    interruptible: Interruptible | None = None
    session: Session | None = None
    pool: Pool | None = None
    stored: Stored | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """How to look: idle is what did nothing for `idle_s`; savings below `least_micros` a month are not told."""

    now_ms: int
    idle_s: float = HOUR_S
    least_micros: int = 10_000

    def idle_for_s(self, since_ms: int) -> float:
        return max(0, self.now_ms - since_ms) / 1000


def written(value: Plain) -> str:
    """A value as a stack file has it on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return f"{value}"
        case Mapping():
            return "{" + ", ".join(f"{key}: {written(each)}" for key, each in value.items()) + "}"
        case _:
            return "[" + ", ".join(map(written, value)) + "]"
