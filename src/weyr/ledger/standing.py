"""What has all in a reach come to in a period, kept by difference: a thing counts when one of its meters changes, and
not when somebody asks. Pure.

Between two readings a meter counts along a straight line, and all of them together along one for each unit of a price:
asking takes no longer where there is much. What bends while nobody reads it is kept aside and weighed by itself: a run
that begins or ends a moment ahead, a tier across the end of a month. Reservations lie in a queue by the moment at which
they are used up. What is tiered counts as what is posted next of its tally.

Amounts are exact sums, rounded down once for each price's unit. A bill rounds each meter down, so that it may say a
millionth less for each that is open. `allowance.spend_in` works the same out from all open meters: a test holds both
against each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf

from weyr.core.decision import Spend
from weyr.core.metering import Meter, Price, Tallied
from weyr.core.reach import Reach
from weyr.core.ref import ThingId
from weyr.ledger.accounts import hourly, month_of, unposted_of
from weyr.ledger.allowance import Outlook, reserved_micros
from weyr.ledger.journal import MONTH, day_of, used_at
from weyr.ledger.slopes import Slope, Slopes, reached_ms
from weyr.ledger.spans import Span
from weyr.ledger.tallies import in_turn

ODD = None
"""Of a meter that does not count along a straight line just now."""


@dataclass(slots=True)
class _Thing:
    """A thing's meters, and what was added up of them: what is taken off again when one of them changes."""

    meters: dict[str, Meter] = field(default_factory=dict)
    due: list[tuple[Slope, int]] = field(default_factory=list)
    tallied: list[tuple[Price, int, int, int]] = field(default_factory=list)
    odd: list[Meter] = field(default_factory=list)
    rate: int = 0
    ends: bool = False
    """It ends by itself, and what is set aside for it is all that it is to cost."""
    aside: "_Aside | None" = None


@dataclass(slots=True, eq=False)
class _Aside:
    """What is set aside for a thing, and the lines along which it is used up; then it is nothing."""

    micros: int
    used: tuple[Slope, ...]
    ends: bool
    is_used_up: bool = False

    def is_as(self, other: "_Aside | None") -> bool:
        return other is not None and (self.micros, self.used, self.ends) == (other.micros, other.used, other.ends)


class _Live:
    """Sums over what is set aside and not used up: of things that end by themselves, or of the others."""

    def __init__(self) -> None:
        self.micros = 0
        self.used = Slopes()

    def add(self, aside: _Aside, sign: int) -> None:
        self.micros += sign * aside.micros
        for slope in aside.used:
            self.used.add(slope, sign)


