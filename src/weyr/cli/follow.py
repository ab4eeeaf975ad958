"""How does a stack come up or go down, seen live? Follows it until it rests, through a server's death.

Level-triggered like the loop itself: events make it look at once, but what counts is what the list of objects
says; a missed event costs a second, never the outcome.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from weyr.cli.client import Answer, HttpClient, ServerGone
from weyr.cli.connect import start
from weyr.cli.feed import Event, Feed
from weyr.cli.objects import Outcome, Row, rows_of
from weyr.cli.place import running
from weyr.cli.screen import say
from weyr.core.diagnostic import Diagnostic, UserError

LOOK_EVERY_S = 1.0
REDRAW_EVERY_S = 0.25
REJOIN_TIMEOUT_S = 10.0
RESTARTS_MAX = 5
"""A server that dies again and again is told of, not started for ever."""


class Stage(Protocol):
    """Where progress is shown."""

    def tell(self, event: Event) -> None: ...

    def show(self, rows: Sequence[Row]) -> None: ...


Judge = Callable[[Sequence[Row], float], Outcome | None]
"""Given the rows and for how many seconds nothing changed: how it ended, or None to go on."""


@dataclass
class Follower:
    """Follows one stack. `client` is replaced when the server comes back as another process."""

    client: HttpClient
    stack: str
    stage: Stage
    after: int = 0
    restarts: int = 0
    rows: list[Row] = field(default_factory=list)
    _feed: Feed = field(init=False, repr=False)

    def until(self, judge: Judge, timeout_s: float | None) -> Outcome:
        """Shows progress until the judge gives an outcome or time is up. Raises: UserError, ServerGone."""
        self._feed = Feed(self.client, self.stack, self.after)
        try:
            return self._followed(judge, timeout_s)
        finally:
            self._feed.close()

    def _followed(self, judge: Judge, timeout_s: float | None) -> Outcome:
        began = changed = time.monotonic()
        looked = float("-inf")
        while True:
            events = self._told(REDRAW_EVERY_S)
            now = time.monotonic()
            changed = now if events else changed
            if events or self._feed.is_broken or now - looked >= LOOK_EVERY_S:
                rows = rows_of(self.ask("GET", "/v1/objects", stack=self.stack))
                changed = now if rows != self.rows else changed
                self.rows, looked = rows, now
                if self._feed.is_broken:
                    self._feed = Feed(self.client, self.stack, self.after)
            self.stage.show(self.rows)
            outcome = judge(self.rows, now - changed)
            if outcome is not None:
                self._told(REDRAW_EVERY_S)
                return outcome
            if timeout_s is not None and now - began >= timeout_s:
                return Outcome.TIMED_OUT

    def _told(self, wait_s: float) -> bool:
        """Shows the events that have come; whether there were any."""
        events = self._feed.taken(wait_s)
        for event in events:
            self.after = max(self.after, event.id)
            self.stage.tell(event)
        return bool(events)

    def ask(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        """A call that survives the server's death, a few times: it is waited for, or started again."""
        while True:
            try:
                return self.client.call(method, path, body, **query)
            except ServerGone as e:
                self._rejoin(e)

    def _rejoin(self, cause: ServerGone) -> None:
        """Finds the server again. Raises: UserError when it is gone for good."""
        home, old = self.client.home, self.client.server
        deadline = time.monotonic() + REJOIN_TIMEOUT_S
        while (old.is_alive or self.client.person) and time.monotonic() < deadline:
            # Alive but deaf: it is stopping, or somebody stopped it with a signal; or it is not on this machine.
            if _answers(self.client):
                return
            time.sleep(REDRAW_EVERY_S)
        if self.client.person is not None:
            raise cause
        found = running(home)
        if found is None and self.restarts < RESTARTS_MAX:
            self.restarts += 1
            say(f"The server (process {old.pid}) went away. Starting it again; tasks and endpoints went on meanwhile.")
            found = start(home, old.is_auto)
        if found is None or found == old:
            raise UserError(_gone_for_good(home, cause)) from cause
        self.client = HttpClient(found, home)


def _answers(client: HttpClient) -> bool:
    try:
        client.call("GET", "/healthz")
    except ServerGone:
        return False
    return True


def _gone_for_good(home: Path, cause: ServerGone) -> Diagnostic:
    return Diagnostic(
        "The server went away",
        f"{cause}. Tasks and endpoints go on without it; nothing is lost. Its log is {home / 'logs' / 'server.log'}.",
        suggestion="weyr server start",
    )
