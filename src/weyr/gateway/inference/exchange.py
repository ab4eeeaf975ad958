"""What becomes of one request? Admitted or refused, held or sent on, and answered exactly once.

The caller's side is its Door, the replica's side a Line; an Exchange joins the two for one request and
knows what may still be done: before a byte was sent it may go to any replica, afterwards it may not.
"""

import asyncio
import math
import time
from typing import TYPE_CHECKING

from weyr.gateway.inference import aside
from weyr.gateway.inference.admission import admitted
from weyr.gateway.inference.allowance import Allowance
from weyr.gateway.inference.attempt import Attempt
from weyr.gateway.inference.capture import Capture
from weyr.gateway.inference.choice import UnknownVersion
from weyr.gateway.inference.endpoint import Endpoint
from weyr.gateway.inference.fallback import lose_patience
from weyr.gateway.inference.holding import hold
from weyr.gateway.inference.line import Line, reach, with_lines
from weyr.gateway.inference.refusals import refused
from weyr.gateway.inference.replica import Replica
from weyr.gateway.inference.request import NORMAL, REPEATABLE, Request
from weyr.gateway.inference.shadow import Copy
from weyr.gateway.inference.sight import record, watch
from weyr.gateway.inference.stream import Stream
from weyr.gateway.inference.trace import Trace
from weyr.gateway.inference.trials import blame
from weyr.gateway.inference.uses import LOCAL, count, side_of
from weyr.gateway.inference.wishes import timeout_of
from weyr.wire.message import Response

if TYPE_CHECKING:
    from weyr.gateway.inference.door import Door

KEEP_MAX = 256 * 2**10
"""How much of a body is kept so that it can be sent again."""
CALLER_LEFT = 499


