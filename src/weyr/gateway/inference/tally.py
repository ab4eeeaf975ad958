"""How much has each caller used? One table that all processes of the plane share, and that outlives them.

It is a file mapped into each: a subject has a slot, found by its hash. A process that is alone changes slots as they
are; where several are there, a slot is changed under a record lock, which the kernel lets go when its holder dies.
Requests under way are counted in a column for each process, so that those of a killed one are no longer counted once
its column is.
"""

import fcntl
import math
import mmap
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from weyr.gateway.inference.subjects import DAY_S, KEY_BYTES, PASSED, Subject, Verdict, month_of

SLOT_BYTES = 256
SET_SLOTS = 16
SETS = 512
"""8,192 subjects, 2 MiB at most; the file is sparse."""
COLUMNS = 32
_NUMBERS = struct.Struct("<7d")
"""When it was heard of, requests and tokens used then, the day and what was spent on it, the month and the same."""
_INFLIGHT = struct.Struct(f"<{COLUMNS}i")
_INFLIGHT_AT = 96
_PRESENCE_BYTES = 4096
"""After the slots, a byte for each process: whether it is there, and whether it is changing slots without locks."""
_AWAY, _HERE, _BUSY = 0, 1, 2
_LOCKS = 2**30
"""Record locks lie beyond the file's end: those of slots here, those of sets and columns above."""
_SET_LOCKS = _LOCKS + 2**20
_COLUMN_LOCKS = _LOCKS + 2**21
_LOCK_S = 0.25
"""As long as a process that was put aside by the kernel takes to come back, on a busy machine."""

Numbers = tuple[float, float, float, float]
"""Of one subject: requests and tokens used that still count, and what was spent today and this month."""


class TableFull(Exception):
    """All slots that a subject could have belong to others that are in use."""


