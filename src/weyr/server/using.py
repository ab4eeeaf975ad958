"""What do tasks that run on this machine use of what they asked for? Looked at every few seconds, and kept as peaks.

A task that ends is measured by whoever ran it, on every engine. This is for those that never end, or not yet: what they
held so far, and when they last did anything. Tasks of other machines and in containers are not looked into from here.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from weyr.attempt import nvml
from weyr.attempt.held import Held, held
from weyr.core.capability import TaskBody
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.ledger.measured import BUSY_MILLI, greater
from weyr.ledger.meters import ms
from weyr.reconcile.ports import Log
from weyr.reconcile.world import World
from weyr.store.database import Database
from weyr.store.use_peaks import UsePeak, note

EVERY_S = 5.0
DEVICE_BUSY_MILLI = 10
"""A hundredth of the time: a driver that is asked computes a little for the answer."""


@dataclass(frozen=True, slots=True)
class Running:
    """A task as it is to be looked at."""

    id: ThingId
    body: TaskBody
    started_at: float
    devices: tuple[str, ...]


@dataclass(slots=True)
class Using:
    """`before` is what each task had used at the last look, and when that was."""

    tasks: Path
    loads: Callable[[], Iterable[nvml.Load]] = nvml.loads
    before: dict[ThingId, tuple[float, float]] = field(default_factory=dict)

    def look(self, running: Iterable[Running], now: float) -> tuple[UsePeak, ...]:
        """What is used now, by object and SKU."""
        listed = list(running)
        busy = self._busy() if any(task.devices for task in listed) else {}
        found: dict[tuple[Ref, str], UsePeak] = {}
        after: dict[ThingId, tuple[float, float]] = {}
        for task in listed:
            used = held(self.tasks / quote(str(task.id), safe=""))
            if used is not None:
                last_at, last_cpu_s = self.before.get(task.id, (task.started_at, 0.0))
                after[task.id] = now, used.cpu_s
                rate = max(0.0, used.cpu_s - last_cpu_s) / max(now - last_at, 0.001)
                for peak in _peaks(task, used, rate, now):
                    _take(found, peak)
            for peak in _device_peaks(task, busy, now):
                _take(found, peak)
        self.before = after
        return tuple(found.values())

    def _busy(self) -> Mapping[str, float]:
        try:
            return {load.id: load.busy for load in self.loads() if load.busy is not None}
        except nvml.NvmlTrouble:
            return {}


def start_using(
    world: Callable[[], World], lock: threading.RLock, db: Database, tasks: Path, now: Callable[[], float], log: Log
) -> Callable[[], None]:
    """Looks from now on. Gives what ends that."""
    stopping, using = threading.Event(), Using(tasks)

    def run() -> None:
        while not stopping.wait(EVERY_S):
            try:
                with lock:
                    running = list(running_in(world()))
                if peaks := using.look(running, now()):
                    with db.write(is_synced=False) as connection:
                        note(connection, peaks)
            except Exception as e:  # noqa: BLE001 - what cannot be measured now may be measured later
                log("using.failed", error=repr(e))

    threading.Thread(target=run, name="using", daemon=True).start()
    return stopping.set


def running_in(world: World) -> Iterator[Running]:
    """The tasks that run and can be looked into from outside. Its caller holds the world's lock."""
    for things in world.things.values():
        for thing in things.values():
            match thing.seen, thing.body:
                case (
                    Present(facts=TaskFacts(state=TaskState.RUNNING, started_at=float() as since, devices=devices)),
                    TaskBody(image="") as body,
                ):
                    yield Running(thing.id, body, since, devices)
                case _:
                    continue


def _peaks(task: Running, used: Held, rate: float, now: float) -> Iterator[UsePeak]:
    ran_ms, now_ms, cpu = ms(now - task.started_at), ms(now), round(1000 * rate)
    busy_ms = now_ms if cpu >= BUSY_MILLI else 0
    yield UsePeak(task.id.ref, "task.cpu", round(task.body.cpu * 1000), cpu, ran_ms, now_ms, busy_ms)
    if task.body.memory_bytes:
        asked, peak = task.body.memory_bytes * 1000 // 2**30, -(-used.memory_bytes * 1000 // 2**30)
        yield UsePeak(task.id.ref, "task.memory", asked, peak, ran_ms, now_ms)


def _device_peaks(task: Running, busy: Mapping[str, float], now: float) -> Iterator[UsePeak]:
    shares = [busy[device] for device in task.devices if device in busy]
    if shares:
        peak, now_ms = round(1000 * max(shares)), ms(now)
        busy_ms = now_ms if peak >= DEVICE_BUSY_MILLI else 0
        asked = 1000 * len(task.devices)
        yield UsePeak(task.id.ref, "device", asked, peak, ms(now - task.started_at), now_ms, busy_ms)


def _take(found: dict[tuple[Ref, str], UsePeak], peak: UsePeak) -> None:
    key = peak.ref, peak.sku
    found[key] = greater(found[key], peak) if key in found else peak
