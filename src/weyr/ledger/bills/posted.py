"""What does the journal have of what a provider is owed? Its sums, by object, measure and day. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from weyr.core.commitments import COVERED, FEE
from weyr.core.metering import Account, Labels
from weyr.core.ref import Ref, ThingId
from weyr.ledger.bills.measures import measure_of_sku, quantity_of
from weyr.ledger.bills.values import Kind, Measure, Ours, Owned, Reason
from weyr.ledger.focus.columns import Column, Type
from weyr.store.ledger_rows import labels_of, labels_text
from weyr.store.owed import Owed

ENTRY, SKU = "bill-", "bill."
"""How the id of an entry that a bill posted begins, and the SKUs of its lines."""
LATE, CORRECTS = "late, of ", "corrects "


@dataclass(slots=True)
class Posted:
    """The journal's side. `newest` is the last line that an earlier bill had posted, 0 for none."""

    found: dict[Owned, Ours] = field(default_factory=dict)
    things: set[ThingId] = field(default_factory=set)
    labels: dict[Ref, Labels] = field(default_factory=dict)
    labelled: dict[Ref, int] = field(default_factory=dict)
    """The line that an object's labels are of."""
    newest: int = 0


def is_owed_to(book: str, provider: str, books: Iterable[str]) -> bool:
    """Whether what is owed to a book is owed to a provider: `aws/fargate` to `aws`, and what a person names."""
    return book == provider or book.startswith(f"{provider}/") or book in books


def sku_of(measure: Measure, reason: Reason) -> str:
    """Under which SKU a difference is posted: `bill.instance.price`."""
    return f"{SKU}{measure}.{reason}"


def day_meant(owed: Owed) -> str:
    """The day that lines are of, also where they count for a later one because that month was closed."""
    return owed.note.removeprefix(LATE)[:10] if owed.note.startswith(LATE) else owed.day


def add(posted: Posted, owed: Owed) -> None:
    """Adds lines that are owed to the provider. The newest of an object says which labels it has."""
    is_posted = owed.entry == ENTRY and owed.sku.startswith(SKU)
    ref = owed.account.ref
    measure, reason = _posted_as(owed.sku) if is_posted else (measure_of_sku(owed.sku), Reason.AMOUNT)
    ours = posted.found.setdefault(Owned(ref, measure, day_meant(owed)), Ours())
    ours.books[owed.book] = ours.books.get(owed.book, 0) + owed.moved
    posted.things.add(ThingId(ref, owed.part))
    if owed.newest >= posted.labelled.get(ref, 0):
        posted.labelled[ref], posted.labels[ref] = owed.newest, owed.account.labels
    if is_posted:
        posted.newest = max(posted.newest, owed.newest)
        ours.posted[reason] = ours.posted.get(reason, 0) + owed.micros
        return
    kind = _kind_of(owed.sku)
    ours.kinds[kind] = ours.kinds.get(kind, 0) + owed.micros
    if kind is Kind.USAGE and not owed.note.startswith(CORRECTS):
        # A correction is of the amount; what was used stays what it was.
        quantity = quantity_of(owed.sku, owed.used, owed.lasted_ms)
        ours.count(quantity, () if quantity is None else range(owed.first_hour, owed.last_hour + 1))


def owed_row(owed: Owed) -> dict[str, str]:
    """What is owed as a row of texts, for whoever asks over the API; `owed_of` reads it."""
    ref = owed.account.ref
    told = {name: str(getattr(owed, name)) for name in (*_TEXTS, *_NUMBERS)}
    return {"stack": ref.stack, "kind": ref.kind, "name": ref.name, "labels": labels_text(owed.account.labels)} | told


def owed_of(row: Mapping[str, str]) -> Owed:
    account = Account(Ref(row["stack"], row["kind"], row["name"]), labels_of(row["labels"]))
    told: dict[str, Any] = {name: row[name] for name in _TEXTS} | {name: int(row[name]) for name in _NUMBERS}
    return Owed(account, **told)


_TEXTS = ("part", "book", "sku", "day", "entry", "note")
_NUMBERS = ("first_hour", "last_hour", "micros", "moved", "used", "lasted_ms", "newest")
OWED = (*(Column(name) for name in ("stack", "kind", "name")), Column("labels", Type.TAGS),
        *(Column(name) for name in _TEXTS), *(Column(name, Type.NUMBER) for name in _NUMBERS))  # fmt: skip
"""The columns of what is owed."""


def _kind_of(sku: str) -> Kind:
    """A commitment has a fee, and what it covers is taken back beside the use: a bill has rows for both."""
    if sku.endswith(COVERED):
        return Kind.COMMITMENT
    return Kind.FEE if sku == FEE else Kind.USAGE


def _posted_as(sku: str) -> tuple[Measure, Reason]:
    _, measure, reason = sku.split(".")
    return Measure(measure), Reason(reason)
