"""What becomes of one request? Admitted or refused, held or sent on, and answered exactly once.

The caller's side is its Door, the replica's side a Line; an Exchange joins the two for one request and
knows what may still be done: before a byte was sent it may go to any replica, afterwards it may not.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from weyr.core.grants import is_allowed
from weyr.gateway.inference.capture import Capture
from weyr.gateway.inference.choice import UnknownVersion
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.line import connect
from weyr.gateway.inference.replica import Replica
from weyr.gateway.inference.sight import record, stream_of, watch
from weyr.gateway.inference.stream import Stream
from weyr.gateway.inference.trace import Trace
from weyr.gateway.inference.tunnel import join
from weyr.gateway.inference.version import Version
from weyr.wire.message import refusal

if TYPE_CHECKING:
    from weyr.gateway.inference.door import Door
    from weyr.gateway.inference.line import Line

ACTION = "inference:call"
CONNECT_TIMEOUT_S = 2.0
TRIES_MAX = 3
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
        "_deadline", "_task", "_tries", "adds", "answered_bytes", "began_at", "buffered", "caller", "capture", "closes",
        "door", "endpoint", "expects", "fields", "has_answer", "head", "is_chunked", "is_cold", "is_over", "is_whole",
        "line", "method", "name", "pieces", "problem", "received", "replica", "sent_at", "stream", "token", "trace",
        "traceparent", "upgrades", "version",
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
        self.sent_at = 0.0
        """When a replica was sent it, 0 while none was; as `began_at`, by the loop's clock."""
        self.is_cold = False
        self.answered_bytes = 0
        self.stream: Stream | None = None
        self.traceparent: bytes | None = None
        self.trace: Trace | None = None
        self.capture: Capture | None = None
        self._tries = 0
        self.began_at = 0.0
        self._deadline: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Its turn has come: who calls, may they, and where to."""
        plane = self.door.plane
        if self.problem:
            self.refuse(*self.problem)
            return
        principal = plane.credentials.token(self.token) if self.token else None
        name = self.name.decode("latin-1")
        if principal is None:
            plane.audit.refused("", ACTION, name, "no valid token")
            self.refuse(401, "send a valid token: Authorization: Bearer TOKEN")
            return
        if not is_allowed(principal.grants, ACTION, name):
            plane.audit.refused(principal.name, ACTION, name, "no grant covers it")
            self.refuse(403, f"{principal.name} may not call {name}")
            return
        endpoint = plane.table.by_prefix.get(self.name)
        if endpoint is None:
            self.refuse(404, f'there is no endpoint "{name}"; the path begins with /stack/endpoint')
            return
        self.endpoint = endpoint
        self.caller = principal.name
        self.began_at = self.door.loop.time()
        endpoint.began()
        if endpoint.is_watched:
            watch(self, endpoint)
        self.wake()

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
            self._hold(self.endpoint)
            return
        self.replica = replica
        self.version = replica.version
        replica.inflight += 1
        line = replica.take()
        if line is not None:
            self.send_on(line)
        else:
            self._task = self.door.loop.create_task(self._connect(replica))

    def send_on(self, line: "Line") -> None:
        """A connection is there: everything that came so far goes over it."""
        assert self.replica is not None
        self.line = line
        self.replica.requests += 1
        self.sent_at = self.door.loop.time()
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
        if self.expects and not self.is_whole and not self.received:
            self.door.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.begin(self)
        self.pieces.insert(0, self.head)
        self.flush()
        self.door.adjust_reading()

    def flush(self) -> None:
        """Passes on what has come since."""
        assert self.line is not None
        self.line.heard_at = self.door.plane.now
        if self.buffered <= JOIN_MAX:
            self.line.transport.write(b"".join(self.pieces))
        else:
            self.line.transport.writelines(self.pieces)
        self.pieces.clear()
        self.buffered = 0

    def passed(self, data: bytes) -> None:
        """A piece of the answer went to the caller."""
        if not self.has_answer:
            self.has_answer = True
            self.stream = stream_of(self, data)
        self.answered_bytes += len(data)
        if self.stream is not None:
            self.stream.passed(data, self.door.loop.time())
        if self.capture is not None:
            self.capture.told(data)

    def answered(self, status: int, keeps_alive: bool) -> None:
        """The replica's last byte is on its way to the caller."""
        line, replica = self.line, self.replica
        assert line is not None
        assert replica is not None
        self.line = None
        self._leave(status)
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
        self._leave(SWITCHED)
        self.door.connection_lost(None)

    def line_lost(self) -> None:
        """The replica's connection ended before its answer did."""
        self.line = None
        if self.has_answer:
            # The status is out, so the only honest end is a broken connection.
            self._leave(502)
            self.door.transport.abort()
            return
        if self._is_repeatable and self._tries < TRIES_MAX and self.replica is not None:
            self._tries += 1
            # It rests a moment, or the same replica could be the least busy one again.
            self.replica.refused(self.door.loop.time())
            self._leave_replica()
            self.wake()
            return
        self.refuse(502, "the replica ended before it answered; the request may have run")

    def refuse(self, status: int, message: str) -> None:
        """Answers from here. A request that is not whole yet cannot be followed by another: then it closes."""
        if self.line is not None:
            line, self.line = self.line, None
            line.drop()
        closes = self.closes or not self.is_whole
        if self.has_answer:
            self._leave(status)
            self.door.transport.abort()
            return
        headers = {401: ((b"www-authenticate", b"Bearer"),), 503: ((b"retry-after", b"1"),)}.get(status, ())
        data = refusal(status, message, *headers).encode(closes, with_body=self.method != b"HEAD")
        self.door.transport.write(data)
        if self.endpoint is None:
            self.door.plane.refusals[status] = self.door.plane.refusals.get(status, 0) + 1
        self._leave(status)
        self.door.finished(self, closes)

    def cancel(self) -> None:
        """The caller is gone: so is the reason for the work."""
        if self.line is not None:
            line, self.line = self.line, None
            line.drop()
        self._leave(CALLER_LEFT)

    def _hold(self, endpoint: Endpoint) -> None:
        now, end = self.door.loop.time(), self.began_at + endpoint.route.body.hold_s
        self.is_cold = self.is_cold or not endpoint.replicas
        if end <= now:
            self._give_up()
            return
        if self._deadline is None:
            self._deadline = self.door.loop.call_at(end, self._give_up)
        endpoint.hold(self)

    def _give_up(self) -> None:
        assert self.endpoint is not None
        route = self.endpoint.route
        self.refuse(503, f"no replica of {route.name} is ready; waited {route.body.hold_s:g} s")

    @property
    def _is_repeatable(self) -> bool:
        return self.method in REPEATABLE and self.is_whole and not self.received and not self.is_chunked

    async def _connect(self, replica: Replica) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                line = await connect(self.door.plane, replica)
        except OSError:
            # TimeoutError is one of them. Nothing was sent, so another replica may have it.
            replica.refused(self.door.loop.time())
            self._task = None
            self._leave_replica()
            self.wake()
            return
        self._task = None
        replica.answered()
        self.send_on(line)

    def _leave_replica(self) -> None:
        if self.replica is not None and self.endpoint is not None:
            replica, self.replica = self.replica, None
            self.endpoint.left(replica)

    def _leave(self, status: int) -> None:
        """Takes the request out of every count and list; it is over."""
        self.is_over = True
        self.pieces.clear()
        if self._deadline:
            self._deadline.cancel()
        if self._task:
            self._task.cancel()
            self._task = None
        if self.endpoint is not None:
            self.endpoint.let_go(self)
            replica = self.replica
            self._leave_replica()
            record(self, self.endpoint, replica, status)
