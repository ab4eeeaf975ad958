"""How is somebody told? Once per notice: a line in the log, and through its channel until that has taken it.

A notice is a file in a folder from the moment it is accepted, so a restart forgets none and sends none
again that was delivered. A few threads deliver, to each receiver one at a time, so that one who does not answer keeps
nobody else from being told; between attempts they wait longer and longer.
"""

import os
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from weyr.attempt.task_folder import read_json, write_json
from weyr.core.capability import Capability, Channel, NoticeBody, Refused, Wanted
from weyr.core.ref import ThingId
from weyr.core.schema import ValidationError, from_plain, to_plain
from weyr.core.seen import Absent, NoticeFacts, Present, Seen
from weyr.engines.local.telling import PATIENCE, Patience, Read, is_address, tell

RETRY_FIRST_S = 1.0
RETRY_LAST_S = 300.0
"""1, 2, 4 ... 256, 300, 300 s: eighteen attempts in the first hour, then twelve an hour."""

DELIVERERS = 8
"""Threads that deliver at most: so many receivers may hang at once, out of ten that a budget has."""

Log = Callable[[str, Mapping[str, str]], None]
"""Takes an event's fixed name and its fields."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice as it lies in its file. A webhook's address often holds a token, so `body.to` is never logged."""

    id: str
    generation: int
    body: NoticeBody
    sent_at: float
    delivered: bool = False
    attempts: int = 0
    problem: str = ""


