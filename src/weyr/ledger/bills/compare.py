"""Where do a bill and the journal differ, and why? Object by object, measure by measure, day by day. Pure.

Both sides are added up by the same keys. Where one side has whole machines and the other their parts, or where a row
is of more than a day, that object is compared as a whole: a finer figure would be made up.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import TypeVar

from weyr.core.ref import Ref
from weyr.core.units import MICROS
from weyr.ledger.bills.bill import Bill, Cell, Resource
from weyr.ledger.bills.fees import fees_of
from weyr.ledger.bills.owners import Owners
from weyr.ledger.bills.posted import Posted
from weyr.ledger.bills.values import (
    COMPUTING,
    DAY_MS,
    HOUR_MS,
    Difference,
    Kind,
    Measure,
    Ours,
    Owned,
    Reason,
    Theirs,
)  # fmt: skip
from weyr.ledger.journal import day_of

DUST_MICROS = 10
"""A day's difference of less is what is left of rounding: meters round down, providers at the ninth digit or so."""
Place = Callable[[Owned], Owned]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Compared:
    """A bill beside the journal. `nobodys`: what no object is known for, by resource, dearest first."""

    differences: tuple[Difference, ...]
    nobodys: tuple[tuple[Resource, int], ...]

    @property
    def is_equal(self) -> bool:
        return not any(each.reasons for each in self.differences) and not self.nobodys


def compare(bill: Bill, posted: Posted, owners: Owners) -> Compared:
    """Puts a bill beside what was posted of the days that it is of."""
    fees = fees_of(bill, posted, owners)
    cells = [(fees.get(key[0]) or owners.of(key[0]), key, cell) for key, cell in bill.cells.items()]
    within = {at: ours for at, ours in posted.found.items() if bill.first_day <= at.day <= bill.last_day}
    place = _place(bill, within, [(ref, key[1], key[3] - key[2]) for ref, key, _ in cells])
    theirs: dict[Owned, Theirs] = {}
    nobodys: dict[Resource, Decimal] = {}
    for ref, (resource, measure, from_ms, to_ms), cell in cells:
        if ref is None:
            nobodys[resource] = nobodys.get(resource, Decimal(0)) + sum(cell.amounts.values(), Decimal(0))
        else:
            at = place(Owned(ref, measure, day_of(from_ms)))
            _add(theirs.setdefault(at, Theirs()), cell, from_ms, to_ms)
    ours = _placed(within, place)
    micros = rounded({at: sum(each.amounts.values(), Decimal(0)) for at, each in theirs.items()}, _order)
    found = [
        _difference(at, ours.get(at, Ours()), theirs.get(at), micros.get(at, 0), bill.provider)
        for at in sorted(ours.keys() | theirs.keys(), key=_order)
    ]
    told = rounded(nobodys, lambda resource: (resource.id, resource.what, resource.tags))
    return Compared(tuple(found), tuple(sorted(told.items(), key=lambda each: -abs(each[1]))))


def rounded(amounts: Mapping[Key, Decimal], order: Callable[[Key], object]) -> dict[Key, int]:
    """Amounts in whole micro-units that add up to their sum, rounded once: what one loses the next one has."""
    exact, given, found = Decimal(0), 0, dict[Key, int]()
    for key in sorted(amounts, key=order):  # type: ignore[arg-type]  # an order is whatever can be compared
        exact += amounts[key]
        found[key] = int((exact * MICROS).to_integral_value(ROUND_HALF_EVEN)) - given
        given += found[key]
    return found


def _place(bill: Bill, ours: Mapping[Owned, Ours], theirs: Iterable[tuple[Ref | None, Measure, int]]) -> Place:
    """Where an amount is compared: under a key that both sides can tell."""
    mine, other = defaultdict[Ref | None, set[Measure]](set), defaultdict[Ref | None, set[Measure]](set)
    whole = set[tuple[Ref | None, Measure]]()
    for at, each in ours.items():
        if each.micros or each.quantity:
            mine[at.ref].add(at.measure)
    for ref, measure, long_ms in theirs:
        other[ref].add(measure)
        if long_ms > DAY_MS:
            whole.add((ref, measure))
    mixed = {ref for ref in mine if _is_mixed(mine[ref] & set(COMPUTING), other[ref] & set(COMPUTING))}
    whole |= {(ref, Measure.COMPUTE) for ref, measure in whole if measure in COMPUTING}

    def place(at: Owned) -> Owned:
        measure = Measure.COMPUTE if at.ref in mixed and at.measure in COMPUTING else at.measure
        return Owned(at.ref, measure, bill.last_day if (at.ref, measure) in whole else at.day)

    return place


