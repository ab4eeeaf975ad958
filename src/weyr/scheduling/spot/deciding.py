"""Spot, on demand, or wait: which is cheapest for a job that must be done by its deadline? Pure.

    spells = Spells()
    while work_left_s > 0:                                      # once per look
        spells = spells.seen(is_there, step_s)
        runs = decide(terms, Moment(work_left_s, time_left_s, is_there, runs, starting_s), spells)

The deadline comes first: whatever is chosen, on demand can still finish in time after it. Within that, each choice is
worth what it costs until the next look and what the rest then costs at best (`weyr.scheduling.spot.value`), averaged
over the cases that the spells seen so far leave likely.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from math import ceil, log

from weyr.scheduling.spot.lasting import CASES, Spells, phase_of
from weyr.scheduling.spot.value import LATE, Situation, Values


class Runs(StrEnum):
    """What a job runs on until the next look."""

    NOTHING = "nothing"
    SPOT = "spot"
    ON_DEMAND = "on demand"


@dataclass(frozen=True, slots=True)
class Terms:
    """What stays as it is for a job: seconds of work lost by each start (`launch_s`), seconds between two looks
    (`step_s`), prices per hour in any one currency, and the work and the slack (time to the deadline less the work)
    that it began with at most."""

    launch_s: float
    step_s: float
    spot_per_hour: float
    on_demand_per_hour: float
    work_s: float
    slack_s: float

    def __post_init__(self) -> None:
        if not (self.step_s > 0 and self.launch_s >= 0 and self.work_s >= 0):
            raise ValueError(f"a look takes some time, and a start and work not less than none: {self}")
        if not (self.on_demand_per_hour > 0 and self.spot_per_hour >= 0):
            raise ValueError(f"an hour on demand costs something, and one on spot not less than nothing: {self}")


@dataclass(frozen=True, slots=True)
class Moment:
    """How it stands at a look, before the choice: seconds of work and to the deadline, whether spot is there now,
    what runs, and seconds of a start that are still to come (0 where nothing runs)."""

    work_left_s: float
    time_left_s: float
    is_spot_there: bool
    runs: Runs = Runs.NOTHING
    starting_s: float = 0.0


def decide(terms: Terms, moment: Moment, spells: Spells) -> Runs:
    """What to run until the next look. Deterministic. Never late where on demand could be in time at the first look.

    Spot that is gone runs nothing. The first call for new terms works out the values: about
    0.2 s for six hours of work and as much slack, seconds for two days. Terms that are nearly alike share them, and the
    last eight are kept.
    """
    if moment.runs is Runs.SPOT and not moment.is_spot_there:
        moment = replace(moment, runs=Runs.NOTHING, starting_s=0.0)
    values = _values_of(terms)
    weights = spells.weights()
    phase = phase_of(spells.age_s)
    found = [(_cost(terms, moment, runs, values, weights, phase), runs) for runs in _allowed(terms, moment)]
    return min(found, default=(0.0, Runs.ON_DEMAND), key=lambda pair: pair[0])[1]


@dataclass(frozen=True, slots=True)
class _Next:
    """The next look after a choice, in seconds: the work, the time to the deadline and the start then left."""

    work_s: float
    time_s: float
    starting_s: float
    paid_s: float


def _after(terms: Terms, moment: Moment, runs: Runs) -> _Next:
    if runs is Runs.NOTHING:
        return _Next(moment.work_left_s, moment.time_left_s - terms.step_s, 0.0, 0.0)
    start = moment.starting_s if runs is moment.runs else terms.launch_s
    work = max(0.0, terms.step_s - start)
    paid = min(terms.step_s, start + moment.work_left_s)
    left = max(0.0, start - terms.step_s)
    return _Next(moment.work_left_s - work, moment.time_left_s - terms.step_s, left, paid)


def _allowed(terms: Terms, moment: Moment) -> list[Runs]:
    """What leaves on demand the time to finish, even if spot is gone at the next look; on demand itself first.

    The time is that of whole looks: what ends between two may be seen to have ended at the second of them only.
    """
    allowed = [Runs.ON_DEMAND]
    for runs in (Runs.SPOT, Runs.NOTHING):
        after = _after(terms, moment, runs)
        time_s = terms.step_s * ((after.time_s + 1e-6) // terms.step_s)
        in_time = after.work_s <= 1e-6 or time_s >= terms.launch_s + after.work_s - 1e-6
        if in_time and (moment.is_spot_there or runs is Runs.NOTHING):
            allowed.append(runs)
    return allowed


def _cost(
    terms: Terms, moment: Moment, runs: Runs, values: Sequence[Values], weights: Sequence[float], phase: int
) -> float:
    after = _after(terms, moment, runs)
    slack_s = after.time_s - after.work_s - after.starting_s
    price = {Runs.SPOT: terms.spot_per_hour / terms.on_demand_per_hour, Runs.ON_DEMAND: 1.0, Runs.NOTHING: 0.0}[runs]
    situation = _situation(runs, moment.is_spot_there)
    if runs is Runs.ON_DEMAND and slack_s < 0:
        return LATE  # it is late whatever is chosen, and the least with this
    rest = sum(
        weight * value.at(situation, after.work_s / 3600, slack_s / 3600, phase)
        for weight, value in zip(weights, values, strict=True)
    )
    return price * (after.paid_s + after.starting_s) / 3600 + rest


def _situation(runs: Runs, is_there: bool) -> Situation:
    match runs:
        case Runs.SPOT:
            return Situation.SPOT
        case Runs.ON_DEMAND:
            return Situation.ON_DEMAND_THERE if is_there else Situation.ON_DEMAND_AWAY
        case Runs.NOTHING:
            return Situation.WAITING_THERE if is_there else Situation.WAITING_AWAY


def _values_of(terms: Terms) -> tuple[Values, ...]:
    """Prices count against each other only, and there may be more work and slack in the values than a job has."""
    launch_s = _on_scale(terms.launch_s, 1.05, round)
    work_s, slack_s = (_on_scale(each, 1.5, ceil) for each in (terms.work_s, terms.slack_s))
    return _values(launch_s, round(terms.spot_per_hour / terms.on_demand_per_hour, 2), work_s, slack_s)


def _on_scale(seconds: float, factor: float, to_integer: Callable[[float], int]) -> float:
    """One of few durations near it: powers of the factor, from a second on."""
    return factor ** to_integer(log(max(seconds, 1.0), factor))


@lru_cache(maxsize=8)
def _values(launch_s: float, spot: float, work_s: float, slack_s: float) -> tuple[Values, ...]:
    """In prices of an hour on demand."""
    return tuple(Values(case, launch_s / 3600, (spot, 1.0), work_s / 3600, slack_s / 3600) for case in CASES)
