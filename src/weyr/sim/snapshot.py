"""What is true at one moment of a simulated world? The loop's books beside the engine's own, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from weyr.core.ref import Ref, ThingId
from weyr.store.kernel import ObjectRow


@dataclass(frozen=True, slots=True)
class Held:
    """A thing at its engine: the generation it has, and which of its lives this is (1 for the first)."""

    generation: int
    life: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`objects` and `things` (with their generations) are what the loop knows, `metered` has an open meter.

    `held` is what the engines have, `live` the tasks whose process lives at this moment.
    """

    at: float
    objects: Mapping[Ref, ObjectRow] = field(default_factory=dict)
    things: Mapping[ThingId, int] = field(default_factory=dict)
    metered: frozenset[ThingId] = frozenset()
    held: Mapping[ThingId, Held] = field(default_factory=dict)
    live: tuple[ThingId, ...] = ()


@dataclass(frozen=True, slots=True)
class Bill:
    """What one meter of a task posted, in quantity x milliseconds, beside the runs that the engine recorded.

    Moments are in milliseconds. `closed_ms` is when the task's absence was proved; `is_told` says whether the
    loop ever heard how the run ended, which is when nothing but the recorded end may count.
    """

    id: ThingId
    sku: str
    quantity: int
    posted: int
    runs_ms: tuple[tuple[int, int], ...]
    closed_ms: int | None
    is_told: bool


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong, and with which object."""

    ref: Ref
    what: str
