"""How do a commitment's lines read in FOCUS? Pure: a row in the words of every line in, the rows of its commitment out.

The fee is a purchase that is billed and effectively costs nothing, because what it pays for does: use that it covered
(*used*) is billed at nothing and costs its share of the fee, and what is left of the fee is *unused*. Covered use
stands there at its price on demand too, and is taken back beside.
"""

from collections.abc import Iterator, Mapping

from weyr.core.commitments import COMMITTED, COVERED, FEE, USED, Coverage, Form
from weyr.ledger.focus.columns import PRICE_DIGITS, QUANTITY_DIGITS, decimal_text
from weyr.store.charges import Charge

Row = Mapping[str, str | None]
TYPES = {
    Form.SAVINGS_PLAN: "Savings Plan",
    Form.RESERVED_INSTANCES: "Reserved Instances",
    Form.COMMITTED_USE: "Committed Use Discount",
    Form.RESERVATION: "Reservation",
}


def is_of_commitment(sku: str) -> bool:
    """Whether a line of this SKU is a commitment's, or tells of use that one covers."""
    return sku in (FEE, USED) or sku.endswith((COVERED, COMMITTED))


def plain_sku(sku: str) -> str:
    """The SKU that is used, whoever pays for it."""
    return sku.removesuffix(COVERED).removesuffix(COMMITTED)


def commitment_rows(row: Row, charge: Charge, coverages: Mapping[str, Coverage], sign: int) -> Iterator[Row]:
    """Takes the row that a line would have by its amount alone. `coverages` by the absolute ref of their commitment."""
    line, amount = charge.line, row["BilledCost"]
    ref = line.thing.ref.absolute if line.sku in (FEE, USED) else line.entry
    coverage = coverages.get(ref)
    discount = _discount(ref, coverage, sign * line.signed_micros)
    nothing = {"BilledCost": "0", "ListCost": "0", "ContractedCost": "0", "PricingQuantity": "0"}
    left_over = {
        **row, **discount, **nothing, **_account(coverage), "ChargeCategory": "Usage", "PricingCategory": "Committed",
        "CommitmentDiscountStatus": "Unused", "ConsumedQuantity": None, "ConsumedUnit": None,
    }  # fmt: skip
    if line.sku == FEE:
        free = {"EffectiveCost": "0", "PricingCurrencyEffectiveCost": "0"}
        yield {
            **row, **discount, **free, **_account(coverage), "ChargeCategory": "Purchase",
            "ChargeFrequency": "Recurring", "ConsumedQuantity": None, "ConsumedUnit": None,
        }  # fmt: skip
        yield left_over
    elif line.sku == USED:
        yield left_over
    elif line.sku.endswith(COMMITTED):
        used = {"BilledCost": "0", "PricingCategory": "Committed", "CommitmentDiscountStatus": "Used"}
        yield {**row, **discount, **used, "EffectiveCost": amount, "PricingCurrencyEffectiveCost": amount}
    else:
        yield row


def _discount(ref: str, coverage: Coverage | None, micros: int) -> dict[str, str | None]:
    """Which commitment it is, and how much of it: of machines their hours, else the money that was promised."""
    is_of_machines = coverage is not None and coverage.is_of_machines
    scaled = micros * 10 ** (QUANTITY_DIGITS - PRICE_DIGITS)
    if is_of_machines and coverage is not None and coverage.fee_micros_per_hour:
        scaled = micros * coverage.machines * 10**QUANTITY_DIGITS // coverage.fee_micros_per_hour
    return {
        "CommitmentDiscountCategory": "Usage" if is_of_machines else "Spend",
        "CommitmentDiscountId": (coverage.id if coverage else "") or ref,
        "CommitmentDiscountName": ref.rpartition("/")[2],
        "CommitmentDiscountQuantity": decimal_text(scaled, QUANTITY_DIGITS),
        "CommitmentDiscountType": TYPES[coverage.form] if coverage else "Commitment",
        "CommitmentDiscountUnit": "Instance-Hours" if is_of_machines else "USD",
    }


def _account(coverage: Coverage | None) -> dict[str, str | None]:
    """It is bought from whom it is for."""
    name = coverage.books[0] if coverage else None
    return {} if name is None else {"BillingAccountId": name, "BillingAccountName": name}
