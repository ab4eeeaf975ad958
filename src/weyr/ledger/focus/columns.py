"""Which columns does a bill in FOCUS have? Those of version 1.2, in its words, and what version 1.4 calls them.

FOCUS is the FinOps Foundation's open form of bills. Columns that 1.2 asks for always are all here, of the others those
that a ledger of Weyr's can fill. What is ours alone begins with `x_`, as FOCUS wants it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

QUANTITY_DIGITS, PRICE_DIGITS = 12, 6
COST_DIGITS = QUANTITY_DIGITS + PRICE_DIGITS
"""A quantity is rounded to a trillionth of its unit, a price is whole micro-units: their product needs no rounding."""


class Type(StrEnum):
    """What a column's values are. A Decimal is written out in full, never as a float."""

    TEXT = "text"
    MOMENT = "moment"
    COST = "cost"
    QUANTITY = "quantity"
    PRICE = "price"
    TAGS = "tags"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Column:
    """`is_mandatory`: FOCUS 1.2 wants it in every dataset."""

    name: str
    type: Type = Type.TEXT
    is_mandatory: bool = False


class Format(StrEnum):
    """In which words a bill is exported."""

    FOCUS = "focus"
    FOCUS_1_4 = "focus-1.4"
    LINES = "lines"
    """The journal's own columns, moments in milliseconds and money in micro-units."""


def _must(name: str, type: Type = Type.TEXT) -> Column:
    return Column(name, type, is_mandatory=True)


COLUMNS = (
    _must("BilledCost", Type.COST),
    _must("BillingAccountId"),
    _must("BillingAccountName"),
    _must("BillingCurrency"),
    _must("BillingPeriodStart", Type.MOMENT),
    _must("BillingPeriodEnd", Type.MOMENT),
    _must("ChargeCategory"),
    _must("ChargeClass"),
    _must("ChargeDescription"),
    Column("ChargeFrequency"),
    _must("ChargePeriodStart", Type.MOMENT),
    _must("ChargePeriodEnd", Type.MOMENT),
    Column("CommitmentDiscountCategory"),
    Column("CommitmentDiscountId"),
    Column("CommitmentDiscountName"),
    Column("CommitmentDiscountQuantity", Type.QUANTITY),
    Column("CommitmentDiscountStatus"),
    Column("CommitmentDiscountType"),
    Column("CommitmentDiscountUnit"),
    Column("ConsumedQuantity", Type.QUANTITY),
    Column("ConsumedUnit"),
    _must("ContractedCost", Type.COST),
    Column("ContractedUnitPrice", Type.PRICE),
    _must("EffectiveCost", Type.COST),
    Column("InvoiceId"),
    _must("InvoiceIssuerName"),
    _must("ListCost", Type.COST),
    Column("ListUnitPrice", Type.PRICE),
    Column("PricingCategory"),
    Column("PricingCurrency"),
    Column("PricingCurrencyContractedUnitPrice", Type.PRICE),
    Column("PricingCurrencyEffectiveCost", Type.COST),
    Column("PricingCurrencyListUnitPrice", Type.PRICE),
    _must("PricingQuantity", Type.QUANTITY),
    _must("PricingUnit"),
    _must("ProviderName"),
    _must("PublisherName"),
    Column("RegionId"),
    Column("RegionName"),
    Column("ResourceId"),
    Column("ResourceName"),
    Column("ResourceType"),
    _must("ServiceCategory"),
    _must("ServiceName"),
    Column("ServiceSubcategory"),
    Column("SkuId"),
    Column("SkuMeter"),
    Column("SkuPriceDetails", Type.TAGS),
    Column("SkuPriceId"),
    Column("SubAccountId"),
    Column("SubAccountName"),
    Column("Tags", Type.TAGS),
    Column("x_PriceBook"),
    Column("x_PriceSource"),
    Column("x_PriceDate"),
    Column("x_JournalLine", Type.NUMBER),
    Column("x_SharedFrom"),
    Column("x_Entry"),
    Column("x_Note"),
)

RENAMED_IN_1_4: Mapping[str, str] = {"ProviderName": "ServiceProviderName", "PublisherName": "HostProviderName"}
"""FOCUS 1.3 brought the new names, 1.4 (June 2026) no longer has the old ones."""

LINES = (
    Column("seq", Type.NUMBER), Column("meter", Type.NUMBER), Column("number", Type.NUMBER), Column("stack"),
    Column("kind"), Column("name"), Column("part"), Column("sku"), Column("book"), Column("from_ms", Type.NUMBER),
    Column("to_ms", Type.NUMBER), Column("used"), Column("micros", Type.NUMBER), Column("debit"), Column("credit"),
    Column("day"), Column("labels", Type.TAGS), Column("entry"), Column("note"), Column("who"),
)  # fmt: skip


def columns_of(format: Format) -> tuple[Column, ...]:
    """The columns of an export, in their order."""
    match format:
        case Format.FOCUS:
            return COLUMNS
        case Format.FOCUS_1_4:
            return tuple(Column(RENAMED_IN_1_4.get(c.name, c.name), c.type, c.is_mandatory) for c in COLUMNS)
        case Format.LINES:
            return LINES


def decimal_text(scaled: int, digits: int) -> str:
    """A whole number of 10^-`digits` as a decimal, without trailing zeros: `decimal_text(1500, 3)` is 1.5."""
    sign, whole = ("-" if scaled < 0 else ""), str(abs(scaled)).zfill(digits + 1)
    text = f"{whole[:-digits]}.{whole[-digits:]}".rstrip("0").rstrip(".")
    return "0" if text == "0" else sign + text
