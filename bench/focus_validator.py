"""Does the FinOps Foundation's own validator accept our bill in FOCUS 1.2? Its best possible result is one failure.

    make focus                  # or: .venv/bin/python bench/focus_validator.py [--cache FOLDER] [--file BILL.csv]

focus-validator 2.2.1 needs Python 3.12 or newer, so it gets an environment of its own, outside of the project, that is
made once and kept; where no such Python is found, this says so and fails. Judged is a bill from a real journal (tasks
on demand, on spot and on a whole machine, commitments, storage, requests, egress, runs whose end was learnt late, over
the end of a month), or the file that is given. All that Weyr supports is declared, which is stricter than to declare
nothing.

Two pairs of its rules contradict each other: InvoiceId must be null, says one, and must not be, the other; and so do
two about the status of commitments. It ends with 0 whatever it finds, so its own table is read; it does not add up,
which our unit tests do (ledger/focus/test_rows.py).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from weyr.core.commitments import FEE, Coverage, Form
from weyr.core.kind import Usage
from weyr.core.ref import Ref
from weyr.ledger import prices
from weyr.ledger.books import Books
from weyr.ledger.entries import Charge, Entry
from weyr.ledger.focus.columns import Format, columns_of
from weyr.ledger.focus.csv_text import csv_pieces
from weyr.ledger.focus.rows import Rows
from weyr.ledger.ledger import Ledger
from weyr.store.charges import charges
from weyr.store.database import Database, metadata
from weyr.store.ledger import LedgerStore

PACKAGES = ("focus-validator==2.2.1", "pyarrow<22")
"""It asks for NumPy 1 and for any pyarrow; the newer ones of that need NumPy 2."""
PYTHONS = ("python3.12", "python3.13", "python3.14", "python3", "python")
CRITERIA = (
    "ACCOUNT_NAMING_SUPPORTED", "MULTIPLE_PRICING_CATEGORIES_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED", "USAGE_MEASUREMENT_SUPPORTED", "UNIT_PRICING_SUPPORTED", "SUB_ACCOUNT_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED", "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED", "TAGGING_SUPPORTED",
    "COMMITMENT_DISCOUNT_SUPPORTED",
)  # fmt: skip
PLAIN = (prices.CPU, prices.MEMORY)
CONTRADICTING = {
    "InvoiceId-C-004-C", "InvoiceId-C-005-C",
    "CommitmentDiscountStatus-C-003-C", "CommitmentDiscountStatus-C-004-C",
}  # fmt: skip
"""C-004-C of CommitmentDiscountStatus says in its text that a status is needed where there is a commitment, and checks
that one is where there is none (model 1.2.0.1), which C-003-C forbids."""
FOLLOWING = {"CommitmentDiscountStatus-C-000-C", "CommitmentDiscountStatus-C-002-C"}
"""They say that the ones before hold."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "weyr-peers"
LATE_ON_A_MONTHS_LAST_DAY = 1_796_000_000.0
"""2026-11-30 00:53 UTC."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the validator's environment is kept")
    parser.add_argument("--file", type=Path, help="a bill in FOCUS 1.2 as CSV; without it, one is made")
    asked = parser.parse_args()
    validator = installed(asked.cache / "focus-validator")
    with tempfile.TemporaryDirectory() as folder:
        bill = asked.file.absolute() if asked.file else made_bill(Path(folder))
        return judged(validator, bill)


def installed(folder: Path) -> Path:
    """The validator's command, in its environment. Exits where none can be made."""
    command = folder / "bin" / "focus-validator"
    if not command.exists():
        python = next(new_pythons(), None)
        if python is None:
            sys.exit(f"focus-validator needs Python 3.12 or newer, and none was found as {', '.join(PYTHONS)}.")
        shutil.rmtree(folder, ignore_errors=True)
        print(f"Installing {PACKAGES[0]} for {python} (once; a minute or two) ...", file=sys.stderr)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin/pip"), "install", "--quiet", *PACKAGES], check=True)
    return command