def _is_mixed(mine: set[Measure], other: set[Measure]) -> bool:
    return bool(mine) and bool(other) and mine != other


def _placed(found: Mapping[Owned, Ours], place: Place) -> dict[Owned, Ours]:
    sums: dict[Owned, Ours] = {}
    for at, each in found.items():
        have = sums.setdefault(place(at), Ours())
        for kind, micros in each.kinds.items():
            have.kinds[kind] = have.kinds.get(kind, 0) + micros
        have.count(each.quantity, each.hours)
        for reason, micros in each.posted.items():
            have.posted[reason] = have.posted.get(reason, 0) + micros
        for book, micros in each.books.items():
            have.books[book] = have.books.get(book, 0) + micros
    return sums


def _add(theirs: Theirs, cell: Cell, from_ms: int, to_ms: int) -> None:
    for kind, amount in cell.amounts.items():
        theirs.amounts[kind] = theirs.amounts.get(kind, Decimal(0)) + amount
    is_hourly = cell.quantity is not None and to_ms - from_ms <= HOUR_MS
    theirs.count(cell.quantity, {from_ms // HOUR_MS} if is_hourly and cell.quantity else ())


def _difference(at: Owned, ours: Ours, theirs: Theirs | None, micros: int, provider: str) -> Difference:
    reasons: dict[Reason, int] = {}
    amounts = {} if theirs is None else theirs.amounts
    metered, used = ours.kinds.get(Kind.USAGE, 0), micros
    for kind in sorted((amounts.keys() | ours.kinds.keys()) - {Kind.USAGE}) if theirs is not None else ():
        billed = int((amounts.get(kind, Decimal(0)) * MICROS).to_integral_value(ROUND_HALF_EVEN))
        reasons[Reason(kind.value)] = billed - ours.kinds.get(kind, 0)
        used -= billed
    is_comparable = at.measure is not Measure.COMPUTE and theirs is not None
    quantities = (ours.quantity, theirs.quantity) if is_comparable and theirs is not None else (None, None)
    if theirs is None:
        reasons[Reason.UNBILLED] = -ours.micros
    elif Kind.USAGE in amounts and metered:
        reasons |= _explained(metered, used, *quantities)
    elif Kind.USAGE in amounts:
        reasons[Reason.UNMETERED] = used
    else:
        reasons |= {Reason.ROUNDING: used, Reason.UNBILLED: -metered}
    hours = theirs.hours if theirs else set[int](), ours.hours
    tells = bool(hours[0]) and bool(hours[1]) and Reason.QUANTITY in reasons
    return Difference(
        at=at,
        metered_micros=ours.micros,
        theirs_micros=micros,
        reasons={reason: each for reason, each in reasons.items() if each},
        posted=ours.posted,
        book=max(ours.books, key=lambda book: (ours.books[book], book)) if ours.books else provider,
        is_billed=theirs is not None,
        ours_quantity=quantities[0],
        theirs_quantity=quantities[1],
        only_ours=tuple(sorted(hours[1] - hours[0])) if tells else (),
        only_theirs=tuple(sorted(hours[0] - hours[1])) if tells else (),
    )


def _explained(metered: int, billed: int, ours: Decimal | None, theirs: Decimal | None) -> dict[Reason, int]:
    """What the other quantity makes, at our price, and what the other price makes, of their quantity."""
    if abs(billed - metered) < DUST_MICROS:
        return {Reason.ROUNDING: billed - metered}
    if ours is None or theirs is None or ours <= 0:
        return {Reason.AMOUNT: billed - metered}
    by_quantity = round(metered * (Fraction(theirs) - Fraction(ours)) / Fraction(ours))
    if abs(by_quantity) < DUST_MICROS:
        by_quantity = 0
    return {Reason.QUANTITY: by_quantity, Reason.PRICE: billed - metered - by_quantity}


def _order(at: Owned) -> tuple[str, str, str]:
    return at.ref.absolute if at.ref else "", at.measure.value, at.day
