"""How much has each caller used? One table that all processes of the plane share, and that outlives them.

It is a file mapped into each: a subject (a key, a caller at an endpoint, an endpoint) has a slot, found by its hash. A
slot is changed under a record lock, which the kernel lets go when its holder dies. Requests under way are counted in a
column for each process, so that those of a killed one are no longer counted once its column is.
"""

import fcntl
import hashlib
import math
import mmap
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from weyr.core.limits import Limits

SLOT_BYTES = 256
SET_SLOTS = 16
SETS = 512
"""8,192 subjects, 2 MiB at most; the file is sparse."""
COLUMNS = 32
_KEY = 16
_NUMBERS = struct.Struct("<7d")
"""When it was heard of, requests and tokens used then, the day and what was spent on it, the month and the same."""
_INFLIGHT = struct.Struct(f"<{COLUMNS}i")
_INFLIGHT_AT = 96
_LOCKS = 2**30
"""Record locks lie beyond the file's end: those of slots here, those of sets and columns above."""
_SET_LOCKS = _LOCKS + 2**20
_COLUMN_LOCKS = _LOCKS + 2**21
_LOCK_S = 0.25
"""As long as a process that was put aside by the kernel takes to come back, on a busy machine."""
DAY_S = 86_400.0


class TableFull(Exception):
    """All slots that a subject could have belong to others that are in use."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """May a request pass? `denied` says what is used up, "" for nothing; then it may pass in `retry_s`.

    Of the limit on requests, where there is one: `limit` at once, `remaining` now, all of them again in `reset_s`, and
    as many in each `window_s`.
    """

    denied: str = ""
    retry_s: float = 0.0
    limit: int = 0
    remaining: int = 0
    reset_s: float = 0.0
    window_s: float = 0.0


class Tally:
    """What was used, by subject.

    Takes: `path` of the file that other processes share; without one nobody else counts. Times are Unix seconds:
    a clock that goes back gives nobody anything and takes nothing.
    Raises: OSError where the file cannot be used.
    """

    def __init__(self, path: Path | None = None, sets: int = SETS) -> None:
        self._sets = sets
        size = sets * SET_SLOTS * SLOT_BYTES
        self._fd = -1
        if path is not None:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._fd, size)
        self._memory = mmap.mmap(self._fd, size)
        self._slots: dict[str, tuple[int, bytes]] = {}
        self._day = self._month = -1.0
        self._living = set(range(COLUMNS))
        self._column = self._claimed_column()
        self.forget_the_dead()

    def admit(self, subject: str, limits: Limits, tokens: float, micros: float, now: float) -> Verdict:
        """Counts a request that may pass, and nothing of one that may not. Where there is a limit on requests at
        once, `leave` follows for each that passed.

        `tokens` and `micros` are what it will use as far as is known. Raises: TableFull.
        """
        slot = self._slot(subject, now)
        rate, burst = limits.requests_per_second, limits.burst or max(1, math.ceil(limits.requests_per_second))
        # One that is larger than a whole minute's worth passes when nothing else has been used.
        tokens = min(tokens, float(limits.tokens_per_minute))
        is_held = self._fd >= 0 and self._hold(_LOCKS + slot)
        try:
            used, spoken, day_micros, month_micros = self._as_of(slot, limits, now)
            denied = _denial(limits, used, burst, spoken, tokens, day_micros + micros, month_micros + micros, now)
            if not denied and limits.concurrency:
                if self._under_way(slot) >= limits.concurrency:
                    denied = f"{limits.concurrency} requests at once", 1.0
                else:
                    self._count(slot, +1)
            if not denied:
                used += 1.0
                self._keep(slot, now, used, spoken + tokens, day_micros + micros, month_micros + micros)
        finally:
            if is_held:
                self._unlock(_LOCKS + slot)
        if not rate:
            return Verdict(*denied) if denied else PASSED
        what, retry_s = denied or ("", 0.0)
        return Verdict(what, retry_s, burst, max(0, math.floor(burst - used + 1e-9)), used / rate, burst / rate)

    def charge(self, subject: str, limits: Limits, tokens: float, micros: float, now: float) -> str:
        """Adds what an answer used beyond what was admitted, or takes back. What is used up by it, "" for nothing."""
        slot = self._slot(subject, now)
        is_held = self._fd >= 0 and self._hold(_LOCKS + slot)
        try:
            used, spoken, day_micros, month_micros = self._as_of(slot, limits, now)
            spoken = max(0.0, spoken + tokens)
            day_micros, month_micros = max(0.0, day_micros + micros), max(0.0, month_micros + micros)
            self._keep(slot, now, used, spoken, day_micros, month_micros)
        finally:
            if is_held:
                self._unlock(_LOCKS + slot)
        denied = _denial(limits, 0.0, 1, spoken, 0.0, day_micros, month_micros, now)
        return denied[0] if denied else ""

    def take_back(self, subject: str, limits: Limits, tokens: float, micros: float, now: float) -> None:
        """A request that was admitted here was refused elsewhere, and has used nothing."""
        slot = self._slot(subject, now)
        tokens = min(tokens, float(limits.tokens_per_minute))
        is_held = self._fd >= 0 and self._hold(_LOCKS + slot)
        try:
            used, spoken, day_micros, month_micros = self._as_of(slot, limits, now)
            rest = (
                max(0.0, had - given) for had, given in ((spoken, tokens), (day_micros, micros), (month_micros, micros))
            )
            self._keep(slot, now, max(0.0, used - 1.0), *rest)
        finally:
            if is_held:
                self._unlock(_LOCKS + slot)
        if limits.concurrency:
            self.leave(subject, now)

    def leave(self, subject: str, now: float) -> None:
        """A request that was admitted under a limit on requests at once has ended."""
        # Its column is this process' own, so nobody else writes there.
        self._count(self._slot(subject, now), -1)

    def used(self, subject: str, now: float) -> tuple[float, float, int]:
        """What a subject has spent, in millionths, today and this month, and how many of its requests are under way."""
        slot = self._slot(subject, now)
        _, _, day_micros, month_micros = self._as_of(slot, Limits(), now)
        return day_micros, month_micros, self._under_way(slot)

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
            self._unlock(_COLUMN_LOCKS + column)

    def close(self) -> None:
        """Lets the table go; what was counted stays in it."""
        self._memory.close()
        if self._fd >= 0:
            os.close(self._fd)

    # Slots.

    def _slot(self, subject: str, now: float) -> int:
        known = self._slots.get(subject)
        if known and self._memory[known[0] : known[0] + _KEY] == known[1]:
            return known[0]
        key = hashlib.blake2b(subject.encode(), digest_size=_KEY).digest()
        first = int.from_bytes(key[:8], "little") % self._sets * SET_SLOTS * SLOT_BYTES
        is_held = self._fd >= 0 and self._hold(_SET_LOCKS + first)
        try:
            slot = self._found(key, first, now)
        finally:
            if is_held:
                self._unlock(_SET_LOCKS + first)
        if len(self._slots) > self._sets * SET_SLOTS:
            self._slots.clear()
        self._slots[subject] = slot, key
        return slot

    def _found(self, key: bytes, first: int, now: float) -> int:
        """Its own slot, an empty one, or that of a subject which has not been heard of for longest."""
        slots = range(first, first + SET_SLOTS * SLOT_BYTES, SLOT_BYTES)
        keys = [self._memory[slot : slot + _KEY] for slot in slots]
        for wanted in (key, bytes(_KEY)):
            if wanted in keys:
                slot = slots[keys.index(wanted)]
                if wanted != key:
                    self._memory[slot : slot + SLOT_BYTES] = key + bytes(SLOT_BYTES - _KEY)
                return slot
        resting = [slot for slot in slots if self._is_at_rest(slot, now)]
        if not resting:
            raise TableFull
        slot = min(resting, key=lambda slot: _NUMBERS.unpack_from(self._memory, slot + _KEY)[0])
        self._memory[slot : slot + SLOT_BYTES] = key + bytes(SLOT_BYTES - _KEY)
        return slot

    def _is_at_rest(self, slot: int, now: float) -> bool:
        """Whether forgetting it changes no answer: nothing under way, nothing spent that still counts."""
        seen, _, _, _, _, month, month_micros = _NUMBERS.unpack_from(self._memory, slot + _KEY)
        is_spent = month == self._calendar(now)[1] and month_micros > 0
        return now - seen > DAY_S and not is_spent and not self._under_way(slot)

    def _as_of(self, slot: int, limits: Limits, now: float) -> tuple[float, float, float, float]:
        """Requests and tokens used that still count, and what was spent today and this month."""
        seen, used, spoken, day, day_micros, month, month_micros = _NUMBERS.unpack_from(self._memory, slot + _KEY)
        today, this_month = self._calendar(now)
        passed_s = max(0.0, now - seen)
        return (
            max(0.0, used - passed_s * limits.requests_per_second),
            max(0.0, spoken - passed_s * limits.tokens_per_minute / 60),
            day_micros if day == today else 0.0,
            month_micros if month == this_month else 0.0,
        )

    def _keep(self, slot: int, now: float, used: float, spoken: float, day_micros: float, month_micros: float) -> None:
        day, month = self._calendar(now)
        _NUMBERS.pack_into(self._memory, slot + _KEY, now, used, spoken, day, day_micros, month, month_micros)

    def _calendar(self, now: float) -> tuple[float, float]:
        """The day and the month, as numbers."""
        day = now // DAY_S
        if day != self._day:
            self._day, self._month = day, float(_month(now))
        return day, self._month

    def _under_way(self, slot: int) -> int:
        return sum(_INFLIGHT.unpack_from(self._memory, slot + _INFLIGHT_AT))

    def _count(self, slot: int, step: int) -> None:
        at = slot + _INFLIGHT_AT + 4 * self._column
        (count,) = _ONE.unpack_from(self._memory, at)
        _ONE.pack_into(self._memory, at, max(0, count + step))

    # Columns and locks.

    def _claimed_column(self) -> int:
        if self._fd < 0:
            return 0
        for column in range(COLUMNS):
            if self._try_lock(_COLUMN_LOCKS + column):
                self._clear(column)
                return column
        raise OSError(f"more than {COLUMNS} processes share the limits")

    def _clear(self, column: int) -> None:
        for slot in range(0, len(self._memory), SLOT_BYTES):
            at = slot + _INFLIGHT_AT + 4 * column
            if self._memory[at : at + 4] != _NOBODY:
                self._memory[at : at + 4] = _NOBODY

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


_ONE = struct.Struct("<i")
_NOBODY = bytes(4)
PASSED = Verdict()


def _denial(
    limits: Limits, used: float, burst: int, spoken: float, tokens: float, day: float, month: float, now: float
) -> tuple[str, float] | None:
    """What is used up, and in how many seconds it may be asked again."""
    if limits.requests_per_second and used + 1.0 > burst + 1e-9:
        return f"{limits.requests_per_second:g} requests per second", (used + 1.0 - burst) / limits.requests_per_second
    if limits.tokens_per_minute and spoken + tokens > limits.tokens_per_minute:
        wait_s = (spoken + tokens - limits.tokens_per_minute) * 60 / limits.tokens_per_minute
        return f"{limits.tokens_per_minute} tokens per minute", wait_s
    if limits.micros_per_day and day > limits.micros_per_day:
        return f"{limits.micros_per_day / 1e6:g} per day", DAY_S - now % DAY_S
    if limits.micros_per_month and month > limits.micros_per_month:
        return f"{limits.micros_per_month / 1e6:g} per month", _month_ends_in(now)
    return None


def _month(now: float) -> int:
    moment = time.gmtime(now)
    return moment.tm_year * 12 + moment.tm_mon


def _month_ends_in(now: float) -> float:
    day = now
    while _month(day) == _month(now):
        day += DAY_S
    return day - day % DAY_S - now
