"""Which use does a commitment pay for? Hour by hour, as providers reckon, and exact to the micro-unit. Pure.

In each hour of UTC what a commitment covers is worth so much on demand, used or not. What was used in that hour shares
it: each in proportion to what it would have cost. Commitments of machines go first, then those of the larger discount;
of a shared one its own stack goes first. The same use gives the same answer in whichever order it became known, so that
use which is posted late changes an hour by the difference of two answers, and by nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from weyr.core.commitments import COMMITTED, COVERED, FEE, USED, Coverage
from weyr.core.metering import Account, Labels, Line, Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.core.units import HOUR_S
from weyr.ledger.journal import day_of
from weyr.ledger.prices import CPU, PriceBook

HOUR_MS = HOUR_S * 1000
GRACE_MS = 120_000
"""An hour is settled so long after its end: what runs has posted its lines by then."""
WHO = "weyr"


@dataclass(frozen=True, slots=True)
class Terms:
    """A commitment as it stood from one moment until another (None: it stands still): what it cost in each hour, and
    what it covered in one, at prices on demand. `account` is whose its fee is."""

    coverage: Coverage
    fee_micros_per_hour: int
    covered_micros_per_hour: int
    account: Account
    from_ms: int
    until_ms: int | None = None

    @property
    def ref(self) -> Ref:
        return self.account.ref

    @property
    def order(self) -> tuple[bool, int, str, int]:
        """Of machines first, then by what each unit of covered use costs."""
        each = self.fee_micros_per_hour * 1_000_000 // max(1, self.covered_micros_per_hour)
        return (not self.coverage.is_of_machines, each, self.ref.absolute, self.from_ms)

    def in_hour(self, hour_ms: int) -> tuple[int, int]:
        """What it covers in an hour of which it stood only a part, and what that costs."""
        until_ms = hour_ms + HOUR_MS if self.until_ms is None else min(self.until_ms, hour_ms + HOUR_MS)
        stood_ms = max(0, until_ms - max(self.from_ms, hour_ms))
        return self.covered_micros_per_hour * stood_ms // HOUR_MS, self.fee_micros_per_hour * stood_ms // HOUR_MS


@dataclass(frozen=True, slots=True)
class Key:
    """Whose use it was: an account's, a part of its object, a SKU at a price book."""

    account: Account
    part: str
    sku: str
    book: str

    @property
    def order(self) -> tuple[str, Labels, str, str, str]:
        """By names, which are the same whenever what they name became known."""
        return self.account.ref.absolute, self.account.labels, self.part, self.sku, self.book


@dataclass(frozen=True, slots=True)
class Use:
    """What one used in an hour: micro-units on demand, and quantity x milliseconds. Less than nothing is none.

    `meter` is one that counted it, which knows the price.
    """

    key: Key
    micros: int
    used: int
    meter: int = 0


@dataclass(frozen=True, slots=True)
class Cover:
    """What a commitment pays of one's use in an hour, at prices on demand, and what that costs of its fee."""

    micros: int = 0
    fee_micros: int = 0
    used: int = 0


Covers = Mapping[tuple[Ref, Key], Cover]


def terms_of(account: Account, coverage: Coverage, books: Mapping[str, PriceBook], from_ms: int) -> Terms:
    """What a commitment covers in money. One of machines that nobody knows the price of covers nothing."""
    book = books.get(coverage.books[0]) if coverage.is_of_machines else None
    price = book.price(CPU) if book is not None and book.is_whole else None
    covered = coverage.covered_micros_per_hour(price.micros if price is not None else None)
    return Terms(coverage, coverage.fee_micros_per_hour, covered or 0, account, from_ms)


