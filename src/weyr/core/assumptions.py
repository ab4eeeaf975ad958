"""What does an estimate take for granted, and where does each figure come from? Plain values.

A kind names what the cost of its objects depends on (`hours`, `runs`, `stored`, ...), with what it takes if nobody says
more. A usage file, or what an object's own meters counted in the past, puts other figures in their place.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from weyr.core.units import DAY_S, HOUR_S, MONTH_S, duration_text, size_text

HOURS_A_MONTH = MONTH_S / HOUR_S
SLEEPS = 10
"""What may sleep is taken to be awake a tenth of the time, until its meters say how long it is."""
WEEK_S = 7 * DAY_S


class Measure(StrEnum):
    """How a figure is written."""

    COUNT = "a number"
    HOURS = "hours in a month, at most 730"
    DURATION = "a duration such as 30s or 5m"
    SIZE = "a size such as 500GB"


class Origin(StrEnum):
    """Who said it: nobody, the stack file, the object's own meters, or whoever wrote a usage file."""

    DEFAULT = "default"
    STACK = "stack"
    MEASURED = "measured"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Assumption:
    """One figure of an estimate: hours, bytes, seconds or a bare number, in a month where it is an amount of use.

    `low` and `high` are how far it may be off; equal to `value` where it is certain or nothing is known.
    `at_most` is what the spec allows. `said` tells of the origin: a place in a file, or how much was measured.
    """

    name: str
    measure: Measure
    value: float
    low: float
    high: float
    origin: Origin = Origin.DEFAULT
    said: str = ""
    at_most: float | None = None

    @classmethod
    def sure(
        cls, name: str, measure: Measure, value: float, origin: Origin = Origin.DEFAULT, said: str = ""
    ) -> "Assumption":
        """One without a range."""
        return cls(name, measure, value, value, value, origin, said)

    @property
    def text(self) -> str:
        """`hours 73 (0..730) assumed`."""
        return f"{self.name} {self.figure} {self.whence}".rstrip()

    @property
    def figure(self) -> str:
        """`73 (0..730)`."""
        spread = f" ({self._written(self.low)}..{self._written(self.high)})" if self.low != self.high else ""
        return f"{self._written(self.value)}{spread}"

    @property
    def whence(self) -> str:
        """Where it comes from, in a word or two; nothing where the stack file says it plainly."""
        match self.origin:
            case Origin.DEFAULT:
                return "assumed"
            case Origin.STACK:
                return self.said
            case Origin.MEASURED:
                return f"measured{f' ({self.said})' if self.said else ''}"
            case Origin.USAGE:
                return f"from {self.said}"

    def _written(self, value: float) -> str:
        match self.measure:
            case Measure.DURATION:
                return duration_text(value)
            case Measure.SIZE:
                return size_text(round(value))
            case Measure.HOURS | Measure.COUNT:
                return f"{round(value, 2):,.15g}"


Assumed = Mapping[str, float]
"""The figures that an estimate is made with, by name."""


@dataclass(frozen=True, slots=True)
class Past:
    """What an object's own meters counted in `observed_s`; nothing of it is known where that is 0.

    `task_s` is how long its tasks ran, together, of which there were `tasks`; `levels` what it stores now, by SKU,
    and `counts` what was counted (requests, bytes that left). `startup_s` is what its tasks needed in the mean
    before they went on from where they were interrupted, measured over so many `startups`.
    """

    observed_s: float = 0.0
    task_s: float = 0.0
    tasks: int = 0
    levels: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    startup_s: float = 0.0
    startups: int = 0

    @property
    def tells_rates(self) -> bool:
        """Whether it is long enough to speak of a month: ten minutes would not do."""
        return self.observed_s >= DAY_S

    def monthly(self, amount: float) -> float:
        """An amount of the time observed, as one of a month."""
        return amount * MONTH_S / self.observed_s

    @property
    def said(self) -> str:
        """Over how long."""
        return f"over {duration_text(self.observed_s - self.observed_s % HOUR_S or self.observed_s)}"


NO_PAST = Past()


def kept_at_rest(least: int, most: int, past: Past, open_hours: float = HOURS_A_MONTH) -> tuple[Assumption, Assumption]:
    """`replicas` and `hours` of what keeps between `least` and `most` replicas: 0 lets it sleep.

    A meter tells only how long all replicas ran together. Within what the spec allows, that is taken as so many
    that run as long as it is open, or as one that runs a part of it.
    """
    kept, most = max(1, least), max(1, least, most)
    if not past.tells_rates:
        # Asleep it costs nothing, and so does any replica that was never needed.
        hours = _hours(open_hours, open_hours, open_hours) if least else _hours(open_hours / SLEEPS, 0.0, open_hours)
        return Assumption("replicas", Measure.COUNT, kept, kept, most, Origin.STACK, at_most=most), hours
    ran = past.monthly(past.task_s) / HOUR_S
    replicas = min(float(most), max(float(kept), ran / open_hours))
    awake = open_hours if least else min(open_hours, ran / replicas)
    counted = Assumption.sure("replicas", Measure.COUNT, replicas, Origin.MEASURED, past.said)
    return replace(counted, at_most=most), _measured_hours(awake, past)


def awake_hours(default: float, past: Past, open_hours: float = HOURS_A_MONTH) -> Assumption:
    """The hours of a month in which something runs at all: certain where that is as long as it may."""
    if past.tells_rates:
        return _measured_hours(min(open_hours, past.monthly(past.task_s) / HOUR_S), past)
    return _hours(default, default if default == open_hours else 0.0, open_hours)


def _hours(value: float, low: float, high: float) -> Assumption:
    origin = Origin.STACK if low == high else Origin.DEFAULT
    return Assumption("hours", Measure.HOURS, value, low, high, origin, at_most=HOURS_A_MONTH)


def _measured_hours(value: float, past: Past) -> Assumption:
    measured = Assumption.sure("hours", Measure.HOURS, value, Origin.MEASURED, past.said)
    return replace(measured, at_most=HOURS_A_MONTH)


def whole_parts(number: float) -> Iterator[tuple[int, float]]:
    """2.25 replicas as (2, 0.75) and (3, 0.25): whole ones, and the part of the time that there are so many."""
    whole = int(number)
    part = round(number - whole, 9)
    if whole and part < 1:
        yield whole, 1 - part
    if part:
        yield whole + 1, part
