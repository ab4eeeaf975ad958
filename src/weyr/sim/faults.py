"""How does a call to an engine go wrong? Seeded: the same seed and calls give the same faults.

A reply is lost before or after its effect; a slow call has its effect later, when the caller has given up
on it, and one that is overtaken has it right after the next; a crash makes the engine silent for a while, and what
runs goes on. The caller sees EngineSilent each time, and cannot tell which it was. That is the point. A repeated call
is answered, and has its effect once more later, after newer ones: whoever retries on a lossy network does that to
others. An answer may be old, as from a cache; it then says of when it is.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from weyr.core.diagnostic import EngineSilent
from weyr.sim.chance import chance_of
from weyr.sim.clock import VirtualClock

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Probabilities per call; `stales` per thing asked for. A slow or repeated effect comes within `delay_s`, a crash
    lasts `down_s`, and no answer is older than `stale_s`."""

    loses_replies: float = 0.0
    delays: float = 0.0
    crashes: float = 0.0
    repeats: float = 0.0
    reorders: float = 0.0
    stales: float = 0.0
    delay_s: float = 5.0
    down_s: float = 30.0
    stale_s: float = 5.0


@dataclass(slots=True)
class Faults:
    """One engine's luck: a stream of its own for each capability, and one fate, as they crash together.

    `stop` ends all faults, for "and then everything settles".
    """

    clock: VirtualClock
    seed: int
    rates: FaultRates
    count: int = 0
    _chances: dict[str, random.Random] = field(default_factory=dict)
    _down_until: float = float("-inf")
    _late: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    _overtaken: dict[str, list[Callable[[], object]]] = field(default_factory=dict)

    def stop(self) -> None:
        """From now on every call is answered; what is late still happens, at its time."""
        self.rates = FaultRates()
        self._down_until = float("-inf")

    def call(self, do: Callable[[], R], of: str = "") -> R:
        """Makes one call of a capability. Raises: EngineSilent, with the effect done, not done, or yet to come."""
        self.catch_up()
        if self.clock.now() < self._down_until:
            raise EngineSilent("the engine is down")
        overtaken = self._overtaken.pop(of, [])
        try:
            return self._make(do, of)
        finally:
            for earlier in overtaken:
                earlier()

    def stale(self, past: Sequence[tuple[float, R]], of: str = "") -> tuple[float, R] | None:
        """One of the `past` answers, with its time, where an old one is given instead of the truth."""
        if not self.rates.stales or self._chance(of).random() >= self.rates.stales:
            return None
        oldest = self.clock.now() - self.rates.stale_s
        young = [look for look in past if look[0] >= oldest]
        return self._chance(of).choice(young) if young else None

    def _make(self, do: Callable[[], R], of: str) -> R:
        chance, rates = self._chance(of), self.rates
        left = chance.random()
        if (left := left - rates.crashes) < 0:
            self._down_until = self.clock.now() + rates.down_s
            return self._lose(do, chance, "the engine crashed")
        if (left := left - rates.loses_replies) < 0:
            return self._lose(do, chance, "the reply was lost")
        if (left := left - rates.delays) < 0:
            self._come_late(do, chance)
            raise EngineSilent("no answer in time")
        if (left := left - rates.reorders) < 0:
            self.count += 1
            self._overtaken.setdefault(of, []).append(do)
            raise EngineSilent("no answer before the next call")
        if left - rates.repeats < 0:
            self._come_late(do, chance)
        return do()

    def _come_late(self, do: Callable[[], object], chance: random.Random) -> None:
        self.count += 1
        self._late.append((self.clock.now() + chance.random() * self.rates.delay_s, do))

    def _lose(self, do: Callable[[], R], chance: random.Random, why: str) -> R:
        self.count += 1
        if chance.random() < 0.5:
            do()
        raise EngineSilent(why)

    def catch_up(self) -> None:
        """Lets happen what was delayed until now."""
        if not self._late:
            return
        due = [item for item in self._late if item[0] <= self.clock.now()]
        self._late = [item for item in self._late if item[0] > self.clock.now()]
        for _, do in sorted(due, key=lambda item: item[0]):
            do()

    def _chance(self, of: str) -> random.Random:
        if of not in self._chances:
            self._chances[of] = chance_of(self.seed, f"engine/{of}")
        return self._chances[of]
