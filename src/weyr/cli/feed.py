"""What happens right now? The server's event stream, read in the background and joined again when it breaks."""

import json
import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from weyr.cli.client import HttpClient, Stream
from weyr.core.diagnostic import WeyrError

WAITING_MAX = 10_000
"""Events that may lie unread; the reader of the stream then waits, and the server's stream with it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an object's story."""

    id: int
    at: float
    stack: str
    ref: str
    event: str
    message: str


def event_of(fields: dict[str, object]) -> Event:
    """An event as the API writes it."""
    return Event(
        int(str(fields.get("id") or 0)),
        float(str(fields.get("at") or 0)),
        str(fields.get("stack") or ""),
        str(fields.get("ref") or "").rpartition(":")[2],
        str(fields.get("event") or ""),
        str(fields.get("message") or ""),
    )


def parsed(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream of server-sent-event lines; comments and keep-alives are passed over."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            text, data = "\n".join(data), []
            yield event_of(json.loads(text))


class Feed:
    """Reads the stream of one stack into a queue until it is closed or breaks.

    A feed ends with its connection; the follower makes a new one that begins after the last id seen.
    """

    def __init__(self, client: HttpClient, stack: str, after: int) -> None:
        self.is_broken = False
        self._client, self._stack, self._after = client, stack, after
        self._events: queue.Queue[Event] = queue.Queue(WAITING_MAX)
        self._stream: Stream | None = None
        self._is_closed = False
        # A daemon: it may sit in a read for as long as the stream is quiet, and nothing waits for it then.
        threading.Thread(target=self._read, name="events", daemon=True).start()

    def taken(self, wait_s: float) -> list[Event]:
        """The events that have come, waiting up to `wait_s` for the first."""
        events: list[Event] = []
        try:
            events.append(self._events.get(timeout=wait_s))
            while True:
                events.append(self._events.get_nowait())
        except queue.Empty:
            return events

    def close(self) -> None:
        """Stops reading. A server that stops does not have to wait for this reader then."""
        self._is_closed = True
        if self._stream is not None:
            self._stream.close()

    def _read(self) -> None:
        try:
            self._stream = self._client.stream("/v1/events/stream", stack=self._stack, after=self._after)
            if self._is_closed:
                self._stream.close()
            for event in parsed(self._stream):
                self._events.put(event)
        except (WeyrError, ValueError):
            # What went wrong is found out by the follower's next call, in its own thread.
            pass
        self.is_broken = True
