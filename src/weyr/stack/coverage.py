"""What of a month's cost do a stack's commitments pay? By the function that the ledger settles each hour with. Pure.

An estimate says how long something runs in a month, and not when. All of it is taken to run at the same time, what runs
longest alone at the end: then a commitment covers the least, and a plan promises no more than comes true.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from weyr.core.assumptions import HOURS_A_MONTH
from weyr.core.commitments import Coverage
from weyr.core.metering import Account
from weyr.core.ref import Ref
from weyr.core.units import money_text
from weyr.ledger.commitments import Cover, Key, Terms, Use, covers_of, terms_of
from weyr.ledger.prices import PriceBook
from weyr.stack.steps import Amount, CommitmentUse, CostLine, ObjectCost

Lines = Mapping[Ref, Sequence[CostLine]]
Paid = Mapping[tuple[Ref, Ref], Cover]
"""What a commitment pays of an object in a month, and what that costs of its fee."""


def with_commitments(
    costs: Sequence[ObjectCost],
    before: Lines,
    stood: Mapping[Ref, Coverage],
    stands: Mapping[Ref, Coverage],
    book: object,
    shared: Sequence[Terms] = (),
) -> list[ObjectCost]:
    """The costs as they are with commitments: what is covered at what it effectively costs, and each commitment at what
    of its fee nobody uses. `before` are the lines of what stands, with the commitments that `stood`; `shared` is what
    other stacks leave of theirs."""
    if not stood and not stands and not shared:
        return list(costs)
    was = _paid(before, (*_terms(stood, book), *shared), book)
    after = {cost.ref: cost.lines for cost in costs}
    terms = _terms(stands, book)
    paid = _paid(after, (*terms, *shared), book)
    found = [_effective(cost, was, paid) for cost in costs]
    return [_told(cost, terms, paid, after, book) for cost in found]


@dataclass(frozen=True, slots=True)
class Covered:
    """What a plan's objects cost, and what pays for it: to ask what it would come to if one were had otherwise."""

    lines: Lines
    stands: Mapping[Ref, Coverage]
    shared: Sequence[Terms]
    book: object

    @property
    def is_any(self) -> bool:
        """Whether there is anything that pays."""
        return bool(self.stands or self.shared)

    def instead(self, ref: Ref, lines: Sequence[CostLine], book: str) -> tuple[int, int]:
        """What one object costs with these lines, at this book, and how much more all of it then costs: what it leaves
        of a commitment others may use, and what nobody then uses is paid for nothing."""
        terms = (*_terms(self.stands, self.book), *self.shared)
        was = _paid(self.lines, terms, self.book)
        paid = _paid({**self.lines, ref: lines}, terms, self.book, {ref: book})
        own = sum(cover.fee_micros - cover.micros for (_, user), cover in paid.items() if user == ref)
        more = _listed(lines) - _listed(self.lines.get(ref, ())) + _saved(was, ref.stack) - _saved(paid, ref.stack)
        return _listed(lines) + own, more


def _listed(lines: Iterable[CostLine]) -> int:
    return sum(line.micros or 0 for line in lines)


def _saved(paid: Paid, stack: str) -> int:
    """What commitments take off the cost of all. The fee of one's own is owed anyway, a part of another's is not."""
    return sum(cover.micros - (0 if ref.stack == stack else cover.fee_micros) for (ref, _), cover in paid.items())


def _terms(coverages: Mapping[Ref, Coverage], book: object) -> tuple[Terms, ...]:
    books = {book.name: book} if isinstance(book, PriceBook) else {}
    return tuple(terms_of(Account(ref), coverage, books, 0) for ref, coverage in coverages.items())


