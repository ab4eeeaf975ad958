"""What a plan says of a month is what the ledger bills in it, tiers and free part and all."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from known_kinds import KINDS

from weyr.core.kind import Usage
from weyr.core.ref import Ref
from weyr.ledger.grouping import By
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import EGRESS_FAR, EGRESS_LOCAL, REQUESTS_READ, STORAGE, Catalogue
from weyr.reconcile.foresight import foreseen
from weyr.stack.costs import Known
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.stack import Stack
from weyr.stack.steps import Plan
from weyr.stack.usage import Usage as Said
from weyr.stack.world import World
from weyr.store.database import Database, metadata
from weyr.store.ledger import LedgerStore

DECEMBER = 1_796_083_200.0
"""2026-12-01 00:00 UTC: a month that 730 hours fit into."""
HOURS = 730
END = DECEMBER + HOURS * 3600
CATALOGUE = Catalogue.shipped()
TEXT = """stack: busy
on: local
buckets:
  lake:
  logs:
  runs: {tiers: {standard_ia: /mnt/slow, glacier_ir: /mnt/tape}}
usage:
  bucket/lake: {stored: 60TiB, egress: 70GiB}
  bucket/runs:
    stored: 5GiB
    stored_standard_ia: 7TiB
    moved_standard_ia: 8030
    reads_standard_ia: 1000100
    retrieved_standard_ia: 730GiB
    stored_glacier_ir: 90TiB
    writes_glacier_ir: 803
    retrieved_glacier_ir: 1460GiB
  bucket/logs: {stored: 3GiB, reads: 21900000, egress: 11TiB}
"""
MONTH = {
    "lake": {STORAGE: 60 * 2**40, EGRESS_FAR: 70 * 2**30},
    "logs": {STORAGE: 3 * 2**30, REQUESTS_READ: 21_900_000, EGRESS_FAR: 11 * 2**40},
    "runs": {
        STORAGE: 5 * 2**30,
        "storage.standard_ia": 7 * 2**40,
        "requests.move.standard_ia": 8030,
        "requests.read.standard_ia": 1_000_100,
        "retrieval.standard_ia": 730 * 2**30,
        "storage.glacier_ir": 90 * 2**40,
        "requests.write.glacier_ir": 803,
        "retrieval.glacier_ir": 1460 * 2**30,
    },
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """One that metered a month in which both buckets were used evenly, looked at twice a day; its meters are open."""
    db = fresh_database(tmp_path)
    ledger = Ledger(LedgerStore(db), CATALOGUE)
    for hour in (*range(0, HOURS, 12), HOURS):
        for name, month in MONTH.items():
            usages = [_seen(sku, amount, hour) for sku, amount in month.items()]
            with db.write() as connection:
                ledger.read(connection, Ref("busy", "bucket", name), usages, "aws/fargate", DECEMBER + hour * 3600)
    yield ledger
    db.close()


def fresh_database(folder: Path) -> Database:
    db = Database(folder / "store.db")
    with db.write() as connection:
        metadata.create_all(connection)
    return db


def _seen(sku: str, amount: int, hour: int) -> Usage:
    if sku.startswith("storage."):
        return Usage("bucket", sku, amount, since=None)
    return Usage("bucket", sku, amount * hour // HOURS, since=DECEMBER)


def plan_of(text: str, known: Callable[[Stack], Known]) -> Plan:
    stack = parse_stack(text, "weyr.yaml", KINDS, price_lists=CATALOGUE.books)
    return make_plan(stack, World(stack.name), KINDS, CATALOGUE.book("aws/fargate"), known=known(stack))


def test_a_month_of_tiers_is_billed_as_it_was_planned(ledger: Ledger) -> None:
    """One price is behind both: storage that passes 50 TB, egress that passes its free part and then 10 TB, requests;
    and by class what is stored, asked, moved there and read.

    Which bucket has the free part is a matter of who sent first; what both pay is not.
    """
    plan = plan_of(TEXT, lambda stack: Known(usage=stack.usage))

    bill = ledger.cost("busy", By.OBJECT, END)

    assert plan.after.micros == bill.total_micros > 2_000 * 10**6
    by_name = {cost.ref.name: " ".join(cost.notes) for cost in plan.costs}
    assert "free" in by_name["lake"]
    assert "free" in by_name["logs"]
    assert "AWS bills each object for 90 days and as 128 KiB at least" in by_name["runs"]
    told = {row.key: row.micros for row in ledger.cost("busy", By.SKU, END).rows}
    for sku, usd in (
        ("storage.glacier_ir", "368.64"),
        ("retrieval.standard_ia", "7.30"),
        ("storage.standard_ia", "89.60"),
    ):
        assert told[sku] == int(Decimal(usd) * 10**6), sku


def test_the_next_plan_reckons_with_what_its_own_meters_counted(ledger: Ledger) -> None:
    """Nobody has to say how much a bucket sends once its meters know: the plan comes to what the month was."""
    plan = plan_of(TEXT.partition("usage:")[0], lambda stack: foreseen(ledger, CATALOGUE, stack, KINDS, END))

    told = {one.text for cost in plan.costs for one in cost.assumptions}

    assert "egress 70 GiB measured (over 30d10h)" in told
    assert "reads 21,900,000 measured (over 30d10h)" in told
    assert "stored 60 TiB measured (now)" in told
    assert "stored_glacier_ir 90 TiB measured (now)" in told
    assert "retrieved_standard_ia 730 GiB measured (over 30d10h)" in told
    assert plan.after.micros == ledger.cost("busy", By.OBJECT, END).total_micros


ANSWERS = """stack: chat
on: local
endpoints:
  chat: {run: serve, ready: /, scale: {min: 1, max: 1}}
