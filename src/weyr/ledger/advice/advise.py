"""What is wasted? Every rule over every object, dearest first. Pure."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from weyr.core.ref import Ref
from weyr.core.units import HOUR_S, MONTH_S, money_text
from weyr.ledger.advice.amounts import WEEK_S, sureness
from weyr.ledger.advice.commitment import Terms, best_commitment
from weyr.ledger.advice.idle import idle_devices, idle_nodes, idle_sessions
from weyr.ledger.advice.oversized import oversized
from weyr.ledger.advice.spot import spot
from weyr.ledger.advice.storage import old_checkpoints, unused_buckets
from weyr.ledger.advice.traffic import no_traffic
from weyr.ledger.advice.values import Looked, Rule, Saving, Subject
from weyr.ledger.journal import DAY_MS, day_of

Judge = Callable[[Subject, Looked], Iterator[Saving]]

RULES: tuple[Judge, ...] = (
    idle_nodes, idle_devices, idle_sessions, oversized, no_traffic, old_checkpoints, unused_buckets, spot,
)  # fmt: skip


def savings_of(subjects: Iterable[Subject], looked: Looked) -> tuple[Saving, ...]:
    """Every finding that is worth telling. One whose price is unknown is told too, after those that have one."""
    found = [saving for subject in subjects for rule in RULES for saving in rule(subject, looked)]
    worth = [s for s in found if s.micros_per_month is None or s.micros_per_month >= looked.least_micros]
    return tuple(sorted(worth, key=lambda s: (s.micros_per_month is None, -(s.micros_per_month or 0), s.id)))


def commitments_of(
    stack: str, hourly: Sequence[int], offers: Iterable[Terms], looked: Looked, taken: Collection[str] = ()
) -> tuple[Saving, ...]:
    """The commitment that would have saved most on a stack's own past. Less than a week says nothing of a year."""
    if len(hourly) * HOUR_S < WEEK_S:
        return ()
    found = [best for terms in offers if (best := best_commitment(hourly, terms))]
    best = max(found, key=lambda each: each.saved_micros, default=None)
    if best is None:
        return ()
    monthly = best.saved_micros * MONTH_S // (best.hours * HOUR_S)
    if monthly < looked.least_micros:
        return ()
    detail = (
        f"{best.terms.name} for {money_text(best.paid_micros_per_hour)} per hour would have covered "
        f"{money_text(best.covered_micros_per_hour)} of use on demand: it pays where {best.needed_milli / 10:g} % of "
        f"the hours use it, and {best.used_milli / 10:g} % of the last {best.hours} did."
    )
    by_hand = f"it binds for {best.terms.months} months: buy it with the provider, and write it down as a commitment"
    ref = Ref(stack, "stack", stack)
    confidence = sureness(best.hours * HOUR_S / 4)  # four weeks, for a year
    if best.terms.machine is None:
        return (Saving(Rule.COMMITMENT, ref, detail, monthly, confidence, by_hand=by_hand),)
    until = day_of(looked.now_ms + best.terms.months // 12 * 365 * DAY_MS)
    change = best.changed(Ref(stack, "commitment", _free_name(best.terms.machine.book, taken)), until)
    detail += f" Buy {best.machines} with the provider first; the change only writes down that it was bought."
    owed = f"{money_text(best.paid_micros_per_hour)} per hour is owed for {best.terms.months} months, used or not"
    return (Saving(Rule.COMMITMENT, ref, detail, monthly, confidence, (change,), by_hand, owed),)


def _free_name(book: str, taken: Collection[str]) -> str:
    """A name of the machine for the commitment that no other has."""
    name = re.sub(r"[^a-z0-9]+", "-", book.rpartition("/")[2].lower()).strip("-")
    name = f"m-{name}"[:36] if not name[:1].isalpha() else name[:36]
    return next(each for each in (name, *(f"{name}-{n}" for n in range(2, 1000))) if each not in taken)


def total_micros(savings: Iterable[Saving]) -> int:
    """What they come to in a month. Of several for one object the largest: they may be about the same money."""
    largest: dict[Ref, int] = {}
    for saving in savings:
        largest[saving.ref] = max(largest.get(saving.ref, 0), saving.micros_per_month or 0)
    return sum(largest.values())
