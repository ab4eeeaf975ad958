"""What was counted of each thing, so that no kill loses it or counts it twice? Numbers in files that are mapped into
whoever counts.

Each process counts in files of its own, which the kernel keeps whatever becomes of the process: an addition is a store
to memory. What a thing came to is the sum over all files (`read_counts`). A file is locked while its process lives;
those of processes that are no more are added to one that is kept (`fold`), which names them until they are removed,
so that none is added twice. A thing that comes again is told from the one before by when it came (`since`).

A counter is *open* while its process may still count: once no living process has it open, its reading is the last.
"""

import fcntl
import json
import logging
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CELLS = 8
"""Numbers of one counter; what each of them counts is its plane's to say."""
SLOT_BYTES = 256
SLOT_WORDS = SLOT_BYTES // 8
SLOTS = 256
FILE_BYTES = SLOT_BYTES * SLOTS
"""64 KiB on the disk at once: a file with holes would end its process where the disk is full."""
KEY_MAX = SLOT_BYTES - 32 - CELLS * 8
_STATE, _SINCE, _LENGTH, _CELLS, _KEY = 0, 1, 2, 4, 4 + CELLS
"""Where they lie in a slot, in words of eight bytes."""
_FREE, _OPEN, _CLOSED = 0, 1, 2
SUFFIX = ".counts"
KEPT = "kept.json"
KEPT_S = 30 * 86_400.0
"""How long what is over stays readable: its reading may be asked for late, by a server that was down."""

log = logging.getLogger("weyr.counters")

Key = tuple[str, float]
"""A thing, and since when it is there (Unix seconds)."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What all processes counted of one thing. `is_open`: one that lives may count more."""

    cells: tuple[int, ...] = (0,) * CELLS
    is_open: bool = False


class Counter:
    """One thing's numbers in this process: `cells[n] += 1` counts, at once and for good. Its event loop's own."""

    __slots__ = ("_words", "cells", "key")

    def __init__(self, key: Key, words: memoryview) -> None:
        self.key, self._words = key, words
        self.cells = words[_CELLS : _CELLS + CELLS]

    def close(self) -> None:
        """Nothing more will be counted here."""
        self._words[_STATE] = _CLOSED

    def moved(self, words: memoryview) -> None:
        """Goes on in another place, with what was counted so far."""
        words[_CELLS : _CELLS + CELLS] = self.cells
        words[_STATE] = self._words[_STATE]
        self._words, self.cells = words, words[_CELLS : _CELLS + CELLS]


class Counters:
    """The counters of this process. Takes the folder that all processes share; without one nothing is kept.

    Where a file cannot be made, what is counted is in memory only until it can be: `keep` tries again.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: list[_File] = []
        self._homeless: list[Counter] = []

    def of(self, thing: str, since: float) -> Counter:
        """A new counter of a thing that has come to be, open until it is closed."""
        key = (thing, since)
        words = self._slot(key)
        if words is not None:
            return Counter(key, words)
        counter = Counter(key, _in_memory(key))
        if self._folder is not None:
            self._homeless.append(counter)
        return counter

    def keep(self) -> None:
        """Has the disk take what was counted, as far as a power cut is concerned. Blocks for the disk.

        Not in the event loop but `house` before it, which is its loop's own.
        """
        for file in tuple(self._files):
            try:
                os.fdatasync(file.fd)
            except OSError as e:
                log.warning("counters.unkept %s: %s", self._folder, e)

    def house(self) -> None:
        """Gives a place in a file to what is counted in memory only."""
        waiting, self._homeless = self._homeless, []
        for counter in waiting:
            words = self._slot(counter.key)
            if words is None:
                self._homeless.append(counter)
            else:
                counter.moved(words)

    def _slot(self, key: Key) -> memoryview | None:
        if self._folder is None:
            return None
        if not self._files or self._files[-1].is_full:
            try:
                self._files.append(_File(self._folder))
            except OSError as e:
                log.warning("counters.unfiled %s: %s", self._folder, e)
                return None
        return self._files[-1].slot(key)


class _File:
    """One file of slots, locked until this process ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{os.getpid()}-{time.time_ns()}"
        draft = folder / f".{name}"
        self.fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(self.fd, 0, FILE_BYTES)
            # Locked before it has its name: nobody may take it for one of a process that is no more.
            fcntl.flock(self.fd, fcntl.LOCK_EX)
            os.rename(draft, folder / f"{name}{SUFFIX}")
            self._words = memoryview(mmap.mmap(self.fd, FILE_BYTES)).cast("q")
        except OSError:
            os.close(self.fd)
            draft.unlink(missing_ok=True)
            raise
        self._used = 0

    @property
    def is_full(self) -> bool:
        return self._used == SLOTS

    def slot(self, key: Key) -> memoryview:
        at = self._used * SLOT_WORDS
        words = self._words[at : at + SLOT_WORDS]
        self._used += 1
        _name(words, key)
        return words


