"""How many replicas does each endpoint need? Those that save most late requests first, under a quota if there is one.

For each endpoint and each number of replicas it reckons how many requests would be late: until a replica that is asked
for now could be ready (`soon`, in which only those that are there can help) and for a while afterwards (`later`, in
which all do), over the cases of what may arrive. A replica that is there saves in both, a new one only later: that is
why nothing flaps, and why a quota moves a replica from one endpoint to another only when that pays for its start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil, exp, inf
from typing import Any, Literal

from weyr.scheduling.scaling.arrivals import Arrivals
from weyr.scheduling.scaling.hearing import Heard, Hearing
from weyr.scheduling.scaling.savings import Curve, spend
from weyr.scheduling.scaling.values import Load
from weyr.scheduling.scaling.waiting import Queue
from weyr.scheduling.scaling.work import Work

# Never asked for more than fits the most that may come, this much above, and two.
ROOM = 1.3
# Where more seems to be needed, it is not more than so many, or twice what is there, at once.
STEP_MAX = 100
# A target that nobody named: a request may wait twice as long as it works.
PATIENCE = 3.0
# What a request takes before one has ended, where no target is known either.
SERVICE_S = 0.1
# The length of a tick before the second one.
TICK_S = 10.0


@dataclass(slots=True)
class _Endpoint:
    """What is remembered of one endpoint. `wanted`: (when, what was worth its price), as long as it still counts."""

    hearing: Hearing = field(default_factory=Hearing)
    arrivals: Arrivals = field(default_factory=Arrivals)
    work: Work = field(default_factory=Work)
    first_s: float | None = None
    last_arrival_s: float | None = None
    wanted: list[tuple[float, int]] = field(default_factory=list)
    why: str = ""


class Autoscaler:
    """Target replicas for endpoints that may share a quota.

    Takes
        worth: a replica is kept as long as it saves at least this share of the requests that it could serve from being
            late; where there are already twice as many as the work fills on average, twice this share, and so on. More
            of it saves replicas and lets more be late.
        share: what a short quota is spent for. "fair": that the part of each endpoint's requests that are late is
            small, the large and the small alike. "value": that few are late in all, each by its endpoint's weight.
        hold_s: for how long a replica that is started is meant to be of use.
        state: what `state` of an earlier one gave.

    Promises: the same targets for the same calls; reads no clock; bounded memory per endpoint; forgets endpoints that
    it is no longer told of.
    """

    def __init__(
        self,
        *,
        worth: float = 0.006,
        share: Literal["fair", "value"] = "fair",
        hold_s: float = 60.0,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        if not worth > 0 or not hold_s > 0:
            raise ValueError("worth and hold_s are more than 0")
        if share not in ("fair", "value"):
            raise ValueError(f'share is {share!r}, and is "fair" or "value"')
        self._worth, self._share, self._hold_s = worth, share, hold_s
        self._endpoints = {name: _restored(known) for name, known in (state or {}).get("endpoints", {}).items()}
        self._last_s: float | None = (state or {}).get("last_s")

    def targets(self, loads: Sequence[Load], now_s: float, quota: int | None = None) -> dict[str, int]:
        """How many replicas each endpoint is to have from now on, by name.

        Takes all endpoints that share `quota` (replicas; None for no bound), once per tick; `now_s` on any clock that
        only goes forward.
        Gives a target for each load. The sum never exceeds `quota`; where the floors alone would, they are met by
        turns as far as it goes.
        Raises: ValueError when time stands still, a name comes twice or the quota is below 0.
        """
        tick_s = self._tick_s(loads, now_s, quota)
        curves, there = {}, {}
        for load in loads:
            known = self._endpoints[load.name]
            heard = known.hearing.hear(load, now_s, tick_s)
            curves[load.name], there[load.name] = self._curve(load, heard, known, now_s, tick_s, quota), heard
        targets = self._settled(spend(curves, quota), loads, there, now_s, quota)
        for name, target in targets.items():
            self._endpoints[name].hearing.decided(target, now_s)
        return targets

    def why(self, name: str) -> str:
        """In a sentence, what the last target of an endpoint rests on; "" for one that it was not told of."""
        known = self._endpoints.get(name)
        return known.why if known else ""

    @property
    def state(self) -> dict[str, Any]:
        """All that was learnt, as plain values that JSON can hold."""
        return {
            "last_s": self._last_s,
            "endpoints": {name: asdict(known) for name, known in self._endpoints.items()},
        }

    def _tick_s(self, loads: Sequence[Load], now_s: float, quota: int | None) -> float:
        names = [load.name for load in loads]
        if len(set(names)) < len(names):
            raise ValueError(f"two loads have one name: {sorted(name for name in set(names) if names.count(name) > 1)}")
        if quota is not None and quota < 0:
            raise ValueError(f"the quota is {quota}, and is at least 0")
        # What the first tick counted began at 0 of the caller's clock, if that is not long ago.
        first_s = min(now_s, TICK_S) if now_s > 0 else TICK_S
        tick_s = first_s if self._last_s is None else now_s - self._last_s
        if not tick_s > 0:
            raise ValueError(f"now_s is {now_s}, and was {self._last_s} a tick ago: it only goes forward")
        self._last_s = now_s
        self._endpoints = {name: self._endpoints.get(name) or _Endpoint() for name in names}
        return tick_s

    def _curve(
        self, load: Load, heard: Heard, known: _Endpoint, now_s: float, tick_s: float, quota: int | None
    ) -> Curve:
        soon_s, later_s = max(heard.start_s, tick_s), max(self._hold_s, tick_s)
        known.arrivals.learn(heard.arrived, tick_s, soon_s + later_s / 2)
        known.work.learn(heard, tick_s)
        if heard.arrived or heard.queued:
            known.last_arrival_s = now_s
        known.first_s = now_s if known.first_s is None else known.first_s
        idle_s = now_s - (known.first_s if known.last_arrival_s is None else known.last_arrival_s)
        least = _floor(load, heard, idle_s, known.work.service_s)
        # Until a request has ended nothing is known of its work; half the target is neither hopeful nor costly.
        service_s = known.work.service_s or (load.latency_target_s or 2 * SERVICE_S) / 2
        target_s = load.latency_target_s or PATIENCE * service_s
        soon, later = known.arrivals.soon(tick_s), known.arrivals.later(soon_s, soon_s + later_s, tick_s)
        far = max(rate for rate, _ in (*soon, *later)) * service_s / load.concurrency
        most = max(least, heard.asked, ceil(min(far * ROOM, max(STEP_MAX, 2 * heard.asked))) + 2 if far > 0 else 0)
        if known.last_arrival_s is None or idle_s >= load.idle_after_s:
            # Nobody asks: nothing that may be foreseen is a reason to start anything.
            most = least
        most = max(least, min(most, *(top for top in (load.replicas_max, quota) if top is not None), most))
        late = [0.0] * (most + 1)
        ahead = Queue(load, service_s, target_s)
        for rate, likelihood in soon:
            shares = ahead.late(rate, heard.queued, soon_s, min(heard.asked, most))
            for replicas in range(most + 1):
                late[replicas] += likelihood * shares[min(replicas, heard.asked)]
        now_rate = sum(rate * likelihood for rate, likelihood in soon)
        left = ahead.left(now_rate, heard.queued, soon_s, heard.asked)
        for rate, likelihood in later:
            for replicas, each in enumerate(ahead.late(rate, left, later_s, most)):
                late[replicas] += likelihood * each
        known.why = (
            f"{known.arrivals.rate:.3g} requests/s now, up to {max(rate for rate, _ in later):.3g} foreseen, "
            f"each {service_s:.3g} s of work; a replica starts in {heard.start_s:.3g} s"
        )
        capacity = load.concurrency / service_s * (soon_s + later_s)
        # With no replica all are late: by fairness each endpoint counts the same, however much it is asked.
        value = load.weight / late[0] if self._share == "fair" and late[0] > 0 else load.weight
        filled = max(1.0, known.arrivals.mean * service_s / load.concurrency)
        return Curve(least, late, self._worth * capacity, value, filled)

    def _settled(
        self, wanted: dict[str, int], loads: Sequence[Load], there: Mapping[str, Heard], now_s: float, quota: int | None
    ) -> dict[str, int]:
        """Who lets a replica go pays for its start when it is wanted again: it stays for as long as a start takes.

        So it costs at most twice what it would have cost to know the future (the rule of renting or buying skis). The
        quota goes first, and sleep is not delayed: `idle_after_s` was waited for already.
        """
        left = None if quota is None else quota - sum(wanted.values())
        settled = dict(wanted)
        for load in loads:
            known, heard, target = self._endpoints[load.name], there[load.name], wanted[load.name]
            known.wanted = [each for each in known.wanted if now_s - each[0] < heard.start_s] + [(now_s, target)]
            kept = min(max(count for _, count in known.wanted), heard.asked) - target
            if load.replicas_max is not None:
                kept = min(kept, load.replicas_max - target)
            if kept > 0 and target:
                kept = kept if left is None else min(kept, left)
                settled[load.name] += kept
                left = None if left is None else left - kept
        return settled


def _floor(load: Load, heard: Heard, idle_s: float, service_s: float | None) -> int:
    """What there is at least: what was said, one that is awake, and room for those inside that will still be there.

    Of requests under way and waiting only those count that are likely to last until a replica has started: the long
    ones of a model that has begun to think, not a queue of short ones that is gone by then.
    """
    is_awake = heard.queued or heard.arrived or (heard.asked and idle_s < load.idle_after_s)
    lasting = exp(-heard.start_s / service_s) if service_s else 1.0
    inside = ceil((heard.queued + heard.in_flight) * lasting / load.concurrency)
    top = inf if load.replicas_max is None else load.replicas_max
    return max(load.replicas_min, int(min(max(load.floor, inside, 1 if is_awake else 0), top)))


def _restored(known: Mapping[str, Any]) -> _Endpoint:
    return _Endpoint(
        Hearing(**known["hearing"]),
        Arrivals(**known["arrivals"]),
        Work(**known["work"]),
        known["first_s"],
        known["last_arrival_s"],
        [(at, count) for at, count in known["wanted"]],
        known["why"],
    )
