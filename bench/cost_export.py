"""What does it take to export a bill of a million lines? Time, and memory beside that of a thousand lines.

    .venv/bin/python bench/cost_export.py [--lines 1000000]

The journal lies in a data folder that nobody serves, as a month of a thousand meters leaves it; the command reads it
by itself. Memory is the highest of the process. Beside it stands the limit: the same rows read and written as they are.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from weyr.compose.local import open_weyr
from weyr.store.tables.ledger import accounts, journal, meters

METERS, AT_ONCE = 1000, 50_000
FIRST = date(2026, 11, 1)
PEAK = "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr)"
COMMAND = f"import re, sys; from weyr.cli.program import run; status = run(sys.argv[1:]); {PEAK}; sys.exit(status)"
COPY = f"""
import csv, re, sys
from pathlib import Path
from sqlalchemy import select
from weyr.store.database import Database
from weyr.store.tables.ledger import journal
db = Database(Path(sys.argv[1]) / "store.db")
with db.read() as connection, open(sys.argv[2], "w", newline="") as file:
    csv.writer(file).writerows(connection.execution_options(yield_per=2000).execute(select(journal)))
{PEAK}
"""


@dataclass(frozen=True)
class Taken:
    """How long a command took, and how much memory it held at most."""

    seconds: float
    mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    many = parser.parse_args().lines
    print(f"{'lines':>9}  {'what':<14} {'seconds':>8} {'lines/s':>9} {'MiB':>6}")
    for lines in (1000, many):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            fill(home, lines)
            for what, words in {"focus, CSV": "bill.csv", "focus, Parquet": "bill.parquet"}.items():
                tell(lines, what, exported(home, Path(folder) / words))
            tell(lines, "rows as they are", copied(home, Path(folder) / "rows.csv"))


def tell(lines: int, what: str, taken: Taken) -> None:
    print(f"{lines:>9,}  {what:<14} {taken.seconds:>8.1f} {lines / taken.seconds:>9,.0f} {taken.mib:>6.0f}", flush=True)


def exported(home: Path, target: Path) -> Taken:
    return measured(COMMAND, "--home", str(home), "cost", "export", "-o", str(target))


def copied(home: Path, target: Path) -> Taken:
    """The journal's rows through SQLAlchemy into a CSV, without a price, a label or a decimal."""
    return measured(COPY, str(home), str(target))


def measured(program: str, *words: str) -> Taken:
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True, text=True)
    return Taken(time.perf_counter() - begun, int(done.stderr.split()[-1]) / 1024)


def fill(home: Path, lines: int) -> None:
    """A month of tasks of a vCPU, a line a minute each. The hashes are none: nobody proves this journal."""
    weyr = open_weyr(home, time.time, quiet, is_serving=False)
    with weyr.db.write() as connection:
        key = connection.execute(
            insert(accounts).values(ref(0) | {"labels": '{"team":"vision"}'}).returning(accounts.c.id)
        )
        account = key.scalar_one()
        connection.execute(insert(meters), [meter_row(n, account) for n in range(1, METERS + 1)])
        rows = line_rows(lines)
        while some := [row for _, row in zip(range(AT_ONCE), rows, strict=False)]:
            connection.execute(insert(journal), some)
    weyr.db.close()


def quiet(_event: str, /, **_fields: object) -> None:
    """A log that nobody reads."""


def ref(number: int) -> dict[str, Any]:
    return {"stack": "digits", "kind": "job", "name": f"train{number}"}


def meter_row(number: int, account: int) -> dict[str, Any]:
    counted = dict.fromkeys(("opened_ms", "quantity", "run_from_ms", "posted_micros", "posted_until_ms", "lines"), 0)
    price = {"price_micros": 40_480, "price_per_quantity": 1000, "price_per_s": 3600}
    return {**ref(number), **counted, **price, "id": number, "part": "1", "sku": "task.cpu", "book": "aws/fargate",
            "settled": "0", "posted": "0", "closed_ms": 0, "account": account}  # fmt: skip


def line_rows(lines: int) -> Iterator[dict[str, Any]]:
    for seq in range(1, lines + 1):
        meter, number = (seq - 1) % METERS + 1, (seq - 1) // METERS + 1
        day = (FIRST + timedelta(days=(seq - 1) * 30 // lines)).isoformat()
        at_ms = 1_793_491_200_000 + (seq - 1) * 30 // lines * 86_400_000 + number % 1440 * 60_000
        yield {**ref(meter), "seq": seq, "meter": meter, "number": number, "part": "1", "sku": "task.cpu",
               "from_ms": at_ms, "to_ms": at_ms + 60_000, "used": "60000000", "micros": 674, "day": day, "entry": "",
               "debit": f"expense:digits:job/train{meter}", "credit": "payable:aws/fargate", "note": "", "who": "",
               "hash": b""}  # fmt: skip


if __name__ == "__main__":
    main()
