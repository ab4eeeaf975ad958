"""A provider's bill beside the journal: every difference explained, and posted once. Also one that providers wrote."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.cli.bill_files import read_bill
from weyr.core.diagnostic import UserError
from weyr.core.metering import Account, Labels, Line, Meter
from weyr.core.ref import Ref, ThingId
from weyr.ledger.bills.bill import CUR, FOCUS, Bill, dialect_of, read
from weyr.ledger.bills.compare import Compared, compare, rounded
from weyr.ledger.bills.corrections import Correction, corrections, id_of
from weyr.ledger.bills.cur import column_of
from weyr.ledger.bills.measures import measure_of
from weyr.ledger.bills.owners import Mapped, Owners
from weyr.ledger.bills.posted import Posted, add
from weyr.ledger.bills.values import DAY_MS, HOUR_MS, Difference, Kind, Measure, Reason, Row
from weyr.ledger.entries import Charge, Entry, posting
from weyr.ledger.prices import NODE_MONEY
from weyr.store.owed import ENTRY_CHARS, NOTE_CHARS, Owed

MIDNIGHT = 1_793_491_200_000
"""2026-11-01 00:00 UTC."""
GPU, CHAT, REST = Ref("digits", "pool", "gpu"), Ref("digits", "endpoint", "chat"), Ref("shared", "outside", "aws")
NODE = ThingId(GPU, "i-081360af11266")
PRICE = 526_000
"""A g4dn.xlarge, in micro-USD an hour."""
SAMPLE = Path(__file__).parent / "bills" / "focus-1.0-sample.csv.gz"


def moment(ms: int) -> str:
    day, hour = 1 + (ms - MIDNIGHT) // DAY_MS, (ms - MIDNIGHT) % DAY_MS // HOUR_MS
    return f"2026-11-{day:02}T{hour:02}:00:00Z" if day <= 30 else "2026-12-01T00:00:00Z"


def node_line(hour: int, hours: int = 1, price: int = PRICE, thing: ThingId = NODE) -> Line:
    """What a node's meter posts for hours of the first day."""
    begin = MIDNIGHT + hour * HOUR_MS
    owner, owed = f"expense:{thing.ref.absolute}", "payable:aws/fargate"
    day = moment(begin)[:10]
    return Line(1, hour + 1, thing, NODE_MONEY, begin, begin + hours * HOUR_MS, price * hours * HOUR_MS,
                price * hours, owner, owed, day, seq=hour + 1)  # fmt: skip


def focus_row(hour: int, cost: str, hours: int = 1, **fields: str) -> Row:
    """A row of an instance in FOCUS."""
    begin = MIDNIGHT + hour * HOUR_MS
    return {
        "BilledCost": cost, "BillingCurrency": "USD", "ChargeCategory": "Usage", "ServiceName": "Amazon EC2",
        "ChargePeriodStart": moment(begin), "ChargePeriodEnd": moment(begin + hours * HOUR_MS),
        "BillingPeriodStart": "2026-11-01T00:00:00Z", "ProviderName": "AWS", "ResourceId": NODE.part,
        "ResourceType": "instance", "ConsumedQuantity": str(hours), "ConsumedUnit": "Hours", **fields,
    }  # fmt: skip


def cur_row(kind: str, cost: str, hour: int = 0, hours: int = 1, **fields: str) -> Row:
    """A row of an instance in AWS' own words, version 1, under the names of version 2."""
    begin, end = MIDNIGHT + hour * HOUR_MS, MIDNIGHT + (hour + hours) * HOUR_MS
    told = {
        "identity/TimeInterval": f"{moment(begin)}/{moment(end)}", "lineItem/LineItemType": kind,
        "lineItem/UsageStartDate": moment(begin), "lineItem/UsageEndDate": moment(end),
        "lineItem/ProductCode": "AmazonEC2", "lineItem/UsageType": "BoxUsage:g4dn.xlarge",
        "lineItem/ResourceId": NODE.part, "lineItem/UsageAmount": str(hours), "lineItem/CurrencyCode": "USD",
        "lineItem/UnblendedCost": cost, "pricing/unit": "Hrs", "product/productFamily": "Compute Instance",
    }  # fmt: skip
    return {column_of(name): value for name, value in told.items()} | fields


