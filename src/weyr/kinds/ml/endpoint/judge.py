"""Is a new version worse than it may be? A verdict over what the planes counted, with statistical care. Pure.

Each limit is a share of bad requests that must not be passed: failed ones, or such as took too long. A version is taken
back once so many bad ones would come by chance less than once in a thousand times if it kept to the limit, so not for
one failure among three requests; and it goes on only while its plain figure keeps to the limit.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from weyr.core.routes import LATENCY_BUCKETS_S, VersionCounts
from weyr.core.units import duration_text, seconds_of
from weyr.kinds.ml.endpoint.fields.rollout import AbortIf, times_of

SURE = 0.001
"""How seldom a version that keeps to its limit may be taken back, each time that it is looked at."""
BAD_MIN = 3
OUTCOMES_MIN = 30
DEVIATIONS = 3.0
"""Standard errors between a mean and its limit: 3 leave out 0.13 %, about as much as SURE."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one version did in a while. `buckets` as in `VersionCounts`."""

    requests: int = 0
    errors: int = 0
    buckets: tuple[int, ...] = ()
    outcomes: int = 0
    outcome_sum: float = 0.0
    outcome_squares: float = 0.0

    @classmethod
    def of(cls, counts: VersionCounts) -> "Figures":
        return cls(*(getattr(counts, word.name) for word in fields(cls)))

    def plus(self, other: "Figures", sign: int = 1) -> "Figures":
        width = max(len(self.buckets), len(other.buckets))
        mine, its = (each.buckets + (0,) * (width - len(each.buckets)) for each in (self, other))
        return Figures(
            self.requests + sign * other.requests,
            self.errors + sign * other.errors,
            tuple(a + sign * b for a, b in zip(mine, its, strict=True)),
            self.outcomes + sign * other.outcomes,
            self.outcome_sum + sign * other.outcome_sum,
            self.outcome_squares + sign * other.outcome_squares,
        )

    @property
    def mean_outcome(self) -> float:
        return self.outcome_sum / self.outcomes if self.outcomes else 0.0

    @property
    def outcome_error(self) -> float:
        """The standard error of the mean outcome."""
        if self.outcomes < 2:
            return math.inf
        variance = max(0.0, self.outcome_squares / self.outcomes - self.mean_outcome**2)
        return math.sqrt(variance / (self.outcomes - 1))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a version did since some moment, by counters that begin anew when a plane does. None: not read yet."""

    last: Figures | None = None
    sum: Figures = field(default_factory=Figures)

    def read(self, counts: VersionCounts | None) -> "Tally":
        """One reading further. What went on before the first one is not counted."""
        if counts is None:
            return self
        now = Figures.of(counts)
        if self.last is None:
            return Tally(now, self.sum)
        has_restarted = now.requests < self.last.requests or now.outcomes < self.last.outcomes
        fresh = now if has_restarted else now.plus(self.last, -1)
        return Tally(now, self.sum.plus(fresh))

    def anew(self) -> "Tally":
        """As of now nothing was counted."""
        return Tally(self.last or Figures())


@dataclass(frozen=True, slots=True)
class Verdict:
    """`abort`: why the version is taken back. `waits`: why it does not go on yet. Both "" where all is well."""

    abort: str = ""
    waits: str = ""


def judge(limits: AbortIf, old: Figures, new: Figures, requests_min: int) -> Verdict:
    """What is to be thought of `new`, beside `old`, which had the rest of the requests."""
    found = [
        *_of_errors(limits, old, new),
        *_of_latency(limits, old, new, requests_min),
        *_of_quality(limits, old, new),
    ]
    abort = next((verdict.abort for verdict in found if verdict.abort), "")
    waits = [verdict.waits for verdict in found if verdict.waits]
    if new.requests < requests_min:
        waits.insert(0, f"it has answered {new.requests} of {requests_min} requests")
    return Verdict(abort, "; ".join(waits))


def chance_of(bad: int, count: int, share: float) -> float:
    """How likely at least `bad` of `count` requests are bad if each is with chance `share`: a binomial's tail."""
    if bad <= 0:
        return 1.0
    if share <= 0:
        return 0.0
    if share >= 1 or bad <= count * share:
        return 1.0
    log = math.lgamma(count + 1) - math.lgamma(bad + 1) - math.lgamma(count - bad + 1)
    term = math.exp(log + bad * math.log(share) + (count - bad) * math.log1p(-share))
    total, odds = 0.0, share / (1 - share)
    for good in range(count - bad, -1, -1):
        total += term
        term *= odds * good / (count - good + 1)
        if term <= total * 1e-9:
            break
    return min(1.0, total)


