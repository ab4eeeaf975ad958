"""How does a bill beside the journal read? As tables for people, and as JSON."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from weyr.cli.screen import put, table
from weyr.core.units import MICROS, money_text
from weyr.ledger.bills.bill import Bill
from weyr.ledger.bills.compare import Compared
from weyr.ledger.bills.corrections import Correction
from weyr.ledger.bills.values import HOUR_MS, Difference, Reason

RESOURCES_SHOWN, TIMES_SHOWN = 10, 3


def show_reconciled(bill: Bill, compared: Compared, found: Sequence[Correction]) -> None:
    span = f"{bill.first_day} to {bill.last_day}"
    put(f"{bill.form} bill of {bill.provider}, {span}: {bill.rows:,} rows, {_usd(bill.total)} USD")
    rows = [_row(group) for group in _by_object(compared.differences)]
    if rows:
        put(
            "\n" + table(["object", "measured", "journal", "bill", "difference", "because"], rows, frozenset({2, 3, 4}))
        )
    if compared.nobodys:
        some = compared.nobodys[:RESOURCES_SHOWN]
        listed = [[resource.id or "(no resource)", resource.what, money_text(micros)] for resource, micros in some]
        listed.append(
            ["together", f"{len(compared.nobodys)} resources", money_text(sum(m for _, m in compared.nobodys))]
        )
        put("\nWhose these are is not known; say so with --map, or give them to a stack with --to:")
        put(table(["resource", "what for", "bill"], listed, frozenset({2})))
    reasons = _by_reason(compared)
    text = ", ".join(f"{reason} {money_text(micros)}" for reason, micros in reasons.items())
    put(f"\n{'The journal and the bill differ by: ' + text if text else 'The journal and the bill agree'}.")
    if found:
        put(f"To be posted: {money_text(sum(c.micros for c in found))} USD in {len(found)} lines.")


def _by_object(found: Iterable[Difference]) -> Iterator[list[Difference]]:
    groups: dict[tuple[str, str], list[Difference]] = defaultdict(list)
    for each in found:
        groups[each.at.ref.absolute if each.at.ref else "", each.at.measure.value].append(each)
    return iter(groups.values())


def _row(group: Sequence[Difference]) -> list[str]:
    """An object's measure over all days. What earlier bills had posted counts for the journal."""
    reasons: dict[Reason, int] = {}
    for each in group:
        for reason, micros in each.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + micros
    ours = sum(each.metered_micros + sum(each.posted.values()) for each in group)
    theirs = sum(each.theirs_micros for each in group)
    at = group[0].at
    is_met = ours == theirs
    because = "posted" if is_met and any(reasons.values()) else _because(reasons, group)
    name = at.ref.absolute if at.ref else ""
    return [name, at.measure.value, money_text(ours), money_text(theirs), money_text(theirs - ours), because]


def _because(reasons: Mapping[Reason, int], group: Sequence[Difference]) -> str:
    told = [f"{reason} {money_text(micros)}" for reason, micros in reasons.items() if micros]
    quantities = [(each.ours_quantity, each.theirs_quantity) for each in group]
    if Reason.QUANTITY in reasons and all(ours is not None and theirs is not None for ours, theirs in quantities):
        ours, theirs = (sum((pair[side] or Decimal(0) for pair in quantities), Decimal(0)) for side in (0, 1))
        told.append(f"{_short(ours)} metered, {_short(theirs)} billed")
    for whose, hours in (
        ("only metered", [h for d in group for h in d.only_ours]),
        ("only billed", [h for d in group for h in d.only_theirs]),
    ):
        if hours:
            told.append(f"{whose}: {_hours(hours)}")
    return "; ".join(told)


def _hours(hours: Sequence[int], shown: int = 3) -> str:
    """Hours since 1970 as days and spans of hours, the first few."""
    spans: list[tuple[int, int]] = []
    for hour in sorted(hours):
        if spans and spans[-1][1] == hour:
            spans[-1] = (spans[-1][0], hour + 1)
        else:
            spans.append((hour, hour + 1))
    told = [f"{_moment(begin)} for {end - begin} h" for begin, end in spans[:shown]]
    return ", ".join(told) + (f" and {len(spans) - shown} times more" if len(spans) > shown else "")


def _moment(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * HOUR_MS // 1000, UTC):%Y-%m-%d %H:%M}"


def _by_reason(compared: Compared) -> dict[str, int]:
    """What is still to be explained: less what earlier bills had posted."""
    sums: dict[str, int] = {}
    for each in compared.differences:
        for reason in Reason:
            micros = each.reasons.get(reason, 0) - each.posted.get(reason, 0)
            if micros:
                sums[reason.value] = sums.get(reason.value, 0) + micros
    if compared.nobodys:
        sums["of nobody"] = sum(micros for _, micros in compared.nobodys)
    return sums


def _short(quantity: Decimal) -> str:
    return f"{quantity:,.2f}".rstrip("0").rstrip(".")


def _usd(amount: Decimal) -> str:
    return money_text(round(amount * MICROS))


def reconciled_json(bill: Bill, compared: Compared, found: Sequence[Correction], id: str) -> dict[str, Any]:
    return {
        "form": bill.form, "provider": bill.provider, "from": bill.first_day, "to": bill.last_day, "rows": bill.rows,
        "billed_micros": round(bill.total * MICROS), "invoices": sorted(bill.invoices),
        "is_equal": not found and compared.is_equal,
        "differences": [_difference_json(each) for each in compared.differences if each.reasons or each.posted],
        "nobodys": [{"resource": r.id, "what": r.what, "micros": micros} for r, micros in compared.nobodys],
        "left_out": sorted(bill.others), "id": id,
        "corrections": [
            {"object": c.ref.absolute, "sku": c.sku, "day": c.day, "micros": c.micros, "book": c.book} for c in found
        ],
    }  # fmt: skip


def _difference_json(each: Difference) -> dict[str, Any]:
    return {
        "object": each.at.ref.absolute if each.at.ref else "", "measure": each.at.measure.value, "day": each.at.day,
        "metered_micros": each.metered_micros, "posted_micros": sum(each.posted.values()),
        "billed_micros": each.theirs_micros, "reasons": {reason.value: m for reason, m in each.reasons.items()},
        "metered": None if each.ours_quantity is None else str(each.ours_quantity),
        "billed": None if each.theirs_quantity is None else str(each.theirs_quantity),
        "only_metered_hours": [_moment(hour) for hour in each.only_ours],
        "only_billed_hours": [_moment(hour) for hour in each.only_theirs],
    }  # fmt: skip