services:
  site: {run: serve, listens: true}
functions:
  thumbs: {handler: "app:main"}
usage:
  endpoint/chat: {egress: 80GiB}
  service/site: {egress: 50GiB}
  function/thumbs: {egress: 10TiB}
"""
SENT = {("endpoint", "chat"): 80 * 2**30, ("service", "site"): 50 * 2**30, ("function", "thumbs"): 10 * 2**40}


def test_what_answers_take_elsewhere_is_billed_as_it_was_planned(tmp_path: Path) -> None:
    """Egress of endpoints, services and functions is in the tiers and in the free part that buckets are in as well;
    what stays on the machine costs nothing."""
    told, bare = (
        plan_of(text, lambda stack: Known(usage=stack.usage)) for text in (ANSWERS, ANSWERS.partition("usage:")[0])
    )
    db = fresh_database(tmp_path)
    ledger = Ledger(LedgerStore(db), CATALOGUE)
    for (kind, name), sent in SENT.items():
        usages = [Usage("route", sku, sent, since=DECEMBER) for sku in (EGRESS_FAR, EGRESS_LOCAL)]
        with db.write() as connection:
            ledger.read(connection, Ref("chat", kind, name), usages, "aws/fargate", END - 60)

    bill = ledger.cost("chat", By.SKU, END)
    past = ledger.pasts("chat", END)[Ref("chat", "endpoint", "chat")]
    db.close()

    micros = {row.key: row.micros for row in bill.rows}
    assert told.after.micros - bare.after.micros == micros[EGRESS_FAR] > 900 * 10**6
    assert micros.get(EGRESS_LOCAL, 0) == 0
    assert not bill.unpriced
    assert past.counts[EGRESS_FAR] == 80 * 2**30, "and the next plan takes it from there"


def test_a_plans_id_tells_its_prices_and_what_was_said_of_use(ledger: Ledger) -> None:
    """Two plans that would cost something else are not one, though the meters that both rest on move by themselves."""
    bare = TEXT.partition("usage:")[0]

    def known(stack: Stack, at: float = END, version: str = "1") -> Known:
        return replace(foreseen(ledger, CATALOGUE, stack, KINDS, at), prices_version=version)

    same = {plan_of(bare, known).id, plan_of(bare, lambda stack: known(stack, END + 3600)).id}
    dearer = plan_of(bare, lambda stack: known(stack, version="2"))
    said = plan_of(bare, lambda stack: replace(known(stack), usage=said_of_use()))

    assert len(same) == 1
    assert len({*same, dearer.id, said.id}) == 3


def said_of_use() -> Said:
    return parse_stack(TEXT, "weyr.yaml", KINDS, price_lists=CATALOGUE.books).usage
