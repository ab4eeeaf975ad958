"""What has all in a reach cost in a period, what is set aside for it, and where will the period end? Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weyr.core.decision import Spend
from weyr.core.metering import Meter
from weyr.core.reach import Reach
from weyr.core.ref import ThingId
from weyr.core.units import HOUR_S
from weyr.ledger.accounts import hourly, unposted_of
from weyr.ledger.journal import used_at
from weyr.ledger.meters import end_of
from weyr.ledger.spans import Span


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to come in a reach: `rate` is what an hour costs now, `endless` what of it has no end of its own, and
    `to_come` what is still expected of what has. `reserved` is all that is set aside. Integer micro-units."""

    rate: int
    endless: int
    to_come: int
    reserved: int

    def at(self, spent_micros: int, left_ms: int) -> int:
        """What will have been spent in so long: the one forecast, of budgets, of the month and of its chart."""
        return spent_micros + self.to_come + self.endless * max(0, left_ms) // (HOUR_S * 1000)


def spend_in(
    reach: Reach, span: Span, posted_micros: int, meters: Sequence[Meter], now_ms: int, closed: str = ""
) -> Spend:
    """A period's spending, for budgets. `posted_micros` is the journal's of that reach in the period's days.

    Where it will end counts what is expected of that which ends by itself, and that everything else runs on as it does
    now. What is a share of another's cost counts for whoever uses it, and is taken off whom it is a share of.
    """
    signed = _signed(reach, meters)
    spent = posted_micros + sum(sign * unposted_of(meter, now_ms, span.begin_ms, closed) for meter, sign in signed)
    look = outlook(reach, meters, now_ms)
    forecast = look.at(spent, span.end_ms - now_ms)
    return Spend(spent, span.name, forecast, look.reserved, look.rate, span.end_ms / 1000)


def outlook(reach: Reach, meters: Sequence[Meter], now_ms: int) -> Outlook:
    """What is to come of all in a reach, as far as is known now."""
    rate = endless = 0
    signed = _signed(reach, meters)
    bounded = {meter.thing for meter, sign in signed if sign > 0 and meter.reserved.ends}
    for meter, sign in signed:
        per_hour = sign * hourly(meter)
        rate += per_hour
        endless += 0 if meter.thing in bounded else per_hour
    own = [meter for meter, sign in signed if sign > 0]
    to_come = reserved_micros([meter for meter in own if meter.thing in bounded], now_ms)
    return Outlook(rate, endless, to_come, reserved_micros(own, now_ms))


def _signed(reach: Reach, meters: Sequence[Meter]) -> list[tuple[Meter, int]]:
    """The reach's own meters, and those that are shares of its cost to be taken off it."""
    own = [(meter, 1) for meter in meters if reach.covers(meter.thing.ref.stack, meter.labels)]
    return own + [(m, -1) for m in meters if m.source is not None and reach.covers(m.source.ref.stack, m.source.labels)]


def reserved_micros(meters: Iterable[Meter], now_ms: int) -> int:
    """What is still set aside for things that have not ended: of each, what it has not used of its reservation."""
    meters = list(meters)
    reserved: dict[ThingId, int] = {}
    for meter in meters:
        if meter.reserved.micros and meter.until_ms is None:
            reserved[meter.thing] = reserved.get(meter.thing, 0) + meter.reserved.micros
    used: dict[ThingId, int] = {}
    for meter in meters if reserved else ():
        if meter.thing in reserved and meter.price is not None and meter.run_since_ms is not None:
            cost = meter.price.cost_micros(used_at(meter, end_of(meter, now_ms)))
            used[meter.thing] = used.get(meter.thing, 0) + cost
    return sum(max(0, micros - used.get(thing, 0)) for thing, micros in reserved.items())
