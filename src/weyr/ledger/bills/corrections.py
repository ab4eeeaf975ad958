"""What is to be posted so that the journal comes to what was billed? Pure.

Each reason is brought to where it should be: what earlier bills had posted for it is subtracted. The same bill again
posts nothing, a later state of it only what has changed since, and a third one may take that back.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from weyr.core.metering import Labels
from weyr.core.ref import Ref
from weyr.ledger.bills.bill import Bill
from weyr.ledger.bills.compare import Compared
from weyr.ledger.bills.posted import ENTRY, Posted, sku_of
from weyr.ledger.bills.values import Difference, Measure, Reason


@dataclass(frozen=True, slots=True)
class Correction:
    """An amount for one object and day; less than nothing where it has some back."""

    ref: Ref
    measure: Measure
    reason: Reason
    micros: int
    day: str
    book: str
    labels: Labels = ()

    @property
    def sku(self) -> str:
        return sku_of(self.measure, self.reason)


def corrections(compared: Compared, posted: Posted, takes_back: bool = False) -> tuple[Correction, ...]:
    """All that is to be posted. `takes_back`: also what objects cost that the bill knows nothing of; otherwise that
    stays, because prices of a cloud may be shadow prices of one's own machines."""
    billed = {each.at.ref for each in compared.differences if each.is_billed}
    return tuple(
        Correction(
            each.at.ref, each.at.measure, reason, micros, each.at.day, each.book, posted.labels.get(each.at.ref, ())
        )
        for each in compared.differences
        if each.at.ref is not None
        for reason, micros in _missing(each, takes_back or each.at.ref in billed)
    )


def id_of(bill: Bill, found: Sequence[Correction], posted: Posted) -> str:
    """Under which id these are posted. Two who post the same bill at once have the same one: one of them posts."""
    told = [[c.ref.absolute, c.sku, c.micros, c.day, c.book] for c in found]
    digest = sha256(json.dumps([posted.newest, told]).encode()).hexdigest()[:16]
    return f"{ENTRY}{bill.provider}-{bill.first_day}-{bill.last_day}-{digest}"


def _missing(each: Difference, takes_back: bool) -> Iterator[tuple[Reason, int]]:
    for reason in Reason:
        wanted = each.reasons.get(reason, 0)
        if reason is Reason.UNBILLED and wanted and not takes_back:
            continue
        if micros := wanted - each.posted.get(reason, 0):
            yield reason, micros
