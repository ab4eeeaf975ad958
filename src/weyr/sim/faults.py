"""How does a call to an engine go wrong? Seeded: the same seed and calls give the same faults.

A reply is lost before or after its effect; a slow call has its effect later, when the caller has given up
on it; a crash makes the engine silent for a while, and what runs goes on. The caller sees EngineSilent each
time, and cannot tell which it was. That is the point. A repeated call is answered, and has its effect once
more later, after newer ones: whoever retries on a lossy network does that to others.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from weyr.core.diagnostic import EngineSilent
from weyr.sim.clock import VirtualClock

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Probabilities per call. A slow or repeated effect comes within `delay_s`; a crash lasts `down_s`."""

    loses_replies: float = 0.0
    delays: float = 0.0
    crashes: float = 0.0
    repeats: float = 0.0
    delay_s: float = 5.0
    down_s: float = 30.0


@dataclass(slots=True)
class Faults:
    """One engine's luck. `stop` ends all faults, for "and then everything settles"."""

    clock: VirtualClock
    seed: int
    rates: FaultRates
    count: int = 0
    _chance: random.Random = field(init=False)
    _down_until: float = float("-inf")
    _late: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"faults/{self.seed}")

    def stop(self) -> None:
        """From now on every call is answered; what is late still happens, at its time."""
        self.rates = FaultRates()
        self._down_until = float("-inf")

    def call(self, do: Callable[[], R]) -> R:
        """Makes one call. Raises: EngineSilent, with the effect done, not done, or yet to come."""
        self._catch_up()
        if self.clock.now() < self._down_until:
            raise EngineSilent("the engine is down")
        drawn, rates = self._chance.random(), self.rates
        if drawn < rates.crashes:
            self._down_until = self.clock.now() + rates.down_s
            return self._lose(do, "the engine crashed")
        if drawn < rates.crashes + rates.loses_replies:
            return self._lose(do, "the reply was lost")
        if drawn < rates.crashes + rates.loses_replies + rates.delays:
            self.count += 1
            self._late.append((self.clock.now() + self._chance.random() * rates.delay_s, do))
            raise EngineSilent("no answer in time")
        if drawn < rates.crashes + rates.loses_replies + rates.delays + rates.repeats:
            self.count += 1
            self._late.append((self.clock.now() + self._chance.random() * rates.delay_s, do))
        return do()

    def _lose(self, do: Callable[[], R], why: str) -> R:
        self.count += 1
        if self._chance.random() < 0.5:
            do()
        raise EngineSilent(why)

    def _catch_up(self) -> None:
        due = [item for item in self._late if item[0] <= self.clock.now()]
        self._late = [item for item in self._late if item[0] > self.clock.now()]
        for _, do in sorted(due, key=lambda item: item[0]):
            do()
