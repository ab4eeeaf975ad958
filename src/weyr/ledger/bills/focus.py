"""How is a row of a bill in FOCUS read? Versions 1.0 to 1.4: one provider's column has two names. Pure."""

from weyr.ledger.bills.fields import amount, moment_ms, tags_of, text
from weyr.ledger.bills.measures import measure_of, measure_of_sku
from weyr.ledger.bills.values import BillLine, Kind, Measure, Row

NEEDED = frozenset({"BilledCost", "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "BillingCurrency"})
ISSUER = "Weyr"
_KINDS = {
    "usage": Kind.USAGE, "purchase": Kind.FEE, "tax": Kind.TAX, "credit": Kind.CREDIT, "adjustment": Kind.ADJUSTMENT,
}  # fmt: skip
_PROVIDERS = (("amazon", "aws"), ("aws", "aws"), ("google", "gcp"), ("microsoft", "azure"), ("oracle", "oci"))


def line_of(row: Row) -> BillLine | None:
    """The line of a row. None for a part of what another row has: Weyr's own bills tell shares of a node twice.

    Raises: ValueError, KeyError where a field is none that FOCUS allows.
    """
    if text(row, "x_SharedFrom"):
        return None
    begin_ms = moment_ms(row["ChargePeriodStart"])
    service = text(row, "ServiceName")
    what = text(row, "ChargeDescription", "SkuMeter", "SkuId")
    kind = _KINDS.get(row["ChargeCategory"].lower())
    if kind is None:
        raise ValueError(f"{row['ChargeCategory'][:40]!r} is no category of a charge")
    if kind in (Kind.USAGE, Kind.FEE) and "support" in service.lower():
        kind = Kind.SUPPORT
    unit, used = text(row, "ConsumedUnit"), text(row, "ConsumedQuantity")
    if not used:
        unit, used = text(row, "PricingUnit"), text(row, "PricingQuantity")
    measure, each = measure_of(unit, f"{service} {text(row, 'ResourceType')} {what}", _month(begin_ms, row))
    provider = provider_of(text(row, "ServiceProviderName", "ProviderName", "InvoiceIssuerName", "PublisherName"))
    if provider == ISSUER.lower():
        measure = measure_of_sku(text(row, "SkuId"))
        each = None if measure is Measure.INSTANCE else each
    return BillLine(
        kind=kind,
        amount=amount(row["BilledCost"]),
        currency=row["BillingCurrency"].strip().upper(),
        provider=provider,
        from_ms=begin_ms,
        to_ms=moment_ms(row["ChargePeriodEnd"]),
        measure=measure if kind in (Kind.USAGE, Kind.COMMITMENT) else Measure.OTHER,
        quantity=None if each is None or not used else amount(used) * each,
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
    return moment_ms(told) if told else begin_ms
