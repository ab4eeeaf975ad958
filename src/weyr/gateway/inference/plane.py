"""What do all connections of the inference plane share? Who may call, where to, and what time it is."""

import asyncio
import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from weyr.gateway.audit import AuditTrail
from weyr.gateway.inference.callers import Callers
from weyr.gateway.inference.capture import Payloads
from weyr.gateway.inference.doorbell import Doorbell
from weyr.gateway.inference.table import Table
from weyr.gateway.inference.tally import Tally
from weyr.wire.otlp import Exporter
from weyr.wire.process import bound_log

if TYPE_CHECKING:
    from weyr.gateway.inference.door import Door
    from weyr.gateway.inference.metrics import Teller

ROTATE_S = 60.0
"""How often it is looked who of the callers are the busiest."""
EXPORTERS_MAX = 16
BEAT_S = 0.25
"""How often the routes file is looked at, and how coarse `now` is: enough for timeouts of many seconds."""


PATIENCE_S = 1.0
FORGET_EVERY_S = 2.0
"""How long the requests of a killed process count as under way."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a caller may send, and how long the plane waits for it.

    Sizes in bytes. `head_s`: for the whole of a head; `body_s`: for more of a body; `answer_s`: for more of an answer;
    `idle_s`: for the next request of a connection. `doors_max` callers may be connected at once.
    """

    body_max: int = 256 * 2**20
    head_s: float = 30.0
    body_s: float = 60.0
    answer_s: float = 600.0
    idle_s: float = 120.0
    doors_max: int = 8192


class Plane:
    """The plane's shared state. `refusals` counts answers, by status, that belong to no endpoint.

    Takes `limits`, the file that what callers used is kept in; without one it is forgotten with the process.
    """

    teller: "Teller"
    """Who tells what was counted; there before the first caller is."""

    def __init__(
        self, table: Table, callers: Callers, audit: AuditTrail, bounds: Bounds,
        payloads: Payloads | None = None, limits: Path | None = None,
    ) -> None:  # fmt: skip
        self.loop = asyncio.get_running_loop()
        self.table = table
        self.callers = callers
        self._limits_file = limits
        self.audit = audit
        self.bounds = bounds
        self.doors: set[Door] = set()
        self.refusals: dict[int, int] = {}
        self.doorbell = Doorbell()
        self.is_draining = False
        self.now = self.loop.time()
        self.wall_ahead_s = time.time() - self.now
        """How far Unix time is ahead of the loop's."""
        self.payloads = payloads or Payloads(None, 0)
        self.exporters: dict[str, Exporter] = {}
        self._rotate_at = self.now + ROTATE_S

    def exporter(self, url: str) -> Exporter | None:
        """Who sends spans to this collector; None for one more than the plane keeps."""
        found = self.exporters.get(url)
        if found is None and url and len(self.exporters) < EXPORTERS_MAX:
            found = self.exporters[url] = Exporter(url, "weyr-inference", {"process.pid": os.getpid()})
        return found

    @cached_property
    def tally(self) -> Tally:
        """What was used of limits; made when the first is to be counted. Raises: OSError."""
        return Tally(self._limits_file)

    async def beat(self) -> None:
        """Follows the routes file and ends what takes too long, until cancelled."""
        forgot_at = self.now
        while True:
            await asyncio.sleep(BEAT_S)
            self.now = self.loop.time()
            self.wall_ahead_s = time.time() - self.now
            self.table.follow()
            if self.now >= self._rotate_at:
                self._rotate_at = self.now + ROTATE_S
                self._rotate()
            bound_log()
            for door in tuple(self.doors):
                door.check(self.now)
            for endpoint in self.table.endpoints.values():
                if endpoint.replicas:
                    endpoint.put_out_the_slow(self.now)
                elif endpoint.waiting.queue:
                    # Whoever was told when it was held may not have heard it.
                    self.doorbell.ring(endpoint.route.thing, self.now)
            if "tally" in vars(self) and self.now - forgot_at > FORGET_EVERY_S:
                forgot_at = self.now
                self.tally.forget_the_dead()

    def _rotate(self) -> None:
        for endpoint in self.table.seen().values():
            for counts in (endpoint.nobody, *endpoint.counts.values()):
                counts.measure.callers.rotate()

    async def drain(self, grace_s: float, is_followed: bool = False) -> bool:
        """Lets what is under way end, and nothing new begin. False if `grace_s` was too short.

        Where another process serves on (`is_followed`), callers are told to close with their next answer, and only who
        has asked nothing for a while is closed: his next request could be on its way already.
        """
        self.is_draining = True
        deadline = self.loop.time() + grace_s
        while self.doors and self.loop.time() < deadline:
            for door in tuple(self.doors):
                door.close_if_idle(PATIENCE_S if is_followed else 0.0)
            await asyncio.sleep(0.01)
        is_clean = not self.doors
        for door in tuple(self.doors):
            door.transport.abort()
        return is_clean

    async def close(self, wait_s: float) -> None:
        """Writes and sends what waits, as far as that goes in `wait_s`."""
        await self.payloads.close(wait_s)
        for exporter in self.exporters.values():
            exporter.close(1.0)
