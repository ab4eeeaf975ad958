"""The journal on a real database: a chain that shows what was changed, entries, corrections, and months that close."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from weyr.core.diagnostic import UserError
from weyr.core.kind import Usage
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref, ThingId
from weyr.ledger.accounts import Scope, month_named
from weyr.ledger.books import Books
from weyr.ledger.entries import Charge, Entry
from weyr.ledger.grouping import By, Label
from weyr.ledger.journal import balances
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import CPU, NODE_MONEY
from weyr.sim.store import migrated
from weyr.store.chain import FIRST, seal
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore

NOVEMBER = 1_793_491_200.0
"""2026-11-01 00:00 UTC."""
HOUR = 3600.0
TRAIN = Ref("digits", "job", "train")
CHAT = Ref("digits", "outside", "openai")
MICROS = 40_480
"""Of a vCPU-hour."""


@pytest.fixture
def books(db: Database) -> Books:
    return Books(LedgerStore(db))


def ran(db: Database, ledger: Ledger, since: float, until: float | None, now: float, part: str = "1") -> None:
    with db.write() as connection:
        usages = [Usage(part, CPU, 1000, since, until)]
        ledger.open(connection, TRAIN, part, usages, "aws/fargate", since)
        ledger.read(connection, TRAIN, usages, "aws/fargate", now)


def bill(id: str = "openai-2026-11-03", micros: int = 12_500_000) -> Entry:
    begin = round(NOVEMBER * 1000) + 2 * 86_400_000
    charge = Charge(CHAT, "tokens.in", "openai", micros, begin, begin + 86_400_000, "2026-11-03", 5_000_000,
                    labels=(("team", "support"),))  # fmt: skip
    return Entry(id, (charge,), "ada", "invoice 4711")


def test_an_untouched_journal_proves_itself(db: Database, ledger: Ledger, books: Books) -> None:
    """Who asks gets the number of lines and a hash to write down; after more lines it is another one."""
    assert books.verify() == books.verify()
    ran(db, ledger, NOVEMBER, NOVEMBER + HOUR, NOVEMBER + 2 * HOUR)
    first = books.verify()
    books.enter(bill(), NOVEMBER + 90 * HOUR)
    second = books.verify()
    assert (first.fault, second.fault) == ("", "")
    assert (first.lines, second.lines) == (1, 2)
    assert len({first.head, second.head, "00" * 32}) == 3


@pytest.mark.parametrize(
    ("change", "told"),
    {
        "an amount": ("UPDATE journal SET micros = micros - 1 WHERE seq = 2", "line 2 or its hash was changed"),
        "a day": ("UPDATE journal SET day = '2026-12-01' WHERE seq = 3", "line 3 or its hash was changed"),
        "who posted it": ("UPDATE journal SET who = 'eve' WHERE seq = 1", "line 1 or its hash was changed"),
        "a line is gone": ("DELETE FROM journal WHERE seq = 2", "line 2 is missing"),
        "the last line is gone": ("DELETE FROM journal WHERE seq = 4", "the journal has 0"),
        "a sum of a day": ("UPDATE spending SET micros = micros + 5", "is not that of its lines"),
        "a sum is gone": ("DELETE FROM spending", "is missing"),
    }.values(),
)  # fmt: skip
def test_what_was_changed_behind_our_back_is_found(
    db: Database, ledger: Ledger, books: Books, change: str, told: str
) -> None:
    """Somebody who can write the database cannot make a line say something else unseen."""
    for number in range(4):
        since = NOVEMBER + number * HOUR
        ran(db, ledger, since, since + HOUR, since + 2 * HOUR, part=str(number))
    assert books.verify().fault == ""
    with db.write() as connection:
        connection.execute(text(change))
    assert told in books.verify().fault


def test_a_damaged_file_is_said_to_be_one(tmp_path: Path) -> None:
    """A disk that gave back other bytes is no bug of Weyr: whoever proves hears so, and what to do."""
    path = tmp_path / "weyr.db"
    path.write_bytes(migrated())
    db = Database(path)
    Books(LedgerStore(db)).enter(bill(), NOVEMBER)
    with db.write() as connection:
        (root,) = connection.execute(text("SELECT rootpage FROM sqlite_master WHERE name = 'journal'")).one()
        (size,) = connection.execute(text("PRAGMA page_size")).one()
    db.close()
    whole = path.read_bytes()
    at = (root - 1) * size
    path.write_bytes(whole[:at] + b"\xff" * 64 + whole[at + 64 :])
    db = Database(path)
    with pytest.raises(UserError, match="malformed") as refusal:
        Books(LedgerStore(db)).verify()
    assert refusal.value.diagnostics[0].summary == "The journal cannot be read"
    db.close()


def test_no_entry_is_more_than_the_store_can_add_up(books: Books) -> None:
    """Ten thousand billions passed for a bill once, and no sum over the journal could be made any more."""
    (charge,) = bill().charges
    with pytest.raises(UserError, match="more than an entry or the journal may hold"):
        books.enter(Entry("mistake", (replace(charge, micros=10**15),) * 10_000, "ada"), NOVEMBER)
    for number in range(400):
        books.enter(Entry(f"large-{number}", (replace(charge, micros=10**16),), "ada"), NOVEMBER)
    with pytest.raises(UserError, match="more than an entry or the journal may hold"):
        books.enter(bill(), NOVEMBER)
    assert books.verify().fault == ""


def test_a_journal_that_was_made_anew_is_not_the_one_of_a_closed_month(
    db: Database, ledger: Ledger, books: Books
) -> None:
    """Whoever makes all hashes anew after a change has another one where October ended."""
    ran(db, ledger, NOVEMBER - 2 * HOUR, NOVEMBER - HOUR, NOVEMBER)
    books.close("2026-10", "ada", NOVEMBER + HOUR)
    assert books.verify().fault == ""
    with db.write() as connection:
        row = connection.execute(text("SELECT * FROM journal WHERE seq = 1")).one()._asdict()
        forged = seal(FIRST, {**row, "who": "eve"})
        connection.execute(text("UPDATE journal SET who = 'eve', hash = :hash WHERE seq = 1"), {"hash": forged})
    assert books.verify().fault == "line 1 is not the one that a closed month ended with"


def test_a_bill_from_outside_is_posted_once(ledger: Ledger, books: Books, db: Database) -> None:
    """A poster that lost our answer posts again; the account has it once, by every split, and it balances."""
    first = books.enter(bill(), NOVEMBER + 90 * HOUR)
    again = books.enter(bill(), NOVEMBER + 91 * HOUR)
    assert (first.is_new, again.is_new) == (True, False)
    now = NOVEMBER + 100 * HOUR
    for by, key in (
        (By.OBJECT, CHAT.absolute),
        (By.SKU, "tokens.in"),
        (By.DAY, "2026-11-03"),
        (Label("team"), "support"),
    ):
        assert [(row.key, row.micros) for row in ledger.cost(None, by, now).rows] == [(key, 12_500_000)]
    (line,) = ledger.lines()
    assert (line.entry, line.who, line.note, line.used) == ("openai-2026-11-03", "ada", "invoice 4711", 5 * 10**9)
    assert sum(balances([line]).values()) == 0
    with pytest.raises(UserError, match="Something else"):
        books.enter(bill(micros=1), now)


def test_a_correction_is_two_entries_and_the_line_stays(db: Database, ledger: Ledger, books: Books) -> None:
    """What was wrong is still to be read, and why it was put right, and by whom."""
    ran(db, ledger, NOVEMBER, NOVEMBER + HOUR, NOVEMBER + 2 * HOUR)
    before = ledger.lines()
    books.correct(1, 30_000, "ada", "half of it was a test", NOVEMBER + 3 * HOUR)
    assert ledger.lines()[:1] == before
    assert [line.signed_micros for line in ledger.lines()] == [MICROS, -MICROS, 30_000]
    assert {line.note for line in ledger.lines()[1:]} == {"corrects 1: half of it was a test"}
    assert ledger.cost(None, By.OBJECT, NOVEMBER + 4 * HOUR).total_micros == 30_000
    assert ledger.cost(None, By.THING, NOVEMBER + 4 * HOUR).total_micros == 30_000
    books.correct(1, 30_000, "ada", "half of it was a test", NOVEMBER + 5 * HOUR)
    assert len(ledger.lines()) == 3
    assert books.verify().fault == ""


def test_a_bill_is_split_up_by_provider_and_region(db: Database, ledger: Ledger) -> None:
    """Whose prices hold and where stays with what was posted; a tag of the user's own says it otherwise."""
    for part, labels in (("1", ()), ("2", (("region", "eu-west-1"),))):
        with db.write() as connection:
            usages = [Usage(part, CPU, 1000, NOVEMBER, NOVEMBER + HOUR)]
            ledger.open(connection, TRAIN, part, usages, "aws/fargate", NOVEMBER, labels)
            ledger.read(connection, TRAIN, usages, "aws/fargate", NOVEMBER + 2 * HOUR, labels)
    now = NOVEMBER + 3 * HOUR
    assert [(r.key, r.micros) for r in ledger.cost(None, Label("provider"), now).rows] == [("aws", 2 * MICROS)]
    regions = {r.key: r.micros for r in ledger.cost(None, Label("region"), now).rows}
    assert regions == {"us-east-1": MICROS, "eu-west-1": MICROS}


