"""What does the functions plane do? It takes events in durably, and sees each to its end: an answer, or a letter."""

import asyncio
import json
import logging
import socket
import sqlite3
import time
from functools import partial
from pathlib import Path

from weyr.gateway.functions.door import Door
from weyr.gateway.functions.event import LETTER, Event, Outcome
from weyr.gateway.functions.function import Function, begun
from weyr.gateway.functions.letters import letters_of
from weyr.gateway.functions.schedule import Schedules
from weyr.gateway.functions.settings import Setting, Settings, read_settings
from weyr.gateway.functions.store import EventStore
from weyr.wire.counters import Counter, Counters
from weyr.wire.process import bound_log, listen_unix
from weyr.wire.server import HttpServer, Limits

log = logging.getLogger("weyr.functions")

BEAT_S = 0.25
SWEEP_EVERY_S = 60.0
RING_EVERY_S = 0.2
BACKOFF_MAX_S = 300.0
HOLD_EVENT_S = 60.0
"""How long a durable event waits for an instance before it is left on the disk again; that is no attempt."""


class Plane:
    """All functions of one file, followed as it changes."""

    def __init__(self, file: Path, store: EventStore, doorbell: Path, counters: Counters) -> None:
        self.store, self._file, self._doorbell, self._counters = store, file, doorbell, counters
        self.functions: dict[str, Function] = {}
        self.generation = 0
        self.problem = ""
        self._stamp: tuple[int, int, int] | None = None
        self._doors: dict[str, tuple[str, asyncio.Server, HttpServer]] = {}
        self._leaving: list[Function] = []
        self._running: dict[str, set[str]] = {}
        """The durable events under way, by function."""
        self._quiet: set[str] = set()
        """Functions that nothing on the disk was due for at the last look, and nothing came since: most calls are
        answered without a look at the disk. The beat looks anyway."""
        self._rang_at: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._schedules = Schedules(store)
        self._loop = asyncio.get_running_loop()
        self._applying = asyncio.Lock()

    async def reload(self) -> int:
        """Reads the file again and applies it. Gives the generation in force."""
        async with self._applying:
            self._stamp = _stamp(self._file)
            try:
                settings = read_settings(self._file)
            except (OSError, ValueError) as e:
                self.problem = str(e)
                return self.generation
            self.problem = ""
            await self._apply(settings)
            self.generation = settings.generation
            return self.generation

    async def beat(self) -> None:
        """Follows the file, begins what is due and lets go of what is idle, until cancelled."""
        swept_at = 0.0
        while True:
            await asyncio.sleep(BEAT_S)
            bound_log()
            try:
                if _stamp(self._file) != self._stamp:
                    await self.reload()
                await self._schedules.fire(time.time(), [f.setting for f in self.functions.values()])
                self._quiet.clear()
                for function in tuple(self.functions.values()):
                    function.tidy(self._loop.time())
                    self.pump(function)
                self._counters.house()
                await asyncio.to_thread(self._counters.keep)
                if time.time() - swept_at > SWEEP_EVERY_S:
                    swept_at = time.time()
                    kept_s = max((f.setting.body.keep_s for f in self.functions.values()), default=86_400.0)
                    await self.store.sweep(swept_at, kept_s)
            except (OSError, sqlite3.Error) as e:
                log.error("functions.beat_failed %s", e)

    async def accept(self, event: Event) -> bool:
        """Takes an event in: it is on the disk when this returns. False where it came before. Raises: sqlite3.Error."""
        is_new = await self.store.accept(event)
        function = self.functions.get(event.function)
        self._quiet.discard(event.function)
        if is_new and function:
            function.counts.last_at = time.time()
            self.pump(function)
        return is_new

    def pump(self, function: Function) -> None:
        """Begins as many durable events as the function has room for."""
        name = function.setting.name
        running = self._running.setdefault(name, set())
        room = function.room
        if room <= 0 or name in self._quiet:
            return
        due = self.store.due(name, time.time(), room + len(running))
        if not due:
            self._quiet.add(name)
        for event in due:
            if event.id in running or room <= 0:
                continue
            room -= 1
            running.add(event.id)
            task = self._loop.create_task(self._see_through(function, event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def pending(self, name: str) -> int:
        """Durable events that are under way, or should be."""
        due = len(self.store.due(name, time.time(), 1))
        return max(due, len(self._running.get(name, ())))

    def ring(self, function: Function) -> None:
        """Tells the loop that a function is wanted that has nobody to run it; not more often than it could act."""
        thing = function.setting.thing
        if self._loop.time() - self._rang_at.get(thing, -1.0) < RING_EVERY_S:
            return
        self._rang_at[thing] = self._loop.time()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.setblocking(False)
            try:
                door.sendto(json.dumps({"id": thing, "event": "wanted"}).encode(), str(self._doorbell))
            except OSError:
                return  # nobody is there, or ten wait already: the next beat rings again

    def seen(self) -> dict[str, Function]:
        """The functions in force, and those removed ones that still have events under way."""
        for function in self._leaving:
            if not function.instances:
                function.counter.close()
        self._leaving = [function for function in self._leaving if function.instances]
        return {function.setting.name: function for function in self._leaving} | self.functions

    async def drain(self, grace_s: float) -> None:
        """Lets callers have their answers. Durable events go on after the next start."""
        listeners = [listener for _, listener, _ in self._doors.values()]
        await asyncio.gather(*(server.drain([], grace_s) for _, _, server in self._doors.values()))
        for listener in listeners:
            listener.close()
        for path, _, _ in self._doors.values():
            Path(path).unlink(missing_ok=True)

    async def _see_through(self, function: Function, event: Event) -> None:
        """One attempt of a durable event, and what follows from it."""
        name, body = event.function, function.setting.body
        try:
            event = begun(event)
            outcome = await function.run(event, HOLD_EVENT_S)
            now = time.time()
            if outcome.is_ok or outcome.error not in ("NoInstance", "TooManyWaiting"):
                await self._note(function, event, outcome, now, body.retries_max, body.backoff_s)
        except (OSError, sqlite3.Error) as e:
            log.error("functions.event_unwritten id=%s %s", event.id, e)
        finally:
            self._running[name].discard(event.id)
        if function is self.functions.get(name):
            self.pump(function)

    async def _note(
        self, function: Function, event: Event, outcome: Outcome, now: float, retries_max: int, backoff_s: float
    ) -> None:
        if outcome.is_ok:
            await self.store.finish(event, outcome, now)
        elif event.attempt <= retries_max or event.trigger == LETTER:
            function.counts.retries += 1
            wait_s = min(backoff_s * 2 ** min(event.attempt - 1, 60), BACKOFF_MAX_S)
            await self.store.retry(event, outcome, now + wait_s)
            self._loop.call_later(wait_s, self._look_again, event.function)
        else:
            function.counts.dead += 1
            await self.store.bury(event, outcome, now, letters_of(function.setting, event, outcome, now))
            self._look_again(function.setting.body.dead_to)
            self._look_again(event.function)

    async def revive(self, function: Function) -> int:
        """Dead events begin anew. Gives how many."""
        count = await self.store.revive(function.setting.name, time.time())
        self._look_again(function.setting.name)
        return count

    def _look_again(self, name: str) -> None:
        """Something on the disk may be due for a function."""
        self._quiet.discard(name)
        self._pump_again(name)

    def _pump_again(self, name: str) -> None:
        if function := self.functions.get(name):
            self.pump(function)

    async def _apply(self, settings: Settings) -> None:
        for name in self.functions.keys() - settings.functions.keys():
            function = self.functions.pop(name)
            await self._close_door(name)
            function.close()
            self._leaving.append(function)
            await self.store.forget(name)
        for name, setting in settings.functions.items():
            known = self.functions.get(name)
            if known is None:
                freed = partial(self._pump_again, name)
                known = self.functions[name] = Function(setting, self.ring, freed, self._counter(setting))
            elif (known.setting.thing, known.setting.since) != (setting.thing, setting.since):
                # It went and came again between two looks.
                known.counter.close()
                known.counter = self._counter(setting)
            known.apply(setting)
            await self._open_door(known)
            self.pump(known)

    def _counter(self, setting: Setting) -> Counter:
        return self._counters.of(setting.thing, setting.since)

    async def _open_door(self, function: Function) -> None:
        setting = function.setting
        known = self._doors.get(setting.name)
        if known:
            known[2].limits = Limits(body_max=setting.body.payload_bytes)
            return
        server = HttpServer(Door(self, function), Limits(body_max=setting.body.payload_bytes))
        listener = await listen_unix(server, Path(setting.socket))
        self._doors[setting.name] = setting.socket, listener, server

    async def _close_door(self, name: str) -> None:
        path, listener, server = self._doors.pop(name)
        Path(path).unlink(missing_ok=True)
        await server.drain([listener], 1.0)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
