"""Who pays on demand though a reclaim would cost it little? Only what survives one is told of."""

from collections.abc import Iterator

from weyr.ledger.advice.amounts import difference, monthly
from weyr.ledger.advice.values import Change, Confidence, Looked, Rule, Saving, Subject


def spot(subject: Subject, _looked: Looked) -> Iterator[Saving]:
    """At the spot price of its own book, with what is computed twice on top. An unknown spot price is no offer."""
    asked, could = subject.asked, subject.interruptible
    if asked is None or could is None or asked.is_spot or asked.is_on_pool:
        return
    on_demand = monthly(subject.prices, asked.quantities(is_spot=False), could.hours)
    again = could.hours * (1000 + could.redone_milli) / 1000
    saved = difference(on_demand, monthly(subject.prices, asked.quantities(is_spot=True), again))
    if saved is None or saved <= 0:
        return
    detail = f"it ran {could.hours:.3g} hours on demand in the last month that need not be: {could.survives}."
    change = Change(subject.ref, could.path, True, False)
    yield Saving(Rule.SPOT, subject.ref, detail, saved, Confidence.MEDIUM, (change,))
