"""One node: what is taken of it, down to the single device and MIG instance."""

from weyr.scheduling.placement.room import Need, Room
from weyr.scheduling.placement.values import DEVICE_MILLI, Node, Placed, Request


class Taken:
    """`room` is what is left, as the choice sees it; `order` ranks nodes that are alike."""

    __slots__ = ("cpu_milli", "free", "memory_mib", "node", "order", "room", "shape", "slices")

    def __init__(self, node: Node, shape: int, order: int) -> None:
        self.node = node
        self.order = order
        self.shape = shape
        self.cpu_milli = node.cpu_milli
        self.memory_mib = node.memory_mib
        self.free = [DEVICE_MILLI] * node.devices
        self.slices = {profile: set(range(node.slices[profile])) for profile in sorted(node.slices)}
        self.room = self._room_now()

    def choose(self, request: Request, need: Need, left: int) -> Placed:
        """What it would get here; `left` is what is left of the device to share. Of devices alike the lowest number."""
        if need.share_milli:
            return Placed(request, self.node.name, (self.free.index(left),), need.share_milli)
        if need.slice_at >= 0:
            profile = list(self.slices)[need.slice_at]
            return Placed(request, self.node.name, slices=((profile, min(self.slices[profile])),))
        whole = [number for number, free in enumerate(self.free) if free == DEVICE_MILLI] if need.devices else []
        return Placed(request, self.node.name, tuple(whole[: need.devices]))

    def move(self, placed: Placed, sign: int) -> None:
        """Take what was placed (sign 1), or give it back (-1)."""
        self.cpu_milli -= sign * placed.request.cpu_milli
        self.memory_mib -= sign * placed.request.memory_mib
        for device in placed.devices:
            self.free[device] -= sign * (placed.share_milli or DEVICE_MILLI)
        for profile, number in placed.slices:
            (self.slices[profile].remove if sign > 0 else self.slices[profile].add)(number)
        self.room = self._room_now()

    def lacks_as(self, node: Node) -> str:
        """Why what is taken of it cannot be of `node`, which is it in another size; "" where it can."""
        cpu_milli, memory_mib = self._left_as(node)
        return "" if min(cpu_milli, memory_mib) >= 0 else "has less than is taken of it"

    def resize(self, node: Node) -> None:
        self.cpu_milli, self.memory_mib = self._left_as(node)
        self.node = node
        self.room = self._room_now()

    def problem_with(self, placed: Placed) -> str:
        """Why it cannot be taken here, "" where it can."""
        wanted = placed.share_milli or DEVICE_MILLI
        if placed.request.cpu_milli > self.cpu_milli or placed.request.memory_mib > self.memory_mib:
            return "has not that much CPU and memory left"
        if any(not 0 <= number < len(self.free) or self.free[number] < wanted for number in placed.devices):
            return f"has not that much left of device {' and '.join(map(str, placed.devices))}"
        if any(number not in self.slices.get(profile, ()) for profile, number in placed.slices):
            return "has not that MIG instance left"
        return ""

    def holds(self, placed: Placed) -> bool:
        """Whether that much is taken here, and so can be given back."""
        return (
            self.cpu_milli + placed.request.cpu_milli <= self.node.cpu_milli
            and self.memory_mib + placed.request.memory_mib <= self.node.memory_mib
            and all(self.free[at] + (placed.share_milli or DEVICE_MILLI) <= DEVICE_MILLI for at in placed.devices)
            and not any(number in self.slices[profile] for profile, number in placed.slices)
        )

    def _left_as(self, node: Node) -> tuple[int, int]:
        grown = node.cpu_milli - self.node.cpu_milli, node.memory_mib - self.node.memory_mib
        return self.cpu_milli + grown[0], self.memory_mib + grown[1]

    def _room_now(self) -> Room:
        free = tuple(sorted(left for left in self.free if left))
        slices = tuple(len(left) for left in self.slices.values())
        return Room(self.shape, self.cpu_milli, self.memory_mib, free, slices)
