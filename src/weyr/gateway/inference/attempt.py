"""What becomes of one request at one replica? One sending of it: on its way, answered, broken off or left.

A request may be sent more than once, as long as nothing of an answer has gone to its caller.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from weyr.gateway.inference.fallback import falls_back
from weyr.gateway.inference.replica import Replica
from weyr.gateway.inference.sight import stream_of
from weyr.gateway.inference.trials import blame, praise
from weyr.gateway.inference.tunnel import join
from weyr.gateway.inference.uses import side_of

if TYPE_CHECKING:
    from weyr.gateway.inference.endpoint import Endpoint
    from weyr.gateway.inference.exchange import Exchange
    from weyr.gateway.inference.line import Line

NOT_IMPLEMENTED = 501
SWITCHED = 101
JOIN_MAX = 64 * 2**10
"""Up to here copying the pieces into one costs less than writing them one by one."""


class Attempt:
    """A request at `replica`, which is one of `host`'s. `line` is its connection while it has one; `sent_at` when it
    was sent, 0 for not yet, and `works_since` when the replica had a slot for it. `under_way`: whether the replica
    counts it."""

    __slots__ = ("exchange", "host", "line", "replica", "sent_at", "task", "under_way", "works_since")

    def __init__(self, exchange: "Exchange", replica: Replica, host: "Endpoint") -> None:
        self.exchange, self.replica, self.host = exchange, replica, host
        self.line: Line | None = None
        self.sent_at = self.works_since = 0.0
        self.task: asyncio.Task[None] | None = None
        self.under_way = True
        replica.inflight += 1
        if replica.health.out_until:
            replica.tries()

    def send_on(self, line: "Line", first: bytes, now: float) -> None:
        """A connection is there: `first` goes over it, and everything that came so far."""
        exchange, door = self.exchange, self.exchange.door
        self.line, self.task = line, None
        self.replica.requests += 1
        self.sent_at = now
        self.replica.slots.sent(self, self.replica.version.slots, now)
        if exchange.expects and not exchange.is_whole and not exchange.received:
            door.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.begin(self)
        self.flush(first)

    def flush(self, first: bytes = b"") -> None:
        """Passes on `first`, and what has come since."""
        exchange, line = self.exchange, self.line
        assert line is not None
        line.heard_at = exchange.door.plane.now
        if exchange.buffered <= JOIN_MAX:
            line.transport.write(b"".join((first, *exchange.pieces)))
        else:
            line.transport.writelines((first, *exchange.pieces))
        exchange.pieces = []
        exchange.buffered = 0

    def passed(self, data: bytes) -> str:
        """A piece of the answer is about to go to the caller. Which limit is used up by it, "" for none."""
        exchange, size = self.exchange, len(data)
        if not exchange.has_answer:
            if exchange.door.is_far or exchange.forwarded is not None:
                exchange.side = side_of(exchange)
            exchange.has_answer = True
            if exchange.patience is not None:
                exchange.end_patience()
            exchange.stream = stream_of(exchange, self.replica.version, data)
        exchange.answered_bytes += size
        if exchange.endpoint is not None:
            exchange.endpoint.counter.cells[exchange.side] += size
        if exchange.capture is not None:
            exchange.capture.told(data)
        if exchange.copy is not None:
            exchange.copy.passed(data)
        stream = exchange.stream
        if stream is not None:
            stream.passed(data, time.monotonic())
            if exchange.allowance is not None and stream.events >= exchange.allowance.look_at:
                return exchange.allowance.charge(stream, data)
        return ""

    def answered(self, status: int, keeps_alive: bool) -> None:
        """The replica's last byte is on its way to the caller."""
        exchange, replica, line = self.exchange, self.replica, self.line
        assert line is not None
        self.line = None
        if status >= 500 and status != NOT_IMPLEMENTED:
            blame(self)
        elif (
            (exchange.endpoint is not None and exchange.endpoint.keeps_time)
            or replica.health.failures
            or replica.health.out_until
        ):
            praise(self)
        if exchange.copy is not None:
            exchange.copy.send(exchange, time.monotonic() - self.sent_at)
        exchange.over(status)
        # An answer that came before the whole request leaves both connections in the middle of a message.
        is_clean = exchange.is_whole and keeps_alive
        if exchange.door.is_full:
            line.hold_back(False)
        if is_clean and not replica.is_draining:
            replica.idle.append(line)
        else:
            line.close()
        exchange.door.finished(exchange, closes=not is_clean)

    def agreed(self, data: bytes) -> None:
        """The replica has agreed to speak something else: from here on bytes pass as they are."""
        assert self.line is not None
        line, door, self.line = self.line, self.exchange.door, None
        self.exchange.has_answer = door.is_tunnel = True
        self.exchange.side = side_of(self.exchange)
        self._tunnelled(len(data))
        door.transport.write(data)
        join(door.transport, line.transport, self._tunnelled, self._tunnel_ended)

    def _tunnelled(self, size: int) -> None:
        exchange = self.exchange
        exchange.answered_bytes += size
        if exchange.endpoint is not None:
            exchange.endpoint.counter.cells[exchange.side] += size

    def _tunnel_ended(self) -> None:
        self.exchange.over(SWITCHED)
        self.exchange.door.connection_lost(None)

    def lost(self) -> None:
        """The replica's connection ended before its answer did."""
        exchange, self.line = self.exchange, None
        blame(self)
        if not exchange.has_answer and exchange.tries_another():
            return
        # It may be dying: whoever came next would find its door open still, and be cut off as well.
        self.replica.refused(time.monotonic())
        if exchange.has_answer:
            # The status is out, so the only honest end is a broken connection.
            exchange.over(502)
            exchange.door.transport.abort()
        elif not falls_back(exchange, 502):
            exchange.refuse(502, "the replica ended before it answered; the request may have run")

    def drop(self) -> None:
        """Nobody waits for the answer."""
        if self.line is not None:
            line, self.line = self.line, None
            line.drop()

    def leave(self, now: float) -> None:
        """The replica has one request less under way."""
        if self.task is not None:
            self.task.cancel()
            self.task = None
        if self.under_way:
            self.under_way = False
            if self.sent_at:
                self.replica.slots.left(self, self.replica.version.slots, now)
            if self.replica.health.is_trying:
                self.replica.told_nothing()
            self.host.left(self.replica)