def read_counts(folder: Path) -> Mapping[Key, Counted]:
    """What was counted of each thing by all processes, those that are no more included.

    Promises: a number only grows from one reading to the next, until what is long over is forgotten.
    Raises: OSError or ValueError where a file cannot be read.
    """
    kept = _read_kept(folder)
    found = {key: Counted(cells) for key, cells in kept.counts.items()}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if path.name in kept.folded:
            continue
        with _opened(path) as read:
            for key, cells, is_open in read.told():
                found[key] = _sum(found.get(key, Counted()), cells, is_open)
    return found


def fold(folder: Path, is_needed: Callable[[Key], bool], now: float) -> None:
    """Adds the files of processes that are no more to the one that is kept, and removes them. One process does so at a
    time. What is over and not needed is forgotten after `KEPT_S`. Raises: OSError or ValueError."""
    if not folder.is_dir():
        return
    kept = _read_kept(folder)
    dead: list[Path] = []
    counts = dict(kept.counts)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with _opened(path) as read:
            if read.is_alive:
                continue
            dead.append(path)
            for key, cells, _is_open in () if path.name in kept.folded else read.told():
                counts[key] = tuple(map(int.__add__, counts.get(key, (0,) * CELLS), cells))
    if not dead:
        return
    counts = {key: cells for key, cells in counts.items() if is_needed(key) or now - key[1] < KEPT_S}
    _write_kept(folder, counts, [path.name for path in dead])
    for path in dead:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Kept:
    counts: Mapping[Key, tuple[int, ...]]
    folded: frozenset[str]


def _read_kept(folder: Path) -> _Kept:
    try:
        plain = json.loads((folder / KEPT).read_bytes())
        counts = {(str(thing), float(since)): tuple(map(int, cells)) for thing, since, cells in plain["counts"]}
        return _Kept(counts, frozenset(plain["folded"]))
    except FileNotFoundError:
        return _Kept({}, frozenset())
    except (KeyError, TypeError) as e:
        raise ValueError(f"{folder / KEPT} is not what was kept of counters: {e!r}") from e


def _write_kept(folder: Path, counts: Mapping[Key, tuple[int, ...]], folded: list[str]) -> None:
    draft = folder / f".{KEPT}"
    rows = [[thing, since, list(cells)] for (thing, since), cells in sorted(counts.items())]
    with open(draft, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
        json.dump({"counts": rows, "folded": folded}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, folder / KEPT)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@dataclass(frozen=True, slots=True)
class _Read:
    """One file of counters. Its numbers are read word by word: a copy could be of half a number."""

    file: mmap.mmap
    words: memoryview
    is_alive: bool

    def told(self) -> Iterator[tuple[Key, tuple[int, ...], bool]]:
        """Each counter: whose it is, its numbers, and whether it is open."""
        words = self.words
        for at in range(0, len(words), SLOT_WORDS):
            if words[at + _STATE] == _FREE:
                return
            begin = (at + _KEY) * 8
            thing = self.file[begin : begin + words[at + _LENGTH]].decode()
            (since,) = struct.unpack_from("=d", self.file, (at + _SINCE) * 8)
            is_open = words[at + _STATE] == _OPEN
            yield (thing, since), tuple(words[at + _CELLS + cell] for cell in range(CELLS)), is_open and self.is_alive


@contextmanager
def _opened(path: Path) -> Iterator[_Read]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Whether it lives is asked first: what it counted until its end is then in what is read.
        is_alive = not _is_unlocked(fd)
        file = mmap.mmap(fd, FILE_BYTES, prot=mmap.PROT_READ)
        with file, memoryview(file) as octets, octets.cast("q") as words:
            yield _Read(file, words, is_alive)
    finally:
        os.close(fd)


def _is_unlocked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return True


def _name(words: memoryview, key: Key) -> None:
    """Writes whose slot it is; its state last, by which it is one."""
    thing = key[0].encode()
    assert len(thing) <= KEY_MAX, f"{key[0]} is longer than the {KEY_MAX} bytes of a counter's name"
    padded = thing.ljust(-(-len(thing) // 8) * 8, b"\0")
    for at, (word,) in enumerate(struct.iter_unpack("=q", padded)):
        words[_KEY + at] = word
    (words[_SINCE],) = struct.unpack("=q", struct.pack("=d", key[1]))
    words[_LENGTH] = len(thing)
    words[_STATE] = _OPEN


def _sum(one: Counted, cells: tuple[int, ...], is_open: bool) -> Counted:
    return Counted(tuple(map(int.__add__, one.cells, cells)), one.is_open or is_open)


def _in_memory(key: Key) -> memoryview:
    words = memoryview(bytearray(SLOT_BYTES)).cast("q")
    _name(words, key)
    return words
