"""What do the simulated capabilities have in common? A shelf of things, generations, and faults on every call."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from weyr.core.capability import Body, Capability, Refused, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, Facts, Present, Seen
from weyr.sim.clock import VirtualClock
from weyr.sim.faults import Faults


class Shelf(ABC):
    """A Provider in memory. What a thing looks like, and how it goes away, is each capability's own."""

    capability: Capability
    holds: type[Body]

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        self._clock, self._faults = clock, faults
        self._wanted: dict[ThingId, Wanted] = {}

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        return self._faults.call(lambda: {id: self._look(id) for id in ids})

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        return self._faults.call(lambda: {want.id: no for want in wanted if (no := self._take(want))})

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        def do() -> Mapping[ThingId, Refused]:
            for id in ids:
                if id in self._wanted and self._let_go(id):
                    del self._wanted[id]
            return {}

        return self._faults.call(do)

    def inventory(self) -> Sequence[ThingId]:
        return self._faults.call(lambda: sorted(self._wanted))

    def held(self) -> Sequence[ThingId]:
        """The truth, for checks: everything that is there, without a call that could fail."""
        return sorted(self._wanted)

    def peek(self, id: ThingId) -> Seen:
        """The truth about one thing."""
        return self._look(id)

    @abstractmethod
    def _facts(self, want: Wanted) -> Facts:
        """What the thing looks like now."""

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | None:
        """Takes a new thing, or a newer generation of one. May refuse."""
        return None

    def _let_go(self, id: ThingId) -> bool:
        """Begins to remove; True once it is gone."""
        return True

    def _look(self, id: ThingId) -> Seen:
        want = self._wanted.get(id)
        return Present(self._facts(want), want.generation) if want else Absent()

    def _take(self, want: Wanted) -> Refused | None:
        if not isinstance(want.body, self.holds):
            return Refused(f"a {self.capability.value} cannot hold a {want.body.of}")
        prior = self._wanted.get(want.id)
        if prior and want.generation < prior.generation:
            return Refused(f"generation {want.generation} is older than {prior.generation}, which is here already")
        if prior and want.generation == prior.generation:
            return None
        refused = self._begin(want, prior)
        if not refused:
            self._wanted[want.id] = want
        return refused
