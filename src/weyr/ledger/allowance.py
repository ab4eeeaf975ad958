"""What has all in a reach cost in a period, what is set aside for it, and where will the period end? Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from weyr.core.decision import Spend
from weyr.core.metering import Meter
from weyr.core.reach import Reach
from weyr.core.ref import ThingId
from weyr.core.units import HOUR_S
from weyr.ledger.accounts import rate_of, unposted_micros
from weyr.ledger.grouping import sides
from weyr.ledger.journal import used_at
from weyr.ledger.meters import end_of
from weyr.ledger.spans import Span


def spend_in(
    reach: Reach, span: Span, posted_micros: int, meters: Sequence[Meter], now_ms: int, closed: str = ""
) -> Spend:
    """A period's spending, for budgets. `posted_micros` is the journal's of that reach since the period's first day.

    Where it will end counts what is set aside as spent, and that everything else runs on as it does now. What is a
    share of another's cost counts for whoever uses it, and is taken off whom it is a share of.
    """
    weights = [(meter, sum(s for a, _, s in sides(meter) if reach.covers(a.ref.stack, a.labels))) for meter in meters]
    covered = [(meter, weight) for meter, weight in weights if weight]
    own = [meter for meter in meters if reach.covers(meter.thing.ref.stack, meter.labels)]
    spent, rate, endless = posted_micros, 0, 0
    bounded = {meter.thing for meter in own if meter.reserved_micros}
    for meter, weight in covered:
        spent += weight * _unposted(meter, now_ms, span, closed)
        hourly = weight * _hourly(meter)
        rate += hourly
        endless += 0 if meter.thing in bounded else hourly
    reserved = reserved_micros(own, now_ms)
    forecast = spent + reserved + endless * max(0, span.end_ms - now_ms) // (HOUR_S * 1000)
    return Spend(spent, span.name, forecast, reserved, rate, span.end_ms / 1000)


def reserved_micros(meters: Iterable[Meter], now_ms: int) -> int:
    """What is still set aside for things that have not ended: of each, what it has not used of its reservation."""
    reserved: dict[ThingId, int] = {}
    used: dict[ThingId, int] = {}
    for meter in meters:
        if meter.until_ms is None:
            reserved[meter.thing] = reserved.get(meter.thing, 0) + meter.reserved_micros
        if meter.price is not None and meter.run_since_ms is not None:
            cost = meter.price.cost_micros(used_at(meter, end_of(meter, now_ms)))
            used[meter.thing] = used.get(meter.thing, 0) + cost
    return sum(max(0, micros - used.get(thing, 0)) for thing, micros in reserved.items())


def _unposted(meter: Meter, now_ms: int, span: Span, closed: str) -> int:
    """Of the meter itself; what it is a share of is weighed by whoever asks."""
    return unposted_micros([_alone(meter)], now_ms, span.begin_ms, None, closed)


def _hourly(meter: Meter) -> int:
    return rate_of([_alone(meter)])


def _alone(meter: Meter) -> Meter:
    return meter if meter.source is None else replace(meter, source=None)
