"""What is posted by somebody, and not by a meter here? Bills from outside, corrections, adjustments. Pure.

An entry is lines under one id, each on a meter of its own that is closed at once, so that bills, sums and the chain of
hashes need not know the difference. The same id again posts nothing; with something else in it, it is refused.
"""

import json
from dataclasses import dataclass, replace
from hashlib import sha256

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.metering import Labels, Line, Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.ledger.meters import COUNTED


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of an entry: `micros` that `ref` owes to `source` for a day, or has back where they are less than
    nothing. `quantity` of the SKU's unit is what was used, 0 where the bill does not say."""

    ref: Ref
    sku: str
    source: str
    micros: int
    from_ms: int
    to_ms: int
    day: str
    quantity: int = 0
    part: str = ""
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """Charges that are posted together. `who` posts them, `reason` says why: both are in the lines for good."""

    id: str
    charges: tuple[Charge, ...]
    who: str
    reason: str = ""

    @property
    def digest(self) -> bytes:
        """Of all that is charged: who asks again after a lost answer asks for the same."""
        told = [
            [c.ref.absolute, c.sku, c.source, c.micros, c.from_ms, c.to_ms, c.day, c.quantity, c.part, c.labels]
            for c in self.charges
        ]
        return sha256(json.dumps([told, self.reason]).encode()).digest()


def posting(charge: Charge, entry: Entry, now_ms: int) -> tuple[Meter, Line]:
    """The one line of a charge, and its meter: closed, because nothing runs. Its price is the amount that was
    billed for the quantity that was billed: what an export multiplies comes to what was posted."""
    expense, payable = f"expense:{charge.ref.absolute}", f"payable:{charge.source}"
    is_owed, quantity = charge.micros >= 0, max(abs(charge.quantity), 1)
    used = (quantity if is_owed else -quantity) * COUNTED
    thing = ThingId(charge.ref, charge.part)
    meter = Meter(
        thing=thing,
        sku=charge.sku,
        book=charge.source,
        price=Price(abs(charge.micros), quantity, 1),
        opened_ms=now_ms,
        settled=used,
        posted=used,
        posted_micros=charge.micros,
        posted_until_ms=charge.to_ms,
        lines=1,
        closed_ms=now_ms,
        labels=charge.labels,
    )
    line = Line(
        meter=0,
        number=1,
        thing=thing,
        sku=charge.sku,
        from_ms=charge.from_ms,
        to_ms=charge.to_ms,
        used=used,
        micros=abs(charge.micros),
        debit=expense if is_owed else payable,
        credit=payable if is_owed else expense,
        day=charge.day,
        entry=entry.id,
        note=entry.reason,
        who=entry.who,
    )
    return meter, line


def correction(line: Line, meter: Meter, micros: int | None) -> tuple[Charge, ...]:
    """What puts a line right: its reversal, and, unless it should not be at all (None), the amount that it should
    have had. Both are of the line's own object, SKU, days and labels.

    Raises: UserError for a share of a pool's nodes, which follows from what ran.
    """
    if meter.source is not None:
        detail = f"Line {line.seq} is a share of what {meter.source.ref.absolute} costs; correct a line of that."
        raise UserError(Diagnostic("A share cannot be corrected", detail, suggestion="weyr cost lines"))
    reversal = Charge(
        ref=line.thing.ref,
        sku=line.sku,
        source=meter.book,
        micros=-line.signed_micros,
        from_ms=line.from_ms,
        to_ms=line.to_ms,
        day=line.day,
        quantity=-line.used // COUNTED,
        part=line.thing.part,
        labels=meter.labels,
    )
    if micros is None:
        return (reversal,)
    return reversal, replace(reversal, micros=micros, quantity=line.used // COUNTED)
