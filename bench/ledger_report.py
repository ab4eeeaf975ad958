"""How long does a bill take over a million lines, and what does sealing cost? `bench/ledger_report.py [LINES]`.

A real store: 300 objects that run for months and post a line a minute, and jobs of four attempts each, every attempt
with a line for its CPU and one for its memory. Reports are asked for as the server asks, from a fresh connection, and
written as JSON. The limit beside them is one SQL sum over the same journal, by the same key, in the same run: the least
that reading the lines themselves could take. All times are seconds of CPU.
"""

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import insert, text

from weyr.core.kind import Usage
from weyr.core.metering import Line, Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.ledger.accounts import Scope, dearest
from weyr.ledger.bills.posted import OWED, owed_row
from weyr.ledger.books import Books
from weyr.ledger.focus.csv_text import csv_pieces
from weyr.ledger.grouping import By, Grouping, Label
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import Catalogue
from weyr.server.bookkeeping import cost_json
from weyr.store.chain import FIRST, sealed
from weyr.store.database import Database, metadata
from weyr.store.ledger import LedgerStore
from weyr.store.ledger_rows import line_row, meter_row
from weyr.store.tables.ledger import accounts, journal, meters, spending

NOW = 1_793_491_200
MINUTE_MS, DAY_MS = 60_000, 86_400_000
OBJECTS, TEAMS, BATCH = 300, 12, 20_000
CPU = Price(40_480, 1000, 3600)