class Exchange(Request):
    """A request and its answer. `attempt` is its latest sending, `adds` are header lines that its answer gets from
    here, `step` is how far down its endpoint's chain of fallbacks it is. Moments are by the loop's clock, which is the
    monotonic one."""

    __slots__ = (
        "_anew", "_sent", "_timer", "_tries", "adds", "allowance", "answered_bytes", "attempt", "began_at", "caller",
        "capture", "copy", "door", "endpoint", "ends_at", "has_answer", "hold_timer", "is_cold",
        "is_counted", "is_gathering", "is_over", "is_prediction", "patience", "priority", "side", "step", "stream",
        "task", "tokens", "trace", "was_held",
    )  # fmt: skip

    def __init__(self, door: "Door") -> None:
        Request.__init__(self, door.plane.bounds.body_max)
        self.door = door
        self.caller = ""
        self.adds = b""
        self.priority = NORMAL
        self.endpoint: Endpoint | None = None
        self.attempt: Attempt | None = None
        self.allowance: Allowance | None = None
        self.began_at = self.ends_at = 0.0
        """When it came, and when it has to be over; 0 for not at all."""
        self.has_answer = self.is_over = self.is_gathering = self.is_cold = self.was_held = False
        self.is_counted = self.is_prediction = False
        self.answered_bytes = self.step = self._tries = 0
        self.side = LOCAL
        """Where bytes to the caller count, once the first of them goes."""
        self.tokens: tuple[int, int] | None = None
        self.copy: Copy | None = None
        self.stream: Stream | None = None
        self.trace: Trace | None = None
        self.capture: Capture | None = None
        self._anew = b""
        """What is sent in place of its own head."""
        self._sent: list[bytes] | None = None
        """What was sent of its body, where it may be sent again."""
        self.patience: asyncio.TimerHandle | None = None
        self.hold_timer: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        """What this plane itself finds out for an answer of its own."""

    @property
    def line(self) -> Line | None:
        """The connection to the replica, while it has one."""
        return self.attempt.line if self.attempt is not None else None

    def start(self) -> None:
        """Its turn has come: who calls, may they, and where to."""
        if self.problem:
            self.refuse(*self.problem)
            return
        self.began_at = time.monotonic()
        endpoint = admitted(self)
        if endpoint is None:
            return
        self.endpoint = endpoint
        endpoint.began(self.began_at + self.door.plane.wall_ahead_s)
        if endpoint.is_watched:
            watch(self, endpoint)
        if endpoint.limits.timeouts.whole_s or not self.is_plain:
            self._bound(endpoint)
        if endpoint.limits.retries.is_safe:
            self._sent = []
        if endpoint.keeps_bodies:
            aside.begin(self, endpoint)
        self.go()

    def _bound(self, endpoint: Endpoint) -> None:
        told = self.special.get(b"x-request-timeout") or self.special.get(b"request-timeout")
        asked_s = math.inf if told is None else timeout_of(told)
        whole_s = min(endpoint.limits.timeouts.whole_s or math.inf, asked_s)
        if whole_s < math.inf:
            self.ends_at = self.began_at + whole_s
            self._timer = self.door.loop.call_at(self.ends_at, self._out_of_time)

    def _out_of_time(self) -> None:
        if self.attempt is not None:
            blame(self.attempt)
        took_s = self.ends_at - self.began_at
        self.refuse(504, f"there was no whole answer within {took_s:g} s")

    def go(self) -> None:
        """On its way, once as much of the body is there as its way depends on."""
        endpoint = self.endpoint
        assert endpoint is not None
        if self.is_gathering and aside.is_taken(self, endpoint):
            return
        if endpoint.waiting.queue.waits:
            # Whoever waits was here before.
            hold(self, endpoint)
            if not self.is_over:
                endpoint.waiting.let_in()
        else:
            self.wake()

    def wake(self) -> None:
        """Sends the request to the least busy replica, or holds it while there is none."""
        endpoint = self.endpoint
        assert endpoint is not None
        if endpoint.is_removed:
            self.refuse(404, f"the endpoint {endpoint.route.name} was removed")
            return
        now = time.monotonic()
        try:
            replica = endpoint.pick(now, self)
        except UnknownVersion as e:
            self.refuse(404, str(e))
            return
        if replica is None:
            hold(self, endpoint)
        else:
            self._send_to(replica, endpoint, now)

    def send_anew(self, replica: Replica, host: Endpoint, request: bytes) -> None:
        """Sends this in place of what was sent or held: nobody has answered yet, and the request is whole."""
        assert self.endpoint is not None
        self.endpoint.waiting.leave(self)
        self.pieces.clear()
        self._sent, self.buffered, self._anew = None, 0, request
        self._send_to(replica, host, time.monotonic())

    def _send_to(self, replica: Replica, host: Endpoint, now: float) -> None:
        attempt = self.attempt = Attempt(self, replica, host)
        if replica.idle:
            self.send_on(attempt, replica.idle.pop(), now)
        else:
            attempt.task = self.door.loop.create_task(reach(attempt))

    def send_on(self, attempt: Attempt, line: Line, now: float) -> None:
        """A connection to the replica is there."""
        if self.hold_timer is not None:
            self.hold_timer.cancel()
            self.hold_timer = None
        if self._sent is not None:
            # Sent again: what went to another replica goes before what has come since.
            self.pieces[:0], self._sent = self._sent, []
            self.buffered = sum(map(len, self.pieces))
            self._keep_sent()
        attempt.send_on(line, self._anew or self.head, now)
        endpoint, door = self.endpoint, self.door
        if endpoint is not None and endpoint.chain and self.step < len(endpoint.chain):
            patience_s = endpoint.chain[self.step].told.first_byte_s
            self.patience = door.loop.call_later(patience_s, lose_patience, self)
        if door.is_paused or not self.is_whole:
            door.adjust_reading()

    def flush(self) -> None:
        """Passes on what has come since."""
        if self.attempt is not None:
            if self._sent is not None:
                self._keep_sent()
            self.attempt.flush()

    def _keep_sent(self) -> None:
        assert self._sent is not None
        self._sent += self.pieces
        if sum(map(len, self._sent)) > KEEP_MAX:
            self._sent = None  # too long to be kept, so it is sent once

    def tries_another(self, status: int = 0) -> bool:
        """Sends the request again, where that is safe and there are not too many of them.

        `status` is that of an answer, so far unseen by the caller, with which its replica says that it does not serve.
        """
        endpoint, attempt = self.endpoint, self.attempt
        if endpoint is None or attempt is None or self.step or not self._is_repeatable:
            return False
        if self._tries >= endpoint.limits.retries.max or not endpoint.may_retry():
            return False
        if status:
            blame(attempt)
        attempt.line = None
        self._tries += 1
        # It rests a moment, or the same replica could be the least busy one again.
        now = time.monotonic()
        attempt.replica.refused(now)
        attempt.leave(now)
        self.wake()
        return True

    @property
    def _is_repeatable(self) -> bool:
        if self._sent is not None:
            return not self.upgrades
        return self.method in REPEATABLE and self.is_whole and not self.received and not self.is_chunked

    def refuse(self, status: int, message: str, *fields: tuple[bytes, bytes]) -> None:
        """Answers from here that it is not done, and why."""
        fields = fields or {401: ((b"www-authenticate", b"Bearer"),), 503: ((b"retry-after", b"1"),)}.get(status, ())
        self.reply(status, refused(self.path, status, message, *fields))

    def reply(self, status: int, response: Response) -> None:
        """Answers from here. A request that is not whole yet cannot be followed by another: then it closes."""
        if self.attempt is not None:
            self.attempt.drop()
        closes = self.closes or not self.is_whole or self.door.plane.is_draining
        if self.has_answer:
            self.over(status)
            self.door.transport.abort()
            return
        data = response.encode(closes, with_body=self.method != b"HEAD")
        if self.adds:
            data = with_lines(data, self.adds)
        if self.endpoint is not None:
            self.endpoint.counter.cells[side_of(self)] += len(data)
        self.door.transport.write(data)
        if self.endpoint is None and status >= 400:
            self.door.plane.refusals[status] = self.door.plane.refusals.get(status, 0) + 1
        self.over(status)
        self.door.finished(self, closes)

    def cancel(self) -> None:
        """The caller is gone: so is the reason for the work."""
        if self.attempt is not None:
            self.attempt.drop()
        self.over(CALLER_LEFT)

    def end_patience(self) -> None:
        """Something came, or nobody waits for it."""
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None

    def over(self, status: int) -> None:
        """Takes the request out of every count and list; it is over."""
        self.is_over = True
        if self.pieces:
            self.pieces.clear()
        if self.hold_timer is not None:
            self.hold_timer.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self.patience is not None:
            self.end_patience()
        if self.task is not None:
            self.task.cancel()
        endpoint, attempt = self.endpoint, self.attempt
        if endpoint is None:
            return
        if self.allowance is not None:
            allowance, self.allowance = self.allowance, None
            allowance.end(self.stream if self.has_answer and status != CALLER_LEFT else None)
        if self.was_held:
            endpoint.waiting.leave(self)
        now = time.monotonic()
        if attempt is not None:
            if not self.is_counted:
                count(self, endpoint, attempt, status)
            attempt.leave(now)
        record(self, endpoint, attempt, status, now)
