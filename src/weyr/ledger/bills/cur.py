"""How is a row of an AWS Cost and Usage Report read? Version 1 and its names in Athena, and version 2. Pure.

Source: AWS, "Cost and Usage Report, data dictionary" and "CUR 2.0, table dictionary" (2025): column names, line item
types, and that a report's rows are of an hour, a day or a month.
"""

import re
from collections.abc import Sequence

from weyr.core.metering import Labels
from weyr.ledger.bills.fields import amount, moment_ms, tags_of, text
from weyr.ledger.bills.measures import measure_of, month_of
from weyr.ledger.bills.values import BillLine, Kind, Measure, Row

NEEDED = frozenset({"line_item_line_item_type", "line_item_usage_start_date", "line_item_unblended_cost"})
PROVIDER = "aws"
_TAGS = ("resourceTags/", "resource_tags_")
_COMMITMENTS = (
    "savings_plan_savings_plan_arn", "savings_plan_savings_plan_a_r_n",
    "reservation_reservation_arn", "reservation_reservation_a_r_n",
)  # fmt: skip
"""What a fee is for, in the names of both versions, where it has no resource."""
_KINDS = {
    "Usage": Kind.USAGE, "DiscountedUsage": Kind.USAGE, "SavingsPlanCoveredUsage": Kind.USAGE,
    "SavingsPlanNegation": Kind.COMMITMENT, "Fee": Kind.FEE, "RIFee": Kind.FEE, "SavingsPlanRecurringFee": Kind.FEE,
    "SavingsPlanUpfrontFee": Kind.FEE, "Tax": Kind.TAX, "Credit": Kind.CREDIT, "Refund": Kind.CREDIT,
}  # fmt: skip


def column_of(name: str) -> str:
    """A column of version 1 under its name of version 2: `lineItem/UsageAmount` is `line_item_usage_amount`.
    Columns of tags keep theirs."""
    if name.startswith(_TAGS):
        return name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("/", "_")).lower().replace("__", "_")


def line_of(row: Row) -> BillLine:
    """The line of a row whose columns are named as in version 2. Raises: ValueError, KeyError."""
    told = row["line_item_line_item_type"]
    # Of discounts there are more than a dozen, each with a name of its own.
    kind = Kind.CREDIT if "Discount" in told and told != "DiscountedUsage" else _KINDS.get(told)
    if kind is None:
        raise ValueError(f"{told[:40]!r} is no type of a line item")
    product = text(row, "line_item_product_code", "product_product_name")
    if "support" in product.lower() and kind in (Kind.USAGE, Kind.FEE):
        kind = Kind.SUPPORT
    begin_ms, end_ms = _time(row)
    usage, described = text(row, "line_item_usage_type"), text(row, "line_item_line_item_description")
    family = text(row, "product_product_family")
    month = text(row, "bill_billing_period_start_date")
    unit = text(row, "pricing_unit")
    month_ms = month_of(moment_ms(month) if month else begin_ms)
    measure, each = measure_of(unit, f"{family} {usage} {described}", month_ms)
    is_use = kind in (Kind.USAGE, Kind.COMMITMENT)
    counts = kind is Kind.USAGE and each is not None
    return BillLine(
        kind=kind,
        amount=amount(row["line_item_unblended_cost"]),
        currency=text(row, "line_item_currency_code") or "USD",
        provider=PROVIDER,
        from_ms=begin_ms,
        to_ms=end_ms,
        measure=measure if is_use else Measure.OTHER,
        quantity=amount(row.get("line_item_usage_amount", "")) * each if counts and each is not None else None,
        resource=text(row, "line_item_resource_id", *(_COMMITMENTS if kind is Kind.FEE else ())),
        tags=_tags(row),
        region=text(row, "product_region_code", "product_region"),
        invoice=text(row, "bill_invoice_id"),
        what=f"{product}: {usage or described}",
    )


def _time(row: Row) -> tuple[int, int]:
    """The period of a row: the interval that it is identified by is the narrower one, where it has one."""
    interval: Sequence[str] = text(row, "identity_time_interval").split("/")
    begin = text(row, "line_item_usage_start_date")
    end = text(row, "line_item_usage_end_date") or begin
    of_use = moment_ms(begin), moment_ms(end)
    if len(interval) != 2:
        return of_use
    told = moment_ms(interval[0]), moment_ms(interval[1])
    return told if told[1] - told[0] < of_use[1] - of_use[0] else of_use


def _tags(row: Row) -> Labels:
    told = row.get("resource_tags", "")
    found = list(tags_of(told)) if told else []
    found += [(_key(name), value) for name, value in row.items() if value and name.startswith(_TAGS)]
    return tuple(sorted((_key(key), value) for key, value in found))


def _key(name: str) -> str:
    """`team` of `resourceTags/user:team` and of `user_team`."""
    for start in (*_TAGS, "user:", "user_"):
        name = name.removeprefix(start)
    return name
