"""Nodes, what is taken of them, and the choice of where the next request goes."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import blake2b
from heapq import heappop, heappush

from weyr.scheduling.placement.outlook import Outlook, unused_milli
from weyr.scheduling.placement.room import Need, Room, Shape, barrier, lack, need_of, rooms_after, shape_of, times
from weyr.scheduling.placement.values import DEVICE_MILLI, Node, Placed, Refused, Request


class _Taken:
    """One node: which of its devices have how much left, and its room as the choice sees it."""

    __slots__ = ("cpu_milli", "free", "memory_mib", "node", "order", "room", "shape", "slices")

    def __init__(self, node: Node, shape: int, order: int) -> None:
        self.node = node
        self.order = order
        self.shape = shape
        self.cpu_milli = node.cpu_milli
        self.memory_mib = node.memory_mib
        self.free = [DEVICE_MILLI] * node.devices
        self.slices = {profile: set(range(node.slices[profile])) for profile in sorted(node.slices)}
        self.room = self.room_now()

    def room_now(self) -> Room:
        free = tuple(sorted(left for left in self.free if left))
        slices = tuple(len(left) for left in self.slices.values())
        return Room(self.shape, self.cpu_milli, self.memory_mib, free, slices)

    def move(self, placed: Placed, sign: int) -> None:
        """Take what was placed (sign 1), or give it back (-1)."""
        self.cpu_milli -= sign * placed.request.cpu_milli
        self.memory_mib -= sign * placed.request.memory_mib
        for device in placed.devices:
            self.free[device] -= sign * (placed.share_milli or DEVICE_MILLI)
        for profile, number in placed.slices:
            (self.slices[profile].remove if sign > 0 else self.slices[profile].add)(number)
        self.room = self.room_now()


class _View:
    """The rooms that one request could take, the best on top: kept up as rooms come and go."""

    __slots__ = ("epoch", "heap", "needs", "read")

    def __init__(self, needs: Sequence[Need | None]) -> None:
        self.needs = needs
        self.epoch = -1
        self.read = 0
        self.heap: list[tuple[float, float, Room, int]] = []


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
        self._mixes: list[list[tuple[float, Need]]] = []
        self._nodes: dict[str, _Taken] = {}
        self._there: dict[Room, list[tuple[int, str]]] = {}
        self._counts: dict[Room, int] = {}
        self._came: list[Room] = []
        self._views: dict[Request, _View] = {}
        self._epoch = 0
        self._generation = -1
        self._unused: dict[Room, float] = {}
        for node in nodes:
            self.add(node)

    def add(self, node: Node) -> None:
        """A node joins, empty. *Raises* ValueError if one of this name is there."""
        if node.name in self._nodes:
            raise ValueError(f"there is a node {node.name} already")
        shape = self._shapes.setdefault(shape_of(node), len(self._shapes))
        if shape == len(self._mixes):
            self._generation = -1  # a shape that no view knows yet
            self._mixes.append([])
            self._views.clear()
        order = int.from_bytes(blake2b(f"{self._seed} {node.name}".encode(), digest_size=8).digest(), "big")
        taken = self._nodes[node.name] = _Taken(node, shape, order)
        self._enter(taken)

    def remove(self, name: str) -> None:
        """A node leaves, and with it what was placed there: that is not to be released. *Raises* KeyError."""
        self._leave(self._nodes.pop(name))

    def place(
        self, request: Request, is_new: bool = True, may_go: Callable[[str], bool] | None = None
    ) -> Placed | Refused:
        """Take room for the request where it leaves the rest most useful. It is refused only where it fits nowhere.

        `is_new`: it was not asked for before, and counts in the outlook. `may_go` says of a node's name whether it may
        go there; none: anywhere."""
        if is_new:
            self.outlook.see(request)
        view = self._view(request)
        passed = []
        found: tuple[_Taken, int] | None = None
        while view.heap and not found:
            _, _, room, left = view.heap[0]
            taken = self._first(room, may_go) if self._counts.get(room) else None
            if taken:
                found = taken, left
            else:
                entry = heappop(view.heap)
                if self._counts.get(room):
                    passed.append(entry)
        for entry in passed:
            heappush(view.heap, entry)
        if not found:
            return Refused(request)
        taken, left = found
        need = view.needs[taken.shape]
        assert need is not None
        placed = Placed(request, taken.node.name, *_choose(taken, need, left))
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
        if problem := _unable(taken, placed):
            raise ValueError(f"{placed.node} {problem}")
        self._move(taken, placed, 1)

    def release(self, placed: Placed) -> None:
        """Give back what was placed. *Raises* KeyError where its node is gone."""
        self._move(self._nodes[placed.node], placed, -1)

    def count(self, request: Request, at_most: int, but: Collection[str] = ()) -> int:
        """How many more such requests fit, as far as that matters, on other nodes than `but`."""
        found = 0
        needs = [need_of(request, shape) for shape in self._shapes]
        excluded = Counter(self._nodes[name].room for name in but if name in self._nodes)
        for room, nodes in self._counts.items():
            if (need := needs[room.shape]) and found < at_most:
                found += times(room, need, at_most) * (nodes - excluded[room])
        return min(found, at_most)

    def lacks(self, request: Request) -> dict[str, str]:
        """For each node what it lacks for this request, in words; "" where it fits now."""
        shapes = list(self._shapes)
        answers: dict[Room, str] = {}
        for taken in self._nodes.values():
            if taken.room not in answers:
                shape = shapes[taken.shape]
                need = need_of(request, shape)
                answers[taken.room] = lack(taken.room, need) if need else barrier(request, shape)
        return {name: answers[taken.room] for name, taken in self._nodes.items()}

    def allocated_milli(self) -> int:
        """Thousandths of whole devices that are taken."""
        return sum(DEVICE_MILLI * len(taken.free) - sum(taken.free) for taken in self._nodes.values())

    def _move(self, taken: _Taken, placed: Placed, sign: int) -> None:
        self._leave(taken)
        taken.move(placed, sign)
        self._enter(taken)

    def _enter(self, taken: _Taken) -> None:
        room = taken.room
        count = self._counts.get(room, 0)
        self._counts[room] = count + 1
        heappush(self._there.setdefault(room, []), (taken.order, taken.node.name))
        if not count:
            self._came.append(room)

    def _leave(self, taken: _Taken) -> None:
        count = self._counts[taken.room] - 1
        if count:
            self._counts[taken.room] = count
        else:
            del self._counts[taken.room], self._there[taken.room]

    def _first(self, room: Room, may_go: Callable[[str], bool] | None) -> _Taken | None:
        """The first, in the seed's order, of the nodes with this room that it may go to. Those that have left it are
        passed over for good."""
        there = self._there[room]
        passed = []
        found: _Taken | None = None
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

    def _view(self, request: Request) -> _View:
        """The request's view, brought up to date."""
        if self._generation != self.outlook.generation:
            self._generation = self.outlook.generation
            self._mixes = [self.outlook.needs(shape) for shape in self._shapes]
            self._unused.clear()
            self._renew()
        elif len(self._came) > 4 * len(self._nodes) + 10_000:
            self._renew()
        view = self._views.get(request)
        if view is None:
            view = self._views[request] = _View([need_of(request, shape) for shape in self._shapes])
        came = self._came[view.read :]
        if view.epoch != self._epoch:
            view.epoch = self._epoch
            view.heap = []
            came = list(self._counts)
        for room in came:
            if (need := view.needs[room.shape]) and room in self._counts:
                for left, after in rooms_after(room, need):
                    loss = self._unused_of(after) - self._unused_of(room)
                    heappush(view.heap, (loss, self._spare(after), room, left))
        view.read = len(self._came)
        return view

    def _renew(self) -> None:
        self._epoch += 1
        self._came = []
        self._views.clear()

    def _unused_of(self, room: Room) -> float:
        unused = self._unused.get(room)
        if unused is None:
            unused = self._unused[room] = unused_milli(room, self._mixes[room.shape])
        return unused

    def _spare(self, room: Room) -> float:
        """Between rooms that lose the same: the one with the least left."""
        return room.cpu_milli + room.memory_mib + sum(room.free)


