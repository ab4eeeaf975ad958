"""How does a line of the journal read in FOCUS? Pure: a line with its meter in, texts for every column out.

Amounts are whole numbers of a fixed part of a unit all the way, written out as decimals. BilledCost is what the journal
holds, to the micro-unit. ListCost is the product of ListUnitPrice and PricingQuantity, to the last digit: it differs
from BilledCost by the rounding of the journal, less than two micro-units a line.

A share of what something else costs is two rows: what the object owes, and the same off that of which it is a share. So
rows of all stacks add up to what is paid.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from weyr.core.commitments import Coverage
from weyr.core.metering import Account, Line, Meter
from weyr.core.ref import ThingId
from weyr.core.units import DAY_S
from weyr.ledger.focus.columns import COST_DIGITS, PRICE_DIGITS, QUANTITY_DIGITS, RENAMED_IN_1_4, decimal_text
from weyr.ledger.focus.commitments import commitment_rows, is_of_commitment, plain_sku
from weyr.ledger.focus.services import Measure, consumed_in, is_counted, priced_in, service_of
from weyr.ledger.grouping import sides
from weyr.ledger.prices import CURRENCY, PriceBook
from weyr.store.charges import Charge

ISSUER = "Weyr"
METERS_KEPT = 10_000
"""What is the same in all lines of a meter is worked out once; of so many meters it is kept."""
_UNIT_PRICES = (
    "ContractedUnitPrice", "ListUnitPrice", "PricingCurrencyContractedUnitPrice", "PricingCurrencyListUnitPrice",
)  # fmt: skip
"""All one: nothing is negotiated, and prices are in the currency of the bill."""

Row = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What is the same in every line of a meter for one that it counts for: `sign` is -1 where it is taken off.
    `priced` None: the amount came with a bill, no price was kept."""

    columns: Mapping[str, str | None]
    sign: int
    consumed: Measure
    priced: tuple[Measure, int] | None


class Rows:
    """Turns charges into rows, of one stack or of all (None). Books tell where prices come from, and coverages, by the
    absolute ref of their commitment, what was promised."""

    def __init__(
        self, books: Mapping[str, PriceBook], stack: str | None = None, coverages: Mapping[str, Coverage] | None = None
    ) -> None:
        self._books, self._stack, self._coverages = books, stack, coverages or {}
        self._known: dict[int, tuple[_Fixed, ...]] = {}

    def of(self, charge: Charge) -> Iterator[Row]:
        """The rows of one line, under the names of both versions of FOCUS; None: nothing can be said there."""
        meter = charge.meter
        if meter.id not in self._known:
            if len(self._known) >= METERS_KEPT:
                self._known.clear()
            self._known[meter.id] = tuple(
                self._fixed(meter, account, ThingId(account.ref, part), sign)
                for account, part, sign in sides(meter, self._stack)
            )
        rows = ((_row(charge.line, fixed), fixed.sign) for fixed in self._known[meter.id])
        if not is_of_commitment(meter.sku):
            return (row for row, _ in rows)
        return (told for row, sign in rows for told in commitment_rows(row, charge, self._coverages, sign))

    def _fixed(self, meter: Meter, account: Account, thing: ThingId, sign: int) -> _Fixed:
        names = {"ProviderName": ISSUER, "PublisherName": ISSUER}
        region = dict(account.labels).get("region")
        columns = {
            **names,
            **{new: names[old] for old, new in RENAMED_IN_1_4.items()},
            **_resource(meter, thing),
            **self._priced_by(meter),
            "BillingCurrency": CURRENCY,
            "ChargeFrequency": "Usage-Based",
            "InvoiceIssuerName": ISSUER,
            "RegionId": region,
            "RegionName": region,
            "PricingCurrency": CURRENCY,
            "Tags": tags_text(account),
            "x_SharedFrom": meter.source.ref.absolute if meter.source else None,
        }
        priced = None if meter.price is None else priced_in(meter.sku, meter.price)
        return _Fixed(columns, sign, consumed_in(meter.sku), priced)

    def _priced_by(self, meter: Meter) -> dict[str, str | None]:
        book = self._books.get(meter.book)
        return {
            "BillingAccountId": meter.book,
            "BillingAccountName": (book.title if book else "") or meter.book,
            "PricingCategory": "Dynamic" if ".spot" in meter.sku else "Standard",
            "SkuId": plain_sku(meter.sku),
            "SkuMeter": plain_sku(meter.sku),
            "SkuPriceId": f"{meter.book}:{plain_sku(meter.sku)}",
            "SkuPriceDetails": json.dumps({"x_PriceBook": meter.book}),
            "x_PriceBook": meter.book,
            "x_PriceSource": (book.source or None) if book else None,
            "x_PriceDate": (book.dated or None) if book else None,
        }


def line_row(charge: Charge) -> Row:
    """The line in the journal's own words."""
    line, ref = charge.line, charge.line.thing.ref
    names = ("sku", "debit", "credit", "day", "entry", "note", "who")
    numbers = ("seq", "meter", "number", "from_ms", "to_ms", "used", "micros")
    return {
        "stack": ref.stack, "kind": ref.kind, "name": ref.name, "part": line.thing.part, "book": charge.meter.book,
        "labels": json.dumps(dict(charge.meter.labels), ensure_ascii=False),
        **{name: getattr(line, name) for name in names},
        **{name: str(getattr(line, name)) for name in numbers},
    }  # fmt: skip


