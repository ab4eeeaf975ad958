"""What came of an endpoint's requests? Counted alike, whether each is followed or many at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from weyr.core.seen import RouteFacts
from weyr.sim.rehearsal.latencies import Latencies

PATIENCE = 3.0
"""Without an `slo`, a request is late that takes so many times as long as without a wait, as `scale.slo` has it."""
BUSY = 0.35
"""Below this share of their slots nobody needs another replica, whatever the rate does."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for an endpoint's requests: how many a replica works on at once, how long one is held where none is
    ready, from when on it is late (None: `PATIENCE`), after which silence it may sleep, and how many are kept at least.

    `is_capped`: a replica gets no more than it works on (`waiting.per_replica`), and the rest waits in the plane for
    whoever is free first. Otherwise replicas get all at once, and what waits inside one stays there.
    """

    room: int
    hold_s: float
    slo_s: float | None
    idle_after_s: float
    least: int
    is_capped: bool = False


@dataclass(slots=True)
class Served:
    """`late` took longer than they may, `dropped` found nobody in time; both are no success. `work_s` is what replicas
    had to do; `way_s` is added to each answer for its way to a replica and back."""

    way_s: float = 0.0
    answered: float = 0.0
    late: float = 0.0
    dropped: float = 0.0
    unfinished: float = 0.0
    work_s: float = 0.0
    latencies: Latencies = field(default_factory=Latencies)

    def answer(self, took_s: float, work_s: float, late_from_s: float, count: float = 1.0) -> None:
        took_s += self.way_s
        self.answered += count
        self.work_s += work_s * count
        self.late += count if took_s > late_from_s + 1e-9 else 0.0
        self.latencies.add(took_s, count)

    def drop(self, count: float) -> None:
        self.dropped += count

    @property
    def asked(self) -> float:
        return self.answered + self.dropped + self.unfinished


class Queue(Protocol):
    """The requests of one route, as a rehearsal follows them."""

    terms: Terms
    served: Served
    on_closed: list[Callable[[], None]]
    """Who is called when its last replica leaves the routing."""

    @property
    def is_open(self) -> bool: ...

    def seen(self, now: float, replicas: Sequence[str], version: str) -> RouteFacts: ...

    def next_look(self, now: float) -> float: ...

    def wants(self, now: float) -> bool: ...

    def finish(self, now: float) -> None: ...
