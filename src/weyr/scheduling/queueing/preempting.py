"""Whom does it cost least to stop, so that a task fits?"""

from collections.abc import Callable, Collection, Iterable, Sequence

from weyr.scheduling.placement import Request
from weyr.scheduling.queueing.held import Held
from weyr.scheduling.queueing.nodes import Free, Nodes


def cheapest(
    nodes: Nodes,
    request: Request,
    replicas: int,
    model: str | None,
    candidates: Iterable[Held],
    may_take: Callable[[Held], bool],
    but: Collection[str] = (),
) -> list[Held] | None:
    """Those of `candidates`, which come the cheapest first, to stop; None where stopping all of them would not do.

    They are taken in order until the task fits; then whoever turns out not to be needed is let off, the dearest first.
    `may_take` is asked of each in turn and may refuse it, given those before. `but` names nodes not to be touched.
    """
    room = _Room(nodes, request, replicas, model, but)
    chosen: list[Held] = []
    for each in candidates:
        if room.found >= replicas:
            break
        if any(placed.node in room.of_use for placed in each.running.places) and may_take(each):
            room.give(each)
            chosen.append(each)
    if room.found < replicas:
        return None
    return _needed(room, chosen, replicas)


def _needed(room: "_Room", chosen: Sequence[Held], replicas: int) -> list[Held]:
    kept = list(chosen)
    for each in reversed(chosen[:-1]):
        room.keep(each)
        if room.found < replicas:
            room.give(each)
        else:
            kept.remove(each)
    return kept


class _Room:
    """How many replicas would fit with some tasks gone."""

    def __init__(self, nodes: Nodes, request: Request, replicas: int, model: str | None, but: Collection[str]) -> None:
        self._nodes, self._request, self._replicas = nodes, request, replicas
        self._gone: dict[str, list[Held]] = {}
        self._counts: dict[str, int] = {}
        self.of_use = nodes.of_use(request, model).difference(but)
        self.found = nodes.count(request, model, replicas, but)

    def give(self, held: Held) -> None:
        """Lets it be gone."""
        names = {placed.node for placed in held.running.places}
        for name in names:
            self._gone.setdefault(name, []).append(held)
        self._recount(names)

    def keep(self, held: Held) -> None:
        names = {placed.node for placed in held.running.places}
        for name in names:
            self._gone[name].remove(held)
        self._recount(names)

    def _recount(self, names: Collection[str]) -> None:
        for name in names:
            if name in self.of_use:
                free = self._nodes.free_on(name)
                assert free is not None
                before = self._counts.get(name, free.count(self._request, self._replicas))
                self._counts[name] = self._without(name, free)
                self.found += self._counts[name] - before

    def _without(self, name: str, free: Free) -> int:
        free = free.copy()
        for held in self._gone[name]:
            for placed in held.running.places:
                if placed.node == name:
                    free.move(placed, 1)
        return free.count(self._request, self._replicas)
