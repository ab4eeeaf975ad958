"""May this request pass the limits that hold for it, and what does it use of them? One value per request.

Up to three subjects count: the caller's key, the caller at this endpoint, and the endpoint as a whole. A request passes
all or uses none. Where no limit is set nothing is made, looked up or counted.
"""

import time
from collections.abc import Sequence

from weyr.core.limits import NO_LIMITS, Limits, Price
from weyr.gateway.inference.callers import Caller
from weyr.gateway.inference.tally import PASSED, TableFull, Tally, Verdict
from weyr.gateway.inference.tokens import TokenMeter, guess_of

CHARGE_EVERY = 8
"""Tokens of a stream that pass between two looks at the limits: each is a lock and two writes."""

Subject = tuple[str, Limits]


class LimitHit(Exception):
    """A limit is used up. `retry_s`: when it will not be. `verdict` where it is one on requests."""

    def __init__(self, what: str, retry_s: float, verdict: Verdict | None = None, status: int = 429) -> None:
        super().__init__(what)
        self.what, self.retry_s, self.verdict, self.status = what, retry_s, verdict, status


def subjects_of(caller: Caller, route: str, per_caller: Limits, total: Limits) -> tuple[Subject, ...]:
    """Whose limits count for a caller's requests to a route."""
    name = caller.principal.name
    found = ((name, caller.limits), (f"{route} {name}", per_caller), (route, total))
    return tuple((subject, limits) for subject, limits in found if limits != NO_LIMITS)


class Allowance:
    """What one request uses. `head`, `piece` and `end` tell of its answer, whose head gets the lines `fields`.

    Raises (on construction): LimitHit, and nothing was used.
    """

    __slots__ = ("_charged", "_hit", "_meter", "_pending", "_price", "_prompt", "_subjects", "_tally", "fields",
                 "is_chunked")  # fmt: skip

    def __init__(self, tally: Tally, subjects: Sequence[Subject], price: Price, body_bytes: int) -> None:
        self._tally, self._price = tally, price
        self._subjects: list[Subject] = []
        self._prompt = guess_of(body_bytes)
        self._meter = TokenMeter() if any(limits.are_metered for _, limits in subjects) else None
        self._hit = ""
        self.is_chunked = False
        self._pending = self._charged = 0
        now = time.time()
        micros = price.request_micros + price.of(self._prompt, 0)
        tightest = PASSED
        try:
            for subject, limits in subjects:
                if limits.body_bytes and body_bytes > limits.body_bytes:
                    raise LimitHit(f"a body of {limits.body_bytes} bytes", 0.0, status=413)
                if not limits.are_counted:
                    continue
                verdict = tally.admit(subject, limits, self._prompt, micros, now)
                if verdict.denied:
                    raise LimitHit(verdict.denied, verdict.retry_s, verdict)
                self._subjects.append((subject, limits))
                if verdict.limit and (not tightest.limit or verdict.remaining < tightest.remaining):
                    tightest = verdict
        except TableFull as e:
            self._take_back(micros, now)
            raise LimitHit("the table of limits: too many callers at once", 60.0, status=503) from e
        except LimitHit:
            self._take_back(micros, now)
            raise
        self.fields = rate_fields(tightest) if tightest.limit else b""

    def head(self, data: bytes) -> None:
        """The beginning of the answer."""
        if self._meter is None:
            return
        end = data.find(b"\r\n\r\n")
        head = data[: end + 2].lower()
        self._meter.head(head)
        self.is_chunked = b"\r\ntransfer-encoding:" in head
        self.piece(data[end + 4 :])

    def piece(self, data: bytes) -> str:
        """More of the answer. Which limit is used up by it, "" for none, or while it is in the middle of an event."""
        if self._meter is None:
            return ""
        self._pending += self._meter.piece(data)
        if self._pending >= CHARGE_EVERY:
            came, self._pending = self._pending, 0
            self._charged += came
            self._hit = self._charge(came, self._price.of(0, came)) or self._hit
        if not self._hit or not self._meter.is_stream:
            return ""
        # A chunk may hold part of an event, and a piece part of a chunk: there nothing can be put between.
        return self._hit if data.endswith(b"\n\n\r\n" if self.is_chunked else b"\n\n") else ""

    def end(self, is_answered: bool) -> None:
        """The request is over: what was guessed is corrected by what is known."""
        if self._meter is not None:
            prompt, completion = self._meter.total(self._prompt) if is_answered else (self._prompt, self._charged)
            came = prompt - self._prompt + completion - self._charged
            self._charge(came, self._price.of(prompt - self._prompt, completion - self._charged))
        now = time.time()
        for subject, limits in self._subjects:
            if limits.concurrency:
                self._tally.leave(subject, now)
        self._subjects.clear()

    def _charge(self, tokens: float, micros: float) -> str:
        now, hit = time.time(), ""
        for subject, limits in self._subjects:
            if limits.are_metered:
                hit = self._tally.charge(subject, limits, tokens, micros, now) or hit
        return hit

    def _take_back(self, micros: float, now: float) -> None:
        for subject, limits in self._subjects:
            self._tally.take_back(subject, limits, self._prompt, micros, now)


def rate_fields(verdict: Verdict) -> bytes:
    """The headers of draft-ietf-httpapi-ratelimit-headers: the policy, and what is left of it."""
    window_s = max(1, round(verdict.window_s))
    reset_s = max(0, -(-verdict.reset_s // 1))
    return b'ratelimit-policy: "requests";q=%d;w=%d\r\nratelimit: "requests";r=%d;t=%d\r\n' % (
        verdict.limit,
        window_s,
        verdict.remaining,
        reset_s,
    )
