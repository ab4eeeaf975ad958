"""What does the journal have of what a provider is owed? Its lines, added up by object, measure and day. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from weyr.core.commitments import COVERED, FEE
from weyr.core.metering import Labels, Line
from weyr.core.ref import Ref, ThingId
from weyr.ledger.bills.measures import measure_of_sku, quantity_of
from weyr.ledger.bills.values import HOUR_MS, Kind, Measure, Ours, Owned, Reason

ENTRY, SKU = "bill-", "bill."
"""How the id of an entry that a bill posted begins, and the SKUs of its lines."""
LATE, CORRECTS = "late, of ", "corrects "


@dataclass(slots=True)
class Posted:
    """The journal's side. `newest` is the last line that an earlier bill had posted, 0 for none."""

    found: dict[Owned, Ours] = field(default_factory=dict)
    things: set[ThingId] = field(default_factory=set)
    labels: dict[Ref, Labels] = field(default_factory=dict)
    newest: int = 0


def is_owed_to(book: str, provider: str, books: Iterable[str]) -> bool:
    """Whether what is owed to a book is owed to a provider: `aws/fargate` to `aws`, and what a person names."""
    return book == provider or book.startswith(f"{provider}/") or book in books


def owed_to(line: Line) -> str:
    """Who outside is owed a line, such as `aws/fargate`; "" where it only moves what somebody owes already."""
    outside = (account for account in (line.credit, line.debit) if account.startswith("payable:"))
    return next(outside, "").removeprefix("payable:")


def sku_of(measure: Measure, reason: Reason) -> str:
    """Under which SKU a difference is posted: `bill.instance.price`."""
    return f"{SKU}{measure}.{reason}"


def day_meant(line: Line) -> str:
    """The day that a line is of, also where it counts for a later one because that month was closed."""
    return line.note.removeprefix(LATE)[:10] if line.note.startswith(LATE) else line.day


def add(posted: Posted, line: Line, book: str, labels: Labels) -> None:
    """Adds a line that is owed to the provider."""
    is_posted = line.entry.startswith(ENTRY) and line.sku.startswith(SKU)
    measure, reason = _posted_as(line.sku) if is_posted else (measure_of_sku(line.sku), Reason.AMOUNT)
    ours = posted.found.setdefault(Owned(line.thing.ref, measure, day_meant(line)), Ours())
    ours.books[book] = ours.books.get(book, 0) + line.micros
    posted.things.add(line.thing)
    posted.labels[line.thing.ref] = labels
    if is_posted:
        posted.newest = max(posted.newest, line.seq)
        ours.posted[reason] = ours.posted.get(reason, 0) + line.signed_micros
        return
    kind = _kind_of(line.sku)
    ours.kinds[kind] = ours.kinds.get(kind, 0) + line.signed_micros
    if kind is Kind.USAGE and not line.note.startswith(CORRECTS):
        # A correction is of the amount; what was used stays what it was.
        quantity = quantity_of(line)
        ours.count(quantity, {} if quantity is None else by_hour(quantity, line.from_ms, line.to_ms))


def by_hour(quantity: Decimal, from_ms: int, to_ms: int) -> dict[int, Decimal]:
    """A quantity, shared out evenly among the hours since 1970 between two moments, in whichever order they come."""
    first_ms, last_ms = min(from_ms, to_ms), max(from_ms, to_ms, from_ms + 1)
    first, last = first_ms // HOUR_MS, (last_ms - 1) // HOUR_MS
    if first == last:
        return {first: quantity}
    return {
        hour: quantity * (min(last_ms, (hour + 1) * HOUR_MS) - max(first_ms, hour * HOUR_MS)) / (last_ms - first_ms)
        for hour in range(first, last + 1)
    }


def _kind_of(sku: str) -> Kind:
    """A commitment has a fee, and what it covers is taken back beside the use: a bill has rows for both."""
    if sku.endswith(COVERED):
        return Kind.COMMITMENT
    return Kind.FEE if sku == FEE else Kind.USAGE


def _posted_as(sku: str) -> tuple[Measure, Reason]:
    _, measure, reason = sku.split(".")
    return Measure(measure), Reason(reason)
