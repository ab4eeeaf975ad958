"""What do 1,000 requests cost, and a million tokens? What replicas cost in a time over what was answered in it. Pure.

Idle time is in it: a replica that waits for requests costs as much as one that answers them. Amounts are integer
micro-units, rounded down once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from weyr.core.metering import Meter


@dataclass(frozen=True, slots=True)
class Use:
    """What a version came to by a moment: micro-units of its replicas, requests answered, tokens in and out."""

    at_ms: int
    micros: int = 0
    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What was spent and answered in a time. None: nothing was answered, so there is nothing to divide by."""

    since_ms: int
    micros: int
    requests: int
    tokens: int
    per_thousand_requests: int | None
    per_million_tokens: int | None


def spent_between(meters: Iterable[Meter], from_ms: int, to_ms: int) -> int:
    """Micro-units that these meters count between two moments of their running; what has no price counts nothing."""
    return sum(_spent(meter, from_ms, to_ms) for meter in meters)


def unit_cost(first: Use, last: Use) -> UnitCost:
    """Of the time between two moments."""
    micros, requests, tokens = (
        last.micros - first.micros, last.requests - first.requests, last.tokens - first.tokens,
    )  # fmt: skip
    return UnitCost(
        first.at_ms,
        micros,
        requests,
        tokens,
        micros * 1000 // requests if requests else None,
        micros * 1_000_000 // tokens if tokens else None,
    )


def together(uses: Iterable[Use], at_ms: int) -> Use:
    """The sum of several versions' uses at a moment."""
    listed = list(uses)
    return Use(at_ms, *(sum(getattr(use, name) for use in listed) for name in ("micros", "requests", "tokens")))


def _spent(meter: Meter, from_ms: int, to_ms: int) -> int:
    if meter.price is None or meter.run_since_ms is None:
        return 0
    # Its run began at `run_since_ms`; where its clock was set it counts anew from `run_from_ms`.
    begin = max(from_ms, meter.run_from_ms)
    end = to_ms if meter.until_ms is None else min(to_ms, meter.until_ms)
    return meter.price.cost_micros(meter.quantity * max(0, end - begin))