def covers_of(uses: Iterable[Use], terms: Iterable[Terms], hour_ms: int) -> Covers:
    """Who has what of each commitment in one hour."""
    left = {use.key: use for use in uses if use.micros > 0}
    order = sorted(left, key=lambda key: key.order)
    rest = {key: left[key].micros for key in order}
    found: dict[tuple[Ref, Key], Cover] = {}
    for each in sorted(terms, key=lambda each: each.order):
        capacity, fee = each.in_hour(hour_ms)
        free = capacity
        mine = [key for key in order if each.coverage.covers(key.book, key.sku)]
        tiers = [[key for key in mine if key.account.ref.stack == each.ref.stack]]
        if each.coverage.is_shared:
            tiers.append([key for key in mine if key.account.ref.stack != each.ref.stack])
        for tier in tiers:
            for key, micros in _shared_out(free, {key: rest[key] for key in tier}):
                cost = _part(fee, capacity - free + micros, capacity) - _part(fee, capacity - free, capacity)
                free, rest[key] = free - micros, rest[key] - micros
                was, use = found.get((each.ref, key), Cover()), left[key]
                used = _part(use.used, was.micros + micros, use.micros)
                found[each.ref, key] = Cover(was.micros + micros, was.fee_micros + cost, used)
    return found


def difference(before: Covers, after: Covers) -> Covers:
    """What has to be posted so that what was posted for one answer holds for another."""
    nothing = Cover()
    found = {}
    for each in {**before, **after}:
        was, now = before.get(each, nothing), after.get(each, nothing)
        if was != now:
            found[each] = Cover(now.micros - was.micros, now.fee_micros - was.fee_micros, now.used - was.used)
    return found


