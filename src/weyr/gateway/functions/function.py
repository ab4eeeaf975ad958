"""Who runs an event, and when? One function with its instances: made as events ask for them, let go when idle.

An event that finds no instance waits; while its host is not there yet, the plane says so to the loop and tries again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from weyr.gateway.functions.counts import Counts
from weyr.gateway.functions.event import LETTER, Event, Outcome
from weyr.gateway.functions.instance import Instance
from weyr.gateway.functions.settings import Setting
from weyr.wire.counters import Counter

RETRY_S = 0.005
"""How soon a host is tried again that does not listen yet: it is being started, and somebody waits."""
WAITING_MAX = 10_000
INSTANCE_IDLE_S = 30.0
FRAME_MAX = 64 * 2**20
LETTER_S = 60.0
INVOCATIONS = 0
"""The cells of a function's counter: the fields of FunctionUse after `since`."""


@dataclass(slots=True, eq=False)
class _Waiter:
    """An event that waits for an instance, since when (monotonic)."""

    event: Event
    done: "asyncio.Future[Instance]"
    since: float


class Function:
    """One function in force. `wanted` is called while events wait and no host can be reached; `counter` counts
    invocations, and outlives the plane."""

    def __init__(
        self, setting: Setting, wanted: Callable[["Function"], None], freed: Callable[[], None], counter: Counter
    ) -> None:
        self.setting, self.counter = setting, counter
        self.counts = Counts()
        self.instances: list[Instance] = []
        self._wanted, self._freed = wanted, freed
        self._waiting: deque[_Waiter] = deque()
        self._opening = 0
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> int:
        return sum(instance.busy for instance in self.instances)

    @property
    def room(self) -> int:
        """How many more events could be begun now or as soon as instances are made."""
        body = self.setting.body
        return body.instances_max * body.concurrency - self.busy - len(self._waiting)

    def inflight(self) -> dict[str, int]:
        """Events under way by host, also of those that are being left."""
        counts = {host: 0 for host, _ in self.setting.body.hosts}
        for instance in self.instances:
            if instance.busy or instance.host in counts:
                counts[instance.host] = counts.get(instance.host, 0) + instance.busy
        return counts

    def apply(self, setting: Setting) -> None:
        """Takes the function as it is wanted now. Instances of hosts that are no longer named finish and go."""
        self.setting = setting
        hosts = {host for host, _ in setting.body.hosts}
        for instance in tuple(self.instances):
            if instance.host not in hosts:
                instance.leave()
        self._open_more()

    def close(self) -> None:
        """The function is gone: whoever waits learns it, and nothing is kept warm any more."""
        self._is_closed = True
        if self._retry:
            self._retry.cancel()
        for waiter in self._waiting:
            waiter.done.cancel()
        self._waiting.clear()
        for instance in tuple(self.instances):
            instance.leave()

    async def run(self, event: Event, hold_s: float) -> Outcome:
        """One attempt, from asking for an instance to its outcome. Whatever goes wrong is an outcome as well."""
        began = self._loop.time()
        self.counts.last_at = time.time()
        instance = self._free()
        is_cold = instance is None
        if instance is None:
            if len(self._waiting) >= WAITING_MAX:
                self.counts.refused += 1
                return Outcome(429, error="TooManyWaiting", message=f"{WAITING_MAX} events wait already")
            instance = await self._awaited(event, hold_s)
            if instance is None:
                self.counts.refused += 1
                return Outcome(503, error="NoInstance", message=f"no instance was free; waited {hold_s:g} s")
        asked = self._loop.time()
        outcome = await self._answer(instance, event)
        self.counts.last_at = time.time()
        if event.trigger != LETTER:
            self.counts.worked_on(self._loop.time() - asked)
            self.counts.ended(self._loop.time() - began, is_cold, outcome.status)
        return outcome

    def tidy(self, now: float) -> None:
        """Lets go of instances that were idle for long, all but the warm ones; asks again for what is missing."""
        idle = [i for i in self.instances if i.is_ready and not i.busy and not i.is_leaving]
        for instance in sorted(idle, key=lambda i: i.idle_since)[: max(0, len(idle) - self.setting.body.warm)]:
            if now - instance.idle_since > INSTANCE_IDLE_S:
                instance.leave()
        self._open_more()
        if self._waiting and not self.instances:
            self._wanted(self)

    async def _answer(self, instance: Instance, event: Event) -> Outcome:
        limit_s = LETTER_S if event.trigger == LETTER else self.setting.body.time_limit_s
        if event.trigger != LETTER:
            # Before it is sent: what a kill of the plane interrupts was run, as far as anybody knows.
            self.counter.cells[INVOCATIONS] += 1
        done = instance.send(event, time.time() + limit_s)
        try:
            async with asyncio.timeout(limit_s):
                outcome = await asyncio.shield(done)
        except TimeoutError:
            instance.give_up(event.id)
            return Outcome(504, error="TimedOut", message=f"it took longer than {limit_s:g} s and was ended")
        if len(outcome.body) > self.setting.body.payload_bytes:
            message = f"its result has {len(outcome.body)} bytes, {self.setting.body.payload_bytes} are allowed"
            return Outcome(502, error="ResultTooLarge", message=message)
        return outcome

    async def _awaited(self, event: Event, hold_s: float) -> Instance | None:
        """An instance as soon as there is one, with room for this event; None where it took too long."""
        waiter = _Waiter(event, self._loop.create_future(), self._loop.time())
        self._waiting.append(waiter)
        self._open_more()
        try:
            async with asyncio.timeout(hold_s):
                return await waiter.done
        except (TimeoutError, asyncio.CancelledError):
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            if waiter.done.done() and not waiter.done.cancelled():
                return waiter.done.result()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return None

    def _free(self) -> Instance | None:
        """The instance that was used last of those with room: the others grow idle, and may go."""
        if self._waiting:
            return None  # whoever came first is first
        return next((instance for instance in reversed(self.instances) if instance.has_room), None)

    def _changed(self, instance: Instance) -> None:
        """An instance is ready, has room again, or is gone."""
        instance.idle_since = self._loop.time()
        if instance.is_gone and instance in self.instances:
            self.instances.remove(instance)
        self._hand_out()
        self._open_more()
        self._freed()

    def _hand_out(self) -> None:
        taken: dict[int, int] = {}
        while self._waiting:
            instance = next((i for i in reversed(self.instances) if self._has_room(i, taken)), None)
            if instance is None:
                return
            waiter = self._waiting.popleft()
            if not waiter.done.done():
                taken[id(instance)] = taken.get(id(instance), 0) + 1
                waiter.done.set_result(instance)

    def _has_room(self, instance: Instance, taken: dict[int, int]) -> bool:
        # Who was given an instance a moment ago has not sent its event yet.
        return instance.has_room and instance.busy + taken.get(id(instance), 0) < self.setting.body.concurrency

    def _open_more(self) -> None:
        body = self.setting.body
        if self._is_closed:
            return
        if not body.hosts:
            if self._waiting:
                self._wanted(self)
            return
        standing = sum(not i.is_leaving for i in self.instances) + self._opening
        coming = self._opening + sum(not i.is_ready and not i.is_leaving for i in self.instances)
        lacking = max(-(-len(self._waiting) // body.concurrency) - coming, body.warm - standing)
        for _ in range(min(lacking, body.instances_max - standing)):
            self._opening += 1
            task = self._loop.create_task(self._open())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self) -> None:
        """Connects to the newest host that listens; where none does, it is tried again a moment later."""
        body = self.setting.body
        try:
            for host, address in body.hosts:
                instance = Instance(host, body.concurrency, FRAME_MAX, self._changed)
                try:
                    await self._loop.create_unix_connection(lambda made=instance: made, address)  # type: ignore[misc]
                except OSError:
                    continue
                self.instances.append(instance)
                if self._is_closed:
                    instance.leave()
                return
        finally:
            self._opening -= 1
        # The loop may not know that the host it named is gone, or nobody may have heard the bell before.
        self._wanted(self)
        if self._retry is None or self._retry.cancelled() or self._retry.when() <= self._loop.time():
            self._retry = self._loop.call_later(RETRY_S, self._open_more)


def begun(event: Event) -> Event:
    """The event's next attempt."""
    return replace(event, attempt=event.attempt + 1)
