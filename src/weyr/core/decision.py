"""What follows from what is wanted and what is seen? The values that pass between kinds and loop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar

from weyr.core.capability import Body, Capability
from weyr.core.phase import Phase as Phase
from weyr.core.reach import Every, Expected, Reach
from weyr.core.ref import Ref
from weyr.core.scaling import Advice
from weyr.core.seen import Absent, Seen

S = TypeVar("S")
M = TypeVar("M")

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is true, false or unknown (None) of an object, and why.

    `reason` is one CamelCase word to search for; `message` a sentence for people.
    """

    type: "ConditionType"
    status: bool | None
    reason: str = ""
    message: str = ""


class ConditionType(StrEnum):
    READY = "Ready"
    COMPLETE = "Complete"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    HELD = "Held"
    WAITING = "Waiting"
    DRIFTED = "Drifted"


def phase_of(conditions: tuple[Condition, ...], is_removing: bool) -> Phase:
    """The word for a set of conditions: the first that holds, worst first."""
    states = {c.type: c.status for c in conditions}
    if is_removing:
        return Phase.REMOVING
    if states.get(ConditionType.FAILED):
        return Phase.FAILED
    if states.get(ConditionType.HELD):
        return Phase.HELD
    if ConditionType.READY in states and states[ConditionType.READY] is None:
        return Phase.UNKNOWN
    if states.get(ConditionType.SKIPPED):
        return Phase.SKIPPED
    if states.get(ConditionType.COMPLETE):
        return Phase.DONE
    if states.get(ConditionType.READY):
        return Phase.READY
    if states.get(ConditionType.WAITING):
        return Phase.WAITING
    return Phase.WORKING


@dataclass(frozen=True, slots=True)
class Want(Generic[S]):
    """What the stack asks for. `spec` is None once the object is to go away."""

    ref: Ref
    spec: S | None
    generation: int
    folder: str = ""
    """The folder of the stack file: where its relative paths begin."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing the loop has told an engine about, and what the engine last said of it."""

    part: str
    capability: Capability
    generation: int
    seen: Seen
    body: Body | None = None
    is_accepted: bool = False
    """Whether the engine has taken on `generation`; False while its answer is awaited or was lost."""

    is_released: bool = False
    refusal: str = ""
    """Why the engine refused the last thing asked of it; empty if it did not."""

    @property
    def is_gone(self) -> bool:
        """Whether it is proved not to be there: absent, and the engine took on the last thing asked of it.

        Before that an absence proves nothing: what was asked may have been lost, or may still take effect.
        """
        return self.is_accepted and isinstance(self.seen, Absent)


@dataclass(frozen=True, slots=True)
class Need:
    """What an object that this one refers to looks like now."""

    phase: Phase
    outputs: Mapping[str, Scalar] = field(default_factory=dict)


class Does(IntEnum):
    """What a hold asks for, mildest first: each of them also what the ones before it do."""

    BLOCK = 1
    """No new run begins, and nothing grows; what has begun goes on."""

    FLOOR = 2
    """Replicas and nodes go down to the fewest that they may be."""

    DRAIN = 3
    """Nothing begins any more, further attempts included; attempts end by themselves, replicas once they have answered
    what they were asked."""

    STOP = 4
    """Everything that costs is let go of."""


@dataclass(frozen=True, slots=True)
class Hold:
    """All in a reach may not spend, or not more. Kinds that spend let go of what they run, or do not grow."""

    by: Ref
    reason: str
    does: Does = Does.STOP
    reach: Reach = field(default_factory=Reach)

    @property
    def lets_go(self) -> bool:
        """Whether replicas and nodes are let go of."""
        return self.does >= Does.DRAIN

    @property
    def stops(self) -> bool:
        """Whether attempts are stopped as well."""
        return self.does is Does.STOP


@dataclass(frozen=True, slots=True)
class Shortage:
    """Not all that would begin can be paid: the first `begins` of it may, and the rest waits. What runs goes on."""

    by: Ref
    reason: str
    begins: int = 0


