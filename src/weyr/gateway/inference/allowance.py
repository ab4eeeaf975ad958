"""May this request pass the limits that hold for it, and what does it use of them? One value per request.

A request passes all of its subjects or uses none. Where no limit is set nothing is made, looked up or counted.
"""

import math
import time

from weyr.gateway.inference.stream import BYTES_PER_TOKEN, Stream
from weyr.gateway.inference.subjects import Counted, Verdict
from weyr.gateway.inference.tally import TableFull, Tally

CHARGE_EVERY = 8
"""Tokens of a stream that pass between two looks at the limits: each is a change of a table that others share."""


class LimitHit(Exception):
    """A limit is used up. `retry_s`: when it will not be. `verdict` where it is one on requests."""

    def __init__(self, what: str, retry_s: float, verdict: Verdict | None = None, status: int = 429) -> None:
        super().__init__(what)
        self.what, self.retry_s, self.verdict, self.status = what, retry_s, verdict, status


class Allowance:
    """What one request uses. `charge` and `end` tell of its answer, whose head gets the lines `fields`.

    Takes `body_bytes`, the length of the request's body. Raises (on construction): LimitHit, and nothing was used.
    """

    __slots__ = ("_charged", "_hit", "_price", "_prompt", "_subjects", "_tally", "fields", "is_metered", "look_at")

    def __init__(self, tally: Tally, counted: Counted, body_bytes: int) -> None:
        if counted.body_max and body_bytes > counted.body_max:
            raise LimitHit(f"a body of {counted.body_max} bytes", 0.0, status=413)
        self._tally, self._price, self._subjects = tally, counted.price, counted.subjects
        self._prompt = body_bytes // BYTES_PER_TOKEN or 1
        self._charged = 0
        self._hit = ""
        self.is_metered = counted.is_metered
        """Whether what an answer holds counts."""
        self.look_at = CHARGE_EVERY if counted.is_metered else math.inf
        """How many tokens of a stream may pass until `charge`."""
        micros = self._price.request_micros + self._price.of(self._prompt, 0) if self._price is not None else 0.0
        try:
            verdict = tally.admit(self._subjects, self._prompt, micros, time.time())
        except TableFull as e:
            raise LimitHit("the table of limits: too many callers at once", 60.0, status=503) from e
        if verdict.denied:
            raise LimitHit(verdict.denied, verdict.retry_s, verdict)
        self.fields = rate_fields(verdict) if verdict.limit else b""

    def charge(self, stream: Stream, data: bytes) -> str:
        """The tokens that have come meanwhile, the last of them in `data`. Which limit is used up by them, "" for none,
        or while the stream is in the middle of an event."""
        came, self._charged = stream.events - self._charged, stream.events
        self._hit = self._add(0, came) or self._hit
        self.look_at = 0 if self._hit else stream.events + CHARGE_EVERY
        # A chunk may hold part of an event, and a piece part of a chunk: there nothing can be put between.
        return self._hit if data.endswith(b"\n\n\r\n" if stream.is_chunked else b"\n\n") else ""

    def end(self, stream: Stream | None) -> None:
        """The request is over: what was guessed is corrected by what is known of its answer, None where nothing is."""
        prompt, completion = self._prompt, self._charged
        if stream is not None and self.is_metered:
            prompt, completion = stream.used(self._prompt)
        self._add(prompt - self._prompt, completion - self._charged, ends=True)

    def _add(self, prompt: int, completion: int, ends: bool = False) -> str:
        micros = self._price.of(prompt, completion) if self._price is not None else 0.0
        return self._tally.charge(self._subjects, prompt + completion, micros, time.time(), ends)


def rate_fields(verdict: Verdict) -> bytes:
    """The headers of draft-ietf-httpapi-ratelimit-headers: the policy, and what is left of it."""
    return b'%bratelimit: "requests";r=%d;t=%d\r\n' % (verdict.policy, verdict.remaining, -(-verdict.reset_s // 1))
