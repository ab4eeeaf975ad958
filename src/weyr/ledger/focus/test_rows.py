"""A bill in FOCUS says what the journal says: to the micro-unit, within its periods, and with sums that hold."""

import csv
import io
import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.core.commitments import FEE, Coverage, Form
from weyr.core.metering import Account, Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.core.units import HOUR_S, MONTH_S
from weyr.ledger import entries
from weyr.ledger.commitments import Cover, Key, postings
from weyr.ledger.entries import Entry
from weyr.ledger.focus.columns import COLUMNS, Column, Format, Type, columns_of, decimal_text
from weyr.ledger.focus.csv_text import csv_pieces
from weyr.ledger.focus.rows import Row, Rows, line_row
from weyr.ledger.focus.services import consumed_in, priced_in
from weyr.ledger.journal import post
from weyr.ledger.prices import NODE_MONEY, Catalogue
from weyr.store.charges import Charge

NOON_MS = 1_795_348_800_000
"""2026-11-22 12:00 UTC."""
DAY_MS = 86_400_000
LABELS = (("note", 'a "quoted", line\nbreak'), ("team", "vision"))
CPU = Meter(
    ThingId.parse("digits:job/train#2"), "task.cpu", "aws/fargate", Price(40_480, 1000, HOUR_S), 0, id=7, quantity=2000,
    run_since_ms=NOON_MS, run_from_ms=NOON_MS, posted_until_ms=NOON_MS, labels=LABELS,
)  # fmt: skip
LAKE = replace(
    CPU, thing=ThingId.parse("digits:bucket/lake"), sku="storage.standard", price=Price(23_000, 2**30, MONTH_S),
    quantity=5_000_000_007, id=8,
)  # fmt: skip
SHARE = replace(CPU, book="aws/g5.xlarge", price=Price(1_006_000, 4000, HOUR_S), quantity=1000)


def rows_of(*meters_until: tuple[Meter, int]) -> list[Row]:
    made = Rows(Catalogue.shipped().books)
    lines = [(m, line) for m, until_ms in meters_until for line in post(m, until_ms, is_last=True)[1]]
    return [row for meter, line in lines for row in made.of(Charge(line, meter))]


def test_a_line_reads_as_focus_wants_it() -> None:
    """Every column that 1.2 asks for always is told; what a reader sorts by is what `weyr cost` shows."""
    (row,) = rows_of((CPU, NOON_MS + 3_600_000))
    told = {name: row[name] for name in (
        "BilledCost", "ListUnitPrice", "PricingQuantity", "PricingUnit", "ConsumedQuantity", "ConsumedUnit",
        "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd", "ResourceId", "SubAccountId",
        "ServiceCategory", "BillingAccountId", "x_PriceDate",
    )}  # fmt: skip
    assert told == {
        "BilledCost": "0.08096", "ListUnitPrice": "0.04048", "PricingQuantity": "2", "PricingUnit": "vCPU-Hours",
        "ConsumedQuantity": "2", "ConsumedUnit": "vCPU-Hours",
        "ChargePeriodStart": "2026-11-22T12:00:00Z", "ChargePeriodEnd": "2026-11-22T13:00:00Z",
        "BillingPeriodStart": "2026-11-01T00:00:00Z", "BillingPeriodEnd": "2026-12-01T00:00:00Z",
        "ResourceId": "digits:job/train#2", "SubAccountId": "digits", "ServiceCategory": "Compute",
        "BillingAccountId": "aws/fargate", "x_PriceDate": "2026-03-10",
    }  # fmt: skip
    always = {column.name for column in COLUMNS if column.is_mandatory}
    assert len(always) == 21
    assert {name for name in always if row.get(name) is None} == {"ChargeClass"}, "which is for corrections only"


@pytest.mark.parametrize(("meter", "unit"), [(CPU, "vCPU-Hours"), (LAKE, "GiB-Months"), (SHARE, "Instance-Hours")])
@given(until_ms=st.integers(1, 3 * DAY_MS), taken_back_ms=st.integers(0, DAY_MS))
def test_the_products_hold_to_the_last_digit_and_the_sums_to_the_micro_unit(
    meter: Meter, unit: str, until_ms: int, taken_back_ms: int
) -> None:
    """The FOCUS validator does not add up; whoever pays by the file does."""
    meter, lines = post(meter, NOON_MS + until_ms, is_last=False)
    after, back = post(meter, NOON_MS + max(0, until_ms - taken_back_ms), is_last=True)
    made = Rows({})
    rows = [row for line in (*lines, *back) for row in made.of(Charge(line, meter))]

    for row in rows:
        listed, quantity = Decimal(row["ListCost"] or ""), Decimal(row["PricingQuantity"] or "")
        assert listed == Decimal(row["ListUnitPrice"] or "") * quantity == Decimal(row["ContractedCost"] or "")
        assert abs(listed - Decimal(row["BilledCost"] or "")) < Decimal("0.000002")
        assert row["PricingUnit"] == unit
        assert_within(row)
    assert sum(Decimal(row["BilledCost"] or "") for row in rows) == Decimal(after.posted_micros) / 1_000_000


