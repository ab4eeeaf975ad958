"""What do the simulated capabilities have in common? A shelf of things, generations, and faults on every call."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from weyr.core.capability import Answers, Body, Capability, Refused, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, Facts, Present, Seen, Unknown
from weyr.sim.clock import VirtualClock
from weyr.sim.faults import Faults

R = TypeVar("R")


LOOKS_MAX = 4
"""How many earlier looks at a thing are kept, for answers that are old."""


class Shelf(ABC):
    """A Provider in memory. What a thing looks like, and how it goes away, is each capability's own."""

    capability: Capability
    holds: type[Body]
    is_in_order = True
    """Whether what was said of one thing before is void once something newer was, as `Provider` promises."""

    def __init__(self, clock: VirtualClock, faults: Faults) -> None:
        self._clock, self._faults = clock, faults
        self._wanted: dict[ThingId, Wanted] = {}
        self._lives: dict[ThingId, int] = {}
        self._releases: dict[ThingId, int] = {}
        self._looks: dict[ThingId, deque[tuple[float, Seen]]] = {}
        self._last: dict[ThingId, Facts] = {}
        """The last reading of what is gone and was counted."""
        self.leaving: Callable[[ThingId], None] = lambda _id: None
        """What happens to a thing at its last moment: who was under way is still answered."""

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        return self._call(lambda: {id: self._answer(id) for id in ids})

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        said = {want.id: self._releases.get(want.id, 0) for want in wanted}

        def do() -> Answers:
            standing = [want for want in wanted if not self._is_void(self._releases, want.id, said)]
            return {want.id: no for want in standing if (no := self._take(want))}

        return self._call(do)

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        lives = {id: self._lives.get(id, 0) for id in ids}
        for id in ids:
            self._releases[id] = self._releases.get(id, 0) + 1

        def do() -> Mapping[ThingId, Refused]:
            for id in ids:
                if id in self._wanted and not self._is_void(self._lives, id, lives):
                    self.leaving(id)
                    if self._let_go(id):
                        del self._wanted[id]
            return {}

        return self._call(do)

    def inventory(self) -> Sequence[ThingId]:
        return self._call(lambda: sorted(self._wanted))

    def held(self) -> Sequence[ThingId]:
        """The truth, for checks: everything that is there, without a call that could fail."""
        self._faults.catch_up()
        return sorted(self._wanted, key=_by_name)

    def peek(self, id: ThingId) -> Seen:
        """The truth about one thing."""
        return self._look(id)

    def book(self) -> Iterator[tuple[ThingId, int, int]]:
        """Each thing that is there, its generation, and how often it has come to be: 1 for its first life."""
        self._faults.catch_up()
        return ((id, want.generation, self._lives[id]) for id, want in self._wanted.items())

    @abstractmethod
    def _facts(self, want: Wanted) -> Facts:
        """What the thing looks like now."""

    def _begin(self, want: Wanted, prior: Wanted | None) -> Refused | Unknown | None:
        """Takes a new thing, or a newer generation of one. May refuse, or say that it cannot be begun just now."""
        return None

    def _let_go(self, id: ThingId) -> bool:
        """Begins to remove; True once it is gone."""
        return True

    def _call(self, do: Callable[[], R]) -> R:
        return self._faults.call(do, self.capability)

    def _answer(self, id: ThingId) -> Seen:
        """What is told of a thing: what is there, or now and then what was a while ago, which then says so."""
        seen = self._look(id)
        if not self._faults.rates.stales:
            return seen
        looks = self._looks.setdefault(id, deque(maxlen=LOOKS_MAX))
        old = self._faults.stale(looks, self.capability)
        looks.append((self._clock.now(), seen))
        if old is None or isinstance(seen, Unknown):
            return seen
        at, was = old
        return was if isinstance(was, Unknown) else replace(was, as_of=at)

    def _look(self, id: ThingId) -> Seen:
        want = self._wanted.get(id)
        return Present(self._facts(want), want.generation) if want else Absent(last=self._last.get(id))

    def _take(self, want: Wanted) -> Refused | Unknown | None:
        if not isinstance(want.body, self.holds):
            return Refused(f"a {self.capability.value} cannot hold a {want.body.of}")
        prior = self._wanted.get(want.id)
        if prior and want.generation < prior.generation:
            return Refused(f"generation {want.generation} is older than {prior.generation}, which is here already")
        if prior and want.generation == prior.generation:
            return None
        refused = self._begin(want, prior)
        if not refused:
            self._keep(want)
        return refused

    def _is_void(self, now: Mapping[ThingId, int], id: ThingId, said: Mapping[ThingId, int]) -> bool:
        return self.is_in_order and now.get(id, 0) != said[id]

    def _keep(self, want: Wanted) -> None:
        if want.id not in self._wanted:
            self._lives[want.id] = self._lives.get(want.id, 0) + 1
            looks = self._looks.setdefault(want.id, deque(maxlen=LOOKS_MAX))
            looks.append((self._clock.now(), Absent()))
        self._wanted[want.id] = want


def _by_name(id: ThingId) -> tuple[str, str, str, str]:
    """The order of ids themselves, which take five times as long to compare."""
    return id.ref.stack, id.ref.kind, id.ref.name, id.part