class Standing:
    """One reach in one period. Takes: `posted_micros`, the journal's of that reach in the period's days, and the last
    day that is closed."""

    def __init__(self, reach: Reach, span: Span, posted_micros: int, closed: str) -> None:
        self.reach, self.span, self.posted_micros, self.closed = reach, span, posted_micros, closed
        self._first_day, self._last_day = span.first_day, span.last_day
        self._things: dict[ThingId, _Thing] = {}
        self._changed: dict[ThingId, None] = {}
        self._begin(span.begin_ms)

    def put(self, meter: Meter) -> None:
        """A meter was opened, read, or closed."""
        self._things.setdefault(meter.thing, _Thing()).meters[meter.sku] = meter
        self._changed[meter.thing] = None

    def drop(self, meter: Meter) -> None:
        """A meter was not opened after all."""
        self._things[meter.thing].meters.pop(meter.sku)
        self._changed[meter.thing] = None

    def post(self, day: str, micros: int) -> None:
        """A line of this reach was posted for a day; less than nothing is taken off it."""
        if self._first_day <= day <= self._last_day:
            self.posted_micros += micros

    def is_of(self, now_ms: int) -> bool:
        """Whether a moment lies in this period."""
        return self.span.begin_ms <= now_ms < self.span.end_ms

    def at(self, now_ms: int, tallied: Mapping[str, Tallied], rated: Iterable[Meter] | None = None) -> Spend:
        """Takes: what the journal has of each tally; and, where commitments take something off rates, all meters with
        what they take."""
        self._take_in(now_ms)
        spent, rate, endless = self.posted_micros + self._due.at(now_ms), self._rate, self._endless
        odd = [meter for id in self._odd for meter in self._things[id].odd]
        for meter in in_turn(odd, now_ms) if odd else ():
            spent += self._sign(meter) * unposted_of(meter, now_ms, self.span.begin_ms, self.closed)
            if meter.price is not None and meter.price.is_tiered:
                rate += self._sign(meter) * hourly(meter)
                endless += 0 if self._things[meter.thing].ends else self._sign(meter) * hourly(meter)
        for price, (at_0, each_ms, quantity) in self._tallies.items():
            before = dict(tallied.get(price.tally, ())).get(self._month, 0)
            spent += price.cost_micros(at_0 + each_ms * now_ms, before)
            rate += price.hourly_micros(quantity, before)
            endless += price.hourly_micros(quantity, before)
        if rated is not None:
            rate, endless = self._rates(rated)
        aside = {ends: live.micros - live.used.at(now_ms) for ends, live in self._live.items()}
        for id in self._odd_aside:
            aside[self._things[id].ends] += reserved_micros(self._own(self._things[id]), now_ms)
        look = Outlook(rate, endless, aside[True], aside[True] + aside[False])
        forecast = look.at(spent, self.span.end_ms - now_ms)
        return Spend(spent, self.span.name, forecast, look.reserved, rate, self.span.end_ms / 1000)

    def _begin(self, now_ms: int) -> None:
        """Adds everything up anew: a month began, or the clock was set back."""
        self._now_ms, self._month = now_ms, day_of(now_ms)[:MONTH]
        self._tallied_from_ms = max(self.span.begin_ms, month_of(now_ms).begin_ms)
        self._things = {id: _Thing(meters=known.meters) for id, known in self._things.items()}
        self._changed = dict.fromkeys(self._things)
        self._due, self._tallies = Slopes(), dict[Price, tuple[int, int, int]]()
        self._rate = self._endless = 0
        self._live = {True: _Live(), False: _Live()}
        self._odd, self._odd_aside = dict[ThingId, None](), dict[ThingId, None]()
        self._used_up: list[tuple[float, int, _Aside]] = []
        self._pushed = 0

    def _take_in(self, now_ms: int) -> None:
        """What changed since somebody asked last, and what bends as time goes on."""
        if now_ms < self._now_ms or day_of(now_ms)[:MONTH] != self._month:
            self._begin(now_ms)
        self._now_ms = now_ms
        changed = {**self._changed, **self._odd, **self._odd_aside}
        self._changed = {}
        for id in changed:
            self._weigh(id, now_ms)
        while self._used_up and self._used_up[0][0] <= now_ms:
            aside = heappop(self._used_up)[2]
            if not aside.is_used_up:
                self._use_up(aside)

    def _weigh(self, id: ThingId, now_ms: int) -> None:
        known = self._things[id]
        self._take_off(id, known)
        known.meters = {sku: meter for sku, meter in known.meters.items() if meter.closed_ms is None}
        own = self._own(known)
        known.ends = any(meter.reserved.ends for meter in own)
        for meter in known.meters.values():
            self._add(known, meter, now_ms)
        self._rate += known.rate
        self._endless += 0 if known.ends else known.rate
        if known.odd:
            self._odd[id] = None
        self._set_aside(id, known, own, now_ms)
        if not known.meters:
            del self._things[id]

    def _take_off(self, id: ThingId, known: _Thing) -> None:
        for slope, sign in known.due:
            self._due.add(slope, -sign)
        for price, at_0, each_ms, quantity in known.tallied:
            self._tally(price, -at_0, -each_ms, -quantity)
        self._rate -= known.rate
        self._endless -= 0 if known.ends else known.rate
        known.due, known.tallied, known.odd, known.rate = [], [], [], 0
        self._odd.pop(id, None)

    def _add(self, known: _Thing, meter: Meter, now_ms: int) -> None:
        if meter.price is None or meter.run_since_ms is None:
            return
        sign = self._sign(meter)
        slope = self._slope(meter, meter.price, now_ms) if sign else Slope(1, 0, 0)
        if meter.price.is_tiered:
            if slope is ODD or sign != 1 or known.ends or meter.posted_until_ms <= self._tallied_from_ms:
                known.odd.append(meter)
            else:
                quantity = meter.quantity if meter.is_running else 0
                tallied = (meter.price, slope.at_0 - meter.posted, slope.each_ms, quantity)
                known.tallied.append(tallied)
                self._tally(*tallied)
            return
        known.rate += sign * hourly(meter)
        if slope is ODD:
            known.odd.append(meter)
        elif sign:
            known.due.append((slope, sign))
            self._due.add(slope, sign)

    def _slope(self, meter: Meter, price: Price, now_ms: int) -> Slope | None:
        """What is not posted of a meter; of a tiered price, what it has used."""
        used = used_by(meter, now_ms)
        if used is ODD or price.is_tiered:
            return used
        posted = self._posted_before(meter, price, now_ms if meter.until_ms is None else meter.until_ms)
        if posted is ODD:
            return ODD
        return Slope(price.per, used.at_0 * price.micros - posted * price.per, used.each_ms * price.micros)

    def _posted_before(self, meter: Meter, price: Price, to_ms: int) -> int | None:
        """What of a meter's cost is posted, or counts for the days before this period."""
        begin_ms = self.span.begin_ms
        if meter.posted_until_ms > begin_ms:
            return meter.posted_micros if to_ms > begin_ms else ODD
        if self.closed >= day_of(begin_ms - 1):
            return meter.posted_micros
        if self.closed >= day_of(meter.posted_until_ms):
            return ODD
        return price.cost_micros(used_at(meter, min(begin_ms, to_ms)))

    def _tally(self, price: Price, at_0: int, each_ms: int, quantity: int) -> None:
        was = self._tallies.get(price, (0, 0, 0))
        self._tallies[price] = was[0] + at_0, was[1] + each_ms, was[2] + quantity

    def _set_aside(self, id: ThingId, known: _Thing, own: list[Meter], now_ms: int) -> None:
        """Takes in what is set aside for a thing. A line that was posted leaves it as it was."""
        micros = sum(meter.reserved.micros for meter in own if meter.until_ms is None)
        aside, is_odd = None, False
        if micros:
            counting = [meter for meter in own if meter.price is not None and meter.run_since_ms is not None]
            costs = [cost_by(meter, now_ms) for meter in counting]
            used = tuple(cost for cost in costs if cost is not None)
            is_odd = len(used) < len(costs)
            aside = None if is_odd else _Aside(micros, used, known.ends)
        if is_odd:
            self._odd_aside[id] = None
        else:
            self._odd_aside.pop(id, None)
        before = known.aside
        if before is not None and before.is_as(aside):
            return
        if before is not None and not before.is_used_up:
            self._use_up(before)
        known.aside = aside
        if aside is not None:
            self._live[aside.ends].add(aside, 1)
            until_ms = reached_ms(aside.used, aside.micros)
            if until_ms < inf:
                self._pushed += 1
                heappush(self._used_up, (until_ms, self._pushed, aside))

    def _use_up(self, aside: _Aside) -> None:
        self._live[aside.ends].add(aside, -1)
        aside.is_used_up = True

    def _rates(self, rated: Iterable[Meter]) -> tuple[int, int]:
        """The rate, and what of it has no end, of meters with what commitments take off each."""
        rate = endless = 0
        for meter in rated:
            per_hour = self._sign(meter) * hourly(meter)
            known = self._things.get(meter.thing)
            rate += per_hour
            endless += 0 if known is not None and known.ends else per_hour
        return rate, endless

    def _own(self, known: _Thing) -> list[Meter]:
        return [m for m in known.meters.values() if self.reach.covers(m.thing.ref.stack, m.labels)]

    def _sign(self, meter: Meter) -> int:
        is_off = meter.source is not None and self.reach.covers(meter.source.ref.stack, meter.source.labels)
        return int(self.reach.covers(meter.thing.ref.stack, meter.labels)) - int(is_off)


def used_by(meter: Meter, now_ms: int) -> Slope | None:
    """What a meter that has begun has used, from now on until somebody reads it."""
    until_ms = meter.until_ms
    if meter.run_from_ms > now_ms or (until_ms is not None and until_ms > now_ms):
        return ODD
    if until_ms is not None:
        return Slope(1, used_at(meter, until_ms), 0)
    return Slope(1, meter.settled - meter.quantity * meter.run_from_ms, meter.quantity)


def cost_by(meter: Meter, now_ms: int) -> Slope | None:
    """What that costs. Where a price is tiered, there is no line."""
    used, price = used_by(meter, now_ms), meter.price
    if used is ODD or price is None or price.is_tiered:
        return ODD
    return Slope(price.per, used.at_0 * price.micros, used.each_ms * price.micros)
