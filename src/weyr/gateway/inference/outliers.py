"""Which replicas had better be left alone for a while? Those that fail again and again, and those that are far slower.

Pure: `now` is handed in, and nothing is sent. At most a share of the replicas is out at once, because many that fail
together are no outliers: then what they serve, or what they stand on, is broken, and sending nobody heals nothing.
"""

import statistics
from collections.abc import Sequence
from typing import Protocol

from weyr.core.route_limits import Ejection

OUT_MAX_S = 300.0
ANSWERS_MIN = 10
"""How many answers a replica's latency is judged by, at the least."""
SMOOTHING = 0.1
SETTLE_S = 0.001
"""Latencies below this are noise: half a millisecond is not twice as slow as a quarter."""


class Health:
    """What is known of one replica. It is out until `out_until`; then one request at a time tries it, until one
    succeeds."""

    __slots__ = ("answers", "failures", "is_trying", "latency_s", "out_until", "reason", "times_out")

    def __init__(self) -> None:
        self.failures = 0
        self.answers = 0
        self.latency_s = 0.0
        self.out_until = 0.0
        self.times_out = 0
        self.is_trying = False
        self.reason = ""

    @property
    def is_on_trial(self) -> bool:
        """Whether it was out, and nothing has gone well since."""
        return self.out_until > 0.0

    def may_take(self, now: float) -> bool:
        """Whether a request may be sent to it."""
        return not self.out_until or (self.out_until <= now and not self.is_trying)

    def sent(self) -> None:
        """A request is on its way to it."""
        if self.out_until:
            self.is_trying = True

    def left(self) -> None:
        """A request ended without telling anything of the replica: its caller went away."""
        self.is_trying = False

    def succeeded(self, latency_s: float) -> None:
        self.failures = 0
        self.is_trying = False
        self.answers += 1
        self.latency_s += (latency_s - self.latency_s) * max(SMOOTHING, 1 / self.answers)
        if self.out_until:
            self.out_until, self.reason = 0.0, ""
        elif self.times_out and self.answers % 1000 == 0:
            self.times_out -= 1  # a long good time is remembered as well as the bad ones

    def failed(self) -> None:
        self.failures += 1
        self.is_trying = False

    def put_out(self, rule: Ejection, now: float, reason: str) -> None:
        """Leaves it alone, for longer each time."""
        self.out_until = now + min(OUT_MAX_S, rule.for_s * 2**self.times_out)
        self.times_out = min(self.times_out + 1, 10)
        self.failures = self.answers = 0
        self.reason = reason


class HasHealth(Protocol):
    health: Health


def judge_failures(rule: Ejection, one: Health, everyone: Sequence[HasHealth], now: float) -> bool:
    """Puts a replica out that has just failed, where the rule says so. Whether it did."""
    if not rule.errors or (one.failures < rule.errors and not one.is_on_trial) or not _is_room(rule, one, everyone):
        return False
    one.put_out(rule, now, f"{max(one.failures, 1)} failures in a row")
    return True


def judge_latencies(rule: Ejection, everyone: Sequence[HasHealth], now: float) -> Sequence[Health]:
    """Puts out who is far slower than the median of those that could be judged; three are the least for one."""
    if not rule.slow:
        return ()
    judged = [one.health for one in everyone if one.health.answers >= ANSWERS_MIN and not one.health.is_on_trial]
    if len(judged) < 3:
        return ()
    usual = max(SETTLE_S, statistics.median(one.latency_s for one in judged))
    put_out = []
    for one in sorted(judged, key=lambda health: -health.latency_s):
        if one.latency_s <= rule.slow * usual or not _is_room(rule, one, everyone):
            break
        one.put_out(rule, now, f"{one.latency_s / usual:.1f} times as slow as the others")
        put_out.append(one)
    return put_out


def _is_room(rule: Ejection, one: Health, everyone: Sequence[HasHealth]) -> bool:
    out = sum(other.health.is_on_trial for other in everyone if other.health is not one)
    return out + 1 <= rule.share * len(everyone)
