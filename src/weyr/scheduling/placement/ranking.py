"""Which room, of all that nodes have now, loses least by taking a request, its shape's toll counted?"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TypeVar

from weyr.scheduling.placement.forecast import forecast_of
from weyr.scheduling.placement.outlook import Outlook
from weyr.scheduling.placement.room import Need, Room, Shape, need_of
from weyr.scheduling.placement.rooms import Option, Rooms
from weyr.scheduling.placement.tolls import tolls
from weyr.scheduling.placement.values import DEVICE_MILLI, Request

TOLL = 4.0
"""What the whole toll of a shape weighs beside what stays unused. Above 1, for a remainder may be filled later, but
who is turned away is gone; from 2 to 8 it makes little difference."""
FULL_PARTS = 8
"""Tolls are worked out anew when a shape's room has changed by such a part of it."""

Found = TypeVar("Found")


class Ranking:
    """The rooms of all shapes, and what each request needs of each."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._shapes: list[Shape] = []
        self._rooms: list[Rooms] = []
        self._needs: dict[Request, dict[int, Need]] = {}
        self._generation = -1
        self._tolls: dict[tuple[int, ...], list[float]] = {}

    def know(self, shape: Shape) -> None:
        """A shape that is new; they are numbered in the order they come."""
        self._shapes.append(shape)
        self._rooms.append(Rooms())
        self._needs.clear()
        self._generation = -1

    def enter(self, room: Room) -> None:
        """One more node has this room."""
        self._rooms[room.shape].enter(room)

    def leave(self, room: Room) -> bool:
        """One node fewer has this room. Whether none has it now."""
        return self._rooms[room.shape].leave(room)

    def counts(self) -> Iterator[tuple[Room, int]]:
        """Each room and how many nodes have it."""
        return chain.from_iterable(rooms.counts.items() for rooms in self._rooms)

    def needs(self, request: Request) -> dict[int, Need]:
        """What the request needs of nodes of each shape that could ever take it."""
        needs = self._needs.get(request)
        if needs is None:
            found = ((at, need_of(request, shape)) for at, shape in enumerate(self._shapes))
            needs = self._needs[request] = {at: need for at, need in found if need}
        return needs

    def best(self, request: Request, usable: Callable[[Room], Found | None]) -> tuple[Option, Found] | None:
        """The option that loses least of those where `usable` finds something, and what it finds."""
        if self._generation != self._outlook.generation:
            self._look_ahead()
        needs = self.needs(request)
        passed: list[Option] = []
        found: tuple[Option, Found] | None = None
        while not found and (option := self._best(needs)):
            if there := usable(option.room):
                found = option, there
            else:
                passed.append(self._rooms[option.room.shape].put_aside(needs[option.room.shape]))
        for option in passed:
            self._rooms[option.room.shape].bring_back(needs[option.room.shape], option)
        return found

    def _best(self, needs: dict[int, Need]) -> Option | None:
        tolls_now = self._tolls_now()
        best: Option | None = None
        best_cost = 0.0
        for shape, need in needs.items():
            if option := self._rooms[shape].best(need):
                cost = option.loss_milli + TOLL * tolls_now[shape] * need.milli
                if best is None or (cost, option) < (best_cost, best):
                    best, best_cost = option, cost
        return best

    def _look_ahead(self) -> None:
        """A new mix is expected."""
        self._generation = self._outlook.generation
        self._tolls.clear()
        mix = [(part, self.needs(request)) for request, part in self._outlook.mix.items() if request.wants_device]
        for at, shape in enumerate(self._shapes):
            forecast = forecast_of([(part, needs.get(at)) for part, needs in mix], shape.devices)
            self._rooms[at].expect(forecast)

    def _tolls_now(self) -> list[float]:
        """By how much room each shape has, roughly: the same for all states alike, whatever led to them."""
        whole = [
            rooms.nodes * shape.devices * DEVICE_MILLI for rooms, shape in zip(self._rooms, self._shapes, strict=True)
        ]
        parts = tuple(
            -(-rooms.free_milli * FULL_PARTS // most) if most else 0
            for rooms, most in zip(self._rooms, whole, strict=True)
        )
        found = self._tolls.get(parts)
        if found is None:
            mix = [(part, self.needs(request)) for request, part in self._outlook.mix.items() if request.wants_device]
            demand = [
                (part * max(need.milli for need in needs.values()), frozenset(needs)) for part, needs in mix if needs
            ]
            room = [part * most / FULL_PARTS for part, most in zip(parts, whole, strict=True)]
            found = self._tolls[parts] = tolls(demand, room)
        return found
