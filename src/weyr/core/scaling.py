"""What does an object tell of itself, so that scheduling can say how many replicas it should have?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
class Measured:
    """What replicas told of themselves at `at` (Unix seconds): of each a number or why there is none, by part."""

    at: float
    values: Mapping[str, float] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of an object's replicas, as one look sees it.

    `arrived`, `worked` (those that a replica had, for `worked_s` in all, without their wait) and `tokens` count since
    the plane's start: who looks twice takes the difference, and begins anew where a count went down. `replica_rate` are
    requests per second that one replica can answer, `replica_tokens` tokens; 0 where that follows from what requests
    take. `start_s` is what a start took before, 0 where none was seen, and `desired` how many it decided to have.
    `metric` is what the replicas `ready` tell of themselves, "" for none, and should be `per_replica` in the mean;
    `metric_floor` is how many follow from it, and `metric_says` in a clause why. The rest is as
    `weyr.scheduling.scaling.Load` has it.
    """

    arrived: int
    worked: int
    worked_s: float
    queued: int
    in_flight: int
    replicas: int
    starting: int
    concurrency: int
    replicas_min: int
    replicas_max: int
    idle_after_s: float
    tokens: int = 0
    replica_rate: float = 0.0
    replica_tokens: float = 0.0
    latency_target_s: float | None = None
    floor: int = 0
    start_s: float = 0.0
    weight: float = 1.0
    quota: Quota | None = None
    desired: int = 0
    metric: str = ""
    per_replica: float = 0.0
    ready: tuple[str, ...] = ()
    metric_floor: int = 0
    metric_says: str = ""

    @property
    def least(self) -> int:
        """What there is at least, whatever is asked."""
        return min(max(self.replicas_min, self.floor), self.replicas_max)

    @property
    def there(self) -> int:
        return self.replicas + self.starting


@dataclass(frozen=True, slots=True)
class Advice:
    """How many replicas it should have, and in a sentence why."""

    replicas: int
    why: str = ""
