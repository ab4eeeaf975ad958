"""How does an export become a file? CSV as it comes, Parquet with each column's type, a DuckDB file with views.

A million rows pass through in pieces. The file takes its name when it is whole: a run that was broken off leaves the
one of before.
"""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.focus.columns import COST_DIGITS, PRICE_DIGITS, QUANTITY_DIGITS, Column, Type

ENDINGS = (".csv", ".parquet", ".duckdb")
_DIGITS = {Type.COST: COST_DIGITS, Type.QUANTITY: QUANTITY_DIGITS, Type.PRICE: PRICE_DIGITS}

VIEWS = {
    "by_day": 'SELECT CAST("ChargePeriodStart" AS DATE) AS day, sum("BilledCost") AS cost FROM bill GROUP BY ALL '
    "ORDER BY ALL",
    "by_object": 'SELECT "SubAccountId" AS stack, "ResourceType" AS kind, "ResourceName" AS name, sum("BilledCost") '
    "AS cost FROM bill GROUP BY ALL ORDER BY cost DESC",
    "by_service": 'SELECT "ServiceCategory" AS category, "ServiceName" AS service, sum("BilledCost") AS cost FROM bill '
    "GROUP BY ALL ORDER BY cost DESC",
    "by_tag": "SELECT tag.key AS tag, tag.value ->> '$' AS value, sum(\"BilledCost\") AS cost FROM bill, "
    'json_each("Tags") AS tag GROUP BY ALL ORDER BY ALL',
}
"""What people ask first. Of an export in the journal's own columns there is the table `bill` alone."""


def ending_of(path: Path) -> str:
    """What a file of this name will be. Raises: UserError."""
    if path.suffix.lower() not in ENDINGS:
        detail = f"{path.name} ends in none of {', '.join(ENDINGS)}."
        raise UserError(Diagnostic("Unknown format of a table", detail, suggestion=f"-o {path.stem or 'bill'}.csv"))
    return path.suffix.lower()


def write(lines: Iterator[str], columns: tuple[Column, ...], path: Path) -> None:
    """Writes an export, given as lines of CSV with their heading. Raises: UserError."""
    ending = ending_of(path)
    with _whole(path) as part:
        if ending == ".csv":
            with part.open("w", encoding="utf-8", newline="") as target:
                target.writelines(f"{line}\n" for line in lines)
        elif ending == ".parquet":
            write_parquet(lines, columns, part)
        else:
            write_duckdb(lines, columns, part)


def put_csv(lines: Iterator[str]) -> None:
    """The export on stdout."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def write_parquet(lines: Iterator[str], columns: tuple[Column, ...], path: Path) -> None:
    """Decimals stay decimals: no figure passes through a float."""
    pyarrow, reading = extra("pyarrow"), extra("pyarrow.csv")
    types = {column.name: _type_of(column, pyarrow) for column in columns}
    options = reading.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    batches = reading.open_csv(_Reading(lines), convert_options=options)
    with extra("pyarrow.parquet").ParquetWriter(path, batches.schema) as target:
        for batch in batches:
            target.write_batch(batch)


def write_duckdb(lines: Iterator[str], columns: tuple[Column, ...], path: Path) -> None:
    """A database with the table `bill`, and VIEWS of it."""
    duckdb = extra("duckdb")
    between = path.with_name(f"{path.name}.parquet")
    try:
        write_parquet(lines, columns, between)
        with duckdb.connect(str(path)) as database:
            database.execute("CREATE TABLE bill AS SELECT * FROM read_parquet(?)", [str(between)])
            if any(column.name == "BilledCost" for column in columns):
                for name, query in VIEWS.items():
                    database.execute(f"CREATE VIEW {name} AS {query}")
    finally:
        between.unlink(missing_ok=True)


def extra(name: str) -> Any:
    """A module of the extra `reports`. Raises: UserError where it is not installed."""
    try:
        return import_module(name)
    except ImportError as e:
        detail = f"Parquet and DuckDB are made with {name.partition('.')[0]}, which is not installed."
        raise UserError(Diagnostic("An extra is missing", detail, suggestion="pip install 'weyr[reports]'")) from e


def told(lines: Iterator[str], total: int, tell: Callable[[int, int], None]) -> Iterator[str]:
    """The same lines; every thousand of them are told of."""
    for number, line in enumerate(lines):
        if number % 1000 == 0:
            tell(number, total)
        yield line


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        yield part
        part.replace(path)
    except OSError as e:
        raise UserError(Diagnostic("The file cannot be written", f"{path}: {e.strerror or e}.")) from e
    finally:
        part.unlink(missing_ok=True)


class _Reading(io.RawIOBase):
    """Lines as a file that can be read once, from its beginning."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self._rest = lines, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        pieces, length = [self._rest], len(self._rest)
        while length < len(buffer) and (line := next(self._lines, None)) is not None:
            pieces.append(line.encode() + b"\n")
            length += len(pieces[-1])
        self._rest = b"".join(pieces)
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)


def _type_of(column: Column, pyarrow: Any) -> Any:
    match column.type:
        case Type.COST | Type.QUANTITY | Type.PRICE:
            return pyarrow.decimal128(38, _DIGITS[column.type])
        case Type.MOMENT:
            return pyarrow.timestamp("s", tz="UTC")
        case Type.NUMBER:
            return pyarrow.int64()
        case Type.TEXT | Type.TAGS:
            return pyarrow.string()
