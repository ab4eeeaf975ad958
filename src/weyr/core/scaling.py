"""What does an object tell of itself, so that scheduling can say how many replicas it should have?"""

from dataclasses import dataclass
from enum import StrEnum


class SharedBy(StrEnum):
    """What a quota of replicas is spent for where it is short."""

    FAIRNESS = "fairness"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Quota:
    """Replicas that all who name the same quota may have together. `name` is the absolute name of who grants it."""

    name: str
    replicas: int
    shared_by: SharedBy = SharedBy.FAIRNESS


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of an object's replicas, as one look sees it.

    `ended` and `worked_s` (all their latencies) count since the plane's start: who looks twice takes the difference,
    and begins anew where a count went down. `start_s` is what a start took before, 0 where none was seen. The rest is
    as `weyr.scheduling.scaling.Load` has it.
    """

    ended: int
    worked_s: float
    queued: int
    in_flight: int
    replicas: int
    starting: int
    concurrency: int
    latency_target_s: float
    replicas_min: int
    replicas_max: int
    idle_after_s: float
    floor: int = 0
    start_s: float = 0.0
    weight: float = 1.0
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """How many replicas it should have, and in a sentence why."""

    replicas: int
    why: str = ""
