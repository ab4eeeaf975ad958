"""When is a look worth its time? Production looks every second, in case; a rehearsal knows when something happens.

What happens at the engine rings: a task that begins, is ready or ends, requests that a look could matter to. Between
that a look finds what the one before found, so those that are taken in case come ever more rarely.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from weyr.core.ref import Ref
from weyr.reconcile.agenda import Agenda
from weyr.sim.clock import VirtualClock

SERVING = ("endpoint", "service", "function", "dev")
STILL_S = 1.0
"""Who waits less than this for its next look is on its way somewhere."""
UNDER_WAY_S = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Between its looks while nothing rings: the plane lets go of a replica, and empties its queue, in silence. Who has
more to do than all of its replicas can stays on its way for hours."""
POOL_UNDER_WAY_S = 5.0
CALM_S = (60.0, 600.0, 7200.0)
"""The looks after something changed: what is decided then may be taken back a start's time later."""
SETTLED_S = 30.0
NEVER_S = 86_400.0
POOL_S = 60.0


@dataclass(slots=True)
class CalmAgenda(Agenda):
    """An agenda on which looks in case are put off. `budget_s` says for how long nothing can come of a budget."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    budget_s: Callable[[Ref], float] = lambda _ref: 2.0
    _calm: dict[Ref, int] = field(default_factory=dict)
    _under_way: dict[Ref, int] = field(default_factory=dict)

    def put(self, ref: Ref, at: float) -> None:
        now = self.clock.now()
        Agenda.put(self, ref, now + self._wait_s(ref, at - now) if at > now else at)

    def advance(self, ref: Ref, at: float) -> None:
        self._under_way.pop(ref, None)
        if at < self.times.get(ref, float("inf")):
            Agenda.put(self, ref, at)

    def stir(self, ref: Ref) -> None:
        """A look at once, and soon again at first: more or fewer come, or replicas have more to do than they can."""
        self._calm[ref] = 0
        if self.clock.now() < self.times.get(ref, float("inf")):
            Agenda.put(self, ref, self.clock.now())

    def _wait_s(self, ref: Ref, wait_s: float) -> float:
        if ref.kind in SERVING:
            if wait_s < STILL_S:
                self._calm[ref] = 0
                level = self._under_way.get(ref, 0)
                self._under_way[ref] = min(level + 1, len(UNDER_WAY_S) - 1)
                return max(wait_s, UNDER_WAY_S[level])
            self._under_way.pop(ref, None)
            level = self._calm.get(ref, 0)
            self._calm[ref] = min(level + 1, len(CALM_S) - 1)
            return max(wait_s, CALM_S[level])
        if ref.kind == "budget":
            return max(wait_s, self.budget_s(ref))
        if ref.kind == "pool":
            return max(wait_s, POOL_UNDER_WAY_S if wait_s <= STILL_S else POOL_S)
        return NEVER_S if wait_s == SETTLED_S else wait_s