def test_a_closed_month_takes_no_line_more(db: Database, ledger: Ledger, books: Books) -> None:
    """What was reported stays what was reported: late use is an adjustment of the open month that names its day."""
    ran(db, ledger, NOVEMBER - HOUR, None, NOVEMBER - HOUR + 60)
    period = books.close("2026-10", "ada", NOVEMBER + HOUR)
    october = Scope(from_day="2026-10-01", to_day="2026-10-31")
    reported = ledger.cost(None, By.OBJECT, NOVEMBER + HOUR, october)
    assert reported.total_micros == MICROS, "what ran until midnight was posted before the month was closed"
    assert period.last_day == "2026-10-31"

    ran(db, ledger, NOVEMBER - 5 * HOUR, NOVEMBER - 3 * HOUR, NOVEMBER + 2 * HOUR, part="late")
    assert ledger.cost(None, By.OBJECT, NOVEMBER + 3 * HOUR, october).total_micros == MICROS
    (late,) = [line for line in ledger.lines() if line.thing.part == "late"]
    assert (late.day, late.note, late.micros) == ("2026-11-01", "late, of 2026-10-31", 2 * MICROS)
    with db.write() as connection:  # and its end turns out to have been in the closed month
        ledger.read(connection, TRAIN, [Usage("1", CPU, 1000, NOVEMBER - HOUR, NOVEMBER - 600)], "aws/fargate",
                    NOVEMBER + 3 * HOUR)  # fmt: skip
    assert ledger.cost(None, By.OBJECT, NOVEMBER + 3 * HOUR, october).total_micros == MICROS
    whole = ledger.cost(None, By.OBJECT, NOVEMBER + 3 * HOUR).total_micros
    assert whole == 2 * MICROS + MICROS * 3000 // 3600
    assert books.verify().fault == ""


