"""How is somebody told? Once per notice: a line in the log, and a POST to its webhook until that answers 2xx.

A notice is a file in a folder from the moment it is accepted, so a restart forgets none and sends none
again that was delivered. One thread delivers; it waits between attempts longer and longer.
"""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from weyr.attempt.task_folder import read_json, write_json
from weyr.core.capability import Capability, NoticeBody, Refused, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, NoticeFacts, Present, Seen

ANSWER_TIMEOUT_S = 5.0
RETRY_FIRST_S = 1.0
RETRY_LAST_S = 300.0
"""1, 2, 4 ... 256, 300, 300 s: eighteen attempts in the first hour, then twelve an hour."""

Log = Callable[[str, Mapping[str, str]], None]
"""Takes an event's fixed name and its fields."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice as it lies in its file. `webhook` often holds a token of its own, so it is never logged."""

    id: str
    generation: int
    text: str
    sent_at: float
    webhook: str = field(default="", repr=False)
    details: Mapping[str, str] = field(default_factory=dict)
    delivered: bool = False
    attempts: int = 0
    problem: str = ""


class LocalNotices:
    """Provider of notices.

    Takes: `now`, Unix seconds; `log`, where notices go besides their webhook.
    Promises: `ensure` returns when the notice is on disk, and never waits for a webhook. Delivered at least
    once: a kill between an answer and its record repeats the request, with the same Idempotency-Key.
    """

    capability = Capability.NOTICES

    def __init__(self, folder: Path, now: Callable[[], float], log: Log, retry_first_s: float = RETRY_FIRST_S) -> None:
        self._folder, self._now, self._log, self._retry_first_s = folder, now, log, retry_first_s
        self._changed = threading.Condition()
        self._is_closed = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._notices = _kept(folder, log)
        self._due = {id: time.monotonic() for id, notice in self._notices.items() if not notice.delivered}
        self._thread: threading.Thread | None = None
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
        """Ends the delivery; it waits for an attempt that is under way. The rest is taken up at the next start."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread:
            thread.join()

    def _ensure(self, want: Wanted) -> str:
        """Why not, or nothing. The lock is held."""
        body = want.body
        if not isinstance(body, NoticeBody):
            return f"a notice cannot be a {body.of}"
        old = self._notices.get(str(want.id))
        if old and old.generation > want.generation:
            return f"generation {want.generation} is older than what was asked for last"
        if old is None and body.webhook and not _is_address(body.webhook):
            return "its webhook is not an address such as https://example.org/alerts"
        if old:
            notice = replace(old, generation=want.generation)
        else:
            to = body.webhook
            notice = Notice(
                str(want.id), want.generation, body.text, self._now(), to, dict(body.details), delivered=not to
            )
        if notice == old:
            return ""
        try:
            self._keep(notice)
        except OSError as e:
            return f"it cannot be kept: {e.strerror}"
        if old is None:
            self._log("notice.sent", {"ref": notice.id, "text": notice.text, **notice.details})
            if not notice.delivered:
                self._due[notice.id] = time.monotonic()
                self._start()
        return ""

    def _keep(self, notice: Notice) -> None:
        write_json(str(self._folder), _file_name(notice.id), asdict(notice), is_durable=True)
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
        """Wakes the thread, which lives from the first notice with a webhook on. The lock is held."""
        self._changed.notify_all()
        if self._due and self._thread is None and not self._is_closed:
            self._thread = threading.Thread(target=self._deliver_all, name="notices", daemon=True)
            self._thread.start()

    def _deliver_all(self) -> None:
        while (notice := self._next()) is not None:
            problem = _post(notice)
            with self._changed:
                self._record(notice.id, problem)

    def _next(self) -> Notice | None:
        """Waits for the next notice that is due; None when closed."""
        with self._changed:
            while not self._is_closed:
                id = min(self._due, key=lambda id: self._due[id], default=None)
                wait_s = None if id is None else self._due[id] - time.monotonic()
                if id is not None and wait_s is not None and wait_s <= 0:
                    return self._notices[id]
                self._changed.wait(None if wait_s is None else min(wait_s, RETRY_LAST_S))
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


def _post(notice: Notice) -> str:
    """Sends it once. Why it is not delivered, or nothing; never the address. Redirects are not followed."""
    url = urlsplit(notice.webhook)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    content = {"text": notice.text, "id": notice.id, "details": dict(notice.details), "sent_at": notice.sent_at}
    headers = {"Content-Type": "application/json", "User-Agent": "weyr", "Idempotency-Key": notice.id}
    try:
        connection = kind(url.hostname or "", url.port, timeout=ANSWER_TIMEOUT_S)
        try:
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", target, json.dumps(content).encode(), headers)
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as e:
        return f"the webhook cannot be reached: {type(e).__name__}"
    return "" if 200 <= status < 300 else f"the webhook answered {status}"


def _is_address(webhook: str) -> bool:
    try:
        url = urlsplit(webhook)
        return url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return False


def _kept(folder: Path, log: Log) -> dict[str, Notice]:
    """The notices in the folder. A draft that a kill left behind is no notice; a file of another hand is said so."""
    notices: dict[str, Notice] = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json") and not name.startswith("."):
            try:
                notice = Notice(**(read_json(str(folder), name) or {}))
                notices[str(ThingId.parse(notice.id))] = notice
            except (OSError, ValueError, TypeError, AttributeError) as e:
                log("notice.unreadable", {"file": name, "problem": type(e).__name__})
    return notices


def _file_name(id: str) -> str:
    return quote(id, safe="") + ".json"


def _seen(notice: Notice | None) -> Seen:
    if notice is None:
        return Absent()
    return Present(NoticeFacts(notice.sent_at, notice.delivered), notice.generation)
