"""For whom do limits count, and what do they come to? Everything that can be known before a request comes.

Up to three subjects count a caller's requests: the caller's key, the caller at this endpoint, and the endpoint as a
whole. Pure.
"""

import math
import time
from hashlib import blake2b
from typing import NamedTuple

from weyr.core.limits import FREE, NO_LIMITS, Limits
from weyr.core.route_limits import RouteLimits
from weyr.gateway.inference.callers import Caller

KEY_BYTES = 16
DAY_S = 86_400.0
_ROUNDING = 1e-9


class Verdict(NamedTuple):
    """May a request pass? `denied` says what is used up, "" for nothing; then it may pass in `retry_s`.

    Of the limit on requests, where there is one: `limit` at once, `remaining` now, all of them again in `reset_s`;
    `policy` is the limit as a header tells it.
    """

    denied: str = ""
    retry_s: float = 0.0
    limit: int = 0
    remaining: int = 0
    reset_s: float = 0.0
    policy: bytes = b""


PASSED = Verdict()


class Subject:
    """One whose requests are counted, and his limits; math.inf for what is not limited. `slot` is where the table of
    limits has him, as far as is known."""

    __slots__ = (
        "_policy", "burst", "concurrency", "day_max", "is_metered", "key", "limits", "month_max", "name", "rate",
        "slot", "speech", "spoken_max", "tokens_max", "used_max",
    )  # fmt: skip

    def __init__(self, name: str, limits: Limits = NO_LIMITS) -> None:
        self.name, self.limits = name, limits
        self.key = blake2b(name.encode(), digest_size=KEY_BYTES).digest()
        self.slot = -KEY_BYTES
        self.rate = limits.requests_per_second
        """Requests that count no longer, a second."""
        self.burst = limits.burst or max(1, math.ceil(self.rate))
        window_s = max(1, round(self.burst / self.rate)) if self.rate else 0
        self._policy = b'ratelimit-policy: "requests";q=%d;w=%d\r\n' % (self.burst, window_s)
        self.used_max = self.burst + _ROUNDING if self.rate else math.inf
        self.tokens_max = float(limits.tokens_per_minute)
        """Of one request: a longer one passes when nothing else has been used."""
        self.spoken_max = self.tokens_max or math.inf
        self.speech = self.tokens_max / 60
        """Tokens that count no longer, a second."""
        self.day_max = limits.micros_per_day or math.inf
        self.month_max = limits.micros_per_month or math.inf
        self.concurrency = limits.concurrency
        # Who has no limits is only counted: what he spent.
        self.is_metered = limits.are_metered or limits == NO_LIMITS

    def denial(
        self, used: float, spoken: float, day_micros: float, month_micros: float, now: float
    ) -> tuple[str, float] | None:
        """What is used up, were all this counted, and in how many seconds it may be asked again."""
        limits = self.limits
        if used > self.used_max:
            return f"{limits.requests_per_second:g} requests per second", (used - self.burst) / self.rate
        if spoken > self.spoken_max:
            return f"{limits.tokens_per_minute} tokens per minute", (spoken - self.spoken_max) / self.speech
        if day_micros > self.day_max:
            return f"{limits.micros_per_day / 1e6:g} per day", DAY_S - now % DAY_S
        if month_micros > self.month_max:
            return f"{limits.micros_per_month / 1e6:g} per month", _month_ends_in(now)
        return None

    def verdict(self, used: float, denied: str = "", retry_s: float = 0.0) -> Verdict:
        """What a caller is told, after `used` requests that still count."""
        if not self.rate:
            return Verdict(denied, retry_s)
        remaining = int(self.burst - used + _ROUNDING) if used < self.burst else 0
        return Verdict(denied, retry_s, self.burst, remaining, used / self.rate, self._policy)


class Counted:
    """Whose limits count for one caller's requests to one endpoint. `body_max` bytes may be asked at once."""

    __slots__ = ("body_max", "is_metered", "limits", "price", "subjects")

    def __init__(self, caller: Caller, route: str, limits: RouteLimits) -> None:
        name = caller.principal.name
        told = ((name, caller.limits), (f"{route} {name}", limits.per_caller), (route, limits.total))
        self.limits = caller.limits
        """The caller's own. They change without the route."""
        self.subjects = tuple(Subject(subject, own) for subject, own in told if own.are_counted)
        self.body_max = min((own.body_bytes for _, own in told if own.body_bytes), default=0)
        self.is_metered = any(subject.is_metered for subject in self.subjects)
        self.price = limits.price if limits.price != FREE else None


def month_of(now: float) -> int:
    """A number for the month of UTC."""
    moment = time.gmtime(now)
    return moment.tm_year * 12 + moment.tm_mon


def _month_ends_in(now: float) -> float:
    day = now
    while month_of(day) == month_of(now):
        day += DAY_S
    return day - day % DAY_S - now
