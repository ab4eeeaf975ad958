"""Nodes, what is taken of them, and the choice of where the next request goes."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import blake2b
from heapq import heappop, heappush

from weyr.scheduling.placement.outlook import Outlook
from weyr.scheduling.placement.ranking import Ranking
from weyr.scheduling.placement.room import Room, Shape, barrier, lack, sort_of, times
from weyr.scheduling.placement.taken import Taken
from weyr.scheduling.placement.values import DEVICE_MILLI, Node, Placed, Refused, Request


class Cluster:
    """Where each request went, and where the next goes.

    *Promises* the same answers to the same calls and seed, and those that a cluster built anew from what is
    placed would give; never more taken than a node has.
    """

    def __init__(self, nodes: Iterable[Node], seed: int = 0, outlook: Outlook | None = None) -> None:
        """`seed` orders nodes that are equally good. `outlook` is what to expect; none: learn from what is placed."""
        self.outlook = outlook or Outlook()
        self._seed = seed
        self._shapes: dict[Shape, int] = {}
        self._ranking = Ranking(self.outlook)
        self._nodes: dict[str, Taken] = {}
        self._there: dict[Room, list[tuple[int, str]]] = {}
        for node in nodes:
            self.add(node)

    def add(self, node: Node) -> None:
        """A node joins, empty. *Raises* ValueError if one of this name is there."""
        if node.name in self._nodes:
            raise ValueError(f"there is a node {node.name} already")
        shape = sort_of(node)
        if shape not in self._shapes:
            self._shapes[shape] = len(self._shapes)
            self._ranking.know(shape)
        order = int.from_bytes(blake2b(f"{self._seed} {node.name}".encode(), digest_size=8).digest(), "big")
        taken = self._nodes[node.name] = Taken(node, self._shapes[shape], order)
        self._enter(taken)

    def remove(self, name: str) -> None:
        """A node leaves, and with it what was placed there: that is not to be released. *Raises* KeyError."""
        self._leave(self._nodes.pop(name))

    def resize(self, node: Node) -> None:
        """It has more or less CPU and memory than it had, and is otherwise as it was; what was placed there stays.

        *Raises* KeyError if it is not there, ValueError if it would have less than is taken of it."""
        taken = self._nodes[node.name]
        if problem := taken.lacks_as(node):
            raise ValueError(f"{node.name} {problem}")
        self._leave(taken)
        taken.resize(node)
        self._enter(taken)

    def place(
        self, request: Request, is_new: bool = True, may_go: Callable[[str], bool] | None = None
    ) -> Placed | Refused:
        """Take room for the request where it leaves the rest most useful. It is refused only where it fits nowhere.

        `is_new`: it was not asked for before, and counts in the outlook. `may_go` says of a node's name whether it may
        go there; none: anywhere."""
        if is_new:
            self.outlook.see(request)
        best = self._ranking.best(request, lambda room: self._first(room, may_go))
        if not best:
            return Refused(request)
        option, taken = best
        placed = taken.choose(request, self._ranking.needs(request)[taken.shape], option.left)
        self._move(taken, placed, 1)
        return placed

    def place_all(self, requests: Sequence[Request], is_new: bool = True) -> tuple[Placed, ...] | Refused:
        """All of a gang, in its order, or the one of them that found no room. The largest choose first."""
        for request in requests if is_new else ():
            self.outlook.see(request)
        placed: dict[int, Placed] = {}
        for at in sorted(range(len(requests)), key=lambda at: _size(requests[at]), reverse=True):
            answer = self.place(requests[at], is_new=False)
            if isinstance(answer, Refused):
                for done in placed.values():
                    self.release(done)
                return answer
            placed[at] = answer
        return tuple(placed[at] for at in range(len(requests)))

    def take(self, placed: Placed) -> None:
        """What was placed before, by this or another cluster. *Raises* ValueError where that room is not free."""
        taken = self._nodes.get(placed.node)
        if taken is None:
            raise ValueError(f"there is no node {placed.node}")
        if problem := taken.problem_with(placed):
            raise ValueError(f"{placed.node} {problem}")
        self._move(taken, placed, 1)

    def release(self, placed: Placed) -> None:
        """Give back what was placed. *Raises* KeyError where its node is gone, ValueError where that much is not
        taken there."""
        taken = self._nodes[placed.node]
        if not taken.holds(placed):
            raise ValueError(f"{placed.node} does not hold {placed}")
        self._move(taken, placed, -1)

    def count(self, request: Request, at_most: int, but: Collection[str] = ()) -> int:
        """How many more such requests fit, as far as that matters, on other nodes than `but`."""
        found = 0
        needs = self._ranking.needs(request)
        excluded = Counter(self._nodes[name].room for name in but if name in self._nodes)
        for room, nodes in self._ranking.counts():
            if (need := needs.get(room.shape)) and found < at_most:
                found += times(room, need, at_most) * (nodes - excluded[room])
        return min(found, at_most)

    def lacks(self, request: Request) -> dict[str, str]:
        """For each node what it lacks for this request, in words; "" where it fits now."""
        shapes = list(self._shapes)
        answers: dict[Room, str] = {}
        for taken in self._nodes.values():
            if taken.room not in answers:
                need = self._ranking.needs(request).get(taken.shape)
                answers[taken.room] = lack(taken.room, need) if need else barrier(request, shapes[taken.shape])
        return {name: answers[taken.room] for name, taken in self._nodes.items()}

    def allocated_milli(self) -> int:
        """Thousandths of whole devices that are taken."""
        return sum(DEVICE_MILLI * len(taken.free) - sum(taken.free) for taken in self._nodes.values())

    def _move(self, taken: Taken, placed: Placed, sign: int) -> None:
        self._leave(taken)
        taken.move(placed, sign)
        self._enter(taken)

    def _enter(self, taken: Taken) -> None:
        self._ranking.enter(taken.room)
        heappush(self._there.setdefault(taken.room, []), (taken.order, taken.node.name))

    def _leave(self, taken: Taken) -> None:
        if self._ranking.leave(taken.room):
            del self._there[taken.room]

    def _first(self, room: Room, may_go: Callable[[str], bool] | None) -> Taken | None:
        """The first, in the seed's order, of the nodes with this room that it may go to. Those that have left it are
        passed over for good."""
        there = self._there[room]
        passed = []
        found: Taken | None = None
        while there and not found:
            taken = self._nodes.get(there[0][1])
            if not taken or taken.room != room:
                heappop(there)
            elif may_go and not may_go(taken.node.name):
                passed.append(heappop(there))
            else:
                found = taken
        for entry in passed:
            heappush(there, entry)
        return found


def _size(request: Request) -> tuple[int, int, int, int]:
    return request.devices, request.share_milli + request.share_memory_mib, request.cpu_milli, request.memory_mib
