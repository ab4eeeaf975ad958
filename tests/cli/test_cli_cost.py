"""The bill leaves Weyr whole: as CSV, Parquet and DuckDB, drawn and asked in SQL, from a real journal."""

import csv
import io
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

from weyr.cli.program import run
from weyr.compose.local import open_weyr
from weyr.core.kind import Usage
from weyr.core.ref import Ref
from weyr.ledger.prices import CPU, MEMORY

NOON = 1_795_348_800.0
"""2026-11-22 12:00 UTC."""
HOURS = 40
SPENT = Decimal(2 * HOURS * (40_480 + 4_445)) / 1_000_000
"""Two tasks of a vCPU and a GiB each on aws/fargate."""

Weyr = Callable[..., str]


def quiet(_event: str, /, **_fields: object) -> None:
    """A log that nobody reads."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two days of a bill, and nobody who serves it."""
    path = tmp_path_factory.mktemp("bill") / "home"
    weyr = open_weyr(path, time.time, quiet, is_serving=False)
    for stack in ("digits", "vision"):
        ref, usages = Ref(stack, "job", "train"), [Usage("1", sku, 1000, NOON) for sku in (CPU, MEMORY)]
        with weyr.db.write() as connection:
            weyr.ledger.open(connection, ref, "1", usages, "aws/fargate", NOON)
            for hour in range(1, HOURS + 1):
                weyr.ledger.read(connection, ref, usages, "aws/fargate", NOON + hour * 3600)
            ended = [Usage("1", sku, 1000, NOON, NOON + HOURS * 3600) for sku in (CPU, MEMORY)]
            weyr.ledger.read(connection, ref, ended, "aws/fargate", NOON + HOURS * 3600 + 1)
            weyr.ledger.close(connection, ref, "1", NOON + HOURS * 3600)
    weyr.db.close()
    return path


@pytest.fixture
def weyr(home: Path, capsys: pytest.CaptureFixture[str]) -> Weyr:
    """Runs a command line in this process, without a server, and gives what it printed."""

    def ask(*words: str, status: int = 0) -> str:
        assert run(["--home", str(home), *words]) == status
        said = capsys.readouterr()
        return said.out if status == 0 else said.err

    return ask


def test_every_export_adds_up_to_the_bill(weyr: Weyr, tmp_path: Path) -> None:
    """One journal: whichever file somebody takes, its sum is the total of `weyr cost`, exactly."""
    total = json.loads(weyr("cost", "--json"))["total_micros"]
    printed = list(csv.DictReader(io.StringIO(weyr("cost", "export"))))
    for name in ("bill.csv", "bill.parquet", "bill.duckdb"):
        weyr("cost", "export", "-o", str(tmp_path / name))
    parquet = pyarrow.parquet.read_table(tmp_path / "bill.parquet")
    with duckdb.connect(str(tmp_path / "bill.duckdb"), read_only=True) as database:
        ((asked,),) = database.execute("SELECT sum(BilledCost) FROM bill").fetchall()
        days = database.execute("SELECT * FROM by_day").fetchall()

    assert Decimal(total) / 1_000_000 == SPENT
    assert sum(Decimal(row["BilledCost"]) for row in printed) == SPENT
    assert list(csv.DictReader(io.StringIO((tmp_path / "bill.csv").read_text()))) == printed
    assert sum(parquet["BilledCost"].to_pylist()) == SPENT
    assert str(parquet.schema.field("ListCost").type) == "decimal128(38, 18)"
    assert (asked, len(days)) == (SPENT, 3)
    assert [path.name for path in tmp_path.glob(".*")] == [], "no half of a file is left"


def test_days_stacks_and_columns_are_chosen(weyr: Weyr) -> None:
    """A month for the accountant, a stack for its team, the names that their tool knows."""
    words = ("cost", "export", "--stack", "vision", "--from", "2026-11-23", "--to", "2026-11-23")
    rows = list(csv.DictReader(io.StringIO(weyr(*words, "--format", "focus-1.4"))))
    lines = list(csv.DictReader(io.StringIO(weyr(*words, "--format", "lines"))))
    december = weyr("cost", "export", "--period", "2026-12").splitlines()

    assert {(row["SubAccountId"], row["ChargePeriodStart"][:10]) for row in rows} == {("vision", "2026-11-23")}
    assert {row["ServiceProviderName"] for row in rows} == {"Weyr"}
    assert "ProviderName" not in rows[0]
    assert {(row["RegionId"], row["RegionName"]) for row in rows} == {("us-east-1", "us-east-1")}
    assert len(december) == 1, "a month without a bill is a heading without rows"
    assert sum(int(line["micros"]) for line in lines) == 24 * (40_480 + 4_445)


