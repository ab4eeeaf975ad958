"""How much room is left on a node, and what does a request make of it?

Two nodes of the same shape with the same room are the same to every request, so all that is worked out is
kept by room, not by node.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from weyr.scheduling.placement.values import DEVICE_MILLI, Node, Request


@dataclass(frozen=True, slots=True)
class Shape:
    """What nodes have in common: all that a request could ask of an empty one."""

    cpu_milli: int
    memory_mib: int
    devices: int
    model: str
    device_memory_mib: int
    profiles: tuple[str, ...]
    labels: frozenset[tuple[str, str]]
    taints: frozenset[str]


class Room(NamedTuple):
    """`free` is what is left of each device that is not full, in thousandths, rising; `slices` counts by profile."""

    shape: int
    cpu_milli: int
    memory_mib: int
    free: tuple[int, ...]
    slices: tuple[int, ...]


class Need(NamedTuple):
    """A request, in the terms of one shape. `slice_at` is the profile's place in the shape's, -1 for none."""

    cpu_milli: int
    memory_mib: int
    devices: int
    share_milli: int
    slice_at: int

    @property
    def milli(self) -> int:
        """Of devices, in thousandths of one."""
        return self.devices * DEVICE_MILLI + self.share_milli


def shape_of(node: Node) -> Shape:
    return Shape(
        node.cpu_milli,
        node.memory_mib,
        node.devices,
        node.model,
        node.device_memory_mib,
        tuple(sorted(node.slices)),
        frozenset(node.labels.items()),
        node.taints,
    )


def sort_of(node: Node) -> Shape:
    """The shape in which a node is ranked. Without devices nothing is worked out by what it has in all: nodes of every
    size are one sort, and one that grows or shrinks stays what it is."""
    shape = shape_of(node)
    return shape if node.devices else replace(shape, cpu_milli=0, memory_mib=0)


def need_of(request: Request, shape: Shape) -> Need | None:
    """None: such a node can never take it, however empty."""
    if barrier(request, shape):
        return None
    share = request.share_milli
    devices = request.devices
    if request.share_memory_mib:
        share = -(-request.share_memory_mib * DEVICE_MILLI // shape.device_memory_mib)
        if share == DEVICE_MILLI:
            share, devices = 0, 1
    slice_at = shape.profiles.index(request.profile) if request.profile else -1
    return Need(request.cpu_milli, request.memory_mib, devices, share, slice_at)


def barrier(request: Request, shape: Shape) -> str:
    """Why no node of this shape can ever take the request, "" where one can: all but CPU and memory."""
    if request.models and shape.model not in request.models:
        return f"has {shape.model or 'no accelerator'}, not {' or '.join(sorted(request.models))}"
    if missing := request.labels - shape.labels:
        return "is not labelled " + ", ".join(f"{key}={value}" for key, value in sorted(missing))
    if taints := shape.taints - request.tolerates:
        return "is kept for those that tolerate " + ", ".join(sorted(taints))
    if request.profile and request.profile not in shape.profiles:
        return f"has no MIG instance {request.profile}"
    if request.share_memory_mib > shape.device_memory_mib:
        return f"has {shape.device_memory_mib} MiB on a device, of {request.share_memory_mib} asked for"
    wanted = request.devices or (1 if request.share_milli or request.share_memory_mib else 0)
    if wanted > shape.devices:
        return f"has {_devices(shape.devices)} in all, of {wanted} asked for"
    return ""


def rooms_after(room: Room, need: Need) -> list[tuple[int, Room]]:
    """Each way to take the need: what is left of the device to share (0 where none is shared), and the room after."""
    shape, cpu_milli, memory_mib, free, slices = room
    cpu_milli -= need.cpu_milli
    memory_mib -= need.memory_mib
    if cpu_milli < 0 or memory_mib < 0:
        return []
    if share := need.share_milli:
        ways = []
        for at, left in enumerate(free):
            if left < share or (at and free[at - 1] == left):
                continue
            rest = [*free[:at], *free[at + 1 :]]
            if left > share:
                rest.append(left - share)
                rest.sort()
            ways.append((left, Room(shape, cpu_milli, memory_mib, tuple(rest), slices)))
        return ways
    if need.devices:
        kept = len(free) - need.devices
        if kept < 0 or free[kept] < DEVICE_MILLI:
            return []
        free = free[:kept]
    elif need.slice_at >= 0:
        if not slices[need.slice_at]:
            return []
        slices = (*slices[: need.slice_at], slices[need.slice_at] - 1, *slices[need.slice_at + 1 :])
    return [(0, Room(shape, cpu_milli, memory_mib, free, slices))]


def times(room: Room, need: Need, at_most: int) -> int:
    """How often the need fits into the room, as far as that matters."""
    found = at_most
    if need.cpu_milli:
        found = min(found, room.cpu_milli // need.cpu_milli)
    if need.memory_mib:
        found = min(found, room.memory_mib // need.memory_mib)
    if need.devices:
        found = min(found, room.free.count(DEVICE_MILLI) // need.devices)
    elif need.share_milli:
        found = min(found, sum(left // need.share_milli for left in room.free))
    elif need.slice_at >= 0:
        found = min(found, room.slices[need.slice_at])
    return max(found, 0)


def lack(room: Room, need: Need) -> str:
    """What the room lacks for the need now, in words; "" where it fits."""
    lacks = []
    if room.cpu_milli < need.cpu_milli:
        lacks.append(f"{room.cpu_milli / 1000:g} CPU free, of {need.cpu_milli / 1000:g} asked for")
    if room.memory_mib < need.memory_mib:
        lacks.append(f"{room.memory_mib} MiB of memory free, of {need.memory_mib} asked for")
    whole = room.free.count(DEVICE_MILLI)
    if need.devices > whole:
        lacks.append(f"{_devices(whole)} wholly free, of {need.devices} asked for")
    most = room.free[-1] if room.free else 0
    if need.share_milli > most:
        lacks.append(f"{most / 10:g} % of a device free at most, of {need.share_milli / 10:g} % asked for")
    if need.slice_at >= 0 and not room.slices[need.slice_at]:
        lacks.append("no such MIG instance free")
    return "has " + " and ".join(lacks) if lacks else ""


def _devices(count: int) -> str:
    return f"{count} device" if count == 1 else f"{count or 'no'} devices"