def quantile_s(buckets: tuple[int, ...], share: float) -> float:
    """The latency that `share` of the requests kept to, within its bucket as if they were spread evenly."""
    rank, below = share * sum(buckets), 0
    for index, count in enumerate(buckets):
        if count and below + count >= rank:
            low = LATENCY_BUCKETS_S[index - 1] if index else 0.0
            high = LATENCY_BUCKETS_S[min(index, len(LATENCY_BUCKETS_S) - 1)]
            return low + (high - low) * max(0.0, (rank - below) / count)
        below += count
    return 0.0


def _of_errors(limits: AbortIf, old: Figures, new: Figures) -> Iterator[Verdict]:
    if limits.errors is None or not new.requests:
        return
    share = new.errors / new.requests
    text = f"{new.errors} of {new.requests} requests failed ({share:.1%}, limit {limits.errors:.1%})"
    # What fails for the old version as well is not the new one's doing: a database that is down, broken callers.
    blameless = max(limits.errors, _upper(old.errors, old.requests))
    if new.errors >= BAD_MIN and chance_of(new.errors, new.requests, blameless) < SURE:
        yield Verdict(abort=text)
    elif share > limits.errors:
        yield Verdict(waits=text)


def _of_latency(limits: AbortIf, old: Figures, new: Figures, requests_min: int) -> Iterator[Verdict]:
    for name, limit, part in (("p50", limits.latency_p50, 0.5), ("p99", limits.latency_p99, 0.99)):
        if limit is None or not new.requests:
            continue
        factor = times_of(limit)
        if factor is not None and old.requests < requests_min:
            yield Verdict(waits=f"the old version has answered {old.requests} requests, too few to compare with")
            continue
        limit_s = seconds_of(limit) if factor is None else factor * quantile_s(old.buckets, part)
        slow = _slower(new.buckets, limit_s)
        figure = duration_text(quantile_s(new.buckets, part))
        text = f"{name} is {figure} (limit {duration_text(limit_s)}{'' if factor is None else f', {limit}'})"
        if slow >= BAD_MIN and chance_of(slow, new.requests, 1 - part) < SURE:
            yield Verdict(abort=text)
        elif slow > new.requests * (1 - part):
            yield Verdict(waits=text)


def _of_quality(limits: AbortIf, old: Figures, new: Figures) -> Iterator[Verdict]:
    if limits.quality is None:
        return
    factor = times_of(limits.quality)
    few = [
        (who, each.outcomes) for who, each in (("the old version", old), ("it", new)) if each.outcomes < OUTCOMES_MIN
    ]
    few = few if factor is not None else [(who, count) for who, count in few if who == "it"]
    if few:
        who, count = few[0]
        yield Verdict(waits=f"callers reported {count} of {OUTCOMES_MIN} outcomes of {who}")
        return
    limit = float(limits.quality) if factor is None else factor * old.mean_outcome
    error = new.outcome_error if factor is None else math.hypot(new.outcome_error, factor * old.outcome_error)
    text = f"the mean outcome is {new.mean_outcome:.3g} (limit {limit:.3g})"
    if new.mean_outcome + DEVIATIONS * error < limit:
        yield Verdict(abort=text)
    elif new.mean_outcome < limit:
        yield Verdict(waits=text)


def _upper(bad: int, count: int) -> float:
    """About the highest share of bad ones that is likely where `bad` of `count` were."""
    if not count:
        return 0.0
    share = bad / count
    return share + 2 * math.sqrt(share * (1 - share) / count)


def _slower(buckets: tuple[int, ...], limit_s: float) -> int:
    """How many took longer for certain: the buckets that begin at the limit or above it."""
    first = next((i for i, bound in enumerate(LATENCY_BUCKETS_S) if bound >= limit_s), len(LATENCY_BUCKETS_S) - 1)
    return sum(buckets[first + 1 :])
