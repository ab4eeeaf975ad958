"""The setting of "Can't Be Late" (NSDI 2024), and the rules that its policies are held against.

Ticks of the trace's gap. At each a policy sees whether spot is there and says what runs; a start costs `launch_h` of
lost work; spot dies at the first tick without it; every tick that is begun is billed.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weyr.scheduling.spot import Moment, Runs, Spells, Terms, best_zone, decide

ON_DEMAND_PER_HOUR, SPOT_PER_HOUR = 3.06, 0.9731
WORK_H = 48.0
DEADLINES_H = (52.0, 60.0, 72.0, 96.0)
LAUNCHES_H = (0.05, 0.22)
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Trace:
    """Whether spot could be had at each tick, in one zone or several: `there[zone][tick]`."""

    name: str
    gap_h: float
    there: tuple[tuple[bool, ...], ...]

    @property
    def anywhere(self) -> tuple[bool, ...]:
        return tuple(any(zones) for zones in zip(*self.there, strict=True))

    def starts(self, deadline_h: float, count: int) -> list[int]:
        """Ticks to begin at, spread evenly over the trace."""
        room = len(self.there[0]) - math.ceil(deadline_h / self.gap_h) - 1
        return [room * number // max(count - 1, 1) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Setting:
    deadline_h: float
    launch_h: float


SETTINGS = tuple(Setting(deadline, launch) for deadline in DEADLINES_H for launch in LAUNCHES_H)


@dataclass(slots=True)
class Look:
    """How it stands at a tick, in hours: work and time left, where spot is, what runs where, and the start to come."""

    work_h: float
    left_h: float
    there: Sequence[bool]
    runs: Runs = Runs.NOTHING
    zone: int = NOWHERE
    starting_h: float = 0.0


Policy = Callable[[Look], tuple[Runs, int]]
"""What is to run until the next tick, and in which zone if it is spot."""

Maker = Callable[[Setting, float, int], Policy]
"""Makes a policy for a setting, the gap in hours and the number of zones."""


def traces_in(folder: Path) -> Iterator[Trace]:
    """One for each file, and for files of one accelerator and month together one with all their zones."""
    groups: dict[tuple[str, float, int], list[tuple[bool, ...]]] = {}
    for path in sorted(folder.glob("*.json")):
        text = json.loads(path.read_text())
        gap_h, there = text["metadata"]["gap_seconds"] / 3600, tuple(map(bool, text["data"]))
        yield Trace(path.stem, gap_h, (there,))
        groups.setdefault((path.stem.split("_")[0], gap_h, len(there)), []).append(there)
    for (month, gap_h, _), zones in groups.items():
        if len(zones) > 1:
            yield Trace(f"{month}_{len(zones)}_zones", gap_h, tuple(zones))


def played(trace: Trace, start: int, setting: Setting, policy: Policy) -> tuple[float, bool]:
    """What one job cost, and whether it was late."""
    look, cost, tick = Look(WORK_H, setting.deadline_h, ()), 0.0, start
    while look.work_h > 1e-9:
        look.there = [zone[tick % len(zone)] for zone in trace.there]
        if look.runs is Runs.SPOT and not look.there[look.zone]:
            look.runs, look.zone, look.starting_h = Runs.NOTHING, NOWHERE, 0.0
        runs, zone = policy(look)
        if (runs, zone) != (look.runs, look.zone):
            look.starting_h = setting.launch_h if runs is not Runs.NOTHING else 0.0
        look.runs, look.zone = runs, zone
        if runs is not Runs.NOTHING:
            cost += trace.gap_h * (ON_DEMAND_PER_HOUR if runs is Runs.ON_DEMAND else SPOT_PER_HOUR)
            look.work_h -= max(0.0, trace.gap_h - look.starting_h)
            look.starting_h = max(0.0, look.starting_h - trace.gap_h)
        look.left_h -= trace.gap_h
        tick += 1
    return cost, look.left_h - min(look.work_h, 0.0) < -1e-9


def on_demand(_setting: Setting, _gap_h: float, _zones: int) -> Policy:
    return lambda _look: (Runs.ON_DEMAND, NOWHERE)


def greedy(setting: Setting, gap_h: float, _zones: int) -> Policy:
    """Spot while it is there, nothing while it is not, on demand for good once there is no more time for either."""
    return lambda look: _safe(look, setting, gap_h) or (Runs.NOTHING, NOWHERE)


def never_idle(setting: Setting, gap_h: float, _zones: int) -> Policy:
    """Spot while it is there, on demand while it is not."""
    return lambda look: _safe(look, setting, gap_h) or (Runs.ON_DEMAND, NOWHERE)


def uniform_progress(setting: Setting, gap_h: float, _zones: int) -> Policy:
    """NSDI 2024, as its public simulator has it: on demand where the work is behind the clock's share, until it is
    ahead by two starts; but spot at once where it is there. The paper's letter, which is `uniform_progress_by_letter`,
    does worse here."""

    def chosen(look: Look) -> tuple[Runs, int]:
        if found := _safe(look, setting, gap_h):
            return found
        ahead_h = 2 * setting.launch_h if look.runs is Runs.ON_DEMAND else 0.0
        due_h = (setting.deadline_h - look.left_h + ahead_h) * WORK_H / setting.deadline_h
        return (Runs.ON_DEMAND if WORK_H - look.work_h < due_h else Runs.NOTHING), NOWHERE

    return chosen


def uniform_progress_by_letter(setting: Setting, gap_h: float, zones: int) -> Policy:
    """The same with the third rule to the letter: who is on demand stays there until it is ahead, spot or not."""
    else_chosen = uniform_progress(setting, gap_h, zones)

    def chosen(look: Look) -> tuple[Runs, int]:
        due_h = (setting.deadline_h - look.left_h + 2 * setting.launch_h) * WORK_H / setting.deadline_h
        if look.runs is Runs.ON_DEMAND and WORK_H - look.work_h < due_h:
            return Runs.ON_DEMAND, NOWHERE
        return else_chosen(look)

    return chosen


def ours(setting: Setting, gap_h: float, zones: int) -> Policy:
    """`weyr.scheduling.spot`."""
    slack_h = max(DEADLINES_H) - WORK_H
    prices = SPOT_PER_HOUR, ON_DEMAND_PER_HOUR
    terms = Terms(setting.launch_h * 3600, gap_h * 3600, *prices, WORK_H * 3600, slack_h * 3600)
    anywhere, each = Spells(), [Spells() for _ in range(zones)]

    def chosen(look: Look) -> tuple[Runs, int]:
        nonlocal anywhere, each
        anywhere = anywhere.seen(any(look.there), terms.step_s)
        each = [spells.seen(there, terms.step_s) for spells, there in zip(each, look.there, strict=True)]
        moment = Moment(look.work_h * 3600, look.left_h * 3600, any(look.there), look.runs, look.starting_h * 3600)
        runs = decide(terms, moment, anywhere)
        if runs is not Runs.SPOT or look.runs is Runs.SPOT:
            return runs, look.zone if runs is look.runs else NOWHERE
        zone = best_zone(each, [SPOT_PER_HOUR] * zones, terms.launch_s)
        assert zone is not None, "spot was chosen, and is nowhere"
        return runs, zone

    return chosen


def _safe(look: Look, setting: Setting, gap_h: float) -> tuple[Runs, int] | None:
    """What the deadline leaves: spot where it is and there is time, on demand where waiting would be late."""
    zone = look.zone if look.runs is Runs.SPOT else next((at for at, there in enumerate(look.there) if there), NOWHERE)
    start_h = look.starting_h if look.runs is Runs.SPOT else setting.launch_h
    after_h = look.left_h - gap_h
    if zone != NOWHERE and after_h >= setting.launch_h + look.work_h - max(0.0, gap_h - start_h):
        return Runs.SPOT, zone
    return (Runs.ON_DEMAND, NOWHERE) if after_h < setting.launch_h + look.work_h else None


def omniscient(trace: Trace, start: int, setting: Setting) -> float:
    """The least that a job can cost to whom the trace is known: dynamic programming over ticks and quarters of work.

    Zones count as one that is there where any is, so for several it is a bound that nobody may reach.
    """
    quarters = 4
    ticks, anywhere = int(setting.deadline_h / trace.gap_h + 1e-9), trace.anywhere
    done = math.ceil(WORK_H / trace.gap_h * quarters - 1e-6)
    debt = round(setting.launch_h / trace.gap_h * quarters)
    places = np.arange(done + debt + 1)
    on, begun = np.minimum(places + quarters, done + debt), np.maximum(places - debt, 0)
    costs = np.full((3, len(places)), math.inf)
    costs[:, -1] = 0.0
    for tick in range(start + ticks - 1, start - 1, -1):
        waits, spot, demand = costs[0], costs[1], costs[2]
        demand = ON_DEMAND_PER_HOUR * trace.gap_h + demand[on]
        is_there = anywhere[tick % len(anywhere)]
        spot = SPOT_PER_HOUR * trace.gap_h + spot[on] if is_there else np.full(len(places), math.inf)
        stopped = np.minimum(waits, np.minimum(demand[begun], spot[begun]))
        on_spot = np.minimum(np.minimum(waits, spot), demand[begun]) if is_there else stopped
        on_demand = np.minimum(np.minimum(waits, demand), spot[begun])
        costs = np.stack([stopped, on_spot, on_demand])
        costs[:, -1] = 0.0
    return float(costs[0][debt])