def allowed(hold: Hold | None, wanted: int, before: int, floor: int) -> int:
    """How many of `wanted` replicas a hold leaves, where there were to be `before` and `floor` is the fewest."""
    match hold.does if hold else None:
        case None:
            return wanted
        case Does.BLOCK:
            return min(wanted, before)
        case Does.FLOOR:
            return min(wanted, before, floor)
        case Does.DRAIN | Does.STOP:
            return 0


@dataclass(frozen=True, slots=True)
class Limit:
    """What all in a reach may cost in a period; `does` is None where reaching `micros` keeps nothing from beginning.

    `ahead_s`: what has no end of its own begins only where it can be paid for so long. `is_strict`: what cannot begin
    within it is refused when somebody asks for it.
    """

    reach: Reach
    every: Every
    micros: int
    does: Does | None
    title: str = ""
    ahead_s: float = 0.0
    is_strict: bool = True


@dataclass(frozen=True, slots=True)
class Spend:
    """What all in a reach has cost in the running period, in integer micro-units.

    `reserved_micros` is set aside for what runs, beyond what that has cost; `ends_at` is when the period does.
    """

    micros: int
    period: str
    forecast_micros: int = 0
    reserved_micros: int = 0
    rate_micros_per_hour: int = 0
    ends_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one object has cost since it was made, and what it costs now: integer micro-units."""

    micros: int
    rate_micros_per_hour: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody told one object to do by hand: one of its kind's verbs. Each order of an object has a higher number
    than the one before; a kind remembers the last one that it carried out."""

    verb: str
    number: int


@dataclass(frozen=True, slots=True)
class View(Generic[M]):
    """What a kind may look at when it decides. `now` is read once per pass (Unix seconds).

    `spend` and `cost` are there for kinds and specs that ask for them; `order` is the last one that was given.
    `advice` is how many replicas scheduling says, for kinds that tell their demand. `short` is there when what the
    kind would begin cannot all be paid: it decides once more then.
    """

    now: float
    things: Mapping[str, Thing] = field(default_factory=dict)
    needs: Mapping[Ref, Need] = field(default_factory=dict)
    memory: M | None = None
    hold: Hold | None = None
    short: Shortage | None = None
    spend: Spend | None = None
    cost: Cost | None = None
    order: Order | None = None
    advice: Advice | None = None

    @property
    def begins(self) -> int | None:
        """How much may begin at this look, in the order in which it is named; None: all of it."""
        return self.short.begins if self.short else None


@dataclass(frozen=True, slots=True)
class Ensure:
    """Make this thing so. Restated while it should stand: a level, not an edge.

    The loop tells the engine when the generation is new, was not accepted yet, or the thing is
    seen to be absent; otherwise restating costs nothing.
    """

    capability: Capability
    part: str
    body: Body
    generation: int | None = None
    """The thing's own generation where it differs from the object's; it never goes down."""

    meters: tuple[tuple[str, int], ...] = ()
    """(SKU, quantity) pairs whose meters open with this intention."""

    expected: Expected | None = None
    """What it will cost until it ends by itself; None where it has no end of its own."""

    again: bool = False
    """Tell the engine once more although nothing new is wanted: the thing was changed outside."""


@dataclass(frozen=True, slots=True)
class Release:
    """Remove this thing, and go on saying so until it is seen to be absent."""

    part: str


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the object's story: an event's fixed name and a sentence."""

    event: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Decision(Generic[M]):
    """The answer of a kind. Exactly one of these holds:

    settled      nothing to do until something changes (`again_s` None, `forget` False)
    again_s      look again after so many seconds
    forget       every thing is proved absent; the object may be dropped

    A thing that no action names is left as it is. `note`s are written once, with the change.
    """

    actions: tuple[Ensure | Release, ...] = ()
    conditions: tuple[Condition, ...] = ()
    outputs: Mapping[str, Scalar] = field(default_factory=dict)
    memory: M | None = None
    holds: tuple[Hold, ...] = ()
    notes: tuple[Note, ...] = ()
    again_s: float | None = None
    forget: bool = False

    def __post_init__(self) -> None:
        assert not (self.forget and (self.again_s is not None or self.actions)), "forget comes alone"
