"""How is a row of a bill in FOCUS read? Versions 1.0 to 1.4: one provider's column has two names. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from weyr.core.metering import Labels
from weyr.ledger.bills.fields import amount, moment_ms, tags_of, text
from weyr.ledger.bills.measures import measure_of, measure_of_sku, month_of
from weyr.ledger.bills.values import BillLine, Kind, Measure, Row

NEEDED = frozenset({"BilledCost", "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "BillingCurrency"})
ISSUER = "Weyr"
_KINDS = {
    "usage": Kind.USAGE, "purchase": Kind.FEE, "tax": Kind.TAX, "credit": Kind.CREDIT, "adjustment": Kind.ADJUSTMENT,
}  # fmt: skip
_SAID = (
    "x_SharedFrom", "ServiceName", "ChargeDescription", "SkuMeter", "SkuId", "ChargeCategory", "ConsumedUnit",
    "PricingUnit", "ResourceType", "ServiceProviderName", "ProviderName", "InvoiceIssuerName", "PublisherName",
    "BillingCurrency", "ResourceId", "ResourceName", "CommitmentDiscountId", "Tags", "RegionId", "RegionName",
    "InvoiceId",
)  # fmt: skip
"""All columns that are read but amounts, quantities and times."""
SAID_KEPT = 16_384
"""Of so many charges it is remembered what they say: a bill has hundreds of hours of each."""
_PROVIDERS = (("amazon", "aws"), ("aws", "aws"), ("google", "gcp"), ("microsoft", "azure"), ("oracle", "oci"))


@dataclass(frozen=True, slots=True)
class _Said:
    """What is the same in all rows of a charge, hour after hour. `each`: how many of its measure's unit one is."""

    kind: Kind
    currency: str
    provider: str
    measure: Measure
    each: Decimal | None
    resource: str
    tags: Labels
    region: str
    invoice: str
    what: str


def line_of(row: Row) -> BillLine | None:
    """The line of a row. None for a part of what another row has: Weyr's own bills tell shares of a node twice.

    Raises: ValueError, KeyError where a field is none that FOCUS allows.
    """
    begin_ms = moment_ms(row["ChargePeriodStart"])
    used = text(row, "ConsumedQuantity")
    is_consumed = bool(used)
    used = used or text(row, "PricingQuantity")
    said = _said(tuple(map(row.get, _SAID)), is_consumed, _month(begin_ms, row))
    if said is None:
        return None
    return BillLine(
        kind=said.kind,
        amount=amount(row["BilledCost"]),
        currency=said.currency,
        provider=said.provider,
        from_ms=begin_ms,
        to_ms=moment_ms(row["ChargePeriodEnd"]),
        measure=said.measure,
        quantity=None if said.each is None or not used else amount(used) * said.each,
        resource=said.resource,
        tags=said.tags,
        region=said.region,
        invoice=said.invoice,
        what=said.what,
    )


@lru_cache(SAID_KEPT)
def _said(values: tuple[str | None, ...], is_consumed: bool, month_ms: int) -> _Said | None:
    row = {name: value for name, value in zip(_SAID, values, strict=True) if value is not None}
    if text(row, "x_SharedFrom"):
        return None
    service = text(row, "ServiceName")
    what = text(row, "ChargeDescription", "SkuMeter", "SkuId")
    kind = _KINDS.get(row["ChargeCategory"].lower())
    if kind is None:
        raise ValueError(f"{row['ChargeCategory'][:40]!r} is no category of a charge")
    if kind in (Kind.USAGE, Kind.FEE) and "support" in service.lower():
        kind = Kind.SUPPORT
    unit = text(row, "ConsumedUnit" if is_consumed else "PricingUnit")
    measure, each = measure_of(unit, f"{service} {text(row, 'ResourceType')} {what}", month_ms)
    provider = provider_of(text(row, "ServiceProviderName", "ProviderName", "InvoiceIssuerName", "PublisherName"))
    if provider == ISSUER.lower():
        measure = measure_of_sku(text(row, "SkuId"))
        each = None if measure is Measure.INSTANCE else each
    return _Said(
        kind=kind,
        currency=row["BillingCurrency"].strip().upper(),
        provider=provider,
        measure=measure if kind in (Kind.USAGE, Kind.COMMITMENT) else Measure.OTHER,
        each=each,
        resource=text(row, "ResourceId", "ResourceName", *(("CommitmentDiscountId",) if kind is Kind.FEE else ())),
        tags=tags_of(row.get("Tags", "")),
        region=text(row, "RegionId", "RegionName"),
        invoice=text(row, "InvoiceId"),
        what=f"{service}: {what}" if what else service,
    )


def provider_of(name: str) -> str:
    """`aws` of Amazon Web Services, Inc.; of a provider whose price books Weyr does not have, its name as a word."""
    lower = name.lower()
    known = next((ours for start, ours in _PROVIDERS if start in lower), None)
    return known or "-".join("".join(c if c.isalnum() else " " for c in lower).split()) or "provider"


def _month(begin_ms: int, row: Row) -> int:
    told = text(row, "BillingPeriodStart")
    return month_of(moment_ms(told) if told else begin_ms)
