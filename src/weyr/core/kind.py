"""What is a kind of resource? One descriptor per folder; everything else follows from it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from weyr.core.assumptions import NO_PAST, Assumed, Assumption, Past
from weyr.core.capability import Capability
from weyr.core.checking import Finding, Proposal
from weyr.core.commitments import Coverage
from weyr.core.decision import Decision, Limit, Thing, View, Want
from weyr.core.pools import NodeWish, PoolBody, QueueBody
from weyr.core.reach import Expected
from weyr.core.ref import Ref, ThingId
from weyr.core.scaling import Demand
from weyr.core.schema import Spec, ValidationError, from_json, to_json

S = TypeVar("S", bound=Spec)
M = TypeVar("M")


class Layer(StrEnum):
    COMPUTE = "compute"
    STORAGE = "storage"
    SECURITY = "security"
    ML = "ml"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Usage:
    """A metered quantity of one thing between two moments.

    `sku` names a price; `quantity` counts its unit in thousandths (milli-CPU, milli-GiB) or, for
    storage, bytes. `since` and `until` are Unix seconds: the engine's own record of start and end.
    `until` None means that it still runs; `since` None that it counts from when it was first seen.
    `peak` is the most of `quantity` that was really used, in its unit, once that is known; 0: nobody measured it.
    """

    part: str
    sku: str
    quantity: int
    since: float | None
    until: float | None = None
    peak: int = 0
    of: ThingId | None = None
    """Whose cost this is a share of, in thousandths. A quantity of 0 is not known now, and stays as it was."""

    covers: Coverage | None = None
    """It is the fee of a commitment, which pays for this."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an object will use if it runs as written: `quantity` of `sku` for `hours_per_month`.

    `note` states the assumption in a few words ("runs once, about 5 min"). `once_micros`: it is the month's part of
    something that is paid at once, for a term of several.
    """

    sku: str
    quantity: int
    hours_per_month: float
    note: str = ""
    once_micros: int = 0


@dataclass(frozen=True, slots=True)
class Begins:
    """The least that an object begins with: `count` things at once, each of which uses `meters` (SKU, quantity) and
    ends as `expected` says; None: not by itself."""

    meters: tuple[tuple[str, int], ...]
    expected: Expected | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Kind(Generic[S, M]):
    """A kind's descriptor: its words, its spec, and its pure functions.

    `decide`   want and view → what next
    `usage`    things as seen → what to meter
    `estimate` spec and the figures assumed → what it will use, for the plan's price
    `assumes`  spec and its own past → the figures that its estimate is made with, unless somebody says otherwise
    `recalls`  what an object remembers and what its meters counted → that with what it measured itself
    `markets`  spec → the same one on the other markets that it may be paid on ("spot", "on demand")
    `replaces` fields whose change cannot be made in place: the object is removed and made anew
    `reborn`   what an object that is made anew still has to know, such as the numbers its things had: a name is
               used once in an object's life
    `begins_again` whether the next plan begins one anew that is done
    `checks`   the whole stack → what is unwise or impossible in objects of this kind
    `limits`   what an object of this kind says that all in a scope may cost; it is told what that has cost
    `wishes`   the nodes that an object asks for, to be compared with machines that clouds offer
    `commits`  what an object of this kind has paid for beforehand, so that others cost less
    `reads_cost`  whether those of an object of this spec depend on what the object has cost
    `orders`   verbs that an object of this kind takes by hand, such as promote
    `refuses`  what it remembers (None: nothing yet) and a verb → why it cannot do that now, "" where it can
    `declares` what the scheduler hears of an object of this kind before anything runs: a queue's or a pool's terms
    `demand`   want and view → what is asked of its replicas, where scheduling is to say how many there should be
    `begins`   what it begins with as soon as it is there; None for one that sleeps until something happens
    `together` how many tasks of an object start at once or not at all
    `summary`  one sentence for help and docs
    """

    name: str
    plural: str
    layer: Layer
    summary: str
    spec: type[S]
    decide: Callable[[Want[S], View[M]], Decision[M]]
    capabilities: tuple[Capability, ...] = ()
    memory: type[M] | None = None
    usage: Callable[[S, Mapping[str, Thing]], tuple[Usage, ...]] | None = None
    estimate: Callable[[S, Assumed], tuple[Estimate, ...]] | None = None
    assumes: Callable[[S, Past], tuple[Assumption, ...]] | None = None
    recalls: Callable[[M, Past], Past] | None = None
    markets: Callable[[S], Mapping[str, S]] | None = None
    replaces: frozenset[str] = frozenset()
    reborn: Callable[[M], M] | None = None
    limits: Callable[[Ref, S], Limit] | None = None
    commits: Callable[[Ref, S], Coverage] | None = None
    wishes: Callable[[S], NodeWish | None] | None = None
    begins_again: bool = False
    reads_cost: Callable[[S], bool] | None = None
    checks: Callable[[Proposal], Iterable[Finding]] | None = None
    declares: Callable[[Ref, S], QueueBody | PoolBody] | None = None
    begins: Callable[[S], Begins | None] | None = None
    together: Callable[[S], int] | None = None
    demand: Callable[[Want[S], View[M]], Demand | None] | None = None
    orders: frozenset[str] = frozenset()
    refuses: Callable[[M | None, str], str] | None = None

    def expected(self, spec: S) -> tuple[Estimate, ...]:
        """What it will use as far as anybody knows who has only the spec."""
        if self.estimate is None:
            return ()
        return self.estimate(spec, {one.name: one.value for one in self.assumes(spec, NO_PAST)} if self.assumes else {})

    @property
    def is_held(self) -> bool:
        """Whether engines hold what it uses; if not, it is used as its spec says."""
        return bool(self.capabilities)

    def asks_cost(self, spec: S | None) -> bool:
        """Whether an object of this spec is to be told what it has cost."""
        return spec is not None and self.reads_cost is not None and self.reads_cost(spec)

    def recalled(self, memory: str | None, past: Past) -> Past:
        """The past with what the memory, as JSON, has of it; what cannot be read is not known."""
        if self.recalls is None or self.memory is None or memory is None:
            return past
        try:
            return self.recalls(from_json(self.memory, memory), past)
        except ValidationError:
            return past

    def memory_anew(self, memory: str | None) -> str | None:
        """The memory, as JSON, with which an object begins that is made anew; what cannot be read is not known."""
        if self.reborn is None or self.memory is None or memory is None:
            return None
        try:
            return to_json(self.memory, self.reborn(from_json(self.memory, memory)))
        except ValidationError:
            return None


AnyKind = Kind[Any, Any]
Kinds = Mapping[str, AnyKind]
"""Every kind there is, by name. Only `weyr.compose` builds it."""
