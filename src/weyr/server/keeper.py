"""Who runs the loop? One thread, woken by what happens, and by the clock at the latest.

Everything that reads or changes the loop's world does so under the loop's lock. What goes wrong in a pass
is logged; the loop has read the world anew from the store, and the next pass begins from there.
"""

import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from weyr.core.ref import Ref, ThingId
from weyr.reconcile.clock import ClockWatch, take_on_set_clock
from weyr.reconcile.loop import Loop
from weyr.reconcile.orphans import sweep
from weyr.reconcile.ports import Log
from weyr.store.retention import drop_oldest
from weyr.store.use_peaks import drop_old

SWEEP_EVERY_S = 60.0
AFTER_FAILURE_S = 1.0
BILL_WAITS_S = 1.0
IDLE_S = 30.0


class Keeper:
    """The loop's thread, and the doorbell for engines: a datagram socket that is told which thing changed."""

    def __init__(self, loop: Loop, now: Callable[[], float], log: Log, doorbell: Path) -> None:
        self.loop = loop
        self._now, self._log = now, log
        self._clock = ClockWatch(now, lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
        self._bell = threading.Event()
        self._heard: deque[Ref] = deque()
        self._is_stopping = False
        self._next_sweep = 0.0
        self.ticks = 0
        self._doorbell = doorbell
        doorbell.unlink(missing_ok=True)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._door.bind(str(doorbell))
        os.chmod(doorbell, 0o600)
        self._threads = [
            threading.Thread(target=self._keep, name="loop", daemon=True),
            threading.Thread(target=self._listen, name="doorbell", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the loop after the pass it is in."""
        self._is_stopping = True
        self._bell.set()
        self._door.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._door.close()
        self._doorbell.unlink(missing_ok=True)

    def wake(self, refs: Iterable[Ref]) -> None:
        """Something happened to these: look at them now."""
        with self.loop.lock:
            self.loop.world.wake(refs)
        self._bell.set()

    def mind_clock(self) -> float:
        """The time, once what follows from a clock that was set has been done: before a pass, and before a bill."""
        # A pass that is under way has minded it, unless it was set since: a bill waits for that, though not for long.
        if not self.loop.turn.acquire(timeout=BILL_WAITS_S):
            return self._now()
        try:
            now, unset = self._clock.look()
            if unset != now:
                self._next_sweep = now + SWEEP_EVERY_S
                take_on_set_clock(self.loop, unset, now)
                self._bell.set()
            return now
        finally:
            self.loop.turn.release()

    def _keep(self) -> None:
        while not self._is_stopping:
            self._take_in()
            wait_s = self._pass()
            self._bell.wait(wait_s)
            self._bell.clear()

    def _take_in(self) -> None:
        """What was heard at the doorbell is due now."""
        refs = {self._heard.popleft() for _ in range(len(self._heard))}
        if refs:
            self.wake(refs)

    def _pass(self) -> float:
        """One pass; gives how long nothing is due."""
        try:
            now = self.mind_clock()
            due = self.loop.tick(now)
            if now >= self._next_sweep:
                with self.loop.turn:
                    sweep(self.loop.world, self.loop.effects)
                    with self.loop.db.write(is_synced=False) as connection:
                        drop_oldest(connection)
                        drop_old(connection, int(now * 1000))
                self._next_sweep = now + SWEEP_EVERY_S
            self.ticks += 1
        except Exception as e:  # noqa: BLE001 - whatever it was, the world has to be kept on
            self._log("loop.failed", error=repr(e))
            return AFTER_FAILURE_S
        return IDLE_S if due is None else min(max(due - self._now(), 0.0), IDLE_S)

    def _listen(self) -> None:
        while not self._is_stopping:
            try:
                said = self._door.recv(512)
            except OSError:
                return
            if not said:
                continue
            try:
                # Only put aside: a pass may hold the world for long, and no more than ten callers wait at this door.
                self._heard.append(ThingId.parse(json.loads(said)["id"]).ref)
                self._bell.set()
            except Exception:  # noqa: BLE001 - whatever was said there, the next caller is to be heard
                self._log("doorbell.unreadable", said=repr(said[:80]))
