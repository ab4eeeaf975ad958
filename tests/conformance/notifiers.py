"""The notifiers under trial: one that calls a real webhook, and the simulated one."""

import tempfile
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from services import SIM_LUCK, Service, SimService
from webhook import webhook

from weyr.core.capability import Channel, NoticeBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import NoticeFacts, Present
from weyr.engines.local.notices import LocalNotices
from weyr.sim.services import SimNotices

WITHIN_S = 90.0


class Notifier(Service):
    kind = "budget"
    part = "2026-11-0.5"

    def want(self, id: ThingId, generation: int = 1) -> Wanted:
        """A notice for the log alone."""
        return Wanted(id, generation, NoticeBody(f"{id.ref}: 50% is spent"))

    def want_called(self, id: ThingId, generation: int = 1) -> Wanted:
        """The same, for the webhook too."""
        return Wanted(id, generation, NoticeBody(f"{id.ref}: 50% is spent", {}, Channel.WEBHOOK, self.webhook))

    webhook: str

    @abstractmethod
    def answer(self, is_well: bool) -> None:
        """From now on the webhook takes what it is sent, or does not."""

    @abstractmethod
    def logged(self) -> int:
        """How often somebody was told in the log."""

    def is_delivered(self, id: ThingId) -> bool:
        seen = self.observe(id)
        return isinstance(seen, Present) and isinstance(seen.facts, NoticeFacts) and seen.facts.delivered

    def until_delivered(self, id: ThingId) -> None:
        deadline, pause = time.monotonic() + WITHIN_S, threading.Event()
        while not self.is_delivered(id):
            assert time.monotonic() < deadline, f"{id} was not delivered"
            pause.wait(0.01)


class LocalNotifier(Notifier):
    def __init__(self) -> None:
        self._held = ExitStack()
        self._folder = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="weyr-")))
        self.hook = self._held.enter_context(webhook(200))
        self.webhook = self.hook.url
        self._log: list[str] = []
        self._open()

    def _open(self) -> None:
        self._notices = LocalNotices(
            self._folder, time.time, lambda event, _: self._log.append(event), retry_first_s=0.02
        )
        self.provider = self._notices

    def answer(self, is_well: bool) -> None:
        self.hook.statuses = [200 if is_well else 503]

    def logged(self) -> int:
        return self._log.count("notice.sent")

    def restart(self) -> None:
        self._notices.close()
        self._open()

    def close(self) -> None:
        self._notices.close()
        self._held.close()


class SimNotifier(SimService[SimNotices], Notifier):
    webhook = "https://sim/alerts"

    def __init__(self, **luck: float) -> None:
        super().__init__(lambda engine: engine.notices, **luck)  # type: ignore[arg-type]
        self._is_well = True
        self.provider = SimNotices(self.clock, self.engine.faults, lambda body: self._is_well or not body.to)

    def answer(self, is_well: bool) -> None:
        self._is_well = is_well

    def logged(self) -> int:
        return len(self.provider.sent)


NOTIFIERS: Mapping[str, Callable[[], Notifier]] = {
    "local": LocalNotifier,
    **{name: partial(SimNotifier, **luck) for name, luck in SIM_LUCK.items()},
}