def alone(line: Line, book: str, labels: Labels) -> Owed:
    """A line as the store would add it up with no other."""
    first_ms, last_ms = min(line.from_ms, line.to_ms), max(line.from_ms, line.to_ms - 1)
    return Owed(
        Account(line.thing.ref, labels), line.thing.part, book, line.sku, line.day, line.entry[:ENTRY_CHARS],
        line.note[:NOTE_CHARS], first_ms // HOUR_MS, last_ms // HOUR_MS, line.signed_micros,
        line.micros, line.used, line.to_ms - line.from_ms, line.seq,
    )  # fmt: skip


def posted_of(lines: Iterable[Line], book: str = "aws/fargate") -> Posted:
    posted = Posted()
    for line in lines:
        add(posted, alone(line, book, (("team", "vision"),)))
    return posted


def compared(rows: Sequence[Row], posted: Posted, rest: Ref | None = None, dialect: object = FOCUS) -> Compared:
    bill = read(CUR if dialect is CUR else FOCUS, rows, "bill.csv")
    return compare(bill, posted, Owners(posted.things, (), rest))


def only(found: Compared) -> Difference:
    (difference,) = [each for each in found.differences if each.reasons]
    return difference


def lines_of(found: Sequence[Correction], id: str, seq: int) -> list[tuple[Line, str, Meter]]:
    """The lines that the journal would have after these were posted."""
    made = []
    for number, c in enumerate(found):
        begin = MIDNIGHT + (int(c.day[8:]) - 1) * DAY_MS
        charge = Charge(c.ref, c.sku, c.book, c.micros, begin, begin + DAY_MS, c.day, labels=c.labels)
        meter, line = posting(charge, Entry(id, (charge,), "ann", "corrects by the bill"), begin)
        made.append((replace(line, seq=seq + number), c.book, meter))
    return made


def post(bill: Bill, posted: Posted, owners: Owners, seq: int, takes_back: bool = False) -> int:
    """Posts what a bill asks for. Gives how many lines that took."""
    found = corrections(compare(bill, posted, owners), posted, takes_back)
    for line, book, meter in lines_of(found, id_of(bill, found, posted), seq):
        add(posted, alone(line, book, meter.labels))
    return len(found)


def test_a_bill_that_providers_wrote_is_read_to_the_last_digit() -> None:
    """Spaces for a T, NULL for nothing, three spellings of a category: what people have is not what a norm says."""
    aws, azure, oracle = (read_bill(SAMPLE, name) for name in ("aws", "azure", "oci"))
    assert (aws.rows, azure.rows, oracle.rows) == (59, 9, 6)
    assert (aws.total, azure.total) == (Decimal("-1.21318592110"), Decimal("1.96565131136"))
    assert oracle.total == Decimal("0.52507392473")
    assert (aws.first_day[:7], aws.last_day) == ("2024-09", "2024-09-30")
    kinds = {kind for cell in aws.cells.values() for kind in cell.amounts}
    assert kinds == {Kind.USAGE, Kind.CREDIT}
    measured = {measure for (_, measure, _, _) in aws.cells}
    assert measured >= {Measure.INSTANCE, Measure.STORAGE, Measure.EGRESS, Measure.REQUESTS}


def test_a_real_bill_is_posted_whole_and_once() -> None:
    """What no object is known for goes to a stack that is named: the journal then owes what the provider asks for."""
    bill = read_bill(SAMPLE, "aws")
    machine = "i-081360af1l266l589"
    owners = Owners((), [Mapped.parse(f"{machine}=digits:pool/gpu")], REST)
    posted = Posted()
    assert post(bill, posted, owners, seq=1) > 0
    assert post(bill, posted, owners, seq=1000) == 0
    micros = {at.ref: 0 for at in posted.found}
    for at, ours in posted.found.items():
        micros[at.ref] += sum(ours.posted.values())
    assert micros[GPU] == 340_000
    assert sum(micros.values()) == -1_213_186