def assert_within(row: Row) -> None:
    begin, start, end, last = (
        datetime.fromisoformat(row[name] or "")
        for name in ("BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodEnd")
    )
    assert begin <= start < end <= last


def test_a_charge_lies_in_the_month_it_counts_for() -> None:
    """What a counter saw first in December counts for December, whenever it was begun."""
    line = post(CPU, NOON_MS + 1000, is_last=True)[1][0]
    late = replace(line, from_ms=NOON_MS, to_ms=NOON_MS + 9 * DAY_MS, day="2026-12-01")
    (row,) = Rows({}).of(Charge(late, CPU))
    assert row["ChargePeriodStart"] == row["BillingPeriodStart"] == "2026-12-01T00:00:00Z"
    assert_within(row)


def test_what_a_node_costs_is_told_in_dollars() -> None:
    """The price of such a node is its pool's own: a list price of a millionth of a dollar would tell nothing."""
    measure, micros = priced_in(NODE_MONEY, Price(1, 1, HOUR_S))
    assert (measure.unit, micros) == ("USD", 1_000_000)
    assert measure.used_per_unit == 1_000_000 * HOUR_S * 1000


def test_a_share_is_owed_by_one_and_taken_off_another() -> None:
    """Whoever adds up all rows pays for a node once; a team sees its part of it, the pool what is idle."""
    pool = Account(Ref("shared", "pool", "gpus"), (("team", "platform"),), 3)
    meter = replace(CPU, book="shared:pool/gpus#n1", source=pool)
    (line,) = post(meter, NOON_MS + 3_600_000, is_last=True)[1]
    owed, off = Rows({}).of(Charge(line, meter))
    (theirs,) = Rows({}, "shared").of(Charge(line, meter))

    assert (owed["ResourceId"], owed["BilledCost"]) == ("digits:job/train#2", "0.08096")
    assert (off["ResourceId"], off["BilledCost"], off["PricingQuantity"]) == ("shared:pool/gpus#n1", "-0.08096", "-2")
    assert json.loads(off["Tags"] or "")["team"] == "platform"
    assert owed["x_SharedFrom"] == off["x_SharedFrom"] == "shared:pool/gpus"
    assert theirs == off


def test_what_came_from_outside_has_its_amount_for_a_price() -> None:
    """An API's bill names no price of ours; a correction used nothing, and one of a closed month says that it is."""
    entry = Entry("openai-11", (), "ada", "October's bill")
    bill = entries.Charge(CPU.thing.ref, "tokens.in", "openai", 12_500_000, NOON_MS, NOON_MS + 1, "2026-11-22", 4000)
    rows: list[Row] = []
    for charge, note in ((bill, ""), (replace(bill, micros=-2_500_000), "corrects 7: wrong rate")):
        meter, line = entries.posting(charge, replace(entry, reason=note), NOON_MS)
        rows += Rows({}).of(Charge(line, meter))
    told, corrected = rows
    late = Rows({}).of(Charge(replace(line, note=f"late, of 2026-10-31: {line.note}"), meter))

    names = ("ChargeCategory", "ListCost", "ListUnitPrice", "PricingQuantity", "PricingUnit")
    assert [told[name] for name in names] == ["Usage", "12.5", "1", "12.5", "USD"]
    assert (told["ConsumedQuantity"], told["ConsumedUnit"], told["x_Entry"]) == ("4000", "Tokens", "openai-11")
    assert (corrected["ChargeCategory"], corrected["BilledCost"], corrected["ListCost"]) == (
        "Adjustment",
        "-2.5",
        "-2.5",
    )
    assert corrected.get("ListUnitPrice") is corrected.get("ConsumedQuantity") is corrected["ChargeClass"] is None
    assert next(late)["ChargeClass"] == "Correction"


def test_tags_are_one_json_object_and_a_row_is_one_csv_record() -> None:
    """Whatever somebody writes into a tag, other columns stay where they are."""
    text = "".join(csv_pieces(columns_of(Format.FOCUS), rows_of((CPU, NOON_MS + 60_000), (LAKE, NOON_MS + DAY_MS))))
    read = list(csv.DictReader(io.StringIO(text)))
    assert [row["ResourceType"] for row in read] == ["job", "bucket", "bucket"]
    assert all(json.loads(row["Tags"]).items() >= dict(LABELS).items() for row in read)
    assert len(text.splitlines()) == 1 + len(read), "a tag's line break is escaped"


def test_1_4_has_the_same_figures_under_its_own_names() -> None:
    """Version 1.4 dropped two names of 1.2 for two others; a reader of either finds its own."""
    old, new = ({column.name for column in columns_of(f)} for f in (Format.FOCUS, Format.FOCUS_1_4))
    assert old - new == {"ProviderName", "PublisherName"}
    assert new - old == {"ServiceProviderName", "HostProviderName"}
    (row,) = rows_of((CPU, NOON_MS + 60_000))
    assert row["ServiceProviderName"] == row["ProviderName"]