def hours_of(from_ms: int, to_ms: int, micros: int, used: int) -> Iterator[tuple[int, int, int]]:
    """What a line counts for, by the hour, as (when that begins, micro-units, quantity x milliseconds): as if it were
    used evenly. The parts add up to the whole."""
    first, last = sorted((from_ms, to_ms))
    length, at, told_micros, told_used = max(1, last - first), first, 0, 0
    while True:
        hour_ms = at // HOUR_MS * HOUR_MS
        at = min(hour_ms + HOUR_MS, max(last, first + 1))
        so_far = (micros * (at - first) // length, used * (at - first) // length)
        yield hour_ms, so_far[0] - told_micros, so_far[1] - told_used
        told_micros, told_used = so_far
        if at >= last:
            return


@dataclass(frozen=True, slots=True)
class Counted:
    """What is to be posted for one hour stands on meters of its own, each of one line."""

    meter: Meter
    line: Line


def postings(
    covers: Covers,
    payers: Mapping[Ref, Account],
    prices: Mapping[Key, Price],
    hour_ms: int,
    now_ms: int,
) -> Iterator[Counted]:
    """The lines of an hour: each use's price on demand is taken back and its share of the fee takes its place; what all
    have of a commitment's fee is taken off that, whose account `payers` names. So what was paid is moved, and nothing
    is added to it."""
    passed_on: dict[Ref, int] = {}
    for (ref, key), cover in sorted(covers.items(), key=lambda item: (item[0][0], item[0][1].order)):
        price = prices.get(key)
        if cover.micros or cover.used:
            what = _What(key.account, key.part, key.sku + COVERED, key.book, ref, price)
            yield _counted(what, -cover.micros, -cover.used, hour_ms, now_ms)
        if cover.fee_micros or cover.used:
            what = _What(key.account, key.part, key.sku + COMMITTED, key.book, ref, price, is_of_fee=True)
            yield _counted(what, cover.fee_micros, cover.used, hour_ms, now_ms)
        passed_on[ref] = passed_on.get(ref, 0) + cover.fee_micros
    for ref, micros in sorted(passed_on.items()):
        if micros:
            what = _What(payers[ref], "", USED, ref.absolute, ref, Price(1, 1, HOUR_S), is_of_fee=True)
            yield _counted(what, -micros, -micros * HOUR_MS, hour_ms, now_ms)


@dataclass(frozen=True, slots=True)
class _What:
    account: Account
    part: str
    sku: str
    book: str
    commitment: Ref
    price: Price | None
    is_of_fee: bool = False
    """It is owed to the commitment, and not at the book."""


def _counted(what: _What, micros: int, used: int, hour_ms: int, now_ms: int) -> Counted:
    expense = f"expense:{what.account.ref.absolute}"
    payable = f"payable:{what.commitment.absolute if what.is_of_fee else what.book}"
    thing = ThingId(what.account.ref, what.part)
    meter = Meter(
        thing=thing,
        sku=what.sku,
        book=what.book,
        price=what.price,
        opened_ms=now_ms,
        settled=used,
        posted=used,
        posted_micros=micros,
        posted_until_ms=hour_ms + HOUR_MS,
        lines=1,
        closed_ms=now_ms,
        account=what.account.id,
        labels=what.account.labels,
    )
    line = Line(
        meter=0,
        number=1,
        thing=thing,
        sku=what.sku,
        from_ms=hour_ms,
        to_ms=hour_ms + HOUR_MS,
        used=used,
        micros=abs(micros),
        debit=expense if micros >= 0 else payable,
        credit=payable if micros >= 0 else expense,
        day=day_of(hour_ms),
        entry=what.commitment.absolute,
        who=WHO,
    )
    return Counted(meter, line)


def _shared_out(amount: int, wants: Mapping[Key, int]) -> Iterator[tuple[Key, int]]:
    """Parts of an amount in proportion, as whole numbers that add up to it; nobody has more than he wants."""
    total = sum(wants.values())
    taken, before = min(amount, total), 0
    for key, want in wants.items():
        part = _part(taken, before + want, total) - _part(taken, before, total)
        before += want
        if part:
            yield key, part


def _part(amount: int, share: int, whole: int) -> int:
    return amount * share // whole if whole else 0


def at_rates(meters: Sequence[Meter], terms: Iterable[Terms]) -> tuple[Meter, ...]:
    """The meters with what commitments take off the rate of each, if all runs on for an hour as it does now: what is
    covered costs its share of the fee, and a fee what is left of it."""
    fees = {meter.thing.ref for meter in meters if meter.sku == FEE and meter.is_running}
    stand = [replace(each, from_ms=0) for each in terms if each.until_ms is None and each.ref in fees]
    if not stand:
        return tuple(meters)
    keys = {meter.id: Key(Account(meter.thing.ref, meter.labels), meter.thing.part, meter.sku, meter.book)
            for meter in meters if meter.is_running and meter.source is None and meter.price is not None}  # fmt: skip
    uses = [Use(keys[m.id], m.price.hourly_micros(m.quantity), 0) for m in meters if m.id in keys and m.price]
    saved: dict[Key, int] = {}
    passed_on: dict[Ref, int] = {}
    for (ref, key), cover in covers_of(uses, stand, 0).items():
        saved[key] = saved.get(key, 0) + cover.micros - cover.fee_micros
        passed_on[ref] = passed_on.get(ref, 0) + cover.fee_micros
    return tuple(
        replace(m, covered_micros_per_hour=passed_on.get(m.thing.ref, 0) if m.sku == FEE else saved.get(keys[m.id], 0))
        if m.id in keys
        else m
        for m in meters
    )


def left_for(stack: str, meters: Iterable[Meter], terms: Iterable[Terms]) -> tuple[Terms, ...]:
    """What commitments that other stacks share leave for a stack, if all that runs elsewhere goes on as it does now.

    That of others goes before it, so that it is promised no more than it gets.
    """
    stand = [replace(each, from_ms=0) for each in terms if each.until_ms is None]
    offered = [each for each in stand if each.coverage.is_shared and each.ref.stack != stack]
    if not offered:
        return ()
    uses = [
        Use(Key(Account(m.thing.ref, m.labels), m.thing.part, m.sku, m.book), m.price.hourly_micros(m.quantity), 0)
        for m in meters
        if m.is_running and m.source is None and m.price is not None and m.thing.ref.stack != stack
    ]
    taken: dict[Ref, int] = {}
    for (ref, _key), cover in covers_of(uses, stand, 0).items():
        taken[ref] = taken.get(ref, 0) + cover.micros
    left = [(each, each.covered_micros_per_hour - taken.get(each.ref, 0)) for each in offered]
    return tuple(_with_left(each, micros) for each, micros in left if micros > 0)


def _with_left(terms: Terms, micros: int) -> Terms:
    fee = _part(terms.fee_micros_per_hour, micros, terms.covered_micros_per_hour)
    return replace(terms, covered_micros_per_hour=micros, fee_micros_per_hour=fee)


def standing(terms: Sequence[Terms], hour_ms: int) -> list[Terms]:
    """Those that stood in an hour at all."""
    return [t for t in terms if t.from_ms < hour_ms + HOUR_MS and (t.until_ms is None or t.until_ms > hour_ms)]


def changed(now: Terms, stands: Terms | None) -> bool:
    """Whether a commitment is another than it was, its beginning aside."""
    return stands is None or replace(stands, from_ms=now.from_ms) != now