def test_a_dearer_hour_is_a_price_and_a_longer_day_a_quantity() -> None:
    """One tells to look at the price book, the other at what ran: a sum of both would tell neither."""
    posted = posted_of([node_line(0, 4)])
    dearer = only(compared([focus_row(hour, "0.600000000") for hour in range(4)], posted))
    longer = only(compared([focus_row(hour, "0.526000000") for hour in range(6)], posted))
    both = only(compared([focus_row(hour, "0.600000000") for hour in range(6)], posted))

    assert dearer.reasons == {Reason.PRICE: 4 * 74_000}
    assert longer.reasons == {Reason.QUANTITY: 2 * PRICE}
    assert (longer.ours_quantity, longer.theirs_quantity) == (Decimal(4), Decimal(6))
    assert [hour - MIDNIGHT // HOUR_MS for hour in longer.only_theirs] == [4, 5]
    assert both.reasons == {Reason.QUANTITY: 2 * PRICE, Reason.PRICE: 6 * 74_000}


def test_what_only_one_side_has_is_told() -> None:
    """A machine that nobody metered costs money; one that was metered and not billed may be somebody's own."""
    other = ThingId(CHAT, "i-0lbaaa6a98751b841")
    posted = posted_of([node_line(0), node_line(1, thing=other)])
    rows = [focus_row(0, "0.526"), focus_row(1, "1.25", ConsumedUnit="Requests")]
    found = compared(rows, posted)
    by_ref = {(each.at.ref, each.at.measure): each.reasons for each in found.differences}
    assert by_ref == {
        (GPU, Measure.INSTANCE): {},
        (GPU, Measure.REQUESTS): {Reason.UNMETERED: 1_250_000},
        (CHAT, Measure.INSTANCE): {Reason.UNBILLED: -PRICE},
    }
    assert [(c.ref, c.micros) for c in corrections(found, posted)] == [(GPU, 1_250_000)]
    assert (CHAT, -PRICE) in [(c.ref, c.micros) for c in corrections(found, posted, takes_back=True)]


def test_tax_support_credits_and_commitments_have_rows_of_their_own() -> None:
    """They are no use of anything: an object's price must not seem to have changed because of them."""
    posted = posted_of([node_line(0)])
    rows = [
        cur_row("Usage", "0.526"),
        cur_row("SavingsPlanCoveredUsage", "0.526", 1), cur_row("SavingsPlanNegation", "-0.526", 1),
        cur_row("SavingsPlanRecurringFee", "0.300", 1, line_item_resource_id="arn:aws:savingsplans::1:savingsplan/x"),
        cur_row("Tax", "1.90", 0, 30 * 24, line_item_resource_id=""),
        cur_row("Credit", "-2", 0, 30 * 24, line_item_resource_id=""),
        cur_row("Fee", "29", 0, 30 * 24, line_item_resource_id="", line_item_product_code="AWSSupportDeveloper"),
    ]  # fmt: skip
    found = compared(rows, posted, REST, CUR)
    sums: dict[Reason, int] = {}
    for each in found.differences:
        for reason, micros in each.reasons.items():
            sums[reason] = sums.get(reason, 0) + micros
    assert sums == {
        Reason.QUANTITY: 526_000, Reason.COMMITMENT: -526_000, Reason.FEE: 300_000, Reason.TAX: 1_900_000,
        Reason.CREDIT: -2_000_000, Reason.SUPPORT: 29_000_000,
    }  # fmt: skip
    assert {each.at.day for each in found.differences if each.at.ref == REST} == {"2026-11-30"}


def test_what_a_commitment_covers_here_is_beside_what_it_covers_there() -> None:
    """Its fee and what it takes back are in the journal already: a bill that has the same must post nothing."""
    plan = Ref("digits", "commitment", "plan")
    fee = replace(node_line(0, price=300_000, thing=ThingId(plan)), sku="commitment.fee",
                  debit=f"expense:{plan.absolute}")  # fmt: skip
    covered = replace(node_line(0), sku=f"{NODE_MONEY}.covered", debit="payable:aws/fargate",
                      credit=f"expense:{GPU.absolute}")  # fmt: skip
    posted = posted_of([node_line(0), covered, fee])
    arn = "arn:aws:savingsplans::1:savingsplan/x"
    rows = [
        cur_row("SavingsPlanCoveredUsage", "0.526"), cur_row("SavingsPlanNegation", "-0.526"),
        cur_row("SavingsPlanRecurringFee", "0.310", line_item_resource_id=arn),
    ]  # fmt: skip
    owners = Owners(posted.things, [Mapped.parse(f"{arn}=digits:commitment/plan")])
    found = compare(read(CUR, rows, "bill.csv"), posted, owners)
    assert only(found).reasons == {Reason.FEE: 10_000}
    assert [(c.ref, c.micros) for c in corrections(found, posted)] == [(plan, 10_000)]


def test_a_commitment_is_found_by_what_it_costs_where_nothing_names_it() -> None:
    """Its ARN is known to AWS alone. Of two that cost the same neither is taken for the other."""
    plans = [Ref("digits", "commitment", name) for name in ("large", "small", "twin")]
    fees = [
        replace(node_line(0, price=price, thing=ThingId(plan)), sku="commitment.fee", debit=f"expense:{plan.absolute}")
        for plan, price in zip(plans, (300_000, 100_000, 100_000), strict=True)
    ]
    arn = "arn:aws:savingsplans::1:savingsplan/"
    reserved = {**cur_row("RIFee", "0.100"), "line_item_resource_id": "", "reservation_reservation_a_r_n": "reserved/b"}
    rows = [
        cur_row("SavingsPlanRecurringFee", "0.310", line_item_resource_id=f"{arn}a"),
        reserved,
    ]
    bill = read(CUR, rows, "bill.csv")
    found = compare(bill, posted_of(fees), Owners([]))
    assert [each.at.ref for each in found.differences if each.is_billed] == plans[:1]
    assert [(resource.id, micros) for resource, micros in found.nobodys] == [("reserved/b", 100_000)]
    told = Owners([], [Mapped.parse(f"{arn}a=digits:commitment/small")])
    found = compare(bill, posted_of(fees), told)
    assert {each.at.ref for each in found.differences if each.is_billed} == {plans[1], plans[2]}


def test_whose_a_row_is_is_told_by_a_person_a_tag_or_an_id() -> None:
    """In that order: a person knows best, a tag was set on purpose, an id is what Weyr has seen."""
    tags = '{"weyr:stack": "digits", "weyr_kind": "endpoint", "weyr-name": "chat"}'
    rows = [focus_row(0, "1", ResourceId="i-other", Tags=tags),
            focus_row(1, "2", ResourceId=f"arn:aws:ec2:us-east-1:1:instance/{NODE.part}"),
            focus_row(2, "4", ResourceId="bucket-of-ann", Tags='{"app": "chatty"}')]  # fmt: skip
    bill = read(FOCUS, rows, "bill.csv")
    mapped = [Mapped.parse("bucket-of-*=digits:bucket/lake"), Mapped.parse("tag:app=chat*=digits:endpoint/chat")]
    for owners, wanted in (
        (Owners([NODE]), {CHAT: 1, GPU: 2, None: 4}),
        (Owners([NODE], mapped[:1]), {CHAT: 1, GPU: 2, Ref("digits", "bucket", "lake"): 4}),
        (Owners([NODE], mapped[1:], REST), {CHAT: 5, GPU: 2}),
        (Owners([], [], REST), {CHAT: 1, REST: 6}),
    ):
        micros: dict[Ref | None, int] = {}
        found = compare(bill, posted_of([]), owners)
        for each in found.differences:
            micros[each.at.ref] = micros.get(each.at.ref, 0) + each.theirs_micros // 1_000_000
        for _, of_nobody in found.nobodys:
            micros[None] = micros.get(None, 0) + of_nobody // 1_000_000
        assert micros == wanted


@pytest.mark.parametrize("text", ["i-1", "i-1=pool/gpu", "=digits:pool/gpu", "tag:=x=digits:pool/gpu", "a=b:c"])
def test_an_owner_that_is_none_is_refused(text: str) -> None:
    """Money must not go to whom a typo names."""
    with pytest.raises(UserError, match="Not an owner"):
        Mapped.parse(text)


METERED = st.tuples(st.integers(0, 47), st.integers(0, 3), st.integers(0, 10**7))
BILLED = st.tuples(st.integers(0, 47), st.integers(0, 4), st.decimals(-2, 9, places=9))


@given(st.lists(METERED, max_size=8), st.lists(st.lists(BILLED, min_size=1, max_size=8), min_size=1, max_size=4))
def test_after_each_bill_the_journal_owes_what_it_says(
    metered: list[tuple[int, int, int]], bills: list[list[tuple[int, int, Decimal]]]
) -> None:
    """Bills are restated: each state of one leaves the journal at its sum, and asked for again posts nothing."""
    nodes = [ThingId(Ref("digits", "pool", f"p{n}"), f"i-{n:08}") for n in range(4)]
    posted = posted_of(node_line(hour, 1, price, nodes[n]) for hour, n, price in metered)
    owners = Owners(nodes, (), REST)
    for number, told in enumerate(bills):
        ends = [focus_row(0, "0", 48, ResourceId="i-00000009", ConsumedUnit="Months")]
        rows = [focus_row(hour, str(cost), ResourceId=f"i-{n:08}") for hour, n, cost in told]
        bill = read(FOCUS, [*rows, *ends], "bill.csv")
        post(bill, posted, owners, 1000 * (number + 1), takes_back=True)
        assert post(bill, posted, owners, 1000 * (number + 1) + 500, takes_back=True) == 0
        owed = sum(ours.micros + sum(ours.posted.values()) for ours in posted.found.values())
        assert owed == rounded({0: bill.total}, lambda key: key)[0]


def test_two_who_post_at_once_have_one_id_and_a_bill_that_returns_another() -> None:
    """The id keeps one of two from posting twice, and must not keep a third state of the bill from being posted."""
    posted, owners = posted_of([node_line(0)]), Owners([NODE])
    dear, as_metered = (read(FOCUS, [focus_row(0, cost)], "bill.csv") for cost in ("0.600", "0.526"))

    def id_now(bill: Bill) -> str:
        return id_of(bill, corrections(compare(bill, posted, owners), posted), posted)

    first = id_now(dear)
    assert first == id_now(dear)
    assert first.startswith("bill-aws-2026-11-01-2026-11-01-")
    post(dear, posted, owners, 100)
    post(as_metered, posted, owners, 200)
    assert id_now(dear) != first


@pytest.mark.parametrize(
    ("unit", "words", "measure", "each"),
    [
        ("Hrs", "BoxUsage:m5.large", Measure.INSTANCE, 1), ("Hours", "NAT gateway", Measure.OTHER, None),
        ("Seconds", "Virtual Machine", Measure.INSTANCE, Decimal(1) / 3600), ("vCPU-Hours", "Fargate", Measure.CPU, 1),
        ("GB-Hours", "Fargate", Measure.MEMORY, 1), ("GB-Mo", "TimedStorage", Measure.STORAGE, 720),
        ("GB-Months", "S3", Measure.STORAGE, 720), ("GB", "DataTransfer-Out-Bytes", Measure.EGRESS, 1),
        ("GB", "processed by a NAT gateway", Measure.OTHER, None), ("10K Requests", "S3", Measure.REQUESTS, 10_000),
        ("1K tokens", "Bedrock", Measure.TOKENS, 1000), ("1,000,000 Tokens", "", Measure.TOKENS, 1_000_000),
        ("LCU-Hrs", "ELB", Measure.OTHER, None), ("", "", Measure.OTHER, None),
    ],
)  # fmt: skip
def test_units_are_taken_for_what_they_are(unit: str, words: str, measure: Measure, each: Decimal | None) -> None:
    """A month of storage has the hours of its month: taken for 730, every bill of November would differ."""
    assert measure_of(unit, words, MIDNIGHT) == (measure, each)


def test_both_versions_of_aws_reports_are_one_bill() -> None:
    """Version 2 has other names, and its tags in one column."""
    first = {**cur_row("Usage", "0.526"), "resourceTags/user:weyr:stack": "digits"}
    second = cur_row("Usage", "0.526", resource_tags='{"user_weyr:stack": "digits"}')
    assert column_of("lineItem/UsageStartDate") == "line_item_usage_start_date"
    assert read(CUR, [first], "1.csv").cells.keys() == read(CUR, [second], "2.csv").cells.keys()


@pytest.mark.parametrize(
    ("row", "told"),
    {
        "another currency": (focus_row(0, "1", BillingCurrency="EUR"), "it is in EUR"),
        "no number": (focus_row(0, "1,5"), "'1,5' is not a number"),
        "not a number": (focus_row(0, "NaN"), "is not an amount"),
        "no category": (focus_row(0, "1", ChargeCategory="Gift"), "'Gift' is no category"),
        "backwards": (focus_row(1, "1", -1), "ends before it begins"),
        "no day": (focus_row(0, "1", ChargePeriodStart="soon"), "Invalid isoformat"),
        "cut off": ({"BilledCost": "1"}, "lacks 'ChargePeriodStart'"),
    }.values(),
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_named(row: Row, told: str) -> None:
    """With its place in the file, all of them at once; a bill with a row left out would seem cheaper than it is."""
    with pytest.raises(UserError) as refused:
        read(FOCUS, [focus_row(0, "1"), row, row], "bill.csv")
    assert told in str(refused.value)
    assert "bill.csv:3" in str(refused.value)
    assert "bill.csv:4" in str(refused.value)


def test_a_file_that_is_no_bill_says_what_it_lacks() -> None:
    """Of the form that it comes nearest to."""
    with pytest.raises(UserError, match="for FOCUS it lacks BilledCost, BillingCurrency"):
        dialect_of(["ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd"], "a.csv")
    with pytest.raises(UserError, match="for AWS CUR it lacks line_item_unblended_cost"):
        dialect_of(["lineItem/LineItemType", "lineItem/UsageStartDate"], "a.csv")
