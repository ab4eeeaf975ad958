"""What will the rest of a job cost at best, if spot comes and goes as one case says? Pure.

Dynamic programming over the work that is left and the slack: the time to the deadline less that work. Working uses up
work, waiting uses up slack, and each start uses up slack and money. For each there are five situations (see
`Situation`), and for each of those the phase of the spell that spot is in.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum
from operator import mul

from weyr.scheduling.spot.lasting import AGES_H, HAZARDS, PHASES

LATE = 1e9
"""The cost of what would be late: more than anything that is not."""

STEP_H = 0.25
STEPS_MAX = 200
"""Hours of work between two rows; longer jobs have wider rows instead of more."""

Matrix = list[list[float]]
Row = list[list[float]]
"""For each slack, for each phase: a cost."""


class Situation(IntEnum):
    """What runs, and whether spot is there."""

    WAITING_AWAY = 0
    WAITING_THERE = 1
    ON_DEMAND_AWAY = 2
    ON_DEMAND_THERE = 3
    SPOT = 4


class Values:
    """The cost of the rest of a job for one pair of scales (`ends`, `returns`).

    Takes hours: `launch_h` that a start costs, `work_h` and `slack_h` at most; prices per hour, of any currency.
    """

    def __init__(
        self, scales: tuple[float, float], launch_h: float, prices: tuple[float, float], work_h: float, slack_h: float
    ) -> None:
        self._step = max(STEP_H, work_h / STEPS_MAX)
        self._slacks = _slacks(slack_h, self._step, launch_h)
        self._rows = int(work_h / self._step) + 2
        self._launch, (self._spot, self._demand) = launch_h, prices
        self._prepare(*scales)
        self._costs = [array("d", bytes(8 * self._rows * len(self._slacks) * PHASES)) for _ in Situation]
        rows: list[Row] = [[[0.0] * PHASES for _ in self._slacks] for _ in Situation]
        for number in range(1, self._rows):
            rows = self._next(rows)
            at = number * len(self._slacks) * PHASES
            for costs, row in zip(self._costs, rows, strict=True):
                costs[at : at + len(row) * PHASES] = array("d", [cost for slack in row for cost in slack])

    def at(self, situation: Situation, work_h: float, slack_h: float, phase: int) -> float:
        """The expected cost from here on, interpolated; `LATE` and more where the deadline may be missed."""
        if work_h <= 0:
            return 0.0
        if slack_h < 0:
            return LATE
        row = min(int(work_h / self._step), self._rows - 2)
        down = work_h / self._step - row
        left = max(min(bisect_right(self._slacks, slack_h) - 1, len(self._slacks) - 2), 0)
        right = min((slack_h - self._slacks[left]) / (self._slacks[left + 1] - self._slacks[left]), 1.0)
        costs, here = self._costs[situation], (row * len(self._slacks) + left) * PHASES + phase
        below = here + len(self._slacks) * PHASES
        upper = (1 - right) * costs[here] + right * costs[here + PHASES]
        lower = (1 - right) * costs[below] + right * costs[below + PHASES]
        return (1 - down) * upper + down * lower

    # --- how spells go on

    def _prepare(self, ends: float, returns: float) -> None:
        rates = _rates(ends, returns)
        self._works = _after(rates, self._step)
        killing = [*rates[:PHASES], *([0.0] * len(rates) for _ in range(PHASES))]
        self._runs, self._dies = _stays(_after(killing, self._step))
        self._starts, self._fails = _stays(_after(killing, self._launch))
        coming = [*([0.0] * len(rates) for _ in range(PHASES)), *rates[PHASES:]]
        self._waits: list[tuple[Matrix, list[float], Matrix, list[float]]] = []
        known: dict[float, tuple[Matrix, list[float], Matrix, list[float]]] = {}
        for before, after in zip(self._slacks, self._slacks[1:], strict=False):
            width = round(after - before, 9)
            if width not in known:
                away = [row[PHASES:] + row[:1] for row in _after(coming, width)[PHASES:]]
                there, gone = _stays(_after(killing, width))
                known[width] = [row[:PHASES] for row in away], [row[PHASES] for row in away], there, gone
            self._waits.append(known[width])

    # --- one row of work further

    def _next(self, before: list[Row]) -> list[Row]:
        """The costs with one step more work, from those with one step less."""
        demand_h = self._demand * self._step
        away: Row = []
        there: Row = []
        works_away: Row = []
        works_there: Row = []
        runs: Row = []
        spot: Row = []
        for place in range(len(self._slacks)):
            after = before[Situation.ON_DEMAND_THERE][place] + before[Situation.ON_DEMAND_AWAY][place]
            worked = [demand_h + _dot(row, after) for row in self._works]
            works_there.append(worked[:PHASES])
            works_away.append(worked[PHASES:])
            away.append(self._away(place, away, there, works_away))
            runs.append(self._run(place, before, away))
            switched = self._later(works_there, place)
            to_demand = [self._demand * self._launch + cost for cost in switched]
            spot.append([min(pair) for pair in zip(runs[place], to_demand, strict=True)])
            there.append(self._there(place, away, there, runs, to_demand))
        on_demand_away = [_less(work, stop) for work, stop in zip(works_away, away, strict=True)]
        on_demand_there = [_less(work, stop) for work, stop in zip(works_there, there, strict=True)]
        return [away, there, on_demand_away, on_demand_there, spot]

    def _away(self, place: int, away: Row, there: Row, works: Row) -> list[float]:
        start = [self._demand * self._launch + cost for cost in self._later(works, place)]
        if place == 0:
            return [min(cost, LATE) for cost in start]
        stays, comes, _, _ = self._waits[place - 1]
        waits = [
            _dot(row, away[place - 1]) + came * there[place - 1][0] for row, came in zip(stays, comes, strict=True)
        ]
        return [min(pair) for pair in zip(start, waits, strict=True)]

    def _run(self, place: int, before: list[Row], away: Row) -> list[float]:
        """A step on spot. Where it dies within the step, half of it was work."""
        died = 0.5 * (before[Situation.WAITING_AWAY][place][0] + away[place - 1][0]) if place else LATE
        return [
            _dot(row, before[Situation.SPOT][place]) + dies * died + self._spot * self._step * (1 - 0.5 * dies)
            for row, dies in zip(self._runs, self._dies, strict=True)
        ]

    def _there(self, place: int, away: Row, there: Row, runs: Row, to_demand: Sequence[float]) -> list[float]:
        started, failed = self._later(runs, place), self._later(away, place)[0]
        starts = [
            self._spot * self._launch * (1 - 0.5 * fails) + _dot(row, started) + fails * failed
            for row, fails in zip(self._starts, self._fails, strict=True)
        ]
        if place == 0:
            return [min(*pair, LATE) for pair in zip(starts, to_demand, strict=True)]
        _, _, stays, goes = self._waits[place - 1]
        waits = [_dot(row, there[place - 1]) + gone * away[place - 1][0] for row, gone in zip(stays, goes, strict=True)]
        return [min(each) for each in zip(starts, to_demand, waits, strict=True)]

    def _later(self, row: Row, place: int) -> list[float]:
        """A row's costs after a start, which takes its time from the slack."""
        slack = self._slacks[place] - self._launch
        if slack < -1e-9:
            return [LATE] * PHASES
        left = min(max(bisect_right(self._slacks, slack) - 1, 0), max(place - 1, 0))
        if left == place:
            return row[place]
        share = (slack - self._slacks[left]) / (self._slacks[left + 1] - self._slacks[left])
        return [(1 - share) * one + share * other for one, other in zip(row[left], row[left + 1], strict=True)]


