"""What becomes of one request? Admitted or refused, held or sent on, and answered exactly once.

The caller's side is its Door, the replica's side a Line; an Exchange joins the two for one request and
knows what may still be done: before a byte was sent it may go to any replica, afterwards it may not.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from weyr.core.api_keys import PRIORITIES
from weyr.gateway.inference import aside
from weyr.gateway.inference.admission import admitted
from weyr.gateway.inference.allowance import Allowance
from weyr.gateway.inference.capture import Capture
from weyr.gateway.inference.choice import UnknownVersion
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.fallback import falls_back, lose_patience
from weyr.gateway.inference.holding import hold
from weyr.gateway.inference.line import reach, with_lines
from weyr.gateway.inference.refusals import refused
from weyr.gateway.inference.replica import Replica
from weyr.gateway.inference.shadow import Copy
from weyr.gateway.inference.sight import record, stream_of, watch
from weyr.gateway.inference.stream import Stream
from weyr.gateway.inference.trace import Trace
from weyr.gateway.inference.trials import blame, praise
from weyr.gateway.inference.tunnel import join
from weyr.gateway.inference.version import Version
from weyr.gateway.inference.wishes import timeout_of
from weyr.wire.message import Response

if TYPE_CHECKING:
    from weyr.gateway.inference.door import Door
    from weyr.gateway.inference.line import Line

NORMAL = PRIORITIES["normal"]
KEEP_MAX = 256 * 2**10
"""How much of a body is kept so that it can be sent again."""
NOT_IMPLEMENTED = 501
REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""Methods that may be sent twice: they change nothing. Everything else is sent at most once."""

CALLER_LEFT = 499
SWITCHED = 101
JOIN_MAX = 64 * 2**10
"""Up to here copying the pieces into one costs less than writing them one by one."""


