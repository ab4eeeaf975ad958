"""The power goes at any instant: every acknowledged object is there and whole, and nothing half-written is seen.

kill -9 proves nothing about fsync, for the kernel keeps what the process wrote. Here what was not synced is lost.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from failing_calls import attached
from recorded_disk import Crash, RecordedDisk, mounted, recorded_disk
from s3_plane import running_s3
from s3_shelf import fsck, leaks
from s3_writers import NOTHING, Writer, allowed_at, disagreements, observed, prepare

WRITERS = 4
WRITES_S = 2.5
LOAD_S_MAX = 60.0
CUTS_PER_LOAD = 20


@contextmanager
def written(
    folder: Path, seed: int, seconds: float, is_syncing: bool = True
) -> Iterator[tuple[RecordedDisk, list[Writer]]]:
    """A disk on which a plane took what writers of all kinds put, and the writers."""
    with recorded_disk(folder) as disk:
        with running_s3(disk.path / "plane") as plane:
            prepare(plane.client())
            stop = threading.Event()
            writers = [
                Writer(f"w{n}", plane.client(retries={"max_attempts": 0}), seed * 100 + n, stop) for n in range(WRITERS)
            ]
            if is_syncing:
                write(writers, stop, seconds)
            else:
                assert plane.process is not None
                pids = [plane.process.pid, *(child.pid for child in psutil.Process(plane.process.pid).children(True))]
                lie = ("trace=fsync,fdatasync", "inject=fsync,fdatasync:retval=0")
                with attached(pids, folder / "strace.log", *lie):
                    write(writers, stop, seconds)
        yield disk, writers


def write(writers: Sequence[Writer], stop: threading.Event, seconds: float) -> None:
    for writer in writers:
        writer.start()
    threading.Event().wait(seconds)
    stop.set()
    for writer in writers:
        writer.join()


def problems_after(image: Path, at: Path, writers: Sequence[Writer], at_ns: int) -> list[str]:
    """What is wrong with the store that a machine finds on this disk when its power is back."""
    with mounted(image, at) as found, running_s3(found / "plane") as plane:
        wrong = disagreements(observed(plane.client()), allowed_at(writers, at_ns, {}))
        wrong += leaks(plane)
        plane.stop()
        return wrong + fsck(plane)


def instants(crash: Crash, writers: Sequence[Writer], count: int, chance: random.Random) -> list[int]:
    """Positions in the log to cut at, in order: instants of the time in which there was something to lose."""
    history = crash.history
    acknowledged = sorted(deed.ended_ns for writer in writers for deed in writer.story if deed.ended_ns)
    first = next(n for n, entry in enumerate(history) if entry.at_ns > acknowledged[0])
    last = max(n for n, entry in enumerate(history) if entry.at_ns < acknowledged[-1])
    return sorted(chance.randrange(first, last + 1) for _ in range(count))


@pytest.mark.parametrize("loses", [False, True], ids=["unsynced pages are lost", "and the disk's own cache"])
def test_what_was_acknowledged_survives_every_power_cut(tmp_path: Path, cuts: int, loses: bool) -> None:
    """A cut at a random instant under load. With `loses`, what the disk was sent since its last flush is dropped, torn
    between sectors, or reordered besides, as by a disk with a volatile cache."""
    chance = random.Random(cuts + loses)
    left, load = cuts, 0
    while left:
        now = min(left, CUTS_PER_LOAD)
        left, load = left - now, load + 1
        with written(tmp_path / f"load{load}", load * 2 + loses, WRITES_S) as (disk, writers):
            crash = Crash(disk, tmp_path / "crash.img")
            for count in instants(crash, writers, now, chance):
                seed = chance.randrange(2**32)
                image = crash.at(count, random.Random(seed) if loses else None)
                wrong = problems_after(image, tmp_path / "found", writers, crash.history[count - 1].at_ns)
                assert not wrong, f"load {load}, cut after {count} writes, seed {seed}:\n" + "\n".join(wrong)


def test_a_store_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    """The same cut of the same load, but each fsync does nothing and says that it did: if that went unnoticed, the
    test above would prove nothing."""
    with written(tmp_path / "load", 1, WRITES_S, is_syncing=False) as (disk, writers):
        crash = Crash(disk, tmp_path / "crash.img")
        acknowledged = sorted(deed.ended_ns for writer in writers for deed in writer.story if deed.ended_ns)
        at_ns = acknowledged[len(acknowledged) * 9 // 10]
        image = crash.at(sum(entry.at_ns <= at_ns for entry in crash.history))

        wrong = problems_after(image, tmp_path / "found", writers, at_ns)

    due = allowed_at(writers, at_ns, {})
    there = [slot for slot, states in due.items() if NOTHING not in states]
    assert len(wrong) > len(there) // 2, f"{len(wrong)} of {len(there)} lost: {wrong}"