def test_a_figure_of_a_late_run_is_the_one_that_will_be_posted(db: Database, ledger: Ledger, books: Books) -> None:
    """The open month's bill has what will be an adjustment before it is one."""
    books.close("2026-10", "ada", NOVEMBER + 1)
    ran(db, ledger, NOVEMBER - 30, None, NOVEMBER + 20)
    seen = ledger.cost(None, By.DAY, NOVEMBER + 20)
    assert [row.key for row in seen.rows] == ["2026-11-01"]
    assert ledger.spend(Reach("digits"), Every.MONTH, NOVEMBER + 20).micros == seen.total_micros == MICROS * 50 // 3600


def test_months_close_in_order_and_once(books: Books) -> None:
    """A month that runs, or is closed, or is no month, is refused with the next step."""
    now = month_named("2026-11").begin_ms / 1000 + 1
    for name, told in (("2026-11", "has not ended"), ("11-2026", "written such as"), ("2026-13", "written such as")):
        with pytest.raises(UserError, match=told):
            books.close(name, "ada", now)
    books.close("2026-09", "ada", now)
    with pytest.raises(UserError, match="is closed"):
        books.close("2026-08", "ada", now)
    assert [period.name for period in books.periods()] == ["2026-09"]


def test_a_pools_nodes_are_shared_out_by_use_and_the_rest_is_idle(db: Database, ledger: Ledger, books: Books) -> None:
    """Two jobs on a node of 2.00 an hour, a quarter and a half of it: the pool's own row is what nobody used, and all
    of it together is what the node costs. A third that asks for more than is left has what is left."""
    pool, node = Ref("shared", "pool", "gpu"), ThingId(Ref("shared", "pool", "gpu"), "node-1")
    jobs = {"quarter": (250, 1000.0, 4600.0), "half": (500, 0.0, 7200.0), "greedy": (1000, 3600.0, 7200.0)}
    with db.write() as connection:
        usages = [Usage("node-1", NODE_MONEY, 2_000_000, NOVEMBER)]
        ledger.open(connection, pool, "node-1", usages, "aws/fargate", NOVEMBER)
        ledger.read(connection, pool, usages, "aws/fargate", NOVEMBER)
    for name, (milli, since, until) in jobs.items():
        for now in (NOVEMBER + since, NOVEMBER + until):
            ended = NOVEMBER + until if now > NOVEMBER + since else None
            with db.write() as connection:
                usage = Usage("1", "node.share", milli, NOVEMBER + since, ended, of=node)
                ledger.read(connection, Ref("ours", "job", name), [usage], "aws/fargate", now, (("team", name),))
    now = NOVEMBER + 7200
    with db.write() as connection:
        ledger.read(connection, pool, usages, "aws/fargate", now)
    bill = {row.key: row.micros for row in ledger.cost(None, By.OBJECT, now).rows}
    assert bill["ours:job/quarter"] == 500_000
    assert bill["ours:job/half"] == 2_000_000
    assert bill["ours:job/greedy"] == 500_000, "a quarter was left for it, for an hour"
    assert bill["shared:pool/gpu"] == 1_000_000
    assert sum(bill.values()) == 4_000_000 == ledger.cost(None, By.KIND, now).total_micros
    assert {row.key: row.micros for row in ledger.cost(None, Label("team"), now).rows}[""] == 1_000_000
    assert {row.key: row.micros for row in ledger.cost(None, By.THING, now).rows}["shared:pool/gpu#node-1"] == 1_000_000
    assert ledger.cost("shared", By.OBJECT, now).total_micros == 1_000_000
    assert ledger.spend(Reach("ours"), Every.MONTH, now).micros == 3_000_000
    assert ledger.object_cost(pool, now).micros == 1_000_000
    assert sum(balances(ledger.lines()).values()) == 0
    assert books.verify().fault == ""
