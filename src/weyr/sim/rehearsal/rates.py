"""What arrives at a rate? `job/train=40/d*20m, endpoint/digits=5/s*80ms`, by chance, in the shape of a day. Pure.

Jobs come as a Poisson process; requests are counted by the minute, each count drawn. With the shape `office` the rate
follows a cosine with its peak at 14:00, from 0.3 to 1.7 times the mean; `flat` is the mean all day.
"""

import math
import random
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.units import DAY_S, HOUR_S, bytes_of, seconds_of
from weyr.sim.chance import chance_of
from weyr.sim.rehearsal.arrivals import COUNT_MAX, RUNS_MAX, Arrivals, Burst, JobArrival, Moved, arrivals_of

_RATE = re.compile(r"([a-z]+/[a-z][a-z0-9_-]*(?::[a-z]+)?)=([0-9]+(?:\.[0-9]+)?)/([smhd])(?:\*([0-9][0-9.A-Za-z]*))?")
_UNITS = {"s": 1.0, "m": 60.0, "h": float(HOUR_S), "d": float(DAY_S)}
SHAPES = ("office", "flat")
PEAK_S = 14.0 * HOUR_S
SWING = 0.7
MINUTE_S = 60.0
NORMAL_FROM = 50.0
"""From this mean on a Poisson count is drawn as a normal one: they differ by less than a request."""
EXAMPLE = "--arrivals 'job/train=40/d*20m, endpoint/digits=5/s*80ms'"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of one object (`kind/name`) per second in the mean, each taking `takes_s`, or for a bucket with so many
    bytes."""

    name: str
    per_s: float
    takes_s: float
    size_bytes: int = 0


def is_rate(text: str) -> bool:
    """Whether this is meant as a rate, and not as a file."""
    return "=" in text


def read_rates(text: str, known: Collection[str], expected_s: Mapping[str, float]) -> list[Rate]:
    """Raises: UserError with everything that is wrong in it."""
    problems, rates = list[Diagnostic](), list[Rate]()
    for part in filter(None, (each.strip() for each in text.split(","))):
        found = _RATE.fullmatch(part)
        if not found:
            problems.append(_no_rate(part))
            continue
        name, count, unit, takes = found.groups()
        if name in (rate.name for rate in rates):
            detail = f"{name} has a rate already: add both up, or write a trace."
            problems.append(Diagnostic("A rate twice", detail))
            continue
        if name not in known:
            detail = f'"{name}" is none of the stack that is asked for something.{did_you_mean(name, known)}'
            problems.append(Diagnostic("An object that is not there", detail, suggestion=EXAMPLE))
            continue
        if name.startswith("bucket/"):
            size_bytes = _size(takes or "")
            if size_bytes is None:
                detail = f"How large the objects of {name} are is not said."
                problems.append(Diagnostic("A size that is missing", detail, suggestion=f"{name}={count}/{unit}*2MB"))
            else:
                rates.append(Rate(name, float(count) / _UNITS[unit], 0.0, size_bytes))
            continue
        try:
            takes_s = seconds_of(takes) if takes else expected_s.get(name)
        except ValueError:
            problems.append(_no_rate(part))
            continue
        if takes_s is None:
            detail = f"How long {name} takes is not said: write it behind the rate, such as {part}*80ms."
            problems.append(Diagnostic("A duration that is missing", detail, suggestion=f"{part}*80ms"))
            continue
        rates.append(Rate(name, float(count) / _UNITS[unit], takes_s))
    if problems:
        raise UserError(*problems)
    return rates


def _no_rate(part: str) -> Diagnostic:
    detail = f'"{part}" is no rate: write kind/name=COUNT/UNIT*DURATION, the unit one of s, m, h, d.'
    return Diagnostic("A rate that cannot be read", detail, suggestion=EXAMPLE)


def _size(text: str) -> int | None:
    try:
        return bytes_of(text)
    except ValueError:
        return None


def arrivals_at(rates: Collection[Rate], length_s: float, shape: str, seed: int, from_s: float = 0.0) -> Arrivals:
    """What comes within `length_s`. `from_s`: which time of day it is at the beginning, in UTC.

    Raises: UserError where more comes than can be played.
    """
    _may_be_played(rates, length_s)
    jobs: list[JobArrival] = []
    requests: dict[str, list[Burst]] = {}
    moves: dict[str, list[Moved]] = {}
    for rate in rates:
        chance, (kind, _, short) = chance_of(seed, f"arrivals/{rate.name}"), rate.name.partition("/")
        if kind == "job":
            jobs += (JobArrival(at_s, short, rate.takes_s) for at_s in _moments(rate, length_s, shape, chance, from_s))
        elif kind == "bucket":
            bursts = _minutes(rate, length_s, shape, chance, from_s)
            moves[rate.name] = [Moved(each.at_s, each.count, each.over_s, rate.size_bytes) for each in bursts]
        else:
            requests[rate.name] = list(_minutes(rate, length_s, shape, chance, from_s))
    return arrivals_of(jobs, requests, moves)


def _may_be_played(rates: Collection[Rate], length_s: float) -> None:
    problems = []
    for rate in rates:
        is_run = rate.name.startswith("job/")
        most, of = (RUNS_MAX, "runs in all") if is_run else (COUNT_MAX, "requests a minute")
        count = rate.per_s * (length_s if is_run else MINUTE_S)
        if count > most:
            problems.append(Diagnostic("Too many to play", f"{rate.name}: {count:,.0f} {of} are more than {most:,}."))
    if problems:
        raise UserError(*problems)


def share_at(shape: str, at_s: float) -> float:
    """How many times the mean the rate is at a time of day."""
    if shape == "flat":
        return 1.0
    return 1.0 + SWING * math.cos(2 * math.pi * (at_s - PEAK_S) / DAY_S)


def _moments(rate: Rate, length_s: float, shape: str, chance: random.Random, from_s: float) -> Iterator[float]:
    """By thinning: drawn at the peak's rate, and kept by what the rate is then."""
    peak = rate.per_s * (1.0 if shape == "flat" else 1.0 + SWING)
    at_s = 0.0
    while peak > 0 and (at_s := at_s + chance.expovariate(peak)) < length_s:
        if chance.random() * peak < rate.per_s * share_at(shape, from_s + at_s):
            yield at_s


def _minutes(rate: Rate, length_s: float, shape: str, chance: random.Random, from_s: float) -> Iterator[Burst]:
    at_s = 0.0
    while at_s < length_s:
        over_s = min(MINUTE_S, length_s - at_s)
        count = drawn_count(rate.per_s * share_at(shape, from_s + at_s + over_s / 2) * over_s, chance)
        if count:
            yield Burst(at_s, count, over_s, rate.takes_s)
        at_s += MINUTE_S


def drawn_count(mean: float, chance: random.Random) -> int:
    """A Poisson count."""
    if mean >= NORMAL_FROM:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    least, product, count = math.exp(-mean), chance.random(), 0
    while product > least:
        product *= chance.random()
        count += 1
    return count
