"""Spot, on demand, or wait: which is cheapest for a job that must be done by its deadline? Pure.

    spells = Spells()
    while work_left_s > 0:                                      # once per look
        spells = spells.seen(is_there, step_s)
        runs = decide(terms, Moment(work_left_s, time_left_s, is_there, runs, starting_s), spells)

The deadline comes first: whatever is chosen, on demand can still finish in time after it. Within that, each choice is
worth what it costs until the next look and what the rest then costs at best (`weyr.scheduling.spot.value`), averaged
over the cases that the spells seen so far leave likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

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

    Spot that is gone is a `Moment` in which nothing runs. The first call for new
    terms takes seconds, in which it works out the values; they are kept for the last eight.
    """
    values = _values(terms.launch_s, terms.spot_per_hour, terms.on_demand_per_hour, terms.work_s, terms.slack_s)
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
    price = {Runs.SPOT: terms.spot_per_hour, Runs.ON_DEMAND: terms.on_demand_per_hour, Runs.NOTHING: 0.0}[runs]
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


@lru_cache(maxsize=8)
def _values(launch_s: float, spot: float, on_demand: float, work_s: float, slack_s: float) -> tuple[Values, ...]:
    work_h, slack_h = work_s / 3600, max(slack_s, 0.0) / 3600
    return tuple(Values(case, launch_s / 3600, (spot, on_demand), work_h, slack_h) for case in CASES)
