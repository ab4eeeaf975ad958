"""Which capabilities beside tasks are there to be tried, on which engines, in the same words?

A service is one capability of one engine with its surroundings. It writes a `Wanted` for a name, lets time pass,
kills what may be killed, and plays the user who does things without Weyr. A new engine adds an
entry beside each of its capabilities' and is tested the moment it exists.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from weyr.core.capability import Provider, Refused, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present, Seen, Unknown
from weyr.sim import SimEngine, VirtualClock
from weyr.sim.faults import FaultRates

R = TypeVar("R")
P = TypeVar("P", bound=Provider)
TRIES_MAX = 200


class Service(ABC):
    """One capability of one engine under trial. Verbs are asked again while the engine is silent, as the loop does."""

    kind: str
    """What an object of this capability is called in a stack."""
    part = ""
    provider: Provider

    @abstractmethod
    def want(self, id: ThingId, generation: int = 1) -> Wanted:
        """A thing as a stack would want it; its content is the same each time."""

    @abstractmethod
    def restart(self) -> None:
        """Kills what of the engine may die at any moment, and starts it again."""

    @abstractmethod
    def close(self) -> None:
        """Leaves nothing behind."""

    def patiently(self, call: Callable[[], R]) -> R:
        """Makes a call until it is answered, as often as this engine may be silent."""
        return call()  # a local engine that is silent is broken

    def id(self, name: str = "lake", stack: str = "digits") -> ThingId:
        return ThingId(Ref(stack, self.kind, name), self.part)

    def ensure(self, *wanted: Wanted) -> dict[ThingId, Refused | Unknown]:
        return dict(self.patiently(lambda: self.provider.ensure(wanted)))

    def make(self, name: str = "lake", generation: int = 1) -> ThingId:
        """A thing that was accepted."""
        id = self.id(name)
        assert self.ensure(self.want(id, generation)) == {}
        return id

    def release(self, *ids: ThingId) -> dict[ThingId, Refused | Unknown]:
        return dict(self.patiently(lambda: self.provider.release(ids)))

    def observe(self, id: ThingId) -> Seen:
        return self.patiently(lambda: self.provider.observe([id]))[id]

    def present(self, id: ThingId) -> Present:
        seen = self.observe(id)
        assert isinstance(seen, Present), seen
        return seen

    def inventory(self) -> Sequence[ThingId]:
        return sorted(self.patiently(self.provider.inventory))


class PlaneService(Service):
    """A service whose engine can be out of reach while what it holds is still there."""

    @abstractmethod
    def go_down(self) -> None: ...

    @abstractmethod
    def come_back(self) -> None: ...

    def restart(self) -> None:
        self.go_down()
        self.come_back()


class SimService(PlaneService, Generic[P]):
    """A capability of the simulated engine; with faults, it is asked again until it answers."""

    provider: P

    def __init__(self, of: Callable[[SimEngine], P], seed: int = 0, **rates: float) -> None:
        self.clock = VirtualClock()
        self.engine = SimEngine(self.clock, seed, FaultRates(**rates))
        self.provider = of(self.engine)

    def go_down(self) -> None:
        self._rates, self.engine.faults.rates = self.engine.faults.rates, FaultRates(crashes=1.0, down_s=1e-3)

    def come_back(self) -> None:
        self.engine.faults.rates = self._rates
        self.clock.advance(1.0)

    def patiently(self, call: Callable[[], R]) -> R:
        for _ in range(TRIES_MAX):
            try:
                return call()
            except EngineSilent:
                self.clock.advance(0.05)
        raise AssertionError("the engine never answered")

    def close(self) -> None:
        """Nothing is left of a world that was never there."""


SIM_LUCK: dict[str, dict[str, float]] = {
    "sim": {},
    "sim that loses replies": {"seed": 7, "loses_replies": 0.2, "delays": 0.0, "crashes": 0.05, "down_s": 1.0},
}
"""Nothing is delayed here: an effect that comes after its successor is what generations are for, and they are
tried by name."""
