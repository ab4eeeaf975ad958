"""Who pays on demand though a reclaim would cost it little? Only what survives one is told of."""

from collections.abc import Iterator

from weyr.ledger.advice.amounts import difference, monthly
from weyr.ledger.advice.values import Change, Confidence, Looked, Rule, Saving, Subject

REDONE_MILLI = 50
"""What is computed twice after reclaims, of all that is computed: part of the price of spot."""


def spot(subject: Subject, _looked: Looked) -> Iterator[Saving]:
    """At the spot price of its own book, with what is computed twice on top. An unknown spot price is no offer."""
    asked = subject.asked
    if asked is None or not asked.may_be_spot or asked.is_spot or asked.is_on_pool or not asked.survives:
        return
    on_demand = monthly(subject.prices, asked.quantities(is_spot=False), subject.ran_hours)
    again = subject.ran_hours * (1000 + REDONE_MILLI) / 1000
    saved = difference(on_demand, monthly(subject.prices, asked.quantities(is_spot=True), again))
    if saved is None or saved <= 0:
        return
    detail = f"it ran {subject.ran_hours:.3g} hours on demand in the last month, and {asked.survives}."
    change = Change(subject.ref, ("spot",), True, False)
    yield Saving(Rule.SPOT, subject.ref, detail, saved, Confidence.MEDIUM, (change,))