def tags_text(account: Account) -> str:
    """An object's labels as one JSON object; those that Weyr adds begin with `weyr:`, which none of a user's does."""
    ref = account.ref
    ours = {"weyr:kind": ref.kind, "weyr:name": ref.name, "weyr:stack": ref.stack}
    return json.dumps({**dict(sorted(account.labels)), **ours}, ensure_ascii=False)


def _row(line: Line, fixed: _Fixed) -> Row:
    billed = decimal_text(fixed.sign * line.signed_micros, PRICE_DIGITS)
    return {
        **fixed.columns,
        **_periods(line),
        **_costs(line, fixed, billed),
        "BilledCost": billed,
        "EffectiveCost": billed,
        "PricingCurrencyEffectiveCost": billed,
        "ChargeClass": "Correction" if line.note.startswith("late, of ") else None,
        "x_JournalLine": str(line.seq),
        "x_Entry": line.entry or None,
        "x_Note": line.note or None,
    }


def _costs(line: Line, fixed: _Fixed, billed: str) -> dict[str, str | None]:
    if fixed.priced is not None and (not line.entry or is_of_commitment(line.sku)):
        measure, price_micros = fixed.priced
        quantity = _amount(fixed.sign * line.used, measure)
        listed = decimal_text(quantity * price_micros, COST_DIGITS)
        unit_price, unit = decimal_text(price_micros, PRICE_DIGITS), measure.unit
        consumed = decimal_text(_amount(fixed.sign * line.used, fixed.consumed), QUANTITY_DIGITS)
        category = "Usage"
    elif line.note.startswith("corrects "):
        # An amount alone: nothing was used, and no price was changed.
        return {"ChargeCategory": "Adjustment", "ListCost": billed, "ContractedCost": billed, "PricingCategory": None}
    else:
        # A bill from outside tells an amount and no price: one of a US dollar's worth costs a dollar.
        listed, unit_price, unit, category = billed, "1", CURRENCY, "Usage"
        is_told = is_counted(line.sku)
        consumed = decimal_text(_amount(line.used, fixed.consumed), QUANTITY_DIGITS) if is_told else billed
        quantity = fixed.sign * line.signed_micros * 10 ** (QUANTITY_DIGITS - PRICE_DIGITS)
    return {
        **dict.fromkeys(_UNIT_PRICES, unit_price),
        "ChargeCategory": category,
        "ConsumedQuantity": consumed,
        "ConsumedUnit": CURRENCY if line.entry and not is_counted(line.sku) else fixed.consumed.unit,
        "ContractedCost": listed,
        "ListCost": listed,
        "PricingQuantity": decimal_text(quantity, QUANTITY_DIGITS),
        "PricingUnit": unit,
    }


def _amount(used: int, measure: Measure) -> int:
    """How much of a unit, in trillionths, rounded to the nearest."""
    scaled: int = 2 * used * 10**QUANTITY_DIGITS + measure.used_per_unit
    return scaled // (2 * measure.used_per_unit)


def _resource(meter: Meter, thing: ThingId) -> dict[str, str | None]:
    ref, service = thing.ref, service_of(thing.ref.kind)
    return {
        "ChargeDescription": f"{meter.sku} of {thing}",
        "ResourceId": str(thing),
        "ResourceName": ref.name,
        "ResourceType": ref.kind,
        "ServiceCategory": service.category,
        "ServiceName": service.name,
        "ServiceSubcategory": service.subcategory,
        "SubAccountId": ref.stack,
        "SubAccountName": ref.stack,
    }


def _periods(line: Line) -> dict[str, str]:
    """The charge's period in whole seconds, which FOCUS wants, within the day it counts for; the month around it.

    A counter's line may begin long before the day on which it was seen.
    """
    begin_s, following, billing = _day(line.day)
    first_ms, last_ms = sorted((line.from_ms, line.to_ms))
    start_s = min(max(first_ms // 1000, begin_s), begin_s + DAY_S - 1) - begin_s
    end_s = min(max(-(-last_ms // 1000), begin_s + start_s + 1), begin_s + DAY_S) - begin_s
    return {
        "ChargePeriodStart": _moment(line.day, start_s),
        "ChargePeriodEnd": _moment(following, 0) if end_s == DAY_S else _moment(line.day, end_s),
        **billing,
    }


@lru_cache(maxsize=64)
def _day(day: str) -> tuple[int, str, Mapping[str, str]]:
    """When a day begins, in seconds, the day after it, and the month that it is billed in."""
    date = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    month = date.replace(day=1)
    billing = {
        "BillingPeriodStart": _moment(month.date().isoformat(), 0),
        "BillingPeriodEnd": _moment((month + timedelta(days=31)).replace(day=1).date().isoformat(), 0),
    }
    return int(date.timestamp()), (date + timedelta(days=1)).date().isoformat(), billing


def _moment(day: str, seconds: int) -> str:
    return f"{day}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"