def _slacks(most_h: float, step_h: float, launch_h: float) -> list[float]:
    """Slacks from none on, close together at first: the less there is, the more a little of it decides.

    How many more starts there is slack for decides most, so the first ones are whole starts.
    """
    found = [0.0]
    while launch_h and launch_h * len(found) < step_h and len(found) < 5:
        found.append(launch_h * len(found))
    if launch_h >= step_h:
        found.append(launch_h)
    while found[-1] < most_h:
        found.append(found[-1] + step_h * min(2 ** int(found[-1] / step_h / 16), 4))
    return found if len(found) > 1 else [0.0, step_h]


def _rates(ends: float, returns: float) -> Matrix:
    """Rates per hour between the phases of presence and, after them, those of absence."""
    begins = (0.0, *AGES_H[:-1])
    older = [*(1 / (end - begin) for begin, end in zip(begins, AGES_H, strict=True)), 0.0]
    rates = [[0.0] * (2 * PHASES) for _ in range(2 * PHASES)]
    for phase in range(PHASES):
        for at, other, scale in ((phase, PHASES, ends), (PHASES + phase, 0, returns)):
            rates[at][other] += scale * HAZARDS[phase]
            if phase + 1 < PHASES:
                rates[at][at + 1] += older[phase]
            rates[at][at] -= sum(rates[at])
    return rates


def _after(rates: Matrix, hours: float) -> Matrix:
    """The chances after so many hours: the exponential of a matrix, by squaring."""
    size, halvings = len(rates), 12
    part = [[rate * hours / 2**halvings for rate in row] for row in rates]
    found = [[(row == column) + part[row][column] for column in range(size)] for row in range(size)]
    square = _product(part, part)
    found = [[value + square[row][column] / 2 for column, value in enumerate(found[row])] for row in range(size)]
    for _ in range(halvings):
        found = _product(found, found)
    return found


def _stays(chances: Matrix) -> tuple[Matrix, list[float]]:
    """Of the chances from the phases of presence: those that it lasted, and those that it ended."""
    return [row[:PHASES] for row in chances[:PHASES]], [sum(row[PHASES:]) for row in chances[:PHASES]]


def _product(one: Matrix, other: Matrix) -> Matrix:
    columns = list(zip(*other, strict=True))
    return [[_dot(row, column) for column in columns] for row in one]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


def _less(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [min(pair) for pair in zip(one, other, strict=True)]