def _choose(taken: _Taken, need: Need, left: int) -> tuple[tuple[int, ...], int, tuple[tuple[str, int], ...]]:
    """The devices, the share and the instances: of those alike the lowest number."""
    if need.share_milli:
        return (taken.free.index(left),), need.share_milli, ()
    if need.slice_at >= 0:
        profile = list(taken.slices)[need.slice_at]
        return (), 0, ((profile, min(taken.slices[profile])),)
    whole = (number for number, free in enumerate(taken.free) if free == DEVICE_MILLI)
    return tuple(number for number, _ in zip(whole, range(need.devices), strict=False)), 0, ()


def _unable(taken: _Taken, placed: Placed) -> str:
    wanted = placed.share_milli or DEVICE_MILLI
    if placed.request.cpu_milli > taken.cpu_milli or placed.request.memory_mib > taken.memory_mib:
        return "has not that much CPU and memory left"
    if any(not 0 <= number < len(taken.free) or taken.free[number] < wanted for number in placed.devices):
        return f"has not that much left of device {' and '.join(map(str, placed.devices))}"
    if any(number not in taken.slices.get(profile, ()) for profile, number in placed.slices):
        return "has not that MIG instance left"
    return ""


def _size(request: Request) -> tuple[int, int, int, int]:
    return request.devices, request.share_milli + request.share_memory_mib, request.cpu_milli, request.memory_mib
