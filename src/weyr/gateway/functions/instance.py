"""What is an instance to the plane? A connection to a host, which forks itself for it; closing it ends the instance."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from weyr.gateway.functions.event import Event, Outcome
from weyr.wire.frames import Frames, frame

CRASHED = Outcome(502, error="InstanceDied", message="the instance ended before it answered; the event may have run")


class Instance(asyncio.Protocol):
    """One instance of a host. `changed` is called when it has become ready, has room again, or is gone."""

    def __init__(self, host: str, room: int, body_max: int, changed: Callable[["Instance"], None]) -> None:
        self.host, self._room, self._changed = host, room, changed
        self.is_ready = self.is_gone = self.is_leaving = False
        self.idle_since = 0.0
        self._calls: dict[str, asyncio.Future[Outcome]] = {}
        self._frames = Frames(body_max)

    @property
    def busy(self) -> int:
        return len(self._calls)

    @property
    def has_room(self) -> bool:
        return self.is_ready and not self.is_leaving and not self.is_gone and len(self._calls) < self._room

    def send(self, event: Event, deadline: float) -> "asyncio.Future[Outcome]":
        """Begins an attempt; the future has its outcome, also where the instance dies."""
        header: dict[str, Any] = {
            "id": event.id, "attempt": event.attempt, "deadline": deadline, "trigger": event.trigger,
            "content_type": event.content_type, "request": event.request,
        }  # fmt: skip
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._calls[event.id] = done
        self._transport.write(frame(header, event.body))
        return done

    def give_up(self, id: str) -> None:
        """An event took too long. The instance is ended: there is no other way to stop what a function does. One that
        is at other events as well may finish them first."""
        self._calls.pop(id, None)
        self.leave()

    def leave(self) -> None:
        """No more events; the connection is closed with the last answer."""
        self.is_leaving = True
        if not self._calls:
            self._close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's, only alike.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(frame({"hello": 1}))

    def data_received(self, data: bytes) -> None:
        try:
            for header, body in self._frames.feed(data):
                self._take(header, body)
        except ValueError:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone, self.is_ready = True, False
        calls, self._calls = self._calls, {}
        for done in calls.values():
            if not done.done():
                done.set_result(CRASHED)
        self._changed(self)

    def _take(self, header: dict[str, Any], body: bytes) -> None:
        if "ready" in header:
            self.is_ready = True
            self._changed(self)
            return
        done = self._calls.pop(str(header.get("id")), None)
        if done is not None and not done.done():
            done.set_result(_outcome(header, body))
        if self.is_leaving and not self._calls:
            self._close()
        else:
            self._changed(self)

    def _close(self) -> None:
        if not self.is_gone:
            self._transport.close()


def _outcome(header: dict[str, Any], body: bytes) -> Outcome:
    if "error" in header:
        return Outcome(500, b"", {}, str(header["error"]), str(header.get("message", "")))
    headers = {str(name): str(value) for name, value in dict(header.get("headers", {})).items()}
    return Outcome(int(header.get("status", 200)), body, headers)