def test_a_question_is_answered_in_sql(weyr: Weyr) -> None:
    """Figures stay exact, also as JSON; a question that is none names what went wrong."""
    answer = json.loads(weyr("cost", "sql", "SELECT stack, cost FROM by_object ORDER BY stack", "--json"))
    assert answer == [{"stack": stack, "cost": f"{SPENT / 2:.18f}"} for stack in ("digits", "vision")]
    assert "nonsense" in weyr("cost", "sql", "SELECT nonsense", status=1)
    assert "100" in weyr("cost", "sql", "SELECT 100::DECIMAL(10, 2) AS hundred")


def test_a_bill_beside_the_journal(weyr: Weyr, tmp_path: Path) -> None:
    """Weyr's own bill agrees with the journal that it is of, from whichever file; a changed one says where and why."""
    for name in ("bill.csv", "bill.parquet"):
        weyr("cost", "export", "-o", str(tmp_path / name))
        assert "The journal and the bill agree" in weyr("cost", "reconcile", str(tmp_path / name))

    rows = list(csv.DictReader(io.StringIO((tmp_path / "bill.csv").read_text())))
    of_cpu = [row for row in rows if row["SkuId"] == CPU and row["SubAccountId"] == "vision"]
    of_cpu[0]["BilledCost"] = str(Decimal(of_cpu[0]["BilledCost"]) + 1)
    (tmp_path / "parts").mkdir()
    for part in (0, 1):
        with (tmp_path / "parts" / f"{part}.csv").open("w", newline="") as target:
            writer = csv.DictWriter(target, rows[0])
            writer.writeheader()
            writer.writerows(row for row in rows[part::2] if row is not of_cpu[1])
    told = weyr("cost", "reconcile", str(tmp_path / "parts"))

    (line,) = [line for line in told.splitlines() if "price" in line and "vision:job/train" in line]
    assert "quantity -0.04048; price 1.00; 40 metered, 39 billed; only metered: 2026-11-22 13:00 for 1 h" in line
    assert "To be posted: 0.96 USD in 2 lines." in told
    assert "ends in none of" in weyr("cost", "reconcile", "bill.xls", status=1)
    assert "is no file" in weyr("cost", "reconcile", "bill.csv", status=1)
    assert "Not a name" in weyr("cost", "reconcile", "bill.csv", "--to", "No Stack", status=1)


def test_a_bill_is_drawn(weyr: Weyr, tmp_path: Path) -> None:
    """By day and by who spent it, in the terminal and as an image."""
    drawn = weyr("cost", "--chart", "--from", "2026-11-22", "--to", "2026-11-24", "--by", "stack")
    weyr("cost", "--png", str(tmp_path / "bill.png"), "--svg", str(tmp_path / "bill.svg"))

    first, second, third = drawn.splitlines()[1:4]
    assert [line.split()[-1] for line in (first, second, third)] == ["1.08", "2.16", "0.36"]
    assert "digits" in drawn
    assert (tmp_path / "bill.png").read_bytes().startswith(b"\x89PNG")
    assert b"vision:job/train" in (tmp_path / "bill.svg").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("export", "-o", "bill.xls"), "ends in none of .csv, .parquet, .duckdb"),
        (("export", "-o", "missing/bill.csv"), "No such file or directory"),
        (("export", "--from", "yesterday"), "from is a day such as 2026-11-22, not 'yesterday'"),
        (("export", "--from", "2026-11-22", "--to", "2026-11-21"), "there is no day"),
        (("export", "--period", "november"), "A period is a month"),
        (("export", "--period", "2026-11", "--from", "2026-11-22"), "not both"),
        (("--chart", "--by", "team", "--spread"), "A chart shows who spent it"),
        (("--chart", "--by", "thing"), "ask by object"),
        (("--from", "2026-11-22"), "days can be chosen for a chart and for an export"),
        (("--png", "bill.gif"), "Try: --png bill.png"),
        (("--svg", "bill.png"), "draws a file that ends in .svg"),
        (("--spread",), "nothing is left over to share out"),
        (("--by", "team", "--spread", "--share", "a=1"), "but not by both"),
        (("correct", "1", "--reason", "", "--amount", "3 EUR"), "It also needs --reason"),
        (("correct", "1", "--reason", "r", "--amount", "3 EUR"), "3 EUR is EUR"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is(weyr: Weyr, words: tuple[str, ...], told: str) -> None:
    """No half of a bill under a name that promises all of it."""
    assert told in weyr("cost", *words, status=1)


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("pyarrow", ("export", "-o", "bill.parquet")),
        ("duckdb", ("sql", "SELECT 1")),
        ("matplotlib", ("--png", "b.png")),
    ],
)
def test_a_missing_extra_is_named(
    weyr: Weyr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, words: tuple[str, ...]
) -> None:
    """The default install has none of them; what to install is one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    told = weyr("cost", *words, status=1)
    assert package in told
    assert "pip install 'weyr[reports]'" in told
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
