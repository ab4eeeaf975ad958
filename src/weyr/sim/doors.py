"""What stands between a simulated server and its engines? Doors at which it may be killed on its way in or out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from weyr.core.capability import Answers, Provider, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Present, Seen, TaskFacts, TaskState
from weyr.sim.bills import End

T = TypeVar("T")
R = TypeVar("R")


class Mortal(Protocol):
    """A server that may die in a call, and that remembers which ends it was told of."""

    def mortally(self, call: Callable[[T], R], batch: T) -> R: ...

    def hear(self, ended: Iterable[End]) -> None: ...


class Door:
    """A Provider as a mortal server sees it."""

    def __init__(self, provider: Provider, server: Mortal) -> None:
        self.capability = provider.capability
        self._provider, self._server = provider, server

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        found = self._server.mortally(self._provider.observe, ids)
        self._server.hear(end for id, seen in found.items() for end in _ends(id, seen))
        return found

    def ensure(self, wanted: Sequence[Wanted]) -> Answers:
        return self._server.mortally(self._provider.ensure, wanted)

    def release(self, ids: Sequence[ThingId]) -> Answers:
        return self._server.mortally(self._provider.release, ids)

    def inventory(self) -> Sequence[ThingId]:
        return self._provider.inventory()


def _ends(id: ThingId, seen: Seen) -> Iterator[End]:
    match seen:
        case Present(facts=TaskFacts(state=TaskState.ENDED, started_at=started_at), as_of=None):
            yield id, started_at
        case _:
            return