def new_pythons() -> Iterator[str]:
    """Interpreters from 3.12 on that make environments."""
    # pyenv's own names answer only for the version that is switched on.
    kept = sorted((Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions").glob("3.*/bin/python"))
    for name in (*PYTHONS, *map(str, kept)):
        asked = [name, "-c", "import sys, ensurepip; sys.exit(sys.version_info < (3, 12))"]
        if shutil.which(name) and subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            yield name


def made_bill(folder: Path) -> Path:
    """A bill of everything that the ledger bills, from a journal in a database."""
    db = Database(folder / "weyr.db")
    with db.write() as connection:
        metadata.create_all(connection)
    catalogue = prices.Catalogue.shipped()
    ledger = Ledger(LedgerStore(db), catalogue)
    run_tasks(db, ledger)
    use_bucket(db, ledger)
    commit(db, ledger)
    post_by_hand(Books(LedgerStore(db)))
    path = folder / "focus.csv"
    made = Rows(catalogue.books, coverages=ledger.coverages())
    rows = (row for charge in charges(db) for row in made.of(charge))
    path.write_text("".join(csv_pieces(columns_of(Format.FOCUS), rows)))
    db.close()
    return path


def run_tasks(db: Database, ledger: Ledger) -> None:
    """Each runs over midnight and the month's end, and turns out to have ended before what was posted."""
    begun = LATE_ON_A_MONTHS_LAST_DAY
    spot = prices.CPU_SPOT, prices.MEMORY_SPOT
    for name, book, skus in (
        ("plain", "aws/fargate", PLAIN), ("cheap", "aws/fargate", spot), ("share", "aws/g5.xlarge", PLAIN),
    ):  # fmt: skip
        ref = Ref("digits", "job", name)
        for until, now in ((None, begun + 90_000.123), (begun + 80_000, begun + 90_060.5)):
            usages = [Usage("1", sku, 2000, begun, until) for sku in skus]
            with db.write() as connection:
                if until is None:
                    ledger.open(connection, ref, "1", usages, book, begun)
                ledger.read(connection, ref, usages, book, now)


def use_bucket(db: Database, ledger: Ledger) -> None:
    ref, book = Ref("digits", "bucket", "lake"), "aws/fargate"
    skus = (prices.STORAGE, prices.REQUESTS_WRITE, prices.REQUESTS_READ, prices.EGRESS_FAR, prices.EGRESS_LOCAL)
    for times in (1, 2):
        usages = [Usage("", sku, times * 400_000_000, None) for sku in skus]
        with db.write() as connection:
            if times == 1:
                ledger.open(connection, ref, "", usages, book, LATE_ON_A_MONTHS_LAST_DAY)
            ledger.read(connection, ref, usages, book, LATE_ON_A_MONTHS_LAST_DAY + 45_000 * times)


def commit(db: Database, ledger: Ledger) -> None:
    """A savings plan that covers some of what ran, and machines of which most of the time nobody uses any."""
    begun, ran = LATE_ON_A_MONTHS_LAST_DAY, [Usage("2", sku, 3000, LATE_ON_A_MONTHS_LAST_DAY) for sku in PLAIN]
    plan = Coverage(Form.SAVINGS_PLAN, 40_000, ("aws/fargate",), 0, 200_000, is_shared=True, id="arn:aws:sp:1")
    machines = Coverage(Form.RESERVED_INSTANCES, 1_800_000, ("aws/g5.xlarge",), 3)
    for now in (begun, begun + 7_200, begun + 14_400):
        with db.write() as connection:
            for name, coverage in (("floor", plan), ("gpus", machines)):
                fee = Usage("", FEE, coverage.fee_micros_per_hour, None, covers=coverage)
                ledger.read(connection, Ref("digits", "commitment", name), [fee], "aws/fargate", now)
            for name, book in (("covered", "aws/fargate"), ("trained", "aws/g5.xlarge")):
                ledger.read(connection, Ref("digits", "job", name), ran, book, now)


def post_by_hand(books: Books) -> None:
    """A bill from outside, a correction, a month that is closed, and a second bill for it that came late."""
    begun_ms, now = round(LATE_ON_A_MONTHS_LAST_DAY * 1000), LATE_ON_A_MONTHS_LAST_DAY + 3 * 86_400
    charge = Charge(Ref("digits", "endpoint", "chat"), "tokens.in", "openai", 12_500_000, begun_ms, begun_ms + 1,
                    "2026-11-30", 4_000_000)  # fmt: skip
    books.enter(Entry("openai-11", (charge,), "ada"), now)
    books.correct(1, 5_000, "ada", "a wrong rate", now)
    books.close("2026-11", "ada", now)
    books.enter(Entry("openai-11-late", (charge,), "ada", "it came late"), now)


def judged(validator: Path, bill: Path) -> int:
    """Prints the verdict; 0 where nothing failed but the rules that contradict each other."""
    packages = next((validator.parents[1] / "lib").glob("python*/site-packages"))
    said = subprocess.run(
        [str(validator), "--data-file", str(bill), "--validate-version", "1.2", "--focus-dataset", "CostAndUsage",
         "--block-download", "--applicability-criteria", ",".join(CRITERIA)],
        capture_output=True, text=True, check=False, cwd=packages,  # it looks for its own files from there
    )  # fmt: skip
    total = re.search(r"^Total: \d+ .*$", said.stdout, re.MULTILINE)
    if total is None:
        print(said.stdout[-2000:], said.stderr[-2000:], file=sys.stderr)
        return 2
    failed = set(re.findall(r"^\W*([\w-]+): FAIL\b", said.stdout, re.MULTILINE))
    print(f"rows {len(bill.read_text().splitlines()) - 1}; {total[0]}")
    print(f"failed: {', '.join(sorted(failed)) or 'nothing'}")
    beside = failed - CONTRADICTING - FOLLOWING
    print("accepted, but for rules that contradict each other" if not beside else f"refused by {len(beside)} rules")
    return 1 if beside else 0


if __name__ == "__main__":
    sys.exit(main())
