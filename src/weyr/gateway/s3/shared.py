"""What do the processes of a plane have in common? A little memory: the next blob's number, and what each one counts.

It is made before they are forked. Nobody waits for anybody in it but for the few instructions that take numbers, and a
process that dies there lets go of the lock, which is the kernel's.
"""

import fcntl
import mmap
import os
import struct
import threading
from dataclasses import dataclass

_NUMBER = struct.Struct("=Q")
_TALLY = struct.Struct("=6Q")
_CONNECTIONS = struct.Struct("=Q")
_CONNECTIONS_AT = 4 * 8
NUMBERS_AT_ONCE = 64
"""Few, so that blobs that arrive at one time share a folder whoever takes them in."""


@dataclass(slots=True)
class Tally:
    """What one process has counted since the plane began, its predecessors in this place included."""

    requests: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    connections: int = 0
    audit_lost: int = 0


class Shared:
    """The memory, with a place for each of `places` processes. Forked processes go on sharing it."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._file = os.memfd_create("weyr-s3", os.MFD_CLOEXEC)
        size = _NUMBER.size + places * _TALLY.size
        os.ftruncate(self._file, size)
        self._memory = mmap.mmap(self._file, size)

    def close(self) -> None:
        self._memory.close()
        os.close(self._file)

    def begin_numbers(self, first: int) -> None:
        """Has the next number be `first`."""
        _NUMBER.pack_into(self._memory, 0, first)

    def take_numbers(self, count: int) -> int:
        """The first of `count` numbers that nobody else gets. To be called by one thread of a process at a time."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            first: int = _NUMBER.unpack_from(self._memory, 0)[0]
            _NUMBER.pack_into(self._memory, 0, first + count)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        return first

    def of(self, place: int) -> Tally:
        return Tally(*_TALLY.unpack_from(self._memory, _at(place)))

    def put(self, place: int, tally: Tally) -> None:
        _TALLY.pack_into(
            self._memory,
            _at(place),
            tally.requests,
            tally.errors,
            tally.bytes_in,
            tally.bytes_out,
            tally.connections,
            tally.audit_lost,
        )

    def total(self) -> Tally:
        tallies = [_TALLY.unpack_from(self._memory, _at(place)) for place in range(self._places)]
        return Tally(*(sum(column) for column in zip(*tallies, strict=True)))

    def fewest_connections(self, but: int) -> int:
        """How many connections that process has, of all but one, that has the fewest. The first place is not asked."""
        others = [place for place in range(self._places) if place != but]
        return min(
            (_CONNECTIONS.unpack_from(self._memory, _at(place) + _CONNECTIONS_AT)[0] for place in others), default=0
        )


def _at(place: int) -> int:
    return _NUMBER.size + place * _TALLY.size


class Counter:
    """One process's tally, which it counts in and shows to the others. A successor goes on where this one ended."""

    def __init__(self, shared: Shared, place: int) -> None:
        self.now = shared.of(place)
        self.now.connections = 0
        self._shared = shared
        self._place = place
        self.show()

    def show(self) -> None:
        self._shared.put(self._place, self.now)

    def has_more_than_others(self) -> bool:
        """Whether somebody else serves fewer connections."""
        return self.now.connections > self._shared.fewest_connections(self._place)


class Numbers:
    """Numbers for the blobs that one process takes in: given out in order, and never twice by any process.

    Takes: `shared`, None where this is the only process.
    """

    def __init__(self, shared: Shared | None = None) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._next, self._end = (0, 0) if shared else (1, 2**63)

    def next(self) -> int:
        with self._lock:
            if self._next == self._end and self._shared:
                self._next = self._shared.take_numbers(NUMBERS_AT_ONCE)
                self._end = self._next + NUMBERS_AT_ONCE
            number = self._next
            self._next += 1
            return number

    def begin(self, first: int) -> None:
        """Has every process number from `first` on. To be called before any of them takes a number."""
        with self._lock:
            if self._shared:
                self._shared.begin_numbers(first)
                self._next = self._end = 0
            else:
                self._next = first
