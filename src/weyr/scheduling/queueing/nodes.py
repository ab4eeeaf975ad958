"""What room do the nodes have? Which of several is best for a request is `placement`'s to say; here is counted.

What runs on a node that is closed, or holds more than it has, is counted too: nothing new goes there until it may.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from weyr.scheduling.placement import Cluster, Node, Outlook, Placed, Refused, Request
from weyr.scheduling.placement.room import Room, Shape, need_of, shape_of, times
from weyr.scheduling.placement.values import DEVICE_MILLI
from weyr.scheduling.queueing.shapes import CPU, GPU, MEMORY

MIB = 2**20


class Free:
    """What is free on one node: below nothing where more runs there than it has."""

    __slots__ = ("cpu_milli", "devices", "is_open", "memory_mib", "node", "price_micros_per_hour", "shape", "slices")

    def __init__(self, node: Node, price_micros_per_hour: int = 0, is_open: bool = True) -> None:
        self.node, self.price_micros_per_hour, self.is_open = node, price_micros_per_hour, is_open
        self.shape = shape_of(node)
        self.cpu_milli, self.memory_mib = node.cpu_milli, node.memory_mib
        self.devices = [DEVICE_MILLI] * node.devices
        self.slices = {profile: node.slices[profile] for profile in sorted(node.slices)}

    @property
    def is_overfull(self) -> bool:
        """Whether more CPU or memory is taken than there is."""
        return self.cpu_milli < 0 or self.memory_mib < 0

    def copy(self) -> "Free":
        other = Free(self.node, self.price_micros_per_hour, self.is_open)
        other.cpu_milli, other.memory_mib = self.cpu_milli, self.memory_mib
        other.devices, other.slices = list(self.devices), dict(self.slices)
        return other

    def count(self, request: Request, at_most: int) -> int:
        """How often the request fits now, as far as that matters."""
        need = need_of(request, self.shape) if self.is_open else None
        if need is None:
            return 0
        left = tuple(sorted(left for left in self.devices if left > 0))
        return times(Room(0, self.cpu_milli, self.memory_mib, left, tuple(self.slices.values())), need, at_most)

    def move(self, placed: Placed, sign: int) -> None:
        """Takes what was placed (sign -1), or gives it back (1)."""
        self.cpu_milli += sign * placed.request.cpu_milli
        self.memory_mib += sign * placed.request.memory_mib
        for number in placed.devices:
            if number < len(self.devices):
                self.devices[number] += sign * (placed.share_milli or DEVICE_MILLI)
        for profile, _ in placed.slices:
            self.slices[profile] = self.slices.get(profile, 0) + sign

    def resize(self, node: Node) -> None:
        """It has more or less CPU and memory than it had, and is otherwise as it was."""
        self.cpu_milli += node.cpu_milli - self.node.cpu_milli
        self.memory_mib += node.memory_mib - self.node.memory_mib
        self.node, self.shape = node, shape_of(node)

    def fill(self, request: Request) -> None:
        """Takes the room of one request that fits, on whichever devices."""
        need = need_of(request, self.shape)
        assert need is not None, f"{self.node.name} does not suit {request}"
        self.cpu_milli -= need.cpu_milli
        self.memory_mib -= need.memory_mib
        if need.share_milli:
            left = min(left for left in self.devices if left >= need.share_milli)
            self.devices[self.devices.index(left)] -= need.share_milli
        for _ in range(need.devices):
            self.devices[self.devices.index(DEVICE_MILLI)] = 0
        if need.slice_at >= 0:
            self.slices[list(self.slices)[need.slice_at]] -= 1

    def price_micros(self, request: Request) -> int:
        """What the request costs here per hour: its part of what it takes most of, rounded up."""
        need = need_of(request, self.shape)
        if not self.price_micros_per_hour or need is None:
            return 0
        parts = [
            (need.cpu_milli, self.node.cpu_milli),
            (need.memory_mib, self.node.memory_mib),
            (need.devices * DEVICE_MILLI + need.share_milli, self.node.devices * DEVICE_MILLI),
            (1, list(self.node.slices.values())[need.slice_at]) if need.slice_at >= 0 else (0, 1),
        ]
        return max(-(-self.price_micros_per_hour * asked // max(of, 1)) for asked, of in parts)


class Nodes:
    """The room of all nodes. Their names break ties, see `Cluster`."""

    def __init__(self, outlook: Outlook | None = None) -> None:
        self._cluster = Cluster((), outlook=outlook)
        self._free: dict[str, Free] = {}
        self._here: dict[str, dict[int, Placed]] = {}
        """What is on each node, by identity: many are equal."""
        self._in_cluster: set[str] = set()
        self._of_use: dict[Request, frozenset[str]] = {}
        self._of_model: dict[tuple[Request, str | None], Request] = {}
        self._kinds: Counter[tuple[Shape, int]] = Counter()
        self._models: dict[Request, Sequence[str | None]] = {}
        self.total: Counter[str] = Counter()

    def put(self, node: Node, price_micros_per_hour: int = 0, is_open: bool = True) -> None:
        """Adds the node, or changes what it has or costs, or whether anything new may go there; what runs goes on."""
        before = self._free.get(node.name)
        if before is not None and _is_resized(before, node, price_micros_per_hour, is_open):
            self._resize(before, node)
            return
        here = self._here.get(node.name, {})
        self.remove(node.name)
        free = self._free[node.name] = Free(node, price_micros_per_hour, is_open)
        self._here[node.name] = here
        for placed in here.values():
            free.move(placed, -1)
        self._count(free, 1)
        self._enter(free)

    def remove(self, name: str) -> None:
        """Forgets the node: nothing goes there any more, and what is given back there goes nowhere."""
        free = self._free.pop(name, None)
        if free is not None:
            del self._here[name]
            self._count(free, -1)
            self._leave(name)

    def all(self) -> Iterator[Free]:
        return iter(self._free.values())

    def free_on(self, name: str) -> Free | None:
        return self._free.get(name)

    def models_for(self, request: Request) -> Sequence[str | None]:
        """The models of nodes that would do, the cheapest first; `(None,)` where no device is asked for."""
        if not _wants_device(request):
            return (None,)
        if request not in self._models:
            cheapest: dict[str, int] = {}
            for shape, price in self._kinds:
                if suits(request, shape):
                    cheapest[shape.model] = min(price, cheapest.get(shape.model, price))
            self._models[request] = [model for _, model in sorted((price, model) for model, price in cheapest.items())]
        return self._models[request]

    def see(self, request: Request, replicas: int) -> None:
        """It is asked for: what is asked for tells what to keep room for."""
        for _ in range(replicas):
            self._cluster.outlook.see(request)

    def take(
        self, request: Request, replicas: int, model: str | None, may_go: Callable[[str, int], bool] | None = None
    ) -> tuple[Placed, ...] | None:
        """Takes room for all replicas on nodes of one model (`None`: any), or for none of them.

        `may_go` may refuse a node, given how many of the replicas it would then have.
        """
        asked = self._narrowed(request, model)
        there: Counter[str] = Counter()

        def may_one_more_go(name: str) -> bool:
            return may_go is None or may_go(name, there[name] + 1)

        places: list[Placed] = []
        for _ in range(replicas):
            placed = self._cluster.place(asked, is_new=False, may_go=may_one_more_go if may_go else None)
            if isinstance(placed, Refused):
                self.give(places)
                return None
            there[placed.node] += 1
            self._note(placed)
            places.append(placed)
        return tuple(places)

    def hold(self, places: Iterable[Placed]) -> None:
        """Takes the room of what runs there already, also where that is more than there is."""
        for placed in places:
            if placed.node in self._free:
                self._note(placed)
                if placed.node in self._in_cluster:
                    try:
                        self._cluster.take(placed)
                    except ValueError:
                        self._leave(placed.node)

    def give(self, places: Iterable[Placed]) -> None:
        """Gives back what was taken."""
        for placed in places:
            free = self._free.get(placed.node)
            if free is None or self._here[placed.node].pop(id(placed), None) is None:
                continue
            free.move(placed, 1)
            if placed.node in self._in_cluster:
                self._cluster.release(placed)
            else:
                self._enter(free)

    def count(self, request: Request, model: str | None, at_most: int, but: Collection[str] = ()) -> int:
        """How many more fit now, as far as that matters, on other nodes than `but`."""
        return self._cluster.count(self._narrowed(request, model), at_most, but)

    def lacks(self, request: Request) -> Mapping[str, str]:
        """For each node that is open what it lacks for the request, in words; "" where it fits."""
        return self._cluster.lacks(request)

    def of_use(self, request: Request, model: str | None) -> frozenset[str]:
        """The nodes that are open and would do, if they were empty enough."""
        asked = self._narrowed(request, model)
        if asked not in self._of_use:
            fitting = {shape for shape, _ in self._kinds if suits(asked, shape)}
            self._of_use[asked] = frozenset(name for name in self._in_cluster if self._free[name].shape in fitting)
        return self._of_use[asked]

    def dearest_micros(self, request: Request, model: str | None) -> int:
        """The most that one such replica could cost per hour."""
        return max((self._free[name].price_micros(request) for name in self.of_use(request, model)), default=0)

    def _narrowed(self, request: Request, model: str | None) -> Request:
        if model is None or request.models == {model}:
            return request
        if (request, model) not in self._of_model:
            self._of_model[request, model] = replace(request, models=frozenset({model}))
        return self._of_model[request, model]

    def _resize(self, free: Free, node: Node) -> None:
        """Takes as long however much runs there: this machine is another size whenever a replica begins or ends."""
        self._count(free, -1)
        free.resize(node)
        self._count(free, 1)
        self._of_use.clear()
        if node.name not in self._in_cluster:
            self._enter(free)
        elif free.is_overfull:
            self._leave(node.name)
        else:
            self._cluster.resize(node)

    def _note(self, placed: Placed) -> None:
        self._free[placed.node].move(placed, -1)
        self._here[placed.node][id(placed)] = placed

    def _enter(self, free: Free) -> None:
        """Lets new ones go there, if it is open and has what runs there."""
        if not free.is_open or free.is_overfull:
            return
        name = free.node.name
        self._cluster.add(free.node)
        self._in_cluster.add(name)
        self._of_use.clear()
        for placed in self._here[name].values():
            try:
                self._cluster.take(placed)
            except ValueError:
                self._leave(name)
                return

    def _leave(self, name: str) -> None:
        if name in self._in_cluster:
            self._in_cluster.remove(name)
            self._of_use.clear()
            self._cluster.remove(name)

    def _count(self, free: Free, sign: int) -> None:
        node = free.node
        self.total[CPU] += sign * node.cpu_milli
        self.total[MEMORY] += sign * node.memory_mib * MIB
        self.total[GPU] += sign * (
            node.devices * DEVICE_MILLI + sum(slice_milli(profile) * count for profile, count in node.slices.items())
        )
        kind = (free.shape, free.price_micros_per_hour)
        self._kinds[kind] += sign
        if not self._kinds[kind] or self._kinds[kind] == sign:
            self._kinds += Counter()
            self._models.clear()


def _is_resized(free: Free, node: Node, price_micros_per_hour: int, is_open: bool) -> bool:
    """Whether it has more or less CPU and memory, or as much, and nothing else of it has changed."""
    is_as_before = price_micros_per_hour == free.price_micros_per_hour and is_open == free.is_open
    return is_as_before and node == replace(free.node, cpu_milli=node.cpu_milli, memory_mib=node.memory_mib)


def suits(request: Request, shape: Shape) -> bool:
    """Whether an empty node of this shape would do."""
    need = need_of(request, shape)
    whole = (DEVICE_MILLI,) * shape.devices
    # How many instances of each profile is no part of a shape; one is enough, since a request is for one.
    room = Room(0, shape.cpu_milli, shape.memory_mib, whole, (1,) * len(shape.profiles))
    return need is not None and times(room, need, 1) > 0


def slice_milli(profile: str) -> int:
    """What a MIG instance counts as, in thousandths of a GPU: `2g.10gb` is two of seven parts, rounded up."""
    parts = profile.partition("g.")[0]
    return -(-DEVICE_MILLI * int(parts) // 7) if parts.isdigit() else DEVICE_MILLI


def device_milli(placed: Placed) -> int:
    """How much of devices was placed, in thousandths of one."""
    whole = (placed.share_milli or DEVICE_MILLI) * len(placed.devices)
    return whole + sum(slice_milli(profile) for profile, _ in placed.slices)


def _wants_device(request: Request) -> bool:
    return bool(request.devices or request.share_milli or request.share_memory_mib or request.profile)