class LocalNotices:
    """Provider of notices.

    Takes: `now`, Unix seconds; `log`, where notices go besides their channel; `read`, the value of a secret.
    Promises: `ensure` returns when the notice is on disk, and never waits for its delivery. Delivered at least
    once: a kill between an answer and its record repeats it under the same id.
    """

    capability = Capability.NOTICES

    def __init__(
        self,
        folder: Path,
        now: Callable[[], float],
        log: Log,
        read: Read = lambda _ref: None,
        retry_first_s: float = RETRY_FIRST_S,
        patience: Patience = PATIENCE,
    ) -> None:
        self._folder, self._now, self._log, self._retry_first_s = folder, now, log, retry_first_s
        self._read, self._patience = read, patience
        self._changed = threading.Condition()
        self._is_closed = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._notices = _kept(folder, log)
        self._due = {id: time.monotonic() for id, notice in self._notices.items() if not notice.delivered}
        self._under_way = set[Hashable]()
        self._threads: list[threading.Thread] = []
        with self._changed:
            self._start()

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        with self._changed:
            return {id: _seen(self._notices.get(str(id))) for id in ids}

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        """Accepts notices. One that was accepted before is not sent again, whatever its generation."""
        with self._changed:
            return {want.id: Refused(reason) for want in wanted if (reason := self._ensure(want))}

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        """Forgets notices; one that is not delivered by now will not be."""
        with self._changed:
            return {id: Refused(reason) for id in ids if (reason := self._forget(str(id)))}

    def inventory(self) -> Sequence[ThingId]:
        with self._changed:
            return [ThingId.parse(id) for id in self._notices]

    def close(self) -> None:
        """Ends the delivery; it waits for attempts that are under way. The rest is taken up at the next start."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            threads = tuple(self._threads)
        for thread in threads:
            thread.join()

    def _ensure(self, want: Wanted) -> str:
        """Why not, or nothing. The lock is held."""
        body = want.body
        if not isinstance(body, NoticeBody):
            return f"a notice cannot be a {body.of}"
        old = self._notices.get(str(want.id))
        if old and old.generation > want.generation:
            return f"generation {want.generation} is older than what was asked for last"
        is_open = body.channel is Channel.WEBHOOK and body.secret is None
        if old is None and is_open and not is_address(body.to):
            return "its webhook is not an address such as https://example.org/alerts"
        if old:
            notice = replace(old, generation=want.generation)
        else:
            is_told = body.channel is Channel.LOG
            notice = Notice(str(want.id), want.generation, body, self._now(), delivered=is_told)
        if notice == old:
            return ""
        try:
            self._keep(notice)
        except OSError as e:
            return f"it cannot be kept: {e.strerror}"
        if old is None:
            self._log("notice.sent", {"ref": notice.id, "text": notice.body.text, **notice.body.details})
            if not notice.delivered:
                self._due[notice.id] = time.monotonic()
                self._start()
        return ""

    def _keep(self, notice: Notice) -> None:
        write_json(str(self._folder), _file_name(notice.id), to_plain(Notice, notice), is_durable=True)
        self._notices[notice.id] = notice

    def _forget(self, id: str) -> str:
        try:
            # Not synced: one that a power cut brings back is known as delivered, and the sweep removes it again.
            (self._folder / _file_name(id)).unlink(missing_ok=True)
        except OSError as e:
            return f"it cannot be removed: {e.strerror}"
        self._notices.pop(id, None)
        self._due.pop(id, None)
        return ""

    def _start(self) -> None:
        """Wakes the threads: as many as there were receivers to be told at once. The lock is held."""
        self._changed.notify_all()
        receivers = len({_receiver(self._notices[id].body) for id in self._due})
        while len(self._threads) < min(receivers, DELIVERERS) and not self._is_closed:
            thread = threading.Thread(target=self._deliver_all, name=f"notices-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _deliver_all(self) -> None:
        while (notice := self._next()) is not None:
            problem = self._told(notice)
            with self._changed:
                self._under_way.discard(_receiver(notice.body))
                self._record(notice.id, problem)
                self._changed.notify_all()

    def _told(self, notice: Notice) -> str:
        try:
            return tell(notice.id, notice.sent_at, notice.body, self._read, self._patience)
        except Exception as e:  # noqa: BLE001 - one that cannot be told must not keep the others from being told
            return f"it could not be sent: {type(e).__name__}"

    def _next(self) -> Notice | None:
        """Waits for the next notice that is due; None when closed. What is new goes before what was tried in vain."""
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                free = [id for id in self._due if _receiver(self._notices[id].body) not in self._under_way]
                if due := [id for id in free if self._due[id] <= now]:
                    notice = self._notices[min(due, key=lambda id: (self._notices[id].attempts, self._due[id]))]
                    self._under_way.add(_receiver(notice.body))
                    return notice
                self._changed.wait(min([RETRY_LAST_S, *(self._due[id] - now for id in free)]))
        return None

    def _record(self, id: str, problem: str) -> None:
        """Writes down what an attempt came to. The lock is held; the notice may be gone meanwhile."""
        notice = self._notices.get(id)
        if notice is None:
            return
        after = replace(notice, delivered=not problem, attempts=notice.attempts + 1, problem=problem)
        if after.delivered:
            del self._due[id]
            self._log("notice.delivered", {"ref": id, "attempts": str(after.attempts)})
        else:
            wait_s = min(RETRY_LAST_S, self._retry_first_s * 2 ** min(after.attempts - 1, 16))
            self._due[id] = time.monotonic() + wait_s
            if problem != notice.problem:  # once per change: a webhook may be down for days
                self._log("notice.undelivered", {"ref": id, "problem": problem})
        try:
            self._keep(after)
        except OSError as e:
            self._notices[id] = after
            self._log("notice.unrecorded", {"ref": id, "problem": e.strerror or str(e)})


def _receiver(body: NoticeBody) -> Hashable:
    """Who gets it: the address, or the secret that holds it, and of a mail server's secret whom it is for."""
    return body.channel, body.to, body.secret


def _kept(folder: Path, log: Log) -> dict[str, Notice]:
    """The notices in the folder. A draft that a kill left behind is no notice; a file of another hand is said so."""
    notices: dict[str, Notice] = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json") and not name.startswith("."):
            try:
                notice: Notice = from_plain(Notice, read_json(str(folder), name) or {})
                notices[str(ThingId.parse(notice.id))] = notice
            except (OSError, ValueError, ValidationError) as e:
                log("notice.unreadable", {"file": name, "problem": type(e).__name__})
    return notices


def _file_name(id: str) -> str:
    return quote(id, safe="") + ".json"


def _seen(notice: Notice | None) -> Seen:
    if notice is None:
        return Absent()
    return Present(NoticeFacts(notice.sent_at, notice.delivered, notice.problem), notice.generation)
