"""What one endpoint did in a tick, as its autoscaler is told it, and what holds for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What one endpoint did since the last tick, and what holds for it.

    Takes, of what was measured (counts of requests, seconds; None, NaN, infinite and negative all mean that it is not
    known, which is always allowed):
        arrived: since the last tick, those that were refused or dropped too.
        queued: that wait for a replica now, whether or not there is one.
        in_flight: that replicas work on now. ended: that they answered since the last tick.
        service_s: the mean time that a replica worked on those that ended, without their wait.
        latency_s: the mean time that those took with their wait.
        replicas: how many are ready. starting: how many more were asked for and are not ready yet. Without them the
            last target is taken to be there once it has had time to start.
    Of what holds for it (a ValueError where it cannot be):
        concurrency: how many requests one replica works on at once.
        latency_target_s: a request that takes longer, its wait included, is late; so is one that was dropped. None:
            three times what a request takes when it need not wait.
        start_s: from asking for a replica until it is ready; None: it is learnt, from 30 s on.
        queue_max: more than so many waiting at once are dropped.
        replicas_min: a floor. 0 lets it sleep once nothing has arrived for `idle_after_s`.
        replicas_max: a ceiling; None for no other than the quota.
        floor: what a calendar or a metric of its own asks for at least, as long as it is said; up to `replicas_max`.
        weight: what one of its late requests counts beside one of another endpoint's, where a quota is short.
    """

    name: str
    arrived: float | None = None
    queued: float | None = None
    in_flight: float | None = None
    ended: float | None = None
    service_s: float | None = None
    latency_s: float | None = None
    replicas: int | None = None
    starting: int | None = None
    concurrency: int = 1
    latency_target_s: float | None = None
    start_s: float | None = None
    queue_max: int = 100
    replicas_min: int = 1
    replicas_max: int | None = None
    floor: int = 0
    idle_after_s: float = 300.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Raises: ValueError for what cannot hold of an endpoint; all of it at once."""
        least: tuple[tuple[str, float | None, float], ...] = (
            ("concurrency", self.concurrency, 1),
            ("queue_max", self.queue_max, 0),
            ("replicas_min", self.replicas_min, 0),
            ("replicas_max", self.replicas_max, self.replicas_min),
            ("floor", self.floor, 0),
            ("start_s", self.start_s, 0),
            ("idle_after_s", self.idle_after_s, 0),
            ("weight", self.weight, 0),
        )
        wrong = [
            f"{name} is {value}, and is at least {bound}"
            for name, value, bound in least
            if value is not None and not value >= bound
        ]
        if self.latency_target_s is not None and not self.latency_target_s > 0:
            wrong.append(f"latency_target_s is {self.latency_target_s}, and is more than 0")
        if wrong:
            raise ValueError(f"the load of {self.name!r} cannot be: {'; '.join(wrong)}")