class Tally:
    """What was used, by subject.

    Takes: `path` of the file that other processes share; without one nobody else counts. Times are Unix seconds:
    a clock that goes back gives nobody anything and takes nothing.
    Raises: OSError where the file cannot be used.
    """

    def __init__(self, path: Path | None = None, sets: int = SETS) -> None:
        self._sets = sets
        self._presence = sets * SET_SLOTS * SLOT_BYTES
        size = self._presence + _PRESENCE_BYTES
        self._fd = -1
        if path is not None:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._fd, size)
        self._memory = mmap.mmap(self._fd, size)
        self._counts = memoryview(self._memory).cast("i")
        self._day = self._month = -1.0
        self._day_ends = 0.0
        self._living = set(range(COLUMNS))
        self._column = self._claimed_column()
        self._at = self._presence + self._column
        self._only_me = bytes(_BUSY if column == self._column else _AWAY for column in range(COLUMNS))
        self._memory[self._at] = _HERE
        self.forget_the_dead()
        self._wait_for_busy_ones()

    def admit(self, subjects: Sequence[Subject], tokens: float, micros: float, now: float) -> Verdict:
        """Counts a request for all of these, or for none where it may not pass; `charge` with `ends` follows for each
        that passed.

        `tokens` and `micros` are what it will use as far as is known. The verdict is of the limit on requests that
        leaves the fewest. Raises: TableFull.
        """
        locked = self._enter(subjects, now)
        told, least, kept, counted = PASSED, math.inf, [], []
        try:
            for subject in subjects:
                used, spoken, day, month = self._as_of(subject, now)
                used += 1.0
                spoken += tokens if tokens < subject.tokens_max else subject.tokens_max
                day += micros
                month += micros
                if (
                    used > subject.used_max or spoken > subject.spoken_max
                    or day > subject.day_max or month > subject.month_max
                ):  # fmt: skip
                    return subject.verdict(used - 1.0, *(subject.denial(used, spoken, day, month, now) or ()))
                if subject.concurrency:
                    own = (subject.slot + _INFLIGHT_AT) // 4 + self._column
                    under_way = self._counts[own] if locked is None else self._under_way(subject)
                    if under_way >= subject.concurrency:
                        return subject.verdict(used - 1.0, f"{subject.concurrency} requests at once", 1.0)
                    counted.append(own)
                kept.append((subject.slot + KEY_BYTES, now, used, spoken, self._day, day, self._month, month))
                if subject.rate and subject.burst - used < least:
                    told, least = subject.verdict(used), subject.burst - used
            for numbers in kept:
                _NUMBERS.pack_into(self._memory, *numbers)
            for own in counted:
                self._counts[own] += 1
            return told
        finally:
            self._memory[self._at] = _HERE
            if locked:
                self._leave(locked)

    def charge(self, subjects: Sequence[Subject], tokens: float, micros: float, now: float, ends: bool = False) -> str:
        """Adds what an answer used beyond what was admitted, or takes back; `ends`: and its request is over.

        Gives what is used up by it, "" for nothing.
        """
        locked = self._enter(subjects, now)
        hit = ""
        try:
            for subject in subjects:
                if ends and subject.concurrency:
                    # The column is this process' own: nobody else writes there.
                    own = (subject.slot + _INFLIGHT_AT) // 4 + self._column
                    if self._counts[own] > 0:
                        self._counts[own] -= 1
                if not (micros or (tokens and subject.tokens_max)) or not subject.is_metered:
                    continue
                used, spoken, day, month = self._as_of(subject, now)
                if subject.tokens_max:
                    # What is given back was taken at another time: by now it may have been forgotten already.
                    spoken += tokens
                    if spoken < 0.0:
                        spoken = 0.0
                if micros:
                    day, month = max(day + micros, 0.0), max(month + micros, 0.0)
                at = subject.slot + KEY_BYTES
                _NUMBERS.pack_into(self._memory, at, now, used, spoken, self._day, day, self._month, month)
                if spoken > subject.spoken_max or day > subject.day_max or month > subject.month_max:
                    hit = (subject.denial(0.0, spoken, day, month, now) or (hit,))[0]
        finally:
            self._memory[self._at] = _HERE
            if locked:
                self._leave(locked)
        return hit

    def used(self, subject: Subject, now: float) -> tuple[float, float, int]:
        """What a subject has spent, in millionths, today and this month, and how many of its requests are under way."""
        self._find(subject, now)
        _, _, day, month = self._as_of(subject, now)
        return day, month, self._under_way(subject)

    def forget_the_dead(self) -> None:
        """Requests of processes that are no more are not under way."""
        if self._fd < 0:
            return
        for column in range(COLUMNS):
            if column == self._column:
                continue
            if not self._try_lock(_COLUMN_LOCKS + column):
                self._living.add(column)
                continue
            if column in self._living:
                self._living.remove(column)
                self._clear(column)
                self._memory[self._presence + column] = _AWAY
            self._unlock(_COLUMN_LOCKS + column)

    def close(self) -> None:
        """Lets the table go; what was counted stays in it."""
        self._clear(self._column)
        self._memory[self._at] = _AWAY
        self._counts.release()
        self._memory.close()
        if self._fd >= 0:
            os.close(self._fd)

    # Slots.

    def _find(self, subject: Subject, now: float) -> None:
        first = int.from_bytes(subject.key[:8], "little") % self._sets * SET_SLOTS * SLOT_BYTES
        is_held = self._fd >= 0 and self._hold(_SET_LOCKS + first)
        try:
            subject.slot = self._found(subject.key, first, now)
        finally:
            if is_held:
                self._unlock(_SET_LOCKS + first)

    def _found(self, key: bytes, first: int, now: float) -> int:
        """Its own slot, an empty one, or that of a subject which has not been heard of for longest."""
        slots = range(first, first + SET_SLOTS * SLOT_BYTES, SLOT_BYTES)
        keys = [self._memory[slot : slot + KEY_BYTES] for slot in slots]
        for wanted in (key, bytes(KEY_BYTES)):
            if wanted in keys:
                slot = slots[keys.index(wanted)]
                if wanted != key:
                    self._memory[slot : slot + SLOT_BYTES] = key + bytes(SLOT_BYTES - KEY_BYTES)
                return slot
        resting = [slot for slot in slots if self._is_at_rest(slot, now)]
        if not resting:
            raise TableFull
        slot = min(resting, key=lambda slot: _NUMBERS.unpack_from(self._memory, slot + KEY_BYTES)[0])
        self._memory[slot : slot + SLOT_BYTES] = key + bytes(SLOT_BYTES - KEY_BYTES)
        return slot

    def _is_at_rest(self, slot: int, now: float) -> bool:
        """Whether forgetting it changes no answer: nothing under way, nothing spent that still counts."""
        seen, _, _, _, _, month, month_micros = _NUMBERS.unpack_from(self._memory, slot + KEY_BYTES)
        is_spent = month == month_of(now) and month_micros > 0
        return now - seen > DAY_S and not is_spent and not any(_INFLIGHT.unpack_from(self._memory, slot + _INFLIGHT_AT))

    def _as_of(self, subject: Subject, now: float) -> Numbers:
        seen, used, spoken, day, day_micros, month, month_micros = _NUMBERS.unpack_from(
            self._memory, subject.slot + KEY_BYTES
        )
        if not self._day_ends - DAY_S <= now < self._day_ends:
            self._day, self._month = now // DAY_S, float(month_of(now))
            self._day_ends = (self._day + 1) * DAY_S
        if now > seen:
            used -= (now - seen) * subject.rate
            spoken -= (now - seen) * subject.speech
        return (
            used if used > 0.0 else 0.0,
            spoken if spoken > 0.0 else 0.0,
            day_micros if day == self._day else 0.0,
            month_micros if month == self._month else 0.0,
        )

    def _under_way(self, subject: Subject) -> int:
        """In all processes."""
        return sum(_INFLIGHT.unpack_from(self._memory, subject.slot + _INFLIGHT_AT))

    # Columns, presence and locks.

    def _claimed_column(self) -> int:
        if self._fd < 0:
            return 0
        for column in range(COLUMNS):
            if self._try_lock(_COLUMN_LOCKS + column):
                self._clear(column)
                return column
        raise OSError(f"more than {COLUMNS} processes share the limits")

    def _clear(self, column: int) -> None:
        for at in range(_INFLIGHT_AT // 4 + column, self._presence // 4, SLOT_BYTES // 4):
            if self._counts[at]:
                self._counts[at] = 0

    def _enter(self, subjects: Sequence[Subject], now: float) -> Sequence[int] | None:
        """Begins to change the slots of these. Gives those that are locked, None where this process is alone.

        Who is alone says first that it is busy and then looks whether it still is; who comes says first that it is
        there and then waits until nobody is busy. So an unlocked change never meets another.
        """
        memory = self._memory
        for subject in subjects:
            if memory[subject.slot : subject.slot + KEY_BYTES] != subject.key:
                self._find(subject, now)
        memory[self._at] = _BUSY
        if memory[self._presence : self._presence + COLUMNS] == self._only_me:
            return None
        memory[self._at] = _HERE
        # Everybody locks keys before callers and callers before endpoints: nobody waits for each other in a ring.
        return [subject.slot for subject in subjects if self._hold(_LOCKS + subject.slot)]

    def _leave(self, locked: Sequence[int]) -> None:
        for slot in locked:
            self._unlock(_LOCKS + slot)

    def _wait_for_busy_ones(self) -> None:
        until = time.monotonic() + _LOCK_S
        while _BUSY in self._memory[self._presence : self._presence + COLUMNS] and time.monotonic() < until:
            os.sched_yield()

    def _hold(self, place: int) -> bool:
        """Takes a lock, which is held for a few microseconds. A process that was stopped within them keeps nobody:
        then one count of many may be lost, which is the lesser harm.
        """
        if self._try_lock(place):
            return True
        until = time.monotonic() + _LOCK_S
        while time.monotonic() < until:
            os.sched_yield()
            if self._try_lock(place):
                return True
        return False

    def _try_lock(self, place: int) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            return False
        return True

    def _unlock(self, place: int) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, place)
