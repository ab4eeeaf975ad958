"""How does a line of the journal read in FOCUS? Pure: a line with its price in, texts for every column out.

Amounts are whole numbers of a fixed part of a unit all the way, written out as decimals. BilledCost is what the journal
holds, to the micro-unit. ListCost is the product of ListUnitPrice and PricingQuantity, to the last digit: it differs
from BilledCost by the rounding of the journal, less than two micro-units a line.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from weyr.core.metering import Line
from weyr.core.ref import Ref
from weyr.core.units import DAY_S
from weyr.ledger.focus.columns import RENAMED_IN_1_4
from weyr.ledger.focus.services import Measure, consumed_in, priced_in, service_of
from weyr.ledger.prices import CURRENCY, PriceBook
from weyr.store.charges import Charge

ISSUER = "Weyr"
QUANTITY_DIGITS, PRICE_DIGITS = 12, 6
COST_DIGITS = QUANTITY_DIGITS + PRICE_DIGITS
"""A quantity is rounded to a trillionth of its unit, a price is whole micro-units: their product needs no rounding."""

_UNIT_PRICES = (
    "ContractedUnitPrice", "ListUnitPrice", "PricingCurrencyContractedUnitPrice", "PricingCurrencyListUnitPrice",
)  # fmt: skip
"""All one: nothing is negotiated, and prices are in the currency of the bill."""

Row = Mapping[str, str | None]
TagsOf = Callable[[Ref], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What is the same in every line of a meter."""

    columns: Mapping[str, str | None]
    priced: Measure
    price_micros: int
    consumed: Measure


class Rows:
    """Turns charges into rows. `tags_of` tells what an object is marked with; books tell where prices come from."""

    def __init__(self, books: Mapping[str, PriceBook], tags_of: TagsOf) -> None:
        self._books, self._tags_of = books, tags_of
        self._last: tuple[int, _Fixed] | None = None

    def row(self, charge: Charge) -> Row:
        """The row of one line, under the names of both versions of FOCUS; None: nothing can be said there."""
        line = charge.line
        if self._last is None or self._last[0] != line.meter:
            # Lines come by meter: what is said once for all of a meter's need not be kept for longer.
            self._last = (line.meter, self._fixed(charge))
        fixed = self._last[1]
        billed = decimal_text(line.signed_micros, PRICE_DIGITS)
        quantity = _amount(line.used, fixed.priced)
        listed = decimal_text(quantity * fixed.price_micros, COST_DIGITS)
        return {
            **fixed.columns,
            **_periods(line),
            "BilledCost": billed,
            "EffectiveCost": billed,
            "PricingCurrencyEffectiveCost": billed,
            "ListCost": listed,
            "ContractedCost": listed,
            "PricingQuantity": decimal_text(quantity, QUANTITY_DIGITS),
            "ConsumedQuantity": decimal_text(_amount(line.used, fixed.consumed), QUANTITY_DIGITS),
            "x_MeterLine": str(line.number),
        }

    def _fixed(self, charge: Charge) -> _Fixed:
        line, price = charge.line, charge.price
        assert price is not None, "a meter without a price posts no line"
        priced, price_micros = priced_in(line.sku, price)
        consumed = consumed_in(line.sku)
        names = {"ProviderName": ISSUER, "PublisherName": ISSUER}
        columns: dict[str, str | None] = {
            **names,
            **{new: names[old] for old, new in RENAMED_IN_1_4.items()},
            **_resource(line),
            **self._priced_by(charge),
            "BillingCurrency": CURRENCY,
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Usage-Based",
            "ConsumedUnit": consumed.unit,
            "InvoiceIssuerName": ISSUER,
            **dict.fromkeys(_UNIT_PRICES, decimal_text(price_micros, PRICE_DIGITS)),
            "PricingCategory": "Dynamic" if ".spot" in line.sku else "Standard",
            "PricingCurrency": CURRENCY,
            "PricingUnit": priced.unit,
            "Tags": tags_text(line.thing.ref, self._tags_of(line.thing.ref)),
            "x_Meter": str(line.meter),
        }
        return _Fixed(columns, priced, price_micros, consumed)

    def _priced_by(self, charge: Charge) -> dict[str, str | None]:
        book = self._books.get(charge.book)
        return {
            "BillingAccountId": charge.book,
            "BillingAccountName": (book.title if book else "") or charge.book,
            "SkuId": charge.line.sku,
            "SkuMeter": charge.line.sku,
            "SkuPriceId": f"{charge.book}:{charge.line.sku}",
            "SkuPriceDetails": json.dumps({"x_PriceBook": charge.book}),
            "x_PriceBook": charge.book,
            "x_PriceSource": (book.source or None) if book else None,
            "x_PriceDate": (book.dated or None) if book else None,
        }


def line_row(charge: Charge) -> Row:
    """The line in the journal's own words."""
    line, ref = charge.line, charge.line.thing.ref
    row = {
        "stack": ref.stack, "kind": ref.kind, "name": ref.name, "part": line.thing.part, "sku": line.sku,
        "book": charge.book, "debit": line.debit, "credit": line.credit, "day": line.day,
    }  # fmt: skip
    return row | {name: str(getattr(line, name)) for name in ("meter", "number", "from_ms", "to_ms", "used", "micros")}


def tags_text(ref: Ref, tags: Mapping[str, str]) -> str:
    """An object's tags as one JSON object; those that Weyr adds begin with `weyr:`, which no tag of a user's does."""
    ours = {"weyr:kind": ref.kind, "weyr:name": ref.name, "weyr:stack": ref.stack}
    return json.dumps({**dict(sorted(tags.items())), **ours}, ensure_ascii=False)


def decimal_text(scaled: int, digits: int) -> str:
    """A whole number of 10^-`digits` as a decimal, without trailing zeros: `decimal_text(1500, 3)` is 1.5."""
    sign, whole = ("-" if scaled < 0 else ""), str(abs(scaled)).zfill(digits + 1)
    text = f"{whole[:-digits]}.{whole[-digits:]}".rstrip("0").rstrip(".")
    return "0" if text == "0" else sign + text


def _amount(used: int, measure: Measure) -> int:
    """How much of a unit, in trillionths, rounded to the nearest."""
    scaled: int = 2 * used * 10**QUANTITY_DIGITS + measure.used_per_unit
    return scaled // (2 * measure.used_per_unit)


def _resource(line: Line) -> dict[str, str | None]:
    ref, service = line.thing.ref, service_of(line.thing.ref.kind)
    return {
        "ChargeDescription": f"{line.sku} of {line.thing}",
        "ResourceId": str(line.thing),
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
    day = date.fromisoformat(line.day)
    begin_s = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    first_ms, last_ms = sorted((line.from_ms, line.to_ms))
    start_s = min(max(first_ms // 1000, begin_s), begin_s + DAY_S - 1)
    end_s = min(max(-(-last_ms // 1000), start_s + 1), begin_s + DAY_S)
    following = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
    return {
        "ChargePeriodStart": _moment(day, start_s - begin_s),
        "ChargePeriodEnd": _moment(day, end_s - begin_s),
        "BillingPeriodStart": _moment(day.replace(day=1), 0),
        "BillingPeriodEnd": _moment(following, 0),
    }


def _moment(day: date, seconds: int) -> str:
    if seconds == DAY_S:
        day, seconds = day + timedelta(days=1), 0
    return f"{day}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"