def _paid(lines: Lines, terms: Sequence[Terms], book: object, books: Mapping[Ref, str] = MappingProxyType({})) -> Paid:
    """Between two moments at which something ends, the same runs in every hour: one answer holds for all of them.

    Takes: `books`, where one is not at the stack's book.
    """
    name = getattr(book, "name", "")
    hours = {ref: min(HOURS_A_MONTH, max((line.hours for line in own), default=0.0)) for ref, own in lines.items()}
    found: dict[tuple[Ref, Ref], tuple[float, float]] = {}
    for begins, ends in pairwise((0.0, *sorted({each for each in hours.values() if each}))):
        runs = [(ref, own) for ref, own in lines.items() if hours[ref] >= ends]
        uses = [use for ref, own in runs for use in _uses(ref, own, hours[ref], books.get(ref, name))]
        for (commitment, key), cover in covers_of(uses, terms, 0).items():
            micros, fee = found.get((commitment, key.account.ref), (0.0, 0.0))
            for_h = ends - begins
            found[commitment, key.account.ref] = micros + cover.micros * for_h, fee + cover.fee_micros * for_h
    return _whole(found)


def _whole(found: Mapping[tuple[Ref, Ref], tuple[float, float]]) -> Paid:
    """In whole micro-units, so that what all have of a commitment adds up to what is used of it."""
    so_far: dict[Ref, tuple[float, float]] = {}
    paid = {}
    for (commitment, user), (micros, fee) in found.items():
        was = so_far.get(commitment, (0.0, 0.0))
        now = so_far[commitment] = was[0] + micros, was[1] + fee
        paid[commitment, user] = Cover(round(now[0]) - round(was[0]), round(now[1]) - round(was[1]))
    return paid


def _uses(ref: Ref, lines: Iterable[CostLine], hours: float, book: str) -> Iterable[Use]:
    """What it uses in each hour in which it runs."""
    for number, line in enumerate(lines):
        if line.micros:
            yield Use(Key(Account(ref), str(number), line.sku, book), round(line.micros / hours), 0)


def _effective(cost: ObjectCost, was: Paid, paid: Paid) -> ObjectCost:
    before, after = _after(cost.ref, cost.before, was), _after(cost.ref, cost.after, paid)
    mine = [(ref, cover) for (ref, user), cover in paid.items() if user == cost.ref]
    notes = tuple(
        f"{money_text(cover.micros)} of {money_text(cost.after.micros)} on demand covered by {name} "
        f"for {money_text(cover.fee_micros)}"
        + ("" if ref.stack == cost.ref.stack else f", as long as {ref.stack} leaves that of it")
        for ref, cover in mine
        for name in (str(ref) if ref.stack == cost.ref.stack else ref.absolute,)
    )
    return replace(cost, before=before, after=after, notes=(*cost.notes, *notes))


def _after(ref: Ref, amount: Amount, paid: Paid) -> Amount:
    """What is left of an amount: a share of a fee instead of what is covered, or of a fee what was not passed on."""
    change = sum(cover.fee_micros - cover.micros for (_, user), cover in paid.items() if user == ref)
    change -= sum(cover.fee_micros for (commitment, _), cover in paid.items() if commitment == ref)
    if not change:
        return amount
    micros = amount.micros + change
    ends = (max(0, min(amount.least + change, micros)), amount.most + change) if amount.ends else None
    return Amount(micros, amount.unpriced, ends)


def _told(cost: ObjectCost, terms: Sequence[Terms], paid: Paid, lines: Lines, book: object) -> ObjectCost:
    """A commitment says how well it is used."""
    mine = next((each for each in terms if each.ref == cost.ref), None)
    if mine is None:
        return cost
    name = getattr(book, "name", "")
    could = sum(line.micros or 0 for own in lines.values() for line in own if mine.coverage.covers(name, line.sku))
    use = CommitmentUse(
        fee_micros=round(mine.fee_micros_per_hour * HOURS_A_MONTH),
        covers_micros=round(mine.covered_micros_per_hour * HOURS_A_MONTH),
        covered_micros=sum(cover.micros for (ref, _), cover in paid.items() if ref == cost.ref),
        coverable_micros=could,
    )
    return replace(cost, commitment=use, notes=(*cost.notes, _said(use)))


def _said(use: CommitmentUse) -> str:
    fee = f"{money_text(use.fee_micros)} a month, of which {use.utilisation:.0%} is used"
    if not use.coverable_micros:
        return f"{fee}; nothing in this stack is what it covers"
    return f"{fee}; it covers {use.coverage:.0%} of the {money_text(use.coverable_micros)} that it could"