class Exchange:
    """One request and its answer. `pieces` is what came from the caller and is not yet sent on; `fields` are its
    headers, and `adds` are header lines that the answer gets from here."""

    __slots__ = (
        "_kept", "_request", "_timer", "_tries", "adds", "allowance", "answered_bytes", "asked_priority", "asked_s",
        "began_at", "body_max", "buffered", "caller", "capture", "closes", "copy", "door", "endpoint", "ends_at",
        "expects", "fields", "has_answer", "head", "hold_timer", "host", "is_chunked", "is_cold", "is_gathering",
        "is_over", "is_whole", "kept", "length", "line", "method", "name", "path", "patience", "pieces", "priority",
        "problem", "received", "replica", "sent_at", "step", "stream", "task", "token", "trace", "traceparent",
        "upgrades", "version",
    )  # fmt: skip

    def __init__(
        self, door: "Door", method: bytes, name: bytes, token: str, head: bytes, fields: Sequence[bytes] = ()
    ) -> None:
        self.door = door
        self.method = method
        self.name = name
        self.token = token
        self.head = head
        self.fields = fields
        self.caller = ""
        self.adds = b""
        self.pieces: list[bytes] = []
        self.buffered = 0
        self.received = 0
        self.kept: bytearray | None = None
        self.copy: Copy | None = None
        self.is_gathering = False
        self.is_chunked = False
        self.expects = False
        self.upgrades = False
        self.closes = False
        self.is_whole = False
        self.is_over = False
        self.has_answer = False
        self.problem: tuple[int, str] | None = None
        self.endpoint: Endpoint | None = None
        self.replica: Replica | None = None
        self.version: Version | None = None
        self.line: Line | None = None
        self.path = b""
        self.length = 0
        self.body_max = door.plane.bounds.body_max
        self.asked_s: bytes | None = None
        self.asked_priority: bytes | None = None
        self.priority = NORMAL
        self.allowance: Allowance | None = None
        self.began_at = self.sent_at = self.ends_at = 0.0
        """By the loop's clock: when it came, when a replica was sent it, when it has to be over; 0 for not at all."""
        self.is_cold = False
        self.answered_bytes = 0
        self.stream: Stream | None = None
        self.traceparent: bytes | None = None
        self.trace: Trace | None = None
        self.capture: Capture | None = None
        self.host: Endpoint | None = None
        """Whose the replica is, where it is another route's."""
        self.step = 0
        self.patience: asyncio.TimerHandle | None = None
        self._request = b""
        self._tries = 0
        self._kept: list[bytes] | None = None
        self.hold_timer: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Its turn has come: who calls, may they, and where to."""
        if self.problem:
            self.refuse(*self.problem)
            return
        self.began_at = self.door.loop.time()
        endpoint = admitted(self)
        if endpoint is None:
            return
        self.endpoint = endpoint
        endpoint.began()
        if endpoint.is_watched:
            watch(self, endpoint)
        if self.asked_s is not None or endpoint.limits.timeouts.whole_s:
            asked_s = math.inf if self.asked_s is None else timeout_of(self.asked_s)
            self.ends_at = self.began_at + min(endpoint.limits.timeouts.whole_s or math.inf, asked_s)
            if self.ends_at < math.inf:
                self._timer = self.door.loop.call_at(self.ends_at, self._out_of_time)
        if endpoint.limits.retries.is_safe:
            self._kept = []
        if endpoint.keeps_bodies:
            aside.begin(self, endpoint)
        self.go()

    def go(self) -> None:
        """On its way, once as much of the body is there as its way depends on."""
        endpoint = self.endpoint
        assert endpoint is not None
        if self.is_gathering and aside.is_taken(self, endpoint):
            return
        if endpoint.waiting.queue:
            # Whoever waits was here before.
            hold(self, endpoint)
            if not self.is_over:
                endpoint.waiting.let_in()
        else:
            self.wake()

    def _out_of_time(self) -> None:
        blame(self)
        took_s = self.ends_at - self.began_at
        self.refuse(504, f"there was no whole answer within {took_s:g} s")

    def wake(self) -> None:
        """Sends the request to the least busy replica, or holds it while there is none."""
        assert self.endpoint is not None
        if self.endpoint.is_removed:
            self.refuse(404, f"the endpoint {self.endpoint.route.name} was removed")
            return
        try:
            replica = self.endpoint.pick(self.door.loop.time(), self)
        except UnknownVersion as e:
            self.refuse(404, str(e))
            return
        if replica is None:
            hold(self, self.endpoint)
            return
        self._send_to(replica)

    def send_anew(self, replica: Replica, request: bytes) -> None:
        """Sends this in place of what was sent or held: nobody has answered yet, and the request is whole."""
        if self.task:
            self.task.cancel()
            self.task = None
        assert self.endpoint is not None
        self.endpoint.waiting.leave(self)
        self.pieces.clear()
        self._kept, self.buffered, self._request = None, 0, request
        self._send_to(replica)

    def _send_to(self, replica: Replica) -> None:
        self.replica = replica
        self.version = replica.version
        replica.inflight += 1
        if replica.health.out_until:
            replica.tries()
        line = replica.take()
        if line is not None:
            self.send_on(line)
        else:
            self.task = self.door.loop.create_task(reach(self, replica))

    def send_on(self, line: "Line") -> None:
        """A connection is there: everything that came so far goes over it."""
        assert self.replica is not None
        self.line = line
        self.replica.requests += 1
        self.sent_at = self.door.loop.time()
        if self.hold_timer:
            self.hold_timer.cancel()
            self.hold_timer = None
        if self.expects and not self.is_whole and not self.received:
            self.door.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.begin(self)
        if self._kept is not None:
            # Sent again: what went to another replica goes before what has come since.
            self.pieces[:0], self._kept = self._kept, []
            self.buffered = sum(map(len, self.pieces))
        self.flush(first=self._request or self.head)
        if self.endpoint is not None and self.step < len(self.endpoint.chain):
            patience_s = self.endpoint.chain[self.step].told.first_byte_s
            self.patience = self.door.loop.call_later(patience_s, lose_patience, self)
        self.door.adjust_reading()

    def flush(self, first: bytes = b"") -> None:
        """Passes on what has come since, after `first`."""
        assert self.line is not None
        if self._kept is not None:
            self._kept += self.pieces
            if sum(map(len, self._kept)) > KEEP_MAX:
                self._kept = None  # too long to be kept, so it is sent once
        if first:
            self.pieces.insert(0, first)
        self.line.heard_at = self.door.plane.now
        if self.buffered <= JOIN_MAX:
            self.line.transport.write(b"".join(self.pieces))
        else:
            self.line.transport.writelines(self.pieces)
        self.pieces.clear()
        self.buffered = 0

    def passed(self, data: bytes) -> str:
        """A piece of the answer went to the caller. Which limit is used up by it, "" for none."""
        if not self.has_answer:
            self.has_answer = True
            self._end_patience()
            self.stream = stream_of(self, data)
        self.answered_bytes += len(data)
        if self.capture is not None:
            self.capture.told(data)
        if self.copy is not None:
            self.copy.passed(data)
        if self.stream is not None:
            self.stream.passed(data, time.monotonic())
            if self.allowance is not None and self.stream.events >= self.allowance.look_at:
                return self.allowance.charge(self.stream, data)
        return ""

    def _end_patience(self) -> None:
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None

    def answered(self, status: int, keeps_alive: bool) -> None:
        """The replica's last byte is on its way to the caller."""
        line, replica = self.line, self.replica
        assert line is not None
        assert replica is not None
        self.line = None
        if status >= 500 and status != NOT_IMPLEMENTED:
            blame(self)
        elif self.endpoint is not None and (
            self.endpoint.keeps_time or replica.health.failures or replica.health.out_until
        ):
            praise(self)
        if self.copy is not None:
            self.copy.send(self, self.door.loop.time() - self.sent_at)
        self.over(status)
        # An answer that came before the whole request leaves both connections in the middle of a message.
        if self.door.is_full:
            line.hold_back(False)
        if self.is_whole and keeps_alive and not replica.is_draining:
            replica.give_back(line)
        else:
            line.close()
        self.door.finished(self, closes=not (self.is_whole and keeps_alive))

    def agreed(self, data: bytes) -> None:
        """The replica has agreed to speak something else: from here on bytes pass as they are."""
        assert self.line is not None
        line, door, self.line = self.line, self.door, None
        self.has_answer = door.is_tunnel = True
        door.transport.write(data)
        join(door.transport, line.transport, self._tunnel_ended)

    def _tunnel_ended(self) -> None:
        self.over(SWITCHED)
        self.door.connection_lost(None)

    def line_lost(self) -> None:
        """The replica's connection ended before its answer did."""
        self.line = None
        blame(self)
        if not self.has_answer and self.tries_another():
            return
        if self.replica is not None:
            # It may be dying: whoever came next would find its door open still, and be cut off as well.
            self.replica.refused(self.door.loop.time())
        if self.has_answer:
            # The status is out, so the only honest end is a broken connection.
            self.over(502)
            self.door.transport.abort()
            return
        if not falls_back(self, 502):
            self.refuse(502, "the replica ended before it answered; the request may have run")

    def tries_another(self, status: int = 0) -> bool:
        """Sends the request again, where that is safe and there are not too many of them.

        `status` is that of an answer, so far unseen by the caller, with which its replica says that it does not serve.
        """
        endpoint, replica = self.endpoint, self.replica
        if endpoint is None or replica is None or self.step or not self._is_repeatable:
            return False
        if self._tries >= endpoint.limits.retries.max or not endpoint.may_retry():
            return False
        if status:
            blame(self)
        self.line = None
        self._tries += 1
        # It rests a moment, or the same replica could be the least busy one again.
        replica.refused(self.door.loop.time())
        self.leave_replica()
        self.wake()
        return True

    def refuse(self, status: int, message: str, *fields: tuple[bytes, bytes]) -> None:
        """Answers from here that it is not done, and why."""
        fields = fields or {401: ((b"www-authenticate", b"Bearer"),), 503: ((b"retry-after", b"1"),)}.get(status, ())
        self.reply(status, refused(self.path, status, message, *fields))

    def reply(self, status: int, response: Response) -> None:
        """Answers from here. A request that is not whole yet cannot be followed by another: then it closes."""
        if self.line is not None:
            line, self.line = self.line, None
            line.drop()
        closes = self.closes or not self.is_whole or self.door.plane.is_draining
        if self.has_answer:
            self.over(status)
            self.door.transport.abort()
            return
        data = response.encode(closes, with_body=self.method != b"HEAD")
        self.door.transport.write(with_lines(data, self.adds) if self.adds else data)
        if self.endpoint is None and status >= 400:
            self.door.plane.refusals[status] = self.door.plane.refusals.get(status, 0) + 1
        self.over(status)
        self.door.finished(self, closes)

    def cancel(self) -> None:
        """The caller is gone: so is the reason for the work."""
        if self.line is not None:
            line, self.line = self.line, None
            line.drop()
        self.over(CALLER_LEFT)

    @property
    def _is_repeatable(self) -> bool:
        if self._kept is not None:
            return not self.upgrades
        return self.method in REPEATABLE and self.is_whole and not self.received and not self.is_chunked

    def leave_replica(self) -> None:
        """The replica has one request less under way."""
        if self.replica is not None and self.endpoint is not None:
            replica, self.replica = self.replica, None
            if replica.health.is_trying:
                replica.told_nothing()
            (self.host or self.endpoint).left(replica)

    def over(self, status: int) -> None:
        """Takes the request out of every count and list; it is over."""
        self.is_over = True
        self.pieces.clear()
        if self.hold_timer:
            self.hold_timer.cancel()
        if self._timer:
            self._timer.cancel()
        self._end_patience()
        if self.allowance is not None:
            allowance, self.allowance = self.allowance, None
            allowance.end(self.stream if self.has_answer and status != CALLER_LEFT else None)
        if self.task:
            self.task.cancel()
            self.task = None
        if self.endpoint is not None:
            self.endpoint.waiting.leave(self)
            replica = self.replica
            if replica is not None and replica.upstream is not None and self.stream is not None:
                replica.upstream.paid(self.door.plane.tally, self.stream.tokens())
            self.leave_replica()
            record(self, self.endpoint, replica, status)
