"""What room do the nodes have, and where would one more replica go?

Counts only: which of several nodes is best is asked of a `Scorer`. For each shape a heap of the nodes that have room
is kept and mended by what changed since it was last used, so ten thousand nodes are looked at once, not per task.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from weyr.scheduling.queueing.shapes import Need, Node, Place

WHOLE = 1000
Score = tuple[float, ...]
Scorer = Callable[[Need, "Free"], Score]
"""The node with the least score takes the replica; `Free` has room for it."""


class Free:
    """What is free on one node: cores, memory, untouched devices, and what is left of those that are shared."""

    __slots__ = ("cpu", "memory", "node", "parts", "version", "whole")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.cpu, self.memory = node.cpu_milli, node.memory_bytes
        self.whole = list(range(node.gpus))
        """Indices, as a heap: the least is taken first."""
        self.parts: dict[int, int] = {}
        self.version = 0

    def copy(self) -> "Free":
        other = Free.__new__(Free)
        other.node, other.cpu, other.memory, other.version = self.node, self.cpu, self.memory, self.version
        other.whole, other.parts = list(self.whole), dict(self.parts)
        return other

    def count(self, need: Need, at_most: int) -> int:
        """How many replicas would fit now, as far as that matters."""
        if not self.node.is_open or not suits(need, self.node):
            return 0
        found = at_most
        if need.cpu_milli:
            found = min(found, self.cpu // need.cpu_milli)
        if need.memory_bytes:
            found = min(found, self.memory // need.memory_bytes)
        if need.gpu_milli >= WHOLE:
            found = min(found, len(self.whole) // (need.gpu_milli // WHOLE))
        elif need.gpu_milli and found > 0:
            shared = sum(left // need.gpu_milli for left in self.parts.values())
            found = min(found, shared + len(self.whole) * (WHOLE // need.gpu_milli))
        return max(found, 0)

    def take(self, need: Need) -> Place:
        """Takes one replica's room, which is there."""
        self.cpu -= need.cpu_milli
        self.memory -= need.memory_bytes
        return Place(self.node.name, tuple(self._take_devices(need.gpu_milli)))

    def hold(self, need: Need, place: Place) -> None:
        """Takes the room of what runs there already, also where that is more than there is."""
        self.cpu -= need.cpu_milli
        self.memory -= need.memory_bytes
        for device in place.devices:
            if device in self.whole:
                self.whole.remove(device)
                heapq.heapify(self.whole)
                left = WHOLE
            else:
                left = self.parts.pop(device, 0)
            if need.gpu_milli < WHOLE:
                self.parts[device] = left - need.gpu_milli

    def give(self, need: Need, place: Place) -> None:
        """Gives one replica's room back."""
        self.cpu += need.cpu_milli
        self.memory += need.memory_bytes
        for device in place.devices:
            left = WHOLE if need.gpu_milli >= WHOLE else self.parts.pop(device, 0) + need.gpu_milli
            if device >= self.node.gpus:
                continue
            if left >= WHOLE:
                heapq.heappush(self.whole, device)
            else:
                self.parts[device] = left

    def _take_devices(self, gpu_milli: int) -> Iterator[int]:
        if gpu_milli >= WHOLE:
            for _ in range(gpu_milli // WHOLE):
                yield heapq.heappop(self.whole)
        elif gpu_milli:
            fitting = [(left, device) for device, left in self.parts.items() if left >= gpu_milli]
            left, device = min(fitting) if fitting else (WHOLE, heapq.heappop(self.whole))
            self.parts[device] = left - gpu_milli
            yield device


def suits(need: Need, node: Node) -> bool:
    """Whether the node would do if it were empty: its labels, taints, model and size."""
    return (
        need.labels <= node.labels
        and node.taints <= need.bears
        and (not need.gpu_milli or not need.models or node.model in need.models)
        and need.cpu_milli <= node.cpu_milli
        and need.memory_bytes <= node.memory_bytes
        and need.gpu_milli <= node.gpus * WHOLE
    )


def tightest(need: Need, free: Free) -> Score:
    """Best fit: the cheapest node, without GPUs where none is needed, and of those the one with the least left over."""
    node = free.node
    shared = sum(free.parts.values()) if need.gpu_milli else 0
    return (
        price_micros(need, node),
        node.gpus if not need.gpu_milli else 0,
        len(free.whole) * WHOLE + shared,
        free.cpu,
        free.memory,
    )


def price_micros(need: Need, node: Node) -> int:
    """What a replica costs there per hour: its part of what it takes most of, rounded up."""
    if not node.price_micros_per_hour:
        return 0
    return max(
        -(-node.price_micros_per_hour * asked // of)
        for asked, of in (
            (need.cpu_milli, max(node.cpu_milli, 1)),
            (need.memory_bytes, max(node.memory_bytes, 1)),
            (need.gpu_milli, max(node.gpus * WHOLE, 1)),
        )
    )


@dataclass(slots=True)
class _Ranked:
    """The nodes with room for one shape, best first; entries of a node that has changed since are stale."""

    read: int
    """How far in the log of changes it has been mended."""
    heap: list[tuple[Score, int, int]] = field(default_factory=list)
    """Score, the node's number, and its version then."""


class Nodes:
    """The room of all nodes.

    Takes `score` and the nodes; their order breaks ties.
    """

    def __init__(self, nodes: Iterable[Node] = (), score: Scorer = tightest) -> None:
        self._score = score
        self._free: list[Free] = []
        self._number: dict[str, int] = {}
        self._log: list[int] = []
        self._ranked: dict[tuple[Need, str | None], _Ranked] = {}
        self.growth = 0
        """One more each time that room may have grown: what did not fit does not fit until then."""
        self.total: dict[str, int] = {}
        for node in nodes:
            self.put(node)

    def put(self, node: Node) -> None:
        """Adds the node, or changes what it has or whether it is open; what runs there goes on."""
        number = self._number.get(node.name)
        free = Free(node)
        if number is None:
            self._number[node.name] = len(self._free)
            self._free.append(free)
        else:
            self._count(self._free[number].node, -1)
            _carry_over(self._free[number], free)
            self._free[number] = free
        self._count(node, 1)
        self._changed(self._number[node.name])
        self.growth += 1

    def remove(self, name: str) -> None:
        """Forgets the node: nothing starts there any more, and room given back there goes nowhere."""
        number = self._number.pop(name, None)
        if number is not None:
            self._count(self._free[number].node, -1)
            gone = Free(Node(name, 0, 0, is_open=False))
            gone.version = self._free[number].version
            self._free[number] = gone
            self._changed(number)

    def __contains__(self, name: str) -> bool:
        return name in self._number

    def all(self) -> Iterator[Free]:
        return (self._free[number] for number in self._number.values())

    def free_on(self, name: str) -> Free | None:
        number = self._number.get(name)
        return None if number is None else self._free[number]

    def models_for(self, need: Need) -> Sequence[str | None]:
        """The GPU models that would do, the cheapest first; `None` for any node where no GPU is needed."""
        if not need.gpu_milli:
            return (None,)
        cheapest: dict[str, int] = {}
        for free in self.all():
            if suits(need, free.node):
                price = price_micros(need, free.node)
                cheapest[free.node.model] = min(price, cheapest.get(free.node.model, price))
        return sorted(cheapest, key=lambda model: (cheapest[model], model))

    def take(
        self, need: Need, replicas: int, model: str | None, allowed: Callable[[Free, int], bool] | None = None
    ) -> tuple[Place, ...] | None:
        """Takes room for all replicas on nodes of one model (`None`: any), or for none of them.

        `allowed` may refuse a node as it is now, given how many of the replicas it would then have.
        """
        ranked = self._mended(need, model)
        places: list[Place] = []
        here: dict[int, int] = {}
        aside: list[tuple[Score, int, int]] = []
        while len(places) < replicas and ranked.heap:
            entry = ranked.heap[0]
            _, number, version = entry
            free = self._free[number]
            if free.version != version:
                heapq.heappop(ranked.heap)
            elif allowed is not None and not allowed(free, here.get(number, 0) + 1):
                aside.append(heapq.heappop(ranked.heap))
            else:
                places.append(free.take(need))
                here[number] = here.get(number, 0) + 1
                self._changed(number)
                ranked = self._mended(need, model)
        for entry in aside:
            heapq.heappush(ranked.heap, entry)
        if len(places) == replicas:
            return tuple(places)
        self.undo(need, places)
        return None

    def undo(self, need: Need, places: Iterable[Place]) -> None:
        """Gives back what was only tried: no more room than before."""
        for place in places:
            self._give_back(need, place)

    def hold(self, need: Need, places: Iterable[Place]) -> None:
        """Takes the room of what runs there already."""
        for place in places:
            if place.node in self._number:
                self._free[self._number[place.node]].hold(need, place)
                self._changed(self._number[place.node])

    def give(self, need: Need, places: Iterable[Place]) -> None:
        """Gives back what was taken."""
        self.undo(need, places)
        self.growth += 1

    def room_for(self, need: Need, model: str | None, at_most: int, but: Collection[str] = ()) -> int:
        """How many replicas fit now, as far as that matters, on other nodes than `but`."""
        found = 0
        ranked = self._mended(need, model)
        for _, number, version in ranked.heap:
            free = self._free[number]
            if free.version == version and free.node.name not in but:
                found += free.count(need, at_most - found)
                if found >= at_most:
                    break
        return found

    def _give_back(self, need: Need, place: Place) -> None:
        number = self._number.get(place.node)
        if number is not None:
            self._free[number].give(need, place)
            self._changed(number)

    def _changed(self, number: int) -> None:
        self._free[number].version += 1
        self._log.append(number)
        if len(self._log) > 1000 + 8 * len(self._free):
            # Whoever has not read it yet begins anew: cheaper than reading so much.
            self._log.clear()
            self._ranked.clear()

    def _mended(self, need: Need, model: str | None) -> _Ranked:
        ranked = self._ranked.get((need, model))
        if ranked is None:
            ranked = self._ranked[need, model] = _Ranked(len(self._log))
            scores: dict[tuple[object, ...], Score | None] = {}
            for number in self._number.values():
                self._rank(ranked, need, model, number, scores)
            heapq.heapify(ranked.heap)
        else:
            self._mend(ranked, need, model)
        return ranked

    def _rank(
        self,
        ranked: _Ranked,
        need: Need,
        model: str | None,
        number: int,
        scores: dict[tuple[object, ...], Score | None],
    ) -> None:
        """Adds a node where it has room. Nodes that are alike are scored once."""
        free = self._free[number]
        node = free.node
        if free.cpu < need.cpu_milli or (model is not None and node.model != model):
            return
        kind = (node.cpu_milli, node.memory_bytes, node.gpus, node.model, node.labels, node.taints, node.is_open)
        alike = (kind, node.price_micros_per_hour, free.cpu, free.memory, len(free.whole), tuple(free.parts.values()))
        if alike not in scores:
            scores[alike] = self._score(need, free) if free.count(need, 1) else None
        score = scores[alike]
        if score is not None:
            ranked.heap.append((score, number, free.version))

    def _mend(self, ranked: _Ranked, need: Need, model: str | None) -> None:
        if ranked.read == len(self._log):
            return
        for number in set(self._log[ranked.read :]):
            free = self._free[number]
            if (model is None or free.node.model == model) and free.count(need, 1):
                heapq.heappush(ranked.heap, (self._score(need, free), number, free.version))
        ranked.read = len(self._log)

    def _count(self, node: Node, sign: int) -> None:
        for name, amount in (("cpu", node.cpu_milli), ("memory", node.memory_bytes), ("gpu", node.gpus * WHOLE)):
            self.total[name] = self.total.get(name, 0) + sign * amount


def _carry_over(old: Free, new: Free) -> None:
    """What is taken of a node stays taken when the node is described anew."""
    new.cpu -= old.node.cpu_milli - old.cpu
    new.memory -= old.node.memory_bytes - old.memory
    new.parts = {device: left for device, left in old.parts.items() if device < new.node.gpus}
    taken = set(range(old.node.gpus)) - set(old.whole)
    new.whole = [device for device in range(new.node.gpus) if device not in taken]
    new.version = old.version
