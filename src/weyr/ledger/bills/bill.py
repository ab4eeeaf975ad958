"""What does a whole bill come to? Its rows, added up by resource, measure and time as they are read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.core.metering import Labels
from weyr.ledger.bills import cur, focus
from weyr.ledger.bills.values import DAY_MS, HOUR_MS, BillLine, Kind, Measure, Row
from weyr.ledger.journal import day_of
from weyr.ledger.prices import CURRENCY

FAULTS_MAX = 20
"""So many rows that cannot be read are told; a file of nothing else is not read to its end."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A form of bills: how its columns are named here, and how a row is read."""

    name: str
    column: Callable[[str], str]
    line: Callable[[Row], BillLine | None]


FOCUS = Dialect("FOCUS", lambda name: name, focus.line_of)
CUR = Dialect("AWS CUR", cur.column_of, cur.line_of)


@dataclass(frozen=True, slots=True)
class Resource:
    """Whatever an amount is for, as the provider names it. `what` is its service, and where it has no name, all."""

    id: str
    tags: Labels
    what: str = ""


@dataclass(slots=True)
class Cell:
    """What one resource has of one measure in one hour, day or longer time."""

    amounts: dict[Kind, Decimal]
    quantity: Decimal | None


@dataclass(slots=True)
class Bill:
    """A bill as it was read. `cells` by resource, measure and time (from, to) in milliseconds."""

    form: str
    provider: str = ""
    """Whose it is. Where it is told before, rows of other providers are left out."""
    rows: int = 0
    total: Decimal = Decimal(0)
    cells: dict[tuple[Resource, Measure, int, int], Cell] = field(default_factory=dict)
    invoices: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    """Providers whose rows were left out."""
    first_ms: int = 0
    last_ms: int = 0
    """From the first moment to the last that anything was used."""

    @property
    def first_day(self) -> str:
        return day_of(self.first_ms)

    @property
    def last_day(self) -> str:
        return day_of(max(self.first_ms, self.last_ms - 1))


def dialect_of(columns: Sequence[str], file: str) -> Dialect:
    """Which form a file is in, by its heading. Raises: UserError, with what is missing from the nearest form."""
    if set(columns) >= focus.NEEDED:
        return FOCUS
    if {cur.column_of(name) for name in columns} >= cur.NEEDED:
        return CUR
    is_near = any("item" in name.lower() for name in columns)
    lacking = cur.NEEDED - {cur.column_of(name) for name in columns} if is_near else focus.NEEDED - set(columns)
    form = CUR.name if is_near else FOCUS.name
    detail = f"Its heading is neither that of FOCUS nor that of an AWS Cost and Usage Report; for {form} it lacks "
    detail += ", ".join(sorted(lacking)) + "."
    raise UserError(Diagnostic("Not a bill", detail, place=Place(file, 1)))


def read(dialect: Dialect, rows: Iterable[Row], file: str, into: Bill | None = None) -> Bill:
    """Adds up the rows of a file; with `into`, beside what other files of the same bill have.

    Raises: UserError with every row that cannot be read, up to FAULTS_MAX, or where another currency is owed.
    """
    bill = into or Bill(dialect.name)
    faults: list[Diagnostic] = []
    for number, row in enumerate(rows, start=2):
        try:
            line = dialect.line(row)
            if line is not None:
                _add(bill, line)
        except (ValueError, KeyError) as e:
            detail = f"The row lacks {e}." if isinstance(e, KeyError) else f"{e}."
            faults.append(Diagnostic("A row cannot be read", detail, place=Place(file, number)))
            if len(faults) == FAULTS_MAX:
                break
    if faults:
        raise UserError(*faults)
    return bill


def _add(bill: Bill, line: BillLine) -> None:
    bill.provider = bill.provider or line.provider
    if line.provider != bill.provider:
        bill.others.add(line.provider)
        return
    if line.currency != CURRENCY:
        detail = f"it is in {line.currency[:10]}, and the ledger keeps its accounts in {CURRENCY}"
        raise ValueError(detail)
    if line.to_ms < line.from_ms:
        raise ValueError("its time ends before it begins")
    bill.rows += 1
    bill.total += line.amount
    if line.invoice:
        bill.invoices.add(line.invoice)
    resource = Resource(line.resource, line.tags, line.what.partition(": ")[0] if line.resource else line.what)
    key = (resource, line.measure, *_time(line))
    cell = bill.cells.get(key)
    if cell is None:
        cell = bill.cells[key] = Cell({}, Decimal(0))
    cell.amounts[line.kind] = cell.amounts.get(line.kind, Decimal(0)) + line.amount
    if line.kind is Kind.USAGE:
        both = cell.quantity is not None and line.quantity is not None
        cell.quantity = cell.quantity + line.quantity if both else None  # type: ignore[operator]  # neither is None
    end_ms = max(line.to_ms, line.from_ms + 1)
    bill.first_ms = min(bill.first_ms or line.from_ms, line.from_ms)
    bill.last_ms = max(bill.last_ms, end_ms)


def _time(line: BillLine) -> tuple[int, int]:
    """An hour or less counts for its hour, a day or less for its day: of those there are few enough to keep."""
    long_ms = line.to_ms - line.from_ms
    for unit_ms in (HOUR_MS, DAY_MS):
        if long_ms <= unit_ms:
            begin_ms = line.from_ms // unit_ms * unit_ms
            return begin_ms, begin_ms + unit_ms
    return line.from_ms, line.to_ms
