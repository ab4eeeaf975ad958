"""Which tasks may start now? First come, first served, as far as the machine's room goes. Pure.

A task that stands for good (a replica of an endpoint) waits for nobody: the one that it replaces goes only once it is
ready, so on a full machine both would wait for ever. One task that runs to its end may always run, whatever stands
beside it. The first in line is passed by nobody, so each has its turn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Id = TypeVar("Id")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a task may use. Memory that no limit is given for counts as none."""

    cpu: float
    memory_bytes: int = 0
    is_standing: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """What there is to use."""

    cpu: float
    memory_bytes: int


def admitted(room: Room, held: Iterable[Claim], waiting: Mapping[Id, Claim]) -> list[Id]:
    """Those of `waiting`, in its order, that may start beside what runs (`held`)."""
    running = list(held)
    cpu = sum(claim.cpu for claim in running)
    memory_bytes = sum(claim.memory_bytes for claim in running)
    ending = sum(not claim.is_standing for claim in running)
    is_full = False
    let_in: list[Id] = []
    for id, claim in waiting.items():
        if not claim.is_standing:
            # A rounding error of many small shares is no reason to wait.
            fits = cpu + claim.cpu <= room.cpu + 1e-6 and memory_bytes + claim.memory_bytes <= room.memory_bytes
            is_full = is_full or not (fits or ending == 0)
            if is_full:
                continue
            ending += 1
        cpu += claim.cpu
        memory_bytes += claim.memory_bytes
        let_in.append(id)
    return let_in