def main(lines: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = Database(Path(folder) / "store.db")
        with db.write() as connection:
            metadata.create_all(connection)
        started = time.monotonic()
        _fill(db, lines)
        print(f"{lines:,} lines in a real store, filled in {time.monotonic() - started:.0f} s", flush=True)
        print(f"one sum over the lines: {_sum_s(Path(folder), 'sum(micros)', ''):.3f} s of CPU")
        _reports(db, Path(folder))
        _posting(db)
        _proof(db)
        db.close()


def _reports(db: Database, folder: Path) -> None:
    ledger = Ledger(LedgerStore(db), Catalogue.shipped())
    key = "stack||':'||kind||'/'||name"
    month = Scope(from_day="2026-10-01", to_day="2026-10-31")
    asked: list[tuple[str, Grouping, Scope, str]] = [
        ("by object", By.OBJECT, Scope(), key), ("by team", Label("team"), Scope(), "name"),
        ("by day", By.DAY, Scope(), "day"), ("by sku", By.SKU, Scope(), "sku"),
        ("a month by team", Label("team"), month, "name"), ("by thing", By.THING, Scope(), f"{key}||'#'||part"),
    ]  # fmt: skip
    for name, by, scope, column in asked:
        bill = ledger.cost(None, by, NOW, scope)
        took = _best(lambda by=by, scope=scope: ledger.cost(None, by, NOW, scope))  # type: ignore[misc]
        told = _best(lambda bill=bill: json.dumps(cost_json(bill)))  # type: ignore[misc]
        limit = _sum_s(folder, f"{column}, sum(micros)", f"GROUP BY {column}")
        print(f"{name}: {len(bill.rows):,} rows in {took:.3f} s, as JSON {told:.3f} s more; the sum over the lines by "
              f"that key {limit:.3f} s, {took / limit:.2f} of it", flush=True)  # fmt: skip
    took = _best(lambda: json.dumps(cost_json(dearest(ledger.cost(None, By.THING, NOW), 20))))
    print(f"the 20 dearest things as JSON: {took:.3f} s")
    took = _best(lambda: sum(map(len, csv_pieces(OWED, map(owed_row, ledger.owed(""))))))
    print(f"what is owed outside, for a bill to be put beside it, as {len(list(ledger.owed(''))):,} sums: {took:.3f} s")


def _proof(db: Database) -> None:
    """Of the whole journal, and of one with a line in its middle that says another amount."""
    books = Books(LedgerStore(db))
    started = time.process_time()
    proof = books.verify()
    took = time.process_time() - started
    assert not proof.fault, proof.fault
    print(f"proof of all {proof.lines:,} lines: {took:.1f} s, {took * 1e5 / proof.lines:.2f} s for 100,000")
    with db.write() as connection:
        middle = {"seq": proof.lines // 2}
        connection.execute(text("UPDATE journal SET micros = micros + 1 WHERE seq = :seq"), middle)
    print(f"with one amount changed: {books.verify().fault}")


def _posting(db: Database) -> None:
    """A minute's lines of 300 running things, with the chain and, beside it, without its two statements' work."""
    ledger, usages = Ledger(LedgerStore(db), Catalogue.shipped()), [Usage("", "task.cpu", 1000, NOW - 3600.0)]
    refs = [Ref("fresh", "service", f"s{number}") for number in range(OBJECTS)]
    with db.write() as connection:
        for ref in refs:
            ledger.open(connection, ref, "", usages, "aws/fargate", NOW)
    took = []
    for minute in range(5):
        started = time.process_time()
        with db.write() as connection:
            for ref in refs:
                ledger.read(connection, ref, usages, "aws/fargate", NOW + 60.0 * minute)
        took.append(time.process_time() - started)
    rows = [{"seq": 0, **line_row(line)} for line in ledger.lines(lines_max=OBJECTS)]
    hashing = _best(lambda: list(sealed(rows, 1, FIRST)))
    print(
        f"posting: {OBJECTS / min(took):,.0f} lines per second of CPU; hashing them is {hashing / min(took):.1%} of it"
    )


def _fill(db: Database, lines: int) -> None:
    """Writes the tables as posting would, in bulk: the same rows, hashes and sums."""
    seq, previous, sums = 0, FIRST, dict[tuple[int, str, str], int]()
    batch: list[Line] = []

    def flush() -> None:
        nonlocal seq, previous
        rows = list(sealed(map(line_row, batch), seq, previous))
        if rows:
            seq, previous = rows[-1]["seq"], rows[-1]["hash"]
            with db.write(is_synced=False) as connection:
                connection.execute(insert(journal), rows)
        batch.clear()

    with db.write(is_synced=False) as connection:
        made = list(_meters(lines))
        connection.execute(insert(accounts), [
            {"id": n + 1, "stack": f"s{n % 20}", "kind": "service", "name": f"o{n}",
             "labels": json.dumps({"team": f"t{n % TEAMS}"})} for n in range(OBJECTS)
        ])  # fmt: skip
        for start in range(0, len(made), BATCH):
            rows = [{**meter_row(meter), "id": meter.id} for meter, _ in made[start : start + BATCH]]
            connection.execute(insert(meters), rows)
    for meter, count in made:
        for number in range(1, count + 1):
            line = _line(meter, number)
            key = meter.account, line.day, line.sku
            sums[key] = sums.get(key, 0) + line.micros
            batch.append(line)
            if len(batch) == BATCH:
                flush()
    flush()
    with db.write() as connection:
        rows = [{"account": a, "day": day, "sku": sku, "micros": m} for (a, day, sku), m in sums.items()]
        connection.execute(insert(spending), rows)


def _meters(lines: int) -> Iterator[tuple[Meter, int]]:
    """Half of the lines are of long meters, half of attempts that post one line and are over."""
    each = lines // 2 // (2 * OBJECTS)
    id = 0
    for number in range(OBJECTS):
        for sku in ("task.cpu", "task.memory"):
            id += 1
            yield _meter(id, number, sku, "", each), each
    for attempt in range((lines - 2 * OBJECTS * each) // 2):
        for sku in ("task.cpu", "task.memory"):
            id += 1
            yield _meter(id, attempt % OBJECTS, sku, str(attempt // OBJECTS + 1), 1), 1


def _meter(id: int, number: int, sku: str, part: str, lines: int) -> Meter:
    thing = ThingId(Ref(f"s{number % 20}", "service", f"o{number}"), part)
    begin, used = (NOW * 1000 - (id % 180 + 1) * DAY_MS), lines * MINUTE_MS * 1000
    return Meter(
        thing, sku, "aws/fargate", CPU, begin, id, 1000, begin, begin, begin + lines * MINUTE_MS, 0, used,
        CPU.cost_micros(used), begin + lines * MINUTE_MS, lines, closed_ms=begin + lines * MINUTE_MS,
        account=number + 1,
    )  # fmt: skip


def _line(meter: Meter, number: int) -> Line:
    begin = meter.opened_ms + (number - 1) * MINUTE_MS
    used = number * MINUTE_MS * 1000
    micros = CPU.cost_micros(used) - CPU.cost_micros(used - MINUTE_MS * 1000)
    day = time.strftime("%Y-%m-%d", time.gmtime(begin // 1000))
    return Line(meter.id, number, meter.thing, meter.sku, begin, begin + MINUTE_MS, MINUTE_MS * 1000, micros,
                f"expense:{meter.thing.ref.absolute}", "payable:aws/fargate", day)  # fmt: skip


def _sum_s(folder: Path, columns: str, rest: str) -> float:
    with sqlite3.connect(folder / "store.db") as connection:
        return _best(lambda: connection.execute(f"SELECT {columns} FROM journal {rest}").fetchall())


def _best(work: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        started = time.process_time()
        work()
        took.append(time.process_time() - started)
    return min(took)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
