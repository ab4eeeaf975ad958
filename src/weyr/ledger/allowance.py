"""What has all in a reach cost in a period, what is set aside for it, and where will the period end? Pure."""

from collections.abc import Iterable, Sequence

from weyr.core.decision import Spend
from weyr.core.metering import Meter
from weyr.core.reach import Reach
from weyr.core.ref import ThingId
from weyr.core.units import HOUR_S
from weyr.ledger.accounts import hourly, unposted_of
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
    own = [meter for meter in meters if reach.covers(meter.thing.ref.stack, meter.labels)]
    shared = [m for m in meters if m.source is not None and reach.covers(m.source.ref.stack, m.source.labels)]
    spent, rate, endless = posted_micros, 0, 0
    bounded = {meter.thing for meter in own if meter.reserved_micros}
    for meter, sign in (*((meter, 1) for meter in own), *((meter, -1) for meter in shared)):
        spent += sign * unposted_of(meter, now_ms, span.begin_ms, closed)
        per_hour = sign * hourly(meter)
        rate += per_hour
        endless += 0 if meter.thing in bounded else per_hour
    reserved = reserved_micros(own, now_ms)
    forecast = spent + reserved + endless * max(0, span.end_ms - now_ms) // (HOUR_S * 1000)
    return Spend(spent, span.name, forecast, reserved, rate, span.end_ms / 1000)


def reserved_micros(meters: Iterable[Meter], now_ms: int) -> int:
    """What is still set aside for things that have not ended: of each, what it has not used of its reservation."""
    meters = list(meters)
    reserved: dict[ThingId, int] = {}
    for meter in meters:
        if meter.reserved_micros and meter.until_ms is None:
            reserved[meter.thing] = reserved.get(meter.thing, 0) + meter.reserved_micros
    used: dict[ThingId, int] = {}
    for meter in meters if reserved else ():
        if meter.thing in reserved and meter.price is not None and meter.run_since_ms is not None:
            cost = meter.price.cost_micros(used_at(meter, end_of(meter, now_ms)))
            used[meter.thing] = used.get(meter.thing, 0) + cost
    return sum(max(0, micros - used.get(thing, 0)) for thing, micros in reserved.items())
