"""What does a rehearsal assume? Everything that is not in the stack file, as one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from weyr.core.units import DAY_S
from weyr.reconcile.scheduler import Room
from weyr.sim.rehearsal.spot import SpotTrace
from weyr.sim.rehearsal.spread import Spread

BEGAN_AT = 1_780_272_000.0
"""Monday, 2026-06-01, 00:00 UTC: a week of it is in one month, and no week depends on when it is rehearsed."""
NOTICE_S = 120.0
"""What AWS gives a spot instance before it goes; Google and Azure give 30 s (November 2026)."""
WAY_S = 0.001
"""A connection of its own, through the plane and back: 0.7 to 1.5 ms on one machine (`bench/rehearse_honest.py`)."""
STOPS_S = 0.1
"""What a program without much to save needs from SIGTERM to its end, measured with a Python program."""
CALM_FROM_S = 7_200.0
"""So many endpoint-seconds and more are looked at only when something happens."""
BOUNDLESS = Room(1_000_000, 1 << 60)


@dataclass(frozen=True, slots=True)
class Startup:
    """What a job's program needs in each attempt before it goes on, in the mean, and of how many attempts that is
    known: 0 where somebody says so."""

    takes_s: float
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Starts:
    """What a start takes: from asking for a task until its program begins, from there until it is ready, and from
    asking for a pool's node until tasks begin there. `ready_of` are starts that were seen of single objects
    (`endpoint/digits`), of which each is one, in place of `ready_s`. `startup_of` is what each attempt of a job
    (`job/train`) needs of its time before it goes on from its checkpoint; nothing where it is not named."""

    task_s: float = 0.5
    ready_s: float = 5.0
    node_s: float = 60.0
    ready_of: Mapping[str, Sequence[float]] = field(default_factory=dict)
    startup_of: Mapping[str, Startup] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """For how long, from when (Unix seconds), and what happens beside the arrivals.

    `room` is what tasks of no pool run in. `mtbf_s` is the mean time until a task or node is lost for no reason of its
    own, None where that never happens; `stops_s` what a program takes to save and end when it is told to go, `way_s`
    what the way to a replica and back adds to each answer, `takes_of` what was measured of jobs (`job/train`), and what
    requests took in the mean (`endpoint/digits`); of those that take it, `spread_of` says how unlike they are.
    `is_calm` None: looks are put off where there is much to look at.
    """

    length_s: float = 7.0 * DAY_S
    seed: int = 1
    began_at: float = BEGAN_AT
    room: Room = BOUNDLESS
    starts: Starts = field(default_factory=Starts)
    spot: SpotTrace | None = None
    notice_s: float = NOTICE_S
    mtbf_s: float | None = None
    stops_s: float = STOPS_S
    way_s: float = WAY_S
    takes_of: Mapping[str, float] = field(default_factory=dict)
    spread_of: Mapping[str, Spread] = field(default_factory=dict)
    is_calm: bool | None = None
