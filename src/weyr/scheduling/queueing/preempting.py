"""Whom does it cost least to stop, so that a task fits?"""

from collections.abc import Callable, Collection, Iterable, Sequence

from weyr.scheduling.queueing.held import Held
from weyr.scheduling.queueing.nodes import Free, Nodes, suits
from weyr.scheduling.queueing.shapes import Need


def cheapest(
    nodes: Nodes,
    need: Need,
    replicas: int,
    model: str | None,
    candidates: Iterable[Held],
    cost: Callable[[Held], tuple[float, ...]],
    may_take: Callable[[Held], bool],
    but: Collection[str] = (),
) -> list[Held] | None:
    """Those of `candidates` to stop; None where stopping all of them would not do.

    The cheapest go first until the task fits; then whoever turns out not to be needed is let off, the dearest first.
    `may_take` is asked of each in turn and may refuse it, given those before. `but` names nodes not to be touched.
    """
    useful = [
        each for each in candidates if any(_is_of_use(nodes, need, model, p.node, but) for p in each.running.places)
    ]
    room = _Room(nodes, need, replicas, model, but)
    chosen: list[Held] = []
    for each in sorted(useful, key=lambda held: (*cost(held), held.task.id)):
        if room.found >= replicas:
            break
        if may_take(each):
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

    def __init__(self, nodes: Nodes, need: Need, replicas: int, model: str | None, but: Collection[str]) -> None:
        self._nodes, self._need, self._replicas, self._model, self._but = nodes, need, replicas, model, but
        self._gone: dict[str, list[Held]] = {}
        self._counts: dict[str, int] = {}
        self.found = nodes.room_for(need, model, replicas, but)

    def give(self, held: Held) -> None:
        """Lets it be gone."""
        names = {place.node for place in held.running.places}
        for name in names:
            self._gone.setdefault(name, []).append(held)
        self._recount(names)

    def keep(self, held: Held) -> None:
        names = {place.node for place in held.running.places}
        for name in names:
            self._gone[name].remove(held)
        self._recount(names)

    def _recount(self, names: Collection[str]) -> None:
        for name in names:
            if _is_of_use(self._nodes, self._need, self._model, name, self._but):
                free = self._nodes.free_on(name)
                assert free is not None
                before = self._counts.get(name, free.count(self._need, self._replicas))
                self._counts[name] = self._without(name, free)
                self.found += self._counts[name] - before

    def _without(self, name: str, free: Free) -> int:
        free = free.copy()
        for held in self._gone[name]:
            for place in held.running.places:
                if place.node == name:
                    free.give(held.task.need, place)
        return free.count(self._need, self._replicas)


def _is_of_use(nodes: Nodes, need: Need, model: str | None, name: str, but: Collection[str]) -> bool:
    free = nodes.free_on(name)
    return (
        free is not None
        and name not in but
        and free.node.is_open
        and (model is None or free.node.model == model)
        and suits(need, free.node)
    )
