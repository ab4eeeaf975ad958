"""A ledger in memory is the ledger in the database: row by row, whoever asks when."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from weyr.core.kind import Usage
from weyr.core.reach import Every, Reach
from weyr.core.ref import Ref, ThingId
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import CPU, EGRESS_FAR, MEMORY, STORAGE, Catalogue, PriceBook
from weyr.ledger.prices.rates import price_of
from weyr.reconcile.node_use import NODE_SHARE
from weyr.sim.chance import chance_of
from weyr.sim.rehearsal.books import QuickDatabase
from weyr.sim.rehearsal.quick_ledger import QuickLedgerStore
from weyr.store.database import Database
from weyr.store.ledger import LedgerStore
from weyr.store.tables.ledger import accounts, journal, meters, spending, tallies

NOON = 1_795_348_800.0
"""2026-11-22 12:00 UTC."""
GIB = 2**30
BOOK = PriceBook(
    "cloud",
    {
        CPU: price_of("0.04048", unit=1000, per_s=3600),
        MEMORY: price_of("0.004445", unit=1000, per_s=3600),
        EGRESS_FAR: price_of("0.09 to 10240; 0.085", "100", unit=GIB, tally="far"),
        STORAGE: price_of("0.023 to 1; 0.02", unit=GIB, per_s=2_628_000, tally="stored"),
    },
)
LAKES = [Ref("digits", "bucket", f"lake{number}") for number in range(2)]
NODE = ThingId(Ref("digits", "pool", "here"), "1")
Asked = Callable[[Ledger, float], object]
ASKED: list[Asked] = [
    lambda ledger, now: ledger.spend(Reach("digits"), Every.MONTH, now),
    lambda ledger, now: ledger.object_cost(LAKES[0], now),
    lambda ledger, now: ledger.lines("digits"),
    lambda ledger, now: ledger.open_meters(),
    lambda ledger, now: ledger.rate("digits"),
]


def told(ledger: Ledger, db: Database, seed: int) -> list[object]:
    """What it answers, for tasks that come, run, share a node and go, and buckets that grow, over three days."""
    chance, answers, running = chance_of(seed, "tasks"), list[object](), dict[Ref, float]()
    with db.write() as connection:
        ledger.open(connection, NODE.ref, "1", [Usage("1", CPU, 8000, None)], BOOK, NOON)
        ledger.read(connection, NODE.ref, [Usage("1", CPU, 8000, NOON)], BOOK, NOON + 1)
    for step in range(70):
        now = NOON + 1 + step * 3600.0
        with db.write() as connection:
            lake = chance.choice(LAKES)
            stored = [Usage("bucket", STORAGE, step * GIB // 20, None), Usage("bucket", EGRESS_FAR, step * GIB, NOON)]
            ledger.read(connection, lake, stored, BOOK, now)
            if chance.random() < 0.5:
                ref, labels = Ref("digits", "job", f"j{step}"), (("team", chance.choice("ab")),)
                running[ref] = now
                asked = [Usage("1", CPU, 2000, None), Usage("1", MEMORY, 4000, None)]
                ledger.open(connection, ref, "1", asked if step % 3 else [], BOOK, now, labels)
            for ref, since in list(running.items()):
                ends = now if chance.random() < 0.3 else None
                shared = Usage("1", NODE_SHARE, 250, since, ends, of=NODE)
                used = [Usage("1", CPU, 2000, since, ends), Usage("1", MEMORY, 4000, since, ends)]
                ledger.read(connection, ref, [*used, shared] if step % 5 else used, BOOK, now)
                if ends:
                    ledger.close(connection, ref, "1", now)
                    del running[ref]
        if chance.random() < 0.2:
            answers.append(chance.choice(ASKED)(ledger, now))
    return answers


def rows_of(db: Database) -> dict[str, list[tuple[object, ...]]]:
    with db.read() as connection:
        found = {}
        for table in (accounts, meters, journal, spending, tallies):
            rows = connection.execute(select(table).order_by(*table.primary_key.columns))
            found[table.name] = [tuple(row) for row in rows]
        return found


def test_what_is_kept_in_memory_is_written_as_production_writes_it(tmp_path: Path) -> None:
    """A rehearsal's bill is added up from what it never sent until it was asked: a line that were another, or a tier
    counted twice, would make its cost a guess."""
    for seed in range(2):
        quick = QuickDatabase.fresh(tmp_path / f"quick{seed}.db")
        plain = QuickDatabase.fresh(tmp_path / f"plain{seed}.db")
        catalogue = Catalogue.shipped()

        in_memory = told(Ledger(QuickLedgerStore(quick), catalogue), quick, seed)
        at_once = told(Ledger(LedgerStore(plain), catalogue), plain, seed)

        assert in_memory == at_once
        found, expected = rows_of(quick), rows_of(plain)
        quick.close()
        plain.close()
        assert found == expected, f"seed {seed}"
        assert all(expected.values()), "the test tells of every table"