def test_the_journals_own_columns_lose_nothing() -> None:
    """Whoever checks the accounts wants the lines themselves."""
    line = post(CPU, NOON_MS + 1_234, is_last=True)[1][0]
    row = line_row(Charge(line, CPU))
    assert (row["used"], row["micros"], row["to_ms"]) == ("2468000", str(line.micros), str(NOON_MS + 1_234))
    assert all(row[column.name] is not None for column in columns_of(Format.LINES))


@pytest.mark.parametrize(
    ("scaled", "digits", "text"),
    [(0, 6, "0"), (-0, 6, "0"), (1, 6, "0.000001"), (-1_500_000, 6, "-1.5"), (10**24, 18, "1000000"), (100, 2, "1")],
)
def test_decimals_are_written_out(scaled: int, digits: int, text: str) -> None:
    """No exponent, no sign of a nothing, no float between the journal and the file."""
    assert decimal_text(scaled, digits) == text


def test_every_column_has_one_name_and_ours_come_last() -> None:
    """FOCUS wants its own columns first and others marked."""
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    assert [name.startswith("x_") for name in names] == sorted(name.startswith("x_") for name in names)
    assert Column("Tags", Type.TAGS) in COLUMNS


FLOOR = Ref("digits", "commitment", "floor")
PLAN = Coverage(Form.SAVINGS_PLAN, 40_000, ("aws/fargate",), 0, 200_000, id="arn:aws:sp/1")


def test_a_commitment_is_bought_once_and_costs_where_it_is_used() -> None:
    """FOCUS bills the purchase and spreads what it costs: used where it covered something, unused for the rest. Both
    sums are what was paid, and each row says which commitment it was."""
    hour_ms, made = NOON_MS // 3_600_000 * 3_600_000, Rows(Catalogue.shipped().books, None, {FLOOR.absolute: PLAN})
    fee = Meter(ThingId(FLOOR), FEE, "aws/fargate", Price(1, 1, HOUR_S), 0, id=90, quantity=40_000,
                run_since_ms=hour_ms, run_from_ms=hour_ms, posted_until_ms=hour_ms)  # fmt: skip
    key = Key(Account(CPU.thing.ref, LABELS, 3), "2", "task.cpu", "aws/fargate")
    covers = {(FLOOR, key): Cover(40_480, 32_384, 1000 * 3_600_000)}
    posted = postings(covers, {FLOOR: Account(FLOOR, (), 4)}, {key: Price(40_480, 1000, HOUR_S)}, hour_ms, hour_ms)
    charges = [Charge(line, fee) for line in post(fee, hour_ms + 3_600_000, is_last=True)[1]]
    charges += [Charge(each.line, replace(each.meter, id=100 + n)) for n, each in enumerate(posted)]
    rows = [row for charge in charges for row in made.of(charge)]
    told = [(row["ChargeCategory"], row.get("CommitmentDiscountStatus"),
             row["BilledCost"], row["EffectiveCost"], row["ListCost"]) for row in rows]  # fmt: skip
    assert told == [
        ("Purchase", None, "0.04", "0", "0.04"),
        ("Usage", "Unused", "0", "0.04", "0"),
        ("Usage", None, "-0.04048", "-0.04048", "-0.04048"),
        ("Usage", "Used", "0", "0.032384", "0.04048"),
        ("Usage", "Unused", "0", "-0.032384", "0"),
    ]
    bought = [row for row in rows if row.get("CommitmentDiscountId")]
    assert {row["CommitmentDiscountId"] for row in bought} == {"arn:aws:sp/1"}
    assert {row["CommitmentDiscountType"] for row in bought} == {"Savings Plan"}
    assert sum(Decimal(row["EffectiveCost"] or 0) for row in bought) == Decimal("0.04")
    used = next(row for row in rows if row.get("CommitmentDiscountStatus") == "Used")
    assert (used["SkuId"], used["PricingCategory"], used["PricingQuantity"]) == ("task.cpu", "Committed", "1")
    assert (used["CommitmentDiscountQuantity"], used["CommitmentDiscountUnit"]) == ("0.032384", "USD")


def test_storage_classes_have_their_units() -> None:
    """What is stored of a class is told by the GiB and month, and what is read of it by the GiB."""
    prices = Catalogue.shipped().book("aws/fargate")
    units = {
        sku: (priced_in(sku, prices.prices[sku])[0].unit, priced_in(sku, prices.prices[sku])[1], consumed_in(sku).unit)
        for sku in ("storage.glacier_ir", "retrieval.glacier_ir", "requests.move.glacier_ir")
    }
    assert units == {
        "storage.glacier_ir": ("GiB-Months", 4_000, "GiB-Hours"),
        "retrieval.glacier_ir": ("GiB", 30_000, "GiB"),
        "requests.move.glacier_ir": ("1000 Requests", 20_000, "Requests"),
    }
